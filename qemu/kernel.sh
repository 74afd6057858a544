#!/bin/sh
# Builds the guest's Linux 6.12 (arm64) with the settings of
# kernel/bootslot.config. Prints the folder that holds Image.
#
# The kernel's test device, mtdram, is built three times more: as NOR, whose bits only an
# erase sets again (QEMU's own flash stores what it is given), as NOR with ECC, which
# refuses to program a unit that holds something, and as DataFlash, whose pages every
# write erases by itself. A last device only answers as NOR does (kernel/pretended-nor.c). And the driver of
# QEMU's own flash goes round a fault of that flash.
set -eu
. "$(dirname "$0")/lib.sh"

fragment=$here/kernel/bootslot.config
pretended=$here/kernel/pretended-nor.c

build() {
	mkdir "$tmp/src" "$tmp/build"
	cp "$fragment" "$tmp/src/fragment"
	cp "$pretended" "$tmp/src/"
	chmod 777 "$tmp/build"
	in_root "$root" "$tmp/src:/src" "$tmp/build:/build" -- sh -ec '
		cd /build
		tar xf /usr/src/linux-source-6.12.tar.xz --strip-components=1
		# device NAME TYPE FLAGS COMMAND...: a copy of mtdram with this type, changed by sed
		device() {
			sed -e "s/mtdram/$1/g; s/MTD_RAM;/$2;/; s/MTD_CAP_RAM;/$3;/; /include.*$1/d" \
				-e "s/^int $1_init/static &/" -e "$4" \
				drivers/mtd/devices/mtdram.c >drivers/mtd/devices/$1.c
			echo "obj-\$(CONFIG_MTD_MTDRAM) += $1.o" >>drivers/mtd/devices/Makefile
		}
		device mtdnor MTD_NORFLASH MTD_CAP_NORFLASH \
			"s/memcpy((char .*, buf, len);/for (size_t i = 0; i < len; i++) ((u8 *)mtd->priv)[to + i] \&= buf[i];/"
		grep -q "&= buf" drivers/mtd/devices/mtdnor.c
		device mtdecc MTD_NORFLASH MTD_WRITEABLE \
			"s/memcpy((char .*, buf, len);/if ((to | len) % 16) return -EINVAL; for (size_t i = 0; i < len; i++) if (((u8 *)mtd->priv)[to + i] != 0xff) return -EIO; memcpy((u8 *)mtd->priv + to, buf, len);/; s/writesize = 1;/writesize = 16;/"
		grep -q "return -EIO" drivers/mtd/devices/mtdecc.c
		grep -q "writesize = 16" drivers/mtd/devices/mtdecc.c
		device mtddataflash MTD_DATAFLASH MTD_WRITEABLE \
			"s/writesize = 1;/writesize = 512;/; s/erasesize = MTDRAM_ERASE_SIZE/erasesize = 512/"
		grep -q "erasesize = 512" drivers/mtd/devices/mtddataflash.c
		# QEMU refuses to program a single word by way of the buffer, which UBI does before each erase of NOR.
		sed -i "/^static int cfi_intelext_write_buffers/,/^}/s/^\tvec.iov_base/\tif (len <= 8) return cfi_intelext_write_words(mtd, to, len, retlen, buf);\n&/" \
			drivers/mtd/chips/cfi_cmdset_0001.c
		grep -q "len <= 8" drivers/mtd/chips/cfi_cmdset_0001.c
		cp /src/pretended-nor.c drivers/mtd/devices/
		echo "obj-\$(CONFIG_MTD_MTDRAM) += pretended-nor.o" >>drivers/mtd/devices/Makefile
		export ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu-
		export KBUILD_BUILD_TIMESTAMP=2025-01-01 KBUILD_BUILD_USER=bootslot KBUILD_BUILD_HOST=bootslot
		make -s tinyconfig
		cat /src/fragment >>.config
		make -s olddefconfig
		# A setting whose dependency is missing must not vanish silently.
		grep "^CONFIG_.*=" /src/fragment | while IFS== read -r option value; do
			case $value in
			n) grep -q "^$option=" .config && { echo "still set: $option"; exit 1; } || : ;;
			*) grep -qxF "$option=$value" .config || { echo "lost: $option=$value"; exit 1; } ;;
			esac
		done
		make -s -j'"$jobs"' Image
		chmod a+r .config'
	cp "$tmp/build/arch/arm64/boot/Image" "$tmp/build/.config" "$tmp/"
	mv "$tmp/.config" "$tmp/config"
	remove "$tmp/build"; remove "$tmp/src"
}

root=$("$here/root.sh")
artefact kernel "$0" "$fragment" "$pretended" "$(basename "$(dirname "$root")")"
echo "$out"
