//! What the kernel tells of its own troubles: its log, what it kept of an earlier boot, and who reset the device.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::UNIX_EPOCH;

use super::{any_of, Finding};
use crate::machine::watchdogs;

/// The longest record of `/dev/kmsg` (CONSOLE_EXT_LOG_MAX in the kernel's kernel/printk). A shorter buffer is refused.
const RECORD: usize = 8192;
/// Records that are read at most: the largest log that a kernel can have is 1 GiB, and nobody waits for that.
const RECORDS: usize = 1 << 20;
/// So much of one file of pstore is read.
const LARGEST: u64 = 1 << 20;

/// None of these texts is in the kernel's log of this boot.
pub(super) fn log(path: &Path, texts: &[String]) -> Result<Finding, String> {
    let failed = |error: io::Error| format!("{}: {error}", path.display());
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path).map_err(failed)?;
    let mut lines = 0;
    let found = each_record(file, |record| {
        lines += 1;
        message(record)
            .filter(|message| texts.iter().any(|text| message.contains(text.as_str())))
            .map(str::to_owned)
    })
    .map_err(failed)?;
    match found {
        Some(line) => Err(format!("the kernel says: {line}")),
        None => Ok(format!("none of {} lines says {}", lines, any_of(texts)).into()),
    }
}

/// The end of what the kernel has said in this boot, at most so many bytes; empty where its log can't be read.
pub(super) fn end_of_log(path: &Path, longest: usize) -> String {
    let mut lines: VecDeque<String> = VecDeque::new();
    let mut length = 0;
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path);
    let read = file.and_then(|file| {
        each_record(file, |record| {
            if let Some(message) = message(record) {
                length += message.len() + 1;
                lines.push_back(message.to_owned());
            }
            while length > longest {
                length -= lines.pop_front().map_or(length, |line| line.len() + 1);
            }
            None::<()>
        })
    });
    match read {
        Ok(_) => lines.into_iter().map(|line| line + "\n").collect(),
        Err(_) => String::new(),
    }
}

/// Hands each record over, until one gives an answer.
fn each_record<T>(mut file: File, mut look: impl FnMut(&str) -> Option<T>) -> io::Result<Option<T>> {
    let mut buffer = vec![0; RECORD];
    let mut rest = Vec::new();
    for _ in 0..RECORDS {
        let count = match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            // The record was overwritten before it was read: the next read gives the oldest one that is left.
            Err(error) if error.raw_os_error() == Some(libc::EPIPE) => continue,
            Err(error) => return Err(error),
        };
        rest.extend(buffer.iter().take(count));
        // The device gives one record, a copy of it in a file any number.
        let whole = rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let records: Vec<u8> = rest.drain(..whole).collect();
        for record in records.split(|byte| *byte == b'\n').filter(|record| !record.is_empty()) {
            if let Some(found) = look(&String::from_utf8_lossy(record)) {
                return Ok(Some(found));
            }
        }
    }
    Ok(None)
}

/// The kernel's message in a record, `PRIORITY,NUMBER,TIME,FLAGS;MESSAGE`. (Documentation/ABI/testing/dev-kmsg.) What user
/// space has written there has a facility, in the bits from 8 on; lines with a blank in front belong to the record before.
fn message(record: &str) -> Option<&str> {
    let (head, message) = record.split_once(';')?;
    let priority: u32 = head.split(',').next()?.parse().ok()?;
    (priority >> 3 == 0).then_some(message)
}

/// None of these texts is in what pstore has kept; without texts there is nothing at all. What is older than the trial is
/// not the trial's.
pub(super) fn pstore(sys: &Path, texts: &[String], since: Option<i64>) -> Result<Finding, String> {
    let folder = sys.join("fs/pstore");
    let failed = |error: io::Error| format!("{}: {error}", folder.display());
    let entries = match fs::read_dir(&folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Ok("there is no pstore".to_owned().into())
        }
        entries => entries.map_err(failed)?,
    };
    let mut count = 0;
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let time = entry.metadata().and_then(|meta| meta.modified()).map_err(failed)?;
        let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        if since.is_some_and(|since| i64::try_from(seconds).is_ok_and(|seconds| seconds < since)) {
            continue;
        }
        if texts.is_empty() {
            return Err(format!("the kernel has kept {name}"));
        }
        let mut bytes = Vec::new();
        let file = File::open(entry.path()).map_err(failed)?;
        file.take(LARGEST).read_to_end(&mut bytes).map_err(failed)?;
        count += 1;
        let text = String::from_utf8_lossy(&bytes);
        let found = text.lines().find(|line| texts.iter().any(|text| line.contains(text.as_str())));
        if let Some(line) = found {
            return Err(format!("{name}: {line}"));
        }
    }
    Ok(format!("{count} records, none of which says {}", any_of(texts)).into())
}

/// No watchdog says that it has reset the device before this boot.
pub(super) fn watchdog_reset(sys: &Path) -> Result<Finding, String> {
    let told = watchdogs(sys);
    if let Some((name, _)) = told.iter().find(|(_, has_reset)| *has_reset) {
        return Err(format!("{name} has reset the device before this boot"));
    }
    Ok(match told.is_empty() {
        true => "there is no watchdog that tells".to_owned().into(),
        false => "no watchdog has reset the device before this boot".to_owned().into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, SystemTime};

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn only_the_kernel_s_own_words_count() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let says = |log: &str, patterns: &[&str]| {
            fs::write(file.path(), log).unwrap();
            super::log(file.path(), &texts(patterns)).map(|finding| finding.says)
        };
        let good = "6,1,100,-;Linux version 6.1\n SUBSYSTEM=x\n30,2,200,-;systemd[1]: Oops: no, not really\n";
        assert_eq!(says(good, &["Oops: "]), Ok("none of 3 lines says Oops: ".into()));
        let bad = format!("{good}1,3,300,-;Internal error: Oops: 96000005 [#1] SMP\n");
        assert_eq!(
            says(&bad, &["BUG:", "Oops: "]),
            Err("the kernel says: Internal error: Oops: 96000005 [#1] SMP".into())
        );
        // More than one buffer.
        let long = good.repeat(1000) + "3,4,5,-;end\n";
        assert_eq!(says(&long, &["end"]), Err("the kernel says: end".into()));
        assert!(super::log(Path::new("/does/not/exist"), &[]).is_err());
    }

    #[test]
    fn the_end_of_the_log_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kmsg");
        let records: String =
            (0..100).map(|n| format!("6,{n},0,-;line {n}\n12,{n},0,-;of user space\n")).collect();
        fs::write(&path, records).unwrap();
        assert_eq!(end_of_log(&path, 16), "line 98\nline 99\n");
        assert_eq!(end_of_log(&path, 1 << 20).lines().count(), 100);
        assert_eq!(end_of_log(&folder.path().join("none"), 16), "");
    }

    #[test]
    fn the_log_of_this_machine_is_read_to_its_end() {
        let path = Path::new("/dev/kmsg");
        if let Err(error) = File::open(path) {
            return eprintln!("left out: {}: {error}", path.display());
        }
        let begin = std::time::Instant::now();
        super::log(path, &texts(&["a text that no kernel has ever said"])).unwrap();
        assert!(begin.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn what_an_earlier_boot_left_is_found() {
        let sys = tempfile::tempdir().unwrap();
        assert_eq!(pstore(sys.path(), &[], None).unwrap().says, "there is no pstore");
        fs::create_dir_all(sys.path().join("fs/pstore")).unwrap();
        assert!(pstore(sys.path(), &[], None).is_ok());
        let path = sys.path().join("fs/pstore/dmesg-ramoops-0");
        fs::write(&path, "Panic#1 Part1\n<0>[ 1.0] Kernel panic - not syncing\n").unwrap();
        let says = |patterns: &[&str], since| {
            pstore(sys.path(), &texts(patterns), since).map(|finding| finding.says)
        };
        assert_eq!(says(&[], None), Err("the kernel has kept dmesg-ramoops-0".into()));
        assert_eq!(
            says(&["Kernel panic"], None),
            Err("dmesg-ramoops-0: <0>[ 1.0] Kernel panic - not syncing".into())
        );
        assert!(says(&["Oops"], None).is_ok());
        // It is older than the trial.
        let day_ago = SystemTime::now() - Duration::from_secs(86_400);
        File::options().write(true).open(&path).unwrap().set_modified(day_ago).unwrap();
        let since =
            i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap() - 3600;
        assert!(says(&[], Some(since)).is_ok());
        assert!(says(&[], Some(since - 86_400)).is_err());
    }

    #[test]
    fn a_watchdog_tells_what_it_did() {
        let sys = tempfile::tempdir().unwrap();
        let says = || watchdog_reset(sys.path()).map(|finding| finding.says);
        assert_eq!(says(), Ok("there is no watchdog that tells".into()));
        for (name, status) in [("watchdog0", "0\n"), ("watchdog1", "1\n")] {
            fs::create_dir_all(sys.path().join("class/watchdog").join(name)).unwrap();
            fs::write(sys.path().join("class/watchdog").join(name).join("bootstatus"), status).unwrap();
        }
        assert_eq!(says(), Ok("no watchdog has reset the device before this boot".into()));
        fs::write(sys.path().join("class/watchdog/watchdog1/bootstatus"), "33\n").unwrap();
        assert_eq!(says(), Err("watchdog1 has reset the device before this boot".into()));
    }
}
