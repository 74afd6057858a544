//! Error codes: one for each kind of [`Error`] and of `UpdateError`, with numbers that never change.

use std::ffi::CStr;

use crate::error::Error;
#[cfg(feature = "health")]
use crate::migrate::MigrateError;
#[cfg(feature = "update")]
use crate::update::UpdateError;

macro_rules! codes {
    (
        $($(#[doc = $doc:literal])+ $name:ident = $number:literal: $text:literal,)*
        of updates:
        $($(#[doc = $update_doc:literal])+ $update:ident = $update_number:literal: $update_text:literal,)*
        of migrations:
        $($(#[doc = $data_doc:literal])+ $data:ident = $data_number:literal: $data_text:literal,)*
    ) => {
        /// What a function returns. The numbers never change and are never given away again.
                #[repr(C)]
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum bootslot_code {
            $($(#[doc = $doc])+ $name = $number,)*
            $($(#[doc = $update_doc])+ $update = $update_number,)*
            $($(#[doc = $data_doc])+ $data = $data_number,)*
        }

        /// The meaning of a number, whether it is a code or not.
        pub fn text(code: i32) -> &'static CStr {
            match code {
                $($number => $text,)*
                // A library that installs or migrates nothing returns none of these: their texts would only take room.
                $($update_number if cfg!(feature = "update") => $update_text,)*
                $($data_number if cfg!(feature = "health") => $data_text,)*
                _ => c"unknown code",
            }
        }

        #[cfg(test)]
        const ALL: &[(bootslot_code, i32)] = &[
            $((bootslot_code::$name, $number),)*
            $((bootslot_code::$update, $update_number),)*
            $((bootslot_code::$data, $data_number),)*
        ];
    };
}

codes! {
    /// Done.
    BOOTSLOT_OK = 0: c"done",
    /// There is no further variable. Not an error.
    BOOTSLOT_END = 1: c"no more",
    /// There is no such variable. Not an error: an environment that can't be read is one.
    BOOTSLOT_UNDEFINED = 2: c"not defined",
    /// An argument that must not be NULL is NULL.
    BOOTSLOT_ERROR_NULL = 10: c"an argument is NULL",
    /// An argument is not usable.
    BOOTSLOT_ERROR_ARGUMENT = 11: c"an argument is not usable",
    /// Not now: the handle is not open, is open already, or the transaction is missing or under way.
    BOOTSLOT_ERROR_STATE = 12: c"not possible in this state of the handle",
    /// Another thread is inside a call with this handle. Nothing was done.
    BOOTSLOT_ERROR_BUSY = 13: c"another thread uses this handle",
    /// A mistake in this library: please report it. The handle can only be freed.
    BOOTSLOT_ERROR_PANIC = 14: c"internal error of bootslot",
    /// A system call failed. Where it ended a store, the old environment is in force or the new one, whole. Only a single
    /// copy that is written in place may be lost.
    BOOTSLOT_ERROR_IO = 20: c"a system call failed",
    /// The configuration file says something wrong.
    BOOTSLOT_ERROR_CONFIG = 21: c"the configuration is wrong",
    /// The configuration has no environment of this name.
    BOOTSLOT_ERROR_NAMESPACE = 22: c"no such namespace in the configuration",
    /// A line of a script can't be used. Nothing was changed.
    BOOTSLOT_ERROR_SCRIPT = 23: c"a line of the script can't be used",
    /// The device is not what the configuration says.
    BOOTSLOT_ERROR_DEVICE = 24: c"the device does not fit the configuration",
    /// No copy of the environment is valid. Nothing was written.
    BOOTSLOT_ERROR_NO_VALID_COPY = 25: c"no copy of the environment is valid",
    /// The variables need more room than there is. Nothing was written.
    BOOTSLOT_ERROR_TOO_BIG = 26: c"the environment is full",
    /// The name of a variable is not usable. Nothing was changed.
    BOOTSLOT_ERROR_NAME = 27: c"illegal variable name",
    /// A value is not usable, or not of the type that .flags or the writelist demands.
    BOOTSLOT_ERROR_VALUE = 28: c"illegal value",
    /// .flags or the writelist forbids this change. Nothing was changed.
    BOOTSLOT_ERROR_DENIED = 29: c"the variable may not be changed so",
    /// Another process held the lock for longer than the time limit. Nothing was written.
    BOOTSLOT_ERROR_LOCKED = 30: c"locked by another process",
    /// The medium returns other bytes than were written. That copy is damaged; the other one, if there is one, is good.
    BOOTSLOT_ERROR_VERIFY = 31: c"the medium returns other bytes than were written",
    /// The environment does not fit into the good blocks of its sectors.
    BOOTSLOT_ERROR_BAD_BLOCKS = 32: c"too many bad blocks",
    /// The order would endanger the way back. Nothing was written.
    BOOTSLOT_ERROR_REFUSED = 33: c"refused: it would endanger the way back",
    /// The boot state can't be read from the variables. Nothing was written.
    BOOTSLOT_ERROR_BOOT_STATE = 34: c"the variables are no boot state",
    /// This build or this medium can't do that. Nothing was touched.
    BOOTSLOT_ERROR_UNSUPPORTED = 35: c"not supported",
    /// The order needs to know which slot runs. Nothing was written.
    BOOTSLOT_ERROR_RUNNING_UNKNOWN = 36: c"which slot runs is unknown",
    /// It is not known whether U-Boot runs the boot script, or which version. Nothing was written.
    BOOTSLOT_ERROR_SCRIPT_UNKNOWN = 37: c"does U-Boot run the boot script?",
    /// The slot is confirmed, and that is stored. U-Boot's boot counter could not be reset.
    BOOTSLOT_ERROR_COUNTER = 38: c"the boot counter could not be reset",
    /// The slot is confirmed, and that is stored. The floor could not be written to its file.
    BOOTSLOT_ERROR_FLOOR = 39: c"the floor could not be written to its file",
    of updates:
    /// The bundle's version is below the lowest that is installed here. Nothing was written.
    BOOTSLOT_ERROR_BELOW_FLOOR = 49: c"below the lowest version that is installed",
    /// The bundle can't be read. The slot is untouched, or being written.
    BOOTSLOT_ERROR_BUNDLE_READ = 50: c"the bundle can't be read",
    /// It is no bundle, or of another format, or cut short. The slot is untouched.
    BOOTSLOT_ERROR_BUNDLE_FORMAT = 51: c"no bundle that can be installed",
    /// Nobody who is trusted has signed the bundle. The slot is untouched.
    BOOTSLOT_ERROR_UNTRUSTED = 52: c"the bundle is not trusted",
    /// The bundle is for another device. The slot is untouched.
    BOOTSLOT_ERROR_INCOMPATIBLE = 53: c"the bundle is for another device",
    /// The bundle is for another revision of the device. The slot is untouched.
    BOOTSLOT_ERROR_REVISION = 54: c"the bundle is for another revision of the device",
    /// This update has failed here before. The slot is untouched.
    BOOTSLOT_ERROR_FAILED_BEFORE = 55: c"this update has failed here before",
    /// The slot has no such part, or the image is too large for it. The slot is untouched.
    BOOTSLOT_ERROR_DOES_NOT_FIT = 56: c"an image does not fit",
    /// The target is mounted, or somebody else uses it. The slot is untouched.
    BOOTSLOT_ERROR_IN_USE = 57: c"the target is in use",
    /// Another file system has too little room for what the bundle brings. The slot is untouched.
    BOOTSLOT_ERROR_NO_ROOM = 58: c"too little room elsewhere",
    /// The bundle is a patch, and the image that it was made against is not there. The slot is untouched.
    BOOTSLOT_ERROR_OLD_IMAGE = 59: c"the running slot does not hold the image that the patch needs",
    /// The bundle is damaged: what arrived is not what was signed, and was not written. The slot is being written.
    BOOTSLOT_ERROR_DAMAGED = 60: c"the bundle is damaged",
    /// The medium of the slot can't be written or read. The slot is untouched, or being written.
    BOOTSLOT_ERROR_MEDIUM = 61: c"the medium can't be written or read",
    /// The medium of the slot returns other bytes than were written. The slot is being written.
    BOOTSLOT_ERROR_READ_BACK = 62: c"the medium of the slot returns other bytes than were written",
    /// A callback has cancelled. The slot is untouched, or being written.
    BOOTSLOT_ERROR_CANCELLED = 63: c"cancelled",
    /// The server has another bundle now than at the start. The slot is untouched, or being written.
    BOOTSLOT_ERROR_CHANGED = 64: c"the bundle has changed on the server",
    of migrations:
    /// A step of the migration failed. The data of before are back.
    BOOTSLOT_ERROR_STEP = 65: c"a step of the migration failed",
    /// There is too little room to migrate the data. They are as they were, or the next migration goes on.
    BOOTSLOT_ERROR_DATA_ROOM = 66: c"too little room to migrate the data",
    /// The data can't be migrated without a person, or without another system. Nothing was changed.
    BOOTSLOT_ERROR_DATA = 67: c"the data need a person or another system",
}

impl From<&Error> for bootslot_code {
    fn from(error: &Error) -> Self {
        use bootslot_code::*;
        match error {
            Error::Io { .. } => BOOTSLOT_ERROR_IO,
            Error::Config { .. } => BOOTSLOT_ERROR_CONFIG,
            Error::Namespace { .. } => BOOTSLOT_ERROR_NAMESPACE,
            Error::Script { .. } => BOOTSLOT_ERROR_SCRIPT,
            Error::Device { .. } => BOOTSLOT_ERROR_DEVICE,
            Error::NoValidCopy { .. } => BOOTSLOT_ERROR_NO_VALID_COPY,
            Error::TooBig { .. } => BOOTSLOT_ERROR_TOO_BIG,
            Error::Name { .. } => BOOTSLOT_ERROR_NAME,
            Error::Value { .. } => BOOTSLOT_ERROR_VALUE,
            Error::Denied { .. } => BOOTSLOT_ERROR_DENIED,
            Error::Locked { .. } => BOOTSLOT_ERROR_LOCKED,
            Error::Verify { .. } => BOOTSLOT_ERROR_VERIFY,
            Error::BadBlocks { .. } => BOOTSLOT_ERROR_BAD_BLOCKS,
            Error::Refused(_) => BOOTSLOT_ERROR_REFUSED,
            Error::BootState { .. } => BOOTSLOT_ERROR_BOOT_STATE,
            Error::Unsupported(_) => BOOTSLOT_ERROR_UNSUPPORTED,
            Error::RunningUnknown(_) => BOOTSLOT_ERROR_RUNNING_UNKNOWN,
            Error::ScriptUnknown(_) => BOOTSLOT_ERROR_SCRIPT_UNKNOWN,
            Error::CounterNotReset(_) => BOOTSLOT_ERROR_COUNTER,
            Error::FloorNotStored(_) => BOOTSLOT_ERROR_FLOOR,
        }
    }
}

/// What has an exit code of its own is that and 40.
#[cfg(feature = "update")]
impl From<&UpdateError> for bootslot_code {
    fn from(error: &UpdateError) -> Self {
        use bootslot_code::*;
        match error {
            UpdateError::Device(error) => error.into(),
            UpdateError::BelowFloor { .. } => BOOTSLOT_ERROR_BELOW_FLOOR,
            UpdateError::Read { .. } => BOOTSLOT_ERROR_BUNDLE_READ,
            UpdateError::Format(_) => BOOTSLOT_ERROR_BUNDLE_FORMAT,
            UpdateError::Untrusted(_) => BOOTSLOT_ERROR_UNTRUSTED,
            UpdateError::Incompatible { .. } => BOOTSLOT_ERROR_INCOMPATIBLE,
            UpdateError::Revision { .. } => BOOTSLOT_ERROR_REVISION,
            UpdateError::FailedBefore(_) => BOOTSLOT_ERROR_FAILED_BEFORE,
            UpdateError::DoesNotFit(_) => BOOTSLOT_ERROR_DOES_NOT_FIT,
            UpdateError::InUse { .. } => BOOTSLOT_ERROR_IN_USE,
            UpdateError::NoRoom { .. } => BOOTSLOT_ERROR_NO_ROOM,
            UpdateError::OldImage { .. } => BOOTSLOT_ERROR_OLD_IMAGE,
            UpdateError::Damaged { .. } => BOOTSLOT_ERROR_DAMAGED,
            UpdateError::Medium { .. } => BOOTSLOT_ERROR_MEDIUM,
            UpdateError::ReadBack { .. } => BOOTSLOT_ERROR_READ_BACK,
            UpdateError::Cancelled => BOOTSLOT_ERROR_CANCELLED,
            UpdateError::Changed(_) => BOOTSLOT_ERROR_CHANGED,
            UpdateError::NeedsApp { .. } => BOOTSLOT_ERROR_REFUSED,
            #[cfg(feature = "app")]
            UpdateError::App(_) => BOOTSLOT_ERROR_REFUSED,
            UpdateError::UntrustedLoader(_) => BOOTSLOT_ERROR_UNTRUSTED,
            #[cfg(feature = "bootloader")]
            UpdateError::Loader(_) => BOOTSLOT_ERROR_REFUSED,
        }
    }
}

/// What has an exit code of its own is that and 40.
#[cfg(feature = "health")]
impl From<&MigrateError> for bootslot_code {
    fn from(error: &MigrateError) -> Self {
        use bootslot_code::*;
        match (error.code(), error) {
            (25, _) => BOOTSLOT_ERROR_STEP,
            (26, _) => BOOTSLOT_ERROR_DATA_ROOM,
            (27, _) => BOOTSLOT_ERROR_DATA,
            (_, MigrateError::Library(error)) => error.into(),
            // A folder that can't be migrated as it is.
            _ => BOOTSLOT_ERROR_UNSUPPORTED,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_ones_of_the_first_release() {
        let numbers: Vec<i32> = ALL.iter().map(|(_, number)| *number).collect();
        let first: Vec<i32> = (0..=2).chain(10..=14).chain(20..=39).chain(49..=67).collect();
        assert_eq!(numbers, first, "numbers are only added, never changed");
        for (code, number) in ALL {
            assert_eq!(*code as i32, *number);
            let has_text = match number {
                65.. => cfg!(feature = "health"),
                49.. => cfg!(feature = "update"),
                _ => true,
            };
            assert_eq!(text(*number) != text(-1), has_text, "{code:?}");
        }
    }

    /// The program's exit codes are documented, and so is this rule.
    #[cfg(feature = "health")]
    #[test]
    fn codes_of_migrations_are_the_exit_codes_and_40() {
        use crate::migrate::{Refusal, StepId};
        let (path, text) = (|| "x".into(), String::new);
        let step = StepId { to: 2, name: text() };
        let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
        let errors = [
            (65, MigrateError::Step { step, reason: text(), output: text() }),
            (66, MigrateError::Room { path: path(), needed: 2, free: 1 }),
            (66, MigrateError::Library(crate::Place::new("x", "x").io(full))),
            (67, MigrateError::Refused(Refusal::Lost)),
            (67, MigrateError::Unreadable { path: path(), reason: text() }),
            (67, MigrateError::SnapshotGone { path: path() }),
            (33, MigrateError::Library(Error::Refused(text()))),
            (35, MigrateError::Folder { path: path(), reason: text() }),
        ];
        for (code, error) in errors {
            assert_eq!(bootslot_code::from(&error) as i32, code, "{error:?}");
            assert!(code < 65 || code == i32::from(error.code()) + 40);
        }
    }

    /// The program's exit codes are documented, and so is this rule.
    #[cfg(feature = "update")]
    #[test]
    fn codes_of_updates_are_the_exit_codes_and_40() {
        use crate::device::Refused;
        use crate::update::Untrusted;
        use std::io;
        let (io, text) = (|| io::Error::other("none"), String::new);
        let errors = [
            UpdateError::BelowFloor { version: text(), floor: text() },
            UpdateError::Read { offset: 0, error: io() },
            UpdateError::Format(text()),
            UpdateError::Untrusted(Untrusted::Unsigned),
            UpdateError::Incompatible { bundle: text(), device: text() },
            UpdateError::Revision { bundle: text(), device: text() },
            UpdateError::FailedBefore(Refused::default()),
            UpdateError::DoesNotFit(text()),
            UpdateError::InUse { path: "".into(), reason: text() },
            UpdateError::NoRoom { path: text(), free: 0, needed: 0 },
            UpdateError::OldImage { part: text(), reason: text() },
            UpdateError::Damaged { part: text(), offset: 0 },
            UpdateError::Medium { path: "".into(), offset: 0, step: "", error: io() },
            UpdateError::ReadBack { path: "".into(), offset: 0 },
            UpdateError::Cancelled,
            UpdateError::Changed(text()),
        ];
        for error in &errors {
            assert_eq!(bootslot_code::from(error) as i32, i32::from(error.code()) + 40, "{error:?}");
        }
        // All of these, and each once.
        let mut codes: Vec<i32> = errors.iter().map(|error| bootslot_code::from(error) as i32).collect();
        codes.sort_unstable();
        assert_eq!(codes, (49..=64).collect::<Vec<_>>());
        let refused = Error::Refused(text());
        assert_eq!(bootslot_code::from(&UpdateError::Device(refused)), bootslot_code::BOOTSLOT_ERROR_REFUSED);
    }
}
