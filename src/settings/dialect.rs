//! The keys that say how the boot state is written, and which boot code reads it: `dialect`, `reader`, `slot-variable`, and
//! `value` of each slot.

use toml::Spanned;

use super::wrong::{wrong, Wrong};
use super::Settings;
use crate::slot::dialect::Dialect;
use crate::slot::rauc::TRIES;
use crate::slot::Reader;

/// The keys, as the file has them.
pub(super) struct Keys {
    pub dialect: Option<Spanned<String>>,
    pub reader: Option<Spanned<String>>,
    pub slot_variable: Option<Spanned<String>>,
    /// Where a dialect is told that does not fit to what else the file says.
    pub hardened: bool,
}

impl Keys {
    /// Sets what they say in settings that hold all else.
    pub fn settings(self, settings: &mut Settings) -> Result<(), Wrong> {
        let at = self.dialect.as_ref().map_or(0, |dialect| dialect.span().start);
        if let Some(dialect) = self.dialect {
            settings.dialect = Dialect::named(dialect.get_ref()).ok_or_else(|| {
                let known: Vec<&str> = Dialect::ALL.iter().map(|dialect| dialect.name()).collect();
                let message =
                    format!("there is no dialect {:?}; known: {}", dialect.get_ref(), known.join(", "));
                wrong(&dialect, message)
            })?;
        }
        let dialect = settings.dialect;
        if let Some(reader) = self.reader {
            let known = dialect.readers();
            let found = known.iter().copied().find(|known| known.name() == reader.get_ref());
            settings.reader = Some(found.ok_or_else(|| {
                let known: Vec<&str> = known.iter().copied().map(Reader::name).collect();
                let (dialect, named) = (dialect.name(), reader.get_ref());
                wrong(
                    &reader,
                    format!("{named:?} does not read the dialect {dialect}; known: {}", known.join(", ")),
                )
            })?);
        }
        if let Some(variable) = self.slot_variable {
            let name = variable.get_ref();
            let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
            if dialect != Dialect::Bootcount {
                let message = format!("the dialect {} has a variable of its own for this", dialect.name());
                return Err(wrong(&variable, message));
            }
            let taken = ["upgrade_available", "bootcount", "bootlimit", "ustate", "recovery_status"];
            if name.is_empty() || !name.bytes().all(legal) || taken.contains(&name.as_str()) {
                return Err(wrong(&variable, format!("{name:?} can't be the variable that names the slot")));
            }
            settings.board.slot_variable = variable.into_inner();
        }
        match settings.reader.is_some() || dialect != Dialect::Native {
            true => fits(settings, self.hardened).map_err(|message| (at, message)),
            false => Ok(()),
        }
    }
}

/// What a dialect can't do is wrong in the settings already.
fn fits(settings: &Settings, hardened: bool) -> Result<(), String> {
    let (board, dialect) = (&settings.board, settings.dialect);
    let name = dialect.name();
    if dialect == Dialect::Native {
        return Ok(());
    }
    if let Some(last) = &board.last_resort {
        return Err(format!("the dialect {name} has no last resort, and slot {last} is one"));
    }
    if hardened || settings.script.is_some() {
        return Err(format!("`hardened` and `script` are the dialect native's, not {name}'s"));
    }
    let words = 2..=4;
    if dialect == Dialect::Rauc
        && settings.reader.is_some_and(Reader::is_ours)
        && !words.contains(&board.slots.len())
    {
        return Err("bootslot's own script for RAUC's variables has two to four slots".into());
    }
    if dialect == Dialect::Rauc {
        return match board.tries > TRIES {
            true => Err(format!("with the dialect rauc tries are 1 to {TRIES}: more are a confirmed slot")),
            false => Ok(()),
        };
    }
    if board.slots.len() != 2 {
        return Err(format!("the dialect {name} has two slots, not {}", board.slots.len()));
    }
    if dialect == Dialect::Bootcount && board.slot_variable.is_empty() {
        return Err(
            "the dialect bootcount needs `slot-variable`, the variable that names the slot that boots".into(),
        );
    }
    let value = |slot| board.values.get(slot).map_or_else(|| format!("{slot}"), String::clone);
    let values: Vec<String> = board.slots.iter().map(value).collect();
    if dialect == Dialect::Mender {
        let part =
            |text: &&String| text.parse::<u8>().is_ok_and(|part| part > 0 && part.to_string() == **text);
        if let Some(odd) = values.iter().find(|value| !part(value)) {
            return Err(format!(
                "with the dialect mender each slot needs its partition's number as `value`, and {odd:?} is none"
            ));
        }
    }
    match values.first().filter(|first| values.last() == Some(first)) {
        Some(twice) => Err(format!("both slots have the value {twice:?}")),
        None => Ok(()),
    }
}
