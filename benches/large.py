#!/usr/bin/env python3
"""benches/large.py PROGRAM [GIB]: the most memory that an installation of a large image takes. It needs twice as much room
in the folder for temporary files, and a quarter. A tenth of the image is bytes that nothing compresses."""
import os, pathlib, random, subprocess, sys, tempfile

from device import Device

program = pathlib.Path(sys.argv[1]).resolve()
size = int(sys.argv[2] if len(sys.argv) > 2 else 16) << 30
chance = random.Random(1)

with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)

    filler = b"a line of a file\n" * 3500
    with open(folder / "image", "wb") as image:
        for _ in range(size >> 16):
            dense = chance.randbytes(6554)
            image.write(dense + filler[:65536 - len(dense)])
    device = Device(program, folder, {name: folder / name for name in "AB"})
    bundle = device.bundle("bundle", "image", "--level", "1")
    os.remove(folder / "image")
    for name in "AB":
        with open(folder / name, "wb") as slot:
            slot.truncate(size if name == "B" else 1 << 20)
    timed = subprocess.run(
        ["time", "-f", "%M", "-o", "peak", program, "install", "bundle", *Device.options],
        cwd=folder, check=True)
    peak = int((folder / "peak").read_text().split()[-1])
    print(f"installation of {size >> 30} GiB, bundle of {bundle >> 20} MiB: peak RSS {peak / 1024:.1f} MiB (goal: 24)")
