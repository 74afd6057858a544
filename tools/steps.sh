# Runs checks, one after the other or side by side, and counts what they report. Sourced by tools/test.sh.
#
# A step is a command with a log. What its log reports (cargo's and nextest's result lines, or a plain
# `N passed, N failed[, N skipped]`) is added up; a step that reports nothing counts as one check.
# Exit code 77 means "can't run here": skipped, except under CI=true, where nothing may be missing.

steps_logs=${STEPS_LOGS:-target/steps}
mkdir -p "$steps_logs"
# A line for each step: seconds, those of a processor, passed, failed, skipped, ok or broken, name.
steps_results=$steps_logs/results
: >"$steps_results"

# counts LOG: prints "passed failed skipped" as the tests themselves reported them.
counts() {
    sed 's/\x1b\[[0-9;]*m//g' "$1" | awk '
        function number_before(word,   m) {
            return match($0, "[0-9]+ " word) ? substr($0, RSTART, RLENGTH) + 0 : 0
        }
        /^ *Summary \[.*\] .*tests? run:/ || /^test result: / || /^[0-9]+ passed, [0-9]+ failed/ {
            passed += number_before("passed"); failed += number_before("failed")
            failed += number_before("timed out")
            skipped += number_before("skipped") + number_before("ignored")
        }
        END { print passed + 0, failed + 0, skipped + 0 }'
}

# step NAME COMMAND...: runs it with its output in a log, and tells how it went, with its time. Several lines are printed
# in one piece, since other steps may run beside this one.
step() {
    local name=$1 start=$SECONDS log passed failed skipped code=0 took busy state=ok TIMEFORMAT='%U %S'
    shift
    log=$steps_logs/${name//[^A-Za-z0-9._-]/_}.log
    # What its processors did does not depend on who else runs.
    { time "$@" >"$log" 2>&1 </dev/null || code=$?; } 2>"$log.busy"
    took=$((SECONDS - start)) busy=$(awk '{ print int($1 + $2) }' "$log.busy")
    rm "$log.busy"
    read -r passed failed skipped < <(counts "$log")
    {
        printf '== %-28s ' "$name"
        if [ $code = 77 ] && [ "${CI:-}" != true ]; then
            skipped=$((skipped + 1))
            printf 'skipped: %s\n' "$(tail -n 1 "$log")"
        elif [ $code != 0 ]; then
            [ "$failed" -gt 0 ] || failed=1
            state=broken
            printf 'FAILED (exit %s) %4d s\n' "$code" "$took"
            printf -- '-- the last lines of %s --\n' "$log"
            tail -n 60 "$log"
        elif [ "$failed" -gt 0 ]; then
            state=broken
            printf 'FAILED: %s failures reported, although the step exited 0 (%s)\n' "$failed" "$log"
        else
            [ $((passed + skipped)) -gt 0 ] || passed=1
            printf 'ok %4d s %6d passed' "$took" "$passed"
            [ "$skipped" = 0 ] || printf ', %d skipped' "$skipped"
            printf '\n'
        fi
    } >"$log.told"
    cat "$log.told"
    rm "$log.told"
    printf '%d %d %d %d %d %s %s\n' "$took" "$busy" "$passed" "$failed" "$skipped" "$state" "$name" >>"$steps_results"
}

# two_at_a_time FUNCTION...: runs the steps of these functions, those of two functions at a time. Who is done takes the next
# function, so that neither of two processors waits for the other one's long step.
two_at_a_time() {
    local turn=$steps_logs/turn workers=() functions=("$@") _
    echo 0 >"$turn"
    for _ in 1 2; do
        take_turns &
        workers+=($!)
    done
    wait "${workers[@]}" || :
}

take_turns() {
    local mine began
    while :; do
        mine=$(flock "$turn" sh -c 'read -r n <"$1" && echo "$n" && echo $((n + 1)) >"$1"' sh "$turn")
        [ "$mine" -lt ${#functions[@]} ] || return 0
        # A function that ends early has not made all of its steps.
        began=$SECONDS
        "${functions[mine]}" || printf '%d 0 0 1 0 broken %s\n' $((SECONDS - began)) "${functions[mine]}" >>"$steps_results"
    done
}

# steps_end: where the time went, the closing line, and the exit code of the whole.
steps_end() {
    local broken name log
    printf -- '-- %d s; the steps that took longest, and what they took of a processor:\n' "$SECONDS"
    sort -rn "$steps_results" | awk '$1 > 0 { printf "%6d s %6d s  %s\n", $1, $2, $7 }'
    broken=$(awk '$6 == "broken" { printf " %s", $7 }' "$steps_results")
    # Once more what went wrong: who reads the end of a long log alone must see it.
    for name in $broken; do
        printf -- '-- of %s --\n' "$name"
        log=$steps_logs/${name//[^A-Za-z0-9._-]/_}.log
        [ ! -e "$log" ] || { grep -aE 'FAIL|^error|panicked|!$|[1-9][0-9]* failed' "$log" || tail -n 8 "$log"; } | tail -n 8
    done
    [ -z "$broken" ] || printf 'failed steps:%s\n' "$broken"
    awk -v broken="$broken" '{ passed += $3; failed += $4; skipped += $5 }
        END { printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped; exit broken != "" || failed > 0 }' \
        "$steps_results"
}
