#!/bin/sh
# Debian's SWUpdate, unchanged, on the incumbent and on our library: the environment after an update has to be the
# same, with a variable that may not be changed as well as without.
set -u
. /src/ffi-tests/inside/check.sh
. /src/ffi-tests/inside/swupdate-place.sh

# bundle FILE BOOTENV : a signed update of slot B with these variables
bundle() {
	head -c 100000 /dev/urandom >rootfs.img
	cat >sw-description <<END
software = {
	version = "1.0";
	hardware-compatibility: [ "1.0" ];
	images: ( { filename = "rootfs.img"; device = "/tmp/w/slot-b.img"; type = "raw"; sha256 = "$(sha256sum rootfs.img | cut -d' ' -f1)"; } );
	bootenv: ( $2 );
}
END
	packed "$1"
}

# update LIBRARY FILE : runs it; what it stores goes to stored-ours or stored-theirs by the caller
update() {
	truncate -s 0 slot-b.img && truncate -s 200000 slot-b.img
	LD_LIBRARY_PATH=$1 swupdate -B uboot -v $cms -k cert.pem -i "$2" >swupdate.log 2>&1
}

# environment VARIABLE=VALUE... : a fresh one, made by the incumbent's tool
environment() {
	new_environment
	: >defaults
	for variable; do echo "$variable" >>defaults; done
	LD_LIBRARY_PATH=$theirs fw_setenv -f defaults made 1 >/dev/null 2>&1
	LD_LIBRARY_PATH=$theirs fw_setenv made 2 >/dev/null
}

check "swupdate finds ours" sh -c "LD_LIBRARY_PATH=$ours ldd /usr/bin/swupdate | grep 'libubootenv.so.0 => $ours'"

bundle plain.swu '{ name = "boot_part"; value = "2"; }, { name = "bootcount"; value = "0"; }, { name = "gone"; value = ""; }, { name = "words"; value = "a b  c=d"; }'
for library in theirs ours; do
	environment bootcmd=run boot_part=1 gone=soon
	eval "update \$$library plain.swu"
	echo "exit $?" >"stored-$library"
	stored >>"stored-$library"
	check "an update on $library" grep -qx 'exit 0' "stored-$library"
	check "the image is written on $library" cmp -n 100000 rootfs.img slot-b.img
done
check "an update: the same end" diff stored-theirs stored-ours
check "an update: the variables" grep -qx 'words=a b  c=d' stored-ours
check "an update: the marker" grep -qx 'ustate=1' stored-ours

# An image whose checksum is wrong.
cp plain.swu broken.swu
printf X | dd of=broken.swu bs=1 seek=$(($(stat -c %s broken.swu) - 50000)) conv=notrunc status=none
for library in theirs ours; do
	environment bootcmd=run boot_part=1
	eval "update \$$library broken.swu"
	test $? = 0 && echo "exit 0" >"stored-$library" || echo "exit not 0" >"stored-$library"
	stored >>"stored-$library"
done
check "a broken update: the same end" diff stored-theirs stored-ours
check "a broken update: it fails" grep -qx 'exit not 0' stored-ours
check "a broken update: the slot stays" grep -qx 'boot_part=1' stored-ours

# No environment yet: SWUpdate starts from a file of defaults where it has one.
for library in theirs ours; do
	new_environment
	printf 'bootcmd=run\nboot_part=1\n' >/etc/u-boot-initial-env
	eval "update \$$library plain.swu"
	echo "exit $?" >"stored-$library"
	stored >>"stored-$library"
done
check "from nothing: the same end" diff stored-theirs stored-ours
check "from nothing: the defaults" grep -qx 'bootcmd=run' stored-ours

# A variable that may not be changed. The incumbent leaves it out, switches the slot all the same, and reports
# success: half of an update. With ours all of its variables are refused, and the update fails. This is meant.
bundle locked.swu '{ name = "boot_part"; value = "2"; }, { name = "serial"; value = "2"; }'
for library in theirs ours; do
	environment bootcmd=run boot_part=1 serial=1 .flags=serial:sr
	LD_LIBRARY_PATH=$theirs fw_printenv serial >/dev/null
	eval "update \$$library locked.swu"
	test $? = 0 && echo "exit 0" >"stored-$library" || echo "exit not 0" >"stored-$library"
	stored >>"stored-$library"
done
check "locked, theirs: half of it" sh -c "grep -qx 'boot_part=2' stored-theirs && grep -qx 'serial=1' stored-theirs && grep -qx 'exit 0' stored-theirs"
check "locked, ours: nothing of it" sh -c "grep -qx 'boot_part=1' stored-ours && grep -qx 'serial=1' stored-ours"
check "locked, ours: it fails" grep -qx 'exit not 0' stored-ours
check "locked, ours: the marker" grep -qx 'ustate=3' stored-ours
verdict swupdate
