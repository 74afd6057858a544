//! The built-in checks, one file for each thing that they look at. Each one looks once and says what it saw.
//!
//! They run in processes of their own, so that they may wait for whatever they want.

mod certificate;
mod clock;
mod device;
mod executable;
mod http;
mod kernel;
mod mount;
mod network;
mod unit;
mod version;

use std::process::Command;

use super::{Roots, System};
use crate::settings::health::Kind;

/// What a check that passed has seen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Finding {
    /// In words.
    pub says: String,
    /// What must not change from one run to the next.
    pub mark: Option<String>,
}

impl From<String> for Finding {
    fn from(says: String) -> Finding {
        Finding { says, mark: None }
    }
}

/// How the line begins with which the program tells the mark to the one that has started it.
const MARK: &str = "mark ";

impl Finding {
    /// What the program prints for it, for `heard`.
    pub fn to_output(&self) -> String {
        match &self.mark {
            Some(mark) => format!("{MARK}{mark}\n{}\n", self.says),
            None => format!("{}\n", self.says),
        }
    }
}

/// The finding in the output of a process that has passed.
pub(super) fn heard(kind: &Kind, output: &[u8]) -> Finding {
    let text = String::from_utf8_lossy(output).trim_end().to_owned();
    // Of the others it is their own text.
    let marked = matches!(kind, Kind::Unit(_)).then(|| text.strip_prefix(MARK)).flatten();
    match marked.map(|rest| rest.split_once('\n').unwrap_or((rest, ""))) {
        Some((mark, says)) => Finding { says: says.to_owned(), mark: Some(mark.to_owned()) },
        None => text.into(),
    }
}

/// What can be answered without a look at anything.
pub(super) fn by_facts(kind: &Kind, system: &System) -> Option<Result<Finding, String>> {
    match kind {
        Kind::Slot => Some(match (&system.running, &system.expected) {
            (Some(running), Some(expected)) if running == expected => Ok(format!("slot {running}").into()),
            (Some(running), Some(expected)) => {
                Err(format!("slot {running} runs, and slot {expected} should"))
            }
            (Some(running), None) => Err(format!("slot {running} runs, and none should")),
            (None, _) => Err("which slot runs is unknown".into()),
        }),
        Kind::Migrated => Some(match system.migrated {
            Some(true) => Ok("it is done".to_owned().into()),
            Some(false) => Err("it is not done".into()),
            None => Ok("there is none".to_owned().into()),
        }),
        _ => None,
    }
}

/// Makes a check here and now. An executable takes the place of this process, if it can be run.
///
/// # Errors
///
/// What is wrong, in words.
pub fn perform(kind: &Kind, system: &System, roots: &Roots) -> Result<Finding, String> {
    if let Some(answer) = by_facts(kind, system) {
        return answer;
    }
    match kind {
        Kind::Version(field) => {
            version::version(&roots.os_release, field.as_deref(), system.version.as_deref())
        }
        Kind::Hardware(file, known) => version::hardware(file, known),
        Kind::Unit(name) => unit::active(roots, name),
        Kind::FailedUnits => unit::none_failed(roots),
        Kind::Mount(path, writable) => mount::check(&roots.proc, path, *writable),
        Kind::Node(path) => device::node(path),
        Kind::Driver(name) => device::driver(&roots.sys, name),
        Kind::Certificate(certificate, key) => certificate::check(certificate, key.as_deref()),
        Kind::Route => network::route(&roots.proc),
        Kind::Dns(name) => network::dns(name),
        Kind::Tcp(address) => network::tcp(address),
        Kind::Http(url) => http::answers(url),
        Kind::Clock(not_before) => clock::check(&roots.os_release, *not_before),
        Kind::KernelLog(texts) => kernel::log(&roots.kernel_log, texts),
        Kind::Pstore(texts) => kernel::pstore(&roots.sys, texts, system.since),
        Kind::WatchdogReset => kernel::watchdog_reset(&roots.sys),
        Kind::Command(words) => Err(executable::command(words)),
        Kind::Executable(path) => Err(executable::file(path)),
        // They were answered above.
        Kind::Slot | Kind::Migrated => Ok(Finding::default()),
    }
    .map_err(|says| says.trim_end().to_owned())
}

/// The program of the board itself that makes this check; `None` where it takes [`perform`].
pub fn program(kind: &Kind) -> Option<Command> {
    match kind {
        Kind::Command(words) => executable::direct(words),
        Kind::Executable(path) => executable::direct_file(path),
        _ => None,
    }
}

/// Words with "or" before the last one.
fn any_of(words: &[String]) -> String {
    words.join(" or ")
}

/// The end of what the kernel has said in this boot, for the other slot to read; empty where its log can't be read.
pub fn end_of_kernel_log(roots: &Roots) -> String {
    kernel::end_of_log(&roots.kernel_log, super::TAIL)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slot::Name;

    #[test]
    fn facts_are_answered_at_once() {
        let [a, b] = ["A", "B"].map(Name::new);
        let says = |kind, system: &System| match by_facts(&kind, system).unwrap() {
            Ok(finding) => finding.says,
            Err(says) => format!("no: {says}"),
        };
        let system = |running: &Option<Name>, expected: &Option<Name>| System {
            running: running.clone(),
            expected: expected.clone(),
            ..System::default()
        };
        assert_eq!(says(Kind::Slot, &system(&a, &a)), "slot A");
        assert_eq!(says(Kind::Slot, &system(&a, &b)), "no: slot A runs, and slot B should");
        assert_eq!(says(Kind::Slot, &system(&None, &b)), "no: which slot runs is unknown");
        let migrated = |done| says(Kind::Migrated, &System { migrated: done, ..System::default() });
        assert_eq!(
            [Some(true), Some(false), None].map(migrated),
            ["it is done", "no: it is not done", "there is none"]
        );
        assert!(by_facts(&Kind::Route, &System::default()).is_none());
    }

    #[test]
    fn a_mark_is_told_from_one_process_to_the_other() {
        let finding = Finding { says: "active\nindeed".into(), mark: Some("3".into()) };
        let unit = Kind::Unit("x.service".into());
        assert_eq!(heard(&unit, finding.to_output().as_bytes()), finding);
        // A script may print whatever it wants.
        let script = Kind::Command(vec!["x".into()]);
        let heard = heard(&script, finding.to_output().as_bytes());
        assert_eq!((heard.says.as_str(), heard.mark), ("mark 3\nactive\nindeed", None));
    }
}
