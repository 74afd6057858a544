# Stores one environment after the other on each disk whose power fails later (test-disk.sh). What begins and
# what was reported done is written on the disk itself, in its second partition and without a flush, so that
# the disk's log tells how far the stores had come at any moment.

[ -n "$disks" ] || exit 0
. /tests/disks
size=16384

# mark TEXT: the kernel writes it out when the last one closes the partition
mark() { printf '%-4096s' "$1 " >"$marks"; }

# The environment number $1: its other variables are longer or shorter than those before. (libubootenv's tool
# takes 1024 characters of a line.)
environment() {
	printf 'n=%d\n' "$1"
	for i in 1 2 3; do printf 'v%d=%0*d\n' $i $((($1 * 997 + i * 331) % 900 + 1)) "$1"; done
}

# Milliseconds since the guest has started, to ten.
now() { read -r up _ </proc/uptime; echo "${up%.*}${up#*.}0" | sed 's/^0*//'; }

# What a program leaves that is killed between its write and its sync: the next copy, in the page cache alone.
# (A kill at random hardly ever hits that moment.)
write_and_die() {
	mkdir -p /tmp/before /tmp/after
	while read -r path offset _; do
		dd if="$path" of="/tmp/before/${path##*/}$offset" bs=$size skip=$((offset / size)) count=1 2>/dev/null
		echo "/tmp/after/${path##*/}$offset 0x0 0x4000"
	done </tmp/config >/tmp/after.config
	rm -f /tmp/after/*
	cp /tmp/before/* /tmp/after
	/opt/bootslot/fw_setenv -c /tmp/after.config -s "$1" || return
	while read -r path offset _; do
		new=/tmp/after/${path##*/}$offset
		cmp -s "$new" "/tmp/before/${path##*/}$offset" ||
			dd if="$new" of="$path" bs=$size seek=$((offset / size)) conv=notrunc 2>/dev/null
	done </tmp/config
	rm -f /tmp/before/*
	return 137
}

for disk in /sys/block/vd*; do
	# The kernel gives init what it does not know itself of its command line: disks, stores.
	name=$(echo "$disks" | cut -d, -f$(($(cat "$disk/serial") + 1)))
	device=/dev/${disk##*/}
	marks=${device}2
	take "$name" "${device}1"
	case $name in
	*-libubootenv) set_from() { exec /usr/bin/fw_setenv -c /tmp/config -s "$1"; } ;;
	*-uboot) set_from() { exec /opt/uboot/fw_setenv -c /tmp/config -s "$1"; } ;;
	*) set_from() { exec /opt/bootslot/fw_setenv -c /tmp/config -s "$1"; } ;;
	esac
	n=0 how=whole took=100 killed=0 began=$(now)
	while [ $n -lt "$stores" ]; do
		n=$((n + 1))
		environment $n >/tmp/script
		mark "begin $n"
		# The first ones end, and tell how long they take; later one in three.
		if [ $n -le 5 ] || [ $((RANDOM % 3)) = 0 ]; then how=whole; else
			case $name in
			# Not twice: the next program syncs the copy of the one that died before it writes its own.
			*-killed*) if [ $how = whole ] && [ ${name%-single*} = "$name" ]; then how=unsynced; else how=killed; fi ;;
			esac
		fi
		case $how in
		whole) (set_from /tmp/script) >/tmp/said 2>&1 ;;
		unsynced) write_and_die /tmp/script >/tmp/said 2>&1 ;;
		killed)
			(set_from /tmp/script) >/tmp/said 2>&1 &
			usleep $((RANDOM % (took * 1300)))
			kill -9 $! 2>/dev/null
			wait $!
			;;
		esac
		case $? in
		0) mark "done $n" ;;
		137) killed=$((killed + 1)) ;;
		*) echo "FAILED $name $n: $(cat /tmp/said)" ;;
		esac
		[ $n = 5 ] && took=$((($(now) - began) / 5))
	done
	leave "$name"
	echo "STORED $name $n $killed"
done
