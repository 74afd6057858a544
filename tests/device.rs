//! Orders to a device's slots on real files: what each one leaves in the bytes, and what it does not touch.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod cli_support;

use bootslot::device::{Device, Done};
use bootslot::env::redundancy::CopyState;
use bootslot::env::Environment;
use bootslot::settings::Settings;
use bootslot::slot::{Chosen, Mark, Name, Reason, Standing, Step};
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
    place.write("cmdline", format!("console=ttyAMA0 bootslot.slot={running} quiet\n").as_bytes());
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
    let finish = |device: &mut Device| device.finish_install(&name("B"), Some(2), update);
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
    assert!(!device(&place, "B").try_slot(&name("B"), None).unwrap().stored());
    assert!(place.read("env.img") == bytes);
    once(&place, "B", |device| device.confirm(Some(&name("B"))));
    assert_eq!(state(&place), "active_slot=B boot_success=1 boot_try_count=0 slot_A=good slot_B=good");
    assert_eq!(stores(&place) - before, 4);
    assert_eq!(boot(&place, "B"), "B");
}

#[test]
fn an_update_that_never_confirms_comes_back_with_its_evidence() {
    let place = place(&["active_slot=A", "boot_success=1", "slot_A=good", "slot_B=good"]);
    once(&place, "A", |device| device.try_slot(&name("B"), None));
    for _ in 0..3 {
        assert_eq!(boot(&place, "B"), "B");
    }
    assert_eq!(boot(&place, "B"), "A");
    let back = "active_slot=A boot_failed=B:tries: boot_success=1 boot_try_count=0 slot_A=good slot_B=bad";
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
    once(&place, "B", |device| device.try_slot(&name("A"), Some(1)));
    assert_eq!(boot(&place, "B"), "A");
    once(&place, "A", |device| device.roll_back(Reason::Health));
    let back = "active_slot=B boot_failed=A:health: boot_success=1 boot_try_count=0 slot_A=bad slot_B=good";
    assert_eq!(state(&place), back);
}

#[test]
fn a_refused_order_leaves_every_byte() {
    type Order = fn(&mut Device) -> Result<Done>;
    let confirmed: &[&str] = &["active_slot=A", "boot_success=1", "slot_A=good", "slot_B=good"];
    let failed: &[&str] = &["active_slot=A", "boot_success=1", "slot_A=good", "slot_B=bad"];
    let unknown: &[&str] = &["active_slot=A", "boot_success=1", "slot_A=good"];
    let trial: &[&str] =
        &["active_slot=B", "boot_success=0", "boot_try_count=2", "rollback_slot=A", "slot_A=good"];
    let alone: &[&str] = &["active_slot=A", "boot_success=0", "boot_try_count=2", "slot_B=bad"];
    let cases: &[(&[&str], &str, Order, &str)] = &[
        (confirmed, "A", |d| d.begin_install(&name("A")), "slot A is running"),
        (confirmed, "A", |d| d.begin_install(&name("C")), "there is no slot C; the slots are A, B"),
        (trial, "B", |d| d.begin_install(&name("A")), "slot A is the rollback slot"),
        (trial, "B", |d| d.finish_install(&name("A"), None, None), "no install into slot A was begun"),
        (confirmed, "A", |d| d.finish_install(&name("B"), None, None), "no install into slot B was begun"),
        (failed, "A", |d| d.finish_install(&name("B"), Some(0), None), "0 tries are not possible: 1 to 9"),
        (failed, "A", |d| d.try_slot(&name("B"), None), "slot B is bad"),
        (confirmed, "A", |d| d.try_slot(&name("B"), Some(10)), "10 tries are not possible: 1 to 9"),
        (confirmed, "A", |d| d.try_slot(&name("A"), None), "slot A is running"),
        (trial, "B", |d| d.try_slot(&name("A"), None), "slot A is the rollback slot"),
        (confirmed, "A", |d| d.confirm(Some(&name("B"))), "slot B is not the one that runs, that is A"),
        (failed, "B", |d| d.confirm(None), "slot B is bad"),
        (confirmed, "A", |d| d.roll_back(Reason::User), "there is no trial to roll back from"),
        (alone, "A", |d| d.roll_back(Reason::Health), "every slot other than A is bad"),
        (trial, "B", |d| d.mark_good(&name("B")), "slot B is on trial"),
        (confirmed, "A", |d| d.mark_bad(&name("A")), "slot A is running"),
        (failed, "A", |d| d.set_active(&name("B")), "slot B is bad"),
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
    let place = place(&["active_slot=A", "boot_success=1", "slot_A=good", "slot_B=bad"]);
    place.write("cmdline", b"quiet\n");
    let settings = Settings { cmdline: place.path("cmdline"), ..Settings::default() };
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
    let mut settings = Settings { running: Some(name("A")), ..Settings::default() };
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
    let mut settings = Settings { running: Some(name("A")), ..Settings::default() };
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
        (vec!["slot_B=good".into(), format!("x={}", "y".repeat(SIZE - 98))], "the environment is full"),
        (vec!["boot_slots=A B;reset".into()], "boot_slots: \"B;reset\" can't be the name of a slot"),
    ];
    for (variables, says) in cases {
        let variables: Vec<&str> = variables.iter().map(String::as_str).collect();
        let place = place(&[&["active_slot=A", "boot_success=1"], &variables[..]].concat());
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
    let place = place(&["active_slot=A", "boot_success=1", "slot_B=bad"]);
    let bytes = place.read("env.img");
    for id in ["", "a b", "a:b", "'", "$x", "\\", "\u{e9}", &"0".repeat(65)] {
        let error = device(&place, "A").finish_install(&name("B"), None, Some(id.as_bytes())).unwrap_err();
        assert!(matches!(&error, Error::Value { name, .. } if name == "boot_update"), "{id}: {error}");
        assert!(place.read("env.img") == bytes);
    }
    let id = "release-2026.10_rc2";
    assert!(device(&place, "A").finish_install(&name("B"), None, Some(id.as_bytes())).unwrap().stored());
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
