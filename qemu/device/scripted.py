"""A U-Boot that was built without the boot script, and has it from files of its boot partition."""
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
            "active_slot": "C", "boot_success": "1", "boot_try_count": "0", "slot_A": "good", "slot_B": "bad",
            "slot_C": "good", "boot_failed": "B:tries:"})
        device.cut()

        # The stored state holds the script as well, since the first store.
        boards.mtools("mdel", device.folder, "::bootslot.txt")
        device.write_system("C", b"")
        before = device.copies()
        device.on()
        heard = device.boots()
        self.slots("boot.scr: without bootslot.txt, and C does not load", heard, "C", "A")
        self.nothing_stored("boot.scr: C does not load", heard, before)
        device.cut()
        boards.mtools("mdel", device.folder, "::boot.scr")
        for slot in "BC":
            device.write_system(slot, self.systems["good"])
