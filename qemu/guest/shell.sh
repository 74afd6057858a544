# Obeys commands that come over the console, one a line, and tells each one's exit status: for ubi.py, which cuts the
# power in between. The UBI device is on NOR, and holds the environment and slot B.
[ -n "$commands" ] || exit 0
. /tests/checks

volume=/dev/ubi0_2
conf=/tmp/ubi.config
slots="--slot A --settings /tmp/ubi.toml -c $conf"

# As at a boot: the kernel finds out what a power cut has left.
attach() { ubiattach -p "$(mtd slot)" >/dev/null && ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up; }

# What a factory does.
new() {
	for copy in env0 env1; do ubimkvol /dev/ubi0 -N $copy -S 1 >/dev/null || return 1; done
	ubimkvol /dev/ubi0 -N root-b -S 10 >/dev/null || return 1
	printf 'bootcmd=run bootslot\n' >/tmp/defaults
	# shellcheck disable=SC2086 # several options
	$ours/bootslot init -f /tmp/defaults $slots && $ours/bootslot confirm $slots
}

variables() { $ours/fw_printenv -c $conf; }
# install ADDRESS : this bundle into slot B
# shellcheck disable=SC2086
install() { $ours/bootslot install "$1" $slots --json; }
# holds NAME : slot B holds this image
holds() { head -c "$(stat -c %s "/tests/$1.img")" $volume | cmp -s - "/tests/$1.img"; }

printf '/dev/ubi0_0 0x0 0x10000\n/dev/ubi0_1 0x0 0x10000\n' >$conf
settings /dev/ubi0:root-b >/tmp/ubi.toml
stty -echo
echo "SHELL-READY"
while read -r command; do
	eval "$command"
	echo "SHELL-EXIT $?"
done
