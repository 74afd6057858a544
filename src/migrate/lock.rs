//! One migration at a time.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use crate::error::{Error, Place, Result};
use crate::sys::flock::{holder, patiently, try_flock};
use crate::sys::process;

/// How long somebody else's migration is waited for.
const LIMIT: Duration = Duration::from_secs(10);

/// The lock. It ends with the last process that has it: a step that can't be killed keeps it, and whoever begins
/// again does not work beside it.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Lock {
    pub(super) fn acquire(path: &Path) -> Result<Lock> {
        let open = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW)
            .open(path);
        let place = || Place::new(path, "locking out other migrations");
        let file = open.map_err(|error| place().io(error))?;
        let taken = patiently(LIMIT, || try_flock(&file).map(|taken| taken.then_some(())));
        match taken.map_err(|error| place().io(error))? {
            Some(()) => Ok(Lock(file)),
            None => {
                let holder =
                    holder(&file).map_or_else(|| "another process".into(), |holder| holder.to_string());
                Err(Error::Locked { path: path.into(), seconds: LIMIT.as_secs(), holder })
            }
        }
    }

    /// What `work` starts has the lock as well.
    pub(super) fn shared<T>(&self, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        process::inherit(&self.0, true)?;
        let done = work();
        process::inherit(&self.0, false)?;
        done
    }
}
