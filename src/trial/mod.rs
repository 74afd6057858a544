//! A system on trial: from its checks to the record in the journal, the order to the slots, and the data that stay (feature
//! `health`).
//!
//! ```text
//!  Trial::of -> checks of the settings -> decide -> journal -> carry_out: confirm, and keep the data
//!                                                                         roll back
//! ```
//!
//! The program and the C library share this. Nothing here prints: what goes wrong beside the work itself is told to the
//! caller, as a sentence.
//!
//! | file | job |
//! |---|---|
//! | `mod.rs` | the trial, from its facts to a decision |
//! | `app.rs` | an application on trial (feature `app`) |
//! | `loader.rs` | a new boot loader that is kept (feature `bootloader`) |
//! | `record.rs` | what the journal and the next system learn of the checks |
//! | `waits.rs` | what waits for a person |
//! | `data.rs` | who runs, for the migration; what the journal learns of it; that confirmed data are kept |

#[cfg(feature = "app")]
mod app;
mod data;
#[cfg(feature = "bootloader")]
mod loader;
mod record;
mod waits;

#[cfg(feature = "app")]
pub use app::{carry_out_app, judge_app, note_app, note_app_checks};
pub use data::{facts, keep, migrate, note, note_event, unread};
pub use waits::{waits, Waits};

use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::device::Device;
use crate::error::{Error, Place, Result};
use crate::health::baseline::Baseline;
use crate::health::decision::Decision;
use crate::health::plan::plan;
use crate::health::watchdog::Feeder;
use crate::health::{checks, decide_by, run_once, Caller, Report, System};
use crate::migrate as data_of;
use crate::process::{self, Limits};
use crate::settings::health::{Check, Kind};
use crate::settings::Settings;
use crate::slot::{Field, Mark, Name, Reason, State};

/// Hears what goes wrong beside the work itself, which goes on.
pub type Complain<'a> = dyn FnMut(&dyn Display) + 'a;

/// The program of the checks may take so long to say that it makes any.
const TRYING: Duration = Duration::from_secs(10);

/// A system, what is known of it, and the checks that the settings ask for.
#[derive(Debug, Clone)]
pub struct Trial {
    settings: Settings,
    state: State,
    checks: Vec<Check>,
    system: System,
}

/// Why there is nothing to decide.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NoTrial {
    /// In words.
    pub says: String,
    /// Whether the slot was given up and still runs: it takes a reboot to leave it.
    pub leave: bool,
}

/// Which orders to the slots follow a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Orders {
    /// None.
    None,
    /// A slot that is to be given up is given up.
    RollBack,
    /// The same, and one that is healthy or degraded is confirmed, with its data.
    All,
}

/// A decision that nothing was done about yet. While it is held, nobody feeds the watchdog.
pub struct Decided {
    /// The decision, and what it rests on.
    pub report: Report,
    feeder: Feeder,
    running: Name,
}

impl Trial {
    /// What is known before a check is made. `version` is that of the update, where the caller knows it better than the
    /// journal.
    ///
    /// # Errors
    ///
    /// Those of [`Device::state`] and [`plan`].
    pub fn of(device: &mut Device, version: Option<String>, complain: &mut Complain<'_>) -> Result<Trial> {
        let settings = device.settings().clone();
        let checks = plan(&settings.health)?;
        let state = device.state()?;
        let on_trial = on_trial(device, &state);
        let migrated = match checks.iter().any(|check| check.kind == Kind::Migrated) {
            true => {
                match data_of::status(&settings.migrate, &facts(device, complain)) {
                    Ok(status) => status.map(|status| status.is_ready()),
                    // What is not known to be ready is not.
                    Err(error) => {
                        complain(&error);
                        Some(false)
                    }
                }
            }
            false => None,
        };
        let system = System {
            running: device.running().cloned(),
            expected: state.active.known().cloned(),
            version: version.or_else(|| on_trial.clone().map(|(version, _)| version)),
            since: on_trial.map(|(_, since)| since),
            migrated,
        };
        Ok(Trial { settings, state, checks, system })
    }

    /// The arguments by which the program makes this check in a process of its own.
    pub fn arguments<'a>(
        &self,
        settings: Option<&'a Path>,
    ) -> impl Fn(&Check) -> Vec<OsString> + Send + Sync + 'a {
        let System { version, since, .. } = self.system.clone();
        move |check| {
            let mut name = OsString::from("--run-check=");
            name.push(&check.name);
            let mut arguments = vec!["health".into(), name];
            if let Some(settings) = settings {
                arguments.extend(["--settings".into(), settings.into()]);
            }
            arguments.extend(since.map(|since| format!("--since={since}").into()));
            arguments.extend(version.as_ref().map(|version| format!("--update-version={version}").into()));
            arguments
        }
    }

    /// Whether this program makes the checks that are no programs of their own. A check whose program is missing would
    /// fail, and that would look as if the update were bad.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] where it can't be started, [`Error::Unsupported`] where it knows no checks.
    pub fn try_program(&self, program: &Path) -> Result<()> {
        let by_facts = |kind: &Kind| matches!(kind, Kind::Slot | Kind::Migrated);
        let needs = |check: &Check| !by_facts(&check.kind) && checks::program(&check.kind).is_none();
        if !self.checks.iter().any(needs) {
            return Ok(());
        }
        let mut command = Command::new(program);
        command.args(["health", "--help"]);
        let ran = process::run(command, &Limits { time: TRYING, grace: TRYING, output: 0 })
            .map_err(|error| Place::new(program, "starting it for the checks").io(error))?;
        match ran.succeeded() {
            true => Ok(()),
            false => Err(Error::Unsupported(format!("{} makes no checks", program.display()))),
        }
    }

    /// Why there is nothing to decide, if there is not.
    ///
    /// # Errors
    ///
    /// [`Error::RunningUnknown`].
    pub fn nothing_to_decide(&self, device: &mut Device) -> Result<Option<NoTrial>> {
        let (state, running) = (&self.state, self.running(device)?);
        let last_resort = state.last_resort().is_some_and(|slot| slot.name == running);
        let active = state.active.known() == Some(&running);
        let (says, leave) = match state.mark(&running) {
            _ if state.is_confirmed(&running) => ("is confirmed", false),
            _ if last_resort => ("is the last resort", false),
            Some(Mark::Failed) if !active => ("has failed; it takes a reboot to leave it", true),
            _ => return Ok(None),
        };
        Ok(Some(NoTrial { says: format!("slot {running} {says}"), leave }))
    }

    fn running(&self, device: &mut Device) -> Result<Name> {
        match &self.system.running {
            Some(running) => Ok(running.clone()),
            None => Err(Error::RunningUnknown(device.status()?.running.err().unwrap_or_default())),
        }
    }

    /// Runs each check until it has passed, or has failed as often as it may. Nothing is decided, and nothing is recorded.
    pub fn once(&self, caller: &mut Caller<'_>) -> Report {
        // The old system's slot is the right one, whichever boots next.
        let system = System { expected: self.system.running.clone(), ..self.system.clone() };
        run_once(&self.checks, &system, caller)
    }

    /// Records the results of a single round, for the system to compare with that boots next: in `baseline`, else in the
    /// file of the settings.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] for this file.
    pub fn record(
        &self,
        device: &mut Device,
        report: &Report,
        baseline: Option<&Path>,
        complain: &mut Complain<'_>,
    ) -> Result<()> {
        record::append(device, &record::failures(report, true), complain);
        let mut passed = Baseline::new(self.update());
        for (check, evidence) in self.checks.iter().zip(&report.evidence) {
            passed.add(&check.name, evidence.verdict);
        }
        record::write_baseline(&self.baseline_path(baseline), &passed)
    }

    /// Runs the checks to a decision, and records it in the journal with what it rests on. `notify` is what systemd has put
    /// into `NOTIFY_SOCKET`. A journal that can't be written holds nobody up.
    ///
    /// # Errors
    ///
    /// [`Error::RunningUnknown`].
    pub fn decide(
        &self,
        device: &mut Device,
        baseline: Option<&Path>,
        notify: Option<&OsStr>,
        caller: &mut Caller<'_>,
        complain: &mut Complain<'_>,
    ) -> Result<Decided> {
        let running = self.running(device)?;
        let passed = self.baseline(baseline, complain);
        let more_tries = !matches!(&self.state.tries, Field::Is(0));
        let mut feeder = Feeder::open(&self.settings.health.watchdog, notify).unwrap_or_else(|error| {
            // The trial is counted all the same.
            complain(&format_args!("the watchdog can't be fed: {error}"));
            Feeder::nobody()
        });
        let health = &self.settings.health;
        let report =
            decide_by(health, &self.checks, &self.system, passed.as_ref(), more_tries, &mut feeder, caller);
        let update = self.update().unwrap_or_default();
        record::append(device, &record::decision(&self.settings, &report, &running, update), complain);
        Ok(Decided { report, feeder, running })
    }

    /// What the old system passed. One of another update says nothing, and one that can't be read excuses nothing.
    fn baseline(&self, given: Option<&Path>, complain: &mut Complain<'_>) -> Option<Baseline> {
        let path = self.baseline_path(given);
        let shown = path.display();
        match record::read_baseline(&path) {
            Ok(Some(baseline)) if baseline.update == self.update() => Some(baseline),
            Ok(Some(_)) => {
                complain(&format_args!("{shown} was recorded before another update"));
                None
            }
            Ok(None) if given.is_none() => None,
            Ok(None) => {
                complain(&format_args!("{shown} does not exist"));
                None
            }
            Err(says) => {
                complain(&format_args!("{shown}: {says}"));
                None
            }
        }
    }

    fn baseline_path(&self, given: Option<&Path>) -> PathBuf {
        given.unwrap_or(&self.settings.health.baseline).into()
    }

    fn update(&self) -> Option<String> {
        update(&self.state)
    }
}

impl Decided {
    /// Carries out what was decided, as far as `orders` go, and ends the watchdog: it goes on counting only where the
    /// slot is to be left.
    ///
    /// # Errors
    ///
    /// Those of [`Device::confirm`] and [`Device::roll_back`].
    pub fn carry_out(self, device: &mut Device, orders: Orders, complain: &mut Complain<'_>) -> Result<()> {
        let Decided { report, feeder, running } = self;
        let done = match report.decision {
            Decision::Healthy | Decision::Degraded(_) if orders == Orders::All => {
                device.confirm(Some(&running)).map(|_| {
                    if let Err(error) = keep(device, complain) {
                        complain(&format_args!("{error}; the next boot tries again"));
                    }
                })
            }
            Decision::RollBack(_) if orders != Orders::None => device.roll_back(Reason::Health).map(drop),
            _ => Ok(()),
        };
        if let Err(error) = feeder.end(&report.decision) {
            complain(&format_args!("the watchdog could not be switched off: {error}"));
        }
        done
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

fn update(state: &State) -> Option<String> {
    state.update.as_ref().map(|update| String::from_utf8_lossy(update).into_owned())
}
