//! `bootslot health`: runs the checks on a system that is on trial, to a decision, and carries it out.
//!
//! Each check is this program once more, with `--run-check`, so that whatever it meets is met by a process with a time
//! limit.

use std::fmt::Display;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::Duration;

#[cfg(feature = "bootloader")]
use bootslot::device::Device;
use bootslot::health::decision::Decision;
use bootslot::health::plan::plan;
#[cfg(feature = "bootloader")]
use bootslot::health::Report;
use bootslot::health::{checks, reboot, Caller, Event, Roots, System};
#[cfg(feature = "bootloader")]
use bootslot::loader::Standing as LoaderStanding;
use bootslot::settings::health::Check;
use bootslot::settings::Settings;
use bootslot::slot::Standing;
use bootslot::trial::{Orders, Trial};
use clap::Args;

use crate::health_report as shown;
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

    /// With --record: only if the next boot tries another slot
    #[arg(long, requires = "record")]
    pending: bool,

    /// Say by the exit code whether the slot that runs is on trial; nothing else is done
    #[arg(long, conflicts_with_all = ["check", "record", "confirm", "reboot"])]
    on_trial: bool,

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

fn decide(options: &Health) -> Outcome {
    let mut device = slots::open(&options.device)?;
    let settings = device.settings().clone();
    let (state, running) = (device.state()?, device.running().cloned());
    // Where it is unknown which slot runs, it is not this that says so.
    let on_trial = running.as_ref().is_some_and(|running| state.is_on_trial(running));
    if options.on_trial {
        return if on_trial { Ok(()) } else { Err(Failure::Answer(NO)) };
    }
    let tries_another =
        matches!(state.standing(), Standing::Trial { slot, .. } if running.as_ref() != Some(slot));
    if options.pending && !tries_another {
        return Ok(());
    }
    let leaving = Leaving { reboot: options.reboot, force: options.force };
    if on_trial {
        leaving.in_any_case(&settings);
    }
    let trial = Trial::of(&mut device, options.update_version.clone(), &mut say)?;
    let arguments = trial.arguments(options.device.settings());
    let command = |check: &Check| {
        // This program makes the check. It is found even if its file has been replaced.
        let mut command = Command::new("/proc/self/exe");
        // By another name it would be another tool.
        command.arg0("bootslot").args(arguments(check));
        command
    };
    let mut on_event = |event: Event<'_>| hear(event, options.device.json);
    let mut caller = Caller { command: &command, on_event: &mut on_event };
    let baseline = options.baseline.as_deref();
    if options.check || options.record {
        let report = trial.once(&mut caller);
        if options.record {
            trial.record(&mut device, &report, baseline, &mut say)?;
        }
        print(&shown::report(&report, options.device.json))?;
        return match options.record || report.decision == Decision::Healthy {
            true => Ok(()),
            false => Err(Failure::Answer(NO)),
        };
    }
    if let Some(ended) = trial.nothing_to_decide(&mut device)? {
        #[cfg(feature = "bootloader")]
        if !ended.leave && has_new_loader(&mut device) {
            return judge_loader(&mut device, &trial.once(&mut caller), options);
        }
        print(&shown::no_trial(&ended.says, options.device.json))?;
        return match ended.leave {
            true => leaving.leave(&settings, ROLLED_BACK),
            false => Ok(()),
        };
    }
    let notify = std::env::var_os("NOTIFY_SOCKET");
    let decided = trial.decide(&mut device, baseline, notify.as_deref(), &mut caller, &mut say)?;
    print(&shown::report(&decided.report, options.device.json))?;
    let decision = decided.report.decision.clone();
    let orders = if options.confirm { Orders::All } else { Orders::RollBack };
    decided.carry_out(&mut device, orders, &mut say)?;
    match decision {
        Decision::Healthy | Decision::Degraded(_) => Ok(()),
        Decision::RollBack(_) => leaving.leave(&settings, ROLLED_BACK),
        Decision::Reboot(_) => leaving.leave(&settings, ANOTHER_TRY),
        Decision::Wait(_) | Decision::Continue => Err(Failure::Answer(WAITS)),
    }
}

/// Whether a new boot loader has booted and is not confirmed.
#[cfg(feature = "bootloader")]
fn has_new_loader(device: &mut Device) -> bool {
    match device.loader_status() {
        Ok(status) => status.is_some_and(|status| status.standing == Some(LoaderStanding::Booted)),
        Err(error) => {
            say(&error);
            false
        }
    }
}

/// The slot is confirmed, and a new boot loader has started it. Where the system does not pass its checks, nothing is given up,
/// since no other copy would boot for that.
#[cfg(feature = "bootloader")]
fn judge_loader(device: &mut Device, report: &Report, options: &Health) -> Outcome {
    print(&shown::report(report, options.device.json))?;
    match report.decision {
        Decision::Healthy if options.confirm => {
            device.confirm_loader()?;
            Ok(())
        }
        Decision::Healthy => Ok(()),
        _ => {
            say(&"the new boot loader stays unconfirmed: bootslot bootloader confirm, when the system is healthy");
            Err(Failure::Answer(WAITS))
        }
    }
}

fn say(sentence: &dyn Display) {
    complain(PROGRAM, format_args!("{sentence}"));
}

fn hear(event: Event<'_>, quiet: bool) {
    match event {
        Event::Changed(check, verdict, says) if !quiet => {
            // Where standard output is gone, the end says so.
            let _ = print(shown::changed(&check.name, verdict, says).as_bytes());
        }
        Event::Changed(..) => {}
        Event::NotFed(error) => say(&format_args!("the watchdog could not be fed: {error}")),
    }
}

/// How the machine is left, if it is to be left.
#[derive(Clone, Copy)]
struct Leaving {
    reboot: bool,
    force: bool,
}

impl Leaving {
    /// Reboots, if that is allowed. The exit code tells of the decision.
    fn leave(self, settings: &Settings, code: u8) -> Outcome {
        if !self.reboot {
            return Err(Failure::Answer(code));
        }
        let command = reboot::command(&settings.health);
        if self.force {
            reboot::stay();
        }
        if let Err(error) = reboot::ask(&command) {
            complain(PROGRAM, format_args!("{error}"));
        }
        if self.force {
            thread::sleep(settings.health.reboot_limit);
            complain(PROGRAM, format_args!("the reboot hangs: it is forced now"));
            complain(PROGRAM, format_args!("it can't be forced: {}", reboot::force()));
        }
        Err(Failure::Answer(code))
    }

    /// A disk that does not answer can hold up what is around the checks: the journal, the state of the data. So there is
    /// an end to a trial that does not depend on it. It comes when the decision should be carried out long since, and
    /// uses a try.
    fn in_any_case(self, settings: &Settings) {
        if !self.reboot {
            return;
        }
        let settings = settings.clone();
        // What is stored after the decision takes its time on a slow medium.
        let slack = settings.health.reboot_limit.max(Duration::from_secs(10));
        thread::spawn(move || {
            thread::sleep(settings.health.deadline.saturating_add(slack));
            complain(
                PROGRAM,
                format_args!("there is no decision after the deadline, something hangs: rebooting"),
            );
            let _ = self.leave(&settings, ANOTHER_TRY);
            std::process::exit(ANOTHER_TRY.into());
        });
    }
}
