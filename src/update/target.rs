//! Where images go: the parts of a slot, as the settings name them.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::error::{Result, UpdateError};
use crate::error::Error;
use crate::settings::Settings;
use crate::slot::Name;
use crate::storage::file::FileOpener;
use crate::storage::{Access, Medium, OpenMedium};

/// A part of a slot.
pub struct Part {
    /// Its name, as the manifest has it.
    pub name: String,
    /// Its device, for messages.
    pub path: PathBuf,
    /// Opens it.
    pub opener: Box<dyn OpenMedium>,
    /// Keeps others from mounting it.
    pub claim: Option<File>,
}

impl Part {
    /// How many bytes it can hold.
    ///
    /// # Errors
    ///
    /// [`UpdateError::Medium`].
    pub fn size(&self) -> Result<u64> {
        Ok(self.open(Access::Read)?.geometry().size)
    }

    pub(super) fn open(&self, access: Access) -> Result<Box<dyn Medium>> {
        self.opener.open(access).map_err(|error| self.failed("opening it", 0, error))
    }

    pub(super) fn failed(&self, step: &'static str, offset: u64, error: io::Error) -> UpdateError {
        UpdateError::Medium { path: self.path.clone(), offset, step, error }
    }

    pub(super) fn differs(&self, offset: u64) -> UpdateError {
        UpdateError::ReadBack { path: self.path.clone(), offset }
    }
}

/// Finds the parts of a slot.
pub trait Parts: Send + Sync {
    /// Opens one.
    ///
    /// # Errors
    ///
    /// [`UpdateError::DoesNotFit`] where there is none, [`UpdateError::InUse`], [`UpdateError::Medium`].
    fn open(&self, slot: &Name, part: &str) -> Result<Part>;

    /// Opens one to read what it holds, if there is such a part: the running slot's, which may be mounted.
    fn look_at(&self, slot: &Name, part: &str) -> Option<Part>;
}

impl Parts for Settings {
    fn open(&self, slot: &Name, part: &str) -> Result<Part> {
        let Some(path) = self.part(slot, part) else {
            return Err(UpdateError::DoesNotFit(format!(
                "the bundle has an image for {part:?}, and the settings name no such part of slot {slot}"
            )));
        };
        let claim = claim(path)?;
        let opener = Box::new(FileOpener::with_sysfs(path, &self.sysfs));
        Ok(Part { name: part.to_owned(), path: path.to_path_buf(), opener, claim })
    }

    fn look_at(&self, slot: &Name, part: &str) -> Option<Part> {
        let path = self.part(slot, part)?;
        let opener = Box::new(FileOpener::with_sysfs(path, &self.sysfs));
        Some(Part { name: part.to_owned(), path: path.to_path_buf(), opener, claim: None })
    }
}

/// Makes sure that a block device is nobody else's, and keeps it so as long as the file is open: the kernel lets it be
/// claimed (O_EXCL) only if it is neither mounted nor part of something that is.
fn claim(path: &Path) -> Result<Option<File>> {
    let failed = |step, error| UpdateError::Medium { path: path.into(), offset: 0, step, error };
    let kind = fs::metadata(path).map_err(|error| failed("looking for it", error))?.file_type();
    if kind.is_char_device() {
        let message = "a character device: MTD and UBI can't be installed to yet".into();
        return Err(Error::Device { path: path.into(), message }.into());
    }
    if !kind.is_block_device() {
        return Ok(None);
    }
    match OpenOptions::new().read(true).custom_flags(libc::O_EXCL | libc::O_NONBLOCK).open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {
            let reason = "it is in use: mounted, swap, or below another device".into();
            Err(UpdateError::InUse { path: path.into(), reason })
        }
        Err(error) => Err(failed("claiming it", error)),
    }
}
