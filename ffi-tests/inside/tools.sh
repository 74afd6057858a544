#!/bin/sh
# Debian's own fw_printenv and fw_setenv, unchanged, on our library; and the incumbent's answers to each call.
set -u
. /src/ffi-tests/inside/check.sh

# session LIBRARY: the same commands with this library under them; prints what they print.
session() {
	new_environment
	export LD_LIBRARY_PATH="$1"
	echo 'bootcmd=run first
arch=arm
bootdelay=3' >/tmp/defaults
	echo '# a script
bootdelay=5
arch=
new=a b  c' >/tmp/script
	{
		set -x
		fw_printenv; echo "$?"
		fw_setenv -f /tmp/defaults board demo; echo "$?"
		fw_printenv; echo "$?"
		fw_printenv bootdelay; echo "$?"
		fw_printenv -n bootcmd; echo "$?"
		fw_setenv bootdelay 7; echo "$?"
		fw_setenv board; echo "$?"
		fw_setenv -s /tmp/script; echo "$?"
		fw_setenv -s - </tmp/script; echo "$?"
		fw_setenv 'a=b' c; echo "$?"
		fw_printenv; echo "$?"
		fw_printenv -c /nowhere; echo "$?"
		fw_setenv one 1 two 2; echo "$?"
		fw_printenv one two; echo "$?"
		set +x
	} 2>&1 | grep -v -e '^Environment '
	unset LD_LIBRARY_PATH
}

check "fw_printenv is linked with the incumbent" sh -c "ldd /usr/bin/fw_printenv | grep 'libubootenv.so.0 => $theirs\\|libubootenv.so.0 => /lib'"
check "and finds ours instead" sh -c "LD_LIBRARY_PATH=$ours ldd /usr/bin/fw_printenv | grep 'libubootenv.so.0 => $ours'"
session "$theirs" >/tmp/session-theirs
stored >/tmp/stored-theirs
session "$ours" >/tmp/session-ours
stored >/tmp/stored-ours
check "it prints the same ($(wc -l </tmp/session-theirs) lines)" diff /tmp/session-theirs /tmp/session-ours
check "it stores the same" diff /tmp/stored-theirs /tmp/stored-ours
check "it stores something" grep -qx 'new=a b  c' /tmp/stored-ours
check "it says the version" test "$(LD_LIBRARY_PATH=$ours fw_printenv -V)" = "0.3.7 775"

gcc -std=c11 -D_GNU_SOURCE -I/build/prefix/include /src/ffi-tests/conventions.c -l:libubootenv.so.0 -o /tmp/conventions
answers() { mkdir -p /tmp/c && rm -f /tmp/c/* && LD_LIBRARY_PATH=$1 /tmp/conventions /tmp/c | grep -v '^Environment '; }
answers "$theirs" >/tmp/answers-theirs
answers "$ours" >/tmp/answers-ours
check "both libraries answer each call alike ($(wc -l </tmp/answers-theirs) lines)" diff /tmp/answers-theirs /tmp/answers-ours
check "to the end" grep -q 'libuboot_getvalue(NULL) == NULL = 1' /tmp/answers-theirs
# As an installation is found: by ldconfig's cache, which goes by the names written in the libraries. -X leaves the
# links in the folders alone.
unset LD_LIBRARY_PATH
check "without ours, the cache leads to the incumbent" sh -c "! ldd /usr/bin/fw_printenv | grep libbootslot"
{ echo $ours && cat /etc/ld.so.conf; } >/tmp/ld.so.conf
check "ldconfig" ldconfig -X -f /tmp/ld.so.conf
check "the cache leads to ours" sh -c "ldd /usr/bin/fw_printenv | grep 'libubootenv.so.0 => $ours' && ldd /usr/bin/fw_printenv | grep 'libbootslot.so.0 => $ours'"
check "fw_printenv runs on it" test "$(fw_printenv -V)" = "0.3.7 775"
check "and reads the environment" grep -qx 'one=1' /dev/stdin <<END
$(fw_printenv)
END
verdict tools
