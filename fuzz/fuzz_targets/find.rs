//! Any bytes as a device: nothing panics, pieces and holes change nothing, and what is found has a right checksum.
#![no_main]

use bootslot::env::image::Layout;
use bootslot::find::{ByteOrder, Findings, Scanner};
use libfuzzer_sys::fuzz_target;

fn scan(bytes: &[u8], piece: usize, holes: bool) -> Findings {
    let mut scanner = Scanner::new();
    for piece in bytes.chunks(piece) {
        if holes && piece.iter().all(|&byte| byte == 0) {
            scanner.zeros(piece.len() as u64);
        } else {
            scanner.feed(piece);
        }
    }
    scanner.finish()
}

/// The bytes, in which `@` and the next byte stand for a checksum that the fuzzer could not guess: that of as many
/// blocks of 16 bytes as the byte says, or with its highest bit set the same in the other byte order.
fn with_checksums(input: &[u8]) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for at in (0..input.len().saturating_sub(6)).rev() {
        if input[at] == b'@' {
            let (start, len) = (at + 4, 16 * usize::from(input[at + 1] & 0x7f) + 124);
            let flags = usize::from(input[at + 2] & 1);
            let Some(data) = bytes.get(start + flags..start + len) else { continue };
            let crc = crc32fast::hash(data);
            let crc = if input[at + 1] & 0x80 == 0 { crc.to_le_bytes() } else { crc.to_be_bytes() };
            bytes[at..start].copy_from_slice(&crc);
        }
    }
    bytes
}

fuzz_target!(|input: &[u8]| {
    let Some((&piece, input)) = input.split_first() else { return };
    let bytes = with_checksums(input);
    let found = scan(&bytes, usize::MAX, false);
    assert_eq!(scan(&bytes, 16 * usize::from(piece) + 7, false), found);
    assert_eq!(scan(&bytes, 64, true), found);
    let mut end = 0;
    for copy in &found.copies {
        assert!(end <= copy.offset);
        end = copy.end();
        let copy_bytes = &bytes[copy.offset as usize..end as usize];
        let crc = crc32fast::hash(&copy_bytes[copy.layout.header()..]);
        let header = match copy.order {
            ByteOrder::Little => crc.to_le_bytes(),
            ByteOrder::Big => crc.to_be_bytes(),
        };
        assert_eq!(copy_bytes[..4], header);
        assert_eq!(copy.flags, (copy.layout == Layout::Redundant).then(|| copy_bytes[4]));
    }
});
