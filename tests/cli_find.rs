//! `bootslot env find`, and what `env check` and `--init` make of an environment that is valid, but not as configured.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod cli_support;

use std::io::Read;
use std::path::Path;

use cli_support::*;
use serde_json::{json, Value};

/// `bootslot env find` in this directory.
fn find(place: &Place, args: &[&str]) -> Ran {
    run(place.command("bootslot").args(["env", "find"]).args(args))
}

fn fixture(file: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(file);
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap()).read_to_end(&mut bytes).unwrap();
    bytes
}

fn noise(len: usize) -> Vec<u8> {
    let mut random = Random(7);
    (0..len).map(|_| random.next() as u8).collect()
}

/// Bytes that nobody wrote, and a copy somewhere among them.
fn disk(copies: &[(usize, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = noise(0x40000);
    for (offset, copy) in copies {
        bytes[*offset..][..copy.len()].copy_from_slice(copy);
    }
    bytes
}

/// The configuration that is printed is one, and every tool reads the environment with it.
#[test]
fn what_is_found_can_be_used_as_it_is_printed() {
    for (flags, format) in [(true, "text"), (true, "yaml"), (false, "text"), (false, "yaml")] {
        let place = Place::new();
        let copies = if flags {
            vec![
                (0x3000, image(Some(9), &["a=old", "b=1"], 0x1800)),
                (0x9000, image(Some(10), &["a=new", "b=1"], 0x1800)),
            ]
        } else {
            vec![(0x3000, image(None, &["a=new", "b=1"], 0x1800))]
        };
        place.write("disk.img", &disk(&copies));
        let before = place.read("disk.img");
        let args: &[&str] = if format == "yaml" { &["--yaml", "disk.img"] } else { &["disk.img"] };
        if cfg!(feature = "yaml") || format == "text" {
            let config = find(&place, args).ok();
            assert!(place.read("disk.img") == before);
            place.write("fw_env.config", config.as_bytes());
            assert_eq!(place.print(&[]).ok(), "a=new\nb=1\n", "{config}");
            place.set(&["a", "set"]).ok();
            assert_eq!(place.print(&["-n", "a"]).ok(), "set\n");
        }
    }
}

#[test]
fn real_environments_are_found() {
    // Where the first name has blanks or control characters in it, starts with a NUL, or is longer than any, no
    // place is taken for a copy's start.
    let odd = [
        "odd-bad-crc",
        "odd-blank-before-equals",
        "odd-blank-in-name",
        "odd-control-bytes",
        "odd-leading-nul",
        "odd-long-name",
        "odd-newline-before-name",
    ];
    let place = Place::new();
    let mut files = 0;
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        let Some(name) = file.strip_suffix(".bin.gz") else { continue };
        let bytes = fixture(&file);
        let size = if name.starts_with("odd") || name.contains("nor") { 0x40000 } else { 0x4000 };
        let single = name.contains("single");
        let header = if single { 4 } else { 5 };
        // Whether a copy is valid, by a checksum of our own.
        let order = if name.contains("bigendian") { "big" } else { "little" };
        let valid = |copy: &[u8]| {
            let crc = crc32(&copy[header..]);
            copy[..4] == if order == "big" { crc.to_be_bytes() } else { crc.to_le_bytes() }
        };
        let expected: Vec<usize> =
            (0..bytes.len()).step_by(size).filter(|&at| valid(&bytes[at..][..size])).collect();
        let expected = if odd.contains(&name) { Vec::new() } else { expected };
        place.write("image", &bytes);
        let ran = find(&place, &["--json", "image"]);
        let report: Value = serde_json::from_str(&ran.out).unwrap();
        let found =
            report["environments"].as_array().unwrap().iter().flat_map(|e| e["copies"].as_array().unwrap());
        let found: Vec<_> = found.map(|copy| (copy["offset"].as_u64().unwrap() as usize, copy)).collect();
        assert_eq!(found.iter().map(|(offset, _)| *offset).collect::<Vec<_>>(), expected, "{name}");
        for (_, copy) in found {
            assert_eq!((&copy["size"], &copy["byte_order"]), (&json!(size), &json!(order)), "{name}");
            assert_eq!(copy["flags"].is_null(), single, "{name}");
        }
        assert_eq!(ran.code, Some(i32::from(expected.is_empty())), "{name}");
        files += 1;
    }
    assert!(files > 30, "{files}");
}

#[test]
fn the_report_says_which_copy_is_current_and_what_is_odd() {
    let place = Place::new();
    let copies = [(0x2000, image(Some(255), &["a=1"], SIZE)), (0x6000, image(Some(0), &["a=2"], SIZE))];
    place.write("disk.img", &disk(&copies));
    let text = find(&place, &["disk.img"]).ok();
    assert!(text.contains("copy 1 is current: its serial 0 is newer than 255"), "{text}");
    let report: Value = serde_json::from_str(&find(&place, &["--json", "disk.img"]).ok()).unwrap();
    assert_eq!(report["devices"][0]["size"], 0x40000);
    assert_eq!(report["environments"][0]["current"], 1);
    assert_eq!(
        report["environments"][0]["fw_env_config"],
        "disk.img 0x2000 0x1000\ndisk.img 0x6000 0x1000\n"
    );

    // One copy is damaged: its variables tell where it is.
    let mut damaged = image(Some(3), &["bootcmd=x", "bootdelay=1", "c=2"], SIZE);
    damaged[0] ^= 1;
    place.write("disk.img", &disk(&[(0x2000, image(Some(3), &["a=1"], SIZE)), (0x6000, damaged)]));
    let text = find(&place, &["disk.img"]).ok();
    for part in [
        "flags byte",
        "probably the other copy is at 0x6000",
        "# disk.img 0x6000 0x1000\n",
        "3 variables without",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(text.lines().all(|line| line.is_empty() || line.starts_with('#')), "{text}");

    // The first copy is valid, the second one blank.
    place.write("disk.img", &disk(&[(0x2000, image(Some(3), &["a=1"], SIZE)), (0x3000, vec![0xff; SIZE])]));
    let text = find(&place, &["disk.img"]).ok();
    assert!(text.contains("probably the other copy is at 0x3000"), "{text}");

    // The other byte order: nobody here reads it.
    let mut other = image(None, &["a=1"], SIZE);
    other[..4].reverse();
    place.write("disk.img", &disk(&[(0x2000, other)]));
    let text = find(&place, &["disk.img"]).ok();
    assert!(text.contains("the other byte order") && text.contains("\n# disk.img 0x2000 0x1000\n"), "{text}");
}

#[test]
fn several_files_are_looked_into_together() {
    let place = Place::new();
    place.write("uboot.env", &image(Some(1), &["a=1"], SIZE));
    place.write("uboot-redund.env", &image(Some(2), &["a=2"], SIZE));
    let config = find(&place, &["uboot.env", "uboot-redund.env"]).ok();
    place.write("fw_env.config", config.as_bytes());
    assert_eq!(place.print(&["-n", "a"]).ok(), "2\n", "{config}");

    // A second environment is there, but only one is configured in this format.
    place.write("other.img", &image(None, &["z=1"], 0x800));
    let text = find(&place, &["uboot.env", "uboot-redund.env", "other.img"]).ok();
    assert!(text.contains("\n# other.img 0x0 0x800\n"), "{text}");
    if cfg!(feature = "yaml") {
        let yaml = find(&place, &["--yaml", "uboot.env", "uboot-redund.env", "other.img"]).ok();
        place.write("fw_env.config", yaml.as_bytes());
        assert_eq!(place.print(&["-m", "uboot2", "-n", "z"]).ok(), "1\n", "{yaml}");
    }
}

#[test]
fn nothing_found_and_nothing_to_look_into() {
    let place = Place::new();
    place.write("noise", &noise(0x10000));
    let ran = find(&place, &["noise"]);
    assert_eq!((ran.code, &*ran.err), (Some(1), ""));
    assert!(ran.out.contains("no environment"), "{}", ran.out);
    place.write("empty", b"");
    assert_eq!(find(&place, &["empty"]).code, Some(1));
    for (args, code, says) in [
        (&["missing"][..], 4, "missing"),
        (&["."], 4, "neither a regular file"),
        (&["/dev/null"], 4, "/dev/null"),
        (&["noise", "missing"], 4, "missing"),
        (&["--defaults"], 2, "--defaults"),
        (&["--yaml", "--json", "noise"], 2, "--json"),
    ] {
        let ran = find(&place, args);
        assert_eq!((ran.code, &*ran.out), (Some(code), ""), "{ran:?}");
        assert!(ran.err.contains(says), "{ran:?}");
    }
}

#[test]
fn holes_of_a_sparse_image_are_not_read() {
    let place = Place::new();
    place.write("disk.img", b"");
    let file = std::fs::OpenOptions::new().write(true).open(place.path("disk.img")).unwrap();
    file.set_len(1 << 40).unwrap();
    // The fill of the copy is in a hole, too.
    let copy = image(None, &["a=1", "b=2"], 0x20000);
    place.patch("disk.img", 0x50_0000_0000, &copy[..0x1000]);
    let start = std::time::Instant::now();
    let text = find(&place, &["disk.img"]).ok();
    assert!(text.contains("\ndisk.img 0x5000000000 0x20000\n"), "{text}");
    // To read a tebibyte takes minutes at least.
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
}

#[test]
fn compiled_in_variables_are_printed_for_a_new_environment() {
    let place = Place::new();
    let mut binary = noise(0x8000);
    let list = b"\0bootcmd=run distro_bootcmd\0bootdelay=2\0baudrate=115200\0fdt_high=0xffffffff\0\0";
    binary[0x1234..][..list.len()].copy_from_slice(list);
    place.write("u-boot.bin", &binary);
    let expected = "bootcmd=run distro_bootcmd\nbootdelay=2\nbaudrate=115200\nfdt_high=0xffffffff\n";
    let defaults = find(&place, &["--defaults", "u-boot.bin"]).ok();
    assert_eq!(defaults, expected);
    place.write("defaults", defaults.as_bytes());
    place.write("env.img", &vec![0xff; 2 * SIZE]);
    place.configure(&[("env.img", 0, SIZE as u64), ("env.img", SIZE as i64, SIZE as u64)]);
    place.set(&["-f", "defaults", "x", "1"]).ok();
    assert_eq!(place.print(&[]).ok(), format!("{expected}x=1\n"));

    place.write("noise", &noise(0x8000));
    let ran = find(&place, &["--defaults", "noise"]);
    assert_eq!((ran.code, &*ran.out), (Some(1), ""));
    assert!(ran.err.contains("unpacked"), "{}", ran.err);

    // A value with a line break has no line of its own in a script.
    let list = b"\0bootcmd=a\nb\0bootdelay=2\0baudrate=115200\0\0";
    binary[0x1234..][..list.len()].copy_from_slice(list);
    place.write("u-boot.bin", &binary);
    let ran = find(&place, &["--defaults", "u-boot.bin"]);
    assert_eq!(ran.out, "baudrate=115200\nbootcmd=a\\\nb\nbootdelay=2\n");
    assert!(ran.err.contains("env import"), "{}", ran.err);
}

/// How a configuration is wrong, what `env check` says of it, and that `--init` and `-f` leave the environment alone.
#[test]
fn a_wrong_configuration_is_corrected_and_nothing_is_lost_by_it() {
    let redundant = [(0x2000, image(Some(1), &["a=1"], 0x2000)), (0x4000, image(Some(2), &["a=2"], 0x2000))];
    let single = [(0x2000, image(None, &["a=2"], 0x2000))];
    let right = "env.img 0x2000 0x2000\n";
    let both = "env.img 0x2000 0x2000\n            env.img 0x4000 0x2000\n";
    for (copies, config, says, lines) in [
        (
            &redundant[..],
            &["0x2000 0x1000", "0x4000 0x1000"][..],
            &["size in line 1 should be 0x2000", "line 2"][..],
            both,
        ),
        (&redundant, &["0x2000 0x2000"], &["second line is missing"], both),
        (&redundant, &["0x2000 0x4000"], &["size in line 1", "second line is missing"], both),
        (
            &redundant,
            &["0x2100 0x2000", "0x4100 0x2000"],
            &["offset in line 1 should be 0x2000", "0x4000"],
            both,
        ),
        (&single, &["0x2000 0x1000"], &["size in line 1 should be 0x2000"], right),
        (&single, &["0x3000 0x2000"], &["offset in line 1 should be 0x2000"], right),
    ] {
        let place = Place::new();
        place.write("env.img", &disk(copies));
        let lines_of_it: Vec<String> = config.iter().map(|line| format!("env.img {line}\n")).collect();
        place.write("fw_env.config", lines_of_it.concat().as_bytes());
        place.write("defaults", b"a=factory\n");
        let check = place.env(&["check"]);
        assert_eq!(check.code, Some(3), "{check:?}");
        for part in says.iter().copied().chain([lines, "a valid environment of 0x2000 bytes"]) {
            assert!(check.out.contains(part), "{config:?}: {part}\n{}", check.out);
        }
        let report: Value = serde_json::from_str(&place.env(&["check", "--json"]).out).unwrap();
        assert_eq!(report["found"][0]["fw_env_config"], lines.replace("            ", ""), "{config:?}");

        let changes: [&[&str]; 3] =
            [&["--init", "b", "1"], &["-f", "defaults", "b", "1"], &["--init-unreadable", "b", "1"]];
        for change in changes {
            let message = place.refused(4, |place| place.set(change));
            for part in ["a valid environment of 0x2000 bytes", "--force", "nothing was written"] {
                assert!(message.contains(part), "{config:?} {change:?}: {message}");
            }
        }
        place.refused(4, |place| place.env(&["set", "--init", "b", "1"]));
        place.set(&["--force", "--init", "b", "1"]).ok();
        assert_eq!(place.print(&[]).ok(), "b=1\n");
    }
}

/// A single copy in the first of two places is in use, as U-Boot does it with `CONFIG_ENV_REDUNDANT_UPGRADE`; `env check`
/// tells the other reading of it, too, and a new environment is not started.
#[test]
fn a_line_that_is_too_much_is_told_and_nothing_is_lost_by_it() {
    let right = "env.img 0x2000 0x2000\n";
    let changes: [&[&str]; 4] =
        [&["--init", "b", "1"], &["-f", "defaults", "b", "1"], &["--init-unreadable", "b", "1"], &["b", "1"]];
    for change in changes {
        let place = Place::new();
        place.write("env.img", &disk(&[(0x2000, image(None, &["a=2"], 0x2000))]));
        place.write("defaults", b"a=factory\n");
        place.write("fw_env.config", b"env.img 0x2000 0x2000\nenv.img 0x4000 0x2000\n");
        let check = place.env(&["check"]);
        assert_eq!(check.code, Some(1), "{check:?}");
        let parts = [
            "line 2 is too much",
            right,
            "a valid environment of 0x2000 bytes",
            "the configuration is wrong",
        ];
        for part in parts {
            assert!(check.out.contains(part), "{part}\n{}", check.out);
        }
        let report: Value = serde_json::from_str(&place.env(&["check", "--json"]).out).unwrap();
        assert_eq!(report["found"][0]["fw_env_config"], right);
        place.set(change).ok();
        assert_eq!(place.print(&[]).ok(), "a=2\nb=1\n");
    }
}

#[test]
fn a_new_environment_is_started_where_nothing_is_lost() {
    let place = Place::new();
    // Another environment in the same file, but not in the same place.
    place.write("env.img", &disk(&[(0x8000, image(None, &["other=1"], SIZE))]));
    place.configure(&[("env.img", 0, SIZE as u64), ("env.img", SIZE as i64, SIZE as u64)]);
    place.set(&["--init", "a", "1"]).ok();
    assert_eq!(place.print(&[]).ok(), "a=1\n");
    assert!(place.read("env.img")[0x8000..][..SIZE] == image(None, &["other=1"], SIZE));
}

#[test]
fn memory_is_bounded() {
    // Text without an end, lists without an end, and starts at all round places.
    let place = Place::new();
    let mut bytes = Vec::new();
    bytes.extend(b"name=value text without an end ".repeat(300_000));
    bytes.extend(b"a=b\0".repeat(2_000_000));
    bytes.extend([&b"crc.a=b\0"[..], &[7; 248]].concat().repeat(20_000));
    place.write("image", &bytes);
    let limited = "ulimit -v 49152; exec bin/bootslot env find image";
    let ran = run(std::process::Command::new("sh").args(["-c", limited]).current_dir(place.path("")));
    assert_eq!((ran.code, &*ran.err), (Some(1), ""), "{ran:?}");
}
