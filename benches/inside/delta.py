#!/usr/bin/env python3
"""The other body of benches/delta.sh: delta.py PROGRAM FOLDER. What ours needs of FOLDER/new where FOLDER/old is at hand,
from a server that counts; and what RAUC's adaptive method needs at least. Every line is "NAME bytes"."""
import filecmp, hashlib, os, pathlib, subprocess, sys, tempfile

project = pathlib.Path(__file__).resolve().parents[2]
sys.path += [str(project / "benches"), str(project / "qemu/device")]
from device import Device
from server import Server

BLOCK = 4096
program, folder = sys.argv[1], pathlib.Path(sys.argv[2])


class Counted:
    """A way out that counts the bytes."""

    def __init__(self, out, server):
        self.out, self.server = out, server

    def write(self, data):
        self.server.sent += len(data)
        return self.out.write(data)

    def __getattr__(self, name):
        return getattr(self.out, name)


class Counting(Server):
    """A server that never fails, and counts what it sends."""
    sent = 0

    def answer(self, request):
        if not isinstance(request.wfile, Counted):  # a connection is used again
            request.wfile = Counted(request.wfile, self)
        super().answer(request)


with tempfile.TemporaryDirectory(dir=folder) as place:
    place = pathlib.Path(place)
    target = place / "target"
    device = Device(program, place, {"A": folder / "old", "B": target})
    print("full", device.bundle("full.bundle", folder / "new"))
    print("patch", device.bundle("patch.bundle", folder / "new", "--against", f"root={folder}/old"))
    target.write_bytes(b"")
    os.truncate(target, (folder / "new").stat().st_size)
    server = Counting((place / "full.bundle").read_bytes(), 1)
    device.run("install", server.url.replace("10.0.2.2", "127.0.0.1"), "--json", *Device.options)
    assert filecmp.cmp(folder / "new", target, shallow=False), "the image is in the slot"
    print("delta", server.sent)
    print("requests", server.asked)

# RAUC hashes blocks of 4 KiB at their places, and fetches those whose hash no block of the old image has, by ranges of
# a compressed file. All of them in one stream of zstd -19 are less than it can fetch. An index has a hash for each block.
old = (folder / "old").read_bytes()
known = {hashlib.sha256(old[at:at + BLOCK]).digest() for at in range(0, len(old), BLOCK)}
del old
new = (folder / "new").read_bytes()
missing = b"".join(new[at:at + BLOCK] for at in range(0, len(new), BLOCK)
                   if hashlib.sha256(new[at:at + BLOCK]).digest() not in known)
packed = subprocess.run(["zstd", "-q", "-19", "-c"], input=missing, stdout=subprocess.PIPE, check=True).stdout
print("rauc", len(packed) + len(new) // BLOCK * 32)
