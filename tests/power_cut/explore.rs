//! Drives a writer through every kind of trouble and judges each state that it leaves.

use std::collections::BTreeMap;
use std::panic::{catch_unwind, AssertUnwindSafe};

use bootslot::storage::sim::{mix, Cut, Effect, Entry, Fault, Moment, Op, Torn};

use crate::case::{ops, Case, Kill, Start, Trouble, LASTING};
use crate::judge::{check_foreign, foreign_bytes, judge, ours, Foreign, Truth};
use crate::readers::{self, View};
use crate::rig::{Kind, Rig, PATHS};
use crate::workload::{Step, Vars};
use crate::writers::Writer;

/// What was judged.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Crash states by kind of medium.
    pub states: BTreeMap<Kind, u64>,
    /// Those of them that a second or third cut made, during the store after the first.
    pub nested: u64,
    /// Those of them that a cut made in the store after one in which the program was killed.
    pub killed: u64,
    /// Faults without a cut.
    pub faults: u64,
    /// States in which another tool gives up because it can't read the standby.
    pub refusals: u64,
    /// Cuts that cost the only copy of an environment that has one copy, written in place.
    pub unsafe_losses: u64,
    /// Cuts in the first erase of what another program has stored on NOR with ECC, after which an older copy is read.
    pub exposed: u64,
    /// Cuts that put somebody else's bytes in an erase sector shared with a copy in danger.
    pub foreign: u64,
    /// Failures: the case and what was found.
    pub failures: Vec<(Case, String)>,
}

impl Tally {
    pub fn total(&self) -> u64 {
        self.states.values().sum()
    }

    pub fn add(&mut self, other: Tally) {
        for (kind, n) in other.states {
            *self.states.entry(kind).or_default() += n;
        }
        self.nested += other.nested;
        self.killed += other.killed;
        self.faults += other.faults;
        self.refusals += other.refusals;
        self.foreign += other.foreign;
        self.unsafe_losses += other.unsafe_losses;
        self.exposed += other.exposed;
        self.failures.extend(other.failures);
    }
}

/// How many places inside an operation are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// The edges of every field, sector and page, and each kind of tear once.
    Linear,
    /// Every byte.
    Exhaustive,
}

/// A device just before a step.
pub struct Scene {
    pub rig: Rig,
    pub step: Step,
    /// `None`: no copy is valid.
    pub old: Option<Vars>,
    pub new: Option<Vars>,
    others: Vec<View>,
    foreign: Foreign,
    /// What an earlier step, whose program was killed, may yet turn out to have left.
    undecided: Vec<Option<Vars>>,
}

impl Scene {
    fn new(rig: Rig, step: Step, old: Option<Vars>, others: Vec<View>, foreign: Foreign) -> Scene {
        let new = match (&old, &step) {
            (Some(old), step) => Some(step.apply(old)),
            (None, Step::Init(_)) => Some(step.apply(&Vars::default())),
            (None, _) => None,
        };
        rig.board.clear_log();
        Scene { rig, step, old, new, others, foreign, undecided: Vec::new() }
    }

    /// What may be found after trouble in the step. A single copy in place may be lost, but whatever is
    /// found is the old environment or the new one.
    fn truth(&self) -> Truth {
        let mut allowed = vec![self.old.clone(), self.new.clone()];
        if !self.rig.is_safe() {
            allowed.push(None);
        }
        allowed.extend(self.undecided.iter().cloned());
        let mut others = self.others.clone();
        others.extend(self.step.readers_left_out());
        // The current copy is never the one that is in danger.
        let mut exposed = readers::exposed(&self.rig);
        exposed.retain(|vars| self.old.as_ref() != Some(vars));
        Truth { allowed, others, undecided: self.undecided.clone(), exposed }
    }

    /// What must be found after success; `changed`: something was written.
    fn truth_after(&self, changed: bool) -> Truth {
        let mut others = if changed { Vec::new() } else { self.others.clone() };
        others.extend(self.step.readers_left_out());
        Truth { allowed: vec![self.new.clone()], others, ..Truth::default() }
    }

    /// The same on a fork.
    fn fork(&self) -> Rig {
        self.rig.fork()
    }
}

/// One writer under one seed.
pub struct Explorer<'a> {
    pub writer: &'a dyn Writer,
    pub tally: Tally,
    /// Every state is followed by a store; every `nest`-th of these is cut, too. 0: none.
    pub nest: u64,
    counter: u64,
    /// What came before the present scene.
    kill: Option<Kill>,
}

impl<'a> Explorer<'a> {
    pub fn new(writer: &'a dyn Writer, nest: u64) -> Self {
        Explorer { writer, tally: Tally::default(), nest, counter: 0, kill: None }
    }

    /// The device before step `start.step`, the steps before it having been carried out; `None` past the
    /// last step.
    pub fn scene(&self, start: Start) -> Result<Option<Scene>, String> {
        let boolean = start.kind.is_boolean();
        let (initial, vars) = start.workload.initial(boolean);
        let rig = Rig::new(start.kind, start.rig, &initial);
        // A single copy has no standby: only copy 0 counts.
        let mut old = vars;
        if rig.places.len() == 1 {
            let first = &initial.copies[0];
            old = first.vars.clone().filter(|_| !first.bad_crc && !first.blank);
        }
        let steps = start.workload.steps(&rig, old.as_ref());
        if start.step >= steps.len() {
            return Ok(None);
        }
        let disagree = |(_, view): (_, View)| match &view {
            View::Vars(_, vars) if old.as_ref() == Some(vars) => None,
            View::Nothing if old.is_none() => None,
            _ => Some(view),
        };
        let others: Vec<View> = readers::views(&rig).into_iter().filter_map(disagree).collect();
        judge(&rig, &Truth { allowed: vec![old.clone()], others: others.clone(), ..Truth::default() })
            .map_err(|e| format!("the initial state is not what it should be: {e}"))?;
        let foreign = foreign_bytes(&rig);
        let mut scene = Scene::new(rig, steps[0].clone(), old, others, foreign);
        for step in &steps[1..=start.step] {
            scene = self.succeed(scene, step.clone())?;
        }
        Ok(Some(scene))
    }

    /// The same; what is wrong before any trouble comes is a failure of its own.
    fn scene_or_fail(&mut self, start: Start) -> Option<Scene> {
        self.scene(start).unwrap_or_else(|e| {
            self.fail(start, Trouble::CutAtEnd(0), e);
            None
        })
    }

    /// Carries out the scene's step without trouble and goes on to the next one.
    fn succeed(&self, scene: Scene, next: Step) -> Result<Scene, String> {
        self.run(&scene.rig, &scene.step)?.map_err(|e| format!("without trouble: {e}"))?;
        let changed = scene.new != scene.old || wrote(&scene.rig);
        let truth = scene.truth_after(changed);
        judge(&scene.rig, &truth).map_err(|e| format!("without trouble: {e}"))?;
        let foreign = check_foreign(&scene.rig, &scene.foreign, &[])?;
        Ok(Scene::new(scene.rig, next, scene.new, truth.others, foreign))
    }

    /// Runs a step; the outer error is a violation.
    fn run(&self, rig: &Rig, step: &Step) -> Result<Result<(), String>, String> {
        catch_unwind(AssertUnwindSafe(|| self.writer.step(rig, step))).map_err(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            text.unwrap_or_else(|| panic.downcast_ref::<&str>().unwrap_or(&"panic").to_string())
        })
    }

    fn fail(&mut self, start: Start, trouble: Trouble, message: String) {
        let trouble = match self.kill {
            Some(kill) => Trouble::Killed(kill, Box::new(trouble)),
            None => trouble,
        };
        self.tally.failures.push((Case { start, trouble }, message));
    }

    /// The operations that a step makes.
    fn dry_run(&self, scene: &Scene) -> Result<Vec<Entry>, String> {
        let rig = scene.fork();
        self.run(&rig, &scene.step)?.map_err(|e| format!("without trouble: {e}"))?;
        Ok(rig.board.log())
    }

    /// Cuts the power at every operation of every step of a workload.
    pub fn every_cut(&mut self, start: Start, depth: Depth) {
        for step in 0.. {
            let start = Start { step, ..start };
            let Some(scene) = self.scene_or_fail(start) else { return };
            let log = match self.dry_run(&scene) {
                Ok(log) => log,
                Err(e) => return self.fail(start, Trouble::CutAtEnd(0), e),
            };
            let before = self.tally.failures.len();
            self.cut_at_end(start, &scene, None);
            for (op, entry) in log.iter().enumerate() {
                for moment in moments(start.kind, entry, depth) {
                    self.cut(start, &scene, &[], Cut { op, moment }, None);
                }
                if self.tally.failures.len() > before + 3 {
                    return;
                }
            }
        }
    }

    /// Kills the program at every operation of every step of a workload, lets the next one make the same change
    /// or another one, and cuts the power at every operation of that: what the first left in the page cache
    /// must not be all that there is.
    pub fn every_kill(&mut self, start: Start) {
        for step in 0.. {
            let start = Start { step, ..start };
            let Some(scene) = self.scene_or_fail(start) else { return };
            let log = self.dry_run(&scene).unwrap_or_default();
            for (op, entry) in log.iter().enumerate() {
                for moment in moments(start.kind, entry, Depth::Linear) {
                    for again in [true, false] {
                        self.kill = Some(Kill { at: Cut { op, moment }, again });
                        if let Some(scene) = self.killed(start, &scene) {
                            self.cut_at_end(start, &scene, None);
                            self.every_cut_of(start, &scene, &[]);
                        }
                        self.kill = None;
                    }
                }
                if self.tally.failures.len() > 3 {
                    return;
                }
            }
        }
    }

    /// Kills the program in the scene's step, and makes the scene of the store that follows.
    fn killed(&mut self, start: Start, scene: &Scene) -> Option<Scene> {
        let kill = self.kill?;
        let rig = scene.fork();
        rig.board.cut(kill.at);
        let ran = self.run(&rig, &scene.step);
        rig.board.restart();
        // The other readers' models look at the media, past the page cache.
        let truth = scene.truth();
        let allowed = truth.allowed;
        match ran.and_then(|_| ours(&rig)) {
            // A single copy in place.
            Ok(None) if scene.old.is_some() && !rig.is_safe() => None,
            Ok(seen) if allowed.contains(&seen) => {
                let step = if kill.again { scene.step.clone() } else { recovery(&seen) };
                let next = Scene::new(rig, step, seen, Vec::new(), scene.foreign.clone());
                Some(Scene { undecided: allowed, others: truth.others, ..next })
            }
            seen => {
                self.fail(start, Trouble::CutAtEnd(0), format!("after the kill: {seen:?}"));
                None
            }
        }
    }

    /// Cuts the power at every operation of the scene's step.
    fn every_cut_of(&mut self, start: Start, scene: &Scene, cuts: &[(Cut, u64)]) {
        for (op, entry) in self.dry_run(scene).unwrap_or_default().iter().enumerate() {
            let inside = random_torn(entry, mix(self.counter ^ (op as u64) << 32));
            for moment in [Moment::Before, Moment::Inside(inside), Moment::After] {
                self.cut(start, scene, cuts, Cut { op, moment }, None);
            }
        }
    }

    /// Lets the step succeed and cuts the power then: the new environment must be there.
    pub fn cut_at_end(&mut self, start: Start, scene: &Scene, only: Option<u64>) {
        let rig = scene.fork();
        if let Err(e) =
            self.run(&rig, &scene.step).and_then(|r| r.map_err(|e| format!("without trouble: {e}")))
        {
            return self.fail(start, Trouble::CutAtEnd(0), e);
        }
        let changed = wrote(&rig);
        let truth = scene.truth_after(changed);
        rig.board.cut_now();
        for choice in choices(rig.board.choices(), only) {
            let rig = rig.fork();
            rig.board.restore(choice);
            *self.tally.states.entry(start.kind).or_default() += 1;
            self.tally.killed += u64::from(self.kill.is_some());
            let judged = judge(&rig, &truth)
                .map_err(|e| format!("after success: {e}"))
                .and_then(|seen| check_foreign(&rig, &scene.foreign, &[]).map(|_| seen.refusals));
            match judged {
                Ok(refusals) => self.tally.refusals += refusals,
                Err(e) => self.fail(start, Trouble::CutAtEnd(choice), e),
            }
        }
    }

    /// Cuts the power in the scene's step, and judges each state in which the device can be found. `cuts`
    /// are those that led to the scene, if it is a store after a cut.
    pub fn cut(
        &mut self,
        start: Start,
        scene: &Scene,
        cuts: &[(Cut, u64)],
        cut: Cut,
        only: Option<u64>,
    ) -> Vec<Scene> {
        let name = |choice| Trouble::Cuts([cuts, &[(cut, choice)]].concat());
        let rig = scene.fork();
        rig.board.cut(cut);
        let result = match self.run(&rig, &scene.step) {
            Ok(result) => result,
            Err(e) => {
                self.fail(start, name(0), e);
                return Vec::new();
            }
        };
        if rig.board.is_on() {
            self.fail(start, name(0), format!("the cut never came; the store says {result:?}"));
            return Vec::new();
        }
        let log = rig.board.log();
        let mut next = Vec::new();
        for choice in choices(rig.board.choices(), only) {
            let rig = rig.fork();
            rig.board.restore(choice);
            *self.tally.states.entry(start.kind).or_default() += 1;
            self.tally.nested += u64::from(!cuts.is_empty());
            self.tally.killed += u64::from(self.kill.is_some());
            // Success that is reported although the power failed has to be true as well.
            let mut truth = scene.truth();
            if result.is_ok() {
                truth = scene.truth_after(true);
            }
            match self.judge_cut(scene, &rig, &truth, &log) {
                Ok(scene) => {
                    self.counter += 1;
                    let path = [cuts, &[(cut, choice)]].concat();
                    self.store_after(start, scene, &path, &mut next);
                }
                Err(e) => self.fail(start, name(choice), e),
            }
        }
        next
    }

    /// Judges the state after a cut, and makes the scene of the store that follows.
    fn judge_cut(&mut self, scene: &Scene, rig: &Rig, truth: &Truth, log: &[Entry]) -> Result<Scene, String> {
        let seen = judge(rig, truth)?;
        self.tally.refusals += seen.refusals;
        self.tally.unsafe_losses += u64::from(seen.vars.is_none() && scene.old.is_some());
        let foreign = check_foreign(rig, &scene.foreign, log)?;
        let undefined = |foreign: &Foreign| foreign.iter().filter(|f| f.is_none()).count();
        self.tally.foreign += u64::from(undefined(&foreign) > undefined(&scene.foreign));
        let mut others = if truth.is_before(&seen.vars) { truth.others.clone() } else { Vec::new() };
        if !truth.exposed.is_empty() {
            self.tally.exposed += u64::from(!truth.allowed.contains(&seen.vars));
            others.extend(readers::views(rig).into_iter().map(|(_, view)| view));
        }
        Ok(Scene::new(rig.clone(), recovery(&seen.vars), seen.vars, others, foreign))
    }

    /// The store after a cut must work, and what it stored must last. Sometimes it is cut, too.
    fn store_after(&mut self, start: Start, scene: Scene, cuts: &[(Cut, u64)], next: &mut Vec<Scene>) {
        let plain = scene.fork();
        // U-Boot boots first, and on parallel NOR may change the flags.
        if matches!(start.kind, Kind::Nor | Kind::EccNor) && self.counter % 2 == 0 {
            readers::boot_flash_c(&plain);
            plain.board.clear_log();
            let truth =
                Truth { allowed: vec![scene.old.clone()], others: scene.others.clone(), ..Truth::default() };
            if let Err(e) = judge(&plain, &truth) {
                return self.fail(start, Trouble::Cuts(cuts.to_vec()), format!("after U-Boot booted: {e}"));
            }
        }
        let done = self.run(&plain, &scene.step).and_then(|r| r).and_then(|()| {
            plain.board.cut_now();
            let last = plain.board.choices() - 1;
            plain.board.restore(if self.counter % 2 == 0 { 0 } else { last });
            judge(&plain, &Truth { allowed: vec![scene.new.clone()], others: Vec::new(), ..Truth::default() })
                .map(drop)
        });
        let done = done.and_then(|()| check_foreign(&plain, &scene.foreign, &[]).map(drop));
        if let Err(e) = done {
            return self.fail(start, Trouble::Cuts(cuts.to_vec()), format!("the store after the cut: {e}"));
        }
        if self.nest > 0 && self.counter % self.nest == 0 && cuts.len() < 3 {
            self.every_cut_of(start, &scene, cuts);
        }
        next.push(scene);
    }

    /// Injects every fault into every step of a workload.
    pub fn every_fault(&mut self, start: Start) {
        for step in 0.. {
            let start = Start { step, ..start };
            let Some(scene) = self.scene_or_fail(start) else { return };
            for op in ops() {
                for skip in 0..100 {
                    let mut hit = false;
                    for effect in effects(start.kind, op) {
                        let times = if matches!(op, Op::Open | Op::Read | Op::IsBad) {
                            &[1, LASTING][..]
                        } else {
                            &[1]
                        };
                        for &times in times {
                            hit |= self.fault(start, &scene, Fault { medium: None, op, skip, times, effect });
                        }
                    }
                    if !hit {
                        break;
                    }
                }
            }
        }
    }

    /// Injects one fault; returns whether it hit anything.
    pub fn fault(&mut self, start: Start, scene: &Scene, fault: Fault) -> bool {
        let rig = scene.fork();
        rig.board.fault(fault);
        let result = match self.run(&rig, &scene.step) {
            Ok(result) => result,
            Err(e) => {
                self.fail(start, Trouble::Fault(fault), e);
                return true;
            }
        };
        if rig.board.faults_left().iter().any(|left| left.times == fault.times) {
            return false;
        }
        rig.board.clear_plan();
        self.tally.faults += 1;
        if let Err(e) = self.judge_fault(scene, &rig, fault, result) {
            self.fail(start, Trouble::Fault(fault), e);
        }
        true
    }

    fn judge_fault(
        &mut self,
        scene: &Scene,
        rig: &Rig,
        fault: Fault,
        result: Result<(), String>,
    ) -> Result<(), String> {
        let mut truth = scene.truth();
        let reading = matches!(fault.op, Op::Open | Op::Read | Op::IsBad);
        // An error that does not come again costs nothing: what can't be read is read once more.
        let lasting = reading && fault.times > 1;
        match &result {
            Ok(()) if !lasting => {
                truth = scene.truth_after(wrote(rig));
            }
            Ok(()) => {}
            // What was to be stored may not fit beside the variables of the other copy.
            Err(message) if reading && message.contains("the environment is full") => {}
            Err(message) if PATHS.iter().any(|path| message.contains(path)) => {}
            Err(message) => return Err(format!("the error names no place: {message}")),
        }
        // A copy that can't be read: the other one was used, and changed.
        if lasting {
            let stale = unreadable_views(scene);
            truth.allowed.extend(stale);
        }
        let describe = |e| format!("the store says {result:?}, then {e}");
        let seen = judge(rig, &truth).map_err(describe)?;
        check_foreign(rig, &scene.foreign, &rig.board.log()).map_err(describe)?;
        // What is there after an error, or after success, is there after a cut as well.
        rig.board.cut_now();
        for choice in choices(rig.board.choices(), None) {
            let rig = rig.fork();
            rig.board.restore(choice);
            let mut truth = truth.clone();
            if result.is_ok() {
                truth.allowed = vec![seen.vars.clone()];
            }
            let seen =
                judge(&rig, &truth).map_err(|e| format!("the store says {result:?}, after a cut {e}"))?;
            // The next store works, unless the medium is worn out beyond use: then it says so.
            let step = recovery(&seen.vars);
            let new = step.apply(seen.vars.as_ref().unwrap_or(&Vars::default()));
            let allowed = match self.run(&rig, &step)? {
                Ok(()) => vec![Some(new)],
                Err(e) if fault.effect == Effect::WearOut && PATHS.iter().any(|p| e.contains(p)) => {
                    vec![seen.vars, Some(new)]
                }
                Err(e) => return Err(format!("the store says {result:?}, and the store after it {e}")),
            };
            let others = if matches!(fault.effect, Effect::WearOut) { truth.others } else { Vec::new() };
            judge(&rig, &Truth { allowed, others, ..Truth::default() })
                .map_err(|e| format!("after the next store {e}"))?;
        }
        Ok(())
    }

    /// One random case: up to three cuts in a row.
    pub fn random(&mut self, start: Start, scene: &Scene, seed: u64) {
        let mut cuts: Vec<(Cut, u64)> = Vec::new();
        let mut current = None;
        for round in 0..1 + mix(seed) % 3 {
            let scene = current.as_ref().unwrap_or(scene);
            let Ok(log) = self.dry_run(scene) else { return };
            if log.is_empty() {
                return;
            }
            let seed = mix(seed ^ (round + 1) << 40);
            let op = (seed % log.len() as u64) as usize;
            let moment = match mix(seed ^ 1) % 8 {
                0 => Moment::Before,
                1 => Moment::After,
                _ => Moment::Inside(random_torn(&log[op], mix(seed ^ 2))),
            };
            let cut = Cut { op, moment };
            let choice = mix(seed ^ 3);
            let mut next = self.cut(start, scene, &cuts, cut, Some(choice));
            let Some(scene) = next.pop() else { return };
            cuts.push((cut, choice));
            current = Some(scene);
        }
    }

    /// Runs exactly one case.
    pub fn replay(&mut self, case: &Case) -> Result<(), String> {
        let scene = self.scene(case.start)?.ok_or("there is no such step")?;
        self.replay_trouble(case.start, scene, &case.trouble);
        Ok(())
    }

    fn replay_trouble(&mut self, start: Start, scene: Scene, trouble: &Trouble) {
        match trouble {
            Trouble::Killed(kill, then) => {
                self.kill = Some(*kill);
                if let Some(scene) = self.killed(start, &scene) {
                    self.replay_trouble(start, scene, then);
                }
            }
            Trouble::Fault(fault) => drop(self.fault(start, &scene, *fault)),
            Trouble::CutAtEnd(choice) => self.cut_at_end(start, &scene, Some(*choice)),
            Trouble::Cuts(cuts) => {
                let mut current = scene;
                for (i, (cut, choice)) in cuts.iter().enumerate() {
                    let mut next = self.cut(start, &current, &cuts[..i], *cut, Some(*choice));
                    let Some(scene) = next.pop() else { break };
                    current = scene;
                }
            }
        }
    }
}

/// Whether anything was written. A sync is asked for by a store that changes nothing, too.
fn wrote(rig: &Rig) -> bool {
    rig.board.log().iter().any(|entry| !matches!(entry.op, Op::Sync | Op::SyncDir))
}

/// The store that follows trouble: it changes one byte, so that it fits however full the environment is.
fn recovery(vars: &Option<Vars>) -> Step {
    let Some(vars) = vars else {
        return Step::Init(vec![(b"fresh".to_vec(), b"1".to_vec())]);
    };
    let records = vars.records();
    let Some(first) = records.first() else { return Step::Set(vec![(b"a".to_vec(), b"1".to_vec())]) };
    let equals = first.iter().position(|&b| b == b'=').unwrap_or(0);
    let mut value = first[equals + 1..].to_vec();
    if let Some(last) = value.last_mut() {
        *last = if *last == b'x' { b'y' } else { b'x' };
    }
    Step::Set(vec![(first[..equals].to_vec(), value)])
}

/// What the store may rightly have made of a device of which it could read only one copy: that copy's
/// environment, unchanged or changed.
fn unreadable_views(scene: &Scene) -> Vec<Option<Vars>> {
    let mut allowed = Vec::new();
    for copy in 0..scene.rig.places.len() {
        if let Some(vars) = readers::only(&scene.rig, copy) {
            allowed.push(Some(scene.step.apply(&vars)));
            allowed.push(Some(vars));
        }
    }
    allowed
}

/// Which of the ways in which a device can be found are judged: all, if there are not too many.
fn choices(count: u64, only: Option<u64>) -> Vec<u64> {
    match only {
        Some(choice) => vec![choice % count],
        None if count <= 36 => (0..count).collect(),
        None => (0..32).map(|i| mix(i) % count).chain([0, 1, count - 2, count - 1]).collect(),
    }
}

/// The moments at which an operation is cut.
fn moments(kind: Kind, entry: &Entry, depth: Depth) -> Vec<Moment> {
    let mut moments = vec![Moment::Before];
    for byte in bytes(kind, entry, depth) {
        for &tail in tails(kind, entry.op) {
            moments.push(Moment::Inside(Torn { byte, tail }));
        }
    }
    moments.push(Moment::After);
    moments
}

/// Where inside an operation a cut makes a difference.
fn bytes(kind: Kind, entry: &Entry, depth: Depth) -> Vec<u64> {
    let len = entry.len;
    match (kind, entry.op) {
        (_, Op::Update | Op::ChangeLeb | Op::SyncTemp) => vec![len / 2],
        (Kind::Nand, Op::Erase) => vec![0],
        (Kind::Nand, Op::Program) => (0..len).step_by(512).collect(),
        (Kind::DataFlash, Op::Erase) => vec![0],
        (Kind::DataFlash, Op::Program) => (0..len.div_ceil(528)).map(|i| (i * 528).min(len - 1)).collect(),
        // Whole sectors reach the cache: the cut counts at each sector's end.
        (Kind::Block | Kind::File, Op::Program) => {
            let ends = (entry.offset / 512 + 1)..(entry.offset + len).div_ceil(512);
            ends.map(|sector| sector * 512 - entry.offset).collect()
        }
        (_, Op::Program | Op::Erase | Op::WriteTemp) if depth == Depth::Exhaustive => (0..len).collect(),
        (_, Op::Erase) => vec![0, 3, 4, 5, len / 2, len - 1],
        (_, Op::Program | Op::WriteTemp) => {
            let mut bytes: Vec<u64> = [0, 1, 2, 3, 4, 5, 6, 40, 100, len / 2, 255, 256, 511, 512, 513]
                .into_iter()
                .chain([len.wrapping_sub(2), len.wrapping_sub(1)])
                .filter(|&b| b < len)
                .collect();
            bytes.sort_unstable();
            bytes.dedup();
            bytes
        }
        _ => Vec::new(),
    }
}

fn tails(kind: Kind, op: Op) -> &'static [u32] {
    match (kind, op) {
        (Kind::Nor | Kind::EccNor, Op::Program) => &[0, 1, 64, 65],
        (Kind::Nor | Kind::EccNor, Op::Erase) => &[0, 1, 2, 3, 4, 5, 6, 7, 8],
        (Kind::Nand, Op::Program) => &[0, 1, 2, 3],
        (Kind::Nand, Op::Erase) => &[1, 2, 3, 6],
        (Kind::DataFlash, _) => &[1, 2, 3],
        (Kind::Ram, Op::Program | Op::Erase) => &[0, 1],
        _ => &[0],
    }
}

/// A random place inside an operation, and a random tear.
fn random_torn(entry: &Entry, seed: u64) -> Torn {
    let tail = (seed >> 40) as u32 % 4096;
    Torn { byte: seed % entry.len.max(1), tail }
}

/// The faults that an operation can have.
fn effects(kind: Kind, op: Op) -> Vec<Effect> {
    let mut effects = vec![Effect::Fail(libc::EIO, None)];
    let parts = [(0, 1), (3, 2), (4, 0), (40, 3), (511, 1), (512, 0), (600, 2)];
    let parts = parts.map(|(byte, tail)| Torn { byte, tail });
    match op {
        Op::Program => {
            effects.push(Effect::Lie(None));
            effects.extend(parts.map(|torn| Effect::Fail(libc::EIO, Some(torn))));
            effects.extend(parts.map(|torn| Effect::Lie(Some(torn))));
        }
        Op::Erase => {
            effects.push(Effect::Lie(None));
            effects.extend(parts.map(|torn| Effect::Fail(libc::EIO, Some(torn))));
        }
        Op::Sync if matches!(kind, Kind::Block | Kind::File) => {
            effects.push(Effect::Lie(None));
            effects.extend((0..8).map(|tail| Effect::Lie(Some(Torn { byte: 0, tail }))));
            effects.extend((0..8).map(|tail| Effect::Fail(libc::EIO, Some(Torn { byte: 0, tail }))));
        }
        Op::Update | Op::ChangeLeb | Op::SyncTemp | Op::WriteTemp => {
            effects.push(Effect::Lie(None));
            effects.push(Effect::Fail(libc::EIO, Some(Torn { byte: 100, tail: 0 })));
        }
        _ => {}
    }
    if matches!(kind, Kind::Nor | Kind::EccNor | Kind::Nand) && matches!(op, Op::Program | Op::Erase) {
        effects.push(Effect::WearOut);
    }
    effects
}
