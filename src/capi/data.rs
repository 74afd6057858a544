//! The data of a system that is on trial, for C: their migration, and that they are kept.

use std::ffi::c_char;

use super::boundary::{given_size, write_sized, Sized1};
use super::code::bootslot_code::{self, *};
use super::observed::lend;
use super::slots::{bootslot_slots, call};
use crate::migrate::{self, State};
use crate::trial;

/// What a migration has come to. Its string is borrowed.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct bootslot_migrated {
    /// sizeof(bootslot_migrated), set by the caller
    pub struct_size: usize,
    /// What went wrong beside the migration, such as a journal that can't be written: a sentence in each line. NULL: nothing.
    pub complaints: *const c_char,
    /// The version that the data have now.
    pub version: u64,
    /// Whether there are any: the settings name folders.
    pub migrates: bool,
    /// For later versions: zero.
    pub reserved: [u8; 7],
}

// SAFETY: zero bytes are numbers, false and a NULL pointer.
unsafe impl Sized1 for bootslot_migrated {
    const FIRST: usize = end_of!(Self, reserved: [u8; 7]);
}

/// Where the data stand. Its strings are borrowed.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct bootslot_migration {
    /// sizeof(bootslot_migration), set by the caller
    pub struct_size: usize,
    /// What the state file says, in a word: "none", "clean", "copying", "steps", "trial", "restoring". NULL if `migrates` is
    /// false.
    pub state: *const c_char,
    /// What bootslot_slots_migrate would do first, as a phrase; NULL if `migrates` is false.
    pub next: *const c_char,
    /// The version that the data have.
    pub version: u64,
    /// The version that the running system wants.
    pub wanted: u64,
    /// Whether there are any: the settings name folders.
    pub migrates: bool,
    /// Whether the data are as the running system wants them.
    pub ready: bool,
    /// Whether `version` is known: somebody has counted them, and they are not between two versions.
    pub counted: bool,
    /// For later versions: zero.
    pub reserved: [u8; 5],
}

// SAFETY: zero bytes are numbers, false and NULL pointers.
unsafe impl Sized1 for bootslot_migration {
    const FIRST: usize = end_of!(Self, reserved: [u8; 5]);
}

exports! { EXPORTS:
    /// Brings the data to the version that the running system wants, or takes back what another system has made of them. Call
    /// this before the services start, and start them only if it succeeds. It may take as long as the steps of the
    /// system. Called again it does nothing.
    fn bootslot_slots_migrate(slots: *mut bootslot_slots, migrated: *mut bootslot_migrated) -> bootslot_code {
        call(slots, |session| {
            given_size(migrated)?;
            let mut complaints = Vec::new();
            let version =
                trial::migrate(session.device()?, &mut |sentence| complaints.push(sentence.to_string()))?;
            let ours = bootslot_migrated {
                struct_size: 0,
                complaints: lend(session, &complaints.join("\n")),
                version: version.unwrap_or_default(),
                migrates: version.is_some(),
                reserved: [0; 7],
            };
            write_sized(migrated, &ours)?;
            Ok(BOOTSLOT_OK)
        })
    }

    /// Keeps the migrated data for good. Call this after bootslot_slots_confirm. If you do not, or if it fails, the next
    /// bootslot_slots_migrate in this slot does the same. If the slot is not confirmed, or nothing was migrated, it does
    /// nothing.
    fn bootslot_slots_keep_data(slots: *mut bootslot_slots) -> bootslot_code {
        call(slots, |session| {
            let device = session.device()?;
            device.state()?;
            // What the journal does not know of it is not what was asked for.
            trial::keep(device, &mut |_| {})?;
            Ok(BOOTSLOT_OK)
        })
    }

    /// Gets where the data stand. Nothing is written.
    fn bootslot_slots_migration(slots: *mut bootslot_slots, migration: *mut bootslot_migration) -> bootslot_code {
        call(slots, |session| {
            given_size(migration)?;
            let device = session.device()?;
            let facts = trial::facts(device, &mut |_| {});
            let status = migrate::status(&device.settings().migrate, &facts)?;
            let state = status.as_ref().map(|status| status.state.as_ref());
            let version = state.flatten().and_then(State::version);
            let next = status.as_ref().map(|status| status.next.to_string()).unwrap_or_default();
            let ours = bootslot_migration {
                struct_size: 0,
                state: lend(session, state.map_or("", |state| state.map_or("none", State::word))),
                next: lend(session, &next),
                version: version.unwrap_or_default(),
                wanted: status.as_ref().map_or(0, |status| status.wanted.version),
                migrates: status.is_some(),
                ready: status.as_ref().is_some_and(migrate::Status::is_ready),
                counted: version.is_some(),
                reserved: [0; 5],
            };
            write_sized(migration, &ours)?;
            Ok(BOOTSLOT_OK)
        })
    }
}
