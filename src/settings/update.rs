//! The section `[update]` of the settings: what bundles are installed.

use std::path::PathBuf;

use serde::Deserialize;
use toml::Spanned;

use super::duration::duration;
use super::wrong::{path, Wrong};
use super::{CertificateTime, Purpose, Refuse, Update};

/// The section as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Section {
    compatible: Option<String>,
    revision: Option<String>,
    keys: Option<Spanned<PathBuf>>,
    floor: Option<Spanned<PathBuf>>,
    certificate_purpose: Option<PurposeName>,
    certificate_time: Option<TimeName>,
    prevent_late_fallback: Option<bool>,
    refuse_failed: Option<RefuseName>,
    retries: Option<u32>,
    retry_after: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum PurposeName {
    CodeSigning,
    Email,
    Any,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum TimeName {
    Clock,
    Ignored,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum RefuseName {
    Update,
    Version,
}

impl Section {
    /// What it says, over the defaults.
    pub fn update(self) -> Result<Update, Wrong> {
        let mut update = Update { compatible: self.compatible, revision: self.revision, ..Update::default() };
        if let Some(keys) = self.keys {
            update.keys = path(keys)?;
        }
        update.floor = self.floor.map(path).transpose()?;
        update.certificates.purpose = match self.certificate_purpose {
            Some(PurposeName::Email) => Purpose::Email,
            Some(PurposeName::Any) => Purpose::Any,
            Some(PurposeName::CodeSigning) | None => Purpose::CodeSigning,
        };
        update.certificates.time = match self.certificate_time {
            Some(TimeName::Ignored) => CertificateTime::Ignored,
            Some(TimeName::Clock) | None => CertificateTime::Clock,
        };
        update.prevent_late_fallback = self.prevent_late_fallback.unwrap_or_default();
        update.refuse = match self.refuse_failed {
            Some(RefuseName::Version) => Refuse::Version,
            Some(RefuseName::Update) | None => Refuse::Update,
        };
        update.retries = self.retries.unwrap_or(update.retries);
        if let Some(after) = self.retry_after {
            update.retry_after = duration(after)?.as_secs();
        }
        Ok(update)
    }
}
