//! Pure: the boot state of one dialect, written in another one.
//!
//! ```text
//!  variables of the old one -> State, confirmed -> variables of the new one;  the old ones are deleted, or kept
//! ```
//!
//! Both dialects then say the same: the same slot is confirmed. Where the old variables are kept, the old boot code and the new
//! one boot the same slot, until something is ordered.

use super::{text_of, Change, Detected, Dialect};
use crate::env::Environment;
use crate::error::{Error, Result};
use crate::slot::{Board, Field, Foreign, Mark, Name, Standing, State};

/// What a conversion comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Conversion {
    /// What one store has to change.
    pub changes: Vec<Change>,
    /// What the new dialect has no variable for, and nobody will know any more: in words.
    pub lost: Vec<String>,
    /// The boot state as the new boot code will see it.
    pub state: State,
}

impl Conversion {
    /// One that was carried out already.
    pub fn done(state: State) -> Conversion {
        Conversion { changes: Vec::new(), lost: Vec::new(), state }
    }
}

/// What has to be stored for a board that speaks another dialect from now on. With `keep` the old dialect's variables
/// stay. To the dialect that it speaks already: the variables of others, which an earlier conversion has kept, are deleted.
///
/// # Errors
///
/// [`Error::Refused`] during a trial, where the active slot is unknown, and where the new dialect can't say what is
/// recorded; [`Error::BootState`] where the new one does not fit to the board.
pub fn convert(
    variables: &Environment,
    state: &State,
    from: Dialect,
    (to, board): (Dialect, &Board),
    keep: bool,
) -> Result<Conversion> {
    let Standing::Confirmed(active) = state.standing() else {
        return Err(Error::Refused(
            "a slot is on trial, or none is active: confirm it or roll it back first".into(),
        ));
    };
    if to == from {
        return tidy(variables, state, (to, board));
    }
    let (wanted, lost) = written(variables, state, active, (to, board))?;
    let new = to.variables(&wanted);
    let mut changes: Vec<Change> = new.clone();
    let old = from.variables(state);
    if keep {
        // Some names are in both. To the old boot code a mark means what it meant, and the new one does not look at it.
        let is_old = |name: &String| old.iter().any(|(old, value)| old == name && value.is_some());
        changes.retain(|(name, value)| value.is_some() || !is_old(name));
    } else {
        let names = old.into_iter().map(|(name, _)| name);
        let gone = names.filter(|name| !new.iter().any(|(new, _)| new == name));
        changes.extend(gone.map(|name| (name, None)));
    }
    changes.retain(|change| differs(variables, change));
    Ok(Conversion { changes, lost, state: wanted })
}

/// Whether these variables speak the new dialect already, and the old one no more: the conversion was carried out, and
/// the settings were not changed yet.
pub fn is_converted(variables: &Environment, from: Dialect, to: Dialect) -> bool {
    from != to && matches!(super::detect(variables), Detected::One(dialect, _) if dialect == to)
}

fn differs(variables: &Environment, (name, value): &Change) -> bool {
    variables.get(name.as_bytes()).filter(|value| !value.is_empty()) != value.as_deref()
}

/// The state in the new dialect, and what that has no variable for.
fn written(
    variables: &Environment,
    state: &State,
    active: &Name,
    (to, board): (Dialect, &Board),
) -> Result<(State, Vec<String>)> {
    // An earlier conversion may have been carried out, and others have stored since.
    let base = to.decode(variables, board)?;
    let names = |state: &State| {
        let mut names: Vec<Name> = state.slots.iter().map(|slot| slot.name.clone()).collect();
        names.sort();
        names
    };
    if names(&base) != names(state) {
        return Err(Error::Refused(
            "the settings name other slots than the environment: make them agree first".into(),
        ));
    }
    let mut lost = Vec::new();
    let mut wanted = base.clone();
    for slot in &mut wanted.slots {
        let mark = state.mark(&slot.name);
        let says_good = !matches!(base.foreign, Some(Foreign::Counted(_))) || slot.name == *active;
        slot.mark = match mark {
            Some(Mark::Good) if !says_good => {
                lost.push(format!(
                    "of slot {}, that {}: it is unknown from now on",
                    slot.name,
                    text_of(mark)
                ));
                Field::Absent
            }
            Some(mark) => Field::Is(mark),
            None => Field::Absent,
        };
    }
    wanted.active = Field::Is(active.clone());
    wanted.success = Field::Is(true);
    wanted.tries = Field::Is(0);
    wanted.rollback = Field::Absent;
    wanted.update = None;
    wanted.failed.clone_from(&state.failed);
    Ok((to.express(&wanted)?, lost))
}

/// Deletes what other dialects have left.
fn tidy(variables: &Environment, state: &State, (to, board): (Dialect, &Board)) -> Result<Conversion> {
    let own: Vec<String> = to.variables(state).into_iter().map(|(name, _)| name).collect();
    let mut changes: Vec<Change> = Vec::new();
    let found = match super::detect(variables) {
        Detected::Nothing => Vec::new(),
        Detected::One(dialect, _) => vec![dialect],
        Detected::Several(found) => found.into_iter().map(|(dialect, _)| dialect).collect(),
    };
    for other in found.into_iter().filter(|other| *other != to) {
        let reader = other.readers().first().copied().unwrap_or_default();
        let read = other.decode(variables, &Board { reader, ..board.clone() })?;
        changes.extend(other.variables(&read).into_iter().map(|(name, _)| (name, None)));
    }
    changes.retain(|change| !own.contains(&change.0) && differs(variables, change));
    changes.dedup();
    Ok(Conversion { changes, lost: Vec::new(), state: state.clone() })
}
