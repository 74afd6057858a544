//! What can go wrong with an application, and what is then true of it.

use std::path::PathBuf;

use super::state::{Failed, Version};
use crate::error::Error;

/// Why an order to an application was not carried out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AppError {
    /// A system call, the settings or the lock. The application is as its state says, and the next command goes on.
    #[error("{0}")]
    Library(Error),
    /// The archive can't be unpacked as it is. What runs was not touched.
    #[error("the archive of {app}: {reason}")]
    Archive {
        /// The application.
        app: String,
        /// Which entry, and why.
        reason: String,
    },
    /// The archive can't be read. What runs was not touched.
    #[error("the archive of {app} can't be read: {error}")]
    Read {
        /// The application.
        app: String,
        /// The reason.
        error: std::io::Error,
    },
    /// There is too little room. Nothing was changed.
    #[error("{} has {free} bytes free, and {needed} are needed", path.display())]
    Room {
        /// The folder.
        path: PathBuf,
        /// What is free there.
        free: u64,
        /// What is needed.
        needed: u64,
    },
    /// A version of this application has to be decided first. Nothing was changed.
    #[error("version {0} of {1} is not decided yet: confirm it, or roll it back")]
    Undecided(Version, String),
    /// There is nothing to confirm or to roll back. Nothing was changed.
    #[error("{0}")]
    Refused(String),
    /// This version has failed here before. Nothing was changed.
    #[error("{0}")]
    FailedBefore(Failed),
    /// It is below the floor. Nothing was changed.
    #[error("the version {version} of {app} is below {floor}, the lowest that is installed here")]
    BelowFloor {
        /// The application.
        app: String,
        /// Its version.
        version: String,
        /// The lowest version that is installed.
        floor: String,
    },
    /// It needs a newer system. Nothing was changed.
    #[error("version {version} of {app} needs a system of version {needed} or newer, and this one {has}")]
    System {
        /// The application.
        app: String,
        /// Its version.
        version: String,
        /// The lowest version of the system.
        needed: String,
        /// What this system is, as a phrase.
        has: String,
    },
    /// The file that says which versions there are is damaged. Nothing was changed.
    #[error("{}: {reason}, so it is not known which version is to run; remove the application (bootslot app remove), and install it anew", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The files of a version that was confirmed are gone. Nothing was changed.
    #[error("{}: this version is gone; remove the application (bootslot app remove), and install it anew", path.display())]
    Gone {
        /// Its folder.
        path: PathBuf,
    },
}

impl From<Error> for AppError {
    fn from(error: Error) -> Self {
        AppError::Library(error)
    }
}

impl AppError {
    /// The exit code of `bootslot app`: 5 where it refuses, 9 below the floor, 10 where the archive can't be read, 15 for what
    /// has failed here before, 18 for too little room, 27 where a person is needed, 28 where another system is needed, 29 for
    /// an archive that is not unpacked, 4 for everything else.
    pub fn code(&self) -> u8 {
        match self {
            AppError::Undecided(..) | AppError::Refused(_) => 5,
            AppError::BelowFloor { .. } => 9,
            AppError::Read { .. } => 10,
            AppError::FailedBefore(_) => 15,
            AppError::Room { .. } => 18,
            AppError::Library(Error::Io { error, .. }) if error.kind() == std::io::ErrorKind::StorageFull => {
                18
            }
            AppError::Unreadable { .. } | AppError::Gone { .. } => 27,
            AppError::System { .. } => 28,
            AppError::Archive { .. } => 29,
            AppError::Library(_) => 4,
        }
    }
}
