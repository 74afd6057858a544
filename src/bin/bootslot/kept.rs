//! What the slots, the checks and the migration share: who runs, what the journal hears of the data, and that the data of
//! a confirmed slot are kept.

use bootslot::device::Device;
use bootslot::journal;
use bootslot::migrate::{self, Facts};
use bootslot::Error;

use crate::outcome::{complain, Failure};

/// How the messages begin.
pub const PROGRAM: &str = "bootslot migrate";

/// The slot was confirmed: the data stay as they are. Where that fails, the next boot's migration does the same.
pub fn keep(device: &mut Device) {
    let settings = device.settings().migrate.clone();
    if settings.data.is_empty() {
        return;
    }
    let facts = facts(device);
    let kept = migrate::confirm(&settings, &facts, &mut |event| {
        note(Some(&mut *device), event.name(), &event.to_string());
    });
    if let Err(error) = kept {
        complain(PROGRAM, format_args!("{error}; the next boot tries again"));
    }
}

/// What happens goes to the journal, where there is one. A journal that is full keeps no services from starting.
pub fn note(device: Option<&mut Device>, step: &str, detail: &str) {
    let Some(journal) = device.and_then(Device::journal) else { return };
    let event = journal::Event::Migration { step: step.into(), detail: detail.into() };
    if let Err(error) = journal.append(&[event]) {
        complain(PROGRAM, format_args!("{error}"));
    }
}

/// Who runs. Where the boot state can't be read, nobody is confirmed.
pub fn facts(device: &mut Device) -> Facts {
    let running = device.running().cloned();
    match device.state() {
        Ok(state) => Facts::new(&state, running.as_ref()),
        Err(error) => {
            // Where no copy is valid, U-Boot boots by its compiled-in variables, which are a trial.
            if !matches!(error, Error::NoValidCopy { .. }) {
                unread(&error.into());
            }
            Facts { slot: running, ..Facts::default() }
        }
    }
}

/// Why the boot state is not known.
pub fn unread(failure: &Failure) {
    if let Failure::Error(error) = failure {
        complain(PROGRAM, format_args!("the boot state can't be read: {error}"));
    }
}
