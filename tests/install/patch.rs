//! Patches: what is in the slot afterwards, and what becomes of a patch that does not fit the running slot.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use bootslot::slot::{Mark, Standing};
use bootslot::update::bundle::table::{Entry, Kind};
use bootslot::update::source::{Source, StreamSource};
use bootslot::update::{self, extract, image_file, install, Bundle, Options, Phase, Result};

use crate::delta::dear;
use crate::rig::*;

/// Long enough for several units, copies between them, and the range of one unit that does not reach all of it.
const SIZE: usize = 2600 << 10;

/// What the running slot holds.
fn old() -> Vec<u8> {
    [content(1_600_000, 1), vec![0; 300_000], content(700_000, 2)].concat()
}

/// What it becomes: an insertion, a part that is all new, zeros in another place.
fn new() -> Vec<u8> {
    let old = old();
    [&old[..150_000], &content(3000, 3), &old[150_000..800_000], &vec![0; 280_000], &old[830_000..1_500_000]]
        .into_iter()
        .chain([&content(60_000, 4)[..], &old[1_900_000..]])
        .collect::<Vec<_>>()
        .concat()
}

fn bundle(file: &str) -> PathBuf {
    workshop().patch(file, &[("root", &new()), ("boot", &content(9000, 5))], &[("root", &old())])
}

/// A device that runs the old image, and whose other slot holds something else.
fn device() -> Rig {
    let rig = Rig::with_slots_of(SIZE);
    rig.part("A", "root").preload(0, &old());
    rig.part("B", "root").preload(0, &[0x55; SIZE]);
    rig
}

fn stream(path: &Path) -> Box<dyn Source> {
    Box::new(StreamSource::new(fs::File::open(path).unwrap()))
}

fn entries(path: &Path) -> Vec<Entry> {
    let mut bundle = Bundle::inspect(source(path)).unwrap();
    bundle.tables().unwrap()[0].entries().collect()
}

/// How a bundle is opened.
type Opened = fn(&Path) -> Box<dyn Source>;

#[test]
fn a_patch_makes_the_new_image_of_the_old_one() {
    let path = bundle("patch");
    let kinds: Vec<Kind> = entries(&path).iter().map(|entry| entry.kind).collect();
    for kind in [Kind::Zeros, Kind::Copy, Kind::Difference] {
        assert!(kinds.iter().filter(|other| **other == kind).count() >= 1, "{kinds:?}");
    }
    assert!(kinds.iter().filter(|kind| **kind == Kind::Difference).count() >= 3, "{kinds:?}");
    // It is smaller than what is new in it.
    assert!(fs::metadata(&path).unwrap().len() < 40_000);
    let sources: [Opened; 3] = [source, stream, |path| dear(path).0];
    for open in sources {
        let rig = device();
        let dry = Options { dry_run: true, ..Options::default() };
        let promised = rig.install_with(open(&path), &dry).unwrap().done;
        assert!(rig.board.log().is_empty());
        let done = rig.install(open(&path)).unwrap().done;
        assert_eq!(done, promised);
        assert!(done.copied > 1_500_000 && done.fetched < 40_000, "{done:?}");
        assert!(rig.part("B", "root").image().starts_with(&new()));
        assert!(rig.part("B", "boot").image().starts_with(&content(9000, 5)));
        assert!(rig.part("A", "root").image().starts_with(&old()));
        assert_eq!(rig.state().standing(), Standing::Trial { slot: &name("B"), left: 3 });
    }
}

#[test]
fn a_cut_anywhere_costs_nothing_and_the_same_command_goes_on() {
    // Copies, differences and zeros, in as little as that takes.
    let (boot, old) = (content(9000, 5), content(900_000, 1));
    let changes = [&old[..50_000], b"here", &old[50_000..400_000], &vec![0; 270_000], &old[670_000..690_000]];
    let root = [&changes.concat()[..], &content(5000, 6), &old[690_000..]].concat();
    let path = workshop().patch("patch-cut", &[("boot", &boot), ("root", &root)], &[("root", &old)]);
    let mut bundle = Bundle::inspect(source(&path)).unwrap();
    let kinds: Vec<Kind> = bundle.tables().unwrap()[1].entries().map(|entry| entry.kind).collect();
    for (kind, least) in [(Kind::Zeros, 1), (Kind::Copy, 3), (Kind::Difference, 2)] {
        assert!(kinds.iter().filter(|other| **other == kind).count() >= least, "{kinds:?}");
    }
    let rig = Rig::with_slots_of(1 << 20);
    rig.part("A", "root").preload(0, &old);
    rig.part("B", "root").preload(0, &[0x55; 1 << 20]);
    crate::cut_everywhere(&rig, &path, &boot, &root);
}

#[test]
fn what_is_there_already_needs_no_old_image() {
    let path = bundle("patch-there");
    let new = new();
    // Half of it: what that half needs of the old image may have changed, and is neither fetched nor written.
    let rig = device();
    rig.part("B", "root").preload(0, &new[..new.len() / 2]);
    let needed = entries(&path).into_iter().filter(|entry| entry.offset + entry.len > new.len() as u64 / 2);
    let first = needed.filter_map(|entry| entry.old).map(|old| old.offset).min().unwrap() as usize;
    assert!(first > 100_000, "{first}");
    rig.part("A", "root").preload(0, &vec![0xaa; first]);
    let (source, asked) = dear(&path);
    let done = rig.install(source).unwrap().done;
    assert!(done.kept > 500_000, "{done:?}");
    let announced: u64 = asked.lock().unwrap().expected.iter().flatten().map(|r| r.end - r.start).sum();
    assert_eq!(announced, done.fetched);
    assert!(rig.part("B", "root").image().starts_with(&new));
    // All of it.
    let rig = device();
    rig.part("B", "root").preload(0, &new);
    rig.part("A", "root").preload(0, &[0xaa; SIZE]);
    let done = rig.install(dear(&path).0).unwrap().done;
    assert_eq!((done.kept, done.copied), (new.len() as u64, 0));
}

/// The patch is refused before anything is written.
#[track_caller]
fn refused(rig: &Rig, path: &Path, says: &str) {
    let sources: [Opened; 3] = [source, stream, |path| dear(path).0];
    for open in sources {
        let start = rig.fork();
        let error = rig.install(open(path)).unwrap_err();
        assert_eq!(error.code(), 19, "{error}");
        assert!(error.to_string().contains(says), "{error}");
        assert!(rig.board.log().is_empty());
        assert_eq!(rig.state().mark(&name("B")), None);
        for (key, medium) in &rig.media {
            assert!(medium.image() == start.media[key].image(), "{key:?}");
        }
    }
}

#[test]
fn a_byte_of_the_old_image_that_is_needed_has_changed() {
    let path = bundle("patch-byte");
    let ranges: Vec<_> = entries(&path).into_iter().filter_map(|entry| entry.old).collect();
    assert!(ranges.len() > 5);
    for range in ranges {
        for at in [range.offset, range.offset + range.len / 2, range.offset + range.len - 1] {
            let rig = device();
            rig.part("A", "root").preload(at as usize, &[!old()[at as usize]]);
            refused(&rig, &path, "/dev/A-root holds other bytes at 0x");
        }
    }
}

#[test]
fn a_byte_of_the_old_image_that_is_not_needed_may_change() {
    let old = content(6_000_000, 1);
    // In the middle of what is left out nothing is needed.
    let new = [&old[..500_000], &old[5_500_000..]].concat();
    let path = workshop().patch("patch-unused", &[("root", &new)], &[("root", &old)]);
    let ranges: Vec<_> = entries(&path).into_iter().filter_map(|entry| entry.old).collect();
    let unused = |at: &u64| !ranges.iter().any(|range| (range.offset..range.offset + range.len).contains(at));
    let places: Vec<u64> = (0..old.len() as u64).step_by(1000).filter(unused).collect();
    assert!(places.len() > 2000, "{}", places.len());
    let rig = Rig::with_slots_of(6 << 20);
    rig.part("A", "root").preload(0, &old);
    for at in places {
        rig.part("A", "root").preload(at as usize, &[0]);
    }
    rig.install(source(&path)).unwrap();
    assert!(rig.part("B", "root").image().starts_with(&new));
}

#[test]
fn another_version_runs_or_none_is_to_be_had() {
    let path = bundle("patch-other");
    let rig = device();
    rig.part("A", "root").preload(0, &content(SIZE, 9));
    refused(&rig, &path, "than the image ");
    // The running slot's part is smaller than the old image.
    let mut rig = device();
    rig.media.insert((name("A"), "root"), rig.board.block(1 << 20));
    rig.part("A", "root").preload(0, &old()[..1 << 20]);
    refused(&rig, &path, "/dev/A-root can't be read at 0x");
    // Or there is no such part.
    let mut rig = device();
    rig.media.remove(&(name("A"), "root"));
    refused(&rig, &path, "it is not known which slot runs, or it has no such part");
}

#[test]
fn the_running_slot_changes_after_it_was_looked_at() {
    let path = bundle("patch-changes");
    let rig = device();
    let first = entries(&path).into_iter().find_map(|entry| entry.old).unwrap();
    let keys = workshop().keys();
    let mut changed = false;
    let result: Result<_> = install(
        &mut rig.device(),
        Bundle::open(source(&path), &keys).unwrap(),
        &rig,
        &Options::default(),
        &mut |now| {
            // The target is looked at in the first half, the old image in the second.
            if now.phase == Phase::Looking && now.done.all > now.size / 4 * 3 && !changed {
                rig.part("A", "root").preload(first.offset as usize, &[0]);
                changed = true;
            }
            ControlFlow::Continue(())
        },
    );
    let error = result.unwrap_err();
    assert!(changed);
    assert_eq!(error.code(), 21, "{error}");
    assert!(error.to_string().contains("it has changed since it was looked at"), "{error}");
    assert_eq!(rig.state().mark(&name("B")), Some(Mark::Writing));
    foreign(&rig);
    // Again, it is refused; and when the old image is back, the same command goes on.
    let error = rig.install(source(&path)).unwrap_err();
    assert_eq!(error.code(), 19, "{error}");
    rig.part("A", "root").preload(0, &old());
    rig.install(source(&path)).unwrap();
    assert!(rig.part("B", "root").image().starts_with(&new()));
}

/// Each byte in the target is the one that was there, or the right one.
#[track_caller]
fn foreign(rig: &Rig) {
    let (image, new) = (rig.part("B", "root").image(), new());
    let foreign = (0..SIZE).find(|&at| image[at] != 0x55 && new.get(at) != Some(&image[at]));
    assert_eq!(foreign, None);
}

#[test]
fn a_damaged_difference_is_not_written() {
    let path = bundle("patch-damaged");
    let bytes = fs::read(&path).unwrap();
    let data =
        Bundle::inspect(source(&path)).unwrap().payloads().next().map(|(_, place)| place.data).unwrap();
    let stored: u64 = entries(&path).iter().map(|entry| entry.stored).sum();
    let folder = tempfile::tempdir().unwrap();
    let damaged = folder.path().join("bundle");
    for at in (data..data + stored).step_by(397) {
        let mut bytes = bytes.clone();
        bytes[at as usize] ^= 1 << (at % 8);
        fs::write(&damaged, bytes).unwrap();
        let rig = device();
        let error = rig.install(stream(&damaged)).unwrap_err();
        assert_eq!(error.code(), 20, "{at}: {error}");
        assert_eq!(rig.state().mark(&name("B")), Some(Mark::Writing));
        foreign(&rig);
    }
}

#[test]
fn a_patch_is_verified_against_the_old_image_only() {
    let path = bundle("patch-verify");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("old");
    let verify = |old: &[u8], given: bool| {
        fs::write(&file, old).unwrap();
        let old = given.then(|| image_file("root", &file));
        let mut bundle = Bundle::inspect(source(&path)).unwrap();
        update::verify(&mut bundle, old.as_slice(), &mut |_| ControlFlow::Continue(()))
    };
    verify(&old(), true).unwrap();
    for (old, given) in [(old(), false), (new(), true), (vec![], true)] {
        assert_eq!(verify(&old, given).unwrap_err().code(), 19);
    }
}

#[test]
fn an_image_comes_out_of_a_bundle() {
    let folder = tempfile::tempdir().unwrap();
    let path = workshop().bundle("extract", &[("boot", &content(9000, 5)), ("root", &old())]);
    let take = |path: &Path, part: &str, file: &str| {
        let mut bundle = Bundle::inspect(source(path)).unwrap();
        let to = folder.path().join(file);
        extract(&mut bundle, part, &to, &mut |_| ControlFlow::Continue(())).map(|()| fs::read(&to).unwrap())
    };
    assert!(take(&path, "root", "root").unwrap() == old());
    assert!(take(&path, "boot", "boot").unwrap() == content(9000, 5));
    assert_eq!(take(&path, "data", "data").unwrap_err().code(), 16);
    // What is there is not overwritten, and a patch is no image.
    assert_eq!(take(&path, "boot", "root").unwrap_err().code(), 4);
    assert_eq!(take(&path, "root", "boot").unwrap_err().code(), 4);
    assert!(fs::read(folder.path().join("boot")).unwrap() == content(9000, 5));
    assert_eq!(take(&bundle("extract-patch"), "root", "none").unwrap_err().code(), 19);
    // Half an image is no file.
    let mut bytes = fs::read(&path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let damaged = folder.path().join("damaged");
    fs::write(&damaged, bytes).unwrap();
    assert_eq!(take(&damaged, "root", "none").unwrap_err().code(), 20);
    assert!(!folder.path().join("none").exists());
}
