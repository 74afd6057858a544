"""A U-Boot that nobody rebuilt: standard boot or distro boot finds boot.scr, or the stored environment has the script."""
import boards
from cases import Stories

BOARDS_OWN = ("bootcmd", "loadaddr", "scriptaddr", "kernel_addr_r", "boot_targets")


class Stock(Stories):
    """All stories: those of Stories, and these."""

    def boot_partition(self, *names):
        """The boot partition has these files of the boot script, and no other."""
        folder = self.device.folder
        for source, name in [("boot.scr", "boot.scr"), (f"{self.device.board.name}.txt", "bootslot.txt")]:
            boards.mtools("mcopy", folder, "-o", f"{self.device.work}/{source}", f"::{name}")
            if name not in names:
                boards.mtools("mdel", folder, f"::{name}")

    def tried_and_rolled_back(self, name):
        """A confirmed A; an update of B that panics, and the way back; then one that stays."""
        device = self.device
        device.run("bootslot confirm")
        self.is_(f"{name}: confirmed", {key: self.state().get(key) for key in ("active_slot", "boot_success", "slot_A")},
                 {"active_slot": "A", "boot_success": "1", "slot_A": "good"})
        before = device.copies()
        heard = device.reboots()
        self.slots(f"{name}: the confirmed slot", heard, "A")
        self.nothing_stored(f"{name}: a normal boot", heard, before)

        device.run("bootslot try B --tries 2 && sync")
        device.cut()
        device.write_system("B", self.systems["panics"])
        device.on()
        heard = device.boots(timeout=120)
        self.slots(f"{name}: B panics twice, back to A", heard, "B", "B", "A")
        self.is_(f"{name}: evidence", {key: self.state().get(key) for key in ("active_slot", "slot_B", "boot_failed")},
                 {"active_slot": "A", "slot_B": "failed", "boot_failed": "B:tries:"})
        device.run("dd if=/dev/vda4 of=/dev/vda3 bs=64k conv=fsync 2>/dev/null && bootslot begin-install B && "
                   "bootslot finish-install B")
        self.slots(f"{name}: an update of B is tried", device.reboots(), "B")
        device.run("bootslot confirm")
        self.slots(f"{name}: B stays", device.reboots(), "B")
        device.cut()

    def standard_boot(self):
        """An empty environment: `bootflow scan` finds boot.scr. So it does when both copies are lost."""
        device = self.device
        self.boot_partition("boot.scr", "bootslot.txt")
        self.is_("standard boot: no valid copy", device.environment(), None)
        device.on()
        self.slots("standard boot: the first slot is tried", device.boots(), "A")
        self.is_("standard boot: its boot is counted", self.state().get("boot_try_count"), "2")
        stored = device.environment()
        self.is_("standard boot: bootcmd is the board's own", stored["bootcmd"], "bootflow scan -lb")
        self.compiled_in = {name: stored[name] for name in BOARDS_OWN}
        self.tried_and_rolled_back("standard boot")

        device.board.write(device.folder, [self.random.randbytes(device.board.size) for _ in range(2)])
        device.on()
        self.slots("standard boot: both copies lost, the factory's trial", device.boots(), "A")
        device.cut()

    def distro_boot(self):
        """The commands of include/config_distro_bootcmd.h find boot.scr."""
        device = self.device
        self.boot_partition("boot.scr", "bootslot.txt")
        device.write_system("B", self.systems["good"])
        distro = dict(line.split("=", 1) for line in (device.work / "distro.txt").read_text().splitlines())
        device.write_environment({**self.compiled_in, **distro, "bootcmd": "run distro_bootcmd"})
        device.on()
        self.slots("distro boot: the first slot is tried", device.boots(), "A")
        self.is_("distro boot: bootcmd is the board's own", device.environment()["bootcmd"], "run distro_bootcmd")
        self.tried_and_rolled_back("distro boot")

    def stored_commands(self):
        """No file for U-Boot: `bootslot env import` has put the script into the environment."""
        device = self.device
        self.boot_partition()
        device.write_system("B", self.systems["good"])
        device.write_environment(self.compiled_in)
        text = device.folder / "script.txt"
        text.write_text((device.work / f"{device.board.name}.txt").read_text() + "bootcmd=run bootslot\n")
        self.check("stored commands: imported", device.bootslot("env", "import", text) is not None)
        device.on()
        self.slots("stored commands: the first slot is tried", device.boots(), "A")
        self.tried_and_rolled_back("stored commands")
        # One copy is enough; with none, U-Boot is on its own again.
        copies = device.copies()
        device.board.write(device.folder, [self.random.randbytes(device.board.size), copies[1]])
        device.on()
        self.slots("stored commands: one copy lost", device.hears("kernel"), self.state()["active_slot"])
        device.cut()
