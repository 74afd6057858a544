//! How an image gets onto a medium.
//!
//! | file | medium | what is written |
//! |---|---|---|
//! | `plain.rs` | files, block devices, RAM | the bytes that are new |
//! | `blocks.rs` | what follows | whole blocks, made of new bytes and of those that are there already |
//! | `flash.rs` | raw NOR, NAND and DataFlash | all blocks from the first one on that changes |
//! | `volume.rs` | UBI volumes | the LEBs that change; a static volume as a whole |

mod blocks;
mod flash;
mod plain;
mod volume;

use super::error::Result;
use super::target::Part;
use super::view::is_written_whole;
use crate::storage::{Access, Medium, MediumKind};

/// Takes an image, in its order and without gaps.
pub(super) trait Out {
    /// The next bytes; those that are not `new` are there already.
    fn write(&mut self, offset: u64, bytes: &[u8], new: bool) -> Result<()>;

    /// So many zeros.
    fn zeros(&mut self, offset: u64, len: u64, new: bool) -> Result<()> {
        // Not a constant: it would lie in the program.
        let zeros = vec![0; len.min(64 << 10) as usize];
        let (mut at, end) = (offset, offset + len);
        while at < end {
            let piece = zeros.get(..(end - at).min(zeros.len() as u64) as usize).unwrap_or_default();
            self.write(at, piece, new)?;
            at += piece.len() as u64;
        }
        Ok(())
    }

    /// There is no more: returns when all is on the medium.
    fn finish(self: Box<Self>) -> Result<()>;
}

/// Opens a part for an image of `size` bytes.
///
/// # Errors
///
/// [`UpdateError::Medium`](super::UpdateError::Medium).
pub(super) fn open(part: &Part, size: u64) -> Result<Box<dyn Out + '_>> {
    let mut view = part.view(Access::Write)?;
    view.begin(size).map_err(|error| part.failed("beginning to write", 0, error))?;
    let geometry = view.geometry();
    Ok(match geometry.kind {
        _ if is_written_whole(&geometry) => Box::new(volume::Whole::new(part, view)),
        MediumKind::Ubi => Box::new(blocks::Blocks::new(part, &geometry, volume::Lebs::new(part, view))),
        _ if geometry.erase_size > 0 => {
            Box::new(blocks::Blocks::new(part, &geometry, flash::Flash::new(part, view, size)))
        }
        _ => Box::new(plain::Plain::new(part, view)),
    })
}

/// Whether all of it reads as erased flash does.
fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte == 0xff)
}

/// Returns when all is on the medium.
fn close(part: &Part, mut medium: Box<dyn Medium>) -> Result<()> {
    let failed = |error| part.failed("syncing", 0, error);
    medium.sync().map_err(failed)?;
    medium.close().map_err(failed)
}
