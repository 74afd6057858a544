//! The lock between processes and users, with nothing simulated.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::fs;
use std::io;
use std::os::unix::fs::{chown, PermissionsExt};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bootslot::lock::{Lock, LockPath};
use bootslot::Error;
use support::{argument, assert_passed, child, is_root, open_directory, run_as, NOBODY};

const AT_ONCE: Duration = Duration::ZERO;

fn lock(file: &Path, timeout: Duration) -> bootslot::Result<Lock> {
    Lock::acquire(&LockPath::File(file.to_path_buf()), timeout)
}

#[test]
#[ignore = "a child of the tests below"]
fn count_fifty_times() {
    let (file, counter) = (argument("LOCK"), argument("COUNTER"));
    for _ in 0..50 {
        let _lock = lock(&file, Duration::from_secs(60)).unwrap();
        let value: u32 = fs::read_to_string(&counter).unwrap().parse().unwrap();
        fs::write(&counter, (value + 1).to_string()).unwrap();
    }
}

#[test]
fn no_process_loses_what_another_wrote() {
    let directory = open_directory();
    let (file, counter) = (directory.path().join("lock"), directory.path().join("counter"));
    fs::write(&counter, "0").unwrap();
    let children: Vec<_> = (0..8)
        .map(|_| {
            child("count_fifty_times", &[("LOCK", &file), ("COUNTER", &counter)])
                .stdout(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    for child in children {
        assert_passed(&child.wait_with_output().unwrap());
    }
    assert_eq!(fs::read_to_string(&counter).unwrap(), "400");
}

#[test]
fn no_thread_loses_what_another_wrote() {
    let directory = open_directory();
    let (file, counter) = (directory.path().join("lock"), directory.path().join("counter"));
    fs::write(&counter, "0").unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..25 {
                    let _lock = lock(&file, Duration::from_secs(60)).unwrap();
                    let value: u32 = fs::read_to_string(&counter).unwrap().parse().unwrap();
                    fs::write(&counter, (value + 1).to_string()).unwrap();
                }
            });
        }
    });
    assert_eq!(fs::read_to_string(&counter).unwrap(), "100");
}

#[test]
#[ignore = "a child of the test below"]
fn hold_until_stdin_ends() {
    let _lock = lock(&argument("LOCK"), AT_ONCE).unwrap();
    println!("held");
    io::copy(&mut io::stdin(), &mut io::sink()).unwrap();
}

#[test]
fn a_killed_holder_gives_the_lock_back() {
    let directory = open_directory();
    let file = directory.path().join("lock");
    let mut holder = child("hold_until_stdin_ends", &[("LOCK", &file)])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = io::BufRead::lines(io::BufReader::new(holder.stdout.take().unwrap()));
    assert!(lines.any(|line| line.unwrap().contains("held")));
    assert!(matches!(lock(&file, AT_ONCE), Err(Error::Locked { .. })));
    holder.kill().unwrap();
    holder.wait().unwrap();
    lock(&file, AT_ONCE).unwrap();
}

#[test]
fn waiting_ends_in_time_and_names_the_file() {
    let directory = open_directory();
    let file = directory.path().join("lock");
    let _holder = lock(&file, AT_ONCE).unwrap();
    let start = Instant::now();
    let result = lock(&file, Duration::from_millis(1200));
    let waited = start.elapsed();
    let Err(Error::Locked { path, seconds, .. }) = result else { panic!("locked twice") };
    assert_eq!((path, seconds), (file, 1));
    assert!(waited >= Duration::from_millis(1200) && waited < Duration::from_secs(60), "{waited:?}");
}

#[test]
fn a_lock_that_is_given_back_in_time_is_taken() {
    let directory = open_directory();
    let file = directory.path().join("lock");
    let holder = lock(&file, AT_ONCE).unwrap();
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| lock(&file, Duration::from_secs(60)));
        std::thread::sleep(Duration::from_millis(100));
        drop(holder);
        waiter.join().unwrap().unwrap();
    });
}

#[test]
fn a_child_does_not_keep_the_lock() {
    let directory = open_directory();
    let file = directory.path().join("lock");
    let holder = lock(&file, AT_ONCE).unwrap();
    let mut child = Command::new("sleep").arg("60").spawn().unwrap();
    drop(holder);
    let result = lock(&file, AT_ONCE);
    child.kill().unwrap();
    child.wait().unwrap();
    result.unwrap();
}

#[test]
#[ignore = "a child of the test below"]
fn wait_for_the_parents_lock() {
    let Err(error) = lock(&argument("LOCK"), Duration::from_millis(200)) else { panic!("locked") };
    let text = error.to_string();
    assert!(text.contains("(flock), which has started this one"), "{text}");
}

#[test]
#[ignore = "a child of the test below"]
fn share_the_parents_lock() {
    let file = argument("LOCK");
    let first = lock(&file, AT_ONCE).unwrap();
    // Another thread of this process is kept out, and so is another store under the same lock.
    assert!(matches!(lock(&file, Duration::from_millis(50)), Err(Error::Locked { .. })));
    drop(first);
    lock(&file, AT_ONCE).unwrap();
}

#[test]
fn the_lock_of_a_parent_is_recognised_where_it_is_meant_for_us() {
    let directory = open_directory();
    let file = directory.path().join("lock");
    fs::write(&file, "").unwrap();
    let cases: [(&[&str], &str); 3] = [
        (&[], "share_the_parents_lock"),
        // The descriptor is closed, or the lock does not exclude others.
        (&["-o"], "wait_for_the_parents_lock"),
        (&["-s"], "wait_for_the_parents_lock"),
    ];
    for (options, name) in cases {
        let inner = child(name, &[]);
        let mut flock = Command::new("flock");
        flock.args(options).arg(&file).arg(inner.get_program()).args(inner.get_args()).env("LOCK", &file);
        assert_passed(&flock.output().unwrap());
    }
}

#[test]
fn the_directory_of_option_l_holds_fw_printenv_lock() {
    let directory = open_directory();
    let _lock = Lock::acquire(&LockPath::Directory(directory.path().into()), AT_ONCE).unwrap();
    let file = directory.path().join("fw_printenv.lock");
    assert!(file.is_file());
    assert!(matches!(lock(&file, AT_ONCE), Err(Error::Locked { .. })));
}

#[test]
fn a_missing_directory_is_an_error_that_names_the_file() {
    let directory = open_directory();
    let missing = directory.path().join("none");
    let result = Lock::acquire(&LockPath::Directory(missing.clone()), AT_ONCE);
    let Err(Error::Io { place, error }) = result else { panic!("locked nothing") };
    assert_eq!(place.path, missing.join("fw_printenv.lock"));
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
}

#[test]
fn a_file_made_by_another_user_is_locked_all_the_same() {
    if !is_root() {
        return;
    }
    // As /var/lock is: anybody makes files, and with fs.protected_regular opening such a one with
    // O_CREAT fails for everybody but its owner.
    let directory = open_directory();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o1777)).unwrap();
    let file = directory.path().join("lock");
    fs::write(&file, "").unwrap();
    chown(&file, Some(NOBODY), Some(NOBODY)).unwrap();
    lock(&file, AT_ONCE).unwrap();
    // And not one that must not be written, as root's is for everybody else.
    chown(&file, Some(0), Some(0)).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    assert_passed(&run_as(NOBODY, "lock_what_is_not_ours", &[("LOCK", &file)]));
}

#[test]
#[ignore = "a child of the test above"]
fn lock_what_is_not_ours() {
    lock(&argument("LOCK"), AT_ONCE).unwrap();
}

#[test]
fn a_lock_that_can_not_be_made_or_opened_is_an_error() {
    if !is_root() {
        return;
    }
    let directory = open_directory();
    let file = directory.path().join("lock");
    assert_passed(&run_as(NOBODY, "be_refused", &[("LOCK", &file)]));
    assert!(!file.exists());
    fs::write(&file, "").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    assert_passed(&run_as(NOBODY, "be_refused", &[("LOCK", &file)]));
}

#[test]
#[ignore = "a child of the test above"]
fn be_refused() {
    let file = argument("LOCK");
    let Err(Error::Io { place, error }) = lock(&file, AT_ONCE) else { panic!("locked") };
    assert_eq!((place.path, error.kind()), (file, io::ErrorKind::PermissionDenied));
}
