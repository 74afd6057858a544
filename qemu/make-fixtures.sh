#!/bin/sh
# Makes tests/data/ again: environments written by U-Boot, mkenvimage, libubootenv
# and U-Boot's fw_setenv, and what U-Boot answers when given odd ones.
set -eu
. "$(dirname "$0")/lib.sh"

root=$("$here/root.sh")
uboot=$("$here/uboot.sh" nor)
need python3:python3
work_folder fixtures
mkdir "$work/uboot" "$work/tools"

python3 "$here/fixtures.py" "$here/run.sh" "$uboot/u-boot.bin" "$work/uboot"

cp "$uboot/fw_printenv-amd64" "$work/tools/uboot-fw_printenv"
cp "$here/fixtures-tools.sh" "$work/tools/run"
in_root "$root" "$work/tools:/build" -- sh /build/run >&2

data=$here/../tests/data
mkdir -p "$data"
cp "$work/uboot"/*.toml "$data"
for image in "$work"/uboot/*.bin "$work"/tools/*.bin; do
	gzip -9nc "$image" >"$data/${image##*/}.gz"
done
