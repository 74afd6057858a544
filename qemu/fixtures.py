#!/usr/bin/env python3
"""Boots U-Boot in QEMU on crafted flash images and writes down what it made of them.

fixtures.py RUN_QEMU UBOOT FOLDER: writes images (*.bin) and answers (*.toml) into FOLDER.
"""
import pathlib, sys, zlib

import console

RUN, UBOOT, OUT = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
COPY = 0x40000  # one copy of the environment = one erase sector
ERASED = b"\xff" * COPY


def boot(environment, commands):
    """Boots on a flash that starts with the bytes `environment`.

    Returns the banner, what the console said to each command, and the two copies afterwards.
    """
    flash = OUT / "flash.img"
    with flash.open("wb") as f:
        f.write(environment)
        f.write(b"\xff" * (4 * COPY - len(environment)))
        f.truncate(console.BANK)
    banner, answers = console.boot(RUN, UBOOT, flash, commands)
    with flash.open("rb") as f:
        return banner, answers, f.read(2 * COPY)


def image(data, flags=1, crc_ok=True):
    """One copy of a redundant environment; `data` is padded with NUL."""
    data = data + b"\0" * (COPY - 5 - len(data))
    assert len(data) == COPY - 5
    crc = zlib.crc32(data) ^ (0 if crc_ok else 1)
    return crc.to_bytes(4, "little") + bytes([flags]) + data


def records(copy):
    """name=value records of a copy that U-Boot itself has stored."""
    crc, data = int.from_bytes(copy[:4], "little"), copy[5:]
    assert zlib.crc32(data) == crc, "U-Boot stored a copy with a wrong CRC"
    return [r.split(b"=", 1) for r in data[:data.index(b"\0\0")].split(b"\0")]


def text(raw):
    """A TOML key suffix and value: text where it is plain ASCII, else hex digits."""
    if all(0x20 <= b < 0x7F for b in raw):
        return '= "' + raw.decode().replace("\\", "\\\\").replace('"', '\\"') + '"'
    return '_hex = "' + raw.hex() + '"'


# ---- environments that U-Boot itself has stored ----

def stored():
    def save(name, start, commands):
        _, answers, flash = boot(start, commands + ["saveenv"])
        assert b"OK" in answers[-1] or b"Saving Environment to Flash" in answers[-1], answers
        (OUT / name).write_bytes(flash)
        return flash

    first = save("uboot-nor-first.bin", ERASED * 2, ["setenv step one"])
    second = save("uboot-nor-second.bin", first, ["setenv step two"])
    long = ["setenv long 0123456789abcdef0123"] + ["setenv long ${long}${long}${long}${long}${long}",
            "setenv long ${long}${long}${long}${long}", "setenv long ${long}${long}${long}${long}${long}"]
    values = save("uboot-nor-values.bin", second, [
        r"setenv backslash 'a\\b\\\\c'", "setenv dollar 'run ${x} $y'", "setenv semicolon 'echo a; echo b'",
        "setenv spaces '  two  words  '", "setenv quotes '\"q\"'", "setenv equals 'a=b=c'", "setenv hash '#not a comment'",
        "setenv hex 1badcafe"] + long)
    flags = save("uboot-nor-flags.bin", values, [
        "setenv .flags 'serial_no:so,count:dw,net_a:ia,mac_a:mc,ok:ba'", "setenv count 7",
        "setenv serial_no X1", "setenv ok y", "setenv ok 1", "setenv mac_a 02:00:00:00:00:01"])
    # What the copies must hold follows from U-Boot's own rule: copies take turns.
    assert [first[4], first[COPY + 4]] == [1, 0], (first[4], first[COPY + 4])  # it also marks the erased copy obsolete
    assert [second[4], second[COPY + 4]] == [0, 1]
    assert [values[4], values[COPY + 4]] == [1, 0]
    assert [flags[4], flags[COPY + 4]] == [0, 1]
    known = dict(records(values[:COPY]))
    assert len(known[b"long"]) == 2000, len(known[b"long"])


# ---- odd bytes: what U-Boot takes them for ----

def filler(size, tail):
    """Records that fill exactly `size` bytes, ending in `tail`."""
    head = b"first=1\0"
    return head + b"fill=" + b"x" * (size - len(head) - 5 - 1 - len(tail)) + b"\0" + tail


AREA = COPY - 5
ODD = [  # name, why, data, names to ask for
    ("duplicate-names", "the same name twice", b"dup=first\0other=1\0dup=second\0\0", ["dup", "other"]),
    ("duplicate-names-apart", "the same name three times, equal values in between",
     b"dup=a\0x=1\0dup=b\0y=2\0dup=a\0\0", ["dup", "x", "y"]),
    ("no-equals", "a record without =", b"before=1\0lonely\0after=2\0\0", ["before", "lonely", "after"]),
    ("no-equals-known", "a record without = that repeats a name", b"known=1\0after=2\0known\0last=3\0\0", ["known", "after", "last"]),
    ("no-equals-at-end", "the last record has no =", b"before=1\0lonely\0\0", ["before", "lonely"]),
    ("empty-value", "name= without a value", b"before=1\0empty=\0after=2\0\0", ["before", "empty", "after"]),
    ("empty-value-deletes", "a name with a value, then name=", b"gone=1\0gone=\0after=2\0\0", ["gone", "after"]),
    ("empty-name", "=value", b"before=1\0=value\0after=2\0\0", ["before", "value", "after"]),
    ("only-equals", "a record that is just =", b"before=1\0=\0after=2\0\0", ["before", "after"]),
    ("blank-before-name", "records that start with a space and a tab", b"before=1\0 spaced=1\0\ttabbed=1\0after=2\0\0",
     ["before", "spaced", "tabbed", "after"]),
    ("blank-in-name", "a space in a name", b"two words=1\0after=2\0\0", ["two words", "two", "words", "after"]),
    ("blank-before-equals", "a space before =", b"spaced =1\0after=2\0\0", ["spaced", "spaced ", "after"]),
    ("blank-value", "spaces around and as the value", b"v= x \0w= \0after=2\0\0", ["v", "w", "after"]),
    ("hash-before-name", "a record that starts with #", b"before=1\0#hash=1\0after=2\0\0", ["before", "#hash", "hash", "after"]),
    ("hash-in-name", "a # inside a name", b"a#b=1\0after=2\0\0", ["a#b", "a", "after"]),
    ("newline-in-value", "a line break in a value", b"v=a\nb=c\0after=2\0\0", ["v", "b", "after"]),
    ("newline-before-name", "a record that starts with a line break", b"\nn=1\0after=2\0\0", ["n", "after"]),
    ("carriage-return", "a value that ends in CR", b"v=a\r\0after=2\0\0", ["v", "after"]),
    ("backslashes", "backslashes in values, one at the end", b"one=a\\b\0two=a\\\\b\0nl=a\\nb\0end=a\\\0after=2\0\0",
     ["one", "two", "nl", "end", "after"]),
    ("backslash-in-name", "a backslash in a name", b"a\\b=1\0after=2\0\0", ["a\\b", "ab", "after"]),
    ("high-bytes", "bytes from 0x80 on in name and value", b"v=\x80\xff\xc3\xa9\0\xc3\xa9=1\0after=2\0\0", ["v", "after"]),
    ("control-bytes", "control bytes in a value", b"v=\x01\x7f\x1b[0m\0after=2\0\0", ["v", "after"]),
    ("equals-in-value", "= in a value", b"v=a=b==\0after=2\0\0", ["v", "after"]),
    ("empty-area", "no record at all", b"\0\0", ["bootdelay", "bootcmd", "stdout"]),
    ("leading-nul", "an empty record first", b"\0hidden=1\0\0", ["hidden", "bootdelay"]),
    ("after-terminator", "records after the empty record", b"shown=1\0\0hidden=1\0\0", ["shown", "hidden"]),
    ("full-one-nul", "full area, the last record's NUL is the last byte", filler(AREA, b"last=9\0"), ["first", "last"]),
    ("full-no-nul", "full area, no NUL at the end", filler(AREA, b"last=9"), ["first", "last"]),
    ("full-no-equals", "full area that ends in a name without =", filler(AREA, b"ends"), ["first", "ends"]),
    ("full-two-nul", "full area with the empty record as its last byte", filler(AREA, b"last=9\0\0"), ["first", "last"]),
    ("variables-500", "500 variables", b"".join(b"v%d=%d\0" % (i, i) for i in range(500)) + b"\0", ["v0", "v250", "v499"]),
    ("variables-600", "600 variables, more than CONFIG_ENV_MAX_ENTRIES (512)",
     b"".join(b"v%d=%d\0" % (i, i) for i in range(600)) + b"\0", ["v0", "v499", "v511", "v512", "v520", "v530", "v540", "v550", "v560", "v580", "v599", "bootcmd"]),
    ("long-name", "a name of 300 bytes", b"n" * 300 + b"=1\0after=2\0\0", ["n" * 300, "after"]),
    ("flags-refuse", "values that .flags does not allow", b".flags=d:da,r:sr,w:so,x:xa\0d=zz\0r=1\0w=1\0x=12fg\0after=2\0\0",
     ["d", "r", "w", "x", "after"]),
    ("bad-crc", "wrong CRC", None, ["odd", "bootcmd"]),
]


def quoted(name):
    return "'" + name.replace("\\", "\\\\") + "'"


def odd():
    lines = []
    for name, why, data, ask in ODD:
        copy = image(b"odd=1\0\0", crc_ok=False) if data is None else image(data)
        commands = [f"printenv {quoted(n)}" for n in ask]
        small = data is not None and len(data) < 4000
        if small:
            commands += ["saveenv"]
        banner, answers, flash = boot(copy + ERASED, commands)
        (OUT / f"odd-{name}.bin").write_bytes(copy)
        taken = b"using default environment" not in banner
        note = [l for l in banner.decode("latin1").split("\n") if "nvironment" in l or "env" in l.lower() and "Loading" in l]
        lines += ["[[image]]", f'file = "odd-{name}.bin.gz"', f'why = "{why}"', f"environment_taken = {str(taken).lower()}"]
        messages = [l for l in note if l.strip()]
        lines += ["console = [" + ", ".join("'" + m.replace("'", "").strip() + "'" for m in messages) + "]"]
        for n, answer in zip(ask, answers):
            printed = answer.decode("latin1")
            lines += ["", "[[image.printenv]]", "name " + text(n.encode())]
            if printed.startswith("## Error"):
                lines += ["defined = false"]
                value = None
            else:
                lines += ["defined = true"]
                value = answer[len(n) + 1:] if len(answer) < 4000 else None
                assert answer.startswith(n.encode() + b"="), answer
                if value is not None:
                    lines += ["value" + (" " if text(value)[0] == "=" else "") + text(value)]
            print(name, n, printed[:60].encode(), file=sys.stderr)
        if small:
            # All that U-Boot held, as its own saveenv wrote it: copy 0 was current, so it wrote
            # copy 1; where it found no variable to take, it wrote copy 0.
            assert b"OK" in answers[-1], answers[-1]
            for k, *v in records(flash[COPY:] if flash[COPY + 4] == 1 else flash[:COPY]):
                if k in RUNTIME:
                    continue
                lines += ["", "[[image.saved]]", "name" + (" " if text(k)[0] == "=" else "") + text(k)]
                lines += ["value" + (" " if text(v[0])[0] == "=" else "") + text(v[0])]
        lines += [""]
    return lines


RUNTIME = {b"bootcount", b"fdtcontroladdr", b"stdin", b"stdout", b"stderr", b"loadaddr", b"ethaddr"}


# ---- flag pairs: which copy U-Boot takes ----

PAIRS = [(1, 0), (0, 1), (1, 1), (0, 0), (255, 0), (0, 255), (255, 255), (255, 1), (1, 255), (1, 2), (2, 1), (2, 0), (0, 2),
         (254, 255), (255, 254), (254, 0), (0, 254), (200, 10), (10, 200), (128, 0), (0, 128), (2, 2)]
DAMAGED = [(1, 0, "crc-bad", "ok"), (1, 0, "ok", "crc-bad"), (0, 1, "crc-bad", "ok"), (0, 1, "ok", "crc-bad"),
           (1, 1, "crc-bad", "ok"), (1, 1, "ok", "crc-bad"), (0, 0, "crc-bad", "ok"), (0, 0, "ok", "crc-bad"),
           (255, 255, "crc-bad", "ok"), (255, 255, "ok", "crc-bad"), (1, 0, "crc-bad", "crc-bad"),
           (1, 255, "ok", "erased"), (255, 1, "erased", "ok"), (0, 255, "ok", "erased"), (255, 0, "erased", "ok"),
           (255, 255, "erased", "erased")]


def choice():
    lines = []
    for f0, f1, c0, c1 in [(a, b, "ok", "ok") for a, b in PAIRS] + DAMAGED:
        copies = [ERASED if c == "erased" else image(b"which=%d\0\0" % i, f, c == "ok")
                  for i, (f, c) in enumerate([(f0, c0), (f1, c1)])]
        banner, answers, flash = boot(copies[0] + copies[1], ["printenv which"])
        answer = answers[0].decode("latin1").strip()
        took = {"which=0": 0, "which=1": 1}.get(answer, -1)
        assert took >= 0 or "not defined" in answer, answer
        lines += ["[[pair]]", f"flags = [{f0}, {f1}]", f'copies = ["{c0}", "{c1}"]', f"taken = {took}",
                  f"flags_after_boot = [{flash[4]}, {flash[COPY + 4]}]", ""]
        print(f0, f1, c0, c1, "->", took, flash[4], flash[COPY + 4], file=sys.stderr)
    return lines


def write(name, head, lines):
    (OUT / name).write_text("\n".join(head + [""] + lines))


stored()
write("uboot-nor-choice.toml", [
    "# Which copy of a redundant environment on parallel NOR U-Boot 2025.01 takes",
    "# (env/flash.c, seen in QEMU). Made by qemu/make-fixtures.sh. Copy 0 holds",
    "# which=0, copy 1 holds which=1; taken = -1 means the compiled-in defaults.",
    "# A boot repairs flags: they are given as they stand on the flash afterwards."], choice())
write("uboot-semantics.toml", [
    "# What U-Boot 2025.01 (seen in QEMU, old hush parser) makes of odd environments.",
    "# Made by qemu/make-fixtures.sh. Each image is copy 0 with the flags byte 1; copy 1",
    "# was erased. printenv: U-Boot's answer for one name. saved: every variable that a",
    "# saveenv wrote right after the boot, but for those U-Boot itself sets at run time."], odd())
for left in OUT.glob("*.img"):
    left.unlink()
