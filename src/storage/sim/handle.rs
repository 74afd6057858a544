//! The handles with which a test and the code under test reach the media of a [`Board`].

use std::io;

use super::power::Op;
use super::{range_of, violation, Board, Chip, Counters};
use crate::storage::region::first_difference;
use crate::storage::{Access, Geometry, Medium, MediumKind, OpenMedium, ReplaceFile, Volume};

/// A medium of a [`Board`]: flash, a block device or a file. The code under test opens it; a test looks
/// at it and prepares it past all rules and counters.
#[derive(Debug, Clone)]
pub struct SimMedium {
    board: Board,
    index: usize,
}

impl SimMedium {
    pub(super) fn new(board: Board, index: usize) -> Self {
        SimMedium { board, index }
    }

    /// The same medium of another board, a [fork](Board::fork) of this one's.
    pub fn on(&self, board: &Board) -> SimMedium {
        SimMedium { board: board.clone(), index: self.index }
    }

    /// Its number on the board, as in [`Entry`](super::Entry) and [`Fault`](super::Fault).
    pub fn index(&self) -> usize {
        self.index
    }

    fn with<R>(&self, act: impl FnOnce(&mut Chip) -> R) -> R {
        act(&mut self.board.lock().media[self.index].chip)
    }

    /// The shape.
    pub fn geometry(&self) -> Geometry {
        self.with(|chip| match chip {
            Chip::Nor(c) => c.geometry(),
            Chip::Nand(c) => c.geometry(),
            Chip::DataFlash(c) => c.geometry(),
            Chip::Ram(c) => c.geometry(),
            Chip::Disk(c) => c.geometry(),
            Chip::Ubi(c) => Geometry {
                kind: MediumKind::Ubi,
                size: c.capacity() as u64,
                erase_size: c.leb_size() as u64,
                write_size: 1,
            },
        })
    }

    /// What lies on the medium: without caches, and whatever an ECC would say.
    pub fn image(&self) -> Vec<u8> {
        self.with(|chip| match chip {
            Chip::Nor(c) => c.cells().to_vec(),
            Chip::Nand(c) => c.image().to_vec(),
            Chip::DataFlash(c) => c.cells().clone(),
            Chip::Ram(c) => c.cells().clone(),
            Chip::Disk(c) => c.durable().to_vec(),
            Chip::Ubi(c) => c.content().unwrap_or_default().to_vec(),
        })
    }

    /// Puts `bytes` on the medium as the factory did it: no rule, no counter, no log.
    pub fn preload(&self, offset: usize, bytes: &[u8]) {
        let range = offset..offset + bytes.len();
        self.with(|chip| match chip {
            Chip::Nor(c) => c.factory_write(range, bytes),
            Chip::Nand(c) => c.factory_write(range, bytes),
            Chip::DataFlash(c) => c.cells()[range].copy_from_slice(bytes),
            Chip::Ram(c) => c.cells()[range].copy_from_slice(bytes),
            Chip::Disk(c) => c.factory_write(range, bytes),
            Chip::Ubi(c) => c.factory_write(Some(bytes)),
        });
    }

    /// Marks the NAND block at `offset` as bad, as the factory did it.
    pub fn preload_bad(&self, offset: u64) {
        self.with(|chip| match chip {
            Chip::Nand(c) => c.factory_bad(offset),
            _ => violation(format_args!("only NAND has bad blocks")),
        });
    }

    /// Whether the NAND block at `offset` is marked bad.
    pub fn is_marked_bad(&self, offset: u64) -> bool {
        self.with(|chip| matches!(chip, Chip::Nand(c) if c.is_bad(offset)))
    }

    /// The sectors of NOR and NAND whose last erase or program was cut: whatever they read, it may be something else
    /// tomorrow.
    pub fn unsettled(&self) -> Vec<u64> {
        let size = self.geometry().erase_size;
        let cut = self.with(|chip| match chip {
            Chip::Nor(c) => c.unsettled(),
            Chip::Nand(c) => c.unsettled(),
            _ => Vec::new(),
        });
        cut.into_iter().map(|number| number as u64 * size).collect()
    }

    /// Locks all sectors of a NOR chip; with `always` each power-up locks them again.
    pub fn lock_all(&self, always: bool) {
        self.with(|chip| match chip {
            Chip::Nor(c) => c.lock_all(always),
            _ => violation(format_args!("only NOR has locks")),
        });
    }

    /// Which sectors of a NOR chip are locked.
    pub fn locked(&self) -> Vec<bool> {
        self.with(|chip| match chip {
            Chip::Nor(c) => c.locked(),
            _ => Vec::new(),
        })
    }

    /// Temporary files that lie about beside a file.
    pub fn leftovers(&self) -> usize {
        self.with(|chip| match chip {
            Chip::Disk(c) => c.leftovers(),
            _ => 0,
        })
    }

    /// What was done to it.
    pub fn counters(&self) -> Counters {
        self.board.lock().media[self.index].counters.clone()
    }

    /// Sets all counters to 0.
    pub fn clear_counters(&self) {
        let counters = &mut self.board.lock().media[self.index].counters;
        *counters = Counters { erases: vec![0; counters.erases.len()], ..Counters::default() };
    }

    /// Bytes of an erase or lock: the sector.
    fn sector(&self, offset: u64) -> (u64, u64) {
        (offset, self.geometry().erase_size)
    }
}

impl OpenMedium for SimMedium {
    fn open(&self, access: Access) -> io::Result<Box<dyn Medium>> {
        self.board.run(self.index, Op::Open, (0, 0), |_, extent| {
            (extent == super::power::Extent::Whole).then_some(()).ok_or(io::ErrorKind::NotFound.into())
        })?;
        Ok(Box::new(OpenSim { medium: self.clone(), access }))
    }
}

/// A medium that was opened.
struct OpenSim {
    medium: SimMedium,
    access: Access,
}

impl OpenSim {
    fn writable(&self) {
        if self.access == Access::Read {
            violation(format_args!("changing a medium that was opened for reading"));
        }
    }
}

impl Drop for OpenSim {
    fn drop(&mut self) {
        // The kernel gives an update up that nobody can complete any more.
        self.medium.with(|chip| match chip {
            Chip::Ubi(ubi) if self.access == Access::Write => ubi.forget_program(),
            _ => {}
        });
    }
}

impl Medium for OpenSim {
    fn geometry(&self) -> Geometry {
        self.medium.geometry()
    }

    fn read(&mut self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let at = (offset, buf.len() as u64);
        let size = self.geometry().size as usize;
        self.medium.board.run(self.medium.index, Op::Read, at, |chip, _| {
            let range = range_of(offset, buf.len(), size).ok_or(io::ErrorKind::UnexpectedEof)?;
            match chip {
                Chip::Nor(c) => c.read(range, buf),
                Chip::Nand(c) => c.read(range, buf),
                Chip::DataFlash(c) => {
                    buf.copy_from_slice(&c.cells()[range]);
                    Ok(())
                }
                Chip::Ram(c) => {
                    buf.copy_from_slice(&c.cells()[range]);
                    Ok(())
                }
                Chip::Disk(c) => {
                    c.read(range, buf);
                    Ok(())
                }
                Chip::Ubi(c) => c.read(offset, buf),
            }
        })
    }

    fn program(&mut self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.writable();
        let at = (offset, data.len() as u64);
        let op = match self.geometry() {
            Geometry { kind: MediumKind::Ubi, erase_size: 0, .. } => Op::Update,
            Geometry { kind: MediumKind::Ubi, .. } => Op::ChangeLeb,
            _ => Op::Program,
        };
        self.medium.board.run(self.medium.index, op, at, |chip, extent| match chip {
            Chip::Nor(c) => c.program(offset, data, extent),
            Chip::Nand(c) => c.program(offset, data, extent),
            Chip::DataFlash(c) => c.program(offset, data, extent),
            Chip::Ram(c) => c.program(offset, data, extent),
            Chip::Disk(c) => c.program(offset, data, extent),
            Chip::Ubi(c) if op == Op::Update => c.go_on(offset, data, extent),
            Chip::Ubi(c) => c.change(offset, data, extent),
        })
    }

    #[cfg(feature = "update")]
    fn begin(&mut self, len: u64) -> io::Result<()> {
        self.writable();
        let start = self.medium.with(|chip| match chip {
            Chip::Ubi(ubi) if ubi.leb_size() == 0 => Some(len),
            Chip::Ubi(ubi) => ubi.content().is_none().then_some(0),
            _ => None,
        });
        let Some(len) = start else { return Ok(()) };
        self.medium.board.run(self.medium.index, Op::StartUpdate, (0, len), |chip, extent| match chip {
            Chip::Ubi(ubi) => ubi.start_update(len as usize, extent),
            _ => Ok(()),
        })
    }

    #[cfg(feature = "update")]
    fn readable(&self) -> u64 {
        self.medium.with(|chip| match chip {
            Chip::Ubi(ubi) => ubi.used() as u64,
            _ => u64::MAX,
        })
    }

    fn erase(&mut self, offset: u64) -> io::Result<()> {
        self.writable();
        let at = self.medium.sector(offset);
        self.medium.board.run(self.medium.index, Op::Erase, at, |chip, extent| match chip {
            Chip::Nor(c) => c.erase(offset, extent),
            Chip::Nand(c) => c.erase(offset, extent),
            Chip::DataFlash(c) => c.erase(offset, extent),
            Chip::Ram(c) => c.erase(offset, extent),
            Chip::Ubi(c) => c.erase(offset, extent),
            Chip::Disk(_) => violation(format_args!("nothing to erase on this medium")),
        })
    }

    fn is_bad(&mut self, offset: u64) -> io::Result<bool> {
        let at = (offset, 0);
        self.medium.board.run(self.medium.index, Op::IsBad, at, |chip, _| match chip {
            Chip::Nand(c) => Ok(c.is_bad(offset)),
            _ => Ok(false),
        })
    }

    fn mark_bad(&mut self, offset: u64) -> io::Result<()> {
        self.writable();
        let at = self.medium.sector(offset);
        self.medium.board.run(self.medium.index, Op::MarkBad, at, |chip, extent| match chip {
            Chip::Nand(c) => {
                c.mark_bad(offset, extent);
                Ok(())
            }
            _ => violation(format_args!("only NAND has bad blocks")),
        })
    }

    fn unlock(&mut self, offset: u64) -> io::Result<bool> {
        self.writable();
        let at = self.medium.sector(offset);
        self.medium.board.run(self.medium.index, Op::Unlock, at, |chip, extent| match chip {
            Chip::Nor(c) => c.set_lock(offset, false, extent),
            _ => Ok(false),
        })
    }

    fn lock(&mut self, offset: u64) -> io::Result<()> {
        self.writable();
        let at = self.medium.sector(offset);
        self.medium.board.run(self.medium.index, Op::Lock, at, |chip, extent| match chip {
            Chip::Nor(c) => c.set_lock(offset, true, extent).map(drop),
            _ => violation(format_args!("locking a medium that has no locks")),
        })
    }

    fn sync(&mut self) -> io::Result<()> {
        self.medium.board.run(self.medium.index, Op::Sync, (0, 0), |chip, extent| {
            if let Chip::Disk(disk) = chip {
                disk.sync(extent);
            }
            Ok(())
        })
    }

    fn drop_cache(&mut self, offset: u64, len: u64) -> io::Result<()> {
        self.medium.board.run(self.medium.index, Op::DropCache, (offset, len), |chip, _| {
            if let Chip::Disk(disk) = chip {
                let size = disk.durable().len();
                let end = usize::try_from(offset.saturating_add(len)).unwrap_or(size).min(size);
                disk.drop_cache(usize::try_from(offset).unwrap_or(end).min(end)..end);
            }
            Ok(())
        })
    }
}

impl ReplaceFile for SimMedium {
    fn lock(&mut self) -> io::Result<u64> {
        // Nobody else writes to a simulated file.
        self.on_file(Op::Open, 0, |disk, _| disk.geometry().size)
    }

    fn write_temp(&mut self, offset: u64, new: &[u8]) -> io::Result<u64> {
        let content = self.on_file(Op::Read, 0, |disk, _| with_new(disk.content(), offset, new))?;
        self.on_file(Op::WriteTemp, content.len(), |disk, extent| disk.write_temp(&content, extent))?;
        Ok(content.len() as u64)
    }

    fn sync_temp(&mut self) -> io::Result<u64> {
        self.on_file(Op::SyncTemp, 0, |disk, extent| disk.sync_temp(extent))?;
        Ok(1)
    }

    fn verify_temp(&mut self, offset: u64, new: &[u8]) -> io::Result<Option<u64>> {
        let difference = self.on_file(Op::Read, 0, |disk, _| {
            first_difference(&disk.temp_content(), &with_new(disk.content(), offset, new))
        })?;
        Ok(difference.map(|at| at as u64))
    }

    fn rename(&mut self) -> io::Result<()> {
        self.on_file(Op::Rename, 0, |disk, extent| disk.rename(extent))
    }

    fn sync_rename(&mut self) -> io::Result<u64> {
        self.on_file(Op::SyncDir, 0, |disk, extent| disk.sync_dir(extent))?;
        Ok(1)
    }

    fn give_up(&mut self) {
        // What fails here is a file that lies about; nobody is told.
        let _ = self.on_file(Op::DiscardTemp, 0, |disk, extent| disk.discard_temp(extent));
    }
}

/// The bytes of a file with `new` among them.
fn with_new(mut content: Vec<u8>, offset: u64, new: &[u8]) -> Vec<u8> {
    let Some(range) = range_of(offset, new.len(), content.len()) else {
        violation(format_args!("{} bytes at {offset:#x}: past the end of the file", new.len()));
    };
    content[range].copy_from_slice(new);
    content
}

impl SimMedium {
    fn on_file<R>(
        &self,
        op: Op,
        len: usize,
        act: impl FnOnce(&mut super::disk::Disk, super::power::Extent) -> R,
    ) -> io::Result<R> {
        self.board.run(self.index, op, (0, len as u64), |chip, extent| match chip {
            Chip::Disk(disk) => Ok(act(disk, extent)),
            _ => violation(format_args!("only a regular file can be replaced")),
        })
    }
}

/// A UBI volume of a [`Board`].
#[derive(Debug, Clone)]
pub struct SimVolume {
    medium: SimMedium,
}

impl SimVolume {
    pub(super) fn new(medium: SimMedium) -> Self {
        SimVolume { medium }
    }

    /// The same volume of another board, a [fork](Board::fork) of this one's.
    pub fn on(&self, board: &Board) -> SimVolume {
        SimVolume { medium: self.medium.on(board) }
    }

    /// Its number on the board, as in [`Entry`](super::Entry) and [`Fault`](super::Fault).
    pub fn index(&self) -> usize {
        self.medium.index
    }

    fn with<R>(&self, act: impl FnOnce(&mut super::ubi::Ubi) -> R) -> R {
        self.medium.with(|chip| match chip {
            Chip::Ubi(ubi) => act(ubi),
            _ => violation(format_args!("not a UBI volume")),
        })
    }

    /// The same as a medium of which images are read and to which they are written.
    pub fn medium(&self) -> SimMedium {
        self.medium.clone()
    }

    /// The content; `None` while the update marker is set.
    pub fn image(&self) -> Option<Vec<u8>> {
        self.with(|ubi| ubi.content().map(<[u8]>::to_vec))
    }

    /// Puts `content` into the volume past all rules and counters; `None` sets the update marker.
    pub fn preload(&self, content: Option<&[u8]>) {
        self.with(|ubi| ubi.factory_write(content));
    }

    /// What was done to it.
    pub fn counters(&self) -> Counters {
        self.medium.counters()
    }

    /// Sets all counters to 0.
    pub fn clear_counters(&self) {
        self.medium.clear_counters();
    }
}

impl Volume for SimVolume {
    fn capacity(&self) -> u64 {
        self.with(|ubi| ubi.capacity() as u64)
    }

    fn read(&mut self, buf: &mut [u8]) -> io::Result<()> {
        let at = (0, buf.len() as u64);
        self.medium.board.run(self.medium.index, Op::Read, at, |chip, _| match chip {
            Chip::Ubi(ubi) => ubi.read(0, buf),
            _ => violation(format_args!("not a UBI volume")),
        })
    }

    fn atomic_size(&self) -> u64 {
        self.with(|ubi| ubi.leb_size() as u64)
    }

    fn change(&mut self, data: &[u8]) -> io::Result<()> {
        let at = (0, data.len() as u64);
        self.medium.board.run(self.medium.index, Op::ChangeLeb, at, |chip, extent| match chip {
            Chip::Ubi(ubi) => ubi.change(0, data, extent),
            _ => violation(format_args!("not a UBI volume")),
        })
    }

    fn update(&mut self, data: &[u8]) -> io::Result<()> {
        let at = (0, data.len() as u64);
        self.medium.board.run(self.medium.index, Op::Update, at, |chip, extent| match chip {
            Chip::Ubi(ubi) => ubi.update(data, extent),
            _ => violation(format_args!("not a UBI volume")),
        })
    }
}
