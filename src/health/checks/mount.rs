//! Is something mounted here, and can it be written to?

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::Finding;
use crate::settings::health::Writable;
use crate::sys::drop_cache;

/// The file that proves it. A run that was cut leaves it, and the next one removes it.
const PROOF: &str = ".bootslot-health";
/// What is written: one page.
const LENGTH: usize = 4096;

pub(super) fn check(proc: &Path, path: &Path, writable: Writable) -> Result<Finding, String> {
    let table = proc.join("self/mountinfo");
    let mounts = fs::read_to_string(&table).map_err(|error| format!("{}: {error}", table.display()))?;
    let shown = path.display();
    // The table has paths without links.
    let real = fs::canonicalize(path).map_err(|error| format!("{shown}: {error}"))?;
    let kind = mounts.lines().rev().find_map(|line| mounted(line, &real));
    let Some(kind) = kind else { return Err(format!("nothing is mounted on {shown}")) };
    match writable {
        Writable::Any => Ok(format!("{kind} is mounted").into()),
        Writable::Proven => {
            prove(&real).map_err(|error| format!("{shown} can't be written to: {error}"))?;
            Ok(format!("{kind} is mounted and can be written to").into())
        }
    }
}

/// The kind of file system that this line of mountinfo tells of, if it is on this folder. (proc_pid_mountinfo(5))
fn mounted(line: &str, path: &Path) -> Option<String> {
    let (front, back) = line.split_once(" - ")?;
    let point = unescape(front.split(' ').nth(4)?);
    (point == path).then(|| back.split(' ').next().unwrap_or_default().to_owned())
}

/// The kernel writes blanks, tabs, line ends and backslashes as three octal digits.
fn unescape(text: &str) -> PathBuf {
    let codes = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
    let mut out = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let code = codes.iter().find(|(code, _)| rest.starts_with(code));
        let (piece, length) = match code {
            Some((code, character)) => (*character, code.len()),
            None => {
                let length = rest.chars().next().map_or(1, char::len_utf8);
                (rest.get(..length).unwrap_or_default(), length)
            }
        };
        out += piece;
        rest = rest.get(length..).unwrap_or_default();
    }
    out.into()
}

/// Writes a file, brings it to the medium, reads it from there and removes it.
fn prove(folder: &Path) -> Result<(), String> {
    let path = folder.join(PROOF);
    let step = |step: &'static str| move |error: std::io::Error| format!("{step}: {error}");
    match fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(step("removing an old file")(error)),
        _ => {}
    }
    // Never one that somebody else has made, nor through a link.
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(&path)
        .map_err(step("making a file"))?;
    // It differs from what an earlier run may have left on the medium.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos());
    let text = format!("{now} {} ", std::process::id());
    let bytes: Vec<u8> = text.bytes().cycle().take(LENGTH).collect();
    let proven = (|| {
        file.write_all(&bytes).map_err(step("writing"))?;
        file.sync_all().map_err(step("syncing"))?;
        drop_cache(&file, 0, 0).map_err(step("dropping the cache"))?;
        let mut read = Vec::new();
        File::open(&path).and_then(|mut file| file.read_to_end(&mut read)).map_err(step("reading back"))?;
        match read == bytes {
            true => Ok(()),
            false => Err("it returns other bytes than were written".to_owned()),
        }
    })();
    let removed = fs::remove_file(&path).map_err(step("removing the file"));
    proven.and(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_mounts() {
        let proc = Path::new("/proc");
        let says = |path: &str, writable| check(proc, Path::new(path), writable).map(|finding| finding.says);
        assert_eq!(says("/proc", Writable::Any), Ok("proc is mounted".into()));
        assert!(says("/proc", Writable::Proven).unwrap_err().starts_with("/proc can't be written to: "));
        assert_eq!(says("/usr/bin/..", Writable::Any).ok(), says("/usr", Writable::Any).ok());
        assert!(says("/does/not/exist", Writable::Any).is_err());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_str().unwrap();
        assert_eq!(says(path, Writable::Any), Err(format!("nothing is mounted on {path}")));
    }

    #[test]
    fn a_file_proves_it_and_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let proc = root.join("proc/self");
        let data = root.join("da ta\\x");
        fs::create_dir_all(&proc).unwrap();
        fs::create_dir_all(&data).unwrap();
        let escaped = data.to_str().unwrap().replace('\\', "\\134").replace(' ', "\\040");
        let line = format!("30 1 179:7 / {escaped} rw,relatime - ext4 /dev/mmcblk0p7 rw\n");
        fs::write(proc.join("mountinfo"), format!("26 1 179:2 / / ro - squashfs /dev/root ro\n{line}"))
            .unwrap();
        let says = || check(&root.join("proc"), &data, Writable::Proven).map(|finding| finding.says);
        assert_eq!(says(), Ok("ext4 is mounted and can be written to".into()));
        assert_eq!(fs::read_dir(&data).unwrap().count(), 0);
        // What a run that was cut has left is no trouble; a folder of that name is.
        fs::write(data.join(PROOF), "old").unwrap();
        assert!(says().is_ok());
        fs::create_dir(data.join(PROOF)).unwrap();
        assert!(says().unwrap_err().contains("removing an old file"), "{:?}", says());
    }
}
