//! NOR whose units can be programmed only once after an erase, as a chip with ECC demands. The second time it refuses, or
//! switches the ECC of the unit off. So no bit can be cleared in a unit that holds something.

use super::flash::SectorError;
use super::RegionCopy;
use crate::error::Result;
use crate::storage::{Medium, MediumKind, WriteStats};

impl RegionCopy {
    /// Bytes of such a unit; 1 where bytes can be programmed again to clear more bits, or where that matters to
    /// nobody.
    pub(super) fn once_unit(&self) -> usize {
        match self.geometry.kind {
            MediumKind::Nor => usize::try_from(self.geometry.write_size).unwrap_or(usize::MAX).max(1),
            _ => 1,
        }
    }

    /// The last unit of the copy that was left erased; the first one is never one.
    pub(super) fn free_unit(&self, bytes: &[u8]) -> Option<usize> {
        let unit = self.once_unit();
        let mut units = bytes.chunks_exact(unit).enumerate().skip(1);
        let is_free = |(_, unit): &(usize, &[u8])| unit.iter().all(|&byte| byte == 0xff);
        units.rfind(is_free).map(|(number, _)| number.saturating_mul(unit))
    }

    /// Whether the erase of the copy's last sector makes the copy invalid and leaves the first sector alone.
    pub(super) fn is_spoiled_by_its_end(&self, bytes: &[u8]) -> bool {
        let sector = usize::try_from(self.sector_size).unwrap_or(usize::MAX).max(1);
        let sectors = bytes.chunks(sector).skip(1);
        sectors.last().is_some_and(|last| last.iter().any(|&byte| byte != 0xff))
    }

    /// Erases all sectors of the copy and programs each unit once. The unit with the header is complete before the one is programmed that makes the checksum right: its bits come in any order, and no
    /// checksum covers the flags.
    pub(super) fn write_units(
        &self,
        medium: &mut dyn Medium,
        last_first: bool,
        new: &[u8],
        stats: &mut WriteStats,
    ) -> Result<()> {
        let unit = self.once_unit();
        let sector = usize::try_from(self.sector_size).unwrap_or(usize::MAX).max(1);
        let parts: Vec<(u64, &[u8])> = (self.offset..).step_by(sector).zip(new.chunks(sector)).collect();
        let mut order: Vec<_> = parts.iter().collect();
        if last_first {
            order.reverse();
        }
        for &(at, part) in order {
            let rest = self.read_rest(medium, at, part.len())?;
            let behind = at.saturating_add(part.len() as u64);
            // Where a unit holds the end of the copy and somebody else's bytes, both are programmed here.
            let (whole, shared) =
                part.split_at_checked(part.len() - part.len() % unit).unwrap_or((part, &[]));
            self.unlocked(medium, at, |medium| -> std::result::Result<(), SectorError> {
                medium.erase(at).map_err(|e| self.worn("erasing", at, e))?;
                stats.erases += 1;
                let tail = [shared, rest.as_slice()].concat();
                self.program_pages(medium, at.saturating_add(whole.len() as u64), &tail, stats)?;
                Ok(self.verify_rest(medium, behind, &rest)?)
            })?;
        }
        for (at, part) in parts {
            let whole = part.get(..part.len() - part.len() % unit).unwrap_or_default();
            let first = if at == self.offset { unit } else { 0 };
            let last = whole.iter().rposition(|&byte| byte != 0xff).map_or(0, |byte| byte - byte % unit);
            let (body, seal) = whole.split_at_checked(last.max(first)).unwrap_or((whole, &[]));
            self.unlocked(medium, at, |medium| {
                self.program_pages(medium, at, body, stats)?;
                self.program_pages(medium, at.saturating_add(body.len() as u64), seal, stats)
            })?;
        }
        Ok(())
    }
}
