//! NOR flash: bits are cleared one program at a time, and set only by erasing a sector.

use std::io;
use std::ops::Range;

use super::power::{mix, Extent, Torn};
use super::{range_of, violation};
use crate::storage::{Geometry, MediumKind};

/// Bytes that a NOR chip programs at once: the page buffer of SPI NOR, the write buffer of CFI chips.
const WRITE_BUFFER: usize = 256;

/// Parallel or SPI NOR flash. Programming clears bits and never sets one; erasing sets those of a sector.
///
/// A cut program (`tail`): 0-63: bytes before the cut are programmed, of the byte at the cut a subset of
/// the bits (none for 0). From 64 on the chip's write buffer is torn, whose bits are programmed all at
/// once: even tails leave bits only of the byte at the cut unprogrammed, odd ones any bits of the buffer.
///
/// A cut erase (`tail % 9`), `k` being the byte at the cut: 0: the sector is erased up to `k`, 1: from `k`
/// on, 2: pre-programmed to 0 up to `k`, 3: only byte `k` is erased, 4: each byte has some bits erased,
/// 5: garbage, 6: some bytes are erased and the others read differently each time, 7: all reads erased,
/// 8: one bit of byte `k` is erased. Whatever it reads, such a sector must be erased before it is
/// programmed, except that bits may still be cleared to 0.
///
/// A chip with ECC is programmed in whole units, and each of them once after an erase: the second time is a failure.
/// A unit of which a cut program has changed no bit counts as not programmed, and so does one that reads as erased after
/// a cut erase.
#[derive(Debug, Clone)]
pub(super) struct Nor {
    cells: Vec<u8>,
    unit: usize,
    /// The units that were programmed since their last erase, where that matters.
    programmed: Vec<bool>,
    sectors: Vec<Sector>,
    sector_size: usize,
    locks_at_power_up: bool,
    noise: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Sector {
    locked: bool,
    /// A cut erase: the cells are undefined.
    half_erased: bool,
    /// The last erase or program was cut.
    cut: bool,
    /// The chip said that it erased the sector, but did not: what is programmed then is no violation.
    lied: bool,
    /// Reads differently each time.
    unstable: bool,
    /// Erasing and programming fail.
    worn: bool,
}

impl Nor {
    /// With a `unit` of one byte it is a chip without ECC.
    pub(super) fn new(sectors: usize, sector_size: usize, unit: usize) -> Self {
        Nor {
            cells: vec![0xff; sectors * sector_size],
            unit,
            programmed: vec![false; sectors * sector_size / unit],
            sectors: vec![Sector::default(); sectors],
            sector_size,
            locks_at_power_up: false,
            noise: 0,
        }
    }

    /// Locks every sector now, and at each power-up if `always` (as Intel P30 and many SPI chips do).
    pub(super) fn lock_all(&mut self, always: bool) {
        self.locks_at_power_up = always;
        for sector in &mut self.sectors {
            sector.locked = true;
        }
    }

    pub(super) fn locked(&self) -> Vec<bool> {
        self.sectors.iter().map(|s| s.locked).collect()
    }

    pub(super) fn unsettled(&self) -> Vec<usize> {
        (0..self.sectors.len()).filter(|&number| self.sectors[number].cut).collect()
    }

    fn sector_at(&self, offset: u64) -> usize {
        match range_of(offset, self.sector_size, self.cells.len()) {
            Some(range) if range.start % self.sector_size == 0 => range.start / self.sector_size,
            _ => violation(format_args!("NOR: {offset:#x} is not the start of a sector")),
        }
    }

    pub(super) fn geometry(&self) -> Geometry {
        Geometry {
            kind: MediumKind::Nor,
            size: self.cells.len() as u64,
            erase_size: self.sector_size as u64,
            write_size: self.unit as u64,
        }
    }

    pub(super) fn cells(&self) -> &[u8] {
        &self.cells
    }

    /// As the factory did it: what it left erased was not programmed.
    pub(super) fn factory_write(&mut self, range: Range<usize>, bytes: &[u8]) {
        self.cells[range.clone()].copy_from_slice(bytes);
        for unit in range.start / self.unit..range.end.div_ceil(self.unit) {
            self.programmed[unit] =
                self.cells[unit * self.unit..][..self.unit].iter().any(|&byte| byte != 0xff);
        }
    }

    pub(super) fn read(&mut self, range: Range<usize>, buf: &mut [u8]) -> io::Result<()> {
        buf.copy_from_slice(&self.cells[range.clone()]);
        let sectors = range.start / self.sector_size..range.end.div_ceil(self.sector_size);
        if !self.sectors[sectors].iter().any(|sector| sector.unstable) {
            return Ok(());
        }
        for (at, byte) in range.zip(buf) {
            if self.sectors[at / self.sector_size].unstable && *byte != 0xff {
                self.noise += 1;
                *byte ^= mix(self.noise) as u8;
            }
        }
        Ok(())
    }

    pub(super) fn program(&mut self, offset: u64, data: &[u8], extent: Extent) -> io::Result<()> {
        let Some(range) = range_of(offset, data.len(), self.cells.len()) else {
            violation(format_args!("NOR: programming past the end at {offset:#x}"));
        };
        if range.start % self.unit != 0 || range.end % self.unit != 0 {
            violation(format_args!("NOR: programming {range:#x?}, not in whole units of {:#x}", self.unit));
        }
        let before = self.cells[range.clone()].to_vec();
        for (at, &new) in range.clone().zip(data) {
            if self.unit > 1 && self.programmed[at / self.unit] && !self.sectors[at / self.sector_size].lied {
                violation(format_args!("NOR: programming the unit at {at:#x} once more: its ECC is spoiled"));
            }
            let sector = self.sectors[at / self.sector_size];
            if sector.locked {
                // cfi_cmdset_0001.c and spi-nor return EROFS; what lies before the sector is programmed.
                return Err(io::Error::from_raw_os_error(libc::EROFS));
            }
            if sector.worn || extent == Extent::Wear {
                self.sectors[at / self.sector_size].worn = true;
                return Err(io::Error::from_raw_os_error(libc::EIO));
            }
            if sector.half_erased && new != 0 && new != self.cells[at] {
                violation(format_args!(
                    "NOR: programming {new:#04x} at {at:#x} into a sector whose erase was cut"
                ));
            }
            if self.cells[at] & new != new && !sector.lied {
                violation(format_args!(
                    "NOR: programming {new:#04x} over {:#04x} at {at:#x} would set bits: erase first",
                    self.cells[at]
                ));
            }
            self.sectors[at / self.sector_size].cut |= matches!(extent, Extent::Part(_));
            let stays = match extent {
                Extent::Whole => 0,
                Extent::Part(torn) => unprogrammed(torn, range.start, at),
                Extent::Nothing | Extent::Lie | Extent::Wear => 0xff,
            };
            self.cells[at] &= new | stays;
        }
        // A program that came to its end has written the ECC of each unit, whatever it reads.
        let units = range.start / self.unit..range.end / self.unit;
        for (unit, before) in units.zip(before.chunks(self.unit)) {
            let changed = self.cells[unit * self.unit..][..self.unit] != *before;
            self.programmed[unit] |= changed || extent == Extent::Whole;
        }
        Ok(())
    }

    pub(super) fn erase(&mut self, offset: u64, extent: Extent) -> io::Result<()> {
        let index = self.sector_at(offset);
        if self.sectors[index].locked {
            return Err(io::Error::from_raw_os_error(libc::EROFS));
        }
        let cells = &mut self.cells[index * self.sector_size..][..self.sector_size];
        let sector = &mut self.sectors[index];
        match extent {
            Extent::Nothing => {}
            Extent::Lie => sector.lied = true,
            Extent::Whole if !sector.worn => {
                cells.fill(0xff);
                *sector = Sector::default();
                let units = self.sector_size / self.unit;
                self.programmed[index * units..][..units].fill(false);
            }
            Extent::Part(torn) => {
                sector.half_erased = true;
                sector.cut = true;
                sector.unstable |= torn.tail % 9 == 6;
                half_erase(cells, torn);
                let units = self.sector_size / self.unit;
                for (unit, cells) in cells.chunks(self.unit).enumerate() {
                    self.programmed[index * units + unit] &= cells.iter().any(|&byte| byte != 0xff);
                }
            }
            Extent::Whole | Extent::Wear => {
                sector.worn = true;
                return Err(io::Error::from_raw_os_error(libc::EIO));
            }
        }
        Ok(())
    }

    pub(super) fn set_lock(&mut self, offset: u64, locked: bool, extent: Extent) -> io::Result<bool> {
        let index = self.sector_at(offset);
        let was = self.sectors[index].locked;
        let happened = match extent {
            Extent::Whole => true,
            // One bit: set or not.
            Extent::Part(torn) => torn.tail % 2 == 1,
            Extent::Nothing | Extent::Lie | Extent::Wear => false,
        };
        if happened {
            self.sectors[index].locked = locked;
        }
        Ok(was)
    }

    pub(super) fn power_up(&mut self) {
        if self.locks_at_power_up {
            self.lock_all(true);
        }
    }
}

/// Which bits of the byte at `at` a program that began at `start` and was cut left as they were.
fn unprogrammed(torn: Torn, start: usize, at: usize) -> u8 {
    let cut = start + torn.byte as usize;
    let random = || mix(u64::from(torn.tail) << 32 | at as u64) as u8;
    if torn.tail < 64 {
        return match at.cmp(&cut) {
            std::cmp::Ordering::Less => 0,
            std::cmp::Ordering::Equal if torn.tail > 0 => random(),
            _ => 0xff,
        };
    }
    let buffer = cut / WRITE_BUFFER;
    match (at / WRITE_BUFFER).cmp(&buffer) {
        std::cmp::Ordering::Less => 0,
        std::cmp::Ordering::Equal if torn.tail % 2 == 1 || at == cut => random(),
        std::cmp::Ordering::Equal => 0,
        std::cmp::Ordering::Greater => 0xff,
    }
}

fn half_erase(cells: &mut [u8], torn: Torn) {
    let k = (torn.byte as usize).min(cells.len() - 1);
    let random = |i: usize| mix(u64::from(torn.tail) << 32 | i as u64);
    match torn.tail % 9 {
        0 => cells[..k].fill(0xff),
        1 => cells[k..].fill(0xff),
        2 => cells[..k].fill(0),
        3 => cells[k] = 0xff,
        4 => cells.iter_mut().enumerate().for_each(|(i, c)| *c |= random(i) as u8),
        5 => cells.iter_mut().enumerate().for_each(|(i, c)| *c = random(i) as u8),
        6 => cells.iter_mut().enumerate().filter(|(i, _)| random(*i) % 2 == 0).for_each(|(_, c)| *c = 0xff),
        7 => cells.fill(0xff),
        _ => cells[k] |= 1 << (random(k) % 8),
    }
}
