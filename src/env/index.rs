//! Pure: Finds the record of a name in constant time, without keeping names of its own.
//!
//! A hash table of places in the list of records, with linear probing. The names stay in the records;
//! the caller tells which one is at a place. Nothing is ever taken out: a removed record keeps its name.

use std::hash::{BuildHasher, Hasher, RandomState};

/// An empty slot.
const NONE: usize = usize::MAX;

/// The places of records by their names.
#[derive(Debug, Clone, Default)]
pub(super) struct Index {
    /// Places, or [`NONE`]. A power of two in number, and never more than three quarters in use.
    slots: Vec<usize>,
    used: usize,
    /// Seeded: names that all fall into one slot can't be prepared.
    state: RandomState,
}

impl Index {
    /// An index that takes `names` names before it has to grow.
    pub fn with_capacity(names: usize) -> Self {
        let mut index = Index::default();
        index.slots.resize((names + names / 2).next_power_of_two().max(8), NONE);
        index
    }

    /// The place of a name. `name_at` tells the name of the record at a place.
    pub fn find<'n>(&self, name: &[u8], name_at: impl Fn(usize) -> &'n [u8]) -> Option<usize> {
        let (_, place) = self.probe(name, |place| name_at(place) == name)?;
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
            self.grow(&name_at);
        }
        let (slot, before) = self.probe(name, |place| name_at(place) == name)?;
        self.fill(slot, place);
        self.used += usize::from(before.is_none());
        before
    }

    /// The slot of a name, and the place in it; the slot where it would go, if there is none.
    fn probe(&self, name: &[u8], is_it: impl Fn(usize) -> bool) -> Option<(usize, Option<usize>)> {
        let mask = self.slots.len().checked_sub(1)?;
        let mut slot = self.hash(name) & mask;
        loop {
            match *self.slots.get(slot)? {
                NONE => return Some((slot, None)),
                place if is_it(place) => return Some((slot, Some(place))),
                _ => slot = (slot + 1) & mask,
            }
        }
    }

    fn fill(&mut self, slot: usize, place: usize) {
        if let Some(slot) = self.slots.get_mut(slot) {
            *slot = place;
        }
    }

    fn grow<'n>(&mut self, name_at: impl Fn(usize) -> &'n [u8]) {
        let size = (self.slots.len() * 2).max(8);
        let places = std::mem::replace(&mut self.slots, vec![NONE; size]);
        for place in places.into_iter().filter(|&place| place != NONE) {
            // No name is in the table twice.
            if let Some((slot, _)) = self.probe(name_at(place), |_| false) {
                self.fill(slot, place);
            }
        }
    }

    fn hash(&self, name: &[u8]) -> usize {
        let mut hasher = self.state.build_hasher();
        hasher.write(name);
        // Slots are counted by the low bits; the cut on 32-bit machines does not matter.
        hasher.finish() as usize
    }
}
