//! Whole folders: measured, copied, compared, removed. The steps are those of a [`Trees`], so that a simulated power cut
//! falls between any two of them.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::{Files, Kind};

/// One thing in a folder, and what a copy of it has to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub kind: Kind,
    /// Device and inode: two names of one file have the same.
    pub identity: (u64, u64),
    /// How many names it has.
    pub links: u64,
    /// Bytes that it takes on the medium.
    pub bytes: u64,
    /// Whether a copy holds it. A socket is nothing without the program that made it.
    pub is_copied: bool,
}

/// Files and whole folders. All paths are taken as they are: links are not followed.
pub trait Trees: Files {
    /// The same files, where folders do not matter.
    fn as_files(&mut self) -> &mut dyn Files;

    /// What is at this path. `None`: nothing.
    fn entry(&mut self, path: &Path) -> io::Result<Option<Entry>>;

    /// Makes at `to`, where nothing is, what is at `from`: a file with its content and its holes, a link, a node; of a
    /// folder an empty one. With mode, owner, times and extended attributes. Says whether the bytes are shared.
    fn copy_entry(&mut self, from: &Path, to: &Path) -> io::Result<bool>;

    /// Gives the folder `to` mode, owner, times and extended attributes of `from`.
    fn copy_attributes(&mut self, from: &Path, to: &Path) -> io::Result<()>;

    /// Whether the two are the same, in what [`copy_entry`](Trees::copy_entry) copies. The bytes of the second are read
    /// from the medium, where they are not `shared`.
    fn is_same(&mut self, one: &Path, other: &Path, shared: bool) -> io::Result<bool>;

    /// Gives a file a second name.
    fn link(&mut self, from: &Path, to: &Path) -> io::Result<()>;

    /// Gives a file or a folder another name, in any folder of the file system.
    fn move_to(&mut self, from: &Path, to: &Path) -> io::Result<()>;

    /// Brings all of the file system that this path lies on to the medium.
    fn sync_all(&mut self, path: &Path) -> io::Result<()>;

    /// Bytes that are free on the file system of this folder.
    fn free(&mut self, folder: &Path) -> io::Result<u64>;

    /// Whether copies of files in this folder share their bytes. It is tried with files that begin with the name of
    /// `probe`.
    fn can_share(&mut self, probe: &Path) -> io::Result<bool>;

    /// Makes `to` a snapshot of the folder `from`, in one step, where the file system can; `false` where it can't.
    fn snapshot(&mut self, from: &Path, to: &Path) -> io::Result<bool>;

    /// Whether the folder can be given another name: not the place of a mount, nor the lower layer of an overlay. It
    /// keeps its name; `probe` is made for this, and removed.
    fn check_movable(&mut self, folder: &Path, probe: &Path) -> io::Result<()>;
}

/// What a folder holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Size {
    /// Bytes on the medium.
    pub bytes: u64,
    /// Files, folders and everything else.
    pub entries: u64,
}

/// The same error, which also says where.
pub(crate) fn at(path: &Path, error: io::Error) -> io::Error {
    // What says where already was wrapped further below.
    if error.raw_os_error().is_none() && error.get_ref().is_some() {
        return error;
    }
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

fn existing(files: &mut dyn Trees, path: &Path) -> io::Result<Entry> {
    files.entry(path)?.ok_or_else(|| ErrorKind::NotFound.into())
}

/// What is at this path and below it, a file of several names counted once.
///
/// # Errors
///
/// Those of the system, and `CrossesDevices` where another file system is mounted below it.
pub fn measure(files: &mut dyn Trees, path: &Path) -> io::Result<Size> {
    let top = existing(files, path).map_err(|error| at(path, error))?;
    let mut size = Size::default();
    measure_below(files, path, top.identity.0, &mut BTreeMap::new(), &mut size)?;
    Ok(size)
}

fn measure_below(
    files: &mut dyn Trees,
    path: &Path,
    device: u64,
    seen: &mut BTreeMap<(u64, u64), PathBuf>,
    size: &mut Size,
) -> io::Result<()> {
    let entry = existing(files, path).map_err(|error| at(path, error))?;
    if entry.links > 1 && entry.kind != Kind::Folder && seen.insert(entry.identity, path.into()).is_some() {
        return Ok(());
    }
    size.bytes = size.bytes.saturating_add(entry.bytes);
    size.entries += 1;
    if entry.kind == Kind::Folder {
        if entry.identity.0 != device {
            let what = format!("{}: another file system, or a subvolume, lies here", path.display());
            return Err(io::Error::new(ErrorKind::CrossesDevices, what));
        }
        for name in files.list(path).map_err(|error| at(path, error))? {
            measure_below(files, &path.join(name), device, seen, size)?;
        }
    }
    Ok(())
}

/// Copies what is at `from`, with all below it, to `to`, where nothing is. Files of several names stay so. It is not on
/// the medium before a sync. Says whether all bytes are shared.
///
/// # Errors
///
/// Those of the system; they name the path.
pub fn copy(files: &mut dyn Trees, from: &Path, to: &Path) -> io::Result<bool> {
    copy_below(files, from, to, &mut BTreeMap::new())
}

fn copy_below(
    files: &mut dyn Trees,
    from: &Path,
    to: &Path,
    seen: &mut BTreeMap<(u64, u64), PathBuf>,
) -> io::Result<bool> {
    let entry = existing(files, from).map_err(|error| at(from, error))?;
    if !entry.is_copied {
        return Ok(true);
    }
    if entry.links > 1 && entry.kind != Kind::Folder {
        match seen.get(&entry.identity) {
            Some(first) => return files.link(first, to).map(|()| true).map_err(|error| at(to, error)),
            None => drop(seen.insert(entry.identity, to.into())),
        }
    }
    let mut shared = files.copy_entry(from, to).map_err(|error| at(from, error))?;
    if entry.kind == Kind::Folder {
        for name in files.list(from).map_err(|error| at(from, error))? {
            shared &= copy_below(files, &from.join(&name), &to.join(&name), seen)?;
        }
        // Its times have changed with each name that came in.
        files.copy_attributes(from, to).map_err(|error| at(to, error))?;
    }
    Ok(shared)
}

/// Compares a copy, which was synced, with what it was made of.
///
/// # Errors
///
/// Those of the system, and `InvalidData` where the two differ; they name the path.
pub fn compare(files: &mut dyn Trees, one: &Path, other: &Path, shared: bool) -> io::Result<()> {
    let entry = existing(files, one).map_err(|error| at(one, error))?;
    if !entry.is_copied {
        return Ok(());
    }
    let differs = || io::Error::new(ErrorKind::InvalidData, format!("{}: the copy differs", other.display()));
    if !files.is_same(one, other, shared).map_err(|error| at(other, error))? {
        return Err(differs());
    }
    if entry.kind == Kind::Folder {
        let mut names = Vec::new();
        for name in files.list(one).map_err(|error| at(one, error))? {
            let path = one.join(&name);
            if existing(files, &path).map_err(|error| at(&path, error))?.is_copied {
                names.push(name);
            }
        }
        if names != files.list(other).map_err(|error| at(other, error))? {
            return Err(differs());
        }
        for name in names {
            compare(files, &one.join(&name), &other.join(&name), shared)?;
        }
    }
    Ok(())
}

/// Removes what is at this path, with all below it; nothing may be there. What a cut leaves of it is removed by the next
/// call.
///
/// # Errors
///
/// Those of the system; they name the path.
pub fn remove_all(files: &mut dyn Trees, path: &Path) -> io::Result<()> {
    let removed = match files.kind(path).map_err(|error| at(path, error))? {
        None => return Ok(()),
        Some(Kind::Folder) => {
            for name in files.list(path).map_err(|error| at(path, error))? {
                remove_all(files, &path.join(name))?;
            }
            files.remove_folder(path)
        }
        Some(_) => files.remove(path),
    };
    removed.map_err(|error| at(path, error))
}
