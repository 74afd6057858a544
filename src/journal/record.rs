//! Pure: one record of the journal as a line of text, and the lines of a file that are whole.
//!
//! ```text
//! 5f0c17aa 41 1764172800 9f27c04e order name="confirm" slot="B"
//! |        |  |          |        |     '- fields: "  \  line ends and other control characters are escaped
//! |        |  |          |        '------- kind
//! |        |  |          '---------------- the boot: the first 8 digits of the kernel's boot id, or -
//! |        |  '--------------------------- seconds since 1970, as the clock had it
//! |        '------------------------------ number of the record; it only ever rises
//! '--------------------------------------- CRC-32 of all that follows, without the line end
//! ```

use std::fmt::Write;

/// The longest value: longer ones lose their beginning.
pub const LONGEST_VALUE: usize = 4096;

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its number. A record has a higher one than those that were written before it.
    pub number: u64,
    /// Seconds since 1970, as the device's clock had it.
    pub time: u64,
    /// The boot in which it was written: the first 8 digits of the kernel's boot id; empty where that is unknown.
    pub boot: String,
    /// What it is: a word of `[a-z-]`.
    pub kind: String,
    /// Names, words of `[a-z-]`, and their values.
    pub fields: Vec<(String, String)>,
}

impl Record {
    /// The value of a field; empty where it has none of that name.
    pub fn get(&self, name: &str) -> &str {
        self.fields.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// The record as a line, with its line end.
    pub fn to_line(&self) -> String {
        let boot = if self.boot.is_empty() { "-" } else { &self.boot };
        let mut text = format!("{} {} {boot} {}", self.number, self.time, self.kind);
        for (name, value) in &self.fields {
            text.push_str(&format!(" {name}=\""));
            escape(tail(value), &mut text);
            text.push('"');
        }
        format!("{:08x} {text}\n", crc32fast::hash(text.as_bytes()))
    }

    /// The record of a line without its line end; `None` where it is not whole.
    pub fn parse(line: &[u8]) -> Option<Record> {
        let line = std::str::from_utf8(line).ok()?;
        let (crc, text) = line.split_at_checked(8)?;
        let text = text.strip_prefix(' ')?;
        if crc != format!("{:08x}", crc32fast::hash(text.as_bytes())) {
            return None;
        }
        let mut words = text.splitn(5, ' ');
        let number = words.next()?.parse().ok()?;
        let time = words.next()?.parse().ok()?;
        let boot = words.next()?.strip_prefix('-').map_or_else(|| boot_of(text), |_| Some(String::new()))?;
        let kind = word(words.next()?)?;
        let fields = fields(words.next().unwrap_or_default())?;
        Some(Record { number, time, boot, kind, fields })
    }
}

/// The third word.
fn boot_of(text: &str) -> Option<String> {
    let boot = text.split(' ').nth(2)?;
    (!boot.is_empty() && boot.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| boot.to_owned())
}

fn word(text: &str) -> Option<String> {
    let legal = |byte: u8| byte.is_ascii_lowercase() || byte == b'-';
    (!text.is_empty() && text.bytes().all(legal)).then(|| text.to_owned())
}

/// The end of a value that is too long: in a log the end says what happened.
fn tail(value: &str) -> &str {
    let mut from = value.len().saturating_sub(LONGEST_VALUE);
    while !value.is_char_boundary(from) {
        from += 1;
    }
    value.get(from..).unwrap_or_default()
}

fn escape(value: &str, to: &mut String) {
    for character in value.chars() {
        match character {
            '"' | '\\' => to.extend(['\\', character]),
            '\n' => to.push_str("\\n"),
            // A line end of some reader, or something that a terminal obeys.
            '\u{85}' | '\u{2028}' | '\u{2029}' => to.push_str(&character.escape_unicode().to_string()),
            _ if character.is_control() => {
                // Writing to a string does not fail.
                let _ = write!(to, "\\u{{{:x}}}", u32::from(character));
            }
            _ => to.push(character),
        }
    }
}

/// The fields of a line: ` name="value"`, each behind a blank.
fn fields(mut text: &str) -> Option<Vec<(String, String)>> {
    let mut fields = Vec::new();
    while !text.is_empty() {
        let (name, rest) = text.split_once("=\"")?;
        let (value, rest) = unescape(rest)?;
        fields.push((word(name)?, value));
        text = match rest.strip_prefix(' ') {
            Some(rest) if !rest.is_empty() => rest,
            None if rest.is_empty() => rest,
            _ => return None,
        };
    }
    Some(fields)
}

/// A value up to its closing quote, and what follows that.
fn unescape(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, text.get(at + 1..)?)),
            '\\' => match characters.next()?.1 {
                'n' => value.push('\n'),
                'u' => {
                    let (number, _) = characters.as_str().strip_prefix('{')?.split_once('}')?;
                    value.push(char::from_u32(u32::from_str_radix(number, 16).ok()?)?);
                    characters.nth(number.len() + 1)?;
                }
                escaped @ ('"' | '\\') => value.push(escaped),
                _ => return None,
            },
            _ => value.push(character),
        }
    }
    None
}

/// What a file of the journal holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lines {
    /// The records that are whole.
    pub records: Vec<Record>,
    /// Where the last whole record ends: what follows it was never finished.
    pub end: u64,
    /// Lines between whole records that are not whole: the medium has lost them.
    pub damaged: usize,
}

/// The lines of a file. What is no record at its end is what a power cut left of one.
pub fn lines(bytes: &[u8]) -> Lines {
    let mut lines = Lines::default();
    let (mut at, mut doubtful) = (0u64, 0);
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        at += line.len() as u64;
        match line.strip_suffix(b"\n").and_then(Record::parse) {
            Some(record) => {
                lines.records.push(record);
                lines.damaged += std::mem::take(&mut doubtful);
                lines.end = at;
            }
            None => doubtful += 1,
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record(fields: &[(&str, &str)]) -> Record {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Record { number: 41, time: 1_764_172_800, boot: "9f27c04e".into(), kind: "order".into(), fields }
    }

    #[test]
    fn a_record_is_one_line_that_people_can_read() {
        let one = record(&[("name", "confirm"), ("output", "two\nlines, \"quoted\" \\ \u{1b}[31m")]);
        let line = one.to_line();
        assert_eq!(
            &line[8..],
            " 41 1764172800 9f27c04e order name=\"confirm\" output=\"two\\nlines, \\\"quoted\\\" \\\\ \\u{1b}[31m\"\n"
        );
        assert_eq!(Record::parse(line.trim_end().as_bytes()), Some(one));
        let bare = Record { boot: String::new(), ..record(&[]) };
        assert!(bare.to_line().ends_with(" 41 1764172800 - order\n"));
        assert_eq!(Record::parse(bare.to_line().trim_end().as_bytes()), Some(bare));
    }

    #[test]
    fn a_long_value_keeps_its_end() {
        let long = format!("{}é the end", "é".repeat(LONGEST_VALUE));
        let found = Record::parse(record(&[("output", &long)]).to_line().trim_end().as_bytes()).unwrap();
        assert!(found.get("output").len() <= LONGEST_VALUE && found.get("output").ends_with("é the end"));
    }

    #[test]
    fn what_is_torn_at_the_end_is_told_from_what_is_damaged_before_it() {
        let line = record(&[("slot", "B")]).to_line();
        let torn = [line.as_bytes(), &line.as_bytes()[..20]].concat();
        assert_eq!((lines(&torn).end, lines(&torn).damaged), (line.len() as u64, 0));
        let zeros = [line.as_bytes(), &[0; 700]].concat();
        assert_eq!((lines(&zeros).end, lines(&zeros).records.len()), (line.len() as u64, 1));
        let mut damaged = format!("{line}{line}{line}").into_bytes();
        damaged[line.len() + 30] ^= 1;
        let found = lines(&damaged);
        assert_eq!((found.records.len(), found.damaged, found.end), (2, 1, damaged.len() as u64));
    }

    proptest! {
        #[test]
        fn every_record_is_read_as_it_was_written(values in proptest::collection::vec(".{0,40}", 0..4), time in any::<u64>()) {
            let mut one = record(&[]);
            one.time = time;
            one.fields = values.into_iter().map(|value| ("field".to_owned(), value)).collect();
            let line = one.to_line();
            prop_assert_eq!(line.matches('\n').count(), 1);
            prop_assert_eq!(Record::parse(&line.as_bytes()[..line.len() - 1]), Some(one));
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let found = lines(&bytes);
            prop_assert!(found.end <= bytes.len() as u64);
        }

        #[test]
        fn one_changed_bit_costs_one_record(bit in 0usize..60 * 8) {
            let line = record(&[("name", "begin-install"), ("slot", "B")]).to_line();
            let mut bytes = format!("{line}{line}{line}").into_bytes();
            let at = line.len() * 8 + bit;
            bytes[at / 8] ^= 1 << (at % 8);
            let whole = lines(&bytes).records.len();
            // A line end in the middle makes two bad lines; a lost one takes the next record with it.
            prop_assert!((1..=2).contains(&whole), "{whole}");
        }
    }
}
