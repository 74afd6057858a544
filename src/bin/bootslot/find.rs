//! `bootslot env find`: which environments are there, as a configuration; and the variables that a U-Boot brings.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bootslot::config::{Device, EnvConfig};
use bootslot::env::text::{export, parse_defaults};
use bootslot::find::{ByteOrder, List};
use bootslot::store::find::{devices, environments, look, variables, FoundCopy, FoundEnvironment, Looked};
use clap::Args;
use serde_json::{json, Value};

use crate::outcome::{complain, print, Failure, Outcome, ENV as PROGRAM, NO};
use crate::report::{medium, to_json};

/// The options of the command.
#[derive(Args)]
pub struct Options {
    /// Devices, UBI volumes (ubi0:NAME) or images [default: all of this machine: MTD, UBI, disks and their eMMC boot
    /// partitions]
    #[arg(value_name = "DEVICE|IMAGE")]
    paths: Vec<PathBuf>,
    /// Print libubootenv's YAML instead of fw_env.config
    #[arg(long, conflicts_with_all = ["json", "defaults"])]
    yaml: bool,
    /// Print all that was found as JSON
    #[arg(long, conflicts_with = "defaults")]
    json: bool,
    /// Print the variables that are compiled into a U-Boot binary, for fw_setenv -f
    #[arg(long, requires = "paths")]
    defaults: bool,
}

/// Runs the command.
pub fn run(options: &Options) -> Outcome {
    let paths = if options.paths.is_empty() { devices() } else { options.paths.clone() };
    if paths.is_empty() {
        return Err(Failure::Usage(
            "this machine has no disk and no flash: name a device or an image".into(),
        ));
    }
    let mut looked = Vec::new();
    let mut failure = None;
    for path in &paths {
        let mut bar = Bar::new(path);
        let found = look(path, 0..u64::MAX, &mut |done, all| bar.show(done, all));
        bar.clear();
        match found {
            Ok(found) => looked.push(found),
            Err(error) => {
                if let Some(earlier) = failure.replace(error) {
                    complain(PROGRAM, format_args!("{earlier}"));
                }
            }
        }
    }
    // What can't be looked into is an error for who named it; of all devices of the machine, some are empty slots.
    if let Some(error) = failure {
        if looked.is_empty() || !options.paths.is_empty() {
            return Err(error.into());
        }
        complain(PROGRAM, format_args!("{error}"));
    }
    if options.defaults {
        return print_defaults(&looked);
    }
    let found = environments(&looked);
    let text = match (options.json, options.yaml) {
        (true, _) => to_json(&as_json(&looked, &found)),
        (_, yaml) => as_text(&looked, &found, yaml).into_bytes(),
    };
    print(&text)?;
    if found.is_empty() {
        return Err(Failure::Answer(NO));
    }
    Ok(())
}

/// How far a long search has come, on a terminal.
struct Bar<'a> {
    path: &'a Path,
    shown: Option<Instant>,
    drawn: bool,
}

impl<'a> Bar<'a> {
    fn new(path: &'a Path) -> Self {
        Bar { path, shown: io::stderr().is_terminal().then(Instant::now), drawn: false }
    }

    fn show(&mut self, done: u64, all: u64) {
        if self.shown.is_none_or(|shown| shown.elapsed() < Duration::from_millis(200)) {
            return;
        }
        let percent = done.saturating_mul(100).checked_div(all).unwrap_or(100);
        let full = usize::try_from(percent / 4).unwrap_or(25).min(25);
        let line =
            format!("\r{} [{:25}] {percent:3} % of {} MiB", self.path.display(), "#".repeat(full), all >> 20);
        // If it can't be shown, there is nobody to see it.
        let _ = io::stderr().write_all(line.as_bytes());
        (self.shown, self.drawn) = (Some(Instant::now()), true);
    }

    fn clear(&mut self) {
        if self.drawn {
            let _ = io::stderr().write_all(b"\r\x1b[K");
        }
    }
}

fn print_defaults(looked: &[Looked]) -> Outcome {
    let mut lists: Vec<(&Looked, &List)> =
        looked.iter().flat_map(|looked| looked.lists.iter().map(move |list| (looked, list))).collect();
    // The largest one: a U-Boot brings one, and parts of it may be left elsewhere.
    lists.sort_by_key(|(_, list)| (std::cmp::Reverse(list.records), list.start));
    let Some(((best, list), others)) = lists.split_first() else {
        complain(
            PROGRAM,
            format_args!(
                "no variables of a U-Boot were found (a compressed U-Boot has to be unpacked first; variables with a \
                 valid checksum are an environment: bootslot env find without --defaults)"
            ),
        );
        return Err(Failure::Answer(NO));
    };
    for (other, list) in others {
        let path = other.path.display();
        complain(
            PROGRAM,
            format_args!("{path} at {:#x}: {} more variables, not printed", list.start, list.records),
        );
    }
    let environment = variables(&best.path, list)?;
    let mut lines = Vec::new();
    for (name, value) in environment.iter() {
        lines.extend_from_slice(&[name, b"=", value, b"\n"].concat());
    }
    // What the form of a script can't say, the text form can.
    let same = parse_defaults(&lines, &best.path).is_ok_and(|read| read.iter().eq(environment.iter()));
    if !same {
        complain(
            PROGRAM,
            format_args!("a value has a line break in it: this is the form of bootslot env import, not that of fw_setenv -f"),
        );
        return print(&export(environment.iter())?);
    }
    print(&lines)
}

fn copy_of<'a>(looked: &'a [Looked], place: &(usize, usize)) -> Option<(&'a Looked, &'a FoundCopy)> {
    let looked = looked.get(place.0)?;
    Some((looked, looked.copies.get(place.1)?))
}

/// A configuration, with all that was found as its comments. What can't be used as it is, is a comment as well.
fn as_text(looked: &[Looked], found: &[FoundEnvironment], yaml: bool) -> String {
    let mut text = String::new();
    for looked in looked {
        let _ = writeln!(
            text,
            "# {}: {} of {:#x} bytes{}",
            looked.path.display(),
            medium(looked.kind),
            looked.size,
            remark(looked)
        );
        for list in &looked.lists {
            let _ = writeln!(
                text,
                "#   at {:#x}: {} variables without a valid checksum, compiled into U-Boot or left of a damaged copy",
                list.start, list.records
            );
        }
    }
    let mut in_use = 0;
    for (number, environment) in found.iter().enumerate() {
        let size = environment.config.devices.first().map_or(0, |device| device.size);
        let kind = match (environment.copies.len(), &environment.choice) {
            (2, Some(choice)) => format!("two copies of {size:#x} bytes, {}", choice.why),
            _ => match copy_of(looked, environment.copies.first().unwrap_or(&(0, 0))) {
                Some((_, copy)) if copy.found.flags.is_some() => {
                    format!("one of two copies, {size:#x} bytes")
                }
                _ => format!("a single copy of {size:#x} bytes"),
            },
        };
        let _ = writeln!(text, "\n# environment {}: {kind}", number + 1);
        for (looked, copy) in environment.copies.iter().filter_map(|place| copy_of(looked, place)) {
            let flags = copy.found.flags.map_or(String::new(), |flags| format!(", flags {flags}"));
            let within =
                copy.partition.as_ref().map_or(String::new(), |(path, _)| format!(", in {}", path.display()));
            let _ = writeln!(
                text,
                "#   {} at {:#x}: {} variables use {} bytes{flags}{within}",
                looked.path.display(),
                copy.found.offset,
                copy.variables,
                copy.used
            );
        }
        if let Some(problem) = &environment.problem {
            let _ = writeln!(text, "#   {problem}");
        }
        if let Some(other) = &environment.other {
            let _ = writeln!(
                text,
                "#   probably the other copy is at {:#x}; then these are the lines:",
                other.offset
            );
        }
        let config = with_other(environment);
        // A configuration in the legacy format has one environment.
        let usable = environment.problem.is_none() && (yaml || in_use == 0);
        let comment = if usable { "" } else { "# " };
        let name = if in_use == 0 { "uboot".to_owned() } else { format!("uboot{}", in_use + 1) };
        in_use += usize::from(usable);
        let config = if yaml { yaml_lines(&config, &name) } else { legacy_lines(&config) };
        for line in config.lines() {
            let _ = writeln!(text, "{comment}{line}");
        }
    }
    if found.is_empty() {
        text += "# no environment was found\n";
    }
    text
}

/// The configuration with the copy that is probably the other one.
pub fn with_other(environment: &FoundEnvironment) -> EnvConfig {
    let mut config = environment.config.clone();
    if let Some(other) = &environment.other {
        config.devices.push(other.clone());
        config.devices.sort_by_key(|device| device.offset);
    }
    config
}

/// What else there is to say about a device.
fn remark(looked: &Looked) -> String {
    let mut text = String::new();
    if looked.is_ubi {
        text += ", belongs to UBI: look into its volumes instead";
    }
    if looked.unreadable > 0 {
        let _ = write!(text, ", {:#x} bytes of it can't be read", looked.unreadable);
    }
    text
}

/// The lines of `fw_env.config`.
pub fn legacy_lines(config: &EnvConfig) -> String {
    let line = |device: &Device| {
        let sector =
            if device.sector_size > 0 { format!(" {:#x}", device.sector_size) } else { String::new() };
        format!("{} {:#x} {:#x}{sector}\n", device.path.display(), device.offset, device.size)
    };
    config.devices.iter().map(line).collect()
}

/// One namespace of libubootenv's YAML.
fn yaml_lines(config: &EnvConfig, name: &str) -> String {
    let size = config.devices.first().map_or(0, |device| device.size);
    let mut text = format!("{name}:\n  size: {size:#x}\n  devices:\n");
    for device in &config.devices {
        // A text in quotes is the same in YAML and JSON.
        let path = Value::from(device.path.to_string_lossy());
        let _ = writeln!(text, "    - path: {path}\n      offset: {:#x}", device.offset);
        if device.sector_size > 0 {
            let _ = writeln!(text, "      sectorsize: {:#x}", device.sector_size);
        }
    }
    text
}

fn as_json(looked: &[Looked], found: &[FoundEnvironment]) -> Value {
    let devices = looked.iter().map(|looked| {
        let lists = looked.lists.iter();
        let lists =
            lists.map(|list| json!({ "offset": list.start, "end": list.end, "variables": list.records }));
        json!({
            "path": looked.path.to_string_lossy(),
            "medium": medium(looked.kind),
            "size": looked.size,
            "unreadable": looked.unreadable,
            "belongs_to_ubi": looked.is_ubi,
            "lists": lists.collect::<Vec<_>>(),
        })
    });
    let environments = found.iter().map(|environment| {
        let copies = environment.copies.iter().filter_map(|place| copy_of(looked, place));
        let copies = copies.map(|(looked, copy)| {
            let order = match copy.found.order {
                ByteOrder::Little => "little",
                ByteOrder::Big => "big",
            };
            json!({
                "path": looked.path.to_string_lossy(),
                "offset": copy.found.offset,
                "size": copy.found.size,
                "flags": copy.found.flags,
                "byte_order": order,
                "variables": copy.variables,
                "used": copy.used,
                "partition": copy.partition.as_ref().map(|(path, _)| path.to_string_lossy()),
            })
        });
        json!({
            "copies": copies.collect::<Vec<_>>(),
            "current": environment.choice.and_then(|choice| choice.current),
            "why": environment.choice.map(|choice| choice.why.to_string()),
            "problem": environment.problem,
            "other_copy_probably_at": environment.other.as_ref().map(|other| other.offset),
            "fw_env_config": legacy_lines(&with_other(environment)),
        })
    });
    json!({ "devices": devices.collect::<Vec<_>>(), "environments": environments.collect::<Vec<_>>() })
}
