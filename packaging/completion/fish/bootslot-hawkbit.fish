# Made by packaging/pages of the command line: do not edit.
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

complete -c bootslot-hawkbit -l hawkbit -d 'The server, and who the device is there' -r -F
complete -c bootslot-hawkbit -l settings -d 'Settings of the board [default: /etc/bootslot/bootslot.toml]' -r -F
complete -c bootslot-hawkbit -s l -l lock -d 'Directory of the lock file of the environment [default: /run and /var/lock, both]' -r -f -a "(__fish_complete_directories)"
complete -c bootslot-hawkbit -l slot -d 'The slot that runs [default: bootslot.slot= in /proc/cmdline, and the device of /]' -r -f -a "(_bootslot_fish_slots)\t''"
complete -c bootslot-hawkbit -l boot-id -r -F
complete -c bootslot-hawkbit -l os-release -r -F
complete -c bootslot-hawkbit -l once -d 'Visit the server once; exit code 1 if that does not go well'
complete -c bootslot-hawkbit -l check -d 'Read the settings, and send nothing'
complete -c bootslot-hawkbit -s h -l help -d 'Print help'
complete -c bootslot-hawkbit -s V -l version -d 'Print version'
