//! What C says of a board when it opens the slots, and the settings that it comes to.

use std::ffi::c_char;
use std::path::Path;

use super::boundary::{optional_text, path, unused, Failure, Outcome, Sized1};
use super::code::bootslot_code::*;
use crate::settings::Settings;
#[cfg(not(feature = "settings"))]
use crate::settings::DEFAULT_SETTINGS;
use crate::slot::{Name, Script, MAX_TRIES};

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
    /// The slot that runs. NULL: by bootslot.slot= on the kernel's command line and the device of /.
    pub running: *const c_char,
    /// U-Boot takes only the writeable variables from storage (CONFIG_ENV_WRITEABLE_LIST).
    pub hardened: bool,
    /// The version of the boot script. 0: by the kernel's command line and the stored environment.
    pub script: u8,
    /// For later versions: has to be zero.
    pub reserved: [u8; 6],
    /// The small system for emergencies (BOOTSLOT_LAST), which is none of `slots`. NULL: that of the settings, if any.
    pub last_resort: *const c_char,
}

// SAFETY: NULL pointers, 0 and false are values, and the defaults.
unsafe impl Sized1 for bootslot_slots_options {
    const FIRST: usize = end_of!(Self, reserved: [u8; 6]);
}

pub(super) fn name(bytes: &[u8]) -> Outcome<Name> {
    Name::from_bytes(bytes).ok_or_else(|| {
        let text = format!("{:?} is no name of a slot", String::from_utf8_lossy(bytes));
        Failure::new(BOOTSLOT_ERROR_ARGUMENT, text)
    })
}

/// 1 to 9 tries; 0 are the board's.
pub(super) fn tries(number: u32) -> Outcome<Option<u8>> {
    match u8::try_from(number) {
        Ok(0) => Ok(None),
        Ok(tries @ 1..=MAX_TRIES) => Ok(Some(tries)),
        _ => Err(Failure::new(BOOTSLOT_ERROR_ARGUMENT, format!("{number} tries: 1 to {MAX_TRIES}, or 0"))),
    }
}

/// The file of settings, and over it what the options say.
pub(super) unsafe fn settings(options: Option<&bootslot_slots_options>) -> Outcome<Settings> {
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
        settings.slots_named = true;
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
    if let Some(last) = optional_text(options.last_resort) {
        settings.board.last_resort = Some(name(last)?);
    }
    if let Some(last) = settings.board.last_resort.as_ref().filter(|last| settings.board.slots.contains(last))
    {
        let text = format!("slot {last} is the last resort, and among the other slots as well");
        return Err(Failure::new(BOOTSLOT_ERROR_ARGUMENT, text));
    }
    settings.board.tries = tries(options.tries)?.unwrap_or(settings.board.tries);
    settings.board.hardened |= options.hardened;
    if options.script > 0 {
        let script = Script::numbered(options.script.into()).ok_or_else(|| {
            let text = format!("script {}: 1 to {}, or 0", options.script, Script::default().number());
            Failure::new(BOOTSLOT_ERROR_ARGUMENT, text)
        })?;
        settings.script = Some(script);
    }
    Ok(settings)
}

#[cfg(feature = "settings")]
pub(super) fn read_settings(file: Option<&Path>) -> Outcome<Settings> {
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
