# Runs in the build root (see make-fixtures.sh): environments as files, made by
# mkenvimage, by libubootenv's fw_setenv and by U-Boot's fw_setenv.
set -eu
cd /build

cat >initial.txt <<'TXT'
bootcmd=run distro_bootcmd
bootdelay=2
ethaddr=52:54:00:12:34:56
serial#=0042
quoted="a b" $c \d;
TXT

mkenvimage -s 0x4000 -o mkenvimage-single.bin initial.txt
mkenvimage -s 0x4000 -r -o mkenvimage-redundant.bin initial.txt
mkenvimage -s 0x4000 -b -o mkenvimage-single-bigendian.bin initial.txt
mkenvimage -s 0x4000 -p 0x00 -o mkenvimage-single-zero-padded.bin initial.txt

# config FILE COPIES : the fw_env.config of FILE
config() {
	echo "/build/$1 0x0 0x4000" >"$1.config"
	[ "$2" = 1 ] || echo "/build/$1 0x4000 0x4000" >>"$1.config"
}

mkdir -p /var/lock /run/lock
for tool in libubootenv uboot; do
	case $tool in
	libubootenv) set_one='fw_setenv -f /build/initial.txt' ;;
	uboot) cp uboot-fw_printenv fw_setenv; set_one=/build/fw_setenv ;;
	esac
	for copies in 1 2; do
		image=$tool-$([ $copies = 1 ] && echo single || echo serial).bin
		config "$image" $copies
		# Both copies start as mkenvimage makes them (flags 1 and 1), so that no
		# tool's own default environment gets in.
		if [ $copies = 1 ]; then
			cp mkenvimage-single.bin "$image"
		else
			cat mkenvimage-redundant.bin mkenvimage-redundant.bin >"$image"
		fi
		$set_one -c "$image.config" active_slot B
		$set_one -c "$image.config" spaces 'two words and a \ backslash'
		$set_one -c "$image.config" bootdelay
		echo "$image: $(od -An -tu1 -j4 -N1 "$image")$(od -An -tu1 -j16388 -N1 "$image" 2>/dev/null)"
	done
done
rm -f fw_setenv uboot-fw_printenv
