//! Block devices and regular files behind a page cache: what is not synced may be lost in any combination.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;

use super::power::{mix, Extent, Torn};
use super::{range_of, violation};
use crate::storage::{Geometry, MediumKind};

/// The unit that is on the medium whole or not at all.
const SECTOR: usize = 512;

/// A block device or a regular file.
///
/// A cut write reaches the cache up to the last whole sector before the cut. At a cut every sector that
/// was written since the last sync has, for itself, any of the contents that it had since then: which,
/// is the choice with which the power comes on again. Other than on flash, `tail` says nothing here,
/// except for an interrupted or failing sync: bit `n % 32` says whether dirty sector `n` was written.
#[derive(Debug, Clone)]
pub(super) struct Disk {
    kind: MediumKind,
    pages: Pages,
    temp: Option<Temp>,
    renamed: Option<Renamed>,
    leftovers: usize,
}

/// The temporary file that is to replace the file.
#[derive(Debug, Clone)]
struct Temp {
    content: Vec<u8>,
    /// What is on the medium for certain: `None` until it is synced.
    durable: Option<Vec<u8>>,
}

/// A rename that a cut may still undo, or whose new content a cut may still spoil.
#[derive(Debug, Clone)]
struct Renamed {
    /// The file before, until the directory is synced.
    old: Option<Pages>,
    /// The new content, until it is synced.
    unsynced: Option<Vec<u8>>,
}

/// States in which a file can be found that was renamed into place before its data was synced: empty,
/// the first half, zeros, garbage, or whole.
const UNSYNCED_CONTENTS: u64 = 5;

/// Bytes on a medium and the cache over them.
#[derive(Debug, Clone)]
struct Pages {
    durable: Vec<u8>,
    cache: BTreeMap<usize, Cached>,
}

/// One sector in the cache.
#[derive(Debug, Clone)]
struct Cached {
    now: [u8; SECTOR],
    /// Every content since the last sync that may already have been written back.
    versions: Vec<[u8; SECTOR]>,
}

impl Pages {
    fn new(durable: Vec<u8>) -> Self {
        Pages { durable, cache: BTreeMap::new() }
    }

    fn durable_sector(&self, sector: usize) -> [u8; SECTOR] {
        let mut bytes = [0; SECTOR];
        let start = sector * SECTOR;
        let end = self.durable.len().min(start + SECTOR);
        bytes[..end - start].copy_from_slice(&self.durable[start..end]);
        bytes
    }

    fn set_durable(&mut self, sector: usize, bytes: &[u8; SECTOR]) {
        let start = sector * SECTOR;
        let end = self.durable.len().min(start + SECTOR);
        self.durable[start..end].copy_from_slice(&bytes[..end - start]);
    }

    fn read(&self, range: Range<usize>, buf: &mut [u8]) {
        buf.copy_from_slice(&self.durable[range.clone()]);
        for (&sector, cached) in self.cache.range(range.start / SECTOR..range.end.div_ceil(SECTOR)) {
            let start = range.start.max(sector * SECTOR);
            let end = range.end.min((sector + 1) * SECTOR);
            buf[start - range.start..end - range.start]
                .copy_from_slice(&cached.now[start - sector * SECTOR..end - sector * SECTOR]);
        }
    }

    fn write(&mut self, range: Range<usize>, data: &[u8], extent: Extent) {
        if matches!(extent, Extent::Nothing | Extent::Wear) {
            return;
        }
        for sector in range.start / SECTOR..range.end.div_ceil(SECTOR) {
            let start = range.start.max(sector * SECTOR);
            let end = range.end.min((sector + 1) * SECTOR);
            if let Extent::Part(torn) = extent {
                if end - range.start > torn.byte as usize {
                    break;
                }
            }
            let old = self.durable_sector(sector);
            let cached = self.cache.entry(sector).or_insert(Cached { now: old, versions: Vec::new() });
            cached.now[start - sector * SECTOR..end - sector * SECTOR]
                .copy_from_slice(&data[start - range.start..end - range.start]);
            // A lie: the cache shows the new bytes, but they never reach the medium.
            if extent != Extent::Lie {
                cached.versions.push(cached.now);
            }
        }
    }

    fn sync(&mut self, extent: Extent) {
        let mut written = Vec::new();
        for (n, (&sector, cached)) in
            self.cache.iter_mut().filter(|(_, c)| !c.versions.is_empty()).enumerate()
        {
            let reached = match extent {
                Extent::Whole => true,
                Extent::Part(torn) => torn.tail >> (n % 32) & 1 == 1,
                Extent::Nothing | Extent::Lie | Extent::Wear => false,
            };
            if reached {
                written.push((sector, cached.now));
            }
            cached.versions.clear();
        }
        for (sector, bytes) in written {
            self.set_durable(sector, &bytes);
        }
    }

    fn drop_cache(&mut self, range: Range<usize>) {
        let sectors = range.start / SECTOR..range.end.div_ceil(SECTOR);
        // Dirty pages can't be dropped.
        self.cache.retain(|sector, cached| !sectors.contains(sector) || !cached.versions.is_empty());
    }

    fn choices(&self) -> u64 {
        self.cache.values().fold(1, |product, c| product.saturating_mul(c.versions.len() as u64 + 1))
    }

    fn power_up(&mut self, choice: u64) {
        let exact = self.choices() < u64::MAX;
        let mut rest = choice;
        for (sector, cached) in std::mem::take(&mut self.cache) {
            let states = cached.versions.len() as u64 + 1;
            let state = if exact { rest % states } else { mix(choice ^ (sector as u64) << 40) % states };
            rest /= states;
            if let Some(bytes) = state.checked_sub(1).and_then(|i| cached.versions.get(i as usize)) {
                self.set_durable(sector, bytes);
            }
        }
    }
}

impl Disk {
    pub(super) fn new(kind: MediumKind, content: Vec<u8>) -> Self {
        Disk { kind, pages: Pages::new(content), temp: None, renamed: None, leftovers: 0 }
    }

    pub(super) fn geometry(&self) -> Geometry {
        Geometry {
            kind: self.kind,
            size: self.pages.durable.len() as u64,
            erase_size: 0,
            write_size: SECTOR as u64,
        }
    }

    /// What is on the medium now, the cache left out.
    pub(super) fn durable(&self) -> &[u8] {
        &self.pages.durable
    }

    /// Puts `bytes` on the medium.
    pub(super) fn factory_write(&mut self, range: Range<usize>, bytes: &[u8]) {
        self.pages.drop_cache(range.clone());
        self.pages.durable[range].copy_from_slice(bytes);
    }

    /// Temporary files that were written and neither renamed nor removed.
    pub(super) fn leftovers(&self) -> usize {
        self.leftovers + usize::from(self.temp.is_some())
    }

    pub(super) fn read(&self, range: Range<usize>, buf: &mut [u8]) {
        self.pages.read(range, buf);
    }

    pub(super) fn program(&mut self, offset: u64, data: &[u8], extent: Extent) -> io::Result<()> {
        let Some(range) = range_of(offset, data.len(), self.pages.durable.len()) else {
            violation(format_args!("writing {} bytes at {offset:#x}: past the end", data.len()));
        };
        self.pages.write(range, data, extent);
        Ok(())
    }

    pub(super) fn sync(&mut self, extent: Extent) {
        self.pages.sync(extent);
        if let (Extent::Whole, Some(renamed)) = (extent, &mut self.renamed) {
            renamed.unsynced = None;
        }
    }

    pub(super) fn drop_cache(&mut self, range: Range<usize>) {
        self.pages.drop_cache(range);
    }

    pub(super) fn content(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.pages.durable.len()];
        self.pages.read(0..bytes.len(), &mut bytes);
        bytes
    }

    pub(super) fn write_temp(&mut self, content: &[u8], extent: Extent) {
        let len = match extent {
            Extent::Part(torn) => (torn.byte as usize).min(content.len()),
            Extent::Whole | Extent::Lie => content.len(),
            Extent::Nothing | Extent::Wear => return,
        };
        // A second one gets another name; the first stays behind.
        self.leftovers += usize::from(self.temp.is_some());
        // A lie: the cache shows the bytes, the medium will hold zeros.
        let durable = (extent == Extent::Lie).then(|| vec![0; len]);
        self.temp = Some(Temp { content: content[..len].to_vec(), durable });
    }

    pub(super) fn sync_temp(&mut self, extent: Extent) {
        let Some(temp) = &mut self.temp else { violation(format_args!("no temporary file to sync")) };
        let reached = match extent {
            Extent::Whole => temp.content.len(),
            Extent::Part(Torn { byte, .. }) => (byte as usize).min(temp.content.len()),
            Extent::Nothing | Extent::Lie | Extent::Wear => 0,
        };
        let mut durable = temp.content.clone();
        durable[reached..].fill(0);
        temp.durable.get_or_insert(durable);
    }

    pub(super) fn temp_content(&self) -> Vec<u8> {
        match &self.temp {
            Some(temp) => temp.durable.as_ref().unwrap_or(&temp.content).clone(),
            None => violation(format_args!("no temporary file to read")),
        }
    }

    pub(super) fn rename(&mut self, extent: Extent) {
        if extent != Extent::Whole {
            return;
        }
        let Some(temp) = self.temp.take() else { violation(format_args!("no temporary file to rename")) };
        let unsynced = temp.durable.is_none().then(|| temp.content.clone());
        let old = std::mem::replace(&mut self.pages, Pages::new(temp.durable.unwrap_or(temp.content)));
        let older = self.renamed.take().and_then(|renamed| renamed.old);
        self.renamed = Some(Renamed { old: Some(older.unwrap_or(old)), unsynced });
    }

    pub(super) fn sync_dir(&mut self, extent: Extent) {
        if let (Extent::Whole, Some(renamed)) = (extent, &mut self.renamed) {
            renamed.old = None;
        }
    }

    pub(super) fn discard_temp(&mut self, extent: Extent) {
        if extent == Extent::Whole {
            self.temp = None;
        }
    }

    pub(super) fn choices(&self) -> u64 {
        match &self.renamed {
            None => self.pages.choices(),
            Some(renamed) => {
                let new = match renamed.unsynced {
                    Some(_) => UNSYNCED_CONTENTS,
                    None => self.pages.choices(),
                };
                new.saturating_add(renamed.old.as_ref().map_or(0, Pages::choices))
            }
        }
    }

    pub(super) fn forget_temp(&mut self) {
        self.leftovers += usize::from(self.temp.take().is_some());
    }

    pub(super) fn power_up(&mut self, choice: u64) {
        self.forget_temp();
        let Some(renamed) = self.renamed.take() else { return self.pages.power_up(choice) };
        let old_choices = renamed.old.as_ref().map_or(0, Pages::choices);
        if let (Some(old), true) = (renamed.old, choice < old_choices) {
            self.pages = old;
            self.leftovers += 1;
            return self.pages.power_up(choice);
        }
        let choice = choice - old_choices;
        let Some(mut content) = renamed.unsynced else { return self.pages.power_up(choice) };
        match choice % UNSYNCED_CONTENTS {
            0 => content.clear(),
            1 => content.truncate(content.len() / 2),
            2 => content.fill(0),
            3 => content.iter_mut().enumerate().for_each(|(i, c)| *c = mix(i as u64) as u8),
            _ => {}
        }
        self.pages = Pages::new(content);
    }
}
