# Sourced by run.sh. The examples, built as users build them (pkg-config, CMake, statically), and run.

tools/need.sh cmake make meson ninja-build >&2
export PKG_CONFIG_PATH=$prefix/lib/pkgconfig
for package in bootslot libubootenv; do
    # shellcheck disable=SC2046,SC2116  # some versions end with a blank
    check "pkg-config $package" test "$(echo $(pkg-config --libs "$package"))" = "-L$prefix/lib -l${package#lib}"
done
check "pkg-config says which libubootenv" test "$(pkg-config --modversion libubootenv)" = 0.3.7
mkdir "$work/cmake"
check "CMake finds it" cmake -S examples/c -B "$work/cmake"
check "CMake builds the examples" cmake --build "$work/cmake"

# CMake's own way, from an installation that was moved after it was made: nothing in it is a fixed path.
mkdir "$work/found" "$work/moved"
cp -a "$prefix" "$work/moved/somewhere"
cat >"$work/found/CMakeLists.txt" <<CMAKE
cmake_minimum_required(VERSION 3.13)
project(found C)
find_package(bootslot \${WANTED} REQUIRED)
foreach(kind bootslot static)
    add_executable(status-\${kind} $PWD/examples/c/status.c)
    target_link_libraries(status-\${kind} bootslot::\${kind})
endforeach()
CMAKE
find_package() { rm -rf "$work/found/built" && cmake -S "$work/found" -B "$work/found/built" -DWANTED="$1" -DCMAKE_PREFIX_PATH="$work/moved/somewhere"; }
refused() { ! find_package "$1"; }
check "find_package of another major version is refused" refused 1.0
check "find_package of a later version is refused" refused "$(tools/version.sh | awk -F. '{ print $1 "." $2 "." $3 + 1 }')"
check "find_package" find_package "$(tools/version.sh)"
check "find_package: it builds" cmake --build "$work/found/built"
for kind in bootslot static; do
    check "find_package: $kind runs" sh -c "'$work/found/built/status-$kind' 2>&1 | grep -q 'configuration\|settings\|slot'"
done
mv "$work/moved/somewhere/include/bootslot.h" "$work/moved/hidden"
check "find_package without its header is refused" refused ""

# Meson: with the installed library, and with these sources as a subproject where there is none.
cp -R examples/meson "$work/meson"
cp examples/c/confirm.c "$work/meson"
check "Meson finds it" meson setup "$work/meson/installed" "$work/meson" --wrap-mode=nofallback
check "Meson builds with it" ninja -C "$work/meson/installed"
ln -s "$PWD" "$work/meson/subprojects/bootslot"
check "Meson takes it as a subproject" meson setup "$work/meson/sources" "$work/meson" --force-fallback-for=bootslot
check "Meson builds it as a subproject" env CARGO_TARGET_DIR="$target" ninja -C "$work/meson/sources"
alone() { ! readelf -d "$1" | grep -q 'NEEDED.*libbootslot'; }
check "Meson: the subproject is in the program" alone "$work/meson/sources/confirm"

for example in confirm status update; do
    # shellcheck disable=SC2046  # words
    check "$example, C99" gcc -std=c99 -D_DEFAULT_SOURCE "${warnings[@]}" "examples/c/$example.c" \
        $(pkg-config --cflags --libs bootslot) -o "$work/$example"
    # shellcheck disable=SC2046
    check "$example, static" gcc "examples/c/$example.c" $(pkg-config --cflags bootslot) "$prefix/lib/libbootslot.a" \
        -o "$work/$example-static"
done

folder=$(place examples-place)
head -c 32768 /dev/zero >"$folder/env.img"
printf '%s 0x0 0x4000\n%s 0x4000 0x4000\n' "$folder/env.img" "$folder/env.img" >"$folder/fw_env.config"
printf 'script = 2\n[environment]\nconfig = "%s"\n' "$folder/fw_env.config" >"$folder/bootslot.toml"
export BOOTSLOT_SETTINGS=$folder/bootslot.toml BOOTSLOT_RUNNING=A LD_LIBRARY_PATH=$prefix/lib
fw_setenv=$prefix/bin/fw_setenv fw_printenv=$prefix/bin/fw_printenv
# says COMMAND... : its output is what stands on standard input
says() { diff <("$@" 2>&1) -; }
check "status of an empty environment" says "$work/status" <<'OUTPUT'
running A, next boot A
active A, on trial, 3 tries, rollback B
slot A unknown
slot B unknown
OUTPUT
"$fw_setenv" --init -c "$folder/fw_env.config" active_slot A
"$fw_setenv" -c "$folder/fw_env.config" boot_success 0
"$fw_setenv" -c "$folder/fw_env.config" boot_try_count 3
"$fw_setenv" -c "$folder/fw_env.config" rollback_slot B
check "confirm waits for health" says "$work/confirm" 5 "test -e '$folder/healthy' || { touch '$folder/healthy'; false; }" <<'OUTPUT'
confirmed
OUTPUT
check "confirm once more" says "$work/confirm" 1 true <<'OUTPUT'
confirmed
OUTPUT
check "status after it" says "$work/cmake/status" <<'OUTPUT'
running A, next boot A
active A, confirmed
slot A good
slot B unknown
OUTPUT
# ends COMMAND... : the same, with its exit code in the last line.
ends() { diff <("$@" 2>&1; echo "exit $?") -; }
check "a confirmed slot is not rolled back" ends "$work/confirm" 1 false <<'OUTPUT'
confirm: refused: there is no trial to roll back from; slot A is confirmed, to leave it use set-active or try
exit 1
OUTPUT
# The reboot is asked for until it comes, and not once more in the slot that it leads to.
printf '%s\n' active_slot=B boot_success=0 boot_try_count=2 rollback_slot=A |
    "$fw_setenv" -c "$folder/fw_env.config" -s -
for time in "the first time" again; do
    check "an unhealthy trial is rolled back, $time" ends env BOOTSLOT_RUNNING=B "$work/confirm" 1 false <<'OUTPUT'
rolled back
exit 3
OUTPUT
done
check "after the reboot there is nothing to do" ends "$work/confirm" 1 false <<'OUTPUT'
unhealthy, nothing to do
exit 0
OUTPUT
check "and confirming works" ends "$work/confirm" 1 true <<'OUTPUT'
confirmed
exit 0
OUTPUT
check "an update with the transaction" says "$work/update" "$folder/fw_env.config" 1.2 <<'OUTPUT'
part 2 boots next
OUTPUT
check "the next one" says "$work/update-static" "$folder/fw_env.config" 1.3 <<'OUTPUT'
part 3 boots next
OUTPUT
check "its variables" says "$fw_printenv" -c "$folder/fw_env.config" boot_part upgrade_available bootcount version <<'OUTPUT'
boot_part=3
upgrade_available=1
bootcount=0
version=1.3
OUTPUT
fails() { ! "$work/update" "$folder/missing" 1.4 2>"$folder/error" && grep -q "missing: reading the configuration failed" "$folder/error"; }
check "an error is told with its place" fails
unset LD_LIBRARY_PATH BOOTSLOT_SETTINGS BOOTSLOT_RUNNING
