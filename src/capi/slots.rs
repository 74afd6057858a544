//! The slots for C: status, what the next boot will do, and the orders.

use std::ffi::{c_char, CString};
use std::mem;
use std::path::Path;
use std::ptr;
use std::time::Duration;

use super::boundary::{
    c_string, given_size, optional_text, path, read_sized, text, unused, write_sized, Failure, Handle,
    Outcome, Sized1,
};
use super::code::bootslot_code::{self, *};
use crate::device::{Device, Done, Status};
use crate::env::text::parse_defaults;
use crate::settings::Settings;
#[cfg(not(feature = "settings"))]
use crate::settings::DEFAULT_SETTINGS;
use crate::slot::{Chosen, Field, Mark, Name, Reason, Standing, MAX_TRIES};
use crate::store::{LockPath, StoreOptions};

/// The slots of this device. Made by bootslot_slots_new, freed by bootslot_slots_free.
pub struct bootslot_slots(#[allow(dead_code, reason = "the name in C of what is a Handle")] Handle<Session>);

/// What the board has compiled into U-Boot, and where its environment is. What is zero has the value in the
/// file of settings, or else its default.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct bootslot_slots_options {
    /// sizeof(bootslot_slots_options)
    pub struct_size: usize,
    /// The file of settings. NULL: /etc/bootslot/bootslot.toml, if it exists.
    pub settings: *const c_char,
    /// The configuration of the environment, as in bootslot_env_options.
    pub config: *const c_char,
    /// Which environment of it, as in bootslot_env_options.
    pub name_space: *const c_char,
    /// The directory of the lock file, as in bootslot_env_options.
    pub lock_directory: *const c_char,
    /// How long to wait for the lock, as in bootslot_env_options.
    pub lock_timeout: u32,
    /// Tries of the factory's trial, 1 to 9 (BOOTSLOT_TRIES). 0: 3.
    pub tries: u32,
    /// The names of all slots with blanks between them (boot_slots). NULL: "A B".
    pub slots: *const c_char,
    /// The slot that runs. NULL: the one in bootslot.slot= on the kernel's command line.
    pub running: *const c_char,
    /// U-Boot takes only the writeable variables from storage (CONFIG_ENV_WRITEABLE_LIST).
    pub hardened: bool,
    /// For later versions: has to be zero.
    pub reserved: [u8; 7],
}

// SAFETY: NULL pointers, 0 and false are values, and the defaults.
unsafe impl Sized1 for bootslot_slots_options {
    const FIRST: usize = end_of!(Self, reserved: [u8; 7]);
}

/// What is recorded about a slot.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum bootslot_mark {
    /// Untested, or the record was lost.
    BOOTSLOT_UNKNOWN = 0,
    /// It was confirmed, and has not been written since.
    BOOTSLOT_GOOD = 1,
    /// It failed its trial, or is being written. It never boots.
    BOOTSLOT_BAD = 2,
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
    /// The slot that the next boot ends in if every slot loads; NULL if every slot is bad.
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
    /// For later versions: zero.
    pub reserved: [u8; 7],
}

// SAFETY: zero bytes are numbers, false, NULL pointers and BOOTSLOT_CONFIRMED.
unsafe impl Sized1 for bootslot_status {
    const FIRST: usize = end_of!(Self, reserved: [u8; 7]);
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
    /// For later versions: zero.
    pub reserved: [u8; 2],
}

// SAFETY: zero bytes are a number, false, a NULL pointer and BOOTSLOT_UNKNOWN.
unsafe impl Sized1 for bootslot_slot {
    const FIRST: usize = end_of!(Self, reserved: [u8; 2]);
}

/// The slots as a handle holds them.
#[derive(Default)]
pub(super) struct Session {
    device: Option<Device>,
    /// What was read last, and its strings for C.
    status: Option<Status>,
    given: Vec<CString>,
}

impl Session {
    pub(super) fn device(&mut self) -> Outcome<&mut Device> {
        self.device.as_mut().ok_or_else(|| Failure::new(BOOTSLOT_ERROR_STATE, "the slots are not open"))
    }

    /// Gives an order. What was read before is no longer true then.
    fn order(&mut self, give: impl FnOnce(&mut Device) -> crate::Result<Done>) -> Outcome<bootslot_code> {
        self.status = None;
        give(self.device()?)?;
        Ok(BOOTSLOT_OK)
    }

    /// A string that lives until the next call with this handle.
    fn give(&mut self, bytes: &[u8]) -> *const c_char {
        let string = c_string(bytes.to_vec());
        let pointer = string.as_ptr();
        self.given.push(string);
        pointer
    }

    fn give_name(&mut self, name: Option<&Name>) -> *const c_char {
        name.map_or(ptr::null(), |name| self.give(name.as_str().as_bytes()))
    }
}

fn name(bytes: &[u8]) -> Outcome<Name> {
    Name::from_bytes(bytes).ok_or_else(|| {
        let text = format!("{:?} is no name of a slot", String::from_utf8_lossy(bytes));
        Failure::new(BOOTSLOT_ERROR_ARGUMENT, text)
    })
}

/// 1 to 9 tries; 0 are the board's.
fn tries(number: u32) -> Outcome<Option<u8>> {
    match u8::try_from(number) {
        Ok(0) => Ok(None),
        Ok(tries @ 1..=MAX_TRIES) => Ok(Some(tries)),
        _ => Err(Failure::new(BOOTSLOT_ERROR_ARGUMENT, format!("{number} tries: 1 to {MAX_TRIES}, or 0"))),
    }
}

/// The file of settings, and over it what the options say.
unsafe fn settings(options: Option<&bootslot_slots_options>) -> Outcome<Settings> {
    let file = options.and_then(|options| optional_text(options.settings)).map(path);
    let mut settings = read_settings(file)?;
    let Some(options) = options else { return Ok(settings) };
    unused(&options.reserved)?;
    let namespace = optional_text(options.name_space).map(String::from_utf8_lossy);
    settings.choose_environment(
        optional_text(options.config).map(|config| path(config).into()),
        namespace.map(|name| name.into_owned()),
    );
    if let Some(running) = optional_text(options.running) {
        settings.running = Some(name(running)?);
    }
    if let Some(slots) = optional_text(options.slots) {
        let wrong = |text| Failure::new(BOOTSLOT_ERROR_ARGUMENT, text);
        settings.board.slots.clear();
        for word in slots.split(|byte| *byte == b' ').filter(|word| !word.is_empty()) {
            let slot = name(word)?;
            if settings.board.slots.contains(&slot) {
                return Err(wrong(format!("slots names {slot} twice")));
            }
            settings.board.slots.push(slot);
        }
        if settings.board.slots.is_empty() {
            return Err(wrong("slots names no slot".into()));
        }
    }
    settings.board.tries = tries(options.tries)?.unwrap_or(settings.board.tries);
    settings.board.hardened |= options.hardened;
    Ok(settings)
}

#[cfg(feature = "settings")]
fn read_settings(file: Option<&Path>) -> Outcome<Settings> {
    Ok(Settings::find(file)?)
}

/// A file that this build can't read is not passed over: other slots than the board's would be meant.
#[cfg(not(feature = "settings"))]
fn read_settings(file: Option<&Path>) -> Outcome<Settings> {
    let path = file.unwrap_or(Path::new(DEFAULT_SETTINGS));
    if file.is_some() || path.exists() {
        let text = format!("{}: this build reads no file of settings (feature `settings`)", path.display());
        return Err(Failure::new(BOOTSLOT_ERROR_UNSUPPORTED, text));
    }
    Ok(Settings::default())
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
    Handle::call(slots.cast::<Handle<Session>>(), |session| {
        // They may be the arguments of this very call: they live until it is over.
        let _given = mem::take(&mut session.given);
        f(session)
    })
}

exports! { EXPORTS:
    /// A new handle, not open yet. Never NULL, except by a mistake in this library.
    fn bootslot_slots_new() -> *mut bootslot_slots {
        Handle::new(Session::default()).cast::<bootslot_slots>()
    }

    /// Frees the handle. NULL is nothing to free.
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
            Ok(BOOTSLOT_OK)
        })
    }

    /// Reads the boot state, without a lock. Where no copy of the environment is valid, it is the
    /// factory's, to which U-Boot falls back.
    fn bootslot_slots_status(slots: *mut bootslot_slots, status: *mut bootslot_status) -> bootslot_code {
        call(slots, |session| {
            given_size(status)?;
            let found = session.device()?.status()?;
            let state = &found.state;
            let chosen = match &found.next.chosen {
                Chosen::Slot(name) => Some(name),
                Chosen::Recovery | Chosen::StartOver => None,
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
                reserved: [0; 7],
            };
            session.status = Some(found);
            write_sized(status, &ours)?;
            Ok(BOOTSLOT_OK)
        })
    }

    /// One slot of the boot state that bootslot_slots_status read last, in the board's order from 0 on;
    /// BOOTSLOT_END after the last one.
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
                    Field::Is(Mark::Bad) => bootslot_mark::BOOTSLOT_BAD,
                    Field::Absent | Field::Odd(_) => bootslot_mark::BOOTSLOT_UNKNOWN,
                },
                active: status.state.active.known() == Some(&found.name),
                running: status.running.as_ref().ok() == Some(&found.name),
                reserved: [0; 2],
            };
            let name = found.name.clone();
            ours.name = session.give_name(Some(&name));
            write_sized(slot, &ours)?;
            Ok(BOOTSLOT_OK)
        })
    }

    /// Starts with the factory's trial where no boot state is stored yet. `defaults`, which may be NULL, is
    /// what to start from where no copy of the environment is valid: lines `name=value`, as in U-Boot's
    /// u-boot-initial-env. It has to be all that U-Boot needs to boot, for U-Boot then loads what is stored
    /// and nothing else, unless the board is hardened: without bootcmd it is refused. With NULL, nothing is
    /// made out of nothing: BOOTSLOT_ERROR_NO_VALID_COPY.
    fn bootslot_slots_init(slots: *mut bootslot_slots, defaults: *const c_char) -> bootslot_code {
        call(slots, |session| {
            let base = optional_text(defaults).map(|text| parse_defaults(text, Path::new("defaults")));
            let base = base.transpose()?;
            session.order(|device| device.init(base))
        })
    }

    /// Before a slot is written: it is bad from now on, so that no power cut can make it boot half-written.
    fn bootslot_slots_begin_install(slots: *mut bootslot_slots, slot: *const c_char) -> bootslot_code {
        call(slots, |session| {
            let slot = name(text(slot, "slot")?)?;
            session.order(|device| device.begin_install(&slot))
        })
    }

    /// After a slot was written and verified: it is on trial. `tries` of 0 are the board's; `update`, which
    /// may be NULL, is the id of what was installed.
    fn bootslot_slots_finish_install(
        slots: *mut bootslot_slots,
        slot: *const c_char,
        tries: u32,
        update: *const c_char,
    ) -> bootslot_code {
        call(slots, |session| {
            let (slot, tries) = (name(text(slot, "slot")?)?, self::tries(tries)?);
            let update = optional_text(update);
            session.order(|device| device.finish_install(&slot, tries, update))
        })
    }

    /// Puts a slot that is not bad on trial. `tries` of 0 are the board's.
    fn bootslot_slots_try(slots: *mut bootslot_slots, slot: *const c_char, tries: u32) -> bootslot_code {
        call(slots, |session| {
            let (slot, tries) = (name(text(slot, "slot")?)?, self::tries(tries)?);
            session.order(|device| device.try_slot(&slot, tries))
        })
    }

    /// The running slot is healthy: its trial ends, it is good. `slot`, which may be NULL, must be that one.
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

    /// Marks a slot good that the caller knows to be good.
    fn bootslot_slots_mark_good(slots: *mut bootslot_slots, slot: *const c_char) -> bootslot_code {
        call(slots, |session| {
            let slot = name(text(slot, "slot")?)?;
            session.order(|device| device.mark_good(&slot))
        })
    }

    /// Marks a slot bad: it will not boot.
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
