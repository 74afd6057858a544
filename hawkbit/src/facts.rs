//! The facts of a device that a decision rests on: what the journal says of the server's actions, and what the boot state
//! says of their updates.

use bootslot::device::Device;
use bootslot::journal::{Action, Event, Story, Verdict};
use bootslot::slot::{Name, State};
use bootslot::{Error, Result};

use crate::decide::{Ending, Facts, Known, Stage};

/// The words of the steps that this client records, beside the first and the last one.
pub mod word {
    /// The server has heard whether somebody agrees to it.
    pub const CONSENT: &str = "consent";
    /// The server has heard that the download begins.
    pub const TOLD_DOWNLOAD: &str = "told-download";
    /// The server has heard that the update is in the slot.
    pub const TOLD_INSTALLED: &str = "told-installed";
    /// The server has heard that the update runs, on trial.
    pub const TOLD_TRIAL: &str = "told-trial";
    /// It is in the slot, and is not to boot yet.
    pub const HELD: &str = "held";
    /// An installation has failed, which may go better another time.
    pub const TRIED: &str = "tried";
    /// It can't be carried out, for good.
    pub const FAILED: &str = "failed";
    /// There was nothing to do.
    pub const DONE: &str = "done";
    /// Its trial is to end, because the server calls it off.
    pub const LEAVING: &str = "leaving";
    /// It was called off.
    pub const CALLED_OFF: &str = "called-off";
}

/// The journal of a device, which this client can't do without.
///
/// # Errors
///
/// [`Error::Refused`] where the settings name none; those of [`Device::story`].
pub fn story(device: &mut Device) -> Result<Story> {
    device.story()?.ok_or_else(|| {
        let reason = "the settings name no folder for the journal (state): without it nobody knows what the server has heard";
        Error::Refused(reason.into())
    })
}

/// Records a step of an action.
///
/// # Errors
///
/// [`Error::Io`] of the journal.
pub fn record(device: &mut Device, [server, id, update]: [&str; 3], step: &str, detail: &str) -> Result<()> {
    let [server, id, update, step, detail] = [server, id, update, step, detail].map(str::to_owned);
    match device.journal() {
        Some(journal) => journal.append(&[Event::Action { server, id, update, step, detail }]),
        None => story(device).map(drop),
    }
}

/// The facts of this device about the actions of this server.
///
/// # Errors
///
/// Those of [`story`] and [`Device::status`].
pub fn facts(device: &mut Device, server: &str) -> Result<Facts> {
    let story = story(device)?;
    let status = device.status()?;
    let running = status.running.as_ref().ok();
    let ours = story.actions.iter().filter(|action| action.server == server);
    let actions: Vec<Known> =
        ours.clone().map(|action| known(&story, action, &status.state, running)).collect();
    let waits = on_trial(&status.state).map(|(_, update)| update);
    let of_ours =
        |update: &String| ours.clone().any(|action| action.update == *update && !action.is_closed());
    let confirmed = running.is_some_and(|running| status.state.is_confirmed(running));
    // What the journal has lost is nobody's: the installation finds it, or writes over it.
    let of_others = |update: &String| {
        !of_ours(update) && story.pending().is_some_and(|attempt| attempt.update == *update)
    };
    Ok(Facts { actions, free: confirmed && !waits.as_ref().is_some_and(of_others) })
}

/// The slot that is on trial, and the update in it.
fn on_trial(state: &State) -> Option<(&Name, String)> {
    let active = state.active.known().filter(|active| state.is_on_trial(active))?;
    let update = String::from_utf8_lossy(state.update.as_deref().unwrap_or_default()).into_owned();
    Some((active, update))
}

fn known(story: &Story, action: &Action, state: &State, running: Option<&Name>) -> Known {
    let has = |word: &str| action.step(word).is_some();
    Known {
        id: action.id.clone(),
        stage: stage(story, action, state, running),
        failed: action.step(word::FAILED).map(str::to_owned),
        done: has(word::DONE),
        leaving: has(word::LEAVING),
        called_off: has(word::CALLED_OFF),
        held: has(word::HELD),
        told_installed: has(word::TOLD_INSTALLED),
        told_trial: has(word::TOLD_TRIAL),
        closed: action.step(Action::CLOSED).map(Ending::of),
    }
}

fn stage(story: &Story, action: &Action, state: &State, running: Option<&Name>) -> Stage {
    if action.update.is_empty() {
        return Stage::Idle;
    }
    // The boot state first: the journal may have been lost.
    if let Some((slot, _)) = on_trial(state).filter(|(_, update)| *update == action.update) {
        return if running == Some(slot) { Stage::OnTrial } else { Stage::Waiting };
    }
    let Some(attempt) = action.attempt.as_deref().and_then(|name| story.attempt(name)) else {
        return Stage::Idle;
    };
    match attempt.verdict {
        None | Some(Verdict::NotInstalled) => Stage::Idle,
        Some(Verdict::Confirmed) => Stage::Confirmed,
        Some(Verdict::Abandoned) => Stage::Abandoned(attempt.reason.clone()),
        Some(Verdict::RolledBack) => match running.is_some_and(|running| running.as_str() == attempt.slot) {
            true => Stage::Leaving(attempt.reason.clone()),
            false => Stage::RolledBack(attempt.reason.clone()),
        },
    }
}
