//! Every state that a device can get into, by exhaustive search: all orders of user space, boots,
//! power cuts around each store, stores that fail, slots that do not load, a lost environment.
//!
//! A node is what survives (the stored state, what the slots hold) and what runs. Its successors come
//! from the real [`State`] orders and the real [`next_boot`]; stores are atomic, which is proven
//! elsewhere. The same search with a fault built in must find a broken promise: see [`Fault`].

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod liveness;

use std::collections::{HashMap, HashSet};

use bootslot::slot::dialect::native;
use bootslot::slot::{
    guarded_boot, next_boot, Board, Boot, Chosen, Field, Machine, Mark, Name, Outcome, Reason, Refusal, Role,
    Script, Standing, State,
};

const TRIES: u8 = 2;
const UPDATE: &[u8] = b"0123456789abcdef";

/// What a slot really holds, whatever the variables say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Content {
    /// A whole system that was never confirmed.
    Fresh,
    /// A whole system that user space has confirmed.
    Proven,
    /// Half-written; `true` while the stored state ought to know.
    Torn(bool),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Node {
    stored: State,
    holds: Vec<Content>,
    running: Option<usize>,
    /// Counted boots of the slot that is on trial.
    boots: u8,
    /// The environment was lost, or every slot was bad, and nothing has been confirmed since.
    lost: bool,
}

/// A fault that the search must notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    ScriptDoesNotSave,
    ScriptIgnoresFailedSave,
    ScriptDoesNotCount,
    ScriptBootsHalfWrittenSlots,
    ScriptStoresOnEveryBoot,
    ScriptLeavesNoEvidence,
    ScriptIgnoresRollbackSlot,
    ConfirmForgotten,
    InstallDoesNotMarkTheSlot,
    InstallFromUnconfirmed,
    TryFromUnconfirmed,
    TryKeepsTheSlotClosed,
    RollBackLeavesTheSlotUnmarked,
    TrialIsRefusedInItsSlot,
    GuardFailsTheLastGoodSlot,
    GuardLeavesNoEvidence,
}

const FAULTS: [Fault; 16] = [
    Fault::ScriptDoesNotSave,
    Fault::ScriptIgnoresFailedSave,
    Fault::ScriptDoesNotCount,
    Fault::ScriptBootsHalfWrittenSlots,
    Fault::ScriptStoresOnEveryBoot,
    Fault::ScriptLeavesNoEvidence,
    Fault::ScriptIgnoresRollbackSlot,
    Fault::ConfirmForgotten,
    Fault::InstallDoesNotMarkTheSlot,
    Fault::InstallFromUnconfirmed,
    Fault::TryFromUnconfirmed,
    Fault::TryKeepsTheSlotClosed,
    Fault::RollBackLeavesTheSlotUnmarked,
    Fault::TrialIsRefusedInItsSlot,
    Fault::GuardFailsTheLastGoodSlot,
    Fault::GuardLeavesNoEvidence,
];

#[test]
fn no_promise_is_broken_with_two_slots() {
    let found = search(2, Fault::None).unwrap_or_else(|broken| panic!("{broken}"));
    println!("2 slots: {} states, {} transitions", found.states, found.transitions);
    assert!(found.states > 500);
}

#[test]
fn no_promise_is_broken_with_three_slots() {
    let found = search(3, Fault::None).unwrap_or_else(|broken| panic!("{broken}"));
    println!("3 slots: {} states, {} transitions", found.states, found.transitions);
    assert!(found.states > 5_000);
}

#[test]
fn each_fault_breaks_a_promise() {
    for fault in FAULTS {
        let slots = if fault == Fault::ScriptIgnoresRollbackSlot { 3 } else { 2 };
        match search(slots, fault) {
            Ok(found) => panic!("{fault:?} went unnoticed in {} states", found.states),
            Err(broken) => println!("{fault:?}: {}", broken.lines().next().unwrap()),
        }
    }
}

struct Found {
    states: usize,
    transitions: usize,
}

fn board(slots: usize) -> Board {
    let names = ["A", "B", "C"].iter().take(slots).map(|name| Name::new(name).unwrap());
    Board { slots: names.collect(), tries: TRIES, ..Board::default() }
}

/// Breadth first, so that a broken promise is shown with the shortest way to it.
fn search(slots: usize, fault: Fault) -> Result<Found, String> {
    let model = Model { board: board(slots), fault };
    let factory = Node {
        stored: State::factory(&model.board),
        holds: vec![Content::Fresh; slots],
        running: None,
        boots: 0,
        lost: true,
    };
    // For each node the one it was reached from and how.
    let mut reached: HashMap<Node, Option<(Node, String)>> = HashMap::from([(factory.clone(), None)]);
    let mut layer = vec![factory];
    let mut transitions = 0;
    while !layer.is_empty() {
        let mut next_layer = Vec::new();
        for node in layer {
            let successors = model.check(&node).and_then(|()| model.successors(&node));
            let successors = successors.map_err(|broken| format!("{broken}\n{}", way_to(&node, &reached)))?;
            transitions += successors.len();
            for (how, next) in successors {
                if !reached.contains_key(&next) {
                    reached.insert(next.clone(), Some((node.clone(), how)));
                    next_layer.push(next);
                }
            }
        }
        layer = next_layer;
    }
    Ok(Found { states: reached.len(), transitions })
}

fn way_to(node: &Node, reached: &HashMap<Node, Option<(Node, String)>>) -> String {
    let (mut steps, mut at) = (vec![format!("{node:?}")], node);
    while let Some(Some((from, how))) = reached.get(at) {
        steps.push(how.clone());
        at = from;
    }
    steps.reverse();
    steps.join("\n  ")
}

struct Model {
    board: Board,
    fault: Fault,
}

type Successors = Vec<(String, Node)>;

impl Model {
    fn name(&self, slot: usize) -> &Name {
        &self.board.slots[slot]
    }

    fn place(&self, name: &Name) -> usize {
        self.board.slots.iter().position(|slot| slot == name).unwrap()
    }

    fn successors(&self, node: &Node) -> Result<Successors, String> {
        let mut found = Vec::new();
        match node.running {
            None => self.boots(node, &mut found)?,
            Some(running) => {
                found.push(("power off".into(), Node { running: None, ..node.clone() }));
                self.orders(node, running, &mut found)?;
            }
        }
        let mut lost = Node { running: None, boots: 0, lost: true, ..node.clone() };
        lost.stored = State::factory(&self.board);
        forget_torn(&mut lost);
        found.push(("environment lost".into(), lost));
        Ok(found)
    }

    // --- user space ---------------------------------------------------------------------------

    fn orders(&self, node: &Node, running: usize, found: &mut Successors) -> Result<(), String> {
        let (state, me) = (&node.stored, self.name(running));
        let whole = |slot: usize| !matches!(node.holds[slot], Content::Torn(_));
        self.order(node, "init", |s, me| s.init(Some(me)), |_| {}, found)?;
        self.order(node, "acknowledge", |s, _| Ok(s.acknowledge()), |_| {}, found)?;
        if whole(running) {
            let prove = |next: &mut Node| {
                next.holds[running] = Content::Proven;
                next.lost &= !next.stored.is_confirmed(me);
            };
            let confirm = |s: &State, me: &Name| match self.fault {
                Fault::ConfirmForgotten => Ok(s.clone()),
                _ => s.confirm(me, me),
            };
            self.order(node, &format!("confirm {me}"), confirm, prove, found)?;
            if confirm(state, me).is_ok_and(|next| !next.is_confirmed(me)) {
                return Err("a confirm confirms nothing".into());
            }
        }
        let roll_back = |s: &State, me: &Name| {
            let mut next = s.roll_back(me, Reason::Health)?;
            if self.fault == Fault::RollBackLeavesTheSlotUnmarked {
                next.slots = s.slots.clone();
            }
            Ok(next)
        };
        self.order(node, &format!("roll back from {me}"), roll_back, |_| {}, found)?;
        for target in 0..self.board.slots.len() {
            let it = self.name(target);
            let torn = |next: &mut Node| next.holds[target] = Content::Torn(true);
            let fresh = |next: &mut Node| next.holds[target] = Content::Fresh;
            let begin = |s: &State, me: &Name| self.begin_install(s, it, me);
            self.order(node, &format!("begin install {it}"), begin, |_| {}, found)?;
            if begin(state, me).is_ok_and(|begun| begun == *state) {
                let mut next = node.clone();
                torn(&mut next);
                found.push((format!("write into {it}"), next));
            }
            let finish = |s: &State, me: &Name| {
                self.refused_in_its_slot(it, me)?;
                let mut next = s.finish_install(it, me, TRIES, Some(UPDATE), true)?;
                if self.fault == Fault::TryKeepsTheSlotClosed {
                    next.slots[target].mark = Field::Is(Mark::Writing);
                }
                Ok(next)
            };
            self.order(node, &format!("finish install {it}"), finish, fresh, found)?;
            if whole(target) {
                self.order(node, &format!("try {it}"), |s, me| self.try_slot(s, it, me), |_| {}, found)?;
                self.order(node, &format!("set active {it}"), |s, me| s.set_active(it, me), |_| {}, found)?;
                // Whoever marks a slot good vouches for it.
                let vouch = |next: &mut Node| next.holds[target] = Content::Proven;
                self.order(node, &format!("mark good {it}"), |s, _| s.mark_good(it), vouch, found)?;
            }
            self.order(node, &format!("mark bad {it}"), |s, me| s.mark_bad(it, me), |_| {}, found)?;
        }
        Ok(())
    }

    /// One order and its store, which works or fails; given again it changes nothing.
    fn order(
        &self,
        node: &Node,
        what: &str,
        give: impl Fn(&State, &Name) -> Outcome,
        effect: impl Fn(&mut Node),
        found: &mut Successors,
    ) -> Result<(), String> {
        let me = self.name(node.running.unwrap());
        let Ok(state) = give(&node.stored, me) else { return Ok(()) };
        if give(&state, me).as_ref() != Ok(&state) {
            return Err(format!("{what}: given again, it does something else"));
        }
        if what.starts_with("roll back") {
            let failed = node.stored.last_failure();
            let left = match node.stored.active.known() {
                Some(active) if node.stored.is_on_trial(active) && node.stored.is_confirmed(me) => active,
                // It is over already.
                _ if node.stored.is_confirmed(me) => {
                    let over = |slot: &&bootslot::slot::Slot| slot.mark == Field::Is(Mark::Failed);
                    let slot = node.stored.slots.iter().find(over).map(|slot| &slot.name);
                    slot.unwrap_or_else(|| &failed.as_ref().unwrap().slot)
                }
                _ => me,
            };
            let given_up = |state: &State| matches!(mark(state, left), Some(Mark::Failed | Mark::Writing));
            let evident = given_up(&node.stored) || evidence(&state).as_ref() == Some(left);
            if !given_up(&state) || !evident {
                return Err(format!("{what}: no evidence is left"));
            }
        }
        if what.starts_with("begin install") && !state.is_confirmed(me) {
            return Err(format!("{what}: the running slot is not one to come back to"));
        }
        if what.starts_with("finish install") || what.starts_with("try") {
            match state.active.known() {
                Some(target) if target == me => {
                    if state != node.stored {
                        return Err(format!("{what}: given in that slot, it does something"));
                    }
                }
                target => self.trial_runs(&state, target, &give).map_err(|why| format!("{what}: {why}"))?,
            }
        }
        let mut next = self.store(node, &state);
        effect(&mut next);
        found.push((what.into(), next));
        Ok(())
    }

    /// Each boot of a trial runs the slot, and there the order that began the trial is done already.
    fn trial_runs(
        &self,
        trial: &State,
        target: Option<&Name>,
        give: &dyn Fn(&State, &Name) -> Outcome,
    ) -> Result<(), String> {
        let mut working = Plain { saves: true, stored: trial.clone(), stores: 0 };
        for _ in 0..TRIES {
            let boots = self.next_boot(&working.stored.clone(), &mut working).chosen;
            let Some(target) = target.filter(|target| Chosen::Slot((*target).clone()) == boots) else {
                return Err("the next boot does not try it".into());
            };
            if give(&working.stored, target).as_ref() != Ok(&working.stored) {
                return Err("given again after a boot of the trial, it is not done already".into());
            }
        }
        Ok(())
    }

    fn refused_in_its_slot(&self, target: &Name, running: &Name) -> Result<(), Refusal> {
        match self.fault {
            Fault::TrialIsRefusedInItsSlot if target == running => Err(Refusal::Running(target.clone())),
            _ => Ok(()),
        }
    }

    fn begin_install(&self, state: &State, target: &Name, running: &Name) -> Outcome {
        let mut next = match self.fault {
            Fault::InstallFromUnconfirmed => {
                self.as_if_confirmed(state, running).begin_install(target, running)?
            }
            _ => state.begin_install(target, running)?,
        };
        if self.fault == Fault::InstallDoesNotMarkTheSlot {
            next.slots = state.slots.clone();
        }
        Ok(next)
    }

    fn try_slot(&self, state: &State, target: &Name, running: &Name) -> Outcome {
        self.refused_in_its_slot(target, running)?;
        match self.fault {
            Fault::TryFromUnconfirmed => {
                let mut next = self.as_if_confirmed(state, running).try_slot(target, running, TRIES, true)?;
                next.slots[self.place(running)].mark = state.slots[self.place(running)].mark.clone();
                Ok(next)
            }
            _ => state.try_slot(target, running, TRIES, true),
        }
    }

    fn as_if_confirmed(&self, state: &State, running: &Name) -> State {
        let mut next = state.clone();
        next.slots[self.place(running)].mark = Field::Is(Mark::Good);
        next.rollback = Field::Absent;
        next
    }

    fn store(&self, node: &Node, state: &State) -> Node {
        let new_trial = state.active != node.stored.active || left(state) > left(&node.stored);
        let boots = if new_trial { 0 } else { node.boots };
        let mut stored = state.clone();
        // Why a slot failed and what it held is never judged again.
        if let Some(slot) = evidence(&stored) {
            stored.failed = Some(format!("{slot}:user:").into_bytes());
        }
        Node { stored, boots, ..node.clone() }
    }

    // --- boots --------------------------------------------------------------------------------

    /// All boots from here: whatever loads, whichever store works, wherever the power is cut, and whatever
    /// U-Boot's boot counter says on a board with the guard.
    fn boots(&self, node: &Node, found: &mut Successors) -> Result<(), String> {
        self.boots_by(node, false, found)?;
        match node.stored.standing() {
            Standing::Confirmed(_) => self.boots_by(node, true, found),
            // The guard leaves these to the script.
            _ => Ok(()),
        }
    }

    fn boots_by(&self, node: &Node, guarded: bool, found: &mut Successors) -> Result<(), String> {
        let mut plan = vec![];
        loop {
            let mut run = Run::new(self, node, plan);
            run.guarded = guarded;
            let boot = if guarded {
                self.guarded_boot(&node.stored, &mut run)
            } else {
                self.next_boot(&node.stored, &mut run)
            };
            let (taken, asked) = (run.plan.clone(), run.said.join(", "));
            let next = run.end(boot)?;
            found.push((format!("{}boot: {asked}", if guarded { "guarded " } else { "" }), next));
            // The next plan in order: count up the last choice that has another option.
            plan = taken;
            while let Some((choice, options)) = plan.pop() {
                if choice + 1 < options {
                    plan.push((choice + 1, options));
                    break;
                }
            }
            if plan.is_empty() {
                return Ok(());
            }
        }
    }

    fn guarded_boot(&self, stored: &State, machine: &mut dyn Machine) -> Boot {
        let mut seen = stored.clone();
        if self.fault == Fault::GuardFailsTheLastGoodSlot {
            for slot in seen.slots.iter_mut().filter(|slot| slot.mark == Field::Absent) {
                slot.mark = Field::Is(Mark::Good);
            }
        }
        guarded_boot(&seen, machine)
    }

    fn next_boot(&self, stored: &State, machine: &mut dyn Machine) -> Boot {
        let mut seen = stored.clone();
        match self.fault {
            Fault::ScriptDoesNotCount if seen.tries != Field::Is(0) => seen.tries = Field::Is(TRIES),
            Fault::ScriptBootsHalfWrittenSlots => {
                for slot in seen.slots.iter_mut().filter(|slot| slot.mark == Field::Is(Mark::Writing)) {
                    slot.mark = Field::Absent;
                }
            }
            Fault::ScriptIgnoresRollbackSlot => seen.rollback = Field::Absent,
            Fault::ScriptStoresOnEveryBoot => {
                machine.save(&seen);
            }
            _ => {}
        }
        next_boot(&seen, machine)
    }

    // --- promises that hold in every state --------------------------------------------------------

    fn check(&self, node: &Node) -> Result<(), String> {
        let variables: HashMap<String, Option<Vec<u8>>> = native::encode(&node.stored).into_iter().collect();
        let stored = |name: &str| variables.get(name)?.as_deref();
        if native::decode_with(&stored, &self.board).unwrap() != node.stored {
            return Err("the variables say something else than the state".into());
        }
        let proven = |slot: &usize| node.holds[*slot] == Content::Proven;
        let slots = 0..self.board.slots.len();
        let safe = |slot: &usize| proven(slot) && node.stored.is_confirmed(self.name(*slot));
        if !node.lost && !slots.clone().any(|slot| safe(&slot)) {
            return Err("no slot is left that was confirmed".into());
        }
        // With a saveenv that always fails, the first boot already reaches a good slot.
        let good = |name: &Name| mark(&node.stored, name) == Some(Mark::Good);
        let mut broken = Plain { saves: false, stored: node.stored.clone(), stores: 0 };
        if let Chosen::Slot(slot) = self.next_boot(&node.stored, &mut broken).chosen {
            if self.board.slots.iter().any(good) && !good(&slot) {
                return Err(format!("with a failing saveenv {slot} boots, though another slot is good"));
            }
        }
        self.comes_back(node)
    }

    /// With nobody ever confirming anything, boots end at a slot that was confirmed, and stay there.
    fn comes_back(&self, node: &Node) -> Result<(), String> {
        if !node.holds.contains(&Content::Proven) {
            return Ok(());
        }
        let mut machine = Plain { saves: true, stored: node.stored.clone(), stores: 0 };
        for _ in 0..2 * usize::from(TRIES + 2) * self.board.slots.len() {
            let (before, stores) = (machine.stored.clone(), machine.stores);
            let chosen = self.next_boot(&before, &mut machine).chosen;
            let Standing::Confirmed(slot) = before.standing() else {
                // An unknown slot that holds a proven system gets confirmed again when it boots.
                if let Chosen::Slot(slot) = chosen {
                    if node.holds[self.place(&slot)] == Content::Proven {
                        return Ok(());
                    }
                }
                continue;
            };
            if chosen != Chosen::Slot(slot.clone()) || machine.stores != stores {
                return Err(format!("a normal boot of {slot} stores something or boots another slot"));
            }
            if node.holds[self.place(slot)] != Content::Proven {
                return Err(format!("boots end at {slot}, which was never confirmed"));
            }
            return Ok(());
        }
        Err("boots never come back to a slot that was confirmed".into())
    }
}

/// One boot under a plan of choices; the plan grows where the script asks more.
struct Run<'a> {
    model: &'a Model,
    now: Node,
    /// Choice and number of options, for each question asked.
    plan: Vec<(usize, usize)>,
    asked: usize,
    cut: bool,
    /// The guard acts in this boot.
    guarded: bool,
    /// The slot whose trial the last store that worked has counted.
    counted: Option<Name>,
    did_not_load: HashSet<Name>,
    /// A store of this boot has failed.
    not_saved: bool,
    said: Vec<String>,
    broken: Option<String>,
}

impl<'a> Run<'a> {
    fn new(model: &'a Model, node: &'a Node, plan: Vec<(usize, usize)>) -> Self {
        Run {
            model,
            now: node.clone(),
            plan,
            asked: 0,
            cut: false,
            guarded: false,
            counted: None,
            did_not_load: HashSet::new(),
            not_saved: false,
            said: vec![],
            broken: None,
        }
    }

    fn choose(&mut self, options: usize) -> usize {
        if self.asked == self.plan.len() {
            self.plan.push((0, options));
        }
        self.asked += 1;
        self.plan[self.asked - 1].0
    }

    /// Promises about what the script stores.
    fn judge(&mut self, from: &State, to: &State) {
        for slot in &from.slots {
            let failed =
                mark(from, &slot.name) != Some(Mark::Failed) && mark(to, &slot.name) == Some(Mark::Failed);
            let given_up =
                mark(from, &slot.name) == Some(Mark::Good) && mark(to, &slot.name) != Some(Mark::Good);
            // After a store that failed there may be two failures, and the last one is on record.
            let evident = evidence(to).is_some_and(|of| of == slot.name || self.not_saved);
            if (failed || given_up) && !evident {
                self.broken = Some(format!("{} failed and no evidence is left", slot.name));
            }
            let returns = from.rollback.known().filter(|to| mark(from, to) == Some(Mark::Good));
            if let Some(rollback) = returns.filter(|to| failed && !self.did_not_load.contains(to)) {
                if to.active.known() != Some(rollback) && from.active.known() == Some(&slot.name) {
                    self.broken =
                        Some(format!("the trial of {} does not end in its rollback slot", slot.name));
                }
            }
        }
        let goes_on = |slot: &&Name| {
            to.active == from.active
                && to.is_on_trial(slot)
                && left(to) < left(from)
                && to.success == from.success
        };
        let same_trial = to.active.known().filter(goes_on);
        if let Some(slot) = same_trial.filter(|_| to.rollback != from.rollback) {
            self.broken = Some(format!("the trial of {slot} goes on with another rollback slot"));
        }
        if let Standing::Confirmed(slot) = from.standing() {
            if self.guarded || self.did_not_load.contains(slot) {
                return;
            }
            self.broken = Some(format!("a boot of {slot}, which is confirmed, stores something"));
        }
    }

    fn end(mut self, boot: Boot) -> Result<Node, String> {
        if let Some(broken) = self.broken {
            return Err(format!("{broken} ({})", self.said.join(", ")));
        }
        self.now.running = None;
        if self.cut {
            return Ok(self.now);
        }
        match boot.chosen {
            Chosen::Slot(slot) => {
                let place = self.model.place(&slot);
                if self.now.holds[place] == Content::Torn(true)
                    || mark(&self.now.stored, &slot) == Some(Mark::Writing)
                {
                    return Err(format!("{slot} boots, which is half-written"));
                }
                if !self.now.stored.is_confirmed(&slot) {
                    self.unconfirmed_boot(&slot)?;
                }
                self.now.running = Some(place);
            }
            Chosen::StartOver | Chosen::Recovery => {}
            Chosen::Reset | Chosen::Ends => return Err("the script does not end so".into()),
        }
        Ok(self.now)
    }

    fn unconfirmed_boot(&mut self, slot: &Name) -> Result<(), String> {
        if self.counted.as_ref() == Some(slot) {
            self.now.boots += 1;
            if self.now.boots > TRIES {
                return Err(format!("{slot} boots more than {TRIES} times without being confirmed"));
            }
            return Ok(());
        }
        // Uncounted: only where it can't be stored and nothing that was confirmed loads.
        if !self.not_saved {
            return Err(format!("{slot} boots uncounted, though stores work"));
        }
        if mark(&self.now.stored, slot) == Some(Mark::Good) {
            return Ok(());
        }
        // One that has used up its tries in another's place is failed by this very boot.
        let over = Standing::Over(self.now.stored.active.known());
        let used_up = self.now.stored.active.known().filter(|_| self.now.stored.standing() == over);
        let others = self.now.stored.slots.iter().filter(|other| other.mark == Field::Is(Mark::Good));
        let others = others.filter(|other| Some(&other.name) != used_up);
        match others.map(|other| &other.name).find(|other| !self.did_not_load.contains(other)) {
            Some(other) => Err(format!("{slot} boots uncounted, though {other} is good")),
            None => Ok(()),
        }
    }
}

impl Machine for Run<'_> {
    fn loads(&mut self, slot: &Name) -> bool {
        if self.cut {
            return false;
        }
        // It is asked more than once in a boot, and gets the same answer.
        if self.did_not_load.contains(slot) {
            return false;
        }
        let loads = self.choose(2) == 0;
        self.said.push(format!("{slot} {}", if loads { "loads" } else { "does not load" }));
        if !loads {
            self.did_not_load.insert(slot.clone());
        }
        loads
    }

    fn save(&mut self, state: &State) -> bool {
        if self.cut {
            return false;
        }
        if self.model.fault == Fault::ScriptDoesNotSave {
            return true;
        }
        let mut state = state.clone();
        let no_evidence = match self.model.fault {
            Fault::GuardLeavesNoEvidence => self.guarded,
            fault => fault == Fault::ScriptLeavesNoEvidence,
        };
        if no_evidence {
            state.failed = None;
        }
        let before = self.now.stored.clone();
        self.judge(&before, &state);
        let choice = self.choose(4);
        let what = ["saved", "not saved", "cut before the store", "cut after the store"][choice];
        self.said.push(what.into());
        self.cut = choice >= 2;
        let works = choice == 0 || choice == 3;
        self.not_saved |= !works;
        if works {
            let counted = |slot: &&Name| state.is_on_trial(slot) && state.tries != Field::Is(TRIES);
            self.counted = state.active.known().filter(counted).cloned();
            let started_over = mark_count(&before, Mark::Writing) == before.slots.len();
            self.now = self.model.store(&self.now, &state);
            if started_over {
                self.now.lost = true;
                forget_torn(&mut self.now);
            }
        }
        works || self.model.fault == Fault::ScriptIgnoresFailedSave
    }

    fn has_recovery(&self) -> bool {
        false
    }
}

/// A machine on which every slot loads.
struct Plain {
    saves: bool,
    stored: State,
    stores: usize,
}

impl Machine for Plain {
    fn loads(&mut self, _: &Name) -> bool {
        true
    }
    fn save(&mut self, state: &State) -> bool {
        self.stores += 1;
        if self.saves {
            self.stored = state.clone();
        }
        self.saves
    }
    fn has_recovery(&self) -> bool {
        false
    }
}

fn mark(state: &State, name: &Name) -> Option<Mark> {
    state.slot(name)?.mark.known().copied()
}

fn mark_count(state: &State, mark: Mark) -> usize {
    state.slots.iter().filter(|slot| slot.mark == Field::Is(mark)).count()
}

fn evidence(state: &State) -> Option<Name> {
    state.last_failure().map(|failure| failure.slot)
}

fn left(state: &State) -> u8 {
    match state.standing() {
        Standing::Trial { left, .. } => left,
        _ => 0,
    }
}

fn forget_torn(node: &mut Node) {
    for holds in &mut node.holds {
        if let Content::Torn(known) = holds {
            *known = false;
        }
    }
}
