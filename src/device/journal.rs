//! The journal of a device, and what an installation tells it.

use super::order::{Done, Order};
use super::Device;
use crate::error::Result;
use crate::journal::{Event, Journal};
use crate::slot::Name;

impl Device {
    /// The journal, if the settings name a folder for it.
    pub fn journal(&mut self) -> Option<&mut Journal> {
        self.desk.journal.as_mut()
    }

    /// The same device with a journal that somebody else has opened.
    #[must_use]
    pub fn with_journal(mut self, journal: Journal) -> Device {
        self.desk.journal = Some(journal);
        self
    }

    /// As [`begin_install`](Device::begin_install), of an update that the journal is told of.
    pub fn begin_update(&mut self, target: &Name, update: &[u8], version: &str) -> Result<Done> {
        let event = Event::Begin {
            slot: target.to_string(),
            update: String::from_utf8_lossy(update).into_owned(),
            version: version.to_owned(),
        };
        let order = Order { update, event: Some(event), ..Order::writes("begin-install", target) };
        self.order(order, &|state, running, _| state.begin_install(target, running))
    }

    /// A bundle was not installed: it was refused (then `target` may be unknown), or its installation has failed. The
    /// journal is told, if there is one; of the same refusal over and over only the first time. What is wrong with the
    /// journal is less than what the caller has to say.
    pub fn not_installed(&mut self, target: Option<&Name>, update: &str, code: u8, error: &str) {
        let Some(journal) = &mut self.desk.journal else { return };
        let told = journal.story().ok().and_then(|story| story.rejected);
        if told.is_some_and(|told| (told.update.as_str(), told.code) == (update, code)) {
            return;
        }
        let event = Event::NotInstalled {
            slot: target.map(ToString::to_string).unwrap_or_default(),
            update: update.to_owned(),
            code,
            error: error.to_owned(),
        };
        let _ = journal.append(&[event]);
    }
}
