//! Pure: The twin of the boot script (`uboot-scripts/bootslot.env`): which slot it will boot, what
//! it will store on the way, and why; and the words in which every twin tells that.
//!
//! The two are held together by a test that feeds thousands of environments to the script in a real
//! U-Boot and to [`next_boot`].

use std::fmt;

use super::{Field, Mark, Name, Reason, Standing, State};

/// How often the script tries to load a slot in one boot before it passes it over: a card may answer at the
/// second or third time.
pub const LOADS: u8 = 3;

/// What the script meets at a boot: slots that load or don't, a `saveenv` that works or fails.
pub trait Machine {
    /// Whether `bootslot_load` and `bootslot_boot` bring this slot up, this time.
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
    /// No slot boots: `bootslot_recovery` if the board has one, then a minute's wait and a reset. The next
    /// round of tries is stored already.
    Recovery,
    /// Only [`Script::V1`](super::Script::V1): every slot is bad and nobody can help: a minute's wait, then the factory's trial
    /// once more.
    StartOver,
    /// Only other boot code than bootslot's: U-Boot resets at once, and the next boot begins with what is stored.
    Reset,
    /// Only other boot code than bootslot's: its commands end. U-Boot goes on with what the board has behind them, or
    /// waits at its prompt.
    Ends,
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
    /// This slot became active; the tries when it starts a trial of its own.
    FellBack(Name, Option<u8>),
    /// A store failed: a slot on trial goes behind the good ones in this boot.
    SaveFailed,
    /// A slot did not load and was passed over.
    PassedOver(Name),
    /// No candidate is left.
    NoneLeft,
    /// Nothing may boot any more, and there is no recovery: what is marked as being written is tried.
    StartedOver,
    /// The slot for emergencies boots.
    LastResort(Name),
    /// The active slot is confirmed, and its boots are counted all the same: this many are left after this one.
    CountedToo(Name, u8),
    /// Every slot has used up its tries: each one has them again.
    AllAgain,
    /// The slots that are not closed and have used up their boots have their tries again, from the next boot on.
    Round(Vec<Name>),
    /// What other boot code than bootslot's does, in words.
    Other(String),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Confirmed(slot) => write!(f, "slot {slot} is confirmed"),
            Step::Counted(slot, left) => {
                write!(f, "slot {slot} is on trial, {left} more tries after this boot")
            }
            Step::Failed(slot, Reason::Load) => {
                write!(f, "slot {slot} is on trial and does not load: it has failed")
            }
            Step::Failed(slot, _) => {
                write!(f, "slot {slot} was not confirmed and has no tries left: it has failed")
            }
            Step::Guarded(slot) => {
                write!(f, "slot {slot} is confirmed, but its boots were not reported healthy")
            }
            Step::NoActive => write!(f, "active_slot names no slot that may boot"),
            Step::FellBack(slot, None) => write!(f, "back to slot {slot}, which is good"),
            Step::FellBack(slot, Some(left)) => write!(f, "slot {slot} starts a trial, {left} tries"),
            Step::SaveFailed => write!(f, "saveenv fails: good slots come before an uncounted trial"),
            Step::PassedOver(slot) => write!(f, "slot {slot} does not load"),
            Step::NoneLeft => write!(f, "no slot is left"),
            Step::StartedOver => write!(f, "no slot may boot: all of them are tried again"),
            Step::LastResort(slot) => write!(f, "slot {slot} is the last resort"),
            Step::CountedToo(slot, left) => {
                write!(f, "slot {slot} is confirmed, and counted all the same: {left} more boots unless it is confirmed again")
            }
            Step::AllAgain => write!(f, "every slot has used up its tries: each one has them again"),
            Step::Round(slots) => {
                let slots: Vec<&str> = slots.iter().map(Name::as_str).collect();
                write!(f, "from the next boot on there are new tries for {}", slots.join(", "))
            }
            Step::Other(what) => f.write_str(what),
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

/// Does what version 2 of the script does with this state on this machine.
pub(super) fn next_boot(state: &State, machine: &mut dyn Machine) -> Boot {
    let mut run = Run::new(state);
    let chosen = run.choose(machine);
    Boot { chosen, steps: run.steps }
}

/// Does what its `bootslot_guard` does.
pub(super) fn guarded_boot(state: &State, machine: &mut dyn Machine) -> Boot {
    let mut run = Run::new(state);
    let chosen = run.guard(machine).unwrap_or_else(|| run.choose(machine));
    Boot { chosen, steps: run.steps }
}

/// What the script does next.
enum Next {
    Count,
    GiveUp(Reason),
    Store,
    BootActive,
    /// The active slot is on trial, which could not be stored.
    Uncounted,
    NoneLeft,
}

struct Run {
    state: State,
    steps: Vec<Step>,
    /// What was given up in this boot.
    gone: Vec<Name>,
    /// The place of the slot on trial that was given up last: of the failed slots, those behind it are next.
    place: Option<usize>,
    /// The state is not the stored one.
    dirty: bool,
}

impl Run {
    fn new(state: &State) -> Run {
        Run { state: state.clone(), steps: Vec::new(), gone: Vec::new(), place: None, dirty: false }
    }

    /// The active slot is confirmed and hangs. For another good slot it loses its mark: it is unknown then,
    /// and the first to boot if the good one does not. Where it is the last good one it keeps its mark, and the
    /// others have a trial each, one after the other; `rollback_slot` tells which one was the last. When all
    /// had theirs, the last resort and the recovery have their turn.
    fn guard(&mut self, machine: &mut dyn Machine) -> Option<Chosen> {
        let Standing::Confirmed(slot) = self.state.standing() else { return None };
        let slot = slot.clone();
        let help = self.state.last_resort().is_some() || machine.has_recovery();
        let last = self.state.rollback.known().filter(|last| self.state.mark(last) == Some(Mark::Failed));
        self.place = last.and_then(|last| self.place_of(last));
        self.gone.push(slot.clone());
        let mut best = self.candidates().into_iter().next();
        if best.is_none() && help {
            self.steps.push(Step::Guarded(slot));
            self.dirty = self.place.is_some();
            if self.dirty {
                self.state.rollback = Field::Absent;
            }
            return Some(self.end(true, machine));
        }
        if best.is_none() {
            self.place = None;
            best = self.candidates().into_iter().next();
        }
        self.gone.clear();
        self.place = None;
        let best = best?;
        self.steps.push(Step::Guarded(slot.clone()));
        self.state.record(&slot, Reason::Tries, None);
        let (good, tries) = (self.state.mark(&best) == Some(Mark::Good), self.state.board_tries);
        self.steps.push(Step::FellBack(best.clone(), if good { None } else { Some(tries) }));
        if good {
            self.state.set_mark(&slot, Field::Absent);
            self.state.settle_on(best);
            self.state.rollback = Field::Is(slot);
            self.save(machine);
        } else {
            self.state.start_trial(best, tries, Some(slot.clone()));
            if !self.save(machine) {
                // What was proven comes before a trial that can't be counted.
                self.state.settle_on(slot);
            }
        }
        None
    }

    fn choose(&mut self, machine: &mut dyn Machine) -> Chosen {
        let mut next = match self.state.standing() {
            Standing::Confirmed(slot) => {
                self.steps.push(Step::Confirmed(slot.clone()));
                Next::BootActive
            }
            Standing::Trial { .. } => Next::Count,
            Standing::Over(_) => Next::GiveUp(Reason::Tries),
        };
        // Each round gives up at most one slot; the last one finds that none is left.
        for _ in 0..=self.state.slots.len() {
            if let Next::GiveUp(reason) = next {
                next = self.give_up(reason);
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
                next = Next::GiveUp(Reason::Load);
            }
        }
        let uncounted = matches!(next, Next::Uncounted);
        if uncounted {
            if let Some(slot) = self.uncounted(machine) {
                return Chosen::Slot(slot);
            }
        }
        self.end(uncounted, machine)
    }

    /// Leaves the active slot for the best one that was not given up in this boot. What takes the place of a
    /// confirmed slot is counted, also where it is good: it may hang, and the next one has to have its turn.
    fn give_up(&mut self, reason: Reason) -> Next {
        let active = self.state.active.known().cloned();
        let confirmed = matches!(self.state.standing(), Standing::Confirmed(_));
        match &active {
            Some(slot) if confirmed => self.state.record(slot, reason, None),
            Some(slot) if self.state.is_on_trial(slot) => {
                self.steps.push(Step::Failed(slot.clone(), reason));
                self.dirty |= self.state.mark(slot) != Some(Mark::Failed);
                let update = self.state.update.clone();
                self.state.fail(slot, reason, update.as_deref());
                self.place = self.place_of(slot);
            }
            _ => self.steps.push(Step::NoActive),
        }
        self.gone.extend(active.clone());
        let candidates = self.candidates();
        let Some(best) = candidates.first().cloned() else { return Next::NoneLeft };
        self.dirty = true;
        if confirmed {
            self.state.start_trial(best.clone(), self.state.board_tries, active.clone());
        } else {
            self.state.go_over_to(candidates);
        }
        match self.state.standing() {
            Standing::Confirmed(_) => {
                // For the guard: who had the last trial.
                self.state.rollback = active.map_or(Field::Absent, Field::Is);
                self.steps.push(Step::FellBack(best, None));
                Next::Store
            }
            _ => {
                self.steps.push(Step::FellBack(best, Some(self.state.board_tries)));
                Next::Count
            }
        }
    }

    /// Good ones, unknown ones, then the failed ones behind the one that was given up last: with the last of
    /// these a round is over, and the recovery has its turn.
    fn candidates(&self) -> Vec<Name> {
        let mut failed = self.state.marked(Some(Mark::Failed), false);
        failed.retain(|name| self.place_of(name) > self.place);
        let mut names = self.state.best_first(failed);
        names.retain(|name| !self.gone.contains(name));
        names
    }

    fn place_of(&self, name: &Name) -> Option<usize> {
        self.state.ordinary().position(|slot| slot.name == *name)
    }

    fn count(&mut self) -> Next {
        if let Standing::Trial { slot, left } = self.state.standing() {
            let (slot, left) = (slot.clone(), left.saturating_sub(1));
            self.state.tries = Field::Is(left);
            self.state.success = Field::Is(false);
            self.steps.push(Step::Counted(slot, left));
        }
        Next::Store
    }

    fn store(&mut self, machine: &mut dyn Machine) -> Next {
        if self.save(machine) || matches!(self.state.standing(), Standing::Confirmed(_)) {
            return Next::BootActive;
        }
        Next::Uncounted
    }

    fn save(&mut self, machine: &mut dyn Machine) -> bool {
        self.dirty = false;
        let saved = machine.save(&self.state);
        if !saved {
            self.steps.push(Step::SaveFailed);
        }
        saved
    }

    /// The boot of a trial that could not be counted, without a store: only good slots go before it.
    fn uncounted(&mut self, machine: &mut dyn Machine) -> Option<Name> {
        let mut slots = self.state.marked(Some(Mark::Good), true);
        slots.extend(self.state.active.known().cloned());
        for mark in [None, Some(Mark::Failed)] {
            slots.extend(self.state.marked(mark, mark.is_none()));
        }
        for slot in slots {
            if self.gone.contains(&slot) {
                continue;
            }
            if self.boots(&slot, machine) {
                return Some(slot);
            }
            self.gone.push(slot);
        }
        None
    }

    /// No slot boots. What the next boot begins with is stored first: somebody may switch off during the
    /// wait, and the recovery may never come back. The last resort and a recovery have their turn one after
    /// the other, so that neither locks the other out.
    fn end(&mut self, keep: bool, machine: &mut dyn Machine) -> Chosen {
        self.steps.push(Step::NoneLeft);
        let last = self.state.last_resort().map(|slot| slot.name.clone());
        if !keep && !matches!(self.state.standing(), Standing::Confirmed(_)) {
            let next = self.state.successors(None);
            if self.state.go_over_to(next) {
                self.dirty = true;
            } else if last.is_none() {
                self.steps.push(Step::StartedOver);
                self.state.start_over();
                self.dirty = true;
            }
        }
        let mut turn = last.clone();
        if let Some(last) = last.filter(|_| machine.has_recovery()) {
            let had_its_turn = self.state.mark(&last) == Some(Mark::Failed);
            self.state.set_mark(&last, if had_its_turn { Field::Absent } else { Field::Is(Mark::Failed) });
            self.dirty = true;
            turn = turn.filter(|_| !had_its_turn);
        }
        if self.dirty {
            self.save(machine);
        }
        if let Some(last) = turn {
            self.steps.push(Step::LastResort(last.clone()));
            if self.boots(&last, machine) {
                return Chosen::Slot(last);
            }
        }
        Chosen::Recovery
    }

    fn boots(&mut self, slot: &Name, machine: &mut dyn Machine) -> bool {
        let boots = (0..LOADS).any(|_| machine.loads(slot));
        if !boots {
            self.steps.push(Step::PassedOver(slot.clone()));
        }
        boots
    }
}
