//! Folders that are built from nothing, as an archive describes them: links, nodes, owners, modes, extended attributes. And
//! the one link that is switched.

use std::io;
use std::path::{Path, PathBuf};

use super::tree::Trees;
use super::{beside, parent};

/// What a file or a folder has beside its content.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Attributes {
    /// The permissions with set-user-ID, set-group-ID and sticky bit, of chmod(2): `0o7777` at most.
    pub mode: u32,
    /// Its owner's number; `None`: it stays.
    pub owner: Option<u32>,
    /// Its group's number; `None`: it stays.
    pub group: Option<u32>,
    /// When it was changed last: seconds since 1970; `None`: that stays.
    pub changed: Option<u64>,
    /// Its extended attributes, by name.
    pub extended: Vec<(Vec<u8>, Vec<u8>)>,
}

/// What mknod(2) makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Node {
    /// A named pipe.
    Fifo,
    /// A character device, with its major and minor number.
    Character(u32, u32),
    /// A block device, with its major and minor number.
    Block(u32, u32),
}

/// Trees in which links and nodes can be made, and attributes given.
pub trait Build: Trees {
    /// The same trees, where links do not matter.
    fn as_trees(&mut self) -> &mut dyn Trees;

    /// Makes a symbolic link to `target`, where nothing is.
    fn make_link(&mut self, at: &Path, target: &Path) -> io::Result<()>;

    /// What a symbolic link says. `None`: there is nothing, or something else.
    fn link_target(&mut self, at: &Path) -> io::Result<Option<PathBuf>>;

    /// Puts a link or a file in the place of another one in the same folder, in one step.
    fn replace_link(&mut self, from: &Path, to: &Path) -> io::Result<()>;

    /// Makes a node, where nothing is.
    fn make_node(&mut self, at: &Path, node: Node) -> io::Result<()>;

    /// Gives a file, a folder, a node or a link what it has beside its content. A link gets an owner and a time only.
    fn give(&mut self, at: &Path, attributes: &Attributes) -> io::Result<()>;

    /// Goes through the bytes of a file as the medium has them: the page cache is left out where the system can.
    fn look_through(&mut self, at: &Path, look: &mut dyn FnMut(&[u8])) -> io::Result<()>;
}

/// Makes `link` lead to `target`, in one step. After an error, or a power cut, it leads where it did or there. It is on the
/// medium for certain after the folder was synced.
///
/// # Errors
///
/// Those of the system.
pub fn switch(files: &mut dyn Build, link: &Path, target: &Path) -> io::Result<()> {
    let new = beside(link, ".new")?;
    // What a cut has left.
    match files.remove(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    files.make_link(&new, target)?;
    files.replace_link(&new, link)
}

/// Removes a link, for good. There may be none.
///
/// # Errors
///
/// Those of the system.
pub fn unlink(files: &mut dyn Build, link: &Path) -> io::Result<()> {
    match files.remove(link) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.and_then(|()| files.sync(parent(link))),
    }
}
