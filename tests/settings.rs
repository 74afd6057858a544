//! `bootslot.toml`: what it says, and every error with its place.
#![cfg(feature = "settings")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::path::{Path, PathBuf};

use bootslot::bootcount::{Layout, Order, Source};
use bootslot::settings::Settings;
use bootslot::slot::dialect::Dialect;
use bootslot::slot::{Name, Script};
use bootslot::Error;

fn parse(text: &str) -> Result<Settings, String> {
    Settings::parse("bootslot.toml", text.as_bytes()).map_err(|error| {
        assert!(matches!(error, Error::Config { .. }), "{error:?}");
        error.to_string()
    })
}

#[test]
fn an_a_b_device_needs_no_file() {
    let settings = parse("").unwrap();
    assert_eq!(settings, Settings::default());
    let names: Vec<&str> = settings.board.slots.iter().map(Name::as_str).collect();
    assert_eq!((names, settings.board.tries, settings.board.hardened), (vec!["A", "B"], 3, false));
    assert_eq!(settings.dialect, Dialect::Native);
    assert_eq!(settings.cmdline, Path::new("/proc/cmdline"));
    assert_eq!((settings.env_config, settings.env_namespace, settings.running), (None, None, None));
}

#[test]
fn a_file_says_it_all() {
    let settings = parse(
        "tries = 5\ndialect = \"native\"\nhardened = true\nscript = 1\n\n\
         [[slot]]\nname = \"rescue_1\"\n\n\
         [[slot]]\nname = \"B\"\ndevice = \"/dev/mmcblk0p3\"\n\n\
         [[slot]]\nname = \"R\"\nrole = \"last-resort\"\n\n\
         [environment]\nconfig = \"/etc/env.yaml\"\nnamespace = \"uboot\"\n",
    )
    .unwrap();
    assert_eq!((settings.script, settings.slots_named), (Some(Script::V1), true));
    assert_eq!(settings.board.last_resort, Name::new("R"));
    let names: Vec<&str> = settings.board.slots.iter().map(Name::as_str).collect();
    assert_eq!((names, settings.board.tries, settings.board.hardened), (vec!["rescue_1", "B"], 5, true));
    assert_eq!(settings.devices.len(), 1);
    assert_eq!(settings.devices[&Name::new("B").unwrap()], PathBuf::from("/dev/mmcblk0p3"));
    assert_eq!(settings.env_config.as_deref(), Some(Path::new("/etc/env.yaml")));
    assert_eq!(settings.env_namespace.as_deref(), Some("uboot"));
}

#[test]
fn a_namespace_stays_with_the_configuration_that_it_is_in() {
    let said = parse("[environment]\nconfig = \"/etc/env.yaml\"\nnamespace = \"uboot\"\n").unwrap();
    let chosen = |config: Option<&str>, namespace: Option<&str>| {
        let mut settings = said.clone();
        settings.choose_environment(config.map(PathBuf::from), namespace.map(str::to_owned));
        (settings.env_config.unwrap().display().to_string(), settings.env_namespace)
    };
    let own = |namespace: &str| ("/etc/env.yaml".to_owned(), Some(namespace.to_owned()));
    assert_eq!(chosen(None, None), own("uboot"));
    assert_eq!(chosen(None, Some("other")), own("other"));
    assert_eq!(chosen(Some("/x"), None), ("/x".to_owned(), None));
    assert_eq!(chosen(Some("/x"), Some("other")), ("/x".to_owned(), Some("other".to_owned())));
}

#[test]
fn certificates_are_for_code_and_in_time_unless_something_else_is_said() {
    use bootslot::settings::{CertificateTime, Certificates, Purpose};
    let read = |text: &str| parse(&format!("[update]\n{text}")).unwrap().update.certificates;
    assert_eq!(read(""), Certificates { purpose: Purpose::CodeSigning, time: CertificateTime::Clock });
    assert_eq!(read("certificate-purpose = \"code-signing\"\ncertificate-time = \"clock\""), read(""));
    let other = read("certificate-purpose = \"email\"\ncertificate-time = \"ignored\"");
    assert_eq!(other, Certificates { purpose: Purpose::Email, time: CertificateTime::Ignored });
    assert_eq!(read("certificate-purpose = \"any\"").purpose, Purpose::Any);
    let error = parse("[update]\ncertificate-purpose = \"tls\"").unwrap_err();
    assert!(error.starts_with("bootslot.toml:2:23: unknown variant `tls`"), "{error}");
}

#[test]
fn every_error_says_where_and_what() {
    for (text, says) in [
        ("tries = 0", "1:9: tries are 1 to 9"),
        ("\ntries = 10", "2:9: tries are 1 to 9"),
        ("tries = \"3\"", "1:9: invalid type: string \"3\", expected i64"),
        ("dialect = \"rauc2\"", "1:11: there is no dialect \"rauc2\"; known: native"),
        ("script = 3", "1:10: versions of the boot script are 1 to 2"),
        (
            "[[slot]]\nname = \"A\"\nrole = \"last-resort\"\n",
            "1:1: a board has at least one slot that is updated",
        ),
        ("[[slot]]\nname = \"A\"\nrole = \"rescue\"", "3:8: unknown variant `rescue`"),
        (
            "[[slot]]\nname = \"A\"\n[[slot]]\nname = \"R\"\nrole = \"last-resort\"\n[[slot]]\nname = \"S\"\nrole = \"last-resort\"",
            "8:8: slot R is the last resort already",
        ),
        ("hardened = 1", "1:12: invalid type: integer `1`, expected a boolean"),
        ("trys = 3", "1:1: unknown field `trys`, expected one of "),
        ("slot = []", "1:8: a board has at least one slot that is updated"),
        ("[[slot]]\nname = \"A\"\n[[slot]]\nname = \"A\"", "4:8: slot A is given twice"),
        (
            "[[slot]]\nname = \"a-b\"",
            "2:8: \"a-b\" can't be the name of a slot: 1 to 16 characters of [A-Za-z0-9_]",
        ),
        ("[[slot]]\nname = \"\"", "2:8: \"\" can't be the name of a slot"),
        ("[[slot]]\ndevice = \"/dev/sda1\"", "1:1: missing field `name`"),
        ("[[slot]]\nname = \"A\"\ndevice = \"\"", "3:10: the path is empty"),
        ("[[slot]]\nname = \"A\"\nsize = 3", "3:1: unknown field `size`, expected one of `name`, `device`, `parts`, `role`"),
        (
            "[[slot]]\nname = \"A\"\ndevice = \"/x\"\n[[slot]]\nname = \"B\"\ndevice = \"/x\"",
            "6:10: /x is the device of slot A already",
        ),
        ("[environment]\nfile = \"x\"", "2:1: unknown field `file`, expected `config` or `namespace`"),
        ("[environment]\nconfig = \"\"", "2:10: the path is empty"),
        ("tries = 3\ntries = 4", "2:1: duplicate key"),
        ("tries 3", "1:7: key with no value, expected `=`"),
        ("[environment", "1:13: unclosed table, expected `]`"),
        ("dialect = \"nat", "1:15: invalid basic string, expected `\"`"),
    ] {
        let error = parse(text).unwrap_err();
        assert!(error.starts_with(&format!("bootslot.toml:{says}")), "{text:?}\n{error}");
    }
    let error = Settings::parse("x", b"tries = 3\n# \xff").unwrap_err().to_string();
    assert_eq!(error, "x:2:3: expected UTF-8");
}

#[test]
fn a_boot_counter_is_described_in_few_words() {
    let source = |text: &str| parse(&format!("[bootcount]\n{text}")).unwrap().bootcount.unwrap();
    let memory = |path: &str, address, layout, order| Source::Memory {
        path: path.into(),
        address,
        layout,
        order,
        unlock: Vec::new(),
    };
    let double = Layout::DoubleWord { magic: 0xb001_c041 };
    for (text, expected) in [
        ("type = \"environment\"", Source::Environment),
        ("type = \"memory\"\naddress = 0x13ff8", memory("/dev/mem", 0x13ff8, double, None)),
        (
            "type = \"memory\"\npath = \"/m\"\naddress = 8\nlayout = \"single-word\"\nmagic = 0x12345678\nbyte-order = \"big\"",
            memory("/m", 8, Layout::SingleWord { magic: 0x1234_5678 }, Some(Order::Big)),
        ),
        ("type = \"memory\"\naddress = 8\nlayout = \"ram64\"", memory("/dev/mem", 8, Layout::Ram { word: 8 }, None)),
        (
            "type = \"nvmem\"\npath = \"/n\"\noffset = 6",
            Source::Bytes { path: "/n".into(), offset: 6, layout: Layout::Short { magic: 0xbc }, order: None },
        ),
        (
            "type = \"file\"\npath = \"/boot/failures\"",
            Source::Bytes { path: "/boot/failures".into(), offset: 0, layout: Layout::File, order: None },
        ),
        ("type = \"flash\"\npath = \"/dev/mtd0\"", Source::Flash { path: "/dev/mtd0".into(), offset: 0 }),
        ("type = \"am33xx-nvmem\"", Source::am33xx("/dev/mem".into(), 0x44e3_e000, Layout::UpgradeWord)),
        (
            "type = \"zynqmp\"",
            Source::Zynqmp { path: "/sys/devices/platform/firmware:zynqmp-firmware/pggs2".into() },
        ),
    ] {
        assert_eq!(source(text), expected, "{text}");
    }
    for (text, says) in [
        ("type = \"ram\"", "2:8: unknown variant `ram`, expected one of `environment`"),
        ("path = \"/x\"", "1:1: missing field `type`"),
        ("type = \"memory\"", "2:8: this type needs an address"),
        ("type = \"file\"", "2:8: this type needs a path"),
        ("type = \"file\"\npath = \"/f\"\naddress = 4", "4:11: address means nothing for this type"),
        ("type = \"memory\"\naddress = -4", "3:11: invalid value: integer `-4`"),
        (
            "type = \"memory\"\naddress = 4\nlayout = \"pair\"\nmagic = 3",
            "5:9: magic means nothing for this type",
        ),
        ("type = \"memory\"\naddress = 4\nlayout = \"triple\"", "4:10: unknown variant `triple`"),
    ] {
        let error = parse(&format!("[bootcount]\n{text}")).unwrap_err();
        assert!(error.starts_with(&format!("bootslot.toml:{says}")), "{text:?}\n{error}");
    }
}

#[test]
fn a_file_that_was_named_must_be_there() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bootslot.toml");
    let error = Settings::find(Some(&path)).unwrap_err();
    assert!(
        matches!(&error, Error::Io { .. }) && error.to_string().contains("reading the settings"),
        "{error}"
    );
    std::fs::write(&path, "tries = 7").unwrap();
    assert_eq!(Settings::find(Some(&path)).unwrap().board.tries, 7);
}

#[test]
fn folders_with_data_are_named_and_checked() {
    let migrate = |text: &str| parse(&format!("[migrate]\n{text}\n")).map(|settings| settings.migrate);
    let plain = migrate("data = [\"/data/app/\", \"/data/conf\"]").unwrap();
    assert_eq!(plain.data, [PathBuf::from("/data/app"), PathBuf::from("/data/conf")]);
    assert_eq!(plain.state_file(), Some("/data/app.bootslot-state".into()));
    assert_eq!(plain.system, Path::new("/usr/lib/bootslot/migrate.toml"));
    assert_eq!(parse("").unwrap().migrate.state_file(), None);
    let said =
        migrate("data = [\"/data/app\"]\nstate = \"/data/version\"\nstep-limit = \"2min\"\nsteps = \"/x\"")
            .unwrap();
    assert_eq!((said.state_file(), said.steps.as_path()), (Some("/data/version".into()), Path::new("/x")));
    assert_eq!(said.step_limit.as_secs(), 120);
    for (text, expected) in [
        ("data = [\"data\"]", "2:9: a path here begins with /"),
        ("data = [\"/data/../x\"]", "2:9: a path here has no .."),
        ("data = [\"/\"]", "2:9: this is no folder that can be given another name"),
        ("data = [\"/data/a\\nb\"]", "2:9: a path here is UTF-8 without control characters"),
        ("data = [\"/a\", \"/a/b\"]", "2:15: this folder and /a are one or contain each other"),
        ("data = [\"/a\"]\nstate = \"/a/s\"", "3:9: it would be migrated with /a"),
        ("data = [\"/a\"]\nsteps = \"x\"", "3:9: a path here begins with /"),
        ("data = [\"/a\"]\nstep-limit = \"2d\"", "3:14: a step may take 1s to 1d"),
        ("state = \"/a\"", "1:1: missing field `data`"),
    ] {
        assert_eq!(migrate(text), Err(format!("bootslot.toml:{expected}")), "{text}");
    }
}
