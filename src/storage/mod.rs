//! Where copies lie: [`Medium`] is the lowest layer, what a kernel offers; [`EnvCopy`] is one copy
//! of the environment on it, as opaque bytes. The store knows only `EnvCopy`; the simulator stands
//! in for `Medium`, [`Volume`] and [`ReplaceFile`], so that everything above them is tested under power cuts.

mod absent;
pub(crate) mod exclusive;
pub mod file;
mod force_ro;
pub mod mtd;
mod open;
pub mod region;
pub mod rename;
pub mod replace;
#[cfg(feature = "sim")]
pub mod sim;
pub mod stream;
pub mod ubi;
#[cfg(feature = "update")]
pub mod ubi_image;
mod unmade;
pub mod volume;

use std::io;
use std::path::Path;

use crate::error::Result;

pub use open::open_copies;

/// What a copy lives on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MediumKind {
    /// A regular file.
    File,
    /// A block device: SD card, eMMC (also its boot partitions), disk.
    Block,
    /// MTD NOR flash: bits are cleared by programming, set by erasing a sector.
    Nor,
    /// MTD raw NAND flash: pages, blocks, bad blocks.
    Nand,
    /// MTD DataFlash.
    DataFlash,
    /// MTD RAM (mtdram, battery-backed RAM).
    Ram,
    /// A UBI volume.
    Ubi,
}

/// The shape of a medium. All numbers are bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    /// What it is.
    pub kind: MediumKind,
    /// Size of the whole medium.
    pub size: u64,
    /// Size of an erase sector; 0 where nothing has to be erased (file, block device, RAM behind an MTD interface). Of a
    /// dynamic UBI volume that of a LEB, 0 of a static one.
    pub erase_size: u64,
    /// The unit in which programming is done: a NAND page, a block device's or file's sector (512),
    /// 1 on NOR. More on NOR: such a unit can be programmed only once after an erase.
    pub write_size: u64,
}

/// A raw medium as the kernel (or the simulator) offers it.
///
/// Offsets are bytes from the start of the medium. Implementations finish short reads and writes and
/// restart interrupted calls; what they return is final. They never look at what they carry.
pub trait Medium: Send + Sync {
    /// The shape.
    fn geometry(&self) -> Geometry;

    /// Fills `buf` from `offset`. Past the end: [`io::ErrorKind::UnexpectedEof`].
    fn read(&mut self, offset: u64, buf: &mut [u8]) -> io::Result<()>;

    /// The `len` bytes from `offset`, as [`read`](Medium::read) gives them. A medium that can spare the
    /// filling of the buffer with zeros beforehand has its own.
    fn read_vec(&mut self, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; len];
        self.read(offset, &mut bytes)?;
        Ok(bytes)
    }

    /// Writes `data` at `offset`; on flash this programs, in multiples of `write_size`
    /// (NAND, NOR with ECC) and only into erased bytes, except that NOR without ECC may clear further bits.
    fn program(&mut self, offset: u64, data: &[u8]) -> io::Result<()>;

    /// Writes `len` zeros at `offset`, of a medium that is not erased before it is written. Where the system can, it
    /// gives the room free instead.
    fn zero(&mut self, offset: u64, len: u64) -> io::Result<()> {
        program_zeros(self, offset, len)
    }

    /// After a program of this range, which is one of many: lets the system write it to the medium at once, and keep
    /// little of it in memory. It is no [`sync`](Medium::sync).
    fn write_along(&mut self, _offset: u64, _len: u64) -> io::Result<()> {
        Ok(())
    }

    /// Erases the one sector that starts at `offset`.
    fn erase(&mut self, offset: u64) -> io::Result<()>;

    /// Whether the block that starts at `offset` is marked bad (NAND; elsewhere never).
    fn is_bad(&mut self, _offset: u64) -> io::Result<bool> {
        Ok(false)
    }

    /// Marks the block that starts at `offset` as bad (NAND; elsewhere [`io::ErrorKind::Unsupported`]).
    fn mark_bad(&mut self, _offset: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Unlocks the sector that starts at `offset`; returns whether it was locked. Media without
    /// locks return `false`.
    fn unlock(&mut self, _offset: u64) -> io::Result<bool> {
        Ok(false)
    }

    /// Locks the sector that starts at `offset` again. Media without locks: [`io::ErrorKind::Unsupported`].
    fn lock(&mut self, _offset: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Returns when everything programmed so far is on the medium.
    fn sync(&mut self) -> io::Result<()>;

    /// Makes the next read of this range come from the medium instead of a cache, as far as the
    /// system allows.
    fn drop_cache(&mut self, offset: u64, len: u64) -> io::Result<()>;

    /// Before an image of `len` bytes is written from the start on: mends a dynamic UBI volume whose last update was
    /// cut, and starts the update of a static one.
    #[cfg(feature = "update")]
    fn begin(&mut self, _len: u64) -> io::Result<()> {
        Ok(())
    }

    /// Bytes from the start that can be read: fewer than the size in a static UBI volume that is not full.
    #[cfg(feature = "update")]
    fn readable(&self) -> u64 {
        self.geometry().size
    }

    /// Closes the medium and tells what dropping it can't: an error of the closing, or of putting an
    /// eMMC boot partition's write protection back.
    fn close(self: Box<Self>) -> io::Result<()> {
        Ok(())
    }
}

/// Writes zeros as any other bytes.
fn program_zeros<M: Medium + ?Sized>(medium: &mut M, mut offset: u64, len: u64) -> io::Result<()> {
    // Not a constant: it would lie in each program.
    let zeros = vec![0; len.min(64 << 10) as usize];
    let end = offset.saturating_add(len);
    while offset < end {
        let piece = zeros.get(..(end - offset).min(zeros.len() as u64) as usize).unwrap_or_default();
        medium.program(offset, piece)?;
        offset += piece.len() as u64;
    }
    Ok(())
}

/// How a medium is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// For reading only.
    Read,
    /// For reading and writing. An eMMC boot partition's `force_ro` is lifted until the medium is dropped.
    Write,
}

/// Opens one medium, as often as needed. The simulator's opener hands out the same simulated medium.
pub trait OpenMedium: Send + Sync {
    /// Opens it.
    fn open(&self, access: Access) -> io::Result<Box<dyn Medium>>;
}

/// A UBI volume (or its simulation).
///
/// It is replaced whole in one of two ways. The volume update (UBI_IOCVOLUP) is not atomic: from its start until its
/// end there is no content. The change of one logical eraseblock, a LEB, is (UBI_IOCEBCH): UBI writes the new content
/// elsewhere and then lets the LEB lead there.
pub trait Volume: Send + Sync {
    /// Bytes that the volume can hold (reserved LEBs x usable LEB size).
    fn capacity(&self) -> u64;
    /// Fills `buf` from the start of the volume. A volume whose last update was cut, or that is
    /// being updated, gives an error.
    fn read(&mut self, buf: &mut [u8]) -> io::Result<()>;
    /// Bytes from the start that [`change`](Volume::change) can replace: those of one LEB of a dynamic volume. 0 in
    /// a static volume, where UBI keeps a checksum of each LEB and changes none.
    fn atomic_size(&self) -> u64;
    /// Replaces the whole content by `data`, and returns when the update is complete on the flash
    /// (UBI_IOCVOLUP, then `data` in full, then the kernel has finished the update). It also mends a volume whose
    /// last update was cut.
    fn update(&mut self, data: &[u8]) -> io::Result<()>;
    /// Replaces the first LEB's content by `data`, at most [`atomic_size`](Volume::atomic_size) bytes, or leaves it as
    /// it is, and returns when it is on the flash. A volume whose last update was cut stays unreadable.
    fn change(&mut self, data: &[u8]) -> io::Result<()>;
}

/// The steps by which a regular file is replaced whole without a moment in which neither the old nor
/// the new one is there: lock, temporary file beside it, sync, rename, sync of the directory.
///
/// The new file differs from the old one in the bytes `new` at `offset` only, and is handled in pieces: it may be
/// the image of a disk.
pub trait ReplaceFile: Send + Sync {
    /// Keeps other writers away from the file until it is renamed or given up. Its size.
    fn lock(&mut self) -> io::Result<u64>;
    /// Makes the temporary file: the mode, the owner and the bytes of the file, with `new` among them. How many
    /// bytes were written.
    fn write_temp(&mut self, offset: u64, new: &[u8]) -> io::Result<u64>;
    /// Makes the temporary file's content durable. How many syncs that took.
    fn sync_temp(&mut self) -> io::Result<u64>;
    /// Reads the temporary file from the medium, past the page cache where the system allows, and tells the first
    /// byte found that is not as it should be.
    fn verify_temp(&mut self, offset: u64, new: &[u8]) -> io::Result<Option<u64>>;
    /// Renames the temporary file over the file (over a symbolic link's target, not the link).
    fn rename(&mut self) -> io::Result<()>;
    /// Makes the rename durable and lets others write again; without a rename, makes durable what another program
    /// has left in the directory. How many syncs that took.
    fn sync_rename(&mut self) -> io::Result<u64>;
    /// Removes the temporary file and lets others write again; called when a step up to the rename failed.
    fn give_up(&mut self);
}

/// How the bytes of a copy get to where they belong, which says what a power cut leaves of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Method {
    /// They are written over the old ones, part by part.
    InPlace,
    /// The file is replaced by another one.
    Rename,
    /// By the atomic change of a UBI LEB.
    LebChange,
    /// By UBI's volume update, in which there is no content for a while.
    VolumeUpdate,
}

/// One copy of the environment, as opaque bytes at a fixed place.
///
/// A copy opens its medium anew for each call, so that nothing is held open, and no eMMC boot
/// partition stays writable, between two calls.
pub trait EnvCopy: Send + Sync {
    /// What the copy lives on.
    fn kind(&self) -> MediumKind;

    /// The file or device, for messages.
    fn path(&self) -> &Path;

    /// Bytes from the start of the file or device.
    fn offset(&self) -> u64;

    /// Bytes of the copy, header included.
    fn size(&self) -> usize;

    /// Fills `buf` with the first bytes of the copy, from the medium.
    fn read(&mut self, buf: &mut [u8]) -> Result<()>;

    /// The whole copy, from the medium.
    fn load(&mut self) -> Result<Vec<u8>> {
        let mut bytes = vec![0; self.size()];
        self.read(&mut bytes)?;
        Ok(bytes)
    }

    /// Returns when what the copy holds is on the medium. Elsewhere than behind a page cache it always is; there,
    /// a program that was killed may have left it in the cache alone, where it reads as well as any other.
    fn settle(&mut self) -> Result<WriteStats> {
        Ok(WriteStats::default())
    }

    /// Replaces the whole copy by `new` ([`size`](EnvCopy::size) bytes) and returns when it is on the
    /// medium, was read back and is what was written.
    ///
    /// `before` is what the copy holds now, where that could be read. `settled` says that it was once
    /// written completely (its checksum is right), so that a flash sector that already holds the right
    /// bytes may stay as it is: after a cut erase or program, flash can read right today and wrong
    /// tomorrow. Whatever already is as it should be is not written again.
    fn write(&mut self, before: Option<&[u8]>, settled: bool, new: &[u8]) -> Result<WriteStats>;

    /// Makes a valid copy, which holds `before`, invalid by clearing bits, without an erase. It does nothing where
    /// no bits can be cleared.
    fn spoil(&mut self, _before: &[u8]) -> Result<WriteStats> {
        Ok(WriteStats::default())
    }

    /// Whether the copy, which holds `before`, can be made invalid without a moment in which a cut may change its
    /// first bytes and nothing else.
    fn can_spoil(&self, _before: &[u8]) -> bool {
        true
    }

    /// Bytes that can be programmed only once after an erase, and only together: more than 1 on NOR with ECC. A byte
    /// of such a copy can't be set in place.
    fn once_unit(&self) -> usize {
        1
    }

    /// Makes the copy certainly invalid on flash that is erased before it is written, so that the
    /// next [`write`](EnvCopy::write) has to program only. Elsewhere it does nothing.
    fn erase(&mut self) -> Result<WriteStats>;

    /// Programs one byte in place, without an erase: on NOR this can only clear bits.
    fn set_byte(&mut self, at: usize, byte: u8) -> Result<WriteStats>;

    /// Whether a store can be made here, as far as can be told without trying. Reading does not need it.
    ///
    /// Errors: [`Error::Device`](crate::Error::Device), which says what to change in the configuration.
    fn storable(&self) -> Result<()> {
        Ok(())
    }

    /// Whether the copy is to lie in a regular file that is missing or empty, so that there is nothing to be lost.
    fn is_unmade(&self) -> bool {
        false
    }

    /// Makes the regular file of a copy that [is not there yet](EnvCopy::is_unmade), in its full size, durably. It does
    /// nothing elsewhere.
    fn make(&mut self) -> Result<()> {
        Ok(())
    }

    /// What is odd in the configuration of this copy, although it does no harm here.
    fn remark(&self) -> Option<&str> {
        None
    }

    /// Whether a power cut can leave the first `len` bytes half old, half new although no byte behind
    /// them was changed. True only where they straddle two sectors of a device that is not erased
    /// before it is written.
    fn can_tear(&self, len: usize) -> bool;

    /// How [`write`](EnvCopy::write) replaces the copy.
    fn method(&self) -> Method {
        Method::InPlace
    }

    /// Whether one copy alone survives a power cut during [`write`](EnvCopy::write).
    fn atomic(&self) -> bool {
        matches!(self.method(), Method::Rename | Method::LebChange)
    }
}

/// What a write cost, for reports and measurements.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WriteStats {
    /// Bytes handed to the medium.
    pub bytes: u64,
    /// Sectors erased.
    pub erases: u64,
    /// Syncs asked for.
    pub syncs: u64,
}

impl std::ops::AddAssign for WriteStats {
    fn add_assign(&mut self, other: Self) {
        self.bytes += other.bytes;
        self.erases += other.erases;
        self.syncs += other.syncs;
    }
}
