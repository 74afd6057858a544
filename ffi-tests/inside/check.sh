# Sourced by the scripts that run in the root: checks that are counted, and the two libraries.

theirs=/usr/lib/x86_64-linux-gnu
ours=/build/prefix/lib
passed=0 failed=0

check() {
	name=$1
	shift
	if "$@" >/tmp/log 2>&1; then
		passed=$((passed + 1))
		echo "ok $name"
	else
		failed=$((failed + 1))
		echo "NOT OK $name"
		tail -n 40 /tmp/log
	fi
}

# Two copies of 16 KiB in a new file, and the configuration that both libraries and all tools find.
new_environment() {
	head -c 32768 /dev/zero | tr '\0' '\377' >/tmp/env.img
	printf '/tmp/env.img 0x0 0x4000\n/tmp/env.img 0x4000 0x4000\n' >/etc/fw_env.config
}

# How many stores there were in it: each one has the next number in its copy's flags, up to 254.
stores() { for at in 4 16388; do od -An -tu1 -j$at -N1 /tmp/env.img; done | grep -vw 255 | sort -n | tail -n 1; }

# What is stored, as the incumbent reads it: sorted, without the line that it prints in debug builds.
stored() { LD_LIBRARY_PATH=$theirs /usr/bin/fw_printenv | grep -v '^Environment ' | sort; }

# The boot code's part, by `bootslot next`: what it stores is stored, and the slot that it chooses runs. The script that calls
# this says in power_on what that means.
boot() {
	bootslot next >next.txt
	sed -n 's/^stores: //p' next.txt | grep = | while read -r changes; do
		echo "$changes" | tr ' ' '\n' | bootslot env import - >/dev/null
	done
	power_on "$(sed -n 's/^Slot \(.*\) boots\.$/\1/p' next.txt)"
}

# The option that SWUpdate takes from 2026 on for what older ones do anyway: signatures are CMS.
cms() { swupdate --help 2>&1 | grep -q -e --digest-provider && echo --digest-provider opensslCMS; }

verdict() {
	echo "$1: $passed passed, $failed failed"
	[ "$failed" = 0 ]
}
