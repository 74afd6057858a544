//! Pure: Finds the record of a name in constant time, without keeping names of its own.
//!
//! A hash table of places in the list of records, with linear probing. The names stay in the records;
//! the caller tells which one is at a place. Nothing is ever taken out: a removed record keeps its name.

use std::hash::{BuildHasher, RandomState};

/// The places of records by their names.
#[derive(Debug, Clone)]
pub(super) struct Index {
    /// A power of two in number, and never more than three quarters in use.
    slots: Vec<Slot>,
    used: usize,
    /// Names that all fall into one slot can't be prepared.
    seeds: [u64; 2],
}

/// The place of a record, and the hash of its name: most other names are told from it by that alone.
#[derive(Debug, Clone, Copy)]
struct Slot {
    hash: u32,
    /// [`NONE`] in an empty slot.
    place: u32,
}

/// No environment has so many records: the size of a copy is a number of 32 bits in U-Boot.
const NONE: u32 = u32::MAX;

const EMPTY: Slot = Slot { hash: 0, place: NONE };

impl Default for Index {
    fn default() -> Self {
        let random = RandomState::new();
        Index { slots: Vec::new(), used: 0, seeds: [0_u8, 1].map(|number| random.hash_one(number)) }
    }
}

impl Index {
    /// The place of a name. `name_at` tells the name of the record at a place.
    pub fn find<'n>(&self, name: &[u8], name_at: impl Fn(usize) -> &'n [u8]) -> Option<usize> {
        let (_, place) = self.probe(self.hash(name), |place| name_at(place) == name)?;
        place
    }

    /// Puts a name at a place; returns the place that it had before.
    pub fn insert<'n>(
        &mut self,
        name: &[u8],
        place: usize,
        name_at: impl Fn(usize) -> &'n [u8],
    ) -> Option<usize> {
        if (self.used + 1) * 4 > self.slots.len() * 3 {
            self.grow();
        }
        let hash = self.hash(name);
        let (slot, before) = self.probe(hash, |place| name_at(place) == name)?;
        self.fill(slot, Slot { hash, place: u32::try_from(place).unwrap_or(NONE) });
        self.used += usize::from(before.is_none());
        before
    }

    /// The slot of a name, and the place in it; the slot where it would go, if there is none.
    fn probe(&self, hash: u32, is_it: impl Fn(usize) -> bool) -> Option<(usize, Option<usize>)> {
        let mask = self.slots.len().checked_sub(1)?;
        let mut slot = hash as usize & mask;
        loop {
            let found = self.slots.get(slot)?;
            let place = found.place as usize;
            if found.place == NONE {
                return Some((slot, None));
            } else if found.hash == hash && is_it(place) {
                return Some((slot, Some(place)));
            }
            slot = (slot + 1) & mask;
        }
    }

    fn fill(&mut self, slot: usize, filled: Slot) {
        if let Some(slot) = self.slots.get_mut(slot) {
            *slot = filled;
        }
    }

    fn grow(&mut self) {
        let size = (self.slots.len() * 2).max(8);
        let slots = std::mem::replace(&mut self.slots, vec![EMPTY; size]);
        for filled in slots.into_iter().filter(|slot| slot.place != NONE) {
            // No name is in the table twice.
            if let Some((slot, _)) = self.probe(filled.hash, |_| false) {
                self.fill(slot, filled);
            }
        }
    }

    /// Eight bytes at a time, by a multiplication whose upper half is folded onto the lower one. Without the seeds nobody
    /// can tell which names meet.
    fn hash(&self, name: &[u8]) -> u32 {
        let [start, factor] = self.seeds;
        let fold = |hash: u64, word: u64| {
            let product = u128::from(hash ^ word) * u128::from(factor | 1);
            (product as u64) ^ (product >> 64) as u64
        };
        let mut words = name.chunks_exact(8);
        let mut hash = start ^ name.len() as u64;
        for word in words.by_ref() {
            hash = fold(hash, word.try_into().map_or(0, u64::from_le_bytes));
        }
        let rest = words.remainder().iter().fold(0, |rest, &byte| rest << 8 | u64::from(byte));
        let hash = fold(fold(hash, rest), start);
        // Slots are counted by the low bits.
        (hash >> 32) as u32
    }
}
