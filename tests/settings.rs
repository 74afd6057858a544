//! `bootslot.toml`: what it says, and every error with its place.
#![cfg(feature = "settings")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::path::{Path, PathBuf};

use bootslot::bootcount::{Layout, Order, Source};
use bootslot::settings::Settings;
use bootslot::slot::dialect::Dialect;
use bootslot::slot::{Name, Reader, Script};
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
fn a_dialect_its_boot_code_and_what_stands_for_a_slot() {
    let settings = parse(
        "dialect = \"bootcount\"\nslot-variable = \"rootpart\"\n\n\
         [[slot]]\nname = \"A\"\nvalue = \"/dev/mmcblk0p2\"\n\n[[slot]]\nname = \"B\"\n",
    )
    .unwrap();
    assert_eq!((settings.dialect, settings.reader), (Dialect::Bootcount, None));
    let board = settings.board(Script::default());
    assert_eq!((board.reader, &*board.slot_variable), (Reader::Altbootcmd, "rootpart"));
    assert_eq!(board.values, [(Name::new("A").unwrap(), "/dev/mmcblk0p2".to_owned())].into());
    let settings = parse("dialect = \"rauc\"\nreader = \"bootmeth\"").unwrap();
    assert_eq!(settings.board(Script::default()).reader, Reader::Bootmeth);
    let settings = parse("dialect = \"mender\"\n[[slot]]\nname = \"2\"\n[[slot]]\nname = \"3\"").unwrap();
    assert_eq!(settings.board(Script::default()).reader, Reader::Mender);
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
        ("dialect = \"rauc2\"", "1:11: there is no dialect \"rauc2\"; known: native, rauc, mender, bootcount"),
        ("dialect = \"rauc\"\nreader = \"mender\"", "2:10: \"mender\" does not read the dialect rauc; known: contrib, bootmeth, bootslot-rauc, bootslot-rauc-uncounted"),
        ("reader = \"contrib\"", "1:10: \"contrib\" does not read the dialect native; known: script"),
        (
            "dialect = \"rauc\"\nreader = \"bootslot-rauc\"\n[[slot]]\nname = \"A\"",
            "1:11: bootslot's own script for RAUC's variables has two to four slots",
        ),
        ("dialect = \"rauc\"\ntries = 6", "1:11: with the dialect rauc tries are 1 to 5: more are a confirmed slot"),
        ("dialect = \"rauc\"\nhardened = true", "1:11: `hardened` and `script` are the dialect native's, not rauc's"),
        ("dialect = \"rauc\"\nscript = 2", "1:11: `hardened` and `script` are the dialect native's, not rauc's"),
        (
            "dialect = \"rauc\"\n[[slot]]\nname = \"A\"\n[[slot]]\nname = \"R\"\nrole = \"last-resort\"",
            "1:11: the dialect rauc has no last resort, and slot R is one",
        ),
        (
            "dialect = \"mender\"",
            "1:11: with the dialect mender each slot needs its partition's number as `value`, and \"A\" is none",
        ),
        (
            "dialect = \"mender\"\n[[slot]]\nname = \"A\"\nvalue = \"2\"\n[[slot]]\nname = \"2\"",
            "1:11: both slots have the value \"2\"",
        ),
        (
            "dialect = \"mender\"\n[[slot]]\nname = \"1\"\n[[slot]]\nname = \"2\"\n[[slot]]\nname = \"3\"",
            "1:11: the dialect mender has two slots, not 3",
        ),
        (
            "dialect = \"bootcount\"",
            "1:11: the dialect bootcount needs `slot-variable`, the variable that names the slot that boots",
        ),
        ("dialect = \"bootcount\"\nslot-variable = \"a=b\"", "2:17: \"a=b\" can't be the variable that names the slot"),
        ("slot-variable = \"x\"", "1:17: the dialect native has a variable of its own for this"),
        ("[[slot]]\nname = \"A\"\nvalue = \"\"", "3:9: the value is empty"),
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
        ("[[slot]]\nname = \"A\"\nsize = 3", "3:1: unknown field `size`, expected one of `name`, `value`, `device`, `parts`, `role`"),
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

#[cfg(feature = "health")]
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

#[cfg(feature = "health")]
mod health {
    use std::time::Duration;

    use bootslot::settings::health::{Check, Health, Kind, OnFailure, Watchdog, Writable};

    use super::parse;

    /// The checks of a section with these lines.
    fn checks(lines: &str) -> Result<Vec<Check>, String> {
        parse(lines).map(|settings| settings.health.checks)
    }

    fn kind(line: &str) -> Result<Kind, String> {
        checks(&format!("[[health.check]]\nname = \"x\"\n{line}\n")).map(|mut checks| checks.remove(0).kind)
    }

    #[test]
    fn the_section_says_how_it_is_decided() {
        assert_eq!(parse("[health]\n").unwrap().health, Health::default());
        let health = parse(
            "[health]\nsettle = \"10s\"\ndeadline = \"10min\"\nwatchdog = \"/dev/watchdog0\"\nfolders = []\n\
             greenboot = true\nstandard = false\nbaseline = \"/data/b\"\nreboot = [\"r\", \"now\"]\n\
             reboot-limit = \"60s\"\n",
        );
        let health = health.unwrap().health;
        assert_eq!((health.settle, health.deadline), (Duration::from_secs(10), Duration::from_secs(600)));
        assert_eq!(health.watchdog, Watchdog::Device("/dev/watchdog0".into()));
        assert_eq!((health.folders.len(), health.greenboot.len(), health.standard), (0, 2, false));
        assert_eq!(health.reboot.unwrap(), ["r", "now"]);
        for (wrong, says) in [
            ("settle = \"5min\"\ndeadline = \"5min\"", ":2:10: the deadline has to be after"),
            ("settle = 5", ":2:10: invalid type"),
            ("settle = \"2d\"", ":2:10: this time is 0 to 86400 s"),
            ("deadline = \"0s\"", ":2:12: this time is 1 to 86400 s"),
            ("watchdog = \"hw\"", ":2:12: \"none\", \"systemd\""),
            ("reboot = []", ":2:10: at least one word"),
            ("chekc = []", ":2:1: unknown field"),
        ] {
            let error = parse(&format!("[health]\n{wrong}\n")).unwrap_err();
            let error = error.replace("bootslot.toml:3:12: the", "bootslot.toml:2:10: the");
            assert!(error.contains(says), "{wrong}: {error}");
        }
    }

    #[test]
    fn a_check_looks_at_one_thing() {
        for (line, expected) in [
            ("slot = true", Kind::Slot),
            ("version = true", Kind::Version(None)),
            ("version = \"BUILD_ID\"", Kind::Version(Some("BUILD_ID".into()))),
            ("hardware = [\"a\"]\nfile = \"/f\"", Kind::Hardware("/f".into(), vec!["a".into()])),
            ("unit = \"x.service\"", Kind::Unit("x.service".into())),
            ("failed-units = true", Kind::FailedUnits),
            ("mount = \"/data\"", Kind::Mount("/data".into(), Writable::Any)),
            ("mount = \"/data\"\nwritable = true", Kind::Mount("/data".into(), Writable::Proven)),
            ("device = \"/dev/x\"", Kind::Node("/dev/x".into())),
            ("driver = \"i2c/x\"", Kind::Driver("i2c/x".into())),
            ("certificate = \"/c\"\nkey = \"/k\"", Kind::Certificate("/c".into(), Some("/k".into()))),
            ("route = true", Kind::Route),
            ("dns = \"a.b\"", Kind::Dns("a.b".into())),
            ("tcp = \"a.b:443\"", Kind::Tcp("a.b:443".into())),
            ("http = \"https://a.b/\"", Kind::Http("https://a.b/".into())),
            ("clock = true", Kind::Clock(None)),
            ("clock = 1700000000", Kind::Clock(Some(1_700_000_000))),
            ("kernel-log = [\"x\"]", Kind::KernelLog(vec!["x".into()])),
            ("pstore = true", Kind::Pstore(Vec::new())),
            ("watchdog-reset = true", Kind::WatchdogReset),
            ("migrated = true", Kind::Migrated),
            ("command = [\"a\", \"b\"]", Kind::Command(vec!["a".into(), "b".into()])),
        ] {
            assert_eq!(kind(line), Ok(expected), "{line}");
        }
        assert!(matches!(kind("kernel-log = true"), Ok(Kind::KernelLog(texts)) if texts.len() > 3));
        for (wrong, says) in [
            ("", "nothing says what this check looks at"),
            ("slot = true\nroute = true", "a check looks at one thing"),
            ("slot = false", "leave the check out instead"),
            ("unit = \"-x\"", "can't be a name"),
            ("tcp = \"host\"", "HOST:PORT"),
            ("http = \"ftp://x\"", "http:// or https://"),
            ("hardware = [\"a\"]", "`file` has to say"),
            ("route = true\nkey = \"/k\"", "`key` says nothing without `certificate`"),
            ("route = true\nwritable = true", "`writable` says nothing without `mount`"),
            ("route = true\nfile = \"/f\"", "`file` says nothing without `hardware`"),
            ("command = []", "at least one word"),
            ("mount = \"\"", "the path is empty"),
            ("route = true\non-failure = \"ignore\"", "known: roll-back, retry, reboot, degraded, wait"),
            ("route = true\ntimeout = \"0s\"", "this time is 1 to"),
        ] {
            let error = kind(wrong).unwrap_err();
            assert!(error.contains(says), "{wrong}: {error}");
        }
        let twice =
            "[[health.check]]\nname = \"x\"\nroute = true\n[[health.check]]\nname = \"x\"\nslot = true\n";
        assert!(checks(twice).unwrap_err().contains(":5:8: there are two checks"));
        assert!(checks("[[health.check]]\nname = \"a\\nb\"\nslot = true\n")
            .unwrap_err()
            .contains("a name is 1 to 64"));
    }

    #[test]
    fn the_policy_is_the_kind_s_unless_it_is_said() {
        let line = "[[health.check]]\nname = \"x\"\nroute = true\n";
        let usual = checks(line).unwrap()[0].policy;
        assert_eq!((usual.on_failure, usual.blame, usual.baseline), (OnFailure::Retry, false, true));
        let said = "on-failure = \"wait\"\ntimeout = \"3s\"\nretries = 7\nblame = true\nbaseline = false\ninterval = \"9s\"\n";
        let policy = checks(&format!("{line}{said}")).unwrap()[0].policy;
        assert_eq!((policy.on_failure, policy.blame, policy.baseline), (OnFailure::Wait, true, false));
        let times = (policy.timeout.as_secs(), policy.retries, policy.interval.unwrap().as_secs());
        assert_eq!(times, (3, 7, 9));
    }

    /// The blocks of settings in a page.
    fn blocks(page: &str) -> Vec<String> {
        page.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
    }

    #[test]
    fn what_the_pages_show_can_be_read_and_is_short() {
        let readme = blocks(include_str!("../README.md"));
        let settings = readme.iter().find(|block| block.contains("[[health.check]]")).unwrap();
        assert!(settings.lines().count() <= 15, "{settings}");
        let found = parse(settings).unwrap();
        assert_eq!((found.devices.len(), found.health.checks.len()), (2, 2));
        let page = blocks(include_str!("../docs/health.md"));
        assert_eq!(page.len(), 2);
        assert_eq!(checks(&page[0]).unwrap().len(), 3);
        // The times on the page are those that hold without settings.
        assert_eq!(parse(&page[1]).unwrap().health, Health::default());
    }
}

/// One file serves programs with all parts and programs with some.
#[test]
fn what_a_part_that_was_not_built_would_read_is_no_mistake() {
    let text = "[health]\nsettle = \"1s\"\n[migrate]\ndata = [\"/data/app\"]\n[report]\nhooks = \"/hooks\"\n\
                [[app]]\nname = \"gateway\"\n";
    assert!(parse(text).is_ok());
    assert!(parse(&format!("{text}[helath]\n")).is_err());
}

#[cfg(feature = "app")]
#[test]
fn applications_are_read_and_what_makes_no_sense_is_not() {
    use bootslot::settings::health::Kind;
    let parse_apps = |text: &str| parse(text).map(|settings| settings.apps);
    let least = parse_apps("[[app]]\nname = \"gateway\"\nunit = \"gateway.service\"\n").unwrap();
    let app = &least[0];
    assert_eq!((app.keep, app.tries, app.devices), (1, 3, false));
    assert_eq!(app.folder(), Path::new("/var/lib/bootslot-apps/gateway"));
    assert_eq!(app.stop_command().unwrap(), ["systemctl", "stop", "--", "gateway.service"]);
    assert_eq!(app.checks[0].kind, Kind::Unit("gateway.service".into()));
    let full = "[[app]]\nname = \"a\"\nroot = \"/data/apps\"\nstop = [\"s\", \"stop\"]\nstart = [\"s\", \"start\"]\n\
                service-limit = \"10s\"\nkeep = 0\ntries = 9\ndevices = true\nsettle = \"0s\"\ndeadline = \"2min\"\n\
                [[app.check]]\nname = \"port\"\ntcp = \"localhost:80\"\n[[app]]\nname = \"b\"\n";
    let full = parse_apps(full).unwrap();
    assert_eq!((full.len(), full[0].deadline.as_secs(), full[0].checks.len()), (2, 120, 1));
    assert_eq!(full[0].start_command().unwrap(), ["s", "start"]);
    assert_eq!(full[1].start_command(), None);
    let one = "[[app]]\nname = \"a\"\n";
    for (more, says) in [
        ("name = \"b\"", "duplicate key"),
        ("unit = \"-x\"", "can't be a name"),
        ("root = \"apps\"", "begins with /"),
        ("root = \"/a/../b\"", "no .."),
        ("stop = [\"x\"]", "has both"),
        ("tries = 0", "1 to 9"),
        ("tries = 10", "1 to 9"),
        ("deadline = \"5s\"", "after the settling time"),
        ("service-limit = \"0s\"", "1 to"),
        ("kep = 1", "kep"),
        ("[[app.check]]\nname = \"s\"\nslot = true", "none of an application"),
        ("[[app.check]]\nname = \"s\"\nroute = true\n[[app.check]]\nname = \"s\"\ndns = \"x\"", "two checks"),
        ("[[app]]\nname = \"a\"", "given twice"),
        ("unit = \"u\"\n[[app]]\nname = \"b\"\nunit = \"u\"", "of another application"),
        ("[[app]]\nname = \"a/b\"", "name of an application"),
    ] {
        let error = parse_apps(&format!("{one}{more}\n")).unwrap_err();
        assert!(error.contains(says), "{more}: {error}");
    }
}
