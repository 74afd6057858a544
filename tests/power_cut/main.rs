//! Power cuts at every instant of every store, on every medium, judged by every reader.
//!
//! `cargo test --features sim --test power_cut` judges the states that are the same each time. More:
//! `BOOTSLOT_SOAK_STATES=5000000 cargo test --release --features sim --test power_cut -- --ignored soak
//! --nocapture` judges random ones, and `BOOTSLOT_REPLAY=<case> cargo test --features sim --test power_cut
//! replay` the one that a failure named.

mod case;
mod costs;
mod explore;
mod judge;
#[path = "../models/mod.rs"]
mod models;
mod readers;
mod rig;
#[path = "../support/mod.rs"]
mod support;
mod workload;
mod writers;

use std::io::Write;
use std::time::Instant;

use bootslot::storage::sim::mix;

use case::{Case, Start};
use explore::{Depth, Explorer, Tally};
use rig::{Kind, KINDS};
use support::{number, soak_seed};
use workload::{initial_states, Workload, SINGLE_STATES};
use writers::{ByHand, Fault, Real, Writer};

/// Crash states that `cargo test` has to judge.
const ENOUGH: u64 = 200_000;

/// Shows a line although the test harness keeps the output of tests that succeed.
fn show(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn summary(tally: &Tally) -> String {
    let kinds: Vec<String> =
        tally.states.iter().map(|(kind, n)| format!("{} {}", kind.name(), grouped(*n))).collect();
    let count = |word: &str| tally.failures.iter().filter(|(_, text)| text.contains(word)).count();
    format!(
        "crash states: {} judged ({}), {} lost, {} readers disagreeing; {} of them after a second or third \
         cut; {} times a tool refused an unreadable standby; {} cuts between the erase of a sector shared with \
         foreign bytes and their return; {} cuts cost a single copy that is written in place, as they must; {} in the first \
         erase of another program's copy on NOR with ECC led to an older one",
        grouped(tally.total()),
        kinds.join(", "),
        count("LOST"),
        count("DISAGREE"),
        grouped(tally.nested),
        grouped(tally.refusals),
        grouped(tally.foreign),
        grouped(tally.unsafe_losses),
        grouped(tally.exposed),
    )
}

fn report(tally: &Tally) {
    for (case, text) in tally.failures.iter().take(20) {
        show(&format!("FAILED {case}\n  {text}"));
    }
    assert!(tally.failures.is_empty(), "{} cases failed", tally.failures.len());
}

/// Every initial state on every device of a kind; another `round` has other variables.
fn starts(kind: Kind, round: u64) -> impl Iterator<Item = Start> {
    let states = initial_states(kind.is_boolean());
    (0..kind.rigs()).flat_map(move |rig| {
        let first = states * (u64::from(rig) + round * u64::from(kind.rigs()));
        (0..states).map(move |state| Start { kind, rig, workload: Workload(first + state), step: 0 })
    })
}

/// The same for a device with a single copy, from before there were two.
fn single_starts(kind: Kind) -> impl Iterator<Item = Start> {
    (0..kind.rigs()).filter(move |rig| kind.places(*rig) == 2).flat_map(move |rig| {
        let first = SINGLE_STATES * u64::from(rig);
        (first..first + SINGLE_STATES).map(move |n| Start {
            kind,
            rig,
            workload: Workload::single(n),
            step: 0,
        })
    })
}

/// What `cargo test` judges of one kind. The rounds, and after how many states the store that follows is cut
/// as well, are chosen so that no kind crowds out the others.
fn matrix(kind: Kind) -> Tally {
    // NOR with ECC writes both copies in each store.
    let stride = if kind == Kind::EccNor { 3 } else { 1 };
    let (rounds, nest, exhaustive) = match kind {
        Kind::Nor => (1, 601, 1),
        Kind::EccNor => (1, 601, 1),
        Kind::Nand => (1, 37, 0),
        Kind::DataFlash => (1, 41, 0),
        Kind::Ram => (1, 61, 1),
        Kind::Block => (1, 41, 0),
        Kind::Ubi => (2, 2, 0),
        Kind::File => (1, 37, 1),
    };
    let mut explorer = Explorer::new(&Real, nest);
    for round in 0..rounds {
        for start in starts(kind, round).step_by(stride) {
            explorer.every_cut(start, Depth::Linear);
        }
    }
    for start in single_starts(kind).step_by(stride) {
        explorer.every_cut(start, Depth::Linear);
    }
    explorer.nest = 0;
    for start in starts(kind, rounds).filter(|start| start.rig == 0).skip(15).take(exhaustive) {
        explorer.every_cut(start, Depth::Exhaustive);
    }
    explorer.tally
}

#[test]
fn no_power_cut_loses_the_environment() {
    let began = Instant::now();
    let mut tally = Tally::default();
    for kind in KINDS {
        tally.add(matrix(kind));
    }
    tally.add(random_cases(&Real, 1, 20_000));
    show(&format!("{} ({:.1} s)", summary(&tally), began.elapsed().as_secs_f64()));
    report(&tally);
    assert!(tally.total() >= ENOUGH, "only {} crash states judged", tally.total());
}

/// A program that is killed leaves in the page cache what no sync has put on the medium. All kinds of media, since
/// what flash is left like must be as good.
#[test]
fn no_killed_program_and_power_cut_lose_the_environment() {
    let mut explorer = Explorer::new(&Real, 0);
    for (kind, step) in [(Kind::Block, 7), (Kind::File, 5), (Kind::Ram, 40), (Kind::Ubi, 20)] {
        for start in starts(kind, 0).chain(single_starts(kind)).step_by(step) {
            explorer.every_kill(start);
        }
    }
    show(&format!("after a killed program: {} crash states judged", grouped(explorer.tally.killed)));
    report(&explorer.tally);
    assert!(explorer.tally.killed > 10_000);
}

#[test]
fn no_fault_loses_the_environment() {
    let mut explorer = Explorer::new(&Real, 0);
    for kind in KINDS {
        for start in starts(kind, 0).chain(single_starts(kind)).step_by(5) {
            explorer.every_fault(start);
        }
    }
    show(&format!("faults: {} injected and judged", grouped(explorer.tally.faults)));
    report(&explorer.tally);
    assert!(explorer.tally.faults > 10_000);
}

/// The oracle passes a store by hand that does everything right, so that what it says of the others below is
/// due to what they do wrong.
#[test]
fn the_oracle_passes_a_store_by_hand() {
    for (kind, rig) in [
        (Kind::Nor, 0),
        (Kind::Nor, 1),
        (Kind::Nand, 0),
        (Kind::Nand, 2),
        (Kind::DataFlash, 1),
        (Kind::Block, 0),
        (Kind::Block, 1),
        (Kind::Ubi, 0),
        (Kind::File, 0),
    ] {
        let tally = by_hand(kind, rig, Fault::None, false);
        report(&tally);
        assert!(tally.total() > 50);
    }
}

#[test]
fn the_oracle_catches_every_broken_store() {
    let broken: &[(Kind, u32, Fault, &str)] = &[
        (Kind::Block, 1, Fault::OverCurrent, "LOST"),
        (Kind::Nand, 0, Fault::OverCurrent, "LOST"),
        (Kind::Ubi, 0, Fault::OverCurrent, "LOST"),
        (Kind::Block, 0, Fault::SerialPlusTwo, "LOST"),
        (Kind::Ubi, 0, Fault::SerialPlusTwo, "LOST"),
        (Kind::Block, 1, Fault::NoSync, "after success: LOST"),
        (Kind::Nor, 0, Fault::RetireFirst, "LOST"),
        (Kind::Nor, 1, Fault::NeverRetire, "LOST"),
        (Kind::Nor, 0, Fault::NoErase, "violation: NOR"),
        (Kind::Nor, 0, Fault::FlagLast, "DISAGREE"),
        (Kind::Nor, 0, Fault::EraseUnspoiled, "LOST"),
        (Kind::DataFlash, 0, Fault::RetireOnlyCopy, "LOST"),
        (Kind::DataFlash, 0, Fault::NeverRetire, "LOST"),
        (Kind::Nand, 2, Fault::IgnoreBadBlocks, "violation: NAND"),
        (Kind::Nand, 2, Fault::EraseFirstOnly, "violation: NAND"),
        (Kind::File, 0, Fault::RenameUnsynced, "LOST"),
        (Kind::File, 1, Fault::NoDirSync, "after success: LOST"),
        (Kind::Block, 1, Fault::Neighbour, "FOREIGN"),
        (Kind::Ram, 0, Fault::Neighbour, "FOREIGN"),
        (Kind::Block, 1, Fault::Forgets, "LOST"),
        (Kind::Block, 1, Fault::Reorders, "LOST"),
    ];
    for &(kind, rig, fault, word) in broken {
        let tally = by_hand(kind, rig, fault, false);
        let caught = tally.failures.iter().any(|(_, text)| text.contains(word));
        assert!(caught, "{} {rig}: {fault:?} went unnoticed: {:?}", kind.name(), tally.failures.first());
    }
    for (kind, rig) in [(Kind::Block, 1), (Kind::Nor, 0), (Kind::Nand, 0), (Kind::Ubi, 0), (Kind::File, 0)] {
        let tally = by_hand(kind, rig, Fault::NoVerify, true);
        let caught = tally.failures.iter().any(|(_, text)| text.contains("LOST"));
        assert!(caught, "{} {rig}: a lie of the medium went unnoticed", kind.name());
    }
}

/// All workloads of one device under a store by hand: cuts, or faults.
fn by_hand(kind: Kind, rig: u32, fault: Fault, faults: bool) -> Tally {
    // A broken store runs until it is caught, the control to the end.
    let step = if fault == Fault::None { 3 } else { 1 };
    let writer = ByHand(fault);
    let mut explorer = Explorer::new(&writer, 0);
    for start in starts(kind, 0).filter(|start| start.rig == rig).step_by(step) {
        if faults {
            explorer.every_fault(start);
        } else {
            explorer.every_cut(start, Depth::Linear);
        }
        if !explorer.tally.failures.is_empty() && fault != Fault::SerialPlusTwo {
            break;
        }
    }
    explorer.tally
}

/// A store whose checksum lies in two sectors is cut when one of them is written. Then the next one spoils the
/// checksum, and one of its bytes was by chance what the first had missed.
#[test]
fn a_spoiled_checksum_is_never_the_right_one_of_an_earlier_store() {
    for case in [
        "block:3:2061471799324086445:s2:p5.274g3843:c12067243236925545569:p2.0g1710:c0",
        "block:3:2061471799324086445:s2:p6.0g1201:c15657536174229848860:p2.0g3394:c0",
    ] {
        let mut explorer = Explorer::new(&Real, 0);
        explorer.replay(&case.parse().unwrap()).unwrap();
        report(&explorer.tally);
        assert_eq!(explorer.tally.nested, 1, "both cuts come");
    }
}

/// Runs one case: `BOOTSLOT_REPLAY=nor:2:5:s3:p17.3g1:c4`.
#[test]
fn replay() {
    let Ok(name) = std::env::var("BOOTSLOT_REPLAY") else { return };
    let case: Case = name.parse().unwrap();
    let mut explorer = Explorer::new(&Real, 0);
    explorer.replay(&case).unwrap();
    show(&summary(&explorer.tally));
    report(&explorer.tally);
}

/// Judges random states for as long as asked: `BOOTSLOT_SOAK_STATES` (default: a million), starting from
/// `BOOTSLOT_SOAK_SEED` (default: the clock).
#[test]
#[ignore = "runs for minutes: make soak"]
fn soak() {
    let states = number("BOOTSLOT_SOAK_STATES").unwrap_or(1_000_000);
    let seed = soak_seed();
    show(&format!("soak: {} states, BOOTSLOT_SOAK_SEED={seed}", grouped(states)));
    let threads = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    let part = |i| random_cases(&Real, mix(seed ^ i << 48), states.div_ceil(threads));
    let tally = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|i| scope.spawn(move || part(i))).collect();
        let mut tally = Tally::default();
        for thread in running {
            tally.add(thread.join().unwrap());
        }
        tally
    });
    show(&summary(&tally));
    report(&tally);
}

fn random_cases(writer: &dyn Writer, seed: u64, states: u64) -> Tally {
    let mut explorer = Explorer::new(writer, 0);
    for i in 0.. {
        if explorer.tally.total() >= states || explorer.tally.failures.len() > 20 {
            break;
        }
        let seed = mix(seed ^ i << 32);
        let kind = KINDS[(seed % KINDS.len() as u64) as usize];
        let start = Start {
            kind,
            rig: (mix(seed ^ 1) % u64::from(kind.rigs())) as u32,
            workload: Workload(mix(seed ^ 2)),
            step: (mix(seed ^ 3) % 7) as usize,
        };
        match explorer.scene(start) {
            Ok(Some(scene)) => {
                for n in 0..64 {
                    explorer.random(start, &scene, mix(seed ^ n << 16));
                }
            }
            Ok(None) => {}
            Err(e) => {
                let case = Case { start, trouble: case::Trouble::CutAtEnd(0) };
                explorer.tally.failures.push((case, e));
            }
        }
    }
    explorer.tally
}
