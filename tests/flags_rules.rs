//! Our reading of `.flags` against models of U-Boot's `env/flags.c`, `env/attr.c` and
//! `tools/env/fw_env.c`, written in the shape of the C sources: strings end at a NUL, indices run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use bootslot::env::flags::{validate, Rules, VarAccess, VarType};
use bootslot::Error;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

const TYPES: [(u8, VarType); 6] = [
    (b's', VarType::String),
    (b'd', VarType::Decimal),
    (b'x', VarType::Hex),
    (b'b', VarType::Bool),
    (b'i', VarType::Ip),
    (b'm', VarType::Mac),
];

/// A C string's byte: 0 at and after its end.
fn at(text: &[u8], index: usize) -> u8 {
    text.get(index).copied().unwrap_or(0)
}

fn is_hex_prefix(value: &[u8], from: usize) -> bool {
    at(value, from) == b'0' && (at(value, from + 1) == b'x' || at(value, from + 1) == b'X')
}

/// `skip_num`: where the number that starts at `from` ends.
fn skip_num(hex: bool, value: &[u8], mut from: usize, max_digits: i64) -> usize {
    if hex && is_hex_prefix(value, from) {
        from += 2;
    }
    let mut i = max_digits;
    while i != 0 {
        let byte = at(value, from);
        if (hex && !byte.is_ascii_hexdigit()) || (!hex && !byte.is_ascii_digit()) {
            break;
        }
        from += 1;
        i -= 1;
    }
    from
}

/// `_env_flags_validate_type`.
fn model_validate(value: &[u8], kind: u8) -> bool {
    match kind {
        b's' => true,
        b'd' => at(value, skip_num(false, value, 0, -1)) == 0,
        b'x' => {
            let end = skip_num(true, value, 0, -1);
            at(value, end) == 0 && !(end == 2 && is_hex_prefix(value, 0))
        }
        b'b' => b"1yYtT0nNfF".contains(&at(value, 0)) && at(value, 1) == 0 && at(value, 0) != 0,
        b'i' => {
            let mut cur = 0;
            for i in 0..4 {
                let end = skip_num(false, value, cur, 3);
                if cur == end || (i != 3 && at(value, end) != b'.') || (i == 3 && at(value, end) != 0) {
                    return false;
                }
                cur = end + 1;
            }
            true
        }
        b'm' => {
            let mut cur = 0;
            for i in 0..6 {
                let end = skip_num(true, value, cur, 2);
                if cur == end
                    || (cur + 2 == end && is_hex_prefix(value, cur))
                    || (i != 5 && at(value, end) != b':')
                    || (i == 5 && at(value, end) != 0)
                {
                    return false;
                }
                cur = end + 1;
            }
            true
        }
        _ => unreachable!(),
    }
}

/// `env_attr_lookup` without CONFIG_REGEX: the attributes of the last exact match.
fn model_attributes(list: &[u8], name: &[u8]) -> Option<Vec<u8>> {
    let mut result = None;
    let mut cur = 0;
    while let Some(found) = (cur..list.len()).find(|&i| list[i..].starts_with(name)) {
        let mut prev = found as isize - 1;
        let mut next = found + name.len();
        while prev >= 0 && list[prev as usize] == b' ' {
            prev -= 1;
        }
        while at(list, next) == b' ' {
            next += 1;
        }
        cur = found + 1;
        if found != 0 && prev != -1 && list[prev as usize] != b',' {
            continue;
        }
        if ![b':', b',', 0].contains(&at(list, next)) {
            continue;
        }
        result = Some(found);
    }
    let mut entry = result? + name.len();
    while at(list, entry) == b' ' {
        entry += 1;
    }
    let mut attributes = Vec::new();
    if at(list, entry) == b':' {
        entry += 1;
        while at(list, entry) == b' ' {
            entry += 1;
        }
        while ![b',', b' ', 0].contains(&at(list, entry)) {
            attributes.push(list[entry]);
            entry += 1;
        }
    }
    Some(attributes)
}

/// `env_flags_get_type` and `env_flags_get_varaccess`, without a static list.
fn model_lookup(list: &[u8], name: &[u8]) -> (u8, u8) {
    let attributes = model_attributes(list, name).unwrap_or_default();
    let letter = |index: usize, known: &[u8]| match attributes.get(index) {
        Some(letter) if known.contains(letter) => *letter,
        _ => known[0],
    };
    (letter(0, b"sdxbim"), letter(1, b"arocw"))
}

#[derive(Debug, PartialEq)]
enum Verdict {
    Fine,
    WrongType,
    Refused,
}

/// `fw_env_set` up to the point where it would write: the type, then `fw_env_write`'s access. Unlike
/// there, an empty value is not checked for its type: it deletes.
fn model_set(
    list: &[u8],
    name: &[u8],
    oldval: Option<&[u8]>,
    value: Option<&[u8]>,
    default: Option<&[u8]>,
) -> Verdict {
    let (kind, access) = model_lookup(list, name);
    let has_value = value.is_some_and(|value| !value.is_empty());
    if has_value && !model_validate(value.unwrap(), kind) {
        return Verdict::WrongType;
    }
    const DELETE: u8 = 8;
    const CREATE: u8 = 16;
    const OVERWR: u8 = 32;
    const NONDEF_OVERWR: u8 = 64;
    let mask = match access {
        b'r' => DELETE | CREATE | OVERWR,
        b'o' => DELETE | OVERWR,
        b'c' => DELETE | NONDEF_OVERWR,
        _ => 0,
    };
    let deleting = oldval.is_some() && !has_value;
    let creating = oldval.is_none() && has_value;
    let overwriting = oldval.is_some() && has_value && oldval != value;
    let refused = if deleting {
        mask & DELETE != 0
    } else if overwriting {
        mask & OVERWR != 0 || (mask & NONDEF_OVERWR != 0 && oldval != Some(default.unwrap_or(b"")))
    } else if creating {
        mask & CREATE != 0
    } else {
        false
    };
    if refused {
        Verdict::Refused
    } else {
        Verdict::Fine
    }
}

fn verdict(result: bootslot::Result<()>) -> Verdict {
    match result {
        Ok(()) => Verdict::Fine,
        Err(Error::Value { .. }) => Verdict::WrongType,
        Err(Error::Denied { .. }) => Verdict::Refused,
        Err(other) => panic!("{other}"),
    }
}

/// Values near the borders of the types.
fn typed_value() -> impl Strategy<Value = Vec<u8>> {
    let piece = select(vec![
        "0", "1", "9", "f", "F", "g", "0x", "0X", ".", ":", "x", "y", "T", "n", "12", "abc", "999", " ", "-",
    ]);
    prop_oneof![
        vec(piece, 0..14).prop_map(|pieces| pieces.concat().into_bytes()),
        select(vec![
            "192.168.1.10",
            "999.999.999.999",
            "1.2.3",
            "1.2.3.4.5",
            "1.2.3.",
            "1234.1.1.1",
            "00:11:22:33:44:55",
            "0x0:1:2:3:4:5",
            "0x:1:2:3:4:5",
            "0:1:2:3:4:5:6",
            "0:1:2:3:4",
            "000:1:2:3:4:5",
            "0x123:1:2:3:4:5",
            "0x12:1:2:3:4:5",
            "deadBEEF",
            "0xdeadbeef",
            "0x",
            "0",
            "",
            "y",
            "yes",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
        vec(1..=255u8, 0..6),
    ]
}

fn list() -> impl Strategy<Value = Vec<u8>> {
    let piece = select(vec![
        "a", "b", "ab", "a b", "c", ":", ":", ",", ",", " ", "\t", "s", "d", "x", "o", "r", "w", "so", "dr",
        "xc", "ba", "sw", "zz",
    ]);
    vec(piece, 0..16).prop_map(|pieces| pieces.concat().into_bytes())
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    select(vec!["a", "b", "ab", "c", "s", "aa", "a:b", "a,b", "nowhere"])
        .prop_map(|name| name.as_bytes().to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn types_as_uboot_validates_them(value in typed_value()) {
        for (letter, kind) in TYPES {
            prop_assert_eq!(validate(kind, &value), model_validate(&value, letter), "{:?} {}", kind, value.escape_ascii());
        }
    }

    #[test]
    fn attributes_as_uboot_looks_them_up(list in list(), name in name()) {
        let (kind, access) = model_lookup(&list, &name);
        let kind = TYPES.iter().find(|(letter, _)| *letter == kind).unwrap().1;
        let access = match access {
            b'r' => VarAccess::ReadOnly,
            b'o' => VarAccess::WriteOnce,
            b'c' => VarAccess::ChangeDefault,
            b'w' => VarAccess::Writeable,
            _ => VarAccess::Any,
        };
        prop_assert_eq!(Rules::new(Some(&list), None).lookup(&name), (kind, access), "{}", list.escape_ascii());
    }

    #[test]
    fn changes_as_uboot_decides_them(
        attributes in "[sdxbim][arocw]",
        old in proptest::option::of(select(vec!["1", "2", "0x1", "text"])),
        new in proptest::option::of(select(vec!["", "1", "2", "0x1", "text"])),
        default in proptest::option::of(select(vec!["1", "text"])),
    ) {
        let list = format!("other:sr,v:{attributes}");
        let bytes = |text: Option<&'static str>| text.map(str::as_bytes);
        let ours = Rules::new(Some(list.as_bytes()), None).check(b"v", bytes(old), bytes(new), bytes(default));
        let model = model_set(list.as_bytes(), b"v", bytes(old), bytes(new), bytes(default));
        prop_assert_eq!(verdict(ours), model, "{} {:?} -> {:?} ({:?})", list, old, new, default);
    }
}
