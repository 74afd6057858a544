//! What the slots, the checks and the migration share of the data, with the complaints of the program.

use std::fmt::Display;

use bootslot::device::Device;
use bootslot::migrate::Facts;
use bootslot::trial;

use crate::outcome::{complain, Failure};

/// How the messages begin.
pub const PROGRAM: &str = "bootslot migrate";

/// The slot was confirmed: the data stay as they are, and the applications that came with it. Where that fails, the next
/// boot does the same.
pub fn keep(device: &mut Device) {
    if let Err(error) = trial::keep(device, &mut say) {
        complain(PROGRAM, format_args!("{error}; the next boot tries again"));
    }
}

/// What the journal was told. One that is full keeps no services from starting.
pub fn told(noted: bootslot::Result<()>) {
    if let Err(error) = noted {
        say(&error);
    }
}

/// Who runs. Where the boot state can't be read, nobody is confirmed.
pub fn facts(device: &mut Device) -> Facts {
    trial::facts(device, &mut say)
}

/// Why the boot state is not known.
pub fn unread(failure: &Failure) {
    if let Failure::Error(error) = failure {
        trial::unread(error, &mut say);
    }
}

fn say(sentence: &dyn Display) {
    complain(PROGRAM, format_args!("{sentence}"));
}
