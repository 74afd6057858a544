//! The data of a system on trial: who runs, what the journal hears of the migration, and that the data of a confirmed slot
//! are kept.

use super::Complain;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::journal;
use crate::migrate::{self, Event, Facts, MigrateError};

/// Who runs. Where the boot state can't be read, nobody is confirmed.
pub fn facts(device: &mut Device, complain: &mut Complain<'_>) -> Facts {
    let running = device.running().cloned();
    match device.state() {
        Ok(state) => Facts::new(&state, running.as_ref()),
        Err(error) => {
            // Where no copy is valid, U-Boot boots by its compiled-in variables, which are a trial.
            if !matches!(error, Error::NoValidCopy { .. }) {
                unread(&error, complain);
            }
            Facts { slot: running, ..Facts::default() }
        }
    }
}

/// Says why the boot state is not known.
pub fn unread(error: &Error, complain: &mut Complain<'_>) {
    complain(&format_args!("the boot state can't be read: {error}"));
}

/// What happens goes to the journal, where there is one.
///
/// # Errors
///
/// [`Error::Io`]. A journal that is full should keep no services from starting.
pub fn note(device: &mut Device, step: &str, detail: &str) -> Result<()> {
    let Some(journal) = device.journal() else { return Ok(()) };
    journal.append(&[journal::Event::Migration { step: step.into(), detail: detail.into() }])
}

/// The same of an event of the migration.
///
/// # Errors
///
/// Those of [`note`].
pub fn note_event(device: &mut Device, event: &Event) -> Result<()> {
    let failed = matches!(event, Event::StepFailed { .. });
    note(device, if failed { "failed" } else { event.name() }, &event.to_string())
}

/// Brings the data to the version that the running system wants, as [`migrate::run`], and tells the journal.
///
/// # Errors
///
/// Those of [`migrate::run`].
pub fn migrate(device: &mut Device, complain: &mut Complain<'_>) -> Result<Option<u64>, MigrateError> {
    let settings = device.settings().migrate.clone();
    let facts = facts(device, complain);
    let done = migrate::run(&settings, &facts, &mut |event| told(note_event(device, event), complain));
    if let Err(failed) = &done {
        told(note(device, "failed", &failed.to_string()), complain);
    }
    done
}

/// The slot was confirmed: the data stay as they are, as by [`migrate::confirm`], and so do the applications that came with it
/// and a new boot loader that has booted. The journal is told. Says whether there was something to do with the data.
///
/// # Errors
///
/// Those of [`migrate::confirm`]: the next boot's migration does the same.
pub fn keep(device: &mut Device, complain: &mut Complain<'_>) -> Result<bool, MigrateError> {
    #[cfg(feature = "app")]
    super::app::keep_apps(device, complain);
    #[cfg(feature = "bootloader")]
    super::loader::keep_loader(device, complain);
    let settings = device.settings().migrate.clone();
    if settings.data.is_empty() {
        return Ok(false);
    }
    let facts = facts(device, complain);
    migrate::confirm(&settings, &facts, &mut |event| told(note_event(device, event), complain))
}

/// What the journal does not know holds nobody up.
pub(super) fn told(noted: Result<()>, complain: &mut Complain<'_>) {
    if let Err(error) = noted {
        complain(&error);
    }
}
