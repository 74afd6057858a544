//! Any bytes as a bundle from a pipe: an error, or a bundle whose images are those of its manifest. Its signatures are
//! not asked for, so that more of it is read than on a device.
#![no_main]

use bootslot::update::source::StreamSource;
use bootslot::update::{self, Bundle};
use libfuzzer_sys::fuzz_target;
use std::io::Cursor;
use std::ops::ControlFlow;

fuzz_target!(|bytes: &[u8]| {
    let source = Box::new(StreamSource::new(Cursor::new(bytes.to_vec())));
    let Ok(mut bundle) = Bundle::inspect(source) else { return };
    let end = bundle.size();
    for (payload, position) in bundle.payloads() {
        assert!(position.table + payload.table <= end && position.data + payload.data <= end);
    }
    let whole = update::verify(&mut bundle, &[], &mut |_| ControlFlow::Continue(())).is_ok();
    assert!(!whole || end <= bytes.len() as u64);
});
