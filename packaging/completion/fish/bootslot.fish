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

# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_bootslot_global_optspecs
    string join \n h/help V/version
end

function __fish_bootslot_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_bootslot_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_bootslot_using_subcommand
    set -l cmd (__fish_bootslot_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c bootslot -n "__fish_bootslot_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c bootslot -n "__fish_bootslot_needs_command" -s V -l version -d 'Print version'
complete -c bootslot -n "__fish_bootslot_needs_command" -f -a "env" -d 'The U-Boot environment: read, change, check, repair'
complete -c bootslot -n "__fish_bootslot_needs_command" -f -a "status" -d 'Show the slots, the trial, the last failure, the environment and the next boot'
complete -c bootslot -n "__fish_bootslot_needs_command" -f -a "next" -d 'Show which slot U-Boot will boot, what it will store, and why'
complete -c bootslot -n "__fish_bootslot_needs_command" -f -a "init" -d 'Start with the factory\'s trial, if no boot state is stored yet'
complete -c bootslot -n "__fish_bootslot_needs_command" -f -a "begin-install" -d 'Call this before you write a slot: nothing boots it from now on'
complete -c bootslot -n "__fish_bootslot_needs_command" -f -a "finish-install" -d 'Call this after you have written and verified a slot: puts it on trial'
complete -c bootslot -n "__fish_bootslot_needs_command" -f -a "try" -d 'Put a slot that was written whole on trial'
complete -c bootslot -n "__fish_bootslot_needs_command" -f -a "confirm" -d 'Say that the running slot is healthy: its trial ends, and it is good'
complete -c bootslot -n "__fish_bootslot_needs_command" -f -a "rollback" -d 'Give up the running slot, or a trial that was not booted yet; it takes a reboot to leave it'
complete -c bootslot -n "__fish_bootslot_needs_command" -f -a "acknowledge" -d 'Say that the last failure was heard of: it is forgotten'
complete -c bootslot -n "__fish_bootslot_needs_command" -f -a "allow" -d 'Allow an update again that has failed here'
complete -c bootslot -n "__fish_bootslot_needs_command" -f -a "mark" -d 'Mark a slot as good, because you know it is, or as bad: it boots when nothing better is left'
complete -c bootslot -n "__fish_bootslot_needs_command" -f -a "convert" -d 'Write the boot state in another dialect: native, rauc, mender or bootcount'
complete -c bootslot -n "__fish_bootslot_needs_command" -f -a "set-active" -d 'Make a good slot the active one, without a trial'
complete -c bootslot -n "__fish_bootslot_needs_command" -f -a "install" -d 'Install a bundle into the slot that does not run, or its boot loader to the copy that did not boot'
complete -c bootslot -n "__fish_bootslot_needs_command" -f -a "app" -d 'Applications beside the system: install, status, confirm, rollback, remove'
complete -c bootslot -n "__fish_bootslot_needs_command" -f -a "bootloader" -d 'The boot loader: which copy booted, and whether a new one is kept'
complete -c bootslot -n "__fish_bootslot_needs_command" -f -a "bundle" -d 'Bundles: create, sign, inspect, verify'
complete -c bootslot -n "__fish_bootslot_needs_command" -f -a "migrate" -d 'Bring the data to the version that the running system wants; call this before its services start'
complete -c bootslot -n "__fish_bootslot_needs_command" -f -a "health" -d 'Decide whether the system that is on trial is healthy'
complete -c bootslot -n "__fish_bootslot_needs_command" -f -a "journal" -d 'The journal: what was recorded of updates and boots'
complete -c bootslot -n "__fish_bootslot_needs_command" -f -a "report" -d 'Show what became of the last update, or send it'
complete -c bootslot -n "__fish_bootslot_needs_command" -f -a "diagnose" -d 'Answer seven questions about a device that was not updated'
complete -c bootslot -n "__fish_bootslot_needs_command" -f -a "rauc" -d 'What RAUC asks of a custom boot loader, as orders to the slots'
complete -c bootslot -n "__fish_bootslot_needs_command" -f -a "rugix" -d 'What Rugix Ctrl asks of a custom boot flow, as orders to the slots'
complete -c bootslot -n "__fish_bootslot_needs_command" -f -a "bootcount" -d 'U-Boot\'s boot counter: read it, reset it'
complete -c bootslot -n "__fish_bootslot_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and not __fish_seen_subcommand_from get set unset list check find repair convert export import help" -s c -l config -d 'Configuration of the environment [default: /etc/fw_env.config]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and not __fish_seen_subcommand_from get set unset list check find repair convert export import help" -s m -l namespace -d 'Which environment of a YAML configuration [default: the one that the device tree names, else the first]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and not __fish_seen_subcommand_from get set unset list check find repair convert export import help" -s l -l lock -d 'Directory of the lock file [default: /run and /var/lock, both]' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and not __fish_seen_subcommand_from get set unset list check find repair convert export import help" -s h -l help -d 'Print help'
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and not __fish_seen_subcommand_from get set unset list check find repair convert export import help" -f -a "get" -d 'Print the values of variables, one in each line; all of them or nothing'
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and not __fish_seen_subcommand_from get set unset list check find repair convert export import help" -f -a "set" -d 'Set a variable; several words become one value with blanks between them; an empty value deletes'
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and not __fish_seen_subcommand_from get set unset list check find repair convert export import help" -f -a "unset" -d 'Delete variables, in one store'
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and not __fish_seen_subcommand_from get set unset list check find repair convert export import help" -f -a "list" -d 'Print all variables'
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and not __fish_seen_subcommand_from get set unset list check find repair convert export import help" -f -a "check" -d 'Report the health of every copy: exit code 0 healthy, 1 usable but damaged, 3 no copy valid'
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and not __fish_seen_subcommand_from get set unset list check find repair convert export import help" -f -a "find" -d 'Look for environments, and print the configuration of what is there: exit code 1 if there is none'
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and not __fish_seen_subcommand_from get set unset list check find repair convert export import help" -f -a "repair" -d 'Rewrite a damaged copy from the good one'
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and not __fish_seen_subcommand_from get set unset list check find repair convert export import help" -f -a "convert" -d 'Make two copies of one, or one of two'
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and not __fish_seen_subcommand_from get set unset list check find repair convert export import help" -f -a "export" -d 'Write all variables as U-Boot\'s `env export -t` does'
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and not __fish_seen_subcommand_from get set unset list check find repair convert export import help" -f -a "import" -d 'Read variables as U-Boot\'s `env import -t` does, in one store'
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and not __fish_seen_subcommand_from get set unset list check find repair convert export import help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from get" -s c -l config -d 'Configuration of the environment [default: /etc/fw_env.config]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from get" -s m -l namespace -d 'Which environment of a YAML configuration [default: the one that the device tree names, else the first]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from get" -s l -l lock -d 'Directory of the lock file [default: /run and /var/lock, both]' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from get" -l json -d 'Print the result as JSON'
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from get" -s h -l help -d 'Print help'
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from set" -s f -l defenv -d 'If no copy is valid, start from these variables' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from set" -s c -l config -d 'Configuration of the environment [default: /etc/fw_env.config]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from set" -s m -l namespace -d 'Which environment of a YAML configuration [default: the one that the device tree names, else the first]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from set" -s l -l lock -d 'Directory of the lock file [default: /run and /var/lock, both]' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from set" -l init -d 'Start an empty environment if no copy is valid'
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from set" -l init-unreadable -d 'The same, also if a copy can\'t be read; it may be a valid one'
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from set" -l force -d 'Change also what .flags or the writelist forbids to change; start a new environment also over one that is valid in another size or kind than configured'
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from set" -l json -d 'Print the result as JSON'
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from set" -s h -l help -d 'Print help'
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from unset" -s f -l defenv -d 'If no copy is valid, start from these variables' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from unset" -s c -l config -d 'Configuration of the environment [default: /etc/fw_env.config]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from unset" -s m -l namespace -d 'Which environment of a YAML configuration [default: the one that the device tree names, else the first]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from unset" -s l -l lock -d 'Directory of the lock file [default: /run and /var/lock, both]' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from unset" -l init -d 'Start an empty environment if no copy is valid'
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from unset" -l init-unreadable -d 'The same, also if a copy can\'t be read; it may be a valid one'
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from unset" -l force -d 'Change also what .flags or the writelist forbids to change; start a new environment also over one that is valid in another size or kind than configured'
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from unset" -l json -d 'Print the result as JSON'
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from unset" -s h -l help -d 'Print help'
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from list" -s c -l config -d 'Configuration of the environment [default: /etc/fw_env.config]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from list" -s m -l namespace -d 'Which environment of a YAML configuration [default: the one that the device tree names, else the first]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from list" -s l -l lock -d 'Directory of the lock file [default: /run and /var/lock, both]' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from list" -l json -d 'Print the result as JSON'
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from check" -s c -l config -d 'Configuration of the environment [default: /etc/fw_env.config]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from check" -s m -l namespace -d 'Which environment of a YAML configuration [default: the one that the device tree names, else the first]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from check" -s l -l lock -d 'Directory of the lock file [default: /run and /var/lock, both]' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from check" -l json -d 'Print the result as JSON'
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help'
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from find" -s c -l config -d 'Configuration of the environment [default: /etc/fw_env.config]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from find" -s m -l namespace -d 'Which environment of a YAML configuration [default: the one that the device tree names, else the first]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from find" -s l -l lock -d 'Directory of the lock file [default: /run and /var/lock, both]' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from find" -l yaml -d 'Print libubootenv\'s YAML instead of fw_env.config'
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from find" -l json -d 'Print all that was found as JSON'
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from find" -l defaults -d 'Print the variables that are compiled into a U-Boot binary, for fw_setenv -f'
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from find" -s h -l help -d 'Print help'
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from repair" -s c -l config -d 'Configuration of the environment [default: /etc/fw_env.config]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from repair" -s m -l namespace -d 'Which environment of a YAML configuration [default: the one that the device tree names, else the first]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from repair" -s l -l lock -d 'Directory of the lock file [default: /run and /var/lock, both]' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from repair" -l json -d 'Print the result as JSON'
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from repair" -s h -l help -d 'Print help'
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from convert" -s c -l config -d 'Configuration of the environment [default: /etc/fw_env.config]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from convert" -s m -l namespace -d 'Which environment of a YAML configuration [default: the one that the device tree names, else the first]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from convert" -s l -l lock -d 'Directory of the lock file [default: /run and /var/lock, both]' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from convert" -l json -d 'Print the result as JSON'
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from convert" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from export" -s c -l config -d 'Configuration of the environment [default: /etc/fw_env.config]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from export" -s m -l namespace -d 'Which environment of a YAML configuration [default: the one that the device tree names, else the first]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from export" -s l -l lock -d 'Directory of the lock file [default: /run and /var/lock, both]' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from export" -s h -l help -d 'Print help'
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from import" -s f -l defenv -d 'If no copy is valid, start from these variables' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from import" -s c -l config -d 'Configuration of the environment [default: /etc/fw_env.config]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from import" -s m -l namespace -d 'Which environment of a YAML configuration [default: the one that the device tree names, else the first]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from import" -s l -l lock -d 'Directory of the lock file [default: /run and /var/lock, both]' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from import" -l replace -d 'Delete the variables that are not in the file'
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from import" -s r -l crlf -d 'Read CR LF as LF'
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from import" -l dry-run -d 'Print what would change, and change nothing'
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from import" -l init -d 'Start an empty environment if no copy is valid'
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from import" -l init-unreadable -d 'The same, also if a copy can\'t be read; it may be a valid one'
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from import" -l force -d 'Change also what .flags or the writelist forbids to change; start a new environment also over one that is valid in another size or kind than configured'
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from import" -l json -d 'Print the result as JSON'
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from import" -s h -l help -d 'Print help'
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from help" -f -a "get" -d 'Print the values of variables, one in each line; all of them or nothing'
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from help" -f -a "set" -d 'Set a variable; several words become one value with blanks between them; an empty value deletes'
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from help" -f -a "unset" -d 'Delete variables, in one store'
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from help" -f -a "list" -d 'Print all variables'
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from help" -f -a "check" -d 'Report the health of every copy: exit code 0 healthy, 1 usable but damaged, 3 no copy valid'
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from help" -f -a "find" -d 'Look for environments, and print the configuration of what is there: exit code 1 if there is none'
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from help" -f -a "repair" -d 'Rewrite a damaged copy from the good one'
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from help" -f -a "convert" -d 'Make two copies of one, or one of two'
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from help" -f -a "export" -d 'Write all variables as U-Boot\'s `env export -t` does'
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from help" -f -a "import" -d 'Read variables as U-Boot\'s `env import -t` does, in one store'
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c bootslot -n "__fish_bootslot_using_subcommand status" -l settings -d 'Settings of the board [default: /etc/bootslot/bootslot.toml]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand status" -s c -l config -d 'Configuration of the environment [default: the settings\', else /etc/fw_env.config]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand status" -s m -l namespace -d 'Which environment of a YAML configuration [default: the settings\', else as for `bootslot env`]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand status" -s l -l lock -d 'Directory of the lock file [default: /run and /var/lock, both]' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand status" -l state -d 'Folder of the journal and what else is kept beside the environment [default: the settings\']' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand status" -l slot -d 'The slot that runs [default: bootslot.slot= in /proc/cmdline, and the device of /]' -r -f -a "(_bootslot_fish_slots)\t''"
complete -c bootslot -n "__fish_bootslot_using_subcommand status" -l script -d 'The version of the boot script in U-Boot [default: the settings\', else as /proc/cmdline and the stored environment say]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand status" -l boot-id -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand status" -l os-release -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand status" -l sysfs -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand status" -l json -d 'Print the result as JSON'
complete -c bootslot -n "__fish_bootslot_using_subcommand status" -s h -l help -d 'Print help'
complete -c bootslot -n "__fish_bootslot_using_subcommand next" -l settings -d 'Settings of the board [default: /etc/bootslot/bootslot.toml]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand next" -s c -l config -d 'Configuration of the environment [default: the settings\', else /etc/fw_env.config]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand next" -s m -l namespace -d 'Which environment of a YAML configuration [default: the settings\', else as for `bootslot env`]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand next" -s l -l lock -d 'Directory of the lock file [default: /run and /var/lock, both]' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand next" -l state -d 'Folder of the journal and what else is kept beside the environment [default: the settings\']' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand next" -l slot -d 'The slot that runs [default: bootslot.slot= in /proc/cmdline, and the device of /]' -r -f -a "(_bootslot_fish_slots)\t''"
complete -c bootslot -n "__fish_bootslot_using_subcommand next" -l script -d 'The version of the boot script in U-Boot [default: the settings\', else as /proc/cmdline and the stored environment say]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand next" -l boot-id -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand next" -l os-release -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand next" -l sysfs -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand next" -l json -d 'Print the result as JSON'
complete -c bootslot -n "__fish_bootslot_using_subcommand next" -s h -l help -d 'Print help'
complete -c bootslot -n "__fish_bootslot_using_subcommand init" -s f -l defenv -d 'If no copy of the environment is valid, start from these variables: all that the board needs to boot' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand init" -l settings -d 'Settings of the board [default: /etc/bootslot/bootslot.toml]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand init" -s c -l config -d 'Configuration of the environment [default: the settings\', else /etc/fw_env.config]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand init" -s m -l namespace -d 'Which environment of a YAML configuration [default: the settings\', else as for `bootslot env`]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand init" -s l -l lock -d 'Directory of the lock file [default: /run and /var/lock, both]' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand init" -l state -d 'Folder of the journal and what else is kept beside the environment [default: the settings\']' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand init" -l slot -d 'The slot that runs [default: bootslot.slot= in /proc/cmdline, and the device of /]' -r -f -a "(_bootslot_fish_slots)\t''"
complete -c bootslot -n "__fish_bootslot_using_subcommand init" -l script -d 'The version of the boot script in U-Boot [default: the settings\', else as /proc/cmdline and the stored environment say]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand init" -l boot-id -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand init" -l os-release -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand init" -l sysfs -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand init" -l json -d 'Print the result as JSON'
complete -c bootslot -n "__fish_bootslot_using_subcommand init" -s h -l help -d 'Print help'
complete -c bootslot -n "__fish_bootslot_using_subcommand begin-install" -l settings -d 'Settings of the board [default: /etc/bootslot/bootslot.toml]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand begin-install" -s c -l config -d 'Configuration of the environment [default: the settings\', else /etc/fw_env.config]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand begin-install" -s m -l namespace -d 'Which environment of a YAML configuration [default: the settings\', else as for `bootslot env`]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand begin-install" -s l -l lock -d 'Directory of the lock file [default: /run and /var/lock, both]' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand begin-install" -l state -d 'Folder of the journal and what else is kept beside the environment [default: the settings\']' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand begin-install" -l slot -d 'The slot that runs [default: bootslot.slot= in /proc/cmdline, and the device of /]' -r -f -a "(_bootslot_fish_slots)\t''"
complete -c bootslot -n "__fish_bootslot_using_subcommand begin-install" -l script -d 'The version of the boot script in U-Boot [default: the settings\', else as /proc/cmdline and the stored environment say]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand begin-install" -l boot-id -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand begin-install" -l os-release -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand begin-install" -l sysfs -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand begin-install" -l json -d 'Print the result as JSON'
complete -c bootslot -n "__fish_bootslot_using_subcommand begin-install" -s h -l help -d 'Print help'
complete -c bootslot -n "__fish_bootslot_using_subcommand finish-install" -l tries -d 'How often it may boot without being confirmed, 1 to 9 [default: the settings\', else 3]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand finish-install" -l update -d 'What was installed: 1 to 64 of [A-Za-z0-9._-]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand finish-install" -l settings -d 'Settings of the board [default: /etc/bootslot/bootslot.toml]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand finish-install" -s c -l config -d 'Configuration of the environment [default: the settings\', else /etc/fw_env.config]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand finish-install" -s m -l namespace -d 'Which environment of a YAML configuration [default: the settings\', else as for `bootslot env`]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand finish-install" -s l -l lock -d 'Directory of the lock file [default: /run and /var/lock, both]' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand finish-install" -l state -d 'Folder of the journal and what else is kept beside the environment [default: the settings\']' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand finish-install" -l slot -d 'The slot that runs [default: bootslot.slot= in /proc/cmdline, and the device of /]' -r -f -a "(_bootslot_fish_slots)\t''"
complete -c bootslot -n "__fish_bootslot_using_subcommand finish-install" -l script -d 'The version of the boot script in U-Boot [default: the settings\', else as /proc/cmdline and the stored environment say]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand finish-install" -l boot-id -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand finish-install" -l os-release -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand finish-install" -l sysfs -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand finish-install" -l again -d 'Do it also if this update has failed before'
complete -c bootslot -n "__fish_bootslot_using_subcommand finish-install" -l json -d 'Print the result as JSON'
complete -c bootslot -n "__fish_bootslot_using_subcommand finish-install" -s h -l help -d 'Print help'
complete -c bootslot -n "__fish_bootslot_using_subcommand try" -l tries -d 'How often it may boot without being confirmed, 1 to 9 [default: the settings\', else 3]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand try" -l settings -d 'Settings of the board [default: /etc/bootslot/bootslot.toml]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand try" -s c -l config -d 'Configuration of the environment [default: the settings\', else /etc/fw_env.config]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand try" -s m -l namespace -d 'Which environment of a YAML configuration [default: the settings\', else as for `bootslot env`]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand try" -s l -l lock -d 'Directory of the lock file [default: /run and /var/lock, both]' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand try" -l state -d 'Folder of the journal and what else is kept beside the environment [default: the settings\']' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand try" -l slot -d 'The slot that runs [default: bootslot.slot= in /proc/cmdline, and the device of /]' -r -f -a "(_bootslot_fish_slots)\t''"
complete -c bootslot -n "__fish_bootslot_using_subcommand try" -l script -d 'The version of the boot script in U-Boot [default: the settings\', else as /proc/cmdline and the stored environment say]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand try" -l boot-id -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand try" -l os-release -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand try" -l sysfs -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand try" -l again -d 'Do it also if the slot has failed before'
complete -c bootslot -n "__fish_bootslot_using_subcommand try" -l json -d 'Print the result as JSON'
complete -c bootslot -n "__fish_bootslot_using_subcommand try" -s h -l help -d 'Print help'
complete -c bootslot -n "__fish_bootslot_using_subcommand confirm" -l settings -d 'Settings of the board [default: /etc/bootslot/bootslot.toml]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand confirm" -s c -l config -d 'Configuration of the environment [default: the settings\', else /etc/fw_env.config]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand confirm" -s m -l namespace -d 'Which environment of a YAML configuration [default: the settings\', else as for `bootslot env`]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand confirm" -s l -l lock -d 'Directory of the lock file [default: /run and /var/lock, both]' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand confirm" -l state -d 'Folder of the journal and what else is kept beside the environment [default: the settings\']' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand confirm" -l slot -d 'The slot that runs [default: bootslot.slot= in /proc/cmdline, and the device of /]' -r -f -a "(_bootslot_fish_slots)\t''"
complete -c bootslot -n "__fish_bootslot_using_subcommand confirm" -l script -d 'The version of the boot script in U-Boot [default: the settings\', else as /proc/cmdline and the stored environment say]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand confirm" -l boot-id -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand confirm" -l os-release -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand confirm" -l sysfs -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand confirm" -l json -d 'Print the result as JSON'
complete -c bootslot -n "__fish_bootslot_using_subcommand confirm" -s h -l help -d 'Print help'
complete -c bootslot -n "__fish_bootslot_using_subcommand rollback" -l reason -d 'Why, for boot_failed' -r -f -a "health\t'A health check failed'
user\t'Somebody ordered it'"
complete -c bootslot -n "__fish_bootslot_using_subcommand rollback" -l settings -d 'Settings of the board [default: /etc/bootslot/bootslot.toml]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand rollback" -s c -l config -d 'Configuration of the environment [default: the settings\', else /etc/fw_env.config]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand rollback" -s m -l namespace -d 'Which environment of a YAML configuration [default: the settings\', else as for `bootslot env`]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand rollback" -s l -l lock -d 'Directory of the lock file [default: /run and /var/lock, both]' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand rollback" -l state -d 'Folder of the journal and what else is kept beside the environment [default: the settings\']' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand rollback" -l slot -d 'The slot that runs [default: bootslot.slot= in /proc/cmdline, and the device of /]' -r -f -a "(_bootslot_fish_slots)\t''"
complete -c bootslot -n "__fish_bootslot_using_subcommand rollback" -l script -d 'The version of the boot script in U-Boot [default: the settings\', else as /proc/cmdline and the stored environment say]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand rollback" -l boot-id -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand rollback" -l os-release -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand rollback" -l sysfs -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand rollback" -l json -d 'Print the result as JSON'
complete -c bootslot -n "__fish_bootslot_using_subcommand rollback" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c bootslot -n "__fish_bootslot_using_subcommand acknowledge" -l settings -d 'Settings of the board [default: /etc/bootslot/bootslot.toml]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand acknowledge" -s c -l config -d 'Configuration of the environment [default: the settings\', else /etc/fw_env.config]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand acknowledge" -s m -l namespace -d 'Which environment of a YAML configuration [default: the settings\', else as for `bootslot env`]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand acknowledge" -s l -l lock -d 'Directory of the lock file [default: /run and /var/lock, both]' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand acknowledge" -l state -d 'Folder of the journal and what else is kept beside the environment [default: the settings\']' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand acknowledge" -l slot -d 'The slot that runs [default: bootslot.slot= in /proc/cmdline, and the device of /]' -r -f -a "(_bootslot_fish_slots)\t''"
complete -c bootslot -n "__fish_bootslot_using_subcommand acknowledge" -l script -d 'The version of the boot script in U-Boot [default: the settings\', else as /proc/cmdline and the stored environment say]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand acknowledge" -l boot-id -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand acknowledge" -l os-release -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand acknowledge" -l sysfs -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand acknowledge" -l json -d 'Print the result as JSON'
complete -c bootslot -n "__fish_bootslot_using_subcommand acknowledge" -s h -l help -d 'Print help'
complete -c bootslot -n "__fish_bootslot_using_subcommand allow" -l settings -d 'Settings of the board [default: /etc/bootslot/bootslot.toml]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand allow" -s c -l config -d 'Configuration of the environment [default: the settings\', else /etc/fw_env.config]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand allow" -s m -l namespace -d 'Which environment of a YAML configuration [default: the settings\', else as for `bootslot env`]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand allow" -s l -l lock -d 'Directory of the lock file [default: /run and /var/lock, both]' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand allow" -l state -d 'Folder of the journal and what else is kept beside the environment [default: the settings\']' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand allow" -l slot -d 'The slot that runs [default: bootslot.slot= in /proc/cmdline, and the device of /]' -r -f -a "(_bootslot_fish_slots)\t''"
complete -c bootslot -n "__fish_bootslot_using_subcommand allow" -l script -d 'The version of the boot script in U-Boot [default: the settings\', else as /proc/cmdline and the stored environment say]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand allow" -l boot-id -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand allow" -l os-release -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand allow" -l sysfs -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand allow" -l json -d 'Print the result as JSON'
complete -c bootslot -n "__fish_bootslot_using_subcommand allow" -s h -l help -d 'Print help'
complete -c bootslot -n "__fish_bootslot_using_subcommand mark" -l settings -d 'Settings of the board [default: /etc/bootslot/bootslot.toml]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand mark" -s c -l config -d 'Configuration of the environment [default: the settings\', else /etc/fw_env.config]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand mark" -s m -l namespace -d 'Which environment of a YAML configuration [default: the settings\', else as for `bootslot env`]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand mark" -s l -l lock -d 'Directory of the lock file [default: /run and /var/lock, both]' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand mark" -l state -d 'Folder of the journal and what else is kept beside the environment [default: the settings\']' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand mark" -l slot -d 'The slot that runs [default: bootslot.slot= in /proc/cmdline, and the device of /]' -r -f -a "(_bootslot_fish_slots)\t''"
complete -c bootslot -n "__fish_bootslot_using_subcommand mark" -l script -d 'The version of the boot script in U-Boot [default: the settings\', else as /proc/cmdline and the stored environment say]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand mark" -l boot-id -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand mark" -l os-release -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand mark" -l sysfs -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand mark" -l json -d 'Print the result as JSON'
complete -c bootslot -n "__fish_bootslot_using_subcommand mark" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c bootslot -n "__fish_bootslot_using_subcommand convert" -l to -d 'The dialect; that of the settings: delete what another conversion has kept' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand convert" -l settings -d 'Settings of the board [default: /etc/bootslot/bootslot.toml]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand convert" -s c -l config -d 'Configuration of the environment [default: the settings\', else /etc/fw_env.config]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand convert" -s m -l namespace -d 'Which environment of a YAML configuration [default: the settings\', else as for `bootslot env`]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand convert" -s l -l lock -d 'Directory of the lock file [default: /run and /var/lock, both]' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand convert" -l state -d 'Folder of the journal and what else is kept beside the environment [default: the settings\']' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand convert" -l slot -d 'The slot that runs [default: bootslot.slot= in /proc/cmdline, and the device of /]' -r -f -a "(_bootslot_fish_slots)\t''"
complete -c bootslot -n "__fish_bootslot_using_subcommand convert" -l script -d 'The version of the boot script in U-Boot [default: the settings\', else as /proc/cmdline and the stored environment say]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand convert" -l boot-id -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand convert" -l os-release -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand convert" -l sysfs -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand convert" -l keep -d 'Keep the old dialect\'s variables, so that the old boot code boots the same slot'
complete -c bootslot -n "__fish_bootslot_using_subcommand convert" -l dry-run -d 'Print what would change, and change nothing'
complete -c bootslot -n "__fish_bootslot_using_subcommand convert" -l json -d 'Print the result as JSON'
complete -c bootslot -n "__fish_bootslot_using_subcommand convert" -s h -l help -d 'Print help'
complete -c bootslot -n "__fish_bootslot_using_subcommand set-active" -l settings -d 'Settings of the board [default: /etc/bootslot/bootslot.toml]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand set-active" -s c -l config -d 'Configuration of the environment [default: the settings\', else /etc/fw_env.config]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand set-active" -s m -l namespace -d 'Which environment of a YAML configuration [default: the settings\', else as for `bootslot env`]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand set-active" -s l -l lock -d 'Directory of the lock file [default: /run and /var/lock, both]' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand set-active" -l state -d 'Folder of the journal and what else is kept beside the environment [default: the settings\']' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand set-active" -l slot -d 'The slot that runs [default: bootslot.slot= in /proc/cmdline, and the device of /]' -r -f -a "(_bootslot_fish_slots)\t''"
complete -c bootslot -n "__fish_bootslot_using_subcommand set-active" -l script -d 'The version of the boot script in U-Boot [default: the settings\', else as /proc/cmdline and the stored environment say]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand set-active" -l boot-id -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand set-active" -l os-release -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand set-active" -l sysfs -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand set-active" -l json -d 'Print the result as JSON'
complete -c bootslot -n "__fish_bootslot_using_subcommand set-active" -s h -l help -d 'Print help'
complete -c bootslot -n "__fish_bootslot_using_subcommand install" -l header -d 'Send a header, or those in a file; can be given several times' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand install" -l ca -d 'Trust servers that this CA vouches for, and no other (PEM) [default: the system\'s]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand install" -l client-cert -d 'The certificate of this device (PEM)' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand install" -l client-key -d 'Its key (PEM)' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand install" -l retry-for -d 'Give up after so long without a new byte' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand install" -l target -d 'The slot to install to [default: one that does not run]' -r -f -a "(_bootslot_fish_slots)\t''"
complete -c bootslot -n "__fish_bootslot_using_subcommand install" -l tries -d 'How often it may boot without being confirmed, 1 to 9 [default: the settings\', else 3]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand install" -l keys -d 'The folder of the keys that are trusted [default: of `install` the settings\', else /etc/bootslot/keys]' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand install" -l certificate-purpose -d 'What the signer\'s certificate was issued for [default: of `install` the settings\', else code-signing]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand install" -l certificate-time -d 'When certificates have to be valid, in seconds since 1970 or `ignored` [default: of `install` the settings\', else now]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand install" -l settings -d 'Settings of the board [default: /etc/bootslot/bootslot.toml]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand install" -s c -l config -d 'Configuration of the environment [default: the settings\', else /etc/fw_env.config]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand install" -s m -l namespace -d 'Which environment of a YAML configuration [default: the settings\', else as for `bootslot env`]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand install" -s l -l lock -d 'Directory of the lock file [default: /run and /var/lock, both]' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand install" -l state -d 'Folder of the journal and what else is kept beside the environment [default: the settings\']' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand install" -l slot -d 'The slot that runs [default: bootslot.slot= in /proc/cmdline, and the device of /]' -r -f -a "(_bootslot_fish_slots)\t''"
complete -c bootslot -n "__fish_bootslot_using_subcommand install" -l script -d 'The version of the boot script in U-Boot [default: the settings\', else as /proc/cmdline and the stored environment say]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand install" -l boot-id -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand install" -l os-release -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand install" -l sysfs -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand install" -l again -d 'Install it although it has failed here before'
complete -c bootslot -n "__fish_bootslot_using_subcommand install" -l dry-run -d 'Look at everything, change nothing'
complete -c bootslot -n "__fish_bootslot_using_subcommand install" -l json -d 'Print the result as JSON'
complete -c bootslot -n "__fish_bootslot_using_subcommand install" -s h -l help -d 'Print help'
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and not __fish_seen_subcommand_from install status confirm rollback remove boot decide check help" -s h -l help -d 'Print help'
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and not __fish_seen_subcommand_from install status confirm rollback remove boot decide check help" -f -a "install" -d 'Install the application of a bundle, restart its service, and keep it or take it back'
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and not __fish_seen_subcommand_from install status confirm rollback remove boot decide check help" -f -a "status" -d 'Show which versions there are, and what is under way'
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and not __fish_seen_subcommand_from install status confirm rollback remove boot decide check help" -f -a "confirm" -d 'Keep the version that is on trial'
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and not __fish_seen_subcommand_from install status confirm rollback remove boot decide check help" -f -a "rollback" -d 'Give up the version that is on trial; where none is, go back to the one before'
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and not __fish_seen_subcommand_from install status confirm rollback remove boot decide check help" -f -a "remove" -d 'Stop the service, and remove all versions of an application'
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and not __fish_seen_subcommand_from install status confirm rollback remove boot decide check help" -f -a "boot" -d 'Put the right version of each application in place; call this at boot, before the services start'
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and not __fish_seen_subcommand_from install status confirm rollback remove boot decide check help" -f -a "decide" -d 'Judge each application that is on trial; call this at boot, when the services start'
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and not __fish_seen_subcommand_from install status confirm rollback remove boot decide check help" -f -a "check" -d 'Make this check of an application here and now'
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and not __fish_seen_subcommand_from install status confirm rollback remove boot decide check help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from install" -l header -d 'Send a header, or those in a file; can be given several times' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from install" -l ca -d 'Trust servers that this CA vouches for, and no other (PEM) [default: the system\'s]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from install" -l client-cert -d 'The certificate of this device (PEM)' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from install" -l client-key -d 'Its key (PEM)' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from install" -l retry-for -d 'Give up after so long without a new byte' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from install" -l keys -d 'The folder of the keys that are trusted [default: of `install` the settings\', else /etc/bootslot/keys]' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from install" -l certificate-purpose -d 'What the signer\'s certificate was issued for [default: of `install` the settings\', else code-signing]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from install" -l certificate-time -d 'When certificates have to be valid, in seconds since 1970 or `ignored` [default: of `install` the settings\', else now]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from install" -l settings -d 'Settings of the board [default: /etc/bootslot/bootslot.toml]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from install" -s c -l config -d 'Configuration of the environment [default: the settings\', else /etc/fw_env.config]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from install" -s m -l namespace -d 'Which environment of a YAML configuration [default: the settings\', else as for `bootslot env`]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from install" -s l -l lock -d 'Directory of the lock file [default: /run and /var/lock, both]' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from install" -l state -d 'Folder of the journal and what else is kept beside the environment [default: the settings\']' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from install" -l slot -d 'The slot that runs [default: bootslot.slot= in /proc/cmdline, and the device of /]' -r -f -a "(_bootslot_fish_slots)\t''"
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from install" -l script -d 'The version of the boot script in U-Boot [default: the settings\', else as /proc/cmdline and the stored environment say]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from install" -l boot-id -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from install" -l os-release -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from install" -l sysfs -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from install" -l again -d 'Install it although it has failed here before'
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from install" -l dry-run -d 'Look at everything, change nothing'
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from install" -l no-wait -d 'Leave it on trial: `bootslot app decide`, `confirm` or `rollback` decides'
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from install" -l json -d 'Print the result as JSON'
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from install" -s h -l help -d 'Print help'
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from status" -l settings -d 'Settings of the board [default: /etc/bootslot/bootslot.toml]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from status" -s c -l config -d 'Configuration of the environment [default: the settings\', else /etc/fw_env.config]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from status" -s m -l namespace -d 'Which environment of a YAML configuration [default: the settings\', else as for `bootslot env`]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from status" -s l -l lock -d 'Directory of the lock file [default: /run and /var/lock, both]' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from status" -l state -d 'Folder of the journal and what else is kept beside the environment [default: the settings\']' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from status" -l slot -d 'The slot that runs [default: bootslot.slot= in /proc/cmdline, and the device of /]' -r -f -a "(_bootslot_fish_slots)\t''"
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from status" -l script -d 'The version of the boot script in U-Boot [default: the settings\', else as /proc/cmdline and the stored environment say]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from status" -l boot-id -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from status" -l os-release -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from status" -l sysfs -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from status" -l json -d 'Print the result as JSON'
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help'
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from confirm" -l settings -d 'Settings of the board [default: /etc/bootslot/bootslot.toml]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from confirm" -s c -l config -d 'Configuration of the environment [default: the settings\', else /etc/fw_env.config]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from confirm" -s m -l namespace -d 'Which environment of a YAML configuration [default: the settings\', else as for `bootslot env`]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from confirm" -s l -l lock -d 'Directory of the lock file [default: /run and /var/lock, both]' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from confirm" -l state -d 'Folder of the journal and what else is kept beside the environment [default: the settings\']' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from confirm" -l slot -d 'The slot that runs [default: bootslot.slot= in /proc/cmdline, and the device of /]' -r -f -a "(_bootslot_fish_slots)\t''"
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from confirm" -l script -d 'The version of the boot script in U-Boot [default: the settings\', else as /proc/cmdline and the stored environment say]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from confirm" -l boot-id -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from confirm" -l os-release -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from confirm" -l sysfs -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from confirm" -l json -d 'Print the result as JSON'
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from confirm" -s h -l help -d 'Print help'
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from rollback" -l settings -d 'Settings of the board [default: /etc/bootslot/bootslot.toml]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from rollback" -s c -l config -d 'Configuration of the environment [default: the settings\', else /etc/fw_env.config]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from rollback" -s m -l namespace -d 'Which environment of a YAML configuration [default: the settings\', else as for `bootslot env`]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from rollback" -s l -l lock -d 'Directory of the lock file [default: /run and /var/lock, both]' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from rollback" -l state -d 'Folder of the journal and what else is kept beside the environment [default: the settings\']' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from rollback" -l slot -d 'The slot that runs [default: bootslot.slot= in /proc/cmdline, and the device of /]' -r -f -a "(_bootslot_fish_slots)\t''"
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from rollback" -l script -d 'The version of the boot script in U-Boot [default: the settings\', else as /proc/cmdline and the stored environment say]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from rollback" -l boot-id -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from rollback" -l os-release -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from rollback" -l sysfs -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from rollback" -l json -d 'Print the result as JSON'
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from rollback" -s h -l help -d 'Print help'
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from remove" -l settings -d 'Settings of the board [default: /etc/bootslot/bootslot.toml]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from remove" -s c -l config -d 'Configuration of the environment [default: the settings\', else /etc/fw_env.config]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from remove" -s m -l namespace -d 'Which environment of a YAML configuration [default: the settings\', else as for `bootslot env`]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from remove" -s l -l lock -d 'Directory of the lock file [default: /run and /var/lock, both]' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from remove" -l state -d 'Folder of the journal and what else is kept beside the environment [default: the settings\']' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from remove" -l slot -d 'The slot that runs [default: bootslot.slot= in /proc/cmdline, and the device of /]' -r -f -a "(_bootslot_fish_slots)\t''"
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from remove" -l script -d 'The version of the boot script in U-Boot [default: the settings\', else as /proc/cmdline and the stored environment say]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from remove" -l boot-id -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from remove" -l os-release -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from remove" -l sysfs -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from remove" -l json -d 'Print the result as JSON'
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print help'
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from boot" -l settings -d 'Settings of the board [default: /etc/bootslot/bootslot.toml]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from boot" -s c -l config -d 'Configuration of the environment [default: the settings\', else /etc/fw_env.config]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from boot" -s m -l namespace -d 'Which environment of a YAML configuration [default: the settings\', else as for `bootslot env`]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from boot" -s l -l lock -d 'Directory of the lock file [default: /run and /var/lock, both]' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from boot" -l state -d 'Folder of the journal and what else is kept beside the environment [default: the settings\']' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from boot" -l slot -d 'The slot that runs [default: bootslot.slot= in /proc/cmdline, and the device of /]' -r -f -a "(_bootslot_fish_slots)\t''"
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from boot" -l script -d 'The version of the boot script in U-Boot [default: the settings\', else as /proc/cmdline and the stored environment say]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from boot" -l boot-id -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from boot" -l os-release -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from boot" -l sysfs -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from boot" -l json -d 'Print the result as JSON'
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from boot" -s h -l help -d 'Print help'
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from decide" -l settings -d 'Settings of the board [default: /etc/bootslot/bootslot.toml]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from decide" -s c -l config -d 'Configuration of the environment [default: the settings\', else /etc/fw_env.config]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from decide" -s m -l namespace -d 'Which environment of a YAML configuration [default: the settings\', else as for `bootslot env`]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from decide" -s l -l lock -d 'Directory of the lock file [default: /run and /var/lock, both]' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from decide" -l state -d 'Folder of the journal and what else is kept beside the environment [default: the settings\']' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from decide" -l slot -d 'The slot that runs [default: bootslot.slot= in /proc/cmdline, and the device of /]' -r -f -a "(_bootslot_fish_slots)\t''"
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from decide" -l script -d 'The version of the boot script in U-Boot [default: the settings\', else as /proc/cmdline and the stored environment say]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from decide" -l boot-id -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from decide" -l os-release -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from decide" -l sysfs -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from decide" -l json -d 'Print the result as JSON'
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from decide" -s h -l help -d 'Print help'
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from check" -l settings -d 'Settings of the board [default: /etc/bootslot/bootslot.toml]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from check" -s c -l config -d 'Configuration of the environment [default: the settings\', else /etc/fw_env.config]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from check" -s m -l namespace -d 'Which environment of a YAML configuration [default: the settings\', else as for `bootslot env`]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from check" -s l -l lock -d 'Directory of the lock file [default: /run and /var/lock, both]' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from check" -l state -d 'Folder of the journal and what else is kept beside the environment [default: the settings\']' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from check" -l slot -d 'The slot that runs [default: bootslot.slot= in /proc/cmdline, and the device of /]' -r -f -a "(_bootslot_fish_slots)\t''"
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from check" -l script -d 'The version of the boot script in U-Boot [default: the settings\', else as /proc/cmdline and the stored environment say]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from check" -l boot-id -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from check" -l os-release -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from check" -l sysfs -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from check" -l json -d 'Print the result as JSON'
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help'
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from help" -f -a "install" -d 'Install the application of a bundle, restart its service, and keep it or take it back'
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from help" -f -a "status" -d 'Show which versions there are, and what is under way'
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from help" -f -a "confirm" -d 'Keep the version that is on trial'
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from help" -f -a "rollback" -d 'Give up the version that is on trial; where none is, go back to the one before'
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from help" -f -a "remove" -d 'Stop the service, and remove all versions of an application'
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from help" -f -a "boot" -d 'Put the right version of each application in place; call this at boot, before the services start'
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from help" -f -a "decide" -d 'Judge each application that is on trial; call this at boot, when the services start'
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from help" -f -a "check" -d 'Make this check of an application here and now'
complete -c bootslot -n "__fish_bootslot_using_subcommand app; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c bootslot -n "__fish_bootslot_using_subcommand bootloader; and not __fish_seen_subcommand_from status confirm cancel help" -s h -l help -d 'Print help'
complete -c bootslot -n "__fish_bootslot_using_subcommand bootloader; and not __fish_seen_subcommand_from status confirm cancel help" -f -a "status" -d 'Show which copy booted, and how a new boot loader stands'
complete -c bootslot -n "__fish_bootslot_using_subcommand bootloader; and not __fish_seen_subcommand_from status confirm cancel help" -f -a "confirm" -d 'Keep the new boot loader, which has booted; call this when the system is known to be healthy'
complete -c bootslot -n "__fish_bootslot_using_subcommand bootloader; and not __fish_seen_subcommand_from status confirm cancel help" -f -a "cancel" -d 'Take back a new boot loader that has not booted yet'
complete -c bootslot -n "__fish_bootslot_using_subcommand bootloader; and not __fish_seen_subcommand_from status confirm cancel help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c bootslot -n "__fish_bootslot_using_subcommand bootloader; and __fish_seen_subcommand_from status" -l settings -d 'Settings of the board [default: /etc/bootslot/bootslot.toml]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand bootloader; and __fish_seen_subcommand_from status" -s c -l config -d 'Configuration of the environment [default: the settings\', else /etc/fw_env.config]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand bootloader; and __fish_seen_subcommand_from status" -s m -l namespace -d 'Which environment of a YAML configuration [default: the settings\', else as for `bootslot env`]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand bootloader; and __fish_seen_subcommand_from status" -s l -l lock -d 'Directory of the lock file [default: /run and /var/lock, both]' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand bootloader; and __fish_seen_subcommand_from status" -l state -d 'Folder of the journal and what else is kept beside the environment [default: the settings\']' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand bootloader; and __fish_seen_subcommand_from status" -l slot -d 'The slot that runs [default: bootslot.slot= in /proc/cmdline, and the device of /]' -r -f -a "(_bootslot_fish_slots)\t''"
complete -c bootslot -n "__fish_bootslot_using_subcommand bootloader; and __fish_seen_subcommand_from status" -l script -d 'The version of the boot script in U-Boot [default: the settings\', else as /proc/cmdline and the stored environment say]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand bootloader; and __fish_seen_subcommand_from status" -l boot-id -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand bootloader; and __fish_seen_subcommand_from status" -l os-release -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand bootloader; and __fish_seen_subcommand_from status" -l sysfs -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand bootloader; and __fish_seen_subcommand_from status" -l json -d 'Print the result as JSON'
complete -c bootslot -n "__fish_bootslot_using_subcommand bootloader; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help'
complete -c bootslot -n "__fish_bootslot_using_subcommand bootloader; and __fish_seen_subcommand_from confirm" -l settings -d 'Settings of the board [default: /etc/bootslot/bootslot.toml]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand bootloader; and __fish_seen_subcommand_from confirm" -s c -l config -d 'Configuration of the environment [default: the settings\', else /etc/fw_env.config]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand bootloader; and __fish_seen_subcommand_from confirm" -s m -l namespace -d 'Which environment of a YAML configuration [default: the settings\', else as for `bootslot env`]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand bootloader; and __fish_seen_subcommand_from confirm" -s l -l lock -d 'Directory of the lock file [default: /run and /var/lock, both]' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand bootloader; and __fish_seen_subcommand_from confirm" -l state -d 'Folder of the journal and what else is kept beside the environment [default: the settings\']' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand bootloader; and __fish_seen_subcommand_from confirm" -l slot -d 'The slot that runs [default: bootslot.slot= in /proc/cmdline, and the device of /]' -r -f -a "(_bootslot_fish_slots)\t''"
complete -c bootslot -n "__fish_bootslot_using_subcommand bootloader; and __fish_seen_subcommand_from confirm" -l script -d 'The version of the boot script in U-Boot [default: the settings\', else as /proc/cmdline and the stored environment say]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand bootloader; and __fish_seen_subcommand_from confirm" -l boot-id -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand bootloader; and __fish_seen_subcommand_from confirm" -l os-release -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand bootloader; and __fish_seen_subcommand_from confirm" -l sysfs -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand bootloader; and __fish_seen_subcommand_from confirm" -l json -d 'Print the result as JSON'
complete -c bootslot -n "__fish_bootslot_using_subcommand bootloader; and __fish_seen_subcommand_from confirm" -s h -l help -d 'Print help'
complete -c bootslot -n "__fish_bootslot_using_subcommand bootloader; and __fish_seen_subcommand_from cancel" -l settings -d 'Settings of the board [default: /etc/bootslot/bootslot.toml]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand bootloader; and __fish_seen_subcommand_from cancel" -s c -l config -d 'Configuration of the environment [default: the settings\', else /etc/fw_env.config]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand bootloader; and __fish_seen_subcommand_from cancel" -s m -l namespace -d 'Which environment of a YAML configuration [default: the settings\', else as for `bootslot env`]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand bootloader; and __fish_seen_subcommand_from cancel" -s l -l lock -d 'Directory of the lock file [default: /run and /var/lock, both]' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand bootloader; and __fish_seen_subcommand_from cancel" -l state -d 'Folder of the journal and what else is kept beside the environment [default: the settings\']' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand bootloader; and __fish_seen_subcommand_from cancel" -l slot -d 'The slot that runs [default: bootslot.slot= in /proc/cmdline, and the device of /]' -r -f -a "(_bootslot_fish_slots)\t''"
complete -c bootslot -n "__fish_bootslot_using_subcommand bootloader; and __fish_seen_subcommand_from cancel" -l script -d 'The version of the boot script in U-Boot [default: the settings\', else as /proc/cmdline and the stored environment say]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand bootloader; and __fish_seen_subcommand_from cancel" -l boot-id -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand bootloader; and __fish_seen_subcommand_from cancel" -l os-release -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand bootloader; and __fish_seen_subcommand_from cancel" -l sysfs -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand bootloader; and __fish_seen_subcommand_from cancel" -l json -d 'Print the result as JSON'
complete -c bootslot -n "__fish_bootslot_using_subcommand bootloader; and __fish_seen_subcommand_from cancel" -s h -l help -d 'Print help'
complete -c bootslot -n "__fish_bootslot_using_subcommand bootloader; and __fish_seen_subcommand_from help" -f -a "status" -d 'Show which copy booted, and how a new boot loader stands'
complete -c bootslot -n "__fish_bootslot_using_subcommand bootloader; and __fish_seen_subcommand_from help" -f -a "confirm" -d 'Keep the new boot loader, which has booted; call this when the system is known to be healthy'
complete -c bootslot -n "__fish_bootslot_using_subcommand bootloader; and __fish_seen_subcommand_from help" -f -a "cancel" -d 'Take back a new boot loader that has not booted yet'
complete -c bootslot -n "__fish_bootslot_using_subcommand bootloader; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and not __fish_seen_subcommand_from create sign generate-key inspect diff verify help" -s h -l help -d 'Print help'
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and not __fish_seen_subcommand_from create sign generate-key inspect diff verify help" -f -a "create" -d 'Make a bundle of images'
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and not __fish_seen_subcommand_from create sign generate-key inspect diff verify help" -f -a "sign" -d 'Sign a bundle, or add a signature that was made elsewhere'
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and not __fish_seen_subcommand_from create sign generate-key inspect diff verify help" -f -a "generate-key" -d 'Make a pair of keys, of which no password protects the secret one'
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and not __fish_seen_subcommand_from create sign generate-key inspect diff verify help" -f -a "inspect" -d 'Show what a bundle says of itself; nothing of it is proven'
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and not __fish_seen_subcommand_from create sign generate-key inspect diff verify help" -f -a "diff" -d 'Show what differs between two bundles, and what a device fetches that runs the old one; nothing is proven'
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and not __fish_seen_subcommand_from create sign generate-key inspect diff verify help" -f -a "verify" -d 'Verify a signature, and that every image is the one that was signed'
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and not __fish_seen_subcommand_from create sign generate-key inspect diff verify help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and __fish_seen_subcommand_from create" -s o -l output -d 'The bundle to make' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and __fish_seen_subcommand_from create" -l compatible -d 'The devices that it is for: as in their settings' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and __fish_seen_subcommand_from create" -l revision -d 'The hardware revisions that it is for [default: any]; can be given several times' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and __fish_seen_subcommand_from create" -l version -d 'Its version' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and __fish_seen_subcommand_from create" -l floor -d 'Once it is confirmed, the device installs nothing below this version' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and __fish_seen_subcommand_from create" -l build -d 'What built it, when, from what: for people' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and __fish_seen_subcommand_from create" -l free -d 'Room that has to be free elsewhere, in bytes on the file system of a path; can be given several times' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and __fish_seen_subcommand_from create" -l against -d 'Make a patch against the image that the devices run now, given as itself or as the full bundle that it is in; can be given once for each image' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and __fish_seen_subcommand_from create" -l app -d 'An application and its archive (tar); several only together with a system' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and __fish_seen_subcommand_from create" -l app-version -d 'The version of an application [default: that of the bundle]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and __fish_seen_subcommand_from create" -l app-system -d 'The lowest version of the system that an application runs on [default: any]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and __fish_seen_subcommand_from create" -l app-floor -d 'Once an application is confirmed, nothing below this version of it is installed' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and __fish_seen_subcommand_from create" -l needs -d 'An application that the system needs, and its lowest version' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and __fish_seen_subcommand_from create" -l bootloader -d 'A boot loader and nothing else; sign the bundle also with a key that is trusted with it' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and __fish_seen_subcommand_from create" -l script -d 'The version of bootslot\'s boot script that the boot loader brings' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and __fish_seen_subcommand_from create" -l level -d 'How hard to compress, 1 to 19 [default: 19]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and __fish_seen_subcommand_from create" -l chunk-size -d 'The average size of chunks in bytes [default: by the size of the image, 8192 at least]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and __fish_seen_subcommand_from create" -l recovery -d 'Install it even below the floor of a device; once it is confirmed, --floor is the device\'s floor, or there is none'
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and __fish_seen_subcommand_from create" -s h -l help -d 'Print help'
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and __fish_seen_subcommand_from sign" -l key -d 'Sign with this secret key of minisign; its password is asked for where it has one' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and __fish_seen_subcommand_from sign" -l cms-key -d 'Sign with this private key of a certificate (CMS), in PEM' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and __fish_seen_subcommand_from sign" -l signature -d 'Add this signature of what `bootslot bundle inspect --manifest` prints: of minisign, or CMS in DER' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and __fish_seen_subcommand_from sign" -l password-file -d 'The file with the password of the key in its first line, or - for standard input' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and __fish_seen_subcommand_from sign" -l comment -d 'What the signature says of itself' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and __fish_seen_subcommand_from sign" -l cms-cert -d 'The certificate of the key, in PEM, with or without intermediates' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and __fish_seen_subcommand_from sign" -l intermediate -d 'Certificates between this one and the CA\'s, in PEM; can be given several times' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and __fish_seen_subcommand_from sign" -l replace -d 'Remove the signatures that it has'
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and __fish_seen_subcommand_from sign" -s h -l help -d 'Print help'
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and __fish_seen_subcommand_from generate-key" -l public -d 'The public key to make, for the devices\' folder of keys' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and __fish_seen_subcommand_from generate-key" -l secret -d 'The secret key to make; it does not leave the workshop' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and __fish_seen_subcommand_from generate-key" -s h -l help -d 'Print help'
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and __fish_seen_subcommand_from inspect" -l header -d 'Send a header, or those in a file; can be given several times' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and __fish_seen_subcommand_from inspect" -l ca -d 'Trust servers that this CA vouches for, and no other (PEM) [default: the system\'s]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and __fish_seen_subcommand_from inspect" -l client-cert -d 'The certificate of this device (PEM)' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and __fish_seen_subcommand_from inspect" -l client-key -d 'Its key (PEM)' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and __fish_seen_subcommand_from inspect" -l retry-for -d 'Give up after so long without a new byte' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and __fish_seen_subcommand_from inspect" -l json -d 'Print it as JSON'
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and __fish_seen_subcommand_from inspect" -l manifest -d 'Print the manifest as it is: what is signed'
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and __fish_seen_subcommand_from inspect" -s h -l help -d 'Print help'
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and __fish_seen_subcommand_from diff" -l json -d 'Print it as JSON'
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and __fish_seen_subcommand_from diff" -s h -l help -d 'Print help'
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and __fish_seen_subcommand_from verify" -l header -d 'Send a header, or those in a file; can be given several times' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and __fish_seen_subcommand_from verify" -l ca -d 'Trust servers that this CA vouches for, and no other (PEM) [default: the system\'s]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and __fish_seen_subcommand_from verify" -l client-cert -d 'The certificate of this device (PEM)' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and __fish_seen_subcommand_from verify" -l client-key -d 'Its key (PEM)' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and __fish_seen_subcommand_from verify" -l retry-for -d 'Give up after so long without a new byte' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and __fish_seen_subcommand_from verify" -l keys -d 'The folder of the keys that are trusted [default: of `install` the settings\', else /etc/bootslot/keys]' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and __fish_seen_subcommand_from verify" -l certificate-purpose -d 'What the signer\'s certificate was issued for [default: of `install` the settings\', else code-signing]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and __fish_seen_subcommand_from verify" -l certificate-time -d 'When certificates have to be valid, in seconds since 1970 or `ignored` [default: of `install` the settings\', else now]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and __fish_seen_subcommand_from verify" -l key -d 'Trust this key or CA certificate (*.pem) only; can be given several times' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and __fish_seen_subcommand_from verify" -l against -d 'The image that a patch was made against, without which its own can\'t be verified; can be given once for each image' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and __fish_seen_subcommand_from verify" -l json -d 'Print progress and result as JSON'
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and __fish_seen_subcommand_from verify" -s h -l help -d 'Print help'
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and __fish_seen_subcommand_from help" -f -a "create" -d 'Make a bundle of images'
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and __fish_seen_subcommand_from help" -f -a "sign" -d 'Sign a bundle, or add a signature that was made elsewhere'
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and __fish_seen_subcommand_from help" -f -a "generate-key" -d 'Make a pair of keys, of which no password protects the secret one'
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and __fish_seen_subcommand_from help" -f -a "inspect" -d 'Show what a bundle says of itself; nothing of it is proven'
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and __fish_seen_subcommand_from help" -f -a "diff" -d 'Show what differs between two bundles, and what a device fetches that runs the old one; nothing is proven'
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and __fish_seen_subcommand_from help" -f -a "verify" -d 'Verify a signature, and that every image is the one that was signed'
complete -c bootslot -n "__fish_bootslot_using_subcommand bundle; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c bootslot -n "__fish_bootslot_using_subcommand migrate" -l assume -d 'Say that the data have this version, because you have looked at them; snapshots are removed after that' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand migrate" -l settings -d 'Settings of the board [default: /etc/bootslot/bootslot.toml]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand migrate" -s c -l config -d 'Configuration of the environment [default: the settings\', else /etc/fw_env.config]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand migrate" -s m -l namespace -d 'Which environment of a YAML configuration [default: the settings\', else as for `bootslot env`]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand migrate" -s l -l lock -d 'Directory of the lock file [default: /run and /var/lock, both]' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand migrate" -l state -d 'Folder of the journal and what else is kept beside the environment [default: the settings\']' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand migrate" -l slot -d 'The slot that runs [default: bootslot.slot= in /proc/cmdline, and the device of /]' -r -f -a "(_bootslot_fish_slots)\t''"
complete -c bootslot -n "__fish_bootslot_using_subcommand migrate" -l script -d 'The version of the boot script in U-Boot [default: the settings\', else as /proc/cmdline and the stored environment say]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand migrate" -l boot-id -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand migrate" -l os-release -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand migrate" -l sysfs -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand migrate" -l status -d 'Show where the data stand; exit code 1: not as this system wants them'
complete -c bootslot -n "__fish_bootslot_using_subcommand migrate" -l dry-run -d 'Show what would be done, and change nothing'
complete -c bootslot -n "__fish_bootslot_using_subcommand migrate" -l json -d 'Print the result as JSON'
complete -c bootslot -n "__fish_bootslot_using_subcommand migrate" -s h -l help -d 'Print help'
complete -c bootslot -n "__fish_bootslot_using_subcommand health" -l baseline -d 'The file of --record [default: the settings\', else /var/lib/bootslot/baseline]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand health" -l run-check -d 'Make this check here and now' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand health" -l since -d 'For --run-check: when the trial began, in seconds since 1970' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand health" -l update-version -d 'The version of the update that is on trial, for checks that compare it' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand health" -l settings -d 'Settings of the board [default: /etc/bootslot/bootslot.toml]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand health" -s c -l config -d 'Configuration of the environment [default: the settings\', else /etc/fw_env.config]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand health" -s m -l namespace -d 'Which environment of a YAML configuration [default: the settings\', else as for `bootslot env`]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand health" -s l -l lock -d 'Directory of the lock file [default: /run and /var/lock, both]' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand health" -l state -d 'Folder of the journal and what else is kept beside the environment [default: the settings\']' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand health" -l slot -d 'The slot that runs [default: bootslot.slot= in /proc/cmdline, and the device of /]' -r -f -a "(_bootslot_fish_slots)\t''"
complete -c bootslot -n "__fish_bootslot_using_subcommand health" -l script -d 'The version of the boot script in U-Boot [default: the settings\', else as /proc/cmdline and the stored environment say]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand health" -l boot-id -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand health" -l os-release -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand health" -l sysfs -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand health" -l check -d 'Run each check once and show what it says; decide nothing, store nothing'
complete -c bootslot -n "__fish_bootslot_using_subcommand health" -l record -d 'Run each check once and record what the system that runs now passes; call this before the reboot into an update'
complete -c bootslot -n "__fish_bootslot_using_subcommand health" -l pending -d 'With --record: only if the next boot tries another slot'
complete -c bootslot -n "__fish_bootslot_using_subcommand health" -l on-trial -d 'Say by the exit code whether the slot that runs is on trial; nothing else is done'
complete -c bootslot -n "__fish_bootslot_using_subcommand health" -l confirm -d 'Confirm the slot if it is healthy'
complete -c bootslot -n "__fish_bootslot_using_subcommand health" -l reboot -d 'Reboot if the decision asks for it'
complete -c bootslot -n "__fish_bootslot_using_subcommand health" -l force -d 'Restart the machine without an orderly shutdown if that takes longer than reboot-limit of the settings'
complete -c bootslot -n "__fish_bootslot_using_subcommand health" -l json -d 'Print the result as JSON'
complete -c bootslot -n "__fish_bootslot_using_subcommand health" -s h -l help -d 'Print help'
complete -c bootslot -n "__fish_bootslot_using_subcommand journal; and not __fish_seen_subcommand_from show boot shutdown help" -s h -l help -d 'Print help'
complete -c bootslot -n "__fish_bootslot_using_subcommand journal; and not __fish_seen_subcommand_from show boot shutdown help" -f -a "show" -d 'Show the records, oldest first'
complete -c bootslot -n "__fish_bootslot_using_subcommand journal; and not __fish_seen_subcommand_from show boot shutdown help" -f -a "boot" -d 'Look at this boot, and record what the journal does not know of it; call this at each boot'
complete -c bootslot -n "__fish_bootslot_using_subcommand journal; and not __fish_seen_subcommand_from show boot shutdown help" -f -a "shutdown" -d 'Record that the machine is about to be shut down, while an update is on trial'
complete -c bootslot -n "__fish_bootslot_using_subcommand journal; and not __fish_seen_subcommand_from show boot shutdown help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c bootslot -n "__fish_bootslot_using_subcommand journal; and __fish_seen_subcommand_from show" -s n -l last -d 'Only the last ones' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand journal; and __fish_seen_subcommand_from show" -l settings -d 'Settings of the board [default: /etc/bootslot/bootslot.toml]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand journal; and __fish_seen_subcommand_from show" -s c -l config -d 'Configuration of the environment [default: the settings\', else /etc/fw_env.config]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand journal; and __fish_seen_subcommand_from show" -s m -l namespace -d 'Which environment of a YAML configuration [default: the settings\', else as for `bootslot env`]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand journal; and __fish_seen_subcommand_from show" -s l -l lock -d 'Directory of the lock file [default: /run and /var/lock, both]' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand journal; and __fish_seen_subcommand_from show" -l state -d 'Folder of the journal and what else is kept beside the environment [default: the settings\']' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand journal; and __fish_seen_subcommand_from show" -l slot -d 'The slot that runs [default: bootslot.slot= in /proc/cmdline, and the device of /]' -r -f -a "(_bootslot_fish_slots)\t''"
complete -c bootslot -n "__fish_bootslot_using_subcommand journal; and __fish_seen_subcommand_from show" -l script -d 'The version of the boot script in U-Boot [default: the settings\', else as /proc/cmdline and the stored environment say]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand journal; and __fish_seen_subcommand_from show" -l boot-id -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand journal; and __fish_seen_subcommand_from show" -l os-release -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand journal; and __fish_seen_subcommand_from show" -l sysfs -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand journal; and __fish_seen_subcommand_from show" -l json -d 'Print the result as JSON'
complete -c bootslot -n "__fish_bootslot_using_subcommand journal; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c bootslot -n "__fish_bootslot_using_subcommand journal; and __fish_seen_subcommand_from boot" -l settings -d 'Settings of the board [default: /etc/bootslot/bootslot.toml]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand journal; and __fish_seen_subcommand_from boot" -s c -l config -d 'Configuration of the environment [default: the settings\', else /etc/fw_env.config]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand journal; and __fish_seen_subcommand_from boot" -s m -l namespace -d 'Which environment of a YAML configuration [default: the settings\', else as for `bootslot env`]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand journal; and __fish_seen_subcommand_from boot" -s l -l lock -d 'Directory of the lock file [default: /run and /var/lock, both]' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand journal; and __fish_seen_subcommand_from boot" -l state -d 'Folder of the journal and what else is kept beside the environment [default: the settings\']' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand journal; and __fish_seen_subcommand_from boot" -l slot -d 'The slot that runs [default: bootslot.slot= in /proc/cmdline, and the device of /]' -r -f -a "(_bootslot_fish_slots)\t''"
complete -c bootslot -n "__fish_bootslot_using_subcommand journal; and __fish_seen_subcommand_from boot" -l script -d 'The version of the boot script in U-Boot [default: the settings\', else as /proc/cmdline and the stored environment say]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand journal; and __fish_seen_subcommand_from boot" -l boot-id -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand journal; and __fish_seen_subcommand_from boot" -l os-release -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand journal; and __fish_seen_subcommand_from boot" -l sysfs -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand journal; and __fish_seen_subcommand_from boot" -l json -d 'Print the result as JSON'
complete -c bootslot -n "__fish_bootslot_using_subcommand journal; and __fish_seen_subcommand_from boot" -s h -l help -d 'Print help'
complete -c bootslot -n "__fish_bootslot_using_subcommand journal; and __fish_seen_subcommand_from shutdown" -l reason -d 'Who wants it, and why' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand journal; and __fish_seen_subcommand_from shutdown" -l settings -d 'Settings of the board [default: /etc/bootslot/bootslot.toml]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand journal; and __fish_seen_subcommand_from shutdown" -s c -l config -d 'Configuration of the environment [default: the settings\', else /etc/fw_env.config]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand journal; and __fish_seen_subcommand_from shutdown" -s m -l namespace -d 'Which environment of a YAML configuration [default: the settings\', else as for `bootslot env`]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand journal; and __fish_seen_subcommand_from shutdown" -s l -l lock -d 'Directory of the lock file [default: /run and /var/lock, both]' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand journal; and __fish_seen_subcommand_from shutdown" -l state -d 'Folder of the journal and what else is kept beside the environment [default: the settings\']' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand journal; and __fish_seen_subcommand_from shutdown" -l slot -d 'The slot that runs [default: bootslot.slot= in /proc/cmdline, and the device of /]' -r -f -a "(_bootslot_fish_slots)\t''"
complete -c bootslot -n "__fish_bootslot_using_subcommand journal; and __fish_seen_subcommand_from shutdown" -l script -d 'The version of the boot script in U-Boot [default: the settings\', else as /proc/cmdline and the stored environment say]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand journal; and __fish_seen_subcommand_from shutdown" -l boot-id -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand journal; and __fish_seen_subcommand_from shutdown" -l os-release -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand journal; and __fish_seen_subcommand_from shutdown" -l sysfs -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand journal; and __fish_seen_subcommand_from shutdown" -l json -d 'Print the result as JSON'
complete -c bootslot -n "__fish_bootslot_using_subcommand journal; and __fish_seen_subcommand_from shutdown" -s h -l help -d 'Print help'
complete -c bootslot -n "__fish_bootslot_using_subcommand journal; and __fish_seen_subcommand_from help" -f -a "show" -d 'Show the records, oldest first'
complete -c bootslot -n "__fish_bootslot_using_subcommand journal; and __fish_seen_subcommand_from help" -f -a "boot" -d 'Look at this boot, and record what the journal does not know of it; call this at each boot'
complete -c bootslot -n "__fish_bootslot_using_subcommand journal; and __fish_seen_subcommand_from help" -f -a "shutdown" -d 'Record that the machine is about to be shut down, while an update is on trial'
complete -c bootslot -n "__fish_bootslot_using_subcommand journal; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c bootslot -n "__fish_bootslot_using_subcommand report" -l retry-for -d 'Try a server that does not answer for so long' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand report" -l settings -d 'Settings of the board [default: /etc/bootslot/bootslot.toml]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand report" -s c -l config -d 'Configuration of the environment [default: the settings\', else /etc/fw_env.config]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand report" -s m -l namespace -d 'Which environment of a YAML configuration [default: the settings\', else as for `bootslot env`]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand report" -s l -l lock -d 'Directory of the lock file [default: /run and /var/lock, both]' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand report" -l state -d 'Folder of the journal and what else is kept beside the environment [default: the settings\']' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand report" -l slot -d 'The slot that runs [default: bootslot.slot= in /proc/cmdline, and the device of /]' -r -f -a "(_bootslot_fish_slots)\t''"
complete -c bootslot -n "__fish_bootslot_using_subcommand report" -l script -d 'The version of the boot script in U-Boot [default: the settings\', else as /proc/cmdline and the stored environment say]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand report" -l boot-id -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand report" -l os-release -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand report" -l sysfs -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand report" -l send -d 'Send what was not reported yet, to the address and the programs that the settings name'
complete -c bootslot -n "__fish_bootslot_using_subcommand report" -l json -d 'Print the result as JSON'
complete -c bootslot -n "__fish_bootslot_using_subcommand report" -s h -l help -d 'Print help'
complete -c bootslot -n "__fish_bootslot_using_subcommand diagnose" -l settings -d 'Settings of the board [default: /etc/bootslot/bootslot.toml]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand diagnose" -s c -l config -d 'Configuration of the environment [default: the settings\', else /etc/fw_env.config]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand diagnose" -s m -l namespace -d 'Which environment of a YAML configuration [default: the settings\', else as for `bootslot env`]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand diagnose" -s l -l lock -d 'Directory of the lock file [default: /run and /var/lock, both]' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand diagnose" -l state -d 'Folder of the journal and what else is kept beside the environment [default: the settings\']' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand diagnose" -l slot -d 'The slot that runs [default: bootslot.slot= in /proc/cmdline, and the device of /]' -r -f -a "(_bootslot_fish_slots)\t''"
complete -c bootslot -n "__fish_bootslot_using_subcommand diagnose" -l script -d 'The version of the boot script in U-Boot [default: the settings\', else as /proc/cmdline and the stored environment say]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand diagnose" -l boot-id -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand diagnose" -l os-release -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand diagnose" -l sysfs -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand diagnose" -l json -d 'Print the result as JSON'
complete -c bootslot -n "__fish_bootslot_using_subcommand diagnose" -s h -l help -d 'Print help'
complete -c bootslot -n "__fish_bootslot_using_subcommand rauc; and not __fish_seen_subcommand_from get-primary get-current get-state set-primary set-state help" -l settings -d 'Settings of the board [default: /etc/bootslot/bootslot.toml]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand rauc; and not __fish_seen_subcommand_from get-primary get-current get-state set-primary set-state help" -s c -l config -d 'Configuration of the environment [default: the settings\', else /etc/fw_env.config]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand rauc; and not __fish_seen_subcommand_from get-primary get-current get-state set-primary set-state help" -s m -l namespace -d 'Which environment of a YAML configuration [default: the settings\', else as for `bootslot env`]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand rauc; and not __fish_seen_subcommand_from get-primary get-current get-state set-primary set-state help" -s l -l lock -d 'Directory of the lock file [default: /run and /var/lock, both]' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand rauc; and not __fish_seen_subcommand_from get-primary get-current get-state set-primary set-state help" -l state -d 'Folder of the journal and what else is kept beside the environment [default: the settings\']' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand rauc; and not __fish_seen_subcommand_from get-primary get-current get-state set-primary set-state help" -l slot -d 'The slot that runs [default: bootslot.slot= in /proc/cmdline, and the device of /]' -r -f -a "(_bootslot_fish_slots)\t''"
complete -c bootslot -n "__fish_bootslot_using_subcommand rauc; and not __fish_seen_subcommand_from get-primary get-current get-state set-primary set-state help" -l script -d 'The version of the boot script in U-Boot [default: the settings\', else as /proc/cmdline and the stored environment say]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand rauc; and not __fish_seen_subcommand_from get-primary get-current get-state set-primary set-state help" -l boot-id -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand rauc; and not __fish_seen_subcommand_from get-primary get-current get-state set-primary set-state help" -l os-release -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand rauc; and not __fish_seen_subcommand_from get-primary get-current get-state set-primary set-state help" -l sysfs -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand rauc; and not __fish_seen_subcommand_from get-primary get-current get-state set-primary set-state help" -l json -d 'Print the result as JSON'
complete -c bootslot -n "__fish_bootslot_using_subcommand rauc; and not __fish_seen_subcommand_from get-primary get-current get-state set-primary set-state help" -s h -l help -d 'Print help'
complete -c bootslot -n "__fish_bootslot_using_subcommand rauc; and not __fish_seen_subcommand_from get-primary get-current get-state set-primary set-state help" -f -a "get-primary" -d 'Print the slot that boots next'
complete -c bootslot -n "__fish_bootslot_using_subcommand rauc; and not __fish_seen_subcommand_from get-primary get-current get-state set-primary set-state help" -f -a "get-current" -d 'Print the slot that runs'
complete -c bootslot -n "__fish_bootslot_using_subcommand rauc; and not __fish_seen_subcommand_from get-primary get-current get-state set-primary set-state help" -f -a "get-state" -d 'Print whether a slot is good or bad'
complete -c bootslot -n "__fish_bootslot_using_subcommand rauc; and not __fish_seen_subcommand_from get-primary get-current get-state set-primary set-state help" -f -a "set-primary" -d 'Boot this slot next'
complete -c bootslot -n "__fish_bootslot_using_subcommand rauc; and not __fish_seen_subcommand_from get-primary get-current get-state set-primary set-state help" -f -a "set-state" -d 'Mark a slot'
complete -c bootslot -n "__fish_bootslot_using_subcommand rauc; and not __fish_seen_subcommand_from get-primary get-current get-state set-primary set-state help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c bootslot -n "__fish_bootslot_using_subcommand rauc; and __fish_seen_subcommand_from get-primary" -s h -l help -d 'Print help'
complete -c bootslot -n "__fish_bootslot_using_subcommand rauc; and __fish_seen_subcommand_from get-current" -s h -l help -d 'Print help'
complete -c bootslot -n "__fish_bootslot_using_subcommand rauc; and __fish_seen_subcommand_from get-state" -s h -l help -d 'Print help'
complete -c bootslot -n "__fish_bootslot_using_subcommand rauc; and __fish_seen_subcommand_from set-primary" -s h -l help -d 'Print help'
complete -c bootslot -n "__fish_bootslot_using_subcommand rauc; and __fish_seen_subcommand_from set-state" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c bootslot -n "__fish_bootslot_using_subcommand rauc; and __fish_seen_subcommand_from help" -f -a "get-primary" -d 'Print the slot that boots next'
complete -c bootslot -n "__fish_bootslot_using_subcommand rauc; and __fish_seen_subcommand_from help" -f -a "get-current" -d 'Print the slot that runs'
complete -c bootslot -n "__fish_bootslot_using_subcommand rauc; and __fish_seen_subcommand_from help" -f -a "get-state" -d 'Print whether a slot is good or bad'
complete -c bootslot -n "__fish_bootslot_using_subcommand rauc; and __fish_seen_subcommand_from help" -f -a "set-primary" -d 'Boot this slot next'
complete -c bootslot -n "__fish_bootslot_using_subcommand rauc; and __fish_seen_subcommand_from help" -f -a "set-state" -d 'Mark a slot'
complete -c bootslot -n "__fish_bootslot_using_subcommand rauc; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c bootslot -n "__fish_bootslot_using_subcommand rugix" -l settings -d 'Settings of the board [default: /etc/bootslot/bootslot.toml]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand rugix" -s c -l config -d 'Configuration of the environment [default: the settings\', else /etc/fw_env.config]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand rugix" -s m -l namespace -d 'Which environment of a YAML configuration [default: the settings\', else as for `bootslot env`]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand rugix" -s l -l lock -d 'Directory of the lock file [default: /run and /var/lock, both]' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand rugix" -l state -d 'Folder of the journal and what else is kept beside the environment [default: the settings\']' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand rugix" -l slot -d 'The slot that runs [default: bootslot.slot= in /proc/cmdline, and the device of /]' -r -f -a "(_bootslot_fish_slots)\t''"
complete -c bootslot -n "__fish_bootslot_using_subcommand rugix" -l script -d 'The version of the boot script in U-Boot [default: the settings\', else as /proc/cmdline and the stored environment say]' -r
complete -c bootslot -n "__fish_bootslot_using_subcommand rugix" -l boot-id -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand rugix" -l os-release -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand rugix" -l sysfs -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand rugix" -l json -d 'Print the result as JSON'
complete -c bootslot -n "__fish_bootslot_using_subcommand rugix" -s h -l help -d 'Print help'
complete -c bootslot -n "__fish_bootslot_using_subcommand bootcount; and not __fish_seen_subcommand_from get reset help" -l settings -d 'Settings of the board [default: /etc/bootslot/bootslot.toml]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand bootcount; and not __fish_seen_subcommand_from get reset help" -s c -l config -d 'Configuration of the environment, for a counter in it [default: the settings\', else /etc/fw_env.config]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand bootcount; and not __fish_seen_subcommand_from get reset help" -s l -l lock -d 'Directory of the lock file, for a counter in the environment [default: /run and /var/lock, both]' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand bootcount; and not __fish_seen_subcommand_from get reset help" -l device-tree -d 'The device tree, where the settings name no counter' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand bootcount; and not __fish_seen_subcommand_from get reset help" -l json -d 'Print the result as JSON'
complete -c bootslot -n "__fish_bootslot_using_subcommand bootcount; and not __fish_seen_subcommand_from get reset help" -s h -l help -d 'Print help'
complete -c bootslot -n "__fish_bootslot_using_subcommand bootcount; and not __fish_seen_subcommand_from get reset help" -f -a "get" -d 'Print the boots since the last reset, as U-Boot will read them'
complete -c bootslot -n "__fish_bootslot_using_subcommand bootcount; and not __fish_seen_subcommand_from get reset help" -f -a "reset" -d 'Set the counter back to 0, because the system is healthy'
complete -c bootslot -n "__fish_bootslot_using_subcommand bootcount; and not __fish_seen_subcommand_from get reset help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c bootslot -n "__fish_bootslot_using_subcommand bootcount; and __fish_seen_subcommand_from get" -l settings -d 'Settings of the board [default: /etc/bootslot/bootslot.toml]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand bootcount; and __fish_seen_subcommand_from get" -s c -l config -d 'Configuration of the environment, for a counter in it [default: the settings\', else /etc/fw_env.config]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand bootcount; and __fish_seen_subcommand_from get" -s l -l lock -d 'Directory of the lock file, for a counter in the environment [default: /run and /var/lock, both]' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand bootcount; and __fish_seen_subcommand_from get" -l device-tree -d 'The device tree, where the settings name no counter' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand bootcount; and __fish_seen_subcommand_from get" -l json -d 'Print the result as JSON'
complete -c bootslot -n "__fish_bootslot_using_subcommand bootcount; and __fish_seen_subcommand_from get" -s h -l help -d 'Print help'
complete -c bootslot -n "__fish_bootslot_using_subcommand bootcount; and __fish_seen_subcommand_from reset" -l settings -d 'Settings of the board [default: /etc/bootslot/bootslot.toml]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand bootcount; and __fish_seen_subcommand_from reset" -s c -l config -d 'Configuration of the environment, for a counter in it [default: the settings\', else /etc/fw_env.config]' -r -F
complete -c bootslot -n "__fish_bootslot_using_subcommand bootcount; and __fish_seen_subcommand_from reset" -s l -l lock -d 'Directory of the lock file, for a counter in the environment [default: /run and /var/lock, both]' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand bootcount; and __fish_seen_subcommand_from reset" -l device-tree -d 'The device tree, where the settings name no counter' -r -f -a "(__fish_complete_directories)"
complete -c bootslot -n "__fish_bootslot_using_subcommand bootcount; and __fish_seen_subcommand_from reset" -l json -d 'Print the result as JSON'
complete -c bootslot -n "__fish_bootslot_using_subcommand bootcount; and __fish_seen_subcommand_from reset" -s h -l help -d 'Print help'
complete -c bootslot -n "__fish_bootslot_using_subcommand bootcount; and __fish_seen_subcommand_from help" -f -a "get" -d 'Print the boots since the last reset, as U-Boot will read them'
complete -c bootslot -n "__fish_bootslot_using_subcommand bootcount; and __fish_seen_subcommand_from help" -f -a "reset" -d 'Set the counter back to 0, because the system is healthy'
complete -c bootslot -n "__fish_bootslot_using_subcommand bootcount; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c bootslot -n "__fish_bootslot_using_subcommand help; and not __fish_seen_subcommand_from env status next init begin-install finish-install try confirm rollback acknowledge allow mark convert set-active install app bootloader bundle migrate health journal report diagnose rauc rugix bootcount help" -f -a "env" -d 'The U-Boot environment: read, change, check, repair'
complete -c bootslot -n "__fish_bootslot_using_subcommand help; and not __fish_seen_subcommand_from env status next init begin-install finish-install try confirm rollback acknowledge allow mark convert set-active install app bootloader bundle migrate health journal report diagnose rauc rugix bootcount help" -f -a "status" -d 'Show the slots, the trial, the last failure, the environment and the next boot'
complete -c bootslot -n "__fish_bootslot_using_subcommand help; and not __fish_seen_subcommand_from env status next init begin-install finish-install try confirm rollback acknowledge allow mark convert set-active install app bootloader bundle migrate health journal report diagnose rauc rugix bootcount help" -f -a "next" -d 'Show which slot U-Boot will boot, what it will store, and why'
complete -c bootslot -n "__fish_bootslot_using_subcommand help; and not __fish_seen_subcommand_from env status next init begin-install finish-install try confirm rollback acknowledge allow mark convert set-active install app bootloader bundle migrate health journal report diagnose rauc rugix bootcount help" -f -a "init" -d 'Start with the factory\'s trial, if no boot state is stored yet'
complete -c bootslot -n "__fish_bootslot_using_subcommand help; and not __fish_seen_subcommand_from env status next init begin-install finish-install try confirm rollback acknowledge allow mark convert set-active install app bootloader bundle migrate health journal report diagnose rauc rugix bootcount help" -f -a "begin-install" -d 'Call this before you write a slot: nothing boots it from now on'
complete -c bootslot -n "__fish_bootslot_using_subcommand help; and not __fish_seen_subcommand_from env status next init begin-install finish-install try confirm rollback acknowledge allow mark convert set-active install app bootloader bundle migrate health journal report diagnose rauc rugix bootcount help" -f -a "finish-install" -d 'Call this after you have written and verified a slot: puts it on trial'
complete -c bootslot -n "__fish_bootslot_using_subcommand help; and not __fish_seen_subcommand_from env status next init begin-install finish-install try confirm rollback acknowledge allow mark convert set-active install app bootloader bundle migrate health journal report diagnose rauc rugix bootcount help" -f -a "try" -d 'Put a slot that was written whole on trial'
complete -c bootslot -n "__fish_bootslot_using_subcommand help; and not __fish_seen_subcommand_from env status next init begin-install finish-install try confirm rollback acknowledge allow mark convert set-active install app bootloader bundle migrate health journal report diagnose rauc rugix bootcount help" -f -a "confirm" -d 'Say that the running slot is healthy: its trial ends, and it is good'
complete -c bootslot -n "__fish_bootslot_using_subcommand help; and not __fish_seen_subcommand_from env status next init begin-install finish-install try confirm rollback acknowledge allow mark convert set-active install app bootloader bundle migrate health journal report diagnose rauc rugix bootcount help" -f -a "rollback" -d 'Give up the running slot, or a trial that was not booted yet; it takes a reboot to leave it'
complete -c bootslot -n "__fish_bootslot_using_subcommand help; and not __fish_seen_subcommand_from env status next init begin-install finish-install try confirm rollback acknowledge allow mark convert set-active install app bootloader bundle migrate health journal report diagnose rauc rugix bootcount help" -f -a "acknowledge" -d 'Say that the last failure was heard of: it is forgotten'
complete -c bootslot -n "__fish_bootslot_using_subcommand help; and not __fish_seen_subcommand_from env status next init begin-install finish-install try confirm rollback acknowledge allow mark convert set-active install app bootloader bundle migrate health journal report diagnose rauc rugix bootcount help" -f -a "allow" -d 'Allow an update again that has failed here'
complete -c bootslot -n "__fish_bootslot_using_subcommand help; and not __fish_seen_subcommand_from env status next init begin-install finish-install try confirm rollback acknowledge allow mark convert set-active install app bootloader bundle migrate health journal report diagnose rauc rugix bootcount help" -f -a "mark" -d 'Mark a slot as good, because you know it is, or as bad: it boots when nothing better is left'
complete -c bootslot -n "__fish_bootslot_using_subcommand help; and not __fish_seen_subcommand_from env status next init begin-install finish-install try confirm rollback acknowledge allow mark convert set-active install app bootloader bundle migrate health journal report diagnose rauc rugix bootcount help" -f -a "convert" -d 'Write the boot state in another dialect: native, rauc, mender or bootcount'
complete -c bootslot -n "__fish_bootslot_using_subcommand help; and not __fish_seen_subcommand_from env status next init begin-install finish-install try confirm rollback acknowledge allow mark convert set-active install app bootloader bundle migrate health journal report diagnose rauc rugix bootcount help" -f -a "set-active" -d 'Make a good slot the active one, without a trial'
complete -c bootslot -n "__fish_bootslot_using_subcommand help; and not __fish_seen_subcommand_from env status next init begin-install finish-install try confirm rollback acknowledge allow mark convert set-active install app bootloader bundle migrate health journal report diagnose rauc rugix bootcount help" -f -a "install" -d 'Install a bundle into the slot that does not run, or its boot loader to the copy that did not boot'
complete -c bootslot -n "__fish_bootslot_using_subcommand help; and not __fish_seen_subcommand_from env status next init begin-install finish-install try confirm rollback acknowledge allow mark convert set-active install app bootloader bundle migrate health journal report diagnose rauc rugix bootcount help" -f -a "app" -d 'Applications beside the system: install, status, confirm, rollback, remove'
complete -c bootslot -n "__fish_bootslot_using_subcommand help; and not __fish_seen_subcommand_from env status next init begin-install finish-install try confirm rollback acknowledge allow mark convert set-active install app bootloader bundle migrate health journal report diagnose rauc rugix bootcount help" -f -a "bootloader" -d 'The boot loader: which copy booted, and whether a new one is kept'
complete -c bootslot -n "__fish_bootslot_using_subcommand help; and not __fish_seen_subcommand_from env status next init begin-install finish-install try confirm rollback acknowledge allow mark convert set-active install app bootloader bundle migrate health journal report diagnose rauc rugix bootcount help" -f -a "bundle" -d 'Bundles: create, sign, inspect, verify'
complete -c bootslot -n "__fish_bootslot_using_subcommand help; and not __fish_seen_subcommand_from env status next init begin-install finish-install try confirm rollback acknowledge allow mark convert set-active install app bootloader bundle migrate health journal report diagnose rauc rugix bootcount help" -f -a "migrate" -d 'Bring the data to the version that the running system wants; call this before its services start'
complete -c bootslot -n "__fish_bootslot_using_subcommand help; and not __fish_seen_subcommand_from env status next init begin-install finish-install try confirm rollback acknowledge allow mark convert set-active install app bootloader bundle migrate health journal report diagnose rauc rugix bootcount help" -f -a "health" -d 'Decide whether the system that is on trial is healthy'
complete -c bootslot -n "__fish_bootslot_using_subcommand help; and not __fish_seen_subcommand_from env status next init begin-install finish-install try confirm rollback acknowledge allow mark convert set-active install app bootloader bundle migrate health journal report diagnose rauc rugix bootcount help" -f -a "journal" -d 'The journal: what was recorded of updates and boots'
complete -c bootslot -n "__fish_bootslot_using_subcommand help; and not __fish_seen_subcommand_from env status next init begin-install finish-install try confirm rollback acknowledge allow mark convert set-active install app bootloader bundle migrate health journal report diagnose rauc rugix bootcount help" -f -a "report" -d 'Show what became of the last update, or send it'
complete -c bootslot -n "__fish_bootslot_using_subcommand help; and not __fish_seen_subcommand_from env status next init begin-install finish-install try confirm rollback acknowledge allow mark convert set-active install app bootloader bundle migrate health journal report diagnose rauc rugix bootcount help" -f -a "diagnose" -d 'Answer seven questions about a device that was not updated'
complete -c bootslot -n "__fish_bootslot_using_subcommand help; and not __fish_seen_subcommand_from env status next init begin-install finish-install try confirm rollback acknowledge allow mark convert set-active install app bootloader bundle migrate health journal report diagnose rauc rugix bootcount help" -f -a "rauc" -d 'What RAUC asks of a custom boot loader, as orders to the slots'
complete -c bootslot -n "__fish_bootslot_using_subcommand help; and not __fish_seen_subcommand_from env status next init begin-install finish-install try confirm rollback acknowledge allow mark convert set-active install app bootloader bundle migrate health journal report diagnose rauc rugix bootcount help" -f -a "rugix" -d 'What Rugix Ctrl asks of a custom boot flow, as orders to the slots'
complete -c bootslot -n "__fish_bootslot_using_subcommand help; and not __fish_seen_subcommand_from env status next init begin-install finish-install try confirm rollback acknowledge allow mark convert set-active install app bootloader bundle migrate health journal report diagnose rauc rugix bootcount help" -f -a "bootcount" -d 'U-Boot\'s boot counter: read it, reset it'
complete -c bootslot -n "__fish_bootslot_using_subcommand help; and not __fish_seen_subcommand_from env status next init begin-install finish-install try confirm rollback acknowledge allow mark convert set-active install app bootloader bundle migrate health journal report diagnose rauc rugix bootcount help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c bootslot -n "__fish_bootslot_using_subcommand help; and __fish_seen_subcommand_from env" -f -a "get" -d 'Print the values of variables, one in each line; all of them or nothing'
complete -c bootslot -n "__fish_bootslot_using_subcommand help; and __fish_seen_subcommand_from env" -f -a "set" -d 'Set a variable; several words become one value with blanks between them; an empty value deletes'
complete -c bootslot -n "__fish_bootslot_using_subcommand help; and __fish_seen_subcommand_from env" -f -a "unset" -d 'Delete variables, in one store'
complete -c bootslot -n "__fish_bootslot_using_subcommand help; and __fish_seen_subcommand_from env" -f -a "list" -d 'Print all variables'
complete -c bootslot -n "__fish_bootslot_using_subcommand help; and __fish_seen_subcommand_from env" -f -a "check" -d 'Report the health of every copy: exit code 0 healthy, 1 usable but damaged, 3 no copy valid'
complete -c bootslot -n "__fish_bootslot_using_subcommand help; and __fish_seen_subcommand_from env" -f -a "find" -d 'Look for environments, and print the configuration of what is there: exit code 1 if there is none'
complete -c bootslot -n "__fish_bootslot_using_subcommand help; and __fish_seen_subcommand_from env" -f -a "repair" -d 'Rewrite a damaged copy from the good one'
complete -c bootslot -n "__fish_bootslot_using_subcommand help; and __fish_seen_subcommand_from env" -f -a "convert" -d 'Make two copies of one, or one of two'
complete -c bootslot -n "__fish_bootslot_using_subcommand help; and __fish_seen_subcommand_from env" -f -a "export" -d 'Write all variables as U-Boot\'s `env export -t` does'
complete -c bootslot -n "__fish_bootslot_using_subcommand help; and __fish_seen_subcommand_from env" -f -a "import" -d 'Read variables as U-Boot\'s `env import -t` does, in one store'
complete -c bootslot -n "__fish_bootslot_using_subcommand help; and __fish_seen_subcommand_from app" -f -a "install" -d 'Install the application of a bundle, restart its service, and keep it or take it back'
complete -c bootslot -n "__fish_bootslot_using_subcommand help; and __fish_seen_subcommand_from app" -f -a "status" -d 'Show which versions there are, and what is under way'
complete -c bootslot -n "__fish_bootslot_using_subcommand help; and __fish_seen_subcommand_from app" -f -a "confirm" -d 'Keep the version that is on trial'
complete -c bootslot -n "__fish_bootslot_using_subcommand help; and __fish_seen_subcommand_from app" -f -a "rollback" -d 'Give up the version that is on trial; where none is, go back to the one before'
complete -c bootslot -n "__fish_bootslot_using_subcommand help; and __fish_seen_subcommand_from app" -f -a "remove" -d 'Stop the service, and remove all versions of an application'
complete -c bootslot -n "__fish_bootslot_using_subcommand help; and __fish_seen_subcommand_from app" -f -a "boot" -d 'Put the right version of each application in place; call this at boot, before the services start'
complete -c bootslot -n "__fish_bootslot_using_subcommand help; and __fish_seen_subcommand_from app" -f -a "decide" -d 'Judge each application that is on trial; call this at boot, when the services start'
complete -c bootslot -n "__fish_bootslot_using_subcommand help; and __fish_seen_subcommand_from app" -f -a "check" -d 'Make this check of an application here and now'
complete -c bootslot -n "__fish_bootslot_using_subcommand help; and __fish_seen_subcommand_from bootloader" -f -a "status" -d 'Show which copy booted, and how a new boot loader stands'
complete -c bootslot -n "__fish_bootslot_using_subcommand help; and __fish_seen_subcommand_from bootloader" -f -a "confirm" -d 'Keep the new boot loader, which has booted; call this when the system is known to be healthy'
complete -c bootslot -n "__fish_bootslot_using_subcommand help; and __fish_seen_subcommand_from bootloader" -f -a "cancel" -d 'Take back a new boot loader that has not booted yet'
complete -c bootslot -n "__fish_bootslot_using_subcommand help; and __fish_seen_subcommand_from bundle" -f -a "create" -d 'Make a bundle of images'
complete -c bootslot -n "__fish_bootslot_using_subcommand help; and __fish_seen_subcommand_from bundle" -f -a "sign" -d 'Sign a bundle, or add a signature that was made elsewhere'
complete -c bootslot -n "__fish_bootslot_using_subcommand help; and __fish_seen_subcommand_from bundle" -f -a "generate-key" -d 'Make a pair of keys, of which no password protects the secret one'
complete -c bootslot -n "__fish_bootslot_using_subcommand help; and __fish_seen_subcommand_from bundle" -f -a "inspect" -d 'Show what a bundle says of itself; nothing of it is proven'
complete -c bootslot -n "__fish_bootslot_using_subcommand help; and __fish_seen_subcommand_from bundle" -f -a "diff" -d 'Show what differs between two bundles, and what a device fetches that runs the old one; nothing is proven'
complete -c bootslot -n "__fish_bootslot_using_subcommand help; and __fish_seen_subcommand_from bundle" -f -a "verify" -d 'Verify a signature, and that every image is the one that was signed'
complete -c bootslot -n "__fish_bootslot_using_subcommand help; and __fish_seen_subcommand_from journal" -f -a "show" -d 'Show the records, oldest first'
complete -c bootslot -n "__fish_bootslot_using_subcommand help; and __fish_seen_subcommand_from journal" -f -a "boot" -d 'Look at this boot, and record what the journal does not know of it; call this at each boot'
complete -c bootslot -n "__fish_bootslot_using_subcommand help; and __fish_seen_subcommand_from journal" -f -a "shutdown" -d 'Record that the machine is about to be shut down, while an update is on trial'
complete -c bootslot -n "__fish_bootslot_using_subcommand help; and __fish_seen_subcommand_from rauc" -f -a "get-primary" -d 'Print the slot that boots next'
complete -c bootslot -n "__fish_bootslot_using_subcommand help; and __fish_seen_subcommand_from rauc" -f -a "get-current" -d 'Print the slot that runs'
complete -c bootslot -n "__fish_bootslot_using_subcommand help; and __fish_seen_subcommand_from rauc" -f -a "get-state" -d 'Print whether a slot is good or bad'
complete -c bootslot -n "__fish_bootslot_using_subcommand help; and __fish_seen_subcommand_from rauc" -f -a "set-primary" -d 'Boot this slot next'
complete -c bootslot -n "__fish_bootslot_using_subcommand help; and __fish_seen_subcommand_from rauc" -f -a "set-state" -d 'Mark a slot'
complete -c bootslot -n "__fish_bootslot_using_subcommand help; and __fish_seen_subcommand_from bootcount" -f -a "get" -d 'Print the boots since the last reset, as U-Boot will read them'
complete -c bootslot -n "__fish_bootslot_using_subcommand help; and __fish_seen_subcommand_from bootcount" -f -a "reset" -d 'Set the counter back to 0, because the system is healthy'
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from get" -f -a "(_bootslot_fish_variables)"
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from set" -f -a "(_bootslot_fish_variables)"
complete -c bootslot -n "__fish_bootslot_using_subcommand env; and __fish_seen_subcommand_from unset" -f -a "(_bootslot_fish_variables)"
complete -c bootslot -n "__fish_bootslot_using_subcommand begin-install" -f -a "(_bootslot_fish_slots)"
complete -c bootslot -n "__fish_bootslot_using_subcommand finish-install" -f -a "(_bootslot_fish_slots)"
complete -c bootslot -n "__fish_bootslot_using_subcommand try" -f -a "(_bootslot_fish_slots)"
complete -c bootslot -n "__fish_bootslot_using_subcommand confirm" -f -a "(_bootslot_fish_slots)"
complete -c bootslot -n "__fish_bootslot_using_subcommand mark" -f -a "(_bootslot_fish_slots)"
complete -c bootslot -n "__fish_bootslot_using_subcommand set-active" -f -a "(_bootslot_fish_slots)"
complete -c bootslot -n "__fish_bootslot_using_subcommand rauc; and __fish_seen_subcommand_from get-state" -f -a "(_bootslot_fish_slots)"
complete -c bootslot -n "__fish_bootslot_using_subcommand rauc; and __fish_seen_subcommand_from set-primary" -f -a "(_bootslot_fish_slots)"
complete -c bootslot -n "__fish_bootslot_using_subcommand rauc; and __fish_seen_subcommand_from set-state" -f -a "(_bootslot_fish_slots)"
