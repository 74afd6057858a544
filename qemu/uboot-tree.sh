#!/bin/sh
# Builds U-Boot 2025.01 for QEMU's arm64 board with that board's own settings, for
# uboot.sh, whose variants compile in the same tree only what differs. Prints the folder
# that holds tree/, and U-Boot's fw_printenv as static programs for arm64 and amd64.
set -eu
. "$(dirname "$0")/lib.sh"

build() {
	mkdir "$tmp/tree"
	chmod 777 "$tmp/tree"
	in_root "$root" "$tmp/tree:/build" -- sh -ec '
		cd /build
		tar xf /usr/src/u-boot_*.orig.tar.bz2 --strip-components=1
		export SOURCE_DATE_EPOCH=1735689600
		make -s tools-only_defconfig
		make -s envtools CC="gcc -static"
		cp tools/env/fw_printenv /tmp/fw_printenv-amd64
		make -s mrproper
		export CROSS_COMPILE=aarch64-linux-gnu-
		make -s qemu_arm64_defconfig
		make -s -j'"$jobs"' u-boot.bin
		make -s envtools CC="aarch64-linux-gnu-gcc -static"
		cp tools/env/fw_printenv fw_printenv-arm64
		mv /tmp/fw_printenv-amd64 .
		cp .config board.config
		cp board/emulation/qemu-arm/qemu-arm.env board.env
		cp include/configs/qemu-arm.h board.h'
	cp "$tmp/tree/fw_printenv-arm64" "$tmp/tree/fw_printenv-amd64" "$tmp"
}

root=$("$here/root.sh")
artefact uboot-tree "$here/uboot-tree.sh" "$(basename "$(dirname "$root")")"
echo "$out"
