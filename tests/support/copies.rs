//! The two copies of a redundant environment on each kind of simulated medium, for orders whose power is cut.

use bootslot::env::image::{encode, Layout};
use bootslot::env::Environment;
use bootslot::storage::sim::{Board, SimMedium, SimVolume};
use bootslot::storage::volume::VolumeCopy;
use bootslot::storage::EnvCopy;

use super::copy_on;

/// Bytes of one copy.
pub const SIZE: usize = 1024;

/// Where the two copies are.
#[derive(Clone)]
pub enum Copies {
    /// On one medium, at these offsets.
    Regions(SimMedium, [u64; 2]),
    Volumes([SimVolume; 2]),
}

impl Copies {
    /// A board for each kind of medium, and its copies. The first one has these variables, the second one is empty.
    pub fn all(variables: &Environment) -> impl Iterator<Item = (&'static str, Board, Copies)> {
        type Make = fn(&Board) -> Copies;
        let makes: [(&str, Make); 7] = [
            ("nor", |board| Copies::Regions(board.nor(4, 512), [0, 1024])),
            ("nand", |board| Copies::Regions(board.nand(4, 2, 512), [0, 2048])),
            ("dataflash", |board| Copies::Regions(board.dataflash(4, 528), [0, 1056])),
            ("ram", |board| Copies::Regions(board.ram(4, 512), [0, 1024])),
            ("block", |board| Copies::Regions(board.block(8192), [512, 4096])),
            ("ubi", |board| Copies::Volumes([board.ubi(SIZE), board.ubi(SIZE)])),
            ("file", |board| Copies::Regions(board.file(vec![0; 2 * SIZE]), [0, SIZE as u64])),
        ];
        let image = encode(variables, Layout::Redundant, SIZE, 1, 0).unwrap();
        makes.into_iter().map(move |(kind, make)| {
            let board = Board::new();
            let copies = make(&board);
            match &copies {
                Copies::Regions(medium, [first, _]) => medium.preload(*first as usize, &image),
                Copies::Volumes([first, _]) => first.preload(Some(&image)),
            }
            (kind, board, copies)
        })
    }

    /// The same on a fork of their board.
    pub fn on(&self, board: &Board) -> Copies {
        match self {
            Copies::Regions(medium, at) => Copies::Regions(medium.on(board), *at),
            Copies::Volumes([a, b]) => Copies::Volumes([a.on(board), b.on(board)]),
        }
    }

    /// For a store.
    pub fn open(&self) -> Vec<Box<dyn EnvCopy>> {
        let volume = |volume: SimVolume| -> Box<dyn EnvCopy> {
            Box::new(VolumeCopy::new(Box::new(volume), "/dev/ubi0:env", SIZE).unwrap())
        };
        match self {
            Copies::Regions(medium, at) => at.map(|offset| copy_on(medium, offset, SIZE)).into(),
            Copies::Volumes(volumes) => volumes.clone().map(volume).into(),
        }
    }
}
