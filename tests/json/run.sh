#!/usr/bin/env bash
# tests/json/run.sh: builds the program, and compares what it prints with --json with docs/schema: run.py.
set -euo pipefail
cd "$(dirname "$0")/../.."
program=${BOOTSLOT_PROGRAM:-${CARGO_TARGET_DIR:-$PWD/target}/debug/bootslot}
[ -n "${BOOTSLOT_PROGRAM:-}" ] || cargo build --locked --all-features --bin bootslot >&2
# Debian's, or one that was installed otherwise.
for python in python3 /usr/bin/python3; do
    if "$python" -c 'import jsonschema' 2>/dev/null; then exec "$python" tests/json/run.py "$program"; fi
done
tools/need.sh python3-jsonschema >&2 || exit 77
exec /usr/bin/python3 tests/json/run.py "$program"
