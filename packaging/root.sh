#!/bin/sh
# Makes the small Debian 13 root in which the units are tested: systemd as process 1, OpenRC and busybox
# beside it. Prints the folder that holds it.
set -eu
. "$(dirname "$0")/../qemu/lib.sh"

packages=systemd,systemd-sysv,busybox,util-linux,gzip
# Debian's OpenRC depends on a package that Debian no longer has, and wants to be process 1: it is unpacked only.
fetch_openrc='cd "$1/tmp" && for package in openrc $(chroot "$1" apt-cache depends openrc |
	sed -n "s/^ *Depends: \\(lib\\(rc\\|einfo\\)[^ ]*\\)$/\\1/p"); do
	chroot "$1" sh -c "cd /tmp && apt-get download $package" || exit 1
done
for file in *.deb; do chroot "$1" dpkg-deb -x "/tmp/$file" /; done
rm -f *.deb'

build() {
	need mmdebstrap:mmdebstrap
	mirror=$(mirror)
	proxy=
	eval "$(apt-config shell proxy Acquire::http::Proxy)"
	echo "Acquire::Retries \"5\"; ${proxy:+Acquire::http::Proxy \"$proxy\";}" >"$tmp/apt.conf"
	if [ "$(id -u)" = 0 ]; then mode=root; else mode=unshare; chmod 777 "$tmp"; fi
	mkdir "$tmp/root"
	mmdebstrap --mode=$mode --variant=minbase --include="$packages" \
		--aptopt="$tmp/apt.conf" \
		--aptopt='APT::Install-Recommends "false"' \
		--dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
		--dpkgopt='path-exclude=/usr/share/doc/*' \
		--customize-hook="$fetch_openrc" \
		trixie "$tmp/root" "deb $mirror trixie main"
}

artefact units-root "$0" "$packages"
echo "$out/root"
