#!/usr/bin/env bash
# Makes include/bootslot.h of src/capi; with --check compares it with the one that is there. Never part of a
# user's build.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cbindgen=$(tools/cargo-tool.sh cbindgen 0.29.2)

version=$(sed -n '/^\[package\]/,/^\[/s/^version = "\([0-9]*\)\.\([0-9]*\)\.\([0-9]*\).*/\1 \2 \3/p' Cargo.toml)
# shellcheck disable=SC2086  # three numbers
version=$(printf '0x%06x' $(($(printf '%d << 16 | %d << 8 | %d' $version))))

# The functions are declared by a macro, and rustc shows what a macro made only to who asks as a developer.
# It happens in a folder of its own, since this way of calling would make cargo build all else again.
# with FEATURES : the header of a library with these
with() {
    sed "s/^features = .*/features = [$1]/" include/cbindgen.toml >"$work/cbindgen.toml"
    RUSTC_BOOTSTRAP=1 CARGO_EXPAND_TARGET_DIR=${CARGO_TARGET_DIR:-target}/header \
        "$cbindgen" --quiet --config "$work/cbindgen.toml" --crate bootslot | sed "s/@VERSION@/$version/"
}

# What rustc shows has no features any more. So there are two headers, paragraph by paragraph: what only the second one
# has, the feature adds. Where a paragraph of the first one is missing in the second one, a feature changes what there
# is without it, which is a mistake.
generate() {
    with '"capi"' >"$work/without.h"
    with '"capi", "update"' >"$work/update.h"
    awk -v RS= -v without="$work/without.h" '
        BEGIN { while ((getline paragraph < without) > 0) { known[paragraph]; left++ } }
        ($0 in known) == inside { print inside ? "#endif\n" : "#if defined(BOOTSLOT_UPDATE)"; inside = !inside }
        $0 in known { left-- }
        { print $0 "\n" }
        END { if (left != 0) { print "the feature changes the header" > "/dev/stderr"; exit 1 } }' "$work/update.h" |
        sed -e '$d'
}

case "${1-}" in
--check)
    generate | diff -u include/bootslot.h - || {
        echo "include/bootslot.h is not what src/capi says: run tools/regenerate-header.sh and commit the result"
        exit 1
    }
    ;;
*) generate >include/bootslot.h.new && mv include/bootslot.h.new include/bootslot.h ;;
esac
