//! Pure: a stretch of an image -> the frames of its chunks.
//!
//! ```text
//!  the bytes before | chunk | chunk | chunk      zstd goes through the stretch once, as if it were one frame
//!                   literals, copy, literals     what it has found
//!                           :       :
//!                   frame   | frame | frame      the same, cut where the chunks end
//! ```
//!
//! Each chunk by itself, with the bytes before it as a prefix, would find the same. But then each prefix is gone through
//! for each chunk, and time allows for a short prefix and a hasty search only. Each frame is decoded before it is handed
//! out: what a device could not read never leaves the workshop.

use std::ops::Range;

use zstd_safe::{CCtx, CParameter};

use super::frame::{prefix, Decoder, Encoder};
use super::sequences::sequences;
use crate::sys::zstd::{Sequence, SequenceEncoder, BLOCK, SHORTEST};

/// Compresses the chunks of stretches. One for each thread: it needs some ten MiB of memory.
pub(super) struct Press {
    level: i32,
    window: usize,
    encoder: Option<SequenceEncoder>,
    decoder: Decoder,
    /// For chunks that do not come out of their frame as they went in.
    plain: Encoder,
    decoded: Vec<u8>,
    /// How many chunks that were.
    #[cfg(test)]
    failed: usize,
}

impl Press {
    /// The level is zstd's; a chunk's prefix is up to `window` bytes of the image.
    pub fn new(level: i32, window: usize) -> Press {
        Press {
            level,
            window,
            encoder: SequenceEncoder::new(level),
            decoder: Decoder::new(),
            plain: Encoder::new(),
            decoded: Vec::new(),
            #[cfg(test)]
            failed: 0,
        }
    }

    /// The frames of the chunks, which lie in `bytes` in ascending order and without overlaps. The first `lead` bytes
    /// are those of the image before the stretch. `None` where a frame would not be smaller than its chunk.
    pub fn frames(
        &mut self,
        bytes: &[u8],
        lead: usize,
        chunks: impl Iterator<Item = Range<usize>>,
    ) -> Vec<Option<Vec<u8>>> {
        let found = self.search(bytes, lead).unwrap_or_default();
        let mut cutter = Cutter { rest: found.iter(), now: Sequence::default(), at: lead };
        let frames = chunks.map(|place| {
            let before = prefix(bytes.get(..place.start).unwrap_or_default(), self.window);
            let chunk = bytes.get(place.clone()).unwrap_or_default();
            let parts = cutter.chunk(place, before.len());
            let frame = self.encode(&parts, before, chunk);
            frame.filter(|frame| frame.len() < chunk.len())
        });
        frames.collect()
    }

    fn encode(&mut self, parts: &[Sequence], before: &[u8], chunk: &[u8]) -> Option<Vec<u8>> {
        let frame = self.encoder.as_mut().and_then(|encoder| encoder.encode(parts, chunk));
        self.decoded.resize(chunk.len(), 0);
        let is_good =
            |frame: &Vec<u8>| self.decoder.decode(before, frame, &mut self.decoded) && self.decoded == chunk;
        if let Some(frame) = frame.filter(is_good) {
            return Some(frame);
        }
        #[cfg(test)]
        {
            self.failed += 1;
        }
        self.plain.encode(before, chunk, self.level)
    }

    /// What zstd finds in the stretch.
    fn search(&self, bytes: &[u8], lead: usize) -> Option<Vec<Sequence>> {
        let (before, stretch) = bytes.split_at_checked(lead)?;
        // A new one each time, for it keeps a reference to `before`. So nothing that was before plays a part, either.
        let mut context = CCtx::create();
        let window = self.window.max(1 << 10).next_power_of_two().ilog2();
        context.set_parameter(CParameter::CompressionLevel(self.level)).ok()?;
        context.set_parameter(CParameter::WindowLog(window)).ok()?;
        context.ref_prefix(before).ok()?;
        let mut frame = Vec::with_capacity(zstd_safe::compress_bound(stretch.len()));
        context.compress2(&mut frame, stretch).ok()?;
        sequences(&frame)
    }
}

/// Cuts what was found in a stretch.
struct Cutter<'a> {
    rest: std::slice::Iter<'a, Sequence>,
    /// What is left of the present one.
    now: Sequence,
    /// Up to this byte it was cut.
    at: usize,
}

impl Cutter<'_> {
    /// What makes up a chunk, which has `reach` bytes before it: block by block, each one with its end.
    fn chunk(&mut self, place: Range<usize>, reach: usize) -> Vec<Sequence> {
        let mut parts = Vec::new();
        self.take(place.start.saturating_sub(self.at), reach, &mut parts);
        parts.clear();
        let mut done = 0;
        while done < place.len() {
            let len = BLOCK.min(place.len() - done);
            self.take(len, reach + done, &mut parts);
            done += len;
        }
        self.at = place.end;
        parts
    }

    /// What makes up the next `len` bytes. A copy that is cut off too short, or that is too far away for this chunk,
    /// gives literals.
    fn take(&mut self, len: usize, reach: usize, parts: &mut Vec<Sequence>) {
        let (mut left, mut literals) = (len, 0);
        while left > 0 {
            if (self.now.literals, self.now.len) == (0, 0) {
                let all = Sequence { literals: left, ..Sequence::default() };
                self.now = self.rest.next().copied().unwrap_or(all);
            }
            let as_they_are = self.now.literals.min(left);
            self.now.literals -= as_they_are;
            literals += as_they_are;
            left -= as_they_are;
            let copied = self.now.len.min(left);
            self.now.len -= copied;
            left -= copied;
            if copied >= SHORTEST && self.now.offset <= reach + (len - left - copied) {
                parts.push(Sequence { literals, offset: self.now.offset, len: copied });
                literals = 0;
            } else {
                literals += copied;
            }
        }
        parts.push(Sequence { literals, ..Sequence::default() });
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Lines that repeat themselves near and far, and some noise.
    fn image(seed: u32, len: usize) -> Vec<u8> {
        let mut state = seed | 1;
        let mut next = move || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state as usize
        };
        let mut bytes = Vec::new();
        while bytes.len() < len {
            match next() % 4 {
                0 if bytes.len() > 1000 => {
                    let (from, len) = (next() % bytes.len(), next() % 2000);
                    let copied = bytes[from..(from + len).min(bytes.len())].to_vec();
                    bytes.extend(copied);
                }
                1 => bytes.extend((0..next() % 100).map(|_| next() as u8)),
                _ => bytes.extend(format!("a line with the number {}\n", next() % 1000).bytes()),
            }
        }
        bytes.truncate(len);
        bytes
    }

    fn places(from: usize, to: usize, len: usize) -> Vec<Range<usize>> {
        (from..to).step_by(len).map(|at| at..(at + len).min(to)).collect()
    }

    /// Frames that any device can read, each one alone with its prefix. How many bytes they have.
    fn check(press: &mut Press, bytes: &[u8], lead: usize, chunks: &[Range<usize>]) -> usize {
        let frames = press.frames(bytes, lead, chunks.iter().cloned());
        assert_eq!(frames.len(), chunks.len());
        let sizes = frames.iter().zip(chunks).map(|(frame, place)| {
            let chunk = &bytes[place.clone()];
            let Some(frame) = frame else { return chunk.len() };
            assert!(frame.len() < chunk.len());
            let mut out = vec![0; chunk.len()];
            assert!(Decoder::new().decode(prefix(&bytes[..place.start], press.window), frame, &mut out));
            assert!(out == chunk, "{place:?}");
            frame.len()
        });
        sizes.sum()
    }

    #[test]
    fn each_chunk_is_read_with_its_prefix_alone() {
        let bytes = image(7, 1_500_000);
        for (window, len, level) in
            [(1 << 20, 8000, 19), (64 << 10, 8000, 3), (5000, 8000, 19), (0, 8000, 16)]
        {
            let mut press = Press::new(level, window);
            let lead = window.min(400_000);
            check(&mut press, &bytes, lead, &places(lead, bytes.len(), len));
            assert_eq!(press.failed, 0, "{window}");
        }
    }

    #[test]
    fn chunks_may_be_longer_than_a_block_and_have_bytes_between_them() {
        let bytes = image(8, 1_500_000);
        let mut press = Press::new(19, 1 << 20);
        check(
            &mut press,
            &bytes,
            0,
            &[10..300_010, 400_000..1_448_576, 1_448_576..1_448_577, 1_500_000..1_500_000],
        );
        // Of the empty one nothing can be made smaller.
        assert_eq!(press.failed, 0);
        assert!(press.frames(&[], 0, std::iter::empty()).is_empty());
    }

    #[test]
    fn together_they_are_nearly_as_small_as_one_frame() {
        let bytes = image(9, 1_000_000);
        let mut one = Vec::with_capacity(zstd_safe::compress_bound(bytes.len()));
        CCtx::create().compress(&mut one, &bytes, 19).unwrap();
        let chunks = places(0, bytes.len(), 8192);
        let frames = check(&mut Press::new(19, 1 << 20), &bytes, 0, &chunks);
        assert!(frames < one.len() * 11 / 10, "{frames} {}", one.len());
    }

    #[test]
    fn a_press_that_was_used_makes_the_same_as_a_new_one() {
        let bytes = image(10, 600_000);
        let chunks = places(200_000, bytes.len(), 9000);
        let frames = |press: &mut Press| press.frames(&bytes, 200_000, chunks.iter().cloned());
        let mut used = Press::new(19, 1 << 20);
        let first = frames(&mut used);
        used.frames(&image(11, 300_000), 0, places(0, 300_000, 5000).into_iter());
        assert!(frames(&mut used) == first);
        assert!(frames(&mut Press::new(19, 1 << 20)) == first);
    }

    #[test]
    fn what_looks_like_a_dictionary_is_none() {
        let mut bytes = image(12, 50_000);
        bytes[1000..1004].copy_from_slice(&0xec30_a437_u32.to_le_bytes());
        // The first chunk repeats what is just there.
        let repeated = bytes[1000..1200].to_vec();
        bytes[21_000..21_200].copy_from_slice(&repeated);
        let mut press = Press::new(19, 20_000);
        check(&mut press, &bytes, 21_000, &places(21_000, 50_000, 6000));
        assert_eq!(press.failed, 0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn whatever_the_chunks_are(
            seed: u32,
            lead in 0usize..40_000,
            window in 0usize..60_000,
            level in 1i32..=19,
            lens in prop::collection::vec((0usize..3000, 0usize..20_000), 0..12),
        ) {
            let all: usize = lens.iter().map(|(gap, len)| gap + len).sum();
            let bytes = image(seed, lead + all);
            let mut at = lead;
            let chunks: Vec<_> = lens
                .iter()
                .map(|(gap, len)| {
                    at += gap + len;
                    at - len..at
                })
                .collect();
            check(&mut Press::new(level, window), &bytes, lead, &chunks);
        }
    }
}
