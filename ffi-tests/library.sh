# Sourced by run.sh. What the parts ask of a library and of its headers.

plain=(gcc -std=c11 -D_GNU_SOURCE -pthread -g "${warnings[@]}")
sanitized=("${plain[@]}" -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
export ASAN_OPTIONS=detect_leaks=1:exitcode=9 UBSAN_OPTIONS=print_stacktrace=1

leak_checked() { valgrind -q --leak-check=full --errors-for-leak-kinds=definite,indirect --error-exitcode=9 "$@"; }

# The functions that a text of C names.
functions_in() { tr '\n\t' '  ' | grep -oE '\b(bootslot|libuboot)_[a-z_]+ ?\(' | tr -d ' (' | sort -u; }

# declared FLAG...: the functions that the headers declare, without their comments.
declared() { printf '#include <bootslot.h>\n#include <libuboot.h>\n' | gcc "$@" -E -P -x c - | functions_in; }

exported() { nm -D --defined-only "$1" | awk '{ print $3 }' | sort; }

# exports LIBRARY FLAG...: it has what the headers declare, and nothing else.
exports() { diff <(declared "${@:2}") <(exported "$1"); }

# needs_alone PATTERN LIBRARY: it needs no other library than those, and the loader.
needs_alone() { ! readelf -d "$2" | grep NEEDED | grep -v -E "\[($1|ld-linux[-a-z0-9_]*\.so\.[0-9])\]"; }

# sanitized_too PROGRAM
sanitized_too() { nm "$1" >"$work/symbols" && grep -q __asan_init "$work/symbols" && grep -q __ubsan_handle "$work/symbols"; }

# three_ways TEST FLAG...: a test as it is, under AddressSanitizer and UBSan, under valgrind.
three_ways() {
    local test=$1
    shift
    "${plain[@]}" "$here/$test.c" "$@" -o "$work/$test-plain"
    "${sanitized[@]}" "$here/$test.c" "$@" -o "$work/$test-sanitized"
    check "$test has the sanitizers" sanitized_too "$work/$test-sanitized"
    counted "$test" "$work/$test-plain" "$(place "$test-plain-place")" </dev/null
    counted "$test, sanitized" "$work/$test-sanitized" "$(place "$test-sanitized-place")" </dev/null
    counted "$test, valgrind" leak_checked "$work/$test-plain" "$(place "$test-valgrind")" </dev/null
}

# all_panic WITH FEATURES FLAG...: in a library with these features, each function that it exports is made to panic.
# WITH is what the checks are called by: "" or ", with bundles".
all_panic() {
    local with=$1 features=$2 folder
    shift 2
    folder=$(place panicking)
    cp "$(CAPI_QUICK=1 CAPI_FEATURES=$features,panic-hook tools/build-capi.sh)/libbootslot.so" "$folder/libbootslot.so.0"
    "${sanitized[@]}" "$here/panic.c" "$@" "$folder/libbootslot.so.0" -Wl,-rpath,"$folder" -o "$work/panic"
    counted "panics$with" env RUST_BACKTRACE=0 "$work/panic" "$(place panic-place)"
    exported "$folder/libbootslot.so.0" >"$work/functions"
    functions_in <"$here/panic.c" >"$work/tested"
    check "no function is left out$with" sh -c "! comm -23 '$work/functions' '$work/tested' | grep ."
}
