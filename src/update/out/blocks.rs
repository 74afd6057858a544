//! An image as whole blocks, which are erased or changed as one: new bytes and those that are there already come
//! together here.

use super::{is_blank, Out};
use crate::storage::Geometry;
use crate::update::error::Result;
use crate::update::target::Part;

/// Takes whole blocks, in their order.
pub(super) trait Sink {
    /// The next block. It is there already if it is not `new`.
    fn block(&mut self, number: u64, bytes: &[u8], new: bool) -> Result<()>;

    /// Reads what follows `offset` of the image now; nothing was written there yet.
    fn tail(&mut self, offset: u64, buf: &mut [u8]) -> std::io::Result<()>;

    /// The image has so many blocks: empties what lies behind them, and returns when all is on the medium.
    fn finish(self, blocks: u64) -> Result<()>;
}

/// Gathers the bytes of a block.
pub(super) struct Blocks<'a, S> {
    part: &'a Part,
    sink: S,
    size: usize,
    number: u64,
    bytes: Vec<u8>,
    /// Whether one of the bytes is not there yet.
    new: bool,
}

impl<'a, S: Sink> Blocks<'a, S> {
    pub fn new(part: &'a Part, geometry: &Geometry, sink: S) -> Self {
        let size = usize::try_from(geometry.erase_size).unwrap_or(usize::MAX).max(1);
        Blocks { part, sink, size, number: 0, bytes: Vec::new(), new: false }
    }

    fn put(&mut self) -> Result<()> {
        self.sink.block(self.number, &self.bytes, self.new)?;
        self.number += 1;
        self.bytes.clear();
        self.new = false;
        Ok(())
    }

    /// The last block ends in 0xff, as an image that `ubiupdatevol` or `nandwrite` writes.
    fn fill(&mut self) -> Result<()> {
        let used = self.bytes.len();
        self.bytes.resize(self.size, 0);
        if !self.new {
            let tail = self.bytes.get_mut(used..).unwrap_or_default();
            let at = self.number * self.size as u64 + used as u64;
            self.new = self.sink.tail(at, tail).is_err() || !is_blank(tail);
        }
        self.bytes.truncate(used);
        self.bytes.resize(self.size, 0xff);
        self.put()
    }
}

impl<S: Sink> Out for Blocks<'_, S> {
    fn write(&mut self, offset: u64, bytes: &[u8], new: bool) -> Result<()> {
        let at = self.number * self.size as u64 + self.bytes.len() as u64;
        if offset != at {
            let gap = std::io::Error::other("the image has a gap");
            return Err(self.part.failed("putting blocks together", offset, gap));
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at(rest.len().min(self.size - self.bytes.len()));
            self.bytes.extend_from_slice(piece);
            self.new |= new;
            rest = behind;
            if self.bytes.len() == self.size {
                self.put()?;
            }
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        if !self.bytes.is_empty() {
            self.fill()?;
        }
        let Blocks { sink, number, .. } = *self;
        sink.finish(number)
    }
}
