//! `bootslot app`: applications beside the system, updated without a reboot.

use std::ops::ControlFlow;
use std::os::unix::process::CommandExt;
use std::process::Command as Process;

use bootslot::app::{facts, facts_without_boot, why, AppError, Event, Facts, Handle, Moment, Stage, Version};
use bootslot::device::Device;
use bootslot::health::decision::Decision;
use bootslot::health::{self, checks, Caller, Roots, System};
use bootslot::report::AppReport;
use bootslot::settings::health::Check;
use bootslot::settings::{App, Settings};
use bootslot::trial::{carry_out_app, judge_app, note_app, note_app_checks};
use bootslot::update::{install_app, AppOptions, Bundle};
use clap::{Args, Subcommand};

use crate::app_report as shown;
use crate::health_report;
use crate::origin::Origin;
use crate::outcome::{
    complain, print, print_event, with_last_event, Failure, Outcome, NO, ROLLED_BACK, WAITS,
};
use crate::progress::Progress;
use crate::report::to_json;
use crate::slots;
use crate::trust;

/// How the messages begin.
pub const PROGRAM: &str = "bootslot app";

/// The options of the group.
#[derive(Args)]
pub struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install the application of a bundle, restart its service, and keep it or take it back
    Install {
        #[command(flatten)]
        origin: Origin,
        /// Install it although it has failed here before
        #[arg(long)]
        again: bool,
        /// Look at everything, change nothing
        #[arg(long)]
        dry_run: bool,
        /// Leave it on trial: `bootslot app decide`, `confirm` or `rollback` decides
        #[arg(long)]
        no_wait: bool,
        #[command(flatten)]
        trust: trust::Trust,
        #[command(flatten)]
        device: slots::Options,
    },
    /// Show which versions there are, and what is under way
    Status {
        /// Only this application
        name: Option<String>,
        #[command(flatten)]
        device: slots::Options,
    },
    /// Keep the version that is on trial
    Confirm {
        /// The application
        name: String,
        #[command(flatten)]
        device: slots::Options,
    },
    /// Give up the version that is on trial; where none is, go back to the one before
    Rollback {
        /// The application
        name: String,
        #[command(flatten)]
        device: slots::Options,
    },
    /// Stop the service, and remove all versions of an application
    Remove {
        /// The application
        name: String,
        #[command(flatten)]
        device: slots::Options,
    },
    /// Put the right version of each application in place; call this at boot, before the services start
    Boot {
        #[command(flatten)]
        device: slots::Options,
    },
    /// Judge each application that is on trial; call this at boot, when the services start
    Decide {
        #[command(flatten)]
        device: slots::Options,
    },
    /// Make this check of an application here and now
    #[command(hide = true)]
    Check {
        name: String,
        check: String,
        #[command(flatten)]
        device: slots::Options,
    },
}

/// Runs one of the commands.
pub fn run(options: &Options) -> Outcome {
    match &options.command {
        Command::Install { origin, again, dry_run, no_wait, trust, device } => {
            let options = AppOptions { again: *again, dry_run: *dry_run };
            with_last_event(install(origin, trust, &options, *no_wait, device), device.json)
        }
        Command::Status { name, device } => status(name.as_deref(), device),
        Command::Confirm { name, device } => order(name, device, |session, app| {
            let on_trial = on_trial(session, app)?;
            session.act(app, |handle, tell| handle.decide(&on_trial.id, Ok(()), tell)).map(drop)
        }),
        Command::Rollback { name, device } => order(name, device, roll_back),
        Command::Remove { name, device } => {
            order(name, device, |session, app| session.act(app, |handle, tell| handle.remove(tell)))
        }
        Command::Boot { device } => each(device, |session, app| {
            session.act(app, |handle, tell| handle.run(Moment::Boot, tell)).map(drop)
        }),
        Command::Decide { device } => each(device, |session, app| {
            match session.act(app, |handle, tell| handle.run(Moment::Later, tell))? {
                Some(version) => session.judge(app, &version),
                None => Ok(()),
            }
        }),
        Command::Check { name, check, device } => make(name, check, device),
    }
}

/// What the commands work with.
struct Session<'o> {
    options: &'o slots::Options,
    settings: Settings,
    /// `None`: the boot state can't be read. Applications run all the same.
    device: Option<Device>,
    facts: Facts,
}

impl<'o> Session<'o> {
    fn open(options: &'o slots::Options) -> Outcome<Self> {
        let settings = slots::settings(options)?;
        let mut device = match slots::open(options) {
            Ok(device) => Some(device),
            Err(Failure::Error(error)) => {
                complain(PROGRAM, format_args!("the boot state can't be read: {error}"));
                None
            }
            Err(other) => return Err(other),
        };
        let facts = device.as_mut().map_or_else(|| facts_without_boot(&settings), facts);
        Ok(Session { options, settings, device, facts })
    }

    fn app(&self, name: &str) -> Outcome<App> {
        let app = self.settings.apps.iter().find(|app| app.name == name).cloned();
        app.ok_or_else(|| Failure::Usage(format!("the settings name no application {name:?}")))
    }

    /// Does something with an application, and tells what happens.
    fn act<T>(
        &mut self,
        app: &App,
        work: impl FnOnce(&Handle<'_>, &mut dyn FnMut(&Event)) -> Result<T, AppError>,
    ) -> Outcome<T> {
        let (json, facts) = (self.options.json, self.facts.clone());
        let device = &mut self.device;
        let mut tell = |event: &Event| told(device.as_mut(), app, event, json);
        Ok(work(&Handle::new(app, &facts), &mut tell)?)
    }

    /// Judges the version that is on trial.
    fn judge(&mut self, app: &App, version: &Version) -> Outcome {
        let json = self.options.json;
        let settings = self.options.settings().map(|path| path.to_path_buf());
        let (name, number) = (app.name.clone(), version.version.clone());
        let command = move |check: &Check| {
            // This program makes the check. It is found even if its file has been replaced.
            let mut command = Process::new("/proc/self/exe");
            command.arg0("bootslot").args(["app", "check", &name, &check.name]);
            if let Some(settings) = &settings {
                command.arg("--settings").arg(settings);
            }
            command.env("BOOTSLOT_APP_VERSION", &number);
            command
        };
        let mut hear = |event: health::Event<'_>| {
            if let (health::Event::Changed(check, verdict, says), false) = (event, json) {
                // Where standard output is gone, the end says so.
                let _ = print(health_report::changed(&check.name, verdict, says).as_bytes());
            }
        };
        let mut caller = Caller { command: &command, on_event: &mut hear };
        let report = judge_app(app, version, &mut caller);
        if let Some(device) = self.device.as_mut() {
            // What the checks say comes before what is done about it.
            note_app_checks(device, &app.name, version, &report, &mut |sentence| {
                complain(PROGRAM, format_args!("{sentence}"));
            });
        }
        // Whoever went away does not end a trial.
        let _ = match json {
            true => print_event(&shown::judged(&app.name, version, &report)),
            false => print(&health_report::report(&report, false)),
        };
        let done = self.act(app, |handle, tell| carry_out_app(&report, version, handle, tell))?;
        match (report.decision.is_good(), done) {
            (true, true) => Ok(()),
            (_, false) if !matches!(report.decision, Decision::Wait(_)) => {
                complain(PROGRAM, format_args!("somebody else has decided meanwhile"));
                Ok(())
            }
            (_, false) => Err(Failure::Answer(WAITS)),
            (false, true) => Err(Failure::Answer(ROLLED_BACK)),
        }
    }
}

fn told(device: Option<&mut Device>, app: &App, event: &Event, json: bool) {
    let _ = match json {
        true => print_event(&shown::event(&app.name, event)),
        false => print(format!("{}: {event}\n", app.name).as_bytes()),
    };
    if let Some(Err(error)) = device.map(|device| note_app(device, &app.name, event)) {
        complain(PROGRAM, format_args!("the journal does not know of it: {error}"));
    }
}

/// Tells people, and the journal, what happens to an application.
fn teller<'t>(
    mut device: Option<&'t mut Device>,
    app: Option<&'t App>,
    json: bool,
) -> impl FnMut(&Event) + 't {
    move |event| {
        if let Some(app) = app {
            told(device.as_deref_mut(), app, event, json);
        }
    }
}

fn install(
    origin: &Origin,
    trust: &trust::Trust,
    options: &AppOptions,
    no_wait: bool,
    device: &slots::Options,
) -> Outcome {
    let mut opened = slots::open(device)?;
    let keys = trust.keyring(&opened.settings().update, &[])?;
    let mut bundle = Bundle::open(origin.open(device.json)?, &keys)?;
    let mut session = Session::open(device)?;
    let named = bundle.manifest.payloads.first().and_then(|payload| session.app(&payload.part).ok());
    let mut progress = Progress::new(device.json);
    let journal = session.device.as_mut();
    let mut tell = teller(journal, named.as_ref(), device.json);
    let result = install_app(
        &mut opened,
        &mut bundle,
        options,
        &mut |now| {
            progress.show(&now);
            ControlFlow::Continue(())
        },
        &mut tell,
    );
    drop(tell);
    progress.end();
    if let Err(error) = &result {
        opened.not_installed(None, &bundle.id(), error.code(), &error.to_string());
    }
    let installed = result?;
    match device.json {
        true => print_event(&shown::installed_json(&installed, options.dry_run))?,
        false => print(shown::installed(&installed, options.dry_run).as_bytes())?,
    }
    let Some(app) = named.filter(|_| !options.dry_run) else { return Ok(()) };
    match (installed.on_trial, no_wait) {
        (true, true) => Ok(()),
        (true, false) => session.judge(&app, &installed.version),
        (false, _) if installed.already => Ok(()),
        (false, _) => Err(Failure::Answer(ROLLED_BACK)),
    }
}

fn status(name: Option<&str>, options: &slots::Options) -> Outcome {
    let session = Session::open(options)?;
    let apps = match name {
        Some(name) => vec![session.app(name)?],
        None => session.settings.apps.clone(),
    };
    let statuses: Vec<_> = apps.iter().map(|app| Handle::new(app, &session.facts).status()).collect();
    let reports: Vec<AppReport> = apps
        .iter()
        .zip(&statuses)
        .map(|(app, status)| AppReport {
            name: app.name.clone(),
            status: match status {
                Ok(status) => Ok(status.clone()),
                Err(error) => Err(error.to_string()),
            },
        })
        .collect();
    print(&match options.json {
        true => to_json(&reports.iter().map(shown::json).collect::<serde_json::Value>()),
        false if reports.is_empty() => b"the settings name no application\n".to_vec(),
        false => reports.iter().map(|app| shown::text(app, "")).collect::<String>().into_bytes(),
    })?;
    match statuses.into_iter().find_map(Result::err) {
        Some(error) => Err(error.into()),
        None => Ok(()),
    }
}

/// The version of an application that is on trial, or why none is.
fn on_trial(session: &Session<'_>, app: &App) -> Outcome<Version> {
    let state = Handle::new(app, &session.facts).status()?.state.unwrap_or_default();
    match (&state.stage, state.new_version()) {
        (Stage::Trial { .. }, Some(version)) => Ok(version.clone()),
        (Stage::With { with, .. }, Some(version)) => {
            let says = format!("version {version} goes with the system in slot {}: decide that", with.slot);
            Err(AppError::Refused(says).into())
        }
        _ => Err(AppError::Refused(format!("no version of {} is on trial", app.name)).into()),
    }
}

fn roll_back(session: &mut Session<'_>, app: &App) -> Outcome {
    let state = Handle::new(app, &session.facts).status()?.state.unwrap_or_default();
    match state.stage {
        Stage::Settled => session.act(app, |handle, tell| handle.step_back(tell)).map(drop),
        _ => {
            let version = on_trial(session, app)?;
            session.act(app, |handle, tell| handle.decide(&version.id, Err(why::USER), tell)).map(drop)
        }
    }
}

fn order(
    name: &str,
    options: &slots::Options,
    give: impl FnOnce(&mut Session<'_>, &App) -> Outcome,
) -> Outcome {
    let mut session = Session::open(options)?;
    let app = session.app(name)?;
    with_last_event(give(&mut session, &app), options.json)
}

/// Does the same with each application. One that fails keeps no other from its turn; the first failure is the exit code.
fn each(options: &slots::Options, work: impl Fn(&mut Session<'_>, &App) -> Outcome) -> Outcome {
    // On a device without applications nothing is opened.
    if slots::settings(options)?.apps.is_empty() {
        return Ok(());
    }
    let mut session = Session::open(options)?;
    let mut first = Ok(());
    for app in session.settings.apps.clone() {
        if let Err(failure) = work(&mut session, &app) {
            if first.is_err() {
                if let Failure::App(error) = &failure {
                    complain(PROGRAM, format_args!("{error}"));
                }
                continue;
            }
            first = Err(failure);
        }
    }
    first
}

/// One check, in the process that was started for it.
fn make(name: &str, check: &str, options: &slots::Options) -> Outcome {
    let settings = Settings::find(options.settings())?;
    let app = settings.apps.iter().find(|app| app.name == name);
    let check = app.and_then(|app| app.checks.iter().find(|known| known.name == check));
    let check = check.ok_or_else(|| Failure::Usage(format!("there is no such check of {name:?}")))?;
    let version = std::env::var("BOOTSLOT_APP_VERSION").ok();
    let system = System { version, ..System::default() };
    match checks::perform(&check.kind, &system, &Roots::of(&settings)) {
        Ok(finding) => print(finding.to_output().as_bytes()),
        Err(says) => {
            print(format!("{says}\n").as_bytes())?;
            Err(Failure::Answer(NO))
        }
    }
}
