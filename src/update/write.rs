//! One image from the bundle to its place, and back from there for the proof.
//!
//! ```text
//!  write      table, bundle, what the slots hold  --> chunk --> [hash] --> written, in the order of the image
//!  read back  the place, past the cache           --> chunk --> [hash] --> nothing
//! ```
//!
//! A chunk is written only after its hash was compared. What the place holds already, is not written again: so an
//! installation that was cut goes on where it was, without any note that could be wrong.

use std::io;
use std::ops::{ControlFlow, Range};

use super::bundle::frame::{history, joined, prefix, Decoder};
use super::bundle::table::{Digest, Entries, Entry, Kind, Old};
use super::bundle::{sha256, WholeHash};
use super::error::{Result, UpdateError};
use super::image::{Done, Image, Report};
use super::out;
use super::pipe;
use super::plan::{is_old, Origin, Plan};
use super::source::Source;
use super::target::Part;
use super::view::{is_written_whole, View};
use crate::storage::Access;

/// So much of an image is worked on together.
const BATCH: usize = 1 << 20;

/// A stretch of the image on its way.
#[derive(Default)]
pub(super) struct Batch {
    /// Where `bytes` start in the image.
    start: u64,
    pub bytes: Vec<u8>,
    pub steps: Vec<Step>,
    /// As in [`Done`]; of the image up to the end of this batch.
    fetched: u64,
    copied: u64,
    pub end: u64,
}

impl Batch {
    /// Of the image up to the end of this batch.
    #[cfg(any(feature = "app", feature = "bootloader"))]
    pub fn done(&self) -> Done {
        Done { all: self.end, fetched: self.fetched, copied: self.copied, ..Done::default() }
    }
}

pub(super) enum Step {
    /// Bytes of the batch that must have this hash, and are written then; without one they were compared already.
    Write(Range<usize>, Option<Digest>),
    /// Bytes of the batch that are there already.
    Keep(Range<usize>),
    /// From this offset of the image on there are so many zeros, and whether they have to be written.
    Zeros(u64, u64, bool),
    /// Bytes that were read back and must have this hash.
    Check(Range<usize>, Digest),
    /// Bytes that were read back and must be zeros.
    CheckZeros(Range<usize>),
}

/// The most buffers for the long windows and large chunks of a patch, of which each needs some MiB.
const LARGE_BUFFERS: usize = 4;

impl Image<'_> {
    fn buffers(&self) -> Vec<Batch> {
        let buffer = Batch::default;
        let most = if self.window() >= BATCH { LARGE_BUFFERS } else { usize::MAX };
        (0..(pipe::workers() + 2).min(most)).map(|_| buffer()).collect()
    }

    /// When a batch has so many bytes, another chunk might make it larger than [`BATCH`].
    fn full(&self) -> usize {
        BATCH.saturating_sub(self.payload.largest as usize) + 1
    }

    fn damaged(&self, offset: u64) -> UpdateError {
        UpdateError::Damaged { part: self.payload.part.clone(), offset }
    }

    fn window(&self) -> usize {
        // The manifest has limited it.
        self.payload.window as usize
    }

    /// Compares the hashes of a batch; `part` is where it was read back from.
    pub(super) fn check(&self, batch: &Batch, part: Option<&Part>) -> Result<()> {
        let differs = |offset| part.map_or_else(|| self.damaged(offset), |part| part.differs(offset));
        let bytes = |place: &Range<usize>| batch.bytes.get(place.clone()).unwrap_or_default();
        for step in &batch.steps {
            match step {
                Step::Write(place, Some(digest)) if sha256(bytes(place)) != *digest => {
                    return Err(self.damaged(batch.start + place.start as u64));
                }
                Step::Check(place, digest) if sha256(bytes(place)) != *digest => {
                    return Err(differs(batch.start + place.start as u64));
                }
                Step::CheckZeros(place) if bytes(place).iter().any(|&byte| byte != 0) => {
                    return Err(differs(batch.start + place.start as u64));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Writes the image as planned, and returns when it is on the medium.
    ///
    /// # Errors
    ///
    /// [`UpdateError::Read`], [`UpdateError::Damaged`], [`UpdateError::Medium`], [`UpdateError::Cancelled`].
    pub fn write(
        &self,
        plan: &Plan,
        places: Places<'_>,
        source: &mut dyn Source,
        report: Report<'_>,
    ) -> Result<Done> {
        let part = places.target;
        let mut done = Done::default();
        if plan.is_whole() {
            (done.kept, done.all) = (self.payload.size, self.payload.size);
            go_on(report, done)?;
            return Ok(done);
        }
        let mut out = out::open(part, self.payload.size)?;
        let mut filler = Filler::new(self, plan, source);
        // Of what is written as a whole, nothing is there any more.
        filler.old = Some(part.view(Access::Read)?).filter(|old| !is_written_whole(&old.geometry()));
        filler.look_at(places.running)?;
        let consume = |batch: &mut Batch| {
            for step in &batch.steps {
                match step {
                    Step::Write(place, _) | Step::Keep(place) => {
                        let bytes = batch.bytes.get(place.clone()).unwrap_or_default();
                        let new = matches!(step, Step::Write(..));
                        out.write(batch.start + place.start as u64, bytes, new)?;
                        *(if new { &mut done.written } else { &mut done.kept }) += bytes.len() as u64;
                    }
                    Step::Zeros(offset, len, new) => {
                        out.zeros(*offset, *len, *new)?;
                        *(if *new { &mut done.written } else { &mut done.kept }) += len;
                    }
                    Step::Check(..) | Step::CheckZeros(_) => {}
                }
            }
            (done.fetched, done.copied, done.all) = (batch.fetched, batch.copied, batch.end);
            go_on(report, done)
        };
        pipe::run(self.buffers(), |batch| filler.fill(batch), |batch| self.check(batch, None), consume)?;
        out.finish()?;
        Ok(done)
    }

    /// Takes the whole image from the bundle and compares it with its hashes; it goes nowhere.
    ///
    /// # Errors
    ///
    /// [`UpdateError::Read`], [`UpdateError::Damaged`], [`UpdateError::Cancelled`], and [`UpdateError::Format`] where
    /// the manifest has another hash of the whole image. Of a patch, `old` is the old image, and without it there is
    /// [`UpdateError::OldImage`].
    pub fn verify(&self, source: &mut dyn Source, old: Option<&Part>, report: Report<'_>) -> Result<()> {
        let plan = Plan::all_from_bundle(self);
        if let Some(against) = &self.payload.against {
            plan.check_old(self, against, old, report)?;
        }
        let mut filler = Filler::new(self, &plan, source);
        filler.look_at(old)?;
        let mut whole = WholeHash::default();
        let consume = |batch: &mut Batch| {
            for step in &batch.steps {
                match step {
                    Step::Write(place, _) => whole.update(batch.bytes.get(place.clone()).unwrap_or_default()),
                    Step::Zeros(_, len, _) => whole.zeros(*len),
                    Step::Keep(_) | Step::Check(..) | Step::CheckZeros(_) => {}
                }
            }
            go_on(report, Done { all: batch.end, fetched: batch.fetched, ..Done::default() })
        };
        pipe::run(self.buffers(), |batch| filler.fill(batch), |batch| self.check(batch, None), consume)?;
        if whole.finish() != self.payload.sha256 {
            let part = &self.payload.part;
            return Err(UpdateError::Format(format!(
                "the image of {part} has another SHA-256 than the manifest says"
            )));
        }
        Ok(())
    }

    /// Reads the whole image back from the medium and compares it with its hashes.
    ///
    /// # Errors
    ///
    /// [`UpdateError::ReadBack`], [`UpdateError::Medium`], [`UpdateError::Cancelled`].
    pub fn read_back(&self, part: &Part, report: Report<'_>) -> Result<()> {
        let failed = |offset| move |error| part.failed("reading it back", offset, error);
        let mut medium = part.view(Access::Read)?;
        medium.drop_cache().map_err(failed(0))?;
        let mut entries = self.table.entries();
        // What of a long run of zeros is left.
        let mut zeros: Option<Range<u64>> = None;
        let mut at = 0;
        let fill = |batch: &mut Batch| {
            batch.start = at;
            batch.steps.clear();
            let mut len = 0;
            while len < BATCH {
                if let Some(run) = zeros.take() {
                    let count = (run.end - run.start).min((BATCH - len) as u64);
                    batch.steps.push(Step::CheckZeros(len..len + count as usize));
                    len += count as usize;
                    zeros = Some(run.start + count..run.end).filter(|rest| !rest.is_empty());
                    continue;
                }
                let Some(entry) = entries.next() else { break };
                if entry.kind == Kind::Zeros {
                    zeros = Some(entry.offset..entry.offset + entry.len);
                } else {
                    batch
                        .steps
                        .push(Step::Check(len..len + entry.len as usize, self.table.digest(entry.number)));
                    len += entry.len as usize;
                }
            }
            batch.bytes.resize(len, 0);
            medium.read(at, &mut batch.bytes).map_err(failed(at))?;
            at += len as u64;
            batch.end = at;
            Ok(len > 0)
        };
        let consume = |batch: &mut Batch| go_on(report, Done { all: batch.end, ..Done::default() });
        pipe::run(self.buffers(), fill, |batch| self.check(batch, Some(part)), consume)
    }
}

fn go_on(report: &mut dyn FnMut(Done) -> ControlFlow<()>, done: Done) -> Result<()> {
    match report(done) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(UpdateError::Cancelled),
    }
}

/// So many zeros are one step, so that progress is heard of in between, and it can be cancelled.
const ZEROS: u64 = 64 << 20;

/// Where an image goes, and where parts of it may be.
#[derive(Clone, Copy)]
pub(crate) struct Places<'a> {
    /// Where it goes.
    pub target: &'a Part,
    /// The running slot's part of the same name.
    pub running: Option<&'a Part>,
}

/// Makes the batches of an image.
pub(super) struct Filler<'a> {
    image: &'a Image<'a>,
    plan: &'a Plan,
    source: &'a mut dyn Source,
    old: Option<View>,
    running: Option<(&'a Part, View)>,
    entries: Entries<'a>,
    /// What is left of a long run of zeros.
    zeros: Option<Entry>,
    decoder: Decoder,
    /// The last bytes of the image before the batch.
    history: Vec<u8>,
    frame: Vec<u8>,
    /// The prefix of a difference.
    prefix: Vec<u8>,
    fetched: u64,
    copied: u64,
}

impl<'a> Filler<'a> {
    pub fn new(image: &'a Image<'a>, plan: &'a Plan, source: &'a mut dyn Source) -> Self {
        Filler {
            image,
            plan,
            source,
            old: None,
            running: None,
            entries: image.table.entries(),
            zeros: None,
            decoder: Decoder::new(),
            history: Vec::new(),
            frame: Vec::new(),
            prefix: Vec::new(),
            fetched: 0,
            copied: 0,
        }
    }

    /// The running slot's part, or another one that holds the old image. Only a patch needs it.
    fn look_at(&mut self, part: Option<&'a Part>) -> Result<()> {
        self.running = match part.map(|part| (part, part.view(Access::Read))) {
            Some((part, Ok(view))) => Some((part, view)),
            Some((_, Err(error))) if self.image.payload.against.is_some() => return Err(error),
            _ => None,
        };
        Ok(())
    }

    pub fn fill(&mut self, batch: &mut Batch) -> Result<bool> {
        batch.steps.clear();
        batch.bytes.clear();
        batch.bytes.append(&mut self.history);
        let lead = batch.bytes.len();
        let (mut first, mut zeros) = (true, 0);
        while batch.bytes.len() < lead + self.image.full() && zeros == 0 {
            let Some(mut entry) = self.zeros.take().or_else(|| self.entries.next()) else { break };
            if entry.kind == Kind::Zeros && entry.len > ZEROS {
                self.zeros = Some(Entry { offset: entry.offset + ZEROS, len: entry.len - ZEROS, ..entry });
                entry.len = ZEROS;
            }
            if first {
                batch.start = entry.offset - lead as u64;
                first = false;
            }
            batch.end = entry.offset + entry.len;
            if entry.kind == Kind::Zeros {
                // The bytes of the batch are not the image's any more: it ends here.
                zeros = entry.len;
                let there = self.old.as_mut().is_some_and(|old| old.holds_zeros(entry.offset, zeros));
                batch.steps.push(Step::Zeros(entry.offset, zeros, !there));
            } else {
                self.chunk(entry, batch)?;
            }
        }
        self.history = history(&batch.bytes, zeros, self.image.window());
        (batch.fetched, batch.copied) = (self.fetched, self.copied);
        Ok(!first)
    }

    fn chunk(&mut self, entry: Entry, batch: &mut Batch) -> Result<()> {
        let start = batch.bytes.len();
        batch.bytes.resize(start + entry.len as usize, 0);
        let (before, chunk) = batch.bytes.split_at_mut(start);
        let digest = self.image.table.digest(entry.number);
        // It was hashed a moment ago and will be hashed once more when it is read back. Where it may be written anew
        // with the block that it is in, or be lost to a block that moved, it is hashed now, too.
        let moves = self.old.as_ref().is_some_and(|old| old.geometry().erase_size > 0);
        let compare = match self.plan.origin(entry.number) {
            Origin::Place if self.is_in_place(entry.offset, chunk) && (!moves || sha256(chunk) == digest) => {
                batch.steps.push(Step::Keep(start..batch.bytes.len()));
                return Ok(());
            }
            // The running slot may have changed since.
            Origin::Running(at) if self.is_running(at, chunk) && sha256(chunk) == digest => {
                self.copied += entry.len;
                None
            }
            _ => match entry.old {
                Some(old) => {
                    self.make_from_old(&entry, &old, before, chunk)?;
                    None
                }
                None => {
                    self.take_stored(&entry, before, chunk)?;
                    Some(digest)
                }
            },
        };
        batch.steps.push(Step::Write(start..batch.bytes.len(), compare));
        Ok(())
    }

    fn is_in_place(&mut self, at: u64, chunk: &mut [u8]) -> bool {
        self.old.as_mut().is_some_and(|old| old.read(at, chunk).is_ok())
    }

    fn is_running(&mut self, at: u64, chunk: &mut [u8]) -> bool {
        self.running.as_mut().is_some_and(|(_, view)| view.read(at, chunk).is_ok())
    }

    fn take_stored(&mut self, entry: &Entry, before: &[u8], chunk: &mut [u8]) -> Result<()> {
        self.fetched += entry.stored;
        if entry.kind == Kind::Plain {
            return self.source.fetch(self.image.data + entry.stored_at, chunk);
        }
        self.fetch_frame(entry)?;
        match self.decoder.decode(prefix(before, self.image.window()), &self.frame, chunk) {
            true => Ok(()),
            false => Err(self.image.damaged(entry.offset)),
        }
    }

    fn fetch_frame(&mut self, entry: &Entry) -> Result<()> {
        self.frame.resize(entry.stored as usize, 0);
        self.source.fetch(self.image.data + entry.stored_at, &mut self.frame)
    }

    /// A chunk that needs the old image, compared with its hash. All that is needed was there before the first byte was
    /// written, but the running slot may have changed since.
    fn make_from_old(&mut self, entry: &Entry, old: &Old, before: &[u8], chunk: &mut [u8]) -> Result<()> {
        let Filler { image, running: Some((part, view)), prefix: range, .. } = self else {
            return Err(UpdateError::OldImage {
                part: self.image.payload.part.clone(),
                reason: "it is not given".into(),
            });
        };
        let (image, part) = (*image, *part);
        range.resize(old.len as usize, 0);
        let failed = |error| part.failed("reading the old image", old.offset, error);
        view.read(old.offset, range).map_err(failed)?;
        let good = if entry.kind == Kind::Copy {
            chunk.copy_from_slice(range);
            self.copied += entry.len;
            sha256(chunk) == image.table.digest(entry.number)
        } else {
            self.fetched += entry.stored;
            self.fetch_frame(entry)?;
            let prefix = joined(&mut self.prefix, before, image.window());
            self.decoder.decode(prefix, &self.frame, chunk)
                && sha256(chunk) == image.table.digest(entry.number)
        };
        // Whose fault it is, says the hash of the range.
        let range = self.prefix.get(..old.len as usize).unwrap_or_default();
        match good {
            true => Ok(()),
            false if is_old(image, entry, old, range) => Err(image.damaged(entry.offset)),
            false => Err(failed(io::Error::other("it has changed since it was looked at"))),
        }
    }
}
