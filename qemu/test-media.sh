#!/bin/sh
# Tests bootslot on real drivers: boots Linux in QEMU with NOR, NAND, UBI, an SD
# card and FAT, and U-Boot before and after it on the same flash. Prints each
# check and "N passed, N failed".
set -eu
. "$(dirname "$0")/lib.sh"

# How many checks guest/media.sh has to report: a guest that dies must not pass.
expected=567

PATH=$PATH:/usr/sbin:/sbin
need python3:python3 cpio:cpio mkfs.vfat:dosfstools
uboot=$("$here/uboot.sh" nor)
kernel=$("$here/kernel.sh")
program=$("$here/build-bin.sh")
host=$(host_program)
work_folder media

answer() { python3 "$here/console.py" "$here/run.sh" "$uboot/u-boot.bin" "$work/flash.img" "$@"; }

say "U-Boot stores an environment in the flash"
head -c 67108864 /dev/zero | tr '\0' '\377' >"$work/flash.img"
answer 'setenv step from U-Boot' "setenv back 'a\\\\b'" 'saveenv' >"$work/uboot-first.txt"

say "Linux tests every medium"
test_initramfs "$program" media.sh
truncate -s 64M "$work/card.img" "$work/disk.img"
mkfs.vfat "$work/disk.img" >/dev/null
timeout "${BOOTSLOT_TIMEOUT:-600}" "$here/run.sh" -M virt -cpu cortex-a57 -m 512 -nographic -nodefaults -no-reboot \
	-serial stdio -monitor none -kernel "$kernel/Image" -initrd "$work/initramfs" \
	-append "console=ttyAMA0 quiet panic=-1 rdinit=/init \
mtdparts=0.flash:64m(code),256k(env0),256k(env1),512k(shared) \
nandsim.id_bytes=0x20,0xa2,0x00,0x15 nandsim.parts=8,8,8,128 nandsim.badblocks=8,13 nandsim.weakblocks=16:5" \
	-drive if=pflash,format=raw,unit=1,file="$work/flash.img" \
	-device sdhci-pci -device sd-card,drive=card -drive if=none,id=card,format=raw,file="$work/card.img" \
	-device virtio-blk-pci,drive=disk -drive if=none,id=disk,format=raw,file="$work/disk.img" \
	</dev/null | tr -d '\r' | tee "$work/guest.txt"

say "U-Boot reads what Linux stored"
grep -E '^(not )?ok ' "$work/guest.txt" >"$work/checks" || :
answer 'printenv for_uboot' 'printenv locked' 'setenv back_to_linux from U-Boot again' 'saveenv' >"$work/uboot-last.txt"
# verdict NAME COMMAND... : one more check, made on this machine
verdict() {
	name=$1; shift
	if "$@" >/dev/null; then echo "ok host $name"; else echo "not ok host $name"; fi | tee -a "$work/checks"
}
verdict "U-Boot reads bootslot's environment" grep -qx 'for_uboot=written by Linux' "$work/uboot-last.txt"
verdict "U-Boot reads it all" grep -qx 'locked=written twice' "$work/uboot-last.txt"
printf '%s 0x0 0x40000\n%s 0x40000 0x40000\n' "$work/flash.img" "$work/flash.img" >"$work/host.config"
read_back() {
	"$host" fw_printenv -c "$work/host.config" back_to_linux | grep -qx 'back_to_linux=from U-Boot again'
}
verdict "bootslot reads what U-Boot stored next" read_back

say "U-Boot and bootslot exchange text environments"
python3 "$here/text.py" "$here/run.sh" "$uboot/u-boot.bin" "$host" "$work" | tee -a "$work/checks"

say "U-Boot counts boots in the environment"
printf '[bootcount]\ntype = "environment"\n' >"$work/bootslot.toml"
count() {
	[ "$("$host" bootcount get --settings "$work/bootslot.toml" -c "$work/host.config")" = "$1" ]
}
answer 'setenv bootcount 0' 'setenv upgrade_available 1' 'saveenv' >/dev/null
answer '' >/dev/null
answer 'printenv bootcount' >"$work/uboot-count.txt"
verdict "U-Boot has counted two boots" grep -qx 'bootcount=2' "$work/uboot-count.txt"
verdict "bootslot bootcount get says so" count 2
"$host" bootcount reset --settings "$work/bootslot.toml" -c "$work/host.config" -l "$work"
answer '' >/dev/null
verdict "after bootslot bootcount reset U-Boot counts no more" count 0

passed=$(grep -c '^ok ' "$work/checks" || :)
failed=$(grep -c '^not ok ' "$work/checks" || :)
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] || exit 1
[ "$passed" = "$expected" ] || die "$expected checks have to pass, $passed did"
