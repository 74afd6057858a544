//! Pure: what the results of the checks add up to, at each instant.
//!
//! ```text
//!                     all hold for the settling time,
//!                     and once more at its end            none fails, or only those that may
//!   Continue  ---------------------------------------->   Healthy, Degraded
//!      |
//!      |  a check fails more often than it may, or fails at the deadline; by its policy:
//!      '----> RollBack > Reboot (RollBack, if there is no other try) > Wait
//! ```
//!
//! Times are milliseconds for which the device was awake, from the start of the decision.

use super::results::{Standing, Verdict};
use crate::settings::health::{OnFailure, Policy};

/// What is decided. The numbers are those of the checks, in the order in which they were given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Nothing yet.
    Continue,
    /// All checks have held for the settling time.
    Healthy,
    /// All that have to hold did. These failed, which is to be reported.
    Degraded(Vec<usize>),
    /// The slot is to be given up, because of these.
    RollBack(Vec<usize>),
    /// The next boot is another try, because of these.
    Reboot(Vec<usize>),
    /// Nobody decides but somebody who looks: these are not there, and nothing else is wrong.
    Wait(Vec<usize>),
}

impl Decision {
    /// Whether the slot can be confirmed.
    pub fn is_good(&self) -> bool {
        matches!(self, Decision::Healthy | Decision::Degraded(_))
    }

    /// The checks that led to it.
    pub fn because_of(&self) -> &[usize] {
        match self {
            Decision::Continue | Decision::Healthy => &[],
            Decision::Degraded(checks)
            | Decision::RollBack(checks)
            | Decision::Reboot(checks)
            | Decision::Wait(checks) => checks,
        }
    }

    /// One word for it.
    pub fn name(&self) -> &'static str {
        match self {
            Decision::Continue => "undecided",
            Decision::Healthy => "healthy",
            Decision::Degraded(_) => "degraded",
            Decision::RollBack(_) => "roll-back",
            Decision::Reboot(_) => "reboot",
            Decision::Wait(_) => "wait",
        }
    }
}

/// What the decision has to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// So long all checks have to hold, in milliseconds.
    pub settle: u64,
    /// From here on there is a decision.
    pub deadline: u64,
    /// Whether there is another try after this boot.
    pub more_tries: bool,
}

/// A check as the decision sees it.
#[derive(Debug, Clone)]
pub struct Judged {
    /// What its failure means.
    pub policy: Policy,
    /// Whether it failed in the old system, too.
    pub failed_before: bool,
    /// What is known of it now.
    pub standing: Standing,
}

impl Judged {
    /// What comes of its failure: what the old system failed as well is no regression.
    pub fn on_failure(&self) -> OnFailure {
        match self.policy.on_failure {
            // That it has to be there before anything is confirmed does not depend on the old system.
            OnFailure::Wait => OnFailure::Wait,
            _ if self.policy.baseline && self.failed_before => OnFailure::Degraded,
            other => other,
        }
    }

    fn holds(&self) -> bool {
        self.standing.last == Some(Verdict::Passed)
    }

    /// It has failed more often in a row than it may.
    fn is_exhausted(&self) -> bool {
        self.standing.failures > self.policy.retries
    }
}

/// When the settling ends, if all checks that have to hold do so now. The last look at them is to begin then.
pub fn settled_at(limits: &Limits, checks: &[Judged]) -> Option<u64> {
    let mut latest = 0;
    for check in checks {
        match (check.on_failure(), check.holds()) {
            (_, true) => latest = latest.max(check.standing.since),
            (OnFailure::Degraded, false) if check.is_exhausted() => {}
            (_, false) => return None,
        }
    }
    Some(latest.saturating_add(limits.settle))
}

/// What is decided at this instant.
pub fn decide(now: u64, limits: &Limits, checks: &[Judged]) -> Decision {
    let ended = now >= limits.deadline;
    let (mut roll_back, mut reboot, mut wait, mut degraded) = (vec![], vec![], vec![], vec![]);
    for (number, check) in checks.iter().enumerate() {
        // At the deadline it is not enough to have come up in the last moment.
        let settled = check.holds() && check.standing.since.saturating_add(limits.settle) <= now;
        let fails = check.is_exhausted() || (ended && !settled);
        match check.on_failure() {
            OnFailure::RollBack if fails => roll_back.push(number),
            OnFailure::Retry if ended && !settled => roll_back.push(number),
            OnFailure::Reboot if fails => reboot.push(number),
            OnFailure::Wait if ended && !settled => wait.push(number),
            OnFailure::Degraded if !check.holds() && fails => degraded.push(number),
            _ => {}
        }
    }
    if !roll_back.is_empty() {
        return Decision::RollBack(roll_back);
    }
    if !reboot.is_empty() {
        return if limits.more_tries { Decision::Reboot(reboot) } else { Decision::RollBack(reboot) };
    }
    if !wait.is_empty() {
        return Decision::Wait(wait);
    }
    if !ended {
        let Some(settled_at) = settled_at(limits, checks) else { return Decision::Continue };
        // Whatever held at the last look long ago may have broken since.
        let looked = |check: &Judged| !check.holds() || check.standing.seen >= settled_at;
        if now < settled_at || !checks.iter().all(looked) {
            return Decision::Continue;
        }
    }
    if degraded.is_empty() {
        Decision::Healthy
    } else {
        Decision::Degraded(degraded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::results::Observation;
    use crate::settings::health::Kind;
    use proptest::prelude::*;

    const LIMITS: Limits = Limits { settle: 100, deadline: 1000, more_tries: true };

    fn check(on_failure: OnFailure, retries: u32) -> Judged {
        let policy = Policy { on_failure, retries, ..Policy::of(&Kind::Route) };
        Judged { policy, failed_before: false, standing: Standing::default() }
    }

    fn saw(check: &mut Judged, begin: u64, end: u64, verdict: Verdict) {
        check.standing.observe(&Observation { begin, end, verdict, mark: None });
    }

    #[test]
    fn all_that_pass_at_once_are_healthy_when_they_have_settled() {
        let mut checks = vec![check(OnFailure::RollBack, 0), check(OnFailure::Retry, 0)];
        assert_eq!(decide(0, &LIMITS, &checks), Decision::Continue);
        saw(&mut checks[0], 0, 10, Verdict::Passed);
        saw(&mut checks[1], 0, 20, Verdict::Passed);
        assert_eq!(settled_at(&LIMITS, &checks), Some(120));
        // The time is over, but nobody has looked again.
        assert_eq!(decide(130, &LIMITS, &checks), Decision::Continue);
        saw(&mut checks[0], 120, 130, Verdict::Passed);
        assert_eq!(decide(130, &LIMITS, &checks), Decision::Continue);
        saw(&mut checks[1], 120, 131, Verdict::Passed);
        assert_eq!(decide(131, &LIMITS, &checks), Decision::Healthy);
        // One that has been restarted begins anew.
        let restarted =
            Observation { begin: 140, end: 141, verdict: Verdict::Passed, mark: Some("1".into()) };
        checks[1].standing.observe(&Observation { mark: Some("0".into()), ..restarted.clone() });
        checks[1].standing.observe(&restarted);
        assert_eq!(decide(141, &LIMITS, &checks), Decision::Continue);
        assert_eq!(settled_at(&LIMITS, &checks), Some(241));
    }

    #[test]
    fn each_policy_has_its_end() {
        let end = |on_failure, retries, failures: u64, now, before| {
            let mut checks = vec![check(on_failure, retries), check(OnFailure::RollBack, 0)];
            checks[0].failed_before = before;
            for run in 0..failures {
                saw(&mut checks[0], run, run, Verdict::Failed);
            }
            for at in [0, 800] {
                saw(&mut checks[1], at, at, Verdict::Passed);
            }
            decide(now, &LIMITS, &checks)
        };
        let list = vec![0];
        assert_eq!(end(OnFailure::RollBack, 1, 1, 900, false), Decision::Continue);
        assert_eq!(end(OnFailure::RollBack, 1, 2, 900, false), Decision::RollBack(list.clone()));
        assert_eq!(end(OnFailure::Retry, 0, 99, 999, false), Decision::Continue);
        assert_eq!(end(OnFailure::Retry, 0, 99, 1000, false), Decision::RollBack(list.clone()));
        assert_eq!(end(OnFailure::Retry, 0, 0, 1000, false), Decision::RollBack(list.clone()));
        assert_eq!(end(OnFailure::Reboot, 1, 2, 900, false), Decision::Reboot(list.clone()));
        assert_eq!(end(OnFailure::Degraded, 1, 1, 900, false), Decision::Continue);
        assert_eq!(end(OnFailure::Degraded, 1, 2, 900, false), Decision::Degraded(list.clone()));
        assert_eq!(end(OnFailure::Degraded, 1, 0, 1000, false), Decision::Degraded(list.clone()));
        assert_eq!(end(OnFailure::Wait, 0, 9, 900, false), Decision::Continue);
        assert_eq!(end(OnFailure::Wait, 0, 9, 1000, false), Decision::Wait(list.clone()));
        // What failed before the update is no regression; but who has to wait, waits.
        for policy in [OnFailure::RollBack, OnFailure::Retry, OnFailure::Reboot] {
            assert_eq!(end(policy, 0, 1, 900, true), Decision::Degraded(list.clone()));
        }
        assert_eq!(end(OnFailure::Wait, 0, 9, 1000, true), Decision::Wait(list));
    }

    #[test]
    fn the_last_try_is_rolled_back_and_the_worst_one_counts() {
        let mut checks =
            vec![check(OnFailure::Wait, 0), check(OnFailure::Reboot, 0), check(OnFailure::Degraded, 0)];
        for check in &mut checks {
            saw(check, 0, 1, Verdict::Failed);
        }
        assert_eq!(decide(2, &LIMITS, &checks), Decision::Reboot(vec![1]));
        let last = Limits { more_tries: false, ..LIMITS };
        assert_eq!(decide(2, &last, &checks), Decision::RollBack(vec![1]));
        checks.push(check(OnFailure::RollBack, 0));
        saw(&mut checks[3], 0, 1, Verdict::Hung);
        assert_eq!(decide(2, &LIMITS, &checks), Decision::RollBack(vec![3]));
        // Nothing to check is healthy after the settling.
        assert_eq!(decide(99, &LIMITS, &[]), Decision::Continue);
        assert_eq!(decide(100, &LIMITS, &[]), Decision::Healthy);
    }

    fn any_policy() -> impl Strategy<Value = Policy> {
        let on_failure = proptest::sample::select(&OnFailure::ALL[..]);
        (on_failure, 0..4_u32, any::<bool>()).prop_map(|(on_failure, retries, baseline)| Policy {
            on_failure,
            retries,
            baseline,
            ..Policy::of(&Kind::Route)
        })
    }

    /// Results of one check: pauses, lengths, verdicts, marks.
    type Story = Vec<(u64, u64, Verdict, u8)>;

    fn any_story() -> impl Strategy<Value = Story> {
        let verdict =
            prop_oneof![4 => Just(Verdict::Passed), 1 => Just(Verdict::Failed), 1 => Just(Verdict::Hung)];
        proptest::collection::vec((0..200_u64, 0..50_u64, verdict, 0..2_u8), 0..30)
    }

    /// Plays the stories and asks at each end of a run and at each 10 ms: the first decision, when, and what stood then.
    fn play(limits: &Limits, checks: &[(Policy, bool, Story)]) -> (u64, Decision, Vec<Judged>) {
        let mut judged: Vec<Judged> = checks
            .iter()
            .map(|(policy, before, _)| Judged {
                policy: *policy,
                failed_before: *before,
                standing: Standing::default(),
            })
            .collect();
        let mut events = Vec::new();
        for (number, (_, _, story)) in checks.iter().enumerate() {
            let mut now = 0;
            for (pause, length, verdict, mark) in story {
                let begin = now + pause;
                now = begin + length;
                let mark = Some(mark.to_string());
                events.push((now, number, Observation { begin, end: now, verdict: *verdict, mark }));
            }
        }
        events.sort_by_key(|(at, number, _)| (*at, *number));
        let mut events = events.into_iter().peekable();
        for now in (0..).step_by(10) {
            while let Some((_, number, seen)) = events.next_if(|(at, ..)| *at <= now) {
                judged[number].standing.observe(&seen);
            }
            match decide(now, limits, &judged) {
                Decision::Continue => {}
                decision => return (now, decision, judged),
            }
        }
        unreachable!()
    }

    proptest! {
        #[test]
        fn whatever_the_checks_do(
            checks in proptest::collection::vec((any_policy(), any::<bool>(), any_story()), 0..5),
            settle in 0..500_u64,
            more in 1..2000_u64,
            more_tries in any::<bool>(),
        ) {
            let limits = Limits { settle, deadline: settle + more, more_tries };
            let (now, decision, judged) = play(&limits, &checks);
            prop_assert!(now < limits.deadline + 10, "{decision:?} at {now}");
            let excused = |number: usize| checks[number].0.baseline && checks[number].1;
            for &number in decision.because_of() {
                let policy = checks[number].0.on_failure;
                match &decision {
                    Decision::RollBack(_) | Decision::Reboot(_) => {
                        prop_assert!(!excused(number) && policy != OnFailure::Degraded && policy != OnFailure::Wait);
                        prop_assert!(!matches!(decision, Decision::Reboot(_)) || more_tries);
                    }
                    Decision::Wait(_) => prop_assert!(policy == OnFailure::Wait && now >= limits.deadline),
                    Decision::Degraded(_) => {
                        prop_assert!(policy == OnFailure::Degraded || excused(number) && policy != OnFailure::Wait);
                    }
                    Decision::Continue | Decision::Healthy => prop_assert!(false),
                }
            }
            // The good end: whatever has to hold held for the whole settling time, without a failure, a hang or a restart.
            if decision.is_good() {
                prop_assert!(now >= settle);
                for (number, (policy, _, story)) in checks.iter().enumerate() {
                    let must = policy.on_failure == OnFailure::Wait
                        || policy.on_failure != OnFailure::Degraded && !excused(number);
                    if !must {
                        continue;
                    }
                    let (mut at, mut since, mut last_mark) = (0, None, None);
                    for (pause, length, verdict, mark) in story {
                        at += pause + length;
                        if at > now {
                            break;
                        }
                        let goes_on = *verdict == Verdict::Passed && last_mark == Some(*mark) && since.is_some();
                        since = match verdict {
                            Verdict::Passed if goes_on => since,
                            Verdict::Passed => Some(at),
                            _ => None,
                        };
                        last_mark = Some(*mark);
                    }
                    let held = since.is_some_and(|since| since + settle <= now);
                    prop_assert!(held, "check {number} at {now}: {:?}", judged[number]);
                }
            }
        }
    }
}
