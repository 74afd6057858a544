//! Results of `bootslot env` as text for people and as JSON for programs.
//!
//! Variables in JSON: `{"variables": {NAME: VALUE, ...}}` in their order; those whose name or value is not
//! UTF-8 are in `"variables_hex"` instead, both in hexadecimal digits, so that nothing is lost.

use std::borrow::Cow;
use std::fmt::Write;

use bootslot::env::image::Layout;
use bootslot::env::redundancy::{CopyState, Why};
use bootslot::env::text::export;
use bootslot::env::{Anomaly, Environment};
use bootslot::store::{Commit, Conversion, CopyHealth, Health, MediumKind, Method, Repair};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{json, Value};

use crate::outcome::{Failure, Outcome, NO, NO_VALID_COPY};

/// Variables, to be printed as JSON.
#[derive(Serialize)]
pub struct Variables<'a> {
    variables: Map<&'a str>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    variables_hex: Map<String>,
}

struct Map<T>(Vec<(T, T)>);

impl<T> Map<T> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T: Serialize> Serialize for Map<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'a> Variables<'a> {
    /// Sorts the variables into text and other.
    pub fn new(variables: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> Self {
        let mut sorted = Variables { variables: Map(Vec::new()), variables_hex: Map(Vec::new()) };
        for (name, value) in variables {
            match (std::str::from_utf8(name), std::str::from_utf8(value)) {
                (Ok(name), Ok(value)) => sorted.variables.0.push((name, value)),
                _ => sorted.variables_hex.0.push((hex(name), hex(value))),
            }
        }
        sorted
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A JSON document and a newline.
pub fn to_json(value: &impl Serialize) -> Vec<u8> {
    // Maps with text keys and plain values can always be written.
    let mut text = serde_json::to_vec_pretty(value).unwrap_or_default();
    text.push(b'\n');
    text
}

/// What a change did. As text it is silent, as a command that succeeds should be.
pub fn commit(commit: &Commit, as_json: bool) -> Vec<u8> {
    if !as_json {
        return Vec::new();
    }
    to_json(&commit_json(commit))
}

/// What a change did, as a JSON object.
pub fn commit_json(commit: &Commit) -> Value {
    match commit {
        Commit::Unchanged => json!({ "stored": false }),
        Commit::Stored { copy, stats } => {
            json!({ "stored": true, "copy": copy, "bytes_written": stats.bytes, "erases": stats.erases })
        }
    }
}

/// What a repair did.
pub fn repair(repair: &Repair, as_json: bool) -> Vec<u8> {
    let (text, value) = match repair {
        Repair::Healthy => {
            ("Both copies are healthy; nothing was written.\n".to_owned(), json!({ "repaired": false }))
        }
        Repair::Single => (
            "There is one copy only, and it is valid; nothing was written.\n".to_owned(),
            json!({ "repaired": false }),
        ),
        Repair::Rewritten { copy, stats } => (
            format!(
                "Copy {copy} was rewritten from copy {} ({} bytes) and is current now.\n",
                1 - copy,
                stats.bytes
            ),
            json!({ "repaired": true, "copy": copy, "bytes_written": stats.bytes, "erases": stats.erases }),
        ),
    };
    if as_json {
        to_json(&value)
    } else {
        text.into_bytes()
    }
}

/// What a conversion did.
pub fn conversion(conversion: &Conversion, to: Layout, as_json: bool) -> Vec<u8> {
    let form = match to {
        Layout::Redundant => "Two copies",
        Layout::Single => "A single copy in the first place",
    };
    let (text, value) = match conversion {
        Conversion::Unchanged => {
            (format!("{form}: it was so already; nothing was written.\n"), json!({ "converted": false }))
        }
        Conversion::Converted { stats } => (
            format!("{form} now ({} bytes written).\n", stats.bytes),
            json!({ "converted": true, "bytes_written": stats.bytes, "erases": stats.erases }),
        ),
    };
    if as_json {
        to_json(&value)
    } else {
        text.into_bytes()
    }
}

/// What would change.
pub fn difference(before: &Environment, after: &Environment, as_json: bool) -> Outcome<Vec<u8>> {
    let removed = before.iter().filter(|(name, value)| after.get(name) != Some(value));
    let added = after.iter().filter(|(name, value)| before.get(name) != Some(value));
    if as_json {
        let gone = Variables::new(before.iter().filter(|(name, _)| after.get(name).is_none()));
        return Ok(to_json(&json!({ "set": Variables::new(added), "delete": gone })));
    }
    let mut lines = Vec::new();
    for (sign, variables) in [(b'-', export(removed)?), (b'+', export(added)?)] {
        for line in variables.split_inclusive(|&byte| byte == b'\n') {
            lines.push(sign);
            lines.extend_from_slice(line);
        }
    }
    Ok(lines)
}

/// What a check comes to.
#[derive(Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    /// Nothing to do.
    Healthy,
    /// U-Boot or a tool may not find what we find, or one more fault loses the environment.
    Damaged,
    /// No copy is valid.
    Lost,
}

fn status(health: &Health) -> Status {
    // For a value without a name U-Boot drops the whole environment.
    let boots = !health.anomalies.iter().any(|anomaly| matches!(anomaly, Anomaly::EmptyName { .. }));
    match health.current {
        None => Status::Lost,
        Some(_) if health.is_healthy() && boots => Status::Healthy,
        Some(_) => Status::Damaged,
    }
}

/// Whether a check finds nothing to do.
pub fn is_healthy(health: &Health) -> bool {
    status(health) == Status::Healthy
}

/// The exit code of a check.
pub fn verdict(health: &Health) -> Outcome {
    match status(health) {
        Status::Healthy => Ok(()),
        Status::Damaged => Err(Failure::Answer(NO)),
        Status::Lost => Err(Failure::Answer(NO_VALID_COPY)),
    }
}

/// The health of an environment.
pub fn health(health: &Health, hints: &[Hint], as_json: bool) -> Vec<u8> {
    if as_json {
        let mut value = health_value(health);
        if let (Some(object), false) = (value.as_object_mut(), hints.is_empty()) {
            object.insert("found".into(), hints.iter().map(hint_json).collect());
        }
        to_json(&value)
    } else {
        (health_text(health) + &hints_text(hints)).into_bytes()
    }
}

/// An environment that is valid, but not as it is configured.
pub struct Hint {
    /// Where it is and what it is, as sentences.
    pub found: Vec<String>,
    /// What is wrong with the configuration, as sentences.
    pub corrections: Vec<String>,
    /// Why it can't be configured.
    pub problem: Option<String>,
    /// The right lines of `fw_env.config`; none where nobody can tell.
    pub lines: String,
}

fn hint_json(hint: &Hint) -> Value {
    let Hint { found, corrections, problem, lines } = hint;
    json!({ "found": found, "corrections": corrections, "problem": problem, "fw_env_config": lines })
}

fn hints_text(hints: &[Hint]) -> String {
    let mut text = String::new();
    for hint in hints {
        text.push('\n');
        for found in &hint.found {
            let _ = writeln!(text, "Found:  {found}");
        }
        for correction in &hint.corrections {
            let _ = writeln!(text, "        {correction}");
        }
        if let Some(problem) = &hint.problem {
            let _ = writeln!(text, "        {problem}");
        }
        if !hint.lines.is_empty() {
            let probably = if hint.problem.is_some() { "probably " } else { "" };
            let _ = writeln!(text, "        so that fw_env.config {probably}reads");
            hint.lines.lines().for_each(|line| text += &format!("            {line}\n"));
        }
    }
    text
}

/// The health of an environment, as a JSON object.
pub fn health_value(health: &Health) -> Value {
    // Maps with text keys and plain values can always be represented.
    serde_json::to_value(health_json(health)).unwrap_or_default()
}

/// [`Health`] as JSON: the keys in the order in which they are read.
#[derive(Serialize)]
struct HealthReport<'a> {
    status: Status,
    current: Option<usize>,
    why: Option<String>,
    copies: Vec<CopyReport<'a>>,
    readers_agree: bool,
    power_cut_safe: bool,
    size: usize,
    used: usize,
    free: usize,
    variables: usize,
    read_only: Option<&'a str>,
    remarks: &'a [String],
    anomalies: Vec<String>,
    exposed: Option<usize>,
}

#[derive(Serialize)]
struct CopyReport<'a> {
    copy: usize,
    path: Cow<'a, str>,
    offset: u64,
    medium: &'static str,
    stored_by: &'static str,
    state: String,
    flags: Option<u8>,
    same_variables: Option<bool>,
    error: Option<&'a str>,
}

fn health_json(health: &Health) -> HealthReport<'_> {
    HealthReport {
        status: status(health),
        current: health.current,
        why: (health.copies.len() > 1).then(|| health.why.to_string()),
        copies: health.copies.iter().enumerate().map(copy_json).collect(),
        readers_agree: health.readers_agree,
        power_cut_safe: health.power_cut_safe,
        size: health.size,
        used: health.used,
        free: health.free,
        variables: health.variables,
        read_only: health.read_only.as_deref(),
        remarks: &health.remarks,
        anomalies: health.anomalies.iter().map(ToString::to_string).collect(),
        exposed: health.exposed,
    }
}

fn copy_json((number, copy): (usize, &CopyHealth)) -> CopyReport<'_> {
    CopyReport {
        copy: number,
        path: copy.path.to_string_lossy(),
        offset: copy.offset,
        medium: medium(copy.kind),
        stored_by: method(copy.method),
        state: copy.state.to_string(),
        flags: copy.flags,
        same_variables: copy.same_data,
        error: copy.error.as_deref(),
    }
}

fn health_text(health: &Health) -> String {
    let mut text = String::new();
    for (number, copy) in health.copies.iter().enumerate() {
        let role = match health.current {
            Some(current) if current == number => "current",
            Some(_) => "standby",
            None => "-",
        };
        let state = copy.state.to_string();
        let mut place = format!("{} at {:#x}, {}", copy.path.display(), copy.offset, medium(copy.kind));
        if copy.kind == MediumKind::Ubi {
            let _ = write!(place, " ({})", method(copy.method));
        }
        let flags = copy
            .flags
            .filter(|_| copy.state.is_valid())
            .map_or(String::new(), |flags| format!(", flags {flags}"));
        let _ = writeln!(text, "copy {number}: {state:<10}  {role:<7}  {place}{flags}");
        if let Some(error) = &copy.error {
            let _ = writeln!(text, "        {error}");
        }
    }
    if health.current.is_some() {
        if health.copies.len() > 1 {
            let _ = writeln!(text, "why:    {}", health.why);
        }
        let (variables, used, free) = (health.variables, health.used, health.free);
        let total = used + free;
        let _ = writeln!(text, "space:  {variables} variables use {used} of {total} bytes, {free} are free");
    }
    for anomaly in &health.anomalies {
        let _ = writeln!(text, "odd:    {anomaly}");
    }
    for remark in &health.remarks {
        let _ = writeln!(text, "note:   {remark}");
    }
    if let Some(reason) = &health.read_only {
        let _ = writeln!(text, "config: {reason}");
    }
    if !health.power_cut_safe {
        text += match health.copies.first().map(|copy| copy.method) {
            Some(Method::VolumeUpdate) => {
                "risk:   there is one copy, and a volume update loses it if the power fails meanwhile; what fits into one\n\
                 LEB of a dynamic volume is stored atomically\n"
            }
            _ => "risk:   there is one copy, and a store writes it in place: a power cut in that moment loses it\n",
        };
    }
    if let Some(copy) = health.exposed {
        let _ = writeln!(
            text,
            "risk:   copy {copy} was stored by another program, on flash that can't clear its flags: if the power fails\n\
             in the first instant of its erase by the next store, it may count as the newer one; later stores are safe"
        );
    }
    let _ = writeln!(text, "\n{}", advice(health));
    text
}

/// The verdict in a sentence, and what to do.
fn advice(health: &Health) -> String {
    let Some(current) = health.current else {
        return "Lost: no copy is valid, and nothing is made from nothing. If U-Boot shows variables that were saved,\n\
                the configuration is wrong: compare devices, offsets and size with U-Boot's. If it shows only its\n\
                compiled-in ones, start a new environment: fw_setenv -f FILE (with these), or fw_setenv --init."
            .to_owned();
    };
    if status(health) == Status::Healthy {
        return match health.copies.len() {
            1 => "Healthy: the copy is valid.".to_owned(),
            _ => format!("Healthy: both copies are valid, and every reader takes copy {current}."),
        };
    }
    if health.why == Why::SingleCopy {
        return "Damaged: copy 0 is a single copy, from before there were two. U-Boot finds it only if it was built with\n\
                CONFIG_ENV_REDUNDANT_UPGRADE, other tools not at all. The next store makes two copies of it; at once:\n\
                bootslot env convert redundant\n\
                If U-Boot has stored it since, it was built for one copy: without CONFIG_ENV_REDUNDANT, which is\n\
                CONFIG_SYS_REDUNDAND_ENVIRONMENT before U-Boot 2025.10 (the other name is dropped without a word).\n\
                Build it for two; or, if one copy is meant, the configuration is wrong."
            .to_owned();
    }
    let bad = health.copies.iter().enumerate().find(|(_, copy)| !copy.state.is_valid());
    match bad {
        Some((number, copy)) if copy.unmade => format!(
            "Damaged: the file of copy {number} is missing or empty. Copy {current} is good and in use, but it is the \
             only one.\nTo make the file and write copy {number} from the other one: bootslot env repair"
        ),
        Some((number, copy)) if copy.state == CopyState::Unreadable => format!(
            "Damaged: copy {number} can't be read. Copy {current} is good and in use, but nothing can be stored until\n\
             copy {number} can be written; then: bootslot env repair"
        ),
        Some((number, copy)) => format!(
            "Damaged: copy {number} is not valid ({}). Copy {current} is good and in use, but it is the only one.\n\
             To rewrite copy {number} from it: bootslot env repair",
            copy.state
        ),
        None if health.read_only.is_some() => {
            "Damaged: the environment can be read, but nothing can be stored with this configuration; the line\n\
             `config:` says what to change."
                .to_owned()
        }
        None if !health.readers_agree => "Damaged: the copies are marked in a way that readers understand differently, \
             so that U-Boot\nmay take the other one. To settle it on the one shown here: bootslot env repair"
            .to_owned(),
        None => "Damaged: U-Boot can't load these variables and uses its compiled-in ones. The next change of any\n\
                 variable leaves the record without a name out: fw_setenv NAME VALUE"
            .to_owned(),
    }
}

fn method(method: Method) -> &'static str {
    match method {
        Method::InPlace => "writing in place",
        Method::Rename => "rename",
        Method::LebChange => "atomic LEB change",
        Method::VolumeUpdate => "volume update",
        _ => "other",
    }
}

/// What a medium is called.
pub fn medium(kind: MediumKind) -> &'static str {
    match kind {
        MediumKind::File => "file",
        MediumKind::Block => "block device",
        MediumKind::Nor => "NOR flash",
        MediumKind::Nand => "NAND flash",
        MediumKind::DataFlash => "DataFlash",
        MediumKind::Ram => "MTD RAM",
        MediumKind::Ubi => "UBI volume",
        _ => "other medium",
    }
}
