//! Pure: What an environment's configuration must fulfil before a device is opened.
//!
//! What is wrong here keeps a reader from finding the environment. A reader needs no erase sectors. `storage/region` knows
//! the device and says whether they fit, and only a store asks for that.

use std::path::{Path, PathBuf};

use super::{Device, EnvConfig};
use crate::error::{Error, Result};

/// The smallest area of variables: `a=b` and the two NULs that end it.
const SMALLEST_DATA: u64 = 5;
/// CRC-32 alone, or with the flags byte of a redundant copy.
pub(crate) const HEADERS: [u64; 2] = [4, 5];
/// No board has a bigger environment (U-Boot's own default is 8 to 128 KiB); a bigger number is a
/// mistake, and every copy is held in memory.
pub(crate) const LARGEST_COPY: u64 = 64 << 20;

/// The part of an entry that breaks a rule, so that a parser can point at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Path,
    Offset,
    Size,
}

/// A broken rule.
#[derive(Debug)]
pub(super) struct Flaw {
    /// Index of the device.
    pub device: usize,
    pub field: Field,
    pub message: String,
}

impl EnvConfig {
    /// Checks what can be checked without opening a device: the number of copies, their sizes, and
    /// that they don't overlap. A parsed configuration has passed.
    ///
    /// Errors: [`Error::Device`] with the path of the guilty entry; nothing was touched.
    pub fn validate(&self) -> Result<()> {
        self.check().map_err(|flaw| Error::Device {
            path: self
                .devices
                .get(flaw.device)
                .map_or_else(|| PathBuf::from("configuration"), |device| device.path.clone()),
            message: flaw.message,
        })
    }

    pub(super) fn check(&self) -> Result<(), Flaw> {
        let header = match self.devices.len() {
            1 => HEADERS[0],
            2 => HEADERS[1],
            n => {
                let message = format!("an environment has one or two copies, not {n}");
                return Err(Flaw { device: n.min(2), field: Field::Path, message });
            }
        };
        for (index, device) in self.devices.iter().enumerate() {
            device.check(header).map_err(|(field, message)| Flaw { device: index, field, message })?;
        }
        if let [first, second] = self.devices.as_slice() {
            check_pair(first, second).map_err(|(field, message)| Flaw { device: 1, field, message })?;
        }
        Ok(())
    }
}

impl Device {
    /// Whether the path names a UBI volume: `ubi0_0`, `ubi0:name` or `mtd0:name`, in `/dev` or alone.
    fn is_ubi(&self) -> bool {
        let path = self.path.as_os_str().as_encoded_bytes();
        let name = path.strip_prefix(b"/dev/").unwrap_or(path);
        let (separators, number): (&[u8], _) = match (name.strip_prefix(b"ubi"), name.strip_prefix(b"mtd")) {
            (Some(number), _) => (b":_", number),
            (_, Some(number)) => (b":", number),
            _ => return false,
        };
        let mut behind = number.iter().skip_while(|byte| byte.is_ascii_digit());
        number.first().is_some_and(u8::is_ascii_digit)
            && behind.next().is_some_and(|byte| separators.contains(byte))
    }

    fn check(&self, header: u64) -> Result<(), (Field, String)> {
        let smallest = header + SMALLEST_DATA;
        if self.size < smallest {
            let message = format!(
                "size {:#x} is too small: {header} bytes of header and one variable need {smallest:#x}",
                self.size
            );
            return Err((Field::Size, message));
        }
        if self.size > LARGEST_COPY {
            let message = format!(
                "size {:#x} is more than the {} MiB that an environment may have",
                self.size,
                LARGEST_COPY >> 20
            );
            return Err((Field::Size, message));
        }
        self.check_offset()
    }

    fn check_offset(&self) -> Result<(), (Field, String)> {
        let offset = self.offset;
        if self.is_ubi() {
            return if offset == 0 {
                Ok(())
            } else {
                let message =
                    format!("offset {}: a UBI volume is used from its start, offset 0", Hex(offset));
                Err((Field::Offset, message))
            };
        }
        if offset.checked_add_unsigned(self.size).is_none() {
            return Err((Field::Offset, format!("offset {} is too big", Hex(offset))));
        }
        if offset < 0 && offset.unsigned_abs() < self.size {
            let message = format!(
                "offset {}: that close to the end of the device there is no room for {:#x} bytes",
                Hex(offset),
                self.size
            );
            return Err((Field::Offset, message));
        }
        Ok(())
    }
}

fn check_pair(first: &Device, second: &Device) -> Result<(), (Field, String)> {
    if first.size != second.size {
        let message = format!(
            "size {:#x} is not that of the first copy, {:#x}: both copies have the same size",
            second.size, first.size
        );
        return Err((Field::Size, message));
    }
    // Offsets from the start and from the end can be compared only when the size of the device is known.
    if same_path(&first.path, &second.path) && (first.offset < 0) == (second.offset < 0) {
        let (a, b) = (first.offset, second.offset);
        let end = |device: &Device| device.offset.saturating_add_unsigned(device.size);
        let (a_end, b_end) = (end(first), end(second));
        if a < b_end && b < a_end {
            let message = format!(
                "the copies overlap: {}..{} and {}..{} of {}",
                Hex(a),
                Hex(a_end),
                Hex(b),
                Hex(b_end),
                second.path.display()
            );
            return Err((Field::Offset, message));
        }
    }
    Ok(())
}

fn same_path(a: &Path, b: &Path) -> bool {
    // Compares components, so that /dev//mtd1 is /dev/mtd1.
    a == b
}

/// An offset as a signed hexadecimal number.
struct Hex(i64);

impl std::fmt::Display for Hex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        write!(f, "{sign}{:#x}", self.0.unsigned_abs())
    }
}
