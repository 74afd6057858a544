//! Which environment a command means, and what it starts from where none is valid.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use bootslot::config::{find_environment, EnvConfig};
use bootslot::env::redundancy::Why;
use bootslot::env::text::{parse_defaults, Change};
use bootslot::env::Environment;
use bootslot::store::{Commit, LockPath, Store, StoreOptions, Transaction};
use bootslot::{Error, Result};

use crate::outcome::{at_line, complain, read_input, Failure, Outcome};

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
        self.open_for(&Base::default())
    }

    /// Opens it for a change that may start from `base`.
    pub fn open_for(&self, base: &Base) -> Result<Store> {
        self.open_under(self.lock.clone().map(LockPath::Directory), base)
    }

    /// The same for a change that is only looked at.
    #[cfg(feature = "cli")]
    pub fn open_unlocked(&self, base: &Base) -> Result<Store> {
        self.open_under(Some(LockPath::None), base)
    }

    fn open_under(&self, lock: Option<LockPath>, base: &Base) -> Result<Store> {
        let options = StoreOptions { lock, init_unreadable: base.init_unreadable, ..StoreOptions::default() };
        Store::open(&self.environment()?, &options)
    }
}

/// What a change starts from where no copy is valid.
#[derive(Debug, Default)]
pub struct Base {
    /// `--init`: an empty environment.
    pub init: bool,
    /// `--defenv`: these variables.
    pub defaults: Option<PathBuf>,
    /// `--init-unreadable`: also where a copy can't be read, which may be a valid one.
    pub init_unreadable: bool,
    /// `--force`: also over a copy that is valid in another size or kind than the configured ones.
    #[cfg(feature = "cli")]
    pub force: bool,
}

impl Base {
    /// Whether the command line allows to start a new environment.
    pub fn is_given(&self) -> bool {
        self.init || self.init_unreadable || self.defaults.is_some()
    }

    /// Begins a change. The file of defaults is read only if it is needed.
    pub fn begin<'a>(&self, store: &'a mut Store) -> Outcome<Transaction<'a>> {
        let none_valid = self.is_given() && matches!(store.load(), Err(Error::NoValidCopy { .. }));
        #[cfg(feature = "cli")]
        if none_valid && !self.force {
            // Most often the configuration is wrong then, and the environment in use would be lost. The search is as
            // large as a tenth of the smallest program, so it comes with `bootslot env find` alone.
            if let Some(other) = store.other_reading() {
                return Err(Failure::Taken(other));
            }
        }
        let default = match &self.defaults {
            Some(path) if none_valid => Some(read_defaults(path)?),
            _ => (self.init || self.init_unreadable).then(Environment::default),
        };
        Ok(match default {
            Some(default) => store.begin_or_init(default)?,
            None => store.begin()?,
        })
    }
}

/// A copy that can't be read is worth a word even if the other one will do: it may be the newer one.
pub fn warn_if_unreadable(program: &str, copy: Option<usize>) {
    if let Some(copy) = copy {
        let other = 1 - copy;
        complain(
            program,
            format_args!("copy {copy} can't be read, this is copy {other} (see bootslot env check)"),
        );
    }
}

/// A configuration with which nothing can be stored is worth a word also where printing works.
pub fn warn_if_read_only(program: &str, store: &Store) {
    if let Err(error) = store.storable() {
        complain(program, format_args!("this can be read, but not stored: {error}"));
    }
}

/// A reader that finds a single copy where there should be two tells so: U-Boot may not find it.
pub fn warn_if_single(program: &str, why: Why) {
    if why == Why::SingleCopy {
        complain(program, format_args!("{why}; not every U-Boot takes it (see bootslot env check)"));
    }
}

/// What has just been stored in the only place there is deserves a word, too, and what the configuration says in vain.
pub fn warn_if_in_danger(program: &str, commit: &Commit, store: &Store) {
    if matches!(commit, Commit::Unchanged) {
        return;
    }
    for (path, remark) in store.remarks() {
        complain(program, format_args!("{}: {remark}", path.display()));
    }
    if !store.is_power_cut_safe() {
        complain(
            program,
            format_args!("stored in place and without a second copy: not safe against power cuts"),
        );
    }
}

/// A default environment in a file (U-Boot's `u-boot-initial-env`): the form of a script.
pub fn read_defaults(path: &Path) -> Outcome<Environment> {
    Ok(parse_defaults(&read_input(path)?, path)?)
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
