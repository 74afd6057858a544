#!/bin/sh
# Builds the guest's Linux 6.12 (arm64) with the settings of
# kernel/bootslot.config. Prints the folder that holds Image.
set -eu
. "$(dirname "$0")/lib.sh"

fragment=$here/kernel/bootslot.config

build() {
	mkdir "$tmp/src" "$tmp/build"
	cp "$fragment" "$tmp/src/fragment"
	chmod 777 "$tmp/build"
	in_root "$root" "$tmp/src:/src" "$tmp/build:/build" -- sh -ec '
		cd /build
		tar xf /usr/src/linux-source-6.12.tar.xz --strip-components=1
		export ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu-
		export KBUILD_BUILD_TIMESTAMP=2025-01-01 KBUILD_BUILD_USER=bootslot KBUILD_BUILD_HOST=bootslot
		make -s tinyconfig
		cat /src/fragment >>.config
		make -s olddefconfig
		# A setting whose dependency is missing must not vanish silently.
		grep "^CONFIG_.*=" /src/fragment | while IFS== read -r option value; do
			case $value in
			n) grep -q "^$option=" .config && { echo "still set: $option"; exit 1; } || : ;;
			*) grep -qxF "$option=$value" .config || { echo "lost: $option=$value"; exit 1; } ;;
			esac
		done
		make -s -j'"$jobs"' Image
		chmod a+r .config'
	cp "$tmp/build/arch/arm64/boot/Image" "$tmp/build/.config" "$tmp/"
	mv "$tmp/.config" "$tmp/config"
	remove "$tmp/build"; remove "$tmp/src"
}

root=$("$here/root.sh")
artefact kernel "$0" "$fragment" "$(basename "$(dirname "$root")")"
echo "$out"
