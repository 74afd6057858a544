//! A configured device -> the [`EnvCopy`] that fits what is really there.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use super::absent::AbsentCopy;
use super::file::FileOpener;
use super::mtd::{answers_as_mtd, is_mtd, MtdOpener};
use super::region::{RegionCopy, RegionSpec};
use super::rename::{must_write_in_place, RenamedFile};
use super::replace::ReplaceCopy;
use super::ubi::{Ubi, UbiVolume};
use super::unmade::Unmade;
use super::volume::VolumeCopy;
use super::{Access, EnvCopy, Geometry, MediumKind, OpenMedium, Volume};
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
    /// It is to lie in a regular file that is missing or empty.
    Unmade(Unmade),
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
    let single = config.devices.len() == 1;
    let open = move |made: &Device| open_made(made, single);
    let look = |device: &Device| match Unmade::find(device, &config.devices, Box::new(open)) {
        Some(unmade) if ubi.name_in(&device.path).is_none() => Err(Missing::Unmade(unmade)),
        _ => find(device, ubi),
    };
    let found: Vec<Result<Found, Missing>> = config.devices.iter().map(look).collect();
    let mut copies: Vec<Box<dyn EnvCopy>> = Vec::new();
    let mut ranges: Vec<Range> = Vec::new();
    let places: Vec<_> = found.iter().flatten().map(|f| (f.identity, f.offset())).collect();
    let kind = found.iter().flatten().map(Found::kind).next();
    for (device, found) in config.devices.iter().zip(found) {
        let found = match (found, kind) {
            (Ok(found), _) => found,
            (Err(Missing::Unmade(unmade)), None | Some(MediumKind::File | MediumKind::Block)) => {
                copies.push(Box::new(AbsentCopy::unmade(device, unmade)));
                continue;
            }
            (Err(Missing::Unmade(_)), Some(kind)) => {
                let error =
                    Place::new(&device.path, "looking for the device").io(io::ErrorKind::NotFound.into());
                copies.push(Box::new(AbsentCopy::new(device, kind, error)));
                continue;
            }
            (Err(Missing::Unreadable(error)), Some(kind)) => {
                copies.push(Box::new(AbsentCopy::new(device, kind, error)));
                continue;
            }
            (Err(Missing::Unreadable(error) | Missing::Wrong(error)), _) => return Err(error),
        };
        let identity = found.identity;
        let (copy, range): (Box<dyn EnvCopy>, _) = match found.what {
            What::Volume { copy, capacity } => {
                let range = Range { identity, read: (0, capacity), written: (0, capacity) };
                range.check(&ranges, &device.path)?;
                (Box::new(copy), range)
            }
            What::Medium { opener, geometry, offset } => {
                let behind = places.iter().filter(|&&(other, at)| other == identity && at > offset);
                let limit = behind.map(|&(_, at)| at).min().unwrap_or(u64::MAX);
                let mut region =
                    RegionCopy::new(opener, &device.path, geometry, spec(device, offset, limit))?;
                let range = Range { identity, read: region.bytes(), written: region.range() };
                if let Some(flaw) = range.check(&ranges, &device.path)? {
                    region.object(flaw);
                }
                (if single { replaced_if_possible(device, region)? } else { Box::new(region) }, range)
            }
        };
        ranges.push(range);
        copies.push(copy);
    }
    Ok(copies)
}

/// What belongs to a copy on a device: start and end.
struct Range {
    identity: (u64, u64),
    /// Its own bytes.
    read: (u64, u64),
    /// All that a store may change: whole sectors, spare ones too.
    written: (u64, u64),
}

impl Range {
    /// Why nothing can be stored beside the `others`, if so. Errors: [`Error::Device`] where they have bytes in common.
    fn check(&self, others: &[Range], path: &Path) -> Result<Option<String>> {
        let common = |a: (u64, u64), b: (u64, u64)| a.0 < b.1 && b.0 < a.1;
        let Some(other) = others.iter().find(|other| other.identity == self.identity) else {
            return Ok(None);
        };
        if common(self.read, other.read) {
            let message = format!("the copy at {:#x} overlaps the other copy", self.read.0);
            return Err(Error::Device { path: path.to_path_buf(), message });
        }
        Ok(common(self.written, other.written).then(|| {
            format!(
                "a store may change {:#x}..{:#x} for one copy and {:#x}..{:#x} for the other: correct the offset or the \
                 sectors, so that no erase sector belongs to both",
                other.written.0, other.written.1, self.written.0, self.written.1
            )
        }))
    }
}

/// The copy in a regular file that was just made.
fn open_made(device: &Device, single: bool) -> Result<Box<dyn EnvCopy>> {
    let opener = FileOpener::new(&device.path);
    let geometry =
        opener.open(Access::Read).map_err(|e| Place::new(&device.path, "opening").io(e))?.geometry();
    let offset = u64::try_from(device.offset).unwrap_or_default();
    let region = RegionCopy::new(Box::new(opener), &device.path, geometry, spec(device, offset, u64::MAX))?;
    if single {
        return replaced_if_possible(device, region);
    }
    Ok(Box::new(region))
}

fn spec(device: &Device, offset: u64, limit: u64) -> RegionSpec {
    RegionSpec {
        offset,
        size: device.size,
        sector_size: device.sector_size,
        sectors: device.sectors,
        limit,
        disable_lock: device.disable_lock,
    }
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
    let (block, mtd, character) = (u64::MAX, u64::MAX - 1, u64::MAX - 3);
    let (identity, opener): (_, Box<dyn OpenMedium>) = if meta.is_file() {
        ((meta.dev(), meta.ino()), Box::new(FileOpener::new(path)))
    } else if kind.is_block_device() {
        ((block, meta.rdev()), Box::new(FileOpener::new(path)))
    } else if is_mtd(&meta) {
        // /dev/mtdNro, the odd number, is the same chip.
        ((mtd, meta.rdev() & !1), Box::new(MtdOpener::new(path, device.sector_size)))
    } else if let Some(volume) = ubi.by_node(path).map_err(io("looking for the UBI volume"))? {
        return found_volume(device, volume);
    } else if kind.is_char_device() && answers_as_mtd(path).map_err(io("opening"))? {
        // Memory that has an MTD's interface, for one (OpenWrt's ubootenv-nvram).
        ((character, meta.rdev()), Box::new(MtdOpener::new(path, device.sector_size)))
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
            fs::write(attributes.join("type"), "dynamic\n").unwrap();
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
    fn copies_in_one_sector_can_be_read_and_not_stored() {
        let range = |identity, read, written| Range { identity: (1, identity), read, written };
        let first = [range(1, (0, 0x4000), (0, 0x40000))];
        let check = |range: Range| range.check(&first, Path::new("/dev/mtd0"));
        assert!(check(range(1, (0x40000, 0x44000), (0x40000, 0x60000))).unwrap().is_none());
        assert!(check(range(2, (0, 0x4000), (0, 0x40000))).unwrap().is_none(), "another device");
        let flaw = check(range(1, (0x20000, 0x24000), (0x20000, 0x60000))).unwrap().unwrap();
        assert!(flaw.contains("0x0..0x40000") && flaw.contains("0x20000..0x60000"), "{flaw}");
        let error = check(range(1, (0x3fff, 0x7fff), (0, 0x40000))).unwrap_err();
        assert!(error.to_string().contains("overlaps"), "{error}");
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
