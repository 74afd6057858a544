# Asks the program, with those options of the line that say where the state of the device is. Says nothing if it can't.
function _bootslot_fish_ask
    set -l take
    set -l options
    for word in (commandline -opc)[2..-1]
        if test -n "$take"
            set -a options $word
            set take
        else if contains -- $word -c --config -m --namespace -l --lock
            set -a options $word
            set take 1
        else if test $word = --settings -a $argv[1] != fw_printenv
            set -a options $word
            set take 1
        end
    end
    bootslot $argv $options 2>/dev/null
end
function _bootslot_fish_variables
    _bootslot_fish_ask fw_printenv | string match -r '^[^=]+(?==)'
end
function _bootslot_fish_slots
    _bootslot_fish_ask status --json | string replace -rf '^ *"name": "([A-Za-z0-9_-]*)".*' '$1'
end
