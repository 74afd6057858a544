//! What a part holds, in the order in which an image lies there: on NAND, bad blocks are passed over, as U-Boot's
//! `nand read` and `nandwrite` do.

use std::io;

use crate::storage::{Geometry, Medium, MediumKind};

/// A medium without its bad blocks.
pub(super) struct View {
    medium: Box<dyn Medium>,
    geometry: Geometry,
    /// Where the good blocks start; empty where nothing is erased before it is written.
    good: Vec<u64>,
}

impl View {
    /// Asks which blocks are bad.
    pub fn new(mut medium: Box<dyn Medium>) -> io::Result<View> {
        let geometry = medium.geometry();
        let mut good = Vec::new();
        if is_flash(&geometry) {
            for number in 0..geometry.size / geometry.erase_size {
                let at = number * geometry.erase_size;
                if !medium.is_bad(at)? {
                    good.push(at);
                }
            }
        }
        Ok(View { medium, geometry, good })
    }

    /// The shape of the medium.
    pub fn geometry(&self) -> Geometry {
        self.geometry
    }

    /// How many bytes an image can have here.
    pub fn size(&self) -> u64 {
        match is_flash(&self.geometry) {
            true => self.good.len() as u64 * self.geometry.erase_size,
            false => self.geometry.size,
        }
    }

    /// Makes the medium ready for an image of so many bytes.
    pub fn begin(&mut self, len: u64) -> io::Result<()> {
        self.medium.begin(len)
    }

    /// How many bytes can be read.
    pub fn readable(&self) -> u64 {
        self.size().min(self.medium.readable())
    }

    /// Fills `buf` from `offset` of the image.
    pub fn read(&mut self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        if !is_flash(&self.geometry) {
            return self.medium.read(offset, buf);
        }
        let block = self.geometry.erase_size;
        let (mut at, mut rest) = (offset, buf);
        while !rest.is_empty() {
            let inside = at % block;
            let start = usize::try_from(at / block).ok().and_then(|number| self.good.get(number));
            let Some(start) = start else { return Err(io::ErrorKind::UnexpectedEof.into()) };
            let len = rest.len().min(usize::try_from(block - inside).unwrap_or(usize::MAX));
            let (piece, behind) = rest.split_at_mut(len);
            self.medium.read(start + inside, piece)?;
            at += len as u64;
            rest = behind;
        }
        Ok(())
    }

    /// Whether it is known to hold so many zeros there.
    pub fn holds_zeros(&mut self, offset: u64, len: u64) -> bool {
        let mut bytes = [0; 16 << 10];
        let end = offset.saturating_add(len);
        let mut at = offset;
        while at < end {
            let len = (end - at).min(bytes.len() as u64) as usize;
            let Some(piece) = bytes.get_mut(..len) else { return false };
            if self.read(at, piece).is_err() || piece.iter().any(|&byte| byte != 0) {
                return false;
            }
            at += len as u64;
        }
        true
    }

    /// Makes the next reads come from the medium, as far as the system allows.
    pub fn drop_cache(&mut self) -> io::Result<()> {
        self.medium.drop_cache(0, self.geometry.size)
    }

    /// The medium, and where its good blocks start.
    pub fn into_parts(self) -> (Box<dyn Medium>, Vec<u64>) {
        (self.medium, self.good)
    }
}

/// Whether blocks have to be erased before they are written, and nobody else does it.
fn is_flash(geometry: &Geometry) -> bool {
    geometry.erase_size > 0 && geometry.kind != MediumKind::Ubi
}

/// Whether an image can only be written as a whole, from its start to its end: a static UBI volume.
pub(super) fn is_written_whole(geometry: &Geometry) -> bool {
    geometry.kind == MediumKind::Ubi && geometry.erase_size == 0
}
