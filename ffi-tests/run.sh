#!/usr/bin/env bash
# ffi-tests/run.sh [PART...]: tests the C library: the headers, every function from C under sanitizers and under
# valgrind, the examples, the installation, and real programs. Installs and builds what it lacks. Parts:
# headers c update trial rust examples figures programs arm64 bigendian, all of them by default; and sizes.
set -euo pipefail
cd "$(dirname "$0")/.."
parts=("$@")
[ ${#parts[@]} -gt 0 ] || parts=(headers c update trial rust examples figures programs arm64 bigendian)

here=$PWD/ffi-tests
cache=${BOOTSLOT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/bootslot}
mkdir -p "$cache"
work=$(mktemp -d "$cache/ffi.XXXXXX")
trap 'rm -rf "$work"' EXIT
target=${CARGO_TARGET_DIR:-$PWD/target}
passed=0 failed=0 skipped=0

# check NAME COMMAND...: one check; its output is shown if it fails.
check() {
    local name=$1
    shift
    if "$@" >"$work/log" 2>&1; then
        passed=$((passed + 1))
        echo "ok $name"
    else
        failed=$((failed + 1))
        echo "NOT OK $name"
        tail -n 40 "$work/log"
    fi
}

# counted NAME COMMAND...: a test program that says "X: N passed, N failed"; it must do so, and exit with 0. Lines that begin
# with "# " are figures: they are shown.
counted() {
    local name=$1 p f code=0
    shift
    "$@" >"$work/log" 2>&1 || code=$?
    read -r p f < <(sed -n 's/^[a-z-]*: \([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' "$work/log" |
        awk '{ p += $1; f += $2 } END { print p + 0, f + 0 }')
    if [ "$code" = 0 ] && [ "$f" = 0 ] && [ "$p" -gt 0 ]; then
        echo "ok $name ($p checks)"
        sed -n 's/^# /   /p' "$work/log"
    else
        [ "$f" -gt 0 ] || f=1
        echo "NOT OK $name (exit $code)"
        tail -n 60 "$work/log"
    fi
    passed=$((passed + p)) failed=$((failed + f))
}

# An empty folder, named for what happens in it.
place() {
    rm -rf "${work:?}/$1"
    mkdir -p "$work/$1"
    echo "$work/$1"
}

tools/need.sh gcc g++ libc6-dev binutils pkg-config >&2
built=$(tools/build-capi.sh)
# Parts build the library with other features in the same folder.
libraries=$work/libraries
mkdir "$libraries"
cp "$built/libbootslot.so" "$built/libbootslot.a" "$libraries"
# Always: one that is there may be of an older source.
cargo build --locked --release
prefix=$work/prefix
PREFIX=$prefix tools/install.sh "$target/release/bootslot" "$libraries"
warnings=(-Wall -Wextra -Wpedantic -Werror -I"$prefix/include")
link=("$prefix/lib/libbootslot.so" -Wl,-rpath,"$prefix/lib")
tests=(env slots libuboot threads)
# shellcheck source=ffi-tests/library.sh
. "$here/library.sh"

# shellcheck source-path=SCRIPTDIR
for part in "${parts[@]}"; do
    echo "-- $part"
    . "$here/part-$part.sh"
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
