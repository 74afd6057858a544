//! Pure: The orders of user space: each turns a state into the next one, or is refused.
//!
//! An order that has been carried out already gives back an equal state: one order is one store, and
//! running it again after a power cut is none, be it in the slot that was put on trial. `running` is the
//! slot that runs now, by `bootslot.slot=` on the kernel command line.

use super::{Failure, Field, Mark, Name, Reason, Role, Standing, State, MAX_TRIES};
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
    /// The slot is being written; what it holds may be half a system.
    #[error("slot {0} is being written, by what is stored: install into it")]
    Writing(Name),
    /// The slot has failed, and nobody said that it is to be tried again.
    #[error("slot {0} has failed{1}; install another update, or say that it is to be tried again (--again)")]
    Failed(Name, String),
    /// This very update has failed, and nobody said that it is to be tried again.
    #[error("update {0} has failed in slot {1} ({2}); to try it all the same, say so (--again)")]
    UpdateFailed(String, Name, &'static str),
    /// The slot is the one for emergencies.
    #[error("slot {0} is the last resort: it is never installed to, tried or made active")]
    LastResort(Name),
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
    /// No other slot may boot.
    #[error("no slot other than {0} may boot: there is nothing to roll back to")]
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
    pub fn init(&self, running: Option<&Name>) -> Outcome {
        if self.is_recorded() {
            return Ok(self.clone());
        }
        self.begin_anew(running)
    }

    /// The factory's trial, whatever is recorded: the running slot (else the first one) on trial.
    pub fn begin_anew(&self, running: Option<&Name>) -> Outcome {
        let mut next = self.clone();
        next.start_over();
        if let Some(running) = running {
            self.require(running)?;
            if !self.is_last_resort(running) {
                let other = self.ordinary().map(|slot| &slot.name).find(|name| *name != running);
                next.start_trial(running.clone(), self.board_tries, other.cloned());
            }
        }
        Ok(next)
    }

    /// Before a slot is written: nothing boots it from now on, so that no cut can make it boot half-written.
    /// A trial of this slot that has not been started yet is called off.
    pub fn begin_install(&self, target: &Name, running: &Name) -> Outcome {
        self.may_give_up(target, running)?;
        let mut next = self.clone();
        next.set_mark(target, Field::Is(Mark::Writing));
        next.leave(target, running);
        Ok(next)
    }

    /// After a slot was written and verified: it is on trial, the running slot is where it returns
    /// to. Refused unless [`begin_install`](State::begin_install) came before, and, unless it is to be tried
    /// `again`, where the last failure is that of this very update.
    pub fn finish_install(
        &self,
        target: &Name,
        running: &Name,
        tries: u8,
        update: Option<&[u8]>,
        again: bool,
    ) -> Outcome {
        let done = self.is_on_trial(target) && self.update.as_deref() == update;
        match self.mark(target) {
            Some(Mark::Writing) => {}
            mark if done && (mark.is_none() || target == running) => {}
            Some(Mark::Good) => return Err(Refusal::NotBegun(target.clone(), "good")),
            Some(Mark::Failed) => return Err(Refusal::NotBegun(target.clone(), "failed")),
            None => return Err(Refusal::NotBegun(target.clone(), "neither good nor being written")),
        }
        let failure = self.last_failure().filter(|failure| !again && Some(&*failure.update) == update);
        if let Some(failure) = failure.filter(|failure| !failure.update.is_empty()) {
            let id = String::from_utf8_lossy(&failure.update).into_owned();
            return Err(Refusal::UpdateFailed(id, failure.slot, failure.reason.as_str()));
        }
        self.trial_of(target, running, tries, update)
    }

    /// Puts a slot that was written whole on trial, the running slot being where it returns to. A good slot
    /// is unknown from now on: it has to prove itself again. One that has failed is refused unless it is
    /// to be tried `again`.
    pub fn try_slot(&self, target: &Name, running: &Name, tries: u8, again: bool) -> Outcome {
        self.require(target)?;
        match self.mark(target) {
            Some(Mark::Writing) => return Err(Refusal::Writing(target.clone())),
            Some(Mark::Failed) if !again && !self.is_on_trial(target) => return Err(self.failed_slot(target)),
            _ => {}
        }
        let same_trial = self.update.as_deref().filter(|_| self.is_on_trial(target));
        self.trial_of(target, running, tries, same_trial)
    }

    /// The running slot is healthy: its trial ends, it is good. Where another slot is active, it is only
    /// marked good. What failed last stays on record.
    pub fn confirm(&self, slot: &Name, running: &Name) -> Outcome {
        self.require(slot)?;
        if slot != running {
            return Err(Refusal::NotRunning(slot.clone(), running.clone()));
        }
        if self.mark(slot) == Some(Mark::Writing) {
            return Err(Refusal::Writing(slot.clone()));
        }
        let mut next = self.clone();
        next.set_mark(slot, Field::Is(Mark::Good));
        if self.active.known() == Some(slot) {
            next.settle_on(slot.clone());
        }
        Ok(next)
    }

    /// As [`confirm`](State::confirm), and no other slot boots from now on: they are as if they were being written, until
    /// something is installed to them. Where the confirmed slot does not load, the last resort and the recovery are left.
    pub fn confirm_for_good(&self, slot: &Name, running: &Name) -> Outcome {
        let mut next = self.confirm(slot, running)?;
        if next.active.known() == Some(slot) {
            let others: Vec<Name> = next.ordinary().map(|other| other.name.clone()).collect();
            for other in others.iter().filter(|other| *other != slot) {
                next.set_mark(other, Field::Is(Mark::Writing));
            }
        }
        Ok(next)
    }

    /// The last failure was heard of: it is no longer on record.
    pub fn acknowledge(&self) -> State {
        State { failed: None, ..self.clone() }
    }

    /// Gives up the running slot, which is not confirmed: it has failed, the evidence is kept, and if its
    /// trial was under way the best other slot is active. From a confirmed slot, and from the last resort, it
    /// calls off a trial that was not booted yet.
    pub fn roll_back(&self, running: &Name, reason: Reason) -> Outcome {
        self.require(running)?;
        let active = self.active.known();
        let proven = self.is_confirmed(running) || self.is_last_resort(running);
        let leaving = match active {
            // It was booted in the place of the active slot, or was rolled back already.
            _ if active != Some(running) && !proven => running,
            Some(active) if self.is_on_trial(active) => active,
            _ => {
                // A slot that has failed still has that mark: that was the trial, and it is over.
                let bad = |last: Failure| self.mark(&last.slot) == Some(Mark::Writing);
                let over = self.ordinary().any(|slot| slot.mark == Field::Is(Mark::Failed))
                    || self.last_failure().is_some_and(bad);
                return if over { Ok(self.clone()) } else { Err(Refusal::NoTrial(running.clone())) };
            }
        };
        if matches!(self.mark(leaving), Some(Mark::Failed | Mark::Writing)) && active != Some(leaving) {
            return Ok(self.clone());
        }
        let others = self.successors(Some(leaving));
        if others.is_empty() {
            return Err(Refusal::NothingLeft(leaving.clone()));
        }
        let mut next = self.clone();
        let update = self.update.as_deref().filter(|_| active == Some(leaving));
        next.fail(leaving, reason, update);
        if active == Some(leaving) {
            next.go_over_to(others);
        }
        Ok(next)
    }

    /// Marks a slot good that the caller knows to be good.
    pub fn mark_good(&self, slot: &Name) -> Outcome {
        self.require(slot)?;
        if self.mark(slot) == Some(Mark::Writing) {
            return Err(Refusal::Writing(slot.clone()));
        }
        if self.is_on_trial(slot) {
            return Err(Refusal::OnTrial(slot.clone()));
        }
        let mut next = self.clone();
        next.set_mark(slot, Field::Is(Mark::Good));
        Ok(next)
    }

    /// Marks a slot as failed: it boots only when nothing better is left.
    pub fn mark_bad(&self, slot: &Name, running: &Name) -> Outcome {
        self.may_give_up(slot, running)?;
        if self.is_on_trial(slot) {
            return Err(Refusal::OnTrial(slot.clone()));
        }
        let mut next = self.clone();
        if self.mark(slot) != Some(Mark::Writing) {
            next.set_mark(slot, Field::Is(Mark::Failed));
        }
        next.leave(slot, running);
        Ok(next)
    }

    /// Makes a good slot the active one, without a trial; calls off one that has not been booted yet.
    pub fn set_active(&self, slot: &Name, running: &Name) -> Outcome {
        self.require(slot)?;
        self.require(running)?;
        if self.is_last_resort(slot) {
            return Err(Refusal::LastResort(slot.clone()));
        }
        if self.standing() == Standing::Confirmed(slot) {
            return Ok(self.clone());
        }
        match self.mark(slot) {
            Some(Mark::Writing) => return Err(Refusal::Writing(slot.clone())),
            Some(Mark::Failed) => return Err(self.failed_slot(slot)),
            None => return Err(Refusal::NeverConfirmed(slot.clone())),
            Some(Mark::Good) => {}
        }
        if self.is_on_trial(running) {
            return Err(Refusal::Unconfirmed(running.clone()));
        }
        let mut next = self.clone();
        next.settle_on(slot.clone());
        Ok(next)
    }

    /// Whether any variable of a boot state is there.
    pub fn is_recorded(&self) -> bool {
        self.active != Field::Absent
            || self.success != Field::Absent
            || self.tries != Field::Absent
            || self.rollback != Field::Absent
            || self.slots.iter().any(|slot| slot.mark != Field::Absent)
    }

    /// Whether nothing is recorded but what a board has compiled in: the trial of its first slot, whatever the
    /// number of tries.
    pub fn is_as_compiled_in(&self) -> bool {
        let mut factory = self.clone();
        factory.start_over();
        factory.tries = self.tries.clone();
        *self == factory
    }

    fn require(&self, slot: &Name) -> Result<(), Refusal> {
        if self.slot(slot).is_some() {
            return Ok(());
        }
        let names: Vec<&str> = self.slots.iter().map(|slot| slot.name.as_str()).collect();
        Err(Refusal::NoSuchSlot(slot.clone(), names.join(", ")))
    }

    fn is_last_resort(&self, slot: &Name) -> bool {
        self.slot(slot).is_some_and(|slot| slot.role == Role::LastResort)
    }

    /// The checks before a slot's system is lost: the running one must be proven and another one. From the
    /// last resort every other slot may be written: it is there for that.
    fn may_give_up(&self, target: &Name, running: &Name) -> Result<(), Refusal> {
        self.require(target)?;
        self.require(running)?;
        if self.is_last_resort(target) {
            return Err(Refusal::LastResort(target.clone()));
        }
        if target == running {
            return Err(Refusal::Running(target.clone()));
        }
        if self.is_last_resort(running) {
            return Ok(());
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

    /// Makes another slot active where `target`, which is given up, is: the running one, and from the last
    /// resort the best other one, if any.
    fn leave(&mut self, target: &Name, running: &Name) {
        if self.active.known() != Some(target) {
            return;
        }
        if self.is_last_resort(running) {
            let others = self.successors(Some(target));
            self.go_over_to(others);
        } else {
            self.settle_on(running.clone());
        }
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
        let mut next = self.clone();
        next.set_mark(target, Field::Absent);
        let rollback = match self.is_last_resort(running) {
            true => next.marked(Some(Mark::Good), true).into_iter().next(),
            false => Some(running.clone()),
        };
        next.start_trial(target.clone(), tries, rollback);
        next.update = update.map(<[u8]>::to_vec);
        Ok(next)
    }

    fn failed_slot(&self, slot: &Name) -> Refusal {
        let last = self.last_failure().filter(|failure| failure.slot == *slot);
        Refusal::Failed(
            slot.clone(),
            last.map_or(String::new(), |last| format!(" ({})", last.reason.as_str())),
        )
    }
}
