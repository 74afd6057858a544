#!/usr/bin/env bash
# tools/build-folder.sh NAME: prints the folder outside the checkout in which this checkout builds NAME, and makes it. Cargo
# tells what is fresh by path and time, so each checkout has a folder of its own. A new one begins with what an
# earlier one compiled of others' crates; nothing of this project is taken along.
set -euo pipefail
name=$1
cd "$(dirname "$0")/.."
cache=${BOOTSLOT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/bootslot}
folder=$cache/$name-$(pwd | sha256sum | cut -c1-16)
if [ ! -d "$folder" ]; then
    new=$folder.$$.tmp
    mkdir -p "$new"
    mapfile -t earlier < <(find "$cache" -maxdepth 1 -type d -regex ".*/$name-[0-9a-f]*" -printf '%T@ %p\n' | sort -rn | cut -d ' ' -f 2-)
    # Checkouts come and go; three of them are more than are used at a time.
    [ ${#earlier[@]} -lt 3 ] || rm -rf "${earlier[@]:2}" || :
    if [ ${#earlier[@]} -gt 0 ]; then
        cp -a "${earlier[0]}/." "$new" || { rm -rf "$new" && mkdir "$new"; }
        # Ours: the crates, their tests and examples, which are programs, and what cargo knows about them.
        find "$new" -depth \( -name 'bootslot*' -o -name 'libbootslot*' -o -name incremental -o -name examples \) -exec rm -rf {} +
        find "$new" -path '*/deps/*' -type f ! -name 'lib*' -delete
    fi
    mv -T "$new" "$folder" 2>/dev/null || rm -rf "$new"
fi
touch "$folder"
echo "$folder"
