//! Mixtures of old and new bytes with a right checksum: they can't be told apart when they are read, so
//! the store must not let them arise. Here they are made on purpose.

#![cfg(feature = "sim")]

mod support;

use bootslot::env::Environment;
use bootslot::lock::LockPath;
use bootslot::storage::sim::{Board, Cut, Moment, SimMedium};
use bootslot::storage::EnvCopy;
use bootslot::store::{Store, StoreOptions};
use support::copy_on;

const SIZE: usize = 2048;

fn copies(medium: &SimMedium, offset: u64) -> Vec<Box<dyn EnvCopy>> {
    vec![copy_on(medium, offset, SIZE), copy_on(medium, offset + 4096, SIZE)]
}

fn open(medium: &SimMedium, offset: u64) -> Store {
    let options = StoreOptions { lock: Some(LockPath::None), ..StoreOptions::default() };
    Store::from_copies(copies(medium, offset), options).unwrap()
}

fn set(store: &mut Store, value: &[u8]) -> bootslot::Result<()> {
    let mut change = store.begin_or_init(Environment::new())?;
    // Of fixed length and far behind the header, so that header and value lie in different sectors.
    change.set(b"fill", &[b'f'; 1200])?;
    change.set(b"value", value)?;
    change.commit().map(drop)
}

fn crc(value: &[u8]) -> u32 {
    let mut data = vec![0; SIZE - 5];
    let text = [b"fill=", &[b'f'; 1200][..], b"\0value=", value].concat();
    data[..text.len()].copy_from_slice(&text);
    crc32fast::hash(&data)
}

/// Two different values of the same length that give the same checksum: a CRC is linear, so among more
/// than 32 single changes some combination cancels out.
fn twins() -> (Vec<u8>, Vec<u8>) {
    let base = vec![b'a'; 40];
    let mut rows: Vec<(u32, u64)> = Vec::new();
    for i in 0..40 {
        let mut changed = base.clone();
        changed[i] = b'c';
        let (mut effect, mut which) = (crc(&changed) ^ crc(&base), 1_u64 << i);
        for &(row, combination) in &rows {
            if effect & (1 << row.ilog2()) != 0 {
                effect ^= row;
                which ^= combination;
            }
        }
        if effect == 0 {
            let twin = (0..40).map(|i| if which >> i & 1 == 1 { b'c' } else { b'a' }).collect();
            return (base, twin);
        }
        rows.push((effect, which));
        rows.sort_by_key(|row| std::cmp::Reverse(row.0));
    }
    unreachable!("40 vectors of 32 bits depend on each other");
}

/// Cuts the store of `new` over a standby that holds `standby` at every operation, and looks what is read.
fn judge(
    make: impl Fn(&Board) -> SimMedium,
    offset: u64,
    standby: &[u8],
    current: &[u8],
    new: &[u8],
) -> usize {
    let board = Board::new();
    let medium = make(&board);
    let mut store = open(&medium, offset);
    set(&mut store, standby).unwrap();
    set(&mut store, current).unwrap();
    board.clear_log();
    let mut states = 0;
    for op in 0.. {
        for moment in [Moment::Before, Moment::After] {
            let run = board.fork();
            let target = medium.on(&run);
            run.cut(Cut { op, moment });
            let result = set(&mut open(&target, offset), new);
            if run.is_on() {
                result.unwrap();
                assert!(states > 2);
                return states;
            }
            for choice in 0..run.choices() {
                let after = run.fork();
                after.restore(choice);
                let medium = medium.on(&after);
                let read = open(&medium, offset).load().unwrap().get(b"value").unwrap().to_vec();
                assert!(
                    read == current || read == new,
                    "cut at {op} {moment:?}, choice {choice}: read what the standby held before"
                );
                states += 1;
                set(&mut open(&medium, offset), b"next").unwrap();
                assert_eq!(open(&medium, offset).load().unwrap().get(b"value"), Some(&b"next"[..]));
            }
        }
    }
    unreachable!()
}

#[test]
fn the_twins_are_twins() {
    let (a, b) = twins();
    assert!(a != b && a.len() == b.len());
    assert_eq!(crc(&a), crc(&b));
}

#[test]
fn a_standby_with_the_same_checksum_never_comes_back() {
    let (old, new) = twins();
    let current = vec![b'x'; 40];
    judge(|board| board.block(16384), 0, &old, &current, &new);
    judge(|board| board.file(vec![0; 16384]), 0, &old, &current, &new);
    judge(|board| board.nor(16, 512), 0, &old, &current, &new);
    judge(|board| board.nand(16, 4, 128), 0, &old, &current, &new);
    judge(|board| board.ram(16, 512), 0, &old, &current, &new);
}

#[test]
fn a_header_that_straddles_two_sectors_never_brings_the_standby_back() {
    for offset in 506..512 {
        let equal = vec![b'o'; 40];
        judge(|board| board.block(16384), offset, &equal, &[b'x'; 40], &equal);
        judge(|board| board.block(16384), offset, &[b'o'; 40], &[b'x'; 40], &[b'n'; 40]);
    }
}
