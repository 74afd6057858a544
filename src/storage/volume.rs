//! A copy in a UBI [`Volume`]: written by the atomic change of its first LEB where it fits there, else by the volume
//! update, which is not atomic.

use std::path::{Path, PathBuf};

use super::region::first_difference;
use super::{EnvCopy, MediumKind, Method, Volume, WriteStats};
use crate::error::{Error, Place, Result};

/// The copy: the first bytes of the volume.
pub struct VolumeCopy {
    volume: Box<dyn Volume>,
    path: PathBuf,
    size: usize,
}

impl VolumeCopy {
    /// The first `size` bytes of `volume`. Errors: [`Error::Device`] where the volume is smaller.
    pub fn new(volume: Box<dyn Volume>, path: impl Into<PathBuf>, size: usize) -> Result<Self> {
        let path = path.into();
        if volume.capacity() < size as u64 {
            return Err(Error::Device {
                path,
                message: format!(
                    "the volume holds {:#x} bytes, the environment needs {size:#x}",
                    volume.capacity()
                ),
            });
        }
        Ok(VolumeCopy { volume, path, size })
    }
}

impl VolumeCopy {
    fn update_was_cut(&mut self) -> bool {
        // drivers/mtd/ubi/cdev.c, vol_cdev_read: the update marker is set.
        matches!(self.volume.read(&mut [0]), Err(e) if e.raw_os_error() == Some(libc::EBADF))
    }
}

impl EnvCopy for VolumeCopy {
    fn kind(&self) -> MediumKind {
        MediumKind::Ubi
    }

    fn path(&self) -> &Path {
        &self.path
    }

    fn offset(&self) -> u64 {
        0
    }

    fn size(&self) -> usize {
        self.size
    }

    fn read(&mut self, buf: &mut [u8]) -> Result<()> {
        self.volume.read(buf).map_err(|e| Place::new(&self.path, "reading the volume").io(e))
    }

    fn write(&mut self, before: Option<&[u8]>, _settled: bool, new: &[u8]) -> Result<WriteStats> {
        // UBI has checksums of its own, so that what reads right is right.
        if before == Some(new) {
            return Ok(WriteStats::default());
        }
        // Only an update mends a volume whose update was cut.
        let change = self.method() == Method::LebChange && !(before.is_none() && self.update_was_cut());
        let (written, step) = if change {
            (self.volume.change(new), "changing the volume's first LEB")
        } else {
            (self.volume.update(new), "updating the volume")
        };
        written.map_err(|e| Place::new(&self.path, step).io(e))?;
        let mut back = vec![0; new.len()];
        self.volume.read(&mut back).map_err(|e| Place::new(&self.path, "reading back").io(e))?;
        if let Some(i) = first_difference(&back, new) {
            return Err(Error::Verify { place: Place::new(&self.path, "reading back").at(i as u64) });
        }
        Ok(WriteStats { bytes: new.len() as u64, erases: 0, syncs: 0 })
    }

    fn erase(&mut self) -> Result<WriteStats> {
        Ok(WriteStats::default())
    }

    fn set_byte(&mut self, at: usize, byte: u8) -> Result<WriteStats> {
        let mut bytes = vec![0; self.size];
        self.read(&mut bytes)?;
        if let Some(b) = bytes.get_mut(at) {
            *b = byte;
        }
        self.write(None, false, &bytes)
    }

    fn can_tear(&self, _len: usize) -> bool {
        false
    }

    fn method(&self) -> Method {
        if self.size as u64 <= self.volume.atomic_size() {
            Method::LebChange
        } else {
            Method::VolumeUpdate
        }
    }
}
