#!/usr/bin/env bash
# Makes include/bootslot.h of src/capi; with --check compares it with the one that is there. Never part of a
# user's build.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cbindgen=$(tools/cargo-tool.sh cbindgen 0.29.2)

version=$(tools/version.sh | sed 's/\([0-9]*\)\.\([0-9]*\)\.\([0-9]*\).*/\1 \2 \3/')
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

# What rustc shows has no features any more. So there is a header for each of them, paragraph by paragraph: what only the
# next one has, its feature adds. Where a paragraph of one is missing in the last one, a feature changes what there is
# without it, which is a mistake.
generate() {
    with '"capi"' >"$work/0.h"
    with '"capi", "settings"' >"$work/1.h"
    with '"capi", "update"' >"$work/2.h"
    with '"capi", "update", "health"' >"$work/3.h"
    awk -v RS= -v work="$work" '
        BEGIN {
            condition[1] = "!defined(BOOTSLOT_NO_SETTINGS)"
            condition[2] = "defined(BOOTSLOT_UPDATE)"
            condition[3] = "defined(BOOTSLOT_HEALTH)"
            for (level = 0; level < 3; level++)
                while ((getline paragraph < (work "/" level ".h")) > 0)
                    if (!(paragraph in of)) { of[paragraph] = level; left++ }
        }
        {
            level = $0 in of ? of[$0] : 3
            if (level != inside) {
                if (inside) print "#endif\n"
                if (level) print "#if " condition[level]
                inside = level
            }
            if ($0 in of) left--
            print $0 "\n"
        }
        END { if (left != 0) { print "a feature changes the header" > "/dev/stderr"; exit 1 } }' "$work/3.h" |
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
