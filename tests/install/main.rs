//! The installation of bundles on simulated media: what is in the slots afterwards, whatever happens.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod bad;
mod delta;
mod floor;
mod media;
mod patch;
mod rig;
mod soak;
#[path = "../support/mod.rs"]
mod support;

use std::path::Path;

use bootslot::slot::{Mark, Standing};
use bootslot::storage::sim::{mix, Cut, Entry, Moment, Torn};
use bootslot::update::source::StreamSource;
use bootslot::update::Options;
use rig::*;

/// Images with runs of zeros in the middle and at the end.
fn images() -> (Vec<u8>, Vec<u8>) {
    let boot = content(10_000, 1);
    let mut root = [content(30_000, 2), vec![0; 20_000], content(25_000, 3)].concat();
    root.resize(SLOT_SIZE, 0);
    (boot, root)
}

/// The slot holds the images.
#[track_caller]
fn holds(rig: &Rig, boot: &[u8], root: &[u8]) {
    assert!(rig.part("B", "boot").image().starts_with(boot), "boot");
    assert!(rig.part("B", "root").image().starts_with(root), "root");
}

#[test]
fn what_is_installed_is_there_and_on_trial() {
    let (boot, root) = images();
    let path = workshop().bundle("good", &[("boot", &boot), ("root", &root)]);
    let rig = Rig::new();
    // What was in the slot before shows nowhere.
    rig.part("B", "root").preload(0, &[0x55; SLOT_SIZE]);
    let before = rig.part("A", "root").image();
    let installed = rig.install(source(&path)).unwrap();
    assert_eq!((installed.slot, installed.already), (name("B"), false));
    assert_eq!(installed.done.all, (boot.len() + root.len()) as u64);
    assert_eq!(installed.done.written, installed.done.all);
    holds(&rig, &boot, &root);
    assert_eq!(rig.part("A", "root").image(), before);
    let state = rig.state();
    assert_eq!(state.standing(), Standing::Trial { slot: &name("B"), left: 3 });
    assert_eq!(state.update.as_deref(), Some(installed.id.as_bytes()));

    // The same once more: nothing to do, and nothing is written.
    rig.board.clear_log();
    let again = rig.install(source(&path)).unwrap();
    assert!(again.already);
    assert!(rig.board.log().is_empty());
}

#[test]
fn a_stream_does_as_well_as_a_file() {
    let (boot, root) = images();
    let path = workshop().bundle("stream", &[("root", &root), ("boot", &boot)]);
    let rig = Rig::new();
    let stream = std::fs::File::open(path).unwrap();
    rig.install(Box::new(StreamSource::new(stream))).unwrap();
    holds(&rig, &boot, &root);
}

/// Where in an operation the power fails.
fn moments(entry: &Entry) -> Vec<Moment> {
    let byte = entry.len / 2;
    [Moment::Before, Moment::After]
        .into_iter()
        .chain((entry.len > 1).then_some(Moment::Inside(Torn { byte, tail: 1 })))
        .collect()
}

#[test]
fn a_cut_anywhere_costs_nothing_and_the_same_command_goes_on() {
    let (boot, root) = images();
    let path = workshop().bundle("cut", &[("boot", &boot), ("root", &root)]);
    let whole = Rig::new();
    for part in ["boot", "root"] {
        whole.part("B", part).preload(0, &[0x55; SLOT_SIZE]);
    }
    cut_everywhere(&whole, &path, &boot, &root);
}

/// Installs the bundle with a cut at each operation, and goes on after each.
fn cut_everywhere(start: &Rig, path: &Path, boot: &[u8], root: &[u8]) {
    let whole = start.fork();
    whole.install(source(path)).unwrap();
    let log = whole.board.log();
    assert!(log.len() > 10, "{log:?}");
    let mut judged = 0;
    for (op, entry) in log.iter().enumerate() {
        for moment in moments(entry) {
            let rig = start.fork();
            rig.board.cut(Cut { op, moment });
            let cut = rig.install(source(path));
            assert!(!rig.board.is_on(), "op {op}");
            // The last operation may have been all that was missing.
            assert!(
                cut.is_err() || op + 1 == log.len() || moment == Moment::After,
                "op {op} {moment:?}: {cut:?}"
            );
            let choices = rig.board.choices();
            for choice in [0, choices - 1, mix(op as u64) % choices] {
                let id = format!("op {op} {moment:?} choice {choice}");
                let rig = rig.fork();
                rig.board.restore(choice);
                judge(&rig, boot, root, start, &id);
                // What is left is installed, and cut again, and installed.
                let again = rig.fork();
                again.board.cut(Cut { op: op / 2, moment: Moment::Before });
                let _ = again.install(source(path));
                again.board.restore(mix(op as u64 + 1) % again.board.choices());
                judge(&again, boot, root, start, &format!("{id}, cut again"));
                for rig in [rig, again] {
                    rig.install(source(path)).unwrap_or_else(|error| panic!("{id}: {error}"));
                    holds(&rig, boot, root);
                    assert_eq!(rig.state().standing(), Standing::Trial { slot: &name("B"), left: 3 }, "{id}");
                }
                judged += 2;
            }
        }
    }
    println!("{} operations, {judged} states judged", log.len());
}

/// After a cut: the running slot is as it was and boots, and the other one boots only if it is whole.
fn judge(rig: &Rig, boot: &[u8], root: &[u8], start: &Rig, id: &str) {
    let state = rig.state();
    let same = |slot, part| rig.part(slot, part).image() == start.part(slot, part).image();
    assert!(same("A", "boot") && same("A", "root"), "{id}");
    match state.standing() {
        Standing::Trial { slot, .. } => {
            assert_eq!(slot, &name("B"), "{id}");
            holds(rig, boot, root);
        }
        Standing::Confirmed(slot) => {
            assert_eq!(slot, &name("A"), "{id}");
            let touched = !same("B", "boot") || !same("B", "root");
            let mark = state.mark(&name("B"));
            assert!(!touched || mark == Some(Mark::Writing), "{id}: B is changed, and its mark is {mark:?}");
        }
        other => panic!("{id}: {other:?}"),
    }
}

#[test]
fn after_a_cut_in_the_middle_little_is_written_again() {
    let root = content(SLOT_SIZE, 5);
    let path = workshop().bundle("half", &[("root", &root)]);
    let rig = Rig::new();
    // Half of it is there.
    rig.part("B", "root").preload(0, &root[..SLOT_SIZE / 2]);
    let installed = rig.install(source(&path)).unwrap();
    assert!(installed.done.kept as usize > SLOT_SIZE / 2 - 16384, "{:?}", installed.done);
    assert_eq!(installed.done.kept + installed.done.written, installed.done.all);
    holds(&rig, &[], &root);
}

#[test]
fn what_is_held_does_not_boot_until_it_may() {
    let (boot, root) = images();
    let path = workshop().bundle("held", &[("boot", &boot), ("root", &root)]);
    let rig = Rig::new();
    let hold = Options { hold: true, ..Options::default() };
    for first in [true, false] {
        let held = rig.install_with(source(&path), &hold).unwrap();
        assert_eq!((held.already, held.done.written > 0), (false, first));
        holds(&rig, &boot, &root);
        let state = rig.state();
        assert_eq!(state.standing(), Standing::Confirmed(&name("A")));
        assert_eq!(state.mark(&name("B")), Some(Mark::Writing));
    }
    let let_go = rig.install(source(&path)).unwrap();
    assert_eq!((let_go.already, let_go.done.written), (false, 0));
    assert_eq!(rig.state().standing(), Standing::Trial { slot: &name("B"), left: 3 });
}
