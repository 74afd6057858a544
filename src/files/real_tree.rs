//! Whole folders as Linux has them: modes, owners, times, extended attributes, hard links, holes, clones, snapshots.

use std::ffi::CString;
use std::fs::{self, DirBuilder, File, FileTimes, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{
    chown, lchown, symlink, DirBuilderExt, FileExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt,
};
use std::path::Path;

use super::tree::{Entry, Trees};
use super::{parent, Files, Kind, RealFiles};
use crate::sys;

/// Bytes that are copied or compared at once.
const PIECE: usize = 256 * 1024;

/// Units of `st_blocks` (stat(2)).
const BLOCK: u64 = 512;

impl Trees for RealFiles {
    fn as_files(&mut self) -> &mut dyn Files {
        self
    }

    fn entry(&mut self, path: &Path) -> io::Result<Option<Entry>> {
        let meta = match fs::symlink_metadata(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            meta => meta?,
        };
        let kind = match meta.file_type() {
            kind if kind.is_file() => Kind::File,
            kind if kind.is_dir() => Kind::Folder,
            _ => Kind::Other,
        };
        Ok(Some(Entry {
            kind,
            identity: (meta.dev(), meta.ino()),
            links: meta.nlink(),
            bytes: meta.blocks().saturating_mul(BLOCK),
            is_copied: !meta.file_type().is_socket(),
        }))
    }

    fn copy_entry(&mut self, from: &Path, to: &Path) -> io::Result<bool> {
        let meta = fs::symlink_metadata(from)?;
        let kind = meta.file_type();
        if kind.is_symlink() {
            symlink(fs::read_link(from)?, to)?;
            lchown(to, Some(meta.uid()), Some(meta.gid()))?;
            return Ok(true);
        }
        if kind.is_dir() {
            // Nobody else looks into it before it has the mode of its model.
            DirBuilder::new().mode(0o700).create(to)?;
            return self.copy_attributes(from, to).map(|()| true);
        }
        if !kind.is_file() {
            sys::tree::make_node(to, meta.mode(), meta.rdev())?;
            chown(to, Some(meta.uid()), Some(meta.gid()))?;
            fs::set_permissions(to, Permissions::from_mode(meta.mode() & 0o7777))?;
            return Ok(true);
        }
        let source = open(from)?;
        let copy = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(to)?;
        let shared = match sys::tree::clone_file(&source, &copy) {
            Ok(()) => true,
            Err(error) if cannot_clone(&error) => {
                copy_bytes(&source, &copy, meta.len())?;
                false
            }
            Err(error) => return Err(error),
        };
        give_attributes(&source, &copy)?;
        sys::close(copy)?;
        Ok(shared)
    }

    fn copy_attributes(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        give_attributes(&open(from)?, &open(to)?)
    }

    fn is_same(&mut self, one: &Path, other: &Path, shared: bool) -> io::Result<bool> {
        let [meta, copied] = [fs::symlink_metadata(one)?, fs::symlink_metadata(other)?];
        let told = |meta: &fs::Metadata| (meta.mode(), meta.uid(), meta.gid(), meta.rdev());
        if told(&meta) != told(&copied) {
            return Ok(false);
        }
        if meta.file_type().is_symlink() {
            return Ok(fs::read_link(one)? == fs::read_link(other)?);
        }
        if !meta.is_file() && !meta.is_dir() {
            return Ok(true);
        }
        let [source, copy] = [open(one)?, open(other)?];
        if attributes(&source)? != attributes(&copy)?
            || (meta.mtime(), meta.mtime_nsec()) != (copied.mtime(), copied.mtime_nsec())
        {
            return Ok(false);
        }
        if meta.is_dir() || shared {
            return Ok(meta.is_dir() || meta.len() == copied.len());
        }
        sys::drop_cache(&copy, 0, 0)?;
        Ok(meta.len() == copied.len() && same_bytes(&source, &copy, meta.len())? && {
            // Where the model has a hole, the copy may hold something.
            let holes = meta.blocks().saturating_mul(BLOCK) < meta.len();
            !holes || same_bytes(&copy, &source, meta.len())?
        })
    }

    fn link(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        fs::hard_link(from, to)
    }

    fn move_to(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn sync_all(&mut self, path: &Path) -> io::Result<()> {
        sys::tree::sync_file_system(&File::open(path)?)
    }

    fn free(&mut self, folder: &Path) -> io::Result<u64> {
        sys::free_bytes(folder)
    }

    fn can_share(&mut self, probe: &Path) -> io::Result<bool> {
        let second = super::beside(probe, "2")?;
        let tried = (|| {
            fs::write(probe, [1; 4096])?;
            let copy = OpenOptions::new().write(true).create(true).truncate(true).open(&second)?;
            match sys::tree::clone_file(&File::open(probe)?, &copy) {
                Ok(()) => Ok(true),
                Err(error) if cannot_clone(&error) => Ok(false),
                Err(error) => Err(error),
            }
        })();
        for path in [probe, &second] {
            let _ = fs::remove_file(path);
        }
        tried
    }

    fn snapshot(&mut self, from: &Path, to: &Path) -> io::Result<bool> {
        if !sys::tree::is_subvolume(from)? {
            return Ok(false);
        }
        let name = to.file_name().ok_or(ErrorKind::InvalidInput)?;
        let name = CString::new(name.as_bytes())?;
        sys::tree::snapshot_subvolume(&File::open(from)?, &File::open(parent(to))?, &name)?;
        Ok(true)
    }

    fn check_movable(&mut self, folder: &Path, probe: &Path) -> io::Result<()> {
        let full = probe.join("full");
        let tried = (|| {
            match DirBuilder::new().mode(0o700).create(probe) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
                _ => File::create(&full)?,
            };
            // A folder never replaces one that holds something. What forbids the move itself is found before that.
            match fs::rename(folder, probe) {
                Err(error) if matches!(error.raw_os_error(), Some(libc::ENOTEMPTY | libc::EEXIST)) => Ok(()),
                Err(error) => Err(error),
                Ok(()) => fs::rename(probe, folder).and(Err(ErrorKind::Other.into())),
            }
        })();
        let _ = fs::remove_file(&full);
        let _ = fs::remove_dir(probe);
        tried
    }
}

/// Opens a file or a folder; never what a link leads to.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)
}

/// Whether this says that the file system has no clones, and nothing worse.
fn cannot_clone(error: &io::Error) -> bool {
    sys::is_unsupported(error)
        || matches!(error.raw_os_error(), Some(libc::EXDEV | libc::ENOTTY | libc::EPERM | libc::ETXTBSY))
}

fn copy_bytes(from: &File, to: &File, length: u64) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    data(from, length, |offset, wanted| {
        let bytes = piece.get_mut(..wanted).unwrap_or_default();
        from.read_exact_at(bytes, offset)?;
        to.write_all_at(bytes, offset)?;
        Ok(true)
    })?;
    // What ends with a hole.
    to.set_len(length)
}

/// Whether `other` holds the same where `one` has data.
fn same_bytes(one: &File, other: &File, length: u64) -> io::Result<bool> {
    let [mut piece, mut copied] = [vec![0; PIECE], vec![0; PIECE]];
    data(one, length, |offset, wanted| {
        let (left, right) =
            (piece.get_mut(..wanted).unwrap_or_default(), copied.get_mut(..wanted).unwrap_or_default());
        one.read_exact_at(left, offset)?;
        other.read_exact_at(right, offset)?;
        Ok(left == right)
    })
}

/// Goes through the data of a file in pieces, as long as `look` says so; holes are passed over.
fn data(file: &File, length: u64, mut look: impl FnMut(u64, usize) -> io::Result<bool>) -> io::Result<bool> {
    let mut offset = 0;
    while offset < length {
        let Some(range) = sys::next_data(file, offset)? else { break };
        offset = range.start;
        let end = range.end.min(length);
        while offset < end {
            let wanted = (end - offset).min(PIECE as u64) as usize;
            if !look(offset, wanted)? {
                return Ok(false);
            }
            offset += wanted as u64;
        }
    }
    Ok(true)
}

/// Names and values of the extended attributes.
fn attributes(file: &File) -> io::Result<Vec<(CString, Vec<u8>)>> {
    let mut names = sys::xattr_names(file)?;
    names.sort();
    names.into_iter().map(|name| sys::xattr(file, &name).map(|value| (name, value))).collect()
}

/// In this order: a change of the owner takes set-user-ID and capabilities away, and each change sets the times.
fn give_attributes(from: &File, to: &File) -> io::Result<()> {
    let meta = from.metadata()?;
    std::os::unix::fs::fchown(to, Some(meta.uid()), Some(meta.gid()))?;
    let [wanted, there] = [attributes(from)?, attributes(to)?];
    for (name, _) in there.iter().filter(|(name, _)| wanted.iter().all(|(other, _)| other != name)) {
        sys::remove_xattr(to, name)?;
    }
    for (name, value) in wanted.iter().filter(|one| !there.contains(one)) {
        sys::set_xattr(to, name, value)?;
    }
    to.set_permissions(Permissions::from_mode(meta.mode() & 0o7777))?;
    to.set_times(FileTimes::new().set_accessed(meta.accessed()?).set_modified(meta.modified()?))
}

#[cfg(test)]
mod tests {
    use super::super::tree::{compare, copy, measure, remove_all};
    use super::*;
    use std::os::unix::net::UnixListener;
    use std::process::Command;

    #[test]
    fn a_copy_is_the_same_in_everything() {
        let home = tempfile::tempdir().unwrap();
        let [from, to] = ["from", "to"].map(|name| home.path().join(name));
        let mut files = RealFiles::default();
        fs::create_dir_all(from.join("sub/deep")).unwrap();
        fs::write(from.join("sub/file"), "content").unwrap();
        fs::set_permissions(from.join("sub/file"), Permissions::from_mode(0o4751)).unwrap();
        fs::set_permissions(from.join("sub"), Permissions::from_mode(0o2770)).unwrap();
        fs::hard_link(from.join("sub/file"), from.join("second")).unwrap();
        symlink("/none", from.join("link")).unwrap();
        let sparse = File::create(from.join("sparse")).unwrap();
        sparse.set_len(8 << 20).unwrap();
        sparse.write_all_at(b"in the middle", 3 << 20).unwrap();
        let _ = sys::set_xattr(&File::open(from.join("second")).unwrap(), c"user.color", b"blue");
        assert!(Command::new("mkfifo").arg(from.join("pipe")).status().unwrap().success());
        let _socket = UnixListener::bind(from.join("socket")).unwrap();

        let shared = copy(&mut files, &from, &to).unwrap();
        files.sync_all(&to).unwrap();
        compare(&mut files, &from, &to, shared).unwrap();
        let same = files.entry(&to.join("second")).unwrap().unwrap();
        assert_eq!(same, files.entry(&to.join("sub/file")).unwrap().unwrap());
        assert_eq!(fs::metadata(to.join("second")).unwrap().mode() & 0o7777, 0o4751);
        assert!(fs::metadata(to.join("sparse")).unwrap().blocks() * BLOCK < 1 << 20);
        assert_eq!(fs::read_link(to.join("link")).unwrap(), Path::new("/none"));
        assert!(!to.join("socket").exists());
        assert_eq!(measure(&mut files, &from).unwrap().entries, 8);

        // Whatever differs is found.
        let differs = |files: &mut RealFiles, change: &dyn Fn(&Path)| {
            remove_all(files, &to).unwrap();
            copy(files, &from, &to).unwrap();
            change(&to);
            compare(files, &from, &to, false).unwrap_err().kind()
        };
        let changes: [&dyn Fn(&Path); 6] = [
            &|to| {
                let times = FileTimes::new()
                    .set_modified(fs::metadata(to.join("sparse")).unwrap().modified().unwrap());
                let file = OpenOptions::new().write(true).open(to.join("sparse")).unwrap();
                file.write_all_at(b"x", 1).unwrap();
                file.set_times(times).unwrap();
            },
            &|to| fs::set_permissions(to.join("second"), Permissions::from_mode(0o644)).unwrap(),
            &|to| fs::write(to.join("sub/file"), "another").unwrap(),
            &|to| fs::remove_file(to.join("link")).unwrap(),
            &|to| fs::write(to.join("sub/deep/more"), "").unwrap(),
            &|to| {
                fs::remove_file(to.join("link")).unwrap();
                symlink("/other", to.join("link")).unwrap();
            },
        ];
        for change in changes {
            let found = differs(&mut files, change);
            assert!([ErrorKind::InvalidData, ErrorKind::NotFound].contains(&found), "{found:?}");
        }
        remove_all(&mut files, &to).unwrap();
        remove_all(&mut files, &to).unwrap();
        assert!(!to.exists() && from.join("second").exists());
    }

    #[test]
    fn a_folder_that_can_be_moved_stays_where_it_is() {
        let home = tempfile::tempdir().unwrap();
        let [folder, probe] = ["folder", "probe"].map(|name| home.path().join(name));
        fs::create_dir(&folder).unwrap();
        let mut files = RealFiles::default();
        files.check_movable(&folder, &probe).unwrap();
        assert!(folder.is_dir() && !probe.exists());
        assert!(files.check_movable(Path::new("/proc"), &probe).is_err());
        assert!(!files.can_share(Path::new("/none/probe")).unwrap_or(false));
        files.can_share(&probe).unwrap();
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
    }
}
