//! The devices under test: media with copies of an environment and foreign bytes around them.

use std::ops::Range;

use bootslot::env::image::{encode, Layout};
use bootslot::env::Environment;
use bootslot::lock::LockPath;
use bootslot::storage::region::{RegionCopy, RegionSpec};
use bootslot::storage::replace::ReplaceCopy;
use bootslot::storage::sim::{mix, Board, SimMedium, SimVolume};
use bootslot::storage::volume::VolumeCopy;
use bootslot::storage::{EnvCopy, MediumKind, Volume};
use bootslot::store::{Store, StoreOptions};

use crate::workload::{Initial, Vars};

/// The kinds of media, as the tally and the replay id name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Nor,
    /// NOR with ECC, whose units can be programmed only once.
    EccNor,
    Nand,
    DataFlash,
    Ram,
    Block,
    Ubi,
    File,
}

pub const KINDS: [Kind; 8] =
    [Kind::Nor, Kind::Nand, Kind::DataFlash, Kind::Ram, Kind::Block, Kind::Ubi, Kind::File, Kind::EccNor];

/// The device with a single copy in a LEB that changes atomically.
pub const ATOMIC_VOLUME: (Kind, u32) = (Kind::Ubi, 5);

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Nor => "nor",
            Kind::EccNor => "eccnor",
            Kind::Nand => "nand",
            Kind::DataFlash => "dataflash",
            Kind::Ram => "ram",
            Kind::Block => "block",
            Kind::Ubi => "ubi",
            Kind::File => "file",
        }
    }

    /// Whether the flags say active and obsolete.
    pub fn is_boolean(self) -> bool {
        matches!(self, Kind::Nor | Kind::EccNor | Kind::DataFlash)
    }

    /// How many different devices of this kind there are.
    pub fn rigs(self) -> u32 {
        match self {
            Kind::Nor => 8,
            Kind::EccNor => 7,
            Kind::Nand => 6,
            Kind::DataFlash => 3,
            Kind::Ram => 3,
            Kind::Block => 7,
            Kind::Ubi => 7,
            Kind::File => 3,
        }
    }

    /// How many places for copies a device has.
    pub fn places(self, number: u32) -> usize {
        if self.is_single(number) || self == Kind::File && number < 2 {
            1
        } else {
            2
        }
    }

    /// Whether a device has a single copy that is not a replaced file: the last one of each kind but files, where
    /// a power cut may lose it, and one more on UBI.
    fn is_single(self, number: u32) -> bool {
        self != Kind::File && number + 1 == self.rigs() || (self, number) == ATOMIC_VOLUME
    }
}

/// Where one copy lies.
#[derive(Clone)]
pub enum Place {
    Region {
        medium: SimMedium,
        spec: RegionSpec,
    },
    Volume(SimVolume),
    /// A single copy in a regular file, which is replaced.
    Replaced {
        medium: SimMedium,
        spec: RegionSpec,
    },
}

impl Place {
    fn on(&self, board: &Board) -> Place {
        match self {
            Place::Region { medium, spec } => Place::Region { medium: medium.on(board), spec: *spec },
            Place::Replaced { medium, spec } => Place::Replaced { medium: medium.on(board), spec: *spec },
            Place::Volume(volume) => Place::Volume(volume.on(board)),
        }
    }
}

/// One device: a board, what lies where, and what must not change.
#[derive(Clone)]
pub struct Rig {
    pub board: Board,
    pub kind: Kind,
    pub size: usize,
    pub places: Vec<Place>,
    /// Bytes that belong to somebody else: medium and range.
    pub foreign: Vec<(SimMedium, Range<usize>)>,
}

/// The path that errors have to name.
pub const PATHS: [&str; 2] = ["/dev/env0", "/dev/env1"];

fn spec(offset: u64, size: u64, sectors: u64, limit: u64) -> RegionSpec {
    RegionSpec { offset, size, sector_size: 0, sectors, limit, disable_lock: false }
}

impl Rig {
    /// Device `number` of its kind, with an initial environment.
    pub fn new(kind: Kind, number: u32, initial: &Initial) -> Rig {
        let board = Board::new();
        let region = |medium: &SimMedium, spec| Place::Region { medium: medium.clone(), spec };
        let mut foreign = Vec::new();
        let (size, mut places) = match kind {
            Kind::Nor | Kind::EccNor => {
                let (size, sector, per_copy) = match number {
                    0 => (512, 512, 1),
                    1 => (1024, 512, 2),
                    2 => (700, 1024, 1),
                    3 => (1500, 1024, 2),
                    4 => (512, 4096, 1),
                    _ => (512, 512, 1),
                };
                let nor = || match kind {
                    Kind::EccNor => {
                        board.nor_ecc(2 + 2 * per_copy, sector, if number == 2 { 64 } else { 16 })
                    }
                    _ => board.nor(2 + 2 * per_copy, sector),
                };
                let first = nor();
                // Number 6: each copy on a chip of its own.
                let other = if number == 6 { nor() } else { first.clone() };
                let starts = [sector, (1 + per_copy) * sector];
                for (medium, start) in [&first, &other].into_iter().zip(starts) {
                    foreign.push((medium.clone(), 0..sector));
                    foreign.push((medium.clone(), start + size..start + per_copy * sector));
                    foreign.push((medium.clone(), (1 + 2 * per_copy) * sector..(2 + 2 * per_copy) * sector));
                }
                let spec = |at: usize| spec(at as u64, size as u64, per_copy as u64, u64::MAX);
                (size, vec![region(&first, spec(starts[0])), region(&other, spec(starts[1]))])
            }
            Kind::Nand => {
                // Size, pages of a block, blocks of a copy's range, and which blocks the factory marked bad.
                let (size, pages, blocks, bad): (usize, usize, usize, &[usize]) = match number {
                    0 => (512, 1, 1, &[]),
                    1 => (1024, 2, 3, &[]),
                    2 => (2048, 2, 4, &[1, 6]),
                    3 => (600, 4, 2, &[]),
                    _ => (1536, 2, 4, &[2, 5, 6]),
                };
                let block = pages * 512;
                let nand = board.nand(2 + 2 * blocks, pages, 512);
                for bad in bad {
                    nand.preload_bad((bad * block) as u64);
                }
                foreign.push((nand.clone(), 0..block));
                foreign.push((nand.clone(), (1 + 2 * blocks) * block..(2 + 2 * blocks) * block));
                let spec = |copy: usize| {
                    spec(((1 + copy * blocks) * block) as u64, size as u64, blocks as u64, u64::MAX)
                };
                (size, vec![region(&nand, spec(0)), region(&nand, spec(1))])
            }
            Kind::DataFlash => {
                let (size, page, per_copy) = if number == 0 { (528, 528, 1) } else { (1300, 528, 3) };
                let flash = board.dataflash(2 + 2 * per_copy, page);
                foreign.push((flash.clone(), 0..page));
                foreign.push((flash.clone(), (1 + 2 * per_copy) * page..(2 + 2 * per_copy) * page));
                let spec = |copy: usize| {
                    spec(((1 + copy * per_copy) * page) as u64, size as u64, per_copy as u64, u64::MAX)
                };
                (size, vec![region(&flash, spec(0)), region(&flash, spec(1))])
            }
            Kind::Ram => {
                let (size, sector) = if number == 0 { (512, 512) } else { (900, 1024) };
                let ram = board.ram(4, sector);
                foreign.push((ram.clone(), 0..sector));
                foreign.push((ram.clone(), 3 * sector..4 * sector));
                let spec = |copy: usize| spec(((1 + copy) * sector) as u64, size as u64, 1, u64::MAX);
                (size, vec![region(&ram, spec(0)), region(&ram, spec(1))])
            }
            Kind::Block => {
                let (size, starts) = match number {
                    0 => (512, [512, 1024]),
                    1 => (2048, [1024, 4096]),
                    2 => (1024, [100, 1500]),
                    // The header lies on both sides of a sector boundary.
                    3 => (1024, [509, 2044]),
                    4 => (512, [1024, 0]),
                    5 => (1024, [512, 512]),
                    _ => (1024, [700, 4096]),
                };
                let first = board.block(8192);
                let second = if number == 5 { board.block(8192) } else { first.clone() };
                let mut media = vec![(first.clone(), starts[0]), (second.clone(), starts[1])];
                media.sort_by_key(|(medium, start)| (medium.index(), *start));
                let mut from = (media[0].0.clone(), 0);
                for (medium, start) in &media {
                    if medium.index() != from.0.index() {
                        foreign.push((from.0.clone(), from.1..8192));
                        from = (medium.clone(), 0);
                    }
                    foreign.push((medium.clone(), from.1..*start));
                    from = (medium.clone(), start + size);
                }
                foreign.push((from.0.clone(), from.1..8192));
                let spec = |at: usize| spec(at as u64, size as u64, 0, u64::MAX);
                (size, vec![region(&first, spec(starts[0])), region(&second, spec(starts[1]))])
            }
            Kind::Ubi => {
                // Static volumes; LEBs that hold a copy just so, or with room; LEBs that do not hold it.
                let (size, lebs, leb_size) = match number {
                    0 => (512, 1, 512),
                    2 => (512, 1, 512),
                    3 | 5 => (700, 4, 1024),
                    4 => (1025, 4, 1024),
                    _ => (1024, 4, 1024),
                };
                let volume = || match number {
                    2..=5 => board.ubi_dynamic(lebs, leb_size),
                    _ => board.ubi(lebs * leb_size),
                };
                (size, [volume(), volume()].map(Place::Volume).to_vec())
            }
            Kind::File => {
                let (size, starts): (usize, &[usize]) = match number {
                    0 => (512, &[0]),
                    1 => (700, &[1100]),
                    _ => (700, &[300, 2000]),
                };
                let len = starts[starts.len() - 1] + size + if number == 0 { 0 } else { 300 };
                let file = board.file(vec![0; len]);
                let mut from = 0;
                for start in starts {
                    foreign.push((file.clone(), from..*start));
                    from = start + size;
                }
                foreign.push((file.clone(), from..len));
                let spec = |at: usize| spec(at as u64, size as u64, 0, u64::MAX);
                let places = match starts {
                    [one] => vec![Place::Replaced { medium: file.clone(), spec: spec(*one) }],
                    _ => starts.iter().map(|at| region(&file, spec(*at))).collect(),
                };
                (size, places)
            }
        };
        if kind.is_single(number) {
            places.truncate(1);
        }
        for (i, (medium, range)) in foreign.iter().enumerate() {
            let bytes: Vec<u8> = range.clone().map(|at| mix((i * 8192 + at) as u64) as u8).collect();
            medium.preload(range.start, &bytes);
        }
        let rig = Rig { board, kind, size, places, foreign };
        rig.preload(initial);
        if matches!(kind, Kind::Nor | Kind::EccNor) && number == 5 {
            rig.foreign[0].0.lock_all(true);
        }
        rig
    }

    pub fn layout(&self) -> Layout {
        if self.places.len() == 2 {
            Layout::Redundant
        } else {
            Layout::Single
        }
    }

    /// Whether a power cut can't lose the environment: two copies, or one in a file that is replaced or in a LEB that
    /// is changed.
    pub fn is_safe(&self) -> bool {
        match &self.places[..] {
            [Place::Replaced { .. }] => true,
            [Place::Volume(volume)] => self.size as u64 <= volume.atomic_size(),
            places => places.len() == 2,
        }
    }

    /// Bytes for variables, the final NUL included.
    pub fn capacity(&self) -> usize {
        let left = self.once_unit().map_or(0, |unit| self.size % unit + 2 * unit);
        self.size - self.layout().header() - left
    }

    pub fn is_boolean(&self) -> bool {
        self.kind.is_boolean()
    }

    /// Bytes that can be programmed only once, where two of their kind are left at the end of a copy.
    fn once_unit(&self) -> Option<usize> {
        match &self.places[..] {
            [Place::Region { medium, .. }, _] if self.kind == Kind::EccNor => {
                Some(medium.geometry().write_size as usize)
            }
            _ => None,
        }
    }

    /// The same device on a fork of its board.
    pub fn on(&self, board: Board) -> Rig {
        let places = self.places.iter().map(|place| place.on(&board)).collect();
        let foreign = self.foreign.iter().map(|(m, range)| (m.on(&board), range.clone())).collect();
        Rig { board, places, foreign, ..*self }
    }

    pub fn fork(&self) -> Rig {
        self.on(self.board.fork())
    }

    /// The store under test.
    pub fn store(&self) -> Store {
        let copies =
            self.places.iter().zip(PATHS).map(|(place, path)| copy(place, path, self.size)).collect();
        let options = StoreOptions { lock: Some(LockPath::None), ..StoreOptions::default() };
        Store::from_copies(copies, options).unwrap()
    }

    fn preload(&self, initial: &Initial) {
        for (i, content) in initial.copies.iter().enumerate().take(self.places.len()) {
            let mut image = match &content.vars {
                Some(vars) => {
                    let layout = if content.single { Layout::Single } else { self.layout() };
                    image(vars, layout, self.size, content.flags, content.fill)
                }
                None => (0..self.size).map(|at| mix(at as u64 ^ 77) as u8).collect(),
            };
            if content.blank {
                image.fill(0xff);
            }
            if content.bad_crc {
                // More than the garbage of a cut can put right by chance, and nothing that an erase does.
                let at = if content.fill == 0xff { 8 } else { self.size / 2 };
                for byte in &mut image[at..][..8] {
                    *byte ^= 0x10;
                }
            }
            self.preload_copy(i, &image, content.blank);
        }
    }

    /// Puts a copy on its medium; on NAND over the good blocks.
    fn preload_copy(&self, copy: usize, image: &[u8], blank: bool) {
        match &self.places[copy] {
            Place::Volume(volume) => volume.preload((!blank).then_some(image)),
            Place::Region { medium, spec } | Place::Replaced { medium, spec } => {
                let geometry = medium.geometry();
                let mut at = spec.offset as usize;
                if geometry.kind != MediumKind::Nand {
                    return medium.preload(at, image);
                }
                if blank {
                    return;
                }
                for part in image.chunks(geometry.erase_size as usize) {
                    while medium.is_marked_bad(at as u64) {
                        at += geometry.erase_size as usize;
                    }
                    medium.preload(at, part);
                    at += geometry.erase_size as usize;
                }
            }
        }
    }
}

fn copy(place: &Place, path: &str, size: usize) -> Box<dyn EnvCopy> {
    let region = |medium: &SimMedium, spec: &RegionSpec| {
        RegionCopy::new(Box::new(medium.clone()), path, medium.geometry(), *spec).unwrap()
    };
    match place {
        Place::Region { medium, spec } => Box::new(region(medium, spec)),
        Place::Replaced { medium, spec } => {
            Box::new(ReplaceCopy::new(region(medium, spec), Box::new(medium.clone())))
        }
        Place::Volume(volume) => Box::new(VolumeCopy::new(Box::new(volume.clone()), path, size).unwrap()),
    }
}

/// The bytes of a copy.
pub fn image(vars: &Vars, layout: Layout, size: usize, flags: u8, fill: u8) -> Vec<u8> {
    let env = Environment::from_records(vars.records().iter().map(Vec::as_slice));
    encode(&env, layout, size, flags, fill).unwrap()
}
