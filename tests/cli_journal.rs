//! The journal, the report and the diagnosis: whole lives of a device, and what is told of them.
#![cfg(all(feature = "cli", feature = "health"))]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod cli_support;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use cli_support::*;
use serde_json::{json, Value};

/// A device with a journal. Its boots are counted in the file `boot`.
struct Life {
    place: Place,
    slot: &'static str,
    boots: u32,
}

impl Life {
    /// A confirmed slot A.
    fn new() -> Life {
        let place = Place::redundant(&["bootcmd=run bootslot"]);
        place.write("bootslot.toml", b"state = \"state\"\n[report]\nhooks = \"hooks\"\n");
        place.write("os-release", b"VERSION_ID=1.0\nBUILD_ID=one\n");
        let mut life = Life { place, slot: "A", boots: 0 };
        life.power_on("A");
        life.run(&["init"]).ok();
        life.run(&["confirm"]).ok();
        life
    }

    /// The same with the variables of another dialect, in which slot A is confirmed.
    fn speaking(settings: &str, records: &[&str]) -> Life {
        let place = Place::redundant(records);
        let settings = format!("state = \"state\"\n{settings}\n[report]\nhooks = \"hooks\"\n");
        place.write("bootslot.toml", settings.as_bytes());
        place.write("os-release", b"VERSION_ID=1.0\nBUILD_ID=one\n");
        let mut life = Life { place, slot: "A", boots: 0 };
        life.power_on("A");
        assert_eq!(life.observe(), "first");
        life
    }

    fn run(&self, args: &[&str]) -> Ran {
        let mut command = self.place.command("bootslot");
        command.args(args).args(["-c", "fw_env.config", "-l", "lock", "--settings", "bootslot.toml"]);
        command.args([
            "--slot",
            self.slot,
            "--script",
            "2",
            "--boot-id",
            "boot",
            "--os-release",
            "os-release",
        ]);
        run(command.args(["--sysfs", "sys"]))
    }

    fn json(&self, args: &[&str]) -> Value {
        serde_json::from_str(&self.run(&[args, &["--json"]].concat()).ok()).unwrap()
    }

    /// The machine comes up in this slot, without U-Boot.
    fn power_on(&mut self, slot: &'static str) {
        self.boots += 1;
        self.slot = slot;
        self.place.write("boot", format!("{:08x}-0000\n", self.boots).as_bytes());
    }

    /// The boot script's part, then user space's.
    fn boot(&mut self) -> String {
        let next = self.json(&["next"]);
        for store in next["stores"].as_array().unwrap() {
            let lines = store.as_object().unwrap().iter();
            let script: String = lines
                .map(|(name, value)| format!("{name}={}\n", value.as_str().unwrap_or_default()))
                .collect();
            self.place.script(script.as_bytes()).ok();
        }
        self.power_on(if next["slot"] == "A" { "A" } else { "B" });
        self.observe()
    }

    fn observe(&self) -> String {
        self.json(&["journal", "boot"])["finding"].as_str().unwrap().to_owned()
    }

    fn install(&self, target: &str, id: &str) {
        self.run(&["begin-install", target]).ok();
        self.run(&["finish-install", target, "--update", id]).ok();
    }

    /// A program that takes messages.
    fn hook(&self) {
        fs::create_dir(self.place.path("hooks")).unwrap();
        let hook = self.place.path("hooks/10-tell");
        let script = format!("#!/bin/sh\ncat \"$1\" >{}\n", self.place.path("taken").display());
        fs::write(&hook, script).unwrap();
        fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn taken(&self) -> Value {
        serde_json::from_slice(&self.place.read("taken")).unwrap()
    }

    fn records(&self) -> usize {
        self.json(&["journal", "show"])["records"].as_array().unwrap().len()
    }

    fn answers(&self) -> Vec<(String, String)> {
        let answers = self.json(&["diagnose"]);
        let of = |answer: &Value| {
            let text = |name: &str| answer[name].as_str().unwrap().to_owned();
            (text("question"), text("state"))
        };
        answers.as_array().unwrap().iter().map(of).collect()
    }

    fn wrong(&self) -> Vec<String> {
        self.answers()
            .into_iter()
            .filter(|(_, state)| state == "wrong")
            .map(|(question, _)| question)
            .collect()
    }
}

#[test]
fn a_quiet_device_writes_nothing_at_its_boots() {
    let mut life = Life::new();
    assert_eq!(life.boot(), "as-recorded");
    let records = life.records();
    for _ in 0..5 {
        assert_eq!(life.boot(), "as-recorded");
    }
    assert_eq!(life.records(), records);
    // A shutdown is recorded only where somebody will want to know of it.
    life.run(&["journal", "shutdown"]).ok();
    assert_eq!(life.records(), records);
    assert_eq!(life.wrong(), [""; 0]);
}

#[test]
fn without_a_folder_nothing_is_kept_and_that_is_said() {
    let life = Life::new();
    life.place.write("bootslot.toml", b"");
    assert_eq!(life.run(&["journal", "show"]).code, Some(2));
    let report = life.run(&["report"]).ok();
    assert!(report.contains("update:   none is known\n"), "{report}");
    assert!(report.contains("journal:  the settings name no folder for it: state\n"), "{report}");
    life.install("B", "id1");
    assert!(!life.place.path("state/journal.1").exists());
}

#[test]
fn orders_say_it_when_the_journal_is_lost_and_do_their_work() {
    let life = Life::new();
    fs::remove_dir_all(life.place.path("state")).unwrap();
    life.place.write("state", b"a file is in its place");
    let ran = life.run(&["begin-install", "B"]);
    assert_eq!(ran.code, Some(0));
    assert!(ran.err.contains("bootslot: the journal does not know of it: "), "{}", ran.err);
    assert!(life.place.stored().unwrap().contains(&"slot_B=bad".to_owned()));
}

#[test]
fn a_trial_that_runs_out_of_tries_is_told_refused_and_reported_once() {
    let mut life = Life::new();
    life.install("B", "id1");
    for _ in 0..3 {
        assert_eq!(life.boot(), "as-recorded");
        assert_eq!(life.slot, "B");
    }
    assert_eq!((life.boot().as_str(), life.slot), ("rolled-back", "A"));
    let report = life.json(&["report"]);
    assert_eq!(report["refused"][0]["update"], "id1");
    assert_eq!(report["refused"][0]["reason"], "tries");
    let update = &report["update"];
    assert_eq!(
        (&update["verdict"], &update["reason"], &update["boots"]),
        (&json!("rolled-back"), &json!("tries"), &json!(3))
    );
    assert_eq!(life.wrong(), ["boot"]);
    life.hook();
    let id = update["id"].as_str().unwrap();
    assert_eq!(life.run(&["report", "--send"]).ok().lines().count(), 1);
    let message = life.taken();
    assert_eq!((&message["id"], &message["update"]["stage"]), (&json!(id), &json!("rolled back")));
    // The environment has done its part; what failed stays refused.
    assert!(!life.place.stored().unwrap().iter().any(|record| record.starts_with("boot_failed=")));
    assert_eq!(life.json(&["report"])["refused"][0]["update"], "id1");
    assert_eq!(life.run(&["report", "--send"]).ok(), "");
}

/// What the journal, the report and the questions tell does not depend on who counts the boots.
#[test]
fn a_failed_trial_and_a_good_one_are_told_in_every_dialect() {
    let slots = "[[slot]]\nname = \"A\"\nvalue = \"2\"\n[[slot]]\nname = \"B\"\nvalue = \"3\"\n";
    let rauc = &["bootcmd=source", "BOOT_ORDER=A B", "BOOT_A_LEFT=9", "BOOT_B_LEFT=6"][..];
    let mender =
        &["bootcmd=x", "mender_boot_part=2", "mender_boot_part_hex=2", "upgrade_available=0", "bootlimit=3"];
    let counter = &["bootcmd=x", "rootpart=2", "upgrade_available=0", "bootlimit=3", "ustate=0"];
    for (settings, records) in [
        (format!("dialect = \"rauc\"\nreader = \"contrib\"\n{slots}"), rauc),
        (format!("dialect = \"rauc\"\nreader = \"bootmeth\"\n{slots}"), rauc),
        (format!("dialect = \"mender\"\nreader = \"mender\"\n{slots}"), mender),
        (
            format!(
                "dialect = \"bootcount\"\nslot-variable = \"rootpart\"\nreader = \"altbootcmd\"\n{slots}"
            ),
            counter,
        ),
    ] {
        let mut life = Life::speaking(&settings, records);
        // A boot of a confirmed slot adds nothing, also where it is counted.
        let quiet = life.records();
        assert_eq!(
            (life.boot().as_str(), life.slot, life.records()),
            ("as-recorded", "A", quiet),
            "{settings}"
        );
        life.install("B", "id1");
        for _ in 0..3 {
            assert_eq!((life.boot().as_str(), life.slot), ("as-recorded", "B"), "{settings}");
        }
        assert_eq!((life.boot().as_str(), life.slot), ("rolled-back", "A"), "{settings}");
        let report = life.json(&["report"]);
        let update = &report["update"];
        assert_eq!(
            (&update["verdict"], &update["reason"], &update["boots"]),
            (&json!("rolled-back"), &json!("tries"), &json!(3)),
            "{settings}"
        );
        assert_eq!(report["refused"][0]["update"], "id1", "{settings}");
        assert_eq!(life.wrong(), ["boot"], "{settings}");
        // The same update is refused, another one is confirmed in its last boot.
        life.run(&["begin-install", "B"]).ok();
        let again = life.run(&["finish-install", "B", "--update", "id1"]);
        assert_eq!(again.code, Some(5), "{settings}: {}", again.err);
        life.run(&["finish-install", "B", "--update", "id2"]).ok();
        for _ in 0..3 {
            assert_eq!((life.boot().as_str(), life.slot), ("as-recorded", "B"), "{settings}");
        }
        life.run(&["confirm"]).ok();
        let report = life.json(&["report"]);
        assert_eq!(
            (&report["update"]["update"], &report["update"]["verdict"]),
            (&json!("id2"), &json!("confirmed")),
            "{settings}"
        );
        assert_eq!(life.json(&["status"])["standing"], "confirmed", "{settings}");
        assert_eq!((life.boot().as_str(), life.slot), ("as-recorded", "B"), "{settings}");
        // Found unhealthy in the next trial: the evidence is stored with it.
        life.install("A", "id3");
        assert_eq!((life.boot().as_str(), life.slot), ("as-recorded", "A"), "{settings}");
        life.run(&["rollback", "--reason", "health"]).ok();
        assert!(life.place.stored().unwrap().contains(&"boot_failed=A:health:id3".to_owned()), "{settings}");
        assert_eq!((life.boot().as_str(), life.slot), ("as-recorded", "B"), "{settings}");
        assert_eq!(life.json(&["report"])["update"]["reason"], "health", "{settings}");
    }
}

/// A text without what differs from run to run, and without what is stored.
fn in_words(text: &str) -> String {
    let line = |line: &str| {
        let line = match line.split_once(" state=\"") {
            Some((before, stored)) => format!("{before}{}", stored.split_once('"').unwrap().1),
            None => line.to_owned(),
        };
        let is_time = |word: &str| word.len() >= 20 && word.starts_with("20") && word.contains('T');
        let words = line.split(' ').map(|word| if is_time(word) { "TIME" } else { word });
        words.collect::<Vec<_>>().join(" ") + "\n"
    };
    text.lines().map(line).collect()
}

/// The same lives in words. Who reads them does not have to know who counts the boots.
#[test]
fn what_is_told_in_words_is_the_same_in_every_dialect() {
    let slots = "[[slot]]\nname = \"A\"\nvalue = \"2\"\n[[slot]]\nname = \"B\"\nvalue = \"3\"\n";
    let native =
        &["bootcmd=run bootslot", "active_slot=A", "boot_success=1", "boot_try_count=0", "slot_A=good"][..];
    let rauc = &["bootcmd=source", "BOOT_ORDER=A B", "BOOT_A_LEFT=9", "BOOT_B_LEFT=3"][..];
    let mender =
        &["bootcmd=x", "mender_boot_part=2", "mender_boot_part_hex=2", "upgrade_available=0", "bootlimit=3"];
    let counter = &["bootcmd=x", "rootpart=2", "upgrade_available=0", "bootlimit=3", "ustate=0"];
    let mut told: Vec<(String, String)> = Vec::new();
    for (settings, records) in [
        (String::new(), native),
        ("dialect = \"rauc\"\nreader = \"contrib\"\n".into(), rauc),
        ("dialect = \"rauc\"\nreader = \"bootslot-rauc-uncounted\"\n".into(), rauc),
        ("dialect = \"mender\"\nreader = \"mender\"\n".into(), mender),
        ("dialect = \"bootcount\"\nslot-variable = \"rootpart\"\nreader = \"altbootcmd\"\n".into(), counter),
    ] {
        let mut life = Life::speaking(&format!("{settings}{slots}"), records);
        let mut texts = String::new();
        let mut tell = |life: &Life, when: &str| {
            texts += &format!("== {when}\n");
            for command in [&["report"][..], &["diagnose"], &["journal", "show"]] {
                texts += &in_words(&life.run(command).ok());
            }
        };
        life.install("B", "id1");
        for _ in 0..4 {
            life.boot();
        }
        tell(&life, "nobody has confirmed");
        life.install("B", "id2");
        life.boot();
        life.run(&["confirm"]).ok();
        life.boot();
        tell(&life, "confirmed");
        life.install("A", "id3");
        life.boot();
        life.run(&["rollback", "--reason", "health"]).ok();
        life.boot();
        tell(&life, "not healthy");
        told.push((settings, texts));
    }
    let (_, native) = &told[0];
    for line in EXPECTED {
        assert!(native.lines().any(|told| told == line), "{line:?} is not in\n{native}");
    }
    for (settings, texts) in &told[1..] {
        assert_eq!(texts, native, "{settings}");
    }
}

const EXPECTED: [&str; 12] = [
    "running:  slot A, version 1.0 (build one), confirmed",
    "update:   of an unknown version (id1) in slot B: rolled back (tries), TIME",
    "refused:  update id1 has failed here before, in slot B, with the reason tries",
    "boot:         WRONG    Slot B came up 3 times, and its tries were used up before anybody decided.",
    "TIME 00000005 boot slot=A finding=rolled-back version=1.0 build=one announced=no",
    "update:   of an unknown version (id2) in slot B: confirmed (confirm), TIME",
    "boot loader:  fine     The boot state is sound: slot B is confirmed.",
    "health:       fine     It was confirmed.",
    "TIME 00000006 order name=confirm",
    "update:   of an unknown version (id3) in slot A: rolled back (health), TIME",
    "health:       WRONG    The checks have decided against it.",
    "power cuts:   fine     Nothing is left half done.",
];

#[test]
fn success_is_told_after_the_confirmation_and_not_before() {
    let mut life = Life::new();
    life.hook();
    life.install("B", "id1");
    assert_eq!(life.run(&["report", "--send"]).ok(), "");
    assert_eq!(life.json(&["report"])["update"]["stage"], "waiting for the reboot");
    life.place.write("os-release", b"VERSION_ID=2.0\n");
    assert_eq!(life.boot(), "as-recorded");
    assert_eq!(life.json(&["report"])["update"]["stage"], "on trial");
    assert_eq!(life.run(&["report", "--send"]).ok(), "");
    life.run(&["confirm"]).ok();
    assert_eq!(life.run(&["report", "--send"]).ok().lines().count(), 1);
    let message = life.taken();
    assert_eq!(message["update"]["verdict"], "confirmed");
    assert_eq!((&message["device"]["version"], &message["device"]["slot"]), (&json!("2.0"), &json!("B")));
    assert_eq!(life.run(&["report", "--send"]).ok(), "");
    assert_eq!(life.wrong(), [""; 0]);
}

#[test]
fn the_environment_is_lost_and_a_slot_is_changed_by_hand() {
    let mut life = Life::new();
    life.install("B", "id1");
    assert_eq!(life.boot(), "as-recorded");
    life.run(&["confirm"]).ok();
    assert_eq!(life.boot(), "as-recorded");
    // Both copies are gone: U-Boot takes what it has compiled in, which is slot A.
    life.place.write("env.img", &vec![0xff; 2 * SIZE]);
    life.power_on("A");
    assert_eq!(life.observe(), "environment-lost");
    let report = life.run(&["report"]).ok();
    assert!(report.contains("found:    environment-lost, "), "{report}");
    assert_eq!(life.wrong()[0], "boot loader");

    let mut life = Life::new();
    assert_eq!(life.boot(), "as-recorded");
    life.place.script(b"active_slot=B\nboot_success=1\nslot_B=good\n").ok();
    life.power_on("B");
    assert_eq!(life.observe(), "changed-by-hand");
    // It is told once.
    life.power_on("B");
    assert_eq!(life.observe(), "as-recorded");
}

#[test]
fn what_is_reported_is_taken_once_by_each_program_in_the_folder() {
    let mut life = Life::new();
    assert_eq!(life.run(&["report", "--send"]).ok(), "");
    life.place.script(b"active_slot=B\nboot_success=1\nslot_B=good\n").ok();
    life.power_on("B");
    assert_eq!(life.observe(), "changed-by-hand");
    // Nobody is there to hear of it.
    let nobody = life.run(&["report", "--send"]);
    assert_eq!(nobody.code, Some(1));
    assert!(nobody.err.contains("nobody is to be told"), "{}", nobody.err);
    fs::create_dir(life.place.path("hooks")).unwrap();
    let hook = life.place.path("hooks/10-tell");
    let taken = life.place.path("taken");
    fs::write(&hook, format!("#!/bin/sh\ncat \"$1\" >>{}\nexit 3\n", taken.display())).unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(life.run(&["report", "--send"]).code, Some(5));
    fs::remove_file(&taken).unwrap();
    fs::write(&hook, format!("#!/bin/sh\ncat \"$1\" >>{}\n", taken.display())).unwrap();
    let sent = life.run(&["report", "--send"]).ok();
    assert!(sent.starts_with("Sent ") && sent.lines().count() == 1, "{sent}");
    let message: Value = serde_json::from_slice(&fs::read(&taken).unwrap()).unwrap();
    assert_eq!(message["kind"], "finding");
    assert_eq!(message["finding"]["finding"], "changed-by-hand");
    assert_eq!(message["device"]["slot"], json!("B"));
    assert_eq!(life.run(&["report", "--send"]).ok(), "");
}

#[test]
fn an_update_is_allowed_again() {
    let mut life = Life::new();
    life.install("B", "id1");
    life.boot();
    life.run(&["rollback", "--reason", "health"]).ok();
    assert_eq!(life.boot(), "as-recorded");
    assert!(!life.run(&["begin-install", "B"]).ok().is_empty());
    let stored = life.place.stored().unwrap();
    assert!(stored.contains(&"bootslot_refused=id1".to_owned()), "{stored:?}");
    let refused = life.run(&["finish-install", "B", "--update", "id1"]);
    assert_eq!(refused.code, Some(5));
    life.run(&["allow", "id1"]).ok();
    let stored = life.place.stored().unwrap();
    assert!(!stored.iter().any(|record| record.starts_with("bootslot_refused=")), "{stored:?}");
    assert_eq!(life.json(&["report"])["refused"], json!([]));
    life.run(&["finish-install", "B", "--update", "id1"]).ok();
}

#[test]
fn a_damaged_journal_is_told_and_read_as_far_as_it_goes() {
    let life = Life::new();
    life.install("B", "id1");
    let mut bytes = life.place.read("state/journal");
    bytes[30] ^= 1;
    life.place.write("state/journal", &bytes);
    let shown = life.run(&["journal", "show"]).ok();
    assert!(shown.ends_with("1 lines are damaged\n") && shown.contains(" order "), "{shown}");
    assert!(life.wrong().contains(&"power cuts".to_owned()));
}

#[test]
fn a_way_back_that_is_closed_is_no_installation_that_was_cut() {
    let mut life = Life::new();
    life.place.write("bootslot.toml", b"state = \"state\"\n[update]\nprevent-late-fallback = true\n");
    life.install("B", "id1");
    life.boot();
    life.run(&["confirm"]).ok();
    assert!(life.place.stored().unwrap().contains(&"slot_A=bad".to_owned()));
    assert_eq!(life.wrong(), [""; 0]);
    // Without this setting the same mark is what a cut has left of an installation.
    life.place.write("bootslot.toml", b"state = \"state\"\n");
    assert_eq!(life.wrong(), ["write target"]);
}

/// Nobody has found it bad: it may come again.
#[test]
fn an_update_whose_trial_was_lost_with_the_environment_is_not_to_blame() {
    let mut life = Life::new();
    life.install("B", "id1");
    assert_eq!(life.boot(), "as-recorded");
    life.place.write("env.img", &vec![0xff; 2 * SIZE]);
    life.power_on("A");
    assert_eq!(life.observe(), "environment-lost");
    let report = life.json(&["report"]);
    assert_eq!((&report["update"]["verdict"], &report["refused"]), (&json!("abandoned"), &json!([])));
}

/// An order to give it up was about to be stored when the environment was lost: it has failed all the same.
#[test]
fn an_update_that_was_given_up_stays_refused_when_the_environment_is_lost() {
    let mut life = Life::new();
    life.install("B", "id1");
    assert_eq!(life.boot(), "as-recorded");
    life.run(&["rollback", "--reason", "health"]).ok();
    life.place.write("env.img", &vec![0xff; 2 * SIZE]);
    life.power_on("A");
    assert_eq!(life.observe(), "environment-lost");
    let report = life.json(&["report"]);
    let update = &report["update"];
    assert_eq!(
        (&update["verdict"], &update["reason"], &report["refused"][0]["update"]),
        (&json!("rolled-back"), &json!("health"), &json!("id1"))
    );
}

/// The environment is lost while a slot is being written. What U-Boot has compiled in says nothing of that slot, the journal
/// does: once the running system is confirmed, the other slot never boots until it is whole.
#[test]
fn a_half_written_slot_gets_its_mark_again_after_the_environment_was_lost() {
    let native = String::new();
    let slots = "[[slot]]\nname = \"A\"\nvalue = \"2\"\n[[slot]]\nname = \"B\"\nvalue = \"3\"\n";
    let rauc = format!("dialect = \"rauc\"\nreader = \"contrib\"\n{slots}");
    let mender = format!("dialect = \"mender\"\nreader = \"mender\"\n{slots}");
    // What is stored before the loss, and what U-Boot stores behind it.
    for (settings, before, after, marked) in [
        (
            &native,
            &["active_slot=A", "boot_success=1", "slot_A=good", "slot_B=good"][..],
            &["active_slot=A", "boot_success=0", "boot_try_count=2"][..],
            "slot_B=bad",
        ),
        (
            &rauc,
            &["BOOT_ORDER=A B", "BOOT_A_LEFT=9", "BOOT_B_LEFT=9"],
            &["BOOT_ORDER=A B", "BOOT_A_LEFT=2", "BOOT_B_LEFT=3"],
            "BOOT_ORDER=A",
        ),
        (
            &mender,
            &["mender_boot_part=2", "mender_boot_part_hex=2", "upgrade_available=0", "bootlimit=3"],
            &["mender_boot_part=2", "mender_boot_part_hex=2", "upgrade_available=0", "bootlimit=3"],
            "slot_B=bad",
        ),
    ] {
        for updates in [true, false] {
            let mut life = Life::speaking(settings, before);
            life.run(&["begin-install", "B"]).ok();
            if updates {
                // Other boots and orders do not make it forgotten.
                life.power_on("A");
                life.observe();
                life.run(&["acknowledge"]).ok();
            }
            life.place.write("env.img", &[image(Some(1), after, SIZE), vec![0xff; SIZE]].concat());
            life.power_on("A");
            life.observe();
            life.run(&["confirm"]).ok();
            let stored = life.place.stored().unwrap();
            assert!(stored.contains(&marked.to_owned()), "{settings}: {stored:?}");
            // It is whole again when it was written again.
            life.run(&["begin-install", "B"]).ok();
            life.run(&["finish-install", "B"]).ok();
            assert!(!life.place.stored().unwrap().contains(&marked.to_owned()));
        }
        // A slot that was written whole gets no mark.
        let mut life = Life::speaking(settings, before);
        life.install("B", "id1");
        life.place.write("env.img", &[image(Some(1), after, SIZE), vec![0xff; SIZE]].concat());
        life.power_on("A");
        life.observe();
        life.run(&["confirm"]).ok();
        assert!(!life.place.stored().unwrap().contains(&marked.to_owned()), "{settings}");
    }
}

/// Each line is about the slot that runs, and about the update it names.
#[test]
fn the_report_speaks_of_the_slot_that_runs() {
    let mut life = Life::new();
    let running = |life: &Life| life.run(&["report"]).ok().lines().next().unwrap().to_owned();
    assert!(running(&life).ends_with("slot A, version 1.0 (build one), confirmed"), "{}", running(&life));
    life.install("B", "id1");
    assert!(
        running(&life).ends_with("slot A, version 1.0 (build one), good, slot B boots next"),
        "{}",
        running(&life)
    );
    life.boot();
    assert!(
        running(&life).ends_with("slot B, version 1.0 (build one), on trial, 2 tries left"),
        "{}",
        running(&life)
    );
    life.run(&["rollback", "--reason", "health"]).ok();
    assert!(
        running(&life).ends_with("slot B, version 1.0 (build one), given up, slot A boots next"),
        "{}",
        running(&life)
    );
}

/// A decision was recorded, and never carried out: the tries ran out.
#[test]
fn a_decision_that_was_not_carried_out_is_told_as_what_it_was() {
    for (on_failure, code, says) in [
        ("reboot", 7, "because the checks asked for another boot each time"),
        ("wait", 8, "while its checks waited for somebody to decide"),
    ] {
        let mut life = Life::new();
        let check =
            format!("[[health.check]]\nname = \"fit\"\ncommand = [\"false\"]\non-failure = {on_failure:?}\n");
        let settings = format!(
            "state = \"state\"\n[health]\nsettle = \"1s\"\ndeadline = \"2s\"\nstandard = false\n{check}"
        );
        life.place.write("bootslot.toml", settings.as_bytes());
        life.install("B", "id1");
        for _ in 0..3 {
            assert_eq!(life.boot(), "as-recorded");
            let ended = life.run(&["health", "--confirm"]).code;
            assert!(ended == Some(code) || ended == Some(6), "{on_failure}: {ended:?}");
        }
        life.boot();
        let answers = life.json(&["diagnose"]);
        let text = answers.to_string();
        let reason = life.json(&["report"])["update"]["reason"].clone();
        match reason.as_str() {
            Some("tries") => assert!(text.contains(says), "{on_failure}: {text}"),
            other => assert_eq!(other, Some("health"), "{on_failure}: {text}"),
        }
        assert!(life.wrong().contains(&"health".to_owned()), "{on_failure}: {:?}", life.wrong());
    }
}

/// The environment is lost before the update was ever seen running, and while it was being written.
#[test]
fn what_was_lost_with_the_environment_is_no_success() {
    let mut life = Life::new();
    life.install("B", "id1");
    life.place.write("env.img", &vec![0xff; 2 * SIZE]);
    life.power_on("A");
    assert_eq!(life.observe(), "environment-lost");
    let said = life.run(&["diagnose"]).ok();
    assert!(
        said.contains("was lost with the environment") && said.contains("was not seen running"),
        "{said}"
    );
    assert!(!said.contains("came up"), "{said}");
    let mut life = Life::new();
    life.run(&["begin-install", "B"]).ok();
    life.run(&["finish-install", "B", "--update", "id1"]).ok();
    life.run(&["begin-install", "B"]).ok();
    life.place.write("env.img", &vec![0xff; 2 * SIZE]);
    life.power_on("A");
    assert_eq!(life.observe(), "environment-lost");
    let said = life.run(&["diagnose"]).ok();
    assert!(said.contains("slot B is half-written") && !said.contains("was written and read back"), "{said}");
}

/// A power cut between the acknowledgement and its record: the message goes out once more, under the same id.
#[test]
fn a_failure_that_was_sent_is_acknowledged_also_after_a_power_cut() {
    let mut life = Life::new();
    life.hook();
    life.install("B", "id1");
    life.boot();
    life.run(&["rollback", "--reason", "health"]).ok();
    life.boot();
    let journal = life.place.read("state/journal");
    life.run(&["report", "--send"]).ok();
    let failed =
        |life: &Life| life.place.stored().unwrap().iter().any(|record| record.starts_with("boot_failed="));
    assert!(!failed(&life));
    // What was recorded last is lost.
    life.place.write("state/journal", &journal);
    let sent = life.run(&["report", "--send"]).ok();
    assert_eq!(sent.lines().count(), 1, "{sent}");
    assert!(!failed(&life));
    assert_eq!(life.run(&["report", "--send"]).ok(), "");
}

/// A report by HTTP: as JSON, until the server has taken it.
#[cfg(feature = "http")]
#[test]
fn a_report_is_posted_until_the_server_has_it() {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/in?token=hunter2", listener.local_addr().unwrap());
    // The first answer is that it is busy.
    let server = std::thread::spawn(move || {
        let answers = ["503 Busy\r\nRetry-After: 0", "204 Fine"];
        let took = |answer: &str| {
            let (mut stream, _) = listener.accept().unwrap();
            let (mut text, mut buf) = (Vec::new(), [0; 4096]);
            loop {
                let got = stream.read(&mut buf).unwrap();
                text.extend(&buf[..got]);
                let all = String::from_utf8_lossy(&text).into_owned();
                let Some((head, body)) = all.split_once("\r\n\r\n") else { continue };
                let length = head
                    .lines()
                    .find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
                if body.len() >= length.unwrap_or(0) {
                    let answer =
                        format!("HTTP/1.1 {answer}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
                    stream.write_all(answer.as_bytes()).unwrap();
                    return (head.to_owned(), body.to_owned());
                }
            }
        };
        answers.map(took)
    });
    let mut life = Life::new();
    life.install("B", "id1");
    life.boot();
    life.run(&["rollback", "--reason", "health"]).ok();
    life.boot();
    let settings = format!("state = \"state\"\n[report]\nurl = {url:?}\nhooks = \"hooks\"\n");
    life.place.write("bootslot.toml", settings.as_bytes());
    let sent = life.run(&["report", "--send", "--retry-for", "20"]).ok();
    assert!(sent.starts_with("Sent id1.") && !sent.contains("hunter2"), "{sent}");
    let [busy, taken] = server.join().unwrap();
    assert_eq!(busy.1, taken.1, "the same message");
    assert!(
        taken.0.starts_with("POST /in?token=hunter2 ") && taken.0.to_lowercase().contains("application/json")
    );
    let message: Value = serde_json::from_str(&taken.1).unwrap();
    assert_eq!((&message["kind"], &message["update"]["verdict"]), (&json!("update"), &json!("rolled-back")));
    assert_eq!(life.run(&["report", "--send"]).ok(), "");
}

/// The data partition is lost in mid-trial: what the checks say then is told all the same.
#[test]
fn a_trial_that_the_journal_does_not_know_of_is_told_from_then_on() {
    let mut life = Life::new();
    life.install("B", "id1");
    assert_eq!(life.boot(), "as-recorded");
    fs::remove_dir_all(life.place.path("state")).unwrap();
    let check = "[[health.check]]\nname = \"fit\"\ncommand = [\"false\"]\non-failure = \"roll-back\"\n";
    life.place
        .write("bootslot.toml", format!("state = \"state\"\n[health]\nstandard = false\n{check}").as_bytes());
    life.power_on("B");
    assert_eq!(life.observe(), "first");
    assert_eq!(life.run(&["health", "--confirm"]).code, Some(6));
    life.boot();
    let update = &life.json(&["report"])["update"];
    assert_eq!((&update["update"], &update["reason"]), (&json!("id1"), &json!("health")));
    assert!(update["evidence"].to_string().contains("check fit"), "{update}");
    assert_eq!(life.wrong(), ["health"]);
}
