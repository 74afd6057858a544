//! Where the environment lies: the configuration of one or several environments, whatever its syntax.
//!
//! `legacy.rs` reads `fw_env.config`, `yaml.rs` libubootenv's YAML; both give a [`Config`] that has
//! passed `rules.rs`. `discover.rs` asks the running system which of several environments is meant.
//! Parsing touches no device. What needs the device (negative offsets, default sector sizes) is
//! settled when the storage is opened.

mod discover;
pub mod legacy;
mod number;
pub(crate) mod rules;
#[cfg(feature = "yaml")]
pub mod yaml;

pub use discover::{find_environment, namespace_from_device_tree, nvmem_environment, DEFAULT_CONFIG};

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::error::{Error, Place, Result};

/// A configuration file is a few hundred bytes; what is bigger than this is something else.
const LARGEST_FILE: u64 = 1 << 20;

/// A whole configuration file: one environment (legacy) or several named ones (YAML).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The file, for messages.
    pub path: PathBuf,
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

impl Config {
    /// Reads a configuration file.
    ///
    /// Errors: [`Error::Io`] if it can't be read, and those of [`Config::parse`].
    pub fn load(path: impl AsRef<Path>) -> Result<Config> {
        let path = path.as_ref();
        let fail = |error| Place::new(path, "reading the configuration").io(error);
        let mut text = Vec::with_capacity(4096);
        let file = File::open(path).map_err(fail)?;
        file.take(LARGEST_FILE + 1).read_to_end(&mut text).map_err(fail)?;
        if text.len() as u64 > LARGEST_FILE {
            return Err(Error::in_config(path, &[], 0, "more than 1 MiB: this is not a configuration"));
        }
        Config::parse(path, &text)
    }

    /// Reads a configuration in either format; `path` is for the messages only.
    ///
    /// The first line that is neither blank nor a comment tells the format: YAML starts with a key and
    /// its colon (`uboot:`), the legacy format with the path of a device.
    ///
    /// Errors: [`Error::Config`] with the line and column of what is wrong and what is expected there;
    /// [`Error::Unsupported`] for YAML in a build without the feature `yaml`.
    pub fn parse(path: impl AsRef<Path>, text: &[u8]) -> Result<Config> {
        let path = path.as_ref();
        // A byte order mark, as some editors leave it; the incumbents take it for a part of line 1.
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        if text.starts_with(b"\xff\xfe") || text.starts_with(b"\xfe\xff") {
            return Err(Error::in_config(path, text, 0, "this is UTF-16; expected ASCII or UTF-8"));
        }
        match sniff(text) {
            Format::Legacy => legacy::parse(path, text),
            #[cfg(feature = "yaml")]
            Format::Yaml => yaml::parse(path, text),
            #[cfg(not(feature = "yaml"))]
            Format::Yaml => Err(Error::Unsupported(format!(
                "{}: this is a YAML configuration, and this build reads the legacy format only (feature `yaml`)",
                path.display()
            ))),
        }
    }

    /// The environment of this namespace; with `None` the first one, as libubootenv chooses.
    ///
    /// Which namespace to ask for: the one that the user named; else, if the file
    /// [has namespaces](Config::has_namespaces), the one of [`namespace_from_device_tree`]; else none.
    ///
    /// Errors: [`Error::Namespace`], which lists the namespaces that there are.
    pub fn select(&self, namespace: Option<&str>) -> Result<&EnvConfig> {
        let wanted = |environment: &&EnvConfig| match namespace {
            None => true,
            Some(_) => environment.namespace.as_deref() == namespace,
        };
        self.environments.iter().find(wanted).ok_or_else(|| {
            let names: Vec<String> = self
                .environments
                .iter()
                .filter_map(|environment| environment.namespace.as_ref())
                .map(|name| format!("{name:?}"))
                .collect();
            let known = if names.is_empty() {
                "a file in the legacy format has none".to_owned()
            } else {
                format!("it has {}", names.join(", "))
            };
            Error::Namespace {
                path: self.path.clone(),
                name: namespace.unwrap_or_default().to_owned(),
                known,
            }
        })
    }

    /// Whether the environments have names: true for YAML, false for the legacy format, whose one
    /// environment is meant whatever the device tree says.
    pub fn has_namespaces(&self) -> bool {
        self.environments.iter().any(|environment| environment.namespace.is_some())
    }
}

enum Format {
    Legacy,
    Yaml,
}

/// The format that the author meant, also where the text is wrong in it: so that the message is about that one.
fn sniff(text: &[u8]) -> Format {
    lines(text).find_map(sniff_line).unwrap_or(Format::Legacy)
}

/// The lines of a text without their newlines.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(text);
    // memchr, because most of a configuration file is comments: a byte at a time, the example of
    // U-Boot's tools costs more than all the rest of reading it.
    std::iter::from_fn(move || {
        let text = rest.take()?;
        match memchr::memchr(b'\n', text).and_then(|end| Some((text.get(..end)?, text.get(end + 1..)?))) {
            Some((line, behind)) => {
                rest = Some(behind);
                Some(line)
            }
            None => Some(text),
        }
    })
}

/// What one line says about the format; `None` if it fits both.
fn sniff_line(line: &[u8]) -> Option<Format> {
    let line = line.trim_ascii();
    match line.first()? {
        b'#' => return None,
        b'/' | b'.' => return Some(Format::Legacy),
        // Quotes, brackets, anchors, directives: no device is called like that.
        b'"' | b'\'' | b'{' | b'[' | b'&' | b'*' | b'!' | b'%' | b'?' => return Some(Format::Yaml),
        _ => {}
    }
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let first = words.next()?;
    match words.next() {
        // `uboot:`, `---`, `- item`; the colon in `/dev/ubi0:env` has no blank after it.
        _ if first.ends_with(b":") || first == b"---" || first == b"-" => Some(Format::Yaml),
        // `uboot :`
        Some(second) if second.starts_with(b":") => Some(Format::Yaml),
        Some(second) if !second.starts_with(b"#") => Some(Format::Legacy),
        _ => None,
    }
}
