"""The boards: what differs is where the environment is, which parser reads the script, and what else
U-Boot does with them."""
import binascii, json, struct, subprocess

BANK = 64 << 20  # one bank of the board's flash
CARD = 16 << 20
BOOT_PARTITION = 1 << 20
SYSTEM = {"A": 9 << 20, "B": 33 << 20, "C": 57 << 20}  # where the disk holds the slots' systems
SYSTEM_SIZE = 24 << 20


def mtools(command, folder, *arguments):
    """Does something to the disk's boot partition."""
    image = f"{folder}/disk.img@@{BOOT_PARTITION}"
    subprocess.run([command, "-i", image, *arguments], check=True, stdout=subprocess.DEVNULL)


class Flash:
    """Two sectors of parallel NOR."""

    size, offsets, file, kind = 0x40000, (0, 0x40000), "flash.img", "nor"
    # Whether all but the boot state is compiled in, and after how many boots the guard acts.
    hardened, limit = False, None
    # Power cuts on the way to a slot that has failed before, where the good one has died.
    last_resort_cuts = 5
    # The story that all others begin where it ends.
    first_story, is_cut = "factory", True
    # All stories, and those of a short test: all boards together tell each one, where most can go wrong with it.
    stories = ["update", "unconfirmed", "damaged", "read_only", "lost_copies", "garbage", "nothing_boots", "comes_back", "figures"]
    short = ["update"]

    def __init__(self, name):
        self.name = name

    def make(self, folder):
        with open(folder / self.file, "wb") as flash:
            flash.write(b"\xff" * (2 * self.size))
            flash.truncate(BANK)

    def options(self, folder, read_only):
        return ["-drive", f"if=pflash,format=raw,unit=1,file={folder}/flash.img,readonly={read_only}"]

    def config(self, folder):
        return [(folder / self.file, offset) for offset in self.offsets]

    def read(self, folder):
        """Both copies as they are on the medium."""
        copies = []
        for path, offset in self.config(folder):
            with open(path, "rb") as medium:
                medium.seek(offset)
                copies.append(medium.read(self.size))
        return copies

    def write(self, folder, copies):
        for (path, offset), copy in zip(self.config(folder), copies):
            with open(path, "r+b") as medium:
                medium.seek(offset)
                medium.write(copy)


class Card(Flash):
    """Raw blocks of an SD card."""

    size, offsets, file, kind = 0x10000, (0x100000, 0x120000), "card.img", "mmc"
    stories = Flash.stories + ["counter_in_a_file"]
    short = ["update", "read_only", "lost_copies", "counter_in_a_file"]

    def make(self, folder):
        with open(folder / self.file, "wb") as card:
            card.truncate(CARD)

    def options(self, folder, read_only):
        medium = {"driver": "file", "filename": str(folder / self.file)}
        if read_only == "on":  # QEMU has no card with its switch set, but one whose writes fail
            failing = {"event": "none", "iotype": "write", "errno": 5, "once": False}
            medium = {"driver": "blkdebug", "image": medium, "inject-error": [failing]}
        card = {"driver": "raw", "node-name": "card", "file": medium}
        return ["-device", "sdhci-pci", "-device", "sd-card,drive=card", "-blockdev", json.dumps(card)]


class Files(Flash):
    """Two files in the FAT file system of the disk's boot partition."""

    size, kind, names = 0x10000, "fat", ("uboot.env", "uboot-redund.env")
    stories = Flash.stories + ["boot_script"]
    short = ["update", "read_only", "lost_copies"]

    def make(self, folder):
        self.write(folder, [b"\xff" * self.size] * 2)

    def options(self, folder, read_only):
        return []  # the disk itself is read-only then

    def config(self, folder):
        for name in self.names:
            mtools("mcopy", folder, "-n", "-o", f"::{name}", f"{folder}/{name}")
        return [(folder / name, 0) for name in self.names]

    def write(self, folder, copies):
        for name, copy in zip(self.names, copies):
            (folder / name).write_bytes(copy)
            mtools("mcopy", folder, "-D", "o", f"{folder}/{name}", f"::{name}")


class Guarded(Flash):
    """As Flash, with uboot-scripts' bootslot-hardened.config and bootslot-guard.config."""

    hardened, limit, last_resort_cuts = True, 3, 0
    stories = ["update", "unconfirmed", "lost_copies", "guard", "trial_and_guard", "last_good_slot",
               "counters", "hostile", "wrong_types"]
    short = [story for story in stories if story not in Flash.stories]


class Living(Flash):
    """As Flash, with a data partition, and somebody who watches over its updates."""

    lives = ["good_update", "bad_updates", "lost_environment", "lost_data", "same_bundle", "checks", "network",
             "broken_migration", "fleet", "cut_lives"]
    stories = Flash.stories + lives
    short = ["unconfirmed", "nothing_boots", "comes_back"] + lives


class Scripted(Flash):
    """As Flash, with a U-Boot that takes commands from boot.scr."""

    stories = Flash.stories + ["boot_script", "first_version"]
    short = ["update", "damaged", "read_only", "garbage", "boot_script", "first_version", "figures"]


class Stock(Flash):
    """As Flash, with a U-Boot that has its own commands, and is built without a word of ours."""

    first_story, is_cut, last_resort_cuts = "standard_boot", False, 0
    stories = short = ["distro_boot", "stored_commands"]


BOARDS = [Scripted("nor"), Living("nor-modern"), Files("fat"), Card("mmc"), Guarded("guarded"), Stock("stock")]


def encode(variables, size, flags):
    """A copy of a redundant environment; `flags` is b"" for a single copy, which has none."""
    data = b"".join(name.encode() + b"=" + value.encode() + b"\0" for name, value in variables.items())
    data = (data + b"\0").ljust(size - 4 - len(flags), b"\xff")
    return struct.pack("<I", binascii.crc32(data)) + flags + data


def data_of(copy):
    """The variables of a copy as bytes, None where it is not valid."""
    crc, = struct.unpack_from("<I", copy)
    return copy[5:] if binascii.crc32(copy[5:]) == crc else None
