#!/bin/sh
# "make-boot-txt.sh FILE [CPP_OPTION...]" prints the text environment FILE for bootslot.cmd.
# It leaves out the state variables, because the import must not overwrite them. If they are missing in
# storage, the script starts from the factory state.
set -eu
"$(dirname "$0")/expand.sh" "$@" |
	grep -Ev '^(active_slot|boot_success|boot_try_count|rollback_slot|bootcmd)='
