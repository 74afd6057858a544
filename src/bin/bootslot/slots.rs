//! `bootslot init`, `status`, `next`, `begin-install`, `finish-install`, `try`, `confirm`, `rollback`,
//! `acknowledge`, `allow`, `mark`, `set-active`, `convert`: orders to the slots, and what is known about them.

use std::ffi::OsString;
use std::path::PathBuf;

use bootslot::device::{Device, Done};
use bootslot::settings::Settings;
use bootslot::slot::dialect::Dialect;
use bootslot::slot::{Name, Reason, Script};
use bootslot::store::{LockPath, StoreOptions};
#[cfg(feature = "health")]
use bootslot::trial;
use clap::{Args, Subcommand, ValueEnum};

use crate::outcome::{complain, print, Failure, Outcome, NO_VALID_COPY};
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

    /// Folder of the journal and what else is kept beside the environment [default: the settings']
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,

    /// The slot that runs [default: bootslot.slot= in /proc/cmdline, and the device of /]
    #[arg(long = "slot", value_name = "NAME", value_parser = slot_name)]
    running: Option<Name>,

    /// The version of the boot script in U-Boot [default: the settings', else as /proc/cmdline and the stored
    /// environment say]
    #[arg(long, value_name = "N", value_parser = script)]
    script: Option<Script>,

    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,

    // What the system says of this boot, from elsewhere: for tests, and for a disk on a desk.
    #[arg(long, value_name = "FILE", hide = true)]
    boot_id: Option<PathBuf>,
    #[arg(long, value_name = "FILE", hide = true)]
    os_release: Option<PathBuf>,
    #[arg(long, value_name = "DIR", hide = true)]
    sysfs: Option<PathBuf>,
}

#[cfg(feature = "health")]
impl Options {
    /// The file of settings, where one is given.
    pub fn settings(&self) -> Option<&std::path::Path> {
        self.settings.as_deref()
    }
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
    /// Start with the factory's trial, if no boot state is stored yet
    Init {
        /// If no copy of the environment is valid, start from these variables: all that the board needs to boot
        #[arg(short = 'f', long, value_name = "FILE")]
        defenv: Option<PathBuf>,
        #[command(flatten)]
        options: Options,
    },
    /// Call this before you write a slot: nothing boots it from now on
    BeginInstall {
        /// The slot that will be written
        #[arg(value_name = "SLOT", value_parser = slot_name)]
        target: Name,
        #[command(flatten)]
        options: Options,
    },
    /// Call this after you have written and verified a slot: puts it on trial
    FinishInstall {
        /// The slot that was written
        #[arg(value_name = "SLOT", value_parser = slot_name)]
        target: Name,
        #[command(flatten)]
        tries: Tries,
        /// What was installed: 1 to 64 of [A-Za-z0-9._-]
        #[arg(long, value_name = "ID")]
        update: Option<String>,
        /// Do it also if this update has failed before
        #[arg(long)]
        again: bool,
        #[command(flatten)]
        options: Options,
    },
    /// Put a slot that was written whole on trial
    Try {
        /// The slot
        #[arg(value_name = "SLOT", value_parser = slot_name)]
        target: Name,
        #[command(flatten)]
        tries: Tries,
        /// Do it also if the slot has failed before
        #[arg(long)]
        again: bool,
        #[command(flatten)]
        options: Options,
    },
    /// Say that the running slot is healthy: its trial ends, and it is good
    Confirm {
        /// Confirm only if this is the slot that runs
        #[arg(value_name = "SLOT", value_parser = slot_name)]
        expected: Option<Name>,
        #[command(flatten)]
        options: Options,
    },
    /// Give up the running slot, or a trial that was not booted yet; it takes a reboot to leave it
    Rollback {
        /// Why, for boot_failed
        #[arg(long, value_enum, default_value_t = Why::User)]
        reason: Why,
        #[command(flatten)]
        options: Options,
    },
    /// Say that the last failure was heard of: it is forgotten
    Acknowledge {
        #[command(flatten)]
        options: Options,
    },
    /// Allow an update again that has failed here
    Allow {
        /// Its id
        #[arg(value_name = "ID")]
        update: String,
        #[command(flatten)]
        options: Options,
    },
    /// Mark a slot as good, because you know it is, or as bad: it boots when nothing better is left
    Mark {
        /// Which of the two
        mark: Mark,
        /// The slot
        #[arg(value_name = "SLOT", value_parser = slot_name)]
        target: Name,
        #[command(flatten)]
        options: Options,
    },
    /// Write the boot state in another dialect: native, rauc, mender or bootcount
    Convert {
        /// The dialect; that of the settings: delete what another conversion has kept
        #[arg(long, value_name = "DIALECT", value_parser = dialect)]
        to: Dialect,
        /// Keep the old dialect's variables, so that the old boot code boots the same slot
        #[arg(long)]
        keep: bool,
        /// Print what would change, and change nothing
        #[arg(long)]
        dry_run: bool,
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

#[cfg(feature = "update")]
impl Tries {
    /// As given.
    pub fn given(&self) -> Option<u8> {
        self.tries
    }
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
    /// It has failed, and boots when nothing better is left
    Bad,
}

/// The name of a slot on the command line.
pub fn slot_name(text: &str) -> Result<Name, String> {
    Name::new(text).ok_or_else(|| "a slot has a name of 1 to 16 characters of [A-Za-z0-9_]".into())
}

fn script(text: &str) -> Result<Script, String> {
    let script = text.parse().ok().and_then(Script::numbered);
    script.ok_or_else(|| format!("the versions are 1 to {}", Script::default().number()))
}

/// What waits for a person, and what to do.
fn waits(device: &mut Device) -> Vec<(String, &'static str)> {
    #[cfg(feature = "health")]
    return trial::waits(device).into_iter().map(|waits| (waits.what, waits.next)).collect();
    #[cfg(not(feature = "health"))]
    {
        let _ = device;
        Vec::new()
    }
}

/// The applications, for people and for programs.
fn apps(device: &mut Device) -> Vec<(String, serde_json::Value)> {
    #[cfg(feature = "app")]
    {
        use crate::app_report::{json, text};
        let apps = bootslot::report::apps(device);
        apps.iter().map(|app| (text(app, "app:          "), json(app))).collect()
    }
    #[cfg(not(feature = "app"))]
    {
        let _ = device;
        Vec::new()
    }
}

/// The boot loader, for people and for programs; `None`: the board has no scheme for it.
fn loader(device: &mut Device) -> Option<(String, serde_json::Value)> {
    #[cfg(feature = "bootloader")]
    {
        use crate::loader_report::{json, of, text};
        of(device).map(|status| (text(&status, "boot loader:  "), json(&status)))
    }
    #[cfg(not(feature = "bootloader"))]
    {
        let _ = device;
        None
    }
}

fn dialect(text: &str) -> Result<Dialect, String> {
    let known: Vec<&str> = Dialect::ALL.iter().map(|dialect| dialect.name()).collect();
    Dialect::named(text).ok_or_else(|| format!("the dialects are {}", known.join(", ")))
}

/// Runs one of the commands.
pub fn run(command: &Command) -> Outcome {
    match command {
        Command::Status { options } => {
            let mut device = open(options)?;
            let status = device.status()?;
            let waits = waits(&mut device);
            let beside = report::Beside { apps: apps(&mut device), loader: loader(&mut device) };
            print(&report::status(&status, device.settings(), &waits, &beside, options.json))?;
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
        Command::FinishInstall { target, tries, update, again, options } => {
            let update = update.as_deref().map(str::as_bytes);
            order(options, |device| device.finish_install(target, tries.tries, update, *again))
        }
        Command::Try { target, tries, again, options } => {
            order(options, |device| device.try_slot(target, tries.tries, *again))
        }
        Command::Confirm { expected, options } => order(options, |device| {
            let done = device.confirm(expected.as_ref());
            #[cfg(feature = "health")]
            if done.is_ok() {
                crate::kept::keep(device);
            }
            done
        }),
        Command::Rollback { reason, options } => {
            let reason = match reason {
                Why::Health => Reason::Health,
                Why::User => Reason::User,
            };
            order(options, |device| device.roll_back(reason))
        }
        Command::Acknowledge { options } => order(options, Device::acknowledge),
        Command::Allow { update, options } => {
            #[cfg(feature = "app")]
            bootslot::app::allow(&settings(options)?.apps, update)?;
            order(options, |device| device.allow(update))
        }
        Command::Mark { mark: Mark::Good, target, options } => {
            order(options, |device| device.mark_good(target))
        }
        Command::Mark { mark: Mark::Bad, target, options } => {
            order(options, |device| device.mark_bad(target))
        }
        Command::Convert { to, keep, dry_run: true, options } => {
            let conversion = open(options)?.check_convert(*to, *keep)?;
            print(&report::conversion(&conversion, options.json))
        }
        Command::Convert { to, keep, dry_run: false, options } => {
            let (done, lost) = open(options)?.convert(*to, *keep)?;
            if let Some(why) = &done.unrecorded {
                complain("bootslot", format_args!("the journal does not know of it: {why}"));
            }
            lost.iter().for_each(|lost| {
                complain("bootslot", format_args!("the dialect has no variable for this: {lost}"))
            });
            print(&report::done(&done, options.json))
        }
        Command::SetActive { target, options } => order(options, |device| device.set_active(target)),
    }
}

fn order(options: &Options, give: impl FnOnce(&mut Device) -> bootslot::Result<Done>) -> Outcome {
    let done = give(&mut open(options)?)?;
    if let Some(why) = &done.unrecorded {
        complain("bootslot", format_args!("the journal does not know of it: {why}"));
    }
    print(&report::done(&done, options.json))
}

/// The device: the settings, and what the command line says otherwise.
pub fn open(options: &Options) -> Outcome<Device> {
    let lock = options.lock.clone().map(LockPath::Directory);
    Ok(Device::open(&settings(options)?, &StoreOptions { lock, ..StoreOptions::default() })?)
}

/// The settings, and what the command line says otherwise.
pub fn settings(options: &Options) -> Outcome<Settings> {
    let mut settings = Settings::find(options.settings.as_deref())?;
    let namespace = options.namespace.as_ref().map(|name| name.to_string_lossy().into_owned());
    settings.choose_environment(options.config.clone(), namespace);
    if options.running.is_some() {
        settings.running.clone_from(&options.running);
    }
    settings.state = options.state.clone().or(settings.state);
    let elsewhere = [
        (&options.boot_id, &mut settings.boot_id),
        (&options.os_release, &mut settings.os_release),
        (&options.sysfs, &mut settings.sysfs),
    ];
    for (given, setting) in elsewhere {
        if let Some(path) = given {
            setting.clone_from(path);
        }
    }
    settings.script = options.script.or(settings.script);
    Ok(settings)
}
