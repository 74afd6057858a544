//! Which version of the boot script U-Boot runs, if it runs it at all.
//!
//! Version 2 puts `bootslot.script=2` beside `bootslot.slot=` on the kernel's command line, and has the
//! variable `bootslot_script=2`. Version 1 has neither. A boot loader is rarely updated, user space often. So orders are
//! carried out in the terms of the script that is found here. If the command line and the stored environment both tell,
//! the older one counts, since both know what it knows.
//!
//! A command line with the slot alone is version 1's, or was made by hand. The environment that U-Boot will load, if
//! it holds the script, is better evidence; a hardened U-Boot loads no script from there.

use super::running::last_value;
use crate::env::Environment;
use crate::error::{Error, Result};
use crate::settings::Settings;
use crate::slot::Script;

const PARAMETER: &[u8] = b"bootslot.script=";
const SLOT: &[u8] = b"bootslot.slot=";
/// The variable that holds the script, in each version.
const COMMAND: &[u8] = b"bootslot";
/// What `altbootcmd` runs where the board has the guard.
const GUARD: &[u8] = b"bootslot_guard";
const VERSION: &[u8] = b"bootslot_script";
const READER: &[u8] = b"bootslot.reader=";
const READER_VARIABLE: &[u8] = b"bootslot_reader";
/// How deep commands that run commands are followed.
const DEPTH: usize = 8;

/// The version, by the settings, else by the kernel's command line and these variables.
pub(super) fn find(
    settings: &Settings,
    cmdline: &Result<Vec<u8>, String>,
    env: &Environment,
) -> Result<Script> {
    if let Some(script) = settings.script {
        return Ok(script);
    }
    let shown = settings.cmdline.display();
    let line = cmdline.as_deref().unwrap_or_default();
    if let Some((told, by)) = reader_told(line, env) {
        let told = String::from_utf8_lossy(told);
        return Err(Error::ScriptUnknown(format!(
            "by {by} it runs {told}, which does not read the dialect native; say in the settings which one it reads (dialect)"
        )));
    }
    let slot_alone = last_value(line, SLOT).is_some();
    let by_line = match last_value(line, PARAMETER) {
        Some(value) => {
            Some(number(value, "bootslot.script").and_then(|number| numbered(number, &shown.to_string())))
        }
        None => (slot_alone && settings.board.hardened).then_some(Ok(Script::V1)),
    };
    let by_env =
        in_environment(env).map(|found| found.and_then(|number| numbered(number, "the environment")));
    match (by_line.transpose()?, by_env.transpose()?) {
        (Some(line), Some(env)) => Ok(line.min(env)),
        (Some(found), None) | (None, Some(found)) => Ok(found),
        (None, None) if slot_alone => Ok(Script::V1),
        (None, None) => {
            let line = match cmdline {
                Ok(_) => format!("{shown} has no bootslot.slot="),
                Err(why) => why.clone(),
            };
            let env = match (env.get(COMMAND), env.get(b"bootcmd")) {
                (None, _) => "the stored environment has no variable bootslot",
                (_, None) => "the stored environment has no bootcmd",
                _ => "the stored bootcmd does not run bootslot",
            };
            Err(Error::ScriptUnknown(format!("{line}, and {env}; if it does, say which version (--script 1 or 2, or script = 2 in the settings)")))
        }
    }
}

/// What bootslot's scripts for the variables of others say of themselves: their name and version, and where it was found. The
/// stored script counts, since U-Boot loads it at the next boot.
pub(super) fn reader_told<'t>(line: &'t [u8], env: &'t Environment) -> Option<(&'t [u8], &'static str)> {
    let stored =
        env.get(COMMAND).and_then(|_| env.get(b"bootcmd")).filter(|boot| runs(env, boot, COMMAND, DEPTH));
    let by_env = stored.and_then(|_| env.get(READER_VARIABLE)).map(|told| (told, "the environment"));
    by_env.or_else(|| last_value(line, READER).map(|told| (told, "the kernel's command line")))
}

/// The number in the environment, if that has the script and `bootcmd` runs it.
fn in_environment(env: &Environment) -> Option<Result<u32>> {
    env.get(COMMAND)?;
    runs(env, env.get(b"bootcmd")?, COMMAND, DEPTH).then(|| match env.get(VERSION) {
        Some(value) => number(value, "bootslot_script"),
        None => Ok(1),
    })
}

/// Whether the board watches a confirmed slot by U-Boot's boot counter. A hardened board stores no commands: there
/// it is the settings that tell, by naming the counter.
pub(super) fn has_guard(settings: &Settings, env: &Environment) -> bool {
    match env.get(b"altbootcmd") {
        Some(commands) => runs(env, commands, GUARD, DEPTH),
        None => settings.board.hardened && settings.bootcount.is_some(),
    }
}

/// Whether these commands say `run WANTED`, or run others that do.
fn runs(env: &Environment, commands: &[u8], wanted: &[u8], depth: usize) -> bool {
    called(commands).any(|name| {
        name == wanted
            || depth > 0 && env.get(name).is_some_and(|commands| runs(env, commands, wanted, depth - 1))
    })
}

/// The variables that these commands run.
fn called(commands: &[u8]) -> impl Iterator<Item = &[u8]> {
    let ends = |byte: &u8| b";&|\n".contains(byte);
    commands.split(ends).flat_map(|command| {
        let words = command.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        words.skip_while(|word| *word != b"run").skip(1)
    })
}

/// Whether these commands hold this text, or run others that do.
#[cfg(feature = "settings")]
pub(super) fn lead_to(env: &Environment, commands: &[u8], text: &[u8]) -> bool {
    holds(env, commands, text, DEPTH)
}

#[cfg(feature = "settings")]
fn holds(env: &Environment, commands: &[u8], text: &[u8], depth: usize) -> bool {
    let follow = |name: &[u8]| env.get(name).is_some_and(|commands| holds(env, commands, text, depth - 1));
    commands.windows(text.len()).any(|window| window == text) || depth > 0 && called(commands).any(follow)
}

fn number(value: &[u8], what: &str) -> Result<u32> {
    let text = String::from_utf8_lossy(value);
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let parsed = text.parse().ok().filter(|number| digits && *number > 0);
    parsed.ok_or_else(|| Error::ScriptUnknown(format!("{what}={text} is no version of it")))
}

fn numbered(number: u32, by: &str) -> Result<Script> {
    Script::numbered(number).ok_or_else(|| {
        let newest = Script::default().number();
        let text = format!("by {by} it does, version {number}, and this program knows versions up to {newest}; a newer program is needed");
        Error::ScriptUnknown(text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(line: &str, variables: &[&str]) -> Result<u32, String> {
        let env = Environment::from_records(variables.iter().map(|text| text.as_bytes()));
        find(&Settings::default(), &Ok(line.into()), &env)
            .map(Script::number)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_command_line_and_the_environment_tell_and_the_older_one_counts() {
        let one = ["bootcmd=run bootslot", "bootslot=x"];
        let two = ["bootcmd=run bootslot", "bootslot=x", "bootslot_script=2"];
        assert_eq!(found("quiet bootslot.slot=A", &[]), Ok(1));
        assert_eq!(found("bootslot.script=2 bootslot.slot=A\n", &[]), Ok(2));
        assert_eq!(found("quiet", &one), Ok(1));
        assert_eq!(found("quiet", &two), Ok(2));
        // The slot alone is a weak word: the script that U-Boot will load counts, where it loads one.
        assert_eq!(found("bootslot.slot=A", &two), Ok(2));
        assert_eq!(found("bootslot.slot=A", &one), Ok(1));
        let mut hardened = Settings::default();
        hardened.board.hardened = true;
        let stored = Environment::from_records(two.map(str::as_bytes));
        assert_eq!(find(&hardened, &Ok(b"bootslot.slot=A".to_vec()), &stored).unwrap(), Script::V1);
        assert_eq!(found("bootslot.slot=A bootslot.script=2", &one), Ok(1));
        assert_eq!(found("bootslot.slot=A bootslot.script=2", &two), Ok(2));
        // What boots a board by way of other variables.
        let far =
            ["bootcmd=run a b; reset", "b=if run c; then true; fi", "c=echo; run  bootslot", "bootslot=x"];
        assert_eq!(found("", &far), Ok(1));
    }

    #[test]
    fn where_nothing_tells_it_is_said_what_was_looked_at() {
        for (variables, says) in [
            (&[][..], "the stored environment has no variable bootslot;"),
            (&["bootcmd=run bootslot"], "the stored environment has no variable bootslot;"),
            (&["bootslot=x"], "the stored environment has no bootcmd;"),
            (
                &["bootslot=x", "bootcmd=run distro_bootcmd; echo bootslot"],
                "the stored bootcmd does not run bootslot;",
            ),
            (
                &["bootslot=x", "bootcmd=run a", "a=run b", "b=run a"],
                "the stored bootcmd does not run bootslot;",
            ),
        ] {
            let error = found("quiet", variables).unwrap_err();
            assert!(
                error.starts_with(
                    "does U-Boot run the boot script? /proc/cmdline has no bootslot.slot=, and "
                ),
                "{error}"
            );
            assert!(error.contains(says) && error.contains("--script"), "{error}");
        }
    }

    #[test]
    fn the_guard_is_seen_where_altbootcmd_runs_it() {
        let guarded = |variables: &[&str], settings: &Settings| {
            has_guard(settings, &Environment::from_records(variables.iter().map(|text| text.as_bytes())))
        };
        let open = Settings::default();
        assert!(guarded(&["altbootcmd=run bootslot_guard"], &open));
        assert!(!guarded(&["altbootcmd=run bootslot"], &open));
        assert!(!guarded(&[], &open));
        let mut hardened = Settings { bootcount: Some(crate::bootcount::Source::Environment), ..open };
        assert!(!guarded(&[], &hardened));
        hardened.board.hardened = true;
        assert!(guarded(&[], &hardened));
    }

    #[test]
    fn a_version_that_is_not_known_is_an_error() {
        let env = ["bootcmd=run bootslot", "bootslot=x", "bootslot_script=3"];
        for error in [found("bootslot.script=3 bootslot.slot=A", &[]), found("bootslot.slot=A", &env)] {
            let error = error.unwrap_err();
            assert!(error.contains("version 3, and this program knows versions up to 2"), "{error}");
        }
        for odd in ["", "two", "+2", "0", "99999999999"] {
            let error = found(&format!("bootslot.slot=A bootslot.script={odd}"), &[]).unwrap_err();
            assert!(error.ends_with(&format!("bootslot.script={odd} is no version of it")), "{error}");
        }
        let settings = Settings { script: Some(Script::V1), ..Settings::default() };
        let env = Environment::from_records(env.map(str::as_bytes));
        assert_eq!(find(&settings, &Ok(b"bootslot.script=9".to_vec()), &env).unwrap(), Script::V1);
    }
}
