//! An archive (tar: ustar, pax, GNU) as a folder. The crate `tar` reads the blocks, and the rules are ours:
//!
//! - Nothing is made but below the folder, and no link is followed: what an entry lies in was made by this archive, as a folder.
//! - Nothing is made twice, and nothing that can't be made as it is described is passed over.
//! - Mode, owner, time and extended attributes are kept. Nodes are made only where that is allowed.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use tar::{Archive, Entry, EntryType, Header};

use super::pax::{self, Pax};
use crate::files::build::{Attributes, Build, Node};
use crate::files::parent;

/// So much of a file is written at once.
const PIECE: usize = 1 << 20;

/// The most entries of an archive: what is known of each is in memory.
const MOST_ENTRIES: usize = 200_000;

/// The longest name, and the longest target of a link (PATH_MAX of linux/limits.h).
const LONGEST_NAME: u64 = 4096;

/// The longest header with extensions: an extended attribute has up to 64 KiB (XATTR_SIZE_MAX).
const LONGEST_PAX: u64 = 1 << 20;

/// The permissions of a folder that the archive does not describe.
const FOLDER: u32 = 0o755;

/// Why an archive was not unpacked.
#[derive(Debug)]
pub enum Unfit {
    /// It can't be unpacked as it is: which entry, and why.
    Archive(String),
    /// A file can't be written, or can't be read back.
    Files(PathBuf, io::Error),
    /// The archive can't be read.
    Read(io::Error),
}

/// What an archive was.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unpacked {
    /// How many files, folders, links and nodes.
    pub entries: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// The files, and the hash of each.
    files: Vec<(PathBuf, [u8; 32])>,
}

#[derive(Clone, Copy, PartialEq)]
enum Made {
    Folder,
    File,
    Other,
}

/// Unpacks an archive into this folder, which is made. It is not on the medium before a sync.
///
/// # Errors
///
/// See [`Unfit`]. What was made until then stays.
pub fn unpack(
    files: &mut dyn Build,
    archive: &mut dyn Read,
    to: &Path,
    devices: bool,
) -> Result<Unpacked, Unfit> {
    files.make_folder(to).map_err(|error| Unfit::Files(to.into(), error))?;
    let mut archive = Archive::new(archive);
    let mut work = Work {
        files,
        to,
        devices,
        made: BTreeMap::new(),
        folders: BTreeMap::new(),
        done: Unpacked::default(),
    };
    work.made.insert(PathBuf::new(), Made::Folder);
    work.folders.insert(PathBuf::new(), undescribed());
    let mut next = Names::default();
    for entry in archive.entries().map_err(Unfit::Read)?.raw(true) {
        let mut entry = entry.map_err(broken)?;
        if !next.take(&mut entry)? {
            let names = std::mem::take(&mut next);
            work.add(&mut entry, names)?;
        }
    }
    if !next.is_empty() {
        return Err(Unfit::Archive("it ends in the middle of an entry".into()));
    }
    work.finish()?;
    let done = work.done;
    nothing_follows(archive.into_inner())?;
    Ok(done)
}

/// Compares all files with what was in the archive: they are read from the medium.
///
/// # Errors
///
/// [`Unfit::Files`], with `InvalidData` where the medium returns other bytes.
pub fn read_back(files: &mut dyn Build, folder: &Path, unpacked: &Unpacked) -> Result<(), Unfit> {
    for (path, expected) in &unpacked.files {
        let at = folder.join(path);
        let mut hash = Sha256::new();
        let looked = files.look_through(&at, &mut |bytes| hash.update(bytes));
        let found: [u8; 32] = hash.finalize().into();
        let lies =
            || io::Error::new(io::ErrorKind::InvalidData, "the medium returns other bytes than were written");
        let same = looked.and_then(|()| if found == *expected { Ok(()) } else { Err(lies()) });
        same.map_err(|error| Unfit::Files(at, error))?;
    }
    Ok(())
}

/// An error of the crate's is one of the archive; others are the reader's own, who knows more of them.
fn broken(error: io::Error) -> Unfit {
    match error.kind() {
        io::ErrorKind::Other | io::ErrorKind::UnexpectedEof => Unfit::Archive(error.to_string()),
        _ => Unfit::Read(error),
    }
}

/// Behind the end there are zeros only. Other tools would read what follows, and ours would not.
fn nothing_follows(rest: &mut dyn Read) -> Result<(), Unfit> {
    let mut piece = [0; 8192];
    loop {
        match rest.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(length) if piece.get(..length).unwrap_or_default().iter().all(|byte| *byte == 0) => {}
            Ok(_) => return Err(Unfit::Archive("something follows behind its end".into())),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Unfit::Read(error)),
        }
    }
}

/// What headers of their own say of the next entry.
#[derive(Default)]
struct Names {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    pax: Option<Pax>,
}

impl Names {
    fn is_empty(&self) -> bool {
        self.path.is_none() && self.link.is_none() && self.pax.is_none()
    }

    /// Takes such a header; `false`: it is none.
    fn take<R: Read>(&mut self, entry: &mut Entry<'_, R>) -> Result<bool, Unfit> {
        let twice = || Unfit::Archive("two headers of one kind describe one entry".into());
        match entry.header().entry_type() {
            EntryType::GNULongName if self.path.is_none() => self.path = Some(name(entry)?),
            EntryType::GNULongLink if self.link.is_none() => self.link = Some(name(entry)?),
            EntryType::XHeader if self.pax.is_none() => {
                self.pax = Some(Pax::parse(&content(entry, LONGEST_PAX)?).map_err(Unfit::Archive)?);
            }
            EntryType::GNULongName | EntryType::GNULongLink | EntryType::XHeader => return Err(twice()),
            EntryType::XGlobalHeader => {
                pax::check_global(&content(entry, LONGEST_PAX)?).map_err(Unfit::Archive)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn content<R: Read>(entry: &mut Entry<'_, R>, longest: u64) -> Result<Vec<u8>, Unfit> {
    if entry.size() > longest {
        return Err(Unfit::Archive(format!("a header has {} bytes, and may have {longest}", entry.size())));
    }
    let mut bytes = Vec::new();
    entry.read_to_end(&mut bytes).map_err(broken)?;
    Ok(bytes)
}

fn name<R: Read>(entry: &mut Entry<'_, R>) -> Result<Vec<u8>, Unfit> {
    let mut name = content(entry, LONGEST_NAME + 1)?;
    if name.last() == Some(&0) {
        name.pop();
    }
    Ok(name)
}

/// An unpacking under way.
struct Work<'w> {
    files: &'w mut dyn Build,
    to: &'w Path,
    devices: bool,
    made: BTreeMap<PathBuf, Made>,
    /// Folders get their attributes at the end: each name that comes in changes the time, and some may not be written to.
    folders: BTreeMap<PathBuf, Attributes>,
    done: Unpacked,
}

impl Work<'_> {
    fn add<R: Read>(&mut self, entry: &mut Entry<'_, R>, names: Names) -> Result<(), Unfit> {
        let header = entry.header().clone();
        let Names { path, link, pax } = names;
        let pax = pax.unwrap_or_default();
        let path = pax.path.clone().or(path).unwrap_or_else(|| header.path_bytes().into_owned());
        let shown = String::from_utf8_lossy(&path).into_owned();
        let unfit = |reason: &str| Unfit::Archive(format!("{shown:?}: {reason}"));
        let kind = header.entry_type();
        let path = relative(&path, kind == EntryType::Directory).map_err(unfit)?;
        if self.made.len() >= MOST_ENTRIES {
            return Err(unfit(&format!("the archive has more than {MOST_ENTRIES} entries")));
        }
        if pax.size.is_some_and(|size| size != entry.size()) {
            return Err(unfit("its two headers name two sizes"));
        }
        let is_file = matches!(kind, EntryType::Regular | EntryType::Continuous);
        if entry.size() != 0 && !is_file {
            return Err(unfit("it has content, and is no file"));
        }
        let attributes = attributes(&header, &pax).map_err(unfit)?;
        let link =
            pax.link.clone().or(link).or_else(|| header.link_name_bytes().map(|name| name.into_owned()));
        self.folders_above(&path)
            .map_err(|error| error.unwrap_or_else(|| unfit("what it lies in is no folder")))?;
        let again = self.made.get(&path).copied();
        if again.is_some_and(|made| made != Made::Folder || kind != EntryType::Directory) {
            return Err(unfit("it is there twice"));
        }
        let at = self.to.join(&path);
        let failed = |error| Unfit::Files(at.clone(), error);
        let made = match kind {
            EntryType::Directory => {
                if again.is_none() {
                    self.files.make_folder(&at).map_err(failed)?;
                }
                self.folders.insert(path.clone(), attributes);
                Made::Folder
            }
            _ if is_file => {
                let hash = self.write(entry, &at)?;
                self.files.give(&at, &attributes).map_err(failed)?;
                self.done.files.push((path.clone(), hash));
                Made::File
            }
            EntryType::Symlink => {
                let target = link.filter(|target| !target.is_empty() && !target.contains(&0));
                let target = target.ok_or_else(|| unfit("it is a link to nothing"))?;
                self.files.make_link(&at, Path::new(OsStr::from_bytes(&target))).map_err(failed)?;
                self.files.give(&at, &attributes).map_err(failed)?;
                Made::Other
            }
            EntryType::Link => {
                let target = relative(&link.unwrap_or_default(), false).map_err(unfit)?;
                if self.made.get(&target) != Some(&Made::File) {
                    return Err(unfit("it is a second name of something that is no file of this archive"));
                }
                self.files.link(&self.to.join(&target), &at).map_err(failed)?;
                Made::File
            }
            EntryType::Fifo | EntryType::Char | EntryType::Block => {
                if !self.devices {
                    return Err(unfit(
                        "it is a device node or a pipe, and the settings do not allow these: devices",
                    ));
                }
                let node = node(&header).map_err(unfit)?;
                self.files.make_node(&at, node).map_err(failed)?;
                self.files.give(&at, &attributes).map_err(failed)?;
                Made::Other
            }
            _ => return Err(unfit("it is of a kind that is not unpacked, such as a sparse file")),
        };
        self.made.insert(path, made);
        self.done.entries += 1;
        Ok(())
    }

    /// What an entry lies in was made by this archive. What the archive does not name is made. `None`: it is no folder.
    fn folders_above(&mut self, path: &Path) -> Result<(), Option<Unfit>> {
        let above = path.parent().unwrap_or(Path::new(""));
        match self.made.get(above) {
            Some(Made::Folder) => return Ok(()),
            Some(_) => return Err(None),
            None => {}
        }
        self.folders_above(above)?;
        let at = self.to.join(above);
        self.files.make_folder(&at).map_err(|error| Some(Unfit::Files(at, error)))?;
        self.made.insert(above.into(), Made::Folder);
        self.folders.insert(above.into(), undescribed());
        Ok(())
    }

    fn write<R: Read>(&mut self, entry: &mut Entry<'_, R>, at: &Path) -> Result<[u8; 32], Unfit> {
        let size = entry.size();
        let (mut hash, mut done) = (Sha256::new(), 0u64);
        let mut piece = vec![0; size.min(PIECE as u64) as usize];
        loop {
            let length = (size - done).min(PIECE as u64) as usize;
            let bytes = piece.get_mut(..length).unwrap_or_default();
            entry.read_exact(bytes).map_err(broken)?;
            hash.update(&*bytes);
            let written = match done {
                0 => self.files.write(at, bytes),
                _ => self.files.append(at, done, bytes),
            };
            written.map_err(|error| Unfit::Files(at.into(), error))?;
            done += length as u64;
            if done == size {
                self.done.bytes += size;
                return Ok(hash.finalize().into());
            }
        }
    }

    /// The inner folders first: an outer one may be closed then.
    fn finish(&mut self) -> Result<(), Unfit> {
        for (path, attributes) in self.folders.iter().rev() {
            let at = if path.as_os_str().is_empty() { self.to.to_path_buf() } else { self.to.join(path) };
            self.files.give(&at, attributes).map_err(|error| Unfit::Files(at, error))?;
        }
        Ok(())
    }
}

/// Of a folder that the archive does not describe.
fn undescribed() -> Attributes {
    Attributes { mode: FOLDER, ..Attributes::default() }
}

/// The path of an entry, below the folder.
///
/// Errors: why it is none, as a phrase.
fn relative(path: &[u8], is_folder: bool) -> Result<PathBuf, &'static str> {
    if path.starts_with(b"/") {
        return Err("its path begins with /");
    }
    if path.contains(&0) || path.len() as u64 > LONGEST_NAME {
        return Err("its path is too long, or holds a NUL");
    }
    if path.ends_with(b"/") && !is_folder {
        return Err("its path is that of a folder, and it is none");
    }
    let mut relative = PathBuf::new();
    for part in path.split(|&byte| byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => return Err("its path has a .."),
            part => relative.push(OsStr::from_bytes(part)),
        }
    }
    match relative.as_os_str().is_empty() && !is_folder {
        true => Err("it has no name"),
        false => Ok(relative),
    }
}

fn attributes(header: &Header, pax: &Pax) -> Result<Attributes, &'static str> {
    let number = |read: io::Result<u64>| read.map_err(|_| "its header holds something that is no number");
    let id = |said: Option<u64>, read: io::Result<u64>| {
        let id = said.map_or_else(|| number(read), Ok)?;
        u32::try_from(id).map_err(|_| "its owner has a number that Linux does not know")
    };
    let mode = header.mode().map_err(|_| "its header holds something that is no number")?;
    let attributes = Attributes {
        mode: mode & 0o7777,
        owner: Some(id(pax.owner, header.uid())?),
        group: Some(id(pax.group, header.gid())?),
        changed: Some(pax.changed.map_or_else(|| number(header.mtime()), Ok)?),
        extended: pax.extended.clone(),
    };
    let kind = header.entry_type();
    let has_room = matches!(kind, EntryType::Regular | EntryType::Continuous | EntryType::Directory);
    match attributes.extended.is_empty() || has_room {
        true => Ok(attributes),
        false => Err("it has extended attributes, and is neither a file nor a folder"),
    }
}

fn node(header: &Header) -> Result<Node, &'static str> {
    let number = |read: io::Result<Option<u32>>| read.ok().flatten().ok_or("it is a device without a number");
    match header.entry_type() {
        EntryType::Fifo => Ok(Node::Fifo),
        EntryType::Char => {
            Ok(Node::Character(number(header.device_major())?, number(header.device_minor())?))
        }
        _ => Ok(Node::Block(number(header.device_major())?, number(header.device_minor())?)),
    }
}

/// The folder that a version is unpacked in until it is whole.
pub fn beside(folder: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".new-");
    name.push(folder.file_name().unwrap_or_default());
    parent(folder).join(name)
}
