#!/usr/bin/env bash
# tools/install-units.sh: installs what starts bootslot at boot, for the init systems whose folder is named:
#   SYSTEMDUNITDIR=/usr/lib/systemd/system  OPENRCDIR=/etc/init.d  RCSDIR=/etc/init.d (busybox, Buildroot)
# under $DESTDIR, for a program in $PREFIX/bin. Nothing is enabled.
set -euo pipefail
cd "$(dirname "$0")/.."
prefix=${PREFIX:-/usr/local} root=${DESTDIR:-}

# put MODE FOLDER FILE...: with the program's real place.
put() {
    local mode=$1 folder=$2 file
    shift 2
    install -d "$root$folder"
    for file; do
        install -m "$mode" /dev/null "$root$folder/${file##*/}"
        sed -e "s|/usr/bin/bootslot|$prefix/bin/bootslot|" -e "s|/usr/share/doc|$prefix/share/doc|" \
            "$file" >"$root$folder/${file##*/}"
    done
}

[ -z "${SYSTEMDUNITDIR:-}" ] || put 644 "$SYSTEMDUNITDIR" packaging/systemd/*
[ -z "${OPENRCDIR:-}" ] || put 755 "$OPENRCDIR" packaging/openrc/bootslot
[ -z "${RCSDIR:-}" ] || put 755 "$RCSDIR" packaging/busybox/S03bootslot
install -d "$root$prefix/share/doc/bootslot"
install -m 644 docs/units.md "$root$prefix/share/doc/bootslot"
