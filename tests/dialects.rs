//! The dialects of other updaters: what their variables mean, that each order leaves all other variables as they are byte by
//! byte, that it says what was wanted or is refused, and that all boot code does with it what it is for.

#![cfg(feature = "settings")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeMap;

use bootslot::env::Environment;
use bootslot::settings::Settings;
use bootslot::slot::dialect::{native, Change, Dialect};
use bootslot::slot::{
    next_boot, Board, Chosen, Machine, Mark, Name, Outcome, Reader, Reason, Standing, State, Working,
};

type Variables = Vec<(String, Option<&'static str>)>;

/// Variables that belong to no dialect: bytes that every piece of code would like to change.
const OTHERS: &[&[u8]] = &[
    b"bootcmd=run distro_bootcmd; echo \"${BOOT_ORDER}\"",
    b"odd=\xff\xfe back\\slash \\\\ 'quoted'  two",
    b"BOOT_X_LEFT=3",
    b"slot_Z=bad",
    b"mender_check_saveenv_canary=1",
];

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

/// The settings of a board: the dialect, its slots, and what stands for each.
fn settings(dialect: Dialect, slots: &[&str]) -> Settings {
    let mut settings = Settings { dialect, ..Settings::default() };
    settings.board.slots = slots.iter().map(|slot| name(slot)).collect();
    if dialect == Dialect::Mender {
        settings.board.values = slots.iter().zip(["2", "11"]).map(|(s, v)| (name(s), v.to_owned())).collect();
    }
    if dialect == Dialect::Bootcount {
        settings.board.slot_variable = "rootpart".into();
    }
    settings
}

fn read_by(reader: Reader, settings: Settings) -> Settings {
    Settings { reader: Some(reader), ..settings }
}

fn boards() -> Vec<Settings> {
    vec![
        settings(Dialect::Rauc, &["A", "B"]),
        settings(Dialect::Rauc, &["A", "B", "C"]),
        settings(Dialect::Mender, &["A", "B"]),
        settings(Dialect::Bootcount, &["A", "B"]),
        read_by(Reader::RaucScript, settings(Dialect::Rauc, &["A", "B"])),
        read_by(Reader::RaucUncounted, settings(Dialect::Rauc, &["A", "B", "C"])),
        read_by(Reader::MenderScript, settings(Dialect::Mender, &["A", "B"])),
        read_by(Reader::BootcountScript, settings(Dialect::Bootcount, &["A", "B"])),
    ]
}

/// Every variable of a dialect with values that tools, people and accidents leave there.
fn pools(dialect: Dialect, slots: usize) -> Vec<(String, Vec<Option<&'static str>>)> {
    let own = [
        ("boot_update".to_owned(), vec![None, Some("B:id-1"), Some("id")]),
        ("boot_failed".to_owned(), vec![None, Some("B:load:old")]),
    ];
    let left: &[Option<&str>] = match slots {
        2 => &[None, Some("0"), Some("1"), Some("3"), Some("5"), Some("6"), Some("9"), Some("a"), Some("x")],
        _ => &[None, Some("0"), Some("2"), Some("9")],
    };
    let mut pools: Vec<(String, Vec<Option<&str>>)> = match dialect {
        Dialect::Rauc => {
            let orders = [
                None,
                Some("A B"),
                Some("B A"),
                Some("B"),
                Some("A  B"),
                Some("Q B A B"),
                Some("C B A"),
                Some("Q"),
            ];
            let counters = ["A", "B", "C"].iter().take(slots);
            let mut pools: Vec<(String, Vec<Option<&str>>)> =
                counters.map(|slot| (format!("BOOT_{slot}_LEFT"), left.to_vec())).collect();
            pools.push(("BOOT_ORDER".into(), orders.into()));
            pools
        }
        Dialect::Mender => vec![
            ("mender_boot_part".into(), vec![None, Some("2"), Some("11"), Some("5"), Some("x")]),
            ("mender_boot_part_hex".into(), vec![None, Some("2"), Some("b"), Some("B"), Some("5")]),
        ],
        _ => vec![
            ("rootpart".into(), vec![None, Some("A"), Some("B"), Some("Z")]),
            ("ustate".into(), vec![None, Some("1"), Some("3"), Some("7")]),
            ("recovery_status".into(), vec![None, Some("in_progress")]),
        ],
    };
    if dialect != Dialect::Rauc {
        let values =
            |values: &[&'static str]| [None].into_iter().chain(values.iter().map(|v| Some(*v))).collect();
        pools.push(("upgrade_available".into(), values(&["0", "1"])));
        pools.push(("bootcount".into(), values(&["0", "1", "2"])));
        pools.push(("bootlimit".into(), values(&["1", "3"])));
        pools.push(("slot_B".into(), values(&["bad", "failed"])));
    }
    pools.extend(own);
    pools
}

fn environments(dialect: Dialect, slots: usize) -> Vec<Environment> {
    let mut all: Vec<Variables> = vec![vec![]];
    for (name, values) in pools(dialect, slots) {
        all = all
            .iter()
            .flat_map(|so_far| {
                values.iter().map(|value| [so_far.clone(), vec![(name.clone(), *value)]].concat())
            })
            .collect();
    }
    all.into_iter().map(|variables| environment(&variables)).collect()
}

fn environment(variables: &Variables) -> Environment {
    let set = variables
        .iter()
        .filter_map(|(name, value)| value.map(|value| format!("{name}={value}").into_bytes()));
    let records: Vec<Vec<u8>> = OTHERS.iter().map(|other| other.to_vec()).chain(set).collect();
    Environment::from_records(records.iter().map(Vec::as_slice))
}

fn of(records: &[&str]) -> Environment {
    Environment::from_records(records.iter().map(|record| record.as_bytes()))
}

fn decode(settings: &Settings, env: &Environment) -> bootslot::Result<State> {
    settings.dialect.decode(env, &settings.board(Default::default()))
}

fn map(env: &Environment) -> BTreeMap<Vec<u8>, Vec<u8>> {
    env.iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect()
}

type Order = Box<dyn Fn(&State) -> Outcome>;

fn orders(slots: &[Name]) -> Vec<(String, Order)> {
    let mut orders: Vec<(String, Order)> = Vec::new();
    for running in slots {
        let me = running.clone();
        orders.push((format!("init {me}"), Box::new(move |s| s.init(Some(&me)))));
        let me = running.clone();
        orders.push((format!("confirm {me}"), Box::new(move |s| s.confirm(&me, &me))));
        let me = running.clone();
        orders.push((format!("confirm for good {me}"), Box::new(move |s| s.confirm_for_good(&me, &me))));
        let me = running.clone();
        orders.push((format!("roll back from {me}"), Box::new(move |s| s.roll_back(&me, Reason::Health))));
        for target in slots {
            type Give = fn(&State, &Name, &Name) -> Outcome;
            let gives: [(&str, Give); 6] = [
                ("begin install", |s, t, r| s.begin_install(t, r)),
                ("finish install", |s, t, r| s.finish_install(t, r, s.board_tries, Some(b"id-2"), false)),
                ("try", |s, t, r| s.try_slot(t, r, 1, true)),
                ("set active", |s, t, r| s.set_active(t, r)),
                ("mark bad", |s, t, r| s.mark_bad(t, r)),
                ("mark good", |s, t, _| s.mark_good(t)),
            ];
            for (what, give) in gives {
                let (target, running) = (target.clone(), running.clone());
                let text = format!("{what} {target} from {running}");
                orders.push((text, Box::new(move |s| give(s, &target, &running))));
            }
        }
    }
    orders.push(("acknowledge".into(), Box::new(|s| Ok(s.acknowledge()))));
    orders
}

/// The slot that each boot code of the dialect boots next, where every slot loads.
fn boots(settings: &Settings, env: &Environment) -> Vec<Chosen> {
    let board = settings.board(Default::default());
    let readers = settings.dialect.readers().iter();
    // What one boot code takes for no slot, another one may take for two of them.
    let states =
        readers.filter_map(|&reader| settings.dialect.decode(env, &Board { reader, ..board.clone() }).ok());
    states.map(|state| next_boot(&state, &mut Working::default()).chosen).collect()
}

/// The heart of it: from each environment each order is refused, or stores what it means and nothing else.
#[test]
fn each_order_says_what_it_means_and_keeps_every_other_variable() {
    let reasons = [
        // Of Mender and of the boot counter.
        ("init", "U-Boot goes back to a slot that is good"),
        ("init", "bootlimit is not set"),
        ("finish install", "bootlimit is not set"),
        ("try", "bootlimit is not set"),
        ("mark good", "is good, and is not the active one"),
        ("confirm", "is good, and is not the active one"),
        ("", "name no slot of this board"),
    ];
    let (mut environments_seen, mut carried_out, mut refused, mut inexpressible) = (0, 0, 0, 0);
    for settings in boards() {
        let dialect = settings.dialect;
        let orders = orders(&settings.board.slots);
        let own: Vec<String> = pools(dialect, settings.board.slots.len())
            .into_iter()
            .map(|(name, _)| name)
            .chain(["slot_A".into()])
            .collect();
        for env in environments(dialect, settings.board.slots.len()) {
            let Ok(before) = decode(&settings, &env) else { continue };
            environments_seen += 1;
            assert!(dialect.changes(&before, &before).unwrap().is_empty());
            for (what, give) in &orders {
                let place = || {
                    let records = env.records().skip(OTHERS.len()).map(String::from_utf8_lossy);
                    format!("{dialect:?}, {what}, {:?}", records.collect::<Vec<_>>())
                };
                let Ok(wanted) = give(&before) else {
                    refused += 1;
                    continue;
                };
                let changes = match dialect.changes(&before, &wanted) {
                    Ok(changes) => changes,
                    Err(error) => {
                        let error = error.to_string();
                        let why = error.rsplit_once("this: ").unwrap().1;
                        let known = reasons
                            .iter()
                            .any(|(order, reason)| what.starts_with(order) && why.contains(reason));
                        assert!(known, "{}: {why}", place());
                        inexpressible += 1;
                        continue;
                    }
                };
                carried_out += 1;
                let mut stored = env.clone();
                native::apply(&changes, &mut stored).unwrap();
                judge(&settings, what, [&env, &stored], &changes, &wanted, &own, &place);
                // Given again it stores nothing, or is refused: the slot that was named runs no more.
                let after = decode(&settings, &stored).unwrap();
                if let Ok(again) = give(&after) {
                    let changes = dialect.changes(&after, &again).unwrap_or_default();
                    let over = matches!(wanted.standing(), Standing::Over(Some(_)));
                    assert!(changes.is_empty() || over, "{}: again: {changes:?}", place());
                }
            }
        }
    }
    println!("{environments_seen} environments, {carried_out} orders carried out, {refused} refused by the rules, {inexpressible} by the dialect");
    assert!(environments_seen > 5_000 && carried_out > 50_000 && inexpressible > 1_000);
}

fn judge(
    settings: &Settings,
    what: &str,
    [old, new]: [&Environment; 2],
    changes: &[Change],
    wanted: &State,
    own: &[String],
    place: &dyn Fn() -> String,
) {
    for (name, value) in changes {
        assert!(own.contains(name), "{}: {name} is not the dialect's", place());
        let digit = |value: &Vec<u8>| matches!(value[..], [b'0'..=b'9']);
        if name.ends_with("_LEFT") || name == "bootcount" || name == "upgrade_available" || name == "ustate" {
            assert!(value.as_ref().is_some_and(digit), "{}: {name}: {value:?}", place());
        }
    }
    let (old, changed) = (map(old), map(new));
    for (name, value) in &old {
        if !changes.iter().any(|(changed, _)| changed.as_bytes() == name.as_slice()) {
            assert_eq!(changed.get(name), Some(value), "{}", place());
        }
    }
    let after = decode(settings, new).unwrap();
    for slot in wanted.slots.iter().map(|slot| &slot.name) {
        let on_trial = wanted.is_on_trial(slot) && wanted.mark(slot) != Some(Mark::Good);
        // Of a slot that is not active the boot counter's variables don't say that it is good.
        let lost = settings.dialect != Dialect::Rauc && wanted.mark(slot) == Some(Mark::Good);
        if !on_trial && !lost {
            assert_eq!(after.mark(slot), wanted.mark(slot), "{}: slot {slot}", place());
        }
    }
    // A trial that is over: which slot is active then is the boot code's choice.
    if !matches!(wanted.standing(), Standing::Over(Some(_))) {
        assert_eq!(after.active.known(), wanted.active.known(), "{}", place());
        assert_eq!(after.standing(), wanted.standing(), "{}", place());
        assert_eq!((&after.update, &after.failed), (&wanted.update, &wanted.failed), "{}", place());
    }
    if changes.is_empty() {
        return;
    }
    let target = what.split(' ').find_map(|word| after.slot(&Name::new(word)?).map(|slot| slot.name.clone()));
    let (Some(target), next) = (target, boots(settings, new)) else { return };
    let agree = next.iter().all(|boot| *boot == next[0]);
    if what.starts_with("begin install") || what.starts_with("mark bad") {
        assert!(!next.contains(&Chosen::Slot(target.clone())), "{}: {next:?}", place());
    }
    // Where a word is no slot, the boot code differs whatever is stored: see `otherwise` of the next boot.
    let order = old.get(&b"BOOT_ORDER"[..]).map(|order| String::from_utf8_lossy(order).into_owned());
    let is_slot = |word: &str| settings.board.slots.iter().any(|slot| slot.as_str() == word);
    let odd_words = order.is_some_and(|order| !order.split(' ').all(is_slot));
    let odd_counter = settings.board.slots.iter().any(|slot| {
        let left = changed.get(format!("BOOT_{slot}_LEFT").as_bytes());
        left.is_some_and(|left| !matches!(left[..], [b'0'..=b'9']))
    });
    // And where Mender's second variable is missing or repeats another number: bootslot's script looks at the first one alone.
    let [part, hex] = ["mender_boot_part", "mender_boot_part_hex"]
        .map(|name| changed.get(name.as_bytes()).map(|value| String::from_utf8_lossy(value).into_owned()));
    let hex = hex.and_then(|hex| u32::from_str_radix(&hex, 16).ok()).map(|number| number.to_string());
    if odd_words || odd_counter || part != hex {
        return;
    }
    assert!(agree, "{}: the boot code differs: {next:?}", place());
    let starts = ["finish install", "try", "set active"].iter().any(|order| what.starts_with(order));
    if starts && after.active.known() == Some(&target) {
        assert_eq!(next[0], Chosen::Slot(target), "{}", place());
    } else if what.starts_with("roll back") && wanted.mark(&target) == Some(Mark::Failed) {
        assert_ne!(next[0], Chosen::Slot(target), "{}", place());
    }
}

/// What a state is, in a word for each slot: `*` is active, with its tries.
fn shown(state: &State) -> String {
    let slot = |slot: &Name| {
        let mark = match state.mark(slot) {
            Some(Mark::Good) => "good",
            Some(Mark::Writing) => "closed",
            Some(Mark::Failed) => "failed",
            None => "new",
        };
        match (state.active.known() == Some(slot), state.standing()) {
            (true, Standing::Confirmed(_)) => format!("*{slot}:{mark}"),
            (true, Standing::Trial { left, .. }) => format!("*{slot}:{mark}:{left}"),
            (true, Standing::Over(_)) => format!("*{slot}:{mark}:0"),
            (false, _) => format!("{slot}:{mark}"),
        }
    };
    let slots: Vec<String> = state.slots.iter().map(|s| slot(&s.name)).collect();
    let mut text = slots.join(" ");
    if let Some(update) = &state.update {
        text += &format!(" tries {}", String::from_utf8_lossy(update));
    }
    if let Some(failed) = state.last_failure() {
        text += &format!(" failed {}", failed.slot);
    }
    text
}

#[test]
fn what_the_variables_of_rauc_mean() {
    let two = settings(Dialect::Rauc, &["A", "B"]);
    for (records, means) in [
        (&[][..], "*A:new:3 B:new"),
        (&["BOOT_ORDER=A B", "BOOT_A_LEFT=9", "BOOT_B_LEFT=3"], "*A:good B:new"),
        (&["BOOT_ORDER=B A", "BOOT_A_LEFT=9", "BOOT_B_LEFT=3"], "A:good *B:new:3"),
        (&["BOOT_ORDER=B A", "BOOT_A_LEFT=9", "BOOT_B_LEFT=0"], "*A:good B:failed"),
        (&["BOOT_ORDER=A", "BOOT_A_LEFT=9", "BOOT_B_LEFT=0"], "*A:good B:closed"),
        (&["BOOT_ORDER=A B", "BOOT_A_LEFT=0", "BOOT_B_LEFT=0"], "*A:failed:0 B:failed"),
        (&["BOOT_ORDER=A B"], "*A:new:3 B:new"),
        (&["BOOT_ORDER=A B", "BOOT_A_LEFT=6", "BOOT_B_LEFT=8"], "*A:good B:good"),
        (&["BOOT_ORDER=A B", "BOOT_A_LEFT=5", "BOOT_B_LEFT=a"], "*A:new:5 B:new"),
        (&["BOOT_A_LEFT=2"], "*A:new:2 B:new"),
        (
            &["BOOT_ORDER=B A", "BOOT_A_LEFT=9", "BOOT_B_LEFT=2", "boot_update=B:id"],
            "A:good *B:new:2 tries id",
        ),
        // Another slot is active, or this one was confirmed by RAUC: the variable is left from before.
        (&["BOOT_ORDER=A B", "BOOT_A_LEFT=9", "BOOT_B_LEFT=2", "boot_update=B:id"], "*A:good B:new"),
        (&["BOOT_ORDER=B A", "BOOT_A_LEFT=9", "BOOT_B_LEFT=9", "boot_update=B:id"], "A:good *B:good"),
        (
            &["BOOT_ORDER=B A", "BOOT_A_LEFT=9", "BOOT_B_LEFT=0", "boot_update=B:id"],
            "*A:good B:failed failed B",
        ),
    ] {
        assert_eq!(shown(&decode(&two, &of(records)).unwrap()), means, "{records:?}");
    }
}

/// The last boot of a trial is counted before it: the slot that runs has none left, as one that has failed.
#[test]
fn the_last_boot_of_a_trial_is_told_from_a_failure_by_the_slot_that_runs() {
    let settings = settings(Dialect::Rauc, &["A", "B"]);
    let (board, last) = (
        settings.board(Default::default()),
        of(&["BOOT_ORDER=B A", "BOOT_A_LEFT=8", "BOOT_B_LEFT=0", "boot_update=B:id"]),
    );
    let from = |slot: &str| settings.dialect.decode_in(&last, &board, Some(&name(slot))).unwrap();
    assert_eq!(shown(&from("B")), "A:good *B:new:0 tries id");
    assert_eq!(shown(&from("A")), "*A:good B:failed failed B");
    for (give, means, stores) in [
        (
            (|s| s.confirm(&name("B"), &name("B"))) as fn(&State) -> Outcome,
            "A:good *B:good",
            "BOOT_B_LEFT=9 boot_update=",
        ),
        (
            |s| s.roll_back(&name("B"), Reason::Health),
            "*A:good B:failed failed B",
            "BOOT_ORDER=A B boot_update= boot_failed=B:health:id",
        ),
    ] {
        let (before, wanted) = (from("B"), give(&from("B")).unwrap());
        assert_eq!(shown(&settings.dialect.express(&wanted).unwrap()), means);
        let changes = settings.dialect.changes(&before, &wanted).unwrap();
        let text = changes
            .into_iter()
            .map(|(n, v)| format!("{n}={}", String::from_utf8(v.unwrap_or_default()).unwrap()));
        assert_eq!(text.collect::<Vec<_>>().join(" "), stores);
    }
}

#[test]
fn what_the_variables_of_mender_and_of_the_boot_counter_mean() {
    let mender = settings(Dialect::Mender, &["A", "B"]);
    for (records, means) in [
        (&[][..], "A:new B:new"),
        (&["mender_boot_part=2", "mender_boot_part_hex=2", "upgrade_available=0"], "*A:good B:new"),
        (
            &[
                "mender_boot_part=11",
                "mender_boot_part_hex=b",
                "upgrade_available=1",
                "bootcount=0",
                "bootlimit=1",
            ],
            "A:good *B:new:1",
        ),
        (
            &[
                "mender_boot_part=11",
                "mender_boot_part_hex=b",
                "upgrade_available=1",
                "bootcount=1",
                "bootlimit=1",
                "boot_update=B:id",
            ],
            "A:good *B:new:0 tries id",
        ),
        // Mender's client writes capital letters up to its version 3, and small ones since.
        (&["mender_boot_part=11", "mender_boot_part_hex=B", "upgrade_available=0"], "A:new *B:good"),
        // U-Boot has ended the trial; then the same by somebody who did not count.
        (
            &[
                "mender_boot_part=2",
                "mender_boot_part_hex=2",
                "upgrade_available=0",
                "bootcount=2",
                "bootlimit=1",
                "boot_update=B:id",
            ],
            "*A:good B:failed failed B",
        ),
        (
            &[
                "mender_boot_part=2",
                "mender_boot_part_hex=2",
                "upgrade_available=0",
                "bootcount=1",
                "bootlimit=1",
                "boot_update=B:id",
            ],
            "*A:good B:new",
        ),
        (
            &["mender_boot_part=2", "mender_boot_part_hex=2", "upgrade_available=0", "slot_B=bad"],
            "*A:good B:closed",
        ),
        // What is left from before says nothing while the slot is on trial.
        (
            &[
                "mender_boot_part=11",
                "mender_boot_part_hex=b",
                "upgrade_available=1",
                "bootlimit=1",
                "slot_B=bad",
            ],
            "A:good *B:new:1",
        ),
    ] {
        assert_eq!(shown(&decode(&mender, &of(records)).unwrap()), means, "{records:?}");
    }
    let torn = of(&["mender_boot_part=2", "mender_boot_part_hex=b"]);
    let error = decode(&mender, &torn).unwrap_err().to_string();
    assert_eq!(
        error,
        "mender_boot_part: it is 2, and mender_boot_part_hex is b: kernel and root would be two slots'"
    );

    let counter = settings(Dialect::Bootcount, &["A", "B"]);
    for (records, means) in [
        (&["rootpart=B", "upgrade_available=0"][..], "A:new *B:good"),
        (&["rootpart=B", "upgrade_available=1", "bootcount=1", "bootlimit=3"], "A:good *B:new:2"),
        (&["rootpart=A", "ustate=3"], "*A:good B:failed"),
        // SWUpdate has installed, and U-Boot has gone back; before it has installed the next one; a confirmation of somebody else's.
        (
            &["rootpart=A", "upgrade_available=0", "bootcount=4", "bootlimit=3", "ustate=1"],
            "*A:good B:failed",
        ),
        (
            &[
                "rootpart=A",
                "upgrade_available=0",
                "bootcount=4",
                "bootlimit=3",
                "ustate=7",
                "recovery_status=in_progress",
            ],
            "*A:good B:closed",
        ),
        (&["rootpart=A", "upgrade_available=0", "bootcount=3", "bootlimit=3", "ustate=1"], "*A:good B:new"),
        (&["rootpart=A", "recovery_status=in_progress"], "*A:good B:closed"),
    ] {
        assert_eq!(shown(&decode(&counter, &of(records)).unwrap()), means, "{records:?}");
    }
}

/// What the dialects have no variable for is refused, with the reason.
#[test]
fn what_can_not_be_said_is_refused_with_the_reason() {
    let refusal = |dialect, records: &[&str], give: fn(&State) -> Outcome| {
        let settings = settings(dialect, &["A", "B"]);
        let state = decode(&settings, &of(records)).unwrap();
        dialect.changes(&state, &give(&state).unwrap()).unwrap_err().to_string()
    };
    let rauc = ["BOOT_ORDER=A", "BOOT_A_LEFT=9", "BOOT_B_LEFT=0"];
    let mender = ["mender_boot_part=2", "mender_boot_part_hex=2", "upgrade_available=0", "bootlimit=1"];
    let finish: fn(&State) -> Outcome =
        |s| s.begin_install(&name("B"), &name("A"))?.finish_install(&name("B"), &name("A"), 9, None, false);
    assert_eq!(
        refusal(Dialect::Rauc, &rauc, finish),
        "refused: the dialect rauc can't say this: 9 tries are a confirmed slot here: a trial has 1 to 5"
    );
    for (dialect, records, give, says) in [
        (Dialect::Mender, &mender[..], finish, "bootlimit is 1: a trial has no 9 tries"),
        (Dialect::Mender, &mender[..3], finish, "bootlimit is not set, and U-Boot would never give the trial up"),
        (Dialect::Mender, &mender[..], |s: &State| s.mark_good(&name("B")), "slot B is good, and is not the active one"),
        (Dialect::Bootcount, &["bootlimit=1"], |s: &State| s.init(None), "U-Boot goes back to a slot that is good, and nothing else can be said of slot B, that it is unknown"),
    ] {
        let error = refusal(dialect, records, give);
        assert!(error.ends_with(says), "{error}");
    }
    let three = settings(Dialect::Mender, &["A", "B", "C"]);
    assert!(decode(&three, &of(&[])).is_err());
}

/// A machine on which some slots load, and `saveenv` works or does not.
struct Board2<'s> {
    loads: &'s [&'s str],
    saves: bool,
    stored: Vec<State>,
}

impl Machine for Board2<'_> {
    fn loads(&mut self, slot: &Name) -> bool {
        self.loads.contains(&slot.as_str())
    }
    fn save(&mut self, state: &State) -> bool {
        if self.saves {
            self.stored.push(state.clone());
        }
        self.saves
    }
    fn has_recovery(&self) -> bool {
        false
    }
}

/// Dialect, boot code, what is stored, what loads, whether `saveenv` works, what boots, what is stored then.
type Boot =
    (Dialect, Reader, &'static [&'static str], &'static [&'static str], bool, &'static str, &'static str);

/// Whole boots, as one line each: what is stored, what loads, what boots, and what is stored then.
#[test]
fn each_boot_code_does_what_its_source_says() {
    use Reader::{
        Altbootcmd, BootcountScript, Bootmeth, Contrib, Mender, MenderScript, RaucScript, RaucUncounted,
    };
    let all: &[&str] = &["A", "B"];
    let cases: &[Boot] = &[
        (
            Dialect::Rauc,
            Contrib,
            &["BOOT_ORDER=B A", "BOOT_A_LEFT=9", "BOOT_B_LEFT=a"],
            all,
            true,
            "B",
            "BOOT_B_LEFT=9",
        ),
        (
            Dialect::Rauc,
            Bootmeth,
            &["BOOT_ORDER=B A", "BOOT_A_LEFT=9", "BOOT_B_LEFT=a"],
            all,
            true,
            "A",
            "BOOT_A_LEFT=8",
        ),
        (
            Dialect::Rauc,
            Contrib,
            &["BOOT_ORDER=B A", "BOOT_B_LEFT=10"],
            all,
            true,
            "B",
            "BOOT_A_LEFT=3 BOOT_B_LEFT=f",
        ),
        (
            Dialect::Rauc,
            Bootmeth,
            &["BOOT_ORDER=B A", "BOOT_B_LEFT=10"],
            all,
            true,
            "B",
            "BOOT_A_LEFT=3 BOOT_B_LEFT=9",
        ),
        (
            Dialect::Rauc,
            Contrib,
            &["BOOT_ORDER=Q B", "BOOT_A_LEFT=1", "BOOT_B_LEFT=1"],
            all,
            true,
            "B",
            "BOOT_B_LEFT=0",
        ),
        (
            Dialect::Rauc,
            Bootmeth,
            &["BOOT_ORDER=Q B", "BOOT_A_LEFT=1", "BOOT_B_LEFT=1"],
            all,
            true,
            "ends",
            "",
        ),
        (
            Dialect::Rauc,
            Contrib,
            &["BOOT_ORDER=A  B", "BOOT_A_LEFT=1", "BOOT_B_LEFT=1"],
            all,
            true,
            "A",
            "BOOT_A_LEFT=0",
        ),
        (
            Dialect::Rauc,
            Bootmeth,
            &["BOOT_ORDER=A  B", "BOOT_A_LEFT=1", "BOOT_B_LEFT=1"],
            all,
            true,
            "ends",
            "",
        ),
        (
            Dialect::Rauc,
            Contrib,
            &["BOOT_ORDER=A B", "BOOT_A_LEFT=1", "BOOT_B_LEFT=1"],
            &["B"],
            true,
            "ends",
            "BOOT_A_LEFT=0",
        ),
        (Dialect::Rauc, Contrib, &["BOOT_ORDER=A B", "BOOT_A_LEFT=1", "BOOT_B_LEFT=1"], all, false, "A", ""),
        (
            Dialect::Rauc,
            Bootmeth,
            &["BOOT_ORDER=A B", "BOOT_A_LEFT=1", "BOOT_B_LEFT=1"],
            all,
            false,
            "ends",
            "",
        ),
        (
            Dialect::Rauc,
            Contrib,
            &["BOOT_ORDER=B", "BOOT_A_LEFT=0", "BOOT_B_LEFT=0"],
            all,
            true,
            "reset",
            "BOOT_A_LEFT=3 BOOT_B_LEFT=3",
        ),
        (Dialect::Rauc, Contrib, &[], all, true, "A", "BOOT_ORDER=A B BOOT_A_LEFT=2 BOOT_B_LEFT=3"),
        (
            Dialect::Mender,
            Mender,
            &["mender_boot_part=2", "mender_boot_part_hex=2", "upgrade_available=0", "bootcount=1"],
            all,
            true,
            "A",
            "",
        ),
        (
            Dialect::Mender,
            Mender,
            &[
                "mender_boot_part=11",
                "mender_boot_part_hex=b",
                "upgrade_available=1",
                "bootcount=0",
                "bootlimit=1",
            ],
            all,
            true,
            "B",
            "bootcount=1",
        ),
        (
            Dialect::Mender,
            Mender,
            &[
                "mender_boot_part=11",
                "mender_boot_part_hex=b",
                "upgrade_available=1",
                "bootcount=1",
                "bootlimit=1",
            ],
            all,
            true,
            "A",
            "mender_boot_part=2 mender_boot_part_hex=2 upgrade_available=0 bootcount=2",
        ),
        (
            Dialect::Mender,
            Mender,
            &[
                "mender_boot_part=11",
                "mender_boot_part_hex=b",
                "upgrade_available=1",
                "bootcount=1",
                "bootlimit=1",
            ],
            all,
            false,
            "A",
            "",
        ),
        (
            Dialect::Mender,
            Mender,
            &["mender_boot_part=11", "mender_boot_part_hex=b", "upgrade_available=1", "bootcount=7"],
            all,
            true,
            "B",
            "bootcount=8",
        ),
        (
            Dialect::Mender,
            Mender,
            &["mender_boot_part=11", "mender_boot_part_hex=b", "upgrade_available=1", "bootlimit=1"],
            &["A"],
            true,
            "reset",
            "bootcount=1",
        ),
        (
            Dialect::Bootcount,
            Altbootcmd,
            &["rootpart=B", "upgrade_available=1", "bootlimit=1"],
            &["A"],
            true,
            "ends",
            "bootcount=1",
        ),
        (Dialect::Bootcount, Altbootcmd, &["rootpart=C", "upgrade_available=0"], all, true, "ends", ""),
        // bootslot's own scripts, with what the others above do wrong.
        (
            Dialect::Rauc,
            RaucScript,
            &["BOOT_ORDER=B A", "BOOT_A_LEFT=9", "BOOT_B_LEFT=3"],
            all,
            false,
            "A",
            "",
        ),
        (
            Dialect::Rauc,
            RaucScript,
            &["BOOT_ORDER=A B", "BOOT_A_LEFT=1", "BOOT_B_LEFT=1"],
            &["B"],
            true,
            "B",
            "BOOT_A_LEFT=0 BOOT_B_LEFT=0 boot_failed=A:load:",
        ),
        (
            Dialect::Rauc,
            RaucScript,
            &["BOOT_ORDER=B", "BOOT_A_LEFT=0", "BOOT_B_LEFT=0"],
            all,
            true,
            "Recovery",
            "BOOT_B_LEFT=3",
        ),
        (
            Dialect::Rauc,
            RaucScript,
            &["BOOT_A_LEFT=0", "BOOT_B_LEFT=2"],
            all,
            true,
            "B",
            "BOOT_ORDER=B BOOT_B_LEFT=1",
        ),
        (
            Dialect::Rauc,
            RaucScript,
            &["BOOT_A_LEFT=0", "BOOT_B_LEFT=0"],
            all,
            true,
            "Recovery",
            "BOOT_ORDER=A B BOOT_A_LEFT=3 BOOT_B_LEFT=3",
        ),
        (
            Dialect::Rauc,
            RaucScript,
            &["BOOT_ORDER=A B", "BOOT_A_LEFT=9", "BOOT_B_LEFT=9"],
            all,
            true,
            "A",
            "BOOT_A_LEFT=8",
        ),
        (
            Dialect::Rauc,
            RaucUncounted,
            &["BOOT_ORDER=A B", "BOOT_A_LEFT=9", "BOOT_B_LEFT=9"],
            all,
            true,
            "A",
            "",
        ),
        (
            Dialect::Rauc,
            RaucUncounted,
            &["BOOT_ORDER=A B", "BOOT_A_LEFT=9", "BOOT_B_LEFT=9"],
            &["B"],
            true,
            "B",
            "BOOT_B_LEFT=8",
        ),
        (
            Dialect::Mender,
            MenderScript,
            &[
                "mender_boot_part=11",
                "mender_boot_part_hex=b",
                "upgrade_available=1",
                "bootcount=0",
                "bootlimit=1",
            ],
            all,
            false,
            "A",
            "",
        ),
        (
            Dialect::Mender,
            MenderScript,
            &["mender_boot_part=2", "mender_boot_part_hex=2", "upgrade_available=0", "bootlimit=1"],
            &["B"],
            true,
            "B",
            "mender_boot_part=11 mender_boot_part_hex=b upgrade_available=1 bootcount=1 boot_failed=A:load:",
        ),
        (
            Dialect::Bootcount,
            BootcountScript,
            &["rootpart=B", "upgrade_available=1", "bootlimit=1", "ustate=7"],
            &["A"],
            true,
            "A",
            "rootpart=A upgrade_available=0 bootcount=1 ustate=3 slot_B=failed boot_failed=B:load:",
        ),
        (
            Dialect::Bootcount,
            BootcountScript,
            &["rootpart=C"],
            all,
            true,
            "A",
            "rootpart=A upgrade_available=1 bootcount=1",
        ),
        (
            Dialect::Bootcount,
            BootcountScript,
            &["rootpart=A", "upgrade_available=0", "recovery_status=in_progress"],
            &["B"],
            true,
            "Recovery",
            "",
        ),
    ];
    for (dialect, reader, records, loads, saves, boots, stores) in cases {
        let settings = Settings { reader: Some(*reader), ..settings(*dialect, &["A", "B"]) };
        let state = decode(&settings, &of(records)).unwrap();
        let mut machine = Board2 { loads, saves: *saves, stored: vec![] };
        let chosen = match next_boot(&state, &mut machine).chosen {
            Chosen::Slot(slot) => slot.to_string(),
            Chosen::Reset => "reset".into(),
            Chosen::Ends => "ends".into(),
            other => format!("{other:?}"),
        };
        assert_eq!(chosen, *boots, "{reader:?}, {records:?}");
        let last = machine.stored.last().unwrap_or(&state);
        let changes = dialect.changes(&state, last).unwrap().into_iter();
        let text: Vec<String> = changes
            .map(|(name, value)| format!("{name}={}", String::from_utf8(value.unwrap_or_default()).unwrap()))
            .collect();
        assert_eq!(text.join(" "), *stores, "{reader:?}, {records:?}");
    }
}

/// A confirmed state goes from each dialect to each other one and back: the same slot is confirmed, the old boot code and the
/// new one boot it while both are stored, and nothing else changes.
#[test]
fn a_conversion_says_the_same_and_there_is_a_way_back() {
    use bootslot::slot::dialect::{convert, detect, Detected};
    let common = |dialect| {
        let mut settings = settings(dialect, &["A", "B"]);
        settings.board.slot_variable = "rootpart".into();
        settings.board.values = [("A", "2"), ("B", "11")].map(|(s, v)| (name(s), v.to_owned())).into();
        settings
    };
    let (mut carried_out, mut refused) = (0, 0);
    for from in [Dialect::Rauc, Dialect::Mender, Dialect::Bootcount] {
        let old = common(from);
        for env in environments(from, 2) {
            let Ok(state) = decode(&old, &env) else { continue };
            for &to in Dialect::ALL.iter().filter(|to| **to != from) {
                let new = common(to);
                let board = |settings: &Settings| settings.board(Default::default());
                let place = || {
                    format!(
                        "{from:?} to {to:?}: {:?}",
                        env.records().skip(OTHERS.len()).map(String::from_utf8_lossy).collect::<Vec<_>>()
                    )
                };
                let Ok(kept) = convert(&env, &state, from, (to, &board(&new)), true) else {
                    assert!(!matches!(state.standing(), Standing::Confirmed(_)), "{}", place());
                    refused += 1;
                    continue;
                };
                carried_out += 1;
                let Standing::Confirmed(active) = state.standing() else { panic!("{}", place()) };
                let mut both = env.clone();
                native::apply(&kept.changes, &mut both).unwrap();
                let chosen = Chosen::Slot(active.clone());
                let names: Vec<String> =
                    to.variables(&kept.state).into_iter().map(|(name, _)| name).collect();
                assert!(kept.changes.iter().all(|(name, _)| names.contains(name)), "{}", place());
                for settings in [&old, &new] {
                    let state = decode(settings, &both).unwrap();
                    assert_eq!(next_boot(&state, &mut Working::default()).chosen, chosen, "{}", place());
                    assert_eq!(state.standing(), Standing::Confirmed(active), "{}", place());
                }
                // What is left of the old one goes; as it does at once where nothing is kept.
                let read = decode(&new, &both).unwrap();
                let tidied = convert(&both, &read, to, (to, &board(&new)), false).unwrap();
                let mut tidy = both.clone();
                native::apply(&tidied.changes, &mut tidy).unwrap();
                // The counter of a slot that this board has not is nobody's to delete.
                assert!(tidy.unset(b"BOOT_X_LEFT").unwrap());
                assert!(
                    matches!(detect(&tidy), Detected::One(speaks, _) if speaks == to),
                    "{}: {:?}",
                    place(),
                    detect(&tidy)
                );
                let at_once = convert(&env, &state, from, (to, &board(&new)), false).unwrap();
                let mut direct = env.clone();
                native::apply(&at_once.changes, &mut direct).unwrap();
                let after = decode(&new, &direct).unwrap();
                assert_eq!(
                    (after.standing(), &after.failed),
                    (state.standing(), &state.failed),
                    "{}",
                    place()
                );
                for slot in &state.slots {
                    let lost = at_once.lost.iter().any(|lost| lost.contains(&format!("slot {}", slot.name)));
                    assert_eq!(
                        after.mark(&slot.name),
                        state.mark(&slot.name).filter(|_| !lost),
                        "{}",
                        place()
                    );
                }
                for other in OTHERS {
                    assert!(direct.records().any(|record| record == *other), "{}: {other:?}", place());
                }
                // The way back.
                let back = convert(&direct, &after, to, (from, &board(&old)), false).unwrap();
                native::apply(&back.changes, &mut direct).unwrap();
                let returned = decode(&old, &direct).unwrap();
                assert_eq!(returned.standing(), state.standing(), "{}: back", place());
            }
        }
    }
    println!("{carried_out} conversions, {refused} refused");
    assert!(carried_out > 1_000 && refused > 1_000);
}
