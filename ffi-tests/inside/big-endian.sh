#!/bin/sh
# The tests of the image and of all else that is pure about an environment, and every C test, on 32 bits with the most
# significant byte first, under qemu-user: the CRC and all sizes are stored in the CPU's byte order.
set -u
. /src/ffi-tests/inside/check.sh

cd /src
triple=powerpc-unknown-linux-gnu
libraries=/usr/powerpc-linux-gnu
export CARGO_HOME=/cargo CARGO_TARGET_DIR=/build/big-endian
export CARGO_TARGET_POWERPC_UNKNOWN_LINUX_GNU_LINKER=powerpc-linux-gnu-gcc
export CARGO_TARGET_POWERPC_UNKNOWN_LINUX_GNU_RUNNER="qemu-ppc -L $libraries"
# Debian has no standard library for this machine. Its Rust may build one if it is told to be a developer's.
export RUSTC_BOOTSTRAP=1
std="-Zbuild-std=std,panic_unwind,test --target $triple --offline --locked"

# rust COUNT ARGUMENT... : tests of the project; at least COUNT of them have to pass
rust() {
	least=$1
	shift
	# shellcheck disable=SC2086  # words
	cargo test $std --ignore-rust-version --no-default-features --features yaml,libubootenv "$@" >/build/rust.log 2>&1
	code=$?
	count=$(sed -n 's/^test result: .* \([0-9]*\) passed; .*/\1/p' /build/rust.log | awk '{ n += $1 } END { print n + 0 }')
	check "$* ($count tests)" sh -c "test $code = 0 && test $count -ge $least || { tail -n 40 /build/rust.log; false; }"
}
# What is random is tested at length elsewhere: under qemu-user it takes ten times as long.
# One standard library for all, and nothing optimised: it takes longer to be compiled than to run.
export PROPTEST_CASES=8 CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_DEV_OPT_LEVEL=0
rust 40 --lib env::
rust 6 --test image_properties

# shellcheck disable=SC2086
check "the C library" cargo rustc $std --lib --no-default-features --features yaml,settings,libubootenv \
	--crate-type cdylib -- -C link-arg=-Wl,-soname,libbootslot.so.0
mkdir -p /tmp/lib
cp $CARGO_TARGET_DIR/$triple/debug/libbootslot.so /tmp/lib/libbootslot.so.0
for test in env slots libuboot threads; do
	check "$test is compiled" powerpc-linux-gnu-gcc -std=c11 -D_GNU_SOURCE -pthread -Wall -Wextra -Wpedantic -Werror \
		-Iinclude ffi-tests/$test.c /tmp/lib/libbootslot.so.0 -o /tmp/$test
	mkdir -p /tmp/p-$test
	check "$test" sh -c "cd /tmp/p-$test && qemu-ppc -L $libraries -E LD_LIBRARY_PATH=/tmp/lib /tmp/$test /tmp/p-$test </dev/null"
done
verdict big-endian
