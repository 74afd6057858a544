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

/// How many names of one input are looked up. Each lookup reads the whole list, and 4 KiB may hold a thousand names.
const LOOKED_UP: usize = 12;

/// Some of `count` items, spread over all of them. Other bytes have others.
fn some<T>(items: impl IntoIterator<Item = T>, count: usize, bytes: &[u8]) -> impl Iterator<Item = T> {
    let step = count.div_ceil(LOOKED_UP).max(1);
    items.into_iter().skip(crc32fast::hash(bytes) as usize % step).step_by(step)
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
            assert_eq!(env.get(name), Some(&value[..]));
        }
        for (name, value) in some(&ours, ours.len(), bytes) {
            assert_eq!(image.get(name), Some(&value[..]));
        }
        for record in some(image.records(), image.records().count(), bytes) {
            assert_eq!(image.get(record), env.get(record));
        }
        assert!(!format!("{image:?}").is_empty());
        let odd = env.anomalies();
        assert!(some(odd, odd.len(), bytes).all(|odd| !odd.to_string().is_empty()));

        stores_the_same(&env, &ours, layout, bytes, image.fill());
        obeys_its_flags(env, &ours, bytes);
    }
});

/// Storing `env` gives an image in which every reader finds `ours`, and storing that changes nothing.
fn stores_the_same(env: &Environment, ours: &View, layout: Layout, bytes: &[u8], fill: u8) {
    let size = bytes.len();
    let Ok(stored) = encode(env, layout, size, 7, fill) else {
        assert!(env.encoded_len() + layout.header() > size);
        return;
    };
    assert_eq!(stored.len(), size);
    let image = Image::new(layout, &stored).expect("as large as the one before");
    assert!(image.state().is_valid() && image.terminated());
    assert_eq!(uboot_import(image.data()).as_ref(), Some(ours));
    let libubootenv = libubootenv_load(image.data()).expect("a list with an end");
    assert!(ours.iter().all(|(name, value)| libubootenv.get(name) == Some(value)));
    for (name, value) in some(ours, ours.len(), bytes) {
        assert_eq!(fw_getenv(image.data(), name).as_ref(), Some(value));
    }
    let again = encode(&Environment::from_image(&image), layout, size, 7, fill);
    assert_eq!(again.expect("it fitted before"), stored);
}

/// The variables' own `.flags` decide about each of them; a change leaves the others alone.
fn obeys_its_flags(mut env: Environment, ours: &View, bytes: &[u8]) {
    let rules =
        Rules::new(env.get(b".flags"), env.get(b"writelist").and_then(|v| std::str::from_utf8(v).ok()));
    for (name, value) in some(ours, ours.len(), bytes) {
        rules.lookup(name);
        let allowed = rules.check(name, Some(value), Some(b"1"), None).is_ok();
        assert_eq!(allowed, rules.check(name, Some(value), Some(b"1"), None).is_ok());
    }
    let Some(changed) = ours.keys().next() else { return };
    // A name that somebody else stored may be illegal for us; then nothing changes.
    let is_set = env.set(changed, b"changed").is_ok();
    assert_eq!(env.len(), ours.len());
    for (name, value) in env.iter() {
        let expected =
            if is_set && name == changed { Some(&b"changed"[..]) } else { ours.get(name).map(Vec::as_slice) };
        assert_eq!(Some(value), expected);
    }
    env.unset(changed).expect("what is there can be deleted");
    assert_eq!(env.get(changed), None);
}
