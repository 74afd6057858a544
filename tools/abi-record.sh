#!/usr/bin/env bash
# tools/abi-record.sh [--check]: the C library's ABI, recorded in include/abi by libabigail, one file for each SONAME. What is
# recorded is what the headers declare with all features: that the library exports this and nothing else is another test
# (ffi-tests/part-headers.sh).
#   --check   compares the headers with the record. What is in the record must stay as it is, as long as the SONAME does; what
#             is new has to be recorded.
set -euo pipefail
cd "$(dirname "$0")/.."
tools/need.sh abigail-tools gcc libc6-dev >&2 || exit 77
number=$(tools/version.sh abi)
record=include/abi/libbootslot.so.${number%%.*}.abi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A library of the same functions, all of them empty, as a C compiler understands the headers. It has debug information,
# which is where libabigail finds types; the real one is built without.
printf '#include <bootslot.h>\n#include <libuboot.h>\n' >"$work/headers.c"
python3 - "$work" <<'PYTHON'
import re, subprocess, sys
work = sys.argv[1]
text = subprocess.run(["gcc", "-E", "-P", "-DBOOTSLOT_UPDATE", "-DBOOTSLOT_HEALTH", "-Iinclude", f"{work}/headers.c"],
                      check=True, stdout=subprocess.PIPE, text=True).stdout
declared = re.findall(r"(?m)^(?!typedef)([a-z][\w\s*]*?[\s*](?:bootslot|libuboot)_\w+\s*\([^;{}]*\))\s*;", text)
if len(declared) < 50:
    sys.exit(f"only {len(declared)} functions are declared")
with open(f"{work}/library.c", "w") as library:
    library.write("#include <bootslot.h>\n#include <libuboot.h>\n")
    for function in declared:
        library.write(f"{' '.join(function.split())} {{ __builtin_trap(); }}\n")
print(len(declared), "functions", file=sys.stderr)
PYTHON
gcc -g -O0 -w -shared -fPIC -fno-eliminate-unused-debug-types -DBOOTSLOT_UPDATE -DBOOTSLOT_HEALTH -Iinclude "$work/library.c" \
    -Wl,-soname,"libbootslot.so.${number%%.*}" -o "$work/libbootslot.so"
abidw --no-architecture --no-corpus-path --no-comp-dir-path --no-show-locs --no-elf-needed "$work/libbootslot.so" >"$work/new.abi"

case ${1-} in
--check)
    [ -e "$record" ] || { echo "$record is missing: run tools/abi-record.sh and commit the result"; exit 1; }
    # Bits of abidiff's exit code: 4 something differs, 8 so that programs break; 1 and 2 are mistakes of its use.
    # differ OPTION...
    differ() {
        local code=0
        abidiff --no-show-locs "$@" "$record" "$work/new.abi" >"$work/difference" || code=$?
        [ $((code & 3)) = 0 ] || { cat "$work/difference"; echo "abidiff failed: $code"; exit 1; }
        [ $code != 0 ]
    }
    # What programs do not notice: functions and enumerators that are added, structures that grow at their end, which
    # struct_size tells. abidiff's own filter for the latter lets other changes through as well.
    breaks() {
        python3 - "$work/difference" <<'PYTHON'
import re, sys
lines = open(sys.argv[1]).read().splitlines()
for at, line in enumerate(lines):
    if re.search(r"\[D\]|deletion|(member|enumerator) changes?:|name changed|offset changed|[1-9]\d* Removed", line):
        sys.exit(0)
    if size := re.search(r"type size changed from (\d+) to", line):
        count = re.search(r"(\d+) data member insertions?:", lines[at + 1]) if at + 1 < len(lines) else None
        new = lines[at + 2:at + 2 + int(count[1])] if count else []
        offsets = [re.search(r"at offset (\d+)", text) for text in new]
        if not new or not all(offset and int(offset[1]) >= int(size[1]) for offset in offsets):
            sys.exit(0)
sys.exit(1)
PYTHON
    }
    if ! differ --harmless; then
        echo "1 passed, 0 failed"
    elif breaks; then
        cat "$work/difference"
        echo "the ABI breaks programs that are linked with libbootslot.so.${number%%.*}. Undo that, or give it a new SONAME:"
        echo "version in [package.metadata.capi.library] of Cargo.toml, then tools/abi-record.sh (docs/c-api.md). A member that"
        echo "takes the place of reserved ones breaks nobody: if this is all, record it."
        exit 1
    else
        cat "$work/difference"
        echo "the ABI has grown: run tools/abi-record.sh and commit the result"
        exit 1
    fi
    ;;
*) mkdir -p include/abi && cp "$work/new.abi" "$record" ;;
esac
