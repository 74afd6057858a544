//! [pure] Where the data of a device stand, and the small file that holds it.
//!
//! ```text
//! bootslot data 1
//! state = trial
//! from = 2
//! to = 3
//! slot = B
//! update = 0f2c91d8a7b3e654
//! folder = /data/app
//! crc = 5d1b99f0
//! ```
//!
//! The CRC is that of all bytes before its line.

use std::fmt;
use std::path::PathBuf;

use crate::slot::Name;

const FIRST_LINE: &str = "bootslot data 1";
/// In the place of a version: there are no data.
const NONE: &str = "none";

/// A step: the version that it belongs to, and its name. They run in this order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepId {
    /// The version of the data after all steps of this version.
    pub to: u64,
    /// The name.
    pub name: String,
}

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.to, self.name)
    }
}

/// A folder of a migration.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Folder {
    /// Where.
    pub path: PathBuf,
    /// Whether it was there before the migration: then there is a snapshot of it.
    pub existed: bool,
}

/// One migration: from where to where, and who asked for it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Attempt {
    /// The version of the data before; `None`: there were none.
    pub from: Option<u64>,
    /// The version that the system wants.
    pub to: u64,
    /// The slot that system is in.
    pub slot: Name,
    /// The id of the update that put it there, where known.
    pub update: Option<String>,
    /// The folders.
    pub folders: Vec<Folder>,
}

/// Why a snapshot was restored.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Why {
    /// This step failed.
    Step(StepId),
    /// Another slot runs than the one that had migrated the data.
    OtherSlot,
    /// The slot holds another system than the one that had migrated the data.
    OtherSystem,
}

/// What was given back, and whose data were put aside.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Restored {
    /// The version that the rejected data had, or were to have.
    pub to: u64,
    /// The slot that had written them.
    pub slot: Name,
    /// The update that it was.
    pub update: Option<String>,
    /// Why.
    pub why: Why,
}

/// Where the data stand.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum State {
    /// The data have this version, and no migration is under way.
    Clean {
        /// The version; `None`: there were no data, and what a system on trial has made of nothing was taken back.
        version: Option<u64>,
        /// The last thing that was restored. What it rejected is still there, under the name
        /// [`rejected`](super::rejected).
        last: Option<Restored>,
        /// The folders.
        folders: Vec<PathBuf>,
    },
    /// A snapshot was begun. The data are untouched.
    Copying(Attempt),
    /// The snapshot is whole. Steps run.
    Steps {
        /// The migration.
        attempt: Attempt,
        /// The last step that was done; its work is on the medium.
        done: Option<StepId>,
    },
    /// The data are migrated. The slot that did it is on trial.
    Trial(Attempt),
    /// The snapshot is being restored.
    Restoring {
        /// The migration that is taken back.
        attempt: Attempt,
        /// Why.
        why: Why,
    },
}

impl State {
    /// The version that the data have; `None` while they are between two, and where there are none.
    pub fn version(&self) -> Option<u64> {
        match self {
            State::Clean { version, .. } => *version,
            State::Trial(attempt) => Some(attempt.to),
            State::Copying(attempt) => attempt.from,
            State::Steps { .. } | State::Restoring { .. } => None,
        }
    }

    /// One word for it, as in the file.
    pub fn word(&self) -> &'static str {
        match self {
            State::Clean { .. } => "clean",
            State::Copying(_) => "copying",
            State::Steps { .. } => "steps",
            State::Trial(_) => "trial",
            State::Restoring { .. } => "restoring",
        }
    }

    /// The migration under way.
    pub fn attempt(&self) -> Option<&Attempt> {
        match self {
            State::Clean { .. } => None,
            State::Copying(attempt)
            | State::Steps { attempt, .. }
            | State::Trial(attempt)
            | State::Restoring { attempt, .. } => Some(attempt),
        }
    }

    /// The file's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut text = format!("{FIRST_LINE}\nstate = {}\n", self.word());
        let mut line = |key: &str, value: &dyn fmt::Display| text.push_str(&format!("{key} = {value}\n"));
        if let Some(attempt) = self.attempt() {
            line("from", &said(attempt.from));
            line("to", &attempt.to);
            line("slot", &attempt.slot);
            attempt.update.iter().for_each(|update| line("update", update));
            for folder in &attempt.folders {
                line(if folder.existed { "folder" } else { "new-folder" }, &folder.path.display());
            }
        }
        match self {
            State::Clean { version, last, folders } => {
                line("version", &said(*version));
                folders.iter().for_each(|folder| line("folder", &folder.display()));
                if let Some(Restored { to, slot, update, why }) = last {
                    line("to", to);
                    line("slot", slot);
                    update.iter().for_each(|update| line("update", update));
                    line("why", &why);
                }
            }
            State::Steps { done, .. } => done.iter().for_each(|step| line("done", step)),
            State::Restoring { why, .. } => line("why", &why),
            State::Copying(_) | State::Trial(_) => {}
        }
        let crc = crc32fast::hash(text.as_bytes());
        text.push_str(&format!("crc = {crc:08x}\n"));
        text.into_bytes()
    }

    /// The state that a file holds.
    ///
    /// # Errors
    ///
    /// What is wrong with it, as a phrase.
    pub fn decode(bytes: &[u8]) -> Result<State, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "it is no text")?;
        let (before, crc) = text.rsplit_once("crc = ").ok_or("it has no checksum")?;
        if crc != format!("{:08x}\n", crc32fast::hash(before.as_bytes())) {
            return Err("its checksum is wrong".into());
        }
        let rest = before.strip_prefix(FIRST_LINE).ok_or("another version of bootslot has written it")?;
        // Not `lines()`: that would take a carriage return from the end of a path.
        Lines(rest.split('\n').filter_map(|line| line.split_once(" = ")).collect()).state()
    }
}

/// A version as a word.
pub(super) fn said(version: Option<u64>) -> String {
    version.map_or_else(|| NONE.into(), |version| version.to_string())
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::Step(step) => write!(f, "step {step}"),
            Why::OtherSlot => f.write_str("other slot"),
            Why::OtherSystem => f.write_str("other system"),
        }
    }
}

/// The lines of a file: keys and values.
struct Lines<'t>(Vec<(&'t str, &'t str)>);

impl<'t> Lines<'t> {
    fn all<'l>(&'l self, key: &'l str) -> impl Iterator<Item = &'t str> + 'l {
        self.0.iter().filter(move |(name, _)| *name == key).map(|(_, value)| *value)
    }

    fn one(&self, key: &str) -> Result<&'t str, String> {
        self.all(key).next().ok_or_else(|| format!("it has no line {key:?}"))
    }

    fn number(&self, key: &str) -> Result<u64, String> {
        self.one(key)?.parse().map_err(|_| format!("its line {key:?} has no number"))
    }

    fn number_or_none(&self, key: &str) -> Result<Option<u64>, String> {
        if self.one(key)? == NONE {
            return Ok(None);
        }
        self.number(key).map(Some)
    }

    fn slot(&self) -> Result<Name, String> {
        Name::new(self.one("slot")?).ok_or_else(|| "its slot has no name that a slot can have".into())
    }

    fn update(&self) -> Option<String> {
        self.all("update").next().map(str::to_owned)
    }

    fn why(&self) -> Result<Why, String> {
        match self.one("why")? {
            "other slot" => Ok(Why::OtherSlot),
            "other system" => Ok(Why::OtherSystem),
            step => step
                .strip_prefix("step ")
                .and_then(step_id)
                .map(Why::Step)
                .ok_or_else(|| "it says no known reason".into()),
        }
    }

    fn attempt(&self) -> Result<Attempt, String> {
        let folders = self.0.iter().filter_map(|(key, value)| match *key {
            "folder" => Some(Folder { path: value.into(), existed: true }),
            "new-folder" => Some(Folder { path: value.into(), existed: false }),
            _ => None,
        });
        let folders = folders.collect();
        let (from, to) = (self.number_or_none("from")?, self.number("to")?);
        Ok(Attempt { from, to, slot: self.slot()?, update: self.update(), folders })
    }

    fn state(&self) -> Result<State, String> {
        Ok(match self.one("state")? {
            "clean" => {
                let last = self.one("why").ok().map(|_| -> Result<Restored, String> {
                    let (to, slot) = (self.number("to")?, self.slot()?);
                    Ok(Restored { to, slot, update: self.update(), why: self.why()? })
                });
                let folders = self.all("folder").map(PathBuf::from).collect();
                State::Clean { version: self.number_or_none("version")?, last: last.transpose()?, folders }
            }
            "copying" => State::Copying(self.attempt()?),
            "steps" => {
                State::Steps { attempt: self.attempt()?, done: self.all("done").next().and_then(step_id) }
            }
            "trial" => State::Trial(self.attempt()?),
            "restoring" => State::Restoring { attempt: self.attempt()?, why: self.why()? },
            other => return Err(format!("it says {other:?}, which is no state")),
        })
    }
}

/// `3-users`: the version, and the name of a step.
pub(super) fn step_id(text: &str) -> Option<StepId> {
    let (to, name) = text.split_once('-')?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let legal = !name.is_empty() && name.chars().all(is_plain) && to.bytes().all(|b| b.is_ascii_digit());
    Some(StepId { to: to.parse().ok().filter(|_| legal)?, name: name.into() })
}
