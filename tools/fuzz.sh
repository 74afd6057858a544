#!/usr/bin/env bash
# tools/fuzz.sh [SECONDS [TARGET...]]: every fuzz target for some seconds (5), from the seeds and from
# what earlier runs found. Exit 77 without a nightly toolchain, which cargo-fuzz needs.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-5}
shift || true

if ! cargo +nightly --version >/dev/null 2>&1; then
    echo "fuzzing needs a nightly toolchain: rustup toolchain install nightly"
    exit 77
fi
command -v c++ >/dev/null || tools/need.sh g++
fuzz=$(tools/cargo-tool.sh cargo-fuzz 0.13.2)
targets=("$@")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <("$fuzz" list)

# The environments that real tools wrote are the image target's seeds. Their first 1 KiB is enough, and what is tried is
# no longer: each of several readers goes through all of it.
seeds=target/fuzz-seeds
mkdir -p "$seeds/image"
for packed in tests/data/*.bin.gz; do
    head -c 1024 < <(gunzip -c "$packed") >"$seeds/image/$(basename "$packed" .bin.gz)"
done
for target in fuzz/seeds/*/; do
    mkdir -p "$seeds/$(basename "$target")"
    cp "$target"* "$seeds/$(basename "$target")"
done

export RUSTUP_TOOLCHAIN=nightly
# For some seconds of fuzzing the compiler's time counts, and not that of the code. Longer runs have the sanitizer, too.
how=()
if [ "$seconds" -le 10 ]; then
    export CARGO_PROFILE_RELEASE_OPT_LEVEL=1
    how=(--sanitizer none)
fi
"$fuzz" build "${how[@]}"
passed=0 failed=0
for target in "${targets[@]}"; do
    mkdir -p "fuzz/corpus/$target" "$seeds/$target"
    echo "== fuzz $target, $seconds s"
    most=4096
    [ "$target" != image ] || most=1024
    if "$fuzz" run "${how[@]}" "$target" "fuzz/corpus/$target" "$seeds/$target" -- \
        -max_total_time="$seconds" -max_len=$most -timeout=10 -print_final_stats=1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
    fi
done
echo "$passed passed, $failed failed"
[ $failed = 0 ]
