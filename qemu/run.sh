#!/bin/sh
# Runs the build root's QEMU 10 on this machine's own files, "run.sh OPTION...": it
# becomes the qemu-system-aarch64 process itself, so killing its pid is a power
# cut. Neither root nor a chroot is needed for it.
set -eu
. "$(dirname "$0")/lib.sh"

root=$("$here/root.sh")
lib=$root/usr/lib/x86_64-linux-gnu
export QEMU_MODULE_DIR="$lib/qemu"
exec "$root/lib64/ld-linux-x86-64.so.2" --library-path "$lib" \
	"$root/usr/bin/qemu-system-aarch64" -L "$root/usr/share/qemu" "$@"
