//! Applications beside the system, updated without a reboot (feature `app`).
//!
//! ```text
//!  ROOT/NAME.lock                one order at a time
//!  ROOT/NAME/
//!    state                       what is known: one small file, replaced in one step
//!    current -> versions/...     what the service runs: one link, replaced in one step
//!    versions/VERSION-ID/        one folder for each version, never changed once it has its name
//!    versions/.new-VERSION-ID/   one that is being unpacked
//! ```
//!
//! | stage | what the medium holds | after a power cut |
//! |---|---|---|
//! | `settled` | the confirmed version, older ones | as before |
//! | unpacking (still `settled`) | the same, and a part of a folder | what is not known is removed; the same command goes on |
//! | `trial` | the new version as well; the link leads to either | the new one is in place; its boots are counted; it is judged |
//! | `back` | the same | the old one is in place, and the new one is refused |
//! | `with` | the same, and the system that it belongs to | the version of the system that runs is in place |
//! | `removing` | some of it | the rest is removed |
//!
//! ```text
//!            unpacked, begin             judged: good
//!  settled ------------------> trial ------------------> settled, with the new version
//!     ^  ^                       |
//!     |  |                       | bad, boots used up, by order
//!     |  +----------- back <-----+
//!     |
//!     +-- begin --> with --- its system is confirmed ---> settled, with the new version
//!     ^               |
//!     +---------------+ its system was given up
//! ```
//!
//! The link is switched while the service is stopped: whatever it still does while it ends, it finds its own version.
//!
//! | file | job |
//! |---|---|
//! | `mod.rs` | what a program calls |
//! | `state.rs` | \[pure\] which versions there are, and the file that says so |
//! | `decide.rs` | \[pure\] what comes next |
//! | `job.rs` | does it, until nothing is left to do |
//! | `facts.rs` | which system runs |
//! | `unpack.rs` | an archive as a folder |
//! | `pax.rs` | \[pure\] extensions of an archive's entries |
//! | `service.rs` | the commands that stop and start the service |
//! | `event.rs` `error.rs` | what happens, as values |

mod decide;
mod error;
mod event;
mod facts;
mod job;
mod pax;
mod service;
mod state;
#[cfg(all(test, feature = "sim"))]
mod tests;
mod unpack;

pub use decide::{chosen, next, why, Boot, Facts, Next, Outcome, Seen};
pub use error::AppError;
pub use event::Event;
pub(crate) use facts::is_on_trial;
pub use facts::{facts, facts_without_boot};
pub use job::{Arrival, Moment};
pub use pax::Pax;
pub use service::{Commands, Service};
pub use state::{Failed, Stage, State, Version, With};
pub use unpack::{read_back, unpack, Unfit, Unpacked};

use std::io::Read;

use crate::error::Place;
use crate::files::{Files, RealFiles};
use crate::settings::App;
use job::Job;

/// Where an application stands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// What is known of it; `None`: it is not installed.
    pub state: Option<State>,
    /// The name of the folder that the link leads to.
    pub link: Option<String>,
    /// What the next run would do.
    pub next: Next,
}

impl Status {
    /// The version that is in place.
    pub fn in_place(&self) -> Option<&Version> {
        let state = self.state.as_ref()?;
        state.versions.iter().find(|version| Some(version.folder()) == self.link)
    }
}

/// A version that has failed may be installed again, wherever it was refused. Says by how many applications it was.
///
/// # Errors
///
/// Those of [`Handle::allow`].
pub fn allow(apps: &[App], id: &str) -> Result<usize, AppError> {
    let facts = Facts::default();
    let mut count = 0;
    for app in apps {
        let handle = Handle::new(app, &facts);
        // One whose state can't be read refuses nothing by it, and nothing is written where there is nothing to allow.
        let state = handle.status().ok().and_then(|status| status.state).unwrap_or_default();
        if state.refused.iter().any(|failed| failed.id == id) {
            count += usize::from(handle.allow(id)?);
        }
    }
    Ok(count)
}

/// An application of the settings, over the files and services of the system.
pub struct Handle<'a> {
    app: &'a App,
    facts: &'a Facts,
}

impl<'a> Handle<'a> {
    /// This application; `facts` say which system runs.
    pub fn new(app: &'a App, facts: &'a Facts) -> Self {
        Handle { app, facts }
    }

    /// Where it stands. Nothing is written, and nothing is locked.
    ///
    /// # Errors
    ///
    /// [`AppError::Unreadable`], and those of the system.
    pub fn status(&self) -> Result<Status, AppError> {
        let (mut files, mut service) = (RealFiles::default(), Commands::of(self.app));
        let (app, facts) = (self.app, self.facts);
        let mut job = Job { files: &mut files, service: &mut service, app, facts, tell: &mut |_| {} };
        let Some(state) = job.load()? else {
            return Ok(Status { state: None, link: None, next: Next::Ready });
        };
        let seen = job.see(&state)?;
        let next = next(&state, &seen, facts, app.tries);
        Ok(Status { state: Some(state), link: seen.link, next })
    }

    /// Does what is needed: it goes on where a power cut, or the end of a program, has stopped it. At boot that is called
    /// before the services start, and later by every order. What is returned is on trial, and is to be judged:
    /// [`decide`](Handle::decide) has the result.
    ///
    /// # Errors
    ///
    /// All of [`AppError`]. The next call goes on from where this one stood.
    pub fn run(&self, moment: Moment, tell: &mut dyn FnMut(&Event)) -> Result<Option<Version>, AppError> {
        // What is not installed leaves no lock behind.
        match self.app.folder().exists() {
            true => self.with_job(tell, |job| job.run(moment)),
            false => Ok(None),
        }
    }

    /// Whether a version can be installed now; `true`: it is there already, confirmed or under way. `bytes` is what its files
    /// take. `again`: also one that has failed here. `recovery`: also one below the floor. Nothing is written.
    ///
    /// # Errors
    ///
    /// All that refuse.
    pub fn check(
        &self,
        arrival: &Arrival,
        bytes: u64,
        again: bool,
        recovery: bool,
    ) -> Result<bool, AppError> {
        let (mut files, mut service) = (RealFiles::default(), Commands::of(self.app));
        let (app, facts) = (self.app, self.facts);
        let mut job = Job { files: &mut files, service: &mut service, app, facts, tell: &mut |_| {} };
        let already = job.check(arrival, again, recovery)?;
        if !already {
            job.check_room(bytes)?;
        }
        Ok(already)
    }

    /// Unpacks a version beside the others, from bytes that were verified. What runs is not touched.
    ///
    /// # Errors
    ///
    /// [`AppError::Archive`], [`AppError::Read`], and those of the system.
    pub fn unpack(
        &self,
        version: &Version,
        archive: &mut dyn Read,
        tell: &mut dyn FnMut(&Event),
    ) -> Result<(), AppError> {
        self.with_job(tell, |job| job.unpack(version, archive))
    }

    /// A version that was unpacked is on trial from now on, and in place; or it waits for its system. What is returned is
    /// to be judged.
    ///
    /// # Errors
    ///
    /// All of [`AppError`].
    pub fn begin(&self, arrival: Arrival, tell: &mut dyn FnMut(&Event)) -> Result<Option<Version>, AppError> {
        self.with_job(tell, |job| {
            let waits = arrival.with.is_some();
            job.begin(arrival)?;
            if waits {
                return Ok(None);
            }
            job.run(Moment::Later)
        })
    }

    /// The version of this id that is on trial is kept, or given up for this reason. `false`: it is not on trial any more, and
    /// nothing was done.
    ///
    /// # Errors
    ///
    /// All of [`AppError`].
    pub fn decide(
        &self,
        id: &str,
        verdict: Result<(), &str>,
        tell: &mut dyn FnMut(&Event),
    ) -> Result<bool, AppError> {
        self.with_job(tell, |job| job.decide(id, verdict))
    }

    /// Goes back to the version that was confirmed before the last one, which is refused from then on. It is returned.
    ///
    /// # Errors
    ///
    /// [`AppError::Refused`] where there is none or something is under way, and those of the system.
    pub fn step_back(&self, tell: &mut dyn FnMut(&Event)) -> Result<Version, AppError> {
        self.with_job(tell, |job| job.step_back())
    }

    /// A version that has failed may be installed again. Says whether it was refused.
    ///
    /// # Errors
    ///
    /// [`AppError::Unreadable`], and those of the system.
    pub fn allow(&self, id: &str) -> Result<bool, AppError> {
        self.with_job(&mut |_| {}, |job| job.allow(id))
    }

    /// Stops the service, and removes all versions and what is known of them.
    ///
    /// # Errors
    ///
    /// [`AppError::Refused`] where it is not installed, and those of the system: the next call goes on.
    pub fn remove(&self, tell: &mut dyn FnMut(&Event)) -> Result<(), AppError> {
        self.with_job(tell, |job| job.begin_removal())
    }

    fn with_job<T>(
        &self,
        tell: &mut dyn FnMut(&Event),
        work: impl FnOnce(&mut Job<'_>) -> Result<T, AppError>,
    ) -> Result<T, AppError> {
        let mut files = RealFiles::default();
        // Beside its folder: that may be removed while it is held.
        let lock = self.app.root.join(format!("{}.lock", self.app.name));
        let failed = |error| Place::new(&lock, "locking out other orders").io(error);
        job::make_wide(&mut files, &self.app.root).map_err(failed)?;
        let _lock = files.lock(&lock).map_err(failed)?;
        let mut service = Commands::of(self.app);
        work(&mut Job { files: &mut files, service: &mut service, app: self.app, facts: self.facts, tell })
    }
}
