#!/bin/sh
# Makes the guest's programs (Debian 13 arm64: busybox, libubootenv's and U-Boot's
# tools, mtd-utils, dmsetup) as an initramfs. Prints the folder that holds guest.cpio.
set -eu
. "$(dirname "$0")/lib.sh"

packages=busybox-static,libubootenv-tool,mtd-utils,dmsetup

build() {
	need mmdebstrap:mmdebstrap cpio:cpio
	if [ "$(id -u)" = 0 ]; then mode=root; else mode=unshare; chmod 777 "$tmp"; fi
	mirror=$(mirror)
	# Only unpacked, nothing of it runs on this machine.
	mmdebstrap --mode=$mode --variant=extract --architectures=arm64 --include=$packages \
		trixie "$tmp/all.tar" "deb $mirror trixie main"
	mkdir "$tmp/guest"
	tar xf "$tmp/all.tar" -C "$tmp/guest" --exclude='./dev/*' --exclude='./usr/share' --exclude='./var' \
		--exclude='*/gconv' --exclude='*/libcrypto.so*' --exclude='*/libssl.so*' --exclude='*/libnss*' --exclude='mkfs.*'
	cd "$tmp/guest"
	for folder in bin sbin lib; do ln -s usr/$folder $folder; done
	mkdir -p proc sys run tmp mnt root var/lock
	install -m 755 "$uboot/fw_printenv-arm64" usr/bin/uboot_fw_printenv
	# U-Boot's program does what its name says.
	mkdir -p opt/uboot
	ln -s /usr/bin/uboot_fw_printenv opt/uboot/fw_printenv
	ln -s /usr/bin/uboot_fw_printenv opt/uboot/fw_setenv
	find . | cpio -o -H newc >"$tmp/guest.cpio"
	cd "$cache"
	rm -rf "$tmp/guest" "$tmp/all.tar"
}

uboot=$("$here/uboot-tree.sh")
artefact guest "$0" $packages "$(basename "$uboot")"
echo "$out"
