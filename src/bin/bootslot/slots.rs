//! `bootslot init`, `status`, `next`, `begin-install`, `finish-install`, `try`, `confirm`, `rollback`,
//! `mark`, `set-active`: orders to the slots, and what is known about them.

use std::ffi::OsString;
use std::path::PathBuf;

use bootslot::device::{Device, Done};
use bootslot::settings::Settings;
use bootslot::slot::{Name, Reason};
use bootslot::store::{LockPath, StoreOptions};
use clap::{Args, Subcommand, ValueEnum};

use crate::outcome::{print, Failure, Outcome, NO_VALID_COPY};
use crate::slots_report as report;
use crate::target::read_defaults;

/// What every one of the commands takes.
#[derive(Args)]
pub struct Options {
    /// Settings of the board [default: /etc/bootslot/bootslot.toml]
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,

    /// Configuration of the environment [default: the settings', else /etc/fw_env.config]
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Which environment of a YAML configuration [default: the settings', else as for `bootslot env`]
    #[arg(short = 'm', long, value_name = "NAME")]
    namespace: Option<OsString>,

    /// Directory of the lock file [default: /run and /var/lock, both]
    #[arg(short, long, value_name = "DIR")]
    lock: Option<PathBuf>,

    /// The slot that runs [default: bootslot.slot= in /proc/cmdline]
    #[arg(long = "slot", value_name = "NAME", value_parser = slot_name)]
    running: Option<Name>,

    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// The commands.
#[derive(Subcommand)]
pub enum Command {
    /// Show the slots, the trial, the last failure, the environment and the next boot
    Status {
        #[command(flatten)]
        options: Options,
    },
    /// Show which slot U-Boot will boot, what it will store, and why
    Next {
        #[command(flatten)]
        options: Options,
    },
    /// Start with the factory's trial, where no boot state is stored yet
    Init {
        /// Where no copy of the environment is valid, start from these variables: all that the board needs
        /// to boot
        #[arg(short = 'f', long, value_name = "FILE")]
        defenv: Option<PathBuf>,
        #[command(flatten)]
        options: Options,
    },
    /// Before a slot is written: it is bad from now on
    BeginInstall {
        /// The slot that will be written
        #[arg(value_name = "SLOT", value_parser = slot_name)]
        target: Name,
        #[command(flatten)]
        options: Options,
    },
    /// After a slot was written and verified: it is on trial
    FinishInstall {
        /// The slot that was written
        #[arg(value_name = "SLOT", value_parser = slot_name)]
        target: Name,
        #[command(flatten)]
        tries: Tries,
        /// What was installed: 1 to 64 of [A-Za-z0-9._-]
        #[arg(long, value_name = "ID")]
        update: Option<String>,
        #[command(flatten)]
        options: Options,
    },
    /// Put a slot that is not bad on trial
    Try {
        /// The slot
        #[arg(value_name = "SLOT", value_parser = slot_name)]
        target: Name,
        #[command(flatten)]
        tries: Tries,
        #[command(flatten)]
        options: Options,
    },
    /// The running slot is healthy: its trial ends, it is good
    Confirm {
        /// Confirm only if this is the slot that runs
        #[arg(value_name = "SLOT", value_parser = slot_name)]
        expected: Option<Name>,
        #[command(flatten)]
        options: Options,
    },
    /// Give up the running slot, or a trial that was not booted yet; a reboot leaves it
    Rollback {
        /// Why, for boot_failed
        #[arg(long, value_enum, default_value_t = Why::User)]
        reason: Why,
        #[command(flatten)]
        options: Options,
    },
    /// Mark a slot good that you know to be good, or bad so that it does not boot
    Mark {
        /// Which of the two
        mark: Mark,
        /// The slot
        #[arg(value_name = "SLOT", value_parser = slot_name)]
        target: Name,
        #[command(flatten)]
        options: Options,
    },
    /// Make a good slot the active one, without a trial
    SetActive {
        /// The slot
        #[arg(value_name = "SLOT", value_parser = slot_name)]
        target: Name,
        #[command(flatten)]
        options: Options,
    },
}

/// The tries of a trial.
#[derive(Args)]
pub struct Tries {
    /// How often it may boot without being confirmed, 1 to 9 [default: the settings', else 3]
    #[arg(long, value_name = "N")]
    tries: Option<u8>,
}

/// Why a slot is given up.
#[derive(Clone, Copy, ValueEnum)]
pub enum Why {
    /// A health check failed
    Health,
    /// Somebody ordered it
    User,
}

/// What a slot is marked.
#[derive(Clone, Copy, ValueEnum)]
pub enum Mark {
    /// It may boot without a trial
    Good,
    /// It will not boot
    Bad,
}

fn slot_name(text: &str) -> Result<Name, String> {
    Name::new(text).ok_or_else(|| "a slot has a name of 1 to 16 characters of [A-Za-z0-9_]".into())
}

/// Runs one of the commands.
pub fn run(command: &Command) -> Outcome {
    match command {
        Command::Status { options } => {
            let mut device = open(options)?;
            let status = device.status()?;
            print(&report::status(&status, device.settings(), options.json))?;
            match status.health.current {
                Some(_) => Ok(()),
                None => Err(Failure::Answer(NO_VALID_COPY)),
            }
        }
        Command::Next { options } => print(&report::next(&open(options)?.next_boot()?, options.json)),
        Command::Init { defenv, options } => {
            let base = defenv.as_deref().map(read_defaults).transpose()?;
            order(options, |device| device.init(base))
        }
        Command::BeginInstall { target, options } => order(options, |device| device.begin_install(target)),
        Command::FinishInstall { target, tries, update, options } => {
            let update = update.as_deref().map(str::as_bytes);
            order(options, |device| device.finish_install(target, tries.tries, update))
        }
        Command::Try { target, tries, options } => {
            order(options, |device| device.try_slot(target, tries.tries))
        }
        Command::Confirm { expected, options } => order(options, |device| device.confirm(expected.as_ref())),
        Command::Rollback { reason, options } => {
            let reason = match reason {
                Why::Health => Reason::Health,
                Why::User => Reason::User,
            };
            order(options, |device| device.roll_back(reason))
        }
        Command::Mark { mark: Mark::Good, target, options } => {
            order(options, |device| device.mark_good(target))
        }
        Command::Mark { mark: Mark::Bad, target, options } => {
            order(options, |device| device.mark_bad(target))
        }
        Command::SetActive { target, options } => order(options, |device| device.set_active(target)),
    }
}

fn order(options: &Options, give: impl FnOnce(&mut Device) -> bootslot::Result<Done>) -> Outcome {
    let done = give(&mut open(options)?)?;
    print(&report::done(&done, options.json))
}

/// The device: the settings, and what the command line says otherwise.
fn open(options: &Options) -> Outcome<Device> {
    let mut settings = Settings::find(options.settings.as_deref())?;
    let namespace = options.namespace.as_ref().map(|name| name.to_string_lossy().into_owned());
    settings.choose_environment(options.config.clone(), namespace);
    if options.running.is_some() {
        settings.running.clone_from(&options.running);
    }
    let lock = options.lock.clone().map(LockPath::Directory);
    Ok(Device::open(&settings, &StoreOptions { lock, ..StoreOptions::default() })?)
}
