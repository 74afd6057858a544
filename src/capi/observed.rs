//! A boot compared with the journal, and the updates that are refused here, for C (feature `settings`).

use std::ffi::c_char;
use std::ptr;
use std::time::{SystemTime, UNIX_EPOCH};

use super::boundary::{given_size, optional_text, text, write_sized, Sized1};
use super::code::bootslot_code::{self, *};
use super::slots::{bootslot_slots, call, Session};
use crate::device::Refused;
use crate::journal::Finding;

/// What was found of a boot, compared with what the journal knows.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum bootslot_finding {
    /// Nothing: the settings name no folder for a journal (`state`).
    BOOTSLOT_FINDING_NONE = 0,
    /// The journal knows of nothing before.
    BOOTSLOT_FINDING_FIRST = 1,
    /// The boot state is the one that was recorded, or what the boot script makes of it.
    BOOTSLOT_FINDING_AS_RECORDED = 2,
    /// The boot script has ended a trial: another slot is active.
    BOOTSLOT_FINDING_ROLLED_BACK = 3,
    /// The active slot did not load this time, and another one runs.
    BOOTSLOT_FINDING_PASSED_OVER = 4,
    /// The environment holds no boot state any more.
    BOOTSLOT_FINDING_ENVIRONMENT_LOST = 5,
    /// Neither an order nor the boot script leads from what was recorded to what is there.
    BOOTSLOT_FINDING_CHANGED_BY_HAND = 6,
}

impl From<Finding> for bootslot_finding {
    fn from(finding: Finding) -> Self {
        match finding {
            Finding::First => bootslot_finding::BOOTSLOT_FINDING_FIRST,
            Finding::AsRecorded => bootslot_finding::BOOTSLOT_FINDING_AS_RECORDED,
            Finding::RolledBack => bootslot_finding::BOOTSLOT_FINDING_ROLLED_BACK,
            Finding::PassedOver => bootslot_finding::BOOTSLOT_FINDING_PASSED_OVER,
            Finding::EnvironmentLost => bootslot_finding::BOOTSLOT_FINDING_ENVIRONMENT_LOST,
            Finding::ChangedByHand => bootslot_finding::BOOTSLOT_FINDING_CHANGED_BY_HAND,
        }
    }
}

/// What was found of this boot. Its string is borrowed.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct bootslot_observed {
    /// sizeof(bootslot_observed), set by the caller
    pub struct_size: usize,
    /// The slot that runs; NULL if that is unknown.
    pub slot: *const c_char,
    /// How many records were added to the journal.
    pub recorded: usize,
    /// What it means.
    pub finding: bootslot_finding,
    /// For later versions: zero.
    pub reserved: [u8; 4],
}

// SAFETY: zero bytes are numbers, a NULL pointer and BOOTSLOT_FINDING_NONE.
unsafe impl Sized1 for bootslot_observed {
    const FIRST: usize = end_of!(Self, reserved: [u8; 4]);
}

/// An update that has failed here, and is refused for it. Its strings are borrowed.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct bootslot_refused {
    /// sizeof(bootslot_refused), set by the caller
    pub struct_size: usize,
    /// The id of the update that has failed.
    pub update: *const c_char,
    /// Its version; NULL if that is unknown.
    pub version: *const c_char,
    /// The slot that it was in; NULL if that is unknown.
    pub slot: *const c_char,
    /// Why it failed, in a word; NULL if that is unknown.
    pub reason: *const c_char,
    /// All this in a sentence.
    pub text: *const c_char,
    /// From when on it may be installed again, in seconds since 1970. 0: only when it is allowed.
    pub until: u64,
}

// SAFETY: zero bytes are numbers and NULL pointers.
unsafe impl Sized1 for bootslot_refused {
    const FIRST: usize = end_of!(Self, until: u64);
}

/// A string that is borrowed; NULL for an empty one.
pub(super) fn lend(session: &mut Session, text: &str) -> *const c_char {
    match text {
        "" => ptr::null(),
        text => session.give(text.as_bytes()),
    }
}

fn told(session: &mut Session, refused: &Refused) -> bootslot_refused {
    bootslot_refused {
        struct_size: 0,
        update: lend(session, &refused.update),
        version: lend(session, &refused.version),
        slot: lend(session, &refused.slot),
        reason: lend(session, &refused.reason),
        text: lend(session, &refused.to_string()),
        until: refused.until.unwrap_or_default(),
    }
}

exports! { EXPORTS:
    /// Compares this boot with what the journal knows, and records what it does not know yet. Call this at each boot. A boot
    /// of a confirmed slot in which all is as recorded adds nothing. Without a journal in the settings, the finding is
    /// BOOTSLOT_FINDING_NONE.
    fn bootslot_slots_observe(slots: *mut bootslot_slots, observed: *mut bootslot_observed) -> bootslot_code {
        call(slots, |session| {
            given_size(observed)?;
            let found = session.device()?.observe()?;
            let slot = found.as_ref().map_or("", |found| &found.slot);
            let ours = bootslot_observed {
                struct_size: 0,
                slot: lend(session, slot),
                recorded: found.as_ref().map_or(0, |found| found.recorded.len()),
                finding: found
                    .as_ref()
                    .map_or(bootslot_finding::BOOTSLOT_FINDING_NONE, |found| found.finding.into()),
                reserved: [0; 4],
            };
            write_sized(observed, &ours)?;
            Ok(BOOTSLOT_OK)
        })
    }

    /// Asks whether this update would be refused now, because it has failed here. `version` may be NULL. It counts if the
    /// settings refuse whole versions. The result is BOOTSLOT_OK with the update that has failed if it would be
    /// refused, and BOOTSLOT_END if it would not.
    fn bootslot_slots_refuses(
        slots: *mut bootslot_slots,
        update: *const c_char,
        version: *const c_char,
        refused: *mut bootslot_refused,
    ) -> bootslot_code {
        call(slots, |session| {
            let update = String::from_utf8_lossy(text(update, "update")?);
            let version = String::from_utf8_lossy(optional_text(version).unwrap_or_default());
            given_size(refused)?;
            let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
            let Some(found) = session.device()?.refuses(&update, &version, now)? else {
                return Ok(BOOTSLOT_END);
            };
            write_sized(refused, &told(session, &found))?;
            Ok(BOOTSLOT_OK)
        })
    }

    /// Gets one of the updates that are refused, the oldest first. The number counts from 0 on. The result is
    /// BOOTSLOT_END behind the last one.
    fn bootslot_slots_refused(
        slots: *mut bootslot_slots,
        number: usize,
        refused: *mut bootslot_refused,
    ) -> bootslot_code {
        call(slots, |session| {
            given_size(refused)?;
            let all = session.device()?.refused()?;
            let Some(found) = all.get(number) else { return Ok(BOOTSLOT_END) };
            write_sized(refused, &told(session, found))?;
            Ok(BOOTSLOT_OK)
        })
    }

    /// Says that this update may be installed again, although it has failed here. If its failure is the last one on record,
    /// that is no longer on record.
    fn bootslot_slots_allow(slots: *mut bootslot_slots, update: *const c_char) -> bootslot_code {
        call(slots, |session| {
            let update = String::from_utf8_lossy(text(update, "update")?);
            session.order(|device| device.allow(&update))
        })
    }
}
