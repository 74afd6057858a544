//! `bootslot bundle` and `bootslot install`, from the images to the slot on trial, with minisign's own program.
#![cfg(all(feature = "cli", feature = "bundle"))]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod cli_support;

use std::fs;
use std::process::{Command, Stdio};

use cli_support::*;
use serde_json::{json, Value};

/// A place with an environment in which A runs, two files as slots, a key and an image.
fn place() -> Place {
    let place = Place::redundant(&["bootcmd=run bootslot", "active_slot=A", "boot_success=1", "slot_A=good"]);
    let device = |slot: &str| place.path(format!("slot-{slot}.img")).display().to_string();
    let settings = format!(
        "[[slot]]\nname = \"A\"\ndevice = {:?}\n[[slot]]\nname = \"B\"\ndevice = {:?}\n[update]\ncompatible = \"acme\"\n\
         keys = {:?}\n",
        device("A"),
        device("B"),
        place.path("keys").display().to_string()
    );
    place.write("bootslot.toml", settings.as_bytes());
    for slot in ["A", "B"] {
        place.write(&format!("slot-{slot}.img"), &[0x55; 1 << 20]);
    }
    fs::create_dir(place.path("keys")).unwrap();
    let key = Command::new("minisign")
        .args(["-G", "-W", "-p", "keys/release.pub", "-s", "release.key"])
        .current_dir(place.path("."))
        .stdout(Stdio::null())
        .status();
    assert!(key.expect("minisign is installed").success());
    let text: String =
        (0..40_000u32).map(|n| format!("{} ", n.wrapping_mul(2_654_435_761) % 10_000)).collect();
    let mut image = text.into_bytes();
    image.resize(400_000, 0);
    place.write("root.img", &image);
    place
}

fn bootslot(place: &Place, args: &[&str]) -> Ran {
    run(place.command("bootslot").args(args))
}

const CREATE: [&str; 9] =
    ["bundle", "create", "-o", "u.bundle", "--compatible", "acme", "--version", "1.1", "root=root.img"];

const ON_DEVICE: [&str; 10] =
    ["-c", "fw_env.config", "-l", "lock", "--settings", "bootslot.toml", "--slot", "A", "--script", "2"];

fn signed() -> Place {
    let place = place();
    bootslot(&place, &CREATE).ok();
    bootslot(&place, &["bundle", "sign", "u.bundle", "--key", "release.key"]).ok();
    place
}

fn install(place: &Place, args: &[&str]) -> Ran {
    bootslot(place, &[&["install"], args, &ON_DEVICE[..]].concat())
}

#[test]
fn from_the_image_to_the_slot_on_trial() {
    let place = signed();
    let said = bootslot(&place, &["bundle", "verify", "u.bundle", "--keys", "keys"]).ok();
    assert!(said.contains("signed by release (acme 1.1 "), "{said}");
    assert!(said.ends_with("all images are whole\n"), "{said}");

    let said = install(&place, &["--dry-run", "u.bundle"]).ok();
    assert!(said.starts_with("Nothing was changed: version 1.1 ("), "{said}");
    assert_eq!(place.read("slot-B.img"), [0x55; 1 << 20]);

    let said = install(&place, &["u.bundle"]).ok();
    assert!(said.contains("is in slot B, read back, and on trial from the next boot on"), "{said}");
    assert!(place.read("slot-B.img").starts_with(&place.read("root.img")));
    assert_eq!(place.read("slot-B.img").len(), 1 << 20);
    assert_eq!(place.read("slot-A.img"), [0x55; 1 << 20]);
    let stored = place.stored().unwrap();
    for record in ["active_slot=B", "boot_success=0", "rollback_slot=A"] {
        assert!(stored.iter().any(|other| other == record), "{record}: {stored:?}");
    }
    let before = place.read("env.img");
    let said = install(&place, &["u.bundle"]).ok();
    assert!(said.starts_with("Already done, nothing stored: version 1.1 ("), "{said}");
    assert_eq!(place.read("env.img"), before);
}

#[test]
fn the_last_event_tells_how_it_failed_whatever_it_was() {
    let place = signed();
    fs::write(place.path("not-one"), [b'x'; 1000]).unwrap();
    fs::remove_dir_all(place.path("keys")).unwrap();
    fs::create_dir(place.path("keys")).unwrap();
    let installing = [&["install", "--json"][..], &ON_DEVICE].concat();
    let cases: [(Vec<&str>, i32); 4] = [
        ([&installing[..], &["u.bundle"]].concat(), 12),
        ([&installing[..], &["not-one"]].concat(), 11),
        ([&installing[..], &["missing"]].concat(), 4),
        (vec!["bundle", "verify", "--json", "--keys", "keys", "u.bundle"], 12),
    ];
    for (words, code) in cases {
        let said = bootslot(&place, &words);
        assert_eq!(said.code, Some(code), "{words:?}: {said:?}");
        let last: Value = serde_json::from_str(said.out.lines().last().unwrap()).unwrap();
        assert_eq!((&last["event"], &last["code"]), (&json!("failed"), &json!(code)), "{words:?}");
        assert!(said.err.contains(last["error"].as_str().unwrap()), "{said:?}");
    }
}

#[test]
fn from_standard_input_with_events() {
    let place = signed();
    let mut command = place.command("bootslot");
    command
        .args(["install", "--json", "-"])
        .args(ON_DEVICE)
        .stdin(fs::File::open(place.path("u.bundle")).unwrap());
    let said = run(&mut command).ok();
    let events: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let last = events.last().unwrap();
    assert_eq!(
        (&last["event"], &last["code"], &last["slot"]),
        (&json!("done"), &json!(0), &json!("B")),
        "{said}"
    );
    let phases: Vec<&str> = events.iter().filter_map(|event| event["phase"].as_str()).collect();
    assert!(phases.contains(&"writing") && phases.contains(&"reading back"), "{said}");
    assert!(place.read("slot-B.img").starts_with(&place.read("root.img")));
}

#[test]
fn equal_images_give_equal_bundles() {
    let place = place();
    bootslot(&place, &CREATE).ok();
    let first = place.read("u.bundle");
    fs::remove_file(place.path("u.bundle")).unwrap();
    bootslot(&place, &CREATE).ok();
    assert!(place.read("u.bundle") == first);
    // And nothing is left beside it.
    let names = fs::read_dir(place.path(".")).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(names.filter(|name| name.to_string_lossy().starts_with("u.bundle")).count(), 1);
}

/// An image of several stretches, with runs of zeros of all lengths in between.
#[test]
fn the_bundle_is_the_same_on_any_number_of_processors() {
    if !have("taskset") {
        return;
    }
    let place = place();
    let text = place.read("root.img");
    let image: Vec<u8> = (0..12u32)
        .flat_map(|n| {
            [&[n as u8; 100][..], &text[..390_000 - n as usize * 999], &vec![0; 3 << (2 * n)]].concat()
        })
        .collect();
    place.write("root.img", &image);
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap().trim();
    let first = allowed.split(['-', ',']).next().unwrap();
    let mut bundles = Vec::new();
    for alone in [true, false] {
        let mut command = place.command("bootslot");
        if alone {
            command = Command::new("taskset");
            command.current_dir(place.path(".")).args(["-c", first]).arg(place.path("bin/bootslot"));
        }
        run(command.args(CREATE)).ok();
        bundles.push(place.read("u.bundle"));
    }
    assert!(bundles[0] == bundles[1]);
    bootslot(&place, &["bundle", "sign", "u.bundle", "--key", "release.key"]).ok();
    bootslot(&place, &["bundle", "verify", "u.bundle", "--key", "keys/release.pub"]).ok();
}

#[test]
fn signatures_of_minisign_itself() {
    let place = place();
    bootslot(&place, &CREATE).ok();
    let unsigned = place.read("u.bundle");
    let ran = bootslot(&place, &["bundle", "verify", "u.bundle", "--keys", "keys"]);
    assert_eq!((ran.code, ran.err.contains("it is not signed")), (Some(12), true), "{ran:?}");

    // What is to be signed goes to the program that has the key, and its signature comes back.
    let manifest = bootslot(&place, &["bundle", "inspect", "--manifest", "u.bundle"]).ok();
    place.write("manifest", manifest.as_bytes());
    let signed = Command::new("minisign")
        .args(["-S", "-s", "release.key", "-m", "manifest", "-x", "manifest.minisig", "-t", "by hand"])
        .current_dir(place.path("."))
        .stdout(Stdio::null())
        .status();
    assert!(signed.unwrap().success());
    bootslot(&place, &["bundle", "sign", "u.bundle", "--signature", "manifest.minisig"]).ok();
    let said = bootslot(&place, &["bundle", "verify", "u.bundle", "--key", "keys/release.pub"]).ok();
    assert!(said.contains("signed by release (by hand)"), "{said}");

    // And the other way round.
    place.write("u.bundle", &unsigned);
    bootslot(&place, &["bundle", "sign", "u.bundle", "--key", "release.key", "--comment", "by bootslot"])
        .ok();
    let bytes = place.read("u.bundle");
    let length = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let signatures = 16 + length(8);
    place.write("ours.minisig", &bytes[signatures + 8..signatures + length(12)]);
    let verified = Command::new("minisign")
        .args(["-V", "-p", "keys/release.pub", "-m", "manifest", "-x", "ours.minisig", "-q"])
        .current_dir(place.path("."))
        .status();
    assert!(verified.unwrap().success());

    // A key that was revoked counts no longer, wherever else it is.
    fs::create_dir(place.path("keys/revoked")).unwrap();
    fs::copy(place.path("keys/release.pub"), place.path("keys/revoked/release.pub")).unwrap();
    let ran = install(&place, &["u.bundle"]);
    assert_eq!(ran.code, Some(12), "{ran:?}");
    assert!(ran.err.contains("signed by the key release, which was revoked"), "{ran:?}");
    assert_eq!(place.read("slot-B.img"), [0x55; 1 << 20]);
}

#[test]
fn inspect_shows_and_does_not_believe() {
    let place = signed();
    let said = bootslot(&place, &["bundle", "inspect", "u.bundle"]).ok();
    assert!(said.contains("version:      1.1\n") && said.contains("NOT VERIFIED"), "{said}");
    let shown: Value =
        serde_json::from_str(&bootslot(&place, &["bundle", "inspect", "--json", "u.bundle"]).ok()).unwrap();
    assert_eq!(
        (&shown["compatible"], &shown["verified"], &shown["signatures"]),
        (&json!("acme"), &json!(false), &json!(["minisign"]))
    );
}

/// The image that is new against the one of [`place`], and slot A, which runs that one.
fn patched() -> Place {
    let place = signed();
    let mut image = place.read("root.img");
    let mut slot = image.clone();
    slot.resize(1 << 20, 0xff);
    place.write("slot-A.img", &slot);
    image.splice(50_000..50_010, *b"something else");
    place.write("new.img", &image);
    bootslot(&place, &[&PATCH[..], &["--against", "root=root.img"]].concat()).ok();
    bootslot(&place, &["bundle", "sign", "p.bundle", "--key", "release.key"]).ok();
    place
}

const PATCH: [&str; 9] =
    ["bundle", "create", "-o", "p.bundle", "--compatible", "acme", "--version", "1.2", "root=new.img"];

#[test]
fn a_patch_from_the_two_images_to_the_slot_on_trial() {
    let place = patched();
    let [full, patch] = ["u.bundle", "p.bundle"].map(|file| place.read(file).len());
    assert!(patch * 20 < full, "{patch} {full}");
    let said = bootslot(&place, &["bundle", "inspect", "p.bundle"]).ok();
    assert!(said.contains("  patch of:   ") && said.contains(", 400000 bytes\n"), "{said}");
    let shown = bootslot(&place, &["bundle", "inspect", "--json", "p.bundle"]).ok();
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["payloads"][0]["against"]["bytes"], json!(400_000));

    let verify = ["bundle", "verify", "p.bundle", "--keys", "keys"];
    let ran = bootslot(&place, &verify);
    assert_eq!(ran.code, Some(19), "{ran:?}");
    bootslot(&place, &[&verify[..], &["--against", "root=root.img"]].concat()).ok();

    // From standard input.
    let mut command = place.command("bootslot");
    command.args(["install", "-"]).args(ON_DEVICE).stdin(fs::File::open(place.path("p.bundle")).unwrap());
    let said = run(&mut command).ok();
    assert!(said.contains("is in slot B, read back, and on trial from the next boot on"), "{said}");
    assert!(place.read("slot-B.img").starts_with(&place.read("new.img")));
}

#[test]
fn a_patch_is_refused_where_another_image_runs() {
    let place = patched();
    let mut slot = place.read("slot-A.img");
    slot[60_000] ^= 1;
    place.write("slot-A.img", &slot);
    let before = place.read("env.img");
    let ran = install(&place, &["p.bundle"]);
    assert_eq!(ran.code, Some(19), "{ran:?}");
    let says = "root is a patch, and the old image that it needs is not there: ";
    assert!(ran.err.contains(says) && ran.err.contains("slot-A.img holds other bytes at 0x"), "{ran:?}");
    assert!(place.read("slot-A.img") == slot && place.read("slot-B.img") == [0x55; 1 << 20]);
    assert!(place.read("env.img") == before);
    // The full bundle goes.
    install(&place, &["u.bundle"]).ok();
}

#[test]
fn the_old_image_may_be_in_a_bundle() {
    let place = patched();
    let patch = place.read("p.bundle");
    bootslot(&place, &[&PATCH[..], &["--against", "root=u.bundle"]].concat()).ok();
    bootslot(&place, &["bundle", "sign", "p.bundle", "--key", "release.key"]).ok();
    // Signatures have a time in them.
    let unsigned = |bytes: Vec<u8>| {
        let length = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        [&bytes[16..16 + length(8)], &bytes[16 + length(8) + length(12)..]].concat()
    };
    assert!(unsigned(place.read("p.bundle")) == unsigned(patch));
    let names = fs::read_dir(place.path(".")).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(names.filter(|name| name.to_string_lossy().starts_with("p.bundle")).count(), 1);

    let cases: [(&str, i32, &str); 4] = [
        ("boot=root.img", 2, "--against boot: there is no new image for this part"),
        ("root=none", 4, "none: opening the old image"),
        ("root=p.bundle", 19, "root is a patch"),
        ("root=empty", 11, "empty is empty"),
    ];
    place.write("empty", b"");
    let before = place.read("p.bundle");
    for (against, code, says) in cases {
        let ran = bootslot(&place, &[&PATCH[..], &["--against", against]].concat());
        assert_eq!(ran.code, Some(code), "{against}: {ran:?}");
        assert!(ran.err.contains(says), "{against}: {ran:?}");
        assert!(place.read("p.bundle") == before);
    }
    let names = fs::read_dir(place.path(".")).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(names.filter(|name| name.to_string_lossy().starts_with("p.bundle")).count(), 1);
}

#[test]
fn what_is_wrong_with_the_command_line_or_the_files_is_said() {
    let place = place();
    let cases: [(&[&str], i32, &str); 7] = [
        (&["bundle", "create", "-o", "x", "--compatible", "a", "--version", "1", "root"], 2, "PART=FILE"),
        (
            &["bundle", "create", "-o", "x", "--compatible", "a", "--version", "1", "root=none"],
            4,
            "none: reading the image",
        ),
        (
            &["bundle", "create", "-o", "x", "--compatible", "a", "--version", "1 0", "root=root.img"],
            11,
            "1 0",
        ),
        (&["bundle", "inspect", "root.img"], 11, "does not start as a bundle does"),
        (&["bundle", "inspect", "none"], 4, "none: opening the bundle"),
        (&["bundle", "verify", "root.img", "--keys", "none"], 4, "none: reading the keys"),
        (
            &["bundle", "verify", "root.img", "--key", "root.img"],
            4,
            "root.img: this is no file, or larger than any key",
        ),
    ];
    for (args, code, says) in cases {
        let ran = bootslot(&place, args);
        assert_eq!(ran.code, Some(code), "{args:?}: {ran:?}");
        assert!(ran.err.contains(says), "{args:?}: {ran:?}");
    }
    assert!(!place.path("x").exists());
    // A device that does not say what it is takes no bundle.
    bootslot(&place, &CREATE).ok();
    bootslot(&place, &["bundle", "sign", "u.bundle", "--key", "release.key"]).ok();
    let settings = String::from_utf8(place.read("bootslot.toml")).unwrap();
    place.write("bootslot.toml", settings.replace("compatible = \"acme\"\n", "").as_bytes());
    let ran = install(&place, &["u.bundle"]);
    assert_eq!((ran.code, ran.err.contains("[update] compatible")), (Some(5), true), "{ran:?}");
}

#[cfg(not(feature = "http"))]
#[test]
fn an_address_needs_the_feature_http() {
    let place = Place::new();
    let ran = run(place.command("bootslot").args(["bundle", "inspect", "https://host/b"]));
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("built without the feature `http`"), "{}", ran.err);
}

#[test]
fn what_differs_between_two_bundles() {
    let place = signed();
    let mut image = place.read("root.img");
    image[100_000] ^= 1;
    place.write("new.img", &image);
    let create = |output: &str, version: &str, rest: &[&str]| {
        let words = ["bundle", "create", "-o", output, "--compatible", "acme", "--version", version];
        bootslot(&place, &[&words[..], rest].concat()).ok();
    };
    create("old.bundle", "1.1", &["root=root.img"]);
    create("new.bundle", "1.2", &["--floor", "1.1", "root=new.img", "boot=root.img"]);
    create("patch.bundle", "1.2", &["--against", "root=root.img", "root=new.img"]);
    let diff = |old: &str, new: &str| {
        let said = bootslot(&place, &["bundle", "diff", "--json", old, new]).ok();
        (serde_json::from_str::<Value>(&said).unwrap(), bootslot(&place, &["bundle", "diff", old, new]).ok())
    };

    let (value, text) = diff("old.bundle", "new.bundle");
    let root = &value["images"][0];
    assert_eq!((&root["part"], &root["same"]), (&json!("root"), &json!(false)));
    let sum = |names: &[&str]| names.iter().map(|name| root[name].as_u64().unwrap()).sum::<u64>();
    assert!(
        sum(&["zeros"]) > 0 && sum(&["in_both", "zeros"]) > 300_000 && sum(&["fetched"]) > 1000,
        "{value}"
    );
    assert_eq!(value["images"][1]["old_sha256"], Value::Null);
    assert!(text.starts_with("version:      1.1 -> 1.2, newer\nfloor:        none -> 1.1\n"), "{text}");
    assert!(text.contains("image:        boot, new, 400000 bytes\n"), "{text}");

    let (value, text) = diff("old.bundle", "old.bundle");
    assert_eq!(value["images"][0]["fetched"], json!(0));
    assert!(text.contains("image:        root, the same 400000 bytes\n"), "{text}");
    let (_, text) = diff("new.bundle", "old.bundle");
    assert!(text.contains("OLDER") && text.contains("boot, not there any more"), "{text}");

    let (value, _) = diff("old.bundle", "patch.bundle");
    assert!(value["images"][0]["in_both"].as_u64().unwrap() > 170_000, "{value}");
    let size = fs::metadata(place.path("patch.bundle")).unwrap().len();
    assert_eq!(value["fetched"].as_u64().unwrap(), size);

    place.write("not-one", &[b'x'; 1000]);
    let said = bootslot(&place, &["bundle", "diff", "old.bundle", "not-one"]);
    assert_eq!(said.code, Some(11), "{said:?}");
}
