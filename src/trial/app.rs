//! An application on trial: its checks, to a decision, and what the journal hears.

use super::Complain;
use crate::app::{facts, why, AppError, Event, Handle, Moment, Stage, Version};
use crate::device::Device;
use crate::error::Result;
use crate::health::decision::Decision;
use crate::health::watchdog::Feeder;
use crate::health::{decide_by, Caller, Report, System};
use crate::journal;
use crate::settings::health::Health;
use crate::settings::App;

/// Runs the checks of an application whose new version is on trial and in place. It takes up to the application's deadline.
/// Nothing is done about what they come to: [`carry_out_app`] does it.
pub fn judge_app(app: &App, version: &Version, caller: &mut Caller<'_>) -> Report {
    let settings = Health { settle: app.settle, deadline: app.deadline, ..Health::default() };
    let system = System { version: Some(version.version.clone()), ..System::default() };
    // The device does not boot for another try of it.
    let (tries, mut nobody) = (false, Feeder::nobody());
    decide_by(&settings, &app.checks, &system, None, tries, &mut nobody, caller)
}

/// Keeps a version, or gives it up, as its checks have decided. `false`: nothing was done, since somebody else has decided
/// meanwhile, or nobody decides. `tell` hears what happens to it.
///
/// # Errors
///
/// All of [`AppError`]: the version is on trial still, or is being left, and the next run goes on.
pub fn carry_out_app(
    report: &Report,
    version: &Version,
    handle: &Handle<'_>,
    tell: &mut dyn FnMut(&Event),
) -> Result<bool, AppError> {
    match &report.decision {
        Decision::Healthy | Decision::Degraded(_) => handle.decide(&version.id, Ok(()), tell),
        Decision::RollBack(_) | Decision::Reboot(_) => {
            let names: Vec<&str> = report.because_of().map(|evidence| evidence.name.as_str()).collect();
            // What is no fault of the update may be tried again.
            let why = if report.blames_update() { names.join(" ") } else { why::ELSEWHERE.to_owned() };
            handle.decide(&version.id, Err(&why), tell)
        }
        Decision::Wait(_) | Decision::Continue => Ok(false),
    }
}

/// The slot was confirmed: applications that came with it are kept. Where that fails, the next boot does the same.
pub(super) fn keep_apps(device: &mut Device, complain: &mut Complain<'_>) {
    let apps = device.settings().apps.clone();
    if apps.is_empty() {
        return;
    }
    let facts = facts(device);
    for app in &apps {
        let handle = Handle::new(app, &facts);
        let state = handle.status().ok().and_then(|status| status.state);
        if !state.is_some_and(|state| matches!(state.stage, Stage::With { .. })) {
            continue;
        }
        let mut unknown = Ok(());
        let tell = &mut |event: &Event| unknown = note_app(device, &app.name, event);
        if let Err(error) = handle.run(Moment::Later, tell) {
            complain(&format_args!("{error}; the next boot tries again"));
        }
        // What the journal does not know holds nobody up.
        if let Err(error) = unknown {
            complain(&error);
        }
    }
}

/// What happens to an application goes to the journal, where there is one.
///
/// # Errors
///
/// [`Error::Io`](crate::Error::Io). A journal that is full keeps no application from running.
pub fn note_app(device: &mut Device, app: &str, event: &Event) -> Result<()> {
    if matches!(event, Event::Unpacked { .. } | Event::Switched(_) | Event::Counted(..) | Event::Stays { .. })
    {
        return Ok(());
    }
    let version = event.version();
    let text = |of: fn(&Version) -> &String| version.map(of).cloned().unwrap_or_default();
    let event = journal::Event::App {
        app: app.to_owned(),
        step: event.name().to_owned(),
        version: text(|version| &version.version),
        update: text(|version| &version.id),
        detail: event.why().to_owned(),
    };
    append(device, &[event])
}

/// The checks that have failed go to the journal, with the end of what each has said.
pub fn note_app_checks(
    device: &mut Device,
    app: &str,
    version: &Version,
    report: &Report,
    complain: &mut Complain<'_>,
) {
    let failed = report.evidence.iter().filter(|evidence| !evidence.passed());
    let events: Vec<journal::Event> = failed
        .map(|evidence| journal::Event::App {
            app: app.to_owned(),
            step: "check".into(),
            version: version.version.clone(),
            update: version.id.clone(),
            detail: format!("{} {}: {}", evidence.name, evidence.result(), evidence.says),
        })
        .collect();
    if let Err(error) = append(device, &events) {
        complain(&error);
    }
}

fn append(device: &mut Device, events: &[journal::Event]) -> Result<()> {
    match device.journal().filter(|_| !events.is_empty()) {
        Some(journal) => journal.append(events),
        None => Ok(()),
    }
}
