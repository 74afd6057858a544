//! Any bytes as `fw_env.config`: an error with a place inside the text, or environments that can be used.
#![no_main]

mod config;

use libfuzzer_sys::fuzz_target;
use std::path::Path;

fuzz_target!(|text: &[u8]| {
    config::judge(text, bootslot::config::legacy::parse(Path::new("fw_env.config"), text));
});
