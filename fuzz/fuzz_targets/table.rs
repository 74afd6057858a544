//! Any bytes as a chunk table, behind what the manifest says of it: an error, or a table that says the same.
#![no_main]

use bootslot::update::bundle::table::{Expected, Kind, Table, LONGEST_OLD};
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
    // Of a patch the size of the old image follows: 0 is the table of a full image.
    let Some(against) = number().map(|size| Some(size).filter(|&size| size > 0)) else { return };
    let expected = Expected { size, data, chunks, largest, against };
    let Ok(table) = Table::parse(rest.to_vec(), &expected) else { return };
    let (mut offset, mut stored_at, mut seen) = (0, 0, 0);
    for entry in table.entries() {
        assert_eq!((entry.offset, entry.stored_at, entry.number), (offset, stored_at, seen));
        assert!(entry.kind == Kind::Zeros || entry.len <= largest && entry.stored <= entry.len);
        assert_eq!(entry.old.is_some(), matches!(entry.kind, Kind::Copy | Kind::Difference));
        if let Some(old) = entry.old {
            assert!(old.offset + old.len <= against.unwrap());
            let copy = old.len == entry.len && old.check.is_none();
            assert!(if entry.kind == Kind::Copy {
                copy
            } else {
                old.len <= LONGEST_OLD && old.check.is_some()
            });
        }
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
