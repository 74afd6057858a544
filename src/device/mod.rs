//! One device and its slots: an order of user space from the settings to the store.
//!
//! ```text
//!  lock -> load -> variables -> which script -> dialect -> State -> the order -> dialect -> changes -> one store
//!                                    |                                   |                      |
//!                               unknown: nothing                   refused: nothing       none: nothing
//!                               is written                         is written             is written
//! ```
//!
//! The program and the C library hold no rules of their own: they call this.
//!
//! | file | job |
//! |---|---|
//! | `mod.rs` | the orders |
//! | `order.rs` | one order: what it asks beside the state, and its one store |
//! | `convert.rs` | the boot state in another dialect |
//! | `facts.rs` | what a boot state says of an update |
//! | `journal.rs` | the journal, and what an installation tells it |
//! | `records.rs` | what an order leaves in the journal, and which updates are refused from now on |
//! | `observe.rs` | a boot: what was found, compared with what the journal knows |
//! | `refused.rs` | the updates that have failed here |
//! | `system.rs` | what the running system says of itself and of the last reset |
//! | `floor.rs` | the lowest version that is installed, in each order |
//! | `loader.rs` | orders to the boot loader, and what keeps it and the slots apart (feature `bootloader`) |
//! | `running.rs` | which slot runs: by the kernel's command line and the device of `/` |
//! | `root.rs` | the slots whose device that is |
//! | `boot_code.rs` | whether U-Boot runs the boot code that reads what is stored |
//! | `script.rs` | which version of bootslot's boot script that is |
//! | `status.rs` | what is known, and what the next boot will do |

mod boot_code;
#[cfg(feature = "settings")]
mod convert;
#[cfg(feature = "settings")]
mod facts;
#[cfg(feature = "settings")]
mod floor;
#[cfg(feature = "settings")]
mod journal;
#[cfg(feature = "bootloader")]
mod loader;
#[cfg(feature = "settings")]
mod observe;
mod order;
#[cfg(feature = "settings")]
mod records;
#[cfg(feature = "settings")]
mod refused;
mod root;
mod running;
mod script;
mod status;
#[cfg(feature = "settings")]
mod system;

#[cfg(feature = "settings")]
pub use floor::FloorStatus;
#[cfg(feature = "settings")]
pub use observe::Observed;
pub use order::Done;
#[cfg(feature = "settings")]
pub use refused::Refused;
#[cfg(feature = "settings")]
pub use status::Otherwise;
pub use status::{NextBoot, Status};
#[cfg(feature = "settings")]
pub use system::System;

use crate::bootcount::Source;
use crate::config::find_environment;
use crate::env::Environment;
use crate::error::{Error, Result};
#[cfg(feature = "settings")]
use crate::floor::Change as FloorChange;
use crate::settings::Settings;
#[cfg(feature = "settings")]
use crate::slot::dialect::detect;
use crate::slot::{Board, Name, Outcome, Reason, Refusal, Script, State};
use crate::store::{Snapshot, Store, StoreOptions};
use order::{carry_out, Desk, Order};

/// A device with slots.
///
/// Each order is one store, or none where it has been carried out already: it can be given again after
/// a power cut. An order that would endanger the way back is [`Error::Refused`]; one that needs to know
/// which slot runs, and does not, is [`Error::RunningUnknown`]; where it is not known whether U-Boot runs the
/// boot script, all but [`acknowledge`](Device::acknowledge) are [`Error::ScriptUnknown`]. All orders fail as
/// [`Store::begin`] and [`Transaction::commit`](crate::store::Transaction::commit) do, and with [`Error::BootState`] where the variables
/// can't be read as a boot state, and with [`Error::Denied`] where `.flags` or a writelist forbids the
/// change. After an error the boot state is the old one.
pub struct Device {
    desk: Desk,
    store: Store,
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
        let running = running::find(settings);
        let desk = Desk {
            settings: settings.clone(),
            running,
            #[cfg(feature = "settings")]
            journal: records::journal(settings),
        };
        Device { desk, store }
    }

    /// The settings that it was opened with.
    pub fn settings(&self) -> &Settings {
        &self.desk.settings
    }

    /// The environment that holds the boot state.
    pub fn store(&mut self) -> &mut Store {
        &mut self.store
    }

    /// The slot that runs, if that is known.
    pub fn running(&self) -> Option<&Name> {
        self.desk.running.slot.as_ref().ok()
    }

    /// The boot state as the boot script will see it; read without a lock.
    ///
    /// # Errors
    ///
    /// [`Error::NoValidCopy`], [`Error::BootState`].
    pub fn state(&mut self) -> Result<State> {
        Ok(self.loaded()?.1)
    }

    /// What is stored, and the boot state that it says.
    fn loaded(&mut self) -> Result<(Environment, State)> {
        let variables = self.store.load()?.environment();
        let board = self.board(&self.script(&variables), &variables);
        let state = self.desk.decode(&variables, &board)?;
        Ok((variables, state))
    }

    /// The version of the boot script that U-Boot runs, as far as these variables and the command line tell.
    fn script(&self, variables: &Environment) -> Result<Script> {
        boot_code::find(&self.desk.settings, &self.desk.running.cmdline, variables)
    }

    /// The board with this script; with the newest one where it is unknown.
    fn board(&self, script: &Result<Script>, variables: &Environment) -> Board {
        self.desk.board(script.as_ref().copied().unwrap_or_default(), variables)
    }

    /// All that is known about the slots, read without a lock. Where no copy of the environment is valid,
    /// it is the factory state: U-Boot falls back to its compiled-in variables.
    ///
    /// # Errors
    ///
    /// [`Error::BootState`], and [`Error::Refused`] where the settings say that a slot runs which does not exist.
    pub fn status(&mut self) -> Result<Status> {
        Ok(self.look()?.0)
    }

    fn look(&mut self) -> Result<(Status, Result<Script>)> {
        let (health, snapshot) = self.store.check_and_load();
        let variables = snapshot.as_ref().map(Snapshot::environment).unwrap_or_default();
        let script = self.script(&variables);
        let (board, dialect) = (self.board(&script, &variables), self.desk.settings.dialect);
        let state = match snapshot {
            Ok(_) => self.desk.decode(&variables, &board)?,
            Err(_) => dialect.compiled_in(&board)?,
        };
        let mut running = self.desk.running.slot.clone();
        if let Ok(name) = running.clone() {
            if state.slot(&name).is_none() {
                let wrong = Error::from(no_such_slot(&state, &name));
                if self.desk.settings.running.is_some() {
                    return Err(wrong);
                }
                let shown = self.desk.settings.cmdline.display();
                running = Err(format!("{shown} says slot {name}, and the board has no such slot"));
            }
        }
        let status = Status {
            running,
            on_root: self.desk.running.on_root.clone(),
            health,
            script: script.as_ref().copied().map_err(ToString::to_string),
            guard: boot_code::leaves_a_confirmed_slot(&self.desk.settings, board.reader, &variables),
            dialect,
            reader: board.reader,
            #[cfg(feature = "settings")]
            detected: detect(&variables),
            #[cfg(feature = "settings")]
            told: boot_code::told(&self.desk.settings, &self.desk.running.cmdline, &variables)
                .map(|told| told.map_err(|error| error.to_string())),
            slots_differ: contradicts(&self.desk.settings, &state),
            next: NextBoot::new(&state, &board, dialect),
            #[cfg(feature = "settings")]
            floor: floor::FloorStatus::new(&self.desk.settings, &variables, &state),
            state,
        };
        Ok((status, script))
    }

    /// What the next boot will do: which slot, what it stores, and why. Read without a lock.
    ///
    /// # Errors
    ///
    /// As [`status`](Device::status), and [`Error::ScriptUnknown`].
    pub fn next_boot(&mut self) -> Result<NextBoot> {
        let (status, script) = self.look()?;
        script.map(|_| status.next)
    }

    /// Starts with the factory's trial where no boot state is stored yet: the running slot, else the
    /// first one. Where no copy of the environment is valid, `base` is what it starts from, also where it holds
    /// the values that the board has compiled in, as `u-boot-initial-env` does; `None` makes nothing out of
    /// nothing. A board that is not hardened loads nothing but what is stored, so that its
    /// `base` has to hold all that it needs to boot.
    ///
    /// # Errors
    ///
    /// [`Error::NoValidCopy`] without a `base`, [`Error::Refused`] for a `base` without `bootcmd` where the
    /// board is not hardened, and those of every order.
    pub fn init(&mut self, base: Option<Environment>) -> Result<Done> {
        let boots = |base: &Environment| base.get(b"bootcmd").is_some_and(|command| !command.is_empty());
        if base.as_ref().is_some_and(|base| !self.desk.settings.board.hardened && !boots(base)) {
            let reason = "the variables to start from have no bootcmd: this board boots with nothing but what is stored";
            return Err(Error::Refused(reason.into()));
        }
        let running = self.running().cloned();
        let transaction = match base {
            Some(base) => self.store.begin_or_init(base)?,
            None => self.store.begin()?,
        };
        let new = transaction.is_new();
        let give = |state: &State, _: &Board| match new && state.is_as_compiled_in() {
            true => state.begin_anew(running.as_ref()),
            false => state.init(running.as_ref()),
        };
        carry_out(&mut self.desk, transaction, Order::new("init"), &give)
    }

    /// Whether an installation may begin and end, asked before anything is written. Read without a lock. `floor` is
    /// what the update makes of the floor once it is confirmed.
    ///
    /// # Errors
    ///
    /// Those of [`begin_install`](Device::begin_install) and [`finish_update`](Device::finish_update).
    #[cfg(feature = "settings")]
    pub fn check_install(
        &mut self,
        target: &Name,
        tries: Option<u8>,
        update: &[u8],
        again: bool,
        floor: Option<&FloorChange>,
    ) -> Result<()> {
        let running = self.desk.running.slot.clone().map_err(Error::RunningUnknown)?;
        let mut variables = self.store.load()?.environment();
        let board = self.board(&Ok(self.script(&variables)?), &variables);
        let (dialect, state) = (self.desk.settings.dialect, self.desk.decode(&variables, &board)?);
        let begun = state.begin_install(target, &running);
        let begun = Order::writes("begin-install", target).judge(
            &self.desk.settings,
            &self.desk.running,
            &state,
            begun,
        )?;
        let begun = dialect.express(&begun)?;
        let tries = tries.unwrap_or(state.board_tries);
        let finished = begun.finish_install(target, &running, tries, Some(update), again)?;
        #[cfg(feature = "bootloader")]
        loader::gate(&self.desk.settings, "begin-install")?;
        self.store.rehearse(&mut variables, &dialect.changes(&state, &begun)?)?;
        self.store.rehearse(&mut variables, &dialect.changes(&begun, &finished)?)?;
        self.store.rehearse(&mut variables, &[floor::waiting(update, floor)])
    }

    /// The floor: the lowest version that may be installed, if there is one. Read without a lock.
    ///
    /// # Errors
    ///
    /// [`Error::NoValidCopy`], and [`Error::BootState`] where the environment or the file holds something that is no
    /// version.
    #[cfg(feature = "settings")]
    pub fn floor(&mut self) -> Result<Option<String>> {
        floor::lowest(&self.desk.settings, &self.store.load()?.environment())
    }

    /// Before a slot is written: nothing boots it from now on. [`State::begin_install`] has the rules.
    pub fn begin_install(&mut self, target: &Name) -> Result<Done> {
        self.order(Order::writes("begin-install", target), &|state, running, _| {
            state.begin_install(target, running)
        })
    }

    /// After a slot was written and verified: it is on trial. `tries` of `None` are the board's; `update`
    /// is the id of what was installed: 1 to 64 of `[A-Za-z0-9._-]`, which U-Boot's shells copy as it is. An update
    /// that has failed is refused, unless it is to be tried `again`.
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
        again: bool,
    ) -> Result<Done> {
        check_id(update)?;
        #[allow(unused_mut)]
        let mut order = Order::writes("finish-install", target);
        #[cfg(feature = "settings")]
        {
            order.update = update.unwrap_or_default();
        }
        self.order(order, &|state, running, _| {
            state.finish_install(target, running, tries.unwrap_or(state.board_tries), update, again)
        })
    }

    /// As [`finish_install`](Device::finish_install), of an update that changes the floor once it is confirmed.
    ///
    /// # Errors
    ///
    /// Those of [`finish_install`](Device::finish_install).
    #[cfg(feature = "settings")]
    pub fn finish_update(
        &mut self,
        target: &Name,
        tries: Option<u8>,
        update: &[u8],
        again: bool,
        change: Option<&FloorChange>,
    ) -> Result<Done> {
        check_id(Some(update))?;
        let waiting = Some(floor::waiting(update, change));
        let order = Order { floor: waiting, update, ..Order::writes("finish-install", target) };
        self.order(order, &|state, running, _| {
            state.finish_install(target, running, tries.unwrap_or(state.board_tries), Some(update), again)
        })
    }

    /// Puts a slot that was written whole on trial; one that has failed only if it is to be tried `again`.
    /// [`State::try_slot`] has the rules.
    pub fn try_slot(&mut self, target: &Name, tries: Option<u8>, again: bool) -> Result<Done> {
        self.order(Order::writes("try", target), &|state, running, _| {
            state.try_slot(target, running, tries.unwrap_or(state.board_tries), again)
        })
    }

    /// The running slot is healthy. `slot`, where given, must be that one. [`State::confirm`] has the
    /// rules. Where the settings name U-Boot's boot counter, that is reset: one in the environment in the same
    /// store, any other one after it.
    ///
    /// # Errors
    ///
    /// [`Error::CounterNotReset`] and [`Error::FloorNotStored`] after the store, and those of every order.
    pub fn confirm(&mut self, slot: Option<&Name>) -> Result<Done> {
        let source = self.desk.settings.bootcount.clone();
        let in_store = source == Some(Source::Environment);
        let order = Order { target: slot, resets_counter: in_store, ..Order::new("confirm") };
        let for_good = self.desk.settings.update.prevent_late_fallback;
        let confirm = |state: &State, running: &Name, _: &Board| match for_good {
            true => state.confirm_for_good(slot.unwrap_or(running), running),
            false => state.confirm(slot.unwrap_or(running), running),
        };
        let mut done = self.order(order, &confirm);
        let stored = matches!(done, Ok(_) | Err(Error::FloorNotStored(_)));
        if let Some(mut counter) = source.as_ref().filter(|_| stored).and_then(Source::open) {
            let reset = counter.reset().map_err(|error| Error::CounterNotReset(Box::new(error)))?;
            done = done.map(|done| Done { counter_reset: reset, ..done });
        }
        done
    }

    /// The last failure was heard of: it is no longer on record. It is the one order that does not ask which
    /// slot runs, nor for the boot script.
    pub fn acknowledge(&mut self) -> Result<Done> {
        let transaction = self.store.begin()?;
        let order = Order { needs_script: false, ..Order::new("acknowledge") };
        carry_out(&mut self.desk, transaction, order, &|state, _| Ok(state.acknowledge()))
    }

    /// Gives up the running slot, or a trial that has not been booted yet. [`State::roll_back`] has the
    /// rules. It takes a reboot to leave the slot.
    pub fn roll_back(&mut self, reason: Reason) -> Result<Done> {
        self.order(Order::new("rollback"), &|state, running, _| state.roll_back(running, reason))
    }

    /// Marks a slot good that the caller knows to be good. [`State::mark_good`] has the rules.
    pub fn mark_good(&mut self, slot: &Name) -> Result<Done> {
        let transaction = self.store.begin()?;
        carry_out(&mut self.desk, transaction, Order::on("mark-good", slot), &|state, _| {
            state.mark_good(slot)
        })
    }

    /// Marks a slot as failed: it boots when nothing better is left. [`State::mark_bad`] has the rules.
    pub fn mark_bad(&mut self, slot: &Name) -> Result<Done> {
        self.order(Order::writes("mark-bad", slot), &|state, running, _| state.mark_bad(slot, running))
    }

    /// Makes a good slot the active one, without a trial. [`State::set_active`] has the rules.
    pub fn set_active(&mut self, slot: &Name) -> Result<Done> {
        self.order(Order::on("set-active", slot), &|state, running, _| state.set_active(slot, running))
    }

    /// An order that depends on which slot runs.
    fn order(&mut self, order: Order<'_>, give: &dyn Fn(&State, &Name, &Board) -> Outcome) -> Result<Done> {
        let running = self.desk.running.slot.clone().map_err(Error::RunningUnknown)?;
        let transaction = self.store.begin()?;
        let give = |state: &State, board: &Board| give(state, &running, board);
        carry_out(&mut self.desk, transaction, order, &give)
    }
}

/// 1 to 64 of `[A-Za-z0-9._-]`, which U-Boot's shells copy as it is.
fn check_id(update: Option<&[u8]>) -> Result<()> {
    let legal = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
    match update.filter(|id| !(1..=64).contains(&id.len()) || !id.iter().all(legal)) {
        None => Ok(()),
        Some(id) => {
            let reason =
                format!("{:?} is no update id: 1 to 64 of [A-Za-z0-9._-]", String::from_utf8_lossy(id));
            Err(Error::Value { name: "boot_update".into(), reason })
        }
    }
}

/// Whether the environment names other slots than the settings, which name some.
fn contradicts(settings: &Settings, state: &State) -> bool {
    let Board { slots, last_resort, .. } = &settings.board;
    let theirs = slots.iter().chain(last_resort);
    settings.slots_named && !state.slots.iter().map(|slot| &slot.name).eq(theirs)
}

fn no_such_slot(state: &State, name: &Name) -> Refusal {
    let names: Vec<&str> = state.slots.iter().map(|slot| slot.name.as_str()).collect();
    Refusal::NoSuchSlot(name.clone(), names.join(", "))
}
