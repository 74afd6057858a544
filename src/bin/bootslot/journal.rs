//! `bootslot journal`: what was recorded, and what a boot and a shutdown add.

use std::fmt::Write;

use bootslot::device::Device;
use bootslot::journal::{utc, Event, Journal, Record};
use clap::{Args, Subcommand};
use serde_json::{json, Map, Value};

use crate::outcome::{print, Failure, Outcome};
use crate::report::to_json;
use crate::slots;

/// The options of the group.
#[derive(Args)]
pub struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Show the records, oldest first
    Show {
        /// Only the last ones
        #[arg(short = 'n', long, value_name = "N")]
        last: Option<usize>,
        #[command(flatten)]
        device: slots::Options,
    },
    /// Look at this boot, and record what the journal does not know of it; call this at each boot
    Boot {
        #[command(flatten)]
        device: slots::Options,
    },
    /// Record that the machine is about to be shut down, while an update is on trial
    Shutdown {
        /// Who wants it, and why
        #[arg(long, default_value = "somebody", value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        device: slots::Options,
    },
}

/// Runs the command.
pub fn run(options: &Options) -> Outcome {
    match &options.command {
        Command::Show { last, device: options } => {
            let mut device = slots::open(options)?;
            let contents = journal(&mut device)?.read()?;
            let from = contents.records.len().saturating_sub(last.unwrap_or(usize::MAX));
            let records = contents.records.get(from..).unwrap_or_default();
            match options.json {
                true => print(&to_json(&json!({
                    "damaged": contents.damaged,
                    "records": records.iter().map(record_json).collect::<Vec<_>>(),
                }))),
                false => print(shown(records, contents.damaged).as_bytes()),
            }
        }
        Command::Boot { device: options } => {
            let mut device = slots::open(options)?;
            journal(&mut device)?;
            let Some(observed) = device.observe()? else { return Ok(()) };
            match options.json {
                true => print(&to_json(&json!({
                    "finding": observed.finding.as_str(),
                    "slot": observed.slot,
                    "recorded": observed.recorded.len(),
                }))),
                false => print(
                    format!("{}, {} records added\n", observed.finding.as_str(), observed.recorded.len())
                        .as_bytes(),
                ),
            }
        }
        Command::Shutdown { reason, device: options } => {
            let mut device = slots::open(options)?;
            let journal = journal(&mut device)?;
            // A normal shutdown writes nothing.
            if journal.story()?.pending().is_some() {
                journal.append(&[Event::Shutdown { reason: reason.clone() }])?;
            }
            Ok(())
        }
    }
}

fn journal(device: &mut Device) -> Outcome<&mut Journal> {
    device
        .journal()
        .ok_or_else(|| Failure::Usage("the settings name no folder for the journal: state".into()))
}

fn shown(records: &[Record], damaged: usize) -> String {
    let mut text = String::new();
    for record in records {
        let boot = if record.boot.is_empty() { "-" } else { &record.boot };
        let _ = write!(text, "{} {boot:8} {}", utc(record.time), record.kind);
        let short = record.fields.iter().filter(|(_, value)| !value.contains('\n'));
        for (name, value) in short {
            let _ = write!(text, " {name}={}", quoted(value));
        }
        text.push('\n');
        for (_, value) in record.fields.iter().filter(|(_, value)| value.contains('\n')) {
            text.push_str(&indented(value, "    | "));
        }
    }
    if damaged > 0 {
        let _ = writeln!(text, "{damaged} lines are damaged");
    }
    text
}

fn quoted(value: &str) -> String {
    match value.chars().all(|character| character.is_ascii_graphic() && character != '"') && !value.is_empty()
    {
        true => value.to_owned(),
        false => format!("{value:?}"),
    }
}

/// Lines of somebody's output behind a mark, without what a terminal would obey.
pub fn indented(text: &str, mark: &str) -> String {
    let lines = text.lines().map(|line| {
        let plain: String =
            line.chars().map(|character| if character.is_control() { '.' } else { character }).collect();
        format!("{mark}{plain}\n")
    });
    lines.collect()
}

fn record_json(record: &Record) -> Value {
    let fields: Map<String, Value> =
        record.fields.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    json!({
        "number": record.number,
        "time": utc(record.time),
        "boot": record.boot,
        "kind": record.kind,
        "fields": fields,
    })
}
