#!/usr/bin/env bash
# packaging/machine.sh ROOT FOLDER COMMAND...: runs COMMAND as process 1 of a machine of its own: namespaces, and ROOT with a
# layer in memory over it. FOLDER is /case in it, with `cmdline` for /proc/cmdline; FOLDER/layer is copied over ROOT.
#
# It needs to be root. Nothing in it reaches this machine: it has no network, no device but /dev/null and its like, its own
# process ids, so that its restart ends it alone; and the kernel's restart by /proc/sysrq-trigger, which knows of no
# namespaces, is hidden before anything is started.
set -euo pipefail

if [ "${BOOTSLOT_INSIDE:-}" != yes ]; then
    # A control group of its own, whose namespace begins there.
    groups=$(findmnt -n -t cgroup2 -o TARGET | head -n 1)
    [ -n "$groups" ] || { echo "this machine has no control groups of version 2"; exit 77; }
    group=$groups/bootslot-units.$$
    mkdir "$group"
    echo $$ >"$group/cgroup.procs"
    BOOTSLOT_INSIDE=yes BOOTSLOT_GROUPS=$groups exec unshare --mount --propagation private --pid --uts --ipc --net --cgroup \
        --fork --kill-child "$0" "$@"
fi

root=$1 folder=$2
shift 2
mount -t tmpfs tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/root
[ ! -d "$folder/layer" ] || cp -a "$folder/layer/." /mnt/upper
mount -t overlay overlay -o "lowerdir=$root,upperdir=/mnt/upper,workdir=/mnt/work" /mnt/root
cd /mnt/root
mkdir -p case old
mount --bind "$folder" case
mount -t proc proc proc
[ ! -e proc/sysrq-trigger ] || mount --bind /dev/null proc/sysrq-trigger
mount --bind "$folder/cmdline" proc/cmdline
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
mount -t tmpfs tmpfs dev
for device in null zero full random urandom tty; do
    : >"dev/$device"
    mount --bind "/dev/$device" "dev/$device"
done
ln -s /proc/self/fd dev/fd
mkdir dev/shm
hostname units
pivot_root . old
cd /
umount -l /old
exec env -i container=bootslot PATH=/usr/sbin:/usr/bin:/sbin:/bin SYSTEMD_LOG_TARGET=journal "$@"
