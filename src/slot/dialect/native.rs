//! Pure: The native dialect: the variables of `uboot-scripts/bootslot.env`.
//!
//! | variable | values | meaning |
//! |---|---|---|
//! | `active_slot` | a slot's name | the slot U-Boot boots next |
//! | `boot_success` | `1`, `0` | it is confirmed, it is on trial |
//! | `boot_try_count` | `0` to `9` | tries left |
//! | `rollback_slot` | a slot's name | where a failed trial returns to |
//! | `boot_slots` | names with spaces between | all slots; the board's, only read |
//! | `slot_<name>` | `good`, `bad` (being written), `failed` | anything else: unknown |
//! | `boot_update` | an update id | what is on trial |
//! | `boot_failed` | `<slot>:<reason>:<update id>` | the last failure |

use super::{stored as as_stored, unescape, Change};
use crate::env::Environment;
use crate::error::{Error, Result};
use crate::slot::{Board, Field, Mark, Name, Script, State, MAX_TRIES};

const ACTIVE: &str = "active_slot";
const SUCCESS: &str = "boot_success";
const TRIES: &str = "boot_try_count";
const ROLLBACK: &str = "rollback_slot";
const SLOTS: &str = "boot_slots";
const UPDATE: &str = "boot_update";
const FAILED: &str = "boot_failed";

/// The boot state that the boot script will see when U-Boot loads these variables.
///
/// # Errors
///
/// [`Error::BootState`] where `boot_slots` names an impossible slot, or one twice: the script takes it as
/// it is.
pub fn decode(variables: &Environment, board: &Board) -> Result<State> {
    decode_with(&|name| variables.get(name.as_bytes()), board)
}

/// [`decode`] with any way to look up the stored value of a variable.
///
/// # Errors
///
/// As [`decode`].
pub fn decode_with<'v>(stored: &dyn Fn(&str) -> Option<&'v [u8]>, board: &Board) -> Result<State> {
    let seen = |name: &str| as_seen(name, stored(name), board);
    let names = slot_names(stored(SLOTS), board)?;
    let mut state = State::unknown(board, &names);
    for slot in &mut state.slots {
        slot.mark = field(seen(&mark_variable(&slot.name)), |raw| match raw {
            b"good" => Some(Mark::Good),
            b"bad" => Some(Mark::Writing),
            b"failed" if board.script > Script::V1 => Some(Mark::Failed),
            _ => None,
        });
    }
    let a_slot = |name: &str| match seen(name) {
        None => Field::Absent,
        Some(raw) => match Name::from_bytes(&raw).filter(|name| state.ordinary().any(|s| s.name == *name)) {
            Some(name) => Field::Is(name),
            None => Field::Odd(raw),
        },
    };
    let (active, rollback) = (a_slot(ACTIVE), a_slot(ROLLBACK));
    let success = field(seen(SUCCESS), |raw| match raw {
        b"1" => Some(true),
        b"0" => Some(false),
        _ => None,
    });
    let tries = field(seen(TRIES), |raw| match raw {
        [digit @ b'0'..=b'9'] => Some(digit - b'0'),
        _ => None,
    });
    Ok(State { active, success, tries, rollback, update: seen(UPDATE), failed: seen(FAILED), ..state })
}

/// Every variable of a state; those that are absent are to be deleted. `boot_slots` is not among
/// them: it is the board's. A script of version 1 knows no failed slot, and gets `bad` for it.
pub fn encode(state: &State) -> Vec<Change> {
    let text = |field: &Field<Name>| raw(field, |name| name.as_str().into());
    let mut variables = vec![
        (ACTIVE.to_owned(), text(&state.active)),
        (SUCCESS.to_owned(), raw(&state.success, |&confirmed| if confirmed { "1" } else { "0" }.into())),
        (TRIES.to_owned(), raw(&state.tries, |&tries| tries.min(MAX_TRIES).to_string().into())),
        (ROLLBACK.to_owned(), text(&state.rollback)),
        (UPDATE.to_owned(), state.update.clone()),
        (FAILED.to_owned(), state.failed.clone()),
    ];
    variables.extend(state.slots.iter().map(|slot| {
        let mark = raw(&slot.mark, |mark| match mark {
            Mark::Good => "good".into(),
            Mark::Failed if state.script > Script::V1 => "failed".into(),
            Mark::Failed | Mark::Writing => "bad".into(),
        });
        (mark_variable(&slot.name), mark)
    }));
    as_stored(&mut variables);
    variables
}

/// What one store has to change to get from one state to the other; empty when nothing.
pub fn changes(from: &State, to: &State) -> Vec<Change> {
    let before = encode(from);
    encode(to).into_iter().filter(|change| !before.contains(change)).collect()
}

/// Applies [`changes`] to an environment; returns whether anything changed.
///
/// # Errors
///
/// As [`Environment::set`]; the environment is then to be dropped, not stored.
pub fn apply(changes: &[Change], variables: &mut Environment) -> Result<bool> {
    let mut changed = false;
    for (name, value) in changes {
        changed |= match value {
            Some(value) => variables.set(name.as_bytes(), value)?,
            None => variables.unset(name.as_bytes())?,
        };
    }
    Ok(changed)
}

fn mark_variable(name: &Name) -> String {
    format!("slot_{name}")
}

/// The slots by `boot_slots`; by the board where U-Boot reads that from its compiled-in environment,
/// or where it is missing, for which the script has the same default.
fn slot_names(stored: Option<&[u8]>, board: &Board) -> Result<Vec<Name>> {
    let Some(stored) = stored.filter(|value| !board.hardened && !value.is_empty()) else {
        return Ok(board.slots.clone());
    };
    let mut names = Vec::new();
    // Only blanks: U-Boot's old hush parser takes "A<tab>B" for one word.
    let seen = unescape(stored);
    for word in seen.split(|&byte| byte == b' ').filter(|word| !word.is_empty()) {
        let wrong = |reason| Error::BootState { name: SLOTS, reason };
        let Some(name) = Name::from_bytes(word) else {
            return Err(wrong(format!("{:?} can't be the name of a slot", String::from_utf8_lossy(word))));
        };
        if names.contains(&name) {
            return Err(wrong(format!("slot {name} is named twice")));
        }
        names.push(name);
    }
    Ok(names)
}

/// The value that the script sees: U-Boot's import takes a backslash for an escape and an empty value
/// for none (`himport_r` in `lib/hashtable.c`), and on a hardened board keeps its compiled-in value
/// where the stored one is missing or of a wrong type (`env/flags.c`).
fn as_seen(name: &str, stored: Option<&[u8]>, board: &Board) -> Option<Vec<u8>> {
    let value = stored.map(unescape).filter(|value| !value.is_empty());
    if !board.hardened {
        return value;
    }
    let of_its_type = |value: &Vec<u8>| match name {
        SUCCESS => value.len() == 1 && b"1yYtT0nNfF".contains(value.first().unwrap_or(&0)),
        TRIES => value.iter().all(u8::is_ascii_digit),
        _ => true,
    };
    value.filter(of_its_type).or_else(|| {
        let slot = |place: usize| board.slots.get(place).map(|name| name.as_str().as_bytes().to_vec());
        match name {
            ACTIVE => slot(0),
            SUCCESS => Some(b"0".to_vec()),
            TRIES => Some(board.tries.to_string().into()),
            ROLLBACK => slot(1),
            _ => None,
        }
    })
}

fn field<T>(seen: Option<Vec<u8>>, known: impl Fn(&[u8]) -> Option<T>) -> Field<T> {
    match seen {
        None => Field::Absent,
        Some(raw) => known(&raw).map_or_else(|| Field::Odd(raw), Field::Is),
    }
}

fn raw<T>(field: &Field<T>, text: impl Fn(&T) -> Vec<u8>) -> Option<Vec<u8>> {
    match field {
        Field::Absent => None,
        Field::Is(value) => Some(text(value)),
        Field::Odd(raw) => Some(raw.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(variables: &[(&str, &str)], board: &Board) -> State {
        let stored = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, v)| v.as_bytes());
        decode_with(&stored, board).unwrap()
    }

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    #[test]
    fn an_open_board_sees_what_is_stored_and_a_hardened_one_its_own_values_below_it() {
        let open = Board::default();
        let hardened = Board { hardened: true, ..Board::default() };

        assert_eq!(decoded(&[], &open).active, Field::Absent);
        assert_eq!(decoded(&[], &hardened), State::factory(&hardened));

        let odd =
            [("boot_try_count", "2;"), ("boot_success", "yes"), ("boot_slots", "X Y"), ("slot_A", "good")];
        let state = decoded(&odd, &open);
        assert_eq!(state.tries, Field::Odd(b"2;".to_vec()));
        assert_eq!(state.success, Field::Odd(b"yes".to_vec()));
        assert_eq!((&state.slots[1].name, &state.slots[1].mark), (&name("Y"), &Field::Absent));
        let state = decoded(&odd, &hardened);
        assert_eq!((&state.tries, &state.success), (&Field::Is(3), &Field::Is(false)));
        assert_eq!(state.mark(&name("A")), Some(Mark::Good));
        // A sign is no digit, and more digits than one are a number, but no number of tries.
        assert_eq!(decoded(&[("boot_try_count", "-1")], &hardened).tries, Field::Is(3));
        assert_eq!(decoded(&[("boot_try_count", "10")], &hardened).tries, Field::Odd(b"10".to_vec()));
    }

    #[test]
    fn a_backslash_is_read_and_written_as_u_boot_does() {
        let state = decoded(&[("active_slot", "\\A"), ("boot_update", "a\\\\b\\c\\")], &Board::default());
        assert_eq!(state.active, Field::Is(name("A")));
        assert_eq!(state.update.as_deref(), Some(&b"a\\bc\\"[..]));
        let stored = encode(&state);
        assert!(stored.contains(&("boot_update".into(), Some(b"a\\\\bc\\\\".to_vec()))));
        assert!(stored.contains(&("active_slot".into(), Some(b"A".to_vec()))));
    }

    #[test]
    fn an_impossible_slot_name_in_boot_slots_is_an_error_and_so_is_one_twice() {
        let cases = [
            (&b"A B;reset"[..], "boot_slots: \"B;reset\" can't be the name of a slot"),
            (b"A B A", "boot_slots: slot A is named twice"),
            (b"A \\A", "boot_slots: slot A is named twice"),
        ];
        for (slots, says) in cases {
            let stored = |name: &str| (name == "boot_slots").then_some(slots);
            let error = decode_with(&stored, &Board::default()).unwrap_err();
            assert!(matches!(error, Error::BootState { name: SLOTS, .. }), "{error:?}");
            assert_eq!(error.to_string(), says);
        }
    }

    #[test]
    fn what_is_odd_stays_and_only_differences_are_changes() {
        let before = decoded(
            &[("active_slot", "Z"), ("rollback_slot", "B"), ("slot_A", "fine"), ("boot_failed", "?")],
            &Board::default(),
        );
        assert_eq!(before.active, Field::Odd(b"Z".to_vec()));
        let mut after = before.clone();
        after.rollback = Field::Absent;
        after.slots[1].mark = Field::Is(Mark::Good);
        assert_eq!(
            changes(&before, &after),
            [("rollback_slot".to_owned(), None), ("slot_B".to_owned(), Some(b"good".to_vec()))]
        );
        assert!(changes(&before, &before).is_empty());
    }
}
