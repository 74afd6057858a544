//! One copy of the boot loader on its medium: made invalid, written, read back, and made valid by its header, in this order.
//!
//! | step | disk, file, RAM | NOR flash | what a ROM sees |
//! |---|---|---|---|
//! | spoil | the header becomes zeros; sync | the start of the header is cleared; the first block is erased | no boot loader |
//! | body | all behind the header; sync; read back | the other blocks are erased, all behind the header is programmed; read back | the same |
//! | header | all but its start; sync; its start; sync; read back | the same | no boot loader, then the new one |
//!
//! Raw NAND and UBI are refused: a page can't be programmed after those behind it, and their ROMs look for copies in ways of
//! their own.

use std::io;
use std::path::Path;

use super::error::{LoaderError, Result};
use crate::settings::LoaderCopy;
use crate::storage::{Geometry, Medium, MediumKind};

/// A disk writes a sector whole or not at all.
const SECTOR: u64 = 512;

/// How much of a header on flash is programmed at the very end: where every ROM has its mark.
pub(crate) const MARK: u64 = 16;

/// So much is written at once.
const PIECE: usize = 1 << 20;

/// A copy on its open medium.
pub(super) struct Place<'a> {
    medium: Box<dyn Medium>,
    geometry: Geometry,
    copy: &'a LoaderCopy,
    header: u64,
    /// Blocks that were locked and are open.
    unlocked: Vec<u64>,
}

impl<'a> Place<'a> {
    /// Looks whether the medium can hold it. Nothing is written.
    ///
    /// # Errors
    ///
    /// [`LoaderError::DoesNotFit`], which says what does not fit.
    pub fn new(medium: Box<dyn Medium>, copy: &'a LoaderCopy, header: u64) -> Result<Place<'a>> {
        let geometry = medium.geometry();
        let refuse = |reason: String| Err(LoaderError::DoesNotFit(format!("copy {}: {reason}", copy.name)));
        if !matches!(geometry.kind, MediumKind::File | MediumKind::Block | MediumKind::Nor | MediumKind::Ram)
        {
            return refuse("a boot loader is written to disks, files, NOR flash and RAM alone".into());
        }
        let end = copy.offset.saturating_add(copy.size);
        if end > geometry.size {
            let (path, size) = (copy.device.display(), geometry.size);
            return refuse(format!("it ends at {end:#x} of {path}, which ends at {size:#x}"));
        }
        let block = geometry.erase_size;
        if block > 0 && (copy.offset % block != 0 || copy.size % block != 0 || header > block) {
            return refuse(format!(
                "it is not whole erase blocks of {block:#x}, with its header in the first one"
            ));
        }
        if header % geometry.write_size.max(1) != 0 {
            return refuse(format!("its header is not whole units of {:#x}", geometry.write_size));
        }
        Ok(Place { medium, geometry, copy, header, unlocked: Vec::new() })
    }

    /// No ROM takes it from now on.
    pub fn spoil(&mut self) -> Result<()> {
        let at = self.copy.offset;
        if self.geometry.erase_size == 0 {
            let zeros = vec![0; usize::try_from(self.header).unwrap_or_default()];
            self.medium.program(at, &zeros).map_err(self.failed("spoiling its header", at))?;
            self.sync()?;
            return self.compare(0, &zeros);
        }
        self.unlock_first()?;
        // An erase that is cut may leave the header and take what is behind it. Where each unit is programmed only once,
        // nothing can be cleared before it.
        if self.geometry.write_size == 1 {
            let zeros = [0; MARK as usize];
            self.medium.program(at, &zeros).map_err(self.failed("spoiling its header", at))?;
        }
        self.medium.erase(at).map_err(self.failed("erasing", at))?;
        self.compare(0, &vec![0xff; usize::try_from(self.header).unwrap_or_default()])
    }

    /// Writes all of the image but its header, and compares it with what the medium returns.
    pub fn write_body(&mut self, image: &[u8]) -> Result<()> {
        let (start, block) = (self.copy.offset, self.geometry.erase_size);
        let end = start.saturating_add(image.len() as u64);
        self.unlock_first()?;
        let mut at = start.saturating_add(block);
        while block > 0 && at < end {
            self.unlock(at)?;
            self.medium.erase(at).map_err(self.failed("erasing", at))?;
            at = at.saturating_add(block);
        }
        let split = usize::try_from(self.header).unwrap_or(usize::MAX);
        let body = image.get(split..).unwrap_or_default();
        let mut at = start.saturating_add(self.header);
        for piece in body.chunks(PIECE) {
            self.program(at, piece)?;
            at = at.saturating_add(piece.len() as u64);
        }
        self.sync()?;
        self.compare(self.header, body)
    }

    /// Writes the header, its start last, and compares the whole image with what the medium returns.
    pub fn write_header(&mut self, image: &[u8]) -> Result<()> {
        self.unlock_first()?;
        let header = image.get(..usize::try_from(self.header).unwrap_or(usize::MAX)).unwrap_or_default();
        let unit = match self.geometry.erase_size {
            0 => SECTOR,
            _ => self.geometry.write_size.max(MARK),
        };
        let split = usize::try_from(unit).unwrap_or(usize::MAX).min(header.len());
        let (mark, rest) = header.split_at(split);
        if !rest.is_empty() {
            self.program(self.copy.offset.saturating_add(unit), rest)?;
            self.sync()?;
        }
        self.program(self.copy.offset, mark)?;
        self.sync()?;
        self.compare(0, image)
    }

    /// Does this, and closes the medium. What was locked is locked again, also after an error.
    pub fn and_close(mut self, work: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        let done = work(&mut self);
        let locked = self.lock_again();
        let closing = self.failed("closing", self.copy.offset);
        let closed = self.medium.close().map_err(closing);
        done.and(locked).and(closed)
    }

    fn program(&mut self, at: u64, bytes: &[u8]) -> Result<()> {
        let unit = usize::try_from(self.geometry.write_size).unwrap_or(1).max(1);
        let flash = self.geometry.erase_size > 0;
        let mut padded = Vec::new();
        let bytes = match bytes.len() % unit {
            // What is behind the image in its last unit stays erased.
            over if flash && over > 0 => {
                padded.extend_from_slice(bytes);
                padded.resize(bytes.len() + unit - over, 0xff);
                &padded
            }
            _ => bytes,
        };
        self.medium.program(at, bytes).map_err(self.failed("writing", at))
    }

    fn sync(&mut self) -> Result<()> {
        self.medium.sync().map_err(self.failed("syncing", self.copy.offset))
    }

    /// What the medium returns past the cache, from this byte of the copy on.
    fn compare(&mut self, from: u64, bytes: &[u8]) -> Result<()> {
        let mut at = self.copy.offset.saturating_add(from);
        let len = bytes.len() as u64;
        self.medium.drop_cache(at, len).map_err(self.failed("dropping the cache", at))?;
        for piece in bytes.chunks(PIECE) {
            let mut back = vec![0; piece.len()];
            self.medium.read(at, &mut back).map_err(self.failed("reading it back", at))?;
            if let Some(i) = back.iter().zip(piece).position(|(a, b)| a != b) {
                let offset = at.saturating_add(i as u64);
                return Err(LoaderError::ReadBack { path: self.copy.device.clone(), offset });
            }
            at = at.saturating_add(piece.len() as u64);
        }
        Ok(())
    }

    fn unlock(&mut self, at: u64) -> Result<()> {
        if self.medium.unlock(at).map_err(self.failed("unlocking", at))? {
            self.unlocked.push(at);
        }
        Ok(())
    }

    /// The block with the header is written in three turns, and locked between them.
    fn unlock_first(&mut self) -> Result<()> {
        match self.geometry.erase_size {
            0 => Ok(()),
            _ => self.unlock(self.copy.offset),
        }
    }

    fn lock_again(&mut self) -> Result<()> {
        let mut locked = Ok(());
        for at in std::mem::take(&mut self.unlocked) {
            locked = locked.and(self.medium.lock(at).map_err(self.failed("locking", at)));
        }
        locked
    }

    fn failed(&self, step: &'static str, offset: u64) -> impl Fn(io::Error) -> LoaderError {
        failed(&self.copy.device, step, offset)
    }
}

/// An error of the medium at this byte of it.
pub(super) fn failed(path: &Path, step: &'static str, offset: u64) -> impl Fn(io::Error) -> LoaderError {
    let path = path.to_path_buf();
    move |error| LoaderError::Medium { path: path.clone(), offset, step, error }
}
