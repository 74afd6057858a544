#!/bin/sh
# Runs QEMU 7.2 (see qemu.sh), for Linux with flash: "run-linux.sh OPTION...". The
# process becomes qemu-system-aarch64 itself. Neither root nor a chroot is needed for it.
set -eu
. "$(dirname "$0")/lib.sh"

qemu=$("$here/qemu.sh")
triple=x86_64-linux-gnu
export QEMU_MODULE_DIR="$qemu/usr/lib/$triple/qemu"
exec "$qemu/lib64/ld-linux-x86-64.so.2" --library-path "$qemu/lib/$triple:$qemu/usr/lib/$triple" \
	"$qemu/usr/bin/qemu-system-aarch64" -L "$qemu/usr/share/qemu" "$@"
