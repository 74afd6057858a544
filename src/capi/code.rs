//! Error codes: one for each kind of [`Error`], with numbers that never change.

use std::ffi::CStr;

use crate::error::Error;

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $number:literal: $text:literal,)*) => {
        /// What a function returns. The numbers never change and are never given away again.
                #[repr(C)]
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum bootslot_code {
            $($(#[doc = $doc])+ $name = $number,)*
        }

        /// The meaning of a number, whether it is a code or not.
        pub fn text(code: i32) -> &'static CStr {
            match code {
                $($number => $text,)*
                _ => c"unknown code",
            }
        }

        #[cfg(test)]
        const ALL: &[(bootslot_code, i32)] = &[$((bootslot_code::$name, $number)),*];
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_ones_of_the_first_release() {
        let numbers: Vec<i32> = ALL.iter().map(|(_, number)| *number).collect();
        let first: Vec<i32> = (0..=2).chain(10..=14).chain(20..=39).collect();
        assert_eq!(numbers, first, "numbers are only added, never changed");
        for (code, number) in ALL {
            assert_eq!(*code as i32, *number);
            assert_ne!(text(*number), text(-1), "{code:?}");
        }
    }
}
