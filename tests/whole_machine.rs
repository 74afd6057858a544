//! Model check of slots, journal and data together: every state that a device can get into leads back to a system that
//! runs confirmed, on data of its version, or to a state that asks for a person and says so.
//!
//! Each state is taken apart by the library itself: the orders of [`Device`], the journal, [`next_boot`] and
//! [`migrate::next`] decide. The test supplies what they decide about: two slots with systems in them, the folders of the
//! data, power cuts, systems that do not load, do not decide or are not healthy, an operator, and media that are lost.
//!
//! The troubles are counted. From each state that some of them can reach, the device goes on without any: it boots, does
//! its work, and is offered a good update. It must arrive.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::expect_used)]

mod support;

use std::collections::{HashMap, VecDeque};
use std::fmt::Write as _;
use std::path::Path;

use bootslot::device::Device;
use bootslot::env::image::{encode, Layout};
use bootslot::env::Environment;
use bootslot::files::sim::SimFiles;
use bootslot::journal::{Journal, Story};
use bootslot::migrate::{self, Attempt, Facts, Folder, Next, Seen, StepId, Wanted, Why};
use bootslot::report;
use bootslot::settings::Settings;
use bootslot::slot::{self, next_boot, Chosen, Machine, Name, Reason, Script};
use bootslot::storage::sim::Board;
use bootslot::store::{LockPath, Store, StoreOptions};
use support::{copy_on, number};

const SIZE: usize = 1024;

/// What a slot holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum System {
    /// The one that the factory has put there, with data of version 1.
    Old,
    /// Half an image.
    Torn,
    /// One with data of version 2 that is as it should be.
    Good,
    /// One that its checks find wrong, after it has migrated the data.
    Sick,
    /// One that does not load.
    Dead,
    /// One that never gets as far as its checks.
    Hangs,
    /// One whose second step of migration fails.
    Unmigrated,
}

const BAD: [System; 4] = [System::Sick, System::Dead, System::Hangs, System::Unmigrated];

impl System {
    fn wanted(self) -> Wanted {
        let steps = [(2, "a"), (2, "b")].map(|(to, name)| StepId { to, name: name.into() });
        match self {
            System::Old => Wanted { version: 1, initial: Some(1), steps: Vec::new() },
            _ => Wanted { version: 2, initial: None, steps: steps.into() },
        }
    }
}

/// What the folder of the data holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Content {
    Nothing,
    Version(u64),
    /// After one step of two.
    Between,
    /// In a step, or in a restoration.
    Torn,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Data {
    state: Option<migrate::State>,
    content: Content,
    /// A snapshot, and whether it is whole.
    snapshot: Option<bool>,
}

/// How far a boot has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Phase {
    Off,
    /// The kernel runs.
    Booted,
    /// The boot was told to the journal; the data are next.
    Observed,
    /// Services have started, or may not.
    Up {
        ready: bool,
    },
    /// The other slot is being written, and nothing else goes on.
    Writing(System, usize),
    /// It is written.
    Written(System, usize),
}

/// The whole device.
#[derive(Clone)]
struct World {
    /// What is stored; `None`: no copy is valid.
    variables: Option<Environment>,
    journal: SimFiles,
    data: Data,
    slots: [System; 2],
    running: usize,
    phase: Phase,
    boots: u32,
    /// The environment was lost while a slot was being written. The boot script can't know any more which one that was.
    forgotten: bool,
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn slot_name(at: usize) -> Name {
    name(["A", "B"][at])
}

/// The update that brings this system; `offer` tells equal ones apart.
fn update(system: System, offer: usize) -> String {
    format!("{system:?}{offer}")
}

/// A U-Boot that loads what can be loaded.
struct Loads<'w> {
    slots: &'w [System; 2],
    stored: Vec<slot::State>,
    /// Half a system was loaded.
    half: bool,
}

impl Machine for Loads<'_> {
    fn loads(&mut self, name: &Name) -> bool {
        let system = self.slots[usize::from(name.as_str() == "B")];
        self.half |= system == System::Torn;
        system != System::Dead
    }

    fn save(&mut self, state: &slot::State) -> bool {
        self.stored.push(state.clone());
        true
    }

    fn has_recovery(&self) -> bool {
        false
    }
}

impl World {
    fn new() -> World {
        let mut world = World {
            variables: None,
            journal: SimFiles::new(),
            data: Data { state: None, content: Content::Version(1), snapshot: None },
            slots: [System::Old, System::Old],
            running: 0,
            phase: Phase::Off,
            boots: 0,
            forgotten: false,
        };
        world.variables = Some(Environment::from_records([&b"bootcmd=run bootslot"[..]]));
        world
    }

    /// Gives the real device to `act`, and keeps what it has stored.
    fn with<T>(&mut self, act: impl FnOnce(&mut Device) -> T) -> T {
        let board = Board::new();
        let medium = board.block(8192);
        if let Some(variables) = &self.variables {
            medium.preload(512, &encode(variables, Layout::Redundant, SIZE, 1, 0).unwrap());
        }
        let copies = [512, 4096].map(|offset| copy_on(&medium, offset, SIZE)).into();
        let options = StoreOptions { lock: Some(LockPath::None), ..StoreOptions::default() };
        let settings = Settings {
            running: Some(slot_name(self.running)),
            script: Some(Script::V2),
            os_release: "/none".into(),
            sysfs: "/none".into(),
            ..Settings::default()
        };
        let journal = Journal::over(Box::new(self.journal.clone()), Path::new("state"), &self.boot_id());
        let journal = journal.with_clock(|| 1000, 3000);
        let store = Store::from_copies(copies, options).unwrap();
        let mut device = Device::with_store(&settings, store).with_journal(journal);
        let done = act(&mut device);
        self.variables = device.store().load().ok().map(|loaded| loaded.environment());
        done
    }

    fn boot_id(&self) -> String {
        format!("{:08x}", self.boots)
    }

    /// The same device some time later.
    fn then(&self, change: impl FnOnce(&mut World)) -> World {
        let mut next = World { journal: self.journal.copy(), ..self.clone() };
        change(&mut next);
        next
    }

    fn state(&mut self) -> slot::State {
        self.with(|device| device.status().unwrap().state)
    }

    fn story(&mut self) -> Story {
        self.with(|device| device.story().unwrap().unwrap())
    }

    fn runs(&self) -> System {
        self.slots[self.running]
    }

    /// What can be told apart. Times and numbers are left out, and of equal results all but one.
    fn key(&mut self) -> String {
        let story = self.story();
        let mut key = String::new();
        let variables = self.variables.as_ref().map(|variables| {
            variables.iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect::<Vec<_>>()
        });
        write!(
            key,
            "{variables:?} {:?} {:?} {} {:?} {};",
            self.data, self.slots, self.running, self.phase, self.forgotten
        )
        .unwrap();
        let mut seen = Vec::new();
        for attempt in &story.attempts {
            let reported = attempt.verdict.is_some() && !story.unreported().contains(&attempt.name);
            let one = format!("{} {} {:?} {reported}", attempt.update, attempt.slot, attempt.verdict);
            if !seen.contains(&one) {
                seen.push(one);
            }
        }
        let last = story.attempts.last().map(|attempt| (attempt.tried, attempt.confirming));
        let faults: Vec<_> = story.faults.iter().map(|fault| (&fault.update, fault.blame)).collect();
        let findings =
            story.findings.iter().filter(|found| story.unreported().contains(&found.number.to_string()));
        let rest =
            (story.states.last(), findings.count(), &story.boot.map(|(boot, _)| boot == self.boot_id()));
        write!(key, "{seen:?} {last:?} {faults:?} {rest:?}").unwrap();
        key
    }

    // ---- what happens without trouble ------------------------------------------------------------

    /// What comes next. More than one: a cut may come between, each is a state that the medium can be found in.
    /// The last one is where it leads.
    fn goes_on(&self) -> Vec<World> {
        match self.phase {
            Phase::Off => self.boots(),
            // It comes to nothing, and is reset.
            Phase::Booted if matches!(self.runs(), System::Hangs | System::Torn) => {
                vec![self.then(|next| next.phase = Phase::Off)]
            }
            Phase::Booted => vec![self.then(|next| {
                next.with(|device| {
                    if device.state().is_ok_and(|state| !state.is_recorded()) {
                        device.init(None).unwrap();
                    }
                    device.observe().ok();
                });
                next.phase = Phase::Observed;
            })],
            Phase::Observed => self.migrates(),
            Phase::Up { ready } => vec![self.then(|next| next.decides(ready))],
            Phase::Writing(system, offer) => {
                let torn = self.then(|next| next.slots[1 - self.running] = System::Torn);
                let done = self.then(|next| {
                    next.slots[1 - self.running] = system;
                    next.forgotten = false;
                    next.phase = Phase::Written(system, offer);
                });
                vec![torn, done]
            }
            Phase::Written(system, offer) => vec![self.then(|next| {
                let target = slot_name(1 - next.running);
                let id = update(system, offer);
                next.with(|device| device.finish_update(&target, Some(2), id.as_bytes(), false, None)).ok();
                next.phase = Phase::Off;
            })],
        }
    }

    fn boots(&self) -> Vec<World> {
        let mut before = match self.variables {
            Some(_) => self.then(|_| {}).state(),
            None => slot::State::factory(&slot::Board::default()),
        };
        let mut machine = Loads { slots: &self.slots, stored: Vec::new(), half: false };
        let boot = next_boot(&before, &mut machine);
        let mut reached = Vec::new();
        let mut now = self.then(|_| {});
        for stored in machine.stored {
            let dialect = Settings::default().dialect;
            let mut variables = now.variables.take().unwrap_or_else(|| {
                let mut compiled_in = Environment::from_records([&b"bootcmd=run bootslot"[..]]);
                slot::dialect::native::apply(&dialect.variables(&before), &mut compiled_in).unwrap();
                compiled_in
            });
            slot::dialect::native::apply(&dialect.changes(&before, &stored).unwrap(), &mut variables)
                .unwrap();
            now.variables = Some(variables);
            reached.push(now.clone());
            before = stored;
        }
        match boot.chosen {
            Chosen::Slot(slot) => {
                now.running = usize::from(slot.as_str() == "B");
                now.phase = Phase::Booted;
                now.boots += 1;
            }
            // A minute later it begins again.
            Chosen::Recovery => {}
            other => panic!("{other:?}"),
        }
        reached.push(now);
        reached
    }

    fn facts(&mut self) -> Facts {
        let running = slot_name(self.running);
        self.with(|device| match device.state() {
            Ok(state) => Facts::new(&state, Some(&running)),
            Err(_) => Facts { slot: Some(running.clone()), ..Facts::default() },
        })
    }

    fn next_of_the_data(&mut self) -> Next {
        let counted = matches!(self.data.state, None | Some(migrate::State::Clean { .. }));
        let seen = Seen {
            data: self.data.content != Content::Nothing,
            leftovers: counted && self.data.snapshot.is_some(),
        };
        let facts = self.facts();
        migrate::next(self.data.state.as_ref(), &self.runs().wanted(), &facts, seen)
    }

    /// One step of the migration, as `migrate/job.rs` does it.
    fn migrates(&self) -> Vec<World> {
        let mut now = self.then(|_| {});
        let clean =
            |version, last| Some(migrate::State::Clean { version, last, folders: vec!["/data".into()] });
        let next = now.next_of_the_data();
        let (system, data) = (now.runs(), &mut now.data);
        let mut reached = Vec::new();
        let mut cut = |data: &Data| reached.push(self.then(|world| world.data = data.clone()));
        match next {
            Next::Ready => {
                if data.content == Content::Nothing {
                    data.content = Content::Version(system.wanted().version);
                }
                now.phase = Phase::Up { ready: true };
            }
            Next::Refuse(_) => now.phase = Phase::Up { ready: false },
            Next::Adopt(version) => data.state = clean(Some(version), None),
            Next::Tidy => {
                data.snapshot = Some(false);
                cut(data);
                data.snapshot = None;
            }
            Next::Begin { from, to, slot } => {
                let existed = data.content != Content::Nothing;
                let folders = vec![Folder { path: "/data".into(), existed }];
                let update = now.facts().update;
                let attempt = Attempt { from, to, slot, update, folders };
                now.data.state = Some(migrate::State::Copying(attempt));
            }
            Next::Snapshot(attempt) => {
                if attempt.folders[0].existed {
                    data.snapshot = Some(false);
                    cut(data);
                    data.snapshot = Some(true);
                    cut(data);
                }
                data.state = Some(migrate::State::Steps { attempt, done: None });
            }
            Next::Abandon(attempt) => data.state = clean(attempt.from, None),
            Next::Step(attempt, step) => {
                assert_eq!(data.snapshot, Some(true), "a step without a snapshot");
                data.content = Content::Torn;
                cut(data);
                let fails = system == System::Unmigrated && step.name == "b";
                data.state = Some(match fails {
                    true => migrate::State::Restoring { attempt, why: Why::Step(step.clone()) },
                    false => migrate::State::Steps { attempt, done: Some(step.clone()) },
                });
                if fails {
                    // It ends with an error once the data are restored.
                    cut(data);
                    return [
                        reached,
                        now.then(|_| {})
                            .migrates()
                            .into_iter()
                            .map(|world| {
                                world.then(|world| {
                                    world.phase = Phase::Up { ready: false };
                                })
                            })
                            .collect(),
                    ]
                    .concat();
                }
                data.content = if step.name == "b" { Content::Version(2) } else { Content::Between };
                // The work is there, and the state does not know it yet.
                let before = migrate::State::clone(self.data.state.as_ref().expect("a step has a state"));
                cut(&Data { state: Some(before), ..data.clone() });
            }
            Next::Migrated(attempt) => data.state = Some(migrate::State::Trial(attempt)),
            Next::Commit(attempt) => data.state = clean(Some(attempt.to), None),
            Next::Restore(attempt, why) => {
                assert!(
                    !attempt.folders[0].existed || data.snapshot == Some(true),
                    "nothing to restore from"
                );
                data.state = Some(migrate::State::Restoring { attempt, why });
            }
            Next::Resume(attempt, why) => {
                data.content = Content::Torn;
                cut(data);
                let content = attempt.from.map_or(Content::Nothing, Content::Version);
                (data.content, data.snapshot) = (content, None);
                cut(data);
                let Attempt { from, to, slot, update, .. } = attempt;
                data.state = clean(from, Some(migrate::Restored { to, slot, update, why }));
            }
        }
        reached.push(now);
        reached
    }

    /// Services run, or may not: the checks decide, results are reported, the next update is asked for.
    fn decides(&mut self, ready: bool) {
        let (running, system) = (slot_name(self.running), self.runs());
        let Ok(state) = self.with(|device| device.state()) else {
            // The environment was lost while the system ran: nothing can be stored, and the next boot stores.
            self.phase = Phase::Off;
            return;
        };
        if !state.is_confirmed(&running) {
            let healthy = ready && matches!(system, System::Old | System::Good);
            if healthy {
                self.with(|device| device.confirm(None)).unwrap();
                if let Next::Commit(_) = self.next_of_the_data() {
                    let kept = self.migrates().pop().unwrap();
                    self.data = kept.data;
                }
            } else {
                // Where nothing is left to go back to, it stays, and its tries run out.
                self.with(|device| device.roll_back(Reason::Health)).ok();
                self.phase = Phase::Off;
            }
            return;
        }
        let unreported = !self.story().unreported().is_empty();
        if unreported {
            self.with(|device| {
                for message in report::outgoing(device).unwrap() {
                    report::sent(device, &message, "server").unwrap();
                }
            });
            return;
        }
        if ready && system != System::Good {
            self.installs(System::Good);
        } else if state.active.known() != Some(&running) {
            // It stands in for one that did not load.
            self.phase = Phase::Off;
        }
    }

    /// The first offer of this system that was not refused is begun.
    fn installs(&mut self, system: System) {
        let target = slot_name(1 - self.running);
        let begun = self.with(|device| {
            let offer =
                (0..9).find(|&offer| device.refuses(&update(system, offer), "2", 0).unwrap().is_none())?;
            device.begin_update(&target, update(system, offer).as_bytes(), "2").ok().map(|_| offer)
        });
        self.phase = begun.map_or(Phase::Off, |offer| Phase::Writing(system, offer));
    }

    /// Confirmed, with the right data, told, and with nothing left to do.
    fn has_arrived(&mut self) -> bool {
        let (running, good) = (slot_name(self.running), self.runs() == System::Good);
        let at_rest = self.phase == Phase::Up { ready: true };
        at_rest && good && self.state().is_confirmed(&running) && self.story().unreported().is_empty()
    }

    /// Whether it waits for a person, visibly: a confirmed system whose data are not for it.
    fn asks_for_a_person(&mut self) -> bool {
        let running = slot_name(self.running);
        self.phase == (Phase::Up { ready: false }) && self.state().is_confirmed(&running)
    }

    /// What that person does: what `bootslot migrate` names. The data are what they are.
    fn is_helped(&self) -> World {
        self.then(|next| {
            let version = next.runs().wanted().version;
            next.data = Data {
                state: Some(migrate::State::Clean {
                    version: Some(version),
                    last: None,
                    folders: vec!["/data".into()],
                }),
                content: Content::Version(version),
                snapshot: next.data.snapshot,
            };
            next.phase = Phase::Observed;
        })
    }

    // ---- troubles --------------------------------------------------------------------------------

    fn troubles(&self) -> Vec<(&'static str, World)> {
        let off = |world: &mut World| world.phase = Phase::Off;
        let mut found = Vec::new();
        if self.phase != Phase::Off {
            found.push(("the power fails", self.then(off)));
        }
        for (at, world) in self.goes_on().into_iter().rev().skip(1).enumerate() {
            let what = ["the power fails before the last step", "the power fails between"][at.min(1)];
            found.push((what, world.then(off)));
        }
        found.push((
            "the environment is lost",
            self.then(|world| {
                world.variables = None;
                world.forgotten =
                    world.slots.contains(&System::Torn) || matches!(world.phase, Phase::Writing(..));
            }),
        ));
        found.push(("the journal is lost", self.then(|world| world.journal = SimFiles::new())));
        found.push((
            "the data are lost",
            self.then(|world| {
                world.data = Data { state: None, content: Content::Nothing, snapshot: None };
                world.phase = Phase::Off;
            }),
        ));
        if let Phase::Up { .. } = self.phase {
            let (running, other) = (slot_name(self.running), slot_name(1 - self.running));
            let mut order = |what, give: &dyn Fn(&mut Device) -> bool| {
                let mut next = self.then(|_| {});
                if next.with(give) {
                    found.push((what, next));
                }
            };
            order("an operator gives the slot up", &|device| {
                device.roll_back(Reason::User).is_ok_and(|done| done.stored())
            });
            order("an operator makes the other slot active", &|device| {
                device.set_active(&other).is_ok_and(|done| done.stored())
            });
            order("an operator tries the other slot", &|device| {
                device.try_slot(&other, None, true).is_ok_and(|done| done.stored())
            });
            order("an operator marks the other slot bad", &|device| {
                device.mark_bad(&other).is_ok_and(|done| done.stored())
            });
            let mut next = self.then(|_| {});
            if next.with(|device| device.state().is_ok_and(|state| state.is_confirmed(&running))) {
                for system in BAD {
                    let mut next = next.then(|_| {});
                    next.installs(system);
                    if next.phase != Phase::Off {
                        found.push(("a bad update is offered", next));
                    }
                }
            }
        }
        found
    }

    /// What may never be, if it is.
    fn judge(&mut self) -> Option<String> {
        let wanted = Content::Version(self.runs().wanted().version);
        if self.phase == (Phase::Up { ready: true }) && self.data.content != wanted {
            return Some("services start on data that are not theirs".into());
        }
        let state = self.state();
        let mut slots = self.slots.iter().enumerate();
        let wrong = slots.find(|(at, system)| {
            state.is_confirmed(&slot_name(*at)) && !matches!(system, System::Old | System::Good)
        });
        if let Some((at, system)) = wrong {
            return Some(format!("{system:?} is confirmed in slot {}", slot_name(at)));
        }
        let mut machine = Loads { slots: &self.slots, stored: Vec::new(), half: false };
        next_boot(&state, &mut machine);
        let half = machine.half;
        // A system that was confirmed since has stored again what the journal knows of the other slot.
        let confirmed = (0..2).map(slot_name).any(|slot| state.is_confirmed(&slot));
        let told = self.story().half_written;
        let torn = (0..2).filter(|&at| self.slots[at] == System::Torn).map(slot_name);
        let known = torn.into_iter().all(|slot| told.contains_key(slot.as_str()));
        (half && !(self.forgotten && !(confirmed && known)))
            .then(|| format!("half a system would boot: {state:?}"))
    }
}

/// How a state was reached.
struct Found {
    world: World,
    from: Option<usize>,
    how: &'static str,
}

fn way(found: &[Found], mut at: usize) -> String {
    let mut steps = Vec::new();
    while let Some(from) = found[at].from {
        let World { slots, running, phase, .. } = &found[at].world;
        steps.push(format!("{:<40} runs {} {phase:?}, holds {slots:?}", found[at].how, slot_name(*running)));
        at = from;
    }
    steps.reverse();
    steps.join("\n")
}

#[test]
fn every_state_has_an_exit() {
    let most = number("BOOTSLOT_TROUBLES").unwrap_or(2);
    let mut found = vec![Found { world: World::new(), from: None, how: "" }];
    // The states that were seen, and the fewest troubles that lead to each.
    let mut seen: HashMap<String, u64> = HashMap::from([(found[0].world.key(), 0)]);
    let mut open: VecDeque<(usize, u64)> = VecDeque::from([(0, 0)]);
    // Of each state: steps to the end without trouble, and whether a person is asked for on the way.
    let mut ends: HashMap<String, (usize, bool)> = HashMap::new();
    let (mut longest, mut persons) = (0, 0);
    while let Some((at, troubles)) = open.pop_front() {
        let mut world = found[at].world.then(|_| {});
        if seen[&world.key()] < troubles {
            continue;
        }
        if let Some(wrong) = world.judge() {
            panic!("{wrong}\n{}", way(&found, at));
        }
        match end(&world, &mut ends) {
            Ok((steps, person)) => {
                longest = longest.max(steps);
                persons += usize::from(person);
            }
            Err(rest) => panic!("no way out:\n{}\n-- and without trouble:\n{rest}", way(&found, at)),
        }
        let mut next = Vec::new();
        if !world.has_arrived() && !world.asks_for_a_person() {
            next.extend(world.goes_on().pop().map(|world| ("", world, troubles)));
        } else if world.asks_for_a_person() {
            next.push(("a person helps", world.is_helped(), troubles));
        }
        if troubles < most {
            next.extend(world.troubles().into_iter().map(|(how, world)| (how, world, troubles + 1)));
        }
        for (how, mut world, troubles) in next {
            let key = world.key();
            let better = seen.get(&key).is_none_or(|&before| troubles < before);
            if better {
                seen.insert(key, troubles);
                found.push(Found { world, from: Some(at), how });
                match how {
                    "" => open.push_front((found.len() - 1, troubles)),
                    _ => open.push_back((found.len() - 1, troubles)),
                }
            }
        }
    }
    println!(
        "{} states with at most {most} troubles; at most {longest} steps to the end; {persons} ask for a person",
        seen.len()
    );
    assert!(seen.len() > 1000, "{}", seen.len());
}

/// Goes on without trouble. The states on the way have the same end.
fn end(world: &World, ends: &mut HashMap<String, (usize, bool)>) -> Result<(usize, bool), String> {
    let (mut on_the_way, mut text) = (Vec::new(), String::new());
    let mut now = world.then(|_| {});
    let mut person = false;
    let (steps, asked) = loop {
        let key = now.key();
        if let Some(known) = ends.get(&key) {
            break *known;
        }
        writeln!(text, "runs {} {:?}, {:?}, holds {:?}", now.running, now.phase, now.data.state, now.slots)
            .unwrap();
        if on_the_way.contains(&key) {
            let story = now.story();
            let state = now.state();
            write!(text, "{:?} {state:?}\n{story:?}", story.unreported()).unwrap();
            return Err(text);
        }
        on_the_way.push(key);
        if now.has_arrived() {
            break (0, false);
        }
        now = if now.asks_for_a_person() {
            person = true;
            now.is_helped()
        } else {
            now.goes_on().pop().unwrap()
        };
    };
    for (before, key) in on_the_way.into_iter().rev().enumerate() {
        ends.insert(key, (steps + before + 1, person || asked));
    }
    Ok(ends[&world.then(|_| {}).key()])
}
