//! The boot state of a device, written in another dialect: one store, or none that is only shown.

use super::order::{Desk, Done};
use super::{boot_code, records, Device};
use crate::env::Environment;
use crate::error::{Error, Result};
use crate::journal::Event;
use crate::settings::Settings;
use crate::slot::dialect::{convert, is_converted, Conversion, Dialect};
use crate::slot::{Board, State};

impl Device {
    /// What [`convert`](Device::convert) would store. Nothing is written.
    ///
    /// # Errors
    ///
    /// Those of [`convert`](Device::convert).
    pub fn check_convert(&mut self, to: Dialect, keep: bool) -> Result<Conversion> {
        let mut variables = self.store.load()?.environment();
        let (_, conversion) = conversion(&self.desk, &variables, to, keep)?;
        self.store.rehearse(&mut variables, &conversion.changes)?;
        Ok(conversion)
    }

    /// Writes the boot state in another dialect, in one store. With `keep`, the variables of the old one stay: the old boot
    /// code and the new one boot the same slot then, until something is ordered. To the dialect of the settings: what
    /// another conversion has kept is deleted. The settings are the caller's to change.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] unless the slot that runs is the active one and confirmed, and where the new dialect can't say what is
    /// recorded; [`Error::BootState`] where it does not fit to the board; and those of every order.
    pub fn convert(&mut self, to: Dialect, keep: bool) -> Result<(Done, Vec<String>)> {
        let mut transaction = self.store.begin()?;
        let (before, conversion) = conversion(&self.desk, transaction.environment(), to, keep)?;
        let mut changes = Vec::new();
        for (name, value) in conversion.changes {
            if transaction.set(name.as_bytes(), value.as_deref().unwrap_or_default())? {
                changes.push((name, value));
            }
        }
        let mut unrecorded = None;
        if let Some(journal) = self.desk.journal.as_mut().filter(|_| transaction.is_changed()) {
            // As it will be read by either dialect.
            let mut said = to.variables(&conversion.state);
            if keep {
                let old = self.desk.settings.dialect.variables(&before);
                said.retain(|(name, value)| value.is_some() || !old.iter().any(|(old, _)| old == name));
                said.extend(old);
            }
            let event = Event::Order {
                name: "convert".into(),
                slot: String::new(),
                update: String::new(),
                state: records::text(&said),
            };
            unrecorded = journal.append(&[event]).err().map(|error| error.to_string());
        }
        let commit = transaction.commit()?;
        let done =
            Done { before, after: conversion.state, changes, commit, counter_reset: false, unrecorded };
        Ok((done, conversion.lost))
    }
}

/// What is stored, and what it comes to in the other dialect.
fn conversion(desk: &Desk, variables: &Environment, to: Dialect, keep: bool) -> Result<(State, Conversion)> {
    let Desk { settings, running, .. } = desk;
    let slot = running.slot.clone().map_err(Error::RunningUnknown)?;
    let script = boot_code::find(settings, &running.cmdline, variables)?;
    if is_converted(variables, settings.dialect, to) {
        let state = to.decode_in(variables, &board(settings, to), Some(&slot))?;
        return Ok((state.clone(), Conversion::done(state)));
    }
    let state = desk.decode(variables, &desk.board(script, variables))?;
    if state.active.known() != Some(&slot) {
        return Err(Error::Refused(format!("the running slot {slot} is not the active one")));
    }
    let conversion = convert(variables, &state, settings.dialect, (to, &board(settings, to)), keep)?;
    Ok((state, conversion))
}

/// The board as its boot code of the other dialect will see it.
fn board(settings: &Settings, to: Dialect) -> Board {
    let reader = settings.reader.filter(|_| to == settings.dialect);
    Settings { dialect: to, reader, ..settings.clone() }.board(settings.script.unwrap_or_default())
}
