//! Orders to a device's slots on real files: what each one leaves in the bytes, and what it does not touch.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod cli_support;

use bootslot::bootcount::{Layout, Source};
use bootslot::device::{Device, Done};
use bootslot::env::redundancy::CopyState;
use bootslot::env::Environment;
use bootslot::settings::Settings;
use bootslot::slot::{Chosen, Mark, Name, Reason, Role, Script, Standing, Step};
use bootslot::store::{LockPath, StoreOptions};
use bootslot::{Error, Result};

use cli_support::*;

/// What a board has beside the boot state; no order touches it.
const BOARD: [&str; 2] = ["bootcmd=run bootslot", "ethaddr=00:11:22:33:44:55"];
const UPDATE: &str = "0123456789abcdef";

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

/// A place with these variables besides the board's.
fn place(variables: &[&str]) -> Place {
    Place::redundant(&[&BOARD[..], variables].concat())
}

/// The device of a place, on which this slot runs by the kernel's command line.
fn device(place: &Place, running: &str) -> Device {
    place.write(
        "cmdline",
        format!("console=ttyAMA0 bootslot.script=2 bootslot.slot={running} quiet\n").as_bytes(),
    );
    open(place, &Settings { cmdline: place.path("cmdline"), ..Settings::default() })
}

fn open(place: &Place, settings: &Settings) -> Device {
    let settings = Settings { env_config: Some(place.path("fw_env.config")), ..settings.clone() };
    let lock = Some(LockPath::Directory(place.path("lock")));
    Device::open(&settings, &StoreOptions { lock, ..StoreOptions::default() }).unwrap()
}

/// The boot state's variables in the copy that U-Boot takes, in alphabetical order; the board's own are there.
#[track_caller]
fn state(place: &Place) -> String {
    let mut records = place.stored().unwrap();
    for own in BOARD {
        assert_eq!(records.iter().filter(|record| *record == own).count(), 1, "{own} in {records:?}");
    }
    records.retain(|record| !BOARD.contains(&&**record));
    records.sort();
    records.join(" ")
}

/// How many stores there were: the serial of the current copy counts them.
fn stores(place: &Place) -> u8 {
    let bytes = place.read("env.img");
    let serial = |copy: &[u8]| records(copy, 5).map_or(0, |_| copy[4]);
    serial(&bytes[..SIZE]).max(serial(&bytes[SIZE..])) - 1
}

/// Gives an order twice: the first time it is one store, the second time none.
#[track_caller]
fn once(place: &Place, running: &str, order: impl Fn(&mut Device) -> Result<Done>) {
    let before = stores(place);
    let done = order(&mut device(place, running)).unwrap();
    assert!(done.stored() && !done.changes.is_empty(), "{done:?}");
    assert_eq!(stores(place), before + 1);
    let bytes = place.read("env.img");
    let again = order(&mut device(place, running)).unwrap();
    assert!(!again.stored() && again.changes.is_empty(), "{again:?}");
    assert_eq!(again.after, done.after);
    assert!(place.read("env.img") == bytes, "given again, the order wrote");
}

/// The boot script's part: what the next boot stores is stored. Returns the slot that boots.
fn boot(place: &Place, running: &str) -> String {
    let mut device = device(place, running);
    let next = device.next_boot().unwrap();
    for changes in next.stores {
        let mut transaction = device.store().begin().unwrap();
        for (name, value) in changes {
            transaction.set(name.as_bytes(), value.as_deref().unwrap_or_default()).unwrap();
        }
        transaction.commit().unwrap();
    }
    let Chosen::Slot(slot) = next.chosen else { panic!("{:?}", next.chosen) };
    slot.to_string()
}

#[test]
fn an_update_is_four_stores_with_one_trial_boot_and_a_normal_boot_is_none() {
    let place = place(&[]);
    once(&place, "A", |device| device.init(None));
    assert_eq!(state(&place), "active_slot=A boot_success=0 boot_try_count=3 rollback_slot=B");
    assert_eq!(boot(&place, "A"), "A");
    assert_eq!(state(&place), "active_slot=A boot_success=0 boot_try_count=2 rollback_slot=B");
    once(&place, "A", |device| device.confirm(None));
    let confirmed = "active_slot=A boot_success=1 boot_try_count=0 slot_A=good";
    assert_eq!(state(&place), confirmed);

    let bytes = place.read("env.img");
    for _ in 0..3 {
        assert_eq!(boot(&place, "A"), "A");
        assert!(!device(&place, "A").confirm(None).unwrap().stored());
    }
    assert!(place.read("env.img") == bytes, "a normal boot wrote");

    let before = stores(&place);
    let update = Some(UPDATE.as_bytes());
    once(&place, "A", |device| device.begin_install(&name("B")));
    assert_eq!(state(&place), format!("{confirmed} slot_B=bad"));
    let finish = |device: &mut Device| device.finish_install(&name("B"), Some(2), update, false);
    once(&place, "A", finish);
    assert_eq!(
        state(&place),
        format!(
            "active_slot=B boot_success=0 boot_try_count=2 boot_update={UPDATE} rollback_slot=A slot_A=good"
        )
    );
    assert_eq!(boot(&place, "A"), "B");
    // An updater that goes on after the reboot gives its last order again.
    let bytes = place.read("env.img");
    assert!(!finish(&mut device(&place, "B")).unwrap().stored());
    assert!(!device(&place, "B").try_slot(&name("B"), None, false).unwrap().stored());
    assert!(place.read("env.img") == bytes);
    once(&place, "B", |device| device.confirm(Some(&name("B"))));
    assert_eq!(state(&place), "active_slot=B boot_success=1 boot_try_count=0 slot_A=good slot_B=good");
    assert_eq!(stores(&place) - before, 4);
    assert_eq!(boot(&place, "B"), "B");
}

#[test]
fn an_update_that_never_confirms_comes_back_with_its_evidence() {
    let place = place(&["active_slot=A", "boot_success=1", "slot_A=good", "slot_B=good"]);
    once(&place, "A", |device| device.try_slot(&name("B"), None, false));
    for _ in 0..3 {
        assert_eq!(boot(&place, "B"), "B");
    }
    assert_eq!(boot(&place, "B"), "A");
    let back = "active_slot=A boot_failed=B:tries: boot_success=1 boot_try_count=0 rollback_slot=B slot_A=good slot_B=failed";
    assert_eq!(state(&place), back);
    let mut device = device(&place, "A");
    let failure = device.state().unwrap().last_failure().unwrap();
    assert_eq!((failure.slot, failure.reason), (name("B"), Reason::Tries));
}

#[test]
fn user_space_rolls_back_marks_and_chooses() {
    let good = ["active_slot=A", "boot_success=1", "slot_A=good", "slot_B=good"];
    let place = place(&good);
    once(&place, "A", |device| device.set_active(&name("B")));
    assert_eq!(state(&place), "active_slot=B boot_success=1 boot_try_count=0 slot_A=good slot_B=good");
    once(&place, "B", |device| device.mark_bad(&name("A")));
    once(&place, "B", |device| device.mark_good(&name("A")));
    assert_eq!(state(&place), "active_slot=B boot_success=1 boot_try_count=0 slot_A=good slot_B=good");
    once(&place, "B", |device| device.try_slot(&name("A"), Some(1), false));
    assert_eq!(boot(&place, "B"), "A");
    once(&place, "A", |device| device.roll_back(Reason::Health));
    let back =
        "active_slot=B boot_failed=A:health: boot_success=1 boot_try_count=0 slot_A=failed slot_B=good";
    assert_eq!(state(&place), back);
}

#[test]
fn a_refused_order_leaves_every_byte() {
    type Order = fn(&mut Device) -> Result<Done>;
    let confirmed: &[&str] = &["active_slot=A", "boot_success=1", "slot_A=good", "slot_B=good"];
    let failed: &[&str] = &["active_slot=A", "boot_success=1", "slot_A=good", "slot_B=failed"];
    let writing: &[&str] = &["active_slot=A", "boot_success=1", "slot_A=good", "slot_B=bad"];
    let unknown: &[&str] = &["active_slot=A", "boot_success=1", "slot_A=good"];
    let trial: &[&str] =
        &["active_slot=B", "boot_success=0", "boot_try_count=2", "rollback_slot=A", "slot_A=good"];
    let alone: &[&str] = &["active_slot=A", "boot_success=0", "boot_try_count=2", "slot_B=bad"];
    let cases: &[(&[&str], &str, Order, &str)] = &[
        (confirmed, "A", |d| d.begin_install(&name("A")), "slot A is running"),
        (confirmed, "A", |d| d.begin_install(&name("C")), "there is no slot C; the slots are A, B"),
        (trial, "B", |d| d.begin_install(&name("A")), "slot A is the rollback slot"),
        (trial, "B", |d| d.finish_install(&name("A"), None, None, false), "no install into slot A was begun"),
        (
            confirmed,
            "A",
            |d| d.finish_install(&name("B"), None, None, false),
            "no install into slot B was begun",
        ),
        (
            writing,
            "A",
            |d| d.finish_install(&name("B"), Some(0), None, false),
            "0 tries are not possible: 1 to 9",
        ),
        (failed, "A", |d| d.try_slot(&name("B"), None, false), "slot B has failed; install another update"),
        (confirmed, "A", |d| d.try_slot(&name("B"), Some(10), false), "10 tries are not possible: 1 to 9"),
        (confirmed, "A", |d| d.try_slot(&name("A"), None, false), "slot A is running"),
        (trial, "B", |d| d.try_slot(&name("A"), None, false), "slot A is the rollback slot"),
        (confirmed, "A", |d| d.confirm(Some(&name("B"))), "slot B is not the one that runs, that is A"),
        (writing, "B", |d| d.confirm(None), "slot B is being written"),
        (writing, "A", |d| d.try_slot(&name("B"), None, false), "slot B is being written"),
        (writing, "A", |d| d.mark_good(&name("B")), "slot B is being written"),
        (confirmed, "A", |d| d.roll_back(Reason::User), "there is no trial to roll back from"),
        (alone, "A", |d| d.roll_back(Reason::Health), "no slot other than A may boot"),
        (trial, "B", |d| d.mark_good(&name("B")), "slot B is on trial"),
        (confirmed, "A", |d| d.mark_bad(&name("A")), "slot A is running"),
        (failed, "A", |d| d.set_active(&name("B")), "slot B has failed"),
        (writing, "A", |d| d.set_active(&name("B")), "slot B is being written"),
        (unknown, "A", |d| d.set_active(&name("B")), "slot B was never confirmed"),
        (trial, "B", |d| d.set_active(&name("A")), "the running slot B is not confirmed"),
    ];
    for (variables, running, order, says) in cases {
        let place = place(variables);
        let bytes = place.read("env.img");
        let error = order(&mut device(&place, running)).unwrap_err();
        assert!(matches!(&error, Error::Refused(_)), "{says}: {error:?}");
        assert!(error.to_string().starts_with(&format!("refused: {says}")), "{says}: {error}");
        assert!(place.read("env.img") == bytes, "{says}: something was written");
    }
}

#[test]
fn without_the_running_slot_only_orders_that_need_it_fail() {
    let place = place(&["active_slot=A", "boot_success=1", "slot_A=good", "slot_B=failed"]);
    place.write("cmdline", b"quiet\n");
    let settings =
        Settings { cmdline: place.path("cmdline"), script: Some(Script::V2), ..Settings::default() };
    let bytes = place.read("env.img");
    let mut device = open(&place, &settings);
    assert_eq!(device.running(), None);
    let error = device.confirm(None).unwrap_err();
    assert!(matches!(error, Error::RunningUnknown(_)), "{error:?}");
    let file = place.path("cmdline");
    assert_eq!(
        error.to_string(),
        format!(
            "which slot runs is unknown: {} has no bootslot.slot=, which the boot script puts there",
            file.display()
        )
    );
    assert!(place.read("env.img") == bytes);
    let status = device.status().unwrap();
    assert!(status.running.unwrap_err().contains("has no bootslot.slot="));
    assert!(device.mark_good(&name("B")).unwrap().stored());
    assert!(!device.init(None).unwrap().stored());

    // A caller that knows it otherwise says so.
    let settings = Settings { running: Some(name("A")), ..settings };
    assert!(open(&place, &settings).mark_bad(&name("B")).unwrap().stored());
    // One that the board does not have is refused where it matters.
    let settings = Settings { running: Some(name("C")), ..settings };
    let error = open(&place, &settings).begin_install(&name("B")).unwrap_err();
    assert_eq!(error.to_string(), "refused: there is no slot C; the slots are A, B");
}

#[test]
fn nothing_is_made_out_of_nothing_unless_asked_for() {
    let place = place(&[]);
    place.write("env.img", &vec![0xff; 2 * SIZE]);
    for order in [|d: &mut Device| d.init(None), |d: &mut Device| d.confirm(None)] {
        let error = order(&mut device(&place, "A")).unwrap_err();
        assert!(matches!(error, Error::NoValidCopy { .. }), "{error:?}");
    }
    assert!(place.read("env.img").iter().all(|&byte| byte == 0xff));

    // U-Boot boots its compiled-in variables meanwhile: the factory's trial.
    let status = device(&place, "A").status().unwrap();
    assert_eq!(status.health.current, None);
    assert_eq!(status.state.standing(), Standing::Trial { slot: &name("A"), left: 3 });
    assert_eq!(status.next.chosen, Chosen::Slot(name("A")));

    // A base that could not boot is refused, unless the board has its commands compiled in.
    let without = || Some(Environment::from_records([&b"bootdelay=3"[..], b"bootcmd="]));
    let error = device(&place, "A").init(without()).unwrap_err();
    assert!(matches!(&error, Error::Refused(why) if why.contains("no bootcmd")), "{error:?}");
    assert!(place.read("env.img").iter().all(|&byte| byte == 0xff));
    let mut settings = Settings { running: Some(name("A")), script: Some(Script::V2), ..Settings::default() };
    settings.board.hardened = true;
    assert!(open(&place, &settings).init(without()).unwrap().stored());
    place.write("env.img", &vec![0xff; 2 * SIZE]);

    let records = BOARD.map(str::as_bytes);
    assert!(device(&place, "B").init(Some(Environment::from_records(records))).unwrap().stored());
    assert_eq!(state(&place), "active_slot=B boot_success=0 boot_try_count=3 rollback_slot=A");
    // A base is for an environment that is lost, not for one that is there.
    let other = Environment::from_records([&b"bootcmd=other"[..]]);
    assert!(!device(&place, "A").init(Some(other)).unwrap().stored());
    assert_eq!(state(&place), "active_slot=B boot_success=0 boot_try_count=3 rollback_slot=A");
}

#[test]
fn a_hardened_board_keeps_its_compiled_in_values_below() {
    let place = place(&[]);
    let mut settings = Settings { running: Some(name("A")), script: Some(Script::V2), ..Settings::default() };
    settings.board.hardened = true;
    let done = open(&place, &settings).confirm(None).unwrap();
    assert_eq!(
        state(&place),
        "active_slot=A boot_success=1 boot_try_count=0 slot_A=good".replace("active_slot=A ", "")
    );
    // `rollback_slot` is not stored, so that U-Boot sees its own.
    assert_eq!(done.after.rollback.known(), Some(&name("B")));
    let bytes = place.read("env.img");
    assert!(!open(&place, &settings).confirm(None).unwrap().stored());
    assert!(place.read("env.img") == bytes);
}

#[test]
fn what_flags_forbid_or_does_not_fit_or_can_not_be_read_changes_nothing() {
    let cases: [(Vec<String>, &str); 3] = [
        (vec![".flags=slot_B:sr".into(), "slot_B=good".into()], "\"slot_B\" may not be changed"),
        (vec![format!("x={}", "y".repeat(SIZE - 100))], "the environment is full"),
        (vec!["boot_slots=A B;reset".into()], "boot_slots: \"B;reset\" can't be the name of a slot"),
    ];
    for (variables, says) in cases {
        let variables: Vec<&str> = variables.iter().map(String::as_str).collect();
        let place = place(&[&["active_slot=A", "boot_success=1", "slot_A=good"], &variables[..]].concat());
        let bytes = place.read("env.img");
        let error = device(&place, "A").begin_install(&name("B")).unwrap_err().to_string();
        assert!(error.starts_with(says), "{error}");
        assert!(place.read("env.img") == bytes);
    }
}

#[test]
fn hostile_values_are_data() {
    let hostile = ["; reset", "$(reboot)", "\"; run x; \"", "A B", "\\", "\u{1}", "0x1", "-1"];
    for value in hostile.into_iter().chain([&*"A".repeat(200)]) {
        for variable in ["active_slot", "boot_success", "boot_try_count", "rollback_slot", "slot_B"] {
            let place = place(&[&format!("{variable}={value}"), "slot_A=good"]);
            let status = device(&place, "A").status().unwrap();
            assert_eq!(status.next.chosen, Chosen::Slot(name("A")), "{variable}={value}");
            assert!(device(&place, "A").confirm(None).is_ok());
            assert!(device(&place, "A").begin_install(&name("B")).unwrap().stored(), "{variable}={value}");
            assert!(state(&place).contains("slot_B=bad"));
        }
        // The update id is only ever copied.
        let place =
            place(&[&format!("boot_update={value}"), "active_slot=B", "boot_try_count=0", "slot_A=good"]);
        assert_eq!(boot(&place, "B"), "A");
        let failed = device(&place, "A").state().unwrap().last_failure().unwrap();
        assert_eq!(String::from_utf8_lossy(&failed.update), value);
    }
}

#[test]
fn an_update_id_is_a_word_that_every_shell_leaves_alone() {
    let place = place(&["active_slot=A", "boot_success=1", "slot_A=good", "slot_B=bad"]);
    let bytes = place.read("env.img");
    for id in ["", "a b", "a:b", "'", "$x", "\\", "\u{e9}", &"0".repeat(65)] {
        let error =
            device(&place, "A").finish_install(&name("B"), None, Some(id.as_bytes()), false).unwrap_err();
        assert!(matches!(&error, Error::Value { name, .. } if name == "boot_update"), "{id}: {error}");
        assert!(place.read("env.img") == bytes);
    }
    let id = "release-2026.10_rc2";
    assert!(device(&place, "A")
        .finish_install(&name("B"), None, Some(id.as_bytes()), false)
        .unwrap()
        .stored());
}

#[test]
fn status_sees_a_damaged_copy_and_tells_the_next_boot() {
    let trial = ["active_slot=B", "boot_success=0", "boot_try_count=2", "rollback_slot=A", "slot_A=good"];
    let place = place(&trial);
    let mut device = device(&place, "B");
    let status = device.status().unwrap();
    assert_eq!(status.running, Ok(name("B")));
    assert_eq!(status.state.slots[0].mark.known(), Some(&Mark::Good));
    assert_eq!(status.health.copies[1].state, CopyState::Blank);
    assert_eq!(status.next.chosen, Chosen::Slot(name("B")));
    assert_eq!(status.next.steps, [Step::Counted(name("B"), 1)]);
    assert_eq!(status.next.stores, [[("boot_try_count".to_owned(), Some(b"1".to_vec()))]]);
}

/// Settings that say which slot runs, on a board with this version of the script.
fn running(slot: &str) -> Settings {
    Settings { running: Some(name(slot)), script: Some(Script::V2), ..Settings::default() }
}

/// An order that must fail: its error. Not a byte is written.
#[track_caller]
fn fails(place: &Place, settings: &Settings, order: impl Fn(&mut Device) -> Result<Done>) -> Error {
    let bytes = place.read("env.img");
    let error = order(&mut open(place, settings)).unwrap_err();
    assert!(place.read("env.img") == bytes, "{error}: something was written");
    error
}

#[test]
fn what_has_failed_is_tried_again_only_by_order() {
    let failed = format!("boot_failed=B:health:{UPDATE}");
    let place = place(&["active_slot=A", "boot_success=1", "slot_A=good", "slot_B=failed", &failed]);
    let settings = running("A");
    let error = fails(&place, &settings, |d| d.try_slot(&name("B"), None, false));
    assert!(error.to_string().starts_with("refused: slot B has failed (health); "), "{error}");
    once(&place, "A", |d| d.begin_install(&name("B")));
    let finish =
        |again| move |d: &mut Device| d.finish_install(&name("B"), None, Some(UPDATE.as_bytes()), again);
    let error = fails(&place, &settings, finish(false));
    let says = format!("refused: update {UPDATE} has failed in slot B (health); to try it all the same");
    assert!(error.to_string().starts_with(&says), "{error}");
    once(&place, "A", finish(true));
    // The list of the refused is kept where settings are read.
    let refused =
        if cfg!(feature = "settings") { format!("bootslot_refused={UPDATE} ") } else { String::new() };
    let trial = format!("active_slot=B {failed} boot_success=0 boot_try_count=3 boot_update={UPDATE} {refused}rollback_slot=A slot_A=good");
    assert_eq!(state(&place), trial);
    // What is confirmed is not refused any more. The evidence lasts: only an order of its own takes it away, whoever gives it.
    once(&place, "B", |d| d.confirm(None));
    assert!(state(&place).contains(&failed));
    place.write("cmdline", b"quiet");
    let nothing_known = Settings { cmdline: place.path("cmdline"), ..Settings::default() };
    assert!(open(&place, &nothing_known).acknowledge().unwrap().stored());
    assert_eq!(state(&place), "active_slot=B boot_success=1 boot_try_count=0 slot_A=good slot_B=good");
    once(&place, "B", |d| d.mark_bad(&name("A")));
    once(&place, "B", |d| d.try_slot(&name("A"), None, true));
}

/// The orders that store, but for acknowledge.
fn orders() -> Vec<fn(&mut Device) -> Result<Done>> {
    vec![
        |d| d.init(None),
        |d| d.begin_install(&name("B")),
        |d| d.finish_install(&name("B"), None, None, false),
        |d| d.try_slot(&name("B"), None, false),
        |d| d.confirm(None),
        |d| d.roll_back(Reason::User),
        |d| d.mark_good(&name("B")),
        |d| d.mark_bad(&name("B")),
        |d| d.set_active(&name("B")),
    ]
}

#[test]
fn nothing_is_ordered_of_a_script_that_may_not_be_there() {
    let good = ["active_slot=A", "boot_success=1", "slot_A=good", "slot_B=good"];
    let place = place(&good);
    place.write("cmdline", b"quiet");
    let settings =
        Settings { running: Some(name("A")), cmdline: place.path("cmdline"), ..Settings::default() };
    for order in orders() {
        let error = fails(&place, &settings, order);
        assert!(matches!(error, Error::ScriptUnknown(_)), "{error:?}");
        assert!(error.to_string().contains("the stored environment has no variable bootslot"), "{error}");
    }
    let mut device = open(&place, &settings);
    assert!(matches!(device.next_boot(), Err(Error::ScriptUnknown(_))));
    assert!(device.status().unwrap().script.unwrap_err().contains("has no bootslot.slot="));

    place.write("cmdline", b"bootslot.script=3 bootslot.slot=A");
    for order in orders() {
        assert!(fails(&place, &settings, order).to_string().contains("a newer program is needed"));
    }
}

#[test]
fn an_order_is_given_in_the_terms_of_the_script_that_runs() {
    let good = ["active_slot=A", "boot_success=1", "slot_A=good", "slot_B=good"];
    for (cmdline, variables, stores) in [
        ("bootslot.slot=A", &[][..], "slot_B=bad"),
        ("bootslot.script=2 bootslot.slot=A", &[], "slot_B=failed"),
        ("quiet", &["bootslot=x"], "slot_B=bad"),
        ("quiet", &["bootslot=x", "bootslot_script=2"], "slot_B=failed"),
        ("bootslot.slot=A", &["bootslot=x", "bootslot_script=2"], "slot_B=failed"),
        ("bootslot.script=2 bootslot.slot=A", &["bootslot=x"], "slot_B=bad"),
    ] {
        let place = place(&[&good[..], variables].concat());
        place.write("cmdline", cmdline.as_bytes());
        let settings =
            Settings { running: Some(name("A")), cmdline: place.path("cmdline"), ..Settings::default() };
        assert!(open(&place, &settings).mark_bad(&name("B")).unwrap().stored());
        assert!(state(&place).contains(stores), "{cmdline} {variables:?}: {}", state(&place));
        // The way back from the order is the same.
        let mut device = open(&place, &settings);
        assert!(!device.mark_bad(&name("B")).unwrap().stored());
        assert_eq!(device.status().unwrap().next.chosen, Chosen::Slot(name("A")));
    }
    // Version 1 marks a slot that was rolled back as it marks one that is being written.
    let place =
        place(&["active_slot=B", "boot_success=0", "boot_try_count=2", "rollback_slot=A", "slot_A=good"]);
    place.write("cmdline", b"bootslot.slot=B");
    let settings = Settings { cmdline: place.path("cmdline"), ..Settings::default() };
    assert!(open(&place, &settings).roll_back(Reason::Health).unwrap().stored());
    assert!(!open(&place, &settings).roll_back(Reason::Health).unwrap().stored());
}

#[test]
fn init_looks_for_the_script_in_what_it_starts_from_and_for_the_slot_that_runs() {
    let place = place(&[]);
    place.write("env.img", &vec![0xff; 2 * SIZE]);
    place.write("cmdline", b"quiet");
    let settings =
        Settings { running: Some(name("B")), cmdline: place.path("cmdline"), ..Settings::default() };
    let base = |more: &[&'static str]| {
        let factory = ["active_slot=A", "boot_success=0", "boot_try_count=3", "rollback_slot=B"];
        let records: Vec<&str> = BOARD.into_iter().chain(factory).chain(more.iter().copied()).collect();
        Some(Environment::from_records(records.into_iter().map(str::as_bytes)))
    };
    let error = fails(&place, &settings, |d| d.init(base(&[])));
    assert!(matches!(error, Error::ScriptUnknown(_)), "{error:?}");
    // The factory's values are nothing that anybody recorded.
    assert!(open(&place, &settings).init(base(&["bootslot=x"])).unwrap().stored());
    assert_eq!(state(&place), "active_slot=B boot_success=0 boot_try_count=3 bootslot=x rollback_slot=A");
    assert!(!open(&place, &settings).init(base(&["bootslot=x"])).unwrap().stored());
    // What somebody did record is kept.
    place.write("env.img", &vec![0xff; 2 * SIZE]);
    assert!(open(&place, &settings).init(base(&["bootslot=x", "slot_A=good"])).unwrap().stored());
    assert!(state(&place).starts_with("active_slot=A "), "{}", state(&place));
}

/// A place where `/` is on the file `B.img`, the device of slot B, and the command line is this one.
fn on_b(variables: &[&str], cmdline: &str) -> (Place, Settings) {
    let place = place(variables);
    for file in ["A.img", "B.img"] {
        place.write(file, b"");
    }
    let image = |file: &str| place.path(file).canonicalize().unwrap();
    std::fs::create_dir_all(place.path("sys/dev/block/7:0/loop")).unwrap();
    place.write("sys/dev/block/7:0/loop/backing_file", format!("{}\n", image("B.img").display()).as_bytes());
    place.write("mountinfo", b"26 1 7:0 / / ro - squashfs /dev/loop0 ro\n");
    place.write("cmdline", cmdline.as_bytes());
    let settings = Settings {
        devices: ["A", "B"].map(|slot| (name(slot), image(&format!("{slot}.img")))).into(),
        cmdline: place.path("cmdline"),
        mountinfo: place.path("mountinfo"),
        sysfs: place.path("sys"),
        ..Settings::default()
    };
    (place, settings)
}

#[test]
fn the_command_line_is_held_against_the_root_device() {
    let good = ["active_slot=A", "boot_success=1", "slot_A=good", "slot_B=good"];
    let (place, settings) = on_b(&good, "bootslot.script=2 bootslot.slot=A");
    for order in orders() {
        let error = fails(&place, &settings, order);
        assert!(matches!(error, Error::RunningUnknown(_)), "{error:?}");
        let says = "says slot A, and / is on the device of slot B; say which one it is (--slot)";
        assert!(error.to_string().ends_with(says), "{error}");
    }
    let status = open(&place, &settings).status().unwrap();
    assert!(status.running.unwrap_err().contains("says slot A, and / is on the device of slot B"));
    assert_eq!(status.on_root, [name("B")]);

    // A caller knows better which slot runs, and yet what / is on is not written.
    let told = Settings { running: Some(name("A")), ..settings };
    type Order = fn(&mut Device) -> Result<Done>;
    let writers: [Order; 3] = [
        |d| d.begin_install(&name("B")),
        |d| d.try_slot(&name("B"), None, false),
        |d| d.mark_bad(&name("B")),
    ];
    for order in writers {
        let error = fails(&place, &told, order);
        assert_eq!(error.to_string(), "refused: slot B is running: / is on its device");
    }
    assert!(open(&place, &told).set_active(&name("B")).unwrap().stored());
}

#[test]
fn the_root_device_alone_is_an_answer() {
    let trial = ["active_slot=B", "boot_success=0", "boot_try_count=2", "rollback_slot=A", "slot_A=good"];
    let (place, settings) = on_b(&trial, "quiet");
    let settings = Settings { script: Some(Script::V2), ..settings };
    assert_eq!(open(&place, &settings).running(), Some(&name("B")));
    // The order that put it on trial is done already, though / is on its device.
    assert!(!open(&place, &settings).finish_install(&name("B"), None, None, false).unwrap().stored());
    assert!(open(&place, &settings).confirm(None).unwrap().stored());
    assert_eq!(state(&place), "active_slot=B boot_success=1 boot_try_count=0 slot_A=good slot_B=good");
}

#[test]
fn a_slot_that_is_being_written_can_not_be_the_one_that_runs() {
    let place = place(&["active_slot=A", "boot_success=1", "slot_A=good", "slot_B=bad"]);
    let settings = running("B");
    for order in orders() {
        let error = fails(&place, &settings, order);
        let says = "refused: slot B is being written, by what is stored: it can't be the one that runs";
        assert_eq!(error.to_string(), says);
    }
    assert!(!open(&place, &settings).acknowledge().unwrap().stored());
}

#[test]
fn a_healthy_system_resets_the_boot_counter_that_the_settings_name() {
    let trial = ["active_slot=B", "boot_success=0", "boot_try_count=2", "rollback_slot=A", "slot_A=good"];
    let confirmed = "boot_success=1 boot_try_count=0";
    let in_env = [&trial[..], &["bootcount=3", "upgrade_available=1"]].concat();
    let place = place(&in_env);
    let settings = Settings { bootcount: Some(Source::Environment), ..running("B") };
    // In the store of the order.
    let before = stores(&place);
    let done = open(&place, &settings).confirm(None).unwrap();
    assert!(done.counter_reset && stores(&place) == before + 1);
    let after = format!("active_slot=B {confirmed} bootcount=0 slot_A=good slot_B=good upgrade_available=0");
    assert_eq!(state(&place), after);
    assert!(!open(&place, &settings).confirm(None).unwrap().stored());

    // In a file: after it, and again where the slot was confirmed before.
    let place = self::place(&trial);
    place.write("failures", &[0xbd, 1, 3, 1]);
    let source = |path| Some(Source::Bytes { path, offset: 0, layout: Layout::File, order: None });
    let settings = Settings { bootcount: source(place.path("failures")), ..running("B") };
    for stored in [true, false] {
        place.write("failures", &[0xbd, 1, 3, 1]);
        let done = open(&place, &settings).confirm(None).unwrap();
        assert_eq!((done.stored(), done.counter_reset), (stored, true));
        assert_eq!(place.read("failures"), [0xbd, 1, 0, 0]);
    }
    place.write("failures", &[0xbd, 1, 3, 1]);
    assert!(matches!(fails(&place, &settings, |d| d.confirm(Some(&name("A")))), Error::Refused(_)));
    assert_eq!(place.read("failures"), [0xbd, 1, 3, 1], "a refused order reset the counter");

    // A counter that fails does not keep a healthy slot from being confirmed.
    let place = self::place(&trial);
    let settings = Settings { bootcount: source(place.path("lock")), ..running("B") };
    let error = open(&place, &settings).confirm(None).unwrap_err();
    assert!(matches!(error, Error::CounterNotReset(_)), "{error:?}");
    assert!(error
        .to_string()
        .starts_with("the slot is confirmed, but U-Boot's boot counter could not be reset: "));
    assert!(state(&place).contains(confirmed));
}

#[test]
fn slots_that_only_the_settings_or_the_environment_know_get_no_orders() {
    let place = place(&["boot_slots=A B C", "active_slot=A", "boot_success=1", "slot_A=good"]);
    let mut settings = running("A");
    assert!(!open(&place, &settings).status().unwrap().slots_differ, "nobody named slots");
    settings.slots_named = true;
    settings.board.slots = vec![name("A"), name("B"), name("D")];
    let status = open(&place, &settings).status().unwrap();
    assert!(status.slots_differ);
    for (slot, says) in [
        ("C", "refused: slot C is in the environment's boot_slots, but not in the settings: make them agree first"),
        ("D", "refused: slot D is in the settings, but not in the environment's boot_slots: make them agree first"),
    ] {
        assert_eq!(fails(&place, &settings, |d| d.begin_install(&name(slot))).to_string(), says);
        assert_eq!(fails(&place, &settings, |d| d.mark_good(&name(slot))).to_string(), says);
        let runs = Settings { running: Some(name(slot)), ..settings.clone() };
        assert_eq!(fails(&place, &runs, |d| d.confirm(None)).to_string(), says);
    }
    assert!(open(&place, &settings).begin_install(&name("B")).unwrap().stored());
}

#[test]
fn the_last_resort_is_never_installed_to_and_installs_into_the_others() {
    let place =
        place(&["active_slot=A", "boot_success=0", "boot_try_count=0", "slot_A=failed", "slot_B=failed"]);
    let mut settings = running("R");
    settings.board.last_resort = Some(name("R"));
    let status = open(&place, &settings).status().unwrap();
    assert_eq!(
        status.state.last_resort().map(|slot| (&slot.name, slot.role)),
        Some((&name("R"), Role::LastResort))
    );
    assert_eq!((status.next.order.last(), status.next.end), (Some(&name("R")), Chosen::Recovery));
    for order in [
        |d: &mut Device| d.begin_install(&name("R")),
        |d: &mut Device| d.try_slot(&name("R"), None, true),
        |d: &mut Device| d.mark_bad(&name("R")),
    ] {
        let error = fails(&place, &settings, order);
        assert!(error.to_string().starts_with("refused: slot R is the last resort"), "{error}");
    }
    for slot in ["A", "B"] {
        assert!(open(&place, &settings).begin_install(&name(slot)).unwrap().stored());
        assert!(state(&place).contains(&format!("slot_{slot}=bad")));
        assert!(open(&place, &settings).finish_install(&name(slot), None, None, false).unwrap().stored());
        assert!(state(&place).starts_with(&format!("active_slot={slot} boot_success=0 boot_try_count=3")));
    }
}

#[test]
fn a_late_fall_back_can_be_forbidden() {
    let place = place(&["active_slot=A", "boot_success=1", "slot_A=good"]);
    let settings = |slot: &str| {
        let mut settings = running(slot);
        settings.update.prevent_late_fallback = true;
        settings
    };
    let update = |slot: &str, other: &str| {
        open(&place, &settings(slot)).begin_install(&name(other)).unwrap();
        let finished = open(&place, &settings(slot)).finish_install(&name(other), None, None, false).unwrap();
        // Until it is confirmed there is a way back.
        assert_eq!(finished.after.mark(&name(slot)), Some(Mark::Good));
        open(&place, &settings(other)).confirm(None).unwrap()
    };
    let done = update("A", "B");
    assert!(done.stored());
    assert_eq!(state(&place), "active_slot=B boot_success=1 boot_try_count=0 slot_A=bad slot_B=good");
    let next = open(&place, &settings("B")).next_boot().unwrap();
    assert_eq!(next.order, [name("B")], "only B is tried");
    assert!(open(&place, &settings("B")).try_slot(&name("A"), None, true).is_err());
    // The next update goes to A as always.
    update("B", "A");
    assert_eq!(state(&place), "active_slot=A boot_success=1 boot_try_count=0 slot_A=good slot_B=bad");
}
