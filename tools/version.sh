#!/bin/sh
# tools/version.sh [abi]: prints the version of the project, or that of the C library's ABI, whose first number is the
# SONAME's. Both stand in Cargo.toml, and everything else that needs them asks here.
set -eu
case ${1-} in
abi) section='package\.metadata\.capi\.library' ;;
*) section=workspace.package ;;
esac
sed -n "/^\[$section\]/,/^\[/s/^version = \"\(.*\)\"/\1/p" "$(dirname "$0")/../Cargo.toml"
