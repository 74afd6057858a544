//! The same operations by our tools and by libubootenv's: the same variables after each, and each reads
//! what the other wrote. Where the two differ on purpose, the last tests say how.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod cli_support;

use std::collections::BTreeMap;
use std::process::Command;

use cli_support::*;

/// A small environment, so that it overflows now and then.
const SMALL: usize = 0x400;

type Variables = BTreeMap<String, String>;

enum Operation {
    Set(String, String),
    Delete(String),
    Script(Vec<(String, String)>),
}

fn random_operation(random: &mut Random) -> Operation {
    let name = |random: &mut Random| {
        let names = ["a", "bootcmd", "bootdelay", "Z", "eth1addr", "x.y", "a-b", "_", "ä", "bootargs"];
        (*random.pick(&names)).to_owned()
    };
    match random.below(10) {
        0..=5 => Operation::Set(name(random), random_value(random)),
        6 | 7 => Operation::Delete(name(random)),
        _ => {
            let lines = (0..random.below(6)).map(|_| {
                let value = if random.below(4) == 0 { String::new() } else { random_value(random) };
                // A line of a script ends with its first line break.
                (name(random), value.replace(['\n', '\r'], "~"))
            });
            Operation::Script(lines.collect())
        }
    }
}

fn random_value(random: &mut Random) -> String {
    let pieces =
        ["x", "run ", "=", "-1", "${b}", " ", "\"", "\\", "\n", "ß", ";", "#", "0x1000", "console=ttyS0"];
    let count = if random.below(8) == 0 { 20 + random.below(120) } else { 1 + random.below(8) };
    (0..count).map(|_| *random.pick(&pieces)).collect()
}

/// What the operation makes of the variables.
fn expected(variables: &Variables, operation: &Operation) -> Variables {
    let mut variables = variables.clone();
    let mut set = |name: &String, value: &String| {
        if value.is_empty() {
            variables.remove(name);
        } else {
            variables.insert(name.clone(), value.clone());
        }
    };
    match operation {
        Operation::Set(name, value) => set(name, value),
        Operation::Delete(name) => set(name, &String::new()),
        Operation::Script(lines) => lines.iter().for_each(|(name, value)| set(name, value)),
    }
    variables
}

fn encoded_len(variables: &Variables) -> usize {
    variables.iter().map(|(name, value)| name.len() + value.len() + 2).sum::<usize>() + 1
}

/// Runs an operation; whether it succeeded.
fn run_operation(command: &mut Command, operation: &Operation) -> Ran {
    match operation {
        Operation::Set(name, value) => run(command.args(["--", name, value])),
        Operation::Delete(name) => run(command.args(["--", name])),
        Operation::Script(lines) => {
            let text: Vec<String> = lines.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
            run_with(command.args(["-s", "-"]), text.concat().as_bytes())
        }
    }
}

fn theirs(place: &Place, program: &str) -> Command {
    let mut command = Command::new(program);
    command.current_dir(place.path("")).args(["-c", "fw_env.config"]);
    command
}

fn ours(place: &Place) -> Command {
    let mut command = place.command("fw_setenv");
    command.args(["-c", "fw_env.config", "-l", "lock"]);
    command
}

/// What both readers print of a place, which must be these variables.
#[track_caller]
fn assert_both_read(place: &Place, variables: &Variables, context: &str) {
    let mut wanted: Vec<String> = variables.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    wanted.sort();
    let lines = |printed: &str| {
        // Values may hold line breaks, so that the text is compared as a bag of lines.
        let mut lines: Vec<String> = printed.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let wanted = lines(&wanted.concat());
    let we = place.print(&[]).ok();
    assert_eq!(lines(&we), wanted, "{context}: ours");
    let they = run(&mut theirs(place, PEER_PRINT)).ok();
    assert_eq!(lines(&they), wanted, "{context}: theirs");
}

fn places(records: &[&str]) -> [(&'static str, Place); 2] {
    let single = Place::new();
    single.write("env.img", &image(None, records, SMALL));
    single.configure(&[("env.img", 0, SMALL as u64)]);
    let redundant = Place::new();
    redundant.write("env.img", &[image(Some(254), records, SMALL), vec![0; SMALL]].concat());
    redundant.configure(&[("env.img", 0, SMALL as u64), ("env.img", SMALL as i64, SMALL as u64)]);
    [("single", single), ("redundant", redundant)]
}

#[test]
fn the_same_operations_give_the_same_variables() {
    if !have_libubootenv() {
        return;
    }
    for seed in 0..4u64 {
        let (mine, other) = (places(&["start=1"]), places(&["start=1"]));
        for ((layout, mine), (_, other)) in mine.iter().zip(&other) {
            let mut random = Random(seed);
            let mut variables = Variables::from([("start".to_owned(), "1".to_owned())]);
            let room = SMALL - if *layout == "single" { 4 } else { 5 };
            for step in 0..30 {
                let context = format!("{layout}, seed {seed}, step {step}");
                let operation = random_operation(&mut random);
                let after = expected(&variables, &operation);
                // Exactly one byte too many is what libubootenv stores, and can't read again.
                if encoded_len(&after) == room + 1 {
                    continue;
                }
                let fits = encoded_len(&after) <= room;
                let we = run_operation(&mut ours(mine), &operation);
                let they = run_operation(&mut theirs(other, PEER_SET), &operation);
                assert_eq!(we.code == Some(0), fits, "{context}: {we:?}");
                assert_eq!(they.code == Some(0), fits, "{context}: {they:?}");
                if fits {
                    variables = after;
                }
                assert_both_read(mine, &variables, &context);
                assert_both_read(other, &variables, &context);
            }
        }
    }
}

#[test]
fn both_work_on_the_same_environment_in_turn() {
    if !have_libubootenv() {
        return;
    }
    for seed in 100..104u64 {
        for (layout, place) in &places(&["start=1"]) {
            let mut random = Random(seed);
            let mut variables = Variables::from([("start".to_owned(), "1".to_owned())]);
            let room = SMALL - if *layout == "single" { 4 } else { 5 };
            for step in 0..30 {
                let operation = random_operation(&mut random);
                let after = expected(&variables, &operation);
                if encoded_len(&after) > room {
                    continue;
                }
                let our_turn = random.below(2) == 0;
                let mut tool = if our_turn { ours(place) } else { theirs(place, PEER_SET) };
                let ran = run_operation(&mut tool, &operation);
                let context = format!("{layout}, seed {seed}, step {step}, our turn: {our_turn}");
                assert_eq!(ran.code, Some(0), "{context}: {ran:?}");
                variables = after;
                assert_both_read(place, &variables, &context);
            }
        }
    }
}

#[test]
fn serials_are_chosen_alike() {
    if !have_libubootenv() {
        return;
    }
    let place = Place::redundant(&[]);
    for first in [0, 1, 2, 127, 128, 254, 255] {
        for second in [0, 1, 2, 127, 128, 254, 255] {
            place.write(
                "env.img",
                &[image(Some(first), &["n=0"], SIZE), image(Some(second), &["n=1"], SIZE)].concat(),
            );
            let we = place.print(&["n"]).ok();
            assert_eq!(we, run(theirs(&place, PEER_PRINT).arg("n")).ok(), "serials {first}, {second}");
            assert_eq!(place.stored().unwrap(), [we.trim_end()], "serials {first}, {second}");
        }
    }
}

/// The differences that docs/tools.md lists, so far as they show on a healthy file: theirs is asserted as
/// well, so that the document stays true.
#[test]
fn documented_differences() {
    if !have_libubootenv() {
        return;
    }
    let place = Place::redundant(&["foo=1", "zzz=2"]);
    let undefined = run(theirs(&place, PEER_PRINT).arg("missing"));
    assert_eq!((undefined.code, &*undefined.out), (Some(0), "missing=\n"));

    // A script line without '=' is ignored there and deletes here.
    run_with(theirs(&place, PEER_SET).args(["-s", "-"]), b"foo\n").ok();
    assert_eq!(place.print(&["-n", "foo"]).ok(), "1\n");
    place.script(b"foo\n").ok();
    assert_eq!(place.print(&["foo"]).code, Some(1));

    // Variables are sorted there and keep their place here.
    let place = Place::redundant(&["foo=1", "bar=2"]);
    place.set(&["foo", "3"]).ok();
    assert_eq!(place.stored().unwrap(), ["foo=3", "bar=2"]);
    run(theirs(&place, PEER_SET).args(["foo", "4"])).ok();
    assert_eq!(place.stored().unwrap(), ["bar=2", "foo=4"]);

    // Two names with values: two variables there, one value here.
    run(theirs(&place, PEER_SET).args(["a", "1", "b", "2"])).ok();
    assert_eq!(place.stored().unwrap(), ["a=1", "b=2", "bar=2", "foo=4"]);
    place.set(&["a", "1", "b", "2"]).ok();
    assert_eq!(place.print(&["a"]).ok(), "a=1 b 2\n");
}
