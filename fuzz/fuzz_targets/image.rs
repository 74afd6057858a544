//! Any bytes as one copy of an environment: nothing panics, our view is that of U-Boot's code, and what
//! we would store in its place is read by U-Boot as the same variables.
#![no_main]

#[path = "../../tests/models/mod.rs"]
mod models;

use bootslot::env::flags::Rules;
use bootslot::env::image::{encode, Image, Layout};
use bootslot::env::{Anomaly, Environment};
use libfuzzer_sys::fuzz_target;
use models::{fw_getenv, libubootenv_load, uboot_import, View};

fn view(env: &Environment) -> View {
    env.iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect()
}

fuzz_target!(|bytes: &[u8]| {
    for layout in [Layout::Single, Layout::Redundant] {
        let Some(image) = Image::new(layout, bytes) else {
            assert!(bytes.len() <= layout.header());
            continue;
        };
        assert!(image.used() <= image.capacity());
        assert_eq!(image.state().is_valid(), image.stored_crc() == image.computed_crc());
        let env = Environment::from_image(&image);
        let ours = view(&env);

        let refused = env.anomalies().iter().any(|odd| matches!(odd, Anomaly::EmptyName { .. }));
        assert_eq!(uboot_import(image.data()), (!refused).then(|| ours.clone()));
        for (name, value) in &ours {
            assert_eq!(image.get(name), Some(&value[..]));
            assert_eq!(env.get(name), Some(&value[..]));
        }
        for record in image.records() {
            assert_eq!(image.get(record), env.get(record));
        }
        assert!(!format!("{image:?}").is_empty());
        assert!(env.anomalies().iter().all(|odd| !odd.to_string().is_empty()));

        stores_the_same(&env, &ours, layout, bytes.len(), image.fill());
        obeys_its_flags(env);
    }
});

/// Storing `env` gives an image in which every reader finds `ours`, and storing that changes nothing.
fn stores_the_same(env: &Environment, ours: &View, layout: Layout, size: usize, fill: u8) {
    let Ok(stored) = encode(env, layout, size, 7, fill) else {
        assert!(env.encoded_len() + layout.header() > size);
        return;
    };
    assert_eq!(stored.len(), size);
    let image = Image::new(layout, &stored).expect("as large as the one before");
    assert!(image.state().is_valid() && image.terminated());
    assert_eq!(uboot_import(image.data()).as_ref(), Some(ours));
    let libubootenv = libubootenv_load(image.data()).expect("a list with an end");
    for (name, value) in ours {
        assert_eq!(fw_getenv(image.data(), name).as_ref(), Some(value));
        assert_eq!(libubootenv.get(name), Some(value));
    }
    let again = encode(&Environment::from_image(&image), layout, size, 7, fill);
    assert_eq!(again.expect("it fitted before"), stored);
}

/// The variables' own `.flags` decide about each of them; a change leaves the others alone.
fn obeys_its_flags(mut env: Environment) {
    let rules =
        Rules::new(env.get(b".flags"), env.get(b"writelist").and_then(|v| std::str::from_utf8(v).ok()));
    let before = view(&env);
    for (name, value) in &before {
        rules.lookup(name);
        let allowed = rules.check(name, Some(value), Some(b"1"), None).is_ok();
        assert_eq!(allowed, rules.check(name, Some(value), Some(b"1"), None).is_ok());
    }
    let Some(name) = before.keys().next() else { return };
    // A name that somebody else stored may be illegal for us; then nothing changes.
    if env.set(name, b"changed").is_ok() {
        let mut expected = before.clone();
        expected.insert(name.clone(), b"changed".to_vec());
        assert_eq!(view(&env), expected);
    } else {
        assert_eq!(view(&env), before);
    }
    env.unset(name).expect("what is there can be deleted");
    assert_eq!(env.get(name), None);
}
