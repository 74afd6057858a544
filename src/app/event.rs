//! What happens to an application, as values. The caller tells people and the journal.

use std::fmt;
use std::path::PathBuf;

use super::state::{Version, With};

/// Something that has happened, or is about to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Before anything is written: a version is unpacked.
    Begins(Version),
    /// It is unpacked, on the medium, and compared.
    Unpacked {
        /// The version.
        version: Version,
        /// How many files, folders and links.
        entries: u64,
        /// Bytes of all files.
        bytes: u64,
    },
    /// It is on trial from now on.
    Trial(Version),
    /// It waits for the system that it belongs to.
    Waits(Version, With),
    /// Another version is in place; `None`: none is.
    Switched(Option<Version>),
    /// The device has booted during the trial, so many times by now.
    Counted(Version, u8),
    /// It is kept.
    Confirmed(Version),
    /// Before it: it is left, for this reason.
    Leaves(Version, String),
    /// It was given up, for this reason. The version before is in place, if there was one.
    GivenUp {
        /// The version.
        version: Version,
        /// Why: a word, or the names of checks.
        why: String,
        /// What is in place.
        back: Option<Version>,
    },
    /// The service did not stop or start as it should.
    Service {
        /// What was ordered: `stop`, `start`.
        order: &'static str,
        /// How that ended, and the end of the output.
        says: String,
    },
    /// The application was removed.
    Removed,
    /// Something that nobody needs could not be removed; the next run tries again.
    Stays {
        /// What.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

impl Event {
    /// A name for programs and for the journal.
    pub fn name(&self) -> &'static str {
        match self {
            Event::Begins(_) => "begins",
            Event::Unpacked { .. } => "unpacked",
            Event::Trial(_) => "trial",
            Event::Waits(..) => "waits",
            Event::Switched(_) => "switched",
            Event::Counted(..) => "counted",
            Event::Confirmed(_) => "confirmed",
            Event::Leaves(..) => "leaves",
            Event::GivenUp { .. } => "given-up",
            Event::Service { .. } => "service",
            Event::Removed => "removed",
            Event::Stays { .. } => "stays",
        }
    }

    /// The version that it is about.
    pub fn version(&self) -> Option<&Version> {
        match self {
            Event::Begins(version)
            | Event::Unpacked { version, .. }
            | Event::Trial(version)
            | Event::Waits(version, _)
            | Event::Counted(version, _)
            | Event::Confirmed(version)
            | Event::Leaves(version, _)
            | Event::GivenUp { version, .. } => Some(version),
            Event::Switched(version) => version.as_ref(),
            Event::Service { .. } | Event::Removed | Event::Stays { .. } => None,
        }
    }

    /// Why; empty where nothing is to be said.
    pub fn why(&self) -> &str {
        match self {
            Event::Leaves(_, why) | Event::GivenUp { why, .. } => why,
            Event::Service { says, .. } => says,
            Event::Stays { reason, .. } => reason,
            _ => "",
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Begins(version) => write!(f, "version {version} is unpacked"),
            Event::Unpacked { version, entries, bytes } => {
                write!(f, "version {version} is whole: {entries} entries, {bytes} bytes")
            }
            Event::Trial(version) => write!(f, "version {version} is on trial"),
            Event::Waits(version, With { slot, update }) => {
                write!(f, "version {version} waits for the system in slot {slot}, update {update}")
            }
            Event::Switched(Some(version)) => write!(f, "version {version} is in place"),
            Event::Switched(None) => f.write_str("no version is in place"),
            Event::Counted(version, boots) => {
                write!(f, "version {version} is on trial, in boot {boots} of it")
            }
            Event::Confirmed(version) => write!(f, "version {version} is confirmed"),
            Event::Leaves(version, why) => write!(f, "version {version} is left: {why}"),
            Event::GivenUp { version, why, back: Some(back) } => {
                write!(f, "version {version} was given up ({why}); version {back} is in place again")
            }
            Event::GivenUp { version, why, back: None } => {
                write!(f, "version {version} was given up ({why}); there is none before it")
            }
            Event::Service { order, says } => write!(f, "{order} of the service: {says}"),
            Event::Removed => f.write_str("removed"),
            Event::Stays { path, reason } => write!(f, "{} could not be removed: {reason}", path.display()),
        }
    }
}
