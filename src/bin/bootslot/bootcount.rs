//! `bootslot bootcount`: U-Boot's boot counter.

use std::path::PathBuf;

use bootslot::bootcount::{find, Count, Counter, Roots, Source, Variables};
use bootslot::config::find_environment;
use bootslot::settings::Settings;
use bootslot::store::{LockPath, Store, StoreOptions};
use bootslot::Error;
use clap::{Args, Subcommand};
use serde_json::json;

use crate::outcome::{print, Outcome};
use crate::report::to_json;

/// The options of the group.
#[derive(Args)]
pub struct Options {
    /// Settings of the board [default: /etc/bootslot/bootslot.toml]
    #[arg(long, global = true, value_name = "FILE")]
    settings: Option<PathBuf>,

    /// Configuration of the environment, for a counter in it [default: the settings', else /etc/fw_env.config]
    #[arg(short, long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Directory of the lock file, for a counter in the environment [default: /run and /var/lock, both]
    #[arg(short, long, global = true, value_name = "DIR")]
    lock: Option<PathBuf>,

    /// The device tree, where the settings name no counter
    #[arg(long, global = true, value_name = "DIR", default_value = "/proc/device-tree")]
    device_tree: PathBuf,

    /// Print the result as JSON
    #[arg(long, global = true)]
    json: bool,

    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Clone, Copy, PartialEq)]
enum Command {
    /// Print the boots since the last reset, as U-Boot will read them
    Get,
    /// Set the counter back to 0, because the system is healthy
    Reset,
}

/// Runs one command of the group.
pub fn run(options: &Options) -> Outcome {
    let settings = Settings::find(options.settings.as_deref())?;
    let source = match &settings.bootcount {
        Some(source) => source.clone(),
        None => {
            let roots = Roots { device_tree: options.device_tree.clone(), ..Roots::default() };
            find(&roots)?.ok_or_else(|| {
                let tree = options.device_tree.display();
                let message =
                    format!("no boot counter: {tree} has none, and the settings have no [bootcount]");
                Error::Unsupported(message)
            })?
        }
    };
    match source.open() {
        Some(mut counter) => act(&mut *counter, &source, options),
        None => {
            let config = options.config.as_deref().or(settings.env_config.as_deref());
            let namespace = settings.env_namespace.as_deref().filter(|_| options.config.is_none());
            let lock = options.lock.clone().map(LockPath::Directory);
            let options_of_store = StoreOptions { lock, ..StoreOptions::default() };
            let mut store = Store::open(&find_environment(config, namespace)?, &options_of_store)?;
            act(&mut Variables::new(&mut store), &source, options)
        }
    }
}

fn act(counter: &mut dyn Counter, source: &Source, options: &Options) -> Outcome {
    match options.command {
        Command::Get => {
            let count = counter.get()?;
            print(&shown(count, source, options.json))
        }
        Command::Reset => {
            let written = counter.reset()?;
            print(&match options.json {
                true => to_json(&json!({ "reset": written, "where": place(source) })),
                false => Vec::new(),
            })
        }
    }
}

fn shown(count: Option<Count>, source: &Source, as_json: bool) -> Vec<u8> {
    let value = count.map_or(0, |count| count.count);
    if !as_json {
        return format!("{value}\n").into_bytes();
    }
    to_json(&json!({
        "bootcount": value,
        "valid": count.is_some(),
        "upgrade_available": count.and_then(|count| count.upgrade_available),
        "where": place(source),
    }))
}

fn place(source: &Source) -> String {
    match source {
        Source::Environment => "environment".into(),
        Source::Memory { path, address, .. } => format!("{} at {address:#x}", path.display()),
        Source::Bytes { path, offset, .. } | Source::Flash { path, offset } => {
            format!("{} at {offset:#x}", path.display())
        }
        Source::Zynqmp { path } => path.display().to_string(),
        _ => "elsewhere".into(),
    }
}
