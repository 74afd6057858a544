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
//!
//! What only a store needs is not asked of a reader: a copy that lies inside of a sector, or whose range passes
//! the end of the medium, is read like any other. A store refuses it and says what to change ([`EnvCopy::storable`]).

mod fit;
mod flash;
mod units;

use std::path::{Path, PathBuf};

use super::{Access, EnvCopy, Geometry, Medium, MediumKind, OpenMedium, WriteStats};
use crate::error::{Error, Place, Result};

/// The unit in which files and block devices are compared and written. A block device writes at
/// least a 512-byte sector whole or not at all.
pub(crate) const BLOCK: u64 = 512;

/// How much is read back at once.
const PIECE: usize = 0x4000;

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
    /// Why nothing can be stored here.
    flaw: Option<String>,
    /// What the configuration says in vain.
    remark: Option<String>,
    /// The first sector was erased by `erase` and nothing was programmed since.
    fresh: bool,
    /// A byte was changed by `set_byte` and nothing was written since.
    touched: bool,
    /// The copy is not made invalid but by the erase of its last sector, which has to come first.
    last_first: bool,
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
    /// Where the range does not fit the medium's sectors, the copy can be read as far as it is there, and
    /// [`storable`](EnvCopy::storable) says what is wrong.
    ///
    /// Errors: [`Error::Device`] where the copy does not fit into memory.
    pub fn new(
        opener: Box<dyn OpenMedium>,
        path: impl Into<PathBuf>,
        geometry: Geometry,
        spec: RegionSpec,
    ) -> Result<Self> {
        let path = path.into();
        let Ok(size) = usize::try_from(spec.size) else {
            let message = format!("an environment of {} bytes does not fit into memory", spec.size);
            return Err(Error::Device { path, message });
        };
        let sector_size = geometry.erase_size;
        let flash = sector_size > 0;
        let flaw = if flash { spec.misfit(&geometry) } else { None };
        let remark = if flash { None } else { spec.idle_columns() };
        let range = if flash { spec.range(&geometry).max(spec.size) } else { spec.size };
        let (offset, disable_lock) = (spec.offset, spec.disable_lock);
        let (fresh, touched, last_first) = (false, false, false);
        Ok(RegionCopy {
            opener,
            path,
            geometry,
            offset,
            size,
            sector_size,
            range,
            disable_lock,
            flaw,
            remark,
            fresh,
            touched,
            last_first,
        })
    }

    /// The bytes of the medium that a store may change: start and end, whole sectors on flash.
    pub fn range(&self) -> (u64, u64) {
        let (start, end) = (self.offset, self.offset.saturating_add(self.range));
        let unit = self.sector_size.max(1);
        (start - start % unit, end.checked_next_multiple_of(unit).unwrap_or(u64::MAX))
    }

    /// The bytes of the medium that are read where no block is bad: start and end.
    pub fn bytes(&self) -> (u64, u64) {
        (self.offset, self.offset.saturating_add(self.size as u64))
    }

    /// Nothing can be stored here any more, for this reason.
    pub(super) fn object(&mut self, flaw: String) {
        self.flaw.get_or_insert(flaw);
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

    /// Refuses to write where the copy does not fit its medium, and where it can't be programmed as configured.
    fn check(&self) -> Result<()> {
        let refuse = |message| Err(Error::Device { path: self.path.clone(), message });
        if let Some(flaw) = &self.flaw {
            return refuse(format!("{flaw}; nothing was written"));
        }
        let unit = self.once_unit() as u64;
        if self.sector_size.checked_rem(unit) != Some(0) && self.is_flash() {
            return refuse(format!(
                "sectors of {:#x} bytes can't be programmed in units of {unit:#x}, as this chip wants it; nothing was written",
                self.sector_size
            ));
        }
        let (end, medium) = (self.offset.saturating_add(self.range), self.geometry.size);
        if end > medium {
            let sectors = self.range / self.sector_size.max(1);
            let advice = match self.geometry.kind {
                MediumKind::Nand if sectors > 1 => {
                    ": correct the number of sectors in the configuration (hexadecimal: 16 means 0x16)"
                }
                _ => "",
            };
            return refuse(format!(
                "the copy at {:#x} ends at {end:#x}, the medium at {medium:#x}{advice}; nothing was written",
                self.offset
            ));
        }
        Ok(())
    }

    /// How far into a sector the copy starts: more than 0 only where nothing can be stored.
    fn lead(&self) -> u64 {
        self.offset % self.sector_size.max(1)
    }

    /// Starts of the sectors that hold the copy, bad ones left out, and with `spare` of all others that it may use.
    /// The medium is asked for no sector that it does not have.
    fn good_sectors(&self, medium: &mut dyn Medium, spare: bool) -> Result<Vec<u64>> {
        let (lead, unit) = (self.lead(), self.sector_size.max(1));
        let end = self.offset.saturating_add(self.range);
        let mut good = Vec::new();
        let mut bytes: u64 = 0;
        let mut at = self.offset - lead;
        let fits = |at: u64| {
            at.saturating_add(lead) < end && at.checked_add(unit).is_some_and(|e| e <= self.geometry.size)
        };
        while fits(at) && (spare || bytes < self.size as u64) {
            if self.geometry.kind != MediumKind::Nand
                || !medium.is_bad(at).map_err(|e| self.place("asking for a bad block", at).io(e))?
            {
                bytes = bytes.saturating_add(if good.is_empty() { unit - lead } else { unit });
                good.push(at);
            }
            at = at.saturating_add(unit);
        }
        if bytes < self.size as u64 {
            return Err(Error::BadBlocks {
                path: self.path.clone(),
                offset: self.offset,
                sectors: self.range / unit,
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
        // As U-Boot's tools/env (flash_read_buf): a copy that starts inside of a block, which is bad, starts at the
        // same place of the next one.
        let mut lead = self.lead();
        let mut rest = buf;
        for at in self.good_sectors(medium, false)? {
            let here = usize::try_from(self.sector_size - lead).unwrap_or(usize::MAX).min(rest.len());
            let (part, behind) = rest.split_at_mut(here);
            let from = at.saturating_add(lead);
            medium.read(from, part).map_err(|e| self.place(step, from).io(e))?;
            (rest, lead) = (behind, 0);
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
        let differs = |at: u64| Error::Verify { place: self.place("reading back", at) };
        if self.geometry.kind == MediumKind::Nand {
            let mut back = vec![0; new.len()];
            self.read_range(medium, &mut back, "reading back")?;
            let at = first_difference(&back, new).map(|i| self.offset.saturating_add(i as u64));
            return at.map_or(Ok(()), |at| Err(differs(at)));
        }
        // In pieces: the copy is in memory often enough.
        let mut buffer = vec![0; PIECE.min(new.len())];
        let mut from = self.offset;
        for part in new.chunks(PIECE) {
            let back = buffer.get_mut(..part.len()).unwrap_or_default();
            medium.read(from, back).map_err(|e| self.place("reading back", from).io(e))?;
            if let Some(i) = first_difference(back, part) {
                return Err(differs(from.saturating_add(i as u64)));
            }
            from = from.saturating_add(part.len() as u64);
        }
        Ok(())
    }

    /// Files and block devices: writes the blocks that differ.
    fn write_blocks(
        &mut self,
        medium: &mut dyn Medium,
        before: Option<&[u8]>,
        new: &[u8],
        stats: &mut WriteStats,
    ) -> Result<()> {
        // What `set_byte` has changed, `before` does not tell.
        let before = before.filter(|_| !std::mem::take(&mut self.touched));
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
        self.check()?;
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
        // Where units are programmed once, `write` erases: it programs what is not ours at once.
        if !self.is_flash() || self.once_unit() > 1 {
            return Ok(stats);
        }
        self.check()?;
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
        self.check()?;
        let mut stats = WriteStats::default();
        let mut medium = self.open(Access::Write)?;
        let to = self.offset.saturating_add(at as u64);
        let sector = to - to % self.sector_size.max(1);
        self.touched = true;
        self.unlocked(&mut *medium, sector, |medium| -> std::result::Result<(), Error> {
            if self.geometry.kind == MediumKind::Nor && self.is_flash() {
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

    fn storable(&self) -> Result<()> {
        self.check()
    }

    fn remark(&self) -> Option<&str> {
        self.remark.as_deref()
    }

    fn spoil(&mut self, before: &[u8]) -> Result<WriteStats> {
        let unit = self.once_unit();
        if unit == 1 {
            let seal = before.get(..flash::SEAL).unwrap_or_default();
            return match seal.iter().position(|&byte| byte != 0) {
                Some(at) => self.set_byte(at, 0),
                None => Ok(WriteStats::default()),
            };
        }
        let free = self.free_unit(before);
        self.last_first = free.is_none();
        let Some(at) = free else { return Ok(WriteStats::default()) };
        self.check()?;
        let mut medium = self.open(Access::Write)?;
        let to = self.offset.saturating_add(at as u64);
        let mut spoiled = true;
        self.unlocked(&mut *medium, to - to % self.sector_size.max(1), |medium| -> Result<()> {
            match medium.program(to, &vec![0; unit]) {
                // Another program has written 0xff there, and the chip takes no more. Then the erase does it alone.
                Err(e) if e.raw_os_error() == Some(libc::EIO) => spoiled = false,
                result => result.map_err(|e| self.place("spoiling the copy", to).io(e))?,
            }
            Ok(())
        })?;
        self.last_first = !spoiled;
        if spoiled {
            medium.sync().map_err(|e| self.place("syncing", to).io(e))?;
            let mut back = vec![0xff; unit];
            let step = "reading back what spoils the copy";
            medium.read(to, &mut back).map_err(|e| self.place(step, to).io(e))?;
            if back.iter().all(|&byte| byte == 0xff) {
                return Err(Error::Verify { place: self.place(step, to) });
            }
        }
        self.close(medium)?;
        Ok(WriteStats { bytes: unit as u64, ..WriteStats::default() })
    }

    fn can_spoil(&self, before: &[u8]) -> bool {
        self.once_unit() == 1 || self.free_unit(before).is_some() || self.is_spoiled_by_its_end(before)
    }

    fn once_unit(&self) -> usize {
        RegionCopy::once_unit(self)
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
