//! [pure] What comes next: from where the data stand, what the system wants, and who runs.

use std::fmt;

use super::state::{Attempt, State, StepId, Why};
use crate::slot::{self, Name};

/// Who runs, as the boot state tells.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Facts {
    /// The slot that runs; `None`: unknown.
    pub slot: Option<Name>,
    /// Whether it is confirmed.
    pub confirmed: bool,
    /// The id of the update that is on trial in it, where known.
    pub update: Option<String>,
}

impl Facts {
    /// What the boot state says of the slot that runs.
    pub fn new(state: &slot::State, running: Option<&Name>) -> Facts {
        let on_trial = running.is_some_and(|slot| state.is_on_trial(slot));
        let update = state.update.as_deref().filter(|_| on_trial);
        Facts {
            slot: running.cloned(),
            confirmed: running.is_some_and(|slot| state.is_confirmed(slot)),
            update: update.map(|id| String::from_utf8_lossy(id).into_owned()),
        }
    }
}

/// What the system wants.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Wanted {
    /// The version of the data that it works with.
    pub version: u64,
    /// The version of data that nobody has counted yet, if the system says so.
    pub initial: Option<u64>,
    /// The steps that it has, in order.
    pub steps: Vec<StepId>,
}

impl Wanted {
    /// The steps between two versions; none where there are no data.
    pub fn between(&self, from: Option<u64>, to: u64) -> impl Iterator<Item = &StepId> {
        self.steps.iter().filter(move |step| from.is_some_and(|from| step.to > from && step.to <= to))
    }
}

/// What lies on the medium, beside the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Seen {
    /// Some folder holds something.
    pub data: bool,
    /// There is a snapshot, a part of one, or what a rolled back version has left, and the state does not ask for it.
    pub leftovers: bool,
}

/// Why nothing can be done without a person, or without another system.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The data are newer than the system, and there is no snapshot.
    Newer {
        /// The version that the data have.
        data: u64,
        /// The version that the system wants.
        wanted: u64,
    },
    /// There are data whose version nobody has counted, and the system does not say which one they have.
    Uncounted,
    /// There are snapshots, but the file is gone that says of what.
    Lost,
    /// It is not known which slot runs.
    RunningUnknown,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refusal::Newer { data, wanted } => {
                return write!(
                    f,
                    "the data have version {data}, this system wants version {wanted}, and there is no snapshot of \
                     that version: boot the newer system, or restore a backup and say so (bootslot migrate --assume \
                     {wanted})"
                )
            }
            Refusal::Uncounted => {
                "there are data, and no file says which version they have: let the system say it (`initial` in \
                 migrate.toml), or say it yourself (bootslot migrate --assume)"
            }
            Refusal::Lost => {
                "there is a snapshot, and the file is gone that says of which version: look at the folders, then say \
                 which version the data have (bootslot migrate --assume)"
            }
            Refusal::RunningUnknown => {
                "which slot runs is unknown (--slot), so it can't be told whether the data are to be migrated or to \
                 be restored"
            }
        })
    }
}

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Next {
    /// The data are as the system wants them: services may start.
    Ready,
    /// The data get this version without a step: they have it, or there are none yet and nobody will want to go back.
    Adopt(u64),
    /// What nobody needs any more is removed.
    Tidy,
    /// A migration begins.
    Begin {
        /// The version of the data; `None`: there are none.
        from: Option<u64>,
        /// The version that the system wants.
        to: u64,
        /// The slot that runs.
        slot: Name,
    },
    /// The snapshot is made, from its start.
    Snapshot(Attempt),
    /// A snapshot that somebody else has begun is given up.
    Abandon(Attempt),
    /// This step runs.
    Step(Attempt, StepId),
    /// All steps are done: the trial begins.
    Migrated(Attempt),
    /// The slot is confirmed: the snapshot is not needed any more.
    Commit(Attempt),
    /// The data are taken back.
    Restore(Attempt, Why),
    /// That goes on.
    Resume(Attempt, Why),
    /// Nothing can be done.
    Refuse(Refusal),
}

impl fmt::Display for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Next::Ready => f.write_str("nothing, services may start"),
            Next::Adopt(version) => write!(f, "the data are noted as version {version}"),
            Next::Tidy => f.write_str("what nobody needs any more is removed"),
            Next::Begin { from: Some(from), to, .. } => write!(f, "migration from version {from} to {to}"),
            Next::Begin { from: None, to, .. } => {
                write!(f, "there are no data: the first ones, of version {to}, can be taken back until the confirmation")
            }
            Next::Snapshot(_) => f.write_str("the snapshot is made again"),
            Next::Abandon(_) => f.write_str("the snapshot is given up"),
            Next::Step(_, step) => write!(f, "step {step}"),
            Next::Migrated(_) => f.write_str("the trial of the data begins"),
            Next::Commit(_) => f.write_str("the data are confirmed, the snapshot goes"),
            Next::Restore(_, why) => write!(f, "the snapshot is restored: {why}"),
            Next::Resume(_, why) => write!(f, "the restoration goes on: {why}"),
            Next::Refuse(refusal) => write!(f, "NOTHING, {refusal}"),
        }
    }
}

/// What comes next. It depends on nothing else.
pub fn next(state: Option<&State>, wanted: &Wanted, facts: &Facts, seen: Seen) -> Next {
    match state {
        None => uncounted(wanted, facts, seen),
        Some(State::Clean { .. }) if seen.leftovers => Next::Tidy,
        Some(State::Clean { version: Some(version), .. }) => clean(*version, wanted, facts),
        Some(State::Clean { version: None, .. }) => uncounted(wanted, facts, seen),
        Some(State::Copying(attempt)) => match asks(attempt, wanted, facts) {
            Ok(()) => Next::Snapshot(attempt.clone()),
            Err(_) => Next::Abandon(attempt.clone()),
        },
        Some(State::Steps { attempt, done }) => match asks(attempt, wanted, facts) {
            Ok(()) => step(attempt, done.as_ref(), wanted),
            Err(Some(why)) => Next::Restore(attempt.clone(), why),
            Err(None) => Next::Refuse(Refusal::RunningUnknown),
        },
        Some(State::Trial(attempt)) => match asks(attempt, wanted, facts) {
            // Also where the system was exchanged in place: it is confirmed, and so are its data.
            Ok(()) | Err(Some(Why::OtherSystem)) if facts.confirmed => Next::Commit(attempt.clone()),
            Ok(()) => Next::Ready,
            // Made of nothing, and right for this system, too: its user need not begin again.
            Err(Some(_)) if attempt.from.is_none() && attempt.to == wanted.version => {
                take_over(attempt, facts)
            }
            Err(Some(why)) => Next::Restore(attempt.clone(), why),
            Err(None) => Next::Refuse(Refusal::RunningUnknown),
        },
        Some(State::Restoring { attempt, why }) => Next::Resume(attempt.clone(), why.clone()),
    }
}

/// Whether the running system is the one of this migration. `Err(None)`: it is not known which slot runs.
fn asks(attempt: &Attempt, wanted: &Wanted, facts: &Facts) -> Result<(), Option<Why>> {
    let slot = facts.slot.as_ref().ok_or(None)?;
    // An id that is unknown, as after the loss of the environment, is no other one.
    let both = attempt.update.as_ref().zip(facts.update.as_ref());
    match () {
        () if *slot != attempt.slot => Err(Some(Why::OtherSlot)),
        () if wanted.version != attempt.to || both.is_some_and(|(one, other)| one != other) => {
            Err(Some(Why::OtherSystem))
        }
        () => Ok(()),
    }
}

fn uncounted(wanted: &Wanted, facts: &Facts, seen: Seen) -> Next {
    match wanted.initial {
        _ if seen.leftovers => Next::Refuse(Refusal::Lost),
        // A system that counts nothing has data that are not counted.
        _ if wanted.version == 0 => Next::Ready,
        _ if !seen.data => first(wanted, facts),
        Some(version) if version == wanted.version => Next::Adopt(version),
        Some(version) => clean(version, wanted, facts),
        None => Next::Refuse(Refusal::Uncounted),
    }
}

/// There are no data. Those that a system on trial makes are taken back with it: the one that boots in its place may want
/// an older version, and there is no way from a newer one.
fn first(wanted: &Wanted, facts: &Facts) -> Next {
    match &facts.slot {
        Some(slot) if !facts.confirmed => Next::Begin { from: None, to: wanted.version, slot: slot.clone() },
        _ => Next::Adopt(wanted.version),
    }
}

/// The data of this attempt are the running system's from now on.
fn take_over(attempt: &Attempt, facts: &Facts) -> Next {
    match &facts.slot {
        Some(slot) if !facts.confirmed => {
            Next::Migrated(Attempt { slot: slot.clone(), update: facts.update.clone(), ..attempt.clone() })
        }
        _ => Next::Commit(attempt.clone()),
    }
}

fn clean(version: u64, wanted: &Wanted, facts: &Facts) -> Next {
    match &facts.slot {
        _ if version == wanted.version => Next::Ready,
        _ if version > wanted.version => {
            Next::Refuse(Refusal::Newer { data: version, wanted: wanted.version })
        }
        Some(slot) => Next::Begin { from: Some(version), to: wanted.version, slot: slot.clone() },
        None => Next::Refuse(Refusal::RunningUnknown),
    }
}

fn step(attempt: &Attempt, done: Option<&StepId>, wanted: &Wanted) -> Next {
    let mut steps = wanted.between(attempt.from, attempt.to);
    // A step that was done and is none of this system's: another system has done it.
    if done.is_some_and(|done| !steps.any(|step| step == done)) {
        return Next::Restore(attempt.clone(), Why::OtherSystem);
    }
    match steps.next() {
        Some(step) => Next::Step(attempt.clone(), step.clone()),
        None => Next::Migrated(attempt.clone()),
    }
}
