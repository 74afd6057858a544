//! What is known about a device's slots at one instant.

#[cfg(feature = "settings")]
use crate::env::Environment;
#[cfg(feature = "settings")]
use crate::slot::dialect::Detected;
use crate::slot::dialect::{Change, Dialect};
use crate::slot::{next_boot, Board, Boot, Chosen, Machine, Name, Reader, Script, State, Step, Working};
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
    /// Whether a confirmed slot that loads and then hangs is left, by U-Boot's boot counter and `bootslot_guard`, or because
    /// the boot code counts each boot.
    pub guard: bool,
    /// How the boot state is written, by the settings.
    pub dialect: Dialect,
    /// The boot code that it is read by: the one that the settings name, else one that tells that it is there.
    pub reader: Reader,
    /// Which of bootslot's own scripts for the variables of others tells that it is there; or why it does not fit to the
    /// settings.
    #[cfg(feature = "settings")]
    pub told: Option<Result<Reader, String>>,
    /// How it is written, by the variables that are there.
    #[cfg(feature = "settings")]
    pub detected: Detected,
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
    /// Other boot code that reads the same variables, and would not do the same.
    #[cfg(feature = "settings")]
    pub otherwise: Vec<Otherwise>,
}

/// What other boot code than the settings' would do.
#[cfg(feature = "settings")]
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Otherwise {
    /// The boot code.
    pub reader: Reader,
    /// What would run in the end.
    pub chosen: Chosen,
    /// The variables that each of its stores would change.
    pub stores: Vec<Vec<Change>>,
}

impl NextBoot {
    pub(super) fn new(state: &State, board: &Board, dialect: Dialect) -> NextBoot {
        let (boot, stores) = predicted(state, dialect);
        let mut dead = Dead { tried: Vec::new() };
        let end = next_boot(state, &mut dead).chosen;
        #[cfg(feature = "settings")]
        let otherwise = otherwise(state, board, dialect, (&boot.chosen, &stores));
        #[cfg(not(feature = "settings"))]
        let _ = board;
        NextBoot {
            chosen: boot.chosen,
            steps: boot.steps,
            stores,
            order: dead.tried,
            end,
            #[cfg(feature = "settings")]
            otherwise,
        }
    }
}

/// What a boot comes to on a machine on which all goes well, and what each of its stores changes.
fn predicted(state: &State, dialect: Dialect) -> (Boot, Vec<Vec<Change>>) {
    let mut machine = Working::default();
    let boot = next_boot(state, &mut machine);
    let befores = std::iter::once(state).chain(&machine.stored);
    // What boot code stores, its dialect can say.
    let changes = |(from, to)| dialect.changes(from, to).unwrap_or_default();
    let stores = befores.zip(&machine.stored).map(changes).collect();
    (boot, stores)
}

/// Where others' boot code of the dialect reads the same variables otherwise. bootslot's own tells that it is there, so it is
/// no surprise; what it counts is another thing than which slot boots.
#[cfg(feature = "settings")]
fn otherwise(
    state: &State,
    board: &Board,
    dialect: Dialect,
    said: (&Chosen, &Vec<Vec<Change>>),
) -> Vec<Otherwise> {
    let mut variables = Environment::default();
    for (name, value) in dialect.variables(state) {
        let _ = variables.set(name.as_bytes(), &value.unwrap_or_default());
    }
    let others = dialect.readers().iter().filter(|reader| **reader != board.reader && !reader.is_ours());
    let boots = others.filter_map(|&reader| {
        let state = dialect.decode(&variables, &Board { reader, ..board.clone() }).ok()?;
        let (boot, stores) = predicted(&state, dialect);
        Some(Otherwise { reader, chosen: boot.chosen, stores })
    });
    let same_stores = |other: &Otherwise| board.reader.is_ours() || other.stores == *said.1;
    boots.filter(|other| other.chosen != *said.0 || !same_stores(other)).collect()
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
