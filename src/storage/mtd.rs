//! MTD character devices (`/dev/mtdN`): NOR, NAND, DataFlash, RAM.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::{Access, Geometry, Medium, MediumKind, OpenMedium};
use crate::sys::{self, mtd};

/// Major device number of MTD character devices (MTD_CHAR_MAJOR of linux/mtd/mtd.h). The minor one is
/// twice the MTD number, plus one for the read-only node `/dev/mtdNro`.
const MAJOR: libc::c_uint = 90;

/// The smallest ECC unit of a NOR chip in bytes (Infineon SEMPER), for a driver that tells none.
pub(crate) const SMALLEST_ECC_UNIT: u32 = 16;

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
    /// `sector_size` is the configured size of an erase sector in bytes, 0 if none is. It counts where the chip
    /// has sectors of several sizes, of which the kernel tells only the largest.
    pub fn new(path: impl Into<PathBuf>, sector_size: u64) -> Self {
        MtdOpener { path: path.into(), sysfs: "/sys".into(), sector_size }
    }

    /// The same where sysfs is not at `/sys`.
    pub fn with_sysfs(mut self, sysfs: impl Into<PathBuf>) -> Self {
        self.sysfs = sysfs.into();
        self
    }
}

/// Whether `meta` has the number of an MTD character device.
pub(crate) fn is_mtd(meta: &fs::Metadata) -> bool {
    meta.file_type().is_char_device() && libc::major(meta.rdev()) == MAJOR
}

/// Whether the character device at `path`, whatever its number, answers as an MTD device does.
pub(crate) fn answers_as_mtd(path: &Path) -> io::Result<bool> {
    match mtd::info(&open(path, Access::Read)?) {
        Ok(_) => Ok(true),
        // ENOTTY is what a device says that knows no such call; some say EINVAL.
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOTTY | libc::EINVAL)) => Ok(false),
        Err(error) => Err(error),
    }
}

fn open(path: &Path, access: Access) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(access == Access::Write)
        // Should this be something else by now, opening it does not wait.
        .custom_flags(libc::O_NOCTTY | libc::O_NONBLOCK)
        .open(path)
}

impl OpenMedium for MtdOpener {
    fn open(&self, access: Access) -> io::Result<Box<dyn Medium>> {
        let file = open(&self.path, access)?;
        let meta = file.metadata()?;
        if !meta.file_type().is_char_device() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not an MTD character device"));
        }
        let info = mtd::info(&file)?;
        let attribute = |name| attribute(&self.sysfs, &meta, name);
        // Without sysfs, the end tells it too (mtdchar_lseek).
        let told = attribute("size").or_else(|| (&file).seek(SeekFrom::End(0)).ok());
        let size = size(told, info.size);
        let several_sizes = attribute("numeraseregions").is_some_and(|regions| regions > 0);
        let sector_size = if several_sizes { self.sector_size } else { 0 };
        Ok(Box::new(MtdMedium { geometry: geometry(&info, size, sector_size)?, file }))
    }
}

/// A number that sysfs tells of the MTD device with this node; `None` for other devices, and where sysfs is not there.
fn attribute(sysfs: &Path, meta: &fs::Metadata, name: &str) -> Option<u64> {
    is_mtd(meta).then(|| number(sysfs, meta.rdev(), name)).flatten()
}

fn number(sysfs: &Path, device: libc::dev_t, name: &str) -> Option<u64> {
    // The read-only node has no attributes of its own.
    let minor = libc::minor(device) & !1;
    let path = sysfs.join(format!("dev/char/{MAJOR}:{minor}/{name}"));
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// The size of the device in bytes. MEMGETINFO cuts it to 32 bits, what else tells it does not.
fn size(told: Option<u64>, low: u32) -> u64 {
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
                format!("MTD devices of type {number} are not known here"),
            ));
        }
    };
    let erase_size = match kind {
        _ if info.no_erase || info.erase_size == 0 => 0,
        MediumKind::Nor | MediumKind::DataFlash if sector_size > 0 => sector_size,
        _ => info.erase_size.into(),
    };
    // A chip whose bits can't be cleared one by one has ECC: drivers/mtd/spi-nor (SNOR_F_ECC) and cfi_cmdset_0001.c
    // take the flag away and say how large a unit is. Kernels before 6.4 say only that of some chips.
    let unit = match kind {
        // Memory that is not erased has no such units.
        MediumKind::Nor if erase_size == 0 => 1,
        MediumKind::Nor if !info.bit_writeable => info.write_size.max(SMALLEST_ECC_UNIT),
        _ => info.write_size.max(1),
    };
    Ok(Geometry { kind, size, erase_size, write_size: unit.into() })
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
        bit_writeable: true,
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
        // RAM that says it is NOR and has nothing to erase.
        let plain = mtd::Info { erase_size: 0, write_size: 0, ..NOR };
        assert_eq!(of(plain, 0), (MediumKind::Nor, 0x40_0000, 0, 1));
        assert_eq!(of(plain, 0x1000), (MediumKind::Nor, 0x40_0000, 0, 1));
        assert_eq!(of(mtd::Info { bit_writeable: false, ..plain }, 0).3, 1);
        let ecc = mtd::Info { bit_writeable: false, write_size: 16, ..NOR };
        assert_eq!(of(ecc, 0), (MediumKind::Nor, 0x40_0000, 0x1_0000, 16));
        assert_eq!(of(mtd::Info { write_size: 1024, ..ecc }, 0).3, 1024);
        assert_eq!(of(mtd::Info { write_size: 1, ..ecc }, 0).3, 16, "the driver does not say");
        assert_eq!(of(mtd::Info { bit_writeable: true, ..ecc }, 0).3, 16, "an older kernel");
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
        let (device, read_only) = (libc::makedev(90, 6), libc::makedev(90, 7));
        let of = |device, low| size(number(sysfs.path(), device, "size"), low);
        assert_eq!(of(read_only, 0x1000), 0x1000);
        fs::write(&attribute, "8589938688\n").unwrap();
        assert_eq!(of(read_only, 0x1000), 0x2_0000_1000);
        assert_eq!(of(device, 0x1000), 0x2_0000_1000);
        // Another device has taken the number meanwhile: the one that is open counts.
        assert_eq!(of(read_only, 0x2000), 0x2000);
        fs::write(&attribute, "garbage").unwrap();
        assert_eq!(of(read_only, 0x1000), 0x1000);
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
        let error = MtdOpener::new(file.path(), 0).open(Access::Write).err().unwrap();
        assert!(error.to_string().contains("not an MTD"), "{error}");
        let error = MtdOpener::new("/dev/null", 0).open(Access::Write).err().unwrap();
        assert_eq!(error.raw_os_error(), Some(libc::ENOTTY));
        assert!(!answers_as_mtd(Path::new("/dev/null")).unwrap());
    }
}
