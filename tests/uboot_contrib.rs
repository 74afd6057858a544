//! RAUC's own example of a boot script (`contrib/uboot.sh`) in a real U-Boot, and its twin: for each environment both have to
//! boot the same slot, after the same stores of the same variables.
//!
//! The script is unpacked from Debian's source package when the test runs. Some of its commands are replaced: `saveenv` by
//! one that prints what it stores, and fails where the case says so; `reset` and `bootm` by messages.

#![cfg(feature = "settings")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod uboot_console;

use std::process::Command;

use bootslot::env::Environment;
use bootslot::slot::dialect::Dialect;
use bootslot::slot::{next_boot, Board, Chosen, Foreign, Machine, Name, Reader, State};
use uboot_console::{records, root, share, u_boot, UBoot, NEW};

const VARIABLES: [&str; 3] = ["BOOT_ORDER", "BOOT_A_LEFT", "BOOT_B_LEFT"];

struct Case {
    /// The values of [`VARIABLES`]; an empty one is not there.
    values: [&'static str; 3],
    saves: bool,
}

fn cases() -> Vec<Case> {
    let orders = [
        "", "A B", "B A", "A", "B", "A  B", " B A ", "Q A", "B Q A", "A A B", "AB", "a b", "Q", "B A B", "0",
    ];
    let left = ["", "0", "1", "3", "9", "a", "10", "1f", "x", "0x2", "-1", "1z", "00"];
    let mut cases = Vec::new();
    for order in orders {
        for (place, a) in left.into_iter().enumerate() {
            for (other, b) in left.into_iter().enumerate() {
                cases.push(Case { values: [order, a, b], saves: (place + other) % 4 > 0 });
            }
        }
    }
    cases
}

#[derive(Debug, PartialEq)]
enum Event {
    /// What is stored of [`VARIABLES`], one line each.
    Save(Vec<String>),
    Boot(String),
    Reset,
}

struct Twin {
    saves: bool,
    events: Vec<Event>,
}

impl Machine for Twin {
    fn loads(&mut self, _: &Name) -> bool {
        true
    }

    fn save(&mut self, state: &State) -> bool {
        let Some(Foreign::Rauc(rauc)) = &state.foreign else { panic!("no state of RAUC: {state:?}") };
        let values = [Some(&rauc.order)].into_iter().flatten().chain(rauc.left.iter().map(|(_, left)| left));
        let lines = VARIABLES.iter().zip(values).map(|(name, value)| {
            format!("{name}={}", String::from_utf8_lossy(value.as_deref().unwrap_or_default()))
        });
        self.events.push(Event::Save(lines.collect()));
        self.saves
    }

    fn has_recovery(&self) -> bool {
        false
    }
}

fn expected(case: &Case) -> Vec<Event> {
    let set = VARIABLES.iter().zip(case.values).filter(|(_, value)| !value.is_empty());
    let stored: Vec<Vec<u8>> = set.map(|(name, value)| format!("{name}={value}").into_bytes()).collect();
    let env = Environment::from_records(stored.iter().map(Vec::as_slice));
    let board = Board { reader: Reader::Contrib, ..Board::default() };
    let state = Dialect::Rauc.decode(&env, &board).unwrap();
    let mut twin = Twin { saves: case.saves, events: Vec::new() };
    match next_boot(&state, &mut twin).chosen {
        Chosen::Slot(slot) => twin.events.push(Event::Boot(slot.to_string())),
        Chosen::Reset => twin.events.push(Event::Reset),
        other => panic!("the script does not end so: {other:?}"),
    }
    twin.events
}

fn observed(said: &str) -> Vec<Event> {
    let mut events = Vec::new();
    // A value may end in a blank.
    let mut lines = said.lines().map(|line| line.trim_end_matches('\r'));
    while let Some(line) = lines.next() {
        match line.split_once("rauc.slot=") {
            _ if line == "T-SAVE" => {
                events.push(Event::Save(lines.by_ref().take(VARIABLES.len()).map(str::to_owned).collect()));
            }
            _ if line == "T-RESET" => {
                events.push(Event::Reset);
                return events;
            }
            Some((before, slot)) if before.starts_with("T-BOOT") => {
                events.push(Event::Boot(slot.to_owned()));
                return events;
            }
            _ => {}
        }
    }
    events
}

/// The script with the test's commands in it, as variables.
fn script() -> Vec<(String, Vec<u8>)> {
    let output = Command::new(root().join("qemu/rauc-contrib.sh")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let folder = String::from_utf8(output.stdout).unwrap();
    let mut text = std::fs::read_to_string(format!("{}/uboot.sh", folder.trim_end())).unwrap();
    for (from, to, count) in [
        ("  saveenv\n", "  run t_save\n", 2),
        ("  reset\n", "  echo T-RESET\n", 1),
        ("\nrun load_kernel\n", "\n", 1),
        ("\nbootm ${loadaddr_kernel}\n", "\necho T-BOOT ${bootargs}\n", 1),
    ] {
        assert_eq!(
            text.matches(from).count(),
            count,
            "the script has other commands than this test knows: {from}"
        );
        text = text.replace(from, to);
    }
    let print: Vec<String> = VARIABLES.iter().map(|name| format!("printenv {name}")).collect();
    let save = format!("echo T-SAVE; {}; test \"x${{t_fail}}\" = x", print.join("; "));
    vec![
        ("t_contrib".into(), text.into_bytes()),
        ("t_save".into(), save.into_bytes()),
        ("default_bootargs".into(), b"quiet".to_vec()),
    ]
}

/// What U-Boot does with each case in this parser.
fn boots(parser: &str, cases: &[Case]) -> Vec<Vec<Event>> {
    let (binary, script) = (u_boot(NEW), script());
    let mut boots = Vec::new();
    for cases in cases.chunks(200) {
        let stored: Vec<Vec<u8>> = cases
            .iter()
            .map(|case| {
                let set = VARIABLES.iter().zip(case.values).filter(|(_, value)| !value.is_empty());
                let mut set: Vec<(String, Vec<u8>)> =
                    set.map(|(name, value)| ((*name).to_owned(), value.into())).collect();
                if !case.saves {
                    set.push(("t_fail".into(), b"1".to_vec()));
                }
                records(&set)
            })
            .collect();
        let mut uboot = UBoot::start(&binary, &records(&script), &stored);
        uboot.use_parser(parser);
        for place in uboot.cases.clone() {
            let load = uboot.load(place);
            boots.push(observed(&uboot.command(&format!("{load}; run t_contrib"))));
        }
    }
    boots
}

#[test]
#[ignore = "builds U-Boot and boots it in QEMU; tools/test.sh runs it"]
fn raucs_boot_script_does_what_its_twin_says() {
    let cases = share(1, 3, cases());
    let mut differences = 0;
    for (case, observed) in cases.iter().zip(boots("old", &cases)) {
        let expected = expected(case);
        if observed != expected {
            differences += 1;
            if differences <= 10 {
                eprintln!(
                    "{:?}, saves: {}\n  twin:   {expected:?}\n  U-Boot: {observed:?}",
                    case.values, case.saves
                );
            }
        }
    }
    println!("{} environments, {differences} differences", cases.len());
    assert!(cases.len() >= 500);
    assert_eq!(differences, 0);
}

/// Its list is quoted: for the modern parser that is one word. It finds a slot only where one stands alone, and gives all
/// slots their boots again otherwise, for ever. The documentation says so.
#[test]
#[ignore = "builds U-Boot and boots it in QEMU; tools/test.sh runs it"]
fn raucs_boot_script_finds_no_slot_in_the_modern_parser() {
    let cases = share(1, 9, cases());
    let (mut alone, mut stranded) = (0, 0);
    for (case, observed) in cases.iter().zip(boots("modern", &cases)) {
        match case.values[0] {
            "A" | "B" => {
                alone += 1;
                assert_eq!(observed, expected(case), "{:?}", case.values);
            }
            order => {
                stranded += 1;
                assert_eq!(observed.last(), Some(&Event::Reset), "{order:?}: {observed:?}");
            }
        }
    }
    println!("{alone} with one slot alone, {stranded} that boot nothing");
    assert!(alone > 10 && stranded > 100);
}
