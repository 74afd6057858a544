//! Whether somebody else uses the target, and how it is kept that way: nobody's.
//!
//! | target | who could use it | what tells, and what keeps others away |
//! |---|---|---|
//! | block device | a mount, swap, device mapper | it is opened with `O_EXCL`, and stays so |
//! | UBI volume | UBIFS, other programs | it is opened for writing, and stays so: a second one gets `EBUSY` |
//! | | a block device on it (`ubiblock`) | that one is opened with `O_EXCL`, once: an open one would keep us from writing |
//! | MTD device | UBI | `mtd_num` in sysfs |
//! | | JFFS2 and its like | the table of mounts |
//! | | a block device on it (`mtdblock`) | that one is opened with `O_EXCL`, and stays so |
//! | what the kernel claims for nobody: a regular file, MTD without `mtdblock` | another installation | a record lock of it (`F_OFD_SETLK`), which stays. Its flock is a writer's: see `storage::exclusive` |

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use super::error::{Result, UpdateError};
use crate::storage::ubi::UbiVolume;
use crate::storage::ubi_image::VolumeOpener;
use crate::sys::flock;

/// Major number of `/dev/mtdblock*` (MTD_BLOCK_MAJOR of linux/mtd/mtd.h); JFFS2 mounts have it, too.
const MTD_BLOCK: u32 = 31;

/// Claims a block device for `target`: the kernel lets it be opened so only if it is neither mounted nor part of
/// something that is.
///
/// # Errors
///
/// [`UpdateError::InUse`], [`UpdateError::Medium`].
pub(super) fn block(device: &Path, target: &Path) -> Result<File> {
    let open = || OpenOptions::new().read(true).custom_flags(libc::O_EXCL | libc::O_NONBLOCK).open(device);
    open().map_err(|error| match error.raw_os_error() {
        Some(libc::EBUSY) if device == target => {
            in_use(target, "it is in use: mounted, swap, or below another device")
        }
        Some(libc::EBUSY) => in_use(target, &format!("{} on it is in use", device.display())),
        _ => failed(target, "claiming it", error),
    })
}

/// Claims what the kernel claims for nobody, against other installations. Where the file system knows no locks, or the
/// target can't be written, there is nothing to claim.
///
/// # Errors
///
/// [`UpdateError::InUse`].
pub(super) fn locked(target: &Path) -> Result<Option<File>> {
    let open = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(target);
    let Ok(file) = open else { return Ok(None) };
    match flock::try_record_lock(&file) {
        Ok(true) => Ok(Some(file)),
        Ok(false) => Err(in_use(target, "another installation writes to it")),
        Err(_) => Ok(None),
    }
}

/// Where the kernel tells who uses what.
pub(super) struct Others<'a> {
    /// The table of mounts.
    pub mountinfo: &'a Path,
    /// sysfs.
    pub sysfs: &'a Path,
}

impl Others<'_> {
    /// Claims MTD device `number`.
    ///
    /// # Errors
    ///
    /// [`UpdateError::InUse`], [`UpdateError::Medium`].
    pub fn claim_mtd(&self, target: &Path, number: u32) -> Result<Option<File>> {
        if let Some(ubi) = self.attached(number).map_err(|error| failed(target, "asking for UBI", error))? {
            let reason =
                format!("it is attached to UBI as {ubi}; a slot can be one of its volumes, or detach it");
            return Err(in_use(target, &reason));
        }
        if let Some(point) =
            self.mounted(MTD_BLOCK, number).map_err(|error| failed(target, "asking for mounts", error))?
        {
            return Err(in_use(target, &format!("it is mounted on {point}")));
        }
        self.claim_block_on(target, &format!("mtdblock{number}"))
    }

    /// Claims a UBI volume, and opens it.
    ///
    /// # Errors
    ///
    /// [`UpdateError::InUse`], [`UpdateError::Medium`].
    pub fn claim_volume(&self, target: &Path, volume: UbiVolume) -> Result<VolumeOpener> {
        let name = self.name(&volume).map_err(|error| failed(target, "looking for its number", error))?;
        // Not held: it would have the volume open.
        self.claim_block_on(target, &name.replacen("ubi", "ubiblock", 1))?;
        VolumeOpener::hold(volume).map_err(|error| match error.raw_os_error() {
            Some(libc::EBUSY) => in_use(target, "it is in use: mounted, or another program has it open"),
            _ => failed(target, "claiming it", error),
        })
    }

    /// The kernel's name of a volume: `ubi0_1`, whatever its node is called.
    fn name(&self, volume: &UbiVolume) -> io::Result<String> {
        let number = fs::metadata(volume.node())?.rdev();
        let entry = format!("dev/char/{}:{}", libc::major(number), libc::minor(number));
        let entry = fs::canonicalize(self.sysfs.join(entry))?;
        Ok(entry.file_name().unwrap_or_default().to_string_lossy().into_owned())
    }

    /// Claims the block device with this name in the kernel, if there is one.
    fn claim_block_on(&self, target: &Path, name: &str) -> Result<Option<File>> {
        if !self.sysfs.join("class/block").join(name).exists() {
            return Ok(None);
        }
        let node = Path::new("/dev").join(name);
        match fs::metadata(&node) {
            Ok(meta) if meta.file_type().is_block_device() => block(&node, target).map(Some),
            Ok(_) => Err(failed(target, "claiming the block device on it", ErrorKind::InvalidInput.into())),
            // Nobody can have opened by its name what has no node.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(target, "claiming the block device on it", error)),
        }
    }

    /// The UBI device on MTD device `number`.
    fn attached(&self, number: u32) -> io::Result<Option<String>> {
        let entries = match fs::read_dir(self.sysfs.join("class/ubi")) {
            // A kernel without UBI.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            // Volumes do not have it.
            let Ok(mtd) = fs::read_to_string(entry.path().join("mtd_num")) else { continue };
            if mtd.trim() == number.to_string() {
                return Ok(Some(entry.file_name().to_string_lossy().into_owned()));
            }
        }
        Ok(None)
    }

    /// Where a device is mounted. (proc_pid_mountinfo(5): ID, parent, major:minor, root, mount point, ...)
    fn mounted(&self, major: u32, minor: u32) -> io::Result<Option<String>> {
        let table = fs::read(self.mountinfo)?;
        let table = String::from_utf8_lossy(&table);
        let device = format!("{major}:{minor}");
        let mut mounts = table.lines().map(|line| line.split(' ').skip(2));
        Ok(mounts.find_map(|mut fields| {
            (fields.next() == Some(&device)).then(|| fields.nth(1).unwrap_or("?").to_owned())
        }))
    }
}

fn in_use(target: &Path, reason: &str) -> UpdateError {
    UpdateError::InUse { path: target.into(), reason: reason.into() }
}

fn failed(target: &Path, step: &'static str, error: io::Error) -> UpdateError {
    UpdateError::Medium { path: target.into(), offset: 0, step, error }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const TARGET: &str = "/dev/mtd4";

    fn claim(mounts: &str, ubi_on: u32) -> Result<Option<File>> {
        let root = tempfile::tempdir().unwrap();
        let sysfs = root.path().join("sys");
        for (entry, attribute, value) in [("ubi0", "mtd_num", ubi_on), ("ubi0_1", "reserved_ebs", 4)] {
            let folder = sysfs.join("class/ubi").join(entry);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join(attribute), format!("{value}\n")).unwrap();
        }
        fs::write(sysfs.join("class/ubi/version"), "1\n").unwrap();
        let mountinfo = root.path().join("mountinfo");
        fs::write(&mountinfo, mounts).unwrap();
        Others { mountinfo: &mountinfo, sysfs: &sysfs }.claim_mtd(Path::new(TARGET), 4)
    }

    #[track_caller]
    fn is_in_use(result: Result<Option<File>>, says: &str) {
        let error = result.unwrap_err();
        assert_eq!(error.code(), 17, "{error}");
        assert!(error.to_string().starts_with(TARGET) && error.to_string().contains(says), "{error}");
    }

    #[test]
    fn an_mtd_device_that_somebody_uses_is_refused() {
        let root = "22 1 179:2 / / rw - ext4 /dev/root rw\n";
        let jffs2 =
            |minor| format!("{root}30 22 31:{minor} / /data rw,relatime shared:1 - jffs2 mtd:data rw\n");
        assert!(claim(root, 5).unwrap().is_none());
        is_in_use(claim(root, 4), "attached to UBI as ubi0");
        is_in_use(claim(&jffs2(4), 5), "mounted on /data");
        assert!(claim(&jffs2(40), 40).unwrap().is_none());
        assert!(claim(&jffs2(3), 44).unwrap().is_none());
    }

    #[test]
    fn two_installations_into_one_file_are_refused_and_its_writers_are_not() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let first = locked(file.path()).unwrap();
        assert!(first.is_some());
        is_in_use_at(file.path(), locked(file.path()));
        // The writer of the first one takes the file's flock, and gives it back.
        let writer = OpenOptions::new().write(true).open(file.path()).unwrap();
        assert!(flock::try_flock(&writer).unwrap());
        drop(writer);
        is_in_use_at(file.path(), locked(file.path()));
        drop(first);
        assert!(locked(file.path()).unwrap().is_some());
        assert!(locked(Path::new("/")).unwrap().is_none());
    }

    #[track_caller]
    fn is_in_use_at(target: &Path, claimed: Result<Option<File>>) {
        let error = claimed.unwrap_err();
        assert_eq!(error.code(), 17);
        assert_eq!(error.to_string(), format!("{}: another installation writes to it", target.display()));
    }

    #[test]
    fn without_ubi_and_without_a_table_of_mounts() {
        let root = tempfile::tempdir().unwrap();
        let (sysfs, mountinfo) = (root.path().join("sys"), root.path().join("mountinfo"));
        let others = Others { mountinfo: &mountinfo, sysfs: &sysfs };
        // What can't be known is no permission.
        assert_eq!(others.claim_mtd(Path::new(TARGET), 4).unwrap_err().code(), 21);
        fs::write(&mountinfo, "").unwrap();
        assert!(others.claim_mtd(Path::new(TARGET), 4).unwrap().is_none());
    }
}
