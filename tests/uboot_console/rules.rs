//! What a boot script may not do, because some parser of U-Boot does something else with it: found by reading the script.

/// Whether this turn of a `for` destroys U-Boot's heap in the modern parser. It allocates one byte too few for
/// `variable=value` of each turn (`run_list` in `common/cli_hush_upstream.c`). U-Boot's malloc rounds up to 8 bytes past a multiple
/// of 16 where `size_t` has 64 bits, to 4 past a multiple of 8 where it has 32: a request of just that many bytes has no room
/// for the last one.
fn overflows(variable: &str, value: &str) -> bool {
    let request = variable.len() + value.len() + 1;
    (request >= 24 && request % 16 == 8) || (request >= 12 && request % 8 == 4)
}

/// How many turns of loops the script has, none of which overflows.
pub fn turns_that_do_not_overflow(script: &[(String, Vec<u8>)]) -> usize {
    assert!(overflows("bs_round", "Rescue_90123456"), "seen to destroy the heap of a 64-bit U-Boot");
    let mut turns = 0;
    for (name, text) in script.iter().filter(|(name, _)| name.starts_with("bootslot")) {
        let text = String::from_utf8(text.clone()).unwrap();
        for list in text.split("for ").skip(1) {
            let (variable, items) = list.split_once(" in ").unwrap();
            let items = items.split(';').next().unwrap();
            // The names of slots, as most boards have them, stand for the lists that are known in U-Boot only.
            for item in items.split_whitespace().filter(|item| !item.starts_with('$')).chain(["A", "B"]) {
                assert!(!overflows(variable, item), "{name}: for {variable} in {item}");
                turns += 1;
            }
        }
    }
    turns
}

/// How many shell variables the script sets, none of them to nothing: before U-Boot 2023.07 `variable=` alone is an error, and
/// the variable keeps its value.
pub fn assignments_of_something(script: &[(String, Vec<u8>)]) -> usize {
    let (mut set, mut empty) = (0, vec![]);
    for (name, text) in script {
        let text = String::from_utf8(text.clone()).unwrap();
        for (variable, value) in text.split_whitespace().filter_map(|word| word.split_once('=')) {
            set += usize::from(variable.starts_with("bs_"));
            if variable.starts_with("bs_")
                && value.trim_end_matches(';').trim_matches('"').is_empty()
                && value != "\""
            {
                empty.push(format!("{name}: {variable}={value}"));
            }
        }
    }
    assert!(empty.is_empty(), "{empty:?}");
    set
}
