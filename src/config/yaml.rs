//! Pure: libubootenv's YAML: named environments, each with its copies, lock file and writelist.
//!
//! ```yaml
//! uboot:                                  # a namespace
//!   size: 0x4000
//!   lockfile: /var/lock/fw_printenv.lock  # optional
//!   writelist:                            # optional
//!     - bootcount:dw
//!   devices:                              # one or two
//!     - path: /dev/mtd0
//!       offset: 0xA0000
//!       sectorsize: 0x10000               # optional
//!       disablelock: yes                  # optional; `unlock: no` says the same
//! ```
//!
//! The format is defined by libubootenv's `docs/fw_env_config.md` and `src/extended_config.c`. Numbers
//! have any C base (`strtoull` with base 0): other than in the legacy format, `4000` is decimal.
//!
//! The parser's events are read one by one against this fixed shape. Nothing here recurses, and a node
//! that is nested deeper than the shape allows ends the parse before its inside is looked at.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use saphyr_parser::{Event, Parser, ScalarStyle, StrInput};

use super::rules::Field;
use super::{number, Config, Device, EnvConfig};
use crate::error::{Error, Result};

const NAMESPACE_KEYS: &str = "size, lockfile, writelist, devices";
const DEVICE_KEYS: &str = "path, offset, sectorsize, unlock, disablelock";

/// Reads a YAML configuration; `path` is for the messages only.
///
/// Errors: [`Error::Config`] with the line and column of what is not YAML, of an unknown, repeated,
/// missing or mistyped key, of an alias, tag or second document, and of what
/// [`EnvConfig::validate`] refuses.
pub fn parse(path: &Path, text: &[u8]) -> Result<Config> {
    let text = match std::str::from_utf8(text) {
        Ok(text) => text,
        Err(error) => return Err(Error::in_config(path, text, error.valid_up_to(), "expected UTF-8")),
    };
    // The YAML parser takes a NUL for the end; behind it a damaged file would be cut silently.
    if let Some(offset) = text.find('\0') {
        return Err(Error::in_config(path, text.as_bytes(), offset, "a NUL byte: this file is damaged"));
    }
    let mut reader = Reader { path, text, parser: Parser::new_from_str(text) };
    let environments = reader.document()?;
    Ok(Config { path: path.to_path_buf(), environments })
}

/// The number of characters before something in the text.
type At = usize;

/// A node of the document, or the end of the collection that is being read.
enum Node<'a> {
    Scalar(Scalar<'a>),
    Mapping(At),
    Sequence(At),
    End(At),
}

struct Scalar<'a> {
    value: Cow<'a, str>,
    /// Nothing was written where a value can be: `size:`, or YAML's `~` and `null`.
    empty: bool,
    at: At,
}

struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
    parser: Parser<'a, StrInput<'a>>,
}

/// A device, and where its parts are.
struct Entry {
    device: Device,
    at: At,
    offset_at: At,
}

impl<'a> Reader<'a> {
    fn refuse<T>(&self, at: At, message: impl AsRef<str>) -> Result<T> {
        let offset = self.text.char_indices().nth(at).map_or(self.text.len(), |(offset, _)| offset);
        Err(Error::in_config(self.path, self.text.as_bytes(), offset, message.as_ref()))
    }

    fn event(&mut self) -> Result<(Event<'a>, At)> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => Ok((event, span.start.index())),
            Some(Err(error)) => self.refuse(error.marker().index(), format!("not YAML: {}", error.info())),
            None => self.refuse(usize::MAX, "the text ends too early"),
        }
    }

    fn node(&mut self) -> Result<Node<'a>> {
        let (event, at) = self.event()?;
        let (node, tag) = match event {
            Event::Scalar(value, style, _, tag) => {
                let empty = style == ScalarStyle::Plain && matches!(&*value, "" | "~" | "null");
                (Node::Scalar(Scalar { value, empty, at }), tag)
            }
            Event::MappingStart(_, tag) => (Node::Mapping(at), tag),
            Event::SequenceStart(_, tag) => (Node::Sequence(at), tag),
            Event::MappingEnd | Event::SequenceEnd => (Node::End(at), None),
            Event::Alias(_) => {
                return self.refuse(at, "aliases are not supported here; write the value out");
            }
            _ => return self.refuse(at, "expected a value"),
        };
        match tag {
            Some(_) => self.refuse(at, "tags are not supported here; write the value alone"),
            None => Ok(node),
        }
    }

    /// The next key of a mapping, or `None` and where the mapping ends.
    fn key(&mut self, expected: &str) -> Result<Option<Scalar<'a>>> {
        match self.node()? {
            Node::End(_) => Ok(None),
            Node::Scalar(key) if !key.empty && !key.value.is_empty() => Ok(Some(key)),
            Node::Scalar(Scalar { at, .. }) | Node::Mapping(at) | Node::Sequence(at) => {
                self.refuse(at, format!("expected {expected}"))
            }
        }
    }

    fn mapping(&mut self, expected: &str) -> Result<At> {
        match self.node()? {
            Node::Mapping(at) => Ok(at),
            node => self.mistyped(node, expected),
        }
    }

    fn scalar(&mut self, key: &str, expected: &str) -> Result<Scalar<'a>> {
        match self.node()? {
            Node::Scalar(scalar) if !scalar.empty && !scalar.value.is_empty() => Ok(scalar),
            node => self.mistyped(node, &format!("{expected} for {key:?}")),
        }
    }

    fn mistyped<T>(&self, node: Node<'_>, expected: &str) -> Result<T> {
        let (at, found) = match node {
            Node::Scalar(Scalar { at, empty: true, .. }) => (at, "nothing".to_owned()),
            Node::Scalar(Scalar { value, at, .. }) => (at, format!("{value:?}")),
            Node::Mapping(at) => (at, "a mapping".to_owned()),
            Node::Sequence(at) => (at, "a sequence".to_owned()),
            Node::End(at) => (at, "the end".to_owned()),
        };
        self.refuse(at, format!("expected {expected}, found {found}"))
    }

    /// Stores the value of a key that may be given once.
    fn once<T>(&self, slot: &mut Option<T>, key: &Scalar<'_>, value: T) -> Result<()> {
        match slot.replace(value) {
            None => Ok(()),
            Some(_) => self.refuse(key.at, format!("{:?} is given twice", key.value)),
        }
    }

    fn unknown<T>(&self, key: &Scalar<'_>, known: &str) -> Result<T> {
        self.refuse(key.at, format!("unknown key {:?}; known here: {known}", key.value))
    }

    fn document(&mut self) -> Result<Vec<EnvConfig>> {
        const EXPECTED: &str = "a namespace (a name and a colon)";
        loop {
            match self.event()? {
                (Event::StreamStart, _) => {}
                (Event::DocumentStart(_), _) => break,
                (_, at) => return self.refuse(at, format!("expected {EXPECTED}")),
            }
        }
        let start = self.mapping(EXPECTED)?;
        let mut environments = Vec::new();
        let mut names = BTreeSet::new();
        while let Some(name) = self.key(EXPECTED)? {
            if !names.insert(name.value.clone()) {
                return self.refuse(name.at, format!("namespace {:?} is given twice", name.value));
            }
            environments.push(self.environment(name)?);
        }
        if environments.is_empty() {
            return self.refuse(start, format!("expected {EXPECTED}"));
        }
        loop {
            match self.event()? {
                (Event::DocumentEnd, _) => {}
                (Event::StreamEnd, _) => return Ok(environments),
                (_, at) => {
                    return self.refuse(at, "a second YAML document; put all namespaces into one");
                }
            }
        }
    }

    fn environment(&mut self, name: Scalar<'a>) -> Result<EnvConfig> {
        let (mut size, mut lockfile, mut writelist, mut devices) = (None, None, None, None);
        self.mapping(&format!("a mapping with the keys {NAMESPACE_KEYS}"))?;
        while let Some(key) = self.key(NAMESPACE_KEYS)? {
            match &*key.value {
                "size" => {
                    let value = self.number(&key, number::size)?;
                    self.once(&mut size, &key, value)?;
                }
                "lockfile" => {
                    let value = self.file_name(&key)?;
                    self.once(&mut lockfile, &key, value)?;
                }
                "writelist" => {
                    let value = self.writelist()?;
                    self.once(&mut writelist, &key, value)?;
                }
                "devices" => {
                    let value = self.devices()?;
                    self.once(&mut devices, &key, value)?;
                }
                _ => return self.unknown(&key, NAMESPACE_KEYS),
            }
        }
        let Some((size, size_at)) = size else {
            let message = format!("namespace {:?} has no \"size\" (bytes of one copy)", name.value);
            return self.refuse(name.at, message);
        };
        let Some(mut entries) = devices else {
            return self.refuse(name.at, format!("namespace {:?} has no \"devices\"", name.value));
        };
        for entry in &mut entries {
            entry.device.size = size;
        }
        let environment = EnvConfig {
            namespace: Some(name.value.into_owned()),
            devices: entries.iter().map(|entry| entry.device.clone()).collect(),
            lockfile,
            writelist,
        };
        match environment.check() {
            Ok(()) => Ok(environment),
            Err(flaw) => {
                let at = match (flaw.field, entries.get(flaw.device)) {
                    (Field::Size, _) | (_, None) => size_at,
                    (Field::Path, Some(entry)) => entry.at,
                    (Field::Offset, Some(entry)) => entry.offset_at,
                };
                self.refuse(at, flaw.message)
            }
        }
    }

    fn devices(&mut self) -> Result<Vec<Entry>> {
        const EXPECTED: &str = "a sequence of one or two devices (\"- path: ...\")";
        let start = match self.node()? {
            Node::Sequence(at) => at,
            node => return self.mistyped(node, EXPECTED),
        };
        let mut entries = Vec::with_capacity(2);
        loop {
            match self.node()? {
                Node::End(_) if entries.is_empty() => {
                    return self.refuse(start, format!("expected {EXPECTED}, found none"));
                }
                Node::End(_) => return Ok(entries),
                Node::Mapping(at) if entries.len() == 2 => {
                    return self.refuse(at, "a third device: an environment has one copy or two");
                }
                Node::Mapping(at) => entries.push(self.device(at)?),
                node => return self.mistyped(node, &format!("a mapping with the keys {DEVICE_KEYS}")),
            }
        }
    }

    fn device(&mut self, at: At) -> Result<Entry> {
        let (mut path, mut offset, mut sector_size) = (None, None, None);
        let (mut unlock, mut disable_lock) = (None, None);
        while let Some(key) = self.key(DEVICE_KEYS)? {
            match &*key.value {
                "path" => {
                    let value = self.file_name(&key)?;
                    self.once(&mut path, &key, value)?;
                }
                "offset" => {
                    let value = self.number(&key, number::offset)?;
                    self.once(&mut offset, &key, value)?;
                }
                "sectorsize" => {
                    let value = self.number(&key, number::size)?;
                    self.once(&mut sector_size, &key, value)?;
                }
                "unlock" => {
                    let value = self.yes_or_no(&key)?;
                    self.once(&mut unlock, &key, value)?;
                }
                "disablelock" => {
                    let value = self.yes_or_no(&key)?;
                    self.once(&mut disable_lock, &key, value)?;
                }
                _ => return self.unknown(&key, DEVICE_KEYS),
            }
            if unlock.is_some() && unlock == disable_lock {
                return self.refuse(key.at, "\"unlock\" and \"disablelock\" contradict each other");
            }
        }
        let Some(path) = path else {
            return self.refuse(at, "this device has no \"path\"");
        };
        let (offset, offset_at) = offset.unwrap_or((0, at));
        let (sector_size, _) = sector_size.unwrap_or((0, at));
        let disable_lock = disable_lock.or(unlock.map(|unlock| !unlock)).unwrap_or(false);
        let device = Device { path, offset, size: 0, sector_size, sectors: 0, disable_lock };
        Ok(Entry { device, at, offset_at })
    }

    /// The entries joined by commas, as in U-Boot's `.flags`.
    fn writelist(&mut self) -> Result<String> {
        const EXPECTED: &str = "a sequence of name:flags";
        let start = match self.node()? {
            Node::Sequence(at) => at,
            node => return self.mistyped(node, EXPECTED),
        };
        let mut list = String::new();
        let mut names = BTreeSet::new();
        loop {
            let entry = match self.node()? {
                Node::Scalar(entry) if !entry.empty => entry,
                // libubootenv takes an empty list for no list, that is, for "every variable".
                Node::End(_) if list.is_empty() => {
                    return self.refuse(
                        start,
                        "an empty writelist; name the variables that may be written, or leave the key out if all may",
                    );
                }
                Node::End(_) => return Ok(list),
                Node::Mapping(at) => {
                    return self.refuse(at, "expected name:flags, without a blank behind the colon");
                }
                node => return self.mistyped(node, "name:flags"),
            };
            let Some((name, flags)) = entry.value.split_once(':') else {
                return self.refuse(entry.at, format!("expected name:flags, found {:?}", entry.value));
            };
            if let Err(why) = check_rule(name, flags) {
                return self.refuse(entry.at, format!("{:?}: {why}", entry.value));
            }
            if !names.insert(name.to_owned()) {
                return self.refuse(entry.at, format!("{name:?} is given twice"));
            }
            if !list.is_empty() {
                list.push(',');
            }
            list.push_str(&entry.value);
        }
    }

    fn number<T>(&mut self, key: &Scalar<'_>, read: fn(&[u8]) -> Result<T, String>) -> Result<(T, At)> {
        let value = self.scalar(&key.value, "a number")?;
        match read(value.value.as_bytes()) {
            Ok(number) => Ok((number, value.at)),
            Err(why) => self.refuse(value.at, format!("{} {why}", key.value)),
        }
    }

    fn file_name(&mut self, key: &Scalar<'_>) -> Result<PathBuf> {
        let value = self.scalar(&key.value, "a path")?;
        if value.value.contains(['\0', '\n']) {
            let message = format!("{} {:?} holds a NUL or a newline", key.value, value.value);
            return self.refuse(value.at, message);
        }
        Ok(PathBuf::from(&*value.value))
    }

    /// Only the two words that libubootenv knows: it takes every other one, `true` too, for "no".
    fn yes_or_no(&mut self, key: &Scalar<'_>) -> Result<bool> {
        let value = self.scalar(&key.value, "yes or no")?;
        match &*value.value {
            "yes" => Ok(true),
            "no" => Ok(false),
            other => {
                self.refuse(value.at, format!("expected yes or no for {:?}, found {other:?}", key.value))
            }
        }
    }
}

/// A rule of the writelist: a name, and at most one letter of each kind: the type (U-Boot's
/// `env/flags.c`: s d x b i m) and then the access (a r o c w).
fn check_rule(name: &str, flags: &str) -> Result<(), &'static str> {
    if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c.is_control() || c == ',' || c == '=')
    {
        return Err("the name is empty or holds a blank, a comma or \"=\"");
    }
    let access = flags.strip_prefix(['s', 'd', 'x', 'b', 'i', 'm']).unwrap_or(flags);
    match access {
        "" | "a" | "r" | "o" | "c" | "w" => Ok(()),
        _ => Err("flags are a type (one of s d x b i m) and an access (one of a r o c w)"),
    }
}
