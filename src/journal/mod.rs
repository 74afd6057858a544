//! The journal: what was done with the slots of a device, kept beside the environment.
//!
//! It is append-only text, one [`Record`] in a line. A record is on the medium before the step that it announces. A power
//! cut leaves a torn line at the end at most, which the next writer cuts off.
//!
//! ```text
//!  journal     the newest records      append -> sync; too long: rename to journal.1, then begin anew with
//!  journal.1   the ones before         what still counts of all that went before
//! ```
//!
//! The journal says what happened. What boots is said by the environment alone: a journal that is lost or full keeps
//! nobody from confirming a slot or rolling back.
//!
//! | file | job |
//! |---|---|
//! | `mod.rs` | the files: read, append, rotate |
//! | `record.rs` | one record as a line |
//! | `event.rs` | what a record can say |
//! | `time.rs` | a time as text |
//! | `action.rs` | what a fleet server has ordered |
//! | `story.rs` | what all records say together, and which of them still count |

mod action;
mod event;
mod record;
mod story;
mod time;

pub use action::Action;
pub use event::{Event, Finding, Verdict};
pub use record::{lines, Lines, Record, LONGEST_VALUE};
pub use story::{Attempt, Fault, Now, Rejected, Story};
pub use time::utc;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Place, Result};
use crate::files::{self, read_if_there, Files, RealFiles};

/// A journal begins anew when it is longer than this, in bytes.
pub const LONGEST: u64 = 128 << 10;

/// All that a journal holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Contents {
    /// The records, oldest first.
    pub records: Vec<Record>,
    /// Lines that the medium has lost, in the middle of others.
    pub damaged: usize,
}

/// The journal in a folder.
pub struct Journal {
    files: Box<dyn Files>,
    /// The newest file.
    path: PathBuf,
    boot: String,
    clock: fn() -> u64,
    longest: u64,
}

impl Journal {
    /// The journal in this folder, which need not exist; `boot` is the kernel's boot id. Nothing is read or written.
    pub fn new(folder: &Path, boot: &str) -> Journal {
        Journal::over(Box::new(RealFiles::default()), folder, boot)
    }

    /// The same on other files.
    pub fn over(files: Box<dyn Files>, folder: &Path, boot: &str) -> Journal {
        let boot = boot.trim().chars().take(8).filter(char::is_ascii_hexdigit).collect();
        Journal { files, path: folder.join("journal"), boot, clock: now, longest: LONGEST }
    }

    /// Another clock than the system's, and another length at which it begins anew: for tests.
    #[must_use]
    pub fn with_clock(self, clock: fn() -> u64, longest: u64) -> Journal {
        Journal { clock, longest, ..self }
    }

    /// The newest file of the journal.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The boot that records are written in, as they name it.
    pub fn boot(&self) -> &str {
        &self.boot
    }

    /// All records. A journal that does not exist holds none.
    ///
    /// # Errors
    ///
    /// [`Error::Io`](crate::Error::Io).
    pub fn read(&mut self) -> Result<Contents> {
        self.contents()
            .map(|(contents, _)| contents)
            .map_err(|error| self.failed("reading the journal", error))
    }

    /// What all records say together.
    ///
    /// # Errors
    ///
    /// [`Error::Io`](crate::Error::Io).
    pub fn story(&mut self) -> Result<Story> {
        Ok(Story::of(&self.read()?.records))
    }

    /// Adds records, and brings them to the medium. After an error none of them, some, or all are there.
    ///
    /// # Errors
    ///
    /// [`Error::Io`](crate::Error::Io).
    pub fn append(&mut self, events: &[Event]) -> Result<()> {
        let appended = self.try_append(events);
        appended.map_err(|error| self.failed("adding to the journal", error))
    }

    fn try_append(&mut self, events: &[Event]) -> io::Result<()> {
        if events.is_empty() {
            return Ok(());
        }
        files::make_folders(&mut *self.files, files::parent(&self.path))?;
        let _lock = self.files.lock(&files::beside(&self.path, ".lock")?)?;
        let (contents, current) = self.contents()?;
        let mut number = contents.records.last().map_or(0, |last| last.number);
        let mut text = String::new();
        for event in events {
            number += 1;
            let (time, boot) = ((self.clock)(), self.boot.clone());
            text.push_str(&event.record(number, time, boot).to_line());
        }
        match current {
            Some(lines) if lines.end + text.len() as u64 <= self.longest => {
                self.files.append(&self.path, lines.end, text.as_bytes())?;
                self.files.sync(&self.path)
            }
            Some(lines) if !lines.records.is_empty() => {
                self.files.rename(&self.path, &files::beside(&self.path, ".1")?)?;
                self.files.sync(files::parent(&self.path))?;
                self.begin(&contents.records, &text)
            }
            _ => self.begin(&contents.records, &text),
        }
    }

    /// A new file: what still counts, then what is new. It takes the journal's name when it is whole: until then the
    /// older file has all of it.
    fn begin(&mut self, before: &[Record], text: &str) -> io::Result<()> {
        let mut whole: String = story::still_counts(before, self.longest / 3).map(Record::to_line).collect();
        whole.push_str(text);
        files::replace(&mut *self.files, &self.path, whole.as_bytes())
    }

    /// All records, and the newest file's lines if that exists.
    fn contents(&mut self) -> io::Result<(Contents, Option<Lines>)> {
        let older = files::beside(&self.path, ".1")?;
        let older = read_if_there(&mut *self.files, &older)?.map(|bytes| lines(&bytes)).unwrap_or_default();
        let newer = read_if_there(&mut *self.files, &self.path)?.map(|bytes| lines(&bytes));
        let damaged = older.damaged + newer.as_ref().map_or(0, |newer| newer.damaged);
        // What still counted is in both.
        let both =
            older.records.into_iter().chain(newer.iter().flat_map(|newer| newer.records.iter().cloned()));
        let records: BTreeMap<u64, Record> = both.map(|record| (record.number, record)).collect();
        Ok((Contents { records: records.into_values().collect(), damaged }, newer))
    }

    fn failed(&self, step: &'static str, error: io::Error) -> crate::Error {
        Place::new(&self.path, step).io(error)
    }
}

/// Seconds since 1970; 0 where the clock is before that.
fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(all(test, feature = "sim"))]
mod tests {
    use super::*;
    use crate::files::sim::{SimFiles, Trouble};

    fn journal(files: &SimFiles) -> Journal {
        Journal::over(Box::new(files.clone()), Path::new("state"), "9f27c04e-1").with_clock(|| 1000, 2000)
    }

    fn begin(update: &str) -> Event {
        Event::Begin { slot: "B".into(), update: update.into(), version: "1.2".into() }
    }

    fn failed(update: &str) -> Event {
        Event::Result {
            attempt: format!("{update}.0"),
            update: update.into(),
            version: "1.2".into(),
            slot: "B".into(),
            verdict: Verdict::RolledBack,
            reason: "tries".into(),
            blame: true,
        }
    }

    /// As many records as a journal has room for, and some more.
    fn long(files: &SimFiles) {
        let mut journal = journal(files);
        journal.append(&[failed("first"), begin("second")]).unwrap();
        for n in 0..100 {
            journal.append(&[Event::Shutdown { reason: format!("number {n}") }]).unwrap();
        }
    }

    #[test]
    fn a_record_is_read_as_it_was_added_and_numbers_rise() {
        let files = SimFiles::new();
        let mut journal = journal(&files);
        assert_eq!(journal.read().unwrap(), Contents::default());
        journal.append(&[begin("one"), failed("one")]).unwrap();
        journal.append(&[Event::Shutdown { reason: "reboot".into() }]).unwrap();
        let records = journal.read().unwrap().records;
        assert_eq!(records.iter().map(|record| record.number).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(records[0].boot, "9f27c04e");
        assert_eq!(Event::of(&records[1]), Some(failed("one")));
        assert_eq!(files.choices(), 1, "everything is on the medium");
    }

    #[test]
    fn what_still_counts_survives_each_time_the_journal_begins_anew() {
        let files = SimFiles::new();
        long(&files);
        let mut journal = journal(&files);
        let contents = journal.read().unwrap();
        assert!(contents.records.len() < 80, "{}", contents.records.len());
        let story = journal.story().unwrap();
        assert_eq!(story.faults[0].update, "first");
        assert_eq!(story.pending().unwrap().name, "second.2");
        for bytes in files.contents().values() {
            assert!(bytes.len() <= 2000 + 200, "{}", bytes.len());
        }
    }

    /// A cut at each operation of `run`, on each state of the medium: `look` gets what is found.
    fn after_each_cut(
        before: &SimFiles,
        run: &dyn Fn(&SimFiles),
        look: &mut dyn FnMut(&SimFiles, u64),
    ) -> u64 {
        let whole = before.copy();
        run(&whole);
        let mut states = 0;
        for operation in 0..=whole.operations() {
            let cut = before.copy();
            cut.plan(operation, Trouble::Cut);
            run(&cut);
            for choice in 0..cut.choices() {
                let found = cut.copy();
                found.power_up(choice);
                look(&found, operation);
                states += 1;
            }
        }
        states
    }

    #[test]
    fn a_cut_at_any_operation_costs_no_record_that_was_added_before() {
        // Each length of the journal at which the next record is added: in its middle, and where it begins anew.
        let mut states = 0;
        let grown = SimFiles::new();
        journal(&grown).append(&[failed("first")]).unwrap();
        for n in 0..60 {
            grown.power_up(0);
            let before = journal(&grown).read().unwrap();
            let last = before.records.last().unwrap().number;
            let add = |files: &SimFiles| {
                let _ = journal(files).append(&[begin("new"), Event::Shutdown { reason: "new".into() }]);
            };
            states += after_each_cut(&grown, &add, &mut |found, operation| {
                let id = format!("length {n}, cut at {operation}");
                let mut journal = journal(found);
                let now = journal.read().unwrap();
                assert_eq!(now.damaged, 0, "{id}");
                let story = Story::of(&now.records);
                assert_eq!(story.faults.len(), 1, "{id}");
                let old = now.records.iter().filter(|record| record.number <= last);
                assert!(old.eq(before.records.iter()) || now.records.len() < before.records.len(), "{id}");
                assert!(now.records.iter().any(|record| record.number == last), "{id}");
                // The next record can be added, and is read.
                journal.append(&[failed("next")]).unwrap();
                let next = journal.read().unwrap();
                assert_eq!(next.damaged, 0, "{id}");
                assert_eq!(Story::of(&next.records).faults.len(), 2, "{id}");
            });
            journal(&grown).append(&[Event::Shutdown { reason: format!("number {n}") }]).unwrap();
        }
        assert!(states > 500, "{states}");
    }

    #[test]
    fn a_full_medium_is_an_error_and_costs_nothing() {
        let files = SimFiles::new();
        long(&files);
        let before = journal(&files).read().unwrap();
        for operation in 0..8 {
            for trouble in [Trouble::Full, Trouble::Fails(io::ErrorKind::Other)] {
                let files = files.copy();
                files.power_up(0);
                files.plan(operation, trouble);
                let added = journal(&files).append(&[begin("third")]);
                let after = journal(&files).read().unwrap();
                assert!(after.records.starts_with(&before.records), "{operation} {trouble:?} {added:?}");
                files.power_up(0);
                journal(&files).append(&[begin("fourth")]).unwrap();
                assert_eq!(journal(&files).story().unwrap().pending().unwrap().update, "fourth");
            }
        }
    }

    #[test]
    fn an_attempt_keeps_its_name_however_it_began() {
        let order = Event::Order {
            name: "finish-install".into(),
            slot: "B".into(),
            update: "second".into(),
            state: "active_slot=B".into(),
        };
        let boot = Event::Boot {
            slot: "B".into(),
            update: "second".into(),
            state: "active_slot=B".into(),
            finding: Finding::AsRecorded,
            version: String::new(),
            build: String::new(),
            reset: String::new(),
            announced: false,
        };
        for first in [order, boot.clone()] {
            let files = SimFiles::new();
            let mut journal = journal(&files);
            journal.append(&[failed("first"), first]).unwrap();
            for _ in 0..100 {
                journal.append(std::slice::from_ref(&boot)).unwrap();
            }
            assert!(journal.read().unwrap().records.len() < 80);
            assert_eq!(journal.story().unwrap().pending().unwrap().name, "second.2");
        }
    }
}
