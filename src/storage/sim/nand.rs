//! Raw NAND flash: pages that are programmed once and in order, blocks that are erased, bad blocks.

use std::io;
use std::ops::Range;

use super::power::{mix, Extent, Torn};
use super::{range_of, violation};
use crate::storage::{Geometry, MediumKind};

/// NAND with an ECC. Only whole pages are programmed, in rising order within a block, once per erase; all
/// else is a violation, and so is touching a block that is marked bad. (Pages of a block whose erase was
/// acknowledged but did not happen become garbage.)
///
/// A cut program (`tail % 4`): pages before the cut are done, later ones untouched, the page at the cut 0:
/// reads erased, 1: can't be corrected (EBADMSG), 2: reads right, 3: garbage that the ECC takes for right.
/// A cut erase (`tail % 4`): 0: nothing happened, 1: no page can be read, 2: each page is old, erased,
/// unreadable or garbage, 3: all reads erased. After the last three the block must be erased again.
#[derive(Debug, Clone)]
pub(super) struct Nand {
    cells: Vec<u8>,
    /// Pages that the ECC can't correct.
    unreadable: Vec<bool>,
    blocks: Vec<Block>,
    page_size: usize,
    pages_per_block: usize,
}

#[derive(Debug, Clone, Copy, Default)]
struct Block {
    /// Pages that may not be programmed any more: all up to the last one programmed.
    programmed: usize,
    half_erased: bool,
    /// The last erase or program was cut.
    cut: bool,
    /// The chip said that it erased the block, but did not.
    lied: bool,
    worn: bool,
    bad: bool,
}

impl Nand {
    pub(super) fn new(blocks: usize, pages_per_block: usize, page_size: usize) -> Self {
        Nand {
            cells: vec![0xff; blocks * pages_per_block * page_size],
            unreadable: vec![false; blocks * pages_per_block],
            blocks: vec![Block::default(); blocks],
            page_size,
            pages_per_block,
        }
    }

    fn block_size(&self) -> usize {
        self.page_size * self.pages_per_block
    }

    fn block_at(&self, offset: u64) -> usize {
        match range_of(offset, self.block_size(), self.cells.len()) {
            Some(range) if range.start % self.block_size() == 0 => range.start / self.block_size(),
            _ => violation(format_args!("NAND: {offset:#x} is not the start of a block")),
        }
    }

    /// Puts `bytes` on the medium as a factory would; the pages count as programmed.
    pub(super) fn factory_write(&mut self, range: Range<usize>, bytes: &[u8]) {
        self.cells[range.clone()].copy_from_slice(bytes);
        for page in range.start / self.page_size..range.end.div_ceil(self.page_size) {
            let block = &mut self.blocks[page / self.pages_per_block];
            block.programmed = block.programmed.max(page % self.pages_per_block + 1);
        }
    }

    pub(super) fn factory_bad(&mut self, offset: u64) {
        let block = self.block_at(offset);
        self.blocks[block].bad = true;
    }

    pub(super) fn geometry(&self) -> Geometry {
        Geometry {
            kind: MediumKind::Nand,
            size: self.cells.len() as u64,
            erase_size: self.block_size() as u64,
            write_size: self.page_size as u64,
        }
    }

    pub(super) fn image(&self) -> &[u8] {
        &self.cells
    }

    pub(super) fn read(&self, range: Range<usize>, buf: &mut [u8]) -> io::Result<()> {
        buf.copy_from_slice(&self.cells[range.clone()]);
        let pages = range.start / self.page_size..range.end.div_ceil(self.page_size);
        if self.unreadable[pages].contains(&true) {
            return Err(io::Error::from_raw_os_error(libc::EBADMSG));
        }
        Ok(())
    }

    pub(super) fn program(&mut self, offset: u64, data: &[u8], extent: Extent) -> io::Result<()> {
        let Some(range) = range_of(offset, data.len(), self.cells.len()) else {
            violation(format_args!("NAND: programming past the end at {offset:#x}"));
        };
        if range.start % self.page_size != 0 || data.len() % self.page_size != 0 {
            violation(format_args!("NAND: programming {} bytes at {offset:#x}: not whole pages", data.len()));
        }
        let first = range.start / self.page_size;
        for (i, content) in data.chunks(self.page_size).enumerate() {
            let page = first + i;
            let in_block = page % self.pages_per_block;
            let block = &mut self.blocks[page / self.pages_per_block];
            if block.bad {
                violation(format_args!("NAND: programming page {page:#x} of a block marked bad"));
            }
            if block.half_erased {
                violation(format_args!("NAND: programming page {page:#x} of a block whose erase was cut"));
            }
            if in_block < block.programmed && !block.lied {
                violation(format_args!(
                    "NAND: programming page {page:#x} after page {} of its block: once, and in rising order",
                    block.programmed - 1
                ));
            }
            if extent == Extent::Wear {
                block.worn = true;
            }
            let cut = |torn: Torn| first + torn.byte as usize / self.page_size;
            block.cut |= matches!(extent, Extent::Part(_));
            let done = match extent {
                _ if block.worn => Done::Unreadable,
                _ if in_block < block.programmed => Done::Garbage(0),
                Extent::Whole => Done::Right,
                Extent::Part(torn) if page < cut(torn) => Done::Right,
                Extent::Part(torn) if page == cut(torn) => match torn.tail % 4 {
                    0 => Done::LooksErased,
                    1 => Done::Unreadable,
                    2 => Done::Right,
                    _ => Done::Garbage(torn.tail),
                },
                _ => break,
            };
            block.programmed = block.programmed.max(in_block + 1);
            let worn = block.worn;
            self.set_page(page, done, content);
            if worn {
                return Err(io::Error::from_raw_os_error(libc::EIO));
            }
        }
        Ok(())
    }

    fn set_page(&mut self, page: usize, done: Done, content: &[u8]) {
        let cells = &mut self.cells[page * self.page_size..][..self.page_size];
        self.unreadable[page] = matches!(done, Done::Unreadable);
        let seed = match done {
            Done::Right => return cells.copy_from_slice(content),
            Done::LooksErased => return cells.fill(0xff),
            Done::Unreadable => page as u64,
            Done::Garbage(tail) => u64::from(tail) << 32 | page as u64,
        };
        for (i, cell) in cells.iter_mut().enumerate() {
            *cell = mix(seed ^ (i as u64) << 16) as u8;
        }
    }

    pub(super) fn erase(&mut self, offset: u64, extent: Extent) -> io::Result<()> {
        let index = self.block_at(offset);
        let block = &mut self.blocks[index];
        if block.bad {
            violation(format_args!("NAND: erasing block {index:#x}, which is marked bad"));
        }
        if extent == Extent::Wear {
            block.worn = true;
        }
        if block.worn {
            return Err(io::Error::from_raw_os_error(libc::EIO));
        }
        let pages = index * self.pages_per_block..(index + 1) * self.pages_per_block;
        match extent {
            Extent::Whole => {
                *block = Block::default();
                for page in pages {
                    self.set_page(page, Done::LooksErased, &[]);
                }
            }
            Extent::Part(torn) if torn.tail % 4 > 0 => {
                block.half_erased = true;
                block.cut = true;
                for page in pages {
                    let seed = mix(u64::from(torn.tail) << 32 | page as u64);
                    match (torn.tail % 4, seed % 4) {
                        (1, _) | (2, 0) => self.set_page(page, Done::Unreadable, &[]),
                        (3, _) | (2, 1) => self.set_page(page, Done::LooksErased, &[]),
                        (2, 2) => self.set_page(page, Done::Garbage(torn.tail), &[]),
                        _ => {}
                    }
                }
            }
            Extent::Lie => block.lied = true,
            _ => {}
        }
        Ok(())
    }

    pub(super) fn unsettled(&self) -> Vec<usize> {
        (0..self.blocks.len()).filter(|&number| self.blocks[number].cut).collect()
    }

    pub(super) fn is_bad(&self, offset: u64) -> bool {
        self.blocks[self.block_at(offset)].bad
    }

    pub(super) fn mark_bad(&mut self, offset: u64, extent: Extent) {
        let index = self.block_at(offset);
        self.blocks[index].bad |= match extent {
            Extent::Whole => true,
            Extent::Part(torn) => torn.tail % 2 == 1,
            Extent::Nothing | Extent::Lie | Extent::Wear => false,
        };
    }
}

/// What became of a page.
#[derive(Clone, Copy)]
enum Done {
    Right,
    LooksErased,
    Unreadable,
    Garbage(u32),
}
