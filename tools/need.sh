#!/usr/bin/env bash
# tools/need.sh PACKAGE...: makes sure that these Debian packages are installed.
#
# As root it installs what is missing. Otherwise, and on other systems, it says what to install and fails.
set -euo pipefail

missing=()
for package in "$@"; do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || state=none
    [ "$state" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if ! command -v apt-get >/dev/null; then
    echo "needed, by their Debian names: ${missing[*]}. Please install them in this system's way." >&2
    exit 1
fi
if [ "$(id -u)" != 0 ]; then
    echo "needed: apt-get install ${missing[*]}" >&2
    exit 1
fi

# Several steps may ask at once, and dpkg has one lock.
exec 9>"${TMPDIR:-/tmp}/bootslot-need.$(id -u).lock"
flock 9
install() {
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
        -o DPkg::Lock::Timeout=300 "${missing[@]}" </dev/null
}
# Package lists that are missing or old give "unable to locate" or 404: one update, then once more.
if ! install >/dev/null 2>&1; then
    apt-get update -q -o DPkg::Lock::Timeout=300 >/dev/null
    install >&2
fi
