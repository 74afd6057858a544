//! Bundles that must not be installed: the exit code, the message, and the bytes of both slots afterwards.

use std::fs;
use std::path::PathBuf;

use bootslot::slot::Mark;
use bootslot::storage::sim::{Effect, Fault, Op};
use bootslot::storage::{Access, OpenMedium};
use bootslot::update::bundle::container::{Head, HEAD};
use bootslot::update::bundle::create::sign;
use bootslot::update::bundle::manifest::Manifest;
use bootslot::update::source::StreamSource;
use bootslot::update::{Bundle, Options, UpdateError};

use crate::rig::*;

const OLD: u8 = 0x55;

/// A device whose slot B holds something, and a copy of its state to compare with.
fn device() -> Rig {
    let rig = Rig::new();
    for part in ["boot", "root"] {
        rig.part("A", part).preload(0, &content(SLOT_SIZE, 77));
        rig.part("B", part).preload(0, &[OLD; SLOT_SIZE]);
    }
    rig
}

/// Installs what is in a file, from the file and as a stream, and compares what is left.
///
/// `untouched`: nothing at all was written; else the target is being written, and of the bytes in it none is one that
/// was not signed: each is the old one or the right one.
#[track_caller]
fn refused(bytes: &[u8], code: u8, says: &str, untouched: bool, right: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bundle");
    fs::write(&path, bytes).unwrap();
    for stream in [false, true] {
        let rig = device();
        let running = [rig.part("A", "boot").image(), rig.part("A", "root").image()];
        let result = match stream {
            false => rig.install(source(&path)),
            true => rig.install(Box::new(StreamSource::new(fs::File::open(&path).unwrap()))),
        };
        let error = result.expect_err("it must not be installed");
        let what = format!("{error} ({}), stream: {stream}", error.code());
        assert!(error.to_string().contains(says), "{what} does not say {says:?}");
        assert_eq!(error.code(), code, "{what}");
        assert_eq!([rig.part("A", "boot").image(), rig.part("A", "root").image()], running, "{what}");
        let mark = rig.state().mark(&name("B"));
        if untouched {
            assert!(rig.board.log().is_empty(), "{what}: {:?}", rig.board.log());
            assert_eq!(mark, None, "{what}");
        } else {
            assert_eq!(mark, Some(Mark::Writing), "{what}");
            let image = rig.part("B", "root").image();
            let foreign = (0..SLOT_SIZE).find(|&at| image[at] != OLD && right.get(at) != Some(&image[at]));
            assert_eq!(foreign, None, "{what}");
        }
    }
}

fn root() -> Vec<u8> {
    [content(30_000, 2), vec![0; 20_000], content(25_000, 3)].concat()
}

fn good(file: &str) -> Vec<u8> {
    fs::read(workshop().bundle(file, &[("root", &root())])).unwrap()
}

/// Where each part of a bundle starts: manifest, signatures, table, data, end.
fn places(bytes: &[u8]) -> [usize; 5] {
    let head = Head::parse(bytes[..HEAD].try_into().unwrap()).unwrap();
    let signatures = HEAD + head.manifest as usize;
    let table = head.end() as usize;
    let manifest = Manifest::parse(&bytes[HEAD..signatures]).unwrap();
    let data = table + manifest.payloads[0].table as usize;
    [HEAD, signatures, table, data, bytes.len()]
}

#[test]
fn cut_short_at_every_64th() {
    let bytes = good("short");
    let [.., data, _] = places(&bytes);
    for part in 0..64 {
        let len = bytes.len() * part / 64;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bundle");
        fs::write(&path, &bytes[..len]).unwrap();
        // A file is known to be too short before anything is written.
        let rig = device();
        let error = rig.install(source(&path)).unwrap_err();
        assert!([10, 11].contains(&error.code()), "{error}");
        assert!(rig.board.log().is_empty());
        // A stream ends when it ends.
        let rig = device();
        let error = rig.install(Box::new(StreamSource::new(fs::File::open(&path).unwrap()))).unwrap_err();
        assert_eq!(error.code(), 10, "{error}");
        assert_eq!(rig.board.log().is_empty(), len < data, "{len}");
        assert_eq!(rig.state().mark(&name("B")).is_some(), len >= data);
    }
}

#[test]
fn one_bit_is_wrong() {
    let bytes = good("bit");
    let [manifest, signatures, table, data, end] = places(&bytes);
    let flipped = |at: usize, bit: u8| {
        let mut bytes = bytes.clone();
        bytes[at] ^= 1 << bit;
        bytes
    };
    for at in 0..8 {
        refused(&flipped(at, 0), 11, "does not start as a bundle does", true, &[]);
    }
    for at in (manifest..signatures).step_by(7) {
        refused(&flipped(at, (at % 8) as u8), 12, "was changed after it was signed", true, &[]);
    }
    // In the signature: not its comment that nobody signs.
    let text = String::from_utf8(bytes[signatures + 8..table].to_vec()).unwrap();
    let line = signatures + 8 + text.find('\n').unwrap() + 1;
    for at in (line + 20..line + 80).step_by(9) {
        refused(&flipped(at, 0), 12, "not trusted", true, &[]);
    }
    for at in (table..data).step_by(31) {
        refused(&flipped(at, (at % 8) as u8), 11, "not the one that was signed", true, &[]);
    }
    for at in (data..end).step_by(997) {
        refused(&flipped(at, (at % 8) as u8), 20, "other bytes at", false, &root());
    }
}

/// The good bundle with another manifest, signed by the right key.
fn with_manifest(file: &str, change: impl Fn(&mut Manifest)) -> Vec<u8> {
    let workshop = workshop();
    let path = workshop.bundle(file, &[("root", &root())]);
    let bytes = fs::read(&path).unwrap();
    let [_, _, table, ..] = places(&bytes);
    let mut manifest = Bundle::inspect(source(&path)).unwrap().manifest;
    change(&mut manifest);
    let text = manifest.to_text().unwrap();
    let head = Head { manifest: text.len() as u32, signatures: 0 };
    fs::write(&path, [&head.to_bytes(), text.as_bytes(), &bytes[table..]].concat()).unwrap();
    sign(&path, text.as_bytes(), &[workshop.signature(text.as_bytes())]).unwrap();
    fs::read(&path).unwrap()
}

#[test]
fn signed_and_yet_not_for_this_device() {
    let none = |file, change: &dyn Fn(&mut Manifest), code, says| {
        refused(&with_manifest(file, change), code, says, true, &[]);
    };
    none("other", &|m| m.compatible = "other-board".into(), 13, "is for \"other-board\"");
    none("revision", &|m| m.revisions = vec!["9".into(), "10".into()], 14, "revisions 9, 10");
    none("part", &|m| m.payloads[0].part = "data".into(), 16, "no part data");
    none("room", &|m| m.free = vec![("/".into(), u64::MAX >> 1)], 18, "/ has");
    // What is claimed and can't be: nothing is allocated for it.
    none("huge", &|m| m.payloads[0].size = 10 << 40, 16, "10995116277760 bytes");
    none("size", &|m| m.payloads[0].size -= 1, 11, "the table of root");
    none("chunks", &|m| m.payloads[0].chunks += 1, 11, "the table of root");
    none("data", &|m| m.payloads[0].data += 1, 11, "");
}

#[test]
fn larger_than_the_slot() {
    let path = workshop().bundle("large", &[("root", &content(SLOT_SIZE + 1, 1))]);
    refused(&fs::read(path).unwrap(), 16, "there is room for 98304", true, &[]);
}

#[test]
fn not_signed_and_signed_by_a_stranger() {
    let workshop = workshop();
    let unsigned = workshop.unsigned("unsigned", manifest("1.0"), &[("root", &root())]);
    refused(&fs::read(&unsigned).unwrap(), 12, "it is not signed", true, &[]);
    let strangers = Workshop::new();
    let stranger = strangers.bundle("stranger", &[("root", &root())]);
    refused(&fs::read(stranger).unwrap(), 12, "by a trusted key", true, &[]);
    // The signature of another bundle.
    let text = Bundle::inspect(source(&unsigned)).unwrap().manifest_bytes;
    sign(&unsigned, &text, &[workshop.signature(b"something else")]).unwrap();
    refused(&fs::read(&unsigned).unwrap(), 12, "changed after it was signed", true, &[]);
}

#[test]
fn two_bundles_mixed() {
    let one = good("one");
    let two = fs::read(workshop().bundle("two", &[("root", &[root(), content(100, 9)].concat())])).unwrap();
    let [_, _, one_table, one_data, _] = places(&one);
    let [_, _, two_table, two_data, _] = places(&two);
    let mixed = |first: &[u8], second: &[u8]| [first, second].concat();
    // Its length tells a file; where the lengths happen to be equal, the hashes do.
    let table = mixed(&one[..one_table], &two[two_table..]);
    let data = mixed(&one[..one_data], &two[two_data..]);
    for bytes in [table, data] {
        let rig = device();
        let folder = tempfile::tempdir().unwrap();
        let path: PathBuf = folder.path().join("bundle");
        fs::write(&path, &bytes).unwrap();
        assert_eq!(rig.install(source(&path)).unwrap_err().code(), 11);
        assert!(rig.board.log().is_empty());
        let error = rig.install(Box::new(StreamSource::new(fs::File::open(&path).unwrap()))).unwrap_err();
        assert!([10, 11, 20].contains(&error.code()), "{error}");
        assert_ne!(rig.state().active.known(), Some(&name("B")));
    }
}

#[test]
fn what_failed_here_before_is_refused_until_it_is_asked_for() {
    let path = workshop().bundle("failed", &[("root", &root())]);
    let rig = device();
    let installed = rig.install(source(&path)).unwrap();
    rig.device().roll_back(bootslot::slot::Reason::Health).unwrap();
    rig.board.clear_log();
    let error = rig.install(source(&path)).unwrap_err();
    assert!(matches!(error, UpdateError::FailedBefore(_)), "{error}");
    assert_eq!(
        error.to_string(),
        format!("update {} has failed here before, in slot B, with the reason health", installed.id)
    );
    assert!(rig.board.log().is_empty());
    let again = Options { again: true, ..Options::default() };
    rig.install_with(source(&path), &again).unwrap();
}

#[test]
fn the_running_slot_is_never_the_target() {
    let path = workshop().bundle("running", &[("root", &root())]);
    let rig = device();
    let options = Options { target: Some(name("A")), ..Options::default() };
    let error = rig.install_with(source(&path), &options).unwrap_err();
    assert_eq!(error.code(), 5, "{error}");
    // Nor is anything installed while the running slot is on trial itself.
    rig.install(source(&path)).unwrap();
    let mut rig = rig.fork();
    rig.settings.running = Some(name("B"));
    rig.board.clear_log();
    let error = rig.install(source(&path)).map(|done| done.already);
    assert!(matches!(error, Ok(true)), "{error:?}");
    let other = workshop().bundle("running-2", &[("root", &content(1000, 4))]);
    let error = rig.install(source(&other)).unwrap_err();
    assert_eq!(error.code(), 5, "{error}");
    assert!(rig.board.log().is_empty());
}

#[test]
fn a_medium_that_lies_is_found_when_it_is_read_back() {
    let path = workshop().bundle("lie", &[("root", &root())]);
    for effect in [Effect::Lie(None), Effect::Fail(libc::EIO, None)] {
        let rig = device();
        let number = rig.part("B", "root").index();
        rig.board.fault(Fault { medium: Some(number), op: Op::Program, skip: 0, times: 1, effect });
        let error = rig.install(source(&path)).unwrap_err();
        let expected = if effect == Effect::Lie(None) { 22 } else { 21 };
        assert_eq!(error.code(), expected, "{error}");
        assert_eq!(rig.state().mark(&name("B")), Some(Mark::Writing));
        assert_eq!(rig.board.faults_left(), []);
        // The same command mends it.
        rig.install(source(&path)).unwrap();
        assert!(rig.part("B", "root").image().starts_with(&root()));
    }
}

#[test]
fn what_a_failed_sync_has_left_in_the_cache_alone_is_written_again() {
    let path = workshop().bundle("sync", &[("root", &root())]);
    let rig = device();
    let number = rig.part("B", "root").index();
    let effect = Effect::Fail(libc::EIO, None);
    rig.board.fault(Fault { medium: Some(number), op: Op::Sync, skip: 0, times: 1, effect });
    let error = rig.install(source(&path)).unwrap_err();
    assert_eq!(error.code(), 21, "{error}");
    assert_eq!(rig.state().mark(&name("B")), Some(Mark::Writing));
    // It reads as if it were there, and is not.
    let mut reads = vec![0; root().len()];
    rig.part("B", "root").open(Access::Read).unwrap().read(0, &mut reads).unwrap();
    assert!(reads == root() && !rig.part("B", "root").image().starts_with(&root()));
    rig.install(source(&path)).unwrap();
    rig.board.cut_now();
    rig.board.restore(0);
    assert!(rig.part("B", "root").image().starts_with(&root()));
}
