//! Environments in bytes of which nothing is known: each one is found with its exact place, size and kind, and
//! nothing else is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use bootslot::env::image::Layout;
use bootslot::find::{ByteOrder, Findings, Found, Scanner};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// Bytes without a pattern (splitmix64).
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed;
    let words = (0..len.div_ceil(8)).flat_map(|_| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)).to_le_bytes()
    });
    words.take(len).collect()
}

/// What lies beside an environment.
#[derive(Debug, Clone, Copy)]
enum Around {
    Noise,
    Zeros,
    Ones,
    Text,
}

fn around(kind: Around, seed: u64, len: usize) -> Vec<u8> {
    match kind {
        Around::Noise => noise(seed, len),
        Around::Zeros => vec![0; len],
        Around::Ones => vec![0xff; len],
        Around::Text => noise(seed, len).iter().map(|byte| b"abc =\n%x.-"[usize::from(byte % 10)]).collect(),
    }
}

/// What lies behind the variables.
#[derive(Debug, Clone, Copy)]
enum Behind {
    Zeros,
    Ones,
    Leftovers,
}

/// An environment as its bytes, and what they are.
#[derive(Debug, Clone)]
struct Given {
    records: Vec<String>,
    layout: Layout,
    order: ByteOrder,
    flags: u8,
    behind: Behind,
    size: usize,
    seed: u64,
}

impl Given {
    fn bytes(&self) -> Vec<u8> {
        let mut data = Vec::new();
        for record in &self.records {
            data.extend_from_slice(record.as_bytes());
            data.push(0);
        }
        data.push(0);
        let len = self.size - self.layout.header();
        assert!(data.len() <= len);
        let left = len - data.len();
        match self.behind {
            Behind::Zeros => data.resize(len, 0),
            Behind::Ones => data.resize(len, 0xff),
            Behind::Leftovers => data.extend(noise(self.seed, left)),
        }
        let crc = crc32fast::hash(&data);
        let mut bytes = match self.order {
            ByteOrder::Little => crc.to_le_bytes(),
            ByteOrder::Big => crc.to_be_bytes(),
        }
        .to_vec();
        bytes.extend((self.layout == Layout::Redundant).then_some(self.flags));
        bytes.extend(data);
        bytes
    }

    fn found(&self, offset: usize) -> Found {
        Found {
            offset: offset as u64,
            size: self.size as u64,
            layout: self.layout,
            order: self.order,
            flags: (self.layout == Layout::Redundant).then_some(self.flags),
        }
    }
}

fn record() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z_.0-9]{1,12}=[ -~]{1,40}",
        "[A-Z]{1,20}=run [a-z]{3,8}; if test \\$\\{x\\} = 1; then true; fi",
        "[!-<>-~]{1,30}=[ -~äöü\n\t]{1,80}",
    ]
}

/// With the given units of size and place, and so many variables at least.
fn given(unit: usize, records: std::ops::Range<usize>, behind: Vec<Behind>) -> impl Strategy<Value = Given> {
    let kinds = (
        select(vec![Layout::Single, Layout::Redundant]),
        select(vec![ByteOrder::Little, ByteOrder::Big]),
        any::<u8>(),
        select(behind),
    );
    (vec(record(), records), kinds, 0..300_000usize, any::<u64>()).prop_map(
        move |(records, (layout, order, flags, behind), more, seed)| {
            let list: usize = records.iter().map(|record| record.len() + 1).sum::<usize>() + 1;
            let least = (layout.header() + list).max(128);
            // As often small as large.
            let more = more >> (seed % 16);
            let size = (least + more).next_multiple_of(unit);
            Given { records, layout, order, flags, behind, size, seed }
        },
    )
}

fn surroundings() -> impl Strategy<Value = (Around, u64, usize, usize)> {
    let kind = select(vec![Around::Noise, Around::Noise, Around::Zeros, Around::Ones, Around::Text]);
    (kind, any::<u64>(), 0..5000usize, 0..700_000usize)
}

/// Hands the bytes over in pieces; long runs of zeros as holes if `holes`.
fn scan(bytes: &[u8], piece: usize, holes: bool) -> Findings {
    let mut scanner = Scanner::new();
    for piece in bytes.chunks(piece) {
        if holes && piece.iter().all(|&byte| byte == 0) {
            scanner.zeros(piece.len() as u64);
        } else {
            scanner.feed(piece);
        }
    }
    assert_eq!(scanner.position(), bytes.len() as u64);
    scanner.finish()
}

/// Whether a byte may be a part of a variable.
fn is_text(byte: u8) -> bool {
    byte >= b' ' && byte != 0x7f || b"\t\n\r\x1b".contains(&byte)
}

/// True if the variables seem to begin before the copy does. Then the copy is found only if its place or its size is
/// round. Its whole header looks like a piece of the first name, or a NUL in it ends a variable of what lies before.
fn text_runs_into_it(given: &Given, (bytes, offset): &(Vec<u8>, usize)) -> bool {
    let data = offset + given.layout.header();
    let nul = (*offset..data).rev().find(|&at| bytes[at] == 0);
    let ends_a_variable =
        |nul: usize| bytes[..nul].iter().rev().take_while(|&&byte| is_text(byte)).any(|&byte| byte == b'=');
    bytes[*offset..data].iter().all(|&byte| is_text(byte)) || nul.is_some_and(ends_a_variable)
}

/// The copy in its surroundings, and its offset.
fn laid_out(given: &Given, around_it: (Around, u64, usize, usize), unit: usize) -> (Vec<u8>, usize) {
    let (kind, seed, before, after) = around_it;
    let offset = before.next_multiple_of(unit);
    let mut bytes = around(kind, seed, offset);
    bytes.extend(given.bytes());
    bytes.extend(around(kind, !seed, after >> (seed % 8)));
    (bytes, offset)
}

fn is_found(given: &Given, around_it: (Around, u64, usize, usize), unit: usize, piece: usize, holes: bool) {
    let (bytes, offset) = laid_out(given, around_it, unit);
    let copies = scan(&bytes, piece, holes).copies;
    if let [other] = copies[..] {
        if valid_as_well(&bytes, &other, &given.found(offset)) {
            return;
        }
    }
    let header = &bytes[offset..offset + given.layout.header()];
    assert_eq!(copies, [given.found(offset)], "in {:?}, header {header:02x?}", around_it.0);
}

/// True if the same bytes have a second reading with a right checksum. Then nobody can tell which of the two was
/// written. By chance a fill of 100 KiB gives one in some 10,000 cases. One in 256 checksums gives one that begins
/// a byte earlier: where the lowest byte of the CRC32's register is the fill byte, one more of them only moves it.
fn valid_as_well(bytes: &[u8], other: &Found, expected: &Found) -> bool {
    other.offset < expected.end() && expected.offset < other.end() && checksum_is_right(bytes, other)
}

fn checksum_is_right(bytes: &[u8], copy: &Found) -> bool {
    let start = usize::try_from(copy.offset).unwrap();
    let end = start + usize::try_from(copy.size).unwrap();
    let stored: [u8; 4] = bytes[start..start + 4].try_into().unwrap();
    let stored = match copy.order {
        ByteOrder::Little => u32::from_le_bytes(stored),
        ByteOrder::Big => u32::from_be_bytes(stored),
    };
    stored == crc32fast::hash(&bytes[start + copy.layout.header()..end])
}

const UNIFORM: [Behind; 2] = [Behind::Zeros, Behind::Ones];

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, max_global_rejects: 1 << 20, ..ProptestConfig::default() })]

    #[test]
    fn any_size_at_any_place(given in given(1, 2..40, UNIFORM.to_vec()), around in surroundings(), piece in 1..70_000usize) {
        prop_assume!(!text_runs_into_it(&given, &laid_out(&given, around, 1)));
        prop_assume!(given.size <= 128 << 10);
        is_found(&given, around, 1, piece.max(given.size / 64), false);
    }

    #[test]
    fn leftovers_behind_the_variables_at_round_places(
        given in given(256, 1..40, vec![Behind::Zeros, Behind::Ones, Behind::Leftovers]),
        around in surroundings(),
        piece in 1..70_000usize,
    ) {
        is_found(&given, around, 256, piece.max(given.size / 64), false);
    }

    #[test]
    fn fills_that_are_holes(given in given(4096, 1..40, vec![Behind::Zeros]), around in surroundings()) {
        is_found(&given, around, 4096, 4096, true);
    }

    #[test]
    fn without_variables(given in given(256, 0..1, UNIFORM.to_vec()), around in surroundings(), holes: bool) {
        let mut bytes = given.bytes();
        // An empty list ends with two NULs.
        bytes[given.layout.header() + 1] = 0;
        let crc = crc32fast::hash(&bytes[given.layout.header()..]);
        let crc = match given.order { ByteOrder::Little => crc.to_le_bytes(), ByteOrder::Big => crc.to_be_bytes() };
        bytes[..4].copy_from_slice(&crc);
        let (kind, seed, before, after) = around;
        let offset = before.next_multiple_of(4096);
        let all = [self::around(kind, seed, offset), bytes, self::around(kind, !seed, after)].concat();
        prop_assert_eq!(scan(&all, 4096, holes).copies, [given.found(offset)]);
    }

    #[test]
    fn what_was_changed_is_not_found(given in given(1, 2..40, UNIFORM.to_vec()), seed: u64, at: usize, bit in 0..8u32) {
        let mut bytes = given.bytes();
        let mut at = at % given.size;
        if given.layout == Layout::Redundant && at == 4 {
            at = 0;
        }
        bytes[at] ^= 1u8 << bit;
        let all = [noise(seed, 600), bytes, noise(!seed, 600)].concat();
        let copies = scan(&all, 65536, false).copies;
        prop_assert!(!copies.contains(&given.found(600)));
        prop_assert!(copies.iter().all(|copy| checksum_is_right(&all, copy)), "{copies:?}");
    }

    #[test]
    fn any_bytes_in_any_pieces_give_the_same(
        parts in vec(prop_oneof![
            vec(select(&b"ab=\0\0\xff\n"[..]), 0..600),
            given(64, 0..5, UNIFORM.to_vec()).prop_map(|given| given.bytes()),
            (0..20_000usize).prop_map(|len| vec![0; len]),
            (0..2_000usize, any::<u64>()).prop_map(|(len, seed)| noise(seed, len)),
        ], 0..8),
        piece in 1..5000usize,
    ) {
        let bytes = parts.concat();
        let whole = scan(&bytes, usize::MAX, false);
        prop_assert_eq!(&scan(&bytes, piece.max(bytes.len() / 100 + 1), false), &whole);
        prop_assert_eq!(&scan(&bytes, 4096, true), &whole);
    }
}

/// A quarter of a gibibyte of noise, which holds 1,000,000 `=`.
#[test]
fn noise_holds_no_environment() {
    let mut scanner = Scanner::new();
    for seed in 0..256 {
        scanner.feed(&noise(seed, 1 << 20));
    }
    assert_eq!(scanner.finish(), Findings::default());
}

#[test]
fn a_gap_is_not_reached_over() {
    let given = Given {
        records: vec!["bootcmd=run a".into(), "bootdelay=1".into(), "c=d".into()],
        layout: Layout::Redundant,
        order: ByteOrder::NATIVE,
        flags: 1,
        behind: Behind::Zeros,
        size: 0x4000,
        seed: 0,
    };
    let bytes = given.bytes();
    let mut scanner = Scanner::new();
    scanner.feed(&bytes[..0x1000]);
    scanner.gap(0x1000);
    scanner.feed(&bytes[0x2000..]);
    scanner.feed(&bytes);
    let findings = scanner.finish();
    assert_eq!(findings.copies, [given.found(0x4000)]);
    // The variables before the gap, without a valid checksum.
    assert_eq!(findings.lists.len(), 1);
    assert_eq!((findings.lists[0].start, findings.lists[0].records), (5, 3));
}
