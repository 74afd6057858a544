//! libubootenv's YAML: its documented example, every error with its place, and hostile input.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]
#![cfg(feature = "yaml")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bootslot::config::{yaml, Config, Device, EnvConfig};
use proptest::prelude::*;

/// From libubootenv's docs/fw_env_config.md.
const EXAMPLE: &str = "\
uboot:
  size : 0x4000
  lockfile : /var/lock/fw_printenv.lock
  writelist:
    - var1:sw
    - var2:sw
    - var3:dw
  devices:
    - path : /dev/mtd0
      offset : 0xA0000
      sectorsize : 0x10000
      unlock : yes
    - path : /dev/mtd0
      offset : 0xB0000
      sectorsize : 0x10000
      disablelock : yes

appvar:
  size : 0x4000
  lockfile : /var/lock/appvar.lock

  devices:
    - path : /dev/mtd1
      offset : 0
      sectorsize : 0x10000
      unlock : yes
    - path : /dev/mtd1
      offset : 0x10000
      sectorsize : 0x10000
";

fn device(path: &str, offset: i64, size: u64, sector_size: u64, disable_lock: bool) -> Device {
    Device { path: path.into(), offset, size, sector_size, sectors: 0, disable_lock }
}

fn parse(text: &str) -> Config {
    Config::parse("env.yaml", text.as_bytes()).unwrap_or_else(|error| panic!("{text}\n{error}"))
}

fn refused(text: impl AsRef<[u8]>) -> String {
    let text = text.as_ref();
    match Config::parse("env.yaml", text) {
        Ok(config) => panic!("accepted {:?} as {config:?}", String::from_utf8_lossy(text)),
        Err(error) => error.to_string().strip_prefix("env.yaml:").unwrap().to_owned(),
    }
}

#[test]
fn the_documented_example() {
    let config = parse(EXAMPLE);
    assert_eq!(
        config.environments,
        [
            EnvConfig {
                namespace: Some("uboot".into()),
                devices: vec![
                    device("/dev/mtd0", 0xa0000, 0x4000, 0x10000, false),
                    device("/dev/mtd0", 0xb0000, 0x4000, 0x10000, true),
                ],
                lockfile: Some(PathBuf::from("/var/lock/fw_printenv.lock")),
                writelist: Some("var1:sw,var2:sw,var3:dw".into()),
            },
            EnvConfig {
                namespace: Some("appvar".into()),
                devices: vec![
                    device("/dev/mtd1", 0, 0x4000, 0x10000, false),
                    device("/dev/mtd1", 0x10000, 0x4000, 0x10000, false),
                ],
                lockfile: Some(PathBuf::from("/var/lock/appvar.lock")),
                writelist: None,
            },
        ]
    );
}

#[test]
fn the_same_in_other_ways_of_yaml() {
    let expected = vec![EnvConfig {
        namespace: Some("a b".into()),
        devices: vec![device("/dev/mmcblk0", -0x20000, 0x4000, 0, true)],
        lockfile: None,
        writelist: None,
    }];
    for text in [
        "a b:\n  size: 0x4000\n  devices:\n  - path: /dev/mmcblk0\n    offset: -0x20000\n    disablelock: yes\n",
        "# first\n\n---\na b:\n  devices: # before the size\n    - {offset: -131072, unlock: no, path: /dev/mmcblk0}\n  size: 16384\n...\n",
        "{\"a b\": {size: 040000, devices: [{path: /dev/mmcblk0, offset: \"-0400000\", disablelock: yes, unlock: no}]}}",
        "a b:\r\n  size: 0x4000\r\n  devices:\r\n    - path: '/dev/mmcblk0'\r\n      offset: -0x20000\r\n      disablelock: yes\r\n",
        "\u{feff}a b:\n  size: &s 0x4000\n  devices:\n  - path: /dev/mmcblk0\n    offset: -0x20000\n    disablelock: yes",
        "%YAML 1.1\n---\n? a b\n: size: 0x4000\n  devices:\n  - path: /dev/mmcblk0\n    offset: -0x20000\n    unlock: no",
    ] {
        assert_eq!(yaml::parse(Path::new("c"), text.trim_start_matches('\u{feff}').as_bytes()).unwrap().environments, expected, "{text}");
    }
    // The format is told by the first line; these start in all the ways above.
    for start in [
        "uboot:",
        "uboot :",
        "uboot: # c",
        "'u':",
        "\"u\" :",
        "---\nu:",
        "\u{feff}u:",
        "%YAML 1.2\n---\nu:",
        "  u:",
    ] {
        let text = format!("# c\n\n{start}\n   size: 9\n   devices: [path: /dev/x]\n");
        let text =
            if start.starts_with('\u{feff}') { text.trim_start_matches("# c\n\n").to_owned() } else { text };
        assert!(parse(&text).has_namespaces(), "{text}");
    }
}

#[test]
fn an_error_has_its_place_and_says_what_is_expected() {
    let dev = "  devices: [{path: /dev/x}]\n";
    let namespace_keys = "known here: size, lockfile, writelist, devices";
    let device_keys = "known here: path, offset, sectorsize, unlock, disablelock";
    let number = "is not a decimal, 0x... hexadecimal or 0... octal number";
    let cases: Vec<(String, String)> = vec![
        // The shape.
        ("---\n".into(), "2:1: expected a namespace (a name and a colon), found nothing".into()),
        ("--- {}\n".into(), "1:5: expected a namespace (a name and a colon)".into()),
        ("- uboot\n".into(), "1:1: expected a namespace (a name and a colon), found a sequence".into()),
        ("\"uboot\"\n".into(), "1:1: expected a namespace (a name and a colon), found \"uboot\"".into()),
        ("u:\n".into(), "1:2: expected a mapping with the keys size, lockfile, writelist, devices, found nothing".into()),
        ("u: 5\n".into(), "1:4: expected a mapping with the keys size, lockfile, writelist, devices, found \"5\"".into()),
        ("u: [size]\n".into(), "1:4: expected a mapping with the keys size, lockfile, writelist, devices, found a sequence".into()),
        ("u:\n  [size]: 5\n".into(), "2:3: expected size, lockfile, writelist, devices".into()),
        (format!("u:\n{dev}"), "1:1: namespace \"u\" has no \"size\" (bytes of one copy)".into()),
        ("u:\n  size: 0x4000\n".into(), "1:1: namespace \"u\" has no \"devices\"".into()),
        ("u:\n  size: 9\n  devices:\n".into(), "3:10: expected a sequence of one or two devices (\"- path: ...\"), found nothing".into()),
        ("u:\n  size: 9\n  devices: []\n".into(), "3:12: expected a sequence of one or two devices (\"- path: ...\"), found none".into()),
        ("u:\n  size: 9\n  devices: /dev/x\n".into(), "3:12: expected a sequence of one or two devices (\"- path: ...\"), found \"/dev/x\"".into()),
        ("u:\n  devices:\n    path: /dev/x\n".into(), "3:5: expected a sequence of one or two devices (\"- path: ...\"), found a mapping".into()),
        ("u:\n  devices:\n    - /dev/x\n".into(), "3:7: expected a mapping with the keys path, offset, sectorsize, unlock, disablelock, found \"/dev/x\"".into()),
        (
            "u:\n  size: 20\n  devices:\n    - path: a\n    - path: b\n    - path: c\n".into(),
            "6:7: a third device: an environment has one copy or two".into(),
        ),
        ("u:\n  size: 9\n  devices:\n    - offset: 0\n".into(), "4:7: this device has no \"path\"".into()),
        // Keys.
        (format!("u:\n  sise: 5\n{dev}"), format!("2:3: unknown key \"sise\"; {namespace_keys}")),
        ("u:\n  devices:\n    - path: x\n      sectors: 2\n".into(), format!("4:7: unknown key \"sectors\"; {device_keys}")),
        (format!("u:\n  size: 9\n  size: 9\n{dev}"), "3:3: \"size\" is given twice".into()),
        (format!("u:\n  size: 9\n{dev}{dev}"), "4:3: \"devices\" is given twice".into()),
        ("u:\n  devices:\n    - path: x\n      path: y\n".into(), "4:7: \"path\" is given twice".into()),
        (format!("u:\n  size: 9\n{dev}u:\n  size: 9\n{dev}"), "4:1: namespace \"u\" is given twice".into()),
        // Values.
        (format!("u:\n  size: 16K\n{dev}"), format!("2:9: size \"16K\" {number} of bytes, without a sign or a suffix")),
        (format!("u:\n  size: -9\n{dev}"), format!("2:9: size \"-9\" {number} of bytes, without a sign or a suffix")),
        (format!("u:\n  size: 0o40000\n{dev}"), format!("2:9: size \"0o40000\" {number} of bytes, without a sign or a suffix")),
        (format!("u:\n  size: 0x10000000000000000\n{dev}"), "2:9: size \"0x10000000000000000\" is too big".into()),
        (format!("u:\n  size:\n{dev}"), "2:7: expected a number for \"size\", found nothing".into()),
        (format!("u:\n  size: [9]\n{dev}"), "2:9: expected a number for \"size\", found a sequence".into()),
        (format!("u:\n  size: !!int 9\n{dev}"), "2:15: tags are not supported here; write the value alone".into()),
        (format!("u:\n  lockfile: ~\n{dev}"), "2:13: expected a path for \"lockfile\", found nothing".into()),
        (format!("u:\n  lockfile: \"\"\n{dev}"), "2:13: expected a path for \"lockfile\", found \"\"".into()),
        (format!("u:\n  lockfile: \"a\\0\"\n{dev}"), "2:13: lockfile \"a\\0\" holds a NUL or a newline".into()),
        ("u:\n  devices:\n    - offset: A0000\n".into(), format!("3:15: offset \"A0000\" {number} (hexadecimal needs its 0x here)")),
        ("u:\n  devices:\n    - disablelock: true\n".into(), "3:20: expected yes or no for \"disablelock\", found \"true\"".into()),
        (
            "u:\n  devices:\n    - unlock: yes\n      disablelock: yes\n".into(),
            "4:7: \"unlock\" and \"disablelock\" contradict each other".into(),
        ),
        // The writelist.
        ("u:\n  writelist: a:sw\n".into(), "2:14: expected a sequence of name:flags, found \"a:sw\"".into()),
        (
            "u:\n  writelist: []\n".into(),
            "2:14: an empty writelist; name the variables that may be written, or leave the key out if all may".into(),
        ),
        ("u:\n  writelist:\n    - a: sw\n".into(), "3:7: expected name:flags, without a blank behind the colon".into()),
        ("u:\n  writelist:\n    - a\n".into(), "3:7: expected name:flags, found \"a\"".into()),
        ("u:\n  writelist:\n    - ~\n".into(), "3:7: expected name:flags, found nothing".into()),
        ("u:\n  writelist:\n    - a:sw\n    - a:dw\n".into(), "4:7: \"a\" is given twice".into()),
        (
            "u:\n  writelist:\n    - a:ws\n".into(),
            "3:7: \"a:ws\": flags are a type (one of s d x b i m) and an access (one of a r o c w)".into(),
        ),
        (
            "u:\n  writelist:\n    - ' a:sw'\n".into(),
            "3:7: \" a:sw\": the name is empty or holds a blank, a comma or \"=\"".into(),
        ),
        // The rules of both formats.
        (format!("u:\n  size: 8\n{dev}"), "2:9: size 0x8 is too small: 4 bytes of header and one variable need 0x9".into()),
        (
            "u:\n  size: 20\n  devices:\n    - path: /a\n      offset: 0\n    - path: /a\n      offset: 19\n".into(),
            "7:15: the copies overlap: 0x0..0x14 and 0x13..0x27 of /a".into(),
        ),
        (
            "u:\n  size: 20\n  devices:\n    - path: /a\n    - path: /a\n".into(),
            "5:7: the copies overlap: 0x0..0x14 and 0x0..0x14 of /a".into(),
        ),
        // Not this subset of YAML.
        (format!("u: &u\n  size: 9\n{dev}v: *u\n"), "4:4: aliases are not supported here; write the value out".into()),
        (format!("u:\n  size: 9\n{dev}---\nv:\n  size: 9\n{dev}"), "4:1: a second YAML document; put all namespaces into one".into()),
        // Not YAML. Columns count bytes, as everywhere.
        ("u:\n  size: \"9\n".into(), "2:9: not YAML: ".into()),
        ("u:\n\tsize: 9\n".into(), "2:2: not YAML: ".into()),
        ("\u{fc}: {\u{fc}: 1}\n".into(), "1:6: unknown key \"\u{fc}\"; known here: size, lockfile, writelist, devices".into()),
        ("u:\n  size: 9\0\n".into(), "2:10: a NUL byte: this file is damaged".into()),
        // A missing colon in the first line does not make it a legacy file.
        (
            "uboot\n  size: 9\n".into(),
            "1:1: expected a namespace (a name and a colon), found \"uboot size\"".into(),
        ),
    ];
    let mut wrong = Vec::new();
    for (text, message) in cases {
        let found = refused(&text);
        // What the YAML parser itself says is its own affair; where it says it is ours.
        if !(found == message || message.ends_with("not YAML: ") && found.starts_with(&message)) {
            wrong.push(format!("{text:?}\n  expected {message}\n  found    {found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(refused(b"u:\n  size: \xff\n"), "2:9: expected UTF-8");
}

#[test]
fn places_are_right_behind_dos_line_ends() {
    assert_eq!(
        refused("# \u{fc}\r\nu:\r\n  size: 9\r\n  sise: 9\r\n"),
        "4:3: unknown key \"sise\"; known here: size, lockfile, writelist, devices"
    );
}

#[test]
fn deep_nesting_and_other_bombs_end_early() {
    let started = Instant::now();
    let n = 200_000;
    for text in [
        "[".repeat(n),
        "{a: ".repeat(n),
        "u: ".to_owned() + &"[".repeat(n),
        "- ".repeat(n),
        "? ".repeat(n),
        "u:\n".to_owned() + &(1..600).map(|depth| " ".repeat(depth) + "k:\n").collect::<String>(),
        "u:\n  size: ".to_owned() + &"9".repeat(n),
        "u:\n  size: ".to_owned() + &"!".repeat(n),
        "u: ".to_owned() + &"&a ".repeat(n),
        "u: &a [*a, *a]".to_owned(),
        "u:\n  writelist:\n".to_owned() + &"    - a\n".repeat(n),
        "u:\n  lockfile: >\n".to_owned() + &"    a\n".repeat(n),
        "u:\n  lockfile: \"".to_owned() + &"\\n".repeat(n),
        "%TAG ! x\n".repeat(n / 10),
        "u:\n".to_owned() + &"\n#".repeat(n),
        "u:\n  writelist:\n".to_owned()
            + &(0..n / 4).map(|name| format!("    - {name}:s\n")).collect::<String>(),
        (0..n / 8).map(|name| format!("{name}: {{size: 9, devices: [path: x]}}\n")).collect::<String>() + "-",
    ] {
        let start: String = text.chars().take(20).collect();
        assert!(yaml::parse(Path::new("c"), text.as_bytes()).is_err(), "{start:?}");
    }
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

/// Parses as YAML whatever the text looks like; an error's place lies inside of the text.
fn check_place(text: &[u8]) -> Result<(), TestCaseError> {
    match yaml::parse(Path::new("c"), text) {
        Ok(config) => {
            prop_assert!(!config.environments.is_empty());
            for environment in &config.environments {
                prop_assert!(environment.validate().is_ok());
            }
        }
        Err(bootslot::Error::Config { line, column, message, .. }) => {
            let length = text.split(|&byte| byte == b'\n').nth(line - 1).map(<[u8]>::len);
            prop_assert!(length.is_some_and(|length| column <= length + 1), "{line}:{column} {message}");
            prop_assert!(!message.is_empty());
        }
        Err(error) => prop_assert!(false, "{error}"),
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_parsed_or_refused_at_a_place(text in prop::collection::vec(any::<u8>(), 0..200)) {
        check_place(&text)?;
    }

    #[test]
    fn any_text_is_parsed_or_refused_at_a_place(
        words in prop::collection::vec(
            prop::sample::select(vec![
                "uboot", "size", "devices", "path", "writelist", ":", ": ", ":\n", "\n", "\r\n", "\r", "\n  ",
                "\n    ", "- ", "-", "0x4000", "/dev/x", "a:sw", "\"", "'", "\\", "{", "}", "[", "]", ",", "&a ",
                "*a", "!", "!!str ", "!<x>", "%YAML 1.2\n", "%TAG ! a\n", "---\n", "...\n", "|", ">", "|2-\n", "?", "? ",
                "#", " # x", "\t", " ", "\u{e9}", "\u{feff}", "\u{2028}", "~", "null", "yes",
            ]),
            0..40,
        ),
    ) {
        check_place(words.concat().as_bytes())?;
    }

    #[test]
    fn a_damaged_example_is_parsed_or_refused_at_a_place(
        at in 0..EXAMPLE.len(),
        cut in 0usize..20,
        byte in any::<u8>(),
    ) {
        let mut text = EXAMPLE.as_bytes().to_vec();
        text.splice(at..(at + cut).min(EXAMPLE.len()), [byte]);
        check_place(&text)?;
    }
}
