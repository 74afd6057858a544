//! Random installations with random cuts, one after the other, on each kind of medium: whole bundles and patches, onto
//! whatever was there before.
//!
//! `BOOTSLOT_SOAK_CUTS=100000 cargo test --release --all-features --test install -- --ignored soak --nocapture`
//! begins with `BOOTSLOT_SOAK_SEED`, or with the clock.

use std::path::PathBuf;

use bootslot::slot::Standing;
use bootslot::storage::sim::{mix, Cut, Entry};

use crate::media::{fill, holds, judge, moments, On, ALL};
use crate::rig::*;
use crate::support::{number, soak_seed};

/// How many installations are made up; each is cut in many ways.
const STORIES: u64 = 64;

/// Numbers that follow from a seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = mix(self.0);
        (self.0 % limit.max(1) as u64) as usize
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// Text, zeros and 0xff in some order.
    fn image(&mut self, longest: usize) -> Vec<u8> {
        let len = 2000 + self.below(longest - 2000);
        let mut image = Vec::new();
        while image.len() < len {
            let piece = 1 + self.below(20_000);
            image.extend(match self.below(5) {
                0 => vec![0; piece],
                1 => vec![0xff; piece],
                _ => content(piece, self.0),
            });
        }
        image.truncate(len);
        // An image of zeros alone is in no bundle.
        image.splice(..100, content(100, self.0));
        image
    }

    /// The same with a few bytes changed, and some put in or taken out.
    fn changed(&mut self, image: &[u8], longest: usize) -> Vec<u8> {
        let mut image = image.to_vec();
        for _ in 0..1 + self.below(4) {
            let at = self.below(image.len());
            match self.below(3) {
                0 => image[at] ^= 1,
                1 => drop(image.splice(at..at, content(37, self.0))),
                _ => drop(image.drain(at..(at + 51).min(image.len() - 1).max(at))),
            }
        }
        image.truncate(longest);
        image
    }
}

/// A device, and an installation onto it that nothing has cut.
struct Story {
    on: On,
    start: Rig,
    path: PathBuf,
    boot: Vec<u8>,
    root: Vec<u8>,
    log: Vec<Entry>,
}

impl Story {
    fn new(seed: u64) -> Story {
        let mut chance = Chance(seed);
        let on = *chance.pick(&[&ALL[..], &[On::Block]].concat());
        let start = on.rig();
        let (boot, root) = (chance.image(12_000), chance.image(SLOT_SIZE - 8000));
        let old = chance.changed(&root, SLOT_SIZE - 8000);
        fill(start.part("A", "root"), &old);
        let patch: &[(&str, &[u8])] = if chance.below(2) == 0 { &[] } else { &[("root", &old)] };
        // What an installation of this or of another bundle has left, or anything.
        let left = chance.changed(&root, SLOT_SIZE - 8000);
        match chance.below(3) {
            0 => fill(start.part("B", "root"), &left),
            1 => fill(start.part("B", "root"), &root[..root.len() / 2]),
            _ => {}
        }
        let path = workshop().patch(&format!("soak-{seed:x}"), &[("boot", &boot), ("root", &root)], patch);
        let whole = start.fork();
        whole.install(source(&path)).unwrap_or_else(|error| panic!("story {seed:#x}, {on:?}: {error}"));
        holds(&whole, &boot, &root, &format!("story {seed:#x}"));
        let log = whole.board.log();
        Story { on, start, path, boot, root, log }
    }

    /// The power fails up to three times, and then it stays. Returns how often it has failed.
    fn told(&self, seed: u64, id: &str) -> u64 {
        let mut chance = Chance(seed);
        let rig = self.start.fork();
        let mut cuts = 0;
        for _ in 0..1 + chance.below(3) {
            let op = chance.below(self.log.len());
            let moment = *chance.pick(&moments(&self.log[op], self.on));
            rig.board.clear_log();
            rig.board.cut(Cut { op, moment });
            let ran = rig.install(source(&self.path));
            if rig.board.is_on() {
                // What was left took fewer operations.
                ran.unwrap_or_else(|error| panic!("{id}: {error}"));
                break;
            }
            cuts += 1;
            let choices = rig.board.choices();
            rig.board.restore(chance.0 % choices);
            judge(
                &rig,
                (&self.boot, &self.root),
                &self.start,
                &format!("{id}, cut {cuts} at {op} {moment:?}"),
            );
        }
        rig.board.clear_plan();
        rig.install(source(&self.path)).unwrap_or_else(|error| panic!("{id}: {error}"));
        holds(&rig, &self.boot, &self.root, id);
        assert_eq!(rig.state().standing(), Standing::Trial { slot: &name("B"), left: 3 }, "{id}");
        cuts
    }
}

fn cut(cuts: u64, seed: u64) {
    let threads = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    let part = |thread: u64| {
        let mut done = 0;
        for number in 0u64.. {
            let seed = mix(seed ^ thread << 48 ^ number << 24);
            let story = Story::new(seed);
            for turn in 0..(cuts / STORIES).clamp(16, 2000) {
                done +=
                    story.told(mix(seed ^ turn), &format!("{:?}, story {seed:#x}, turn {turn}", story.on));
            }
            if done >= cuts.div_ceil(threads) {
                break;
            }
        }
        done
    };
    let done: u64 = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|thread| scope.spawn(move || part(thread))).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    println!("{done} cuts in installations, none lost anything");
}

#[test]
fn some_random_cuts() {
    let seed = soak_seed();
    println!("BOOTSLOT_SOAK_SEED={seed}");
    cut(1000, seed);
}

#[test]
#[ignore = "runs for minutes: make soak"]
fn soak() {
    let seed = soak_seed();
    let cuts = number("BOOTSLOT_SOAK_CUTS").unwrap_or(100_000);
    println!("soak: {cuts} cuts, BOOTSLOT_SOAK_SEED={seed}");
    cut(cuts, seed);
}
