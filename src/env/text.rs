//! Pure: Variables as text: the scripts of `fw_setenv -s`, and the text of U-Boot's
//! `env import -t` / `env export -t`.
//!
//! Both readers give a list of [`Change`]s or an error that names the line, so that a text is
//! applied whole or not at all.
//!
//! # Scripts
//!
//! One change a line, as `fw_setenv` takes them on its command line; there are no escapes:
//!
//! ```text
//! # a comment                   blanks before the # are allowed
//! name value                    U-Boot's form: any blanks between name and value, blanks inside and after it count
//! name=value                    libubootenv's form: every byte after the first = counts, as fw_printenv prints it
//! name                          deletes, as do "name " and "name="
//! ```
//!
//! A name ends at the first `=` or blank (space or tab). Lines have any length and end in LF, CR LF, or with the text.
//! `name = value` is refused: U-Boot's tool reads the value `= value`, libubootenv's the name `name `.
//!
//! # The text environment
//!
//! `name=value` lines, sorted by name; a backslash stands before a newline that belongs to the value and before
//! a backslash (lib/hashtable.c, `hexport_r` and `himport_r` with the separator LF).
//!
//! U-Boot uses the same escapes in the *binary* environment: it doubles backslashes when it saves, and drops
//! a backslash before any byte when it loads. This crate, like both existing `fw_printenv`s, shows the
//! binary bytes as they are. So text and binary already agree on backslashes, and what differs is the
//! newline alone: the text needs a backslash before it, the binary form does not.
//! [`export`] therefore copies values as they are and adds only what the separator demands; U-Boot gets from
//! `env import -t` exactly the variables that it gets from the binary environment.
//! [`import`] takes the newlines' backslashes off again and keeps everything else. The round trip gives back
//! every byte, but for two forms that U-Boot never writes and reads the same: a newline with a
//! backslash before it comes back without it, a value's lone last backslash comes back doubled.

use std::borrow::Cow;
use std::path::Path;

use memchr::memchr;

use super::Environment;
use crate::error::{Error, Result};

/// One change that a text asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change<'a> {
    /// The variable: not empty, and without `=`, NUL and newline.
    pub name: &'a [u8],
    /// The new value as the binary environment holds it; `None` deletes the variable.
    pub value: Option<Cow<'a, [u8]>>,
    /// The line of the text on which the change starts, from 1.
    pub line: usize,
}

/// Reads a script of `fw_setenv -s` (or a default environment, which has the same form).
///
/// `path` is where the text comes from, for the error; `-` for standard input.
///
/// # Errors
/// [`Error::Script`] for the first line that can't be used.
pub fn parse_script<'a>(text: &'a [u8], path: &Path) -> Result<Vec<Change<'a>>> {
    // Some editors put a byte order mark first; it is no part of a name.
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut changes = Vec::new();
    for (index, line) in text.split(|&byte| byte == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let number = index + 1;
        changes.extend(script_line(line, number).map_err(|message| script_error(path, number, message))?);
    }
    Ok(changes)
}

/// Reads a default environment (U-Boot's `u-boot-initial-env`), which has the form of a script.
///
/// # Errors
/// [`Error::Script`] for the first line that can't be used.
pub fn parse_defaults(text: &[u8], path: &Path) -> Result<Environment> {
    let mut environment = Environment::new();
    for Change { name, value, line } in parse_script(text, path)? {
        let set = value.map_or(Ok(false), |value| environment.set(name, &value));
        set.map_err(|error| script_error(path, line, &error.to_string()))?;
    }
    Ok(environment)
}

/// Reads the text of `env export -t`; to read CR LF as LF (`env import -t -r`), pass it through
/// [`crlf_to_lf`] first. NUL bytes that `env export` puts at the end are its end here too.
///
/// # Errors
/// [`Error::Script`] for the first line that can't be used.
pub fn import<'a>(text: &'a [u8], path: &Path) -> Result<Vec<Change<'a>>> {
    let ends_record = |byte| matches!(byte, b'\n' | 0);
    let mut changes = Vec::new();
    let mut rest = text;
    let mut line = 1;
    while rest.first().is_some_and(|&byte| byte != 0) {
        let record = skip_blanks(rest);
        let end = if record.starts_with(b"#") {
            split_before(record, ends_record).1
        } else {
            let (name, after) = split_before(record, |byte| byte == b'=' || ends_record(byte));
            let (value, end) = after.strip_prefix(b"=").map_or((None, after), import_value);
            let blank_line = name.is_empty() && after.first() != Some(&b'=');
            if !blank_line {
                check_text_name(name).map_err(|message| script_error(path, line, message))?;
                changes.push(Change { name, value, line });
            }
            end
        };
        let next = end.get(1..).unwrap_or_default();
        let read = rest.get(..rest.len() - next.len()).unwrap_or_default();
        line += read.iter().filter(|&&byte| byte == b'\n').count();
        rest = next;
    }
    Ok(changes)
}

/// Writes variables as the text of `env export -t`, sorted by name. Variables of one name keep their order.
///
/// # Errors
/// [`Error::Name`] for a name that the text form can't hold (it starts with a blank or `#`, holds a
/// newline, or is empty). U-Boot can't set such a variable; a foreign tool did.
pub fn export<'a>(variables: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> Result<Vec<u8>> {
    let mut variables: Vec<_> = variables.into_iter().collect();
    variables.sort_by_key(|&(name, _)| name);
    let mut text =
        Vec::with_capacity(variables.iter().map(|(name, value)| name.len() + value.len() + 2).sum());
    for (name, value) in variables {
        if let Some(reason) = unwritable(name) {
            return Err(Error::Name { name: String::from_utf8_lossy(name).into_owned(), reason });
        }
        text.extend_from_slice(name);
        text.push(b'=');
        export_value(value, &mut text);
        text.push(b'\n');
    }
    Ok(text)
}

/// Takes the CR off every CR LF (`env import -t -r`).
pub fn crlf_to_lf(text: &[u8]) -> Cow<'_, [u8]> {
    if memchr(b'\r', text).is_none() {
        return Cow::Borrowed(text);
    }
    let next = text.iter().skip(1).map(Some).chain([None]);
    let kept = text.iter().zip(next).filter(|&(byte, next)| (*byte, next) != (b'\r', Some(&b'\n')));
    Cow::Owned(kept.map(|(byte, _)| *byte).collect())
}

/// The change on one line of a script, or why there can be none.
fn script_line(line: &[u8], number: usize) -> Result<Option<Change<'_>>, &'static str> {
    let line = skip_blanks(line);
    if line.is_empty() || line.starts_with(b"#") {
        return Ok(None);
    }
    if memchr(0, line).is_some() {
        return Err("holds a NUL byte");
    }
    let (name, rest) = split_before(line, |byte| byte == b'=' || is_blank(byte));
    if name.is_empty() {
        return Err("no name before the '='");
    }
    let value = match rest.strip_prefix(b"=") {
        Some(value) => value,
        None => {
            let value = skip_blanks(rest);
            if value.starts_with(b"=") {
                return Err("a blank before '=': write name=value without blanks around the '='");
            }
            value
        }
    };
    let value = (!value.is_empty()).then_some(Cow::Borrowed(value));
    Ok(Some(Change { name, value, line: number }))
}

/// The value that starts here, as the binary environment holds it (`None` if empty), and what follows it.
fn import_value(text: &[u8]) -> (Option<Cow<'_, [u8]>>, &[u8]) {
    let (plain, rest) = split_before(text, |byte| matches!(byte, b'\\' | b'\n' | 0));
    if !rest.starts_with(b"\\") {
        return ((!plain.is_empty()).then_some(Cow::Borrowed(plain)), rest);
    }
    let mut value = plain.to_vec();
    let mut rest = rest;
    loop {
        rest = match rest {
            [b'\\', b'\n', after @ ..] => {
                value.push(b'\n');
                after
            }
            [b'\\', escaped, after @ ..] if *escaped != 0 => {
                value.extend_from_slice(&[b'\\', *escaped]);
                after
            }
            [b'\n' | 0, ..] | [] => return (Some(Cow::Owned(value)), rest),
            [byte, after @ ..] => {
                value.push(*byte);
                after
            }
        };
    }
}

/// Appends a value of the binary environment as text.
fn export_value(value: &[u8], text: &mut Vec<u8>) {
    let mut bytes = value.iter();
    while let Some(&byte) = bytes.next() {
        match byte {
            b'\n' => text.extend_from_slice(b"\\\n"),
            // The backslash and what it escapes stay together: `\` LF is one newline already. A lone
            // backslash at the end would escape the separator.
            b'\\' => text.extend_from_slice(&[b'\\', *bytes.next().unwrap_or(&b'\\')]),
            _ => text.push(byte),
        }
    }
}

/// Why the text form can't hold this name.
fn unwritable(name: &[u8]) -> Option<&'static str> {
    match name.first() {
        None => Some("it is empty"),
        Some(b'#') => Some("text that starts with '#' is a comment"),
        Some(b' ' | b'\t') => Some("it starts with a blank, which the text form drops"),
        Some(_) if memchr(b'\n', name).is_some() => Some("it holds a newline"),
        Some(_) => None,
    }
}

/// Whether a name read from a text environment may be used.
fn check_text_name(name: &[u8]) -> Result<(), &'static str> {
    if name.is_empty() {
        return Err("no name before the '='");
    }
    if name.ends_with(b"\r") {
        return Err("the line ends in CR LF: import it with CR LF read as LF");
    }
    if name.iter().any(|&byte| is_blank(byte)) {
        return Err("a blank in the name: a text environment has name=value lines");
    }
    Ok(())
}

fn script_error(path: &Path, line: usize, message: &str) -> Error {
    Error::Script { path: path.to_path_buf(), line, message: message.to_owned() }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn skip_blanks(text: &[u8]) -> &[u8] {
    split_before(text, |byte| !is_blank(byte)).1
}

/// Splits before the first byte that is wanted; without one, everything is before it.
fn split_before(text: &[u8], wanted: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    let at = text.iter().position(|&byte| wanted(byte)).unwrap_or(text.len());
    text.split_at(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Pair = (Vec<u8>, Option<Vec<u8>>);

    fn pairs(changes: Result<Vec<Change<'_>>>) -> Vec<Pair> {
        let changes = changes.unwrap();
        changes.into_iter().map(|c| (c.name.to_vec(), c.value.map(Cow::into_owned))).collect()
    }

    fn script(text: &str) -> Vec<Pair> {
        pairs(parse_script(text.as_bytes(), Path::new("script")))
    }

    fn imported(text: &[u8]) -> Vec<Pair> {
        pairs(import(text, Path::new("text")))
    }

    fn exported(variables: &[(&[u8], &[u8])]) -> Vec<u8> {
        export(variables.iter().copied()).unwrap()
    }

    fn set(name: &str, value: &str) -> Pair {
        (name.into(), Some(value.into()))
    }

    fn delete(name: &str) -> Pair {
        (name.into(), None)
    }

    fn error_line(result: Result<Vec<Change<'_>>>) -> usize {
        match result.unwrap_err() {
            Error::Script { line, .. } => line,
            other => panic!("not a script error: {other}"),
        }
    }

    #[test]
    fn the_usage_example_of_u_boots_tool() {
        let text = "netdev         eth0\nkernel_addr    400000\n\
                    foo            empty empty empty    empty empty empty\nbar\n";
        let foo = "empty empty empty    empty empty empty";
        let wanted = [set("netdev", "eth0"), set("kernel_addr", "400000"), set("foo", foo), delete("bar")];
        assert_eq!(script(text), wanted);
    }

    #[test]
    fn both_dialects_and_every_way_to_delete() {
        assert_eq!(script("a=1\nb 2\n\tc\t 3"), [set("a", "1"), set("b", "2"), set("c", "3")]);
        assert_eq!(script("a\nb=\nc \nd\t \n"), ["a", "b", "c", "d"].map(delete));
        assert_eq!(script("a=b=c\nd e=f\ng==h"), [set("a", "b=c"), set("d", "e=f"), set("g", "=h")]);
    }

    #[test]
    fn bytes_of_a_value_count_exactly() {
        // What fw_printenv prints can be given back.
        assert_eq!(script("a= 1 \nb=\t\n"), [set("a", " 1 "), set("b", "\t")]);
        assert_eq!(script("a  1 \t\n"), [set("a", "1 \t")]);
        assert_eq!(script("a x\\ny\n"), [set("a", "x\\ny")]);
        assert_eq!(script("a -1\n"), [set("a", "-1")]);
        assert_eq!(
            pairs(parse_script(b"a=\xff\x01", Path::new("x"))),
            [(b"a".to_vec(), Some(b"\xff\x01".to_vec()))]
        );
    }

    #[test]
    fn lines_end_in_lf_cr_lf_or_with_the_text() {
        assert_eq!(
            script("a=1\r\nb 2\r\nc\r\nd=4\r"),
            [set("a", "1"), set("b", "2"), delete("c"), set("d", "4")]
        );
        assert_eq!(script("a=1\r\r\n"), [set("a", "1\r")]);
        assert_eq!(script("\u{feff}a=1"), [set("a", "1")]);
    }

    #[test]
    fn comments_and_blank_lines_say_nothing() {
        assert_eq!(script("# c\n  # d=1\n\n \t \n\r\na=#1\nb # 2\n"), [set("a", "#1"), set("b", "# 2")]);
        assert_eq!(script(""), []);
    }

    #[test]
    fn a_line_of_any_length_is_one_line() {
        let long = "x".repeat(3_000_000);
        assert_eq!(script(&format!("a={long}\nb {long}")), [set("a", &long), set("b", &long)]);
    }

    #[test]
    fn a_bad_line_is_named_and_nothing_is_returned() {
        for bad in ["=x", " =x", "=", "a\0b=1", "a=1\0", "a = 1", "a\t=1", "a ="] {
            let text = format!("ok=1\n#\n{bad}\nok2=2\n");
            assert_eq!(error_line(parse_script(text.as_bytes(), Path::new("s"))), 3, "{bad:?}");
        }
    }

    #[test]
    fn export_is_what_env_export_prints() {
        let variables: [(&[u8], &[u8]); 5] =
            [(b"b", b"1"), (b"a", b"x\ny"), (b"B", b"a\\\\b"), (b"c d", b" e "), (b"aa", b"=")];
        assert_eq!(exported(&variables), b"B=a\\\\b\na=x\\\ny\naa==\nb=1\nc d= e \n");
    }

    #[test]
    fn import_reads_what_env_export_wrote() {
        // With the NUL bytes at the end that `env export` counts into filesize and pads with (-s).
        assert_eq!(imported(b"a=x\\\ny\nb=c\\\\d\n\0\0\0"), [set("a", "x\ny"), set("b", "c\\\\d")]);
        assert_eq!(
            imported(b" a=1\n\t#b=2\\\nc\nd=\n\n  \ne=3"),
            [set("a", "1"), delete("c"), delete("d"), set("e", "3")]
        );
        assert_eq!(imported(b"a=1\0b=2\0\0c=3\0"), [set("a", "1"), set("b", "2")]);
        assert_eq!(imported(b"a=\\"), [set("a", "\\")]);
        assert_eq!(imported(b""), []);
    }

    #[test]
    fn import_names_the_bad_line() {
        for bad in ["=x", "=", "a b=1", "a b", "a\r"] {
            let text = format!("v=1\\\n2\n# c\n{bad}\nok=1\n");
            assert_eq!(error_line(import(text.as_bytes(), Path::new("t"))), 4, "{bad:?}");
        }
    }

    #[test]
    fn cr_lf_becomes_lf_everywhere_and_only_there() {
        assert_eq!(&*crlf_to_lf(b"a=1\r\nb=\\\r\n2\rx\r\r\n\r"), b"a=1\nb=\\\n2\rx\r\n\r");
        assert!(matches!(crlf_to_lf(b"a=1\n"), Cow::Borrowed(_)));
    }

    #[test]
    fn export_refuses_names_that_the_text_form_changes() {
        for name in ["", "#a", " a", "\ta", "a\nb"] {
            let result = export([(&b"ok"[..], &b"1"[..]), (name.as_bytes(), b"1")]);
            assert!(matches!(result, Err(Error::Name { .. })), "{name:?}");
        }
    }

    /// What U-Boot holds after `himport_r(data, separator)` into an empty table, told from its rules.
    fn u_boot_imports(data: &[u8], separator: u8) -> std::collections::BTreeMap<Vec<u8>, Vec<u8>> {
        let mut table = std::collections::BTreeMap::new();
        let at = |i: usize| data.get(i).copied().unwrap_or(0);
        let mut i = 0;
        while i < data.len() && at(i) != 0 {
            while at(i) == b' ' || at(i) == b'\t' {
                i += 1;
            }
            if at(i) == b'#' {
                while at(i) != 0 && at(i) != separator {
                    i += 1;
                }
                i += 1;
                continue;
            }
            let start = i;
            while ![b'=', 0, separator].contains(&at(i)) {
                i += 1;
            }
            let name = data[start..i].to_vec();
            if at(i) != b'=' || at(i + 1) == 0 || at(i + 1) == separator {
                i += if at(i) == b'=' { 2 } else { 1 };
                table.remove(&name);
                continue;
            }
            i += 1;
            let mut value = Vec::new();
            while at(i) != 0 && at(i) != separator {
                if at(i) == b'\\' && at(i + 1) != 0 {
                    i += 1;
                }
                value.push(at(i));
                i += 1;
            }
            i += 1;
            assert!(!name.is_empty(), "U-Boot gives up here");
            table.insert(name, value);
        }
        table
    }

    /// The binary data area that holds these records.
    fn binary<N: AsRef<[u8]>, V: AsRef<[u8]>>(records: &[(N, V)]) -> Vec<u8> {
        let mut data = Vec::new();
        for (name, value) in records {
            data.extend_from_slice(name.as_ref());
            data.push(b'=');
            data.extend_from_slice(value.as_ref());
            data.push(0);
        }
        data.push(0);
        data
    }

    fn any_value() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![3 => Just(b'\\'), 2 => Just(b'\n'), 2 => prop::sample::select(&b" \t#=\ra"[..]), 1 => 1..=255u8];
        prop::collection::vec(byte, 1..12)
    }

    /// Values as U-Boot itself saves them: every backslash doubled.
    fn saved_value() -> impl Strategy<Value = Vec<u8>> {
        any_value().prop_map(|value| {
            value
                .into_iter()
                .flat_map(|byte| if byte == b'\\' { vec![byte, byte] } else { vec![byte] })
                .collect()
        })
    }

    fn variables(value: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<(Vec<u8>, Vec<u8>)>> {
        prop::collection::btree_map("[a-zA-Z0-9_.\\\\-]{1,4}".prop_map(String::into_bytes), value, 0..6)
            .prop_map(|map| map.into_iter().collect())
    }

    fn borrow(variables: &[(Vec<u8>, Vec<u8>)]) -> Vec<(&[u8], &[u8])> {
        variables.iter().map(|(name, value)| (&name[..], &value[..])).collect()
    }

    proptest! {
        #[test]
        fn u_boot_gets_the_same_from_the_text_as_from_the_binary(variables in variables(any_value())) {
            let text = exported(&borrow(&variables));
            prop_assert_eq!(u_boot_imports(&text, b'\n'), u_boot_imports(&binary(&variables), 0));
        }

        #[test]
        fn what_we_import_is_what_u_boot_imports(text in "[a-c=#\\\\\n\n \t]{0,40}") {
            if let Ok(changes) = import(text.as_bytes(), Path::new("text")) {
                let mut table = std::collections::BTreeMap::new();
                for change in changes {
                    match change.value {
                        Some(value) => table.insert(change.name.to_vec(), value.into_owned()),
                        None => table.remove(change.name),
                    };
                }
                let records: Vec<_> = table.into_iter().collect();
                prop_assert_eq!(u_boot_imports(text.as_bytes(), b'\n'), u_boot_imports(&binary(&records), 0));
            }
        }

        #[test]
        fn what_u_boot_saved_comes_back_byte_for_byte(variables in variables(saved_value())) {
            let text = exported(&borrow(&variables));
            let back: Vec<_> = imported(&text).into_iter().map(|(name, value)| (name, value.unwrap())).collect();
            prop_assert_eq!(back, variables);
        }

        #[test]
        fn any_value_comes_back_but_for_the_two_forms(variables in variables(any_value())) {
            let text = exported(&borrow(&variables));
            let back: Vec<_> = imported(&text).into_iter().map(|(name, value)| (name, value.unwrap())).collect();
            for ((name, value), (name_back, value_back)) in variables.iter().zip(&back) {
                prop_assert_eq!(name, name_back);
                let escapes_newline = u_boot_keeps_pairs(value).any(|pair| pair == b"\\\n");
                let lone_last = u_boot_keeps_pairs(value).last() == Some(b"\\");
                if !escapes_newline && !lone_last {
                    prop_assert_eq!(value, value_back);
                }
            }
            prop_assert_eq!(back.len(), variables.len());
            let again = exported(&borrow(&back));
            prop_assert_eq!(again, text);
        }

        #[test]
        fn scripts_take_back_what_is_printed(variables in variables("[^\u{0}\n\r]{1,20}".prop_map(String::into_bytes))) {
            let mut text = Vec::new();
            for (name, value) in &variables {
                text.extend_from_slice(&[name, &b"="[..], value, b"\n"].concat());
            }
            let wanted: Vec<_> = variables.into_iter().map(|(name, value)| (name, Some(value))).collect();
            prop_assert_eq!(pairs(parse_script(&text, Path::new("s"))), wanted);
        }

        #[test]
        fn hostile_text_never_panics(text in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = parse_script(&text, Path::new("s"));
            let _ = import(&text, Path::new("s"));
            let _ = import(&crlf_to_lf(&text), Path::new("s"));
        }
    }

    /// A value's bytes, a backslash together with the byte it escapes.
    fn u_boot_keeps_pairs(value: &[u8]) -> impl Iterator<Item = &[u8]> {
        let mut rest = value;
        std::iter::from_fn(move || {
            let take = if rest.first()? == &b'\\' { rest.len().min(2) } else { 1 };
            let (pair, after) = rest.split_at(take);
            rest = after;
            Some(pair)
        })
    }
}
