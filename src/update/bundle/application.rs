//! Pure: what a manifest says of applications: those that are in the bundle, and those that its system needs.
//!
//! ```toml
//! bundle = 2
//!
//! [[needs]]
//! app = "modem"
//! version = "3.0"
//!
//! [[payload]]
//! kind = "app"
//! part = "gateway"
//! version = "1.5.0"
//! system = "2.3.0"
//! floor = "1.4.0"
//! size = 1048576
//! ...
//! ```
//!
//! The image of an application is an archive (tar). A bundle without applications has the format 1, so that older programs
//! install it; others have the format 2, which those refuse.

use std::cmp::Ordering;

use serde::Deserialize;

use super::manifest::{is_part, Manifest, Payload};
use crate::floor::is_floor;
use crate::version::compare;

/// The format of a bundle that has applications, or that says which ones its system needs.
pub const FORMAT_APPS: u32 = 2;

/// What the manifest says of an application, beside its image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Application {
    /// Its version.
    pub version: String,
    /// The lowest version of the system that it runs on; `None`: any.
    pub system: Option<String>,
    /// Once it is confirmed, no version of it below this is installed.
    pub floor: Option<String>,
}

/// An application that a system needs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Need {
    /// Its name.
    pub app: String,
    /// Its lowest version.
    pub version: String,
}

/// The kinds of payloads, as the manifest has them.
#[derive(Deserialize, Clone, Copy, Default, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
    #[default]
    Image,
    App,
}

/// The keys of an application, in the table of its payload.
pub(super) struct Keys {
    pub kind: Kind,
    pub version: Option<String>,
    pub system: Option<String>,
    pub floor: Option<String>,
}

impl Keys {
    /// Errors: what is missing or too much, as a phrase.
    pub fn application(self, part: &str) -> Result<Option<Application>, String> {
        let Keys { kind, version, system, floor } = self;
        match (kind, version) {
            (Kind::App, Some(version)) => Ok(Some(Application { version, system, floor })),
            (Kind::App, None) => Err(format!("the application {part} has no version")),
            (Kind::Image, None) if system.is_none() && floor.is_none() => Ok(None),
            (Kind::Image, _) => Err(format!("{part} is no application, and has a key of one")),
        }
    }
}

/// The format that a manifest of this content has.
pub(super) fn format(manifest: &Manifest, plain: u32) -> u32 {
    let has_apps = manifest.payloads.iter().any(|payload| payload.app.is_some());
    if has_apps || !manifest.needs.is_empty() {
        FORMAT_APPS
    } else {
        plain
    }
}

/// Errors: what can't be in a manifest, as a phrase.
pub(super) fn check(manifest: &Manifest) -> Result<(), String> {
    let words = |what: &str, word: &str| match is_floor(word) {
        true => Ok(()),
        false => Err(format!("{what} {word:?} is not 1 to {} of [A-Za-z0-9._~^+-]", crate::floor::LONGEST)),
    };
    let mut is_app = false;
    for payload in &manifest.payloads {
        let Payload { part, app, .. } = payload;
        match app {
            None if is_app => return Err(format!("the image of {part} is behind an application")),
            None => continue,
            Some(_) => is_app = true,
        }
        let Some(Application { version, system, floor }) = app else { continue };
        words("the version", version)?;
        // It becomes the name of a folder.
        if version.starts_with('.') {
            return Err(format!("the version of {part} begins with a dot"));
        }
        system.iter().try_for_each(|system| words("the version of the system", system))?;
        floor.iter().try_for_each(|floor| words("the floor", floor))?;
        if floor.as_ref().is_some_and(|floor| compare(floor, version) == Ordering::Greater) {
            return Err(format!("the floor of {part} is above its version: it could not be installed again"));
        }
        if payload.against.is_some() {
            return Err(format!("{part} is an application, and there are no patches of these"));
        }
    }
    for Need { app, version } in &manifest.needs {
        if !is_part(app) {
            return Err(format!("{app:?} is no application: 1 to 32 characters of [A-Za-z0-9_-]"));
        }
        words("the version", version)?;
    }
    let apps = manifest.payloads.iter().filter(|payload| payload.app.is_some()).count();
    if apps == manifest.payloads.len() {
        // They would have no outcome in common.
        if apps > 1 {
            return Err("several applications without a system: make a bundle of each".into());
        }
        if manifest.floor.is_some() || !manifest.needs.is_empty() {
            return Err("a floor or a need is that of a system, and there is none in it".into());
        }
    }
    Ok(())
}
