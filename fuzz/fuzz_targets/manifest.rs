//! Any bytes as a manifest: an error, or a manifest that is written and read again as the same.
#![no_main]

use bootslot::update::bundle::manifest::Manifest;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let Ok(manifest) = Manifest::parse(text) else { return };
    let written = manifest.to_text().expect("what was read can be written");
    assert_eq!(Manifest::parse(written.as_bytes()).expect("what was written can be read"), manifest);
});
