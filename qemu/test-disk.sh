#!/bin/sh
# Tests stores on a disk that has a cache of its own, as most have: a Linux guest stores environments on raw
# blocks, FAT and ext4, QEMU logs all that its disks are told, and each moment of the log is a power cut that
# may have lost anything that was not flushed.
# "test-disk.sh [--stores N] [--states N] [--recovered N] [DISK...]". Prints each check and "N passed, N failed".
set -eu
. "$(dirname "$0")/lib.sh"

PATH=$PATH:/usr/sbin:/sbin
need python3:python3 cpio:cpio sgdisk:gdisk mcopy:mtools mkfs.vfat:dosfstools e2fsck:e2fsprogs
kernel=$("$here/kernel.sh")
program=$("$here/build-bin.sh")
work_folder disk
test_initramfs "$program" disks cuts.sh recover.sh
python3 -B "$here/disk/main.py" "$work" "$here/run.sh" "$kernel/Image" "$(host_program)" "$@"
