#!/usr/bin/env bash
# packaging/test.sh [CASE...]: boots a Debian system with systemd as process 1 and bootslot's units, once for each case,
# and looks at what became of them: packaging/machine.sh. Then OpenRC's and busybox's scripts. Needs to be root.
set -euo pipefail
cd "$(dirname "$0")/.."
program=${BOOTSLOT_PROGRAM:-${CARGO_TARGET_DIR:-$PWD/target}/debug/bootslot}
[ -n "${BOOTSLOT_PROGRAM:-}" ] || cargo build --locked --all-features --bin bootslot >&2
if [ "$(id -u)" != 0 ]; then
    sudo -n true 2>/dev/null || { echo "needs root, for a machine of its own"; exit 77; }
    exec sudo -n -H env BOOTSLOT_PROGRAM="$program" BOOTSLOT_MIRROR="${BOOTSLOT_MIRROR:-}" "$0" "$@"
fi
root=$(packaging/root.sh)
work=$(mktemp -d)
machine= init=
# Process 1 takes all others of its machine along.
off() {
    [ -z "$init" ] || kill -9 "$init" 2>/dev/null || :
    [ -z "$machine" ] || { kill -9 "$machine" 2>/dev/null || :; wait "$machine" 2>/dev/null || :; }
    # Its control groups: the inner ones first, as soon as the last of its processes is gone.
    local group _
    for group in /sys/fs/cgroup/{unified/,}"bootslot-units.${machine:-none}"; do
        for _ in 1 2 3 4 5 6 7 8 9 10; do
            [ -d "$group" ] || break
            find "$group" -depth -type d -exec rmdir {} \; 2>/dev/null || :
            sleep 0.1
        done
    done
    machine= init=
}
trap 'off; rm -rf "$work"' EXIT
passed=0 failed=0

# is NAME COMMAND...: one check. What the machine's journal says is shown if it fails.
is() {
    local name=$1
    shift
    if "$@" >"$work/said" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "NOT OK $case: $name"
        tail -n 5 "$work/said"
        [ -z "$init" ] || inside journalctl -b --no-pager -u 'bootslot*' | tail -n 25 || :
    fi
}
inside() { timeout 20 nsenter -t "$init" -a "$@"; }
no() { ! "$@"; }
# value UNIT PROPERTY
value() { inside systemctl show --value -p "$2" "$1"; }
has() { [ "$(value "$1" "$2")" = "$3" ] || { echo "$1: $2 is $(value "$1" "$2")"; false; }; }
# in_order UNIT PROPERTY UNIT PROPERTY...: these instants, each one after the one before.
in_order() {
    local last=0 now
    while [ $# -gt 0 ]; do
        now=$(value "$1" "$2Monotonic")
        [ "$now" -gt 0 ] && [ "$now" -ge "$last" ] || { echo "$1: $2 at $now, after $last"; return 1; }
        last=$now
        shift 2
    done
}
# stored VARIABLE: what U-Boot would find.
stored() { inside fw_printenv -n "$1" 2>/dev/null || :; }
is_stored() { [ "$(stored "$1")" = "$2" ] || { echo "$1 is $(stored "$1")"; false; }; }
# wait_for SECONDS COMMAND...
wait_for() {
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || { echo "still not: $*"; return 1; }
        sleep 0.2
    done
}
settled() { ! value "$1" ActiveState | grep -q activating && [ -z "$(value "$1" Job)" ]; }

# begin CASE [SETTING...]: an empty machine on trial in slot B, with these checks.
begin() {
    case=$1
    folder=$work/$case layer=$work/$case/layer
    mkdir -p "$layer"/{usr/bin,etc/bootslot/report.d,var/lib/bootslot,var/lib/app,usr/lib/bootslot/migrate.d}
    mkdir -p "$layer/etc/systemd/system" "$layer/etc/greenboot/check/required.d"
    echo "quiet bootslot.slot=B bootslot.script=2" >"$folder/cmdline"
    install -m 755 "$program" "$layer/usr/bin/bootslot"
    ln -s bootslot "$layer/usr/bin/fw_printenv"
    DESTDIR=$layer PREFIX=/usr SYSTEMDUNITDIR=/usr/lib/systemd/system tools/install-units.sh
    head -c 32768 /dev/zero >"$layer/var/lib/env.img"
    printf '/var/lib/env.img 0x0 0x4000\n/var/lib/env.img 0x4000 0x4000\n' >"$layer/etc/fw_env.config"
    cat >"$layer/etc/bootslot/bootslot.toml" <<TOML
state = "/var/lib/bootslot"
[migrate]
data = ["/var/lib/app"]
[report]
[health]
settle = "1s"
deadline = "4s"
reboot-limit = "2s"
standard = false
$(printf '%s\n' "${@:2}")
[[health.check]]
name = "booted"
unit = "multi-user.target"
[[health.check]]
name = "migrated"
migrated = true
TOML
    printf 'version = 2\ninitial = 1\n' >"$layer/usr/lib/bootslot/migrate.toml"
    echo old >"$layer/var/lib/app/data"
    step 'echo new >/var/lib/app/data'
    printf '#!/bin/sh\ncat "$1" >>/case/reported\n' >"$layer/etc/bootslot/report.d/own"
    chmod 755 "$layer/etc/bootslot/report.d/own"
    # A service that uses the data, as `systemctl add-requires` would have it.
    unit gateway 'Type=oneshot' 'RemainAfterExit=yes' 'ExecStart=/bin/cp /var/lib/app/data /case/used'
    link gateway multi-user.target.wants
    mkdir "$layer/etc/systemd/system/gateway.service.requires"
    ln -s /usr/lib/systemd/system/bootslot-migrate.service "$layer/etc/systemd/system/gateway.service.requires"
    # Its image has no modules for this kernel.
    ln -s /dev/null "$layer/etc/systemd/system/systemd-modules-load.service"
    # On trial: B was installed, and the boot script has counted the first boot.
    local device=(--settings "$folder/none.toml" -c "$folder/env.config" -l "$folder" --script 2
        --state "$layer/var/lib/bootslot")
    sed "s|/var/lib|$layer/var/lib|" "$layer/etc/fw_env.config" >"$folder/env.config"
    : >"$folder/none.toml"
    printf 'bootcmd=run bootslot\n' >"$folder/defaults"
    "$program" init -f "$folder/defaults" "${device[@]}" --slot A >/dev/null
    "$program" confirm "${device[@]}" --slot A >/dev/null
    "$program" begin-install B "${device[@]}" --slot A >/dev/null
    "$program" finish-install B --update 1.2.3 "${device[@]}" --slot A >/dev/null
}
# unit NAME LINE...
unit() { printf '[Unit]\n[Service]\n%s\n' "$(printf '%s\n' "${@:2}")" >"$layer/etc/systemd/system/$1.service"; }
link() { mkdir -p "$layer/etc/systemd/system/$2" && ln -sf "../$1.service" "$layer/etc/systemd/system/$2"; }
step() {
    local file=$layer/usr/lib/bootslot/migrate.d/2-step
    printf "#!/bin/sh\n%s\n" "$1" >"$file" && chmod 755 "$file"
}
# A reboot that only leaves a file, so that there is something to look at. Then the restart must not be forced either.
stub='reboot = ["touch", "/case/rebooted"]'
stub_only() {
    mkdir -p "$layer/etc/systemd/system/bootslot-health.service.d"
    printf '[Service]\nExecStart=\nExecStart=/usr/bin/bootslot health --reboot\n' \
        >"$layer/etc/systemd/system/bootslot-health.service.d/stub.conf"
}
required() {
    local file=$layer/etc/greenboot/check/required.d/10-own
    printf "#!/bin/sh\n%s\n" "$1" >"$file" && chmod 755 "$file"
}

# on: boots it, until the trial is decided.
on() {
    ! grep -q '^reboot = ' "$layer/etc/bootslot/bootslot.toml" || stub_only
    chroot_enable
    packaging/machine.sh "$root" "$folder" /sbin/init >"$folder/console" 2>&1 </dev/null &
    machine=$!
    local end=$((SECONDS + 60))
    until init=$(cat "/proc/$machine/task/$machine/children" 2>/dev/null | tr -d ' ') && [ -n "$init" ] &&
        [ "$(tr '\0' ' ' 2>/dev/null <"/proc/$init/cmdline")" = "/sbin/init " ] && inside systemctl show -p Version >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || { cat "$folder/console"; echo "the machine does not start"; exit 1; }
        sleep 0.1
    done
}
# What `systemctl enable` makes of the units' [Install].
chroot_enable() {
    local units
    units=$(cd packaging/systemd && ls | grep -v 'report.service\|hawkbit')
    # shellcheck disable=SC2086  # a list
    systemctl --root="$layer" enable $units 2>/dev/null
}
decided() {
    wait_for 25 settled bootslot-health.service
    wait_for 25 settled bootslot-confirm.service
}

healthy() {
    begin healthy "$stub"
    on
    is decided decided
    is "health ended well" has bootslot-health.service ActiveState active
    is "boot complete" has boot-complete.target ActiveState active
    is "confirm ran" has bootslot-confirm.service ActiveState active
    is "confirmed" is_stored boot_success 1
    is "slot good" is_stored slot_B good
    is "no reboot" no test -e "$folder/rebooted"
    is "the services had the new data" grep -qx new "$folder/used"
    is "order" in_order bootslot-journal.service ActiveEnterTimestamp bootslot-migrate.service ActiveEnterTimestamp \
        sysinit.target ActiveEnterTimestamp bootslot-health.service InactiveExitTimestamp \
        multi-user.target ActiveEnterTimestamp bootslot-health.service ActiveEnterTimestamp \
        boot-complete.target ActiveEnterTimestamp bootslot-confirm.service InactiveExitTimestamp
    is "services after the migration" in_order bootslot-migrate.service ActiveEnterTimestamp \
        gateway.service InactiveExitTimestamp
    is "no cycle" no inside journalctl -b -g 'ordering cycle|job .* deleted to break'
    is "no failed unit" test -z "$(inside systemctl --failed --no-legend)"
    is "running" wait_for 10 eval '[ "$(inside systemctl is-system-running)" = running ]'
    is "timer" has bootslot-report.timer ActiveState active
    inside systemctl start bootslot-report.service || :
    is "reported" grep -q 1.2.3 "$folder/reported"
    is "report ended well" has bootslot-report.service Result success
    is "verify" inside systemd-analyze verify --man=no default.target
    for each in journal:2.5 migrate:4.0 health:7.5 confirm:2.5 report:3.2 hawkbit:3.6 baseline:7.6 emergency:7.6; do
        is "hardened: $each" inside systemd-analyze security --threshold="$(tr -d . <<<"${each#*:}")" \
            "bootslot-${each%:*}.service"
        echo "exposure of bootslot-${each%:*}.service: $(sed -n 's/.*level for [^:]*: *//p' "$work/said")"
    done
    # The same boot once more: it is confirmed, and stores nothing.
    local before
    before=$(inside sha256sum /var/lib/env.img)
    is "again" inside systemctl restart bootslot-journal bootslot-migrate bootslot-health bootslot-confirm
    is "nothing stored" test "$before" = "$(inside sha256sum /var/lib/env.img)"
}
given_up() {
    is decided decided
    is "failed unit" has bootslot-health.service ActiveState failed
    is "exit code" has bootslot-health.service ExecMainStatus "$1"
    is "boot not complete" has boot-complete.target ActiveState inactive
    is "confirm not run" has bootslot-confirm.service ExecMainStartTimestampMonotonic 0
    is "not confirmed" no is_stored slot_B good
}
failing() {
    begin failing "$stub" '[[health.check]]' 'name = "no"' 'command = ["false"]' 'on-failure = "roll-back"'
    on
    given_up 6
    is "rebooted" test -e "$folder/rebooted"
    is "old slot next" is_stored active_slot A
}
hung() {
    begin hung "$stub"
    unit hung 'Type=oneshot' 'ExecStart=/bin/sleep infinity' 'TimeoutStartSec=infinity'
    link hung multi-user.target.wants
    on
    given_up 6
    is "rebooted" test -e "$folder/rebooted"
    is "old slot next" is_stored active_slot A
    is "still hung" has hung.service ActiveState activating
}
waiting() {
    begin waiting "$stub" '[[health.check]]' 'name = "no"' 'command = ["false"]' 'on-failure = "wait"'
    on
    given_up 8
    is "no reboot" no test -e "$folder/rebooted"
    is "still on trial" is_stored active_slot B
    is "degraded system" eval '[ "$(inside systemctl is-system-running)" != running ]'
    is "status says so" eval 'inside bootslot status | tee "$folder/status" | grep -q "slot B.* on trial"; r=$?; cat "$folder/status"; [ $r = 0 ]'
}
greenboot() {
    begin greenboot "$stub" 'greenboot = true'
    required 'exit 1'
    on
    given_up 7
    is "another try" test -e "$folder/rebooted"
    is "still on trial" is_stored active_slot B
}
migration() {
    begin migration "$stub"
    step 'echo half >/var/lib/app/data; exit 1'
    on
    given_up 6
    is "failed unit of the migration" has bootslot-migrate.service ActiveState failed
    is "its exit code" has bootslot-migrate.service ExecMainStatus 25
    is "no service without its data" no test -e "$folder/used"
    is "service not started" has gateway.service ActiveState inactive
    is "old data" eval '[ "$(inside cat /var/lib/app/data)" = old ]'
    is "old slot next" is_stored active_slot A
}
# Another unit that boot-complete.target requires has a word.
required_unit() {
    begin required_unit "$stub"
    unit other 'Type=oneshot' 'ExecStart=/bin/false'
    sed -i 's/^\[Unit\]/[Unit]\nBefore=boot-complete.target/' "$layer/etc/systemd/system/other.service"
    link other boot-complete.target.requires
    on
    is decided decided
    is "health ended well" has bootslot-health.service ActiveState active
    is "boot not complete" has boot-complete.target ActiveState inactive
    is "not confirmed" no is_stored slot_B good
    is "visible" has other.service ActiveState failed
}
# A mount that fails: WHERE, and the folder of local-fs.target's that takes it in.
bad_mount() {
    local name
    name=$(tr / - <<<"${1#/}").mount
    printf '[Unit]\nBefore=local-fs.target\n[Mount]\nWhat=/etc/hostname\nWhere=%s\nType=ext4\n' "$1" \
        >"$layer/etc/systemd/system/$name"
    mkdir -p "$layer/etc/systemd/system/local-fs.target.$2" "$layer$1"
    ln -s "../$name" "$layer/etc/systemd/system/local-fs.target.$2"
}
# drop UNIT LINE...: in the place of the unit's own.
drop() {
    mkdir -p "$layer/etc/systemd/system/$1.service.d"
    printf '%s\n' '[Service]' "${@:2}" >"$layer/etc/systemd/system/$1.service.d/drop.conf"
}
# The data partition can't be mounted: the checks decide all the same.
no_data() {
    begin no_data "$stub"
    bad_mount /var/lib/bootslot wants
    on
    given_up 6
    is "not mounted" has var-lib-bootslot.mount ActiveState failed
    is "no journal" no has bootslot-journal.service ActiveState active
    is "no service without its data" no test -e "$folder/used"
    is "rebooted" test -e "$folder/rebooted"
    is "old slot next" is_stored active_slot A
}
# The boot ends in emergency mode. A trial is left, and nothing else is.
emergency() {
    begin emergency "$stub"
    bad_mount /srv requires
    drop bootslot-emergency 'ExecStartPre=' 'ExecStart=' 'ExecStart=/bin/touch /case/restarted'
    on
    is "emergency" wait_for 20 has emergency.target ActiveState active
    is "restarted" wait_for 20 test -e "$folder/restarted"
    off
    echo "quiet bootslot.slot=A bootslot.script=2" >"$folder/cmdline"
    rm -f "$folder/restarted"
    on
    is "emergency" wait_for 20 has emergency.target ActiveState active
    is "a system that is not on trial is left alone" wait_for 20 has bootslot-emergency.service Result exec-condition
    is "not restarted" no test -e "$folder/restarted"
}
# At a reboot into an update the old system records what it passes.
baseline() {
    begin baseline "$stub" '[[health.check]]' 'name = "no"' 'command = ["false"]'
    echo "quiet bootslot.slot=A bootslot.script=2" >"$folder/cmdline"
    # The boot script would have booted B.
    drop bootslot-confirm 'ExecStart=' 'ExecStart=/bin/true'
    on
    is "up" wait_for 60 has bootslot-baseline.service ActiveState active
    is "not yet" no inside test -e /var/lib/bootslot/baseline
    is "stopped" inside systemctl stop bootslot-baseline.service
    is "ended well" has bootslot-baseline.service Result success
    is "recorded" inside grep -q booted /var/lib/bootslot/baseline
    is "before all others end" in_order multi-user.target ActiveEnterTimestamp bootslot-baseline.service ActiveEnterTimestamp
}
# A shutdown that hangs is forced: a service does not end for 90 seconds.
forced() {
    begin forced '[[health.check]]' 'name = "no"' 'command = ["false"]' 'on-failure = "roll-back"'
    unit stuck 'ExecStart=/bin/sleep infinity' 'ExecStop=/bin/sleep infinity' 'TimeoutStopSec=90s'
    link stuck multi-user.target.wants
    sed -i 's/^on-failure = "roll-back"/&\ninterval = "1s"\nretries = 2/' "$layer/etc/bootslot/bootslot.toml"
    on
    local began=$SECONDS
    is "restarted" wait_for 40 no kill -0 "$init"
    echo "a shutdown that hangs was cut short after $((SECONDS - began)) s"
    init=
}

# A program that hangs is ended by systemd's watchdog, and begins anew.
watchdog() {
    begin watchdog "$stub" 'watchdog = "systemd"' '[[health.check]]' 'name = "no"' 'command = ["false"]'
    mkdir "$layer/etc/systemd/system/bootslot-health.service.d"
    printf '[Service]\nWatchdogSec=3s\n' >"$layer/etc/systemd/system/bootslot-health.service.d/watchdog.conf"
    on
    is "begun" wait_for 10 no has bootslot-health.service MainPID 0
    is "hangs" inside systemctl kill --kill-whom=main --signal=STOP bootslot-health.service
    is "begins anew" wait_for 15 has bootslot-health.service NRestarts 1
    given_up 6
    is "old slot next" is_stored active_slot A
}
# The scripts of other init systems: a good trial.
script() {
    local start=$2 status=$3 before=$failed
    begin "$1" "$stub"
    mkdir -p "$layer/etc/init.d"
    # No systemd, so no unit to ask for.
    sed -i '/^\[\[health.check/,$d' "$layer/etc/bootslot/bootslot.toml"
    printf '[[health.check]]\nname = "migrated"\nmigrated = true\n' >>"$layer/etc/bootslot/bootslot.toml"
    : >"$layer/etc/insserv.conf"
    # Debian leaves the services that mount to others.
    printf '#!/sbin/openrc-run\nstart() { :; }\n' >"$layer/etc/init.d/localmount"
    chmod 755 "$layer/etc/init.d/localmount"
    mkdir -p "$layer/etc/init.d"
    DESTDIR=$layer PREFIX=/usr OPENRCDIR=/etc/openrc.d RCSDIR=/etc/init.d tools/install-units.sh
    mv "$layer/etc/openrc.d/bootslot" "$layer/etc/init.d/bootslot"
    cat >"$folder/run" <<SH
mkdir -p /run/lock
for state in exclusive starting started stopping inactive wasinactive failed hotplugged daemons options scheduled init.d tmp; do
    mkdir -p /run/openrc/\$state
done
: >/run/openrc/softlevel
$start; echo "start \$?"
n=0; until [ -e /run/bootslot-health.code ] || [ \$n = 100 ]; do sleep 0.1; n=\$((n + 1)); done
$status; echo "status \$?"
fw_printenv -n slot_B; cat /var/lib/app/data
SH
    # A forced restart would end the machine before it has told.
    sed -i 's/ --force$//' "$layer/etc/init.d/bootslot" "$layer/etc/init.d/S03bootslot"
    packaging/machine.sh "$root" "$folder" sh /case/run >"$folder/console" 2>&1 </dev/null &
    machine=$!
    wait "$machine" || :
    is "started" grep -qx "start 0" "$folder/console"
    is "good" grep -qx "status 0" "$folder/console"
    is "confirmed" grep -qx good "$folder/console"
    is "new data" grep -qx new "$folder/console"
    [ $failed = "$before" ] || cat "$folder/console"
}
openrc() { script openrc 'rc-service bootslot start' 'rc-service bootslot status'; }
busybox() { script busybox 'busybox sh /etc/init.d/S03bootslot start' 'busybox sh /etc/init.d/S03bootslot status'; }

# app_begin CASE [SETTING...]: a machine whose slot B is confirmed, with an application of version 1. Its versions outlive the
# machine.
app_begin() {
    begin "$1" "$stub"
    mkdir -p "$layer/etc/bootslot/keys" "$folder/apps" "$folder/state"
    cat >"$layer/etc/bootslot/bootslot.toml" <<TOML
state = "/case/state"
[update]
compatible = "acme"
[[app]]
name = "gateway"
root = "/case/apps"
unit = "app.service"
settle = "1s"
deadline = "8s"
$(printf '%s\n' "${@:2}")
TOML
    "$program" confirm --settings "$folder/none.toml" -c "$folder/env.config" -l "$folder" --script 2 --slot B >/dev/null
    unit app 'ExecStart=/case/apps/gateway/current/run' 'Restart=always' 'RestartSec=300ms'
    # Like a unit that systemd enables: it starts at each boot, where there is a version.
    sed -i 's|^\[Unit\]|&\nConditionPathExists=/case/apps/gateway/current\nStartLimitIntervalSec=0|' \
        "$layer/etc/systemd/system/app.service"
    link app multi-user.target.wants
    [ -e "$work/app.key" ] || "$program" bundle generate-key --public "$work/app.pub" --secret "$work/app.key"
    cp "$work/app.pub" "$layer/etc/bootslot/keys/"
    app_bundle 1 'exec sleep infinity'
    on
    is "booted" wait_for 25 has multi-user.target ActiveState active
    is "nothing to decide" wait_for 25 settled bootslot-app-decide.service
    is "first version" inside bootslot app install /case/1.bundle
    is "it runs" has app.service ActiveState active
}
# app_bundle VERSION SCRIPT [OPTION...]: with a file beside the script that takes some time to be unpacked.
app_bundle() {
    local files=$folder/files-$1
    mkdir -p "$files"
    printf '#!/bin/sh\n%s\n' "$2" >"$files/run"
    chmod 755 "$files/run"
    echo "$1" >"$files/version"
    head -c 3000000 /dev/urandom >"$files/data"
    tar -C "$files" --numeric-owner -cf "$folder/app.tar" .
    (cd "$files" && sha256sum run version data) >"$folder/$1.sums"
    "$program" bundle create -o "$folder/$1.bundle" --compatible acme --version "$1" --level 1 "${@:3}" \
        --app gateway="$folder/app.tar" >/dev/null
    "$program" bundle sign "$folder/$1.bundle" --key "$work/app.key" >/dev/null
}
# app_whole VERSION...: one of these is in place, and each of its files is as it was packed.
app_whole() {
    local found
    found=$(cat "$folder/apps/gateway/current/version")
    case " $* " in *" $found "*) ;; *) echo "version $found"; return 1 ;; esac
    (cd "$folder/apps/gateway/current" && sha256sum --quiet -c "$folder/$found.sums")
}
ends_with() {
    local code=0
    "${@:2}" || code=$?
    [ $code = "$1" ] || { echo "exit code $code"; return 1; }
}
app_good() {
    app_begin app_good
    app_bundle 2 'exec sleep infinity'
    is "installed" inside bootslot app install /case/2.bundle
    is "new version" app_whole 2
    is "it runs" has app.service ActiveState active
    is "the journal knows" eval 'inside bootslot journal show | tee "$folder/shown" | grep -q "confirmed"; grep -q gateway "$folder/shown"'
    is "the report, too" eval 'inside bootslot report | grep "^app:" | grep -q "version 2 .*in place, confirmed"'
    is "already" inside bootslot app install /case/2.bundle
    is "back by order" inside bootslot app rollback gateway
    is "old version" app_whole 1
    is "refused" ends_with 15 inside bootslot app install /case/2.bundle
    is "allowed" inside bootslot allow \
        "$(inside bootslot app status | sed -n 's/.*refused: version 2 (\([0-9a-f]*\)).*/\1/p')"
    is "installed again" inside bootslot app install /case/2.bundle
    is "removed" inside bootslot app remove gateway
    is "stopped" has app.service ActiveState inactive
    is "nothing left" no test -e "$folder/apps/gateway"
    for each in app:2.8 app-decide:7.5; do
        is "hardened: $each" inside systemd-analyze security --threshold="$(tr -d . <<<"${each#*:}")" \
            "bootslot-${each%:*}.service"
        echo "exposure of bootslot-${each%:*}.service: $(sed -n 's/.*level for [^:]*: *//p' "$work/said")"
    done
}
app_loop() {
    app_begin app_loop
    app_bundle 2 'sleep 0.5; exit 1'
    is "given up" ends_with 6 inside bootslot app install /case/2.bundle
    is "old version" app_whole 1
    is "it runs" wait_for 5 has app.service ActiveState active
    is "refused" ends_with 15 inside bootslot app install /case/2.bundle
    is "says why" eval 'inside bootslot app status | grep -q "refused: version 2 .*: service"'
}
# One that takes three seconds to start: until then it is activating.
app_slow() {
    app_begin app_slow
    app_bundle 2 'exec sleep infinity'
    inside mkdir -p /run/systemd/system/app.service.d
    inside sh -c 'printf "[Service]\nExecStartPre=/bin/sleep 3\n" >/run/systemd/system/app.service.d/slow.conf'
    inside systemctl daemon-reload
    is "confirmed" inside bootslot app install /case/2.bundle
    is "new version" app_whole 2
    is "it runs" has app.service ActiveState active
}
app_needs() {
    app_begin app_needs
    app_bundle 2 'exec sleep infinity' --app-system gateway=999
    local before
    before=$(ls -R "$folder/apps")
    is "refused" ends_with 28 inside sh -c 'bootslot app install /case/2.bundle 2>/case/why'
    is "says why" grep -q "needs a system of version 999 or newer, and this one has version 13" "$folder/why"
    is "nothing changed" test "$before" = "$(ls -R "$folder/apps")"
    is "it runs" has app.service ActiveState active
    app_bundle 3 'exec sleep infinity' --app-system gateway=13
    is "new enough" inside bootslot app install /case/3.bundle
}
# How long no service runs, from the end of the old one's stop to the begin of the new one's start: beside what two calls of
# systemctl take that do nothing else.
gap() { echo $((($(value app.service InactiveExitTimestampMonotonic) - $(value app.service InactiveEnterTimestampMonotonic)))); }
median() { sort -n | sed -n '5p'; }
app_figure() {
    app_begin app_figure
    sed -i 's/^settle = .*/settle = "0s"/' "$layer/etc/bootslot/bootslot.toml"
    app_bundle 2 'exec sleep infinity'
    local next
    for next in 2 1 2 1 2 1 2 1 2; do
        inside bootslot app install --again "/case/$next.bundle" >/dev/null 2>&1 || :
        gap >>"$folder/ours"
        inside sh -c 'systemctl stop app.service; systemctl start app.service'
        gap >>"$folder/plain"
    done
    is "switched" app_whole 2
    is "stopped before it began" no grep -q '^-' "$folder/ours"
    echo "application switch: $(median <"$folder/ours") us without a service, beyond its own stop and start;" \
        "with systemctl alone: $(median <"$folder/plain") us"
}
# Ten kills: of the program, and of the whole machine, which boots again then.
app_killed() {
    app_begin app_killed
    app_bundle 2 'exec sleep infinity'
    app_bundle 3 'exec sleep infinity'
    local number=0 hits=0 next
    for next in 2 3 2 3 2 3 2 3 2 3; do
        number=$((number + 1))
        inside bootslot app install --again "/case/$next.bundle" >/dev/null 2>&1 &
        local install=$!
        sleep "0.$((RANDOM % 9))$((RANDOM % 10))"
        if [ $((number % 2)) = 0 ]; then
            local killed
            killed=$(pgrep -f "bootslot app install --again /case/$next.bundle" | tail -n 1) || killed=
            [ -z "$killed" ] || ! kill -9 "$killed" 2>/dev/null || hits=$((hits + 1))
            wait $install 2>/dev/null || :
            inside bootslot app decide >/dev/null 2>&1 || :
        else
            [ -z "$(pgrep -f "bootslot app install --again /case/$next.bundle")" ] || hits=$((hits + 1))
            off
            wait $install 2>/dev/null || :
            on
            is "decided, $number" wait_for 25 settled bootslot-app-decide.service
        fi
        is "old or new, $number" app_whole 1 2 3
        is "it runs, $number" wait_for 5 has app.service ActiveState active
        is "nothing is undecided, $number" eval 'inside bootslot app status --json | grep -q "\"stage\": \"settled\""'
    done
    echo "ten kills, $hits of them while an installation ran"
    is "installations were hit" test $hits -ge 5
    is "the next one" inside bootslot app install --again /case/1.bundle
    is "its version" app_whole 1
}

cases=("$@")
[ ${#cases[@]} -gt 0 ] || cases=(healthy failing hung waiting greenboot migration required_unit no_data emergency
    baseline forced watchdog openrc busybox app_good app_loop app_slow app_needs app_figure app_killed)
for one in "${cases[@]}"; do
    began=$SECONDS
    "$one"
    off
    echo "-- $one: $((SECONDS - began)) s"
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
