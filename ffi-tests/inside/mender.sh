#!/bin/sh
# Debian's Mender client, unchanged, offline (mender install, commit, rollback), in the life of a device whose boot code is
# played by next_boot(). The slots are loop devices, and the root that the client runs in is mounted from them. Alone, and with the
# state scripts of packaging/mender: what Mender has stored, and what bootslot says of it.
set -u
. /src/ffi-tests/inside/check.sh

w=/var/w
# Debian links it to a partition of the device.
[ ! -L /var/lib/mender ] || rm /var/lib/mender
mkdir -p $w /etc/bootslot /etc/mender/scripts /var/lib/mender /mnt/system
cd $w || exit 1
PATH=/build/prefix/bin:/usr/sbin:/usr/bin:/sbin:/bin
echo device_type=demo >/var/lib/mender/device_type
echo artifact_name=factory >/etc/mender/artifact_info

# A system: all of it is bound into its root, which is the slot's own.
system() {
	rm -rf tree
	for folder in usr etc dev proc sys tmp var run src build; do mkdir -p tree/$folder; done
	for link in bin sbin lib lib64; do ln -s usr/$link tree/$link; done
	echo "$1" >tree/VERSION
	mksquashfs tree "$2" -quiet -no-progress -noappend >/dev/null
}
loops=
leave() {
	umount -l /mnt/system 2>/dev/null
	for loop in $loops; do losetup -d "/dev/loop$loop" 2>/dev/null; done
}
trap leave EXIT
# Above 9: there Mender's client, up to its version 3, writes capital letters where bootslot writes small ones.
number=10
for name in a b; do
	truncate -s 1M slot-$name.img
	while :; do
		[ -e /dev/loop$number ] || mknod /dev/loop$number b 7 $number
		losetup /dev/loop$number slot-$name.img 2>/dev/null && break
		number=$((number + 1))
		[ $number -lt 100 ] || { echo "no loop device"; exit 1; }
	done
	loops="$loops $number"
	eval "part_$name=$number"
	number=$((number + 1))
done
sed -e "s|/dev/mmcblk0p2|/dev/loop$part_a|; s|/dev/mmcblk0p3|/dev/loop$part_b|" -e 's/86400/2/; s/: 60/: 1/' \
	/src/packaging/mender/mender.conf >/etc/mender/mender.conf
sed -e "s/\"2\"/\"$part_a\"/; s/\"3\"/\"$part_b\"/" /src/packaging/mender/bootslot.toml >/etc/bootslot/bootslot.toml
printf '[health]\nsettle = "1s"\nstandard = false\nfolders = []\n[[health.check]]\nname = "well"\nfile = "/var/w/well"\nhardware = ["yes"]\non-failure = "roll-back"\n' \
	>>/etc/bootslot/bootslot.toml

boots=0
power_on() {
	boots=$((boots + 1)) running=$1
	umount -l /mnt/system 2>/dev/null
	case $1 in A) part=$part_a ;; B) part=$part_b ;; esac
	mount -t squashfs -o ro "/dev/loop$part" /mnt/system || exit 1
	for folder in usr etc dev proc sys tmp var run src build; do mount --rbind /$folder /mnt/system/$folder; done
	echo "quiet bootslot.slot=$1" >$w/cmdline
	printf '%08x-0000-4000-8000-000000000000\n' $boots >$w/boot-id
	if ! grep -q bootslot /proc/cmdline; then
		mount --bind $w/cmdline /proc/cmdline
		mount --bind $w/boot-id /proc/sys/kernel/random/boot_id
	fi
	found=$(bootslot journal boot)
	found=${found%%,*}
}
mender() { chroot /mnt/system env "PATH=$PATH" mender --no-syslog "$@" >mender.log 2>&1; }
refuses() { ! mender "$@"; }
slot() { bootslot status | sed -n "s/^  slot $1  *//p"; }
report() { bootslot report | sed -n 's/^update:   of an unknown version \(.*\), [^,]*Z$/\1/p'; }
# artifact NAME [SCRIPTS] : with bootslot's state scripts or without them.
artifact() {
	system "$1" "$1.img"
	scripts=
	if [ "${2-}" = scripts ]; then
		for state in ArtifactInstall_Enter ArtifactInstall_Leave ArtifactCommit_Enter ArtifactCommit_Leave ArtifactRollback_Enter; do
			sed "s/^update=.*/update=$1/" /src/packaging/mender/state-script >${state}_50_bootslot
			chmod 755 ${state}_50_bootslot
			scripts="$scripts -s ${state}_50_bootslot"
		done
	fi
	# shellcheck disable=SC2086  # words
	mender-artifact write rootfs-image -t demo -n "$1" -f "$1.img" -o "$1.mender" --no-progress $scripts >/tmp/log 2>&1 || cat /tmp/log
}
# A device whose slot A is confirmed.
device() {
	new_environment
	printf 'bootcmd=run mender_setup\nmender_boot_part=%s\nmender_boot_part_hex=%X\nupgrade_available=0\nbootcount=0\nbootlimit=1\n' \
		"$part_a" "$part_a" >start.txt
	bootslot env import --init start.txt >/dev/null
	rm -rf /var/lib/bootslot /var/lib/mender/mender-store* /var/lib/mender/scripts
	mkdir -p /var/lib/bootslot
	echo yes >well
	system factory factory.img
	dd if=factory.img of="/dev/loop$part_a" conv=fsync status=none
	power_on A
}
written() { cmp -n "$(stat -c %s "$1.img")" "$1.img" "/dev/loop$2"; }

for kind in plain scripts; do
	for name in one two three four; do artifact $name $kind; done
	rm -f /etc/mender/scripts/*
	if [ $kind = scripts ]; then
		cp /src/packaging/mender/state-script /etc/mender/scripts/Download_Enter_50_bootslot
		echo 3 >/etc/mender/scripts/version
	fi
	device
	check "$kind: at first" test "$(slot A)" = "active, confirmed, runs now"

	# A good update.
	before=$(stores)
	check "$kind: mender install" mender install $w/one.mender
	# Mender's client 3 tries first how fw_setenv separates names from values: two stores. Its switch is the third one; with the
	# scripts it finds that done, but for its capital letter. Theirs are: the slot is written, and it is on trial.
	check "$kind: stores of the installation" test $(($(stores) - before)) = "$([ $kind = plain ] && echo 3 || echo 5)"
	check "$kind: one is written" written one "$part_b"
	check "$kind: B is on trial" test "$(slot B)" = "active, on trial, 1 try left, then back to A"
	check "$kind: A is good" test "$(slot A)" = "good, runs now"
	boot
	check "$kind: B runs" test "$running $(cat /mnt/system/VERSION)" = "B one"
	if [ $kind = scripts ]; then check "$kind: no second update now" refuses install $w/two.mender; fi
	before=$(stores)
	check "$kind: mender commit" mender commit
	check "$kind: stores of the commit" test $(($(stores) - before)) = 3
	check "$kind: B is confirmed" test "$(slot B)" = "active, confirmed, runs now"
	[ $kind = plain ] || check "$kind: the report" test "$(report)" = "(one) in slot B: confirmed (by-hand)"
	boot
	check "$kind: B runs on" test "$running" = B

	# An update that hangs: nobody confirms it, and U-Boot goes back.
	check "$kind: mender install again" mender install $w/two.mender
	check "$kind: A is on trial" test "$(slot A)" = "active, on trial, 1 try left, then back to B"
	boot
	check "$kind: A runs" test "$running $(cat /mnt/system/VERSION)" = "A two"
	check "$kind: its last boot" test "$(slot A)" = "active, on trial, no tries left, runs now"
	boot
	check "$kind: B runs again" test "$running" = B
	check "$kind: Mender does not commit what was given up" refuses commit
	check "$kind: B is still confirmed" test "$(slot B)" = "active, confirmed, runs now"
	if [ $kind = scripts ]; then
		check "$kind: it is told" test "$found" = rolled-back
		check "$kind: A has failed" test "$(slot A)" = "failed (tries)"
		check "$kind: the report of it" test "$(report)" = "(two) in slot A: rolled back (tries)"
		check "$kind: it is not installed again" refuses install $w/two.mender
		check "$kind: B stays" test "$(slot B)" = "active, confirmed, runs now"
	fi

	# An update that somebody takes back, after its boot and before it.
	check "$kind: a third update" mender install $w/three.mender
	boot
	check "$kind: it runs" test "$running $(cat /mnt/system/VERSION)" = "A three"
	check "$kind: mender rollback" mender rollback
	check "$kind: B is the next" sh -c 'bootslot next | grep -qx "Slot B boots."'
	check "$kind: B is confirmed again" test "$(slot B)" = "active, confirmed"
	[ $kind = plain ] || check "$kind: A was given up" test "$(slot A)" = "failed (user), runs now"
	boot
	check "$kind: B runs after that" test "$running" = B
	check "$kind: a fourth update" mender install $w/four.mender
	check "$kind: it is taken back before its boot" mender rollback
	check "$kind: B stays after all" test "$(slot B)" = "active, confirmed, runs now"
	boot
	check "$kind: B runs to the end" test "$running" = B

	# An update that the checks find unhealthy.
	[ $kind = scripts ] || continue
	artifact five scripts
	check "$kind: a fifth update" mender install $w/five.mender
	boot
	check "$kind: the fifth runs" test "$running $(cat /mnt/system/VERSION)" = "A five"
	echo no >well
	check "$kind: an unhealthy system is not committed" refuses commit
	check "$kind: it was given up" test "$(slot A)" = "failed (health), runs now"
	boot
	check "$kind: B runs in its place" test "$running" = B
	check "$kind: the report tells why" test "$(report)" = "(five) in slot A: rolled back (health)"
	echo yes >well
	artifact six scripts
	check "$kind: and the next one" mender install $w/six.mender
	boot
	check "$kind: it is committed" mender commit
	check "$kind: A is confirmed" test "$(slot A)" = "active, confirmed, runs now"
	# Mender's cleaning up is its own; nothing of bootslot's is left behind that says otherwise.
	check "$kind: diagnose" sh -c '! bootslot diagnose | grep -q WRONG'
done
echo "# Mender's client $(dpkg-query -W -f '${Version}' mender-client 2>/dev/null || echo 3.4.0), partitions $part_a and $part_b"
verdict mender
