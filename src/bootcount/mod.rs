//! U-Boot's boot counters, from user space: read them, and tell U-Boot that the system is healthy.
//!
//! U-Boot counts a boot before it starts the system, and runs `altbootcmd` instead of `bootcmd` when there
//! were more than `bootlimit` in a row; a healthy system sets the count back to 0. A counter is only ever
//! written where one stands already: with a wrong magic number, U-Boot reads 0 and nothing is to be done.
//!
//! | file | job |
//! |---|---|
//! | `mod.rs` | [`Counter`], and which one a [`Source`] is |
//! | `layout.rs` | the bytes of each kind |
//! | `cell.rs` | where the bytes are: memory, a file, the firmware of a ZynqMP |
//! | `variables.rs` | the counter in the environment |
//! | `tree.rs` | finds the counter by the device tree |

mod cell;
pub mod layout;
mod tree;
mod variables;

use std::path::PathBuf;

pub use layout::{Count, Layout, Order};
pub use tree::{find, Roots};
pub use variables::{reset_in, Variables};

use crate::error::{Error, Place, Result};
use cell::{Cell, FileCell, FirmwareCell, MemoryCell};

/// A boot counter.
pub trait Counter: Send + Sync {
    /// The count that U-Boot will read at the next boot; `None` where there is no counter (the magic
    /// number or the pattern is wrong, the file does not exist), which U-Boot takes for 0.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], and those of [`Store::load`](crate::store::Store::load).
    fn get(&mut self) -> Result<Option<Count>>;

    /// Sets the count to 0, and `upgrade_available` where the layout has it. Returns whether that was
    /// something to write.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::Verify`] where other bytes are read back, [`Error::Unsupported`] where
    /// Linux can only read it, and those of [`Store::begin`](crate::store::Store::begin).
    fn reset(&mut self) -> Result<bool>;
}

/// Where a boot counter is, and what it looks like.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// The variables `bootcount` and `upgrade_available` (`bootcount_env.c`): see [`Variables`].
    Environment,
    /// In registers or RAM.
    Memory {
        /// `/dev/mem`.
        path: PathBuf,
        /// Physical address.
        address: u64,
        /// What is there.
        layout: Layout,
        /// Its byte order; `None`: the one in which the magic number is right.
        order: Option<Order>,
        /// Words to write first, by address: registers that unlock this one.
        unlock: Vec<(u64, u32)>,
    },
    /// At an offset of a file: a file system's, or what the kernel offers of an EEPROM, an RTC or other
    /// NVMEM (`/sys/bus/nvmem/devices/*/nvmem`).
    Bytes {
        /// The file.
        path: PathBuf,
        /// Bytes from its start.
        offset: u64,
        /// What is there.
        layout: Layout,
        /// Its byte order; `None`: the one in which the magic number is right.
        order: Option<Order>,
    },
    /// In NOR flash (`spi-flash.c`). U-Boot rewrites a whole sector at each boot; here it is only read.
    Flash {
        /// The MTD character device.
        path: PathBuf,
        /// Bytes from its start.
        offset: u64,
    },
    /// In the persistent register 2 of a ZynqMP's PMU (`bootcount_zynqmp.c`), the low 8 bits of it.
    Zynqmp {
        /// The file of the firmware's driver.
        path: PathBuf,
    },
}

impl Source {
    /// AM33xx and DA8xx: scratch register 2 of the RTC at `base` (`bootcount_davinci.c`,
    /// `bootcount_nvmem.c`; offsets in `arch/arm/include/asm/davinci_rtc.h`), which two others unlock.
    pub fn am33xx(path: PathBuf, base: u64, layout: Layout) -> Source {
        const SCRATCH2: u64 = 0x68;
        const UNLOCK: [(u64, u32); 2] = [(0x6c, 0x83e7_0b13), (0x70, 0x95a4_f1e0)];
        let at = |offset: u64| base.saturating_add(offset);
        let unlock = UNLOCK.map(|(offset, value)| (at(offset), value)).to_vec();
        Source::Memory { path, address: at(SCRATCH2), layout, order: None, unlock }
    }

    /// The counter, if it is not in the environment: that one is [`Variables`], over a store.
    pub fn open(&self) -> Option<Box<dyn Counter>> {
        let (cell, layout, order): (Box<dyn Cell>, _, _) = match self {
            Source::Environment => return None,
            Source::Memory { path, address, layout, order, unlock } => {
                (Box::new(MemoryCell::new(path, *address, unlock)), *layout, *order)
            }
            Source::Bytes { path, offset, layout, order } => {
                (Box::new(FileCell::new(path, *offset)), *layout, *order)
            }
            Source::Flash { path, offset } => {
                (Box::new(FileCell::read_only(path, *offset)), Layout::Short { magic: 0xbc }, None)
            }
            Source::Zynqmp { path } => return Some(Box::new(FirmwareCell::new(path))),
        };
        Some(Box::new(InCell { cell, layout, order }))
    }
}

/// A counter in bytes.
struct InCell {
    cell: Box<dyn Cell>,
    layout: Layout,
    order: Option<Order>,
}

impl Counter for InCell {
    fn get(&mut self) -> Result<Option<Count>> {
        let bytes = self.cell.read(self.layout.len())?;
        Ok(bytes.and_then(|bytes| self.layout.decode(&bytes, self.order)).map(|(count, _)| count))
    }

    fn reset(&mut self) -> Result<bool> {
        let Some(before) = self.cell.read(self.layout.len())? else { return Ok(false) };
        let Some((count, order)) = self.layout.decode(&before, self.order) else { return Ok(false) };
        if count.is_reset() {
            return Ok(false);
        }
        let mut after = before.clone();
        self.layout.reset(&mut after, order);
        self.cell.write(&before, &after)?;
        if self.cell.read(self.layout.len())?.as_ref() != Some(&after) {
            let place = Place::new(self.cell.path(), "resetting the boot counter");
            return Err(Error::Verify { place: place.at(self.cell.offset()) });
        }
        Ok(true)
    }
}
