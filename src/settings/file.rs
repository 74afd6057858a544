//! `/etc/bootslot/bootslot.toml`: the settings as a file. `docs/slots.md` describes it.
//!
//! Whatever is wrong in it is an error with line and column. A key that is not known is wrong: a misspelt
//! one would otherwise mean a default that nobody chose.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

#[cfg(not(all(feature = "health", feature = "app", feature = "bootloader")))]
use serde::de::IgnoredAny;
use serde::Deserialize;
use toml::Spanned;

#[cfg(feature = "app")]
use super::app;
use super::counter::Bootcount;
use super::dialect::Keys;
#[cfg(feature = "health")]
use super::health_file::Health;
#[cfg(feature = "bootloader")]
use super::loader;
#[cfg(feature = "health")]
use super::migrate::Section as Migrate;
#[cfg(feature = "health")]
use super::report;
use super::wrong::{path, read_toml, wrong, Wrong};
use super::{update, Settings, DEFAULT_SETTINGS, ROOT_PART};
use crate::error::{Error, Place, Result};
use crate::slot::{Name, Script, MAX_TRIES};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    tries: Option<Spanned<i64>>,
    dialect: Option<Spanned<String>>,
    reader: Option<Spanned<String>>,
    #[serde(rename = "slot-variable")]
    slot_variable: Option<Spanned<String>>,
    hardened: Option<bool>,
    script: Option<Spanned<u32>>,
    slot: Option<Spanned<Vec<Slot>>>,
    environment: Option<Environment>,
    update: Option<update::Section>,
    state: Option<Spanned<PathBuf>>,
    #[cfg(feature = "health")]
    report: Option<report::Section>,
    #[cfg(feature = "health")]
    migrate: Option<Migrate>,
    #[cfg(feature = "health")]
    health: Option<Health>,
    // Of no meaning to a program that checks, migrates and reports nothing.
    #[cfg(not(feature = "health"))]
    #[serde(rename = "report")]
    _report: Option<IgnoredAny>,
    #[cfg(not(feature = "health"))]
    #[serde(rename = "migrate")]
    _migrate: Option<IgnoredAny>,
    #[cfg(not(feature = "health"))]
    #[serde(rename = "health")]
    _health: Option<IgnoredAny>,
    #[cfg(feature = "app")]
    app: Option<Vec<app::Section>>,
    #[cfg(not(feature = "app"))]
    #[serde(rename = "app")]
    _app: Option<IgnoredAny>,
    #[cfg(feature = "bootloader")]
    bootloader: Option<loader::Section>,
    #[cfg(not(feature = "bootloader"))]
    #[serde(rename = "bootloader")]
    _bootloader: Option<IgnoredAny>,
    bootcount: Option<Bootcount>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Slot {
    name: Spanned<String>,
    value: Option<Spanned<String>>,
    device: Option<Spanned<PathBuf>>,
    parts: Option<BTreeMap<Spanned<String>, Spanned<PathBuf>>>,
    role: Option<Spanned<Role>>,
}

#[derive(Deserialize, Clone, Copy, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum Role {
    Ordinary,
    LastResort,
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
            (None, Err(Error::Io { error, .. })) if error.kind() == ErrorKind::NotFound => {
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
        let file: File = read_toml(path, text)?;
        file.check().map_err(|(at, message)| Error::in_config(path, text, at, message))
    }
}

impl File {
    fn check(self) -> Result<Settings, Wrong> {
        let mut settings = Settings::default();
        if let Some(tries) = self.tries {
            settings.board.tries = u8::try_from(*tries.get_ref())
                .ok()
                .filter(|tries| (1..=MAX_TRIES).contains(tries))
                .ok_or_else(|| wrong(&tries, format!("tries are 1 to {MAX_TRIES}")))?;
        }
        settings.board.hardened = self.hardened.unwrap_or_default();
        if let Some(script) = self.script {
            let known = Script::numbered(*script.get_ref());
            settings.script = Some(known.ok_or_else(|| {
                wrong(&script, format!("versions of the boot script are 1 to {}", Script::default().number()))
            })?);
        }
        if let Some(slots) = self.slot {
            let at = slots.span().start;
            settings.slots_named = true;
            settings.board.slots.clear();
            for slot in slots.into_inner() {
                add(&mut settings, &slot)?;
            }
            if settings.board.slots.is_empty() {
                return Err((at, "a board has at least one slot that is updated".into()));
            }
        }
        let keys = Keys {
            dialect: self.dialect,
            reader: self.reader,
            slot_variable: self.slot_variable,
            hardened: settings.board.hardened,
        };
        keys.settings(&mut settings)?;
        if let Some(environment) = self.environment {
            settings.env_config = environment.config.map(path).transpose()?;
            settings.env_namespace = environment.namespace;
        }
        settings.state = self.state.map(path).transpose()?;
        if let Some(update) = self.update {
            settings.update = update.update()?;
        }
        #[cfg(feature = "health")]
        {
            if let Some(report) = self.report {
                settings.report = report.report()?;
            }
            settings.migrate = self.migrate.map(Migrate::check).transpose()?.unwrap_or_default();
            if let Some(state) = &settings.state {
                settings.health.baseline = state.join("baseline");
            }
            if let Some(health) = self.health {
                settings.health = health.settings(settings.health)?;
            }
        }
        #[cfg(feature = "app")]
        {
            settings.apps = app::apps(self.app.unwrap_or_default())?;
        }
        #[cfg(feature = "bootloader")]
        {
            let taken = settings.devices.values().chain(settings.parts.values());
            settings.loader = self.bootloader.map(|section| section.loader(taken)).transpose()?;
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
    let last = &settings.board.last_resort;
    if settings.board.slots.contains(&name) || last.as_ref() == Some(&name) {
        return Err(wrong(&slot.name, format!("slot {name} is given twice")));
    }
    if let Some(value) = &slot.value {
        if value.get_ref().is_empty() {
            return Err(wrong(value, "the value is empty".into()));
        }
        settings.board.values.insert(name.clone(), value.get_ref().clone());
    }
    if let Some(device) = slot.device.clone() {
        let device = not_taken(settings, device)?;
        settings.devices.insert(name.clone(), device);
    }
    for (part, device) in slot.parts.iter().flatten() {
        let device = not_taken(settings, device.clone())?;
        if settings.part(&name, part.get_ref()).is_some() {
            return Err(wrong(part, format!("`device` is the part {ROOT_PART:?} already")));
        }
        settings.parts.insert((name.clone(), part.get_ref().clone()), device);
    }
    match slot.role.as_ref().filter(|role| *role.get_ref() == Role::LastResort) {
        None => settings.board.slots.push(name),
        Some(role) => match &settings.board.last_resort {
            Some(other) => return Err(wrong(role, format!("slot {other} is the last resort already"))),
            None => settings.board.last_resort = Some(name),
        },
    }
    Ok(())
}

/// A device that no other slot or part has.
fn not_taken(settings: &Settings, device: Spanned<PathBuf>) -> Result<PathBuf, Wrong> {
    let at = device.span().start;
    let device = path(device)?;
    let mut taken =
        settings.devices.iter().chain(settings.parts.iter().map(|((slot, _), taken)| (slot, taken)));
    match taken.find(|(_, taken)| **taken == device) {
        Some((other, _)) => Err((at, format!("{} is the device of slot {other} already", device.display()))),
        None => Ok(device),
    }
}
