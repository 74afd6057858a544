//! What is wrong in a file of settings, and where: what all its sections share.

use std::path::PathBuf;

use toml::Spanned;

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
