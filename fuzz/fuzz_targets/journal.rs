//! Any bytes as a file of the journal: what is whole is read, and tells a story without a panic. Each record that was read
//! is written as it was.
#![no_main]

use bootslot::journal::{lines, Event, Record, Story};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // A checksum is hard to guess: each line gets its own.
    let mut file = bytes.to_vec();
    for line in bytes.split(|&byte| byte == b'\n') {
        file.extend_from_slice(format!("{:08x} ", crc32fast::hash(line)).as_bytes());
        file.extend_from_slice(line);
        file.push(b'\n');
    }
    let found = lines(&file);
    assert!(found.end <= file.len() as u64);
    for record in &found.records {
        let again = record.to_line();
        assert_eq!(Record::parse(again.trim_end_matches('\n').as_bytes()).as_ref(), Some(record));
        if let Some(event) = Event::of(record) {
            let same = event.record(record.number, record.time, record.boot.clone());
            assert_eq!(Event::of(&same), Some(event));
        }
    }
    let story = Story::of(&found.records);
    let _ = story.unreported();
});
