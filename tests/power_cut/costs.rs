//! What a store costs, counted by the media themselves.

use bootslot::storage::region::{RegionCopy, RegionSpec};
use bootslot::storage::sim::{Board, Counters, Op};
use bootslot::storage::{EnvCopy, Geometry};

use crate::rig::{Kind, Place, Rig};
use crate::workload::{Step, Workload};
use crate::writers::{Real, Writer};

/// A healthy device whose copy 0 is current: its flags are (1, 0).
fn device(kind: Kind, number: u32) -> Rig {
    let boolean = kind.is_boolean();
    Rig::new(kind, number, &Workload(14).initial(boolean).0)
}

fn change(value: &[u8]) -> Step {
    Step::Set(vec![(b"var0".to_vec(), value.to_vec())])
}

/// Brings both copies to the same variables but for one byte, then counts what changing that byte costs.
fn cost_of_one_byte(kind: Kind, number: u32) -> Vec<Counters> {
    let rig = device(kind, number);
    for value in [b"one", b"two"] {
        Real.step(&rig, &change(value)).unwrap();
    }
    clear(&rig);
    Real.step(&rig, &change(b"six")).unwrap();
    let counters = counters(&rig);
    rig.board.clear_log();
    Real.step(&rig, &change(b"six")).unwrap();
    assert!(
        rig.board.log().iter().all(|e| matches!(e.op, Op::Sync | Op::SyncDir)),
        "no change writes nothing"
    );
    counters
}

fn clear(rig: &Rig) {
    for place in &rig.places {
        match place {
            Place::Region { medium, .. } | Place::Replaced { medium, .. } => medium.clear_counters(),
            Place::Volume(volume) => volume.clear_counters(),
        }
    }
}

fn counters(rig: &Rig) -> Vec<Counters> {
    let of = |place: &Place| match place {
        Place::Region { medium, .. } | Place::Replaced { medium, .. } => medium.counters(),
        Place::Volume(volume) => volume.counters(),
    };
    rig.places.iter().map(of).collect()
}

#[test]
fn a_block_device_gets_the_blocks_that_differ_and_one_sync_for_each_copy() {
    // 2048 bytes: the first block holds the header and the variable.
    let [first, _] = &cost_of_one_byte(Kind::Block, 1)[..] else { panic!() };
    assert_eq!((first.programs, first.bytes_programmed, first.syncs), (1, 512, 2));
}

#[test]
fn nor_gets_one_erase_for_each_sector_of_one_copy() {
    let [first, _] = &cost_of_one_byte(Kind::Nor, 4)[..] else { panic!() };
    assert_eq!(first.erases.iter().sum::<u64>(), 1);
    // The unit with the old checksum, that with the old flag, the copy (whose first unit is programmed
    // twice) and the other bytes of the sector, which are kept; bytes that stay erased are not programmed.
    assert!((3584..=8 + 8 + 4 + 4096).contains(&first.bytes_programmed), "{}", first.bytes_programmed);
    // Two sectors, of which the second is the same in both copies.
    let [first, _] = &cost_of_one_byte(Kind::Nor, 1)[..] else { panic!() };
    assert_eq!(first.erases.iter().sum::<u64>(), 1);
    // A change in both.
    let rig = device(Kind::Nor, 1);
    clear(&rig);
    Real.step(&rig, &change(&[b'x'; 600])).unwrap();
    assert_eq!(counters(&rig)[0].erases, [0, 0, 0, 1, 1, 0], "the sectors of copy 1");
}

/// Both copies, one after the other: spoiled, erased, the header with all but the end, the end.
#[test]
fn nor_with_ecc_gets_each_unit_once() {
    let rig = device(Kind::EccNor, 0);
    // The first store may find copies of another writer.
    Real.step(&rig, &change(b"one")).unwrap();
    each_unit_once(&rig);
    // The list ends where the last two units begin.
    let free = rig.store().check().free;
    let big = vec![b'x'; free - b"big=".len() - 1];
    Real.step(&rig, &Step::Set(vec![(b"big".to_vec(), big)])).unwrap();
    assert_eq!(rig.store().check().free, 0);
    each_unit_once(&rig);
    let more = Step::Set(vec![(b"a".to_vec(), b"1".to_vec())]);
    assert!(Real.step(&rig, &more).unwrap_err().contains("full"));
}

#[test]
fn sectors_that_are_no_whole_units_are_refused_by_a_store_and_read() {
    let board = Board::new();
    let nor = board.nor_ecc(2, 512, 64);
    let spec = RegionSpec {
        offset: 32 * 3,
        size: 96,
        sector_size: 96,
        sectors: 1,
        limit: u64::MAX,
        disable_lock: false,
    };
    let before = nor.image();
    let kernels = nor.geometry();
    // On a chip with sectors of several sizes the configured one counts.
    let configured = Geometry { erase_size: 96, ..kernels };
    for (geometry, parts) in [
        (configured, ["/dev/mtd1: sectors of 0x60 bytes", "units of 0x40"]),
        (kernels, ["an erase sector of 0x200 bytes", "the configuration says sectors of 0x60"]),
    ] {
        let mut copy = RegionCopy::new(Box::new(nor.clone()), "/dev/mtd1", geometry, spec).unwrap();
        assert_eq!(copy.load().unwrap(), [0xff; 96]);
        let error = copy.write(None, false, &[0; 96]).unwrap_err().to_string();
        assert!(parts.iter().all(|part| error.contains(part)), "{error}");
        assert_eq!(copy.storable().unwrap_err().to_string(), error);
        assert!(copy.spoil(&[[0; 64], [0xff; 64]].concat()).is_err());
        assert_eq!(nor.image(), before);
    }
}

/// What another program has stored may be exposed once; what the store itself has left never is.
#[test]
fn check_tells_where_an_erase_of_nor_with_ecc_is_dangerous() {
    let (mut safe, mut risky) = (0, 0);
    for number in (0..40).map(Workload) {
        for rig in [0, 1, 2, 4] {
            let (initial, vars) = number.initial(true);
            let rig = Rig::new(Kind::EccNor, rig, &initial);
            let Some(vars) = vars else { continue };
            let mut exposed = crate::readers::exposed(&rig);
            exposed.retain(|other| *other != vars);
            let found = rig.store().check().exposed;
            assert_eq!(found.is_some(), !exposed.is_empty(), "{number:?}");
            if found.is_some() {
                risky += 1;
            } else {
                safe += 1;
            }
            Real.step(&rig, &change(b"one")).unwrap();
            assert_eq!(rig.store().check().exposed, None, "{number:?}");
        }
    }
    assert!(safe > 9 && risky > 9, "{safe} {risky}");
}

fn each_unit_once(rig: &Rig) {
    clear(rig);
    rig.board.clear_log();
    let new = if rig.store().load().unwrap().get(b"var0") == Some(b"two") { b"six" } else { b"two" };
    Real.step(rig, &change(new)).unwrap();
    let log: Vec<(Op, u64)> = rig.board.log().iter().map(|entry| (entry.op, entry.offset)).collect();
    let writes: Vec<_> = log.iter().filter(|(op, _)| matches!(op, Op::Program | Op::Erase)).collect();
    let copy = |at: u64| {
        let (spoil, seal) = (at + 512 - 16, at + 512 - 32);
        [(Op::Program, spoil), (Op::Erase, at), (Op::Program, at), (Op::Program, seal)]
    };
    let Place::Region { spec, .. } = &rig.places[0] else { panic!() };
    let starts = if log[1].1 < spec.offset + 512 { [512, 1024] } else { [1024, 512] };
    assert_eq!(writes, starts.map(copy).concat().iter().collect::<Vec<_>>());
    assert_eq!(counters(rig)[0].erases.iter().sum::<u64>(), 2);
}

#[test]
fn nand_erases_each_block_once_and_skips_bad_ones() {
    let [first, _] = &cost_of_one_byte(Kind::Nand, 2)[..] else { panic!() };
    assert!(first.erases.iter().all(|&n| n <= 1));
    assert!((1..=2).contains(&first.erases.iter().sum::<u64>()));
    assert_eq!(first.erases[1] + first.erases[6], 0, "the bad blocks");
}

#[test]
fn one_leb_is_changed_and_a_volume_whose_update_was_cut_is_updated() {
    for number in [2, 3, 5] {
        let rig = device(Kind::Ubi, number);
        Real.step(&rig, &change(b"one")).unwrap();
        let ops: Vec<Op> = rig.board.log().iter().map(|e| e.op).collect();
        assert_eq!(ops, [Op::ChangeLeb], "device {number}");
    }
    for number in [0, 4] {
        let rig = device(Kind::Ubi, number);
        Real.step(&rig, &change(b"one")).unwrap();
        let ops: Vec<Op> = rig.board.log().iter().map(|e| e.op).collect();
        assert_eq!(ops, [Op::Update], "device {number}");
    }
    let rig = device(Kind::Ubi, 3);
    let Place::Volume(standby) = &rig.places[1] else { panic!() };
    standby.preload(None);
    Real.step(&rig, &change(b"one")).unwrap();
    Real.step(&rig, &change(b"two")).unwrap();
    Real.step(&rig, &change(b"six")).unwrap();
    let ops: Vec<Op> = rig.board.log().iter().map(|e| e.op).collect();
    assert_eq!(ops, [Op::Update, Op::ChangeLeb, Op::ChangeLeb]);
}

#[test]
fn a_volume_gets_one_update_and_a_file_one_rename() {
    let [first, second] = &cost_of_one_byte(Kind::Ubi, 0)[..] else { panic!() };
    assert_eq!(first.programs + second.programs, 1);

    let rig = device(Kind::File, 1);
    Real.step(&rig, &change(b"one")).unwrap();
    let ops: Vec<Op> = rig.board.log().iter().map(|e| e.op).collect();
    assert_eq!(ops, [Op::WriteTemp, Op::SyncTemp, Op::Rename, Op::SyncDir]);
}
