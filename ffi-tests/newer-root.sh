#!/bin/sh
# Makes a root of Debian's next release with RAUC, SWUpdate and Mender's client as they are there: what works with the
# programs of Debian 13 (root.sh) has to work with these. Nothing is built in it. Prints the folder that holds it.
#
# Its lists count for a week only, and a mirror may be older. They are signed all the same.
set -eu
. "$(dirname "$0")/../qemu/lib.sh"

packages=$(echo rauc rauc-service dbus swupdate libubootenv-tool mender-client mender-artifact cpio openssl \
	squashfs-tools strace mount util-linux | tr ' ' ,)

build() {
	need mmdebstrap:mmdebstrap
	mirror=$(mirror)
	proxy=
	eval "$(apt-config shell proxy Acquire::http::Proxy)"
	echo "Acquire::Retries \"5\"; ${proxy:+Acquire::http::Proxy \"$proxy\";}" >"$tmp/apt.conf"
	if [ "$(id -u)" = 0 ]; then mode=root; else mode=unshare; chmod 777 "$tmp"; fi
	mkdir "$tmp/root"
	mmdebstrap --mode=$mode --variant=apt --include="$packages" \
		--aptopt="$tmp/apt.conf" --aptopt='APT::Install-Recommends "false"' \
		--aptopt='Acquire::Check-Valid-Until "false"' \
		--dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
		--customize-hook='mkdir "$1/src" "$1/build" "$1/cargo"' \
		forky "$tmp/root" "deb $mirror forky main"
}

artefact ffi-newer-root "$0" "$packages"
echo "$out/root"
