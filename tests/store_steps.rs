//! The steps of the store, on copies that keep a record of what is asked of them: what a reader reads again, which flags
//! are written and cleared, and when a checksum is spoiled first.

use std::path::Path;
use std::sync::{Arc, Mutex};

use bootslot::env::image::{encode, Image, Layout, FLAGS_OFFSET};
use bootslot::env::Environment;
use bootslot::lock::LockPath;
use bootslot::storage::{EnvCopy, MediumKind, Method, WriteStats};
use bootslot::store::{Repair, Store, StoreOptions};
use bootslot::Result;

const SIZE: usize = 0x100;

/// Both places, and what was asked of them.
#[derive(Default)]
struct Media {
    bytes: [Vec<u8>; 2],
    calls: Vec<Call>,
    /// What copy 0 becomes while copy 1 is read.
    meanwhile: Option<Vec<u8>>,
}

#[derive(Debug, Clone, PartialEq)]
enum Call {
    Load(usize),
    Read(usize),
    Write(usize, Vec<u8>),
    SetByte(usize, usize, u8),
}

#[derive(Clone, Copy)]
struct Kind {
    medium: MediumKind,
    tears: bool,
    method: Method,
}

const FILE: Kind = Kind { medium: MediumKind::File, tears: false, method: Method::InPlace };
const NOR: Kind = Kind { medium: MediumKind::Nor, ..FILE };

struct Recorded {
    number: usize,
    kind: Kind,
    media: Arc<Mutex<Media>>,
}

impl EnvCopy for Recorded {
    fn kind(&self) -> MediumKind {
        self.kind.medium
    }

    fn path(&self) -> &Path {
        Path::new("recorded")
    }

    fn offset(&self) -> u64 {
        0
    }

    fn size(&self) -> usize {
        SIZE
    }

    fn read(&mut self, buf: &mut [u8]) -> Result<()> {
        let mut media = self.media.lock().unwrap();
        media.calls.push(Call::Read(self.number));
        buf.copy_from_slice(&media.bytes[self.number][..buf.len()]);
        Ok(())
    }

    fn load(&mut self) -> Result<Vec<u8>> {
        let mut media = self.media.lock().unwrap();
        media.calls.push(Call::Load(self.number));
        if let Some(newer) = media.meanwhile.take_if(|_| self.number == 1) {
            media.bytes[0] = newer;
        }
        Ok(media.bytes[self.number].clone())
    }

    fn write(&mut self, _before: Option<&[u8]>, _settled: bool, new: &[u8]) -> Result<WriteStats> {
        let mut media = self.media.lock().unwrap();
        media.bytes[self.number] = new.to_vec();
        media.calls.push(Call::Write(self.number, new.to_vec()));
        Ok(WriteStats::default())
    }

    fn erase(&mut self) -> Result<WriteStats> {
        Ok(WriteStats::default())
    }

    fn set_byte(&mut self, at: usize, byte: u8) -> Result<WriteStats> {
        let mut media = self.media.lock().unwrap();
        media.bytes[self.number][at] = byte;
        media.calls.push(Call::SetByte(self.number, at, byte));
        Ok(WriteStats::default())
    }

    fn can_tear(&self, _len: usize) -> bool {
        self.kind.tears
    }

    fn method(&self) -> Method {
        self.kind.method
    }
}

fn image(value: &str, flags: u8) -> Vec<u8> {
    let env = Environment::from_records([format!("x={value}").as_bytes()]);
    encode(&env, Layout::Redundant, SIZE, flags, 0).unwrap()
}

fn damaged() -> Vec<u8> {
    (0..SIZE).map(|i| i as u8 | 1).collect()
}

fn open(kind: Kind, places: &[Vec<u8>]) -> (Store, Arc<Mutex<Media>>) {
    let mut bytes = [Vec::new(), Vec::new()];
    bytes[..places.len()].clone_from_slice(places);
    let media = Arc::new(Mutex::new(Media { bytes, ..Media::default() }));
    let copies = (0..places.len())
        .map(|number| Box::new(Recorded { number, kind, media: media.clone() }) as Box<dyn EnvCopy>);
    let options = StoreOptions { lock: Some(LockPath::None), ..StoreOptions::default() };
    (Store::from_copies(copies.collect(), options).unwrap(), media)
}

fn set(store: &mut Store, value: &str) {
    let mut change = store.begin().unwrap();
    assert!(change.set(b"x", value.as_bytes()).unwrap());
    change.commit().unwrap();
}

fn written(media: &Mutex<Media>) -> Vec<(usize, Vec<u8>)> {
    let media = media.lock().unwrap();
    let writes = media.calls.iter().filter_map(|call| match call {
        Call::Write(copy, bytes) => Some((*copy, bytes.clone())),
        _ => None,
    });
    writes.collect()
}

fn cleared(media: &Mutex<Media>) -> Vec<Call> {
    let media = media.lock().unwrap();
    media.calls.iter().filter(|call| matches!(call, Call::SetByte(..))).cloned().collect()
}

#[test]
fn a_reader_reads_once_where_nobody_writes() {
    let (mut store, media) = open(FILE, &[image("1", 1), image("2", 2)]);
    assert_eq!(store.load().unwrap().get(b"x"), Some(&b"2"[..]));
    assert_eq!(media.lock().unwrap().calls, [Call::Load(0), Call::Load(1), Call::Read(0)]);
}

#[test]
fn a_reader_reads_again_where_copy_0_has_changed_meanwhile() {
    // Copy 0 was the standby and becomes current; then the writer is at work on copy 1.
    let (mut store, media) = open(FILE, &[image("1", 1), damaged()]);
    media.lock().unwrap().meanwhile = Some(image("3", 3));
    assert_eq!(store.load().unwrap().get(b"x"), Some(&b"3"[..]));
    let [first, second] = [Call::Load(0), Call::Load(1)];
    let again = [first.clone(), second.clone(), Call::Read(0), first, second, Call::Read(0)];
    assert_eq!(media.lock().unwrap().calls, again);
}

#[test]
fn a_repaired_copy_is_marked_as_the_newer_one() {
    for (kind, before, after, retired) in
        [(FILE, 7, 8, 7), (FILE, 255, 0, 255), (NOR, 1, 1, 0), (NOR, 0xff, 1, 0)]
    {
        let (mut store, media) = open(kind, &[image("1", before), damaged()]);
        assert!(matches!(store.repair().unwrap(), Repair::Rewritten { copy: 1, .. }));
        assert_eq!(media.lock().unwrap().bytes, [image("1", retired), image("1", after)]);
        assert_eq!(store.repair().unwrap(), Repair::Healthy);
    }
}

#[test]
fn only_a_mark_that_is_there_is_cleared() {
    let clear = Call::SetByte(0, FLAGS_OFFSET, 0);
    for (kind, flags, expected) in
        [(NOR, 1, vec![clear.clone()]), (NOR, 0xff, vec![clear]), (NOR, 0, vec![]), (FILE, 1, vec![])]
    {
        let (mut store, media) = open(kind, &[image("1", flags), vec![0xff; SIZE]]);
        set(&mut store, "2");
        assert_eq!(cleared(&media), expected, "{:?}, {flags}", kind.medium);
        assert_eq!(store.load().unwrap().get(b"x"), Some(&b"2"[..]));
    }
}

#[test]
fn the_checksum_is_spoiled_first_where_a_mixture_could_pass() {
    let (other, blank) = (image("0", 4), vec![0; SIZE]);
    let block = Kind { medium: MediumKind::Block, ..FILE };
    let nand = Kind { medium: MediumKind::Nand, ..FILE };
    let tearing = Kind { tears: true, ..FILE };
    for (what, kind, standby, stages) in [
        ("a whole copy, another checksum", FILE, other.clone(), 1),
        ("the same variables, an older serial", FILE, image("2", 4), 1),
        ("the header may be torn", tearing, other, 3),
        ("nothing was stored", FILE, blank, 1),
        ("a store that was cut", FILE, damaged(), 3),
        ("the same on a disk", block, damaged(), 3),
        ("pages are erased first", nand, damaged(), 1),
    ] {
        let (mut store, media) = open(kind, &[image("1", 5), standby]);
        set(&mut store, "2");
        let writes = written(&media);
        assert_eq!(writes.len(), stages, "{what}");
        assert_eq!(writes.last(), Some(&(1, image("2", 6))), "{what}");
    }
    // A single copy that is replaced at once is never half there.
    let single = |value| {
        let env = Environment::from_records([format!("x={value}").as_bytes()]);
        encode(&env, Layout::Single, SIZE, 0, 0).unwrap()
    };
    for method in [Method::InPlace, Method::Rename] {
        let (mut store, media) = open(Kind { method, ..FILE }, &[single("1")]);
        set(&mut store, "2");
        assert_eq!(written(&media), [(0, single("2"))]);
    }
}

#[test]
fn a_spoiled_checksum_is_wrong_in_each_byte_for_both_environments() {
    let mut complements = 0;
    for value in 0..2000 {
        let old = damaged();
        let (mut store, media) = open(FILE, &[image("old", 1), old.clone()]);
        set(&mut store, &value.to_string());
        let new = image(&value.to_string(), 2);
        let right = Image::new(Layout::Redundant, &old).unwrap().computed_crc().to_ne_bytes();
        let writes = written(&media);
        for (stage, rest) in [(0, &old), (1, &new)] {
            let (header, data) = writes[stage].1.split_at(FLAGS_OFFSET);
            assert_eq!(data, &rest[FLAGS_OFFSET..], "stage {stage}");
            for ((spoiled, new), old) in header.iter().zip(&new).zip(right) {
                complements += usize::from(!new == old);
                assert!(
                    *spoiled != old && matches!(spoiled ^ new, 0xff | 0xfe),
                    "{spoiled:#x} {new:#x} {old:#x}"
                );
            }
        }
    }
    assert!(complements > 0, "the case that matters");
}
