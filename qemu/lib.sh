# What all scripts of this folder share: the cache of built artefacts, the
# machine's packages, and running commands inside the build root.
#
# A script that builds something prints one line, the folder it lies in; all
# else goes to stderr and to a log. An artefact's folder is named by a hash of
# what it was made from, is built under another name and renamed when complete,
# so an interrupted build is never taken for a whole one.

here=$(cd "$(dirname "$0")" && pwd)
cache=${BOOTSLOT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/bootslot}
mkdir -p "$cache/log"

say() { echo "$(date +%H:%M:%S) ${0##*/}: $*" >&2; }
die() { say "$*"; exit 1; }

# need COMMAND:DEBIAN_PACKAGE... : installs what the machine lacks, or says what to install.
need() {
	missing=
	for pair; do
		command -v "${pair%%:*}" >/dev/null 2>&1 || missing="$missing ${pair#*:}"
	done
	[ -n "$missing" ] || return 0
	say "needed:$missing"
	# shellcheck disable=SC2086  # a list of packages
	"$here/../tools/need.sh" $missing >"$cache/log/apt.log" 2>&1 || { tail -n 20 "$cache/log/apt.log" >&2; die "cannot install$missing"; }
}

# artefact NAME INPUT... : sets $out to the folder of NAME made from the INPUT
# files and words. When it is not there yet, runs the function build with $tmp
# being the folder to fill.
artefact() {
	name=$1; shift
	key=$(for input; do
		if [ -f "$input" ]; then sha256sum <"$input"; else echo "$input"; fi
	done | sha256sum | cut -c1-16)
	out=$cache/$name-$key
	[ -d "$out" ] || build_locked
	touch "$out"
}

build_locked() {
	need flock:util-linux
	exec 9>"$cache/log/$name.lock"
	flock -n 9 || { say "waiting for another build of $name"; flock 9; }
	if [ ! -d "$out" ]; then
		tmp=$out.tmp
		log=$cache/log/$name.log
		remove "$tmp"
		mkdir "$tmp"
		say "building $name (log: $log)"
		began=$(date +%s)
		# A child, because "set -e" does not work inside a condition.
		(set -e; build) >"$log" 2>&1 9>&- &
		if ! wait $!; then
			tail -n 40 "$log" >&2
			remove "$tmp"
			die "building $name failed; the whole log is $log"
		fi
		mv "$tmp" "$out"
		say "$name built in $(($(date +%s) - began)) s"
		# What no checkout used for a month only fills the disk.
		find "$cache" -mindepth 1 -maxdepth 1 -name '*-*' -type d -mtime +30 | while read -r old; do remove "$old"; done
	fi
	exec 9>&-
}

# Files of a root that was made without being root belong to other user ids.
remove() {
	[ -e "$1" ] || return 0
	if [ "$(id -u)" = 0 ]; then rm -rf "$1"; else rm -rf "$1" 2>/dev/null || mmdebstrap --unshare-helper rm -rf "$1"; fi
}

# The Debian mirror this machine's apt uses.
mirror() {
	if [ -n "${BOOTSLOT_MIRROR:-}" ]; then
		echo "$BOOTSLOT_MIRROR"
		return
	fi
	found=$(apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
		sed -n 's/^Debian|Debian|//p' | head -n 1)
	if [ -z "$found" ]; then
		# No package lists yet: the first source that is not a security one.
		found=$({
			sed -n 's/^URIs:[[:space:]]*//p' /etc/apt/sources.list.d/*.sources
			sed -n 's/^deb[[:space:]]\{1,\}\(\[[^]]*\][[:space:]]*\)\{0,1\}\([^[:space:]]*\).*/\2/p' \
				/etc/apt/sources.list /etc/apt/sources.list.d/*.list
		} 2>/dev/null | tr ' ' '\n' | grep '/debian/*$' | head -n 1)
	fi
	[ -n "$found" ] || die "no Debian mirror in apt's sources; set BOOTSLOT_MIRROR"
	echo "$found"
}

# in_root ROOT [OUTSIDE:INSIDE]... -- COMMAND... : runs COMMAND in ROOT with
# these folders mounted; INSIDE is one of /src /build /cargo. /tmp is its own: others run in the
# same root at the same time.
in_root() {
	enter='
		set -e
		root=$1; shift
		mount --rbind /dev "$root/dev"
		mount --rbind /proc "$root/proc"
		mount -t tmpfs tmpfs "$root/tmp"
		while [ "$1" != -- ]; do
			mount --bind "${1%%:*}" "$root${1##*:}"; shift
		done
		shift
		exec chroot "$root" "$@"'
	if [ "$(id -u)" = 0 ]; then as=; else as="mmdebstrap --unshare-helper"; fi
	env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
		$as unshare --mount --propagation private sh -c "$enter" sh "$@"
}

# work_folder NAME : sets $work to a new folder in the cache, which goes when the script has passed. What has
# failed is there to be looked at (for a month, see build_locked), and all is with BOOTSLOT_KEEP=1.
work_folder() {
	work=$(mktemp -d "$cache/work-$1.XXXXXX")
	trap 'if [ $? != 0 ] || [ -n "${BOOTSLOT_KEEP:-}" ]; then say "kept: $work"; else remove "$work"; fi' EXIT
}

# test_initramfs PROGRAM TEST... : makes $work/initramfs, the guest with PROGRAM under its three names; its init
# runs each TEST of guest/ that ends in .sh.
test_initramfs() {
	mkdir -p "$work/files/opt/bootslot" "$work/files/tests"
	install -m 755 "$here/guest/init" "$work/files/init"
	install -m 755 "$1" "$work/files/opt/bootslot/bootslot"
	ln -s bootslot "$work/files/opt/bootslot/fw_printenv"
	ln -s bootslot "$work/files/opt/bootslot/fw_setenv"
	shift
	for test; do cp "$here/guest/$test" "$work/files/tests"; done
	guest=$("$here/guest.sh")
	(cd "$work/files" && find . | cpio --quiet -o -H newc) | cat "$guest/guest.cpio" - >"$work/initramfs"
}

# Builds bootslot for this machine, unless BOOTSLOT_PROGRAM is one, and prints its path.
host_program() {
	if [ -n "${BOOTSLOT_PROGRAM:-}" ]; then
		echo "$BOOTSLOT_PROGRAM"
		return
	fi
	manifest=$here/../Cargo.toml
	cargo build --quiet --locked --manifest-path "$manifest" --bin bootslot >&2
	cargo metadata --format-version 1 --no-deps --offline --manifest-path "$manifest" |
		python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"] + "/debug/bootslot")'
}

jobs=$(nproc)
