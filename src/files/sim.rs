//! Simulated files: what was not synced may be lost at a cut, in any combination.
//!
//! The contents of files reach the medium in no order. A file that was written and not synced is found with its old
//! content, empty, in part, as zeros, or whole. The names in one folder reach it in order, as a journal of the file system
//! keeps them; those of two folders, and names and contents, in no order.

#[cfg(feature = "app")]
mod build;
#[cfg(feature = "health")]
mod tree;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Files, Kind, Locked};

/// What happens to one operation that writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The power goes off in it: from then on everything fails.
    Cut,
    /// It fails and does nothing; the next ones work.
    Fails(ErrorKind),
    /// From it on, everything that needs room fails.
    Full,
}

/// Whether an operation was carried out before the power went off.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    Surely,
    Perhaps,
}

/// Simulated files. Clones see the same medium.
#[derive(Debug, Clone)]
pub struct SimFiles(Arc<Mutex<Medium>>);

type Names = BTreeMap<OsString, usize>;

#[derive(Debug, Clone)]
enum Node {
    /// What readers see, and every content that the medium may hold: one, after a sync.
    File { now: Vec<u8>, may_be: Vec<Vec<u8>> },
    /// The same of names.
    Folder { now: Names, may_be: Vec<Names> },
    /// A symbolic link, which never changes.
    #[cfg(feature = "app")]
    Link(PathBuf),
}

#[derive(Debug, Clone)]
struct Medium {
    nodes: Vec<Node>,
    /// Operations that write, since the power came on.
    operations: u64,
    trouble: Option<(u64, Trouble)>,
    off: bool,
    full: bool,
    log: Vec<String>,
    when_off: Option<WhenOff>,
}

/// What goes off with it.
#[derive(Clone)]
struct WhenOff(Arc<dyn Fn() + Send + Sync>);

impl fmt::Debug for WhenOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WhenOff")
    }
}

impl Default for SimFiles {
    fn default() -> Self {
        SimFiles(Arc::new(Mutex::new(Medium {
            nodes: vec![Node::Folder { now: Names::new(), may_be: vec![Names::new()] }],
            operations: 0,
            trouble: None,
            off: false,
            full: false,
            log: Vec::new(),
            when_off: None,
        })))
    }
}

impl SimFiles {
    /// An empty medium.
    pub fn new() -> Self {
        Self::default()
    }

    fn medium(&self) -> MutexGuard<'_, Medium> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A medium of its own that holds the same.
    pub fn copy(&self) -> Self {
        SimFiles(Arc::new(Mutex::new(self.medium().clone())))
    }

    /// Operations that write since the power came on.
    pub fn operations(&self) -> u64 {
        self.medium().operations
    }

    /// What these were.
    pub fn log(&self) -> Vec<String> {
        self.medium().log.clone()
    }

    /// Plans trouble for the operation of this number, counted from 0.
    pub fn plan(&self, operation: u64, trouble: Trouble) {
        self.medium().trouble = Some((operation, trouble));
    }

    /// What loses its power together with these files.
    pub fn when_off(&self, act: impl Fn() + Send + Sync + 'static) {
        self.medium().when_off = Some(WhenOff(Arc::new(act)));
    }

    /// The power goes off now.
    pub fn cut_now(&self) {
        self.medium().off = true;
    }

    /// Whether there is power.
    pub fn is_on(&self) -> bool {
        !self.medium().off
    }

    /// How many states the medium may be found in if the power fails now; at most `u64::MAX`.
    pub fn choices(&self) -> u64 {
        self.medium().nodes.iter().fold(1, |product: u64, node| {
            let states = match node {
                Node::File { may_be, .. } => may_be.len(),
                Node::Folder { may_be, .. } => may_be.len(),
                #[cfg(feature = "app")]
                Node::Link(_) => 1,
            };
            product.saturating_mul(states as u64)
        })
    }

    /// The power comes on again, on the state of this number.
    pub fn power_up(&self, choice: u64) {
        let mut rest = choice;
        let mut medium = self.medium();
        let Medium { nodes, .. } = &mut *medium;
        for node in nodes.iter_mut() {
            match node {
                Node::File { now, may_be } => *now = settle(may_be, &mut rest),
                Node::Folder { now, may_be } => *now = settle(may_be, &mut rest),
                #[cfg(feature = "app")]
                Node::Link(_) => {}
            }
        }
        medium.trouble = None;
        medium.off = false;
        medium.full = false;
        medium.operations = 0;
        medium.log.clear();
    }
}

/// One of the states, which is the only one from now on.
fn settle<T: Clone + Default>(may_be: &mut Vec<T>, rest: &mut u64) -> T {
    let states = (may_be.len() as u64).max(1);
    let state = may_be.get((*rest % states) as usize).cloned().unwrap_or_default();
    *rest /= states;
    *may_be = vec![state.clone()];
    state
}

fn error<T>(kind: ErrorKind) -> io::Result<T> {
    Err(kind.into())
}

impl Medium {
    /// One operation that writes: it goes on with what the plan says of it. After a cut the operation may have been done.
    fn operation(
        &mut self,
        name: String,
        needs_room: bool,
        act: impl FnOnce(&mut Medium, Reach) -> io::Result<()>,
    ) -> io::Result<()> {
        self.is_on()?;
        let planned = self.trouble.filter(|(at, _)| *at == self.operations).map(|(_, trouble)| trouble);
        self.operations += 1;
        self.log.push(name);
        match planned {
            Some(Trouble::Fails(kind)) => error(kind),
            Some(Trouble::Cut) => {
                let _ = act(self, Reach::Perhaps);
                self.off = true;
                if let Some(WhenOff(act)) = &self.when_off {
                    act();
                }
                error(ErrorKind::BrokenPipe)
            }
            planned => {
                self.full |= planned == Some(Trouble::Full);
                match self.full && needs_room {
                    true => error(ErrorKind::StorageFull),
                    false => act(self, Reach::Surely),
                }
            }
        }
    }

    fn is_on(&self) -> io::Result<()> {
        match self.off {
            true => error(ErrorKind::BrokenPipe),
            false => Ok(()),
        }
    }

    fn find(&self, path: &Path) -> io::Result<usize> {
        let mut at = 0;
        for component in path.components() {
            let Component::Normal(name) = component else { continue };
            let Some(Node::Folder { now, .. }) = self.nodes.get(at) else {
                return error(ErrorKind::NotADirectory);
            };
            at = *now.get(name).ok_or(ErrorKind::NotFound)?;
        }
        Ok(at)
    }

    fn file(&mut self, path: &Path) -> io::Result<(&mut Vec<u8>, &mut Vec<Vec<u8>>)> {
        let at = self.find(path)?;
        match self.nodes.get_mut(at) {
            Some(Node::File { now, may_be }) => Ok((now, may_be)),
            _ => error(ErrorKind::IsADirectory),
        }
    }

    /// Changes the names in the folder of `path`.
    fn change(
        &mut self,
        path: &Path,
        edit: impl FnOnce(&mut Names, OsString) -> io::Result<()>,
    ) -> io::Result<()> {
        let name = path.file_name().ok_or(ErrorKind::InvalidInput)?.to_os_string();
        let at = self.find(super::parent(path))?;
        match self.nodes.get_mut(at) {
            Some(Node::Folder { now, may_be }) => {
                edit(now, name)?;
                may_be.push(now.clone());
                Ok(())
            }
            _ => error(ErrorKind::NotADirectory),
        }
    }

    fn add(&mut self, path: &Path, node: Node) -> io::Result<()> {
        let at = self.nodes.len();
        self.change(path, |names, name| {
            names.insert(name, at);
            Ok(())
        })?;
        self.nodes.push(node);
        Ok(())
    }

    fn set(&mut self, path: &Path, kept: usize, bytes: &[u8]) -> io::Result<()> {
        if self.find(path).is_err() {
            self.add(path, Node::File { now: Vec::new(), may_be: vec![Vec::new()] })?;
        }
        let (now, may_be) = self.file(path)?;
        now.truncate(kept);
        may_be.push(now.clone());
        let with = |bytes: &[u8]| [&now[..], bytes].concat();
        if !bytes.is_empty() {
            may_be.push(with(bytes.get(..bytes.len() / 2).unwrap_or_default()));
            may_be.push(with(&vec![0; bytes.len()]));
            may_be.push(with(bytes));
        }
        may_be.dedup();
        now.extend_from_slice(bytes);
        Ok(())
    }
}

impl Files for SimFiles {
    fn kind(&mut self, path: &Path) -> io::Result<Option<Kind>> {
        let medium = self.medium();
        medium.is_on()?;
        match medium.find(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
            Ok(at) => Ok(medium.nodes.get(at).map(|node| match node {
                Node::File { .. } => Kind::File,
                Node::Folder { .. } => Kind::Folder,
                #[cfg(feature = "app")]
                Node::Link(_) => Kind::Other,
            })),
        }
    }

    fn read(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        let mut medium = self.medium();
        medium.is_on()?;
        medium.file(path).map(|(now, _)| now.clone())
    }

    fn read_back(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        self.read(path)
    }

    fn list(&mut self, folder: &Path) -> io::Result<Vec<OsString>> {
        let medium = self.medium();
        medium.is_on()?;
        match medium.nodes.get(medium.find(folder)?) {
            Some(Node::Folder { now, .. }) => Ok(now.keys().cloned().collect()),
            _ => error(ErrorKind::NotADirectory),
        }
    }

    fn write(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let name = format!("write {}", path.display());
        self.medium().operation(name, true, |medium, _| medium.set(path, 0, bytes))
    }

    fn append(&mut self, path: &Path, length: u64, bytes: &[u8]) -> io::Result<()> {
        let name = format!("append to {}", path.display());
        self.medium().operation(name, true, |medium, _| medium.set(path, length as usize, bytes))
    }

    fn sync(&mut self, path: &Path) -> io::Result<()> {
        let mut medium = self.medium();
        medium.is_on()?;
        let at = medium.find(path)?;
        medium.operation(format!("sync {}", path.display()), false, |medium, reach| {
            // One that is cut changes nothing: the new state is among those that may be already.
            match medium.nodes.get_mut(at).filter(|_| reach == Reach::Surely) {
                Some(Node::File { now, may_be }) => *may_be = vec![now.clone()],
                Some(Node::Folder { now, may_be }) => *may_be = vec![now.clone()],
                #[cfg(feature = "app")]
                Some(Node::Link(_)) => {}
                None => {}
            }
            Ok(())
        })
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let (Some(old), Some(new)) = (from.file_name(), to.file_name()) else {
            return error(ErrorKind::InvalidInput);
        };
        if super::parent(from) != super::parent(to) {
            return error(ErrorKind::CrossesDevices);
        }
        let name = format!("rename {} {}", from.display(), to.display());
        self.medium().operation(name, false, |medium, _| {
            medium.change(to, |names, _| {
                let node = names.remove(old).ok_or(ErrorKind::NotFound)?;
                names.insert(new.to_os_string(), node);
                Ok(())
            })
        })
    }

    fn remove(&mut self, path: &Path) -> io::Result<()> {
        if self.kind(path)? != Some(Kind::Other) {
            self.medium().file(path)?;
        }
        let name = format!("remove {}", path.display());
        self.medium().operation(name, false, |medium, _| {
            medium
                .change(path, |names, name| names.remove(&name).map(|_| ()).ok_or(ErrorKind::NotFound.into()))
        })
    }

    fn remove_folder(&mut self, path: &Path) -> io::Result<()> {
        if !self.list(path)?.is_empty() {
            return error(ErrorKind::DirectoryNotEmpty);
        }
        let name = format!("remove {}", path.display());
        self.medium().operation(name, false, |medium, _| {
            medium
                .change(path, |names, name| names.remove(&name).map(|_| ()).ok_or(ErrorKind::NotFound.into()))
        })
    }

    fn make_folder(&mut self, path: &Path) -> io::Result<()> {
        let name = format!("make {}", path.display());
        self.medium().operation(name, true, |medium, _| match medium.find(path) {
            Ok(_) => error(ErrorKind::AlreadyExists),
            Err(_) => medium.add(path, Node::Folder { now: Names::new(), may_be: vec![Names::new()] }),
        })
    }

    fn lock(&mut self, _: &Path) -> io::Result<Locked> {
        self.medium().is_on().map(|()| Locked(None))
    }
}

impl SimFiles {
    /// All files and what they hold, for a test's comparison. A link holds `-> ` and what it leads to.
    pub fn contents(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let medium = self.medium();
        let mut found = BTreeMap::new();
        let mut open = vec![(PathBuf::new(), 0)];
        while let Some((path, at)) = open.pop() {
            match medium.nodes.get(at) {
                Some(Node::Folder { now, .. }) => {
                    open.extend(now.iter().map(|(name, at)| (path.join(name), *at)))
                }
                Some(Node::File { now, .. }) => drop(found.insert(path, now.clone())),
                #[cfg(feature = "app")]
                Some(Node::Link(target)) => {
                    let text = format!("-> {}", target.display());
                    found.insert(path, text.into_bytes());
                }
                None => {}
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::super::{make_folders, read_if_there, replace};
    use super::*;

    /// Every state that any cut in `run` may leave.
    fn after_each_cut(
        before: &SimFiles,
        run: impl Fn(&mut SimFiles),
        mut look: impl FnMut(&mut SimFiles),
    ) -> u64 {
        let mut states = 0;
        let mut whole = before.copy();
        run(&mut whole);
        for operation in 0..=whole.operations() {
            let cut = before.copy();
            cut.plan(operation, Trouble::Cut);
            run(&mut cut.clone());
            for choice in 0..cut.choices() {
                let mut found = cut.copy();
                found.power_up(choice);
                look(&mut found);
                states += 1;
            }
        }
        states
    }

    #[test]
    fn a_replaced_file_is_old_or_new_after_every_cut_and_the_next_writer_gets_on() {
        let path = Path::new("var/lib/state");
        let mut files = SimFiles::new();
        replace(&mut files, path, b"old").unwrap();
        files.power_up(0);
        let states = after_each_cut(
            &files,
            |files| drop(replace(files, path, b"the new one")),
            |files| {
                let found = files.read(path).unwrap();
                assert!([&b"old"[..], b"the new one"].contains(&&found[..]), "{found:?}");
                replace(files, path, b"newer").unwrap();
                assert_eq!(files.read(path).unwrap(), b"newer");
            },
        );
        assert!(states > 20, "{states}");
    }

    #[test]
    fn the_simulation_loses_what_is_not_synced() {
        let path = Path::new("file");
        let seen = |run: &dyn Fn(&mut SimFiles)| {
            let mut files = SimFiles::new();
            replace(&mut files, path, b"old").unwrap();
            files.power_up(0);
            let mut seen = Vec::new();
            after_each_cut(&files, run, |files| seen.push(read_if_there(files, path).unwrap()));
            seen
        };
        let careless = seen(&|files| {
            let _ = files.write(Path::new("new"), b"something");
            let _ = files.rename(Path::new("new"), path);
            let _ = files.sync(Path::new(""));
        });
        assert!(careless.contains(&Some(Vec::new())) && careless.contains(&Some(vec![0; 9])));
        let in_place = seen(&|files| drop(files.write(path, b"something")));
        assert!(in_place.contains(&Some(b"some".to_vec())));
        let moved = seen(&|files| {
            let _ = files.remove(path);
            let _ = replace(files, path, b"new");
        });
        assert!(moved.contains(&None));
    }

    #[test]
    fn folders_are_there_for_good_once_they_are_made() {
        let mut files = SimFiles::new();
        make_folders(&mut files, Path::new("a/b/c")).unwrap();
        assert_eq!(files.choices(), 1);
        assert_eq!(files.kind(Path::new("a/b/c")).unwrap(), Some(Kind::Folder));
    }
}
