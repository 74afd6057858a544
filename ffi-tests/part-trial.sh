# Sourced by run.sh. From the trial boot to the report: a library with the feature `health`, installed where pkg-config
# says what its header has; the header, and every function from C as in part c.

tools/need.sh valgrind >&2
mkdir "$work/with-health"
built=$(CAPI_QUICK=1 CAPI_FEATURES=yaml,settings,libubootenv,health tools/build-capi.sh)
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
check "exported is what the headers declare, and nothing else" exports "$work/with-health/libbootslot.so" "${flags[@]}"
declared "${flags[@]}" >"$work/declared"
check "among it, what is only in this one" grep -qx bootslot_slots_health "$work/declared"
check "and what is in each one that reads settings" grep -qx bootslot_slots_observe "$work/declared"
declared "${flags[@]}" -DBOOTSLOT_NO_SETTINGS >"$work/declared"
check "which a smaller one lacks" sh -c "! grep -x bootslot_slots_observe '$work/declared'"
check "it needs libc alone" needs_alone 'libc\.so\.6' "$work/with-health/libbootslot.so"

three_ways trial "${flags[@]}" "$trial/lib/libbootslot.so" -Wl,-rpath,"$trial/lib"
all_panic ", with health" yaml,settings,libubootenv,health "${flags[@]}"
unset BOOTSLOT
