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
//!      ^               |   ^------------------------------------------------'
//!      |    confirm    |  no tries left, does not load, or user space rolls back:
//!      |<--------------'  slot bad, boot_failed says why
//!      |                                    |
//!      '------------------------------------'  to a good slot
//!  With no good slot (factory, or the environment was lost) the next unknown one starts its own trial.
//! ```

mod actions;
mod boot;
pub mod dialect;

pub use actions::{Outcome, Refusal};
pub use boot::{guarded_boot, next_boot, Boot, Chosen, Machine, Step, Working};

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

/// What the board has compiled into U-Boot, and user space must know to agree with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Board {
    /// `boot_slots`: all slots in order of preference.
    pub slots: Vec<Name>,
    /// Tries of the factory's trial (`BOOTSLOT_TRIES`), 1 to [`MAX_TRIES`].
    pub tries: u8,
    /// U-Boot takes only the writeable variables from storage (`CONFIG_ENV_WRITEABLE_LIST`), lays
    /// them over its compiled-in ones, and refuses values of a wrong type.
    pub hardened: bool,
}

impl Default for Board {
    /// Slots `A` and `B`, three tries, everything read from storage.
    fn default() -> Self {
        Board { slots: vec![Name("A".into()), Name("B".into())], tries: 3, hardened: false }
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
    /// It failed its trial, or is being written. Never a candidate.
    Bad,
}

/// One slot and its mark.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Slot {
    /// Its name, one of the board's.
    pub name: Name,
    /// What is recorded about it. Anything but good and bad counts as unknown.
    pub mark: Field<Mark>,
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

/// The boot state: what all variables of a dialect say together.
///
/// Equal states are stored as equal variables: an order that changes nothing needs no store.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    /// All slots of the board, in order of preference.
    pub slots: Vec<Slot>,
    /// The slot U-Boot boots next; one of `slots` where it is known.
    pub active: Field<Name>,
    /// Whether the active slot is confirmed (`true`) or on trial.
    pub success: Field<bool>,
    /// Tries left in the trial, 0 to 9. Anything else counts as 0.
    pub tries: Field<u8>,
    /// The slot a failed trial returns to; one of `slots` where it is known.
    pub rollback: Field<Name>,
    /// The id of the update on trial; never judged, only copied into `failed`.
    pub update: Option<Vec<u8>>,
    /// The last failure as recorded; see [`State::last_failure`].
    pub failed: Option<Vec<u8>>,
}

/// What the boot script makes of a state, before it tries to load anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing<'a> {
    /// This slot boots, nothing is stored.
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
        let slots = board.slots.iter().map(|name| Slot { name: name.clone(), mark: Field::Absent });
        let mut state = State {
            slots: slots.collect(),
            active: Field::Absent,
            success: Field::Absent,
            tries: Field::Absent,
            rollback: Field::Absent,
            update: None,
            failed: None,
        };
        state.start_over(board.tries);
        state
    }

    /// The slot of this name, if the board has it.
    pub fn slot(&self, name: &Name) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.name == *name)
    }

    /// What the boot script will make of this state.
    pub fn standing(&self) -> Standing<'_> {
        let Some(slot) = self.active.known() else { return Standing::Over(None) };
        match (self.mark(slot), &self.success, &self.tries) {
            (Some(Mark::Bad), _, _) => Standing::Over(Some(slot)),
            // A good slot is never failed by the script, whatever the other variables say.
            (Some(Mark::Good), _, _) | (None, Field::Is(true), _) => Standing::Confirmed(slot),
            (None, _, Field::Is(left @ 1..=MAX_TRIES)) => Standing::Trial { slot, left: *left },
            (None, _, _) => Standing::Over(Some(slot)),
        }
    }

    /// Whether this slot is one to go back to: marked good, or active and confirmed.
    pub fn is_confirmed(&self, name: &Name) -> bool {
        self.mark(name) == Some(Mark::Good) || self.standing() == Standing::Confirmed(name)
    }

    /// Whether this slot is the active one and not confirmed, be its tries used up or not.
    pub fn is_on_trial(&self, name: &Name) -> bool {
        self.active.known() == Some(name) && self.mark(name).is_none() && self.success != Field::Is(true)
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

    /// The mark of a slot, judged as the script does: what is neither good nor bad is unknown.
    fn mark(&self, name: &Name) -> Option<Mark> {
        self.slot(name)?.mark.known().copied()
    }

    fn set_mark(&mut self, name: &Name, mark: Field<Mark>) {
        if let Some(slot) = self.slots.iter_mut().find(|slot| slot.name == *name) {
            slot.mark = mark;
        }
    }

    /// Every slot that may boot, best first: good ones, then unknown ones; among each the rollback
    /// slot first, then the board's order.
    fn candidates(&self) -> Vec<Name> {
        let mut names: Vec<&Name> = self.slots.iter().map(|slot| &slot.name).collect();
        names.retain(|name| self.mark(name) != Some(Mark::Bad));
        names.sort_by_key(|name| (self.mark(name).is_none(), self.rollback.known() != Some(*name)));
        names.into_iter().cloned().collect()
    }

    /// Marks a slot bad and records why.
    fn fail(&mut self, slot: &Name, reason: Reason, update: Option<&[u8]>) {
        self.set_mark(slot, Field::Is(Mark::Bad));
        self.record(slot, reason, update);
    }

    /// Takes a confirmed slot's good name away and records that.
    fn withdraw(&mut self, slot: &Name) {
        self.set_mark(slot, Field::Absent);
        let update = self.update.clone();
        self.record(slot, Reason::Tries, update.as_deref());
    }

    fn record(&mut self, slot: &Name, reason: Reason, update: Option<&[u8]>) {
        let mut failed = format!("{slot}:{}:", reason.as_str()).into_bytes();
        failed.extend(update.unwrap_or_default());
        self.failed = Some(failed);
    }

    /// Fails the active slot and makes the best candidate active, as script and user space both do:
    /// a good one is confirmed at once, an unknown one starts a trial of its own. False when every
    /// slot is bad.
    fn fall_back(&mut self, reason: Reason, tries: u8) -> bool {
        if let Some(slot) = self.active.known().cloned().filter(|slot| self.mark(slot).is_none()) {
            let update = self.update.clone();
            self.fail(&slot, reason, update.as_deref());
        }
        let mut candidates = self.candidates().into_iter();
        let Some(best) = candidates.next() else { return false };
        if self.mark(&best) == Some(Mark::Good) {
            self.settle_on(best);
        } else {
            self.start_trial(best, tries, candidates.next());
        }
        true
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

    /// Back to the factory's trial, with no slot known; the last failure stays on record.
    fn start_over(&mut self, tries: u8) {
        for slot in &mut self.slots {
            slot.mark = Field::Absent;
        }
        let mut names = self.slots.iter().map(|slot| slot.name.clone());
        if let Some(first) = names.next() {
            let second = names.next();
            self.start_trial(first, tries, second);
        }
    }
}

#[cfg(test)]
mod tests;
