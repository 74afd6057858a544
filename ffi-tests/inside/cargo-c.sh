#!/bin/sh
# The C library as cargo-c installs it, with the oldest supported Rust; examples built against that.
set -u
. /src/ffi-tests/inside/check.sh

cd /src
export CARGO_HOME=/cargo CARGO_TARGET_DIR=/build/target
# Whether it installs the right files does not depend on optimisation, which takes minutes.
export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16
check "this is Rust 1.85" sh -c 'rustc --version | grep -F " 1.85."'
check "cargo cinstall" cargo cinstall --offline --locked --no-default-features --features yaml,settings,libubootenv \
	--prefix /usr/local --libdir /usr/local/lib
for file in include/bootslot.h include/libuboot.h lib/libbootslot.a lib/libbootslot.so lib/libbootslot.so.0 lib/pkgconfig/bootslot.pc; do
	check "it installs $file" test -f "/usr/local/$file"
done
check "the SONAME" sh -c 'readelf -d /usr/local/lib/libbootslot.so | grep -F "SONAME" | grep -F "[libbootslot.so.0]"'
check "it needs libc alone" sh -c '! readelf -d /usr/local/lib/libbootslot.so | grep NEEDED | grep -v -E "\[(libc\.so\.6|ld-linux)"'
nm -D --defined-only /usr/local/lib/libbootslot.so | awk '{ print $3 }' | sort >/tmp/theirs
nm -D --defined-only $ours/libbootslot.so | awk '{ print $3 }' | sort >/tmp/ours
check "it exports the same as make install's" diff /tmp/ours /tmp/theirs
export PKG_CONFIG_PATH=/usr/local/lib/pkgconfig LD_LIBRARY_PATH=/usr/local/lib
for example in confirm status update; do
	check "$example builds with it" sh -c "gcc -std=c99 -D_DEFAULT_SOURCE examples/c/$example.c \$(pkg-config --cflags --libs bootslot) -o /tmp/$example"
done
new_environment
check "status runs with it" sh -c '/tmp/status | grep "slot A unknown"'
# What cargo-c can't make, as in tools/install.sh.
rm -f /usr/local/lib/libubootenv.so.0
check "libubootenv.so.0" gcc -shared -nostdlib -x c /dev/null -x none -Wl,-soname,libubootenv.so.0 \
	-Wl,--no-as-needed /usr/local/lib/libbootslot.so -o /usr/local/lib/libubootenv.so.0
check "the tools run with it" test "$(fw_printenv -V)" = "0.3.7 775"
verdict cargo-c
