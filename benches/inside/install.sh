#!/bin/sh
# The body of benches/install.sh, in Debian 13: bundles of the same image for three updaters, then rounds in which
# each one installs it. Every line is "NAME seconds KiB", the KiB being the most memory that its process had.
set -eu
rounds=$1
cd /build
export PATH=/build:$PATH

# ---- two slots, and an environment that says that A runs ----
truncate -s 600M a.img b.img
a=$(losetup -f --show a.img)
b=$(losetup -f --show b.img)
trap 'losetup -d $a $b; kill $(cat rauc.pid) $(cat /run/dbus/pid) 2>/dev/null || :' EXIT
truncate -s 32K env.img
printf '/build/env.img 0x0 0x4000\n/build/env.img 0x4000 0x4000\n' >/etc/fw_env.config
printf 'bootcmd=run bootslot\nBOOT_ORDER=A B\nBOOT_A_LEFT=3\nBOOT_B_LEFT=3\n' >defaults
dd if=old.img of="$a" bs=4M conv=fsync status=none

# ---- bootslot ----
mkdir -p keys
printf 'script = 2\n[[slot]]\nname = "A"\ndevice = "%s"\n[[slot]]\nname = "B"\ndevice = "%s"\n[update]\ncompatible = "bench"\nkeys = "/build/keys"\n' \
	"$a" "$b" >bootslot.toml
bootslot bundle generate-key --public keys/release.pub --secret release.key
began=$(date +%s.%N)
bootslot bundle create -o update.bundle --compatible bench --version 1 root=root.img
echo "bootslot:create $(echo "$(date +%s.%N) $began" | awk '{ print $1 - $2 }') 0"
bootslot bundle sign update.bundle --key release.key
ours="--settings bootslot.toml --slot A -l /tmp"

# ---- RAUC: its plain format, and the same with the index of its adaptive method ----
openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=bench -addext extendedKeyUsage=emailProtection \
	-keyout key.pem -out cert.pem 2>/dev/null
mkdir -p /etc/rauc content data
cat >/etc/rauc/system.conf <<END
[system]
compatible=bench
bootloader=uboot
bundle-formats=+plain
data-directory=/build/data
[keyring]
path=/build/cert.pem
[slot.rootfs.0]
device=$a
type=raw
bootname=A
[slot.rootfs.1]
device=$b
type=raw
bootname=B
END
ln root.img content/rootfs.img 2>/dev/null || cp root.img content/rootfs.img
rauc_bundle() {
	printf '[update]\ncompatible=bench\nversion=1\n[image.rootfs]\nfilename=rootfs.img\n%s' "$2" >content/manifest.raucm
	rauc --cert cert.pem --key key.pem --mksquashfs-args='-comp zstd -Xcompression-level 15' bundle content "$1" >rauc.log 2>&1 ||
		{ cat rauc.log; exit 1; }
}
rauc_bundle plain.raucb ''
rauc_bundle adaptive.raucb 'adaptive=block-hash-index
'
dbus-daemon --system --fork

# ---- SWUpdate: streamed ----
echo 'bench 1.0' >/etc/hwrevision
zstd=$(command -v zstd || :)
[ -n "$zstd" ] || { echo "no zstd in the root" >&2; exit 1; }
zstd -q -15 -T0 -f root.img -o root.img.zst
swupdate_bundle() {
	printf 'software = { version = "1.0"; hardware-compatibility: [ "1.0" ]; images: ( { filename = "%s"; device = "%s"; type = "raw"; %s installed-directly = true; sha256 = "%s"; } ); }\n' \
		"$2" "$b" "$3" "$(sha256sum "$2" | cut -d' ' -f1)" >sw-description
	openssl cms -sign -in sw-description -out sw-description.sig -signer cert.pem -inkey key.pem -outform DER -nosmimecap -binary
	printf 'sw-description\nsw-description.sig\n%s\n' "$2" | cpio -o -H crc --quiet >"$1"
}
swupdate_bundle plain.swu root.img ''
swupdate_bundle zstd.swu root.img.zst 'compressed = "zstd";'

# ---- the rounds ----
# Before each: the slot holds another version, and nothing is in the cache.
fresh() {
	dd if=old.img of="$b" bs=4M conv=fsync status=none
	bootslot fw_setenv -f defaults -l /tmp made 1 2>/dev/null || :
	sync
	echo 3 >/proc/sys/vm/drop_caches
}

# timed NAME COMMAND... : runs it.
timed() {
	name=$1 most=0
	shift
	began=$(date +%s.%N)
	"$@" >timed.log 2>&1 &
	pid=$!
	while kill -0 $pid 2>/dev/null; do
		now=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' /proc/$pid/status 2>/dev/null || :)
		[ "${now:-0}" -le "$most" ] || most=$now
		sleep 0.02
	done
	wait $pid || { echo "$name failed:"; cat timed.log; exit 1; }
	ended=$(date +%s.%N)
	[ -z "${service:-}" ] || most=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' /proc/$service/status)
	echo "$name $(echo "$ended $began" | awk '{ print $1 - $2 }') $most"
}

rauc_round() {
	rm -rf data/*
	rauc --override-boot-slot=A service >rauc-service.log 2>&1 &
	service=$!
	echo $service >rauc.pid
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		rauc status >/dev/null 2>&1 && break
		sleep 0.3
	done
	timed "$1" rauc install "$2"
	kill $service
	wait $service 2>/dev/null || :
	service=
}

whole() { cmp -n 536870912 root.img "$b" || { echo "$1: the slot has other bytes"; exit 1; }; }

round=0
while [ $round -lt "$rounds" ]; do
	round=$((round + 1))
	fresh
	# Or the environment says that this very update is on trial already, and nothing is done.
	dd if=/dev/zero of=env.img bs=32K count=1 conv=notrunc status=none
	# shellcheck disable=SC2086  # words
	bootslot init -f defaults $ours >/dev/null 2>&1 || bootslot init $ours >/dev/null
	# shellcheck disable=SC2086
	bootslot confirm $ours >/dev/null
	sync
	echo 3 >/proc/sys/vm/drop_caches
	# shellcheck disable=SC2086
	timed bootslot:install bootslot install update.bundle $ours --json
	whole bootslot
	fresh
	rauc_round rauc:plain plain.raucb
	whole rauc
	fresh
	rauc_round rauc:adaptive adaptive.raucb
	whole rauc
	fresh
	timed swupdate:plain swupdate -v -k cert.pem -i plain.swu
	whole swupdate
	fresh
	timed swupdate:zstd swupdate -v -k cert.pem -i zstd.swu
	whole swupdate
	fresh
	timed stage:dd dd if=root.img of="$b" bs=4M conv=fsync
	fresh
	timed stage:sha256sum sha256sum root.img
	fresh
	timed stage:zstd sh -c 'zstd -q -dc root.img.zst >/dev/null'
done
ls -l update.bundle plain.raucb adaptive.raucb plain.swu zstd.swu | awk '{ print "size:" $9, 0, $5 / 1024 }'
