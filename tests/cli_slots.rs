//! The commands for slots: what each one says, stores and refuses, in text, JSON, exit code and bytes.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod cli_support;

use cli_support::*;
use serde_json::{json, Value};

/// A refusal's exit code.
const REFUSED: i32 = 5;

const CONFIRMED: [&str; 4] = ["active_slot=A", "boot_success=1", "slot_A=good", "slot_B=good"];
const ON_TRIAL: [&str; 5] =
    ["active_slot=B", "boot_success=0", "boot_try_count=2", "rollback_slot=A", "slot_A=good"];

/// `bootslot ARGS` on a place where this slot runs.
fn slots(place: &Place, running: &str, args: &[&str]) -> Ran {
    let mut command = place.command("bootslot");
    place.write("bootslot.toml", b"");
    command.args(args).args(["-c", "fw_env.config", "-l", "lock", "--settings", "bootslot.toml"]);
    run(command.args(["--slot", running, "--script", "2"]))
}

fn json_of(ran: Ran) -> Value {
    serde_json::from_str(&ran.ok()).unwrap()
}

/// The boot state as it is stored, in alphabetical order.
fn state(place: &Place) -> String {
    let mut records = place.stored().unwrap();
    records.retain(|record| !record.starts_with("bootcmd="));
    records.sort();
    records.join(" ")
}

/// How many stores there were: the serial of the current copy counts them.
fn stores(place: &Place) -> u8 {
    let bytes = place.read("env.img");
    let serial = |copy: &[u8]| records(copy, 5).map_or(0, |_| copy[4]);
    serial(&bytes[..SIZE]).max(serial(&bytes[SIZE..])) - 1
}

/// U-Boot's part of a boot: the script's stores by `bootslot next`, made with `fw_setenv`. The slot that boots.
fn boot(place: &Place) -> String {
    let next = json_of(slots(place, "A", &["next", "--json"]));
    for store in next["stores"].as_array().unwrap() {
        let lines = store.as_object().unwrap().iter();
        let script: String =
            lines.map(|(name, value)| format!("{name}={}\n", value.as_str().unwrap_or_default())).collect();
        place.script(script.as_bytes()).ok();
    }
    next["slot"].as_str().unwrap().to_owned()
}

/// Runs an order twice: one store, then none, and both times exit code 0.
#[track_caller]
fn once(place: &Place, running: &str, args: &[&str]) -> String {
    let before = stores(place);
    let first = slots(place, running, args).ok();
    assert_eq!(stores(place), before + 1, "{args:?}: {first}");
    let bytes = place.read("env.img");
    let second = slots(place, running, args).ok();
    assert!(second.starts_with("Already done, nothing stored: "), "{second}");
    assert!(place.read("env.img") == bytes);
    let third = json_of(slots(place, running, &[args, &["--json"]].concat()));
    assert_eq!((&third["stored"], &third["changes"]), (&json!(false), &json!({})));
    first
}

#[test]
fn a_whole_update_with_one_trial_boot_is_four_stores() {
    let place = Place::redundant(&["bootcmd=run bootslot"]);
    once(&place, "A", &["init"]);
    assert_eq!(boot(&place), "A");
    let said = once(&place, "A", &["confirm"]);
    assert_eq!(said, "slot A: active, confirmed; slot B: unknown\n");

    let before = stores(&place);
    let said = once(&place, "A", &["begin-install", "B"]);
    assert_eq!(said, "slot A: active, confirmed; slot B: being written\n");
    let said = once(&place, "A", &["finish-install", "B", "--tries", "2", "--update", "0123456789abcdef"]);
    assert_eq!(
        said,
        "slot A: good; slot B: active, on trial, 2 tries left, then back to A\nThe next boot is slot B's.\n"
    );
    assert_eq!(
        state(&place),
        "active_slot=B boot_success=0 boot_try_count=2 boot_update=0123456789abcdef rollback_slot=A slot_A=good"
    );
    assert_eq!(boot(&place), "B");
    once(&place, "B", &["confirm", "B"]);
    assert_eq!(stores(&place) - before, 4, "install start, trial, the script's count, confirm");
    assert_eq!(state(&place), "active_slot=B boot_success=1 boot_try_count=0 slot_A=good slot_B=good");

    // Normal boots: what the script, a health check and a curious operator do stores nothing.
    let bytes = place.read("env.img");
    for _ in 0..5 {
        assert_eq!(boot(&place), "B");
        slots(&place, "B", &["confirm"]).ok();
        slots(&place, "B", &["status"]).ok();
        slots(&place, "B", &["init"]).ok();
    }
    assert!(place.read("env.img") == bytes, "a normal boot stored something");
}

#[test]
fn a_trial_that_nobody_confirms_ends_where_it_came_from() {
    let place = Place::redundant(&CONFIRMED);
    once(&place, "A", &["try", "B", "--tries", "1"]);
    assert_eq!(boot(&place), "B");
    let said = slots(&place, "B", &["next"]).ok();
    assert_eq!(
        said,
        "Slot A boots.\nwhy:    slot B was not confirmed and has no tries left: it has failed\n\
         why:    back to slot A, which is good\n\
         stores: active_slot=A boot_success=1 rollback_slot=B boot_failed=B:tries: slot_B=failed\n\
         order:  A; then the recovery, if the board has one; a minute's wait, a reset, and the next round\n"
    );
    assert_eq!(boot(&place), "A");
    let said = slots(&place, "A", &["status"]).ok();
    assert!(said.contains("last failure: slot B was not reported healthy within its tries\n"), "{said}");
    let status = json_of(slots(&place, "A", &["status", "--json"]));
    assert_eq!(status["last_failure"], json!({ "slot": "B", "reason": "tries", "update": "" }));
}

#[test]
fn user_space_gives_a_slot_up_marks_it_and_chooses() {
    let place = Place::redundant(&ON_TRIAL);
    once(&place, "B", &["rollback", "--reason", "health"]);
    let back =
        "active_slot=A boot_failed=B:health: boot_success=1 boot_try_count=0 slot_A=good slot_B=failed";
    assert_eq!(state(&place), back);

    let place = Place::redundant(&ON_TRIAL);
    once(&place, "B", &["rollback"]);
    assert!(state(&place).contains("boot_failed=B:user:"));

    let place = Place::redundant(&CONFIRMED);
    once(&place, "A", &["mark", "bad", "B"]);
    once(&place, "A", &["mark", "good", "B"]);
    let said = once(&place, "A", &["set-active", "B"]);
    assert_eq!(said, "slot A: good; slot B: active, confirmed\nThe next boot is slot B's.\n");
    assert_eq!(state(&place), "active_slot=B boot_success=1 boot_try_count=0 slot_A=good slot_B=good");
}

#[test]
fn every_refusal_has_its_code_and_leaves_every_byte() {
    let unknown: &[&str] = &["active_slot=A", "boot_success=1", "slot_A=good"];
    let failed: &[&str] =
        &["active_slot=A", "boot_success=1", "slot_A=good", "slot_B=failed", "boot_failed=B:load:"];
    let writing: &[&str] = &["active_slot=A", "boot_success=1", "slot_A=good", "slot_B=bad"];
    let alone: &[&str] = &["active_slot=A", "boot_success=0", "boot_try_count=2", "slot_B=bad"];
    let cases: &[(&[&str], &str, &[&str], &str)] = &[
        (&CONFIRMED, "A", &["begin-install", "A"], "slot A is running"),
        (&CONFIRMED, "A", &["begin-install", "C"], "there is no slot C; the slots are A, B"),
        (&CONFIRMED, "C", &["begin-install", "B"], "there is no slot C; the slots are A, B"),
        (
            &ON_TRIAL,
            "B",
            &["begin-install", "A"],
            "slot A is the rollback slot of the trial that is under way",
        ),
        (alone, "A", &["begin-install", "B"], "the running slot A is not confirmed; confirm it first"),
        (
            unknown,
            "A",
            &["finish-install", "B"],
            "no install into slot B was begun: it is marked neither good nor being written",
        ),
        (&CONFIRMED, "A", &["finish-install", "B"], "no install into slot B was begun: it is marked good"),
        (writing, "A", &["finish-install", "B", "--tries", "0"], "0 tries are not possible: 1 to 9"),
        (&CONFIRMED, "A", &["try", "B", "--tries", "10"], "10 tries are not possible: 1 to 9"),
        (&CONFIRMED, "A", &["try", "A"], "slot A is running"),
        (
            failed,
            "A",
            &["try", "B"],
            "slot B has failed (load); install another update, or say that it is to be tried again (--again)",
        ),
        (alone, "A", &["try", "B"], "slot B is being written, by what is stored: install into it"),
        (&ON_TRIAL, "B", &["try", "A"], "slot A is the rollback slot of the trial"),
        (&CONFIRMED, "A", &["confirm", "B"], "slot B is not the one that runs, that is A"),
        (writing, "B", &["confirm"], "slot B is being written"),
        (writing, "A", &["mark", "good", "B"], "slot B is being written"),
        (&CONFIRMED, "A", &["rollback"], "there is no trial to roll back from; slot A is confirmed"),
        (alone, "A", &["rollback"], "no slot other than A may boot: there is nothing to roll back to"),
        (
            &ON_TRIAL,
            "B",
            &["mark", "good", "B"],
            "slot B is on trial: confirm it when it runs, or roll it back",
        ),
        (&ON_TRIAL, "A", &["mark", "bad", "B"], "slot B is on trial"),
        (&CONFIRMED, "A", &["mark", "bad", "A"], "slot A is running"),
        (&CONFIRMED, "A", &["mark", "good", "Z"], "there is no slot Z"),
        (failed, "A", &["set-active", "B"], "slot B has failed (load)"),
        (unknown, "A", &["set-active", "B"], "slot B was never confirmed; use try, which counts its boots"),
        (&ON_TRIAL, "B", &["set-active", "A"], "the running slot B is not confirmed"),
    ];
    for (variables, running, args, says) in cases {
        let place = Place::redundant(variables);
        place.write("bootslot.toml", b"");
        let said = place.refused(REFUSED, |place| slots(place, running, args));
        assert!(said.starts_with(&format!("bootslot: refused: {says}")), "{args:?}: {said}");
        // A refusal is no JSON document either.
        place.refused(REFUSED, |place| slots(place, running, &[args, &["--json"][..]].concat()));
    }
}

#[test]
fn what_is_wrong_is_said_and_nothing_is_written() {
    let place = Place::redundant(&CONFIRMED);
    place.write("bootslot.toml", b"");
    for (args, says) in [
        (&["try"][..], "required arguments were not provided"),
        (&["try", "a-b"], "a slot has a name of 1 to 16 characters of [A-Za-z0-9_]"),
        (&["try", "B", "--tries", "many"], "invalid digit"),
        (&["mark", "fine", "B"], "possible values: good, bad"),
        (&["rollback", "--reason", "mood"], "possible values: health, user"),
    ] {
        let said = place.refused(2, |place| slots(place, "A", args));
        assert!(said.contains(says), "{args:?}: {said}");
    }
    let said = place.refused(4, |place| slots(place, "A", &["finish-install", "B", "--update", "a b"]));
    assert!(said.contains("\"a b\" is no update id"), "{said}");
    // Without --slot: this machine was not booted by the script.
    let said = place.refused(4, |place| {
        run(place.command("bootslot").args(["confirm", "-c", "fw_env.config", "-l", "lock", "--script", "2"]))
    });
    assert!(said.contains("which slot runs is unknown: /proc/cmdline has no bootslot.slot="), "{said}");
    // The settings: a wrong one is an error with its place, for showing too.
    place.write("wrong.toml", b"tries = 3\ntrys = 4\n");
    for command in ["status", "next", "confirm"] {
        let said = place.refused(4, |place| {
            run(place.command("bootslot").args([command, "-c", "fw_env.config", "--settings", "wrong.toml"]))
        });
        assert!(said.contains("wrong.toml:2:1: unknown field `trys`"), "{said}");
    }
}

#[test]
fn status_is_one_screen() {
    let place = Place::redundant_both(&ON_TRIAL);
    place.write(
        "board.toml",
        b"[[slot]]\nname = \"A\"\ndevice = \"/dev/mmcblk0p2\"\n[[slot]]\nname = \"B\"\ndevice = \"/dev/mmcblk0p3\"\n",
    );
    let status = |args: &[&str]| {
        let mut command = place.command("bootslot");
        run(command
            .args([
                "status",
                "-c",
                "fw_env.config",
                "--settings",
                "board.toml",
                "--slot",
                "B",
                "--script",
                "2",
            ])
            .args(args))
    };
    let good = format!("  slot A  {:<58}/dev/mmcblk0p2", "good");
    let trial = "  slot B  active, on trial, 2 tries left, then back to A, runs now  /dev/mmcblk0p3";
    let lines = [
        "running:      slot B",
        "boot script:  version 2",
        "dialect:      native (active_slot, boot_success, boot_try_count, rollback_slot)",
        "next boot:    slot B, on trial, counted",
        "guard:        none, a confirmed slot that loads and then hangs is not left",
        "last failure: none",
        "environment:  healthy, both copies",
        "",
        &good,
        trial,
        "",
    ];
    assert_eq!(status(&[]).ok(), lines.join("\n"));
    let shown: Value = serde_json::from_str(&status(&["--json"]).ok()).unwrap();
    assert_eq!(shown["environment"]["status"], json!("healthy"));
    assert_eq!(
        (&shown["running"], &shown["active"], &shown["standing"], &shown["tries_left"], &shown["rollback"]),
        (&json!("B"), &json!("B"), &json!("trial"), &json!(2), &json!("A"))
    );
    assert_eq!(
        shown["slots"],
        json!([
            { "name": "A", "mark": "good", "role": "ordinary" },
            { "name": "B", "mark": "unknown", "role": "ordinary" }
        ])
    );
    assert_eq!(shown["next_boot"]["slot"], json!("B"));
    assert_eq!(shown["next_boot"]["stores"], json!([{ "boot_try_count": "1" }]));
    assert_eq!(shown["devices"], json!({ "A": "/dev/mmcblk0p2", "B": "/dev/mmcblk0p3" }));
}

#[test]
fn outside_of_a_trial_there_is_no_slot_to_return_to() {
    // As the guard leaves it: the slot that was given up is still named.
    let place = Place::redundant(&[&CONFIRMED[..], &["rollback_slot=B"]].concat());
    let shown = json_of(slots(&place, "A", &["status", "--json"]));
    assert_eq!((&shown["standing"], &shown["rollback"]), (&json!("confirmed"), &Value::Null));
}

#[test]
fn a_lost_environment_is_shown_and_only_made_anew_by_order() {
    let place = Place::redundant(&[]);
    place.write("bootslot.toml", b"");
    place.write("env.img", &vec![0xff; 2 * SIZE]);
    let ran = slots(&place, "A", &["status"]);
    assert_eq!((ran.code, &*ran.err), (Some(3), ""));
    assert!(ran.out.contains("environment:  LOST, no copy is valid"), "{}", ran.out);
    assert!(ran.out.contains("next boot:    slot A, on trial, counted\n"), "{}", ran.out);
    for args in [&["init"][..], &["confirm"], &["begin-install", "B"]] {
        place.refused(3, |place| slots(place, "A", args));
    }
    place.write("defaults", b"bootdelay=3\n");
    let said = place.refused(REFUSED, |place| slots(place, "A", &["init", "-f", "defaults"]));
    assert!(said.contains("the variables to start from have no bootcmd"), "{said}");
    place.write("defaults", b"bootcmd=run bootslot\n");
    slots(&place, "A", &["init", "-f", "defaults"]).ok();
    assert_eq!(state(&place), "active_slot=A boot_success=0 boot_try_count=3 rollback_slot=B");
    assert!(place.stored().unwrap().contains(&"bootcmd=run bootslot".to_owned()));
}

#[test]
fn hostile_values_are_shown_harmlessly_and_overwritten() {
    for value in ["; reset", "$(touch pwned)", "`touch pwned`", "\u{1b}[2J", "A B", &"A".repeat(200)] {
        let place = Place::redundant(&[
            &format!("active_slot={value}"),
            &format!("boot_update={value}"),
            &format!("boot_failed={value}"),
            &format!("slot_B={value}"),
            "slot_A=good",
        ]);
        let said = slots(&place, "A", &["status"]).ok() + &slots(&place, "A", &["next"]).ok();
        assert!(!said.contains('\u{1b}'), "{said:?}");
        json_of(slots(&place, "A", &["status", "--json"]));
        assert_eq!(boot(&place), "A");
        slots(&place, "A", &["begin-install", "B"]).ok();
        slots(&place, "A", &["finish-install", "B"]).ok();
        assert_eq!(boot(&place), "B");
        slots(&place, "B", &["confirm"]).ok();
        let kept = format!(
            "active_slot=B boot_failed={value} boot_success=1 boot_try_count=0 slot_A=good slot_B=good"
        );
        assert_eq!(state(&place), kept);
        assert!(!place.files().contains(&"pwned".to_owned()));
    }
}

#[test]
fn settings_choose_the_environment_the_slots_and_the_tries() {
    let place = Place::redundant(&["boot_slots=one two"]);
    let config = place.path("fw_env.config");
    let text = format!(
        "tries = 7\n[[slot]]\nname = \"one\"\n[[slot]]\nname = \"two\"\n[environment]\nconfig = {config:?}\n"
    );
    place.write("board.toml", text.as_bytes());
    let mut command = place.command("bootslot");
    run(command.args(["init", "-l", "lock", "--settings", "board.toml", "--slot", "two", "--script", "2"]))
        .ok();
    assert_eq!(
        state(&place),
        "active_slot=two boot_slots=one two boot_success=0 boot_try_count=7 rollback_slot=one"
    );
}

/// `bootslot ARGS` with nothing said about the slot that runs and the script.
fn unsaid(place: &Place, args: &[&str]) -> Ran {
    run(place.command("bootslot").args(args).args([
        "-c",
        "fw_env.config",
        "-l",
        "lock",
        "--settings",
        "bootslot.toml",
    ]))
}

#[test]
fn the_evidence_stays_until_it_is_acknowledged() {
    let place = Place::redundant(&[&CONFIRMED[..3], &["slot_B=failed", "boot_failed=B:health:1.2"]].concat());
    once(&place, "A", &["begin-install", "B"]);
    let said = place.refused(REFUSED, |place| slots(place, "A", &["finish-install", "B", "--update", "1.2"]));
    assert!(
        said.contains("update 1.2 has failed in slot B (health); to try it all the same, say so (--again)"),
        "{said}"
    );
    once(&place, "A", &["finish-install", "B", "--update", "1.2", "--again"]);
    once(&place, "B", &["rollback"]);
    once(&place, "A", &["try", "B", "--again"]);
    once(&place, "B", &["confirm"]);
    assert!(slots(&place, "B", &["status"]).ok().contains("last failure: slot B was given up by order"));
    // Who reports it need not know anything else.
    unsaid(&place, &["acknowledge"]).ok();
    assert!(slots(&place, "B", &["status"]).ok().contains("last failure: none\n"));
    let confirmed = "active_slot=B boot_success=1 boot_try_count=0 slot_A=good slot_B=good";
    assert_eq!(state(&place).replace("bootslot_refused=1.2 ", ""), confirmed);
    // Who tries a slot does not say that it still holds this update: the bundle stays refused.
    assert!(state(&place).contains("bootslot_refused=1.2 "));
    assert!(unsaid(&place, &["acknowledge"]).ok().starts_with("Already done"));
}

#[test]
fn where_nothing_tells_of_the_script_only_status_goes_on() {
    let place = Place::redundant(&CONFIRMED);
    place.write("bootslot.toml", b"");
    for args in [&["next"][..], &["init"], &["mark", "good", "B"], &["begin-install", "B", "--slot", "A"]] {
        let said = place.refused(4, |place| unsaid(place, args));
        assert!(said.starts_with("bootslot: does U-Boot run the boot script? "), "{said}");
    }
    let said = unsaid(&place, &["status"]).ok();
    assert!(said.contains("boot script:  unknown: does U-Boot run the boot script? "), "{said}");
    assert!(said.contains("next boot:    slot A; if U-Boot runs the boot script\n"), "{said}");
    let shown = json_of(unsaid(&place, &["status", "--json"]));
    assert_eq!(shown["script"], Value::Null);
    assert!(shown["script_unknown"]
        .as_str()
        .unwrap()
        .contains("the stored environment has no variable bootslot"));
    place.write("bootslot.toml", b"script = 1\n");
    assert!(unsaid(&place, &["status"]).ok().contains("boot script:  version 1\n"));
    assert!(unsaid(&place, &["status", "--script", "2"]).ok().contains("boot script:  version 2\n"));
    let said = place.refused(2, |place| unsaid(place, &["status", "--script", "3"]));
    assert!(said.contains("the versions are 1 to 2"), "{said}");
}

#[test]
fn status_tells_of_the_guard_and_refuses_a_slot_that_does_not_exist() {
    let guarded = Place::redundant(&[&CONFIRMED[..], &["altbootcmd=run bootslot_guard"]].concat());
    let line = "guard:        a confirmed slot that hangs is left, by U-Boot's boot counter\n";
    assert!(slots(&guarded, "A", &["status"]).ok().contains(line));
    assert_eq!(json_of(slots(&guarded, "A", &["status", "--json"]))["guard"], json!(true));

    let place = Place::redundant(&CONFIRMED);
    place.write("bootslot.toml", b"");
    for command in ["status", "next"] {
        let said = place.refused(REFUSED, |place| slots(place, "Q", &[command]));
        assert_eq!(said, "bootslot: refused: there is no slot Q; the slots are A, B\n");
    }
}

#[test]
fn next_shows_the_whole_order_and_its_end() {
    let place = Place::redundant(&[
        "active_slot=B",
        "boot_success=1",
        "slot_B=good",
        "slot_C=failed",
        "boot_slots=A B C",
    ]);
    let said = slots(&place, "B", &["next"]).ok();
    let order = "order:  B, A, C; then the recovery, if the board has one; a minute's wait, a reset, and the next round\n";
    assert!(said.ends_with(order), "{said}");
    let shown = json_of(slots(&place, "B", &["next", "--json"]));
    assert_eq!((&shown["order"], &shown["end"]), (&json!(["B", "A", "C"]), &json!("recovery")));
}

#[test]
fn status_tells_of_other_slots_in_the_environment_and_of_the_last_resort() {
    let place = Place::redundant(&[&CONFIRMED[..], &["boot_slots=A B C"]].concat());
    let text = "script = 2\n[[slot]]\nname = \"A\"\n[[slot]]\nname = \"B\"\n[[slot]]\nname = \"R\"\nrole = \"last-resort\"\n";
    place.write("bootslot.toml", text.as_bytes());
    let said = unsaid(&place, &["status", "--slot", "A"]).ok();
    let line = "slots:        DIFFERENT, A, B, C, R in the environment, A, B, R in the settings\n";
    assert!(said.contains(line), "{said}");
    assert!(said.ends_with("  slot R  last resort\n"), "{said}");
    let said = place.refused(REFUSED, |place| unsaid(place, &["begin-install", "C", "--slot", "A"]));
    assert!(said.contains("slot C is in the environment's boot_slots, but not in the settings"), "{said}");
    let said = place.refused(REFUSED, |place| unsaid(place, &["begin-install", "R", "--slot", "A"]));
    assert!(said.contains("slot R is the last resort"), "{said}");
    let shown = json_of(unsaid(&place, &["status", "--slot", "A", "--json"]));
    assert_eq!(shown["slots_differ"], json!(true));
    assert_eq!(shown["slots"][3], json!({ "name": "R", "mark": "unknown", "role": "last-resort" }));
}

#[test]
fn a_conversion_is_shown_as_json_changes_nothing_then_and_is_one_store() {
    let place = Place::redundant(&["bootcmd=source", "BOOT_ORDER=A B", "BOOT_A_LEFT=9", "BOOT_B_LEFT=0"]);
    place.write("rauc.toml", b"dialect = \"rauc\"\nreader = \"bootmeth\"\n");
    let convert = |args: &[&str]| {
        let mut command = place.command("bootslot");
        command.args([
            "convert",
            "--settings",
            "rauc.toml",
            "-c",
            "fw_env.config",
            "-l",
            "lock",
            "--slot",
            "A",
        ]);
        run(command.args(args))
    };
    let bytes = place.read("env.img");
    let shown: Value =
        serde_json::from_str(&convert(&["--to", "native", "--dry-run", "--json"]).ok()).unwrap();
    assert!(place.read("env.img") == bytes, "a dry run wrote");
    let changes = json!({
        "active_slot": "A", "boot_success": "1", "boot_try_count": "0", "slot_A": "good", "slot_B": "failed",
        "BOOT_ORDER": null, "BOOT_A_LEFT": null, "BOOT_B_LEFT": null,
    });
    assert_eq!((&shown["changes"], &shown["state"]["standing"]), (&changes, &json!("confirmed")));
    let done: Value = serde_json::from_str(&convert(&["--to", "native", "--json"]).ok()).unwrap();
    assert_eq!((&done["stored"], &done["changes"]), (&json!(true), &changes));
    let again: Value = serde_json::from_str(&convert(&["--to", "native", "--json"]).ok()).unwrap();
    assert_eq!((&again["stored"], &again["state"]["active"]), (&json!(false), &json!("A")));
    assert_eq!(convert(&["--to", "grub"]).code, Some(2));
    let status = place
        .command("bootslot")
        .args(["status", "--settings", "rauc.toml", "-c", "fw_env.config", "--json"])
        .output()
        .unwrap();
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(
        status["dialect"],
        json!({
            "settings": "rauc",
            "reader": "bootmeth",
            "told": null,
            "environment": [{ "dialect": "native", "by": ["active_slot", "boot_success", "boot_try_count"] }],
            "odd": [],
        })
    );
}

/// What RAUC asks of its custom boot loader in the life of a device, in the dialects that it may be given.
#[test]
fn rauc_finds_its_boot_loader_behind_one_command() {
    let native =
        &["bootcmd=run bootslot", "active_slot=A", "boot_success=1", "boot_try_count=0", "slot_A=good"];
    let rauc = &["bootcmd=source", "BOOT_ORDER=A B", "BOOT_A_LEFT=9", "BOOT_B_LEFT=3"][..];
    for (settings, records) in
        [(&b"script = 2\n"[..], &native[..]), (b"dialect = \"rauc\"\nreader = \"contrib\"\n", rauc)]
    {
        let place = Place::redundant(records);
        place.write("board.toml", settings);
        let ask = |running: &str, question: &str| {
            let mut command = place.command("bootslot");
            command.args([
                "rauc",
                "--settings",
                "board.toml",
                "-c",
                "fw_env.config",
                "-l",
                "lock",
                "--slot",
                running,
            ]);
            let ran = run(command.args(question.split(' ')));
            match ran.code {
                Some(0) => ran.out.trim_end().to_owned(),
                code => format!("{}: {}", code.unwrap(), ran.err.trim_end()),
            }
        };
        let states = |running: &str| {
            ["get-primary", "get-current", "get-state A", "get-state B"]
                .map(|question| ask(running, question))
                .join(" ")
        };
        assert_eq!(states("A"), "A A good good");
        // rauc install
        assert_eq!(ask("A", "set-state B bad"), "");
        assert_eq!(states("A"), "A A good bad");
        assert_eq!(ask("A", "set-primary B"), "");
        assert_eq!(states("A"), "B A good good");
        // The reboot is left out: rauc status mark-good in B, then in A, which does not run.
        assert_eq!(ask("B", "set-state B good"), "");
        assert_eq!(states("B"), "B B good good");
        // rauc status mark-bad other, and mark-good of what may be half a system
        assert_eq!(ask("B", "set-state A bad"), "");
        assert_eq!(states("B"), "B B bad good");
        assert!(
            ask("B", "set-state A good").starts_with("5: bootslot rauc: refused: slot A is being written")
        );
        // Another installation, and it is given up
        assert_eq!(ask("B", "set-primary A"), "");
        assert_eq!(ask("A", "set-state A bad"), "");
        assert_eq!(states("B"), "B B bad good");
        // rauc status mark-active, of a slot that has failed: it is tried
        assert_eq!(ask("B", "set-primary A"), "");
        assert_eq!(states("B"), "A B good good");
        // An installation from a slot that is not confirmed is refused before anything is written
        let error = ask("A", "set-state B bad");
        assert!(error.starts_with("5: bootslot rauc: refused: "), "{error}");
        assert!(ask("A", "get-state C").starts_with("5: bootslot rauc: refused: there is no slot C"));
        assert!(ask("A", "set-primary C").starts_with("5: "));
        assert!(ask("A", "get-backup").starts_with("2: "));
    }
}
