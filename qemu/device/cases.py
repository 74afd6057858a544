"""What has to happen on a board: stories that are told to one device after the other."""
import json

import boards

# Values that no updater writes. U-Boot may not do more with them than count them as unknown.
GARBAGE = {"another name": "Z", "spaces": " A B  ", "nothing": "", "200 characters": "x" * 200,
           "a command": "A; echo BOARD-RECOVERY", "an expansion": "$bootcmd ${active_slot}"}
# What somebody who can write the environment would like U-Boot to run.
COMMANDS = ["bootcmd", "altbootcmd", "preboot", "bootslot", "bootslot_guard", "bootslot_start", "bootslot_load",
            "bootslot_boot", "bootslot_choose", "bootslot_read", "bootslot_leave", "bootslot_attempt",
            "bootslot_end", "bootslot_script", "bootslot_store", "bootslot_verify", "bootslot_recovery", "board_show", "bs_run"]
HOSTILE = {**dict.fromkeys(COMMANDS, "echo BOARD-HOSTILE"), "boot_slots": "B", "bootargs": "init=/bin/sh", "slot": "B",
           "bs_active": "B", "fdt_addr": "0", "bootlimit": "0", "bootdelay": "60", ".flags": "bootcmd:sw"}
VARIABLES = ["active_slot", "boot_success", "boot_try_count", "rollback_slot", "slot_A", "slot_B", "boot_update",
             "boot_failed"]
# What user space keeps beside it, in a hardened U-Boot's list as well.
KEPT = VARIABLES + ["bootslot_floor", "bootslot_floor_next", "bootslot_refused"]
TRIAL = dict(active_slot="B", boot_success="0", boot_try_count="2", rollback_slot="A", slot_A="good", slot_B=None,
             boot_update="0123456789abcdef")
# U-Boot sets these in a boot, besides what it has loaded (ethaddr: where it sees a network card).
UBOOTS_OWN = {"fdtcontroladdr", "stdin", "stdout", "stderr", "loadaddr", "arch", "board", "board_name", "cpu", "vendor",
              "usb_ignorelist", "bootcount", "ethaddr"}


class Stories:
    """The stories of one device. Each begins and ends with the device off, except where it says so."""

    def __init__(self, device, report, systems, random, thorough=False):
        self.device, self.report, self.systems, self.random = device, report, systems, random
        self.thorough = thorough

    # ---- how a check is made ----

    def check(self, name, condition, seen=""):
        self.report.check(f"{self.device.board.name}: {name}", condition, seen)

    def is_(self, name, seen, wanted):
        self.check(name, seen == wanted, f"wanted {wanted!r}, saw {seen!r}")

    def slots(self, name, heard, *wanted):
        """These slots were started one after the other, and nothing else."""
        self.is_(name, values(heard, "attempt"), list(wanted))

    def state(self):
        """The boot state as our reader sees it."""
        environment = self.device.environment() or {}
        return {name: environment[name] for name in VARIABLES if name in environment}

    def agree(self, name, heard, expected):
        """What U-Boot has loaded is what our reader saw before."""
        loaded = values(heard, "environment")[0]
        if self.device.board.hardened:
            expected = {**self.compiled_in, **{k: v for k, v in expected.items() if k in KEPT}}
        names = set(expected) | set(loaded) - UBOOTS_OWN
        different = {name: (expected.get(name), loaded.get(name)) for name in names
                     if expected.get(name) != loaded.get(name)}
        self.check(f"{name}: U-Boot and bootslot read the same environment", not different, str(different))

    def one_store(self, name, before):
        """The medium has seen exactly one store: what was current is the standby now."""
        (old_current, _), (current, standby) = current_first(before), current_first(self.device.copies())
        self.check(f"{name}: one store", standby is not None and standby == old_current and current != standby)

    def nothing_stored(self, name, heard, before):
        self.check(f"{name}: no store", self.device.copies() == before and not values(heard, "saving"))

    # ---- the stories ----

    def factory(self):
        """An empty environment: the factory's trial; then a confirmed device, which stores nothing."""
        device = self.device
        self.is_("factory: no valid copy", device.environment(), None)
        device.on()
        heard = device.boots()
        self.slots("factory: the first slot is tried", heard, "A")
        first = values(heard, "environment")[0]
        self.compiled_in = {name: value for name, value in first.items() if name not in UBOOTS_OWN}
        self.is_("factory: its boot is counted", self.state().get("boot_try_count"), "2")
        device.run("bootslot confirm")
        self.is_("factory: confirmed", {**self.state()}, {
            "active_slot": "A", "boot_success": "1", "boot_try_count": "0", "slot_A": "good"})
        before, expected = device.copies(), device.environment()
        heard = device.reboots()
        self.slots("normal boot: the confirmed slot", heard, "A")
        self.nothing_stored("normal boot", heard, before)
        self.agree("normal boot", heard, expected)
        device.cut()
        self.confirmed = device.environment()

    def update(self):
        """A good update: four stores; it stays, and the way back works."""
        device = self.device
        device.write_environment(self.confirmed)
        device.on()
        device.boots()
        for name, command in [
                ("install begins", "bootslot begin-install B"),
                ("install ends", "dd if=/dev/vda4 of=/dev/vda3 bs=64k conv=fsync 2>/dev/null && "
                                 "bootslot finish-install B --tries 3 --update 0123456789abcdef")]:
            before = device.copies()
            device.run(command)
            self.one_store(f"update: {name}", before)
        before = device.copies()
        self.slots("update: B is tried", device.reboots(), "B")
        self.one_store("update: trial boot", before)
        before = device.copies()
        device.run("bootslot confirm")
        self.one_store("update: confirm", before)
        before = device.copies()
        heard = device.reboots()
        self.slots("update: B stays", heard, "B")
        self.nothing_stored("update: a normal boot of B", heard, before)
        device.run("bootslot try A")
        self.slots("update: back to A", device.reboots(), "A")
        device.run("bootslot confirm")
        self.slots("update: A stays", device.reboots(), "A")
        device.cut()

    def unconfirmed(self):
        """A system that never confirms costs exactly its tries, however it ends."""
        device = self.device
        for system, tries in [("exits", 3), ("panics", 2), ("hangs", 2)]:
            device.write_environment(self.confirmed)
            device.write_system("B", self.systems["good"])
            device.on()
            device.boots()
            device.run(f"bootslot try B --tries {tries}")
            device.run("sync")
            device.cut()
            device.write_system("B", self.systems[system])
            device.on()
            heard = [said for _ in range(tries + 1) for said in device.hears("attempt")] + device.boots()
            self.slots(f"B {system}: {tries} tries, then A", heard, *"B" * tries, "A")
            self.is_(f"B {system}: as many resets", len(values(heard, "uboot")), tries + 1)
            self.is_(f"B {system}: evidence", {name: self.state().get(name) for name in ("slot_B", "boot_failed")},
                     {"slot_B": "failed", "boot_failed": "B:tries:"})
            before = device.copies()
            self.slots(f"B {system}: A stays", device.reboots(), "A")
            self.check(f"B {system}: no more stores", device.copies() == before)
            self.check(f"B {system}: status tells it", "tries" in device.run("bootslot status"))
            device.cut()
        device.write_system("B", self.systems["good"])

    def damaged(self):
        """A system that U-Boot refuses: the other one boots in the same power cycle."""
        good = self.systems["good"]
        place = len(good) // 2
        for name, system in [("cut short", good[:place]),
                             ("a flipped bit", good[:place] + bytes([good[place] ^ 4]) + good[place + 1:]),
                             ("another key", self.systems["other-key"]), ("empty", b"")]:
            device = self.device
            device.write_environment({**self.confirmed, **{k: v for k, v in TRIAL.items() if v}})
            device.write_system("B", system)
            device.on()
            heard = device.boots()
            self.slots(f"{name}: B, then A", heard, "B", "A")
            self.is_(f"{name}: in one power cycle", len(values(heard, "uboot")), 1)
            self.is_(f"{name}: evidence", {k: self.state().get(k) for k in ("active_slot", "slot_B", "boot_failed")},
                     {"active_slot": "A", "slot_B": "failed", "boot_failed": "B:load:0123456789abcdef"})
            device.cut()
        device.write_system("B", good)

    def read_only(self):
        """saveenv fails: the trial is not booted, since it could not be counted."""
        device = self.device
        device.write_environment(self.confirmed)
        device.change(**TRIAL)
        before = device.copies()
        device.on(read_only=True)
        heard = device.boots()
        self.check("read-only: saveenv fails", bool(values(heard, "save_failed")))
        self.slots("read-only: A boots, not the trial", heard, "A")
        device.cut()
        self.check("read-only: nothing was written", device.copies() == before)
        device.on()
        self.slots("writeable again: the trial goes on", device.boots(), "B")
        device.cut()

    def lost_copies(self):
        """A copy that is destroyed costs the last store at most, both the factory's trial."""
        device = self.device
        rubbish = self.random.randbytes(device.board.size)
        for lost in (0, 1):
            device.write_environment(self.confirmed)
            copies = device.copies()
            copies[lost] = rubbish
            device.board.write(device.folder, copies)
            expected = device.environment()
            device.on()
            heard = device.hears("kernel")
            self.slots(f"copy {lost} lost: A", heard, "A")
            self.agree(f"copy {lost} lost", heard, expected)
            device.cut()
        device.board.write(device.folder, [rubbish, rubbish])
        device.on()
        heard = device.boots()
        self.slots("both copies lost: the factory's trial", heard, "A")
        device.run("bootslot confirm")
        self.slots("both copies lost: confirmed again", device.reboots(), "A")
        device.cut()

    def garbage(self):
        """Each of our variables with values that nobody writes: U-Boot does what `bootslot next` says.
        Every board has every variable, all boards together have every value in it; `thorough`: each board."""
        tellers = [board for board in boards.BOARDS if "garbage" in board.stories]
        mine = tellers.index(self.device.board)
        cases = [(name, what) for place, name in enumerate(VARIABLES) for other, what in enumerate(GARBAGE)
                 if self.thorough or (place + other) % len(tellers) == mine]
        for name, what in cases:
            base = self.random.choice([self.confirmed, {**self.confirmed, **{k: v for k, v in TRIAL.items() if v}}])
            variables = {**base, name: GARBAGE[what]}
            self.device.write_environment({k: v for k, v in variables.items() if v})
            wanted = self.device.next_slot()
            self.device.on()
            heard = self.device.hears("kernel", "none")
            self.is_(f"garbage: {name} is {what}", values(heard, "attempt")[-1:], [wanted])
            self.device.cut()

    def hostile(self):
        """Only the boot state is taken from storage. What else is there has no effect, and goes with the next store."""
        device = self.device
        device.write_environment({**self.confirmed, **HOSTILE})
        wanted, expected = device.next_slot(), device.environment()
        device.on()
        heard = device.boots()
        self.slots("hostile: the slot that bootslot expects", heard, wanted)
        self.is_("hostile: no stored command runs", values(heard, "hostile"), [])
        self.agree("hostile", heard, expected)
        self.is_("hostile: user space expects the same", json.loads(device.run("bootslot next --json"))["slot"], "A")
        device.run("bootslot try B")
        heard = device.reboots()
        self.slots("hostile: the trial", heard, "B")
        self.is_("hostile: no stored command runs in the trial", values(heard, "hostile"), [])
        after = device.environment()
        self.is_("hostile: gone after the store", [name for name in HOSTILE if after.get(name) == HOSTILE[name]], [])
        device.cut()

    def wrong_types(self):
        """A value that is not of its variable's type is refused: the compiled-in one counts, for us as well."""
        device = self.device
        trial = {name: value for name, value in {**self.confirmed, **TRIAL}.items() if value is not None}
        for name, value in [("boot_try_count", "2;"), ("boot_try_count", "-1"), ("boot_try_count", "x" * 200),
                            ("boot_success", "1 "), ("boot_success", "echo BOARD-HOSTILE")]:
            device.write_environment({**trial, name: value})
            wanted = device.next_slot()
            device.on()
            heard = device.boots()
            what = f"{name} is {value[:20]!r}"
            self.is_(f"{what}: the compiled-in value", values(heard, "environment")[0][name], self.compiled_in[name])
            self.slots(f"{what}: the slot that bootslot expects", heard, wanted)
            self.slots(f"{what}: the trial goes on", heard, "B")
            self.is_(f"{what}: user space expects the same as this machine",
                     json.loads(device.run("bootslot next --json"))["slot"], device.next_slot())
            device.cut()
        # Nothing of the boot state: the compiled-in factory's trial.
        device.write_environment({"note": "none"})
        device.on()
        self.slots("no boot state: the factory's trial", device.boots(), "A")
        self.is_("no boot state: its boot is counted", self.state().get("boot_try_count"), "2")
        device.cut()

    def nothing_boots(self):
        """Both systems broken: the board's recovery, and no reset in a hurry."""
        device = self.device
        device.write_environment(self.confirmed)
        for slot in "AB":
            device.write_system(slot, b"")
        device.on()
        heard = device.hears("recovery")
        self.slots("nothing boots: each slot once", heard, "A", "B")
        self.check("nothing boots: no reset within 5 s", device.is_silent(5, "uboot"))
        device.cut()
        for slot in "AB":
            device.write_system(slot, self.systems["good"])
        device.on()
        self.slots("nothing boots: back when the systems are", device.boots(), "A")
        device.cut()

    def comes_back(self):
        """States that stranded a device: a factory unit whose power was cut in each of its first boots, and a
        script of a customer that has set the active slot alone."""
        device = self.device
        factory = {**self.confirmed, "active_slot": "A", "boot_success": "0", "boot_try_count": "0",
                   "rollback_slot": "B"}
        del factory["slot_A"]
        device.write_environment(factory)
        device.write_system("B", b"")
        device.on()
        heard = device.hears("recovery")
        self.slots("three short power-ons: A has failed, B does not load", heard, "B")
        self.is_("three short power-ons: a new round is stored before the recovery",
                 {name: self.state().get(name) for name in ("active_slot", "boot_try_count", "slot_A", "slot_B")},
                 {"active_slot": "A", "boot_try_count": "3", "slot_A": "failed", "slot_B": "failed"})
        device.cut()
        device.on()
        self.slots("three short power-ons: A is tried again", device.boots(), "A")
        device.run("bootslot confirm")
        self.slots("three short power-ons: and confirmed", device.reboots(), "A")
        device.cut()
        device.write_system("B", self.systems["good"])

        device.write_environment({**self.confirmed, "active_slot": "B"})
        device.on()
        self.slots("active_slot alone: B is tried", device.boots(), "B")
        self.is_("active_slot alone: its boot is counted",
                 {name: self.state().get(name) for name in ("active_slot", "boot_success", "boot_try_count", "slot_B")},
                 {"active_slot": "B", "boot_success": "0", "boot_try_count": "2", "slot_B": None})
        device.cut()

    def figures(self):
        """What the script costs a normal boot, beside a bootcmd that only loads and boots: in the time
        of a processor that needs a nanosecond for each instruction, which does not depend on this one."""
        device, took = self.device, []
        for bootcmd in [self.confirmed["bootcmd"], "run board_show; setenv slot A; run bootslot_load; run bootslot_boot"]:
            device.write_environment({**self.confirmed, "bootcmd": bootcmd})
            device.on(options=["-icount", "shift=0"])
            seconds = device.machine.expect(rb"\n(\d+\.\d{3})\r")[1]
            took.append(float(seconds))
            device.cut()
        self.report.say(f"# {device.board.name}: from bootcmd to loading the system {1000 * took[0]:.0f} ms, "
                        f"without the script {1000 * took[1]:.0f} ms (at 1 ns an instruction)")


def values(heard, what):
    return [said.value for said in heard if said.what == what]


def current_first(copies):
    """The variables of the current copy and of the standby (None where that is not valid)."""
    first, second = copies
    wins = boards.data_of(second) is not None and (
        boards.data_of(first) is None or second[4] == (first[4] + 1) % 256 or (first[4], second[4]) == (0, 1))
    ordered = [second, first] if wins else [first, second]
    return [boards.data_of(copy) for copy in ordered]
