//! One image as a patch: what is in the old image is copied from there on the device, and the rest is stored as
//! differences to ranges of it.
//!
//! A device needs little memory for it: a difference is a zstd frame, whose prefix is a range of the old image that is
//! named in the table, and a bounded piece of the new image. Nothing else has to be at hand.

use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use super::compare::{compare, Make, OldImage, Stretch, UNIT};
use super::frame::{joined, Encoder};
use super::manifest::{Against, Payload};
use super::sha256;
use super::table::{Builder, Digest, LARGEST_WINDOW};
use crate::error::Place;
use crate::update::error::{Result, UpdateError};
use crate::update::pipe;

/// What becomes a patch.
pub(super) struct Pair<'a> {
    pub part: &'a str,
    pub old: &'a Path,
    pub new: &'a Path,
    /// The average size of chunks, by which the two are compared.
    pub average: u32,
    /// Of zstd.
    pub level: i32,
}

/// At this level of zstd it is tried which range of the old image helps most.
const TRIAL: i32 = 3;

/// A stretch that is worked on.
#[derive(Default)]
struct Job {
    stretch: Option<Stretch>,
    bytes: Vec<u8>,
    /// The range of the old image that helps most.
    old: Range<u64>,
    /// Its bytes, then the prefix.
    prefix: Vec<u8>,
    /// Of the new image, what is before the stretch.
    before: Vec<u8>,
    digest: Digest,
    old_digest: Digest,
    frame: Option<Vec<u8>>,
}

impl Job {
    fn read_old(&mut self, old: &File, range: &Range<u64>) -> io::Result<()> {
        self.prefix.resize((range.end - range.start) as usize, 0);
        old.read_exact_at(&mut self.prefix, range.start)
    }

    fn encode(&mut self, encoder: &mut Encoder, level: i32) -> Option<Vec<u8>> {
        let prefix = joined(&mut self.prefix, &self.before, LARGEST_WINDOW as usize);
        encoder.encode(prefix, &self.bytes, level)
    }
}

/// Adds the data of a patch, and returns what the manifest says of it, and its table.
///
/// # Errors
///
/// [`UpdateError::Device`] with the file that can't be read or written, [`UpdateError::Format`] where there is no old
/// image.
pub(super) fn add(
    pair: &Pair<'_>,
    data: &mut File,
    progress: &mut dyn FnMut(u64),
) -> Result<(Payload, Vec<u8>)> {
    let at = |path, step| move |error| UpdateError::from(Place::new(path, step).io(error));
    let failed_old = at(pair.old, "reading the old image");
    let failed_new = at(pair.new, "reading the image");
    let failed_out = at(pair.new, "writing its differences");
    let old_file = File::open(pair.old).map_err(failed_old)?;
    let mut new_file = File::open(pair.new).map_err(failed_new)?;
    let old = OldImage::read(&old_file, pair.average).map_err(failed_old)?;
    if old.size == 0 {
        return Err(UpdateError::Format(format!("the old image {} is empty", pair.old.display())));
    }
    let compared = compare(&old, &new_file, pair.average).map_err(failed_new)?;
    new_file.seek(SeekFrom::Start(0)).map_err(failed_new)?;

    let mut rest = compared.stretches.into_iter();
    let fill = |job: &mut Job| -> Result<bool> {
        job.stretch = rest.next();
        let Some(Stretch { offset, len, make }) = &job.stretch else { return Ok(false) };
        let read = |bytes: &mut Vec<u8>, from: u64, len: u64| {
            bytes.resize(len as usize, 0);
            new_file.read_exact_at(bytes, from)
        };
        if *make != Make::Zeros {
            read(&mut job.bytes, *offset, *len).map_err(failed_new)?;
        }
        if let Make::Unit(_) = make {
            let window = (*offset).min(LARGEST_WINDOW);
            read(&mut job.before, offset - window, window).map_err(failed_new)?;
        }
        Ok(true)
    };
    // For such long prefixes each needs some ten MiB: no more than there are threads.
    let encoders: Mutex<Vec<Encoder>> = Mutex::default();
    let pool = || encoders.lock().unwrap_or_else(PoisonError::into_inner);
    let work = |job: &mut Job| {
        job.frame = None;
        match job.stretch.clone().map(|stretch| stretch.make) {
            None | Some(Make::Zeros) => {}
            Some(Make::Copy(_)) => job.digest = sha256(&job.bytes),
            Some(Make::Unit(ranges)) => {
                let taken = pool().pop();
                let mut encoder = taken.unwrap_or_default();
                let mut best = None;
                for range in &ranges {
                    job.read_old(&old_file, range).map_err(failed_old)?;
                    let size = match ranges.len() {
                        1 => 0,
                        _ => job.encode(&mut encoder, TRIAL).map_or(usize::MAX, |frame| frame.len()),
                    };
                    if best.as_ref().is_none_or(|(smallest, _)| size < *smallest) {
                        best = Some((size, range.clone()));
                    }
                }
                job.old = best.map(|(_, range)| range).unwrap_or_default();
                let range = job.old.clone();
                job.read_old(&old_file, &range).map_err(failed_old)?;
                job.digest = sha256(&job.bytes);
                job.old_digest = sha256(&job.prefix);
                job.frame = job.encode(&mut encoder, pair.level);
                pool().push(encoder);
            }
        }
        Ok(())
    };
    let mut table = Builder::default();
    let mut out = BufWriter::with_capacity(UNIT as usize, data);
    let (mut stored, mut largest) = (0u64, 0u64);
    let consume = |job: &mut Job| {
        let Some(Stretch { offset, len, make }) = &job.stretch else { return Ok(()) };
        let mut store = |bytes: &[u8]| {
            stored += bytes.len() as u64;
            out.write_all(bytes).map_err(failed_out)
        };
        match make {
            Make::Zeros => table.zeros(*len),
            Make::Copy(from) => table.copy(*len, *from, job.digest),
            Make::Unit(_) => match &job.frame {
                Some(frame) => {
                    let old = (job.old.start, job.old.end - job.old.start);
                    table.difference(*len, frame.len() as u64, old, job.old_digest, job.digest);
                    store(frame)?;
                }
                None => {
                    table.chunk(*len, None, job.digest);
                    store(&job.bytes)?;
                }
            },
        }
        if *make != Make::Zeros {
            largest = largest.max(*len);
        }
        progress(offset + len);
        Ok(())
    };
    let jobs = (0..2 * pipe::workers() + 1).map(|_| Job::default()).collect();
    pipe::run(jobs, fill, work, consume)?;
    out.flush().map_err(failed_out)?;
    drop(out);
    let chunks = table.chunks();
    let table = table.finish();
    let payload = Payload {
        app: None,
        bootloader: None,
        part: pair.part.to_owned(),
        size: compared.size,
        sha256: compared.sha256,
        average: pair.average,
        window: LARGEST_WINDOW,
        largest,
        chunks,
        data: stored,
        table: table.len() as u64,
        table_sha256: sha256(&table),
        against: Some(Against { size: old.size, sha256: old.sha256 }),
    };
    Ok((payload, table))
}
