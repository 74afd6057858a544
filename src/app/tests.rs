//! The machine over all its states, and power cuts, errors and a full medium at each operation over simulated files.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Cursor, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::decide::{next, Boot, Facts, Next, Outcome, Seen};
use super::job::{Arrival, Job, Moment};
use super::state::{Failed, Stage, State, Version, With};
use super::unpack::{unpack, Unfit};
use super::{chosen, AppError, Event, Service};
use crate::files::build::Build;
use crate::files::sim::{SimFiles, Trouble};
use crate::files::{make_folders, Files};
use crate::settings::health::{Check, Kind};
use crate::settings::App;
use crate::slot::Name;

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn version(number: u8) -> Version {
    Version { id: format!("{number:016x}"), version: format!("{number}.0"), system: None }
}

fn needs(number: u8, system: &str) -> Version {
    Version { system: Some(system.into()), ..version(number) }
}

fn with() -> With {
    With { slot: name("B"), update: "update".into() }
}

#[test]
fn each_state_is_read_as_it_was_written_and_a_changed_byte_is_found() {
    let new = || version(2).id;
    let stages = [
        Stage::Settled,
        Stage::Trial { new: new(), boots: 2 },
        Stage::Back { new: new(), why: "service network".into() },
        Stage::With { new: new(), with: with() },
        Stage::Removing,
    ];
    for stage in stages {
        let state = State {
            versions: vec![needs(1, "2.0~rc1"), version(2)],
            confirmed: vec![version(1).id],
            stage,
            floor: Some("0.9".into()),
            next_floor: Some("1.0".into()),
            refused: vec![Failed { id: "x".into(), version: "3".into(), why: "a b".into() }],
        };
        let bytes = state.encode();
        assert_eq!(State::decode(&bytes), Ok(state));
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(State::decode(&changed).is_err(), "{at}");
            assert!(State::decode(&bytes[..at]).is_err(), "{at}");
        }
    }
    assert_eq!(State::decode(&State::default().encode()), Ok(State::default()));
    // What would lead out of the folder, or names what is not there.
    for wrong in ["version = ../x 1.0 -\n", "version = x .. -\n", "confirmed = x\n", "version = x\n"] {
        let text = format!("bootslot app 1\n{wrong}stage = settled\n");
        let text = format!("{text}crc = {:08x}\n", crc32fast::hash(text.as_bytes()));
        assert!(State::decode(text.as_bytes()).is_err(), "{wrong}");
    }
}

/// Where the link leads, and what is known: all that is reachable, with any system at any time and a cut after each
/// transition. Each run ends, with a version in place that is confirmed, or on trial where it may be.
#[test]
fn no_state_is_without_an_exit() {
    let pending = Some(with());
    let other = Some(With { update: "other".into(), ..with() });
    let mut systems = vec![Facts::default()];
    for slot in ["A", "B"] {
        for (confirmed, trial) in [
            (true, None),
            (true, pending.clone()),
            (false, pending.clone()),
            (false, other.clone()),
            (false, None),
        ] {
            for system in [None, Some("1.0"), Some("2.0")] {
                // Who runs the slot that is on trial has not confirmed it.
                let confirmed = confirmed && !(slot == "B" && trial.is_some());
                let boot = Some(Boot { slot: name(slot), confirmed, trial: trial.clone() });
                systems.push(Facts { system: system.map(str::to_owned), boot });
            }
        }
    }
    let settled = |confirmed: &[u8]| State {
        versions: vec![version(1), needs(2, "2.0"), version(3)],
        confirmed: confirmed.iter().map(|number| version(*number).id).collect(),
        ..State::default()
    };
    let mut open: Vec<(State, Option<String>)> = Vec::new();
    for confirmed in [&[][..], &[1], &[1, 2]] {
        for new in [2, 3].into_iter().filter(|new| !confirmed.contains(new)) {
            let new = version(new).id;
            let stages = [
                Stage::Settled,
                Stage::Trial { new: new.clone(), boots: 0 },
                Stage::Trial { new: new.clone(), boots: 3 },
                Stage::Trial { new: new.clone(), boots: 4 },
                Stage::Back { new: new.clone(), why: "service".into() },
                Stage::With { new, with: with() },
            ];
            open.extend(stages.map(|stage| (State { stage, ..settled(confirmed) }, None)));
        }
    }
    let mut known = BTreeSet::new();
    let mut ends = BTreeMap::new();
    while let Some((state, link)) = open.pop() {
        if !known.insert(format!("{state:?} {link:?}")) {
            continue;
        }
        for facts in &systems {
            let (mut state, mut link) = (state.clone(), link.clone());
            let mut steps = 0;
            let end = loop {
                let seen = Seen { link: link.clone(), leftovers: false };
                match next(&state, &seen, facts, 3) {
                    Next::Switch(target) => link = target.map(|target| target.folder()),
                    Next::Store(changed, outcome) => {
                        if let Outcome::Confirmed(new) = &outcome {
                            assert!(facts.boot.as_ref().unwrap().confirmed);
                            assert_eq!(changed.current(), Some(new));
                        }
                        state = changed;
                    }
                    end => break end,
                }
                open.push((state.clone(), link.clone()));
                steps += 1;
                assert!(steps < 10, "{state:?} {link:?} {facts:?}");
            };
            match &end {
                Next::Judge(new) => {
                    assert!(matches!(&state.stage, Stage::Trial { boots: 0..=3, .. }));
                    assert_eq!(link, Some(new.folder()));
                    // It is judged.
                    open.push((state.clone().confirm(), link.clone()));
                    let back = Stage::Back { new: new.id.clone(), why: "service".into() };
                    open.push((State { stage: back, ..state.clone() }, link.clone()));
                }
                Next::Ready => {
                    let new = state.new_version().map(Version::folder);
                    let old = chosen(&state, facts).map(Version::folder);
                    match &state.stage {
                        Stage::Settled => assert_eq!(link, old),
                        Stage::With { .. } if link == new => {
                            let boot = facts.boot.as_ref();
                            assert!(boot.is_none_or(|boot| boot.slot == name("B") && !boot.confirmed));
                        }
                        Stage::With { .. } => assert!(link == old || facts.boot.is_none()),
                        stage => panic!("{stage:?}"),
                    }
                }
                other => panic!("{other:?}"),
            }
            *ends.entry(format!("{end:?}").split('(').next().unwrap().to_owned()).or_insert(0) += 1;
        }
    }
    assert!(known.len() > 60 && ends["Judge"] > 100 && ends["Ready"] > 1000, "{} {ends:?}", known.len());
}

#[test]
fn an_older_version_stands_in_where_the_system_is_too_old() {
    let state = State {
        versions: vec![version(1), needs(2, "2.0")],
        confirmed: vec![version(1).id, version(2).id],
        ..State::default()
    };
    let on = |system: Option<&str>| {
        let facts = Facts { system: system.map(str::to_owned), boot: None };
        chosen(&state, &facts).unwrap().version.clone()
    };
    assert_eq!(
        (on(Some("2.0")), on(Some("2.1")), on(Some("1.9"))),
        ("2.0".into(), "2.0".into(), "1.0".into())
    );
    // Who does not know leaves it.
    assert_eq!(on(None), "2.0");
    let alone = State { confirmed: vec![version(2).id], ..state };
    assert_eq!(
        chosen(&alone, &Facts { system: Some("1.0".into()), boot: None }),
        alone.version(&version(2).id)
    );
}

/// An archive of this version.
fn archive(number: u8) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut add = |path: &str, kind: tar::EntryType, bytes: &[u8], link: Option<&str>| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(0o755);
        header.set_size(bytes.len() as u64);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(1);
        match link {
            Some(target) => tar.append_link(&mut header, path, target).unwrap(),
            None => tar.append_data(&mut header, path, bytes).unwrap(),
        }
    };
    let text = format!("version {number}");
    add("./", tar::EntryType::Directory, b"", None);
    add("bin/", tar::EntryType::Directory, b"", None);
    add("bin/run", tar::EntryType::Regular, text.as_bytes(), None);
    add("empty", tar::EntryType::Regular, b"", None);
    add("lib", tar::EntryType::Symlink, b"", Some("bin"));
    add("second", tar::EntryType::Link, b"", Some("bin/run"));
    tar.into_inner().unwrap()
}

/// What a folder of this version holds.
fn content(number: u8) -> BTreeMap<PathBuf, Vec<u8>> {
    let text = format!("version {number}").into_bytes();
    [("bin/run", text.clone()), ("empty", vec![]), ("lib", b"-> bin".to_vec()), ("second", text)]
        .map(|(path, bytes)| (path.into(), bytes))
        .into()
}

/// What a service does with files and power.
#[derive(Clone)]
struct Machine {
    files: SimFiles,
    /// The folder that the service runs from.
    running: Arc<Mutex<Option<String>>>,
    /// The orders to it.
    orders: Arc<Mutex<Vec<String>>>,
    /// The orders that fail, with the folder that the link leads to then.
    fails: Vec<String>,
}

const LINK: &str = "/apps/gateway/current";

impl Service for Machine {
    fn stop(&mut self) -> Result<(), String> {
        self.order("stop")?;
        *self.running.lock().unwrap() = None;
        Ok(())
    }

    fn start(&mut self) -> Result<(), String> {
        self.order("start")?;
        let target = self.files.clone().link_target(Path::new(LINK)).unwrap();
        let mut running = self.running.lock().unwrap();
        // One that runs is not started again.
        if running.is_none() {
            *running = target.map(|target| target.file_name().unwrap().to_str().unwrap().to_owned());
        }
        Ok(())
    }
}

impl Machine {
    fn new() -> Machine {
        let mut files = SimFiles::new();
        make_folders(&mut files, Path::new("/apps")).unwrap();
        files.power_up(0);
        Machine { files, running: Arc::default(), orders: Arc::default(), fails: Vec::new() }
    }

    /// Version 1 is confirmed, and runs.
    fn with_one() -> Machine {
        let machine = Machine::new();
        machine.install(1, &old_system(), Ok(())).unwrap();
        machine.power_up(0);
        assert_eq!(machine.boot(&old_system()).unwrap(), None);
        machine
    }

    fn order(&self, order: &str) -> Result<(), String> {
        if !self.files.is_on() {
            return Err("no power".into());
        }
        let link = self.files.clone().link_target(Path::new(LINK)).unwrap();
        let link = link.map_or(String::new(), |link| link.display().to_string());
        let order = format!("{order} {}", link.trim_start_matches("versions/")).trim().to_owned();
        self.orders.lock().unwrap().push(order.clone());
        match self.fails.iter().any(|fails| order.starts_with(fails)) {
            true => Err("it fails".into()),
            false => Ok(()),
        }
    }

    fn copy(&self) -> Machine {
        let running = Arc::new(Mutex::new(self.running.lock().unwrap().clone()));
        Machine { files: self.files.copy(), running, orders: Arc::default(), fails: self.fails.clone() }
    }

    /// The power comes on again: nothing runs, and what was not synced may be lost.
    fn power_up(&self, choice: u64) {
        self.files.power_up(choice);
        *self.running.lock().unwrap() = None;
    }

    fn with_job<T>(
        &self,
        facts: &Facts,
        events: &mut Vec<Event>,
        work: impl FnOnce(&mut Job<'_>) -> Result<T, AppError>,
    ) -> Result<T, AppError> {
        let (mut files, mut service, app) = (self.files.clone(), self.clone(), app());
        let tell = &mut |event: &Event| events.push(event.clone());
        work(&mut Job { files: &mut files, service: &mut service, app: &app, facts, tell })
    }

    /// A boot: the link is put where it has to be, then the service starts.
    fn boot(&self, facts: &Facts) -> Result<Option<Version>, AppError> {
        let judged = self.with_job(facts, &mut Vec::new(), |job| job.run(Moment::Boot))?;
        let _ = self.clone().start();
        Ok(judged)
    }

    fn stage(&self, number: u8, facts: &Facts, with: Option<With>) -> Result<Option<Version>, AppError> {
        let version = version(number);
        let arrival = Arrival { version: version.clone(), floor: None, with };
        self.with_job(facts, &mut Vec::new(), |job| {
            if job.run(Moment::Later)?.is_some() || job.check(&arrival, true, false)? {
                return Ok(None);
            }
            job.check_room(1000)?;
            job.unpack(&version, &mut Cursor::new(archive(number)))?;
            let waits = arrival.with.is_some();
            job.begin(arrival)?;
            // The store that it waits for comes next.
            if waits {
                Ok(None)
            } else {
                job.run(Moment::Later)
            }
        })
    }

    fn judge(&self, version: &Version, facts: &Facts, verdict: Result<(), &str>) -> Result<(), AppError> {
        self.with_job(facts, &mut Vec::new(), |job| job.decide(&version.id, verdict).map(drop))
    }

    /// The whole life of an installation.
    fn install(&self, number: u8, facts: &Facts, verdict: Result<(), &str>) -> Result<(), AppError> {
        match self.stage(number, facts, None)? {
            Some(version) => self.judge(&version, facts, verdict),
            None => Ok(()),
        }
    }

    /// The number of the version in place, which is whole; 0: none is. The service runs it, or nothing.
    fn in_place(&self) -> u8 {
        let contents = self.files.contents();
        let link = contents.get(Path::new("apps/gateway/current"));
        let running = self.running.lock().unwrap().clone();
        let Some(link) = link else {
            assert_eq!(running, None);
            return 0;
        };
        let folder = String::from_utf8(link.clone()).unwrap().replace("-> versions/", "");
        assert!(running.is_none_or(|running| running == folder), "runs, in place: {folder}");
        let at = PathBuf::from("apps/gateway/versions").join(&folder);
        let found: BTreeMap<PathBuf, Vec<u8>> = contents
            .iter()
            .filter_map(|(path, bytes)| Some((path.strip_prefix(&at).ok()?.to_path_buf(), bytes.clone())))
            .collect();
        let number = folder.split('.').next().unwrap().parse().unwrap();
        assert_eq!(found, content(number), "{folder} is not whole");
        number
    }

    fn state(&self) -> State {
        self.with_job(&old_system(), &mut Vec::new(), |job| job.load()).unwrap().unwrap_or_default()
    }

    /// Nothing lies there that is not known.
    fn is_tidy(&self) -> bool {
        let state = self.state();
        let known: Vec<PathBuf> = state
            .versions
            .iter()
            .map(|version| PathBuf::from("apps/gateway/versions").join(version.folder()))
            .chain(
                ["current", "state", "current.new", "state.new"]
                    .map(|name| Path::new("apps/gateway").join(name)),
            )
            .collect();
        self.files.contents().keys().all(|path| known.iter().any(|known| path.starts_with(known)))
    }
}

fn app() -> App {
    App {
        name: "gateway".into(),
        root: "/apps".into(),
        unit: Some("gateway.service".into()),
        stop: None,
        start: None,
        service_limit: Duration::from_secs(1),
        keep: 1,
        tries: 3,
        devices: false,
        settle: Duration::ZERO,
        deadline: Duration::from_secs(1),
        checks: vec![Check::new("service", Kind::Unit("gateway.service".into()))],
    }
}

fn system(version: &str, slot: &str, confirmed: bool, trial: Option<With>) -> Facts {
    Facts { system: Some(version.into()), boot: Some(Boot { slot: name(slot), confirmed, trial }) }
}

fn old_system() -> Facts {
    system("1.0", "A", true, None)
}

/// States of a medium after a cut: all of them, or as many by chance.
fn choices(files: &SimFiles, most: u64, seed: &mut u64) -> Vec<u64> {
    let all = files.choices();
    let mut chance = || {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*seed >> 16) % all
    };
    match all <= most {
        true => (0..all).collect(),
        false => (0..most).map(|_| chance()).chain([0, all - 1]).collect(),
    }
}

type Act<'a> = &'a dyn Fn(&Machine) -> Result<(), AppError>;

/// Every state after a cut at each operation of `act`.
fn cut_everywhere(before: &Machine, most: u64, act: Act<'_>, look: &mut dyn FnMut(Machine, u64)) {
    let whole = before.copy();
    let _ = act(&whole);
    let mut seed = 7;
    for operation in 0..whole.files.operations() {
        let cut = before.copy();
        cut.files.plan(operation, Trouble::Cut);
        let _ = act(&cut);
        assert!(!cut.files.is_on(), "{:?}", whole.files.log()[operation as usize]);
        for choice in choices(&cut.files, most, &mut seed) {
            let found = cut.copy();
            found.power_up(choice);
            look(found, operation);
        }
    }
}

/// A cut in `act`, and a boot after it: old or new is in place, whole. What is on trial is decided, in both ways. Then the
/// next installation works. In some states the power fails again.
fn survives(before: &Machine, allowed: &[u8], act: Act<'_>) -> u64 {
    let mut states = 0;
    let check = |found: &Machine, id: &str| {
        let judged = found.boot(&old_system()).unwrap_or_else(|error| panic!("{id}: {error}"));
        let number = found.in_place();
        assert!(allowed.contains(&number), "{id}: {number}");
        let Some(judged) = judged else {
            assert!(!matches!(found.state().stage, Stage::Trial { .. } | Stage::Back { .. }), "{id}");
            assert!(found.is_tidy(), "{id}: {:?}", found.files.contents().keys());
            next_works(found, id);
            return;
        };
        assert_eq!(number, 2, "{id}");
        for verdict in [Ok(()), Err("service")] {
            let decided = found.copy();
            decided.judge(&judged, &old_system(), verdict).unwrap();
            let expected = if verdict.is_ok() { 2 } else { before.in_place() };
            assert_eq!(decided.in_place(), expected, "{id}");
            assert_eq!(decided.state().refused.len(), usize::from(verdict.is_err()), "{id}");
            assert!(decided.is_tidy(), "{id}");
            next_works(&decided, id);
        }
    };
    cut_everywhere(before, 12, act, &mut |found, operation| {
        check(&found.copy(), &format!("operation {operation}"));
        states += 1;
        if states % 11 == 0 {
            let again = |machine: &Machine| match machine.boot(&old_system())? {
                Some(version) => machine.judge(&version, &old_system(), Err("service")),
                None => Ok(()),
            };
            cut_everywhere(&found, 3, &again, &mut |twice, second| {
                check(&twice, &format!("operation {operation}, then {second}"));
                states += 1;
            });
        }
    });
    states
}

fn next_works(machine: &Machine, id: &str) {
    let machine = machine.copy();
    machine.install(3, &old_system(), Ok(())).unwrap_or_else(|error| panic!("{id}: {error}"));
    assert_eq!(machine.in_place(), 3, "{id}");
    assert_eq!(machine.state().current(), Some(&version(3)));
    assert!(machine.is_tidy(), "{id}");
}

#[test]
fn a_cut_anywhere_leaves_the_old_version_or_the_new_one() {
    let machine = Machine::with_one();
    let mut states = 0;
    for verdict in [Ok(()), Err("service")] {
        states += survives(&machine, &[1, 2], &|machine| machine.install(2, &old_system(), verdict));
    }
    assert!(states > 1000, "{states}");
    eprintln!("{states} states");
}

#[test]
fn a_cut_in_the_first_installation_leaves_nothing_or_the_new_version() {
    let machine = Machine::new();
    for verdict in [Ok(()), Err("service")] {
        let states = survives(&machine, &[0, 2], &|machine| machine.install(2, &old_system(), verdict));
        assert!(states > 500, "{states}");
    }
    // One that failed leaves nothing that runs.
    machine.install(2, &old_system(), Err("service")).unwrap();
    assert_eq!((machine.in_place(), machine.running.lock().unwrap().clone()), (0, None));
}

#[test]
fn a_version_on_trial_is_left_after_so_many_boots() {
    let machine = Machine::with_one();
    assert_eq!(machine.stage(2, &old_system(), None).unwrap(), Some(version(2)));
    for boot in 1..=3 {
        machine.power_up(0);
        assert_eq!(machine.boot(&old_system()).unwrap(), Some(version(2)), "{boot}");
        assert_eq!(machine.in_place(), 2);
    }
    machine.power_up(0);
    survives(&machine, &[1], &|machine| machine.boot(&old_system()).map(drop));
    assert_eq!(machine.boot(&old_system()).unwrap(), None);
    assert_eq!(machine.in_place(), 1);
    assert_eq!(machine.state().refused[0].why, "tries");
    // A normal boot writes nothing.
    machine.power_up(machine.files.choices() - 1);
    machine.boot(&old_system()).unwrap();
    assert_eq!(machine.files.operations(), 0, "{:?}", machine.files.log());
}

#[test]
fn the_service_is_stopped_before_the_link_is_switched_and_runs_again_whatever_happens() {
    let machine = Machine::with_one();
    let folder = |number: u8| version(number).folder();
    machine.orders.lock().unwrap().clear();
    machine.install(2, &old_system(), Ok(())).unwrap();
    assert_eq!(
        *machine.orders.lock().unwrap(),
        [format!("stop {}", folder(1)), format!("start {}", folder(2))]
    );
    assert_eq!(machine.running.lock().unwrap().clone(), Some(folder(2)));

    // One that can't be stopped keeps its version, and the new one is not to blame.
    let mut stuck = Machine::with_one();
    stuck.fails = vec!["stop".into()];
    assert_eq!(stuck.stage(2, &old_system(), None).unwrap(), None);
    assert_eq!((stuck.in_place(), stuck.state().refused.len()), (1, 0));
    assert_eq!(stuck.running.lock().unwrap().clone(), Some(folder(1)));

    // One that can't be started is judged by its checks; where there are none, it is left at once.
    let mut broken = Machine::with_one();
    broken.fails = vec![format!("start {}", folder(2))];
    let judged = broken.stage(2, &old_system(), None).unwrap().unwrap();
    broken.judge(&judged, &old_system(), Err("service")).unwrap();
    assert_eq!((broken.in_place(), broken.running.lock().unwrap().clone()), (1, Some(folder(1))));
    let unchecked = App { checks: Vec::new(), ..app() };
    let mut broken = Machine::with_one();
    broken.fails = vec![format!("start {}", folder(2))];
    let (mut files, mut service, facts) = (broken.files.clone(), broken.clone(), old_system());
    let tell = &mut |_: &Event| {};
    let mut job = Job { files: &mut files, service: &mut service, app: &unchecked, facts: &facts, tell };
    job.unpack(&version(2), &mut Cursor::new(archive(2))).unwrap();
    job.begin(Arrival { version: version(2), floor: None, with: None }).unwrap();
    assert_eq!(job.run(Moment::Later).unwrap(), None);
    assert_eq!((broken.in_place(), broken.running.lock().unwrap().clone()), (1, Some(folder(1))));
    assert_eq!(broken.state().refused[0].why, "start");
}

/// The program is killed at each operation, and nothing else: no boot comes, and the next command goes on.
#[test]
fn a_program_that_is_killed_leaves_a_service_that_the_next_command_starts() {
    let before = Machine::with_one();
    let whole = before.copy();
    whole.install(2, &old_system(), Err("service")).unwrap();
    for operation in 0..whole.files.operations() {
        let machine = before.copy();
        machine.files.plan(operation, Trouble::Cut);
        let _ = machine.install(2, &old_system(), Err("service"));
        // Everything that was written is there, and the service is as it was.
        machine.files.power_up(u64::MAX);
        let all = machine.files.choices();
        machine.files.power_up(all - 1);
        let judged = machine.with_job(&old_system(), &mut Vec::new(), |job| job.run(Moment::Later)).unwrap();
        let number = machine.in_place();
        let expected = if judged.is_some() { 2 } else { 1 };
        assert_eq!(number, expected, "{operation}");
        assert_eq!(machine.running.lock().unwrap().clone(), Some(version(number).folder()), "{operation}");
    }
}

#[test]
fn a_version_that_belongs_to_a_system_goes_with_it() {
    let machine = Machine::with_one();
    let waits = system("1.0", "A", true, Some(with()));
    let tried = system("2.0", "B", false, Some(with()));
    let kept = system("2.0", "B", true, None);
    let failed = old_system();
    assert_eq!(machine.stage(2, &old_system(), Some(with())).unwrap(), None);
    // The reboot is still to come: nothing changes.
    let expect = |machine: &Machine, facts: &Facts, number: u8, id: &str| {
        machine.power_up(machine.files.choices() - 1);
        assert_eq!(machine.boot(facts).unwrap(), None, "{id}");
        assert_eq!(machine.in_place(), number, "{id}");
        assert_eq!(machine.running.lock().unwrap().clone(), Some(version(number).folder()), "{id}");
    };
    let mut states = 0;
    let after_each = |facts: &Facts, before: &Machine, ends: &[(&Facts, u8)], states: &mut u64| {
        cut_everywhere(before, 12, &|machine| machine.boot(facts).map(drop), &mut |found, operation| {
            for (next, number) in ends {
                let found = found.copy();
                expect(&found, next, *number, &format!("{operation} {next:?}"));
                *states += 1;
            }
        });
    };
    for facts in [&waits, &tried, &kept, &failed] {
        // Whatever comes first and is cut, each system finds its version.
        let start = machine.copy();
        start.power_up(0);
        if !matches!(start.state().stage, Stage::With { .. }) {
            // What was stored is on the medium.
            panic!("not staged");
        }
        if facts == &kept {
            expect(&start, &tried, 2, "tried");
            start.power_up(start.files.choices() - 1);
        }
        let ends: Vec<(&Facts, u8)> = match facts {
            facts if *facts == failed => vec![(&failed, 1)],
            facts if *facts == kept => vec![(&kept, 2)],
            _ => vec![(&waits, 1), (&tried, 2), (&kept, 2), (&failed, 1)],
        };
        after_each(facts, &start, &ends, &mut states);
        expect(&start, facts, if [&tried, &kept].contains(&facts) { 2 } else { 1 }, "whole");
    }
    assert!(states > 40, "{states}");
    // It ran on trial, and its system was given up: back, and it is no fault of this version.
    expect(&machine, &tried, 2, "tried");
    expect(&machine, &waits, 1, "passed over");
    expect(&machine, &tried, 2, "tried again");
    expect(&machine, &failed, 1, "failed");
    assert_eq!((machine.state().stage, machine.state().refused), (Stage::Settled, vec![]));
    assert!(machine.is_tidy());
    next_works(&machine, "after a system that failed");
    // Confirmed, it stays, and a later rollback of the system takes it back by what it needs.
    machine.stage(2, &old_system(), Some(with())).unwrap();
    expect(&machine, &tried, 2, "tried");
    machine.with_job(&kept, &mut Vec::new(), |job| job.run(Moment::Later)).unwrap();
    assert_eq!(machine.state().current(), Some(&version(2)));
    // Where nobody knows which system runs, nothing is decided.
    expect(&machine, &Facts::default(), 2, "unknown");
}

#[test]
fn what_can_not_be_installed_now_is_refused_and_nothing_is_written() {
    let machine = Machine::with_one();
    let refuses = |machine: &Machine, version: Version, with: Option<With>, facts: &Facts| {
        let arrival = Arrival { version, floor: None, with };
        let before = machine.files.contents();
        let ended = machine.with_job(facts, &mut Vec::new(), |job| job.check(&arrival, false, false));
        assert_eq!(machine.files.contents(), before);
        ended.map_err(|error| (error.code(), error.to_string()))
    };
    assert_eq!(refuses(&machine, version(1), None, &old_system()), Ok(true));
    assert_eq!(refuses(&machine, version(2), None, &old_system()), Ok(false));
    let says = "version 2.0 of gateway needs a system of version 2.0 or newer, and this one has version 1.0";
    assert_eq!(refuses(&machine, needs(2, "2.0"), None, &old_system()), Err((28, says.into())));
    let unknown = refuses(&machine, needs(2, "2.0"), None, &Facts::default());
    assert!(unknown.unwrap_err().1.ends_with("this one does not say its version"));
    // The new system brings what it needs.
    assert_eq!(refuses(&machine, needs(2, "2.0"), Some(with()), &old_system()), Ok(false));
    machine.install(2, &old_system(), Err("service")).unwrap();
    let says = "version 2.0 (0000000000000002) has failed here before, with the reason service";
    assert_eq!(refuses(&machine, version(2), None, &old_system()), Err((15, says.into())));
    machine
        .with_job(&old_system(), &mut Vec::new(), |job| job.allow(&version(2).id).map(|was| assert!(was)))
        .unwrap();
    assert_eq!(refuses(&machine, version(2), None, &old_system()), Ok(false));
    machine.stage(2, &old_system(), None).unwrap();
    assert_eq!(refuses(&machine, version(2), None, &old_system()), Ok(true));
    assert_eq!(refuses(&machine, version(3), None, &old_system()).unwrap_err().0, 5);
    // Whoever has looked before that one began is stopped later.
    let late = machine.with_job(&old_system(), &mut Vec::new(), |job| {
        job.unpack(&version(3), &mut Cursor::new(archive(3)))?;
        job.begin(Arrival { version: version(3), floor: None, with: None })
    });
    assert_eq!(late.unwrap_err().code(), 5);
    assert_eq!(machine.state().new_version(), Some(&version(2)));
    // The floor.
    let floor = Machine::with_one();
    let arrival = Arrival { version: version(3), floor: Some("2.5".into()), with: None };
    floor
        .with_job(&old_system(), &mut Vec::new(), |job| {
            job.unpack(&arrival.version, &mut Cursor::new(archive(3)))?;
            job.begin(arrival.clone())?;
            job.run(Moment::Later)
        })
        .unwrap();
    assert_eq!(floor.state().floor, None, "not before it is confirmed");
    floor.judge(&version(3), &old_system(), Ok(())).unwrap();
    assert_eq!(refuses(&floor, version(2), None, &old_system()).unwrap_err().0, 9);
}

#[test]
fn older_versions_are_kept_as_many_as_the_settings_say_and_can_be_gone_back_to() {
    let machine = Machine::with_one();
    for number in [2, 3] {
        machine.install(number, &old_system(), Ok(())).unwrap();
    }
    let state = machine.state();
    assert_eq!(state.confirmed, [version(2).id, version(3).id]);
    assert_eq!(state.versions, [version(2), version(3)]);
    assert!(machine.is_tidy());
    let back = |machine: &Machine| machine.with_job(&old_system(), &mut Vec::new(), |job| job.step_back());
    machine.power_up(machine.files.choices() - 1);
    machine.boot(&old_system()).unwrap();
    cut_everywhere(&machine, 12, &|machine| back(machine).map(drop), &mut |found, operation| {
        found.boot(&old_system()).unwrap();
        let number = found.in_place();
        assert!([2, 3].contains(&number), "{operation}");
        assert_eq!(found.state().current(), Some(&version(number)));
        assert_eq!(found.state().stage, Stage::Settled);
    });
    assert_eq!(back(&machine).unwrap(), version(3));
    assert_eq!((machine.in_place(), machine.state().refused[0].why.as_str()), (2, "user"));
    assert_eq!(back(&machine).unwrap_err().code(), 5);
}

#[test]
fn a_cut_in_the_removal_leaves_the_version_or_nothing_and_the_next_boot_goes_on() {
    let machine = Machine::with_one();
    let remove =
        |machine: &Machine| machine.with_job(&old_system(), &mut Vec::new(), |job| job.begin_removal());
    cut_everywhere(&machine, 12, &remove, &mut |found, operation| {
        found.boot(&old_system()).unwrap();
        let number = found.in_place();
        assert!([0, 1].contains(&number), "{operation}");
        let files = found.files.contents();
        let left = files.keys().any(|path| path.starts_with("apps/gateway"));
        assert_eq!(left, number == 1, "{operation}: {files:?}");
        next_works(&found, &format!("{operation}"));
    });
    remove(&machine).unwrap();
    assert_eq!((machine.in_place(), machine.files.contents().len()), (0, 0));
    assert_eq!(remove(&machine).unwrap_err().code(), 5);
}

#[test]
fn errors_and_a_full_medium_lose_nothing_and_the_next_run_goes_on() {
    let before = Machine::with_one();
    for verdict in [Ok(()), Err("service")] {
        let whole = before.copy();
        whole.install(2, &old_system(), verdict).unwrap();
        for operation in 0..whole.files.operations() {
            for trouble in
                [Trouble::Fails(ErrorKind::Other), Trouble::Fails(ErrorKind::StorageFull), Trouble::Full]
            {
                let id = format!("{operation} {trouble:?} {verdict:?}");
                let machine = before.copy();
                machine.files.plan(operation, trouble);
                let _ = machine.install(2, &old_system(), verdict);
                let number = machine.in_place();
                assert!([1, 2].contains(&number), "{id}");
                // Room is there again.
                machine.power_up(machine.files.choices() - 1);
                if let Some(judged) =
                    machine.boot(&old_system()).unwrap_or_else(|error| panic!("{id}: {error}"))
                {
                    machine.judge(&judged, &old_system(), Err("service")).unwrap();
                    assert_eq!(machine.in_place(), 1, "{id}");
                }
                next_works(&machine, &id);
            }
        }
    }
    // Before anything is written.
    let machine = Machine::with_one();
    machine.files.plan(0, Trouble::Full);
    assert!(machine.files.clone().write(Path::new("/apps/x"), b"x").is_err());
    let before = machine.files.contents();
    assert_eq!(machine.stage(2, &old_system(), None).unwrap_err().code(), 18);
    assert_eq!(machine.files.contents(), before);
}

#[test]
fn what_is_damaged_or_gone_is_said_and_stays() {
    let machine = Machine::with_one();
    machine.files.clone().write(Path::new("/apps/gateway/state"), b"nonsense").unwrap();
    let before = machine.files.contents();
    assert_eq!(machine.boot(&old_system()).unwrap_err().code(), 27);
    assert_eq!(machine.stage(2, &old_system(), None).unwrap_err().code(), 27);
    assert_eq!(machine.files.contents(), before);
    assert_eq!(machine.in_place(), 1);
    // A person removes it.
    machine.with_job(&old_system(), &mut Vec::new(), |job| job.begin_removal()).unwrap();
    next_works(&machine, "after the removal");

    let machine = Machine::with_one();
    machine.stage(2, &old_system(), None).unwrap();
    let folder = Path::new("/apps/gateway/versions").join(version(2).folder());
    crate::files::tree::remove_all(&mut machine.files.clone(), &folder).unwrap();
    machine.files.clone().remove(Path::new(LINK)).unwrap();
    machine.power_up(machine.files.choices() - 1);
    assert_eq!(machine.boot(&old_system()).unwrap(), None);
    assert_eq!((machine.in_place(), machine.state().refused[0].why.as_str()), (1, "files"));
}

/// An archive of one or more odd entries.
fn odd(entries: &[(&str, tar::EntryType, &[u8], &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (path, kind, content, link) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(*kind);
        header.set_mode(0o644);
        header.set_size(content.len() as u64);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(1);
        header.set_device_major(1).unwrap();
        header.set_device_minor(3).unwrap();
        // As they are: the crate would refuse to write them.
        header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
        header.as_mut_bytes()[157..157 + link.len()].copy_from_slice(link.as_bytes());
        header.set_cksum();
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(content);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
    }
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

fn unpacked(bytes: &[u8], devices: bool) -> (Result<u64, String>, BTreeMap<PathBuf, Vec<u8>>) {
    let mut files = SimFiles::new();
    make_folders(&mut files, Path::new("in")).unwrap();
    let done = unpack(&mut files, &mut Cursor::new(bytes), Path::new("in/to"), devices);
    let done = done.map(|unpacked| unpacked.entries).map_err(|unfit| match unfit {
        Unfit::Archive(reason) => reason,
        other => panic!("{other:?}"),
    });
    (done, files.contents())
}

#[test]
fn nothing_is_made_outside_and_nothing_that_is_odd() {
    use tar::EntryType as Kind;
    let pax = |text: &str| {
        let length = text.len() + 1 + 2;
        format!("{length} {text}")
    };
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("has a ..", odd(&[("../x", Kind::Regular, b"x", "")])),
        ("has a ..", odd(&[("a/../../x", Kind::Regular, b"x", "")])),
        ("has a ..", odd(&[("a/..", Kind::Directory, b"", "")])),
        ("begins with /", odd(&[("/x", Kind::Regular, b"x", "")])),
        ("no name", odd(&[(".", Kind::Symlink, b"", "x")])),
        ("that of a folder", odd(&[("x/", Kind::Regular, b"x", "")])),
        ("is no folder", odd(&[("a", Kind::Symlink, b"", "/"), ("a/x", Kind::Regular, b"x", "")])),
        ("is no folder", odd(&[("a", Kind::Regular, b"", ""), ("a/x", Kind::Regular, b"x", "")])),
        ("is no folder", odd(&[("a", Kind::Symlink, b"", "/"), ("a/b/x", Kind::Directory, b"", "")])),
        ("there twice", odd(&[("a", Kind::Symlink, b"", "/x"), ("a", Kind::Regular, b"x", "")])),
        ("there twice", odd(&[("a", Kind::Regular, b"1", ""), ("a", Kind::Regular, b"2", "")])),
        ("there twice", odd(&[("a", Kind::Directory, b"", ""), ("a", Kind::Symlink, b"", "/")])),
        ("there twice", odd(&[("a", Kind::Symlink, b"", "/"), ("a", Kind::Directory, b"", "")])),
        ("second name", odd(&[("a", Kind::Link, b"", "b")])),
        ("second name", odd(&[("s", Kind::Symlink, b"", "/x"), ("a", Kind::Link, b"", "s")])),
        ("has a ..", odd(&[("a", Kind::Link, b"", "../x")])),
        ("begins with /", odd(&[("a", Kind::Link, b"", "/etc/passwd")])),
        ("link to nothing", odd(&[("a", Kind::Symlink, b"", "")])),
        ("device node", odd(&[("a", Kind::Char, b"", "")])),
        ("device node", odd(&[("a", Kind::Block, b"", "")])),
        ("device node", odd(&[("a", Kind::Fifo, b"", "")])),
        ("not unpacked", odd(&[("a", Kind::GNUSparse, b"", "")])),
        ("not unpacked", odd(&[("a", Kind::new(b'Q'), b"", "")])),
        ("has content", odd(&[("a", Kind::Directory, b"x", "")])),
        ("has content", odd(&[("a", Kind::Symlink, b"x", "y")])),
        ("two sizes", odd(&[("h", Kind::XHeader, b"9 size=7\n", ""), ("a", Kind::Regular, b"x", "")])),
        (
            "does not know",
            odd(&[
                ("h", Kind::XHeader, pax("GNU.sparse.size=1\n").as_bytes(), ""),
                ("a", Kind::Regular, b"x", ""),
            ]),
        ),
        (
            "extension that is none",
            odd(&[("h", Kind::XHeader, b"99 path=x\n", ""), ("a", Kind::Regular, b"x", "")]),
        ),
        ("two headers", odd(&[("h", Kind::GNULongName, b"x", ""), ("h", Kind::GNULongName, b"y", "")])),
        ("in the middle", odd(&[("h", Kind::GNULongName, b"x", "")])),
        ("a NUL", odd(&[("h", Kind::GNULongName, b"x\0y\0", ""), ("a", Kind::Regular, b"x", "")])),
        ("may have", odd(&[("h", Kind::GNULongName, &[b'x'; 5000], ""), ("a", Kind::Regular, b"x", "")])),
        (
            "for all entries",
            odd(&[("h", Kind::XGlobalHeader, b"9 path=x\n", ""), ("a", Kind::Regular, b"x", "")]),
        ),
        ("behind its end", [archive(1), archive(2)].concat()),
        ("checksum", {
            let mut bytes = archive(1);
            bytes[600] ^= 1;
            bytes
        }),
    ];
    for (says, bytes) in cases {
        let (done, files) = unpacked(&bytes, false);
        let error = done.unwrap_err();
        assert!(error.contains(says), "{says}: {error}");
        assert!(files.keys().all(|path| path.starts_with("in/to")), "{says}: {files:?}");
    }
    let cut = archive(1);
    for length in (0..1500).step_by(100) {
        let (done, files) = unpacked(&cut[..length], false);
        assert!(done.is_err() || length == 0 || length.is_multiple_of(512), "{length}");
        assert!(files.keys().all(|path| path.starts_with("in/to")), "{length}");
    }
}

#[test]
fn what_is_allowed_is_made() {
    use tar::EntryType as Kind;
    let (done, files) = unpacked(&archive(1), false);
    assert_eq!(done, Ok(6));
    let found: BTreeMap<PathBuf, Vec<u8>> = files
        .into_iter()
        .map(|(path, bytes)| (path.strip_prefix("in/to").unwrap().to_path_buf(), bytes))
        .collect();
    assert_eq!(found, content(1));
    let nodes = odd(&[("null", Kind::Char, b"", ""), ("pipe", Kind::Fifo, b"", "")]);
    let (done, files) = unpacked(&nodes, true);
    assert_eq!((done, files.len()), (Ok(2), 2));
    assert_eq!(files[Path::new("in/to/null")], b"-> Character(1, 3)");
    // Long names, by both kinds of headers; what lies in folders that are not named; a folder that is named late.
    let long = format!("{}/file", "deep/".repeat(40).trim_end_matches('/'));
    let record = format!(" path={long}\n");
    let record = format!("{}{record}", record.len() + 3);
    let bytes = odd(&[
        ("h", Kind::XHeader, record.as_bytes(), ""),
        ("x", Kind::Regular, b"by pax", ""),
        ("h", Kind::GNULongName, format!("{long}2\0").as_bytes(), ""),
        ("x", Kind::Regular, b"by GNU", ""),
        ("deep/", Kind::Directory, b"", ""),
        ("out", Kind::Symlink, b"", "/var/lib/data"),
    ]);
    let (done, files) = unpacked(&bytes, false);
    assert_eq!(done, Ok(4));
    assert_eq!(files[&Path::new("in/to").join(&long)], b"by pax");
    assert_eq!(files[&Path::new("in/to").join(format!("{long}2"))], b"by GNU");
    assert_eq!(files[Path::new("in/to/out")], b"-> /var/lib/data");
}
