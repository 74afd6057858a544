//! What can go wrong in a migration, and what is then true of the data.

use std::io::ErrorKind;
use std::path::PathBuf;

use super::decide::Refusal;
use super::state::StepId;
use crate::error::Error;

/// Why the data are not as the running system wants them. Its services must not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MigrateError {
    /// A system call, the settings or the lock. The data are as the state says, and the next run goes on.
    #[error("{0}")]
    Library(Error),

    /// There is not enough room for a snapshot. Nothing was changed.
    #[error(
        "{}: a snapshot needs {needed} bytes here, and {free} are free (nothing was changed)",
        path.display()
    )]
    Room {
        /// The folder on whose file system there is too little room.
        path: PathBuf,
        /// Bytes that are needed.
        needed: u64,
        /// Bytes that are free.
        free: u64,
    },

    /// A folder can't be migrated as it is. Nothing was changed.
    #[error("{}: {reason} (nothing was changed)", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why, and what to do.
        reason: String,
    },

    /// A step failed. The data of before are back.
    #[error("the migration to version {} failed in step {step}: {reason}; the data of before are back{}", step.to, shown(output))]
    Step {
        /// The step.
        step: StepId,
        /// Why, as a phrase.
        reason: String,
        /// The end of its output.
        output: String,
    },

    /// The file that says which version the data have is damaged. Nothing was changed.
    #[error("{}: {reason}, so the version of the data is unknown; if you know it, say so (bootslot migrate --assume)", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },

    /// A snapshot that is to be restored is not there. Nothing was changed.
    #[error("{}: the snapshot is gone, so the data of before can't be restored; if the data are right as they are, say so (bootslot migrate --assume)", path.display())]
    SnapshotGone {
        /// Where it should be.
        path: PathBuf,
    },

    /// Nothing was changed, and nothing can be done without a person or without another system.
    #[error("{0}")]
    Refused(Refusal),
}

fn shown(output: &str) -> String {
    match output.trim_end() {
        "" => String::new(),
        output => format!("\n{output}"),
    }
}

impl From<Error> for MigrateError {
    fn from(error: Error) -> Self {
        MigrateError::Library(error)
    }
}

impl MigrateError {
    /// The exit code of `bootslot migrate`: 25 for a step that failed, 26 for too little room, 27 where a person or
    /// another system is needed, 4 for everything else.
    pub fn code(&self) -> u8 {
        match self {
            MigrateError::Step { .. } => 25,
            MigrateError::Room { .. } => 26,
            MigrateError::Library(Error::Io { error, .. }) if error.kind() == ErrorKind::StorageFull => 26,
            MigrateError::Refused(_)
            | MigrateError::Unreadable { .. }
            | MigrateError::SnapshotGone { .. } => 27,
            MigrateError::Library(_) | MigrateError::Folder { .. } => 4,
        }
    }
}
