//! Why a bundle was not installed, and what that means for the slots.

use std::io;
use std::path::PathBuf;

use crate::device::Refused;
use crate::error::Error;

/// Everything that can end an installation. Each variant says what became of the target slot: *untouched*, or
/// *being written*, which never boots; the same command goes on there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpdateError {
    /// The environment, the settings or a device can't be used, or an order to the slots was refused.
    #[error("{0}")]
    Device(Error),
    /// The bundle can't be read. Untouched, or being written.
    #[error("the bundle can't be read at {offset:#x}: {error}")]
    Read {
        /// The byte of the bundle.
        offset: u64,
        /// The reason.
        error: io::Error,
    },
    /// It is no bundle, or one that this program can't read, or it is damaged. Untouched.
    #[error("this is no bundle that can be installed: {0}")]
    Format(String),
    /// Nobody who is trusted has signed it. Untouched.
    #[error("the bundle is not trusted: {0}")]
    Untrusted(Untrusted),
    /// It is for other devices. Untouched.
    #[error("the bundle is for {bundle:?}, and this device is {device:?}")]
    Incompatible {
        /// What the bundle is for.
        bundle: String,
        /// What the device is.
        device: String,
    },
    /// It is for other revisions of this device. Untouched.
    #[error("the bundle is for the revisions {bundle}, and this device has {device}")]
    Revision {
        /// The bundle's revisions.
        bundle: String,
        /// The device's.
        device: String,
    },
    /// It is below the floor. Untouched.
    #[error("the bundle's version {version} is below {floor}, the lowest that is installed here")]
    BelowFloor {
        /// The bundle's version.
        version: String,
        /// The lowest version that is installed.
        floor: String,
    },
    /// This update, or one of its version, has failed here before. Untouched.
    #[error("{0}")]
    FailedBefore(Refused),
    /// The slot has no such part, or the image is larger than it. Untouched.
    #[error("{0}")]
    DoesNotFit(String),
    /// The target is mounted, or somebody else uses it. Untouched.
    #[error("{}: {reason}", path.display())]
    InUse {
        /// The device.
        path: PathBuf,
        /// By whom.
        reason: String,
    },
    /// Another file system has too little room for what the bundle brings. Untouched.
    #[error("{path} has {free} bytes free, and the bundle needs {needed}")]
    NoRoom {
        /// The path that the bundle names.
        path: String,
        /// What is free there.
        free: u64,
        /// What it needs.
        needed: u64,
    },
    /// The bundle is a patch, and the running slot does not hold what of the old image is needed. Untouched.
    #[error("{part} is a patch, and the old image that it needs is not there: {reason}")]
    OldImage {
        /// The part of the slot.
        part: String,
        /// What is there.
        reason: String,
    },
    /// The bundle's bytes are not those that were signed. Being written: nothing of them was.
    #[error("the bundle is damaged: {part} has other bytes at {offset:#x} than were signed")]
    Damaged {
        /// The part of the slot.
        part: String,
        /// The byte of its image.
        offset: u64,
    },
    /// The server has another bundle now than at the start. Untouched, or being written: nothing of the two is mixed.
    #[error("the bundle has changed during the download: {0}")]
    Changed(String),
    /// The medium can't be written or read. Being written; untouched where it fails while it is looked at.
    #[error("{}: {step} at {offset:#x} failed: {error}", path.display())]
    Medium {
        /// The device of the slot's part.
        path: PathBuf,
        /// The byte of it.
        offset: u64,
        /// What was done.
        step: &'static str,
        /// The reason.
        error: io::Error,
    },
    /// The medium returned other bytes than were written. Being written.
    #[error("{}: the medium returns other bytes at {offset:#x} than were written", path.display())]
    ReadBack {
        /// The device of the slot's part.
        path: PathBuf,
        /// The byte of it.
        offset: u64,
    },
    /// The system needs an application that is not there, or not new enough. Untouched.
    #[error("the system needs {app} of version {needed} or newer, and {}", there.as_ref().map_or("it is not installed".into(), |version| format!("version {version} is there")))]
    NeedsApp {
        /// The application.
        app: String,
        /// The lowest version that does.
        needed: String,
        /// The version that is there.
        there: Option<String>,
    },
    /// An application was not installed. What runs is as it was; a slot is untouched, or being written.
    #[cfg(feature = "app")]
    #[error("{0}")]
    App(crate::app::AppError),
    /// Nobody who is trusted with the boot loader has signed it. Untouched.
    #[error("the bundle is not trusted with the boot loader: {0}")]
    UntrustedLoader(Untrusted),
    /// A boot loader was not installed. The copy that booted is untouched.
    #[cfg(feature = "bootloader")]
    #[error("{0}")]
    Loader(crate::loader::LoaderError),
    /// It was cancelled. Untouched, or being written.
    #[error("cancelled")]
    Cancelled,
}

impl UpdateError {
    /// A number for each kind, which is also the exit code of `bootslot install`.
    ///
    /// | number | meaning |
    /// |---|---|
    /// | 3 | no copy of the environment is valid |
    /// | 4 | the environment, the settings or a file can't be used |
    /// | 5 | the slots refuse: the running slot is not confirmed, the target runs, there is none |
    /// | 9 | its version is below the lowest that is installed |
    /// | 10 | the bundle can't be read |
    /// | 11 | it is no bundle, or of another format, or cut short |
    /// | 12 | it is not signed by a key that is trusted, or trusted with the boot loader |
    /// | 13 | it is for another device |
    /// | 14 | it is for another revision of the device |
    /// | 15 | this update has failed here before |
    /// | 16 | an image does not fit: no such part, or it is too large |
    /// | 17 | the target is in use |
    /// | 18 | there is too little room elsewhere |
    /// | 19 | it is a patch, and the running slot does not hold the old image that it needs |
    /// | 20 | the bundle is damaged: what arrived is not what was signed |
    /// | 21 | the medium can't be written or read |
    /// | 22 | the medium returns other bytes than were written |
    /// | 23 | it was cancelled |
    /// | 24 | the server has another bundle now than at the start |
    /// | 28 | an application needs another system, or the system another application |
    /// | 29 | the archive of an application is not unpacked |
    /// | 30 | the boot loader is left as it is: the board has no scheme for it, or the way back would be lost |
    ///
    /// From 9 to 19, but for 10, nothing was written to the slot.
    pub fn code(&self) -> u8 {
        match self {
            UpdateError::Device(Error::NoValidCopy { .. }) => 3,
            UpdateError::Device(Error::Refused(_)) => 5,
            UpdateError::Device(_) => 4,
            UpdateError::BelowFloor { .. } => 9,
            UpdateError::Read { .. } => 10,
            UpdateError::Format(_) => 11,
            UpdateError::Untrusted(_) | UpdateError::UntrustedLoader(_) => 12,
            UpdateError::Incompatible { .. } => 13,
            UpdateError::Revision { .. } => 14,
            UpdateError::FailedBefore(_) => 15,
            UpdateError::DoesNotFit(_) => 16,
            UpdateError::InUse { .. } => 17,
            UpdateError::NoRoom { .. } => 18,
            UpdateError::OldImage { .. } => 19,
            UpdateError::Damaged { .. } => 20,
            UpdateError::Medium { .. } => 21,
            UpdateError::ReadBack { .. } => 22,
            UpdateError::Cancelled => 23,
            UpdateError::Changed(_) => 24,
            UpdateError::NeedsApp { .. } => 28,
            #[cfg(feature = "app")]
            UpdateError::App(error) => error.code(),
            #[cfg(feature = "bootloader")]
            UpdateError::Loader(error) => error.code(),
        }
    }

    /// What to do, in a phrase; empty where the error itself says it. Commands are those of `bootslot`.
    pub fn advice(&self) -> &'static str {
        match self {
            UpdateError::Device(_) | UpdateError::Cancelled => "",
            UpdateError::BelowFloor { .. } => {
                "take a newer bundle; only a recovery bundle is installed below it"
            }
            UpdateError::Read { .. } => "give the same command again when it can be read",
            UpdateError::Format(_) => {
                "build or fetch the bundle again: bootslot bundle inspect BUNDLE looks at it"
            }
            UpdateError::Untrusted(_) => {
                "sign it with a key that this device trusts: bootslot bundle verify BUNDLE"
            }
            UpdateError::Incompatible { .. } => {
                "take the bundle for this device, or mend [update] compatible"
            }
            UpdateError::Revision { .. } => "take the bundle for this revision, or mend [update] revision",
            UpdateError::FailedBefore(_) => {
                "take a newer bundle; bootslot allow ID, or --again, tries this one once more"
            }
            UpdateError::DoesNotFit(_) => "make the image smaller, or name the part in the settings",
            UpdateError::InUse { .. } => "unmount it, or end the program that uses it",
            UpdateError::NoRoom { .. } => "make room there",
            UpdateError::OldImage { .. } => "take the full bundle",
            UpdateError::Damaged { .. } => "fetch the bundle again, and give the same command",
            UpdateError::Changed(_) => "give the same command again: it takes the bundle that is there now",
            UpdateError::Medium { .. } => "look at the kernel's log; the same command goes on",
            UpdateError::NeedsApp { .. } => "install the application first, or a bundle that has both",
            #[cfg(feature = "app")]
            UpdateError::App(_) => "",
            UpdateError::UntrustedLoader(_) => "sign it also with a key of [bootloader] keys",
            #[cfg(feature = "bootloader")]
            UpdateError::Loader(error) => error.advice(),
            UpdateError::ReadBack { .. } => "the medium is not sound: replace it, or install to another slot",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 3 to 5 and 23 say themselves what to do, or nothing is to be done.
    #[test]
    fn each_refusal_of_a_bundle_says_what_to_do() {
        let text = String::new;
        let io = || io::Error::other("x");
        let all = [
            UpdateError::BelowFloor { version: text(), floor: text() },
            UpdateError::Read { offset: 0, error: io() },
            UpdateError::Format(text()),
            UpdateError::Untrusted(Untrusted::Unsigned),
            UpdateError::Incompatible { bundle: text(), device: text() },
            UpdateError::Revision { bundle: text(), device: text() },
            UpdateError::FailedBefore(Refused::default()),
            UpdateError::DoesNotFit(text()),
            UpdateError::InUse { path: "x".into(), reason: text() },
            UpdateError::NoRoom { path: text(), free: 0, needed: 1 },
            UpdateError::OldImage { part: text(), reason: text() },
            UpdateError::Damaged { part: text(), offset: 0 },
            UpdateError::Medium { path: "x".into(), offset: 0, step: "x", error: io() },
            UpdateError::ReadBack { path: "x".into(), offset: 0 },
            UpdateError::Changed(text()),
        ];
        let mut codes: Vec<u8> = all.iter().map(UpdateError::code).collect();
        codes.push(UpdateError::Cancelled.code());
        codes.sort_unstable();
        assert_eq!(codes, (9..=24).collect::<Vec<_>>());
        assert!(all.iter().all(|error| !error.advice().is_empty()));
        // No two of them are the same.
        let advice: std::collections::BTreeSet<_> = all.iter().map(UpdateError::advice).collect();
        assert_eq!(advice.len(), all.len());
    }
}

/// Why no signature counts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Untrusted {
    /// There are none.
    #[error("it is not signed")]
    Unsigned,
    /// None is by a key in the keyring.
    #[error("no signature is by a trusted key: {0}")]
    Stranger(String),
    /// A trusted key is said to have signed it, and has not.
    #[error("the signature by {0} is wrong: the manifest was changed after it was signed")]
    Wrong(String),
    /// It is by a key that was revoked.
    #[error("it is signed by the key {0}, which was revoked")]
    Revoked(String),
    /// The chain from the signer to its CA has a certificate that was revoked.
    #[error("the certificate of its signer, or of a CA of the signer, was revoked: {0}")]
    RevokedCertificate(String),
    /// The certificate of the signer does not count: not in time, for another purpose, or too weak.
    #[error("it is signed with a certificate that does not count: {0}")]
    Certificate(String),
}

impl From<Error> for UpdateError {
    fn from(error: Error) -> Self {
        UpdateError::Device(error)
    }
}

impl From<Untrusted> for UpdateError {
    fn from(reason: Untrusted) -> Self {
        UpdateError::Untrusted(reason)
    }
}

/// The result of whatever has to do with updates.
pub type Result<T, E = UpdateError> = std::result::Result<T, E>;
