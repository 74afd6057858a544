"""Power cuts of disks with a volatile cache: main.py FOLDER QEMU KERNEL BOOTSLOT [OPTION...] [DISK...].

FOLDER holds the guest's initramfs (test-disk.sh). The guest stores --stores environments on each disk
(guest/cuts.sh), and QEMU's blklogwrites logs what the disk is told. Then, --states times for each disk, the power
fails at a random moment of the log: what was flushed is there, of everything later any sectors. What the file
system makes of that must hold an environment that was begun and is not older than the last one that was reported
done; our reader and a model of the others' rule must agree, and the next store must work. A state that does
not is left in FOLDER/DISK-lost-N.part. --recovered states go to a second guest (guest/recover.sh), whose kernel has to
do as well with them. BOOTSLOT_SEED repeats the choices, on another log.
"""
import argparse, collections, concurrent.futures, os, pathlib, random, subprocess, sys

import log
from disk import DISKS, OTHERS, SECTOR, SIZE, START, Disk, run

PARTITIONS = 128  # of a GPT as sgdisk makes it


def guest(options, arguments, *devices, timeout):
    """What a guest says that is switched on with these arguments and devices."""
    ran = subprocess.run(
        [options.qemu, "-M", "virt", "-cpu", "cortex-a57", "-m", "256", "-nographic", "-nodefaults", "-no-reboot",
         "-serial", "stdio", "-monitor", "none", "-kernel", options.kernel, "-initrd", options.folder / "initramfs",
         "-append", f"console=ttyAMA0 quiet panic=-1 rdinit=/init {arguments}", *devices],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=timeout)
    return ran.stdout.decode(errors="replace").replace("\r", "")


def judge(options, disk, said, seed):
    """The checks of a disk, and some of the cuts."""
    stored = [line.split() for line in said.splitlines() if line.startswith(f"STORED {disk.name} ")]
    failed = [line for line in said.splitlines() if line.startswith(f"FAILED {disk.name} ")]
    checks = [(f"{disk.name}: the guest has made its stores", stored and not failed,
               "\n# ".join(failed) or said[-2000:])]
    if not stored:
        return checks, []
    chance = random.Random(f"{seed} {disk.name}")
    every = -(-options.states // options.recovered)
    counts, losses, kept = outcomes(log.cuts(disk, options.states, chance), every)
    killed = f", {stored[0][3]} of them killed" if "killed" in disk.name else ""
    told = ", ".join(f"{outcome} {count}" for outcome, count in sorted(counts.items()))
    checks.append((f"{disk.name}: {options.states} power cuts in {stored[0][2]} stores{killed}: {told}", not losses,
                   "\n# ".join(losses)))
    # What a disk does that flushes nothing, and a program that reports too early, must be seen as losses.
    for what, change in [("nothing flushed", {"flushes": False}), ("reported too early", {"begun_is_done": True})]:
        lost = outcomes(log.cuts(disk, 100, chance, **change))[0]["lost"]
        checks.append((f"{disk.name}: {what}: lost {lost}", lost > 0, "the test sees no loss"))
    return checks, kept


def outcomes(cuts, every=0):
    """How often came what, the first losses, and one in so many cuts. With `every` the losses are left in files."""
    counts, losses, kept = collections.Counter(), [], []
    for number, cut in enumerate(cuts, 1):
        if every and number % every == 0:
            kept.append(cut)
        seen = cut.disk.judge(cut.disk.copies(cut.part))
        if isinstance(seen, int) and cut.done <= seen <= cut.begun:
            counts["the last one" if seen == cut.done else "a later one"] += 1
            continue
        counts["lost"] += 1
        if every and len(losses) < 5:
            (cut.disk.work / f"{cut.disk.name}-lost-{len(losses)}.part").write_bytes(cut.part)
            losses.append(f"at {cut.moment}: {seen}, done was {cut.done}, begun {cut.begun}")
    return counts, losses, kept


def recover(options, cuts):
    """The checks of the second guest: what a cut has left is a partition of its disk."""
    image = options.folder / "recover.img"
    partitions = []
    with open(image, "wb") as disk:
        disk.truncate(START + len(cuts) * SIZE + START)
        for number, cut in enumerate(cuts, 1):
            start = START + (number - 1) * SIZE
            partitions += ["-n", f"{number}:{start // SECTOR}:{(start + SIZE) // SECTOR - 1}"]
            disk.seek(start)
            disk.write(cut.part)
    run("sgdisk", *partitions, image)
    said = guest(options, "recover=" + ",".join(cut.disk.name for cut in cuts),
                 "-drive", f"if=none,id=disk,format=raw,file={image}", "-device", "virtio-blk-pci,drive=disk",
                 timeout=120 + 5 * len(cuts))
    told = [line.removeprefix("RECOVERED ").split(": ", 1) for line in said.splitlines()
            if line.startswith("RECOVERED ")]
    wrong, made = collections.defaultdict(list), collections.Counter(cut.disk.name for cut in cuts)
    for number, cut in enumerate(cuts, 1):
        seen = dict(told).get(f"{number} {cut.disk.name}", "").strip()
        if seen not in [f"{n} n={n} next=stored by {number}" for n in range(cut.done, cut.begun + 1)]:
            wrong[cut.disk.name].append(f"done was {cut.done}, begun {cut.begun}: {seen or said[-1000:]!r}")
    return [(f"{name}: another kernel reads and stores after {made[name]} of the cuts", not wrong[name],
             "\n# ".join(wrong[name])) for name in made]


class Report:
    passed = failed = 0

    def all(self, checks):
        for name, condition, seen in checks:
            self.passed += bool(condition)
            self.failed += not condition
            print(f"{'ok' if condition else 'not ok'} {name}" + ("" if condition else f"\n# {seen}"), flush=True)


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("\n\n")[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("qemu")
    parser.add_argument("kernel")
    parser.add_argument("bootslot")
    parser.add_argument("disks", nargs="*")
    parser.add_argument("--stores", type=int, default=25)
    parser.add_argument("--states", type=int, default=300)
    parser.add_argument("--recovered", type=int, default=6)
    options = parser.parse_intermixed_args()
    names = options.disks or DISKS
    if unknown := set(names) - set(DISKS + OTHERS):
        parser.error(f"no such disk: {', '.join(unknown)}")
    if options.recovered * len(names) > PARTITIONS:
        parser.error(f"the second guest's disk has room for {PARTITIONS} states")
    seed = int(os.environ.get("BOOTSLOT_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"# BOOTSLOT_SEED={seed}", flush=True)
    disks = [Disk(name, options.folder, options.bootslot) for name in names]
    for disk in disks:
        disk.make()
    said = guest(options, f"disks={','.join(names)} stores={options.stores}",
                 *[option for number, disk in enumerate(disks) for option in disk.options(number)],
                 timeout=300 + 2 * options.stores * len(names))
    report, kept = Report(), []
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for checks, cuts in pool.map(lambda disk: judge(options, disk, said, seed), disks):
            report.all(checks)
            kept += cuts
    if kept:
        report.all(recover(options, kept))
    print(f"{report.passed} passed, {report.failed} failed")
    sys.exit(report.failed > 0)


if __name__ == "__main__":
    main()
