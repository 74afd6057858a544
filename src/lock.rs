//! One exclusive lock over every lock file in use.
//!
//! U-Boot's fw_setenv holds a flock on `/run/fw_printenv.lock`, libubootenv's one on `/var/lock/fw_printenv.lock`.
//! Neither sees the other. [`Lock`] takes both, always in this order. So it excludes each of them, and never waits in a
//! circle.
//!
//! Anybody may write to `/var/lock`. So a lock file there may be a trap: a symbolic link to a file that must not be
//! touched, or a FIFO whose opening never returns. It may also be a file of another user, which `fs.protected_regular`
//! keeps even root from opening with `O_CREAT`. So we first open without creating, and create only with `O_EXCL`. We
//! never follow a link, never wait in `open`, accept regular files only, and write nothing into them. New ones have the
//! mode 0600: whoever may open a lock file can hold its lock and keep all others from storing.
//!
//! Scripts of vendors run `flock /var/lock/fw_printenv.lock fw_setenv ...`. There the parent holds the lock for us, on a
//! descriptor that we inherit. Waiting for it would never end. So such a lock counts as ours. Several programs may run
//! under one such lock. So they exclude each other by a record lock on the same file.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::{Error, Place, Result};
use crate::sys::flock;

/// The name of both tools' lock files.
const NAME: &str = "fw_printenv.lock";

/// The lock files of U-Boot's tools (tools/env/fw_env_main.c) and of libubootenv (src/uboot_env.c).
pub(crate) const DEFAULT: [&str; 2] = ["/run/fw_printenv.lock", "/var/lock/fw_printenv.lock"];

/// Which files are locked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum LockPath {
    /// Those of U-Boot's tools and of libubootenv: `/run/fw_printenv.lock` and
    /// `/var/lock/fw_printenv.lock`. One that can't be made, because its directory does not exist or lies on
    /// a read-only file system, is left out: no tool can hold it.
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
            // A name relative to nothing: the lock would be another one in each working directory.
            LockPath::Directory(directory) if directory.as_os_str().is_empty() => {
                Err(trap(Path::new(NAME), "the name of its directory is empty"))
            }
            LockPath::Directory(directory) => Self::acquire_all(&[&directory.join(NAME)], timeout),
            LockPath::File(file) => Self::acquire_all(&[file], timeout),
            LockPath::None => Ok(Lock { held: Vec::new() }),
        }
    }

    /// Locks all of `paths` in their order, each file once, leaving out those that nobody can make, unless none is
    /// left.
    ///
    /// One of them or all: nothing is held while another one is waited for, so that nobody waits for us who holds
    /// it.
    fn acquire_all(paths: &[&Path], timeout: Duration) -> Result<Lock> {
        let mut busy = None;
        let lock = flock::patiently(timeout, || {
            let mut lock = Lock { held: Vec::new() };
            let mut missing = None;
            for path in paths {
                match lock.add(path) {
                    Ok(None) => {}
                    Ok(held @ Some(_)) => {
                        busy = held;
                        return Ok(None);
                    }
                    Err(Error::Io { place, error }) if nobody_can_make_it(&error) => {
                        missing.get_or_insert(place.io(error));
                    }
                    Err(error) => return Err(error),
                }
            }
            match missing {
                Some(error) if lock.held.is_empty() => Err(error),
                _ => Ok(Some(lock)),
            }
        })?;
        let seconds = timeout.as_secs();
        lock.ok_or_else(|| match busy {
            Some(busy) => Error::Locked { holder: busy.holder(), path: busy.path, seconds },
            None => Error::Locked { path: PathBuf::new(), seconds, holder: "another process".into() },
        })
    }

    /// Locks `path` too, unless it is a file that is held already; what is in the way if that is not possible now.
    fn add(&mut self, path: &Path) -> Result<Option<Busy>> {
        let place = |step| Place::new(path, step);
        let mut file = open(path)?;
        let id = |meta: &fs::Metadata| (meta.dev(), meta.ino());
        let opened = id(&file.metadata().map_err(|e| place("examining the lock file").io(e))?);
        for held in &self.held {
            if id(&held.metadata().map_err(|e| place("examining the lock file").io(e))?) == opened {
                return Ok(None);
            }
        }
        if !flock::try_flock(&file).map_err(|e| place("locking").io(e))? {
            let inherited = flock::inherited_flock(&file);
            match inherited.then(|| among_siblings(path)).flatten() {
                Some(ours) => file = ours,
                None => return Ok(Some(Busy { path: path.to_path_buf(), file })),
            }
        }
        // Whoever owns the file may have removed it while we waited; then the next one locks a new
        // file of this name, and both would go on.
        match fs::symlink_metadata(path) {
            Ok(meta) if id(&meta) == opened => {
                self.held.push(file);
                Ok(None)
            }
            Ok(_) => Ok(Some(Busy { path: path.to_path_buf(), file })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Ok(Some(Busy { path: path.to_path_buf(), file }))
            }
            Err(error) => Err(place("examining the lock file").io(error)),
        }
    }
}

/// A lock file that somebody else holds.
struct Busy {
    path: PathBuf,
    file: File,
}

impl Busy {
    /// Who holds it, as a phrase.
    fn holder(&self) -> String {
        let Some(holder) = flock::holder(&self.file) else { return "another process".into() };
        if !holder.ancestor {
            return holder.to_string();
        }
        format!(
            "{holder}, which has started this one and waits for it (run it without this lock; flock's -o and -s keep \
             bootslot from seeing that the lock is meant for it)"
        )
    }
}

/// Whether no process at all can make the lock file: its directory is missing, or the file system is read-only.
fn nobody_can_make_it(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ReadOnlyFilesystem)
}

/// The lock file under the parent's lock, held against all others that were started under the same one. `None`: not
/// now, or it can't be told.
fn among_siblings(path: &Path) -> Option<File> {
    let file = OpenOptions::new().read(true).write(true).custom_flags(FLAGS).open(path).ok()?;
    flock::try_record_lock(&file).ok()?.then_some(file)
}

impl Drop for Lock {
    fn drop(&mut self) {
        // The last one first. A failure needs no report: closing the file, which follows, unlocks too.
        while let Some(file) = self.held.pop() {
            let _ = flock::record_unlock(&file);
            let _ = flock::unflock(&file);
        }
    }
}

/// How a lock file is opened. Without O_NONBLOCK the opening of a FIFO waits for a writer that never comes.
const FLAGS: libc::c_int = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC;

/// Opens the lock file, makes it where it is missing.
fn open(path: &Path) -> Result<File> {
    // Others may make and remove the file between the two attempts, but not for ever.
    for _ in 0..100 {
        match OpenOptions::new().read(true).custom_flags(FLAGS).open(path) {
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
        // O_EXCL: the file is ours or we open it as above. flock needs no more than reading, so whoever may read the
        // file may keep all others from storing: nobody but its owner, unless somebody made it for more users.
        match OpenOptions::new().write(true).create_new(true).mode(0o600).custom_flags(FLAGS).open(path) {
            Ok(file) => return Ok(file),
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{symlink, PermissionsExt};
    use std::thread;

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
        let Err(Error::Io { place, error }) = both(&d) else { panic!("locked nothing") };
        assert_eq!((place.path, error.kind()), (d.run, io::ErrorKind::NotFound));
    }

    #[test]
    fn the_file_is_made_for_its_owner_alone_and_stays() {
        let d = directories();
        drop(both(&d).unwrap());
        let mode = fs::metadata(&d.run).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{mode:o}");
        // What somebody has made for more users stays as it is.
        fs::set_permissions(&d.run, fs::Permissions::from_mode(0o660)).unwrap();
        drop(both(&d).unwrap());
        assert_eq!(fs::metadata(&d.run).unwrap().permissions().mode() & 0o777, 0o660);
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
        let Err(Error::Io { place, error }) = both(&d) else { panic!("followed the link") };
        assert_eq!(place.path, d.run);
        assert!(error.to_string().contains("symbolic link"), "{error}");
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
        let Err(Error::Io { error, .. }) = both(&d) else { panic!("locked a FIFO") };
        assert!(error.to_string().contains("not a regular file"), "{error}");

        let d = directories();
        fs::create_dir(&d.var).unwrap();
        let Err(Error::Io { error, .. }) = both(&d) else { panic!("locked a directory") };
        assert!(error.to_string().contains("not a regular file"), "{error}");

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
    fn the_holder_is_named() {
        let d = directories();
        let _first = one(&d.run).unwrap();
        let error = one(&d.run).unwrap_err().to_string();
        assert!(error.contains(&format!("locked by process {} (", std::process::id())), "{error}");
    }

    #[test]
    fn nothing_is_held_while_another_lock_is_waited_for() {
        let d = directories();
        let var = one(&d.var).unwrap();
        let paths = [d.run.clone(), d.var.clone()];
        let waiter = thread::spawn(move || {
            Lock::acquire_all(&[&paths[0], &paths[1]], Duration::from_secs(60)).unwrap();
        });
        // In between the waiter's attempts the first lock is free.
        Lock::acquire(&LockPath::File(d.run.clone()), Duration::from_secs(30)).unwrap();
        drop(var);
        waiter.join().unwrap();
    }

    #[test]
    fn a_directory_without_a_name_is_refused() {
        let error = Lock::acquire(&LockPath::Directory(PathBuf::new()), AT_ONCE).unwrap_err().to_string();
        assert!(error.contains("the name of its directory is empty"), "{error}");
        assert!(!Path::new(NAME).exists());
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
