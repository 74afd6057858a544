#!/bin/sh
# Debian's RAUC in the life of a device whose boot code is played by next_boot(): what RAUC says of each slot has to
# be what bootslot says. With RAUC's own variables (bootloader=uboot and our tools, dialect rauc), and with RAUC's custom
# backend that asks bootslot (packaging/rauc), in the dialects native and rauc.
set -u
. /src/ffi-tests/inside/check.sh

mkdir -p /tmp/w /etc/rauc /etc/bootslot /var/lib/dbus
cd /tmp/w || exit 1
PATH=/build/prefix/bin:/usr/sbin:/usr/bin:/sbin:/bin
rauc --version
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
	[ "$1" = bootloader=uboot ] || printf '\n[handlers]\nbootloader-custom-backend=/src/packaging/rauc/bootloader-backend\n'
}

service=
# The machine runs this slot.
power_on() {
	running=$1
	[ -z "$service" ] || { kill "$service"; wait "$service" 2>/dev/null; }
	echo "quiet bootslot.script=2 bootslot.slot=$1 rauc.slot=$1" >/tmp/w/cmdline
	grep -q bootslot /proc/cmdline || mount --bind /tmp/w/cmdline /proc/cmdline
	rauc --override-boot-slot="$1" service >service.log 2>&1 &
	service=$!
	for _ in $(seq 100); do
		rauc status >/dev/null 2>&1 && break
		sleep 0.2
	done
}

# The boot code's part: what it stores is stored, and the slot that it chooses runs.
boot() {
	bootslot next >next.txt
	sed -n 's/^stores: //p' next.txt | grep = | while read -r changes; do
		echo "$changes" | tr ' ' '\n' | bootslot env import - >/dev/null
	done
	power_on "$(sed -n 's/^Slot \(.*\) boots\.$/\1/p' next.txt)"
}

# What each of the two says: the slot that boots next, then the state of A and of B.
by_rauc() {
	rauc status --output-format=shell >status.txt 2>/dev/null
	primary=$(sed -n "s/^RAUC_BOOT_PRIMARY='\{0,1\}\([^']*\)'\{0,1\}$/\1/p" status.txt)
	case $primary in rootfs.0) echo A ;; rootfs.1) echo B ;; *) echo "$primary" ;; esac
	for slot in A B; do
		number=$(sed -n "s/^RAUC_SLOT_BOOTNAME_\([0-9]*\)='\{0,1\}$slot'\{0,1\}$/\1/p" status.txt)
		sed -n "s/^RAUC_SLOT_BOOT_STATUS_$number='\{0,1\}\([^']*\)'\{0,1\}$/\1/p" status.txt
	done
}
by_bootslot() { bootslot rauc get-primary; bootslot rauc get-state A; bootslot rauc get-state B; }
agree() {
	by_rauc >theirs.txt
	by_bootslot >ours.txt
	check "$life: $1: RAUC and bootslot agree ($(tr '\n' ' ' <ours.txt | sed 's/ $//'))" diff theirs.txt ours.txt
	check "$life: $1" test "$(tr '\n' ' ' <ours.txt)" = "$2 "
}
order() { check "$life: rauc $*" rauc "$@"; }

for life in uboot:rauc custom:native custom:rauc; do
	dialect=${life#*:}
	system_conf "bootloader=${life%:*}" >/etc/rauc/system.conf
	sed -i 's/^bootloader=uboot$/&\nboot-attempts=9/' /etc/rauc/system.conf
	rm -f ./*.status central*
	truncate -s 400000 slot-a.img slot-b.img
	new_environment
	case $dialect in
	rauc)
		printf 'dialect = "rauc"\nreader = "contrib"\n' >/etc/bootslot/bootslot.toml
		printf 'bootcmd=source\nBOOT_ORDER=A B\nBOOT_A_LEFT=9\nBOOT_B_LEFT=3\n' >start.txt
		;;
	native)
		printf 'script = 2\n' >/etc/bootslot/bootslot.toml
		printf 'bootcmd=run bootslot\nactive_slot=A\nboot_success=1\nboot_try_count=0\nslot_A=good\n' >start.txt
		;;
	esac
	bootslot env import --init start.txt >/dev/null
	power_on A
	agree "at first" "A good good"
	order install update.raucb
	agree "installed" "B good good"
	boot
	check "$life: B runs" test "$running" = B
	order status mark-good
	agree "confirmed" "B good good"
	check "$life: it is confirmed" sh -c 'bootslot status | grep -q "slot B  active, confirmed"'
	order install update.raucb
	agree "installed again" "A good good"
	for try in 1 2; do
		boot
		check "$life: boot $try of A" test "$running" = A
		agree "boot $try" "A good good"
	done
	boot
	check "$life: the last boot of A" test "$running" = A
	agree "the last boot" "B bad good"
	boot
	check "$life: B runs again" test "$running" = B
	agree "A was given up" "B bad good"
	order status mark-good
	order install update.raucb
	agree "installed once more" "A good good"
	boot
	order status mark-good
	agree "A is confirmed" "A good good"
	order status mark-bad other
	agree "B is bad" "A good bad"
	order status mark-active other
	agree "B is active" "B good good"
	boot
	order status mark-good
	agree "B is confirmed" "B good good"
	check "$life: what was installed" cmp -n 300000 content/rootfs.img slot-b.img
done
kill "$service" "$bus"
verdict rauc-backend
