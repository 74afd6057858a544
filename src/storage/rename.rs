//! A regular file on a real file system, replaced as a whole: temporary file beside it, sync, rename, sync.
//!
//! A journal makes a rename one step. FAT has no journal, and Linux (`fs/fat/namei_vfat.c`, `vfat_rename`) makes several
//! steps. The temporary file's entry in the directory goes. The old content's clusters are free when nobody has it open
//! any more. Only when the *file* is written does the entry of that name lead to the new content. In any other order than
//! the one here, a power cut leaves a name that leads to free clusters, also long after the sync of the directory.

use std::ffi::{CString, OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{fchown, FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use super::region::first_difference;
use super::{exclusive, ReplaceFile};
use crate::sys;

/// Part of a temporary file's name, which is `.NAME.bootslot-PID-N`.
const MARK: &[u8] = b".bootslot-";

/// How many bytes of a file are in memory at once.
pub(crate) const PIECE: u64 = 1 << 20;

/// Whether the regular file at `path` can't be replaced without breaking something, so that it has to
/// be written in place, which is not safe against power cuts:
///
/// - a file on sysfs is a window to a device (nvmem) and can't be exchanged;
/// - of a file with several hard links only the one name would get the new content;
/// - a file that is itself a mount point (bind-mounted into a container) can't be renamed over.
///
/// Symbolic links are followed. Errors: those of `stat` and `statfs`.
pub fn must_write_in_place(path: &Path) -> io::Result<bool> {
    let path = fs::canonicalize(path)?;
    let meta = fs::metadata(&path)?;
    Ok(meta.nlink() > 1 || sys::is_on_sysfs(&path)? || sys::is_mount_root(&path)?)
}

/// The file that is replaced, and its temporary file from `write_temp` to `rename`.
#[derive(Debug)]
pub struct RenamedFile {
    target: PathBuf,
    directory: PathBuf,
    /// The file as it was, from `lock` to `sync_rename`.
    locked: Option<File>,
    temp: Option<Temp>,
}

#[derive(Debug)]
struct Temp {
    path: PathBuf,
    /// Open until it is synced.
    file: Option<File>,
}

impl RenamedFile {
    /// For the existing regular file that `path` names. Symbolic links are followed now: what they lead
    /// to is replaced, they stay.
    pub fn new(path: &Path) -> io::Result<Self> {
        let target = fs::canonicalize(path)?;
        let Some(directory) = target.parent() else { return Err(not_regular()) };
        if !fs::symlink_metadata(&target)?.is_file() {
            return Err(not_regular());
        }
        Ok(RenamedFile { directory: directory.to_path_buf(), target, locked: None, temp: None })
    }

    fn make_temp(&self) -> io::Result<Temp> {
        loop {
            let path = temporary_name(&self.target).ok_or_else(not_regular)?;
            // Nobody else may read it before it has the mode of the file. create_new is O_EXCL, which
            // does not follow a link either.
            match OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path) {
                Ok(file) => return Ok(Temp { path, file: Some(file) }),
                // A leftover that could not be removed, from a process with our number.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn sync_directory(&self) -> io::Result<()> {
        File::open(&self.directory)?.sync_all()
    }

    fn locked(&self) -> io::Result<&File> {
        self.locked.as_ref().ok_or_else(out_of_order)
    }

    fn temp(&self) -> io::Result<&Temp> {
        self.temp.as_ref().ok_or_else(out_of_order)
    }
}

impl ReplaceFile for RenamedFile {
    fn lock(&mut self) -> io::Result<u64> {
        let file = exclusive::locked(&self.target, || {
            // NFS locks only what is open for writing, which replacing a file does not need.
            let writable = OpenOptions::new().read(true).write(true).open(&self.target);
            writable.or_else(|_| File::open(&self.target))
        })?;
        Ok(self.locked.insert(file).metadata()?.len())
    }

    fn write_temp(&mut self, offset: u64, new: &[u8]) -> io::Result<u64> {
        self.locked()?;
        remove_stale(&self.target);
        let temp = self.make_temp()?;
        let Temp { file: Some(to), .. } = self.temp.insert(temp) else { return Err(out_of_order()) };
        let Some(from) = &self.locked else { return Err(out_of_order()) };
        let (size, behind) = (from.metadata()?.len(), offset.saturating_add(new.len() as u64));
        let mut written = copy(from, to, 0..offset)?;
        to.write_all_at(new, offset)?;
        written += new.len() as u64 + copy(from, to, behind..size)?;
        // It may end with a hole.
        to.set_len(size)?;
        take_after(from, to)?;
        Ok(written)
    }

    fn sync_temp(&mut self) -> io::Result<u64> {
        let file = self.temp.as_mut().and_then(|temp| temp.file.take()).ok_or_else(out_of_order)?;
        let mut syncs = 1;
        if sys::is_on_fat(&self.directory)? {
            // A program that was killed after its rename has not written the entry of the file; then the next sync
            // alone would put down that the clusters are free to which it still leads.
            self.locked()?.sync_all()?;
            // Puts the clusters down as used before the entry of the temporary file leads to them. An entry that
            // leads to free ones can't even be removed: the kernel would make the file system read-only.
            self.sync_directory()?;
            syncs += 2;
        }
        file.sync_all()?;
        // Only a clean page can be dropped, and only then `read_temp` reads from the medium.
        sys::drop_cache(&file, 0, 0)?;
        sys::close(file)?;
        Ok(syncs)
    }

    fn verify_temp(&mut self, offset: u64, new: &[u8]) -> io::Result<Option<u64>> {
        let (old, temp) = (self.locked()?, File::open(&self.temp()?.path)?);
        let (size, behind) = (old.metadata()?.len(), offset.saturating_add(new.len() as u64));
        let found = temp.metadata()?.len();
        if found != size {
            return Ok(Some(found.min(size)));
        }
        let mut back = vec![0; new.len()];
        temp.read_exact_at(&mut back, offset)?;
        if let Some(i) = first_difference(&back, new) {
            return Ok(Some(offset.saturating_add(i as u64)));
        }
        match difference(old, &temp, 0..offset)? {
            None => difference(old, &temp, behind..size),
            found => Ok(found),
        }
    }

    fn rename(&mut self) -> io::Result<()> {
        fs::rename(&self.temp()?.path, &self.target)?;
        self.temp = None;
        Ok(())
    }

    fn sync_rename(&mut self) -> io::Result<u64> {
        // First the end of the temporary file's name, so that never two names lead to one content.
        self.sync_directory()?;
        let mut syncs = 1;
        // Then the way to the new content. That of the old one stays in use until it is closed.
        if let Some(old) = self.locked.take() {
            File::open(&self.target)?.sync_all()?;
            syncs += 1;
            drop(old);
        }
        Ok(syncs)
    }

    fn give_up(&mut self) {
        if let Some(temp) = self.temp.take() {
            // If even this fails, the next store removes it as stale.
            let _ = fs::remove_file(temp.path);
        }
        self.locked = None;
    }
}

impl Drop for RenamedFile {
    fn drop(&mut self) {
        self.give_up();
    }
}

fn temp_prefix(name: &OsStr) -> Vec<u8> {
    [b".", name.as_bytes(), MARK].concat()
}

/// Removes temporary files beside `target` that a predecessor left when it was killed. All there are are left over:
/// who is alive has locked the file, or the environment if there is no file yet.
pub(super) fn remove_stale(target: &Path) {
    let (Some(directory), Some(name)) = (target.parent(), target.file_name()) else { return };
    // What can't be listed or removed is in nobody's way: each temporary file has a new name.
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    let Ok(entries) = fs::read_dir(directory) else { return };
    let prefix = temp_prefix(name);
    for entry in entries.flatten() {
        let name = entry.file_name();
        let ours = name.as_bytes().strip_prefix(prefix.as_slice()).is_some_and(is_pid_and_number);
        if ours && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// A new name for a temporary file beside the file `target`. `None`: that names no file.
pub(super) fn temporary_name(target: &Path) -> Option<PathBuf> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let mut name = temp_prefix(target.file_name()?);
    name.extend_from_slice(format!("{}-{number}", process::id()).as_bytes());
    Some(target.with_file_name(OsString::from_vec(name)))
}

/// Where the next data of any of `files` lie, from `at` on: at most a [`PIECE`], and not behind `end`. `None`:
/// there are only holes.
fn next_piece(files: &[&File], at: u64, end: u64) -> io::Result<Option<Range<u64>>> {
    let mut next: Option<Range<u64>> = None;
    for file in files {
        let data = sys::next_data(file, at)?;
        next = next.into_iter().chain(data).min_by_key(|data| data.start);
    }
    let next = next.filter(|data| data.start < end);
    Ok(next.map(|data| data.start..data.end.min(end).min(data.start.saturating_add(PIECE))))
}

fn read(file: &File, piece: &Range<u64>) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(piece.end - piece.start).unwrap_or(usize::MAX)];
    file.read_exact_at(&mut bytes, piece.start)?;
    Ok(bytes)
}

/// Copies the data in `range`; what is a hole stays one. How many bytes they are.
fn copy(from: &File, to: &File, range: Range<u64>) -> io::Result<u64> {
    let (mut at, mut copied) = (range.start, 0);
    while let Some(piece) = next_piece(&[from], at, range.end)? {
        to.write_all_at(&read(from, &piece)?, piece.start)?;
        copied += piece.end - piece.start;
        at = piece.end;
    }
    Ok(copied)
}

/// The first byte in `range` that differs. What is a hole in both is the same.
fn difference(old: &File, new: &File, range: Range<u64>) -> io::Result<Option<u64>> {
    let mut at = range.start;
    while let Some(piece) = next_piece(&[old, new], at, range.end)? {
        if let Some(i) = first_difference(&read(old, &piece)?, &read(new, &piece)?) {
            return Ok(Some(piece.start.saturating_add(i as u64)));
        }
        at = piece.end;
    }
    Ok(None)
}

/// Gives `temp` the owner, the extended attributes (ACLs and security labels among them) and the mode
/// of `target`.
fn take_after(target: &File, temp: &File) -> io::Result<()> {
    let (old, new) = (target.metadata()?, temp.metadata()?);
    let owner = (old.uid() != new.uid()).then(|| old.uid());
    let group = (old.gid() != new.gid()).then(|| old.gid());
    if owner.is_some() || group.is_some() {
        fchown(temp, owner, group).map_err(|e| keeping("the owner", e))?;
    }
    let attributes = |file| sys::xattr_names(file).map_err(|e| keeping("the extended attributes", e));
    let names = attributes(target)?;
    for name in attributes(temp)? {
        // An access list that the directory gives to new files, say.
        if !names.contains(&name) && !name.as_bytes().starts_with(b"security.") {
            sys::remove_xattr(temp, &name).map_err(|e| keeping(&name.to_string_lossy(), e))?;
        }
    }
    for name in names {
        // Signatures of the content, which the kernel makes itself.
        if [c"security.ima", c"security.evm"].contains(&name.as_c_str()) {
            continue;
        }
        copy_xattr(target, temp, &name).map_err(|e| keeping(&name.to_string_lossy(), e))?;
    }
    // Last: changing the owner takes the set-user-id bits away.
    temp.set_permissions(fs::Permissions::from_mode(old.mode() & 0o7777)).map_err(|e| keeping("the mode", e))
}

fn copy_xattr(target: &File, temp: &File, name: &CString) -> io::Result<()> {
    let value = sys::xattr(target, name)?;
    // Setting a security label is a privilege; where the directory's default is right, it is not needed.
    if sys::xattr(temp, name).is_ok_and(|there| there == value) {
        return Ok(());
    }
    sys::set_xattr(temp, name, &value)
}

fn keeping(what: &str, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{what} can't be kept: {error}"))
}

/// Whether `rest` is `PID-N` in decimal.
fn is_pid_and_number(rest: &[u8]) -> bool {
    let number = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    let mut parts = rest.split(|&byte| byte == b'-');
    parts.next().is_some_and(number) && parts.next().is_some_and(number) && parts.next().is_none()
}

fn not_regular() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")
}

fn out_of_order() -> io::Error {
    io::Error::other("there is no temporary file")
}
