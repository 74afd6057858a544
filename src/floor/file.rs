//! The file with the floor: one line. It is replaced as a whole, so that a power cut leaves the old one or the new one.
//!
//! The steps and their order are those of `storage/rename.rs`, which says why FAT needs each of them.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use super::{held, Held, LONGEST};
use crate::sys;

/// What the file holds. A missing one holds none; an empty one, or one whose last line does not end, is what a file
/// system leaves that was not synced: nobody knows what it held.
pub fn read(path: &Path) -> Held {
    let shown = path.display();
    let failed = |error: io::Error| format!("{shown}: reading the floor failed: {error}");
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        file => file.map_err(failed)?,
    };
    let mut text = Vec::new();
    file.take(LONGEST as u64 + 2).read_to_end(&mut text).map_err(failed)?;
    match text.strip_suffix(b"\n") {
        Some(line) if !line.is_empty() => held(&shown.to_string(), line),
        _ => Err(format!("{shown} is not one line with a version: what the floor is, is unknown")),
    }
}

/// Makes the file hold this floor, or removes it.
///
/// # Errors
///
/// Those of the system, and `InvalidData` where the medium returns other bytes than were written. The file is the old
/// one then, or the new one.
pub fn write(path: &Path, floor: Option<&str>) -> io::Result<()> {
    let result = write_in_steps(path, floor, &mut |_| Ok(()));
    if result.is_err() {
        // If this fails as well, the next one is written over it.
        let _ = temporary(path).map(fs::remove_file);
    }
    result
}

/// Asks before each step whether to go on: a test says no, and so is the power cut.
fn write_in_steps(
    path: &Path,
    floor: Option<&str>,
    go_on: &mut dyn FnMut(&'static str) -> io::Result<()>,
) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Some(floor) = floor else {
        go_on("remove")?;
        match fs::remove_file(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            removed => removed?,
        }
        go_on("sync the directory")?;
        return sync(directory);
    };
    go_on("make the directory")?;
    make(directory)?;
    let temp = temporary(path)?;
    // Open until the new one is synced: its clusters stay in use.
    let old = File::open(path).ok();
    go_on("write")?;
    let mut file = File::create(&temp)?;
    let line = format!("{floor}\n");
    file.write_all(line.as_bytes())?;
    if let Some(old) = &old {
        go_on("sync the old file")?;
        old.sync_all()?;
    }
    go_on("sync the clusters")?;
    sync(directory)?;
    go_on("sync the new file")?;
    file.sync_all()?;
    sys::drop_cache(&file, 0, 0)?;
    sys::close(file)?;
    if fs::read(&temp)? != line.as_bytes() {
        return Err(io::Error::new(
            ErrorKind::InvalidData,
            "the medium returns other bytes than were written",
        ));
    }
    go_on("rename")?;
    fs::rename(&temp, path)?;
    go_on("sync the directory")?;
    sync(directory)?;
    go_on("sync the renamed file")?;
    File::open(path)?.sync_all()?;
    drop(old);
    Ok(())
}

/// Makes a folder, which may have been lost with everything in it, and all that it lies in.
fn make(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    let Some(parent) = directory.parent() else { return Ok(()) };
    let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    make(parent)?;
    match fs::create_dir(directory) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    sync(parent)
}

fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// One name for all: who writes holds the environment's lock, and what a cut left is written over.
fn temporary(path: &Path) -> io::Result<PathBuf> {
    let mut name = path.file_name().ok_or(ErrorKind::InvalidInput)?.to_os_string();
    name.push(".new");
    Ok(path.with_file_name(name))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_at_any_step_leaves_the_old_floor_or_the_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data/lib/floor");
        let floors = [Some("1.0"), Some("2.0"), None, Some("3.0~rc1"), Some("1")];
        let mut old = None;
        let mut cuts = 0;
        for new in floors {
            for steps in 0usize.. {
                let mut left = steps;
                let result = write_in_steps(&path, new, &mut |_| {
                    let power = left > 0;
                    left = left.saturating_sub(1);
                    power.then_some(()).ok_or_else(|| ErrorKind::Interrupted.into())
                });
                let found = read(&path).unwrap();
                assert!([old, new].contains(&found.as_deref()), "{old:?} {new:?} {steps}: {found:?}");
                // The same again gets there, whatever the cut left.
                write(&path, new).unwrap();
                assert_eq!(read(&path).unwrap().as_deref(), new);
                if result.is_ok() {
                    assert_eq!(found.as_deref(), new);
                    break;
                }
                write(&path, old).unwrap();
                cuts += 1;
            }
            old = new;
        }
        assert!(cuts > 25, "{cuts}");
        let names: Vec<_> =
            fs::read_dir(path.parent().unwrap()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, ["floor"]);
    }

    #[test]
    fn what_is_no_line_with_a_version_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("floor");
        assert_eq!(read(&path), Ok(None));
        for (text, says) in [
            (&b""[..], "not one line"),
            (b"\n", "not one line"),
            (b"1.0", "not one line"),
            (b"1.0\n\n", "no version"),
            (b"1.0\n2.0\n", "no version"),
            (b"1 0\n", "no version"),
            (b"\xff\n", "no version"),
            (&[b'1'; 5000], "not one line"),
        ] {
            fs::write(&path, text).unwrap();
            assert!(read(&path).unwrap_err().contains(says), "{text:?}: {:?}", read(&path));
        }
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(read(&path).unwrap_err().contains("reading the floor failed"));
    }
}
