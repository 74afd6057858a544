//! Any bytes as a script and as a text environment: an error with its line, or changes that can be made;
//! and what is exported is imported again as the same.
#![no_main]

use bootslot::env::text::{crlf_to_lf, export, import, parse_script, Change};
use bootslot::env::Environment;
use bootslot::{Error, Result};
use libfuzzer_sys::fuzz_target;
use std::collections::BTreeMap;
use std::path::Path;

fuzz_target!(|text: &[u8]| {
    let script = judge(text, parse_script(text, Path::new("-")));
    let imported = judge(text, import(text, Path::new("-")));
    let unix = crlf_to_lf(text);
    judge(&unix, import(&unix, Path::new("-")));

    for env in [script, imported].into_iter().flatten() {
        let Ok(exported) = export(env.iter()) else { continue };
        let back = judge(&exported, import(&exported, Path::new("-"))).expect("our own text is right");
        assert_eq!(as_uboot_sees(&back), as_uboot_sees(&env));
    }
});

/// The variables without their backslash escapes: a lone last backslash, or one before a newline, is
/// stored in two ways that mean the same.
fn as_uboot_sees(env: &Environment) -> BTreeMap<&[u8], Vec<u8>> {
    let unescaped = |value: &[u8]| {
        let mut bytes = value.iter().copied();
        let mut seen = Vec::new();
        while let Some(byte) = bytes.next() {
            seen.push(if byte == b'\\' { bytes.next().unwrap_or(byte) } else { byte });
        }
        seen
    };
    env.iter().map(|(name, value)| (name, unescaped(value))).collect()
}

/// The environment that the changes make of an empty one.
fn judge(text: &[u8], changes: Result<Vec<Change<'_>>>) -> Option<Environment> {
    let lines = text.split(|&byte| byte == b'\n').count();
    match changes {
        Ok(changes) => {
            let mut env = Environment::new();
            for change in changes {
                assert!((1..=lines).contains(&change.line));
                match change.value {
                    Some(value) => {
                        assert!(!value.is_empty() && !value.contains(&0));
                        if env.set(change.name, value.as_ref()).is_err() {
                            return None;
                        }
                    }
                    None if env.unset(change.name).is_err() => return None,
                    None => {}
                }
            }
            Some(env)
        }
        Err(Error::Script { line, .. }) => {
            assert!((1..=lines).contains(&line), "line {line} of {lines}");
            None
        }
        Err(other) => panic!("not an error of the script: {other}"),
    }
}
