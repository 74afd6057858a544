//! Images -> bundle. Equal images and options give equal bytes, on any number of processors.
//!
//! ```text
//!  image -> pieces -> [hash and compress, several threads] -> table
//!                                                          -> data, in a file of its own
//!  head, manifest, tables, then the data: the bundle, under its name only when it is complete
//! ```

use std::fs::{self, File};
use std::io::{self, BufWriter, Seek, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::application::Application;
use super::chunker::{Chunker, Piece, Sizes};
use super::container::{signatures_to_bytes, Head, Signature};
use super::frame::history;
use super::kind::BootLoader;
use super::manifest::{Manifest, Payload};
use super::patch::{self, Pair};
use super::press::Press;
use super::table::{Builder, Digest};
use super::{sha256, WholeHash};
use crate::error::Place;
use crate::update::error::{Result, UpdateError};
use crate::update::pipe;

/// How images are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compression {
    /// Of zstd, 1 to 22.
    pub level: i32,
    /// How many bytes of the image before a chunk help to compress it.
    pub window: usize,
    /// The average size of chunks in bytes; `None`: by the size of the image.
    pub average: Option<u32>,
}

impl Default for Compression {
    fn default() -> Self {
        Compression { level: 19, window: 1 << 20, average: None }
    }
}

/// The average size of the chunks by which a patch is found. They are not in its table, so that they may be small.
const PATCH_AVERAGE: u32 = 8 << 10;

/// A table of this size is still small beside what a device has of memory.
const TABLE_AIM: u64 = 8 << 20;

/// The average size of chunks for an image of this size: the smallest with which the table is not too large.
pub fn average_for(size: u64) -> u32 {
    // A chunk costs its hash and some four bytes.
    let large = |average: &u32| size / u64::from(*average) * 36 > TABLE_AIM;
    let mut average = 8 << 10;
    while large(&average) && average < 256 << 10 {
        average *= 2;
    }
    average
}

/// Makes a bundle without a signature. `manifest` names all but the payloads; `images` are the parts of a slot with
/// the file of each. `progress` hears how many bytes of all images were worked on.
///
/// # Errors
///
/// [`UpdateError::Device`] with the file that can't be read or written, [`UpdateError::Format`] for what can't be in a
/// manifest. A file that was there under this name is still there then.
pub fn create(
    out: &Path,
    manifest: Manifest,
    images: &[(String, PathBuf)],
    compression: Compression,
    progress: &mut dyn FnMut(u64),
) -> Result<Manifest> {
    create_against(out, manifest, images, &[], compression, progress)
}

/// The same where the devices run known images, `old`, also with the part of each. Of a part that has one, the bundle
/// holds a patch, which is much smaller, and which only devices can install whose running slot holds this very image.
///
/// # Errors
///
/// As of [`create`]. [`UpdateError::Format`] also where there is an old image of a part without a new one.
pub fn create_against(
    out: &Path,
    manifest: Manifest,
    images: &[(String, PathBuf)],
    old: &[(String, PathBuf)],
    compression: Compression,
    progress: &mut dyn FnMut(u64),
) -> Result<Manifest> {
    create_with_apps(out, manifest, images, old, &[], compression, progress)
}

/// A bundle of a boot loader alone.
///
/// # Errors
///
/// As of [`create`].
pub fn create_of_bootloader(
    out: &Path,
    manifest: Manifest,
    image: &Path,
    about: BootLoader,
    compression: Compression,
    progress: &mut dyn FnMut(u64),
) -> Result<Manifest> {
    let new = Contents { bootloader: Some((image, about)), ..Contents::default() };
    create_of(out, manifest, &new, compression, progress)
}

/// The same with applications, behind the images if there are any.
///
/// # Errors
///
/// As of [`create_against`].
pub fn create_with_apps(
    out: &Path,
    manifest: Manifest,
    images: &[(String, PathBuf)],
    old: &[(String, PathBuf)],
    apps: &[AppFile],
    compression: Compression,
    progress: &mut dyn FnMut(u64),
) -> Result<Manifest> {
    create_of(out, manifest, &Contents { images, old, apps, bootloader: None }, compression, progress)
}

/// What goes into a bundle.
#[derive(Default)]
struct Contents<'a> {
    images: &'a [(String, PathBuf)],
    old: &'a [(String, PathBuf)],
    apps: &'a [AppFile],
    bootloader: Option<(&'a Path, BootLoader)>,
}

fn create_of(
    out: &Path,
    mut manifest: Manifest,
    contents: &Contents<'_>,
    compression: Compression,
    progress: &mut dyn FnMut(u64),
) -> Result<Manifest> {
    let Contents { images, old, apps, bootloader } = *contents;
    if let Some((part, _)) = old.iter().find(|(part, _)| !images.iter().any(|(other, _)| other == part)) {
        return Err(UpdateError::Format(format!("there is an old image of {part}, and no new one")));
    }
    let failed = |step: &'static str| move |error| UpdateError::from(Place::new(out, step).io(error));
    let mut data = Temporary::beside(out, ".data").map_err(failed("making a file beside it"))?;
    let mut tables = Vec::new();
    let mut done = 0;
    for (part, path) in images {
        let mut report = |bytes| progress(done + bytes);
        let (payload, table) = match old.iter().find(|(other, _)| other == part) {
            None => add(part, path, compression, &mut data.file, &mut report)?,
            Some((_, old)) => {
                let average = compression.average.unwrap_or(PATCH_AVERAGE);
                let pair = Pair { part, old, new: path, average, level: compression.level };
                patch::add(&pair, &mut data.file, &mut report)?
            }
        };
        done += payload.size;
        manifest.payloads.push(payload);
        tables.extend(table);
    }
    for AppFile { name, archive, about } in apps {
        let mut report = |bytes| progress(done + bytes);
        let (payload, table) = add(name, archive, compression, &mut data.file, &mut report)?;
        done += payload.size;
        manifest.payloads.push(Payload { app: Some(about.clone()), ..payload });
        tables.extend(table);
    }
    if let Some((image, about)) = bootloader {
        let (payload, table) = add(BOOTLOADER, image, compression, &mut data.file, progress)?;
        manifest.payloads.push(Payload { bootloader: Some(about), ..payload });
        tables.extend(table);
    }
    let text = manifest.to_text().map_err(UpdateError::Format)?;
    data.file.rewind().map_err(failed("reading its data"))?;
    let head = Head { manifest: length(text.len())?, signatures: 0 };
    let start = [&head.to_bytes()[..], text.as_bytes(), &tables].concat();
    put_together(out, &start, &mut data.file)?;
    Ok(manifest)
}

/// What the manifest calls a boot loader.
const BOOTLOADER: &str = "bootloader";

/// An application to be put into a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppFile {
    /// Its name.
    pub name: String,
    /// Its archive (tar).
    pub archive: PathBuf,
    /// What the manifest says of it.
    pub about: Application,
}

/// Writes the same bundle with these signatures, in the place of those that it has.
///
/// # Errors
///
/// [`UpdateError::Device`] with the file that can't be read or written. The bundle is then as it was.
pub fn sign(bundle: &Path, manifest: &[u8], signatures: &[Signature]) -> Result<()> {
    let failed = |step: &'static str| move |error| UpdateError::from(Place::new(bundle, step).io(error));
    let mut old = File::open(bundle).map_err(failed("opening it"))?;
    let mut head = [0; super::container::HEAD];
    io::Read::read_exact(&mut old, &mut head).map_err(failed("reading it"))?;
    let old_head = Head::parse(&head).map_err(|reason| UpdateError::Format(reason.into()))?;
    old.seek(io::SeekFrom::Start(old_head.end())).map_err(failed("reading it"))?;
    let signatures = signatures_to_bytes(signatures);
    let head = Head { signatures: length(signatures.len())?, ..old_head };
    put_together(bundle, &[&head.to_bytes()[..], manifest, &signatures].concat(), &mut old)
}

/// Writes the start of a bundle and the rest of a file to a bundle, which has its name only when it is complete.
fn put_together(bundle: &Path, start: &[u8], rest: &mut File) -> Result<()> {
    let failed = |step: &'static str| move |error| UpdateError::from(Place::new(bundle, step).io(error));
    let mut new = Temporary::beside(bundle, ".new").map_err(failed("making a file beside it"))?;
    let mut write = || {
        new.file.write_all(start)?;
        io::copy(rest, &mut new.file)?;
        new.file.sync_all()
    };
    write().map_err(failed("writing it"))?;
    new.rename(bundle).map_err(failed("renaming it"))
}

fn length(bytes: usize) -> Result<u32> {
    u32::try_from(bytes).map_err(|_| UpdateError::Format("it is too long".into()))
}

/// Pieces of an image that are worked on together.
struct Batch {
    press: Press,
    /// Before the pieces there are up to [`Compression::window`] bytes of the image.
    bytes: Vec<u8>,
    /// Where the pieces start in `bytes`.
    lead: usize,
    /// Where each chunk and each short run of zeros lies in `bytes`.
    pieces: Vec<(Range<usize>, Done)>,
    /// So many zeros follow, of which `bytes` holds none.
    zeros: u64,
}

enum Done {
    Not,
    Zeros,
    Plain(Digest),
    Compressed(Digest, Vec<u8>),
}

/// So much of an image is worked on together.
const BATCH: usize = 1 << 20;

/// A run of zeros of up to so many bytes is gone through as any others. A longer one ends a batch.
const SHORT_RUN: u64 = 64 << 10;

fn add(
    part: &str,
    path: &Path,
    compression: Compression,
    data: &mut File,
    progress: &mut dyn FnMut(u64),
) -> Result<(Payload, Vec<u8>)> {
    let failed = |error| UpdateError::from(Place::new(path, "reading the image").io(error));
    let mut file = File::open(path).map_err(failed)?;
    // Not the metadata's: a block device has none.
    let size = file.seek(io::SeekFrom::End(0)).map_err(failed)?;
    file.rewind().map_err(failed)?;
    let sizes = Sizes { average: compression.average.unwrap_or_else(|| average_for(size)) };
    let window = compression.window;
    let mut chunker = Chunker::new(file, sizes);
    let mut before = Vec::new();
    let fill = |batch: &mut Batch| {
        batch.pieces.clear();
        batch.zeros = 0;
        batch.bytes.clear();
        batch.bytes.append(&mut before);
        batch.lead = batch.bytes.len();
        while batch.bytes.len() < batch.lead + BATCH && batch.zeros == 0 {
            match chunker.next_piece().map_err(failed)? {
                None => break,
                Some(Piece::Zeros(len)) if len <= SHORT_RUN => {
                    let start = batch.bytes.len();
                    batch.bytes.resize(start + len as usize, 0);
                    batch.pieces.push((start..batch.bytes.len(), Done::Zeros));
                }
                Some(Piece::Zeros(len)) => batch.zeros = len,
                Some(Piece::Chunk(chunk)) => {
                    let start = batch.bytes.len();
                    batch.bytes.extend_from_slice(chunk);
                    batch.pieces.push((start..batch.bytes.len(), Done::Not));
                }
            }
        }
        before = history(&batch.bytes, batch.zeros, window);
        Ok(!batch.pieces.is_empty() || batch.zeros > 0)
    };
    let work = |batch: &mut Batch| {
        let Batch { press, bytes, lead, pieces, .. } = batch;
        let chunks =
            || pieces.iter().filter(|(_, done)| matches!(done, Done::Not)).map(|(place, _)| place.clone());
        let frames = press.frames(bytes, *lead, chunks());
        let chunks = pieces.iter_mut().filter(|(_, done)| matches!(done, Done::Not));
        for ((place, done), frame) in chunks.zip(frames) {
            let digest = sha256(bytes.get(place.clone()).unwrap_or_default());
            *done = match frame {
                Some(frame) => Done::Compressed(digest, frame),
                None => Done::Plain(digest),
            };
        }
        Ok(())
    };
    let mut table = Builder::default();
    let mut whole = WholeHash::default();
    let mut out = BufWriter::with_capacity(BATCH, data);
    let (mut stored, mut largest, mut at) = (0u64, 0usize, 0u64);
    let consume = |batch: &mut Batch| {
        for (place, done) in &batch.pieces {
            let chunk = batch.bytes.get(place.clone()).unwrap_or_default();
            let len = chunk.len() as u64;
            whole.update(chunk);
            at += len;
            let bytes = match done {
                Done::Zeros => {
                    table.zeros(len);
                    continue;
                }
                Done::Compressed(digest, frame) => {
                    table.chunk(len, Some(frame.len() as u64), *digest);
                    frame
                }
                Done::Plain(digest) => {
                    table.chunk(len, None, *digest);
                    chunk
                }
                Done::Not => return Err(UpdateError::Format("a chunk was not worked on".into())),
            };
            largest = largest.max(chunk.len());
            stored += bytes.len() as u64;
            out.write_all(bytes).map_err(|error| Place::new(path, "writing its chunks").io(error))?;
        }
        if batch.zeros > 0 {
            table.zeros(batch.zeros);
            whole.zeros(batch.zeros);
            at += batch.zeros;
        }
        progress(at);
        Ok(())
    };
    let buffer = || {
        let press = Press::new(compression.level, window);
        Batch { press, bytes: Vec::new(), lead: 0, pieces: Vec::new(), zeros: 0 }
    };
    let buffers = (0..2 * pipe::workers() + 1).map(|_| buffer()).collect();
    pipe::run(buffers, fill, work, consume)?;
    out.flush().map_err(|error| Place::new(path, "writing its chunks").io(error))?;
    drop(out);
    let chunks = table.chunks();
    let table = table.finish();
    let payload = Payload {
        part: part.to_owned(),
        app: None,
        bootloader: None,
        size: at,
        sha256: whole.finish(),
        average: sizes.average,
        window: window as u64,
        largest: largest as u64,
        chunks,
        data: stored,
        table: table.len() as u64,
        table_sha256: sha256(&table),
        against: None,
    };
    Ok((payload, table))
}

/// A file that goes unless it is renamed.
struct Temporary {
    file: File,
    path: Option<PathBuf>,
}

impl Temporary {
    fn beside(path: &Path, end: &str) -> io::Result<Temporary> {
        let mut name = path.file_name().unwrap_or_default().to_os_string();
        name.push(format!(".{}{end}", std::process::id()));
        let path = path.with_file_name(name);
        let file = File::options().read(true).write(true).create(true).truncate(true).open(&path)?;
        Ok(Temporary { file, path: Some(path) })
    }

    fn rename(mut self, to: &Path) -> io::Result<()> {
        match self.path.take() {
            Some(path) => fs::rename(path, to),
            None => Ok(()),
        }
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(path) = self.path.take() {
            // There is nobody to tell, and what is left says by its name what it is.
            let _ = fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_larger_in_large_images_only() {
        // As docs/update.md says.
        assert_eq!(average_for(0), 8 << 10);
        assert_eq!(average_for(1 << 30), 8 << 10);
        let averages: Vec<u32> = (20..40).map(|bits| average_for(1 << bits)).collect();
        assert!(averages.is_sorted());
        for size in [1u64 << 32, 1 << 34, 1 << 36] {
            assert!(
                size / u64::from(average_for(size)) * 40 < crate::update::bundle::table::LARGEST_TABLE,
                "{size}"
            );
        }
    }
}
