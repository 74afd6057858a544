//! The device comes back: from every state that the variables can express, with every set of slots that are
//! dead (never load again) or hang (load, and never report), a slot that works boots within a bounded number
//! of power-ons, and where none works the recovery is reached again and again.
//!
//! The states are not only those that orders and boots lead to, but all: so whatever a script of a customer
//! has written, and wherever the power was cut, is among them. From there on the faults last, and each power-on
//! goes as far as it can: a slot that hangs is left by the next power-on, and so is a recovery that never comes
//! back. (One that does come back ends in a reset: the same for what is stored.)

use std::collections::HashMap;

use super::*;

/// The factory's tries, as boards have them.
const TRIES: u8 = 3;
/// `bootlimit` of a board with the guard.
const LIMIT: u32 = 2;

/// What becomes of a slot for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Fate {
    Dead,
    Hangs,
    Works,
}

const FATES: [Fate; 3] = [Fate::Dead, Fate::Hangs, Fate::Works];

/// A fault in the script that the check must notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    None,
    /// Failed slots are no candidates: what `bad` meant in version 1.
    FailedNeverBoots,
    /// What is stored when no slot boots gets lost: it would be stored after the wait.
    RoundIsNotStored,
    /// An unknown slot with `boot_success=1` counts as confirmed.
    SuccessAloneConfirms,
}

#[derive(Debug, Clone, Copy)]
struct World {
    slots: usize,
    last_resort: bool,
    recovery: bool,
    guard: bool,
    script: Script,
    flaw: Flaw,
}

/// What the check found.
#[derive(Debug, Default)]
struct Found {
    lives: u64,
    /// Most power-ons until a slot that works boots, and the life that took them.
    bound: (usize, String),
    /// Most power-ons from one recovery to the next where no slot works.
    recovery: (usize, String),
    /// Lives outside of the promise: a confirmed slot that hangs, on a board without the guard.
    outside: u64,
    strands: u64,
    strand: Option<String>,
}

enum Life {
    /// A slot that works boots after so many power-ons.
    Works(usize),
    /// No slot works; the recovery is reached at least once in so many power-ons.
    Recovers(usize),
    Outside,
    Stranded,
}

#[test]
fn a_slot_that_works_boots_from_every_state() {
    for (slots, last_resort) in [(1, false), (1, true), (2, false), (2, true), (3, false)] {
        for (guard, recovery) in [(false, false), (false, true), (true, false), (true, true)] {
            let world = World { slots, last_resort, recovery, guard, script: Script::V2, flaw: Flaw::None };
            let found = check(world);
            println!(
                "{slots} slots{}{}{}: {} lives, {} strands, at most {} power-ons to a working slot, {} to the \
                 recovery, {} outside",
                if last_resort { " and a last resort" } else { "" },
                if guard { ", guard" } else { "" },
                if recovery { ", recovery" } else { "" },
                found.lives,
                found.strands,
                found.bound.0,
                found.recovery.0,
                found.outside,
            );
            assert_eq!((found.strands, &found.strand), (0, &None));
            let (works, recovers) = documented_bounds(world);
            assert!(found.bound.0 <= works, "more than {works} power-ons: {:?}", found.bound);
            assert!(found.recovery.0 <= recovers, "more than {recovers} power-ons: {:?}", found.recovery);
            assert!(!guard || found.outside == 0, "{found:?}");
        }
    }
}

/// What docs/slots.md promises: power-ons until a slot works, and until the recovery where none does.
fn documented_bounds(world: World) -> (usize, usize) {
    let round = usize::from(TRIES) * (world.slots + usize::from(world.last_resort)) + 2;
    // The last resort and the recovery have their turn one after the other, each at the end of a round.
    let rounds = if world.last_resort { 2 } else { 1 };
    // Each slot may be confirmed, and hang until the guard steps in, before its own trial and after the others'.
    let guard = if world.guard { 2 * world.slots * LIMIT as usize } else { 0 };
    (rounds * round + guard, (rounds + 1) * round + 2 * guard)
}

#[test]
fn version_1_strands_and_so_does_each_flaw() {
    let (script, flaw) = (Script::V2, Flaw::None);
    let world = World { slots: 2, last_resort: false, recovery: false, guard: false, script, flaw };
    for flaw in [Flaw::FailedNeverBoots, Flaw::RoundIsNotStored, Flaw::SuccessAloneConfirms] {
        let found = check(World { flaw, ..world });
        println!("{flaw:?}: {} strands of {} lives, one: {:?}", found.strands, found.lives, found.strand);
        assert!(found.strands > 0, "{flaw:?} went unnoticed");
    }
    for (slots, recovery) in [(2, false), (2, true), (3, false), (3, true)] {
        let found = check(World { script: Script::V1, slots, recovery, ..world });
        println!(
            "version 1, {slots} slots, recovery {recovery}: {} strands of {} lives",
            found.strands, found.lives
        );
        assert!(found.strands > 0);
    }
}

/// Three strands of version 1 that devices in the field have met.
#[test]
fn what_stranded_with_version_1_comes_back_with_version_2() {
    use Fate::{Dead, Hangs, Works};
    let confirmed =
        [("active_slot", "A"), ("boot_success", "1"), ("boot_try_count", "0"), ("slot_A", "good")];
    let with = |more: &[(&'static str, &'static str)]| [&confirmed[..], more].concat();
    // The good slot dies after the other one has failed; a factory unit whose power was cut three times, with a
    // recovery; an unknown slot that hangs in the place of the confirmed one.
    type Strand<'a> = (Vec<(&'a str, &'a str)>, bool, &'a [Fate]);
    let cases: [Strand; 3] = [
        (with(&[("slot_B", "failed"), ("boot_failed", "B:tries:")]), false, &[Dead, Works]),
        (
            vec![
                ("active_slot", "A"),
                ("boot_success", "0"),
                ("boot_try_count", "0"),
                ("rollback_slot", "B"),
            ],
            true,
            &[Works, Dead],
        ),
        (with(&[]), false, &[Dead, Hangs, Works]),
    ];
    for (variables, recovery, fates) in cases {
        for (script, comes_back) in [(Script::V1, false), (Script::V2, true)] {
            let board = Board { script, tries: TRIES, ..board(fates.len()) };
            let stored = |name: &str| {
                let value = variables.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)?;
                // What version 1 has for it.
                Some(if script == Script::V1 && value == "failed" { "bad" } else { value }.as_bytes())
            };
            let state = native::decode_with(&stored, &board).unwrap();
            let world = World {
                slots: fates.len(),
                last_resort: false,
                recovery,
                guard: false,
                script,
                flaw: Flaw::None,
            };
            let fates = by_name(&state, fates);
            let came = matches!(live(world, &state, &fates, &mut Known::new()), Life::Works(_));
            assert_eq!(came, comes_back, "{script:?}: {variables:?} {fates:?}");
        }
    }
}

fn check(world: World) -> Found {
    let mut found = Found::default();
    let states = all_states(world);
    for fates in all_fates(world) {
        let by_name = by_name(&states[0], &fates);
        let mut known = Known::new();
        for state in &states {
            // What is being written does not work.
            let half = |slot: &bootslot::slot::Slot| {
                slot.mark == Field::Is(Mark::Writing) && by_name[&slot.name] == Fate::Works
            };
            if state.slots.iter().any(half) {
                continue;
            }
            found.lives += 1;
            let told = |n: usize| (n, format!("{:?} {fates:?}", native::encode(state)));
            match live(world, state, &by_name, &mut known) {
                Life::Works(n) if n > found.bound.0 => found.bound = told(n),
                Life::Recovers(n) if n > found.recovery.0 => found.recovery = told(n),
                Life::Works(_) | Life::Recovers(_) => {}
                Life::Outside => found.outside += 1,
                Life::Stranded => {
                    found.strands += 1;
                    found.strand.get_or_insert_with(|| told(0).1);
                }
            }
        }
    }
    found
}

fn by_name(state: &State, fates: &[Fate]) -> HashMap<Name, Fate> {
    state.slots.iter().map(|slot| slot.name.clone()).zip(fates.iter().copied()).collect()
}

/// Whatever the variables can say.
fn all_states(world: World) -> Vec<State> {
    let names = board(world.slots).slots;
    let last_resort = world.last_resort.then(|| Name::new("R").unwrap());
    let board = Board {
        slots: names.clone(),
        last_resort,
        script: world.script,
        tries: TRIES,
        hardened: false,
        ..Board::default()
    };
    let factory = State::factory(&board);
    let some_name = || names.iter().cloned().map(Field::Is).chain([Field::Absent]);
    let mut marks = vec![vec![]];
    for slot in &factory.slots {
        let all = match slot.role {
            Role::Ordinary if world.script == Script::V1 => {
                &[None, Some(Mark::Good), Some(Mark::Writing)][..]
            }
            Role::Ordinary => &[None, Some(Mark::Good), Some(Mark::Writing), Some(Mark::Failed)],
            Role::LastResort => &[None, Some(Mark::Good), Some(Mark::Failed)],
        };
        let longer = marks.iter().flat_map(|some| all.iter().map(move |mark| [&some[..], &[*mark]].concat()));
        marks = longer.collect();
    }
    let mut states = Vec::new();
    for active in some_name() {
        for success in [Field::Is(true), Field::Is(false), Field::Absent] {
            for tries in (0..=TRIES).map(Field::Is).chain([Field::Absent]) {
                for rollback in some_name() {
                    for marks in &marks {
                        let mut state = State {
                            active: active.clone(),
                            success: success.clone(),
                            tries: tries.clone(),
                            rollback: rollback.clone(),
                            ..factory.clone()
                        };
                        for (slot, mark) in state.slots.iter_mut().zip(marks) {
                            slot.mark = mark.map_or(Field::Absent, Field::Is);
                        }
                        states.push(state);
                    }
                }
            }
        }
    }
    states
}

fn all_fates(world: World) -> Vec<Vec<Fate>> {
    let mut fates = vec![vec![]];
    for _ in 0..world.slots + usize::from(world.last_resort) {
        fates = fates.iter().flat_map(|some| FATES.map(|fate| [&some[..], &[fate]].concat())).collect();
    }
    fates
}

/// One power-on that goes as far as it can. `boots` counts them since U-Boot's counter was set back.
struct PowerOn {
    chosen: Chosen,
    stored: State,
    boots: u32,
    /// A confirmed slot boots, and nothing was stored.
    normal: bool,
}

fn power_on(world: World, stored: &State, boots: u32, fates: &HashMap<Name, Fate>) -> PowerOn {
    let mut machine =
        Doomed { fates, recovery: world.recovery, stored: stored.clone(), before: stored.clone(), saves: 0 };
    let mut seen = stored.clone();
    for slot in &mut seen.slots {
        let active = Some(&slot.name) == seen.active.known();
        match world.flaw {
            Flaw::FailedNeverBoots if slot.mark == Field::Is(Mark::Failed) => {
                slot.mark = Field::Is(Mark::Writing);
            }
            Flaw::SuccessAloneConfirms
                if active && seen.success == Field::Is(true) && slot.mark == Field::Absent =>
            {
                slot.mark = Field::Is(Mark::Good);
            }
            _ => {}
        }
    }
    let guarded = world.guard && boots + 1 > LIMIT;
    let boot = if guarded { guarded_boot(&seen, &mut machine) } else { next_boot(&seen, &mut machine) };
    // bootslot_store and bootslot_guard set U-Boot's counter back.
    let boots = if guarded || machine.saves > 0 || !world.guard { 0 } else { boots + 1 };
    // People switch off during the wait, and so it is with what a flawed script stores only then.
    let waits = match boot.chosen {
        Chosen::StartOver => true,
        Chosen::Recovery => world.flaw == Flaw::RoundIsNotStored,
        Chosen::Slot(_) => false,
        Chosen::Reset | Chosen::Ends => panic!("the script does not end so"),
    };
    let normal = match &boot.chosen {
        Chosen::Slot(slot) => machine.saves == 0 && stored.standing() == Standing::Confirmed(slot),
        _ => false,
    };
    let stored = if waits { machine.before } else { machine.stored };
    PowerOn { chosen: boot.chosen, stored, boots, normal }
}

/// What a life comes to from a state and count of boots on. Lives join, so that each is lived once.
type Known = HashMap<(State, u32), Option<usize>>;

/// Power-on after power-on, until a slot works or the life repeats.
fn live(world: World, state: &State, fates: &HashMap<Name, Fate>, known: &mut Known) -> Life {
    if !fates.values().any(|fate| *fate == Fate::Works) {
        return live_without_a_working_slot(world, state, fates);
    }
    let mut way = Vec::new();
    let mut at = (state.clone(), 0);
    let end = loop {
        if let Some(end) = known.get(&at) {
            break *end;
        }
        if way.contains(&at) {
            return Life::Stranded;
        }
        let next = power_on(world, &at.0, at.1, fates);
        way.push(at);
        match next.chosen {
            Chosen::Slot(slot) if fates[&slot] == Fate::Works => break Some(0),
            // Nothing is stored in a normal boot, so nothing counts them.
            _ if next.normal && !world.guard => break None,
            _ => at = (next.stored, next.boots),
        }
    };
    for (back, at) in way.into_iter().rev().enumerate() {
        known.insert(at, end.map(|rest| rest + 1 + back));
    }
    match known[&(state.clone(), 0)] {
        Some(power_ons) => Life::Works(power_ons),
        None => Life::Outside,
    }
}

fn live_without_a_working_slot(world: World, state: &State, fates: &HashMap<Name, Fate>) -> Life {
    let (mut at, mut recoveries, mut since, mut longest) = ((state.clone(), 0), 0, 0, 0);
    for _ in 0..100 {
        let next = power_on(world, &at.0, at.1, fates);
        since += 1;
        match next.chosen {
            _ if next.normal && !world.guard => return Life::Outside,
            Chosen::Slot(_) => {}
            Chosen::StartOver | Chosen::Recovery => {
                recoveries += 1;
                longest = longest.max(since);
                since = 0;
                if recoveries == 2 {
                    return Life::Recovers(longest);
                }
            }
            Chosen::Reset | Chosen::Ends => panic!("the script does not end so"),
        }
        at = (next.stored, next.boots);
    }
    // Without a recovery, guard and last resort know nothing better than to try the slots again and again.
    if (world.guard || world.last_resort) && !world.recovery {
        Life::Recovers(longest)
    } else {
        Life::Stranded
    }
}

struct Doomed<'a> {
    fates: &'a HashMap<Name, Fate>,
    recovery: bool,
    stored: State,
    /// What was stored before the last store.
    before: State,
    saves: usize,
}

impl Machine for Doomed<'_> {
    fn loads(&mut self, slot: &Name) -> bool {
        self.fates[slot] != Fate::Dead
    }
    fn save(&mut self, state: &State) -> bool {
        self.saves += 1;
        self.before = std::mem::replace(&mut self.stored, state.clone());
        true
    }
    fn has_recovery(&self) -> bool {
        self.recovery
    }
}
