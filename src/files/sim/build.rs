//! Links and nodes in the simulation. A link says for ever what it said when it was made, and is on the medium with its name.
//! Owners and modes are not kept; giving them is an operation at which the power may fail.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::super::build::{Attributes, Build, Node as Made};
use super::super::tree::Trees;
use super::super::Files;
use super::{error, Node, SimFiles};

impl Build for SimFiles {
    fn as_trees(&mut self) -> &mut dyn Trees {
        self
    }

    fn make_link(&mut self, at: &Path, target: &Path) -> io::Result<()> {
        let name = format!("link {} to {}", at.display(), target.display());
        self.medium().operation(name, true, |medium, _| match medium.find(at) {
            Ok(_) => error(ErrorKind::AlreadyExists),
            Err(_) => medium.add(at, Node::Link(target.to_path_buf())),
        })
    }

    fn link_target(&mut self, at: &Path) -> io::Result<Option<PathBuf>> {
        let medium = self.medium();
        medium.is_on()?;
        match medium.find(at) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
            Ok(node) => Ok(match medium.nodes.get(node) {
                Some(Node::Link(target)) => Some(target.clone()),
                _ => None,
            }),
        }
    }

    fn replace_link(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.rename(from, to)
    }

    fn make_node(&mut self, at: &Path, node: Made) -> io::Result<()> {
        self.make_link(at, Path::new(&format!("{node:?}")))
    }

    fn give(&mut self, at: &Path, _: &Attributes) -> io::Result<()> {
        self.medium().find(at)?;
        self.medium().operation(format!("attributes of {}", at.display()), false, |_, _| Ok(()))
    }

    fn look_through(&mut self, at: &Path, look: &mut dyn FnMut(&[u8])) -> io::Result<()> {
        self.read_back(at).map(|bytes| look(&bytes))
    }
}
