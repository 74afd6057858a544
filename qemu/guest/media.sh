# Runs in the guest: the same checks on every medium, with bootslot's programs and
# with two other readers and writers, libubootenv's and U-Boot's.
# Prints "done N" at the end.

[ -z "$commands" ] || exit 0
. /tests/checks
lue=/usr/bin
uboot=/opt/uboot

print() { "$1/fw_printenv" -c "$conf" -n "$2"; }
# set_ TOOL NAME VALUE (libubootenv takes an option-like value for an option)
set_() { tool=$1; shift; "$tool/fw_setenv" -c "$conf" "$@"; }
env_check() { $ours/bootslot env check -c "$conf"; }
env_repair() { $ours/bootslot env repair -c "$conf"; }

# all_read NAME VALUE : bootslot and the $others see this value
all_read() {
	for reader in $ours $others; do
		is "$2" print "$reader" "$1" || { echo "reader: $reader"; return 1; }
	done
}

rounds() {
	for round in 1 2 3 4 5 6 7 8; do
		set_ $ours round $round && all_read round $round || return 1
	done
}

turns() {
	for writer in $writers $ours $writers; do
		set_ "$writer" turn "by $writer" && all_read turn "by $writer" || { echo "writer: $writer"; return 1; }
	done
}

# stores MEDIUM : init, then writes by all tools in turn. Needs $conf, $others (who
# reads) and $writers (who writes as well).
stores() {
	medium=$1
	check "$medium: nothing valid yet, set is refused" not set_ $ours x 1
	check "$medium: init" $ours/fw_setenv --init -c "$conf" first one
	check "$medium: all readers see it" all_read first one
	check "$medium: 8 stores, each read by all" rounds
	long=$(head -c 1500 /dev/zero | tr '\0' x)
	check "$medium: long value" set_ $ours long "$long"
	check "$medium: long value read by all" all_read long "$long"
	check "$medium: odd value" set_ $ours odd 'a "b" $c; \d = e'
	check "$medium: odd value read by all" all_read odd 'a "b" $c; \d = e'
	[ -z "$writers" ] || check "$medium: tools write in turn" turns
	check "$medium: delete" set_ $ours odd
	check "$medium: deleted for all" fails 1 print $ours odd
}

# suite MEDIUM : the stores, then damage to either copy, and repair. Needs a
# function damage 0|1 as well.
suite() {
	stores "$1"
	check "$medium: keep, first store" set_ $ours keep safe
	check "$medium: keep, second store" set_ $ours again 1
	check "$medium: both copies are good" env_check
	for copy in 0 1; do
		check "$medium: damage copy $copy" damage $copy
		check "$medium: copy $copy damaged, still readable" is safe print $ours keep
		check "$medium: copy $copy damaged, check says so" fails 1 env_check
		check "$medium: copy $copy damaged, repair" env_repair
		check "$medium: copy $copy repaired, check is content" env_check
		check "$medium: copy $copy repaired, read by all" all_read keep safe
	done
	check "$medium: found without a configuration" found
}

# found : "bootslot env find" on the devices of $conf prints a configuration by which the value is read
found() {
	right=$conf
	# shellcheck disable=SC2046 # one word for each device
	$ours/bootslot env find $(cut -d' ' -f1 "$right" | sort -u) >/tmp/found.config || return 1
	conf=/tmp/found.config
	is safe print $ours keep
	status=$?
	conf=$right
	[ $status = 0 ] || { cat /tmp/found.config; return 1; }
}

# says TEXT : env check prints this
says() { env_check | grep -qF "$1"; }

# converts MEDIUM : a single copy becomes two, by bootslot env convert and by a store, and one again. Needs $conf, whose
# places hold a redundant environment with keep=safe, and $others.
converts() {
	one=$conf.one
	two=$conf
	head -n 1 "$two" >"$one"
	convert() { $ours/bootslot env convert -c "$two" "$1"; }
	check "$1: convert to a single copy" convert single
	conf=$one
	check "$1: single copy read by all" all_read keep safe
	check "$1: store in the single copy" set_ $ours serial 4711
	check "$1: single copy read by all again" all_read serial 4711
	conf=$two
	check "$1: single copy in the first of two places" is 4711 print $ours serial
	check "$1: check says so" fails 1 env_check
	check "$1: convert to two copies" convert redundant
	check "$1: two copies read by all" all_read serial 4711
	check "$1: both copies are good" env_check
	check "$1: one copy again" convert single
	check "$1: a store makes two" set_ $ours serial 4712
	check "$1: the two read by all" all_read serial 4712
	check "$1: the two are good" env_check
}

# zero NODE OFFSET : 64 bytes
zero() { dd if=/dev/zero of="$1" bs=64 seek=$(($2 / 64)) count=1 conv=notrunc 2>&1; }

cat /proc/mtd

# ---- parallel NOR, one erase sector a copy: U-Boot's own environment ----
#
# Only bootslot writes here: to write the flags byte, the others have Linux program a
# bus word of which three bytes are 0xff, which QEMU either stores or refuses.

env0=$(mtd env0)
env1=$(mtd env1)
conf=/tmp/nor.config
printf '%s 0x0 0x40000 0x40000\n%s 0x0 0x40000 0x40000\n' "$env0" "$env1" >$conf
others="$lue $uboot"
writers=
damage() { zero "/dev/mtd$((${env0#/dev/mtd} + $1))" 64; }
check "nor: what U-Boot stored" all_read step "from U-Boot"
check "nor: U-Boot's value with a backslash is doubled on the medium" is 'a\\b' print $uboot back
flash_erase -q "$env0" 0 0
flash_erase -q "$env1" 0 0
suite nor
check "nor: lock the sectors" flash_lock "$env0" 0 1
check "nor: store with locked sectors" set_ $ours locked "written anyway"
check "nor: store again with locked sectors" set_ $ours locked "written twice"
check "nor: read by all" all_read locked "written twice"
check "nor: leave something for U-Boot" set_ $ours for_uboot "written by Linux"

# ---- NOR, a copy is a part of an erase sector that holds other data as well ----

shared=$(mtd shared)
conf=/tmp/shared.config
printf '%s 0x0 0x4000 0x40000\n%s 0x40000 0x4000 0x40000\n' "$shared" "$shared" >$conf
damage() { zero "$shared" $(($1 * 0x40000 + 64)); }
head -c 524288 /dev/urandom >/tmp/fill
flash_erase -q "$shared" 0 0
dd if=/tmp/fill of="$shared" bs=256k 2>/dev/null
# neighbours FILE : what is not the environment
neighbours() {
	{
		dd if="$1" bs=16k skip=1 count=15
		dd if="$1" bs=16k skip=17 count=15
	} 2>/dev/null | sha256sum
}
suite nor-shared
check "nor-shared: the neighbours are as they were" is "$(neighbours /tmp/fill)" neighbours "$shared"

# ---- NOR whose bits only an erase sets again: all tools write ----

chip=$(mtd "mtdnor test device")
conf=/tmp/chip.config
printf '%s 0x0 0x10000 0x20000\n%s 0x40000 0x10000 0x20000\n' "$chip" "$chip" >$conf
writers=$uboot # libubootenv erases the whole sector, and the rest of it is gone
damage() { zero "$chip" $(($1 * 0x40000 + 64)); }
suite mtdnor
conf=/tmp/chip-whole.config
printf '%s 0x80000 0x20000 0x20000\n%s 0xa0000 0x20000 0x20000\n' "$chip" "$chip" >$conf
writers="$lue $uboot"
damage() { flash_erase -q "$chip" $((0x80000 + $1 * 0x20000)) 1; }
suite mtdnor-whole
converts mtdnor-whole

# ---- NOR with ECC, which refuses to program a unit twice: the others can only read ----

chip=$(mtd "mtdecc test device")
conf=/tmp/ecc.config
printf '%s 0x0 0x10000 0x20000\n%s 0x40000 0x10000 0x20000\n' "$chip" "$chip" >$conf
writers=
damage() { flash_erase -q "$chip" $(($1 * 0x40000)) 1; }
suite mtdecc
converts mtdecc
# Its exit status is 0 all the same, and both copies are marked active.
uncleared() { set_ $uboot refused 1 2>&1 | grep -qF "Could not set obsolete flag"; }
check "mtdecc: U-Boot's tool can't clear the flag" uncleared
check "mtdecc: repair after it" env_repair
check "mtdecc: store after it" set_ $ours keep safe
check "mtdecc: read by all after it" all_read keep safe

# ---- NOR with a configured sector size that is not the kernel's ----

# refused TEXT : a store fails and says this, and the device is as it was. Needs $device.
refused() {
	before=$(sha256sum <"$device")
	said=$(set_ $ours refused yes 2>&1) && { echo "stored"; return 1; }
	case $said in *"$1"*) ;; *) echo "said: $said"; return 1 ;; esac
	[ "$before" = "$(sha256sum <"$device")" ] || { echo "the device has changed"; return 1; }
}
others="$lue $uboot"
chip=$(mtd "mtdnor test device")
device=$chip
conf=/tmp/chip-small.config
printf '%s 0x100000 0x20000 0x1000\n%s 0x120000 0x20000 0x1000\n' "$chip" "$chip" >$conf
writers=$uboot # it erases the whole copy at once
stores mtdnor-small
head -c 65536 /dev/zero >/tmp/inside.img
echo '/tmp/inside.img 0x0 0x4000' >/tmp/inside.config
check "mtdnor-part: a copy made elsewhere" $ours/fw_setenv --init -c /tmp/inside.config part "of a sector"
flash_erase -q "$chip" 0x200000 1
dd if=/tmp/inside.img of="$chip" bs=64k seek=32 conv=notrunc 2>/dev/null
conf=/tmp/chip-part.config
printf '%s 0x200000 0x4000 0x1000\n' "$chip" >$conf
check "mtdnor-part: read by all" all_read part "of a sector"
check "mtdnor-part: a store is refused with both sizes" refused "sectors of 0x20000 bytes (the configuration says sectors of 0x1000)"

# ---- memory that only answers as NOR ----

conf=/tmp/pretended.config
printf '/dev/ubootenv 0x0 0x4000\n/dev/ubootenv 0x8000 0x4000\n' >$conf
others=$uboot
writers=$uboot
damage() { zero /dev/ubootenv $(($1 * 0x8000 + 64)); }
suite pretended-nor

# ---- DataFlash: every write erases its pages ----

chip=$(mtd "mtddataflash test device")
conf=/tmp/dataflash.config
printf '%s 0x0 0x4200 0x200 33\n%s 0x8000 0x4200 0x200 33\n' "$chip" "$chip" >$conf
others=$uboot # libubootenv refuses this type
writers=$uboot
damage() { zero "$chip" $(($1 * 0x8000 + 64)); }
suite dataflash

# ---- RAM as MTD ----

ram=$(mtd "mtdram test device")
conf=/tmp/ram.config
printf '%s 0x0 0x8000 0x20000\n%s 0x20000 0x8000 0x20000\n' "$ram" "$ram" >$conf
others= # both refuse this type
writers=
damage() { zero "$ram" $(($1 * 0x20000 + 64)); }
suite mtdram

# ---- NAND: the first block of copy 0 is bad, and one inside copy 1 ----

nand=$(mtd "NAND simulator partition 1")
conf=/tmp/nand.config
printf '%s 0x0 0x20000 0x20000 4\n%s 0x80000 0x20000 0x20000 4\n' "$nand" "$nand" >$conf
others="$lue $uboot"
writers=$others
damage() { flash_erase -q "$nand" $(($1 * 0x80000)) 4; }
bad() { cat "/sys/class/mtd/${1#/dev/}/bad_blocks"; }
check "nand: two bad blocks to begin with" is 2 bad "$nand"
suite nand
converts nand
check "nand: no more bad blocks afterwards" is 2 bad "$nand"

# The window passes the end of the device, since a decimal 16 was read as 0x16; and a copy inside of a block.
whole=$(mtd "NAND simulator partition 0")
device=$whole
others="$uboot"
conf=/tmp/window-right.config
printf '%s 0x0 0x20000 0x20000 4\n%s 0x80000 0x20000 0x20000 4\n' "$whole" "$whole" >$conf
check "nand-window: init" $ours/fw_setenv --init -c $conf value old
check "nand-window: the newest copy is the second" set_ $ours value new
conf=/tmp/window.config
printf '%s 0x0 0x20000 0x20000 4\n%s 0x80000 0x20000 0x20000 16\n' "$whole" "$whole" >$conf
check "nand-window: the newest copy is read" all_read value new
check "nand-window: it has an end" fails 1 env_check
check "nand-window: a store is refused and says why" refused "16 means 0x16"
conf=/tmp/window-right.config
check "nand-window: nothing was damaged" env_check
head -c 65536 /dev/zero >/tmp/inside.img
echo '/tmp/inside.img 0x2000 0x4000' >/tmp/inside.config
check "nand-inside: a copy made elsewhere" $ours/fw_setenv --init -c /tmp/inside.config where inside
flash_erase -q "$whole" 0 1
dd if=/tmp/inside.img of="$whole" bs=64k conv=notrunc 2>/dev/null
conf=/tmp/nand-inside.config
printf '%s 0x2000 0x4000 0x2000\n' "$whole" >$conf
check "nand-inside: read by all" all_read where inside
check "nand-inside: a store is refused and says why" refused "offset 0x2000 is not the start of an erase sector of 0x20000 bytes"
others="$lue $uboot"

# A block that wears out: erasing fails, the block is marked bad, the next one is taken.
weak=$(mtd "NAND simulator partition 2")
conf=/tmp/weak.config
printf '%s 0x0 0x20000 0x20000 4\n%s 0x80000 0x20000 0x20000 4\n' "$weak" "$weak" >$conf
check "nand-weak: no bad block to begin with" is 0 bad "$weak"
check "nand-weak: init" $ours/fw_setenv --init -c $conf first one
wear() {
	for round in 1 2 3 4 5 6 7 8 9 10 11 12; do
		set_ $ours round $round && all_read round $round || { echo "round $round"; return 1; }
	done
}
check "nand-weak: 12 stores while a block wears out" wear
check "nand-weak: the worn block is marked bad" is 1 bad "$weak"
check "nand-weak: both copies are good" env_check

# ---- UBI on that NAND, by node and by name ----

check "ubi: attach" ubiattach -p "$(mtd "NAND simulator partition 3")"
check "ubi: volume 0" ubimkvol /dev/ubi0 -N env0 -S 1
check "ubi: volume 1" ubimkvol /dev/ubi0 -N env1 -S 1
others="$lue $uboot"
damage() { ubiupdatevol -t "/dev/ubi0_$1"; }
conf=/tmp/ubi.config
printf '/dev/ubi0_0 0x0 0x1f000 0x1f000\n/dev/ubi0_1 0x0 0x1f000 0x1f000\n' >$conf
suite ubi
converts ubi
check "ubi: check names the atomic LEB change" says "(atomic LEB change)"

# An update that somebody else was cut in leaves a volume that can't be read. Only another update mends it.
unfinished() { head -c 5000 /dev/zero | ubiupdatevol -s 126976 "$1" -; }
for copy in 0 1; do
	check "ubi-cut: the update of volume $copy is not finished" not unfinished /dev/ubi0_$copy
	check "ubi-cut: volume $copy can't be read" not head -c 1 /dev/ubi0_$copy
	check "ubi-cut: the other copy is read" print $ours keep
	check "ubi-cut: store after volume $copy" set_ $ours after $copy
	check "ubi-cut: store once more" set_ $ours after "twice $copy"
	check "ubi-cut: read by all after volume $copy" all_read after "twice $copy"
	check "ubi-cut: both copies are good" env_check
done

# One copy, in a dynamic volume, in a static one, and larger than a LEB.
check "ubi-one: dynamic volume" ubimkvol /dev/ubi0 -N one -S 4
check "ubi-one: static volume" ubimkvol /dev/ubi0 -N static -S 1 -t static
conf=/tmp/ubi-one.config
printf '/dev/ubi0:one 0x0 0x1f000 0x1f000\n' >$conf
others="$lue $uboot"
writers=$others
stores ubi-one
check "ubi-one: check names the atomic LEB change" says "(atomic LEB change)"
check "ubi-one: no risk" not says "risk:"
conf=/tmp/ubi-static.config
printf '/dev/ubi0:static 0x0 0x1f000 0x1f000\n' >$conf
stores ubi-static
check "ubi-static: check names the volume update" says "(volume update)"
check "ubi-static: and its risk" says "risk:"
conf=/tmp/ubi-large.config
printf '/dev/ubi0:one 0x0 0x20000 0x1f800 2\n' >$conf
# An environment of another size is not written over unasked.
check "ubi-large: the smaller one is kept" not $ours/fw_setenv --init -c $conf again 1
ubiupdatevol -t /dev/ubi0_2
stores ubi-large
check "ubi-large: check names the volume update" says "(volume update)"
# From the large environment to one that fits: what is behind the first LEB is nobody's.
conf=/tmp/ubi-one.config
check "ubi-one: again" $ours/fw_setenv --force --init -c $conf again 1
check "ubi-one: read by all" all_read again 1
conf=/tmp/ubi-name.config
printf '/dev/ubi0:env0 0x0 0x1f000 0x1f000\n/dev/ubi0:env1 0x0 0x1f000 0x1f000\n' >$conf
check "ubi-name: the same environment" all_read keep safe
damage 0
damage 1
suite ubi-name

# ---- the same volumes by the name of an MTD device that is not attached ----

check "ubi-mtd: detach" ubidetach -d 0
conf=/tmp/ubi-mtd.config
ubi=$(mtd "NAND simulator partition 3")
printf '%s:env0 0x0 0x1f000\n%s:env1 0x0 0x1f000\n' "$ubi" "$ubi" >$conf
check "ubi-mtd: read, attached for it" is safe print $ours keep
check "ubi-mtd: attached" test -e /dev/ubi0
check "ubi-mtd: store" set_ $ours by mtd
check "ubi-mtd: both copies are good" env_check
check "ubi-mtd: the raw flash is left to the volumes" fails 1 $ours/bootslot env find "$ubi"
check "ubi-mtd: all devices of the machine are searched" $ours/bootslot env find
conf=/tmp/ubi-name.config
check "ubi-mtd: read by all" all_read by mtd

# ---- SD card, from its start and from its end ----

others="$lue $uboot"
damage() { dd if=/dev/urandom of=/dev/mmcblk0 bs=512 seek=$((2048 + $1 * 256)) count=1 conv=notrunc,fsync 2>&1; }
conf=/tmp/mmc.config
printf '/dev/mmcblk0 0x100000 0x20000\n/dev/mmcblk0 0x120000 0x20000\n' >$conf
suite mmc
converts mmc

# An eMMC boot partition is read-only until sysfs says otherwise; a card has the same switch.
echo 1 >/sys/block/mmcblk0/force_ro
check "mmc-ro: U-Boot's tool can't write" not set_ $uboot protected no
check "mmc-ro: store" set_ $ours protected yes
check "mmc-ro: protected again" is 1 cat /sys/block/mmcblk0/force_ro
check "mmc-ro: read by all" all_read protected yes
check "mmc-ro: damage is refused" not damage 0
echo 0 >/sys/block/mmcblk0/force_ro
conf=/tmp/mmc-end.config
printf '/dev/mmcblk0 -0x40000 0x20000\n/dev/mmcblk0 -0x20000 0x20000\n' >$conf
card=$(cat /sys/block/mmcblk0/size)
damage() { dd if=/dev/urandom of=/dev/mmcblk0 bs=512 seek=$((card - 512 + $1 * 256)) count=1 conv=notrunc,fsync 2>&1; }
suite mmc-end

# ---- files on FAT, as U-Boot's FAT driver keeps them ----

check "fat: mount" mount -t vfat /dev/vda /mnt
# As before U-Boot's first save: neither file is there.
conf=/tmp/fat.config
printf '/mnt/uboot.env 0x0 0x4000\n/mnt/uboot-redund.env 0x0 0x4000\n' >$conf
damage() {
	case $1 in 0) file=/mnt/uboot.env ;; 1) file=/mnt/uboot-redund.env ;; esac
	dd if=/dev/urandom of=$file bs=512 count=1 conv=notrunc 2>&1
}
suite fat
check "fat: unmount" umount /mnt

echo "done $number"
