//! Installations onto raw flash and UBI volumes: power cuts at every operation of an installation and of the one that
//! goes on, bad blocks and such that go bad, locks, and what must not be written.

use bootslot::slot::{Mark, Standing};
use bootslot::storage::sim::{mix, Board, Cut, Effect, Entry, Fault, Moment, Op, SimMedium, Torn};
use bootslot::storage::MediumKind;
use bootslot::update::source::{Source, StreamSource};
use bootslot::update::Options;

use crate::delta::dear;
use crate::rig::*;

const SECTOR: usize = 4096;

/// What a part can lie on. Each holds [`SLOT_SIZE`] bytes and a little more.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum On {
    Block,
    Nor,
    NorEcc,
    Nand,
    DataFlash,
    Ram,
    Dynamic,
    Static,
}

/// All but block devices, on which nothing is left to be erased.
pub const ALL: [On; 7] = [On::Nor, On::NorEcc, On::Nand, On::DataFlash, On::Ram, On::Dynamic, On::Static];

/// Bad from the start: the first block, one in the middle, and two in a row.
const BAD: [u64; 4] = [0, 9, 14, 15];

impl On {
    fn make(self, board: &Board) -> SimMedium {
        let sectors = SLOT_SIZE / SECTOR + 2;
        match self {
            On::Block => board.block(SLOT_SIZE + 512),
            On::Nor => board.nor(sectors, SECTOR),
            On::NorEcc => board.nor_ecc(sectors, SECTOR, 16),
            On::Nand => {
                let nand = board.nand(sectors + BAD.len(), 4, SECTOR / 4);
                BAD.iter().for_each(|number| nand.preload_bad(number * SECTOR as u64));
                nand
            }
            On::DataFlash => board.dataflash(SLOT_SIZE / 4224 + 2, 4224),
            On::Ram => board.ram(sectors, SECTOR),
            On::Dynamic => board.ubi_dynamic(SLOT_SIZE / 3968 + 3, 3968).medium(),
            On::Static => board.ubi(SLOT_SIZE + 1000).medium(),
        }
    }

    /// A device whose parts lie on this, and are full.
    pub fn rig(self) -> Rig {
        let rig = Rig::on(|board| self.make(board));
        for part in ["boot", "root"] {
            for (slot, seed) in [("A", 77), ("B", 55)] {
                fill(rig.part(slot, part), &content(SLOT_SIZE, seed));
            }
        }
        rig
    }
}

/// The good sectors.
fn good(medium: &SimMedium) -> Vec<usize> {
    let geometry = medium.geometry();
    let sectors = (0..geometry.size).step_by(geometry.erase_size.max(1) as usize);
    sectors.filter(|&at| !medium.is_marked_bad(at)).map(|at| at as usize).collect()
}

fn is_flash(medium: &SimMedium) -> bool {
    medium.geometry().erase_size > 0 && medium.geometry().kind != MediumKind::Ubi
}

/// Puts an image there as the factory does.
pub fn fill(medium: &SimMedium, image: &[u8]) {
    if !is_flash(medium) {
        return medium.preload(0, image);
    }
    let sector = medium.geometry().erase_size as usize;
    for (at, piece) in good(medium).into_iter().zip(image.chunks(sector)) {
        medium.preload(at, piece);
    }
}

/// All that can be read, in the order of an image.
pub fn held(medium: &SimMedium) -> Vec<u8> {
    let image = medium.image();
    if !is_flash(medium) {
        return image;
    }
    let sector = medium.geometry().erase_size as usize;
    good(medium).into_iter().flat_map(|at| image[at..at + sector].to_vec()).collect()
}

/// Runs of zeros and of 0xff, at the ends of sectors and across them; no multiple of any sector.
fn images() -> (Vec<u8>, Vec<u8>) {
    let boot = content(10_000, 1);
    let root = [
        content(26_000, 2),
        vec![0; 9_000],
        content(7_000, 3),
        vec![0xff; 14_000],
        content(11_000, 4),
        vec![0; 700],
    ];
    (boot, root.concat())
}

/// B holds exactly these images, and the rest of it is empty.
#[track_caller]
pub fn holds(rig: &Rig, boot: &[u8], root: &[u8], id: &str) {
    for (part, image) in [("boot", boot), ("root", root)] {
        let medium = rig.part("B", part);
        let held = held(medium);
        assert!(held.starts_with(image), "{id}: {part}");
        if medium.geometry().kind == MediumKind::Ubi || is_flash(medium) {
            let rest = &held[image.len()..];
            assert!(
                rest.iter().all(|&byte| byte == 0xff),
                "{id}: something is left behind the image of {part}"
            );
        }
        // What was cut once was erased and programmed anew, unless it holds nothing.
        for at in medium.unsettled().into_iter().filter(|&at| !medium.is_marked_bad(at)) {
            let sector = &medium.image()[at as usize..][..medium.geometry().erase_size as usize];
            assert!(sector.iter().all(|&byte| byte == 0xff), "{id}: {part} is shaky at {at:#x}");
        }
    }
}

/// After a cut: the running slot is as it was and boots, and the other one boots only if it is whole.
#[track_caller]
pub fn judge(rig: &Rig, whole: (&[u8], &[u8]), before: &Rig, id: &str) {
    for part in ["boot", "root"] {
        assert_eq!(rig.part("A", part).image(), before.part("A", part).image(), "{id}");
    }
    let state = rig.state();
    match state.standing() {
        Standing::Trial { slot, .. } => {
            assert_eq!(slot, &name("B"), "{id}");
            holds(rig, whole.0, whole.1, id);
        }
        Standing::Confirmed(slot) => {
            assert_eq!(slot, &name("A"), "{id}");
            let changed = ["boot", "root"]
                .iter()
                .any(|part| rig.part("B", part).image() != before.part("B", part).image());
            let mark = state.mark(&name("B"));
            assert!(!changed || mark == Some(Mark::Writing), "{id}: B is changed, and its mark is {mark:?}");
        }
        other => panic!("{id}: {other:?}"),
    }
}

/// Where in an operation the power fails, and what it leaves.
pub fn moments(entry: &Entry, on: On) -> Vec<Moment> {
    let tails: &[u32] = match (on, entry.op) {
        (On::Nor | On::NorEcc, Op::Erase) => &[0, 2, 4, 6, 7],
        (On::Nor | On::NorEcc, Op::Program) => &[0, 1, 65],
        (On::Nand, Op::Erase | Op::Program) | (On::DataFlash, _) => &[0, 1, 2, 3],
        _ => &[0, 1],
    };
    let last = entry.len.saturating_sub(1);
    let inside = tails.iter().map(|&tail| Torn { byte: if tail % 2 == 0 { last } else { last / 2 }, tail });
    [Moment::Before, Moment::After].into_iter().chain(inside.map(Moment::Inside)).collect()
}

/// Cuts the installation at every operation; each time the same command goes on, is cut once more, and ends.
fn cut_everywhere(on: On, first: &Rig, start: &Rig, path: &std::path::Path, step: usize) -> usize {
    let (boot, root) = images();
    let whole = start.fork();
    whole.install(source(path)).unwrap();
    let log = whole.board.log();
    holds(&whole, &boot, &root, "whole");
    let mut judged = 0;
    for (op, entry) in log.iter().enumerate().step_by(step) {
        for moment in moments(entry, on) {
            let id = format!("{on:?} op {op} {entry:?} {moment:?}");
            let rig = start.fork();
            rig.board.cut(Cut { op, moment });
            let _ = rig.install(source(path));
            assert!(!rig.board.is_on(), "{id}");
            rig.board.restore(mix(op as u64) % rig.board.choices());
            judge(&rig, (&boot, &root), first, &id);
            let again = rig.fork();
            let next = mix(op as u64 + judged as u64) as usize % log.len();
            again.board.cut(Cut { op: next, moment: Moment::Inside(Torn { byte: 1, tail: judged as u32 }) });
            let _ = again.install(source(path));
            again.board.restore(0);
            judge(&again, (&boot, &root), first, &format!("{id}, cut again at {next}"));
            for rig in [rig, again] {
                rig.install(source(path)).unwrap_or_else(|error| panic!("{id}: {error}"));
                holds(&rig, &boot, &root, &id);
                assert_eq!(rig.state().standing(), Standing::Trial { slot: &name("B"), left: 3 }, "{id}");
            }
            judged += 2;
        }
    }
    judged
}

/// Each `step`th operation is cut.
fn cuts(on: On, step: usize) {
    let (boot, root) = images();
    let path = workshop().bundle(&format!("media-{on:?}"), &[("boot", &boot), ("root", &root)]);
    let start = on.rig();
    let mut judged = cut_everywhere(on, &start, &start, &path, step);
    // The one that goes on, too.
    let whole = start.fork();
    whole.install(source(&path)).unwrap();
    let ops = whole.board.log().len();
    for op in [ops / 3, ops * 3 / 4] {
        let rig = start.fork();
        rig.board.cut(Cut { op, moment: Moment::Inside(Torn { byte: 700, tail: 2 }) });
        let _ = rig.install(source(&path));
        rig.board.restore(0);
        judged += cut_everywhere(on, &start, &rig, &path, 2);
    }
    // Nearly all is there, and a few blocks are not.
    let nearly = on.rig();
    let mut other = root.clone();
    for at in [5000, 9000, 30_000] {
        other[at] ^= 1;
    }
    fill(nearly.part("B", "root"), &other);
    judged += cut_everywhere(on, &nearly, &nearly, &path, 2);
    println!("{on:?}: {ops} operations, {judged} states judged");
}

#[test]
fn cuts_on_nor() {
    cuts(On::Nor, 1);
}

#[test]
fn cuts_on_nor_with_ecc() {
    cuts(On::NorEcc, 1);
}

#[test]
fn cuts_on_nand() {
    cuts(On::Nand, 1);
}

#[test]
fn cuts_on_dataflash() {
    // It has many small blocks, and each takes three operations.
    cuts(On::DataFlash, 2);
}

#[test]
fn cuts_on_ram() {
    cuts(On::Ram, 1);
}

#[test]
fn cuts_in_a_dynamic_volume() {
    cuts(On::Dynamic, 1);
}

#[test]
fn cuts_in_a_static_volume() {
    cuts(On::Static, 1);
}

#[test]
fn what_is_there_already_is_not_written_again() {
    let (boot, root) = images();
    for on in ALL {
        let path = workshop().bundle(&format!("half-{on:?}"), &[("boot", &boot), ("root", &root)]);
        let rig = on.rig();
        fill(rig.part("B", "root"), &root[..root.len() / 2]);
        let start = rig.fork();
        let stream = std::fs::File::open(&path).unwrap();
        let done = rig.install(Box::new(StreamSource::new(stream))).unwrap().done;
        holds(&rig, &boot, &root, &format!("{on:?}"));
        assert_eq!(done.kept + done.written, done.all, "{on:?}");
        let counters = |rig: &Rig| {
            let counters = rig.part("B", "root").counters();
            (counters.bytes_programmed as usize, counters.erases.iter().sum::<u64>() as usize)
        };
        let (programmed, erased) = counters(&rig);
        // All of it is there, and behind it nothing: only the last block that holds something is written again on flash.
        let full = start.fork();
        full.board.clear_plan();
        let medium = full.part("B", "root");
        if is_flash(medium) {
            fill(medium, &vec![0xff; SLOT_SIZE]);
            let sector = medium.geometry().erase_size as usize;
            fill(medium, &[root.clone(), vec![0xff; sector - root.len() % sector]].concat());
        } else {
            medium.preload(0, &root);
        }
        let done = full.install(source(&path)).unwrap().done;
        holds(&full, &boot, &root, &format!("{on:?}"));
        assert!(done.kept >= root.len() as u64, "{on:?}: {done:?}");
        let (again, erased_again) = counters(&full);
        match on {
            On::Static => {
                assert!(done.written >= boot.len() as u64 && programmed >= root.len() && again == 0, "{on:?}")
            }
            On::Dynamic => {
                assert!(programmed < root.len() * 6 / 10 && again == 0, "{on:?}: {programmed} {again}");
            }
            _ => {
                assert!(programmed < root.len() * 6 / 10, "{on:?}: {programmed}");
                let sector = full.part("B", "root").geometry().erase_size as usize;
                assert!(again <= sector && erased_again <= 1, "{on:?}: {again} {erased_again}");
                assert!(erased_again < erased || erased == 0, "{on:?}");
            }
        }
    }
}

#[test]
fn too_large_for_the_good_blocks() {
    for on in ALL {
        let rig = on.rig();
        let room = held(rig.part("B", "root")).len();
        let fits = workshop().bundle(&format!("fits-{on:?}"), &[("root", &content(room, 8))]);
        let large = workshop().bundle(&format!("large-{on:?}"), &[("root", &content(room + 1, 8))]);
        let error = rig.install(source(&large)).unwrap_err();
        assert_eq!(error.code(), 16, "{on:?}: {error}");
        assert!(error.to_string().contains(&format!("there is room for {room}")), "{error}");
        assert!(rig.board.log().is_empty(), "{on:?}");
        rig.install(source(&fits)).unwrap();
        assert_eq!(held(rig.part("B", "root")), content(room, 8), "{on:?}");
    }
}

#[test]
fn nand_blocks_that_go_bad_are_passed_over() {
    let (boot, root) = images();
    let path = workshop().bundle("worn", &[("boot", &boot), ("root", &root)]);
    let start = On::Nand.rig();
    // Half of it is there already: what moves up is not lost to what is written over it.
    fill(start.part("B", "root"), &content(26_000, 2));
    let number = start.part("B", "root").index();
    let mut went_bad = 0;
    for op in [Op::Erase, Op::Program] {
        for skip in 0.. {
            let rig = start.fork();
            rig.board.fault(Fault { medium: Some(number), op, skip, times: 1, effect: Effect::WearOut });
            // A stream can't go back.
            let stream = std::fs::File::open(&path).unwrap();
            let installed = rig.install(Box::new(StreamSource::new(stream)));
            if !rig.board.faults_left().is_empty() {
                break;
            }
            let id = format!("{op:?} {skip}");
            installed.unwrap_or_else(|error| panic!("{id}: {error}"));
            holds(&rig, &boot, &root, &id);
            assert_eq!(good(rig.part("B", "root")).len() + 1, good(start.part("B", "root")).len(), "{id}");
            went_bad += 1;
        }
    }
    assert!(went_bad > 30, "{went_bad}");

    // And the power fails as well.
    let worn = start.fork();
    worn.board.fault(Fault {
        medium: Some(number),
        op: Op::Program,
        skip: 3,
        times: 1,
        effect: Effect::WearOut,
    });
    worn.board.fault(Fault {
        medium: Some(number),
        op: Op::Erase,
        skip: 9,
        times: 1,
        effect: Effect::WearOut,
    });
    let whole = worn.fork();
    whole.install(source(&path)).unwrap();
    for op in 0..whole.board.log().len() {
        for tail in 0..4 {
            let rig = worn.fork();
            rig.board.cut(Cut { op, moment: Moment::Inside(Torn { byte: 2000, tail }) });
            let _ = rig.install(source(&path));
            rig.board.restore(0);
            let id = format!("worn and cut: {op}, {tail}");
            judge(&rig, (&boot, &root), &start, &id);
            rig.install(source(&path)).unwrap_or_else(|error| panic!("{id}: {error}"));
            holds(&rig, &boot, &root, &id);
        }
    }
}

/// A source that is slow from some byte on.
struct Slow {
    inner: Box<dyn Source>,
    from: u64,
}

impl Source for Slow {
    fn read(&mut self, offset: u64, buf: &mut [u8]) -> std::io::Result<()> {
        if offset >= self.from {
            std::thread::sleep(std::time::Duration::from_millis(300));
        }
        self.inner.read(offset, buf)
    }
}

#[test]
fn what_a_block_that_moved_was_written_over_is_fetched() {
    const BLOCK: usize = 16 << 10;
    const LEN: usize = 5 << 18;
    let image = content(LEN, 6);
    let path = workshop().bundle("moved", &[("root", &image)]);
    let rig = Rig::on(|board| board.nand(LEN / BLOCK + 8, 16, 1024));
    // All is there but the start, and a place in the second MiB, the second that is worked on together: it takes so long
    // to fetch that the first MiB is written meanwhile, and up to four blocks behind it.
    let mut old = image.clone();
    old[..10].fill(0);
    let place = (1 << 20) + (10 << 10);
    old[place..place + 10].fill(0);
    fill(rig.part("B", "root"), &old);
    let kept = |rig: &Rig| {
        let slow = Slow { inner: source(&path), from: 60_000 };
        let done = rig.install(Box::new(slow)).unwrap().done;
        assert!(held(rig.part("B", "root")).starts_with(&image));
        done.kept
    };
    let in_its_place = kept(&rig.fork());
    let number = Some(rig.part("B", "root").index());
    rig.board.fault(Fault { medium: number, op: Op::Erase, skip: 0, times: 4, effect: Effect::WearOut });
    let moved = kept(&rig);
    assert!(moved > 1 << 19 && moved + BLOCK as u64 <= in_its_place, "{moved} of {in_its_place}");
}

#[test]
fn without_a_spare_block_none_is_marked() {
    let rig = On::Nand.rig();
    let room = held(rig.part("B", "root")).len();
    let path = workshop().bundle("spare", &[("root", &content(room, 8))]);
    let number = rig.part("B", "root").index();
    for op in [Op::Erase, Op::Program] {
        let rig = rig.fork();
        rig.board.fault(Fault { medium: Some(number), op, skip: 5, times: 1, effect: Effect::WearOut });
        let error = rig.install(source(&path)).unwrap_err();
        assert_eq!(error.code(), 21, "{error}");
        assert!(error.to_string().contains("there is no spare one"), "{error}");
        assert_eq!(good(rig.part("B", "root")).len() * SECTOR, room);
        assert_eq!(rig.state().mark(&name("B")), Some(Mark::Writing));
    }
}

#[test]
fn a_medium_that_fails_or_lies() {
    let (boot, root) = images();
    for on in ALL {
        let path = workshop().bundle(&format!("fails-{on:?}"), &[("boot", &boot), ("root", &root)]);
        let start = on.rig();
        let number = start.part("B", "root").index();
        let program = match on {
            On::Dynamic => Op::ChangeLeb,
            On::Static => Op::Update,
            _ => Op::Program,
        };
        let fails = Effect::Fail(libc::ENOSPC, None);
        for (op, effect, code) in [
            (program, fails, 21),
            (Op::Erase, fails, 21),
            (Op::StartUpdate, fails, 21),
            (program, Effect::Lie(None), 22),
        ] {
            let rig = start.fork();
            rig.board.fault(Fault { medium: Some(number), op, skip: 0, times: 1, effect });
            let result = rig.install(source(&path));
            if !rig.board.faults_left().is_empty() {
                // There is no such operation on this medium.
                assert!(result.is_ok() && op != program, "{on:?} {op:?}");
                continue;
            }
            let error = result.unwrap_err();
            assert_eq!(error.code(), code, "{on:?} {op:?}: {error}");
            assert_eq!(rig.state().mark(&name("B")), Some(Mark::Writing), "{on:?} {op:?}");
            rig.install(source(&path)).unwrap_or_else(|error| panic!("{on:?} {op:?}: {error}"));
            holds(&rig, &boot, &root, &format!("{on:?} {op:?}"));
        }
    }
}

#[test]
fn what_was_locked_is_locked_again() {
    let (boot, root) = images();
    let path = workshop().bundle("locked", &[("boot", &boot), ("root", &root)]);
    let start = On::Nor.rig();
    for part in ["boot", "root"] {
        start.part("B", part).lock_all(false);
    }
    let locked = |rig: &Rig| ["boot", "root"].map(|part| rig.part("B", part).locked());
    let rig = start.fork();
    rig.install(source(&path)).unwrap();
    holds(&rig, &boot, &root, "locked");
    assert_eq!(locked(&rig), locked(&start));
    // After an error as well.
    let number = start.part("B", "root").index();
    for op in [Op::Erase, Op::Program] {
        for skip in 0..6 {
            let rig = start.fork();
            let effect = Effect::Fail(libc::EIO, None);
            rig.board.fault(Fault { medium: Some(number), op, skip, times: 1, effect });
            assert_eq!(rig.install(source(&path)).unwrap_err().code(), 21);
            assert_eq!(locked(&rig), locked(&start), "{op:?} {skip}");
        }
    }
}

#[test]
fn a_volume_whose_update_was_cut_is_mended_first() {
    let (boot, root) = images();
    let path = workshop().bundle("marked", &[("boot", &boot), ("root", &root)]);
    let start = Rig::on(|board| {
        let volume = board.ubi_dynamic(SLOT_SIZE / 3968 + 3, 3968);
        volume.preload(None);
        volume.medium()
    });
    let whole = start.fork();
    whole.install(source(&path)).unwrap();
    holds(&whole, &boot, &root, "marked");
    let mended = whole.board.log().iter().filter(|entry| entry.op == Op::StartUpdate).count();
    assert_eq!(mended, 2);
    for op in 0..whole.board.log().len() {
        for moment in [Moment::Before, Moment::Inside(Torn { byte: 1, tail: 1 }), Moment::After] {
            let rig = start.fork();
            rig.board.cut(Cut { op, moment });
            let _ = rig.install(source(&path));
            rig.board.restore(0);
            judge(&rig, (&boot, &root), &start, &format!("{op} {moment:?}"));
            rig.install(source(&path)).unwrap();
            holds(&rig, &boot, &root, &format!("{op} {moment:?}"));
        }
    }
}

#[test]
fn the_running_slot_is_copied_from_and_a_dry_run_promises_what_is_done() {
    for on in ALL {
        let old = content(SLOT_SIZE - 2000, 1);
        let new = [&old[..20_000], &content(777, 5), &old[20_000..60_000], &vec![0; 3000]].concat();
        let path = workshop().bundle(&format!("copied-{on:?}"), &[("root", &new)]);
        let rig = on.rig();
        fill(rig.part("A", "root"), &old);
        let running = rig.part("A", "root").image();
        let dry = Options { dry_run: true, ..Options::default() };
        let promised = rig.install_with(dear(&path).0, &dry).unwrap().done;
        assert!(rig.board.log().is_empty(), "{on:?}");
        let done = rig.install(dear(&path).0).unwrap().done;
        assert_eq!(done, promised, "{on:?}");
        assert!(done.copied > 45_000, "{on:?}: {done:?}");
        assert!(held(rig.part("B", "root")).starts_with(&new), "{on:?}");
        assert_eq!(rig.part("A", "root").image(), running, "{on:?}");
    }
}

#[test]
fn what_of_the_running_slot_cannot_be_read_is_fetched() {
    let old = content(SLOT_SIZE - 2000, 1);
    let new = [&old[..40_000], &content(777, 5), &old[40_000..60_000]].concat();
    let path = workshop().bundle("unreadable", &[("root", &new)]);
    for on in [On::Nand, On::Static, On::Ram] {
        for skip in [0, 1] {
            let rig = on.rig();
            fill(rig.part("A", "root"), &old);
            let medium = Some(rig.part("A", "root").index());
            let effect = Effect::Fail(libc::EIO, None);
            rig.board.fault(Fault { medium, op: Op::Read, skip, times: u32::MAX, effect });
            rig.install(dear(&path).0).unwrap_or_else(|error| panic!("{on:?} {skip}: {error}"));
            assert!(held(rig.part("B", "root")).starts_with(&new), "{on:?} {skip}");
        }
    }
}

#[test]
fn what_another_image_has_left_behind_the_end_goes() {
    let (boot, root) = images();
    for on in ALL.into_iter().filter(|on| *on != On::Ram) {
        let path = workshop().bundle(&format!("behind-{on:?}"), &[("boot", &boot), ("root", &root)]);
        let rig = on.rig();
        // In the last block of the image alone, of which all else is right.
        for (part, image) in [("boot", &boot), ("root", &root)] {
            let medium = rig.part("B", part);
            fill(medium, &vec![0xff; SLOT_SIZE]);
            fill(medium, &[image.as_slice(), &[0x11; 50]].concat());
        }
        rig.install(source(&path)).unwrap();
        holds(&rig, &boot, &root, &format!("{on:?}"));
    }
}
