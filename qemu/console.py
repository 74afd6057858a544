"""Talks with U-Boot in QEMU over its serial console.

As a program: console.py RUN_QEMU UBOOT FLASH COMMAND... prints U-Boot's answer to each
command. FLASH is the file of the second flash bank, where the environment is; ending
QEMU by SIGKILL afterwards is a power cut.
"""
import os, pathlib, subprocess, sys, threading

BANK = 64 << 20  # one bank of the board's flash


def boot(run_qemu, uboot, flash, commands, more_options=()):
    """Boots and runs the commands; returns the banner and the answer to each, as bytes."""
    code = pathlib.Path(str(flash) + ".code")
    code.write_bytes(pathlib.Path(uboot).read_bytes())
    os.truncate(code, BANK)
    machine = subprocess.Popen(
        [run_qemu, "-M", "virt", "-cpu", "cortex-a57", "-m", "256", "-nographic", "-nodefaults",
         "-serial", "stdio", "-monitor", "none",
         "-drive", f"if=pflash,format=raw,unit=0,file={code}",
         "-drive", f"if=pflash,format=raw,unit=1,file={flash}", *more_options],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    watchdog = threading.Timer(120, machine.kill)
    watchdog.start()

    def until_prompt():
        said = b""
        while not said.endswith(b"\n=> "):
            more = os.read(machine.stdout.fileno(), 65536)
            if not more:
                raise RuntimeError(f"QEMU ended, or U-Boot gave no prompt in time: {said!r}")
            said += more
        return said.replace(b"\r\n", b"\n")[:-4]

    try:
        banner = until_prompt()
        answers = []
        # One command after the other: while it writes flash, U-Boot throws typed bytes away.
        for command in commands:
            machine.stdin.write(command.encode() + b"\n")
            machine.stdin.flush()
            answers.append(until_prompt().split(b"\n", 1)[-1])
        return banner, answers
    finally:
        watchdog.cancel()
        machine.kill()
        machine.wait()
        code.unlink()


if __name__ == "__main__":
    for answer in boot(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:])[1]:
        sys.stdout.buffer.write(answer + b"\n")
