//! Any text as the file that says where the data stand: it is refused, or it is read and written as it was, and whoever
//! runs, what comes next is decided without a panic.
#![no_main]

use bootslot::migrate::{next, Facts, Next, Refusal, Seen, State, Wanted};
use bootslot::slot::Name;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // A checksum is hard to guess: it gets its own.
    let mut file = bytes.to_vec();
    let crc = crc32fast::hash(&file);
    file.extend_from_slice(format!("crc = {crc:08x}\n").as_bytes());
    assert!(State::decode(bytes).is_err() || bytes.ends_with(b"\n"));
    let Ok(state) = State::decode(&file) else { return };
    let again = state.encode();
    assert_eq!(State::decode(&again).as_ref(), Ok(&state));
    for version in [0, 1, u64::MAX] {
        for slot in [None, Name::new("A"), Name::new("B")] {
            for (confirmed, data) in [(false, false), (false, true), (true, false), (true, true)] {
                let wanted = Wanted { version, initial: None, steps: Vec::new() };
                let facts = Facts { slot: slot.clone(), confirmed, update: None };
                let next = next(Some(&state), &wanted, &facts, Seen { data, leftovers: false });
                let unknown = matches!(next, Next::Refuse(Refusal::RunningUnknown));
                assert!(!unknown || slot.is_none(), "{state:?}: {next:?}");
            }
        }
    }
});
