# Sourced by run.sh. The headers in every dialect, what the library exports and needs, what is installed.

for header in bootslot libuboot; do
    for standard in c99 c11 c17; do
        echo "#include <$header.h>" >"$work/header.c"
        check "$header.h as $standard" gcc -std=$standard "${warnings[@]}" -fsyntax-only "$work/header.c"
    done
    for standard in c++11 c++17 c++20; do
        # Used from C++, too: a structure initialised, a function called.
        case $header in
        bootslot) body='bootslot_health health = BOOTSLOT_INIT(bootslot_health); bootslot_env *env = bootslot_env_new(); bool bad = bootslot_env_check(env, &health) != BOOTSLOT_ERROR_STATE; bootslot_env_free(env); return bad;' ;;
        libuboot) body='uboot_ctx *ctx = nullptr; int bad = libuboot_initialize(&ctx, nullptr); libuboot_exit(ctx); return bad;' ;;
        esac
        printf '#include <%s.h>\nint main() { %s }\n' $header "$body" >"$work/header.cpp"
        check "$header.h as $standard" g++ -std=$standard "${warnings[@]}" "$work/header.cpp" "${link[@]}" -o "$work/header"
        check "$header.h as $standard runs" "$work/header"
    done
done

# What the headers declare is what programs are linked with already.
check "the ABI is the recorded one" tools/abi-record.sh --check

library=$prefix/lib/libbootslot.so
check "exported is what the headers declare, and nothing else" exports "$library" -I"$prefix/include"
number=$(exported "$library" | wc -l)
check "it exports $number functions" test "$number" -gt 50
check "it needs libc alone" needs_alone 'libc\.so\.6' "$library"
readelf -d "$library" >"$work/dynamic"
check "its SONAME" grep -q 'SONAME.*\[libbootslot\.so\.0\]' "$work/dynamic"
readelf -d "$prefix/lib/libubootenv.so.0" >"$work/dynamic-libubootenv"
check "libubootenv.so.0 has its name in it" grep -q 'SONAME.*\[libubootenv\.so\.0\]' "$work/dynamic-libubootenv"
leads_to_it() { test "$(grep -c NEEDED "$work/dynamic-libubootenv")" = 1 && grep -q 'NEEDED.*\[libbootslot\.so\.0\]' "$work/dynamic-libubootenv"; }
check "libubootenv.so.0 leads to it" leads_to_it
check "no text relocations" sh -c "! grep TEXTREL '$work/dynamic'"

# With -lubootenv, by the linkers that are there.
cat >"$work/linked.c" <<'PROGRAM'
#include <libuboot.h>
int main(void) { struct uboot_ctx *ctx = 0; int bad = libuboot_initialize(&ctx, 0); libuboot_exit(ctx); return bad; }
PROGRAM
lld=$(rustc --print sysroot)/lib/rustlib/$(rustc -vV | sed -n 's/^host: //p')/bin/gcc-ld
for linker in bfd gold lld; do
    flags=(-fuse-ld=$linker)
    case $linker in
    gold) command -v ld.gold >/dev/null || continue ;;
    lld) if [ -x "$lld/ld.lld" ]; then flags+=("-B$lld"); else command -v ld.lld >/dev/null || continue; fi ;;
    esac
    check "-lubootenv, by $linker" gcc "${warnings[@]}" "${flags[@]}" "$work/linked.c" -L"$prefix/lib" -lubootenv \
        -Wl,-rpath,"$prefix/lib" -o "$work/linked"
    check "-lubootenv, by $linker: it runs" "$work/linked"
    check "-lubootenv, by $linker: on ours" sh -c "ldd '$work/linked' | grep -q 'libbootslot.so.0 => $prefix/lib'"
done
# A program that was linked with the incumbent, and finds libubootenv.so.0 by its own path alone.
gcc -shared -nostdlib -x c - -Wl,-soname,libubootenv.so.0 -o "$work/libincumbent.so" <<'LIBRARY'
int libuboot_initialize(void) { return 1; }
void libuboot_exit(void) { }
LIBRARY
check "linked with another libubootenv" gcc "${warnings[@]}" "$work/linked.c" "$work/libincumbent.so" \
    -Wl,-rpath,"$prefix/lib" -o "$work/linked"
check "linked with another libubootenv: it runs on ours" "$work/linked"

# A staged installation has the same files, and their texts name the final place.
DESTDIR=$work/stage PREFIX=/usr LIBDIR=/usr/lib/triplet tools/install.sh "$target/release/bootslot" "$libraries"
check "staged: the library" test -f "$work/stage/usr/lib/triplet/libubootenv.so.0"
check "staged: the tools" test "$(readlink "$work/stage/usr/bin/fw_setenv")" = bootslot
check "staged: pkg-config" grep -qx 'libdir=/usr/lib/triplet' "$work/stage/usr/lib/triplet/pkgconfig/bootslot.pc"
check "staged: the manual" test -f "$work/stage/usr/share/man/man3/bootslot.3"
check "staged: the completion" test -f "$work/stage/usr/share/bash-completion/completions/fw_setenv"
check "staged: CMake" grep -q '/../../../../include"' "$work/stage/usr/lib/triplet/cmake/bootslot/bootslot-config.cmake"
