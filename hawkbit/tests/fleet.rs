//! The fleet of `examples/fleet.rs`, small: no device is lost, whatever power and network do.
#![allow(clippy::unwrap_used)]

use std::process::Command;

#[test]
fn a_small_fleet_gets_there_and_says_so() {
    let tests = std::env::current_exe().unwrap();
    let program = tests.parent().unwrap().parent().unwrap().join("examples/fleet");
    assert!(program.exists(), "cargo builds it where all tests are built: cargo test -p bootslot-hawkbit");
    let output = Command::new(program).args(["150", "7"]).output().unwrap();
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{table}{}", String::from_utf8_lossy(&output.stderr));
    for line in [
        "| devices lost, or of which the server believes something else | 0 (goal: 0) |",
        "| devices on the right version | 150 |",
        "| the bad update: reached, told as failed, tried again | 15, 15, 0 |",
    ] {
        assert!(table.contains(line), "{table}");
    }
    // There was trouble.
    let cuts = table.lines().find_map(|line| line.strip_prefix("| boots, power cuts | ")).unwrap();
    assert!(
        cuts.split([',', ' ', '|']).filter_map(|word| word.parse::<u32>().ok()).all(|count| count > 50),
        "{table}"
    );
}
