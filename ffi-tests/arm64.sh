#!/bin/sh
# ffi-tests/arm64.sh FOLDER: cross-compiles the C library, with Rust 1.85, and its C tests for arm64 in FOLDER, and
# runs them on a Linux in QEMU, with libubootenv's tools on our library.
set -eu
. "$(dirname "$0")/../qemu/lib.sh"

folder=$1
qemu=$here/../qemu
project=$(cd "$here/.." && pwd)
registry=${CARGO_HOME:-$HOME/.cargo}
triple=aarch64-unknown-linux-gnu
root=$("$qemu/root.sh")
kernel=$("$qemu/kernel.sh")
guest=$("$qemu/guest.sh")
need cpio:cpio

cd "$project"
cargo fetch --locked --target $triple >&2
# shellcheck disable=SC2016  # expanded inside
in_root "$root" "$project:/src" "$folder:/build" "$registry:/cargo" -- \
	env CARGO_HOME=/cargo CARGO_TARGET_DIR=/build/arm64-target triple=$triple \
	CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
	CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_OPT_LEVEL=0 sh -ec '
	cd /src
	cargo rustc --offline --locked --release --lib --no-default-features --features yaml,settings,libubootenv \
		--crate-type cdylib --target $triple -- -C link-arg=-Wl,-soname,libbootslot.so.0
	files=/build/arm64/opt/ffi
	mkdir -p $files
	cp /build/arm64-target/$triple/release/libbootslot.so $files/libbootslot.so.0
	aarch64-linux-gnu-gcc -shared -nostdlib -x c /dev/null -x none -Wl,-soname,libubootenv.so.0 \
		-Wl,--no-as-needed $files/libbootslot.so.0 -o $files/libubootenv.so.0
	for test in env slots libuboot threads; do
		aarch64-linux-gnu-gcc -std=c11 -D_GNU_SOURCE -pthread -Iinclude ffi-tests/$test.c $files/libbootslot.so.0 -o $files/$test
	done' >&2

files=$folder/arm64
mkdir -p "$files/tests"
install -m 755 "$qemu/guest/init" "$files/init"
cat >"$files/tests/ffi.sh" <<'END'
export LD_LIBRARY_PATH=/opt/ffi
for test in env slots libuboot threads; do
	mkdir /tmp/$test
	(cd /tmp/$test && /opt/ffi/$test /tmp/$test </dev/null)
done
# Debian's program, linked with libubootenv.
head -c 32768 /dev/zero >/tmp/env.img
printf '/tmp/env.img 0x0 0x4000\n/tmp/env.img 0x4000 0x4000\n' >/etc/fw_env.config
echo 'a=1' >/tmp/defaults
fw_setenv -f /tmp/defaults b 2 2>/dev/null
[ "$(fw_printenv)" = "a=1
b=2" ] && [ "$(fw_printenv -V)" = "0.3.7 775" ] && echo "tools: 1 passed, 0 failed" || echo "tools: 0 passed, 1 failed"
END
(cd "$files" && find . | cpio --quiet -o -H newc) | cat "$guest/guest.cpio" - >"$folder/arm64.initramfs"
timeout "${BOOTSLOT_TIMEOUT:-300}" "$qemu/run.sh" -M virt -cpu cortex-a57 -smp 2 -m 512 -nographic -nodefaults -no-reboot \
	-serial stdio -monitor none -kernel "$kernel/Image" -initrd "$folder/arm64.initramfs" \
	-append "console=ttyAMA0 quiet panic=-1 rdinit=/init" </dev/null | tr -d '\r' | tee "$folder/arm64.txt"
[ "$(grep -c ': [0-9]* passed, 0 failed$' "$folder/arm64.txt")" = 5 ]
