#!/bin/sh
# Makes what a factory writes into a device, "device.sh FOLDER [BOARD...]": FOLDER/disk.img (GPT: boot,
# system A, system B, data), FOLDER/device.dtb (the board's device tree with the key that U-Boot
# requires, made now and thrown away, and with boot counters), FOLDER/COUNTER.dtb (the same with another
# counter chosen), FOLDER/systems/*.itb (signed systems that turn out good, exit,
# panic and hang, are sick and break their data, and a good one signed with another key), FOLDER/BOARD.bin (U-Boot for each
# board, as the first flash bank), FOLDER/boot.scr and FOLDER/BOARD.txt (the boot script for a
# U-Boot that has none, with three slots), FOLDER/distro.txt (the variables of distro boot), and FOLDER/bootslot-1.txt
# (the variables of the script's version 1), FOLDER/update.bundle (the update as a signed bundle), and
# FOLDER/bootslot-hawkbit (the client for hawkBit).
set -eu
. "$(dirname "$0")/lib.sh"

work=$(cd "$1" && pwd)
shift
boards=${*:-nor nor-modern fat mmc guarded stock}
# The others have the modern parser, or a counter whose settings had other names.
[ "${BOOTSLOT_UBOOT:-2025.01}" != 2023.01 ] || boards=nor
# QEMU's tree depends on the machine, its processor, memory and serial ports: as in device/device.py.
# (With ACPI it would leave out the GPIO that is in the tree as soon as there is firmware.)
machine="-M virt,acpi=off -cpu cortex-a57 -m 256 -nodefaults -nographic -serial null"

PATH=$PATH:/usr/sbin:/sbin
need openssl:openssl sgdisk:gdisk mcopy:mtools mkfs.vfat:dosfstools mkfs.ext4:e2fsprogs cpio:cpio cpp:cpp
root=$("$here/root.sh")
scripts=$here/../uboot-scripts
mkdir "$work/include"
ln -s "$(cd "$scripts" && pwd)" "$work/include/env"
for board in $boards; do
	case $board in
	stock) uboot=$("$here/uboot.sh" stock) ;;
	*) uboot=$("$here/uboot.sh" "device-$board") ;;
	esac
	cp "$uboot/u-boot.bin" "$work/$board.bin"
	truncate -s 64M "$work/$board.bin"
	# shellcheck disable=SC2046  # a list of options without blanks
	"$scripts/make-boot-txt.sh" "$here/uboot/device.env" -I "$work/include" \
		'-DBOOTSLOT_SLOTS=A B C' -DBOOTSLOT_FIRST=A -DBOOTSLOT_SECOND=B \
		$(sed -n 's/^\(CONFIG_ENV_[A-Z_]*\)=\(0x[0-9a-f]*\)$/-D\1=\2/p; s/^\(CONFIG_ENV_IS_IN_[A-Z]*\)=y/-D\1=1/p' \
			"$uboot/config") >"$work/$board.txt"
done
rm -r "$work/include"
# The commands of distro boot, as boards of before standard boot have them: a C string literal for each line of them.
include=$("$here/uboot-tree.sh")/tree/include
printf '%s\n' '#define BOOT_TARGET_DEVICES(func) func(VIRTIO, virtio, 0)' '#include <config_distro_bootcmd.h>' 'BOOTENV' |
	cpp -P -I "$include" -DCONFIG_CMD_VIRTIO - |
	python3 -c 'import ast, sys; print("\n".join(ast.literal_eval("(" + sys.stdin.read() + ")").split("\0")).strip())' \
		>"$work/distro.txt"
"$scripts/expand.sh" "$here/../tests/data/scripts/bootslot-1.env" >"$work/bootslot-1.txt"
kernel=$("$here/kernel.sh")
guest=$("$here/guest.sh")
program=$("$here/build-bin.sh")
host=$(host_program)
cp "$(dirname "$program")/bootslot-hawkbit" "$work"

build=$work/build
mkdir "$build" "$build/files" "$build/keys" "$build/other-keys" "$work/systems"
[ "$(id -u)" = 0 ] || chmod 777 "$build"
for keys in keys other-keys; do
	openssl genrsa -out "$build/$keys/dev.key" 2048 2>/dev/null
	openssl req -batch -new -x509 -key "$build/$keys/dev.key" -out "$build/$keys/dev.crt"
done

# The systems differ in one file.
files=$build/files
mkdir -p "$files/bin" "$files/usr/bin" "$files/opt/bootslot" "$files/etc" "$files/proc" "$files/sys" "$files/dev" "$files/run"
(cd "$files" && cpio --quiet -id usr/bin/busybox <"$guest/guest.cpio")
ln -s /usr/bin/busybox "$files/bin/busybox"
install -m 755 "$here/guest/device-init" "$files/init"
install -m 755 "$program" "$files/opt/bootslot/bootslot"
install -m 755 "$here/guest/life" "$files/opt/bootslot/life"
mkdir -p "$files/etc/bootslot/keys"
"$host" bundle generate-key --public "$files/etc/bootslot/keys/release.pub" --secret "$build/release.key" >&2
mkdir -p "$files/usr/lib/bootslot/migrate.d"
# What an update makes of the data of a device that migrates any. That of the broken one fails, with half of it done.
step=$files/usr/lib/bootslot/migrate.d/2-step
for behaviour in good exits panics hangs sick broken; do
	echo $behaviour >"$files/etc/behaviour"
	# The good one runs from the start; all others are updates.
	version=2
	[ $behaviour != good ] || version=1
	printf 'version = %s\ninitial = 1\n' $version >"$files/usr/lib/bootslot/migrate.toml"
	rm -f "$step"
	if [ $behaviour != good ]; then
		printf '#!/bin/busybox sh\necho %s >"$BOOTSLOT_DATA_FOLDER/config"\nsync\n' $behaviour >"$step"
		[ $behaviour != broken ] || echo 'exit 1' >>"$step"
		chmod 755 "$step"
	fi
	printf 'ID=bootslot-device\nVERSION_ID=%s\n' $version >"$files/etc/os-release"
	(cd "$files" && find . | cpio --quiet -o -H newc) >"$build/initramfs-$behaviour"
done
# An update has the same kernel and programs, which the running system has too, and something to be fetched.
mkdir "$files/opt/new"
openssl rand -out "$files/opt/new/data" 3000000
echo good >"$files/etc/behaviour"
printf '#!/bin/busybox sh\necho update >"$BOOTSLOT_DATA_FOLDER/config"\nsync\n' >"$step"
printf 'ID=bootslot-device\nVERSION_ID=2\n' >"$files/etc/os-release"
(cd "$files" && find . | cpio --quiet -o -H newc) >"$build/initramfs-update"
cp "$kernel/Image" "$here/device/system.its" "$here/device/counters.dtsi" "$scripts/bootslot.cmd" "$build"

"$here/run.sh" $machine -M dumpdtb="$build/qemu.dtb" >"$build/dumpdtb.log" 2>&1 || { cat "$build/dumpdtb.log" >&2; die "no device tree"; }
in_root "$root" "$build:/build" -- sh -ec '
	cd /build
	# Room for the key, and nothing of it is in the tree of the other key.
	dtc -q -I dtb -O dts -o device.dts qemu.dtb
	cat counters.dtsi >>device.dts
	dtc -q -I dts -O dtb -p 4096 -o device.dtb device.dts
	cp device.dtb other.dtb
	sign() {
		cp "initramfs-$1" initramfs
		mkimage -E -B 200000 -f system.its -k "$3" -K "$4" -r "$2.itb" >"$2.log" || { cat "$2.log"; exit 1; }
	}
	for behaviour in good exits panics hangs sick broken update; do sign $behaviour $behaviour keys device.dtb; done
	sign good other-key other-keys other.dtb
	for counter in single-word syscon syscon-short; do
		cp device.dtb $counter.dtb
		fdtput -t s $counter.dtb /chosen u-boot,bootcount-device /$counter
	done
	rm qemu.dtb other.dtb
	mkimage -A arm64 -T script -d bootslot.cmd boot.scr >boot.scr.log
	chmod a+r *.itb *.dtb boot.scr' >&2
for system in "$build"/*.itb; do
	[ "$(stat -c %s "$system")" -le $((24 << 20)) ] || die "$system is larger than a slot"
done
mv "$build"/*.itb "$work/systems"
mv "$build"/*.dtb "$build/boot.scr" "$work"

"$host" bundle create -o "$work/update.bundle" --compatible bootslot-device --version 2 --floor 2~rc1 \
	--level 3 root="$work/systems/update.itb" >&2
"$host" bundle create -o "$work/sick.bundle" --compatible bootslot-device --version 2~sick --level 3 \
	root="$work/systems/sick.itb" >&2
for bundle in update sick; do "$host" bundle sign "$work/$bundle.bundle" --key "$build/release.key" >&2; done

# The disk: both systems are good, the data partition holds the next update.
disk=$work/disk.img
truncate -s 84M "$disk"
sgdisk -n 1:2048:+8M -c 1:boot -n 2:0:+24M -c 2:system-a -n 3:0:+24M -c 3:system-b -n 4:0:+24M -c 4:data "$disk" >/dev/null
put() { dd if="$1" of="$disk" bs=1M seek="$2" conv=notrunc status=none; }
mkfs.vfat -C -n BOOT "$build/boot" 8192 >/dev/null
put "$build/boot" 1
put "$work/systems/good.itb" 9
put "$work/systems/good.itb" 33
put "$work/systems/good.itb" 57
rm -rf "$build"
