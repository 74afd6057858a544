#!/usr/bin/env python3
"""packaging/test-recipes.py: the recipes for Yocto and Buildroot, as far as this can be tried without either.

The crates are those of Cargo.lock, oelint-adv has nothing to say (where it can be had), and each install step is run in a folder as
the recipe does it: its files have to be the ones that the packages take.
"""
import fnmatch
import os
import pathlib
import re
import subprocess
import sys
import tempfile

PROJECT = pathlib.Path(__file__).resolve().parent.parent
LAYER = PROJECT / "packaging/yocto/meta-bootslot"
VERSION = subprocess.run([PROJECT / "tools/version.sh"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
passed, failed = 0, 0


def check(name, condition, why=""):
    global passed, failed
    if condition:
        passed += 1
    else:
        failed += 1
        print(f"NOT OK {name}: {why}")


def run(name, *command, **options):
    ran = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    check(name, ran.returncode == 0, ran.stdout[-3000:])
    return ran.stdout


class Recipe:
    """As much of bitbake as these recipes need: variables, and the inline Python that asks for PACKAGECONFIG."""

    def __init__(self, path, **given):
        self.text = path.read_text()
        self.given = given
        included = re.findall(r"(?m)^require (\S+\.inc)$", self.text)
        for name in included:
            if name != "bootslot-crates.inc":
                self.text = (path.parent / name).read_text() + self.text

    def value(self, name):
        if name in self.given:
            return self.given[name]
        found = re.findall(rf'(?m)^{re.escape(name)} (?:=|\+=|=\+|\?=|\?\?=) "((?:[^"\\]|\\\n)*)"', self.text)
        if not found:
            raise KeyError(name)
        return self.expand(found[-1].replace("\\\n", " "))

    def expand(self, text):
        class Utils:
            @staticmethod
            def contains(variable, value, yes, no, _):
                return yes if value in self.value(variable).split() else no

            @staticmethod
            def filter(variable, words, _):
                return " ".join(word for word in words.split() if word in self.value(variable).split())

        class Bb:
            utils = Utils

        text = re.sub(r"\$\{@(.*?)\}(?=[\s;\"]|$)", lambda m: str(eval(m[1], {"bb": Bb, "d": None})), text)
        return re.sub(r"\$\{([A-Za-z_]\w*)\}", lambda m: self.value(m[1]), text)

    def task(self, name):
        return self.expand(re.search(rf"(?ms)^{re.escape(name)}\(\) \{{\n(.*?)^\}}", self.text)[1])


def program(path, text="#!/bin/sh\n"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def files(root):
    return {"/" + str(p.relative_to(root)) for p in root.rglob("*") if not p.is_dir() or p.is_symlink()}


def taken(recipe, packages, everywhere, installed):
    """Which of the files no package takes."""
    patterns = list(everywhere)
    for package in packages:
        patterns += recipe.value("FILES:${PN}-" + package).split()
    matches = lambda path, p: fnmatch.fnmatch(path, p) or path.startswith(p.rstrip("/") + "/")
    return {path for path in installed if not any(matches(path, p) for p in patterns)}


def yocto(work):
    places = dict(bindir="/usr/bin", libdir="/usr/lib", prefix="/usr", mandir="/usr/share/man", datadir="/usr/share",
                  includedir="/usr/include", systemd_system_unitdir="/usr/lib/systemd/system", S=str(PROJECT), PN="bootslot",
                  CARGO_TARGET_SUBDIR="triple/release", CC="cc", RUST_HOST_SYS="triple")
    for config, wanted, unwanted in [
        ("yaml update health", ["/usr/bin/fw_setenv", "/usr/share/man/man5/fw_env.config.5"], ["/usr/bin/bootslot-hawkbit"]),
        ("yaml update health http hawkbit", ["/usr/bin/bootslot-hawkbit", "/usr/share/man/man1/bootslot-hawkbit.1"], []),
    ]:
        place = work / ("yocto" + str(len(config)))
        recipe = Recipe(LAYER / "recipes-bsp/bootslot" / f"bootslot_{VERSION}.bb", **places, D=str(place / "image"), B=str(place),
                        PACKAGECONFIG=config)
        for name in "bootslot", "bootslot-hawkbit":
            program(place / "target/triple/release" / name)
        run(f"yocto, {config}: do_install", "sh", "-euc", recipe.task("do_install"))
        installed = files(place / "image")
        for path in wanted:
            check(f"yocto, {config}: {path}", path in installed, sorted(installed))
        for path in unwanted + ["/usr/lib/systemd/system/bootslot-hawkbit.service"] * ("hawkbit" not in config):
            check(f"yocto, {config}: no {path}", path not in installed)
        base = ["/usr/bin/*", "/usr/lib/systemd/*", "/usr/share/man/*", "/usr/share/doc/*"]
        left = taken(recipe, ["hawkbit", "completion"], base, installed)
        check(f"yocto, {config}: each file is in a package", not left, sorted(left))
        for name in recipe.value("SYSTEMD_SERVICE:${PN}").split():
            check(f"yocto, {config}: {name} is installed", f"/usr/lib/systemd/system/{name}" in installed)
        # What Cargo is told exists.
        flags = recipe.expand(re.search(r'(?m)^CARGO_BUILD_FLAGS:append = "(.*)"$', recipe.text)[1])
        features = set(re.findall(r"--features bootslot/(\S+)", flags))
        known = set(re.findall(r"(?m)^([a-z-]+) = \[", re.search(r"(?s)\[features\](.*?)\n\[", (PROJECT / "Cargo.toml").read_text())[1]))
        check(f"yocto, {config}: features", features and features <= known, (flags, known))

    place = work / "yocto-library"
    (place / "target/triple/release").mkdir(parents=True)
    built = place / "target/triple/release"
    run("an empty library", "cc", "-shared", "-nostdlib", "-x", "c", "/dev/null", "-Wl,-soname,libbootslot.so.0", "-o",
        str(built / "libbootslot.so"))
    (built / "libbootslot.a").write_bytes(b"!<arch>\n")
    recipe = Recipe(LAYER / "recipes-bsp/bootslot" / f"libbootslot_{VERSION}.bb",
                    **(places | dict(D=str(place / "image"), B=str(place), PN="libbootslot")))
    run("yocto, the library: do_install", "sh", "-euc", recipe.task("do_install"))
    installed = files(place / "image")
    for path in ["/usr/lib/libbootslot.so.0", "/usr/lib/libubootenv.so.0", "/usr/include/bootslot.h", "/usr/lib/pkgconfig/bootslot.pc",
                 "/usr/lib/cmake/bootslot/bootslot-config.cmake"]:
        check(f"yocto, the library: {path}", path in installed, sorted(installed))
    base = ["/usr/lib/*.so*", "/usr/lib/*.a", "/usr/include/*", "/usr/lib/pkgconfig/*", "/usr/lib/cmake/*", "/usr/share/man/man3/*"]
    check("yocto, the library: each file is in a package", not (left := taken(recipe, ["libubootenv"], base, installed)), left)

    # The boot script: what the append puts into U-Boot's tree is the project's own, and the board's text includes it.
    append = Recipe(LAYER / "recipes-bsp/u-boot/u-boot_%.bbappend", UNPACKDIR=str(LAYER / "recipes-bsp/u-boot/files"), S=str(work / "u-boot"),
                    BOOTSLOT_BOARD_ENV="bootslot-qemu-arm.env", BOOTSLOT_BOARD_ENV_PLACE="board/emulation/qemu-arm/qemu-arm.env")
    run("yocto, u-boot: do_configure", "sh", "-euc", append.task("do_configure:prepend:bootslot-uboot"))
    script = work / "u-boot/include/env/bootslot.env"
    check("yocto, u-boot: the script", script.read_bytes() == (PROJECT / "uboot-scripts/bootslot.env").read_bytes())
    fragment = LAYER / "recipes-bsp/u-boot/files/bootslot.cfg"
    check("yocto, u-boot: its settings", fragment.read_bytes() == (PROJECT / "uboot-scripts/bootslot.config").read_bytes())
    (work / "env").mkdir()
    (work / "env/bootslot.env").write_bytes(script.read_bytes())
    board = (work / "u-boot/board/emulation/qemu-arm/qemu-arm.env").read_text().replace("<env/bootslot.env>", '"bootslot.env"')
    (work / "env/board.env").write_text(board)
    text = run("yocto, u-boot: the text expands", PROJECT / "uboot-scripts/expand.sh", str(work / "env/board.env"))
    for variable in ["bootcmd=", "bootslot_load=", "bootslot_boot=", "bootslot_script="]:
        check(f"yocto, u-boot: {variable}", re.search(rf"(?m)^{variable}", text), text[:500])
    version = re.findall(r"bootslot_(\S+)\.bb", " ".join(p.name for p in LAYER.rglob("*.bb")))
    check("yocto: the recipes' version", set(version) == {VERSION}, version)

    recipes = [p for pattern in ("*.bb", "*.bbappend", "*.inc", "*.bbclass", "layer.conf", "machine/*.conf") for p in LAYER.rglob(pattern)]
    try:
        # The project has no homepage that a test may ask for.
        said = subprocess.run(["oelint-adv", "--quiet", "--release", "walnascar", "--suppress", "oelint.vars.homepageping", "--",
                               *map(str, recipes)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        check("oelint-adv", said.returncode == 0 and not re.search(r":(error|warning|info):", said.stdout), said.stdout)
    except FileNotFoundError:
        print("not tried here: oelint-adv (PyPI)")


def buildroot(work):
    package = PROJECT / "packaging/buildroot/package/bootslot"
    check("buildroot: the version", f"BOOTSLOT_VERSION = {VERSION}\n" in (package / "bootslot.mk").read_text())
    (work / "dl").mkdir(parents=True)
    (work / "vendor").mkdir()
    (work / "vendor/crate").write_text("one\n")
    run("buildroot: an archive of crates", "tar", "-C", str(work), "-cJf", str(work / f"dl/bootslot-{VERSION}-vendor.tar.xz"), "vendor")
    for options, wanted, unwanted in [
        ({}, ["/usr/bin/bootslot", "/usr/bin/fw_printenv", "/etc/init.d/S03bootslot"], ["/usr/bin/bootslot-hawkbit"]),
        ({"BR2_PACKAGE_BOOTSLOT_HAWKBIT": "y"}, ["/usr/bin/bootslot-hawkbit"], []),
        ({"BR2_PACKAGE_BOOTSLOT_TOOLS_ONLY": "y"}, ["/usr/bin/fw_setenv"], ["/etc/init.d/S03bootslot"]),
    ]:
        name = "buildroot " + (" ".join(options) or "as it is")
        place = work / f"tree{len(options)}{len(wanted)}{len(unwanted)}"
        tree, target = place / "tree", place / "target"
        tree.mkdir(parents=True)
        os.symlink(PROJECT / "packaging", tree / "packaging")
        for profile in "release", "small":
            for binary in "bootslot", "bootslot-hawkbit":
                program(tree / "target/triple" / profile / binary)
        # As much of Buildroot as the package asks for; $(@D) of its commands is the package's folder.
        harness = place / "Makefile"
        harness.write_text(f"""
INSTALL = install
TAR = tar
TARGET_DIR = {target}
RUSTC_TARGET_NAME = triple
qstrip = $(strip $(subst ",,$(1)))
BOOTSLOT_DL_DIR = {work}/dl
{"".join(f"{key} = {value}" + chr(10) for key, value in options.items())}
include {package}/bootslot.mk
{tree}/stamp-extract:
	$(BOOTSLOT_EXTRACT_CRATES)
{tree}/stamp-install:
	$(BOOTSLOT_INSTALL_TARGET_CMDS)
	$(BOOTSLOT_INSTALL_INIT_SYSV)
""")
        run(f"{name}: crates", "make", "-s", "-f", str(harness), str(tree / "stamp-extract"))
        check(f"{name}: the crates are there", (tree / "vendor/crate").exists())
        check(f"{name}: Cargo asks nobody else", 'directory = "vendor"' in (tree / ".cargo/config.toml").read_text())
        run(f"{name}: install", "make", "-s", "-f", str(harness), str(tree / "stamp-install"))
        installed = files(target) if target.exists() else set()
        for path in wanted:
            check(f"{name}: {path}", path in installed, sorted(installed))
        for path in unwanted:
            check(f"{name}: no {path}", path not in installed)
    sums = dict(reversed(line.split()[1:3]) for line in (package / "bootslot.hash").read_text().splitlines() if line.startswith("sha256"))
    for licence in "LICENSE-MIT", "LICENSE-APACHE":
        said = run("sha256sum", "sha256sum", str(PROJECT / licence)).split()[0]
        check(f"buildroot: the checksum of {licence}", sums.get(licence) == said, sums)


run("the crates are those of Cargo.lock", PROJECT / "tools/recipes.py", "--check")
md5 = {name: run("md5sum", "md5sum", str(PROJECT / name)).split()[0] for name in ("LICENSE-MIT", "LICENSE-APACHE")}
include = (LAYER / "recipes-bsp/bootslot/bootslot.inc").read_text()
for name, checksum in md5.items():
    check(f"yocto: the checksum of {name}", f"file://{name};md5={checksum}" in include)
with tempfile.TemporaryDirectory() as place:
    yocto(pathlib.Path(place))
    buildroot(pathlib.Path(place) / "buildroot")
print(f"{passed} passed, {failed} failed")
sys.exit(failed > 0)
