//! Any number of changes, one store: all of them or none.

use std::collections::HashMap;

use super::{Loaded, Store};
use crate::env::flags::Rules;
use crate::env::image::{encode, Image};
use crate::env::{check_name, Environment};
#[cfg(feature = "capi")]
use crate::error::Error;
use crate::error::Result;
use crate::lock::Lock;
use crate::storage::WriteStats;

/// A change in the making. It holds the lock; dropped without [`commit`](Transaction::commit), it
/// leaves everything as it was.
pub struct Transaction<'a> {
    store: &'a mut Store,
    draft: Draft,
}

/// All of a transaction but its store: what a caller keeps who can't keep a borrow.
pub(crate) struct Draft {
    _lock: Lock,
    loaded: Loaded,
    env: Environment,
    rules: Rules,
    force: bool,
    /// The environment is made out of nothing, so that even no change is one.
    init: bool,
    /// What each touched variable held at first.
    touched: HashMap<Vec<u8>, Option<Vec<u8>>>,
    /// The copies were written since they were loaded.
    #[cfg(feature = "libubootenv")]
    stale: bool,
    /// `.flags` is passed over, the writelist is not.
    #[cfg(feature = "libubootenv")]
    no_flags: bool,
}

/// What a commit did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Commit {
    /// Nothing had changed, so nothing was written. It was synced, in case that an earlier store was not.
    Unchanged,
    /// The new environment is on the medium.
    Stored {
        /// The copy that is current now.
        copy: usize,
        /// What it cost.
        stats: WriteStats,
    },
}

impl<'a> Transaction<'a> {
    pub(super) fn new(
        store: &'a mut Store,
        lock: Lock,
        loaded: Loaded,
        env: Environment,
        init: bool,
    ) -> Self {
        let draft = Draft {
            rules: rules(&env, store),
            _lock: lock,
            loaded,
            env,
            force: false,
            init,
            touched: HashMap::new(),
            #[cfg(feature = "libubootenv")]
            stale: false,
            #[cfg(feature = "libubootenv")]
            no_flags: false,
        };
        Transaction { store, draft }
    }

    /// Sets the transaction aside, with its lock, until [`Store::resume`].
    #[cfg(feature = "capi")]
    pub(crate) fn suspend(self) -> Draft {
        self.draft
    }

    #[cfg(feature = "capi")]
    pub(super) fn resume(store: &'a mut Store, draft: Draft) -> Self {
        Transaction { store, draft }
    }

    /// Where the environment is made out of nothing, what was found instead of a valid copy, and whether
    /// one could not even be read: then it may well be valid.
    #[cfg(feature = "libubootenv")]
    pub(crate) fn found_nothing(&self) -> Option<(Error, bool)> {
        let loaded = &self.draft.loaded;
        let unreadable = loaded.copies.iter().any(|copy| copy.error.is_some());
        self.draft.init.then(|| (loaded.no_valid_copy(), unreadable))
    }

    /// Whether the environment is made out of nothing: no copy was valid.
    pub fn is_new(&self) -> bool {
        self.draft.init
    }

    /// Whether `.flags` and the writelist are passed over from now on. Names, sizes and NULs are not.
    pub fn force(&mut self, force: bool) {
        self.draft.force = force;
    }

    /// The value as it would be after the commit.
    pub fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.draft.env.get(name)
    }

    /// The copy that could not be read, where the environment was loaded from the other one: it may be the newer
    /// one, and the commit writes over it.
    pub fn unreadable(&self) -> Option<usize> {
        super::loaded::unreadable(self.store.layout, self.draft.loaded.states())
    }

    /// The environment as it would be after the commit.
    pub fn environment(&self) -> &Environment {
        &self.draft.env
    }

    /// Sets a variable; an empty value deletes it, as in U-Boot. Returns whether that changes anything.
    ///
    /// Errors: [`Error::Name`](crate::Error::Name), [`Error::Value`](crate::Error::Value),
    /// [`Error::Denied`](crate::Error::Denied). The transaction is as it was before the call.
    pub fn set(&mut self, name: &[u8], value: &[u8]) -> Result<bool> {
        let old = self.draft.env.get(name);
        // A variable with an illegal name that somebody else made can be deleted.
        if old.is_none() || !value.is_empty() {
            check_name(name)?;
        }
        if !self.draft.force {
            self.draft.rules.check(name, old, Some(value).filter(|v| !v.is_empty()), None)?;
        }
        let old = old.map(<[u8]>::to_vec);
        let changed = self.draft.env.set(name, value)?;
        if changed {
            self.draft.touched.entry(name.to_vec()).or_insert(old);
            if name == b".flags" {
                self.draft.rules = self.rules();
            }
        }
        Ok(changed)
    }

    /// Deletes a variable. Returns whether it was there. Errors as for [`set`](Transaction::set).
    pub fn unset(&mut self, name: &[u8]) -> Result<bool> {
        self.set(name, b"")
    }

    /// Whether `.flags` is passed over from now on: the variables that replace a lost environment, its `.flags`
    /// among them, come in any order.
    #[cfg(feature = "libubootenv")]
    pub(crate) fn no_flags(&mut self, no_flags: bool) {
        if self.draft.no_flags != no_flags {
            self.draft.no_flags = no_flags;
            self.draft.rules = self.rules();
        }
    }

    fn rules(&self) -> Rules {
        #[cfg(feature = "libubootenv")]
        if self.draft.no_flags {
            return Rules::new(None, self.store.writelist.as_deref());
        }
        rules(&self.draft.env, self.store)
    }

    /// Makes all of these changes or none; an empty value deletes. The error comes with the number of the
    /// change that is not possible.
    #[cfg(feature = "capi")]
    pub(crate) fn set_all(&mut self, changes: &[(&[u8], &[u8])]) -> Result<(), (usize, Error)> {
        let mut old = Vec::with_capacity(changes.len());
        for (number, (name, value)) in changes.iter().enumerate() {
            let before = self.get(name).map(<[u8]>::to_vec);
            if let Err(error) = self.set(name, value) {
                let force = std::mem::replace(&mut self.draft.force, true);
                for (name, value) in old.into_iter().rev() {
                    let value: Option<Vec<u8>> = value;
                    self.set(name, &value.unwrap_or_default()).map_err(|error| (number, error))?;
                }
                self.draft.force = force;
                return Err((number, error));
            }
            old.push((*name, before));
        }
        Ok(())
    }

    /// Whether the environment differs from the one that was loaded.
    pub fn is_changed(&self) -> bool {
        self.draft.init
            || self.draft.touched.iter().any(|(name, old)| self.draft.env.get(name) != old.as_deref())
    }

    /// Writes all changes in one store, or nothing if there are none.
    ///
    /// Errors: [`Error::TooBig`](crate::Error::TooBig) and [`Error::Device`](crate::Error::Device) before
    /// anything is written; [`Error::Io`](crate::Error::Io), [`Error::Verify`](crate::Error::Verify) and
    /// [`Error::BadBlocks`](crate::Error::BadBlocks) when the standby could not be written, synced or read
    /// back: the old environment is in force, or the new one, whole (a sync or a closing that fails may have
    /// done its work).
    pub fn commit(mut self) -> Result<Commit> {
        self.write()
    }

    /// As [`commit`](Transaction::commit), but the lock is given to the caller, for what belongs to the store and lies
    /// elsewhere.
    #[cfg(feature = "settings")]
    pub(crate) fn commit_and_hold(mut self) -> Result<(Commit, Lock)> {
        let commit = self.write()?;
        Ok((commit, self.draft._lock))
    }

    /// As [`commit`](Transaction::commit), but the transaction goes on, with the lock held: more changes
    /// and stores may follow.
    #[cfg(feature = "libubootenv")]
    pub(crate) fn checkpoint(&mut self) -> Result<Commit> {
        // Only what is on the medium tells which copy is the standby, also after a store that failed.
        if self.draft.stale && self.is_changed() {
            self.draft.loaded = self.store.read_for_change();
            self.draft.stale = false;
            if !self.draft.init && self.draft.loaded.current_bytes().is_none() {
                return Err(self.draft.loaded.no_valid_copy());
            }
        }
        self.draft.stale |= self.is_changed();
        let commit = self.write()?;
        self.draft.init = false;
        self.draft.touched.clear();
        Ok(commit)
    }

    fn write(&mut self) -> Result<Commit> {
        if !self.is_changed() {
            // Success means that it is stored, also where a program that was killed has only begun to.
            self.store.settle(&self.draft.loaded)?;
            return Ok(Commit::Unchanged);
        }
        let (layout, size) = (self.store.layout, self.store.size());
        let fill = self.draft.loaded.current_image(layout).map_or(0, |image: Image<'_>| image.fill());
        let flags = self.store.next_flags(&self.draft.loaded);
        let image = encode(&self.draft.env, layout, size, flags, fill)?;
        let (copy, stats) = self.store.write(&self.draft.loaded, &image)?;
        Ok(Commit::Stored { copy, stats })
    }
}

#[cfg(feature = "settings")]
impl Store {
    /// Makes changes in an environment that is not stored, as [`Transaction::set`] and
    /// [`commit`](Transaction::commit) would; an empty value deletes.
    ///
    /// # Errors
    ///
    /// Those that come before anything is written.
    pub(crate) fn rehearse(
        &self,
        env: &mut Environment,
        changes: &[(String, Option<Vec<u8>>)],
    ) -> Result<()> {
        for (name, value) in changes {
            let (name, value) = (name.as_bytes(), value.as_deref().unwrap_or_default());
            rules(env, self).check(
                name,
                env.get(name),
                Some(value).filter(|value| !value.is_empty()),
                None,
            )?;
            env.set(name, value)?;
        }
        encode(env, self.layout, self.size(), 0, 0).map(drop)
    }
}

fn rules(env: &Environment, store: &Store) -> Rules {
    Rules::new(env.get(b".flags"), store.writelist.as_deref())
}
