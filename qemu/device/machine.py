"""The device's board: one QEMU process with a power switch and a serial console."""
import os, re, select, subprocess, time


class Silence(Exception):
    """The device did not say what was expected, in time or before it ended."""


class Machine:
    """A board that is switched on. Its console is read only by expect()."""

    def __init__(self, command, log):
        self.log = open(log, "ab")
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log)
        self.unread = b""

    def expect(self, pattern, timeout=60):
        """Waits for the regular expression, gives back its match; what came before is dropped."""
        pattern = re.compile(pattern)
        deadline = time.monotonic() + timeout
        while True:
            match = pattern.search(self.unread)
            if match:
                self.unread = self.unread[match.end():]
                return match
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                raise Silence(f"{timeout} s without {pattern.pattern!r}: {self.unread[-2000:]!r}")
            more = os.read(self.process.stdout.fileno(), 65536)
            if not more:
                raise Silence(f"QEMU ended without {pattern.pattern!r}: {self.unread[-2000:]!r}")
            self.log.write(more)
            self.log.flush()
            self.unread += more

    def send(self, text):
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def cut(self):
        """The power fails. What the guest has written to its media is there, all else is not.
        Gives back what it said up to then."""
        self.process.kill()
        self.process.wait()
        while more := os.read(self.process.stdout.fileno(), 65536):
            self.log.write(more)
            self.unread += more
        self.process.stdin.close()
        self.process.stdout.close()
        self.log.close()
        return self.unread
