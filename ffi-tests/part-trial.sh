# Sourced by run.sh. From the trial boot to the report: a library with the feature `health`, installed where pkg-config
# says what its header has; the header, and every function from C as in part c.

tools/need.sh valgrind >&2
mkdir -p "$work/with-health" "$work/panicking-health"
built=$(CAPI_FEATURES=yaml,settings,libubootenv,health tools/build-capi.sh)
cp "$built/libbootslot.so" "$built/libbootslot.a" "$work/with-health"
trial=$work/trial-prefix
PREFIX=$trial tools/install.sh "$target/release/bootslot" "$work/with-health"
export BOOTSLOT=$target/release/bootslot
read -ra flags < <(PKG_CONFIG_PATH=$trial/lib/pkgconfig pkg-config --cflags bootslot)
check "pkg-config says what is in it" test "${flags[*]}" = "-I$trial/include -DBOOTSLOT_HEALTH"
PKG_CONFIG_PATH=$prefix/lib/pkgconfig pkg-config --cflags bootslot >"$work/cflags"
check "and what is not in the other one" sh -c "! grep DBOOTSLOT '$work/cflags'"

for language in "c -std=c99" "c -std=c17" "c++ -std=c++11" "c++ -std=c++20"; do
    # shellcheck disable=SC2086  # words
    check "bootslot.h as $language" gcc "${warnings[@]}" "${flags[@]}" -x $language -fsyntax-only "$trial/include/bootslot.h"
    # shellcheck disable=SC2086
    check "bootslot.h with all as $language" gcc "${warnings[@]}" "${flags[@]}" -DBOOTSLOT_UPDATE -x $language \
        -fsyntax-only "$trial/include/bootslot.h"
done
# The functions of the header without comments, as in part headers.
names() { gcc -E -P "$@" | tr '\n' ' ' | grep -oE '\b(bootslot|libuboot)_[a-z_]+ ?\(' | tr -d ' (' | sort -u; }
printf '#include <bootslot.h>\n#include <libuboot.h>\n' >"$work/trial.h"
names "${flags[@]}" "$work/trial.h" >"$work/declared-trial"
nm -D --defined-only "$work/with-health/libbootslot.so" | awk '{ print $3 }' | sort >"$work/exported-trial"
check "exported is what the headers declare, and nothing else" diff "$work/declared-trial" "$work/exported-trial"
check "among it, what is only in this one" grep -qx bootslot_slots_health "$work/declared-trial"
check "and what is in each one that reads settings" grep -qx bootslot_slots_observe "$work/declared-trial"
names "${flags[@]}" -DBOOTSLOT_NO_SETTINGS "$work/trial.h" >"$work/declared-without"
check "which a smaller one lacks" sh -c "! grep -x bootslot_slots_observe '$work/declared-without'"
readelf -d "$work/with-health/libbootslot.so" >"$work/dynamic-trial"
needs_trial() { ! grep NEEDED "$work/dynamic-trial" | grep -v -E '\[(libc\.so\.6|ld-linux[-a-z0-9_]*\.so\.[0-9])\]'; }
check "it needs libc alone" needs_trial
# In MiB, as docs/c-api.md has it.
strip -o "$work/stripped" "$work/with-health/libbootslot.so"
size=$(awk -v bytes="$(stat -c %s "$work/stripped")" 'BEGIN { printf "%.1f\n", bytes / 2 ^ 20 }')
check "its size is the documented one" test "$size" = 1.8

plain=(gcc -std=c11 -D_GNU_SOURCE -pthread -g "${warnings[@]}" "${flags[@]}")
sanitized=("${plain[@]}" -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
export ASAN_OPTIONS=detect_leaks=1:exitcode=9 UBSAN_OPTIONS=print_stacktrace=1
link_trial=("$trial/lib/libbootslot.so" -Wl,-rpath,"$trial/lib")
"${plain[@]}" "$here/trial.c" "${link_trial[@]}" -o "$work/trial-plain"
"${sanitized[@]}" "$here/trial.c" "${link_trial[@]}" -o "$work/trial-sanitized"
check "trial has the sanitizers" sh -c "nm '$work/trial-sanitized' | grep -q __asan_init && nm '$work/trial-sanitized' | grep -q __ubsan_handle"
counted "trial" "$work/trial-plain" "$(place trial-plain-place)" </dev/null
counted "trial, sanitized" "$work/trial-sanitized" "$(place trial-sanitized-place)" </dev/null
counted "trial, valgrind" valgrind -q --leak-check=full --errors-for-leak-kinds=definite,indirect --error-exitcode=9 \
    "$work/trial-plain" "$(place trial-valgrind)" </dev/null

# A library in which calls can be made to panic.
panicking=$(CAPI_FEATURES=yaml,settings,libubootenv,health,panic-hook tools/build-capi.sh)
cp "$panicking/libbootslot.so" "$work/panicking-health/libbootslot.so.0"
"${sanitized[@]}" "$here/panic.c" "$work/panicking-health/libbootslot.so.0" -Wl,-rpath,"$work/panicking-health" -o "$work/panic-trial"
counted "panics, with health" env RUST_BACKTRACE=0 "$work/panic-trial" "$(place panic-trial-place)"
nm -D --defined-only "$work/panicking-health/libbootslot.so.0" | awk '{ print $3 }' | sort >"$work/functions-trial"
tr '\n\t' '  ' <"$here/panic.c" | grep -oE '\b(bootslot|libuboot)_[a-z_]+ ?\(' | tr -d ' (' | sort -u >"$work/tested-trial"
check "no function is left out, with health" sh -c "! comm -23 '$work/functions-trial' '$work/tested-trial' | grep ."
unset BOOTSLOT
