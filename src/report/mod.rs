//! What became of the last update, and why: for people, for a server, for the next session at 2 a.m. (feature `health`).
//!
//! | file | job |
//! |---|---|
//! | `mod.rs` | the report of a device |
//! | `send.rs` | what was not reported yet, and to whom it goes |
//! | `diagnose.rs` | seven questions for a device that was not updated |

mod diagnose;
mod send;

pub use diagnose::{diagnose, Answer, State as AnswerState};
pub use send::{outgoing, sent, About, Message};

use crate::device::{Device, Refused, Status, System};
use crate::error::Result;
use crate::journal::{Attempt, Event, Story, Verdict};
use crate::slot::{Mark, Role, Standing};

/// What is known of a device and its last update.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// What the device is: `[update] compatible` of the settings.
    pub compatible: String,
    /// The slot that runs; empty where that is unknown.
    pub slot: String,
    /// How the slot that runs stands: `confirmed`, `on trial, 2 tries left`, `over`; where another one boots next, also
    /// that: `good, slot B boots next`.
    pub standing: String,
    /// The version of the running system, as it says itself.
    pub version: String,
    /// Its build.
    pub build: String,
    /// The last attempt at an update, if the journal knows one.
    pub update: Option<Attempt>,
    /// The updates that are refused, the oldest first.
    pub refused: Vec<Refused>,
    /// The lowest version that is installed.
    pub floor: Option<String>,
    /// What went wrong with the boot state itself: a word for each finding, and when it was found.
    pub findings: Vec<(String, u64)>,
    /// The applications of the settings.
    #[cfg(feature = "app")]
    pub apps: Vec<AppReport>,
    /// The boot loader; `None`: the board has no scheme for it.
    #[cfg(feature = "bootloader")]
    pub loader: Option<LoaderReport>,
    /// Why the journal says nothing, if it does not.
    pub journal: Option<String>,
}

/// What is known of the boot loader.
#[cfg(feature = "bootloader")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoaderReport {
    /// Where it stands, or why that is not known.
    pub status: std::result::Result<crate::loader::Status, String>,
}

/// What is known of an application.
#[cfg(feature = "app")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppReport {
    /// Its name.
    pub name: String,
    /// Where it stands, or why that is not known.
    pub status: std::result::Result<crate::app::Status, String>,
}

/// What is known of all applications of the settings. Nothing is written, and nothing is locked.
#[cfg(feature = "app")]
pub fn apps(device: &mut Device) -> Vec<AppReport> {
    let apps = device.settings().apps.clone();
    if apps.is_empty() {
        return Vec::new();
    }
    let facts = crate::app::facts(device);
    let status = |app: &crate::settings::App| {
        crate::app::Handle::new(app, &facts).status().map_err(|error| error.to_string())
    };
    apps.iter().map(|app| AppReport { name: app.name.clone(), status: status(app) }).collect()
}

impl Report {
    /// The report of this device. Nothing is written.
    ///
    /// # Errors
    ///
    /// Those of [`Device::status`]. A journal that can't be read is told in the report.
    pub fn of(device: &mut Device) -> Result<Report> {
        let status = device.status()?;
        let settings = device.settings().clone();
        let (story, journal) = read(device);
        let System { version, build, .. } = System::ask(&settings);
        let refused = device.refused().unwrap_or_default();
        Ok(Report {
            compatible: settings.update.compatible.unwrap_or_default(),
            slot: status.running.as_ref().map(ToString::to_string).unwrap_or_default(),
            standing: standing(&status),
            version,
            build,
            update: story.attempts.last().cloned(),
            refused,
            floor: status.floor.lowest.ok().flatten(),
            findings: story
                .findings
                .iter()
                .map(|record| (record.get("finding").to_owned(), record.time))
                .collect(),
            #[cfg(feature = "app")]
            apps: apps(device),
            #[cfg(feature = "bootloader")]
            loader: device
                .loader_status()
                .map_err(|error| error.to_string())
                .transpose()
                .map(|status| LoaderReport { status }),
            journal,
        })
    }
}

/// How the slot that runs stands. Where that is unknown, how the active one does.
fn standing(status: &Status) -> String {
    let state = &status.state;
    let (active, stands) = match state.standing() {
        Standing::Confirmed(slot) => (Some(slot), "confirmed".to_owned()),
        Standing::Trial { slot, left } => (Some(slot), format!("on trial, {left} tries left")),
        Standing::Over(slot) => (slot, "over".into()),
    };
    let Some((running, active)) =
        status.running.as_ref().ok().zip(active).filter(|(one, other)| one != other)
    else {
        return stands;
    };
    let role = state.slot(running).map(|slot| slot.role);
    let stands = match state.mark(running) {
        _ if role == Some(Role::LastResort) => "the last resort",
        Some(Mark::Good) => "good",
        Some(Mark::Failed) => "given up",
        Some(Mark::Writing) => "being written",
        None => "not confirmed",
    };
    format!("{stands}, slot {active} boots next")
}

/// The story, or why there is none.
fn read(device: &mut Device) -> (Story, Option<String>) {
    match device.story() {
        Ok(Some(story)) => (story, None),
        Ok(None) => (Story::default(), Some("the settings name no folder for it: state".into())),
        Err(error) => (Story::default(), Some(error.to_string())),
    }
}

/// How far an attempt is, or how it ended, as a phrase.
pub fn stage(attempt: &Attempt) -> &'static str {
    match (attempt.verdict, attempt.tried) {
        (Some(Verdict::Confirmed), _) => "confirmed",
        (Some(Verdict::RolledBack), _) => "rolled back",
        (Some(Verdict::NotInstalled), _) => "not installed",
        (Some(Verdict::Abandoned), _) => "abandoned",
        (None, true) if attempt.boots == 0 => "waiting for the reboot",
        (None, true) => "on trial",
        (None, false) => "being installed",
    }
}

/// What a record of evidence says in one line, and its text.
pub fn evidence(record: &crate::journal::Record) -> (String, String) {
    match Event::of(record) {
        Some(Event::Check { name, result, output, .. }) => (format!("check {name}: {result}"), output),
        Some(Event::Evidence { source, slot, text }) if slot.is_empty() => (source, text),
        Some(Event::Evidence { source, slot, text }) => (format!("{source} of slot {slot}"), text),
        Some(Event::Migration { step, detail }) => (format!("migration: {step}"), detail),
        _ => (record.kind.clone(), String::new()),
    }
}
