//! Where images go: the parts of a slot, as the settings name them.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::claim::{self, Others};
use super::error::{Result, UpdateError};
use super::view::View;
use crate::error::Error;
use crate::settings::Settings;
use crate::slot::Name;
use crate::storage::file::FileOpener;
use crate::storage::mtd::{answers_as_mtd, is_mtd, MtdOpener};
use crate::storage::ubi::{Ubi, UbiVolume};
use crate::storage::ubi_image::VolumeOpener;
use crate::storage::{Access, OpenMedium};

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
    /// How many bytes it can hold: bad blocks of NAND do not count.
    ///
    /// # Errors
    ///
    /// [`UpdateError::Medium`].
    pub fn size(&self) -> Result<u64> {
        Ok(self.view(Access::Read)?.size())
    }

    pub(super) fn view(&self, access: Access) -> Result<View> {
        let medium = self.opener.open(access).map_err(|error| self.failed("opening it", 0, error))?;
        View::new(medium).map_err(|error| self.failed("looking for bad blocks", 0, error))
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
        if let Some((other, part)) = taken(self, slot, path) {
            let reason = format!("slot {other} has it as well, by another name: {}", part.display());
            return Err(UpdateError::InUse { path: path.to_path_buf(), reason });
        }
        let others = Others { mountinfo: &self.mountinfo, sysfs: &self.sysfs };
        let (opener, claim): (Box<dyn OpenMedium>, _) = match find(path, &self.sysfs)? {
            Found::File => (Box::new(FileOpener::with_sysfs(path, &self.sysfs)), claim::locked(path)?),
            Found::Block => {
                (Box::new(FileOpener::with_sysfs(path, &self.sysfs)), Some(claim::block(path, path)?))
            }
            Found::Mtd(number) => {
                let claim = number.map(|number| others.claim_mtd(path, number)).transpose()?.flatten();
                let claim = claim.map_or_else(|| claim::locked(path), |claim| Ok(Some(claim)))?;
                (Box::new(mtd(path, &self.sysfs)), claim)
            }
            Found::Volume(volume) => (Box::new(others.claim_volume(path, volume)?), None),
        };
        Ok(Part { name: part.to_owned(), path: path.to_path_buf(), opener, claim })
    }

    fn look_at(&self, slot: &Name, part: &str) -> Option<Part> {
        let path = self.part(slot, part)?;
        let opener: Box<dyn OpenMedium> = match find(path, &self.sysfs).ok()? {
            Found::File | Found::Block => Box::new(FileOpener::with_sysfs(path, &self.sysfs)),
            Found::Mtd(_) => Box::new(mtd(path, &self.sysfs)),
            Found::Volume(volume) => Box::new(VolumeOpener::new(volume)),
        };
        Some(Part { name: part.to_owned(), path: path.to_path_buf(), opener, claim: None })
    }
}

/// The slot that has the same device under another path, and that path. UBI volumes that are given by their names have no
/// node to compare: the kernel keeps a second one from opening them.
fn taken<'a>(settings: &'a Settings, slot: &Name, path: &Path) -> Option<(&'a Name, &'a Path)> {
    let identity = |path: &Path| {
        let meta = fs::metadata(path).ok()?;
        let node = meta.file_type().is_block_device() || meta.file_type().is_char_device();
        Some(if node { (node, meta.rdev(), 0) } else { (node, meta.dev(), meta.ino()) })
    };
    let ours = identity(path)?;
    let roots = settings.devices.iter().map(|(slot, path)| (slot, path.as_path()));
    let parts = settings.parts.iter().map(|((slot, _), path)| (slot, path.as_path()));
    roots.chain(parts).find(|(other, path)| *other != slot && identity(path) == Some(ours))
}

/// What a path of the settings names.
enum Found {
    File,
    Block,
    /// With its number, if it has one: memory can answer as MTD does without being one of the kernel's.
    Mtd(Option<u32>),
    Volume(UbiVolume),
}

/// Looks what it is, and opens nothing but what only answers as MTD does. An MTD device that is named with a UBI volume
/// is attached.
fn find(path: &Path, sysfs: &Path) -> Result<Found> {
    let failed = |step| move |error| UpdateError::Medium { path: path.into(), offset: 0, step, error };
    let ubi = Ubi::at(sysfs, "/dev");
    if let Some(name) = ubi.name_in(path) {
        return ubi.by_name(name).map(Found::Volume).map_err(failed("looking for the UBI volume"));
    }
    let meta = fs::metadata(path).map_err(failed("looking for it"))?;
    let kind = meta.file_type();
    if meta.is_file() {
        return Ok(Found::File);
    }
    if kind.is_block_device() {
        return Ok(Found::Block);
    }
    if is_mtd(&meta) {
        return Ok(Found::Mtd(Some(libc::minor(meta.rdev()) / 2)));
    }
    if let Some(volume) = ubi.by_node(path).map_err(failed("looking for the UBI volume"))? {
        return Ok(Found::Volume(volume));
    }
    if kind.is_char_device() && answers_as_mtd(path).map_err(failed("opening it"))? {
        return Ok(Found::Mtd(None));
    }
    let message = "neither a regular file nor a block device, an MTD device or a UBI volume".into();
    Err(Error::Device { path: path.into(), message }.into())
}

fn mtd(path: &Path, sysfs: &Path) -> MtdOpener {
    MtdOpener::new(path, 0).with_sysfs(sysfs)
}
