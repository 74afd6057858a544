#!/bin/sh
# Builds U-Boot for QEMU's arm64 board, "uboot.sh VARIANT" with the settings of
# uboot/VARIANT.config (default: nor). Prints the folder that holds u-boot.bin,
# and U-Boot's own fw_printenv as static programs, fw_printenv-arm64 and -amd64.
set -eu
. "$(dirname "$0")/lib.sh"

variant=${1:-nor}
fragment=$here/uboot/$variant.config
[ -f "$fragment" ] || die "no such variant: $variant"

build() {
	mkdir "$tmp/src" "$tmp/build"
	chmod 777 "$tmp/src" "$tmp/build"
	cp "$fragment" "$tmp/src/fragment"
	in_root "$root" "$tmp/src:/src" "$tmp/build:/build" -- sh -ec '
		cd /build
		tar xf /usr/src/u-boot_*.orig.tar.bz2 --strip-components=1
		export SOURCE_DATE_EPOCH=1735689600
		make -s tools-only_defconfig
		make -s envtools CC="gcc -static"
		cp tools/env/fw_printenv /src/fw_printenv-amd64
		make -s mrproper
		export CROSS_COMPILE=aarch64-linux-gnu-
		make -s qemu_arm64_defconfig
		cat /src/fragment >>.config
		make -s olddefconfig
		# A setting that the tree does not know (any more) must not vanish silently.
		grep CONFIG_ /src/fragment | while read -r line; do grep -qxF "$line" .config || { echo "lost: $line"; exit 1; }; done
		make -s -j'"$jobs"' u-boot.bin
		make -s envtools CC="aarch64-linux-gnu-gcc -static"
		cp tools/env/fw_printenv fw_printenv-arm64
		chmod a+r .config'
	cp "$tmp/src/fw_printenv-amd64" "$tmp/build/fw_printenv-arm64" "$tmp/build/u-boot.bin" "$tmp"
	cp "$tmp/build/.config" "$tmp/config"
	remove "$tmp/build"; remove "$tmp/src"
}

root=$("$here/root.sh")
artefact "uboot-$variant" "$0" "$fragment" "$(basename "$(dirname "$root")")"
echo "$out"
