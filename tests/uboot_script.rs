//! The boot script in a real U-Boot, and its twins [`next_boot`] and [`guarded_boot`]: for thousands of environments both
//! must boot the same slot, after the same stores of the same variables, in both of hush's parsers, and in a U-Boot of
//! two years before, which has the old one alone.
//!
//! U-Boot runs in QEMU and gets each environment at its prompt as it gets a stored one, by the import
//! of NUL-separated records. The script's variables are those of `uboot-scripts/bootslot.env`; only
//! some of its commands are replaced: `saveenv` by one that exports all variables, prints their CRC,
//! and fails where the case says so, `reset` by a message, `sleep` by nothing.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod uboot_console;

use std::collections::{BTreeMap, HashSet};
use std::process::Command;
use std::time::Instant;

use bootslot::slot::dialect::native;
use bootslot::slot::{guarded_boot, next_boot, Board, Chosen, Machine, Name, Script, State, LOADS};
use uboot_console::values::{
    as_the_old_parser_compares, crc, escape, observed, odd_values, unescape, Event, Exported,
};
use uboot_console::{records, root, rules, share, u_boot, Build, UBoot, NEW, OLD};

/// Where exports go in the RAM of QEMU's board.
const EXPORT_AT: usize = 0x4100_0000;

/// The last resort of the boards that have one.
const LAST_RESORT: &str = "R";

/// One environment and what the machine does.
#[derive(Debug, Clone)]
struct Case {
    /// As stored, in order.
    variables: Vec<(String, Vec<u8>)>,
    slots: Vec<Name>,
    /// Slots whose `bootslot_load` fails.
    dead: Vec<Name>,
    /// Slots that load, and whose `bootslot_boot` comes back.
    back: Vec<Name>,
    /// Slots that load at the last time they are asked only.
    flaky: Vec<Name>,
    /// The board has a last resort.
    last_resort: bool,
    saves: bool,
    recovery: bool,
    /// It is `bootslot_guard` that runs, since U-Boot has counted too many boots.
    guarded: bool,
}

#[test]
#[ignore = "builds U-Boot and boots it in QEMU; tools/test.sh runs it"]
fn the_boot_script_does_what_next_boot_says_in_the_old_parser() {
    compare(NEW, "old", Script::V2, share(1, 12, cases()));
}

#[test]
#[ignore = "builds U-Boot and boots it in QEMU; tools/test.sh runs it"]
fn version_1_of_the_script_does_what_next_boot_says_of_it() {
    let mut cases = cases();
    cases.retain(|case| !case.last_resort);
    // Names of version 2: to version 1 they are variables as any other, and are stored.
    let new = |name: &String| name == "bs_keep" || name == "bs_gone";
    cases.retain(|case| !case.variables.iter().any(|(name, _)| new(name)));
    let cases = share(1, 30, cases);
    for parser in ["old", "modern"] {
        compare(NEW, parser, Script::V1, cases.clone());
    }
}

#[test]
#[ignore = "builds U-Boot and boots it in QEMU; tools/test.sh runs it"]
fn the_boot_script_does_what_next_boot_says_in_an_older_u_boot() {
    compare(OLD, "old", Script::V2, share(1, 30, cases()));
}

#[test]
#[ignore = "builds U-Boot and boots it in QEMU; tools/test.sh runs it"]
fn the_boot_script_does_what_next_boot_says_in_the_modern_parser() {
    compare(NEW, "modern", Script::V2, share(1, 12, cases()));
}

#[test]
fn no_loop_overflows_in_the_modern_parser_and_no_shell_variable_is_set_to_nothing() {
    let both = [script(Script::V2, false), script(Script::V2, true)].concat();
    let turns = rules::turns_that_do_not_overflow(&both);
    assert!(turns > 40, "{turns} turns found in the script");
    let set = rules::assignments_of_something(&both);
    assert!(set > 100, "{set} assignments found in the script");
}

fn compare(build: Build, parser: &str, version: Script, mut cases: Vec<Case>) {
    if parser == "old" {
        // It can't copy a value with a single quote, a backslash or a line break; see uboot-scripts/README.md.
        cases.retain(|case| {
            let mut copied =
                case.variables.iter().filter(|(name, _)| name == "boot_update" || name == "bootargs");
            !copied.any(|(_, value)| value.iter().any(|byte| b"'\\\n".contains(byte)))
        });
    }
    let least = if version == Script::V2 && build.chooses { 500 } else { 100 };
    assert!(cases.len() >= least, "{} environments", cases.len());
    let (binary, began) = (u_boot(build), Instant::now());
    let (mut boots, mut saves, mut differences) = (0, 0, 0);
    // A new U-Boot now and then: the modern parser never frees some of its memory.
    let (with, without): (Vec<Case>, Vec<Case>) = cases.iter().cloned().partition(|case| case.last_resort);
    for cases in with.chunks(150).chain(without.chunks(150)) {
        let script = script(version, cases[0].last_resort);
        let stored: Vec<Vec<u8>> =
            cases.iter().map(|case| records(&[case.variables.clone(), orders(case)].concat())).collect();
        let mut uboot = UBoot::start(&binary, &records(&script), &stored);
        assert!(uboot.banner.contains(&format!("U-Boot {}", build.version)), "{}", uboot.banner);
        if build.chooses {
            uboot.use_parser(parser);
        }
        for (case, place) in cases.iter().zip(uboot.cases.clone()) {
            let either = [false, true].map(|anew| expected(case, version, &script, parser, anew));
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
                    let both = format!("next_boot: {either:?}\n  U-Boot:    {observed:?}");
                    eprintln!("{parser} parser, {case:?}\n  {both}\n{said}");
                }
            }
        }
    }
    println!(
        "U-Boot {}, script {version:?}, {parser} parser: {} environments, {boots} booted a slot, {saves} stores, {differences} differences, {:.1} s",
        build.version,
        cases.len(),
        began.elapsed().as_secs_f32()
    );
    assert_eq!(differences, 0, "of {} environments", cases.len());
}

/// What the twin says, in the words of the script's output. A value that only the old parser takes for a slot's name
/// stays as it is, or is set `anew` to the name: the twin's state is the same.
fn expected(
    case: &Case,
    version: Script,
    script: &[(String, Vec<u8>)],
    parser: &str,
    anew: bool,
) -> Vec<Event> {
    let last_resort = case.last_resort.then(|| Name::new(LAST_RESORT).unwrap());
    let board = Board { slots: case.slots.clone(), last_resort, script: version, ..Board::default() };
    let mut compared: BTreeMap<String, Vec<u8>> = case.variables.iter().cloned().collect();
    if parser == "old" {
        compared
            .values_mut()
            .for_each(|value| *value = escape(&as_the_old_parser_compares(&unescape(value))));
    }
    let stored = |name: &str| compared.get(name).map(Vec::as_slice);
    let state = native::decode_with(&stored, &board).unwrap();
    let raw = |name: &str| {
        case.variables.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_slice())
    };
    let before = if anew { native::decode_with(&raw, &board).unwrap() } else { state.clone() };
    let mut exported: Exported = BTreeMap::new();
    for (name, value) in script.iter().chain(&case.variables).chain(&orders(case)) {
        exported.insert(name.clone().into_bytes(), escape(&unescape(value)));
    }
    exported.retain(|name, value| !value.is_empty() && !name.starts_with(b"bs_") && name != b"slot");
    let mut twin = Twin { case, state: before, exported, events: vec![], asked: BTreeMap::new() };
    let boot = if case.guarded { guarded_boot } else { next_boot };
    match boot(&state, &mut twin).chosen {
        Chosen::Slot(slot) => twin.events.push(twin.boot(&slot)),
        Chosen::Recovery => {
            twin.events.extend(case.recovery.then_some(Event::Recovery));
            twin.events.push(Event::Reset);
        }
        Chosen::StartOver => twin.events.push(Event::Reset),
        Chosen::Reset | Chosen::Ends => panic!("the script does not end so"),
    }
    twin.events
}

struct Twin<'a> {
    case: &'a Case,
    state: State,
    exported: Exported,
    events: Vec<Event>,
    /// How often each slot was asked to load.
    asked: BTreeMap<Name, u8>,
}

impl Twin<'_> {
    fn boot(&self, slot: &Name) -> Event {
        let told = if self.state.script == Script::V1 { "" } else { " bootslot.script=2" };
        let mut bootargs = self.exported.get(&b"bootargs"[..]).cloned().unwrap_or_default();
        bootargs.extend(format!(" root bootslot.slot={slot}{told}").bytes());
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
        let mut exported = self.exported.clone();
        for (name, value) in native::changes(&self.state, state) {
            match value {
                Some(value) => exported.insert(name.into_bytes(), value),
                None => exported.remove(name.as_bytes()),
            };
        }
        self.events.push(Event::Save(crc(&exported)));
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

/// `bootslot.env` as U-Boot's build expands it, with the test's commands in it.
/// Version 1 is kept as it was released.
fn script(version: Script, last_resort: bool) -> Vec<(String, Vec<u8>)> {
    let scripts = root().join("uboot-scripts");
    let mut command = Command::new(scripts.join("expand.sh"));
    command.arg(match version {
        Script::V1 => root().join("tests/data/scripts/bootslot-1.env"),
        _ => scripts.join("bootslot.env"),
    });
    if last_resort {
        command.arg(format!("-DBOOTSLOT_LAST={LAST_RESORT}"));
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let mut variables: Vec<(String, Vec<u8>)> = Vec::new();
    let mut replaced = [0; 4];
    for line in text.lines() {
        let (name, value) = line.split_once('=').unwrap();
        if !name.starts_with("bootslot") {
            continue;
        }
        let mut value = value.to_owned();
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
        variables.push((name.into(), value.into_bytes()));
    }
    let passes_load_errors = usize::from(version > Script::V1);
    assert_eq!(replaced, [1, 1, 1, passes_load_errors], "the script has other commands than this test knows");
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

/// Every combination of states, odd values in every variable, and what machines do to them.
fn cases() -> Vec<Case> {
    let mut all = Collected { cases: vec![], seen: HashSet::new(), random: 0x9e37_79b9_7f4a_7c15 };
    let slots = |names: &[&str]| names.iter().map(|name| Name::new(name).unwrap()).collect::<Vec<_>>();
    let two = slots(&["A", "B"]);
    let three = slots(&["main_1", "2", "Rescue_90123456"]);

    // Two slots, everything that user space and script can write, and each variable missing.
    for active in ["A", "B", ""] {
        for success in ["1", "0", ""] {
            for tries in ["0", "1", "9", ""] {
                for rollback in ["A", "B", ""] {
                    for marks in 0..16 {
                        let mut variables = pairs(&[
                            ("active_slot", active),
                            ("boot_success", success),
                            ("boot_try_count", tries),
                            ("rollback_slot", rollback),
                            ("slot_A", ["", "good", "bad", "failed"][marks % 4]),
                            ("slot_B", ["", "good", "bad", "failed"][marks / 4]),
                        ]);
                        if marks % 2 == 0 {
                            variables
                                .extend(pairs(&[("boot_update", "0123456789abcdef"), ("boot_slots", "A B")]));
                        }
                        all.add(variables, &two);
                    }
                }
            }
        }
    }
    // Three slots with other names, at random.
    for _ in 0..2000 {
        let mut variables =
            pairs(&[("boot_slots", "main_1  2 Rescue_90123456 "), ("bootargs", "console=ttyS0")]);
        for name in ["active_slot", "rollback_slot"] {
            let value = ["main_1", "2", "Rescue_90123456", ""][all.below(4)];
            variables.extend(pairs(&[(name, value)]));
        }
        variables.extend(pairs(&[("boot_success", ["0", "1", ""][all.below(3)])]));
        variables.extend(pairs(&[("boot_try_count", ["0", "1", "3", "7"][all.below(4)])]));
        for slot in &three {
            let mark = ["", "good", "bad", "failed", "failed"][all.below(5)];
            variables.push((format!("slot_{slot}"), mark.into()));
        }
        variables.extend(pairs(&[("slot_R", ["", "", "good", "failed", "bad"][all.below(5)])]));
        all.add(variables, &three);
    }
    // Every odd value in every variable, on a confirmed device, one on trial and one from the factory.
    let names = [
        "active_slot",
        "boot_success",
        "boot_try_count",
        "rollback_slot",
        "slot_A",
        "slot_B",
        "boot_update",
        "boot_failed",
        "bootargs",
        "slot",
        "bs_names",
        "bs_run",
        "bs_do",
        "bs_good",
        "bs_state",
        "bs_gone",
        "bs_keep",
        "slot_",
    ];
    let bases = [
        pairs(&[("active_slot", "A"), ("boot_success", "1"), ("boot_try_count", "0"), ("slot_A", "good")]),
        pairs(&[
            ("active_slot", "B"),
            ("boot_success", "0"),
            ("boot_try_count", "2"),
            ("rollback_slot", "A"),
            ("slot_A", "good"),
            ("boot_update", "0123456789abcdef"),
        ]),
        pairs(&[
            ("active_slot", "A"),
            ("boot_success", "0"),
            ("boot_try_count", "0"),
            ("rollback_slot", "B"),
        ]),
    ];
    for value in odd_values() {
        for (place, name) in names.into_iter().enumerate() {
            // Every value where it is judged, a sample of them elsewhere.
            if place >= 6 && all.below(4) > 0 {
                continue;
            }
            let base = &bases[all.below(3)];
            let mut variables: Vec<_> = base.iter().filter(|(known, _)| known != name).cloned().collect();
            variables.push((name.into(), value.clone()));
            all.add(variables, &two);
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
    fn add(&mut self, variables: Vec<(String, Vec<u8>)>, slots: &[Name]) {
        if !self.seen.insert(records(&variables)) {
            return;
        }
        let (mut dead, mut back, mut flaky) = (vec![], vec![], vec![]);
        let last_resort = self.below(4) == 0;
        let last = last_resort.then(|| Name::new(LAST_RESORT).unwrap());
        // In a third of the cases most slots fail, so that what comes last is reached.
        let of = [8, 8, 4][self.below(3)];
        for slot in slots.iter().chain(&last) {
            match self.below(of) {
                0 | 1 => dead.push(slot.clone()),
                2 => back.push(slot.clone()),
                4 => flaky.push(slot.clone()),
                _ => {}
            }
        }
        let (saves, recovery) = (self.below(4) > 0, self.below(2) == 0);
        let slots = slots.to_vec();
        let case = Case { variables, slots, dead, back, flaky, last_resort, saves, recovery, guarded: false };
        if self.below(3) == 0 {
            self.cases.push(Case { guarded: true, ..case.clone() });
        }
        self.cases.push(case);
    }

    /// A number below `limit`, the same ones in every run (xorshift).
    fn below(&mut self, limit: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random % limit as u64) as usize
    }
}
