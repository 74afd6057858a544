//! Snapshots of folders: whether there is room, how one is made, how it takes its folder's place again.
//!
//! All names of one folder lie beside it, so that each step is one rename in one folder, on one file system:
//!
//! | name | what it is |
//! |---|---|
//! | `app` | the data |
//! | `app.bootslot-before` | the snapshot |
//! | `app.bootslot-rejected` | what the version left that was rolled back |
//! | `app.bootslot-probe` | for an instant, to try what the file system can do |

use std::collections::btree_map::{BTreeMap, Entry as OfDevice};
use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::error::MigrateError;
use super::state::Folder;
use crate::error::Place;
use crate::files::tree::{self, Trees};
use crate::files::{parent, Kind};

/// What a file system needs beside the bytes: its own tables, the state file, its reserve.
const MARGIN: u64 = 1 << 20;

/// What one file or folder needs where its bytes are shared: an inode and a name, generously.
const ENTRY: u64 = 1024;

fn with(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_name().map(OsString::from).unwrap_or_default();
    name.push(ending);
    path.with_file_name(name)
}

/// Where the snapshot of a folder is.
pub fn before(folder: &Path) -> PathBuf {
    with(folder, ".bootslot-before")
}

/// Where the data are kept that a rolled back version has left in a folder.
pub fn rejected(folder: &Path) -> PathBuf {
    with(folder, ".bootslot-rejected")
}

fn probe(folder: &Path) -> PathBuf {
    with(folder, ".bootslot-probe")
}

/// How a snapshot was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    /// By the file system, in one step (btrfs subvolume).
    Subvolume,
    /// File by file; their bytes are shared (reflink).
    Shared,
    /// File by file; their bytes were copied, synced, read back and compared.
    Copied,
}

/// Bytes that a snapshot needs on one file system, and those that are free there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// A folder on that file system.
    pub folder: PathBuf,
    /// Needed.
    pub needed: u64,
    /// Free, what an older migration left included.
    pub free: u64,
}

/// Which folders exist. Every folder is one that can be migrated, and taken back.
pub(super) fn look(files: &mut dyn Trees, paths: &[PathBuf]) -> Result<Vec<Folder>, MigrateError> {
    let mut folders = Vec::new();
    for path in paths {
        let refused = |reason: String| MigrateError::Folder { path: path.clone(), reason };
        let existed = match files.kind(path).map_err(failed(path, "looking at the data"))? {
            None => false,
            Some(Kind::Folder) => true,
            Some(_) => return Err(refused("this is no folder; a link's own folder is to be named".into())),
        };
        folders.push(Folder { path: path.clone(), existed });
    }
    Ok(folders)
}

/// Whether each folder can be given another name; otherwise nothing could be taken back.
pub(super) fn check_movable(files: &mut dyn Trees, folders: &[Folder]) -> Result<(), MigrateError> {
    for Folder { path, .. } in folders.iter().filter(|folder| folder.existed) {
        files.check_movable(path, &probe(path)).map_err(|error| MigrateError::Folder {
            path: path.clone(),
            reason: format!(
                "a snapshot could not take its place again ({error}): name a folder below a place of a mount, and \
                 below the upper layer of an overlay"
            ),
        })?;
    }
    Ok(())
}

/// What a snapshot of these folders needs, by file system. `more` bytes are needed for the steps.
pub(super) fn room(
    files: &mut dyn Trees,
    folders: &[Folder],
    more: u64,
    tries: bool,
) -> Result<Vec<Room>, MigrateError> {
    let mut rooms: BTreeMap<u64, Room> = BTreeMap::new();
    for Folder { path, .. } in folders.iter().filter(|folder| folder.existed) {
        let failed = failed(path, "measuring the data");
        let size = tree::measure(files, path).map_err(&failed)?;
        let shared = match tries.then(|| files.can_share(&probe(path))) {
            None => false,
            // There is no room to try it, and no room is what is to be said.
            Some(Err(error)) if error.kind() == ErrorKind::StorageFull => false,
            Some(shared) => shared.map_err(&failed)?,
        };
        let needed = if shared { size.entries.saturating_mul(ENTRY) } else { size.bytes };
        let device = files.entry(path).map_err(&failed)?.map(|entry| entry.identity.0).unwrap_or_default();
        let room = match rooms.entry(device) {
            OfDevice::Occupied(room) => room.into_mut(),
            OfDevice::Vacant(new) => {
                let free = files.free(parent(path)).map_err(&failed)?;
                new.insert(Room { folder: path.clone(), needed: MARGIN.saturating_add(more), free })
            }
        };
        let mut old = 0;
        for path in [before(path), rejected(path)] {
            if files.kind(&path).map_err(&failed)?.is_some() {
                old += tree::measure(files, &path).map_err(&failed)?.bytes;
            }
        }
        room.needed = room.needed.saturating_add(needed);
        // Bytes that are shared are not freed with one of their owners.
        room.free = room.free.saturating_add(if shared { 0 } else { old });
    }
    Ok(rooms.into_values().collect())
}

/// Makes the snapshot of each folder that exists. When this returns it is on the medium, and compared.
pub(super) fn make(files: &mut dyn Trees, folders: &[Folder]) -> Result<Option<Method>, MigrateError> {
    let mut method = None;
    for Folder { path, existed } in folders {
        let failed = failed(path, "making a snapshot");
        for old in [before(path), rejected(path), probe(path)] {
            tree::remove_all(files, &old).map_err(&failed)?;
        }
        if !existed {
            continue;
        }
        let copy = before(path);
        let made = match files.snapshot(path, &copy).map_err(&failed)? {
            true => Method::Subvolume,
            false => match tree::copy(files, path, &copy).map_err(&failed)? {
                true => Method::Shared,
                false => Method::Copied,
            },
        };
        files.sync_all(parent(path)).map_err(&failed)?;
        tree::compare(files, path, &copy, made != Method::Copied).map_err(&failed)?;
        method = method.max(Some(made));
    }
    Ok(method)
}

/// The first snapshot that should be there and is not.
pub(super) fn gone(files: &mut dyn Trees, folders: &[Folder]) -> Result<Option<PathBuf>, MigrateError> {
    for Folder { path, .. } in folders.iter().filter(|folder| folder.existed) {
        let snapshot = before(path);
        if files.kind(&snapshot).map_err(failed(path, "looking for its snapshot"))?.is_none() {
            return Ok(Some(snapshot));
        }
    }
    Ok(None)
}

/// Gives each folder back what it was. It can be called again after a cut at any instant:
///
/// | `app` | `before` | what it means | what is done |
/// |---|---|---|---|
/// | there | there | not begun | an older `rejected` goes, `app` becomes `rejected` |
/// | not there | there | half done | `before` becomes `app` |
/// | there | not there | done | nothing |
pub(super) fn restore(files: &mut dyn Trees, folders: &[Folder]) -> Result<(), MigrateError> {
    for folder in folders {
        restore_one(files, folder).map_err(failed(&folder.path, "restoring its snapshot"))?;
    }
    Ok(())
}

fn restore_one(files: &mut dyn Trees, Folder { path, existed }: &Folder) -> io::Result<()> {
    let (snapshot, aside, folder) = (before(path), rejected(path), parent(path));
    let is_whole = files.kind(&snapshot)?.is_some();
    if files.kind(path)?.is_some() && (is_whole || !existed) {
        tree::remove_all(files, &aside)?;
        files.rename(path, &aside)?;
        files.sync(folder)?;
    }
    if is_whole {
        files.rename(&snapshot, path)?;
        files.sync(folder)?;
    }
    Ok(())
}

/// What is there that nobody needs: snapshots, and what was rejected where that is not `kept`.
pub(super) fn leftovers(
    files: &mut dyn Trees,
    folders: &[PathBuf],
    kept: bool,
) -> Result<Vec<PathBuf>, MigrateError> {
    let mut found = Vec::new();
    for path in folders {
        for old in [Some(before(path)), Some(rejected(path)).filter(|_| !kept)].into_iter().flatten() {
            if files.kind(&old).map_err(failed(path, "looking for what is left beside it"))?.is_some() {
                found.push(old);
            }
        }
    }
    Ok(found)
}

/// The error of the library for one of the system, at this folder.
pub(super) fn failed<'p>(path: &'p Path, step: &'static str) -> impl Fn(io::Error) -> MigrateError + 'p {
    move |error| MigrateError::Library(Place::new(path, step).io(error))
}
