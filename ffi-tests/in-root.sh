#!/bin/sh
# ffi-tests/in-root.sh FOLDER CARGO_HOME COMMAND...: runs a command in the root of root.sh, with the project at
# /src, FOLDER at /build, and CARGO_HOME at /cargo. What the command changes in /etc, /run, /tmp and /var is gone
# afterwards. FFI_ROOT=newer-root: in that of newer-root.sh.
set -eu
. "$(dirname "$0")/../qemu/lib.sh"
root=$("$here/${FFI_ROOT:-root}.sh")
folder=$1 registry=$2
shift 2
project=$(cd "$here/.." && pwd)
# shellcheck disable=SC2016  # expanded inside
in_root "$root" "$project:/src" "$folder:/build" "$registry:/cargo" -- sh -c '
	set -e
	mount -t tmpfs tmpfs /tmp
	mount -t tmpfs tmpfs /run
	for changed in etc var; do
		cp -a "/$changed" "/tmp/$changed"
		mount --bind "/tmp/$changed" "/$changed"
	done
	mkdir -p /run/lock /run/dbus
	exec "$@"' sh "$@"
