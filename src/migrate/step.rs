//! One step: an executable, a declared copy, a declared rename. Each can be done again after a cut in it.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::lock::Lock;
use super::state::{said, Attempt, StepId};
use super::system::{Action, Step};
use crate::files::tree::{self, Trees};
use crate::files::{beside, parent, Kind};
use crate::process::{self, End, Limits, Ran};

/// Where a step finds its programs.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How long a step may take to end after SIGTERM. A database writes its last pages then.
const GRACE: Duration = Duration::from_secs(10);

/// Bytes of a step's output that its error shows.
const OUTPUT: usize = 4096;

/// What a step that runs is told.
pub(super) type Told = Vec<(&'static str, String)>;

/// Runs executables.
pub(super) trait Runner: Send {
    /// Runs a program with this environment and no other.
    fn run(&mut self, program: &Path, environment: &Told, limit: Duration) -> io::Result<Ran>;
}

/// Runs them as processes, which have the lock as well.
pub(super) struct Processes(Option<Lock>);

impl Processes {
    pub(super) fn with_lock(lock: Lock) -> Self {
        Processes(Some(lock))
    }

    /// For who only looks.
    pub(super) fn without_lock() -> Self {
        Processes(None)
    }
}

impl Runner for Processes {
    fn run(&mut self, program: &Path, environment: &Told, limit: Duration) -> io::Result<Ran> {
        let mut command = Command::new(program);
        command.env_clear().envs(environment.iter().map(|(name, value)| (name, value))).current_dir("/");
        let run = || process::run(command, &Limits { time: limit, grace: GRACE, output: OUTPUT });
        match &self.0 {
            Some(lock) => lock.shared(run),
            None => run(),
        }
    }
}

/// Why a step failed: a phrase, and the end of its output.
pub(super) type Failed = (String, String);

/// What a step is told: from where to where, and the folders.
pub(super) fn environment(attempt: &Attempt, step: &StepId) -> Told {
    let folders: Vec<String> =
        attempt.folders.iter().map(|folder| folder.path.display().to_string()).collect();
    vec![
        ("PATH", PATH.into()),
        ("LANG", "C".into()),
        ("BOOTSLOT_DATA_FROM", said(attempt.from)),
        ("BOOTSLOT_DATA_TO", step.to.to_string()),
        ("BOOTSLOT_DATA_FOLDER", folders.first().cloned().unwrap_or_default()),
        ("BOOTSLOT_DATA_FOLDERS", folders.join(":")),
        ("BOOTSLOT_DATA_STEP", step.to_string()),
        ("BOOTSLOT_SLOT", attempt.slot.to_string()),
        ("BOOTSLOT_UPDATE", attempt.update.clone().unwrap_or_default()),
    ]
}

/// Does one step.
pub(super) fn perform(
    files: &mut dyn Trees,
    runner: &mut dyn Runner,
    step: &Step,
    attempt: &Attempt,
    limit: Duration,
) -> Result<(), Failed> {
    let quiet = |error: io::Error| (error.to_string(), String::new());
    match &step.action {
        Action::Run(program) => {
            let ran = runner.run(program, &environment(attempt, &step.id), limit).map_err(quiet)?;
            let why = match ran.end {
                End::Exited(0) => return Ok(()),
                End::Exited(code) => format!("exit code {code}"),
                End::Killed(signal) => format!("killed by signal {signal}"),
                End::TimedOut => format!("it took longer than {} s and was killed", limit.as_secs()),
                End::LeftBehind => format!("it took longer than {} s and can't be killed", limit.as_secs()),
            };
            Err((why, String::from_utf8_lossy(&ran.output).into_owned()))
        }
        Action::Copy { from, to, optional } => {
            let folders = folders(attempt);
            inside(files, to, &folders, true)
                .and_then(|()| inside(files, from, &folders, false))
                .map_err(quiet)?;
            copy(files, from, to, *optional).map_err(quiet)
        }
        Action::Rename { from, to, optional } => {
            let folders = folders(attempt);
            inside(files, to, &folders, true)
                .and_then(|()| inside(files, from, &folders, true))
                .map_err(quiet)?;
            rename(files, from, to, *optional).map_err(quiet)
        }
    }
}

fn folders(attempt: &Attempt) -> Vec<&Path> {
    attempt.folders.iter().map(|folder| folder.path.as_path()).collect()
}

/// The data are written by programs that may have been taken over. A link that they have left must not lead what the
/// system declares to another place.
fn inside(files: &mut dyn Trees, path: &Path, folders: &[&Path], must_be: bool) -> io::Result<()> {
    let Some(folder) = folders.iter().find(|folder| path.starts_with(folder)) else {
        return match must_be {
            true => Err(io::Error::other(format!("{} is not below a folder of the data", path.display()))),
            false => Ok(()),
        };
    };
    let mut above = parent(path).to_path_buf();
    while above.starts_with(folder) {
        if files.kind(&above)? == Some(Kind::Other) {
            return Err(io::Error::other(format!("{} is no folder", above.display())));
        }
        above = parent(&above).to_path_buf();
    }
    Ok(())
}

fn missing(path: &Path, optional: bool) -> io::Result<()> {
    match optional {
        true => Ok(()),
        false => Err(io::Error::new(io::ErrorKind::NotFound, format!("{} does not exist", path.display()))),
    }
}

/// The copy is whole before it gets its name, so that it is done again or done.
fn copy(files: &mut dyn Trees, from: &Path, to: &Path, optional: bool) -> io::Result<()> {
    if files.kind(from)?.is_none() {
        return missing(from, optional);
    }
    let new: PathBuf = beside(to, ".bootslot-copy")?;
    tree::remove_all(files, &new)?;
    let shared = tree::copy(files, from, &new)?;
    files.sync_all(parent(to))?;
    tree::compare(files, from, &new, shared)?;
    // A folder does not replace another one by a rename.
    if files.kind(&new)? == Some(Kind::Folder) || files.kind(to)? == Some(Kind::Folder) {
        tree::remove_all(files, to)?;
    }
    files.rename(&new, to)
}

fn rename(files: &mut dyn Trees, from: &Path, to: &Path, optional: bool) -> io::Result<()> {
    match (files.kind(from)?, files.kind(to)?) {
        (Some(_), None) => files.move_to(from, to).map_err(|error| tree::at(to, error)),
        // Done before the cut.
        (None, Some(_)) => Ok(()),
        (None, None) => missing(from, optional),
        (Some(_), Some(_)) => {
            let both = format!("{} and {} both exist", from.display(), to.display());
            Err(io::Error::new(io::ErrorKind::AlreadyExists, both))
        }
    }
}
