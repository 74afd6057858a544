#!/bin/sh
# Fetches U-Boot's release "uboot-source.sh VERSION" as Debian ships it: 2025.01 lies in the build root, 2023.01
# is Debian 12's. Prints the folder that holds the tarball, u-boot.tar.
set -eu
. "$(dirname "$0")/lib.sh"

version=$1
case $version in
2025.01) release=trixie ;;
2023.01) release=bookworm ;;
*) die "no such version of U-Boot: $version" ;;
esac

build() {
	if [ $release = trixie ]; then
		cp "$root"/usr/src/u-boot_"$version"*.orig.tar.* "$tmp/u-boot.tar"
		return
	fi
	# This machine's apt, with lists of its own.
	mkdir -p "$tmp/apt/lists/partial" "$tmp/apt/cache/archives/partial"
	echo "deb-src $(mirror) $release main" >"$tmp/apt/sources"
	apt() {
		(cd "$tmp/apt" && apt-get -q -o Dir::Etc::SourceList="$tmp/apt/sources" -o Dir::Etc::SourceParts=/dev/null \
			-o Dir::State::Lists="$tmp/apt/lists" -o Dir::Cache="$tmp/apt/cache" -o APT::Sandbox::User= \
			-o Acquire::Retries=5 "$@")
	}
	apt update
	apt source --tar-only u-boot
	mv "$tmp"/apt/u-boot_"$version"*.orig.tar.* "$tmp/u-boot.tar"
	remove "$tmp/apt"
}

root=$("$here/root.sh")
artefact "uboot-source-$version" "$here/uboot-source.sh" "$(basename "$(dirname "$root")")"
echo "$out"
