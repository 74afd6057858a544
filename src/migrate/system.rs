//! What a system ships: the version of the data that it works with, and the steps to it.
//!
//! ```toml
//! version = 3
//! initial = 1
//! room-mib = 64
//!
//! [[step]]
//! to = 2
//! name = "10-names"
//! rename = { from = "/data/app/config", to = "/data/app/app.conf" }
//!
//! [[step]]
//! to = 3
//! name = "10-defaults"
//! copy = { from = "/usr/share/app/tls.conf", to = "/data/app/tls.conf" }
//! ```
//!
//! Executables are in a folder beside it, as `VERSION-NAME`: `3-20-database`.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use super::decide::Wanted;
use super::state::{step_id, StepId};
use crate::error::{Error, Place, Result};
use crate::settings::{read_toml, wrong_path, Migrate};

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Runs this executable.
    Run(PathBuf),
    /// Copies a file or a folder over what is at its destination.
    Copy {
        /// What is copied.
        from: PathBuf,
        /// Where to: below a folder of the data.
        to: PathBuf,
        /// Whether nothing need be there.
        optional: bool,
    },
    /// Gives a file or a folder another name.
    Rename {
        /// Its name: below a folder of the data.
        from: PathBuf,
        /// The new name: below a folder of the data.
        to: PathBuf,
        /// Whether nothing need be there.
        optional: bool,
    },
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its version and its name.
    pub id: StepId,
    /// What it does.
    pub action: Action,
}

/// What the system ships.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct System {
    /// The version of the data that it works with. A system without the file has 0.
    pub version: u64,
    /// The version of data that nobody has counted.
    pub initial: Option<u64>,
    /// Bytes that the steps need beside the snapshot.
    pub room: u64,
    /// The steps, in order.
    pub steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    version: u64,
    initial: Option<Spanned<u64>>,
    room_mib: Option<u64>,
    #[serde(default)]
    step: Vec<Spanned<Declared>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Declared {
    to: u64,
    name: String,
    copy: Option<Pair>,
    rename: Option<Pair>,
    #[serde(default)]
    optional: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pair {
    from: PathBuf,
    to: PathBuf,
}

impl System {
    /// What the running system ships.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if it can't be read, [`Error::Config`] with line and column of what is wrong in the file, and
    /// [`Error::Device`] for something in the folder that is no step.
    pub fn load(settings: &Migrate) -> Result<System> {
        let path = &settings.system;
        let mut system = match fs::read(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => System::default(),
            Err(error) => return Err(Place::new(path, "reading what the system ships").io(error)),
            Ok(text) => System::parse(path, &text, &settings.data)?,
        };
        system.steps.extend(executables(&settings.steps)?);
        system.steps.sort_by(|one, other| one.id.cmp(&other.id));
        let twice = system.steps.windows(2).find_map(|pair| match pair {
            [one, other] if one.id == other.id => Some(one.id.clone()),
            _ => None,
        });
        match twice {
            Some(id) => Err(device(&settings.steps, format!("there are two steps {id}"))),
            None => Ok(system),
        }
    }

    /// Reads the file; `path` is for the messages. Declared steps stay below the folders `data`.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] with line and column.
    pub fn parse(path: &Path, text: &[u8], data: &[PathBuf]) -> Result<System> {
        let fail = |at: usize, message: String| Error::in_config(path, text, at, message);
        let file: File = read_toml(path, text)?;
        if let Some(initial) = file.initial.as_ref().filter(|initial| *initial.get_ref() > file.version) {
            return Err(fail(initial.span().start, "this is newer than `version`".into()));
        }
        let mut steps = Vec::new();
        for step in file.step {
            let at = step.span().start;
            steps.push(declared(step.into_inner(), file.version, data).map_err(|message| fail(at, message))?);
        }
        Ok(System {
            version: file.version,
            initial: file.initial.map(Spanned::into_inner),
            room: file.room_mib.unwrap_or_default().saturating_mul(1 << 20),
            steps,
        })
    }

    /// What the decision needs to know of it.
    pub fn wanted(&self) -> Wanted {
        let steps = self.steps.iter().map(|step| step.id.clone()).collect();
        Wanted { version: self.version, initial: self.initial, steps }
    }
}

fn declared(step: Declared, version: u64, data: &[PathBuf]) -> Result<Step, String> {
    let id = step_id(&format!("{}-{}", step.to, step.name))
        .ok_or("a step has a name of [A-Za-z0-9._-]".to_string())?;
    if !(1..=version).contains(&id.to) {
        return Err(format!("steps lead to the versions 1 to {version}"));
    }
    let plain =
        |path: &Path| wrong_path(path).map_or(Ok(()), |reason| Err(format!("{}: {reason}", path.display())));
    let below = |path: &Path| match data.iter().any(|folder| path != folder && path.starts_with(folder)) {
        true => plain(path),
        false => Err(format!("{} is not below a folder of the data", path.display())),
    };
    let optional = step.optional;
    let action = match (step.copy, step.rename) {
        (Some(Pair { from, to }), None) => {
            plain(&from)?;
            below(&to)?;
            if from.starts_with(&to) || to.starts_with(&from) {
                return Err("one of the two contains the other".into());
            }
            Action::Copy { from, to, optional }
        }
        (None, Some(Pair { from, to })) => {
            below(&from)?;
            below(&to)?;
            Action::Rename { from, to, optional }
        }
        _ => return Err("a step is one `copy` or one `rename`".into()),
    };
    Ok(Step { id, action })
}

/// The executables of the folder. Something else there is an error: a step that is passed over is not noticed before the
/// data are wrong.
fn executables(folder: &Path) -> Result<Vec<Step>> {
    let failed = |error| Place::new(folder, "reading the steps").io(error);
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut steps = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.starts_with('.') {
            continue;
        }
        let id = step_id(&name)
            .ok_or_else(|| device(&path, "a step is called VERSION-NAME, such as 3-users".into()))?;
        let meta = fs::metadata(&path).map_err(failed)?;
        if !meta.is_file() || meta.permissions().mode() & 0o111 == 0 {
            return Err(device(&path, "a step is an executable file".into()));
        }
        steps.push(Step { id, action: Action::Run(path) });
    }
    Ok(steps)
}

fn device(path: &Path, message: String) -> Error {
    Error::Device { path: path.into(), message }
}
