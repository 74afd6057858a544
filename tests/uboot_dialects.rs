//! bootslot's own boot scripts for the variables of other updaters in a real U-Boot, and their twins: for each environment both
//! must boot the same slot, after the same stores of the same variables, in both of hush's parsers, and in a U-Boot of two
//! years before.
//!
//! It works as `tests/uboot_script.rs` does: the script's variables are those of `uboot-scripts/`, and only some of its
//! commands are replaced.

#![cfg(feature = "settings")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod uboot_console;

use std::collections::{BTreeMap, HashSet};
use std::process::Command;
use std::time::Instant;

use bootslot::env::Environment;
use bootslot::settings::Settings;
use bootslot::slot::dialect::Dialect;
use bootslot::slot::{guarded_boot, next_boot, Board, Chosen, Machine, Name, Reader, State, LOADS};
use uboot_console::values::{
    as_the_old_parser_compares, crc, escape, observed, odd_values, unescape, Event, Exported,
};
use uboot_console::{records, root, rules, share, u_boot, Build, UBoot, NEW, OLD};

/// Where exports go in the RAM of QEMU's board.
const EXPORT_AT: usize = 0x4100_0000;

/// One script, as a board compiles it.
#[derive(Debug, Clone, Copy)]
struct Kind {
    dialect: Dialect,
    reader: Reader,
    file: &'static str,
    /// For the preprocessor.
    options: &'static [&'static str],
    slots: &'static [&'static str],
    /// What the script adds to the kernel's command line; `@` is the slot.
    told: &'static str,
}

const RAUC: Kind = Kind {
    dialect: Dialect::Rauc,
    reader: Reader::RaucScript,
    file: "bootslot-rauc.env",
    options: &[],
    slots: &["A", "B"],
    told: " rauc.slot=@ bootslot.slot=@ bootslot.reader=bootslot-rauc:1",
};
const RAUC_UNCOUNTED: Kind = Kind {
    reader: Reader::RaucUncounted,
    options: &["-DBOOTSLOT_RAUC_UNCOUNTED"],
    told: " rauc.slot=@ bootslot.slot=@ bootslot.reader=bootslot-rauc-uncounted:1",
    ..RAUC
};
const RAUC_THREE: Kind = Kind {
    options: &["-DBOOTSLOT_SLOTS=main_1 2 Rescue_90123456"],
    slots: &["main_1", "2", "Rescue_90123456"],
    ..RAUC
};
const RAUC_FOUR: Kind = Kind {
    options: &["-DBOOTSLOT_RAUC_UNCOUNTED", "-DBOOTSLOT_SLOTS=A B C D"],
    slots: &["A", "B", "C", "D"],
    ..RAUC_UNCOUNTED
};

const MENDER: Kind = Kind {
    dialect: Dialect::Mender,
    reader: Reader::MenderScript,
    file: "bootslot-mender.env",
    options: &[
        "-DBOOTSLOT_FIRST_PART=2",
        "-DBOOTSLOT_FIRST_HEX=2",
        "-DBOOTSLOT_SECOND_PART=11",
        "-DBOOTSLOT_SECOND_HEX=b",
    ],
    slots: &["A", "B"],
    told: " bootslot.slot=@ bootslot.reader=bootslot-mender:1",
};
const BOOTCOUNT: Kind = Kind {
    dialect: Dialect::Bootcount,
    reader: Reader::BootcountScript,
    file: "bootslot-bootcount.env",
    options: &["-DBOOTSLOT_VARIABLE=rootpart"],
    told: " bootslot.slot=@ bootslot.reader=bootslot-bootcount:1",
    ..MENDER
};

/// One environment and what the machine does.
#[derive(Debug, Clone)]
struct Case {
    kind: Kind,
    /// As stored, in order.
    variables: Vec<(String, Vec<u8>)>,
    /// Slots whose `bootslot_load` fails.
    dead: Vec<Name>,
    /// Slots that load, and whose `bootslot_boot` comes back.
    back: Vec<Name>,
    /// Slots that load at the last time they are asked only.
    flaky: Vec<Name>,
    saves: bool,
    recovery: bool,
    /// It is `bootslot_guard` that runs, since U-Boot has counted too many boots.
    guarded: bool,
}

impl Kind {
    fn board(&self) -> Board {
        let mut settings =
            Settings { dialect: self.dialect, reader: Some(self.reader), ..Settings::default() };
        settings.board.slots = self.slots.iter().map(|slot| Name::new(slot).unwrap()).collect();
        if self.dialect == Dialect::Mender {
            settings.board.values =
                [("A", "2"), ("B", "11")].map(|(s, v)| (Name::new(s).unwrap(), v.to_owned())).into();
        }
        if self.dialect == Dialect::Bootcount {
            settings.board.slot_variable = "rootpart".into();
        }
        settings.board(Default::default())
    }

    fn decode(&self, variables: &[(String, Vec<u8>)]) -> State {
        let records: Vec<Vec<u8>> =
            variables.iter().map(|(name, value)| [name.as_bytes(), b"=", value].concat()).collect();
        let env = Environment::from_records(records.iter().map(Vec::as_slice));
        self.dialect.decode(&env, &self.board()).unwrap()
    }
}

#[test]
#[ignore = "builds U-Boot and boots it in QEMU; tools/test.sh runs it"]
fn each_script_does_what_its_twin_says_in_the_old_parser() {
    compare(NEW, "old", cases(), 500);
}

#[test]
#[ignore = "builds U-Boot and boots it in QEMU; tools/test.sh runs it"]
fn each_script_does_what_its_twin_says_in_the_modern_parser() {
    compare(NEW, "modern", cases(), 500);
}

#[test]
#[ignore = "builds U-Boot and boots it in QEMU; tools/test.sh runs it"]
fn each_script_does_what_its_twin_says_in_an_older_u_boot() {
    compare(OLD, "old", share(1, 3, cases()), 150);
}

fn cases() -> Vec<Case> {
    [share(1, 3, rauc_cases()), share(3, 4, counted_cases())].concat()
}

/// Every variable that the script sets for itself is deleted first, or a stored one of that name would hide it.
#[test]
fn the_scripts_do_not_do_what_a_parser_gets_wrong() {
    for kind in [RAUC, RAUC_UNCOUNTED, RAUC_FOUR, MENDER, BOOTCOUNT] {
        let script = script(&kind);
        let turns = rules::turns_that_do_not_overflow(&script);
        let set = rules::assignments_of_something(&script);
        assert!(turns > 40 && set > 50, "{kind:?}: {turns} turns, {set} assignments");
        let text = |name: &str| {
            let found = script.iter().find(|(known, _)| known == name).unwrap();
            String::from_utf8(found.1.clone()).unwrap()
        };
        let start = text("bootslot_start");
        let deleted: HashSet<&str> =
            start.split_once(" in ").unwrap().1.split_once("; do").unwrap().0.split(' ').collect();
        let all: String =
            script.iter().map(|(_, value)| String::from_utf8(value.clone()).unwrap() + " ").collect();
        let loops = all.split("for ").skip(1).map(|rest| rest.split(' ').next().unwrap());
        let sets = all.split([' ', ';']).filter_map(|word| word.split_once('=')).map(|(name, _)| name);
        for name in sets.chain(loops).filter(|name| name.starts_with("bs_") && *name != "bs_names") {
            assert!(deleted.contains(name), "{kind:?}: {name}");
        }
    }
}

fn compare(build: Build, parser: &str, mut cases: Vec<Case>, least: usize) {
    if parser == "old" {
        // It can't copy a value with a single quote, a backslash or a line break; see uboot-scripts/README.md.
        cases.retain(|case| {
            let mut copied = case.variables.iter().filter(|(name, _)| name == "bootargs");
            !copied.any(|(_, value)| value.iter().any(|byte| b"'\\\n".contains(byte)))
        });
    }
    let (binary, began) = (u_boot(build), Instant::now());
    let mut kinds: BTreeMap<String, Vec<Case>> = BTreeMap::new();
    for case in cases {
        let kind = format!("{}, {} slots", case.kind.reader.name(), case.kind.slots.len());
        kinds.entry(kind).or_default().push(case);
    }
    let mut all = BTreeMap::<&str, (usize, usize)>::new();
    for (kind, cases) in &kinds {
        let (mut boots, mut saves, mut differences) = (0, 0, 0);
        // A new U-Boot now and then: the modern parser never frees some of its memory.
        for cases in cases.chunks(if cases[0].kind.slots.len() == 4 { 50 } else { 150 }) {
            let script = script(&cases[0].kind);
            let stored: Vec<Vec<u8>> =
                cases.iter().map(|case| records(&[case.variables.clone(), orders(case)].concat())).collect();
            let mut uboot = UBoot::start(&binary, &records(&script), &stored);
            assert!(uboot.banner.contains(&format!("U-Boot {}", build.version)), "{}", uboot.banner);
            if build.chooses {
                uboot.use_parser(parser);
            }
            for (case, place) in cases.iter().zip(uboot.cases.clone()) {
                let either = [false, true].map(|anew| expected(case, &script, parser, anew));
                let run = if case.guarded { "bootslot_guard" } else { "bootslot" };
                let load = uboot.load(place);
                let said = uboot.command(&format!("{load}; run {run}"));
                assert!(!said.contains("PWNED"), "U-Boot executed a value: {case:?}\n{said}");
                let observed = observed(&said);
                boots += observed.iter().filter(|event| matches!(event, Event::Boot(_))).count();
                saves += observed.iter().filter(|event| matches!(event, Event::Save(_))).count();
                if !either.contains(&observed) {
                    differences += 1;
                    if differences <= 5 {
                        let both = format!("twin:   {either:?}\n  U-Boot: {observed:?}");
                        eprintln!("{parser} parser, {case:?}\n  {both}\n{said}");
                    }
                }
            }
        }
        println!(
            "U-Boot {}, {parser} parser, {kind}: {} environments, {boots} booted a slot, {saves} stores, {differences} differences",
            build.version,
            cases.len(),
        );
        let sum = all.entry(cases[0].kind.dialect.name()).or_default();
        *sum = (sum.0 + cases.len(), sum.1 + differences);
    }
    println!("{all:?}, {:.1} s", began.elapsed().as_secs_f32());
    for (dialect, (count, differences)) in all {
        assert!(count >= least, "{dialect}: {count} environments");
        assert_eq!(differences, 0, "{dialect}: of {count} environments");
    }
}

/// What the twin says, in the words of the script's output. A value that only the old parser takes for one that the script knows
/// stays as it is, or is set `anew`: the twin's state is the same.
fn expected(case: &Case, script: &[(String, Vec<u8>)], parser: &str, anew: bool) -> Vec<Event> {
    let mut compared = case.variables.clone();
    if parser == "old" {
        for (name, value) in &mut compared {
            *value = escape(&as_the_old_parser_compares(&unescape(value)));
            // Quotes with nothing between, and a backslash with nothing behind it, are as if nothing was there.
            if name == "upgrade_available" && [&b"''"[..], b"\\\\"].contains(&value.as_slice()) {
                value.clear();
            }
        }
    }
    let state = case.kind.decode(&compared);
    let before = if anew { case.kind.decode(&case.variables) } else { state.clone() };
    let mut exported: Exported = BTreeMap::new();
    for (name, value) in script.iter().chain(&case.variables).chain(&orders(case)) {
        exported.insert(name.clone().into_bytes(), escape(&unescape(value)));
    }
    exported.retain(|name, value| !value.is_empty() && !name.starts_with(b"bs_") && name != b"slot");
    let mut twin = Twin { case, before, exported, events: vec![], asked: BTreeMap::new() };
    let boot = if case.guarded { guarded_boot } else { next_boot };
    match boot(&state, &mut twin).chosen {
        Chosen::Slot(slot) => twin.events.push(twin.boot(&slot)),
        Chosen::Recovery => {
            twin.events.extend(case.recovery.then_some(Event::Recovery));
            twin.events.push(Event::Reset);
        }
        other => panic!("the script does not end so: {other:?}"),
    }
    twin.events
}

struct Twin<'a> {
    case: &'a Case,
    before: State,
    exported: Exported,
    events: Vec<Event>,
    /// How often each slot was asked to load.
    asked: BTreeMap<Name, u8>,
}

impl Twin<'_> {
    fn boot(&self, slot: &Name) -> Event {
        let mut bootargs = self.exported.get(&b"bootargs"[..]).cloned().unwrap_or_default();
        bootargs.extend(format!(" root{}", self.case.kind.told.replace('@', slot.as_str())).bytes());
        let shown = [(b"bootargs".to_vec(), bootargs), (b"slot".to_vec(), slot.as_str().into())];
        Event::Boot(crc(&BTreeMap::from(shown)))
    }
}

impl Machine for Twin<'_> {
    fn loads(&mut self, slot: &Name) -> bool {
        let asked = self.asked.entry(slot.clone()).or_default();
        *asked += 1;
        let (flaky, asked) = (self.case.flaky.contains(slot), *asked);
        let back = self.case.back.contains(slot) || flaky && asked < LOADS;
        !(self.case.dead.contains(slot) || back)
    }

    fn save(&mut self, state: &State) -> bool {
        // What U-Boot has in its memory stays, also if it was not stored.
        for (name, value) in self.case.kind.dialect.changes(&self.before, state).unwrap() {
            match value {
                Some(value) => self.exported.insert(name.into_bytes(), value),
                None => self.exported.remove(name.as_bytes()),
            };
        }
        self.before = state.clone();
        self.events.push(Event::Save(crc(&self.exported)));
        self.case.saves
    }

    fn has_recovery(&self) -> bool {
        self.case.recovery
    }
}

/// The variables that tell the replaced commands what to do in this case.
fn orders(case: &Case) -> Vec<(String, Vec<u8>)> {
    let list = |slots: &[Name]| slots.iter().map(Name::as_str).collect::<Vec<_>>().join(" ").into_bytes();
    let lists = [("t_dead", &case.dead), ("t_back", &case.back), ("t_flaky", &case.flaky)];
    let mut orders: Vec<_> = lists.map(|(name, slots)| (name.to_owned(), list(slots))).into();
    if !case.saves {
        // It fails, or reports a success that is none.
        orders.push(match case.recovery {
            true => ("t_fail".into(), b"1".to_vec()),
            false => ("bootslot_verify".into(), b"false".to_vec()),
        });
    }
    if case.recovery {
        orders.push(("bootslot_recovery".into(), b"echo T-RECOVERY".to_vec()));
    }
    orders
}

/// The script as U-Boot's build expands it.
fn expanded(kind: &Kind) -> Vec<(String, String)> {
    let scripts = root().join("uboot-scripts");
    let output = Command::new(scripts.join("expand.sh"))
        .arg(scripts.join(kind.file))
        .args(kind.options)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| line.split_once('=').unwrap()).map(|(n, v)| (n.into(), v.into())).collect()
}

/// The same with the test's commands in it.
fn script(kind: &Kind) -> Vec<(String, Vec<u8>)> {
    let mut variables: Vec<(String, Vec<u8>)> = Vec::new();
    let mut replaced = [0; 4];
    for (name, mut value) in expanded(kind) {
        if !name.starts_with("bootslot") {
            continue;
        }
        let with = [
            ("if saveenv;", "if run t_save;"),
            ("; reset", "; echo T-RESET"),
            ("sleep 60; ", ""),
            ("sleep 1;", "true;"),
        ];
        for ((from, to), count) in with.into_iter().zip(&mut replaced) {
            *count += value.matches(from).count();
            value = value.replace(from, to);
        }
        variables.push((name, value.into_bytes()));
    }
    assert_eq!(replaced, [1, 1, 1, 1], "the script has other commands than this test knows");
    let show = format!("crc32 {EXPORT_AT:x} ${{filesize}}");
    let is_in = |list: &str| {
        format!("t_ok=1; for t_s in ${{{list}}}; do if test \"x${{t_s}}\" = \"x${{slot}}\"; then t_ok=0; fi; done")
    };
    let commands = [
        ("t_save", format!("echo T-SAVE; env export -t {EXPORT_AT:x}; {show}; test \"x${{t_fail}}\" = x")),
        // Leaves things behind, as real load commands do.
        (
            "bootslot_load",
            format!(
                "setenv filesize 12; setenv fileaddr 34; setenv t_left x; setenv bootargs \"${{bootargs}} root\"; \
                 {}; if test \"x${{t_ok}}${{bs_t}}\" = x0{LOADS}; then t_ok=1; fi; t_may=${{t_ok}}; {}; \
                 test \"x${{t_may}}${{t_ok}}\" = x11",
                is_in("t_flaky"),
                is_in("t_dead")
            ),
        ),
        (
            "bootslot_boot",
            format!(
                "{}; if test \"x${{t_ok}}\" = x1; then echo T-BOOT; env export -t {EXPORT_AT:x} slot bootargs; {show}; fi",
                is_in("t_back")
            ),
        ),
        ("bootslot_scratch", "t_left".to_owned()),
    ];
    variables.extend(commands.map(|(name, value)| (name.to_owned(), value.into_bytes())));
    variables
}

fn rauc_cases() -> Vec<Case> {
    let mut all = Collected::new();
    let orders = [
        "",
        "A B",
        "B A",
        "A",
        "B",
        "A  B",
        " B A ",
        "Q A",
        "B Q A",
        "A A B",
        "AB",
        "a b",
        "B A B",
        "0",
        "A,B",
        "A\tB",
        "B A C",
        "a_word_of_19_letter A",
        "A B a_word_of_35_characters_that_hurts",
    ];
    let left = ["", "0", "1", "2", "3", "5", "6", "7", "9", "a", "10", "x", "0x2", "-1", "00", " 3"];
    // Two slots: everything that RAUC and the script write in full, the rest at random.
    for kind in [RAUC, RAUC_UNCOUNTED] {
        for (place, order) in orders.into_iter().enumerate() {
            for (n, a) in left.into_iter().enumerate() {
                for (m, b) in left.into_iter().enumerate() {
                    let plain = place < 5 && n < 9 && m < 9;
                    if plain && all.below(2) > 0 || !plain && all.below(9) > 0 {
                        continue;
                    }
                    all.add(kind, pairs(&[("BOOT_ORDER", order), ("BOOT_A_LEFT", a), ("BOOT_B_LEFT", b)]));
                }
            }
        }
        // Every odd value where it is judged, a sample of them elsewhere.
        for value in odd_values() {
            for name in [
                "BOOT_ORDER",
                "BOOT_A_LEFT",
                "BOOT_B_LEFT",
                "boot_failed",
                "boot_update",
                "bootargs",
                "slot",
                "bs_walk",
                "bs_n",
                "bs_run",
                "bs_act",
                "bs_1",
                "BOOT__LEFT",
            ] {
                let judged = name.starts_with("BOOT_") && name != "BOOT__LEFT";
                if all.below(if judged { 2 } else { 30 }) > 0 {
                    continue;
                }
                let base = [
                    [("BOOT_ORDER", "A B"), ("BOOT_A_LEFT", "9"), ("BOOT_B_LEFT", "2")],
                    [("BOOT_ORDER", "B A"), ("BOOT_A_LEFT", "8"), ("BOOT_B_LEFT", "0")],
                    [("BOOT_ORDER", "B"), ("BOOT_A_LEFT", "3"), ("BOOT_B_LEFT", "1")],
                ][all.below(3)];
                let mut variables: Vec<_> =
                    pairs(&base).into_iter().filter(|(known, _)| known != name).collect();
                variables.push((name.into(), value.clone()));
                all.add(kind, variables);
            }
        }
    }
    for kind in [RAUC_THREE, RAUC_FOUR] {
        for _ in 0..250 {
            let mut words: Vec<&str> = kind.slots.to_vec();
            for place in (1..words.len()).rev() {
                words.swap(place, all.below(place + 1));
            }
            words.truncate([4, 4, 3, 2, 1][all.below(5)]);
            let mut variables = pairs(&[("BOOT_ORDER", &words.join(" ")), ("bootargs", "console=ttyS0")]);
            for slot in kind.slots {
                let value = ["0", "0", "1", "3", "5", "6", "9", "", "q"][all.below(9)];
                variables.push((format!("BOOT_{slot}_LEFT"), value.into()));
            }
            all.add(kind, variables);
        }
    }
    all.cases
}

fn counted_cases() -> Vec<Case> {
    let mut all = Collected::new();
    let counts = ["", "0", "1", "2", "3", "8", "9", "10", "x"];
    let limits = ["", "0", "1", "3", "9", "10", "x"];
    for kind in [MENDER, BOOTCOUNT] {
        let names: &[&[(&str, &str)]] = match kind.dialect {
            Dialect::Mender => &[
                &[("mender_boot_part", "2"), ("mender_boot_part_hex", "2")],
                &[("mender_boot_part", "11"), ("mender_boot_part_hex", "b")],
                &[("mender_boot_part", "11"), ("mender_boot_part_hex", "B")],
                &[("mender_boot_part", "2"), ("mender_boot_part_hex", "b")],
                &[("mender_boot_part", "2")],
                &[],
            ],
            _ => &[
                &[("rootpart", "A")],
                &[("rootpart", "B"), ("ustate", "1")],
                &[("rootpart", "A"), ("ustate", "7"), ("recovery_status", "in_progress")],
                &[("rootpart", "B"), ("ustate", "0"), ("recovery_status", "failed")],
                &[("rootpart", "C")],
                &[],
            ],
        };
        for (place, named) in names.iter().enumerate() {
            for upgrade in ["", "0", "1", "1", "2", "x"] {
                for count in counts {
                    for limit in limits {
                        let usual = place < 2 && count.len() < 2 && limit.len() < 2;
                        if all.below(if usual { 2 } else { 8 }) > 0 {
                            continue;
                        }
                        let mut variables = pairs(named);
                        variables.extend(pairs(&[
                            ("upgrade_available", upgrade),
                            ("bootcount", count),
                            ("bootlimit", limit),
                        ]));
                        for slot in ["slot_A", "slot_B"] {
                            let mark = ["", "", "", "bad", "failed"][all.below(5)];
                            variables.extend(pairs(&[(slot, mark)]));
                        }
                        all.add(kind, variables);
                    }
                }
            }
        }
        let own: &[&str] = match kind.dialect {
            Dialect::Mender => &["mender_boot_part", "mender_boot_part_hex"],
            _ => &["rootpart", "ustate", "recovery_status"],
        };
        let shared = ["upgrade_available", "bootcount", "bootlimit", "slot_A", "slot_B"];
        let others =
            ["boot_failed", "boot_update", "bootargs", "slot", "bs_active", "bs_more", "bs_run", "slot_"];
        for value in odd_values() {
            for name in own.iter().chain(&shared).chain(&others) {
                if all.below(if others.contains(name) { 30 } else { 3 }) > 0 {
                    continue;
                }
                let state = [("upgrade_available", "1"), ("upgrade_available", "0")][all.below(2)];
                let base = [names[all.below(2)], &[state, ("bootcount", "1"), ("bootlimit", "2")]].concat();
                let mut variables: Vec<_> =
                    pairs(&base).into_iter().filter(|(known, _)| known != name).collect();
                variables.push(((*name).into(), value.clone()));
                all.add(kind, variables);
            }
        }
    }
    all.cases
}

fn pairs(variables: &[(&str, &str)]) -> Vec<(String, Vec<u8>)> {
    variables.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect()
}

struct Collected {
    cases: Vec<Case>,
    seen: HashSet<Vec<u8>>,
    random: u64,
}

impl Collected {
    fn new() -> Collected {
        Collected { cases: vec![], seen: HashSet::new(), random: 0x9e37_79b9_7f4a_7c15 }
    }

    fn add(&mut self, kind: Kind, variables: Vec<(String, Vec<u8>)>) {
        if !self.seen.insert([records(&variables), kind.reader.name().into()].concat()) {
            return;
        }
        let (mut dead, mut back, mut flaky) = (vec![], vec![], vec![]);
        // In a third of the cases most slots fail, so that what comes last is reached.
        let of = [8, 8, 4][self.below(3)];
        for slot in kind.slots.iter().map(|slot| Name::new(slot).unwrap()) {
            match self.below(of) {
                0 | 1 => dead.push(slot),
                2 => back.push(slot),
                4 => flaky.push(slot),
                _ => {}
            }
        }
        let (saves, recovery) = (self.below(4) > 0, self.below(2) == 0);
        let guarded = kind.reader == Reader::RaucUncounted && self.below(4) == 0;
        self.cases.push(Case { kind, variables, dead, back, flaky, saves, recovery, guarded });
    }

    /// A number below `limit`, the same ones in every run (xorshift).
    fn below(&mut self, limit: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random % limit as u64) as usize
    }
}
