//! `bootslot health`: runs the checks on a system that is on trial, to a decision, and carries it out.
//!
//! Each check is this program once more, with `--run-check`, so that whatever it meets is met by a process with a time
//! limit.

use std::ffi::OsString;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::thread;

use bootslot::device::Device;
use bootslot::files::{self, RealFiles};
use bootslot::health::baseline::Baseline;
use bootslot::health::decision::Decision;
use bootslot::health::plan::plan;
use bootslot::health::watchdog::Feeder;
use bootslot::health::{checks, decide_by, reboot, run_once, Caller, Event, Evidence, Report, Roots, System};
use bootslot::journal;
use bootslot::migrate;
use bootslot::settings::health::{Check, Kind};
use bootslot::settings::Settings;
use bootslot::slot::{Field, Mark, Name, Reason, State};
use bootslot::{Error, Place};
use clap::Args;

use crate::health_report as shown;
use crate::kept;
use crate::outcome::{complain, print, Failure, Outcome, ANOTHER_TRY, NO, ROLLED_BACK, WAITS};
use crate::slots;

/// How the messages begin.
pub const PROGRAM: &str = "bootslot health";

/// The options of the command.
#[derive(Args)]
pub struct Health {
    /// Run each check once and show what it says; decide nothing, store nothing
    #[arg(long, conflicts_with_all = ["record", "confirm", "reboot"])]
    check: bool,

    /// Run each check once and record what the system that runs now passes; call this before the reboot into an update
    #[arg(long, conflicts_with_all = ["confirm", "reboot"])]
    record: bool,

    /// Confirm the slot if it is healthy
    #[arg(long)]
    confirm: bool,

    /// Reboot if the decision asks for it
    #[arg(long)]
    reboot: bool,

    /// Restart the machine without an orderly shutdown if that takes longer than reboot-limit of the settings
    #[arg(long, requires = "reboot")]
    force: bool,

    /// The file of --record [default: the settings', else /var/lib/bootslot/baseline]
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,

    /// Make this check here and now
    #[arg(long, value_name = "NAME", hide = true)]
    run_check: Option<String>,

    /// For --run-check: when the trial began, in seconds since 1970
    #[arg(long, value_name = "SECONDS", hide = true)]
    since: Option<i64>,

    /// The version of the update that is on trial, for checks that compare it
    #[arg(long, value_name = "VERSION")]
    update_version: Option<String>,

    #[command(flatten)]
    device: slots::Options,
}

/// Runs the command.
pub fn run(options: &Health) -> Outcome {
    match &options.run_check {
        Some(name) => make(options, name),
        None => decide(options),
    }
}

/// One check, in the process that was started for it.
fn make(options: &Health, name: &str) -> Outcome {
    let settings = Settings::find(options.device.settings())?;
    let check = plan(&settings.health)?.into_iter().find(|check| check.name == name);
    let check = check.ok_or_else(|| Failure::Usage(format!("there is no check {name:?}")))?;
    let (version, since) = (options.update_version.clone(), options.since);
    let system = System { version, since, ..System::default() };
    match checks::perform(&check.kind, &system, &Roots::of(&settings)) {
        Ok(finding) => print(finding.to_output().as_bytes()),
        Err(says) => {
            print(format!("{says}\n").as_bytes())?;
            Err(Failure::Answer(NO))
        }
    }
}

/// Whether the data are as this system wants them; `None`: there are none that have a version.
fn migrated(device: &mut Device) -> Outcome<Option<bool>> {
    let facts = kept::facts(device);
    let status = migrate::status(&device.settings().migrate, &facts)?;
    Ok(status.map(|status| status.is_ready()))
}

fn decide(options: &Health) -> Outcome {
    let mut device = slots::open(&options.device)?;
    let settings = device.settings().clone();
    let checks = plan(&settings.health)?;
    let (state, running) = (device.state()?, device.running().cloned());
    let on_trial = on_trial(&mut device, &state);
    let migrated = match checks.iter().any(|check| check.kind == Kind::Migrated) {
        true => migrated(&mut device)?,
        false => None,
    };
    let system = System {
        running: running.clone(),
        expected: state.active.known().cloned(),
        version: options.update_version.clone().or_else(|| on_trial.clone().map(|(version, _)| version)),
        since: on_trial.map(|(_, since)| since),
        migrated,
    };
    let (version, since) = (system.version.clone(), system.since);
    let command = |check: &Check| command_of(options, version.as_deref(), since, check);
    let mut on_event = |event: Event<'_>| hear(event, options.device.json);
    let mut caller = Caller { command: &command, on_event: &mut on_event };
    if options.check || options.record {
        // The old system's slot is the right one, whichever boots next.
        let system = System { expected: running, ..system };
        let report = run_once(&checks, &system, &mut caller);
        if options.record {
            append(&mut device, &failures(&report, true));
        }
        return once(options, &settings, &state, &checks, &report);
    }
    let running = match device.running() {
        Some(running) => running.clone(),
        None => return Err(Error::RunningUnknown(device.status()?.running.err().unwrap_or_default()).into()),
    };
    if let Some(ended) = nothing_to_decide(&state, &running) {
        print(&shown::no_trial(&ended.says, options.device.json))?;
        return match ended.leave {
            true => leave(options, &settings, ROLLED_BACK),
            false => Ok(()),
        };
    }
    let baseline = baseline(options, &settings, &state);
    let more_tries = !matches!(&state.tries, Field::Is(0));
    let mut feeder = feeder(&settings);
    let report = decide_by(
        &settings.health,
        &checks,
        &system,
        baseline.as_ref(),
        more_tries,
        &mut feeder,
        &mut caller,
    );
    write_down(&mut device, &state, &running, &report);
    print(&shown::report(&report, options.device.json))?;
    let carried_out = carry_out(options, &mut device, &running, &report.decision);
    if let Err(error) = feeder.end(&report.decision) {
        complain(PROGRAM, format_args!("the watchdog could not be switched off: {error}"));
    }
    match carried_out? {
        None => Ok(()),
        Some(WAITS) => Err(Failure::Answer(WAITS)),
        Some(code) => leave(options, &settings, code),
    }
}

/// The version of the update on trial, and when it was begun, where its installation has told the journal.
fn on_trial(device: &mut Device, state: &State) -> Option<(String, i64)> {
    let story = device.journal()?.story().ok()?;
    let update = update(state)?;
    let attempt =
        story.pending().filter(|attempt| attempt.update == update && !attempt.version.is_empty())?;
    Some((attempt.version.clone(), i64::try_from(attempt.begun).ok()?))
}

/// Confirms or rolls back. The exit code, if the end is not the good one.
fn carry_out(
    options: &Health,
    device: &mut Device,
    running: &Name,
    decision: &Decision,
) -> Outcome<Option<u8>> {
    Ok(match decision {
        Decision::Healthy | Decision::Degraded(_) => {
            if options.confirm {
                device.confirm(Some(running))?;
                kept::keep(device);
            }
            None
        }
        Decision::RollBack(_) => {
            device.roll_back(Reason::Health)?;
            Some(ROLLED_BACK)
        }
        Decision::Reboot(_) => Some(ANOTHER_TRY),
        Decision::Wait(_) | Decision::Continue => Some(WAITS),
    })
}

/// Why there is nothing to decide.
struct NoTrial {
    says: String,
    /// Whether the slot was given up and still runs.
    leave: bool,
}

fn nothing_to_decide(state: &State, running: &Name) -> Option<NoTrial> {
    let last_resort = state.last_resort().is_some_and(|slot| slot.name == *running);
    let active = state.active.known() == Some(running);
    let says = match state.mark(running) {
        _ if state.is_confirmed(running) => "is confirmed",
        _ if last_resort => "is the last resort",
        Some(Mark::Failed) if !active => "has failed; it takes a reboot to leave it",
        _ => return None,
    };
    let leave = says.starts_with("has failed");
    Some(NoTrial { says: format!("slot {running} {says}"), leave })
}

/// The results of a single round: shown, or recorded.
fn once(options: &Health, settings: &Settings, state: &State, checks: &[Check], report: &Report) -> Outcome {
    if !options.record {
        print(&shown::report(report, options.device.json))?;
        return if report.decision == Decision::Healthy { Ok(()) } else { Err(Failure::Answer(NO)) };
    }
    let mut baseline = Baseline::new(update(state));
    for (check, evidence) in checks.iter().zip(&report.evidence) {
        baseline.add(&check.name, evidence.verdict);
    }
    let path = baseline_path(options, settings);
    files::replace(&mut RealFiles::default(), &path, baseline.to_text().as_bytes())
        .map_err(|error| Place::new(&path, "recording what the system passes").io(error))?;
    print(&shown::report(report, options.device.json))
}

fn update(state: &State) -> Option<String> {
    state.update.as_ref().map(|update| String::from_utf8_lossy(update).into_owned())
}

fn baseline_path(options: &Health, settings: &Settings) -> PathBuf {
    options.baseline.clone().unwrap_or_else(|| settings.health.baseline.clone())
}

/// What the old system passed. One of another update says nothing, and one that can't be read excuses nothing.
fn baseline(options: &Health, settings: &Settings, state: &State) -> Option<Baseline> {
    let path = baseline_path(options, settings);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) => {
            if options.baseline.is_some() || error.kind() != std::io::ErrorKind::NotFound {
                complain(PROGRAM, format_args!("{}: {error}", path.display()));
            }
            return None;
        }
    };
    match Baseline::parse(&bytes) {
        Ok(baseline) if baseline.update == update(state) => Some(baseline),
        Ok(_) => {
            complain(PROGRAM, format_args!("{} was recorded before another update", path.display()));
            None
        }
        Err(says) => {
            complain(PROGRAM, format_args!("{}: {says}", path.display()));
            None
        }
    }
}

fn feeder(settings: &Settings) -> Feeder {
    let notify = std::env::var_os("NOTIFY_SOCKET");
    Feeder::open(&settings.health.watchdog, notify.as_deref()).unwrap_or_else(|error| {
        // The trial is counted all the same.
        complain(PROGRAM, format_args!("the watchdog can't be fed: {error}"));
        Feeder::nobody()
    })
}

/// This program, which makes the check. It is found even if its file has been replaced.
fn command_of(options: &Health, version: Option<&str>, since: Option<i64>, check: &Check) -> Command {
    let mut command = Command::new("/proc/self/exe");
    // By another name it would be another tool.
    command.arg0("bootslot").arg("health");
    let mut name = OsString::from("--run-check=");
    name.push(&check.name);
    command.arg(name);
    if let Some(settings) = options.device.settings() {
        command.arg("--settings").arg(settings);
    }
    if let Some(since) = since {
        command.arg(format!("--since={since}"));
    }
    if let Some(version) = version {
        command.arg(format!("--update-version={version}"));
    }
    command
}

fn hear(event: Event<'_>, quiet: bool) {
    match event {
        Event::Changed(check, verdict, says) if !quiet => {
            // Where standard output is gone, the end says so.
            let _ = print(shown::changed(&check.name, verdict, says).as_bytes());
        }
        Event::Changed(..) => {}
        Event::NotFed(error) => complain(PROGRAM, format_args!("the watchdog could not be fed: {error}")),
    }
}

/// The evidence and the decision, before anything is done about it. A journal that can't be written holds nobody up.
fn write_down(device: &mut Device, state: &State, running: &Name, report: &Report) {
    let mut events = failures(report, false);
    if matches!(report.decision, Decision::RollBack(_) | Decision::Reboot(_)) {
        events.push(journal::Event::Evidence {
            source: "kernel-log".into(),
            slot: running.to_string(),
            text: checks::end_of_kernel_log(&Roots::of(device.settings())),
        });
    }
    let names: Vec<&str> = report.because_of().map(|evidence| evidence.name.as_str()).collect();
    events.push(journal::Event::Decision {
        decision: report.decision.name().to_owned(),
        slot: running.to_string(),
        update: update(state).unwrap_or_default(),
        blame: report.blames_update(),
        checks: names.join(" "),
    });
    append(device, &events);
}

fn append(device: &mut Device, events: &[journal::Event]) {
    let Some(journal) = device.journal().filter(|_| !events.is_empty()) else { return };
    if let Err(error) = journal.append(events) {
        complain(PROGRAM, format_args!("{error}"));
    }
}

/// The checks that did not pass, for the journal.
fn failures(report: &Report, baseline: bool) -> Vec<journal::Event> {
    let failed = report.evidence.iter().filter(|evidence| !evidence.passed());
    let event = |evidence: &Evidence| journal::Event::Check {
        name: evidence.name.clone(),
        result: shown::verdict(evidence.verdict).to_owned(),
        output: evidence.says.clone(),
        blame: evidence.blame,
        baseline,
    };
    failed.map(event).collect()
}

/// Reboots, if that is allowed. The exit code tells of the decision.
fn leave(options: &Health, settings: &Settings, code: u8) -> Outcome {
    if !options.reboot {
        return Err(Failure::Answer(code));
    }
    let command = reboot::command(&settings.health);
    if options.force {
        reboot::stay();
    }
    if let Err(error) = reboot::ask(&command) {
        complain(PROGRAM, format_args!("{error}"));
    }
    if options.force {
        thread::sleep(settings.health.reboot_limit);
        complain(PROGRAM, format_args!("the reboot hangs: it is forced now"));
        complain(PROGRAM, format_args!("it can't be forced: {}", reboot::force()));
    }
    Err(Failure::Answer(code))
}
