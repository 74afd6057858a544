//! The error type of the whole crate: what failed, where, and what to do.
//!
//! "Where" is a [`Place`] (path, byte offset, step) for everything that touched a medium, and a
//! file with line and column for everything that was read from a configuration or a script.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Where on a medium something happened: the path, the byte offset on it, and the step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file or device, as the configuration names it.
    pub path: PathBuf,
    /// Bytes from the start of the file or device, where that says something.
    pub offset: Option<u64>,
    /// What was being done, as a phrase that completes "while": "reading copy 1".
    pub step: &'static str,
}

impl Place {
    /// A place without an offset.
    pub fn new(path: impl AsRef<Path>, step: &'static str) -> Self {
        Place { path: path.as_ref().to_path_buf(), offset: None, step }
    }

    /// The same place at a byte offset.
    pub fn at(mut self, offset: u64) -> Self {
        self.offset = Some(offset);
        self
    }

    /// Turns the error of a system call into an [`Error`] that knows this place.
    pub fn io(self, error: io::Error) -> Error {
        Error::Io { place: self, error }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some(offset) = self.offset {
            write!(f, " at {offset:#x}")?;
        }
        write!(f, ": {}", self.step)
    }
}

/// Everything that can go wrong. Each variant says whether the medium was changed.
///
/// The message says it all, the system's reason included. There is no [`source`](std::error::Error::source), so that
/// a chain of errors tells nothing twice.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A system call failed. What was being written may be torn, or complete; the copy that was current is untouched.
    #[error("{place} failed: {error}")]
    Io {
        /// Where.
        place: Place,
        /// The system's reason. The message holds it, so [`source`](std::error::Error::source) does not return it.
        error: io::Error,
    },

    /// A configuration file says something wrong. Nothing was touched.
    #[error("{}:{line}:{column}: {message}", path.display())]
    Config {
        /// The configuration file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column in bytes, from 1.
        column: usize,
        /// What is wrong and what is expected.
        message: String,
    },

    /// The configuration has no environment of this name. Nothing was touched.
    #[error("{}: no namespace {name:?}; {known}", path.display())]
    Namespace {
        /// The configuration file.
        path: PathBuf,
        /// The name asked for.
        name: String,
        /// What there is, as a phrase.
        known: String,
    },

    /// A line of a script or of a text environment can't be used. Nothing was written.
    #[error("{}:{line}: {message}", path.display())]
    Script {
        /// The script, `-` for standard input.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },

    /// The device is not what the configuration says, or can't hold the environment as configured.
    /// Nothing was touched.
    #[error("{}: {message}", path.display())]
    Device {
        /// The file or device.
        path: PathBuf,
        /// What does not fit.
        message: String,
    },

    /// No copy of the environment is valid; nothing was written.
    #[error("no valid environment: {report} (nothing was written; to start a new one, say so explicitly)")]
    NoValidCopy {
        /// The finding for each copy.
        report: String,
        /// Whether every copy was read and has a wrong checksum. Otherwise one that can't be read may be valid.
        read: bool,
    },

    /// The variables need more room than the environment has. Nothing was written.
    #[error("the environment is full: {needed} bytes needed, {available} available")]
    TooBig {
        /// Bytes of all records with their NULs and the final NUL.
        needed: usize,
        /// Bytes that the environment offers for them.
        available: usize,
    },

    /// The name of a variable is not usable. Nothing was written.
    #[error("illegal variable name {name:?}: {reason}")]
    Name {
        /// The name, lossily as text.
        name: String,
        /// The rule that it breaks.
        reason: &'static str,
    },

    /// A value is not usable, or not of the type that `.flags` or the writelist demands.
    /// Nothing was written.
    #[error("illegal value for {name:?}: {reason}")]
    Value {
        /// The variable, lossily as text.
        name: String,
        /// The rule that it breaks.
        reason: String,
    },

    /// `.flags` or the writelist forbids this change. Nothing was written.
    #[error("{name:?} may not be {action}: {reason}")]
    Denied {
        /// The variable, lossily as text.
        name: String,
        /// "created", "changed" or "deleted".
        action: &'static str,
        /// The rule, e.g. "it is read-only (.flags)".
        reason: String,
    },

    /// Another process held the lock for longer than the time limit. Nothing was written.
    #[error("{}: still locked by {holder} after {seconds} s", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// How long we waited, in seconds.
        seconds: u64,
        /// Who holds it, as a phrase: "process 7 (fw_setenv)", "another process" if that can't be told.
        holder: String,
    },

    /// What was read back is not what was written. The copy named is damaged, the other is untouched.
    #[error("{place}: the medium returns other bytes than were written")]
    Verify {
        /// The first byte that differs.
        place: Place,
    },

    /// Too many bad blocks: the environment does not fit into the good ones of its sectors.
    #[error("{}: only {good} good bytes in {sectors} sectors from {offset:#x}, {needed} needed", path.display())]
    BadBlocks {
        /// The device.
        path: PathBuf,
        /// Where the copy starts on the device.
        offset: u64,
        /// How many erase sectors the copy may use.
        sectors: u64,
        /// Bytes in good sectors.
        good: u64,
        /// Bytes that the copy needs.
        needed: u64,
    },

    /// The order would endanger the way back. Nothing was written.
    #[error("refused: {0}")]
    Refused(String),

    /// The order needs to know which slot runs. Nothing was written.
    #[error("which slot runs is unknown: {0}")]
    RunningUnknown(String),

    /// It is not known whether U-Boot runs the boot script, or which version of it. Nothing was written.
    #[error("does U-Boot run the boot script? {0}")]
    ScriptUnknown(String),

    /// The slot is confirmed and that is stored, but U-Boot's boot counter still counts. To confirm again is
    /// to try again.
    #[error("the slot is confirmed, but U-Boot's boot counter could not be reset: {0}")]
    CounterNotReset(Box<Error>),

    /// The slot is confirmed and the new floor is stored in the environment, but not in its file. The next order tries
    /// again.
    #[error("the slot is confirmed, but the floor could not be written to its file: {0}")]
    FloorNotStored(Box<Error>),

    /// The boot state can't be read from the variables. Nothing was written.
    #[error("{name}: {reason}")]
    BootState {
        /// The variable.
        name: &'static str,
        /// What is wrong with it.
        reason: String,
    },

    /// Asked for something that this build or this kind of medium can't do. Nothing was touched.
    #[error("{0}")]
    Unsupported(String),
}

impl Error {
    /// The error for the byte `offset` of the configuration `text`.
    pub(crate) fn in_config(path: &Path, text: &[u8], offset: usize, message: impl Into<String>) -> Error {
        let before = text.get(..offset).unwrap_or(text);
        let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
        let column = 1 + before.iter().rev().take_while(|&&byte| byte != b'\n').count();
        Error::Config { path: path.to_path_buf(), line, column, message: message.into() }
    }
}

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error as _;

    /// What a program prints that shows an error with all that led to it.
    fn chain(error: &dyn std::error::Error) -> String {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(error) = source {
            text += &format!(": {error}");
            source = error.source();
        }
        text
    }

    #[test]
    fn a_chain_of_errors_tells_nothing_twice() {
        let io = Place::new("/dev/mtd1", "reading").at(64).io(io::Error::from_raw_os_error(libc::EIO));
        assert_eq!(chain(&io), "/dev/mtd1 at 0x40: reading failed: Input/output error (os error 5)");
        assert!(io.source().is_none());
        // Wrapped by somebody else, the reason comes once.
        let reason = "Input/output error (os error 5)";
        let wrapped = io::Error::other(io);
        assert_eq!(chain(&wrapped).matches(reason).count(), 1);
    }
}
