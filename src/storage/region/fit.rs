//! How a configured range fits the sectors that the medium really has.

use super::RegionSpec;
use crate::storage::{Geometry, MediumKind};

impl RegionSpec {
    /// Bytes from the offset that the copy may use on flash.
    pub(super) fn range(&self, geometry: &Geometry) -> u64 {
        let unit = if self.sector_size > 0 { self.sector_size } else { geometry.erase_size };
        if self.sectors > 0 {
            return self.sectors.saturating_mul(unit);
        }
        let needed = self.size.div_ceil(unit.max(1)).saturating_mul(unit);
        match geometry.kind {
            // As U-Boot's tools/env does: without the columns, a NAND copy may use all that follows.
            MediumKind::Nand if self.sector_size == 0 => {
                self.limit.min(geometry.size).saturating_sub(self.offset).max(needed)
            }
            _ => needed,
        }
    }

    /// Why nothing can be stored in this range of flash, if so.
    ///
    /// The kernel erases whole sectors of its own size only (MEMERASE fails with EINVAL otherwise), whatever the
    /// configuration calls a sector.
    pub(super) fn misfit(&self, geometry: &Geometry) -> Option<String> {
        let (erase, configured) = (geometry.erase_size, self.sector_size);
        let range = self.range(geometry);
        if range < self.size {
            let unit = if configured > 0 { configured } else { erase };
            return Some(format!(
                "{} sectors of {unit:#x} bytes can't hold an environment of {:#x} bytes: correct the number of \
                 sectors in the configuration",
                self.sectors, self.size
            ));
        }
        let says = if configured > 0 && configured != erase {
            format!(" (the configuration says sectors of {configured:#x})")
        } else {
            String::new()
        };
        if self.offset % erase.max(1) != 0 {
            return Some(format!(
                "offset {:#x} is not the start of an erase sector of {erase:#x} bytes{says}: the copy can be read, \
                 but a store would erase what lies before it",
                self.offset
            ));
        }
        // A NAND block is as large as the kernel says; what is in it behind the copy is kept.
        let whole = configured == 0 || configured % erase.max(1) == 0 || range % erase.max(1) == 0;
        if !whole && geometry.kind != MediumKind::Nand {
            return Some(format!(
                "the kernel erases sectors of {erase:#x} bytes{says}, and the copy's {range:#x} bytes are no \
                 multiple of that: correct the sector size, if the rest of the sector is free"
            ));
        }
        None
    }

    /// What the configuration says about sectors where there are none, if it does not even fit the copy.
    ///
    /// U-Boot's tools and libubootenv pass over these columns on files and block devices, or differ.
    pub(super) fn idle_columns(&self) -> Option<String> {
        let unit = self.sector_size;
        let span = self.sectors.saturating_mul(unit);
        let odd = unit > 0 && (self.offset % unit != 0 || self.sectors > 0 && span != self.size);
        let columns = match self.sectors {
            0 => format!("sector size {unit:#x} (column 4) is"),
            n => format!("sector size {unit:#x} and number of sectors {n:#x} (columns 4 and 5) are"),
        };
        odd.then(|| {
            format!(
                "{columns} passed over, since there are no erase sectors: the copy is {:#x} bytes at {:#x}",
                self.size, self.offset
            )
        })
    }
}
