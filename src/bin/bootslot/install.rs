//! `bootslot install`: a bundle into the slot that does not run.

use bootslot::slot::Name;
use bootslot::update::{self, Bundle, Installed, UpdateError};
use clap::Args;
use serde_json::json;

#[cfg(feature = "bootloader")]
use crate::bootloader;
use crate::interrupt::Interrupt;
use crate::origin::Origin;
#[cfg(feature = "bootloader")]
use crate::outcome::Failure;
use crate::outcome::{print, print_event, with_last_event, Outcome};
use crate::progress::Progress;
use crate::slots::{self, slot_name};
use crate::trust;

/// The options of the command.
#[derive(Args)]
pub struct Install {
    #[command(flatten)]
    origin: Origin,

    /// The slot to install to [default: one that does not run]
    #[arg(long, value_name = "SLOT", value_parser = slot_name)]
    target: Option<Name>,

    #[command(flatten)]
    tries: slots::Tries,

    /// Install it although it has failed here before
    #[arg(long)]
    again: bool,

    /// Look at everything, change nothing
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    trust: trust::Trust,

    #[command(flatten)]
    device: slots::Options,
}

/// Runs the command.
pub fn run(options: &Install) -> Outcome {
    with_last_event(install(options), options.device.json)
}

fn install(options: &Install) -> Outcome {
    let mut device = slots::open(&options.device)?;
    let keys = options.trust.keyring(&device.settings().update, &[])?;
    let interrupt = Interrupt::heard();
    let source = options.origin.open_until(&interrupt, options.device.json)?;
    #[cfg_attr(not(feature = "bootloader"), allow(unused_mut))]
    let mut bundle = Bundle::open(source, &keys).map_err(|error| {
        // A server that is away is no bundle that was refused.
        if !options.dry_run && !matches!(error, UpdateError::Read { .. } | UpdateError::Cancelled) {
            device.not_installed(options.target.as_ref(), "", error.code(), &error.to_string());
        }
        error
    })?;
    #[cfg(feature = "bootloader")]
    if bundle.manifest.is_of_bootloader() {
        if options.target.is_some() || options.tries.given().is_some() {
            return Err(Failure::Usage("a boot loader has no slot and no tries".into()));
        }
        let chosen = update::LoaderOptions { again: options.again, dry_run: options.dry_run };
        return bootloader::install(&mut device, &mut bundle, &chosen, &interrupt, options.device.json);
    }
    let version = bundle.manifest.version.clone();
    let mut progress = Progress::new(options.device.json);
    let chosen = update::Options {
        target: options.target.clone(),
        tries: options.tries.given(),
        again: options.again,
        dry_run: options.dry_run,
        ..update::Options::default()
    };
    let settings = device.settings().clone();
    let result = update::install(&mut device, bundle, &settings, &chosen, &mut |now| {
        progress.show(&now);
        interrupt.flow()
    });
    progress.end();
    let installed = result?;
    match options.device.json {
        true => print_event(&done_json(&installed, &version, options.dry_run)),
        false => print(done_text(&installed, &version, options.dry_run).as_bytes()),
    }
}

fn done_text(installed: &Installed, version: &str, dry_run: bool) -> String {
    let Installed { slot, id, already, confirmed, done } = installed;
    match (already, dry_run) {
        (true, _) => {
            let stands = if *confirmed { "confirmed" } else { "on trial" };
            format!("Already done, nothing stored: version {version} ({id}) is in slot {slot}, {stands}\n")
        }
        (false, true) => {
            format!(
                "Nothing was changed: version {version} ({id}) can be installed to slot {slot}\n\
                 {} bytes: {} to write{}, {} are there already, {} to fetch\n",
                done.all,
                done.written,
                of_running(done.copied),
                done.kept,
                done.fetched
            )
        }
        (false, false) => format!(
            "Version {version} ({id}) is in slot {slot}, read back, and on trial from the next boot on\n\
             {} bytes: {} written{}, {} were there already\n",
            done.all,
            done.written,
            of_running(done.copied),
            done.kept
        ),
    }
}

/// What the running slot has saved.
fn of_running(copied: u64) -> String {
    match copied {
        0 => String::new(),
        copied => format!(" ({copied} of them from the running slot)"),
    }
}

fn done_json(installed: &Installed, version: &str, dry_run: bool) -> serde_json::Value {
    let Installed { slot, id, already, confirmed, done } = installed;
    json!({
        "event": "done",
        "code": 0,
        "slot": slot.as_str(),
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
