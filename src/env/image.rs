//! Pure: One copy of the environment as bytes: header, records, fill.
//!
//! ```text
//! Layout::Single:     crc32 (4, CPU byte order)             | data
//! Layout::Redundant:  crc32 (4, CPU byte order) | flags (1) | data
//!
//! data:  name=value NUL  name=value NUL  ...  name=value NUL  NUL  fill (0x00 or 0xff) to the end
//!        |---------------- records ------------------------|  |
//!                                                             the empty record that ends the list
//! ```
//!
//! The size of a copy (`CONFIG_ENV_SIZE`, the third column of `fw_env.config`) counts the header. The
//! CRC is the IEEE one and covers all of the data, the fill included, but not the flags byte. Source:
//! U-Boot `include/env_internal.h` (`env_t`), `tools/env/fw_env.c`.
//!
//! # How records are read
//!
//! As U-Boot reads them when it boots (`himport_r` in `lib/hashtable.c`), since its view is the one
//! that boots the device; its `fw_printenv` and libubootenv differ in the odd cases:
//!
//! - The list ends at an empty record, or at the end of the data; the last record may lack its NUL.
//!   An empty *first* record does not end it (U-Boot tests for the end after each record).
//! - Blanks (space, tab) before a name are no part of it.
//! - A record whose first other byte is `#` is a comment.
//! - A record without `=`, or with nothing after it, deletes the variable of this name that was
//!   defined before it.
//! - Of several definitions of a name the last one counts.
//! - A value without a name (`=x`) makes U-Boot drop the whole environment and use its compiled-in one.
//!   Here it is no variable, and [`Environment::anomalies`] reports it.
//!
//! One rule is not followed: U-Boot removes backslash escapes from values as it loads them and doubles
//! every backslash as it saves them, while its own `fw_printenv`/`fw_setenv` and libubootenv print and
//! store the bytes as they are. So do we, or scripts would see other values than they do today: a
//! backslash meant for U-Boot has to be written twice.

use std::fmt;

use memchr::{memchr, memchr2};

use super::crc::crc32;
use super::redundancy::CopyState;
use super::{Environment, Error, Result};

/// Whether a copy has a flags byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layout {
    /// The only copy: CRC and data.
    Single,
    /// One of two copies: CRC, flags byte and data.
    Redundant,
}

impl Layout {
    /// Bytes before the data.
    pub const fn header(self) -> usize {
        match self {
            Layout::Single => 4,
            Layout::Redundant => 5,
        }
    }
}

/// Where the flags byte lies in a copy of [`Layout::Redundant`].
pub const FLAGS_OFFSET: usize = 4;

/// The bytes of one copy, seen as an environment. Borrows them and allocates nothing.
#[derive(Clone, Copy)]
pub struct Image<'a> {
    crc: u32,
    flags: Option<u8>,
    data: &'a [u8],
}

impl<'a> Image<'a> {
    /// Looks at the bytes of a whole copy. `None` if they are too few for a header and one byte of data.
    pub fn new(layout: Layout, bytes: &'a [u8]) -> Option<Self> {
        let (crc, rest) = bytes.split_first_chunk()?;
        let (flags, data) = match layout {
            Layout::Single => (None, rest),
            Layout::Redundant => rest.split_first().map(|(flags, data)| (Some(*flags), data))?,
        };
        if data.is_empty() {
            return None;
        }
        Some(Image { crc: u32::from_ne_bytes(*crc), flags, data })
    }

    /// The CRC in the header.
    pub fn stored_crc(&self) -> u32 {
        self.crc
    }

    /// The CRC of the data. Reads all of it.
    pub fn computed_crc(&self) -> u32 {
        crc32(self.data)
    }

    /// The flags byte; `None` in the single layout.
    pub fn flags(&self) -> Option<u8> {
        self.flags
    }

    /// Everything after the header.
    pub fn data(&self) -> &'a [u8] {
        self.data
    }

    /// Valid, bad or blank. Computes the CRC, once.
    pub fn state(&self) -> CopyState {
        if self.computed_crc() == self.crc {
            CopyState::Valid { flags: self.flags.unwrap_or(0) }
        } else if self.is_all(0xff) || self.is_all(0) {
            CopyState::Blank
        } else {
            CopyState::BadCrc
        }
    }

    fn is_all(&self, byte: u8) -> bool {
        self.crc.to_ne_bytes().iter().chain(&self.flags).chain(self.data).all(|&b| b == byte)
    }

    /// The records as U-Boot cuts them, variables or not, without their NULs; none of them is empty.
    pub fn records(&self) -> Records<'a> {
        Records::new(self.data)
    }

    /// The value of a variable as U-Boot sees it (backslashes excepted, see the top of this file).
    ///
    /// Same answer as [`Environment::get`], without building anything.
    pub fn get(&self, name: &[u8]) -> Option<&'a [u8]> {
        // No record can define these; the comparison below would find "a=b" in "a=b=c".
        if matches!(name, [] | [b'#' | b' ' | b'\t', ..]) || memchr2(b'=', 0, name).is_some() {
            return None;
        }
        let last = name.len() - 1;
        let mut value = None;
        for record in self.records() {
            let record = trim_blanks(record);
            // Names begin alike more often than they end alike: most records need no comparison.
            if record.get(last) != name.last() {
                continue;
            }
            match record.strip_prefix(name) {
                Some([b'=', rest @ ..]) if !rest.is_empty() => value = Some(rest),
                Some([] | [b'=']) => value = None,
                _ => {}
            }
        }
        value
    }

    /// Bytes of the data up to and with the empty record that ends the list; all of them if there is none.
    pub fn used(&self) -> usize {
        self.end_of_list().map_or(self.data.len(), |end| end + 1)
    }

    /// Bytes that the data has room for.
    pub fn capacity(&self) -> usize {
        self.data.len()
    }

    /// Whether an empty record ends the list.
    pub fn terminated(&self) -> bool {
        self.end_of_list().is_some()
    }

    /// The byte that fills the data after the list: 0xff where the data ends with one, else 0. A store
    /// that keeps it changes few bytes. (`mkenvimage` and some tools fill with 0xff, U-Boot with 0.)
    pub fn fill(&self) -> u8 {
        match self.data.last() {
            Some(0xff) => 0xff,
            _ => 0,
        }
    }

    /// Where the NUL of the empty record lies.
    fn end_of_list(&self) -> Option<usize> {
        let mut records = self.records();
        records.by_ref().for_each(drop);
        records.terminator()
    }
}

impl fmt::Debug for Image<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Image")
            .field("crc", &format_args!("{:#010x}", self.crc))
            .field("flags", &self.flags)
            .field("capacity", &self.data.len())
            .finish_non_exhaustive()
    }
}

/// The records of a copy, in order. See [`Image::records`].
#[derive(Debug, Clone)]
pub struct Records<'a> {
    data: &'a [u8],
    /// Where the next record starts; beyond the data after a record without its NUL.
    next: usize,
}

impl<'a> Records<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        let next = match data {
            [0, second, ..] if *second != 0 => 1,
            _ => 0,
        };
        Records { data, next }
    }

    /// Where the next record starts, from the start of the data.
    pub(super) fn offset(&self) -> usize {
        self.next
    }

    /// Once all records were taken: where the NUL of the empty record lies, if there is one.
    pub(super) fn terminator(&self) -> Option<usize> {
        (self.next < self.data.len()).then_some(self.next)
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.data.get(self.next..)?;
        let record = match memchr(0, rest) {
            Some(end) => rest.get(..end)?,
            None => rest,
        };
        if record.is_empty() {
            return None;
        }
        self.next += record.len() + 1;
        Some(record)
    }
}

impl std::iter::FusedIterator for Records<'_> {}

/// A record without the blanks before it.
pub(super) fn trim_blanks(mut record: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = record {
        record = rest;
    }
    record
}

/// The bytes of a whole copy of `size` bytes, header included, that holds `env`.
///
/// `flags` is not used in the single layout. `fill` goes behind the list, see [`Image::fill`].
///
/// # Errors
///
/// [`Error::TooBig`] unless all records and the NUL that ends the list fit.
pub fn encode(env: &Environment, layout: Layout, size: usize, flags: u8, fill: u8) -> Result<Vec<u8>> {
    let needed = env.encoded_len();
    let available = size.saturating_sub(layout.header());
    if needed > available {
        return Err(Error::TooBig { needed, available });
    }

    // A large buffer of zeros costs memory only where it is written to.
    let mut bytes = vec![fill; size];
    let mut next = layout.header();
    let mut put = |part: &[u8]| {
        if let Some(place) = bytes.get_mut(next..).and_then(|rest| rest.get_mut(..part.len())) {
            place.copy_from_slice(part);
        }
        next += part.len();
    };
    env.pieces(|piece| {
        put(piece);
        put(&[0]);
    });
    put(&[0]);
    // One NUL does not end an empty list: U-Boot would take the fill for a record.
    if needed == 1 && available > 1 {
        put(&[0]);
    }
    seal(&mut bytes, layout);
    if layout == Layout::Redundant {
        set_flags(&mut bytes, flags);
    }
    Ok(bytes)
}

/// Bytes at the end of a copy of `size` bytes that [`leave_units`] needs.
pub fn left_by(size: usize, unit: usize) -> usize {
    size.checked_rem(unit).unwrap_or(0).saturating_add(unit.saturating_mul(2))
}

/// Changes what lies behind the list in the bytes of a copy of [`Layout::Redundant`] for flash whose units of `unit`
/// bytes can be programmed only once. The last unit stays erased (0xff): it can be programmed to make the copy
/// invalid. The one before holds zeros: it can be programmed last, after the header. All else is 0xff.
///
/// # Errors
///
/// [`Error::TooBig`] where the list reaches into these two units.
pub fn leave_units(bytes: &mut [u8], unit: usize) -> Result<()> {
    let header = Layout::Redundant.header();
    // An empty list is ended twice.
    let needed = Image::new(Layout::Redundant, bytes).map_or(0, |image| image.used()).max(2);
    let start = bytes.len().saturating_sub(left_by(bytes.len(), unit));
    if header + needed > start {
        return Err(Error::TooBig { needed, available: start.saturating_sub(header) });
    }
    if let Some((list, fill)) = bytes.split_at_mut_checked(header + needed) {
        fill.fill(0xff);
        let zeros = start.saturating_sub(list.len());
        fill.iter_mut().skip(zeros).take(unit).for_each(|byte| *byte = 0);
    }
    seal(bytes, Layout::Redundant);
    Ok(())
}

/// Puts the CRC of the data into the header.
fn seal(bytes: &mut [u8], layout: Layout) {
    if let Some((header, data)) = bytes.split_at_mut_checked(layout.header()) {
        for (byte, value) in header.iter_mut().zip(crc32(data).to_ne_bytes()) {
            *byte = value;
        }
    }
}

/// What the bytes of copy `number` are.
pub fn classify(layout: Layout, number: usize, bytes: &[u8]) -> CopyState {
    match Image::new(layout, bytes).map_or(CopyState::BadCrc, |image| image.state()) {
        CopyState::BadCrc if layout == Layout::Redundant && number == 0 && is_single(bytes) => {
            CopyState::Single
        }
        state => state,
    }
}

fn is_single(bytes: &[u8]) -> bool {
    Image::new(Layout::Single, bytes).is_some_and(|image| image.state().is_valid())
}

/// A copy of [`Layout::Redundant`] with the data of a single copy, as U-Boot makes it: all is one byte further back,
/// the last byte is dropped, the flags are 0 (`env/common.c`, `env_check_redund`, `CONFIG_ENV_REDUNDANT_UPGRADE`).
/// `None` if the bytes are no single copy.
pub fn upgrade(bytes: &[u8]) -> Option<Vec<u8>> {
    let single = Image::new(Layout::Single, bytes).filter(|image| image.state().is_valid())?;
    let (_, data) = single.data().split_last()?;
    Some([&crc32(data).to_ne_bytes()[..], &[0], data].concat())
}

/// Changes the flags byte in the bytes of a copy of [`Layout::Redundant`]; the CRC does not cover it.
pub fn set_flags(bytes: &mut [u8], flags: u8) {
    if let Some(byte) = bytes.get_mut(FLAGS_OFFSET) {
        *byte = flags;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crc(data: &[u8]) -> [u8; 4] {
        crc32fast::hash(data).to_ne_bytes()
    }

    fn single(data: &[u8]) -> Vec<u8> {
        [&crc(data)[..], data].concat()
    }

    fn env(records: &[&[u8]]) -> Environment {
        Environment::from_records(records.iter().copied())
    }

    #[cfg(target_endian = "little")]
    #[test]
    fn layouts_byte_for_byte() {
        let env = env(&[b"a=1", b"bc=\xc3\xa4"]);
        // CRCs computed with Python's zlib.crc32.
        assert_eq!(
            encode(&env, Layout::Single, 24, 7, 0).unwrap(),
            b"\xba\x3b\xbf\xf1a=1\0bc=\xc3\xa4\0\0\0\0\0\0\0\0\0\0\0"
        );
        assert_eq!(
            encode(&env, Layout::Redundant, 24, 7, 0xff).unwrap(),
            b"\x82\x88\xd5\x20\x07a=1\0bc=\xc3\xa4\0\0\xff\xff\xff\xff\xff\xff\xff\xff"
        );
    }

    #[test]
    fn an_empty_list_is_ended_twice() {
        // With the fill right behind one NUL, U-Boot would go on reading.
        let bytes = encode(&Environment::new(), Layout::Redundant, 10, 1, 0xff).unwrap();
        assert_eq!(bytes[5..], *b"\0\0\xff\xff\xff");
        let image = Image::new(Layout::Redundant, &bytes).unwrap();
        assert_eq!(image.records().count(), 0);
        assert!(image.terminated());
        assert_eq!(image.used(), 1);
        // There is room for one NUL only: the end of the data ends the list as well.
        assert_eq!(encode(&Environment::new(), Layout::Single, 5, 0, 0xff).unwrap()[4..], *b"\0");
    }

    #[test]
    fn what_fits_fits_to_the_byte() {
        for (layout, header) in [(Layout::Single, 4), (Layout::Redundant, 5)] {
            let env = env(&[b"name=value"]);
            let exact = header + b"name=value\0\0".len();
            let bytes = encode(&env, layout, exact, 1, 0xff).unwrap();
            assert_eq!(bytes.len(), exact);
            let image = Image::new(layout, &bytes).unwrap();
            assert!(image.terminated());
            assert_eq!((image.used(), image.capacity()), (12, 12));
            for size in 0..exact {
                match encode(&env, layout, size, 1, 0) {
                    Err(Error::TooBig { needed: 12, available }) => {
                        assert_eq!(available, size.saturating_sub(header));
                    }
                    other => panic!("{size}: {other:?}"),
                }
            }
        }
    }

    #[test]
    fn too_few_bytes_are_no_image() {
        for (layout, least) in [(Layout::Single, 5), (Layout::Redundant, 6)] {
            for size in 0..least {
                assert!(Image::new(layout, &vec![0; size]).is_none(), "{layout:?} {size}");
            }
            assert!(Image::new(layout, &vec![0; least]).is_some());
        }
    }

    #[test]
    fn valid_bad_and_blank() {
        let good = encode(&env(&[b"a=1"]), Layout::Redundant, 64, 9, 0).unwrap();
        let state = |bytes: &[u8]| Image::new(Layout::Redundant, bytes).unwrap().state();
        assert_eq!(state(&good), CopyState::Valid { flags: 9 });

        let mut flagged = good.clone();
        set_flags(&mut flagged, 200);
        assert_eq!(state(&flagged), CopyState::Valid { flags: 200 });
        assert_eq!(flagged[5..], good[5..]);
        assert_eq!(flagged[..4], good[..4]);

        for at in (0..64).filter(|&at| at != FLAGS_OFFSET) {
            for bit in 0..8 {
                let mut bad = good.clone();
                bad[at] ^= 1 << bit;
                assert_eq!(state(&bad), CopyState::BadCrc, "bit {bit} of byte {at}");
            }
        }
        for size in [6, 7, 64, 0x2000, 0x20000] {
            for byte in [0, 0xff] {
                let mut blank = vec![byte; size];
                assert_eq!(state(&blank), CopyState::Blank, "{size} bytes of {byte:#x}");
                let last = blank.len() - 1;
                blank[last] ^= 0x10;
                assert_eq!(state(&blank), CopyState::BadCrc);
            }
        }
        assert_eq!(state(&[0xff, 0xff, 0xff, 0xff, 1, 0xff]), CopyState::BadCrc);
    }

    #[test]
    fn two_units_are_left_at_the_end() {
        let records: [&[u8]; 2] = [b"a=1", b"b=2"];
        for size in [64, 70, 79] {
            for (env, used) in [(env(&records), 9), (Environment::new(), 1)] {
                for fill in [0, 0xff] {
                    let mut bytes = encode(&env, Layout::Redundant, size, 7, fill).unwrap();
                    leave_units(&mut bytes, 16).unwrap();
                    let image = Image::new(Layout::Redundant, &bytes).unwrap();
                    assert_eq!(image.state(), CopyState::Valid { flags: 7 });
                    assert_eq!((image.used(), image.records().count()), (used, env.len()));
                    assert_eq!(bytes[32..48], [0; 16]);
                    assert!(bytes[48..].iter().all(|&byte| byte == 0xff));
                    assert!(bytes[5 + used.max(2)..32].iter().all(|&byte| byte == 0xff));
                }
            }
        }
        // What fits fits to the byte.
        for (len, fits) in [(23, true), (24, false)] {
            let value = [&b"a="[..], &vec![b'x'; len]].concat();
            let mut bytes = encode(&env(&[&value]), Layout::Redundant, 64, 7, 0).unwrap();
            let before = bytes.clone();
            match leave_units(&mut bytes, 16) {
                Ok(()) => assert!(fits && Image::new(Layout::Redundant, &bytes).unwrap().used() == len + 4),
                Err(Error::TooBig { needed, available: 27 }) => {
                    assert!(!fits && needed == 28 && bytes == before)
                }
                other => panic!("{other:?}"),
            }
        }
        assert!(leave_units(&mut [0xff; 20], 16).is_err());
    }

    #[test]
    fn a_single_copy_in_the_first_place_is_known() {
        let records: [&[u8]; 2] = [b"a=1", b"b=2"];
        let full = 4 + b"a=1\0b=2\0\0".len();
        for size in [full, full + 1, full + 2, 64] {
            for fill in [0, 0xff] {
                let bytes = encode(&env(&records), Layout::Single, size, 0, fill).unwrap();
                assert_eq!(classify(Layout::Redundant, 0, &bytes), CopyState::Single);
                assert_eq!(
                    classify(Layout::Redundant, 1, &bytes),
                    CopyState::BadCrc,
                    "U-Boot looks at copy 0 only"
                );
                assert_eq!(classify(Layout::Single, 0, &bytes), CopyState::Valid { flags: 0 });
                let redundant = upgrade(&bytes).unwrap();
                assert_eq!(redundant.len(), size);
                let image = Image::new(Layout::Redundant, &redundant).unwrap();
                assert_eq!(image.state(), CopyState::Valid { flags: 0 });
                assert_eq!(image.records().collect::<Vec<_>>(), records);
            }
        }
        let mut bad = encode(&env(&records), Layout::Single, 64, 0, 0).unwrap();
        bad[9] ^= 1;
        assert_eq!(classify(Layout::Redundant, 0, &bad), CopyState::BadCrc);
        assert_eq!(upgrade(&bad), None);
        for blank in [0, 0xff] {
            assert_eq!(classify(Layout::Redundant, 0, &[blank; 64]), CopyState::Blank);
            assert_eq!(upgrade(&[blank; 64]), None);
        }
        assert_eq!(classify(Layout::Redundant, 0, &[]), CopyState::BadCrc);
        // Six bytes are the least for either; five hold a single copy only.
        assert_eq!(upgrade(&single(b"\0")), Some([&crc(b"")[..], &[0]].concat()));
        let good = encode(&env(&records), Layout::Redundant, 64, 9, 0).unwrap();
        assert_eq!(classify(Layout::Redundant, 0, &good), CopyState::Valid { flags: 9 });
        assert_eq!(upgrade(&good), None);
    }

    #[test]
    fn a_single_copy_has_no_flags() {
        let bytes = single(b"a=1\0\0");
        let image = Image::new(Layout::Single, &bytes).unwrap();
        assert_eq!(image.state(), CopyState::Valid { flags: 0 });
        assert_eq!(image.flags(), None);
        assert_eq!(image.data(), b"a=1\0\0");
        assert_eq!(image.stored_crc(), image.computed_crc());
    }

    #[test]
    fn records_as_uboot_cuts_them() {
        type Case<'a> = (&'a [u8], &'a [&'a [u8]], usize, bool);
        let cases: [Case<'_>; 10] = [
            (b"a=1\0b=2\0\0c=3\0\0", &[b"a=1", b"b=2"], 9, true),
            (b"a=1\0b=2\0\0", &[b"a=1", b"b=2"], 9, true),
            (b"a=1\0b=2\0", &[b"a=1", b"b=2"], 8, false),
            (b"a=1\0b=2", &[b"a=1", b"b=2"], 7, false),
            (b"\0", &[], 1, true),
            (b"\0\0a=1\0\0", &[], 1, true),
            (b"\0a=1\0\0", &[b"a=1"], 6, true),
            (b"\0a=1", &[b"a=1"], 4, false),
            (b" \0\t\0\0", &[b" ", b"\t"], 5, true),
            (b"\xff\xff", &[b"\xff\xff"], 2, false),
        ];
        for (data, records, used, terminated) in cases {
            let bytes = single(data);
            let image = Image::new(Layout::Single, &bytes).unwrap();
            assert_eq!(image.records().collect::<Vec<_>>(), records, "{}", data.escape_ascii());
            assert_eq!(image.used(), used, "{}", data.escape_ascii());
            assert_eq!(image.terminated(), terminated, "{}", data.escape_ascii());
        }
    }

    #[test]
    fn the_fill_is_that_of_the_last_byte() {
        for (data, fill) in [(&b"a=1\0\0\xff"[..], 0xff), (b"a=1\0\0\0", 0), (b"a=1\0\0\x55", 0)] {
            assert_eq!(Image::new(Layout::Single, &single(data)).unwrap().fill(), fill);
        }
    }

    #[test]
    fn lookups_in_the_bytes() {
        let bytes = single(
            b"a=1\0ab=2\0a=3\0  t=4\0gone=5\0gone\0gone2=6\0gone2=\0#c=7\0=8\0x=y=z\0a b=9\0\0hidden=1\0\0",
        );
        let image = Image::new(Layout::Single, &bytes).unwrap();
        let get = |name: &str| image.get(name.as_bytes());
        assert_eq!(get("a"), Some(&b"3"[..]));
        assert_eq!(get("ab"), Some(&b"2"[..]));
        assert_eq!(get("t"), Some(&b"4"[..]));
        assert_eq!(get("x"), Some(&b"y=z"[..]));
        assert_eq!(get("a b"), Some(&b"9"[..]));
        for none in ["", "  t", " t", "gone", "gone2", "#c", "c", "x=y", "b", "hidden", "a=1", "A"] {
            assert_eq!(get(none), None, "{none:?}");
        }
    }
}
