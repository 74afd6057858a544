#!/bin/sh
# Fetches RAUC's example of a boot script, contrib/uboot.sh, from the source package of Debian 13. Prints the folder
# that holds it. It is RAUC's (LGPL-2.1), and stays outside of this project.
set -eu
. "$(dirname "$0")/lib.sh"

build() {
	# This machine's apt, with lists of its own.
	mkdir -p "$tmp/apt/lists/partial" "$tmp/apt/cache/archives/partial"
	echo "deb-src $(mirror) trixie main" >"$tmp/apt/sources"
	apt() {
		(cd "$tmp/apt" && apt-get -q -o Dir::Etc::SourceList="$tmp/apt/sources" -o Dir::Etc::SourceParts=/dev/null \
			-o Dir::State::Lists="$tmp/apt/lists" -o Dir::Cache="$tmp/apt/cache" -o APT::Sandbox::User= \
			-o Acquire::Retries=5 "$@")
	}
	apt update
	apt source --tar-only rauc
	tar -C "$tmp" --strip-components=2 --wildcards -xf "$tmp"/apt/rauc_*.orig.tar.* '*/contrib/uboot.sh'
	remove "$tmp/apt"
}

artefact rauc-contrib "$here/rauc-contrib.sh"
echo "$out"
