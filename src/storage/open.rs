//! A configured device -> the [`EnvCopy`] that fits what is really there.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use super::file::FileOpener;
use super::mtd::{is_mtd, MtdOpener};
use super::region::{RegionCopy, RegionSpec};
use super::rename::{must_write_in_place, RenamedFile};
use super::replace::ReplaceCopy;
use super::ubi::{Ubi, UbiVolume, VolumeName};
use super::volume::VolumeCopy;
use super::{Access, EnvCopy, Geometry, MediumKind, OpenMedium, Volume, WriteStats};
use crate::config::{Device, EnvConfig};
use crate::error::{Error, Place, Result};

/// A device that was looked at, not read.
struct Found {
    /// Tells two names of one device apart from two devices.
    identity: (u64, u64),
    what: What,
}

enum What {
    Medium { opener: Box<dyn OpenMedium>, geometry: Geometry, offset: u64 },
    Volume(UbiVolume),
}

impl Found {
    fn kind(&self) -> MediumKind {
        match &self.what {
            What::Medium { geometry, .. } => geometry.kind,
            What::Volume(_) => MediumKind::Ubi,
        }
    }

    /// Where on the device the copy starts.
    fn offset(&self) -> u64 {
        match &self.what {
            What::Medium { offset, .. } => *offset,
            What::Volume(_) => 0,
        }
    }
}

/// Opens the copies of an environment: looks what each device is, and fits the configuration to it.
///
/// Nothing is read from the copies, nothing written.
///
/// Errors: what [`EnvConfig::validate`] refuses, which also holds for a configuration that was built by hand;
/// [`Error::Device`] where device and configuration contradict each other or two copies overlap;
/// [`Error::Io`] where a device can't be looked at.
pub fn open_copies(config: &EnvConfig) -> Result<Vec<Box<dyn EnvCopy>>> {
    config.validate()?;
    let found: Vec<Result<Found>> = config.devices.iter().map(find).collect();
    let single = found.len() == 1;
    let mut copies: Vec<Box<dyn EnvCopy>> = Vec::new();
    let mut ranges: Vec<((u64, u64), (u64, u64))> = Vec::new();
    let places: Vec<_> = found.iter().flatten().map(|f| (f.identity, f.offset())).collect();
    let kind = found.iter().flatten().map(Found::kind).next();
    for (device, found) in config.devices.iter().zip(found) {
        let found = match (found, kind) {
            (Ok(found), _) => found,
            (Err(Error::Io { place, source }), Some(kind)) => {
                copies.push(Box::new(AbsentCopy { device: device.clone(), kind, place, source }));
                continue;
            }
            (Err(error), _) => return Err(error),
        };
        let identity = found.identity;
        let (copy, (start, end)): (Box<dyn EnvCopy>, _) = match found.what {
            What::Volume(volume) => {
                let end = volume.capacity();
                let size = usize::try_from(device.size).unwrap_or(usize::MAX);
                (Box::new(VolumeCopy::new(Box::new(volume), &device.path, size)?), (0, end))
            }
            What::Medium { opener, geometry, offset } => {
                let behind = places.iter().filter(|&&(other, at)| other == identity && at > offset);
                let spec = RegionSpec {
                    offset,
                    size: device.size,
                    sector_size: device.sector_size,
                    sectors: device.sectors,
                    limit: behind.map(|&(_, at)| at).min().unwrap_or(u64::MAX),
                    disable_lock: device.disable_lock,
                };
                let region = RegionCopy::new(opener, &device.path, geometry, spec)?;
                let range = region.range();
                (if single { replaced_if_possible(device, region)? } else { Box::new(region) }, range)
            }
        };
        if ranges.iter().any(|&(other, (from, to))| other == identity && start < to && from < end) {
            return Err(Error::Device {
                path: device.path.clone(),
                message: format!("the copy at {start:#x} overlaps the other copy (in erase sectors)"),
            });
        }
        ranges.push((identity, (start, end)));
        copies.push(copy);
    }
    Ok(copies)
}

/// A single copy in a regular file is replaced with the file where that breaks nothing.
fn replaced_if_possible(device: &Device, region: RegionCopy) -> Result<Box<dyn EnvCopy>> {
    let io = |e| Place::new(&device.path, "looking at the file").io(e);
    if region.kind() != MediumKind::File || must_write_in_place(&device.path).map_err(io)? {
        return Ok(Box::new(region));
    }
    let file = RenamedFile::new(&device.path).map_err(io)?;
    Ok(Box::new(ReplaceCopy::new(region, Box::new(file))))
}

/// A copy whose device is not there while the other copy's is: unreadable, and an error to write.
struct AbsentCopy {
    device: Device,
    kind: MediumKind,
    place: Place,
    source: io::Error,
}

impl AbsentCopy {
    fn error<T>(&self) -> Result<T> {
        // An io::Error can't be cloned.
        let source = match self.source.raw_os_error() {
            Some(code) => io::Error::from_raw_os_error(code),
            None => io::Error::new(self.source.kind(), self.source.to_string()),
        };
        Err(self.place.clone().io(source))
    }
}

impl EnvCopy for AbsentCopy {
    fn kind(&self) -> MediumKind {
        self.kind
    }

    fn path(&self) -> &Path {
        &self.device.path
    }

    fn offset(&self) -> u64 {
        u64::try_from(self.device.offset).unwrap_or_default()
    }

    fn size(&self) -> usize {
        usize::try_from(self.device.size).unwrap_or(usize::MAX)
    }

    fn read(&mut self, _buf: &mut [u8]) -> Result<()> {
        self.error()
    }

    fn write(&mut self, _before: Option<&[u8]>, _settled: bool, _new: &[u8]) -> Result<WriteStats> {
        self.error()
    }

    fn erase(&mut self) -> Result<WriteStats> {
        self.error()
    }

    fn set_byte(&mut self, _at: usize, _byte: u8) -> Result<WriteStats> {
        self.error()
    }

    fn can_tear(&self, _len: usize) -> bool {
        false
    }
}

fn find(device: &Device) -> Result<Found> {
    let path = &device.path;
    let io = |step| move |e: io::Error| Place::new(path, step).io(e);
    if let Some(name) = VolumeName::parse(path) {
        let volume = Ubi::default().by_name(name).map_err(io("looking for the UBI volume"))?;
        return found_volume(device, volume);
    }
    let meta = fs::metadata(path).map_err(io("looking for the device"))?;
    let kind = meta.file_type();
    // No file system has these numbers: st_dev of a file is 32 bits wide.
    let (block, mtd) = (u64::MAX, u64::MAX - 1);
    let (identity, opener): (_, Box<dyn OpenMedium>) = if meta.is_file() {
        ((meta.dev(), meta.ino()), Box::new(FileOpener::new(path)))
    } else if kind.is_block_device() {
        ((block, meta.rdev()), Box::new(FileOpener::new(path)))
    } else if is_mtd(&meta) {
        // /dev/mtdNro, the odd number, is the same chip.
        ((mtd, meta.rdev() & !1), Box::new(MtdOpener::new(path, device.sector_size)))
    } else if let Some(volume) = Ubi::default().by_node(path).map_err(io("looking for the UBI volume"))? {
        return found_volume(device, volume);
    } else {
        return Err(Error::Device {
            path: path.clone(),
            message: "neither a regular file nor a block device, an MTD device or a UBI volume".into(),
        });
    };
    let geometry = opener.open(Access::Read).map_err(io("opening"))?.geometry();
    let offset = from_start(path, device.offset, &geometry)?;
    Ok(Found { identity, what: What::Medium { opener, geometry, offset } })
}

fn found_volume(device: &Device, volume: UbiVolume) -> Result<Found> {
    if device.offset != 0 {
        return Err(Error::Device {
            path: device.path.clone(),
            message: format!("offset {:#x}: a copy in a UBI volume starts at 0", device.offset),
        });
    }
    let node = fs::metadata(volume.node())
        .map_err(|e| Place::new(volume.node(), "looking for the UBI volume").io(e))?;
    Ok(Found { identity: (u64::MAX - 2, node.rdev()), what: What::Volume(volume) })
}

/// A negative offset counts from the end of a block device (U-Boot tools/env/fw_env.c check_device_config).
fn from_start(path: &Path, offset: i64, geometry: &Geometry) -> Result<u64> {
    let refuse = |message: String| Err(Error::Device { path: path.to_path_buf(), message });
    if let Ok(offset) = u64::try_from(offset) {
        return Ok(offset);
    }
    if geometry.kind != MediumKind::Block {
        return refuse(format!("offset {offset} is negative, which only block devices have"));
    }
    match geometry.size.checked_sub(offset.unsigned_abs()) {
        Some(offset) => Ok(offset),
        None => {
            refuse(format!("offset {offset} lies before the start of the device of {} bytes", geometry.size))
        }
    }
}
