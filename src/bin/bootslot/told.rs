//! `bootslot report` and `bootslot diagnose`: what became of the last update and why, for people and for servers.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use bootslot::device::Device;
use bootslot::journal::{utc, Attempt, Record};
use bootslot::process::{self, Limits};
use bootslot::report::{self, About, Answer, AnswerState, Message, Report};
use bootslot::settings::Settings;
use bootslot::{Error, Place};
use clap::Args;
use serde_json::{json, Value};

use crate::journal::indented;
use crate::outcome::{complain, print, Failure, Outcome, NO};
use crate::report::to_json;
use crate::slots;

/// How long a program may take that gets a message.
const HOOK: Duration = Duration::from_secs(60);

/// The options of `bootslot report`.
#[derive(Args)]
pub struct Reporting {
    /// Send what was not reported yet, to the address and the programs that the settings name
    #[arg(long)]
    send: bool,

    /// Try a server that does not answer for so long
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    retry_for: u64,

    #[command(flatten)]
    device: slots::Options,
}

/// The options of `bootslot diagnose`.
#[derive(Args)]
pub struct Diagnosing {
    #[command(flatten)]
    device: slots::Options,
}

/// Runs `bootslot report`.
pub fn report(options: &Reporting) -> Outcome {
    let mut device = slots::open(&options.device)?;
    if options.send {
        return send(&mut device, options.retry_for);
    }
    let report = Report::of(&mut device)?;
    match options.device.json {
        true => print(&to_json(&report_json(&report))),
        false => print(report_text(&report).as_bytes()),
    }
}

/// Runs `bootslot diagnose`.
pub fn diagnose(options: &Diagnosing) -> Outcome {
    let answers = report::diagnose(&mut slots::open(&options.device)?)?;
    match options.device.json {
        true => print(&to_json(&answers.iter().map(answer_json).collect::<Value>())),
        false => print(answers_text(&answers).as_bytes()),
    }
}

fn report_text(report: &Report) -> String {
    let mut text = String::new();
    let or = |value: &str, other: &str| if value.is_empty() { other.to_owned() } else { value.to_owned() };
    let build = if report.build.is_empty() { String::new() } else { format!(" (build {})", report.build) };
    let _ = writeln!(
        text,
        "running:  slot {}, version {}{build}, {}",
        or(&report.slot, "unknown"),
        or(&report.version, "unknown"),
        report.standing
    );
    match &report.update {
        None => text.push_str("update:   none is known\n"),
        Some(attempt) => {
            let _ = writeln!(text, "update:   {}", attempt_text(attempt));
            for record in &attempt.evidence {
                let (title, output) = report::evidence(record);
                let _ = write!(text, "          {title}\n{}", indented(&output, "          | "));
            }
        }
    }
    for refused in &report.refused {
        let until = refused.until.map(|until| format!(", until {}", utc(until))).unwrap_or_default();
        let _ = writeln!(text, "refused:  {refused}{until}");
    }
    if let Some(floor) = &report.floor {
        let _ = writeln!(text, "floor:    {floor}");
    }
    for (finding, time) in &report.findings {
        let _ = writeln!(text, "found:    {finding}, {}", utc(*time));
    }
    #[cfg(feature = "app")]
    report.apps.iter().for_each(|app| text.push_str(&crate::app_report::text(app, "app:      ")));
    #[cfg(feature = "bootloader")]
    report
        .loader
        .iter()
        .for_each(|loader| text.push_str(&crate::loader_report::text(&loader.status, "loader:   ")));
    if let Some(journal) = &report.journal {
        let _ = writeln!(text, "journal:  {journal}");
    }
    text
}

fn attempt_text(attempt: &Attempt) -> String {
    let version = if attempt.version.is_empty() { "of an unknown version" } else { &attempt.version };
    let reason = if attempt.reason.is_empty() { String::new() } else { format!(" ({})", attempt.reason) };
    let when = attempt.decided.unwrap_or(attempt.begun);
    let (id, slot, stage) = (&attempt.update, &attempt.slot, report::stage(attempt));
    format!("{version} ({id}) in slot {slot}: {stage}{reason}, {}", utc(when))
}

fn report_json(report: &Report) -> Value {
    #[cfg(feature = "app")]
    let apps: Value = report.apps.iter().map(crate::app_report::json).collect();
    #[cfg(not(feature = "app"))]
    let apps = json!([]);
    #[cfg(feature = "bootloader")]
    let loader: Option<Value> =
        report.loader.as_ref().map(|loader| crate::loader_report::json(&loader.status));
    #[cfg(not(feature = "bootloader"))]
    let loader = Value::Null;
    json!({
        "apps": apps,
        "bootloader": loader,
        "compatible": report.compatible,
        "slot": report.slot,
        "standing": report.standing,
        "version": report.version,
        "build": report.build,
        "update": report.update.as_ref().map(attempt_json),
        "refused": report.refused.iter().map(|refused| json!({
            "update": refused.update,
            "version": refused.version,
            "slot": refused.slot,
            "reason": refused.reason,
            "until": refused.until.map(utc),
        })).collect::<Vec<_>>(),
        "floor": report.floor,
        "findings": report.findings.iter().map(|(finding, time)| json!({
            "finding": finding,
            "time": utc(*time),
        })).collect::<Vec<_>>(),
        "journal": report.journal,
    })
}

fn attempt_json(attempt: &Attempt) -> Value {
    json!({
        "id": attempt.name,
        "update": attempt.update,
        "version": attempt.version,
        "slot": attempt.slot,
        "stage": report::stage(attempt),
        "verdict": attempt.verdict.map(|verdict| verdict.as_str()),
        "reason": attempt.reason,
        "begun": utc(attempt.begun),
        "decided": attempt.decided.map(utc),
        "boots": attempt.boots,
        "decision": attempt.decision,
        "evidence": attempt.evidence.iter().map(evidence_json).collect::<Vec<_>>(),
    })
}

fn evidence_json(record: &Record) -> Value {
    let (title, text) = report::evidence(record);
    json!({ "title": title, "time": utc(record.time), "text": text })
}

fn answers_text(answers: &[Answer]) -> String {
    let mut text = String::new();
    for answer in answers {
        let mut because = answer.because.iter();
        let first = because.next().map_or("", String::as_str);
        let _ =
            writeln!(text, "{:<13} {:<8} {first}", format!("{}:", answer.question), answer.state.as_str());
        for more in because {
            text.push_str(&indented(more, "                       "));
        }
        if !answer.next.is_empty() {
            let _ = writeln!(text, "                       next: {}", answer.next);
        }
    }
    text
}

fn answer_json(answer: &Answer) -> Value {
    let state = match answer.state {
        AnswerState::Fine => "fine",
        AnswerState::Wrong => "wrong",
        AnswerState::Unknown => "unknown",
    };
    json!({ "question": answer.question, "state": state, "because": answer.because, "next": answer.next })
}

/// Sends what was not reported, the oldest first; ends with the first message that nobody has taken.
fn send(device: &mut Device, retry_for: u64) -> Outcome {
    let settings = device.settings().clone();
    for message in report::outgoing(device)? {
        let report = Report::of(device)?;
        let body = to_json(&message_json(&message, &report));
        let mut takers = Vec::new();
        if let Some(url) = &settings.report.url {
            post(url, &settings, &body, retry_for)?;
            takers.push(url.split(['?', '#']).next().unwrap_or_default().to_owned());
        }
        for hook in hooks(&settings.report.hooks)? {
            give(&hook, &settings, &body)?;
            takers.push(hook.display().to_string());
        }
        if takers.is_empty() {
            let reason =
                "nobody is to be told: the settings name no [report] url, and there is no program in ";
            complain("bootslot report", format_args!("{reason}{}", settings.report.hooks.display()));
            return Err(Failure::Answer(NO));
        }
        report::sent(device, &message, &takers.join(" "))?;
        print(format!("Sent {} to {}\n", message.id, takers.join(", ")).as_bytes())?;
    }
    Ok(())
}

/// What a server gets.
fn message_json(message: &Message, report: &Report) -> Value {
    let (kind, what) = match &message.about {
        About::Update(attempt) => ("update", attempt_json(attempt)),
        About::Finding(record) => {
            ("finding", json!({ "finding": record.get("finding"), "time": utc(record.time) }))
        }
        About::App(record) => (
            "app",
            json!({
                "name": record.get("app"),
                "stage": record.get("step"),
                "version": record.get("version"),
                "update": record.get("update"),
                "reason": record.get("detail"),
                "time": utc(record.time),
            }),
        ),
    };
    json!({ "id": message.id, "kind": kind, kind: what, "device": report_json(report) })
}

/// The programs in a folder, in the order of their names.
fn hooks(folder: &Path) -> Outcome<Vec<PathBuf>> {
    use std::os::unix::fs::PermissionsExt;
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| {
        fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    });
    paths.sort();
    Ok(paths)
}

/// Starts a program with the message in a file.
fn give(program: &Path, settings: &Settings, body: &[u8]) -> Outcome {
    let folder = settings.state.clone().unwrap_or_default();
    let file = folder.join("report.json");
    fs::write(&file, body).map_err(|error| Place::new(&file, "writing the report").io(error))?;
    let mut command = Command::new(program);
    command.arg(&file);
    let limits = Limits { time: HOOK, grace: Duration::from_secs(5), output: 1024 };
    let failed = |how: String| Failure::from(Error::Refused(format!("{}: {how}", program.display())));
    let ran = process::run(command, &limits).map_err(|error| failed(error.to_string()))?;
    match ran.succeeded() {
        true => Ok(()),
        false => Err(failed(format!("{:?}: {}", ran.end, String::from_utf8_lossy(&ran.output).trim()))),
    }
}

#[cfg(feature = "http")]
fn post(url: &str, settings: &Settings, body: &[u8], retry_for: u64) -> Outcome {
    use bootslot::update::source::http::{self, ClientFiles, Retry};
    let headers = match &settings.report.headers {
        Some(path) => crate::http::headers_in(path)?,
        None => Vec::new(),
    };
    let client = settings.report.client.clone().map(|(certificate, key)| ClientFiles { certificate, key });
    let options = http::Options {
        headers,
        ca: settings.report.ca.clone(),
        client,
        proxies: crate::http::proxies(),
        retry: Retry { limit: Duration::from_secs(retry_for), ..Retry::default() },
        ..http::Options::default()
    };
    Ok(http::post(url, &options, "application/json", body)?)
}

#[cfg(not(feature = "http"))]
fn post(_: &str, _: &Settings, _: &[u8], _: u64) -> Outcome {
    let reason = "this program was built without HTTP (feature http): it can't send to [report] url";
    Err(Failure::from(Error::Refused(reason.into())))
}
