//! Pure: which copies a zstd frame consists of ([RFC 8878](https://www.rfc-editor.org/rfc/rfc8878), section 3.1.1).
//!
//! zstd finds them well, and keeps them to itself: there is no lasting function that tells them. But they are all in the
//! frame. The literals are not looked at: whoever asks has the bytes that the frame was made from.

use crate::sys::zstd::{Sequence, SHORTEST};

/// What a frame consists of, of which all bytes are given. Only the last one may have no copy. `None`: it is no frame.
pub(super) fn sequences(mut frame: &[u8]) -> Option<Vec<Sequence>> {
    skip_header(&mut frame)?;
    let mut state = State { recent: [1, 4, 8], tables: [const { None }; 3], literals: 0, found: Vec::new() };
    loop {
        let header = little_endian(take(&mut frame, 3)?);
        let len = header >> 3;
        match header >> 1 & 3 {
            0 => {
                take(&mut frame, len)?;
                state.literals += len;
            }
            // One byte, many times.
            1 => {
                take(&mut frame, 1)?;
                state.literals += len.min(1);
                state.push(1, len.saturating_sub(1));
            }
            2 => state.block(take(&mut frame, len)?)?,
            _ => return None,
        }
        if header & 1 == 1 {
            break;
        }
    }
    if state.literals > 0 {
        state.push(0, 0);
    }
    Some(state.found)
}

/// The magic number, and what the frame says of itself.
fn skip_header(frame: &mut &[u8]) -> Option<()> {
    if take(frame, 4)? != zstd_safe::MAGICNUMBER.to_le_bytes() {
        return None;
    }
    let &[about] = take(frame, 1)? else { return None };
    let is_single = about >> 5 & 1 == 1;
    let window = usize::from(!is_single);
    let dictionary = *[0, 1, 2, 4].get(usize::from(about & 3))?;
    let size = *[usize::from(is_single), 2, 4, 8].get(usize::from(about >> 6))?;
    take(frame, window + dictionary + size).map(drop)
}

/// What one block leaves to the next one.
struct State {
    /// The last three offsets, the most recent one first.
    recent: [usize; 3],
    /// The codes of lengths of literals, of offsets, and of lengths of copies.
    tables: [Option<Table>; 3],
    /// Bytes as they are, which come before the next copy.
    literals: usize,
    found: Vec<Sequence>,
}

/// How many bits follow a code; the values are without gaps.
const LITERALS_BITS: [u8; 36] = [
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13,
    14, 15, 16,
];
const COPY_BITS: [u8; 53] = [
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1,
    1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
];

/// The codes that are used where a block has none of its own: the logarithm of their sum, and how frequent each one is.
const USUAL: [(u32, &[i16]); 3] = [
    (
        6,
        &[
            4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1,
            -1, -1, -1, -1,
        ],
    ),
    (5, &[1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1]),
    (
        6,
        &[
            1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
            1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1,
        ],
    ),
];

impl State {
    fn push(&mut self, offset: usize, len: usize) {
        self.found.push(Sequence { literals: self.literals, offset, len });
        self.literals = 0;
    }

    /// A block that is not only literals.
    fn block(&mut self, mut block: &[u8]) -> Option<()> {
        let mut literals = skip_literals(&mut block)?;
        let count = match *take(&mut block, 1)? {
            [first @ 0..=127] => usize::from(first),
            [first @ 128..=254] => ((usize::from(first) - 128) << 8) + little_endian(take(&mut block, 1)?),
            _ => little_endian(take(&mut block, 2)?) + 0x7f00,
        };
        if count > 0 {
            let modes = little_endian(take(&mut block, 1)?);
            for ((table, usual), shift) in self.tables.iter_mut().zip(USUAL).zip([6, 4, 2]) {
                match modes >> shift & 3 {
                    0 => *table = Some(Table::new(usual.0, usual.1)?),
                    1 => *table = Some(Table::of_one(little_endian(take(&mut block, 1)?))),
                    2 => *table = Some(Table::read(&mut block)?),
                    _ => {}
                }
            }
            self.sequences(count, block, &mut literals)?;
        }
        self.literals += literals;
        Some(())
    }

    fn sequences(&mut self, count: usize, bytes: &[u8], literals: &mut usize) -> Option<()> {
        let tables = std::mem::take(&mut self.tables);
        let [Some(literal_codes), Some(offset_codes), Some(copy_codes)] = &tables else { return None };
        let mut bits = Backward::new(bytes)?;
        let mut literal_state = bits.take(literal_codes.log)?;
        let mut offset_state = bits.take(offset_codes.log)?;
        let mut copy_state = bits.take(copy_codes.log)?;
        for left in (0..count).rev() {
            let (literal, far, copy) = (
                literal_codes.cells.get(literal_state)?,
                offset_codes.cells.get(offset_state)?,
                copy_codes.cells.get(copy_state)?,
            );
            if far.code > 31 {
                return None;
            }
            let offset_value = (1 << far.code) + bits.take(far.code as u32)?;
            let len = SHORTEST + value(&COPY_BITS, copy.code, &mut bits)?;
            let before = value(&LITERALS_BITS, literal.code, &mut bits)?;
            *literals = literals.checked_sub(before)?;
            self.literals += before;
            let offset = self.offset(offset_value, before)?;
            self.push(offset, len);
            if left > 0 {
                literal_state = literal.next + bits.take(literal.bits)?;
                copy_state = copy.next + bits.take(copy.bits)?;
                offset_state = far.next + bits.take(far.bits)?;
            }
        }
        self.tables = tables;
        (bits.left == 0).then_some(())
    }

    /// The offset that a value stands for: a recent one, or a new one.
    fn offset(&mut self, value: usize, literals: usize) -> Option<usize> {
        let [first, second, third] = self.recent;
        // After no literals the most recent offset would be no news.
        let (offset, recent) = match value + usize::from(value <= 3 && literals == 0) {
            1 => (first, self.recent),
            2 => (second, [second, first, third]),
            3 => (third, [third, first, second]),
            4 if value == 3 => (first - 1, [first - 1, first, second]),
            _ => (value - 3, [value - 3, first, second]),
        };
        self.recent = recent;
        (offset > 0).then_some(offset)
    }
}

/// The value of a code, with the bits that follow it.
fn value(follow: &[u8], code: usize, bits: &mut Backward<'_>) -> Option<usize> {
    let before: usize = follow.get(..code)?.iter().map(|&bits| 1 << bits).sum();
    Some(before + bits.take(u32::from(*follow.get(code)?))?)
}

/// How many literals the block has.
fn skip_literals(block: &mut &[u8]) -> Option<usize> {
    let first = *block.first()?;
    let format = first >> 2 & 3;
    if first & 3 < 2 {
        let (bytes, shift) = *[(1, 3), (2, 4), (1, 3), (3, 4)].get(usize::from(format))?;
        let count = little_endian(take(block, bytes)?) >> shift;
        take(block, if first & 3 == 0 { count } else { 1 })?;
        return Some(count);
    }
    let (bytes, width) = *[(3, 10), (3, 10), (4, 14), (5, 18)].get(usize::from(format))?;
    let header = take(block, bytes)?.iter().rev().fold(0u64, |all, &byte| all << 8 | u64::from(byte));
    let number = |shift| (header >> shift & ((1u64 << width) - 1)) as usize;
    take(block, number(4 + width))?;
    Some(number(4))
}

/// Codes of finite state entropy: what is decoded in a state, and which state comes next.
struct Table {
    log: u32,
    cells: Vec<Cell>,
}

#[derive(Clone, Copy, Default)]
struct Cell {
    code: usize,
    /// The next state is this one and so many bits.
    next: usize,
    bits: u32,
}

impl Table {
    /// -1 is a code that is less frequent than one in all.
    fn new(log: u32, frequencies: &[i16]) -> Option<Table> {
        let size = 1usize << log;
        let mut cells = vec![Cell::default(); size];
        let mut end = size;
        for (code, _) in frequencies.iter().enumerate().filter(|(_, &frequency)| frequency == -1) {
            end = end.checked_sub(1)?;
            cells.get_mut(end)?.code = code;
        }
        let step = (size >> 1) + (size >> 3) + 3;
        let mut at = 0;
        for (code, &frequency) in frequencies.iter().enumerate() {
            for _ in 0..frequency.max(0) {
                cells.get_mut(at)?.code = code;
                at = (at + step) & (size - 1);
                while at >= end && end > 0 {
                    at = (at + step) & (size - 1);
                }
            }
        }
        let mut seen: Vec<usize> =
            frequencies.iter().map(|&frequency| usize::from(frequency.unsigned_abs())).collect();
        for cell in &mut cells {
            let seen = seen.get_mut(cell.code)?;
            cell.bits = log.checked_sub(seen.checked_ilog2()?)?;
            cell.next = (*seen << cell.bits).checked_sub(size)?;
            *seen += 1;
        }
        Some(Table { log, cells })
    }

    fn of_one(code: usize) -> Table {
        Table { log: 0, cells: vec![Cell { code, next: 0, bits: 0 }] }
    }

    /// Takes the description of a table from the front.
    fn read(bytes: &mut &[u8]) -> Option<Table> {
        let mut bits = Forward { bytes, at: 0 };
        let log = bits.take(4)? as u32 + 5;
        if log > 9 {
            return None;
        }
        let mut left = 1usize << log;
        let mut frequencies = Vec::new();
        while left > 0 {
            let width = (left + 1).ilog2() + 1;
            let mut value = bits.take(width)?;
            // The smallest values need one bit less.
            let (low, short) = ((1 << (width - 1)) - 1, (1 << width) - 1 - (left + 1));
            if value & low < short {
                bits.at -= 1;
                value &= low;
            } else if value > low {
                value -= short;
            }
            let frequency = value as i16 - 1;
            left = left.checked_sub(usize::from(frequency.unsigned_abs()))?;
            frequencies.push(frequency);
            while value == 1 {
                let more = bits.take(2)?;
                frequencies.extend(std::iter::repeat_n(0, more));
                value = if more == 3 { 1 } else { 0 };
            }
            if frequencies.len() > 64 {
                return None;
            }
        }
        take(bytes, bits.at.div_ceil(8))?;
        Table::new(log, &frequencies)
    }
}

/// Bits from the first one on.
struct Forward<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Forward<'_> {
    fn take(&mut self, count: u32) -> Option<usize> {
        let mut value = 0;
        for bit in 0..count {
            let byte = *self.bytes.get(self.at / 8)?;
            value |= usize::from(byte >> (self.at % 8) & 1) << bit;
            self.at += 1;
        }
        Some(value)
    }
}

/// Bits from the last one on, which is the highest bit that is set.
struct Backward<'a> {
    bytes: &'a [u8],
    left: usize,
}

impl<'a> Backward<'a> {
    fn new(bytes: &'a [u8]) -> Option<Self> {
        let last = bytes.last()?.checked_ilog2()? as usize;
        Some(Backward { bytes, left: (bytes.len() - 1) * 8 + last })
    }

    /// Up to 32 bits.
    fn take(&mut self, count: u32) -> Option<usize> {
        self.left = self.left.checked_sub(count as usize)?;
        let bytes = self.bytes.get(self.left / 8..)?;
        let word = bytes.iter().take(8).rev().fold(0u64, |all, &byte| all << 8 | u64::from(byte));
        Some((word >> (self.left % 8) & ((1 << count) - 1)) as usize)
    }
}

fn take<'a>(bytes: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(len)?;
    *bytes = rest;
    Some(taken)
}

fn little_endian(bytes: &[u8]) -> usize {
    bytes.iter().rev().fold(0, |all, &byte| all << 8 | usize::from(byte))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use proptest::prelude::*;
    use zstd_safe::{CCtx, CParameter};

    use super::*;

    /// What comes out of the sequences of a frame, with the literals of the bytes that it was made from.
    fn made_again(found: &[Sequence], before: &[u8], bytes: &[u8]) -> Vec<u8> {
        let mut made = before.to_vec();
        for sequence in found {
            let at = made.len() - before.len();
            made.extend(&bytes[at..at + sequence.literals]);
            for _ in 0..sequence.len {
                made.push(made[made.len() - sequence.offset]);
            }
        }
        made.split_off(before.len())
    }

    fn frame(before: &[u8], bytes: &[u8], level: i32) -> Vec<u8> {
        let mut context = CCtx::create();
        context.set_parameter(CParameter::CompressionLevel(level)).unwrap();
        context.ref_prefix(before).unwrap();
        let mut frame = Vec::with_capacity(zstd_safe::compress_bound(bytes.len()));
        context.compress2(&mut frame, bytes).unwrap();
        frame
    }

    /// Words of different lengths from a few letters, then some noise, then one byte many times.
    fn text(seed: u32, len: usize) -> Vec<u8> {
        let mut state = seed | 1;
        let mut next = move || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state as usize
        };
        let mut bytes = Vec::new();
        while bytes.len() < len {
            match next() % 20 {
                0 => bytes.extend((0..next() % 3000).map(|_| next() as u8)),
                1 => bytes.extend(std::iter::repeat_n(next() as u8, next() % 200_000)),
                2..12 if bytes.len() > 10 => {
                    let (from, len) = (next() % bytes.len(), next() % 300);
                    let copied = bytes[from..(from + len).min(bytes.len())].to_vec();
                    bytes.extend(copied);
                }
                _ => bytes.extend((0..next() % 40).map(|_| b"etaoin srh"[next() % 10])),
            }
        }
        bytes.truncate(len);
        bytes
    }

    #[test]
    fn they_make_up_the_bytes_again() {
        let bytes = text(1, 2_000_000);
        let (before, bytes) = bytes.split_at(500_000);
        for level in [-3, 1, 3, 6, 9, 13, 16, 19] {
            let found = sequences(&frame(before, bytes, level)).unwrap();
            assert!(made_again(&found, before, bytes) == bytes, "{level}");
            let literals: usize = found.iter().map(|sequence| sequence.literals).sum();
            assert!(literals < bytes.len() / 2, "{level}: {literals}");
        }
    }

    #[test]
    fn what_is_no_frame_has_none() {
        let frame = frame(&[], &text(2, 10_000), 19);
        assert!(sequences(&frame).is_some());
        for cut in 0..frame.len() {
            assert_eq!(sequences(&frame[..cut]), None, "{cut}");
        }
        assert_eq!(sequences(&[&[0], &frame[..]].concat()), None);
    }

    proptest! {
        #[test]
        fn small_frames_as_well(seed: u32, len in 0usize..30_000, before in 0usize..30_000, level in 1i32..=22) {
            let bytes = text(seed, len + before);
            let (before, bytes) = bytes.split_at(before);
            let found = sequences(&frame(before, bytes, level)).unwrap();
            prop_assert!(made_again(&found, before, bytes) == bytes);
        }

        #[test]
        fn damaged_frames_do_not_panic(seed: u32, at: prop::sample::Index, value: u8) {
            let bytes = text(seed, 20_000);
            let mut frame = frame(&[], &bytes, 19);
            let at = at.index(frame.len());
            frame[at] = value;
            let _ = sequences(&frame);
        }
    }
}
