#!/bin/sh
# Debian's SWUpdate with the hooks of packaging/swupdate, which leave the switch to bootslot: the life of a device in the
# dialects native and rauc. SWUpdate itself stores nothing, what is refused is refused before it writes, and an installation that
# fails leaves a slot that does not boot.
set -u
. /src/ffi-tests/inside/check.sh
. /src/ffi-tests/inside/swupdate-place.sh
PATH=/build/prefix/bin:/usr/sbin:/usr/bin:/sbin:/bin
sed 's|/usr/lib/bootslot/swupdate-hook|/src/packaging/swupdate/hook|' /src/packaging/swupdate/swupdate.cfg >swupdate.cfg
# The example's description, without its bootenv and with both markers off.
example update.swu -e '/bootenv/d' \
	-e 's|^\tversion.*|&\n\tbootloader_transaction_marker = false;\n\tbootloader_state_marker = false;|'
cp update.swu broken.swu
printf X | dd of=broken.swu bs=1 seek=$(($(stat -c %s broken.swu) - 50000)) conv=notrunc status=none

power_on() {
	running=$1
	echo "quiet bootslot.script=2 bootslot.slot=$1 rauc.slot=$1" >/tmp/w/cmdline
	grep -q bootslot /proc/cmdline || mount --bind /tmp/w/cmdline /proc/cmdline
}
# The id goes to the hook by the environment of the program.
update() {
	case $running in A) copy=stable,b ;; *) copy=stable,a ;; esac
	BOOTSLOT_UPDATE=$2 swupdate -f swupdate.cfg -B uboot $cms -k cert.pem -e $copy -i "$1" >swupdate.log 2>&1
}
fails() { ! update "$@"; }
slot() { bootslot status | sed -n "s/^  slot $1  *//p"; }
same() { test "$(cksum </tmp/env.img) $(cksum <slot-a.img) $(cksum <slot-b.img)" = "$before"; }
remember() { before="$(cksum </tmp/env.img) $(cksum <slot-a.img) $(cksum <slot-b.img)"; }

for dialect in native rauc; do
	new_environment
	case $dialect in
	rauc)
		printf 'dialect = "rauc"\nreader = "bootslot-rauc-uncounted"\n' >/etc/bootslot/bootslot.toml
		printf 'bootcmd=x\nBOOT_ORDER=A B\nBOOT_A_LEFT=9\nBOOT_B_LEFT=3\n' >start.txt
		;;
	native)
		printf 'script = 2\n' >/etc/bootslot/bootslot.toml
		printf 'bootcmd=run bootslot\nactive_slot=A\nboot_success=1\nboot_try_count=0\nslot_A=good\n' >start.txt
		;;
	esac
	bootslot env import --init start.txt >/dev/null
	truncate -s 0 slot-a.img slot-b.img
	truncate -s 200000 slot-a.img slot-b.img
	power_on A
	check "$dialect: an update" update update.swu one
	check "$dialect: it is written" cmp -n 100000 rootfs.img slot-b.img
	check "$dialect: B is on trial" test "$(slot B)" = "active, on trial, 3 tries left, then back to A"
	check "$dialect: SWUpdate has stored nothing" sh -c '! bootslot env get ustate && ! bootslot env get recovery_status'
	boot
	check "$dialect: B runs" test "$running" = B
	remember
	check "$dialect: no update while it is on trial" fails update.swu two
	check "$dialect: and nothing was written" same
	check "$dialect: confirm" bootslot confirm
	check "$dialect: a broken update fails" fails broken.swu two
	check "$dialect: its slot does not boot" sh -c 'bootslot status | grep -qE "slot A  (being written|not in BOOT_ORDER, never boots)$"'
	check "$dialect: B stays" test "$(slot B)" = "active, confirmed, runs now"
	check "$dialect: the same again" update update.swu two
	boot
	check "$dialect: A runs" test "$running" = A
	check "$dialect: it is not healthy" bootslot rollback --reason health
	boot
	check "$dialect: B runs again" test "$running" = B
	check "$dialect: A has failed" test "$(slot A)" = "failed (health)"
	check "$dialect: the same update is refused" fails update.swu two
	check "$dialect: A is not on trial" sh -c 'bootslot next | grep -qx "Slot B boots."'
	check "$dialect: the next one is not" update update.swu three
	check "$dialect: A is on trial" test "$(slot A)" = "active, on trial, 3 tries left, then back to B"
done
verdict swupdate-hooks
