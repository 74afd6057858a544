//! What waits for a person: a state that nobody notices would be one without an exit.

use super::data::facts;
use crate::device::Device;
use crate::migrate::{self, Next};

/// Something that goes on only if a person does something.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Waits {
    /// What waits, and why, as a phrase.
    pub what: String,
    /// The command that decides; empty where `what` says what to do.
    pub next: &'static str,
}

/// What waits on this device: checks that leave the trial that runs to somebody, data that can't be made ready. Nothing is
/// written. What can't be read is passed over: [`Device::status`] and the report say so.
pub fn waits(device: &mut Device) -> Vec<Waits> {
    checks(device).into_iter().chain(data(device)).collect()
}

/// The last decision of this boot, if it was to wait and the slot is still on trial.
fn checks(device: &mut Device) -> Option<Waits> {
    let running = device.running().cloned()?;
    device.state().ok().filter(|state| state.is_on_trial(&running))?;
    let journal = device.journal()?;
    let boot = journal.boot().to_owned();
    let records = journal.read().ok()?.records;
    let last = records.iter().rev().find(|record| record.kind == "decision" && record.boot == boot)?;
    let waits = last.get("decision") == "wait" && last.get("slot") == running.as_str();
    waits.then(|| Waits {
        what: format!("slot {running}, for these checks: {}", last.get("checks")),
        next: "bootslot confirm, or bootslot rollback",
    })
}

fn data(device: &mut Device) -> Option<Waits> {
    let settings = device.settings().migrate.clone();
    let facts = facts(device, &mut |_| {});
    let what = match migrate::status(&settings, &facts) {
        Ok(status) => match status?.next {
            Next::Refuse(refusal) => refusal.to_string(),
            _ => return None,
        },
        Err(error) => error.to_string(),
    };
    Some(Waits { what, next: "" })
}
