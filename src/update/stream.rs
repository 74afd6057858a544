//! One image as a stream of bytes, each of them compared with its hash before anybody reads it.

use std::io::{self, ErrorKind, Read};
use std::ops::ControlFlow;

use super::error::{Result, UpdateError};
use super::image::{Image, Report};
use super::plan::Plan;
use super::source::Source;
use super::write::{Batch, Filler, Step};

/// The bytes of an image of the bundle. An error of a read says little: [`error`](ImageReader::error) says what it was.
pub(super) struct ImageReader<'a> {
    image: &'a Image<'a>,
    filler: Filler<'a>,
    report: Report<'a>,
    batch: Batch,
    /// The step of the batch that is being read, and how much of it was.
    step: usize,
    done: u64,
    /// What has ended it.
    error: Option<UpdateError>,
}

impl<'a> ImageReader<'a> {
    /// From the first byte on. `plan` takes all from the bundle.
    pub fn new(image: &'a Image<'a>, plan: &'a Plan, source: &'a mut dyn Source, report: Report<'a>) -> Self {
        let filler = Filler::new(image, plan, source);
        ImageReader { image, filler, report, batch: Batch::default(), step: 0, done: 0, error: None }
    }

    /// What has ended it, where a read has failed.
    pub fn error(self) -> Option<UpdateError> {
        self.error
    }

    /// The next batch, compared; `false`: that was all.
    fn next(&mut self) -> Result<bool> {
        (self.step, self.done) = (0, 0);
        if !self.filler.fill(&mut self.batch)? {
            return Ok(false);
        }
        self.image.check(&self.batch, None)?;
        match (self.report)(self.batch.done()) {
            ControlFlow::Continue(()) => Ok(true),
            ControlFlow::Break(()) => Err(UpdateError::Cancelled),
        }
    }
}

impl Read for ImageReader<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        loop {
            let Some(step) = self.batch.steps.get(self.step) else {
                match self.next() {
                    Ok(true) => continue,
                    Ok(false) => return Ok(0),
                    Err(error) => {
                        self.error = Some(error);
                        return Err(ErrorKind::InvalidData.into());
                    }
                }
            };
            let (bytes, zeros) = match step {
                Step::Write(place, _) => (self.batch.bytes.get(place.clone()).unwrap_or_default(), 0),
                Step::Zeros(_, len, _) => (&[][..], *len),
                Step::Keep(_) | Step::Check(..) | Step::CheckZeros(_) => (&[][..], 0),
            };
            let left = (bytes.len() as u64 + zeros).saturating_sub(self.done);
            let count = left.min(to.len() as u64) as usize;
            if left == 0 {
                (self.step, self.done) = (self.step + 1, 0);
                continue;
            }
            let into = to.get_mut(..count).unwrap_or_default();
            match zeros {
                0 => into.copy_from_slice(
                    bytes.get(self.done as usize..).and_then(|rest| rest.get(..count)).unwrap_or_default(),
                ),
                _ => into.fill(0),
            }
            self.done += count as u64;
            return Ok(count);
        }
    }
}
