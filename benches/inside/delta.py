#!/usr/bin/env python3
"""The other body of benches/delta.sh: delta.py PROGRAM FOLDER. What ours needs of FOLDER/new where FOLDER/old is at hand,
from a server that counts; and what RAUC's adaptive method needs at least. Every line is "NAME bytes"."""
import hashlib, json, pathlib, subprocess, sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "qemu/device"))
from server import Server

BLOCK = 4096
program, folder = sys.argv[1], pathlib.Path(sys.argv[2])


def run(*command):
    return subprocess.run([program, *map(str, command)], cwd=folder, check=True, capture_output=True).stdout.decode()


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


def bundle(name, *more):
    (folder / name).unlink(missing_ok=True)
    run("bundle", "create", "-o", name, "--compatible", "bench", "--version", "2", "root=new", *more)
    run("bundle", "sign", name, "--key", "release.key")
    return (folder / name).stat().st_size


for name in ["release.key", "env.img"]:
    (folder / name).unlink(missing_ok=True)
(folder / "keys").mkdir(exist_ok=True)
(folder / "keys/release.pub").unlink(missing_ok=True)
run("bundle", "generate-key", "--public", "keys/release.pub", "--secret", "release.key")
print("full", bundle("full.bundle"))
print("patch", bundle("patch.bundle", "--against", "root=old"))

(folder / "fw_env.config").write_text("env.img 0x0 0x4000\nenv.img 0x4000 0x4000\n")
(folder / "bootslot.toml").write_text(
    f'script = 2\n[[slot]]\nname = "A"\ndevice = "{folder}/old"\n[[slot]]\nname = "B"\ndevice = "{folder}/target"\n'
    f'[update]\ncompatible = "bench"\nkeys = "{folder}/keys"\n')
with open(folder / "target", "wb") as target:
    target.truncate((folder / "new").stat().st_size)
device = ["--slot", "A", "--settings", "bootslot.toml", "-c", "fw_env.config", "-l", "."]
(folder / "env.img").write_bytes(bytes(0x8000))
run("fw_setenv", "-c", "fw_env.config", "-l", ".", "--init", "active_slot", "A")
run("fw_setenv", "-c", "fw_env.config", "-l", ".", "boot_success", "1")
run("fw_setenv", "-c", "fw_env.config", "-l", ".", "slot_A", "good")
server = Counting((folder / "full.bundle").read_bytes(), 1)
url = server.url.replace("10.0.2.2", "127.0.0.1")
run("install", url, "--json", *device)
with open(folder / "new", "rb") as new, open(folder / "target", "rb") as target:
    assert new.read() == target.read(), "the image is in the slot"
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
