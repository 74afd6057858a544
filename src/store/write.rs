//! How one image becomes the current environment: which copy is written, after which other steps.

use super::{Loaded, Store};
use crate::env::image::{leave_units, set_flags, Image, Layout, FLAGS_OFFSET};
use crate::env::redundancy::{older_flags, CopyState, FlagScheme, Why, OBSOLETE};
use crate::error::{Error, Result};
use crate::storage::{EnvCopy, MediumKind, WriteStats};

impl Store {
    /// Writes `image`, whose flags are those of the next copy, and makes it current. Returns where it is.
    pub(super) fn write(&mut self, loaded: &Loaded, image: &[u8]) -> Result<(usize, WriteStats)> {
        self.prepare()?;
        let current = loaded.choice.current;
        let target = match (self.copies.len(), current) {
            (2, Some(0)) => 1,
            _ => 0,
        };
        if let Some(unit) = self.once_unit() {
            let mut image = image.to_vec();
            leave_units(&mut image, unit)?;
            return self.write_both(loaded, &image, unit);
        }
        let mut stats = WriteStats::default();
        // One sync puts both copies on a disk, in any order. Should a program that was killed have left the
        // current one in the page cache alone, a power cut could cost both.
        if self.layout == Layout::Redundant {
            stats += self.settle(loaded)?;
        }
        let retire_last = current.is_some_and(|current| self.is_dataflash(current));
        let before = found(loaded, target);
        stats += self.make_invalid(target, before)?;
        if !retire_last {
            stats += self.retire(loaded)?;
        }
        stats += self.put(target, before, image)?;
        if retire_last {
            stats += self.retire(loaded)?;
        }
        if loaded.choice.why == Why::SingleCopy {
            let (old, older) = (1 - target, self.older(image));
            stats += self.replace(old, found(loaded, old), &older)?;
        }
        Ok((target, stats))
    }

    /// What comes before anything is written: the configuration fits the devices, and the files are there.
    pub(super) fn prepare(&mut self) -> Result<()> {
        self.storable()?;
        if self.may_make {
            self.copies.iter_mut().try_for_each(|copy| copy.make())?;
        }
        Ok(())
    }

    /// The same on NOR whose units can be programmed only once. There no flag can be cleared, so the copy that was
    /// current is written again, too: with the new variables and the flag of an old copy.
    fn write_both(&mut self, loaded: &Loaded, image: &[u8], unit: usize) -> Result<(usize, WriteStats)> {
        let Some(current) = loaded.choice.current else {
            return Ok((0, self.replace(0, found(loaded, 0), image)?));
        };
        let (other, older) = (1 - current, self.older(image));
        let (before, state) = found(loaded, current);
        let mut stats = WriteStats::default();
        // The erase of a copy that can't be made invalid before may change its flags first, and nothing else. That
        // does no harm while both copies hold the same.
        let stuck = before.filter(|bytes| {
            state.is_valid() && !self.copies.get(current).is_none_or(|copy| copy.can_spoil(bytes))
        });
        let same = stuck.and_then(|bytes| {
            let mut same = self.older(bytes);
            leave_units(&mut same, unit).is_ok().then_some(same)
        });
        if let Some(same) = same {
            stats += self.replace(other, found(loaded, other), &same)?;
            stats += self.replace(current, (before, state), image)?;
            stats += self.replace(other, (Some(&same), state), &older)?;
            return Ok((current, stats));
        }
        stats += self.replace(other, found(loaded, other), image)?;
        stats += self.replace(current, (before, state), &older)?;
        Ok((other, stats))
    }

    /// The bytes of a copy with the same variables and the flags of the older one of two.
    fn older(&self, image: &[u8]) -> Vec<u8> {
        let mut older = image.to_vec();
        if let Some(flags) = image.get(FLAGS_OFFSET) {
            set_flags(&mut older, older_flags(self.scheme, *flags));
        }
        older
    }

    /// Bytes that can be programmed only once, where that matters: two copies with boolean flags.
    pub(super) fn once_unit(&self) -> Option<usize> {
        let unit = self.copies.iter().map(|copy| copy.once_unit()).max()?;
        (unit > 1 && self.has_marks()).then_some(unit)
    }

    /// The copy, not current, that a torn erase may make current; see [`Health::exposed`](super::Health::exposed).
    pub(super) fn exposed(&self, loaded: &Loaded) -> Option<usize> {
        let other = 1_usize.checked_sub(loaded.choice.current?)?;
        let image = |copy: usize| Image::new(self.layout, loaded.copies.get(copy)?.bytes.as_deref()?);
        let (Some(bytes), CopyState::Valid { .. }) = found(loaded, other) else { return None };
        let same = image(other)?.records().eq(image(1 - other)?.records());
        let stuck = !same && !self.copies.get(other)?.can_spoil(bytes);
        (self.has_marks() && stuck).then_some(other)
    }

    fn has_marks(&self) -> bool {
        self.scheme == FlagScheme::Boolean && self.layout == Layout::Redundant
    }

    /// Replaces a copy that is not current, or that is the same as the current one, by `image`. `before` is what was
    /// found in it.
    pub(super) fn replace(&mut self, target: usize, before: Before<'_>, image: &[u8]) -> Result<WriteStats> {
        let mut stats = self.make_invalid(target, before)?;
        stats += self.put(target, before, image)?;
        Ok(stats)
    }

    /// Makes a copy invalid where a part of an erase or of a program could change its flags and nothing else.
    fn make_invalid(&mut self, target: usize, (before, state): Before<'_>) -> Result<WriteStats> {
        let mut stats = WriteStats::default();
        if !self.has_marks() || self.is_dataflash(target) {
            return Ok(stats);
        }
        if let Some(copy) = self.copies.get_mut(target) {
            if let Some(bytes) = before.filter(|_| state.is_valid()) {
                stats += copy.spoil(bytes)?;
            }
            stats += copy.erase()?;
        }
        Ok(stats)
    }

    fn put(&mut self, target: usize, (before, state): Before<'_>, image: &[u8]) -> Result<WriteStats> {
        let Some(copy) = self.copies.get_mut(target) else {
            return Err(Error::Unsupported("an environment without copies".into()));
        };
        // The parts of a copy reach a file or a block device in any order. Where some of the new ones among
        // the old could make a copy that is neither, the checksum is spoiled first, then all else follows.
        let mut stages = Vec::new();
        if let Some(old) = before.filter(|old| mixes(self.layout, &**copy, state, old, image)) {
            // Each byte is wrong for the new data and for the old: where the checksum lies in two sectors, the old
            // one may be half right, from a store that was cut at its end.
            let missing =
                Image::new(self.layout, old).map_or([0; FLAGS_OFFSET], |i| i.computed_crc().to_ne_bytes());
            let spoiled = |bytes: &[u8]| {
                let mut bytes = bytes.to_vec();
                for ((byte, right), missing) in bytes.iter_mut().zip(image).zip(missing) {
                    *byte = if !*right == missing { !*right ^ 1 } else { !*right };
                }
                bytes
            };
            stages.extend([spoiled(old), spoiled(image)]);
        }
        let mut stats = WriteStats::default();
        let (mut now, mut settled) = (before, state.is_valid());
        for stage in stages.iter().map(Vec::as_slice).chain([image]) {
            stats += copy.write(now, settled, stage)?;
            (now, settled) = (Some(stage), true);
        }
        Ok(stats)
    }

    /// Makes certain that the current copy is on the medium.
    pub(super) fn settle(&mut self, loaded: &Loaded) -> Result<WriteStats> {
        match loaded.choice.current.and_then(|current| self.copies.get_mut(current)) {
            Some(copy) => copy.settle(),
            None => Ok(WriteStats::default()),
        }
    }

    /// Clears the flag of the copy that was current, unless that is done. A single copy has no flag: there is a
    /// part of a variable.
    fn retire(&mut self, loaded: &Loaded) -> Result<WriteStats> {
        let marked = self.has_marks() && loaded.current_flags().is_some_and(|flags| flags != OBSOLETE);
        match loaded.choice.current.and_then(|current| self.copies.get_mut(current)) {
            Some(copy) if marked => copy.set_byte(FLAGS_OFFSET, OBSOLETE),
            _ => Ok(WriteStats::default()),
        }
    }

    fn is_dataflash(&self, copy: usize) -> bool {
        self.copies.get(copy).is_some_and(|copy| copy.kind() == MediumKind::DataFlash)
    }
}

/// What a copy holds: its bytes, where they could be read, and what they are.
type Before<'a> = (Option<&'a [u8]>, CopyState);

/// What was found in a copy.
pub(super) fn found(loaded: &Loaded, copy: usize) -> Before<'_> {
    match loaded.copies.get(copy) {
        Some(copy) => (copy.bytes.as_deref(), copy.state),
        None => (None, CopyState::Unreadable),
    }
}

/// Whether some parts of `new` among the rest of `old`, a standby in `state`, could be a valid copy that is
/// not the new one but is taken for the newest: because the checksums are the same by chance, because the
/// flags can arrive without the checksum or it without them, or because a store that was cut left most of a
/// copy, whose missing parts are the same in the new one.
fn mixes(layout: Layout, copy: &dyn EnvCopy, state: CopyState, old: &[u8], new: &[u8]) -> bool {
    let header = layout.header();
    let same_checksum = old.get(..FLAGS_OFFSET) == new.get(..FLAGS_OFFSET);
    let in_any_order = matches!(copy.kind(), MediumKind::File | MediumKind::Block) && !copy.atomic();
    let redundant = layout == Layout::Redundant
        && (same_checksum && old.get(header..) != new.get(header..)
            || copy.can_tear(header) && old.get(..header) != new.get(..header));
    redundant || in_any_order && matches!(state, CopyState::BadCrc | CopyState::Single)
}
