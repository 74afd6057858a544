# Runs in the guest after media.sh: installations by the real program onto real drivers, and the bytes afterwards, read
# by others. /tests/one.bundle and two.bundle come from the host, with their images one.img and two.img, and
# fat.img, an empty file system.
# Prints "done N" at the end.

[ -z "$commands" ] || exit 0
. /tests/checks
settings=/tmp/slots.toml
conf=/tmp/slots.config
slots="--slot A --settings $settings -c $conf"
image=/tests/one.img
size=$(stat -c %s $image)
head -c 65536 /dev/zero >/tmp/slots.env.new
printf '/tmp/slots.env 0x0 0x4000\n/tmp/slots.env 0x4000 0x4000\n' >$conf
printf 'bootcmd=run bootslot\n' >/tmp/defaults
truncate -s 4M /tmp/slot-a

# device PATH : A runs and is confirmed, nothing is known of B, and this is B's device
device() {
	settings "$1" >$settings
	cp /tmp/slots.env.new /tmp/slots.env
	# shellcheck disable=SC2086 # several options
	$ours/bootslot init -f /tmp/defaults $slots && $ours/bootslot confirm $slots
}

# install NAME : this bundle into B; what it says last is in /tmp/said
install() {
	# shellcheck disable=SC2086
	$ours/bootslot install "/tests/$1.bundle" $slots --json >/tmp/said 2>&1
	status=$?
	tail -n 1 /tmp/said
	return $status
}

variable() { $ours/fw_printenv -c $conf -n "$1"; }
# told KEY : a number of what the installation said last
told() { tail -n 1 /tmp/said | sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p"; }

# holds NAME : B holds this image
holds() { take "$size" | head -c "$size" | cmp - "/tests/$1.img"; }
# empty_behind : behind the image B is erased up to its end
empty_behind() {
	take "$room" | tail -c +$((size + 1)) | tr -d '\377' | head -c 1 >/tmp/behind
	[ ! -s /tmp/behind ] || { echo "something is left behind the image"; return 1; }
}

# take BYTES : what B holds, from its start
take() { head -c "$1" "$b"; }

# slot NAME PATH : an update of B, the same once more, and another one over it. $room: bytes of B without bad blocks, of
# which those behind the image are erased; 0 where nothing is.
slot() {
	medium=$1
	b=$2
	check "$medium: A runs, B is $2" device "$2"
	check "$medium: install" install one
	check "$medium: B holds the image" holds one
	[ "$room" = 0 ] || check "$medium: behind it nothing is left" empty_behind
	check "$medium: B is on trial" is B variable active_slot
	check "$medium: A runs, nothing is known of B" device "$2"
	check "$medium: install what is there" install one
	check "$medium: nothing of it is written" is 0 told written
	check "$medium: B still holds the image" holds one
	check "$medium: install another one" install two
	check "$medium: B holds the other one" holds two
	[ "$room" = 0 ] || check "$medium: behind the other one nothing is left" empty_behind
}

# in_use NAME PATH : B is used by others: nothing is stored, nothing is written
in_use() {
	check "$1: A runs, B is $2" device "$2"
	before=$(sha256sum </tmp/slots.env)
	check "$1: it is in use" fails 17 install one
	check "$1: nothing was stored" is "$before" sha256sum </tmp/slots.env
}

# ---- raw flash ----

room=$((4 << 20))
slot slot-nor "$(mtd slot)"
slot slot-mtdnor "$(mtd "mtdnor test device")"
slot slot-mtdecc "$(mtd "mtdecc test device")"
slot slot-dataflash "$(mtd "mtddataflash test device")"
b=$(mtd slot)
check "slot-nor: lock the sectors" flash_lock "$b" 0 2
check "slot-nor: A runs" device "$b"
check "slot-nor: install with locked sectors" install one
check "slot-nor: B holds the image" holds one
room=0
slot slot-mtdram "$(mtd "mtdram test device")"

# Three bad blocks to begin with; one fails when it is erased for the second time, and one when a page of it is programmed
# for the second time.
nand=$(mtd "NAND simulator partition 4")
take() { nanddump --quiet --bb=skipbad -l "$1" "$nand"; }
bad() { cat "/sys/class/mtd/${nand#/dev/}/bad_blocks"; }
room=$((27 * 131072))
check "slot-nand: three bad blocks to begin with" is 3 bad
slot slot-nand "$nand"
check "slot-nand: two more are marked bad" is 5 bad
check "slot-nand: once more, with all five" install one
check "slot-nand: B holds the image" holds one

# A page that can't be read any more: what was written is not there.
nand=$(mtd "NAND simulator partition 5")
check "slot-nand-lost: A runs" device "$nand"
check "slot-nand-lost: the loss is found when it is read back" fails 21 install one
check "slot-nand-lost: it never boots" is bad variable slot_B
check "slot-nand-lost: and A still does" is A variable active_slot

# ---- UBI on the NAND of media.sh ----

take() { head -c "$1" "$b"; }
[ -e /dev/ubi0 ] || ubiattach -p "$(mtd "NAND simulator partition 3")"
check "slot-ubi: a dynamic volume" ubimkvol /dev/ubi0 -N slot-b -S 24
check "slot-ubi: a static volume" ubimkvol /dev/ubi0 -N static-b -S 24 -t static
node() { grep -lx "$1" /sys/class/ubi/ubi0_*/name | sed 's|.*/\(ubi0_[0-9]*\)/name|/dev/\1|'; }
dynamic=$(node slot-b)
static=$(node static-b)
leb=$(cat "/sys/class/ubi/${dynamic#/dev/}/usable_eb_size")
room=$((24 * leb))
slot slot-ubi "$dynamic"
check "slot-ubi: B by its name" device /dev/ubi0:slot-b
check "slot-ubi: install by name" install one
b=$dynamic
check "slot-ubi: B holds the image" holds one
unfinished() { head -c 5000 /dev/zero | ubiupdatevol -s $leb "$dynamic" -; }
check "slot-ubi: an update by another tool is cut" not unfinished
check "slot-ubi: the volume can't be read" not head -c 1 "$dynamic"
check "slot-ubi: A runs" device "$dynamic"
check "slot-ubi: install mends it" install two
check "slot-ubi: B holds the image" holds two
room=0
slot slot-ubi-static "$static"
check "slot-ubi-static: it ends where the image ends" is "$size" wc -c <"$static"

# ---- what others use ----

in_use slot-attached "$(mtd "NAND simulator partition 3")"
sleep 1000 <"$dynamic" &
in_use slot-open "$dynamic"
b=$dynamic
kill $!
wait $! 2>/dev/null
check "slot-open: a moment later it is not" install one
check "slot-open: B holds the image" holds one
check "slot-mounted: mount" mount -t vfat /dev/vda /mnt
in_use slot-mounted /dev/vda
check "slot-mounted: unmount" umount /mnt
ram=$(mtd "mtdram test device")
block=/dev/mtdblock${ram#/dev/mtd}
check "slot-mtdblock: a file system" cp /tests/fat.img "$block"
check "slot-mtdblock: mount" mount -t vfat "$block" /mnt
in_use slot-mtdblock "$ram"
check "slot-mtdblock: unmount" umount /mnt
# A block device on a volume has it open only while it is open itself.
block=/dev/ubiblock${static#/dev/ubi}
check "slot-ubiblock: a file system" ubiupdatevol "$static" /tests/fat.img
check "slot-ubiblock: a block device on it" ubiblock --create "$static"
check "slot-ubiblock: mount" mount -t vfat -o ro "$block" /mnt
in_use slot-ubiblock "$static"
check "slot-ubiblock: unmount" umount /mnt
b=$static
check "slot-ubiblock: install" install one
check "slot-ubiblock: B holds the image" holds one

# ---- a card with the switch of an eMMC boot partition ----

echo 1 >/sys/block/mmcblk0/force_ro
slot slot-mmc-ro /dev/mmcblk0
check "slot-mmc-ro: protected again" is 1 cat /sys/block/mmcblk0/force_ro
check "slot-mmc-ro: a bundle with a wrong byte" fails 20 install wrong
check "slot-mmc-ro: protected again after the error" is 1 cat /sys/block/mmcblk0/force_ro
check "slot-mmc-ro: it never boots" is bad variable slot_B
check "slot-mmc-ro: the right bundle" install one
check "slot-mmc-ro: B holds the image" holds one

# ---- disks that fail ----

# after_error NAME CODE : the installation of one fails with this exit code, and B never boots
after_error() {
	check "$1: the installation fails" fails "$2" install one
	check "$1: B never boots" is bad variable slot_B
	check "$1: A does" is A variable active_slot
}

# goes_on NAME : with a good disk the same command goes on
goes_on() {
	check "$1: the same command goes on" install one
	check "$1: something was there already" test "$(told kept)" -gt 0
	sync
	echo 3 >/proc/sys/vm/drop_caches
	check "$1: B holds the image" holds one
	check "$1: B is on trial" is B variable active_slot
}

# full NAME PATH : B has less room below than it says, then it has enough
full() {
	b=$2
	check "$1: A runs, B is $2" device "$2"
	after_error "$1" 21
	check "$1: room is made" mount -o remount,size=8m /tmp/small
	goes_on "$1"
}
mkdir -p /tmp/small
mount -t tmpfs -o size=1m tmpfs /tmp/small
truncate -s 4M /tmp/small/file
full slot-full-file /tmp/small/file
umount /tmp/small
mount -t tmpfs -o size=1m tmpfs /tmp/small
truncate -s 4M /tmp/small/disk
loop=$(losetup -f)
check "slot-full-disk: a disk" losetup "$loop" /tmp/small/disk
full slot-full-disk "$loop"
losetup -d "$loop"
umount /tmp/small

# disk TARGET OPTIONS : from the second MiB on, the disk is this target of the device mapper
disk() {
	printf '0 2048 linear %s 0\n2048 6144 %s %s 2048 %s\n' "$loop" "$1" "$loop" "$2" >/tmp/table
	if [ -e "$b" ]; then
		dmsetup --noudevsync reload slot /tmp/table && dmsetup --noudevsync suspend slot &&
			dmsetup --noudevsync resume slot
	else
		dmsetup --noudevsync create slot /tmp/table
	fi
}

# faulty NAME CODE OPTIONS : writes to the disk fail, are lost, or come out as others
faulty() {
	check "$1: a good disk" disk linear
	check "$1: A runs, B is a disk" device "$b"
	check "$1: another image is there" install two
	check "$1: A runs again" device "$b"
	check "$1: the disk is bad" disk flakey "0 1000 $3"
	after_error "$1" "$2"
	check "$1: the disk is good" disk linear
	goes_on "$1"
}
truncate -s 4M /tmp/disk
losetup "$loop" /tmp/disk
b=/dev/dm-0
disk linear
# What failed to be written stays in the page cache, where it reads well, as long as anybody has the disk open.
sleep 1000 <"$b" &
faulty slot-write-errors 21 "1 error_writes"
faulty slot-lost-writes 22 "1 drop_writes"
faulty slot-wrong-writes 22 "5 corrupt_bio_byte 100 w 7 0"
kill $!

echo "done $number"
