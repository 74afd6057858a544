//! MTD character devices (`/dev/mtdN`): NOR, NAND, DataFlash, RAM.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::{Access, Geometry, Medium, MediumKind, OpenMedium};
use crate::sys::{self, mtd};

/// Major device number of MTD character devices (MTD_CHAR_MAJOR of linux/mtd/mtd.h). The minor one is
/// twice the MTD number, plus one for the read-only node `/dev/mtdNro`.
const MAJOR: libc::c_uint = 90;

/// Opens an MTD character device.
#[derive(Debug, Clone)]
pub struct MtdOpener {
    path: PathBuf,
    sysfs: PathBuf,
    sector_size: u64,
}

impl MtdOpener {
    /// For the device node at `path`. Touches nothing yet.
    ///
    /// `sector_size` is the configured size of an erase sector in bytes, 0 if none is. It counts on NOR
    /// and DataFlash, where the kernel tells only the largest of a chip with sectors of several sizes;
    /// a NAND block is always as large as the kernel says.
    pub fn new(path: impl Into<PathBuf>, sector_size: u64) -> Self {
        MtdOpener { path: path.into(), sysfs: "/sys".into(), sector_size }
    }

    /// The same where sysfs is not at `/sys`.
    pub fn with_sysfs(mut self, sysfs: impl Into<PathBuf>) -> Self {
        self.sysfs = sysfs.into();
        self
    }
}

/// Whether `meta` is that of an MTD character device.
pub(super) fn is_mtd(meta: &fs::Metadata) -> bool {
    meta.file_type().is_char_device() && libc::major(meta.rdev()) == MAJOR
}

impl OpenMedium for MtdOpener {
    fn open(&self, access: Access) -> io::Result<Box<dyn Medium>> {
        let file = OpenOptions::new()
            .read(true)
            .write(access == Access::Write)
            // Should this be something else by now, opening it does not wait.
            .custom_flags(libc::O_NOCTTY | libc::O_NONBLOCK)
            .open(&self.path)?;
        let meta = file.metadata()?;
        if !is_mtd(&meta) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not an MTD character device"));
        }
        let info = mtd::info(&file)?;
        let size = size(&self.sysfs, meta.rdev(), info.size);
        Ok(Box::new(MtdMedium { geometry: geometry(&info, size, self.sector_size)?, file }))
    }
}

/// The size of the device in bytes. MEMGETINFO cuts it to 32 bits, sysfs does not; but sysfs need not
/// be there.
fn size(sysfs: &Path, device: libc::dev_t, low: u32) -> u64 {
    // The read-only node has no attributes of its own.
    let minor = libc::minor(device) & !1;
    let attribute = sysfs.join(format!("dev/char/{MAJOR}:{minor}/size"));
    let told = fs::read_to_string(attribute).ok().and_then(|text| text.trim().parse::<u64>().ok());
    told.filter(|&size| size as u32 == low).unwrap_or(low.into())
}

fn geometry(info: &mtd::Info, size: u64, sector_size: u64) -> io::Result<Geometry> {
    let kind = match info.kind {
        mtd::Type::Ram => MediumKind::Ram,
        mtd::Type::Nor => MediumKind::Nor,
        // A UBI volume seen through gluebi is written in pages, erased in blocks, and has no bad ones.
        // As on NAND, U-Boot's tools/env use serial flags on it.
        mtd::Type::Nand | mtd::Type::UbiVolume => MediumKind::Nand,
        mtd::Type::DataFlash => MediumKind::DataFlash,
        mtd::Type::Other(number) => {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("MTD devices of type {number} can't hold an environment"),
            ));
        }
    };
    let erase_size = match kind {
        _ if info.no_erase => 0,
        MediumKind::Nor | MediumKind::DataFlash if sector_size > 0 => sector_size,
        _ => info.erase_size.into(),
    };
    Ok(Geometry { kind, size, erase_size, write_size: info.write_size.max(1).into() })
}

#[derive(Debug)]
struct MtdMedium {
    file: File,
    geometry: Geometry,
}

impl MtdMedium {
    fn is_nand(&self) -> bool {
        self.geometry.kind == MediumKind::Nand
    }
}

impl Medium for MtdMedium {
    fn geometry(&self) -> Geometry {
        self.geometry
    }

    fn read(&mut self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        if !self.is_nand() {
            return self.file.read_exact_at(buf, offset);
        }
        let file = &self.file;
        read_corrected(|| mtd::uncorrectable(file), || file.read_exact_at(buf, offset))
    }

    fn program(&mut self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write_all_at(data, offset)
    }

    fn erase(&mut self, offset: u64) -> io::Result<()> {
        mtd::erase(&self.file, offset, self.geometry.erase_size)
    }

    fn is_bad(&mut self, offset: u64) -> io::Result<bool> {
        if !self.is_nand() {
            return Ok(false);
        }
        match mtd::is_bad(&self.file, offset) {
            // A chip or a driver that knows no bad blocks.
            Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => Ok(false),
            result => result,
        }
    }

    fn mark_bad(&mut self, offset: u64) -> io::Result<()> {
        mtd::mark_bad(&self.file, offset)
    }

    fn unlock(&mut self, offset: u64) -> io::Result<bool> {
        let (file, len) = (&self.file, self.geometry.erase_size);
        unlock(mtd::is_locked(file, offset, len), || mtd::unlock(file, offset, len))
    }

    fn lock(&mut self, offset: u64) -> io::Result<()> {
        mtd::lock(&self.file, offset, self.geometry.erase_size)
    }

    fn sync(&mut self) -> io::Result<()> {
        match self.file.sync_all() {
            // The driver has no fsync, since a write returns when it is on the chip.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Ok(()),
            result => result,
        }
    }

    fn drop_cache(&mut self, _offset: u64, _len: u64) -> io::Result<()> {
        // Character devices are read past the page cache.
        Ok(())
    }

    fn close(self: Box<Self>) -> io::Result<()> {
        sys::close(self.file)
    }
}

/// Reads from NAND so that bytes that the ECC could not correct are an error (EBADMSG).
///
/// read() on an MTD device returns such bytes without a word, so that images can be taken of broken
/// flash (mtdchar_read in drivers/mtd/mtdchar.c). Only the device's count of failures tells, and another
/// process may have raised it; so a second reading decides.
fn read_corrected(
    failures: impl Fn() -> io::Result<u32>,
    mut read: impl FnMut() -> io::Result<()>,
) -> io::Result<()> {
    let mut before = failures()?;
    for _ in 0..2 {
        read()?;
        let after = failures()?;
        if after == before {
            return Ok(());
        }
        before = after;
    }
    Err(io::Error::from_raw_os_error(libc::EBADMSG))
}

/// Unlocks what is or may be locked; returns whether it certainly was.
fn unlock(is_locked: io::Result<bool>, unlock: impl FnOnce() -> io::Result<()>) -> io::Result<bool> {
    match is_locked {
        Ok(true) => unlock().map(|()| true),
        Ok(false) => Ok(false),
        // Most drivers can't tell, and some of these can unlock. What stays locked is found when the erase
        // fails or when the bytes are read back.
        Err(_) => {
            let _ = unlock();
            Ok(false)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    const NOR: mtd::Info = mtd::Info {
        kind: mtd::Type::Nor,
        no_erase: false,
        size: 0x40_0000,
        erase_size: 0x1_0000,
        write_size: 1,
    };

    #[test]
    fn each_type_has_its_geometry() {
        let of = |info: mtd::Info, sector_size| {
            let g = geometry(&info, info.size.into(), sector_size).unwrap();
            (g.kind, g.size, g.erase_size, g.write_size)
        };
        assert_eq!(of(NOR, 0), (MediumKind::Nor, 0x40_0000, 0x1_0000, 1));
        // The small sectors at the end of a boot block chip.
        assert_eq!(of(NOR, 0x2000), (MediumKind::Nor, 0x40_0000, 0x2000, 1));
        let nand = mtd::Info { kind: mtd::Type::Nand, write_size: 2048, ..NOR };
        assert_eq!(of(nand, 0), (MediumKind::Nand, 0x40_0000, 0x1_0000, 2048));
        assert_eq!(of(nand, 0x4000), (MediumKind::Nand, 0x40_0000, 0x1_0000, 2048));
        let glued = mtd::Info { kind: mtd::Type::UbiVolume, ..nand };
        assert_eq!(of(glued, 0), (MediumKind::Nand, 0x40_0000, 0x1_0000, 2048));
        let data = mtd::Info { kind: mtd::Type::DataFlash, erase_size: 528, write_size: 528, ..NOR };
        assert_eq!(of(data, 0), (MediumKind::DataFlash, 0x40_0000, 528, 528));
        let ram = mtd::Info { kind: mtd::Type::Ram, no_erase: true, write_size: 0, ..NOR };
        assert_eq!(of(ram, 0x1000), (MediumKind::Ram, 0x40_0000, 0, 1));
    }

    #[test]
    fn a_type_that_can_not_be_written_is_refused_by_its_number() {
        let rom = mtd::Info { kind: mtd::Type::Other(2), ..NOR };
        assert!(geometry(&rom, 0x1000, 0).unwrap_err().to_string().contains("type 2"));
    }

    #[test]
    fn sizes_above_four_gibibytes_come_from_sysfs() {
        let sysfs = tempfile::tempdir().unwrap();
        let node = sysfs.path().join("dev/char/90:6");
        fs::create_dir_all(&node).unwrap();
        let attribute = node.join("size");
        let read_only = libc::makedev(90, 7);
        assert_eq!(size(sysfs.path(), read_only, 0x1000), 0x1000);
        fs::write(&attribute, "8589938688\n").unwrap();
        assert_eq!(size(sysfs.path(), read_only, 0x1000), 0x2_0000_1000);
        assert_eq!(size(sysfs.path(), libc::makedev(90, 6), 0x1000), 0x2_0000_1000);
        // Another device has taken the number meanwhile: the one that is open counts.
        assert_eq!(size(sysfs.path(), read_only, 0x2000), 0x2000);
        fs::write(&attribute, "garbage").unwrap();
        assert_eq!(size(sysfs.path(), read_only, 0x1000), 0x1000);
    }

    #[test]
    fn uncorrectable_bytes_are_an_error_and_corrected_ones_are_not() {
        let (count, reads) = (Cell::new(3), Cell::new(0));
        let read = |failing_reads: u32| {
            reads.set(0);
            let result = read_corrected(
                || Ok(count.get()),
                || {
                    reads.set(reads.get() + 1);
                    if reads.get() <= failing_reads {
                        count.set(count.get() + 1);
                    }
                    Ok(())
                },
            );
            (result.map_err(|e| e.raw_os_error()), reads.get())
        };
        assert_eq!(read(0), (Ok(()), 1));
        // A failure of somebody else's, or one that did not come again.
        assert_eq!(read(1), (Ok(()), 2));
        assert_eq!(read(2), (Err(Some(libc::EBADMSG)), 2));
        let gone = read_corrected(|| Ok(0), || Err(io::Error::from_raw_os_error(libc::EIO)));
        assert_eq!(gone.unwrap_err().raw_os_error(), Some(libc::EIO));
    }

    #[test]
    fn only_what_is_known_to_be_locked_is_locked_again() {
        let error = |errno| io::Error::from_raw_os_error(errno);
        let tried = Cell::new(false);
        let run = |is_locked, result: io::Result<()>| {
            tried.set(false);
            let was = unlock(is_locked, || {
                tried.set(true);
                result
            });
            (was.map_err(|e| e.raw_os_error()), tried.get())
        };
        assert_eq!(run(Ok(true), Ok(())), (Ok(true), true));
        assert_eq!(run(Ok(true), Err(error(libc::EIO))), (Err(Some(libc::EIO)), true));
        assert_eq!(run(Ok(false), Ok(())), (Ok(false), false));
        assert_eq!(run(Err(error(libc::EOPNOTSUPP)), Ok(())), (Ok(false), true));
        assert_eq!(run(Err(error(libc::EOPNOTSUPP)), Err(error(libc::EOPNOTSUPP))), (Ok(false), true));
    }

    #[test]
    fn what_is_no_mtd_device_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for path in [file.path(), Path::new("/dev/null")] {
            let error = MtdOpener::new(path, 0).open(Access::Write).err().unwrap();
            assert!(error.to_string().contains("not an MTD"), "{error}");
        }
    }
}
