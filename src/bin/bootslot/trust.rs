//! Whose signatures count: the keys, and what certificates have to be.

use std::path::PathBuf;

use bootslot::settings::Update;
#[cfg(feature = "cms")]
use bootslot::settings::{CertificateTime, Purpose};
use bootslot::update::bundle::signature::Keyring;
use clap::Args;

use crate::outcome::Outcome;

/// The options of whatever verifies.
#[derive(Args)]
pub struct Trust {
    /// The folder of the keys that are trusted [default: of `install` the settings', else /etc/bootslot/keys]
    #[arg(long, value_name = "DIR")]
    keys: Option<PathBuf>,

    /// What the signer's certificate was issued for [default: of `install` the settings', else
    /// code-signing]
    #[cfg(feature = "cms")]
    #[arg(long, value_name = "code-signing|email|any", value_parser = purpose)]
    certificate_purpose: Option<Purpose>,

    /// When certificates have to be valid, in seconds since 1970 or `ignored` [default: of `install` the
    /// settings', else now]
    #[cfg(feature = "cms")]
    #[arg(long, value_name = "clock|ignored|SECONDS", value_parser = time)]
    certificate_time: Option<CertificateTime>,
}

impl Trust {
    /// The keys, of these files only where there are some.
    pub fn keyring(&self, settings: &Update, only: &[PathBuf]) -> Outcome<Keyring> {
        let mut keys = match only {
            [] => Keyring::load(self.keys.as_ref().unwrap_or(&settings.keys))?,
            _ => Keyring::default(),
        };
        for file in only {
            keys.trust(file)?;
        }
        #[allow(unused_mut)]
        let mut certificates = settings.certificates;
        #[cfg(feature = "cms")]
        {
            certificates.purpose = self.certificate_purpose.unwrap_or(certificates.purpose);
            certificates.time = self.certificate_time.unwrap_or(certificates.time);
        }
        Ok(keys.with_certificates(certificates))
    }
}

#[cfg(feature = "cms")]
fn purpose(text: &str) -> Result<Purpose, String> {
    match text {
        "code-signing" => Ok(Purpose::CodeSigning),
        "email" => Ok(Purpose::Email),
        "any" => Ok(Purpose::Any),
        _ => Err("code-signing, email or any".into()),
    }
}

#[cfg(feature = "cms")]
fn time(text: &str) -> Result<CertificateTime, String> {
    match (text, text.parse()) {
        ("clock", _) => Ok(CertificateTime::Clock),
        ("ignored", _) => Ok(CertificateTime::Ignored),
        (_, Ok(seconds)) => Ok(CertificateTime::At(seconds)),
        _ => Err("clock, ignored, or seconds since 1970 (date -d 2027-01-31 +%s)".into()),
    }
}
