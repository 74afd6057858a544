#!/usr/bin/env bash
# tools/dist.sh [--vendor] [--check]: makes the files of a release in target/dist, of what is committed:
#   bootslot-VERSION.tar.gz          the sources
#   bootslot-VERSION.crates          which crates it is built of, with their SHA-256
#   bootslot-VERSION.cdx.json        the same as a bill of materials (CycloneDX 1.5)
#   bootslot-VERSION-vendor.tar.xz   these crates themselves, for builds without network (--vendor)
#   SHA256SUMS
# The same commit gives the same bytes. --check makes all of it twice, with another time zone, umask, locale and folder the
# second time, and compares.
set -euo pipefail
cd "$(dirname "$0")/.."
vendor= check=
for option; do
    case $option in
    --vendor) vendor=yes ;;
    --check) check=yes ;;
    *)
        echo "usage: tools/dist.sh [--vendor] [--check]" >&2
        exit 2
        ;;
    esac
done
git rev-parse --verify -q HEAD >/dev/null || { echo "tools/dist.sh: this is no checkout of git" >&2; exit 2; }
git diff --quiet HEAD || echo "tools/dist.sh: what is not committed is left out" >&2
version=$(tools/version.sh)
name=bootslot-$version
when=$(git log -1 --format=%ct HEAD)

# make FOLDER
make() {
    local out=$1 work
    rm -rf "$out"
    mkdir -p "$out"
    work=$(mktemp -d)
    git -c tar.umask=0022 archive --format=tar --prefix="$name/" HEAD | gzip -9n >"$out/$name.tar.gz"
    # Of the committed files, not of those that lie here.
    tar -xzf "$out/$name.tar.gz" -C "$work"
    "$work/$name/tools/crates.py" list >"$out/$name.crates"
    "$work/$name/tools/crates.py" sbom >"$out/$name.cdx.json"
    if [ -n "$vendor" ]; then
        (cd "$work/$name" && cargo vendor --quiet --locked --versioned-dirs ../vendor >/dev/null)
        "$work/$name/tools/crates.py" slim "$work/vendor"
        # Owner, order, time and rights must not depend on who packs.
        tar -C "$work" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$when" --mode=u=rwX,go=rX \
            --format=gnu -cf - vendor | xz -6 -T1 >"$out/$name-vendor.tar.xz"
    fi
    (cd "$out" && LC_ALL=C sha256sum bootslot-* >SHA256SUMS)
    rm -rf "$work"
}

out=${CARGO_TARGET_DIR:-target}/dist
make "$out"
if [ -n "$check" ]; then
    again=$(mktemp -d)
    trap 'rm -rf "$again"' EXIT
    mkdir "$again/elsewhere"
    (umask 077 && export TZ=Asia/Kolkata LC_ALL=C TMPDIR=$again/elsewhere && make "$again/dist")
    passed=0
    for file in "$out"/*; do
        cmp "$file" "$again/dist/${file##*/}"
        passed=$((passed + 1))
    done
    echo "$passed passed, 0 failed"
fi
ls -l "$out" >&2
