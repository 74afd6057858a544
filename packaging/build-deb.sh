#!/bin/sh
# packaging/build-deb.sh [--prebuilt FOLDER] [--host ARCHITECTURE] [--source] OUT: builds the Debian packages of what is committed
# into the folder OUT, in a Debian 13 root and without network, and has lintian look at all of it.
#   --prebuilt FOLDER   compile nothing: take bootslot, bootslot-hawkbit, libbootslot.so and libbootslot.a from there
#   --host arm64        build for that architecture
#   --source            make the source package, too, with the crates
set -eu
. "$(dirname "$0")/../qemu/lib.sh"
prebuilt= host= source=
while [ $# -gt 1 ]; do
	case $1 in
	--prebuilt) prebuilt=$(realpath "$2"); shift ;;
	--host) host=$2; shift ;;
	--source) source=yes ;;
	*) die "what is $1?" ;;
	esac
	shift
done
[ $# = 1 ] || die "usage: packaging/build-deb.sh [--prebuilt FOLDER] [--host ARCHITECTURE] [--source] OUT"
mkdir -p "$1"
out=$(realpath "$1")
root=$("$here/debian-root.sh" build)
cd "$here/.."
version=$(tools/version.sh)
dist=${CARGO_TARGET_DIR:-target}/dist
if [ -n "$prebuilt" ] && [ -z "$source" ]; then with=; else with=--vendor; fi
# shellcheck disable=SC2086  # none or one
tools/dist.sh $with >&2

# The sources as a Debian developer unpacks them.
rm -rf "${out:?}"/*
cp "$dist/bootslot-$version.tar.gz" "$out/bootslot_$version.orig.tar.gz"
tar -xzf "$out/bootslot_$version.orig.tar.gz" -C "$out"
if [ -n "$with" ]; then
	cp "$dist/bootslot-$version-vendor.tar.xz" "$out/bootslot_$version.orig-vendor.tar.xz"
	tar -xJf "$out/bootslot_$version.orig-vendor.tar.xz" -C "$out/bootslot-$version"
fi
cp -R packaging/debian "$out/bootslot-$version/debian"

set -- "$out:/build"
[ -z "$prebuilt" ] || set -- "$@" "$prebuilt:/cargo"
# shellcheck disable=SC2016  # expanded inside
in_root "$root" "$@" -- unshare --net sh -eu -c '
	cd "/build/bootslot-$1"
	[ -z "$2" ] || export DEB_BUILD_PROFILES=pkg.bootslot.prebuilt BOOTSLOT_PREBUILT=/cargo
	if [ -n "$4" ]; then kind=-F; else kind=-b; fi
	# What the root has is what the package asks for; but the tools of the other architecture have names of their own.
	[ -z "$3" ] || kind="$kind -d -a$3 -Pcross"
	export DEB_BUILD_OPTIONS="nocheck parallel=$(nproc)"
	dpkg-buildpackage -us -uc $kind
	cd ..
	lintian --fail-on error,warning ./*.changes
' sh "$version" "$prebuilt" "$host" "$source" >&2
rm -rf "$out/bootslot-$version"
ls "$out" >&2
