#!/bin/sh
# Shows an update, a rollback and a power cut on a real U-Boot and Linux in QEMU, with the
# serial output of the device.
set -eu
. "$(dirname "$0")/lib.sh"

need python3:python3
work_folder demo
"$here/device.sh" "$work" nor
python3 -B "$here/device/demo.py" "$work" "$here/run.sh" "$(host_program)"
