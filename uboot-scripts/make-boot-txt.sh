#!/bin/sh
# "make-boot-txt.sh FILE [CPP_OPTION...]" prints the text environment FILE for bootslot.cmd.
# It leaves out the state variables, because the import must not overwrite them. If they are missing in
# storage, the script starts from the factory state.
set -eu
text=$("$(dirname "$0")/expand.sh" "$@")
# In the dialects of Mender and of the boot counter there are others, and the board has chosen the name of one of them.
slot=$(printf '%s\n' "$text" | sed -n 's/^bootslot_switch=.*setenv \([A-Za-z0-9_]*\) .*/\1/p')
others=${slot:+|$slot|mender_boot_part|upgrade_available|bootcount|bootlimit}
printf '%s\n' "$text" | grep -Ev "^(active_slot|boot_success|boot_try_count|rollback_slot|bootcmd$others)="
