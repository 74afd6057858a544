//! Where the environment lies: the configuration of one or several environments, whatever its syntax.
//!
//! `legacy.rs` reads `fw_env.config`, `yaml.rs` libubootenv's YAML; both give a [`Config`].
//! Parsing touches no device. What needs the device (negative offsets, default sector sizes) is
//! settled when the storage is opened.

pub mod legacy;
#[cfg(feature = "yaml")]
pub mod yaml;

use std::path::PathBuf;

/// A whole configuration file: one environment (legacy) or several named ones (YAML).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The environments in the file's order; never empty.
    pub environments: Vec<EnvConfig>,
}

/// One environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvConfig {
    /// The namespace; `None` in the legacy format.
    pub namespace: Option<String>,
    /// One device for a single copy, two for a redundant environment.
    pub devices: Vec<Device>,
    /// The lock file that replaces the default ones (YAML `lockfile`).
    pub lockfile: Option<PathBuf>,
    /// `name:flags` entries (YAML `writelist`), joined by commas as in U-Boot's `.flags`.
    /// `None`: every variable may be written. `Some`: only those whose access is `w`.
    pub writelist: Option<String>,
}

/// Where one copy lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// File or device as written, e.g. `/dev/mtd1`, `/dev/mmcblk0boot0`, `/dev/ubi0:env`, `/dev/mtd0:env`.
    pub path: PathBuf,
    /// Bytes from the start of the file or device; negative: from the end of a block device.
    pub offset: i64,
    /// Bytes of the copy, header included (CONFIG_ENV_SIZE).
    pub size: u64,
    /// Bytes of an erase sector; 0: ask the device.
    pub sector_size: u64,
    /// Erase sectors that the copy may use; 0: as many as its size needs.
    pub sectors: u64,
    /// Do not unlock and lock the MTD sectors (legacy sixth column, YAML `disablelock`).
    pub disable_lock: bool,
}
