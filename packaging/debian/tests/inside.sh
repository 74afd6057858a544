#!/bin/bash
# Runs in a Debian 13 root with the packages in /build: see packaging/test-debian.sh.
set -u
passed=0 failed=0
mkdir -p /run/lock /tmp/w
cd /tmp/w

# is NAME COMMAND...: one check. What the command said is shown if it fails.
is() {
    local name=$1
    shift
    if "$@" >said 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "NOT OK $name"
        tail -n 15 said
    fi
}
no() { ! "$@"; }
# get PACKAGE...: apt finds these packages as files, what they need here or in what Debian has installed already.
get() {
    local files=() package
    for package; do files+=("$(ls /build/"$package"_*.deb)"); done
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --allow-downgrades "${files[@]}" </dev/null
}
# What a package leaves behind: files that are not dpkg's own records and logs.
files() {
    find / -xdev \( -path /proc -o -path /dev -o -path /sys -o -path /tmp -o -path /run -o -path /build -o -path /src -o -path /var/log \
        -o -path /var/lib/dpkg -o -path /var/lib/apt -o -path /var/cache \) -prune -o -printf '%y %p %l\n' | sort
}
# Two empty copies in a file, and where they are.
environment() {
    head -c 32768 /dev/zero | tr '\0' '\377' >/tmp/w/env.img
    printf '/tmp/w/env.img 0x0 0x4000\n/tmp/w/env.img 0x4000 0x4000\n' >/etc/fw_env.config
}
ours() { [ "$(readlink -f "$(command -v "$1")")" = /usr/bin/bootslot ]; }

# The incumbent is here. It made this environment.
environment
is "the incumbent's tool" test -f /usr/bin/fw_printenv
no ours fw_printenv || failed=$((failed + 1))
printf 'bootcmd=run\nboot_part=1\n' >defaults
fw_setenv -f defaults made_by incumbent >/dev/null 2>&1
# The list is of the root without what this script has made.
mv /etc/fw_env.config /tmp/fw_env.config
files >before
mv /tmp/fw_env.config /etc/fw_env.config

# 1. Beside the incumbent: the program and the library get in nobody's way.
is "install beside the incumbent" get bootslot libbootslot0 libbootslot-dev bootslot-uboot
is "the incumbent's tool is still there" no ours fw_printenv
is "it reads the same environment" test "$(bootslot env get boot_part)" = 1
is "its manual page" test -e /usr/share/man/man1/bootslot-env.1.gz
is "the page that the units name" test -f /usr/share/doc/bootslot/units.md
is "the boot script" test -f /usr/share/bootslot/u-boot/bootslot.env
is "no unit is enabled" test -z "$(find /etc/systemd/system -name 'bootslot*')"
is "the units are sound" systemd-analyze verify --man=no /usr/lib/systemd/system/bootslot-{journal,migrate,health,confirm,report}.service
cat >program.c <<'C'
#include <bootslot.h>
#include <stdio.h>
int main(void)
{
    bootslot_env *env = bootslot_env_new();
    bootslot_code code = bootslot_env_open(env, NULL);
    puts(code == BOOTSLOT_OK ? "open" : bootslot_env_last_error(env));
    bootslot_env_free(env);
    return code != BOOTSLOT_OK;
}
C
# shellcheck disable=SC2046  # words
is "a C program by pkg-config" gcc program.c $(pkg-config --cflags --libs bootslot) -o program
is "it runs" ./program
printf 'cmake_minimum_required(VERSION 3.13)\nproject(program C)\nfind_package(bootslot 0.1 REQUIRED)\nadd_executable(program program.c)\ntarget_link_libraries(program bootslot::bootslot)\n' >CMakeLists.txt
is "CMake finds it" cmake -S . -B cmake
is "and builds with it" cmake --build cmake
is "it runs, too" cmake/program

# 2. Over the incumbent: one command, and what depends on it stays.
is "upgrade over the incumbent" get bootslot-fw-utils bootslot-libubootenv bootslot-libubootenv-dev
is "our fw_printenv" ours fw_printenv
is "our fw_setenv" ours fw_setenv
is "RAUC is still installed" dpkg -s rauc
is "SWUpdate is still installed" dpkg -s swupdate
is "dpkg finds nothing wrong" test -z "$(dpkg --audit)"
is "apt finds nothing wrong" apt-get check -q
is "the incumbent's tool is gone" no dpkg -s libubootenv-tool
is "the variables are still there" test "$(fw_printenv -n made_by)" = incumbent
is "the alternatives" update-alternatives --query fw_printenv

# 3. Real clients on it: SWUpdate by the library, RAUC by the tools.
is "SWUpdate is linked with ours" sh -c 'ldd /usr/bin/swupdate | grep -q libbootslot.so.0'
echo 'demo 1.0' >/etc/hwrevision
openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=test -addext extendedKeyUsage=emailProtection \
    -keyout key.pem -out cert.pem 2>/dev/null
head -c 100000 /dev/urandom >rootfs.img
cat >sw-description <<END
software = {
    version = "1.0";
    hardware-compatibility: [ "1.0" ];
    images: ( { filename = "rootfs.img"; device = "/tmp/w/slot-b.img"; type = "raw"; sha256 = "$(sha256sum rootfs.img | cut -d' ' -f1)"; } );
    bootenv: ( { name = "boot_part"; value = "2"; } );
}
END
openssl cms -sign -in sw-description -out sw-description.sig -signer cert.pem -inkey key.pem -outform DER -nosmimecap -binary
printf 'sw-description\nsw-description.sig\nrootfs.img\n' | cpio -o -H crc --quiet >plain.swu
truncate -s 200000 slot-b.img
is "SWUpdate installs" swupdate -B uboot -v -k cert.pem -i plain.swu
is "its variable is stored" test "$(fw_printenv -n boot_part)" = 2
is "its image is written" cmp -n 100000 rootfs.img slot-b.img

mkdir -p /etc/rauc /run/dbus content
openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=test -keyout rauc.key -out rauc.pem 2>/dev/null
cat >/etc/rauc/system.conf <<'END'
[system]
compatible=demo
bootloader=uboot
bundle-formats=+plain
data-directory=/tmp/w
[keyring]
path=/tmp/w/rauc.pem
[slot.rootfs.0]
device=/tmp/w/slot-a.img
type=raw
bootname=A
[slot.rootfs.1]
device=/tmp/w/slot-b.img
type=raw
bootname=B
END
truncate -s 400000 slot-a.img slot-b.img
head -c 300000 /dev/urandom >content/rootfs.img
printf '[update]\ncompatible=demo\nversion=1\n[image.rootfs]\nfilename=rootfs.img\n' >content/manifest.raucm
rauc --cert rauc.pem --key rauc.key bundle content update.raucb >/dev/null 2>&1
fw_setenv BOOT_ORDER 'A B' && fw_setenv BOOT_A_LEFT 3 && fw_setenv BOOT_B_LEFT 3
dbus-daemon --system --fork
rauc --override-boot-slot=A service >service.log 2>&1 &
service=$!
for _ in 1 2 3 4 5 6 7 8 9 10; do
    rauc status >/dev/null 2>&1 && break
    sleep 0.3
done
is "RAUC marks its slot as good" rauc status mark-good
is "RAUC installs" rauc install update.raucb
is "RAUC's order is stored" test "$(fw_printenv -n BOOT_ORDER)" = "B A"
is "RAUC's image is written" cmp -n 300000 content/rootfs.img slot-b.img
kill "$service" && wait "$service" 2>/dev/null
rm -rf /etc/rauc/system.conf /etc/hwrevision
rmdir /etc/rauc /mnt/rauc 2>/dev/null

# 4. From the packages at hand to a confirmed slot, by the commands of docs/packages.md.
awk '/packages at hand:/ { on = 1 } on && shown && /^```$/ { exit } shown { print } on && /^```sh$/ { shown = 1 }' \
    /src/docs/packages.md | sed 's|\./\([a-z-]*_\)|/build/\1|g' >commands
is "not more than six commands" test "$(wc -l <commands)" -le 6
# apt asks, and finds the packages installed: a first installation was above.
sed -i 's/^apt install/DEBIAN_FRONTEND=noninteractive apt-get install -y/' commands
rm /etc/fw_env.config
is "the commands of docs/packages.md" bash -euxc "$(cat commands)"
is "U-Boot would find a confirmed slot" test "$(fw_printenv -n boot_success)$(fw_printenv -n slot_A)" = 1good
mv /var/lib/uboot.env /tmp/w/env.img
sed -i "s,/var/lib/uboot.env,/tmp/w/env.img," /etc/fw_env.config

# 5. The same packages once more, as an upgrade of themselves: the choice of the tools stays.
is "install again" get bootslot bootslot-fw-utils libbootslot0
is "still our fw_printenv" ours fw_printenv

# 6. Back to the incumbent, with its own packages: ours that stand in its way go.
is "back to the incumbent" sh -c 'DEBIAN_FRONTEND=noninteractive apt-get install -y -q --allow-downgrades /incumbent/*.deb </dev/null'
is "the incumbent's tool again" no ours fw_printenv
is "it reads what ours has stored" test "$(fw_printenv -n boot_success 2>/dev/null | tail -n 1)" = 1
is "no alternative is left" no update-alternatives --query fw_printenv
is "RAUC has stayed" dpkg -s rauc
is "SWUpdate is on the incumbent" sh -c '! ldd /usr/bin/swupdate | grep -q libbootslot'

# 7. The client, and the end: nothing is left.
is "install the client" get bootslot-hawkbit
is "it says its version" bootslot-hawkbit --version
# Those of ours that gave way to the incumbent have been removed already; of some only dpkg's records are left.
mapfile -t left < <(dpkg-query -W -f '${Package}\n' '*bootslot*')
is "purge all of it" dpkg --purge "${left[@]}"
is "dpkg knows none of them" no sh -c 'dpkg-query -W -f "\${db:Status-Status} \${Package}\n" | grep bootslot | grep -v not-installed'
rm -f /etc/fw_env.config
files >after
is "no trace is left" diff before after
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
