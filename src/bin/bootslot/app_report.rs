//! What is known of applications, as text for people and as JSON for programs.

use std::fmt::Write;

use bootslot::app::{Event, Next, Stage, State, Version};
use bootslot::health::Report;
use bootslot::report::AppReport;
use bootslot::update::InstalledApp;
use serde_json::{json, Value};

/// An application and where it stands, for people. Lines begin with `lead`.
pub fn text(app: &AppReport, lead: &str) -> String {
    let lines = lines(app);
    lines.lines().map(|line| format!("{lead}{line}\n")).collect()
}

fn lines(app: &AppReport) -> String {
    let name = &app.name;
    let status = match &app.status {
        Ok(status) => status,
        Err(error) => return format!("{name}: {error}\n"),
    };
    let Some(state) = &status.state else { return format!("{name}: not installed\n") };
    let mut text = match status.in_place() {
        Some(version) => format!("{name}: version {version} is in place, {}\n", stands(state, version)),
        None => format!("{name}: no version is in place\n"),
    };
    match (&state.stage, state.new_version()) {
        (Stage::Trial { boots, .. }, Some(new)) => {
            let _ = writeln!(text, "  on trial: version {new}, boots of the device: {boots}");
        }
        (Stage::With { with, .. }, Some(new)) => {
            let _ =
                writeln!(text, "  waits: version {new}, for update {} in slot {}", with.update, with.slot);
        }
        (Stage::Back { why, .. }, Some(new)) => {
            let _ = writeln!(text, "  is being left: version {new}: {why}");
        }
        (Stage::Removing, _) => text.push_str("  is being removed\n"),
        _ => {}
    }
    let others = state.confirmed.iter().rev().skip(1).filter_map(|id| state.version(id));
    for version in others {
        let _ = writeln!(text, "  before: version {version}");
    }
    if let Some(floor) = &state.floor {
        let _ = writeln!(text, "  floor: {floor}");
    }
    for failed in &state.refused {
        let _ = writeln!(text, "  refused: version {} ({}): {}", failed.version, failed.id, failed.why);
    }
    if !matches!(status.next, Next::Ready | Next::Judge(_) | Next::Tidy) {
        text.push_str("  was cut off: bootslot app decide goes on\n");
    }
    text
}

/// The same for programs.
pub fn json(app: &AppReport) -> Value {
    let status = match &app.status {
        Ok(status) => status,
        Err(error) => return json!({ "app": app.name, "error": error }),
    };
    let Some(state) = &status.state else {
        return json!({ "app": app.name, "installed": false });
    };
    let (slot, update) = match &state.stage {
        Stage::With { with, .. } => (Some(with.slot.as_str()), Some(with.update.as_str())),
        _ => (None, None),
    };
    json!({
        "app": app.name,
        "installed": true,
        "in_place": status.in_place().map(version),
        "confirmed": state.current().map(version),
        "stage": state.stage.word(),
        "new": state.new_version().map(version),
        "boots": match &state.stage {
            Stage::Trial { boots, .. } => Some(boots),
            _ => None,
        },
        "slot": slot,
        "update": update,
        "versions": state.versions.iter().map(version).collect::<Vec<_>>(),
        "floor": state.floor,
        "refused": state.refused.iter().map(|failed| json!({
            "update": failed.id,
            "version": failed.version,
            "reason": failed.why,
        })).collect::<Vec<_>>(),
    })
}

fn stands(state: &State, version: &Version) -> &'static str {
    match state.confirmed.contains(&version.id) {
        true => "confirmed",
        false => "on trial",
    }
}

fn version(version: &Version) -> Value {
    json!({ "version": version.version, "update": version.id, "system": version.system })
}

/// Something that has happened.
pub fn event(app: &str, event: &Event) -> Value {
    let mut object = json!({ "event": event.name(), "app": app });
    if let Some(version) = event.version() {
        object["version"] = version.version.clone().into();
        object["update"] = version.id.clone().into();
    }
    if !event.why().is_empty() {
        object["reason"] = event.why().into();
    }
    object
}

/// The decision of the checks.
pub fn judged(app: &str, version: &Version, report: &Report) -> Value {
    let because: Vec<&str> = report.because_of().map(|evidence| evidence.name.as_str()).collect();
    let says: Vec<&str> = report.because_of().map(|evidence| evidence.says.as_str()).collect();
    json!({
        "event": "decision",
        "app": app,
        "version": version.version,
        "update": version.id,
        "decision": report.decision.name(),
        "because_of": because,
        "says": says,
        "milliseconds": report.took,
    })
}

/// How an installation has ended, for people.
pub fn installed(installed: &InstalledApp, dry_run: bool) -> String {
    let InstalledApp { app, version, already, on_trial, .. } = installed;
    match (already, dry_run) {
        (true, _) => {
            let stands = if *on_trial { "on trial" } else { "there" };
            format!("Already done, nothing stored: version {version} of {app} is {stands}\n")
        }
        (false, true) => format!("Nothing was changed: version {version} of {app} can be installed\n"),
        (false, false) if *on_trial => format!("Version {version} of {app} is in place, on trial\n"),
        (false, false) => format!("Version {version} of {app} was given up\n"),
    }
}

/// The same for programs.
pub fn installed_json(installed: &InstalledApp, dry_run: bool) -> Value {
    json!({
        "event": "installed",
        "app": installed.app,
        "version": installed.version.version,
        "update": installed.version.id,
        "already": installed.already,
        "on_trial": installed.on_trial,
        "dry_run": dry_run,
        "bytes": installed.done.all,
        "fetched": installed.done.fetched,
    })
}
