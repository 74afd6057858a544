//! Regular files and block devices, eMMC boot partitions included.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::exclusive;
use super::force_ro::ForceRo;
use super::{program_zeros, Access, Geometry, Medium, MediumKind, OpenMedium};
use crate::sys;

/// The largest page size of any Linux. posix_fadvise leaves pages alone of which only a part is
/// named, so the range is widened to whole ones; dropping a few clean pages more costs nothing.
const PAGE: u64 = 64 * 1024;

/// So much may be on its way to the medium at once.
const WRITTEN_ALONG: u64 = 8 << 20;

/// Opens a regular file or a block device.
#[derive(Debug, Clone)]
pub struct FileOpener {
    path: PathBuf,
    sysfs: PathBuf,
}

impl FileOpener {
    /// For the file or device node at `path`. Touches nothing yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self::with_sysfs(path, "/sys")
    }

    /// The same where sysfs is not at `/sys`.
    pub fn with_sysfs(path: impl Into<PathBuf>, sysfs: impl Into<PathBuf>) -> Self {
        FileOpener { path: path.into(), sysfs: sysfs.into() }
    }
}

impl OpenMedium for FileOpener {
    fn open(&self, access: Access) -> io::Result<Box<dyn Medium>> {
        Ok(Box::new(FileMedium::open(&self.path, access, &self.sysfs)?))
    }
}

/// An open regular file or block device.
#[derive(Debug)]
struct FileMedium {
    // Fields are dropped in this order: the device is closed before it is protected again.
    file: File,
    force_ro: Option<ForceRo>,
    geometry: Geometry,
}

impl FileMedium {
    fn open(path: &Path, access: Access, sysfs: &Path) -> io::Result<Self> {
        let meta = fs::metadata(path)?;
        let kind = kind(&meta)?;
        let force_ro = match (kind, access) {
            // Before the opening: older kernels refuse to open a protected boot partition for writing.
            (MediumKind::Block, Access::Write) => ForceRo::lift(sysfs, meta.rdev())?,
            _ => None,
        };
        // std adds O_CLOEXEC. O_NONBLOCK has no effect on files and devices, but should the name have
        // become a FIFO meanwhile, opening it returns.
        let mut options = OpenOptions::new();
        options.read(true).write(access == Access::Write).custom_flags(libc::O_NOCTTY | libc::O_NONBLOCK);
        let file = match (kind, access) {
            (MediumKind::File, Access::Write) => exclusive::locked(path, || options.open(path))?,
            _ => options.open(path)?,
        };
        let opened = file.metadata()?;
        if opened.file_type() != meta.file_type() || opened.rdev() != meta.rdev() {
            return Err(io::Error::other("the device was exchanged while it was being opened"));
        }
        let size = match kind {
            MediumKind::Block => sys::block_device_size(&file)?,
            _ => opened.len(),
        };
        // 512 also on a disk with sectors of 4096 bytes: what it can't write alone, the kernel completes.
        Ok(FileMedium { file, force_ro, geometry: Geometry { kind, size, erase_size: 0, write_size: 512 } })
    }
}

fn kind(meta: &fs::Metadata) -> io::Result<MediumKind> {
    if meta.is_file() {
        Ok(MediumKind::File)
    } else if meta.file_type().is_block_device() {
        Ok(MediumKind::Block)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "neither a regular file nor a block device"))
    }
}

impl Medium for FileMedium {
    fn geometry(&self) -> Geometry {
        self.geometry
    }

    // std's *_exact_at and *_all_at finish short transfers and restart interrupted ones.
    fn read(&mut self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buf, offset)
    }

    fn read_vec(&mut self, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(len);
        (&self.file).seek(SeekFrom::Start(offset))?;
        (&self.file).take(len as u64).read_to_end(&mut bytes)?;
        if bytes.len() < len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(bytes)
    }

    fn program(&mut self, offset: u64, data: &[u8]) -> io::Result<()> {
        // A regular file would grow instead.
        if offset.checked_add(data.len() as u64).is_none_or(|end| end > self.geometry.size) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "past the end of the file or device"));
        }
        self.file.write_all_at(data, offset)
    }

    fn zero(&mut self, offset: u64, len: u64) -> io::Result<()> {
        if offset.checked_add(len).is_none_or(|end| end > self.geometry.size) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "past the end of the file or device"));
        }
        match sys::punch_hole(&self.file, offset, len) {
            // Before Linux 4.9 on block devices, and on many file systems and disks.
            Err(error) if sys::is_unsupported(&error) => {
                let end = offset + len;
                let mut at = offset;
                while at < end {
                    let piece = (end - at).min(WRITTEN_ALONG);
                    program_zeros(self, at, piece)?;
                    // Or all of it would be in memory at once.
                    self.write_along(at, piece)?;
                    at += piece;
                }
                Ok(())
            }
            result => result,
        }
    }

    fn write_along(&mut self, offset: u64, len: u64) -> io::Result<()> {
        sys::start_writing(&self.file, offset, len)?;
        // What was started a while ago is on its way; to wait for it bounds what is in memory.
        if let Some(start) = offset.checked_sub(WRITTEN_ALONG) {
            sys::wait_for_writing(&self.file, start, len)?;
            self.drop_cache(start, len)?;
        }
        Ok(())
    }

    fn erase(&mut self, _offset: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn sync(&mut self) -> io::Result<()> {
        // The size never changes, so the data are all; for a block device this flushes the disk's cache too.
        self.file.sync_data()
    }

    fn drop_cache(&mut self, offset: u64, len: u64) -> io::Result<()> {
        let start = offset - offset % PAGE;
        let end = offset.saturating_add(len).checked_next_multiple_of(PAGE).unwrap_or(u64::MAX);
        sys::drop_cache(&self.file, start, end - start)
    }

    fn close(self: Box<Self>) -> io::Result<()> {
        let FileMedium { file, force_ro, .. } = *self;
        // Both in any case, and in this order; the first error is told.
        let closed = sys::close(file);
        let restored = force_ro.map_or(Ok(()), ForceRo::restore);
        closed.and(restored)
    }
}
