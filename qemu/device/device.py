"""A device: its media, switching it on and off, and what it says while it boots."""
import collections, json, pathlib, re, subprocess

import boards
from machine import Machine, Silence

# What counts in a boot, in the order in which it is said.
SAID = re.compile(rb"""\n(?:
      (?P<uboot>  U-Boot\ 2\d{3}\.\d\d)
    | (?P<guard> Warning:\ Bootlimit)
    | (?P<environment> BOARD-ENVIRONMENT\r\n.*?\r\nEnvironment\ size:)
    | (?P<saving> Saving\ Environment\ to)
    | (?P<save_failed> bootslot:\ saveenv\ failed)
    | bootslot:\ slot\ (?P<attempt> \w+)\r
    | bootslot:\ slot\ (?P<passed_over> \w+)\ does\ not\ boot
    | bootslot:\ slot\ (?P<failed> \w+)\ has\ failed
    | (?P<none> bootslot:\ no\ slot\ boots)
    | (?P<recovery> BOARD-RECOVERY)
    | (?P<hostile> BOARD-HOSTILE)
    | (?P<kernel> Starting\ kernel\ \.\.\.)
    | LINUX-SLOT\ (?P<linux> \w+)
)""", re.VERBOSE | re.DOTALL)

Said = collections.namedtuple("Said", "what value")


class Device:
    """One device in `folder`, as the factory's files in `work` make it."""

    def __init__(self, board, work, folder, tools):
        self.board, self.work, self.folder, self.tools = board, pathlib.Path(work), pathlib.Path(folder), tools
        self.machine = None
        self.folder.mkdir()
        (self.folder / "bootslot.toml").write_text(f"script = 2\nhardened = {str(board.hardened).lower()}\n")
        subprocess.run(["cp", "--sparse=always", self.work / "disk.img", self.folder], check=True)
        board.make(self.folder)

    def on(self, read_only=False, tree="device", options=()):
        """Switches it on; `read_only`: nothing can be written to the environment's medium."""
        assert self.machine is None
        read_only = "on" if read_only else "off"
        disk = read_only if self.board.kind == "fat" else "off"
        self.machine = Machine(
            [self.tools["qemu"], "-M", "virt,acpi=off", "-cpu", "cortex-a57", "-m", "256", "-nodefaults", "-nographic",
             "-serial", "stdio", "-monitor", "none", "-dtb", f"{self.work}/{tree}.dtb", "-device", "i6300esb",
             "-drive", f"if=pflash,format=raw,unit=0,readonly=on,file={self.work}/{self.board.name}.bin",
             "-device", "virtio-blk-device,drive=disk",
             "-drive", f"if=none,id=disk,format=raw,file={self.folder}/disk.img,readonly={disk}",
             *self.board.options(self.folder, read_only), *options],
            self.folder / "console.log")

    def cut(self):
        """Switches it off, and gives back what it said and nobody has heard yet."""
        machine, self.machine = self.machine, None
        return machine.cut() if machine else b""

    def hears(self, *until, timeout=60):
        """What the device says, up to and with the first of `until`."""
        heard = []
        while True:
            match = self.machine.expect(SAID, timeout)
            what = match.lastgroup
            value = match[what].decode(errors="replace")
            if what == "environment":
                value = dict(line.split("=", 1) for line in value.split("\r\n")[1:] if "=" in line)
            heard.append(Said(what, value))
            if what in until:
                return heard

    def boots(self, timeout=60):
        """Hears it boot until Linux takes commands, and reports it healthy where that is asked for."""
        heard = self.hears("linux", timeout=timeout)
        if self.board.limit:
            self.run("bootslot bootcount reset")
        return heard

    def is_silent(self, seconds, what):
        """Whether it does not say this for so long."""
        try:
            self.hears(what, timeout=seconds)
            return False
        except Silence:
            return True

    def run(self, command, timeout=60, status=0):
        """Runs a command in the device's Linux, gives back what it printed."""
        self.machine.send(command + "\n")
        end = self.machine.expect(rb"(?s)(.*?)LINUX-EXIT (\d+)\r\n", timeout)
        text = end[1].decode(errors="replace").replace("\r\n", "\n")
        if status is not None and int(end[2]) != status:
            raise Silence(f"{command!r} ended with {end[2].decode()}: {text}")
        return text

    def reboots(self, healthy=True):
        """Restarts Linux and hears it boot; not `healthy`: nobody reports that it is."""
        self.machine.send("reboot -f\n")
        return self.boots() if healthy else self.hears("linux")

    # ---- the media, while it is off or idle ----

    def copies(self):
        return self.board.read(self.folder)

    def bootslot(self, *arguments):
        """Our program on this machine, on the device's media; None where it fails."""
        config = self.folder / "fw_env.config"
        copies = self.board.config(self.folder)
        config.write_text("".join(f"{path} {offset:#x} {self.board.size:#x}\n" for path, offset in copies))
        ran = subprocess.run([self.tools["bootslot"], *arguments, "-c", config, "-l", self.folder], capture_output=True)
        return None if ran.returncode else ran.stdout.decode(errors="replace")

    def environment(self):
        """The variables as our reader sees them; None where no copy is valid."""
        text = self.bootslot("fw_printenv")
        return text and dict(line.split("=", 1) for line in text.splitlines())

    def next_slot(self):
        """The slot that `bootslot next` expects to boot, None for recovery."""
        return json.loads(self.bootslot("next", "--json", "--settings", self.folder / "bootslot.toml"))["slot"]

    def write_environment(self, variables):
        """Both copies as U-Boot leaves them: the first is current, the other one holds the same."""
        self.board.write(self.folder, [boards.encode(variables, self.board.size, flags) for flags in (b"\1", b"\0")])

    def change(self, **variables):
        """Changes variables from outside; None deletes."""
        now = {**self.environment(), **variables}
        self.write_environment({name: value for name, value in now.items() if value is not None})

    def write_system(self, slot, image):
        with open(self.folder / "disk.img", "r+b") as disk:
            disk.seek(boards.SYSTEM[slot])
            disk.write(image.ljust(boards.SYSTEM_SIZE, b"\0"))
