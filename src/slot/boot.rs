//! Pure: The twin of the boot script (`uboot-scripts/bootslot.env`): which slot it will boot, what
//! it will store on the way, and why.
//!
//! The two are held together by a test that feeds thousands of environments to the script in a real
//! U-Boot and to [`next_boot`].

use std::fmt;

use super::{Field, Mark, Name, Reason, Standing, State};

/// What the script meets at a boot: slots that load or don't, a `saveenv` that works or fails.
pub trait Machine {
    /// Whether `bootslot_load` and `bootslot_boot` bring this slot up.
    fn loads(&mut self, slot: &Name) -> bool;
    /// `saveenv`: stores this state, or fails and leaves the stored one as it was.
    fn save(&mut self, state: &State) -> bool;
    /// Whether the board defines `bootslot_recovery`.
    fn has_recovery(&self) -> bool;
}

/// A machine on which all goes well; it keeps what was stored.
#[derive(Debug, Default)]
pub struct Working {
    /// Every stored state, in order.
    pub stored: Vec<State>,
}

impl Machine for Working {
    fn loads(&mut self, _: &Name) -> bool {
        true
    }

    fn save(&mut self, state: &State) -> bool {
        self.stored.push(state.clone());
        true
    }

    fn has_recovery(&self) -> bool {
        false
    }
}

/// How a boot ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chosen {
    /// This slot boots.
    Slot(Name),
    /// No slot boots: `bootslot_recovery` if the board has one, then a minute's wait and a reset.
    Recovery,
    /// Every slot is bad and nobody can help: a minute's wait, then the factory's trial once more.
    StartOver,
}

/// One thing that the script does, in order; its text says why the boot ended as it did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The active slot is confirmed.
    Confirmed(Name),
    /// The active slot is on trial and this many tries are left after this boot.
    Counted(Name, u8),
    /// The active slot of a trial failed.
    Failed(Name, Reason),
    /// The active slot is confirmed, and did not come up for as many boots as the board allows.
    Guarded(Name),
    /// No usable active slot is recorded.
    NoActive,
    /// This slot became active; the tries left when it starts a trial of its own.
    FellBack(Name, Option<u8>),
    /// A store failed: slots on trial go last in this boot.
    SaveFailed,
    /// A slot did not load and was passed over.
    PassedOver(Name),
    /// No candidate is left.
    NoneLeft,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Confirmed(slot) => write!(f, "slot {slot} is confirmed"),
            Step::Counted(slot, left) => {
                write!(f, "slot {slot} is on trial, {left} more tries after this boot")
            }
            Step::Failed(slot, Reason::Load) => {
                write!(f, "slot {slot} is on trial and does not load: now bad")
            }
            Step::Failed(slot, _) => {
                write!(f, "slot {slot} was not confirmed and has no tries left: now bad")
            }
            Step::Guarded(slot) => {
                write!(f, "slot {slot} is confirmed, but its boots were not reported healthy: now unknown")
            }
            Step::NoActive => write!(f, "active_slot names no slot that may boot"),
            Step::FellBack(slot, None) => write!(f, "back to slot {slot}, which is good"),
            Step::FellBack(slot, Some(left)) => {
                write!(f, "no slot is good: slot {slot} starts a trial, {left} tries")
            }
            Step::SaveFailed => write!(f, "saveenv fails: an uncounted trial goes last"),
            Step::PassedOver(slot) => write!(f, "slot {slot} does not load"),
            Step::NoneLeft => write!(f, "no slot is left"),
        }
    }
}

/// What a boot comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boot {
    /// What runs in the end.
    pub chosen: Chosen,
    /// Why, in order.
    pub steps: Vec<Step>,
}

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

/// Does what the boot script does with this state on this machine. `tries` is what a slot gets that
/// starts a trial on its own ([`Board::tries`](super::Board::tries)).
pub fn next_boot(state: &State, tries: u8, machine: &mut dyn Machine) -> Boot {
    let mut run = Run { state: state.clone(), tries, steps: Vec::new() };
    let chosen = run.choose(machine);
    Boot { chosen, steps: run.steps }
}

/// Does what `bootslot_guard` does, the board's `altbootcmd`: as [`next_boot`], but when user space did not
/// reset U-Boot's boot counter for too many boots, an active slot that is confirmed is given up for another
/// one that is good. It is unknown then, and the first to boot when no good one does.
pub fn guarded_boot(state: &State, tries: u8, machine: &mut dyn Machine) -> Boot {
    let mut run = Run { state: state.clone(), tries, steps: Vec::new() };
    run.guard(machine);
    let chosen = run.choose(machine);
    Boot { chosen, steps: run.steps }
}

struct Run {
    state: State,
    tries: u8,
    steps: Vec<Step>,
}

impl Run {
    fn guard(&mut self, machine: &mut dyn Machine) {
        let Standing::Confirmed(slot) = self.state.standing() else { return };
        let slot = slot.clone();
        if !self.state.slots.iter().any(|other| other.name != slot && other.mark == Field::Is(Mark::Good)) {
            return;
        }
        self.steps.push(Step::Guarded(slot.clone()));
        self.state.withdraw(&slot);
        if let Some(best) = self.state.candidates().into_iter().next() {
            self.steps.push(Step::FellBack(best.clone(), None));
            self.state.settle_on(best);
            self.state.rollback = Field::Is(slot);
        }
        if !machine.save(&self.state) {
            self.steps.push(Step::SaveFailed);
        }
    }

    fn choose(&mut self, machine: &mut dyn Machine) -> Chosen {
        let mut next = match self.state.standing() {
            Standing::Confirmed(slot) => {
                self.steps.push(Step::Confirmed(slot.clone()));
                Next::BootActive
            }
            Standing::Trial { .. } => Next::Count,
            Standing::Over(_) => Next::Fail(Reason::Tries),
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
                next = match self.state.standing() {
                    Standing::Confirmed(_) => Next::PassOver,
                    _ => Next::Fail(Reason::Load),
                };
            }
        }
        self.others(matches!(next, Next::Uncounted), machine).unwrap_or_else(|| self.none_left(machine))
    }

    fn count(&mut self) -> Next {
        if let Standing::Trial { slot, left } = self.state.standing() {
            let (slot, left) = (slot.clone(), left.saturating_sub(1));
            self.state.tries = Field::Is(left);
            self.steps.push(Step::Counted(slot, left));
        }
        Next::Store
    }

    fn fail(&mut self, reason: Reason, machine: &mut dyn Machine) -> Next {
        let before = self.state.clone();
        let fell_back = self.state.fall_back(reason, self.tries);
        self.steps.push(match before.active.known().filter(|slot| before.is_on_trial(slot)) {
            Some(slot) => Step::Failed(slot.clone(), reason),
            None => Step::NoActive,
        });
        if !fell_back {
            if self.state != before && !machine.save(&self.state) {
                self.steps.push(Step::SaveFailed);
            }
            return Next::NoneLeft;
        }
        match self.state.standing() {
            Standing::Confirmed(slot) => {
                self.steps.push(Step::FellBack(slot.clone(), None));
                Next::Store
            }
            Standing::Trial { slot, left } => {
                self.steps.push(Step::FellBack(slot.clone(), Some(left)));
                Next::Count
            }
            Standing::Over(_) => Next::NoneLeft,
        }
    }

    fn store(&mut self, machine: &mut dyn Machine) -> Next {
        if machine.save(&self.state) {
            return Next::BootActive;
        }
        self.steps.push(Step::SaveFailed);
        match self.state.standing() {
            Standing::Confirmed(_) => Next::BootActive,
            _ => Next::Uncounted,
        }
    }

    /// All other candidates without a store, and last the active slot where it is an uncounted trial.
    fn others(&mut self, uncounted: bool, machine: &mut dyn Machine) -> Option<Chosen> {
        let active = self.state.active.known().cloned();
        let mut slots = self.state.candidates();
        slots.retain(|slot| Some(slot) != active.as_ref());
        slots.extend(active.filter(|_| uncounted));
        slots.into_iter().find(|slot| self.boots(slot, machine)).map(Chosen::Slot)
    }

    fn none_left(&mut self, machine: &mut dyn Machine) -> Chosen {
        self.steps.push(Step::NoneLeft);
        if !self.state.candidates().is_empty() || machine.has_recovery() {
            return Chosen::Recovery;
        }
        self.state.start_over(self.tries);
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
