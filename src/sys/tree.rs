//! What a copy of a folder needs: clones of files, btrfs snapshots, device nodes, the sync of a whole file system.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::{c_path, check, file_system};

/// FICLONE of linux/fs.h.
const FICLONE: libc::Ioctl = libc::_IOW::<libc::c_int>(0x94, 9);

/// BTRFS_IOC_SNAP_CREATE_V2 of linux/btrfs.h.
const SNAP_CREATE_V2: libc::Ioctl = libc::_IOW::<SnapshotOrder>(0x94, 23);

/// BTRFS_SUPER_MAGIC of linux/magic.h.
const BTRFS_SUPER_MAGIC: i64 = 0x9123_683e;

/// The inode number of a subvolume's top folder (BTRFS_FIRST_FREE_OBJECTID).
const TOP_OF_SUBVOLUME: u64 = 256;

/// `struct btrfs_ioctl_vol_args_v2`: 4096 bytes.
#[repr(C)]
struct SnapshotOrder {
    fd: i64,
    transaction: u64,
    flags: u64,
    unused: [u64; 4],
    name: [u8; 4040],
}

/// Makes `to` share all bytes of `from`, without a copy. See [`super::is_unsupported`]; and `EXDEV`, `ENOTTY`.
pub fn clone_file(from: &File, to: &File) -> io::Result<()> {
    // SAFETY: the argument is a descriptor, open as long as `from` lives; no memory is passed.
    check(unsafe { libc::ioctl(to.as_raw_fd(), FICLONE, from.as_raw_fd()) }).map(drop)
}

/// Writes all of the file system that `file` lies on. Before Linux 5.8 a failed write is not told here.
pub fn sync_file_system(file: &File) -> io::Result<()> {
    // SAFETY: syncfs takes no memory of ours, and the descriptor is open as long as `file` lives.
    check(unsafe { libc::syncfs(file.as_raw_fd()) }).map(drop)
}

/// Makes a FIFO or a device node of this mode and number.
pub fn make_node(path: &Path, mode: u32, device: u64) -> io::Result<()> {
    let path = c_path(path)?;
    // SAFETY: the path ends with NUL.
    check(unsafe { libc::mknod(path.as_ptr(), mode, device) }).map(drop)
}

/// Whether this folder is the top of a btrfs subvolume.
pub fn is_subvolume(folder: &Path) -> io::Result<bool> {
    Ok(folder.symlink_metadata()?.ino() == TOP_OF_SUBVOLUME && file_system(folder)? == BTRFS_SUPER_MAGIC)
}

/// Makes a snapshot of the subvolume `from` as `name` in the folder `parent`. It is on the medium when this returns.
pub fn snapshot_subvolume(from: &File, parent: &File, name: &CString) -> io::Result<()> {
    let mut order = SnapshotOrder {
        fd: i64::from(from.as_raw_fd()),
        transaction: 0,
        flags: 0,
        unused: [0; 4],
        name: [0; 4040],
    };
    let bytes = name.as_bytes();
    // BTRFS_PATH_NAME_MAX is 255.
    order
        .name
        .get_mut(..bytes.len())
        .filter(|_| bytes.len() <= 255)
        .ok_or(io::ErrorKind::InvalidInput)?
        .copy_from_slice(bytes);
    // SAFETY: the kernel reads, and may write, the 4096 bytes of the structure that `order` is; its name ends with NUL.
    check(unsafe { libc::ioctl(parent.as_raw_fd(), SNAP_CREATE_V2, &mut order as *mut SnapshotOrder) })
        .map(drop)
}
