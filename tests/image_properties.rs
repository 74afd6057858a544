//! Any bytes as an environment: nothing panics, our view is U-Boot's, and after a store every reader
//! has the same one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod models;

use bootslot::env::image::{encode, Image, Layout};
use bootslot::env::redundancy::CopyState;
use bootslot::env::{check_name, Anomaly, Environment};
use models::*;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

fn layout() -> impl Strategy<Value = Layout> {
    select(vec![Layout::Single, Layout::Redundant])
}

/// Bytes that are rich in what records are made of, so that names repeat and odd records are common.
fn odd_data() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        6 => select(&b"ab"[..]),
        3 => Just(b'='),
        3 => Just(0),
        1 => select(&b" \t#\\\n\xff."[..]),
        1 => any::<u8>(),
    ];
    vec(byte, 1..80)
}

fn any_data() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![4 => odd_data(), 1 => vec(any::<u8>(), 1..300)]
}

fn legal_name() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        select(vec!["a", "b", "ab", "ba", "c"]).prop_map(|name| name.as_bytes().to_vec()),
        vec(any::<u8>(), 1..12)
    ]
    .prop_filter("legal", |name| check_name(name).is_ok())
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    vec(1..=255u8, 1..40)
}

fn without_blanks(record: &[u8]) -> &[u8] {
    let blanks = record.iter().take_while(|&&byte| byte == b' ' || byte == b'\t').count();
    &record[blanks..]
}

fn copy_of(data: &[u8]) -> Vec<u8> {
    [&[0; 4], data].concat()
}

fn view(env: &Environment) -> View {
    env.iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect()
}

/// Every name that could be meant by these bytes, and parts of them.
fn names_in(data: &[u8]) -> Vec<Vec<u8>> {
    let mut names: Vec<Vec<u8>> =
        ["", "a", "b", "=", "#", " a", "a=", "a=b"].map(|n| n.as_bytes().to_vec()).into();
    for record in data.split(|&byte| byte == 0) {
        for cut in 0..=record.len() {
            names.push(record[..cut].to_vec());
            names.push(record[cut..].to_vec());
        }
        for part in record.split(|byte| b"= \t#".contains(byte)) {
            names.push(part.to_vec());
        }
    }
    names
}

/// All readers see the variables of `env` in these bytes, and none sees another value for one of them.
fn assert_all_see(env: &Environment, data: &[u8]) -> Result<(), TestCaseError> {
    let expected = view(env);
    prop_assert_eq!(uboot_import(data), Some(expected.clone()));
    let libubootenv = libubootenv_load(data).expect("the list has an end");
    for (name, value) in &expected {
        prop_assert_eq!(fw_getenv(data, name), Some(value.clone()));
        prop_assert_eq!(libubootenv.get(name), Some(value));
    }
    // What they see besides are comments and names without a value.
    for (name, value) in libubootenv {
        prop_assert!(expected.contains_key(&name) || value.is_empty() || name.contains(&b'#'), "{:?}", name);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn our_view_is_what_uboot_loads(data in any_data()) {
        let bytes = copy_of(&data);
        let image = Image::new(Layout::Single, &bytes).unwrap();
        let env = Environment::from_image(&image);
        let has_empty_name = env.anomalies().iter().any(|odd| matches!(odd, Anomaly::EmptyName { .. }));
        match uboot_import(&data) {
            Some(expected) => {
                prop_assert!(!has_empty_name);
                prop_assert_eq!(view(&env), expected);
            }
            None => prop_assert!(has_empty_name),
        }
        prop_assert_eq!(env.len(), env.iter().count());
        prop_assert_eq!(env.is_empty(), env.iter().next().is_none());
    }

    #[test]
    fn a_lookup_in_the_bytes_finds_what_the_environment_has(data in any_data()) {
        let bytes = copy_of(&data);
        let image = Image::new(Layout::Single, &bytes).unwrap();
        let env = Environment::from_image(&image);
        for name in names_in(&data) {
            prop_assert_eq!(image.get(&name), env.get(&name), "{}", name.escape_ascii());
        }
        for (name, value) in env.iter() {
            prop_assert_eq!(image.get(name), Some(value));
            prop_assert_eq!(env.get(name), Some(value));
        }
    }

    #[test]
    fn every_function_takes_any_bytes(bytes in vec(any::<u8>(), 0..200), layout in layout(), name in vec(any::<u8>(), 0..5)) {
        let Some(image) = Image::new(layout, &bytes) else {
            prop_assert!(bytes.len() <= layout.header());
            return Ok(());
        };
        prop_assert_eq!(image.data(), &bytes[layout.header()..]);
        prop_assert_eq!(image.capacity(), bytes.len() - layout.header());
        prop_assert!(image.used() <= image.capacity());
        prop_assert_eq!(image.flags().is_some(), layout == Layout::Redundant);
        prop_assert_eq!(image.state().is_valid(), image.stored_crc() == image.computed_crc());
        prop_assert!(image.records().all(|record| !record.is_empty() && !record.contains(&0)));
        let mut env = Environment::from_image(&image);
        let before = view(&env);
        let changed = env.set(&name, b"x");
        prop_assert_eq!(changed.is_err(), check_name(&name).is_err());
        if changed.is_err() {
            prop_assert_eq!(view(&env), before);
        }
        let _ = env.unset(&name);
        prop_assert_eq!(env.get(&name), None);
        prop_assert!(env.anomalies().iter().all(|odd| !odd.to_string().is_empty()));
        let shown = format!("{image:?} {env:?}");
        prop_assert!(!shown.is_empty());
    }

    #[test]
    fn an_environment_survives_its_bytes(
        variables in vec((legal_name(), value()), 0..20),
        layout in layout(),
        flags: u8,
        fill in select(vec![0, 0xff, 0x5a]),
        room in 0..50usize,
    ) {
        let mut env = Environment::new();
        for (name, value) in &variables {
            env.set(name, value).unwrap();
        }
        let size = layout.header() + env.encoded_len() + room;
        prop_assert!(encode(&env, layout, size - room - 1, flags, fill).is_err());
        let bytes = encode(&env, layout, size, flags, fill).unwrap();
        prop_assert_eq!(bytes.len(), size);
        let image = Image::new(layout, &bytes).unwrap();
        let expected = if layout == Layout::Redundant { flags } else { 0 };
        prop_assert_eq!(image.state(), CopyState::Valid { flags: expected });
        prop_assert!(image.terminated());
        prop_assert_eq!(image.used(), env.encoded_len());
        let tail = &image.data()[image.used()..];
        // The NUL that ends an empty list twice is no fill.
        prop_assert!(tail.iter().skip(usize::from(env.is_empty())).all(|&byte| byte == fill));

        let back = Environment::from_image(&image);
        prop_assert!(back.iter().eq(env.iter()));
        prop_assert!(back.anomalies().is_empty());
        prop_assert_eq!(encode(&back, layout, size, flags, fill).unwrap(), bytes);
    }

    #[test]
    fn after_a_store_every_reader_sees_our_variables(
        data in any_data(),
        changes in vec((legal_name(), vec(1..=255u8, 0..6)), 0..6),
        fill in select(vec![0, 0xff]),
        room in 0..4usize,
    ) {
        let copy = copy_of(&data);
        let mut env = Environment::from_image(&Image::new(Layout::Single, &copy).unwrap());
        let mut expected = view(&env);
        for (name, value) in &changes {
            let changed = env.set(name, value).unwrap();
            let old = match value.is_empty() {
                true => expected.remove(name),
                false => expected.insert(name.clone(), value.clone()),
            };
            prop_assert_eq!(changed, old.unwrap_or_default() != *value);
        }
        prop_assert_eq!(&view(&env), &expected);

        let size = 4 + env.encoded_len() + room;
        let bytes = encode(&env, Layout::Single, size, 0, fill).unwrap();
        assert_all_see(&env, &bytes[4..])?;

        // Storing again, and reading and storing again, gives the same bytes.
        let again = Environment::from_image(&Image::new(Layout::Single, &bytes).unwrap());
        prop_assert_eq!(encode(&again, Layout::Single, size, 0, fill).unwrap(), bytes);
    }

    #[test]
    fn records_that_are_no_variables_survive_a_store(data in odd_data()) {
        let copy = copy_of(&data);
        let image = Image::new(Layout::Single, &copy).unwrap();
        let mut env = Environment::from_image(&image);
        env.set(b"new", b"1").unwrap();
        let bytes = encode(&env, Layout::Single, data.len() + 20, 0, 0).unwrap();
        let comments = |image: &Image<'_>| -> Vec<Vec<u8>> {
            image.records().filter(|record| without_blanks(record).starts_with(b"#")).map(<[u8]>::to_vec).collect()
        };
        let stored = Image::new(Layout::Single, &bytes).unwrap();
        prop_assert_eq!(comments(&stored), comments(&image));
        // A name without a value stays unless a later record has the same name.
        for record in image.records().filter(|record| !record.contains(&b'=') && !record.contains(&b'#')) {
            let name = without_blanks(record);
            let defined_later = env.get(name).is_some() || name == b"new";
            let same_name = |other: &[u8]| {
                let other = without_blanks(other);
                other.strip_suffix(b"=").unwrap_or(other) == name
            };
            prop_assert!(defined_later || stored.records().any(same_name), "{}", record.escape_ascii());
        }
    }
}
