//! Whole folders in the simulation. Modes and owners are not simulated, and no bytes are shared.

use std::io::{self, ErrorKind};
use std::path::Path;

use super::super::tree::{Entry, Trees};
use super::super::{Files, Kind};
use super::{error, Node, Reach, SimFiles};

impl Trees for SimFiles {
    fn as_files(&mut self) -> &mut dyn Files {
        self
    }

    fn entry(&mut self, path: &Path) -> io::Result<Option<Entry>> {
        let Some(kind) = self.kind(path)? else { return Ok(None) };
        let medium = self.medium();
        let at = medium.find(path)?;
        let bytes = match medium.nodes.get(at) {
            Some(Node::File { now, .. }) => now.len() as u64,
            _ => 0,
        };
        let names = medium.nodes.iter().map(|node| match node {
            Node::Folder { now, .. } => now.values().filter(|node| **node == at).count(),
            Node::File { .. } => 0,
            #[cfg(feature = "app")]
            Node::Link(_) => 0,
        });
        let links = names.sum::<usize>() as u64;
        Ok(Some(Entry { kind, identity: (1, at as u64), links, bytes, is_copied: true }))
    }

    fn copy_entry(&mut self, from: &Path, to: &Path) -> io::Result<bool> {
        match self.kind(from)? {
            None => error(ErrorKind::NotFound),
            Some(Kind::Folder) => self.make_folder(to).map(|()| false),
            Some(_) => {
                let bytes = self.read(from)?;
                self.write(to, &bytes).map(|()| false)
            }
        }
    }

    fn copy_attributes(&mut self, _: &Path, _: &Path) -> io::Result<()> {
        self.medium().is_on()
    }

    fn is_same(&mut self, one: &Path, other: &Path, _: bool) -> io::Result<bool> {
        match (self.kind(one)?, self.kind(other)?) {
            (Some(Kind::Folder), Some(Kind::Folder)) => Ok(true),
            (Some(Kind::File), Some(Kind::File)) => Ok(self.read(one)? == self.read_back(other)?),
            _ => Ok(false),
        }
    }

    fn link(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let node = self.medium().find(from)?;
        let name = format!("link {} {}", from.display(), to.display());
        self.medium().operation(name, true, |medium, _| {
            medium.change(to, |names, name| {
                names.insert(name, node);
                Ok(())
            })
        })
    }

    fn move_to(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        // Two folders in one step are more than the simulation promises.
        self.rename(from, to)
    }

    fn sync_all(&mut self, path: &Path) -> io::Result<()> {
        let name = format!("sync all of {}", path.display());
        self.medium().operation(name, false, |medium, reach| {
            for node in medium.nodes.iter_mut().filter(|_| reach == Reach::Surely) {
                match node {
                    Node::File { now, may_be } => *may_be = vec![now.clone()],
                    Node::Folder { now, may_be } => *may_be = vec![now.clone()],
                    #[cfg(feature = "app")]
                    Node::Link(_) => {}
                }
            }
            Ok(())
        })
    }

    fn free(&mut self, _: &Path) -> io::Result<u64> {
        let medium = self.medium();
        medium.is_on()?;
        Ok(if medium.full { 0 } else { 1 << 40 })
    }

    fn can_share(&mut self, _: &Path) -> io::Result<bool> {
        self.medium().is_on().map(|()| false)
    }

    fn snapshot(&mut self, _: &Path, _: &Path) -> io::Result<bool> {
        self.medium().is_on().map(|()| false)
    }

    fn check_movable(&mut self, folder: &Path, _: &Path) -> io::Result<()> {
        match self.kind(folder)? {
            Some(Kind::Folder) => Ok(()),
            _ => error(ErrorKind::NotADirectory),
        }
    }
}
