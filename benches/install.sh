#!/bin/sh
# benches/install.sh [ROUNDS]: what an installation costs, ours beside Debian's RAUC and SWUpdate in the same run, and
# beside the slowest single thing that each of them has to do. It needs to be root, for loop devices, and 4 GiB of disk.
#
# The image has 512 MiB, of which 70 % can be compressed. Each slot is a loop device. Ours reads the slot back; the
# others do not.
set -eu
. "$(dirname "$0")/../qemu/lib.sh"

rounds=${1:-3}
[ "$(id -u)" = 0 ] || die "only root can make loop devices"
project=$(cd "$here/.." && pwd)

build() {
	# Words of several languages' length, in random order, and between them bytes that nothing compresses.
	python3 - "$tmp/root.img" "$tmp/old.img" <<'END'
import random, sys
chance = random.Random(1)
words = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randint(2, 12))) for _ in range(8192)]

def image(path):
    with open(path, "wb") as out:
        for _ in range(512):
            text = " ".join(chance.choices(words, k=100_000)).encode()
            dense = 314_572  # 30 % of a MiB
            out.write(text[:(1 << 20) - dense] + chance.randbytes(dense))

image(sys.argv[1])
image(sys.argv[2])
END
}
artefact install-image "$0"
images=$out
cargo build --quiet --locked --release --manifest-path "$project/Cargo.toml" --bin bootslot >&2
program=$(cargo metadata --format-version 1 --no-deps --offline --manifest-path "$project/Cargo.toml" |
	python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"] + "/release/bootslot")')
work_folder install
cp --sparse=always "$images/root.img" "$images/old.img" "$work"
cp "$program" "$work/bootslot"
# What changes in these folders is gone afterwards.
in_root "$("$here/peers.sh")" "$project:/src" "$work:/build" -- sh -ec '
	mount -t tmpfs tmpfs /tmp
	mount -t tmpfs tmpfs /run
	for changed in etc var; do
		cp -a "/$changed" "/tmp/$changed"
		mount --bind "/tmp/$changed" "/$changed"
	done
	mkdir -p /run/lock /run/dbus /var/lib/dbus
	sh /src/benches/inside/install.sh "$1" || echo failed' sh "$rounds" | tee "$work/readings" >&2
! grep -q '^failed' "$work/readings" || die "an installation failed"
awk '
	$1 ~ /^size:/ { size[substr($1, 6)] = $3; next }
	!($1 in least) || $2 < least[$1] { least[$1] = $2 }
	$3 > memory[$1] { memory[$1] = $3 }
	function row(name, title) {
		printf "| %s | %.2f s | %.2fx | %.0f MiB |\n", title, least[name], least["bootslot:install"] / least[name], memory[name] / 1024
	}
	END {
		print "| installation of 512 MiB, 70 % of it compressible: the shortest of the rounds | time | ours is | memory |"
		print "|---|---|---|---|"
		row("bootslot:install", "bootslot, with the slot read back")
		row("rauc:plain", "RAUC, plain format")
		row("rauc:adaptive", "RAUC, adaptive")
		row("swupdate:plain", "SWUpdate, streamed")
		row("swupdate:zstd", "SWUpdate, streamed, zstd")
		row("stage:dd", "dd bs=4M conv=fsync")
		row("stage:sha256sum", "sha256sum")
		row("stage:zstd", "zstd -d")
		printf "bundles in MiB: bootslot %.0f, RAUC %.0f, SWUpdate %.0f, with zstd -15 %.0f\n", size["update.bundle"] / 1024,
			size["plain.raucb"] / 1024, size["plain.swu"] / 1024, size["zstd.swu"] / 1024
	}' "$work/readings"
