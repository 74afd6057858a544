//! Environments that U-Boot and other tools stored, and what U-Boot made of crafted ones: our view is
//! theirs. The files and how they were made: `tests/data/README.md`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use bootslot::env::flags::Rules;
use bootslot::env::image::{encode, Image, Layout};
use bootslot::env::redundancy::{choose, CopyState, FlagScheme, Why};
use bootslot::env::{Anomaly, Environment};

const NOR_COPY: usize = 0x40000;
const FILE_COPY: usize = 0x4000;

fn data(file: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(file);
    let packed = std::fs::File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(packed).read_to_end(&mut bytes).unwrap();
    bytes
}

fn environment(bytes: &[u8]) -> Environment {
    Environment::from_image(&Image::new(Layout::Redundant, bytes).unwrap())
}

/// What U-Boot keeps of a value that lies on the medium: a backslash goes, what follows it stays.
fn unescaped(value: &[u8]) -> Vec<u8> {
    let mut bytes = value.iter().copied();
    let mut result = Vec::new();
    while let Some(byte) = bytes.next() {
        result.push(if byte == b'\\' { bytes.next().unwrap_or(byte) } else { byte });
    }
    result
}

/// What U-Boot writes for a value that it has.
fn escaped(value: &[u8]) -> Vec<u8> {
    value.iter().flat_map(|&byte| if byte == b'\\' { vec![byte, byte] } else { vec![byte] }).collect()
}

/// The tables of a fixture file: `[[image]]`, `[[image.printenv]]`, and lines `key = value`.
struct Table {
    kind: String,
    keys: BTreeMap<String, String>,
}

impl Table {
    /// All tables of a file. Knows what the fixtures use of TOML, no more.
    fn read(file: &str) -> Vec<Table> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(file);
        let mut tables: Vec<Table> = Vec::new();
        for line in std::fs::read_to_string(path).unwrap().lines() {
            if let Some(kind) = line.strip_prefix("[[").and_then(|line| line.strip_suffix("]]")) {
                tables.push(Table { kind: kind.to_owned(), keys: BTreeMap::new() });
            } else if !line.is_empty() && !line.starts_with('#') {
                let (key, value) = line.split_once(" = ").unwrap_or_else(|| panic!("{line}"));
                tables.last_mut().unwrap().keys.insert(key.to_owned(), value.to_owned());
            }
        }
        tables
    }

    fn raw(&self, key: &str) -> &str {
        self.keys.get(key).unwrap_or_else(|| panic!("no {key} in {:?}", self.keys))
    }

    /// A string, or the bytes of its `_hex` form.
    fn bytes(&self, key: &str) -> Vec<u8> {
        match self.keys.get(&format!("{key}_hex")) {
            Some(hex) => {
                let hex = hex.trim_matches('"');
                (0..hex.len())
                    .step_by(2)
                    .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
                    .collect()
            }
            None => {
                let text = self.raw(key);
                unescaped(&text.as_bytes()[1..text.len() - 1])
            }
        }
    }

    fn text(&self, key: &str) -> String {
        String::from_utf8(self.bytes(key)).unwrap()
    }

    fn numbers(&self, key: &str) -> [u8; 2] {
        let list = self.raw(key).trim_matches(['[', ']']);
        let numbers: Vec<u8> = list.split(", ").map(|number| number.parse().unwrap()).collect();
        numbers.try_into().unwrap()
    }
}

#[test]
fn odd_bytes_mean_to_us_what_they_mean_to_uboot() {
    let mut images = 0;
    let mut answers = 0;
    let mut saved: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    let tables = Table::read("uboot-semantics.toml");
    let mut tables = tables.iter().peekable();
    while let Some(image_table) = tables.next() {
        assert_eq!(image_table.kind, "image");
        let file = image_table.text("file");
        let taken = image_table.raw("environment_taken") == "true";
        let bytes = data(&file);
        assert_eq!(bytes.len(), NOR_COPY);
        let image = Image::new(Layout::Redundant, &bytes).unwrap();
        let env = environment(&bytes);
        let rules = Rules::new(env.get(b".flags"), None);
        images += 1;

        let too_many = env.anomalies().contains(&Anomaly::ManyVariables { count: 600 });
        assert_eq!(too_many, file == "odd-variables-600.bin.gz");

        // U-Boot refuses exactly those that we call invalid or report as unloadable.
        let no_name = env.anomalies().iter().any(|odd| matches!(odd, Anomaly::EmptyName { .. }));
        assert_eq!(taken, image.state() == CopyState::Valid { flags: 1 } && !no_name, "{file}");

        saved.clear();
        while let Some(table) = tables.next_if(|table| table.kind != "image") {
            if table.kind == "image.saved" {
                saved.insert(table.bytes("name"), table.bytes("value"));
                continue;
            }
            assert_eq!(table.kind, "image.printenv");
            let name = table.bytes("name");
            let theirs = (table.raw("defined") == "true").then(|| table.bytes("value"));
            answers += 1;
            if !taken {
                continue;
            }
            let ours = env.get(&name);
            assert_eq!(image.get(&name), ours, "{file}: {}", name.escape_ascii());
            // Two things that keep U-Boot from loading a variable are no matter of the bytes: what
            // .flags refuses, and the size of its hash table.
            let refused = rules.check(&name, None, ours, None).is_err();
            let no_place = too_many && env.iter().position(|(other, _)| other == name) >= Some(521);
            let loaded = ours.filter(|_| !refused && !no_place).map(unescaped);
            assert_eq!(loaded, theirs, "{file}: {}", name.escape_ascii());
        }

        // What U-Boot saves right after loading is our whole list, sorted and with its backslashes.
        if taken && !saved.is_empty() {
            let ours: BTreeMap<_, _> = env
                .iter()
                .filter(|(name, value)| rules.check(name, None, Some(value), None).is_ok())
                .map(|(name, value)| (name.to_vec(), escaped(&unescaped(value))))
                .collect();
            assert_eq!(ours, saved, "{file}");
        }
    }
    assert!(images >= 35 && answers >= 100, "{images} images, {answers} answers");
}

#[test]
fn flags_choose_the_copy_that_uboot_chooses_on_nor() {
    let tables = Table::read("uboot-nor-choice.toml");
    for table in &tables {
        let flags = table.numbers("flags");
        let copies: Vec<&str> = table.raw("copies").trim_matches(['[', ']']).split(", ").collect();
        let state = |copy: usize| match copies[copy] {
            "\"ok\"" => CopyState::Valid { flags: flags[copy] },
            "\"crc-bad\"" => CopyState::BadCrc,
            "\"erased\"" => CopyState::Blank,
            other => panic!("{other}"),
        };
        let choice = choose(FlagScheme::Boolean, [state(0), state(1)]);
        let ours: i32 = choice.current.map_or(-1, |copy| copy as i32);
        let theirs: i32 = table.raw("taken").parse().unwrap();
        if matches!(choice.why, Why::UnknownFlags { .. }) {
            // This is 2025.01; we do as v2026.07 and newer.
            assert_eq!((ours, theirs), (0, 1), "{flags:?}");
        } else {
            assert_eq!(ours, theirs, "{flags:?} {copies:?}");
        }
    }
    assert!(tables.len() >= 38, "{}", tables.len());
}

/// Both copies of what U-Boot stored on NOR, and the one that is current.
fn nor(file: &str) -> (Vec<u8>, usize) {
    let bytes = data(file);
    assert_eq!(bytes.len(), 2 * NOR_COPY);
    let states =
        [0, NOR_COPY].map(|at| Image::new(Layout::Redundant, &bytes[at..at + NOR_COPY]).unwrap().state());
    let choice = choose(FlagScheme::Boolean, states);
    let current = choice.current.unwrap();
    let at = current * NOR_COPY;
    (bytes[at..at + NOR_COPY].to_vec(), current)
}

#[test]
fn environments_that_uboot_stored_on_nor() {
    for (file, copy, step) in [
        ("uboot-nor-first.bin.gz", 0, "one"),
        ("uboot-nor-second.bin.gz", 1, "two"),
        ("uboot-nor-values.bin.gz", 0, "two"),
        ("uboot-nor-flags.bin.gz", 1, "two"),
    ] {
        let (bytes, current) = nor(file);
        assert_eq!(current, copy, "{file}");
        let image = Image::new(Layout::Redundant, &bytes).unwrap();
        assert_eq!(image.state(), CopyState::Valid { flags: 1 });
        assert!(image.terminated());
        let env = environment(&bytes);
        assert!(env.anomalies().is_empty(), "{file}: {:?}", env.anomalies());
        assert_eq!(env.get(b"step"), Some(step.as_bytes()), "{file}");
        assert!(env.iter().map(|(name, _)| name).is_sorted(), "U-Boot stores in order of names");
        // Nothing is lost, to the byte.
        assert_eq!(encode(&env, Layout::Redundant, NOR_COPY, 1, image.fill()).unwrap(), bytes, "{file}");
    }
    let (bytes, _) = nor("uboot-nor-values.bin.gz");
    let backslashes = environment(&bytes).iter().any(|(_, value)| value == br"a\\b\\\\c");
    assert!(backslashes, "values are the bytes of the medium");

    let (bytes, _) = nor("uboot-nor-flags.bin.gz");
    let env = environment(&bytes);
    let rules = Rules::new(env.get(b".flags"), None);
    assert!(env.get(b".flags").is_some());
    for (name, value) in env.iter() {
        let (kind, _) = rules.lookup(name);
        assert!(bootslot::env::flags::validate(kind, value), "{}", name.escape_ascii());
    }
}

#[test]
fn environments_made_by_tools_on_a_pc() {
    let single = |file: &str| {
        let bytes = data(file);
        assert_eq!(bytes.len(), FILE_COPY, "{file}");
        bytes
    };
    let made = single("mkenvimage-single.bin.gz");
    let image = Image::new(Layout::Single, &made).unwrap();
    assert_eq!(image.state(), CopyState::Valid { flags: 0 });
    assert_eq!(image.fill(), 0xff);
    let env = Environment::from_image(&image);
    assert_eq!(env.len(), 5);
    assert_eq!(encode(&env, Layout::Single, FILE_COPY, 0, 0xff).unwrap(), made);

    let zero_padded = single("mkenvimage-single-zero-padded.bin.gz");
    assert_eq!(Image::new(Layout::Single, &zero_padded).unwrap().fill(), 0);
    assert_eq!(encode(&env, Layout::Single, FILE_COPY, 0, 0).unwrap(), zero_padded);

    let redundant = single("mkenvimage-redundant.bin.gz");
    assert_eq!(encode(&env, Layout::Redundant, FILE_COPY, 1, 0xff).unwrap(), redundant);

    // The CRC of a big-endian board is bad on a little-endian one, and the other way round.
    let big_endian = single("mkenvimage-single-bigendian.bin.gz");
    let image = Image::new(Layout::Single, &big_endian).unwrap();
    assert_eq!(image.stored_crc().swap_bytes(), image.computed_crc());
    assert_eq!(image.state(), CopyState::BadCrc);

    // The same three changes by both tools and by us.
    let mut changed = env.clone();
    changed.set(b"active_slot", b"B").unwrap();
    changed.set(b"spaces", br"two words and a \ backslash").unwrap();
    changed.unset(b"bootdelay").unwrap();
    let sorted = |env: &Environment| -> BTreeMap<Vec<u8>, Vec<u8>> {
        env.iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect()
    };
    for file in ["libubootenv-single.bin.gz", "uboot-single.bin.gz"] {
        let bytes = single(file);
        let image = Image::new(Layout::Single, &bytes).unwrap();
        assert_eq!(image.state(), CopyState::Valid { flags: 0 }, "{file}");
        assert_eq!(sorted(&Environment::from_image(&image)), sorted(&changed), "{file}");
    }
    for file in ["libubootenv-serial.bin.gz", "uboot-serial.bin.gz"] {
        let bytes = data(file);
        assert_eq!(bytes.len(), 2 * FILE_COPY, "{file}");
        let (first, second) = bytes.split_at(FILE_COPY);
        let images = [first, second].map(|bytes| Image::new(Layout::Redundant, bytes).unwrap());
        let states = images.map(|image| image.state());
        let choice = choose(FlagScheme::Serial, states);
        let current = choice.current.unwrap();
        assert_eq!(sorted(&Environment::from_image(&images[current])), sorted(&changed), "{file}");
        assert!(matches!(choice.why, Why::Newer { .. }), "{file}: {}", choice.why);
    }
}
