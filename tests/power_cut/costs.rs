//! What a store costs, counted by the media themselves.

use bootslot::storage::sim::{Counters, Op};

use crate::rig::{Kind, Place, Rig};
use crate::workload::{Step, Workload};
use crate::writers::{Real, Writer};

/// A healthy device whose copy 0 is current: its flags are (1, 0).
fn device(kind: Kind, number: u32) -> Rig {
    let boolean = matches!(kind, Kind::Nor | Kind::DataFlash);
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

#[test]
fn nand_erases_each_block_once_and_skips_bad_ones() {
    let [first, _] = &cost_of_one_byte(Kind::Nand, 2)[..] else { panic!() };
    assert!(first.erases.iter().all(|&n| n <= 1));
    assert!((1..=2).contains(&first.erases.iter().sum::<u64>()));
    assert_eq!(first.erases[1] + first.erases[6], 0, "the bad blocks");
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
