//! The regular file of a copy that is missing or empty, as U-Boot's is before its first save.
//! A new environment or a repair makes it. A device node is never made.
//!
//! The file comes into being in its full size and all at once: temporary file beside it, sync, rename, sync of the
//! directory and of the file. Then it holds zeros, which no reader takes for an environment.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{fchown, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::{rename, EnvCopy};
use crate::config::Device;
use crate::error::{Error, Place, Result};

/// Where Linux keeps devices and windows to itself: no regular file belongs there.
const DEVICES: [&str; 3] = ["/dev", "/proc", "/sys"];

/// Opens the copy once its file is there.
pub(super) type Open = Box<dyn Fn(&Device) -> Result<Box<dyn EnvCopy>> + Send + Sync>;

/// How to make the file.
pub(super) struct Unmade {
    /// Bytes of the whole file.
    size: u64,
    /// A file whose owner and mode it gets: that of the other copy.
    model: Option<PathBuf>,
    open: Open,
}

impl Unmade {
    /// The file of the copy on `device`, if that is to be a regular file and is missing or empty; it is not, if a file can't be made
    /// there. `all` are the copies of the environment: the file has room for all that lie in it.
    pub(super) fn find(device: &Device, all: &[Device], open: Open) -> Option<Self> {
        let path = &device.path;
        let empty = match fs::symlink_metadata(path) {
            // A symbolic link that leads nowhere is somebody's mistake.
            Ok(_) => fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.len() == 0),
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        };
        let directory = fs::canonicalize(directory(path)).ok()?;
        let among_devices = DEVICES.iter().any(|devices| directory.starts_with(devices));
        if !empty || among_devices || path.file_name().is_none() {
            return None;
        }
        let end = |device: &Device| u64::try_from(device.offset).ok()?.checked_add(device.size);
        let size = all.iter().filter(|other| other.path == *path).map(end).max()??;
        let regular = |path: &Path| fs::metadata(path).is_ok_and(|meta| meta.is_file());
        // An empty file has an owner and a mode of its own.
        let model = [path].into_iter().chain(all.iter().map(|other| &other.path)).find(|path| regular(path));
        Some(Unmade { size, model: model.cloned(), open })
    }

    /// Makes the file, durably, and opens the copy in it.
    pub(super) fn make(&self, device: &Device) -> Result<Box<dyn EnvCopy>> {
        self.make_file(&device.path)?;
        (self.open)(device)
    }

    fn make_file(&self, path: &Path) -> Result<()> {
        let io = |step| move |e| Place::new(path, step).io(e);
        match fs::metadata(path) {
            // The other copy lies in the same file and has made it.
            Ok(meta) if meta.is_file() && meta.len() >= self.size => return Ok(()),
            Ok(meta) if !meta.is_file() || meta.len() > 0 => {
                let message = "something else was made here meanwhile; nothing was written".into();
                return Err(Error::Device { path: path.to_path_buf(), message });
            }
            _ => {}
        }
        // The file that a symbolic link leads to, if it is empty.
        let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        rename::remove_stale(&target);
        let temp = rename::temporary_name(&target).ok_or_else(|| io("making the file")(not_a_file()))?;
        let made = self
            .make_temp(&temp)
            .map_err(io("making the file"))
            .and_then(|()| fs::rename(&temp, &target).map_err(io("renaming the new file")));
        if made.is_err() {
            let _ = fs::remove_file(&temp);
        }
        made?;
        let sync = || {
            File::open(directory(&target))?.sync_all()?;
            File::open(&target)?.sync_all()
        };
        sync().map_err(io("syncing the new file"))
    }

    fn make_temp(&self, temp: &Path) -> io::Result<()> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o644).open(temp)?;
        file.set_len(self.size)?;
        if let Some(model) = &self.model {
            let (old, new) = (fs::metadata(model)?, file.metadata()?);
            if (old.uid(), old.gid()) != (new.uid(), new.gid()) {
                fchown(&file, Some(old.uid()), Some(old.gid()))?;
            }
            file.set_permissions(fs::Permissions::from_mode(old.mode() & 0o777))?;
        }
        // On FAT the clusters are put down as used before an entry leads to them (see `rename`).
        File::open(directory(temp))?.sync_all()?;
        file.sync_all()
    }
}

fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn not_a_file() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "not the name of a file")
}
