//! Pure: Looks for environments in bytes of which nothing is known: where they start, how large they are, whether
//! they have a flags byte, in which byte order their checksum is.
//!
//! The bytes are seen once, in order. What makes a copy of an environment is a checksum that fits the bytes behind
//! it, and `scan` finds these without a table of sizes:
//!
//! - A copy starts four or five bytes before a `name=value` that ends with NUL.
//! - Behind the variables lies a fill of 0x00 or 0xff, as a rule. Then the size is *computed* from the checksum
//!   (`field`): any size at any place, also where the fill is a hole of a sparse file.
//! - Otherwise something else lies there: old values, the memory of some tool. Copies that start at a multiple of 256
//!   bytes are found then, too, in sizes that are multiples of 256 (`tails`).
//!
//! [`pairs`] says what belongs together and which copy U-Boot would take.

mod field;
mod fills;
pub mod pairs;
pub(crate) mod scan;
pub(crate) mod tails;

pub use scan::Scanner;

use crate::env::image::Layout;

/// The byte order of a checksum: that of the processor that runs U-Boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ByteOrder {
    /// The least significant byte first.
    Little,
    /// The most significant byte first.
    Big,
}

impl ByteOrder {
    /// That of the processor that this runs on, which is the only one that the tools read.
    pub const NATIVE: ByteOrder =
        if cfg!(target_endian = "little") { ByteOrder::Little } else { ByteOrder::Big };

    /// The number that these bytes are.
    fn read(self, bytes: [u8; 4]) -> u32 {
        match self {
            ByteOrder::Little => u32::from_le_bytes(bytes),
            ByteOrder::Big => u32::from_be_bytes(bytes),
        }
    }

    /// The order in which `bytes` are the checksum `crc`.
    fn of(bytes: [u8; 4], crc: u32) -> Option<ByteOrder> {
        if bytes == crc.to_le_bytes() {
            Some(ByteOrder::Little)
        } else if bytes == crc.to_be_bytes() {
            Some(ByteOrder::Big)
        } else {
            None
        }
    }
}

/// One valid copy of an environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Found {
    /// Bytes from the start of what was looked into.
    pub offset: u64,
    /// Bytes of the copy, header included.
    pub size: u64,
    /// Whether it has a flags byte.
    pub layout: Layout,
    /// The byte order of its checksum.
    pub order: ByteOrder,
    /// The flags byte, if it has one.
    pub flags: Option<u8>,
}

impl Found {
    /// Where it ends.
    pub fn end(&self) -> u64 {
        self.offset.saturating_add(self.size)
    }
}

/// Variables of U-Boot that no checksum covers: the environment that is compiled into U-Boot, or what is left of
/// a damaged copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct List {
    /// Where the first name starts.
    pub start: u64,
    /// The byte behind the NUL of the empty record that ends the list.
    pub end: u64,
    /// How many records there are.
    pub records: u64,
}

/// All that was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// Valid copies, by their offset.
    pub copies: Vec<Found>,
    /// Variables without a checksum, by their offset.
    pub lists: Vec<List>,
}
