# Sourced by run.sh. Every function from C: as it is, under AddressSanitizer and UBSan, under valgrind; and every
# function made to panic.

tools/need.sh valgrind >&2

# The sanitizers are on: they are in the program, and they stop what is wrong.
printf '#include <stdlib.h>\nint main(int c, char **v) { char *p = malloc((size_t)c); (void)v; p[c] = 1; return p[0]; }\n' >"$work/overflow.c"
printf 'int main(int c, char **v) { int n = 2147483647; (void)v; return (n + c) != 0; }\n' >"$work/signed.c"
printf '#include <stdlib.h>\nvoid *volatile p; int main(void) { p = malloc(7); p = 0; return 0; }\n' >"$work/leak.c"
for mistake in overflow signed leak; do
    "${sanitized[@]}" "$work/$mistake.c" -o "$work/$mistake"
    check "the sanitizers catch: $mistake" sh -c "! '$work/$mistake'"
done
"${plain[@]}" "$work/leak.c" -o "$work/leak"
check "valgrind catches: leak" sh -c "! valgrind -q --leak-check=full --errors-for-leak-kinds=definite --error-exitcode=9 '$work/leak'"

for test in "${tests[@]}"; do
    three_ways "$test" "${link[@]}"
done
all_panic "" yaml,settings,libubootenv
