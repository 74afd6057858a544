#!/usr/bin/env bash
# Makes sure that bindgen, libclang and the kernel's headers are there, with which tests/abi_fresh.rs
# makes src/sys/abi.rs again. Exits with 77 where they can't be installed.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! tools/regenerate-abi.sh --stdout >/dev/null 2>&1; then
    tools/need.sh libclang-dev linux-libc-dev || exit 77
    # Not optimised: it runs for a second, compiling it takes much longer.
    command -v bindgen >/dev/null || cargo install --quiet --locked --debug --version 0.73.2 bindgen-cli
    tools/regenerate-abi.sh --stdout >/dev/null
fi
bindgen --version
