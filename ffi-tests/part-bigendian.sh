# Sourced by run.sh. A machine of 32 bits with the most significant byte first, under qemu-user.

registry=${CARGO_HOME:-$HOME/.cargo}
folder=$(tools/build-folder.sh ffi-build)
root=$("$here/root.sh")
cargo fetch --locked >&2
# What Rust's standard library is made of, since it is built there.
RUSTC_BOOTSTRAP=1 cargo fetch --locked --manifest-path "$(echo "$root"/usr/src/rustc-*/library/Cargo.toml)" >&2
counted "big-endian" "$here/in-root.sh" "$folder" "$registry" sh /src/ffi-tests/inside/big-endian.sh </dev/null
