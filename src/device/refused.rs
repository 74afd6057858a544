//! The updates that have failed here, and are refused for it.
//!
//! They stand in three places, so that the loss of one costs nothing: in `boot_failed` the last one, in the variable
//! `bootslot_refused` the newest ones, and in the journal all that it remembers. Each order to the slots brings the
//! variable up to date, in its own store.
//!
//! | variable | value |
//! |---|---|
//! | `bootslot_refused` | update ids, the oldest first, with blanks between; `<id>=<version>` where the version is refused, too |

use std::fmt;

use super::order::{carry_out, Done, Order};
use super::{check_id, Device};
use crate::env::Environment;
use crate::error::{Error, Result};
use crate::journal::{Fault, Journal, Story};
use crate::settings::{Refuse, Settings};
use crate::slot::dialect::Change;
use crate::slot::{Mark, State};

const VARIABLE: &str = "bootslot_refused";
/// How many of them the environment holds: it has to leave room for everything else.
const MOST: usize = 8;

/// An update that is refused, and why.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Refused {
    /// The update that has failed.
    pub update: String,
    /// Its version, where that is known.
    pub version: String,
    /// The slot that it was in; empty where that is unknown.
    pub slot: String,
    /// Why it failed: a word; empty where that is unknown.
    pub reason: String,
    /// From when on it may be installed again, in seconds since 1970; `None`: only when it is allowed.
    pub until: Option<u64>,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "update {} has failed here before", self.update)?;
        if !self.slot.is_empty() {
            write!(f, ", in slot {}", self.slot)?;
        }
        if !self.reason.is_empty() {
            write!(f, ", with the reason {}", self.reason)?;
        }
        Ok(())
    }
}

impl Device {
    /// The updates that have failed here, and are refused for it, the oldest first. Read without a lock. Where no copy of
    /// the environment is valid, they are those that the journal knows.
    ///
    /// # Errors
    ///
    /// [`Error::BootState`], and [`Error::Io`] of the journal.
    pub fn refused(&mut self) -> Result<Vec<Refused>> {
        let story = self.desk.journal.as_mut().map(Journal::story).transpose()?.unwrap_or_default();
        let (variables, state) = self.loaded_or_compiled_in()?;
        Ok(all(&self.desk.settings, &variables, &story, &state))
    }

    /// Why this update is refused at this time (seconds since 1970), if it is: it has failed here before. Read without
    /// a lock. A journal that can't be read refuses nothing: the environment names the newest ones. Where no copy of that is
    /// valid, the journal alone counts.
    ///
    /// # Errors
    ///
    /// [`Error::BootState`].
    pub fn refuses(&mut self, update: &str, version: &str, now: u64) -> Result<Option<Refused>> {
        let story = self.desk.journal.as_mut().and_then(|journal| journal.story().ok()).unwrap_or_default();
        let (variables, state) = self.loaded_or_compiled_in()?;
        let refused = all(&self.desk.settings, &variables, &story, &state);
        Ok(refusal(&self.desk.settings, refused, update, version, now))
    }

    /// What is stored; where no copy is valid, what U-Boot has compiled in.
    fn loaded_or_compiled_in(&mut self) -> Result<(Environment, State)> {
        match self.loaded() {
            Err(Error::NoValidCopy { .. }) => {
                let variables = Environment::default();
                let board = self.board(&self.script(&variables), &variables);
                Ok((variables, self.desk.settings.dialect.compiled_in(&board)?))
            }
            loaded => loaded,
        }
    }

    /// This update may be installed again, although it has failed here. If its failure is the last one on record, it is
    /// forgotten. As [`acknowledge`](Device::acknowledge), it does not ask which slot runs.
    pub fn allow(&mut self, update: &str) -> Result<Done> {
        check_id(Some(update.as_bytes()))?;
        let transaction = self.store.begin()?;
        let order = Order { needs_script: false, allows: Some(update), ..Order::new("allow") };
        carry_out(&mut self.desk, transaction, order, &|state, _| {
            let failed = state.last_failure().is_some_and(|failure| failure.update == update.as_bytes());
            Ok(if failed { state.acknowledge() } else { state.clone() })
        })
    }
}

/// One that the environment names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    update: String,
    version: String,
}

/// What the environment names. A word that is none is dropped: nothing can be refused by it.
pub(super) fn held(variables: &Environment) -> Vec<Held> {
    let value = String::from_utf8_lossy(variables.get(VARIABLE.as_bytes()).unwrap_or_default()).into_owned();
    let words = value.split_ascii_whitespace().map(|word| word.split_once('=').unwrap_or((word, "")));
    words.map(|(update, version)| Held { update: update.into(), version: version.into() }).collect()
}

/// What it should name: what it names, what has failed since, and what the journal knows; without what is allowed.
pub(super) fn wanted(
    settings: &Settings,
    held: &[Held],
    story: &Story,
    state: &State,
    allowed: Option<&str>,
) -> Vec<Held> {
    let version = |version: &str| match settings.update.refuse {
        Refuse::Version if crate::floor::is_floor(version) => version.to_owned(),
        Refuse::Version | Refuse::Update => String::new(),
    };
    let mut wanted = held.to_vec();
    for fault in &story.faults {
        add(&mut wanted, &fault.update, version(&fault.version));
    }
    // Where the slot is good again, this is the record of something that is over.
    let failure = state.last_failure().filter(|failure| state.mark(&failure.slot) != Some(Mark::Good));
    if let Some(failure) = failure {
        let update = String::from_utf8_lossy(&failure.update).into_owned();
        let of = story.attempts.iter().rev().find(|attempt| attempt.update == update);
        add(&mut wanted, &update, version(of.map_or("", |attempt| &attempt.version)));
    }
    wanted.retain(|held| Some(held.update.as_str()) != allowed);
    let surplus = wanted.len().saturating_sub(MOST);
    wanted.drain(..surplus);
    wanted
}

fn add(wanted: &mut Vec<Held>, update: &str, version: String) {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if update.is_empty() || !update.bytes().all(legal) {
        return;
    }
    match wanted.iter_mut().find(|held| held.update == update) {
        Some(held) if held.version.is_empty() => held.version = version,
        Some(_) => {}
        None => wanted.push(Held { update: update.into(), version }),
    }
}

/// The variable that names these.
pub(super) fn change(wanted: &[Held]) -> Change {
    let words: Vec<String> = wanted
        .iter()
        .map(|held| match held.version.is_empty() {
            true => held.update.clone(),
            false => format!("{}={}", held.update, held.version),
        })
        .collect();
    (VARIABLE.to_owned(), Some(words.join(" ").into_bytes()).filter(|value| !value.is_empty()))
}

/// All that are refused, the oldest first.
pub(super) fn all(
    settings: &Settings,
    variables: &Environment,
    story: &Story,
    state: &State,
) -> Vec<Refused> {
    let wanted = wanted(settings, &held(variables), story, state, None);
    let failure = state.last_failure();
    let refused = wanted.into_iter().map(|Held { update, version }| {
        let fault = story.faults.iter().rev().find(|fault| fault.update == update);
        let last = failure.as_ref().filter(|failure| failure.update == update.as_bytes());
        match (fault, last) {
            (Some(fault), _) => Refused {
                version: if version.is_empty() { fault.version.clone() } else { version },
                slot: fault.slot.clone(),
                reason: fault.reason.clone(),
                until: until(settings, fault),
                update,
            },
            (None, Some(last)) => Refused {
                update,
                version,
                slot: last.slot.to_string(),
                reason: last.reason.as_str().into(),
                until: None,
            },
            (None, None) => {
                Refused { update, version, slot: String::new(), reason: String::new(), until: None }
            }
        }
    });
    refused.collect()
}

/// From when on it may be installed again, where the settings say so.
fn until(settings: &Settings, fault: &Fault) -> Option<u64> {
    let again = !fault.blame && fault.times <= settings.update.retries;
    again.then(|| fault.time.saturating_add(settings.update.retry_after))
}

/// Why a bundle is refused now, if it is.
pub(super) fn refusal(
    settings: &Settings,
    refused: Vec<Refused>,
    update: &str,
    version: &str,
    now: u64,
) -> Option<Refused> {
    let same_version = |refused: &Refused| {
        settings.update.refuse == Refuse::Version && !version.is_empty() && refused.version == version
    };
    refused.into_iter().rev().find(|refused| {
        let waits = refused.until.is_none_or(|until| now < until);
        (refused.update == update || same_version(refused)) && waits
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slot::Board;

    fn fault(update: &str, blame: bool, times: u32) -> Fault {
        let [update, version, slot, reason] = [update, "1.2", "B", "health"].map(str::to_owned);
        Fault { update, version, slot, reason, blame, time: 1000, times }
    }

    fn state(failed: &str) -> State {
        State { failed: Some(failed.into()), ..State::factory(&Board::default()) }
    }

    fn environment(value: &str) -> Environment {
        let mut variables = Environment::default();
        variables.set(VARIABLE.as_bytes(), value.as_bytes()).unwrap();
        variables
    }

    #[test]
    fn each_of_the_three_places_refuses_alone() {
        let settings = Settings::default();
        let none = Story::default();
        let story = Story { faults: vec![fault("id", true, 1)], ..Story::default() };
        let fine = State::factory(&Board::default());
        for (variables, story, state) in [
            (Environment::default(), &none, state("B:tries:id")),
            (environment("other id"), &none, fine.clone()),
            (Environment::default(), &story, fine.clone()),
        ] {
            let all = || all(&settings, &variables, story, &state);
            assert_eq!(refusal(&settings, all(), "id", "1.2", 5000).unwrap().update, "id");
            assert_eq!(refusal(&settings, all(), "another", "1.2", 5000), None);
        }
        assert!(all(&settings, &Environment::default(), &none, &fine).is_empty());
        assert!(all(&settings, &Environment::default(), &none, &state("B:tries:")).is_empty());
    }

    #[test]
    fn the_environment_learns_what_failed_and_forgets_what_is_allowed_and_what_is_old() {
        let settings = Settings::default();
        let story = Story { faults: vec![fault("two", true, 1)], ..Story::default() };
        let before = held(&environment("one"));
        let now = wanted(&settings, &before, &story, &state("B:load:three"), None);
        assert_eq!(change(&now).1.unwrap(), b"one two three");
        assert_eq!(held(&environment("one two three")), now);
        let allowed = wanted(&settings, &now, &story, &state("B:load:three"), Some("three"));
        assert_eq!(change(&allowed).1.unwrap(), b"one two");
        let many: String = (0..20).map(|n| format!("id{n} ")).collect();
        let kept =
            wanted(&settings, &held(&environment(&many)), &Story::default(), &state("B:load:new"), None);
        assert_eq!(change(&kept).1.unwrap(), b"id13 id14 id15 id16 id17 id18 id19 new");
        assert_eq!(change(&[]).1, None);
    }

    #[test]
    fn a_version_is_refused_where_the_settings_say_so() {
        let mut settings = Settings::default();
        settings.update.refuse = Refuse::Version;
        let story = Story { faults: vec![fault("id", true, 1)], ..Story::default() };
        let fine = State::factory(&Board::default());
        let named = wanted(&settings, &[], &story, &fine, None);
        assert_eq!(change(&named).1.unwrap(), b"id=1.2");
        // The journal was lost, and the bundle was made anew.
        let all = all(&settings, &environment("id=1.2"), &Story::default(), &fine);
        assert!(refusal(&settings, all.clone(), "another", "1.2", 0).is_some());
        assert_eq!(refusal(&settings, all, "another", "1.3", 0), None);
    }

    #[test]
    fn what_was_not_its_fault_is_tried_again_as_often_as_the_settings_say() {
        let mut settings = Settings::default();
        settings.update.retries = 2;
        settings.update.retry_after = 600;
        let fine = State::factory(&Board::default());
        let refused = |blame, times, now| {
            let story = Story { faults: vec![fault("id", blame, times)], ..Story::default() };
            let all = all(&settings, &environment("id"), &story, &fine);
            refusal(&settings, all, "id", "1.2", now).map(|refused| refused.until)
        };
        assert_eq!(refused(true, 1, 99_999), Some(None));
        assert_eq!(refused(false, 1, 1599), Some(Some(1600)));
        assert_eq!(refused(false, 2, 1600), None);
        assert_eq!(refused(false, 3, 99_999), Some(None));
    }
}
