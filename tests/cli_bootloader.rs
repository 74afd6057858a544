//! `bootslot install` of boot loaders and `bootslot bootloader`, on files that stand for a disk whose ROM knows two offsets, with
//! signed bundles.
#![cfg(all(feature = "cli", feature = "bootloader", feature = "bundle"))]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod cli_support;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use cli_support::{run, Place, Ran};
use serde_json::Value;

const CONFIRMED_A: [&str; 6] = [
    "bootcmd=run bootslot",
    "bootslot=x",
    "bootslot_script=2",
    "active_slot=A",
    "boot_success=1",
    "slot_A=good",
];

const FIRST: usize = 0x800;
const SECOND: usize = 0x8800;
const ROOM: usize = 0x8000;

/// A device with two slots and a disk on which two boot loaders are.
struct Device(Place);

impl Device {
    /// The scheme is that of the settings' text.
    fn new(scheme: &str) -> Device {
        let device = Device(Place::redundant(&CONFIRMED_A));
        let home = device.home();
        let scheme = scheme.replace("HOME", &home);
        let settings = format!(
            "state = \"{home}/state\"\n[[slot]]\nname = \"A\"\ndevice = \"{home}/a.img\"\n[[slot]]\nname = \"B\"\n\
             device = \"{home}/b.img\"\n[update]\ncompatible = \"acme\"\nkeys = \"{home}/keys\"\n[health]\n\
             standard = false\nsettle = \"0s\"\ndeadline = \"5s\"\n[[health.check]]\nname = \"works\"\n\
             command = [\"test\", \"-e\", \"{home}/works\"]\n{scheme}"
        );
        device.0.write("bootslot.toml", settings.as_bytes());
        for (name, bytes) in [
            ("booted", &b"a\n"[..]),
            ("boot-id", b"boot-1\n"),
            ("works", b""),
            ("a.img", &[0; 100_000]),
            ("b.img", &[0; 100_000]),
            // The disk is full of what is neither copy.
            ("disk.img", &[0x55; SECOND + ROOM + 5000]),
        ] {
            device.0.write(name, bytes);
        }
        device.0.patch("disk.img", FIRST as u64, &loader(1));
        for (folder, secret) in [("keys", "release"), ("loader-keys", "loader")] {
            fs::create_dir(device.0.path(folder)).unwrap();
            let (public, secret) = (format!("{folder}/{secret}.pub"), format!("{secret}.key"));
            device.bundle_command(&["generate-key", "--public", &public, "--secret", &secret]).ok();
        }
        device
    }

    fn newest() -> Device {
        Device::new(&format!("[bootloader]\nscheme = \"newest\"\n{COPIES}"))
    }

    fn home(&self) -> String {
        self.0.path("").display().to_string().trim_end_matches('/').to_owned()
    }

    fn bundle_command(&self, args: &[&str]) -> Ran {
        run(self.0.command("bootslot").arg("bundle").args(args))
    }

    /// A bundle of this boot loader, signed by these keys.
    fn bundle_with(&self, version: u8, more: &[&str], keys: &[&str]) -> String {
        let bundle = format!("loader-{version}.bundle");
        self.0.write("u-boot.img", &loader(version));
        let number = version.to_string();
        let create = ["create", "-o", &bundle, "--version", &number, "--bootloader", "u-boot.img"];
        self.bundle_command(&[&create[..], more].concat()).ok();
        for key in keys {
            self.bundle_command(&["sign", &bundle, "--key", key]).ok();
        }
        bundle
    }

    fn bundle(&self, version: u8) -> String {
        self.bundle_with(version, &ACME, &BOTH)
    }

    fn root_bundle(&self) -> String {
        self.0.write("root.img", &loader(99));
        let create =
            ["create", "-o", "root.bundle", "--compatible", "acme", "--version", "9", "root=root.img"];
        self.bundle_command(&create).ok();
        self.bundle_command(&["sign", "root.bundle", "--key", "release.key"]).ok();
        "root.bundle".into()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.0.command("bootslot");
        command.args(args).args(["--settings", "bootslot.toml", "-c", "fw_env.config", "-l", "lock"]);
        command.args(["--slot", "A", "--boot-id", "boot-id"]);
        command
    }

    fn order(&self, args: &[&str]) -> Ran {
        run(&mut self.command(args))
    }

    fn status(&self) -> Value {
        let ran = self.order(&["bootloader", "status", "--json"]);
        serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
    }

    /// The next boot, of this copy.
    fn boots(&self, copy: &str, number: u8) {
        self.0.write("booted", copy.as_bytes());
        self.0.write("boot-id", format!("boot-{number}\n").as_bytes());
    }

    fn copy(&self, start: usize) -> Vec<u8> {
        self.0.read("disk.img")[start..start + loader(1).len()].to_vec()
    }

    /// All that an update could change.
    fn stored(&self) -> BTreeMap<String, Option<Vec<u8>>> {
        let names = ["disk.img", "env.img", "a.img", "b.img", "state/bootloader", "selected"];
        names.map(|name| (name.to_owned(), fs::read(self.0.path(name)).ok())).into()
    }

    /// An order is refused, and nothing is stored.
    #[track_caller]
    fn refuses(&self, args: &[&str], code: i32, says: &str) {
        let before = self.stored();
        let ran = self.order(args);
        assert!(ran.code == Some(code) && ran.err.contains(says), "{args:?}: {ran:?}");
        assert!(self.stored() == before, "{args:?} has changed something");
    }
}

const COPIES: &str = "keys = \"HOME/loader-keys\"\nbooted-file = \"HOME/booted\"\n\
    [[bootloader.copy]]\nname = \"a\"\ndevice = \"HOME/disk.img\"\noffset = 0x800\nsize = 0x8000\n\
    [[bootloader.copy]]\nname = \"b\"\ndevice = \"HOME/disk.img\"\noffset = 0x8800\nsize = 0x8000\n";
const ACME: [&str; 4] = ["--compatible", "acme", "--script", "2"];
const BOTH: [&str; 2] = ["release.key", "loader.key"];

/// A boot loader that is no multiple of a sector.
fn loader(version: u8) -> Vec<u8> {
    let words = (0u32..5003).flat_map(|n| (n ^ n << 13 ^ u32::from(version) << 20).to_le_bytes());
    words.chain([version]).collect()
}

#[test]
fn a_boot_loader_is_installed_boots_and_is_kept() {
    let device = Device::newest();
    let bundle = device.bundle(2);
    let before = device.0.read("disk.img");
    let dry = device.order(&["install", "--dry-run", &bundle]);
    assert!(dry.out.contains("can be installed to copy b"), "{dry:?}");
    assert_eq!(device.0.read("disk.img"), before);
    let ran = device.order(&["install", &bundle]);
    assert!(ran.code == Some(0) && ran.out.contains("is in copy b, read back, and boots next"), "{ran:?}");
    assert_eq!((device.copy(FIRST), device.copy(SECOND)), (loader(1), loader(2)));
    // Nothing else on the disk has changed.
    let after = device.0.read("disk.img");
    assert_eq!(after[..SECOND], before[..SECOND]);
    assert_eq!(after[SECOND + loader(2).len()..], before[SECOND + loader(2).len()..]);
    assert!(device.order(&["install", &bundle]).out.starts_with("Already done"));
    assert_eq!(device.status()["standing"], "waits");

    // No system beside it.
    let root = device.root_bundle();
    for args in
        [&["install", &root][..], &["install", "--dry-run", &root], &["begin-install", "B"], &["try", "B"]]
    {
        device.refuses(args, 5, "the boot loader of version 2");
    }
    device.refuses(&["bootloader", "confirm"], 30, "has not booted yet");
    device.boots("b", 2);
    device.refuses(&["install", &root], 5, "is not proven");
    device.refuses(&["install", &device.bundle(3)], 30, "is not confirmed: the copy before it is kept");
    device.refuses(&["bootloader", "cancel"], 30, "has booted");
    let status = device.order(&["status"]);
    assert!(status.out.contains("boot loader:  copy b booted\n"), "{status:?}");
    assert!(status.out.contains("has booted, and is not confirmed"), "{status:?}");
    let ran = device.order(&["bootloader", "confirm"]);
    assert!(ran.code == Some(0) && ran.out.starts_with("Kept: version 2 ("), "{ran:?}");
    assert!(device.order(&["bootloader", "confirm"]).out.starts_with("Already done"));
    assert!(device.order(&["install", &bundle]).out.contains("confirmed"));
    let journal = device.order(&["journal", "show"]);
    let steps: Vec<&str> =
        journal.out.lines().filter_map(|line| line.split(" loader step=").nth(1)).collect();
    let steps: Vec<&str> = steps.iter().map(|step| step.split(' ').next().unwrap()).collect();
    assert_eq!(steps, ["begins", "waits", "confirmed"], "{journal:?}");

    // Now a system; and while that is on trial, no boot loader.
    device.order(&["install", &root]).ok();
    device.refuses(&["install", &device.bundle(3)], 5, "is not confirmed, or another one boots next");
    device.order(&["rollback"]).ok();
    // The first copy is the one that is written next.
    device.order(&["install", &device.bundle(3)]).ok();
    assert_eq!((device.copy(FIRST), device.copy(SECOND)), (loader(3), loader(2)));
    // The ROM goes back.
    device.boots("b", 3);
    assert_eq!(device.status()["standing"], "went-back");
    let ran = device.order(&["bootloader", "confirm"]);
    assert!(ran.code == Some(6) && ran.out.contains("the ROM went back"), "{ran:?}");
    device.refuses(&["install", "loader-3.bundle"], 15, "has failed here before");
    device.order(&["install", "--again", "loader-3.bundle"]).ok();
    assert_eq!(device.order(&["bootloader", "cancel"]).code, Some(0));
    assert_eq!((device.status()["standing"].as_str(), device.copy(SECOND)), (Some("settled"), loader(2)));
    assert!(device.copy(FIRST)[..512].iter().all(|byte| *byte == 0));
    assert_eq!(device.order(&["bootloader", "cancel"]).code, Some(1));
    device.order(&["install", "--again", &root]).ok();
}

#[test]
fn what_is_refused_changes_nothing() {
    let device = Device::newest();
    // Both signatures are needed, whichever comes first.
    device.refuses(
        &["install", &device.bundle_with(2, &ACME, &BOTH[..1])],
        12,
        "not trusted with the boot loader",
    );
    device.refuses(&["install", &device.bundle_with(2, &ACME, &BOTH[1..])], 12, "not trusted: no signature");
    device.refuses(&["install", &device.bundle_with(2, &ACME, &[])], 12, "it is not signed");
    let other = ["--compatible", "other", "--script", "2"];
    device.refuses(&["install", &device.bundle_with(2, &other, &BOTH)], 13, "is for \"other\"");
    let revision = [&ACME[..], &["--revision", "7"]].concat();
    device.refuses(&["install", &device.bundle_with(2, &revision, &BOTH)], 14, "revisions 7");
    // The boot script.
    let script = |script: &[&'static str]| [&ACME[..2], script].concat();
    device.refuses(
        &["install", &device.bundle_with(2, &script(&["--script", "1"]), &BOTH)],
        5,
        "needs version 2",
    );
    device.refuses(
        &["install", &device.bundle_with(2, &script(&["--script", "3"]), &BOTH)],
        5,
        "versions up to 2",
    );
    device.refuses(
        &["install", &device.bundle_with(2, &script(&[]), &BOTH)],
        5,
        "does not say which version",
    );
    // Bytes that nobody has signed.
    let bundle = device.bundle(2);
    let mut bytes = device.0.read(&bundle);
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    device.0.write("damaged.bundle", &bytes);
    device.refuses(&["install", "damaged.bundle"], 20, "damaged");
    // Which copy booted.
    device.0.write("booted", b"c");
    device.refuses(&["install", &bundle], 30, "says copy \"c\"");
    fs::remove_file(device.0.path("booted")).unwrap();
    device.refuses(&["install", &bundle], 30, "which copy booted is not known");
    device.0.write("booted", b"a\0");
    device.refuses(&["install", &bundle, "--target", "B"], 2, "no slot");
    fs::remove_file(device.0.path("boot-id")).unwrap();
    device.refuses(&["install", &bundle], 30, "no id of this boot");
    device.0.write("boot-id", b"boot-1\n");
    // What is no boot loader is none, and what is one is no application.
    #[cfg(feature = "app")]
    device.refuses(&["app", "install", &bundle], 11, "no application");
    device.root_bundle();
    let both = ["create", "-o", "both.bundle", "--compatible", "acme", "--version", "1", "root=root.img"];
    let ran = device.bundle_command(&[&both[..], &["--bootloader", "u-boot.img"]].concat());
    assert_eq!(ran.code, Some(2), "{ran:?}");
    // A larger one than there is room for.
    device.0.write("large.img", &vec![1; ROOM + 1]);
    let create = ["create", "-o", "large.bundle", "--version", "2", "--bootloader", "large.img"];
    device.bundle_command(&[&create[..], &ACME].concat()).ok();
    for key in BOTH {
        device.bundle_command(&["sign", "large.bundle", "--key", key]).ok();
    }
    device.refuses(&["install", "large.bundle"], 16, "there is room for 32768");
    // A board without a scheme.
    let settings = String::from_utf8(device.0.read("bootslot.toml")).unwrap();
    let without = settings.split("[bootloader]").next().unwrap();
    device.0.write("bootslot.toml", without.as_bytes());
    device.refuses(&["install", &bundle], 30, "no scheme");
    assert_eq!(device.status(), Value::Null);
    // Without a folder for what is known.
    device.0.write("bootslot.toml", settings.replacen("state = ", "#state = ", 1).as_bytes());
    device.refuses(&["install", &bundle], 30, "no folder");
    device.0.write("bootslot.toml", settings.as_bytes());
    device.order(&["install", &bundle]).ok();
    // The file with the state is damaged: nobody knows what boots next.
    let state = device.0.read("state/bootloader");
    device.0.write("state/bootloader", &state[..state.len() - 1]);
    device.refuses(&["install", &bundle], 4, "checksum is wrong");
    device.refuses(&["install", "root.bundle"], 4, "checksum is wrong");
    let status = device.order(&["status"]);
    assert!(status.code == Some(0) && status.out.contains("boot loader:  not known:"), "{status:?}");
}

#[test]
fn a_program_of_the_board_switches_after_all_was_read_back() {
    let device = Device::new(&format!(
        "[bootloader]\nscheme = \"select\"\nselect = [\"HOME/select\", \"now\"]\n{COPIES}"
    ));
    let program = |text: &str| {
        device.0.write("select", format!("#!/bin/sh\n{text}\n").as_bytes());
        fs::set_permissions(device.0.path("select"), fs::Permissions::from_mode(0o755)).unwrap();
    };
    let home = device.home();
    // It tells what of the second copy was there when it was called.
    program(&format!(
        "echo \"$1 $2 $(tail -c +{} {home}/disk.img | head -c {} | cksum)\" >>{home}/selected",
        SECOND + 1,
        loader(2).len()
    ));
    device.order(&["install", &device.bundle(2)]).ok();
    let selected = String::from_utf8(device.0.read("selected")).unwrap();
    let lines: Vec<&str> = selected.lines().collect();
    let whole = run(Command::new("cksum").stdin(fs::File::open(device.0.path("u-boot.img")).unwrap()));
    assert!(lines.len() == 2 && lines[0].starts_with("now a "), "{lines:?}");
    assert_eq!(lines[1].trim_end(), format!("now b {}", whole.out.trim_end()));
    device.boots("b", 2);
    device.order(&["bootloader", "confirm"]).ok();

    // It fails at the end: the copy is whole, and nobody says that it boots next.
    program("test \"$2\" = b || { echo no room; exit 3; }");
    let ran = device.order(&["install", &device.bundle(3)]);
    assert!(ran.code == Some(21) && ran.err.contains("exit code 3: no room"), "{ran:?}");
    assert_eq!(device.status()["standing"], "waits");
    device.boots("b", 3);
    assert_eq!(device.status()["standing"], "waits", "it was never switched to");
    program("true");
    device.order(&["install", "loader-3.bundle"]).ok();
    device.boots("a", 4);
    assert_eq!(device.status()["standing"], "booted");

    // It fails at once: nothing of the other copy was touched.
    device.order(&["bootloader", "confirm"]).ok();
    let disk = device.0.read("disk.img");
    program("exit 1");
    assert_eq!(device.order(&["install", &device.bundle(4)]).code, Some(21));
    assert_eq!(device.0.read("disk.img"), disk);
}

/// As the units call them: `health` at each boot, then `confirm` if that ends well.
#[test]
fn the_checks_of_the_system_prove_it() {
    let device = Device::newest();
    device.order(&["install", &device.bundle(2)]).ok();
    for order in ["health", "confirm"] {
        device.order(&[order]).ok();
    }
    assert_eq!(device.status()["standing"], "waits", "it has not booted");
    device.boots("b", 2);
    fs::remove_file(device.0.path("works")).unwrap();
    for args in [&["health"][..], &["health", "--confirm"]] {
        let ran = device.order(args);
        assert!(ran.code == Some(8) && ran.err.contains("stays unconfirmed"), "{ran:?}");
    }
    assert_eq!(device.order(&["health", "--on-trial"]).code, Some(1), "no reboot ends this");
    device.0.write("works", b"");
    device.order(&["health"]).ok();
    assert_eq!(device.status()["standing"], "booted");
    device.order(&["confirm"]).ok();
    assert_eq!(device.status()["confirmed"]["version"], "2");
    // The next one, with one word.
    device.order(&["install", &device.bundle(3)]).ok();
    device.boots("a", 3);
    device.order(&["health", "--confirm"]).ok();
    assert_eq!(device.status()["confirmed"]["version"], "3");
    // And one that the ROM does not take.
    device.order(&["install", &device.bundle(4)]).ok();
    device.boots("a", 4);
    let ran = device.order(&["confirm"]);
    assert!(ran.code == Some(0) && ran.err.contains("the ROM went back"), "{ran:?}");
    assert_eq!(device.status()["refused"][0]["version"], "4");
}

#[test]
fn settings_that_make_no_sense_are_refused_with_their_place() {
    let device = Device::newest();
    let good = String::from_utf8(device.0.read("bootslot.toml")).unwrap();
    for (from, to, says) in [
        ("scheme = \"newest\"", "scheme = \"first\"", "unknown variant"),
        ("scheme = \"newest\"", "scheme = \"select\"", "needs `select`"),
        ("scheme = \"newest\"", "scheme = \"select\"\nselect = []", "the command is empty"),
        ("scheme = \"newest\"", "scheme = \"emmc\"", "needs `emmc`"),
        (
            "scheme = \"newest\"",
            "scheme = \"newest\"\nemmc = \"/dev/mmcblk0\"",
            "belongs to the scheme \"emmc\"",
        ),
        ("scheme = \"newest\"", "scheme = \"newest\"\nselect = [\"x\"]", "belongs to the scheme \"select\""),
        (
            "scheme = \"newest\"",
            "scheme = \"emmc\"\nemmc = \"/dev/mmcblk0\"\nselect = [\"x\"]",
            "belongs to the scheme \"select\"",
        ),
        ("scheme = \"newest\"", "scheme = \"newest\"\nheader = 100", "a multiple of 512"),
        ("scheme = \"newest\"", "scheme = \"newest\"\nheader = 0", "a multiple of 512"),
        ("name = \"b\"\ndevice", "name = \"a\"\ndevice", "is given twice"),
        ("name = \"b\"\ndevice", "name = \"b b\"\ndevice", "can't be the name of a copy"),
        ("offset = 0x8800", "offset = 0x8600", "lies over copy \"a\""),
        ("offset = 0x8800", "offset = 0x8801", "multiples of 512"),
        ("size = 0x8000\n", "size = 512\n", "larger than its header"),
        ("size = 0x8000\n", "size = 0x10000000\n", "larger than its header"),
        ("offset = 0x8800", "ofset = 0x8800", "ofset"),
        ("disk.img\"\noffset = 0x8800", "b.img\"\noffset = 0x8800", "the device of a slot"),
    ] {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good, "{from}");
        device.0.write("bootslot.toml", bad.as_bytes());
        let ran = device.order(&["bootloader", "status"]);
        assert!(ran.code == Some(4) && ran.err.contains(says), "{to}: {ran:?}");
        assert!(ran.err.contains("bootslot.toml:"), "{to}: {ran:?}");
    }
    let one = good.rsplit_once("[[bootloader.copy]]").unwrap().0;
    device.0.write("bootslot.toml", one.as_bytes());
    assert!(device.order(&["status"]).err.contains("two copies of a boot loader"));
}
