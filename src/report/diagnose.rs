//! Seven questions for a device that was not updated, each answered from what is on the device, with what to do next.
//!
//! It reads the environment, the journal and the settings, so it also answers from the other slot, and from the image of
//! a device's disk on a desk.

use super::{evidence, stage};
use crate::device::{Device, Status};
use crate::error::Result;
use crate::journal::{utc, Attempt, Finding, Story, Verdict};
use crate::slot::{Mark, Standing};

/// How an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nothing is wrong there.
    Fine,
    /// This is where the update has ended, or is stuck.
    Wrong,
    /// Nothing is known of it.
    Unknown,
}

impl State {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Fine => "fine",
            State::Wrong => "WRONG",
            State::Unknown => "unknown",
        }
    }
}

/// The answer to one question.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answer {
    /// The question, as a word or two: `package`, `write target`, `boot loader`, `boot`, `health`, `migration`,
    /// `power cuts`.
    pub question: &'static str,
    /// How it is.
    pub state: State,
    /// Why, one sentence in each.
    pub because: Vec<String>,
    /// The command to run next; empty where there is nothing to do.
    pub next: String,
}

impl Answer {
    fn new(question: &'static str, state: State, because: impl Into<String>, next: &str) -> Answer {
        Answer { question, state, because: vec![because.into()], next: next.into() }
    }
}

/// The seven answers, in the order in which an update comes past them. Nothing is written.
///
/// # Errors
///
/// Those of [`Device::status`], and [`Error::Io`](crate::Error::Io) of the journal.
pub fn diagnose(device: &mut Device) -> Result<Vec<Answer>> {
    let status = device.status()?;
    let refused = device.refused().unwrap_or_default();
    let damaged = device.journal().map(|journal| journal.read()).transpose()?.map_or(0, |all| all.damaged);
    let story = device.story()?;
    let told = story.is_some();
    let story = story.unwrap_or_default();
    let mut answers = vec![
        package(&story, refused.last().map(ToString::to_string)),
        write_target(&story, &status, device.settings().update.prevent_late_fallback),
        boot_loader(&story, &status),
        boot(&story, &status),
        health(&story),
        migration(&story),
        power_cuts(&story, &status, damaged),
    ];
    if !told {
        for answer in answers.iter_mut().filter(|answer| answer.state == State::Unknown) {
            answer.next = "name a folder in the settings: state = \"/var/lib/bootslot\"".into();
        }
    }
    Ok(answers)
}

fn last(story: &Story) -> Option<&Attempt> {
    story.attempts.last()
}

fn what(attempt: &Attempt) -> String {
    let version = if attempt.version.is_empty() { "an update" } else { &attempt.version };
    format!("{version} ({}) in slot {}", attempt.update, attempt.slot)
}

fn package(story: &Story, refused: Option<String>) -> Answer {
    const QUESTION: &str = "package";
    let mut answer = match (&story.rejected, last(story)) {
        (Some(rejected), _) => Answer::new(
            QUESTION,
            State::Wrong,
            format!("The last bundle was not installed, {}: {}", utc(rejected.time), rejected.error),
            "bootslot bundle verify BUNDLE",
        ),
        (None, Some(attempt)) => Answer::new(
            QUESTION,
            State::Fine,
            format!("The last bundle was accepted: {}.", what(attempt)),
            "",
        ),
        (None, None) => Answer::new(QUESTION, State::Unknown, "The journal knows of no bundle.", ""),
    };
    if let Some(refused) = refused {
        answer.because.push(format!("It would be refused if it came again: {refused}."));
        if answer.next.is_empty() {
            answer.next = "bootslot report".into();
        }
    }
    answer
}

fn write_target(story: &Story, status: &Status, closes: bool) -> Answer {
    const QUESTION: &str = "write target";
    let writing = status.state.slots.iter().find(|slot| slot.mark.known() == Some(&Mark::Writing));
    // Where late fall backs are forbidden, a confirmation leaves the other slots with the same mark.
    let decided = last(story).is_none_or(|attempt| attempt.verdict.is_some());
    let confirmed = matches!(status.state.standing(), Standing::Confirmed(_));
    let writing = writing.filter(|_| !(closes && confirmed && decided));
    match (last(story), writing) {
        (Some(attempt), _) if attempt.verdict == Some(Verdict::NotInstalled) => Answer::new(
            QUESTION,
            State::Wrong,
            format!("The installation of {} has failed: {}.", what(attempt), attempt.reason),
            "bootslot install BUNDLE",
        ),
        (_, Some(slot)) => Answer::new(
            QUESTION,
            State::Wrong,
            format!("Slot {} is being written, or its installation was cut: it does not boot.", slot.name),
            "bootslot install BUNDLE",
        ),
        // Its mark may have been lost with the environment.
        (Some(attempt), None) if story.half_written.contains_key(&attempt.slot) => Answer::new(
            QUESTION,
            State::Wrong,
            format!(
                "The installation of {} has not ended: slot {} is half-written.",
                what(attempt),
                attempt.slot
            ),
            "bootslot install BUNDLE",
        ),
        (Some(attempt), None) => {
            let because = format!("{} was written and read back.", what(attempt));
            Answer::new(QUESTION, State::Fine, because, "")
        }
        (None, None) => Answer::new(QUESTION, State::Unknown, "No slot is being written.", ""),
    }
}

fn boot_loader(story: &Story, status: &Status) -> Answer {
    const QUESTION: &str = "boot loader";
    if status.health.current.is_none() {
        let because = "No copy of the environment is valid: U-Boot uses its compiled-in one.";
        return Answer::new(QUESTION, State::Wrong, because, "bootslot env check");
    }
    if let Err(why) = &status.script {
        let because = format!("It is not known whether U-Boot runs the boot script: {why}.");
        return Answer::new(QUESTION, State::Wrong, because, "fw_printenv bootcmd");
    }
    if status.slots_differ {
        let because = "The environment and the settings name different slots.";
        return Answer::new(QUESTION, State::Wrong, because, "bootslot status");
    }
    // What came before the last update has nothing to do with it.
    let begun = last(story).map_or(0, |attempt| attempt.begun);
    let finding = story.findings.iter().rev().find(|record| record.time >= begun);
    if let Some(record) = finding {
        let because = match record.get("finding") {
            word if word == Finding::EnvironmentLost.as_str() => {
                "The environment was lost. U-Boot has started with its compiled-in boot state, the factory's trial"
            }
            _ => "The boot state was changed, and neither an order nor the boot script did it",
        };
        let because = format!("{because}: found {}.", utc(record.time));
        return Answer::new(QUESTION, State::Wrong, because, "bootslot journal");
    }
    let next = match status.state.standing() {
        Standing::Confirmed(slot) => format!("The boot state is sound: slot {slot} is confirmed."),
        Standing::Trial { slot, left } => {
            format!("The boot state is sound: slot {slot} is on trial, {left} tries left.")
        }
        Standing::Over(_) => "The trial is over: the next boot chooses another slot.".into(),
    };
    Answer::new(QUESTION, State::Fine, next, "")
}

fn boot(story: &Story, status: &Status) -> Answer {
    const QUESTION: &str = "boot";
    let Some(attempt) = last(story).filter(|attempt| attempt.tried) else {
        return Answer::new(QUESTION, State::Unknown, "No update was put on trial.", "");
    };
    let (slot, seen) = (&attempt.slot, attempt.boots > 0);
    let failed = attempt.verdict == Some(Verdict::RolledBack);
    let mut answer = match (failed, seen, attempt.reason.as_str()) {
        (false, _, "environment") => {
            let came = if seen { "It had come up." } else { "It was not seen running." };
            let because =
                format!("The trial of slot {slot} was lost with the environment: it was not decided. {came}");
            Answer::new(QUESTION, State::Unknown, because, "")
        }
        (true, _, "load") => {
            let because = format!("U-Boot could not load slot {slot}.");
            Answer::new(QUESTION, State::Wrong, because, "look at U-Boot's console while it boots")
        }
        (true, false, "tries") => {
            let because = format!(
                "Slot {slot} was booted until its tries were used up, and never came as far as bootslot."
            );
            Answer::new(QUESTION, State::Wrong, because, "look at the kernel's console while it boots")
        }
        (true, true, "tries") => {
            let times = attempt.boots;
            let but = match attempt.decision.as_deref() {
                None => "before anybody decided",
                Some("healthy" | "degraded") => "before the checks' decision to keep it was stored",
                Some("roll-back") => "before the checks' decision against it was stored",
                Some("reboot") => "because the checks asked for another boot each time",
                Some(_) => "while its checks waited for somebody to decide",
            };
            let because = format!("Slot {slot} came up {times} times, and its tries were used up {but}.");
            Answer::new(QUESTION, State::Wrong, because, "bootslot journal")
        }
        (false, false, _) if attempt.verdict.is_none() => {
            let because = format!("Slot {slot} was not seen running yet.");
            let next =
                if status.running.as_ref().is_ok_and(|name| name.as_str() != slot) { "reboot" } else { "" };
            Answer::new(QUESTION, State::Unknown, because, next)
        }
        _ => Answer::new(QUESTION, State::Fine, format!("Slot {slot} came up."), ""),
    };
    for record in attempt.evidence.iter().filter(|record| record.kind == "evidence") {
        let (title, text) = evidence(record);
        let end = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default().trim();
        answer.because.push(format!("{title}: {end}"));
    }
    answer
}

fn health(story: &Story) -> Answer {
    const QUESTION: &str = "health";
    let Some(attempt) = last(story).filter(|attempt| attempt.tried) else {
        return Answer::new(QUESTION, State::Unknown, "No update was put on trial.", "");
    };
    let checks = attempt.evidence.iter().filter(|record| record.kind == "check").map(|record| {
        let (title, text) = evidence(record);
        let end = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default().trim();
        if end.is_empty() {
            format!("{title}.")
        } else {
            format!("{title}: {end}")
        }
    });
    let (state, because, next) = match (attempt.decision.as_deref(), attempt.verdict) {
        _ if attempt.reason == "health" => {
            (State::Wrong, "The checks have decided against it.", "bootslot health --check")
        }
        _ if attempt.reason == "user" => (State::Wrong, "Somebody ordered the rollback.", ""),
        (Some("roll-back"), _) => {
            (State::Wrong, "The checks have decided against it.", "bootslot health --check")
        }
        (Some("reboot"), Some(Verdict::RolledBack)) => {
            (State::Wrong, "The checks have failed in each of its boots.", "bootslot health --check")
        }
        (Some("reboot"), _) => (State::Wrong, "The checks have failed, and use another try.", ""),
        (Some("wait"), Some(Verdict::RolledBack)) => (
            State::Wrong,
            "The checks waited for somebody, and nobody has decided.",
            "bootslot health --check",
        ),
        (Some("wait"), None) => (
            State::Wrong,
            "The checks wait: somebody has to decide.",
            "bootslot confirm, or bootslot rollback",
        ),
        (Some("degraded"), _) => {
            (State::Wrong, "It was confirmed, although a check fails.", "bootslot health --check")
        }
        (_, Some(Verdict::Confirmed)) => (State::Fine, "It was confirmed.", ""),
        (Some(_), _) => (State::Fine, "The checks have passed.", ""),
        (None, _) => (State::Unknown, "The checks have not decided.", "bootslot health --check"),
    };
    let mut answer = Answer::new(QUESTION, state, because, next);
    answer.because.extend(checks);
    answer
}

fn migration(story: &Story) -> Answer {
    const QUESTION: &str = "migration";
    let records = last(story).map(|attempt| attempt.evidence.as_slice()).unwrap_or_default();
    let mut steps = records.iter().filter(|record| record.kind == "migration");
    match steps.next_back() {
        None => Answer::new(QUESTION, State::Unknown, "The journal knows of no migration.", ""),
        Some(record) => {
            let failed = record.get("step").starts_with("failed");
            let state = if failed { State::Wrong } else { State::Fine };
            let next = if failed { "bootslot migrate --status" } else { "" };
            let because = format!("Its last step: {} {}", record.get("step"), record.get("detail"));
            Answer::new(QUESTION, state, because.trim().to_owned(), next)
        }
    }
}

fn power_cuts(story: &Story, status: &Status, damaged: usize) -> Answer {
    const QUESTION: &str = "power cuts";
    if damaged > 0 {
        let because = format!("The journal has lost {damaged} of its lines: its medium is not sound.");
        return Answer::new(
            QUESTION,
            State::Wrong,
            because,
            "look at the medium of the settings' state folder",
        );
    }
    if !status.health.is_healthy() {
        let because = "Only one copy of the environment is sound: a power cut in the next store is safe, a lost sector is not.";
        return Answer::new(QUESTION, State::Wrong, because, "bootslot env repair");
    }
    match last(story).filter(|attempt| attempt.verdict.is_none()) {
        Some(attempt) => {
            let because =
                format!("The update goes on where it was: {} is {}.", what(attempt), stage(attempt));
            Answer::new(QUESTION, State::Fine, because, "")
        }
        None => Answer::new(QUESTION, State::Fine, "Nothing is left half done.", ""),
    }
}
