//! How the boot state is written and who reads it, as text and as JSON.

use bootslot::device::Status;
use bootslot::slot::dialect::{Detected, Dialect};
use bootslot::slot::{Foreign, Reader, State};
use serde_json::{json, Value};

/// The boot code in a few words.
pub fn reader_in_short(reader: Reader) -> &'static str {
    match reader {
        Reader::Contrib => "RAUC's contrib/uboot.sh, or a copy (contrib)",
        Reader::Bootmeth => "U-Boot's bootmeth_rauc (bootmeth)",
        Reader::RaucScript => "bootslot's for RAUC's variables (bootslot-rauc)",
        Reader::RaucUncounted => {
            "bootslot's for RAUC's variables, a confirmed slot is not counted (bootslot-rauc-uncounted)"
        }
        Reader::Mender => "that of meta-mender (mender)",
        Reader::MenderScript => "bootslot's for Mender's variables (bootslot-mender)",
        Reader::BootcountScript => {
            "bootslot's for the variables of U-Boot's boot counter (bootslot-bootcount)"
        }
        Reader::Altbootcmd => "the board's altbootcmd (altbootcmd)",
        _ => "bootslot's (script)",
    }
}

/// The boot code of a dialect of others, and whether another one tells that it is there.
pub fn boot_code(status: &Status) -> String {
    let known = reader_in_short(status.reader);
    match &status.told {
        Some(Ok(told)) if *told != status.reader => {
            format!("DIFFERENT, {known} in the settings, but it is {}", reader_in_short(*told))
        }
        Some(Err(why)) => format!("DIFFERENT, {known} in the settings: {why}"),
        _ => known.to_owned(),
    }
}

/// The dialect of the settings, and what the environment says of it.
pub fn in_short(status: &Status) -> String {
    let by_settings = status.dialect.name();
    match &status.detected {
        Detected::One(dialect, traces) if *dialect == status.dialect => {
            format!("{by_settings} ({})", traces.join(", "))
        }
        Detected::One(dialect, traces) => format!(
            "DIFFERENT, {by_settings} in the settings, {} in the environment ({})",
            dialect.name(),
            traces.join(", ")
        ),
        Detected::Several(found) => {
            let found =
                found.iter().map(|(dialect, traces)| format!("{} ({})", dialect.name(), traces.join(", ")));
            let found: Vec<String> = found.collect();
            format!(
                "CONTRADICTORY, the environment has variables of {}; by the settings it is {by_settings}",
                found.join(" and of ")
            )
        }
        _ => format!("{by_settings}, none of its variables is stored"),
    }
}

/// What is odd in a variable, as the boot code takes it: the variable, and what it is.
pub fn oddities(state: &State) -> Vec<(&'static str, String)> {
    match &state.foreign {
        Some(Foreign::Rauc(rauc)) => rauc.oddities().into_iter().map(|odd| ("BOOT_ORDER:", odd)).collect(),
        Some(Foreign::Counted(counted)) => counted.oddity().into_iter().map(|odd| ("ustate:", odd)).collect(),
        _ => Vec::new(),
    }
}

/// A slot that never boots.
pub fn closed(state: &State) -> &'static str {
    match &state.foreign {
        Some(Foreign::Rauc(_)) => "not in BOOT_ORDER, never boots",
        _ => "being written",
    }
}

/// The same for programs.
pub fn as_json(status: &Status) -> Value {
    let found: Vec<(Dialect, Vec<String>)> = match &status.detected {
        Detected::One(dialect, traces) => vec![(*dialect, traces.clone())],
        Detected::Several(found) => found.clone(),
        _ => Vec::new(),
    };
    let found = found.into_iter().map(|(dialect, traces)| json!({ "dialect": dialect.name(), "by": traces }));
    json!({
        "settings": status.dialect.name(),
        "reader": status.reader.name(),
        "told": status.told.as_ref().map(|told| told.as_ref().map_or_else(Clone::clone, |reader| reader.name().to_owned())),
        "environment": found.collect::<Vec<_>>(),
        "odd": oddities(&status.state).into_iter().map(|(_, odd)| odd).collect::<Vec<_>>(),
    })
}
