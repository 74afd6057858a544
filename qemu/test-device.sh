#!/bin/sh
# Tests whole devices with a real U-Boot and Linux in QEMU: updates, rollbacks, damage and
# power cuts, on every kind of board; "test-device.sh [--cuts N] [--short | --soak] [BOARD...]". Prints each check and
# "N passed, N failed".
set -eu
. "$(dirname "$0")/lib.sh"

need python3:python3
work_folder device
"$here/device.sh" "$work"
python3 -B "$here/device/main.py" "$work" "$here/run.sh" "$(host_program)" "$@"
