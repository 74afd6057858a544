//! A UBI volume as a [`Medium`], for whole images (feature `update`): a dynamic volume changes LEB by LEB, a static one
//! is updated as a whole.
//!
//! The kernel changes a LEB and starts an update only for the one who has the volume open alone, so all is done through
//! one opening.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;

use super::ubi::{readable, while_busy, UbiVolume, BUSY_LIMIT};
use super::{Access, Geometry, Medium, MediumKind, OpenMedium, Volume};
use crate::sys::{self, ubi};

/// Opens a UBI volume.
#[derive(Debug)]
pub struct VolumeOpener {
    volume: UbiVolume,
    held: Option<File>,
}

impl VolumeOpener {
    /// Touches nothing yet.
    pub fn new(volume: UbiVolume) -> Self {
        VolumeOpener { volume, held: None }
    }

    /// Opens it for writing and holds it: nobody else can write to it, and UBIFS can't be mounted to be written to. Short
    /// visitors, such as udev, are waited for.
    ///
    /// Errors: `EBUSY` where somebody else holds it, as a mounted UBIFS does; of a dynamic volume also who only reads.
    pub fn hold(volume: UbiVolume) -> io::Result<Self> {
        if volume.atomic_size() > 0 {
            // The kernel begins to change a LEB only for who has the volume open alone. A LEB is emptied for anybody,
            // also below a file system that is mounted to be read. What was begun ends with the file, and nothing has
            // changed (drivers/mtd/ubi/cdev.c, vol_cdev_release).
            let alone = while_busy(BUSY_LIMIT, || volume.open(true))?;
            while_busy(BUSY_LIMIT, || ubi::start_leb_change(&alone, 0, 1))?;
        }
        let held = while_busy(BUSY_LIMIT, || volume.open(true))?;
        Ok(VolumeOpener { volume, held: Some(held) })
    }
}

impl OpenMedium for VolumeOpener {
    fn open(&self, access: Access) -> io::Result<Box<dyn Medium>> {
        let file = match &self.held {
            Some(held) => held.try_clone()?,
            None => while_busy(BUSY_LIMIT, || self.volume.open(access == Access::Write))?,
        };
        let (size, erase_size) = (self.volume.capacity(), self.volume.atomic_size());
        let geometry = Geometry { kind: MediumKind::Ubi, size, erase_size, write_size: 1 };
        Ok(Box::new(VolumeMedium { file, geometry, at: 0 }))
    }
}

#[derive(Debug)]
struct VolumeMedium {
    file: File,
    geometry: Geometry,
    /// How far the update of a static volume is.
    at: u64,
}

impl VolumeMedium {
    fn is_static(&self) -> bool {
        self.geometry.erase_size == 0
    }

    /// The number of the LEB that starts at `offset`.
    fn leb(&self, offset: u64) -> io::Result<i32> {
        let number = match offset.checked_rem(self.geometry.erase_size) {
            Some(0) => offset.checked_div(self.geometry.erase_size).and_then(|leb| i32::try_from(leb).ok()),
            _ => None,
        };
        number.ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, format!("{offset:#x} is not the start of a LEB"))
        })
    }
}

impl Medium for VolumeMedium {
    fn geometry(&self) -> Geometry {
        self.geometry
    }

    fn read(&mut self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let end = readable(&self.file)?;
        if offset.checked_add(buf.len() as u64).is_none_or(|last| last > end) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.file.read_exact_at(buf, offset)
    }

    /// A static volume: what follows in the update. A dynamic one: the whole LEB that starts at `offset`, at once; behind
    /// `data` it is empty.
    fn program(&mut self, offset: u64, data: &[u8]) -> io::Result<()> {
        if self.is_static() {
            if offset != self.at {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, "an update has no gaps"));
            }
            self.file.write_all(data)?;
            self.at += data.len() as u64;
            return Ok(());
        }
        let number = self.leb(offset)?;
        // The kernel would take no bytes, and give the LEB none.
        let fits = !data.is_empty() && data.len() as u64 <= self.geometry.erase_size;
        let Some(len) = i32::try_from(data.len()).ok().filter(|_| fits) else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "too much for a LEB, or nothing"));
        };
        while_busy(BUSY_LIMIT, || ubi::start_leb_change(&self.file, number, len))?;
        self.file.write_all(data)
    }

    fn erase(&mut self, offset: u64) -> io::Result<()> {
        ubi::erase_leb(&self.file, self.leb(offset)?)
    }

    fn begin(&mut self, len: u64) -> io::Result<()> {
        if self.is_static() {
            return while_busy(BUSY_LIMIT, || ubi::start_update(&self.file, len));
        }
        // drivers/mtd/ubi/cdev.c, vol_cdev_read: the update marker is set. An update to nothing takes it away.
        match self.file.read_at(&mut [0], 0) {
            Err(error) if error.raw_os_error() == Some(libc::EBADF) => {
                while_busy(BUSY_LIMIT, || ubi::start_update(&self.file, 0))
            }
            _ => Ok(()),
        }
    }

    fn readable(&self) -> u64 {
        readable(&self.file).unwrap_or(0)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync_all()
    }

    fn drop_cache(&mut self, _offset: u64, _len: u64) -> io::Result<()> {
        // UBI has none.
        Ok(())
    }

    fn close(self: Box<Self>) -> io::Result<()> {
        sys::close(self.file)
    }
}
