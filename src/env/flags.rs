//! Pure: What `.flags` and a writelist allow: the type of a variable's value, and who may change it.
//!
//! Both are lists `name:attributes,name:attributes`. The attributes are a letter for the type and one
//! for the access, each optional:
//!
//! | type | | access | |
//! |---|---|---|---|
//! | `s` | any string (default) | `a` | any change (default) |
//! | `d` | decimal digits | `r` | none |
//! | `x` | hex digits, `0x` in front or not | `o` | may be created, then no change ("write once") |
//! | `b` | one of `1yYtT0nNfF` | `c` | may be created; changed only while it has its default value |
//! | `i` | IPv4 address | `w` | on a writelist: any change |
//! | `m` | MAC address | | |
//!
//! The decisions are U-Boot's: `env/flags.c` (`_env_flags_validate_type`, `env_flags_validate`),
//! `env/attr.c` (`env_attr_lookup`) and, for what counts as a change, `tools/env/fw_env.c`
//! (`fw_env_write`).
//!
//! Two things that U-Boot knows are not known here: the list that a board compiles in
//! (`CONFIG_ENV_FLAGS_LIST_STATIC`, with `ethaddr:mo` and `serial#:so` in front by default), and that a
//! U-Boot with `CONFIG_REGEX` takes the names as regular expressions (its tools take them literally,
//! and so do we).

use crate::error::{Error, Result};

/// What a value must look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VarType {
    /// `s`: anything.
    String,
    /// `d`: decimal digits.
    Decimal,
    /// `x`: hex digits, with or without `0x`.
    Hex,
    /// `b`: one character that says yes or no.
    Bool,
    /// `i`: four decimal numbers of at most three digits with dots between them.
    Ip,
    /// `m`: six hex numbers of at most two digits with colons between them.
    Mac,
}

impl VarType {
    fn from_letter(letter: u8) -> Self {
        match letter {
            b'd' => VarType::Decimal,
            b'x' => VarType::Hex,
            b'b' => VarType::Bool,
            b'i' => VarType::Ip,
            b'm' => VarType::Mac,
            // U-Boot warns about unknown letters and goes on with the default.
            _ => VarType::String,
        }
    }

    /// What it is, for a message.
    fn what(self) -> &'static str {
        match self {
            VarType::String => "a string",
            VarType::Decimal => "a decimal number",
            VarType::Hex => "a hexadecimal number",
            VarType::Bool => "a yes or no (one of 1yYtT0nNfF)",
            VarType::Ip => "an IPv4 address",
            VarType::Mac => "a MAC address",
        }
    }
}

/// Which changes are allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VarAccess {
    /// `a`: all.
    Any,
    /// `r`: none.
    ReadOnly,
    /// `o`: creation only.
    WriteOnce,
    /// `c`: creation, and a change while the value is the default one.
    ChangeDefault,
    /// `w`: all; the mark that a writelist asks for.
    Writeable,
}

impl VarAccess {
    fn from_letter(letter: u8) -> Self {
        match letter {
            b'r' => VarAccess::ReadOnly,
            b'o' => VarAccess::WriteOnce,
            b'c' => VarAccess::ChangeDefault,
            b'w' => VarAccess::Writeable,
            _ => VarAccess::Any,
        }
    }
}

/// The rules of one environment.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    flags: Option<Vec<u8>>,
    writelist: Option<Vec<u8>>,
}

impl Rules {
    /// The rules from the value of the variable `.flags` and from the configured writelist.
    ///
    /// With a writelist only variables that it lists with the access `w` may be changed at all.
    pub fn new(env_flags_variable: Option<&[u8]>, writelist: Option<&str>) -> Self {
        Rules {
            flags: env_flags_variable.map(<[u8]>::to_vec),
            writelist: writelist.map(|list| list.as_bytes().to_vec()),
        }
    }

    /// The type and the access of a variable: those in `.flags`, else those in the writelist.
    pub fn lookup(&self, name: &[u8]) -> (VarType, VarAccess) {
        let find = |list: &Option<Vec<u8>>| lookup(list.as_deref()?, name);
        find(&self.flags).or_else(|| find(&self.writelist)).unwrap_or((VarType::String, VarAccess::Any))
    }

    /// Whether a variable may go from the value `old` to the value `new`, `None` meaning that it is not
    /// set; an empty value is the same. `default` is its value in the default environment, if known.
    ///
    /// A new value must be of the variable's type even if it is the old one. Nothing else is asked of a
    /// change that changes nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Value`] for a value that is not of the variable's type, [`Error::Denied`] for a change
    /// that its access does not allow.
    pub fn check(
        &self,
        name: &[u8],
        old: Option<&[u8]>,
        new: Option<&[u8]>,
        default: Option<&[u8]>,
    ) -> Result<()> {
        let old = old.filter(|value| !value.is_empty());
        let new = new.filter(|value| !value.is_empty());
        let listed = match &self.writelist {
            Some(list) => lookup(list, name),
            None => None,
        };
        let flagged = self.flags.as_deref().and_then(|list| lookup(list, name));

        if let Some(new) = new {
            for (kind, place) in [(flagged, ".flags"), (listed, "the writelist")] {
                if let Some((kind, _)) = kind {
                    if !validate(kind, new) {
                        let reason = format!("{place} says that it is {}", kind.what());
                        return Err(Error::Value { name: super::lossy(name), reason });
                    }
                }
            }
        }

        let action = match (old, new) {
            (None, Some(_)) => "created",
            (Some(_), None) => "deleted",
            (Some(old), Some(new)) if old != new => "changed",
            _ => return Ok(()),
        };
        let denied =
            |reason: &str| Err(Error::Denied { name: super::lossy(name), action, reason: reason.to_owned() });
        if self.writelist.is_some() && !matches!(listed, Some((_, VarAccess::Writeable))) {
            return denied("the writelist does not have it with the access w");
        }
        match (flagged.map(|(_, access)| access), action) {
            (Some(VarAccess::ReadOnly), _) => denied("it is read-only (.flags)"),
            (Some(VarAccess::WriteOnce), "changed" | "deleted") => denied("it is write-once (.flags)"),
            (Some(VarAccess::ChangeDefault), "deleted") => {
                denied("only its default value may be changed (.flags)")
            }
            (Some(VarAccess::ChangeDefault), "changed") if old != default => denied(match default {
                Some(_) => "its value is no longer the default one (.flags)",
                None => "only its default value may be changed, and the default is not known here (.flags)",
            }),
            _ => Ok(()),
        }
    }
}

/// The attributes of a name in a list: those of its last entry. `None` if it is not there.
///
/// A name stands between commas (or the ends of the list) and a colon, a comma or the end, with any
/// number of spaces around it. Attributes end at a comma or space.
fn lookup(list: &[u8], name: &[u8]) -> Option<(VarType, VarAccess)> {
    if name.is_empty() {
        return None;
    }
    let attributes = (0..list.len()).rev().find_map(|at| {
        let (before, rest) = list.split_at_checked(at)?;
        let after = trim_start(rest.strip_prefix(name)?);
        if !matches!(trim_end(before).last(), None | Some(b',')) {
            return None;
        }
        match after {
            [] | [b',', ..] => Some(&[][..]),
            [b':', attributes @ ..] => Some(trim_start(attributes)),
            _ => None,
        }
    })?;
    let mut letters = attributes.iter().copied().take_while(|byte| !matches!(byte, b',' | b' '));
    let kind = letters.next().map_or(VarType::String, VarType::from_letter);
    let access = letters.next().map_or(VarAccess::Any, VarAccess::from_letter);
    Some((kind, access))
}

/// Without the spaces in front; tabs are no spaces here.
fn trim_start(mut text: &[u8]) -> &[u8] {
    while let [b' ', rest @ ..] = text {
        text = rest;
    }
    text
}

fn trim_end(mut text: &[u8]) -> &[u8] {
    while let [rest @ .., b' '] = text {
        text = rest;
    }
    text
}

/// Whether a value is of a type.
///
/// As in U-Boot an empty value is a number, numbers may be of any length, and an IP address may be
/// 999.999.999.999.
pub fn validate(kind: VarType, value: &[u8]) -> bool {
    match kind {
        VarType::String => true,
        VarType::Decimal => value.iter().all(u8::is_ascii_digit),
        VarType::Hex => match value {
            [b'0', b'x' | b'X', digits @ ..] => !digits.is_empty() && all_hex(digits),
            digits => all_hex(digits),
        },
        VarType::Bool => {
            matches!(value, [b'1' | b'y' | b'Y' | b't' | b'T' | b'0' | b'n' | b'N' | b'f' | b'F'])
        }
        VarType::Ip => {
            parts(value, b'.', 4, |part| matches!(part.len(), 1..=3) && part.iter().all(u8::is_ascii_digit))
        }
        // U-Boot lets every part have its own 0x.
        VarType::Mac => parts(value, b':', 6, |part| {
            let digits = match part {
                [b'0', b'x' | b'X', digits @ ..] => digits,
                digits => digits,
            };
            matches!(digits.len(), 1..=2) && all_hex(digits)
        }),
    }
}

fn all_hex(digits: &[u8]) -> bool {
    digits.iter().all(u8::is_ascii_hexdigit)
}

/// Whether a value is `count` parts with separators between them, each of which is good.
fn parts(value: &[u8], separator: u8, count: usize, good: impl Fn(&[u8]) -> bool) -> bool {
    value.split(|&byte| byte == separator).count() == count
        && value.split(|&byte| byte == separator).all(good)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(flags: &str) -> Rules {
        Rules::new(Some(flags.as_bytes()), None)
    }

    #[test]
    fn the_last_entry_counts_and_spaces_do_not() {
        let rules = rules("a:so, b : dr ,c,a:xa,,d:x,e:zz,f: ,tab\t:d");
        assert_eq!(rules.lookup(b"a"), (VarType::Hex, VarAccess::Any));
        assert_eq!(rules.lookup(b"b"), (VarType::Decimal, VarAccess::ReadOnly));
        assert_eq!(rules.lookup(b"d"), (VarType::Hex, VarAccess::Any));
        // Without attributes, with unknown ones, with none behind the colon, not listed at all.
        for name in ["c", "e", "f", "tab", "nowhere", "so", "", "a:so"] {
            assert_eq!(rules.lookup(name.as_bytes()), (VarType::String, VarAccess::Any), "{name:?}");
        }
    }

    #[test]
    fn names_are_no_patterns() {
        let rules = rules("eth\\d*addr:mr,a.c:sr");
        assert_eq!(rules.lookup(b"eth1addr"), (VarType::String, VarAccess::Any));
        assert_eq!(rules.lookup(b"abc"), (VarType::String, VarAccess::Any));
        assert_eq!(rules.lookup(b"eth\\d*addr"), (VarType::Mac, VarAccess::ReadOnly));
    }

    #[test]
    fn values_of_each_type() {
        let fits: [(VarType, &[&str], &[&str]); 6] = [
            (VarType::String, &["", "x", "ä"], &[]),
            (VarType::Decimal, &["", "0", "0123456789012345678901234567890"], &["-1", "1 ", "0x1", "a"]),
            (VarType::Hex, &["", "0", "0x1f", "0XAB", "ff"], &["0x", "0xg", "x1", "-1", "0x0x1"]),
            (VarType::Bool, &["1", "y", "Y", "t", "T", "0", "n", "N", "f", "F"], &["", "2", "yes", "11"]),
            (
                VarType::Ip,
                &["1.2.3.4", "999.999.999.999"],
                &["", "1.2.3", "1.2.3.4.", "1.2.3.4444", "1..3.4"],
            ),
            (
                VarType::Mac,
                &["00:11:22:aA:bB:cC", "0:1:2:3:4:5", "0x0:1:2:3:4:0x55"],
                &["", "0:1:2:3:4", "0:1:2:3:4:5:6", "000:1:2:3:4:5", "0x:1:2:3:4:5", "g:1:2:3:4:5"],
            ),
        ];
        for (kind, good, bad) in fits {
            for value in good {
                assert!(validate(kind, value.as_bytes()), "{kind:?} {value:?}");
            }
            for value in bad {
                assert!(!validate(kind, value.as_bytes()), "{kind:?} {value:?}");
            }
        }
    }

    #[test]
    fn refusals_say_what_and_why() {
        let rules = rules("r:sr,o:so,c:sc,d:da");
        let say = |name: &str, old: Option<&str>, new: Option<&str>| {
            let (old, new) = (old.map(str::as_bytes), new.map(str::as_bytes));
            rules.check(name.as_bytes(), old, new, Some(b"default")).map_err(|error| error.to_string())
        };
        assert_eq!(
            say("r", Some("1"), Some("2")).unwrap_err(),
            "\"r\" may not be changed: it is read-only (.flags)"
        );
        assert_eq!(
            say("r", None, Some("2")).unwrap_err(),
            "\"r\" may not be created: it is read-only (.flags)"
        );
        assert_eq!(
            say("o", Some("1"), None).unwrap_err(),
            "\"o\" may not be deleted: it is write-once (.flags)"
        );
        assert_eq!(
            say("c", Some("1"), Some("2")).unwrap_err(),
            "\"c\" may not be changed: its value is no longer the default one (.flags)"
        );
        let unknown = rules.check(b"c", Some(b"1"), Some(b"2"), None).unwrap_err();
        let reason = "only its default value may be changed, and the default is not known here (.flags)";
        assert_eq!(unknown.to_string(), format!("\"c\" may not be changed: {reason}"));
        assert_eq!(
            say("c", Some("default"), None).unwrap_err(),
            "\"c\" may not be deleted: only its default value may be changed (.flags)"
        );
        assert_eq!(
            say("d", None, Some("1f")).unwrap_err(),
            "illegal value for \"d\": .flags says that it is a decimal number"
        );
        assert_eq!(say("o", None, Some("1")), Ok(()));
        assert_eq!(say("c", Some("default"), Some("2")), Ok(()));
        assert_eq!(say("r", Some("1"), Some("1")), Ok(()));
        assert_eq!(say("r", None, Some("")), Ok(()));
    }

    #[test]
    fn a_writelist_allows_what_it_marks_and_nothing_else() {
        let rules = Rules::new(Some(b"kept:sr,both:d"), Some("free:sw,number:dw,kept:sw,both:xw,listed:s"));
        let set = |name: &[u8], old: Option<&[u8]>, new: Option<&[u8]>| rules.check(name, old, new, None);
        assert!(set(b"free", None, Some(b"x")).is_ok());
        assert!(set(b"free", Some(b"x"), None).is_ok());
        assert!(set(b"number", Some(b"1"), Some(b"2")).is_ok());
        assert!(matches!(set(b"number", Some(b"1"), Some(b"x")), Err(Error::Value { .. })));
        // Both lists must agree to a change.
        assert!(matches!(set(b"kept", Some(b"1"), Some(b"2")), Err(Error::Denied { .. })));
        assert!(matches!(set(b"both", None, Some(b"ff")), Err(Error::Value { .. })));
        assert!(set(b"both", None, Some(b"10")).is_ok());
        for name in [&b"listed"[..], b"elsewhere"] {
            assert!(matches!(set(name, None, Some(b"1")), Err(Error::Denied { action: "created", .. })));
            assert!(matches!(set(name, Some(b"1"), None), Err(Error::Denied { action: "deleted", .. })));
            assert!(matches!(
                set(name, Some(b"1"), Some(b"2")),
                Err(Error::Denied { action: "changed", .. })
            ));
            assert!(set(name, Some(b"1"), Some(b"1")).is_ok());
        }
        // An empty writelist lists nothing.
        let none = Rules::new(None, Some(""));
        assert!(matches!(none.check(b"a", None, Some(b"1"), None), Err(Error::Denied { .. })));
        assert!(Rules::new(None, None).check(b"a", None, Some(b"1"), None).is_ok());
        assert_eq!(rules.lookup(b"kept"), (VarType::String, VarAccess::ReadOnly));
        assert_eq!(rules.lookup(b"number"), (VarType::Decimal, VarAccess::Writeable));
    }
}
