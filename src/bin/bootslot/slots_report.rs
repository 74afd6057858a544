//! What is known about the slots and what an order did, as text for people and as JSON for programs.

use std::fmt::Write;

use bootslot::device::{Done, FloorStatus, NextBoot, Status};
use bootslot::floor::Change;
use bootslot::settings::Settings;
use bootslot::slot::dialect::{Change as Assignment, Conversion, Dialect};
use bootslot::slot::{Chosen, Failure, Mark, Name, Reader, Reason, Role, Standing, State};
use bootslot::store::Health;
use serde_json::{json, Value};

use crate::dialect_report as dialect;
use crate::report::{self, to_json};

/// What stands beside the slots, for people and for programs.
pub struct Beside {
    /// The applications.
    pub apps: Vec<(String, Value)>,
    /// The boot loader.
    pub loader: Option<(String, Value)>,
}

/// All that is known, on one screen.
pub fn status(
    status: &Status,
    settings: &Settings,
    waits: &[(String, &'static str)],
    beside: &Beside,
    as_json: bool,
) -> Vec<u8> {
    if as_json {
        let mut object = status_json(status, settings, waits);
        object["apps"] = beside.apps.iter().map(|(_, app)| app.clone()).collect();
        object["bootloader"] = beside.loader.as_ref().map(|(_, loader)| loader.clone()).into();
        return to_json(&object);
    }
    let state = &status.state;
    let mut text = String::new();
    let running = match &status.running {
        Ok(slot) => format!("slot {slot}"),
        Err(why) => format!("unknown: {why}"),
    };
    let _ = writeln!(text, "running:      {running}");
    let (script, provided) = match (&status.script, status.dialect) {
        (Ok(script), Dialect::Native) => (format!("version {}", script.number()), ""),
        (Ok(_), _) => (dialect::boot_code(status), ""),
        (Err(why), _) => (format!("unknown: {why}"), "; if U-Boot runs the boot script"),
    };
    let _ = writeln!(text, "boot script:  {script}");
    let _ = writeln!(text, "dialect:      {}", dialect::in_short(status));
    for (variable, odd) in dialect::oddities(state) {
        let _ = writeln!(text, "{variable:<13} {odd}");
    }
    let _ = writeln!(text, "next boot:    {}{provided}", next_in_short(state, &status.next));
    let guard = match status.guard {
        true if status.dialect != Dialect::Native && status.reader != Reader::RaucUncounted => {
            "a confirmed slot that hangs is left: each boot is counted"
        }
        true => "a confirmed slot that hangs is left, by U-Boot's boot counter",
        false => "none, a confirmed slot that loads and then hangs is not left",
    };
    let _ = writeln!(text, "guard:        {guard}");
    let failure = state.last_failure();
    let _ = match (&failure, &state.failed) {
        (Some(failure), _) => writeln!(text, "last failure: {}", failure_text(failure)),
        (None, Some(odd)) => writeln!(text, "last failure: {:?}", String::from_utf8_lossy(odd)),
        (None, None) => writeln!(text, "last failure: none"),
    };
    let _ = writeln!(text, "environment:  {}", environment_in_short(&status.health));
    if let Some(floor) = floor_text(&status.floor) {
        let _ = writeln!(text, "floor:        {floor}");
    }
    for (what, next) in waits {
        let next = if next.is_empty() { String::new() } else { format!(": {next}") };
        let _ = writeln!(text, "WAITS:        {what}{next}");
    }
    beside.apps.iter().chain(&beside.loader).for_each(|(lines, _)| text.push_str(lines));
    if status.slots_differ {
        let stored = names(state.slots.iter().map(|slot| &slot.name));
        let settings = names(settings.board.slots.iter().chain(&settings.board.last_resort));
        let _ = writeln!(
            text,
            "slots:        DIFFERENT, {stored} in the environment, {settings} in the settings"
        );
    }
    text.push('\n');

    let rows: Vec<[String; 3]> = state
        .slots
        .iter()
        .map(|slot| {
            let running = if status.running.as_ref() == Ok(&slot.name) { ", runs now" } else { "" };
            let device = settings.devices.get(&slot.name).map(|path| path.display().to_string());
            let name = slot.name.to_string();
            [name, format!("{}{running}", slot_text(state, &slot.name)), device.unwrap_or_default()]
        })
        .collect();
    let width =
        |column: usize| rows.iter().map(|row| row.get(column).map_or(0, String::len)).max().unwrap_or(0);
    let (names, states) = (width(0), width(1));
    for [name, state, device] in &rows {
        let line = format!("  slot {name:<names$}  {state:<states$}  {device}");
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text.into_bytes()
}

/// What the next boot will do, and why.
pub fn next(next: &NextBoot, as_json: bool) -> Vec<u8> {
    if as_json {
        return to_json(&next_json(next));
    }
    let mut text = format!("{}\n", chosen_text(&next.chosen));
    for step in &next.steps {
        let _ = writeln!(text, "why:    {step}");
    }
    for changes in &next.stores {
        let _ = writeln!(text, "stores: {}", assignments(changes));
    }
    if next.stores.is_empty() {
        text += "stores: nothing\n";
    }
    let _ = writeln!(text, "order:  {}; then {}", names(&next.order), end_text(&next.end));
    for other in &next.otherwise {
        let stores: Vec<String> = other.stores.iter().map(|changes| assignments(changes)).collect();
        let stores = if stores.is_empty() { "nothing".into() } else { stores.join("; ") };
        let _ = writeln!(
            text,
            "NOTE:   {} reads this otherwise. {} It stores: {stores}",
            dialect::reader_in_short(other.reader),
            chosen_text(&other.chosen)
        );
    }
    text.into_bytes()
}

fn names<'a>(names: impl IntoIterator<Item = &'a Name>) -> String {
    let names: Vec<&str> = names.into_iter().map(Name::as_str).collect();
    if names.is_empty() {
        "no slot".into()
    } else {
        names.join(", ")
    }
}

/// What comes when none of the slots has booted.
fn end_text(end: &Chosen) -> &'static str {
    match end {
        Chosen::StartOver => {
            "the recovery, if the board has one; else a minute's wait, a reset, and the factory's trial"
        }
        Chosen::Reset => "a reset, and the next boot",
        Chosen::Ends => "the commands end: what the board has behind them, or U-Boot's prompt",
        _ => "the recovery, if the board has one; a minute's wait, a reset, and the next round",
    }
}

/// What an order did.
pub fn done(done: &Done, as_json: bool) -> Vec<u8> {
    if !as_json {
        let already = if done.stored() { "" } else { "Already done, nothing stored: " };
        let mut text = format!("{already}{}\n", state_text(&done.after));
        if let Some(slot) = done.after.active.known().filter(|_| done.after.active != done.before.active) {
            let _ = writeln!(text, "The next boot is slot {slot}'s.");
        }
        return text.into_bytes();
    }
    let mut value = report::commit_json(&done.commit);
    let changes = done.changes.iter().map(|(name, value)| (name.clone(), text_json(value.as_deref())));
    if let Value::Object(members) = &mut value {
        members.insert("boot_counter_reset".into(), json!(done.counter_reset));
        members.insert("changes".into(), Value::Object(changes.collect()));
        members.insert("state".into(), state_json(&done.after));
    }
    to_json(&value)
}

/// What a conversion to another dialect would change.
pub fn conversion(conversion: &Conversion, as_json: bool) -> Vec<u8> {
    if as_json {
        return to_json(&json!({
            "changes": stores_json(std::slice::from_ref(&conversion.changes)).into_iter().next(),
            "lost": conversion.lost,
            "state": state_json(&conversion.state),
        }));
    }
    let mut text = String::new();
    for (name, value) in &conversion.changes {
        let _ = writeln!(text, "{}", assignment(name, value.as_deref()));
    }
    for lost in &conversion.lost {
        let _ = writeln!(text, "LOST: {lost}");
    }
    text.into_bytes()
}

/// The state of all slots in one line.
fn state_text(state: &State) -> String {
    let slots: Vec<String> = state
        .slots
        .iter()
        .map(|slot| format!("slot {}: {}", slot.name, slot_text(state, &slot.name)))
        .collect();
    slots.join("; ")
}

fn slot_text(state: &State, name: &Name) -> String {
    let active = state.active.known() == Some(name);
    let mark = state.mark(name);
    let failed = match mark {
        Some(Mark::Failed) => match state.last_failure().filter(|failure| failure.slot == *name) {
            Some(failure) => format!("failed ({})", failure.reason.as_str()),
            None => "failed".into(),
        },
        _ => String::new(),
    };
    let before = if failed.is_empty() { String::new() } else { format!("{failed}, ") };
    match (mark, state.standing()) {
        _ if state.last_resort().is_some_and(|slot| slot.name == *name) => "last resort".into(),
        (Some(Mark::Writing), _) => dialect::closed(state).into(),
        (_, Standing::Confirmed(slot)) if slot == name => "active, confirmed".into(),
        (_, Standing::Trial { slot, left }) if slot == name => {
            let back = state.returns_to().map_or(String::new(), |to| format!(", then back to {to}"));
            format!("{before}active, on trial, {left} {} left{back}", if left == 1 { "try" } else { "tries" })
        }
        _ if active => format!("{before}active, on trial, no tries left"),
        (Some(Mark::Good), _) => "good".into(),
        (Some(Mark::Failed), _) => failed,
        (None, _) => "unknown".into(),
    }
}

/// The last step tells most; the slot on trial is told as the table does it.
fn next_in_short(state: &State, next: &NextBoot) -> String {
    let stores = match next.stores.len() {
        0 => "",
        _ => ", counted",
    };
    let why = match (&next.chosen, state.standing()) {
        (Chosen::Slot(slot), Standing::Confirmed(active)) if slot == active => return format!("slot {slot}"),
        (Chosen::Slot(slot), Standing::Trial { slot: active, .. }) if slot == active => {
            return format!("slot {slot}, on trial{stores}")
        }
        _ => next.steps.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
    };
    match &next.chosen {
        Chosen::Slot(slot) => format!("slot {slot} ({why})"),
        chosen => format!("{} ({why})", chosen_text(chosen)),
    }
}

fn chosen_text(chosen: &Chosen) -> String {
    match chosen {
        Chosen::Slot(slot) => format!("Slot {slot} boots."),
        Chosen::Recovery => {
            "No slot boots: the board's recovery, if it has one; else it waits and resets.".into()
        }
        Chosen::StartOver => {
            "No slot boots: the board's recovery, if it has one; else it waits and tries all slots again."
                .into()
        }
        Chosen::Reset => "No slot boots: U-Boot resets, and the next boot goes on.".into(),
        Chosen::Ends => "No slot boots: the commands end, and U-Boot may stay at its prompt.".into(),
    }
}

fn failure_text(failure: &Failure) -> String {
    let why = match failure.reason {
        Reason::Tries => "was not reported healthy within its tries",
        Reason::Load => "did not load",
        Reason::Health => "was found unhealthy",
        Reason::User => "was given up by order",
    };
    let update = String::from_utf8_lossy(&failure.update);
    let update = if update.is_empty() { String::new() } else { format!(" (update {update:?})") };
    format!("slot {} {why}{update}", failure.slot)
}

/// The lowest version that is installed; nothing where there is none and none is to come.
fn floor_text(floor: &FloorStatus) -> Option<String> {
    let mut text = match &floor.lowest {
        Ok(None) if floor.next.is_none() => return None,
        Ok(None) => "none".to_owned(),
        Ok(Some(version)) => version.clone(),
        Err(odd) => return Some(format!("UNKNOWN, nothing is installed: {odd}")),
    };
    match &floor.next {
        None => {}
        Some(Change::Raise(version)) => {
            let _ = write!(text, ", {version} once the trial is confirmed");
        }
        Some(Change::Set(version)) => {
            let version = version.as_deref().unwrap_or("none");
            let _ = write!(text, ", {version} once the recovery on trial is confirmed");
        }
    }
    if floor.file_differs {
        text += "; its file lacks it, the next order writes it";
    }
    Some(text)
}

fn environment_in_short(health: &Health) -> String {
    let bad = health.copies.iter().filter(|copy| !copy.state.is_valid()).count();
    match health.current {
        None => {
            "LOST, no copy is valid: U-Boot uses its compiled-in variables; see bootslot env check".into()
        }
        Some(_) if report::is_healthy(health) && health.copies.len() == 1 => "healthy, one copy".into(),
        Some(_) if report::is_healthy(health) => "healthy, both copies".into(),
        Some(_) if bad > 0 => "DAMAGED, one of two copies is valid; see bootslot env check".into(),
        Some(_) => "DAMAGED; see bootslot env check".into(),
    }
}

fn assignments(changes: &[Assignment]) -> String {
    let changes: Vec<String> =
        changes.iter().map(|(name, value)| assignment(name, value.as_deref())).collect();
    changes.join(" ")
}

fn assignment(name: &str, value: Option<&[u8]>) -> String {
    match value {
        Some(value) => format!("{name}={}", String::from_utf8_lossy(value).escape_debug()),
        None => format!("{name}="),
    }
}

fn status_json(status: &Status, settings: &Settings, waits: &[(String, &'static str)]) -> Value {
    let mut value = state_json(&status.state);
    let Value::Object(members) = &mut value else { return value };
    members.insert("running".into(), json!(status.running.as_ref().ok().map(Name::as_str)));
    members.insert("running_unknown".into(), json!(status.running.as_ref().err()));
    let on_root = status.on_root.iter().map(Name::as_str).collect::<Vec<_>>();
    members.insert("root_device_of".into(), json!(on_root));
    members.insert("script".into(), json!(status.script.as_ref().ok().map(|script| script.number())));
    members.insert("script_unknown".into(), json!(status.script.as_ref().err()));
    members.insert("dialect".into(), dialect::as_json(status));
    members.insert("guard".into(), json!(status.guard));
    members.insert("slots_differ".into(), json!(status.slots_differ));
    let devices =
        settings.devices.iter().map(|(name, path)| (name.to_string(), json!(path.to_string_lossy())));
    members.insert("devices".into(), Value::Object(devices.collect()));
    members.insert("next_boot".into(), next_json(&status.next));
    members.insert("environment".into(), report::health_value(&status.health));
    members.insert("floor".into(), floor_json(&status.floor));
    let waits = waits.iter().map(|(what, next)| json!({ "what": what, "next": next }));
    members.insert("waits".into(), Value::Array(waits.collect()));
    value
}

fn floor_json(floor: &FloorStatus) -> Value {
    let (next, replaces) = match &floor.next {
        None => (None, false),
        Some(Change::Raise(version)) => (Some(version.clone()), false),
        Some(Change::Set(version)) => (version.clone(), true),
    };
    json!({
        "version": floor.lowest.as_ref().ok(),
        "unknown": floor.lowest.as_ref().err(),
        "on_trial": next,
        "on_trial_replaces": replaces,
        "file_differs": floor.file_differs,
    })
}

fn state_json(state: &State) -> Value {
    let standing = match state.standing() {
        Standing::Confirmed(_) => "confirmed",
        Standing::Trial { .. } => "trial",
        Standing::Over(_) => "over",
    };
    let left = match state.standing() {
        Standing::Trial { left, .. } => Some(left),
        _ => None,
    };
    let slots = state.slots.iter().map(|slot| {
        let mark = match slot.mark.known() {
            Some(Mark::Good) => "good",
            Some(Mark::Writing) => "writing",
            Some(Mark::Failed) => "failed",
            None => "unknown",
        };
        let role = match slot.role {
            Role::Ordinary => "ordinary",
            Role::LastResort => "last-resort",
        };
        json!({ "name": slot.name.as_str(), "mark": mark, "role": role })
    });
    let failure = state.last_failure().map(|failure| {
        json!({
            "slot": failure.slot.as_str(),
            "reason": failure.reason.as_str(),
            "update": String::from_utf8_lossy(&failure.update),
        })
    });
    json!({
        "active": state.active.known().map(Name::as_str),
        "standing": standing,
        "tries_left": left,
        "rollback": state.returns_to().map(Name::as_str),
        "slots": slots.collect::<Vec<_>>(),
        "update": text_json(state.update.as_deref()),
        "last_failure": failure,
    })
}

fn outcome_word(chosen: &Chosen) -> &'static str {
    match chosen {
        Chosen::Slot(_) => "slot",
        Chosen::Recovery => "recovery",
        Chosen::StartOver => "start-over",
        Chosen::Reset => "reset",
        Chosen::Ends => "ends",
    }
}

fn stores_json(stores: &[Vec<Assignment>]) -> Vec<Value> {
    let store = |changes: &Vec<Assignment>| {
        let changes = changes.iter().map(|(name, value)| (name.clone(), text_json(value.as_deref())));
        Value::Object(changes.collect())
    };
    stores.iter().map(store).collect()
}

fn chosen_slot(chosen: &Chosen) -> Option<&str> {
    match chosen {
        Chosen::Slot(slot) => Some(slot.as_str()),
        _ => None,
    }
}

fn next_json(next: &NextBoot) -> Value {
    let otherwise = next.otherwise.iter().map(|other| {
        json!({
            "reader": other.reader.name(),
            "outcome": outcome_word(&other.chosen),
            "slot": chosen_slot(&other.chosen),
            "stores": stores_json(&other.stores),
        })
    });
    json!({
        "outcome": outcome_word(&next.chosen),
        "slot": chosen_slot(&next.chosen),
        "why": next.steps.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "stores": stores_json(&next.stores),
        "order": next.order.iter().map(Name::as_str).collect::<Vec<_>>(),
        "end": outcome_word(&next.end),
        "otherwise": otherwise.collect::<Vec<_>>(),
    })
}

/// A value as text; `null` for a variable that is deleted or not there.
fn text_json(value: Option<&[u8]>) -> Value {
    json!(value.map(String::from_utf8_lossy))
}
