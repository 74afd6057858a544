#!/bin/sh
# benches/peers.sh: the Debian 13 root with the programs that the figures of bundles need, the peers' and those
# that make images. Prints its folder. One release for all machines: its mke2fs, unlike older ones, can make the
# same image twice.
set -eu
. "$(dirname "$0")/../qemu/lib.sh"

packages=casync,e2fsprogs,erofs-utils,squashfs-tools,xdelta3,zchunk,zstd,rauc,rauc-service,swupdate,dbus,libubootenv-tool,cpio,openssl

build() {
	need mmdebstrap:mmdebstrap
	if [ "$(id -u)" = 0 ]; then mode=root; else mode=unshare; chmod 777 "$tmp"; fi
	mmdebstrap --mode=$mode --variant=apt --include="$packages" \
		--aptopt='Acquire::Retries "5"' \
		--aptopt='APT::Install-Recommends "0"' \
		--dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
		--customize-hook='mkdir "$1/src" "$1/build" "$1/cargo"' \
		trixie "$tmp/root" "deb $(mirror) trixie main"
}

artefact peers "$0" "$packages"
echo "$out/root"
