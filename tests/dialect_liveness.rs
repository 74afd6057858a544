//! The device comes back, with the variables of other updaters: from every state that they can express, with every set of slots
//! that are dead (never load) or hang (load, and never report), a slot that works boots within a bounded number of
//! power-ons with bootslot's own scripts. The others' boot code is put to the same check, and what it strands is counted: docs/dialects.md
//! shows both, and this test holds its table.
//!
//! The states are all values that RAUC, Mender, the boot code or bootslot may store, in every combination, and odd ones. From
//! there on the faults last. A slot that hangs is left by the next power-on, and so is a recovery.
//!
//! | a life ends | |
//! |---|---|
//! | works | a slot that works boots |
//! | outside | a confirmed slot hangs, and the boot code does not count its boots: that is the guard's, if there is one |
//! | at the prompt | the commands end. A person has to come; and then it goes on, so it may work or be stranded as well |
//! | stranded | it repeats itself, and a slot that works never boots |

#![cfg(feature = "settings")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::HashMap;

use bootslot::env::Environment;
use bootslot::settings::Settings;
use bootslot::slot::dialect::{native, Dialect};
use bootslot::slot::{
    guarded_boot, next_boot, Board, Chosen, Foreign, Machine, Mark, Name, Reader, Standing, State,
};

/// `bootlimit` of a board with the guard.
const LIMIT: u32 = 2;

/// No life that ends well has so many power-ons.
const MOST: usize = 100;

/// What becomes of a slot for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Fate {
    Dead,
    Hangs,
    Works,
}

const FATES: [Fate; 3] = [Fate::Dead, Fate::Hangs, Fate::Works];

/// A fault in the boot code that the check must notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    None,
    /// The used-up slots do not get their tries again.
    NoNewRound,
    /// A failing `saveenv` counts as one that worked, as in the reference scripts.
    IgnoresFailedSaves,
}

#[derive(Debug, Clone, Copy)]
struct World {
    dialect: Dialect,
    reader: Reader,
    slots: usize,
    guard: bool,
    /// Only states that all boot code of the dialect can read.
    common: bool,
    flaw: Flaw,
}

/// What the check found.
#[derive(Debug, Default)]
struct Found {
    lives: usize,
    strands: usize,
    outside: usize,
    prompts: usize,
    /// Most power-ons until a slot that works boots.
    bound: usize,
    /// Lives with a `saveenv` that always fails, in which the first confirmed slot that loads works; and those of them in which
    /// something else boots.
    unsaved: usize,
    unsaved_strands: usize,
    example: Option<String>,
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

impl World {
    fn board(&self) -> Board {
        let mut settings =
            Settings { dialect: self.dialect, reader: Some(self.reader), ..Settings::default() };
        settings.board.slots = ["A", "B", "C"].iter().take(self.slots).map(|slot| name(slot)).collect();
        if self.dialect == Dialect::Mender {
            settings.board.values = [("A", "2"), ("B", "11")].map(|(s, v)| (name(s), v.to_owned())).into();
        }
        if self.dialect == Dialect::Bootcount {
            settings.board.slot_variable = "rootpart".into();
        }
        settings.board(Default::default())
    }

    fn state(&self, variables: &Variables) -> Option<State> {
        self.state_as(variables, self.reader)
    }

    fn state_as(&self, variables: &Variables, reader: Reader) -> Option<State> {
        let set = variables
            .iter()
            .filter_map(|(name, value)| Some([name.as_bytes(), b"=", value.as_deref()?.as_bytes()].concat()));
        let records: Vec<Vec<u8>> = set.collect();
        let env = Environment::from_records(records.iter().map(Vec::as_slice));
        self.dialect.decode(&env, &Board { reader, ..self.board() }).ok()
    }
}

type Variables = Vec<(String, Option<String>)>;

/// Whatever the variables can say.
fn all_variables(world: World) -> Vec<Variables> {
    let text = |values: &[&str]| -> Vec<Option<String>> {
        [None].into_iter().chain(values.iter().map(|value| Some((*value).to_owned()))).collect()
    };
    let mut pools: Vec<(String, Vec<Option<String>>)> = Vec::new();
    match world.dialect {
        Dialect::Rauc => {
            let names = &["A", "B", "C"][..world.slots];
            let mut orders: Vec<String> = vec![String::new()];
            for _ in 0..world.slots {
                let longer = orders.iter().flat_map(|order| {
                    let free = names.iter().filter(|slot| !order.contains(**slot));
                    free.map(move |slot| format!("{order} {slot}").trim().to_owned())
                });
                orders.extend(longer.collect::<Vec<_>>());
                orders.sort();
                orders.dedup();
            }
            orders.retain(|order| !order.is_empty());
            orders.extend(["Q A".into(), "A  B".into()]);
            pools.push(("BOOT_ORDER".into(), text(&orders.iter().map(String::as_str).collect::<Vec<_>>())));
            let left = text(match world.slots {
                2 => &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "x"],
                _ => &["0", "1", "3", "6", "9"],
            });
            pools.extend(names.iter().map(|slot| (format!("BOOT_{slot}_LEFT"), left.clone())));
        }
        _ => {
            match world.dialect {
                Dialect::Mender => {
                    pools.push(("mender_boot_part".into(), text(&["2", "11", "5"])));
                    pools.push(("mender_boot_part_hex".into(), text(&["2", "b", "5"])));
                }
                _ => {
                    pools.push(("rootpart".into(), text(&["A", "B", "Z"])));
                    pools.push(("ustate".into(), text(&["1"])));
                    pools.push(("recovery_status".into(), text(&["in_progress"])));
                }
            }
            pools.push(("upgrade_available".into(), text(&["0", "1", "x"])));
            pools.push(("bootcount".into(), text(&["0", "1", "3", "x"])));
            pools.push(("bootlimit".into(), text(&["1", "3"])));
            pools.extend(["A", "B"].map(|slot| (format!("slot_{slot}"), text(&["bad", "failed"]))));
        }
    }
    let mut all: Vec<Variables> = vec![vec![]];
    for (name, values) in pools {
        let longer = all.iter().flat_map(|some| {
            values.iter().map(|value| [some.clone(), vec![(name.clone(), value.clone())]].concat())
        });
        all = longer.collect();
    }
    all
}

fn all_fates(slots: usize) -> Vec<Vec<Fate>> {
    let mut fates = vec![vec![]];
    for _ in 0..slots {
        fates = fates.iter().flat_map(|some| FATES.map(|fate| [&some[..], &[fate]].concat())).collect();
    }
    fates
}

/// What the boot code that reads RAUC's variables has looked at on the way is not stored.
fn as_stored(state: &State) -> State {
    match &state.foreign {
        Some(Foreign::Rauc(rauc)) => rauc.clone().seen_from(None).state(),
        _ => state.clone(),
    }
}

struct Doomed<'a> {
    world: World,
    fates: &'a HashMap<Name, Fate>,
    stored: State,
    saves: bool,
    stores: usize,
}

impl Machine for Doomed<'_> {
    fn loads(&mut self, slot: &Name) -> bool {
        self.fates[slot] != Fate::Dead
    }
    fn save(&mut self, state: &State) -> bool {
        if self.saves {
            let next = as_stored(state);
            let grows = |slot: &&bootslot::slot::Slot| {
                let before = self.stored.mark(&slot.name);
                before == Some(Mark::Failed) && slot.mark.known() != Some(&Mark::Failed)
            };
            if self.world.flaw != Flaw::NoNewRound || !next.slots.iter().any(|slot| grows(&slot)) {
                self.stored = next;
            }
            self.stores += 1;
        }
        self.saves || self.world.flaw == Flaw::IgnoresFailedSaves
    }
    fn has_recovery(&self) -> bool {
        true
    }
}

/// What a life comes to from a state and a count of boots on: power-ons, or outside, or stranded; and whether a person has to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Works(usize),
    Outside,
    Stranded,
}

type Known = HashMap<(State, u32), (End, bool)>;

fn live(world: World, state: &State, fates: &HashMap<Name, Fate>, known: &mut Known) -> (End, bool) {
    let mut way: Vec<((State, u32), bool)> = Vec::new();
    let mut at = (state.clone(), 0);
    let (mut end, mut prompt) = loop {
        if let Some(end) = known.get(&at) {
            break *end;
        }
        // A count that nobody looks at grows for ever.
        if way.len() > MOST || way.iter().any(|(before, _)| *before == at) {
            break (End::Stranded, false);
        }
        let mut machine = Doomed { world, fates, stored: at.0.clone(), saves: true, stores: 0 };
        let guarded = world.guard && at.1 + 1 > LIMIT;
        let boot = if guarded { guarded_boot(&at.0, &mut machine) } else { next_boot(&at.0, &mut machine) };
        let prompt = boot.chosen == Chosen::Ends;
        let normal = match &boot.chosen {
            Chosen::Slot(slot) => machine.stores == 0 && at.0.standing() == Standing::Confirmed(slot),
            _ => false,
        };
        let boots = if guarded || machine.stores > 0 || !world.guard { 0 } else { at.1 + 1 };
        way.push((at, prompt));
        match boot.chosen {
            Chosen::Slot(slot) if fates[&slot] == Fate::Works => break (End::Works(0), false),
            _ if normal && !world.guard => break (End::Outside, false),
            _ => at = (machine.stored, boots),
        }
    };
    for (at, stops) in way.into_iter().rev() {
        prompt |= stops;
        if let End::Works(rest) = &mut end {
            *rest += 1;
        }
        known.insert(at, (end, prompt));
    }
    (end, prompt)
}

/// The slots that may not work: they are being written, or RAUC has marked them bad, as any boot code of the dialect takes the
/// variables. So all of them are judged by the same lives.
fn closed(world: World, variables: &Variables) -> Vec<Name> {
    let mut closed = Vec::new();
    for state in world.dialect.readers().iter().filter_map(|&reader| world.state_as(variables, reader)) {
        let slots = state.slots.iter().filter(|slot| slot.mark.known() == Some(&Mark::Writing));
        closed.extend(slots.map(|slot| slot.name.clone()));
    }
    closed
}

fn check(world: World) -> Found {
    let mut found = Found::default();
    let mut all = all_variables(world);
    // The same lives for all boot code: what one of them can't make anything of is left out.
    if world.common {
        let readers = world.dialect.readers();
        all.retain(|variables| readers.iter().all(|&reader| world.state_as(variables, reader).is_some()));
    }
    let states: Vec<(usize, State, Vec<Name>)> = all
        .iter()
        .enumerate()
        .filter_map(|(place, variables)| Some((place, world.state(variables)?, closed(world, variables))))
        .collect();
    for fates in all_fates(world.slots) {
        if !fates.contains(&Fate::Works) {
            continue;
        }
        let by_name: HashMap<Name, Fate> =
            ["A", "B", "C"].iter().map(|slot| name(slot)).zip(fates.iter().copied()).collect();
        let mut known = Known::new();
        for (place, state, closed) in &states {
            if closed.iter().any(|slot| by_name[slot] == Fate::Works) {
                continue;
            }
            found.lives += 1;
            let (end, prompt) = live(world, state, &by_name, &mut known);
            found.prompts += usize::from(prompt);
            match end {
                End::Works(power_ons) => found.bound = found.bound.max(power_ons),
                End::Outside => found.outside += 1,
                End::Stranded => {
                    found.strands += 1;
                    found.example.get_or_insert_with(|| format!("{:?} {fates:?}", all[*place]));
                }
            }
            unsaved(world, state, &by_name, &mut found);
        }
    }
    found
}

/// With a `saveenv` that always fails nothing can be counted, so what is known to be good has to boot at once.
fn unsaved(world: World, state: &State, fates: &HashMap<Name, Fate>, found: &mut Found) {
    let good: Vec<&Name> = match &state.foreign {
        Some(Foreign::Rauc(rauc)) => {
            let walk = rauc.walk();
            let good = walk.iter().filter(|slot| state.mark(slot) == Some(Mark::Good));
            let names = good.filter_map(|slot| state.slot(slot)).map(|slot| &slot.name);
            names.collect()
        }
        _ => state
            .slots
            .iter()
            .filter(|slot| slot.mark.known() == Some(&Mark::Good))
            .map(|slot| &slot.name)
            .collect(),
    };
    let Some(first) =
        good.into_iter().find(|slot| fates[*slot] != Fate::Dead).filter(|slot| fates[*slot] == Fate::Works)
    else {
        return;
    };
    found.unsaved += 1;
    let mut machine = Doomed { world, fates, stored: state.clone(), saves: false, stores: 0 };
    let chosen = next_boot(state, &mut machine).chosen;
    found.unsaved_strands += usize::from(chosen != Chosen::Slot(first.clone()));
}

fn world(dialect: Dialect, reader: Reader, slots: usize) -> World {
    World { dialect, reader, slots, guard: false, common: true, flaw: Flaw::None }
}

/// The lines of the table in docs/dialects.md, each as it has to be there.
#[test]
fn no_script_of_ours_strands_a_device_and_the_others_strands_are_counted() {
    let docs = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/dialects.md")).unwrap();
    let (mut missing, mut broken) = (Vec::new(), Vec::new());
    for dialect in Dialect::ALL.iter().copied().filter(|dialect| *dialect != Dialect::Native) {
        for &reader in dialect.readers() {
            let sizes: &[usize] = if dialect == Dialect::Rauc { &[2, 3] } else { &[2] };
            for &slots in sizes {
                let guards: &[bool] = if reader == Reader::RaucUncounted { &[false, true] } else { &[false] };
                for &guard in guards {
                    let found = check(World { guard, ..world(dialect, reader, slots) });
                    let bound = if found.bound == 0 { "-".into() } else { found.bound.to_string() };
                    let line = format!(
                        "| `{}`{} | {slots} | {} | {} | {} | {} | {bound} | {} of {} |",
                        reader.name(),
                        if guard { " with the guard" } else { "" },
                        thousands(found.lives),
                        thousands(found.strands),
                        thousands(found.prompts),
                        thousands(found.outside),
                        thousands(found.unsaved_strands),
                        thousands(found.unsaved),
                    );
                    println!("{line}");
                    if !docs.contains(&line) {
                        missing.push(line.clone());
                    }
                    assert!(found.lives > 1_000);
                    println!("  one: {:?}", found.example);
                    let promised = (found.strands, found.prompts, found.unsaved_strands) == (0, 0, 0)
                        && (!guard || found.outside == 0);
                    let others = World { guard, common: false, ..world(dialect, reader, slots) };
                    // Also where others can't make anything of the variables.
                    let promised = promised && (dialect != Dialect::Mender || check(others).strands == 0);
                    if reader.is_ours() && !promised {
                        broken.push(line);
                    }
                }
            }
        }
    }
    assert!(broken.is_empty(), "a device is stranded:\n{}", broken.join("\n"));
    assert!(missing.is_empty(), "docs/dialects.md has not:\n{}", missing.join("\n"));
}

fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let groups: Vec<&[u8]> = digits.as_bytes().rchunks(3).rev().collect();
    String::from_utf8(groups.join(&b',')).unwrap()
}

#[test]
fn each_flaw_is_noticed() {
    let ours = World { flaw: Flaw::NoNewRound, ..world(Dialect::Rauc, Reader::RaucScript, 2) };
    let found = check(ours);
    assert!(found.strands > 0, "{found:?}");
    let found = check(World { flaw: Flaw::IgnoresFailedSaves, ..ours });
    assert!(found.unsaved_strands > 0, "{found:?}");
}

/// The variables of one state as text: for who looks at a strand.
#[test]
fn what_is_stored_is_read_as_it_was_stored() {
    let world = world(Dialect::Rauc, Reader::RaucScript, 2);
    for variables in all_variables(world) {
        let state = world.state(&variables).unwrap();
        let mut env = Environment::default();
        native::apply(&Dialect::Rauc.variables(&state), &mut env).unwrap();
        assert_eq!(Dialect::Rauc.decode(&env, &world.board()).unwrap(), state);
    }
}
