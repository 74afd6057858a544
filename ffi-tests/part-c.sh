# Sourced by run.sh. Every function from C: as it is, under AddressSanitizer and UBSan, under valgrind; and every
# function made to panic.

tools/need.sh valgrind >&2
plain=(gcc -std=c11 -D_GNU_SOURCE -pthread -g "${warnings[@]}")
sanitized=("${plain[@]}" -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
export ASAN_OPTIONS=detect_leaks=1:exitcode=9 UBSAN_OPTIONS=print_stacktrace=1

# The sanitizers are on: they are in the program, and they stop what is wrong.
printf '#include <stdlib.h>\nint main(int c, char **v) { char *p = malloc((size_t)c); (void)v; p[c] = 1; return p[0]; }\n' >"$work/overflow.c"
printf 'int main(int c, char **v) { int n = 2147483647; (void)v; return (n + c) != 0; }\n' >"$work/signed.c"
printf '#include <stdlib.h>\nvoid *volatile p; int main(void) { p = malloc(7); p = 0; return 0; }\n' >"$work/leak.c"
for mistake in overflow signed leak; do
    "${sanitized[@]}" "$work/$mistake.c" -o "$work/$mistake"
    check "the sanitizers catch: $mistake" sh -c "! '$work/$mistake'"
done
leak_checked() { valgrind -q --leak-check=full --errors-for-leak-kinds=definite,indirect --error-exitcode=9 "$@"; }
"${plain[@]}" "$work/leak.c" -o "$work/leak"
check "valgrind catches: leak" sh -c "! valgrind -q --leak-check=full --errors-for-leak-kinds=definite --error-exitcode=9 '$work/leak'"

for test in "${tests[@]}"; do
    "${plain[@]}" "$here/$test.c" "${link[@]}" -o "$work/$test"
    "${sanitized[@]}" "$here/$test.c" "${link[@]}" -o "$work/$test-sanitized"
    check "$test has the sanitizers" sh -c "nm '$work/$test-sanitized' | grep -q __asan_init && nm '$work/$test-sanitized' | grep -q __ubsan_handle"
    counted "$test" "$work/$test" "$(place "$test-plain")" </dev/null
    counted "$test, sanitized" "$work/$test-sanitized" "$(place "$test-sanitized-place")" </dev/null
    counted "$test, valgrind" leak_checked "$work/$test" "$(place "$test-valgrind")" </dev/null
done

# A library in which calls can be made to panic.
panicking=$(CARGO_TARGET_DIR=$target CAPI_FEATURES=yaml,settings,libubootenv,panic-hook tools/build-capi.sh)
cp "$panicking/libbootslot.so" "$work/libpanicking.so"
"${sanitized[@]}" "$here/panic.c" "$work/libpanicking.so" -Wl,-rpath,"$work" -o "$work/panic"
ln -sf libpanicking.so "$work/libbootslot.so.0"
counted "panics" env RUST_BACKTRACE=0 "$work/panic" "$(place panic-place)"
# Every function that is exported is made to panic there.
tested() { tr '\n\t' '  ' <"$here/panic.c" | grep -oE '\b(bootslot|libuboot)_[a-z_]+ ?\(' | tr -d ' (' | sort -u; }
nm -D --defined-only "$work/libpanicking.so" | awk '{ print $3 }' | sort >"$work/functions"
tested >"$work/tested"
check "no function is left out" sh -c "! comm -23 '$work/functions' '$work/tested' | grep ."
