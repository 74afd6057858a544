//! Why a boot loader was not updated.

use std::io;
use std::path::PathBuf;

use super::state::Release;
use crate::error::Error;

/// Everything that can end an order to the boot loader. The copy that booted is untouched, whatever it is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoaderError {
    /// The settings or the file with the state can't be used.
    #[error("{0}")]
    Device(Error),
    /// The order would endanger the way back, or nobody knows whether it would. Nothing was written.
    #[error("the boot loader is left as it is: {0}")]
    Refused(String),
    /// This boot loader has failed here before. Nothing was written.
    #[error("the boot loader of {0} has failed here before: the ROM went back to the other copy")]
    FailedBefore(Release),
    /// It is older than the one that was confirmed last. Nothing was written.
    #[error("the boot loader's version {version} is older than {confirmed}, which was confirmed here")]
    Older {
        /// Its version.
        version: String,
        /// That one's.
        confirmed: String,
    },
    /// The image or the copy does not fit to the medium. Nothing was written.
    #[error("{0}")]
    DoesNotFit(String),
    /// The medium can't be written or read, or the ROM can't be switched. The other copy boots, or the new one, which is whole.
    #[error("{}: {step} at {offset:#x} failed: {error}", path.display())]
    Medium {
        /// The device.
        path: PathBuf,
        /// The byte of it.
        offset: u64,
        /// What was done.
        step: &'static str,
        /// The reason.
        error: io::Error,
    },
    /// The medium returned other bytes than were written. The other copy boots.
    #[error("{}: the medium returns other bytes at {offset:#x} than were written", path.display())]
    ReadBack {
        /// The device.
        path: PathBuf,
        /// The byte of it.
        offset: u64,
    },
}

impl LoaderError {
    /// The settings have no scheme for it.
    pub(crate) fn no_scheme() -> LoaderError {
        let reason = "the settings say nothing of it, so that the board has no scheme for it: [bootloader]";
        LoaderError::Refused(reason.into())
    }

    /// The exit code of the program, as in `UpdateError::code`.
    pub fn code(&self) -> u8 {
        match self {
            LoaderError::Device(Error::Refused(_)) => 5,
            LoaderError::Device(_) => 4,
            LoaderError::Older { .. } => 9,
            LoaderError::FailedBefore(_) => 15,
            LoaderError::DoesNotFit(_) => 16,
            LoaderError::Medium { .. } => 21,
            LoaderError::ReadBack { .. } => 22,
            LoaderError::Refused(_) => 30,
        }
    }

    /// What to do, in a phrase; empty where the error itself says it.
    pub fn advice(&self) -> &'static str {
        match self {
            LoaderError::Device(_) | LoaderError::Refused(_) => "",
            LoaderError::FailedBefore(_) => "take a newer one; --again tries this one once more",
            LoaderError::Older { .. } => "take a newer one; only a recovery bundle is installed below it",
            LoaderError::DoesNotFit(_) => "mend [bootloader] in the settings, or the image",
            LoaderError::Medium { .. } => "look at the kernel's log; the same command goes on",
            LoaderError::ReadBack { .. } => "the medium is not sound: leave this device's boot loader alone",
        }
    }
}

impl From<Error> for LoaderError {
    fn from(error: Error) -> Self {
        LoaderError::Device(error)
    }
}

/// The result of whatever has to do with the boot loader.
pub type Result<T, E = LoaderError> = std::result::Result<T, E>;
