#!/bin/sh
# Debian's RAUC in the life of a device whose boot code is played by next_boot(): what `rauc status` says of each slot has to be
# what `bootslot status` says, after every order and every boot. With RAUC's own variables (bootloader=uboot and our tools,
# dialect rauc, each boot code), and with RAUC's custom backend that asks bootslot (packaging/rauc), in the dialects native
# and rauc; with two slots and with three. The states are counted, and how many of them differ.
set -u
. /src/ffi-tests/inside/check.sh

mkdir -p /tmp/w /etc/rauc /etc/bootslot /var/lib/dbus
cd /tmp/w || exit 1
PATH=/build/prefix/bin:/usr/sbin:/usr/bin:/sbin:/bin
openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=test -keyout key.pem -out cert.pem 2>/dev/null
mkdir content
head -c 300000 /dev/urandom >content/rootfs.img
printf '[update]\ncompatible=demo\nversion=1\n[image.rootfs]\nfilename=rootfs.img\n' >content/manifest.raucm
rauc --cert cert.pem --key key.pem bundle content update.raucb >/tmp/log 2>&1 || cat /tmp/log
# The bus starts no RAUC of its own: it would be in another slot.
activation=/usr/share/dbus-1/system-services/de.pengutronix.rauc.service
[ ! -e $activation ] || mount --bind /dev/null $activation
bus=$(dbus-daemon --system --fork --print-pid)

# The example, with the loader that is given and with files in the place of partitions.
system_conf() {
	sed -e '/^bootloader=/d' -e '/handlers/,/^$/d' -e 's/verity/plain/' -e "s|^path=.*|path=/tmp/w/cert.pem|" \
		-e 's|/dev/disk/by-partlabel/system-\(.\)|/tmp/w/slot-\1.img|' -e 's/=ext4/=raw/' \
		-e "s|^\[system\]|&\ndata-directory=/tmp/w\n$1|" /src/packaging/rauc/system.conf
	[ "$slots" = "A B" ] || printf '\n[slot.rootfs.2]\ndevice=/tmp/w/slot-c.img\ntype=raw\nbootname=C\n'
	[ "$1" = bootloader=uboot ] || printf '\n[handlers]\nbootloader-custom-backend=/src/packaging/rauc/bootloader-backend\n'
}

# RAUC's name of a slot.
named() { case $1 in A) echo rootfs.0 ;; B) echo rootfs.1 ;; C) echo rootfs.2 ;; esac; }

service=
# The machine runs this slot.
power_on() {
	running=$1
	[ -z "$service" ] || { kill "$service"; wait "$service" 2>/dev/null; }
	echo "quiet bootslot.script=2 bootslot.slot=$1 rauc.slot=$1" >/tmp/w/cmdline
	grep -q bootslot /proc/cmdline || mount --bind /tmp/w/cmdline /proc/cmdline
	rauc --override-boot-slot="$1" service >service.log 2>&1 &
	service=$!
	for _ in $(seq 200); do
		rauc status >/dev/null 2>&1 && break
		sleep 0.05
	done
}

# What each of the two says: the slot that boots next, then the state of each slot.
by_rauc() {
	rauc status --output-format=shell >status.txt 2>/dev/null
	primary=$(sed -n "s/^RAUC_BOOT_PRIMARY='\{0,1\}\([^']*\)'\{0,1\}$/\1/p" status.txt)
	for slot in $slots; do [ "$(named "$slot")" = "$primary" ] && primary=$slot; done
	printf %s "$primary"
	for slot in $slots; do
		number=$(sed -n "s/^RAUC_SLOT_BOOTNAME_\([0-9]*\)='\{0,1\}$slot'\{0,1\}$/\1/p" status.txt)
		printf ' %s' "$(sed -n "s/^RAUC_SLOT_BOOT_STATUS_$number='\{0,1\}\([^']*\)'\{0,1\}$/\1/p" status.txt)"
	done
}
# RAUC has two words: "bad" is a slot that does not boot any more.
by_bootslot() {
	bootslot status >ours.txt
	printf %s "$(sed -n 's/^next boot: *slot \([A-Z]\).*/\1/p' ours.txt)"
	for slot in $slots; do
		case $(sed -n "s/^  slot $slot  //p" ours.txt) in
		*"on trial, no tries"*) printf ' bad' ;;
		*"on trial"*) printf ' good' ;;
		*"not in BOOT_ORDER"* | *"being written"* | *failed*) printf ' bad' ;;
		*) printf ' good' ;;
		esac
	done
}
states=0 different=0
# agree WHEN EXPECTED : the two say this.
agree() {
	theirs_say=$(by_rauc) ours_say=$(by_bootslot)
	states=$((states + 1))
	[ "$theirs_say" = "$ours_say" ] || { different=$((different + 1)); cat ours.txt status.txt; }
	check "$life: $1: RAUC and bootslot agree ($ours_say)" test "$theirs_say" = "$ours_say"
	check "$life: $1: $2" test "$ours_say" = "$2"
}
order() { check "$life: rauc $*" rauc "$@"; }
# stored_by N M WORD... : with RAUC's own variables the order is N stores, with bootslot as the backend M.
stored_by() {
	expected=$2
	case $life in uboot*) expected=$1 ;; esac
	shift 2
	before=$(stores)
	order "$@"
	check "$life: rauc $*: $expected stores, $(($(stores) - before))" test $(($(stores) - before)) = $expected
}
runs() { check "$life: slot $1 runs" test "$running" = "$1"; }

# begin LOADER READER SLOTS : a device with slot A confirmed.
begin() {
	life="$1, $2, $(echo "$3" | wc -w) slots" slots=$3
	system_conf "bootloader=$1" >/etc/rauc/system.conf
	sed -i 's/^bootloader=uboot$/&\nboot-attempts=9/' /etc/rauc/system.conf
	rm -f ./*.status central*
	truncate -s 400000 slot-a.img slot-b.img slot-c.img
	new_environment
	if [ "$2" = native ]; then
		echo 'script = 2' >/etc/bootslot/bootslot.toml
		printf 'bootcmd=run bootslot\nactive_slot=A\nboot_success=1\nboot_try_count=0\nslot_A=good\n' >start.txt
		printf 'boot_slots=%s\n' "$slots" >>start.txt
	else
		printf 'dialect = "rauc"\nreader = "%s"\n' "$2" >/etc/bootslot/bootslot.toml
		printf 'bootcmd=source\nBOOT_ORDER=%s\nBOOT_A_LEFT=9\nBOOT_B_LEFT=3\n' "$slots" >start.txt
		[ "$slots" = "A B" ] || echo 'BOOT_C_LEFT=3' >>start.txt
	fi
	for slot in $slots; do printf '[[slot]]\nname = "%s"\n' "$slot" >>/etc/bootslot/bootslot.toml; done
	bootslot env import --init start.txt >/dev/null
	power_on A
}

two_slots() {
	begin "$1" "$2" "A B"
	agree "at first" "A good good"
	stored_by 4 2 install update.raucb
	agree "installed" "B good good"
	boot
	runs B
	agree "booted" "B good good"
	order status mark-good
	agree "confirmed" "B good good"
	check "$life: it is confirmed" sh -c 'bootslot status | grep -q "slot B  active, confirmed"'
	order install update.raucb
	agree "installed again" "A good good"
	for try in 1 2; do
		boot
		runs A
		agree "boot $try" "A good good"
	done
	boot
	runs A
	agree "the last boot" "B bad good"
	boot
	runs B
	agree "A was given up" "B bad good"
	order status mark-good
	order install update.raucb
	agree "installed once more" "A good good"
	boot
	order status mark-good
	agree "A is confirmed" "A good good"
	order status mark-bad other
	agree "B is bad" "A good bad"
	stored_by 2 1 status mark-active other
	agree "B is active" "B good good"
	boot
	order status mark-good
	agree "B is confirmed" "B good good"
	check "$life: what was installed" cmp -n 300000 content/rootfs.img slot-b.img
}

# RAUC chooses which of the two slots that do not run it installs to.
three_slots() {
	begin "$1" "$2" "A B C"
	agree "at first" "A good good good"
	order install update.raucb
	first=$(bootslot rauc get-primary)
	case $first in B) third=C ;; C) third=B ;; *) third=none ;; esac
	check "$life: an installation to slot $first" test $third != none
	agree "installed" "$first good good good"
	boot
	runs "$first"
	order status mark-good
	agree "confirmed" "$first good good good"
	order install update.raucb
	second=$(bootslot rauc get-primary)
	case $second in "$first") last=none ;; A) last=$third ;; *) last=A ;; esac
	check "$life: an installation to slot $second" test $last != none
	agree "installed again" "$second good good good"
	for _ in 1 2; do
		boot
		runs "$second"
		agree "a boot that nobody confirms" "$second good good good"
	done
	boot
	bad="$(for slot in A B C; do [ $slot = "$second" ] && printf ' bad' || printf ' good'; done)"
	agree "the last boot" "$first$bad"
	boot
	runs "$first"
	agree "$second was given up" "$first$bad"
	order status mark-good
	order status mark-bad "$(named "$last")"
	worse="$(for slot in A B C; do [ $slot = "$first" ] && printf ' good' || printf ' bad'; done)"
	agree "$last is bad" "$first$worse"
	order status mark-active "$(named "$last")"
	agree "$last is active" "$last$bad"
	boot
	runs "$last"
	order status mark-good
	agree "$last is confirmed" "$last$bad"
	order status mark-active "$(named "$first")"
	agree "$first is active" "$first$bad"
	boot
	runs "$first"
	order install update.raucb
	target=$(bootslot rauc get-primary)
	check "$life: what was installed" cmp -n 300000 content/rootfs.img "slot-$(echo "$target" | tr ABC abc).img"
	order status mark-active booted
	case $(by_bootslot) in "$first"*) check "$life: back before it was booted" true ;; *) check "$life: back before it was booted" false ;; esac
	agree "back before it was booted" "$(by_rauc)"
}

begun=$(date +%s)
lives=0
# RAUC itself, boot code of others and ours; what only differs in how it counts is in one of the two.
for each in 2:uboot:contrib 2:uboot:bootmeth 2:uboot:bootslot-rauc 2:uboot:bootslot-rauc-uncounted \
	2:custom:native 2:custom:contrib 3:uboot:contrib 3:uboot:bootslot-rauc-uncounted 3:custom:native; do
	backend=${each#*:}
	case $each in
	2:*) two_slots "${backend%:*}" "${backend#*:}" ;;
	3:*) three_slots "${backend%:*}" "${backend#*:}" ;;
	esac
	lives=$((lives + 1))
done
kill "$service" "$bus"
echo "# $(rauc --version): $states states in $lives lives, $different in which its status and ours differ ($(($(date +%s) - begun)) s)"
verdict rauc-backend
