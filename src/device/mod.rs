//! One device and its slots: an order of user space from the settings to the store.
//!
//! ```text
//!  lock -> load -> variables -> dialect -> State -> the order -> dialect -> changes -> one store
//!                                                       |                      |
//!                                                    refused: nothing       none: nothing
//!                                                    is written             is written
//! ```
//!
//! The program and the C library hold no rules of their own: they call this.

mod running;
mod status;

pub use status::{NextBoot, Status};

use crate::config::find_environment;
use crate::env::Environment;
use crate::error::{Error, Result};
use crate::settings::Settings;
use crate::slot::dialect::Change;
use crate::slot::{Board, Name, Outcome, Reason, State};
use crate::store::{Commit, Store, StoreOptions, Transaction};

/// A device with slots.
///
/// Each order is one store, or none where it has been carried out already: it can be given again after
/// a power cut. An order that would endanger the way back is [`Error::Refused`]; one that needs to know
/// which slot runs, and does not, is [`Error::RunningUnknown`]. All orders fail as
/// [`Store::begin`] and [`Transaction::commit`] do, and with [`Error::BootState`] where the variables
/// can't be read as a boot state, and with [`Error::Denied`] where `.flags` or a writelist forbids the
/// change. After an error the boot state is the old one.
pub struct Device {
    settings: Settings,
    store: Store,
    running: Result<Name, String>,
}

/// What an order did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// The boot state that the order met.
    pub before: State,
    /// The boot state that the boot script will see now.
    pub after: State,
    /// The variables that were changed; empty where the order had been carried out already.
    pub changes: Vec<Change>,
    /// What was written.
    pub commit: Commit,
}

impl Done {
    /// Whether anything was stored; if not, the order had been carried out already.
    pub fn stored(&self) -> bool {
        matches!(self.commit, Commit::Stored { .. })
    }
}

impl Device {
    /// Opens the environment that the settings name, and finds out which slot runs. `options.lock` of
    /// `None` is the configuration's lock file, else the default ones. Nothing is written.
    ///
    /// # Errors
    ///
    /// Those of [`find_environment`] and [`Store::open`].
    pub fn open(settings: &Settings, options: &StoreOptions) -> Result<Device> {
        let config = find_environment(settings.env_config.as_deref(), settings.env_namespace.as_deref())?;
        Ok(Device::with_store(settings, Store::open(&config, options)?))
    }

    /// The same over an environment that somebody else has opened; the settings' own is not looked at.
    pub fn with_store(settings: &Settings, store: Store) -> Device {
        let running = match &settings.running {
            Some(name) => Ok(name.clone()),
            None => running::from_command_line(&settings.cmdline),
        };
        Device { settings: settings.clone(), store, running }
    }

    /// The settings that it was opened with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The environment that holds the boot state.
    pub fn store(&mut self) -> &mut Store {
        &mut self.store
    }

    /// The slot that runs, if that is known.
    pub fn running(&self) -> Option<&Name> {
        self.running.as_ref().ok()
    }

    /// The boot state as the boot script will see it; read without a lock.
    ///
    /// # Errors
    ///
    /// [`Error::NoValidCopy`], [`Error::BootState`].
    pub fn state(&mut self) -> Result<State> {
        let variables = self.store.load()?.environment();
        self.settings.dialect.decode(&variables, &self.settings.board)
    }

    /// All that is known about the slots, read without a lock. Where no copy of the environment is valid,
    /// it is the factory state: U-Boot falls back to its compiled-in variables.
    ///
    /// # Errors
    ///
    /// [`Error::BootState`].
    pub fn status(&mut self) -> Result<Status> {
        let (health, snapshot) = self.store.check_and_load();
        let Settings { board, dialect, .. } = &self.settings;
        let state = match snapshot {
            Ok(snapshot) => dialect.decode(&snapshot.environment(), board)?,
            Err(_) => State::factory(board),
        };
        let next = NextBoot::new(&state, board, *dialect);
        Ok(Status { state, running: self.running.clone(), health, next })
    }

    /// What the next boot will do: which slot, what it stores, and why. Read without a lock.
    ///
    /// # Errors
    ///
    /// As [`status`](Device::status).
    pub fn next_boot(&mut self) -> Result<NextBoot> {
        Ok(self.status()?.next)
    }

    /// Starts with the factory's trial where no boot state is stored yet: the running slot, else the
    /// first one. Where no copy of the environment is valid, `base` is what it starts from; `None` makes
    /// nothing out of nothing. A board that is not hardened loads nothing but what is stored, so that its
    /// `base` has to hold all that it needs to boot.
    ///
    /// # Errors
    ///
    /// [`Error::NoValidCopy`] without a `base`, [`Error::Refused`] for a `base` without `bootcmd` where the
    /// board is not hardened, and those of every order.
    pub fn init(&mut self, base: Option<Environment>) -> Result<Done> {
        let boots = |base: &Environment| base.get(b"bootcmd").is_some_and(|command| !command.is_empty());
        if base.as_ref().is_some_and(|base| !self.settings.board.hardened && !boots(base)) {
            let reason = "the variables to start from have no bootcmd: this board boots with nothing but what is stored";
            return Err(Error::Refused(reason.into()));
        }
        let running = self.running().cloned();
        let give = |state: &State, board: &Board| state.init(board, running.as_ref());
        let transaction = match base {
            Some(base) => self.store.begin_or_init(base)?,
            None => self.store.begin()?,
        };
        carry_out(&self.settings, transaction, &give)
    }

    /// Before a slot is written: it is bad from now on. [`State::begin_install`] has the rules.
    pub fn begin_install(&mut self, target: &Name) -> Result<Done> {
        self.order(&|state, running, _| state.begin_install(target, running))
    }

    /// After a slot was written and verified: it is on trial. `tries` of `None` are the board's; `update`
    /// is the id of what was installed: 1 to 64 of `[A-Za-z0-9._-]`, which U-Boot's shells copy as it is.
    /// [`State::finish_install`] has the rules.
    ///
    /// # Errors
    ///
    /// [`Error::Value`] for another id, and those of every order.
    pub fn finish_install(
        &mut self,
        target: &Name,
        tries: Option<u8>,
        update: Option<&[u8]>,
    ) -> Result<Done> {
        let legal = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
        if let Some(id) = update.filter(|id| !(1..=64).contains(&id.len()) || !id.iter().all(legal)) {
            let reason =
                format!("{:?} is no update id: 1 to 64 of [A-Za-z0-9._-]", String::from_utf8_lossy(id));
            return Err(Error::Value { name: "boot_update".into(), reason });
        }
        self.order(&|state, running, board| {
            state.finish_install(target, running, tries.unwrap_or(board.tries), update)
        })
    }

    /// Puts a slot that is not bad on trial. [`State::try_slot`] has the rules.
    pub fn try_slot(&mut self, target: &Name, tries: Option<u8>) -> Result<Done> {
        self.order(&|state, running, board| state.try_slot(target, running, tries.unwrap_or(board.tries)))
    }

    /// The running slot is healthy. `slot`, where given, must be that one. [`State::confirm`] has the
    /// rules.
    pub fn confirm(&mut self, slot: Option<&Name>) -> Result<Done> {
        self.order(&|state, running, _| state.confirm(slot.unwrap_or(running), running))
    }

    /// Gives up the running slot, or a trial that has not been booted yet. [`State::roll_back`] has the
    /// rules. It takes a reboot to leave the slot.
    pub fn roll_back(&mut self, reason: Reason) -> Result<Done> {
        self.order(&|state, running, board| state.roll_back(running, reason, board.tries))
    }

    /// Marks a slot good that the caller knows to be good. [`State::mark_good`] has the rules.
    pub fn mark_good(&mut self, slot: &Name) -> Result<Done> {
        let transaction = self.store.begin()?;
        carry_out(&self.settings, transaction, &|state, _| state.mark_good(slot))
    }

    /// Marks a slot bad: it will not boot. [`State::mark_bad`] has the rules.
    pub fn mark_bad(&mut self, slot: &Name) -> Result<Done> {
        self.order(&|state, running, _| state.mark_bad(slot, running))
    }

    /// Makes a good slot the active one, without a trial. [`State::set_active`] has the rules.
    pub fn set_active(&mut self, slot: &Name) -> Result<Done> {
        self.order(&|state, running, _| state.set_active(slot, running))
    }

    /// An order that depends on which slot runs.
    fn order(&mut self, give: &dyn Fn(&State, &Name, &Board) -> Outcome) -> Result<Done> {
        let running = self.running.clone().map_err(Error::RunningUnknown)?;
        let transaction = self.store.begin()?;
        carry_out(&self.settings, transaction, &|state, board| give(state, &running, board))
    }
}

/// One order, one store. Not generic, or all of this would be in the program once for each order.
fn carry_out(
    settings: &Settings,
    mut transaction: Transaction<'_>,
    give: &dyn Fn(&State, &Board) -> Outcome,
) -> Result<Done> {
    let Settings { board, dialect, .. } = settings;
    let before = dialect.decode(transaction.environment(), board)?;
    let wanted = give(&before, board)?;
    let mut changes = Vec::new();
    for (name, value) in dialect.changes(&before, &wanted) {
        if transaction.set(name.as_bytes(), value.as_deref().unwrap_or_default())? {
            changes.push((name, value));
        }
    }
    // Not what was wanted, but what is there: a hardened board sees its compiled-in value in the place of
    // a variable that was deleted.
    let after = dialect.decode(transaction.environment(), board)?;
    let commit = transaction.commit()?;
    Ok(Done { before, after, changes, commit })
}
