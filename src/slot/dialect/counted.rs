//! Pure: What the dialects share that use U-Boot's boot counter ([`mender`](super::mender), [`bootcount`](super::bootcount)).

use super::{differs, seen, stored, text_of, Change};
use crate::env::Environment;
use crate::error::{Error, Result};
use crate::slot::counted::{Counted, Place};
use crate::slot::{Board, Field, Mark, Name, Standing, State};

const UPGRADE: &str = "upgrade_available";
const COUNT: &str = "bootcount";
const LIMIT: &str = "bootlimit";
const USTATE: &str = "ustate";
const RECOVERY: &str = "recovery_status";
const UPDATE: &str = "boot_update";
const FAILED: &str = "boot_failed";

/// What is a dialect's own.
pub(super) struct Names<'n> {
    /// The variables that say which slot boots.
    pub active: &'n [&'n str],
    /// The last of them, if it repeats the first one as a hexadecimal number: its letters may be small or capital.
    pub hex: Option<&'n str>,
    /// Whether SWUpdate's variables belong to it.
    pub swupdate: bool,
}

fn mark_variable(slot: &Name) -> String {
    format!("slot_{slot}")
}

/// The boot state that U-Boot will see. `values` are those of the active slot's variables, for each slot.
///
/// # Errors
///
/// [`Error::BootState`] where the board has not two slots, or a last resort.
pub(super) fn decode(
    variables: &Environment,
    board: &Board,
    names: &Names<'_>,
    values: Vec<Vec<Vec<u8>>>,
) -> Result<State> {
    let value = |name: &str| seen(variables.get(name.as_bytes()));
    // bootslot's own script looks at the first one alone, and sets both.
    let first = names.active.first().and_then(|name| value(name));
    let repeated = values.iter().find(|place| place.first() == first.as_ref()).and_then(|place| place.last());
    let repeated = repeated.filter(|_| board.reader.is_ours()).cloned();
    let named = |name: &str| match names.hex == Some(name) {
        true => repeated.clone().or_else(|| value(name).map(|number| number.to_ascii_lowercase())),
        false => value(name),
    };
    let places = board.slots.iter().zip(values).map(|(slot, values)| Place {
        slot: slot.clone(),
        values,
        mark: value(&mark_variable(slot)),
    });
    let places: [Place; 2] =
        places.collect::<Vec<_>>().try_into().ok().filter(|_| board.last_resort.is_none()).ok_or_else(
            || Error::BootState {
                name: UPGRADE,
                reason: "it is for a board with two slots and no last resort".into(),
            },
        )?;
    let counted = Counted {
        reader: board.reader,
        places,
        active: names.active.iter().map(|name| ((*name).to_owned(), named(name))).collect(),
        upgrade: value(UPGRADE),
        count: value(COUNT),
        limit: value(LIMIT),
        swupdate: names.swupdate,
        ustate: value(USTATE).filter(|_| names.swupdate),
        recovery_status: value(RECOVERY).filter(|_| names.swupdate),
        tries: board.tries,
        update: value(UPDATE),
        failed: value(FAILED),
    };
    Ok(counted.state())
}

/// Every variable that is written, as it is stored.
pub(super) fn encode(counted: &Counted) -> Vec<Change> {
    let mut variables = counted.active.clone();
    variables.push((UPGRADE.to_owned(), counted.upgrade.clone()));
    variables.push((COUNT.to_owned(), counted.count.clone()));
    if counted.swupdate {
        variables.push((USTATE.to_owned(), counted.ustate.clone()));
        variables.push((RECOVERY.to_owned(), counted.recovery_status.clone()));
    }
    variables.extend(counted.places.iter().map(|place| (mark_variable(&place.slot), place.mark.clone())));
    variables.push((UPDATE.to_owned(), counted.update.clone()));
    variables.push((FAILED.to_owned(), counted.failed.clone()));
    stored(&mut variables);
    variables
}

/// The variables that say this state: those that it was read from, with what the state says otherwise. An error is
/// what they have no way to say.
pub(super) fn express(counted: &Counted, wanted: &State) -> std::result::Result<Counted, String> {
    let before = counted.state();
    if *wanted == before {
        return Ok(counted.clone());
    }
    let wanted = &without_fallback(&before, wanted);
    let mut next = counted.clone();
    if let Some(active) = wanted.active.known().filter(|_| wanted.active != before.active) {
        next.activate(active);
    }
    match (wanted.active.known(), wanted.standing()) {
        (None, _) if wanted.slots == before.slots => {}
        (None, _) => return Err("the stored variables name no slot of this board".into()),
        (_, Standing::Confirmed(_)) => {
            if next.is_trial() || next.upgrade.is_none() {
                next.upgrade = Some(b"0".to_vec());
            }
        }
        _ if wanted.active == before.active && wanted.tries == before.tries && counted.is_trial() => {}
        (Some(_), standing) => {
            let left = if let Standing::Trial { left, .. } = standing { left } else { 0 };
            let limit = counted.limit();
            if limit == 0 {
                return Err("bootlimit is not set, and U-Boot would never give the trial up".into());
            }
            let boots = limit.checked_sub(left.into());
            let boots = boots.ok_or_else(|| format!("bootlimit is {limit}: a trial has no {left} tries"))?;
            next.upgrade = Some(b"1".to_vec());
            next.count = Some(boots.to_string().into());
        }
    }
    if wanted.active.known().is_some() {
        marks(&mut next, wanted)?;
        swupdate(&mut next, &before, wanted);
    }
    next.update = match (wanted.active.known(), &wanted.update) {
        (Some(slot), Some(id)) => Some([slot.as_str().as_bytes(), b":", id].concat()),
        _ => None,
    };
    next.failed.clone_from(&wanted.failed);
    match differs(&next.state(), wanted) {
        None => Ok(next),
        Some(what) => Err(what),
    }
}

/// A slot is good while a trial returns to it. Once the trial is over nothing says so any more: it is unknown then, which
/// U-Boot does not ask for.
fn without_fallback(before: &State, wanted: &State) -> State {
    let mut state = wanted.clone();
    let Standing::Confirmed(active) = wanted.standing() else { return state };
    for slot in state.slots.iter_mut().filter(|slot| slot.name != *active) {
        if slot.mark == Field::Is(Mark::Good) && before.mark(&slot.name) == Some(Mark::Good) {
            slot.mark = Field::Absent;
        }
    }
    state
}

/// bootslot's own marks: only of the slot that nothing boots.
fn marks(next: &mut Counted, wanted: &State) -> std::result::Result<(), String> {
    let on_trial = next.is_trial();
    for place in &mut next.places {
        let mark = wanted.mark(&place.slot);
        place.mark = match mark {
            _ if wanted.active.known() == Some(&place.slot) => None,
            Some(Mark::Good) if on_trial => None,
            _ if on_trial => {
                let other = format!("of slot {}, that {}", place.slot, text_of(mark));
                return Err(format!(
                    "U-Boot goes back to a slot that is good, and nothing else can be said {other}"
                ));
            }
            Some(Mark::Good) => {
                return Err(format!("slot {} is good, and is not the active one", place.slot));
            }
            Some(Mark::Writing) => Some(b"bad".to_vec()),
            Some(Mark::Failed) => Some(b"failed".to_vec()),
            None => place.mark.take().filter(|mark| mark != b"bad" && mark != b"failed"),
        };
    }
    Ok(())
}

/// SWUpdate's variables follow, where they are there.
fn swupdate(next: &mut Counted, before: &State, wanted: &State) {
    let has = |mark| wanted.slots.iter().any(|slot| wanted.mark(&slot.name) == Some(mark));
    if let Some(ustate) = &mut next.ustate {
        let changed = before.active != wanted.active || before.success != wanted.success;
        let value = match wanted.standing() {
            Standing::Confirmed(_) if changed && has(Mark::Failed) => Some(b"3"),
            Standing::Confirmed(_) if changed || (ustate == b"3" && !has(Mark::Failed)) => Some(b"0"),
            Standing::Confirmed(_) => None,
            _ => Some(b"1"),
        };
        if let Some(value) = value {
            *ustate = value.to_vec();
        }
    }
    if next.recovery_status.as_deref() == Some(b"in_progress") && !has(Mark::Writing) {
        next.recovery_status = None;
    }
}
