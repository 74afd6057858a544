//! The loop: starts checks when they are due, hears how they end, asks for the decision, feeds the watchdog.
//!
//! It waits for nothing but the next event. Each run of a check has a thread that waits for it, and that tells the loop: so
//! a check that can't even be started, or not be killed, holds up nobody else.

use std::io;
use std::process::Command;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use super::baseline::Baseline;
use super::checks::{self, Finding};
use super::decision::{decide, settled_at, Decision, Judged, Limits};
use super::evidence::{Evidence, Report};
use super::results::{Observation, Standing, Verdict};
use super::watchdog::Feeder;
use super::{how, System, TAIL};
use crate::process::{self, End, Ran, Stop};
use crate::settings::health::{Check, Health};

/// The first pause after a failure, in milliseconds; each further one is twice as long.
const PAUSE: u64 = 1000;
/// The longest pause after a failure of a check that has no interval, in milliseconds.
const LONGEST_PAUSE: u64 = 10_000;
/// So many checks that are younger than [`YOUNG`] run at once. Older ones may be stuck, and don't count.
const AT_ONCE: usize = 4;
const YOUNG: u64 = 1000;
/// Between two looks at what is due there is at least so much time, in milliseconds.
const TICK: u64 = 10;
/// The pause after a run that was left behind, which may still be there, in milliseconds.
const LEFT_BEHIND: u64 = 60_000;
/// After SIGTERM a check has so long to end.
const GRACE: Duration = Duration::from_millis(500);
/// At the decision, so long is waited for checks that are stopped.
const LAST: Duration = Duration::from_secs(2);

/// What is new while checks run.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// A check ended in another way than its last run did, or it is the first one.
    Changed(&'a Check, Verdict, &'a str),
    /// The watchdog could not be fed.
    NotFed(&'a std::io::Error),
}

/// What the loop needs from its caller.
pub struct Caller<'a> {
    /// The command that makes this check. Its output is kept; exit code 0 is a pass.
    pub command: &'a (dyn Fn(&Check) -> Command + Sync),
    /// Hears what is new.
    pub on_event: &'a mut (dyn FnMut(Event<'_>) + Send),
}

/// Runs the checks to a decision. It is reached soon after the deadline at the latest, whatever the checks do.
pub fn decide_by(
    settings: &Health,
    checks: &[Check],
    system: &System,
    baseline: Option<&Baseline>,
    more_tries: bool,
    feeder: &mut Feeder,
    caller: &mut Caller<'_>,
) -> Report {
    let limits = Limits { settle: millis(settings.settle), deadline: millis(settings.deadline), more_tries };
    let mut all = Loop::new(checks, system, baseline, limits.deadline);
    loop {
        let now = all.now();
        let judged = all.judged();
        let decision = decide(now, &limits, &judged);
        if decision != Decision::Continue {
            return all.report(decision, now);
        }
        let settled = settled_at(&limits, &judged);
        let next = all.start(now, |check| due(check, settled), caller);
        if let Err(error) = feeder.feed(now) {
            (caller.on_event)(Event::NotFed(&error));
        }
        let ends = [Some(limits.deadline), settled.filter(|at| *at > now), feeder.next(), next];
        all.wait(ends.into_iter().flatten().min().unwrap_or(now), caller);
    }
}

/// Runs each check until it passes, or has failed as often as it may. Nothing is decided.
pub fn run_once(checks: &[Check], system: &System, caller: &mut Caller<'_>) -> Report {
    let mut all = Loop::new(checks, system, None, u64::MAX);
    loop {
        let now = all.now();
        let next = all.start(
            now,
            |check| {
                let over = check.standing.last == Some(Verdict::Passed)
                    || check.standing.failures > check.check.policy.retries;
                (!over).then(|| due(check, None)).flatten()
            },
            caller,
        );
        match next {
            None if all.checks.iter().all(|check| check.stop.is_none()) => {
                let failed: Vec<usize> =
                    (0..).zip(&all.checks).filter_map(|(n, c)| c.fails().then_some(n)).collect();
                let decision = if failed.is_empty() { Decision::Healthy } else { Decision::Degraded(failed) };
                return all.report(decision, now);
            }
            next => all.wait(next.unwrap_or(u64::MAX), caller),
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// One check in the loop.
struct Running<'a> {
    check: &'a Check,
    failed_before: bool,
    standing: Standing,
    /// The start and the end of its last run.
    begin: u64,
    end: u64,
    /// While it runs: what ends it.
    stop: Option<Stop>,
    /// Whether its last run was left behind.
    left_behind: bool,
    said: String,
    failure: Option<String>,
}

impl Running<'_> {
    fn fails(&self) -> bool {
        self.standing.last != Some(Verdict::Passed)
    }

    fn observe(&mut self, now: u64, verdict: Verdict, finding: Finding, caller: &mut Caller<'_>) {
        let changed = self.standing.last != Some(verdict);
        let Finding { says, mark } = finding;
        self.standing.observe(&Observation { begin: self.begin, end: now, verdict, mark });
        self.end = now;
        self.said = says;
        if verdict != Verdict::Passed {
            self.failure = Some(self.said.clone());
        }
        if changed {
            (caller.on_event)(Event::Changed(self.check, verdict, &self.said));
        }
    }

    fn ended(&mut self, now: u64, ran: io::Result<Ran>, caller: &mut Caller<'_>) {
        self.stop = None;
        let ran = match ran {
            Ok(ran) => ran,
            Err(error) => {
                let says = format!("it can't be started: {error}");
                return self.observe(now, Verdict::Failed, says.into(), caller);
            }
        };
        self.left_behind = ran.end == End::LeftBehind;
        let (verdict, finding) = match ran.end {
            End::Exited(0) => (Verdict::Passed, checks::heard(&self.check.kind, &ran.output)),
            end => {
                let text = String::from_utf8_lossy(&ran.output).trim_end().to_owned();
                let hung = matches!(end, End::TimedOut | End::LeftBehind);
                // The program's own checks say all there is to say; another one may have died without a word.
                let says = match end {
                    End::Exited(1) if !text.is_empty() => text,
                    end => format!("{text}\n{}", how(end)).trim_start().to_owned(),
                };
                (if hung { Verdict::Hung } else { Verdict::Failed }, says.into())
            }
        };
        self.observe(now, verdict, finding, caller);
    }
}

/// When a check that does not run is to be started; `None`: not until something else happens.
fn due(running: &Running<'_>, settled: Option<u64>) -> Option<u64> {
    let interval = running.check.policy.interval.map(millis);
    match running.standing.last {
        None => Some(0),
        Some(Verdict::Passed) => {
            let regular = interval.map(|interval| running.begin.saturating_add(interval));
            let last_look = settled.filter(|at| running.standing.seen < *at);
            match (regular, last_look) {
                // A run shortly before the last look would only delay it.
                (Some(regular), Some(last)) if regular.saturating_add(PAUSE) < last => Some(regular),
                (_, Some(last)) => Some(last),
                (regular, None) => regular,
            }
        }
        Some(Verdict::Hung) if running.left_behind => Some(running.end.saturating_add(LEFT_BEHIND)),
        Some(Verdict::Failed | Verdict::Hung) => {
            let doubled = PAUSE << running.standing.failures.saturating_sub(1).min(10);
            Some(running.end.saturating_add(doubled.min(interval.unwrap_or(LONGEST_PAUSE))))
        }
    }
}

/// The number of a check, and how its run ended.
type News = (usize, io::Result<Ran>);

struct Loop<'a> {
    begin: Instant,
    checks: Vec<Running<'a>>,
    system: &'a System,
    /// No run lasts longer than to this instant, in milliseconds.
    deadline: u64,
    tell: Sender<News>,
    news: Receiver<News>,
}

impl<'a> Loop<'a> {
    fn new(checks: &'a [Check], system: &'a System, baseline: Option<&Baseline>, deadline: u64) -> Loop<'a> {
        let running = |check: &'a Check| Running {
            check,
            failed_before: baseline.is_some_and(|baseline| baseline.failed(&check.name)),
            standing: Standing::default(),
            begin: 0,
            end: 0,
            stop: None,
            left_behind: false,
            said: String::new(),
            failure: None,
        };
        let (tell, news) = mpsc::channel();
        let checks = checks.iter().map(running).collect();
        Loop { begin: Instant::now(), checks, system, deadline, tell, news }
    }

    /// Milliseconds since the start. On Linux the clock behind it stands still while the device sleeps.
    fn now(&self) -> u64 {
        millis(self.begin.elapsed())
    }

    fn judged(&self) -> Vec<Judged> {
        let judged = |running: &Running<'_>| Judged {
            policy: running.check.policy,
            failed_before: running.failed_before,
            standing: running.standing.clone(),
        };
        self.checks.iter().map(judged).collect()
    }

    /// Starts what is due, and tells when the next one is.
    fn start(
        &mut self,
        now: u64,
        due: impl Fn(&Running<'_>) -> Option<u64>,
        caller: &mut Caller<'_>,
    ) -> Option<u64> {
        let young = |check: &Running<'_>| check.stop.is_some() && now < check.begin.saturating_add(YOUNG);
        let mut free = AT_ONCE.saturating_sub(self.checks.iter().filter(|check| young(check)).count());
        let mut next: Option<u64> = None;
        let (system, deadline) = (self.system, self.deadline);
        for (number, running) in self.checks.iter_mut().enumerate().filter(|(_, check)| check.stop.is_none())
        {
            let Some(at) = due(running) else { continue };
            if at > now || free == 0 {
                next = Some(next.unwrap_or(u64::MAX).min(at.max(now + TICK)));
                continue;
            }
            running.begin = now;
            if let Some(found) = checks::by_facts(&running.check.kind, system) {
                let (verdict, finding) = match found {
                    Ok(finding) => (Verdict::Passed, finding),
                    Err(says) => (Verdict::Failed, says.into()),
                };
                running.observe(now, verdict, finding, caller);
            } else {
                let left = Duration::from_millis(deadline.saturating_sub(now));
                let time = running.check.policy.timeout.min(left);
                let stop = Stop::default();
                match start(number, (caller.command)(running.check), time, &stop, &self.tell) {
                    Ok(()) => {
                        running.stop = Some(stop);
                        free -= 1;
                        continue;
                    }
                    Err(error) => running.ended(now, Err(error), caller),
                }
            }
            // It ended at once, and may be due again.
            next = Some(next.unwrap_or(u64::MAX).min(now + TICK));
        }
        next
    }

    /// Sleeps until this time, or until a check has ended.
    fn wait(&mut self, until: u64, caller: &mut Caller<'_>) {
        let longest = until.saturating_sub(self.now()).max(1);
        let mut news = self.news.recv_timeout(Duration::from_millis(longest)).ok();
        while let Some((number, ran)) = news {
            let now = self.now();
            if let Some(check) = self.checks.get_mut(number) {
                check.ended(now, ran, caller);
            }
            news = self.news.try_recv().ok();
        }
    }

    /// The end: whatever still runs is stopped.
    fn report(mut self, decision: Decision, now: u64) -> Report {
        let mut running = 0;
        for stop in self.checks.iter().filter_map(|check| check.stop.as_ref()) {
            stop.stop();
            running += 1;
        }
        let end = Instant::now();
        while running > 0 {
            let Ok((number, ran)) = self.news.recv_timeout(LAST.saturating_sub(end.elapsed())) else { break };
            running -= 1;
            // One that never ended by itself has said something as well.
            if let (Some(check), Ok(ran)) = (self.checks.get_mut(number), ran) {
                if check.standing.last.is_none() {
                    check.said = String::from_utf8_lossy(&ran.output).trim_end().to_owned();
                }
            }
        }
        let evidence = |running: Running<'_>| Evidence {
            name: running.check.name.clone(),
            on_failure: running.check.policy.on_failure,
            blame: running.check.policy.blame,
            failed_before: running.failed_before,
            verdict: running.standing.last,
            runs: running.standing.runs,
            at: running.end,
            says: running.said,
            failure: running.failure,
        };
        Report { decision, took: now, evidence: self.checks.into_iter().map(evidence).collect() }
    }
}

/// Starts a run, and a thread that waits for its end.
fn start(
    number: usize,
    mut command: Command,
    time: Duration,
    stop: &Stop,
    tell: &Sender<News>,
) -> io::Result<()> {
    // They are ours: a check that used them would speak for us.
    for variable in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"] {
        command.env_remove(variable);
    }
    let limits = process::Limits { time, grace: GRACE, output: TAIL };
    let (stop, tell) = (stop.clone(), tell.clone());
    let wait = move || {
        let ran = process::run_until(command, &limits, &stop);
        // Where nobody listens any more, the decision is over.
        let _ = tell.send((number, ran));
    };
    thread::Builder::new().name("check".into()).spawn(wait).map(drop)
}
