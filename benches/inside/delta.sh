#!/bin/sh
# The body of benches/delta.sh, in Debian 13: what the others need of /build/new where /build/old is at hand. Every line is
# "NAME bytes".
set -eu
cd /build
rm -rf store-* *.zck *.caibx *.xd *.zst
size() { cat "$@" | wc -c; }

zstd -q -19 -T2 -o new.zst new
echo "zstd $(size new.zst)"

# The chunks that the old image lacks, and the index.
for image in old new; do casync make --store=store-$image $image.caibx $image >/dev/null; done
chunks() { find "store-$1" -name '*.cacnk' -printf '%f\n' | sort; }
chunks old >old.chunks
chunks new >new.chunks
missing=$(comm -13 old.chunks new.chunks | while read -r chunk; do find store-new -name "$chunk" -printf '%s\n'; done |
	awk '{ sum += $1 } END { print sum + 0 }')
echo "casync $((missing + $(size new.caibx)))"

for image in old new; do zck -o $image.zck $image >/dev/null; done
# "Would download in total N of M bytes"
echo "zchunk $(zck_delta_size old.zck new.zck | sed -n 's/^Would download in total \([0-9]*\) of.*/\1/p')"

xdelta3 -e -9 -S none -B 1073741824 -s old new new.xd
zstd -q -19 -o new.xd.zst new.xd
echo "xdelta3 $(size new.xd.zst)"
