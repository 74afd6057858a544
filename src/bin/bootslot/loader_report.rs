//! How the boot loader stands, as text for people and as JSON for programs.

use std::fmt::Write;

use bootslot::device::Device;
use bootslot::loader::{Release, Standing, Status};
use serde_json::{json, Value};

/// How the boot loader stands, for `bootslot status`.
pub fn of(device: &mut Device) -> Option<Result<Status, String>> {
    device.loader_status().map_err(|error| error.to_string()).transpose()
}

/// How it stands, for people. Lines begin with `lead`.
pub fn text(status: &Result<Status, String>, lead: &str) -> String {
    lines(status).lines().map(|line| format!("{lead}{line}\n")).collect()
}

fn lines(status: &Result<Status, String>) -> String {
    let status = match status {
        Ok(status) => status,
        Err(why) => return format!("not known: {why}\n"),
    };
    let mut text = match &status.booted {
        Ok(copy) => format!("copy {copy} booted\n"),
        Err(why) => format!("which copy booted is not known: {why}\n"),
    };
    if let Some(new) = status.state.stage.release() {
        let stands = match status.standing {
            Some(Standing::Writing) => "is half-written, and does not boot: the same installation goes on",
            Some(Standing::Waits) => "boots next",
            Some(Standing::Booted) => "has booted, and is not confirmed: bootslot bootloader confirm",
            Some(Standing::WentBack) => {
                "was to boot, and the ROM went back: bootslot bootloader confirm records it"
            }
            Some(Standing::Settled) | None => "has booted, or boots next",
        };
        let _ = writeln!(text, "  new: {new} {stands}");
    }
    if let Some(confirmed) = &status.state.confirmed {
        let _ = writeln!(text, "  confirmed: {confirmed}");
    }
    for failed in &status.state.refused {
        let _ = writeln!(text, "  refused: {failed}");
    }
    text
}

/// The same for programs.
pub fn json(status: &Result<Status, String>) -> Value {
    match status {
        Err(why) => json!({ "error": why }),
        Ok(status) => json!({
            "booted": status.booted.as_ref().ok(),
            "why_unknown": status.booted.as_ref().err(),
            "standing": status.standing.map(Standing::word),
            "new": status.state.stage.release().map(release_json),
            "confirmed": status.state.confirmed.as_ref().map(release_json),
            "refused": status.state.refused.iter().map(release_json).collect::<Vec<_>>(),
        }),
    }
}

/// A boot loader that came with a bundle.
pub fn release_json(release: &Release) -> Value {
    json!({ "update": release.id, "version": release.version, "copy": release.copy })
}
