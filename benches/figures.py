#!/usr/bin/env python3
"""What a call costs: ours, libubootenv's and U-Boot's own tools on the same environments, in one run.

    benches/figures.py            every figure of all tools that are there (`make bench`)
    benches/figures.py --check    ours alone, and only those that are the same in every run (`make test`)

Instructions are counted by callgrind, for the whole process with its dynamic loader. Bytes and syncs are
counted by strace on the file that holds the environment. None of these depends on the machine's load.
"""

import argparse
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CALM = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}  # the loader reads every variable
PEER = {"fw_printenv": "/usr/bin/fw_printenv", "fw_setenv": "/usr/bin/fw_setenv"}
KIB, M = 1024, 1_000_000
PROCESSES, SETS = 8, 50


# ---- what is measured ---------------------------------------------------------------------------

class Place:
    """A redundant environment in one file, as on an eMMC, and its configuration."""

    def __init__(self, folder, size, variables, value):
        self.image, self.config = folder / "env.img", folder / "fw_env.config"
        self.names = [f"variable_{i:05}" for i in range(variables)]
        self.value = "v" * value
        records = "".join(f"{name}={self.value}\0" for name in self.names).encode() + b"\0"
        data = records.ljust(size - 5, b"\0")
        copies = [struct.pack("=IB", zlib.crc32(data), flags) + data for flags in (2, 1)]
        self.image.write_bytes(b"".join(copies))
        self.config.write_text(f"{self.image} 0x0 {size:#x}\n{self.image} {size:#x} {size:#x}\n")
        self.name = self.names[variables // 2]


class Tool:
    def __init__(self, title, programs):
        self.title, self.programs = title, programs

    def command(self, name, place, *words):
        return [self.programs[name], "-c", str(place.config), *words]


def run(command, **options):
    return subprocess.run(command, env=CALM, stdin=subprocess.DEVNULL, capture_output=True, text=True, **options)


def succeed(command, **options):
    done = run(command, **options)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def instructions(tool, name, place, *words):
    command = tool.command(name, place, *words)
    done = succeed(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", *command])
    if name == "fw_printenv" and words and place.value not in done.stdout:
        sys.exit(f"{' '.join(command)} printed {done.stdout!r}")
    return int(re.search(r"Collected : (\d+)", done.stderr)[1])


def set_instructions(tool, place):
    """In the steady state: both copies written by this tool, a value of the same length."""
    for letter in "xy":
        succeed(tool.command("fw_setenv", place, place.name, letter * len(place.value)))
    return instructions(tool, "fw_setenv", place, place.name, "z" * len(place.value))


def written(tool, place, *words, stdin=None):
    """Bytes written to the environment's file, and syncs of it, in one call of fw_setenv."""
    with tempfile.NamedTemporaryFile(mode="r") as trace:
        calls = "trace=write,pwrite64,writev,pwritev,fsync,fdatasync,sync,syncfs,msync"
        succeed(["strace", "-f", "-y", "-o", trace.name, "-e", calls, *tool.command("fw_setenv", place, *words)])
        lines = [line for line in trace if f"<{place.image}>" in line]
    writes = [re.search(r" = (\d+)$", line.rstrip()) for line in lines if "write" in line.split("(")[0]]
    syncs = [line for line in lines if "sync" in line.split("(")[0]]
    return sum(int(w[1]) for w in writes if w), len(syncs)


def equal_length_change(tool, place):
    for letter in "xy":
        succeed(tool.command("fw_setenv", place, place.name, letter * len(place.value)))
    return written(tool, place, place.name, "z" * len(place.value))


def no_op_bytes(tool, place):
    return written(tool, place, place.name, place.value)[0]


def no_op_script_bytes(tool, place):
    script = place.config.with_name("script")
    script.write_text("".join(f"{name} {place.value}\n" for name in place.names))
    return written(tool, place, "-s", str(script))[0]


def peak_rss(tool, name, place, *words):
    # Not by our own rusage: a child starts with the peak of the process that it was forked from.
    with tempfile.NamedTemporaryFile(mode="r") as report:
        succeed(["time", "-f", "%M", "-o", report.name, *tool.command(name, place, *words)])
        return int(report.read()) * KIB


def stripped_size(*files):
    total = 0
    for file in files:
        with tempfile.NamedTemporaryFile() as copy:
            subprocess.run(["strip", "-s", "-o", copy.name, file], check=True)
            total += os.path.getsize(copy.name)
    return total


def survivors(writers, reader, place):
    """How many of 8 x 50 concurrent sets are there at the end; and failed readings of `reader`."""
    done, failures, readings = threading.Event(), [], []

    def write(process):
        for i in range(SETS):
            run(writers[process % len(writers)].command("fw_setenv", place, f"p{process}_{i}", f"{i}"))

    def read():
        while not done.is_set():
            result = run(reader.command("fw_printenv", place, place.name))
            (readings if place.value in result.stdout else failures).append(result.stderr)

    threads = [threading.Thread(target=write, args=(process,)) for process in range(PROCESSES)]
    watcher = threading.Thread(target=read)
    for thread in [*threads, *([watcher] if reader else [])]:
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    if reader:
        watcher.join()
    last = reader or writers[0]
    shown = set(succeed(last.command("fw_printenv", place)).stdout.splitlines())
    expected = {f"p{process}_{i}={i}" for process in range(PROCESSES) for i in range(SETS)}
    return len(expected & shown), len(failures), len(readings)


# ---- the table ----------------------------------------------------------------------------------

class Table:
    """Rows of one figure each: a bound for ours, and a column for each tool."""

    def __init__(self, tools):
        self.tools, self.passed, self.failed = tools, 0, 0
        titles = "".join(f"{tool.title:>16}" for tool in tools)
        self.print(f"{'':58}{'at most':>11}{titles}")

    def print(self, line):
        print(line.rstrip(), flush=True)

    def row(self, what, bound, measure, form=str, only=None):
        """`measure` of each tool; `only`: these tools. A tool may answer None: it can't do that."""
        cells = []
        for tool in self.tools:
            value = measure(tool) if only is None or tool in only else None
            if tool is self.tools[0] and bound is not None:
                good = value is not None and value <= bound
                self.passed, self.failed = self.passed + good, self.failed + (not good)
            broken = tool is self.tools[0] and bound is not None and not good
            cells.append("-" if value is None else form(value) + " !" * broken)
        limit = "" if bound is None else form(bound)
        self.print(f"{what:58}{limit:>11}" + "".join(f"{cell:>16}" for cell in cells))

    def verdict(self, what, good, cells):
        """A row without a number: good or not, and what to show for each tool or mixture."""
        self.passed, self.failed = self.passed + good, self.failed + (not good)
        self.print(f"{what:58}{'':11}{cells}{'' if good else ' !'}")


def millions(number):
    return f"{number / M:.3f} M"


def kibibytes(number):
    return f"{number / KIB:.0f} KiB"


# Size of a copy, variables, bytes of a value; bounds of fw_printenv and fw_setenv in instructions.
# 0.3 M of each are the dynamic loader's: 170 functions of the C library and 2,300 addresses of the whole program.
# The loader takes other ways on other processors: the bounds leave a twentieth for that.
ENVIRONMENTS = [
    ("16 KiB, 60 variables", 16 * KIB, 60, 60, 0.38 * M, 0.48 * M),
    ("128 KiB, 200 variables", 128 * KIB, 200, 60, 0.50 * M, 0.75 * M),
    ("1 MiB, 20,000 variables", 1024 * KIB, 20_000, 30, 3.6 * M, 14.5 * M),
]

# An empty Rust program has 282 KiB in the same profile, 180 of them for printing backtraces. The paths of the
# sources are inside: the bound leaves a page for a longer one.
SIZE = 464 * KIB

# The kernel maps up to 16 pages of a file around the one that is asked for, as many as its cache holds just then.
RSS = 4608 * KIB


def measure(arguments, folder):
    def place(size=128 * KIB, variables=200, value=60):
        return Place(Path(tempfile.mkdtemp(dir=folder)), size, variables, value)

    ours, small = build(folder)
    tools = [ours] + ([] if arguments.check else peers(arguments))
    table = Table(tools)

    for title, size, variables, value, print_bound, set_bound in ENVIRONMENTS:
        one = place(size, variables, value)
        # libubootenv's time grows with the square of the number of variables: minutes under callgrind.
        able = [t for t in tools if variables < 10_000 or t.title != "libubootenv" or arguments.slow]
        table.row(f"instructions, fw_printenv NAME, {title}", print_bound,
                  lambda tool: instructions(tool, "fw_printenv", one, one.name), millions, able)
        table.row(f"instructions, fw_setenv NAME VALUE, {title}", set_bound,
                  lambda tool: set_instructions(tool, place(size, variables, value)), millions, able)
    start = place(4 * KIB, 1)
    table.row("instructions, fw_printenv NAME, 4 KiB, 1 variable", None,
              lambda tool: instructions(tool, "fw_printenv", start, start.name), millions)

    changes = {tool: equal_length_change(tool, place()) for tool in tools}
    table.row("bytes written, one change of equal length, 128 KiB", 8 * KIB, lambda tool: changes[tool][0])
    table.row("syncs of that store, one for each copy", 2, lambda tool: changes[tool][1])
    table.row("bytes written, a set that changes nothing", 0, lambda tool: no_op_bytes(tool, place()))
    table.row("bytes written, a script that changes nothing", 0, lambda tool: no_op_script_bytes(tool, place()))

    table.row("stripped size, profile small, without default features", SIZE,
              lambda _: stripped_size(small.programs["fw_printenv"]), kibibytes, [ours])
    table.row("stripped size, the whole (libubootenv: with its library)", None,
              lambda tool: stripped_size(*parts(tool)), kibibytes)
    one = place()
    for name, words in [("fw_printenv", [one.name]), ("fw_setenv", [one.name, "other"])]:
        table.row(f"peak RSS, {name}, 128 KiB, 200 variables", RSS,
                  lambda tool: peak_rss(tool, name, one, *words), kibibytes)

    if not arguments.check:
        concurrency(table, tools, place)
    return table


def concurrency(table, tools, place):
    total = PROCESSES * SETS

    def crowd(what, writers, reader=None, required=False):
        present, failures, readings = survivors(writers, reader, place(value=20))
        good = not required or (present == total and failures == 0)
        cells = f"{present:>5} of {total}"
        if reader:
            cells += f", {failures} of {failures + readings} readings failed"
        table.verdict(f"{PROCESSES} x {SETS} sets at once, present: {what}", good, cells)

    ours, *others = tools
    crowd("ours", [ours], required=True)
    crowd("ours, and a reader", [ours], reader=ours, required=True)
    if os.geteuid() != 0:
        print("The other tools make their locks as root only: no mixtures.")
        return
    for other in others:
        crowd(f"ours and {other.title}", [ours, other], required=other.title == "libubootenv")
        crowd(f"{other.title}, and a reader", [other], reader=other)
    if len(others) > 1:
        crowd(" and ".join(other.title for other in others), others)


# ---- the tools ----------------------------------------------------------------------------------

def build(folder):
    """The default `cargo build --release`, and the smallest program."""
    def programs(title, target, profile, *options):
        subprocess.run(["cargo", "build", "--quiet", "--locked", "--profile", profile, "--target-dir", target,
                        *options], cwd=ROOT, check=True)
        links = folder / title
        links.mkdir()
        for name in PEER:
            (links / name).symlink_to(Path(target) / profile / "bootslot")
        return Tool(title, {name: str(links / name) for name in PEER})

    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    ours = programs("bootslot", target, "release")
    small = programs("small", target, "small", "--no-default-features")
    return ours, small


def parts(tool):
    """The files that make up a tool; of the dynamic ones with the libraries that are its own."""
    program = tool.programs["fw_printenv"]
    libraries = run(["ldd", program]).stdout
    own = re.findall(r"=> (\S*(?:libubootenv|libyaml|libz)\S*)", libraries)
    return [os.path.realpath(file) for file in [program, *own]]


def peers(arguments):
    found = []
    if all(os.access(program, os.X_OK) for program in PEER.values()):
        found.append(Tool("libubootenv", PEER))
    else:
        print("libubootenv's tools are not there (Debian: libubootenv-tool)")
    if arguments.uboot:
        links = Path(tempfile.mkdtemp(dir=arguments.folder))
        for name in PEER:
            (links / name).symlink_to(Path(arguments.uboot).resolve())
        found.append(Tool("U-Boot (static)", {name: str(links / name) for name in PEER}))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="ours alone, as a test")
    parser.add_argument("--slow", action="store_true", help="also what takes the other tools minutes")
    parser.add_argument("--uboot", help="U-Boot's fw_printenv")
    arguments = parser.parse_args()
    needed = ["valgrind", "strace", "time", "strip", "ldd"]
    missing = [name for name in needed if not shutil.which(name)]
    if missing:
        sys.exit(f"needed: {' '.join(missing)}")
    with tempfile.TemporaryDirectory() as folder:
        arguments.folder = folder
        table = measure(arguments, Path(folder))
    print(f"{table.passed} passed, {table.failed} failed")
    sys.exit(1 if table.failed else 0)


if __name__ == "__main__":
    main()
