#!/bin/sh
# Expands a text environment as U-Boot's build does (the C preprocessor, then lines joined to
# variables, scripts/env2string.awk), "expand.sh FILE [CPP_OPTION...]". Prints name=value lines.
set -eu
file=$1; shift
"${CPP:-cpp}" -P -undef -x assembler-with-cpp -D__ASSEMBLY__ -D__UBOOT_CONFIG__ -DBOOTSLOT_UNCHECKED \
	-I "$(dirname "$0")" "$@" "$file" | awk '
	/^[^ \t=][^ =]*=/ { if (line != "") print line; line = $0; next }
	NF { sub(/^[ \t]+/, ""); line = line (line ~ /=$/ ? "" : " ") $0 }
	END { if (line != "") print line }'
