#!/bin/sh
# Builds U-Boot for QEMU's arm64 board, "uboot.sh VARIANT" with the settings of
# uboot/VARIANT.config (default: nor); the devices of test-device.sh have those of
# uboot/device.config before, and uboot/device.env with the boot script compiled in.
# BOOTSLOT_UBOOT is its version: 2025.01 or 2023.01, see uboot-source.sh.
# Prints the folder that holds u-boot.bin, and U-Boot's own fw_printenv as static
# programs, fw_printenv-arm64 and -amd64.
set -eu
. "$(dirname "$0")/lib.sh"

variant=${1:-nor}
cd "$here"
inputs=uboot/$variant.config
version=${BOOTSLOT_UBOOT:-2025.01}
# Settings that U-Boot has renamed, as boards are told: a fragment has both names, and one has to take effect.
renamed=$(sed -n 's/^| `CONFIG_\([A-Z_]*\)` | [0-9.]* | `CONFIG_\([A-Z_]*\)` |$/\1 \2/p' ../uboot-scripts/README.md)
[ -f "$inputs" ] || die "no such variant: $variant"
case $variant in
device-*) inputs="../uboot-scripts/bootslot.config uboot/device.config $inputs uboot/device.env ../uboot-scripts/bootslot.env" ;;
esac
case $variant in
device-guarded) inputs="../uboot-scripts/bootslot-hardened.config ../uboot-scripts/bootslot-guard.config $inputs" ;;
esac

build() {
	# One variant after the other in one tree. A build that was broken off may leave it in any state.
	exec 8>"$cache/log/uboot-tree-$version.use"
	flock 8
	[ ! -e "$tree/broken-off" ] || { remove "$tree"; tree=$("$here/uboot-tree.sh" "$version"); }
	touch "$tree/broken-off"
	mkdir "$tmp/src"
	chmod 777 "$tmp/src"
	for input in $inputs; do
		case $input in
		*.config) cat "$input" >>"$tmp/src/fragment" ;;
		*) cp "$input" "$tmp/src" ;;
		esac
	done
	echo "$renamed" >"$tmp/src/renamed"
	in_root "$root" "$tmp/src:/src" "$tree/tree:/build" -- sh -ec '
		cd /build
		export SOURCE_DATE_EPOCH=1735689600 CROSS_COMPILE=aarch64-linux-gnu-
		# Before 2026.10 this list is no setting but a macro of the board header, on which all of U-Boot depends.
		list=CONFIG_ENV_FLAGS_LIST_STATIC header=include/configs/qemu-arm.h
		cp board.h /src/header
		if ! grep -qx "config ${list#CONFIG_}" env/Kconfig; then
			macro=$(sed -n "s/^#ifndef \(C[A-Z]*_ENV_FLAGS_LIST_STATIC\)$/\1/p" include/env_flags.h)
			sed -n "s/^$list=/#define $macro /p" /src/fragment >>/src/header
			sed -i "/^$list=/d" /src/fragment
		fi
		environment=board/emulation/qemu-arm/qemu-arm.env
		cp board.env $environment
		if [ -f /src/device.env ]; then
			mkdir -p include/env
			cp /src/bootslot.env include/env
			cp /src/device.env $environment
			# 2023.01 has this board'"'"'s variables in the header, and takes them last.
			if grep -q EXTRA_ENV_SETTINGS board.h; then echo "#undef CONFIG_EXTRA_ENV_SETTINGS" >>/src/header; fi
		fi
		cmp -s /src/header $header || cp /src/header $header
		cat board.config /src/fragment >.config
		make -s olddefconfig
		# A setting that the tree does not know (any more) must not vanish silently. The last line about one counts.
		sed -n "s/^CONFIG_\([A-Z0-9_]*\)=.*/\1 &/p; s/^# CONFIG_\([A-Z0-9_]*\) is not set$/\1 &/p" /src/fragment |
			tac | sort -su -k1,1 |
			while read -r name line; do
				case $line in
				"#"*) grep -q "^CONFIG_$name=" .config || continue ;;
				*) grep -qxF "$line" .config && continue ;;
				esac
				# The other name of a setting has to have the same value.
				other=$(sed -n "s/^$name \(.*\)/\1/p; s/^\(.*\) $name$/\1/p" /src/renamed)
				[ -n "$other" ] && grep -qxF "CONFIG_$other=${line#*=}" .config || { echo "lost: $line"; exit 1; }
			done
		make -s -j'"$jobs"' u-boot.bin
		chmod a+r .config'
	cp "$tree/fw_printenv-amd64" "$tree/fw_printenv-arm64" "$tree/tree/u-boot.bin" "$tmp"
	cp "$tree/tree/.config" "$tmp/config"
	remove "$tmp/src"
	rm "$tree/broken-off"
}

root=$("$here/root.sh")
tree=$("$here/uboot-tree.sh" "$version")
# shellcheck disable=SC2086  # a list of files
artefact "uboot-$variant" "$here/uboot.sh" $inputs "$renamed" "$(basename "$tree")"
echo "$out"
