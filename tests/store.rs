//! The store on real files: what is written, what is refused, and the bytes afterwards.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use bootslot::config::{Device, EnvConfig};
use bootslot::env::redundancy::CopyState;
use bootslot::env::Environment;
use bootslot::lock::LockPath;
use bootslot::store::{Commit, Repair, Store, StoreOptions};
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
    assert!(matches!(home.open(&config), Err(Error::Io { .. })));
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
