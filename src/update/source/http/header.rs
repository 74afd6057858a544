//! Pure: what a server's headers say (RFC 9110). Whatever they hold, it is bytes from a stranger.

use std::ops::Range;
use std::time::Duration;

/// Content-Range: `bytes 0-99/1000`, or with `*` for an unknown length (RFC 9110, 14.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentRange {
    /// The bytes that follow; `None` where the range that was asked for can't be had.
    pub bytes: Option<Range<u64>>,
    /// The length of the whole.
    pub total: Option<u64>,
}

impl ContentRange {
    /// Reads the header. `None` for another unit than bytes, and for what is no range at all.
    pub fn parse(text: &str) -> Option<ContentRange> {
        let (unit, rest) = text.trim().split_once(' ')?;
        if !unit.eq_ignore_ascii_case("bytes") {
            return None;
        }
        let (bytes, total) = rest.trim().split_once('/')?;
        let total = if total == "*" { None } else { Some(number(total)?) };
        if bytes == "*" {
            return total.is_some().then_some(ContentRange { bytes: None, total });
        }
        let (first, last) = bytes.split_once('-')?;
        let (first, end) = (number(first)?, number(last)?.checked_add(1)?);
        let whole = first < end && total.is_none_or(|total| end <= total);
        whole.then_some(ContentRange { bytes: Some(first..end), total })
    }
}

/// Content-Length. Equal values that are given several times are one (RFC 9110, 8.6).
pub fn content_length(text: &str) -> Option<u64> {
    let mut values = text.split(',').map(|value| number(value.trim()));
    let first = values.next()??;
    values.all(|value| value == Some(first)).then_some(first)
}

/// Digits and nothing else: Rust's own parser would take a plus sign, too.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// What a server says of the version of the bundle that it has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Version {
    /// Its entity tag, only if it is a strong one: equal strong tags stand for equal bytes, weak ones do not
    /// (RFC 9110, 8.8.3).
    pub etag: Option<String>,
    /// The time of its last change, as it was sent: it is only compared.
    pub modified: Option<String>,
    /// Bytes of the whole.
    pub len: Option<u64>,
}

impl Version {
    /// Takes the version from the headers.
    pub fn new(etag: Option<&str>, modified: Option<&str>, len: Option<u64>) -> Version {
        let etag = etag.map(str::trim).filter(|tag| is_strong(tag)).map(str::to_owned);
        Version { etag, modified: modified.map(|text| text.trim().to_owned()), len }
    }

    /// Whether `other`, which was sent later, is the same.
    ///
    /// Errors: what differs, as a phrase.
    pub fn same(&self, other: &Version) -> Result<(), String> {
        match (self.len, other.len) {
            (Some(old), Some(new)) if old != new => {
                return Err(format!("it had {old} bytes, and has {new} now"));
            }
            _ => {}
        }
        // The strong tag decides. Two servers behind one name may have different times for the same file.
        let (name, old, new) = match &self.etag {
            Some(_) => ("ETag", &self.etag, &other.etag),
            None => ("Last-Modified", &self.modified, &other.modified),
        };
        match (old, new) {
            (Some(old), Some(new)) if old != new => Err(format!("its {name} was {old}, and is {new} now")),
            (Some(old), None) => Err(format!("its {name} was {old}, and it has none now")),
            _ => Ok(()),
        }
    }

    /// Learns the length where it was not known.
    pub fn complete(&mut self, len: Option<u64>) {
        self.len = self.len.or(len);
    }
}

/// `"..."` without the `W/` of a weak one.
fn is_strong(tag: &str) -> bool {
    let inner = tag.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inner.is_some_and(|inner| !inner.contains('"'))
}

/// How long Retry-After asks to wait: seconds, or a date, which counts from the server's own clock (Date), since a
/// device's may be wrong; `now` is the device's, in seconds since 1970, where the server does not tell its time.
pub fn retry_after(text: &str, date: Option<&str>, now: u64) -> Option<Duration> {
    let text = text.trim();
    if let Some(seconds) = number(text).filter(|_| !text.is_empty()) {
        return Some(Duration::from_secs(seconds));
    }
    let then = http_date(text)?;
    let now = date.and_then(http_date).unwrap_or(now);
    Some(Duration::from_secs(then.saturating_sub(now)))
}

/// Seconds since 1970 of a date such as `Sun, 06 Nov 1994 08:49:37 GMT`. The two obsolete forms (RFC 9110, 5.6.7) are
/// not read: no server that is alive sends them.
pub fn http_date(text: &str) -> Option<u64> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (_, rest) = text.trim().split_once(", ")?;
    let mut words = rest.split(' ');
    let mut word = || words.next();
    let (day, month, year, time, zone) = (word()?, word()?, word()?, word()?, word()?);
    if word().is_some() || zone != "GMT" {
        return None;
    }
    let month = MONTHS.iter().position(|name| *name == month)? as u64 + 1;
    let (day, year) = (number(day)?, number(year)?);
    let mut parts = time.split(':').map(|part| number(part).filter(|_| part.len() == 2));
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    let possible = (1..=31).contains(&day) && (1970..=9999).contains(&year);
    if !possible || parts.next().is_some() || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    // Days since 1970, with years that start in March, so that the leap day is the last one.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1;
    // 719468: the days from 0000-03-01 to 1970-01-01. January and February of 1970 are in the year 1969.
    Some((days.checked_sub(719_468)? * 24 + hour) * 3600 + minute * 60 + second)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::single_range_in_vec_init)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read() {
        let range = |bytes, total| Some(ContentRange { bytes, total });
        assert_eq!(ContentRange::parse("bytes 0-99/1000"), range(Some(0..100), Some(1000)));
        assert_eq!(ContentRange::parse(" Bytes 5-5/* "), range(Some(5..6), None));
        assert_eq!(ContentRange::parse("bytes */1000"), range(None, Some(1000)));
        for bad in [
            "",
            "bytes",
            "bytes 0-99",
            "bytes */*",
            "items 0-99/1000",
            "bytes 100-99/1000",
            "bytes 0-1000/1000",
            "bytes +0-99/1000",
            "bytes -99/1000",
            "bytes 0-/1000",
            "bytes 0-18446744073709551615/*",
            "bytes 0-99/1000, bytes 200-299/1000",
        ] {
            assert_eq!(ContentRange::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn lengths_are_read() {
        assert_eq!(content_length("12"), Some(12));
        assert_eq!(content_length("12, 12"), Some(12));
        for bad in ["", "12, 13", "-1", "+1", "1e3", "99999999999999999999"] {
            assert_eq!(content_length(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn versions_are_compared_by_what_proves_something() {
        let version = |etag, modified, len| Version::new(etag, modified, len);
        let strong = version(Some("\"a\""), Some("Mon"), Some(5));
        assert_eq!(strong.same(&version(Some(" \"a\""), Some("Tue"), None)), Ok(()));
        assert!(strong.same(&version(Some("\"b\""), Some("Mon"), Some(5))).unwrap_err().contains("ETag"));
        assert!(strong.same(&version(None, Some("Mon"), Some(5))).unwrap_err().contains("none now"));
        assert!(strong
            .same(&version(Some("\"a\""), Some("Mon"), Some(6)))
            .unwrap_err()
            .contains("has 6 now"));
        let weak = version(Some("W/\"a\""), Some("Mon"), Some(5));
        assert_eq!(weak.etag, None);
        assert_eq!(weak.same(&version(Some("W/\"b\""), Some("Mon"), Some(5))), Ok(()));
        assert!(weak.same(&version(Some("W/\"a\""), Some("Tue"), Some(5))).is_err());
        let none = version(None, None, Some(5));
        assert_eq!(none.same(&strong), Ok(()));
        assert!(none.same(&version(None, None, Some(4))).is_err());
    }

    #[test]
    fn dates_are_read() {
        assert_eq!(http_date("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        assert_eq!(http_date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        assert_eq!(http_date("Thu, 29 Feb 2024 23:59:59 GMT"), Some(1_709_251_199));
        assert_eq!(http_date("Fri, 01 Mar 2024 00:00:00 GMT"), Some(1_709_251_200));
        assert_eq!(http_date("Fri, 31 Dec 9999 23:59:59 GMT"), Some(253_402_300_799));
        for bad in [
            "",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "Sun, 06 Nov 1994 08:49:37 CET",
            "Sun, 06 Nov 1994 24:49:37 GMT",
            "Sun, 00 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1969 08:49:37 GMT",
            "Sun, 06 Nov 99999999999 08:49:37 GMT",
            "Sun, 06 Nov 1994 8:49:37 GMT",
        ] {
            assert_eq!(http_date(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_date_counts_from_the_servers_clock() {
        let seconds = |text, date, now| retry_after(text, date, now).map(|wait| wait.as_secs());
        assert_eq!(seconds(" 120 ", None, 0), Some(120));
        let (date, later) = ("Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:50:07 GMT");
        // The device believes that it is 1970.
        assert_eq!(seconds(later, Some(date), 0), Some(30));
        assert_eq!(seconds(later, None, 784_111_797), Some(10));
        assert_eq!(seconds(date, Some(later), 0), Some(0));
        for bad in ["", "soon", "-1", "99999999999999999999"] {
            assert_eq!(seconds(bad, Some(date), 0), None, "{bad:?}");
        }
    }
}
