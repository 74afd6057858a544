//! Pure: The environment: ordered variables, their rules, and their forms as bytes and text.
//!
//! | file | job |
//! |---|---|
//! | `mod.rs` | [`Environment`]: variables in order, changes, what was odd in the bytes |
//! | `crc.rs` | the checksum of a copy |
//! | `image.rs` | the bytes of one copy, and how records are read |
//! | `index.rs` | finds a name among the records |
//! | `redundancy.rs` | which of two copies is current |
//! | `flags.rs` | `.flags` and the writelist: types and access |
//! | `text.rs` | scripts and text forms |

mod crc;
pub mod flags;
pub mod image;
mod index;
pub mod redundancy;
pub mod text;

use std::fmt;
use std::ops::Range;

use crate::error::{Error, Result};
use image::{trim_blanks, Image, Records};
use index::Index;

/// Variables that U-Boot's hash table holds where `CONFIG_ENV_MAX_ENTRIES` is 512, the default: its size
/// is the next prime (`lib/hashtable.c`, `hcreate_r`).
const UBOOT_PLACES: usize = 521;

/// The variables of one environment in the order in which they are stored. Names and values are bytes.
///
/// Lookups take constant time. A changed variable keeps its place and a new one goes to the end, so
/// that a small change changes few bytes of the image.
///
/// Records that define no variable (comments, names without a value) stay where they are, byte for byte,
/// and go into the next image: what somebody put there is not ours to drop. Three things are not kept,
/// because with them U-Boot and the other readers would see different variables: records whose name a
/// later record defines or deletes, blanks before the name of a variable, and a value without a name,
/// for which U-Boot drops the whole environment.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// The records as they were loaded, with NULs between them.
    loaded: Vec<u8>,
    /// In order. What was removed leaves its place, so that no other record moves.
    records: Vec<Record>,
    /// Where in `records` a name is: its last record, comments excepted.
    index: Index,
    /// How many records are variables.
    variables: usize,
    /// Bytes of all records with their NULs, the removed ones excepted.
    bytes: usize,
    anomalies: Vec<Anomaly>,
}

/// One record, without its NUL.
#[derive(Debug, Clone)]
struct Record {
    kind: Kind,
    text: Text,
    /// Bytes of the name, which starts behind any blanks.
    name: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Variable,
    /// `name` or `name=`.
    NoValue,
    Comment,
    Removed,
}

#[derive(Debug, Clone)]
enum Text {
    /// A range of [`Environment::loaded`].
    Loaded(Range<usize>),
    Edited(Box<[u8]>),
}

impl Record {
    fn text<'e>(&'e self, loaded: &'e [u8]) -> &'e [u8] {
        match &self.text {
            Text::Loaded(range) => loaded.get(range.clone()).unwrap_or_default(),
            Text::Edited(text) => text,
        }
    }

    fn name<'e>(&'e self, loaded: &'e [u8]) -> &'e [u8] {
        trim_blanks(self.text(loaded)).get(..self.name).unwrap_or_default()
    }

    fn value<'e>(&'e self, loaded: &'e [u8]) -> &'e [u8] {
        self.text(loaded).get(self.name + 1..).unwrap_or_default()
    }

    /// With its NUL.
    fn encoded_len(&self) -> usize {
        1 + match &self.text {
            Text::Loaded(range) => range.len(),
            Text::Edited(text) => text.len(),
        }
    }
}

impl Environment {
    /// An environment without variables.
    pub fn new() -> Self {
        Self::default()
    }

    /// The environment in the bytes of one copy, whether its CRC is right or not.
    pub fn from_image(image: &Image<'_>) -> Self {
        Self::from_list(image.data())
    }

    /// An environment from records as they stand in an image: `name=value`, comments, and so on. A record
    /// that holds a NUL is several records; empty ones are left out.
    pub fn from_records<'r>(records: impl IntoIterator<Item = &'r [u8]>) -> Self {
        let mut list = Vec::new();
        for record in records.into_iter().flat_map(|record| record.split(|&byte| byte == 0)) {
            if !record.is_empty() {
                list.extend_from_slice(record);
                list.push(0);
            }
        }
        list.push(0);
        Self::from_list(&list)
    }

    /// From the data of a copy: the list, and whatever follows it.
    fn from_list(list: &[u8]) -> Self {
        let mut env = Self::default();
        let mut records = Records::new(list);
        if records.offset() > 0 {
            env.anomalies.push(Anomaly::EmptyFirst);
        }
        loop {
            let start = records.offset();
            let Some(record) = records.next() else { break };
            env.load(list, start, record);
        }
        if records.terminator().is_none() {
            env.anomalies.push(Anomaly::NotTerminated);
        }
        if env.variables > UBOOT_PLACES {
            env.anomalies.push(Anomaly::ManyVariables { count: env.variables });
        }
        env.loaded = list.get(..records.offset()).unwrap_or(list).to_vec();
        env
    }

    /// Takes over the record that starts at `start` of the list.
    fn load(&mut self, list: &[u8], start: usize, whole: &[u8]) {
        let record = trim_blanks(whole);
        let end = start + whole.len();
        if record.first() == Some(&b'#') {
            self.anomalies.push(Anomaly::Comment { record: whole.into() });
            let text = Text::Loaded(start..end);
            self.put(self.records.len(), Record { kind: Kind::Comment, text, name: 0 });
            return;
        }

        let equals = memchr::memchr(b'=', record).unwrap_or(record.len());
        let (name, rest) = record.split_at_checked(equals).unwrap_or((record, &[]));
        let has_value = rest.len() > 1;
        if has_value && name.is_empty() {
            self.anomalies.push(Anomaly::EmptyName { record: whole.into() });
            return;
        }

        let place = self.records.len();
        let replaced = self.index.insert(name, place, name_at(&self.records, list));
        let replaced = replaced.and_then(|place| self.remove(place));
        if has_value {
            if replaced == Some(Kind::Variable) {
                self.anomalies.push(Anomaly::Duplicate { name: name.into() });
            }
            let blanks = whole.len() - record.len();
            if blanks > 0 {
                self.anomalies.push(Anomaly::LeadingBlank { record: whole.into() });
            }
            let text = Text::Loaded(start + blanks..end);
            self.put(place, Record { kind: Kind::Variable, text, name: name.len() });
        } else {
            self.anomalies.push(Anomaly::NoValue { record: whole.into() });
            let text = Text::Loaded(start..end);
            self.put(place, Record { kind: Kind::NoValue, text, name: name.len() });
        }
    }

    /// Puts a record in the place of a removed one, or at the end.
    fn put(&mut self, place: usize, record: Record) {
        self.bytes += record.encoded_len();
        self.variables += usize::from(record.kind == Kind::Variable);
        match self.records.get_mut(place) {
            Some(removed) => *removed = record,
            None => self.records.push(record),
        }
    }

    /// Removes the record at a place; returns what it was.
    fn remove(&mut self, place: usize) -> Option<Kind> {
        let record = self.records.get_mut(place)?;
        let kind = std::mem::replace(&mut record.kind, Kind::Removed);
        if kind != Kind::Removed {
            self.bytes -= record.encoded_len();
        }
        self.variables -= usize::from(kind == Kind::Variable);
        Some(kind)
    }

    /// The last record of a name, comments excepted; it may be removed.
    fn find(&self, name: &[u8]) -> Option<usize> {
        self.index.find(name, name_at(&self.records, &self.loaded))
    }

    /// The value of a variable.
    pub fn get(&self, name: &[u8]) -> Option<&[u8]> {
        let record = self.records.get(self.find(name)?)?;
        (record.kind == Kind::Variable).then(|| record.value(&self.loaded))
    }

    /// Names and values of all variables, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let variables = self.records.iter().filter(|record| record.kind == Kind::Variable);
        variables.map(|record| (record.name(&self.loaded), record.value(&self.loaded)))
    }

    /// What the next image will hold: variables as `name=value` and the records that are none, in order,
    /// without NULs.
    pub fn records(&self) -> impl Iterator<Item = &[u8]> {
        let kept = self.records.iter().filter(|record| record.kind != Kind::Removed);
        kept.map(|record| record.text(&self.loaded))
    }

    /// Gives [`records`](Environment::records) to `take`. Those that lie side by side as they were loaded are one piece,
    /// with their NULs between them: of a small change nearly all.
    fn pieces(&self, mut take: impl FnMut(&[u8])) {
        let mut piece = 0..0;
        for record in self.records.iter().filter(|record| record.kind != Kind::Removed) {
            match &record.text {
                Text::Loaded(range) if !piece.is_empty() && range.start == piece.end + 1 => {
                    piece.end = range.end;
                    continue;
                }
                _ if piece.is_empty() => {}
                _ => take(self.loaded.get(piece).unwrap_or_default()),
            }
            piece = match &record.text {
                Text::Loaded(range) => range.clone(),
                Text::Edited(text) => {
                    take(text);
                    0..0
                }
            };
        }
        if !piece.is_empty() {
            take(self.loaded.get(piece).unwrap_or_default());
        }
    }

    /// The number of variables.
    pub fn len(&self) -> usize {
        self.variables
    }

    /// Whether there is no variable.
    pub fn is_empty(&self) -> bool {
        self.variables == 0
    }

    /// Bytes of all records with their NULs and the NUL that ends the list.
    pub fn encoded_len(&self) -> usize {
        self.bytes + 1
    }

    /// What was odd in the bytes that this environment was made from. Changes add nothing to it.
    pub fn anomalies(&self) -> &[Anomaly] {
        &self.anomalies
    }

    /// Sets a variable; an empty value deletes it, as in U-Boot. Returns whether anything changed.
    ///
    /// Whether the new environment fits is only known when it is encoded; `.flags` is not asked here
    /// but by [`flags::Rules`].
    ///
    /// # Errors
    ///
    /// [`Error::Name`] for an illegal name, [`Error::Value`] for a value that holds a NUL.
    pub fn set(&mut self, name: &[u8], value: &[u8]) -> Result<bool> {
        if value.is_empty() {
            return self.unset(name);
        }
        check_name(name)?;
        if memchr::memchr(0, value).is_some() {
            let reason = "it holds a NUL, which ends a value in the environment".to_owned();
            return Err(Error::Value { name: lossy(name), reason });
        }
        if self.get(name) == Some(value) {
            return Ok(false);
        }

        let text = Text::Edited([name, b"=", value].concat().into_boxed_slice());
        let record = Record { kind: Kind::Variable, text, name: name.len() };
        let place = match self.find(name) {
            // A name without a value gives its place up as well: beside `name=value` it would still be
            // the first record of this name, and that is the one that U-Boot's fw_printenv takes.
            Some(place) => {
                self.remove(place);
                place
            }
            None => {
                let end = self.records.len();
                self.index.insert(name, end, name_at(&self.records, &self.loaded));
                end
            }
        };
        self.put(place, record);
        Ok(true)
    }

    /// Deletes a variable; returns whether there was one. Its place is kept for the case that it is set again.
    ///
    /// # Errors
    ///
    /// [`Error::Name`] for an illegal name, unless somebody else made such a variable: it can be deleted.
    pub fn unset(&mut self, name: &[u8]) -> Result<bool> {
        match self.find(name) {
            Some(place) if self.get(name).is_some() => {
                self.remove(place);
                Ok(true)
            }
            _ => check_name(name).map(|()| false),
        }
    }
}

/// Something in the bytes of a copy that readers do not agree on, or that no tool writes on purpose. Its `Display` is a sentence for a
/// report. Names and records are as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Anomaly {
    /// A name was defined more than once.
    Duplicate {
        /// The name.
        name: Vec<u8>,
    },
    /// A record without `=`, or with nothing behind it.
    NoValue {
        /// The record.
        record: Vec<u8>,
    },
    /// A record that starts with `#`.
    Comment {
        /// The record.
        record: Vec<u8>,
    },
    /// A value without a name.
    EmptyName {
        /// The record.
        record: Vec<u8>,
    },
    /// A variable with blanks before its name.
    LeadingBlank {
        /// The record.
        record: Vec<u8>,
    },
    /// The data begins with an empty record, and others follow.
    EmptyFirst,
    /// The list reaches the end of the data without the empty record that ends it.
    NotTerminated,
    /// More variables than a U-Boot loads that was built with the default size of its hash table.
    ManyVariables {
        /// How many there are.
        count: usize,
    },
}

impl fmt::Display for Anomaly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Anomaly::Duplicate { name } => write!(
                f,
                "\"{}\" is defined more than once: U-Boot takes the last definition, its fw_printenv the first",
                name.escape_ascii()
            ),
            Anomaly::NoValue { record } => write!(
                f,
                "the record \"{}\" has no value: U-Boot takes it as a deletion",
                record.escape_ascii()
            ),
            Anomaly::Comment { record } => {
                write!(f, "the record \"{}\" is a comment for U-Boot", record.escape_ascii())
            }
            Anomaly::EmptyName { record } => write!(
                f,
                "the record \"{}\" has no name: U-Boot can't load this environment and uses its compiled-in one",
                record.escape_ascii()
            ),
            Anomaly::LeadingBlank { record } => write!(
                f,
                "the record \"{}\" starts with a blank, which is no part of the name for U-Boot",
                record.escape_ascii()
            ),
            Anomaly::EmptyFirst => {
                write!(f, "the first record is empty: U-Boot reads the ones behind it, its fw_printenv none")
            }
            Anomaly::NotTerminated => write!(f, "the list of variables has no end mark"),
            Anomaly::ManyVariables { count } => write!(
                f,
                "of {count} variables U-Boot loads the first {UBOOT_PLACES}, unless its CONFIG_ENV_MAX_ENTRIES is greater than 512"
            ),
        }
    }
}

/// Whether a variable may be given this name. Any other byte is allowed.
///
/// # Errors
///
/// [`Error::Name`] with the rule that it breaks.
pub fn check_name(name: &[u8]) -> Result<()> {
    let reason = match name {
        [] => "it is empty",
        [b'#', ..] => "it starts with '#', which makes it a comment for U-Boot",
        _ => match name.iter().find(|byte| matches!(byte, b'=' | 0 | b' ' | b'\t' | b'\n' | b'\r')) {
            None => return Ok(()),
            Some(b'=') => "it holds '='",
            Some(0) => "it holds a NUL",
            Some(b' ' | b'\t') => "it holds a blank",
            Some(_) => "it holds a line break",
        },
    };
    Err(Error::Name { name: lossy(name), reason })
}

/// Tells the name of the record at a place.
fn name_at<'e>(records: &'e [Record], loaded: &'e [u8]) -> impl Fn(usize) -> &'e [u8] {
    move |place| records.get(place).map(|record| record.name(loaded)).unwrap_or_default()
}

/// A name for an error message.
fn lossy(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

#[cfg(test)]
mod tests {
    use super::image::Layout;
    use super::*;

    fn env(list: &[u8]) -> Environment {
        let bytes = [&[0; 4], list].concat();
        Environment::from_image(&Image::new(Layout::Single, &bytes).unwrap())
    }

    fn variables(env: &Environment) -> Vec<String> {
        env.iter().map(|(name, value)| format!("{}={}", name.escape_ascii(), value.escape_ascii())).collect()
    }

    /// The list as it would be stored, without the fill.
    fn stored(env: &Environment) -> Vec<u8> {
        let mut list: Vec<u8> = env.records().flat_map(|record| [record, b"\0"].concat()).collect();
        list.push(0);
        assert_eq!(list.len(), env.encoded_len());
        list
    }

    #[test]
    fn variables_keep_their_order_and_place() {
        let mut env = env(b"b=1\0a=2\0c=3\0\0");
        assert_eq!(variables(&env), ["b=1", "a=2", "c=3"]);
        assert!(env.set(b"a", b"22").unwrap());
        assert!(env.set(b"d", b"4").unwrap());
        assert!(env.unset(b"b").unwrap());
        assert_eq!(stored(&env), b"a=22\0c=3\0d=4\0\0");
        assert_eq!(env.len(), 3);
        // Deleted and set again before it is stored: its place was kept.
        assert!(env.set(b"b", b"5").unwrap());
        assert_eq!(stored(&env), b"b=5\0a=22\0c=3\0d=4\0\0");
        assert_eq!(env.len(), 4);
        assert!(env.anomalies().is_empty());
    }

    #[test]
    fn what_changes_nothing_says_so() {
        let mut env = env(b"a=1\0\0");
        assert!(!env.set(b"a", b"1").unwrap());
        assert!(!env.set(b"x", b"").unwrap());
        assert!(!env.unset(b"x").unwrap());
        assert_eq!(stored(&env), b"a=1\0\0");
    }

    #[test]
    fn an_empty_value_deletes() {
        let mut env = env(b"a=1\0b=2\0\0");
        assert!(env.set(b"a", b"").unwrap());
        assert_eq!(env.get(b"a"), None);
        assert_eq!(stored(&env), b"b=2\0\0");
        assert!(env.unset(b"b").unwrap());
        assert!(env.is_empty());
        assert_eq!(stored(&env), b"\0");
    }

    #[test]
    fn the_last_definition_counts_and_is_the_one_that_stays() {
        let mut env = env(b"a=1\0b=2\0a=3\0c=4\0\0");
        assert_eq!(variables(&env), ["b=2", "a=3", "c=4"]);
        assert_eq!(env.anomalies(), [Anomaly::Duplicate { name: b"a".to_vec() }]);
        env.set(b"a", b"5").unwrap();
        assert_eq!(stored(&env), b"b=2\0a=5\0c=4\0\0");
    }

    #[test]
    fn records_that_are_no_variables_stay_in_place() {
        let mut env = env(b"#one=1\0a=1\0lonely\0b=2\0empty=\0 # two\0=\0 \0\0");
        assert_eq!(variables(&env), ["a=1", "b=2"]);
        assert_eq!(env.get(b"lonely"), None);
        assert_eq!(env.get(b"empty"), None);
        assert_eq!(env.get(b"#one"), None);
        assert_eq!(env.get(b""), None);
        env.unset(b"b").unwrap();
        env.set(b"a", b"11").unwrap();
        env.set(b"c", b"3").unwrap();
        // The name of " " is empty, as is that of "=": of records with one name the last stays.
        assert_eq!(stored(&env), b"#one=1\0a=11\0lonely\0empty=\0 # two\0 \0c=3\0\0");
        assert!(!env.unset(b"lonely").unwrap());
    }

    #[test]
    fn a_name_without_a_value_deletes_what_was_defined_before_it() {
        let mut env = env(b"a=1\0b=1\0a\0b=\0b=2\0\0");
        assert_eq!(variables(&env), ["b=2"]);
        assert_eq!(env.len(), 1);
        assert_eq!(stored(&env), b"a\0b=2\0\0");
        env.set(b"c", b"3").unwrap();
        env.set(b"a", b"4").unwrap();
        assert_eq!(variables(&env), ["a=4", "b=2", "c=3"]);
        assert_eq!(stored(&env), b"a=4\0b=2\0c=3\0\0");
        assert_eq!(env.len(), 3);
    }

    #[test]
    fn blanks_before_a_name_are_no_part_of_it() {
        let mut env = env(b"a=1\0 \ta=2\0b =3\0\0");
        assert_eq!(variables(&env), ["a=2", "b =3"]);
        assert_eq!(stored(&env), b"a=2\0b =3\0\0");
        assert_eq!(
            env.anomalies(),
            [
                Anomaly::Duplicate { name: b"a".to_vec() },
                Anomaly::LeadingBlank { record: b" \ta=2".to_vec() }
            ]
        );
        // Such a name can't be set, but deleted.
        assert!(matches!(env.set(b"b ", b"4"), Err(Error::Name { .. })));
        assert!(env.unset(b"b ").unwrap());
        assert_eq!(stored(&env), b"a=2\0\0");
    }

    #[test]
    fn a_value_without_a_name_goes() {
        let env = env(b"a=1\0=x\0 =y\0b=2\0\0");
        assert_eq!(variables(&env), ["a=1", "b=2"]);
        assert_eq!(
            env.anomalies(),
            [Anomaly::EmptyName { record: b"=x".to_vec() }, Anomaly::EmptyName { record: b" =y".to_vec() }]
        );
        assert_eq!(stored(&env), b"a=1\0b=2\0\0");
    }

    #[test]
    fn lists_without_an_end_or_with_an_empty_start() {
        for list in [&b"a=1\0b=2"[..], b"a=1\0b=2\0"] {
            let env = env(list);
            assert_eq!(variables(&env), ["a=1", "b=2"]);
            assert_eq!(env.anomalies(), [Anomaly::NotTerminated]);
            assert_eq!(stored(&env), b"a=1\0b=2\0\0");
        }
        let env = env(b"\0a=1\0\0");
        assert_eq!(variables(&env), ["a=1"]);
        assert_eq!(env.anomalies(), [Anomaly::EmptyFirst]);
        assert_eq!(stored(&env), b"a=1\0\0");
    }

    #[test]
    fn from_records_takes_any_bytes() {
        let env = Environment::from_records([&b"a=1"[..], b"", b"b=2\0c=3\0\0d=4", b"lonely"]);
        assert_eq!(stored(&env), b"a=1\0b=2\0c=3\0d=4\0lonely\0\0");
        assert_eq!(stored(&Environment::from_records([])), stored(&Environment::new()));
    }

    #[test]
    fn illegal_names_are_refused_and_change_nothing() {
        let mut env = env(b"a=1\0\0");
        for name in [&b""[..], b"a=b", b"=", b"a\0b", b"a b", b"a\tb", b"a\nb", b"a\r", b"#a", b" a"] {
            assert!(matches!(check_name(name), Err(Error::Name { .. })), "{name:?}");
            assert!(matches!(env.set(name, b"1"), Err(Error::Name { .. })), "{name:?}");
            assert!(matches!(env.set(name, b""), Err(Error::Name { .. })), "{name:?}");
            assert!(matches!(env.unset(name), Err(Error::Name { .. })), "{name:?}");
        }
        for name in [&b"a"[..], b"serial#", b"a.b-c_d", b".flags", b"\xc3\xa4", b"\x01", b"-"] {
            check_name(name).unwrap();
        }
        assert_eq!(stored(&env), b"a=1\0\0");
    }

    #[test]
    fn a_value_is_any_bytes_but_nul() {
        let mut env = Environment::new();
        let value: Vec<u8> = (1..=255).collect();
        assert!(env.set(b"v", &value).unwrap());
        assert_eq!(env.get(b"v"), Some(&value[..]));
        assert!(matches!(env.set(b"v", b"a\0b"), Err(Error::Value { .. })));
        assert!(matches!(env.set(b"v", b"\0"), Err(Error::Value { .. })));
        assert_eq!(env.get(b"v"), Some(&value[..]));
    }

    #[test]
    fn thousands_of_names_are_found() {
        let mut env = env(b"=\0\0");
        let name = |number: usize| format!("name{number}").into_bytes();
        for number in 0..5000 {
            assert!(env.set(&name(number), b"1").unwrap());
        }
        for number in (0..5000).step_by(2) {
            assert!(env.unset(&name(number)).unwrap());
        }
        assert_eq!(env.len(), 2500);
        for number in 0..5000 {
            let value = if number % 2 == 0 { None } else { Some(&b"1"[..]) };
            assert_eq!(env.get(&name(number)), value);
        }
        assert_eq!(env.get(b""), None);
        let loaded = Environment::from_records(env.records());
        assert!(loaded.iter().eq(env.iter()));
        assert!((0..5000).all(|number| loaded.get(&name(number)) == env.get(&name(number))));
        assert_eq!(stored(&loaded), stored(&env));
        assert_eq!(loaded.anomalies().last(), Some(&Anomaly::ManyVariables { count: 2500 }));
        assert_eq!(
            loaded.anomalies().last().unwrap().to_string(),
            "of 2500 variables U-Boot loads the first 521, unless its CONFIG_ENV_MAX_ENTRIES is greater than 512"
        );
    }

    #[test]
    fn anomalies_in_plain_words() {
        let env = env(b"\0a=1\0 a=2\0#c\0b\0=x\n");
        let sentences: Vec<_> = env.anomalies().iter().map(ToString::to_string).collect();
        assert_eq!(
            sentences,
            [
                "the first record is empty: U-Boot reads the ones behind it, its fw_printenv none",
                "\"a\" is defined more than once: U-Boot takes the last definition, its fw_printenv the first",
                "the record \" a=2\" starts with a blank, which is no part of the name for U-Boot",
                "the record \"#c\" is a comment for U-Boot",
                "the record \"b\" has no value: U-Boot takes it as a deletion",
                "the record \"=x\\n\" has no name: U-Boot can't load this environment and uses its compiled-in one",
                "the list of variables has no end mark",
            ]
        );
    }
}
