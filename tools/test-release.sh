#!/usr/bin/env bash
# tools/test-release.sh: whether a release could be made now. The versions agree, the files of a release come out with the same
# bytes twice, the bill of materials has what is built, and the packed crate builds.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0

# is NAME COMMAND...: one check. What the command said is shown if it fails.
is() {
    local name=$1
    shift
    if "$@" >"$work/said" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "NOT OK $name"
        tail -n 12 "$work/said"
    fi
}
version=$(tools/version.sh)

# One version.
is "a version" grep -qE '^[0-9]+\.[0-9]+\.[0-9]+$' <<<"$version"
asked() { ! grep -hE '^bootslot(-hawkbit)? = ' hawkbit/Cargo.toml packaging/pages/Cargo.toml | grep 'version = ' | grep -v "version = \"$version\""; }
is "the members ask for it" asked
is "the members have it" sh -c '! grep -L "^version.workspace = true" Cargo.toml hawkbit/Cargo.toml packaging/pages/Cargo.toml | grep .'
is "the changelog knows it" grep -qE "^## \[(Unreleased|$version)\]" CHANGELOG.md
is "the upgrade notes know it" grep -q "^## To $version" UPGRADING.md
is "the header has it" grep -q "BOOTSLOT_VERSION $(printf '0x%02x%02x%02x' $(tr . ' ' <<<"$version"))" include/bootslot.h
is "Debian's changelog has it" grep -q "^bootslot ($version-" packaging/debian/changelog

# The table of features has all of them, and no other.
features() { sed -n '/^\[features\]/,/^\[/s/^\([a-z-]*\) = .*/\1/p' Cargo.toml | grep -v '^default$' | sort; }
told() { sed -n '/^| feature/,/^$/s/^| `\([a-z-]*\)`.*/\1/p' docs/features.md | sort; }
is "docs/features.md has each feature" diff <(features) <(told)
is "the oldest Rust in docs/features.md" grep -q "The oldest Rust\*\* is $(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)" docs/features.md

# What a release is made of. From a shallow clone, too; without git there is nothing to make it of.
if git rev-parse -q --verify HEAD >/dev/null 2>&1; then
    is "two releases have the same bytes" tools/dist.sh --check
    dist=${CARGO_TARGET_DIR:-target}/dist
    is "the checksums" sh -c "cd '$dist' && sha256sum -c SHA256SUMS"
    tar -tzf "$dist/bootslot-$version.tar.gz" >"$work/files"
    is "the sources are whole" sh -c "git ls-files | sed 's|^|bootslot-$version/|' | sort >'$work/tracked'; grep -v '/\$' '$work/files' | sort | diff '$work/tracked' -"
    cat >"$work/sbom.py" <<'PYTHON'
import json, sys
bom, crates = json.load(open(sys.argv[1])), [line.split() for line in open(sys.argv[2])]
sums = {(name, version): checksum for name, version, checksum in crates}
names = {c["name"] for c in bom["components"]}
assert bom["bomFormat"] == "CycloneDX" and bom["metadata"]["component"]["name"] == "bootslot"
# What is linked is told, what only tests need is not.
assert {"libc", "rustls", "zstd-sys", "bootslot-hawkbit"} <= names, names
assert not {"proptest", "tempfile", "pulldown-cmark"} & names, names
for c in bom["components"]:
    assert c.get("licenses"), c
    if c["name"] != "bootslot-hawkbit":
        assert c["hashes"][0]["content"] == sums[c["name"], c["version"]], c
refs = {c["bom-ref"] for c in bom["components"]} | {bom["metadata"]["component"]["bom-ref"]}
assert all(d["ref"] in refs and set(d["dependsOn"]) <= refs for d in bom["dependencies"])
PYTHON
    is "the bill of materials" python3 "$work/sbom.py" "$dist/bootslot-$version.cdx.json" "$dist/bootslot-$version.crates"
fi

# The crate as crates.io would have it, built by itself: nothing that it needs was left out.
target=$(realpath "${CARGO_TARGET_DIR:-target}")
is "cargo package" cargo package --locked --allow-dirty --no-verify -p bootslot
mkdir "$work/crate"
tar -xzf "$target/package/bootslot-$version.crate" -C "$work/crate"
manifest=$work/crate/bootslot-$version/Cargo.toml
is "the packed crate builds" cargo check --quiet --locked --all-features --manifest-path "$manifest" --target-dir "$target"
is "the packed crate builds without features" cargo check --quiet --locked --no-default-features --manifest-path "$manifest" --target-dir "$target"
is "the packed crate has the licences" test -f "$work/crate/bootslot-$version/LICENSE-MIT"
is "the packed crate is small" test "$(stat -c %s "$target/package/bootslot-$version.crate")" -lt 3000000
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
