#!/usr/bin/env bash
# tools/deny.sh: licences, versions and sources of the dependencies, by deny.toml.
# (Not the advisories: their database is no registry and is not always within reach.)
set -euo pipefail
cd "$(dirname "$0")/.."
deny=$(tools/cargo-tool.sh cargo-deny 0.20.2 --no-default-features)
"$deny" --locked --all-features check licenses bans sources
