//! ioctls of UBI devices (mtd/ubi-user.h; drivers/mtd/ubi/cdev.c in the kernel).

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

use super::abi::{ubi_attach_req, ubi_leb_change_req, UBI_DEV_NUM_AUTO};
use super::check;

const UBI_IOCATT: libc::Ioctl = libc::_IOW::<ubi_attach_req>(b'o' as u32, 64);
const UBI_IOCVOLUP: libc::Ioctl = libc::_IOW::<i64>(b'O' as u32, 0);
#[cfg(feature = "update")]
const UBI_IOCEBER: libc::Ioctl = libc::_IOW::<i32>(b'O' as u32, 1);
// The header gives it the size of an s32, the kernel reads a ubi_leb_change_req.
const UBI_IOCEBCH: libc::Ioctl = libc::_IOW::<i32>(b'O' as u32, 2);

/// What old kernels want to hear of the data: nothing is known of how long it will stay (UBI_UNKNOWN).
const UNKNOWN_TERM: core::ffi::c_schar = 3;

/// Starts the update of the volume `file`: the next `len` bytes written to it are its new content
/// (UBI_IOCVOLUP). From here until the last of them the volume can't be read, also after a power cut.
pub fn start_update(file: &File, len: u64) -> io::Result<()> {
    let len = i64::try_from(len).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    // SAFETY: UBI_IOCVOLUP reads the s64 that the pointer leads to (the header's comment says so).
    check(unsafe { libc::ioctl(file.as_raw_fd(), UBI_IOCVOLUP, &len as *const i64) }).map(drop)
}

/// Starts the atomic change of LEB `number` of the dynamic volume `file`: the next `len` bytes written to it are the
/// LEB's new content (UBI_IOCEBCH). Until the last of them, and after a power cut, the LEB holds the old ones.
pub fn start_leb_change(file: &File, number: i32, len: i32) -> io::Result<()> {
    let request = ubi_leb_change_req { lnum: number, bytes: len, dtype: UNKNOWN_TERM, ..Default::default() };
    // SAFETY: UBI_IOCEBCH reads the ubi_leb_change_req that the pointer leads to.
    check(unsafe { libc::ioctl(file.as_raw_fd(), UBI_IOCEBCH, &request as *const ubi_leb_change_req) })
        .map(drop)
}

/// Empties LEB `number` of the dynamic volume `file`, and waits until the old content can't come back (UBI_IOCEBER: unmap,
/// then wait for the erase). After UBI_IOCEBUNMAP alone a power cut can bring it back.
#[cfg(feature = "update")]
pub fn erase_leb(file: &File, number: i32) -> io::Result<()> {
    // SAFETY: UBI_IOCEBER reads the s32 that the pointer leads to.
    check(unsafe { libc::ioctl(file.as_raw_fd(), UBI_IOCEBER, &number as *const i32) }).map(drop)
}

/// Attaches MTD device number `mtd` to UBI and returns the number of the new UBI device
/// (UBI_IOCATT on /dev/ubi_ctrl). EEXIST: it is attached already.
pub fn attach(control: &File, mtd: u32) -> io::Result<u32> {
    let mtd_num = i32::try_from(mtd).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let mut request = ubi_attach_req { ubi_num: UBI_DEV_NUM_AUTO, mtd_num, ..Default::default() };
    // SAFETY: UBI_IOCATT reads the ubi_attach_req that the pointer leads to and writes its first field.
    check(unsafe { libc::ioctl(control.as_raw_fd(), UBI_IOCATT, &mut request as *mut ubi_attach_req) })?;
    u32::try_from(request.ubi_num).map_err(|_| io::Error::other("UBI gave no device number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structures_have_the_sizes_of_the_kernel() {
        assert_eq!(size_of::<ubi_attach_req>(), 24);
        assert_eq!(size_of::<ubi_leb_change_req>(), 16);
    }

    #[test]
    #[cfg(any(target_arch = "x86_64", target_arch = "x86", target_arch = "aarch64", target_arch = "arm"))]
    fn numbers_are_those_of_the_headers() {
        assert_eq!(UBI_IOCATT as u32, super::super::abi::GENERIC_UBI_IOCATT);
        assert_eq!(UBI_IOCVOLUP as u32, super::super::abi::GENERIC_UBI_IOCVOLUP);
        assert_eq!(UBI_IOCEBCH as u32, super::super::abi::GENERIC_UBI_IOCEBCH);
        // Once more against numbers that strace prints, so that the headers are not their own witness.
        assert_eq!(UBI_IOCATT as u32, 0x4018_6f40);
        assert_eq!(UBI_IOCVOLUP as u32, 0x4008_4f00);
        assert_eq!(UBI_IOCEBCH as u32, 0x4004_4f02);
        #[cfg(feature = "update")]
        assert_eq!(UBI_IOCEBER as u32, super::super::abi::GENERIC_UBI_IOCEBER);
    }

    #[test]
    fn calls_on_what_is_no_ubi_device_fail_and_give_the_reason() {
        let file = tempfile::tempfile().unwrap();
        assert_eq!(start_update(&file, 1).unwrap_err().raw_os_error(), Some(libc::ENOTTY));
        assert_eq!(start_leb_change(&file, 0, 1).unwrap_err().raw_os_error(), Some(libc::ENOTTY));
        assert_eq!(attach(&file, 0).unwrap_err().raw_os_error(), Some(libc::ENOTTY));
        assert_eq!(start_update(&file, u64::MAX).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}
