"""Shows on one device what the tests check on all: demo.py FOLDER QEMU BOOTSLOT."""
import pathlib, re, sys

import boards
from device import Device

BOLD, PLAIN = ("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")
# What U-Boot says besides; the listing of the environment is for the tests.
DULL = re.compile(r"^\W*$|^\W*25h|^ {3,}(?!Verifying)|^[a-z_A-Z]+=|^\d\.\d{3}$|^(BOARD-ENV|Environment size|##|In:|Out:|Err:"
                  r"|Core:|Net:|No |Flash:|DRAM:|Un-Protected|Protected|Erased|\.\.|WARNING|\*\*\*|Total of|word at"
                  r"|Working FDT|virtio read|LINUX-EXIT 0)")


def tell(text):
    print(f"\n{BOLD}--- {text}{PLAIN}", flush=True)


class Shown(Device):
    """A device whose serial output is printed."""

    def on(self, **how):
        super().on(**how)
        machine, show = self.machine, self.show
        expect, self.line = machine.expect, ""

        def loud(pattern, timeout=60):
            before = len(machine.unread)
            match = expect(pattern, timeout)
            show(match.string[:match.end()])
            return match
        machine.expect = loud

    def show(self, said):
        text = self.line + said.decode(errors="replace").replace("\r", "")
        *lines, self.line = text.split("\n")
        for line in lines:
            if not DULL.match(line):
                print(f"    {line}", flush=True)

    def order(self, command):
        self.show(b"\n")
        print(f"    # {command}", flush=True)
        return self.run(command)


def main():
    work, qemu, bootslot = sys.argv[1:]
    work = pathlib.Path(work)
    system = {path.stem: path.read_bytes() for path in (work / "systems").iterdir()}
    device = Shown(boards.BOARDS[0], work, work / "demo", {"qemu": qemu, "bootslot": bootslot})
    try:
        tell("From the factory: no environment yet. Slot A is on trial, and confirms itself.")
        device.on()
        device.boots()
        device.order("bootslot confirm")
        device.order("bootslot status")

        tell("An update goes into slot B, which boots, is healthy, and stays.")
        device.order("bootslot begin-install B")
        device.order("dd if=/dev/vda4 of=/dev/vda3 bs=64k conv=fsync")
        device.order("bootslot finish-install B --tries 2 --update good-update")
        device.reboots()
        device.order("bootslot confirm")

        tell("Back to slot A, then an update that panics: two tries, and A is back by itself.")
        device.order("bootslot set-active A")
        device.reboots()
        device.order("bootslot try B --tries 2")
        device.cut()
        device.write_system("B", system["panics"])
        device.on()
        device.boots()
        device.order("bootslot status")

        tell("An update that was tampered with: U-Boot refuses its signature, and boots A at once.")
        device.order("bootslot begin-install B")
        device.order("bootslot finish-install B --tries 2 --update bad-update")
        device.cut()
        device.write_system("B", system["other-key"])
        device.on()
        device.boots()

        tell("The power fails in the middle of U-Boot's saveenv.")
        device.order("bootslot begin-install B")
        device.order("bootslot finish-install B --tries 3 --update good-update")
        device.cut()
        device.write_system("B", system["good"])
        device.on()
        device.hears("saving")
        device.cut()
        tell("Power again: the environment is whole, the old or the new one.")
        device.on()
        device.boots()
        device.order("bootslot confirm")
        device.order("bootslot status")
    finally:
        device.cut()


if __name__ == "__main__":
    main()
