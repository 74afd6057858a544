//! Pure: Copies that start at a multiple of [`GRID`]: the checksum at each multiple of it behind the start, whatever
//! lies there.
//!
//! The bytes behind the variables need not be a fill: tools leave old values there. So each checksum up to there
//! has to be computed, but one for all candidates together: they differ by what lay before, and that difference
//! moves on by one multiplication.

use super::field::{shift, zeros};
use super::{ByteOrder, Found};
use crate::env::image::Layout;

/// Where a copy whose fill is not uniform may start and how its size may step. Block devices have sectors of 512
/// bytes, the smallest EEPROMs 256 bytes.
pub(crate) const GRID: u64 = 256;
const STEP: usize = GRID as usize;

/// The largest size that is looked for in this way. Each try is a chance of 2^-31 for a false alarm.
pub(crate) const LARGEST: u64 = 1 << 20;

/// So many candidates at the same place are no environments but a file made to look like them.
const MOST: usize = 1024;

/// A place at which a copy may start.
pub(super) struct Start {
    pub(super) offset: u64,
    pub(super) layout: Layout,
    pub(super) crc: [u8; 4],
    pub(super) flags: u8,
    /// The checksum of the data up to [`GRID`] bytes behind the start.
    pub(super) first: u32,
}

struct Candidate {
    start: Start,
    /// Checksum of its data so far, exclusive or that of the stream.
    difference: u32,
}

#[derive(Default)]
pub(super) struct Tails {
    candidates: Vec<Candidate>,
    /// Up to where the stream was taken into the checksum, and the checksum. Without candidates nothing is.
    position: u64,
    stream: crc32fast::Hasher,
    by_grid: u32,
}

impl Tails {
    /// Where the next bytes have to come from; `None`: nothing is waited for.
    pub(super) fn position(&self) -> Option<u64> {
        (!self.candidates.is_empty()).then_some(self.position)
    }

    /// Takes a start whose first [`GRID`] bytes end where the stream was taken up to. Gives the copy if it ends there.
    pub(super) fn add(&mut self, start: Start) -> Option<Found> {
        let end = start.offset + GRID;
        if self.candidates.is_empty() {
            self.position = end;
            self.stream = crc32fast::Hasher::new();
            self.by_grid = zeros(GRID);
        }
        let found = start.matches(start.first, end);
        if found.is_none() && self.position == end && self.candidates.len() < MOST {
            let difference = start.first ^ self.stream.clone().finalize();
            self.candidates.push(Candidate { start, difference });
        }
        found
    }

    /// Takes the next bytes, a multiple of [`GRID`].
    pub(super) fn advance(&mut self, bytes: &[u8], mut found: impl FnMut(Found)) {
        for block in bytes.chunks_exact(STEP) {
            if self.candidates.is_empty() {
                return;
            }
            self.stream.update(block);
            self.position += GRID;
            let (stream, position, by_grid) = (self.stream.clone().finalize(), self.position, self.by_grid);
            self.candidates.retain_mut(|candidate| {
                candidate.difference = shift(candidate.difference, by_grid);
                let copy = candidate.start.matches(stream ^ candidate.difference, position);
                let ended = copy.is_some() || position - candidate.start.offset >= LARGEST;
                copy.into_iter().for_each(&mut found);
                !ended
            });
        }
    }

    /// The stream is interrupted.
    pub(super) fn clear(&mut self) {
        self.candidates.clear();
    }
}

impl Start {
    fn matches(&self, crc: u32, end: u64) -> Option<Found> {
        let order = ByteOrder::of(self.crc, crc)?;
        let flags = (self.layout == Layout::Redundant).then_some(self.flags);
        Some(Found { offset: self.offset, size: end - self.offset, layout: self.layout, order, flags })
    }
}
