use super::*;

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn a() -> Name {
    name("A")
}

fn b() -> Name {
    name("B")
}

/// A confirmed, B unknown: an A/B device after its first healthy boot.
fn settled() -> State {
    let factory = State::factory(&Board::default());
    factory.confirm(&a(), &a()).unwrap()
}

/// A confirmed and running, B installed and on trial.
fn on_trial() -> State {
    let installing = settled().begin_install(&b(), &a()).unwrap();
    installing.finish_install(&b(), &a(), 3, Some(b"0123456789abcdef"), false).unwrap()
}

/// The state that is stored after a boot on which all goes well, and the slot that boots.
fn booted(state: &State) -> (State, Chosen) {
    let mut machine = Working::default();
    let boot = next_boot(state, &mut machine);
    (machine.stored.pop().unwrap_or_else(|| state.clone()), boot.chosen)
}

#[test]
fn names_are_what_every_part_can_use() {
    for good in ["A", "system_1", "0123456789abcdef"] {
        assert_eq!(name(good).as_str(), good);
    }
    for bad in ["", "0123456789abcdefg", "a-b", "a b", "a;b", "ä", "${x}"] {
        assert_eq!(Name::new(bad), None, "{bad}");
    }
}

#[test]
fn an_update_takes_four_stores_and_a_normal_boot_none() {
    let settled = settled();
    assert_eq!(booted(&settled), (settled.clone(), Chosen::Slot(a())));

    let installing = settled.begin_install(&b(), &a()).unwrap();
    let trial = installing.finish_install(&b(), &a(), 3, Some(b"id"), false).unwrap();
    let (counted, runs) = booted(&trial);
    assert_eq!(runs, Chosen::Slot(b()));
    assert_eq!(counted.tries, Field::Is(2));
    let confirmed = counted.confirm(&b(), &b()).unwrap();

    assert_eq!(confirmed.standing(), Standing::Confirmed(&b()));
    assert_eq!(booted(&confirmed), (confirmed.clone(), Chosen::Slot(b())));
    assert_eq!((confirmed.update, confirmed.failed, confirmed.rollback), (None, None, Field::Absent));
}

#[test]
fn a_trial_that_is_never_confirmed_ends_after_its_tries() {
    let mut state = on_trial();
    for _ in 0..3 {
        let (next, runs) = booted(&state);
        assert_eq!(runs, Chosen::Slot(b()));
        state = next;
    }
    let (state, runs) = booted(&state);
    assert_eq!(runs, Chosen::Slot(a()));
    assert_eq!(state.standing(), Standing::Confirmed(&a()));
    let failure = Failure { slot: b(), reason: Reason::Tries, update: b"0123456789abcdef".to_vec() };
    assert_eq!(state.last_failure(), Some(failure));
    assert_eq!(
        state.try_slot(&b(), &a(), 3, false).unwrap_err().to_string(),
        "slot B has failed (tries); install another update, or say that it is to be tried again (--again)"
    );
}

#[test]
fn every_order_given_twice_changes_nothing_the_second_time() {
    let once = settled();
    assert_eq!(once.confirm(&a(), &a()).unwrap(), once);
    let once = settled().begin_install(&b(), &a()).unwrap();
    assert_eq!(once.begin_install(&b(), &a()).unwrap(), once);
    let once = on_trial();
    assert_eq!(once.finish_install(&b(), &a(), 3, Some(b"0123456789abcdef"), false).unwrap(), once);
    assert_eq!(once.try_slot(&b(), &a(), 3, false).unwrap(), once);
    let (counted, _) = booted(&on_trial());
    let once = counted.roll_back(&b(), Reason::Health).unwrap();
    assert_eq!(once.roll_back(&b(), Reason::Health).unwrap(), once);
    let once = settled().mark_good(&b()).unwrap();
    assert_eq!(once.mark_good(&b()).unwrap(), once);
    let twice = once.set_active(&b(), &a()).unwrap();
    assert_eq!(twice.set_active(&b(), &a()).unwrap(), twice);
    let once = settled().mark_bad(&b(), &a()).unwrap();
    assert_eq!(once.mark_bad(&b(), &a()).unwrap(), once);
    let once = State::factory(&Board::default());
    assert_eq!(once.init(Some(&b())).unwrap(), once);
}

#[test]
fn an_order_that_began_a_trial_is_done_already_in_the_slot_on_trial() {
    let id = Some(&b"0123456789abcdef"[..]);
    let mut state = on_trial();
    for _ in 0..3 {
        (state, _) = booted(&state);
        assert_eq!(state.finish_install(&b(), &b(), 3, id, false).unwrap(), state);
        assert_eq!(state.try_slot(&b(), &b(), 3, false).unwrap(), state);
    }
    assert_eq!(state.tries, Field::Is(0));
    // Another update is another order, and the tries are still checked.
    assert!(matches!(state.finish_install(&b(), &b(), 3, Some(b"other"), false), Err(Refusal::NotBegun(..))));
    assert_eq!(state.try_slot(&b(), &b(), 0, false), Err(Refusal::Tries(0)));
    let confirmed = state.confirm(&b(), &b()).unwrap();
    assert_eq!(confirmed.try_slot(&b(), &b(), 3, false), Err(Refusal::Running(b())));
}

#[test]
fn dangerous_orders_are_refused() {
    let settled = settled();
    let (running_b, _) = booted(&on_trial());
    let bad_b = settled.mark_bad(&b(), &a()).unwrap();
    let id = Some(&b"x"[..]);
    let refusals = [
        (settled.begin_install(&a(), &a()), Refusal::Running(a())),
        (settled.begin_install(&name("C"), &a()), Refusal::NoSuchSlot(name("C"), "A, B".into())),
        (running_b.begin_install(&a(), &b()), Refusal::Rollback(a())),
        (running_b.mark_bad(&a(), &b()), Refusal::Rollback(a())),
        (State::factory(&Board::default()).try_slot(&b(), &a(), 3, false), Refusal::Rollback(b())),
        (running_b.set_active(&a(), &b()), Refusal::Unconfirmed(b())),
        (
            settled.finish_install(&b(), &a(), 3, id, false),
            Refusal::NotBegun(b(), "neither good nor being written"),
        ),
        (settled.try_slot(&b(), &a(), 0, false), Refusal::Tries(0)),
        (settled.try_slot(&b(), &a(), 10, false), Refusal::Tries(10)),
        (settled.set_active(&b(), &a()), Refusal::NeverConfirmed(b())),
        (running_b.confirm(&a(), &b()), Refusal::NotRunning(a(), b())),
        (settled.roll_back(&a(), Reason::User), Refusal::NoTrial(a())),
        (on_trial().mark_good(&b()), Refusal::OnTrial(b())),
        (on_trial().mark_bad(&b(), &a()), Refusal::OnTrial(b())),
    ];
    for (outcome, refusal) in refusals {
        assert_eq!(outcome, Err(refusal));
    }
    for outcome in [bad_b.try_slot(&b(), &a(), 3, false), bad_b.set_active(&b(), &a())] {
        assert!(matches!(outcome, Err(Refusal::Failed(..))), "{outcome:?}");
    }
    let half_b = settled.begin_install(&b(), &a()).unwrap();
    for outcome in [
        half_b.try_slot(&b(), &a(), 3, true),
        half_b.set_active(&b(), &a()),
        half_b.confirm(&b(), &b()),
        half_b.mark_good(&b()),
    ] {
        assert_eq!(outcome, Err(Refusal::Writing(b())));
    }

    let mut alone = State::factory(&Board::default());
    alone.set_mark(&b(), Field::Is(Mark::Writing));
    assert_eq!(alone.roll_back(&a(), Reason::User), Err(Refusal::NothingLeft(a())));

    let three = Board { slots: vec![a(), b(), name("C")], ..Board::default() };
    let factory = State::factory(&three);
    assert_eq!(factory.begin_install(&name("C"), &a()), Err(Refusal::Unconfirmed(a())));
}

#[test]
fn installing_calls_off_a_trial_that_was_not_booted_yet() {
    let state = on_trial().begin_install(&b(), &a()).unwrap();
    assert_eq!(state.standing(), Standing::Confirmed(&a()));
    assert_eq!(booted(&state), (state.clone(), Chosen::Slot(a())));
}

#[test]
fn a_slot_is_confirmed_only_where_its_own_mark_says_so() {
    let mut state = settled();
    state.set_mark(&a(), Field::Absent);
    assert_eq!(state.standing(), Standing::Trial { slot: &a(), left: 3 });
    assert_eq!(state.try_slot(&b(), &a(), 1, false), Err(Refusal::Unconfirmed(a())));
}

#[test]
fn a_slot_that_runs_in_the_place_of_the_active_one_is_marked_good_and_no_more() {
    let state = settled().confirm(&b(), &b()).unwrap();
    assert_eq!(state.standing(), Standing::Confirmed(&a()));
    assert!(state.is_confirmed(&b()));
}

#[test]
fn nonsense_is_judged_as_absent_and_kept() {
    let odd =
        State { active: Field::Odd(b"; reset".to_vec()), success: Field::Odd(b"yes".to_vec()), ..settled() };
    assert_eq!(odd.init(None).unwrap(), odd);
    let (state, runs) = booted(&odd);
    assert_eq!(runs, Chosen::Slot(a()));
    assert_eq!(state.standing(), Standing::Confirmed(&a()));

    // A good active slot that nobody calls confirmed is booted, and counted.
    let odd = State { success: Field::Odd(b"yes".to_vec()), tries: Field::Absent, ..settled() };
    let counted = State { success: Field::Is(false), tries: Field::Is(2), ..settled() };
    assert_eq!(booted(&odd), (counted, Chosen::Slot(a())));
}

struct Broken<'a> {
    loads: &'a [Name],
    saves: bool,
    stored: Vec<State>,
}

impl Machine for Broken<'_> {
    fn loads(&mut self, slot: &Name) -> bool {
        self.loads.contains(slot)
    }
    fn save(&mut self, state: &State) -> bool {
        if self.saves {
            self.stored.push(state.clone());
        }
        self.saves
    }
    fn has_recovery(&self) -> bool {
        false
    }
}

#[test]
fn a_trial_that_does_not_load_fails_in_the_same_boot() {
    let mut machine = Broken { loads: &[a()], saves: true, stored: vec![] };
    let boot = next_boot(&on_trial(), &mut machine);
    assert_eq!(boot.chosen, Chosen::Slot(a()));
    assert_eq!(machine.stored.len(), 2);
    assert_eq!(machine.stored[1].last_failure().unwrap().reason, Reason::Load);
    let why: Vec<String> = boot.steps.iter().map(Step::to_string).collect();
    assert_eq!(
        why,
        [
            "slot B is on trial, 2 more tries after this boot",
            "slot B does not load",
            "slot B is on trial and does not load: it has failed",
            "back to slot A, which is good",
        ]
    );
}

#[test]
fn a_trial_that_can_not_be_counted_goes_last() {
    for (loads, chosen) in [(vec![a(), b()], a()), (vec![b()], b())] {
        let mut machine = Broken { loads: &loads, saves: false, stored: vec![] };
        assert_eq!(next_boot(&on_trial(), &mut machine).chosen, Chosen::Slot(chosen));
    }
}

#[test]
fn with_every_slot_failed_the_first_one_has_another_trial() {
    let mut state = State::factory(&Board::default());
    let mut machine = Broken { loads: &[], saves: true, stored: vec![] };
    assert_eq!(next_boot(&state, &mut machine).chosen, Chosen::Recovery);
    state.failed = Some(b"B:load:".to_vec());
    for slot in [a(), b()] {
        state.set_mark(&slot, Field::Is(Mark::Failed));
    }
    assert_eq!(machine.stored.pop(), Some(state));
}

#[test]
fn one_variable_alone_is_a_state_that_init_keeps() {
    let empty = {
        let mut state = State::factory(&Board::default());
        state.active = Field::Absent;
        state.success = Field::Absent;
        state.tries = Field::Absent;
        state.rollback = Field::Absent;
        state
    };
    assert_ne!(empty.init(None).unwrap(), empty, "nothing is there: it starts anew");
    let marked = |slot: &Name, mark| {
        let mut state = empty.clone();
        state.set_mark(slot, mark);
        state
    };
    for alone in [
        State { active: Field::Is(a()), ..empty.clone() },
        State { active: Field::Odd(b"?".to_vec()), ..empty.clone() },
        State { success: Field::Is(false), ..empty.clone() },
        State { tries: Field::Is(0), ..empty.clone() },
        State { rollback: Field::Is(b()), ..empty.clone() },
        marked(&a(), Field::Is(Mark::Good)),
        marked(&b(), Field::Is(Mark::Writing)),
    ] {
        assert_eq!(alone.init(None).unwrap(), alone);
        assert_eq!(alone.init(Some(&b())).unwrap(), alone);
    }
}

#[test]
fn of_slots_with_the_same_mark_the_rollback_slot_is_the_first_successor() {
    let board = Board { slots: ["A", "B", "C", "D"].map(name).to_vec(), ..Board::default() };
    let mut state = State::factory(&board);
    state.rollback = Field::Is(name("D"));
    assert_eq!(state.successors(Some(&a())), ["D", "B", "C"].map(name));
    for slot in ["C", "D"] {
        state.set_mark(&name(slot), Field::Is(Mark::Good));
    }
    assert_eq!(state.successors(Some(&a())), ["D", "C", "B"].map(name));
    state.rollback = Field::Is(b());
    assert_eq!(state.successors(Some(&a())), ["C", "D", "B"].map(name));
    // Those that have failed are taken in turn, the rollback slot among them.
    for slot in ["B", "C", "D"] {
        state.set_mark(&name(slot), Field::Is(Mark::Failed));
    }
    state.rollback = Field::Is(name("D"));
    assert_eq!(state.successors(Some(&b())), ["A", "C", "D"].map(name));
}
