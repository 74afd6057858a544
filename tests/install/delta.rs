//! A bundle that is dear: what the slots have is not asked for.

use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use bootslot::update::source::Source;
use bootslot::update::Options;

use crate::rig::*;

#[derive(Default)]
pub struct Asked {
    pub expected: Option<Vec<Range<u64>>>,
    pub read: Vec<Range<u64>>,
}

/// A source that costs something, and takes care that it is asked for what it was told.
struct Dear {
    inner: Box<dyn Source>,
    asked: Arc<Mutex<Asked>>,
}

impl Source for Dear {
    fn read(&mut self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let mut asked = self.asked.lock().unwrap();
        let range = offset..offset + buf.len() as u64;
        if let Some(expected) = &asked.expected {
            assert!(expected.iter().any(|all| all.start <= range.start && range.end <= all.end), "{range:?}");
        }
        assert!(
            asked.read.last().is_none_or(|last| last.end <= range.start),
            "{range:?} after {:?}",
            asked.read.last()
        );
        asked.read.push(range);
        self.inner.read(offset, buf)
    }

    fn len(&self) -> Option<u64> {
        self.inner.len()
    }

    fn is_dear(&self) -> bool {
        true
    }

    fn announce(&mut self, ranges: &[Range<u64>]) {
        assert!(ranges.windows(2).all(|pair| pair[0].end <= pair[1].start), "{ranges:?}");
        self.asked.lock().unwrap().expected = Some(ranges.to_vec());
    }
}

pub fn dear(path: &std::path::Path) -> (Box<dyn Source>, Arc<Mutex<Asked>>) {
    let asked = Arc::new(Mutex::new(Asked::default()));
    (Box::new(Dear { inner: source(path), asked: asked.clone() }), asked)
}

#[test]
fn what_the_running_slot_has_is_copied_and_the_rest_is_fetched() {
    let old = content(SLOT_SIZE - 2000, 1);
    let new =
        [&old[..20_000], &content(777, 5), &old[20_000..60_000], &vec![0; 3000], &old[63_000..]].concat();
    let path = workshop().bundle("delta", &[("root", &new)]);
    let rig = Rig::new();
    rig.part("A", "root").preload(0, &old);
    let dry = Options { dry_run: true, ..Options::default() };
    let promised = rig.install_with(dear(&path).0, &dry).unwrap().done;
    assert!(rig.board.log().is_empty());
    let (source, asked) = dear(&path);
    let done = rig.install(source).unwrap().done;
    assert!(rig.part("B", "root").image().starts_with(&new));
    assert_eq!(done, promised);
    assert!(done.copied > 70_000, "{done:?}");
    let asked = asked.lock().unwrap();
    let expected: u64 = asked.expected.iter().flatten().map(|range| range.end - range.start).sum();
    assert_eq!(expected, done.fetched);

    // Interrupted, half of it there: that half is neither fetched nor copied nor written.
    let rig = Rig::new();
    rig.part("A", "root").preload(0, &old);
    rig.part("B", "root").preload(0, &new[..SLOT_SIZE / 2]);
    let again = rig.install(dear(&path).0).unwrap().done;
    assert!(again.kept > 40_000 && again.fetched <= done.fetched, "{again:?}");
    assert!(rig.part("B", "root").image().starts_with(&new));
}

#[test]
fn nothing_in_common_is_no_error() {
    let new = content(50_000, 9);
    let path = workshop().bundle("fresh", &[("root", &new)]);
    let rig = Rig::new();
    let done = rig.install(dear(&path).0).unwrap().done;
    assert_eq!((done.copied, done.kept), (0, 0));
    assert!(rig.part("B", "root").image().starts_with(&new));
}
