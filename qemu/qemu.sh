#!/bin/sh
# Unpacks Debian 12's QEMU 7.2 for the Linux guest and prints its folder. QEMU 10.0 of the
# build root fails every buffered write of a single word to pflash,
# with which Linux writes the flags byte on NOR; U-Boot in turn cannot store under 7.2.
set -eu
. "$(dirname "$0")/lib.sh"

build() {
	need mmdebstrap:mmdebstrap
	if [ "$(id -u)" = 0 ]; then mode=root; else mode=unshare; chmod 777 "$tmp"; fi
	mirror=$(mirror)
	mmdebstrap --mode=$mode --variant=extract --architectures=amd64 --include=qemu-system-arm \
		bookworm "$tmp/all.tar" "deb $mirror bookworm main"
	mkdir "$tmp/qemu"
	tar xf "$tmp/all.tar" -C "$tmp/qemu" --exclude='./dev/*' --exclude='./usr/share/doc' --exclude='./usr/share/man' \
		--exclude='./usr/share/locale' --exclude='./var'
	rm "$tmp/all.tar"
}

artefact qemu "$0"
echo "$out/qemu"
