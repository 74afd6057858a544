//! U-Boot's boot counter for C, with the handle of the slots: its settings say where the counter is.

use super::boundary::{output, Failure, Outcome};
use super::code::bootslot_code::{self, *};
use super::slots::{bootslot_slots, call};
use crate::bootcount::{find, Counter, Roots, Source, Variables};
use crate::device::Device;
use crate::error::Result;

/// Does something with the counter that the settings name, else the one that the device tree describes.
fn with_counter<T>(device: &mut Device, f: impl Fn(&mut dyn Counter) -> Result<T>) -> Outcome<T> {
    let source = match &device.settings().bootcount {
        Some(source) => source.clone(),
        None => find(&Roots::default())?.ok_or_else(|| {
            let text = "no boot counter: the device tree has none, and the settings have no [bootcount]";
            Failure::new(BOOTSLOT_ERROR_UNSUPPORTED, text)
        })?,
    };
    let Source::Environment = source else {
        let mut counter =
            source.open().ok_or_else(|| Failure::new(BOOTSLOT_ERROR_UNSUPPORTED, "no counter"))?;
        return Ok(f(&mut *counter)?);
    };
    Ok(f(&mut Variables::new(device.store()))?)
}

exports! { EXPORTS:
    /// Gets the number of boots since U-Boot's boot counter was reset, as U-Boot will read it. The result is
    /// BOOTSLOT_UNDEFINED if the place of the counter holds none. U-Boot reads that as 0.
    fn bootslot_slots_boot_count(slots: *mut bootslot_slots, count: *mut u32) -> bootslot_code {
        call(slots, |session| {
            let count = output(count, "count")?;
            match with_counter(session.device()?, |counter| counter.get())? {
                Some(found) => {
                    *count = found.count;
                    Ok(BOOTSLOT_OK)
                }
                None => Ok(BOOTSLOT_UNDEFINED),
            }
        })
    }

    /// Sets U-Boot's boot counter back to 0, because the system is healthy. If the counter has upgrade_available, that
    /// is cleared, too. A place that holds no counter is left alone.
    fn bootslot_slots_reset_boot_count(slots: *mut bootslot_slots) -> bootslot_code {
        call(slots, |session| {
            with_counter(session.device()?, |counter| counter.reset())?;
            Ok(BOOTSLOT_OK)
        })
    }
}
