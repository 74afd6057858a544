//! Decides how the program (not the library) is linked: for a fast start, or for little room.
//!
//! **A fast start.** The standard library needs GCC's unwinder and takes it from `libgcc_s.so`, whose
//! loading costs each `fw_printenv` about 35,000 instructions (of 285,000 for an empty program). The same
//! code is in `libgcc_eh.a`, which comes with every GCC: 30 KiB in the file instead of a library at run
//! time.
//!
//! **Little room**, where everything is compiled for size (`opt-level = "z"`, the profile `small`): the
//! unwinder stays outside, the tables that it would read are left out, and `cfg(small)` says so to the code.
//!
//! The C library (feature `capi`) is linked with the unwinder too, since it stops panics at its border.
//! The library crate is left alone otherwise: programs that use it link as they like.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

const TABLES_LEFT_OUT: &str = "src/bin/bootslot/no-unwind.ld";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={TABLES_LEFT_OUT}");
    println!("cargo::rustc-check-cfg=cfg(static_unwinder)");
    println!("cargo::rustc-check-cfg=cfg(small)");
    if var("OPT_LEVEL") == "z" {
        println!("cargo::rustc-cfg=small");
        if var("CARGO_CFG_TARGET_OS") == "linux" && links_with_gcc() {
            let script = PathBuf::from(var("CARGO_MANIFEST_DIR")).join(TABLES_LEFT_OUT);
            println!("cargo::rustc-link-arg-bins=-Wl,-T,{}", script.display());
            println!("cargo::rustc-link-arg-bins=-Wl,--no-eh-frame-hdr");
        }
    } else if wants_unwinder() && linker_has("libgcc_eh.a") {
        println!("cargo::rustc-cfg=static_unwinder");
        if env::var_os("CARGO_FEATURE_CAPI").is_some() {
            println!("cargo::rustc-link-lib=dylib:+verbatim=libgcc_eh.a");
        }
    }
}

fn var(name: &str) -> String {
    env::var(name).unwrap_or_default()
}

/// Only where rustc would ask for `libgcc_s.so`: glibc, linked dynamically.
fn wants_unwinder() -> bool {
    var("CARGO_CFG_TARGET_OS") == "linux"
        && var("CARGO_CFG_TARGET_ENV") == "gnu"
        && !var("CARGO_CFG_TARGET_FEATURE").split(',').any(|feature| feature == "crt-static")
}

/// The linker, where it is known: the one that is configured, or the compiler of this machine.
fn linker() -> Option<OsString> {
    match env::var_os("RUSTC_LINKER") {
        None if var("TARGET") != var("HOST") => None,
        None => Some("cc".into()),
        linker => linker,
    }
}

/// Whether the linker takes the options of a GCC.
fn links_with_gcc() -> bool {
    let Some(linker) = linker() else { return false };
    let name = Path::new(&linker).file_name().unwrap_or_default().to_string_lossy().into_owned();
    name == "cc" || name.contains("gcc") || name.contains("clang")
}

/// Whether the linker is a GCC that finds this library: it prints a path then, and the bare name otherwise.
fn linker_has(library: &str) -> bool {
    let Some(linker) = linker() else { return false };
    match Command::new(linker).arg(format!("-print-file-name={library}")).output() {
        Ok(output) => {
            let path = String::from_utf8_lossy(&output.stdout);
            let path = Path::new(path.trim());
            path.is_absolute() && path.is_file()
        }
        Err(_) => false,
    }
}
