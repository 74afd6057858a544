//! MTD media whose bytes can be changed without an erase: DataFlash and RAM.

use std::io;

use super::power::{mix, Extent, Torn};
use super::{range_of, violation};
use crate::storage::{Geometry, MediumKind};

/// DataFlash: every write erases and programs whole pages inside the chip, so that any byte can be
/// changed at any time, and a cut spoils the page at the cut.
///
/// A cut write or erase (`tail % 4`): the page at the cut is 0: old, 1: erased, 2: garbage, 3: done.
#[derive(Debug, Clone)]
pub(super) struct DataFlash {
    cells: Vec<u8>,
    page_size: usize,
}

impl DataFlash {
    pub(super) fn new(pages: usize, page_size: usize) -> Self {
        DataFlash { cells: vec![0xff; pages * page_size], page_size }
    }

    pub(super) fn geometry(&self) -> Geometry {
        Geometry {
            kind: MediumKind::DataFlash,
            size: self.cells.len() as u64,
            erase_size: self.page_size as u64,
            write_size: self.page_size as u64,
        }
    }

    pub(super) fn cells(&mut self) -> &mut Vec<u8> {
        &mut self.cells
    }

    pub(super) fn program(&mut self, offset: u64, data: &[u8], extent: Extent) -> io::Result<()> {
        let Some(range) = range_of(offset, data.len(), self.cells.len()) else {
            violation(format_args!("DataFlash: writing past the end at {offset:#x}"));
        };
        if extent == Extent::Wear {
            return Err(io::Error::from_raw_os_error(libc::EIO));
        }
        let mut new = self.cells.clone();
        new[range.clone()].copy_from_slice(data);
        for page in range.start / self.page_size..range.end.div_ceil(self.page_size) {
            self.write_page(page, &new, range.start, extent);
        }
        Ok(())
    }

    pub(super) fn erase(&mut self, offset: u64, extent: Extent) -> io::Result<()> {
        let page = match range_of(offset, self.page_size, self.cells.len()) {
            Some(range) if range.start % self.page_size == 0 => range.start / self.page_size,
            _ => violation(format_args!("DataFlash: {offset:#x} is not the start of a page")),
        };
        if extent == Extent::Wear {
            return Err(io::Error::from_raw_os_error(libc::EIO));
        }
        let mut new = self.cells.clone();
        new[page * self.page_size..][..self.page_size].fill(0xff);
        self.write_page(page, &new, page * self.page_size, extent);
        Ok(())
    }

    fn write_page(&mut self, page: usize, new: &[u8], start: usize, extent: Extent) {
        let range = page * self.page_size..(page + 1) * self.page_size;
        let old = &mut self.cells[range.clone()];
        let cut_page = |torn: Torn| (start + torn.byte as usize) / self.page_size;
        match extent {
            Extent::Whole => old.copy_from_slice(&new[range]),
            Extent::Part(torn) if page < cut_page(torn) => old.copy_from_slice(&new[range]),
            Extent::Part(torn) if page == cut_page(torn) => match torn.tail % 4 {
                0 => {}
                1 => old.fill(0xff),
                2 => old
                    .iter_mut()
                    .enumerate()
                    .for_each(|(i, c)| *c = mix(u64::from(torn.tail) << 32 | i as u64) as u8),
                _ => old.copy_from_slice(&new[range]),
            },
            _ => {}
        }
    }
}

/// RAM as an MTD device (mtdram, battery-backed RAM): bytes change in rising order; of a cut write the
/// byte at the cut is garbage unless `tail` is 0.
#[derive(Debug, Clone)]
pub(super) struct Ram {
    cells: Vec<u8>,
    /// 0: it says that it is NOR, and that there is nothing to erase.
    sector_size: usize,
}

impl Ram {
    pub(super) fn new(sectors: usize, sector_size: usize) -> Self {
        Ram { cells: vec![0xff; sectors * sector_size], sector_size }
    }

    /// Memory that pretends to be NOR without sectors, as OpenWrt's ubootenv-nvram does for U-Boot's tools.
    pub(super) fn pretending(size: usize) -> Self {
        Ram { cells: vec![0xff; size], sector_size: 0 }
    }

    pub(super) fn geometry(&self) -> Geometry {
        Geometry {
            kind: if self.sector_size == 0 { MediumKind::Nor } else { MediumKind::Ram },
            size: self.cells.len() as u64,
            erase_size: self.sector_size as u64,
            write_size: 1,
        }
    }

    pub(super) fn cells(&mut self) -> &mut Vec<u8> {
        &mut self.cells
    }

    pub(super) fn program(&mut self, offset: u64, data: &[u8], extent: Extent) -> io::Result<()> {
        let Some(range) = range_of(offset, data.len(), self.cells.len()) else {
            violation(format_args!("RAM: writing past the end at {offset:#x}"));
        };
        let cells = &mut self.cells[range];
        match extent {
            Extent::Whole => cells.copy_from_slice(data),
            Extent::Part(torn) => {
                let k = (torn.byte as usize).min(data.len() - 1);
                cells[..k].copy_from_slice(&data[..k]);
                if torn.tail > 0 {
                    cells[k] = mix(u64::from(torn.tail)) as u8;
                }
            }
            Extent::Nothing | Extent::Lie => {}
            Extent::Wear => return Err(io::Error::from_raw_os_error(libc::EIO)),
        }
        Ok(())
    }

    pub(super) fn erase(&mut self, offset: u64, extent: Extent) -> io::Result<()> {
        match range_of(offset, self.sector_size, self.cells.len()) {
            Some(range) if range.start % self.sector_size == 0 => {
                self.program(offset, &vec![0xff; self.sector_size], extent)
            }
            _ => violation(format_args!("RAM: {offset:#x} is not the start of a sector")),
        }
    }
}
