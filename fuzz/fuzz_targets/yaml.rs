//! Any bytes as libubootenv's YAML: an error with a place inside the text, or environments that can be
//! used. The sniffer, which takes either format, must not differ.
#![no_main]

mod config;

use libfuzzer_sys::fuzz_target;
use std::path::Path;

fuzz_target!(|text: &[u8]| {
    config::judge(text, bootslot::config::yaml::parse(Path::new("fw_env.yaml"), text));
    config::judge(text, bootslot::config::Config::parse("fw_env.config", text));
});
