//! The files of the system.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Files, Kind, Locked};
use crate::sys::{self, flock};

/// How long to wait for another writer.
const LIMIT: Duration = Duration::from_secs(10);

/// The files of the system. New files are readable by their owner and its group only.
#[derive(Debug, Default)]
pub struct RealFiles {
    /// What a rename has replaced, open until the new file is synced: on FAT its clusters stay in use so long.
    replaced: BTreeMap<PathBuf, File>,
}

/// Of new files: what they hold may come from logs that not everybody reads.
const MODE: u32 = 0o640;

impl Files for RealFiles {
    fn kind(&mut self, path: &Path) -> io::Result<Option<Kind>> {
        match fs::symlink_metadata(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
            Ok(meta) if meta.is_file() => Ok(Some(Kind::File)),
            Ok(meta) if meta.is_dir() => Ok(Some(Kind::Folder)),
            Ok(_) => Ok(Some(Kind::Other)),
        }
    }

    fn read(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    fn read_back(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        sys::drop_cache(&File::open(path)?, 0, 0)?;
        fs::read(path)
    }

    fn list(&mut self, folder: &Path) -> io::Result<Vec<OsString>> {
        let mut names =
            fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>()?;
        names.sort();
        Ok(names)
    }

    fn write(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(MODE).open(path)?;
        file.write_all(bytes)?;
        sys::close(file)
    }

    fn append(&mut self, path: &Path, length: u64, bytes: &[u8]) -> io::Result<()> {
        let mut file = OpenOptions::new().append(true).create(true).mode(MODE).open(path)?;
        if file.metadata()?.len() != length {
            file.set_len(length)?;
        }
        file.write_all(bytes)?;
        sys::close(file)
    }

    fn sync(&mut self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()?;
        self.replaced.remove(path);
        Ok(())
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        if let Ok(old) = File::open(to) {
            self.replaced.insert(to.to_path_buf(), old);
        }
        fs::rename(from, to)
    }

    fn remove(&mut self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_folder(&mut self, path: &Path) -> io::Result<()> {
        fs::remove_dir(path)
    }

    fn make_folder(&mut self, path: &Path) -> io::Result<()> {
        DirBuilder::new().mode(0o750).create(path)
    }

    fn lock(&mut self, path: &Path) -> io::Result<Locked> {
        // Whoever may open it can keep all others out.
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
        let taken = flock::patiently(LIMIT, || io::Result::Ok(flock::try_flock(&file)?.then_some(())))?;
        if taken.is_none() {
            let who = flock::holder(&file).map_or("another program".to_owned(), |holder| holder.to_string());
            let seconds = LIMIT.as_secs();
            let message = format!("{} is still locked by {who} after {seconds} s", path.display());
            return Err(io::Error::new(ErrorKind::TimedOut, message));
        }
        Ok(Locked(Some(file)))
    }
}
