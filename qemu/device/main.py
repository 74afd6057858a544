"""Tests devices with a real U-Boot in QEMU: main.py FOLDER QEMU BOOTSLOT [--cuts N] [--short | --soak] [BOARD...].

FOLDER is what device.sh made. Each board is told its stories, two boards at a time, then N times
altogether the power is cut. --short: each story once, on the board where most can go wrong.
--soak: instead of the stories only each odd value in each variable, and only failures are told. Each check is one
line; the last line is "N passed, N failed". BOOTSLOT_SEED repeats the random choices of another run (the moments
of the cuts are in real time, so not quite what they hit).
"""
import argparse, collections, concurrent.futures, os, pathlib, random, signal, sys, threading, time, traceback

import boards
from counted import Counted
from cuts import ACTIONS, Cuts
from device import Device
from fleet import Fleet
from lives import Lives
from scripted import Scripted
from stock import Stock


class Report:
    def __init__(self, tells_all):
        self.lock, self.tells_all = threading.Lock(), tells_all
        self.passed, self.failed, self.cuts = 0, 0, collections.Counter()
        self.ended = threading.Event()

    def say(self, text):
        with self.lock:
            print(text, flush=True)

    def check(self, name, condition, seen=""):
        with self.lock:
            self.passed += bool(condition)
            self.failed += not condition
            if not condition or self.tells_all:
                print(f"{'ok' if condition else 'not ok'} {name}" + ("" if condition else f"\n# {seen}"), flush=True)

    def table(self):
        """How many cuts hit what: before the change, after it, or in the middle of several."""
        outcomes = sorted({outcome for _, _, outcome in self.cuts})
        lines = [f"# {'board':<11} {'cut during':<11}" + "".join(f"{outcome:>10}" for outcome in outcomes)]
        for board, action in sorted({key[:2] for key in self.cuts}):
            counts = [self.cuts[board, action, outcome] for outcome in outcomes]
            lines.append(f"# {board:<11} {action:<11}" + "".join(f"{count:>10}" for count in counts))
        return "\n".join(lines)


class All(Counted, Fleet, Lives, Scripted, Stock):
    """Every board's stories."""


def tell(board, options, tools, report, seed, cuts):
    """All stories of one board."""
    work, soak = options.folder, options.soak
    device = Device(board, work, pathlib.Path(work) / f"device-{board.name}", tools)
    systems = {path.stem: path.read_bytes() for path in (pathlib.Path(work) / "systems").iterdir()}
    chance = random.Random(f"{seed} {board.name}")
    stories = All(device, report, systems, chance, thorough=soak)

    def guarded(name, story, *arguments):
        try:
            story(*arguments)
            return True
        except Exception:
            report.check(f"{board.name}: {name} can be told to its end", False, traceback.format_exc())
            return False
        finally:
            device.cut()

    if not guarded(board.first_story, getattr(stories, board.first_story)):
        return  # all others begin where it ends
    for name in board.short if options.short else [name for name in board.stories if name == "garbage" or not soak]:
        began = time.monotonic()
        guarded(name, getattr(stories, name))
        report.say(f"# {board.name}: {name} {time.monotonic() - began:.1f} s")
    if not board.is_cut:
        return
    cutter, began = Cuts(device, report, systems, chance), time.monotonic()
    cutter.confirmed, cutter.compiled_in = stories.confirmed, stories.compiled_in
    if cuts and guarded("measuring for the cuts", cutter.prepare):
        for number in range(cuts):
            if report.ended.is_set():
                break
            guarded("a power cut", cutter.one, ACTIONS[number % len(ACTIONS)])
        if not soak and board.last_resort_cuts:
            guarded("cuts on the way to the last resort", cutter.last_resort, board.last_resort_cuts)
    made = sum(count for (name, action, _), count in report.cuts.items() if name == board.name and action != "life")
    report.say(f"# {board.name}: {made} power cuts {time.monotonic() - began:.1f} s")


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("\n\n")[0])
    parser.add_argument("folder")
    parser.add_argument("qemu")
    parser.add_argument("bootslot")
    parser.add_argument("boards", nargs="*")
    parser.add_argument("--cuts", type=int, default=64)
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--short", action="store_true")
    how.add_argument("--soak", action="store_true")
    options = parser.parse_intermixed_args()
    seed = int(os.environ.get("BOOTSLOT_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"# BOOTSLOT_SEED={seed}", flush=True)
    report = Report(tells_all=not options.soak)
    every = {story for board in boards.BOARDS for story in board.stories}
    assert every == {story for board in boards.BOARDS for story in board.short}, "a story that a short test does not tell"
    wanted = [board for board in boards.BOARDS if not options.boards or board.name in options.boards]
    are_cut = sum(board.is_cut for board in wanted)
    each = -(-options.cuts // max(are_cut, 1))
    if options.soak:  # SIGTERM ends it, with the table of what there is
        signal.signal(signal.SIGTERM, lambda *_: report.ended.set())
    tools = {"qemu": options.qemu, "bootslot": options.bootslot}
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for future in [pool.submit(tell, board, options, tools, report, seed, each)
                       for board in wanted]:
            future.result()
    print(report.table())
    # Those in lives are counted where they are made.
    made = sum(count for (_, action, _), count in report.cuts.items() if action != "life")
    due = each * are_cut
    if options.cuts and not options.soak:
        due += sum(board.last_resort_cuts for board in wanted)
    report.check(f"{made} power cuts, {due} were to be made", made == due or report.ended.is_set())
    print(f"{report.passed} passed, {report.failed} failed")
    sys.exit(report.failed > 0)


if __name__ == "__main__":
    main()
