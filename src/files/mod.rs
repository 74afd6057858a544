//! A few small files in folders, written so that a power cut leaves the old content or the new one.
//!
//! What is kept beside the environment goes through [`Files`]: the real ones of the system, and simulated ones that lose
//! at a cut what was not synced.
//!
//! | file | job |
//! |---|---|
//! | `mod.rs` | the trait, and how a file is replaced |
//! | `real.rs` | the system's files |
//! | `tree.rs` | whole folders: measured, copied, compared, removed (feature `health`) |
//! | `real_tree.rs` | the system's folders |
//! | `build.rs` | folders that are built from nothing: links, nodes, owners (feature `app`) |
//! | `real_build.rs` | the same in the system |
//! | `sim.rs` | simulated ones, with power cuts (feature `sim`) |

#[cfg(feature = "app")]
pub mod build;
mod real;
#[cfg(feature = "app")]
mod real_build;
#[cfg(feature = "health")]
mod real_tree;
#[cfg(feature = "sim")]
pub mod sim;
#[cfg(feature = "health")]
pub mod tree;

pub use real::RealFiles;

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::sys::flock;

/// What a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A link, a device, a socket: nothing that is read or written here.
    Other,
}

/// Files in folders. Nothing is on the medium for certain before [`sync`](Files::sync) has returned: of a file its
/// content, of a folder its names.
pub trait Files: Send + Sync {
    /// What is at this path; links are not followed. `None`: nothing.
    fn kind(&mut self, path: &Path) -> io::Result<Option<Kind>>;

    /// The bytes of a file.
    fn read(&mut self, path: &Path) -> io::Result<Vec<u8>>;

    /// The bytes of a file, from the medium: the page cache is left out where the system can.
    fn read_back(&mut self, path: &Path) -> io::Result<Vec<u8>>;

    /// The names in a folder, in order.
    fn list(&mut self, folder: &Path) -> io::Result<Vec<OsString>>;

    /// Makes a file of these bytes; one that is there is overwritten.
    fn write(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()>;

    /// Cuts a file off at `length`, and adds these bytes. It is made if it does not exist.
    fn append(&mut self, path: &Path, length: u64, bytes: &[u8]) -> io::Result<()>;

    /// Brings the content of a file, or the names in a folder, to the medium.
    fn sync(&mut self, path: &Path) -> io::Result<()>;

    /// Gives a file or a folder another name in the same folder. A file of that name is replaced.
    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    fn remove(&mut self, path: &Path) -> io::Result<()>;

    /// Removes an empty folder.
    fn remove_folder(&mut self, path: &Path) -> io::Result<()>;

    /// Makes a folder; what it lies in exists.
    fn make_folder(&mut self, path: &Path) -> io::Result<()>;

    /// Keeps other writers out who lock the same file; it is made if it does not exist. The lock ends with what is
    /// returned.
    ///
    /// # Errors
    ///
    /// `TimedOut` where another program holds the lock for 10 s, and those of the system.
    fn lock(&mut self, path: &Path) -> io::Result<Locked>;
}

/// A lock that is held. Simulated files have one writer, and need none.
#[derive(Debug)]
pub struct Locked(Option<File>);

impl Drop for Locked {
    fn drop(&mut self) {
        // Closing alone is not enough: a child that another thread has just forked may hold the same descriptor.
        let _ = self.0.as_ref().map(flock::unflock);
    }
}

/// The folder that a path lies in.
pub fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A name beside this path, with this ending.
///
/// # Errors
///
/// `InvalidInput` for a path that ends with no name.
pub fn beside(path: &Path, ending: impl AsRef<OsStr>) -> io::Result<PathBuf> {
    let mut name = path.file_name().ok_or(ErrorKind::InvalidInput)?.to_os_string();
    name.push(ending);
    Ok(path.with_file_name(name))
}

/// Makes a folder and all that it lies in, as far as they are missing, and brings their names to the medium.
///
/// # Errors
///
/// Those of the system.
pub fn make_folders(files: &mut dyn Files, folder: &Path) -> io::Result<()> {
    if folder.as_os_str().is_empty() || folder == Path::new(".") || files.kind(folder)?.is_some() {
        return Ok(());
    }
    let above = parent(folder);
    make_folders(files, above)?;
    match files.make_folder(folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    files.sync(above)
}

/// Makes the file at `path` hold these bytes. After an error, or a power cut, it holds the old bytes or the new ones.
///
/// One writer at a time: the temporary file is `NAME.new`. A cut may leave it; the next writer writes over it. The steps
/// and their order are those of `storage/rename.rs`, which says why FAT needs each of them.
///
/// # Errors
///
/// Those of the system, and `InvalidData` where the medium returns other bytes than were written.
pub fn replace(files: &mut dyn Files, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = beside(path, ".new")?;
    let result = replace_by(files, path, &temporary, bytes);
    if result.is_err() {
        // If this fails as well, the next writer writes over it.
        let _ = files.remove(&temporary);
    }
    result
}

fn replace_by(files: &mut dyn Files, path: &Path, temporary: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = parent(path);
    make_folders(files, folder)?;
    files.write(temporary, bytes)?;
    match files.sync(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    files.sync(folder)?;
    files.sync(temporary)?;
    if files.read_back(temporary)? != bytes {
        let lies = "the medium returns other bytes than were written";
        return Err(io::Error::new(ErrorKind::InvalidData, lies));
    }
    files.rename(temporary, path)?;
    files.sync(folder)?;
    files.sync(path)
}

/// Removes the file at `path`, if it is there, for good.
///
/// # Errors
///
/// Those of the system.
pub fn remove(files: &mut dyn Files, path: &Path) -> io::Result<()> {
    match files.remove(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed.and_then(|()| files.sync(parent(path))),
    }
}

/// The bytes of a file; `None` where there is none.
///
/// # Errors
///
/// Those of the system.
pub fn read_if_there(files: &mut dyn Files, path: &Path) -> io::Result<Option<Vec<u8>>> {
    match files.read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        bytes => bytes.map(Some),
    }
}
