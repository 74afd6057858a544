//! The section `[report]` of the settings: who hears what became of an update.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use super::wrong::{path, wrong, Wrong};

/// Where the executables are that get each message of a report.
pub const DEFAULT_HOOKS: &str = "/etc/bootslot/report.d";

/// Who hears what became of an update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The address that gets a POST with each message; `None`: none.
    pub url: Option<String>,
    /// A file of headers that go with it, such as `Authorization: Bearer ...`, one in a line.
    pub headers: Option<PathBuf>,
    /// A PEM file with the certificates of those who may vouch for the server; `None`: the system's.
    pub ca: Option<PathBuf>,
    /// The certificate of the device and its key, two PEM files.
    pub client: Option<(PathBuf, PathBuf)>,
    /// The folder of executables that get each message.
    pub hooks: PathBuf,
}

impl Default for Report {
    fn default() -> Self {
        Report { url: None, headers: None, ca: None, client: None, hooks: Path::new(DEFAULT_HOOKS).into() }
    }
}

/// The section as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Section {
    url: Option<Spanned<String>>,
    headers: Option<Spanned<PathBuf>>,
    ca: Option<Spanned<PathBuf>>,
    certificate: Option<Spanned<PathBuf>>,
    key: Option<Spanned<PathBuf>>,
    hooks: Option<Spanned<PathBuf>>,
}

impl Section {
    /// What it says, over the defaults.
    pub fn report(self) -> Result<Report, Wrong> {
        let mut report = Report::default();
        if let Some(url) = self.url {
            if !["http://", "https://"].iter().any(|scheme| url.get_ref().starts_with(scheme)) {
                return Err(wrong(&url, "an address begins with http:// or https://".into()));
            }
            report.url = Some(url.into_inner());
        }
        report.headers = self.headers.map(path).transpose()?;
        report.ca = self.ca.map(path).transpose()?;
        report.client = match (self.certificate, self.key) {
            (Some(certificate), Some(key)) => Some((path(certificate)?, path(key)?)),
            (Some(alone), None) => return Err(wrong(&alone, "a certificate needs its `key`".into())),
            (None, Some(alone)) => return Err(wrong(&alone, "a key needs its `certificate`".into())),
            (None, None) => None,
        };
        if let Some(hooks) = self.hooks {
            report.hooks = path(hooks)?;
        }
        Ok(report)
    }
}
