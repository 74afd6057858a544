//! One exclusive lock over every lock file in use.
//!
//! U-Boot's fw_setenv holds a flock on `/run/fw_printenv.lock`, libubootenv's one on
//! `/var/lock/fw_printenv.lock`; neither sees the other. [`Lock`] takes both, always in this order, so
//! that it excludes each of them and never waits in a circle.
//!
//! Anybody may write to `/var/lock`, so a lock file there may be a trap: a symbolic link to a file that
//! must not be touched, a FIFO whose opening never returns, or a file of another user, which
//! `fs.protected_regular` keeps even root from opening with `O_CREAT`. Hence: open without creating
//! first, create only with `O_EXCL`, never follow a link, never wait in `open`, accept regular files
//! only, and write nothing into them.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{Error, Place, Result};
use crate::sys;

/// The name of both tools' lock files.
const NAME: &str = "fw_printenv.lock";

/// The lock files of U-Boot's tools (tools/env/fw_env_main.c) and of libubootenv (src/uboot_env.c).
const DEFAULT: [&str; 2] = ["/run/fw_printenv.lock", "/var/lock/fw_printenv.lock"];

/// Which files are locked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum LockPath {
    /// Those of U-Boot's tools and of libubootenv: `/run/fw_printenv.lock` and
    /// `/var/lock/fw_printenv.lock`. One whose directory does not exist is left out: no tool can
    /// hold it.
    #[default]
    Default,
    /// `fw_printenv.lock` in this directory (option `-l` of U-Boot's tools).
    Directory(PathBuf),
    /// This file (`lockfile` in libubootenv's YAML).
    File(PathBuf),
    /// Nothing: the caller knows that nobody else writes.
    None,
}

/// The lock, held until it is dropped.
///
/// It excludes other threads of this process as well; a thread that acquires it twice locks itself
/// out. Child processes do not inherit it.
#[derive(Debug)]
pub struct Lock {
    held: Vec<File>,
}

impl Lock {
    /// Takes the lock, waiting at most `timeout` if others hold it.
    ///
    /// # Errors
    /// [`Error::Locked`] after `timeout`; [`Error::Io`] with the path if a lock file can't be made or
    /// opened. A lock that can't be taken is never left out.
    pub fn acquire(path: &LockPath, timeout: Duration) -> Result<Lock> {
        match path {
            LockPath::Default => Self::acquire_all(&DEFAULT.map(Path::new), timeout),
            LockPath::Directory(directory) => Self::acquire_all(&[&directory.join(NAME)], timeout),
            LockPath::File(file) => Self::acquire_all(&[file], timeout),
            LockPath::None => Ok(Lock { held: Vec::new() }),
        }
    }

    /// Locks all of `paths` in their order, each file once, leaving out those whose directory is missing
    /// unless none is left.
    fn acquire_all(paths: &[&Path], timeout: Duration) -> Result<Lock> {
        let deadline = Deadline::after(timeout);
        let mut lock = Lock { held: Vec::new() };
        let mut missing = None;
        for path in paths {
            match lock.add(path, &deadline) {
                Err(Error::Io { place, source }) if source.kind() == io::ErrorKind::NotFound => {
                    missing.get_or_insert(place.io(source));
                }
                result => result?,
            }
        }
        match missing {
            Some(error) if lock.held.is_empty() => Err(error),
            _ => Ok(lock),
        }
    }

    /// Locks `path` too, unless it is a file that is held already.
    fn add(&mut self, path: &Path, deadline: &Deadline) -> Result<()> {
        let place = |step| Place::new(path, step);
        let mut pause = Duration::from_millis(1);
        loop {
            let file = open(path)?;
            let id = |meta: &fs::Metadata| (meta.dev(), meta.ino());
            let opened = id(&file.metadata().map_err(|e| place("examining the lock file").io(e))?);
            for held in &self.held {
                if id(&held.metadata().map_err(|e| place("examining the lock file").io(e))?) == opened {
                    return Ok(());
                }
            }
            while !sys::try_flock(&file).map_err(|e| place("locking").io(e))? {
                deadline.sleep(pause).map_err(|()| Error::Locked {
                    path: path.to_path_buf(),
                    seconds: deadline.timeout.as_secs(),
                })?;
                pause = (pause * 2).min(Duration::from_millis(16));
            }
            // Whoever owns the file may have removed it while we waited; then the next one locks a new
            // file of this name, and both would go on.
            match fs::symlink_metadata(path) {
                Ok(meta) if id(&meta) == opened => {
                    self.held.push(file);
                    return Ok(());
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(place("examining the lock file").io(error)),
            }
            deadline.sleep(pause).map_err(|()| {
                place("locking").io(io::Error::other("the lock file is replaced again and again"))
            })?;
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // The last one first. A failure needs no report: closing the file, which follows, unlocks too.
        while let Some(file) = self.held.pop() {
            let _ = sys::unflock(&file);
        }
    }
}

/// Opens the lock file, makes it where it is missing.
fn open(path: &Path) -> Result<File> {
    // Without O_NONBLOCK the opening of a FIFO waits for a writer that never comes.
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC;
    // Others may make and remove the file between the two attempts, but not for ever.
    for _ in 0..100 {
        match OpenOptions::new().read(true).custom_flags(flags).open(path) {
            Ok(file) => {
                let meta = file.metadata().map_err(|e| Place::new(path, "examining the lock file").io(e))?;
                if !meta.is_file() {
                    return Err(trap(path, "it is not a regular file"));
                }
                return Ok(file);
            }
            Err(error) if error.raw_os_error() == Some(libc::ELOOP) => {
                return Err(trap(path, "it is a symbolic link (or its directory is a loop of them)"));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(Place::new(path, "opening the lock file").io(error)),
        }
        // O_EXCL: the file is ours or we open it as above. Readable for all, as the other tools make
        // theirs: flock needs no more.
        match OpenOptions::new().write(true).create_new(true).mode(0o666).custom_flags(flags).open(path) {
            Ok(file) => {
                // Whatever the umask: somebody without root's rights may have to lock as well.
                let readable = file.set_permissions(fs::Permissions::from_mode(0o644));
                return readable.map(|()| file).map_err(|e| Place::new(path, "making the lock file").io(e));
            }
            // A dangling symbolic link comes here too, and is refused by the next attempt to open.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(Place::new(path, "making the lock file").io(error)),
        }
    }
    Err(trap(path, "it appears and vanishes again and again"))
}

fn trap(path: &Path, reason: &'static str) -> Error {
    Place::new(path, "opening the lock file").io(io::Error::new(io::ErrorKind::InvalidInput, reason))
}

/// When waiting ends.
struct Deadline {
    /// The whole time.
    timeout: Duration,
    /// `None`: later than the clock can tell.
    end: Option<Instant>,
}

impl Deadline {
    fn after(timeout: Duration) -> Self {
        Deadline { timeout, end: Instant::now().checked_add(timeout) }
    }

    /// Sleeps for `pause` or until the end; an error if the end is past.
    fn sleep(&self, pause: Duration) -> Result<(), ()> {
        let left = self.end.map(|end| end.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return Err(());
        }
        thread::sleep(left.map_or(pause, |left| left.min(pause)));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    const AT_ONCE: Duration = Duration::ZERO;

    struct Directories {
        _temp: tempfile::TempDir,
        run: PathBuf,
        var: PathBuf,
    }

    /// Two directories with the roles of /run and /var/lock.
    fn directories() -> Directories {
        let temp = tempfile::tempdir().unwrap();
        let (run, var) = (temp.path().join("run"), temp.path().join("var"));
        fs::create_dir(&run).unwrap();
        fs::create_dir(&var).unwrap();
        Directories { run: run.join(NAME), var: var.join(NAME), _temp: temp }
    }

    fn both(d: &Directories) -> Result<Lock> {
        Lock::acquire_all(&[&d.run, &d.var], AT_ONCE)
    }

    fn one(path: &Path) -> Result<Lock> {
        Lock::acquire(&LockPath::File(path.to_path_buf()), AT_ONCE)
    }

    #[test]
    fn both_files_are_held_and_given_back() {
        let d = directories();
        let lock = both(&d).unwrap();
        assert_eq!(lock.held.len(), 2);
        assert!(matches!(one(&d.run), Err(Error::Locked { path, .. }) if path == d.run));
        assert!(matches!(one(&d.var), Err(Error::Locked { path, .. }) if path == d.var));
        drop(lock);
        one(&d.run).unwrap();
        one(&d.var).unwrap();
    }

    #[test]
    fn either_tool_alone_locks_us_out_and_leaves_nothing_held() {
        let d = directories();
        let libubootenv = one(&d.var).unwrap();
        assert!(matches!(both(&d), Err(Error::Locked { path, .. }) if path == d.var));
        one(&d.run).unwrap();
        drop(libubootenv);
        let _uboot = one(&d.run).unwrap();
        assert!(matches!(both(&d), Err(Error::Locked { path, .. }) if path == d.run));
        one(&d.var).unwrap();
    }

    #[test]
    fn one_file_behind_two_names_is_locked_once() {
        let d = directories();
        fs::remove_dir(d.var.parent().unwrap()).unwrap();
        symlink(d.run.parent().unwrap(), d.var.parent().unwrap()).unwrap();
        let lock = both(&d).unwrap();
        assert_eq!(lock.held.len(), 1);
        drop(lock);

        let d = directories();
        fs::write(&d.run, "").unwrap();
        fs::hard_link(&d.run, &d.var).unwrap();
        assert_eq!(both(&d).unwrap().held.len(), 1);
    }

    #[test]
    fn a_missing_directory_is_left_out_but_not_both() {
        let d = directories();
        fs::remove_dir(d.var.parent().unwrap()).unwrap();
        let lock = both(&d).unwrap();
        assert_eq!(lock.held.len(), 1);
        assert!(one(&d.run).is_err());
        drop(lock);

        let d = directories();
        fs::remove_dir(d.run.parent().unwrap()).unwrap();
        assert_eq!(both(&d).unwrap().held.len(), 1);
        assert!(d.var.exists());

        fs::remove_file(&d.var).unwrap();
        fs::remove_dir(d.var.parent().unwrap()).unwrap();
        let Err(Error::Io { place, source }) = both(&d) else { panic!("locked nothing") };
        assert_eq!((place.path, source.kind()), (d.run, io::ErrorKind::NotFound));
    }

    #[test]
    fn the_file_is_made_readable_for_all_and_stays() {
        let d = directories();
        drop(both(&d).unwrap());
        let mode = fs::metadata(&d.run).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o644, "{mode:o}");
    }

    #[test]
    fn the_content_of_an_existing_file_is_left_alone() {
        let d = directories();
        fs::write(&d.run, "not ours").unwrap();
        drop(both(&d).unwrap());
        assert_eq!(fs::read(&d.run).unwrap(), b"not ours");
    }

    #[test]
    fn a_symbolic_link_is_refused_and_its_target_untouched() {
        let d = directories();
        let victim = d.run.with_file_name("victim");
        symlink(&victim, &d.run).unwrap();
        // Dangling: following it would make the victim.
        let Err(Error::Io { place, source }) = both(&d) else { panic!("followed the link") };
        assert_eq!(place.path, d.run);
        assert!(source.to_string().contains("symbolic link"), "{source}");
        assert!(!victim.exists());
        fs::write(&victim, "old").unwrap();
        assert!(both(&d).is_err());
        assert_eq!(fs::read(&victim).unwrap(), b"old");
    }

    #[test]
    fn a_fifo_a_directory_and_a_device_are_refused_at_once() {
        let d = directories();
        let status = std::process::Command::new("mkfifo").arg(&d.run).status().unwrap();
        assert!(status.success());
        let Err(Error::Io { source, .. }) = both(&d) else { panic!("locked a FIFO") };
        assert!(source.to_string().contains("not a regular file"), "{source}");

        let d = directories();
        fs::create_dir(&d.var).unwrap();
        let Err(Error::Io { source, .. }) = both(&d) else { panic!("locked a directory") };
        assert!(source.to_string().contains("not a regular file"), "{source}");

        assert!(one(Path::new("/dev/null")).is_err());
    }

    #[test]
    fn a_file_that_was_removed_while_we_waited_is_not_our_lock() {
        let d = directories();
        let first = one(&d.run).unwrap();
        let path = d.run.clone();
        let waiter =
            thread::spawn(move || Lock::acquire(&LockPath::File(path), Duration::from_secs(60)).unwrap());
        thread::sleep(Duration::from_millis(50));
        fs::remove_file(&d.run).unwrap();
        drop(first);
        let _lock = waiter.join().unwrap();
        // What the waiter holds is the file that the next one finds.
        assert!(matches!(one(&d.run), Err(Error::Locked { .. })));
    }

    #[test]
    fn no_lock_is_no_file() {
        assert!(Lock::acquire(&LockPath::None, AT_ONCE).unwrap().held.is_empty());
    }

    #[test]
    fn the_longest_time_is_no_overflow() {
        let d = directories();
        Lock::acquire(&LockPath::File(d.run.clone()), Duration::MAX).unwrap();
    }
}
