#!/bin/sh
# Prints the text environment FILE for bootslot.cmd, "make-boot-txt.sh FILE [CPP_OPTION...]".
# State variables are left out: importing must not overwrite them, and where they are missing the
# script starts from the factory state.
set -eu
"$(dirname "$0")/expand.sh" "$@" |
	grep -Ev '^(active_slot|boot_success|boot_try_count|rollback_slot|bootcmd)='
