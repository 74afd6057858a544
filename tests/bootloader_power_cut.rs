//! Updates of the boot loader on simulated media, with the power cut at every operation on the copies, on what chooses between
//! them, and on the file with the state.
//!
//! The oracle is a model of the ROM: it always finds a whole copy. The copy that booted keeps each of its bytes. What the next
//! boot finds is told as what it is, and the next run finishes.
#![cfg(all(feature = "sim", feature = "bootloader"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::io;
use std::path::Path;

use bootslot::files::sim::{SimFiles, Trouble};
use bootslot::files::{read_if_there, Files};
use bootslot::loader::{
    Arrival, Checked, Choices, Confirmation, Event, Hardware, Loader, LoaderError, Result, Stage, Standing,
    Status, STATE,
};
use bootslot::settings::{BootLoader, LoaderCopy, LoaderScheme};
use bootslot::storage::sim::{mix, Board, Cut, Effect, Entry, Fault, Moment, Op, SimMedium, Torn};
use bootslot::storage::{Access, Medium, OpenMedium};

const FOLDER: &str = "state";
/// Bytes of a copy.
const ROOM: usize = 24 << 10;
const HEADER: u64 = 1024;

/// A boot loader as the model's ROM wants it: a magic, a version, its length and its checksum; then its code.
fn image(version: u32, len: usize) -> Vec<u8> {
    let mut state = u64::from(version) + 77;
    let code = (16..len).map(|_| {
        state = mix(state);
        state as u8
    });
    let code: Vec<u8> = code.collect();
    let start = [version.to_le_bytes(), (len as u32).to_le_bytes(), crc32fast::hash(&code).to_le_bytes()];
    [b"BLDR".to_vec(), start.concat(), code].concat()
}

/// The version of a copy, if the ROM takes it.
fn whole(copy: &[u8]) -> Option<u32> {
    let number = |at: usize| u32::from_le_bytes(copy[at..at + 4].try_into().unwrap());
    let code = copy.get(16..number(8) as usize)?;
    (copy.starts_with(b"BLDR") && crc32fast::hash(code) == number(12)).then(|| number(4))
}

fn arrival(version: u32, image: &[u8]) -> Arrival {
    Arrival { id: format!("id{version}"), version: format!("{version}.0"), size: image.len() as u64 }
}

/// A board with two copies. Copy a has booted, and is version 2; copy b is version 1.
struct Rig {
    board: Board,
    media: [SimMedium; 2],
    /// What a first stage reads that chooses by order: one sector with the name of the copy.
    choice: Option<SimMedium>,
    files: SimFiles,
    about: BootLoader,
    booted: String,
    boot: u32,
    told: Vec<&'static str>,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Kind {
    /// Two places on one disk.
    Offsets,
    Files,
    Nor,
    NorEcc,
    Ram,
}

impl Rig {
    fn new(kind: Kind, by_order: bool) -> Rig {
        let board = Board::new();
        let (media, offsets) = match kind {
            Kind::Offsets => {
                let disk = board.block(0x800 + 2 * ROOM);
                ([disk.clone(), disk], [0x800, 0x800 + ROOM as u64])
            }
            Kind::Files => ([board.file(vec![0; ROOM]), board.file(vec![0; ROOM])], [0, 0]),
            Kind::Nor => ([board.nor(6, 4096), board.nor(6, 4096)], [0, 0]),
            Kind::NorEcc => ([board.nor_ecc(6, 4096, 16), board.nor_ecc(6, 4096, 16)], [0, 0]),
            Kind::Ram => ([board.ram(6, 4096), board.ram(6, 4096)], [0, 0]),
        };
        media[0].preload(offsets[0] as usize, &image(2, 17_000));
        media[1].preload(offsets[1] as usize, &image(1, 20_000));
        let choice = by_order.then(|| {
            let choice = board.block(512);
            choice.preload(0, b"a");
            choice
        });
        let scheme = match by_order {
            true => LoaderScheme::Select(vec!["simulated".into()]),
            false => LoaderScheme::Newest,
        };
        let copy = |name: &str, offset: u64| LoaderCopy {
            name: name.into(),
            device: format!("/dev/{name}").into(),
            offset,
            size: ROOM as u64,
        };
        let about = BootLoader {
            scheme,
            keys: "keys".into(),
            header: HEADER,
            booted_file: None,
            copies: vec![copy("a", offsets[0]), copy("b", offsets[1])],
        };
        let (files, booted) = (SimFiles::new(), "a".to_owned());
        Rig { board, media, choice, files, about, booted, boot: 1, told: Vec::new() }
    }
    fn fork(&self) -> Rig {
        let board = self.board.fork();
        let files = self.files.copy();
        let off = board.clone();
        files.when_off(move || off.cut_now());
        Rig {
            media: [self.media[0].on(&board), self.media[1].on(&board)],
            choice: self.choice.as_ref().map(|choice| choice.on(&board)),
            files,
            about: self.about.clone(),
            booted: self.booted.clone(),
            told: Vec::new(),
            board,
            ..*self
        }
    }

    fn copy(&self, name: &str) -> Vec<u8> {
        let number = usize::from(name == "b");
        let start = self.about.copies[number].offset as usize;
        self.media[number].image()[start..start + ROOM].to_vec()
    }

    /// The copy that the ROM takes. One that chooses by order has no other.
    fn rom(&self) -> Option<&'static str> {
        let versions = ["a", "b"].map(|name| whole(&self.copy(name)));
        match &self.choice {
            Some(choice) => match (choice.image()[0], versions) {
                (b'a', [Some(_), _]) => Some("a"),
                (b'b', [_, Some(_)]) => Some("b"),
                _ => None,
            },
            None if versions[1] > versions[0] => Some("b"),
            None => versions[0].map(|_| "a"),
        }
    }

    fn with<T>(&mut self, work: impl FnOnce(&mut Loader<'_>) -> Result<T>) -> Result<T> {
        let mut hardware =
            SimHardware { media: &self.media, choice: self.choice.as_ref(), booted: &self.booted };
        let mut files = self.files.clone();
        let boot = format!("boot-{}", self.boot);
        let told = &mut self.told;
        let mut tell = |event: &Event| told.push(event.name());
        work(&mut Loader {
            about: &self.about,
            hardware: &mut hardware,
            files: &mut files,
            folder: Path::new(FOLDER),
            boot: &boot,
            tell: &mut tell,
        })
    }

    fn install(&mut self, version: u32, len: usize, choices: Choices) -> Result<Checked> {
        let image = image(version, len);
        self.with(|loader| loader.install(&arrival(version, &image), &image, choices))
    }

    fn status(&mut self) -> Status {
        self.with(|loader| loader.status()).unwrap()
    }

    fn standing(&mut self) -> Standing {
        self.status().standing.unwrap()
    }

    /// The power comes back: which of the writes are lost, is the choice. The ROM starts a copy.
    fn power_up(&mut self, choice: u64, name: &str) {
        let (medium, files) = (self.board.choices(), self.files.choices());
        // The first and the last of each: nothing or all of what was not synced.
        let pick = |all: u64, choice: u64| match choice {
            0 => 0,
            1 => all - 1,
            seed => mix(seed) % all,
        };
        self.board.restore(pick(medium, choice));
        self.files.power_up(pick(files, choice));
        self.reboot(name);
    }

    fn reboot(&mut self, name: &str) {
        let copy = self.rom();
        self.booted = copy.unwrap_or_else(|| panic!("{name}: the ROM finds no boot loader")).to_owned();
        self.boot += 1;
    }

    fn stored(&self) -> Option<Vec<u8>> {
        read_if_there(&mut self.files.clone() as &mut dyn Files, &Path::new(FOLDER).join(STATE)).unwrap()
    }

    /// Everything that is stored anywhere.
    fn everything(&self) -> [Option<Vec<u8>>; 4] {
        let choice = self.choice.as_ref().map(|choice| choice.image());
        [Some(self.media[0].image()), Some(self.media[1].image()), choice, self.stored()]
    }
}

struct SimHardware<'a> {
    media: &'a [SimMedium; 2],
    choice: Option<&'a SimMedium>,
    booted: &'a str,
}

impl Hardware for SimHardware<'_> {
    fn booted(&mut self) -> std::result::Result<String, String> {
        match self.booted {
            "" => Err("nobody has said it".into()),
            name => Ok(name.into()),
        }
    }

    fn open(&mut self, copy: &LoaderCopy, access: Access) -> io::Result<Box<dyn Medium>> {
        self.media[usize::from(copy.name == "b")].open(access)
    }

    fn select(&mut self, copy: &LoaderCopy) -> io::Result<()> {
        let Some(choice) = self.choice else { return Ok(()) };
        let mut medium = choice.open(Access::Write)?;
        medium.program(0, copy.name.as_bytes())?;
        medium.sync()?;
        medium.close()
    }
}

/// Where in an operation the power fails.
fn moments(entry: &Entry) -> Vec<Moment> {
    let inside = |byte, tail| Moment::Inside(Torn { byte, tail });
    let mut moments = vec![Moment::Before, Moment::After];
    if entry.len > 1 {
        moments.extend([inside(entry.len / 2, 1), inside(entry.len / 2, 3), inside(entry.len - 1, 2)]);
    }
    moments
}

type Work = fn(&mut Rig) -> Result<()>;

/// Does the work with a cut at each operation; `judge` looks at what the next boot finds, and goes on. The copy that booted is
/// as it was, always.
fn explore(start: &Rig, work: Work, judge: &dyn Fn(Rig, &str)) -> usize {
    let mut whole = start.fork();
    whole.board.clear_log();
    let before = whole.files.operations();
    work(&mut whole).unwrap();
    let (log, operations) = (whole.board.log(), whole.files.operations());
    let mut judged = 0;
    let mut look = |cut: Rig, name: String| {
        assert!(!cut.board.is_on() || !cut.files.is_on(), "{name}: the cut did not happen");
        // Both are without power.
        cut.board.cut_now();
        cut.files.cut_now();
        for choice in 0..4 {
            let name = format!("{name}, choice {choice}");
            let mut found = cut.fork();
            found.power_up(choice, &name);
            assert_eq!(found.copy(&start.booted), start.copy(&start.booted), "{name}");
            judge(found, &name);
            judged += 1;
        }
    };
    for (op, entry) in log.iter().enumerate() {
        for moment in moments(entry) {
            let mut cut = start.fork();
            cut.board.clear_log();
            cut.board.cut(Cut { op, moment });
            let _ = work(&mut cut);
            look(cut, format!("medium, {}", Cut { op, moment }));
        }
    }
    for operation in before..operations {
        let mut cut = start.fork();
        cut.files.plan(operation, Trouble::Cut);
        let _ = work(&mut cut);
        look(cut, format!("files, operation {operation}"));
    }
    judged
}

const KINDS: [(Kind, bool); 7] = [
    (Kind::Offsets, false),
    (Kind::Offsets, true),
    (Kind::Files, false),
    (Kind::Nor, false),
    (Kind::Nor, true),
    (Kind::NorEcc, false),
    (Kind::Ram, true),
];

/// What a boot after a cut installation of version 3 means, and that the next run finishes.
fn finishes(mut rig: Rig, name: &str, version: u32, len: usize, mut then: impl FnMut(&mut Rig, &str)) {
    let old = rig.copy("a");
    let standing = rig.standing();
    match (rig.booted.as_str(), standing) {
        // Only a whole new one boots, and it is known for what it is.
        ("b", Standing::Booted) => assert!(whole(&rig.copy("b")).is_some(), "{name}"),
        // Nobody takes it for a failure of the new one.
        ("a", Standing::Settled | Standing::Writing | Standing::Waits) => {}
        other => panic!("{name}: {other:?}"),
    }
    then(&mut rig, name);
    if rig.booted == "a" {
        let done = rig.install(version, len, Choices::default()).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(!matches!(done, Checked::Confirmed(_)), "{name}");
        rig.reboot(name);
    }
    assert_eq!((rig.booted.clone().as_str(), rig.standing()), ("b", Standing::Booted), "{name}");
    assert_eq!(rig.copy("a"), old, "{name}");
    assert!(matches!(rig.with(|loader| loader.confirm()), Ok(Confirmation::Done(_))), "{name}");
    assert_eq!(rig.standing(), Standing::Settled, "{name}");
}

#[test]
fn a_cut_anywhere_leaves_a_whole_copy_and_the_next_run_finishes() {
    let mut judged = 0;
    for (kind, by_order) in KINDS {
        let start = Rig::new(kind, by_order);
        let work: Work = |rig| rig.install(3, 21_000, Choices::default()).map(drop);
        judged += explore(&start, work, &|rig, name| {
            let name = format!("{kind:?} {by_order}, {name}");
            // What the next run finds is cut once more, in the middle of it.
            let mut again = rig.fork();
            if again.booted == "a" {
                again.board.clear_log();
                again.board.cut(Cut { op: 3, moment: Moment::Inside(Torn { byte: 7, tail: 1 }) });
                let _ = again.install(3, 21_000, Choices::default());
                again.board.cut_now();
                again.files.cut_now();
                again.power_up(2, &name);
            }
            finishes(rig, &name, 3, 21_000, |_, _| {});
            finishes(again, &name, 3, 21_000, |_, _| {});
        });
    }
    assert!(judged > 2000, "{judged}");
    println!("{judged} states judged");
}

#[test]
fn another_one_over_one_that_has_not_booted_and_a_cut_anywhere() {
    for (kind, by_order) in KINDS {
        let mut start = Rig::new(kind, by_order);
        start.install(3, 21_000, Choices::default()).unwrap();
        assert_eq!(start.standing(), Standing::Waits);
        let work: Work = |rig| rig.install(4, 19_000, Choices::default()).map(drop);
        explore(&start, work, &|rig, name| {
            let name = format!("{kind:?} {by_order}, {name}");
            // The first or the second one has booted, or neither.
            finishes(rig, &name, 4, 19_000, |_, _| {});
        });
    }
}

#[test]
fn what_has_not_booted_is_taken_back_with_a_cut_anywhere() {
    for (kind, by_order) in KINDS {
        let mut start = Rig::new(kind, by_order);
        start.install(3, 21_000, Choices::default()).unwrap();
        let work: Work = |rig| rig.with(|loader| loader.cancel()).map(drop);
        let mut whole = start.fork();
        work(&mut whole).unwrap();
        assert_eq!((whole.standing(), whole.rom()), (Standing::Settled, Some("a")));
        assert_eq!(whole.told, ["cancelled"]);
        assert!(whole.status().state.refused.is_empty());
        explore(&start, work, &|rig, name| {
            let name = format!("{kind:?} {by_order}, {name}");
            finishes(rig, &name, 3, 21_000, |rig, name| {
                if rig.booted == "a" {
                    // The same order once more.
                    work(rig).unwrap_or_else(|error| panic!("{name}: {error}"));
                    assert_eq!((rig.standing(), rig.rom()), (Standing::Settled, Some("a")), "{name}");
                }
            });
        });
    }
}

#[test]
fn a_confirmation_is_done_or_not_done() {
    for (kind, by_order) in KINDS {
        let mut start = Rig::new(kind, by_order);
        start.install(3, 21_000, Choices::default()).unwrap();
        start.reboot("installed");
        let old = start.copy("a");
        let work: Work = |rig| rig.with(|loader| loader.confirm()).map(drop);
        explore(&start, work, &|mut rig, name| {
            let settled = rig.standing() == Standing::Settled;
            assert_eq!(rig.booted, "b", "{name}");
            let said = rig.with(|loader| loader.confirm()).unwrap();
            assert_eq!(matches!(said, Confirmation::Nothing), settled, "{name}: {said:?}");
            // Now, and not before, the other copy may be written.
            assert_eq!(rig.copy("a"), old, "{name}");
            assert_eq!(
                rig.install(4, 10_000, Choices::default()).unwrap(),
                Checked::Writes(rig.about.copies[0].clone())
            );
            assert_eq!(whole(&rig.copy("a")), Some(4), "{name}");
        });
    }
}

/// A new boot loader that the ROM does not take, or that rots: it goes back, where it can.
#[test]
fn where_the_rom_goes_back_the_new_one_is_refused_and_a_newer_one_is_not() {
    for kind in [Kind::Offsets, Kind::Nor] {
        let mut rig = Rig::new(kind, false);
        rig.install(3, 21_000, Choices::default()).unwrap();
        let start = rig.about.copies[1].offset as usize;
        let other = rig.media[1].image()[start + 9000] ^ 0x10;
        rig.media[1].preload(start + 9000, &[other]);
        rig.reboot("spoiled");
        assert_eq!((rig.booted.clone().as_str(), rig.standing()), ("a", Standing::WentBack));
        // What only looks changes nothing.
        let stored = rig.everything();
        let arrival3 = arrival(3, &image(3, 21_000));
        let checked = rig.with(|loader| loader.check(&arrival3, Choices::default()));
        assert!(matches!(checked, Err(LoaderError::FailedBefore(_))), "{checked:?}");
        assert_eq!(rig.everything(), stored);
        let mut asked = rig.fork();
        assert!(matches!(asked.with(|loader| loader.confirm()), Ok(Confirmation::WentBack(_))));
        assert_eq!((asked.standing(), &asked.told[..]), (Standing::Settled, &["went-back"][..]));
        let refused = rig.install(3, 21_000, Choices::default()).unwrap_err();
        assert_eq!(refused.code(), 15, "{refused}");
        let mut insists = rig.fork();
        insists.install(3, 21_000, Choices { again: true, ..Choices::default() }).unwrap();
        assert_eq!(insists.rom(), Some("b"));
        rig.install(4, 21_000, Choices::default()).unwrap();
        rig.reboot("a newer one");
        assert_eq!((rig.booted.clone().as_str(), rig.standing()), ("b", Standing::Booted));
    }
}

#[test]
fn a_medium_that_lies_or_fails_leaves_the_old_one_in_force() {
    for (kind, by_order) in KINDS {
        let clean = Rig::new(kind, by_order);
        let mut whole = clean.fork();
        whole.install(3, 21_000, Choices::default()).unwrap();
        let count = whole.board.log().iter().filter(|entry| entry.op == Op::Program).count() as u32;
        for skip in 0..count {
            for effect in
                [Effect::Lie(None), Effect::Fail(5, None), Effect::Fail(5, Some(Torn { byte: 3, tail: 1 }))]
            {
                let name = format!("{kind:?} {by_order}, program {skip}, {effect:?}");
                let mut rig = clean.fork();
                rig.board.fault(Fault { medium: None, op: Op::Program, skip, times: 1, effect });
                let done = rig.install(3, 21_000, Choices::default());
                // A lie about what was there already, or about the choice of the ROM, is no lie.
                if done.is_ok() {
                    assert!(matches!(effect, Effect::Lie(_)), "{name}");
                }
                rig.board.clear_plan();
                assert_eq!(rig.copy("a"), clean.copy("a"), "{name}");
                let code = done.as_ref().map_or_else(LoaderError::code, |_| 0);
                assert!([0, 21, 22].contains(&code), "{name}: {done:?}");
                rig.board.cut_now();
                rig.files.cut_now();
                rig.power_up(1, &name);
                if rig.booted == "a" && rig.standing() == Standing::WentBack {
                    // The board's own program has said that it has switched, and had not.
                    assert!(by_order && done.is_ok(), "{name}");
                    continue;
                }
                finishes(rig, &name, 3, 21_000, |_, _| {});
            }
        }
    }
}

/// Nothing is written by what is refused.
#[test]
fn what_would_endanger_the_way_back_is_refused_and_nothing_is_written() {
    let refuses = |rig: &mut Rig, version: u32, len: usize, code: u8, says: &str| {
        let before = rig.everything();
        rig.board.clear_log();
        let error = rig.install(version, len, Choices::default()).unwrap_err();
        assert!(error.code() == code && error.to_string().contains(says), "{code}: {error}");
        assert_eq!(rig.everything(), before, "{says}");
        assert!(rig.board.log().is_empty(), "{says}: {:?}", rig.board.log());
    };
    let mut rig = Rig::new(Kind::Offsets, false);
    refuses(&mut rig, 3, ROOM + 1, 16, "there is room for");
    refuses(&mut rig, 3, HEADER as usize, 16, "behind a header");
    let mut unknown = rig.fork();
    unknown.booted = String::new();
    refuses(&mut unknown, 3, 9000, 30, "which copy booted is not known: nobody has said it");
    // It has booted, and is not confirmed: the copy before it is the way back.
    rig.install(3, 9000, Choices::default()).unwrap();
    assert!(matches!(rig.install(3, 9000, Choices::default()), Ok(Checked::Already(_))));
    assert_eq!(rig.with(|loader| loader.confirm()).unwrap_err().code(), 30);
    rig.reboot("installed");
    refuses(&mut rig, 4, 9000, 30, "is not confirmed");
    assert_eq!(rig.with(|loader| loader.cancel()).unwrap_err().code(), 30);
    assert!(matches!(rig.install(3, 9000, Choices::default()), Ok(Checked::Already(_))));
    rig.with(|loader| loader.confirm()).unwrap();
    assert!(matches!(rig.install(3, 9000, Choices::default()), Ok(Checked::Confirmed(_))));
    refuses(&mut rig, 2, 9000, 9, "is older than 3.0");
    // What is known of it is damaged.
    let path = Path::new(FOLDER).join(STATE);
    rig.files.clone().write(&path, b"bootslot bootloader 1\nstage = settled\ncrc = 00000000\n").unwrap();
    refuses(&mut rig, 4, 9000, 4, "its checksum is wrong");
    // Media on which a header can't come last.
    for medium in [rig.board.nand(8, 4, 1024), rig.board.dataflash(64, 528), rig.board.nor(4, 32 << 10)] {
        let mut rig = Rig::new(Kind::Nor, false);
        rig.media[1] = medium;
        let image = image(3, 9000);
        let error = rig.with(|loader| loader.check(&arrival(3, &image), Choices::default())).unwrap_err();
        assert_eq!(error.code(), 16, "{error}");
        assert!(rig.board.log().is_empty());
    }
}

#[test]
fn what_is_locked_is_locked_again() {
    let mut rig = Rig::new(Kind::Nor, false);
    rig.media[1].lock_all(true);
    rig.install(3, 9000, Choices::default()).unwrap();
    assert_eq!(rig.media[1].locked(), [true; 6]);
    rig.board.fault(Fault { medium: None, op: Op::Erase, skip: 1, times: 1, effect: Effect::Fail(5, None) });
    assert_eq!(rig.install(4, 9000, Choices::default()).unwrap_err().code(), 21);
    assert_eq!(rig.media[1].locked(), [true; 6]);
    assert!(matches!(rig.status().state.stage, Stage::Writing(_)));
}
