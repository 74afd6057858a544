#!/usr/bin/env bash
# benches/hawkbit.sh: the size of bootslot-hawkbit, TLS included, and what it takes for an update of 512 MiB, or of
# BOOTSLOT_HAWKBIT_MIB: memory and messages. Fails where a goal is missed.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo build --locked --release -p bootslot-hawkbit
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
strip -o "$folder/bootslot-hawkbit" "${CARGO_TARGET_DIR:-target}/release/bootslot-hawkbit"
size=$(stat -c %s "$folder/bootslot-hawkbit")
awk -v size="$size" 'BEGIN { printf "size, stripped: %.2f MiB (goal: 4)\n", size / 1048576; exit size > 4 * 1048576 }'
BOOTSLOT_HAWKBIT=$folder/bootslot-hawkbit BOOTSLOT_HAWKBIT_MIB=${BOOTSLOT_HAWKBIT_MIB:-512} \
    cargo test --locked -p bootslot-hawkbit --test figures -- --nocapture
