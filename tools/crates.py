#!/usr/bin/env python3
"""What comes from crates.io, as a release tells of it.

tools/crates.py list            Cargo.lock's crates, one a line: name, version, SHA-256
tools/crates.py sbom            the same as CycloneDX 1.5, with licences and who needs whom (asks `cargo metadata`)
tools/crates.py slim FOLDER     empties those of `cargo vendor`'s crates that no Linux target builds
"""
import json
import pathlib
import re
import subprocess
import sys
import tomllib
import uuid

PROJECT = pathlib.Path(__file__).resolve().parent.parent
# What is shipped: programs and libraries for devices, and what tests them is not.
TARGETS = ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu", "armv7-unknown-linux-gnueabihf",
           "powerpc-unknown-linux-gnu", "riscv64gc-unknown-linux-gnu", "i686-unknown-linux-gnu"]


def locked():
    """The crates of Cargo.lock that come from a registry, in its order."""
    lock = tomllib.loads((PROJECT / "Cargo.lock").read_text())
    return [package for package in lock["package"] if "checksum" in package]


def metadata(*options):
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--all-features", *options]
    return json.loads(subprocess.run(command, cwd=PROJECT, check=True, stdout=subprocess.PIPE).stdout)


def crate_list():
    for package in locked():
        print(package["name"], package["version"], package["checksum"])


def shipped(data):
    """The ids of the packages that the programs and the library are built of, by package who needs which."""
    roots = [p["id"] for p in data["packages"] if p["name"] in ("bootslot", "bootslot-hawkbit")]
    needs = {}
    for node in data["resolve"]["nodes"]:
        normal = [d["pkg"] for d in node["deps"] if any(kind["kind"] != "dev" for kind in d["dep_kinds"])]
        needs[node["id"]] = sorted(normal)
    found, waiting = set(), list(roots)
    while waiting:
        package = waiting.pop()
        if package not in found:
            found.add(package)
            waiting.extend(needs.get(package, []))
    return roots, found, needs


def sbom():
    data = metadata("--filter-platform", TARGETS[0])
    roots, found, needs = shipped(data)
    packages = {package["id"]: package for package in data["packages"]}
    sums = {(p["name"], p["version"]): p["checksum"] for p in locked()}

    def reference(package):
        return f"pkg:cargo/{package['name']}@{package['version']}"

    def component(package):
        name, version = package["name"], package["version"]
        made = {"type": "library", "bom-ref": reference(package), "name": name, "version": version,
                "purl": reference(package), "scope": "required"}
        if package.get("description"):
            made["description"] = " ".join(package["description"].split())
        if package.get("license"):
            # Some crates still separate alternatives by a slash, which is no SPDX expression.
            made["licenses"] = [{"expression": re.sub(r"\s*/\s*", " OR ", package["license"])}]
        if (name, version) in sums:
            made["hashes"] = [{"alg": "SHA-256", "content": sums[name, version]}]
        if package.get("repository"):
            made["externalReferences"] = [{"type": "vcs", "url": package["repository"]}]
        return made

    main = next(packages[i] for i in roots if packages[i]["name"] == "bootslot")
    top = component(main) | {"type": "application"}
    components = sorted((component(packages[i]) for i in found if i != main["id"]), key=lambda c: c["bom-ref"])
    dependencies = sorted(
        ({"ref": reference(packages[i]), "dependsOn": sorted(reference(packages[d]) for d in needs[i] if d in found)}
         for i in found), key=lambda d: d["ref"])
    # Made of what it tells of, so that the same source gives the same bytes.
    name = json.dumps([c["bom-ref"] for c in components] + [top["bom-ref"]])
    bom = {"bomFormat": "CycloneDX", "specVersion": "1.5",
           "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, name)}", "version": 1,
           "metadata": {"component": top}, "components": components, "dependencies": dependencies}
    print(json.dumps(bom, indent=2, sort_keys=True))


def slim(folder):
    """Crates for Windows and the like have to be there, since Cargo.lock names them, but nobody builds them."""
    built = set()
    for target in TARGETS:
        data = metadata("--filter-platform", target)
        built |= {(package["name"], package["version"]) for package in data["packages"] if package["source"]}
    sums = {(p["name"], p["version"]): p["checksum"] for p in locked()}
    emptied = 0
    for name, version in sums:
        if (name, version) in built:
            continue
        crate = pathlib.Path(folder) / f"{name}-{version}"
        manifest = (crate / "Cargo.toml").read_text()
        kept = tomllib.loads(manifest)
        lib = kept.get("lib", {}).get("path", "src/lib.rs")
        for path in sorted(crate.rglob("*"), reverse=True):
            if path.is_dir():
                path.rmdir()
            elif path.name != "Cargo.toml":
                path.unlink()
        # What the manifest names has to be there, too.
        manifest = re.sub(r'(?ms)^\[\[(bin|test|example|bench)\]\].*?(?=^\[|\Z)', "", manifest)
        manifest = re.sub(r'(?m)^(build|links) = .*\n', "", manifest)
        (crate / "Cargo.toml").write_text(manifest)
        (crate / lib).parent.mkdir(parents=True, exist_ok=True)
        (crate / lib).write_text("")
        checksum = {"files": {}, "package": sums[name, version]}
        (crate / ".cargo-checksum.json").write_text(json.dumps(checksum))
        emptied += 1
    print(f"{emptied} crates are empty, {len(sums) - emptied} are whole", file=sys.stderr)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["list"]:
            crate_list()
        case ["sbom"]:
            sbom()
        case ["slim", folder]:
            slim(folder)
        case _:
            sys.exit(__doc__)
