//! Media of which any bytes can be written: what is there already is left alone.
//!
//! It writes in whole blocks, and makes the kernel write along, so that neither memory nor the last sync becomes large.

use super::{close, Out};
use crate::storage::Medium;
use crate::update::error::Result;
use crate::update::target::Part;
use crate::update::view::View;

/// So much is written at once.
const PIECE: usize = 1 << 20;

/// Writes start and end at multiples of this where possible: parts of a block make the kernel read the rest.
const ALIGNMENT: usize = 4096;

/// A medium that is being written.
pub(super) struct Plain<'a> {
    part: &'a Part,
    medium: Box<dyn Medium>,
    /// Bytes that wait for the rest of their block.
    pending: Vec<u8>,
    /// Where they go; where they end, the next ones are expected.
    at: u64,
}

impl<'a> Plain<'a> {
    pub fn new(part: &'a Part, view: View) -> Self {
        let (medium, _) = view.into_parts();
        Plain { part, medium, pending: Vec::new(), at: 0 }
    }

    fn flush(&mut self) -> Result<()> {
        self.put(self.pending.len())
    }

    /// Writes the first `len` of the bytes that wait.
    fn put(&mut self, len: usize) -> Result<()> {
        let bytes = self.pending.get(..len).unwrap_or_default();
        if bytes.is_empty() {
            return Ok(());
        }
        let write =
            self.medium.program(self.at, bytes).and_then(|()| self.medium.write_along(self.at, len as u64));
        write.map_err(|error| self.part.failed("writing", self.at, error))?;
        self.pending.drain(..len);
        self.at += len as u64;
        Ok(())
    }
}

impl Out for Plain<'_> {
    fn write(&mut self, offset: u64, bytes: &[u8], new: bool) -> Result<()> {
        if !new {
            return Ok(());
        }
        if offset != self.at + self.pending.len() as u64 {
            self.flush()?;
            self.at = offset;
        }
        self.pending.extend_from_slice(bytes);
        if self.pending.len() >= PIECE {
            let end = self.at + self.pending.len() as u64;
            let whole = self.pending.len() - (end % ALIGNMENT as u64) as usize;
            self.put(whole)?;
        }
        Ok(())
    }

    fn zeros(&mut self, offset: u64, len: u64, new: bool) -> Result<()> {
        if !new {
            return Ok(());
        }
        self.flush()?;
        self.medium.zero(offset, len).map_err(|error| self.part.failed("writing zeros", offset, error))?;
        self.at = offset + len;
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.flush()?;
        let Plain { part, medium, .. } = *self;
        close(part, medium)
    }
}
