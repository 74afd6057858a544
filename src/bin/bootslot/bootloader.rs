//! `bootslot bootloader`: where the boot loader stands, and whether a new one is kept. Bundles of boot loaders are installed by
//! `bootslot install`.

use bootslot::device::Device;
use bootslot::loader::{Confirmation, Release};
use bootslot::update::{self, Bundle, InstalledLoader, LoaderOptions};
use clap::{Args, Subcommand};
use serde_json::{json, Value};

use crate::interrupt::Interrupt;
use crate::loader_report::{json, release_json, text};
use crate::outcome::{print, print_event, Failure, Outcome, NO, ROLLED_BACK};
use crate::progress::Progress;
use crate::report::to_json;
use crate::slots;

/// How the messages begin.
pub const PROGRAM: &str = "bootslot bootloader";

/// The options of the group.
#[derive(Args)]
pub struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Show which copy booted, and how a new boot loader stands
    Status {
        #[command(flatten)]
        device: slots::Options,
    },
    /// Keep the new boot loader, which has booted; call this when the system is known to be healthy
    Confirm {
        #[command(flatten)]
        device: slots::Options,
    },
    /// Take back a new boot loader that has not booted yet
    Cancel {
        #[command(flatten)]
        device: slots::Options,
    },
}

/// Runs one of the commands.
pub fn run(options: &Options) -> Outcome {
    match &options.command {
        Command::Status { device: options } => {
            let status = slots::open(options)?.loader_status()?;
            print(&match (options.json, &status) {
                (true, status) => {
                    to_json(&status.as_ref().map_or(Value::Null, |status| json(&Ok(status.clone()))))
                }
                (false, Some(status)) => text(&Ok(status.clone()), "").into_bytes(),
                (false, None) => b"the settings say nothing of a boot loader\n".to_vec(),
            })
        }
        Command::Confirm { device: options } => {
            let confirmation = slots::open(options)?.confirm_loader()?;
            let (word, release, said) = match &confirmation {
                Confirmation::Nothing => ("nothing", None, "Already done: nothing is to be confirmed".into()),
                Confirmation::Done(new) => ("confirmed", Some(new), format!("Kept: {new}")),
                Confirmation::WentBack(new) => {
                    ("went-back", Some(new), format!("Given up: {new}: the ROM went back to the other copy"))
                }
            };
            tell(options, word, release, &said)?;
            match confirmation {
                Confirmation::WentBack(_) => Err(Failure::Answer(ROLLED_BACK)),
                Confirmation::Nothing | Confirmation::Done(_) => Ok(()),
            }
        }
        Command::Cancel { device: options } => match slots::open(options)?.cancel_loader()? {
            Some(new) => tell(options, "cancelled", Some(&new), &format!("Taken back: {new}")),
            None => {
                tell(options, "nothing", None, "There is nothing to be taken back")?;
                Err(Failure::Answer(NO))
            }
        },
    }
}

fn tell(options: &slots::Options, word: &str, release: Option<&Release>, said: &str) -> Outcome {
    match options.json {
        true => print(&to_json(&json!({ "result": word, "release": release.map(release_json) }))),
        false => print(format!("{said}\n").as_bytes()),
    }
}

/// Installs the boot loader of a bundle.
pub fn install(
    device: &mut Device,
    bundle: &mut Bundle,
    options: &LoaderOptions,
    interrupt: &Interrupt,
    as_json: bool,
) -> Outcome {
    let version = bundle.manifest.version.clone();
    let mut progress = Progress::new(as_json);
    let result = update::install_loader(device, bundle, options, &mut |now| {
        progress.show(&now);
        interrupt.flow()
    });
    progress.end();
    let installed = result?;
    match as_json {
        true => print_event(&done_json(&installed, &version, options.dry_run)),
        false => print(done_text(&installed, &version, options.dry_run).as_bytes()),
    }
}

fn done_text(installed: &InstalledLoader, version: &str, dry_run: bool) -> String {
    let InstalledLoader { copy, id, already, confirmed, done } = installed;
    match (already, dry_run) {
        (true, _) => {
            let stands = if *confirmed { "confirmed" } else { "not confirmed yet" };
            format!("Already done, nothing stored: boot loader {version} ({id}) is in copy {copy}, {stands}\n")
        }
        (false, true) => format!(
            "Nothing was changed: boot loader {version} ({id}) can be installed to copy {copy}\n{} bytes: {} to fetch\n",
            done.all, done.fetched
        ),
        (false, false) => format!(
            "Boot loader {version} ({id}) is in copy {copy}, read back, and boots next\n\
             After the reboot: bootslot bootloader confirm\n"
        ),
    }
}

fn done_json(installed: &InstalledLoader, version: &str, dry_run: bool) -> Value {
    let InstalledLoader { copy, id, already, confirmed, done } = installed;
    json!({
        "event": "done",
        "code": 0,
        "slot": Value::Null,
        "copy": copy,
        "update": id,
        "version": version,
        "already": already,
        "confirmed": confirmed,
        "dry_run": dry_run,
        "bytes": done.all,
        "written": done.written,
        "kept": done.kept,
        "copied": done.copied,
        "fetched": done.fetched,
    })
}
