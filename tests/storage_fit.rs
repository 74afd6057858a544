//! Configurations that do not fit the medium's erase sectors: what is there is read; a store refuses and says what to
//! change, and touches nothing.

#![cfg(feature = "sim")]

use bootslot::env::image::{encode, Layout};
use bootslot::env::Environment;
use bootslot::lock::LockPath;
use bootslot::storage::region::{RegionCopy, RegionSpec};
use bootslot::storage::sim::{Board, Cut, Effect, Fault, Moment, Op, SimMedium};
use bootslot::storage::EnvCopy;
use bootslot::store::{Commit, Store, StoreOptions};
use bootslot::Error;

const BLOCK: u64 = 4096;

/// Offset, size, sector size and number of sectors, as a line of the configuration has them.
type Line = (u64, u64, u64, u64);

fn copy(medium: &SimMedium, (offset, size, sector_size, sectors): Line) -> Box<dyn EnvCopy> {
    let spec = RegionSpec { offset, size, sector_size, sectors, limit: u64::MAX, disable_lock: false };
    Box::new(RegionCopy::new(Box::new(medium.clone()), "/dev/mtd", medium.geometry(), spec).unwrap())
}

fn open(medium: &SimMedium, lines: &[Line]) -> Store {
    let options = StoreOptions { lock: Some(LockPath::None), ..StoreOptions::default() };
    Store::from_copies(lines.iter().map(|&line| copy(medium, line)).collect(), options).unwrap()
}

/// A copy as the factory or another tool has put it there.
fn preload(medium: &SimMedium, at: u64, size: u64, layout: Layout, flags: u8, value: &[u8]) {
    let mut env = Environment::new();
    env.set(b"value", value).unwrap();
    medium.preload(at as usize, &encode(&env, layout, size as usize, flags, 0).unwrap());
}

fn value(store: &mut Store) -> String {
    String::from_utf8(store.load().unwrap().get(b"value").unwrap().to_vec()).unwrap()
}

fn set(store: &mut Store) -> Result<Commit, Error> {
    let mut change = store.begin()?;
    change.set(b"value", b"changed")?;
    change.commit()
}

/// A store is refused with all of `words`, not a byte changes, and `check` says the same.
fn refused(medium: &SimMedium, lines: &[Line], words: &[&str]) {
    let before = medium.image();
    medium.clear_counters();
    let mut store = open(medium, lines);
    let error = set(&mut store).unwrap_err();
    assert!(matches!(error, Error::Device { .. }), "{error}");
    let health = store.check();
    for text in [error.to_string(), health.read_only.clone().unwrap()] {
        assert!(words.iter().all(|word| text.contains(word)), "{text}");
    }
    assert!(!health.is_healthy());
    assert_eq!(medium.image(), before);
    let counters = medium.counters();
    assert_eq!((counters.programs, counters.erases.iter().sum::<u64>()), (0, 0));
}

#[test]
fn a_nand_window_that_passes_the_end_does_not_hide_the_newest_copy() {
    // 32 blocks; copy 1 starts at block 20. A decimal 16 was read as 0x16: blocks 20 to 42.
    let lines = [(0, BLOCK, BLOCK, 0x10), (20 * BLOCK, BLOCK, BLOCK, 0x16)];
    let board = Board::new();
    let nand = board.nand(32, 4, 1024);
    preload(&nand, 0, BLOCK, Layout::Redundant, 1, b"old");
    preload(&nand, 20 * BLOCK, BLOCK, Layout::Redundant, 2, b"new");
    // The simulated chip panics where it is asked for a block that it has not.
    assert_eq!(value(&mut open(&nand, &lines)), "new");
    refused(&nand, &lines, &["0x2a000", "0x20000", "number of sectors", "16 means 0x16"]);

    // The same with the copy behind a bad block, and with so many that it ends at the end of the chip.
    let last = 31 * BLOCK;
    for bad in [20, 30] {
        let board = Board::new();
        let nand = board.nand(32, 4, 1024);
        (20..=bad).for_each(|block| nand.preload_bad(block * BLOCK));
        preload(&nand, 0, BLOCK, Layout::Redundant, 1, b"old");
        preload(&nand, (bad + 1) * BLOCK, BLOCK, Layout::Redundant, 2, b"new");
        assert_eq!(value(&mut open(&nand, &lines)), "new");
        refused(&nand, &lines, &["number of sectors"]);
    }
    // And a window that really has no copy is told from one that was not looked for.
    let lines = [(0, BLOCK, BLOCK, 1), (last, BLOCK, BLOCK, 0x16)];
    let board = Board::new();
    let nand = board.nand(32, 4, 1024);
    preload(&nand, 0, BLOCK, Layout::Redundant, 1, b"old");
    nand.preload_bad(last);
    let mut store = open(&nand, &lines);
    assert_eq!(value(&mut store), "old");
    let error = store.check().copies[1].error.clone().unwrap();
    assert!(error.contains("only 0 good bytes"), "{error}");
}

#[test]
fn a_reader_asks_for_no_block_that_it_does_not_need() {
    let board = Board::new();
    let nand = board.nand(32, 4, 1024);
    preload(&nand, 0, BLOCK, Layout::Single, 0, b"here");
    let fault = |skip| Fault {
        medium: None,
        op: Op::IsBad,
        skip,
        times: u32::MAX,
        effect: Effect::Fail(libc::EIO, None),
    };
    board.fault(fault(1));
    let lines = [(0, BLOCK, BLOCK, 0x10)];
    assert_eq!(value(&mut open(&nand, &lines)), "here");
    // The fault is one that hits.
    board.fault(fault(0));
    assert!(open(&nand, &lines).load().is_err());
}

#[test]
fn an_environment_inside_of_a_nand_block_is_read() {
    // 0x2000 0x4000 0x2000 on blocks of 128 KiB, in small: it starts half-way into a block.
    let (offset, size) = (512, 1024);
    let line = (offset, size, 512, 0);
    let board = Board::new();
    let nand = board.nand(8, 4, 1024);
    preload(&nand, offset, size, Layout::Single, 0, b"inside");
    assert_eq!(value(&mut open(&nand, &[line])), "inside");
    refused(&nand, &[line], &["offset 0x200", "0x1000", "0x200)"]);

    // It reaches into the next block, and one in between is bad.
    let board = Board::new();
    let nand = board.nand(8, 4, 1024);
    let (offset, size) = (BLOCK - 1024, 2048);
    let mut image = vec![0; size as usize];
    let whole = {
        let mut env = Environment::new();
        env.set(b"value", &[b'x'; 1500]).unwrap();
        encode(&env, Layout::Single, size as usize, 0, 0).unwrap()
    };
    image.copy_from_slice(&whole);
    nand.preload(offset as usize, &image[..1024]);
    nand.preload_bad(BLOCK);
    nand.preload(2 * BLOCK as usize, &image[1024..]);
    assert_eq!(value(&mut open(&nand, &[(offset, size, BLOCK, 4)])).len(), 1500);

    // The block in which it starts is bad: it starts at the same place of the next one, as in U-Boot's tool.
    let board = Board::new();
    let nand = board.nand(8, 4, 1024);
    nand.preload_bad(0);
    preload(&nand, BLOCK + 1024, 2048, Layout::Single, 0, b"next");
    assert_eq!(value(&mut open(&nand, &[(1024, 2048, BLOCK, 4)])), "next");
}

#[test]
fn nor_is_erased_in_the_kernels_sectors_where_the_copy_fills_them() {
    // Sectors of 4096 bytes, configured as 256: offset and length fit.
    let lines = [(0, 2 * BLOCK, 256, 0), (2 * BLOCK, 2 * BLOCK, 256, 0)];
    let board = Board::new();
    let nor = board.nor(8, BLOCK as usize);
    preload(&nor, 0, 2 * BLOCK, Layout::Redundant, 1, b"old");
    nor.preload(4 * BLOCK as usize, &[7; 4 * BLOCK as usize]);
    let mut store = open(&nor, &lines);
    for _ in 0..3 {
        set(&mut store).unwrap();
        let mut change = store.begin().unwrap();
        change.set(b"value", b"again").unwrap();
        change.commit().unwrap();
    }
    assert_eq!(value(&mut open(&nor, &lines)), "again");
    assert!(nor.image()[4 * BLOCK as usize..].iter().all(|&byte| byte == 7));
    assert!(store.check().is_healthy());
}

#[test]
fn nor_whose_sectors_the_copy_does_not_fill_says_both_sizes() {
    let board = Board::new();
    let nor = board.nor(8, BLOCK as usize);
    preload(&nor, BLOCK, 512, Layout::Single, 0, b"here");
    let line = (BLOCK, 512, 256, 0);
    assert_eq!(value(&mut open(&nor, &[line])), "here");
    refused(&nor, &[line], &["0x1000", "0x100)", "0x200 bytes"]);

    let board = Board::new();
    let nor = board.nor(8, BLOCK as usize);
    preload(&nor, 512, BLOCK, Layout::Single, 0, b"here");
    let line = (512, BLOCK, 512, 0);
    assert_eq!(value(&mut open(&nor, &[line])), "here");
    refused(&nor, &[line], &["offset 0x200", "0x1000", "sectors of 0x200"]);

    // Too few sectors for the copy.
    let line = (0, 2 * BLOCK, BLOCK, 1);
    let board = Board::new();
    let nor = board.nor(8, BLOCK as usize);
    preload(&nor, 0, 2 * BLOCK, Layout::Single, 0, b"here");
    assert_eq!(value(&mut open(&nor, &[line])), "here");
    refused(&nor, &[line], &["1 sectors of 0x1000", "0x2000"]);
}

#[test]
fn a_nor_sector_that_is_configured_larger_is_erased_in_the_chips_own() {
    let board = Board::new();
    let nor = board.nor(8, 1024);
    preload(&nor, 0, 512, Layout::Redundant, 1, b"old");
    let lines = [(0, 512, 4096, 0), (4096, 512, 4096, 0)];
    let mut store = open(&nor, &lines);
    nor.clear_counters();
    set(&mut store).unwrap();
    assert_eq!(nor.counters().erases, [0, 0, 0, 0, 1, 0, 0, 0]);
    assert_eq!(value(&mut open(&nor, &lines)), "changed");
}

#[test]
fn columns_of_sectors_mean_nothing_where_there_are_none() {
    for (line, odd) in [
        ((0x583, 0x1217, 4, 0), true),
        ((0x400, 0x1000, 0x200, 0x256), true),
        ((0x4000, 0x1000, 0x1000, 1), false),
        ((0x4000, 0x1000, 0, 0), false),
        ((0x4000, 0x4000, 0x1000, 1), true),
    ] {
        for medium in [|board: &Board| board.block(0x10000), |board: &Board| board.file(vec![0; 0x10000])] {
            let board = Board::new();
            let medium = medium(&board);
            preload(&medium, line.0, line.1, Layout::Single, 0, b"here");
            let before = medium.image();
            let mut store = open(&medium, &[line]);
            assert_eq!(value(&mut store), "here");
            let remarks: Vec<_> = store.remarks().map(|(_, remark)| remark.to_string()).collect();
            assert_eq!(remarks.len(), usize::from(odd), "{line:x?} {remarks:?}");
            assert!(
                remarks.iter().all(|remark| remark.contains("column") && remark.contains("passed over")),
                "{remarks:?}"
            );
            set(&mut store).unwrap();
            assert_eq!(store.check().remarks.len(), usize::from(odd));
            assert_eq!(value(&mut open(&medium, &[line])), "changed");
            let (start, end) = (line.0 as usize, (line.0 + line.1) as usize);
            let after = medium.image();
            assert_eq!(after[..start], before[..start]);
            assert_eq!(after[end..], before[end..]);
        }
    }
}

#[test]
fn nor_that_has_nothing_to_erase_is_written_in_place_with_its_own_flags() {
    let board = Board::new();
    let medium = board.pretended_nor(0x4000);
    let lines = [(0x100, 0x1000, 0, 0), (0x2100, 0x1000, 0, 0)];
    preload(&medium, 0x100, 0x1000, Layout::Redundant, 1, b"v0");
    preload(&medium, 0x2100, 0x1000, Layout::Redundant, 0, b"older");
    let flags = |medium: &SimMedium| [medium.image()[0x104], medium.image()[0x2104]];
    let store = |medium: &SimMedium, new: &str| -> Result<Commit, Error> {
        let mut store = open(medium, &lines);
        let mut change = store.begin()?;
        change.set(b"value", new.as_bytes())?;
        change.commit()
    };
    for round in 0..4 {
        let (old, new) = (format!("v{round}"), format!("v{}", round + 1));
        // The program ends at any operation, and the memory stays.
        board.clear_log();
        let mut cuts = 0;
        for op in 0.. {
            let moments = [Moment::Before, Moment::After].into_iter();
            let torn =
                (0..5).map(|byte| Moment::Inside(bootslot::storage::sim::Torn { byte: byte * 200, tail: 1 }));
            let mut done = false;
            for moment in moments.chain(torn) {
                let run = board.fork();
                let target = medium.on(&run);
                run.cut(Cut { op, moment });
                let result = store(&target, &new);
                if run.is_on() {
                    result.unwrap();
                    done = true;
                    break;
                }
                run.restore(0);
                let read = value(&mut open(&target, &lines));
                assert!(read == old || read == new, "cut at {op} {moment:?}: {read}");
                assert_ne!(flags(&target), [1, 1], "cut at {op} {moment:?}");
                store(&target, "next").unwrap();
                assert_eq!(value(&mut open(&target, &lines)), "next");
                cuts += 1;
            }
            if done {
                break;
            }
        }
        assert!(cuts > 10, "{cuts}");
        store(&medium, &new).unwrap();
        assert_eq!(value(&mut open(&medium, &lines)), new);
        assert_eq!(flags(&medium), if round % 2 == 0 { [0, 1] } else { [1, 0] });
    }
    assert!(medium.image()[0x1100..0x2100].iter().all(|&byte| byte == 0xff));
}
