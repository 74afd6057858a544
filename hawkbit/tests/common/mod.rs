//! What the tests share: a hawkBit, and bundles that are signed by a key that is trusted.
#![allow(
    missing_docs,
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

pub mod hawkbit;
pub mod http;
pub mod place;
pub mod workshop;
