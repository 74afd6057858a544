//! Pure: Numbers as C reads them: `strtol` with base 0 (`%lli`) and with base 16 (`%lx`).
//!
//! Unlike C, a number must fill its column: `16K` is an error and not 0x16, and nothing wraps or saturates.

use nom::branch::alt;
use nom::bytes::complete::{tag, tag_no_case};
use nom::character::complete::{digit1, hex_digit1, one_of};
use nom::combinator::{all_consuming, map, opt};
use nom::sequence::preceded;
use nom::{IResult, Parser};

/// Decimal, `0x` hexadecimal or `0` octal, with an optional sign. The error completes "offset ...".
pub(super) fn offset(token: &[u8]) -> Result<i64, String> {
    let (negative, magnitude) = any_base(token).map_err(|why| {
        why.message(
            token,
            "a decimal, 0x... hexadecimal or 0... octal number (hexadecimal needs its 0x here)",
        )
    })?;
    match (negative, i64::try_from(magnitude)) {
        (false, Ok(offset)) => Ok(offset),
        (true, Ok(offset)) => Ok(-offset),
        (_, Err(_)) => Err(Why::TooBig.message(token, "")),
    }
}

/// Decimal, `0x` hexadecimal or `0` octal without a sign. The error completes "size ...".
#[cfg(feature = "yaml")]
pub(super) fn size(token: &[u8]) -> Result<u64, String> {
    let expected = "a decimal, 0x... hexadecimal or 0... octal number of bytes, without a sign or a suffix";
    match any_base(token) {
        Ok((false, size)) => Ok(size),
        Ok((true, _)) => Err(Why::NotANumber.message(token, expected)),
        Err(why) => Err(why.message(token, expected)),
    }
}

/// Hexadecimal with or without `0x`, no sign. The error completes "size ...".
pub(super) fn hex(token: &[u8]) -> Result<u64, String> {
    let mut number = all_consuming(preceded(opt(tag_no_case("0x")), hex_digit1));
    let read: IResult<&[u8], &[u8], ()> = number.parse(token);
    let value = read.map_err(|_| Why::NotANumber).and_then(|(_, digits)| value(digits, 16));
    value.map_err(|why| {
        why.message(token, "a hexadecimal number (with or without 0x, without a sign or a suffix)")
    })
}

enum Why {
    NotANumber,
    TooBig,
}

impl Why {
    fn message(self, token: &[u8], expected: &str) -> String {
        let token = String::from_utf8_lossy(token);
        match self {
            Why::NotANumber => format!("{token:?} is not {expected}"),
            Why::TooBig => format!("{token:?} is too big"),
        }
    }
}

fn any_base(token: &[u8]) -> Result<(bool, u64), Why> {
    let digits = alt((
        map(preceded(tag_no_case("0x"), hex_digit1), |digits| (16, digits)),
        // A lone 0 is not the prefix of an octal number but one.
        map(preceded(tag("0"), digit1), |digits| (8, digits)),
        map(digit1, |digits| (10, digits)),
    ));
    let negative = map(opt(one_of("+-")), |sign| sign == Some('-'));
    let read: IResult<&[u8], _, ()> = all_consuming((negative, digits)).parse(token);
    let (_, (negative, (base, digits))) = read.map_err(|_| Why::NotANumber)?;
    Ok((negative, value(digits, base)?))
}

fn value(digits: &[u8], base: u32) -> Result<u64, Why> {
    digits.iter().try_fold(0u64, |number, &digit| {
        let digit = char::from(digit).to_digit(base).ok_or(Why::NotANumber)?;
        number
            .checked_mul(u64::from(base))
            .and_then(|number| number.checked_add(u64::from(digit)))
            .ok_or(Why::TooBig)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_read_in_any_base_of_c() {
        for (text, value) in [
            ("0", 0),
            ("-0", 0),
            ("0x0000", 0),
            ("0XC0000", 0xc0000),
            ("0xAbC", 0xabc),
            ("-0x20000", -0x20000),
            ("+0x10", 16),
            ("786432", 786_432),
            ("-512", -512),
            ("0777", 0o777),
            ("00", 0),
            ("0x7fffffffffffffff", i64::MAX),
            ("-0x7fffffffffffffff", -i64::MAX),
        ] {
            assert_eq!(offset(text.as_bytes()), Ok(value), "{text}");
        }
        for text in
            ["", "-", "0x", "-0x", "C0000", "08", "1_000", "16K", "0x4000,", "--1", "0x-1", "0b1", "0o7"]
        {
            assert!(offset(text.as_bytes()).unwrap_err().contains("is not a decimal"), "{text}");
        }
        for text in ["0x8000000000000000", "-0x8000000000000000", "99999999999999999999999"] {
            assert_eq!(offset(text.as_bytes()), Err(format!("{text:?} is too big")));
        }
    }

    #[test]
    fn sizes_of_the_legacy_format_are_hexadecimal() {
        for (text, value) in
            [("4000", 0x4000), ("0x4000", 0x4000), ("0X1f000", 0x1f000), ("0", 0), ("10", 16)]
        {
            assert_eq!(hex(text.as_bytes()), Ok(value), "{text}");
        }
        for text in ["", "0x", "16K", "-4000", "+4000", "4000,", "0x4000#", "4 000"] {
            assert!(hex(text.as_bytes()).unwrap_err().contains("is not a hexadecimal"), "{text}");
        }
        assert_eq!(hex(b"10000000000000000"), Err("\"10000000000000000\" is too big".into()));
    }

    #[cfg(feature = "yaml")]
    #[test]
    fn sizes_in_yaml_have_no_sign() {
        assert_eq!(size(b"0x4000"), Ok(0x4000));
        assert_eq!(size(b"16384"), Ok(16384));
        assert_eq!(size(b"040000"), Ok(0x4000));
        assert!(size(b"-0x4000").is_err());
        assert!(size(b"0o40000").is_err());
        assert!(size(b"16 KiB").is_err());
    }
}
