//! Looks for environments on devices: what is there, what belongs together, and the configuration for it.
//!
//! This joins the pure search ([`crate::find`]) and the reading of devices ([`crate::storage::stream`]).
//! Reads only.

use std::ops::Range;
use std::path::{Path, PathBuf};

use super::{scheme_of, MediumKind, Store};
use crate::config::{Device, EnvConfig};
use crate::env::image::{Image, Layout};
use crate::env::redundancy::Choice;
use crate::env::Environment;
use crate::error::Result;
use crate::find::pairs::{pair, Placed};
use crate::find::{ByteOrder, Findings, Found, List, Scanner};
use crate::storage::stream::{self, Partition, Piece, Stream};

/// How much of a copy is read to count its variables: the largest environments of U-Boot.
const LOOKED_AT: u64 = 1 << 20;

/// How far around the copies a disk is searched.
pub(crate) const AROUND: u64 = 16 << 20;

/// How far around a copy another reading of its bytes may start and end.
const REACH: u64 = 1 << 20;

/// A valid copy on a device.
#[derive(Debug, Clone)]
pub struct FoundCopy {
    /// What it is; the offset is that on the device.
    pub found: Found,
    /// How many variables it has.
    pub variables: usize,
    /// Bytes that they use, final NUL included.
    pub used: usize,
    /// The partition of the disk in which it lies.
    pub partition: Option<(PathBuf, Option<PathBuf>)>,
}

/// One device or file that was looked into.
#[derive(Debug, Clone)]
pub struct Looked {
    /// As it was named.
    pub path: PathBuf,
    /// What it is.
    pub kind: MediumKind,
    /// Its size in bytes.
    pub size: u64,
    /// Bytes of an erase sector; 0 where nothing has to be erased.
    pub sector_size: u64,
    /// The valid copies on it, by their offset.
    pub copies: Vec<FoundCopy>,
    /// U-Boot's variables without a valid checksum: compiled-in ones, or what is left of a damaged copy.
    pub lists: Vec<List>,
    /// Bytes that could not be read.
    pub unreadable: u64,
    /// Raw flash that belongs to UBI: what lies there moves, so nothing was looked for. Its volumes hold the data.
    pub is_ubi: bool,
}

/// An environment that was found.
#[derive(Debug, Clone)]
pub struct FoundEnvironment {
    /// Its copies: which device of those that were looked into, and which of its copies.
    pub copies: Vec<(usize, usize)>,
    /// Of two copies the one that U-Boot takes, and why.
    pub choice: Option<Choice>,
    /// The configuration of what was found.
    pub config: EnvConfig,
    /// Why the configuration can't be used as it is.
    pub problem: Option<String>,
    /// Where the other copy probably lies, of which only one is valid.
    pub other: Option<Device>,
}

/// Looks into a device or file, or a range of it. `progress` is told how many bytes are done and how many there are.
///
/// Errors: [`Error::Io`](crate::Error::Io) where it can't be opened.
pub fn look(path: &Path, range: Range<u64>, progress: &mut dyn FnMut(u64, u64)) -> Result<Looked> {
    let mut stream = Stream::open(path)?;
    let mut looked = Looked {
        path: path.to_path_buf(),
        kind: stream.kind,
        size: stream.size,
        sector_size: stream.sector_size,
        copies: Vec::new(),
        lists: Vec::new(),
        unreadable: 0,
        is_ubi: false,
    };
    if stream.sector_size > 0 && contents(&mut stream, 0, 4)? == b"UBI#" {
        looked.is_ubi = true;
        return Ok(looked);
    }

    let (findings, unreadable) = search(&mut stream, range, progress)?;
    looked.unreadable = unreadable;
    looked.lists = findings.lists;
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let partitions = stream::partitions(Path::new("/sys"), &mounts, path);
    for found in findings.copies {
        let bytes = contents(&mut stream, found.offset, found.size.min(LOOKED_AT))?;
        let image = Image::new(found.layout, &bytes);
        let within = partitions.iter().find(|partition| partition.range.contains(&found.offset));
        looked.copies.push(FoundCopy {
            found,
            variables: image.map_or(0, |image| Environment::from_image(&image).len()),
            used: image.map_or(0, |image| image.used()),
            partition: within.map(|Partition { path, mounted, .. }| (path.clone(), mounted.clone())),
        });
    }
    Ok(looked)
}

/// What is found in a range of a device, with its offsets on the device; and how many bytes could not be read.
fn search(
    stream: &mut Stream,
    range: Range<u64>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(Findings, u64)> {
    // Where the bytes come from that the scanner has seen: its position and the offset on the device.
    let mut origins = vec![(0, range.start)];
    let mut scanner = Scanner::new();
    let mut unreadable = 0;
    let (start, size) = (range.start, range.end.min(stream.size).saturating_sub(range.start));
    stream.read(range, &mut |at, piece| {
        progress(at - start, size);
        match piece {
            Piece::Bytes(bytes) => scanner.feed(bytes),
            Piece::Hole(len) => scanner.zeros(len),
            Piece::Unreadable(len) => {
                scanner.gap(len);
                unreadable += len;
            }
            Piece::Bad(len) => origins.push((scanner.position(), at + len)),
        }
        true
    })?;
    progress(size, size);
    let on_device = |position: u64| {
        let origin = origins.iter().rev().find(|(from, _)| *from <= position);
        origin.map_or(position, |(from, offset)| offset + (position - from))
    };
    let mut findings = scanner.finish();
    findings.copies.iter_mut().for_each(|copy| copy.offset = on_device(copy.offset));
    for list in &mut findings.lists {
        (list.start, list.end) = (on_device(list.start), on_device(list.end));
    }
    Ok((findings, unreadable))
}

/// Bytes of the device from `offset` on, over bad blocks; fewer where it ends or can't be read.
fn contents(stream: &mut Stream, offset: u64, len: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    stream.read(offset..u64::MAX, &mut |_, piece| {
        let missing = len.saturating_sub(bytes.len() as u64);
        match piece {
            Piece::Bytes(more) => bytes.extend(more.iter().take(missing as usize)),
            Piece::Hole(more) => bytes.resize(bytes.len() + more.min(missing) as usize, 0),
            Piece::Bad(_) => {}
            Piece::Unreadable(_) => return false,
        }
        (bytes.len() as u64) < len
    })?;
    Ok(bytes)
}

/// The variables of a list without a checksum.
///
/// What is before the first usual name is left out: in a program, other texts may stand there.
///
/// Errors: [`Error::Io`](crate::Error::Io) where it can't be read again.
pub fn variables(path: &Path, list: &List) -> Result<Environment> {
    let mut stream = Stream::open(path)?;
    let bytes = contents(&mut stream, list.start, list.end - list.start)?;
    let plain = |record: &&[u8]| {
        let name = record.split(|&byte| byte == b'=').next().unwrap_or_default();
        !name.iter().all(|&byte| byte.is_ascii_alphanumeric() || b"_.-#,".contains(&byte))
    };
    let records = bytes.split(|&byte| byte == 0).filter(|record| !record.is_empty()).skip_while(plain);
    Ok(Environment::from_records(records))
}

/// Everything of this machine in which an environment may be.
pub fn devices() -> Vec<PathBuf> {
    stream::devices(Path::new("/sys"), Path::new("/dev"))
}

/// What was found, put together to environments.
pub fn environments(looked: &[Looked]) -> Vec<FoundEnvironment> {
    let all = looked.iter().enumerate();
    let all = all.flat_map(|(device, l)| (0..l.copies.len()).map(move |copy| (device, copy)));
    let all: Vec<(usize, usize)> = all.collect();
    let placed: Vec<Placed> = all
        .iter()
        .filter_map(|&(device, copy)| {
            let looked = looked.get(device)?;
            let found = looked.copies.get(copy)?.found;
            Some(Placed { device, scheme: scheme_of(looked.kind), found })
        })
        .collect();
    let environment = |group: crate::find::pairs::Group| {
        let copies: Vec<(usize, usize)> =
            group.copies.iter().filter_map(|&index| all.get(index).copied()).collect();
        let places: Vec<(&Looked, &FoundCopy)> = copies
            .iter()
            .filter_map(|&(device, copy)| looked.get(device).and_then(|l| Some((l, l.copies.get(copy)?))))
            .collect();
        let devices = places.iter().map(|(looked, copy)| Device {
            path: looked.path.clone(),
            offset: i64::try_from(copy.found.offset).unwrap_or(i64::MAX),
            size: copy.found.size,
            // A copy inside of an erase block has none of its own.
            sector_size: match looked.sector_size {
                size if size > 0 && copy.found.offset % size == 0 => size,
                _ => 0,
            },
            sectors: 0,
            disable_lock: false,
        });
        let config =
            EnvConfig { namespace: None, devices: devices.collect(), lockfile: None, writelist: None };
        let other = other(&places, &config);
        FoundEnvironment { problem: problem(&places), copies, choice: group.choice, config, other }
    };
    pair(&placed).into_iter().map(environment).collect()
}

/// Why an environment can't be used by the configuration of its places.
fn problem(places: &[(&Looked, &FoundCopy)]) -> Option<String> {
    for (looked, copy) in places {
        if copy.found.order != ByteOrder::NATIVE {
            return Some(
                "its checksum is in the other byte order: it was made for another processor, and U-Boot and all \
                 tools on this one take it for damaged"
                    .into(),
            );
        }
        if looked.kind == MediumKind::Ubi && copy.found.offset != 0 {
            return Some(
                "it does not start where the UBI volume does, as an environment of U-Boot would".into(),
            );
        }
        if let Some((partition, Some(mounted))) = &copy.partition {
            return Some(format!(
                "it lies in the file system of {}, in one of its files: name the file below {}, not the disk",
                partition.display(),
                mounted.display()
            ));
        }
    }
    match places {
        [(_, copy)] if copy.found.layout == Layout::Redundant => Some(
            "it has a flags byte, so there is another copy; that one is not valid or was not found".into(),
        ),
        _ => None,
    }
}

/// Where the other copy is of one that has a flags byte and is alone: where variables without a valid checksum lie as
/// they would in a copy, the nearest of these, else right behind it.
fn other(places: &[(&Looked, &FoundCopy)], config: &EnvConfig) -> Option<Device> {
    let [(looked, copy)] = places else { return None };
    let found = copy.found;
    let header = found.layout.header() as u64;
    let free = |offset: u64| {
        let end = offset.checked_add(found.size).filter(|&end| end <= looked.size)?;
        let others = looked.copies.iter().map(|copy| copy.found);
        let taken = others.into_iter().any(|other| other.offset < end && offset < other.end());
        (!taken).then_some(offset)
    };
    let damaged = looked.lists.iter().filter_map(|list| free(list.start.checked_sub(header)?));
    let damaged = damaged.filter(|offset| offset % 256 == found.offset % 256);
    let offset = damaged.min_by_key(|offset| offset.abs_diff(found.offset)).or_else(|| free(found.end()));
    let offset = offset.filter(|_| found.layout == Layout::Redundant)?;
    Some(Device { offset: i64::try_from(offset).ok()?, ..config.devices.first()?.clone() })
}

/// What is wrong with a configuration, seen from an environment that is there: one sentence for each correction.
pub fn corrections(config: &EnvConfig, environment: &FoundEnvironment) -> Vec<String> {
    let (given, found) = (&config.devices, &environment.config.devices);
    let same = |a: &Device, b: &Device| a.path == b.path && a.offset == b.offset;
    // A copy that is alone belongs to the line that names its place.
    let first = match found.as_slice() {
        [one] => given.iter().position(|device| same(device, one)).unwrap_or(0),
        _ => 0,
    };
    let mut corrections = Vec::new();
    for (line, (given, found)) in given.iter().skip(first).zip(found).enumerate() {
        let line = line + first + 1;
        if given.path != found.path {
            corrections.push(format!("the device in line {line} should be {}", found.path.display()));
        }
        if given.offset != found.offset {
            corrections.push(format!("the offset in line {line} should be {:#x}", found.offset));
        }
        if given.size != found.size {
            corrections.push(format!("the size in line {line} should be {:#x}", found.size));
        }
    }
    let flags = environment.choice.is_some() || environment.problem.is_some();
    match (given.len(), found.len()) {
        (1, 2) => corrections.push("the second line is missing".into()),
        (1, 1) if flags => corrections.push("the second line is missing: the copy has a flags byte".into()),
        (2, 1) if !flags => {
            let line = if first == 0 { 2 } else { 1 };
            corrections.push(format!("line {line} is too much: the copy has no flags byte"));
        }
        _ => {}
    }
    corrections
}

impl Store {
    /// Environments that are there where no copy is valid as configured: on each of the devices; of disks only
    /// around the copies, since they may be large.
    ///
    /// A device that can't be read has none.
    pub fn find_others(&self) -> Vec<Looked> {
        let ranges = self.ranges(|kind| if kind == MediumKind::Block { AROUND } else { u64::MAX });
        ranges.into_iter().filter_map(|(path, range)| look(path, range, &mut |_, _| {}).ok()).collect()
    }

    /// A valid copy that shares bytes with one of these, which are not valid as they are configured: what a new
    /// environment would be written over. As a phrase.
    pub fn other_reading(&self) -> Option<String> {
        self.ranges(|_| REACH).into_iter().find_map(|(path, range)| {
            let mut stream = Stream::open(path).ok()?;
            let (findings, _) = search(&mut stream, range, &mut |_, _| {}).ok()?;
            let own = |found: &&Found| {
                self.copies.iter().any(|copy| {
                    let start = copy.offset();
                    let end = start.saturating_add(copy.size() as u64);
                    let shares = copy.path() == path && found.offset < end && start < found.end();
                    // The copy as it is configured, which the store could not read.
                    let same = (found.offset, found.end(), found.layout) == (start, end, self.layout);
                    shares && !same
                })
            };
            let found = findings.copies.iter().find(own)?;
            Some(format!("{} at {:#x} is {}", path.display(), found.offset, describe(found)))
        })
    }

    /// What lies around the copies, as far as `reach` says.
    fn ranges(&self, reach: impl Fn(MediumKind) -> u64) -> Vec<(&Path, Range<u64>)> {
        let mut ranges: Vec<(&Path, Range<u64>)> = Vec::new();
        for copy in &self.copies {
            let reach = reach(copy.kind());
            let start = copy.offset().saturating_sub(reach);
            let end = copy.offset().saturating_add(copy.size() as u64).saturating_add(reach);
            // On 4 KiB: what is a round offset for the scanner is one on the device.
            let range = start - start % 4096..end;
            let near = |(path, other): &&mut (&Path, Range<u64>)| {
                *path == copy.path() && other.start <= range.end && range.start <= other.end
            };
            match ranges.iter_mut().find(near) {
                Some((_, other)) => *other = other.start.min(range.start)..other.end.max(range.end),
                None => ranges.push((copy.path(), range)),
            }
        }
        ranges
    }
}

/// A copy in words: "an environment of 0x2000 bytes with a flags byte".
pub fn describe(found: &Found) -> String {
    let flags = match found.layout {
        Layout::Single => "without",
        Layout::Redundant => "with",
    };
    let order = if found.order == ByteOrder::NATIVE { "" } else { ", of the other byte order" };
    format!("a valid environment of {:#x} bytes {flags} a flags byte{order}", found.size)
}
