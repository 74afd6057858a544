//! Pure: the next step, from what the server offers and what the device knows.
//!
//! | what the device knows of an action | nothing asked | to be carried out | to be called off |
//! |---|---|---|---|
//! | nothing | wait | install | it is called off |
//! | accepted, nothing boots yet | wait | install | call it off, tell |
//! | waits for the reboot | call it off | reboot | call it off, tell |
//! | its slot runs, on trial | wait | wait | roll back, reboot, tell |
//! | given up, and still runs | wait | wait | reboot, if it was given up for this |
//! | ended, not told | tell | tell | refuse, tell |
//! | ended and told | wait | tell it again, once in a visit | refuse; or tell again that it is called off |
//!
//! What has ended comes first, whatever the server wants: it does not become untrue by that.

use crate::ddi::Handling;

/// How an action has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The device runs the update, and it is confirmed.
    Success,
    /// It does not, and why.
    Failure(String),
    /// It was called off.
    Canceled,
}

impl Ending {
    /// As it stands in the journal.
    pub fn to_text(&self) -> String {
        match self {
            Ending::Success => "success".into(),
            Ending::Failure(reason) => format!("failure {reason}"),
            Ending::Canceled => "canceled".into(),
        }
    }

    /// What stands in the journal. Anything else is a failure: it was no success.
    pub fn of(text: &str) -> Ending {
        match text {
            "success" => Ending::Success,
            "canceled" => Ending::Canceled,
            _ => Ending::Failure(text.strip_prefix("failure ").unwrap_or(text).into()),
        }
    }
}

/// How far the update of an action is on this device.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Stage {
    /// Nothing of it boots.
    #[default]
    Idle,
    /// The next boot is its first one.
    Waiting,
    /// It runs, on trial.
    OnTrial,
    /// It was given up, and runs until the reboot.
    Leaving(String),
    /// It was given up, and another slot runs.
    RolledBack(String),
    /// It was confirmed.
    Confirmed,
    /// It was never decided, and will not be.
    Abandoned(String),
}

/// What the device knows of an action.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Known {
    /// Its number.
    pub id: String,
    /// How far its update is.
    pub stage: Stage,
    /// Why it can't be carried out, for good.
    pub failed: Option<String>,
    /// There was nothing to do: the update runs already.
    pub done: bool,
    /// It is being called off while it runs: the trial is to end.
    pub leaving: bool,
    /// It was called off.
    pub called_off: bool,
    /// It is in the slot, and waits for the server's leave to boot.
    pub held: bool,
    /// The server has heard that it is in the slot.
    pub told_installed: bool,
    /// The server has heard that it runs.
    pub told_trial: bool,
    /// The result that the server has.
    pub closed: Option<Ending>,
}

impl Known {
    /// How it has ended, if it has.
    pub fn ending(&self) -> Option<Ending> {
        if let Some(reason) = &self.failed {
            return Some(Ending::Failure(reason.clone()));
        }
        if self.called_off {
            return Some(Ending::Canceled);
        }
        match &self.stage {
            Stage::Confirmed => Some(Ending::Success),
            Stage::RolledBack(reason) if self.leaving && reason == "user" => Some(Ending::Canceled),
            Stage::RolledBack(reason) => Some(Ending::Failure(format!("rolled back: {reason}"))),
            Stage::Abandoned(reason) => Some(Ending::Failure(format!("abandoned: {reason}"))),
            Stage::Idle if self.done => Some(Ending::Success),
            Stage::Idle | Stage::Waiting | Stage::OnTrial | Stage::Leaving(_) => None,
        }
    }
}

/// What the device knows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// The actions of this server, oldest first.
    pub actions: Vec<Known>,
    /// Something can be installed: the running slot is confirmed, and nobody else's update waits.
    pub free: bool,
}

/// What the server wants now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Offer {
    /// Nothing.
    #[default]
    Nothing,
    /// An action to carry out; `None`: it was not looked at yet.
    Deployment(String, Option<How>),
    /// An action to call off, by the number of the order and its own.
    Cancel(String, String),
    /// An action that somebody has to agree to.
    Confirmation(String),
}

/// When an action may be downloaded and started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct How {
    /// Whether to download it.
    pub download: Handling,
    /// Whether to start it.
    pub update: Handling,
}

/// What was done in this visit already, and is not done twice in it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Visit {
    /// Orders to call off that were refused.
    pub refused: Vec<String>,
    /// Actions that were closed.
    pub closed: Vec<String>,
    /// Actions whose installation was tried.
    pub tried: Vec<String>,
    /// Actions that somebody was asked about.
    pub asked: Vec<String>,
}

/// What to do next. Where it has a number, that is the action's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Tell the server how it has ended.
    Tell(String, Ending),
    /// Refuse an order to call off, by its number: it is too late.
    Refuse(String),
    /// Tell the server that an action was called off, by the number of the order and its own.
    ToldOff(String, String),
    /// Call it off: it is not to boot.
    CallOff(String),
    /// End its trial.
    RollBack(String),
    /// Look at what the server says of it.
    Look(String),
    /// Install it. With `true`, it is not to boot yet.
    Install(String, bool),
    /// Tell the server that it is in the slot.
    TellInstalled(String),
    /// Tell the server that it runs, on trial.
    TellTrial(String),
    /// Boot into another slot.
    Reboot(String),
    /// Ask somebody whether it may be carried out.
    Ask(String),
    /// Nothing, until the next visit.
    Wait,
}

/// The next step.
pub fn decide(facts: &Facts, offer: &Offer, visit: &Visit) -> Step {
    let open = || facts.actions.iter().filter(|action| action.closed.is_none());
    for action in open() {
        let Some(ending) = action.ending() else { continue };
        return match offer {
            Offer::Cancel(order, stop) if *stop == action.id => match ending {
                Ending::Canceled => Step::ToldOff(order.clone(), stop.clone()),
                _ if !visit.refused.contains(order) => Step::Refuse(order.clone()),
                ending => Step::Tell(action.id.clone(), ending),
            },
            _ => Step::Tell(action.id.clone(), ending),
        };
    }
    // Once it is recorded that a trial is to end, it ends, whatever the server says by then.
    if let Some(action) = open().find(|action| action.leaving) {
        match action.stage {
            Stage::OnTrial => return Step::RollBack(action.id.clone()),
            Stage::Leaving(_) => return Step::Reboot(action.id.clone()),
            _ => {}
        }
    }
    let known = |id: &str| facts.actions.iter().find(|action| action.id == id);
    match offer {
        Offer::Nothing => match open().find(|action| action.stage == Stage::Waiting) {
            Some(action) => Step::CallOff(action.id.clone()),
            None => Step::Wait,
        },
        Offer::Cancel(order, stop) => cancel(known(stop), order, stop, visit),
        Offer::Deployment(id, how) => deployment(facts, known(id), id, *how, visit),
        Offer::Confirmation(id) if visit.asked.contains(id) => Step::Wait,
        Offer::Confirmation(id) => Step::Ask(id.clone()),
    }
}

fn cancel(known: Option<&Known>, order: &str, stop: &str, visit: &Visit) -> Step {
    let told_off = || match visit.closed.iter().any(|closed| closed == stop) {
        // The server does not listen.
        true => Step::Wait,
        false => Step::ToldOff(order.into(), stop.into()),
    };
    let Some(action) = known else { return told_off() };
    match (&action.closed, &action.stage) {
        (Some(Ending::Canceled), _) => told_off(),
        // It has heard the result, and has lost it.
        (Some(_), _) if visit.refused.iter().any(|refused| refused == order) => Step::Wait,
        (Some(_), _) => Step::Refuse(order.into()),
        (None, Stage::Idle | Stage::Waiting) => Step::CallOff(action.id.clone()),
        (None, Stage::OnTrial) => Step::RollBack(action.id.clone()),
        // What is given up for another reason is left by those who gave it up, and what has ended was told above.
        (None, _) => Step::Wait,
    }
}

fn deployment(facts: &Facts, known: Option<&Known>, id: &str, how: Option<How>, visit: &Visit) -> Step {
    let new = Known::default();
    let action = known.unwrap_or(&new);
    if let Some(ending) = &action.closed {
        // It was told, and the server does not know it any more.
        return match visit.closed.iter().any(|closed| closed == id) {
            true => Step::Wait,
            false => Step::Tell(id.into(), ending.clone()),
        };
    }
    match action.stage {
        Stage::OnTrial if !action.told_trial => return Step::TellTrial(id.into()),
        Stage::Waiting if !action.told_installed => return Step::TellInstalled(id.into()),
        Stage::Waiting => {}
        Stage::Idle if facts.free && !visit.tried.iter().any(|tried| tried == id) => {}
        _ => return Step::Wait,
    }
    let Some(how) = how else { return Step::Look(id.into()) };
    let may_boot = how.update != Handling::Skip;
    match action.stage {
        Stage::Waiting if may_boot => Step::Reboot(id.into()),
        Stage::Waiting => Step::Wait,
        _ if how.download == Handling::Skip => Step::Wait,
        _ if may_boot => Step::Install(id.into(), false),
        _ if action.held => Step::Wait,
        _ => Step::Install(id.into(), true),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]
mod tests {
    use super::*;

    fn known(stage: Stage) -> Known {
        Known { id: "8".into(), stage, told_installed: true, told_trial: true, ..Known::default() }
    }

    fn facts(action: Known) -> Facts {
        Facts { actions: vec![action], free: true }
    }

    fn deployment(how: Option<[Handling; 2]>) -> Offer {
        Offer::Deployment("8".into(), how.map(|[download, update]| How { download, update }))
    }

    fn now() -> Offer {
        deployment(Some([Handling::Forced; 2]))
    }

    fn cancel() -> Offer {
        Offer::Cancel("11".into(), "8".into())
    }

    fn step(action: Known, offer: Offer) -> Step {
        decide(&facts(action), &offer, &Visit::default())
    }

    #[test]
    fn the_table_holds() {
        let id = || "8".to_string();
        let told_off = || Step::ToldOff("11".into(), id());
        let nothing = Facts { actions: vec![], free: true };
        let first = |offer| decide(&nothing, &offer, &Visit::default());
        assert_eq!(first(Offer::Nothing), Step::Wait);
        assert_eq!(first(deployment(None)), Step::Look(id()));
        assert_eq!(first(now()), Step::Install(id(), false));
        assert_eq!(first(cancel()), told_off());
        for (stage, expected) in [
            (Stage::Idle, [Step::Wait, Step::Install(id(), false), Step::CallOff(id())]),
            (Stage::Waiting, [Step::CallOff(id()), Step::Reboot(id()), Step::CallOff(id())]),
            (Stage::OnTrial, [Step::Wait, Step::Wait, Step::RollBack(id())]),
            (Stage::Leaving("health".into()), [Step::Wait, Step::Wait, Step::Wait]),
        ] {
            let steps = [Offer::Nothing, now(), cancel()].map(|offer| step(known(stage.clone()), offer));
            assert_eq!(steps, expected, "{stage:?}");
        }
        for (stage, ending) in [
            (Stage::Confirmed, Ending::Success),
            (Stage::RolledBack("tries".into()), Ending::Failure("rolled back: tries".into())),
            (Stage::Abandoned("another".into()), Ending::Failure("abandoned: another".into())),
        ] {
            let tell = || Step::Tell(id(), ending.clone());
            let steps = [Offer::Nothing, now(), cancel()].map(|offer| step(known(stage.clone()), offer));
            assert_eq!(steps, [tell(), tell(), Step::Refuse("11".into())]);
            let refused = Visit { refused: vec!["11".into()], ..Visit::default() };
            assert_eq!(decide(&facts(known(stage.clone())), &cancel(), &refused), tell());
            let closed = Known { closed: Some(ending.clone()), ..known(stage) };
            let steps = [Offer::Nothing, now(), cancel()].map(|offer| step(closed.clone(), offer));
            assert_eq!(steps, [Step::Wait, tell(), Step::Refuse("11".into())]);
            let told = Visit { closed: vec![id()], refused: vec!["11".into()], ..Visit::default() };
            for offer in [now(), cancel()] {
                assert_eq!(decide(&facts(closed.clone()), &offer, &told), Step::Wait);
            }
        }
    }

    #[test]
    fn a_trial_that_is_called_off_ends_and_is_told_so_unless_it_was_confirmed_meanwhile() {
        let leaving = |stage| Known { leaving: true, ..known(stage) };
        assert_eq!(step(leaving(Stage::OnTrial), Offer::Nothing), Step::RollBack("8".into()));
        assert_eq!(step(leaving(Stage::Leaving("user".into())), cancel()), Step::Reboot("8".into()));
        let left = step(leaving(Stage::RolledBack("user".into())), cancel());
        assert_eq!(left, Step::ToldOff("11".into(), "8".into()));
        assert_eq!(step(leaving(Stage::Confirmed), cancel()), Step::Refuse("11".into()));
        let health = Stage::RolledBack("health".into());
        assert_eq!(step(leaving(health), cancel()), Step::Refuse("11".into()));
    }

    #[test]
    fn windows_and_consent_are_kept() {
        use Handling::{Attempt, Forced, Skip};
        let idle = || known(Stage::Idle);
        for (how, expected) in [
            ([Skip, Skip], Step::Wait),
            ([Skip, Forced], Step::Wait),
            ([Forced, Skip], Step::Install("8".into(), true)),
            ([Attempt, Attempt], Step::Install("8".into(), false)),
        ] {
            assert_eq!(step(idle(), deployment(Some(how))), expected, "{how:?}");
        }
        let held = Known { held: true, ..idle() };
        assert_eq!(step(held.clone(), deployment(Some([Forced, Skip]))), Step::Wait);
        assert_eq!(step(held, now()), Step::Install("8".into(), false));
        assert_eq!(step(known(Stage::Waiting), deployment(Some([Forced, Skip]))), Step::Wait);
        let ask = Offer::Confirmation("8".into());
        assert_eq!(step(idle(), ask.clone()), Step::Ask("8".into()));
        let asked = Visit { asked: vec!["8".into()], ..Visit::default() };
        assert_eq!(decide(&facts(idle()), &ask, &asked), Step::Wait);
    }

    #[test]
    fn it_does_not_install_over_what_is_not_decided_and_not_twice_in_a_visit() {
        let busy = Facts { free: false, ..Facts::default() };
        assert_eq!(decide(&busy, &now(), &Visit::default()), Step::Wait);
        let tried = Visit { tried: vec!["8".into()], ..Visit::default() };
        assert_eq!(decide(&facts(known(Stage::Idle)), &now(), &tried), Step::Wait);
    }

    #[test]
    fn each_stage_is_told_once() {
        let waiting = Known { told_installed: false, ..known(Stage::Waiting) };
        assert_eq!(step(waiting, now()), Step::TellInstalled("8".into()));
        let trial = Known { told_trial: false, ..known(Stage::OnTrial) };
        assert_eq!(step(trial, now()), Step::TellTrial("8".into()));
    }

    mod properties {
        use proptest::prelude::*;

        use super::*;

        fn stages() -> impl Strategy<Value = Stage> {
            let words = prop::sample::select(vec!["user", "health", "tries"]);
            (0..7, words).prop_map(|(stage, word)| match stage {
                0 => Stage::Idle,
                1 => Stage::Waiting,
                2 => Stage::OnTrial,
                3 => Stage::Leaving(word.into()),
                4 => Stage::RolledBack(word.into()),
                5 => Stage::Confirmed,
                _ => Stage::Abandoned(word.into()),
            })
        }

        fn actions() -> impl Strategy<Value = Known> {
            let ends = prop::option::of(prop::sample::select(vec![Ending::Success, Ending::Canceled]));
            let flags = prop::collection::vec(any::<bool>(), 7);
            let id = prop::sample::select(vec!["7", "8", "9"]);
            (id, stages(), flags, ends).prop_map(|(id, stage, is, closed)| Known {
                id: id.into(),
                stage,
                failed: is[0].then(|| "why".into()),
                done: is[1],
                leaving: is[2],
                called_off: is[3],
                held: is[4],
                told_installed: is[5],
                told_trial: is[6],
                closed,
            })
        }

        fn offers() -> impl Strategy<Value = Offer> {
            let id = prop::sample::select(vec!["7", "8", "9"]).prop_map(str::to_owned);
            let word = || prop::sample::select(vec![Handling::Skip, Handling::Attempt, Handling::Forced]);
            let how =
                prop::option::of((word(), word()).prop_map(|(download, update)| How { download, update }));
            prop_oneof![
                Just(Offer::Nothing),
                (id.clone(), how).prop_map(|(id, how)| Offer::Deployment(id, how)),
                id.clone().prop_map(|id| Offer::Cancel(format!("order-{id}"), id)),
                id.prop_map(Offer::Confirmation),
            ]
        }

        proptest! {
            #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]
            #[test]
            fn whatever_is_known_and_offered_no_step_is_wrong(
                mut actions in prop::collection::vec(actions(), 0..3),
                free in any::<bool>(),
                offer in offers(),
            ) {
                actions.sort_by(|one, other| one.id.cmp(&other.id));
                actions.dedup_by(|one, other| one.id == other.id);
                let facts = Facts { actions, free };
                let known = |id: &str| facts.actions.iter().find(|action| action.id == id).cloned();
                let untold = facts.actions.iter().any(|action| action.closed.is_none() && action.ending().is_some());
                let step = decide(&facts, &offer, &Visit::default());
                if untold {
                    let tells = matches!(step, Step::Tell(..) | Step::Refuse(_) | Step::ToldOff(..));
                    prop_assert!(tells, "what has ended comes first: {:?}", step);
                }
                match &step {
                    Step::Tell(id, Ending::Success) => {
                        let action = known(id).unwrap();
                        let is = action.stage == Stage::Confirmed || action.done && action.stage == Stage::Idle;
                        prop_assert!(is || action.closed == Some(Ending::Success), "{:?}", action);
                    }
                    Step::Install(id, hold) => {
                        let Offer::Deployment(of, Some(how)) = &offer else { panic!("{offer:?}") };
                        prop_assert!(of == id && free && how.download != Handling::Skip);
                        prop_assert_eq!(*hold, how.update == Handling::Skip);
                        let action = known(id).unwrap_or_default();
                        prop_assert!(action.stage == Stage::Idle && action.closed.is_none());
                    }
                    Step::Reboot(id) => {
                        let action = known(id).unwrap();
                        let may = matches!(&offer, Offer::Deployment(of, Some(how)) if of == id && how.update != Handling::Skip);
                        let leaves = action.leaving && matches!(action.stage, Stage::Leaving(_));
                        prop_assert!(leaves || may && action.stage == Stage::Waiting, "{:?}", action);
                    }
                    Step::RollBack(id) => {
                        let action = known(id).unwrap();
                        let wanted = matches!(&offer, Offer::Cancel(_, stop) if stop == id);
                        prop_assert!(action.stage == Stage::OnTrial && (action.leaving || wanted));
                    }
                    Step::CallOff(id) => {
                        let stage = known(id).unwrap().stage;
                        prop_assert!(matches!(stage, Stage::Idle | Stage::Waiting), "{:?}", stage);
                        prop_assert!(matches!(offer, Offer::Cancel(..) | Offer::Nothing));
                    }
                    _ => {}
                }
            }
        }
    }

    #[test]
    fn endings_are_read_as_they_were_written() {
        for ending in [Ending::Success, Ending::Canceled, Ending::Failure("a b".into())] {
            assert_eq!(Ending::of(&ending.to_text()), ending);
        }
        assert_eq!(Ending::of("?"), Ending::Failure("?".into()));
    }
}
