//! Pure: The dialect of a board that uses U-Boot's own boot counter, with SWUpdate's variables where they are there, and
//! some of bootslot's own.
//!
//! | variable | values | meaning |
//! |---|---|---|
//! | the one that the settings name | what the settings say for each slot, else its name | the slot that boots |
//! | `upgrade_available` | `1`, `0` | the slot is on trial, it is confirmed |
//! | `bootcount` | decimal | boots of the trial; U-Boot counts and stores them |
//! | `bootlimit` | decimal | boots that a trial has; the board's, only read |
//! | `ustate` | `0` fine, `1` installed, `3` failed | SWUpdate's, written only where it is there; `1`, `2` and `7`: an update has failed, if `bootcount` is above `bootlimit` and no slot is on trial |
//! | `recovery_status` | `in_progress` | SWUpdate's: the slot that nothing boots is being written |
//! | `slot_<name>` | `bad` (being written), `failed` | bootslot's own: what the slot is that nothing boots |
//! | `boot_update` | `<slot>:<update id>` | bootslot's own: what is on trial, and in which slot |
//! | `boot_failed` | `<slot>:<reason>:<update id>` | bootslot's own: the last failure |
//!
//! What U-Boot does when the count is above the limit is the board's: its `altbootcmd`. This dialect is for one that makes
//! the other slot active, clears `upgrade_available` and stores that.
//!
//! There are two slots, and what can't be stored is refused, as in the dialect of [`mender`](super::mender).
//!
//! Sources: U-Boot's `doc/README.bootcount` and `drivers/bootcount/bootcount_env.c`; SWUpdate's `include/state.h` and
//! `include/bootloader.h`.

use super::counted::{self, Names};
use crate::env::Environment;
use crate::error::{Error, Result};
use crate::slot::{Board, State};

/// The boot state that U-Boot will see when it loads these variables.
///
/// # Errors
///
/// [`Error::BootState`] where the board has not two slots, or names no variable for them.
pub(super) fn decode(variables: &Environment, board: &Board) -> Result<State> {
    if board.slot_variable.is_empty() {
        let reason = "which variable says it? say so in the settings (slot-variable)".into();
        return Err(Error::BootState { name: "the active slot", reason });
    }
    let values = board.slots.iter().map(|slot| {
        let text = board.values.get(slot).map_or(slot.as_str(), String::as_str);
        vec![text.as_bytes().to_vec()]
    });
    let names = Names { active: &[&board.slot_variable], hex: None, swupdate: true };
    counted::decode(variables, board, &names, values.collect())
}
