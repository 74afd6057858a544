//! `bootslot migrate`: the data as the running system wants them, before its services start.

use std::fmt::Write;

use bootslot::migrate::{self, Event, Facts, MigrateError, State, Status};
use bootslot::trial;
use clap::Args;
use serde_json::{json, Map, Value};

use crate::kept::{facts, told, unread};
use crate::outcome::{print, print_event, Failure, Outcome, NO};
use crate::report::to_json;
use crate::slots;

/// The options of the command.
#[derive(Args)]
pub struct Migration {
    /// Show where the data stand; exit code 1: not as this system wants them
    #[arg(long, conflicts_with_all = ["dry_run", "assume"])]
    status: bool,

    /// Show what would be done, and change nothing
    #[arg(long, conflicts_with = "assume")]
    dry_run: bool,

    /// Say that the data have this version, because you have looked at them; snapshots are removed after that
    #[arg(long, value_name = "VERSION")]
    assume: Option<u64>,

    #[command(flatten)]
    device: slots::Options,
}

/// Runs the command.
pub fn run(options: &Migration) -> Outcome {
    let settings = slots::settings(&options.device)?;
    let mut device = None;
    if !settings.migrate.data.is_empty() {
        // On a normal boot it is asked for nothing, and the services start without it.
        device = slots::open(&options.device).map_err(|failure| unread(&failure)).ok();
    }
    let facts =
        device.as_mut().map_or_else(|| Facts { slot: settings.running.clone(), ..Facts::default() }, facts);
    if options.status || options.dry_run {
        return show(migrate::status(&settings.migrate, &facts)?.as_ref(), options);
    }
    let mut printed = Ok(());
    let mut tell = |event: &Event| {
        told(device.as_mut().map_or(Ok(()), |device| trial::note_event(device, event)));
        let line = match options.device.json {
            true => print_event(&event_json(event)),
            false => print(format!("{event}\n").as_bytes()),
        };
        // A reader that went away does not end a migration.
        if printed.is_ok() {
            printed = line;
        }
    };
    let done: Result<(), MigrateError> = match options.assume {
        Some(version) => migrate::assume(&settings.migrate, version, &mut tell),
        None => migrate::run(&settings.migrate, &facts, &mut tell).map(drop),
    };
    let Err(error) = done else { return printed };
    told(device.as_mut().map_or(Ok(()), |device| trial::note(device, "failed", &error.to_string())));
    if options.device.json {
        let failed = json!({ "event": "failed", "code": error.code(), "error": error.to_string() });
        let _ = print_event(&failed);
    }
    Err(error.into())
}

fn event_json(event: &Event) -> Value {
    let mut object = Map::new();
    object.insert("event".into(), event.name().into());
    for (name, value) in event.fields() {
        let number = value.parse::<u64>().ok().filter(|_| ["version", "from", "to"].contains(&name));
        object.insert(name.into(), number.map_or(value.into(), Value::from));
    }
    object.into()
}

fn show(status: Option<&Status>, options: &Migration) -> Outcome {
    let Some(status) = status else {
        return print(&match options.device.json {
            true => to_json(&json!({ "migrates": false })),
            false => b"the settings name no folders with data: nothing is migrated\n".to_vec(),
        });
    };
    print(&match options.device.json {
        true => to_json(&status_json(status)),
        false => status_text(status).into_bytes(),
    })?;
    match options.dry_run || status.is_ready() {
        true => Ok(()),
        false => Err(Failure::Answer(NO)),
    }
}

fn status_text(status: &Status) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "system:    wants version {}", status.wanted.version);
    let _ = writeln!(text, "data:      {}", state_text(status.state.as_ref()));
    let _ = writeln!(text, "next:      {}", status.next);
    for step in &status.steps {
        let _ = writeln!(text, "step:      {step}");
    }
    for room in &status.room {
        let (folder, enough) =
            (room.folder.display(), if room.needed <= room.free { "" } else { ", TOO LITTLE" });
        let _ =
            writeln!(text, "room:      {folder}: {} bytes needed, {} free{enough}", room.needed, room.free);
    }
    for path in &status.snapshots {
        let _ = writeln!(text, "snapshot:  {}", path.display());
    }
    for path in &status.kept {
        let _ = writeln!(text, "rejected:  {}", path.display());
    }
    text
}

fn state_text(state: Option<&State>) -> String {
    match state {
        None => "nobody has counted them".into(),
        Some(State::Clean { version, last: None, .. }) => version_text(*version),
        Some(State::Clean { version, last: Some(last), .. }) => {
            let version = version_text(*version);
            let update = last.update.as_ref().map(|update| format!(", update {update}")).unwrap_or_default();
            let (slot, why) = (&last.slot, &last.why);
            format!("{version}; version {} of slot {slot}{update} was taken back: {why}", last.to)
        }
        Some(State::Copying(attempt)) => {
            format!("{}, a snapshot is being made: {attempt}", version_text(attempt.from))
        }
        Some(State::Steps { attempt, done: None }) => format!("steps have begun: {attempt}"),
        Some(State::Steps { attempt, done: Some(step) }) => format!("steps are done up to {step}: {attempt}"),
        Some(State::Trial(attempt)) => format!("on trial: {attempt}"),
        Some(State::Restoring { attempt, why }) => format!("being restored ({why}): {attempt}"),
    }
}

fn version_text(version: Option<u64>) -> String {
    version.map_or_else(|| "no data".into(), |version| format!("version {version}"))
}

fn status_json(status: &Status) -> Value {
    let attempt = status.state.as_ref().and_then(State::attempt);
    let last = match &status.state {
        Some(State::Clean { last, .. }) => last.as_ref(),
        _ => None,
    };
    json!({
        "migrates": true,
        "ready": status.is_ready(),
        "state": status.state.as_ref().map_or("none", State::word),
        "version": status.state.as_ref().and_then(State::version),
        "wanted": status.wanted.version,
        "next": status.next.to_string(),
        "steps": status.steps.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "room": status.room.iter().map(|room| json!({
            "folder": room.folder, "needed": room.needed, "free": room.free,
        })).collect::<Vec<_>>(),
        "migration": attempt.map(|attempt| json!({
            "from": attempt.from, "to": attempt.to, "slot": attempt.slot.as_str(), "update": attempt.update,
        })),
        "taken_back": last.map(|last| json!({
            "to": last.to, "slot": last.slot.as_str(), "update": last.update, "why": last.why.to_string(),
        })),
        "snapshots": status.snapshots,
        "rejected": status.kept,
    })
}
