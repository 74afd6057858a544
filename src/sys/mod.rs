//! System calls that std does not offer: MTD and UBI ioctls, mapped memory, flock, holes, page cache, extended
//! attributes; and calls of OpenSSL and zstd that their crates do not offer.
//!
//! Together with the C interface this is the crate's only `unsafe`: each function here is safe to
//! call, and none of them knows what it is used for.

#[allow(dead_code, missing_docs, non_camel_case_types)]
mod abi;
pub mod flock;
pub mod memory;
#[cfg(feature = "bootloader")]
pub mod mmc;
pub mod mtd;
#[cfg(feature = "cms")]
pub mod openssl;
#[cfg(feature = "health")]
pub mod process;
#[cfg(feature = "health")]
pub mod tree;
pub mod ubi;
#[cfg(feature = "health")]
pub mod watchdog;
#[cfg(feature = "bundle")]
pub mod zstd;

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::{AsRawFd, IntoRawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Turns the -1 of a failed system call into the error in `errno`.
fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

fn c_path(path: &Path) -> io::Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(io::Error::from)
}

/// Closes `file` and tells the result, which dropping it does not.
///
/// Linux closes the descriptor whatever the result is, so `EINTR` is a success.
pub fn close(file: File) -> io::Result<()> {
    // SAFETY: into_raw_fd gave us the only owner of the descriptor, and it is not used afterwards.
    match check(unsafe { libc::close(file.into_raw_fd()) }) {
        Err(error) if error.raw_os_error() != Some(libc::EINTR) => Err(error),
        _ => Ok(()),
    }
}

/// Drops the clean pages of `len` bytes from `offset` from the page cache (posix_fadvise, DONTNEED).
pub fn drop_cache(file: &File, offset: u64, len: u64) -> io::Result<()> {
    let (offset, len) = range(offset, len)?;
    // SAFETY: posix_fadvise takes no memory of ours, and the descriptor is open as long as `file` lives.
    match unsafe { libc::posix_fadvise64(file.as_raw_fd(), offset, len, libc::POSIX_FADV_DONTNEED) } {
        0 => Ok(()),
        // posix_fadvise returns the error instead of setting errno.
        errno => Err(io::Error::from_raw_os_error(errno)),
    }
}

/// Makes `len` bytes from `offset` read as zeros without writing them, in a file or on a block device; the size stays
/// (fallocate, FALLOC_FL_PUNCH_HOLE). See [`is_unsupported`].
pub fn punch_hole(file: &File, offset: u64, len: u64) -> io::Result<()> {
    let (offset, len) = range(offset, len)?;
    let mode = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
    // SAFETY: fallocate takes no memory of ours, and the descriptor is open as long as `file` lives.
    check(unsafe { libc::fallocate64(file.as_raw_fd(), mode, offset, len) }).map(drop)
}

/// Whether a system call failed because kernel, file system or device do not have it.
pub fn is_unsupported(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EOPNOTSUPP | libc::ENOSYS | libc::ENODEV | libc::EINVAL))
}

/// Starts to write what the page cache holds of the range, and does not wait (sync_file_range).
pub fn start_writing(file: &File, offset: u64, len: u64) -> io::Result<()> {
    sync_range(file, offset, len, libc::SYNC_FILE_RANGE_WRITE)
}

/// Waits until what was started in the range is written. It says nothing of the disk's own cache.
pub fn wait_for_writing(file: &File, offset: u64, len: u64) -> io::Result<()> {
    let all =
        libc::SYNC_FILE_RANGE_WAIT_BEFORE | libc::SYNC_FILE_RANGE_WRITE | libc::SYNC_FILE_RANGE_WAIT_AFTER;
    sync_range(file, offset, len, all)
}

fn sync_range(file: &File, offset: u64, len: u64, flags: libc::c_uint) -> io::Result<()> {
    let (offset, len) = range(offset, len)?;
    // SAFETY: sync_file_range takes no memory of ours, and the descriptor is open as long as `file` lives.
    match check(unsafe { libc::sync_file_range(file.as_raw_fd(), offset, len, flags) }) {
        // It is a help and no duty.
        Err(error) if is_unsupported(&error) => Ok(()),
        result => result.map(drop),
    }
}

fn range(offset: u64, len: u64) -> io::Result<(libc::off64_t, libc::off64_t)> {
    match (offset.try_into(), len.try_into()) {
        (Ok(offset), Ok(len)) => Ok((offset, len)),
        _ => Err(io::ErrorKind::InvalidInput.into()),
    }
}

/// Bytes that are free on the file system of `path`, for who is not root.
#[cfg(any(feature = "update", feature = "health"))]
pub fn free_bytes(path: &Path) -> io::Result<u64> {
    let path = c_path(path)?;
    // SAFETY: all-zero bytes are a valid statvfs, a structure of integers.
    let mut stat: libc::statvfs64 = unsafe { std::mem::zeroed() };
    // SAFETY: the path ends with NUL, and the function fills the structure that `stat` is.
    check(unsafe { libc::statvfs64(path.as_ptr(), &mut stat) })?;
    #[allow(clippy::unnecessary_cast)]
    Ok((stat.f_bavail as u64).saturating_mul(stat.f_frsize as u64))
}

/// Where the next data of `file` lie, from `offset` on; `None`: from there to the end there is only a hole.
/// Where the file system does not tell, everything is data, and the range has no end. Moves the position of
/// the file.
pub fn next_data(file: &File, offset: u64) -> io::Result<Option<Range<u64>>> {
    match seek(file, offset, libc::SEEK_DATA) {
        Ok(start) => Ok(Some(start..seek(file, start, libc::SEEK_HOLE)?)),
        Err(error) => match error.raw_os_error() {
            Some(libc::ENXIO) => Ok(None),
            Some(libc::EINVAL | libc::EOPNOTSUPP | libc::ENOSYS) => Ok(Some(offset..u64::MAX)),
            _ => Err(error),
        },
    }
}

fn seek(file: &File, offset: u64, whence: libc::c_int) -> io::Result<u64> {
    let offset = libc::off64_t::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: lseek takes no memory of ours, and the descriptor is open as long as `file` lives.
    let at = unsafe { libc::lseek64(file.as_raw_fd(), offset, whence) };
    // Negative is only the -1 of an error.
    u64::try_from(at).map_err(|_| io::Error::last_os_error())
}

/// BLKGETSIZE64 of linux/fs.h. The header says `size_t` where the kernel writes a `u64`, so that
/// the number differs between 32 and 64 bits while the data do not.
const BLKGETSIZE64: libc::Ioctl = libc::_IOR::<libc::size_t>(0x12, 114);

/// Size of a block device in bytes.
pub fn block_device_size(file: &File) -> io::Result<u64> {
    let mut size: u64 = 0;
    // SAFETY: the kernel writes the eight bytes of a u64 (block/ioctl.c), which is what `size` is.
    check(unsafe { libc::ioctl(file.as_raw_fd(), BLKGETSIZE64, &mut size as *mut u64) })?;
    Ok(size)
}

/// File systems by their numbers (include/uapi/linux/magic.h).
const SYSFS_MAGIC: i64 = 0x6265_6572;
const MSDOS_SUPER_MAGIC: i64 = 0x4d44;

/// Whether `path` lies on sysfs, whose files can be written but not replaced.
pub fn is_on_sysfs(path: &Path) -> io::Result<bool> {
    Ok(file_system(path)? == SYSFS_MAGIC)
}

/// Whether `path` lies on FAT, which has no journal.
pub fn is_on_fat(path: &Path) -> io::Result<bool> {
    Ok(file_system(path)? == MSDOS_SUPER_MAGIC)
}

/// The number of the kind of file system on which `path` lies.
fn file_system(path: &Path) -> io::Result<i64> {
    let path = c_path(path)?;
    // SAFETY: all-zero bytes are a valid statfs, a structure of integers.
    let mut stat: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: the path ends with NUL, and the kernel fills the structure that `stat` is.
    check(unsafe { libc::statfs(path.as_ptr(), &mut stat) })?;
    // Its type differs between architectures and C libraries.
    #[allow(clippy::unnecessary_cast)]
    Ok(stat.f_type as i64)
}

/// Whether `path` is itself a mount point, as a file that was bind-mounted is. Kernels before 5.8
/// do not say, and then this is `false`.
pub fn is_mount_root(path: &Path) -> io::Result<bool> {
    let path = c_path(path)?;
    // SAFETY: all-zero bytes are a valid statx, a structure of integers.
    let mut stat: libc::statx = unsafe { std::mem::zeroed() };
    // SAFETY: the path ends with NUL, and the kernel fills the structure that `stat` is.
    let result = unsafe {
        libc::statx(libc::AT_FDCWD, path.as_ptr(), libc::AT_SYMLINK_NOFOLLOW, libc::STATX_TYPE, &mut stat)
    };
    match check(result) {
        Ok(_) => Ok(stat.stx_attributes & libc::STATX_ATTR_MOUNT_ROOT as u64 != 0),
        // Before Linux 4.11, or forbidden by a container's filter.
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOSYS) | Some(libc::EPERM)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Names of all extended attributes of `file`; empty where the file system has none.
pub fn xattr_names(file: &File) -> io::Result<Vec<CString>> {
    let list = grow(|buf| {
        // SAFETY: the pointer and the length describe the writable bytes of `buf`.
        unsafe { libc::flistxattr(file.as_raw_fd(), buf.as_mut_ptr().cast(), buf.len()) }
    });
    match list {
        Ok(list) => Ok(list
            .split_inclusive(|&byte| byte == 0)
            .filter_map(|name| CStr::from_bytes_with_nul(name).ok().map(CStr::to_owned))
            .collect()),
        Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Value of the extended attribute `name` of `file`.
pub fn xattr(file: &File, name: &CStr) -> io::Result<Vec<u8>> {
    grow(|buf| {
        // SAFETY: the name ends with NUL; pointer and length describe the writable bytes of `buf`.
        unsafe { libc::fgetxattr(file.as_raw_fd(), name.as_ptr(), buf.as_mut_ptr().cast(), buf.len()) }
    })
}

/// Sets the extended attribute `name` of `file`.
pub fn set_xattr(file: &File, name: &CStr, value: &[u8]) -> io::Result<()> {
    // SAFETY: the name ends with NUL; pointer and length describe the readable bytes of `value`.
    check(unsafe { libc::fsetxattr(file.as_raw_fd(), name.as_ptr(), value.as_ptr().cast(), value.len(), 0) })
        .map(drop)
}

/// Removes the extended attribute `name` of `file`.
pub fn remove_xattr(file: &File, name: &CStr) -> io::Result<()> {
    // SAFETY: the name ends with NUL, and the descriptor is open as long as `file` lives.
    check(unsafe { libc::fremovexattr(file.as_raw_fd(), name.as_ptr()) }).map(drop)
}

/// Asks with ever larger buffers until the answer fits (ERANGE says that it did not).
fn grow(mut ask: impl FnMut(&mut [u8]) -> libc::ssize_t) -> io::Result<Vec<u8>> {
    // Linux limits a value and a list to 64 KiB each (XATTR_SIZE_MAX, XATTR_LIST_MAX).
    for size in [256, 4096, 65536] {
        let mut buf = vec![0; size];
        match usize::try_from(ask(&mut buf)) {
            Ok(len) => {
                buf.truncate(len);
                return Ok(buf);
            }
            Err(_) => {
                let error = io::Error::last_os_error();
                if error.raw_os_error() != Some(libc::ERANGE) {
                    return Err(error);
                }
            }
        }
    }
    Err(io::Error::from_raw_os_error(libc::ERANGE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::FileExt;

    #[test]
    fn attributes_are_listed_read_and_set() {
        let file = tempfile::tempfile().unwrap();
        // Longer than the first buffer of `grow`.
        let value = vec![7; 1000];
        match set_xattr(&file, c"user.bootslot", &value) {
            Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => {
                eprintln!("left out: the file system for temporary files has no attributes");
                return assert_eq!(xattr_names(&file).unwrap(), Vec::<CString>::new());
            }
            result => result.unwrap(),
        }
        assert_eq!(xattr_names(&file).unwrap(), [c"user.bootslot".to_owned()]);
        assert_eq!(xattr(&file, c"user.bootslot").unwrap(), value);
        remove_xattr(&file, c"user.bootslot").unwrap();
        assert_eq!(xattr(&file, c"user.bootslot").unwrap_err().raw_os_error(), Some(libc::ENODATA));
    }

    #[test]
    fn a_regular_file_is_no_block_device() {
        let file = tempfile::tempfile().unwrap();
        assert_eq!(block_device_size(&file).unwrap_err().raw_os_error(), Some(libc::ENOTTY));
    }

    #[test]
    fn data_are_told_from_holes() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(3 << 20).unwrap();
        assert_eq!(next_data(&file, 0).unwrap(), None);
        file.write_all_at(&[7; 100], 1 << 20).unwrap();
        let data = next_data(&file, 0).unwrap().unwrap();
        assert!((1..=1 << 20).contains(&data.start), "{data:?}");
        assert!(data.end > 1 << 20 && data.end < 2 << 20, "{data:?}");
        assert_eq!(next_data(&file, data.end - 1).unwrap(), Some(data.end - 1..data.end));
        assert_eq!(next_data(&file, data.end).unwrap(), None);
        assert_eq!(next_data(&file, 3 << 20).unwrap(), None);
        assert_eq!(next_data(&file, u64::MAX).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn a_pipe_has_no_cache_to_drop() {
        let mut child =
            std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let pipe = File::from(std::os::fd::OwnedFd::from(child.stdin.take().unwrap()));
        assert_eq!(drop_cache(&pipe, 0, 0).unwrap_err().raw_os_error(), Some(libc::ESPIPE));
        assert_eq!(drop_cache(&pipe, u64::MAX, 0).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        close(pipe).unwrap();
        assert!(child.wait().unwrap().success());
    }

    #[test]
    fn file_systems_are_told_apart() {
        assert!(is_on_sysfs(Path::new("/sys/kernel")).unwrap());
        assert!(!is_on_sysfs(&std::env::temp_dir()).unwrap());
        // FAT itself is in qemu/test-disk.sh.
        assert!(!is_on_fat(Path::new("/sys/kernel")).unwrap());
    }

    #[test]
    fn the_root_is_a_mount_point_and_a_new_file_is_not() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(!is_mount_root(file.path()).unwrap());
        assert!(is_mount_root(Path::new("/proc")).unwrap());
    }
}
