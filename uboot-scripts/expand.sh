#!/bin/sh
# "expand.sh FILE [CPP_OPTION...]" expands a text environment as U-Boot's build does: it runs the C
# preprocessor, then it joins lines to variables (scripts/env2string.awk). It prints name=value lines.
set -eu
file=$1; shift
"${CPP:-cpp}" -P -undef -x assembler-with-cpp -D__ASSEMBLY__ -D__UBOOT_CONFIG__ -DBOOTSLOT_UNCHECKED \
	-I "$(dirname "$0")" "$@" "$file" | awk '
	/^[^ \t=][^ =]*=/ { if (line != "") print line; line = $0; next }
	NF { sub(/^[ \t]+/, ""); line = line (line ~ /=$/ ? "" : " ") $0 }
	END { if (line != "") print line }'
