//! Raw flash: the blocks of an image onto the good blocks of the chip, in order.
//!
//! ```text
//!  image   | 0 | 1 | 2 | 3 | 4 |
//!  flash   | 0 | 1 | bad | 2 | 3 | 4 | erased ...
//!                        ^   ^
//!                        |   erased before 2 is programmed
//!                        programmed
//! ```
//!
//! A block whose last program was cut may read right today and wrong tomorrow, and nothing on the chip tells it from the
//! others. So all blocks are written from the first one on that changes, and a block that holds something is
//! programmed only when the next such block is erased. Then the block that was cut is the last one that reads right, and
//! that one is always written again.
//!
//! A NAND block that fails is marked bad, and what follows moves up by one block.

use std::collections::VecDeque;
use std::io;

use super::blocks::Sink;
use super::is_blank;
use crate::storage::{Medium, MediumKind};
use crate::update::error::{Result, UpdateError};
use crate::update::target::Part;
use crate::update::view::View;

/// NOR takes any bytes, but single calls for a few of them are slow: so many go together, the write buffer of many
/// chips.
const NOR_PAGE: usize = 256;

/// A chip that is being written.
pub(super) struct Flash<'a> {
    part: &'a Part,
    medium: Box<dyn Medium>,
    is_nand: bool,
    size: u64,
    /// Bytes that are programmed together, or left erased.
    page: usize,
    good: Vec<u64>,
    /// The next of the good blocks.
    next: usize,
    /// Blocks of the image that have no block of the chip yet.
    left: usize,
    /// A block has changed: from here on all are written.
    started: bool,
    /// The last block of the image that holds something, and where it is among the good ones: it is kept, or it is
    /// programmed later, to the first of those that are erased.
    waiting: Option<(usize, Vec<u8>)>,
    erased: VecDeque<Erased>,
}

struct Erased {
    at: u64,
    was_locked: bool,
}

impl<'a> Flash<'a> {
    pub fn new(part: &'a Part, view: View, image: u64) -> Self {
        let geometry = view.geometry();
        let unit = usize::try_from(geometry.write_size).unwrap_or(usize::MAX).max(1);
        let page = match geometry.kind {
            MediumKind::Nor => unit.saturating_mul(NOR_PAGE.div_ceil(unit)),
            _ => unit,
        };
        let (medium, good) = view.into_parts();
        Flash {
            part,
            medium,
            is_nand: geometry.kind == MediumKind::Nand,
            size: geometry.erase_size,
            page,
            good,
            next: 0,
            left: usize::try_from(image.div_ceil(geometry.erase_size.max(1))).unwrap_or(usize::MAX),
            started: false,
            waiting: None,
            erased: VecDeque::new(),
        }
    }

    /// From here on all blocks are written; the last one that is kept, once more.
    fn start(&mut self) -> Result<()> {
        self.started = true;
        let Some((number, _)) = &self.waiting else { return Ok(()) };
        let again = self.next - number;
        self.next = *number;
        self.left += again;
        (0..again).try_for_each(|_| self.erase_next())
    }

    /// Erases the next good block.
    fn erase_next(&mut self) -> Result<()> {
        loop {
            let Some(&at) = self.good.get(self.next) else {
                let error = io::Error::other("there are too few good blocks");
                return Err(self.part.failed("looking for a good block", self.medium.geometry().size, error));
            };
            self.next += 1;
            let was_locked =
                self.medium.unlock(at).map_err(|error| self.part.failed("unlocking", at, error))?;
            let block = Erased { at, was_locked };
            match self.medium.erase(at) {
                Ok(()) => {
                    self.erased.push_back(block);
                    self.left = self.left.saturating_sub(1);
                    return Ok(());
                }
                Err(error) => self.give_up(&block, "erasing", at, error, self.left)?,
            }
        }
    }

    /// Marks a block as bad that has failed, if there is another one to take: the mark is for ever, and the error may not
    /// come again.
    fn give_up(
        &mut self,
        block: &Erased,
        step: &'static str,
        at: u64,
        error: io::Error,
        needed: usize,
    ) -> Result<()> {
        // What the kernel returns where the chip reports a failure.
        let worn = self.is_nand && error.raw_os_error() == Some(libc::EIO);
        let spare = self.good.len().saturating_sub(self.next) >= needed;
        if worn && spare {
            let failed = |error| self.part.failed("marking a block as bad", block.at, error);
            return self.medium.mark_bad(block.at).map_err(failed);
        }
        // The first error is the one to be told.
        let _ = self.lock(block);
        let error = match worn {
            true => {
                io::Error::other(format!("{error}; the block may be worn out, and there is no spare one"))
            }
            false => error,
        };
        Err(self.part.failed(step, at, error))
    }

    /// Programs what waits, and is done with all blocks that are erased but the last `keep`.
    fn program_waiting(&mut self, keep: usize) -> Result<()> {
        if let Some((_, bytes)) = self.waiting.take() {
            while let Some(block) = self.erased.pop_front() {
                let Err((at, error)) = self.program(block.at, &bytes) else {
                    self.lock(&block)?;
                    break;
                };
                // One more is needed, and erased before anything is programmed.
                self.left = self.left.saturating_add(1);
                self.give_up(&block, "programming", at, error, self.left)?;
                self.erase_next()?;
            }
        }
        while self.erased.len() > keep {
            let Some(block) = self.erased.pop_front() else { break };
            self.lock(&block)?;
        }
        Ok(())
    }

    /// Programs the pages of a block that hold something: those of only 0xff can be used later, as UBI does.
    fn program(&mut self, at: u64, bytes: &[u8]) -> std::result::Result<(), (u64, io::Error)> {
        let mut start = 0;
        let page = self.page;
        let holds_something = |from: usize| {
            let rest = bytes.get(from..).unwrap_or_default();
            !is_blank(rest.get(..page).unwrap_or(rest))
        };
        while start < bytes.len() {
            let from = start;
            while start < bytes.len() && holds_something(start) {
                start += page;
            }
            if start == from {
                start += page;
                continue;
            }
            let run = bytes.get(from..start.min(bytes.len())).unwrap_or_default();
            let to = at + from as u64;
            self.medium.program(to, run).map_err(|error| (to, error))?;
        }
        Ok(())
    }

    fn lock(&mut self, block: &Erased) -> Result<()> {
        if !block.was_locked {
            return Ok(());
        }
        self.medium.lock(block.at).map_err(|error| self.part.failed("locking", block.at, error))
    }

    /// Erases a block behind the image, if it holds anything: what is left there of another image would be taken for a
    /// part of this one by UBI and by JFFS2.
    fn clear(&mut self, at: u64) -> Result<()> {
        let mut bytes = vec![0; usize::try_from(self.size).unwrap_or(usize::MAX)];
        if self.medium.read(at, &mut bytes).is_ok() && is_blank(&bytes) {
            return Ok(());
        }
        let part = self.part;
        let failed = move |step| move |error| part.failed(step, at, error);
        let was_locked = self.medium.unlock(at).map_err(failed("unlocking"))?;
        let block = Erased { at, was_locked };
        if let Err(error) = self.medium.erase(at) {
            // Nothing of the image goes there.
            return self.give_up(&block, "erasing", at, error, 0);
        }
        self.lock(&block)?;
        self.medium.read(at, &mut bytes).map_err(failed("reading an erased block"))?;
        match is_blank(&bytes) {
            true => Ok(()),
            false => Err(UpdateError::ReadBack { path: part.path.clone(), offset: at }),
        }
    }
}

impl Sink for Flash<'_> {
    fn block(&mut self, _number: u64, bytes: &[u8], new: bool) -> Result<()> {
        let holds_something = !is_blank(bytes);
        if !self.started && !new {
            if holds_something {
                self.waiting = Some((self.next, bytes.to_vec()));
            }
            self.next += 1;
            self.left = self.left.saturating_sub(1);
            return Ok(());
        }
        if !self.started {
            self.start()?;
        }
        self.erase_next()?;
        if holds_something {
            self.program_waiting(1)?;
            self.waiting = Some((0, bytes.to_vec()));
        }
        Ok(())
    }

    fn tail(&mut self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let start = self.good.get(self.next).ok_or(io::ErrorKind::UnexpectedEof)?;
        self.medium.read(start + offset % self.size, buf)
    }

    fn finish(mut self, _blocks: u64) -> Result<()> {
        if !self.started {
            self.start()?;
        }
        self.program_waiting(0)?;
        for number in self.next..self.good.len() {
            if let Some(&at) = self.good.get(number) {
                self.clear(at)?;
            }
        }
        // Closing a chip says nothing.
        self.medium.sync().map_err(|error| self.part.failed("syncing", 0, error))
    }
}

impl Drop for Flash<'_> {
    fn drop(&mut self) {
        // After an error: what was locked shall not stay open.
        while let Some(block) = self.erased.pop_front() {
            let _ = self.lock(&block);
        }
    }
}
