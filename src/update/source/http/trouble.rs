//! Pure: why a request has not brought bytes.

use std::io;
use std::time::Duration;

use crate::update::error::UpdateError;

/// Why a request has not brought bytes.
pub(super) enum Trouble {
    /// It may go better later.
    Later {
        /// What went wrong.
        reason: String,
        /// The server asks to wait so long.
        after: Option<Duration>,
    },
    /// It will not.
    Never(String),
    /// There is no such byte.
    End,
    /// The server has another bundle now.
    Changed(String),
    /// It was cancelled.
    Cancelled,
}

impl Trouble {
    /// The same for the installation.
    pub fn into_error(self, offset: u64) -> UpdateError {
        let error = match self {
            Trouble::Changed(reason) => return UpdateError::Changed(reason),
            Trouble::Cancelled => return UpdateError::Cancelled,
            Trouble::End => io::ErrorKind::UnexpectedEof.into(),
            Trouble::Later { reason, .. } | Trouble::Never(reason) => io::Error::other(reason),
        };
        UpdateError::Read { offset, error }
    }
}
