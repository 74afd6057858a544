//! A new boot loader has booted a system that was confirmed: it is kept.

use super::Complain;
use crate::device::Device;
use crate::loader::{Confirmation, Standing};

/// A new boot loader that has booted is kept; where the ROM went back, that is recorded. On all other boots nothing is done. Where
/// it fails, the next boot does the same.
pub(super) fn keep_loader(device: &mut Device, complain: &mut Complain<'_>) {
    let status = match device.loader_status() {
        Ok(Some(status)) => status,
        Ok(None) => return,
        Err(error) => return complain(&error),
    };
    if matches!(status.standing, Some(Standing::Settled | Standing::Writing | Standing::Waits)) {
        return;
    }
    match device.confirm_loader() {
        Ok(Confirmation::WentBack(new)) => {
            complain(&format_args!(
                "the boot loader of {new} was given up: the ROM went back to the other copy"
            ));
        }
        Ok(Confirmation::Done(_) | Confirmation::Nothing) => {}
        Err(error) => complain(&format_args!("{error}; the next boot tries again")),
    }
}
