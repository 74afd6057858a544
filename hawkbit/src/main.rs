//! `bootslot-hawkbit`: visits a hawkBit server again and again, and carries out what it wants.

use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;

use bootslot::slot::Name;
use bootslot::store::{LockPath, StoreOptions};
use bootslot_hawkbit::agent::{visit, Plan};
use bootslot_hawkbit::pace::{random, Pace};
use bootslot_hawkbit::real::Real;
use bootslot_hawkbit::settings::{Settings, DEFAULT};
use bootslot_hawkbit::world::World;
use clap::Parser;

/// Brings updates from a hawkBit server to this device, and tells the server what became of them.
#[derive(Parser)]
#[command(name = "bootslot-hawkbit", version)]
pub struct Options {
    /// The server, and who the device is there
    #[arg(long, value_name = "FILE", default_value = DEFAULT)]
    hawkbit: PathBuf,

    /// Settings of the board [default: /etc/bootslot/bootslot.toml]
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,

    /// Directory of the lock file of the environment [default: /run and /var/lock, both]
    #[arg(short, long, value_name = "DIR")]
    lock: Option<PathBuf>,

    /// The slot that runs [default: bootslot.slot= in /proc/cmdline, and the device of /]
    #[arg(long, value_name = "NAME", value_parser = name)]
    slot: Option<Name>,

    /// Visit the server once; exit code 1 if that does not go well
    #[arg(long, conflicts_with = "check")]
    once: bool,

    /// Read the settings, and send nothing
    #[arg(long)]
    check: bool,

    // What the system says of this boot, from elsewhere: for tests.
    #[arg(long, value_name = "FILE", hide = true)]
    boot_id: Option<PathBuf>,
    #[arg(long, value_name = "FILE", hide = true)]
    os_release: Option<PathBuf>,
}

fn name(text: &str) -> Result<Name, String> {
    Name::new(text).ok_or_else(|| "1 to 16 of [A-Za-z0-9_-]".into())
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(code) => code,
        Err(reason) => {
            eprintln!("bootslot-hawkbit: {reason}");
            // Nothing will change by waiting.
            ExitCode::from(4)
        }
    }
}

fn run(options: &Options) -> Result<ExitCode, String> {
    let settings = Settings::load(&options.hawkbit)?;
    let mut board =
        bootslot::settings::Settings::find(options.settings.as_deref()).map_err(|error| error.to_string())?;
    board.running = options.slot.clone().or(board.running);
    for (given, setting) in
        [(&options.boot_id, &mut board.boot_id), (&options.os_release, &mut board.os_release)]
    {
        if let Some(path) = given {
            setting.clone_from(path);
        }
    }
    if board.state.is_none() {
        return Err("the settings of the board name no folder for the journal (state)".into());
    }
    let store =
        StoreOptions { lock: options.lock.clone().map(LockPath::Directory), ..StoreOptions::default() };
    let plan =
        Plan { server: settings.server(), added: settings.attributes.clone(), attempts: settings.attempts };
    let mut world = Real::new(settings, board, store)?;
    if options.check {
        println!("{}", plan.server);
        return Ok(ExitCode::SUCCESS);
    }
    let mut pace = Pace::default();
    loop {
        let wait = match visit(&mut world, &plan, &mut pace) {
            Ok(()) if options.once => return Ok(ExitCode::SUCCESS),
            Ok(()) => pace.after_success(random()),
            Err(trouble) => {
                let wait = pace.after_failure(trouble.after, random());
                let next = if options.once {
                    String::new()
                } else {
                    format!("; next visit in {} s", wait.as_secs())
                };
                world.say(&format!("{}{next}", trouble.reason));
                if options.once {
                    return Ok(ExitCode::FAILURE);
                }
                wait
            }
        };
        thread::sleep(wait);
    }
}
