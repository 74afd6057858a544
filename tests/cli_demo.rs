//! The demo runs, and shows what it says.
#![cfg(all(feature = "cli", feature = "bundle"))]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod cli_support;

use std::process::Command;

use cli_support::*;

#[test]
fn the_demo_shows_what_it_says() {
    if !have("prlimit") {
        return;
    }
    let place = Place::new();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/demo.sh");
    // Everything happens in a temporary directory, which is gone afterwards.
    let mut demo = Command::new("bash");
    demo.arg(script).arg(env!("CARGO_BIN_EXE_bootslot")).env("TMPDIR", place.path("lock"));
    let output = run(&mut demo).ok();
    for line in [
        "4 stores for a whole update.",
        "A normal boot stores nothing.",
        "last failure: slot A was not reported healthy within its tries (update \"77c0ffee00000bad\")",
        "refused: slot B is running\nexit code 5",
        "the new one, 0 times neither;",
        "killed (exit code 153 = 128 + SIGXFSZ)",
        "copy 1: bad CRC     standby  env.img at 0x4000, file",
        "Copy 1 was rewritten from copy 0",
        "0 times neither",
        "Version 1.1 (",
        "is in slot B, read back, and on trial from the next boot on",
        " were there already\n",
        "Already done, nothing stored: version 1.1 (",
    ] {
        assert!(output.contains(line), "{line}\n{output}");
    }
    assert_eq!(std::fs::read_dir(place.path("lock")).unwrap().count(), 0);
}
