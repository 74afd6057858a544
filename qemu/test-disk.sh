#!/bin/sh
# Tests stores on a disk that has a cache of its own, as most have: a Linux guest stores environments on raw
# blocks, FAT and ext4, QEMU logs all that its disks are told, and each moment of the log is a power cut that
# may have lost anything that was not flushed. "test-disk.sh [--stores N] [--states N] [--recovered N] [DISK...]". Prints each
# check and "N passed, N failed".
set -eu
. "$(dirname "$0")/lib.sh"

PATH=$PATH:/usr/sbin:/sbin
need python3:python3 cpio:cpio sgdisk:gdisk mcopy:mtools mkfs.vfat:dosfstools e2fsck:e2fsprogs
kernel=$("$here/kernel.sh")
guest=$("$here/guest.sh")
program=$("$here/build-bin.sh")
work=$(mktemp -d "$cache/disk.XXXXXX")
# What has failed is there to be looked at.
trap 'if [ $? != 0 ] || [ -n "${BOOTSLOT_KEEP:-}" ]; then say "kept: $work"; else rm -rf "$work"; fi' EXIT
mkdir -p "$work/files/opt/bootslot" "$work/files/tests"
install -m 755 "$here/guest/init" "$work/files/init"
cp "$here/guest/cuts.sh" "$here/guest/recover.sh" "$work/files/tests"
install -m 755 "$program" "$work/files/opt/bootslot/fw_setenv"
ln -s fw_setenv "$work/files/opt/bootslot/fw_printenv"
(cd "$work/files" && find . | cpio --quiet -o -H newc) | cat "$guest/guest.cpio" - >"$work/initramfs"
python3 -B "$here/disk/main.py" "$work" "$here/run.sh" "$kernel/Image" "$(host_program)" "$@"
