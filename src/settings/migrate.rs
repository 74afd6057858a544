//! The section `[migrate]` of the settings: the folders whose data have a version.

use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::duration::duration;
use super::wrong::{path, wrong, Wrong};

/// Where a system says which version of the data it wants.
pub const DEFAULT_SYSTEM: &str = "/usr/lib/bootslot/migrate.toml";

/// Where a system has the executables that bring the data to that version.
pub const DEFAULT_STEPS: &str = "/usr/lib/bootslot/migrate.d";

/// One migration at a time. It lies where nothing survives a reboot, so that a normal boot writes to no medium.
pub const DEFAULT_LOCK: &str = "/run/bootslot-migrate.lock";

/// How long one step may take.
pub const DEFAULT_STEP_LIMIT: Duration = Duration::from_secs(600);

/// The longest time that one step may be given: nothing starts while it runs.
const LONGEST_STEP: Duration = Duration::from_secs(86400);

/// The folders whose data have a version, and how they come to another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrate {
    /// The folders; none: nothing is migrated.
    pub data: Vec<PathBuf>,
    /// The file that holds the version of the data; `None`: beside the first folder.
    pub state: Option<PathBuf>,
    /// The file of the system that says which version it wants.
    pub system: PathBuf,
    /// The folder of its steps.
    pub steps: PathBuf,
    /// How long one step may take.
    pub step_limit: Duration,
    /// The lock file.
    pub lock: PathBuf,
}

impl Default for Migrate {
    fn default() -> Self {
        Migrate {
            data: Vec::new(),
            state: None,
            system: Path::new(DEFAULT_SYSTEM).into(),
            steps: Path::new(DEFAULT_STEPS).into(),
            step_limit: DEFAULT_STEP_LIMIT,
            lock: Path::new(DEFAULT_LOCK).into(),
        }
    }
}

impl Migrate {
    /// The file that holds the version of the data; `None` where nothing is migrated.
    pub fn state_file(&self) -> Option<PathBuf> {
        let beside_first = || {
            let first = self.data.first()?;
            let mut name = first.file_name()?.to_os_string();
            name.push(".bootslot-state");
            Some(first.with_file_name(name))
        };
        self.state.clone().filter(|_| !self.data.is_empty()).or_else(beside_first)
    }
}

/// Why this can't be the path of a folder with data, or below one.
pub fn wrong_path(path: &Path) -> Option<&'static str> {
    let plain = |part| matches!(part, Component::RootDir | Component::Normal(_));
    let text = path.to_str().filter(|text| !text.chars().any(char::is_control));
    match text {
        None => Some("a path here is UTF-8 without control characters"),
        Some(_) if !path.is_absolute() => Some("a path here begins with /"),
        Some(_) if !path.components().all(plain) => Some("a path here has no .."),
        Some(_) if path.file_name().is_none() => Some("this is no folder that can be given another name"),
        Some(_) => None,
    }
}

/// The section as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Section {
    data: Vec<Spanned<PathBuf>>,
    state: Option<Spanned<PathBuf>>,
    system: Option<Spanned<PathBuf>>,
    steps: Option<Spanned<PathBuf>>,
    step_limit: Option<Spanned<String>>,
    lock: Option<Spanned<PathBuf>>,
}

impl Section {
    pub(super) fn check(self) -> Result<Migrate, Wrong> {
        let mut migrate = Migrate::default();
        for folder in self.data {
            if let Some(reason) = wrong_path(folder.get_ref()) {
                return Err(wrong(&folder, reason.into()));
            }
            // In one form, without a slash at its end.
            let plain: PathBuf = folder.get_ref().components().collect();
            let meets = |other: &&PathBuf| other.starts_with(&plain) || plain.starts_with(other);
            if let Some(other) = migrate.data.iter().find(meets) {
                return Err(wrong(
                    &folder,
                    format!("this folder and {} are one or contain each other", other.display()),
                ));
            }
            migrate.data.push(plain);
        }
        if let Some(state) = self.state {
            if let Some(reason) = wrong_path(state.get_ref()) {
                return Err(wrong(&state, reason.into()));
            }
            if let Some(folder) = migrate.data.iter().find(|folder| state.get_ref().starts_with(folder)) {
                let reason = format!("it would be migrated with {}", folder.display());
                return Err(wrong(&state, reason));
            }
            migrate.state = Some(state.into_inner());
        }
        // A step's working directory is another one.
        let given = |wanted: Option<Spanned<PathBuf>>, default| match wanted {
            Some(relative) if !relative.get_ref().is_absolute() => {
                Err(wrong(&relative, "a path here begins with /".into()))
            }
            wanted => wanted.map_or(Ok(default), path),
        };
        migrate.system = given(self.system, migrate.system)?;
        migrate.steps = given(self.steps, migrate.steps)?;
        migrate.lock = given(self.lock, migrate.lock)?;
        if let Some(limit) = self.step_limit {
            let (at, time) = (limit.span().start, duration(limit)?);
            if time.is_zero() || time > LONGEST_STEP {
                return Err((at, "a step may take 1s to 1d".into()));
            }
            migrate.step_limit = time;
        }
        Ok(migrate)
    }
}
