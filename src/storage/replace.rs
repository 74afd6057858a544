//! A single copy in a regular file, replaced as a whole by a temporary file and a rename.

use std::path::Path;

use super::region::RegionCopy;
use super::{EnvCopy, MediumKind, Method, ReplaceFile, WriteStats};
use crate::error::{Error, Place, Result};

/// The copy: read in place, written by replacing the file, whose other bytes are kept.
pub struct ReplaceCopy {
    region: RegionCopy,
    file: Box<dyn ReplaceFile>,
}

impl ReplaceCopy {
    /// The copy in `region` of the file that `file` can replace.
    pub fn new(region: RegionCopy, file: Box<dyn ReplaceFile>) -> Self {
        ReplaceCopy { region, file }
    }

    fn place(&self, step: &'static str) -> Place {
        Place::new(self.region.path(), step)
    }

    /// Everything up to the rename.
    fn replace(&mut self, new: &[u8]) -> Result<WriteStats> {
        let offset = self.offset();
        let size = self.file.lock().map_err(|e| self.place("locking the file").io(e))?;
        if offset.saturating_add(new.len() as u64) > size {
            return Err(Error::Device {
                path: self.path().to_path_buf(),
                message: format!(
                    "the copy at {offset:#x} ends behind the end of the file; nothing was written"
                ),
            });
        }
        let written = self.file.write_temp(offset, new);
        let bytes = written.map_err(|e| self.place("writing the temporary file").io(e))?;
        // Without this a file system may make the rename durable before the data.
        let syncs = self.file.sync_temp().map_err(|e| self.place("syncing the temporary file").io(e))?;
        // Once renamed there is no old file to go back to, so the new one is proven first.
        let step = "reading back";
        if let Some(at) = self.file.verify_temp(offset, new).map_err(|e| self.place(step).io(e))? {
            return Err(Error::Verify { place: self.place(step).at(at) });
        }
        self.file.rename().map_err(|e| self.place("renaming the temporary file").io(e))?;
        Ok(WriteStats { bytes, erases: 0, syncs })
    }

    fn sync_rename(&mut self) -> Result<u64> {
        self.file.sync_rename().map_err(|e| self.place("syncing the renamed file").io(e))
    }
}

impl EnvCopy for ReplaceCopy {
    fn kind(&self) -> MediumKind {
        self.region.kind()
    }

    fn path(&self) -> &Path {
        self.region.path()
    }

    fn offset(&self) -> u64 {
        self.region.offset()
    }

    fn size(&self) -> usize {
        self.region.size()
    }

    fn read(&mut self, buf: &mut [u8]) -> Result<()> {
        self.region.read(buf)
    }

    fn load(&mut self) -> Result<Vec<u8>> {
        self.region.load()
    }

    fn settle(&mut self) -> Result<WriteStats> {
        // The file may also have been written in place, by another tool.
        let mut stats = self.region.settle()?;
        stats.syncs += self.sync_rename()?;
        Ok(stats)
    }

    fn write(&mut self, _before: Option<&[u8]>, _settled: bool, new: &[u8]) -> Result<WriteStats> {
        let renamed = self.replace(new);
        if renamed.is_err() {
            self.file.give_up();
        }
        let mut stats = renamed?;
        stats.syncs += self.sync_rename()?;
        Ok(stats)
    }

    fn erase(&mut self) -> Result<WriteStats> {
        Ok(WriteStats::default())
    }

    fn set_byte(&mut self, at: usize, byte: u8) -> Result<WriteStats> {
        let mut bytes = vec![0; self.size()];
        self.read(&mut bytes)?;
        if let Some(b) = bytes.get_mut(at) {
            *b = byte;
        }
        self.write(None, false, &bytes)
    }

    fn storable(&self) -> Result<()> {
        self.region.storable()
    }

    fn remark(&self) -> Option<&str> {
        self.region.remark()
    }

    fn can_tear(&self, _len: usize) -> bool {
        false
    }

    fn method(&self) -> Method {
        Method::Rename
    }
}
