//! The cases in which existing tools lose data or say what is not so: libubootenv 0.3.7 and U-Boot's
//! tools/env. One test for each, on the real program; it looks at the bytes afterwards.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod cli_support;

use std::fs;
use std::os::unix::fs::{symlink, FileExt, MetadataExt, PermissionsExt};
use std::process::Command;

use cli_support::*;

/// Room for records and the final NUL in a redundant copy of [`SIZE`] bytes.
const ROOM: usize = SIZE - 5;

#[test]
fn a_value_that_is_too_big_changes_nothing() {
    // U-Boot's tool deletes the old value and exits 0.
    for place in [Place::redundant(&["foo=old", "bar=1"]), Place::single(&["foo=old", "bar=1"])] {
        let error = place.refused(4, |place| place.set(&["foo", &"x".repeat(SIZE)]));
        assert!(error.contains("full"), "{error}");
        assert_eq!(place.stored().unwrap(), ["foo=old", "bar=1"]);
    }
}

#[test]
fn the_final_nul_counts_to_the_byte() {
    // libubootenv stores one byte too many, exits 0, and can't read the copy any more.
    let fits = "x".repeat(ROOM - "foo=".len() - 2);
    let place = Place::redundant(&[]);
    let error = place.refused(4, |place| place.set(&["foo", &format!("{fits}x")]));
    assert!(error.contains(&format!("{} bytes needed, {ROOM} available", ROOM + 1)), "{error}");
    place.set(&["foo", &fits]).ok();
    assert_eq!(place.print(&["-n", "foo"]).ok(), format!("{fits}\n"));
    let stored = place.read("env.img");
    assert_eq!(&stored[2 * SIZE - 3..], b"x\0\0");
}

#[test]
fn illegal_names_are_refused() {
    // `a=b` and the empty name are stored by U-Boot's tool, which bricks the environment for U-Boot; the
    // others by both tools.
    let place = Place::redundant(&["foo=1"]);
    for name in ["a=b", "", "=", "a b", " a", "a\tb", "a\nb", "#a", "a\r"] {
        for value in ["x", ""] {
            let error = place.refused(4, |place| place.set(&[name, value]));
            assert!(error.contains("illegal variable name"), "{name:?}: {error}");
        }
        let error = place.refused(4, |place| place.set(&[name]));
        assert!(error.contains("illegal variable name"), "{name:?}: {error}");
    }
}

#[test]
fn a_value_may_hold_any_byte_but_nul() {
    let place = Place::redundant(&[]);
    for value in ["a\nb", "\n", " ", "=", "\\", "a\\\\b", "#", "\u{1}\u{7f}", "ü"] {
        place.set(&["foo", value]).ok();
        assert_eq!(place.print(&["-n", "foo"]).ok(), format!("{value}\n"));
        assert_eq!(place.stored().unwrap(), [format!("foo={value}")]);
    }
}

#[test]
fn a_value_may_look_like_an_option() {
    // libubootenv deletes foo, exit 0.
    let place = Place::redundant(&["foo=1"]);
    for value in ["-1", "-v", "-n", "--help", "-c"] {
        place.set(&["foo", value]).ok();
        assert_eq!(place.stored().unwrap(), [format!("foo={value}")]);
    }
    place.set(&["foo", "a", "-s", "--", "b"]).ok();
    assert_eq!(place.stored().unwrap(), ["foo=a -s -- b"]);
    // How scripts protect such values from the existing tools.
    place.set(&["foo", "--", "-2"]).ok();
    assert_eq!(place.stored().unwrap(), ["foo=-2"]);
    place.set(&["--", "foo", "-3"]).ok();
    assert_eq!(place.stored().unwrap(), ["foo=-3"]);
}

#[test]
fn further_words_are_part_of_the_value() {
    // libubootenv sets foo=v1 and deletes zzz.
    let place = Place::redundant(&["foo=1", "zzz=keep"]);
    place.set(&["foo", "v1", "zzz"]).ok();
    assert_eq!(place.stored().unwrap(), ["foo=v1 zzz", "zzz=keep"]);
}

#[test]
fn without_a_valid_copy_nothing_is_set() {
    // U-Boot's tool replaces both copies by its compiled-in defaults, exit 0.
    let place = Place::redundant(&["foo=1"]);
    place.patch("env.img", 100, b"damage");
    let error = place.refused(3, |place| place.set(&["x", "y"]));
    assert!(error.contains("copy 0: bad CRC") && error.contains("copy 1: blank"), "{error}");
    place.refused(3, |place| place.set(&["x"]));
    place.refused(3, |place| place.script(b"x y\n"));
    if CLI {
        place.refused(3, |place| place.env(&["set", "x", "y"]));
        place.refused(3, |place| place.env(&["repair"]));
    }
}

#[test]
fn a_new_environment_must_be_asked_for() {
    let damaged = || {
        let place = Place::redundant(&["foo=1"]);
        place.patch("env.img", 100, b"damage");
        place.write("defaults", b"# defaults\nbootcmd=run x\nbootdelay=3\n");
        place
    };
    let place = damaged();
    place.set(&["--init", "x", "y"]).ok();
    assert_eq!(place.stored().unwrap(), ["x=y"]);
    let place = damaged();
    place.set(&["-f", "defaults", "x", "y"]).ok();
    assert_eq!(place.stored().unwrap(), ["bootcmd=run x", "bootdelay=3", "x=y"]);
    // Without a change as well: what the caller asked for is a valid environment.
    let place = damaged();
    place.set(&["--defenv", "defaults"]).ok();
    assert_eq!(place.stored().unwrap(), ["bootcmd=run x", "bootdelay=3"]);
    // Where a copy is valid, neither changes anything, and the defaults need not even be there.
    place.set(&["--init", "-f", "missing", "x", "y"]).ok();
    assert_eq!(place.stored().unwrap(), ["bootcmd=run x", "bootdelay=3", "x=y"]);
    let place = damaged();
    place.refused(4, |place| place.set(&["-f", "missing", "x", "y"]));
}

#[test]
fn without_a_valid_copy_nothing_is_printed() {
    // U-Boot's tool prints its compiled-in defaults, exit 0.
    let place = Place::redundant(&["foo=1"]);
    place.patch("env.img", 100, b"damage");
    place.refused(3, |place| place.print(&[]));
    place.refused(3, |place| place.print(&["foo"]));
    place.write("defaults", b"foo=2\nbar=3\n");
    let before = place.read("env.img");
    let printed = place.print(&["-f", "defaults"]);
    assert_eq!((printed.code, &*printed.out), (Some(0), "foo=2\nbar=3\n"));
    assert!(printed.err.contains("copy 0: bad CRC") && printed.err.contains("defaults"), "{}", printed.err);
    assert_eq!(place.print(&["-n", "-f", "defaults", "bar"]).out, "3\n");
    assert!(place.read("env.img") == before);
    // A valid copy goes before the defaults.
    place.write("env.img", &[vec![0; SIZE], image(Some(0), &["foo=4"], SIZE)].concat());
    assert_eq!(place.print(&["-f", "defaults", "foo"]).ok(), "foo=4\n");
}

#[test]
fn a_lost_environment_is_called_by_the_words_that_scripts_look_for() {
    // They make a new one where they find these words, so a good or unreadable copy must not bring them up.
    const WORDS: &str = "Warning: Bad CRC";
    let place = Place::redundant(&["foo=1"]);
    let says = |ran: Ran| ran.err.lines().any(|line| line.starts_with(WORDS));
    assert!(!says(place.print(&[])), "copy 1 is blank, copy 0 good");
    assert!(!says(place.set(&["foo", "2"])));
    place.patch("env.img", 100, b"damage");
    assert!(!says(place.print(&[])), "copy 0 is damaged, copy 1 good");
    place.patch("env.img", SIZE as u64 + 100, b"damage");
    assert!(says(place.print(&[])));
    assert!(says(place.print(&["-n", "foo"])));
    assert!(says(place.set(&["foo", "3"])));
    place.write("defaults", b"foo=4\n");
    let printed = place.print(&["-f", "defaults"]);
    assert!(printed.err.starts_with("Warning: Bad CRC, using default environment\n"), "{}", printed.err);
    // One that ends before its copy can't be read, and may be a good one.
    let cut = place.read("env.img")[..SIZE + 7].to_vec();
    place.write("env.img", &cut);
    assert!(!says(place.print(&[])));
}

#[test]
fn a_file_that_is_not_there_yet_is_made_on_request() {
    let place = Place::new();
    place.configure(&[("uboot.env", 0, SIZE as u64), ("uboot-redund.env", 0, SIZE as u64)]);
    let sizes =
        || ["uboot.env", "uboot-redund.env"].map(|name| place.path(name).metadata().map_or(0, |m| m.len()));
    assert_eq!(place.print(&[]).code, Some(3));
    assert_eq!(place.set(&["a", "1"]).code, Some(3));
    assert_eq!(sizes(), [0, 0]);
    place.set(&["--init", "a", "1"]).ok();
    assert_eq!(sizes(), [SIZE as u64; 2]);
    place.set(&["a", "2"]).ok();
    std::fs::remove_file(place.path("uboot-redund.env")).unwrap();
    let refused = place.set(&["a", "3"]);
    if !CLI {
        return;
    }
    assert!(refused.err.contains("made by a repair"), "{}", refused.err);
    let check = place.env(&["check"]);
    assert_eq!(check.code, Some(1));
    assert!(
        check.out.contains("make the file") && check.out.contains("bootslot env repair"),
        "{}",
        check.out
    );
    place.env(&["repair"]).ok();
    assert_eq!(sizes(), [SIZE as u64; 2]);
    assert_eq!(place.env(&["check"]).code, Some(0));
}

#[test]
fn columns_of_sectors_on_a_file_are_passed_over() {
    // U-Boot's tool refuses the first three; libubootenv passes over them.
    let place = Place::new();
    for (i, (first, second)) in [
        ("0x583 0x1000 0x4", "0x1583 0x1000 0x4"),
        ("0x0 0x1000 0x400 1", "0x1000 0x1000 0x400 1"),
        ("0x0 0x1000 0x2000", "0x1000 0x1000 0x2000"),
        ("0x0 0x1000 0x200 256", "0x1000 0x1000 0x200 256"),
    ]
    .into_iter()
    .enumerate()
    {
        place.write("env.img", &vec![0; 0x4000]);
        let line = |columns| format!("{} {columns}\n", place.path("env.img").display());
        place.write("fw_env.config", (line(first) + &line(second)).as_bytes());
        let init = place.set(&["--init", "round", &i.to_string()]);
        assert_eq!(init.code, Some(0), "{}", init.err);
        assert!(init.err.contains("passed over"), "{}", init.err);
        assert_eq!(place.set(&["second", "store"]).code, Some(0));
        let printed = place.print(&["round"]);
        assert_eq!(
            (printed.code, printed.out, printed.err),
            (Some(0), format!("round={i}\n"), String::new())
        );
        if CLI {
            let check = place.env(&["check"]);
            assert_eq!(check.code, Some(0));
            assert!(check.out.contains("note:") && check.out.contains("passed over"), "{}", check.out);
        }
    }
}

/// Every command with this configuration fails with a message that holds `expected`.
fn configuration_refused(place: &Place, expected: &str) {
    let commands: [&dyn Fn(&Place) -> Ran; 4] = [
        &|place| place.print(&[]),
        &|place| place.set(&["--init", "x", "y"]),
        &|place| place.env(&["check"]),
        &|place| place.env(&["repair"]),
    ];
    for command in commands.iter().take(if CLI { 4 } else { 2 }) {
        let error = place.refused(4, command);
        assert!(error.contains(expected), "{expected:?} is not in: {error}");
    }
}

#[test]
fn absurd_sizes_are_refused_with_line_and_column() {
    // Size 1 crashes libubootenv; 0, 1 and 6 crash U-Boot's tool; `16K` is 0x16 for one and a crash for the other.
    let place = Place::redundant(&["foo=1"]);
    for size in ["0", "0x0", "1", "6", "16K", "0x16", "-1", "99999999999999999999", "4294967296"] {
        place.write("fw_env.config", format!("# one\nenv.img 0x0 {size}\n").as_bytes());
        if size == "0x16" {
            // Small, but room for a variable: no copy of this size is valid.
            place.refused(3, |place| place.print(&[]));
        } else {
            configuration_refused(&place, "fw_env.config:2:13: ");
        }
    }
}

#[test]
fn a_garbled_second_line_is_an_error() {
    // U-Boot's tool then takes the environment for a single copy and replaces both by one default environment.
    let place = Place::redundant(&["foo=1"]);
    let first = format!("env.img 0x0 {SIZE:#x}\n");
    for second in ["env.img 0x1000\n", "env.img\n", "env.img 0x1000 x\n", "env.img 0xZ 0x1000\n", "\u{1}\n"] {
        place.write("fw_env.config", format!("{first}{second}").as_bytes());
        configuration_refused(&place, "fw_env.config:2:");
    }
    // Commented out, it is a single copy by intent; but what lies there is none.
    place.write("fw_env.config", format!("{first}# env.img 0x1000 0x1000\n").as_bytes());
    place.refused(3, |place| place.set(&["x", "y"]));
    place.refused(3, |place| place.print(&[]));
}

#[test]
fn overlapping_copies_are_refused() {
    let place = Place::redundant(&["foo=1"]);
    for offset in [0, 1, SIZE as i64 - 1] {
        place.configure(&[("env.img", 0, SIZE as u64), ("env.img", offset, SIZE as u64)]);
        configuration_refused(&place, "fw_env.config:2:");
    }
    // The same file by another name.
    symlink("env.img", place.path("link")).unwrap();
    place.configure(&[("env.img", 0, SIZE as u64), ("link", 0, SIZE as u64)]);
    configuration_refused(&place, "overlap");
}

#[test]
fn a_second_copy_past_the_end_leaves_the_first_readable() {
    // libubootenv fails; U-Boot's tool reads at 100 % CPU for ever, holding the lock.
    for length in [SIZE, SIZE + 1, 2 * SIZE - 1] {
        let place = Place::redundant(&["foo=1"]);
        let whole = place.read("env.img");
        place.write("env.img", &whole[..length]);
        let printed = place.print(&["foo"]);
        assert_eq!((printed.code, &*printed.out), (Some(0), "foo=1\n"), "{}", printed.err);
        assert!(printed.err.contains("copy 1"), "{}", printed.err);
        // The store would have to write there.
        place.refused(4, |place| place.set(&["foo", "2"]));
        if CLI {
            place.refused(4, |place| place.env(&["repair"]));
            let check = place.env(&["check"]);
            assert_eq!(check.code, Some(1), "{check:?}");
        }
    }
}

#[test]
fn an_empty_or_missing_second_file_leaves_the_first_readable() {
    let place = Place::redundant(&["foo=1"]);
    place.configure(&[("env.img", 0, SIZE as u64), ("second.img", 0, SIZE as u64)]);
    let printed = place.print(&["-n", "foo"]);
    assert_eq!((printed.code, &*printed.out), (Some(0), "1\n"), "{}", printed.err);
    place.refused(4, |place| place.set(&["foo", "2"]));
    place.write("second.img", b"");
    let printed = place.print(&["-n", "foo"]);
    assert_eq!((printed.code, &*printed.out), (Some(0), "1\n"), "{}", printed.err);
    place.refused(4, |place| place.set(&["foo", "2"]));
    assert_eq!(place.read("second.img"), b"");
}

#[test]
fn a_read_error_on_one_copy_leaves_the_other_readable() {
    // Both tools give up. Reading /proc/self/mem at 0 gives EIO.
    let place = Place::redundant(&["foo=1"]);
    for unreadable in ["0", "1"] {
        let good = format!("{} 0x0 {SIZE:#x}\n", place.path("env.img").display());
        let bad = format!("/proc/self/mem 0x0 {SIZE:#x}\n");
        let lines = if unreadable == "0" { [bad, good] } else { [good, bad] };
        place.write("fw_env.config", lines.concat().as_bytes());
        let printed = place.print(&["foo"]);
        assert_eq!((printed.code, &*printed.out), (Some(0), "foo=1\n"), "{}", printed.err);
        assert!(printed.err.contains(&format!("copy {unreadable}")), "{}", printed.err);
        assert!(!CLI || place.env(&["check"]).code == Some(1));
        place.refused(4, |place| place.set(&["foo", "2"]));
    }
}

#[test]
fn a_full_area_without_the_end_mark_is_read_and_mended() {
    // Both tools read past their buffers, and U-Boot's deletes a variable in passing.
    let last = format!("last={}", "x".repeat(ROOM - "foo=1\0".len() - "last=".len()));
    let data = format!("foo=1\0{last}");
    assert_eq!(data.len(), ROOM);
    let place = Place::redundant(&[]);
    place.patch("env.img", 0, &image_of(Some(1), data.as_bytes(), SIZE));
    assert_eq!(place.print(&[]).ok(), format!("foo=1\n{last}\n"));
    // There is no room for the end mark, so that every change but a deletion is too much.
    let error = place.refused(4, |place| place.set(&["foo", "2"]));
    assert!(error.contains("full"), "{error}");
    place.set(&["foo"]).ok();
    assert_eq!(place.stored().unwrap(), [last]);
}

#[test]
fn records_that_are_no_variables_are_kept() {
    // libubootenv drops them at the next set; U-Boot's tool may print the text of one as a value.
    let place = Place::redundant(&["foo=1", "noequals", "#note=x", "bar=2"]);
    assert_eq!(place.print(&[]).ok(), "foo=1\nbar=2\n");
    place.set(&["baz", "3"]).ok();
    assert_eq!(place.stored().unwrap(), ["foo=1", "noequals", "#note=x", "bar=2", "baz=3"]);
}

#[test]
fn of_duplicate_names_the_last_counts_and_no_old_value_comes_back() {
    // U-Boot's tool takes the first, and after a change shows the second again.
    let place = Place::redundant(&["foo=first", "bar=2", "foo=last"]);
    assert_eq!(place.print(&["-n", "foo"]).ok(), "last\n");
    place.set(&["foo", "new"]).ok();
    assert_eq!(place.print(&["-n", "foo"]).ok(), "new\n");
    let stored = place.stored().unwrap();
    assert_eq!(stored.iter().filter(|record| record.starts_with("foo=")).count(), 1, "{stored:?}");
    place.set(&["foo"]).ok();
    assert_eq!(place.stored().unwrap(), ["bar=2"]);
}

#[test]
fn a_lock_that_cant_be_had_is_an_error_for_writing_and_none_for_reading() {
    // libubootenv goes on without it; U-Boot's tool refuses to print as well.
    let place = Place::redundant(&["foo=1"]);
    fs::remove_dir(place.path("lock")).unwrap();
    let error = place.refused(4, |place| place.set(&["foo", "2"]));
    assert!(error.contains("lock/fw_printenv.lock"), "{error}");
    if CLI {
        place.refused(4, |place| place.env(&["repair"]));
    }
    assert_eq!(place.print(&["foo"]).ok(), "foo=1\n");
    // A file in the place of the directory, a directory in the place of the file.
    place.write("lock", b"");
    place.refused(4, |place| place.set(&["foo", "2"]));
    fs::remove_file(place.path("lock")).unwrap();
    fs::create_dir_all(place.path("lock/fw_printenv.lock")).unwrap();
    place.refused(4, |place| place.set(&["foo", "2"]));
    assert_eq!(place.print(&["foo"]).ok(), "foo=1\n");
}

#[test]
fn a_script_line_of_any_length_is_stored_whole() {
    // libubootenv cuts it at 2047 bytes, exit 0, and reads the rest as another line.
    let place = Place::redundant(&["bar=1"]);
    let value = format!("{}=bar=2", "x".repeat(2500));
    place.script(format!("foo={value}\n").as_bytes()).ok();
    assert_eq!(place.stored().unwrap(), ["bar=1".to_owned(), format!("foo={value}")]);
}

#[test]
fn a_missing_script_changes_nothing() {
    // libubootenv exits 0 and rewrites the environment.
    let place = Place::redundant(&["foo=1"]);
    let error = place.refused(4, |place| place.set(&["-s", "missing"]));
    assert!(error.contains("missing"), "{error}");
    // Before anything else: also where there is no environment.
    place.write("fw_env.config", b"nonsense\n");
    let error = place.refused(4, |place| place.set(&["-s", "missing"]));
    assert!(error.contains("missing"), "{error}");
}

#[test]
fn a_script_may_end_without_a_newline() {
    // U-Boot's tool stores the earlier lines, loses the last, exit 1.
    let place = Place::redundant(&[]);
    place.script(b"a 1\nb 2").ok();
    assert_eq!(place.stored().unwrap(), ["a=1", "b=2"]);
}

#[test]
fn a_script_that_overflows_half_way_changes_nothing() {
    // U-Boot's tool stores the part that fits.
    let place = Place::redundant(&["foo=1"]);
    let script = format!("a 1\nfoo 2\nbig {}\nb 2\n", "x".repeat(SIZE));
    place.refused(4, |place| place.script(script.as_bytes()));
    assert_eq!(place.print(&[]).ok(), "foo=1\n");
}

#[test]
fn a_bad_script_line_changes_nothing_and_is_named() {
    let place = Place::redundant(&["foo=1"]);
    for bad in ["=x", "a = 1", "a\0b 1", "a \0"] {
        let error = place.refused(4, |place| place.script(format!("foo 2\n\n{bad}\n").as_bytes()));
        assert!(error.contains("-:3: "), "{error}");
    }
}

#[test]
fn a_refused_variable_is_an_error() {
    // U-Boot's tool exits 0, and in a script 1 but stores the lines before; libubootenv skips it there and exits 0.
    let flags = ".flags=ro:sr,once:so,num:da,ip:ia,mac:ma,yes:ba,hex:xa";
    let place = Place::redundant(&[flags, "ro=1", "once=1", "num=1"]);
    for (name, value) in [
        ("ro", "2"),
        ("ro", ""),
        ("once", "2"),
        ("once", ""),
        ("num", "x"),
        ("ip", "1.2.3"),
        ("mac", "1:2"),
        ("yes", "maybe"),
        ("hex", "0xg"),
    ] {
        let error = place.refused(4, |place| place.set(&[name, value]));
        assert!(error.contains(name), "{error}");
        let error = place.refused(4, |place| place.script(format!("new 1\n{name} {value}\n").as_bytes()));
        assert!(error.contains("-:2: ") && error.contains(name), "{error}");
    }
    for (name, value) in
        [("num", "2"), ("ip", "1.2.3.4"), ("mac", "0:1:2:3:4:ff"), ("yes", "y"), ("hex", "ff")]
    {
        place.set(&[name, value]).ok();
    }
    // The same value again is no change.
    place.set(&["ro", "1"]).ok();
    place.set(&["--force", "ro", "2"]).ok();
    assert_eq!(place.print(&["-n", "ro"]).ok(), "2\n");
}

#[test]
fn printing_an_undefined_variable_is_an_error() {
    // libubootenv prints `missing=` and exits 0.
    let place = Place::redundant(&["foo=1", "bar=2"]);
    for args in [&["missing"][..], &["-n", "missing"], &[""], &["foo=1"]] {
        let printed = place.print(args);
        assert_eq!((printed.code, &*printed.out), (Some(1), ""), "{args:?}");
        assert!(printed.err.contains("not defined"), "{}", printed.err);
    }
    // What is defined is printed nevertheless.
    let printed = place.print(&["bar", "missing", "foo"]);
    assert_eq!((printed.code, &*printed.out), (Some(1), "bar=2\nfoo=1\n"));
    assert_eq!(printed.err, "fw_printenv: \"missing\" is not defined\n");
}

/// `env.img` of 4 MiB with a copy at 1 MiB, all other bytes a pattern.
fn larger_file(place: &Place, records: &[&str]) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..4u32 << 20).map(|i| ((i * 31) >> 3) as u8).collect();
    bytes[1 << 20..][..SIZE].copy_from_slice(&image(None, records, SIZE));
    place.write("env.img", &bytes);
    place.configure(&[("env.img", 1 << 20, SIZE as u64)]);
    bytes
}

#[test]
fn a_single_copy_inside_a_larger_file_leaves_the_rest_alone() {
    // U-Boot's tool destroys 4,177,920 bytes and makes the file mode 0600.
    let place = Place::new();
    let mut expected = larger_file(&place, &["foo=1"]);
    fs::set_permissions(place.path("env.img"), fs::Permissions::from_mode(0o640)).unwrap();
    // Only root may give a file away.
    let _ = std::os::unix::fs::chown(place.path("env.img"), Some(12), Some(34));
    let before = fs::metadata(place.path("env.img")).unwrap();
    place.set(&["foo", "2"]).ok();
    let after = fs::metadata(place.path("env.img")).unwrap();
    let identity = |m: &fs::Metadata| (m.mode(), m.uid(), m.gid(), m.len());
    assert_eq!(identity(&before), identity(&after));
    expected[1 << 20..][..SIZE].copy_from_slice(&image(None, &["foo=2"], SIZE));
    assert!(place.read("env.img") == expected);
    assert_eq!(place.files(), ["bin", "env.img", "fw_env.config", "lock"]);
}

#[test]
fn a_single_copy_inside_a_disk_image_needs_little_memory_and_no_more_room() {
    let place = Place::new();
    place.write("env.img", b"");
    let image_at = 100 << 20;
    let disk = fs::File::options().write(true).open(place.path("env.img")).unwrap();
    disk.set_len(256 << 20).unwrap();
    disk.write_all_at(&[7; 5000], 0).unwrap();
    disk.write_all_at(&image(None, &["foo=1"], SIZE), image_at).unwrap();
    disk.write_all_at(&[7; 5000], 200 << 20).unwrap();
    disk.sync_all().unwrap();
    let before = disk.metadata().unwrap();
    place.configure(&[("env.img", image_at as i64, SIZE as u64)]);
    // Of address space, in KiB: the program and its libraries are some MiB.
    let script = "ulimit -v 65536; exec bin/fw_setenv -c fw_env.config -l lock foo 2";
    run(Command::new("sh").arg("-c").arg(script).current_dir(place.path(""))).ok();
    assert_eq!(place.print(&["-n", "foo"]).ok(), "2\n");
    let after = fs::metadata(place.path("env.img")).unwrap();
    assert_eq!(after.len(), 256 << 20);
    let (before, after) = (before.blocks(), after.blocks());
    assert!(after <= before + 128, "{after} blocks instead of {before}");
    let now = fs::File::open(place.path("env.img")).unwrap();
    for at in [0, 200 << 20] {
        let mut bytes = [0; 5001];
        now.read_exact_at(&mut bytes, at).unwrap();
        assert!(bytes[..5000] == [7; 5000] && bytes[5000] == 0);
    }
}

#[test]
fn a_symbolic_link_stays_and_its_target_changes() {
    // U-Boot's tool puts a file in the place of the link; the real one goes stale.
    let place = Place::single(&["foo=1"]);
    fs::create_dir(place.path("real")).unwrap();
    fs::rename(place.path("env.img"), place.path("real/env.img")).unwrap();
    symlink("real/env.img", place.path("env.img")).unwrap();
    place.set(&["foo", "2"]).ok();
    assert_eq!(fs::read_link(place.path("env.img")).unwrap().to_str(), Some("real/env.img"));
    assert_eq!(records(&place.read("real/env.img"), 4).unwrap(), ["foo=2"]);
    assert_eq!(fs::read_dir(place.path("real")).unwrap().count(), 1);
}

#[test]
fn a_full_disk_leaves_no_temporary_file() {
    // U-Boot's tool leaves it. A limit on the size of files stands for the full disk.
    let place = Place::new();
    larger_file(&place, &["foo=1"]);
    place.refused(4, |place| {
        let tool = place.path("bin/fw_setenv");
        let script =
            format!("trap '' XFSZ; ulimit -f 64; exec {} -c fw_env.config -l lock foo 2", tool.display());
        run(Command::new("sh").arg("-c").arg(script).current_dir(place.path("")))
    });
    assert_eq!(place.print(&["foo"]).ok(), "foo=1\n");
}

#[test]
fn a_store_that_is_cut_short_leaves_the_old_environment() {
    // libubootenv writes a single copy in place: 518 of 1,386 torn states are no environment any more.
    if !have("prlimit") {
        return;
    }
    let value = "x".repeat(2000);
    for place in [Place::single(&["foo=old", "bar=1"]), Place::redundant_both(&["foo=old", "bar=1"])] {
        let before = place.read("env.img");
        // The standby of two copies is the first one, so that both kinds are written at these bytes.
        let (mut cut, mut whole) = (0, 0);
        for byte in (0..8).chain((8..2200).step_by(73)) {
            place.write("env.img", &before);
            // The kernel kills the program where it goes on writing at this byte.
            let mut command = Command::new("prlimit");
            command.args(["--core=0", &format!("--fsize={byte}")]).arg(place.path("bin/fw_setenv"));
            command.args(["-c", "fw_env.config", "-l", "lock", "foo", &value]).current_dir(place.path(""));
            let killed = run(&mut command).code.is_none();
            cut += usize::from(killed);
            match place.stored().as_deref() {
                Some([foo, bar]) if foo == "foo=old" && bar == "bar=1" => {}
                Some([foo, bar]) if *foo == format!("foo={value}") && bar == "bar=1" => whole += 1,
                other => panic!("cut at {byte}: {other:?}"),
            }
            // The next store works, and clears up after the dead one.
            place.set(&["bar", "2"]).ok();
            assert_eq!(place.print(&["-n", "bar"]).ok(), "2\n");
            assert_eq!(place.files(), ["bin", "env.img", "fw_env.config", "lock"]);
        }
        assert!(cut > 30, "only {cut} were cut");
        assert!(whole < 4, "{whole} were stored in spite of the cut");
    }
}

#[test]
fn flags_of_variables_that_are_not_set_are_kept() {
    // libubootenv drops them at every store.
    let flags = ".flags=ethaddr:mo,later:dr,serial.*:so";
    let place = Place::redundant(&[flags, "foo=1"]);
    place.set(&["foo", "2"]).ok();
    place.script(b"bar 3\n").ok();
    assert_eq!(place.stored().unwrap(), [flags, "foo=2", "bar=3"]);
}

#[test]
fn two_stores_in_one_session_are_both_stored() {
    // libubootenv loses the second and returns 0.
    use bootslot::config::Config;
    use bootslot::store::{LockPath, Store, StoreOptions};
    let place = Place::redundant(&["foo=1"]);
    let config = Config::load(place.path("fw_env.config")).unwrap();
    let options =
        StoreOptions { lock: Some(LockPath::Directory(place.path("lock"))), ..StoreOptions::default() };
    let mut store = Store::open(config.select(None).unwrap(), &options).unwrap();
    for value in ["2", "3", "4"] {
        let mut change = store.begin().unwrap();
        change.set(b"foo", value.as_bytes()).unwrap();
        change.commit().unwrap();
        assert_eq!(place.stored().unwrap(), [format!("foo={value}")]);
    }
    let bytes = place.read("env.img");
    assert_eq!([bytes[4], bytes[SIZE + 4]], [3, 4]);
}

#[test]
fn offsets_with_bit_31_set_work() {
    // libubootenv fails at 0x80000000 and 0x180000000.
    for offset in [0x7fff_f000u64, 0x8000_0000, 0xffff_f000, 0x1_8000_0000] {
        let place = Place::new();
        let file = fs::File::create(place.path("env.img")).unwrap();
        file.write_all_at(&image(Some(7), &["foo=1"], SIZE), offset).unwrap();
        file.write_all_at(&vec![0xff; SIZE], offset + SIZE as u64).unwrap();
        let size = SIZE as u64;
        place.configure(&[("env.img", offset as i64, size), ("env.img", (offset + size) as i64, size)]);
        place.set(&["foo", "2"]).ok();
        assert_eq!(place.print(&["foo"]).ok(), "foo=2\n");
        let mut second = vec![0; SIZE];
        fs::File::open(place.path("env.img")).unwrap().read_exact_at(&mut second, offset + size).unwrap();
        assert_eq!((second[4], records(&second, 5).unwrap()), (8, vec!["foo=2".to_owned()]));
    }
}

#[test]
fn nothing_but_fill_stands_behind_the_end_mark() {
    // libubootenv writes bytes of its heap there; with U-Boot's tool old values stay readable.
    for place in
        [Place::redundant_both(&["a=1", "secret=hunter2", "b=2"]), Place::single(&["secret=hunter2"])]
    {
        place.set(&["secret"]).ok();
        place.set(&["c", "3"]).ok();
        for copy in place.read("env.img").chunks(SIZE) {
            let data = &copy[5..];
            let end = data.windows(2).position(|pair| pair == [0, 0]).unwrap();
            assert!(data[end..].iter().all(|&byte| byte == 0));
        }
        assert!(!place.read("env.img").windows(7).any(|bytes| bytes == b"hunter2"));
    }
}

#[test]
fn a_change_that_is_none_writes_nothing() {
    // libubootenv rewrites for every script; U-Boot's tool whenever the copies differ.
    for place in [Place::redundant_both(&["foo=1", "bar=2"]), Place::single(&["foo=1", "bar=2"])] {
        let before = (place.read("env.img"), fs::metadata(place.path("env.img")).unwrap());
        place.set(&["foo", "1"]).ok();
        place.set(&["missing"]).ok();
        place.set(&["missing", ""]).ok();
        place.script(b"").ok();
        place.script(b"# nothing\nfoo 1\nbar=2\nmissing\n").ok();
        place.script(b"foo 2\nnew 3\nnew\nfoo 1\n").ok();
        place.set(&["--init", "bar", "2"]).ok();
        if CLI {
            place.env(&["set", "foo", "1"]).ok();
        }
        let after = (place.read("env.img"), fs::metadata(place.path("env.img")).unwrap());
        assert!(before.0 == after.0);
        let written = |m: &fs::Metadata| (m.ino(), m.mtime(), m.mtime_nsec(), m.ctime(), m.ctime_nsec());
        assert_eq!(written(&before.1), written(&after.1));
    }
}

#[test]
fn a_single_copy_in_place_is_stored_with_a_warning() {
    let place = Place::single(&["foo=1"]);
    assert_eq!(place.set(&["foo", "2"]).err, "", "the file is replaced");
    // A second name of the file: it can't be replaced.
    std::fs::hard_link(place.path("env.img"), place.path("other.img")).unwrap();
    let ran = place.set(&["foo", "3"]);
    assert_eq!((ran.code, ran.err.contains("not safe against power cuts")), (Some(0), true), "{ran:?}");
    assert_eq!(place.set(&["foo", "3"]).err, "", "nothing was stored");
}

#[test]
fn an_import_that_is_only_looked_at_takes_no_lock() {
    if !CLI {
        return;
    }
    let place = Place::redundant(&["foo=1"]);
    place.write("text", b"foo=2\n");
    std::fs::remove_dir(place.path("lock")).unwrap();
    assert_eq!(place.env(&["import", "--dry-run", "text"]).code, Some(0));
    place.refused(4, |place| place.env(&["import", "text"]));
}
