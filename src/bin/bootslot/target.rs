//! Which environment a command means, and what it starts from where none is valid.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use bootslot::config::{find_environment, EnvConfig};
use bootslot::env::text::{parse_script, Change};
use bootslot::env::Environment;
use bootslot::store::{LockPath, Store, StoreOptions, Transaction};
use bootslot::{Error, Result};

use crate::outcome::{at_line, read_input, Failure, Outcome};

/// An environment, as the options name it.
#[derive(Debug, Default)]
pub struct Target {
    /// `--config`
    pub config: Option<PathBuf>,
    /// `--namespace`
    pub namespace: Option<OsString>,
    /// `--lock`: the directory of the lock file.
    pub lock: Option<PathBuf>,
}

impl Target {
    /// The configuration of the environment.
    pub fn environment(&self) -> Result<EnvConfig> {
        let namespace = self.namespace.as_ref().map(|name| name.to_string_lossy());
        find_environment(self.config.as_deref(), namespace.as_deref())
    }

    /// Opens it.
    pub fn open(&self) -> Result<Store> {
        let lock = self.lock.clone().map(LockPath::Directory);
        Store::open(&self.environment()?, &StoreOptions { lock, ..StoreOptions::default() })
    }
}

/// What a change starts from where no copy is valid.
#[derive(Debug, Default)]
pub struct Base {
    /// `--init`: an empty environment.
    pub init: bool,
    /// `--defenv`: these variables.
    pub defaults: Option<PathBuf>,
}

impl Base {
    /// Whether the command line allows to start a new environment.
    pub fn is_given(&self) -> bool {
        self.init || self.defaults.is_some()
    }

    /// Begins a change. The file of defaults is read only if it is needed.
    pub fn begin<'a>(&self, store: &'a mut Store) -> Outcome<Transaction<'a>> {
        let default = match &self.defaults {
            Some(path) if matches!(store.load(), Err(Error::NoValidCopy { .. })) => {
                Some(read_defaults(path)?)
            }
            _ => self.init.then(Environment::default),
        };
        Ok(match default {
            Some(default) => store.begin_or_init(default)?,
            None => store.begin()?,
        })
    }
}

/// A default environment in a file (U-Boot's `u-boot-initial-env`): the form of a script.
pub fn read_defaults(path: &Path) -> Outcome<Environment> {
    let text = read_input(path)?;
    let mut environment = Environment::default();
    for change in parse_script(&text, path)? {
        if let Some(value) = &change.value {
            environment.set(change.name, value).map_err(at_line(path, change.line))?;
        }
    }
    Ok(environment)
}

/// Makes the changes of a script in a transaction; an error names the line.
pub fn apply(changes: &[Change<'_>], path: &Path, transaction: &mut Transaction<'_>) -> Result<(), Failure> {
    for change in changes {
        let changed = match &change.value {
            Some(value) => transaction.set(change.name, value),
            None => transaction.unset(change.name),
        };
        changed.map_err(at_line(path, change.line))?;
    }
    Ok(())
}
