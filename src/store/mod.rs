//! The store: lock -> load both copies -> choose -> edit -> write the standby -> verify -> retire the old.
//!
//! ```text
//!            load                     edit                      commit
//!   copy 0 --+                                                 +--> standby: written, synced,
//!            +-> which one is  -> variables, .flags,  -> image |    read back, compared
//!   copy 1 --+   current, why     writelist, size              +--> nothing, if nothing changed
//! ```
//!
//! Only this module knows both what an environment is and where its copies lie.
//!
//! # Why no power cut loses an environment
//!
//! *Serial flags* (files, block devices, NAND, UBI, RAM): the standby is overwritten while the current
//! copy is untouched. Half-written, its checksum is wrong; complete, its serial is newer.
//!
//! *Boolean flags on NOR*: the standby's checksum is spoiled and its first sector erased, which leaves one
//! valid copy whatever its flag; then that copy's flag is cleared; then the standby is written with its
//! flag set and its checksum last. So both copies are never marked active, the one state in which a reader
//! would go back to copy 0, and the new environment takes over at the instant in which the last bit makes
//! its checksum right. The checksum is spoiled first because an erase that is cut may have reached the
//! flag, which no checksum covers, and nothing else yet.
//!
//! *Boolean flags on DataFlash*: to clear a flag, the chip rewrites the flag's page, and a cut loses the
//! page. So the old copy is touched only when the new one is complete. Until then both are marked active
//! for an instant, and every reader takes copy 0: the old environment or the new one.

mod health;
mod loaded;
mod transaction;

use std::time::Duration;

pub use health::{CopyHealth, Health};
pub use loaded::Snapshot;
use loaded::{Loaded, LoadedCopy};
#[cfg(feature = "capi")]
pub(crate) use transaction::Draft;
pub use transaction::{Commit, Transaction};

// What the store takes and gives: its users need not know the layers below.
pub use crate::lock::LockPath;
pub use crate::storage::MediumKind;

use crate::config::EnvConfig;
use crate::env::image::{Image, Layout, FLAGS_OFFSET};
use crate::env::redundancy::{choose, readers_agree, CopyState, FlagScheme, OBSOLETE};
use crate::env::Environment;
use crate::error::{Error, Result};
use crate::lock::Lock;
use crate::storage::{open_copies, EnvCopy, WriteStats};

/// How often a reader that takes no lock starts again because somebody wrote meanwhile.
const READ_ATTEMPTS: usize = 8;

/// How a [`Store`] behaves.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// The lock; `None`: the configuration's `lockfile`, else both default lock files.
    pub lock: Option<LockPath>,
    /// How long to wait for another process that holds the lock: a minute, unless said otherwise. (NOR takes
    /// seconds for a store, and others may be waiting, too.)
    pub lock_timeout: Duration,
    /// Whether [`Store::begin_or_init`] takes a copy that can't be read for lost. It may be a good one.
    pub init_unreadable: bool,
}

impl Default for StoreOptions {
    fn default() -> Self {
        StoreOptions { lock: None, lock_timeout: Duration::from_secs(60), init_unreadable: false }
    }
}

/// An environment on its media.
pub struct Store {
    copies: Vec<Box<dyn EnvCopy>>,
    scheme: FlagScheme,
    layout: Layout,
    options: StoreOptions,
    writelist: Option<String>,
}

/// What [`Store::repair`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repair {
    /// Both copies are valid and every reader takes the same one: nothing was written.
    Healthy,
    /// There is only one copy, and it is valid: there is nothing to repair it from, nor any need.
    Single,
    /// This copy was written from the other one, and is current now.
    Rewritten {
        /// 0 or 1.
        copy: usize,
        /// What it cost.
        stats: WriteStats,
    },
}

impl Store {
    /// Opens the environment that `config` describes. Nothing is read from the copies, nothing written.
    ///
    /// Errors: [`Error::Device`] where the devices do not fit the configuration or each other,
    /// [`Error::Io`] where one can't be looked at.
    pub fn open(config: &EnvConfig, options: &StoreOptions) -> Result<Store> {
        let mut options = options.clone();
        if options.lock.is_none() {
            options.lock = config.lockfile.clone().map(LockPath::File);
        }
        let mut store = Store::from_copies(open_copies(config)?, options)?;
        store.writelist.clone_from(&config.writelist);
        Ok(store)
    }

    /// A store over copies that somebody else has opened: one, or two of the same size and flag scheme.
    pub fn from_copies(copies: Vec<Box<dyn EnvCopy>>, options: StoreOptions) -> Result<Store> {
        let (layout, scheme) = match copies.as_slice() {
            [one] => (Layout::Single, scheme_of(one.kind())),
            [a, b] => {
                let refuse = |message| Err(Error::Device { path: b.path().to_path_buf(), message });
                if scheme_of(a.kind()) != scheme_of(b.kind()) {
                    return refuse(format!(
                        "the copies are on {:?} and {:?}, which mark the current copy in different ways",
                        a.kind(),
                        b.kind()
                    ));
                }
                if a.size() != b.size() {
                    return refuse(format!("the copies have {:#x} and {:#x} bytes", a.size(), b.size()));
                }
                (Layout::Redundant, scheme_of(a.kind()))
            }
            _ => {
                return Err(Error::Unsupported(format!(
                    "an environment has one or two copies, not {}",
                    copies.len()
                )))
            }
        };
        Ok(Store { copies, scheme, layout, options, writelist: None })
    }

    /// Reads the environment without a lock: printing never waits for a writer, and works on a
    /// read-only system. Only if no copy is valid is it read once more under the lock.
    ///
    /// Errors: [`Error::NoValidCopy`].
    pub fn load(&mut self) -> Result<Snapshot> {
        self.read_consistent().into_snapshot(self.layout)
    }

    /// Takes the lock and loads the environment for a change.
    ///
    /// Errors: [`Error::Locked`], [`Error::NoValidCopy`], [`Error::Io`] for the lock file.
    pub fn begin(&mut self) -> Result<Transaction<'_>> {
        let lock = self.lock()?;
        let loaded = self.read_for_change();
        let Some(image) = loaded.current_image(self.layout) else {
            return Err(loaded.no_valid_copy());
        };
        let env = Environment::from_image(&image);
        Ok(Transaction::new(self, lock, loaded, env, false))
    }

    /// As [`begin`](Store::begin), but where no copy is valid it starts from `default`, and the commit
    /// writes even if nothing else is changed. This is the only way to make an environment out of nothing.
    ///
    /// Errors: [`Error::NoValidCopy`] where a copy that can't be read may be a good one, unless
    /// [`StoreOptions::init_unreadable`] says otherwise; else as for [`begin`](Store::begin).
    pub fn begin_or_init(&mut self, default: Environment) -> Result<Transaction<'_>> {
        let lock = self.lock()?;
        let loaded = self.read_for_change();
        let (env, init) = match loaded.current_image(self.layout) {
            Some(image) => (Environment::from_image(&image), false),
            None if !self.options.init_unreadable && loaded.may_hide_a_valid_copy() => {
                return Err(loaded.no_valid_copy());
            }
            None => (default, true),
        };
        Ok(Transaction::new(self, lock, loaded, env, init))
    }

    /// Goes on with a transaction that was begun on this store and set aside.
    #[cfg(feature = "capi")]
    pub(crate) fn resume(&mut self, draft: Draft) -> Transaction<'_> {
        Transaction::resume(self, draft)
    }

    /// Looks at every copy and reports, without a lock and whatever state they are in.
    pub fn check(&mut self) -> Health {
        let loaded = self.read_consistent();
        Health::new(self, &loaded)
    }

    /// [`check`](Store::check) and [`load`](Store::load) of one and the same instant.
    pub fn check_and_load(&mut self) -> (Health, Result<Snapshot>) {
        let loaded = self.read_consistent();
        (Health::new(self, &loaded), loaded.into_snapshot(self.layout))
    }

    /// Rewrites a damaged standby from the current copy, byte for byte. So does it where both are
    /// valid but marked in a way that readers understand differently.
    ///
    /// Errors: [`Error::NoValidCopy`] where there is nothing to repair from: nothing is invented.
    pub fn repair(&mut self) -> Result<Repair> {
        let _lock = self.lock()?;
        let loaded = self.read_for_change();
        let Some(current) = loaded.current_bytes() else {
            return Err(loaded.no_valid_copy());
        };
        if self.layout == Layout::Single {
            return Ok(Repair::Single);
        }
        if loaded.both_valid() && readers_agree(self.scheme, loaded.states()) {
            return Ok(Repair::Healthy);
        }
        let mut image = current.to_vec();
        self.mark(&loaded, &mut image);
        let (copy, stats) = self.write_standby(&loaded, &image)?;
        Ok(Repair::Rewritten { copy, stats })
    }

    /// Whether a power cut during a store can't lose the environment: there are two copies, or one in a file that
    /// is replaced by renaming.
    pub fn is_power_cut_safe(&self) -> bool {
        self.layout == Layout::Redundant || self.copies.iter().all(|copy| copy.atomic())
    }

    fn lock(&self) -> Result<Lock> {
        let path = self.options.lock.as_ref().unwrap_or(&LockPath::Default);
        Lock::acquire(path, self.options.lock_timeout)
    }

    fn size(&self) -> usize {
        self.copies.first().map_or(0, |copy| copy.size())
    }

    /// Reads and classifies every copy for a change, under the lock. What can't be read is read once more: it may
    /// be the newer copy, and would be written over. (On NAND and UBI a torn copy stays unreadable.)
    fn read_for_change(&mut self) -> Loaded {
        let loaded = self.read_copies();
        if loaded.copies.iter().all(|copy| copy.error.is_none()) {
            return loaded;
        }
        self.read_copies()
    }

    /// Reads and classifies every copy. One that can't be read is a finding, not a failure.
    fn read_copies(&mut self) -> Loaded {
        let layout = self.layout;
        let copies: Vec<LoadedCopy> = self
            .copies
            .iter_mut()
            .map(|copy| match copy.load() {
                Ok(bytes) => {
                    let state = Image::new(layout, &bytes).map_or(CopyState::BadCrc, |image| image.state());
                    LoadedCopy { bytes: Some(bytes), state, error: None }
                }
                Err(e) => LoadedCopy { bytes: None, state: CopyState::Unreadable, error: Some(e) },
            })
            .collect();
        let state = |i: usize| copies.get(i).map_or(CopyState::Unreadable, |c| c.state);
        let choice = choose(self.scheme, [state(0), state(1)]);
        Loaded { copies, choice }
    }

    /// Reads without a lock what was the environment at one instant.
    ///
    /// Copy 0 may have been the standby, been written, and become current while copy 1 was read; then a
    /// writer may have been at work on copy 1. Writers alternate, so copy 1 was stable if copy 0's
    /// header is still the same afterwards; otherwise read again.
    fn read_consistent(&mut self) -> Loaded {
        let header = self.layout.header();
        let mut loaded = self.read_copies();
        for _ in 1..READ_ATTEMPTS {
            let [copy, _] = self.copies.as_mut_slice() else { break };
            let mut again = vec![0; header];
            let again = copy.read(&mut again).ok().map(|()| again);
            let first = loaded.copies.first().and_then(|c| c.bytes.as_deref());
            if again.as_deref() == first.map(|b| b.get(..header).unwrap_or_default()) {
                break;
            }
            loaded = self.read_copies();
        }
        if loaded.choice.current.is_none() {
            // A writer may have been at work. Where no lock can be had (a read-only system), nobody
            // writes either, and what was read stands.
            if let Ok(_lock) = self.lock() {
                loaded = self.read_copies();
            }
        }
        loaded
    }

    /// Sets the flags byte that makes `image` the newer one, in a redundant environment.
    fn mark(&self, loaded: &Loaded, image: &mut [u8]) {
        if self.layout == Layout::Redundant {
            if let Some(byte) = image.get_mut(FLAGS_OFFSET) {
                *byte = self.next_flags(loaded);
            }
        }
    }

    fn next_flags(&self, loaded: &Loaded) -> u8 {
        crate::env::redundancy::next_flags(self.scheme, loaded.current_flags())
    }

    /// Writes `image` to the standby and makes it current.
    fn write_standby(&mut self, loaded: &Loaded, image: &[u8]) -> Result<(usize, WriteStats)> {
        let mut stats = WriteStats::default();
        let current = loaded.choice.current;
        let target = match (self.copies.len(), current) {
            (2, Some(0)) => 1,
            _ => 0,
        };
        // One sync puts both copies on a disk, in any order. Should a program that was killed have left the
        // current one in the page cache alone, a power cut could cost both.
        if self.layout == Layout::Redundant {
            stats += self.settle(loaded)?;
        }
        let before = loaded.copies.get(target).and_then(|c| c.bytes.as_deref());
        let state = loaded.copies.get(target).map_or(CopyState::Unreadable, |c| c.state);
        let settled = state.is_valid();

        let mut retire_last = false;
        if self.scheme == FlagScheme::Boolean && self.layout == Layout::Redundant {
            let kind = |i: usize| self.copies.get(i).map(|copy| copy.kind());
            retire_last = current.and_then(kind) == Some(MediumKind::DataFlash);
            if let Some(standby) = self.copies.get_mut(target).filter(|_| !retire_last) {
                let checksum = before.filter(|_| settled).and_then(|b| b.get(..FLAGS_OFFSET));
                if let Some(at) = checksum.and_then(|bytes| bytes.iter().position(|&b| b != 0)) {
                    stats += standby.set_byte(at, 0)?;
                }
                stats += standby.erase()?;
                stats += self.retire(loaded)?;
            }
        }
        let Some(copy) = self.copies.get_mut(target) else {
            return Err(Error::Unsupported("an environment without copies".into()));
        };

        // The parts of a copy reach a file or a block device in any order. Where some of the new ones among
        // the old could make a copy that is neither, the checksum is spoiled first, then all else follows.
        let mut stages = Vec::new();
        if let Some(old) = before.filter(|old| mixes(self.layout, &**copy, state, old, image)) {
            // Each byte is wrong for the new data and for the old: where the checksum lies in two sectors, the old
            // one may be half right, from a store that was cut at its end.
            let missing =
                Image::new(self.layout, old).map_or([0; FLAGS_OFFSET], |i| i.computed_crc().to_ne_bytes());
            let spoiled = |bytes: &[u8]| {
                let mut bytes = bytes.to_vec();
                for ((byte, right), missing) in bytes.iter_mut().zip(image).zip(missing) {
                    *byte = if !*right == missing { !*right ^ 1 } else { !*right };
                }
                bytes
            };
            stages.extend([spoiled(old), spoiled(image)]);
        }
        let (mut now, mut settled) = (before, settled);
        for stage in stages.iter().map(Vec::as_slice).chain([image]) {
            stats += copy.write(now, settled, stage)?;
            (now, settled) = (Some(stage), true);
        }
        if retire_last {
            stats += self.retire(loaded)?;
        }
        Ok((target, stats))
    }

    /// Makes certain that the current copy is on the medium.
    fn settle(&mut self, loaded: &Loaded) -> Result<WriteStats> {
        match loaded.choice.current.and_then(|current| self.copies.get_mut(current)) {
            Some(copy) => copy.settle(),
            None => Ok(WriteStats::default()),
        }
    }

    /// Clears the flag of the copy that was current, unless that is done.
    fn retire(&mut self, loaded: &Loaded) -> Result<WriteStats> {
        let copy = loaded.choice.current.and_then(|current| self.copies.get_mut(current));
        match copy {
            Some(copy) if loaded.current_flags() != Some(OBSOLETE) => copy.set_byte(FLAGS_OFFSET, OBSOLETE),
            _ => Ok(WriteStats::default()),
        }
    }
}

/// Whether some parts of `new` among the rest of `old`, a standby in `state`, could be a valid copy that is
/// not the new one but is taken for the newest: because the checksums are the same by chance, because the
/// flags can arrive without the checksum or it without them, or because a store that was cut left most of a
/// copy, whose missing parts are the same in the new one.
fn mixes(layout: Layout, copy: &dyn EnvCopy, state: CopyState, old: &[u8], new: &[u8]) -> bool {
    let header = layout.header();
    let same_checksum = old.get(..FLAGS_OFFSET) == new.get(..FLAGS_OFFSET);
    let in_any_order = matches!(copy.kind(), MediumKind::File | MediumKind::Block) && !copy.atomic();
    let redundant = layout == Layout::Redundant
        && (same_checksum && old.get(header..) != new.get(header..)
            || copy.can_tear(header) && old.get(..header) != new.get(..header));
    redundant || in_any_order && state == CopyState::BadCrc
}

/// How the copies on this medium are told apart (U-Boot tools/env/fw_env.c fw_env_open).
fn scheme_of(kind: MediumKind) -> FlagScheme {
    match kind {
        MediumKind::Nor | MediumKind::DataFlash => FlagScheme::Boolean,
        _ => FlagScheme::Serial,
    }
}
