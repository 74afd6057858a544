//! What the checks say and what was decided, as text for people and as JSON for programs.

use std::fmt::Write;

use bootslot::health::decision::Decision;
use bootslot::health::{Evidence, Report, Verdict};
use serde_json::{json, Value};

use crate::report::to_json;

/// One line for a check that has changed.
pub fn changed(name: &str, end: Verdict, says: &str) -> String {
    format!("{:6} {name}: {}\n", end.as_str(), in_a_line(says))
}

/// Nothing was decided, since this is no trial.
pub fn no_trial(says: &str, as_json: bool) -> Vec<u8> {
    match as_json {
        true => to_json(&json!({ "decision": null, "reason": says })),
        false => format!("Nothing to decide: {says}\n").into_bytes(),
    }
}

/// The decision, and what it rests on.
pub fn report(report: &Report, as_json: bool) -> Vec<u8> {
    if as_json {
        let checks: Vec<Value> = report.evidence.iter().map(check).collect();
        let because: Vec<&str> = report.because_of().map(|evidence| evidence.name.as_str()).collect();
        return to_json(&json!({
            "decision": report.decision.name(),
            "because_of": because,
            "blame": report.blames_update(),
            "milliseconds": report.took,
            "checks": checks,
        }));
    }
    let seconds = report.took / 1000;
    let mut text = match &report.decision {
        Decision::Healthy => format!("Healthy, after {seconds} s\n"),
        Decision::Degraded(_) => format!("Degraded, after {seconds} s: these do not hold\n"),
        Decision::RollBack(_) => format!("To be rolled back, after {seconds} s, because of these\n"),
        Decision::Reboot(_) => {
            format!("To be tried again after a reboot, after {seconds} s, because of these\n")
        }
        Decision::Wait(_) => format!("Undecided after {seconds} s: somebody has to look at these\n"),
        Decision::Continue => "Undecided\n".to_owned(),
    };
    for evidence in report.because_of() {
        let before = if evidence.failed_before { " (as before the update)" } else { "" };
        let says = evidence.failure.as_deref().unwrap_or(&evidence.says);
        let _ = writeln!(text, "  {}: {}{before}", evidence.name, in_a_line(says));
    }
    text.into_bytes()
}

fn check(evidence: &Evidence) -> Value {
    json!({
        "name": evidence.name,
        "result": evidence.result(),
        "says": evidence.says,
        "failure": evidence.failure,
        "runs": evidence.runs,
        "milliseconds": evidence.at,
        "on_failure": evidence.on_failure.name(),
        "blame": evidence.blame,
        "failed_before": evidence.failed_before,
    })
}

/// A text of any number of lines on one, its last lines if it is long. Control characters could rewrite a terminal.
fn in_a_line(text: &str) -> String {
    const LONGEST: usize = 300;
    let clean: String =
        text.trim().chars().map(|character| if character.is_control() { ' ' } else { character }).collect();
    let count = clean.chars().count();
    match count > LONGEST {
        true => format!("...{}", clean.chars().skip(count - LONGEST).collect::<String>()),
        false => clean,
    }
}
