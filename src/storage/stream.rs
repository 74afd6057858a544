//! Whole devices and files, read once from the start to the end, whatever lies on them. The search for environments uses
//! this.
//!
//! Holes of sparse files are told, not read. Bad blocks of NAND are passed over, as U-Boot does. What can't be read is
//! told, and the rest is read all the same. Nothing is ever written.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::mtd::MtdOpener;
use super::ubi::{readable, Ubi};
use super::{Access, Medium, MediumKind, OpenMedium, Volume};
use crate::error::{Place, Result};
use crate::sys;

/// How much is read at once, and what is tried one by one where that fails.
const PIECE: u64 = 256 << 10;
const SMALL_PIECE: u64 = 4096;

/// A part of what is read.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Bytes.
    Bytes(&'a [u8]),
    /// So many zeros that are stored nowhere.
    Hole(u64),
    /// So many bytes that can't be read.
    Unreadable(u64),
    /// A bad block of so many bytes: what comes before it goes on behind it.
    Bad(u64),
}

enum Source {
    /// A regular file or a block device.
    File(File),
    /// A UBI volume.
    Volume(File),
    Mtd(Box<dyn Medium>),
}

/// An open device or file.
pub struct Stream {
    /// As it was named.
    pub path: PathBuf,
    /// What it is.
    pub kind: MediumKind,
    /// Its size in bytes; of a UBI volume what it can hold.
    pub size: u64,
    /// Bytes of an erase sector; 0 where nothing has to be erased.
    pub sector_size: u64,
    source: Source,
    /// Where its blocks are looked up that may be bad; 0: nowhere.
    block: u64,
}

impl Stream {
    /// Opens a regular file, a block device, an MTD device or a UBI volume for reading.
    ///
    /// Errors: [`Error::Io`](crate::Error::Io), also for what is none of these.
    pub fn open(path: &Path) -> Result<Stream> {
        open(path).map_err(|error| Place::new(path, "opening").io(error))
    }

    /// Hands over everything in `range` in order, until `take` says false. The offset is that on the device.
    ///
    /// Errors: [`Error::Io`](crate::Error::Io) where nothing more can be said about the device.
    pub fn read(&mut self, range: Range<u64>, take: &mut dyn FnMut(u64, Piece<'_>) -> bool) -> Result<()> {
        let failed = |path: &Path, at| {
            let place = Place::new(path, "reading").at(at);
            move |error| place.io(error)
        };
        let end = range.end.min(self.size);
        let mut at = range.start;
        let mut buffer = vec![0; PIECE as usize];
        let mut data = at..at;
        while at < end {
            if self.kind == MediumKind::File && at >= data.end {
                let Source::File(file) = &self.source else { return Ok(()) };
                data = sys::next_data(file, at).map_err(failed(&self.path, at))?.unwrap_or(end..u64::MAX);
                let hole = data.start.min(end) - at;
                if hole > 0 {
                    if !take(at, Piece::Hole(hole)) {
                        return Ok(());
                    }
                    at += hole;
                    continue;
                }
            }
            let mut len = PIECE.min(end - at);
            if self.kind == MediumKind::File {
                len = len.min(data.end - at);
            }
            if self.block > 0 {
                let block = at - at % self.block;
                len = len.min(block + self.block - at);
                if self.is_bad(block) {
                    if !take(at, Piece::Bad(len)) {
                        return Ok(());
                    }
                    at += len;
                    continue;
                }
            }
            let Some(bytes) = buffer.get_mut(..len as usize) else { return Ok(()) };
            match read_at(&mut self.source, at, bytes) {
                Ok(0) => return Ok(()),
                Ok(got) => {
                    if !take(at, Piece::Bytes(bytes.get(..got).unwrap_or_default())) {
                        return Ok(());
                    }
                    at += got as u64;
                }
                Err(_) if self.read_small(at..at + len, &mut buffer, take) => at += len,
                Err(_) => return Ok(()),
            }
        }
        Ok(())
    }

    /// The same in small pieces, of which some can't be read.
    fn read_small(
        &mut self,
        range: Range<u64>,
        buffer: &mut [u8],
        take: &mut dyn FnMut(u64, Piece<'_>) -> bool,
    ) -> bool {
        let mut at = range.start;
        while at < range.end {
            let len = SMALL_PIECE.min(range.end - at);
            let bytes = buffer.get_mut(..len as usize).unwrap_or_default();
            let whole = matches!(read_at(&mut self.source, at, bytes), Ok(got) if got as u64 == len);
            let piece = if whole { Piece::Bytes(bytes) } else { Piece::Unreadable(len) };
            if !take(at, piece) {
                return false;
            }
            at += len;
        }
        true
    }

    fn is_bad(&mut self, block: u64) -> bool {
        match &mut self.source {
            // Where nothing is known of a block, reading it tells.
            Source::Mtd(medium) => medium.is_bad(block).unwrap_or(false),
            Source::File(_) | Source::Volume(_) => false,
        }
    }
}

/// Reads as much as there is, at most until the buffer is full.
fn read_at(source: &mut Source, at: u64, buffer: &mut [u8]) -> io::Result<usize> {
    match source {
        Source::Mtd(medium) => medium.read(at, buffer).map(|()| buffer.len()),
        Source::Volume(file) if at >= readable(file)? => Ok(0),
        Source::File(file) | Source::Volume(file) => {
            let mut got = 0;
            while let Some(rest) = buffer.get_mut(got..).filter(|rest| !rest.is_empty()) {
                match file.read_at(rest, at + got as u64) {
                    Ok(0) => break,
                    Ok(more) => got += more,
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(_) if got > 0 => break,
                    Err(error) => return Err(error),
                }
            }
            Ok(got)
        }
    }
}

fn open(path: &Path) -> io::Result<Stream> {
    let ubi = Ubi::default();
    let volume = match ubi.name_in(path) {
        Some(name) => Some(ubi.by_name(name)?),
        None => ubi.by_node(path)?,
    };
    let node = volume.as_ref().map_or(path, |volume| volume.node());
    let kind = fs::metadata(node)?.file_type();
    let stream = |kind, size, source| Stream {
        path: path.to_path_buf(),
        kind,
        size,
        sector_size: 0,
        source,
        block: 0,
    };
    if kind.is_char_device() && volume.is_none() {
        let medium = MtdOpener::new(path, 0).open(Access::Read)?;
        let geometry = medium.geometry();
        let block = if geometry.kind == MediumKind::Nand { geometry.erase_size } else { 0 };
        return Ok(Stream {
            path: path.to_path_buf(),
            kind: geometry.kind,
            size: geometry.size,
            sector_size: geometry.erase_size,
            source: Source::Mtd(medium),
            block,
        });
    }
    if !kind.is_file() && !kind.is_block_device() && volume.is_none() {
        return Err(io::Error::new(
            ErrorKind::InvalidInput,
            "neither a regular file nor a block device, an MTD device or a UBI volume",
        ));
    }
    let flags = libc::O_NOCTTY | libc::O_NONBLOCK;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(node)?;
    Ok(match volume {
        Some(volume) => stream(MediumKind::Ubi, volume.capacity(), Source::Volume(file)),
        None if kind.is_block_device() => {
            let size = sys::block_device_size(&file)?;
            stream(MediumKind::Block, size, Source::File(file))
        }
        None => {
            let size = file.metadata()?.len();
            stream(MediumKind::File, size, Source::File(file))
        }
    })
}

/// Regular files in which U-Boot keeps its environment where it keeps it in a file.
const USUAL_FILES: [&str; 5] = [
    "/boot/uboot.env",
    "/boot/uboot-redund.env",
    "/boot/firmware/uboot.env",
    "/boot/firmware/uboot-redund.env",
    "/uboot.env",
];

/// Block devices that are no disk, or one that is looked into already.
const NO_DISKS: [&str; 11] =
    ["loop", "ram", "zram", "mtdblock", "ubiblock", "sr", "fd", "dm-", "md", "nbd", "zd"];

/// Everything of this machine in which an environment may be: MTD devices, UBI volumes, disks with the eMMC's boot
/// partitions, and the files that U-Boot uses. `sysfs` is `/sys`, `dev` is `/dev`.
pub fn devices(sysfs: &Path, dev: &Path) -> Vec<PathBuf> {
    let numbered = |name: &str, prefix: &str| {
        name.strip_prefix(prefix).is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let entries = |class: &str, keep: &dyn Fn(&str) -> bool| {
        let entries = fs::read_dir(sysfs.join(class)).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let mut names: Vec<String> = names.filter(|name| keep(name)).collect();
        names.sort_by_key(|name| (name.len(), name.clone()));
        names.into_iter().map(|name| dev.join(name)).collect::<Vec<_>>()
    };
    let mut found = entries("class/mtd", &|name| numbered(name, "mtd"));
    found.extend(entries("class/ubi", &|name| {
        name.split_once('_').is_some_and(|(device, volume)| numbered(device, "ubi") && numbered(volume, ""))
    }));
    found.extend(entries("block", &|name| {
        let disk = !NO_DISKS.iter().any(|no| name.starts_with(no));
        let size = fs::read_to_string(sysfs.join("block").join(name).join("size"));
        disk && size.is_ok_and(|size| size.trim() != "0")
    }));
    found.extend(USUAL_FILES.iter().map(PathBuf::from).filter(|path| path.is_file()));
    found
}

/// A partition of a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partition {
    /// Its device node.
    pub path: PathBuf,
    /// Its bytes on the disk.
    pub range: Range<u64>,
    /// Where it is mounted: then a file system is in it, and what is found there lies in one of its files.
    pub mounted: Option<PathBuf>,
}

/// The partitions of the disk at `path`; none of what is no disk. `sysfs` is `/sys`, `mounts` the text of
/// `/proc/self/mounts`.
pub fn partitions(sysfs: &Path, mounts: &str, path: &Path) -> Vec<Partition> {
    let Ok(meta) = fs::metadata(path) else { return Vec::new() };
    if !meta.file_type().is_block_device() {
        return Vec::new();
    }
    let device = meta.rdev();
    let disk = sysfs.join(format!("dev/block/{}:{}", libc::major(device), libc::minor(device)));
    partitions_in(&disk, mounts, path)
}

fn partitions_in(disk: &Path, mounts: &str, path: &Path) -> Vec<Partition> {
    let mut found = Vec::new();
    for entry in fs::read_dir(disk).into_iter().flatten().flatten() {
        // Sectors of 512 bytes, whatever the disk's are.
        let number = |name: &str| -> Option<u64> {
            let text = fs::read_to_string(entry.path().join(name)).ok()?;
            text.trim().parse::<u64>().ok()?.checked_mul(512)
        };
        if !entry.path().join("partition").exists() {
            continue;
        }
        if let (Some(start), Some(size)) = (number("start"), number("size")) {
            let node = path.with_file_name(entry.file_name());
            let mounted = mounts.lines().find_map(|line| {
                let mut words = line.split(' ');
                (Path::new(words.next()?) == node).then(|| words.next().map(PathBuf::from))?
            });
            found.push(Partition { path: node, range: start..start + size, mounted });
        }
    }
    found.sort_by_key(|partition| partition.range.start);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(path: &Path, range: Range<u64>) -> Vec<(u64, String)> {
        let mut found: Vec<(u64, String)> = Vec::new();
        let mut stream = Stream::open(path).unwrap();
        stream
            .read(range, &mut |at, piece| {
                found.push((
                    at,
                    match piece {
                        Piece::Bytes(bytes) => format!("{} bytes of {}", bytes.len(), bytes[0]),
                        other => format!("{other:?}"),
                    },
                ));
                true
            })
            .unwrap();
        found
    }

    #[test]
    fn holes_are_told_and_not_read() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(8 << 30).unwrap();
        file.as_file().write_all_at(&[7; 4096], 1 << 30).unwrap();
        let found = pieces(file.path(), 0..u64::MAX);
        assert_eq!(found[0], (0, format!("Hole({})", 1u64 << 30)));
        assert_eq!(found[1], (1 << 30, "4096 bytes of 7".into()));
        assert_eq!(found[2], ((1 << 30) + 4096, format!("Hole({})", (7u64 << 30) - 4096)));
        assert_eq!(found.len(), 3);
        let part = pieces(file.path(), (1 << 30) + 100..(1 << 30) + 300);
        assert_eq!(part, [((1 << 30) + 100, "200 bytes of 7".into())]);
    }

    /// A NAND of four blocks of 0x1000 bytes: block 1 is bad, of block 2 the second half can't be read (in pieces).
    struct Worn;

    impl Medium for Worn {
        fn geometry(&self) -> super::super::Geometry {
            super::super::Geometry {
                kind: MediumKind::Nand,
                size: 0x10000,
                erase_size: 0x4000,
                write_size: 512,
            }
        }
        fn read(&mut self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
            buf.fill((offset / 0x4000) as u8);
            let broken = 0xa000..0xb000u64;
            match offset < broken.end && broken.start < offset + buf.len() as u64 {
                true => Err(io::Error::from_raw_os_error(libc::EBADMSG)),
                false => Ok(()),
            }
        }
        fn program(&mut self, _: u64, _: &[u8]) -> io::Result<()> {
            panic!("written")
        }
        fn erase(&mut self, _: u64) -> io::Result<()> {
            panic!("erased")
        }
        fn is_bad(&mut self, offset: u64) -> io::Result<bool> {
            Ok(offset == 0x4000)
        }
        fn mark_bad(&mut self, _: u64) -> io::Result<()> {
            panic!("marked")
        }
        fn unlock(&mut self, _: u64) -> io::Result<bool> {
            panic!("unlocked")
        }
        fn lock(&mut self, _: u64) -> io::Result<()> {
            panic!("locked")
        }
        fn sync(&mut self) -> io::Result<()> {
            panic!("synced")
        }
        fn drop_cache(&mut self, _: u64, _: u64) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn bad_blocks_and_what_cant_be_read_are_passed_over() {
        let mut stream = Stream {
            path: "/dev/mtd9".into(),
            kind: MediumKind::Nand,
            size: 0x10000,
            sector_size: 0x4000,
            source: Source::Mtd(Box::new(Worn)),
            block: 0x4000,
        };
        let mut found = Vec::new();
        let mut bytes = 0;
        stream
            .read(0..u64::MAX, &mut |at, piece| {
                match piece {
                    Piece::Bytes(read) => {
                        assert_eq!(read[0], (at / 0x4000) as u8);
                        bytes += read.len();
                    }
                    other => found.push((at, format!("{other:?}"))),
                }
                true
            })
            .unwrap();
        assert_eq!(found, [(0x4000, "Bad(16384)".into()), (0xa000, "Unreadable(4096)".into())]);
        assert_eq!(bytes, 0x10000 - 0x4000 - 0x1000);
    }

    #[test]
    fn what_holds_no_bytes_is_refused() {
        for path in ["/dev/null", "/proc", "/nothing"] {
            assert!(Stream::open(Path::new(path)).is_err(), "{path}");
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(pieces(file.path(), 0..u64::MAX), []);
    }

    #[test]
    fn the_devices_of_a_machine_are_listed() {
        let sysfs = tempfile::tempdir().unwrap();
        for name in
            ["class/mtd/mtd0", "class/mtd/mtd0ro", "class/mtd/mtd10", "class/mtd/mtd2", "class/ubi/ubi0"]
        {
            fs::create_dir_all(sysfs.path().join(name)).unwrap();
        }
        fs::create_dir_all(sysfs.path().join("class/ubi/ubi0_1")).unwrap();
        for (name, size) in
            [("mmcblk0", "100"), ("mmcblk0boot0", "8"), ("loop0", "8"), ("sda", "0"), ("mtdblock0", "9")]
        {
            let disk = sysfs.path().join("block").join(name);
            fs::create_dir_all(&disk).unwrap();
            fs::write(disk.join("size"), size).unwrap();
        }
        let found = devices(sysfs.path(), Path::new("/dev"));
        let names: Vec<_> =
            found.iter().filter_map(|path| path.strip_prefix("/dev").ok()?.to_str()).collect();
        assert_eq!(names, ["mtd0", "mtd2", "mtd10", "ubi0_1", "mmcblk0", "mmcblk0boot0"]);
    }

    #[test]
    fn partitions_know_where_they_are_mounted() {
        let disk = tempfile::tempdir().unwrap();
        for (name, start, size) in [("mmcblk0p2", "4096", "8"), ("mmcblk0p1", "2048", "2048")] {
            let entry = disk.path().join(name);
            fs::create_dir_all(&entry).unwrap();
            for (attribute, value) in [("partition", "1"), ("start", start), ("size", size)] {
                fs::write(entry.join(attribute), value).unwrap();
            }
        }
        fs::create_dir_all(disk.path().join("queue")).unwrap();
        let mounts = "proc /proc proc rw 0 0\n/dev/mmcblk0p1 /boot vfat rw 0 0\n";
        let found = partitions_in(disk.path(), mounts, Path::new("/dev/mmcblk0"));
        assert_eq!(found[0].path, Path::new("/dev/mmcblk0p1"));
        assert_eq!(found[0].range, 0x10_0000..0x20_0000);
        assert_eq!(found[0].mounted.as_deref(), Some(Path::new("/boot")));
        assert_eq!((found[1].range.start, &found[1].mounted), (0x20_0000, &None));
    }
}
