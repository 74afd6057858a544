//! One writer to a regular file at a time.
//!
//! Two environments with lock files of their own may lie in one file, for example in the image of a disk. A program that
//! replaces the file would take away what others write into it meanwhile. So whoever writes to a file holds its flock.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use crate::sys::flock;

/// How long to wait for another writer.
pub(crate) const LIMIT: Duration = Duration::from_secs(10);

/// The regular file at `path` as `open` opens it, locked until it is closed.
pub(super) fn locked(path: &Path, open: impl Fn() -> io::Result<File>) -> io::Result<File> {
    locked_within(LIMIT, path, open)
}

fn locked_within(limit: Duration, path: &Path, open: impl Fn() -> io::Result<File>) -> io::Result<File> {
    let mut holder = None;
    let locked = flock::patiently(limit, || {
        // Opened anew each time: who holds the lock may be about to put another file in its place.
        let file = open()?;
        if flock::try_flock(&file)? && is_at(&file, path)? {
            return Ok(Some(file));
        }
        holder = Some(file);
        io::Result::Ok(None)
    })?;
    locked.ok_or_else(|| {
        let holder = holder.as_ref().and_then(flock::holder);
        let who = holder.map_or("another writer".to_owned(), |holder| holder.to_string());
        let seconds = limit.as_secs();
        io::Error::new(io::ErrorKind::TimedOut, format!("still locked by {who} after {seconds} s"))
    })
}

/// Whether `path` still names `file`.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let (file, there) = (file.metadata()?, fs::metadata(path)?);
    Ok((file.dev(), file.ino()) == (there.dev(), there.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn a_second_writer_waits_but_not_for_ever() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let open = || File::open(file.path());
        let first = locked(file.path(), open).unwrap();
        let error = locked_within(Duration::from_millis(20), file.path(), open).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(error.to_string().contains(&format!("process {}", std::process::id())), "{error}");
        thread::scope(|scope| {
            let second = scope.spawn(|| locked(file.path(), open));
            thread::sleep(Duration::from_millis(20));
            assert!(!second.is_finished());
            drop(first);
            second.join().unwrap().unwrap();
        });
    }

    #[test]
    fn the_file_that_took_the_place_is_locked_instead() {
        let directory = tempfile::tempdir().unwrap();
        let (path, new) = (directory.path().join("env"), directory.path().join("new"));
        fs::write(&path, "old").unwrap();
        fs::write(&new, "new").unwrap();
        let open = || File::open(&path);
        let first = locked(&path, open).unwrap();
        thread::scope(|scope| {
            let second = scope.spawn(|| locked(&path, open));
            thread::sleep(Duration::from_millis(20));
            fs::rename(&new, &path).unwrap();
            drop(first);
            let second = second.join().unwrap().unwrap();
            assert!(is_at(&second, &path).unwrap());
            assert!(locked_within(Duration::ZERO, &path, open).is_err());
        });
    }
}
