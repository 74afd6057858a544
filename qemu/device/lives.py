"""Whole lives of a device with a data partition: updates that are good, fail, hang or panic, an environment and a data
partition that are lost, and power cuts anywhere. Each time `bootslot report` and `diagnose` have to tell the true story."""
import json, os, subprocess, tempfile

import boards
from cases import Stories
from server import INSTALL, NETWORK, ONLINE, Server

DATA = boards.SYSTEM["C"]  # the disk's last partition, which holds no system here
ID = "0123456789abcdef"
WRONG = "wrong"


class Lives(Stories):
    """All stories, and these. The data partition is made anew for each."""

    # ---- what a life is told with ----

    def data(self, size=16 << 20):
        """An empty file system in the data partition."""
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "data")
            with open(path, "wb") as image:
                image.truncate(size)
            subprocess.run(["mkfs.ext4", "-q", "-F", "-O", "^metadata_csum_seed,^orphan_file", path], check=True)
            with open(path, "rb") as image, open(self.device.folder / "disk.img", "r+b") as disk:
                disk.seek(DATA)
                disk.write(image.read())

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

    def report(self):
        return json.loads(self.device.run("bootslot report --json"))

    def wrong(self):
        """The questions with a bad answer."""
        answers = json.loads(self.device.run("bootslot diagnose --json"))
        return [answer["question"] for answer in answers if answer["state"] == WRONG]

    def tells(self, name, verdict, reason, wrong):
        """The true story."""
        update = self.report()["update"] or {}
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
        self.is_(f"{name}: on trial", self.report()["update"]["stage"], "on trial")
        device.run("mkdir -p /etc/bootslot/report.d && printf '#!/bin/sh\\ncat $1 >>/data/sent\\n' >/etc/bootslot/report.d/1 && "
                   "chmod +x /etc/bootslot/report.d/1")
        self.is_(f"{name}: nothing is sent before", device.run("bootslot report --send"), "")
        before = device.copies()
        device.run("bootslot confirm")
        self.one_store(f"{name}: confirm", before)
        self.tells(name, "confirmed", "confirm", [])
        self.check(f"{name}: sent after it", device.run("bootslot report --send").startswith(f"Sent {ID}."))
        self.is_(f"{name}: sent once", device.run("bootslot report --send"), "")
        self.is_(f"{name}: the version that runs", self.report()["version"], "2")
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
            found = [finding["finding"] for finding in self.report()["findings"]]
            self.is_(f"{name}: in the report", found, ["environment-lost"])
            self.is_(f"{name}: in the diagnosis", self.wrong(), ["boot loader"])
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
        self.is_(f"{name}: still refused", [refused["update"] for refused in self.report()["refused"]], [ID])
        device.run(f"bootslot finish-install B --update {ID}", status=5)
        # Full: nothing more is recorded, and that is said.
        device.run("dd if=/dev/zero of=/data/full bs=64k 2>/dev/null", status=None)
        said = device.run("bootslot finish-install B --update new0 2>&1")
        self.check(f"{name}: full, and the order is carried out", "journal does not know" in said, said)
        self.is_(f"{name}: full, and on trial", self.state().get("boot_update"), "new0")
        device.machine.send("reboot -f\n")
        heard = device.boots()
        self.slots(f"{name}: full, and B is tried", heard, "B")
        device.run("bootslot confirm 2>/dev/null && rm /data/full && bootslot journal boot && bootslot report")
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
        update = self.report()["update"]
        self.is_(f"{name}: the report", (update["version"], update["verdict"], update["reason"]), ("2", "rolled-back", "health"))
        device.run(ONLINE)
        before = device.copies()
        said = device.run(install, status=15)
        self.check(f"{name}: refused", "has failed here before" in said, said)
        self.check(f"{name}: nothing is stored", device.copies() == before)
        self.check(f"{name}: the diagnosis tells it", "package" in self.wrong())
        device.cut()

