#!/usr/bin/env bash
# tools/install-pages.sh [GROUP...]: installs manual pages and completions under $DESTDIR$PREFIX. Groups: bootslot (the
# program and what it reads), tools (fw_printenv, fw_setenv and their configuration), library, hawkbit. All but hawkbit
# unless named.
# Other places: MANDIR, BASHCOMPLETIONDIR, ZSHCOMPLETIONDIR, FISHCOMPLETIONDIR.
set -euo pipefail
cd "$(dirname "$0")/.."
prefix=${PREFIX:-/usr/local} root=${DESTDIR:-}
man=$root${MANDIR:-$prefix/share/man}
bash=$root${BASHCOMPLETIONDIR:-$prefix/share/bash-completion/completions}
zsh=$root${ZSHCOMPLETIONDIR:-$prefix/share/zsh/site-functions}
fish=$root${FISHCOMPLETIONDIR:-$prefix/share/fish/vendor_completions.d}

pages() {
    local page
    for page; do
        install -D -m 644 "$page" "$man/man${page##*.}/${page##*/}"
    done
}
completion() {
    local name
    for name; do
        install -D -m 644 "packaging/completion/bash/$name" "$bash/$name"
        install -D -m 644 "packaging/completion/zsh/_$name" "$zsh/_$name"
        install -D -m 644 "packaging/completion/fish/$name.fish" "$fish/$name.fish"
    done
}

[ $# -gt 0 ] || set -- bootslot tools library
for group; do
    case $group in
    bootslot)
        for page in packaging/man/bootslot.1 packaging/man/bootslot-*.1 packaging/man/bootslot.toml.5; do
            [[ $page == */bootslot-hawkbit.1 ]] || pages "$page"
        done
        completion bootslot
        ;;
    tools)
        pages packaging/man/fw_printenv.1 packaging/man/fw_setenv.1 packaging/man/fw_env.config.5
        completion fw_printenv fw_setenv
        ;;
    library) pages packaging/man/bootslot.3 ;;
    hawkbit)
        pages packaging/man/bootslot-hawkbit.1
        completion bootslot-hawkbit
        ;;
    *)
        echo "tools/install-pages.sh: no group $group" >&2
        exit 2
        ;;
    esac
done
