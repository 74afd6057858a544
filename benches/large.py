#!/usr/bin/env python3
"""benches/large.py PROGRAM [GIB]: the most memory that an installation of a large image takes. It needs twice as much room
in the folder for temporary files, and a quarter. A tenth of the image is bytes that nothing compresses."""
import os, pathlib, random, subprocess, sys, tempfile

program = pathlib.Path(sys.argv[1]).resolve()
size = int(sys.argv[2] if len(sys.argv) > 2 else 16) << 30
chance = random.Random(1)

with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)

    def run(*command):
        subprocess.run([program, *command], cwd=folder, check=True, stdout=subprocess.DEVNULL)

    filler = b"a line of a file\n" * 3500
    with open(folder / "image", "wb") as image:
        for _ in range(size >> 16):
            dense = chance.randbytes(6554)
            image.write(dense + filler[:65536 - len(dense)])
    run("bundle", "generate-key", "--public", "release.pub", "--secret", "release.key")
    run("bundle", "create", "-o", "bundle", "--compatible", "bench", "--version", "1", "--level", "1", "root=image")
    run("bundle", "sign", "bundle", "--key", "release.key")
    os.remove(folder / "image")
    (folder / "keys").mkdir()
    os.rename(folder / "release.pub", folder / "keys/release.pub")
    (folder / "fw_env.config").write_text("env 0x0 0x4000\nenv 0x4000 0x4000\n")
    (folder / "env").write_bytes(bytes(0x8000))
    config = ["-c", "fw_env.config", "-l", "."]
    run("fw_setenv", *config, "--init", "active_slot", "A")
    run("fw_setenv", *config, "boot_success", "1")
    run("fw_setenv", *config, "slot_A", "good")
    slots = "".join(f'[[slot]]\nname = "{name}"\ndevice = "{folder}/{name}"\n' for name in "AB")
    (folder / "bootslot.toml").write_text(
        f'script = 2\n{slots}[update]\ncompatible = "bench"\nkeys = "{folder}/keys"\n')
    for name in "AB":
        with open(folder / name, "wb") as slot:
            slot.truncate(size if name == "B" else 1 << 20)
    timed = subprocess.run(
        ["time", "-f", "%M", "-o", "peak", program, "install", "bundle", "--slot", "A", "--settings", "bootslot.toml", *config],
        cwd=folder, check=True)
    peak = int((folder / "peak").read_text().split()[-1])
    bundle = (folder / "bundle").stat().st_size
    print(f"installation of {size >> 30} GiB, bundle of {bundle >> 20} MiB: peak RSS {peak / 1024:.1f} MiB (goal: 24)")
