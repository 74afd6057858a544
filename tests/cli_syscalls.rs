//! Failing and lying system calls, injected by strace into the real `fw_setenv`.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod cli_support;

use std::process::Command;

use cli_support::*;

const OLD: &str = "1";
const NEW: &str = "2";

/// `fw_setenv foo 2` under strace with these options, e.g. what to inject.
fn set_with(place: &Place, options: &[&str]) -> Ran {
    let mut command = Command::new("strace");
    command.current_dir(place.path("")).args(["-f", "-qq", "-o", "trace"]).args(options);
    let tool = place.path("bin/fw_setenv");
    run(command.arg(tool).args(["-c", "fw_env.config", "-l", "lock", "foo", NEW]))
}

/// How often the last traced program made one of these system calls.
fn calls(place: &Place, names: &[&str]) -> usize {
    let trace = String::from_utf8(place.read("trace")).unwrap();
    let is = |line: &&str| names.iter().any(|name| line.contains(&format!(" {name}(")));
    trace.lines().filter(is).count()
}

fn value(place: &Place) -> String {
    place.print(&["-n", "foo"]).ok().trim_end().to_owned()
}

/// Both layouts, fresh.
fn places() -> [Place; 2] {
    [Place::redundant_both(&["foo=1", "bar=x"]), Place::single(&["foo=1", "bar=x"])]
}

#[test]
fn a_failing_sync_is_an_error() {
    // Both tools exit 0.
    if !have("strace") {
        return;
    }
    for place in places() {
        let ran = set_with(&place, &["-e", "inject=fsync,fdatasync:error=EIO"]);
        assert_eq!(ran.code, Some(4), "{ran:?}");
        assert!(ran.err.contains("env.img") && ran.err.contains("Input/output error"), "{}", ran.err);
        assert!([OLD, NEW].contains(&&*value(&place)));
        assert!(!place.files().iter().any(|name| name.contains("tmp")), "{:?}", place.files());
    }
}

#[test]
fn a_failing_write_is_an_error_and_the_old_value_stays() {
    if !have("strace") {
        return;
    }
    for place in places() {
        for error in ["EIO", "ENOSPC", "EROFS"] {
            let ran = set_with(&place, &["-e", &format!("inject=pwrite64,write:error={error}")]);
            assert_eq!(ran.code, Some(4), "{ran:?}");
            assert_eq!(value(&place), OLD);
        }
        assert_eq!(set_with(&place, &[]).code, Some(0));
        assert_eq!(value(&place), NEW);
    }
}

#[test]
fn a_failing_rename_leaves_the_old_file_and_nothing_else() {
    if !have("strace") {
        return;
    }
    let place = Place::single(&["foo=1"]);
    let ran = set_with(&place, &["-e", "inject=rename,renameat,renameat2:error=EIO"]);
    assert_eq!(ran.code, Some(4), "{ran:?}");
    assert_eq!(value(&place), OLD);
    assert_eq!(place.files(), ["bin", "env.img", "fw_env.config", "lock", "trace"]);
}

#[test]
fn interrupted_calls_are_finished() {
    // Both tools fail on an interrupted write.
    if !have("strace") {
        return;
    }
    for place in places() {
        let ran = set_with(&place, &["-e", "inject=pwrite64,write:error=EINTR:when=1+2"]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(calls(&place, &["pwrite64", "write"]) > 1);
        assert_eq!(value(&place), NEW);
    }
    // The loader reads as well, so only reads of the environment.
    let place = Place::redundant_both(&["foo=1", "bar=x"]);
    let file = place.path("env.img").to_str().unwrap().to_owned();
    let ran = set_with(&place, &["-P", &file, "-e", "inject=pread64,read:error=EINTR:when=1+2"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(calls(&place, &["pread64", "read"]) > 1);
    assert_eq!(value(&place), NEW);
}

#[test]
fn a_write_that_the_system_only_pretends_to_do_is_found() {
    // Neither tool reads back what it wrote.
    if !have("strace") {
        return;
    }
    let place = Place::redundant_both(&["foo=1", "bar=x"]);
    let ran = set_with(&place, &["-e", "inject=pwrite64:retval=512"]);
    assert_eq!(ran.code, Some(4), "{ran:?}");
    assert!(ran.err.contains("other bytes than were written"), "{}", ran.err);
    assert_eq!(value(&place), OLD);
}

#[test]
fn a_failing_close_is_an_error() {
    // libubootenv exits 0.
    if !have("strace") {
        return;
    }
    let place = Place::redundant_both(&["foo=1"]);
    let file = place.path("env.img").to_str().unwrap().to_owned();
    let ran = set_with(&place, &["-P", &file, "-e", "inject=close:error=EIO"]);
    assert_eq!(ran.code, Some(4), "{ran:?}");
    assert!(ran.err.contains("env.img"), "{}", ran.err);
    assert!([OLD, NEW].contains(&&*value(&place)));
}

#[test]
fn a_read_error_that_passes_costs_nothing() {
    if !have("strace") {
        return;
    }
    // Copy 1 is current and copy 0 older; the second reading is that of copy 1.
    for number in 1..=2 {
        let place = Place::redundant_both(&["foo=1", "bar=x"]);
        let (file, inject) = (place.path("env.img"), format!("inject=read:error=EIO:when={number}"));
        let ran = set_with(&place, &["-P", file.to_str().unwrap(), "-e", &inject]);
        assert_eq!((ran.code, &*ran.err), (Some(0), ""), "reading {number}");
        assert_eq!(place.print(&[]).ok(), "foo=2\nbar=x\n", "reading {number}");
    }
    // One that stays: the other copy is used, and that is said.
    let place = Place::redundant_both(&["foo=1"]);
    let second = place.read("env.img").split_off(SIZE);
    place.write("second.img", &second);
    place.configure(&[("env.img", 0, SIZE as u64), ("second.img", 0, SIZE as u64)]);
    let file = place.path("second.img");
    let ran = set_with(&place, &["-P", file.to_str().unwrap(), "-e", "inject=read:error=EIO:when=1..2"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.err.contains("copy 1 can't be read, this is copy 0"), "{}", ran.err);
    assert_eq!(place.print(&[]).ok(), "old=1\nfoo=2\n");
}

#[test]
fn a_copy_that_can_not_be_read_is_not_replaced_by_a_new_environment() {
    // Copy 0 is the good one; copy 1 is damaged. Nothing but a word of its own may take copy 0 for lost.
    if !have("strace") {
        return;
    }
    let place = Place::redundant(&["foo=1"]);
    place.write("defaults", b"a=b\n");
    let before = place.read("env.img");
    let config = ["-c", "fw_env.config", "-l", "lock"];
    let set = |options: &[&str]| {
        let file = place.path("env.img");
        let mut command = Command::new("strace");
        command.current_dir(place.path("")).args(["-qq", "-o", "trace", "-P", file.to_str().unwrap()]);
        command.args(["-e", "inject=read:error=EIO"]).arg(place.path("bin/fw_setenv"));
        run(command.args(config).args(options).args(["foo", NEW]))
    };
    for options in [&["--init"][..], &["-f", "defaults"]] {
        let ran = set(options);
        assert_eq!(ran.code, Some(3), "{ran:?}");
        assert!(ran.err.contains("what can't be read may be valid"), "{}", ran.err);
        assert_eq!(place.read("env.img"), before);
    }
    assert_eq!(set(&["--init-unreadable"]).code, Some(0));
    assert_eq!(place.print(&[]).ok(), "foo=2\n");
    place.set(&["--init-unreadable", "bar", "3"]).ok();
    assert_eq!(place.print(&[]).ok(), "foo=2\nbar=3\n", "where a copy is valid, nothing is started anew");
}

#[test]
fn two_syncs_a_store_and_one_without_a_change() {
    // One for each copy: what a killed program left of the current one must not be in the cache alone.
    if !have("strace") {
        return;
    }
    let place = Place::redundant_both(&["foo=1"]);
    assert_eq!(set_with(&place, &[]).code, Some(0));
    assert_eq!(calls(&place, &["fsync", "fdatasync", "sync_file_range", "sync", "syncfs"]), 2);
    assert!(calls(&place, &["pwrite64"]) > 0);
    assert_eq!(set_with(&place, &[]).code, Some(0));
    assert_eq!(calls(&place, &["pwrite64", "pwritev", "write", "writev", "fsync", "rename"]), 0);
    assert_eq!(calls(&place, &["fdatasync"]), 1);
}

#[test]
fn the_old_file_is_held_until_the_new_one_is_synced() {
    // FAT frees the clusters of a file that nobody holds, and only the sync of the new file leads its name to others.
    if !have("strace") {
        return;
    }
    let place = Place::single(&["foo=1"]);
    assert_eq!(set_with(&place, &["-y", "-e", "trace=rename,renameat,renameat2,fsync,close"]).code, Some(0));
    let trace = String::from_utf8(place.read("trace")).unwrap();
    let directory = place.path("").to_str().unwrap().trim_end_matches('/').to_owned();
    let mut lines = trace.lines();
    for (call, what) in [
        ("rename", "env.img".to_owned()),
        ("fsync", format!("<{directory}>")),
        ("fsync", format!("<{directory}/env.img>")),
        ("close", format!("<{directory}/env.img (deleted)>")),
    ] {
        // strace puts the mark of a deleted file behind the name or behind the bracket, by its version.
        let line = |line: &str| line.replace(">(deleted)", " (deleted)>");
        let found = lines.any(|l| l.contains(&format!(" {call}")) && line(l).contains(&what));
        assert!(found, "{call} {what} in\n{trace}");
    }
}

/// Two files that are not there yet.
fn unmade() -> Place {
    let place = Place::new();
    place.configure(&[("a.env", 0, SIZE as u64), ("b.env", 0, SIZE as u64)]);
    place
}

/// `fw_setenv --init foo 2` under strace.
fn init_with(place: &Place, options: &[&str]) -> Ran {
    let mut command = Command::new("strace");
    command.current_dir(place.path("")).args(["-f", "-qq", "-y", "-o", "trace"]).args(options);
    let tool = place.path("bin/fw_setenv");
    run(command.arg(tool).args(["-c", "fw_env.config", "-l", "lock", "--init", "foo", NEW]))
}

#[test]
fn files_are_made_whole_and_durable_before_anything_is_stored_in_them() {
    if !have("strace") {
        return;
    }
    let place = unmade();
    let ran =
        init_with(&place, &["-e", "trace=ftruncate,fsync,fdatasync,rename,renameat,renameat2,pwrite64"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let trace = String::from_utf8(place.read("trace")).unwrap();
    let steps: Vec<&str> = trace
        .lines()
        .filter_map(|line| {
            let call = line.split(' ').find(|word| word.contains('('))?.split('(').next()?;
            let what = match line {
                _ if call.starts_with("rename") => "rename",
                _ if line.contains(".bootslot-") => "temporary",
                _ if line.contains(".env>") => "file",
                _ => "directory",
            };
            Some(match (call, what) {
                ("ftruncate", "temporary") => "size",
                ("fsync", "temporary") => "sync temporary",
                ("fsync", "directory") => "sync directory",
                ("fsync", "file") => "sync file",
                (_, "rename") => "rename",
                ("pwrite64", "file") => "write",
                ("fdatasync", "file") => "sync copy",
                _ => "other",
            })
        })
        .collect();
    let made = ["size", "sync directory", "sync temporary", "rename", "sync directory", "sync file"];
    assert_eq!(steps[..12], [made, made].concat(), "{trace}");
    assert_eq!(steps[12..].iter().filter(|step| **step == "write").count(), 1, "{trace}");
    assert_eq!(*steps.last().unwrap(), "sync copy", "{trace}");
}

#[test]
fn a_file_that_can_not_be_made_leaves_nothing_half_made() {
    if !have("strace") {
        return;
    }
    let all = "ftruncate,fsync,fdatasync,rename,renameat,renameat2,pwrite64,fchmod";
    for how in ["error=EIO", "error=ENOSPC", "signal=SIGKILL"] {
        for step in 1..=16 {
            let place = unmade();
            let ran = init_with(&place, &["-e", &format!("inject={all}:{how}:when={step}")]);
            let killed = how.starts_with("signal");
            for name in ["a.env", "b.env"] {
                let size = place.path(name).metadata().map_or(0, |meta| meta.len());
                assert!(size == 0 || size == SIZE as u64, "{how} {step}: {name} has {size} bytes");
            }
            let left = place.files().iter().filter(|name| name.contains(".bootslot-")).count();
            assert!(killed || left == 0, "{how} {step}: {:?}", place.files());
            if ran.code == Some(0) {
                // strace counts each kind of call by itself, and six syncs make the two files.
                assert!(step > 6, "{how} {step} was not noticed");
                break;
            }
            // The next one goes on from there.
            place.set(&["--init", "foo", NEW]).ok();
            assert_eq!(value(&place), NEW);
            assert!(!place.files().iter().any(|name| name.contains(".bootslot-")), "{how} {step}");
        }
    }
}
