//! Pure: what all records say together, and which of them still count when the journal begins anew.

use std::collections::BTreeMap;

use super::action::{self, Action};
use super::event::{Event, Finding, Verdict};
use super::record::Record;

/// How many results are remembered, and with them the updates that failed.
const RESULTS: usize = 24;
/// How many orders since the last boot are remembered: each says what the environment may hold.
const ORDERS: usize = 8;

/// One attempt at an update, from the first byte that was written to the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Its name: the update id and a number. It is the same each time the journal is read.
    pub name: String,
    /// The number of the record that it began with; 0 where the journal knows only its end.
    pub number: u64,
    /// The update id.
    pub update: String,
    /// The version that the bundle has; empty where nobody said it.
    pub version: String,
    /// The slot.
    pub slot: String,
    /// When it began: seconds since 1970, as the clock had it.
    pub begun: u64,
    /// When it was decided.
    pub decided: Option<u64>,
    /// Whether the slot was put on trial.
    pub tried: bool,
    /// How often the slot was seen running before it was decided.
    pub boots: u32,
    /// Whether the order to confirm was about to be stored.
    pub confirming: bool,
    /// The reason, if an order was about to be stored that gives the update up.
    pub given_up: Option<String>,
    /// The last decision of the checks.
    pub decision: Option<String>,
    /// Whether the update is to blame, by the last decision.
    pub blame: bool,
    /// How it ended; `None`: it goes on.
    pub verdict: Option<Verdict>,
    /// Why: a word.
    pub reason: String,
    /// The checks that failed and what was found of a failed boot, as their records.
    pub evidence: Vec<Record>,
}

/// An update that has failed here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The update id.
    pub update: String,
    /// Its version; empty where nobody said it.
    pub version: String,
    /// The slot that it was in.
    pub slot: String,
    /// Why: a word.
    pub reason: String,
    /// Whether the update is to blame for it.
    pub blame: bool,
    /// When it was noticed: seconds since 1970, as the clock had it.
    pub time: u64,
    /// How often it has failed.
    pub times: u32,
}

/// A bundle that was refused before anything was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Its update id; empty where it could not be read as far as that.
    pub update: String,
    /// The exit code of `bootslot install`.
    pub code: u8,
    /// Why.
    pub error: String,
    /// When: seconds since 1970, as the clock had it.
    pub time: u64,
}

/// What all records say together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Story {
    /// The attempts that are remembered, oldest first.
    pub attempts: Vec<Attempt>,
    /// The last bundle that was refused, if no installation has begun since.
    pub rejected: Option<Rejected>,
    /// The boot states that the environment may hold, by what is recorded: the last one that was seen, and those that
    /// were about to be stored since.
    pub states: Vec<String>,
    /// The last boot that was noticed: its id and what was found.
    pub boot: Option<(String, Event)>,
    /// Whether a shutdown was recorded since.
    pub shutdown: bool,
    /// The updates that have failed and were not allowed again, oldest first.
    pub faults: Vec<Fault>,
    /// Findings that say that something went wrong with the boot state itself, as their records.
    pub findings: Vec<Record>,
    /// What fleet servers have ordered, oldest first.
    pub actions: Vec<Action>,
    /// The slots that are half-written: somebody began to write them, and nobody has said since that they are whole. With
    /// the number of the record that says so; 0 where it has none yet.
    pub half_written: BTreeMap<String, u64>,
    /// How new versions of applications have ended, as their records, oldest first.
    pub apps: Vec<Record>,
    /// What was reported already.
    pub reported: Vec<String>,
    /// The checks that the old system failed before the reboot into the trial that goes on.
    pub baseline: Vec<String>,
}

/// The facts of the boot state that an attempt is judged by.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Now {
    /// The active slot.
    pub active: String,
    /// Whether it is confirmed.
    pub confirmed: bool,
    /// The id of the update that is on trial; empty where none is.
    pub on_trial: String,
    /// The slots that are being written.
    pub writing: Vec<String>,
    /// The last failure on record: slot, reason, update id.
    pub failed: Option<[String; 3]>,
}

impl Attempt {
    fn new(name: String, number: u64, update: String, version: String, slot: String, begun: u64) -> Attempt {
        Attempt {
            name,
            number,
            update,
            version,
            slot,
            begun,
            decided: None,
            tried: false,
            boots: 0,
            confirming: false,
            given_up: None,
            decision: None,
            blame: true,
            verdict: None,
            reason: String::new(),
            evidence: Vec::new(),
        }
    }
}

impl Story {
    /// The story that these records tell, oldest first.
    pub fn of(records: &[Record]) -> Story {
        let mut story = Story::default();
        for record in records {
            if let Some(event) = Event::of(record) {
                story.add(record, event);
            }
        }
        story
    }

    /// The story with one more event, which has no time and no number yet.
    pub fn learn(&mut self, event: Event) {
        let record = event.record(0, 0, String::new());
        self.add(&record, event);
    }

    /// The attempt that is not decided yet.
    pub fn pending(&self) -> Option<&Attempt> {
        self.attempts.last().filter(|attempt| attempt.verdict.is_none())
    }

    /// The attempt of this name.
    pub fn attempt(&self, name: &str) -> Option<&Attempt> {
        self.attempts.iter().find(|attempt| attempt.name == name)
    }

    fn pending_mut(&mut self) -> Option<&mut Attempt> {
        self.attempts.last_mut().filter(|attempt| attempt.verdict.is_none())
    }

    fn add(&mut self, record: &Record, event: Event) {
        match event {
            Event::Boot { ref slot, ref update, ref state, finding, .. } => {
                self.states = vec![state.clone()];
                self.shutdown = false;
                // What runs was written whole.
                self.half_written.remove(slot);
                if !update.is_empty() {
                    // The journal may be younger than the trial.
                    self.begin(record, slot.clone(), update.clone(), String::new());
                    if let Some(attempt) = self.pending_mut() {
                        attempt.tried = true;
                    }
                }
                if let Some(attempt) = self.pending_mut().filter(|attempt| attempt.slot == *slot) {
                    attempt.boots += u32::from(attempt.tried);
                }
                if matches!(finding, Finding::EnvironmentLost | Finding::ChangedByHand) {
                    self.findings.push(record.clone());
                }
                self.boot = Some((record.boot.clone(), event));
            }
            Event::Shutdown { .. } => self.shutdown = true,
            Event::Order { name, slot, update, state } => {
                match name.as_str() {
                    "begin-install" => drop(self.half_written.insert(slot.clone(), record.number)),
                    "finish-install" | "try" | "mark-good" => drop(self.half_written.remove(&slot)),
                    _ => {}
                }
                let gives_up =
                    matches!(name.as_str(), "rollback" | "mark-bad").then(|| given_up(&state)).flatten();
                self.states.push(state);
                if name == "finish-install" && !update.is_empty() {
                    // Another installer than bootslot's says no more than this.
                    self.begin(record, slot.clone(), update.clone(), String::new());
                }
                let about = |attempt: &&mut Attempt| attempt.slot == slot || slot.is_empty();
                if let Some(attempt) = self.pending_mut().filter(about) {
                    attempt.tried |=
                        !update.is_empty() && attempt.update == update && name == "finish-install";
                    attempt.confirming |= name == "confirm";
                    let tried = Some(attempt.update.as_str()).filter(|_| attempt.tried);
                    let gives_up = gives_up.filter(|(update, _)| Some(update.as_str()) == tried);
                    attempt.given_up = gives_up.map(|(_, reason)| reason).or(attempt.given_up.take());
                }
            }
            Event::Begin { slot, update, version } => {
                self.half_written.insert(slot.clone(), record.number);
                self.begin(record, slot, update, version);
            }
            Event::NotInstalled { update, code, error, .. } => {
                match self.pending_mut().filter(|attempt| attempt.update == update && !attempt.tried) {
                    Some(attempt) => {
                        attempt.verdict = Some(Verdict::NotInstalled);
                        attempt.reason = error;
                        attempt.decided = Some(record.time);
                    }
                    None => self.rejected = Some(Rejected { update, code, error, time: record.time }),
                }
            }
            Event::Check { baseline: true, name, .. } => self.baseline.push(name),
            Event::Check { .. } => {
                if let Some(attempt) = self.pending_mut() {
                    attempt.evidence.push(record.clone());
                }
            }
            // They often come only when the trial is over: the old system puts its data back, and finds what the kernel
            // has kept of the boot before.
            Event::Migration { .. } => {
                if let Some(attempt) = self.attempts.last_mut() {
                    attempt.evidence.push(record.clone());
                }
            }
            Event::Evidence { ref slot, .. } => {
                let of = |attempt: &&mut Attempt| slot.is_empty() || attempt.slot == *slot;
                if let Some(attempt) = self.attempts.last_mut().filter(of) {
                    attempt.evidence.push(record.clone());
                }
            }
            Event::Decision { decision, update, blame, .. } => {
                if let Some(attempt) = self.pending_mut().filter(|attempt| attempt.update == update) {
                    attempt.decision = Some(decision);
                    attempt.blame = blame;
                }
            }
            Event::Result { attempt, update, version, slot, verdict, reason, blame } => {
                if self.attempt(&attempt).is_none() {
                    let [update, slot, version] = [&update, &slot, &version].map(String::clone);
                    action::attempted(&mut self.actions, &update, &attempt);
                    self.attempts.push(Attempt::new(attempt.clone(), 0, update, version, slot, record.time));
                }
                if let Some(known) = self.attempts.iter_mut().find(|known| known.name == attempt) {
                    known.verdict = Some(verdict);
                    known.reason.clone_from(&reason);
                    known.decided = Some(record.time).filter(|&time| time > 0);
                }
                if verdict == Verdict::Confirmed {
                    self.faults.retain(|fault| fault.update != update);
                }
                if verdict == Verdict::RolledBack && !update.is_empty() {
                    self.fail(Fault { update, version, slot, reason, blame, time: record.time, times: 1 });
                }
            }
            Event::Action { server, id, update, step, detail } => {
                let pending = self.pending().filter(|attempt| attempt.update == update);
                let attempt = pending.map(|attempt| attempt.name.clone());
                action::add(&mut self.actions, [server, id, update], (step, detail), record.time, attempt);
            }
            Event::App { .. } => {
                if is_end_of_app(record) {
                    self.apps.push(record.clone());
                    let surplus = self.apps.len().saturating_sub(RESULTS);
                    self.apps.drain(..surplus);
                }
            }
            // What is known of the boot loader is in a file of its own.
            Event::Loader { .. } => {}
            Event::Allowed { update } => self.faults.retain(|fault| fault.update != update),
            Event::Reported { what, .. } => self.reported.push(what),
        }
    }

    fn begin(&mut self, record: &Record, slot: String, update: String, version: String) {
        self.rejected = None;
        // What a power cut has stopped goes on.
        let goes_on = self.pending().is_some_and(|attempt| attempt.update == update && attempt.slot == slot);
        if goes_on {
            return;
        }
        if let Some(undecided) = self.pending_mut() {
            undecided.verdict = Some(Verdict::Abandoned);
            undecided.reason = "another".into();
            undecided.decided = Some(record.time);
        }
        self.baseline.clear();
        let name = format!("{update}.{}", record.number);
        action::attempted(&mut self.actions, &update, &name);
        self.attempts.push(Attempt::new(name, record.number, update, version, slot, record.time));
    }

    fn fail(&mut self, fault: Fault) {
        let before = self.faults.iter().position(|known| known.update == fault.update);
        let times = before.map_or(0, |at| self.faults.remove(at).times);
        self.faults.push(Fault { times: times + 1, ..fault });
        let surplus = self.faults.len().saturating_sub(RESULTS);
        self.faults.drain(..surplus);
    }

    /// What the attempt that goes on has come to, by the boot state: a result to record, or none yet.
    ///
    /// A failure that the boot script has recorded of an update that no attempt is known of is a result as well: the
    /// journal may be younger than the update.
    pub fn result(&self, now: &Now) -> Option<Event> {
        let failed = |update: &str| now.failed.as_ref().filter(|[_, _, failed]| failed == update);
        let Some(attempt) = self.pending() else {
            let [slot, reason, update] = now.failed.clone()?;
            let known = self.faults.iter().any(|fault| fault.update == update) || update.is_empty();
            let attempted = self.attempts.iter().any(|attempt| attempt.update == update);
            return (!known && !attempted).then(|| Event::Result {
                attempt: format!("{update}.0"),
                update,
                version: String::new(),
                slot,
                verdict: Verdict::RolledBack,
                reason,
                blame: true,
            });
        };
        // That it was about to be tried is recorded before it is stored.
        let being_written = now.writing.contains(&attempt.slot) && failed(&attempt.update).is_none();
        if !attempt.tried || being_written || now.on_trial == attempt.update {
            return None;
        }
        let ended = |verdict, reason: &str| {
            Some(Event::Result {
                attempt: attempt.name.clone(),
                update: attempt.update.clone(),
                version: attempt.version.clone(),
                slot: attempt.slot.clone(),
                verdict,
                reason: reason.to_owned(),
                blame: attempt.blame,
            })
        };
        if let Some([_, reason, _]) = failed(&attempt.update) {
            return ended(Verdict::RolledBack, reason);
        }
        match now.active == attempt.slot && now.confirmed {
            true if attempt.confirming => ended(Verdict::Confirmed, "confirm"),
            true => ended(Verdict::Confirmed, "by-hand"),
            // The environment that said so was lost.
            false => match &attempt.given_up {
                Some(reason) => ended(Verdict::RolledBack, reason),
                None => ended(Verdict::Abandoned, "environment"),
            },
        }
    }

    /// What has to be reported and was not: attempts that were decided, by their names, and findings and the ends of new
    /// versions of applications, by the number of their record.
    pub fn unreported(&self) -> Vec<String> {
        let attempts = self.attempts.iter().filter(|attempt| attempt.verdict.is_some());
        let names = attempts.map(|attempt| attempt.name.clone());
        let records = self.findings.iter().chain(&self.apps).map(|record| record.number.to_string());
        names.chain(records).filter(|name| !self.reported.contains(name)).collect()
    }
}

/// Whether this is how a new version of an application has ended.
fn is_end_of_app(record: &Record) -> bool {
    record.kind == "app" && [Event::APP_CONFIRMED, Event::APP_GIVEN_UP].contains(&record.get("step"))
}

/// The records that a new journal begins with, oldest first: what failed and was allowed, the last boot and the last
/// orders since, and of the last attempts as much as fits into `room` bytes.
pub(super) fn still_counts(records: &[Record], room: u64) -> impl Iterator<Item = &Record> {
    let last = |kind: &str, back: usize| records.iter().rev().filter(|record| record.kind == kind).nth(back);
    let story = Story::of(records);
    // The last two, whatever kind of record they began with.
    let attempts: Vec<u64> = story.attempts.iter().rev().take(2).map(|attempt| attempt.number).collect();
    let from = attempts.iter().copied().filter(|&number| number > 0).min().unwrap_or(u64::MAX);
    let boot = last("boot", 0).map_or(0, |boot| boot.number);
    // A finding lasts until somebody has heard of it.
    let findings = story.unreported();
    let (mut results, mut orders, mut steps, mut apps, mut room) = (0, 0, 0, 0, room);
    // The newest first: they count most. What is short and lasts does not compete with what is long.
    let kept = records.iter().rev().filter(|record| {
        let lasts = match record.kind.as_str() {
            "not-installed" => Some(record.number) == last("not-installed", 0).map(|last| last.number),
            "result" | "allowed" | "reported" => count(&mut results) <= 2 * RESULTS,
            "app" => is_end_of_app(record) && count(&mut apps) <= RESULTS,
            "action" => count(&mut steps) <= action::STEPS,
            "order" | "shutdown" => record.number > boot && count(&mut orders) <= ORDERS,
            "boot" => record.number == boot || findings.contains(&record.number.to_string()),
            _ => false,
        } || story.half_written.values().any(|&number| number == record.number)
            || attempts.contains(&record.number);
        let length = record.to_line().len() as u64;
        let fits = record.number >= from && length <= room;
        if fits || lasts {
            room = room.saturating_sub(length);
        }
        fits || lasts
    });
    let mut kept: Vec<&Record> = kept.collect();
    kept.reverse();
    kept.into_iter()
}

/// The update that a boot state names as the last that has failed, and the reason: `boot_failed`, which all dialects have.
fn given_up(state: &str) -> Option<(String, String)> {
    let failed = state.split(' ').find_map(|word| word.strip_prefix("boot_failed="))?;
    let mut parts = failed.splitn(3, ':').skip(1).map(str::to_owned);
    let reason = parts.next()?;
    parts.next().filter(|update| !update.is_empty()).map(|update| (update, reason))
}

fn count(so_far: &mut usize) -> usize {
    *so_far += 1;
    *so_far
}
