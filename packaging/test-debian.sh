#!/usr/bin/env bash
# packaging/test-debian.sh [--from-source | --packages FOLDER]: builds the Debian packages, and uses them in a fresh Debian 13: installed alone and
# over the incumbent, RAUC and SWUpdate on them, back to the incumbent, removed and purged without a trace.
# It takes the programs of this checkout as they are built; --from-source compiles all of it in Debian, which takes long;
# --packages takes packages that are there.
# Needs to be root.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ "$(id -u)" != 0 ]; then
    sudo -n true 2>/dev/null || { echo "needs root, for roots of its own"; exit 77; }
    exec sudo -n -H env PATH="$PATH" CARGO_HOME="${CARGO_HOME:-$HOME/.cargo}" RUSTUP_HOME="${RUSTUP_HOME:-$HOME/.rustup}" \
        BOOTSLOT_MIRROR="${BOOTSLOT_MIRROR:-}" "$0" "$@"
fi
target=${CARGO_TARGET_DIR:-$PWD/target}
cache=${BOOTSLOT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/bootslot}
mkdir -p "$cache"
work=$(mktemp -d "$cache/debian.XXXXXX")
trap 'rm -rf "$work"' EXIT

if [ "${1-}" = --packages ]; then
    cp -R "$2" "$work/packages"
elif [ "${1-}" = --from-source ]; then
    packaging/build-deb.sh --source "$work/packages" >&2
else
    mkdir "$work/built"
    libraries=$(tools/build-capi.sh)
    cp "$libraries/libbootslot.so" "$libraries/libbootslot.a" "$work/built"
    cargo build --locked --release >&2
    # The client is as any other program to the package: one that is not optimised is built sooner.
    cargo build --locked --workspace --all-features --bin bootslot-hawkbit >&2
    cp "$target/release/bootslot" "$target/debug/bootslot-hawkbit" "$work/built"
    packaging/build-deb.sh --prebuilt "$work/built" "$work/packages" >&2
fi
root=$(packaging/debian-root.sh test)
mkdir "$work/layer"
# A layer in memory over the root: what happens in it is gone afterwards. Without network: all that is needed is there.
# shellcheck disable=SC2016  # expanded inside
unshare --mount --propagation private --net --pid --fork --kill-child bash -euc '
    mount -t tmpfs tmpfs "$2"
    mkdir "$2/upper" "$2/work" "$2/all"
    mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$2/all"
    mount -t proc proc "$2/all/proc"
    # Nodes of its own: what packages do to them must not reach those of this machine.
    mount -t tmpfs tmpfs "$2/all/dev"
    for node in null:3 zero:5 full:7 random:8 urandom:9; do
        mknod -m 666 "$2/all/dev/${node%:*}" c 1 "${node#*:}"
    done
    # RAUC mounts its bundles by a loop device.
    mknod "$2/all/dev/loop-control" c 10 237
    for number in $(seq 0 31); do mknod "$2/all/dev/loop$number" b 7 "$number"; done
    ln -s /proc/self/fd "$2/all/dev/fd"
    mkdir "$2/all/dev/shm"
    mount -t tmpfs tmpfs "$2/all/run"
    mount -t tmpfs tmpfs "$2/all/tmp"
    mount --bind "$3" "$2/all/build"
    mount --bind "$4" "$2/all/src"
    exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp LC_ALL=C.UTF-8 chroot "$2/all" bash /src/packaging/debian/tests/inside.sh
' bash "$root" "$work/layer" "$work/packages" "$PWD"
