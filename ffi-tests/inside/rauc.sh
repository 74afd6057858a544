#!/bin/sh
# Debian's RAUC with the incumbent's fw_printenv and fw_setenv, and with ours first in the path: the environment
# after each order has to be the same.
set -u
. /src/ffi-tests/inside/check.sh

mkdir -p /tmp/w /etc/rauc /var/lib/dbus
cd /tmp/w
openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=test -keyout key.pem -out cert.pem 2>/dev/null
cat >/etc/rauc/system.conf <<'END'
[system]
compatible=demo
bootloader=uboot
bundle-formats=+plain
data-directory=/tmp/w

[keyring]
path=/tmp/w/cert.pem

[slot.rootfs.0]
device=/tmp/w/slot-a.img
type=raw
bootname=A

[slot.rootfs.1]
device=/tmp/w/slot-b.img
type=raw
bootname=B
END
mkdir content
head -c 300000 /dev/urandom >content/rootfs.img
cat >content/manifest.raucm <<'END'
[update]
compatible=demo
version=1

[image.rootfs]
filename=rootfs.img
END
rauc --cert cert.pem --key key.pem bundle content update.raucb >/tmp/log 2>&1 || cat /tmp/log
dbus-daemon --system --fork

# session PATH : the same orders with the tools in this path, and what is stored after each.
session() {
	rm -f /tmp/w/*.status /tmp/w/central*
	truncate -s 400000 slot-a.img slot-b.img
	PATH=$1 rauc --override-boot-slot=A service >service.log 2>&1 &
	service=$!
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		PATH=$1 rauc status >/dev/null 2>&1 && break
		sleep 0.3
	done
	for order in "status mark-good" "install update.raucb" "status mark-good" "status mark-bad other" \
		"status mark-active other" "status mark-bad booted" "status mark-good booted" "status mark-active booted"; do
		echo "== $order"
		# shellcheck disable=SC2086  # words
		PATH=$1 rauc $order >order.log 2>&1
		echo "exit $?"
		stored
	done
	PATH=$1 rauc status --output-format=shell 2>/dev/null | grep -E 'RAUC_(BOOT_PRIMARY|SLOT_BOOT_STATUS)'
	kill "$service"
	wait "$service" 2>/dev/null
}

standard=/usr/sbin:/usr/bin:/sbin:/bin
for start in "BOOT_ORDER=A B,BOOT_A_LEFT=2,BOOT_B_LEFT=3" "BOOT_ORDER=B A,BOOT_A_LEFT=0,BOOT_B_LEFT=a" "other=1"; do
	for tools in theirs ours; do
		new_environment
		echo "$start" | tr , '\n' >defaults
		fw_setenv -f defaults made 1 >/dev/null 2>&1
		if [ $tools = ours ]; then path=/build/prefix/bin:$standard; else path=$standard; fi
		check "$tools: the tools" test "$(PATH=$path command -v fw_setenv)" = "$(if [ $tools = ours ]; then echo /build/prefix/bin; else echo /usr/bin; fi)/fw_setenv"
		session "$path" >"session-$tools" 2>&1
	done
	if [ "$start" = other=1 ]; then
		# No BOOT_ORDER yet. The incumbent's fw_printenv says that it is empty, ours that there is none: only then
		# does RAUC take its defaults. With the incumbent the new slot has no fallback. This is meant.
		check "from nothing, theirs: no fallback" grep -qx 'BOOT_ORDER=B' session-theirs
		check "from nothing, ours: with a fallback" grep -qx 'BOOT_ORDER=B A' session-ours
		check "from nothing, ours: all orders succeed" test "$(grep -c '^exit 0' session-ours)" = 8
		others() { grep -v BOOT_ORDER "session-$1" >"others-$1"; }
		others theirs
		others ours
		check "from nothing: all else is the same" diff others-theirs others-ours
		continue
	fi
	check "from $start: the same after each order ($(wc -l <session-ours) lines)" diff session-theirs session-ours
	check "from $start: all orders succeed" test "$(grep -c '^exit 0' session-ours)" = 8
	check "from $start: B is installed" cmp -n 300000 content/rootfs.img slot-b.img
done
verdict rauc
