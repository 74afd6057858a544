# Sourced by run.sh. What each bigger library takes, stripped, in MiB, as docs/c-api.md has it. Three optimised builds of minutes:
# `make bench` runs it.

mebibytes() { strip -o "$work/stripped" "$1" && awk -v bytes="$(stat -c %s "$work/stripped")" 'BEGIN { printf "%.1f\n", bytes / 2 ^ 20 }'; }
size_is() { test "$(mebibytes "$(CAPI_FEATURES=yaml,settings,libubootenv,$1 tools/build-capi.sh)/libbootslot.so")" = "$2"; }
check "the size with update is the documented one" size_is update 1.9
check "the size with http is the documented one" size_is http 3.2
check "the size with health is the documented one" size_is health 2.0
