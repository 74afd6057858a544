#!/bin/sh
# Debian's SWUpdate, unchanged, on the incumbent and on our library: it is killed before each of its calls that write to the
# environment or sync it. Each state that is left has to be one of the table in docs/dialects.md: what `status`, `next` and
# `diagnose` say of it, and that the device gets from there to a confirmed update, or back.
set -u
. /src/ffi-tests/inside/check.sh
. /src/ffi-tests/inside/swupdate-place.sh
PATH=/build/prefix/bin:/usr/sbin:/usr/bin:/sbin:/bin
# The example's settings, with files in the place of partitions.
sed 's|/dev/disk/by-partlabel/system-\(.\)|/tmp/w/slot-\1.img|' /src/packaging/swupdate/bootslot.toml >/etc/bootslot/bootslot.toml
# SWUpdate looks in its description for the part that it is told to install.
example update.swu

# A device whose slot A is confirmed, after some stores.
device() {
	new_environment
	printf 'bootcmd=run boot\nrootpart=2\nupgrade_available=0\nbootlimit=2\nustate=0\n' >defaults
	LD_LIBRARY_PATH=$theirs /usr/bin/fw_setenv -f defaults made 1 >/dev/null 2>&1
	LD_LIBRARY_PATH=$theirs /usr/bin/fw_setenv made 2 >/dev/null
	truncate -s 0 slot-a.img slot-b.img
	truncate -s 200000 slot-a.img slot-b.img
	rm -rf /var/lib/bootslot
	mkdir -p /var/lib/bootslot
	power_on A
}
boots=0
power_on() {
	boots=$((boots + 1)) running=$1
	echo "quiet bootslot.slot=$1" >/tmp/w/cmdline
	printf '%08x-0000-4000-8000-000000000000\n' $boots >/tmp/w/boot-id
	if ! grep -q bootslot /proc/cmdline; then
		mount --bind /tmp/w/cmdline /proc/cmdline
		mount --bind /tmp/w/boot-id /proc/sys/kernel/random/boot_id
	fi
	found=$(bootslot journal boot)
}
# swupdate as it is called on the device: into the slot that does not run.
update() {
	case $(bootslot rauc get-current) in A) copy=stable,b ;; *) copy=stable,a ;; esac
	LD_LIBRARY_PATH=$library "$@" swupdate -B uboot $cms -k cert.pem -e "$copy" -i update.swu >swupdate.log 2>&1
}
slot() { sed -n "s/^  slot $1  *//p" status.txt | sed 's|  */tmp.*||'; }

# judge STATE NEXT A B WRITE : what is said of a state, by the table.
judge() {
	bootslot status >status.txt
	bootslot diagnose >diagnose.txt
	check "$where: $1: A is $3" test "$(slot A)" = "$3"
	check "$where: $1: B is $4" test "$(slot B)" = "$4"
	check "$where: $1: the next boot" grep -q "^next boot:    slot $2" status.txt
	check "$where: $1: next" sh -c "bootslot next | grep -qx 'Slot $2 boots.'"
	check "$where: $1: write target" grep -q "^write target: $5 " diagnose.txt
	check "$where: $1: boot loader" grep -q '^boot loader:  fine ' diagnose.txt
}

# The six states that SWUpdate leaves, by the variables: the slot, recovery_status, ustate.
seen=
state() {
	say=$(for name in rootpart recovery_status ustate; do
		bootslot env get "$name" 2>/dev/null || echo -
	done | tr '\n' ' ')
	seen="$seen|$say"
	confirmed='active, confirmed, runs now' trial='active, on trial, 2 tries left, then back to A' good='good, runs now'
	case $say in
	'2 - 0 ') judge before A "$confirmed" unknown unknown ;;
	'2 in_progress 0 ') judge begun A "$confirmed" 'being written' WRONG ;;
	'2 in_progress 7 ') judge written A "$confirmed" 'being written' WRONG ;;
	'3 in_progress 7 ') judge switched B "$good" "$trial" unknown ;;
	'3 - 7 ') judge unmarked B "$good" "$trial" unknown ;;
	'3 - 1 ') judge installed B "$good" "$trial" unknown ;;
	*) check "$where: a state of the table: $say" false ;;
	esac
}

# From any of them: an update that is healthy is confirmed; one that nobody confirms is given up, which is told, and the next
# one is installed.
onwards() {
	cp /tmp/env.img kept.img
	boot
	if [ "$running" = A ]; then
		check "$where: SWUpdate does it again" update
		check "$where: the image" cmp -n 100000 rootfs.img slot-b.img
		boot
	fi
	check "$where: B runs" test "$running" = B
	check "$where: confirm" bootslot confirm
	check "$where: it is confirmed" sh -c 'bootslot status | grep -q "slot B  active, confirmed"'
	check "$where: ustate says so" test "$(bootslot env get ustate)" = 0
	check "$where: nothing is left of it" sh -c '! bootslot env get recovery_status'
	cp kept.img /tmp/env.img
	power_on A
	for _ in 1 2 3; do boot; done
	check "$where: A runs again" test "$running" = A
	bootslot status >status.txt
	check "$where: A is confirmed" test "$(slot A)" = "$confirmed"
	# recovery_status that is left says the same of a slot that failed and of one that is being written.
	case $say in
	'2 - 0 ') told='as-recorded' left=unknown ;;
	*' in_progress '*) told='as-recorded' left='being written' ;;
	*) left=failed ;;
	esac
	case $say in '3 '*) told=rolled-back ;; esac
	check "$where: it is told: $told" test "${found%%,*}" = $told
	check "$where: B is $left" test "$(slot B)" = "$left"
	check "$where: the next update" update
	bootslot status >status.txt
	check "$where: it is on trial" test "$(slot B)" = "$trial"
}

# From which states the device went on.
went=
cuts=0
for library in "$theirs" "$ours"; do
	which=theirs; [ "$library" = "$ours" ] && which=ours
	for call in write,pwrite64 fsync,fdatasync; do
		n=0 last=
		while :; do
			n=$((n + 1))
			device
			update strace -f -qq -o trace.txt -P /tmp/env.img -e trace=$call -e "inject=$call:signal=KILL:when=$n" && break
			where="$which, $call $n"
			now=$(stored)
			[ "$now" = "$last" ] && continue
			last=$now
			state
			case $went in *"$which $say|"*) continue ;; esac
			went="$went$which $say|"
			onwards
		done
		cuts=$((cuts + n - 1))
		check "$which: killed at each of five stores, $n" test "$n" -gt 5
	done
	where="$which, whole"
	state
done
distinct=$(echo "$seen" | tr '|' '\n' | sed 1d | sort -u | wc -l)
check "all six states were seen ($distinct)" test "$distinct" = 6
echo "# SWUpdate $(dpkg-query -W -f '${Version}' swupdate): killed at $cuts places, $distinct states, none outside the table"
verdict swupdate-cuts
