"""Power cuts in the middle of installations into a UBI volume on NOR flash, by a real kernel:
ubi.py RUN_QEMU KERNEL INITRAMFS WORK [CUTS [SEED]]. Killing QEMU is a power cut for its flash: it writes each program and
each erase to its file at once. (nandsim would lose everything.) The bundles come from a server that breaks off its
answers or goes away for a while.

After each cut UBI attaches, the environment is there, slot B boots only if its volume holds a whole image, the same
command goes on where it was, and the volume holds the image. Prints "ok ubi NAME" or "not ok ubi NAME" for each check.
"""
import json, pathlib, random, sys, threading, time

sys.path.insert(0, str(pathlib.Path(__file__).parent / "device"))
from machine import Machine, Silence
from server import Server

LANES = 2
LEB = (256 << 10) - 128
# What lies over the end of a LEB: a chunk, or a run of zeros, which test-media.sh makes so long.
RUN = 300_000


def events(said):
    """What an installation has told. The kernel may speak in the middle of a line, and a cut ends one anywhere."""
    told = []
    for line in said.split(b"\r\n"):
        try:
            told.append(json.loads(line[line.index(b'{"'):]))
        except ValueError:
            pass
    return told


class Lane:
    """One device, cut again and again."""

    def __init__(self, number, options, work, seed):
        self.name, self.options, self.random = f"lane{number}", options, random.Random(f"{seed} {number}")
        self.flash, self.log = work / f"{self.name}.flash", work / f"{self.name}.log"
        self.results, self.outcomes, self.machine = [], [], None
        bundles = work / "files/tests"
        self.servers = {image: Server((bundles / f"{image}.bundle").read_bytes(), self.random.random())
                        for image in ("one", "two")}

    def check(self, name, good, detail=""):
        self.results.append(good)
        print(f"{'ok' if good else 'not ok'} ubi {name}" + ("" if good else f"\n# {detail}"), flush=True)

    def on(self):
        self.machine = Machine([*self.options, "-drive", f"if=pflash,format=raw,unit=1,file={self.flash}"], self.log)
        self.machine.expect(rb"SHELL-READY\r\n")

    def cut(self):
        said, self.machine = self.machine.cut(), None
        return said

    def run(self, command, status=0):
        self.machine.send(command + "\n")
        end = self.machine.expect(rb"(?s)(.*?)SHELL-EXIT (\d+)\r\n", 120)
        text = end[1].decode(errors="replace").replace("\r\n", "\n")
        if status is not None and int(end[2]) != status:
            raise Silence(f"{command!r} ended with {end[2].decode()}: {text}")
        return text if status is not None else int(end[2])

    def holds(self, image):
        return self.run(f"holds {image}", status=None) == 0

    def whole(self, image):
        """Installs an image to the end, and gives back what it told last."""
        self.install(image)
        return self.last()

    def install(self, image, breaks=0.0):
        self.servers[image].breaks = breaks
        self.machine.send(f"install {self.servers[image].url}\n")

    def last(self):
        return events(self.machine.expect(rb"(?s)(.*?)SHELL-EXIT (\d+)\r\n", 120)[1])[-1]

    def factory(self):
        """A device whose slot B is on trial with the image one. How long an installation takes."""
        self.flash.write_bytes(b"\xff" * (64 << 20))
        self.on()
        self.run("attach && new")
        began = time.monotonic()
        told = self.whole("one")
        took = time.monotonic() - began
        self.check(f"{self.name}: the first installation", told["event"] == "done" and self.holds("one"), told)
        return took

    def cuts(self, count, took):
        before, after = "one", "two"
        for _ in range(count):
            self.one(before, after, took)
            before, after = after, before
        self.cut()

    def one(self, before, after, took):
        """B holds `before`. The installation of `after` is cut, and goes on."""
        breaks = self.random.choice([0, 0.02])
        self.install(after, breaks)
        if not breaks:
            away = (self.random.uniform(0, took), self.random.uniform(0, 1))
            threading.Timer(away[0], self.servers[after].goes_away, away[1:]).start()
        # Most of it is over soon after it has looked at what is there.
        looking = self.random.random() < 0.8
        if looking:
            self.machine.expect(rb'"phase":"looking"')
        delay = self.random.uniform(0, 0.8 * took)
        time.sleep(delay)
        said = self.cut()
        name = f"{self.name}: {after} cut {delay * 1000:.0f} ms after " + ("the first look" if looking else "the start")
        written = max((event["done"] for event in events(said) if event.get("phase") == "writing"), default=0)

        self.on()
        self.run("attach")
        state = dict(line.split("=", 1) for line in self.run("variables").splitlines() if "=" in line)
        holds = after if self.holds(after) else before if self.holds(before) else None
        outcome = (state.get("active_slot"), state.get("slot_B"))
        begun = b'"phase":"writing"' in said
        if outcome == ("B", None):
            outcome, good = f"on trial with {holds}", holds == after or (holds == before and not begun)
        else:
            good = outcome == ("A", "bad") and b'"event":"done"' not in said
            outcome = "being written"
        self.outcomes.append(outcome if outcome == "being written" else "before" if holds == before else "after")
        self.check(f"{name}: {outcome}", good, f"{state}, {said!r}")

        told = self.whole(after)
        whole = self.holds(after)
        self.check(f"{name}: the same command goes on", told["event"] == "done" and whole, told)
        # An atomic change of a LEB is on the flash when it is reported.
        there = written // LEB * LEB - RUN
        self.check(f"{name}: it goes on where it was", told["kept"] >= there or told["already"],
                   f"{written} bytes were reported, {told}")


def main(run_qemu, kernel, initramfs, work, cuts=40, seed=None):
    seed = seed or str(random.randrange(2**32))
    print(f"# seed {seed}", flush=True)
    options = [run_qemu, "-M", "virt", "-cpu", "cortex-a57", "-m", "256", "-nographic", "-nodefaults", "-serial", "stdio",
               "-monitor", "none", "-kernel", f"{kernel}/Image", "-initrd", initramfs,
               "-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net,romfile=", "-append", "console=ttyAMA0 quiet panic=-1 rdinit=/init commands=1 mtdparts=0.flash:64m(code),8m(slot)"]
    lanes = [Lane(number, options, pathlib.Path(work), seed) for number in range(LANES)]

    def live(lane, count):
        try:
            lane.cuts(count, lane.factory())
        except Exception as error:
            lane.check(f"{lane.name}: it lives", False, f"{error!r}")
        finally:
            if lane.machine:
                lane.cut()

    threads = [threading.Thread(target=live, args=(lane, (cuts + number) // LANES))
               for number, lane in enumerate(lanes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    outcomes = [outcome for lane in lanes for outcome in lane.outcomes]
    counts = ", ".join(f"{outcomes.count(what)} {what}" for what in ("before", "being written", "after"))
    print(f"# {len(outcomes)} cuts: {counts}", flush=True)
    # Nearly all the time goes into the writing.
    lanes[0].check(f"{cuts} cuts, half of them while it is written",
                   len(outcomes) == cuts and outcomes.count("being written") >= cuts // 2, counts)
    return all(all(lane.results) for lane in lanes)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    if len(arguments) > 4:
        arguments[4] = int(arguments[4])
    sys.exit(0 if main(*arguments) else 1)
