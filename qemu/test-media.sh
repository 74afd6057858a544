#!/bin/sh
# Tests bootslot on real drivers: boots Linux in QEMU with NOR, NAND, UBI, an SD
# card and FAT, and U-Boot before and after it on the same flash; and cuts the power of installations into a UBI
# volume. Prints each check and "N passed, N failed".
set -eu
. "$(dirname "$0")/lib.sh"

# How many checks the guest and ubi.py have to report: a guest that dies must not pass.
expected=907

PATH=$PATH:/usr/sbin:/sbin
need python3:python3 cpio:cpio mkfs.vfat:dosfstools
uboot=$("$here/uboot.sh" nor)
kernel=$("$here/kernel.sh")
program=$("$here/build-bin.sh")
host=$(host_program)
work_folder media

# Bundles for guest/slots.sh and their images, with runs of zeros and of 0xff, and one with a wrong byte.
images() {
	mkdir -p "$work/files/tests/keys"
	python3 - "$work/files/tests" <<'END'
import random, sys
some = random.Random(1).randbytes
one = some(900_000) + bytes(300_000) + some(300_000) + b"\xff" * 400_000 + some(123_457)
two = one[:500_000] + some(600_000) + b"\xff" * 300_000 + some(len(one) - 1_400_000)
for name, image in ("one", one), ("two", two):
    open(f"{sys.argv[1]}/{name}.img", "wb").write(image)
END
	"$host" bundle generate-key --public "$work/files/tests/keys/release.pub" --secret "$work/release.key" >&2
	for image in one two; do
		"$host" bundle create -o "$work/files/tests/$image.bundle" --compatible bootslot-media --version 1 \
			root="$work/files/tests/$image.img" >&2
		"$host" bundle sign "$work/files/tests/$image.bundle" --key "$work/release.key" >&2
	done
	python3 - "$work/files/tests" <<'END'
import sys
bundle = bytearray(open(f"{sys.argv[1]}/one.bundle", "rb").read())
bundle[-1000] ^= 1
open(f"{sys.argv[1]}/wrong.bundle", "wb").write(bundle)
END
	mkfs.vfat -C "$work/files/tests/fat.img" 1024 >&2
}

answer() { python3 "$here/console.py" "$here/run.sh" "$uboot/u-boot.bin" "$work/flash.img" "$@"; }

say "U-Boot stores an environment in the flash"
head -c 67108864 /dev/zero | tr '\0' '\377' >"$work/flash.img"
answer 'setenv step from U-Boot' "setenv back 'a\\\\b'" 'saveenv' >"$work/uboot-first.txt"

say "Linux tests every medium"
images
test_initramfs "$program" checks media.sh slots.sh shell.sh
truncate -s 64M "$work/card.img" "$work/disk.img"
mkfs.vfat "$work/disk.img" >/dev/null
timeout "${BOOTSLOT_TIMEOUT:-600}" "$here/run.sh" -M virt -cpu cortex-a57 -m 512 -nographic -nodefaults -no-reboot \
	-serial stdio -monitor none -kernel "$kernel/Image" -initrd "$work/initramfs" \
	-append "console=ttyAMA0 quiet panic=-1 rdinit=/init \
mtdparts=0.flash:64m(code),256k(env0),256k(env1),512k(shared),4m(slot) \
nandsim.id_bytes=0x20,0xa2,0x00,0x15 nandsim.parts=8,8,8,128,32,24 nandsim.badblocks=8,13,152,160,161 \
nandsim.weakblocks=16:5,165:1 nandsim.weakpages=10883:1 nandsim.gravepages=11909:0" \
	-drive if=pflash,format=raw,unit=1,file="$work/flash.img" \
	-device sdhci-pci -device sd-card,drive=card -drive if=none,id=card,format=raw,file="$work/card.img" \
	-device virtio-blk-pci,drive=disk -drive if=none,id=disk,format=raw,file="$work/disk.img" \
	</dev/null | tr -d '\r' | tee "$work/guest.txt"

say "Linux installs into a UBI volume, and the power fails"
python3 -B "$here/ubi.py" "$here/run.sh" "$kernel" "$work/initramfs" "$work" 40 ${BOOTSLOT_SEED:-} | tee "$work/ubi.txt"

say "U-Boot reads what Linux stored"
cat "$work/guest.txt" "$work/ubi.txt" | grep -E '^(not )?ok ' >"$work/checks" || :
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
