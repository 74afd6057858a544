//! Decides whether the program can do without `libgcc_s.so`.
//!
//! The standard library needs GCC's unwinder and takes it from `libgcc_s.so`, whose loading costs each
//! `fw_printenv` about 35,000 instructions (of 285,000 for an empty program). The same code is in
//! `libgcc_eh.a`, which comes with every GCC: 30 KiB in the file instead of a library at run time. The C
//! library (feature `capi`) is linked with it too; the library crate is left alone otherwise, so that
//! programs which use it link as they like.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(static_unwinder)");
    if wanted() && linker_has("libgcc_eh.a") {
        println!("cargo::rustc-cfg=static_unwinder");
        if env::var_os("CARGO_FEATURE_CAPI").is_some() {
            println!("cargo::rustc-link-lib=dylib:+verbatim=libgcc_eh.a");
        }
    }
}

/// Only where rustc would ask for `libgcc_s.so`: glibc, linked dynamically.
fn wanted() -> bool {
    let var = |name: &str| env::var(name).unwrap_or_default();
    var("CARGO_CFG_TARGET_OS") == "linux"
        && var("CARGO_CFG_TARGET_ENV") == "gnu"
        && !var("CARGO_CFG_TARGET_FEATURE").split(',').any(|feature| feature == "crt-static")
}

/// Whether the linker is a GCC that finds this library: it prints a path then, and the bare name otherwise.
fn linker_has(library: &str) -> bool {
    let linker = env::var_os("RUSTC_LINKER").unwrap_or_else(|| "cc".into());
    let host = env::var("HOST").unwrap_or_default();
    if env::var_os("RUSTC_LINKER").is_none() && env::var("TARGET").unwrap_or_default() != host {
        return false;
    }
    match Command::new(linker).arg(format!("-print-file-name={library}")).output() {
        Ok(output) => {
            let path = String::from_utf8_lossy(&output.stdout);
            let path = Path::new(path.trim());
            path.is_absolute() && path.is_file()
        }
        Err(_) => false,
    }
}
