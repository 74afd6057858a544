#!/usr/bin/env bash
# tools/test.sh all|quick|lint: the checks, in the order in which they find most for least time.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tools/steps.sh
. tools/steps.sh

# What a board chooses must build without a warning, too: features that others bring along are easily forgotten.
combinations() {
    local features
    for features in settings sim cli cli,update cli,yaml,health cli,bundle app cli,app bootloader cli,bootloader http capi,health capi,update; do
        echo "-- $features"
        # A step is called where its failure is asked for, so that `set -e` does not end it.
        cargo clippy --locked --lib --bins --no-default-features --features "$features" -- -D warnings || return
    done
}

lint() {
    step fmt cargo fmt --check --all
    step fmt-fuzz cargo fmt --check --manifest-path fuzz/Cargo.toml
    step fmt-mock cargo fmt --check --manifest-path hawkbit/mock/Cargo.toml
    step clippy cargo clippy --locked --workspace --all-targets --all-features -- -D warnings
    step clippy-no-features cargo clippy --locked --all-targets --no-default-features -- -D warnings
    step clippy-combinations combinations
    step doc env RUSTDOCFLAGS=-Dwarnings cargo doc --locked --no-deps --all-features
}

# run_tests PROFILE OPTION...
run_tests() {
    local profile=$1
    shift
    if cargo nextest --version >/dev/null 2>&1; then
        cargo nextest run --locked --no-fail-fast --no-tests=pass --cargo-profile "$profile" "$@"
    else
        cargo test --locked --no-fail-fast --profile "$profile" --lib --bins --tests --examples "$@"
    fi
}

# with_program COMMAND...: with the program as the tests have built it; by itself each would build one with fewer features.
with_program() {
    cargo build --locked --workspace --all-features --bins || return
    BOOTSLOT_PROGRAM=$(realpath "${CARGO_TARGET_DIR:-target}")/debug/bootslot "$@"
}

quick() {
    step tests run_tests dev --workspace --all-features
    step doc-tests cargo test --locked --doc --all-features
}

# What is run two at a time. Cargo lets only one process build in the same profile, so that a neighbour is of another one
# where that can be.
written() {
    step c-header tools/regenerate-header.sh --check
    step pages with_program packaging/test-pages.sh
    step json with_program tests/json/run.sh
    step release tools/test-release.sh
}
programs() {
    step demo make --no-print-directory demo
    step figures tools/bench.sh --check
    # Without the big-endian machine, whose standard library is compiled first: `make soak` has it.
    step c-library ffi-tests/run.sh headers c update trial rust examples figures programs arm64
}
without_features() { step tests-no-features run_tests quick --no-default-features; }
scripts() {
    step uboot-script cargo test --locked --all-features --test uboot_script --test uboot_dialects --test uboot_cuts --test uboot_contrib --test uboot_settings -- --ignored --nocapture
}
# Rust 1.85 builds the aarch64 program here, so that this step proves the oldest supported version too.
devices() { step qemu-device with_program qemu/test-device.sh --short; }
media() {
    step qemu-media with_program qemu/test-media.sh
    step qemu-disk with_program qemu/test-disk.sh
}
installed() {
    step units with_program packaging/test.sh
    step debian packaging/test-debian.sh
    step recipes packaging/test-recipes.py
    step dependencies tools/deny.sh
}
others() {
    step fuzz tools/fuzz.sh 3
    step hawkbit-mock hawkbit/mock/test.sh
    # SWUpdate takes the client's test server for a hawkBit.
    step hawkbit-foreign cargo test --locked --workspace --all-features --test foreign -- --ignored
}

# What lets OpenSSL use keys in a PKCS#11 module: a provider, on older systems an engine.
pkcs11() {
    if [ -n "$(apt-cache madison pkcs11-provider 2>/dev/null)" ]; then
        echo pkcs11-provider
    else
        echo libengine-pkcs11-openssl
    fi
}

case "${1:-all}" in
all)
    # What the tests compare with and measure by.
    step packages tools/need.sh libubootenv-tool valgrind strace time python3 binutils \
        python3-jsonschema mandoc zsh fish abigail-tools sqlite3 postgresql btrfs-progs xfsprogs minisign openssl libssl-dev pkg-config swupdate cpio softhsm2 opensc "$(pkcs11)"
    # A test asks for it.
    step bindgen tools/need-bindgen.sh
    two_at_a_time lint programs quick devices scripts installed media without_features written others
    ;;
quick) quick ;;
lint) lint ;;
*)
    echo "usage: tools/test.sh all|quick|lint" >&2
    exit 2
    ;;
esac
steps_end
