#!/usr/bin/env bash
# tools/cargo-tool.sh NAME VERSION [OPTION...]: prints the path of a cargo subcommand of this version or,
# where the system has one of its own, of that. Installs it (not optimised: 2 minutes instead of 5) into
# the cache if there is none.
set -euo pipefail
name=$1 version=$2
shift 2

if command -v "$name"; then
    exit 0
fi
root=${BOOTSLOT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/bootslot}/tools/$name-$version
if [ ! -x "$root/bin/$name" ]; then
    echo "installing $name $version into $root" >&2
    # Its own RUSTFLAGS and target folder: those of the caller are meant for this project.
    env -u RUSTFLAGS -u CARGO_TARGET_DIR CARGO_TERM_COLOR=never \
        cargo install --locked --debug --root "$root" --version "=$version" "$@" "$name" >&2
fi
echo "$root/bin/$name"
