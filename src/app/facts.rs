//! Which system runs: asked of the boot state, and of the system.

use super::decide::Facts;
use crate::device::{Device, System};
use crate::slot;

/// What is known of the system that runs. Where the boot state can't be read, nothing that depends on it is decided.
pub fn facts(device: &mut Device) -> Facts {
    let running = device.running().cloned();
    let system = System::ask(device.settings()).version;
    match device.state() {
        Ok(state) => Facts::new(&state, running.as_ref(), &system),
        Err(_) => Facts { system: Facts::said(&system), boot: None },
    }
}

/// The same where there is no boot state to ask.
pub fn facts_without_boot(settings: &crate::settings::Settings) -> Facts {
    Facts { system: Facts::said(&System::ask(settings).version), boot: None }
}

/// Whether the slot that runs is on trial.
pub(crate) fn is_on_trial(state: &slot::State, running: Option<&slot::Name>) -> bool {
    running.is_some_and(|slot| !state.is_confirmed(slot))
}
