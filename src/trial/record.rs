//! What the journal learns of the checks, and what the next system learns of those of the old one.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use super::data::told;
use super::Complain;
use crate::device::Device;
use crate::error::{Place, Result};
use crate::files::{self, RealFiles};
use crate::health::baseline::Baseline;
use crate::health::decision::Decision;
use crate::health::{checks, Evidence, Report, Roots};
use crate::journal::Event;
use crate::settings::Settings;
use crate::slot::Name;

/// The evidence and the decision, before anything is done about it.
pub(super) fn decision(settings: &Settings, report: &Report, running: &Name, update: String) -> Vec<Event> {
    let mut events = failures(report, false);
    if matches!(report.decision, Decision::RollBack(_) | Decision::Reboot(_)) {
        events.push(Event::Evidence {
            source: "kernel-log".into(),
            slot: running.to_string(),
            text: checks::end_of_kernel_log(&Roots::of(settings)),
        });
    }
    let names: Vec<&str> = report.because_of().map(|evidence| evidence.name.as_str()).collect();
    events.push(Event::Decision {
        decision: report.decision.name().to_owned(),
        slot: running.to_string(),
        update,
        blame: report.blames_update(),
        checks: names.join(" "),
    });
    events
}

/// The checks that did not pass.
pub(super) fn failures(report: &Report, baseline: bool) -> Vec<Event> {
    let failed = report.evidence.iter().filter(|evidence| !evidence.passed());
    let event = |evidence: &Evidence| Event::Check {
        name: evidence.name.clone(),
        result: evidence.result().to_owned(),
        output: evidence.says.clone(),
        blame: evidence.blame,
        baseline,
    };
    failed.map(event).collect()
}

/// Adds to the journal, if there is one.
pub(super) fn append(device: &mut Device, events: &[Event], complain: &mut Complain<'_>) {
    let Some(journal) = device.journal().filter(|_| !events.is_empty()) else { return };
    told(journal.append(events), complain);
}

/// The results of the old system; `None`: there is no such file.
///
/// # Errors
///
/// Why it can't be used, in words.
pub(super) fn read_baseline(path: &Path) -> Result<Option<Baseline>, String> {
    match fs::read(path) {
        Ok(bytes) => Baseline::parse(&bytes).map(Some),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}

/// Writes the results of the old system.
///
/// # Errors
///
/// [`Error::Io`](crate::Error::Io).
pub(super) fn write_baseline(path: &Path, baseline: &Baseline) -> Result<()> {
    files::replace(&mut RealFiles::default(), path, baseline.to_text().as_bytes())
        .map_err(|error| Place::new(path, "recording what the system passes").io(error))
}
