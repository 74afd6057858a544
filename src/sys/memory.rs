//! Registers and RAM through `/dev/mem`: whole words of 32 bits, each read or written by one access.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use memmap2::{MmapOptions, MmapRaw};

const WORD: u64 = 4;

/// A row of words at a physical address.
pub struct Words {
    map: MmapRaw,
    count: usize,
}

impl Words {
    /// Maps `count` words from `address` of `path`, which is `/dev/mem` or a file that stands in for it.
    /// The address must be a multiple of 4.
    pub fn map(path: &Path, address: u64, count: usize, write: bool) -> io::Result<Words> {
        if address % WORD != 0 {
            let message = format!("{address:#x} is not the address of a 32-bit word");
            return Err(io::Error::new(ErrorKind::InvalidInput, message));
        }
        // Without O_SYNC the kernel may map RAM through the cache, and U-Boot would not see what is written.
        let file = OpenOptions::new().read(true).write(write).custom_flags(libc::O_SYNC).open(path)?;
        let bytes = count * WORD as usize;
        let end = address.checked_add(bytes as u64);
        let about = file.metadata()?;
        // Behind the end of a file, an access would be a SIGBUS; a device has no length.
        if end.is_none() || about.is_file() && end > Some(about.len()) {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let mut options = MmapOptions::new();
        options.offset(address).len(bytes);
        let map = if write { options.map_raw(&file)? } else { options.map_raw_read_only(&file)? };
        Ok(Words { map, count })
    }

    /// All words, in the CPU's byte order.
    pub fn read(&self) -> Vec<u32> {
        let first = self.map.as_ptr().cast::<u32>();
        // SAFETY: `index` is below the number of words that are mapped, the address is a multiple of 4
        // (so was the one that was asked for, and a page's is), and the map lives as long as `self`.
        // Volatile, since the device may change them and a register wants exactly this access.
        (0..self.count).map(|index| unsafe { first.add(index).read_volatile() }).collect()
    }

    /// Writes one word; one that is not mapped is an error. The words must have been mapped for writing.
    pub fn write(&self, index: usize, value: u32) -> io::Result<()> {
        if index >= self.count {
            return Err(ErrorKind::InvalidInput.into());
        }
        let first = self.map.as_mut_ptr().cast::<u32>();
        // SAFETY: as in `read`; nobody holds a reference into the map.
        unsafe { first.add(index).write_volatile(value) };
        Ok(())
    }
}
