//! Where each chunk of an image will come from, found out before anything is written.
//!
//! | origin | when |
//! |---|---|
//! | the place itself | it holds the chunk already: from an installation that was cut, or of an older version. What can only be written as a whole holds all or nothing |
//! | the running slot | the bundle is dear, and the running slot's part of the same name holds the chunk somewhere |
//! | the bundle | else |
//!
//! Nothing is believed: the place and the running slot are read and hashed. Of a patch, the bundle holds differences
//! only: what of the old image they need has to be in the running slot, or nothing is written at all.

use std::io::{self, Read};
use std::ops::{ControlFlow, Range};

use super::bundle::chunker::{Chunker, Piece, Sizes};
use super::bundle::manifest::{hex, Against};
use super::bundle::sha256;
use super::bundle::table::{Digest, Entry, Kind, Old};
use super::error::{Result, UpdateError};
use super::image::{Done, Image, Report};
use super::target::Part;
use super::view::{is_written_whole, View};
use crate::storage::Access;

/// How many places of a slot are looked at to find out whether it may hold parts of the image.
const SAMPLES: usize = 64;

/// Where a chunk comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// It is in its place already.
    Place,
    /// It is in the running slot, at this offset.
    Running(u64),
    /// It is in the bundle.
    Bundle,
}

/// The origins of all chunks of an image, in eight bytes each: a large image has many.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    origins: Vec<u64>,
    /// There is nothing to do.
    whole: bool,
}

const PLACE: u64 = u64::MAX;
const BUNDLE: u64 = u64::MAX - 1;

impl Plan {
    /// Everything comes from the bundle.
    pub fn all_from_bundle(image: &Image<'_>) -> Plan {
        Plan { origins: vec![BUNDLE; image.table.chunks()], whole: false }
    }

    /// Looks at the place, and at the running slot's part if there is one to look at.
    ///
    /// # Errors
    ///
    /// [`UpdateError::Medium`], [`UpdateError::OldImage`], [`UpdateError::Cancelled`].
    pub fn make(image: &Image<'_>, place: &Part, running: Option<&Part>, report: Report<'_>) -> Result<Plan> {
        let mut plan = Plan::all_from_bundle(image);
        let mut old = place.view(Access::Read)?;
        // Both places are looked at one after the other: each one is a share of the image.
        let beside = match (&image.payload.against, running) {
            (Some(_), _) => image.payload.size,
            (None, Some(running)) => running.view(Access::Read).map_or(0, |view| view.readable()),
            (None, None) => 0,
        };
        let mut look = Look {
            report,
            size: image.payload.size,
            of: image.payload.size + beside,
            at: 0,
            found: Done::default(),
        };
        // After a sync that failed there are bytes in the page cache that are not on the medium, and never will be.
        old.drop_cache().map_err(|error| place.failed("dropping the page cache", 0, error))?;
        if holds_some(image, &mut old) {
            plan.find_in_place(image, &mut old, &mut look)?;
        }
        look.at = image.payload.size;
        if is_written_whole(&old.geometry()) {
            plan.whole = plan.is_all_in_place(image, &mut old);
            if plan.whole {
                return Ok(plan);
            }
            plan.origins.fill(BUNDLE);
        }
        match (&image.payload.against, running) {
            (Some(against), _) => plan.check_in_old(image, against, running, &mut look)?,
            (None, Some(running)) => plan.find_in_running(image, running, &mut look)?,
            (None, None) => {}
        }
        Ok(plan)
    }

    /// Whether the image is there and nothing is to be done. It is known of what can only be written as a whole.
    pub fn is_whole(&self) -> bool {
        self.whole
    }

    /// Whether the image is there from its first byte to its last one, and nothing else.
    fn is_all_in_place(&self, image: &Image<'_>, old: &mut View) -> bool {
        let mut entries = image.table.entries();
        old.readable() == image.payload.size
            && entries.all(|entry| match entry.kind {
                Kind::Zeros => old.holds_zeros(entry.offset, entry.len),
                _ => self.origin(entry.number) == Origin::Place,
            })
    }

    /// Whether `old` holds what of the old image is still needed.
    ///
    /// # Errors
    ///
    /// [`UpdateError::OldImage`], [`UpdateError::Cancelled`].
    pub fn check_old(
        &self,
        image: &Image<'_>,
        against: &Against,
        old: Option<&Part>,
        report: Report<'_>,
    ) -> Result<()> {
        let size = image.payload.size;
        self.check_in_old(
            image,
            against,
            old,
            &mut Look { report, size, of: size, at: 0, found: Done::default() },
        )
    }

    fn check_in_old(
        &self,
        image: &Image<'_>,
        against: &Against,
        old: Option<&Part>,
        look: &mut Look<'_>,
    ) -> Result<()> {
        let missing = |reason| UpdateError::OldImage { part: image.payload.part.clone(), reason };
        let Some(part) = old else {
            return Err(missing("it is not known which slot runs, or it has no such part".into()));
        };
        let mut view = part.view(Access::Read).map_err(|error| missing(error.to_string()))?;
        let mut bytes = Vec::new();
        for entry in image.table.entries() {
            if let (Some(old), Origin::Bundle) = (entry.old, self.origin(entry.number)) {
                bytes.resize(old.len as usize, 0);
                let read = view.read(old.offset, &mut bytes);
                let path = part.path.display();
                if let Err(error) = read {
                    return Err(missing(format!("{path} can't be read at {:#x}: {error}", old.offset)));
                }
                if !is_old(image, &entry, &old, &bytes) {
                    let id = hex(against.sha256.get(..8).unwrap_or_default());
                    return Err(missing(format!(
                        "{path} holds other bytes at {:#x} than the image {id}... that the patch was made against",
                        old.offset
                    )));
                }
            }
            look.past(entry.len)?;
        }
        Ok(())
    }

    /// Where the chunk with this number comes from.
    pub fn origin(&self, number: usize) -> Origin {
        match self.origins.get(number) {
            Some(&PLACE) => Origin::Place,
            None | Some(&BUNDLE) => Origin::Bundle,
            Some(&offset) => Origin::Running(offset),
        }
    }

    fn set(&mut self, number: usize, value: u64) {
        if let Some(origin) = self.origins.get_mut(number) {
            *origin = value;
        }
    }

    /// What of the bundle is needed, in ascending order.
    pub fn ranges(&self, image: &Image<'_>) -> Vec<Range<u64>> {
        let mut ranges: Vec<Range<u64>> = Vec::new();
        let needed = |entry: &Entry| entry.stored > 0 && self.origin(entry.number) == Origin::Bundle;
        for entry in image.table.entries().filter(needed) {
            let start = image.data + entry.stored_at;
            match ranges.last_mut() {
                Some(last) if last.end == start => last.end += entry.stored,
                _ => ranges.push(start..start + entry.stored),
            }
        }
        ranges
    }

    /// What there is to do, in bytes, at a place that holds this.
    pub fn sum(&self, image: &Image<'_>, place: &mut View) -> Done {
        let mut done = Done::default();
        for entry in image.table.entries() {
            done.all += entry.len;
            match self.origin(entry.number) {
                _ if entry.kind == Kind::Zeros => {
                    // A volume that can only be written whole takes its zeros with all else.
                    let there = self.whole || !is_written_whole(&place.geometry());
                    match there && place.holds_zeros(entry.offset, entry.len) {
                        true => done.kept += entry.len,
                        false => done.written += entry.len,
                    }
                }
                Origin::Place => done.kept += entry.len,
                Origin::Running(_) => {
                    done.written += entry.len;
                    done.copied += entry.len;
                }
                Origin::Bundle => {
                    done.written += entry.len;
                    done.fetched += entry.stored;
                    done.copied += if entry.kind == Kind::Copy { entry.len } else { 0 };
                }
            }
        }
        done
    }

    fn find_in_place(&mut self, image: &Image<'_>, old: &mut View, look: &mut Look<'_>) -> Result<()> {
        let mut bytes = Vec::new();
        for entry in image.table.entries() {
            if entry.kind != Kind::Zeros && is_there(image, old, entry, &mut bytes) {
                self.set(entry.number, PLACE);
                look.found.kept += entry.len;
            }
            look.past(entry.len)?;
        }
        Ok(())
    }

    /// Cuts the running slot in the way in which the image was cut, and looks for the chunks that are still missing. What
    /// can't be read there is fetched: an update may be what mends the slot.
    fn find_in_running(&mut self, image: &Image<'_>, running: &Part, look: &mut Look<'_>) -> Result<()> {
        let missing =
            |entry: &Entry| entry.kind != Kind::Zeros && self.origin(entry.number) == Origin::Bundle;
        let mut wanted: Vec<(Digest, usize)> = image
            .table
            .entries()
            .filter(missing)
            .map(|entry| (image.table.digest(entry.number), entry.number))
            .collect();
        if wanted.is_empty() {
            return Ok(());
        }
        wanted.sort_unstable();
        let Ok(view) = running.view(Access::Read) else { return Ok(()) };
        let mut chunker = Chunker::new(Reader { view, at: 0 }, Sizes { average: image.payload.average });
        let mut at = 0;
        while let Ok(Some(piece)) = chunker.next_piece() {
            let len = match piece {
                Piece::Zeros(len) => len,
                Piece::Chunk(chunk) => {
                    let digest = sha256(chunk);
                    let first = wanted.partition_point(|(other, _)| *other < digest);
                    let same = wanted
                        .get(first..)
                        .unwrap_or_default()
                        .iter()
                        .take_while(|(other, _)| *other == digest);
                    for (_, number) in same {
                        self.set(*number, at);
                        look.found.copied += chunk.len() as u64;
                    }
                    chunk.len() as u64
                }
            };
            at += len;
            look.past(len)?;
        }
        Ok(())
    }
}

/// How far a look at one or two places is. Who hears of it hears of one image.
struct Look<'a> {
    report: Report<'a>,
    /// Bytes of the image.
    size: u64,
    /// Bytes of all places.
    of: u64,
    /// Bytes of them that were looked at.
    at: u64,
    /// What was found.
    found: Done,
}

impl Look<'_> {
    /// So many bytes more. It is told each MiB.
    fn past(&mut self, len: u64) -> Result<()> {
        let before = self.at;
        self.at = (self.at + len).min(self.of);
        if before >> 20 == self.at >> 20 {
            return Ok(());
        }
        let share = u128::from(self.size) * u128::from(self.at) / u128::from(self.of.max(1));
        let all = u64::try_from(share).unwrap_or(self.size);
        match (self.report)(Done { all, ..self.found }) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(UpdateError::Cancelled),
        }
    }
}

/// Whether the place may hold parts of the image: a few chunks are looked at, all over it. Where none of them is there,
/// it is quicker to write everything than to look at everything.
fn holds_some(image: &Image<'_>, old: &mut View) -> bool {
    let step = image.table.chunks().div_ceil(SAMPLES).max(1);
    let mut bytes = Vec::new();
    let mut chunks = image.table.entries().filter(|entry| entry.kind != Kind::Zeros).step_by(step);
    chunks.any(|entry| is_there(image, old, entry, &mut bytes))
}

/// Reads what is in the place of a chunk, and compares it. What can't be read is not there: it will be written.
fn is_there(image: &Image<'_>, old: &mut View, entry: Entry, bytes: &mut Vec<u8>) -> bool {
    bytes.resize(entry.len as usize, 0);
    old.read(entry.offset, bytes).is_ok() && sha256(bytes) == image.table.digest(entry.number)
}

/// Whether these bytes are the range of the old image that a chunk needs.
pub(super) fn is_old(image: &Image<'_>, entry: &Entry, old: &Old, bytes: &[u8]) -> bool {
    let digest = sha256(bytes);
    old.check.map_or_else(|| digest == image.table.digest(entry.number), |check| digest.starts_with(&check))
}

/// A part from its start to its end.
struct Reader {
    view: View,
    at: u64,
}

impl Read for Reader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let left = self.view.readable().saturating_sub(self.at);
        let len = usize::try_from(left).unwrap_or(usize::MAX).min(buf.len());
        let Some(buf) = buf.get_mut(..len) else { return Ok(0) };
        self.view.read(self.at, buf)?;
        self.at += len as u64;
        Ok(len)
    }
}
