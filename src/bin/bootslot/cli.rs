//! The command line of `bootslot` itself: the command groups, one module each.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[cfg(feature = "update")]
use crate::outcome::BUNDLE;
use crate::outcome::{finish, ENV};
use crate::{bootcount, env, slots};

/// Reads and changes what a U-Boot device boots, safe against power cuts.
///
/// Called by the name fw_printenv or fw_setenv, or with that word first, the program is that tool.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    group: Group,
}

#[derive(Subcommand)]
pub enum Group {
    /// The U-Boot environment: read, change, check, repair
    Env(env::Options),
    #[command(flatten)]
    Slots(slots::Command),
    /// Install a bundle into the slot that does not run, or its boot loader to the copy that did not boot
    #[cfg(feature = "update")]
    Install(crate::install::Install),
    /// Applications beside the system: install, status, confirm, rollback, remove
    #[cfg(feature = "app")]
    App(crate::app::Options),
    /// The boot loader: which copy booted, and whether a new one is kept
    #[cfg(feature = "bootloader")]
    Bootloader(crate::bootloader::Options),
    /// Bundles: create, sign, inspect, verify
    #[cfg(feature = "update")]
    Bundle(crate::bundle::Options),
    /// Bring the data to the version that the running system wants; call this before its services start
    #[cfg(feature = "health")]
    Migrate(crate::migrate::Migration),
    /// Decide whether the system that is on trial is healthy
    #[cfg(feature = "health")]
    Health(crate::health::Health),
    /// The journal: what was recorded of updates and boots
    Journal(crate::journal::Options),
    /// Show what became of the last update, or send it
    #[cfg(feature = "health")]
    Report(crate::told::Reporting),
    /// Answer seven questions about a device that was not updated
    #[cfg(feature = "health")]
    Diagnose(crate::told::Diagnosing),
    /// What RAUC asks of a custom boot loader, as orders to the slots
    Rauc(crate::rauc::Backend),
    /// What Rugix Ctrl asks of a custom boot flow, as orders to the slots
    Rugix(crate::rugix::Flow),
    /// U-Boot's boot counter: read it, reset it
    Bootcount(bootcount::Options),
}

/// Runs the group that the command line names.
pub fn run() -> ExitCode {
    // A wrong command line ends here, with clap's message and exit code 2.
    match Cli::parse().group {
        Group::Env(options) => finish(ENV, env::run(&options)),
        Group::Bootcount(options) => finish("bootslot bootcount", bootcount::run(&options)),
        Group::Rauc(options) => finish("bootslot rauc", crate::rauc::run(&options)),
        Group::Rugix(options) => finish(crate::rugix::PROGRAM, crate::rugix::run(&options)),
        #[cfg(feature = "update")]
        Group::Install(options) => finish("bootslot install", crate::install::run(&options)),
        #[cfg(feature = "app")]
        Group::App(options) => finish(crate::app::PROGRAM, crate::app::run(&options)),
        #[cfg(feature = "bootloader")]
        Group::Bootloader(options) => finish(crate::bootloader::PROGRAM, crate::bootloader::run(&options)),
        #[cfg(feature = "update")]
        Group::Bundle(options) => finish(BUNDLE, crate::bundle::run(&options)),
        #[cfg(feature = "health")]
        Group::Migrate(options) => finish(crate::kept::PROGRAM, crate::migrate::run(&options)),
        #[cfg(feature = "health")]
        Group::Health(options) => finish(crate::health::PROGRAM, crate::health::run(&options)),
        Group::Journal(options) => finish("bootslot journal", crate::journal::run(&options)),
        #[cfg(feature = "health")]
        Group::Report(options) => finish("bootslot report", crate::told::report(&options)),
        #[cfg(feature = "health")]
        Group::Diagnose(options) => finish("bootslot diagnose", crate::told::diagnose(&options)),
        Group::Slots(command) => finish("bootslot", slots::run(&command)),
    }
}
