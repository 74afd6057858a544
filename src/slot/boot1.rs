//! Pure: The twin of the boot script's first version, for devices whose U-Boot was built with it.
//!
//! It knows one mark besides good, `bad` ([`Mark::Writing`] here), and takes anything else for unknown. It
//! calls a slot confirmed where its mark is good, and an unknown one where `boot_success` is 1.

use super::boot::{Boot, Chosen, Machine, Step};
use super::{Field, Mark, Name, Reason, State, MAX_TRIES};

/// What the script does next.
enum Next {
    Count,
    Fail(Reason),
    Store,
    BootActive,
    /// The active slot is confirmed and did not load.
    PassOver,
    /// The active slot is on trial, which could not be stored.
    Uncounted,
    NoneLeft,
}

/// Does what version 1 does with this state on this machine.
pub(super) fn next_boot(state: &State, machine: &mut dyn Machine) -> Boot {
    let mut run = Run { state: state.clone(), steps: Vec::new() };
    let chosen = run.choose(machine);
    Boot { chosen, steps: run.steps }
}

/// Does what its `bootslot_guard` does.
pub(super) fn guarded_boot(state: &State, machine: &mut dyn Machine) -> Boot {
    let mut run = Run { state: state.clone(), steps: Vec::new() };
    run.guard(machine);
    let chosen = run.choose(machine);
    Boot { chosen, steps: run.steps }
}

/// What it makes of a state before it tries to load anything.
enum Standing<'a> {
    Confirmed(&'a Name),
    Trial(&'a Name, u8),
    Over,
}

fn standing(state: &State) -> Standing<'_> {
    let Some(slot) = state.active.known() else { return Standing::Over };
    match (mark(state, slot), &state.success, &state.tries) {
        (Some(Mark::Writing), _, _) => Standing::Over,
        (Some(_), _, _) | (None, Field::Is(true), _) => Standing::Confirmed(slot),
        (None, _, Field::Is(left @ 1..=MAX_TRIES)) => Standing::Trial(slot, *left),
        (None, _, _) => Standing::Over,
    }
}

/// Good or bad; to this script everything else is unknown.
fn mark(state: &State, slot: &Name) -> Option<Mark> {
    state.mark(slot).filter(|mark| *mark != Mark::Failed)
}

/// Every slot that may boot, best first.
fn candidates(state: &State) -> Vec<Name> {
    let mut names: Vec<&Name> = state.ordinary().map(|slot| &slot.name).collect();
    names.retain(|name| mark(state, name) != Some(Mark::Writing));
    names.sort_by_key(|name| (mark(state, name).is_none(), state.rollback.known() != Some(*name)));
    names.into_iter().cloned().collect()
}

struct Run {
    state: State,
    steps: Vec<Step>,
}

impl Run {
    fn guard(&mut self, machine: &mut dyn Machine) {
        let Standing::Confirmed(slot) = standing(&self.state) else { return };
        let slot = slot.clone();
        if !self.state.ordinary().any(|other| other.name != slot && other.mark == Field::Is(Mark::Good)) {
            return;
        }
        self.steps.push(Step::Guarded(slot.clone()));
        let update = self.state.update.clone();
        self.state.set_mark(&slot, Field::Absent);
        self.state.record(&slot, Reason::Tries, update.as_deref());
        if let Some(best) = candidates(&self.state).into_iter().next() {
            self.steps.push(Step::FellBack(best.clone(), None));
            self.state.settle_on(best);
            self.state.rollback = Field::Is(slot);
        }
        if !machine.save(&self.state) {
            self.steps.push(Step::SaveFailed);
        }
    }

    fn choose(&mut self, machine: &mut dyn Machine) -> Chosen {
        let mut next = match standing(&self.state) {
            Standing::Confirmed(slot) => {
                self.steps.push(Step::Confirmed(slot.clone()));
                Next::BootActive
            }
            Standing::Trial(..) => Next::Count,
            Standing::Over => Next::Fail(Reason::Tries),
        };
        // Each round fails at most one slot; the last one finds that none is left.
        for _ in 0..=self.state.slots.len() {
            if let Next::Fail(reason) = next {
                next = self.fail(reason, machine);
            }
            if let Next::Count = next {
                next = self.count();
            }
            if let Next::Store = next {
                next = self.store(machine);
            }
            if let Next::BootActive = next {
                if let Some(slot) = self.state.active.known().cloned() {
                    if self.boots(&slot, machine) {
                        return Chosen::Slot(slot);
                    }
                }
                next = match standing(&self.state) {
                    Standing::Confirmed(_) => Next::PassOver,
                    _ => Next::Fail(Reason::Load),
                };
            }
        }
        self.others(matches!(next, Next::Uncounted), machine).unwrap_or_else(|| self.none_left(machine))
    }

    fn count(&mut self) -> Next {
        if let Standing::Trial(slot, left) = standing(&self.state) {
            let (slot, left) = (slot.clone(), left.saturating_sub(1));
            self.state.tries = Field::Is(left);
            self.steps.push(Step::Counted(slot, left));
        }
        Next::Store
    }

    /// Fails the active slot and makes the best candidate active. False when every slot is bad.
    fn fall_back(&mut self, reason: Reason) -> bool {
        if let Some(slot) =
            self.state.active.known().cloned().filter(|slot| mark(&self.state, slot).is_none())
        {
            let update = self.state.update.clone();
            self.state.set_mark(&slot, Field::Is(Mark::Writing));
            self.state.record(&slot, reason, update.as_deref());
        }
        let mut candidates = candidates(&self.state).into_iter();
        let Some(best) = candidates.next() else { return false };
        if mark(&self.state, &best) == Some(Mark::Good) {
            self.state.settle_on(best);
        } else {
            self.state.start_trial(best, self.state.board_tries, candidates.next());
        }
        true
    }

    fn fail(&mut self, reason: Reason, machine: &mut dyn Machine) -> Next {
        let before = self.state.clone();
        let fell_back = self.fall_back(reason);
        let on_trial = |slot: &&Name| mark(&before, slot).is_none() && before.success != Field::Is(true);
        self.steps.push(match before.active.known().filter(on_trial) {
            Some(slot) => Step::Failed(slot.clone(), reason),
            None => Step::NoActive,
        });
        if !fell_back {
            if self.state != before && !machine.save(&self.state) {
                self.steps.push(Step::SaveFailed);
            }
            return Next::NoneLeft;
        }
        match standing(&self.state) {
            Standing::Confirmed(slot) => {
                self.steps.push(Step::FellBack(slot.clone(), None));
                Next::Store
            }
            Standing::Trial(slot, left) => {
                self.steps.push(Step::FellBack(slot.clone(), Some(left)));
                Next::Count
            }
            Standing::Over => Next::NoneLeft,
        }
    }

    fn store(&mut self, machine: &mut dyn Machine) -> Next {
        if machine.save(&self.state) {
            return Next::BootActive;
        }
        self.steps.push(Step::SaveFailed);
        match standing(&self.state) {
            Standing::Confirmed(_) => Next::BootActive,
            _ => Next::Uncounted,
        }
    }

    /// All other candidates without a store, and last the active slot where it is an uncounted trial.
    fn others(&mut self, uncounted: bool, machine: &mut dyn Machine) -> Option<Chosen> {
        let active = self.state.active.known().cloned();
        let mut slots = candidates(&self.state);
        slots.retain(|slot| Some(slot) != active.as_ref());
        slots.extend(active.filter(|_| uncounted));
        slots.into_iter().find(|slot| self.boots(slot, machine)).map(Chosen::Slot)
    }

    fn none_left(&mut self, machine: &mut dyn Machine) -> Chosen {
        self.steps.push(Step::NoneLeft);
        if !candidates(&self.state).is_empty() || machine.has_recovery() {
            return Chosen::Recovery;
        }
        self.state.start_over();
        if !machine.save(&self.state) {
            self.steps.push(Step::SaveFailed);
        }
        Chosen::StartOver
    }

    fn boots(&mut self, slot: &Name, machine: &mut dyn Machine) -> bool {
        let boots = machine.loads(slot);
        if !boots {
            self.steps.push(Step::PassedOver(slot.clone()));
        }
        boots
    }
}
