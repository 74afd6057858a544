# Runs checks one after the other and counts what they report. Sourced by tools/test.sh.
#
# A step is a command with a log. What its log reports (cargo's and nextest's result lines, or a plain
# `N passed, N failed[, N skipped]`) is added up; a step that reports nothing counts as one check.
# Exit code 77 means "can't run here": skipped, except under CI=true, where nothing may be missing.

steps_logs=${STEPS_LOGS:-target/steps}
steps_passed=0 steps_failed=0 steps_skipped=0 steps_broken=()
mkdir -p "$steps_logs"

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

# step NAME COMMAND...: runs it with its output in a log, tells its time, and counts.
step() {
    local name=$1 start=$SECONDS log passed failed skipped code=0
    shift
    log=$steps_logs/${name//[^A-Za-z0-9._-]/_}.log
    printf '== %-28s ' "$name"
    "$@" >"$log" 2>&1 </dev/null || code=$?
    read -r passed failed skipped < <(counts "$log")
    if [ $code = 77 ] && [ "${CI:-}" != true ]; then
        skipped=$((skipped + 1))
        printf 'skipped: %s\n' "$(tail -n 1 "$log")"
    elif [ $code != 0 ]; then
        [ "$failed" -gt 0 ] || failed=1
        steps_broken+=("$name")
        printf 'FAILED (exit %s) %4d s\n' "$code" $((SECONDS - start))
        printf -- '-- the last lines of %s --\n' "$log"
        tail -n 60 "$log"
    elif [ "$failed" -gt 0 ]; then
        steps_broken+=("$name")
        printf 'FAILED: %s failures reported, although the step exited 0 (%s)\n' "$failed" "$log"
    else
        [ $((passed + skipped)) -gt 0 ] || passed=1
        printf 'ok %4d s %6d passed' $((SECONDS - start)) "$passed"
        [ "$skipped" = 0 ] || printf ', %d skipped' "$skipped"
        printf '\n'
    fi
    steps_passed=$((steps_passed + passed))
    steps_failed=$((steps_failed + failed))
    steps_skipped=$((steps_skipped + skipped))
}

# steps_end: the closing line, and the exit code of the whole.
steps_end() {
    [ ${#steps_broken[@]} = 0 ] || printf 'failed steps: %s\n' "${steps_broken[*]}"
    printf '%d passed, %d failed, %d skipped\n' "$steps_passed" "$steps_failed" "$steps_skipped"
    [ ${#steps_broken[@]} = 0 ] && [ "$steps_failed" = 0 ]
}
