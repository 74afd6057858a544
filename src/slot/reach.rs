//! Pure: which states the boot script alone makes of a state, in any number of boots, whatever loads and whatever can
//! be stored. What it can't have made, somebody else has.

use std::collections::{HashSet, VecDeque};

use super::{guarded_boot, next_boot, Chosen, Foreign, Machine, Name, State};

/// How many states are looked at: of three slots there are some hundred. It is a bound on time, not on what is true.
const MOST: usize = 5_000;

/// Whether the boot script alone leads from this state to another one. `None`: there is too much to look at.
pub fn leads(from: &State, to: &State) -> Option<bool> {
    let mut seen = HashSet::from([from.clone()]);
    let mut open = VecDeque::from([from.clone()]);
    while let Some(state) = open.pop_front() {
        if state == *to {
            return Some(true);
        }
        for next in after_a_boot(&state) {
            if seen.insert(next.clone()) {
                open.push_back(next);
            }
        }
        if seen.len() > MOST {
            return None;
        }
    }
    Some(false)
}

/// Each state that one boot leaves, by which slots load, whether the board has a recovery, and whether U-Boot's
/// boot counter has run out.
fn after_a_boot(state: &State) -> Vec<State> {
    let names: Vec<&Name> = state.slots.iter().map(|slot| &slot.name).collect();
    let mut found = Vec::new();
    for choice in 0..1u32 << (names.len().min(8) + 2) {
        let loading: Vec<Name> = (0..names.len())
            .filter(|n| choice >> (n + 2) & 1 == 1)
            .filter_map(|n| names.get(n))
            .map(|&name| name.clone())
            .collect();
        let mut machine = Stores { loading, recovery: choice & 1 == 1, stored: Vec::new() };
        let boot = match choice & 2 == 2 {
            true => guarded_boot(state, &mut machine),
            false => next_boot(state, &mut machine),
        };
        // RAUC's variables say something else to another slot that runs, also if nothing was stored.
        if let (Chosen::Slot(slot), Some(Foreign::Rauc(rauc)), true) =
            (boot.chosen, &state.foreign, machine.stored.is_empty())
        {
            found.push(rauc.clone().seen_from(Some(&slot)).state());
        }
        found.append(&mut machine.stored);
    }
    found
}

struct Stores {
    loading: Vec<Name>,
    recovery: bool,
    stored: Vec<State>,
}

impl Machine for Stores {
    fn loads(&mut self, slot: &Name) -> bool {
        self.loading.contains(slot)
    }

    fn save(&mut self, state: &State) -> bool {
        self.stored.push(state.clone());
        true
    }

    fn has_recovery(&self) -> bool {
        self.recovery
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slot::{Board, Reason};

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    /// A is confirmed, and an update in B is on trial.
    fn trial(slots: &[&str]) -> State {
        let board = Board { slots: slots.iter().map(|slot| name(slot)).collect(), ..Board::default() };
        let (a, b) = (name("A"), name("B"));
        let confirmed = State::factory(&board).confirm(&a, &a).unwrap();
        confirmed.begin_install(&b, &a).unwrap().finish_install(&b, &a, 3, Some(b"id"), false).unwrap()
    }

    #[test]
    fn counted_tries_and_a_failed_trial_are_the_scripts_and_a_confirmation_is_not() {
        for slots in [&["A", "B"][..], &["A", "B", "C"]] {
            let (trial, b) = (trial(slots), name("B"));
            assert_eq!(leads(&trial, &trial), Some(true));
            let mut machine = Stores { loading: vec![b.clone()], recovery: false, stored: Vec::new() };
            next_boot(&trial, &mut machine);
            let counted = machine.stored.pop().unwrap();
            assert_eq!(leads(&trial, &counted), Some(true));
            assert_eq!(leads(&counted, &trial), Some(false), "tries do not grow");
            let mut failed = counted.clone();
            for _ in 0..3 {
                let mut machine =
                    Stores { loading: vec![b.clone(), name("A")], recovery: false, stored: Vec::new() };
                next_boot(&failed, &mut machine);
                failed = machine.stored.pop().unwrap();
            }
            assert_eq!(failed.last_failure().unwrap().reason, Reason::Tries);
            assert_eq!(leads(&trial, &failed), Some(true));
            let confirmed = counted.confirm(&b, &b).unwrap();
            assert_eq!(leads(&counted, &confirmed), Some(false));
            let given_up = counted.roll_back(&b, Reason::Health).unwrap();
            assert_eq!(leads(&counted, &given_up), Some(false));
        }
    }

    #[test]
    fn a_lost_environment_is_not_what_the_script_made() {
        let b = name("B");
        let confirmed = trial(&["A", "B"]).confirm(&b, &b).unwrap();
        assert_eq!(leads(&confirmed, &State::factory(&Board::default())), Some(false));
    }
}
