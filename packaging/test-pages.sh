#!/usr/bin/env bash
# packaging/test-pages.sh: the manual pages through mandoc, and the completions in the shells themselves, with the
# program beside a device of files. Shells that are not there are left out, except under CI=true.
set -euo pipefail
cd "$(dirname "$0")/.."
tools/need.sh mandoc man-db zsh fish >&2 || :
program=${BOOTSLOT_PROGRAM:-${CARGO_TARGET_DIR:-$PWD/target}/debug/bootslot}
[ -n "${BOOTSLOT_PROGRAM:-}" ] || cargo build --locked --all-features --bin bootslot >&2
scripts=$PWD/packaging/completion
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0

# is NAME COMMAND...: one check. What the command said is shown if it fails.
is() {
    local name=$1
    shift
    if "$@" >"$work/said" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "NOT OK $name"
        tail -n 5 "$work/said"
    fi
}
there() { command -v "$1" >/dev/null || { echo "$1 is not there" >&2; [ "${CI:-}" != true ] || exit 1; return 1; }; }

if there mandoc; then
    clean() { ! mandoc -T lint "$1" | grep .; }
    for page in packaging/man/*; do
        is "lint: $page" clean "$page"
    done
    # What is told beside --help comes from the documents: that it has arrived.
    says() { mandoc -T ascii "packaging/man/$1" | col -b | grep -F -- "$2" >/dev/null; }
    is "an option of a command" says bootslot-install.1 "--dry-run"
    is "a key of a document" says bootslot.toml.5 "prevent-late-fallback"
    is "a column of a table" says fw_env.config.5 "CONFIG_ENV_SIZE"
    is "a function of the header" says bootslot.3 "bootslot_env_commit"
    is "an exit code" says bootslot-health.1 "it takes a reboot, which is another try"
fi

# Two slots whose names nobody would guess, and variables.
mkdir "$work/bin"
for name in bootslot fw_printenv fw_setenv; do ln -s "$program" "$work/bin/$name"; done
export PATH=$work/bin:$PATH HOME=$work
cd "$work"
head -c 32768 /dev/zero >env.img
printf 'env.img 0x0 0x4000\nenv.img 0x4000 0x4000\n' >env.config
printf '[[slot]]\nname = "north"\n[[slot]]\nname = "south"\n[environment]\nconfig = "env.config"\n' >device.toml
printf 'bootcmd=run bootslot\nquaint=1\nquick=2\n' >defaults
bootslot init -f defaults --settings device.toml -l . --slot north --script 2 >/dev/null

# bash, as it calls a completion: bash_says WORD... (the last one is being typed)
bash_says() {
    bash -c 'source "$1/$2"; shift
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        "_$1" "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
        [ ${#COMPREPLY[@]} = 0 ] || printf "%s\n" "${COMPREPLY[@]}"' bash "$scripts/bash" "$@" | sort -u | tr '\n' ' '
}
in_bash() { local expected=$1; shift; said=$(bash_says "$@"); [ "$said" = "$expected" ] || { echo "said: $said"; false; }; }
is "bash: a command" in_bash "rollback " bootslot rollb
is "bash: a command of a group" in_bash "repair " bootslot env repa
is "bash: an option" in_bash "--dry-run " bootslot install --dry
is "bash: no hidden option" in_bash "" bootslot status --boot
is "bash: the slots" in_bash "north south " bootslot try --settings device.toml --slot ""
is "bash: a slot" in_bash "south " bootslot try --settings device.toml so
is "bash: a variable" in_bash "quaint quick " bootslot env get -c env.config qu
is "bash: a variable for fw_printenv" in_bash "quaint " fw_printenv -c env.config qua
is "bash: a variable for fw_setenv" in_bash "quick " fw_setenv --config env.config qui
is "bash: no environment, no word" in_bash "" fw_setenv -c nothing.config qui

if there fish; then
    fish_says() { fish --no-config -c 'source $argv[1]/$argv[2].fish; complete -C $argv[3]' "$scripts/fish" "$1" "$2" | cut -f 1 | sort -u | tr '\n' ' '; }
    in_fish() { said=$(fish_says "${2%% *}" "$2"); [ "$said" = "$1" ] || { echo "said: $said"; false; }; }
    is "fish: a command" in_fish "rollback " "bootslot rollb"
    is "fish: an option" in_fish "--dry-run " "bootslot install --dry"
    is "fish: the slots" in_fish "north south " "bootslot try --settings device.toml --slot "
    is "fish: a slot" in_fish "south " "bootslot try --settings device.toml so"
    is "fish: a variable" in_fish "quaint quick " "bootslot env get -c env.config qu"
    is "fish: a variable for fw_printenv" in_fish "quaint " "fw_printenv -c env.config qua"
fi

if there zsh; then
    # zsh completes for a person alone: one is played, with a terminal of zsh's own. What it typed is run, so that a word
    # that was completed shows by its effect.
    zsh_says() {
        timeout 60 zsh -f -c '
            zmodload zsh/zpty
            zpty shell zsh -f -i
            zpty -w shell "unsetopt zle_bracketed_paste; PS1=; fpath=($1 \$fpath); autoload -U compinit; compinit -u -d $PWD/dump; print REA\DY"
            until zpty -r shell line && [[ $line == *READY* ]]; do :; done
            zpty -w -n shell "$2"$'"'\\t'"'
            sleep 1
            zpty -w shell "; print DO\NE"
            while zpty -r shell line; do print -r -- $line; [[ $line == *DONE* ]] && break; done
            zpty -d shell' zsh "$scripts/zsh" "$1"
    }
    in_zsh() { zsh_says "$2" >"$work/terminal"; grep -q "$1" "$work/terminal" || { cat "$work/terminal"; false; }; }
    is "zsh: a variable for fw_printenv" in_zsh "^quaint=1" "fw_printenv -c env.config qua"
    is "zsh: a variable" in_zsh '"quick": "2"' "bootslot env get --json -c env.config qui"
    is "zsh: a slot" in_zsh "slot south .*runs now\|running.*south" "bootslot status --settings device.toml --slot so"
    is "zsh: a command" in_zsh "quaint=1" "bootslot env -c env.config lis"
fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
