#!/bin/sh
# Makes the Debian 13 root with the real programs that the C library is tested with: SWUpdate, RAUC,
# libubootenv's tools, cargo-c, and what a big-endian program takes. Prints the folder that holds it.
#
# It is not the root of qemu/: what is built there is keyed by that root, and would be built again.
set -eu
. "$(dirname "$0")/../qemu/lib.sh"

programs="swupdate rauc rauc-service dbus libubootenv-tool libubootenv-dev cpio openssl squashfs-tools strace"
build="rustc cargo cargo-c gcc libc6-dev cmake make pkg-config"
# 32 bits, the most significant byte first. Debian has no standard library for it: it is built.
big_endian="rust-src gcc-powerpc-linux-gnu libc6-dev-powerpc-cross qemu-user"
packages=$(echo $programs $build $big_endian | tr ' ' ,)

build() {
	need mmdebstrap:mmdebstrap
	mirror=$(mirror)
	proxy=
	eval "$(apt-config shell proxy Acquire::http::Proxy)"
	echo "Acquire::Retries \"5\"; ${proxy:+Acquire::http::Proxy \"$proxy\";}" >"$tmp/apt.conf"
	if [ "$(id -u)" = 0 ]; then mode=root; else mode=unshare; chmod 777 "$tmp"; fi
	mkdir "$tmp/root"
	mmdebstrap --mode=$mode --variant=apt --include="$packages" \
		--aptopt="$tmp/apt.conf" \
		--dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
		--customize-hook='mkdir "$1/src" "$1/build" "$1/cargo"' \
		trixie "$tmp/root" "deb $mirror trixie main"
}

artefact ffi-root "$0" "$packages"
echo "$out/root"
