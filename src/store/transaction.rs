//! Any number of changes, one store: all of them or none.

use std::collections::HashMap;

use super::{Loaded, Store};
use crate::env::flags::Rules;
use crate::env::image::{encode, Image};
use crate::env::{check_name, Environment};
use crate::error::Result;
use crate::lock::Lock;
use crate::storage::WriteStats;

/// A change in the making. It holds the lock; dropped without [`commit`](Transaction::commit), it
/// leaves everything as it was.
pub struct Transaction<'a> {
    store: &'a mut Store,
    _lock: Lock,
    loaded: Loaded,
    env: Environment,
    rules: Rules,
    force: bool,
    /// The environment is made out of nothing, so that even no change is one.
    init: bool,
    /// What each touched variable held at first.
    touched: HashMap<Vec<u8>, Option<Vec<u8>>>,
}

/// What a commit did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Commit {
    /// Nothing had changed, so nothing was written.
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
        let rules = rules(&env, store);
        Transaction { store, _lock: lock, loaded, env, rules, force: false, init, touched: HashMap::new() }
    }

    /// Whether `.flags` and the writelist are passed over from now on. Names, sizes and NULs are not.
    pub fn force(&mut self, force: bool) {
        self.force = force;
    }

    /// The value as it would be after the commit.
    pub fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.env.get(name)
    }

    /// The environment as it would be after the commit.
    pub fn environment(&self) -> &Environment {
        &self.env
    }

    /// Sets a variable; an empty value deletes it, as in U-Boot. Returns whether that changes anything.
    ///
    /// Errors: [`Error::Name`](crate::Error::Name), [`Error::Value`](crate::Error::Value),
    /// [`Error::Denied`](crate::Error::Denied). The transaction is as it was before the call.
    pub fn set(&mut self, name: &[u8], value: &[u8]) -> Result<bool> {
        let old = self.env.get(name);
        // A variable with an illegal name that somebody else made can be deleted.
        if old.is_none() || !value.is_empty() {
            check_name(name)?;
        }
        if !self.force {
            self.rules.check(name, old, Some(value).filter(|v| !v.is_empty()), None)?;
        }
        let old = old.map(<[u8]>::to_vec);
        let changed = self.env.set(name, value)?;
        if changed {
            self.touched.entry(name.to_vec()).or_insert(old);
            if name == b".flags" {
                self.rules = rules(&self.env, self.store);
            }
        }
        Ok(changed)
    }

    /// Deletes a variable. Returns whether it was there. Errors as for [`set`](Transaction::set).
    pub fn unset(&mut self, name: &[u8]) -> Result<bool> {
        self.set(name, b"")
    }

    /// Whether the environment differs from the one that was loaded.
    pub fn is_changed(&self) -> bool {
        self.init || self.touched.iter().any(|(name, old)| self.env.get(name) != old.as_deref())
    }

    /// Writes all changes in one store, or nothing if there are none.
    ///
    /// Errors: [`Error::TooBig`](crate::Error::TooBig) and [`Error::Device`](crate::Error::Device) before
    /// anything is written; [`Error::Io`](crate::Error::Io), [`Error::Verify`](crate::Error::Verify) and
    /// [`Error::BadBlocks`](crate::Error::BadBlocks) when the standby could not be written: the old
    /// environment is still the current one.
    pub fn commit(self) -> Result<Commit> {
        if !self.is_changed() {
            return Ok(Commit::Unchanged);
        }
        let (layout, size) = (self.store.layout, self.store.size());
        let fill = self.loaded.current_image(layout).map_or(0, |image: Image<'_>| image.fill());
        let flags = self.store.next_flags(&self.loaded);
        let image = encode(&self.env, layout, size, flags, fill)?;
        let (copy, stats) = self.store.write_standby(&self.loaded, &image)?;
        Ok(Commit::Stored { copy, stats })
    }
}

fn rules(env: &Environment, store: &Store) -> Rules {
    Rules::new(env.get(b".flags"), store.writelist.as_deref())
}
