//! `bootslot health`: what each end of a trial prints, stores and returns, with real checks that pass, fail and hang.
//!
//! Nothing here reboots: the settings name a program of the test's own, and --force is never given.
#![cfg(all(feature = "cli", feature = "health"))]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod cli_support;

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use cli_support::*;
use serde_json::Value;

const CONFIRMED: [&str; 4] = ["active_slot=A", "boot_success=1", "slot_A=good", "slot_B=good"];
const ON_TRIAL: [&str; 6] = [
    "active_slot=B",
    "boot_success=0",
    "boot_try_count=2",
    "rollback_slot=A",
    "slot_A=good",
    "boot_update=0123456789abcdef",
];
/// The exit codes.
const ROLLED_BACK: i32 = 6;
const ANOTHER_TRY: i32 = 7;
const WAITS: i32 = 8;

/// A place with these settings: no standard checks, a reboot that only leaves a file, and short times.
fn place(records: &[&str], checks: &str) -> Place {
    let place = Place::redundant(records);
    let folder = place.path("health.d");
    fs::create_dir(&folder).unwrap();
    let head = format!(
        "[health]\nsettle = \"1s\"\ndeadline = \"4s\"\nstandard = false\nfolders = [{folder:?}]\n\
         baseline = {:?}\nreboot = [\"touch\", {:?}]\nreboot-limit = \"1s\"\n",
        place.path("baseline"),
        place.path("rebooted"),
    );
    place.write("bootslot.toml", (head + checks).as_bytes());
    place
}

/// An executable check.
fn script(place: &Place, path: &str, text: &str) {
    fs::create_dir_all(place.path(path).parent().unwrap()).unwrap();
    place.write(path, format!("#!/bin/sh\n{text}\n").as_bytes());
    fs::set_permissions(place.path(path), fs::Permissions::from_mode(0o755)).unwrap();
}

fn command(place: &Place, running: &str, args: &[&str]) -> Command {
    let mut command = place.command("bootslot");
    command.arg("health").args(["-c", "fw_env.config", "-l", "lock", "--settings"]);
    command.arg(place.path("bootslot.toml")).args(["--slot", running, "--script", "2"]).args(args);
    command
}

fn health(place: &Place, running: &str, args: &[&str]) -> Ran {
    run(&mut command(place, running, args))
}

/// With `--json`: the exit code and the report.
fn report(place: &Place, running: &str, args: &[&str]) -> (Option<i32>, Value) {
    let ran = health(place, running, &[args, &["--json"]].concat());
    (ran.code, serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}")))
}

fn state(place: &Place) -> String {
    let mut records = place.stored().unwrap();
    records.sort();
    records.join(" ")
}

#[test]
fn a_healthy_trial_is_confirmed_after_the_settling_time() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let checks = format!(
        "[[health.check]]\nname = \"slot\"\nslot = true\n\
         [[health.check]]\nname = \"null\"\ndevice = \"/dev/null\"\n\
         [[health.check]]\nname = \"proc\"\nmount = \"/proc\"\n\
         [[health.check]]\nname = \"true\"\ncommand = [\"true\"]\n\
         [[health.check]]\nname = \"backend\"\ntcp = \"{}\"\n",
        listener.local_addr().unwrap()
    );
    let place = place(&ON_TRIAL, &checks);
    script(&place, "health.d/10-own", "echo fine");
    // Without --confirm nothing is stored.
    let before = place.read("env.img");
    // The settling time, and a second at the most; others compute on this machine as well.
    let mut best = Duration::MAX;
    for _ in 0..3 {
        let begin = Instant::now();
        health(&place, "B", &[]).ok();
        assert!(begin.elapsed() >= Duration::from_secs(1));
        best = best.min(begin.elapsed());
    }
    eprintln!("decided after {best:?}");
    assert!(best < Duration::from_secs(2), "{best:?}");
    let said = health(&place, "B", &[]).ok();
    assert!(said.contains("\nHealthy, after "), "{said}");
    assert!(said.contains("passed slot: slot B\n") && said.contains("10-own: fine\n"), "{said}");
    assert!(place.read("env.img") == before);
    let (code, report) = report(&place, "B", &["--confirm"]);
    assert_eq!((code, &report["decision"]), (Some(0), &Value::from("healthy")));
    assert!(state(&place).contains("boot_success=1") && state(&place).contains("slot_B=good"));
    // Each check was made at the start and at the end.
    assert!(report["checks"].as_array().unwrap().iter().all(|check| check["runs"].as_u64() >= Some(2)));
    let said = health(&place, "B", &["--confirm"]).ok();
    assert_eq!(said, "Nothing to decide: slot B is confirmed\n");
}

/// Who counts the boots is nothing to the checks: a trial is confirmed or given up in every dialect, and a confirmed slot
/// is left alone, also in a boot that was counted.
#[test]
fn a_trial_is_decided_in_every_dialect() {
    let slots = "[[slot]]\nname = \"A\"\nvalue = \"2\"\n[[slot]]\nname = \"B\"\nvalue = \"3\"\n";
    let rauc = (
        format!("dialect = \"rauc\"\nreader = \"contrib\"\n{slots}"),
        &["BOOT_ORDER=B A", "BOOT_A_LEFT=8", "BOOT_B_LEFT=0", "boot_update=B:id"][..],
        "BOOT_A_LEFT=8 BOOT_B_LEFT=9 BOOT_ORDER=B A",
        "BOOT_A_LEFT=8 BOOT_B_LEFT=0 BOOT_ORDER=A B boot_failed=B:health:id bootslot_refused=id",
    );
    let mender = (
        format!("dialect = \"mender\"\nreader = \"mender\"\n{slots}"),
        &[
            "mender_boot_part=3",
            "mender_boot_part_hex=3",
            "upgrade_available=1",
            "bootcount=1",
            "bootlimit=1",
            "boot_update=B:id",
        ][..],
        "bootcount=1 bootlimit=1 mender_boot_part=3 mender_boot_part_hex=3 upgrade_available=0",
        "boot_failed=B:health:id bootcount=1 bootlimit=1 bootslot_refused=id mender_boot_part=2 mender_boot_part_hex=2 slot_B=failed \
         upgrade_available=0",
    );
    let counter = (
        format!("dialect = \"bootcount\"\nslot-variable = \"rootpart\"\nreader = \"altbootcmd\"\n{slots}"),
        &[
            "rootpart=3",
            "upgrade_available=1",
            "bootcount=1",
            "bootlimit=1",
            "ustate=1",
            "recovery_status=in_progress",
            "boot_update=B:id",
        ][..],
        "bootcount=1 bootlimit=1 rootpart=3 upgrade_available=0 ustate=0",
        "boot_failed=B:health:id bootcount=1 bootlimit=1 bootslot_refused=id rootpart=2 slot_B=failed upgrade_available=0 ustate=3",
    );
    for (settings, records, confirmed, given_up) in [rauc, mender, counter] {
        for (check, code, left) in [("true", 0, confirmed), ("false", ROLLED_BACK, given_up)] {
            let place = place(records, &format!("[[health.check]]\nname = \"x\"\ncommand = [\"{check}\"]\n"));
            let own = String::from_utf8(place.read("bootslot.toml")).unwrap();
            place.write("bootslot.toml", format!("{settings}\n{own}").as_bytes());
            let ran = health(&place, "B", &["--confirm"]);
            assert_eq!((ran.code, state(&place).as_str()), (Some(code), left), "{settings}: {ran:?}");
        }
    }
    // One boot later: RAUC's boot code has counted a confirmed slot.
    let place = place(&["BOOT_ORDER=B A", "BOOT_A_LEFT=8", "BOOT_B_LEFT=8"], "");
    let own = String::from_utf8(place.read("bootslot.toml")).unwrap();
    place.write("bootslot.toml", format!("dialect = \"rauc\"\nreader = \"bootmeth\"\n{own}").as_bytes());
    let before = place.read("env.img");
    assert_eq!(health(&place, "B", &["--confirm"]).ok(), "Nothing to decide: slot B is confirmed\n");
    assert!(place.read("env.img") == before);
}

#[test]
fn each_bad_end_has_its_code_and_only_one_of_them_gives_the_slot_up() {
    let cases = [
        ("roll-back", "false", ROLLED_BACK, "roll-back"),
        ("retry", "false", ROLLED_BACK, "roll-back"),
        ("reboot", "false", ANOTHER_TRY, "reboot"),
        ("wait", "false", WAITS, "wait"),
        ("degraded", "false", 0, "degraded"),
    ];
    for (on_failure, command, expected, decision) in cases {
        let check = format!(
            "[[health.check]]\nname = \"x\"\ncommand = [\"{command}\"]\non-failure = \"{on_failure}\"\n"
        );
        let place = place(&ON_TRIAL, &check);
        let begin = Instant::now();
        let (code, report) = report(&place, "B", &["--confirm", "--reboot"]);
        assert!(begin.elapsed() < Duration::from_secs(7), "{on_failure}: {:?}", begin.elapsed());
        assert_eq!((code, &report["decision"]), (Some(expected), &Value::from(decision)), "{on_failure}");
        assert_eq!(report["because_of"], serde_json::json!(["x"]), "{on_failure}");
        let stored = state(&place);
        match expected {
            ROLLED_BACK => assert!(
                stored.contains("active_slot=A") && stored.contains("boot_failed=B:health:0123456789abcdef"),
                "{stored}"
            ),
            0 => assert!(stored.contains("boot_success=1") && stored.contains("active_slot=B"), "{stored}"),
            _ => assert!(stored.contains("boot_success=0") && stored.contains("active_slot=B"), "{stored}"),
        }
        let reboots = [ROLLED_BACK, ANOTHER_TRY].contains(&expected);
        assert_eq!(place.path("rebooted").exists(), reboots, "{on_failure}");
    }
}

#[test]
fn a_trial_that_waits_for_somebody_says_so() {
    let check = "[[health.check]]\nname = \"x\"\ncommand = [\"false\"]\non-failure = \"wait\"\n";
    let place = place(&ON_TRIAL, check);
    let settings = place.read("bootslot.toml");
    let state = format!("state = {:?}\n", place.path("state"));
    place.write("bootslot.toml", &[state.as_bytes(), &settings].concat());
    let status = |args: &[&str]| {
        let mut command = place.command("bootslot");
        command.args(["status", "-c", "fw_env.config", "-l", "lock", "--settings"]);
        run(command.arg(place.path("bootslot.toml")).args(["--slot", "B", "--script", "2"]).args(args)).ok()
    };
    assert!(!status(&[]).contains("WAITS"));
    assert_eq!(report(&place, "B", &["--confirm"]).0, Some(WAITS));
    let line = "WAITS:        slot B, for these checks: x: bootslot confirm, or bootslot rollback\n";
    assert!(status(&[]).contains(line), "{}", status(&[]));
    let json: Value = serde_json::from_str(&status(&["--json"])).unwrap();
    assert_eq!(json["waits"][0]["next"], "bootslot confirm, or bootslot rollback");
    // Somebody decides.
    let mut confirm = place.command("bootslot");
    confirm.args(["confirm", "-c", "fw_env.config", "-l", "lock", "--slot", "B", "--script", "2"]);
    run(confirm.arg("--settings").arg(place.path("bootslot.toml"))).ok();
    assert!(!status(&[]).contains("WAITS"));
}

#[test]
fn the_last_try_is_given_up_and_is_not_decided_twice() {
    let check =
        "[[health.check]]\nname = \"x\"\ncommand = [\"false\"]\non-failure = \"reboot\"\nblame = false\n";
    let place = place(
        &ON_TRIAL.map(|record| record.replace("count=2", "count=0")).each_ref().map(String::as_str),
        check,
    );
    let (code, report) = report(&place, "B", &[]);
    assert_eq!(
        (code, &report["decision"], &report["blame"]),
        (Some(ROLLED_BACK), &"roll-back".into(), &false.into())
    );
    assert!(!place.path("rebooted").exists(), "nobody has allowed it");
    // It still runs, until somebody reboots.
    let before = place.read("env.img");
    let ran = health(&place, "B", &["--confirm"]);
    assert_eq!(
        (ran.code, &*ran.out),
        (Some(ROLLED_BACK), "Nothing to decide: slot B has failed; it takes a reboot to leave it\n")
    );
    assert!(place.read("env.img") == before);
}

#[test]
fn what_hangs_floods_or_dies_is_decided_by_the_deadline() {
    let place = place(&ON_TRIAL, "");
    script(&place, "health.d/1-deaf", "trap '' TERM; echo waiting; while :; do sleep 1; done");
    script(&place, "health.d/2-flood", "trap '' TERM; yes");
    script(&place, "health.d/3-left", "sleep 1000 & echo left; exit 0");
    script(&place, "health.d/4-dies", "kill -SEGV $$");
    let begin = Instant::now();
    let (code, report) = report(&place, "B", &[]);
    assert!(begin.elapsed() < Duration::from_secs(8), "{:?}", begin.elapsed());
    assert_eq!(code, Some(ROLLED_BACK));
    let said = |number: usize| report["checks"][number]["says"].as_str().unwrap().to_owned();
    assert!(said(0).contains("waiting"), "{}", said(0));
    assert!(said(1).len() <= 4200 && said(1).contains("y\ny\n"));
    assert_eq!((said(2).as_str(), &report["checks"][2]["result"]), ("left", &"passed".into()));
    assert_eq!(said(3), "killed by signal 11");
    let names: Vec<String> = [1, 2, 4]
        .iter()
        .zip(["deaf", "flood", "dies"])
        .map(|(number, name)| place.path(format!("health.d/{number}-{name}")).display().to_string())
        .collect();
    assert_eq!(report["because_of"], serde_json::json!(names));
}

#[test]
fn what_the_old_system_failed_as_well_is_no_regression() {
    let down = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let checks = format!("[[health.check]]\nname = \"backend\"\ntcp = \"{down}\"\n[[health.check]]\nname = \"true\"\ncommand = [\"true\"]\n");
    let place = place(&ON_TRIAL, &checks);
    // Network down only after.
    let (code, report_without) = report(&place, "B", &["--confirm"]);
    assert_eq!((code, &report_without["blame"]), (Some(ROLLED_BACK), &false.into()), "{report_without}");
    // Down before, and after.
    let place = self::place(&ON_TRIAL, &checks);
    let said = health(&place, "A", &["--record"]).ok();
    assert!(said.contains("failed backend: "), "{said}");
    let recorded = String::from_utf8(place.read("baseline")).unwrap();
    assert_eq!(recorded, "bootslot-baseline 1\nupdate 0123456789abcdef\nfailed backend\npassed true\nend\n");
    let said = health(&place, "B", &["--confirm"]).ok();
    assert!(said.contains("Degraded") && said.contains("(as before the update)\n"), "{said}");
    assert!(state(&place).contains("boot_success=1"));
    // The record of another update, or half a record, excuses nothing.
    for (wrong, says) in [
        (recorded.replace("0123456789abcdef", "fedcba9876543210"), "another update"),
        (recorded.replace("end\n", ""), "cut off"),
    ] {
        let place = self::place(&ON_TRIAL, &checks);
        place.write("baseline", wrong.as_bytes());
        let ran = health(&place, "B", &["--confirm"]);
        assert_eq!(ran.code, Some(ROLLED_BACK));
        assert!(ran.err.contains(says), "{}", ran.err);
    }
}

#[test]
fn a_service_that_comes_up_late_is_waited_for_and_one_that_breaks_does_not_pass() {
    let place = place(&ON_TRIAL, "");
    script(&place, "health.d/late", "test -e \"$0.up\" || { touch \"$0.up\"; echo not yet; exit 1; }");
    let said = health(&place, "B", &[]).ok();
    assert!(said.contains("failed") && said.contains("\nHealthy, after "), "{said}");
    // It passes once, and no more.
    let place = self::place(&ON_TRIAL, "");
    script(&place, "health.d/breaks", "test ! -e \"$0.up\" && touch \"$0.up\"");
    assert_eq!(health(&place, "B", &[]).code, Some(ROLLED_BACK));
}

#[test]
fn greenboot_s_folders_are_taken_as_they_are() {
    let place = Place::redundant(&ON_TRIAL);
    let folder = place.path("greenboot");
    place.write(
        "bootslot.toml",
        format!("[health]\nsettle = \"0s\"\ndeadline = \"4s\"\nstandard = false\nfolders = []\ngreenboot = [{folder:?}]\n").as_bytes(),
    );
    script(&place, "greenboot/required.d/01_ok", "exit 0");
    script(&place, "greenboot/wanted.d/02_bad", "echo no; exit 1");
    // Not executable, and it says which shell it was written for.
    place.write("greenboot/required.d/03_plain.sh", b"[[ -n $BASH_VERSION ]] || test -n \"$0\"\n");
    let (code, first) = report(&place, "B", &[]);
    assert_eq!((code, &first["decision"]), (Some(0), &"degraded".into()), "{first}");
    script(&place, "greenboot/required.d/04_bad", "exit 3");
    let (code, second) = report(&place, "B", &[]);
    assert_eq!((code, &second["decision"]), (Some(ANOTHER_TRY), &"reboot".into()), "{second}");
}

#[test]
fn without_a_trial_nothing_is_decided_and_a_look_stores_nothing() {
    let check = "[[health.check]]\nname = \"x\"\ncommand = [\"sh\", \"-c\", \"echo broken; exit 1\"]\n";
    let place = place(&CONFIRMED, check);
    let before = place.read("env.img");
    assert_eq!(
        health(&place, "A", &["--confirm", "--reboot"]).ok(),
        "Nothing to decide: slot A is confirmed\n"
    );
    let ran = health(&place, "A", &["--check"]);
    assert_eq!((ran.code, ran.out.contains("failed x: broken\n")), (Some(1), true), "{ran:?}");
    assert!(place.read("env.img") == before && !place.path("rebooted").exists());
    for wrong in [&["--check", "--confirm"][..], &["--force"], &["--record", "--reboot"]] {
        assert_eq!(health(&place, "A", wrong).code, Some(2), "{wrong:?}");
    }
}

#[test]
fn a_watchdog_is_fed_while_the_decision_is_open() {
    for (on_failure, ends_with) in [("degraded", 'V'), ("retry", 'k')] {
        let place = place(&ON_TRIAL, "");
        let device = place.path("watchdog");
        fs::write(&device, "").unwrap();
        let settings = String::from_utf8(place.read("bootslot.toml")).unwrap();
        let more = format!("watchdog = {device:?}\n[[health.check]]\nname = \"x\"\ncommand = [\"false\"]\non-failure = \"{on_failure}\"\n");
        place.write("bootslot.toml", (settings + &more).as_bytes());
        health(&place, "B", &[]);
        let fed = fs::read_to_string(&device).unwrap();
        assert!(fed.starts_with('k') && fed.ends_with(ends_with), "{on_failure}: {fed}");
        assert_eq!(fed.contains('V'), ends_with == 'V');
        // Once a second: of one second, and of four.
        assert!((1..=6).contains(&fed.matches('k').count()), "{fed}");
    }
}

#[test]
fn it_needs_little_memory() {
    let place = place(&ON_TRIAL, "[[health.check]]\nname = \"null\"\ndevice = \"/dev/null\"\n");
    for number in 0..10 {
        script(&place, &format!("health.d/{number}"), "sleep 0.2; seq 1 20000");
    }
    let mut child = command(&place, "B", &[]).stdout(Stdio::null()).spawn().unwrap();
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let now = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
        peak = peak.max(now.unwrap_or(0));
        std::thread::sleep(Duration::from_millis(20));
    }
    eprintln!("peak: {peak} KiB");
    // What is promised holds for a program that is built for size; this one may be larger.
    let longest = if cfg!(debug_assertions) { 16_384 } else { 8192 };
    assert!((1000..=longest).contains(&peak), "{peak} KiB");
}

/// A disk that answers no more: here the journal is a pipe that nobody writes to.
#[test]
fn a_journal_that_hangs_does_not_keep_a_trial_from_its_end() {
    let place = place(&ON_TRIAL, "[[health.check]]\nname = \"null\"\ndevice = \"/dev/null\"\n");
    let settings = String::from_utf8(place.read("bootslot.toml")).unwrap().replace("\"4s\"", "\"2s\"");
    place.write("bootslot.toml", format!("state = {:?}\n{settings}", place.path("state")).as_bytes());
    fs::create_dir(place.path("state")).unwrap();
    let journal = place.path("state/journal");
    assert!(Command::new("mkfifo").arg(&journal).status().unwrap().success());
    let before = place.read("env.img");
    let ran = health(&place, "B", &["--reboot"]);
    assert_eq!(ran.code, Some(ANOTHER_TRY), "{ran:?}");
    assert!(ran.err.contains("something hangs"), "{ran:?}");
    assert!(place.path("rebooted").exists() && place.read("env.img") == before);
    // A confirmed system is left alone: it is no trial.
    fs::remove_file(place.path("rebooted")).unwrap();
    place.write("env.img", &[image(Some(1), &CONFIRMED, SIZE), vec![0xff; SIZE]].concat());
    let mut child =
        command(&place, "A", &["--reboot"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(Duration::from_secs(13));
    let lives = child.try_wait().unwrap().is_none();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(
        !place.path("rebooted").exists(),
        "it has rebooted; it {}",
        if lives { "waits" } else { "has ended" }
    );
}

#[test]
fn who_asks_hears_whether_it_is_a_trial_and_a_record_can_wait_for_one() {
    let place = place(&ON_TRIAL, "[[health.check]]\nname = \"null\"\ndevice = \"/dev/null\"\n");
    for (running, code) in [("B", 0), ("A", 1)] {
        let ran = health(&place, running, &["--on-trial"]);
        assert_eq!((ran.code, ran.out.as_str()), (Some(code), ""), "{running}: {ran:?}");
    }
    // The slot on trial records nothing for itself; the old one records it for the other.
    health(&place, "B", &["--record", "--pending"]).ok();
    assert!(!place.path("baseline").exists());
    health(&place, "A", &["--record", "--pending"]).ok();
    assert!(place.path("baseline").exists());
    fs::remove_file(place.path("baseline")).unwrap();
    place.write("env.img", &[image(Some(1), &CONFIRMED, SIZE), vec![0xff; SIZE]].concat());
    health(&place, "A", &["--record", "--pending"]).ok();
    assert!(!place.path("baseline").exists());
    assert_eq!(health(&place, "A", &["--on-trial"]).code, Some(1));
    for wrong in [&["--pending"][..], &["--on-trial", "--check"]] {
        assert_eq!(health(&place, "A", wrong).code, Some(2));
    }
}
