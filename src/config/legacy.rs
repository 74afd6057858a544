//! Pure: `fw_env.config`, the format of U-Boot's tools: one line of columns for each copy.
//!
//! ```text
//! device  offset  size  [sector size  [sectors  [disable-lock]]]   # comment
//! ```
//!
//! The format is defined by the `sscanf` calls of U-Boot's `tools/env/fw_env.c` (`get_config`) and of
//! libubootenv's `src/uboot_env.c`. The offset is a number of any C base. **The sizes and the number of sectors are
//! hexadecimal even without `0x`**: `4000` is 0x4000 here too, or the same file would mean something else to each tool.
//!
//! What those tools skip silently is an error here. They skip a damaged second line, take the redundant environment for a
//! single copy, and overwrite it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nom::bytes::complete::{take_while, take_while1};
use nom::error::{ErrorKind, ParseError};
use nom::sequence::terminated;
use nom::{IResult, Offset, Parser};

use super::rules::Field;
use super::{lines, number, Config, Device, EnvConfig};
use crate::error::{Error, Result};

const COLUMNS: &str = "device, offset, size, and optionally sector size, sectors, disable-lock (0 or 1)";

/// Reads a legacy configuration; `path` is for the messages only.
///
/// Errors: [`Error::Config`] with line and column for every line that is neither
/// an entry nor a comment, for a third entry, and for what [`EnvConfig::validate`] refuses.
pub fn parse(path: &Path, text: &[u8]) -> Result<Config> {
    let fail = |at: &[u8], message: &str| Err(Error::in_config(path, text, text.offset(at), message));

    let mut devices = Vec::with_capacity(2);
    let mut columns = [[text; 3]; 2];
    for line in lines(text) {
        match entry(line) {
            Ok((_, None)) => {}
            Ok((_, Some(entry))) => {
                let Some(place) = columns.get_mut(devices.len()) else {
                    return fail(
                        entry.columns[0],
                        "a third entry: an environment has one copy or two; comment out what is not this board's",
                    );
                };
                *place = entry.columns;
                devices.push(entry.device);
            }
            Err(nom::Err::Error(wrong) | nom::Err::Failure(wrong)) => return fail(wrong.at, &wrong.message),
            Err(nom::Err::Incomplete(_)) => return fail(line, "this line is cut"),
        }
    }
    if devices.is_empty() {
        return fail(text, &format!("no entry; expected one line for each copy: {COLUMNS}"));
    }

    let environment = EnvConfig { namespace: None, devices, lockfile: None, writelist: None };
    if let Err(flaw) = environment.check() {
        let [path_column, offset, size] = columns.get(flaw.device).copied().unwrap_or([text; 3]);
        let at = match flaw.field {
            Field::Path => path_column,
            Field::Offset => offset,
            Field::Size => size,
        };
        return fail(at, &flaw.message);
    }
    Ok(Config { path: path.to_path_buf(), environments: vec![environment] })
}

/// One entry and where its needed columns are.
struct Entry<'a> {
    device: Device,
    columns: [&'a [u8]; 3],
}

/// Why a line is no entry, and the part of it that is to blame.
struct Wrong<'a> {
    at: &'a [u8],
    message: String,
}

impl<'a> ParseError<&'a [u8]> for Wrong<'a> {
    fn from_error_kind(at: &'a [u8], _: ErrorKind) -> Self {
        Wrong { at, message: format!("expected {COLUMNS}") }
    }

    fn append(_: &'a [u8], _: ErrorKind, other: Self) -> Self {
        other
    }
}

type Parsed<'a, T> = IResult<&'a [u8], T, Wrong<'a>>;

/// What `sscanf` takes as white space inside a line; the carriage return of a DOS line end is some.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | 0x0b | 0x0c)
}

fn blanks(input: &[u8]) -> Parsed<'_, &[u8]> {
    take_while(is_blank).parse(input)
}

/// Nothing but a comment follows.
fn at_end(input: &[u8]) -> bool {
    matches!(input.first(), None | Some(b'#'))
}

/// A column, read by `convert`, which says what is wrong with it.
fn column<'a, T>(
    name: &'static str,
    convert: impl Fn(&'a [u8]) -> Result<T, String>,
) -> impl Fn(&'a [u8]) -> Parsed<'a, (T, &'a [u8])> {
    move |input| {
        if at_end(input) {
            let message = format!("the {name} is missing; expected {COLUMNS}");
            return Err(nom::Err::Error(Wrong { at: input, message }));
        }
        let (rest, word) = terminated(take_while1(|byte| !is_blank(byte)), blanks).parse(input)?;
        match convert(word) {
            Ok(value) => Ok((rest, (value, word))),
            Err(why) => Err(nom::Err::Error(Wrong { at: word, message: format!("{name} {why}") })),
        }
    }
}

/// A column that may be omitted together with all that follow it.
fn optional<'a, T>(
    parser: impl Fn(&'a [u8]) -> Parsed<'a, (T, &'a [u8])>,
    default: (T, &'a [u8]),
    input: &'a [u8],
) -> Parsed<'a, (T, &'a [u8])> {
    if at_end(input) {
        Ok((input, default))
    } else {
        parser(input)
    }
}

/// A line without its line end: an entry, or nothing.
fn entry(line: &[u8]) -> Parsed<'_, Option<Entry<'_>>> {
    let (rest, _) = blanks(line)?;
    if at_end(rest) {
        return Ok((&[], None));
    }
    let (rest, (path, path_column)) = column("device", device_path)(rest)?;
    let (rest, (offset, offset_column)) = column("offset", number::offset)(rest)?;
    let (rest, (size, size_column)) = column("size", number::hex)(rest)?;
    let (rest, (sector_size, _)) = optional(column("sector size", number::hex), (0, rest), rest)?;
    let (rest, (sectors, _)) = optional(column("number of sectors", number::hex), (0, rest), rest)?;
    let (rest, (disable_lock, _)) = optional(column("disable-lock", zero_or_one), (false, rest), rest)?;
    if !at_end(rest) {
        return Err(nom::Err::Error(Wrong {
            at: rest,
            message: format!("one column too many; expected {COLUMNS}"),
        }));
    }
    let device = Device { path, offset, size, sector_size, sectors, disable_lock };
    let columns = [path_column, offset_column, size_column];
    Ok((&[], Some(Entry { device, columns })))
}

fn device_path(word: &[u8]) -> Result<PathBuf, String> {
    if word.contains(&0) {
        return Err(format!("{:?} holds a NUL byte", String::from_utf8_lossy(word)));
    }
    // A path is bytes to the kernel; it need not be UTF-8.
    Ok(PathBuf::from(OsStr::from_bytes(word)))
}

fn zero_or_one(word: &[u8]) -> Result<bool, String> {
    match word {
        b"0" => Ok(false),
        b"1" => Ok(true),
        _ => Err(format!("{:?} is neither 0 nor 1", String::from_utf8_lossy(word))),
    }
}
