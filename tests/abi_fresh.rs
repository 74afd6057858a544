//! The committed kernel ABI is what bindgen makes of the kernel's headers today.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Command;

fn regenerate(option: &str) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/regenerate-abi.sh");
    let output = Command::new(script).arg(option).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_committed_abi_is_fresh() {
    // Needed by who changes src/sys/abi.h, not by who builds or packages the program.
    if Command::new("bindgen").arg("--version").output().is_err() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "bindgen is missing: tools/need-bindgen.sh");
        eprintln!("left out: bindgen is missing");
        return;
    }
    let committed = include_str!("../src/sys/abi.rs");
    let headers = format!("//! Kernel headers: Linux {}.", regenerate("--headers").trim());
    if !committed.contains(&headers) {
        // Other versions may have other padding and other names; the ABI itself never changes.
        eprintln!("left out: the committed ABI was made from other headers than this machine's ({headers})");
        return;
    }
    assert!(
        committed == regenerate("--stdout"),
        "src/sys/abi.rs is not what tools/regenerate-abi.sh makes: run it and commit the result"
    );
}
