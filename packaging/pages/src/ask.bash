# Asks the program, with those options of the line that say where the state of the device is. Says nothing if it can't.
_bootslot_bash_ask() {
    local word take='' options=()
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        if [ -n "$take" ]; then
            options+=("$word") take=''
        else
            case $word in
            -c | --config | -m | --namespace | -l | --lock) options+=("$word") take=1 ;;
            --settings) [ "$1" = fw_printenv ] || options+=("$word") take=1 ;;
            esac
        fi
    done
    bootslot "$@" "${options[@]}" 2>/dev/null
}
_bootslot_bash_variables() { _bootslot_bash_ask fw_printenv | sed -n 's/^\([^=]*\)=.*/\1/p'; }
_bootslot_bash_slots() { _bootslot_bash_ask status --json | sed -n 's/^ *"name": "\([A-Za-z0-9_-]*\)".*/\1/p'; }
