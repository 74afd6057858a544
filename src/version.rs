//! Pure: which of two versions is the newer one, by the rule of the UAPI Group's Version Format Specification.
//!
//! systemd, systemd-sysupdate and the Boot Loader Specification compare in the same way:
//!
//! - `~` is older than anything, even than nothing: `2.0~rc1` is older than `2.0`.
//! - Where one version ends, the longer one is newer: `2.0` is older than `2.0.1` and than `2.0-1`.
//! - Of the separators, `-` is older than `^`, that is older than `.`, and all are older than a letter or digit.
//! - Digits are compared as numbers of any length, letters byte by byte; a letter is older than a digit.
//! - Other characters are passed over.

use std::cmp::Ordering;

/// The order of two versions; equal does not mean that they are the same text: `1.0` and `1.00` are equal.
///
/// Source: <https://uapi-group.org/specifications/specs/version_format_specification/>.
pub fn compare(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    loop {
        a = without_other_characters(a);
        b = without_other_characters(b);
        match separator(&mut a, &mut b, b'~') {
            Ordering::Equal => {}
            unequal => return unequal,
        }
        if a.is_empty() || b.is_empty() {
            return a.len().cmp(&b.len());
        }
        for mark in [b'-', b'^', b'.'] {
            match separator(&mut a, &mut b, mark) {
                Ordering::Equal => {}
                unequal => return unequal,
            }
        }
        let digits = [a, b].iter().any(|text| text.first().is_some_and(u8::is_ascii_digit));
        let belongs = |byte: &u8| if digits { byte.is_ascii_digit() } else { byte.is_ascii_alphabetic() };
        let (mine, rest) = split(a, belongs);
        let (theirs, other_rest) = split(b, belongs);
        let order = if digits { numbers(mine, theirs) } else { mine.cmp(theirs) };
        if order != Ordering::Equal {
            return order;
        }
        (a, b) = (rest, other_rest);
    }
}

/// Passes over one `mark` in each; the version that has it alone is the older one.
fn separator(a: &mut &[u8], b: &mut &[u8], mark: u8) -> Ordering {
    let take = |text: &mut &[u8]| match text.split_first() {
        Some((&first, rest)) if first == mark => {
            *text = rest;
            true
        }
        _ => false,
    };
    let (mine, theirs) = (take(a), take(b));
    theirs.cmp(&mine)
}

fn without_other_characters(text: &[u8]) -> &[u8] {
    let known = |byte: &u8| byte.is_ascii_alphanumeric() || b"~-^.".contains(byte);
    text.iter().position(known).and_then(|at| text.get(at..)).unwrap_or_default()
}

fn split(text: &[u8], belongs: impl Fn(&u8) -> bool) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| !belongs(byte)).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or_default()
}

/// No number at all is older than zero.
fn numbers(a: &[u8], b: &[u8]) -> Ordering {
    let significant = |digits: &[u8]| {
        let zeros = digits.iter().take_while(|&&digit| digit == b'0').count();
        digits.get(zeros..).unwrap_or_default().to_vec()
    };
    let (mine, theirs) = (significant(a), significant(b));
    let given = (!a.is_empty()).cmp(&!b.is_empty());
    given.then(mine.len().cmp(&theirs.len())).then(mine.cmp(&theirs))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of the specification, from the oldest to the newest.
    #[test]
    fn the_order_of_the_specification() {
        let ascending = [
            "~1",
            "",
            "ab",
            "abb",
            "abc",
            "0001",
            "002",
            "12",
            "122",
            "122.9",
            "123~rc1",
            "123",
            "123-a",
            "123-a.1",
            "123-3",
            "123-3.1",
            "123^patch1",
            "123^1",
            "123.a",
            "123.1",
            "123a-1",
            "124",
        ];
        for (i, a) in ascending.iter().enumerate() {
            for (j, b) in ascending.iter().enumerate() {
                assert_eq!(compare(a, b), i.cmp(&j), "{a:?} and {b:?}");
            }
        }
    }

    #[test]
    fn different_texts_can_be_equal() {
        for (a, b) in [("1.0", "1.00"), ("1_0", "1_0"), ("1+0", "1/0"), ("0", "00"), ("", "_")] {
            assert_eq!(compare(a, b), Ordering::Equal, "{a:?} and {b:?}");
        }
        // Numbers of any length.
        assert_eq!(compare("1.99999999999999999999", "1.100000000000000000000"), Ordering::Less);
    }
}
