#!/usr/bin/env bash
# tools/bench.sh [--check|--slow]: the table of benches/figures.py with all that it needs, and that of
# benches/install.sh. With --check ours of the first alone, as a test; else beside the incumbents' tools. With --slow also
# what a delta costs, of real systems beside other methods and over a slow link: hours.
set -euo pipefail
cd "$(dirname "$0")/.."
tools/need.sh python3 valgrind strace time binutils
if [ "${1:-}" = --check ]; then
    exec benches/figures.py --check
fi
tools/need.sh libubootenv-tool
# The C library, with and without the file of settings.
libraries=$(tools/build-capi.sh)
folder=$(mktemp -d)
cp "$libraries/libbootslot.so" "$folder"
CAPI_FEATURES=yaml,libubootenv tools/build-capi.sh >/dev/null
benches/capi.py "$folder" "$libraries" $([ "${1:-}" = --slow ] || echo --check) || :
rm -r "$folder"
# Not everywhere can a build root be made; the table is worth something without U-Boot's tool, too.
failed=0
if uboot=$(qemu/uboot.sh nor); then
    benches/figures.py --uboot "$uboot/fw_printenv-amd64" "$@" || failed=1
else
    echo "U-Boot's own fw_printenv could not be built; it is missing in the table" >&2
    benches/figures.py "$@" || failed=1
fi
# Loop devices are for root alone.
[ "$(id -u)" != 0 ] || benches/install.sh || failed=1
benches/hawkbit.sh || failed=1
ffi-tests/run.sh sizes || failed=1
if [ "${1:-}" = --slow ]; then
    benches/delta.sh 12 || failed=1
    benches/delta.sh 13 || failed=1
    cargo test --locked --release --all-features --test http_source -- --ignored --nocapture delta || failed=1
fi
exit $failed
