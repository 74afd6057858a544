#!/bin/sh
# benches/pairs.sh 12|13: three pairs of real images, a Debian release before and after some months of updates.
# Prints their folder: old.ext4 new.ext4 old.squashfs new.squashfs old.erofs new.erofs, and beside them
# old.packages and new.packages.
#
# "old" is the release as its last point release left it (`main` alone), "new" has its security and stable
# updates too, as of the day when the cache was filled. Equal packages give equal images.
set -eu
. "$(dirname "$0")/../qemu/lib.sh"

case ${1:-} in
12) release=bookworm ;;
13) release=trixie ;;
*) die "usage: $0 12|13" ;;
esac
# A small system with a network and an interpreter, about 300 MB.
packages=systemd-sysv,dbus,udev,openssh-server,network-manager,python3,iproute2,ca-certificates
epoch=1735689600 # any, but the same in old and new: an update does not touch what it does not change

# What differs with each run of the very same packages, or with the mirror. A device makes its own host keys.
clean='cd "$1" && rm -rf etc/apt/sources.list etc/ssh/ssh_host_* var/cache/ldconfig var/cache/debconf/*-old \
	var/lib/NetworkManager/* var/lib/systemd/random-seed && find var/log -type f -exec truncate -s 0 {} +'

# root VERSION SOURCE... : the release with these sources, as a tar archive
root() {
	version=$1; shift
	SOURCE_DATE_EPOCH=$epoch mmdebstrap --mode=$mode --variant=apt --include="$packages" \
		--aptopt='Acquire::Retries "5"' --customize-hook="$clean" \
		--customize-hook="chroot \"\$1\" dpkg-query -W >'$tmp/$version.packages'" \
		$release "$tmp/$version.tar" "$@"
}

# Runs in the peers' root, with this folder at /build.
images='
	set -eu
	cd /build
	for version in old new; do
		mkdir root
		tar -C root --numeric-owner -xpf $version.tar
		mke2fs -q -t ext4 -O ^has_journal -m 0 -U 00000000-0000-4000-8000-000000000001 \
			-E hash_seed=00000000-0000-4000-8000-000000000002,root_owner=0:0 -d root $version.ext4 1G
		mksquashfs root $version.squashfs -quiet -no-progress -comp zstd -b 128K
		mkfs.erofs --quiet -zlz4hc -T $SOURCE_DATE_EPOCH -U 00000000-0000-4000-8000-000000000001 \
			$version.erofs root
		rm -r root $version.tar
	done'

build() {
	need mmdebstrap:mmdebstrap
	if [ "$(id -u)" = 0 ]; then mode=root; else mode=unshare; chmod 777 "$tmp"; fi
	main=$(mirror)
	security=${BOOTSLOT_SECURITY_MIRROR:-${main%debian*}debian-security}
	root old "deb $main $release main"
	root new "deb $main $release main" "deb $main $release-updates main" "deb $security $release-security main"
	in_root "$peers" "$tmp:/build" -- env SOURCE_DATE_EPOCH=$epoch sh -c "$images"
}

peers=$("$here/peers.sh")
artefact "pairs-$1" "$0" "$1" "$here/peers.sh"
echo "$out"
