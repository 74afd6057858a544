//! `/etc/bootslot/bootslot.toml`: the settings as a file. `docs/slots.md` describes it.
//!
//! Whatever is wrong in it is an error with line and column. A key that is not known is wrong: a misspelt
//! one would otherwise mean a default that nobody chose.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use super::counter::Bootcount;
use super::{Settings, DEFAULT_SETTINGS};
use crate::error::{Error, Place, Result};
use crate::slot::dialect::Dialect;
use crate::slot::{Name, MAX_TRIES};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    tries: Option<Spanned<i64>>,
    dialect: Option<Spanned<String>>,
    hardened: Option<bool>,
    slot: Option<Spanned<Vec<Slot>>>,
    environment: Option<Environment>,
    bootcount: Option<Bootcount>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Slot {
    name: Spanned<String>,
    device: Option<Spanned<PathBuf>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Environment {
    config: Option<Spanned<PathBuf>>,
    namespace: Option<String>,
}

impl Settings {
    /// The settings in this file; with `None` those in [`DEFAULT_SETTINGS`], and where that does not
    /// exist, the defaults.
    ///
    /// # Errors
    ///
    /// Those of [`Settings::load`].
    pub fn find(path: Option<&Path>) -> Result<Settings> {
        match (path, Settings::load(path.unwrap_or(DEFAULT_SETTINGS.as_ref()))) {
            (None, Err(Error::Io { source, .. })) if source.kind() == ErrorKind::NotFound => {
                Ok(Settings::default())
            }
            (_, settings) => settings,
        }
    }

    /// Reads a file of settings.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if it can't be read, and those of [`Settings::parse`].
    pub fn load(path: impl AsRef<Path>) -> Result<Settings> {
        let path = path.as_ref();
        let text = fs::read(path).map_err(|error| Place::new(path, "reading the settings").io(error))?;
        Settings::parse(path, &text)
    }

    /// Reads settings; `path` is for the messages only.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] with the line and column of what is wrong.
    pub fn parse(path: impl AsRef<Path>, text: &[u8]) -> Result<Settings> {
        let path = path.as_ref();
        let fail = |at: usize, message: String| Error::in_config(path, text, at, message);
        let text =
            std::str::from_utf8(text).map_err(|error| fail(error.valid_up_to(), "expected UTF-8".into()))?;
        let file: File = toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(text.len(), |span| span.start);
            fail(at, error.message().to_owned())
        })?;
        file.check().map_err(|(at, message)| fail(at, message))
    }
}

/// What is wrong, and the byte at which it is.
pub(super) type Wrong = (usize, String);

impl File {
    fn check(self) -> Result<Settings, Wrong> {
        let mut settings = Settings::default();
        if let Some(tries) = self.tries {
            settings.board.tries = u8::try_from(*tries.get_ref())
                .ok()
                .filter(|tries| (1..=MAX_TRIES).contains(tries))
                .ok_or_else(|| wrong(&tries, format!("tries are 1 to {MAX_TRIES}")))?;
        }
        if let Some(dialect) = self.dialect {
            settings.dialect = Dialect::named(dialect.get_ref()).ok_or_else(|| {
                let known: Vec<&str> = Dialect::ALL.into_iter().map(Dialect::name).collect();
                let message =
                    format!("there is no dialect {:?}; known: {}", dialect.get_ref(), known.join(", "));
                wrong(&dialect, message)
            })?;
        }
        settings.board.hardened = self.hardened.unwrap_or_default();
        if let Some(slots) = self.slot {
            if slots.get_ref().is_empty() {
                return Err(wrong(&slots, "a board has at least one slot".into()));
            }
            settings.board.slots.clear();
            for slot in slots.into_inner() {
                add(&mut settings, &slot)?;
            }
        }
        if let Some(environment) = self.environment {
            settings.env_config = environment.config.map(path).transpose()?;
            settings.env_namespace = environment.namespace;
        }
        settings.bootcount = self.bootcount.map(Bootcount::source).transpose()?;
        Ok(settings)
    }
}

fn add(settings: &mut Settings, slot: &Slot) -> Result<(), Wrong> {
    let text = slot.name.get_ref();
    let name = Name::new(text).ok_or_else(|| {
        let rule = "1 to 16 characters of [A-Za-z0-9_]";
        wrong(&slot.name, format!("{text:?} can't be the name of a slot: {rule}"))
    })?;
    if settings.board.slots.contains(&name) {
        return Err(wrong(&slot.name, format!("slot {name} is given twice")));
    }
    if let Some(device) = slot.device.clone() {
        let at = device.span().start;
        let device = path(device)?;
        if let Some((other, _)) = settings.devices.iter().find(|(_, taken)| **taken == device) {
            return Err((at, format!("{} is the device of slot {other} already", device.display())));
        }
        settings.devices.insert(name.clone(), device);
    }
    settings.board.slots.push(name);
    Ok(())
}

pub(super) fn path(path: Spanned<PathBuf>) -> Result<PathBuf, Wrong> {
    if path.get_ref().as_os_str().is_empty() {
        return Err(wrong(&path, "the path is empty".into()));
    }
    Ok(path.into_inner())
}

pub(super) fn wrong<T>(place: &Spanned<T>, message: String) -> Wrong {
    (place.span().start, message)
}
