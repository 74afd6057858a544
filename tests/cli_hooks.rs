//! What other updaters call: the programs and the configurations in packaging, as they are. RAUC, SWUpdate and Mender's client
//! themselves run in `ffi-tests`; Rugix Ctrl is not in Debian, so what it calls is played here, after its documentation.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod cli_support;

use std::path::{Path, PathBuf};
use std::process::Command;

use cli_support::*;
use serde_json::{json, Value};

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A device that Rugix Ctrl looks after.
struct Rugix {
    place: Place,
    /// The slot that runs. Rugix finds it by the device of `/`.
    runs: &'static str,
}

impl Rugix {
    /// Calls the controller. What it prints has to be one JSON object, as Rugix parses it.
    fn call(&self, words: &[&str]) -> Result<Value, String> {
        let path = std::env::var("PATH").unwrap();
        let mut command = Command::new(project("packaging/rugix/boot-flow"));
        command.current_dir(self.place.path("."));
        let options = format!("--settings board.toml -c fw_env.config -l lock --slot {}", self.runs);
        command.args(words).env("BOOTSLOT", self.place.path("bin/bootslot")).env("OPTIONS", options);
        command.env("PATH", format!("{}:{path}", project("tests/data/hooks").display()));
        let ran = run(&mut command);
        match ran.code {
            Some(0) if ran.out.is_empty() => Ok(Value::Null),
            Some(0) => Ok(serde_json::from_str(&ran.out).unwrap()),
            code => {
                assert_eq!(ran.out, "", "{words:?}");
                Err(format!("{}: {}", code.unwrap(), ran.err.trim_end()))
            }
        }
    }

    #[track_caller]
    fn done(&self, words: &[&str]) {
        assert_eq!(self.call(words), Ok(json!({})), "{words:?}");
    }

    #[track_caller]
    fn refused(&self, words: &[&str], why: &str) {
        let before = self.place.read("env.img");
        let error = self.call(words).unwrap_err();
        assert!(
            error.starts_with("5: bootslot rugix: refused: ") && error.contains(why),
            "{words:?}: {error}"
        );
        assert!(self.place.read("env.img") == before, "{words:?}: something was written");
    }

    fn default(&self) -> String {
        self.call(&["get_default"]).unwrap()["group"].as_str().unwrap().to_owned()
    }

    /// An update as Rugix Ctrl makes it: what is called, in its order.
    fn update(&self, group: &str) {
        self.done(&["pre_install", group]);
        self.done(&["post_install", group]);
        self.done(&["set_try_next", group]);
    }

    /// `rugix-ctrl system commit`: nothing is called for the default group.
    fn commit(&self) {
        if self.default() != self.runs {
            self.done(&["commit", self.runs]);
        }
    }

    fn bootslot(&self, args: &[&str]) -> String {
        let mut command = self.place.command("bootslot");
        command.args(args).args(["--settings", "board.toml", "-c", "fw_env.config", "-l", "lock"]);
        run(command.args(["--slot", self.runs])).ok()
    }

    fn slot(&self, name: &str) -> String {
        let status = self.bootslot(&["status"]);
        let line = status.lines().find_map(|line| line.trim_start().strip_prefix(&format!("slot {name}  ")));
        line.unwrap().trim().replace(", runs now", "")
    }

    /// The boot code's part.
    fn boot(&mut self) {
        let next: Value = serde_json::from_str(&self.bootslot(&["next", "--json"])).unwrap();
        for store in next["stores"].as_array().unwrap() {
            let lines = store.as_object().unwrap().iter();
            let script: String = lines
                .map(|(name, value)| format!("{name}={}\n", value.as_str().unwrap_or_default()))
                .collect();
            self.place.script(script.as_bytes()).ok();
        }
        self.runs = if next["slot"] == "A" { "A" } else { "B" };
    }
}

/// Devices whose slot A is confirmed, in the dialects that a boot flow may be asked for.
fn devices() -> Vec<Rugix> {
    let slots = "[[slot]]\nname = \"A\"\nvalue = \"2\"\n[[slot]]\nname = \"B\"\nvalue = \"3\"\n";
    let of = |settings: &str, records: &[&str]| {
        let place = Place::redundant(records);
        place.write("board.toml", format!("{settings}\n{slots}").as_bytes());
        Rugix { place, runs: "A" }
    };
    vec![
        of(
            "script = 2",
            &["bootcmd=run bootslot", "active_slot=A", "boot_success=1", "boot_try_count=0", "slot_A=good"],
        ),
        of(
            "dialect = \"rauc\"\nreader = \"bootslot-rauc-uncounted\"",
            &["bootcmd=x", "BOOT_ORDER=A B", "BOOT_A_LEFT=9", "BOOT_B_LEFT=3"],
        ),
        of(
            "dialect = \"mender\"\nreader = \"mender\"",
            &[
                "bootcmd=x",
                "mender_boot_part=2",
                "mender_boot_part_hex=2",
                "upgrade_available=0",
                "bootlimit=3",
            ],
        ),
        of(
            "dialect = \"bootcount\"\nslot-variable = \"rootpart\"\nreader = \"altbootcmd\"",
            &["bootcmd=x", "rootpart=2", "upgrade_available=0", "bootlimit=3"],
        ),
    ]
}

/// An update that is committed, one that is not, and one that is taken back, as Rugix Ctrl calls its boot flow.
#[test]
fn rugix_updates_a_device_through_its_custom_boot_flow() {
    for mut device in devices() {
        // What the slot is afterwards that is not active: two dialects have no variable for a good one.
        let says_good = device.bootslot(&["status"]).contains("native (")
            || device.bootslot(&["status"]).contains("rauc (");
        let good = if says_good { "good" } else { "unknown" };
        assert_eq!(device.default(), "A");
        device.done(&["pre_install", "B"]);
        let closed = device.slot("B");
        assert!(["being written", "not in BOOT_ORDER, never boots"].contains(&closed.as_str()), "{closed}");
        // A cut here, and Rugix installs again: nothing has booted it.
        let stored = device.place.read("env.img");
        device.boot();
        assert_eq!((device.runs, device.default().as_str()), ("A", "A"));
        device.done(&["pre_install", "B"]);
        device.done(&["post_install", "B"]);
        assert!(device.place.read("env.img") == stored, "stored again");
        device.done(&["set_try_next", "B"]);
        assert_eq!(device.slot("B"), "active, on trial, 3 tries left, then back to A");
        assert_eq!(device.default(), "A");
        device.boot();
        assert_eq!((device.runs, device.default().as_str()), ("B", "A"));
        // No update from a system that is not committed; no commit of another one than the one that runs.
        device.refused(&["pre_install", "A"], "rollback slot");
        device.refused(&["commit", "A"], "is not the one that runs");
        device.commit();
        assert_eq!((device.slot("A").as_str(), device.slot("B").as_str()), (good, "active, confirmed"));
        assert_eq!(device.default(), "B");
        device.commit();

        // Nobody commits: the boot code goes back, and the default was it all the time.
        device.update("A");
        for _ in 0..3 {
            device.boot();
            assert_eq!((device.runs, device.default().as_str()), ("A", "B"));
        }
        device.boot();
        assert_eq!((device.runs, device.default().as_str()), ("B", "B"));
        device.commit();

        // `rugix-ctrl boot mark-bad` of the one that runs, and of one that was tried and is not wanted any more.
        device.update("A");
        device.boot();
        device.done(&["mark_bad", "A"]);
        assert_eq!(device.slot("A"), "failed (user)");
        device.boot();
        assert_eq!((device.runs, device.default().as_str()), ("B", "B"));
        device.update("A");
        device.done(&["set_try_next", "B"]);
        assert_eq!((device.slot("B").as_str(), device.default().as_str()), ("active, confirmed", "B"));
        // `rugix-ctrl system reboot --spare`: tried, with the default to return to.
        device.done(&["set_try_next", "A"]);
        assert_eq!(device.slot("A"), "active, on trial, 3 tries left, then back to B");
        device.boot();
        device.done(&["mark_good", "A"]);
        assert_eq!((device.slot("A").as_str(), device.default().as_str()), ("active, confirmed", "A"));
    }
}

/// Rugix may add operations and arguments, and asks a boot flow to go on.
#[test]
fn what_rugix_may_ask_one_day_does_nothing() {
    for device in devices() {
        let before = device.place.read("env.img");
        assert_eq!(device.call(&["frobnicate", "B", "--all"]), Ok(Value::Null));
        assert_eq!(device.call(&["get_default", "--verbose", "7"]), Ok(json!({ "group": "A" })));
        assert_eq!(device.call(&["post_install", "B", "--bundle", "x"]), Ok(json!({})));
        assert!(device.place.read("env.img") == before);
        device.refused(&["set_try_next", "C"], "there is no slot C");
        assert!(device
            .call(&["commit"])
            .unwrap_err()
            .starts_with("2: bootslot rugix: commit needs the name"));
        assert!(device
            .call(&["commit", "a slot"])
            .unwrap_err()
            .starts_with("2: bootslot rugix: a slot has a name"));
        assert!(device.place.read("env.img") == before);
    }
}

/// The example's boot groups are the slots that bootslot has without settings.
#[test]
fn the_example_for_rugix_names_the_slots() {
    let text = std::fs::read_to_string(project("packaging/rugix/system.toml")).unwrap();
    let example: toml::Table = text.parse().unwrap();
    let groups: Vec<&String> = example["boot-groups"].as_table().unwrap().keys().collect();
    assert_eq!(groups, ["A", "B"]);
    for group in groups {
        let slot = example["boot-groups"][group.as_str()]["slots"]["system"].as_str().unwrap();
        assert!(
            example["slots"][slot]["device"].as_str().unwrap().ends_with(&group.to_lowercase()),
            "{slot}"
        );
    }
    assert_eq!(example["boot-flow"]["type"].as_str(), Some("custom"));
    assert!(example["boot-flow"]["controller"].as_str().unwrap().ends_with("/boot-flow"));
}
