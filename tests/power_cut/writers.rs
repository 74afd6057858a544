//! Who stores: the crate's store, and stores by hand that are broken in one way each, to prove that the
//! oracle notices.

use bootslot::env::Environment;
use bootslot::storage::{Access, MediumKind, OpenMedium, ReplaceFile, Volume};

use crate::models::{self, Found};
use crate::rig::{image, Kind, Place, Rig};
use crate::workload::{Step, Vars};

/// Something that carries out steps on a device.
pub trait Writer: Sync {
    fn step(&self, rig: &Rig, step: &Step) -> Result<(), String>;
}

/// The store under test.
pub struct Real;

impl Writer for Real {
    fn step(&self, rig: &Rig, step: &Step) -> Result<(), String> {
        let run = || -> bootslot::Result<()> {
            let mut store = rig.store();
            let (mut transaction, changes) = match step {
                Step::Repair => return store.repair().map(drop),
                Step::Convert(to) => return store.convert(*to).map(drop),
                Step::Set(changes) => (store.begin()?, changes),
                Step::Init(changes) => (store.begin_or_init(Environment::new())?, changes),
            };
            for (name, value) in changes {
                transaction.set(name, value)?;
            }
            transaction.commit().map(drop)
        };
        run().map_err(|e| e.to_string())
    }
}

/// What a store by hand does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: the control, which the oracle has to pass.
    None,
    /// Writes over the current copy.
    OverCurrent,
    /// Counts the serial in steps of two.
    SerialPlusTwo,
    /// Reports success before the bytes are synced.
    NoSync,
    /// Does not read back.
    NoVerify,
    /// NOR: clears the current copy's flag while the standby is still valid.
    RetireFirst,
    /// NOR: never clears the old flag.
    NeverRetire,
    /// NOR: programs without an erase.
    NoErase,
    /// NOR: erases a standby that is still valid without spoiling its checksum first.
    EraseUnspoiled,
    /// DataFlash: clears the current copy's flag, which rewrites a page of it, while it is the only one.
    RetireOnlyCopy,
    /// NOR: marks the new copy in a second program, after its checksum is right.
    FlagLast,
    /// NAND: does not skip bad blocks.
    IgnoreBadBlocks,
    /// NAND: does not erase the second block before it programs it.
    EraseFirstOnly,
    /// File: renames before the data is synced.
    RenameUnsynced,
    /// File: does not sync the directory.
    NoDirSync,
    /// Erases or rewrites what lies behind the copy.
    Neighbour,
    /// Drops the last variable.
    Forgets,
    /// Moves the changed variable to the end.
    Reorders,
}

/// A store by hand, straight on the media, with one fault.
pub struct ByHand(pub Fault);

impl Writer for ByHand {
    fn step(&self, rig: &Rig, step: &Step) -> Result<(), String> {
        self.run(rig, step).map_err(|e| format!("/dev/env0 and /dev/env1: {e}"))
    }
}

impl ByHand {
    fn is(&self, fault: Fault) -> bool {
        self.0 == fault
    }

    fn run(&self, rig: &Rig, step: &Step) -> std::io::Result<()> {
        let copies: Vec<Vec<u8>> = rig.places.iter().map(|p| read(p).unwrap_or(vec![0; rig.size])).collect();
        let header = rig.layout().header();
        let found = |bytes: &Vec<u8>| Found {
            read_fail: false,
            crc_ok: crc32fast::hash(&bytes[header..])
                == u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]),
            flags: bytes[4],
            single_ok: false,
        };
        let current = match copies.as_slice() {
            [one] => found(one).crc_ok.then_some(0),
            [one, two] if rig.is_boolean() => models::uboot_flash(found(one), found(two)),
            [one, two] => models::uboot_check_redund(found(one), found(two)),
            _ => None,
        };
        let old = current.and_then(|i| Vars::parse(&copies[i][header..])).unwrap_or_default();
        let mut new = step.apply(&old);
        if new == old && current.is_some() {
            return Ok(());
        }
        if self.is(Fault::Forgets) {
            new = Vars::parse(&[new.records()[1..].join(&0), vec![0, 0]].concat()).unwrap_or_default();
        }
        if self.is(Fault::Reorders) {
            if let Step::Set(changes) = step {
                for (name, value) in changes {
                    new.set(name, b"");
                    new.set(name, value);
                }
            }
        }
        let steps = if self.is(Fault::SerialPlusTwo) { 2 } else { 1 };
        let flags = match current {
            _ if rig.is_boolean() => 1,
            Some(current) => copies[current][4].wrapping_add(steps),
            None => 1,
        };
        let bytes = image(&new, rig.layout(), rig.size, flags, 0);
        let standby = match current {
            Some(current) if self.is(Fault::OverCurrent) => current,
            Some(0) if copies.len() == 2 => 1,
            _ => 0,
        };
        let retire = || match current {
            Some(current) if rig.is_boolean() => program(&rig.places[current], 4, &[0]),
            _ => Ok(()),
        };
        let retire_last = rig.kind == Kind::DataFlash && !self.is(Fault::RetireOnlyCopy);
        if self.is(Fault::RetireFirst) {
            retire()?;
        }
        let place = &rig.places[standby];
        if rig.is_boolean() && !retire_last && !self.is(Fault::NoErase) {
            if rig.kind == Kind::Nor && found(&copies[standby]).crc_ok && !self.is(Fault::EraseUnspoiled) {
                program(place, 0, &[0; 4])?;
            }
            erase(place)?;
        }
        let in_time = !self.is(Fault::RetireFirst) && !self.is(Fault::NeverRetire);
        if in_time && !retire_last {
            retire()?;
        }
        self.write(place, &bytes)?;
        if in_time && retire_last {
            retire()?;
        }
        if self.is(Fault::Neighbour) {
            program(place, rig.size, &[0])?;
        }
        if !self.is(Fault::NoVerify) && read(place)? != bytes {
            return Err(std::io::Error::other("reading back: other bytes"));
        }
        Ok(())
    }

    fn write(&self, place: &Place, bytes: &[u8]) -> std::io::Result<()> {
        match place {
            Place::Volume(volume) => volume.clone().update(bytes),
            Place::Replaced { medium, spec } => {
                let mut file = medium.clone();
                ReplaceFile::lock(&mut file)?;
                file.write_temp(spec.offset, bytes)?;
                if !self.is(Fault::RenameUnsynced) {
                    file.sync_temp()?;
                }
                if !self.is(Fault::NoVerify) && file.verify_temp(spec.offset, bytes)?.is_some() {
                    return Err(std::io::Error::other("reading back: other bytes"));
                }
                file.rename()?;
                if self.is(Fault::NoDirSync) {
                    return Ok(());
                }
                file.sync_rename().map(drop)
            }
            Place::Region { medium, spec } => {
                let geometry = medium.geometry();
                let mut open = medium.open(Access::Write)?;
                if geometry.kind == MediumKind::Nand {
                    let mut at = spec.offset;
                    for (i, part) in bytes.chunks(geometry.erase_size as usize).enumerate() {
                        while !self.is(Fault::IgnoreBadBlocks) && open.is_bad(at)? {
                            at += geometry.erase_size;
                        }
                        let mut pages = part.to_vec();
                        pages.resize(part.len().next_multiple_of(geometry.write_size as usize), 0xff);
                        if i == 0 || !self.is(Fault::EraseFirstOnly) {
                            open.erase(at)?;
                        }
                        open.program(at, &pages)?;
                        at += geometry.erase_size;
                    }
                    return Ok(());
                }
                if self.is(Fault::FlagLast) {
                    let mut unmarked = bytes.to_vec();
                    unmarked[4] = 0xff;
                    open.program(spec.offset, &unmarked)?;
                    open.program(spec.offset + 4, &[1])?;
                } else if geometry.kind == MediumKind::Nor {
                    open.program(spec.offset + 4, &bytes[4..])?;
                    open.program(spec.offset, &bytes[..4])?;
                } else {
                    open.program(spec.offset, bytes)?;
                }
                if !self.is(Fault::NoSync) {
                    open.sync()?;
                    open.drop_cache(spec.offset, spec.size)?;
                }
                Ok(())
            }
        }
    }
}

fn read(place: &Place) -> std::io::Result<Vec<u8>> {
    match place {
        Place::Volume(volume) => {
            let mut bytes = vec![0; volume.capacity() as usize];
            volume.clone().read(&mut bytes)?;
            Ok(bytes)
        }
        Place::Region { medium, spec } | Place::Replaced { medium, spec } => {
            let mut open = medium.open(Access::Read)?;
            let mut bytes = vec![0; spec.size as usize];
            let geometry = medium.geometry();
            if geometry.kind != MediumKind::Nand {
                open.read(spec.offset, &mut bytes)?;
                return Ok(bytes);
            }
            let mut at = spec.offset;
            for part in bytes.chunks_mut(geometry.erase_size as usize) {
                while open.is_bad(at)? {
                    at += geometry.erase_size;
                }
                open.read(at, part)?;
                at += geometry.erase_size;
            }
            Ok(bytes)
        }
    }
}

fn program(place: &Place, at: usize, bytes: &[u8]) -> std::io::Result<()> {
    let (Place::Region { medium, spec } | Place::Replaced { medium, spec }) = place else { return Ok(()) };
    medium.open(Access::Write)?.program(spec.offset + at as u64, bytes)
}

/// Erases all sectors of a copy.
fn erase(place: &Place) -> std::io::Result<()> {
    let (Place::Region { medium, spec } | Place::Replaced { medium, spec }) = place else { return Ok(()) };
    let sector = medium.geometry().erase_size;
    let mut open = medium.open(Access::Write)?;
    (0..spec.size.div_ceil(sector)).try_for_each(|i| open.erase(spec.offset + i * sector))
}
