//! Pure: what two images have in common, by their tables.

use std::collections::HashSet;

use super::bundle::table::{Digest, Kind, Table};

/// What of a new image is in an old one, in bytes of the new image.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Common {
    /// Zeros: they are in no bundle.
    pub zeros: u64,
    /// Chunks that are in the old image too, or of a patch, are copied from there.
    pub shared: u64,
    /// All others.
    pub new: u64,
    /// What those are in the new image's bundle: so much is fetched by a device that runs the old image.
    pub fetched: u64,
}

impl Common {
    /// Compares the hashes of the chunks. Images that were cut at different sizes seem to have nothing in common.
    pub fn of(old: &Table, new: &Table) -> Common {
        let entries = old.entries().filter(|entry| entry.kind != Kind::Zeros);
        let known: HashSet<Digest> = entries.map(|entry| old.digest(entry.number)).collect();
        let mut common = Common::default();
        for entry in new.entries() {
            match entry.kind {
                Kind::Zeros => common.zeros += entry.len,
                Kind::Copy => common.shared += entry.len,
                _ if known.contains(&new.digest(entry.number)) => common.shared += entry.len,
                _ => {
                    common.new += entry.len;
                    common.fetched += entry.stored;
                }
            }
        }
        common
    }
}
