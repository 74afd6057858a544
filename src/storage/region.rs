//! One copy as a range of a [`Medium`]: which bytes are written, which sectors erased, which bad
//! blocks skipped.
//!
//! ```text
//! file, block device   offset                          offset+size
//!                        |  512-byte blocks that differ  |
//!
//! flash                offset (a sector boundary)                 offset + sectors * sector_size
//!                        | sector | bad block | sector | unused .. |
//!                        |  copy  |  skipped  |  copy,  kept bytes |
//! ```

mod flash;

use std::path::{Path, PathBuf};

use super::{Access, EnvCopy, Geometry, Medium, MediumKind, OpenMedium, WriteStats};
use crate::error::{Error, Place, Result};

/// The unit in which files and block devices are compared and written. A block device writes at
/// least a 512-byte sector whole or not at all.
const BLOCK: u64 = 512;

/// A copy in a range of a file, a block device or MTD flash.
pub struct RegionCopy {
    opener: Box<dyn OpenMedium>,
    path: PathBuf,
    geometry: Geometry,
    offset: u64,
    size: usize,
    sector_size: u64,
    /// Bytes from `offset` that the copy may use; more than `size` where bad blocks have to be skipped.
    range: u64,
    disable_lock: bool,
    /// The first sector was erased by `erase` and nothing was programmed since.
    fresh: bool,
}

/// What a configuration says about the range; see [`RegionCopy::new`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RegionSpec {
    /// Bytes from the start of the medium.
    pub offset: u64,
    /// Bytes of the copy, header included.
    pub size: u64,
    /// Bytes of an erase sector; 0: as the medium says.
    pub sector_size: u64,
    /// Erase sectors that the copy may use; 0: as many as its size needs, on NAND all up to `limit`.
    pub sectors: u64,
    /// End of what the copy may use if `sectors` is 0: the other copy's offset, or the medium's end.
    pub limit: u64,
    /// Leave MTD sector locks alone.
    pub disable_lock: bool,
}

impl RegionCopy {
    /// Fits the configured range to the medium. Nothing is written; the medium is not opened.
    ///
    /// Errors: [`Error::Device`] where the range does not start on an erase sector or can't hold the copy.
    /// A range past the end of the medium is no error here: such a copy can't be read, and a write to it
    /// is refused.
    pub fn new(
        opener: Box<dyn OpenMedium>,
        path: impl Into<PathBuf>,
        geometry: Geometry,
        spec: RegionSpec,
    ) -> Result<Self> {
        let path = path.into();
        let refuse = |message: String| Err(Error::Device { path: path.clone(), message });
        let Ok(size) = usize::try_from(spec.size) else {
            return refuse(format!("an environment of {} bytes does not fit into memory", spec.size));
        };
        let flash = geometry.erase_size > 0;
        // A NAND block goes bad as a whole, so its real size counts. On NOR the configuration knows
        // better: MEMGETINFO tells the largest sector of a chip with several sizes.
        let sector_size = match geometry.kind {
            MediumKind::Nand => geometry.erase_size,
            _ if spec.sector_size > 0 && flash => spec.sector_size,
            _ => geometry.erase_size,
        };
        let range = if !flash {
            spec.size
        } else if spec.sectors > 0 {
            let unit = if spec.sector_size > 0 { spec.sector_size } else { sector_size };
            spec.sectors.saturating_mul(unit)
        } else {
            let needed = spec.size.div_ceil(sector_size.max(1)).saturating_mul(sector_size);
            match geometry.kind {
                // As U-Boot's tools/env does: without the columns, a NAND copy may use all that follows.
                MediumKind::Nand if spec.sector_size == 0 => {
                    spec.limit.min(geometry.size).saturating_sub(spec.offset).max(needed)
                }
                _ => needed,
            }
        };
        if flash && spec.offset % sector_size != 0 {
            return refuse(format!(
                "offset {:#x} is not the start of an erase sector (of {sector_size:#x} bytes)",
                spec.offset
            ));
        }
        if range < spec.size {
            return refuse(format!(
                "{} sectors of {sector_size:#x} bytes can't hold an environment of {:#x} bytes",
                spec.sectors, spec.size
            ));
        }
        Ok(RegionCopy {
            opener,
            path,
            geometry,
            offset: spec.offset,
            size,
            sector_size,
            range,
            disable_lock: spec.disable_lock,
            fresh: false,
        })
    }

    /// The bytes of the medium that this copy may change: start and end.
    pub fn range(&self) -> (u64, u64) {
        (self.offset, self.offset.saturating_add(self.range))
    }

    fn place(&self, step: &'static str, offset: u64) -> Place {
        Place::new(&self.path, step).at(offset)
    }

    fn open(&self, access: Access) -> Result<Box<dyn Medium>> {
        let step = match access {
            Access::Read => "opening",
            Access::Write => "opening for writing",
        };
        self.opener.open(access).map_err(|e| Place::new(&self.path, step).io(e))
    }

    fn close(&self, medium: Box<dyn Medium>) -> Result<()> {
        medium.close().map_err(|e| Place::new(&self.path, "closing").io(e))
    }

    fn is_flash(&self) -> bool {
        self.geometry.erase_size > 0
    }

    /// Refuses to write where the medium ends before the copy does.
    fn check_end(&self) -> Result<()> {
        let end = self.offset.saturating_add(if self.is_flash() { self.range } else { self.size as u64 });
        if end > self.geometry.size {
            return Err(Error::Device {
                path: self.path.clone(),
                message: format!(
                    "the copy at {:#x} ends at {end:#x}, the medium at {:#x}; nothing was written",
                    self.offset, self.geometry.size
                ),
            });
        }
        Ok(())
    }

    /// Starts of the sectors that may hold the copy, bad ones left out.
    fn good_sectors(&self, medium: &mut dyn Medium) -> Result<Vec<u64>> {
        let mut good = Vec::new();
        let (mut at, end) = self.range();
        while at < end {
            if self.geometry.kind != MediumKind::Nand
                || !medium.is_bad(at).map_err(|e| self.place("asking for a bad block", at).io(e))?
            {
                good.push(at);
            }
            at = at.saturating_add(self.sector_size);
        }
        let bytes = (good.len() as u64).saturating_mul(self.sector_size);
        if bytes < self.size as u64 {
            return Err(Error::BadBlocks {
                path: self.path.clone(),
                offset: self.offset,
                sectors: self.range / self.sector_size.max(1),
                good: bytes,
                needed: self.size as u64,
            });
        }
        Ok(good)
    }

    fn read_range(&self, medium: &mut dyn Medium, buf: &mut [u8], step: &'static str) -> Result<()> {
        if self.geometry.kind != MediumKind::Nand {
            return medium.read(self.offset, buf).map_err(|e| self.place(step, self.offset).io(e));
        }
        let sectors = self.good_sectors(medium)?;
        let unit = usize::try_from(self.sector_size).unwrap_or(usize::MAX).max(1);
        for (part, at) in buf.chunks_mut(unit).zip(sectors) {
            medium.read(at, part).map_err(|e| self.place(step, at).io(e))?;
        }
        Ok(())
    }

    fn verify(&self, medium: &mut dyn Medium, new: &[u8], stats: &mut WriteStats) -> Result<()> {
        medium.sync().map_err(|e| self.place("syncing", self.offset).io(e))?;
        if !self.is_flash() {
            stats.syncs += 1;
        }
        medium
            .drop_cache(self.offset, self.range)
            .map_err(|e| self.place("dropping the cache", self.offset).io(e))?;
        let mut back = vec![0; new.len()];
        self.read_range(medium, &mut back, "reading back")?;
        match first_difference(&back, new) {
            None => Ok(()),
            Some(i) => {
                Err(Error::Verify { place: self.place("reading back", self.offset.saturating_add(i as u64)) })
            }
        }
    }

    /// Files and block devices: writes the blocks that differ.
    fn write_blocks(
        &self,
        medium: &mut dyn Medium,
        before: Option<&[u8]>,
        new: &[u8],
        stats: &mut WriteStats,
    ) -> Result<()> {
        for run in differing_runs(self.offset, before, new) {
            let at = self.offset.saturating_add(run.start as u64);
            let data = new.get(run).unwrap_or_default();
            medium.program(at, data).map_err(|e| self.place("writing", at).io(e))?;
            stats.bytes += data.len() as u64;
        }
        Ok(())
    }
}

impl EnvCopy for RegionCopy {
    fn kind(&self) -> MediumKind {
        self.geometry.kind
    }

    fn path(&self) -> &Path {
        &self.path
    }

    fn offset(&self) -> u64 {
        self.offset
    }

    fn size(&self) -> usize {
        self.size
    }

    fn read(&mut self, buf: &mut [u8]) -> Result<()> {
        let mut medium = self.open(Access::Read)?;
        self.read_range(&mut *medium, buf, "reading")
    }

    fn load(&mut self) -> Result<Vec<u8>> {
        if self.geometry.kind == MediumKind::Nand {
            let mut bytes = vec![0; self.size];
            self.read(&mut bytes)?;
            return Ok(bytes);
        }
        let mut medium = self.open(Access::Read)?;
        medium.read_vec(self.offset, self.size).map_err(|e| self.place("reading", self.offset).io(e))
    }

    fn settle(&mut self) -> Result<WriteStats> {
        if !matches!(self.geometry.kind, MediumKind::File | MediumKind::Block) {
            return Ok(WriteStats::default());
        }
        let mut medium = self.open(Access::Read)?;
        medium.sync().map_err(|e| {
            // What the medium did not take must not be read for the copy any more.
            let _ = medium.drop_cache(self.offset, self.range);
            self.place("syncing what an earlier store has written", self.offset).io(e)
        })?;
        self.close(medium)?;
        Ok(WriteStats { syncs: 1, ..WriteStats::default() })
    }

    fn write(&mut self, before: Option<&[u8]>, settled: bool, new: &[u8]) -> Result<WriteStats> {
        self.check_end()?;
        let mut stats = WriteStats::default();
        let mut medium = self.open(Access::Write)?;
        if self.is_flash() {
            self.write_sectors(&mut *medium, before.filter(|_| settled), new, &mut stats)?;
            self.verify(&mut *medium, new, &mut stats)?;
        } else {
            let written = self.write_blocks(&mut *medium, before, new, &mut stats);
            let verified = written.and_then(|()| self.verify(&mut *medium, new, &mut stats));
            if verified.is_err() {
                // What is only in the cache would be taken for the newest copy, and the next store would
                // overwrite the one that is on the medium. Neither call can do more harm than was done.
                let _ = medium.sync();
                let _ = medium.drop_cache(self.offset, self.range);
            }
            verified?;
        }
        self.close(medium)?;
        Ok(stats)
    }

    fn erase(&mut self) -> Result<WriteStats> {
        let mut stats = WriteStats::default();
        if !self.is_flash() {
            return Ok(stats);
        }
        self.check_end()?;
        let mut medium = self.open(Access::Write)?;
        let at = self.offset;
        let used = usize::try_from(self.sector_size).unwrap_or(usize::MAX).min(self.size);
        let rest = self.read_rest(&mut *medium, at, used)?;
        self.unlocked(&mut *medium, at, |medium| -> std::result::Result<(), Error> {
            medium.erase(at).map_err(|e| self.place("erasing", at).io(e))?;
            stats.erases += 1;
            let behind = at.saturating_add(used as u64);
            self.program_bytes(medium, behind, &rest, &mut stats)?;
            self.verify_rest(medium, behind, &rest)
        })?;
        medium.sync().map_err(|e| self.place("syncing", at).io(e))?;
        let mut back = vec![0; used];
        medium.read(at, &mut back).map_err(|e| self.place("reading back", at).io(e))?;
        if let Some(i) = back.iter().position(|&b| b != 0xff) {
            return Err(Error::Verify {
                place: self.place("reading back an erased sector", at.saturating_add(i as u64)),
            });
        }
        self.fresh = true;
        self.close(medium)?;
        Ok(stats)
    }

    fn set_byte(&mut self, at: usize, byte: u8) -> Result<WriteStats> {
        self.check_end()?;
        let mut stats = WriteStats::default();
        let mut medium = self.open(Access::Write)?;
        let to = self.offset.saturating_add(at as u64);
        let sector = to - to % self.sector_size.max(1);
        self.unlocked(&mut *medium, sector, |medium| -> std::result::Result<(), Error> {
            if self.geometry.kind == MediumKind::Nor {
                return Ok(self.program_unit(medium, to, &[byte], &mut stats)?);
            }
            stats.bytes += 1;
            medium.program(to, &[byte]).map_err(|e| self.place("programming the flag", to).io(e))
        })?;
        medium.sync().map_err(|e| self.place("syncing", to).io(e))?;
        let mut back = [0];
        medium.read(to, &mut back).map_err(|e| self.place("reading back the flag", to).io(e))?;
        if back != [byte] {
            return Err(Error::Verify { place: self.place("reading back the flag", to) });
        }
        self.close(medium)?;
        Ok(stats)
    }

    fn can_tear(&self, len: usize) -> bool {
        !self.is_flash() && self.offset % BLOCK + len as u64 > BLOCK
    }
}

/// The first index at which two byte strings of equal length differ.
pub(super) fn first_difference(a: &[u8], b: &[u8]) -> Option<usize> {
    if a == b {
        return None;
    }
    Some(a.iter().zip(b).position(|(a, b)| a != b).unwrap_or_else(|| a.len().min(b.len())))
}

/// The parts of `new` that differ from `before`, in whole blocks of the medium (the first and last
/// are cut to the copy), neighbours joined.
fn differing_runs(offset: u64, before: Option<&[u8]>, new: &[u8]) -> Vec<std::ops::Range<usize>> {
    let Some(before) = before.filter(|b| b.len() == new.len()) else {
        return std::iter::once(0..new.len()).collect();
    };
    let mut runs: Vec<std::ops::Range<usize>> = Vec::new();
    let mut start = 0;
    // The first block ends where the medium's block ends, not BLOCK bytes behind the copy's start.
    let mut end = (BLOCK - offset % BLOCK) as usize;
    while start < new.len() {
        let stop = end.min(new.len());
        if new.get(start..stop) != before.get(start..stop) {
            match runs.last_mut() {
                Some(last) if last.end == start => last.end = stop,
                _ => runs.push(start..stop),
            }
        }
        start = stop;
        end = end.saturating_add(BLOCK as usize);
    }
    runs
}
