#!/usr/bin/env bash
# scripts/demo.sh [PROGRAM]: an update with slots, a bad one that is rolled back, and on a real file what a power
# cut in the middle of a store does, and what not.
#
# Slots and environment are files; U-Boot's part, the boots, is played by `bootslot next` (the library's next_boot(),
# which a test holds to the boot script in a real U-Boot).
# Needs no root and leaves nothing behind; everything happens in a temporary directory.
# PROGRAM is the built bootslot (default: target/release/bootslot).
set -euo pipefail
exec 2>&1

program=$(readlink -f "${1:-$(dirname "$0")/../target/release/bootslot}")
[ -x "$program" ] || { echo "$program is not there: cargo build --release" >&2; exit 1; }
command -v prlimit >/dev/null || { echo "needed: prlimit (package util-linux)" >&2; exit 1; }
peer=$(command -v /usr/bin/fw_printenv || :)

home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
cd "$home"
ln -s "$program" bootslot
ln -s "$program" fw_printenv
ln -s "$program" fw_setenv
PATH=$home:$PATH
LC_ALL=C
export PATH LC_ALL

bold='' plain=''
[ ! -t 1 ] || bold=$(printf '\033[1m') plain=$(printf '\033[0m')
say() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
# Shows a command, then runs it.
run() { printf '$ %s\n' "$*"; eval "$*"; }
fail() { printf '\ndemo failed: %s\n' "$*" >&2; exit 1; }

# cut BYTE VALUE: sets bootargs to VALUE, and the kernel kills fw_setenv where it writes at BYTE of the file.
# The exit code is 153 (128 + SIGXFSZ), or 0 if the store was complete before that byte.
cut() {
    sh -c 'prlimit --core=0 --fsize="$1" fw_setenv -c fw_env.config -l . bootargs "$2"; exit $?' cut "$@" 2>/dev/null
}

# The header and the first bytes of both copies.
headers() {
    printf '        crc32       flags  name=value ...\n'
    for copy in 0 1; do
        od -A n -t x1 -j $((copy * size)) -N 32 -w32 env.img |
            sed "s/^ \(.. .. .. ..\) \(..\) \(.*\)/copy $copy: \1 \2     \3/"
    done
}

size=$((0x4000))
mkdir slots && cd slots

# boot: what U-Boot's script would do now. Its stores are made with fw_setenv; sets `running`.
boot() {
    local plan
    plan=$(bootslot next --settings bootslot.toml)
    printf '%s\n' "$plan" | sed 's/^/  U-Boot (played by next_boot): /'
    printf '%s\n' "$plan" | sed -n 's/^stores: //p' | { grep -v '^nothing$' || :; } | while read -r variables; do
        printf '%s\n' $variables | fw_setenv -c fw_env.config -l . -s -
    done
    running=$(printf '%s\n' "$plan" | sed -n 's/^Slot \(.*\) boots\.$/\1/p')
    [ -n "$running" ] || fail 'no slot boots'
    echo "  ... slot $running runs: $(cat "slot-$running.img")"
}
# order ARGS: an order to the slots, by the system that runs.
order() { run "bootslot $* --slot $running --settings bootslot.toml -l ."; }
# How many stores there were: the serial of the newer copy counts them.
stores() {
    local a b
    a=$(od -A n -t u1 -j 4 -N 1 env.img) b=$(od -A n -t u1 -j $((size + 4)) -N 1 env.img)
    echo $((a > b ? a : b))
}

say '1. A device with two slots, as files. What the factory wrote boots on trial; its first healthy start confirms it.'
head -c 32768 /dev/zero > env.img
printf 'env.img 0x0 0x4000\nenv.img 0x4000 0x4000\n' > fw_env.config
printf '%s\n' '[[slot]]' 'name = "A"' 'device = "slot-A.img"' '[[slot]]' 'name = "B"' 'device = "slot-B.img"' \
    '[environment]' 'config = "fw_env.config"' > bootslot.toml
echo 'system 1.0' > slot-A.img
: > slot-B.img
# U-Boot's own has the script; here its name and version will do.
printf '%s\n' 'bootcmd=run bootslot' 'bootslot=...' bootslot_script=2 > u-boot-initial-env
running=A
order init -f u-boot-initial-env
boot
order confirm

say '2. An update. No boot takes the slot while it is written, then on trial; the boot is counted before it happens.'
before=$(stores)
order begin-install B
run "echo 'system 2.0' > slot-B.img"
order finish-install B --update 2f1d9a04c6b7e835
boot
order confirm
[ "$running" = B ] || fail 'the update did not boot'
echo "$(($(stores) - before)) stores for a whole update."
[ $(($(stores) - before)) = 4 ] || fail 'not 4 stores'
cp env.img normal.img
boot
order confirm
cmp -s env.img normal.img || fail 'a normal boot stored something'
echo 'A normal boot stores nothing.'

say '3. A bad update: it never comes up healthy, so nobody confirms it. Nothing else has to happen.'
order begin-install A
run "echo 'system 3.0, which hangs' > slot-A.img"
order finish-install A --tries 2 --update 77c0ffee00000bad
boot
boot
boot
[ "$running" = B ] || fail 'it did not come back'
order status

say '4. A dangerous order is refused, and nothing is written.'
refused() { run "bootslot $* --slot $running --settings bootslot.toml -l . || echo \"exit code \$?\""; }
refused try A
refused begin-install B

say '5. The power fails in an order, at each byte at which it writes: it was carried out or not, and is given again.'
cp env.img before.img
was=$(fw_printenv -c fw_env.config)
bootslot mark good A --slot B --settings bootslot.toml -l . >/dev/null
is=$(fw_printenv -c fw_env.config)
# The standby copy is the one that the order changed.
cmp -s -n $size before.img env.img && start=$size || start=0
old=0 new=0 cuts=0
for i in $(seq 0 8) $(seq 20 20 400); do
    cp before.img env.img
    sh -c 'prlimit --core=0 --fsize="$1" bootslot mark good A --slot B --settings bootslot.toml -l .; exit $?' \
        cut $((start + i)) >/dev/null 2>&1 || cuts=$((cuts + 1))
    case $(fw_printenv -c fw_env.config) in
    "$was") old=$((old + 1)) ;;
    "$is") new=$((new + 1)) ;;
    *) fail 'neither the old boot state nor the new one' ;;
    esac
    bootslot mark good A --slot B --settings bootslot.toml -l . >/dev/null
    [ "$(fw_printenv -c fw_env.config)" = "$is" ] || fail 'the order given again did not get there'
done
echo "$((old + new)) orders, $cuts of them cut: $old times the old boot state, $new times the new one, 0 times neither;"
echo 'given again, each got there.'
[ $cuts -gt 0 ] && [ $old -gt 0 ] && [ $new -gt 0 ] || fail 'see above'
cd ..

say '6. A redundant environment: two copies of 16 KiB in one file.'
run 'head -c 32768 /dev/zero > env.img'
run "printf 'env.img 0x0 0x4000\nenv.img 0x4000 0x4000\n' | tee fw_env.config"

say '7. Nothing valid is there, and nothing is invented: a new environment has to be asked for.'
run 'fw_setenv -c fw_env.config -l . bootdelay 3 || echo "exit code $?"'
run "printf 'bootcmd run distro_bootcmd\nbootdelay=3\nactive_slot A\n' > script"
run 'fw_setenv -c fw_env.config -l . --init -s script'
run 'fw_printenv -c fw_env.config'

say '8. Every change goes to the copy that is not in use; the other stays as it is.'
run 'fw_setenv -c fw_env.config -l . bootdelay 2'
run 'fw_setenv -c fw_env.config -l . bootdelay 1'
headers
run 'bootslot env check -c fw_env.config'

# The standby copy is copy 1 now. A new value of 9000 bytes changes many of its blocks.
value=$(printf 'x%.0s' $(seq 9000))
at=$((size + 5000))
say "9. The power fails in the middle of a store. The kernel stands in for it: it kills fw_setenv at byte $at
   of the file (a limit on the file's size), after it has written everything before that byte."
printf '$ prlimit --fsize=%s fw_setenv -c fw_env.config -l . bootargs xxxx...(9000 bytes)\n' $at
cp env.img before.img
code=0
cut $at "$value" || code=$?
[ $code = 153 ] || fail "fw_setenv ended with $code instead of being killed"
echo "killed (exit code $code = 128 + SIGXFSZ)"
changed=$(cmp -l before.img env.img | wc -l || :)
[ "$changed" -gt 0 ] || fail 'nothing was written: this was no cut in the middle'
echo "$changed bytes of copy 1 are new, the rest of it is old:"
headers

say '10. The old environment is still there, for every reader.'
run 'fw_printenv -c fw_env.config'
[ "$(fw_printenv -c fw_env.config -n bootdelay)" = 1 ] || fail 'the old value is lost'
fw_printenv -c fw_env.config bootargs 2>/dev/null && fail 'half a store is visible'
# libubootenv's tool makes a lock file in /run/lock; here in one of its own.
if [ -n "$peer" ]; then
    if theirs=$(unshare --user --map-root-user --mount sh -c \
        'mount -t tmpfs none /run/lock && exec /usr/bin/fw_printenv -c fw_env.config' 2>/dev/null); then
        echo "and by $peer of this system:"
        printf '%s\n' "$theirs"
    else
        echo "($peer is here, but this system lets it not run without touching /run/lock)"
    fi
fi

say '11. The health report says what happened and what to do.'
run 'bootslot env check -c fw_env.config || echo "exit code $?"'
run 'bootslot env repair -c fw_env.config -l .'
run 'bootslot env check -c fw_env.config'

say '12. Once more, at each byte of the header, and at every 50th behind it.'
old=0 new=0 lost=0 stuck=0 cuts=0
for i in $(seq 0 8) $(seq 50 50 9500); do
    cp before.img env.img
    cut $((size + i)) "$value" || cuts=$((cuts + 1))
    case $(fw_printenv -c fw_env.config -n bootdelay):$(fw_printenv -c fw_env.config -n bootargs 2>/dev/null) in
    1:) old=$((old + 1)) ;;
    "1:$value") new=$((new + 1)) ;;
    *) lost=$((lost + 1)) ;;
    esac
    { fw_setenv -c fw_env.config -l . bootdelay 9 && bootslot env check -c fw_env.config >/dev/null; } ||
        stuck=$((stuck + 1))
done
echo "$((old + new + lost)) stores, $cuts of them cut: $old times the whole old environment is there, $new times the"
echo "whole new one (cut behind the last byte that had to change), $lost times neither."
echo "The next fw_setenv left two valid copies $((old + new + lost - stuck)) times."
[ $lost = 0 ] && [ $stuck = 0 ] && [ $old -gt 0 ] && [ $new -gt 0 ] || fail 'see above'
say '13. A system as a signed bundle, installed into slot B. The power fails in the middle: a limit on the size of
    files kills the program at byte 600000 of the slot.'
mkdir keys
run 'bootslot bundle generate-key --public keys/release.pub --secret release.key'
seq 1 200000 >rootfs.img
run 'bootslot bundle create -o update.bundle --compatible demo --version 1.1 root=rootfs.img'
run 'bootslot bundle sign update.bundle --key release.key'
head -c $((2 * size)) /dev/zero >env.img
printf 'env.img 0x0 %#x\nenv.img %#x %#x\n' $size $size $size >fw_env.config
printf 'bootcmd=run bootslot\n' >defaults
cat >bootslot.toml <<END
script = 2
[[slot]]
name = "A"
device = "$PWD/a.img"
[[slot]]
name = "B"
device = "$PWD/b.img"
[environment]
config = "$PWD/fw_env.config"
[update]
compatible = "demo"
keys = "$PWD/keys"
END
truncate -s 2M a.img b.img
on_a='--slot A --settings bootslot.toml -l .'
run "bootslot init -f defaults $on_a"
run "bootslot confirm $on_a"
code=0
printf '$ prlimit --fsize=600000 bootslot install update.bundle %s\n' "$on_a"
# shellcheck disable=SC2086
sh -c 'prlimit --core=0 --fsize=600000 bootslot install update.bundle "$@"; exit $?' cut $on_a 2>/dev/null || code=$?
[ $code = 153 ] || fail "the installation ended with $code instead of being killed"
echo "killed (exit code $code = 128 + SIGXFSZ)"
run "bootslot next --settings bootslot.toml"
[ "$(fw_printenv -c fw_env.config -n slot_B)" = bad ] || fail 'the half-written slot is not marked'

say '14. The same command goes on where it was.'
run "bootslot install update.bundle $on_a"
cmp -n "$(stat -c %s rootfs.img)" rootfs.img b.img || fail 'the slot does not hold the image'
run "bootslot next --settings bootslot.toml"
run "bootslot install update.bundle $on_a"
printf '\nDone; %s seconds. make test cuts simulated NOR, NAND, UBI and disks in far more places.\n' $SECONDS
