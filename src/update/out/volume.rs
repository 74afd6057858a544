//! UBI volumes: a dynamic one LEB by LEB, each by the atomic change, so that an installation that was cut goes on; a
//! static one by the volume update, of which UBI keeps nothing when it is cut.

use std::io;

use super::blocks::Sink;
use super::{close, is_blank, Out};
use crate::storage::Medium;
use crate::update::error::Result;
use crate::update::target::Part;
use crate::update::view::View;

/// A dynamic volume.
pub(super) struct Lebs<'a> {
    part: &'a Part,
    medium: Box<dyn Medium>,
    size: u64,
}

impl<'a> Lebs<'a> {
    pub fn new(part: &'a Part, view: View) -> Self {
        let size = view.geometry().erase_size;
        let (medium, _) = view.into_parts();
        Lebs { part, medium, size }
    }

    fn empty(&mut self, number: u64) -> Result<()> {
        let at = number * self.size;
        self.medium.erase(at).map_err(|error| self.part.failed("unmapping a LEB", at, error))
    }
}

impl Sink for Lebs<'_> {
    fn block(&mut self, number: u64, bytes: &[u8], new: bool) -> Result<()> {
        let at = number * self.size;
        match (new, is_blank(bytes)) {
            (false, _) => Ok(()),
            // So does the volume update: UBIFS takes the free space of an image from such LEBs.
            (true, true) => self.empty(number),
            (true, false) => {
                self.medium.program(at, bytes).map_err(|error| self.part.failed("changing a LEB", at, error))
            }
        }
    }

    fn tail(&mut self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.medium.read(offset, buf)
    }

    fn finish(mut self, blocks: u64) -> Result<()> {
        for number in blocks..self.medium.geometry().size / self.size {
            self.empty(number)?;
        }
        close(self.part, self.medium)
    }
}

/// A static volume, whose update has begun.
pub(super) struct Whole<'a> {
    part: &'a Part,
    medium: Box<dyn Medium>,
}

impl<'a> Whole<'a> {
    pub fn new(part: &'a Part, view: View) -> Self {
        let (medium, _) = view.into_parts();
        Whole { part, medium }
    }
}

impl Out for Whole<'_> {
    fn write(&mut self, offset: u64, bytes: &[u8], _new: bool) -> Result<()> {
        let failed = |error| self.part.failed("updating the volume", offset, error);
        self.medium.program(offset, bytes).map_err(failed)
    }

    fn finish(self: Box<Self>) -> Result<()> {
        close(self.part, self.medium)
    }
}
