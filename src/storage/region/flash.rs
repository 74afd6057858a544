//! How a copy is written on flash: which sectors are erased, in which order they are programmed, what is
//! kept of them, and what becomes of NAND blocks that fail.

use std::io;

use super::{first_difference, RegionCopy};
use crate::error::{Error, Result};
use crate::storage::{Medium, MediumKind, WriteStats};

/// The bytes at the start of a copy without which it is not valid: the checksum's.
pub(super) const SEAL: usize = 4;

/// A few bytes of NOR are programmed as the aligned unit of this size that holds them, the others as they
/// stand, as U-Boot does it with the bus word around a byte (`drivers/mtd/cfi_flash.c`). Linux pads them
/// with 0xff instead, which a chip takes for "leave it". QEMU's chips store the padding, and refuse a
/// buffer of a single bus word; so the unit is two of the widest ones.
const UNIT: u64 = 8;

impl RegionCopy {
    /// Flash: writes sector by sector; a NAND block that fails is marked bad and the next one taken.
    pub(super) fn write_sectors(
        &mut self,
        medium: &mut dyn Medium,
        before: Option<&[u8]>,
        new: &[u8],
        stats: &mut WriteStats,
    ) -> Result<()> {
        if self.once_unit() > 1 {
            let last_first = std::mem::take(&mut self.last_first);
            return self.write_units(medium, last_first, new, stats);
        }
        if self.geometry.kind == MediumKind::Nor {
            return self.write_nor(medium, before, new, stats);
        }
        let sectors = self.good_sectors(medium, true)?;
        let unit = usize::try_from(self.sector_size).unwrap_or(usize::MAX).max(1);
        let fresh_first = std::mem::take(&mut self.fresh);
        let mut parts = new.chunks(unit);
        let mut done = 0;
        let mut part = parts.next();
        // Once a block was skipped, what a later block holds is no longer what `before` says of it.
        let mut shifted = false;
        for (i, at) in sectors.iter().copied().enumerate() {
            let Some(data) = part else { break };
            let erased = fresh_first && i == 0;
            let same = before
                .and_then(|b| b.get(done..))
                .and_then(|b| b.get(..data.len()))
                .is_some_and(|b| b == data);
            if erased || shifted || !same {
                match self.write_sector(medium, at, data, erased, stats) {
                    // Marked bad only where there is another block to take: the mark is for ever, and a
                    // copy without blocks is lost, while this error may not come again.
                    Err(SectorError::Worn(_))
                        if self.geometry.kind == MediumKind::Nand
                            && sectors.len() - i > new.len().saturating_sub(done).div_ceil(unit) =>
                    {
                        medium.mark_bad(at).map_err(|e| self.place("marking a block as bad", at).io(e))?;
                        shifted = true;
                        continue;
                    }
                    Err(SectorError::Worn(error) | SectorError::Other(error)) => return Err(error),
                    Ok(()) => {}
                }
            }
            done += data.len();
            part = parts.next();
        }
        if part.is_some() {
            return Err(Error::BadBlocks {
                path: self.path.clone(),
                offset: self.offset,
                sectors: self.range / self.sector_size.max(1),
                good: done as u64,
                needed: new.len() as u64,
            });
        }
        Ok(())
    }

    /// NOR: the last sector first, so that the copy's first bytes are programmed when all else is there.
    fn write_nor(
        &mut self,
        medium: &mut dyn Medium,
        before: Option<&[u8]>,
        new: &[u8],
        stats: &mut WriteStats,
    ) -> Result<()> {
        let unit = usize::try_from(self.sector_size).unwrap_or(usize::MAX).max(1);
        let fresh = std::mem::take(&mut self.fresh);
        let parts: Vec<&[u8]> = new.chunks(unit).collect();
        for (i, data) in parts.into_iter().enumerate().rev() {
            let at = self.offset.saturating_add((i as u64).saturating_mul(self.sector_size));
            let start = i.saturating_mul(unit);
            let same = before
                .and_then(|b| b.get(start..))
                .and_then(|b| b.get(..data.len()))
                .is_some_and(|b| b == data);
            let erased = fresh && i == 0;
            if erased || !same {
                self.write_sector(medium, at, data, erased, stats)?;
            }
        }
        Ok(())
    }

    /// Erases one sector unless `erased`, and programs `data` at its start; the sector's other bytes
    /// are kept. They are in danger from the erase until they are programmed again: flash has no way
    /// around that, so sharing a sector with something else is a choice of the board's partitioning.
    fn write_sector(
        &self,
        medium: &mut dyn Medium,
        at: u64,
        data: &[u8],
        erased: bool,
        stats: &mut WriteStats,
    ) -> std::result::Result<(), SectorError> {
        let rest = if erased { Vec::new() } else { self.read_rest(medium, at, data.len())? };
        let behind = at.saturating_add(data.len() as u64);
        self.unlocked(medium, at, |medium| {
            if !erased {
                let start = medium.erase(at);
                start.map_err(|e| self.worn("erasing", at, e))?;
                stats.erases += 1;
            }
            if self.geometry.write_size > 1 {
                // NAND pages are programmed once, whole, and in rising order.
                let mut sector = data.to_vec();
                sector.extend_from_slice(&rest);
                self.program_pages(medium, at, &sector, stats)?;
                Ok(self.verify_rest(medium, behind, &rest)?)
            } else {
                // What is not ours comes back first: the time without it is the shortest.
                self.program_bytes(medium, behind, &rest, stats)?;
                self.verify_rest(medium, behind, &rest)?;
                // A chip programs a buffer's bits all at once, each at its own speed. What makes the copy
                // valid comes last, so that nothing can be half there beside it, the flags least of all.
                let seal = if at == self.offset { SEAL.min(data.len()) } else { 0 };
                let (seal, body) = data.split_at_checked(seal).unwrap_or((&[], data));
                self.program_bytes(medium, at.saturating_add(seal.len() as u64), body, stats)?;
                self.program_unit(medium, at, seal, stats)
            }
        })
    }

    /// Runs `work` with the sector unlocked, and locks it again if it was locked, also after an error.
    pub(super) fn unlocked<E: From<Error>>(
        &self,
        medium: &mut dyn Medium,
        at: u64,
        work: impl FnOnce(&mut dyn Medium) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        if self.disable_lock || !self.is_flash() {
            return work(medium);
        }
        let was_locked = medium.unlock(at).map_err(|e| self.place("unlocking", at).io(e))?;
        let result = work(medium);
        if was_locked {
            let locked = medium.lock(at).map_err(|e| self.place("locking", at).io(e));
            if result.is_ok() {
                locked?;
            }
        }
        result
    }

    pub(super) fn worn(&self, step: &'static str, at: u64, error: io::Error) -> SectorError {
        // EIO is what the kernel returns when the chip reports a failed erase or program.
        let worn = error.raw_os_error() == Some(libc::EIO);
        let error = self.place(step, at).io(error);
        if worn {
            SectorError::Worn(error)
        } else {
            SectorError::Other(error)
        }
    }

    /// The bytes of the sector at `at` behind the first `used`.
    pub(super) fn read_rest(&self, medium: &mut dyn Medium, at: u64, used: usize) -> Result<Vec<u8>> {
        let start = at.saturating_add(used as u64);
        let len = usize::try_from(self.sector_size).unwrap_or(usize::MAX).saturating_sub(used);
        let mut rest = vec![0xff; len];
        if len == 0 {
            return Ok(rest);
        }
        match medium.read(start, &mut rest) {
            Ok(()) => return Ok(rest),
            // Never erase what could not be read, except NAND pages: a page torn by a cut can't be read
            // ever again, and must not keep its block from being used.
            Err(e) if self.geometry.kind != MediumKind::Nand => {
                return Err(self.place("reading the rest of the sector", start).io(e));
            }
            Err(_) => {}
        }
        let page = usize::try_from(self.geometry.write_size).unwrap_or(usize::MAX).max(1);
        let first = (page - used % page) % page;
        let (head, tail) = rest.split_at_mut(first.min(len));
        let mut from = start;
        for part in std::iter::once(head).chain(tail.chunks_mut(page)) {
            if medium.read(from, part).is_err() {
                part.fill(0xff);
            }
            from = from.saturating_add(part.len() as u64);
        }
        Ok(rest)
    }

    /// Reads back what was kept of a sector: it belongs to somebody who can't notice.
    pub(super) fn verify_rest(&self, medium: &mut dyn Medium, at: u64, rest: &[u8]) -> Result<()> {
        if rest.iter().all(|&b| b == 0xff) {
            return Ok(());
        }
        let mut back = vec![0; rest.len()];
        let step = "reading back the rest of the sector";
        medium.read(at, &mut back).map_err(|e| self.place(step, at).io(e))?;
        match first_difference(&back, rest) {
            None => Ok(()),
            Some(i) => Err(Error::Verify { place: self.place(step, at.saturating_add(i as u64)) }),
        }
    }

    pub(super) fn program_bytes(
        &self,
        medium: &mut dyn Medium,
        at: u64,
        data: &[u8],
        stats: &mut WriteStats,
    ) -> std::result::Result<(), SectorError> {
        // Erased flash reads 0xff, so a tail of 0xff is already there.
        let len = data.iter().rposition(|&b| b != 0xff).map_or(0, |last| last + 1);
        let data = data.get(..len).unwrap_or_default();
        if data.is_empty() {
            return Ok(());
        }
        medium.program(at, data).map_err(|e| self.worn("programming", at, e))?;
        stats.bytes += data.len() as u64;
        Ok(())
    }

    /// NOR: programs bytes that lie within one [`UNIT`].
    pub(super) fn program_unit(
        &self,
        medium: &mut dyn Medium,
        at: u64,
        data: &[u8],
        stats: &mut WriteStats,
    ) -> std::result::Result<(), SectorError> {
        let start = at - at % UNIT;
        let mut unit = [0; UNIT as usize];
        let step = "reading beside what will be programmed";
        medium.read(start, &mut unit).map_err(|e| self.place(step, start).io(e))?;
        let inside = usize::try_from(at - start).unwrap_or(0);
        for (byte, new) in unit.iter_mut().skip(inside).zip(data) {
            *byte = *new;
        }
        medium.program(start, &unit).map_err(|e| self.worn("programming", start, e))?;
        stats.bytes += UNIT;
        Ok(())
    }

    pub(super) fn program_pages(
        &self,
        medium: &mut dyn Medium,
        at: u64,
        sector: &[u8],
        stats: &mut WriteStats,
    ) -> std::result::Result<(), SectorError> {
        let page = usize::try_from(self.geometry.write_size).unwrap_or(usize::MAX).max(1);
        let mut start = 0;
        // Runs of pages that hold something: an empty page stays erased, so that it can still be used.
        while start < sector.len() {
            let is_empty =
                |from: usize| sector.get(from..).unwrap_or_default().iter().take(page).all(|&b| b == 0xff);
            let from = start;
            if is_empty(from) {
                start += page;
                continue;
            }
            while start < sector.len() && !is_empty(start) {
                start += page;
            }
            let mut data = sector.get(from..start.min(sector.len())).unwrap_or_default().to_vec();
            data.resize(start - from, 0xff);
            let to = at.saturating_add(from as u64);
            medium.program(to, &data).map_err(|e| self.worn("programming", to, e))?;
            stats.bytes += data.len() as u64;
        }
        Ok(())
    }
}

/// Why a sector could not be written.
pub(super) enum SectorError {
    /// The chip says that erasing or programming failed.
    Worn(Error),
    /// Anything else.
    Other(Error),
}

impl From<Error> for SectorError {
    fn from(error: Error) -> Self {
        SectorError::Other(error)
    }
}

impl From<SectorError> for Error {
    fn from(error: SectorError) -> Self {
        match error {
            SectorError::Worn(e) | SectorError::Other(e) => e,
        }
    }
}
