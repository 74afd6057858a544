#!/usr/bin/env bash
# tools/build-capi.sh [CARGO_OPTION...]: builds the C library, libbootslot.so and libbootslot.a, optimised, and
# prints their folder. Other features than those of an installed library: CAPI_FEATURES=yaml,libubootenv.
#
# The crate types are asked for here and not in Cargo.toml: there, every `cargo build` and `cargo test` would
# link them, and Cargo leaves link-time optimisation out where a crate is linked as a Rust library too.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo rustc --locked --release --lib --no-default-features --features "${CAPI_FEATURES:-yaml,libubootenv}" \
    --crate-type cdylib,staticlib "$@" -- -C link-arg=-Wl,-soname,libbootslot.so.0 >&2
target=${CARGO_TARGET_DIR:-target}
# A folder for each target where one is named.
for option; do [ -z "${previous_is_target:-}" ] || target=$target/$option; previous_is_target=; [ "$option" = --target ] && previous_is_target=1; done
echo "$target/release"
