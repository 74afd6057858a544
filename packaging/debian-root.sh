#!/bin/sh
# packaging/debian-root.sh build|test: makes a Debian 13 root, and prints the folder that holds it. In one the packages are
# built and linted. In the other one they are installed beside Debian's own RAUC and SWUpdate, over Debian's libubootenv.
set -eu
. "$(dirname "$0")/../qemu/lib.sh"

case ${1-} in
build)
	# Debian's own Rust builds them: the oldest that is supported.
	packages=build-essential,debhelper,lintian,fakeroot,cargo,rustc,pkgconf,mandoc,abigail-tools,crossbuild-essential-arm64,libstd-rust-dev:arm64,libc6-dev:arm64
	architectures=amd64,arm64
	;;
test)
	packages=libubootenv-tool,libubootenv-dev,swupdate,rauc,rauc-service,dbus,cpio,openssl,squashfs-tools,systemd,gcc,libc6-dev,pkgconf,cmake,make
	architectures=amd64
	# So that they can be installed again without network.
	keep=/incumbent
	;;
*) die "usage: packaging/debian-root.sh build|test" ;;
esac

# shellcheck disable=SC2016  # expanded by mmdebstrap
fetch='mkdir "$1/src" "$1/build" "$1/cargo"
[ -z "'${keep-}'" ] || chroot "$1" sh -c "mkdir /incumbent && cd /incumbent && apt-get download libubootenv-tool libubootenv0.1 libubootenv-dev"'

build() {
	need mmdebstrap:mmdebstrap
	mirror=$(mirror)
	proxy=
	eval "$(apt-config shell proxy Acquire::http::Proxy)"
	echo "Acquire::Retries \"5\"; ${proxy:+Acquire::http::Proxy \"$proxy\";}" >"$tmp/apt.conf"
	if [ "$(id -u)" = 0 ]; then mode=root; else mode=unshare; chmod 777 "$tmp"; fi
	mkdir "$tmp/root"
	mmdebstrap --mode=$mode --variant=apt --architectures="$architectures" --include="$packages" \
		--aptopt="$tmp/apt.conf" \
		--aptopt='APT::Install-Recommends "false"' \
		--dpkgopt='path-exclude=/usr/share/locale/*' \
		--customize-hook="$fetch" \
		trixie "$tmp/root" "deb $mirror trixie main"
}

artefact "debian-$1-root" "$0" "$packages"
echo "$out/root"
