# Sourced by run.sh. Instructions and sizes: ours alone, against their bounds.

tools/need.sh python3 valgrind libubootenv-tool >&2
mkdir -p "$work/whole" "$work/small"
cp "$libraries/libbootslot.so" "$work/whole"
small=$(CAPI_FEATURES=yaml,libubootenv tools/build-capi.sh)
cp "$small/libbootslot.so" "$work/small"
figures() { benches/capi.py "$work/whole" "$work/small" --check | sed 's/^\([0-9]* passed\)/figures: \1/'; }
counted "figures" figures
sed -n '/: [0-9]* passed/!p' "$work/log"
