//! The floor in an order to the slots: what the environment, the file and the trial say, and which steps follow.
//!
//! ```text
//!  file lowered -> [ variables, with those of the order: one store ] -> file raised
//! ```

use std::path::PathBuf;

use crate::env::Environment;
use crate::error::{Error, Place, Result};
use crate::floor::{file, held, Change, FileStep, Floors, Held, Pending, Plan};
use crate::settings::Settings;
use crate::slot::dialect;
use crate::slot::{Standing, State};
use crate::store::Transaction;

const VARIABLE: &str = "bootslot_floor";
const NEXT: &str = "bootslot_floor_next";

/// The floor of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FloorStatus {
    /// The lowest version that is installed; an error where a place holds no version.
    pub lowest: Held,
    /// What the confirmation of the update on trial makes of it.
    pub next: Option<Change>,
    /// The file that the settings name does not hold it: the next order writes it, if it can.
    pub file_differs: bool,
}

impl FloorStatus {
    pub(super) fn new(settings: &Settings, variables: &Environment, state: &State) -> FloorStatus {
        let floors = floors(settings, variables);
        let next = pending(variables).filter(|pending| is_on_trial(state, &pending.update));
        FloorStatus {
            lowest: floors.lowest(),
            next: next.map(|pending| pending.change),
            file_differs: floors.plan(None).file != FileStep::Keep,
        }
    }
}

/// The floor that counts.
///
/// # Errors
///
/// [`Error::BootState`] where one of its places holds something that is no version.
pub(super) fn lowest(settings: &Settings, variables: &Environment) -> Result<Option<String>> {
    floors(settings, variables).lowest().map_err(|reason| Error::BootState { name: "floor", reason })
}

/// The variable that waits for the confirmation, as [`Steps::new`] takes it and a store is tried with.
pub(super) fn waiting(update: &[u8], change: Option<&Change>) -> dialect::Change {
    let pending = change.map(|change| Pending { update: update.into(), change: change.clone() });
    (NEXT.to_owned(), pending.map(|pending| pending.to_bytes()))
}

/// What an order does with the floor beside its own work.
pub(super) struct Steps {
    plan: Plan,
    /// What waits from now on; `None`: what it is.
    next: Option<dialect::Change>,
    file: Option<PathBuf>,
    /// The order confirms an update that changes the floor.
    confirms: bool,
}

impl Steps {
    /// For an order that leads from one state to the other; `next` is what it puts on trial makes of the floor.
    pub fn new(
        settings: &Settings,
        variables: &Environment,
        [before, after]: [&State; 2],
        next: Option<dialect::Change>,
    ) -> Steps {
        let pending = pending(variables);
        let confirmed = pending.as_ref().filter(|pending| {
            let stays = before.active == after.active && matches!(after.standing(), Standing::Confirmed(_));
            stays && is_on_trial(before, &pending.update)
        });
        let plan = floors(settings, variables).plan(confirmed.map(|pending| &pending.change));
        let confirms = confirmed.is_some();
        // What waits for an update that is not on trial any more waits for nothing.
        let over = !pending.as_ref().is_some_and(|pending| is_on_trial(after, &pending.update));
        let next = next.or_else(|| over.then(|| (NEXT.to_owned(), None)));
        Steps { plan, next, file: settings.update.floor.clone(), confirms }
    }

    /// Adds the variables to the order's.
    ///
    /// # Errors
    ///
    /// [`Error::Denied`] and [`Error::Value`], where the order is about the floor.
    pub fn set(&self, transaction: &mut Transaction<'_>, changes: &mut Vec<dialect::Change>) -> Result<()> {
        let floor =
            self.plan.variable.clone().map(|floor| (VARIABLE.to_owned(), floor.map(String::into_bytes)));
        let about = |(name, value): &dialect::Change| (name == NEXT && value.is_some()) || self.confirms;
        for change in floor.into_iter().chain(self.next.clone()) {
            match transaction.set(change.0.as_bytes(), change.1.as_deref().unwrap_or_default()) {
                Ok(true) => changes.push(change),
                // A slot is not kept from being confirmed by a list of variables that lacks this one: the file has it.
                Ok(false) | Err(Error::Denied { .. }) if !about(&change) => {}
                Ok(false) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// What comes before the store.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]: the order is not carried out then.
    pub fn before_store(&self) -> Result<()> {
        match (&self.plan.file, &self.file) {
            (FileStep::Before(floor), Some(path)) => file::write(path, floor.as_deref())
                .map_err(|error| Place::new(path, "lowering the floor").io(error)),
            _ => Ok(()),
        }
    }

    /// What comes after it.
    ///
    /// # Errors
    ///
    /// [`Error::FloorNotStored`] of an order that confirms. Any other one is not kept from its own work: what is
    /// missing in the file is in the environment, and the next order tries again.
    pub fn after_store(&self) -> Result<()> {
        let (FileStep::After(floor), Some(path)) = (&self.plan.file, &self.file) else { return Ok(()) };
        match file::write(path, floor.as_deref()) {
            Err(error) if self.confirms => {
                let error = Place::new(path, "raising the floor").io(error);
                Err(Error::FloorNotStored(Box::new(error)))
            }
            _ => Ok(()),
        }
    }
}

fn floors(settings: &Settings, variables: &Environment) -> Floors {
    let variable = held(VARIABLE, variables.get(VARIABLE.as_bytes()).unwrap_or_default());
    Floors { variable, file: settings.update.floor.as_ref().map(|path| file::read(path)) }
}

fn pending(variables: &Environment) -> Option<Pending> {
    variables.get(NEXT.as_bytes()).and_then(Pending::parse)
}

/// Whether this update is on trial, be its tries used up or not.
fn is_on_trial(state: &State, update: &[u8]) -> bool {
    let active = state.active.known().filter(|active| state.is_on_trial(active));
    active.is_some() && state.update.as_deref() == Some(update)
}
