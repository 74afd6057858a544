//! Locks on files: flock, who holds one, and how to wait.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process;
use std::thread;
use std::time::{Duration, Instant};

use super::check;

/// The first and the longest pause between two attempts.
const PAUSE: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(16));

/// Tries until `attempt` gives something or fails, at least once and for `limit`; `None` after that.
pub fn patiently<T, E>(
    limit: Duration,
    mut attempt: impl FnMut() -> Result<Option<T>, E>,
) -> Result<Option<T>, E> {
    // `None`: later than the clock can tell.
    let end = Instant::now().checked_add(limit);
    let mut pause = PAUSE.0;
    loop {
        if let Some(done) = attempt()? {
            return Ok(Some(done));
        }
        let left = end.map(|end| end.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return Ok(None);
        }
        thread::sleep(left.map_or(pause, |left| left.min(pause)));
        pause = (pause * 2).min(PAUSE.1);
    }
}

/// Takes the exclusive flock of `file` if nobody holds it; `false` if somebody does.
pub fn try_flock(file: &File) -> io::Result<bool> {
    // SAFETY: flock takes no memory of ours, and the descriptor is open as long as `file` lives.
    match check(unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) }) {
        Ok(_) => Ok(true),
        Err(error) => match error.raw_os_error() {
            Some(libc::EWOULDBLOCK) | Some(libc::EINTR) => Ok(false),
            _ => Err(error),
        },
    }
}

/// Gives the flock of `file` back.
///
/// Closing is not enough: a child that another thread has just forked holds the same open file
/// description until it calls exec.
pub fn unflock(file: &File) -> io::Result<()> {
    // SAFETY: as in `try_flock`.
    check(unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_UN) }).map(drop)
}

/// Takes the exclusive record lock of all of `file`, which has to be open for writing, if nobody holds it; `false` if
/// somebody does. It belongs to this open file (F_OFD_SETLK, Linux 3.15) and has nothing to do with its flock.
pub fn try_record_lock(file: &File) -> io::Result<bool> {
    match record_lock(file, libc::F_WRLCK) {
        Ok(()) => Ok(true),
        Err(error) => match error.raw_os_error() {
            Some(libc::EAGAIN | libc::EACCES | libc::EINTR) => Ok(false),
            _ => Err(error),
        },
    }
}

/// Gives the record lock of `file` back.
pub fn record_unlock(file: &File) -> io::Result<()> {
    record_lock(file, libc::F_UNLCK)
}

fn record_lock(file: &File, kind: libc::c_int) -> io::Result<()> {
    // SAFETY: all-zero bytes are a valid flock, a structure of integers; and a start and a length of 0 mean the
    // whole file.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = libc::c_short::try_from(kind).unwrap_or_default();
    // SAFETY: F_OFD_SETLK reads the flock that the pointer leads to.
    check(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &lock as *const libc::flock) }).map(drop)
}

/// A process that holds a lock, as `/proc` tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its number.
    pub pid: u32,
    /// Its program; empty if it has ended since, as `flock 9` in a shell script does.
    pub name: String,
    /// Whether it has started this process, or one of those that did.
    pub ancestor: bool,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name.as_str() {
            "" => write!(f, "process {}, which has ended", self.pid),
            name => write!(f, "process {} ({name})", self.pid),
        }
    }
}

/// How often `/proc/locks` is read for a lock that is not in it.
const READINGS: u32 = 20;

/// Who holds the flock of `file`. `None`: nobody, somebody outside of this container, or `/proc` is not there.
///
/// The kernel gives `/proc/locks` in pieces of a page and counts the entries that it has told (seq_file). Where another
/// process gives a lock back between two pieces, the next piece begins an entry too late. So a lock that is not in the
/// list is looked for again.
pub fn holder(file: &File) -> Option<Holder> {
    let meta = file.metadata().ok()?;
    let pid = (0..READINGS).find_map(|_| {
        let locks = fs::read_to_string("/proc/locks").ok()?;
        pid_in(&locks, meta.dev(), meta.ino())
    })?;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim().to_owned();
    Some(Holder { pid, name, ancestor: ancestors().any(|ancestor| ancestor == pid) })
}

/// The process that holds the flock of a file, by the text of `/proc/locks`.
///
/// Inode numbers are small on each tmpfs, so two lock files may have the same one. But `stat` tells another device than
/// `/proc/locks` on file systems such as btrfs and overlayfs. There the number alone has to do, where it is the only
/// one.
fn pid_in(locks: &str, device: u64, inode: u64) -> Option<u32> {
    let device = (libc::major(device), libc::minor(device));
    let lines = || locks.lines().filter_map(Line::parse).filter(|line| line.inode == inode);
    let found = lines().find(|line| line.device == device).or_else(|| match lines().count() {
        1 => lines().next(),
        _ => None,
    });
    found.map(|line| line.pid)
}

/// The processes that have started this one, the parent first.
fn ancestors() -> impl Iterator<Item = u32> {
    let parent = |pid: &u32| -> Option<u32> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name stands in parentheses and may hold any byte; state and parent follow.
        let (_, behind) = stat.rsplit_once(')')?;
        behind.split_ascii_whitespace().nth(1)?.parse().ok().filter(|&pid| pid > 0)
    };
    // Should a process end meanwhile and its number be given to another one, this must end all the same.
    std::iter::successors(parent(&process::id()), parent).take(1000)
}

/// Whether this process has inherited a descriptor of the same file that holds its exclusive flock, taken by another
/// process: as the program has that is run by `flock FILE PROGRAM`.
///
/// A descriptor of this process's own is none: the lock may be that of another thread. Such ones were locked by this
/// process, or are closed by exec.
pub fn inherited_flock(file: &File) -> bool {
    let Ok(wanted) = file.metadata() else { return false };
    let Ok(descriptors) = fs::read_dir("/proc/self/fdinfo") else { return false };
    descriptors.flatten().any(|entry| {
        let Ok(info) = fs::read_to_string(entry.path()) else { return false };
        let locked = info.lines().filter_map(|line| Line::parse(line.strip_prefix("lock:")?));
        let by_another = locked.filter(|line| line.exclusive).any(|line| line.pid != process::id());
        let same = || {
            let path = PathBuf::from("/proc/self/fd").join(entry.file_name());
            fs::metadata(path).is_ok_and(|meta| (meta.dev(), meta.ino()) == (wanted.dev(), wanted.ino()))
        };
        by_another && !closed_by_exec(&info) && same()
    })
}

/// Whether `flags:` of a descriptor in `/proc/self/fdinfo` has O_CLOEXEC. Unknown is a yes.
fn closed_by_exec(info: &str) -> bool {
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags.and_then(|flags| i64::from_str_radix(flags.trim(), 8).ok());
    flags.is_none_or(|flags| flags & i64::from(libc::O_CLOEXEC) != 0)
}

/// An flock as `/proc/locks` has it (lock_get_status in the kernel's fs/locks.c):
/// `1: FLOCK  ADVISORY  WRITE 3105 00:1a:1153 0 EOF`.
struct Line {
    exclusive: bool,
    pid: u32,
    /// Major and minor number, which the kernel prints in hexadecimal.
    device: (u32, u32),
    inode: u64,
}

impl Line {
    fn parse(line: &str) -> Option<Line> {
        let mut words = line.split_ascii_whitespace().skip(1);
        // A process that waits for the lock has an arrow before the kind.
        if words.next()? != "FLOCK" {
            return None;
        }
        let exclusive = words.nth(1)? == "WRITE";
        let pid = words.next()?.parse().ok()?;
        let mut place = words.next()?.split(':');
        let mut hex = || u32::from_str_radix(place.next()?, 16).ok();
        let device = (hex()?, hex()?);
        let inode = place.next()?.parse().ok()?;
        Some(Line { exclusive, pid, device, inode })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::OpenOptions;

    #[test]
    fn a_second_open_file_description_is_locked_out_until_the_first_unlocks() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let (first, second) = (File::open(file.path()).unwrap(), File::open(file.path()).unwrap());
        assert!(try_flock(&first).unwrap());
        assert!(!try_flock(&second).unwrap());
        unflock(&first).unwrap();
        assert!(try_flock(&second).unwrap());
    }

    #[test]
    fn a_record_lock_excludes_another_one_and_no_flock() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let open = || OpenOptions::new().read(true).write(true).open(file.path()).unwrap();
        let (first, second) = (open(), open());
        assert!(try_record_lock(&first).unwrap());
        assert!(!try_record_lock(&second).unwrap());
        assert!(try_flock(&second).unwrap());
        record_unlock(&first).unwrap();
        assert!(try_record_lock(&second).unwrap());
        assert!(try_record_lock(&File::open(file.path()).unwrap()).is_err(), "not open for writing");
    }

    #[test]
    fn the_holder_is_this_process() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let first = File::open(file.path()).unwrap();
        assert_eq!(holder(&first), None);
        assert!(try_flock(&first).unwrap());
        let found = holder(&File::open(file.path()).unwrap()).unwrap();
        assert_eq!((found.pid, found.ancestor), (process::id(), false));
        assert!(!found.name.is_empty());
        assert!(!inherited_flock(&first), "its own lock is nothing that it has inherited");
    }

    #[test]
    fn the_holder_of_another_file_with_the_same_number_is_not_named() {
        let locks =
            "1: FLOCK  ADVISORY  WRITE 11 00:27:2 0 EOF\n2: FLOCK  ADVISORY  WRITE 12 00:28:2 0 EOF\n";
        assert_eq!(pid_in(locks, libc::makedev(0, 0x28), 2), Some(12));
        assert_eq!(pid_in(locks, libc::makedev(0, 0x27), 2), Some(11));
        assert_eq!(pid_in(locks, libc::makedev(0, 0x29), 2), None, "either of them");
        assert_eq!(pid_in(locks, libc::makedev(0, 0x27), 3), None);
        let one = locks.lines().next().unwrap();
        assert_eq!(pid_in(one, libc::makedev(0, 0x29), 2), Some(11), "as on btrfs");
    }

    #[test]
    fn lines_of_the_kernel_are_understood() {
        let parse = |line| Line::parse(line).map(|line| (line.exclusive, line.pid, line.inode));
        assert_eq!(parse("1: FLOCK  ADVISORY  WRITE 3105 00:1a:1153 0 EOF"), Some((true, 3105, 1153)));
        let line = Line::parse("1: FLOCK  ADVISORY  WRITE 3105 103:1a:1153 0 EOF").unwrap();
        assert_eq!(line.device, (0x103, 0x1a));
        assert!(!parse("12: FLOCK  ADVISORY  READ 1 fe:00:18446744073709551615 0 EOF").unwrap().0);
        assert_eq!(parse("1: -> FLOCK  ADVISORY  WRITE 3105 00:1a:1153 0 EOF"), None);
        assert_eq!(parse("2: POSIX  ADVISORY  WRITE 3105 00:1a:1153 0 EOF"), None);
        for bad in
            ["", "1:", "1: FLOCK", "1: FLOCK ADVISORY WRITE x 00:1a:1 0 EOF", "1: FLOCK ADVISORY WRITE 1 x"]
        {
            assert_eq!(parse(bad), None, "{bad}");
        }
        assert!(closed_by_exec("pos:\t0\nflags:\t02100002\n"));
        assert!(!closed_by_exec("pos:\t0\nflags:\t0100002\n"));
        assert!(closed_by_exec("pos:\t0\n"));
    }

    #[test]
    fn at_least_one_attempt_is_made_and_time_ends_the_waiting() {
        let mut attempts = 0;
        let never: Result<Option<()>, ()> = patiently(Duration::ZERO, || {
            attempts += 1;
            Ok(None)
        });
        assert_eq!((never, attempts), (Ok(None), 1));
        let start = Instant::now();
        let third = patiently(Duration::MAX, || {
            attempts += 1;
            Ok::<_, ()>((attempts == 4).then_some(attempts))
        });
        assert_eq!(third, Ok(Some(4)));
        assert!(start.elapsed() >= PAUSE.0 * 3);
        assert_eq!(patiently(Duration::MAX, || Err::<Option<()>, _>("broken")), Err("broken"));
    }
}
