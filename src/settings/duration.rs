//! A length of time as settings have it: a number and its unit, `90s`, `10min`, `6h`, `2d`.

use std::time::Duration;

use toml::Spanned;

use super::wrong::{wrong, Wrong};

const UNITS: [(&str, u64); 4] = [("s", 1), ("min", 60), ("h", 3600), ("d", 86400)];

/// The length of time that a setting names.
pub(super) fn duration(text: Spanned<String>) -> Result<Duration, Wrong> {
    parse(text.get_ref()).ok_or_else(|| {
        wrong(
            &text,
            format!("{:?} is no length of time: a number and s, min, h or d, such as 10min", text.get_ref()),
        )
    })
}

fn parse(text: &str) -> Option<Duration> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let (_, seconds) = UNITS.into_iter().find(|(known, _)| *known == unit.trim())?;
    number.parse::<u64>().ok()?.checked_mul(seconds).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_a_unit() {
        let seconds = |text| parse(text).map(|time| time.as_secs());
        assert_eq!(
            ["90s", "10min", "6 h", "2d"].map(seconds),
            [Some(90), Some(600), Some(21600), Some(172_800)]
        );
        for wrong in
            ["", "s", "90", "1.5h", "-1s", "6hours", "99999999999999999999d", "18446744073709551615d"]
        {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }
}
