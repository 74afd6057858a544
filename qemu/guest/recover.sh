# After the power cuts of test-disk.sh: the kernel mounts what they have left, with the marks of a file system that was
# not unmounted, the environment is read, and the next store works. Nothing runs fsck before.
[ -n "$recover" ] || exit 0
. /tests/disks
PATH=/opt/bootslot:$PATH
number=0
for name in $(echo "$recover" | tr , ' '); do
	number=$((number + 1))
	found=$(take "$name" "/dev/vda$number" 2>&1 && fw_printenv -c /tmp/config -n n 2>&1 &&
		fw_setenv -c /tmp/config next "stored by $number" 2>&1 && fw_printenv -c /tmp/config n next 2>&1)
	echo "RECOVERED $number $name: $(echo "$found" | tr '\n' ' ')"
	leave "$name"
done
