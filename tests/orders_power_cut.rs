//! The power is cut in the store of each order to the slots, on every kind of simulated medium: what is
//! found is the old boot state or the new one, and the order given again gets there.
//!
//! That a store is atomic in every environment is proven in `power_cut/`; here it is that an order is
//! *one* store, and that it can be given again from whatever the cut left, and after a boot of the slot that
//! it put on trial.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::collections::BTreeMap;

use bootslot::bootcount::{Layout as Counter, Source};
use bootslot::device::{Device, Done};
use bootslot::env::Environment;
#[cfg(feature = "settings")]
use bootslot::floor::Change;
use bootslot::settings::Settings;
use bootslot::slot::dialect::Dialect;
use bootslot::slot::{Name, Reader, Reason, Script, Standing, State};
use bootslot::storage::sim::{mix, Board, Cut, Entry, Moment, Torn};
use bootslot::store::{LockPath, Store, StoreOptions};
use bootslot::Result;
use support::copies::Copies;

type Order = fn(&mut Device) -> Result<Done>;

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

/// A device's life: what is ordered while which slot runs. `boot` is the boot script's store.
fn life() -> Vec<(&'static str, &'static str, Order)> {
    vec![
        ("init", "A", |d| d.init(None)),
        ("boot", "A", boot),
        ("confirm A", "A", |d| d.confirm(None)),
        ("begin install B", "A", |d| d.begin_install(&name("B"))),
        ("finish install B", "A", |d| d.finish_install(&name("B"), None, Some(b"0123456789abcdef"), false)),
        ("boot", "A", boot),
        ("confirm B", "B", |d| d.confirm(None)),
        ("begin install A", "B", |d| d.begin_install(&name("A"))),
        ("finish install A", "B", |d| d.finish_install(&name("A"), Some(1), None, false)),
        ("boot", "B", boot),
        ("roll back from A", "A", |d| d.roll_back(Reason::Health)),
        ("acknowledge", "B", |d| d.acknowledge()),
        ("try A again", "B", |d| d.try_slot(&name("A"), Some(2), true)),
        ("set active B again", "B", |d| d.set_active(&name("B"))),
        ("mark good A", "B", |d| d.mark_good(&name("A"))),
        ("try A", "B", |d| d.try_slot(&name("A"), Some(2), false)),
        ("begin install A instead", "B", |d| d.begin_install(&name("A"))),
        ("finish install A instead", "B", |d| d.finish_install(&name("A"), Some(1), None, false)),
        ("boot", "B", boot),
        ("confirm A again", "A", |d| d.confirm(None)),
        ("set active B", "A", |d| d.set_active(&name("B"))),
        ("mark bad B", "A", |d| d.mark_bad(&name("B"))),
    ]
}

/// The same on a board whose script is the first one: it has one mark for what is being written and what failed.
fn life_with_version_1() -> Vec<(&'static str, &'static str, Order)> {
    vec![
        ("init", "A", |d| d.init(None)),
        ("boot", "A", boot),
        ("confirm A", "A", |d| d.confirm(None)),
        ("begin install B", "A", |d| d.begin_install(&name("B"))),
        ("finish install B", "A", |d| d.finish_install(&name("B"), None, Some(b"1.1"), false)),
        ("boot", "A", boot),
        ("roll back from B", "B", |d| d.roll_back(Reason::Health)),
        ("acknowledge", "A", |d| d.acknowledge()),
        ("begin install B anew", "A", |d| d.begin_install(&name("B"))),
        ("finish install B anew", "A", |d| d.finish_install(&name("B"), Some(1), Some(b"1.2"), false)),
        ("boot", "A", boot),
        ("confirm B", "B", |d| d.confirm(None)),
        ("mark bad A", "B", |d| d.mark_bad(&name("A"))),
    ]
}

/// The same with Mender's variables, which say nothing of a slot that is good and not active.
#[cfg(feature = "settings")]
fn life_that_u_boot_counts() -> Vec<(&'static str, &'static str, Order)> {
    vec![
        ("begin install B", "A", |d| d.begin_install(&name("B"))),
        ("finish install B", "A", |d| d.finish_install(&name("B"), None, Some(b"0123456789abcdef"), false)),
        ("boot", "A", boot),
        ("confirm B", "B", |d| d.confirm(None)),
        ("begin install A", "B", |d| d.begin_install(&name("A"))),
        ("finish install A", "B", |d| d.finish_install(&name("A"), Some(1), None, false)),
        ("boot", "B", boot),
        ("roll back from A", "A", |d| d.roll_back(Reason::Health)),
        ("acknowledge", "B", |d| d.acknowledge()),
        ("try A again", "B", |d| d.try_slot(&name("A"), Some(2), true)),
        ("set active B again", "B", |d| d.set_active(&name("B"))),
        ("try A", "B", |d| d.try_slot(&name("A"), Some(2), false)),
        ("begin install A instead", "B", |d| d.begin_install(&name("A"))),
        ("finish install A instead", "B", |d| d.finish_install(&name("A"), Some(1), Some(b"2.0"), false)),
        ("boot", "B", boot),
        ("confirm A again", "A", |d| d.confirm(None)),
        ("mark bad B", "A", |d| d.mark_bad(&name("B"))),
        ("convert", "A", to_native),
    ]
}

/// The last order of a life in another dialect.
#[cfg(feature = "settings")]
fn to_native(device: &mut Device) -> Result<Done> {
    device.convert(Dialect::Native, false).map(|(done, _)| done)
}

/// What the boot script stores, as an order: it is U-Boot's store, so it is not cut here.
fn boot(device: &mut Device) -> Result<Done> {
    for changes in device.next_boot()?.stores {
        let mut transaction = device.store().begin()?;
        for (name, value) in changes {
            transaction.set(name.as_bytes(), value.as_deref().unwrap_or_default())?;
        }
        transaction.commit()?;
    }
    device.init(None)
}

/// A board with an environment that has no boot state yet.
#[derive(Clone)]
struct Rig {
    board: Board,
    copies: Copies,
    script: Script,
    dialect: Dialect,
    /// The boot code, of another dialect than the native one.
    reader: Reader,
}

impl Rig {
    fn all(script: Script) -> BTreeMap<&'static str, Rig> {
        let records = &[&b"bootcmd=run bootslot"[..], b"bootcount=3", b"upgrade_available=1"];
        Rig::with_records(script, (Dialect::Native, Reader::Script), records)
    }

    fn with_records(
        script: Script,
        (dialect, reader): (Dialect, Reader),
        records: &[&[u8]],
    ) -> BTreeMap<&'static str, Rig> {
        let variables = Environment::from_records(records.iter().copied());
        let rigs = Copies::all(&variables)
            .map(|(kind, board, copies)| (kind, Rig { board, copies, script, dialect, reader }));
        rigs.collect()
    }

    fn fork(&self) -> Rig {
        let board = self.board.fork();
        Rig { copies: self.copies.on(&board), board, ..*self }
    }

    fn device(&self, running: &str) -> Device {
        self.counted(running, Source::Environment)
    }

    /// With a file for the floor.
    #[cfg(feature = "settings")]
    fn with_floor(&self, running: &str, file: std::path::PathBuf) -> Device {
        let update = bootslot::settings::Update { floor: Some(file), ..Default::default() };
        self.with(running, Settings { update, ..Settings::default() })
    }

    /// With U-Boot's boot counter in this place.
    fn counted(&self, running: &str, counter: Source) -> Device {
        self.with(running, Settings { bootcount: Some(counter), ..Settings::default() })
    }

    fn with(&self, running: &str, settings: Settings) -> Device {
        let options = StoreOptions { lock: Some(LockPath::None), ..StoreOptions::default() };
        let mut settings = Settings { running: Some(name(running)), script: Some(self.script), ..settings };
        #[cfg(feature = "settings")]
        if self.dialect != Dialect::Native {
            settings.reader = Some(self.reader);
            settings.board.values =
                [("A", "2"), ("B", "11")].map(|(slot, part)| (name(slot), part.into())).into();
            settings.board.slot_variable = "rootpart".into();
        }
        settings.dialect = self.dialect;
        Device::with_store(&settings, Store::from_copies(self.copies.open(), options).unwrap())
    }

    fn state(&self) -> State {
        self.device("A").state().unwrap()
    }
}

/// Where in an operation the power fails: at its edges, and at some bytes of it with some tears.
fn moments(entry: &Entry) -> Vec<Moment> {
    let mut bytes = vec![0, 3, 4, entry.len / 2, entry.len.saturating_sub(1)];
    bytes.retain(|&byte| byte < entry.len);
    bytes.dedup();
    let inside =
        bytes.into_iter().flat_map(|byte| (0..4).map(move |tail| Moment::Inside(Torn { byte, tail })));
    [Moment::Before].into_iter().chain(inside).chain([Moment::After]).collect()
}

#[test]
fn an_order_that_is_cut_is_carried_out_or_not_and_can_be_given_again() {
    let mut judged = 0u64;
    let lives = [(Script::V2, life()), (Script::V1, life_with_version_1())];
    let rigs =
        lives.iter().flat_map(|(script, life)| Rig::all(*script).into_iter().map(move |rig| (rig, life)));
    for (rig, life) in rigs {
        judged += live(rig, life);
    }
    println!("{judged} states after power cuts");
    assert!(judged > 5_000, "only {judged} states");
}

/// The same with the variables of other updaters: each order is one store there, too.
#[cfg(feature = "settings")]
#[test]
fn an_order_is_one_store_in_every_dialect() {
    let rauc: &[&[u8]] = &[b"bootcmd=source", b"odd=\\x \xff"];
    let mender: &[&[u8]] = &[
        b"bootcmd=run mender_setup",
        b"odd=\\x \xff",
        b"mender_boot_part=2",
        b"mender_boot_part_hex=2",
        b"upgrade_available=0",
        b"bootcount=1",
        b"bootlimit=3",
    ];
    let counter: &[&[u8]] =
        &[b"bootcmd=x", b"rootpart=2", b"upgrade_available=0", b"bootlimit=3", b"ustate=0", b"odd=\\x \xff"];
    for (dialect, records, life) in [
        // Where nothing is stored, RAUC's boot code has all slots with their boots: there is nothing to begin.
        (Dialect::Rauc, rauc, [life().split_off(1), vec![("convert", "A", to_native as Order)]].concat()),
        (Dialect::Mender, mender, life_that_u_boot_counts()),
        (Dialect::Bootcount, counter, life_that_u_boot_counts()),
    ] {
        for &reader in dialect.readers() {
            let mut judged = 0u64;
            for rig in Rig::with_records(Script::V2, (dialect, reader), records) {
                judged += live(rig, &life);
            }
            println!("{}: {judged} states after power cuts", reader.name());
            assert!(judged > 2_000, "{reader:?}: only {judged} states");
        }
    }
}

/// A device's life, with cuts in each of its orders. Returns how many states were found.
fn live((kind, mut rig): (&'static str, Rig), life: &[(&str, &str, Order)]) -> u64 {
    let mut judged = 0;
    {
        for &(what, running, order) in life {
            let old = rig.state();
            let next = rig.fork();
            next.board.clear_log();
            let done = order(&mut next.device(running)).unwrap();
            let new = next.state();
            // After version 1's rollback the slot is marked as for an install: that is begun already.
            let begun = what == "begin install B anew";
            assert!(!begun || !done.stored(), "{kind}, {what}: stored");
            if what != "boot" && !begun {
                assert!(done.stored() && new != old, "{kind}, {what}: nothing happened");
                for (op, entry) in next.board.log().iter().enumerate() {
                    for moment in moments(entry) {
                        judged += cut(kind, &rig, (what, running, order), Cut { op, moment }, [&old, &new]);
                    }
                }
            }
            rig = next;
        }
    }
    judged
}

/// A counter outside the environment is reset after the store: a slot that is not confirmed keeps its count, and where the
/// power fails between the two, the next boot's confirm stores nothing and resets it.
#[test]
fn a_counter_outside_is_reset_only_where_the_slot_is_confirmed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("failures");
    let counting = [0xbd, 1, 3, 1];
    let counter = || Source::Bytes { path: path.clone(), offset: 0, layout: Counter::File, order: None };
    let mut cuts = 0;
    for (kind, rig) in Rig::all(Script::V2) {
        rig.device("A").init(None).unwrap();
        boot(&mut rig.device("A")).unwrap();
        let old = rig.state();
        let next = rig.fork();
        next.board.clear_log();
        std::fs::write(&path, counting).unwrap();
        assert!(next.counted("A", counter()).confirm(None).unwrap().counter_reset);
        assert_eq!(std::fs::read(&path).unwrap(), [0xbd, 1, 0, 0]);
        let new = next.state();
        for (op, entry) in next.board.log().iter().enumerate() {
            for moment in moments(entry) {
                let (place, rig) = (format!("{kind}, {op}, {moment:?}"), rig.fork());
                rig.board.clear_log();
                rig.board.cut(Cut { op, moment });
                std::fs::write(&path, counting).unwrap();
                let done = rig.counted("A", counter()).confirm(None);
                let count = std::fs::read(&path).unwrap();
                assert_eq!(
                    done.is_ok(),
                    count != counting,
                    "{place}: reset without the store, or the reverse"
                );
                rig.board.restore(0);
                let found = rig.state();
                assert!(done.is_err() || found == new, "{place}: reset, and not confirmed");
                // The power failed before the reset, at the latest: the next boot of the slot makes up for it.
                std::fs::write(&path, counting).unwrap();
                let again = rig.counted("A", counter()).confirm(None).unwrap();
                assert_eq!((again.stored(), again.counter_reset), (found == old, true), "{place}");
                assert_eq!(std::fs::read(&path).unwrap(), [0xbd, 1, 0, 0], "{place}");
                assert_eq!(rig.state(), new, "{place}");
                cuts += 1;
            }
        }
    }
    assert!(cuts > 100, "only {cuts} cuts");
}

/// The confirmation of an update that changes the floor, cut at each operation of its store: before it is stored the
/// floor is what it was, and afterwards never less than what was ordered, also where the file is lost then. The next
/// order makes both places equal, and the same one gets there.
#[cfg(feature = "settings")]
#[test]
fn a_floor_is_changed_by_a_confirmation_that_is_stored_and_by_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lib/floor");
    let changes = [
        (Change::Raise("2.0".into()), Some("2.0")),
        (Change::Set(Some("0.9".into())), Some("0.9")),
        (Change::Set(None), None),
    ];
    let put = |text: &Option<Vec<u8>>| match text {
        Some(text) => std::fs::write(&path, text).unwrap(),
        None => drop(std::fs::remove_file(&path)),
    };
    std::fs::create_dir(path.parent().unwrap()).unwrap();
    let mut cuts = 0;
    for ((kind, rig), (change, goal)) in Rig::all(Script::V2)
        .into_iter()
        .flat_map(|rig| changes.iter().map(move |change| (rig.clone(), change)))
    {
        let device = |rig: &Rig, running: &str| rig.with_floor(running, path.clone());
        let floor = |rig: &Rig| device(rig, "A").floor().unwrap();
        put(&Some(b"1.0\n".to_vec()));
        device(&rig, "A").init(None).unwrap();
        device(&rig, "A").confirm(None).unwrap();
        assert_eq!(floor(&rig).as_deref(), Some("1.0"), "{kind}");
        device(&rig, "A").begin_install(&name("B")).unwrap();
        device(&rig, "A").finish_update(&name("B"), None, b"id", false, Some(change)).unwrap();
        let (old, text) = (rig.state(), std::fs::read(&path).ok());
        assert_eq!(floor(&rig).as_deref(), Some("1.0"), "{kind}");
        let next = rig.fork();
        next.board.clear_log();
        device(&next, "B").confirm(None).unwrap();
        assert_eq!(floor(&next).as_deref(), *goal, "{kind}");
        let (new, log) = (next.state(), next.board.log());
        let moments =
            log.iter().enumerate().flat_map(|(op, entry)| moments(entry).into_iter().map(move |m| (op, m)));
        for (op, moment) in moments {
            put(&text);
            let rig = rig.fork();
            rig.board.clear_log();
            rig.board.cut(Cut { op, moment });
            let done = device(&rig, "B").confirm(None);
            let file = std::fs::read(&path).ok();
            for choice in 0..rig.board.choices().min(4) {
                let (place, rig) = (format!("{kind}, {change:?}, {op}, {moment:?}, {choice}"), rig.fork());
                rig.board.restore(choice);
                // The file as it is, and as it was: its last write may not have come as far, where it came last.
                for file in [&file, &text] {
                    put(file);
                    let (found, stored) = (floor(&rig), rig.state() == new);
                    assert!(stored || rig.state() == old, "{place}");
                    assert!(stored || done.is_err(), "{place}: reported, and not stored");
                    let expected = match stored {
                        false => vec![Some("1.0")],
                        // A lowered file that did not last: the old floor, until the recovery is installed again.
                        true if file == &text => vec![*goal, Some("1.0")],
                        true => vec![*goal],
                    };
                    assert!(expected.contains(&found.as_deref()), "{place}: {found:?}, stored: {stored}");
                    // Another order, of an update that is given up: nothing is raised, nothing is lifted.
                    if !stored {
                        let rig = rig.fork();
                        device(&rig, "B").roll_back(Reason::Health).unwrap();
                        assert_eq!(floor(&rig).as_deref(), Some("1.0"), "{place}");
                        assert_eq!(std::fs::read(&path).unwrap(), b"1.0\n", "{place}");
                        device(&rig, "A").confirm(None).unwrap();
                        assert_eq!(floor(&rig).as_deref(), Some("1.0"), "{place}");
                        put(file);
                    }
                    // The same order again.
                    let before = floor(&rig);
                    device(&rig, "B").confirm(None).unwrap();
                    let wanted = if stored { before.as_deref() } else { *goal };
                    assert_eq!((floor(&rig).as_deref(), rig.state()), (wanted, new.clone()), "{place}");
                    let text = wanted.map(|floor| format!("{floor}\n").into_bytes());
                    assert_eq!(std::fs::read(&path).ok(), text, "{place}");
                    cuts += 1;
                    if !stored {
                        break;
                    }
                }
            }
        }
    }
    println!("{cuts} states");
    assert!(cuts > 1000, "only {cuts} states");
}

/// Cuts one order, and judges every state in which the device can be found.
fn cut(
    kind: &str,
    rig: &Rig,
    (what, running, order): (&str, &str, Order),
    cut: Cut,
    states: [&State; 2],
) -> u64 {
    let rig = rig.fork();
    rig.board.clear_log();
    rig.board.cut(cut);
    let result = order(&mut rig.device(running));
    assert!(!rig.board.is_on(), "{kind}, {what}, {cut}: the cut never came");
    let choices = rig.board.choices();
    let tried: Vec<u64> =
        if choices <= 6 { (0..choices).collect() } else { (0..6).map(|i| mix(i) % choices).collect() };
    for &choice in &tried {
        let place = format!("{kind}, {what}, {cut}, choice {choice}");
        let rig = rig.fork();
        rig.board.restore(choice);
        let found = rig.state();
        assert!(states.contains(&&found), "{place}: neither old nor new: {found:?}");
        // The counter of U-Boot is reset in the first confirm's store.
        let counts = rig.device("A").store().load().unwrap().get(b"bootcount") == Some(b"3");
        let native = rig.dialect == Dialect::Native;
        assert!(
            !native || what != "confirm A" || counts == (found == *states[0]),
            "{place}: the boot counter"
        );
        assert!(result.is_err() || found == *states[1], "{place}: success was reported, and is gone");
        // The same again, on the device that came back.
        let done = order(&mut rig.device(running)).unwrap_or_else(|error| panic!("{place}: {error}"));
        assert_eq!(done.stored(), found == *states[0], "{place}");
        assert_eq!(rig.state(), *states[1], "{place}");
        // The old boot code has nothing to read any more.
        let Standing::Trial { slot, .. } = states[1].standing() else { continue };
        if what == "convert" {
            continue;
        }
        boot(&mut rig.device(running)).unwrap();
        let counted = rig.state();
        let done = order(&mut rig.device(slot.as_str())).unwrap_or_else(|error| panic!("{place}: {error}"));
        assert!(!done.stored() && counted != *states[1], "{place}: again in slot {slot}");
    }
    tried.len() as u64
}
