#!/usr/bin/env bash
# hawkbit/mock/test.sh: the client, as it is built for devices, against the mock server of the `hawkbit` crate.
set -euo pipefail
cd "$(dirname "$0")/../.."
cargo build --locked -p bootslot-hawkbit
target=$(realpath "${CARGO_TARGET_DIR:-target}")
cd hawkbit/mock
BOOTSLOT_HAWKBIT=$target/debug/bootslot-hawkbit CARGO_TARGET_DIR=$target/mock cargo test --locked "$@"
