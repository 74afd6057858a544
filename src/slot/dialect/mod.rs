//! Pure: How a boot state is written as variables.

pub mod native;

use super::{Board, State};
use crate::env::Environment;
use crate::error::Result;

/// One variable to set, or to delete (`None`). Values are as they are stored.
pub type Change = (String, Option<Vec<u8>>);

/// The variables that a board's boot script and user space have agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Dialect {
    /// Those of `uboot-scripts/bootslot.env`, see [`native`].
    #[default]
    Native,
}

impl Dialect {
    /// All that this build knows.
    pub const ALL: [Dialect; 1] = [Dialect::Native];

    /// The dialect of this name, as the settings have it.
    pub fn named(name: &str) -> Option<Dialect> {
        Dialect::ALL.into_iter().find(|dialect| dialect.name() == name)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Dialect::Native => "native",
        }
    }

    /// The boot state that the boot script will see when U-Boot loads these variables.
    ///
    /// # Errors
    ///
    /// [`Error::BootState`](crate::Error::BootState) where they can't be a state of this board.
    pub fn decode(self, variables: &Environment, board: &Board) -> Result<State> {
        match self {
            Dialect::Native => native::decode(variables, board),
        }
    }

    /// Every variable of a state; those that are absent are to be deleted.
    pub fn variables(self, state: &State) -> Vec<Change> {
        match self {
            Dialect::Native => native::encode(state),
        }
    }

    /// What one store has to change to get from one state to the other; empty when nothing.
    pub fn changes(self, from: &State, to: &State) -> Vec<Change> {
        match self {
            Dialect::Native => native::changes(from, to),
        }
    }
}
