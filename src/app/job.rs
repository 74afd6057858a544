//! One run over one application: what comes next is decided, done and stored, until nothing is left to do.
//!
//! Between any two operations the power may go. The state file is replaced in one step, the link in another one, and each thing
//! that is done can be done again.

use std::io;
use std::path::{Path, PathBuf};

use super::decide::{self, chosen, leaves, why, Facts, Next, Outcome, Seen};
use super::error::AppError;
use super::event::Event;
use super::service::Service;
use super::state::{Stage, State, Version, With};
use super::unpack::{self, Unfit};
use crate::error::Place;
use crate::files::build::{self, Attributes, Build};
use crate::files::{self, tree, Kind};
use crate::settings::App;

/// The permissions of the folders around the versions: services of any user go through them.
const FOLDER: u32 = 0o755;

/// Room that is left on the medium for the state and for names, and for each entry.
const MARGIN: u64 = 1 << 20;

/// At which moment a run is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Moment {
    /// The device boots, and no service runs yet: none is stopped or started.
    Boot,
    /// Services run.
    Later,
}

/// A new version, and what comes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// The version.
    pub version: Version,
    /// Once it is confirmed, nothing below this is installed.
    pub floor: Option<String>,
    /// The system that it belongs to; `None`: it is tried at once.
    pub with: Option<With>,
}

/// What one run works with.
pub(super) struct Job<'j> {
    pub files: &'j mut dyn Build,
    pub service: &'j mut dyn Service,
    pub app: &'j App,
    pub facts: &'j Facts,
    pub tell: &'j mut dyn FnMut(&Event),
}

type Result<T = ()> = std::result::Result<T, AppError>;

fn failed<'p>(path: &'p Path, step: &'static str) -> impl Fn(io::Error) -> AppError + 'p {
    move |error| Place::new(path, step).io(error).into()
}

/// Makes a folder, if it is missing, that all may go through.
pub(super) fn make_wide(files: &mut dyn Build, folder: &Path) -> io::Result<()> {
    if files.kind(folder)?.is_some() {
        return Ok(());
    }
    files::make_folders(files.as_files(), folder)?;
    files.give(folder, &Attributes { mode: FOLDER, ..Attributes::default() })?;
    files.sync(folder)
}

impl Job<'_> {
    /// Does what is needed. What is returned is on trial, in place, and waits for its judgement.
    pub(super) fn run(&mut self, moment: Moment) -> Result<Option<Version>> {
        let mut state = match self.load()? {
            Some(state) => state,
            // A cut in its first installation may have left a folder.
            None if self.is_folder(&self.versions())? => State::default(),
            None => return Ok(None),
        };
        if let (Stage::Trial { new, boots }, Moment::Boot) = (&state.stage, moment) {
            let boots = boots.saturating_add(1);
            let counted = State { stage: Stage::Trial { new: new.clone(), boots }, ..state.clone() };
            self.store(&counted)?;
            if let Some(version) = counted.new_version() {
                (self.tell)(&Event::Counted(version.clone(), boots));
            }
            state = counted;
        }
        // A program that was killed may have stopped it.
        let mut is_started = moment == Moment::Boot;
        let mut tidied = false;
        loop {
            let mut seen = self.see(&state)?;
            // What could not be removed is no reason to stay here.
            seen.leftovers &= !tidied;
            match decide::next(&state, &seen, self.facts, self.app.tries) {
                Next::Ready => return Ok(None),
                Next::Tidy => {
                    self.tidy(&state)?;
                    tidied = true;
                }
                Next::Remove => {
                    self.remove(moment)?;
                    return Ok(None);
                }
                Next::Switch(target) => {
                    if let Some(changed) = self.switch(&state, target, moment)? {
                        self.store(&changed)?;
                        state = changed;
                    }
                    is_started = true;
                }
                Next::Judge(version) => {
                    match if is_started { Ok(()) } else { self.start() } {
                        Err(()) if self.app.checks.is_empty() => {
                            state = self.go_on(leaves(&state, &version, why::START), state)?;
                        }
                        _ => return Ok(Some(version)),
                    }
                    is_started = true;
                }
                Next::Store(changed, outcome) => {
                    if matches!(outcome, Outcome::GivenUp(..)) && !is_started && changed.current().is_some() {
                        let _ = self.start();
                        is_started = true;
                    }
                    state = self.go_on(Next::Store(changed, outcome), state)?;
                }
            }
        }
    }

    /// Stores what is to be stored, and tells what it means.
    fn go_on(&mut self, next: Next, state: State) -> Result<State> {
        let Next::Store(changed, outcome) = next else { return Ok(state) };
        let event = match outcome {
            Outcome::Confirmed(version) => Event::Confirmed(version),
            Outcome::Leaves(version, why) => Event::Leaves(version, why),
            Outcome::GivenUp(version, why) => {
                Event::GivenUp { version, why, back: chosen(&changed, self.facts).cloned() }
            }
        };
        let before = matches!(event, Event::Leaves(..));
        if before {
            (self.tell)(&event);
        }
        let changed = if before { changed } else { changed.prune(self.app.keep) };
        self.store(&changed)?;
        if !before {
            (self.tell)(&event);
        }
        Ok(changed)
    }

    /// Why this version is not installed now, if it is not; `true`: it is there already, confirmed or under way.
    pub(super) fn check(&mut self, arrival: &Arrival, again: bool, recovery: bool) -> Result<bool> {
        let state = self.load()?.unwrap_or_default();
        let Arrival { version, with, .. } = arrival;
        let app = self.app.name.clone();
        if let Some(needed) = version.system.as_ref().filter(|_| with.is_none()) {
            if !self.facts.is_enough(Some(needed)) {
                let has = self.facts.system.as_ref();
                let has =
                    has.map_or("does not say its version".into(), |system| format!("has version {system}"));
                let (version, needed) = (version.version.clone(), needed.clone());
                return Err(AppError::System { app, version, needed, has });
            }
        }
        if let Some(floor) = state.floor.as_ref().filter(|_| !recovery) {
            if crate::version::compare(&version.version, floor) == std::cmp::Ordering::Less {
                let (version, floor) = (version.version.clone(), floor.clone());
                return Err(AppError::BelowFloor { app, version, floor });
            }
        }
        let is_new = state.stage.new_id() == Some(version.id.as_str());
        match (&state.stage, with) {
            (Stage::Settled, _) if state.current().is_some_and(|current| current.id == version.id) => {
                return Ok(true)
            }
            (Stage::Settled, _) => {}
            (Stage::Trial { .. }, None) if is_new => return Ok(true),
            (Stage::With { with: known, .. }, Some(with)) if is_new && known == with => return Ok(true),
            // What goes with another system gives way: that system is not tried any more.
            (Stage::With { .. }, Some(_)) if self.facts.boot.as_ref().is_some_and(|boot| boot.confirmed) => {}
            (Stage::Removing, _) => return Err(AppError::Refused(format!("{app} is being removed"))),
            (_, _) => {
                let new = state.new_version().cloned().unwrap_or_else(|| version.clone());
                return Err(AppError::Undecided(new, app));
            }
        }
        match state.refused.iter().find(|failed| failed.id == version.id).filter(|_| !again) {
            Some(failed) => Err(AppError::FailedBefore(failed.clone())),
            None => Ok(false),
        }
    }

    /// Looks whether there is room for this many bytes.
    pub(super) fn check_room(&mut self, bytes: u64) -> Result {
        let mut place = self.app.folder();
        while self.files.kind(&place).map_err(failed(&place, "looking for it"))?.is_none() {
            place = files::parent(&place).to_path_buf();
        }
        let free = self.files.free(&place).map_err(failed(&place, "asking for the free room"))?;
        let needed = bytes.saturating_add(MARGIN);
        match free < needed {
            true => Err(AppError::Room { path: place, free, needed }),
            false => Ok(()),
        }
    }

    /// Unpacks a version beside the others. What runs is not touched.
    pub(super) fn unpack(&mut self, version: &Version, archive: &mut dyn io::Read) -> Result {
        let state = self.load()?.unwrap_or_default();
        (self.tell)(&Event::Begins(version.clone()));
        self.make_folders()?;
        self.tidy(&state)?;
        let folder = self.version_folder(version);
        if state.version(&version.id).is_some() && self.is_folder(&folder)? {
            return Ok(());
        }
        let new = unpack::beside(&folder);
        let app = self.app.name.clone();
        let unfit = |unfit| match unfit {
            Unfit::Archive(reason) => AppError::Archive { app: app.clone(), reason },
            Unfit::Read(error) => AppError::Read { app: app.clone(), error },
            Unfit::Files(path, error) => failed(&path, "unpacking")(error),
        };
        let unpacked = unpack::unpack(self.files, archive, &new, self.app.devices).and_then(|unpacked| {
            self.files.sync_all(&new).map_err(|error| Unfit::Files(new.clone(), error))?;
            unpack::read_back(self.files, &new, &unpacked).map(|()| unpacked)
        });
        let unpacked = match unpacked {
            Ok(unpacked) => unpacked,
            Err(error) => {
                // Half a version helps nobody. If this fails as well, the next run does it.
                let _ = tree::remove_all(self.files.as_trees(), &new);
                return Err(unfit(error));
            }
        };
        self.files.rename(&new, &folder).map_err(failed(&folder, "giving it its name"))?;
        self.sync(&self.versions())?;
        let (version, entries, bytes) = (version.clone(), unpacked.entries, unpacked.bytes);
        (self.tell)(&Event::Unpacked { version, entries, bytes });
        Ok(())
    }

    /// A version that was unpacked is on trial from now on, or waits for its system.
    pub(super) fn begin(&mut self, arrival: Arrival) -> Result {
        let Arrival { version, floor, with } = arrival;
        let folder = self.version_folder(&version);
        if !self.is_folder(&folder)? {
            return Err(AppError::Gone { path: folder });
        }
        let mut state = self.load()?.unwrap_or_default();
        let new = version.id.clone();
        // Somebody else may have begun meanwhile.
        let is_free = match (&state.stage, &with) {
            (Stage::Settled, _) | (Stage::With { .. }, Some(_)) => true,
            (Stage::Trial { .. }, None) => state.stage.new_id() == Some(new.as_str()),
            _ => false,
        };
        if let Some(other) = state.new_version().filter(|_| !is_free) {
            return Err(AppError::Undecided(other.clone(), self.app.name.clone()));
        }
        state.versions.retain(|known| known.id != version.id);
        state.versions.push(version.clone());
        state.next_floor = floor;
        let event = match with {
            None => {
                state.stage = Stage::Trial { new, boots: 0 };
                Event::Trial(version)
            }
            Some(with) => {
                state.stage = Stage::With { new, with: with.clone() };
                Event::Waits(version, with)
            }
        };
        (self.tell)(&event);
        self.store(&state.prune(self.app.keep))
    }

    /// The new version is kept, or given up for this reason. Where it was decided meanwhile, nothing is done: `false`.
    pub(super) fn decide(&mut self, id: &str, verdict: std::result::Result<(), &str>) -> Result<bool> {
        let Some(state) = self.load()? else { return Ok(false) };
        let is_open = matches!(state.stage, Stage::Trial { .. });
        let Some(new) = state.new_version().filter(|new| is_open && new.id == id).cloned() else {
            return Ok(false);
        };
        let next = match verdict {
            Ok(()) => Next::Store(state.clone().confirm(), Outcome::Confirmed(new)),
            Err(why) => leaves(&state, &new, why),
        };
        self.go_on(next, state)?;
        self.run(Moment::Later)?;
        Ok(true)
    }

    /// Goes back to the version that was confirmed before the last one.
    pub(super) fn step_back(&mut self) -> Result<Version> {
        let state = self.load()?.unwrap_or_default();
        let mut confirmed = state.confirmed.clone();
        let left = confirmed.pop().and_then(|id| state.version(&id).cloned());
        let (Some(left), Stage::Settled, Some(_)) = (left, &state.stage, confirmed.last()) else {
            return Err(AppError::Refused(format!("{} has no version to go back to", self.app.name)));
        };
        // As if it were on trial still: it is left in the same way, and refused from then on.
        let stage = Stage::Back { new: left.id.clone(), why: why::USER.into() };
        (self.tell)(&Event::Leaves(left.clone(), why::USER.into()));
        self.store(&State { confirmed, stage, ..state })?;
        self.run(Moment::Later)?;
        Ok(left)
    }

    /// A version that has failed may be installed again. Says whether it was refused.
    pub(super) fn allow(&mut self, id: &str) -> Result<bool> {
        let Some(mut state) = self.load()? else { return Ok(false) };
        let before = state.refused.len();
        state.refused.retain(|failed| failed.id != id);
        let is_known = state.refused.len() < before;
        if is_known {
            self.store(&state)?;
        }
        Ok(is_known)
    }

    /// Begins to remove the application, whatever is known of it.
    pub(super) fn begin_removal(&mut self) -> Result {
        if !self.is_folder(&self.app.folder())? {
            return Err(AppError::Refused(format!("{} is not installed", self.app.name)));
        }
        self.store(&State { stage: Stage::Removing, ..State::default() })?;
        self.run(Moment::Later).map(drop)
    }

    /// What the file holds; `None`: the application is not installed.
    pub(super) fn load(&mut self) -> Result<Option<State>> {
        let file = self.state_file();
        let bytes =
            files::read_if_there(self.files.as_files(), &file).map_err(failed(&file, "reading its state"))?;
        let state = bytes.map(|bytes| State::decode(&bytes)).transpose();
        state.map_err(|reason| AppError::Unreadable { path: file, reason })
    }

    /// What else the decision needs. On a normal boot nothing is read but a link and some names.
    pub(super) fn see(&mut self, state: &State) -> Result<Seen> {
        let link = self.link();
        let target = self.files.link_target(&link).map_err(failed(&link, "reading the link"))?;
        let name = target.and_then(|target| {
            let inside = target.strip_prefix("versions").ok()?;
            inside.to_str().map(str::to_owned)
        });
        Ok(Seen { link: name, leftovers: !self.leftovers(state)?.is_empty() })
    }

    fn leftovers(&mut self, state: &State) -> Result<Vec<PathBuf>> {
        let versions = self.versions();
        if !self.is_folder(&versions)? {
            return Ok(Vec::new());
        }
        let known: Vec<String> = state.versions.iter().map(Version::folder).collect();
        let names = self.files.list(&versions).map_err(failed(&versions, "looking for versions"))?;
        let unknown = names.into_iter().filter(|name| !known.iter().any(|known| name == known.as_str()));
        Ok(unknown.map(|name| versions.join(name)).collect())
    }

    fn tidy(&mut self, state: &State) -> Result {
        let leftovers = self.leftovers(state)?;
        if leftovers.is_empty() {
            return Ok(());
        }
        for path in leftovers {
            if let Err(error) = tree::remove_all(self.files.as_trees(), &path) {
                (self.tell)(&Event::Stays { path, reason: error.to_string() });
            }
        }
        self.sync(&self.versions())
    }

    /// Puts a version in place. The state to store is returned where that is not possible and the new version is left.
    fn switch(&mut self, state: &State, target: Option<Version>, moment: Moment) -> Result<Option<State>> {
        let (link, folder) = (self.link(), self.app.folder());
        let is_new = target.as_ref().is_some_and(|version| state.stage.new_id() == Some(version.id.as_str()));
        let leave = |version: &Version, why: &str| match leaves(state, version, why) {
            Next::Store(state, _) => Some(state),
            _ => None,
        };
        if let Some(version) = &target {
            let path = self.version_folder(version);
            if !self.is_folder(&path)? {
                return match is_new {
                    true => Ok(leave(version, why::FILES)),
                    false => Err(AppError::Gone { path }),
                };
            }
        }
        if moment == Moment::Later {
            let stopped = self.service.stop();
            if let Err(says) = stopped {
                (self.tell)(&Event::Service { order: "stop", says });
                // What still runs would find another version below it. Whoever goes back has no choice.
                if let Some(version) = target.as_ref().filter(|_| is_new) {
                    let _ = self.start();
                    return Ok(leave(version, why::STOP));
                }
            }
        }
        let switched = match &target {
            Some(version) => build::switch(self.files, &link, &Path::new("versions").join(version.folder())),
            None => build::unlink(self.files, &link),
        };
        // What was stopped runs again, in any case.
        let started = if moment == Moment::Later && (target.is_some() || switched.is_err()) {
            self.start()
        } else {
            Ok(())
        };
        switched.map_err(failed(&link, "switching it"))?;
        self.sync(&folder)?;
        (self.tell)(&Event::Switched(target.clone()));
        match target.filter(|_| is_new && started.is_err() && self.app.checks.is_empty()) {
            Some(version) => Ok(leave(&version, why::START)),
            None => Ok(None),
        }
    }

    /// Starts the service. Where that fails, it is told.
    fn start(&mut self) -> std::result::Result<(), ()> {
        self.service.start().map_err(|says| (self.tell)(&Event::Service { order: "start", says }))
    }

    fn remove(&mut self, moment: Moment) -> Result {
        if moment == Moment::Later {
            if let Err(says) = self.service.stop() {
                (self.tell)(&Event::Service { order: "stop", says });
            }
        }
        let (link, folder, file) = (self.link(), self.app.folder(), self.state_file());
        build::unlink(self.files, &link).map_err(failed(&link, "removing it"))?;
        let versions = self.versions();
        tree::remove_all(self.files.as_trees(), &versions).map_err(failed(&versions, "removing it"))?;
        self.sync(&folder)?;
        files::remove(self.files.as_files(), &file).map_err(failed(&file, "removing it"))?;
        // What is left beside it was a cut's.
        tree::remove_all(self.files.as_trees(), &folder).map_err(failed(&folder, "removing it"))?;
        self.sync(&self.app.root.clone())?;
        (self.tell)(&Event::Removed);
        Ok(())
    }

    fn store(&mut self, state: &State) -> Result {
        let file = self.state_file();
        self.make_folders()?;
        files::replace(self.files.as_files(), &file, &state.encode())
            .map_err(failed(&file, "storing its state"))
    }

    fn make_folders(&mut self) -> Result {
        for folder in [self.app.root.clone(), self.app.folder(), self.versions()] {
            make_wide(self.files, &folder).map_err(failed(&folder, "making it"))?;
        }
        Ok(())
    }

    fn is_folder(&mut self, path: &Path) -> Result<bool> {
        Ok(self.files.kind(path).map_err(failed(path, "looking for it"))? == Some(Kind::Folder))
    }

    fn sync(&mut self, folder: &Path) -> Result {
        self.files.sync(folder).map_err(failed(folder, "syncing it"))
    }

    fn state_file(&self) -> PathBuf {
        self.app.folder().join("state")
    }

    fn link(&self) -> PathBuf {
        self.app.folder().join("current")
    }

    fn versions(&self) -> PathBuf {
        self.app.folder().join("versions")
    }

    fn version_folder(&self, version: &Version) -> PathBuf {
        self.versions().join(version.folder())
    }
}
