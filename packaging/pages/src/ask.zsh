# Asks the program, with those options of the line that say where the state of the device is. Says nothing if it can't.
_bootslot_zsh_ask() {
    local word take=
    local -a options
    for word in ${${(z)LBUFFER}[2,-1]}; do
        if [[ -n $take ]]; then
            options+=("${(Q)word}") take=
        else
            case $word in
            (-c|--config|-m|--namespace|-l|--lock) options+=("$word") take=1 ;;
            (--settings) [[ $1 == fw_printenv ]] || { options+=("$word") take=1 } ;;
            esac
        fi
    done
    bootslot "$@" $options 2>/dev/null
}
_bootslot_zsh_variables() {
    local -a names=(${(f)"$(_bootslot_zsh_ask fw_printenv | sed -n 's/^\([^=]*\)=.*/\1/p')"})
    compadd -a names
}
_bootslot_zsh_slots() {
    local -a names=(${(f)"$(_bootslot_zsh_ask status --json | sed -n 's/^ *"name": "\([A-Za-z0-9_-]*\)".*/\1/p')"})
    compadd -a names
}
