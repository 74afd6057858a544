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

library=$prefix/lib/libbootslot.so
# The functions that a header declares at the start of a line.
declared() { gcc -E -P "$prefix/include/$1.h" | tr '\n' ' ' | grep -oE "\b${2}_[a-z_]+ ?\(" | tr -d ' (' | sort -u; }
{ declared bootslot bootslot; declared libuboot libuboot; } | sort >"$work/declared"
nm -D --defined-only "$library" | awk '{ print $3 }' | sort >"$work/exported"
check "exported is what the headers declare, and nothing else" diff "$work/declared" "$work/exported"
check "it exports $(wc -l <"$work/exported") functions" test "$(wc -l <"$work/exported")" -gt 50
readelf -d "$library" >"$work/dynamic"
needs() { ! grep NEEDED "$work/dynamic" | grep -v -E '\[(libc\.so\.6|ld-linux[-a-z0-9_]*\.so\.[0-9])\]'; }
check "it needs libc alone" needs
check "its SONAME" grep -q 'SONAME.*\[libbootslot\.so\.0\]' "$work/dynamic"
check "libubootenv.so.0 leads to it" test "$(readlink -f "$prefix/lib/libubootenv.so.0")" = "$(readlink -f "$library")"
check "no text relocations" sh -c "! grep TEXTREL '$work/dynamic'"

# A staged installation has the same files, and their texts name the final place.
DESTDIR=$work/stage PREFIX=/usr LIBDIR=/usr/lib/triplet tools/install.sh "$target/release/bootslot" "$libraries"
check "staged: the library" test -f "$work/stage/usr/lib/triplet/libubootenv.so.0"
check "staged: the tools" test "$(readlink "$work/stage/usr/bin/fw_setenv")" = bootslot
check "staged: pkg-config" grep -qx 'libdir=/usr/lib/triplet' "$work/stage/usr/lib/triplet/pkgconfig/bootslot.pc"
