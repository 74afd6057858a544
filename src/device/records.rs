//! What an order leaves in the journal, and which updates are refused from now on.
//!
//! The journal is told before the store. What is wrong with it keeps no order from its work: the environment alone
//! decides what boots.

use std::fs;

use super::facts::now;
use super::refused;
use crate::env::Environment;
use crate::error::{Error, Result};
use crate::journal::{Event, Journal, Story};
use crate::settings::Settings;
use crate::slot::dialect::{Change, Dialect};
use crate::slot::{Board, Field, Mark, Name, Standing, State};
use crate::store::Transaction;

/// The journal that the settings name, if they name one.
pub(super) fn journal(settings: &Settings) -> Option<Journal> {
    let folder = settings.state.as_ref()?;
    let boot = fs::read_to_string(&settings.boot_id).unwrap_or_default();
    Some(Journal::new(folder, &boot))
}

/// What an order says of itself.
pub(super) struct Telling<'a> {
    /// Its name: `confirm`.
    pub name: &'static str,
    /// The slot that it names.
    pub target: Option<&'a Name>,
    /// The update that it is about, as far as it says so.
    pub update: &'a [u8],
    /// What the journal learns with it.
    pub event: Option<&'a Event>,
    /// This update may be installed again, although it has failed.
    pub allows: Option<&'a str>,
}

/// The journal during one order.
pub(super) struct Records<'a> {
    journal: Option<&'a mut Journal>,
    /// What it tells before the order; nothing where it can't be read.
    story: Story,
    /// How an update has ended that the order finds: afterwards the boot state may not tell it any more.
    ended: Option<Event>,
    /// Why the journal does not know of the order.
    pub lost: Option<String>,
}

impl<'a> Records<'a> {
    pub fn new(mut journal: Option<&'a mut Journal>) -> Self {
        let (story, lost) = match journal.as_mut().map(|journal| journal.story()).transpose() {
            Ok(story) => (story.unwrap_or_default(), None),
            Err(error) => (Story::default(), Some(error.to_string())),
        };
        Records { journal, story, ended: None, lost }
    }

    /// What an order wants, and besides that what the journal knows of other slots after the environment was lost: a slot
    /// that is half-written must not boot if the running one fails later. So it gets its mark again, where nothing
    /// is known of it and the running slot is confirmed.
    pub fn with_half_written(&self, dialect: Dialect, order: &Telling<'_>, wanted: State) -> State {
        let Standing::Confirmed(active) = wanted.standing() else { return wanted };
        let active = active.clone();
        let mut with = wanted.clone();
        for slot in &mut with.slots {
            let other = slot.name != active && order.target != Some(&slot.name);
            if other && slot.mark == Field::Absent && self.story.half_written.contains_key(slot.name.as_str())
            {
                slot.mark = Field::Is(Mark::Writing);
            }
        }
        // Where the dialect has no way to say it, the order is what counts.
        match with != wanted && dialect.express(&with).is_ok() {
            true => with,
            false => wanted,
        }
    }

    /// Adds to the order's store what the environment has to say of updates that have failed.
    ///
    /// # Errors
    ///
    /// Those of a store, but for [`Error::Denied`]: where the variable can't be stored, the journal has it.
    pub fn refuse_failed(
        &mut self,
        settings: &Settings,
        [before, after]: [&State; 2],
        order: &Telling<'_>,
        transaction: &mut Transaction<'_>,
        changes: &mut Vec<Change>,
    ) -> Result<()> {
        let story = &self.story;
        self.ended = story.result(&now(before));
        let held = refused::held(transaction.environment());
        // What is confirmed now has not failed for good.
        let on_trial = before.update.as_deref().filter(|_| order.name == "confirm");
        let confirmed = on_trial.map(|update| String::from_utf8_lossy(update).into_owned());
        let allowed = order.allows.or(confirmed.as_deref());
        let wanted = refused::wanted(settings, &held, story, before, allowed);
        // What fails by this very order is named in the same store: given again, it stores nothing.
        let wanted = refused::wanted(settings, &wanted, story, after, allowed);
        if wanted == held {
            return Ok(());
        }
        let change = refused::change(&wanted);
        match transaction.set(change.0.as_bytes(), change.1.as_deref().unwrap_or_default()) {
            Ok(true) => changes.push(change),
            Ok(false) | Err(Error::Denied { .. }) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Tells the journal what is about to be stored, if anything is.
    pub fn announce(&mut self, order: &Telling<'_>, state: Option<&[Change]>) {
        let Some(journal) = &mut self.journal else { return };
        let mut events: Vec<Event> = self.ended.take().into_iter().chain(order.event.cloned()).collect();
        if let Some(update) = order.allows {
            events.push(Event::Allowed { update: update.to_owned() });
        }
        events.extend(state.map(|state| Event::Order {
            name: order.name.to_owned(),
            slot: order.target.map(ToString::to_string).unwrap_or_default(),
            update: String::from_utf8_lossy(order.update).into_owned(),
            state: text(state),
        }));
        if let Err(error) = journal.append(&events) {
            self.lost = Some(error.to_string());
        }
    }
}

/// A boot state as text: its variables in a row. What would end a word is written as in a URL.
pub(super) fn text(variables: &[Change]) -> String {
    let mut words = Vec::new();
    for (name, value) in variables {
        let Some(value) = value else { continue };
        let mut word = format!("{name}=");
        for &byte in value {
            match byte.is_ascii_graphic() && byte != b'%' {
                true => word.push(char::from(byte)),
                false => word.push_str(&format!("%{byte:02x}")),
            }
        }
        words.push(word);
    }
    words.join(" ")
}

/// The boot state that such a text says, on this board, as it was seen from the slot that ran; `variables` are those that are
/// stored now, for what belongs to the board.
pub(super) fn state(
    text: &str,
    dialect: Dialect,
    now: &State,
    variables: &Environment,
    board: &Board,
    running: Option<&Name>,
) -> Option<State> {
    let mut variables = variables.clone();
    for (name, _) in dialect.variables(now) {
        variables.unset(name.as_bytes()).ok()?;
    }
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let (name, value) = word.split_once('=')?;
        variables.set(name.as_bytes(), &bytes(value)?).ok()?;
    }
    dialect.decode_in(&variables, board, running).ok()
}

fn bytes(value: &str) -> Option<Vec<u8>> {
    let mut pieces = value.split('%');
    let mut bytes = pieces.next()?.as_bytes().to_vec();
    for piece in pieces {
        let (digits, rest) = piece.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_read_from_its_text_as_it_was() {
        let board = Board::default();
        let mut variables = Environment::default();
        for (name, value) in [
            ("active_slot", "B"),
            ("boot_success", "0"),
            ("boot_try_count", "2"),
            ("slot_A", "good"),
            ("boot_update", "a b%\\\\c"),
            ("bootcmd", "run bootslot"),
        ] {
            variables.set(name.as_bytes(), value.as_bytes()).unwrap();
        }
        let found = Dialect::Native.decode(&variables, &board).unwrap();
        let written = text(&Dialect::Native.variables(&found));
        assert_eq!(
            written,
            "active_slot=B boot_success=0 boot_try_count=2 boot_update=a%20b%25\\\\c slot_A=good"
        );
        let other = Environment::default();
        assert_eq!(state(&written, Dialect::Native, &found, &other, &board, None), Some(found.clone()));
        assert_eq!(state(&written, Dialect::Native, &found, &variables, &board, None), Some(found.clone()));
        for torn in ["active_slot", "boot_update=%2"] {
            assert_eq!(state(torn, Dialect::Native, &found, &other, &board, None), None);
        }
    }
}
