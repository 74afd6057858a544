//! The C library: what `include/bootslot.h` and `include/libuboot.h` declare.
//!
//! Rust programs have no use for this module; it is public so that its list of functions can be tested.
//!
//! | file | job |
//! |---|---|
//! | `boundary.rs` | declares and guards every exported function; handles, and what goes through pointers |
//! | `given.rs` | the strings that a handle has lent |
//! | `code.rs` | error codes and their texts |
//! | `env.rs` | the environment |
//! | `slots.rs` | the slots |
//! | `slots_options.rs` | what they are opened with |
//! | `counter.rs` | the boot counter |
//! | `bundle.rs` | bundles: opened, and what they say (feature `update`) |
//! | `source.rs` | where their bytes come from |
//! | `install.rs` | their installation |
//! | `observed.rs` | a boot compared with the journal, and what is refused (feature `settings`) |
//! | `report.rs` | what became of the last update (feature `health`) |
//! | `trial.rs` | the health of the system on trial |
//! | `told.rs` | what a handle keeps of these two |
//! | `data.rs` | the migration of its data |
//! | `libuboot.rs` | libubootenv's functions |
//!
//! There are no rules here: convert, call, convert.

// The names are those of C.
#![allow(non_camel_case_types)]

#[macro_use]
mod boundary;
#[cfg(feature = "update")]
mod bundle;
mod code;
mod counter;
#[cfg(feature = "health")]
mod data;
mod env;
mod given;
#[cfg(feature = "update")]
mod install;
#[cfg(feature = "libubootenv")]
pub(crate) mod libuboot;
#[cfg(feature = "settings")]
mod observed;
#[cfg(feature = "health")]
mod report;
mod slots;
mod slots_options;
#[cfg(feature = "update")]
mod source;
#[cfg(feature = "health")]
mod told;
#[cfg(feature = "health")]
mod trial;

use std::ffi::{c_char, CStr, CString};

#[cfg(feature = "update")]
pub use bundle::{bootslot_bundle, bootslot_bundle_options, bootslot_image, bootslot_manifest};
pub use code::bootslot_code;
#[cfg(feature = "health")]
pub use data::{bootslot_migrated, bootslot_migration};
pub use env::{bootslot_copy_state, bootslot_env, bootslot_env_options, bootslot_health};
#[cfg(feature = "update")]
pub use install::{
    bootslot_install_options, bootslot_installed, bootslot_listener, bootslot_phase, bootslot_progress,
};
#[cfg(feature = "settings")]
pub use observed::{bootslot_finding, bootslot_observed, bootslot_refused};
#[cfg(feature = "health")]
pub use report::{
    bootslot_answer, bootslot_answer_state, bootslot_evidence, bootslot_message, bootslot_report,
    bootslot_verdict, bootslot_waiting,
};
pub use slots::{
    bootslot_mark, bootslot_reason, bootslot_slot, bootslot_slots, bootslot_standing, bootslot_status,
};
pub use slots_options::bootslot_slots_options;
#[cfg(feature = "update")]
pub use source::{bootslot_download_options, bootslot_reader, bootslot_wait, bootslot_waiter};
#[cfg(feature = "health")]
pub use trial::{
    bootslot_check, bootslot_decided, bootslot_decision, bootslot_health_options, bootslot_result,
};

/// Every function of `bootslot.h`.
pub const EXPORTS: &[&[&str]] = &[
    GENERAL,
    env::EXPORTS,
    slots::EXPORTS,
    counter::EXPORTS,
    #[cfg(feature = "update")]
    bundle::EXPORTS,
    #[cfg(feature = "update")]
    install::EXPORTS,
    #[cfg(feature = "settings")]
    observed::EXPORTS,
    #[cfg(feature = "health")]
    report::EXPORTS,
    #[cfg(feature = "health")]
    trial::EXPORTS,
    #[cfg(feature = "health")]
    data::EXPORTS,
];

/// Every function of `libuboot.h`.
#[cfg(feature = "libubootenv")]
pub const LIBUBOOT_EXPORTS: &[&str] = libuboot::EXPORTS;

/// This version as text.
const VERSION: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
    Ok(version) => version,
    Err(_) => c"",
};

exports! { GENERAL:
    /// The version of the library that runs: `BOOTSLOT_VERSION` of the header it was built with.
    fn bootslot_version() -> u32 {
        BOOTSLOT_VERSION
    }

    /// The same as text, "1.2.3". Static.
    fn bootslot_version_string() -> *const c_char {
        VERSION.as_ptr()
    }

    /// What a code means, in a few words. Static; never NULL, whatever the number.
    fn bootslot_strerror(code: i32) -> *const c_char {
        code::text(code).as_ptr()
    }

    /// Frees a `char *` that this library gave away. NULL is nothing to free.
    fn bootslot_string_free(string: *mut c_char) {
        if !string.is_null() {
            drop(CString::from_raw(string));
        }
    }
}

/// The version of the library that this header belongs to: 0x00MMmmpp for MM.mm.pp.
pub const BOOTSLOT_VERSION: u32 = version_number(env!("CARGO_PKG_VERSION"));

/// Major, minor and patch number in a byte each.
const fn version_number(text: &str) -> u32 {
    let bytes = text.as_bytes();
    let (mut number, mut part, mut at) = (0, 0, 0);
    while let Some((&byte, _)) = bytes.split_at(at).1.split_first() {
        match byte {
            b'0'..=b'9' => part = part * 10 + (byte - b'0') as u32,
            b'.' => (number, part) = (number << 8 | part, 0),
            _ => break,
        }
        at += 1;
    }
    number << 8 | part
}

/// For tests: the next call of an exported function panics.
#[cfg(feature = "panic-hook")]
#[no_mangle]
pub extern "C" fn bootslot_test_panic_next() {
    boundary::PANIC_NEXT.store(true, std::sync::atomic::Ordering::SeqCst);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ffi-tests/bindings.rs holds the same numbers against what a C compiler makes of the header.
    #[cfg(target_pointer_width = "64")]
    #[test]
    fn structures_are_as_the_header_lays_them_out() {
        use std::mem::{align_of, size_of};
        assert_eq!(size_of::<bootslot_env_options>(), 40);
        assert_eq!(size_of::<bootslot_health>(), 72);
        assert_eq!(size_of::<bootslot_slots_options>(), 80);
        assert_eq!(size_of::<bootslot_status>(), 80);
        assert_eq!(size_of::<bootslot_slot>(), 24);
        assert_eq!(align_of::<bootslot_health>(), 8);
        assert_eq!(size_of::<bootslot_code>(), 4);
    }

    /// ffi-tests/update.c has the same numbers.
    #[cfg(all(feature = "update", target_pointer_width = "64"))]
    #[test]
    fn structures_of_updates_are_as_the_header_lays_them_out() {
        use boundary::Sized1;
        use std::mem::size_of;
        assert_eq!((size_of::<bootslot_bundle_options>(), bootslot_bundle_options::FIRST), (40, 40));
        assert_eq!((size_of::<bootslot_download_options>(), bootslot_download_options::FIRST), (88, 88));
        assert_eq!((size_of::<bootslot_install_options>(), bootslot_install_options::FIRST), (40, 40));
        assert_eq!((size_of::<bootslot_manifest>(), bootslot_manifest::FIRST), (120, 120));
        assert_eq!((size_of::<bootslot_image>(), bootslot_image::FIRST), (48, 48));
        assert_eq!((size_of::<bootslot_installed>(), bootslot_installed::FIRST), (72, 72));
        assert_eq!((size_of::<bootslot_progress>(), size_of::<bootslot_wait>()), (72, 32));
    }

    /// ffi-tests/slots.c has the same numbers.
    #[cfg(all(feature = "settings", target_pointer_width = "64"))]
    #[test]
    fn structures_of_the_journal_are_as_the_header_lays_them_out() {
        use boundary::Sized1;
        use std::mem::size_of;
        assert_eq!((size_of::<bootslot_observed>(), bootslot_observed::FIRST), (32, 32));
        assert_eq!((size_of::<bootslot_refused>(), bootslot_refused::FIRST), (56, 56));
    }

    /// ffi-tests/trial.c has the same numbers.
    #[cfg(all(feature = "health", target_pointer_width = "64"))]
    #[test]
    fn structures_of_trials_are_as_the_header_lays_them_out() {
        use boundary::Sized1;
        use std::mem::size_of;
        assert_eq!((size_of::<bootslot_report>(), bootslot_report::FIRST), (136, 136));
        assert_eq!((size_of::<bootslot_evidence>(), bootslot_evidence::FIRST), (32, 32));
        assert_eq!((size_of::<bootslot_message>(), bootslot_message::FIRST), (80, 80));
        assert_eq!((size_of::<bootslot_answer>(), bootslot_answer::FIRST), (40, 40));
        assert_eq!((size_of::<bootslot_waiting>(), bootslot_waiting::FIRST), (24, 24));
        assert_eq!((size_of::<bootslot_health_options>(), bootslot_health_options::FIRST), (48, 48));
        assert_eq!((size_of::<bootslot_decision>(), bootslot_decision::FIRST), (64, 64));
        assert_eq!((size_of::<bootslot_check>(), bootslot_check::FIRST), (56, 56));
        assert_eq!((size_of::<bootslot_migrated>(), bootslot_migrated::FIRST), (32, 32));
        assert_eq!((size_of::<bootslot_migration>(), bootslot_migration::FIRST), (48, 48));
    }

    /// See `structures_end_with_a_member`; here the first version is the whole.
    #[cfg(feature = "health")]
    #[test]
    fn structures_of_trials_end_with_a_member() {
        use boundary::Sized1;
        use std::mem::size_of;
        assert_eq!(size_of::<bootslot_observed>(), bootslot_observed::FIRST);
        assert_eq!(size_of::<bootslot_refused>(), bootslot_refused::FIRST);
        assert_eq!(size_of::<bootslot_report>(), bootslot_report::FIRST);
        assert_eq!(size_of::<bootslot_evidence>(), bootslot_evidence::FIRST);
        assert_eq!(size_of::<bootslot_message>(), bootslot_message::FIRST);
        assert_eq!(size_of::<bootslot_answer>(), bootslot_answer::FIRST);
        assert_eq!(size_of::<bootslot_waiting>(), bootslot_waiting::FIRST);
        assert_eq!(size_of::<bootslot_health_options>(), bootslot_health_options::FIRST);
        assert_eq!(size_of::<bootslot_decision>(), bootslot_decision::FIRST);
        assert_eq!(size_of::<bootslot_check>(), bootslot_check::FIRST);
        assert_eq!(size_of::<bootslot_migrated>(), bootslot_migrated::FIRST);
        assert_eq!(size_of::<bootslot_migration>(), bootslot_migration::FIRST);
    }

    /// See `structures_end_with_a_member`; here the first version is the whole.
    #[cfg(feature = "update")]
    #[test]
    fn structures_of_updates_end_with_a_member() {
        use boundary::Sized1;
        use std::mem::{offset_of, size_of};
        assert_eq!(size_of::<bootslot_bundle_options>(), bootslot_bundle_options::FIRST);
        assert_eq!(size_of::<bootslot_download_options>(), bootslot_download_options::FIRST);
        assert_eq!(size_of::<bootslot_install_options>(), bootslot_install_options::FIRST);
        assert_eq!(size_of::<bootslot_manifest>(), bootslot_manifest::FIRST);
        assert_eq!(size_of::<bootslot_image>(), bootslot_image::FIRST);
        assert_eq!(size_of::<bootslot_installed>(), bootslot_installed::FIRST);
        assert_eq!(size_of::<bootslot_progress>(), offset_of!(bootslot_progress, reserved) + 4);
        assert_eq!(size_of::<bootslot_wait>(), offset_of!(bootslot_wait, reserved) + 7);
    }

    /// These are for ever: programs were built with structures of these sizes.
    #[cfg(target_pointer_width = "64")]
    #[test]
    fn structures_of_the_first_version_are_taken() {
        use boundary::Sized1;
        assert_eq!(bootslot_env_options::FIRST, 40);
        assert_eq!(bootslot_health::FIRST, 72);
        assert_eq!(bootslot_slots_options::FIRST, 72);
        assert_eq!(bootslot_status::FIRST, 80);
        assert_eq!(bootslot_slot::FIRST, 24);
    }

    /// A byte that belongs to no member would hold anything in an old program, where a later version may put
    /// one.
    #[test]
    fn structures_end_with_a_member() {
        use std::mem::{offset_of, size_of};
        assert_eq!(size_of::<bootslot_env_options>(), offset_of!(bootslot_env_options, reserved) + 4);
        assert_eq!(size_of::<bootslot_status>(), offset_of!(bootslot_status, reserved) + 4);
        assert_eq!(size_of::<bootslot_slot>(), offset_of!(bootslot_slot, reserved) + 1);
        assert_eq!(offset_of!(bootslot_health, size), offset_of!(bootslot_health, reserved) + 5);
        let pointer = size_of::<*const c_char>();
        let last = offset_of!(bootslot_slots_options, last_resort);
        assert_eq!(size_of::<bootslot_slots_options>(), last + pointer);
        assert_eq!(last, offset_of!(bootslot_slots_options, reserved) + 6);
        assert_eq!(size_of::<bootslot_health>(), offset_of!(bootslot_health, findings) + pointer);
    }

    #[test]
    fn versions_are_numbers() {
        assert_eq!(version_number("0.1.0"), 0x000100);
        assert_eq!(version_number("1.22.3"), 0x011603);
        assert_eq!(version_number("1.2.3-rc.4"), 0x010203);
        let line = format!("#define BOOTSLOT_VERSION {BOOTSLOT_VERSION:#08x}\n");
        assert!(
            include_str!("../../include/bootslot.h").contains(&line),
            "the header is not of this version"
        );
    }
}
