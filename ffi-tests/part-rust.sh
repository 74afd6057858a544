# Sourced by run.sh. bindgen's view of both headers.

tools/need-bindgen.sh >&2
printf '#include <bootslot.h>\n#include <libuboot.h>\n' >"$work/both.h"
bindgen "$work/both.h" --allowlist-item '(bootslot|libuboot|uboot|BOOTSLOT|DEVNAME).*' --rustified-enum '.*' \
    --rust-target 1.85 --no-doc-comments -- -I"$prefix/include" >"$work/bindings-of-c.rs"
# The layout that clang sees is held against the one of rustc while it compiles: bindgen's own assertions.
check "bindgen asserts layouts" grep -q 'size_of::<bootslot_status>' "$work/bindings-of-c.rs"
check "the bindings compile" env BINDINGS="$work/bindings-of-c.rs" rustc --edition 2021 -A warnings \
    "$here/bindings.rs" -o "$work/bindings" -C link-arg="$prefix/lib/libbootslot.so" -C link-arg=-Wl,-rpath,"$prefix/lib"
counted "a round trip" "$work/bindings" "$(place bindings-place)"
