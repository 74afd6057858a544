//! Whether U-Boot runs the boot code that reads what user space stores.
//!
//! | dialect | what tells |
//! |---|---|
//! | native | see [`script`] |
//! | each other one | `bootslot.reader=` on the kernel's command line, or `bootslot_reader` beside a stored script: bootslot's own scripts say so |
//! | rauc | `rauc.slot=` on the kernel's command line, which every boot code for RAUC puts there; or a stored `bootcmd` that leads to a command with `BOOT_ORDER` in it |
//! | mender, bootcount | a stored `altbootcmd` that leads to a command with the variable of the active slot in it: without it, U-Boot never gives up a trial |
//!
//! Where the settings name the boot code (`reader`), that is taken for true: commands that are compiled in or lie in a file are
//! not in the environment.

#[cfg(feature = "settings")]
use super::running::last_value;
use super::script;
use crate::env::Environment;
#[cfg(feature = "settings")]
use crate::error::Error;
use crate::error::Result;
use crate::settings::Settings;
use crate::slot::dialect::Dialect;
use crate::slot::{Reader, Script};

/// The version of bootslot's script; for other boot code the newest one, which knows every state.
///
/// # Errors
///
/// [`Error::ScriptUnknown`](crate::Error::ScriptUnknown) where nothing tells that the boot code is there.
pub(super) fn find(
    settings: &Settings,
    cmdline: &Result<Vec<u8>, String>,
    env: &Environment,
) -> Result<Script> {
    #[cfg(feature = "settings")]
    let unknown = match settings.dialect {
        Dialect::Native => return script::find(settings, cmdline, env),
        _ if settings.reader.is_some() => None,
        _ if told(settings, cmdline, env).transpose()?.is_some() => None,
        Dialect::Rauc => not_rauc(settings, cmdline, env),
        Dialect::Mender => no_way_back(env, "mender_boot_part"),
        Dialect::Bootcount => no_way_back(env, &settings.board.slot_variable),
    };
    #[cfg(feature = "settings")]
    return match unknown {
        None => Ok(Script::default()),
        Some(why) => {
            let (dialect, first) = (settings.dialect.name(), settings.dialect.readers().first());
            let example = first.map_or("", |reader| reader.name());
            Err(Error::ScriptUnknown(format!(
                "nothing tells that its boot code reads the dialect {dialect}: {why}; if it does, name it in the settings (reader = {example:?})"
            )))
        }
    };
    #[cfg(not(feature = "settings"))]
    script::find(settings, cmdline, env)
}

/// The version of bootslot's scripts for the variables of others.
#[cfg(feature = "settings")]
const VERSION: &str = "1";

/// Which of bootslot's scripts for the variables of others says that it is there.
///
/// # Errors
///
/// [`Error::ScriptUnknown`](crate::Error::ScriptUnknown) where this program does not know it, and where it reads
/// another dialect than that of the settings.
#[cfg(feature = "settings")]
pub(super) fn told(
    settings: &Settings,
    cmdline: &Result<Vec<u8>, String>,
    env: &Environment,
) -> Option<Result<Reader>> {
    let (told, by) = script::reader_told(cmdline.as_deref().unwrap_or_default(), env)?;
    let told = String::from_utf8_lossy(told);
    let (name, version) = told.split_once(':').unwrap_or((&told, ""));
    let known = Reader::ALL.iter().copied().find(|reader| reader.name() == name && reader.is_ours());
    Some(match known.filter(|_| version == VERSION) {
        None => Err(Error::ScriptUnknown(format!(
            "by {by} it runs {told}, which this program does not know; a newer program is needed"
        ))),
        Some(reader) if !settings.dialect.readers().contains(&reader) => Err(Error::ScriptUnknown(format!(
            "by {by} it runs {name}, which does not read the dialect {}; make the settings agree",
            settings.dialect.name()
        ))),
        Some(reader) => Ok(reader),
    })
}

/// Whether a confirmed slot that loads and then hangs is left by this boot code, as far as that is known.
pub(super) fn leaves_a_confirmed_slot(settings: &Settings, reader: Reader, env: &Environment) -> bool {
    let _ = reader;
    match settings.dialect {
        #[cfg(feature = "settings")]
        Dialect::Rauc if reader == Reader::RaucUncounted => script::has_guard(settings, env),
        Dialect::Native => script::has_guard(settings, env),
        // The others count each boot.
        #[cfg(feature = "settings")]
        Dialect::Rauc => true,
        #[cfg(feature = "settings")]
        Dialect::Mender | Dialect::Bootcount => false,
    }
}

#[cfg(feature = "settings")]
fn not_rauc(settings: &Settings, cmdline: &Result<Vec<u8>, String>, env: &Environment) -> Option<String> {
    let line = cmdline.as_deref().unwrap_or_default();
    let by_line = last_value(line, b"rauc.slot=").is_some();
    if by_line || env.get(b"bootcmd").is_some_and(|commands| script::lead_to(env, commands, b"BOOT_ORDER")) {
        return None;
    }
    let line = match cmdline {
        Ok(_) => format!("{} has no rauc.slot=", settings.cmdline.display()),
        Err(why) => why.clone(),
    };
    Some(format!("{line}, and the stored bootcmd leads to no BOOT_ORDER"))
}

#[cfg(feature = "settings")]
fn no_way_back(env: &Environment, variable: &str) -> Option<String> {
    let Some(commands) = env.get(b"altbootcmd") else {
        return Some("the stored environment has no altbootcmd".into());
    };
    let there = script::lead_to(env, commands, variable.as_bytes());
    (!there).then(|| format!("the stored altbootcmd leads to no {variable}"))
}

#[cfg(all(test, feature = "settings"))]
mod tests {
    use super::*;
    use crate::slot::Reader;

    fn found(
        dialect: Dialect,
        line: &str,
        variables: &[&str],
        reader: Option<Reader>,
    ) -> Result<Script, String> {
        let mut settings = Settings { dialect, reader, ..Settings::default() };
        settings.board.slot_variable = "rootpart".into();
        let env = Environment::from_records(variables.iter().map(|text| text.as_bytes()));
        find(&settings, &Ok(line.into()), &env).map_err(|error| error.to_string())
    }

    #[test]
    fn what_tells_that_the_boot_code_is_there_and_what_does_not() {
        let ok = Ok(Script::default());
        let rauc = ["bootcmd=run a", "a=test -n \"${BOOT_ORDER}\" || setenv BOOT_ORDER A B"];
        assert_eq!(found(Dialect::Rauc, "quiet rauc.slot=A", &[], None), ok);
        assert_eq!(found(Dialect::Rauc, "quiet", &rauc, None), ok);
        assert_eq!(found(Dialect::Rauc, "quiet", &[], Some(Reader::Bootmeth)), ok);
        let mender =
            ["altbootcmd=run mender_altbootcmd; run bootcmd", "mender_altbootcmd=setenv mender_boot_part 3"];
        assert_eq!(found(Dialect::Mender, "quiet", &mender, None), ok);
        assert_eq!(found(Dialect::Bootcount, "quiet", &["altbootcmd=setenv rootpart B"], None), ok);
        let ours = ["bootcmd=run bootslot", "bootslot=x", "bootslot_reader=bootslot-mender:1"];
        assert_eq!(found(Dialect::Mender, "quiet", &ours, None), ok);
        assert_eq!(found(Dialect::Rauc, "bootslot.slot=A bootslot.reader=bootslot-rauc:1", &[], None), ok);
        for (dialect, variables, says) in [
            (
                Dialect::Rauc,
                &rauc[1..],
                "/proc/cmdline has no rauc.slot=, and the stored bootcmd leads to no BOOT_ORDER",
            ),
            (Dialect::Mender, &mender[1..], "the stored environment has no altbootcmd"),
            (Dialect::Mender, &mender[..1], "the stored altbootcmd leads to no mender_boot_part"),
            (Dialect::Bootcount, &mender, "the stored altbootcmd leads to no rootpart"),
        ] {
            let error = found(dialect, "quiet bootslot.slot=A", variables, None).unwrap_err();
            assert!(error.contains(says) && error.contains("(reader = "), "{error}");
        }
    }

    #[test]
    fn bootslots_own_scripts_tell_which_one_is_there_and_the_stored_one_counts() {
        let read_by = |dialect, line: &str, variables: &[&str]| {
            let settings = Settings { dialect, ..Settings::default() };
            let env = Environment::from_records(variables.iter().map(|text| text.as_bytes()));
            told(&settings, &Ok(line.into()), &env).map(|told| told.map_err(|error| error.to_string()))
        };
        let line = "quiet rauc.slot=A bootslot.slot=A bootslot.reader=bootslot-rauc:1";
        assert_eq!(read_by(Dialect::Rauc, line, &[]), Some(Ok(Reader::RaucScript)));
        assert_eq!(read_by(Dialect::Rauc, "quiet rauc.slot=A", &[]), None);
        let stored = ["bootcmd=run bootslot", "bootslot=x", "bootslot_reader=bootslot-rauc-uncounted:1"];
        assert_eq!(read_by(Dialect::Rauc, line, &stored), Some(Ok(Reader::RaucUncounted)));
        // Nothing runs it.
        assert_eq!(read_by(Dialect::Rauc, line, &stored[1..]), Some(Ok(Reader::RaucScript)));
        for (dialect, line, says) in [
            (Dialect::Mender, line, "bootslot-rauc, which does not read the dialect mender"),
            (
                Dialect::Rauc,
                "bootslot.reader=bootslot-rauc:2",
                "bootslot-rauc:2, which this program does not know",
            ),
            (Dialect::Rauc, "bootslot.reader=bootslot-rauc", "which this program does not know"),
            (Dialect::Rauc, "bootslot.reader=contrib:1", "which this program does not know"),
            (Dialect::Native, line, "bootslot-rauc, which does not read the dialect native"),
        ] {
            let error = read_by(dialect, line, &[]).unwrap().unwrap_err();
            assert!(error.contains(says), "{error}");
        }
        // So orders of the native dialect are refused.
        let error = found(Dialect::Native, line, &[], None).unwrap_err();
        assert!(error.contains("which does not read the dialect native"), "{error}");
    }
}
