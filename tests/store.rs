//! The store on real files: what is written, what is refused, and the bytes afterwards.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use bootslot::config::{Device, EnvConfig};
use bootslot::env::image::{encode, Layout, FLAGS_OFFSET};
use bootslot::env::redundancy::{CopyState, Why};
use bootslot::env::Environment;
use bootslot::lock::LockPath;
use bootslot::store::{Commit, Conversion, Repair, Store, StoreOptions};
use bootslot::Error;

const SIZE: u64 = 8192;

fn device(path: &Path, offset: i64) -> Device {
    Device { path: path.into(), offset, size: SIZE, sector_size: 0, sectors: 0, disable_lock: false }
}

fn config(devices: Vec<Device>) -> EnvConfig {
    EnvConfig { namespace: None, devices, lockfile: None, writelist: None }
}

struct Home {
    dir: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        Home { dir: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn open(&self, config: &EnvConfig) -> Result<Store, Error> {
        let lock = Some(LockPath::Directory(self.dir.path().into()));
        Store::open(config, &StoreOptions { lock, ..StoreOptions::default() })
    }

    /// A redundant environment in one file with `foo=1`, stored twice, so that copy 1 is current.
    fn redundant(&self) -> (PathBuf, EnvConfig) {
        let path = self.path("env");
        fs::write(&path, vec![0; 2 * SIZE as usize]).unwrap();
        let config = config(vec![device(&path, 0), device(&path, SIZE as i64)]);
        let mut store = self.open(&config).unwrap();
        let mut change = store.begin_or_init(Environment::new()).unwrap();
        change.set(b"foo", b"0").unwrap();
        change.set(b"bar", b"kept").unwrap();
        assert!(matches!(change.commit().unwrap(), Commit::Stored { copy: 0, .. }));
        let mut change = store.begin().unwrap();
        change.set(b"foo", b"1").unwrap();
        assert!(matches!(change.commit().unwrap(), Commit::Stored { copy: 1, .. }));
        (path, config)
    }
}

fn get(store: &mut Store, name: &str) -> Option<String> {
    store.load().unwrap().get(name.as_bytes()).map(|v| String::from_utf8(v.to_vec()).unwrap())
}

fn set(store: &mut Store, name: &str, value: &str) -> Result<Commit, Error> {
    let mut change = store.begin()?;
    change.set(name.as_bytes(), value.as_bytes())?;
    change.commit()
}

#[test]
fn stores_alternate_and_each_is_read_back() {
    let home = Home::new();
    let (_, config) = home.redundant();
    let mut store = home.open(&config).unwrap();
    for i in 0..600 {
        let copy = match set(&mut store, "foo", &format!("v{i}")).unwrap() {
            Commit::Stored { copy, .. } => copy,
            other => panic!("{other:?}"),
        };
        assert_eq!(copy, i % 2);
        assert_eq!(get(&mut store, "foo").unwrap(), format!("v{i}"));
        assert_eq!(get(&mut home.open(&config).unwrap(), "bar").unwrap(), "kept");
    }
}

#[test]
fn a_small_change_writes_little_and_syncs_each_copy_once() {
    let home = Home::new();
    let (_, config) = home.redundant();
    let mut store = home.open(&config).unwrap();
    set(&mut store, "foo", "2").unwrap();
    match set(&mut store, "foo", "3").unwrap() {
        Commit::Stored { stats, .. } => {
            assert_eq!((stats.bytes, stats.syncs, stats.erases), (512, 2, 0));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn no_change_is_no_write() {
    let home = Home::new();
    let (path, config) = home.redundant();
    let mut store = home.open(&config).unwrap();
    let before = (fs::read(&path).unwrap(), fs::metadata(&path).unwrap().modified().unwrap());
    assert_eq!(set(&mut store, "foo", "1").unwrap(), Commit::Unchanged);
    let mut change = store.begin().unwrap();
    assert!(change.set(b"foo", b"other").unwrap());
    assert!(change.set(b"new", b"x").unwrap());
    assert!(change.unset(b"new").unwrap());
    assert!(change.set(b"foo", b"1").unwrap());
    assert_eq!(change.commit().unwrap(), Commit::Unchanged);
    drop(store.begin().unwrap());
    assert_eq!(before, (fs::read(&path).unwrap(), fs::metadata(&path).unwrap().modified().unwrap()));
}

#[test]
fn what_is_refused_changes_no_byte() {
    let home = Home::new();
    let (path, mut config) = home.redundant();
    config.writelist = Some("foo:dw,bar:sw".into());
    let before = fs::read(&path).unwrap();
    let mut store = home.open(&config).unwrap();
    let room = SIZE as usize - 5;
    let longest = room - "foo=1\0bar=\0\0".len();
    for (name, value, expected) in [
        ("", "x".to_string(), "Name"),
        ("a b", "x".to_string(), "Name"),
        ("a=b", "x".to_string(), "Name"),
        ("a\nb", "x".to_string(), "Name"),
        ("foo", "x\0y".to_string(), "Value"),
        ("foo", "no number".to_string(), "Value"),
        ("other", "x".to_string(), "Denied"),
        ("bar", "x".repeat(longest + 1), "TooBig"),
    ] {
        let error = set(&mut store, name, &value).unwrap_err();
        assert!(format!("{error:?}").starts_with(expected), "{name} {error:?}");
        assert_eq!(fs::read(&path).unwrap(), before);
    }
    // To the byte: one less fits.
    set(&mut store, "bar", &"x".repeat(longest)).unwrap();
    assert_eq!(get(&mut store, "bar").unwrap().len(), longest);
    let mut change = store.begin().unwrap();
    assert!(change.set(b"other", b"x").is_err());
    change.force(true);
    change.set(b"bar", b"short").unwrap();
    change.set(b"other", b"x").unwrap();
    change.commit().unwrap();
    assert_eq!(get(&mut store, "other").unwrap(), "x");
}

/// A single copy, and behind it the place of a second one.
fn single_and_place(home: &Home, second: u8) -> (PathBuf, EnvConfig, Vec<u8>) {
    let env = Environment::from_records([&b"foo=1"[..], b"bar=kept"]);
    let single = encode(&env, Layout::Single, SIZE as usize, 0, 0).unwrap();
    let path = home.path("env");
    fs::write(&path, [single.clone(), vec![second; SIZE as usize]].concat()).unwrap();
    let config = config(vec![device(&path, 0), device(&path, SIZE as i64)]);
    (path, config, single)
}

#[test]
fn a_single_copy_in_the_first_place_is_read_and_becomes_two() {
    for second in [0, 0xff, 0x55] {
        let home = Home::new();
        let (path, config, single) = single_and_place(&home, second);
        let mut store = home.open(&config).unwrap();
        let before = fs::read(&path).unwrap();
        let snapshot = store.load().unwrap();
        assert_eq!(snapshot.get(b"bar"), Some(&b"kept"[..]));
        assert_eq!((snapshot.choice().current, snapshot.choice().why), (Some(0), Why::SingleCopy));
        let health = store.check();
        assert_eq!((health.copies[0].state, health.copies[0].flags), (CopyState::Single, None));
        assert_eq!((health.variables, health.used + health.free), (2, SIZE as usize - 5));
        assert!(!health.is_healthy() && !health.readers_agree);
        assert_eq!(fs::read(&path).unwrap(), before, "looking writes nothing");
        assert!(matches!(store.begin().unwrap().commit().unwrap(), Commit::Unchanged));
        assert_eq!(fs::read(&path).unwrap(), before, "no change is no store");

        assert!(matches!(set(&mut store, "foo", "2").unwrap(), Commit::Stored { copy: 1, .. }));
        assert!(store.check().is_healthy());
        let bytes = fs::read(&path).unwrap();
        let (first, second) = bytes.split_at(SIZE as usize);
        assert_eq!((first[FLAGS_OFFSET], second[FLAGS_OFFSET]), (0, 1));
        assert_eq!(first[5..], second[5..]);
        assert_eq!(get(&mut store, "foo").unwrap(), "2");

        // And back: the second place holds nothing, and a configuration of one line reads the first.
        assert!(matches!(store.convert(Layout::Single).unwrap(), Conversion::Converted { .. }));
        let bytes = fs::read(&path).unwrap();
        assert_eq!(bytes[..4], crc32fast::hash(&bytes[4..SIZE as usize]).to_ne_bytes());
        assert!(bytes[SIZE as usize..].iter().all(|&byte| byte == 0xff));
        let mut one = config.clone();
        one.devices.truncate(1);
        let mut one = home.open(&one).unwrap();
        assert_eq!(
            (get(&mut one, "foo").unwrap(), get(&mut one, "bar").unwrap()),
            ("2".into(), "kept".into())
        );
        assert_eq!(store.convert(Layout::Single).unwrap(), Conversion::Unchanged);
        assert_eq!(fs::read(&path).unwrap(), bytes);

        set(&mut one, "foo", "1").unwrap();
        assert_eq!(fs::read(&path).unwrap()[..SIZE as usize], single[..]);
        let error = one.convert(Layout::Redundant).unwrap_err();
        assert!(error.to_string().contains("the second copy"), "{error}");
        assert!(matches!(store.convert(Layout::Redundant).unwrap(), Conversion::Converted { .. }));
        assert!(store.check().is_healthy());
        let healthy = fs::read(&path).unwrap();
        assert_eq!(store.convert(Layout::Redundant).unwrap(), Conversion::Unchanged);
        assert_eq!(fs::read(&path).unwrap(), healthy);
    }
}

#[test]
fn a_single_copy_is_not_touched_while_the_second_place_can_not_be_written() {
    let home = Home::new();
    let (path, mut config, _) = single_and_place(&home, 0xff);
    config.devices[1].path = home.path("no/such/directory/missing");
    let before = fs::read(&path).unwrap();
    let mut store = home.open(&config).unwrap();
    assert_eq!(get(&mut store, "bar").unwrap(), "kept");
    assert!(set(&mut store, "foo", "2").is_err());
    assert!(store.repair().is_err());
    assert!(store.convert(Layout::Redundant).is_err());
    assert!(store.convert(Layout::Single).is_ok_and(|done| done == Conversion::Unchanged));
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_missing_second_place_is_made_by_a_conversion_and_by_a_repair() {
    for convert in [true, false] {
        let home = Home::new();
        let (path, mut config, _) = single_and_place(&home, 0xff);
        let missing = home.path("missing");
        config.devices[1].path = missing.clone();
        let before = fs::read(&path).unwrap();
        let mut store = home.open(&config).unwrap();
        assert_eq!(store.load().unwrap().unreadable(), Some(1));
        assert!(set(&mut store, "foo", "2").is_err());
        assert!(!missing.exists());
        assert_eq!(fs::read(&path).unwrap(), before);
        if convert {
            assert!(matches!(store.convert(Layout::Redundant), Ok(Conversion::Converted { .. })));
        } else {
            assert!(matches!(store.repair(), Ok(Repair::Rewritten { copy: 1, .. })));
        }
        assert!(store.check().is_healthy());
        assert!(missing.exists());
        assert_eq!(get(&mut store, "bar").unwrap(), "kept");
    }
}

#[test]
fn a_missing_first_place_is_made_for_a_single_copy() {
    let home = Home::new();
    let (_, mut config, _) = single_and_place(&home, 0xff);
    let (first, second) = (home.path("first"), home.path("second"));
    fs::copy(&config.devices[0].path, &first).unwrap();
    (config.devices[0].path, config.devices[1].path) = (first.clone(), second);
    let mut store = home.open(&config).unwrap();
    store.convert(Layout::Redundant).unwrap();
    fs::remove_file(&first).unwrap();
    let mut store = home.open(&config).unwrap();
    assert!(matches!(store.convert(Layout::Single), Ok(Conversion::Converted { .. })));
    config.devices.truncate(1);
    assert_eq!(get(&mut home.open(&config).unwrap(), "bar").unwrap(), "kept");
}

#[test]
fn a_single_copy_that_is_full_has_no_room_for_a_flags_byte() {
    let home = Home::new();
    let (path, config, _) = single_and_place(&home, 0xff);
    let mut one = config.clone();
    one.devices.truncate(1);
    let mut one = home.open(&one).unwrap();
    let room = one.check().free - "big=".len() - 1;
    set(&mut one, "big", &"x".repeat(room)).unwrap();
    let before = fs::read(&path).unwrap();
    let mut store = home.open(&config).unwrap();
    assert_eq!(get(&mut store, "big").unwrap().len(), room);
    assert_eq!(get(&mut store, "bar").unwrap(), "kept");
    assert!(matches!(set(&mut store, "foo", "2"), Err(Error::TooBig { .. })));
    assert_eq!(fs::read(&path).unwrap(), before);
    // Without a change of the variables U-Boot's form of it is as good as it is.
    assert!(matches!(store.convert(Layout::Redundant), Ok(Conversion::Converted { .. })));
    assert!(store.check().is_healthy());
    assert_eq!(get(&mut store, "big").unwrap().len(), room);
}

#[test]
fn a_damaged_copy_is_passed_over_and_repaired() {
    let home = Home::new();
    let (path, config) = home.redundant();
    for damaged in [0, 1] {
        let mut bytes = fs::read(&path).unwrap();
        bytes[damaged * SIZE as usize + 100] ^= 0x10;
        fs::write(&path, &bytes).unwrap();
        let mut store = home.open(&config).unwrap();
        let health = store.check();
        assert_eq!(health.current, Some(1 - damaged));
        assert_eq!(health.copies[damaged].state, CopyState::BadCrc);
        assert!(!health.is_healthy());
        assert_eq!(get(&mut store, "bar").unwrap(), "kept");
        assert_eq!(fs::read(&path).unwrap(), bytes, "looking writes nothing");
        assert!(matches!(store.repair().unwrap(), Repair::Rewritten { copy, .. } if copy == damaged));
        assert!(store.check().is_healthy());
        assert_eq!(get(&mut store, "bar").unwrap(), "kept");
        let repaired = fs::read(&path).unwrap();
        assert_eq!(store.repair().unwrap(), Repair::Healthy);
        assert_eq!(fs::read(&path).unwrap(), repaired);
    }
}

#[test]
fn nothing_is_made_out_of_two_damaged_copies() {
    let home = Home::new();
    let (path, config) = home.redundant();
    let mut bytes = fs::read(&path).unwrap();
    bytes[100] ^= 1;
    bytes[SIZE as usize + 100] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let mut store = home.open(&config).unwrap();
    assert!(matches!(store.load().err(), Some(Error::NoValidCopy { .. })));
    assert!(matches!(store.begin().err(), Some(Error::NoValidCopy { .. })));
    assert!(matches!(store.repair().err(), Some(Error::NoValidCopy { .. })));
    drop(store.begin_or_init(Environment::new()).unwrap());
    assert_eq!(fs::read(&path).unwrap(), bytes);
    store.begin_or_init(Environment::new()).unwrap().commit().unwrap();
    assert!(store.load().unwrap().environment().is_empty());
}

#[test]
fn a_copy_past_the_end_is_unreadable_and_not_written() {
    let home = Home::new();
    let (path, config) = home.redundant();
    for len in [SIZE + 10, SIZE] {
        // Copy 1 is cut off; copy 0 holds foo=0.
        let bytes = fs::read(&path).unwrap()[..len as usize].to_vec();
        fs::write(&path, &bytes).unwrap();
        let mut store = home.open(&config).unwrap();
        assert_eq!(get(&mut store, "foo").unwrap(), "0");
        assert_eq!(store.check().copies[1].state, CopyState::Unreadable);
        assert!(matches!(set(&mut store, "foo", "2"), Err(Error::Device { .. })));
        assert!(store.repair().is_err());
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }
}

#[test]
fn a_missing_file_is_an_unreadable_copy() {
    let home = Home::new();
    let (a, b) = (home.path("a"), home.path("b"));
    fs::write(&a, vec![0; SIZE as usize]).unwrap();
    fs::write(&b, vec![0; SIZE as usize]).unwrap();
    let config = config(vec![device(&a, 0), device(&b, 0)]);
    let mut store = home.open(&config).unwrap();
    let mut change = store.begin_or_init(Environment::new()).unwrap();
    change.set(b"foo", b"1").unwrap();
    change.commit().unwrap();
    fs::remove_file(&b).unwrap();
    let mut store = home.open(&config).unwrap();
    assert_eq!(get(&mut store, "foo").unwrap(), "1");
    let error = set(&mut store, "foo", "2").unwrap_err();
    assert!(error.to_string().contains(b.to_str().unwrap()), "{error}");
    assert!(!b.exists());
    fs::remove_file(&a).unwrap();
    let mut store = home.open(&config).unwrap();
    assert!(matches!(store.load(), Err(Error::NoValidCopy { read: false, .. })));
    assert!(matches!(store.begin().err(), Some(Error::NoValidCopy { .. })));
    assert!(!a.exists() && !b.exists());
}

/// What lies in the directory, temporary files and all, but the lock.
fn files(home: &Home) -> Vec<String> {
    let entries = fs::read_dir(home.dir.path()).unwrap();
    let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name != "fw_printenv.lock");
    names.sort();
    names
}

#[test]
fn missing_and_empty_files_are_made_with_a_new_environment() {
    for empty in [false, true] {
        for (names, offsets) in
            [(&["a"][..], &[0][..]), (&["a", "b"], &[0, 0]), (&["a", "a"], &[512, 0x4000])]
        {
            let home = Home::new();
            if empty {
                names.iter().for_each(|name| fs::write(home.path(name), "").unwrap());
            }
            let devices = names.iter().zip(offsets).map(|(name, &offset)| device(&home.path(name), offset));
            let config = config(devices.collect());
            let before = files(&home);
            let mut store = home.open(&config).unwrap();
            assert!(store.check().copies.iter().all(|copy| copy.unmade));
            // Not by reading, not by a change, and not where the change comes to nothing.
            assert!(store.load().is_err() && store.begin().is_err() && store.repair().is_err());
            drop(store.begin_or_init(Environment::new()).unwrap());
            let mut change = store.begin_or_init(Environment::new()).unwrap();
            change.set(b"big", &vec![b'x'; SIZE as usize]).unwrap();
            assert!(matches!(change.commit(), Err(Error::TooBig { .. })));
            assert_eq!(files(&home), before);
            let sizes = || {
                names.iter().filter_map(|name| Some(fs::metadata(home.path(name)).ok()?.len())).sum::<u64>()
            };
            assert_eq!(sizes(), 0);

            let mut change = store.begin_or_init(Environment::new()).unwrap();
            change.set(b"foo", b"1").unwrap();
            change.commit().unwrap();
            let mut made: Vec<_> = names.iter().map(|name| name.to_string()).collect();
            made.dedup();
            assert_eq!(files(&home), made, "no temporary file is left");
            for (name, &offset) in names.iter().zip(offsets) {
                assert!(fs::metadata(home.path(name)).unwrap().len() >= offset as u64 + SIZE);
            }
            set(&mut store, "foo", "2").unwrap();
            // What another process finds.
            let mut store = home.open(&config).unwrap();
            set(&mut store, "foo", "3").unwrap();
            assert_eq!(get(&mut store, "foo").as_deref(), Some("3"));
            assert!(store.check().is_healthy());
        }
    }
}

#[test]
fn a_missing_file_is_made_by_a_repair_and_takes_after_the_other_one() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new();
    let (a, b) = (home.path("a"), home.path("b"));
    let config = config(vec![device(&a, 0), device(&b, 0)]);
    let mut store = home.open(&config).unwrap();
    let mut change = store.begin_or_init(Environment::new()).unwrap();
    change.set(b"foo", b"1").unwrap();
    change.commit().unwrap();
    set(&mut store, "foo", "2").unwrap();
    for missing in [&a, &b] {
        let other = if missing == &a { &b } else { &a };
        fs::set_permissions(other, fs::Permissions::from_mode(0o640)).unwrap();
        fs::remove_file(missing).unwrap();
        let before = fs::read(other).unwrap();
        let mut store = home.open(&config).unwrap();
        let error = set(&mut store, "foo", "no").unwrap_err().to_string();
        assert!(error.contains("made by a repair") && error.contains(missing.to_str().unwrap()), "{error}");
        assert!(!missing.exists());
        assert!(matches!(store.repair().unwrap(), Repair::Rewritten { .. }));
        assert_eq!(fs::metadata(missing).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(fs::read(other).unwrap(), before);
        assert!(store.check().is_healthy());
        assert_eq!(get(&mut home.open(&config).unwrap(), "foo").as_deref(), Some("2"));
    }
}

#[test]
fn no_file_is_made_where_none_belongs() {
    let home = Home::new();
    let link = home.path("link");
    symlink("nowhere", &link).unwrap();
    let missing = home.path("no/such/directory/env");
    let places = [
        "/dev/no-such-device".into(),
        "/dev/shm/../no-such-device".into(),
        "/sys/no-such".into(),
        link,
        missing,
    ];
    for path in places {
        let config = config(vec![device(&path, 0)]);
        assert!(matches!(home.open(&config), Err(Error::Io { .. })), "{}", path.display());
        // Nor beside a copy that is there.
        let (good, _) = home.redundant();
        let both = EnvConfig { devices: vec![device(&good, SIZE as i64), device(&path, 0)], ..config };
        let mut store = home.open(&both).unwrap();
        assert!(store.repair().is_err());
        let mut change = store.begin_or_init(Environment::new()).unwrap();
        change.set(b"x", b"1").unwrap();
        assert!(change.commit().is_err());
        assert!(!path.exists(), "{}", path.display());
    }
    assert!(fs::symlink_metadata(home.path("nowhere")).is_err());
    // A file that has a part of the copy is damaged, not unmade.
    let short = home.path("short");
    fs::write(&short, vec![7; 100]).unwrap();
    let mut store = home.open(&config(vec![device(&short, 0)])).unwrap();
    let mut change = store.begin_or_init(Environment::new()).unwrap();
    change.set(b"x", b"1").unwrap();
    assert!(change.commit().is_err());
    assert_eq!(fs::read(&short).unwrap(), vec![7; 100]);
}

#[test]
fn overlapping_copies_are_refused_under_any_name() {
    let home = Home::new();
    let path = home.path("env");
    let link = home.path("link");
    let bytes = vec![7; 3 * SIZE as usize];
    fs::write(&path, &bytes).unwrap();
    symlink(&path, &link).unwrap();
    for (a, b) in [(0, 0), (0, SIZE as i64 - 1), (SIZE as i64, 1)] {
        let error = home.open(&config(vec![device(&path, a), device(&link, b)])).err();
        assert!(matches!(error, Some(Error::Device { .. })), "{a} {b}");
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }
    assert!(home.open(&config(vec![device(&path, 0), device(&link, SIZE as i64)])).is_ok());
}

#[test]
fn a_single_copy_is_replaced_whole_and_the_rest_of_its_file_is_kept() {
    let home = Home::new();
    let path = home.path("image");
    let link = home.path("link");
    let bytes: Vec<u8> = (0..3 * SIZE as usize).map(|i| (i % 251) as u8).collect();
    fs::write(&path, &bytes).unwrap();
    symlink("image", &link).unwrap();
    let config = config(vec![device(&link, 1000)]);
    let mut store = home.open(&config).unwrap();
    let mut change = store.begin_or_init(Environment::new()).unwrap();
    change.set(b"foo", b"1").unwrap();
    change.commit().unwrap();
    set(&mut store, "foo", "2").unwrap();
    assert_eq!(get(&mut store, "foo").unwrap(), "2");
    assert!(store.check().power_cut_safe);
    assert_eq!(store.repair().unwrap(), Repair::Single);
    let after = fs::read(&path).unwrap();
    assert_eq!(after.len(), bytes.len());
    assert_eq!(after[..1000], bytes[..1000]);
    assert_eq!(after[1000 + SIZE as usize..], bytes[1000 + SIZE as usize..]);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    let mut names: Vec<_> = fs::read_dir(home.dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["fw_printenv.lock", "image", "link"]);
}

#[test]
fn a_read_only_directory_can_be_printed() {
    let home = Home::new();
    let (_, config) = home.redundant();
    let lock = Some(LockPath::Directory("/proc/no/such/directory".into()));
    let mut store = Store::open(&config, &StoreOptions { lock, ..StoreOptions::default() }).unwrap();
    assert_eq!(get(&mut store, "foo").unwrap(), "1");
    assert!(matches!(store.begin().err(), Some(Error::Io { .. })));
}

#[test]
fn flags_in_the_environment_are_obeyed_and_kept() {
    let home = Home::new();
    let (_, config) = home.redundant();
    let mut store = home.open(&config).unwrap();
    set(&mut store, ".flags", "foo:so,count:dw,nothere:sr").unwrap();
    assert!(matches!(set(&mut store, "foo", "2"), Err(Error::Denied { .. })));
    assert!(matches!(set(&mut store, "foo", ""), Err(Error::Denied { .. })));
    assert!(matches!(set(&mut store, "count", "x"), Err(Error::Value { .. })));
    assert!(matches!(set(&mut store, "nothere", "x"), Err(Error::Denied { .. })));
    set(&mut store, "count", "12").unwrap();
    assert_eq!(get(&mut store, ".flags").unwrap(), "foo:so,count:dw,nothere:sr");
    // A rule made in a transaction holds in the same transaction.
    let mut change = store.begin().unwrap();
    change.set(b".flags", b"count:sr").unwrap();
    assert!(matches!(change.set(b"count", b"13"), Err(Error::Denied { .. })));
}
