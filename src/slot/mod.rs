//! Pure: Which slot boots: the state that user space and the boot script share.
//!
//! A [`State`] is what the variables say, decoded by a [`dialect`] and nothing more: a value that no
//! updater writes is kept as [`Field::Odd`] and is judged as the boot script judges it, never taken
//! for something near to it. The orders of user space (`actions.rs`) turn a state into the next one,
//! [`next_boot`] tells what the boot script will make of it.
//!
//! ```text
//!              try                    boot script: tries - 1, stored, then boot
//!  confirmed ------> trial, n tries ----------------------------------------.
//!   ^    |             |   ^------------------------------------------------'
//!   |    | does not    |  no tries left, does not load, or user space rolls back:
//!   |    | load        |  the slot has failed, boot_failed says why
//!   |    v             v
//!   |   the best slot that was not tried in this boot: good, else unknown, else failed
//!   |        |                          |
//!   '--------'                          '--> a trial of its own; none is left: last resort, recovery,
//!    good, after a trial                     and the next round begins
//! ```
//!
//! | file | job |
//! |---|---|
//! | `mod.rs` | the state, and what may boot in which order |
//! | `board.rs` | what the board has compiled into U-Boot: its slots, and which boot code |
//! | `next.rs` | what the boot code of the board does with a state |
//! | `boot.rs` | what the boot script does |
//! | `boot1.rs` | what the first version of the script does, for boards whose U-Boot has that one |
//! | `rauc.rs` | RAUC's counters, and what the boot code that reads them does |
//! | `rauc_script.rs` | what bootslot's own script for RAUC's variables does |
//! | `counted.rs` | U-Boot's `upgrade_available` and `bootcount`, and what U-Boot does with them |
//! | `counted_script.rs` | what bootslot's own script for these variables does |
//! | `actions.rs` | the orders of user space |
//! | `reach.rs` | what the boot script alone makes of a state |
//! | `dialect/` | the state as variables |

mod actions;
mod board;
mod boot;
mod boot1;
#[cfg(feature = "settings")]
pub mod counted;
#[cfg(feature = "settings")]
mod counted_script;
pub mod dialect;
mod next;
#[cfg(feature = "settings")]
pub mod rauc;
#[cfg(feature = "settings")]
mod rauc_script;
#[cfg(feature = "settings")]
mod reach;

pub use actions::{Outcome, Refusal};
pub use board::{Board, Reader, Script};
pub use boot::{Boot, Chosen, Machine, Step, Working, LOADS};
pub use next::{guarded_boot, next_boot};
#[cfg(feature = "settings")]
pub use reach::leads;

use std::fmt;

/// Most tries of a trial: one digit, since U-Boot's `setexpr` counts in hexadecimal.
pub const MAX_TRIES: u8 = 9;

/// The name of a slot: 1 to 16 characters of `[A-Za-z0-9_]`. No hyphen: the boot script reads
/// `${slot_<name>}`, and U-Boot's shell takes `${slot_a-b}` for "slot_a, by default b".
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(String);

impl Name {
    /// The name, if it is one.
    pub fn new(text: &str) -> Option<Name> {
        Name::from_bytes(text.as_bytes())
    }

    /// The name that these bytes spell, if they spell one.
    pub fn from_bytes(bytes: &[u8]) -> Option<Name> {
        let legal = |&byte: &u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if !(1..=16).contains(&bytes.len()) || !bytes.iter().all(legal) {
            return None;
        }
        Some(Name(String::from_utf8_lossy(bytes).into_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a variable says.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Field<T> {
    /// The variable does not exist (or is empty, which U-Boot reads as the same).
    Absent,
    /// One of the values that the dialect knows.
    Is(T),
    /// Anything else, as the boot script sees it.
    Odd(Vec<u8>),
}

impl<T> Field<T> {
    /// The value, if it is one that the dialect knows.
    pub fn known(&self) -> Option<&T> {
        match self {
            Field::Is(value) => Some(value),
            Field::Absent | Field::Odd(_) => None,
        }
    }
}

/// What is recorded about a slot; a slot without it is *unknown*: untested, or the record was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mark {
    /// It was confirmed, and has not been written since.
    Good,
    /// It is being written (stored as `bad`). It never boots.
    Writing,
    /// It was written whole, and has failed or was given up. It boots when nothing better is left.
    Failed,
}

/// What a slot is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// It is updated, tried and confirmed.
    Ordinary,
    /// A small system for emergencies: never installed to, never active, the last one before the recovery.
    LastResort,
}

/// One slot and its mark.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Slot {
    /// Its name, one of the board's.
    pub name: Name,
    /// What is recorded about it. Anything that the boot script does not know counts as unknown.
    pub mark: Field<Mark>,
    /// What it is for.
    pub role: Role,
}

/// Why a slot failed, as `boot_failed` records it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// It used up its tries without being confirmed; where the board has a guard, also: it was confirmed,
    /// and then not reported healthy for too many boots.
    Tries,
    /// It did not load, or its boot command came back.
    Load,
    /// User space found it unhealthy.
    Health,
    /// Somebody ordered it.
    User,
}

impl Reason {
    /// The word in `boot_failed`.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Tries => "tries",
            Reason::Load => "load",
            Reason::Health => "health",
            Reason::User => "user",
        }
    }
}

/// The last failure: which slot, why, and which update it held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The slot that failed.
    pub slot: Name,
    /// Why.
    pub reason: Reason,
    /// The update id, empty where none was known.
    pub update: Vec<u8>,
}

/// What another dialect than the native one stores, as U-Boot sees it: a state says less than that.
#[cfg(feature = "settings")]
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Foreign {
    /// RAUC's variables.
    Rauc(rauc::Rauc),
    /// Those of U-Boot's boot counter, as Mender and others use them.
    Counted(Box<counted::Counted>),
}

/// The slot and the update id of another dialect's `boot_update`: `<slot>:<update id>`.
#[cfg(feature = "settings")]
fn tried(value: &[u8]) -> Option<(Name, &[u8])> {
    let at = value.iter().position(|&byte| byte == b':')?;
    let (slot, id) = (value.get(..at)?, value.get(at + 1..)?);
    Some((Name::from_bytes(slot)?, id)).filter(|(_, id)| !id.is_empty())
}

/// The boot state: what all variables of a dialect say together.
///
/// Equal states are stored as equal variables: an order that changes nothing needs no store.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    /// All slots of the board, in order of preference; the last resort, if there is one, at the end.
    pub slots: Vec<Slot>,
    /// The slot U-Boot boots next; one of `slots` where it is known.
    pub active: Field<Name>,
    /// Whether the active slot is confirmed (`true`) or on trial.
    pub success: Field<bool>,
    /// Tries left in the trial, 0 to 9. Anything else counts as the board's tries.
    pub tries: Field<u8>,
    /// The slot a failed trial returns to; one of `slots` where it is known.
    pub rollback: Field<Name>,
    /// The id of the update on trial; never judged, only copied into `failed`.
    pub update: Option<Vec<u8>>,
    /// The last failure as recorded; see [`State::last_failure`].
    pub failed: Option<Vec<u8>>,
    /// The board's tries ([`Board::tries`]): what a slot gets that starts a trial on its own.
    pub board_tries: u8,
    /// The version of the board's boot script ([`Board::script`]).
    pub script: Script,
    /// What another dialect than the native one stores beside all this; `None` in the native one.
    #[cfg(feature = "settings")]
    pub foreign: Option<Foreign>,
}

/// What the boot script makes of a state, before it tries to load anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing<'a> {
    /// This slot boots, nothing is stored. (Boot code that counts each boot stores its count.)
    Confirmed(&'a Name),
    /// This slot boots after one try less has been stored.
    Trial {
        /// The slot on trial.
        slot: &'a Name,
        /// Tries left, at least 1.
        left: u8,
    },
    /// The trial is over or there is no usable active slot: the boot script chooses another one. The
    /// slot, if any, is the one that fails (or has failed) by it.
    Over(Option<&'a Name>),
}

impl State {
    /// The factory state: the first slot on trial, the second one to return to, nothing known.
    pub fn factory(board: &Board) -> State {
        let mut state = State::unknown(board, &board.slots);
        state.start_over();
        state
    }

    /// The state in which nothing is recorded, of these slots and the board's last resort.
    fn unknown(board: &Board, names: &[Name]) -> State {
        let slot = |name: &Name, role| Slot { name: name.clone(), mark: Field::Absent, role };
        let last = board.last_resort.as_ref();
        let ordinary = names.iter().filter(|name| Some(*name) != last);
        State {
            slots: ordinary
                .map(|name| slot(name, Role::Ordinary))
                .chain(last.map(|name| slot(name, Role::LastResort)))
                .collect(),
            active: Field::Absent,
            success: Field::Absent,
            tries: Field::Absent,
            rollback: Field::Absent,
            update: None,
            failed: None,
            board_tries: board.tries,
            script: board.script,
            #[cfg(feature = "settings")]
            foreign: None,
        }
    }

    /// The slot of this name, if the board has it.
    pub fn slot(&self, name: &Name) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.name == *name)
    }

    /// The slot for emergencies, if the board has one.
    pub fn last_resort(&self) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.role == Role::LastResort)
    }

    /// What the boot script will make of this state. A slot is confirmed only where its own mark is good
    /// and `boot_success` is 1; everything else is a trial, with the board's tries where none were counted.
    pub fn standing(&self) -> Standing<'_> {
        let Some(slot) = self.active.known() else { return Standing::Over(None) };
        match (self.mark(slot), &self.success, &self.tries) {
            (Some(Mark::Writing), _, _) => Standing::Over(Some(slot)),
            (Some(Mark::Good), Field::Is(true), _) => Standing::Confirmed(slot),
            (_, Field::Is(true), _) => Standing::Trial { slot, left: self.board_tries },
            (_, _, Field::Is(0)) => Standing::Over(Some(slot)),
            (_, _, Field::Is(left @ 1..=MAX_TRIES)) => Standing::Trial { slot, left: *left },
            (_, _, _) => Standing::Trial { slot, left: self.board_tries },
        }
    }

    /// Whether this slot's own mark says that it is one to go back to.
    pub fn is_confirmed(&self, name: &Name) -> bool {
        self.mark(name) == Some(Mark::Good) && !self.is_on_trial(name)
    }

    /// Whether this slot is the active one and not confirmed, be its tries used up or not.
    pub fn is_on_trial(&self, name: &Name) -> bool {
        self.active.known() == Some(name)
            && self.mark(name) != Some(Mark::Writing)
            && self.standing() != Standing::Confirmed(name)
    }

    /// The slot that the trial under way returns to if it fails. Outside of a trial `rollback` means nothing:
    /// the guard leaves a name there, and a hardened board has one compiled in.
    pub fn returns_to(&self) -> Option<&Name> {
        match self.standing() {
            Standing::Trial { .. } => self.rollback.known(),
            Standing::Confirmed(_) | Standing::Over(_) => None,
        }
    }

    /// The last failure, if one is recorded in the form that the script and user space write.
    pub fn last_failure(&self) -> Option<Failure> {
        let mut parts = self.failed.as_ref()?.splitn(3, |&byte| byte == b':');
        let slot = Name::from_bytes(parts.next()?)?;
        let reason = parts.next()?;
        let reason = [Reason::Tries, Reason::Load, Reason::Health, Reason::User]
            .into_iter()
            .find(|known| known.as_str().as_bytes() == reason)?;
        Some(Failure { slot, reason, update: parts.next()?.to_vec() })
    }

    /// The mark of a slot, judged as the script does: what it does not know is unknown.
    pub fn mark(&self, name: &Name) -> Option<Mark> {
        self.slot(name)?.mark.known().copied()
    }

    fn set_mark(&mut self, name: &Name, mark: Field<Mark>) {
        if let Some(slot) = self.slots.iter_mut().find(|slot| slot.name == *name) {
            slot.mark = mark;
        }
    }

    /// The slots that are updated, in order of preference.
    fn ordinary(&self) -> impl Iterator<Item = &Slot> {
        self.slots.iter().filter(|slot| slot.role == Role::Ordinary)
    }

    /// The ordinary slots with this mark, the rollback slot first where `rollback_first`, then in the
    /// board's order.
    fn marked(&self, mark: Option<Mark>, rollback_first: bool) -> Vec<Name> {
        let mut names: Vec<&Name> = self.ordinary().map(|slot| &slot.name).collect();
        names.retain(|name| self.mark(name) == mark);
        if rollback_first {
            names.sort_by_key(|name| self.rollback.known() != Some(*name));
        }
        names.into_iter().cloned().collect()
    }

    /// Every slot that may take the place of `leaving`, best first: good ones, unknown ones, failed ones.
    /// The failed ones are taken in turn, from the one behind `leaving` on.
    fn successors(&self, leaving: Option<&Name>) -> Vec<Name> {
        let mut failed = self.marked(Some(Mark::Failed), false);
        let place = |name: &Name| self.ordinary().position(|slot| slot.name == *name);
        let behind = leaving.and_then(place).map_or(0, |place| place + 1);
        failed.sort_by_key(|name| place(name) < Some(behind));
        let mut names = self.best_first(failed);
        names.retain(|name| Some(name) != leaving);
        names
    }

    /// Good ones, unknown ones, then these failed ones.
    fn best_first(&self, failed: Vec<Name>) -> Vec<Name> {
        [self.marked(Some(Mark::Good), true), self.marked(None, true), failed].concat()
    }

    /// A slot on trial has failed, and why is recorded. Where it had failed before, that is on record
    /// already: the first reason tells more than that the last resort failed as well.
    fn fail(&mut self, slot: &Name, reason: Reason, update: Option<&[u8]>) {
        if self.mark(slot) != Some(Mark::Failed) {
            self.set_mark(slot, Field::Is(Mark::Failed));
            self.record(slot, reason, update);
        }
    }

    fn record(&mut self, slot: &Name, reason: Reason, update: Option<&[u8]>) {
        let mut failed = format!("{slot}:{}:", reason.as_str()).into_bytes();
        failed.extend(update.unwrap_or_default());
        self.failed = Some(failed);
    }

    /// Makes a slot active and confirmed.
    fn settle_on(&mut self, slot: Name) {
        self.active = Field::Is(slot);
        self.success = Field::Is(true);
        self.tries = Field::Is(0);
        self.rollback = Field::Absent;
        self.update = None;
    }

    /// Makes a slot active, on trial.
    fn start_trial(&mut self, slot: Name, tries: u8, rollback: Option<Name>) {
        self.active = Field::Is(slot);
        self.success = Field::Is(false);
        self.tries = Field::Is(tries);
        self.rollback = rollback.map_or(Field::Absent, Field::Is);
        self.update = None;
    }

    /// Makes the best of `slots` active: one that is good is confirmed at once, another one starts a trial
    /// of its own. False when there is none.
    fn go_over_to(&mut self, slots: Vec<Name>) -> bool {
        let mut slots = slots.into_iter();
        let Some(best) = slots.next() else { return false };
        if self.mark(&best) == Some(Mark::Good) {
            self.settle_on(best);
        } else {
            self.start_trial(best, self.board_tries, slots.next());
        }
        true
    }

    /// Back to the factory's trial, with no slot known; the last failure stays on record.
    fn start_over(&mut self) {
        let ordinary: Vec<Name> = self.ordinary().map(|slot| slot.name.clone()).collect();
        for name in &ordinary {
            self.set_mark(name, Field::Absent);
        }
        let mut names = ordinary.into_iter();
        if let Some(first) = names.next() {
            let second = names.next();
            self.start_trial(first, self.board_tries, second);
        }
    }
}

#[cfg(test)]
mod tests;
