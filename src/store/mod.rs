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
//! *Serial flags* (files, block devices, NAND, UBI, RAM): a store overwrites the standby and leaves the current copy
//! alone. While the standby is half-written, its checksum is wrong. When it is complete, its serial is newer.
//!
//! *Boolean flags on NOR*: a store spoils the standby's checksum and erases its first sector. That leaves one valid copy,
//! whatever its flag. Then it clears that copy's flag. Then it writes the standby with its flag set, and its checksum last.
//! So the two are never both marked active, which is the one state in which a reader would go back to copy 0. The new
//! environment takes over at the instant in which the last bit makes its checksum right. The checksum is spoiled first
//! because an erase that is cut may have reached the flag and nothing else yet, and no checksum covers the flag.
//!
//! *Boolean flags on NOR with ECC*, where no unit can be programmed twice: a store writes the standby with its flag set,
//! then the old copy with the same variables and its flag cleared. Before it erases a copy, it makes the copy invalid: it
//! programs a unit at the end that was left free for that.
//!
//! *Boolean flags on DataFlash*: to clear a flag, the chip rewrites the flag's page, and a cut loses the
//! page. So the old copy is touched only when the new one is complete. Until then both are marked active
//! for an instant, and every reader takes copy 0: the old environment or the new one.
//!
//! *From a single copy*: copy 0's place may hold a single copy, from before there were two. Then copy 1 is written first.
//! Until it is complete, readers take the single copy. Then a copy of copy 1 with older flags replaces that.

pub mod find;
mod health;
mod loaded;
mod transaction;
mod write;

use std::time::Duration;

pub use health::{CopyHealth, Health};
pub use loaded::Snapshot;
use loaded::{Loaded, LoadedCopy};
#[cfg(feature = "capi")]
pub(crate) use transaction::Draft;
pub use transaction::{Commit, Transaction};
use write::found;

// What the store takes and gives: its users need not know the layers below.
pub use crate::lock::LockPath;
pub use crate::storage::{MediumKind, Method};

use crate::config::EnvConfig;
use crate::env::image::{classify, encode, set_flags, upgrade, Layout};
use crate::env::redundancy::{choose, readers_agree, CopyState, FlagScheme, Why};
use crate::env::Environment;
use crate::error::{Error, Result};
use crate::lock::Lock;
use crate::storage::{open_copies, EnvCopy, WriteStats};

/// How often a reader that takes no lock starts again because somebody wrote meanwhile.
const READ_ATTEMPTS: usize = 8;

/// What a place holds in which there is no copy any more: as erased flash.
const BLANK: u8 = 0xff;

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
    /// Regular files that are missing may be made.
    may_make: bool,
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

/// What [`Store::convert`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conversion {
    /// It was as asked for: nothing was written.
    Unchanged,
    /// It is as asked for now.
    Converted {
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
        Ok(Store { copies, scheme, layout, options, writelist: None, may_make: false })
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
        self.may_make = false;
        let loaded = self.read_for_change();
        let Some(image) = loaded.current_image(self.layout) else {
            return Err(loaded.no_valid_copy());
        };
        let env = Environment::from_image(&image);
        Ok(Transaction::new(self, lock, loaded, env, false))
    }

    /// As [`begin`](Store::begin), but where no copy is valid it starts from `default`, and the commit
    /// writes even if nothing else is changed. This is the only way to make an environment out of nothing.
    /// The commit also makes the regular files of copies that are missing or empty.
    ///
    /// Errors: [`Error::NoValidCopy`] where a copy that can't be read may be a good one, unless
    /// [`StoreOptions::init_unreadable`] says otherwise; else as for [`begin`](Store::begin).
    pub fn begin_or_init(&mut self, default: Environment) -> Result<Transaction<'_>> {
        let lock = self.lock()?;
        self.may_make = true;
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
    /// valid but marked in a way that readers understand differently. A single copy in the place of the first of
    /// two becomes two. The regular file of a copy that is missing or empty is made.
    ///
    /// Errors: [`Error::NoValidCopy`] where there is nothing to repair from: nothing is invented.
    pub fn repair(&mut self) -> Result<Repair> {
        let _lock = self.lock()?;
        self.repair_locked()
    }

    fn repair_locked(&mut self) -> Result<Repair> {
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
        self.may_make = true;
        self.mark(&loaded, &mut image);
        let (copy, stats) = self.write(&loaded, &image)?;
        Ok(Repair::Rewritten { copy, stats })
    }

    /// Makes two copies of a single one in the place of copy 0, or a single one there of two.
    ///
    /// Both places have to be configured. From one to two, the second place is complete before the first one is
    /// touched; [`begin`](Store::begin) and [`repair`](Store::repair) do the same. From two to one, the second place
    /// holds the environment until the first one is complete, and then nothing. Whenever the power fails, the
    /// environment is there, and the call can be made again.
    ///
    /// A U-Boot that expects two copies finds a single one only if it was built with
    /// `CONFIG_ENV_REDUNDANT_UPGRADE`.
    ///
    /// Errors: [`Error::Unsupported`] where one place is configured; else as for [`repair`](Store::repair).
    pub fn convert(&mut self, to: Layout) -> Result<Conversion> {
        if self.layout == Layout::Single {
            return Err(Error::Unsupported(
                "converting needs both places: the configuration has to name the one of the second copy, too"
                    .into(),
            ));
        }
        let _lock = self.lock()?;
        if to == Layout::Redundant {
            return Ok(match self.repair_locked()? {
                Repair::Healthy | Repair::Single => Conversion::Unchanged,
                Repair::Rewritten { stats, .. } => Conversion::Converted { stats },
            });
        }
        let mut loaded = self.read_for_change();
        if loaded.choice.why == Why::SingleCopy {
            return Ok(Conversion::Unchanged);
        }
        self.may_make = true;
        let mut stats = WriteStats::default();
        // Once, or twice where the first store has to write over the current copy.
        while let (Some(0), Some(current)) = (loaded.choice.current, loaded.current_bytes()) {
            let mut image = current.to_vec();
            self.mark(&loaded, &mut image);
            let (copy, cost) = self.write(&loaded, &image)?;
            stats += cost;
            loaded = self.read_for_change();
            if copy == 1 {
                break;
            }
        }
        let Some(image) = loaded.current_image(self.layout).filter(|_| loaded.choice.current == Some(1))
        else {
            return Err(loaded.no_valid_copy());
        };
        let single = encode(&Environment::from_image(&image), Layout::Single, self.size(), 0, image.fill())?;
        self.prepare()?;
        stats += self.settle(&loaded)?;
        stats += self.replace(0, found(&loaded, 0), &single)?;
        stats += self.replace(1, found(&loaded, 1), &vec![BLANK; self.size()])?;
        Ok(Conversion::Converted { stats })
    }

    /// Whether a power cut during a store can't lose the environment: there are two copies, or one that is replaced by
    /// renaming its file or by the change of a UBI LEB.
    pub fn is_power_cut_safe(&self) -> bool {
        self.layout == Layout::Redundant || self.copies.iter().all(|copy| copy.atomic())
    }

    /// Whether the configuration fits the devices well enough for a store. A store asks that itself, before it
    /// writes anything; reading needs less.
    ///
    /// Errors: [`Error::Device`], which says what to change in the configuration.
    pub fn storable(&self) -> Result<()> {
        self.copies.iter().try_for_each(|copy| copy.storable())
    }

    /// What is odd in the configuration of each copy, although it does no harm: worth a warning at a store.
    pub fn remarks(&self) -> impl Iterator<Item = (&std::path::Path, &str)> {
        self.copies.iter().filter_map(|copy| Some((copy.path(), copy.remark()?)))
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
            .enumerate()
            .map(|(number, copy)| match copy.load() {
                Ok(bytes) => {
                    let state = classify(layout, number, &bytes);
                    LoadedCopy { bytes: Some(bytes), state, error: None, unmade: false }
                }
                Err(e) => LoadedCopy {
                    bytes: None,
                    state: CopyState::Unreadable,
                    error: Some(e),
                    unmade: copy.is_unmade(),
                },
            })
            .collect();
        let state = |i: usize| copies.get(i).map_or(CopyState::Unreadable, |c| c.state);
        let choice = choose(self.scheme, [state(0), state(1)]);
        let first = copies.first().filter(|_| choice.why == Why::SingleCopy);
        let upgraded = first.and_then(|copy| upgrade(copy.bytes.as_deref()?));
        Loaded { copies, choice, upgraded }
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
            set_flags(image, self.next_flags(loaded));
        }
    }

    fn next_flags(&self, loaded: &Loaded) -> u8 {
        crate::env::redundancy::next_flags(self.scheme, loaded.current_flags())
    }
}

/// How the copies on this medium are told apart (U-Boot tools/env/fw_env.c fw_env_open).
fn scheme_of(kind: MediumKind) -> FlagScheme {
    match kind {
        MediumKind::Nor | MediumKind::DataFlash => FlagScheme::Boolean,
        _ => FlagScheme::Serial,
    }
}
