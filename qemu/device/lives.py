"""Whole lives of a device with a data partition: updates that are good, fail, hang or panic, an environment and a data
partition that are lost, and power cuts anywhere. Each time `bootslot report` and `diagnose` have to tell the true story."""
import json, pathlib, subprocess, tempfile, time

import boards
from cases import Stories
from machine import Silence
from server import INSTALL, NETWORK, ONLINE, Server

DATA = boards.SYSTEM["C"]  # the disk's last partition, which holds no system here
ID = "0123456789abcdef"
WRONG = "wrong"
# What the checks of these devices are: the system says itself whether it is sick, and a backend has to answer.
HEALTH = """[health]
settle = "1s"
deadline = "20s"
standard = false
[[health.check]]
name = "fit"
command = ["/usr/bin/grep", "-q", "good", "/etc/behaviour"]
on-failure = "roll-back"
"""
# And where each system has a version of the data.
MIGRATE = """[[health.check]]
name = "migrated"
migrated = true
[migrate]
data = ["/data/app"]
"""
BACKEND = """[[health.check]]
name = "backend"
tcp = "10.0.2.2:%d"
"""
HOOK = ("mkdir -p /etc/bootslot/report.d && printf '#!/bin/busybox sh\\ncat $1 >>/data/sent && sync\\n' >/etc/bootslot/report.d/1 && "
        "chmod +x /etc/bootslot/report.d/1")


class Lives(Stories):
    """All stories, and these. The data partition is made anew for each."""

    # ---- what a life is told with ----

    def data(self, **files):
        """A file system with these files in the data partition: `app__config` is app/config, `health_toml` health.toml."""
        with tempfile.TemporaryDirectory() as folder:
            root, image = pathlib.Path(folder, "root"), pathlib.Path(folder, "image")
            root.mkdir()
            for name, content in files.items():
                path = root / name.replace("__", "/").replace("_", ".")
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(content)
            with open(image, "wb") as data:
                data.truncate(boards.SYSTEM_SIZE)
            subprocess.run(["mkfs.ext4", "-q", "-F", "-O", "^metadata_csum_seed,^orphan_file", "-d", root, image], check=True)
            with open(self.device.folder / "disk.img", "r+b") as disk:
                disk.seek(DATA)
                disk.write(image.read_bytes())

    def begin(self, system="update"):
        """A confirmed device with an empty journal; slot B gets this system by an installation."""
        device = self.device
        device.cut()
        device.write_environment(self.confirmed)
        device.write_system("B", self.systems["good"])
        self.data()
        device.on()
        self.boot()
        self.install(system)

    def install(self, system):
        """As another installer does it, which tells bootslot no more than an id."""
        device = self.device
        device.run(f"bootslot begin-install B && bootslot finish-install B --tries 2 --update {ID} && sync")
        if system != "good":
            device.cut()
            device.write_system("B", self.systems[system])
            device.on()

    def boot(self):
        """Hears it boot, and does what its first service does."""
        heard = self.device.boots(timeout=120)
        return heard, json.loads(self.device.run("bootslot journal boot --json"))["finding"]

    def report_now(self):
        return json.loads(self.device.run("bootslot report --json"))

    def wrong(self):
        """The questions with a bad answer."""
        answers = json.loads(self.device.run("bootslot diagnose --json"))
        return [answer["question"] for answer in answers if answer["state"] == WRONG]

    def tells(self, name, verdict, reason, wrong):
        """The true story."""
        update = self.report_now()["update"] or {}
        self.is_(f"{name}: the report", (update.get("update"), update.get("verdict"), update.get("reason")),
                 (ID, verdict, reason))
        self.is_(f"{name}: the diagnosis", self.wrong(), wrong)

    # ---- the lives ----

    def good_update(self):
        """A good update: told when it is confirmed, and sent once."""
        device, name = self.device, "life, good"
        self.begin()
        heard, finding = self.boot()
        self.slots(f"{name}: B is tried", heard, "B")
        self.is_(f"{name}: as recorded", finding, "as-recorded")
        self.is_(f"{name}: on trial", self.report_now()["update"]["stage"], "on trial")
        device.run(HOOK)
        self.is_(f"{name}: nothing is sent before", device.run("bootslot report --send"), "")
        before = device.copies()
        device.run("bootslot confirm")
        self.one_store(f"{name}: confirm", before)
        self.tells(name, "confirmed", "confirm", [])
        self.check(f"{name}: sent after it", device.run("bootslot report --send").startswith(f"Sent {ID}."))
        self.is_(f"{name}: sent once", device.run("bootslot report --send"), "")
        self.is_(f"{name}: the version that runs", self.report_now()["version"], "2")
        before = device.copies()
        records = device.run("bootslot journal show")
        device.machine.send("reboot -f\n")
        heard, finding = self.boot()
        self.nothing_stored(f"{name}: a normal boot", heard, before)
        device.machine.send("reboot -f\n")
        self.boot()
        after = device.run("bootslot journal show")
        device.machine.send("reboot -f\n")
        self.boot()
        self.is_(f"{name}: a normal boot records nothing", device.run("bootslot journal show"), after)
        self.check(f"{name}: the records stay", after.startswith(records), after)
        device.cut()

    def bad_updates(self):
        """Systems that end before user space can say anything: refused from then on."""
        device = self.device
        for system in ("exits", "panics", "hangs"):
            name = f"life, {system}"
            self.begin(system)
            heard = device.hears("linux", timeout=120)
            self.slots(f"{name}: two tries, then A", heard, "B", "B", "A")
            finding = json.loads(device.run("bootslot journal boot --json"))["finding"]
            self.is_(f"{name}: rolled back", finding, "rolled-back")
            self.tells(name, "rolled-back", "tries", ["boot"])
            said = device.run("bootslot diagnose")
            self.check(f"{name}: the diagnosis says where it ended", "never came as far as bootslot" in said, said)
            device.run("bootslot begin-install B")
            said = device.run(f"bootslot finish-install B --update {ID}", status=5)
            self.check(f"{name}: it is refused when it comes again", "has failed" in said, said)
            self.is_(f"{name}: and in the environment", device.environment().get("bootslot_refused"), ID)
            device.run(f"bootslot allow {ID} && bootslot finish-install B --update {ID}")
            device.cut()
        device.write_system("B", self.systems["good"])

    def lost_environment(self):
        """The environment is lost in mid-trial, and when B was confirmed: a silent step back to A is told."""
        device, name = self.device, "life, environment lost"
        rubbish = [self.random.randbytes(device.board.size)] * 2
        for confirmed in (False, True):
            self.begin("good")
            device.machine.send("reboot -f\n")
            self.boot()
            if confirmed:
                device.run("bootslot confirm && bootslot journal boot")
            device.run("sync")
            device.cut()
            device.board.write(device.folder, rubbish)
            device.on()
            heard, finding = self.boot()
            self.slots(f"{name}: the factory's trial of A", heard, "A")
            self.is_(f"{name}: it is told", finding, "environment-lost")
            found = [finding["finding"] for finding in self.report_now()["findings"]]
            self.is_(f"{name}: in the report", found, ["environment-lost"])
            # One copy is valid again so far: the factory's trial was stored once.
            self.is_(f"{name}: in the diagnosis", self.wrong(), ["boot loader", "power cuts"])
            device.run("bootslot confirm")
            device.machine.send("reboot -f\n")
            heard, finding = self.boot()
            self.is_(f"{name}: and not again", finding, "as-recorded")
            device.cut()

    def lost_data(self):
        """The data partition is lost while an update is refused: the environment refuses it alone. When it is full, all
        orders do their work."""
        device, name = self.device, "life, data lost"
        self.begin("good")
        device.machine.send("reboot -f\n")
        self.boot()
        device.run("bootslot rollback --reason health")
        device.machine.send("reboot -f\n")
        heard, _ = self.boot()
        self.slots(f"{name}: back to A", heard, "A")
        device.run("bootslot begin-install B && sync")
        device.cut()
        self.data()
        device.on()
        _, finding = self.boot()
        self.is_(f"{name}: the journal begins anew", finding, "first")
        self.is_(f"{name}: still refused", [refused["update"] for refused in self.report_now()["refused"]], [ID])
        device.run(f"bootslot finish-install B --update {ID}", status=5)
        # Full: there is room for a record only where the last block of the journal has some. The order is carried out.
        device.run("dd if=/dev/zero of=/data/full bs=64k 2>/dev/null; dd if=/dev/zero of=/data/more bs=1k 2>/dev/null", status=None)
        device.run(f"bootslot allow {ID}")
        # Read-only, as after an error: nothing more is recorded, and that is said.
        device.run("mount -o remount,ro /data")
        said = device.run("bootslot finish-install B --update new0 2>&1")
        self.check(f"{name}: read-only, and that is said", "journal does not know" in said, said)
        self.is_(f"{name}: full and read-only, and on trial", self.state().get("boot_update"), "new0")
        device.machine.send("reboot -f\n")
        heard = device.boots()
        self.slots(f"{name}: full, and B is tried", heard, "B")
        device.run("bootslot confirm 2>/dev/null && rm /data/full /data/more && bootslot journal boot && bootslot report")
        device.cut()

    def same_bundle(self):
        """A bundle that was rolled back is offered again: exit code 15, nothing is written."""
        device, name = self.device, "life, same bundle"
        device.cut()
        device.write_environment(self.confirmed)
        device.write_system("B", self.systems["good"])
        self.data()
        device.on(options=NETWORK)
        self.boot()
        device.run(ONLINE)
        server = Server((device.work / "update.bundle").read_bytes(), self.random.random())
        install = f"{INSTALL} {server.url}"
        device.run(install, timeout=120)
        device.machine.send("reboot -f\n")
        heard, _ = self.boot()
        self.slots(f"{name}: B is tried", heard, "B")
        device.run("bootslot rollback --reason health")
        device.machine.send("reboot -f\n")
        self.boot()
        update = self.report_now()["update"]
        self.is_(f"{name}: the report", (update["version"], update["verdict"], update["reason"]), ("2", "rolled-back", "health"))
        device.run(ONLINE)
        before = device.copies()
        said = device.run(install, status=15)
        self.check(f"{name}: refused", "has failed here before" in said, said)
        self.check(f"{name}: nothing is stored", device.copies() == before)
        self.check(f"{name}: the diagnosis tells it", "package" in self.wrong())
        device.cut()

    def checks(self):
        """A sick system is given up by its checks, and leaves its evidence; a good one is confirmed when it has settled."""
        device, name = self.device, "life, checks"
        self.begin("sick")
        device.cut()
        self.data(health_toml=HEALTH.encode())
        device.on()
        _, finding = self.boot()
        self.is_(f"{name}: the journal begins", finding, "first")
        said = device.run("bootslot health --confirm", status=6)
        self.check(f"{name}: it says why", "fit" in said, said)
        device.run("bootslot health --confirm", status=6)
        device.machine.send("reboot -f\n")
        heard, _ = self.boot()
        self.slots(f"{name}: back to A", heard, "A")
        self.tells(name, "rolled-back", "health", ["health"])
        said = device.run("bootslot report")
        self.check(f"{name}: the report has the evidence", "check fit: " in said, said)
        self.is_(f"{name}: A has nothing to decide", device.run("bootslot health --confirm").count("confirmed"), 1)
        device.cut()
        device.write_system("B", self.systems["good"])
        device.on()
        self.boot()
        device.run("bootslot begin-install B && bootslot finish-install B --update good0")
        device.machine.send("reboot -f\n")
        self.boot()
        before, began = device.copies(), time.monotonic()
        device.run("bootslot health --confirm")
        took = time.monotonic() - began
        self.one_store(f"{name}: confirmed", before)
        self.report.say(f"# {name}: confirmed after {took:.1f} s, 1 s of them to settle")
        self.is_(f"{name}: told", self.report_now()["update"]["verdict"], "confirmed")
        device.cut()

    def broken_migration(self):
        """The step of an update fails with half of the data changed: the old data are back before the old system's services, and
        that is told. The next update changes them, and they stay."""
        device, name = self.device, "life, broken migration"
        settings = "--settings /etc/bootslot/update.toml"
        device.cut()
        device.write_environment(self.confirmed)
        device.write_system("A", self.systems["good"])
        device.write_system("B", self.systems["good"])
        self.data(health_toml=(HEALTH + MIGRATE).encode(), app__config=b"old\n")
        device.on()
        self.boot()
        device.run(f"bootslot migrate {settings}")
        self.install("broken")
        heard, _ = self.boot()
        self.slots(f"{name}: B is tried", heard, "B")
        said = device.run(f"bootslot migrate {settings} 2>&1", status=25)
        self.check(f"{name}: it says which step", "2-step" in said, said)
        said = device.run(f"bootslot health --confirm {settings}", status=6)
        self.check(f"{name}: the checks give it up", "migrated" in said, said)
        device.machine.send("reboot -f\n")
        heard, _ = self.boot()
        self.slots(f"{name}: back to A", heard, "A")
        device.run(f"bootslot migrate {settings}")
        self.is_(f"{name}: the old data", device.run("cat /data/app/config"), "old\n")
        self.tells(name, "rolled-back", "health", ["health", "migration"])
        said = device.run("bootslot report")
        self.check(f"{name}: the report has the step", "2-step" in said, said)
        # A cut in the migration of a good one: the same data again, old or new.
        device.run(f"bootslot begin-install B && bootslot finish-install B --update good1 && sync")
        device.cut()
        device.write_system("B", self.systems["update"])
        device.on()
        self.boot()
        device.machine.send(f"bootslot migrate {settings}\n")
        time.sleep(self.random.uniform(0.05, 0.6))
        device.cut()
        device.on()
        self.boot()
        device.run(f"bootslot migrate {settings}")
        self.is_(f"{name}: the new data, after a cut", device.run("cat /data/app/config"), "update\n")
        device.run(f"bootslot health --confirm {settings}")
        device.machine.send("reboot -f\n")
        heard, _ = self.boot()
        device.run(f"bootslot migrate {settings}")
        self.slots(f"{name}: the new system stays", heard, "B")
        self.is_(f"{name}: with its data", device.run("cat /data/app/config; ls -1 /data"), "update\napp\napp.bootslot-state\nbootslot\nhealth.toml\nlost+found\n")
        device.cut()
        device.write_system("B", self.systems["good"])

    def network(self):
        """The backend is down before and after: confirmed, and told. Down only after it: back, and it may come again."""
        device = self.device
        backend = Server(b"", 0)
        port = int(backend.url.split(":")[2].split("/")[0])
        for before in (False, True):
            name = f"life, network {'down before as well' if not before else 'down after the update'}"
            device.cut()
            device.write_environment(self.confirmed)
            device.write_system("B", self.systems["good"])
            health = HEALTH.replace("20s", "6s") + BACKEND % port
            self.data(health_toml=health.encode())
            device.on(options=NETWORK)
            self.boot()
            if before:
                device.run(ONLINE)
            device.run(f"bootslot begin-install B && bootslot finish-install B --update {ID}")
            said = device.run("bootslot health --record")
            self.check(f"{name}: the old system's checks", ("backend" in said) and (before or "fail" in said), said)
            device.machine.send("reboot -f\n")
            heard, _ = self.boot()
            self.slots(f"{name}: B is tried", heard, "B")
            device.run("bootslot health --confirm", status=6 if before else 0)
            device.machine.send("reboot -f\n")
            heard, _ = self.boot()
            self.slots(f"{name}: what boots then", heard, "A" if before else "B")
            update = self.report_now()["update"]
            self.is_(f"{name}: the report", (update["verdict"], update["reason"]),
                     ("rolled-back", "health") if before else ("confirmed", "confirm"))
            self.check(f"{name}: with the check", any("backend" in found["title"] for found in update["evidence"]), str(update))
            device.cut()

    def cut_lives(self, wanted=40, most=16, cuts=10):
        """So many power cuts, in lives with a sick update and then a good one: again and again, at random moments. Each life ends
        with the good one confirmed, and each result told under one id."""
        device, made, life = self.device, 0, 0
        files = {name: (device.work / f"{name}.bundle").read_bytes() for name in ("sick", "update")}
        while made < wanted and life < most:
            life += 1
            name = f"life {life} with cuts"
            device.cut()
            device.write_environment(self.confirmed)
            device.write_system("B", b"")
            device.write_system("A", self.systems["good"])
            self.data(health_toml=(HEALTH + MIGRATE).encode(), app__config=b"old\n", sick_bundle=files["sick"], update_bundle=files["update"])
            left, ended = cuts, False
            for _ in range(4 * cuts):
                device.on()
                end = time.monotonic() + (self.random.uniform(1, 9) if left else 200)
                ended = self.live(end)
                if ended:
                    break
                device.cut()
                if left:
                    left, made = left - 1, made + 1
                    with self.report.lock:
                        self.report.cuts[device.board.name, "life", self.place()] += 1
            self.check(f"{name}: it gets there", ended)
            if not ended:
                continue
            state = self.state()
            self.is_(f"{name}: what runs is confirmed", (state.get("boot_success"), self.report_now()["version"]), ("1", "2"))
            self.is_(f"{name}: its data", device.run("cat /data/app/config"), "update\n")
            sent = self.sent()
            told = {(update["version"], update["verdict"]) for update in sent.values()}
            self.is_(f"{name}: what was told", told, {("2~sick", "rolled-back"), ("2", "confirmed")})
            self.is_(f"{name}: under one id each", len(sent), 2)
            refused = [refused["version"] for refused in self.report_now()["refused"]]
            self.is_(f"{name}: what is refused", refused, ["2~sick"])
            found = self.report_now()["findings"]
            self.is_(f"{name}: nothing was lost", found, [])
            # The sick one was offered again.
            self.is_(f"{name}: the diagnosis", self.wrong(), ["package"])
            device.cut()
        # As it was: the other cuts know of no journal.
        device.cut()
        device.write_system("C", self.systems["good"])
        self.check(f"{made} power cuts in {life} lives, {wanted} were to be made", made >= wanted)

    def live(self, end):
        """One boot after the other until the life is done (True) or the time is over (False)."""
        device = self.device
        try:
            while True:
                device.hears("linux", timeout=max(0.01, end - time.monotonic()))
                device.machine.send(f"{HOOK}; life\n")
                found = device.machine.expect(rb"LIFE-DONE|U-Boot 2\d{3}|LINUX-EXIT [1-9]", max(0.01, end - time.monotonic()))
                if found[0] == b"LIFE-DONE":
                    device.machine.expect(rb"LINUX-EXIT 0", 30)
                    return True
                if found[0].startswith(b"LINUX-EXIT"):
                    self.check("a life goes on", False, device.machine.unread[-500:])
                    return False
        except Silence:
            return False

    def place(self):
        """Where the update was when the power failed."""
        state = self.state()
        if state.get("slot_B") == "bad" or state.get("slot_A") == "bad":
            return "installing"
        return "trial" if state.get("boot_success") == "0" else "decided"

    def sent(self):
        """What the hook was given: each update by its id, which is always told the same."""
        text = self.device.run("cat /data/sent")
        decoder, told, at = json.JSONDecoder(), {}, 0
        while at < len(text.rstrip()):
            message, at = decoder.raw_decode(text, at)
            while at < len(text) and text[at].isspace():
                at += 1
            update = message.get("update", {"version": message.get("kind"), "verdict": "finding"})
            self.check("a result is told the same each time", told.get(message["id"], update)["verdict"] == update["verdict"])
            told[message["id"]] = update
        return told
