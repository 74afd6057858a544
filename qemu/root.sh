#!/bin/sh
# Makes the Debian 13 build root: amd64 with an arm64 cross toolchain, Rust 1.85,
# QEMU 10 and the sources of U-Boot and Linux. Prints the folder that holds it.
set -eu
. "$(dirname "$0")/lib.sh"

rust="rustc cargo libstd-rust-dev:arm64"
cross="gcc gcc-aarch64-linux-gnu libc6-dev:arm64 make bc bison flex cpio kmod perl python3 xz-utils bzip2"
uboot="libssl-dev libgnutls28-dev python3-dev python3-setuptools python3-pyelftools swig uuid-dev device-tree-compiler"
linux="linux-source-6.12 libelf-dev rsync"
tools="qemu-system-arm u-boot-tools libubootenv-tool libubootenv-dev"
packages=$(echo $rust $cross $uboot $linux $tools | tr ' ' ,)

# U-Boot's release as Debian ships it; only the tarball, its name and hash come from the index.
fetch_uboot='cd "$1/usr/src"
chroot "$1" apt-get source --print-uris u-boot | tr -d "'\''" | while read -r uri file size hash; do
	case $file in *.orig.tar.bz2) chroot "$1" /usr/lib/apt/apt-helper download-file "$uri" "/usr/src/$file" "$hash" ;; esac
done
test -s u-boot_*.orig.tar.bz2'

build() {
	need mmdebstrap:mmdebstrap
	mirror=$(mirror)
	proxy=
	eval "$(apt-config shell proxy Acquire::http::Proxy)"
	echo "Acquire::Retries \"5\"; ${proxy:+Acquire::http::Proxy \"$proxy\";}" >"$tmp/apt.conf"
	if [ "$(id -u)" = 0 ]; then mode=root; else mode=unshare; chmod 777 "$tmp"; fi
	mkdir "$tmp/root"
	mmdebstrap --mode=$mode --variant=apt --architectures=amd64,arm64 --include="$packages" \
		--aptopt="$tmp/apt.conf" \
		--dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
		--customize-hook="$fetch_uboot" \
		--customize-hook='mkdir "$1/src" "$1/build" "$1/cargo"' \
		trixie "$tmp/root" "deb $mirror trixie main" "deb-src $mirror trixie main"
}

artefact root "$0" "$packages"
echo "$out/root"
