//! The service of an application: stopped and started by commands.

use std::process::Command;
use std::time::Duration;

use crate::process::{self, End, Limits};
use crate::settings::App;

/// After SIGTERM a command has so long to end.
const GRACE: Duration = Duration::from_secs(1);

/// Bytes of the output of a command that are kept.
const OUTPUT: usize = 2048;

/// What stops and starts a service.
pub trait Service: Send {
    /// Stops it. It is stopped already: nothing to do.
    ///
    /// Errors: how it failed, in words.
    fn stop(&mut self) -> Result<(), String>;

    /// Starts it. It runs already: nothing to do.
    ///
    /// Errors: how it failed, in words.
    fn start(&mut self) -> Result<(), String>;
}

/// The commands of the settings.
#[derive(Debug)]
pub struct Commands {
    stop: Option<Vec<String>>,
    start: Option<Vec<String>>,
    limit: Duration,
}

impl Commands {
    /// Those of this application.
    pub fn of(app: &App) -> Commands {
        Commands { stop: app.stop_command(), start: app.start_command(), limit: app.service_limit }
    }

    fn run(&self, words: Option<&Vec<String>>) -> Result<(), String> {
        let Some((program, arguments)) = words.and_then(|words| words.split_first()) else { return Ok(()) };
        let mut command = Command::new(program);
        command.args(arguments);
        let limits = Limits { time: self.limit, grace: GRACE, output: OUTPUT };
        let ran = process::run(command, &limits).map_err(|error| format!("{program}: {error}"))?;
        let how = match ran.end {
            End::Exited(0) => return Ok(()),
            End::Exited(code) => format!("exit code {code}"),
            End::Killed(signal) => format!("killed by signal {signal}"),
            End::TimedOut | End::LeftBehind => format!("it took longer than {} s", self.limit.as_secs()),
        };
        let said = String::from_utf8_lossy(&ran.output).trim().to_owned();
        Err(format!("{program}: {how}{}{said}", if said.is_empty() { "" } else { ": " }))
    }
}

impl Service for Commands {
    fn stop(&mut self) -> Result<(), String> {
        self.run(self.stop.as_ref())
    }

    fn start(&mut self) -> Result<(), String> {
        self.run(self.start.as_ref())
    }
}
