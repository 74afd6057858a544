//! What is known about a device's slots at one instant.

use crate::slot::dialect::{Change, Dialect};
use crate::slot::{next_boot, Board, Chosen, Name, State, Step, Working};
use crate::store::Health;

/// What is known about a device's slots.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Status {
    /// The boot state: slots and their marks, trial, last failure.
    pub state: State,
    /// The slot that runs, or why that is unknown.
    pub running: Result<Name, String>,
    /// The health of the environment that holds the boot state.
    pub health: Health,
    /// What the next boot will do.
    pub next: NextBoot,
}

/// What a boot comes to, if every slot loads and every store works.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NextBoot {
    /// What runs in the end.
    pub chosen: Chosen,
    /// Why, in order.
    pub steps: Vec<Step>,
    /// The variables that each of its stores changes; empty for a normal boot.
    pub stores: Vec<Vec<Change>>,
}

impl NextBoot {
    pub(super) fn new(state: &State, board: &Board, dialect: Dialect) -> NextBoot {
        let mut machine = Working::default();
        let boot = next_boot(state, board.tries, &mut machine);
        let befores = std::iter::once(state).chain(&machine.stored);
        let stores = befores.zip(&machine.stored).map(|(from, to)| dialect.changes(from, to)).collect();
        NextBoot { chosen: boot.chosen, steps: boot.steps, stores }
    }
}
