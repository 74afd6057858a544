//! What the tools have to know about a board: its slots, and where its boot state lies.
//!
//! The defaults fit an A/B device with `/etc/fw_env.config`, and need no file; with the feature `settings`
//! a file is read.

#[cfg(feature = "settings")]
mod counter;
#[cfg(feature = "settings")]
mod file;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::bootcount::Source;
use crate::slot::dialect::Dialect;
use crate::slot::{Board, Name};

/// Where the file of settings is.
pub const DEFAULT_SETTINGS: &str = "/etc/bootslot/bootslot.toml";

/// Everything that the tools have to know about a board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// What U-Boot has compiled in.
    pub board: Board,
    /// How the boot state is written as variables.
    pub dialect: Dialect,
    /// The device or file that each slot's system is on, of the slots for which it is known.
    pub devices: BTreeMap<Name, PathBuf>,
    /// The configuration of the environment; `None`: see
    /// [`find_environment`](crate::config::find_environment).
    pub env_config: Option<PathBuf>,
    /// Which environment of it; `None`: see [`find_environment`](crate::config::find_environment).
    pub env_namespace: Option<String>,
    /// Where U-Boot's boot counter is; `None`: see [`bootcount::find`](crate::bootcount::find).
    pub bootcount: Option<Source>,
    /// The slot that runs, where the caller knows it; `None`: by `bootslot.slot=` in `cmdline`.
    pub running: Option<Name>,
    /// The kernel's command line.
    pub cmdline: PathBuf,
}

impl Settings {
    /// Means the environment that is given instead of the settings' own. A namespace belongs to the
    /// configuration that it is in: another configuration does not keep it.
    pub fn choose_environment(&mut self, config: Option<PathBuf>, namespace: Option<String>) {
        if config.is_some() {
            self.env_config = config;
            self.env_namespace = None;
        }
        if namespace.is_some() {
            self.env_namespace = namespace;
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            board: Board::default(),
            dialect: Dialect::default(),
            devices: BTreeMap::new(),
            env_config: None,
            env_namespace: None,
            bootcount: None,
            running: None,
            cmdline: Path::new("/proc/cmdline").into(),
        }
    }
}
