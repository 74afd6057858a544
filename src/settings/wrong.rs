//! What is wrong in a file of TOML, and where: what all sections of the settings share, and the file that a system ships
//! for its migration.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use toml::Spanned;

use crate::error::{Error, Result};

/// The byte at which something is wrong, and what.
pub(super) type Wrong = (usize, String);

pub(super) fn wrong<T>(place: &Spanned<T>, message: String) -> Wrong {
    (place.span().start, message)
}

pub(super) fn path(path: Spanned<PathBuf>) -> Result<PathBuf, Wrong> {
    if path.get_ref().as_os_str().is_empty() {
        return Err(wrong(&path, "the path is empty".into()));
    }
    Ok(path.into_inner())
}

/// A file of TOML as what it is to be; `path` is for the messages only.
///
/// # Errors
///
/// [`Error::Config`] with line and column.
pub(crate) fn read_toml<T: DeserializeOwned>(path: &Path, text: &[u8]) -> Result<T> {
    let fail = |at: usize, message: String| Error::in_config(path, text, at, message);
    let text =
        std::str::from_utf8(text).map_err(|error| fail(error.valid_up_to(), "expected UTF-8".into()))?;
    toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(text.len(), |span| span.start);
        fail(at, error.message().to_owned())
    })
}
