//! What is known about a device's slots at one instant.

use crate::slot::dialect::{Change, Dialect};
use crate::slot::{next_boot, Chosen, Machine, Name, Script, State, Step, Working};
use crate::store::Health;

/// What is known about a device's slots.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Status {
    /// The boot state: slots and their marks, trial, last failure.
    pub state: State,
    /// The slot that runs, or why that is unknown.
    pub running: Result<Name, String>,
    /// The slots whose device `/` is on; none where that is not known.
    pub on_root: Vec<Name>,
    /// The boot script that U-Boot runs, or why that is unknown: then nothing is known of the next boot, either.
    pub script: Result<Script, String>,
    /// Whether a confirmed slot that loads and then hangs is left, by U-Boot's boot counter and `bootslot_guard`.
    pub guard: bool,
    /// Whether the environment names other slots than the settings.
    pub slots_differ: bool,
    /// The health of the environment that holds the boot state.
    pub health: Health,
    /// What the next boot will do.
    pub next: NextBoot,
    /// The lowest version that is installed.
    #[cfg(feature = "settings")]
    pub floor: super::floor::FloorStatus,
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
    /// The slots in the order in which they are tried, if none of them loads.
    pub order: Vec<Name>,
    /// What happens at the end of it.
    pub end: Chosen,
}

impl NextBoot {
    pub(super) fn new(state: &State, dialect: Dialect) -> NextBoot {
        let mut machine = Working::default();
        let boot = next_boot(state, &mut machine);
        let befores = std::iter::once(state).chain(&machine.stored);
        let stores = befores.zip(&machine.stored).map(|(from, to)| dialect.changes(from, to)).collect();
        let mut dead = Dead { tried: Vec::new() };
        let end = next_boot(state, &mut dead).chosen;
        NextBoot { chosen: boot.chosen, steps: boot.steps, stores, order: dead.tried, end }
    }
}

/// A machine on which nothing loads; it keeps what was tried.
struct Dead {
    tried: Vec<Name>,
}

impl Machine for Dead {
    fn loads(&mut self, slot: &Name) -> bool {
        if self.tried.last() != Some(slot) {
            self.tried.push(slot.clone());
        }
        false
    }

    fn save(&mut self, _: &State) -> bool {
        true
    }

    fn has_recovery(&self) -> bool {
        false
    }
}
