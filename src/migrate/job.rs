//! One run: what comes next is decided, done and stored, until the data are ready or an error ends it.
//!
//! Between any two operations the power may go. The state file is replaced in one step, and each thing that is done can
//! be done again.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::decide::{self, Facts, Next, Seen};
use super::error::MigrateError;
use super::event::Event;
use super::snapshot::{self, before, failed, rejected};
use super::state::{Attempt, Restored, State, StepId, Why};
use super::step::{self, Runner};
use super::system::System;
use crate::files::tree::{self, Trees};
use crate::files::{self, beside, parent};
use crate::settings::Migrate;

/// Bytes kept back on the medium while a migration runs. Where that is full, they make room for the state file.
const RESERVE: usize = 64 * 1024;

/// What one run works with.
pub(super) struct Job<'j> {
    pub files: &'j mut dyn Trees,
    pub runner: &'j mut dyn Runner,
    pub settings: &'j Migrate,
    /// Where the state is.
    pub file: PathBuf,
    pub system: &'j System,
    pub facts: &'j Facts,
    pub tell: &'j mut dyn FnMut(&Event),
    /// The medium was full when the state was to be stored.
    pub was_full: bool,
}

type Result<T = ()> = std::result::Result<T, MigrateError>;

impl Job<'_> {
    /// Does what is needed, until services may start.
    pub(super) fn run(&mut self) -> Result {
        let mut tidied = false;
        loop {
            let state = self.load()?;
            let mut seen = self.see(state.as_ref())?;
            // What could not be removed is no reason to keep the services from starting.
            seen.leftovers &= !tidied;
            match decide::next(state.as_ref(), &self.system.wanted(), self.facts, seen) {
                Next::Ready => return Ok(()),
                Next::Adopt(version) => self.adopt(state.as_ref(), version)?,
                Next::Tidy => {
                    self.tidy(state.as_ref())?;
                    tidied = true;
                }
                Next::Begin { from, to, slot } => {
                    let update = self.facts.update.clone().filter(|id| is_plain(id));
                    self.begin(Attempt { from, to, slot, update, folders: Vec::new() })?;
                }
                Next::Snapshot(attempt) => self.snapshot(attempt)?,
                Next::Abandon(attempt) => {
                    self.store(&clean(attempt.from, None, &attempt))?;
                    (self.tell)(&Event::SnapshotGivenUp(attempt));
                }
                Next::Step(attempt, step) => self.step(attempt, step)?,
                Next::Migrated(attempt) => {
                    self.store(&State::Trial(attempt.clone()))?;
                    (self.tell)(&Event::Migrated(attempt));
                }
                Next::Commit(attempt) => self.commit(attempt)?,
                Next::Restore(attempt, why) => self.begin_restore(attempt, why)?,
                Next::Resume(attempt, why) => self.restore(attempt, why)?,
                Next::Refuse(refusal) => return Err(MigrateError::Refused(refusal)),
            }
        }
    }

    /// After the slot was confirmed: the data are, too. Says whether there was something to do.
    pub(super) fn confirm(&mut self) -> Result<bool> {
        let state = self.load()?;
        match decide::next(state.as_ref(), &self.system.wanted(), self.facts, Seen::default()) {
            Next::Commit(attempt) => {
                self.commit(attempt)?;
                let state = self.load()?;
                self.tidy(state.as_ref())?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// A person says which version the data have, whatever the file says.
    pub(super) fn assume(&mut self, version: u64) -> Result {
        let folders = self.settings.data.clone();
        self.store(&State::Clean { version: Some(version), last: None, folders })?;
        (self.tell)(&Event::Assumed(version));
        Ok(())
    }

    /// What the file holds.
    pub(super) fn load(&mut self) -> Result<Option<State>> {
        let bytes = files::read_if_there(self.files.as_files(), &self.file);
        let bytes = bytes.map_err(failed(&self.file, "reading the version of the data"))?;
        let state = bytes.map(|bytes| State::decode(&bytes)).transpose();
        state.map_err(|reason| MigrateError::Unreadable { path: self.file.clone(), reason })
    }

    /// What else the decision needs. On a normal boot nothing is read but a few names.
    pub(super) fn see(&mut self, state: Option<&State>) -> Result<Seen> {
        let mut seen = Seen::default();
        if matches!(state, None | Some(State::Clean { .. })) {
            seen.leftovers = !self.leftovers(state)?.is_empty();
        }
        if matches!(state, None | Some(State::Clean { version: None, .. })) {
            for path in &self.settings.data {
                let failed = failed(path, "looking at the data");
                let there = self.files.kind(path).map_err(&failed)?.is_some();
                // Anything that is no folder is told from data when a migration begins.
                seen.data |= there && self.files.list(path).map_or(true, |names| !names.is_empty());
            }
        }
        Ok(seen)
    }

    fn leftovers(&mut self, state: Option<&State>) -> Result<Vec<PathBuf>> {
        let (recorded, kept) = match state {
            Some(State::Clean { folders, last, .. }) => (folders.clone(), last.is_some()),
            _ => (Vec::new(), false),
        };
        let new = self.settings.data.iter().filter(|path| !recorded.contains(path)).cloned();
        let all: Vec<PathBuf> = recorded.iter().cloned().chain(new).collect();
        let mut found = snapshot::leftovers(self.files, &all, kept)?;
        let reserve = self.reserve()?;
        if state.is_some() && self.files.kind(&reserve).map_err(failed(&reserve, "looking for it"))?.is_some()
        {
            found.push(reserve);
        }
        Ok(found)
    }

    fn tidy(&mut self, state: Option<&State>) -> Result {
        for path in self.leftovers(state)? {
            if let Err(error) = tree::remove_all(self.files, &path) {
                (self.tell)(&Event::Stays { path, reason: error.to_string() });
            }
        }
        Ok(())
    }

    fn adopt(&mut self, state: Option<&State>, version: u64) -> Result {
        // What was taken back just now is still to be looked at.
        let (last, mut folders) = match state {
            Some(State::Clean { last, folders, .. }) => (last.clone(), folders.clone()),
            _ => (None, Vec::new()),
        };
        let new: Vec<PathBuf> =
            self.settings.data.iter().filter(|path| !folders.contains(path)).cloned().collect();
        folders.extend(new);
        self.store(&State::Clean { version: Some(version), last, folders })?;
        (self.tell)(&Event::Adopted(version));
        Ok(())
    }

    /// Everything that can be found out before something is written is found out here.
    fn begin(&mut self, mut attempt: Attempt) -> Result {
        attempt.folders = snapshot::look(self.files, &self.settings.data)?;
        // Where there are no data, no step runs.
        let for_steps = attempt.from.map_or(0, |_| self.system.room);
        let rooms = snapshot::room(self.files, &attempt.folders, for_steps, true)?;
        if let Some(room) = rooms.into_iter().find(|room| room.free < room.needed) {
            return Err(MigrateError::Room { path: room.folder, needed: room.needed, free: room.free });
        }
        snapshot::check_movable(self.files, &attempt.folders)?;
        (self.tell)(&Event::Begins(attempt.clone()));
        self.store(&State::Copying(attempt))
    }

    fn snapshot(&mut self, attempt: Attempt) -> Result {
        let made = self.reserve_room().and_then(|()| snapshot::make(self.files, &attempt.folders));
        match made {
            Ok(method) => {
                self.store(&State::Steps { attempt, done: None })?;
                (self.tell)(&Event::SnapshotWhole { method });
                Ok(())
            }
            Err(error) => {
                // What is left of it would keep room from the services. If this fails as well, the next run does it.
                if let Ok(()) = self.store(&clean(attempt.from, None, &attempt)) {
                    let state = self.load()?;
                    self.tidy(state.as_ref())?;
                }
                Err(error)
            }
        }
    }

    fn step(&mut self, attempt: Attempt, id: StepId) -> Result {
        let Some(step) = self.system.steps.iter().find(|step| step.id == id) else { return Ok(()) };
        (self.tell)(&Event::StepBegins(id.clone()));
        match step::perform(self.files, self.runner, step, &attempt, self.settings.step_limit) {
            Ok(()) => {
                self.sync(&attempt)?;
                self.store(&State::Steps { attempt, done: Some(id.clone()) })?;
                (self.tell)(&Event::StepDone(id));
                Ok(())
            }
            Err((reason, output)) => {
                let (step, told) = (id.clone(), reason.clone());
                (self.tell)(&Event::StepFailed { step, reason: told, output: output.clone() });
                let why = Why::Step(id.clone());
                self.begin_restore(attempt.clone(), why.clone())?;
                self.restore(attempt, why)?;
                Err(MigrateError::Step { step: id, reason, output })
            }
        }
    }

    /// Brings the work of a step to the medium, before the state says that it is done.
    fn sync(&mut self, attempt: &Attempt) -> Result {
        for folder in &attempt.folders {
            let failed = failed(&folder.path, "syncing the data");
            // A folder may be new, or gone: that is known by the one that it lies in.
            let above = parent(&folder.path);
            if self.files.kind(above).map_err(&failed)?.is_some() {
                self.files.sync_all(above).map_err(&failed)?;
            }
        }
        Ok(())
    }

    fn commit(&mut self, attempt: Attempt) -> Result {
        self.store(&clean(Some(attempt.to), None, &attempt))?;
        (self.tell)(&Event::Committed(attempt));
        Ok(())
    }

    fn begin_restore(&mut self, attempt: Attempt, why: Why) -> Result {
        if let Some(path) = snapshot::gone(self.files, &attempt.folders)? {
            return Err(MigrateError::SnapshotGone { path });
        }
        (self.tell)(&Event::RestoreBegins { attempt: attempt.clone(), why: why.clone() });
        self.store(&State::Restoring { attempt, why })
    }

    fn restore(&mut self, attempt: Attempt, why: Why) -> Result {
        snapshot::restore(self.files, &attempt.folders)?;
        let reserve = self.reserve()?;
        // It is missing if the medium was full: then the old services need what the new ones have taken.
        let is_full =
            self.was_full || self.files.kind(&reserve).map_err(failed(&reserve, "looking for it"))?.is_none();
        let aside: Vec<PathBuf> = attempt.folders.iter().map(|folder| rejected(&folder.path)).collect();
        let mut kept = Vec::new();
        for path in aside {
            if self.files.kind(&path).map_err(failed(&path, "looking for it"))?.is_some() {
                kept.push(path);
            }
        }
        if is_full {
            for path in &kept {
                tree::remove_all(self.files, path)
                    .map_err(failed(path, "making room for the data of before"))?;
            }
            if !kept.is_empty() {
                (self.tell)(&Event::NotKept(std::mem::take(&mut kept)));
            }
        }
        let Attempt { to, slot, update, .. } = attempt.clone();
        let what = Restored { to, slot, update, why };
        self.store(&clean(attempt.from, Some(what.clone()), &attempt))?;
        (self.tell)(&Event::Restored { version: attempt.from, what, kept });
        Ok(())
    }

    fn reserve(&self) -> Result<PathBuf> {
        beside(&self.file, ".reserve").map_err(failed(&self.file, "naming the reserve beside it"))
    }

    fn reserve_room(&mut self) -> Result {
        let reserve = self.reserve()?;
        let failed = failed(&reserve, "keeping room for the state");
        // Bytes that no file system packs into fewer ones (xorshift, Marsaglia 2003).
        let mut word: u32 = 2_463_534_242;
        let bytes = std::iter::repeat_with(|| {
            word ^= word << 13;
            word ^= word >> 17;
            word ^= word << 5;
            word.to_le_bytes()
        });
        let bytes: Vec<u8> = bytes.take(RESERVE / 4).flatten().collect();
        files::make_folders(self.files.as_files(), parent(&reserve)).map_err(&failed)?;
        self.files.write(&reserve, &bytes).and_then(|()| self.files.sync(&reserve)).map_err(&failed)?;
        self.files.sync(parent(&reserve)).map_err(&failed)
    }

    /// Replaces the state. Where the medium is full, the reserve makes room for it.
    fn store(&mut self, state: &State) -> Result {
        let bytes = state.encode();
        let file = self.file.clone();
        let write = |files: &mut dyn Trees| files::replace(files.as_files(), &file, &bytes);
        let written = match write(self.files) {
            Err(error) if is_full(&error) => {
                let reserve = self.reserve()?;
                let written = files::remove(self.files.as_files(), &reserve).and_then(|()| write(self.files));
                self.was_full = true;
                // For the next time, if there is room by then.
                if matches!(state, State::Steps { .. } | State::Trial(_)) && self.reserve_room().is_err() {
                    let _ = files::remove(self.files.as_files(), &reserve);
                }
                written
            }
            written => written,
        };
        written.map_err(failed(&self.file, "storing the version of the data"))
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

fn clean(version: Option<u64>, last: Option<Restored>, attempt: &Attempt) -> State {
    let folders = attempt.folders.iter().map(|folder| folder.path.clone()).collect();
    State::Clean { version, last, folders }
}

/// What may stand in a line of the state file.
fn is_plain(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_graphic())
}

/// What is kept of a version that was rolled back.
pub(super) fn kept(files: &mut dyn Trees, state: Option<&State>) -> Vec<PathBuf> {
    let Some(State::Clean { last: Some(_), folders, .. }) = state else { return Vec::new() };
    let paths = folders.iter().map(|folder| rejected(folder));
    paths.filter(|path| matches!(files.kind(path), Ok(Some(_)))).collect()
}

/// Where the snapshots of a migration are.
pub(super) fn snapshots(attempt: &Attempt) -> Vec<PathBuf> {
    let existed = attempt.folders.iter().filter(|folder| folder.existed);
    existed.map(|folder| before(Path::new(&folder.path))).collect()
}
