"""A disk of the guest: how it begins, where its log is, and what an environment on it is worth after a cut."""
import json, pathlib, subprocess, sys

sys.path.append(str(pathlib.Path(__file__).parents[1] / "device"))
import boards
from cases import current_first

SECTOR, BLOCK = 512, 1024
START, SIZE = 1 << 20, 8 << 20  # the partition that holds the environment
MARKS = START + SIZE  # where the guest tells how far it is
ENVIRONMENT = 0x4000

# What the guest does on each disk; killed: at random moments, with what it has written still in the page cache.
DISKS = ["raw", "raw-killed", "fat", "fat-killed", "fat-single",
         "ext4", "ext4-killed", "ext4-single", "ext4-single-killed"]
# Can be asked for, to compare: what others do, and what FAT does not allow.
OTHERS = ["fat-single-killed"] + [
    f"{medium}{killed}-{tool}" for tool in ("uboot", "libubootenv")
    for medium in ("raw", "fat", "fat-single", "ext4", "ext4-single") for killed in ("", "-killed")]


class Disk:
    """One disk of the guest."""

    def __init__(self, name, work, bootslot):
        self.name, self.work, self.bootslot = name, work, bootslot
        self.kind = name.split("-")[0]
        self.single = "-single" in name
        # What arrives whole: a sector; in ext4 a block, since ext4 does not survive half a superblock.
        self.unit = BLOCK if self.kind == "ext4" else SECTOR
        self.image, self.log = work / f"{name}.img", work / f"{name}.log"
        self.names = ["env0"] if self.single else ["env0", "env1"]
        self.judged = {}

    def make(self):
        """The disk with environment number 0."""
        flags = [b""] if self.single else [b"\1", b"\0"]
        copies = [boards.encode(variables_of(0), ENVIRONMENT, byte) for byte in flags]
        files = self.work / f"{self.name}.files"
        files.mkdir()
        for name, copy in zip(self.names, copies):
            (files / name).write_bytes(copy)
        part = self.work / f"{self.name}.part"
        with open(part, "wb") as out:
            out.truncate(SIZE)
            if self.kind == "raw":
                out.write(b"".join(copies))
        if self.kind == "fat":
            run("mkfs.vfat", "-n", "ENV", part)
            run("mcopy", "-i", part, *files.iterdir(), "::")
        if self.kind == "ext4":
            run("mke2fs", "-q", "-t", "ext4", "-b", str(BLOCK), "-J", "size=1", "-d", files, part)
        with open(self.image, "wb") as image:
            image.truncate(MARKS + (2 << 20))
            image.seek(START)
            image.write(part.read_bytes())
        run("sgdisk", "-n", f"1:{START // SECTOR}:{MARKS // SECTOR - 1}", "-n", f"2:{MARKS // SECTOR}:+64K", self.image)
        self.log.write_bytes(b"")
        # As it was when the guest was switched on.
        self.base = part.read_bytes()
        part.unlink()

    def options(self, number):
        file = {"driver": "file", "filename": str(self.image)}
        log = {"driver": "file", "filename": str(self.log)}
        node = {"driver": "blklogwrites", "node-name": f"disk{number}", "file": file, "log": log}
        return ["-blockdev", json.dumps(node), "-device", f"virtio-blk-pci,drive=disk{number},serial={number}"]

    def copies(self, part):
        """The environment's copies in a partition, after the file system has repaired itself; None: no file."""
        if self.kind == "raw":
            return [part[:ENVIRONMENT], part[ENVIRONMENT:2 * ENVIRONMENT]]
        path = self.work / f"{self.name}.cut"
        path.write_bytes(part)
        if self.kind == "ext4":
            if subprocess.run(["e2fsck", "-fy", path], capture_output=True).returncode > 1:
                return [None] * len(self.names)
        copies = []
        for name in self.names:
            if self.kind == "fat":
                ran = subprocess.run(["mtype", "-i", path, f"::{name}"], capture_output=True)
            else:
                ran = subprocess.run(["debugfs", "-R", f"cat {name}", path], capture_output=True)
            copies.append(ran.stdout if len(ran.stdout) == ENVIRONMENT else None)
        return copies

    def program(self, *arguments):
        config = self.work / f"{self.name}.config"
        config.write_text("".join(f"{self.work / self.name}.{name} 0x0 {ENVIRONMENT:#x}\n" for name in self.names))
        name, *rest = arguments
        ran = subprocess.run([self.bootslot, name, "-c", config, "-l", self.work, *rest], capture_output=True)
        return None if ran.returncode else ran.stdout.decode(errors="replace")

    def judge(self, copies):
        """The number of the environment, or what is wrong with it."""
        key = tuple(copies)
        if key not in self.judged:
            self.judged[key] = self.judge_new(copies)
        return self.judged[key]

    def judge_new(self, copies):
        if all(copy is None for copy in copies):
            return "no file"
        for name, copy in zip(self.names, copies):
            (self.work / f"{self.name}.{name}").write_bytes(copy or b"")
        printed = self.program("fw_printenv")
        if printed is None:
            return "lost"
        variables = dict(line.split("=", 1) for line in printed.splitlines())
        number = int(variables["n"])
        if variables != variables_of(number):
            return f"{number} is mixed with another one"
        if not self.single:
            others = current_first([copy or bytes(ENVIRONMENT) for copy in copies])[0]
            if others is None or b"n=%d" % number not in others.split(b"\0\0")[0].split(b"\0"):
                return f"bootslot reads {number}, the others something else"
        if self.program("fw_setenv", "next", "stored") is None:
            return f"{number}, and the next store fails"
        if self.program("fw_printenv", "n", "next") != f"n={number}\nnext=stored\n":
            return f"{number}, and the next store loses it"
        return number


def variables_of(number):
    """The environment with this number, as guest/cuts.sh makes it."""
    lengths = {f"v{i}": (number * 997 + i * 331) % 900 + 1 for i in (1, 2, 3)}
    return {"n": str(number), **{name: str(number).rjust(length, "0") for name, length in lengths.items()}}


def run(*command):
    ran = subprocess.run(command, capture_output=True)
    assert ran.returncode == 0, f"{command}: {ran.stderr.decode()}"
