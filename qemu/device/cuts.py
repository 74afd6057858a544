"""Power cuts at random moments. After each one the environment is one that the interrupted action may
leave, U-Boot and our reader read the same, and the slot boots that `bootslot next` names."""
import json, time

import boards
from cases import TRIAL, Stories, values
from server import INSTALL, NETWORK, ONLINE, Server

BLOCK = 4096
# One store after the other, each told when it is done.
STORES = "n=0; while :; do n=$((n + 1)); bootslot try B --tries $((n % 9 + 1)) && echo STORED-$n.; done"

class Cuts(Stories):
    """Cuts the power of one device, whose factory story has been told."""

    def prepare(self):
        """How long the actions take without a cut, in seconds: cuts are drawn from a little more."""
        device, took = self.device, {}
        self.start(self.trial(2))
        device.on()
        began = time.monotonic()
        device.hears("saving")
        saving = time.monotonic()
        device.hears("attempt")
        took["saveenv"] = time.monotonic() - saving
        device.boots()
        took["boot"] = time.monotonic() - began
        device.cut()
        self.server = Server((device.work / "update.bundle").read_bytes(), self.random.random())
        self.online()
        began = time.monotonic()
        done = self.install_whole("the bundle from the server")
        took["install"] = time.monotonic() - began
        # The zeros between its parts are there already; the kernel is in slot A.
        self.check("the bundle from the server: fetched, copied and written", 3_000_000 < done["fetched"] < 4_500_000
                   and done["copied"] > 8_000_000 and done["written"] > 11_000_000, str(done))
        device.cut()
        took["store"] = 2
        self.longest = {action: 1.2 * seconds for action, seconds in took.items()}

    def start(self, variables):
        self.device.cut()
        self.device.write_environment(variables)
        self.device.write_system("B", self.systems["good"])

    def trial(self, tries):
        variables = {**self.confirmed, **TRIAL, "boot_try_count": str(tries)}
        return {name: value for name, value in variables.items() if value is not None}

    def one(self, action):
        """One cut, and what comes after it."""
        delay = self.random.uniform(0, self.longest[action])
        outcome = getattr(self, action)(delay)
        device = self.device
        expected = device.environment()
        name = f"{action} cut after {delay * 1000:.0f} ms, {outcome}"
        with self.report.lock:
            self.report.cuts[device.board.name, action, outcome] += 1
        if expected is None:
            self.check(f"{name}: the environment is lost", False)
            return
        wanted = device.next_slot()
        device.on(options=NETWORK if action == "install" else ())
        heard = device.boots()
        self.is_(f"{name}: U-Boot boots what next_boot() says", (values(heard, "attempt"), values(heard, "linux")),
                 ([wanted], [wanted]))
        self.agree(name, heard, expected)
        if action == "install" and wanted == "A":
            self.goes_on(name)
        device.cut()

    def is_one_of(self, action, allowed):
        """Which of the allowed states, {description: variables}, the cut has left."""
        state = self.state()
        for outcome, variables in allowed.items():
            if all(state.get(name) == value for name, value in variables.items()):
                return outcome
        self.check(f"{action} cut: an allowed state", False, f"{state} is none of {allowed}")
        return "neither"

    # ---- the actions, each cut after `delay` seconds ----

    def counting(self, tries):
        return {"before": {"boot_try_count": str(tries)}, "after": {"boot_try_count": str(tries - 1)}}

    def saveenv(self, delay):
        tries = self.random.randrange(2, 10)
        self.start(self.trial(tries))
        self.device.on()
        self.device.hears("saving")
        time.sleep(delay)
        self.device.cut()
        return self.is_one_of("saveenv", self.counting(tries))

    def boot(self, delay):
        tries = self.random.randrange(2, 10)
        self.start(self.trial(tries))
        self.device.on()
        time.sleep(delay)
        self.device.cut()
        return self.is_one_of("boot", self.counting(tries))

    def store(self, delay):
        self.start(self.confirmed)
        self.device.on()
        self.device.boots()
        self.device.machine.send(STORES + "\n")
        time.sleep(delay)
        said = self.device.cut()
        # What has been told to be stored is stored, and at most the next one besides.
        done = said.count(b"STORED-")
        last = {"before": {"boot_try_count": str(done % 9 + 1)}} if done else {"before": {"boot_success": "1"}}
        return self.is_one_of("store", {**last, "after": {"boot_try_count": str((done + 1) % 9 + 1)}})

    # ---- an update from a server ----

    def online(self):
        """Switches the confirmed device on, in its network, slot B without a system."""
        self.start(self.confirmed)
        self.device.write_system("B", b"")
        self.server.breaks = 0
        self.device.on(options=NETWORK)
        self.device.boots()
        self.device.run(ONLINE)

    def install(self, delay):
        self.online()
        if self.random.random() < 0.5:
            self.server.breaks = 0.02
        else:
            self.server.goes_away(self.random.uniform(0, 2))
        self.device.machine.send(f"{INSTALL} {self.server.url}\n")
        writing = self.random.random() < 0.8  # in the slot is most that can go wrong
        if writing:
            self.device.machine.expect(rb'"phase":"writing"')
            delay /= 2  # about what is left of the installation
        time.sleep(delay)
        said = self.device.cut()
        allowed = {"before": {"slot_B": None, "boot_success": "1"},
                   "halfway": {"slot_B": "bad", "active_slot": "A"},
                   "after": {"slot_B": None, "active_slot": "B", "boot_try_count": "3"}}
        if writing or b'"phase":"writing"' in said:
            del allowed["before"]
        if b'"event":"done"' in said:
            del allowed["halfway"]
        return self.is_one_of("install", allowed)

    def install_whole(self, name):
        """The installation to its end: what it tells of itself, and the bytes in the slot."""
        said = self.device.run(f"{INSTALL} {self.server.url}", timeout=120)
        self.is_(f"{name}: slot B holds the image", self.same(), len(self.systems["update"]))
        return json.loads(said.strip().splitlines()[-1])

    def same(self):
        """How many bytes of slot B are those of the image, in whole blocks."""
        image = self.systems["update"]
        with open(self.device.folder / "disk.img", "rb") as disk:
            disk.seek(boards.SYSTEM["B"])
            slot = disk.read(len(image))
        blocks = range(0, len(image), BLOCK)
        return sum(len(image[at:at + BLOCK]) for at in blocks if image[at:at + BLOCK] == slot[at:at + BLOCK])

    def goes_on(self, name):
        """After a cut the same command goes on where it was, and then B boots."""
        there = self.same()
        self.server.breaks = 0
        self.device.run(ONLINE)
        done = self.install_whole(f"{name}: the install run again")
        if there > len(self.systems["update"]) // 10:
            # What was there is not written again, but for the chunks at the place of the cut.
            self.check(f"{name}: it goes on where it was", done["kept"] >= 0.99 * there - (256 << 10),
                       f"{there} bytes were there, {done}")
        self.device.machine.send("reboot -f\n")
        heard = self.device.boots()
        self.is_(f"{name}: then B boots", values(heard, "linux"), ["B"])
        self.is_(f"{name}: the floor waits", self.device.environment().get("bootslot_floor"), None)
        self.device.run("bootslot confirm")
        self.is_(f"{name}: confirmed, and the floor is the bundle's", self.device.environment().get("bootslot_floor"), "2~rc1")

    def last_resort(self, cuts):
        """A, the good slot, has died, and B has failed once, for a passing reason: B is what is left. The power is cut
        anywhere on the way to it."""
        device = self.device
        failed = {**self.confirmed, "slot_B": "failed", "boot_failed": "B:tries:0123456789abcdef"}
        self.start(failed)
        device.write_system("A", b"")
        device.on()
        began = time.monotonic()
        heard = device.hears("linux")
        longest = 1.1 * (time.monotonic() - began)
        self.slots("A has died: B boots", heard, "A", "B")
        for _ in range(cuts):
            self.start(failed)
            delay = self.random.uniform(0, longest)
            device.on()
            time.sleep(delay)
            device.cut()
            name = f"A has died, cut after {delay * 1000:.0f} ms"
            state = self.state()
            self.is_(f"{name}: the marks stay", (state.get("slot_A"), state.get("slot_B")), ("good", "failed"))
            device.on()
            heard = device.boots()
            self.is_(f"{name}: B boots", values(heard, "linux"), ["B"])
            self.is_(f"{name}: and is counted", self.state().get("boot_success"), "0")
            with self.report.lock:
                self.report.cuts[device.board.name, "last resort", "B boots"] += 1
        device.run("bootslot confirm")
        device.cut()
        device.write_system("A", self.systems["good"])


# Installations take longest, and most can go wrong there.
ACTIONS = ["saveenv", "install", "boot", "install", "store", "install"]
