//! Any bytes as a chunk table, behind what the manifest says of it: an error, or a table that says the same.
#![no_main]

use bootslot::update::bundle::table::{Expected, Kind, Table};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut rest = bytes;
    let mut number = || {
        let (first, others) = rest.split_first_chunk::<8>()?;
        rest = others;
        Some(u64::from_le_bytes(*first))
    };
    let (Some(size), Some(data), Some(chunks), Some(largest)) = (number(), number(), number(), number())
    else {
        return;
    };
    let expected = Expected { size, data, chunks, largest };
    let Ok(table) = Table::parse(rest.to_vec(), &expected) else { return };
    let (mut offset, mut stored_at, mut seen) = (0, 0, 0);
    for entry in table.entries() {
        assert_eq!((entry.offset, entry.stored_at, entry.number), (offset, stored_at, seen));
        assert!(entry.kind == Kind::Zeros || entry.len <= largest && entry.stored <= entry.len);
        offset += entry.len;
        stored_at += entry.stored;
        if entry.kind != Kind::Zeros {
            table.digest(seen);
            seen += 1;
        }
    }
    assert_eq!((offset, stored_at, seen), (size, data, table.chunks()));
    assert_eq!(seen as u64, chunks);
});
