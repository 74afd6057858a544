"""Text import and export against a real U-Boot: text.py RUN_QEMU UBOOT BOOTSLOT FOLDER.

bootslot exports hundreds of odd variables, U-Boot imports the text (`env import -t`), exports it again
(`env export -t`, copied into the flash) and saves it. Prints "ok" or "not ok" for each comparison.
"""
import pathlib, random, subprocess, sys

import console

COPY = 0x40000  # bytes of a copy; the two lie at the start of the flash bank, the text behind them
TEXT_IN, TEXT_OUT = 0x48000000, 0x49000000
BANK = 0x4000000  # where U-Boot sees the bank

run_qemu, uboot, bootslot, folder = sys.argv[1], sys.argv[2], sys.argv[3], pathlib.Path(sys.argv[4])


def variables(seed=1):
    """Values of every byte but NUL, as the medium holds them: a backslash is doubled there."""
    chosen = {
        "blanks": b"  a  b\t ", "equals": b"=a==b=", "quotes": b"\"'`$x;${y}#!", "lines": b"one\ntwo\n\nthree",
        "last_newline": b"end\n", "backslash": b"a\\\\b", "before_newline": b"a\\\\\nb", "carriage": b"a\r\nb\r",
        "hash": b"# no comment", "utf8": "gr\u00fc\u00dfe".encode(), "high": bytes(range(128, 256)),
        "dots.and-dashes[0]": b"x", "long": b"0123456789" * 1000,
    }
    dice = random.Random(seed)
    for number in range(400):
        value = bytes(dice.choice(b"\n\r\\ =#ab\xff\x01") for _ in range(dice.randint(1, 40)))
        chosen[f"v{number}"] = value.replace(b"\\", b"\\\\")
    return chosen


def tool(config, *arguments, text=None):
    command = [bootslot, "env", *arguments[:1], "-c", config, "-l", folder, *arguments[1:]]
    return subprocess.run(command, input=text, stdout=subprocess.PIPE, check=True).stdout


def environment(name, *places):
    config = folder / (name + ".config")
    config.write_text("".join(f"{file} {offset:#x} {COPY:#x}\n" for file, offset in places))
    return config


def listing(config):
    """The variables as bytes, in no order."""
    image = subprocess.run([bootslot, "env", "list", "-c", config], stdout=subprocess.PIPE, check=True).stdout
    return sorted(image.split(b"\n")), image


def verdict(name, good):
    print(("ok" if good else "not ok") + " host text: " + name)


wanted = variables()
file = folder / "text.img"
file.write_bytes(bytes(2 * COPY))
ours = environment("text", (file, 0), (file, COPY))
escaped = b"".join(name.encode() + b"=" + value.replace(b"\n", b"\\\n") + b"\n" for name, value in wanted.items())
tool(ours, "import", "--init", text=escaped)
exported = tool(ours, "export")
text = folder / "text.txt"
text.write_bytes(exported)

flash = folder / "text-flash.img"
flash.write_bytes(b"\xff" * (64 << 20))
_, answers = console.boot(run_qemu, uboot, flash, [
    f"env import -d -t {TEXT_IN:x} {len(exported):x}",
    f"env export -t {TEXT_OUT:x}",
    "echo ${filesize}",
    f"erase {BANK + 2 * COPY:x} +{COPY:x}",
    f"cp.b {TEXT_OUT:x} {BANK + 2 * COPY:x} ${{filesize}}",
    "setenv filesize; setenv fileaddr; saveenv",
], ["-device", f"loader,file={text},addr={TEXT_IN:#x},force-raw=on"])
size = int(answers[2].split()[-1], 16)
back = flash.read_bytes()[2 * COPY:][:size].rstrip(b"\0")

verdict("U-Boot exports what it imported from bootslot", back == exported)
saved = environment("saved", (flash, 0), (flash, COPY))
verdict("U-Boot saves what it imported from bootslot", listing(saved)[0] == listing(ours)[0])
file.write_bytes(bytes(2 * COPY))
tool(ours, "import", "--init", text=back)
verdict("bootslot imports what U-Boot exported", tool(ours, "export") == exported and len(wanted) == 413)
