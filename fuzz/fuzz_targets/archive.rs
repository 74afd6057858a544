//! Any bytes as the archive of an application, unpacked into simulated files: an error, or a folder that can be read back; and
//! nothing outside of it. Any bytes as the state of an application: an error, or a state that says the same when it is written.
#![no_main]

use bootslot::app::{read_back, unpack, Pax, State};
use bootslot::files::sim::SimFiles;
use bootslot::files::Files;
use libfuzzer_sys::fuzz_target;
use std::path::Path;

fuzz_target!(|bytes: &[u8]| {
    let mut files = SimFiles::new();
    files.make_folder(Path::new("in")).unwrap();
    files.write(Path::new("in/other"), b"other").unwrap();
    let to = Path::new("in/to");
    let devices = bytes.len() % 2 == 1;
    if let Ok(unpacked) = unpack(&mut files, &mut &bytes[..], to, devices) {
        assert!(read_back(&mut files, to, &unpacked).is_ok());
        assert!(unpacked.bytes <= bytes.len() as u64);
    }
    let contents = files.contents();
    assert_eq!(contents.get(Path::new("in/other")).map(Vec::as_slice), Some(&b"other"[..]));
    assert!(contents.keys().all(|path| path.starts_with(to) || path == Path::new("in/other")));
    let _ = Pax::parse(bytes);
    if let Ok(state) = State::decode(bytes) {
        assert_eq!(State::decode(&state.encode()), Ok(state));
    }
});
