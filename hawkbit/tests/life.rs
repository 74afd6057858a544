//! The life of a device with a hawkBit, simulated: its power is cut at every request, every write to its files and every
//! write to its flash. At the end the server believes what the device runs.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;
#[path = "life/world.rs"]
mod world;

use std::collections::BTreeSet;

use bootslot::files::sim::Trouble;
use bootslot::storage::sim::{mix, Cut, Moment, Torn};
use common::hawkbit::Status;
use world::{bad, good, Kill, World};

/// What an operator does, and when: each is called before each visit, with its number.
type Script = dyn Fn(&mut World, usize);

/// A bad update, the same one again, and a good one.
fn bad_then_good(world: &mut World, _: usize) {
    let server = &mut world.server;
    match server.actions.len() {
        0 => drop(server.assign(&["bad"])),
        1 if server.status("7") == Status::Error => drop(server.assign(&["bad"])),
        2 if server.status("8") == Status::Error => drop(server.assign(&["good"])),
        _ => {}
    }
}

fn live(script: &Script, kill: Option<Kill>, choices: &mut dyn Iterator<Item = u64>, id: &str) -> World {
    let mut world = World::new();
    if let Some(kill) = kill {
        world.plan(kill);
    }
    world.live(script, choices, id);
    world
}

fn judge_bad_then_good(world: &mut World, id: &str) {
    let statuses = ["7", "8", "9"].map(|action| world.server.status(action));
    assert_eq!(statuses, [Status::Error, Status::Error, Status::Finished], "{id}");
    // It was installed once, and refused from then on.
    assert_eq!(world.confirmed_update(), good().id, "{id}");
    let failed = world.server.about("7").last().map(|kept| kept.details.clone()).unwrap();
    assert_eq!(failed[0], "rolled back: health", "{id}: {failed:?}");
    let again = world.server.about("8").last().map(|kept| kept.details.clone()).unwrap();
    assert!(again[0].contains("has failed here before"), "{id}: {again:?}");
}

#[test]
fn a_bad_update_the_same_again_and_a_good_one() {
    let mut world = live(&bad_then_good, None, &mut std::iter::empty(), "no cut");
    judge_bad_then_good(&mut world, "no cut");
    assert_eq!(world.begun(&bad().id), 1, "what failed is not written again");
    let told: Vec<_> =
        world.server.about("9").iter().map(|kept| (&*kept.execution, &*kept.finished)).collect();
    assert_eq!(
        told,
        [("proceeding", "none"), ("proceeding", "none"), ("proceeding", "none"), ("closed", "success")]
    );
    // With evidence: what the check said.
    let failed = world.server.about("7").last().unwrap().details.join("\n");
    assert!(failed.contains("check gateway: failed: it does not answer"), "{failed}");
    assert_eq!(world.server.attributes["slot.B"], "good");
    // A success is told only when it is one.
    let (running, told) = world.told_while.iter().find(|(_, told)| told.1 == "success").unwrap();
    assert_eq!((running.as_str(), told.0.as_str()), ("confirmed", "9"));
}

fn every_kill(script: &Script, judge: &dyn Fn(&mut World, &str), step: usize) -> usize {
    let whole = live(script, None, &mut std::iter::empty(), "no cut");
    let mut lives = 0;
    let mut kills = Vec::new();
    for request in 0..whole.requests() {
        kills.extend([Kill::Before(request), Kill::After(request)]);
    }
    kills.extend((0..whole.files.operations()).map(Kill::Files));
    for op in (0..whole.board.log().len()).step_by(step) {
        let inside = Moment::Inside(Torn { byte: 100, tail: 1 });
        kills.extend([Moment::Before, inside, Moment::After].map(|moment| Kill::Flash(Cut { op, moment })));
    }
    for kill in kills {
        for choice in 0..2 {
            let id = format!("{kill:?}, choice {choice}");
            let mut world = live(script, Some(kill.clone()), &mut std::iter::repeat(choice), &id);
            judge(&mut world, &id);
            lives += 1;
        }
    }
    lives
}

#[test]
fn no_cut_at_any_request_record_or_write_makes_the_server_believe_something_else() {
    let lives = every_kill(&bad_then_good, &judge_bad_then_good, 1);
    println!("{lives} lives");
    assert!(lives > 300, "{lives}");
}

/// Calls off the good update when the server has heard `told`, and assigns it again once that is done.
fn called_off_when(told: &'static str) -> impl Fn(&mut World, usize) {
    move |world, _| {
        if world.server.actions.is_empty() {
            world.server.assign(&["good"]);
        }
        let heard = world.server.kept.iter().any(|kept| kept.details.iter().any(|line| line.contains(told)));
        if world.server.actions.len() == 1 && (told.is_empty() || heard) {
            world.server.cancel("7");
        }
        if world.server.actions.len() == 1 && !world.server.status("7").is_active() {
            world.server.assign(&["good"]);
        }
    }
}

#[test]
fn it_is_called_off_at_every_stage_and_can_be_ordered_again() {
    for (told, expected) in [
        // Before anything: nothing was begun.
        ("", Status::Canceled),
        // The download was begun; the order comes in the middle of it.
        ("is installed", Status::Canceled),
        // It waits for the reboot.
        ("waits for the reboot", Status::Canceled),
        // It runs, on trial.
        ("on trial", Status::Canceled),
        // It is too late.
        ("is confirmed", Status::Finished),
    ] {
        let script = called_off_when(told);
        let judge = |world: &mut World, id: &str| {
            let id = format!("{told:?}: {id}");
            let first = world.server.status("7");
            // With a cut it may be confirmed before the order comes.
            assert!(first == expected || world.cuts > 0 && first == Status::Finished, "{id}: {first:?}");
            assert_eq!(world.server.status("8"), Status::Finished, "{id}");
            assert_eq!(world.confirmed_update(), good().id, "{id}");
        };
        let mut world = live(&script, None, &mut std::iter::empty(), told);
        judge(&mut world, "no cut");
        let lives = every_kill(&script, &judge, 3);
        println!("{told:?}: {lives} lives");
    }
}

#[test]
fn the_result_is_told_after_offline_days_and_reboots() {
    // The link goes down at each number of requests, for ten visits and as many boots.
    let whole = live(&bad_then_good, None, &mut std::iter::empty(), "always there").requests();
    for from in 0..whole {
        let mut world = World::new();
        world.offline = from..from + 10;
        let id = format!("offline from {from}");
        world.live(&bad_then_good, &mut std::iter::empty(), &id);
        judge_bad_then_good(&mut world, &id);
    }
}

#[test]
fn random_lives_with_two_cuts_and_a_random_operator() {
    let lives: u64 =
        std::env::var("BOOTSLOT_SOAK_LIVES").ok().and_then(|text| text.parse().ok()).unwrap_or(25);
    let seed: u64 = std::env::var("BOOTSLOT_SOAK_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    for life in 0..lives {
        let random = move |n: u64| mix(seed ^ mix(life * 1000 + n));
        let id = format!("BOOTSLOT_SOAK_SEED={seed}, life {life}");
        // For thirty visits the operator does something now and then. Then the good update is wanted.
        let script = move |world: &mut World, visit: usize| {
            let chance = random(visit as u64);
            let last = world
                .server
                .actions
                .last()
                .map(|action| (action.id.clone(), action.status, action.files[0].name.clone()));
            match (visit, chance % 8) {
                (31.., _) => {
                    let wanted = last.is_some_and(|(_, status, file)| {
                        file == "good" && (status.is_active() || status == Status::Finished)
                    });
                    if !wanted {
                        world.server.assign(&["good"]);
                    }
                }
                (_, 0) => drop(world.server.assign(&["bad"])),
                (_, 1) => drop(world.server.assign(&["good"])),
                (_, 2) => drop(world.server.assign(&["other"])),
                (_, 3) => {
                    if let Some((id, ..)) = last {
                        world.server.cancel(&id);
                    }
                }
                (_, 4) => {
                    // Forced to its end on the server.
                    if let Some(action) =
                        world.server.actions.iter_mut().find(|action| action.status == Status::Canceling)
                    {
                        action.status = Status::Canceled;
                    }
                }
                _ => {}
            }
        };
        let mut world = World::new();
        world.keep_on = 32;
        world.plan(Kill::After((random(1001) % 60) as usize));
        let tail = random(1003) as u32;
        let op = (random(1004) % 200) as usize;
        world.plan(Kill::Flash(Cut { op, moment: Moment::Inside(Torn { byte: random(1005) % 512, tail }) }));
        world.plan(Kill::Files(random(1006) % 150));
        world.live(&script, &mut (1007..).map(random), &id);
        assert_eq!(world.confirmed_update(), good().id, "{id}");
    }
}

#[test]
fn windows_are_kept_and_nothing_boots_before() {
    let mut world = World::new();
    let script = |world: &mut World, visit: usize| {
        let server = &mut world.server;
        if server.actions.is_empty() {
            server.assign(&["good"]);
            let action = server.action("7");
            (action.update, action.window) = ("skip", Some("unavailable"));
        }
        if visit == 5 {
            let action = server.action("7");
            (action.update, action.window) = ("forced", Some("available"));
        }
    };
    world.keep_on = 6;
    world.live(&script, &mut std::iter::empty(), "window");
    assert_eq!(world.server.status("7"), Status::Finished);
    // Written before the window, once; booted in it.
    assert_eq!(world.begun(&good().id), 2, "begun, and taken up");
    assert!(world.boots_at.iter().all(|visit| *visit > 5), "{:?}", world.boots_at);
    let downloaded: usize = world.server.kept.iter().filter(|kept| kept.execution == "downloaded").count();
    assert_eq!(downloaded, 0);
}

#[test]
fn what_is_only_to_be_downloaded_is_in_the_slot_and_does_not_boot() {
    let mut world = World::new();
    let script = |world: &mut World, _: usize| {
        if world.server.actions.is_empty() {
            world.server.assign(&["good"]);
            world.server.action("7").update = "skip";
        }
    };
    world.keep_on = 4;
    world.live(&script, &mut std::iter::empty(), "download only");
    assert_eq!(world.server.status("7"), Status::Downloaded);
    assert_eq!(world.running, "A");
}

#[test]
fn somebody_is_asked_first_where_the_server_or_the_user_wants_it() {
    for agrees in [true, false] {
        let mut world = World::new();
        let script = move |world: &mut World, visit: usize| {
            if world.server.actions.is_empty() {
                world.server.assign(&["good"]);
                world.server.action("7").status = Status::WaitsForConsent;
            }
            world.consent = (visit >= 3).then_some(agrees);
        };
        world.keep_on = 6;
        world.stop_at = (!agrees).then_some(8);
        world.live(&script, &mut std::iter::empty(), "consent");
        let word = if agrees { "confirmed" } else { "denied" };
        // It is told once, however often the server asks.
        assert_eq!(world.server.consents, [("7".into(), word.into())]);
        let expected = if agrees { Status::Finished } else { Status::WaitsForConsent };
        assert_eq!(world.server.status("7"), expected);
    }
}

#[test]
fn an_action_that_can_wait_waits_until_it_suits() {
    let mut world = World::new();
    let script = |world: &mut World, visit: usize| {
        if world.server.actions.is_empty() {
            world.server.assign(&["good"]);
            (world.server.action("7").download, world.server.action("7").update) = ("attempt", "attempt");
        }
        world.ready = visit >= 4;
    };
    world.keep_on = 5;
    world.live(&script, &mut std::iter::empty(), "soft");
    assert_eq!(world.server.status("7"), Status::Finished);
    assert!(world.boots_at.iter().all(|visit| *visit >= 4), "{:?}", world.boots_at);
}

#[test]
fn artifacts_that_are_no_bundle_or_for_others_are_left_alone() {
    for (files, expected, says) in [
        (&["notes", "good"][..], Status::Finished, "is confirmed"),
        (&["for-others", "good"], Status::Finished, "is confirmed"),
        (&["notes"], Status::Error, "no artifact is a bundle for this device: notes:"),
        (&["for-others"], Status::Error, "for-others is for"),
        (&["untrusted"], Status::Error, "not trusted"),
        (&["good", "bad"], Status::Error, "2 artifacts are bundles"),
        (&[], Status::Error, "the action has no artifact"),
    ] {
        let script = move |world: &mut World, _: usize| {
            if world.server.actions.is_empty() {
                world.server.assign(files);
            }
        };
        let world = live(&script, None, &mut std::iter::empty(), &format!("{files:?}"));
        assert_eq!(world.server.status("7"), expected, "{files:?}");
        let last = world.server.about("7").last().unwrap().details.join("\n");
        assert!(last.contains(says), "{files:?}: {last}");
        if expected == Status::Error {
            assert_eq!(world.begun(&good().id), 0, "{files:?}");
        }
    }
}

#[test]
fn a_file_of_another_length_than_the_server_says_is_not_installed() {
    for wrong in [-1i64, 1, 1000] {
        let script = move |world: &mut World, _: usize| {
            if world.server.actions.is_empty() {
                world.server.assign(&["good"]);
                let file = &mut world.server.action("7").files[0];
                file.size = file.size.saturating_add_signed(wrong);
            }
        };
        let world = live(&script, None, &mut std::iter::empty(), "length");
        assert_eq!(world.server.status("7"), Status::Error);
        let last = world.server.about("7").last().unwrap().details.join("\n");
        assert!(last.contains("the server says that it has"), "{last}");
        assert_eq!(world.begun(&good().id), 0);
    }
}

#[test]
fn the_journal_is_lost_between_any_two_boots_and_the_device_does_not_get_stuck() {
    for lost in 0..8 {
        let mut world = World::new();
        world.lose_journal_at = Some(lost);
        world.live(&bad_then_good, &mut std::iter::empty(), &format!("lost at {lost}"));
        assert_eq!(world.server.status("9"), Status::Finished, "{lost}");
        assert_eq!(world.confirmed_update(), good().id, "{lost}");
    }
}

#[test]
fn the_journal_is_lost_while_an_update_waits_for_the_reboot() {
    let mut world = World::new();
    let script = |world: &mut World, visit: usize| {
        if world.server.actions.is_empty() {
            world.server.assign(&["good"]);
            (world.server.action("7").download, world.server.action("7").update) = ("attempt", "attempt");
        }
        let waits = world.server.kept.iter().any(|kept| kept.details[0].contains("is installed"));
        world.ready = !waits || visit >= 5;
    };
    world.lose_journal_at = Some(3);
    world.keep_on = 6;
    world.live(&script, &mut std::iter::empty(), "waits");
    assert_eq!(world.server.status("7"), Status::Finished);
    assert_eq!(world.begun(&good().id), 0, "it is not written again");
}

#[test]
fn a_server_that_forgets_hears_it_again_and_nothing_is_installed_again() {
    // After each of the actions has ended, the server runs from a copy of its data base that is older.
    let mut world = World::new();
    let script = |world: &mut World, visit: usize| {
        bad_then_good(world, visit);
        if let Some(action) = world.server.actions.iter_mut().find(|action| action.id == "9") {
            if action.status == Status::Finished && world.forgot < 3 {
                action.status = Status::Running;
                world.forgot += 1;
            }
        }
    };
    world.keep_on = 25;
    world.live(&script, &mut std::iter::empty(), "forgets");
    assert_eq!(world.server.status("9"), Status::Finished);
    assert_eq!(world.begun(&good().id), 1);
    let times: BTreeSet<usize> = [world.forgot].into();
    assert_eq!(times, BTreeSet::from([3]));
}

#[test]
fn a_write_to_the_journal_that_fails_stops_nothing_for_good() {
    let operations = live(&bad_then_good, None, &mut std::iter::empty(), "no failure").files.operations();
    for operation in 0..operations {
        let mut world = World::new();
        world.files_fail = true;
        world.files.plan(operation, Trouble::Fails(std::io::ErrorKind::StorageFull));
        let id = format!("operation {operation} fails");
        world.live(&bad_then_good, &mut std::iter::empty(), &id);
        assert_eq!(world.server.status("9"), Status::Finished, "{id}");
        assert_eq!(world.confirmed_update(), good().id, "{id}");
    }
}
