//! Pure: The orders of user space: each turns a state into the next one, or is refused.
//!
//! An order that has been carried out already gives back an equal state: one order is one store, and
//! running it again after a power cut is none, be it in the slot that was put on trial. `running` is the
//! slot that runs now, by `bootslot.slot=` on the kernel command line.

use super::{Board, Field, Mark, Name, Reason, Standing, State, MAX_TRIES};
use crate::error::Error;

/// Why an order was refused: it would endanger the way back. Nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The board has no such slot.
    #[error("there is no slot {0}; the slots are {1}")]
    NoSuchSlot(Name, String),
    /// The slot that would be written or given up is the one that runs.
    #[error("slot {0} is running")]
    Running(Name),
    /// The slot that would be written or given up is where a failed trial returns to.
    #[error("slot {0} is the rollback slot of the trial that is under way")]
    Rollback(Name),
    /// The running slot is not confirmed: there would be no proven slot to return to.
    #[error("the running slot {0} is not confirmed; confirm it first")]
    Unconfirmed(Name),
    /// The slot is bad: it failed, or was being written.
    #[error("slot {0} is bad: {1}; install into it, or mark it good if you know better")]
    Bad(Name, String),
    /// The slot was never confirmed, and this order would not count its boots.
    #[error("slot {0} was never confirmed; use try, which counts its boots")]
    NeverConfirmed(Name),
    /// Only the slot that runs can be confirmed or rolled back from.
    #[error("slot {0} is not the one that runs, that is {1}")]
    NotRunning(Name, Name),
    /// There is no trial to end.
    #[error("there is no trial to roll back from; slot {0} is confirmed, to leave it use set-active or try")]
    NoTrial(Name),
    /// A slot on trial can't be marked from outside.
    #[error("slot {0} is on trial: confirm it when it runs, or roll it back")]
    OnTrial(Name),
    /// Every other slot is bad.
    #[error("every slot other than {0} is bad: there is nothing to roll back to")]
    NothingLeft(Name),
    /// Not a number of tries.
    #[error("{0} tries are not possible: 1 to {MAX_TRIES}")]
    Tries(u8),
    /// [`State::finish_install`] without [`State::begin_install`].
    #[error("no install into slot {0} was begun: it is marked {1}")]
    NotBegun(Name, &'static str),
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Error::Refused(refusal.to_string())
    }
}

/// The state after an order.
pub type Outcome = Result<State, Refusal>;

impl State {
    /// Starts with the factory's trial where no state is stored yet: the running slot (else the first
    /// one) on trial. Any state that exists stays as it is, be it odd.
    pub fn init(&self, board: &Board, running: Option<&Name>) -> Outcome {
        if self.exists() {
            return Ok(self.clone());
        }
        let mut next = self.clone();
        next.start_over(board.tries);
        if let Some(running) = running {
            self.require(running)?;
            let other = self.slots.iter().map(|slot| &slot.name).find(|name| *name != running);
            next.start_trial(running.clone(), board.tries, other.cloned());
        }
        Ok(next)
    }

    /// Before a slot is written: it is bad from now on, so that no cut can make it boot half-written.
    /// A trial of this slot that has not been started yet is called off.
    pub fn begin_install(&self, target: &Name, running: &Name) -> Outcome {
        self.may_give_up(target, running)?;
        let mut next = self.secured(running);
        next.set_mark(target, Field::Is(Mark::Bad));
        if self.active.known() == Some(target) {
            next.settle_on(running.clone());
        }
        Ok(next)
    }

    /// After a slot was written and verified: it is on trial, the running slot is where it returns
    /// to. Refused unless [`begin_install`](State::begin_install) came before.
    pub fn finish_install(&self, target: &Name, running: &Name, tries: u8, update: Option<&[u8]>) -> Outcome {
        match self.mark(target) {
            None if self.is_on_trial(target) && self.update.as_deref() == update => {}
            None => return Err(Refusal::NotBegun(target.clone(), "neither good nor bad")),
            Some(Mark::Good) => return Err(Refusal::NotBegun(target.clone(), "good")),
            Some(Mark::Bad) => {}
        }
        self.trial_of(target, running, tries, update)
    }

    /// Puts a slot that is not bad on trial, the running slot being where it returns to. A good slot
    /// is unknown from now on: it has to prove itself again.
    pub fn try_slot(&self, target: &Name, running: &Name, tries: u8) -> Outcome {
        self.require(target)?;
        if self.mark(target) == Some(Mark::Bad) {
            return Err(self.bad(target));
        }
        let same_trial = self.update.as_deref().filter(|_| self.is_on_trial(target));
        self.trial_of(target, running, tries, same_trial)
    }

    /// The running slot is healthy: its trial ends, it is good, the last failure is settled. Where
    /// another slot is active (this one was booted because that one did not load), it is only marked
    /// good.
    pub fn confirm(&self, slot: &Name, running: &Name) -> Outcome {
        self.require(slot)?;
        if slot != running {
            return Err(Refusal::NotRunning(slot.clone(), running.clone()));
        }
        if self.mark(slot) == Some(Mark::Bad) {
            return Err(self.bad(slot));
        }
        let mut next = self.clone();
        next.set_mark(slot, Field::Is(Mark::Good));
        if self.active.known() == Some(slot) {
            next.settle_on(slot.clone());
            next.failed = None;
        }
        Ok(next)
    }

    /// Gives up the running slot, which is not confirmed: it is bad, the evidence is kept, and if its
    /// trial was under way the rollback slot is active. `tries` is for a slot that then has to start a
    /// trial of its own, since no slot is good. From a confirmed slot it calls off a trial that was not
    /// booted yet.
    pub fn roll_back(&self, running: &Name, reason: Reason, tries: u8) -> Outcome {
        self.require(running)?;
        let active = self.active.known();
        if active != Some(running) && !self.is_confirmed(running) {
            // It was booted in the place of the active slot, or was rolled back already.
            let mut next = self.clone();
            if self.mark(running) != Some(Mark::Bad) {
                next.fail(running, reason, None);
            }
            return Ok(next);
        }
        let Some(active) = active.filter(|active| self.is_on_trial(active)) else {
            // The slot that failed last is still bad: that was the trial, and it is over.
            let over = self.last_failure().is_some_and(|last| self.mark(&last.slot) == Some(Mark::Bad));
            return if over { Ok(self.clone()) } else { Err(Refusal::NoTrial(running.clone())) };
        };
        if !self.candidates().iter().any(|slot| slot != active) {
            return Err(Refusal::NothingLeft(active.clone()));
        }
        let mut next = self.clone();
        next.fall_back(reason, tries);
        Ok(next)
    }

    /// Marks a slot good that the caller knows to be good.
    pub fn mark_good(&self, slot: &Name) -> Outcome {
        self.require(slot)?;
        if self.is_on_trial(slot) {
            return Err(Refusal::OnTrial(slot.clone()));
        }
        let mut next = self.clone();
        next.set_mark(slot, Field::Is(Mark::Good));
        Ok(next)
    }

    /// Marks a slot bad: it will not boot until it is installed again or marked good.
    pub fn mark_bad(&self, slot: &Name, running: &Name) -> Outcome {
        self.may_give_up(slot, running)?;
        if self.is_on_trial(slot) {
            return Err(Refusal::OnTrial(slot.clone()));
        }
        let mut next = self.secured(running);
        next.set_mark(slot, Field::Is(Mark::Bad));
        if self.active.known() == Some(slot) {
            next.settle_on(running.clone());
        }
        Ok(next)
    }

    /// Makes a good slot the active one, without a trial; calls off one that has not been booted yet.
    pub fn set_active(&self, slot: &Name, running: &Name) -> Outcome {
        self.require(slot)?;
        self.require(running)?;
        if self.mark(slot) == Some(Mark::Bad) {
            return Err(self.bad(slot));
        }
        if self.standing() == Standing::Confirmed(slot) && self.success == Field::Is(true) {
            return Ok(self.clone());
        }
        if self.mark(slot).is_none() {
            return Err(Refusal::NeverConfirmed(slot.clone()));
        }
        if self.is_on_trial(running) {
            return Err(Refusal::Unconfirmed(running.clone()));
        }
        let mut next = self.secured(running);
        next.settle_on(slot.clone());
        Ok(next)
    }

    /// Whether any variable of a boot state is there.
    fn exists(&self) -> bool {
        self.active != Field::Absent
            || self.success != Field::Absent
            || self.tries != Field::Absent
            || self.rollback != Field::Absent
            || self.slots.iter().any(|slot| slot.mark != Field::Absent)
    }

    fn require(&self, slot: &Name) -> Result<(), Refusal> {
        if self.slot(slot).is_some() {
            return Ok(());
        }
        let names: Vec<&str> = self.slots.iter().map(|slot| slot.name.as_str()).collect();
        Err(Refusal::NoSuchSlot(slot.clone(), names.join(", ")))
    }

    /// The checks before a slot's system is lost: the running one must be proven and another one.
    fn may_give_up(&self, target: &Name, running: &Name) -> Result<(), Refusal> {
        self.require(target)?;
        self.require(running)?;
        if target == running {
            return Err(Refusal::Running(target.clone()));
        }
        let on_trial = self.active.known().filter(|active| self.is_on_trial(active));
        if on_trial.is_some() && self.rollback.known() == Some(target) {
            return Err(Refusal::Rollback(target.clone()));
        }
        if !self.is_confirmed(running) {
            return Err(Refusal::Unconfirmed(running.clone()));
        }
        Ok(())
    }

    fn trial_of(&self, target: &Name, running: &Name, tries: u8, update: Option<&[u8]>) -> Outcome {
        if !(1..=MAX_TRIES).contains(&tries) {
            return Err(Refusal::Tries(tries));
        }
        if target == running && self.is_on_trial(target) {
            // Carried out before the reboot: the trial goes on with the tries that are left.
            return Ok(self.clone());
        }
        self.may_give_up(target, running)?;
        let mut next = self.secured(running);
        next.set_mark(target, Field::Absent);
        next.start_trial(target.clone(), tries, Some(running.clone()));
        next.update = update.map(<[u8]>::to_vec);
        Ok(next)
    }

    /// This state with the mark that a confirmed slot has, also where only `boot_success` said so:
    /// that variable is about to speak of another slot.
    fn secured(&self, running: &Name) -> State {
        let mut next = self.clone();
        if self.is_confirmed(running) {
            next.set_mark(running, Field::Is(Mark::Good));
        }
        next
    }

    fn bad(&self, slot: &Name) -> Refusal {
        let why = match self.last_failure().filter(|failure| failure.slot == *slot) {
            Some(failure) => format!("it failed, {}", failure.reason.as_str()),
            None => "it was not written completely, or somebody marked it".into(),
        };
        Refusal::Bad(slot.clone(), why)
    }
}
