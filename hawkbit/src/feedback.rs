//! Pure: what a hawkBit is told. It keeps every message, so that there are few, and each is short.

use bootslot::journal::{Attempt, Record};
use bootslot::report;
use serde_json::{json, Value};

/// The longest line of a message, in bytes: hawkBit cuts longer ones into pieces of 512 characters.
const LONGEST_LINE: usize = 500;
/// So many lines of a message are sent: hawkBit takes 50.
const MOST_LINES: usize = 20;

/// How far an action is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Execution {
    /// It goes on.
    Proceeding,
    /// Everything that is wanted for now is there.
    Downloaded,
    /// It has ended.
    Closed,
    /// It was called off, without an order of the server's.
    Canceled,
    /// It is not called off.
    Rejected,
}

impl Execution {
    fn as_str(self) -> &'static str {
        match self {
            Execution::Proceeding => "proceeding",
            Execution::Downloaded => "downloaded",
            Execution::Closed => "closed",
            Execution::Canceled => "canceled",
            Execution::Rejected => "rejected",
        }
    }
}

/// A message about an action. `success` is that of a result; `None`: there is none yet. `percent` is how much is done.
pub fn status(
    id: &str,
    execution: Execution,
    success: Option<bool>,
    percent: Option<u8>,
    lines: &[String],
) -> Vec<u8> {
    let finished = match success {
        None => "none",
        Some(true) => "success",
        Some(false) => "failure",
    };
    let mut result = json!({ "finished": finished });
    if let (Some(percent), Value::Object(result)) = (percent, &mut result) {
        result.insert("progress".into(), json!({ "cnt": percent, "of": 100 }));
    }
    let lines = short(lines);
    json!({ "id": id, "status": { "execution": execution.as_str(), "result": result, "details": lines } })
        .to_string()
        .into_bytes()
}

/// Whether somebody agrees to an action.
pub fn consent(agrees: bool, lines: &[String]) -> Vec<u8> {
    let word = if agrees { "confirmed" } else { "denied" };
    json!({ "confirmation": word, "details": short(lines) }).to_string().into_bytes()
}

/// Why an update was given up, one thing in a line: the checks that failed, and the end of what they said.
pub fn evidence(attempt: &Attempt) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(decision) = &attempt.decision {
        lines.push(format!("decision of the checks: {decision}"));
    }
    lines.extend(attempt.evidence.iter().map(evidence_line));
    lines
}

fn evidence_line(record: &Record) -> String {
    let (title, text) = report::evidence(record);
    let room = LONGEST_LINE.saturating_sub(title.len() + 2);
    match text.trim() {
        "" => title,
        text => format!("{title}: {}", end(text, room)),
    }
}

/// The first lines, each without control characters and not too long.
fn short(lines: &[String]) -> Vec<String> {
    let clean = |line: &String| {
        let plain: String = line.chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect();
        start(&plain, LONGEST_LINE).to_owned()
    };
    lines.iter().take(MOST_LINES).map(clean).collect()
}

fn start(text: &str, longest: usize) -> &str {
    let mut to = text.len().min(longest);
    while !text.is_char_boundary(to) {
        to -= 1;
    }
    text.get(..to).unwrap_or_default()
}

/// In a log the end says what happened.
fn end(text: &str, longest: usize) -> &str {
    let mut from = text.len().saturating_sub(longest);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    text.get(from..).unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_what_ddi_says() {
        let value = |bytes: Vec<u8>| serde_json::from_slice::<Value>(&bytes).unwrap();
        let told = value(status("8", Execution::Proceeding, None, Some(25), &["a".into()]));
        let status_of = |execution: &str, result: Value, details: Value| json!({ "id": "8", "status": { "execution": execution, "result": result, "details": details } });
        let quarter = json!({ "finished": "none", "progress": { "cnt": 25, "of": 100 } });
        assert_eq!(told, status_of("proceeding", quarter, json!(["a"])));
        let failed = value(status("8", Execution::Closed, Some(false), None, &[]));
        assert_eq!(failed, status_of("closed", json!({ "finished": "failure" }), json!([])));
        let good = value(status("8", Execution::Closed, Some(true), None, &[]));
        assert_eq!(good["status"]["result"]["finished"], "success");
        assert_eq!(value(consent(false, &[])), json!({ "confirmation": "denied", "details": [] }));
    }

    #[test]
    fn messages_are_short_and_lines_keep_whole_characters() {
        let long: Vec<String> = (0..100).map(|n| format!("{n}\u{7}{}", "ö".repeat(600))).collect();
        let told: Value =
            serde_json::from_slice(&status("8", Execution::Closed, Some(false), None, &long)).unwrap();
        let details = told["status"]["details"].as_array().unwrap();
        assert_eq!(details.len(), MOST_LINES);
        assert!(details.iter().all(|line| line.as_str().unwrap().len() <= LONGEST_LINE));
        assert!(details[0].as_str().unwrap().starts_with("0 öö"));
        assert_eq!(end("aööb", 4), "öb");
    }
}
