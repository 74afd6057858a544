//! Simulated media with power cuts (feature `sim`), for the tests of this crate and of programs that use it.
//!
//! A [`Board`] is one device: a power supply and the media on it. The media are stricter than hardware:
//! what would work by luck (setting a bit on NOR, programming a NAND page twice, writing past the end)
//! panics with the reason, so that a test can't pass by luck.
//!
//! ```
//! use bootslot::storage::sim::{Board, Cut, Moment};
//! use bootslot::storage::{Access, OpenMedium};
//!
//! let board = Board::new();
//! let card = board.block(4096);
//! let mut medium = card.open(Access::Write)?;
//! board.cut(Cut { op: 1, moment: Moment::Before });
//! medium.program(0, &[7; 512])?;
//! assert!(medium.sync().is_err(), "the power failed before the sync");
//!
//! // Two things can be found after a reboot: the write was lost, or it was not.
//! assert_eq!(board.choices(), 2);
//! let other = board.fork();
//! board.restore(0);
//! assert_eq!(card.image()[0], 0);
//! other.restore(1);
//! assert_eq!(card.on(&other).image()[0], 7);
//! # Ok::<(), std::io::Error>(())
//! ```

// A test double may panic; a panic is how it reports that its user broke a rule of the hardware.
#![allow(clippy::panic, clippy::indexing_slicing)]

mod disk;
mod handle;
mod nand;
mod nor;
mod power;
mod rewritable;
#[cfg(test)]
mod tests;
mod ubi;

use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::storage::MediumKind;

pub use handle::{SimMedium, SimVolume};
pub use power::{mix, Cut, Effect, Entry, Fault, Moment, Op, ParseCutError, PowerOff, Torn};

use power::Power;

/// A device: its power and its media. Cloning gives another handle to the same device; [`Board::fork`]
/// copies the device.
#[derive(Clone)]
pub struct Board {
    state: Arc<Mutex<State>>,
}

#[derive(Clone)]
struct State {
    power: Power,
    media: Vec<Part>,
}

/// A medium and what was done to it.
#[derive(Clone)]
struct Part {
    chip: Chip,
    counters: Counters,
}

#[derive(Clone)]
enum Chip {
    Nor(nor::Nor),
    Nand(nand::Nand),
    DataFlash(rewritable::DataFlash),
    Ram(rewritable::Ram),
    Disk(disk::Disk),
    Ubi(ubi::Ubi),
}

/// What was done to one medium since it was made or [cleared](SimMedium::clear_counters).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Calls that read.
    pub reads: u64,
    /// Bytes read.
    pub bytes_read: u64,
    /// Calls that wrote: programs, volume updates, temporary files.
    pub programs: u64,
    /// Bytes written by them.
    pub bytes_programmed: u64,
    /// Erases of each sector, by its number.
    pub erases: Vec<u64>,
    /// Syncs, of temporary files and directories also.
    pub syncs: u64,
}

impl Board {
    /// A device without media, with its power on.
    #[allow(clippy::new_without_default, reason = "an empty board is not a useful default")]
    pub fn new() -> Self {
        Board { state: Arc::new(Mutex::new(State { power: Power::new(), media: Vec::new() })) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A violation panics while the lock is held; the state is still as good as it was.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, chip: Chip, sectors: usize) -> SimMedium {
        let mut state = self.lock();
        let counters = Counters { erases: vec![0; sectors], ..Counters::default() };
        state.media.push(Part { chip, counters });
        SimMedium::new(self.clone(), state.media.len() - 1)
    }

    /// Adds NOR flash, erased and unlocked; sizes in bytes.
    pub fn nor(&self, sectors: usize, sector_size: usize) -> SimMedium {
        self.add(Chip::Nor(nor::Nor::new(sectors, sector_size, 1)), sectors)
    }

    /// Adds NOR flash with on-chip ECC, of which each unit can be programmed only once after an erase.
    pub fn nor_ecc(&self, sectors: usize, sector_size: usize, unit: usize) -> SimMedium {
        self.add(Chip::Nor(nor::Nor::new(sectors, sector_size, unit)), sectors)
    }

    /// Adds NAND flash, erased and without bad blocks.
    pub fn nand(&self, blocks: usize, pages_per_block: usize, page_size: usize) -> SimMedium {
        self.add(Chip::Nand(nand::Nand::new(blocks, pages_per_block, page_size)), blocks)
    }

    /// Adds DataFlash, erased.
    pub fn dataflash(&self, pages: usize, page_size: usize) -> SimMedium {
        self.add(Chip::DataFlash(rewritable::DataFlash::new(pages, page_size)), pages)
    }

    /// Adds RAM as an MTD device, all 0xff.
    pub fn ram(&self, sectors: usize, sector_size: usize) -> SimMedium {
        self.add(Chip::Ram(rewritable::Ram::new(sectors, sector_size)), sectors)
    }

    /// Adds RAM that pretends to be NOR flash without erase sectors, as OpenWrt's `/dev/ubootenv` does, all 0xff.
    pub fn pretended_nor(&self, size: usize) -> SimMedium {
        self.add(Chip::Ram(rewritable::Ram::pretending(size)), 0)
    }

    /// Adds a block device of `size` zero bytes.
    pub fn block(&self, size: usize) -> SimMedium {
        self.add(Chip::Disk(disk::Disk::new(MediumKind::Block, vec![0; size])), 0)
    }

    /// Adds a regular file.
    pub fn file(&self, content: Vec<u8>) -> SimMedium {
        self.add(Chip::Disk(disk::Disk::new(MediumKind::File, content)), 0)
    }

    /// Adds a UBI volume that can only be updated as a whole: a static one.
    pub fn ubi(&self, capacity: usize) -> SimVolume {
        SimVolume::new(self.add(Chip::Ubi(ubi::Ubi::new(capacity, 0)), 0))
    }

    /// Adds a dynamic UBI volume of so many LEBs.
    pub fn ubi_dynamic(&self, lebs: usize, leb_size: usize) -> SimVolume {
        SimVolume::new(self.add(Chip::Ubi(ubi::Ubi::new(lebs * leb_size, leb_size)), 0))
    }

    /// Plans the next power cut; it replaces one that did not happen yet.
    pub fn cut(&self, cut: Cut) {
        self.lock().power.cut = Some(cut);
    }

    /// Cuts the power now.
    pub fn cut_now(&self) {
        self.lock().power.on = false;
    }

    /// Whether the power is on.
    pub fn is_on(&self) -> bool {
        self.lock().power.on
    }

    /// Injects a fault; it stays until it has hit as often as it says, also over a reboot.
    pub fn fault(&self, fault: Fault) {
        self.lock().power.faults.push(fault);
    }

    /// The faults that can still hit.
    pub fn faults_left(&self) -> Vec<Fault> {
        self.lock().power.faults.iter().filter(|fault| fault.times > 0).copied().collect()
    }

    /// Removes all faults that were injected and the planned cut. A worn-out block stays worn out.
    pub fn clear_plan(&self) {
        let mut state = self.lock();
        state.power.faults.clear();
        state.power.cut = None;
    }

    /// In how many ways the device can be found once the power is back: which of the writes that were
    /// not synced are lost. Saturates; above [`u32::MAX`] the choice is a seed instead of a number.
    pub fn choices(&self) -> u64 {
        let state = self.lock();
        state.media.iter().fold(1, |product, part| product.saturating_mul(part.chip.choices()))
    }

    /// Reboots: decides what is left of the writes that were not synced, forgets the plan's cut and the
    /// log, and switches the power on. 0: all are lost; [`choices`](Board::choices) - 1: none.
    pub fn restore(&self, choice: u64) {
        let mut state = self.lock();
        let mut rest = choice;
        for part in &mut state.media {
            let choices = part.chip.choices();
            part.chip.power_up(rest % choices);
            rest /= choices;
        }
        state.power.on = true;
        state.power.cut = None;
        state.power.log.clear();
    }

    /// After a [`Cut`] that was not one of the power: the program was killed, and another one starts. The media
    /// are as it left them, with whatever is only in the page cache.
    pub fn restart(&self) {
        let mut state = self.lock();
        for part in &mut state.media {
            part.chip.forget_program();
        }
        state.power.on = true;
        state.power.cut = None;
        state.power.log.clear();
    }

    /// The operations that changed something since the power came on, the one that was cut included.
    pub fn log(&self) -> Vec<Entry> {
        self.lock().power.log.clone()
    }

    /// Starts the log and the count of operations for the next [`Cut`] anew.
    pub fn clear_log(&self) {
        self.lock().power.log.clear();
    }

    /// A copy of the device in its present state: what happens to one no longer happens to the other.
    pub fn fork(&self) -> Board {
        Board { state: Arc::new(Mutex::new(self.lock().clone())) }
    }

    /// One operation on one medium, as far as the power allows.
    fn run<R>(
        &self,
        medium: usize,
        op: Op,
        at: (u64, u64),
        act: impl FnOnce(&mut Chip, power::Extent) -> io::Result<R>,
    ) -> io::Result<R> {
        let mut state = self.lock();
        let State { power, media } = &mut *state;
        let part = &mut media[medium];
        if power.on {
            part.counters.count(op, at, part.chip.sector_size());
        }
        let entry = Entry { medium, op, offset: at.0, len: at.1 };
        power.run(entry, |extent| act(&mut part.chip, extent))
    }
}

impl fmt::Debug for Board {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("Board").field("power", &state.power).field("media", &state.media.len()).finish()
    }
}

impl Counters {
    fn count(&mut self, op: Op, (offset, len): (u64, u64), sector_size: u64) {
        match op {
            Op::Read => {
                self.reads += 1;
                self.bytes_read += len;
            }
            Op::Program | Op::Update | Op::ChangeLeb | Op::WriteTemp => {
                self.programs += 1;
                self.bytes_programmed += len;
            }
            Op::Erase => {
                let sector = offset.checked_div(sector_size).unwrap_or(0);
                if let Some(count) = self.erases.get_mut(sector as usize) {
                    *count += 1;
                }
            }
            Op::Sync | Op::SyncTemp | Op::SyncDir => self.syncs += 1,
            _ => {}
        }
    }
}

impl Chip {
    fn sector_size(&self) -> u64 {
        match self {
            Chip::Nor(c) => c.geometry().erase_size,
            Chip::Nand(c) => c.geometry().erase_size,
            Chip::DataFlash(c) => c.geometry().erase_size,
            Chip::Ram(c) => c.geometry().erase_size,
            Chip::Disk(_) | Chip::Ubi(_) => 0,
        }
    }

    fn choices(&self) -> u64 {
        match self {
            Chip::Disk(disk) => disk.choices(),
            // What flash has done, it has done.
            _ => 1,
        }
    }

    /// What a program had made and nobody else knows of stays behind.
    fn forget_program(&mut self) {
        match self {
            Chip::Disk(disk) => disk.forget_temp(),
            Chip::Ubi(ubi) => ubi.forget_program(),
            _ => {}
        }
    }

    fn power_up(&mut self, choice: u64) {
        match self {
            Chip::Disk(disk) => disk.power_up(choice),
            Chip::Nor(nor) => nor.power_up(),
            Chip::Ubi(ubi) => ubi.forget_program(),
            _ => {}
        }
    }
}

/// Reports that the user of a medium did what hardware does not allow.
fn violation(what: fmt::Arguments<'_>) -> ! {
    panic!("violation: {what}")
}

/// The bytes of a medium that an access covers, if they exist.
fn range_of(offset: u64, len: usize, size: usize) -> Option<Range<usize>> {
    let start = usize::try_from(offset).ok()?;
    let end = start.checked_add(len)?;
    (end <= size).then_some(start..end)
}
