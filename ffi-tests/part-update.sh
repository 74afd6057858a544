# Sourced by run.sh. Bundles and their installation: a library with the features `update` and `http`, installed where
# pkg-config says what its header has; the header, every function from C as in part c, and the example.

tools/need.sh valgrind cmake make >&2
mkdir "$work/with-update"
built=$(CAPI_QUICK=1 CAPI_FEATURES=yaml,settings,libubootenv,http tools/build-capi.sh)
cp "$built/libbootslot.so" "$built/libbootslot.a" "$work/with-update"
update=$work/update-prefix
PREFIX=$update tools/install.sh "$target/release/bootslot" "$work/with-update"
export BOOTSLOT=$target/release/bootslot
read -ra flags < <(PKG_CONFIG_PATH=$update/lib/pkgconfig pkg-config --cflags bootslot)
check "pkg-config says what is in it" test "${flags[*]}" = "-I$update/include -DBOOTSLOT_UPDATE"
PKG_CONFIG_PATH=$prefix/lib/pkgconfig pkg-config --cflags bootslot >"$work/cflags"
check "and what is not in the other one" sh -c "! grep UPDATE '$work/cflags'"

for language in "c -std=c99" "c -std=c17" "c++ -std=c++11" "c++ -std=c++20"; do
    # shellcheck disable=SC2086  # words
    check "bootslot.h as $language" gcc "${warnings[@]}" "${flags[@]}" -x $language -fsyntax-only "$update/include/bootslot.h"
done
check "exported is what the headers declare, and nothing else" exports "$work/with-update/libbootslot.so" "${flags[@]}"
declared "${flags[@]}" >"$work/declared"
check "among it, what is only in this one" grep -qx bootslot_bundle_install "$work/declared"
check "it needs what comes with libc alone" needs_alone 'lib[cm]\.so\.6' "$work/with-update/libbootslot.so"

three_ways update "${flags[@]}" "$update/lib/libbootslot.so" -Wl,-rpath,"$update/lib"

# What docs/c-api.md shows: each block is the body of a function.
awk 'BEGIN { print "#include <bootslot.h>\n#include <stdio.h>"
    print "int show(void *context, const bootslot_progress *now);" }
    /^```/ { if (open) print "}"; open = $0 == "```c"; if (open) print "void block" ++blocks "(void);\nvoid block" blocks "(void) {"; next }
    open { print }
    END { if (blocks < 3) print "#error blocks are missing" }' docs/c-api.md >"$work/shown.c"
check "what the documentation shows" "${plain[@]}" "${flags[@]}" -DBOOTSLOT_HEALTH -c "$work/shown.c" -o "$work/shown.o"

# The example, as a daemon uses it.
# shellcheck disable=SC2046  # words
check "installer, C99" gcc -std=c99 -D_DEFAULT_SOURCE "${warnings[@]}" examples/c/installer.c \
    $(PKG_CONFIG_PATH=$update/lib/pkgconfig pkg-config --cflags --libs bootslot) -o "$work/installer"
mkdir "$work/cmake-update"
check "installer, by CMake" sh -c "PKG_CONFIG_PATH='$update/lib/pkgconfig' cmake -S examples/c -B '$work/cmake-update' && cmake --build '$work/cmake-update' && test -x '$work/cmake-update/installer'"
check "installer, static" gcc "${flags[@]}" examples/c/installer.c "$update/lib/libbootslot.a" -lm -o "$work/installer-static"
folder=$(place install-place)
(
    cd "$folder"
    mkdir keys
    head -c 32768 /dev/zero >env.img
    printf '%s/env.img 0x0 0x4000\n%s/env.img 0x4000 0x4000\n' "$folder" "$folder" >fw_env.config
    printf 'script = 2\n[[slot]]\nname = "A"\ndevice = "%s/a.img"\n[[slot]]\nname = "B"\ndevice = "%s/b.img"\n' "$folder" "$folder"
    printf '[update]\ncompatible = "acme"\nkeys = "%s/keys"\n[environment]\nconfig = "%s/fw_env.config"\n' "$folder" "$folder"
) >"$folder/bootslot.toml"
(
    cd "$folder"
    seq 1 200000 >root.img
    truncate -s 2M a.img b.img
    echo 'bootcmd=run bootslot' >defaults
    "$BOOTSLOT" bundle generate-key --public keys/release.pub --secret release.key
    "$BOOTSLOT" bundle create -o update.bundle --compatible acme --version 2.3.1 root=root.img
    "$BOOTSLOT" bundle sign update.bundle --key release.key
    "$BOOTSLOT" init -f defaults --slot A --settings bootslot.toml
    "$BOOTSLOT" confirm --slot A --settings bootslot.toml
) >"$work/log"
# says COMMAND... : its output is what stands on standard input
says_update() { diff <(env BOOTSLOT_SETTINGS="$folder/bootslot.toml" BOOTSLOT_RUNNING=A LD_LIBRARY_PATH="$update/lib" "$@" 2>&1) -; }
check "install a file" says_update "$work/installer" "$folder/update.bundle" <<'OUTPUT'
version 2.3.1 is in slot B: 1288895 bytes written, 0 were there
OUTPUT
check "its bytes" cmp -n 1288895 "$folder/root.img" "$folder/b.img"
check "install it again, from a pipe" says_update sh -c "cat '$folder/update.bundle' | '$work/installer-static' -" <<'OUTPUT'
version 2.3.1 is in slot B, on trial
OUTPUT
check "an error, and its exit code" says_update sh -c "'$work/installer' '$folder/root.img'; echo \$?" <<'OUTPUT'
installer: this is no bundle that can be installed: it does not start as a bundle does
11
OUTPUT

all_panic ", with updates" yaml,settings,libubootenv,update "${flags[@]}"
unset BOOTSLOT
