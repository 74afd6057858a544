"""A U-Boot whose boot script is another one than is compiled in: from files of its boot partition, or an older one
from its environment."""
import json

import boards
from cases import Stories

# What is left of a stored environment without bootslot.env and the board's commands.
OF_THE_SCRIPT = ("active_slot", "boot", "altbootcmd", "rollback_slot", "slot_", "board_")
BOARDS_OWN = {"bootcmd": "load virtio 0:1 ${loadaddr} boot.scr && source ${loadaddr}",
              "devtype": "virtio", "devnum": "0", "distro_bootpart": "1"}


class Scripted(Stories):
    """All stories: those of Stories, and this one."""

    def boot_script(self):
        """bootslot.cmd as boot.scr, with three slots: the factory's trial, an update of the third one and its
        failure, and the way on when files of the boot partition are gone."""
        device = self.device
        for source, name in [("boot.scr", "boot.scr"), (f"{device.board.name}.txt", "bootslot.txt")]:
            boards.mtools("mcopy", device.folder, "-o", f"{device.work}/{source}", f"::{name}")
        device.write_environment({**{name: value for name, value in self.confirmed.items()
                                     if not name.startswith(OF_THE_SCRIPT)}, **BOARDS_OWN})
        self.check("boot.scr: the script is not stored", "bootslot" not in device.environment())
        device.on()
        self.slots("boot.scr: the first slot is tried", device.boots(), "A")
        self.is_("boot.scr: its boot is counted", self.state().get("boot_try_count"), "2")
        device.run("bootslot confirm")
        before = device.copies()
        heard = device.reboots()
        self.slots("boot.scr: the confirmed slot", heard, "A")
        self.nothing_stored("boot.scr: a normal boot", heard, before)

        device.run("bootslot try C --tries 2")
        self.slots("boot.scr: the third slot is tried", device.reboots(), "C")
        device.run("bootslot confirm")
        self.slots("boot.scr: the third slot stays", device.reboots(), "C")
        device.run("bootslot try B --tries 1 && sync")
        device.cut()
        device.write_system("B", self.systems["panics"])
        device.on()
        heard = device.hears("linux")
        self.slots("boot.scr: B panics, back to C", heard, "B", "C")
        after = {**self.state(), "slot_C": device.environment().get("slot_C")}
        self.is_("boot.scr: evidence", after, {
            "active_slot": "C", "boot_success": "1", "boot_try_count": "0", "rollback_slot": "B", "slot_A": "good",
            "slot_B": "failed", "slot_C": "good", "boot_failed": "B:tries:"})
        device.cut()

        # The stored state holds the script as well, since the first store.
        boards.mtools("mdel", device.folder, "::bootslot.txt")
        device.write_system("C", b"")
        before = device.copies()
        device.on()
        heard = device.boots()
        self.slots("boot.scr: without bootslot.txt, and C does not load", heard, "C", "A")
        self.one_store("boot.scr: C does not load", before)
        self.is_("boot.scr: A is counted in C's place", self.state(), {
            "active_slot": "A", "boot_success": "0", "boot_try_count": "2", "rollback_slot": "C", "slot_A": "good",
            "slot_B": "failed", "boot_failed": "C:load:"})
        device.cut()
        boards.mtools("mdel", device.folder, "::boot.scr")
        for slot in "BC":
            device.write_system(slot, self.systems["good"])

    def first_version(self):
        """A stored environment with the script's first version, and today's orders: an update, a rollback and a trial
        that fails are stored in the terms of that one."""
        device = self.device
        own = ("bootslot_load", "bootslot_boot", "bootslot_verify", "bootslot_scratch", "bootslot_recovery")
        board = {name: value for name, value in self.confirmed.items()
                 if not name.startswith("bootslot") or name in own}
        text = (device.work / "bootslot-1.txt").read_text()
        script = dict(line.split("=", 1) for line in text.splitlines() if line.startswith("bootslot"))
        device.write_environment({**board, **script})
        before = device.copies()
        device.on()
        heard = device.boots()
        self.slots("version 1: the confirmed slot", heard, "A")
        self.nothing_stored("version 1: a normal boot", heard, before)
        self.check("version 1: it tells no version", "bootslot.script=" not in device.run("cat /proc/cmdline"))
        said = device.run("bootslot status")
        self.check("version 1: user space knows it", "version 1" in said, said)
        device.run("bootslot begin-install B && dd if=/dev/vda4 of=/dev/vda3 bs=64k conv=fsync 2>/dev/null && "
                   "bootslot finish-install B --update 0123456789abcdef")
        heard = device.reboots()
        self.slots("version 1: B is tried", heard, "B")
        self.is_("version 1: its boot is counted", self.state().get("boot_try_count"), "2")
        device.run("bootslot confirm")
        self.slots("version 1: B stays", device.reboots(), "B")

        device.run("bootslot try A --tries 2")
        self.slots("version 1: A is tried", device.reboots(), "A")
        device.run("bootslot rollback --reason health")
        self.is_("version 1: what is given up has its mark", self.state().get("slot_A"), "bad")
        self.slots("version 1: back to B", device.reboots(), "B")

        device.run("bootslot begin-install A && dd if=/dev/vda4 of=/dev/vda2 bs=64k conv=fsync 2>/dev/null && "
                   "bootslot finish-install A --tries 1 --update 0123456789abcdef && sync")
        device.cut()
        device.write_system("A", self.systems["panics"])
        wanted = device.bootslot("next", "--json", "--script", "1")
        self.is_("version 1: next knows what comes", json.loads(wanted)["slot"], "A")
        device.on()
        self.slots("version 1: A panics, back to B", device.hears("linux"), "A", "B")
        self.is_("version 1: evidence", self.state(), {
            "active_slot": "B", "boot_success": "1", "boot_try_count": "0", "slot_A": "bad",
            "slot_B": "good", "boot_failed": "A:tries:0123456789abcdef"})
        device.cut()
        device.write_system("A", self.systems["good"])
