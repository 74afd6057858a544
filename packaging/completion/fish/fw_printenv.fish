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

complete -c fw_printenv -s c -l config -d 'configuration (default: /etc/fw_env.config)' -r -F
complete -c fw_printenv -s m -l namespace -d 'which environment of a YAML configuration (default: the one that the device' -r
complete -c fw_printenv -s f -l defenv -d 'variables to start from where no copy of the environment is valid' -r -F
complete -c fw_printenv -s l -l lock -d 'directory of the lock file (default: /run and /var/lock, both)' -r -f -a "(__fish_complete_directories)"
complete -c fw_printenv -s n -l noheader -d 'print the value only, of exactly one variable'
complete -c fw_printenv -s h -l help -d 'this text'
complete -c fw_printenv -s v -s V -l version -d 'the version'
complete -c fw_printenv -f -a "(_bootslot_fish_variables)"
