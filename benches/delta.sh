#!/bin/sh
# benches/delta.sh 12|13 [ext4|squashfs|erofs]...: what an update of a Debian release costs to fetch, for a device that
# has the release as it was before. Ours beside casync, zchunk, and the method of RAUC's adaptive updates; the full
# bundle beside zstd; the patch bundle beside xdelta3. It takes a quarter of an hour for each file system.
set -eu
. "$(dirname "$0")/../qemu/lib.sh"

release=${1:-}
[ -n "$release" ] || die "usage: $0 12|13 [ext4|squashfs|erofs]..."
shift
[ $# -gt 0 ] || set -- ext4 squashfs erofs
project=$(cd "$here/.." && pwd)
cargo build --quiet --locked --release --manifest-path "$project/Cargo.toml" --features http --bin bootslot >&2
program=$(cargo metadata --format-version 1 --no-deps --offline --manifest-path "$project/Cargo.toml" |
	python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"] + "/release/bootslot")')
pairs=$("$here/pairs.sh" "$release")
work_folder delta
for kind; do
	cp --sparse=always "$pairs/old.$kind" "$work/old"
	cp --sparse=always "$pairs/new.$kind" "$work/new"
	in_root "$("$here/peers.sh")" "$project:/src" "$work:/build" -- \
		sh /src/benches/inside/delta.sh >"$work/readings"
	"$here/inside/delta.py" "$program" "$work" >>"$work/readings"
	awk -v pair="Debian $release, $kind" '
		{ size[$1] = $2 }
		function row(name, title, ours) {
			printf "| %s | %s | %.2f MB | %.2fx |\n", pair, title, size[name] / 1e6, size[ours] / size[name]
		}
		END {
			print "| pair | fetched | size | ours is |\n|---|---|---|---|"
			row("full", "full bundle", "full")
			row("zstd", "zstd -19 of the image", "full")
			row("delta", "bundle, old image at hand", "delta")
			row("casync", "casync", "delta")
			row("zchunk", "zchunk", "delta")
			row("rauc", "RAUC, adaptive: blocks and index, at least", "delta")
			row("patch", "patch bundle", "patch")
			row("xdelta3", "xdelta3 -9 -S none, then zstd -19", "patch")
			printf "requests: %d\n", size["requests"]
		}' "$work/readings"
done
