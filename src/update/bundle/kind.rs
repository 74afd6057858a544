//! Pure: the kinds of payloads, and which keys of the manifest belong to which.
//!
//! ```toml
//! bundle = 2
//!
//! [[payload]]
//! kind = "bootloader"
//! part = "bootloader"
//! script = 2
//! size = 1048576
//! ...
//! ```
//!
//! A boot loader has the version of its bundle, in which nothing else is.

use serde::Deserialize;

use super::application::Application;

/// What the manifest says of a boot loader, beside its image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BootLoader {
    /// The version of bootslot's boot script that it brings; `None`: it brings none.
    pub script: Option<u32>,
}

/// The kinds of payloads, as the manifest has them.
#[derive(Deserialize, Clone, Copy, Default, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
    #[default]
    Image,
    App,
    Bootloader,
}

/// The keys that not every kind of payload has, in the table of the payload.
pub(super) struct Keys {
    pub kind: Kind,
    pub version: Option<String>,
    pub system: Option<String>,
    pub floor: Option<String>,
    pub script: Option<u32>,
}

impl Keys {
    /// What they say, of one kind or the other.
    ///
    /// Errors: what is missing or too much, as a phrase.
    pub fn about(self, part: &str) -> Result<(Option<Application>, Option<BootLoader>), String> {
        let Keys { kind, version, system, floor, script } = self;
        if script.is_some() && kind != Kind::Bootloader {
            return Err(format!("{part} is no boot loader, and has a key of one"));
        }
        let of_app = system.is_some() || floor.is_some() || version.is_some();
        match (kind, version) {
            (Kind::App, Some(version)) => Ok((Some(Application { version, system, floor }), None)),
            (Kind::App, None) => Err(format!("the application {part} has no version")),
            (Kind::Image, _) if !of_app => Ok((None, None)),
            (Kind::Bootloader, _) if !of_app => Ok((None, Some(BootLoader { script }))),
            (Kind::Image | Kind::Bootloader, _) => {
                Err(format!("{part} is no application, and has a key of one"))
            }
        }
    }
}
