//! What happens in a migration, as values. Whoever keeps a journal is told before it happens, where it says so.

use std::fmt;
use std::path::PathBuf;

use super::snapshot::Method;
use super::state::{said, Attempt, Restored, StepId, Why};

/// Something that happens, or has happened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The data get this version without a step.
    Adopted(u64),
    /// Before anything is written: a migration begins.
    Begins(Attempt),
    /// The snapshot is whole, on the medium.
    SnapshotWhole {
        /// How it was made; `None`: there was nothing to keep.
        method: Option<Method>,
    },
    /// A snapshot that another system had begun is given up. The data are untouched.
    SnapshotGivenUp(Attempt),
    /// Before it: a step runs.
    StepBegins(StepId),
    /// A step was done, and its work is on the medium.
    StepDone(StepId),
    /// A step failed.
    StepFailed {
        /// The step.
        step: StepId,
        /// Why.
        reason: String,
        /// The end of its output.
        output: String,
    },
    /// All steps are done. The data wait for the confirmation.
    Migrated(Attempt),
    /// The slot was confirmed, and its data are. The snapshot goes.
    Committed(Attempt),
    /// Before it: the snapshot is restored.
    RestoreBegins {
        /// What is taken back.
        attempt: Attempt,
        /// Why.
        why: Why,
    },
    /// The data of before are back.
    Restored {
        /// The version that they have; `None`: there were none.
        version: Option<u64>,
        /// What was taken back, and why.
        what: Restored,
        /// Where that is kept, until the next migration begins.
        kept: Vec<PathBuf>,
    },
    /// The medium is full: what was taken back was not kept.
    NotKept(Vec<PathBuf>),
    /// Something that nobody needs could not be removed; the next run tries again.
    Stays {
        /// What.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A person said that the data have this version.
    Assumed(u64),
}

impl Event {
    /// A name for programs.
    pub fn name(&self) -> &'static str {
        match self {
            Event::Adopted(_) => "data-adopted",
            Event::Begins(_) => "migration-begins",
            Event::SnapshotWhole { .. } => "snapshot-whole",
            Event::SnapshotGivenUp(_) => "snapshot-given-up",
            Event::StepBegins(_) => "step-begins",
            Event::StepDone(_) => "step-done",
            Event::StepFailed { .. } => "step-failed",
            Event::Migrated(_) => "migrated",
            Event::Committed(_) => "data-confirmed",
            Event::RestoreBegins { .. } => "restore-begins",
            Event::Restored { .. } => "data-restored",
            Event::NotKept(_) => "rejected-not-kept",
            Event::Stays { .. } => "stays",
            Event::Assumed(_) => "data-assumed",
        }
    }

    /// What there is to say of it, by name: `version`, `from` and `to` are numbers, or
    /// `none` where there are no data.
    pub fn fields(&self) -> Vec<(&'static str, String)> {
        let paths = |paths: &[PathBuf]| {
            let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
            paths.join(" ")
        };
        match self {
            Event::Adopted(version) | Event::Assumed(version) => vec![("version", version.to_string())],
            Event::Begins(attempt)
            | Event::SnapshotGivenUp(attempt)
            | Event::Migrated(attempt)
            | Event::Committed(attempt) => attempt.fields(),
            Event::SnapshotWhole { method } => {
                let method = method.map(|method| match method {
                    Method::Subvolume => "subvolume",
                    Method::Shared => "shared",
                    Method::Copied => "copied",
                });
                vec![("method", method.unwrap_or("none").into())]
            }
            Event::StepBegins(step) | Event::StepDone(step) => vec![("step", step.to_string())],
            Event::StepFailed { step, reason, output } => {
                vec![("step", step.to_string()), ("reason", reason.clone()), ("output", output.clone())]
            }
            Event::RestoreBegins { attempt, why } => {
                let mut fields = attempt.fields();
                fields.push(("why", why.to_string()));
                fields
            }
            Event::Restored { version, what, kept } => {
                let mut fields = vec![("version", said(*version)), ("slot", what.slot.to_string())];
                fields.extend(what.update.iter().map(|update| ("update", update.clone())));
                fields.extend([("why", what.why.to_string()), ("kept", paths(kept))]);
                fields
            }
            Event::NotKept(lost) => vec![("paths", paths(lost))],
            Event::Stays { path, reason } => {
                vec![("path", path.display().to_string()), ("reason", reason.clone())]
            }
        }
    }
}

impl Attempt {
    fn fields(&self) -> Vec<(&'static str, String)> {
        let mut fields =
            vec![("from", said(self.from)), ("to", self.to.to_string()), ("slot", self.slot.to_string())];
        fields.extend(self.update.iter().map(|update| ("update", update.clone())));
        fields
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Adopted(version) => write!(f, "the data have version {version}"),
            Event::Begins(attempt) => write!(f, "migration begins: {attempt}"),
            Event::SnapshotWhole { method } => f.write_str(match method {
                Some(Method::Subvolume) => "snapshot whole, made by the file system",
                Some(Method::Shared) => "snapshot whole, its bytes are shared",
                Some(Method::Copied) => "snapshot whole, copied and compared",
                None => "no snapshot: there are no data yet",
            }),
            Event::SnapshotGivenUp(attempt) => write!(f, "snapshot given up: {attempt}"),
            Event::StepBegins(step) => write!(f, "step {step} begins"),
            Event::StepDone(step) => write!(f, "step {step} done"),
            Event::StepFailed { step, reason, .. } => write!(f, "step {step} failed: {reason}"),
            Event::Migrated(attempt) => write!(f, "migrated: {attempt}"),
            Event::Committed(attempt) => write!(f, "confirmed: {attempt}"),
            Event::RestoreBegins { attempt, why } => write!(f, "restoring the snapshot ({why}): {attempt}"),
            Event::Restored { version, kept, .. } => {
                match version {
                    Some(version) => write!(f, "the data have version {version} again")?,
                    None => f.write_str("there are no data again")?,
                }
                kept.iter().try_for_each(|path| write!(f, "; what was rejected is in {}", path.display()))
            }
            Event::NotKept(paths) => {
                f.write_str("the medium is full, so this was not kept:")?;
                paths.iter().try_for_each(|path| write!(f, " {}", path.display()))
            }
            Event::Stays { path, reason } => write!(f, "{} could not be removed: {reason}", path.display()),
            Event::Assumed(version) => write!(f, "the data are said to have version {version}"),
        }
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.from {
            Some(from) => write!(f, "version {from} to {} in slot {}", self.to, self.slot)?,
            None => write!(f, "no data to version {} in slot {}", self.to, self.slot)?,
        }
        self.update.iter().try_for_each(|update| write!(f, ", update {update}"))
    }
}
