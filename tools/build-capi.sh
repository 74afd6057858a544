#!/usr/bin/env bash
# tools/build-capi.sh [CARGO_OPTION...]: builds the C library, libbootslot.so and libbootslot.a, optimised, and
# prints their folder. CAPI_QUICK=1 makes one for tests: with debug assertions, in a third of the time. CAPI_FEATURES names other features than those of an installed library: without
# `settings` it reads no file of settings and is smaller.
#
# The crate types are asked for here and not in Cargo.toml: there, every `cargo build` and `cargo test` would
# link them, and Cargo leaves link-time optimisation out where a crate is linked as a Rust library too.
#
# The crate itself is compiled for size alone: that costs a change of a variable 6 % more instructions and saves 48 KiB.
set -euo pipefail
cd "$(dirname "$0")/.."
how=(-C opt-level=z -C link-arg=-Wl,-soname,libbootslot.so.0) profile=release
if [ -n "${CAPI_QUICK:-}" ]; then
    how=(-C link-arg=-Wl,-soname,libbootslot.so.0) profile=quick
fi
cargo rustc --locked --profile $profile --lib --no-default-features \
    --features "${CAPI_FEATURES:-yaml,settings,libubootenv}" \
    --crate-type cdylib,staticlib "$@" -- "${how[@]}" >&2
echo "${CARGO_TARGET_DIR:-target}/$profile"
