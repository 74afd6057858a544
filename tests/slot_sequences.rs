//! Sequences of events that devices with slots have met, after public reports (Home Assistant OS, RAUC, Mender,
//! SWUpdate, greenboot, Nerves, tegra): each as one line, with the slot that has to boot at each power-on.
//!
//! The words of a line: `on:X` power on, slot X runs (`on:recovery`: none does); `dead X`, `alive X` its storage fails,
//! comes back; `nosave`, `save` whether `saveenv` works; `lost` both copies of the environment are gone;
//! `NAME=VALUE` a raw `fw_setenv`, with nothing behind the sign a deletion; `guard` the next power-on is the guard's;
//! everything else is an order of the slot that runs. `!` before an order: it is refused.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeMap;

use bootslot::slot::dialect::native;
use bootslot::slot::{guarded_boot, next_boot, Board, Chosen, Machine, Name, Outcome, Reason, State};

/// What the sequence is, the slots (`R` is a last resort), whether there is a recovery, and the events.
type Sequence = (&'static str, &'static str, bool, &'static str);

const SEQUENCES: &[Sequence] = &[
    ("a new device", "A B", false, "on:A confirm on:A on:A"),
    ("a good update", "A B", false, "on:A confirm begin B; finish B; on:B confirm on:B"),
    ("an update that nobody confirms", "A B", false, "on:A confirm begin B; finish B; on:B on:B on:B on:A on:A"),
    ("an update that is found unhealthy", "A B", false, "on:A confirm begin B; finish B; on:B rollback on:A"),
    ("an update that does not load", "A B", false, "on:A confirm begin B; finish B; dead B; on:A on:A"),
    ("power lost in the install", "A B", false, "on:A confirm begin B; on:A begin B; finish B; on:B"),
    ("the old slot dies after a good update", "A B", false, "on:A confirm begin B; finish B; on:B confirm dead A; on:B"),
    ("the good slot dies long after a failed update", "A B", false, "on:A confirm begin B; finish B; on:B on:B on:B on:A dead A; on:B confirm on:B"),
    ("the good slot dies after a rollback by order", "A B", false, "on:A confirm begin B; finish B; on:B rollback on:A dead A; on:B"),
    ("the good slot dies in the middle of an install", "A B", true, "on:A confirm begin B; dead A; on:recovery on:recovery alive A; on:A"),
    ("the good slot dies and comes back", "A B", false, "on:A confirm begin B; finish B; on:B on:B on:B on:A dead A; on:B alive A; on:B on:B on:A"),
    ("a factory unit, three short power-ons", "A B", true, "dead B; on:A on:A on:A on:recovery on:A confirm on:A"),
    ("the same without a recovery", "A B", false, "dead B; on:A on:A on:A on:recovery on:A confirm on:A"),
    ("both slots of a factory unit fail, then the storage is back", "A B", true, "dead A; dead B; on:recovery on:recovery alive B; on:B confirm on:B"),
    ("an unknown slot hangs in the place of the confirmed one", "A B C", false, "on:A confirm dead A; on:B on:B on:B on:C confirm on:C"),
    ("a good slot hangs in the place of the confirmed one", "A B C", false, "on:A confirm begin B; finish B; on:B confirm dead B; on:A on:A on:A on:C"),
    ("the slot in another's place is confirmed", "A B", false, "on:A confirm dead A; on:B confirm alive A; on:B"),
    ("fw_setenv active_slot alone", "A B", false, "on:A confirm active_slot=B on:B on:B on:B on:A"),
    ("fw_setenv active_slot, and its name is wrong", "A B", false, "on:A confirm active_slot=rootfs-b on:A"),
    ("boot_success=1 beside an unknown slot", "A B", false, "on:A boot_success=1 on:A on:A on:A on:B"),
    ("a trial by hand beside an old mark", "A B", false, "on:A confirm slot_B=good active_slot=B boot_success=0 boot_try_count=2 on:B on:B on:A"),
    ("begin-install, and a switch by hand", "A B", false, "on:A confirm begin B; active_slot=B on:A on:A"),
    ("tries in hexadecimal, as RAUC has them", "A B", false, "on:A confirm active_slot=B boot_success=0 boot_try_count=a on:B on:B on:B on:A"),
    ("all marks written over by hand", "A B", false, "on:A confirm slot_A=bad slot_B=bad on:recovery on:A on:A on:A on:B"),
    ("the marks are deleted by hand", "A B", false, "on:A confirm slot_A= slot_B= on:A on:A on:A on:B"),
    ("saveenv fails once in a trial", "A B", false, "on:A confirm begin B; finish B; nosave; on:A save; on:B"),
    ("saveenv fails once on a new device", "A B", false, "nosave; on:A save; on:A confirm on:A"),
    ("saveenv never works again", "A B", false, "on:A confirm begin B; finish B; on:B confirm dead B; nosave; on:A on:A"),
    ("saveenv fails when the tries are used up", "A B", false, "on:A confirm begin B; finish B; on:B on:B on:B nosave; on:A save; on:A"),
    ("the environment is lost", "A B", false, "on:A confirm begin B; finish B; on:B confirm lost; on:A confirm on:A"),
    ("the environment is lost, and the first slot is half-written", "A B", false, "on:A confirm begin B; finish B; on:B confirm begin A; lost; dead A; on:B confirm on:B"),
    ("the environment is lost in a trial", "A B", false, "on:A confirm begin B; finish B; on:B lost; on:A"),
    ("the same bad update again", "A B", false, "on:A confirm begin B; finish B; on:B rollback on:A begin B; !finish B; again B; on:B"),
    ("the evidence is acknowledged, and the update is taken again", "A B", false, "on:A confirm begin B; finish B; on:B rollback on:A acknowledge begin B; finish B; on:B"),
    ("an install from a slot that is not confirmed", "A B", false, "on:A !begin B; confirm begin B; finish B; on:B !begin A;"),
    ("an install into the slot that runs", "A B", false, "on:A confirm !begin A;"),
    ("a failed slot is tried again by order", "A B", false, "on:A confirm begin B; finish B; on:B rollback on:A !try B; begin B; finish-other B; on:B confirm on:B"),
    ("a confirmed slot hangs, with the guard and a good slot", "A B", false, "on:A confirm begin B; finish B; on:B confirm guard; on:A on:A"),
    ("a confirmed slot hangs, with the guard and a failed slot", "A B", false, "on:A confirm begin B; finish B; on:B rollback on:A guard; on:B on:B on:B on:A"),
    ("a confirmed slot hangs, with the guard alone", "A B", false, "on:A confirm begin B; guard; on:A"),
    ("the same with a recovery", "A B", true, "on:A confirm begin B; guard; on:recovery on:A"),
    ("a last resort", "A B R", false, "on:A confirm dead A; dead B; on:R on:R alive A; on:A"),
    ("a last resort installs", "A B R", false, "on:A confirm dead A; dead B; on:R begin B; finish B; alive B; on:B confirm on:B"),
    ("a last resort that hangs, and a recovery", "A B R", true, "on:A confirm dead A; dead B; on:R on:recovery on:R on:recovery"),
    ("three slots, two of them dead", "A B C", true, "dead A; dead C; on:B confirm on:B dead B; on:recovery alive C; on:C"),
    ("one slot alone", "A", true, "on:A on:A on:A on:recovery on:A confirm dead A; on:recovery alive A; on:A"),
];

#[test]
fn each_sequence_boots_what_it_has_to() {
    assert!(SEQUENCES.len() >= 40);
    for (what, slots, recovery, events) in SEQUENCES {
        let mut life = Life::new(slots, *recovery);
        // Words with an argument end in a semicolon.
        let mut words = events.split_whitespace().peekable();
        while let Some(word) = words.next() {
            let mut word = word.to_owned();
            if !word.ends_with(';')
                && words.peek().is_some_and(|next| next.ends_with(';'))
                && takes_one(&word)
            {
                word = format!("{word} {}", words.next().unwrap());
            }
            life.step(word.trim_end_matches(';')).unwrap_or_else(|why| panic!("{what}: {word}: {why}"));
        }
    }
}

fn takes_one(word: &str) -> bool {
    let orders = ["begin", "finish", "finish-other", "again", "try", "dead", "alive"];
    orders.contains(&word.trim_start_matches('!'))
}

struct Life {
    board: Board,
    variables: BTreeMap<String, Vec<u8>>,
    running: Option<Name>,
    dead: Vec<Name>,
    saves: bool,
    recovery: bool,
    guard: bool,
}

impl Life {
    fn new(slots: &str, recovery: bool) -> Life {
        let (last, ordinary): (Vec<Name>, Vec<Name>) =
            slots.split(' ').map(name).partition(|slot| slot.as_str() == "R");
        let board = Board { slots: ordinary, last_resort: last.into_iter().next(), ..Board::default() };
        let mut life = Life {
            board,
            variables: BTreeMap::new(),
            running: None,
            dead: vec![],
            saves: true,
            recovery,
            guard: false,
        };
        life.lose();
        life
    }

    fn lose(&mut self) {
        self.variables.clear();
        self.keep(&State::factory(&self.board));
    }

    fn state(&self) -> State {
        native::decode_with(&|name: &str| self.variables.get(name).map(Vec::as_slice), &self.board).unwrap()
    }

    fn keep(&mut self, state: &State) {
        for (name, value) in native::encode(state) {
            match value {
                Some(value) => self.variables.insert(name, value),
                None => self.variables.remove(&name),
            };
        }
    }

    fn step(&mut self, word: &str) -> Result<(), String> {
        if let Some(wanted) = word.strip_prefix("on:") {
            return self.power_on(wanted);
        }
        if let Some((name, value)) = word.split_once('=') {
            if value.is_empty() {
                self.variables.remove(name);
            } else {
                self.variables.insert(name.into(), value.into());
            }
            return Ok(());
        }
        let (order, slot) =
            word.split_once(' ').map_or((word, None), |(order, slot)| (order, Some(name(slot))));
        match (order, &slot) {
            ("dead", Some(slot)) => self.dead.push(slot.clone()),
            ("alive", Some(slot)) => self.dead.retain(|dead| dead != slot),
            ("nosave", None) => self.saves = false,
            ("save", None) => self.saves = true,
            ("guard", None) => self.guard = true,
            ("lost", None) => self.lose(),
            _ => return self.order(order, slot.as_ref()),
        }
        Ok(())
    }

    fn order(&mut self, order: &str, slot: Option<&Name>) -> Result<(), String> {
        let (state, me) = (self.state(), self.running.clone().ok_or("nothing runs")?);
        let update = |id: &'static str| Some(id.as_bytes());
        let outcome: Outcome = match (order.trim_start_matches('!'), slot) {
            ("confirm", None) => state.confirm(&me, &me),
            ("rollback", None) => state.roll_back(&me, Reason::Health),
            ("acknowledge", None) => Ok(state.acknowledge()),
            ("begin", Some(slot)) => state.begin_install(slot, &me),
            ("finish", Some(slot)) => state.finish_install(slot, &me, 3, update("one"), false),
            ("finish-other", Some(slot)) => state.finish_install(slot, &me, 3, update("other"), false),
            ("again", Some(slot)) => state.finish_install(slot, &me, 3, update("one"), true),
            ("try", Some(slot)) => state.try_slot(slot, &me, 3, false),
            _ => return Err("no such word".into()),
        };
        match (outcome, order.starts_with('!')) {
            (Ok(next), false) => self.keep(&next),
            (Err(_), true) => {}
            (Err(refusal), false) => return Err(refusal.to_string()),
            (Ok(_), true) => return Err("it was not refused".into()),
        }
        Ok(())
    }

    fn power_on(&mut self, wanted: &str) -> Result<(), String> {
        let state = self.state();
        let boot = if std::mem::take(&mut self.guard) { guarded_boot } else { next_boot };
        let boot = boot(&state, self);
        let booted = match &boot.chosen {
            Chosen::Slot(slot) => Some(slot.clone()),
            _ => None,
        };
        let shown = booted.as_ref().map_or("recovery", Name::as_str);
        if shown != wanted {
            return Err(format!("{shown} boots: {:?}, {:?}", boot.steps, self.variables));
        }
        self.running = booted;
        Ok(())
    }
}

impl Machine for Life {
    fn loads(&mut self, slot: &Name) -> bool {
        !self.dead.contains(slot)
    }
    fn save(&mut self, state: &State) -> bool {
        if self.saves {
            self.keep(state);
        }
        self.saves
    }
    fn has_recovery(&self) -> bool {
        self.recovery
    }
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}
