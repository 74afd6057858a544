//! [pure] The extensions of an entry of an archive: pax records (POSIX.1-2017, pax, "pax Extended Header").
//!
//! ```text
//! 30 mtime=1700000000.123456789\n      length of the record in bytes, blank, key, =, value, line end
//! ```
//!
//! Values are bytes, and may hold line ends. A key that means something and is not known is an error: nothing that is said
//! of a file is passed over.

/// What the records say of an entry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pax {
    /// Its path.
    pub path: Option<Vec<u8>>,
    /// What it is a link to.
    pub link: Option<Vec<u8>>,
    /// Bytes of its content.
    pub size: Option<u64>,
    /// The number of its owner.
    pub owner: Option<u64>,
    /// The number of its group.
    pub group: Option<u64>,
    /// When it was changed: seconds since 1970. What was before is taken as 0.
    pub changed: Option<u64>,
    /// Its extended attributes.
    pub extended: Vec<(Vec<u8>, Vec<u8>)>,
}

/// What changes nothing of what is unpacked. Owners are numbers here: names are those of the machine that packed.
const PASSED_OVER: [&str; 6] = ["atime", "ctime", "comment", "uname", "gname", "charset"];

/// An extended attribute, as GNU tar and bsdtar name it.
const EXTENDED: &[u8] = b"SCHILY.xattr.";

impl Pax {
    /// Reads the records.
    ///
    /// Errors: what is wrong with them, as a phrase.
    pub fn parse(bytes: &[u8]) -> Result<Pax, String> {
        let mut pax = Pax::default();
        for record in records(bytes) {
            let (key, value) = record?;
            let shown = String::from_utf8_lossy(key).into_owned();
            let number = || {
                let text = std::str::from_utf8(value).ok();
                let text = text.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
                text.and_then(|text| text.parse().ok())
                    .ok_or_else(|| format!("its record {shown:?} has no number"))
            };
            match key {
                b"path" => pax.path = Some(value.to_vec()),
                b"linkpath" => pax.link = Some(value.to_vec()),
                b"size" => pax.size = Some(number()?),
                b"uid" => pax.owner = Some(number()?),
                b"gid" => pax.group = Some(number()?),
                b"mtime" => pax.changed = Some(seconds(value).ok_or("its record \"mtime\" has no time")?),
                _ => match key.strip_prefix(EXTENDED) {
                    Some(name) if !name.is_empty() && !name.contains(&0) => {
                        pax.extended.push((name.to_vec(), value.to_vec()));
                    }
                    _ if PASSED_OVER.contains(&shown.as_str()) => {}
                    _ => return Err(format!("it has a record {shown:?}, which this program does not know")),
                },
            }
        }
        Ok(pax)
    }
}

/// A header for all entries may say what nobody needs.
///
/// Errors: what it says beside that, as a phrase.
pub fn check_global(bytes: &[u8]) -> Result<(), String> {
    for record in records(bytes) {
        let (key, _) = record?;
        let key = String::from_utf8_lossy(key).into_owned();
        if !PASSED_OVER.contains(&key.as_str()) {
            return Err(format!("a header for all entries says {key:?}, which has to be said of each"));
        }
    }
    Ok(())
}

type Record<'b> = Result<(&'b [u8], &'b [u8]), String>;

fn records(mut rest: &[u8]) -> impl Iterator<Item = Record<'_>> {
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (record, behind) = match first(rest) {
            Some((key, value, behind)) => (Ok((key, value)), behind),
            None => (Err("it has an extension that is none".into()), &[][..]),
        };
        rest = behind;
        Some(record)
    })
}

/// The first record: its key, its value, and what is behind it.
fn first(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let blank = bytes.iter().take(8).position(|&byte| byte == b' ')?;
    let digits = bytes.get(..blank).filter(|digits| digits.iter().all(u8::is_ascii_digit))?;
    let length: usize = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let (record, behind) = bytes.split_at_checked(length)?;
    let text = record.get(blank + 1..)?.strip_suffix(b"\n")?;
    let equals = text.iter().position(|&byte| byte == b'=').filter(|&at| at > 0)?;
    Some((text.get(..equals)?, text.get(equals + 1..)?, behind))
}

/// A time, of which the part behind the point is left out.
fn seconds(value: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(value).ok()?;
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = whole.strip_prefix('-').unwrap_or(whole);
    let legal = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !legal(digits) || !legal(part) {
        return None;
    }
    match whole.starts_with('-') {
        true => Some(0),
        false => digits.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(key: &str, value: &[u8]) -> Vec<u8> {
        let rest = [b" ", key.as_bytes(), b"=", value, b"\n"].concat();
        let length = (rest.len()..).find(|length| rest.len() + length.to_string().len() == *length).unwrap();
        [length.to_string().as_bytes(), &rest].concat()
    }

    #[test]
    fn values_are_bytes() {
        let odd = b"line\nend\0=".to_vec();
        let bytes = [
            record("path", b"a/b"),
            record("SCHILY.xattr.security.capability", &odd),
            record("mtime", b"1700000000.99"),
            record("atime", b"1"),
            record("uid", b"4294967294"),
        ]
        .concat();
        let expected = Pax {
            path: Some(b"a/b".to_vec()),
            owner: Some(4_294_967_294),
            changed: Some(1_700_000_000),
            extended: vec![(b"security.capability".to_vec(), odd)],
            ..Pax::default()
        };
        assert_eq!(Pax::parse(&bytes), Ok(expected));
        for cut in 1..bytes.len() {
            // A cut between two records can't be told from an end.
            let _ = Pax::parse(&bytes[..cut]);
        }
        assert_eq!(Pax::parse(&record("mtime", b"-3.5")).unwrap().changed, Some(0));
    }

    #[test]
    fn nothing_is_passed_over_that_says_something() {
        for (key, value) in [
            ("GNU.sparse.major", "1"),
            ("SCHILY.acl.access", "user::rw-"),
            ("SCHILY.xattr.", "x"),
            ("size", "-1"),
            ("uid", "+1"),
            ("mtime", "yesterday"),
            ("mtime", "1."),
        ] {
            assert!(Pax::parse(&record(key, value.as_bytes())).is_err(), "{key}");
        }
        for wrong in
            [&b"5 a=b\n"[..], b"7 a=b\n", b"x a=b\n", b"6 a=b", b"6 =bb\n", b"999999 a=b\n", b"0 ", b"1 "]
        {
            assert!(Pax::parse(wrong).is_err(), "{wrong:?}");
        }
        assert_eq!(check_global(&record("comment", b"a commit")), Ok(()));
        assert!(check_global(&record("path", b"x")).is_err());
    }
}
