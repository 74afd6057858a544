//! Each rule of the hardware: what it does, what a cut leaves, and that breaking the rule is caught.

use std::collections::BTreeSet;
use std::io;
use std::panic::{catch_unwind, AssertUnwindSafe};

use super::*;
use crate::storage::{Access, Medium, OpenMedium, ReplaceFile, Volume};

fn open(medium: &SimMedium) -> Box<dyn Medium> {
    medium.open(Access::Write).unwrap()
}

/// The text of the violation that `act` causes; fails when it causes none.
fn violation_of(act: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(act)).expect_err("a violation was not caught");
    let text = panic.downcast_ref::<String>().cloned().unwrap_or_default();
    assert!(text.starts_with("violation: "), "{text}");
    text
}

fn read(medium: &SimMedium, offset: u64, len: usize) -> Vec<u8> {
    let mut buf = vec![0; len];
    open(medium).read(offset, &mut buf).unwrap();
    buf
}

fn inside(op: usize, byte: u64, tail: u32) -> Cut {
    Cut { op, moment: Moment::Inside(Torn { byte, tail }) }
}

fn errno<T: std::fmt::Debug>(result: io::Result<T>) -> Option<i32> {
    result.unwrap_err().raw_os_error()
}

#[test]
fn nor_programming_clears_bits_and_never_sets_one() {
    let nor = Board::new().nor(2, 512);
    let mut medium = open(&nor);
    medium.program(3, &[0xf0, 0x55]).unwrap();
    medium.program(3, &[0x30]).unwrap();
    assert_eq!(read(&nor, 2, 4), [0xff, 0x30, 0x55, 0xff]);
    let text = violation_of(|| medium.program(4, &[0x57]).unwrap());
    assert!(text.contains("0x57 over 0x55 at 0x4"), "{text}");
    assert_eq!(read(&nor, 4, 1), [0x55], "a violation changes nothing");
}

#[test]
fn a_unit_of_nor_with_ecc_is_programmed_once() {
    let board = Board::new();
    let nor = board.nor_ecc(2, 512, 16);
    let mut medium = open(&nor);
    medium.program(32, &[0xf0; 32]).unwrap();
    violation_of(|| open(&nor).program(32, &[0; 16]).unwrap());
    violation_of(|| open(&nor).program(8, &[0; 16]).unwrap());
    violation_of(|| open(&nor).program(64, &[0; 8]).unwrap());
    // Also with what it reads: the ECC of 0xff was programmed.
    medium.program(64, &[0xff; 16]).unwrap();
    violation_of(|| open(&nor).program(64, &[0; 16]).unwrap());
    medium.erase(0).unwrap();
    medium.program(32, &[0; 48]).unwrap();
    // The factory's fill is erased flash; a cut program may have changed nothing.
    nor.preload(512, &[[1; 16], [0xff; 16]].concat());
    violation_of(|| open(&nor).program(512, &[0; 16]).unwrap());
    for (byte, tail, again) in [(0, 0, true), (3, 0, false)] {
        let board = board.fork();
        let nor = nor.on(&board);
        board.clear_log();
        board.cut(Cut { op: 0, moment: Moment::Inside(Torn { byte, tail }) });
        open(&nor).program(528, &[0; 16]).unwrap_err();
        board.restore(0);
        if again {
            open(&nor).program(528, &[0; 16]).unwrap();
        } else {
            violation_of(|| open(&nor).program(528, &[0; 16]).unwrap());
        }
    }
}

#[test]
fn nor_erases_one_whole_sector() {
    let nor = Board::new().nor(3, 512);
    nor.preload(0, &[0; 1536]);
    open(&nor).erase(512).unwrap();
    assert_eq!(nor.image(), [vec![0; 512], vec![0xff; 512], vec![0; 512]].concat());
    assert_eq!(nor.counters().erases, [0, 1, 0]);
    violation_of(|| open(&nor).erase(100).unwrap());
    violation_of(|| open(&nor).erase(1536).unwrap());
    violation_of(|| open(&nor).program(1535, &[0, 0]).unwrap());
}

#[test]
fn a_locked_nor_sector_refuses_with_erofs_until_it_is_unlocked() {
    let board = Board::new();
    let nor = board.nor(2, 512);
    nor.lock_all(true);
    let mut medium = open(&nor);
    assert_eq!(errno(medium.program(0, &[0])), Some(libc::EROFS));
    assert_eq!(errno(medium.erase(512)), Some(libc::EROFS));
    assert!(medium.unlock(0).unwrap());
    assert!(!medium.unlock(0).unwrap());
    // A program that runs into a locked sector stops there.
    assert_eq!(errno(medium.program(511, &[1, 2])), Some(libc::EROFS));
    assert_eq!(nor.image()[511..513], [1, 0xff]);
    board.cut_now();
    board.restore(0);
    assert_eq!(nor.locked(), [true, true], "this chip locks itself at power-up");
}

#[test]
fn a_cut_nor_program_leaves_a_prefix_a_torn_byte_and_the_rest() {
    let mut seen = BTreeSet::new();
    for tail in 0..64 {
        let board = Board::new();
        let nor = board.nor(1, 512);
        board.cut(inside(0, 2, tail));
        assert!(PowerOff::is(&open(&nor).program(0, &[0; 5]).unwrap_err()));
        assert!(!board.is_on());
        let image = nor.image();
        assert_eq!((&image[..2], &image[3..5]), (&[0, 0][..], &[0xff, 0xff][..]));
        seen.insert(image[2]);
    }
    assert!(seen.contains(&0xff) && seen.len() > 40, "the torn byte takes many values: {seen:?}");
}

#[test]
fn a_cut_nor_write_buffer_leaves_only_bits_unprogrammed() {
    for tail in 64..128 {
        let board = Board::new();
        let nor = board.nor(1, 1024);
        board.cut(inside(0, 300, tail));
        open(&nor).program(0, &[0x0f; 1024]).unwrap_err();
        let image = nor.image();
        assert!(image[..256].iter().all(|&b| b == 0x0f), "buffers before are done");
        assert!(image[256..512].iter().all(|&b| b & 0x0f == 0x0f));
        assert!(image[512..].iter().all(|&b| b == 0xff), "buffers behind are untouched");
        if tail % 2 == 0 {
            assert!(image[256..300].iter().chain(&image[301..512]).all(|&b| b == 0x0f));
        }
    }
}

#[test]
fn a_cut_nor_erase_leaves_a_mixture_that_must_be_erased_again() {
    let mut images = BTreeSet::new();
    for tail in 0..9 {
        let board = Board::new();
        let nor = board.nor(2, 512);
        nor.preload(0, &[0x5a; 1024]);
        board.cut(inside(0, 100, tail));
        open(&nor).erase(0).unwrap_err();
        board.restore(0);
        let image = nor.image();
        assert_ne!(image[..512], [0x5a; 512], "tail {tail}");
        assert_eq!(image[512..], [0x5a; 512], "the other sector is untouched");
        images.insert(image);

        let text = violation_of(|| open(&nor).program(511, &[0x42]).unwrap());
        assert!(text.contains("erase was cut"), "{text}");
        open(&nor).program(0, &[0; 4]).unwrap();
        if tail == 6 {
            assert_ne!(read(&nor, 0, 512), read(&nor, 0, 512), "unstable cells");
        }
        open(&nor).erase(0).unwrap();
        open(&nor).program(511, &[0x5a]).unwrap();
        assert_eq!(read(&nor, 510, 2), [0xff, 0x5a]);
    }
    assert_eq!(images.len(), 9);
}

#[test]
fn nand_takes_whole_pages_once_and_in_rising_order() {
    let nand = Board::new().nand(2, 4, 512);
    assert_eq!(read(&nand, 0, 4096), [0xff; 4096], "erased pages read 0xff");
    let mut medium = open(&nand);
    assert!(violation_of(|| medium.program(0, &[0; 511]).unwrap()).contains("not whole pages"));
    assert!(violation_of(|| medium.program(1, &[0; 512]).unwrap()).contains("not whole pages"));
    medium.program(512, &[1; 1024]).unwrap();
    assert!(violation_of(|| medium.program(1024, &[0; 512]).unwrap()).contains("once, and in rising order"));
    assert!(violation_of(|| medium.program(0, &[0; 512]).unwrap()).contains("once, and in rising order"));
    medium.program(1536, &[2; 1024]).unwrap();
    medium.erase(0).unwrap();
    medium.program(0, &[3; 512]).unwrap();
    assert_eq!(nand.image()[..1024], [vec![3; 512], vec![0xff; 512]].concat());
    assert_eq!(nand.image()[2048..2560], [2; 512]);
}

#[test]
fn a_nand_block_marked_bad_may_not_be_touched() {
    let nand = Board::new().nand(3, 2, 512);
    nand.preload_bad(1024);
    let mut medium = open(&nand);
    assert!(!medium.is_bad(0).unwrap());
    assert!(medium.is_bad(1024).unwrap());
    assert!(violation_of(|| medium.erase(1024).unwrap()).contains("marked bad"));
    assert!(violation_of(|| medium.program(512, &[0; 1024]).unwrap()).contains("marked bad"));
    medium.mark_bad(2048).unwrap();
    assert!(medium.is_bad(2048).unwrap());
    violation_of(|| medium.is_bad(100).map(drop).unwrap());
}

#[test]
fn a_worn_nand_block_fails_for_good() {
    for op in [Op::Erase, Op::Program] {
        let board = Board::new();
        let nand = board.nand(2, 2, 512);
        board.fault(Fault { medium: None, op, skip: 1, times: 1, effect: Effect::WearOut });
        let mut medium = open(&nand);
        let mut cycle = |at| medium.erase(at).and_then(|()| medium.program(at, &[0; 512]));
        cycle(1024).unwrap();
        assert_eq!(errno(cycle(0)), Some(libc::EIO));
        assert_eq!(errno(cycle(0)), Some(libc::EIO));
        cycle(1024).unwrap();
    }
}

#[test]
fn a_cut_nand_program_spoils_one_page_until_the_next_erase() {
    let page_after = |tail| {
        let board = Board::new();
        let nand = board.nand(1, 4, 512);
        board.cut(inside(0, 600, tail));
        open(&nand).program(0, &[9; 1536]).unwrap_err();
        board.restore(0);
        assert_eq!(read(&nand, 0, 512), [9; 512]);
        assert_eq!(read(&nand, 1024, 512), [0xff; 512]);
        let text = violation_of(|| open(&nand).program(512, &[9; 512]).unwrap());
        assert!(text.contains("once"), "{text}");
        let mut page = vec![0; 512];
        open(&nand).read(512, &mut page).map(|()| page)
    };
    assert_eq!(page_after(0).unwrap(), [0xff; 512]);
    assert_eq!(errno(page_after(1)), Some(libc::EBADMSG));
    assert_eq!(page_after(2).unwrap(), [9; 512]);
    let garbage = page_after(3).unwrap();
    assert!(garbage != [0xff; 512] && garbage != [9; 512]);
}

#[test]
fn a_cut_nand_erase_must_be_repeated() {
    for tail in 0..4 {
        let board = Board::new();
        let nand = board.nand(2, 8, 512);
        nand.preload(0, &[7; 8192]);
        board.cut(inside(0, 0, tail));
        open(&nand).erase(0).unwrap_err();
        board.restore(0);
        let mut medium = open(&nand);
        assert_eq!(medium.read(0, &mut [0; 4096]).is_ok(), tail == 0 || tail == 3);
        let text = violation_of(|| medium.program(0, &[1; 512]).unwrap());
        assert!(text.contains(if tail == 0 { "once" } else { "erase was cut" }), "{text}");
        medium.erase(0).unwrap();
        medium.program(0, &[1; 512]).unwrap();
        assert_eq!(nand.image()[4096..], [7; 4096]);
    }
}

#[test]
fn a_cut_dataflash_write_spoils_the_whole_page() {
    let mut pages = BTreeSet::new();
    for tail in 0..4 {
        let board = Board::new();
        let flash = board.dataflash(3, 528);
        flash.preload(0, &[7; 1584]);
        board.cut(inside(0, 10, tail));
        open(&flash).program(530, &[1; 20]).unwrap_err();
        let image = flash.image();
        assert!(image[..528] == [7; 528] && image[1056..] == [7; 528]);
        pages.insert(image[528..1056].to_vec());
    }
    assert_eq!(pages.len(), 4);
    let flash = Board::new().dataflash(2, 512);
    open(&flash).program(5, &[0]).unwrap();
    open(&flash).program(5, &[0x55]).unwrap();
    assert_eq!(flash.image()[5], 0x55, "DataFlash needs no erase");
}

#[test]
fn ram_changes_byte_by_byte() {
    let board = Board::new();
    let ram = board.ram(2, 512);
    board.cut(inside(1, 3, 0));
    let mut medium = open(&ram);
    medium.program(0, &[1; 6]).unwrap();
    medium.program(0, &[2; 6]).unwrap_err();
    assert_eq!(ram.image()[..7], [2, 2, 2, 1, 1, 1, 0xff]);
    board.restore(0);
    open(&ram).erase(0).unwrap();
    assert_eq!(ram.image(), [0xff; 1024]);
}

/// All states in which a device can be found after a cut.
fn found(board: &Board, medium: &SimMedium) -> BTreeSet<Vec<u8>> {
    board.cut_now();
    let look = |choice| {
        let board = board.fork();
        board.restore(choice);
        medium.on(&board).image()
    };
    (0..board.choices()).map(look).collect()
}

#[test]
fn unsynced_sectors_are_lost_or_kept_each_for_itself() {
    let board = Board::new();
    let card = board.block(4096);
    let mut medium = open(&card);
    medium.program(0, &[1; 1024]).unwrap();
    medium.program(512, &[2; 512]).unwrap();
    assert_eq!(read(&card, 0, 1024), [vec![1; 512], vec![2; 512]].concat(), "the cache shows the newest");
    // Sector 0: old or 1; sector 1: old, 1 or 2.
    assert_eq!(board.choices(), 6);
    let states = found(&board.fork(), &card.on(&board.fork()));
    assert_eq!(states.len(), 6);
    assert!(states.contains(&[vec![0; 512], vec![2; 512], vec![0; 3072]].concat()), "reordered");
    medium.sync().unwrap();
    assert_eq!(board.choices(), 1);
    board.cut_now();
    board.restore(0);
    assert_eq!(card.image()[..1024], [vec![1; 512], vec![2; 512]].concat());
}

#[test]
fn a_cut_write_keeps_sectors_whole() {
    for (byte, sectors) in [(0, 0), (99, 0), (100, 1), (611, 1), (612, 2), (699, 2), (700, 3)] {
        let board = Board::new();
        let card = board.block(2048);
        board.cut(inside(0, byte, 0));
        open(&card).program(412, &[1; 700]).unwrap_err();
        board.restore(board.choices() - 1);
        let end = [412, 512, 1024, 1112][sectors];
        assert!(card.image()[412..end].iter().all(|&b| b == 1), "byte {byte}");
        assert!(card.image()[end..].iter().all(|&b| b == 0), "byte {byte}");
    }
}

#[test]
fn a_device_that_lies_is_found_by_reading_past_the_cache() {
    for op in [Op::Program, Op::Sync] {
        let board = Board::new();
        let card = board.block(1024);
        board.fault(Fault { medium: None, op, skip: 0, times: 1, effect: Effect::Lie(None) });
        let mut medium = open(&card);
        medium.program(0, &[1; 512]).unwrap();
        medium.sync().unwrap();
        assert_eq!(read(&card, 0, 512), [1; 512], "the cache still shows it");
        medium.drop_cache(0, 512).unwrap();
        assert_eq!(read(&card, 0, 512), [0; 512]);
    }
}

#[test]
fn a_failed_sync_has_dropped_what_it_could_not_write() {
    let board = Board::new();
    let card = board.block(1024);
    let effect = Effect::Fail(libc::EIO, Some(Torn { byte: 0, tail: 0b10 }));
    board.fault(Fault { medium: None, op: Op::Sync, skip: 0, times: 1, effect });
    let mut medium = open(&card);
    medium.program(0, &[1; 1024]).unwrap();
    assert_eq!(errno(medium.sync()), Some(libc::EIO));
    medium.sync().unwrap();
    medium.drop_cache(0, 1024).unwrap();
    assert_eq!(read(&card, 0, 1024), [vec![0; 512], vec![1; 512]].concat());
}

#[test]
fn dirty_sectors_can_not_be_dropped() {
    let board = Board::new();
    let card = board.block(512);
    open(&card).program(0, &[1; 512]).unwrap();
    open(&card).drop_cache(0, 512).unwrap();
    assert_eq!(read(&card, 0, 512), [1; 512]);
    violation_of(|| open(&card).program(500, &[0; 13]).unwrap());
    assert_eq!(
        open(&card).read(500, &mut [0; 13]).unwrap_err().kind(),
        io::ErrorKind::UnexpectedEof,
        "past the end"
    );
}

#[test]
fn a_cut_ubi_update_leaves_the_volume_unreadable_until_the_next_one() {
    let board = Board::new();
    let mut volume = board.ubi(2048);
    volume.update(&[1; 1000]).unwrap();
    let mut buf = [0; 1000];
    volume.read(&mut buf).unwrap();
    assert_eq!(buf, [1; 1000]);
    let behind = volume.read(&mut [0; 1001]).unwrap_err();
    assert_eq!(behind.kind(), io::ErrorKind::UnexpectedEof, "a static volume ends where its update ended");
    for moment in [Moment::Before, Moment::Inside(Torn { byte: 1000, tail: 0 }), Moment::After] {
        let board = board.fork();
        let mut volume = volume.on(&board);
        board.cut(Cut { op: 1, moment });
        volume.update(&[2; 1000]).unwrap_err();
        board.restore(0);
        match moment {
            Moment::Before => assert_eq!(volume.image().unwrap()[..1000], [1; 1000]),
            Moment::After => assert_eq!(volume.image().unwrap()[..1000], [2; 1000]),
            Moment::Inside(_) => {
                assert_eq!(volume.image(), None);
                assert_eq!(errno(volume.read(&mut buf)), Some(libc::EBADF));
                volume.update(&[3; 1000]).unwrap();
                volume.read(&mut buf).unwrap();
                assert_eq!(buf[0], 3);
            }
        }
    }
    assert_eq!(errno(volume.update(&[0; 2049])), Some(libc::EINVAL));
    assert_eq!((volume.atomic_size(), errno(volume.change(&[0; 8]))), (0, Some(libc::EROFS)));
}

#[test]
fn a_leb_changes_at_once_or_not_at_all() {
    let board = Board::new();
    let mut volume = board.ubi_dynamic(2, 1024);
    assert_eq!((volume.capacity(), volume.atomic_size()), (2048, 1024));
    volume.update(&[1; 2048]).unwrap();
    let torn = Moment::Inside(Torn { byte: 500, tail: 0 });
    for (moment, byte) in [(Moment::Before, 1), (torn, 1), (Moment::After, 2)] {
        let board = board.fork();
        let mut volume = volume.on(&board);
        board.cut(Cut { op: 1, moment });
        volume.change(&[2; 1000]).unwrap_err();
        board.restore(0);
        let image = volume.image().unwrap();
        assert_eq!(image[..1000], [byte; 1000]);
        assert_eq!(image[1000..1024], [if byte == 2 { 0xff } else { 1 }; 24]);
        assert_eq!(image[1024..], [1; 1024], "the other LEB");
    }
    assert_eq!(errno(volume.change(&[0; 1025])), Some(libc::EINVAL));
    // The marker of an update that was cut stays.
    volume.preload(None);
    volume.change(&[3; 1024]).unwrap();
    assert_eq!(errno(volume.read(&mut [0; 4])), Some(libc::EBADF));
    volume.update(&[3; 1024]).unwrap();
    volume.read(&mut [0; 4]).unwrap();
}

#[test]
fn a_file_renamed_before_its_data_is_synced_can_be_anything() {
    let board = Board::new();
    let mut file = board.file(vec![1; 600]);
    file.write_temp(0, &[2; 600]).unwrap();
    assert_eq!(found(&board.fork(), &file.on(&board.fork())), [vec![1; 600]].into());
    file.rename().unwrap();
    assert_eq!(read(&file, 0, 600), [2; 600]);
    let states = {
        let fork = board.fork();
        found(&fork, &file.on(&fork))
    };
    for state in [vec![1; 600], vec![2; 600], vec![], vec![2; 300], vec![0; 600]] {
        assert!(states.contains(&state), "{:?}", state.first());
    }
    assert_eq!(states.len(), 6);
    file.sync_rename().unwrap();
    let fork = board.fork();
    assert!(!found(&fork, &file.on(&fork)).contains(&vec![1; 600]), "the rename is durable, the data is not");
}

#[test]
fn a_synced_file_is_old_or_new_until_the_directory_is_synced() {
    let board = Board::new();
    let mut file = board.file(vec![1; 600]);
    file.write_temp(100, &[2; 500]).unwrap();
    assert_eq!(file.leftovers(), 1);
    file.sync_temp().unwrap();
    assert_eq!(file.verify_temp(100, &[2; 500]).unwrap(), None);
    assert_eq!(file.verify_temp(99, &[2; 500]).unwrap(), Some(99));
    let new = [vec![1; 100], vec![2; 500]].concat();
    file.rename().unwrap();
    assert_eq!(file.leftovers(), 0);
    {
        let fork = board.fork();
        assert_eq!(found(&fork, &file.on(&fork)), [vec![1; 600], new.clone()].into());
    }
    file.sync_rename().unwrap();
    assert_eq!(found(&board, &file), [new].into());
}

#[test]
fn a_lying_temporary_file_is_found_by_reading_it_back() {
    for op in [Op::WriteTemp, Op::SyncTemp] {
        let board = Board::new();
        let mut file = board.file(vec![1; 600]);
        board.fault(Fault { medium: None, op, skip: 0, times: 1, effect: Effect::Lie(None) });
        file.write_temp(0, &[2; 600]).unwrap();
        file.sync_temp().unwrap();
        assert!(file.verify_temp(0, &[2; 600]).unwrap().is_some());
        file.give_up();
        assert_eq!(file.leftovers(), 0);
    }
}

#[test]
fn a_cut_happens_before_or_after_an_operation_and_then_nothing_works() {
    for (moment, byte) in [(Moment::Before, 0xff), (Moment::After, 7)] {
        let board = Board::new();
        let nor = board.nor(1, 512);
        let mut medium = open(&nor);
        board.cut(Cut { op: 1, moment });
        medium.program(0, &[7]).unwrap();
        medium.read(0, &mut [0]).unwrap();
        assert!(PowerOff::is(&medium.program(1, &[7]).unwrap_err()));
        assert_eq!(nor.image()[..2], [7, byte]);
        assert!(PowerOff::is(&medium.read(0, &mut [0]).unwrap_err()));
        assert!(PowerOff::is(&nor.open(Access::Read).map(drop).unwrap_err()));
        assert_eq!(board.log().len(), 2);
        board.restore(0);
        medium.program(2, &[7]).unwrap();
        assert_eq!(board.log(), [Entry { medium: 0, op: Op::Program, offset: 2, len: 1 }]);
    }
}

#[test]
fn counters_count() {
    let board = Board::new();
    let card = board.block(4096);
    let mut medium = open(&card);
    medium.program(0, &[0; 700]).unwrap();
    medium.sync().unwrap();
    medium.read(0, &mut [0; 30]).unwrap();
    let counters = card.counters();
    assert_eq!((counters.programs, counters.bytes_programmed, counters.syncs), (1, 700, 1));
    assert_eq!((counters.reads, counters.bytes_read), (1, 30));
    card.clear_counters();
    assert_eq!(card.counters(), Counters::default());
}

#[test]
fn a_medium_opened_for_reading_can_not_be_changed() {
    let nor = Board::new().nor(1, 512);
    let mut medium = nor.open(Access::Read).unwrap();
    violation_of(|| medium.program(0, &[0]).unwrap());
    violation_of(|| medium.erase(0).unwrap());
}
