//! Pure: The dialect of Mender's client with U-Boot, and some variables of bootslot's own.
//!
//! | variable | values | meaning |
//! |---|---|---|
//! | `mender_boot_part` | the number of a partition, decimal | the slot that boots |
//! | `mender_boot_part_hex` | the same, hexadecimal without `0x` | the same, for U-Boot's `load` |
//! | `upgrade_available` | `1`, `0` | the slot is on trial, it is confirmed |
//! | `bootcount` | decimal | boots of the trial; U-Boot counts and stores them |
//! | `bootlimit` | decimal | boots that a trial has; the board's, only read |
//! | `slot_<name>` | `bad` (being written), `failed` | bootslot's own: what the slot is that nothing boots |
//! | `boot_update` | `<slot>:<update id>` | bootslot's own: what is on trial, and in which slot |
//! | `boot_failed` | `<slot>:<reason>:<update id>` | bootslot's own: the last failure |
//!
//! Mender and its U-Boot do not look at bootslot's own variables, and keep them. They count only where Mender's say nothing: a
//! `slot_<name>` that is left from before says nothing of a slot that is active or where a trial returns to.
//!
//! There are two slots. What can't be stored is refused: a slot that is good and not active (nothing says it); more tries than
//! `bootlimit`; a trial without `bootlimit`, which U-Boot would never give up; a trial with no good slot to return to.
//!
//! Sources: mender's `support/modules/rootfs-image`; meta-mender's patches to U-Boot.

use super::counted::{self, Names};
use crate::env::Environment;
use crate::error::{Error, Result};
use crate::slot::{Board, State};

const PART: &str = "mender_boot_part";
const PART_HEX: &str = "mender_boot_part_hex";

/// The variables that say which slot boots.
pub(super) const NAMES: Names = Names { active: &[PART, PART_HEX], hex: Some(PART_HEX), swupdate: false };

/// The boot state that U-Boot will see when it loads these variables.
///
/// # Errors
///
/// [`Error::BootState`] where the board has not two slots with the numbers of their partitions, or where
/// `mender_boot_part` and `mender_boot_part_hex` name two partitions: root and kernel would be two slots', unless bootslot's own
/// script reads them.
pub(super) fn decode(variables: &Environment, board: &Board) -> Result<State> {
    let wrong = |reason| Error::BootState { name: PART, reason };
    let mut values = Vec::new();
    for slot in &board.slots {
        let text = board.values.get(slot).map_or(slot.as_str(), String::as_str);
        let part = text.parse::<u8>().ok().filter(|part| *part > 0 && part.to_string() == text);
        let part = part.ok_or_else(|| {
            wrong(format!(
                "slot {slot} has no number of a partition, but {text:?}; say it in the settings (value)"
            ))
        })?;
        values.push(vec![part.to_string().into_bytes(), format!("{part:x}").into_bytes()]);
    }
    let state = counted::decode(variables, board, &NAMES, values)?;
    let stored =
        |name: &str| variables.get(name.as_bytes()).map(|value| String::from_utf8_lossy(value).into_owned());
    if let (Some(part), Some(hex)) = (stored(PART), stored(PART_HEX)) {
        let same = part.parse().ok() == u32::from_str_radix(&hex, 16).ok();
        // bootslot's own script boots by the decimal number alone.
        if !same && part.parse::<u32>().is_ok() && !board.reader.is_ours() {
            let reason =
                format!("it is {part}, and {PART_HEX} is {hex}: kernel and root would be two slots'");
            return Err(wrong(reason));
        }
    }
    Ok(state)
}
