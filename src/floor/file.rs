//! The file with the floor: one line. It is replaced as a whole, so that a power cut leaves the old one or the new one.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use super::{held, Held, LONGEST};
use crate::files::{self, Files, RealFiles};

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
    write_to(&mut RealFiles::default(), path, floor)
}

fn write_to(files: &mut dyn Files, path: &Path, floor: Option<&str>) -> io::Result<()> {
    match floor {
        Some(floor) => files::replace(files, path, format!("{floor}\n").as_bytes()),
        None => files::remove(files, path),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::fs;

    #[cfg(feature = "sim")]
    #[test]
    fn a_cut_at_any_operation_leaves_the_old_floor_or_the_new_one() {
        use crate::files::sim::{SimFiles, Trouble};
        let path = Path::new("data/lib/floor");
        let line = |floor: Option<&str>| floor.map(|floor| format!("{floor}\n").into_bytes());
        let (files, mut old, mut states) = (SimFiles::new(), None, 0);
        for new in [Some("1.0"), Some("2.0"), None, Some("3.0~rc1"), Some("1")] {
            let whole = files.copy();
            write_to(&mut whole.clone(), path, new).unwrap();
            for operation in 0..whole.operations() {
                let cut = files.copy();
                cut.plan(operation, Trouble::Cut);
                assert!(write_to(&mut cut.clone(), path, new).is_err());
                for choice in 0..cut.choices() {
                    let mut found = cut.copy();
                    found.power_up(choice);
                    let held = files::read_if_there(&mut found, path).unwrap();
                    assert!(
                        [line(old), line(new)].contains(&held),
                        "{new:?}, {operation}, {choice}: {held:?}"
                    );
                    // The same again gets there, whatever the cut has left.
                    write_to(&mut found, path, new).unwrap();
                    assert_eq!(files::read_if_there(&mut found, path).unwrap(), line(new));
                    states += 1;
                }
            }
            write_to(&mut files.clone(), path, new).unwrap();
            files.power_up(0);
            old = new;
        }
        assert!(states > 100, "{states}");
    }

    #[test]
    fn it_is_written_and_removed_and_leaves_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data/lib/floor");
        for floor in [Some("1.0"), Some("2.0"), None, Some("3.0~rc1")] {
            write(&path, floor).unwrap();
            assert_eq!(read(&path).unwrap().as_deref(), floor);
        }
        let names: Vec<_> =
            fs::read_dir(path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
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
