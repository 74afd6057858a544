//! A fleet in simulation: thousands of devices with simulated flash, files and power, each with the real client and the
//! library's own state machine, and a hawkBit. A bad update reaches a tenth of them, is told, stopped, and ordered once more by
//! mistake. Then two good ones follow for all. Power cuts and dead links come at random all along.
//!
//! `cargo run --release -p bootslot-hawkbit --example fleet -- [DEVICES [SEED]]`: prints a table. Exit code 1: a device was lost,
//! or the server believes something else than a device runs.

#[path = "../hawkbit/tests/common/mod.rs"]
mod common;
#[path = "../hawkbit/tests/life/world.rs"]
mod world;

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::process::ExitCode;
use std::thread;

use bootslot::storage::sim::{mix, Cut, Moment, Torn};
use common::hawkbit::Status;
use world::{good, other, Kill, World};

/// What an operator does before each visit: nothing, here. He acts between the roll-outs.
pub type Script = dyn Fn(&mut World, usize);

/// One device in this many gets the bad update.
const STAGE: u64 = 10;

/// What became of a part of the fleet.
#[derive(Default)]
struct Sum {
    devices: u64,
    lost: Vec<String>,
    bad: [u64; 2],
    right: u64,
    messages: usize,
    requests: usize,
    cuts: usize,
    boots: usize,
}

impl Sum {
    fn add(&mut self, one: Sum) {
        self.devices += one.devices;
        self.lost.extend(one.lost);
        self.bad = [self.bad[0] + one.bad[0], self.bad[1] + one.bad[1]];
        self.right += one.right;
        self.messages += one.messages;
        self.requests += one.requests;
        self.cuts += one.cuts;
        self.boots += one.boots;
    }
}

/// An action for this device, with trouble on the way: in two of three a power cut, in one of four a link that is down.
fn roll_out(world: &mut World, file: &str, random: &mut dyn FnMut() -> u64, id: &str) -> Status {
    let action = world.server.assign(&[file]);
    let requests = world.requests();
    match random() % 6 {
        0 => world.plan(Kill::Before(requests + (random() % 14) as usize)),
        1 => world.plan(Kill::After(requests + (random() % 14) as usize)),
        2 => world.plan(Kill::Files(world.files.operations() + random() % 40)),
        3 => {
            let op = world.board.log().len() + (random() % 60) as usize;
            let torn = Torn { byte: random() % 512, tail: random() as u32 };
            world.plan(Kill::Flash(Cut { op, moment: Moment::Inside(torn) }));
        }
        _ => {}
    }
    if random() % 4 == 0 {
        let from = requests + (random() % 10) as usize;
        world.offline = from..from + 1 + (random() % 12) as usize;
    }
    world.live(&|_, _| {}, &mut std::iter::from_fn(|| Some(random())), id);
    world.server.status(&action)
}

/// The life of one device.
fn device(number: u64, seed: u64) -> Sum {
    let mut state = mix(seed ^ mix(number));
    let mut random = move || {
        state = mix(state.wrapping_add(1));
        state
    };
    let id = format!("seed {seed}, device {number}");
    let lived = catch_unwind(AssertUnwindSafe(|| {
        let mut world = World::new();
        let mut sum = Sum { devices: 1, ..Sum::default() };
        if number % STAGE == 0 {
            // The fleet tells that it fails; the operator stops the roll-out, and makes a mistake.
            let first = roll_out(&mut world, "bad", &mut random, &id);
            let again = roll_out(&mut world, "bad", &mut random, &id);
            let kept = world.server.about("8");
            let refused = kept.last().is_some_and(|kept| kept.details[0].contains("has failed here before"));
            assert!(again == Status::Error && refused, "{id}: it is tried again: {kept:?}");
            sum.bad = [1, u64::from(first == Status::Error)];
        }
        for (file, made) in [("good", good()), ("other", other())] {
            let told = roll_out(&mut world, file, &mut random, &id);
            assert!(told == Status::Finished, "{id}: {file}: {told:?}");
            assert_eq!(world.confirmed_update(), made.id, "{id}");
        }
        sum.right = 1;
        (sum.messages, sum.requests) = (world.server.messages, world.requests());
        (sum.cuts, sum.boots) = (world.cuts, world.boots_at.len());
        sum
    }));
    lived.unwrap_or_else(|_| Sum { devices: 1, lost: vec![id], ..Sum::default() })
}

fn main() -> ExitCode {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse::<u64>().expect("a number"));
    let (devices, seed) = (numbers.next().unwrap_or(5000), numbers.next().unwrap_or(1));
    let workers = thread::available_parallelism().map_or(1, usize::from) as u64;
    let mut sum = Sum::default();
    thread::scope(|scope| {
        let parts: Vec<_> = (0..workers)
            .map(|worker| {
                scope.spawn(move || {
                    let mut sum = Sum::default();
                    for number in (worker..devices).step_by(workers as usize) {
                        sum.add(device(number, seed));
                    }
                    sum
                })
            })
            .collect();
        for part in parts {
            sum.add(part.join().expect("a worker"));
        }
    });
    let lost = sum.lost.len();
    println!("| {devices} devices, 4 roll-outs, seed {seed} | |");
    println!("|---|---|");
    println!("| devices lost, or of which the server believes something else | {lost} (goal: 0) |");
    println!("| devices on the right version | {} |", sum.right);
    println!("| the bad update: reached, told as failed, tried again | {}, {}, 0 |", sum.bad[0], sum.bad[1]);
    println!("| messages, and for each device and good update | {}, {:.1} |", sum.messages, per_update(&sum));
    println!("| requests | {} |", sum.requests);
    println!("| boots, power cuts | {}, {} |", sum.boots + sum.cuts, sum.cuts);
    for id in sum.lost.iter().take(10) {
        println!("lost: {id}");
    }
    ExitCode::from(u8::from(lost > 0 || sum.right != devices))
}

fn per_update(sum: &Sum) -> f64 {
    let updates = (2 * sum.devices + 2 * sum.bad[0]).max(1);
    sum.messages as f64 / updates as f64
}
