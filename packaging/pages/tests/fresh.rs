//! The manual pages and completions that are committed are what the command line and docs/ say.

use std::process::Command;

#[test]
fn the_pages_are_fresh() {
    let output = Command::new(env!("CARGO_BIN_EXE_bootslot-pages")).arg("--check").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
