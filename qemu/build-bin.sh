#!/bin/sh
# Builds the static aarch64 program with the oldest supported Rust (Debian 13's
# 1.85) in the build root, and the client for hawkBit beside it. Prints the path of the program.
set -eu
. "$(dirname "$0")/lib.sh"

root=$("$here/root.sh")
project=$(cd "$here/.." && pwd)
triple=aarch64-unknown-linux-gnu
target=$("$project/tools/build-folder.sh" target)
log=$cache/log/bin.log
registry=${CARGO_HOME:-$HOME/.cargo}
mkdir -p "$registry"
[ "$(id -u)" = 0 ] || chmod 777 "$target"

build() {
	# The root has no network: what it needs is fetched outside.
	cd "$project"
	cargo fetch --locked --target $triple
	in_root "$root" "$project:/src" "$target:/build" "$registry:/cargo" -- \
		env CARGO_HOME=/cargo CARGO_TARGET_DIR=/build RUSTFLAGS='-C target-feature=+crt-static' \
		CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc CC_aarch64_unknown_linux_gnu=aarch64-linux-gnu-gcc \
		CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_STRIP=true \
		sh -ec 'cd /src; rustc --version; cargo build --offline --locked --release -p bootslot -p bootslot-hawkbit \
			--features bootslot/http --bin bootslot --bin bootslot-hawkbit --target '$triple
}

(set -e; build) >"$log" 2>&1 &
if ! wait $!; then
	tail -n 40 "$log" >&2
	die "the build failed; the whole log is $log"
fi
echo "$target/$triple/release/bootslot"
