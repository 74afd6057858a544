//! Where the bytes of a boot counter are, and how Linux reaches them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::{Count, Counter};
use crate::error::{Error, Place, Result};
use crate::sys::memory::Words;

const READING: &str = "reading the boot counter";
const WRITING: &str = "resetting the boot counter";

/// A few bytes somewhere.
pub(super) trait Cell: Send + Sync {
    /// The first `len` bytes; `None` where there is nothing yet.
    fn read(&mut self, len: usize) -> Result<Option<Vec<u8>>>;
    /// Puts `after` in the place of `before`, which was just read.
    fn write(&mut self, before: &[u8], after: &[u8]) -> Result<()>;
    /// For messages.
    fn path(&self) -> &Path;
    /// For messages.
    fn offset(&self) -> u64;
}

/// Words of 32 bits in memory. U-Boot reads and writes registers by words, so does this, and writes only
/// those that change.
pub(super) struct MemoryCell {
    path: PathBuf,
    address: u64,
    unlock: Vec<(u64, u32)>,
}

impl MemoryCell {
    pub fn new(path: &Path, address: u64, unlock: &[(u64, u32)]) -> Self {
        MemoryCell { path: path.into(), address, unlock: unlock.to_vec() }
    }

    /// The words that hold these bytes, and where in them the bytes start.
    fn map(&self, len: usize, write: bool) -> io::Result<(Words, usize)> {
        let start = (self.address % 4) as usize;
        let count = (start + len).div_ceil(4);
        Ok((Words::map(&self.path, self.address - start as u64, count, write)?, start))
    }

    fn place(&self, step: &'static str) -> Place {
        Place::new(&self.path, step).at(self.address)
    }
}

impl Cell for MemoryCell {
    fn read(&mut self, len: usize) -> Result<Option<Vec<u8>>> {
        let (words, start) = self.map(len, false).map_err(|error| self.place(READING).io(error))?;
        let bytes = words.read().into_iter().flat_map(u32::to_ne_bytes);
        Ok(Some(bytes.skip(start).take(len).collect()))
    }

    fn write(&mut self, before: &[u8], after: &[u8]) -> Result<()> {
        let write = || {
            for &(address, value) in &self.unlock {
                Words::map(&self.path, address, 1, true)?.write(0, value)?;
            }
            let (words, start) = self.map(after.len(), true)?;
            for (index, word) in words.read().into_iter().enumerate() {
                let mut bytes = word.to_ne_bytes();
                let first = index * 4;
                for (at, byte) in bytes.iter_mut().enumerate() {
                    let Some(at) = (first + at).checked_sub(start) else { continue };
                    if before.get(at) != after.get(at) {
                        *byte = after.get(at).copied().unwrap_or(*byte);
                    }
                }
                let now = u32::from_ne_bytes(bytes);
                if now != word {
                    words.write(index, now)?;
                }
            }
            Ok(())
        };
        write().map_err(|error| self.place(WRITING).io(error))
    }

    fn path(&self) -> &Path {
        &self.path
    }

    fn offset(&self) -> u64 {
        self.address
    }
}

/// Bytes of a file.
pub(super) struct FileCell {
    path: PathBuf,
    offset: u64,
    writable: bool,
}

impl FileCell {
    pub fn new(path: &Path, offset: u64) -> Self {
        FileCell { path: path.into(), offset, writable: true }
    }

    pub fn read_only(path: &Path, offset: u64) -> Self {
        FileCell { path: path.into(), offset, writable: false }
    }

    fn place(&self, step: &'static str) -> Place {
        Place::new(&self.path, step).at(self.offset)
    }
}

impl Cell for FileCell {
    fn read(&mut self, len: usize) -> Result<Option<Vec<u8>>> {
        let mut bytes = vec![0; len];
        let read = File::open(&self.path).and_then(|file| file.read_exact_at(&mut bytes, self.offset));
        match read {
            Ok(()) => Ok(Some(bytes)),
            // U-Boot makes the file at the first boot that it counts.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.place(READING).io(error)),
        }
    }

    fn write(&mut self, _: &[u8], after: &[u8]) -> Result<()> {
        if !self.writable {
            return Err(Error::Unsupported(format!(
                "{}: this boot counter is in flash, in a sector that would have to be erased, and a power cut \
                 would lose what else is in it; reset it in U-Boot (bootcount reset), or choose another place",
                self.path.display()
            )));
        }
        // In place: few bytes of one sector, and the file keeps the blocks that U-Boot finds it by.
        let write = || {
            let file = OpenOptions::new().write(true).open(&self.path)?;
            file.write_all_at(after, self.offset)?;
            match file.sync_all() {
                // A file of sysfs has nothing to sync.
                Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Ok(()),
                synced => synced,
            }
        };
        write().map_err(|error| self.place(WRITING).io(error))
    }

    fn path(&self) -> &Path {
        &self.path
    }

    fn offset(&self) -> u64 {
        self.offset
    }
}

/// A register that the firmware keeps, as text: hexadecimal digits after `0x`
/// (`Documentation/ABI/stable/sysfs-driver-firmware-zynqmp` of Linux, `pggs*`). No magic number.
pub(super) struct FirmwareCell {
    path: PathBuf,
}

impl FirmwareCell {
    pub fn new(path: &Path) -> Self {
        FirmwareCell { path: path.into() }
    }

    fn register(&self) -> Result<u32> {
        let mut text = String::new();
        let read = File::open(&self.path).and_then(|mut file| file.read_to_string(&mut text));
        read.map_err(|error| Place::new(&self.path, READING).io(error))?;
        let digits = text.trim().trim_start_matches("0x");
        u32::from_str_radix(digits, 16).map_err(|_| Error::Device {
            path: self.path.clone(),
            message: format!("expected a hexadecimal number, found {text:?}"),
        })
    }
}

impl Counter for FirmwareCell {
    fn get(&mut self) -> Result<Option<Count>> {
        Ok(Some(Count { count: self.register()? & 0xff, upgrade_available: None }))
    }

    fn reset(&mut self) -> Result<bool> {
        let before = self.register()?;
        let after = before & !0xff;
        if before == after {
            return Ok(false);
        }
        let write = fs::write(&self.path, format!("{after:#x}\n"));
        write.map_err(|error| Place::new(&self.path, WRITING).io(error))?;
        if self.register()? != after {
            return Err(Error::Verify { place: Place::new(&self.path, WRITING) });
        }
        Ok(true)
    }
}
