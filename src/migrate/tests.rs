//! The machine over all its states, and power cuts, errors and a full medium at each operation over simulated files.
#![cfg(feature = "sim")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use super::decide::{next, Facts, Next, Refusal, Seen, Wanted};
use super::job::Job;
use super::state::{Attempt, Folder, Restored, State, StepId, Why};
use super::step::{Runner, Told};
use super::system::{Action, Step, System};
use super::{Event, MigrateError};
use crate::files::sim::{SimFiles, Trouble};
use crate::files::tree::Trees;
use crate::files::{make_folders, replace, Files};
use crate::process::{End, Ran};
use crate::settings::Migrate;
use crate::slot::Name;

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn id(to: u64, name: &str) -> StepId {
    StepId { to, name: name.into() }
}

fn attempt(from: impl Into<Option<u64>>, to: u64, slot: &str, update: Option<&str>) -> Attempt {
    let folder = |path: &str, existed| Folder { path: path.into(), existed };
    let folders = vec![folder("/data/app", true), folder("/data/new", false)];
    let update = update.map(str::to_owned);
    Attempt { from: from.into(), to, slot: name(slot), update, folders }
}

#[test]
fn each_state_is_read_as_it_was_written_and_a_changed_byte_is_found() {
    let one = attempt(1, 3, "B", Some("0f2c"));
    let last = Restored { to: 3, slot: name("B"), update: None, why: Why::Step(id(2, "10-users")) };
    // Settings have no control characters; a file is read as it is all the same.
    let folders = vec![PathBuf::from("/data/app"), PathBuf::from("/data/odd\r")];
    let states = [
        State::Clean { version: Some(2), last: None, folders: Vec::new() },
        State::Clean { version: None, last: None, folders: Vec::new() },
        State::Clean { version: Some(2), last: Some(last), folders },
        State::Copying(attempt(None, 1, "A", None)),
        State::Copying(one.clone()),
        State::Steps { attempt: one.clone(), done: None },
        State::Steps { attempt: one.clone(), done: Some(id(3, "a-b.c")) },
        State::Trial(attempt(0, u64::MAX, "A", None)),
        State::Restoring { attempt: one.clone(), why: Why::OtherSlot },
        State::Restoring { attempt: one, why: Why::OtherSystem },
    ];
    for state in states {
        let bytes = state.encode();
        assert_eq!(State::decode(&bytes), Ok(state));
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(State::decode(&changed).is_err(), "{at}");
            assert!(State::decode(&bytes[..at]).is_err(), "{at}");
        }
    }
    assert!(State::decode(b"").is_err());
}

/// What the machine does with a state, without a medium.
fn apply(state: Option<State>, next: &Next, facts: &Facts) -> Option<State> {
    let clean = |version, last| Some(State::Clean { version, last, folders: Vec::new() });
    match next.clone() {
        Next::Ready | Next::Refuse(_) => state,
        Next::Adopt(version) => match state {
            Some(State::Clean { last, .. }) => clean(Some(version), last),
            _ => clean(Some(version), None),
        },
        Next::Tidy => state,
        Next::Begin { from, to, slot } => {
            let update = facts.update.clone();
            Some(State::Copying(Attempt { from, to, slot, update, folders: Vec::new() }))
        }
        Next::Snapshot(attempt) => Some(State::Steps { attempt, done: None }),
        Next::Abandon(attempt) => clean(attempt.from, None),
        Next::Step(attempt, step) => Some(State::Steps { attempt, done: Some(step) }),
        Next::Migrated(attempt) => Some(State::Trial(attempt)),
        Next::Commit(attempt) => clean(Some(attempt.to), None),
        Next::Restore(attempt, why) => Some(State::Restoring { attempt, why }),
        Next::Resume(Attempt { from, to, slot, update, .. }, why) => {
            clean(from, Some(Restored { to, slot, update, why }))
        }
    }
}

fn wanted(version: u64, initial: Option<u64>) -> Wanted {
    let steps = (1..=version).flat_map(|to| [id(to, "a"), id(to, "b")]).collect();
    Wanted { version, initial, steps }
}

/// All that is reachable: any slot boots at any time, confirmed or not, with any system; a cut may come after each
/// transition, and a step may fail.
#[test]
fn no_state_is_without_an_exit() {
    let mut boots = Vec::new();
    for slot in ["A", "B", "C"] {
        for confirmed in [false, true] {
            for update in [None, Some("x"), Some("y")] {
                for version in 0..4 {
                    for initial in [None, Some(0), Some(1)].into_iter().filter(|i| i.unwrap_or(0) <= version)
                    {
                        let update = update.map(str::to_owned).filter(|_| !confirmed);
                        let facts = Facts { slot: Some(name(slot)), confirmed, update };
                        boots.push((facts, wanted(version, initial)));
                    }
                }
            }
        }
    }
    let unknown = Facts::default();
    let mut known: BTreeSet<String> = BTreeSet::new();
    let mut open: Vec<(Option<State>, bool)> = vec![(None, true), (None, false)];
    let mut ends = BTreeMap::new();
    while let Some((state, data)) = open.pop() {
        if !known.insert(format!("{state:?} {data}")) {
            continue;
        }
        let seen = Seen { data, leftovers: false };
        for (facts, wanted) in &boots {
            // One run to its end, each state between being one that a cut may leave.
            let (mut now, mut transitions) = (state.clone(), 0);
            let end = loop {
                let step = next(now.as_ref(), wanted, facts, seen);
                if matches!(step, Next::Ready | Next::Refuse(_)) {
                    break step;
                }
                if let Next::Step(attempt, step) = &step {
                    let (attempt, why) = (attempt.clone(), Why::Step(step.clone()));
                    open.push((Some(State::Restoring { attempt, why }), data));
                }
                now = apply(now, &step, facts);
                open.push((now.clone(), data));
                transitions += 1;
                assert!(transitions < 20, "{state:?} {facts:?} {wanted:?}");
            };
            let is_right = match (&now, &end) {
                (None, Next::Ready) => wanted.version == 0,
                (None, Next::Refuse(refusal)) => *refusal == Refusal::Uncounted && wanted.initial.is_none(),
                (Some(State::Clean { version: None, .. }), Next::Ready) => wanted.version == 0,
                (Some(State::Clean { version: None, .. }), Next::Refuse(refusal)) => {
                    data && *refusal == Refusal::Uncounted && wanted.initial.is_none()
                }
                (Some(State::Clean { version: Some(version), .. }), Next::Ready) => {
                    *version == wanted.version
                }
                (
                    Some(State::Clean { version: Some(version), .. }),
                    Next::Refuse(Refusal::Newer { data, .. }),
                ) => version == data && *version > wanted.version,
                // Services run on new data that are not confirmed: only in the slot that migrated them.
                (Some(State::Trial(attempt)), Next::Ready) => {
                    !facts.confirmed
                        && Some(&attempt.slot) == facts.slot.as_ref()
                        && attempt.to == wanted.version
                }
                _ => false,
            };
            assert!(is_right, "{state:?} {facts:?} {wanted:?}: {now:?} {end:?}");
            *ends.entry(matches!(end, Next::Ready)).or_insert(0) += 1;
            if let Some(State::Trial(_) | State::Clean { version: Some(_), .. }) = now {
                // Its services have written.
                open.push((now, true));
            }
        }
        // Where nobody knows which slot runs, nothing is guessed: no data are changed.
        let blind = next(state.as_ref(), &wanted(3, Some(0)), &unknown, seen);
        let changes = matches!(
            blind,
            Next::Begin { .. } | Next::Snapshot(_) | Next::Step(..) | Next::Commit(_) | Next::Restore(..)
        );
        assert!(!changes, "{state:?} {blind:?}");
    }
    assert!(known.len() > 200 && ends[&true] > 5000 && ends[&false] > 1000, "{} {ends:?}", known.len());
}

#[test]
fn what_nobody_has_counted_is_not_guessed() {
    let facts = Facts { slot: Some(name("A")), ..Facts::default() };
    let at = |version, initial, data, leftovers| {
        next(None, &wanted(version, initial), &facts, Seen { data, leftovers })
    };
    assert!(matches!(at(2, None, false, false), Next::Begin { from: None, to: 2, .. }));
    assert_eq!(at(2, None, true, false), Next::Refuse(Refusal::Uncounted));
    assert_eq!(at(2, Some(2), true, false), Next::Adopt(2));
    assert!(matches!(at(2, Some(1), true, false), Next::Begin { from: Some(1), to: 2, .. }));
    assert_eq!(at(2, Some(1), true, true), Next::Refuse(Refusal::Lost));
    assert_eq!(at(0, None, true, false), Next::Ready);
}

/// Steps over simulated files.
struct Programs(SimFiles);

const APP: &str = "/data/app";
const CONF: &str = "/data/conf";
const NEW: &str = "/data/new";

impl Runner for Programs {
    fn run(&mut self, program: &Path, told: &Told, _: Duration) -> io::Result<Ran> {
        let files = &mut self.0;
        let told: BTreeMap<&str, &str> = told.iter().map(|(name, value)| (*name, &value[..])).collect();
        assert_eq!(told["BOOTSLOT_DATA_FOLDERS"], format!("{APP}:{CONF}:{NEW}"));
        let done = match program.to_str().unwrap() {
            // A file is rewritten, another one goes.
            "2-users" => (|| {
                if files.read(Path::new("/data/app/users"))? == b"users of 1" {
                    replace(files, Path::new("/data/app/users"), b"users of 2")?;
                }
                crate::files::remove(files, Path::new("/data/app/old"))
            })(),
            // Careless about syncs: what it writes is there after it has said that it is done, and only then.
            "3-config" => (|| {
                files.write(Path::new("/data/conf/main"), b"config of 3")?;
                make_folders(files, Path::new(NEW))?;
                files.write(Path::new("/data/new/state"), b"new in 3")
            })(),
            "3-fails" => Err(ErrorKind::PermissionDenied.into()),
            _ => Err(ErrorKind::NotFound.into()),
        };
        let end = match done {
            Ok(()) => End::Exited(0),
            // A process is gone with the power.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Err(error),
            Err(_) => End::Exited(1),
        };
        Ok(Ran { end, output: b"said so".to_vec(), dropped: 0, took: Duration::ZERO })
    }
}

fn system(version: u64, fails: bool) -> System {
    let run = |to, name: &str| Step { id: id(to, name), action: Action::Run(format!("{to}-{name}").into()) };
    let rename =
        Action::Rename { from: "/data/app/names".into(), to: "/data/app/labels".into(), optional: false };
    let mut steps = vec![Step { id: id(2, "names"), action: rename }, run(2, "users"), run(3, "config")];
    steps.retain(|step| step.id.to <= version);
    if fails {
        steps.push(run(3, "fails"));
    }
    System { version, initial: Some(1), room: 0, steps }
}

/// In a folder of its own: what is stored there may reach the medium before the data's names do, or after them.
const STATE: &str = "/other/version";

fn settings() -> Migrate {
    let data = vec![APP.into(), CONF.into(), NEW.into()];
    Migrate { data, state: Some(STATE.into()), ..Migrate::default() }
}

/// The data of a device that never heard of versions.
fn device() -> SimFiles {
    let mut files = SimFiles::new();
    for (path, text) in [
        ("app/users", "users of 1"),
        ("app/names", "names"),
        ("app/old", "old"),
        ("app/deep/er", "deep"),
        ("conf/main", "config of 1"),
    ] {
        let path = Path::new("/data").join(path);
        replace(&mut files, &path, text.as_bytes()).unwrap();
    }
    files.link(Path::new("/data/app/names"), Path::new("/data/app/second")).unwrap();
    files.sync_all(Path::new("/data")).unwrap();
    files.power_up(0);
    files
}

struct Boot<'b> {
    slot: &'b str,
    confirmed: bool,
    system: System,
}

const fn of<'b>(slot: &'b str, confirmed: bool, system: System) -> Boot<'b> {
    Boot { slot, confirmed, system }
}

fn old() -> Boot<'static> {
    of("A", true, system(1, false))
}

fn new() -> Boot<'static> {
    of("B", false, system(3, false))
}

fn confirmed() -> Boot<'static> {
    of("B", true, system(3, false))
}

fn with_job<T>(
    files: &SimFiles,
    boot: &Boot<'_>,
    events: &mut Vec<Event>,
    work: impl FnOnce(&mut Job<'_>) -> T,
) -> T {
    let facts = Facts { slot: Some(name(boot.slot)), confirmed: boot.confirmed, update: None };
    let (mut medium, mut runner, settings) = (files.clone(), Programs(files.clone()), settings());
    work(&mut Job {
        files: &mut medium,
        runner: &mut runner,
        settings: &settings,
        file: settings.state_file().unwrap(),
        system: &boot.system,
        facts: &facts,
        tell: &mut |event| events.push(event.clone()),
        was_full: false,
    })
}

fn run(files: &SimFiles, boot: &Boot<'_>) -> Result<(), MigrateError> {
    with_job(files, boot, &mut Vec::new(), |job| job.run())
}

/// What the services would find.
fn data(files: &SimFiles) -> Data {
    let folders = [APP, CONF, NEW].map(|folder| folder.trim_start_matches('/').to_owned());
    let mut found = files.contents();
    found.retain(|path, _| folders.iter().any(|folder| path.starts_with(folder)));
    found
}

type Data = BTreeMap<PathBuf, Vec<u8>>;

/// The data as the system in slot A wants them, or the one in slot B.
fn after(boot: &Boot<'_>) -> Data {
    static BOTH: OnceLock<[Data; 2]> = OnceLock::new();
    let both = BOTH.get_or_init(|| {
        [old(), new()].map(|boot| {
            let files = device();
            run(&files, &boot).unwrap();
            data(&files)
        })
    });
    both[usize::from(boot.slot == "B")].clone()
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

/// What may be done to a device.
type Act<'a> = &'a dyn Fn(&SimFiles) -> Result<(), MigrateError>;

/// What has to hold after a run of this boot that has ended so.
type Judge<'a> = &'a dyn Fn(&Boot<'_>, &Result<(), MigrateError>, &SimFiles);

/// Every state after a cut at each operation of `act`.
fn cut_everywhere(before: &SimFiles, most: u64, act: Act<'_>, look: &mut dyn FnMut(SimFiles)) {
    let whole = before.copy();
    let _ = act(&whole);
    let mut seed = 7;
    for operation in 0..whole.operations() {
        let cut = before.copy();
        cut.plan(operation, Trouble::Cut);
        assert!(act(&cut).is_err(), "{:?}", whole.log()[operation as usize]);
        for choice in choices(&cut, most, &mut seed) {
            let found = cut.copy();
            found.power_up(choice);
            look(found);
        }
    }
}

/// Cuts in `act`, then one of `boots` comes, is cut as well, and comes again; then another one. `judge` says what a run
/// that ended may leave.
fn survives(before: &SimFiles, act: Act<'_>, boots: &[Boot<'_>], judge: Judge<'_>) -> u64 {
    let mut states = 0;
    let check = |boot: &Boot<'_>, found: &SimFiles| {
        let ended = run(found, boot);
        judge(boot, &ended, found);
    };
    cut_everywhere(before, 24, act, &mut |found| {
        for boot in boots {
            check(boot, &found.copy());
            states += 1;
        }
        // Not each of them: a cut in each operation of the recovery of one in some.
        if states % 7 == 0 {
            let boot = &boots[states as usize / 7 % boots.len()];
            cut_everywhere(&found, 3, &|files| run(files, boot), &mut |again| {
                for boot in boots {
                    check(boot, &again.copy());
                    states += 1;
                }
            });
        }
    });
    states
}

fn right(boot: &Boot<'_>, ended: &Result<(), MigrateError>, files: &SimFiles) {
    let (old_data, new_data) = (after(&old()), after(&new()));
    match ended {
        Ok(()) => {
            assert_eq!(data(files), if boot.slot == "A" { old_data } else { new_data }, "{}", boot.slot)
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a_cut_in_snapshot_and_steps_leaves_old_or_new_data() {
    let files = device();
    let states = survives(&files, &|files| run(files, &new()), &[old(), new()], &right);
    assert!(states > 10_000, "{states}");
    eprintln!("{states} states");
}

#[test]
fn a_cut_in_the_commit_leaves_new_data_or_a_way_back() {
    let files = device();
    run(&files, &new()).unwrap();
    files.power_up(0);
    let confirm = |files: &SimFiles| {
        let confirm = |job: &mut Job<'_>| job.confirm().and_then(|done| job.load().map(|_| assert!(done)));
        with_job(files, &confirmed(), &mut Vec::new(), confirm)
    };
    let (old_data, new_data) = (after(&old()), after(&new()));
    let judge = |boot: &Boot<'_>, ended: &Result<(), MigrateError>, files: &SimFiles| match (boot.slot, ended)
    {
        ("B", Ok(())) => {
            assert_eq!(data(files), new_data);
            assert!(!files.contents().keys().any(|path| path.to_string_lossy().contains("-before")));
        }
        ("A", Ok(())) => assert_eq!(data(files), old_data),
        ("A", Err(MigrateError::Refused(Refusal::Newer { data: 3, wanted: 1 }))) => {
            assert_eq!(data(files), new_data)
        }
        (_, ended) => panic!("{ended:?}"),
    };
    let states = survives(&files, &confirm, &[confirmed(), old()], &judge);
    assert!(states > 100, "{states}");
    // Done once, it is done.
    confirm(&files).unwrap();
    let again = with_job(&files, &confirmed(), &mut Vec::new(), |job| job.confirm());
    assert!(!again.unwrap());
}

/// The new version has migrated, and its services have written.
fn on_trial() -> SimFiles {
    let mut files = device();
    run(&files, &new()).unwrap();
    replace(&mut files, Path::new("/data/app/log"), b"by the new services").unwrap();
    replace(&mut files, Path::new("/data/conf/main"), b"changed by the new services").unwrap();
    files.power_up(0);
    files
}

#[test]
fn a_cut_in_the_restoration_brings_the_old_data_back_whole_and_keeps_the_new_ones() {
    let files = on_trial();
    let states = survives(&files, &|files| run(files, &old()), &[old()], &|boot, ended, files| {
        right(boot, ended, files);
        let found = files.contents();
        let kept =
            |path: &str| found.get(Path::new(path)).map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        assert_eq!(kept("data/app.bootslot-rejected/log").as_deref(), Some("by the new services"));
        assert_eq!(kept("data/conf.bootslot-rejected/main").as_deref(), Some("changed by the new services"));
        assert_eq!(kept("data/new.bootslot-rejected/state").as_deref(), Some("new in 3"));
    });
    assert!(states > 200, "{states}");
    // In the slot that had migrated, too: it goes on where the old slot stood, and then begins anew.
    survives(&files, &|files| run(files, &old()), &[new()], &|boot, ended, files| match ended {
        // Nothing of the restoration had begun.
        Ok(()) if data(files).contains_key(Path::new("data/app/log")) => {}
        ended => right(boot, ended, files),
    });
}

/// A device whose data were lost, or that never had any.
fn without_data() -> SimFiles {
    let mut files = SimFiles::new();
    make_folders(&mut files, Path::new(APP)).unwrap();
    files.power_up(0);
    files
}

#[test]
fn what_a_trial_makes_of_nothing_is_taken_back_with_it() {
    let none = |files: &SimFiles| assert_eq!(data(files), Data::new());
    // No step runs, and an old system begins with nothing, too.
    let files = without_data();
    for boot in [old(), new()] {
        survives(&files, &|files| run(files, &new()), &[boot], &|_, ended, files| {
            ended.as_ref().unwrap();
            none(files);
        });
    }
    run(&files, &new()).unwrap();
    let mut written = files.copy();
    replace(&mut written, Path::new("/data/app/users"), b"the first of 3").unwrap();
    written.power_up(0);
    let states = survives(&written, &|files| run(files, &old()), &[old()], &|_, ended, files| {
        ended.as_ref().unwrap();
        none(files);
        let kept = files.contents().remove(Path::new("data/app.bootslot-rejected/users"));
        assert_eq!(kept.as_deref(), Some(&b"the first of 3"[..]));
    });
    assert!(states > 50, "{states}");
    // A system of the same version keeps them, be it in another slot; once it is confirmed they are there to stay.
    survives(&written, &|files| run(files, &other_slot()), &[other_slot()], &|_, ended, files| {
        ended.as_ref().unwrap();
        assert_eq!(data(files).len(), 1);
    });
    run(&written, &other_slot()).unwrap();
    run(&written, &of("C", true, system(3, false))).unwrap();
    assert!(matches!(
        run(&written, &old()),
        Err(MigrateError::Refused(Refusal::Newer { data: 3, wanted: 1 }))
    ));
}

fn other_slot() -> Boot<'static> {
    of("C", false, system(3, false))
}

#[test]
fn what_a_run_tells_and_what_the_next_migration_removes() {
    let files = on_trial();
    let mut events = Vec::new();
    with_job(&files, &old(), &mut events, |job| job.run()).unwrap();
    let told: Vec<String> = events.iter().map(Event::to_string).collect();
    assert_eq!(
        told,
        [
            "restoring the snapshot (other slot): version 1 to 3 in slot B",
            "the data have version 1 again; what was rejected is in /data/app.bootslot-rejected; \
             what was rejected is in /data/conf.bootslot-rejected; what was rejected is in /data/new.bootslot-rejected"
        ]
    );
    // Nothing more happens, and nothing is written, at the next boots.
    files.clone().sync_all(Path::new("/data")).unwrap();
    files.power_up(0);
    run(&files, &old()).unwrap();
    assert_eq!(files.operations(), 0, "{:?}", files.log());
    events.clear();
    with_job(&files, &new(), &mut events, |job| job.run()).unwrap();
    assert!(!files.contents().keys().any(|path| path.to_string_lossy().contains("rejected")));
    assert_eq!(events.len(), 2 + 2 * 3 + 1, "{events:?}");
    files.power_up(0);
    run(&files, &new()).unwrap();
    assert_eq!(files.operations(), 0);
}

#[test]
fn a_step_that_fails_leaves_the_old_data_and_says_why() {
    let broken = of("B", false, system(3, true));
    let files = device();
    let error = run(&files, &broken).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the migration to version 3 failed in step 3-fails: exit code 1; the data of before are back\nsaid so"
    );
    assert_eq!(error.code(), 25);
    assert_eq!(data(&files), after(&old()));
    assert!(files.contents().contains_key(Path::new("data/conf.bootslot-rejected/main")));
    // The next boot of the trial tries again, and an old system is not refused.
    assert_eq!(run(&files, &broken).unwrap_err().code(), 25);
    run(&files, &old()).unwrap();
    survives(&device(), &|files| run(files, &broken), &[old(), new()], &right);
}

#[test]
fn errors_and_a_full_medium_lose_nothing_and_the_next_run_goes_on() {
    let fresh = device();
    let trial = on_trial();
    let acts: [(&SimFiles, Boot<'_>); 3] = [(&fresh, new()), (&trial, old()), (&trial, confirmed())];
    let mut ends = [0, 0];
    for (before, boot) in acts {
        let whole = before.copy();
        run(&whole, &boot).unwrap();
        for operation in 0..whole.operations() {
            for trouble in
                [Trouble::Fails(ErrorKind::Other), Trouble::Fails(ErrorKind::StorageFull), Trouble::Full]
            {
                let files = before.copy();
                files.plan(operation, trouble);
                let ended = run(&files, &boot);
                ends[usize::from(ended.is_ok())] += 1;
                let found = data(&files);
                match &ended {
                    Ok(()) if boot.slot == "A" => assert_eq!(found, after(&old())),
                    Ok(()) => assert!(found.contains_key(Path::new("data/new/state"))),
                    Err(MigrateError::Step { .. }) => assert_eq!(found, after(&old())),
                    Err(_) => {}
                }
                // Room is there again, the power fails meanwhile: one of both slots boots.
                files.power_up(u64::MAX - 1);
                let next = files.copy();
                run(&next, &boot).unwrap_or_else(|error| panic!("{operation} {trouble:?}: {error}"));
                if boot.slot == "A" {
                    assert_eq!(data(&next), after(&old()));
                }
                match run(&files, &old()) {
                    Ok(()) => assert_eq!(data(&files), after(&old()), "{operation} {trouble:?}"),
                    Err(error) => assert!(boot.confirmed, "{operation} {trouble:?}: {error}"),
                }
            }
        }
    }
    assert!(ends[0] > 50 && ends[1] > 5, "{ends:?}");
}

#[test]
fn no_room_and_a_lost_state_change_nothing() {
    let files = device();
    files.plan(0, Trouble::Full);
    // Something has filled the medium before.
    assert!(files.clone().write(Path::new("/data/x"), b"x").is_err());
    let before = files.contents();
    let error = run(&files, &new()).unwrap_err();
    assert!(
        matches!(error, MigrateError::Room { needed: 1_048_576.., free: 0, .. }) && error.code() == 26,
        "{error}"
    );
    assert_eq!(files.contents(), before);

    let mut files = on_trial();
    files.remove(Path::new(STATE)).unwrap();
    assert!(matches!(run(&files, &old()), Err(MigrateError::Refused(Refusal::Lost))));
    files.write(Path::new(STATE), b"nonsense").unwrap();
    let error = run(&files, &old()).unwrap_err();
    assert!(matches!(error, MigrateError::Unreadable { .. }) && error.code() == 27, "{error}");
    // A person has looked at it.
    with_job(&files, &old(), &mut Vec::new(), |job| job.assume(3)).unwrap();
    run(&files, &new()).unwrap();
    assert!(!files.contents().keys().any(|path| path.to_string_lossy().contains("-before")));
    assert!(matches!(run(&files, &old()), Err(MigrateError::Refused(Refusal::Newer { .. }))));

    // Somebody has removed the snapshot.
    let mut files = on_trial();
    crate::files::tree::remove_all(&mut files, Path::new("/data/conf.bootslot-before")).unwrap();
    let before = files.contents();
    assert!(matches!(run(&files, &old()), Err(MigrateError::SnapshotGone { .. })));
    assert_eq!(files.contents(), before);
}

/// Devices over years: slots boot by chance, services write, and the power fails by chance.
/// `BOOTSLOT_SOAK_STATES` says how many boots, `BOOTSLOT_SOAK_SEED` where it begins.
#[test]
#[ignore = "takes long; make soak"]
fn soak() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let clock = || std::time::UNIX_EPOCH.elapsed().map_or(1, |time| time.as_nanos() as u64);
    let mut seed = number("BOOTSLOT_SOAK_SEED").unwrap_or_else(clock);
    let most = number("BOOTSLOT_SOAK_STATES").unwrap_or(100_000);
    eprintln!("BOOTSLOT_SOAK_SEED={seed}");
    let mut chance = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below.max(1)
    };
    let (fresh, mut states, mut cuts) = (device(), 0, 0);
    while states < most {
        let mut files = fresh.copy();
        let mut is_confirmed = false;
        for _ in 0..12 {
            let boot = match chance(5) {
                0 | 1 => old(),
                2 | 3 if !is_confirmed => new(),
                4 if !is_confirmed => of("B", false, system(3, true)),
                _ => confirmed(),
            };
            is_confirmed |= boot.confirmed && boot.slot == "B";
            match chance(6) {
                0..3 => files.plan(chance(90), Trouble::Cut),
                3 => files.plan(chance(90), Trouble::Fails(ErrorKind::Other)),
                4 => files.plan(chance(90), Trouble::Full),
                _ => {}
            }
            let ended = run(&files, &boot);
            states += 1;
            match (&ended, boot.slot) {
                (Ok(()), "A") => assert_eq!(data(&files), after(&old())),
                (Ok(()), _) => {
                    let mut found = data(&files);
                    found.retain(|path, _| !path.to_string_lossy().starts_with("data/app/log"));
                    assert_eq!(found, after(&new()));
                    // Its services write; perhaps the power is off already.
                    let _ = replace(&mut files, Path::new("/data/app/log"), b"by services");
                }
                (Err(MigrateError::Refused(Refusal::Newer { data: 3, wanted: 1 })), "A") => {
                    assert!(is_confirmed)
                }
                (Err(MigrateError::Refused(refusal)), _) => panic!("{refusal:?}"),
                (Err(MigrateError::Unreadable { .. } | MigrateError::SnapshotGone { .. }), _) => {
                    panic!("{ended:?}")
                }
                (Err(_), _) => cuts += 1,
            }
            files.power_up(chance(files.choices()));
        }
        // At the end of its life one of both works.
        match run(&files, &confirmed()) {
            Ok(()) => assert!(data(&files).contains_key(Path::new("data/new/state"))),
            Err(error) => panic!("{error}"),
        }
    }
    assert!(cuts > states / 10, "{cuts}");
    eprintln!("{states} boots, {cuts} of them cut or failed");
}
