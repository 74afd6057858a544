//! Any three lines as versions: their order is an order.
#![no_main]

use bootslot::update::bundle::version::compare;
use libfuzzer_sys::fuzz_target;
use std::cmp::Ordering;

fuzz_target!(|text: &str| {
    let versions: Vec<&str> = text.splitn(3, '\n').collect();
    for a in &versions {
        assert_eq!(compare(a, a), Ordering::Equal);
        for b in &versions {
            assert_eq!(compare(a, b), compare(b, a).reverse(), "{a:?} {b:?}");
            for c in &versions {
                if compare(a, b) != Ordering::Greater && compare(b, c) != Ordering::Greater {
                    assert_ne!(compare(a, c), Ordering::Greater, "{a:?} {b:?} {c:?}");
                }
            }
        }
    }
});
