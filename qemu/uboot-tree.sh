#!/bin/sh
# Builds U-Boot for QEMU's arm64 board with that board's own settings, "uboot-tree.sh [VERSION]" (2025.01 or
# 2023.01, see uboot-source.sh), for uboot.sh, whose variants compile in the same tree only what differs. Prints
# the folder that holds tree/, and U-Boot's fw_printenv as static programs for arm64 and amd64.
set -eu
. "$(dirname "$0")/lib.sh"

build() {
	mkdir "$tmp/tree" "$tmp/src"
	chmod 777 "$tmp/tree"
	cp "$source/u-boot.tar" "$tmp/src"
	in_root "$root" "$tmp/tree:/build" "$tmp/src:/src" -- sh -ec '
		cd /build
		tar xf /src/u-boot.tar --strip-components=1
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
		# 2023.01 has no environment file for this board, its variables are in the header.
		environment=board/emulation/qemu-arm/qemu-arm.env
		if [ -f $environment ]; then cp $environment board.env; else touch board.env; fi
		cp include/configs/qemu-arm.h board.h'
	cp "$tmp/tree/fw_printenv-arm64" "$tmp/tree/fw_printenv-amd64" "$tmp"
	remove "$tmp/src"
}

version=${1:-2025.01}
root=$("$here/root.sh")
source=$("$here/uboot-source.sh" "$version")
artefact "uboot-tree-$version" "$here/uboot-tree.sh" "$(basename "$source")"
echo "$out"
