//! Data that have a version, and a way to the next one that can be gone back.
//!
//! `bootslot migrate` runs before the services of a system. When it has returned 0, the folders of the data are as that
//! system wants them: all old, or all new. The state is one small file beside them, replaced in one step.
//!
//! | state | what the medium holds | after a cut, the slot that asked | after a cut, another slot |
//! |---|---|---|---|
//! | none | data that nobody has counted, or none | as before | as before |
//! | `clean` | the data of one version, or none; perhaps what is to be removed | as before | as before |
//! | `copying` | the data, untouched; a part of the snapshot | makes the snapshot again from its start | gives it up: `clean` |
//! | `steps` | the data, perhaps half changed; the whole snapshot | does the step again that was under way | restores |
//! | `trial` | the new data, the snapshot | goes on with the trial | restores |
//! | `restoring` | of each folder the new data or the old ones | goes on restoring | goes on restoring |
//!
//! ```text
//!              begin            whole             steps             last step           confirmed
//!  clean(old) -------> copying -------> steps ---- one by one ----> steps -----> trial -----------> clean(new)
//!      ^                  |               |                           |            |
//!      +------------------+               +---------------------------+------------+
//!      ^     another slot                 a step fails, or another slot or system runs
//!      +-------------------- restoring <--------------------------------+
//! ```
//!
//! Who runs decides between keeping and taking back. A confirmation of the slot that migrated the data keeps them, and
//! any other slot takes them back. A cut between the confirmation and [`confirm`] changes nothing: the next boot of that
//! slot keeps the data.
//!
//! A step that fails has its work taken back at once, whoever boots next: the old system need not know of migrations.
//! Each boot of the trial tries it again, as often as the boot script allows.
//!
//! | file | job |
//! |---|---|
//! | `mod.rs` | what a program calls |
//! | `state.rs` | \[pure\] where the data stand, and the file that holds it |
//! | `decide.rs` | \[pure\] what comes next |
//! | `job.rs` | does it, until the data are ready |
//! | `snapshot.rs` | snapshots of folders, and the way back |
//! | `system.rs` | what a system ships: the version it wants, the steps |
//! | `step.rs` | one step |
//! | `event.rs` `error.rs` | what happens, as values |
//! | `lock.rs` | one migration at a time |

mod decide;
mod error;
mod event;
mod job;
mod lock;
mod snapshot;
mod state;
mod step;
mod system;
#[cfg(test)]
mod tests;

pub use decide::{next, Facts, Next, Refusal, Seen, Wanted};
pub use error::MigrateError;
pub use event::Event;
pub use snapshot::{before, rejected, Method, Room};
pub use state::{Attempt, Folder, Restored, State, StepId, Why};
pub use system::{Action, Step, System};

use std::path::PathBuf;

use crate::files::RealFiles;
use crate::settings::Migrate;
use job::Job;
use lock::Lock;
use step::Processes;

/// Where the data stand, and what the next run would do.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Status {
    /// What the state file holds; `None`: there is none.
    pub state: Option<State>,
    /// What the running system wants.
    pub wanted: Wanted,
    /// What the next run does first.
    pub next: Next,
    /// The steps that it would run.
    pub steps: Vec<StepId>,
    /// Where a snapshot begins next: the room that it needs, by file system.
    pub room: Vec<Room>,
    /// The snapshots of the migration under way.
    pub snapshots: Vec<PathBuf>,
    /// What is kept of a version that was rolled back.
    pub kept: Vec<PathBuf>,
}

impl Status {
    /// Whether the data are as the running system wants them: its services may start, or rightly have started.
    pub fn is_ready(&self) -> bool {
        match &self.next {
            Next::Ready | Next::Commit(_) => true,
            // Nothing but leftovers: the version decides.
            Next::Tidy => {
                matches!(&self.state, Some(State::Clean { version, .. }) if *version == Some(self.wanted.version))
            }
            _ => false,
        }
    }
}

/// Brings the data to the version that the running system wants, or takes back what another one has made of them. Call it
/// before the services start, and start them only if it succeeds. Where it is called again it does nothing. `tell` hears
/// what happens. The version of the data is returned; `None` where the settings name no folders.
///
/// # Errors
///
/// All of [`MigrateError`]. The next call goes on from where this one stood.
pub fn run(
    settings: &Migrate,
    facts: &Facts,
    tell: &mut dyn FnMut(&Event),
) -> Result<Option<u64>, MigrateError> {
    let system = System::load(settings)?;
    let run = with_job(settings, &system, facts, tell, |job| job.run())?;
    Ok(run.map(|()| system.version))
}

/// Keeps the migrated data, after the running slot was confirmed; `facts` say that it is. Where that was done, or nothing
/// was migrated, it does nothing. If it is not called, the next [`run`] does the same. Says whether there was something
/// to do.
///
/// # Errors
///
/// Those of the system, the settings and the lock. The slot is confirmed all the same, and the next run tries again.
pub fn confirm(
    settings: &Migrate,
    facts: &Facts,
    tell: &mut dyn FnMut(&Event),
) -> Result<bool, MigrateError> {
    let system = System::load(settings)?;
    Ok(with_job(settings, &system, facts, tell, |job| job.confirm())?.unwrap_or_default())
}

/// Says that the data have this version, whatever is known of them. It is for a person who has looked at them: all
/// snapshots go with the next run.
///
/// # Errors
///
/// Those of the system and the lock.
pub fn assume(settings: &Migrate, version: u64, tell: &mut dyn FnMut(&Event)) -> Result<(), MigrateError> {
    let (system, facts) = (System::default(), Facts::default());
    with_job(settings, &system, &facts, tell, |job| job.assume(version)).map(drop)
}

/// Where the data stand, and what the next run would do. Nothing is written, and nothing is locked. `None` where the
/// settings name no folders.
///
/// # Errors
///
/// Those of the system and the settings, and [`MigrateError::Unreadable`].
pub fn status(settings: &Migrate, facts: &Facts) -> Result<Option<Status>, MigrateError> {
    let Some(file) = settings.state_file() else { return Ok(None) };
    let system = System::load(settings)?;
    let mut files = RealFiles::default();
    let mut runner = Processes::without_lock();
    let (files, tell) = (&mut files, &mut |_: &Event| {});
    let was_full = false;
    let mut job = Job { files, runner: &mut runner, settings, file, system: &system, facts, tell, was_full };
    let state = job.load()?;
    let seen = job.see(state.as_ref())?;
    let wanted = system.wanted();
    let next = next(state.as_ref(), &wanted, facts, seen);
    let (steps, room) = match &next {
        Next::Begin { from, to, .. } => {
            let folders = snapshot::look(job.files, &settings.data)?;
            let room = snapshot::room(job.files, &folders, system.room, false)?;
            (wanted.between(*from, *to).cloned().collect(), room)
        }
        Next::Snapshot(attempt) => (wanted.between(attempt.from, attempt.to).cloned().collect(), Vec::new()),
        Next::Step(attempt, step) => {
            let left = wanted.between(attempt.from, attempt.to).skip_while(|one| *one != step);
            (left.cloned().collect(), Vec::new())
        }
        _ => (Vec::new(), Vec::new()),
    };
    let snapshots = state.as_ref().and_then(State::attempt).map(job::snapshots).unwrap_or_default();
    let kept = job::kept(job.files, state.as_ref());
    Ok(Some(Status { state, wanted, next, steps, room, snapshots, kept }))
}

/// Runs under the lock, with the system's files and processes.
fn with_job<T>(
    settings: &Migrate,
    system: &System,
    facts: &Facts,
    tell: &mut dyn FnMut(&Event),
    work: impl FnOnce(&mut Job<'_>) -> Result<T, MigrateError>,
) -> Result<Option<T>, MigrateError> {
    let Some(file) = settings.state_file() else { return Ok(None) };
    let mut runner = Processes::with_lock(Lock::acquire(&settings.lock)?);
    let mut files = RealFiles::default();
    let (files, runner) = (&mut files, &mut runner);
    let was_full = false;
    work(&mut Job { files, runner, settings, file, system, facts, tell, was_full }).map(Some)
}
