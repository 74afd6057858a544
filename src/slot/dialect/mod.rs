//! Pure: How a boot state is written as variables.
//!
//! Each dialect has its variables in one table: [`native`]'s are those of bootslot's own boot script, the others are those of
//! updaters and boot code that a fleet has already. What a dialect has no variable for is refused, never stored as
//! something near to it. Variables that are not the dialect's stay as they are, byte by byte.

#[cfg(feature = "settings")]
pub mod bootcount;
#[cfg(feature = "settings")]
mod convert;
#[cfg(feature = "settings")]
mod counted;
#[cfg(feature = "settings")]
mod detect;
#[cfg(feature = "settings")]
pub mod mender;
pub mod native;
#[cfg(feature = "settings")]
pub mod rauc;

#[cfg(feature = "settings")]
pub use convert::{convert, is_converted, Conversion};
#[cfg(feature = "settings")]
pub use detect::{detect, Detected};

use super::{Board, Name, Reader, State};
#[cfg(feature = "settings")]
use super::{Foreign, Mark};
use crate::env::Environment;
#[cfg_attr(not(feature = "settings"), allow(unused_imports))]
use crate::error::Error;
use crate::error::Result;

/// One variable to set, or to delete (`None`). Values are as they are stored.
pub type Change = (String, Option<Vec<u8>>);

/// The variables that a board's boot code and user space have agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Dialect {
    /// Those of `uboot-scripts/bootslot.env`, see [`native`].
    #[default]
    Native,
    /// Those of RAUC, see [`rauc`].
    #[cfg(feature = "settings")]
    Rauc,
    /// Those of Mender, see [`mender`].
    #[cfg(feature = "settings")]
    Mender,
    /// Those of U-Boot's boot counter, see [`bootcount`].
    #[cfg(feature = "settings")]
    Bootcount,
}

impl Dialect {
    /// All that this build knows.
    pub const ALL: &'static [Dialect] = &[
        Dialect::Native,
        #[cfg(feature = "settings")]
        Dialect::Rauc,
        #[cfg(feature = "settings")]
        Dialect::Mender,
        #[cfg(feature = "settings")]
        Dialect::Bootcount,
    ];

    /// The dialect of this name, as the settings have it.
    pub fn named(name: &str) -> Option<Dialect> {
        Dialect::ALL.iter().copied().find(|dialect| dialect.name() == name)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Dialect::Native => "native",
            #[cfg(feature = "settings")]
            Dialect::Rauc => "rauc",
            #[cfg(feature = "settings")]
            Dialect::Mender => "mender",
            #[cfg(feature = "settings")]
            Dialect::Bootcount => "bootcount",
        }
    }

    /// The boot code that may read it. The first one is meant where the settings name none.
    pub fn readers(self) -> &'static [Reader] {
        match self {
            Dialect::Native => &[Reader::Script],
            #[cfg(feature = "settings")]
            Dialect::Rauc => &[Reader::Contrib, Reader::Bootmeth, Reader::RaucScript, Reader::RaucUncounted],
            #[cfg(feature = "settings")]
            Dialect::Mender => &[Reader::Mender, Reader::MenderScript],
            #[cfg(feature = "settings")]
            Dialect::Bootcount => &[Reader::Altbootcmd, Reader::BootcountScript],
        }
    }

    /// The boot state that the boot code will see when U-Boot loads these variables.
    ///
    /// # Errors
    ///
    /// [`Error::BootState`] where they can't be a state of this board.
    pub fn decode(self, variables: &Environment, board: &Board) -> Result<State> {
        match self {
            Dialect::Native => native::decode(variables, board),
            #[cfg(feature = "settings")]
            Dialect::Rauc => rauc::decode(variables, board),
            #[cfg(feature = "settings")]
            Dialect::Mender => mender::decode(variables, board),
            #[cfg(feature = "settings")]
            Dialect::Bootcount => bootcount::decode(variables, board),
        }
    }

    /// The same, as it is seen from the slot that runs: some variables do not tell a slot's last boot from a slot that has
    /// failed.
    ///
    /// # Errors
    ///
    /// As [`decode`](Dialect::decode).
    pub fn decode_in(self, variables: &Environment, board: &Board, running: Option<&Name>) -> Result<State> {
        let state = self.decode(variables, board)?;
        #[cfg(feature = "settings")]
        if let Some(Foreign::Rauc(rauc)) = &state.foreign {
            return Ok(rauc.clone().seen_from(running).state());
        }
        let _ = running;
        Ok(state)
    }

    /// What U-Boot starts with where it can load no environment: its compiled-in variables, as far as they are known.
    ///
    /// # Errors
    ///
    /// As [`decode`](Dialect::decode).
    pub fn compiled_in(self, board: &Board) -> Result<State> {
        match self {
            Dialect::Native => Ok(State::factory(board)),
            #[cfg(feature = "settings")]
            _ => self.decode(&Environment::default(), board),
        }
    }

    /// Every variable of a state; those that are absent are to be deleted. What the state says and the dialect has no
    /// variable for is as it was read: [`changes`](Dialect::changes) refuses to store that.
    pub fn variables(self, state: &State) -> Vec<Change> {
        #[cfg(feature = "settings")]
        match &state.foreign {
            None => {}
            Some(Foreign::Rauc(read)) => {
                return rauc::encode(rauc::express(read, state).as_ref().unwrap_or(read));
            }
            Some(Foreign::Counted(read)) => {
                return counted::encode(counted::express(read, state).as_ref().unwrap_or(read));
            }
        }
        native::encode(state)
    }

    /// What one store has to change to get from one state to the other; empty when nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] where the dialect has no way to say the second one.
    pub fn changes(self, from: &State, to: &State) -> Result<Vec<Change>> {
        let to = self.express(to)?;
        let before = self.variables(from);
        Ok(self.variables(&to).into_iter().filter(|change| !before.contains(change)).collect())
    }

    /// The state that will be read once this one is stored: the boot code sees the same in both.
    ///
    /// # Errors
    ///
    /// As [`changes`](Dialect::changes).
    pub fn express(self, state: &State) -> Result<State> {
        #[cfg(feature = "settings")]
        {
            let refused = |why| Error::Refused(format!("the dialect {} can't say this: {why}", self.name()));
            match &state.foreign {
                None => {}
                Some(Foreign::Rauc(read)) => {
                    return rauc::express(read, state).map(|stored| stored.state()).map_err(refused);
                }
                Some(Foreign::Counted(read)) => {
                    return counted::express(read, state).map(|stored| stored.state()).map_err(refused);
                }
            }
        }
        Ok(state.clone())
    }
}

/// The value that the boot code sees: U-Boot's import takes a backslash for an escape and an empty value for none
/// (`himport_r` in `lib/hashtable.c`).
#[cfg(feature = "settings")]
fn seen(stored: Option<&[u8]>) -> Option<Vec<u8>> {
    stored.map(unescape).filter(|value| !value.is_empty())
}

/// Drops each backslash that escapes a character, as `himport_r` does; one at the very end stays.
fn unescape(stored: &[u8]) -> Vec<u8> {
    let mut bytes = stored.iter().copied();
    let mut value = Vec::with_capacity(stored.len());
    while let Some(byte) = bytes.next() {
        value.push(if byte == b'\\' { bytes.next().unwrap_or(byte) } else { byte });
    }
    value
}

/// The variables as they are stored: no empty ones, and each backslash doubled, as `hexport_r` does.
fn stored(variables: &mut [Change]) {
    for (_, value) in variables {
        *value = value.take().filter(|value| !value.is_empty()).map(|value| escape(&value));
    }
}

fn escape(value: &[u8]) -> Vec<u8> {
    let mut stored = Vec::with_capacity(value.len());
    for &byte in value {
        if byte == b'\\' {
            stored.push(byte);
        }
        stored.push(byte);
    }
    stored
}

/// What is recorded of a slot, in words.
#[cfg(feature = "settings")]
fn text_of(mark: Option<Mark>) -> &'static str {
    match mark {
        Some(Mark::Good) => "it is good",
        Some(Mark::Writing) => "it is being written",
        Some(Mark::Failed) => "it has failed",
        None => "it is unknown",
    }
}

/// The slot that a trial returns to, where it may boot at all.
#[cfg(feature = "settings")]
fn way_back(state: &State) -> Option<&Name> {
    state.returns_to().filter(|to| !matches!(state.mark(to), Some(Mark::Failed | Mark::Writing)))
}

/// What is stored and what was wanted, where the boot code sees a difference: in words.
#[cfg(feature = "settings")]
fn differs(stored: &State, wanted: &State) -> Option<String> {
    use super::Standing;
    let same_mark = |slot: &Name| {
        // A slot on trial is one that is not confirmed, whatever it was before.
        let tried = matches!(wanted.standing(), Standing::Trial { slot: on_trial, .. } if on_trial == slot);
        stored.mark(slot) == if tried { None } else { wanted.mark(slot) }
    };
    let name = wanted.slots.iter().map(|slot| &slot.name).find(|slot| !same_mark(slot));
    if let Some(name) = name {
        return Some(format!("of slot {name}, that {}", text_of(wanted.mark(name))));
    }
    // A trial that is over: which slot takes its place is the boot code's choice, and it may have been made by what is stored.
    if matches!(wanted.standing(), Standing::Over(Some(_))) {
        return None;
    }
    if stored.active.known() != wanted.active.known() || stored.standing() != wanted.standing() {
        return Some("which slot is active, with these tries".into());
    }
    let returns = way_back(wanted).is_none_or(|to| stored.returns_to() == Some(to));
    if !returns || stored.update != wanted.update || stored.failed != wanted.failed {
        return Some("where the trial returns to, its update, or the last failure".into());
    }
    None
}
