#!/usr/bin/env bash
# hawkbit/mock/test.sh: the client against the mock server of the `hawkbit` crate.
set -euo pipefail
cd "$(dirname "$0")/../.."
# With the features of all other tests: it is there already where those were run.
cargo build --locked --workspace --all-features
target=$(realpath "${CARGO_TARGET_DIR:-target}")
cd hawkbit/mock
BOOTSLOT_HAWKBIT=$target/debug/bootslot-hawkbit CARGO_TARGET_DIR=$target/mock cargo test --locked "$@"
