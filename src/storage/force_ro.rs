//! The write protection that Linux puts on eMMC boot partitions, lifted for as long as one is open.
//!
//! `/sys/block/mmcblkXbootY/force_ro` is 1 after boot (drivers/mmc/core/block.c). As long as it is, the kernel refuses to
//! open the partition for writing or, in newer versions, each single write. We find it by the device number, so any name
//! of the device node will do. It is put back as it was when the [`ForceRo`] is dropped, also after an error or a panic.
//! Only a process that is killed in between leaves it lifted.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What this process has lifted. Two copies may lie in one partition and be open at the same time; if
/// the first one that closes put the protection back, the other could write no more.
static LIFTED: Mutex<Vec<Lifted>> = Mutex::new(Vec::new());

struct Lifted {
    attribute: PathBuf,
    was: String,
    users: usize,
}

/// One use of a partition whose protection is lifted.
#[derive(Debug)]
pub(super) struct ForceRo {
    attribute: Option<PathBuf>,
}

impl ForceRo {
    /// Lifts the protection of the block device with number `device`. `None` if it has none, or if it
    /// was lifted already by somebody else, who may want it to stay so.
    pub(super) fn lift(sysfs: &Path, device: libc::dev_t) -> io::Result<Option<ForceRo>> {
        let number = format!("{}:{}", libc::major(device), libc::minor(device));
        let attribute = sysfs.join("dev/block").join(number).join("force_ro");
        let mut lifted = lifted();
        if let Some(entry) = lifted.iter_mut().find(|entry| entry.attribute == attribute) {
            entry.users += 1;
            return Ok(Some(ForceRo { attribute: Some(attribute) }));
        }
        let was = match fs::read_to_string(&attribute) {
            Ok(was) => was.trim().to_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(at(&attribute, "reading", error)),
        };
        if was == "0" {
            return Ok(None);
        }
        write(&attribute, "0").map_err(|e| at(&attribute, "lifting the write protection", e))?;
        lifted.push(Lifted { attribute: attribute.clone(), was, users: 1 });
        Ok(Some(ForceRo { attribute: Some(attribute) }))
    }

    /// Puts the protection back as it was, unless the partition is still used.
    pub(super) fn restore(mut self) -> io::Result<()> {
        self.put_back()
    }

    fn put_back(&mut self) -> io::Result<()> {
        let Some(attribute) = self.attribute.take() else { return Ok(()) };
        let mut lifted = lifted();
        let Some(i) = lifted.iter().position(|entry| entry.attribute == attribute) else { return Ok(()) };
        let Some(entry) = lifted.get_mut(i) else { return Ok(()) };
        entry.users -= 1;
        if entry.users > 0 {
            return Ok(());
        }
        let entry = lifted.swap_remove(i);
        write(&attribute, &entry.was).map_err(|e| at(&attribute, "putting the write protection back", e))
    }
}

impl Drop for ForceRo {
    fn drop(&mut self) {
        // Here nobody can be told; `restore` tells.
        let _ = self.put_back();
    }
}

fn lifted() -> MutexGuard<'static, Vec<Lifted>> {
    // The list is whole at every moment, also if a thread panicked while it held the mutex.
    LIFTED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// sysfs takes a value in one write, and the file is there or it is not: no creating, no truncating.
fn write(attribute: &Path, value: &str) -> io::Result<()> {
    OpenOptions::new().write(true).open(attribute)?.write_all(value.as_bytes())
}

fn at(attribute: &Path, step: &str, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{step} ({}): {error}", attribute.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOT0: libc::dev_t = libc::makedev(179, 8);

    /// A sysfs in which device 179:8 has `force_ro`.
    fn sysfs(force_ro: &str) -> (tempfile::TempDir, PathBuf) {
        let sysfs = tempfile::tempdir().unwrap();
        let directory = sysfs.path().join("dev/block/179:8");
        fs::create_dir_all(&directory).unwrap();
        let attribute = directory.join("force_ro");
        fs::write(&attribute, force_ro).unwrap();
        (sysfs, attribute)
    }

    fn value(attribute: &Path) -> String {
        fs::read_to_string(attribute).unwrap().trim().to_owned()
    }

    #[test]
    fn it_is_lifted_and_put_back() {
        let (sysfs, attribute) = sysfs("1\n");
        let guard = ForceRo::lift(sysfs.path(), BOOT0).unwrap().unwrap();
        assert_eq!(value(&attribute), "0");
        drop(guard);
        assert_eq!(value(&attribute), "1");
        let guard = ForceRo::lift(sysfs.path(), BOOT0).unwrap().unwrap();
        assert_eq!(value(&attribute), "0");
        guard.restore().unwrap();
        assert_eq!(value(&attribute), "1");
    }

    #[test]
    fn what_somebody_else_lifted_stays_lifted() {
        let (sysfs, attribute) = sysfs("0\n");
        assert!(ForceRo::lift(sysfs.path(), BOOT0).unwrap().is_none());
        assert_eq!(value(&attribute), "0");
    }

    #[test]
    fn a_device_without_it_needs_nothing() {
        let (sysfs, _) = sysfs("1\n");
        assert!(ForceRo::lift(sysfs.path(), libc::makedev(179, 0)).unwrap().is_none());
    }

    #[test]
    fn it_is_put_back_after_a_panic() {
        let (sysfs, attribute) = sysfs("1\n");
        let path = sysfs.path().to_path_buf();
        let result = std::panic::catch_unwind(move || {
            let _guard = ForceRo::lift(&path, BOOT0).unwrap().unwrap();
            panic!("in the middle of a store");
        });
        assert!(result.is_err());
        assert_eq!(value(&attribute), "1");
    }

    #[test]
    fn the_last_user_puts_it_back() {
        let (sysfs, attribute) = sysfs("1\n");
        let first = ForceRo::lift(sysfs.path(), BOOT0).unwrap().unwrap();
        let second = ForceRo::lift(sysfs.path(), BOOT0).unwrap().unwrap();
        drop(first);
        assert_eq!(value(&attribute), "0");
        drop(second);
        assert_eq!(value(&attribute), "1");
    }

    #[test]
    fn a_failure_to_lift_or_to_put_back_is_an_error_that_names_the_attribute() {
        let (sysfs, attribute) = sysfs("1\n");
        let guard = ForceRo::lift(sysfs.path(), BOOT0).unwrap().unwrap();
        fs::remove_file(&attribute).unwrap();
        let error = guard.restore().unwrap_err();
        assert!(error.to_string().contains(attribute.to_str().unwrap()), "{error}");
        // A directory can be neither read nor written, whoever asks.
        fs::create_dir(&attribute).unwrap();
        let error = ForceRo::lift(sysfs.path(), BOOT0).unwrap_err();
        assert!(error.to_string().contains(attribute.to_str().unwrap()), "{error}");
    }
}
