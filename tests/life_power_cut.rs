//! A device's life with an update that fails and one that is good, its power cut at every operation on the environment
//! and on the files beside it. It always goes on: a system boots, the bad update is refused, the good one is confirmed,
//! and each result is reported under one id, once it is true.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Mutex;

use bootslot::device::Device;
use bootslot::env::image::{encode, Layout};
use bootslot::env::Environment;
use bootslot::files::sim::{SimFiles, Trouble};
use bootslot::journal::{Finding, Journal, Verdict};
use bootslot::report::{self, About};
use bootslot::settings::Settings;
use bootslot::slot::{next_boot, Chosen, Mark, Name, Reason, Script, Standing, Working};
use bootslot::storage::sim::{mix, Board, Cut, Moment, SimMedium, Torn};
use bootslot::store::{LockPath, Store, StoreOptions};
use bootslot::Result;
use support::{copy_on, number, soak_seed};

const SIZE: usize = 1024;
const BAD: &str = "bad0";
const GOOD: &str = "good0";
/// More sessions than a life needs, with two cuts in it.
const PATIENCE: usize = 60;

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

/// What cuts have left, and what the boots after them have made of it.
static PAIRS: Mutex<BTreeSet<(&str, &str)>> = Mutex::new(BTreeSet::new());

/// The whole device.
struct World {
    board: Board,
    medium: SimMedium,
    files: SimFiles,
    running: String,
    boots: u32,
    /// What the server has heard: each id, and what it was told of it.
    heard: BTreeMap<String, BTreeSet<(String, &'static str)>>,
    findings: Vec<Finding>,
}

impl World {
    fn new() -> World {
        let board = Board::new();
        let medium = board.block(8192);
        let variables = Environment::from_records([&b"bootcmd=run bootslot"[..]]);
        medium.preload(512, &encode(&variables, Layout::Redundant, SIZE, 1, 0).unwrap());
        board.clear_log();
        let (files, both) = (SimFiles::new(), board.clone());
        files.when_off(move || both.cut_now());
        World {
            board,
            medium,
            files,
            running: "A".into(),
            boots: 1,
            heard: BTreeMap::new(),
            findings: Vec::new(),
        }
    }

    fn device(&self) -> Device {
        let copies = [512, 4096].map(|offset| copy_on(&self.medium, offset, SIZE)).into();
        let options = StoreOptions { lock: Some(LockPath::None), ..StoreOptions::default() };
        let settings = Settings {
            running: Some(name(&self.running)),
            script: Some(Script::V2),
            os_release: "/none".into(),
            sysfs: "/none".into(),
            ..Settings::default()
        };
        let boot = format!("{:08x}", self.boots);
        let journal = Journal::over(Box::new(self.files.clone()), Path::new("state"), &boot);
        let journal = journal.with_clock(|| 1000, 3000);
        Device::with_store(&settings, Store::from_copies(copies, options).unwrap()).with_journal(journal)
    }

    fn has_power(&self) -> bool {
        self.board.is_on() && self.files.is_on()
    }

    /// What U-Boot does. A normal reboot and a power cut are the same to it.
    fn boot(&mut self) -> Result<()> {
        let mut device = self.device();
        let state = device.state()?;
        let mut machine = Working::default();
        let boot = next_boot(&state, &mut machine);
        let mut before = state;
        for stored in machine.stored {
            let mut transaction = device.store().begin()?;
            for (name, value) in Settings::default().dialect.changes(&before, &stored).unwrap() {
                transaction.set(name.as_bytes(), value.as_deref().unwrap_or_default()).unwrap();
            }
            transaction.commit()?;
            before = stored;
        }
        let Chosen::Slot(slot) = boot.chosen else { panic!("nothing boots: {before:?}") };
        self.running = slot.to_string();
        self.boots += 1;
        Ok(())
    }

    /// What user space does in one boot. `true`: the life is as it should be, and nothing is left to do.
    fn session(&mut self) -> Result<bool> {
        let mut device = self.device();
        if !device.state()?.is_recorded() {
            device.init(None)?;
        }
        self.findings.extend(device.observe()?.map(|observed| observed.finding));
        self.report(&mut device)?;
        let (state, running) = (device.state()?, name(&self.running));
        if state.is_on_trial(&running) {
            match state.update.as_deref() {
                Some(update) if update == BAD.as_bytes() => drop(device.roll_back(Reason::Health)?),
                _ => drop(device.confirm(None)?),
            }
            return Ok(false);
        }
        assert!(matches!(state.standing(), Standing::Confirmed(_) | Standing::Trial { .. }));
        let story = device.story()?.unwrap();
        let confirmed = |update: &str| {
            story.attempts.iter().any(|a| a.update == update && a.verdict == Some(Verdict::Confirmed))
        };
        if confirmed(GOOD) {
            return Ok(true);
        }
        let update = match device.refuses(BAD, "2", 0)? {
            None => BAD,
            Some(_) => GOOD,
        };
        let target = name(if running.as_str() == "A" { "B" } else { "A" });
        device.begin_update(&target, update.as_bytes(), "2")?;
        device.finish_update(&target, None, update.as_bytes(), true, None)?;
        Ok(false)
    }

    fn report(&mut self, device: &mut Device) -> Result<()> {
        for message in report::outgoing(device)? {
            let About::Update(attempt) = &message.about else { panic!("a finding: {message:?}") };
            // The server has it now, whatever comes next.
            let told = (attempt.update.clone(), attempt.verdict.unwrap().as_str());
            self.heard.entry(message.id.clone()).or_default().insert(told);
            report::sent(device, &message, "server")?;
        }
        Ok(())
    }

    /// The power comes back.
    fn restore(&mut self, choice: u64) {
        self.board.cut_now();
        self.files.cut_now();
        self.board.restore(choice % self.board.choices().max(1));
        self.files.power_up(mix(choice));
        self.board.clear_log();
    }

    /// Where the update is, by what is on the media: a word of the table in docs/update.md.
    fn place(&self) -> &'static str {
        let mut device = self.device();
        let state = device.state().unwrap();
        let story = device.story().unwrap().unwrap();
        let writing = state.slots.iter().any(|slot| state.mark(&slot.name) == Some(Mark::Writing));
        match state.standing() {
            _ if !state.is_recorded() => "factory",
            Standing::Trial { slot, .. } if state.update.is_none() && slot.as_str() == "A" => "factory",
            Standing::Trial { slot, .. } if slot.as_str() != self.running => "waiting for the reboot",
            Standing::Trial { .. } => "on trial",
            Standing::Confirmed(slot) if slot.as_str() != self.running => "given up",
            _ if writing => "being written",
            Standing::Confirmed(_) if !story.unreported().is_empty() => "to be reported",
            Standing::Confirmed(_) => "confirmed",
            Standing::Over(_) => panic!("nothing is active: {state:?}"),
        }
    }

    /// The power is back: the boot, and what it makes of what the cut has left.
    fn boot_after_a_cut(&mut self, id: &str) {
        let left = self.place();
        match self.boot() {
            Ok(()) => drop(PAIRS.lock().unwrap().insert((left, self.place()))),
            Err(error) => assert!(!self.has_power(), "{id}: {error}"),
        }
    }

    /// Lives on until all is done. The first time that the power fails, it comes back with each of these choices.
    fn live(&mut self, choices: &mut dyn Iterator<Item = u64>, id: &str) {
        for _ in 0..PATIENCE {
            let done = self.session();
            if !self.has_power() {
                self.restore(choices.next().unwrap_or_default());
                self.boot_after_a_cut(id);
                if self.has_power() {
                    continue;
                }
            } else if done.unwrap_or_else(|error| panic!("{id}: {error}")) {
                let mut device = self.device();
                if report::outgoing(&mut device).unwrap().is_empty() {
                    return self.judge(id);
                }
                continue;
            }
            while let Err(error) = self.boot() {
                assert!(!self.has_power(), "{id}: {error}");
                self.restore(choices.next().unwrap_or_default());
            }
        }
        panic!("{id}: it does not get there");
    }

    fn judge(&self, id: &str) {
        let told: Vec<_> = self.heard.values().cloned().collect();
        let bad = BTreeSet::from([(BAD.to_owned(), "rolled-back")]);
        let good = BTreeSet::from([(GOOD.to_owned(), "confirmed")]);
        assert!(told.len() == 2 && told.contains(&bad) && told.contains(&good), "{id}: {:?}", self.heard);
        let wrong = [Finding::EnvironmentLost, Finding::ChangedByHand];
        assert!(!self.findings.iter().any(|finding| wrong.contains(finding)), "{id}: {:?}", self.findings);
        let mut device = self.device();
        let state = device.state().unwrap();
        assert!(
            matches!(state.standing(), Standing::Confirmed(slot) if slot.as_str() == self.running),
            "{id}"
        );
        assert!(device.refuses(BAD, "2", 0).unwrap().is_some(), "{id}: {BAD} would be installed again");
        assert_eq!(device.refuses(GOOD, "2", 0).unwrap(), None, "{id}");
    }
}

/// Operations on the files, and on the environment, of a life without a cut.
fn whole() -> (u64, usize) {
    let mut world = World::new();
    world.live(&mut std::iter::empty(), "no cut");
    (world.files.operations(), world.board.log().len())
}

/// The table in docs/update.md: each state that a cut can leave, and what the boot makes of it.
fn table() -> BTreeSet<(String, String)> {
    let page = include_str!("../docs/update.md");
    let (_, rest) = page.split_once("| a power cut leaves |").expect("the table");
    let rows = rest.lines().skip(2).take_while(|line| line.starts_with('|'));
    let words = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    rows.flat_map(|row| {
        let cells: Vec<&str> = row.split('|').collect();
        let states = words(cells[1]);
        words(cells[2]).into_iter().map(move |after| (states[0].clone(), after))
    })
    .collect()
}

#[test]
fn a_cut_leaves_what_the_table_says_and_the_boot_makes_of_it_what_it_says() {
    every_cut_in_the_files();
    every_cut_in_the_environment();
    let seen: BTreeSet<_> =
        PAIRS.lock().unwrap().iter().map(|(left, after)| ((*left).to_owned(), (*after).to_owned())).collect();
    assert_eq!(seen, table());
}

fn every_cut_in_the_files() {
    let (operations, _) = whole();
    let mut lives = 0;
    for operation in 0..operations {
        for choice in 0..20 {
            let id = format!("files-{operation}-{choice}");
            let mut world = World::new();
            world.files.plan(operation, Trouble::Cut);
            world.live(&mut std::iter::repeat(choice), &id);
            lives += 1;
        }
    }
    println!("{lives} lives");
    assert!(lives > 500, "{lives}");
}

fn every_cut_in_the_environment() {
    let (_, operations) = whole();
    let mut lives = 0;
    for op in 0..operations {
        let inside = [0, 100, 511].map(|byte| Moment::Inside(Torn { byte, tail: 1 }));
        for moment in [Moment::Before, Moment::After].into_iter().chain(inside) {
            for choice in 0..2 {
                let id = format!("environment-{op}-{moment:?}-{choice}");
                let mut world = World::new();
                world.board.cut(Cut { op, moment });
                world.live(&mut std::iter::repeat(choice), &id);
                lives += 1;
            }
        }
    }
    println!("{lives} lives");
    assert!(lives > 300, "{lives}");
}

/// Random lives with two cuts. `BOOTSLOT_SOAK_LIVES` and `BOOTSLOT_SOAK_SEED` choose how many, and which.
#[test]
fn random_lives_with_two_cuts() {
    let (lives, seed) = (number("BOOTSLOT_SOAK_LIVES").unwrap_or(400), soak_seed());
    let (files, environment) = whole();
    println!("BOOTSLOT_SOAK_SEED={seed}");
    for life in 0..lives {
        let random = |n: u64| mix(seed ^ mix(life * 8 + n));
        let id = format!("BOOTSLOT_SOAK_SEED={seed}, life {life}");
        let mut world = World::new();
        world.files.plan(random(0) % files, Trouble::Cut);
        let (op, byte) = ((random(1) % environment as u64) as usize, (random(2) % 512) as u32);
        world
            .board
            .cut(Cut { op, moment: Moment::Inside(Torn { byte: byte.into(), tail: random(3) as u32 }) });
        let mut choices = (4..).map(random);
        world.live(&mut choices, &id);
    }
}

/// An update that has failed is named, and refused, also while no copy of the environment is valid.
#[test]
fn the_journal_alone_refuses_what_has_failed() {
    let mut world = World::new();
    while !world.session().unwrap() {
        world.boot().unwrap();
    }
    for offset in [512, 4096] {
        world.medium.preload(offset, &[0xff; SIZE]);
    }
    let mut device = world.device();
    assert!(device.state().is_err());
    let refused: Vec<String> = device.refused().unwrap().into_iter().map(|one| one.update).collect();
    assert_eq!(refused, [BAD]);
    assert!(device.refuses(BAD, "2", 0).unwrap().is_some());
    assert_eq!(device.refuses(GOOD, "2", 0).unwrap(), None);
    let report = report::Report::of(&mut device).unwrap();
    assert_eq!(report.refused.len(), 1);
}

/// The folder with the journal is lost once in a life: the environment goes on alone.
#[test]
fn the_journal_is_lost_between_any_two_boots() {
    for lost in 0..8 {
        let mut world = World::new();
        let mut sessions = 0;
        let confirmed = loop {
            if sessions == lost {
                world.files = SimFiles::new();
            }
            let done = world.session().unwrap();
            sessions += 1;
            if done || sessions > 40 {
                break done;
            }
            world.boot().unwrap();
        };
        assert!(confirmed, "{lost}");
        let mut device = world.device();
        let refused = device.refuses(BAD, "2", 0).unwrap();
        assert!(refused.is_some(), "{lost}: {BAD} would be installed again");
        let told: BTreeSet<_> = world.heard.values().flatten().cloned().collect();
        assert!(told.contains(&(GOOD.to_owned(), "confirmed")), "{lost}: {told:?}");
    }
}
