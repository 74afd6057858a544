//! Pure: the chunk table, which says what an image consists of, and what each part of it must hash to.
//!
//! ```text
//!  shapes | heads | tails
//!    |        |       +-- for each chunk the last 24 bytes of its SHA-256
//!    |        +---------- for each chunk the first 8 bytes of its SHA-256
//!    +------------------- for each run of zeros and each chunk, in the order of the image:
//!                           varint  length in the image x 4 + kind
//!                           varint  length in the bundle, of a compressed chunk
//!
//!  a chunk that needs the old image, in the table of a patch:
//!    varint   length in the image x 4 + 3
//!    varint   length in the bundle; 0: it is a copy of a range of the old image
//!    varint   where that range starts, less the end of the last such range; zigzag: 0, -1, 1, -2, ...
//!    varint   its length      | of a difference only: the range is the frame's prefix,
//!    8 bytes  of its SHA-256  | before the bytes of the image before the chunk
//! ```
//!
//! A chunk's place in the image is behind the one before it, and so is its place in the bundle. A varint has seven
//! bits in each byte, the lowest first, and 0x80 in all but its last. The two columns of hashes are apart because
//! the heads alone tell which chunks a device has already. Eight bytes of hash say enough of an old range: they are
//! to find a wrong image before anything is written, and what is made of the range is compared with all 32.

/// A SHA-256.
pub type Digest = [u8; 32];

/// Bytes of the two columns of hashes.
const HEAD: usize = 8;
const TAIL: usize = 24;

/// The largest table. A device holds it in memory, so for larger images the chunks have to be larger.
pub const LARGEST_TABLE: u64 = 12 << 20;

/// The largest chunk, and the longest prefix for its decompression: both are held in memory.
pub const LARGEST_CHUNK: u64 = 1 << 20;
/// See [`LARGEST_CHUNK`].
pub const LARGEST_WINDOW: u64 = 1 << 20;
/// The longest range of the old image in a prefix, which is in memory as well.
pub const LONGEST_OLD: u64 = 2 << 20;

/// How a part of the image comes about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It is all zeros, and nowhere in the bundle.
    Zeros,
    /// It is in the bundle as it is.
    Plain,
    /// It is in the bundle as a zstd frame. The image's bytes before it are the frame's prefix.
    Compressed,
    /// It is in the old image as it is.
    Copy,
    /// It is in the bundle as a zstd frame, whose prefix is a range of the old image and the image's bytes before it.
    Difference,
}

/// A range of the old image, which the running slot holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Old {
    /// Where it starts.
    pub offset: u64,
    /// Its length.
    pub len: u64,
    /// The first bytes of its SHA-256; `None` of a copy: the chunk's own hash is that of the range.
    pub check: Option<[u8; 8]>,
}

/// A run of zeros or a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// How it comes about.
    pub kind: Kind,
    /// Where it starts in the image.
    pub offset: u64,
    /// Its length in the image.
    pub len: u64,
    /// Where it starts in the payload's data.
    pub stored_at: u64,
    /// Its length there.
    pub stored: u64,
    /// The number of its hash; of a run of zeros that of the next chunk.
    pub number: usize,
    /// What of the old image it needs.
    pub old: Option<Old>,
}

/// What the manifest says of a table; a table that says otherwise is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// Bytes of the image.
    pub size: u64,
    /// Bytes of the payload's data.
    pub data: u64,
    /// How many chunks have a hash.
    pub chunks: u64,
    /// Bytes of the largest chunk.
    pub largest: u64,
    /// Bytes of the old image, of a patch.
    pub against: Option<u64>,
}

impl Old {
    fn lies_in(&self, against: Option<u64>, kind: Kind) -> Result<(), String> {
        let size = against.ok_or("it needs an old image, and is no patch")?;
        let longest = if kind == Kind::Copy { u64::MAX } else { LONGEST_OLD };
        let end = self.offset.checked_add(self.len).filter(|&end| end <= size);
        match end {
            Some(_) if (1..=longest).contains(&self.len) => Ok(()),
            _ => Err(format!("it needs {} bytes at {:#x} of an old image of {size}", self.len, self.offset)),
        }
    }
}

/// A table that holds what its manifest says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    bytes: Vec<u8>,
    shapes: usize,
    chunks: usize,
}

impl Table {
    /// Takes the bytes of a table, of which the hash was compared.
    ///
    /// Errors: what contradicts the manifest or is no table, as a phrase.
    pub fn parse(bytes: Vec<u8>, expected: &Expected) -> Result<Table, String> {
        let chunks = usize::try_from(expected.chunks).map_err(|_| "too many chunks")?;
        let hashes = chunks.checked_mul(HEAD + TAIL).filter(|&hashes| hashes <= bytes.len());
        let shapes = bytes.len() - hashes.ok_or("it is shorter than its hashes")?;
        let table = Table { bytes, shapes, chunks };
        let mut entries = table.entries();
        let (mut size, mut data, mut seen) = (0u64, 0u64, 0u64);
        while let Some(entry) = entries.step()? {
            let largest = if entry.kind == Kind::Zeros { u64::MAX } else { expected.largest };
            if entry.len == 0 || entry.len > largest {
                return Err(format!("an entry of {} bytes at {:#x}", entry.len, entry.offset));
            }
            // A chunk is stored plain where compression does not make it smaller.
            let is_frame = matches!(entry.kind, Kind::Compressed | Kind::Difference);
            if is_frame && (entry.stored == 0 || entry.stored >= entry.len) {
                return Err(format!("{} bytes stored in {}", entry.len, entry.stored));
            }
            if let Some(old) = entry.old {
                old.lies_in(expected.against, entry.kind)?;
            }
            let end = |at: u64, len: u64, limit: u64| at.checked_add(len).filter(|&end| end <= limit);
            size = end(size, entry.len, expected.size).ok_or("it is longer than the image")?;
            data = end(data, entry.stored, expected.data).ok_or("it needs more data than there are")?;
            seen += u64::from(entry.kind != Kind::Zeros);
        }
        if (size, data, seen) != (expected.size, expected.data, expected.chunks) {
            return Err(format!("it has {size} bytes of image, {data} of data and {seen} chunks"));
        }
        Ok(table)
    }

    /// All entries, in the order of the image.
    pub fn entries(&self) -> Entries<'_> {
        let shapes = self.bytes.get(..self.shapes).unwrap_or_default();
        Entries { shapes, offset: 0, stored_at: 0, number: 0, old_end: 0 }
    }

    /// The SHA-256 of the chunk with this [number](Entry::number).
    pub fn digest(&self, number: usize) -> Digest {
        let mut digest = [0; HEAD + TAIL];
        let (head, tail) = digest.split_at_mut(HEAD);
        let heads = self.shapes + number * HEAD;
        let tails = self.shapes + self.chunks * HEAD + number * TAIL;
        let columns = (self.bytes.get(heads..heads + HEAD), self.bytes.get(tails..tails + TAIL));
        if let (true, (Some(first), Some(last))) = (number < self.chunks, columns) {
            head.copy_from_slice(first);
            tail.copy_from_slice(last);
        }
        digest
    }

    /// How many chunks have a hash.
    pub fn chunks(&self) -> usize {
        self.chunks
    }
}

/// The entries of a table.
#[derive(Debug, Clone)]
pub struct Entries<'a> {
    shapes: &'a [u8],
    offset: u64,
    stored_at: u64,
    number: usize,
    /// Where the last range of the old image ends.
    old_end: u64,
}

impl Entries<'_> {
    fn step(&mut self) -> Result<Option<Entry>, &'static str> {
        if self.shapes.is_empty() {
            return Ok(None);
        }
        let first = varint(&mut self.shapes)?;
        let len = first >> 2;
        let (kind, stored, old) = match first & 3 {
            0 => (Kind::Zeros, 0, None),
            1 => (Kind::Plain, len, None),
            2 => (Kind::Compressed, varint(&mut self.shapes)?, None),
            _ => match varint(&mut self.shapes)? {
                0 => (Kind::Copy, 0, Some(self.old(Some(len))?)),
                stored => (Kind::Difference, stored, Some(self.old(None)?)),
            },
        };
        let (offset, stored_at, number) = (self.offset, self.stored_at, self.number);
        let entry = Entry { kind, offset, len, stored_at, stored, number, old };
        self.offset = self.offset.checked_add(len).ok_or("it is longer than any image")?;
        self.stored_at = self.stored_at.checked_add(stored).ok_or("it is longer than any bundle")?;
        self.number += usize::from(kind != Kind::Zeros);
        Ok(Some(entry))
    }

    /// Takes a range of the old image; `copied` is the length of a copy.
    fn old(&mut self, copied: Option<u64>) -> Result<Old, &'static str> {
        let beyond = "it needs bytes beyond any old image";
        let step = varint(&mut self.shapes)?;
        let step = (step >> 1) as i64 ^ -((step & 1) as i64);
        let offset = self.old_end.checked_add_signed(step).ok_or(beyond)?;
        let (len, check) = match copied {
            Some(len) => (len, None),
            None => {
                let len = varint(&mut self.shapes)?;
                let (check, rest) = self.shapes.split_first_chunk::<8>().ok_or("it ends in a hash")?;
                self.shapes = rest;
                (len, Some(*check))
            }
        };
        self.old_end = offset.checked_add(len).ok_or(beyond)?;
        Ok(Old { offset, len, check })
    }
}

impl Iterator for Entries<'_> {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        // `Table::parse` has been through all of them.
        self.step().ok().flatten()
    }
}

/// Takes a number from the front.
fn varint(bytes: &mut &[u8]) -> Result<u64, &'static str> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first().ok_or("it ends in a number")?;
        *bytes = rest;
        let bits = u64::from(byte & 0x7f);
        // One way to write each number: none is longer than it has to be, none is cut.
        if (bits << shift) >> shift != bits || byte == 0 && shift > 0 {
            return Err("a number in it is too large or too long");
        }
        value |= bits << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err("a number in it is too large or too long")
}

/// Makes a table, entry by entry.
#[derive(Debug, Clone, Default)]
pub struct Builder {
    shapes: Vec<u8>,
    digests: Vec<Digest>,
    old_end: u64,
}

impl Builder {
    /// So many zeros follow.
    pub fn zeros(&mut self, len: u64) {
        self.put(len << 2);
    }

    /// A chunk follows; `stored` is its length in the bundle if it is compressed.
    pub fn chunk(&mut self, len: u64, stored: Option<u64>, digest: Digest) {
        match stored {
            None => self.put(len << 2 | 1),
            Some(stored) => {
                self.put(len << 2 | 2);
                self.put(stored);
            }
        }
        self.digests.push(digest);
    }

    /// A chunk follows that is in the old image from `offset` on.
    pub fn copy(&mut self, len: u64, offset: u64, digest: Digest) {
        self.put(len << 2 | 3);
        self.put(0);
        self.old(offset, len);
        self.digests.push(digest);
    }

    /// A chunk follows that is stored as a difference to a range of the old image, which starts at `offset`, has
    /// `old_len` bytes and this hash.
    pub fn difference(
        &mut self,
        len: u64,
        stored: u64,
        (offset, old_len): (u64, u64),
        old_digest: Digest,
        digest: Digest,
    ) {
        self.put(len << 2 | 3);
        self.put(stored);
        self.old(offset, old_len);
        self.put(old_len);
        self.shapes.extend(old_digest.first_chunk::<8>().copied().unwrap_or_default());
        self.digests.push(digest);
    }

    fn old(&mut self, offset: u64, len: u64) {
        let step = offset.wrapping_sub(self.old_end) as i64;
        self.put((step << 1 ^ step >> 63) as u64);
        self.old_end = offset + len;
    }

    fn put(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.shapes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.shapes.push(value as u8);
    }

    /// How many chunks there are.
    pub fn chunks(&self) -> u64 {
        self.digests.len() as u64
    }

    /// The table's bytes.
    pub fn finish(self) -> Vec<u8> {
        let mut bytes = self.shapes;
        let (heads, tails) = (0..HEAD, HEAD..HEAD + TAIL);
        for column in [heads, tails] {
            bytes.extend(
                self.digests.iter().flat_map(|digest| digest.get(column.clone()).unwrap_or_default()),
            );
        }
        bytes
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    fn sample() -> (Vec<u8>, Expected) {
        let mut builder = Builder::default();
        builder.zeros(1 << 40);
        builder.chunk(300, None, [1; 32]);
        builder.chunk(8192, Some(100), [2; 32]);
        builder.zeros(4096);
        let digest = std::array::from_fn(|i| i as u8);
        builder.chunk(1, None, digest);
        let size = (1 << 40) + 300 + 8192 + 4096 + 1;
        (builder.finish(), Expected { size, data: 401, chunks: 3, largest: 8192, against: None })
    }

    #[test]
    fn what_was_put_in_comes_out() {
        let (bytes, expected) = sample();
        let table = Table::parse(bytes, &expected).unwrap();
        let entries: Vec<Entry> = table.entries().collect();
        let kinds: Vec<_> =
            entries.iter().map(|e| (e.kind, e.len, e.stored_at, e.stored, e.number)).collect();
        assert_eq!(
            kinds,
            [
                (Kind::Zeros, 1 << 40, 0, 0, 0),
                (Kind::Plain, 300, 0, 300, 0),
                (Kind::Compressed, 8192, 300, 100, 1),
                (Kind::Zeros, 4096, 400, 0, 2),
                (Kind::Plain, 1, 400, 1, 2)
            ]
        );
        assert_eq!(table.digest(0), [1; 32]);
        assert_eq!(table.digest(2), std::array::from_fn(|i| i as u8));
        assert_eq!(table.digest(3), [0; 32]);
        assert_eq!(entries[4].offset + 1, expected.size);
    }

    #[test]
    fn a_table_that_is_not_the_manifests_is_refused() {
        let (bytes, good) = sample();
        let cases = [
            Expected { size: good.size + 1, ..good },
            Expected { size: good.size - 1, ..good },
            Expected { data: good.data + 1, ..good },
            Expected { data: good.data - 1, ..good },
            Expected { chunks: 2, ..good },
            Expected { chunks: 4, ..good },
            Expected { chunks: u64::MAX, ..good },
            Expected { largest: 8191, ..good },
        ];
        for expected in cases {
            assert!(Table::parse(bytes.clone(), &expected).is_err(), "{expected:?}");
        }
        for cut in 0..bytes.len() {
            assert!(Table::parse(bytes[..cut].to_vec(), &good).is_err(), "cut at {cut}");
        }
        assert!(Table::parse([&[4, 0][..], &bytes].concat(), &good).is_err());
    }

    /// The table of a patch: copies before and behind, a difference of which the old range is the whole old image.
    fn patch() -> (Vec<u8>, Expected) {
        let mut builder = Builder::default();
        builder.copy(5000, 3000, [1; 32]);
        builder.difference(8192, 70, (0, 9000), std::array::from_fn(|i| i as u8), [2; 32]);
        builder.zeros(4096);
        builder.copy(1000, 8000, [3; 32]);
        let size = 5000 + 8192 + 4096 + 1000;
        (builder.finish(), Expected { size, data: 70, chunks: 3, largest: 8192, against: Some(9000) })
    }

    #[test]
    fn ranges_of_the_old_image_come_out_as_they_were_put_in() {
        let (bytes, expected) = patch();
        let table = Table::parse(bytes, &expected).unwrap();
        let entries: Vec<_> =
            table.entries().map(|e| (e.kind, e.len, e.stored_at, e.stored, e.old)).collect();
        let old = |offset, len, check| Some(Old { offset, len, check });
        assert_eq!(
            entries,
            [
                (Kind::Copy, 5000, 0, 0, old(3000, 5000, None)),
                (Kind::Difference, 8192, 0, 70, old(0, 9000, Some([0, 1, 2, 3, 4, 5, 6, 7]))),
                (Kind::Zeros, 4096, 70, 0, None),
                (Kind::Copy, 1000, 70, 0, old(8000, 1000, None)),
            ]
        );
    }

    #[test]
    fn what_lies_outside_of_the_old_image_is_refused() {
        let (bytes, good) = patch();
        for against in [None, Some(0), Some(8999)] {
            assert!(Table::parse(bytes.clone(), &Expected { against, ..good }).is_err(), "{against:?}");
        }
        for cut in 0..bytes.len() {
            assert!(Table::parse(bytes[..cut].to_vec(), &good).is_err(), "cut at {cut}");
        }
        let difference = |stored, offset, old_len| {
            let mut builder = Builder::default();
            builder.difference(8192, stored, (offset, old_len), [9; 32], [2; 32]);
            let against = Some(1 << 30);
            let expected = Expected { size: 8192, data: stored, chunks: 1, largest: 8192, against };
            Table::parse(builder.finish(), &expected)
        };
        assert!(difference(70, (1 << 30) - LONGEST_OLD, LONGEST_OLD).is_ok());
        assert!(difference(8191, 0, 1).is_ok());
        let bad = [
            (70, (1 << 30) - LONGEST_OLD + 1, LONGEST_OLD),
            (70, 0, LONGEST_OLD + 1),
            (70, 0, 0),
            (8192, 0, 100),
            (70, u64::MAX - 100, 100),
            (70, u64::MAX >> 1, 100),
        ];
        for (stored, offset, old_len) in bad {
            assert!(difference(stored, offset, old_len).is_err(), "{stored} {offset} {old_len}");
        }
        // Before the start of the old image, by a step that is signed.
        let (step, len) = (1 << 1 | 1, 100 << 2 | 3);
        let bytes = [&[(len & 0x7f | 0x80) as u8, (len >> 7) as u8, 0, step][..], &[7; 32]].concat();
        let expected = Expected { size: 100, data: 0, chunks: 1, largest: 100, against: Some(1 << 30) };
        assert!(Table::parse(bytes.clone(), &expected).is_err());
        assert!(Table::parse([&bytes[..3], &[4], &bytes[4..]].concat(), &expected).is_ok());
    }

    #[test]
    fn numbers_have_one_form() {
        for value in [0, 1, 127, 128, 16383, 16384, u64::MAX >> 1, u64::MAX] {
            let mut builder = Builder::default();
            builder.put(value);
            assert_eq!(varint(&mut &builder.shapes[..]), Ok(value));
        }
        let long = [0xff; 9];
        for bad in [&[0x80, 0][..], &[0x81, 0x80, 0], &[0x80], &[], &[&long[..], &[2]].concat(), &[0x80; 11]]
        {
            assert!(varint(&mut &bad[..]).is_err(), "{bad:02x?}");
        }
    }
}
