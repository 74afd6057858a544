//! The slots for C: status, what the next boot will do, and the orders.

use std::ffi::c_char;
use std::mem;
use std::path::Path;
use std::ptr;
use std::time::Duration;

use super::boundary::{
    given_size, optional_text, path, read_sized, text, write_sized, Failure, Handle, Outcome, Sized1,
};
use super::code::bootslot_code::{self, *};
use super::given::Given;
use super::slots_options::{bootslot_slots_options, name, settings, tries as tries_of};
use crate::device::{Device, Done, Status};
use crate::env::text::parse_defaults;
use crate::slot::{Chosen, Field, Mark, Name, Reason, Role, Standing};
use crate::store::{LockPath, StoreOptions};

/// The slots of this device. Made by bootslot_slots_new, freed by bootslot_slots_free.
pub struct bootslot_slots(#[allow(dead_code, reason = "the name in C of what is a Handle")] Handle<Session>);

/// What is recorded about a slot.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum bootslot_mark {
    /// Untested, or the record was lost.
    BOOTSLOT_UNKNOWN = 0,
    /// It was confirmed, and has not been written since.
    BOOTSLOT_GOOD = 1,
    /// It is being written. It never boots.
    BOOTSLOT_BAD = 2,
    /// It was written whole, and has failed or was given up. It boots when nothing better is left.
    BOOTSLOT_FAILED = 3,
}

/// Why a slot is given up.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum bootslot_reason {
    /// It is unhealthy.
    BOOTSLOT_REASON_HEALTH = 1,
    /// Somebody ordered it.
    BOOTSLOT_REASON_USER = 2,
}

/// How the active slot stands.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum bootslot_standing {
    /// It is confirmed: it boots, nothing is counted.
    BOOTSLOT_CONFIRMED = 0,
    /// It is on trial: each boot uses up a try.
    BOOTSLOT_TRIAL = 1,
    /// Its trial is over, or there is no usable active slot: U-Boot chooses another one.
    BOOTSLOT_OVER = 2,
}

/// The boot state. Its strings are borrowed.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct bootslot_status {
    /// sizeof(bootslot_status), set by the caller
    pub struct_size: usize,
    /// The slot that U-Boot boots next, if nothing prevents it; NULL if none is recorded.
    pub active: *const c_char,
    /// The slot that runs; NULL if that is unknown.
    pub running: *const c_char,
    /// The slot that a failed trial returns to; NULL outside of a trial.
    pub rollback: *const c_char,
    /// The slot that the next boot ends in if every slot loads; NULL if no slot may boot, or if `script` is 0.
    pub next: *const c_char,
    /// The id of the update on trial; NULL if none is recorded.
    pub update: *const c_char,
    /// The last failure as recorded, "slot:reason:update id"; NULL if there was none.
    pub failed: *const c_char,
    /// How the active slot stands.
    pub standing: bootslot_standing,
    /// Tries left in the trial.
    pub tries: u32,
    /// How many slots there are; see bootslot_slots_get.
    pub slots: usize,
    /// Whether the environment that holds all this is healthy; see bootslot_env_check.
    pub healthy: bool,
    /// The version of the boot script that U-Boot runs; 0 if it is not known whether it runs one.
    pub script: u8,
    /// Whether the environment names other slots than the settings.
    pub slots_differ: bool,
    /// Whether a confirmed slot that loads and then hangs is left, by U-Boot's boot counter.
    pub guard: bool,
    /// For later versions: zero.
    pub reserved: [u8; 4],
}

// SAFETY: zero bytes are numbers, false, NULL pointers and BOOTSLOT_CONFIRMED.
unsafe impl Sized1 for bootslot_status {
    const FIRST: usize = end_of!(Self, reserved: [u8; 4]);
}

/// One slot.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct bootslot_slot {
    /// sizeof(bootslot_slot), set by the caller
    pub struct_size: usize,
    /// Its name. Borrowed.
    pub name: *const c_char,
    /// What is recorded about it.
    pub mark: bootslot_mark,
    /// Whether it is the active one.
    pub active: bool,
    /// Whether it is the one that runs.
    pub running: bool,
    /// Whether it is the one for emergencies, which is never installed to and never active.
    pub last_resort: bool,
    /// For later versions: zero.
    pub reserved: [u8; 1],
}

// SAFETY: zero bytes are a number, false, a NULL pointer and BOOTSLOT_UNKNOWN.
unsafe impl Sized1 for bootslot_slot {
    const FIRST: usize = end_of!(Self, reserved: [u8; 1]);
}

/// The slots as a handle holds them.
#[derive(Default)]
pub(super) struct Session {
    device: Option<Device>,
    /// What was read last, and its strings for C.
    status: Option<Status>,
    given: Given,
    /// What was told of the trial, and which file of settings was asked for.
    #[cfg(feature = "health")]
    pub(super) told: super::told::Told,
}

impl Session {
    pub(super) fn device(&mut self) -> Outcome<&mut Device> {
        self.device.as_mut().ok_or_else(|| Failure::new(BOOTSLOT_ERROR_STATE, "the slots are not open"))
    }

    /// Gives an order. What was read before is no longer true then.
    pub(super) fn order(
        &mut self,
        give: impl FnOnce(&mut Device) -> crate::Result<Done>,
    ) -> Outcome<bootslot_code> {
        self.status = None;
        give(self.device()?)?;
        self.given.end();
        Ok(BOOTSLOT_OK)
    }

    /// The same for what is more than an order, and has errors of its own.
    #[cfg(any(feature = "update", feature = "health"))]
    pub(super) fn change<T>(&mut self, change: impl FnOnce(&mut Device) -> Outcome<T>) -> Outcome<T> {
        self.status = None;
        let changed = change(self.device()?)?;
        self.given.end();
        Ok(changed)
    }

    unsafe fn finish_install(
        &mut self,
        slot: *const c_char,
        tries: u32,
        update: *const c_char,
        again: bool,
    ) -> Outcome<bootslot_code> {
        let (slot, tries, update) = (name(text(slot, "slot")?)?, tries_of(tries)?, optional_text(update));
        self.order(|device| device.finish_install(&slot, tries, update, again))
    }

    unsafe fn try_slot(&mut self, slot: *const c_char, tries: u32, again: bool) -> Outcome<bootslot_code> {
        let (slot, tries) = (name(text(slot, "slot")?)?, tries_of(tries)?);
        self.order(|device| device.try_slot(&slot, tries, again))
    }

    /// A string that lives until the state is changed.
    pub(super) fn give(&mut self, bytes: &[u8]) -> *const c_char {
        self.given.lend(bytes)
    }

    fn give_name(&mut self, name: Option<&Name>) -> *const c_char {
        name.map_or(ptr::null(), |name| self.give(name.as_str().as_bytes()))
    }
}

/// A call with a handle.
///
/// # Safety
///
/// The rules of the header.
pub(super) unsafe fn call(
    slots: *const bootslot_slots,
    f: impl FnOnce(&mut Session) -> Outcome<bootslot_code>,
) -> bootslot_code {
    Handle::call(slots.cast::<Handle<Session>>(), |session, given| {
        mem::swap(&mut session.given, given);
        let outcome = f(session);
        mem::swap(&mut session.given, given);
        outcome
    })
}

exports! { EXPORTS:
    /// Makes a new handle, which is not open yet. It is never NULL, except by a mistake in this library.
    fn bootslot_slots_new() -> *mut bootslot_slots {
        Handle::new(Session::default()).cast::<bootslot_slots>()
    }

    /// Frees the handle. Freeing NULL does nothing.
    fn bootslot_slots_free(slots: *mut bootslot_slots) {
        Handle::free(slots.cast::<Handle<Session>>());
    }

    /// As bootslot_env_last_error.
    fn bootslot_slots_last_error(slots: *const bootslot_slots) -> *const c_char {
        Handle::last_error(slots.cast::<Handle<Session>>())
    }

    /// Opens the environment that holds the boot state. With NULL for `options`, all of them have their
    /// default.
    fn bootslot_slots_open(
        slots: *mut bootslot_slots,
        options: *const bootslot_slots_options,
    ) -> bootslot_code {
        call(slots, |session| {
            if session.device.is_some() {
                return Err(Failure::new(BOOTSLOT_ERROR_STATE, "the slots are open already"));
            }
            let options = if options.is_null() { None } else { Some(read_sized(options)?) };
            let (wanted, mut store_options) = (settings(options.as_ref())?, StoreOptions::default());
            if let Some(options) = options {
                let directory = optional_text(options.lock_directory);
                store_options.lock = directory.map(|directory| LockPath::Directory(path(directory).into()));
                if options.lock_timeout > 0 {
                    store_options.lock_timeout = Duration::from_millis(options.lock_timeout.into());
                }
            }
            session.device = Some(Device::open(&wanted, &store_options)?);
            #[cfg(feature = "health")]
            {
                let file = options.and_then(|options| optional_text(options.settings));
                session.told.settings = file.map(|file| path(file).into());
            }
            Ok(BOOTSLOT_OK)
        })
    }

    /// Reads the boot state, without a lock. If no copy of the environment is valid, it is the factory's, to which U-Boot
    /// falls back. The result is BOOTSLOT_ERROR_REFUSED if the options name a running slot that does not exist.
    fn bootslot_slots_status(slots: *mut bootslot_slots, status: *mut bootslot_status) -> bootslot_code {
        call(slots, |session| {
            given_size(status)?;
            let found = session.device()?.status()?;
            let state = &found.state;
            let chosen = match (&found.next.chosen, &found.script) {
                (Chosen::Slot(name), Ok(_)) => Some(name),
                _ => None,
            };
            let optional = |session: &mut Session, bytes: &Option<Vec<u8>>| {
                bytes.as_ref().map_or(ptr::null(), |bytes| session.give(bytes))
            };
            let (standing, tries) = match state.standing() {
                Standing::Confirmed(_) => (bootslot_standing::BOOTSLOT_CONFIRMED, 0),
                Standing::Trial { left, .. } => (bootslot_standing::BOOTSLOT_TRIAL, left.into()),
                Standing::Over(_) => (bootslot_standing::BOOTSLOT_OVER, 0),
            };
            let ours = bootslot_status {
                struct_size: 0,
                active: session.give_name(state.active.known()),
                running: session.give_name(found.running.as_ref().ok()),
                rollback: session.give_name(state.returns_to()),
                next: session.give_name(chosen),
                update: optional(session, &state.update),
                failed: optional(session, &state.failed),
                standing,
                tries,
                slots: state.slots.len(),
                healthy: found.health.is_healthy(),
                script: found.script.as_ref().map_or(0, |script| u8::try_from(script.number()).unwrap_or(u8::MAX)),
                slots_differ: found.slots_differ,
                guard: found.guard,
                reserved: [0; 4],
            };
            session.status = Some(found);
            write_sized(status, &ours)?;
            Ok(BOOTSLOT_OK)
        })
    }

    /// Gets one slot of the boot state that bootslot_slots_status read last. The number counts in the board's order, from
    /// 0 on. The result is BOOTSLOT_END behind the last one.
    fn bootslot_slots_get(
        slots: *mut bootslot_slots,
        number: usize,
        slot: *mut bootslot_slot,
    ) -> bootslot_code {
        call(slots, |session| {
            given_size(slot)?;
            if session.status.is_none() {
                session.status = Some(session.device()?.status()?);
            }
            let Some(status) = &session.status else { return Ok(BOOTSLOT_END) };
            let Some(found) = status.state.slots.get(number) else { return Ok(BOOTSLOT_END) };
            let mut ours = bootslot_slot {
                struct_size: 0,
                name: ptr::null(),
                mark: match found.mark {
                    Field::Is(Mark::Good) => bootslot_mark::BOOTSLOT_GOOD,
                    Field::Is(Mark::Writing) => bootslot_mark::BOOTSLOT_BAD,
                    Field::Is(Mark::Failed) => bootslot_mark::BOOTSLOT_FAILED,
                    Field::Absent | Field::Odd(_) => bootslot_mark::BOOTSLOT_UNKNOWN,
                },
                active: status.state.active.known() == Some(&found.name),
                running: status.running.as_ref().ok() == Some(&found.name),
                last_resort: found.role == Role::LastResort,
                reserved: [0; 1],
            };
            let name = found.name.clone();
            ours.name = session.give_name(Some(&name));
            write_sized(slot, &ours)?;
            Ok(BOOTSLOT_OK)
        })
    }

    /// Starts with the factory's trial, if no boot state is stored yet. `defaults` may be NULL. It is what to start from if
    /// no copy of the environment is valid: lines `name=value`, as in U-Boot's u-boot-initial-env. Unless the board is
    /// hardened, U-Boot then loads what is stored and nothing else. So `defaults` has to be all that U-Boot needs to
    /// boot. Without bootcmd it is refused. With NULL, nothing is made out of nothing: BOOTSLOT_ERROR_NO_VALID_COPY.
    fn bootslot_slots_init(slots: *mut bootslot_slots, defaults: *const c_char) -> bootslot_code {
        call(slots, |session| {
            let base = optional_text(defaults).map(|text| parse_defaults(text, Path::new("defaults")));
            let base = base.transpose()?;
            session.order(|device| device.init(base))
        })
    }

    /// Call this before you write a slot. From now on nothing boots it, so no power cut can make it boot half-written.
    fn bootslot_slots_begin_install(slots: *mut bootslot_slots, slot: *const c_char) -> bootslot_code {
        call(slots, |session| {
            let slot = name(text(slot, "slot")?)?;
            session.order(|device| device.begin_install(&slot))
        })
    }

    /// Call this after you have written and verified a slot. It puts the slot on trial. With 0 for `tries`, it has the
    /// board's number of tries. `update` may be NULL. It is the id of what was installed.
    fn bootslot_slots_finish_install(
        slots: *mut bootslot_slots,
        slot: *const c_char,
        tries: u32,
        update: *const c_char,
    ) -> bootslot_code {
        call(slots, |session| session.finish_install(slot, tries, update, false))
    }

    /// Puts a slot that was written whole on trial. With 0 for `tries`, it has the board's number of tries.
    fn bootslot_slots_try(slots: *mut bootslot_slots, slot: *const c_char, tries: u32) -> bootslot_code {
        call(slots, |session| session.try_slot(slot, tries, false))
    }

    /// As bootslot_slots_finish_install, but it also takes an update that has failed before.
    fn bootslot_slots_finish_install_again(
        slots: *mut bootslot_slots,
        slot: *const c_char,
        tries: u32,
        update: *const c_char,
    ) -> bootslot_code {
        call(slots, |session| session.finish_install(slot, tries, update, true))
    }

    /// As bootslot_slots_try, but it also takes a slot that has failed before.
    fn bootslot_slots_try_again(slots: *mut bootslot_slots, slot: *const c_char, tries: u32) -> bootslot_code {
        call(slots, |session| session.try_slot(slot, tries, true))
    }

    /// Says that the last failure was heard of. It is no longer on record then.
    fn bootslot_slots_acknowledge(slots: *mut bootslot_slots) -> bootslot_code {
        call(slots, |session| session.order(Device::acknowledge))
    }

    /// Says that the running slot is healthy. Its trial ends, and it is good. `slot` may be NULL; if not, it must be the
    /// running slot. If the settings name U-Boot's boot counter, that is reset as well. The result is
    /// BOOTSLOT_ERROR_COUNTER if only this failed.
    fn bootslot_slots_confirm(slots: *mut bootslot_slots, slot: *const c_char) -> bootslot_code {
        call(slots, |session| {
            let slot = optional_text(slot).map(name).transpose()?;
            session.order(|device| device.confirm(slot.as_ref()))
        })
    }

    /// Gives up the running slot, or a trial that has not been booted yet. It takes a reboot to leave the
    /// slot. `reason` is one of bootslot_reason.
    fn bootslot_slots_roll_back(slots: *mut bootslot_slots, reason: i32) -> bootslot_code {
        call(slots, |session| {
            let reason = match reason {
                1 => Reason::Health,
                2 => Reason::User,
                _ => return Err(Failure::new(BOOTSLOT_ERROR_ARGUMENT, format!("{reason} is no reason"))),
            };
            session.order(|device| device.roll_back(reason))
        })
    }

    /// Marks a slot as good. The caller knows that it is.
    fn bootslot_slots_mark_good(slots: *mut bootslot_slots, slot: *const c_char) -> bootslot_code {
        call(slots, |session| {
            let slot = name(text(slot, "slot")?)?;
            session.order(|device| device.mark_good(&slot))
        })
    }

    /// Marks a slot as failed. It boots when nothing better is left.
    fn bootslot_slots_mark_bad(slots: *mut bootslot_slots, slot: *const c_char) -> bootslot_code {
        call(slots, |session| {
            let slot = name(text(slot, "slot")?)?;
            session.order(|device| device.mark_bad(&slot))
        })
    }

    /// Makes a good slot the active one, without a trial.
    fn bootslot_slots_set_active(slots: *mut bootslot_slots, slot: *const c_char) -> bootslot_code {
        call(slots, |session| {
            let slot = name(text(slot, "slot")?)?;
            session.order(|device| device.set_active(&slot))
        })
    }
}
