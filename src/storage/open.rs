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
use super::ubi::{Ubi, UbiVolume};
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
    Volume { copy: VolumeCopy, capacity: u64 },
}

impl Found {
    fn kind(&self) -> MediumKind {
        match &self.what {
            What::Medium { geometry, .. } => geometry.kind,
            What::Volume { .. } => MediumKind::Ubi,
        }
    }

    /// Where on the device the copy starts.
    fn offset(&self) -> u64 {
        match &self.what {
            What::Medium { offset, .. } => *offset,
            What::Volume { .. } => 0,
        }
    }
}

/// Why a copy can't be opened.
enum Missing {
    /// Its device is not there, or ends before it. Such a copy is unreadable; the other one is used.
    Unreadable(Error),
    /// Device and configuration contradict each other.
    Wrong(Error),
}

impl From<Error> for Missing {
    fn from(error: Error) -> Self {
        match error {
            Error::Io { .. } => Missing::Unreadable(error),
            error => Missing::Wrong(error),
        }
    }
}

/// Opens the copies of an environment: looks what each device is, and fits the configuration to it.
///
/// Nothing is read from the copies, nothing written.
///
/// Errors: what [`EnvConfig::validate`] refuses, which also holds for a configuration that was built by hand;
/// [`Error::Device`] where device and configuration contradict each other, two copies overlap or none fits on its
/// device; [`Error::Io`] where no device can be looked at.
pub fn open_copies(config: &EnvConfig) -> Result<Vec<Box<dyn EnvCopy>>> {
    open_copies_at(config, &Ubi::default())
}

fn open_copies_at(config: &EnvConfig, ubi: &Ubi) -> Result<Vec<Box<dyn EnvCopy>>> {
    config.validate()?;
    let found: Vec<Result<Found, Missing>> = config.devices.iter().map(|device| find(device, ubi)).collect();
    let single = found.len() == 1;
    let mut copies: Vec<Box<dyn EnvCopy>> = Vec::new();
    let mut ranges: Vec<((u64, u64), (u64, u64))> = Vec::new();
    let places: Vec<_> = found.iter().flatten().map(|f| (f.identity, f.offset())).collect();
    let kind = found.iter().flatten().map(Found::kind).next();
    for (device, found) in config.devices.iter().zip(found) {
        let found = match (found, kind) {
            (Ok(found), _) => found,
            (Err(Missing::Unreadable(error)), Some(kind)) => {
                copies.push(Box::new(AbsentCopy { device: device.clone(), kind, error }));
                continue;
            }
            (Err(Missing::Unreadable(error) | Missing::Wrong(error)), _) => return Err(error),
        };
        let identity = found.identity;
        let (copy, (start, end)): (Box<dyn EnvCopy>, _) = match found.what {
            What::Volume { copy, capacity } => (Box::new(copy), (0, capacity)),
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

/// A copy that is not there while the other one is: unreadable, and an error to write.
struct AbsentCopy {
    device: Device,
    kind: MediumKind,
    error: Error,
}

impl AbsentCopy {
    /// The error once more: one that holds an io::Error can't be cloned.
    fn error<T>(&self) -> Result<T> {
        Err(match &self.error {
            Error::Io { place, source } => place.clone().io(match source.raw_os_error() {
                Some(code) => io::Error::from_raw_os_error(code),
                None => io::Error::new(source.kind(), source.to_string()),
            }),
            Error::Device { path, message } => Error::Device { path: path.clone(), message: message.clone() },
            other => Place::new(&self.device.path, "opening").io(io::Error::other(other.to_string())),
        })
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

fn find(device: &Device, ubi: &Ubi) -> Result<Found, Missing> {
    let path = &device.path;
    let io = |step| move |e: io::Error| Place::new(path, step).io(e);
    if let Some(name) = ubi.name_in(path) {
        let volume = ubi.by_name(name).map_err(io("looking for the UBI volume"))?;
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
    } else if let Some(volume) = ubi.by_node(path).map_err(io("looking for the UBI volume"))? {
        return found_volume(device, volume);
    } else {
        return Err(Missing::Wrong(Error::Device {
            path: path.clone(),
            message: "neither a regular file nor a block device, an MTD device or a UBI volume".into(),
        }));
    };
    let geometry = opener.open(Access::Read).map_err(io("opening"))?.geometry();
    let offset = from_start(path, device.offset, &geometry)?;
    Ok(Found { identity, what: What::Medium { opener, geometry, offset } })
}

fn found_volume(device: &Device, volume: UbiVolume) -> Result<Found, Missing> {
    if device.offset != 0 {
        return Err(Missing::Wrong(Error::Device {
            path: device.path.clone(),
            message: format!("offset {:#x}: a copy in a UBI volume starts at 0", device.offset),
        }));
    }
    let node = fs::metadata(volume.node())
        .map_err(|e| Place::new(volume.node(), "looking for the UBI volume").io(e))?;
    let (capacity, size) = (volume.capacity(), usize::try_from(device.size).unwrap_or(usize::MAX));
    let copy = VolumeCopy::new(Box::new(volume), &device.path, size).map_err(Missing::Unreadable)?;
    Ok(Found { identity: (u64::MAX - 2, node.rdev()), what: What::Volume { copy, capacity } })
}

/// A negative offset counts from the end of a block device (U-Boot tools/env/fw_env.c check_device_config).
fn from_start(path: &Path, offset: i64, geometry: &Geometry) -> Result<u64, Missing> {
    let error = |message: String| Error::Device { path: path.to_path_buf(), message };
    if let Ok(offset) = u64::try_from(offset) {
        return Ok(offset);
    }
    if geometry.kind != MediumKind::Block {
        let message = format!("offset {offset} is negative, which only block devices have");
        return Err(Missing::Wrong(error(message)));
    }
    geometry.size.checked_sub(offset.unsigned_abs()).ok_or_else(|| {
        let size = geometry.size;
        let message = format!("offset {offset} lies before the start of the device of {size} bytes");
        Missing::Unreadable(error(message))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    const SIZE: u64 = 0x1000;

    /// An environment whose copies are the UBI volumes "a" and "b" with room for so many bytes; the device nodes
    /// are files full of 1s and of 2s.
    fn volumes(capacities: [u64; 2]) -> (tempfile::TempDir, Ubi, EnvConfig) {
        let root = tempfile::tempdir().unwrap();
        let (sys, dev) = (root.path().join("sys"), root.path().join("dev"));
        fs::create_dir(&dev).unwrap();
        let mut devices = Vec::new();
        for (i, (name, capacity)) in ["a", "b"].iter().zip(capacities).enumerate() {
            let entry = format!("ubi0_{i}");
            let attributes = sys.join("class/ubi").join(&entry);
            fs::create_dir_all(&attributes).unwrap();
            fs::write(attributes.join("name"), format!("{name}\n")).unwrap();
            fs::write(attributes.join("reserved_ebs"), "1\n").unwrap();
            fs::write(attributes.join("usable_eb_size"), format!("{capacity}\n")).unwrap();
            fs::write(dev.join(entry), vec![i as u8 + 1; SIZE as usize]).unwrap();
            devices.push(format!("/dev/ubi0:{name} 0 {SIZE:x}\n"));
        }
        (root, Ubi::at(sys, dev), configuration(&devices.concat()))
    }

    fn configuration(lines: &str) -> EnvConfig {
        Config::parse("fw_env.config", lines.as_bytes()).unwrap().environments.remove(0)
    }

    #[test]
    fn a_volume_that_is_too_small_leaves_the_other_one_readable() {
        for bad in [0, 1] {
            let mut capacities = [SIZE; 2];
            capacities[bad] -= 1;
            let (root, ubi, config) = volumes(capacities);
            let mut copies = open_copies_at(&config, &ubi).unwrap();
            assert_eq!(copies.len(), 2);
            let good = 1 - bad;
            assert_eq!(copies[good].load().unwrap(), vec![good as u8 + 1; SIZE as usize]);
            assert_eq!(copies[bad].kind(), MediumKind::Ubi);
            let says = |error: Error| matches!(&error, Error::Device { message, .. } if message.contains("the volume holds 0xfff"));
            assert!(says(copies[bad].load().unwrap_err()));
            assert!(says(copies[bad].write(None, false, &[0; SIZE as usize]).unwrap_err()));
            let node = root.path().join(format!("dev/ubi0_{bad}"));
            assert_eq!(fs::read(node).unwrap(), vec![bad as u8 + 1; SIZE as usize]);
        }
    }

    #[test]
    fn without_another_copy_one_that_does_not_fit_is_an_error() {
        let (_root, ubi, both) = volumes([SIZE - 1; 2]);
        let mut single = both.clone();
        single.devices.truncate(1);
        let mut missing = both.clone();
        missing.devices[1].path = "/dev/ubi0:none".into();
        for config in [both, single, missing] {
            let error = open_copies_at(&config, &ubi).err().unwrap();
            assert!(matches!(error, Error::Device { ref path, .. } if path.ends_with("ubi0:a")), "{error}");
        }
    }

    #[test]
    fn only_a_block_device_has_an_end_to_count_from() {
        let geometry = |kind| Geometry { kind, size: 0x2000, erase_size: 0, write_size: 512 };
        let start = |offset, kind| from_start(Path::new("disk"), offset, &geometry(kind));
        assert!(matches!(start(-0x1000, MediumKind::Block), Ok(0x1000)));
        assert!(matches!(start(-0x2000, MediumKind::Block), Ok(0)));
        assert!(matches!(start(-0x2001, MediumKind::Block), Err(Missing::Unreadable(Error::Device { .. }))));
        assert!(matches!(start(-0x1000, MediumKind::File), Err(Missing::Wrong(Error::Device { .. }))));
        assert!(matches!(start(0x3000, MediumKind::File), Ok(0x3000)));
    }
}
