//! ioctls of MTD character devices (mtd/mtd-abi.h; drivers/mtd/mtdchar.c in the kernel).

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

use super::abi::{self, erase_info_user, erase_info_user64, mtd_ecc_stats, mtd_info_user};
use super::check;

const MEMGETINFO: libc::Ioctl = libc::_IOR::<mtd_info_user>(b'M' as u32, 1);
const MEMERASE: libc::Ioctl = libc::_IOW::<erase_info_user>(b'M' as u32, 2);
const MEMLOCK: libc::Ioctl = libc::_IOW::<erase_info_user>(b'M' as u32, 5);
const MEMUNLOCK: libc::Ioctl = libc::_IOW::<erase_info_user>(b'M' as u32, 6);
const MEMGETBADBLOCK: libc::Ioctl = libc::_IOW::<i64>(b'M' as u32, 11);
const MEMSETBADBLOCK: libc::Ioctl = libc::_IOW::<i64>(b'M' as u32, 12);
const ECCGETSTATS: libc::Ioctl = libc::_IOR::<mtd_ecc_stats>(b'M' as u32, 18);
const MEMERASE64: libc::Ioctl = libc::_IOW::<erase_info_user64>(b'M' as u32, 20);
const MEMISLOCKED: libc::Ioctl = libc::_IOR::<erase_info_user>(b'M' as u32, 23);

/// What MEMGETINFO says of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Info {
    /// What kind of chip it is.
    pub kind: Type,
    /// Nothing has to be erased before it is written (MTD_NO_ERASE).
    pub no_erase: bool,
    /// Single bits can be cleared (MTD_BIT_WRITEABLE).
    pub bit_writeable: bool,
    /// Size in bytes, modulo 4 GiB: the interface has 32 bits for it.
    pub size: u32,
    /// Bytes of an erase block.
    pub erase_size: u32,
    /// Bytes of the smallest unit that can be programmed: a NAND page, 1 on most NOR.
    pub write_size: u32,
}

/// The type of an MTD device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// RAM.
    Ram,
    /// NOR flash.
    Nor,
    /// NAND flash, SLC or MLC.
    Nand,
    /// DataFlash.
    DataFlash,
    /// A UBI volume dressed as MTD (gluebi).
    UbiVolume,
    /// ROM, an absent chip, or a type that is newer than this program: its number.
    Other(u8),
}

/// MEMGETINFO.
pub fn info(file: &File) -> io::Result<Info> {
    let mut raw = mtd_info_user::default();
    // SAFETY: MEMGETINFO fills the mtd_info_user that the pointer leads to.
    check(unsafe { libc::ioctl(file.as_raw_fd(), MEMGETINFO, &mut raw as *mut mtd_info_user) })?;
    Ok(Info {
        kind: match u32::from(raw.type_) {
            abi::MTD_RAM => Type::Ram,
            abi::MTD_NORFLASH => Type::Nor,
            abi::MTD_NANDFLASH | abi::MTD_MLCNANDFLASH => Type::Nand,
            abi::MTD_DATAFLASH => Type::DataFlash,
            abi::MTD_UBIVOLUME => Type::UbiVolume,
            _ => Type::Other(raw.type_),
        },
        no_erase: raw.flags & abi::MTD_NO_ERASE != 0,
        bit_writeable: raw.flags & abi::MTD_BIT_WRITEABLE != 0,
        size: raw.size,
        erase_size: raw.erasesize,
        write_size: raw.writesize,
    })
}

/// Erases `len` bytes from `offset`: MEMERASE64, or MEMERASE on kernels before 2.6.31.
pub fn erase(file: &File, offset: u64, len: u64) -> io::Result<()> {
    let range = erase_info_user64 { start: offset, length: len };
    // SAFETY: MEMERASE64 reads the erase_info_user64 that the pointer leads to.
    let result =
        check(unsafe { libc::ioctl(file.as_raw_fd(), MEMERASE64, &range as *const erase_info_user64) });
    match result {
        Err(error) if error.raw_os_error() == Some(libc::ENOTTY) => {
            with_range(file, MEMERASE, offset, len).map(drop)
        }
        result => result.map(drop),
    }
}

/// Locks `len` bytes from `offset` (MEMLOCK).
pub fn lock(file: &File, offset: u64, len: u64) -> io::Result<()> {
    with_range(file, MEMLOCK, offset, len).map(drop)
}

/// Unlocks `len` bytes from `offset` (MEMUNLOCK).
pub fn unlock(file: &File, offset: u64, len: u64) -> io::Result<()> {
    with_range(file, MEMUNLOCK, offset, len).map(drop)
}

/// Whether `len` bytes from `offset` are locked (MEMISLOCKED). Many drivers can't tell: EOPNOTSUPP.
pub fn is_locked(file: &File, offset: u64, len: u64) -> io::Result<bool> {
    with_range(file, MEMISLOCKED, offset, len).map(|result| result > 0)
}

/// Whether the block that starts at `offset` is bad (MEMGETBADBLOCK).
pub fn is_bad(file: &File, offset: u64) -> io::Result<bool> {
    with_offset(file, MEMGETBADBLOCK, offset).map(|result| result > 0)
}

/// Marks the block that starts at `offset` as bad (MEMSETBADBLOCK).
pub fn mark_bad(file: &File, offset: u64) -> io::Result<()> {
    with_offset(file, MEMSETBADBLOCK, offset).map(drop)
}

/// How many ECC steps of this device could not be corrected since the kernel started (ECCGETSTATS).
pub fn uncorrectable(file: &File) -> io::Result<u32> {
    let mut stats = mtd_ecc_stats::default();
    // SAFETY: ECCGETSTATS fills the mtd_ecc_stats that the pointer leads to.
    check(unsafe { libc::ioctl(file.as_raw_fd(), ECCGETSTATS, &mut stats as *mut mtd_ecc_stats) })?;
    Ok(stats.failed)
}

fn with_range(file: &File, request: libc::Ioctl, offset: u64, len: u64) -> io::Result<libc::c_int> {
    let (Ok(start), Ok(length)) = (u32::try_from(offset), u32::try_from(len)) else {
        return Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "the kernel has no call for this beyond 4 GiB",
        ));
    };
    let range = erase_info_user { start, length };
    // SAFETY: MEMERASE, MEMLOCK, MEMUNLOCK and MEMISLOCKED read the erase_info_user that the pointer leads to.
    check(unsafe { libc::ioctl(file.as_raw_fd(), request, &range as *const erase_info_user) })
}

fn with_offset(file: &File, request: libc::Ioctl, offset: u64) -> io::Result<libc::c_int> {
    let offset = i64::try_from(offset).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    // SAFETY: MEMGETBADBLOCK and MEMSETBADBLOCK read the loff_t (64 bits everywhere) that the pointer leads to.
    check(unsafe { libc::ioctl(file.as_raw_fd(), request, &offset as *const i64) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structures_have_the_sizes_of_the_kernel() {
        assert_eq!(size_of::<mtd_info_user>(), 32);
        assert_eq!(size_of::<erase_info_user>(), 8);
        assert_eq!(size_of::<erase_info_user64>(), 16);
        assert_eq!(size_of::<mtd_ecc_stats>(), 16);
    }

    #[test]
    #[cfg(any(target_arch = "x86_64", target_arch = "x86", target_arch = "aarch64", target_arch = "arm"))]
    fn numbers_are_those_of_the_headers() {
        for (ours, header) in [
            (MEMGETINFO, abi::GENERIC_MEMGETINFO),
            (MEMERASE, abi::GENERIC_MEMERASE),
            (MEMLOCK, abi::GENERIC_MEMLOCK),
            (MEMUNLOCK, abi::GENERIC_MEMUNLOCK),
            (MEMGETBADBLOCK, abi::GENERIC_MEMGETBADBLOCK),
            (MEMSETBADBLOCK, abi::GENERIC_MEMSETBADBLOCK),
            (ECCGETSTATS, abi::GENERIC_ECCGETSTATS),
            (MEMERASE64, abi::GENERIC_MEMERASE64),
            (MEMISLOCKED, abi::GENERIC_MEMISLOCKED),
        ] {
            assert_eq!(ours as u32, header, "{header:#x}");
        }
        // Once more against numbers that strace prints, so that the headers are not their own witness.
        assert_eq!(MEMGETINFO as u32, 0x8020_4d01);
        assert_eq!(MEMERASE64 as u32, 0x4010_4d14);
    }

    #[test]
    fn calls_on_what_is_no_mtd_device_fail_and_give_the_reason() {
        let file = tempfile::tempfile().unwrap();
        let errno = |error: io::Error| error.raw_os_error();
        assert_eq!(errno(info(&file).unwrap_err()), Some(libc::ENOTTY));
        assert_eq!(errno(erase(&file, 0, 4096).unwrap_err()), Some(libc::ENOTTY));
        assert_eq!(errno(unlock(&file, 0, 4096).unwrap_err()), Some(libc::ENOTTY));
        assert_eq!(errno(mark_bad(&file, 0).unwrap_err()), Some(libc::ENOTTY));
        assert_eq!(errno(uncorrectable(&file).unwrap_err()), Some(libc::ENOTTY));
    }

    #[test]
    fn what_32_bits_can_not_say_is_refused() {
        let file = tempfile::tempfile().unwrap();
        assert_eq!(lock(&file, 1 << 32, 4096).unwrap_err().kind(), io::ErrorKind::Unsupported);
        assert_eq!(mark_bad(&file, u64::MAX).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}
