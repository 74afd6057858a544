#!/usr/bin/env python3
"""tools/recipes.py [--check]: makes of Cargo.lock what the recipes for Yocto and Buildroot have to know of its crates.

packaging/yocto/meta-bootslot/recipes-bsp/bootslot/bootslot-crates.inc   where each is fetched, with its checksum
packaging/buildroot/package/bootslot/crates                              the same as a list, to compare a vendored tree with
"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import crates  # noqa: E402  # of this folder

YOCTO = "packaging/yocto/meta-bootslot/recipes-bsp/bootslot/bootslot-crates.inc"
BUILDROOT = "packaging/buildroot/package/bootslot/crates"


def made():
    locked = sorted((p["name"], p["version"], p["checksum"]) for p in crates.locked())
    lines = ["# Made by tools/recipes.py of Cargo.lock: do not edit.", 'SRC_URI += "\\']
    lines += [f"    crate://crates.io/{name}/{version} \\" for name, version, _ in locked]
    lines += ['"']
    lines += [f'SRC_URI[{name}-{version}.sha256sum] = "{checksum}"' for name, version, checksum in locked]
    return {YOCTO: "\n".join(lines) + "\n",
            BUILDROOT: "".join(f"{name} {version} {checksum}\n" for name, version, checksum in locked)}


stale = []
for path, text in made().items():
    place = crates.PROJECT / path
    if sys.argv[1:] == ["--check"]:
        if not place.exists() or place.read_text() != text:
            stale.append(path)
    else:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
if stale:
    sys.exit(f"not as Cargo.lock says: {', '.join(stale)}; run tools/recipes.py and commit the result")
