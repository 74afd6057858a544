//! Many processes on one environment: no update is lost, no reader fails.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod cli_support;

use std::io::ErrorKind::PermissionDenied;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Mutex;
use std::thread;

use cli_support::*;

const PROCESSES: usize = 8;
const SETS: usize = 50;
const BIG: usize = 0x4000;
/// libubootenv's lock file.
const PEER_LOCK: &str = "/var/lock/fw_printenv.lock";

/// An environment with room for all variables of these tests.
fn place() -> Place {
    let place = Place::new();
    place.write("env.img", &[image(Some(1), &["start=0"], BIG), vec![0xff; BIG]].concat());
    place.configure(&[("env.img", 0, BIG as u64), ("env.img", BIG as i64, BIG as u64)]);
    place
}

/// Runs `PROCESSES` loops of `SETS` processes each; each process sets a variable of its own.
fn set_all(place: &Place, set: impl Fn(usize, &[String; 2]) -> Ran + Sync) {
    thread::scope(|scope| {
        for process in 0..PROCESSES {
            let set = &set;
            scope.spawn(move || {
                for i in 0..SETS {
                    set(process, &[format!("v{process}_{i}"), format!("{i}")]).ok();
                }
            });
        }
    });
    let printed = place.print(&[]).ok();
    let present = |process: usize, i: usize| printed.contains(&format!("\nv{process}_{i}={i}\n"));
    let lost = (0..PROCESSES).flat_map(|p| (0..SETS).map(move |i| (p, i))).filter(|&(p, i)| !present(p, i));
    assert_eq!(lost.collect::<Vec<_>>(), []);
    assert_eq!(printed.lines().count(), 1 + PROCESSES * SETS);
}

#[test]
fn no_update_is_lost() {
    // libubootenv without a lock that it can make: 175 to 197 of 400 survive.
    let place = place();
    set_all(&place, |_, words| place.set(words));
}

#[test]
#[cfg(feature = "yaml")]
fn environments_in_one_file_keep_each_others_updates() {
    // For each single copy the file is replaced, the redundant environment is written in place.
    const SETS: usize = 60;
    let place = Place::new();
    let single = image(None, &["start=0"], BIG);
    let redundant = [image(Some(1), &["start=0"], BIG), vec![0xff; BIG]].concat();
    place.write("disk.img", &[single.clone(), single, redundant, b"end".to_vec()].concat());
    let disk = place.path("disk.img");
    let namespaces = [("one", vec![0]), ("two", vec![1]), ("three", vec![2, 3])];
    let entry = |(name, copies): &(&str, Vec<usize>)| {
        let lock = place.path(format!("{name}.lock"));
        let mut text = format!("{name}:\n  size: {BIG}\n  lockfile: {}\n  devices:\n", lock.display());
        for copy in copies {
            text += &format!("    - path: {}\n      offset: {}\n", disk.display(), copy * BIG);
        }
        text
    };
    place.write("fw_env.config", namespaces.iter().map(entry).collect::<String>().as_bytes());
    let set = |namespace: &str| {
        for i in 0..SETS {
            let words = [format!("{namespace}{i}"), format!("{i}")];
            run(place.command("fw_setenv").args(["-c", "fw_env.config", "-m", namespace]).args(words)).ok();
        }
    };
    thread::scope(|scope| {
        for (namespace, _) in &namespaces {
            scope.spawn(|| set(namespace));
        }
    });
    for (namespace, _) in &namespaces {
        let printed = run(place.command("fw_printenv").args(["-c", "fw_env.config", "-m", namespace])).ok();
        let lost: Vec<usize> =
            (0..SETS).filter(|i| !printed.contains(&format!("\n{namespace}{i}={i}\n"))).collect();
        assert_eq!(lost, [], "{namespace}");
        assert_eq!(printed.lines().count(), 1 + SETS);
    }
    assert!(place.read("disk.img").ends_with(b"end"));
    assert!(!place.files().iter().any(|name| name.starts_with('.')), "{:?}", place.files());
}

#[test]
fn no_reader_fails_while_others_write() {
    let place = place();
    let done = AtomicBool::new(false);
    let reads = Mutex::new(0);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut last = 0;
                loop {
                    let is_last = done.load(Ordering::Relaxed);
                    let printed = place.print(&[]).ok();
                    let value = |name: &str| -> usize {
                        let line =
                            printed.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
                        line.unwrap_or("0").parse().unwrap()
                    };
                    // Set together, seen together; and time does not run backwards.
                    assert_eq!(value("first"), value("second"), "{printed}");
                    assert!(value("first") >= last, "{} after {last}", value("first"));
                    last = value("first");
                    *reads.lock().unwrap() += 1;
                    if is_last {
                        break;
                    }
                }
            });
        }
        for i in 1..=200 {
            place.script(format!("first {i}\nfill {}\nsecond {i}\n", "x".repeat(i * 13)).as_bytes()).ok();
        }
        done.store(true, Ordering::Relaxed);
    });
    let reads = *reads.lock().unwrap();
    assert!(reads > 50, "only {reads} readings");
}

#[test]
fn no_update_is_lost_beside_libubootenv() {
    // The two existing tools together lose about one in four: they lock different files.
    if !have_libubootenv() {
        return;
    }
    // libubootenv goes on without a lock, where an earlier root has left a lock file that it can't open.
    if std::fs::File::options().append(true).open(PEER_LOCK).is_err_and(|e| e.kind() == PermissionDenied) {
        eprintln!("skipped: {PEER_LOCK} belongs to another user");
        return;
    }
    let place = place();
    // Only root may make U-Boot's lock file; libubootenv's alone is what matters here.
    let root = run(Command::new("id").arg("-u")).out == "0\n";
    let lock: &[&str] = if root { &[] } else { &["-l", "/var/lock"] };
    set_all(&place, |process, words| {
        if process % 2 == 0 {
            run(place.command("fw_setenv").args(["-c", "fw_env.config"]).args(lock).args(words))
        } else {
            run(Command::new(PEER_SET).arg("-c").arg(place.path("fw_env.config")).args(words))
        }
    });
}

/// Runs a shell script beside the programs, in a mount namespace of its own with `unshare`.
fn script(place: &Place, unshare: bool, text: &str) -> Ran {
    let mut command = if unshare { Command::new("unshare") } else { Command::new("sh") };
    if unshare {
        command.args(["--mount", "--propagation", "private", "sh"]);
    }
    let path = format!("{}:{}", place.path("bin").display(), std::env::var("PATH").unwrap());
    run(command.args(["-euc", text]).current_dir(place.path("")).env("PATH", path))
}

#[test]
fn a_store_under_the_lock_of_its_parent_goes_on() {
    let place = place();
    place.write("lock/fw_printenv.lock", b"");
    let set = "fw_setenv -c fw_env.config -l lock";
    for (who, idiom) in [
        ("flock", format!("flock lock/fw_printenv.lock {set} who flock")),
        ("shell", format!("flock lock/fw_printenv.lock sh -c '{set} who shell; :'")),
        ("descriptor", format!("exec 9<lock/fw_printenv.lock; flock 9; {set} who descriptor")),
    ] {
        let start = std::time::Instant::now();
        script(&place, false, &idiom).ok();
        assert!(start.elapsed().as_secs() < 20, "{idiom}");
        assert_eq!(place.print(&["who"]).ok(), format!("who={who}\n"));
    }
    // Many under one lock do not lose each other's updates.
    let loops = format!(
        "flock lock/fw_printenv.lock sh -c 'for p in 1 2 3 4; do (for i in $(seq 20); do {set} v$p-$i $i; done) & done; wait'"
    );
    script(&place, false, &loops).ok();
    assert_eq!(place.print(&[]).ok().lines().filter(|line| line.starts_with('v')).count(), 80);
    // And the lock is free afterwards.
    script(&place, false, "flock -n lock/fw_printenv.lock true").ok();
}

#[test]
fn a_parents_lock_that_is_not_meant_for_the_store_is_named_and_waited_for() {
    let place = place();
    place.write("lock/fw_printenv.lock", b"");
    let before = std::fs::read(place.path("env.img")).unwrap();
    // The waiting takes a minute, so it is ended; nothing may have been written until then.
    for flags in ["-o", "-s"] {
        let text = format!(
            "flock {flags} lock/fw_printenv.lock timeout 2 fw_setenv -c fw_env.config -l lock x 1 && exit 9; exit 0"
        );
        script(&place, false, &text).ok();
        assert_eq!(std::fs::read(place.path("env.img")).unwrap(), before, "{flags}");
    }
}

#[test]
fn a_lock_directory_on_a_read_only_file_system_is_passed_over() {
    let place = place();
    if script(&place, true, "mount -t tmpfs none /run").code != Some(0) {
        eprintln!("left out: needs the right to mount");
        return;
    }
    let set = "fw_setenv -c fw_env.config";
    // /var/lock may be a symbolic link into /run.
    let layout = "mkdir -p keep/run keep/lock; mount -t tmpfs none /run; mkdir -p /run/lock; ";
    script(
        &place,
        true,
        &format!("{layout} mount -t tmpfs -o ro none /var/lock; {set} one read-only; ls /run"),
    )
    .ok();
    assert_eq!(place.print(&["one"]).ok(), "one=read-only\n");
    script(
        &place,
        true,
        &format!(
            "{layout} mount -t tmpfs none /mnt; mkdir /mnt/lock; mount -o remount,ro /run; \
             mount --bind /mnt/lock /var/lock; {set} two other; test -e /var/lock/fw_printenv.lock"
        ),
    )
    .ok();
    assert_eq!(place.print(&["two"]).ok(), "two=other\n");
    // Not both: then nobody could be kept out.
    let neither = script(
        &place,
        true,
        &format!("{layout} mount -o remount,ro /run; mount -t tmpfs -o ro none /var/lock/; {set} three none"),
    );
    assert_eq!(neither.code, Some(4));
    assert!(neither.err.contains("fw_printenv.lock") && neither.err.contains("Read-only"), "{}", neither.err);
}

#[test]
fn nobody_else_can_hold_a_new_lock() {
    use std::os::unix::fs::PermissionsExt;
    let place = place();
    place.set(&["a", "1"]).ok();
    let mode = std::fs::metadata(place.path("lock/fw_printenv.lock")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "{mode:o}");
}
