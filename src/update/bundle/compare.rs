//! Pure over `Read`: what an image has in common with an older one, and in which stretches the rest is stored.
//!
//! ```text
//!  new image   | = = = = = | # = # # | = = = = = = = = | 0 0 0 0 0 | # ...     = in the old image   # not there
//!  stretches   |   copy    |  unit   |      copy       |   zeros   | unit
//! ```
//!
//! Both images are cut in the same way, by their content, and the pieces of the new one are looked up in the old one. A
//! unit runs across short stretches that are in both: each unit costs hashes, and what it has in common with the old
//! image is a few bytes of a difference to it. Measured with images of two releases of Debian before and after their
//! security updates (ext4, squashfs, erofs), these sizes make patches as small as those of delta programs that have both
//! images in memory as a whole.

use std::io::{self, Read};
use std::ops::Range;

use super::chunker::{Chunker, Piece, Sizes};
use super::table::{Digest, LONGEST_OLD};
use super::{sha256, WholeHash};

/// The longest unit, and the longest copy: a device has one in memory.
pub(super) const UNIT: u64 = 1 << 20;

/// So much that is in both images does not end a unit.
const GAP: u64 = 256 << 10;

/// So many parts are looked at for the next one that is in both images.
const FAR: usize = 1000;

/// The old image, cut.
pub(super) struct OldImage {
    /// The chunks' hashes with their places, in the order of the hashes.
    chunks: Vec<(Digest, u64)>,
    /// The runs of zeros.
    zeros: Vec<Range<u64>>,
    /// Its bytes.
    pub size: u64,
    /// Its SHA-256.
    pub sha256: Digest,
}

impl OldImage {
    /// Reads it.
    pub fn read(image: impl Read, average: u32) -> io::Result<OldImage> {
        let mut chunker = Chunker::new(image, Sizes { average });
        let mut whole = WholeHash::default();
        let (mut chunks, mut zeros, mut size) = (Vec::new(), Vec::new(), 0);
        while let Some(piece) = chunker.next_piece()? {
            let start = size;
            match piece {
                Piece::Zeros(len) => {
                    whole.zeros(len);
                    size += len;
                    zeros.push(start..size);
                }
                Piece::Chunk(bytes) => {
                    whole.update(bytes);
                    size += bytes.len() as u64;
                    chunks.push((sha256(bytes), start));
                }
            }
        }
        chunks.sort_unstable();
        Ok(OldImage { chunks, zeros, size, sha256: whole.finish() })
    }

    /// Where it has a chunk with this hash. Of several places it is the one that is nearest to `expected`: what has not
    /// changed mostly follows what has not changed.
    fn find(&self, digest: &Digest, expected: u64) -> Option<u64> {
        let next = self.chunks.partition_point(|chunk| *chunk < (*digest, expected));
        let at = |number: Option<usize>| self.chunks.get(number?).filter(|(other, _)| other == digest);
        let places = [next.checked_sub(1), Some(next)].into_iter().filter_map(at).map(|(_, place)| *place);
        places.min_by_key(|place| place.abs_diff(expected))
    }

    fn is_zero(&self, range: &Range<u64>) -> bool {
        let next = self.zeros.partition_point(|run| run.end < range.end);
        self.zeros.get(next).is_some_and(|run| run.start <= range.start && range.end <= run.end)
    }

    /// The longest range of it around a place.
    fn around(&self, place: u64) -> Range<u64> {
        let end = (place.saturating_sub(LONGEST_OLD / 2) + LONGEST_OLD).min(self.size);
        end.saturating_sub(LONGEST_OLD)..end
    }

    /// The ranges of it that may help to compress a unit: around where its middle would be, counted from what is in both
    /// images before the unit and behind it, and around where the former ends.
    fn near(&self, unit: &Range<u64>, before: Option<&Part>, after: Option<&Part>) -> Vec<Range<u64>> {
        let middle = unit.start + (unit.end - unit.start) / 2;
        let shifted = |part: &Part| match part.from {
            From::Old(offset) => Some((offset + middle).saturating_sub(part.offset)),
            _ => None,
        };
        let places = [before.and_then(shifted), after.and_then(shifted), before.and_then(Part::old_end)];
        let mut ranges: Vec<_> = places.into_iter().flatten().map(|place| self.around(place)).collect();
        if ranges.is_empty() {
            ranges.push(self.around(middle));
        }
        ranges.dedup();
        ranges
    }
}

/// How a stretch of the new image comes about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Make {
    Zeros,
    /// It is in the old image, from here on.
    Copy(u64),
    /// It has to be stored; one of these ranges of the old image is the most similar one.
    Unit(Vec<Range<u64>>),
}

/// A stretch of the new image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stretch {
    pub offset: u64,
    pub len: u64,
    pub make: Make,
}

/// The new image in stretches, which are no longer than [`UNIT`], except for zeros.
pub(super) struct Compared {
    pub stretches: Vec<Stretch>,
    /// Bytes of the image.
    pub size: u64,
    /// Its SHA-256.
    pub sha256: Digest,
}

/// Where a piece of the new image is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    Zeros,
    Old(u64),
    Nowhere,
}

#[derive(Debug, Clone, Copy)]
struct Part {
    offset: u64,
    len: u64,
    from: From,
}

impl Part {
    fn end(&self) -> u64 {
        self.offset + self.len
    }

    /// Where it ends in the old image.
    fn old_end(&self) -> Option<u64> {
        match self.from {
            From::Old(offset) => Some(offset + self.len),
            _ => None,
        }
    }
}

/// Compares an image with the old one.
pub(super) fn compare(old: &OldImage, new: impl Read, average: u32) -> io::Result<Compared> {
    let mut chunker = Chunker::new(new, Sizes { average });
    let mut whole = WholeHash::default();
    let mut parts: Vec<Part> = Vec::new();
    let (mut offset, mut expected) = (0, 0);
    while let Some(piece) = chunker.next_piece()? {
        let (len, from) = match piece {
            Piece::Zeros(len) => {
                whole.zeros(len);
                (len, From::Zeros)
            }
            Piece::Chunk(bytes) => {
                whole.update(bytes);
                let found = old.find(&sha256(bytes), expected);
                expected = found.unwrap_or(expected);
                (bytes.len() as u64, found.map_or(From::Nowhere, From::Old))
            }
        };
        parts.push(Part { offset, len, from });
        offset += len;
        expected += len;
    }
    join_zeros(old, &mut parts);
    Ok(Compared { stretches: stretches(old, &parts), size: offset, sha256: whole.finish() })
}

/// Short runs of zeros that are in both images at the same place belong to what is around them.
fn join_zeros(old: &OldImage, parts: &mut [Part]) {
    for at in 1..parts.len() {
        let Some([before, zeros, after]) = parts.get_mut(at - 1..at + 2) else { continue };
        let (Some(start), From::Zeros, From::Old(end)) = (before.old_end(), zeros.from, after.from) else {
            continue;
        };
        if zeros.len <= GAP && start + zeros.len == end && old.is_zero(&(start..end)) {
            zeros.from = From::Old(start);
        }
    }
}

fn stretches(old: &OldImage, mut parts: &[Part]) -> Vec<Stretch> {
    let mut stretches: Vec<Stretch> = Vec::new();
    // The last part that is in both images.
    let mut before: Option<Part> = None;
    while let Some(first) = parts.first() {
        let count = if first.from == From::Nowhere { unit(parts) } else { 1 };
        let (taken, rest) = parts.split_at(count.min(parts.len()));
        let offset = first.offset;
        let end = taken.last().map_or(offset, Part::end);
        let make = match first.from {
            From::Zeros => Make::Zeros,
            From::Old(offset) => Make::Copy(offset),
            From::Nowhere => {
                let after = rest.iter().take(FAR).find(|part| part.old_end().is_some());
                Make::Unit(old.near(&(offset..end), before.as_ref(), after))
            }
        };
        let len = end - offset;
        match stretches.last_mut() {
            Some(last) if last.goes_on(&make, len) => last.len += len,
            _ => stretches.push(Stretch { offset, len, make }),
        }
        before = taken.iter().rev().find(|part| part.old_end().is_some()).copied().or(before);
        parts = rest;
    }
    stretches
}

impl Stretch {
    /// Whether what follows it is a copy of what follows in the old image.
    fn goes_on(&self, next: &Make, len: u64) -> bool {
        match (&self.make, next) {
            (Make::Copy(offset), Make::Copy(next)) => offset + self.len == *next && self.len + len <= UNIT,
            _ => false,
        }
    }
}

/// How many of the parts make the unit that starts with them.
fn unit(parts: &[Part]) -> usize {
    let start = parts.first().map_or(0, |part| part.offset);
    let (mut count, mut end) = (1, parts.first().map_or(0, Part::end));
    for (number, part) in parts.iter().enumerate().skip(1) {
        if part.offset - end > GAP || part.end() - start > UNIT {
            break;
        }
        if part.from == From::Nowhere {
            (count, end) = (number + 1, part.end());
        }
    }
    count
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    const AVERAGE: u32 = 1024;

    fn noise(len: usize, mut state: u64) -> Vec<u8> {
        let mut byte = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 56) as u8
        };
        (0..len).map(|_| byte()).collect()
    }

    /// Compares, and takes care that the stretches are the new image.
    fn compared(old: &[u8], new: &[u8]) -> Vec<Stretch> {
        let image = OldImage::read(old, AVERAGE).unwrap();
        assert_eq!((image.size, image.sha256), (old.len() as u64, sha256(old)));
        let Compared { stretches, size, sha256: digest } = compare(&image, new, AVERAGE).unwrap();
        assert_eq!((size, digest), (new.len() as u64, sha256(new)));
        let mut at = 0;
        for Stretch { offset, len, make } in &stretches {
            assert!((1..=if *make == Make::Zeros { u64::MAX } else { UNIT }).contains(len));
            assert_eq!(*offset, at);
            at += len;
            let bytes = &new[*offset as usize..at as usize];
            match make {
                Make::Zeros => assert!(bytes.iter().all(|&byte| byte == 0)),
                Make::Copy(from) => assert!(bytes == &old[*from as usize..(from + len) as usize]),
                Make::Unit(ranges) => {
                    assert!((1..=3).contains(&ranges.len()));
                    for range in ranges {
                        assert!(range.end <= old.len() as u64 && range.end - range.start <= LONGEST_OLD);
                    }
                }
            }
        }
        assert_eq!(at, size);
        stretches
    }

    fn count(stretches: &[Stretch]) -> [usize; 3] {
        let is = |kind: fn(&Make) -> bool| stretches.iter().filter(|stretch| kind(&stretch.make)).count();
        [is(|m| *m == Make::Zeros), is(|m| matches!(m, Make::Copy(_))), is(|m| matches!(m, Make::Unit(_)))]
    }

    #[test]
    fn what_has_not_changed_is_copied() {
        let old = noise(3 << 20, 1);
        // The pieces are chunks of content, so that a copy may be somewhat shorter than a MiB.
        let [zeros, copies, units] = count(&compared(&old, &old));
        assert_eq!((zeros, units), (0, 0));
        assert!((3..=4).contains(&copies), "{copies}");
        let new = [&old[..1_000_000], &noise(5000, 2), &old[1_000_000..]].concat();
        let stretches = compared(&old, &new);
        let [_, copies, units] = count(&stretches);
        assert!((3..=5).contains(&copies) && units == 1, "{stretches:?}");
        let unit = stretches.iter().find(|stretch| matches!(stretch.make, Make::Unit(_))).unwrap();
        let Make::Unit(ranges) = &unit.make else { return };
        assert!(unit.len < 20_000);
        for range in ranges {
            assert!(range.contains(&(1_000_000 - 5000)) && range.contains(&1_100_000));
            assert_eq!(range.end - range.start, LONGEST_OLD);
        }
    }

    #[test]
    fn a_unit_runs_across_short_gaps_and_ends_at_long_ones() {
        let old = noise(2 << 20, 3);
        let changed = |places: &[usize]| {
            let mut new = old.clone();
            places.iter().for_each(|&place| new[place] ^= 1);
            count(&compared(&old, &new))[2]
        };
        assert_eq!(changed(&[500_000]), 1);
        assert_eq!(changed(&[500_000, 700_000]), 1);
        assert_eq!(changed(&[500_000, 800_000]), 2);
        // No longer than a MiB, however much changed.
        let places: Vec<usize> = (0..2 << 20).step_by(200_000).collect();
        assert_eq!(changed(&places), 2);
    }

    #[test]
    fn zeros_of_both_images_are_copied_with_what_is_around_them() {
        let (a, b) = (noise(200_000, 4), noise(200_000, 5));
        let with = |zeros: usize| [&a[..], &vec![0; zeros], &b].concat();
        let both = count(&compared(&with(64 << 10), &with(64 << 10)));
        assert_eq!(both[2], 0);
        assert!(both[0] <= 1, "{both:?}");
        // Long ones stay zeros, and so do those that the old image has not, or has in another length.
        assert_eq!(count(&compared(&with(1 << 20), &with(1 << 20)))[0], 1);
        assert_eq!(count(&compared(&with(0), &with(1 << 20)))[0], 1);
        compared(&with(100_000), &with(64 << 10));
        compared(&[&a[..], &noise(65536, 6), &b].concat(), &with(64 << 10));
    }

    #[test]
    fn of_equal_chunks_the_nearest_is_taken() {
        let same = noise(40_000, 7);
        let old = [&same[..], &noise(300_000, 8), &same, &noise(300_000, 9), &same].concat();
        let stretches = compared(&old, &old);
        let places: Vec<_> = stretches.iter().map(|stretch| (stretch.offset, stretch.make.clone())).collect();
        assert!(places.iter().all(|(offset, make)| *make == Make::Copy(*offset)), "{places:?}");
    }

    #[test]
    fn nothing_in_common_and_nothing_at_all() {
        assert_eq!(count(&compared(&noise(100_000, 1), &noise(3 << 20, 2)))[1..], [0, 4]);
        assert_eq!(compared(&noise(100_000, 1), &[]), []);
        assert_eq!(count(&compared(&[0; 100_000], &[0; 200_000])), [1, 0, 0]);
        let tiny = compared(&[1], &noise(100_000, 2));
        assert!(tiny.iter().all(|stretch| matches!(&stretch.make, Make::Unit(ranges) if ranges[..] == [Range { start: 0, end: 1 }])));
    }
}
