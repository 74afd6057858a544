//! The section `[health]`: which checks a system on trial has to pass, and what a failing one leads to.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where the executables are that a board adds as checks.
pub const DEFAULT_FOLDER: &str = "/etc/bootslot/health.d";

/// Where the results of the old system are kept for the new one to compare with.
pub const DEFAULT_BASELINE: &str = "/var/lib/bootslot/baseline";

/// What the kernel says when it has gone wrong, in any of its architectures.
pub const KERNEL_TROUBLE: [&str; 7] = [
    "kernel BUG at",
    "BUG: ",
    "Oops: ",
    "Oops[",
    "Unable to handle kernel",
    "rcu: INFO: ",
    "blocked for more than",
];

/// What is checked on a trial boot, and how it is decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// So long all checks have to hold.
    pub settle: Duration,
    /// After so long there is a decision. Both count the time that the device is awake.
    pub deadline: Duration,
    /// Who resets the device if the program that decides hangs.
    pub watchdog: Watchdog,
    /// Folders of executables. One that does not exist holds none.
    pub folders: Vec<PathBuf>,
    /// The folders in which greenboot's `check/required.d` and `check/wanted.d` are looked for.
    pub greenboot: Vec<PathBuf>,
    /// Whether the checks that need no settings are made as well.
    pub standard: bool,
    /// The file with the results of the old system.
    pub baseline: PathBuf,
    /// The checks that are in the settings.
    pub checks: Vec<Check>,
    /// The command that reboots the device; `None`: systemd's where that runs, else `reboot`.
    pub reboot: Option<Vec<String>>,
    /// A reboot may take so long before it is forced.
    pub reboot_limit: Duration,
}

impl Default for Health {
    fn default() -> Self {
        Health {
            settle: Duration::from_secs(30),
            deadline: Duration::from_secs(300),
            watchdog: Watchdog::None,
            folders: vec![DEFAULT_FOLDER.into()],
            greenboot: Vec::new(),
            standard: true,
            baseline: Path::new(DEFAULT_BASELINE).into(),
            checks: Vec::new(),
            reboot: None,
            reboot_limit: Duration::from_secs(180),
        }
    }
}

/// Who resets the device if the program that decides hangs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Watchdog {
    /// Nobody, or somebody whom this is no business of.
    None,
    /// systemd, for a unit with `WatchdogSec=`.
    Systemd,
    /// This device, such as `/dev/watchdog0`.
    Device(PathBuf),
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What it is called in reports; no two have the same name.
    pub name: String,
    /// What it looks at.
    pub kind: Kind,
    /// What it may take, and what its failure means.
    pub policy: Policy,
}

/// What a check looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// The slot that runs is the one that should.
    Slot,
    /// The system tells its version in `os-release`. Where a field is named, it holds the version of the update.
    Version(Option<String>),
    /// This file, text or one of the device tree, holds one of these words: the hardware is one that the system is for.
    Hardware(PathBuf, Vec<String>),
    /// This unit of systemd is active, and is not restarted meanwhile.
    Unit(String),
    /// No unit of systemd has failed.
    FailedUnits,
    /// Something is mounted here; and a file can be written there, synced, read back and removed.
    Mount(PathBuf, Writable),
    /// This device node exists.
    Node(PathBuf),
    /// This driver is bound to a device, as `BUS/DRIVER` or `DRIVER` on any bus.
    Driver(String),
    /// This certificate is valid now, and this is its key.
    Certificate(PathBuf, Option<PathBuf>),
    /// There is a default route.
    Route,
    /// This name has an address.
    Dns(String),
    /// This host and port take a connection.
    Tcp(String),
    /// This address answers with a status below 400.
    Http(String),
    /// The clock is not before this time, in seconds since 1970, nor before the system was built.
    Clock(Option<i64>),
    /// The kernel has not logged any of these texts since it started.
    KernelLog(Vec<String>),
    /// None of these texts is in what the kernel kept of an earlier boot; without texts: it kept nothing.
    Pstore(Vec<String>),
    /// It was not a watchdog that reset the device before this boot.
    WatchdogReset,
    /// The migration of configuration and data is done.
    Migrated,
    /// This program with these arguments ends with exit code 0.
    Command(Vec<String>),
    /// This file ends with exit code 0 when it is run; one that ends in `.sh` need not be executable.
    Executable(PathBuf),
}

/// Whether a mounted file system has to be writable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writable {
    /// It does not matter.
    Any,
    /// It has to be, proven by a file.
    Proven,
}

/// What a check may take, and what its failure means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// So long it may run; then it is killed, and has failed.
    pub timeout: Duration,
    /// So many failures in a row are nothing yet.
    pub retries: u32,
    /// What comes of more of them.
    pub on_failure: OnFailure,
    /// Whether a failure is one of the update. Otherwise the same update may be tried again later.
    pub blame: bool,
    /// Whether it is no failure if the old system had it, too.
    pub baseline: bool,
    /// Between two runs there is so much time; `None`: it runs until it passes, and once more at the end of the settling.
    pub interval: Option<Duration>,
}

/// What comes of a check that fails for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// The slot is given up at once.
    RollBack,
    /// The check is repeated to the deadline. If it fails then, the slot is given up.
    Retry,
    /// The next boot is another try; the slot is given up if there are no more.
    Reboot,
    /// The slot is confirmed all the same, and the failure is reported.
    Degraded,
    /// After the deadline the slot is neither confirmed nor given up: somebody has to look.
    Wait,
}

impl OnFailure {
    /// All of them.
    pub const ALL: [OnFailure; 5] =
        [OnFailure::RollBack, OnFailure::Retry, OnFailure::Reboot, OnFailure::Degraded, OnFailure::Wait];

    /// The word in the settings.
    pub fn name(self) -> &'static str {
        match self {
            OnFailure::RollBack => "roll-back",
            OnFailure::Retry => "retry",
            OnFailure::Reboot => "reboot",
            OnFailure::Degraded => "degraded",
            OnFailure::Wait => "wait",
        }
    }
}

impl Policy {
    /// What holds for a kind of check unless the settings say otherwise.
    pub fn of(kind: &Kind) -> Policy {
        let usual = Policy {
            timeout: Duration::from_secs(10),
            retries: 0,
            on_failure: OnFailure::Retry,
            blame: true,
            baseline: true,
            interval: Some(Duration::from_secs(5)),
        };
        match kind {
            // They do not change any more in this boot.
            Kind::Slot | Kind::Migrated | Kind::Version(Some(_)) | Kind::Hardware(..) => {
                Policy { on_failure: OnFailure::RollBack, baseline: false, ..usual }
            }
            Kind::KernelLog(_) => Policy { on_failure: OnFailure::RollBack, ..usual },
            // A small system may tell none.
            Kind::Version(None) => Policy { on_failure: OnFailure::Degraded, ..usual },
            // What came before this boot may have been somebody who pulled a plug, or a chip that calls each reset one of
            // the watchdog.
            Kind::Pstore(_) | Kind::WatchdogReset => Policy { on_failure: OnFailure::Degraded, ..usual },
            Kind::FailedUnits => Policy { on_failure: OnFailure::Degraded, retries: 3, ..usual },
            Kind::Clock(_) => Policy { on_failure: OnFailure::Degraded, blame: false, retries: 3, ..usual },
            Kind::Route | Kind::Dns(_) | Kind::Tcp(_) | Kind::Http(_) => Policy { blame: false, ..usual },
            Kind::Command(_) | Kind::Executable(_) => {
                Policy { timeout: Duration::from_secs(60), interval: None, ..usual }
            }
            Kind::Unit(_) | Kind::Mount(..) | Kind::Node(_) | Kind::Driver(_) | Kind::Certificate(..) => {
                usual
            }
        }
    }
}

impl Check {
    /// A check with the policy of its kind.
    pub fn new(name: impl Into<String>, kind: Kind) -> Check {
        Check { name: name.into(), policy: Policy::of(&kind), kind }
    }
}
