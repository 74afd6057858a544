#!/bin/sh
# Builds U-Boot for QEMU's arm64 board, "uboot.sh VARIANT" with the settings of
# uboot/VARIANT.config (default: nor); the devices of test-device.sh have those of
# uboot/device.config before, and uboot/device.env with the boot script compiled in.
# Prints the folder that holds u-boot.bin, and U-Boot's own fw_printenv as static
# programs, fw_printenv-arm64 and -amd64.
set -eu
. "$(dirname "$0")/lib.sh"

variant=${1:-nor}
cd "$here"
inputs=uboot/$variant.config
[ -f "$inputs" ] || die "no such variant: $variant"
case $variant in device-*) inputs="uboot/device.config $inputs uboot/device.env ../uboot-scripts/bootslot.env" ;; esac
case $variant in
device-guarded) inputs="../uboot-scripts/bootslot-hardened.config ../uboot-scripts/bootslot-guard.config $inputs" ;;
esac

build() {
	# One variant after the other in one tree. A build that was broken off may leave it in any state.
	exec 8>"$cache/log/uboot-tree.use"
	flock 8
	[ ! -e "$tree/broken-off" ] || { remove "$tree"; tree=$("$here/uboot-tree.sh"); }
	touch "$tree/broken-off"
	mkdir "$tmp/src"
	chmod 777 "$tmp/src"
	for input in $inputs; do
		case $input in
		*.config) cat "$input" >>"$tmp/src/fragment" ;;
		*) cp "$input" "$tmp/src" ;;
		esac
	done
	in_root "$root" "$tmp/src:/src" "$tree/tree:/build" -- sh -ec '
		cd /build
		export SOURCE_DATE_EPOCH=1735689600 CROSS_COMPILE=aarch64-linux-gnu-
		# Before 2026.10 this list is no setting but a line of the board header, on which all of U-Boot depends.
		list=CONFIG_ENV_FLAGS_LIST_STATIC header=include/configs/qemu-arm.h
		sed -n "s/^$list=/#define CFG_ENV_FLAGS_LIST_STATIC /p" /src/fragment | cat board.h - >/src/header
		cmp -s /src/header $header || cp /src/header $header
		sed -i "/^$list=/d" /src/fragment
		cat board.config /src/fragment >.config
		environment=board/emulation/qemu-arm/qemu-arm.env
		cp board.env $environment
		if [ -f /src/device.env ]; then
			cp /src/bootslot.env include/env
			cp /src/device.env $environment
		fi
		make -s olddefconfig
		# A setting that the tree does not know (any more) must not vanish silently. The last line about one counts.
		sed -n "s/^CONFIG_\([A-Z0-9_]*\)=.*/\1 &/p; s/^# CONFIG_\([A-Z0-9_]*\) is not set$/\1 &/p" /src/fragment |
			tac | sort -su -k1,1 | cut -d" " -f2- |
			while read -r line; do grep -qxF "$line" .config || { echo "lost: $line"; exit 1; }; done
		make -s -j'"$jobs"' u-boot.bin
		chmod a+r .config'
	cp "$tree/fw_printenv-amd64" "$tree/fw_printenv-arm64" "$tree/tree/u-boot.bin" "$tmp"
	cp "$tree/tree/.config" "$tmp/config"
	remove "$tmp/src"
	rm "$tree/broken-off"
}

root=$("$here/root.sh")
tree=$("$here/uboot-tree.sh")
# shellcheck disable=SC2086  # a list of files
artefact "uboot-$variant" "$here/uboot.sh" $inputs "$(basename "$tree")"
echo "$out"
