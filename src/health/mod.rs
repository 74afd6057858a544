//! Health: is the system that is on trial to be confirmed, or to be left?
//!
//! ```text
//!  settings --plan--> checks --run--> results --decision--> Healthy, Degraded     the caller confirms
//!                       ^       |                           RollBack              the caller rolls back
//!                       '-------'                           Reboot, Wait          the caller leaves it as it is
//! ```
//!
//! Each check is a process of its own, with a time limit. Nothing here writes to the slots: the caller does, and it writes
//! down the evidence first. `docs/health.md` is the page for people.
//!
//! | file | job |
//! |---|---|
//! | `plan.rs` | which checks are made |
//! | `run.rs` | the loop that runs them |
//! | `results.rs` | \[pure] what one check has come to |
//! | `decision.rs` | \[pure] what all of them add up to |
//! | `baseline.rs` | \[pure] the results of the old system |
//! | `evidence.rs` | what a decision rests on |
//! | `checks/` | the built-in checks |
//! | `watchdog.rs` | feeding a watchdog while the decision is open |
//! | `reboot.rs` | the reboot, and its end if the shutdown hangs |

pub mod baseline;
pub mod checks;
pub mod decision;
mod evidence;
pub mod plan;
pub mod reboot;
mod results;
mod run;
pub mod watchdog;

pub use evidence::{Evidence, Report};
pub use results::{Observation, Standing, Verdict};
pub use run::{decide_by, run_once, Caller, Event};

use std::path::PathBuf;

use crate::process::End;
use crate::settings::Settings;
use crate::slot::Name;

/// So much of the output of a check is kept, from the end, in bytes.
pub const TAIL: usize = 4096;

/// How a process has ended, in words.
fn how(end: End) -> String {
    match end {
        End::Exited(code) => format!("exit code {code}"),
        End::Killed(signal) => format!("killed by signal {signal}"),
        End::TimedOut => "it did not end in time".into(),
        End::LeftBehind => "it did not end in time, and can't be killed".into(),
    }
}

/// What the caller knows of the system that runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct System {
    /// The slot that runs; `None`: that is unknown.
    pub running: Option<Name>,
    /// The slot that should run.
    pub expected: Option<Name>,
    /// The version of the update that is on trial.
    pub version: Option<String>,
    /// Whether the migration of configuration and data is done; `None`: there is none.
    pub migrated: Option<bool>,
    /// When the trial began, in seconds since 1970.
    pub since: Option<i64>,
}

/// Where the built-in checks look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roots {
    /// `/proc`.
    pub proc: PathBuf,
    /// `/sys`.
    pub sys: PathBuf,
    /// The kernel's log.
    pub kernel_log: PathBuf,
    /// Where the system tells its version: the first file that is there counts.
    pub os_release: Vec<PathBuf>,
    /// The program that asks systemd.
    pub systemctl: PathBuf,
    /// It exists where systemd is process 1.
    pub systemd: PathBuf,
}

impl Roots {
    /// Those of the settings; the others are the system's.
    pub fn of(settings: &Settings) -> Roots {
        Roots {
            sys: settings.sysfs.clone(),
            os_release: vec![settings.os_release.clone(), "/usr/lib/os-release".into()],
            ..Roots::default()
        }
    }
}

impl Default for Roots {
    fn default() -> Self {
        Roots {
            proc: "/proc".into(),
            sys: "/sys".into(),
            kernel_log: "/dev/kmsg".into(),
            os_release: vec!["/etc/os-release".into(), "/usr/lib/os-release".into()],
            systemctl: "systemctl".into(),
            systemd: "/run/systemd/system".into(),
        }
    }
}
