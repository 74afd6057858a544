//! What is built in the folders of the system.

use std::ffi::CString;
use std::fs::{self, FileTimes, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{fchown, lchown, symlink, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::build::{Attributes, Build, Node};
use super::tree::Trees;
use super::RealFiles;
use crate::sys;

/// Bytes that are read back at once.
const PIECE: usize = 256 * 1024;

impl Build for RealFiles {
    fn as_trees(&mut self) -> &mut dyn Trees {
        self
    }

    fn make_link(&mut self, at: &Path, target: &Path) -> io::Result<()> {
        symlink(target, at)
    }

    fn link_target(&mut self, at: &Path) -> io::Result<Option<PathBuf>> {
        match fs::read_link(at) {
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::InvalidInput) => Ok(None),
            target => target.map(Some),
        }
    }

    fn replace_link(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        // Not `rename` of the files: that opens what is replaced, and here it would follow the link.
        fs::rename(from, to)
    }

    fn make_node(&mut self, at: &Path, node: Node) -> io::Result<()> {
        let (kind, device) = match node {
            Node::Fifo => (libc::S_IFIFO, 0),
            Node::Character(major, minor) => (libc::S_IFCHR, libc::makedev(major, minor)),
            Node::Block(major, minor) => (libc::S_IFBLK, libc::makedev(major, minor)),
        };
        sys::tree::make_node(at, kind | 0o600, device)
    }

    fn give(&mut self, at: &Path, attributes: &Attributes) -> io::Result<()> {
        let kind = fs::symlink_metadata(at)?.file_type();
        let Attributes { owner, group, .. } = *attributes;
        if kind.is_symlink() {
            return lchown(at, owner, group);
        }
        let permissions = Permissions::from_mode(attributes.mode & 0o7777);
        if !kind.is_file() && !kind.is_dir() {
            // A node is not opened: that would wait, or touch a device. Nothing can follow: this is no link.
            lchown(at, owner, group)?;
            return fs::set_permissions(at, permissions);
        }
        let file =
            OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(at)?;
        // In this order: a change of the owner takes set-user-ID and capabilities away, and each change sets the times.
        fchown(&file, owner, group)?;
        for (name, value) in &attributes.extended {
            sys::set_xattr(&file, &CString::new(name.as_slice())?, value)?;
        }
        file.set_permissions(permissions)?;
        if let Some(changed) = attributes.changed {
            let changed = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(changed));
            let changed = changed.ok_or(ErrorKind::InvalidInput)?;
            file.set_times(FileTimes::new().set_accessed(changed).set_modified(changed))?;
        }
        sys::close(file)
    }

    fn look_through(&mut self, at: &Path, look: &mut dyn FnMut(&[u8])) -> io::Result<()> {
        let mut file = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW).open(at)?;
        sys::drop_cache(&file, 0, 0)?;
        let mut piece = vec![0; PIECE];
        loop {
            match file.read(&mut piece) {
                Ok(0) => return Ok(()),
                Ok(length) => look(piece.get(..length).unwrap_or_default()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::build::{switch, unlink};
    use super::super::Files;
    use super::*;
    use std::fs::File;
    use std::os::unix::fs::{FileTypeExt, MetadataExt};

    #[test]
    fn what_is_given_is_there() {
        let home = tempfile::tempdir().unwrap();
        let mut files = RealFiles::default();
        let at = |name: &str| home.path().join(name);
        let (owner, group) = {
            let meta = fs::metadata(home.path()).unwrap();
            (Some(meta.uid()), Some(meta.gid()))
        };
        let attributes = Attributes {
            mode: 0o4751,
            owner,
            group,
            changed: Some(1_700_000_000),
            extended: vec![(b"user.color".to_vec(), b"a\nb\0c".to_vec())],
        };
        files.write(&at("file"), b"content").unwrap();
        files.give(&at("file"), &attributes).unwrap();
        let meta = fs::metadata(at("file")).unwrap();
        assert_eq!((meta.mode() & 0o7777, meta.mtime()), (0o4751, 1_700_000_000));
        let value = sys::xattr(&File::open(at("file")).unwrap(), c"user.color").unwrap();
        assert_eq!(value, b"a\nb\0c");
        files.make_node(&at("pipe"), Node::Fifo).unwrap();
        files.give(&at("pipe"), &Attributes { mode: 0o622, owner, group, ..Attributes::default() }).unwrap();
        let pipe = fs::symlink_metadata(at("pipe")).unwrap();
        assert!(pipe.file_type().is_fifo() && pipe.mode() & 0o7777 == 0o622);
        let mut seen = Vec::new();
        files.look_through(&at("file"), &mut |bytes| seen.extend_from_slice(bytes)).unwrap();
        assert_eq!(seen, b"content");
        // What a link leads to is not touched.
        files.make_link(&at("link"), &at("file")).unwrap();
        files.give(&at("link"), &Attributes { mode: 0o777, owner, group, ..attributes }).unwrap();
        assert_eq!(fs::metadata(at("file")).unwrap().mode() & 0o7777, 0o4751);
        assert!(files.look_through(&at("link"), &mut |_| {}).is_err());
    }

    #[test]
    fn a_link_is_switched_and_removed() {
        let home = tempfile::tempdir().unwrap();
        let mut files = RealFiles::default();
        let link = home.path().join("current");
        assert_eq!(files.link_target(&link).unwrap(), None);
        for target in ["versions/1", "versions/2"] {
            // As a cut has left it.
            files.make_link(&home.path().join("current.new"), Path::new("elsewhere")).unwrap();
            switch(&mut files, &link, Path::new(target)).unwrap();
            assert_eq!(files.link_target(&link).unwrap().unwrap(), Path::new(target));
        }
        unlink(&mut files, &link).unwrap();
        unlink(&mut files, &link).unwrap();
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
    }
}
