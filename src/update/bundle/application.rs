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

use crate::floor::{is_floor, LONGEST};
use crate::version::compare;

/// The format of a bundle that has applications or a boot loader, or that says which applications its system needs.
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

fn is_version(what: &str, word: &str) -> Result<(), String> {
    match is_floor(word) {
        true => Ok(()),
        false => Err(format!("{what} {word:?} is not 1 to {LONGEST} of [A-Za-z0-9._~^+-]")),
    }
}

impl Application {
    /// Errors: what can't be said of the application of this name, as a phrase.
    pub(super) fn check(&self, part: &str) -> Result<(), String> {
        let Application { version, system, floor } = self;
        is_version("the version", version)?;
        // It becomes the name of a folder.
        if version.starts_with('.') {
            return Err(format!("the version of {part} begins with a dot"));
        }
        system.iter().try_for_each(|system| is_version("the version of the system", system))?;
        floor.iter().try_for_each(|floor| is_version("the floor", floor))?;
        match floor.as_ref().is_some_and(|floor| compare(floor, version) == Ordering::Greater) {
            true => Err(format!("the floor of {part} is above its version: it could not be installed again")),
            false => Ok(()),
        }
    }
}

impl Need {
    /// Errors: what can't be needed, as a phrase.
    pub(super) fn check(&self, is_name: impl Fn(&str) -> bool) -> Result<(), String> {
        match is_name(&self.app) {
            true => is_version("the version", &self.version),
            false => Err(format!("{:?} is no application: 1 to 32 characters of [A-Za-z0-9_-]", self.app)),
        }
    }
}
