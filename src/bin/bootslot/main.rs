//! One program: `bootslot`, and by its name also `fw_printenv` and `fw_setenv`.
//!
//! The two drop-ins are in [`fw`], the command groups of `bootslot` in one file each; what they share
//! is in [`target`] (which environment) and [`outcome`] (output, messages, exit codes).

#[cfg(all(feature = "cli", feature = "app"))]
mod app;
#[cfg(all(feature = "cli", feature = "app"))]
mod app_report;
#[cfg(feature = "cli")]
mod bootcount;
#[cfg(all(feature = "cli", feature = "bootloader"))]
mod bootloader;
#[cfg(all(feature = "cli", feature = "update"))]
mod bundle;
#[cfg(feature = "cli")]
mod cli;
#[cfg(feature = "cli")]
mod dialect_report;
#[cfg(all(feature = "cli", feature = "update"))]
mod difference;
#[cfg(feature = "cli")]
mod env;
#[cfg(feature = "cli")]
mod find;
mod fw;
#[cfg(all(feature = "cli", feature = "health"))]
mod health;
#[cfg(all(feature = "cli", feature = "health"))]
mod health_report;
#[cfg(all(feature = "cli", feature = "http"))]
mod http;
#[cfg(all(feature = "cli", feature = "update"))]
mod install;
#[cfg(all(feature = "cli", feature = "update"))]
mod interrupt;
#[cfg(feature = "cli")]
mod journal;
#[cfg(all(feature = "cli", feature = "health"))]
mod kept;
#[cfg(all(feature = "cli", feature = "bootloader"))]
mod loader_report;
#[cfg(all(feature = "cli", feature = "health"))]
mod migrate;
#[cfg(all(feature = "cli", feature = "update"))]
mod origin;
mod outcome;
#[cfg(all(feature = "cli", feature = "update"))]
mod progress;
#[cfg(feature = "cli")]
mod rauc;
#[cfg(feature = "cli")]
mod report;
#[cfg(feature = "cli")]
mod rugix;
#[cfg(feature = "cli")]
mod slots;
#[cfg(feature = "cli")]
mod slots_report;
mod target;
#[cfg(all(feature = "cli", feature = "health"))]
mod told;
#[cfg(all(feature = "cli", feature = "update"))]
mod trust;
#[cfg(all(feature = "cli", feature = "bundle"))]
mod workshop;

// See build.rs.
#[cfg(static_unwinder)]
#[link(name = "libgcc_eh.a", kind = "dylib", modifiers = "+verbatim")]
extern "C" {}

/// The start of a Rust program asks for the ends of the main thread's stack, so that it can tell an overflow from
/// other faults. glibc reads `/proc/self/maps` for an answer, which is a quarter of all that fw_printenv does. Without one
/// an overflow ends the program by SIGSEGV, as any other fault does.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code)] // A symbol of libc's, for this program alone.
#[no_mangle]
extern "C" fn pthread_getattr_np(
    _thread: libc::pthread_t,
    _attributes: *mut libc::pthread_attr_t,
) -> libc::c_int {
    libc::ENOSYS
}

use std::ffi::OsStr;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args_os();
    let called = args.next().unwrap_or_default();
    match drop_in(&called) {
        Some(tool) => fw::run(tool, args),
        None => match args.next().as_deref().and_then(drop_in) {
            Some(tool) => fw::run(tool, args),
            None => bootslot(),
        },
    }
}

/// The drop-in of this name.
fn drop_in(name: &OsStr) -> Option<fw::Tool> {
    match Path::new(name).file_name()?.to_str()? {
        "fw_printenv" => Some(fw::Tool::Print),
        "fw_setenv" => Some(fw::Tool::Set),
        _ => None,
    }
}

#[cfg(feature = "cli")]
fn bootslot() -> ExitCode {
    cli::run()
}

#[cfg(not(feature = "cli"))]
fn bootslot() -> ExitCode {
    let usage =
        "call this program as fw_printenv or fw_setenv (by a link of that name, or with that word as the \
                 first argument); it was built without the feature `cli`";
    outcome::finish("bootslot", Err(outcome::Failure::Usage(usage.into())))
}
