//! The power is cut in the store of each conversion from one dialect to another: with the old variables kept, without
//! them, when what was kept is deleted, and on the way back. What is found is the old environment or the new one, byte
//! by byte. Whichever it is, the boot code that the device has at that moment boots the slot that is confirmed, and the
//! conversion given again gets there.

#![cfg(feature = "settings")]
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use bootslot::device::{Device, Done};
use bootslot::env::Environment;
use bootslot::settings::Settings;
use bootslot::slot::dialect::{detect, Detected, Dialect};
use bootslot::slot::{next_boot, Chosen, Name, Script, Standing, Working};
use bootslot::storage::sim::{mix, Board, Cut, Entry, Moment, Torn};
use bootslot::store::{LockPath, Store, StoreOptions};
use bootslot::Result;
use support::copies::Copies;

/// What is stored before a conversion: slot B is confirmed and runs.
fn records(dialect: Dialect) -> &'static [&'static [u8]] {
    match dialect {
        Dialect::Native => {
            &[b"active_slot=B", b"boot_success=1", b"boot_try_count=0", b"slot_A=failed", b"slot_B=good"]
        }
        Dialect::Rauc => &[b"BOOT_ORDER=B A", b"BOOT_A_LEFT=7", b"BOOT_B_LEFT=8"],
        Dialect::Mender => &[b"mender_boot_part=11", b"mender_boot_part_hex=B", b"upgrade_available=0"],
        _ => &[b"rootpart=11", b"upgrade_available=0", b"ustate=0"],
    }
}

/// Of nobody's dialect; and the board's, which is only read.
const OTHERS: &[&[u8]] = &[b"bootcmd=run x", b"odd=\\x \xff", b"bootlimit=3", b"boot_failed=A:health:id"];

/// A board, and the dialect that its settings name.
#[derive(Clone)]
struct Rig {
    board: Board,
    copies: Copies,
    dialect: Dialect,
}

type Convert<'c> = &'c dyn Fn(&mut Device) -> Result<Done>;

impl Rig {
    fn all(dialect: Dialect) -> Vec<(&'static str, Rig)> {
        let variables = Environment::from_records([OTHERS, records(dialect)].concat());
        Copies::all(&variables).map(|(kind, board, copies)| (kind, Rig { board, copies, dialect })).collect()
    }

    fn fork(&self) -> Rig {
        let board = self.board.fork();
        Rig { copies: self.copies.on(&board), board, ..*self }
    }

    fn settings(dialect: Dialect) -> Settings {
        let mut settings = Settings {
            dialect,
            reader: dialect.readers().first().copied(),
            running: Name::new("B"),
            script: Some(Script::V2),
            ..Settings::default()
        };
        settings.board.values =
            [("A", "2"), ("B", "11")].map(|(s, v)| (Name::new(s).unwrap(), v.into())).into();
        settings.board.slot_variable = "rootpart".into();
        settings
    }

    fn device(&self) -> Device {
        let options = StoreOptions { lock: Some(LockPath::None), ..StoreOptions::default() };
        Device::with_store(
            &Rig::settings(self.dialect),
            Store::from_copies(self.copies.open(), options).unwrap(),
        )
    }

    fn stored(&self) -> Environment {
        self.device().store().load().unwrap().environment()
    }
}

fn bytes(variables: &Environment) -> Vec<Vec<u8>> {
    variables.records().map(<[u8]>::to_vec).collect()
}

/// Whether the boot code of this dialect boots slot B as a confirmed one.
fn boots_b(dialect: Dialect, variables: &Environment) -> bool {
    let settings = Rig::settings(dialect);
    let b = Name::new("B").unwrap();
    let state = dialect.decode(variables, &settings.board(Script::V2)).unwrap();
    state.standing() == Standing::Confirmed(&b)
        && next_boot(&state, &mut Working::default()).chosen == Chosen::Slot(b)
}

/// Where in an operation the power fails: at its edges, and at some bytes of it with some tears.
fn moments(entry: &Entry) -> Vec<Moment> {
    let mut bytes = vec![0, 4, entry.len / 2, entry.len.saturating_sub(1)];
    bytes.retain(|&byte| byte < entry.len);
    bytes.dedup();
    let inside = bytes.into_iter().map(|byte| Moment::Inside(Torn { byte, tail: (byte % 4) as u32 }));
    [Moment::Before].into_iter().chain(inside).chain([Moment::After]).collect()
}

/// Cuts one conversion at every operation. `before` and `after` are the boot codes that have to boot slot B with the old
/// environment and with the new one. Gives back the converted board and the number of states that were judged.
fn convert(place: &str, rig: &Rig, order: Convert<'_>, [before, after]: [&[Dialect]; 2]) -> (Rig, u64) {
    let old = rig.stored();
    let next = rig.fork();
    next.board.clear_log();
    assert!(order(&mut next.device()).unwrap().stored(), "{place}: nothing was stored");
    let new = next.stored();
    for other in OTHERS {
        assert!(new.records().any(|record| record == *other), "{place}: {other:?} is gone");
    }
    let mut judged = 0;
    let log = next.board.log();
    for (op, entry) in log.iter().enumerate() {
        for moment in moments(entry) {
            let cut = Cut { op, moment };
            let rig = rig.fork();
            rig.board.clear_log();
            rig.board.cut(cut);
            let result = order(&mut rig.device());
            assert!(!rig.board.is_on(), "{place}, {cut}: the cut never came");
            let choices = rig.board.choices();
            for choice in (0..choices.min(4)).map(|i| if choices > 4 { mix(i) % choices } else { i }) {
                let place = format!("{place}, {cut}, choice {choice}");
                let rig = rig.fork();
                rig.board.restore(choice);
                let found = rig.stored();
                let is_new = bytes(&found) == bytes(&new);
                assert!(is_new || bytes(&found) == bytes(&old), "{place}: neither old nor new: {found:?}");
                assert!(is_new || result.is_err(), "{place}: success was reported, and is gone");
                for &code in if is_new { after } else { before } {
                    assert!(boots_b(code, &found), "{place}: {}: {found:?}", code.name());
                }
                let again = order(&mut rig.device()).unwrap_or_else(|error| panic!("{place}: {error}"));
                assert_eq!(again.stored(), !is_new, "{place}: again");
                assert_eq!(bytes(&rig.stored()), bytes(&new), "{place}: again");
                judged += 1;
            }
        }
    }
    (next, judged)
}

#[test]
fn a_conversion_that_is_cut_is_carried_out_or_not_in_each_direction() {
    let (mut conversions, mut judged) = (0, 0);
    for &from in Dialect::ALL {
        for &to in Dialect::ALL.iter().filter(|to| **to != from) {
            for (kind, rig) in Rig::all(from) {
                let place = |step: &str| format!("{kind}, {} to {}, {step}", from.name(), to.name());
                let run = |rig: &Rig, step: &str, dialect: Dialect, keep: bool, codes: [&[Dialect]; 2]| {
                    let order = |device: &mut Device| device.convert(dialect, keep).map(|(done, _)| done);
                    convert(&place(step), rig, &order, codes)
                };
                // The old variables are gone at once: the old boot code is for the old environment, the new one for the new.
                let (mut direct, states) = run(&rig, "at once", to, false, [&[from], &[to]]);
                judged += states;
                // The way back, when the settings name the new dialect.
                direct.dialect = to;
                let (back, states) = run(&direct, "back", from, false, [&[to], &[from]]);
                judged += states;
                let is = |rig: &Rig, dialect| matches!(detect(&rig.stored()), Detected::One(one, _) if one == dialect);
                assert!(is(&direct, to) && is(&back, from), "{}", place("detected"));
                // With the old variables kept, as a fleet moves: either boot code boots the slot, until they are deleted.
                let (mut both, states) = run(&rig, "kept", to, true, [&[from], &[from, to]]);
                judged += states;
                both.dialect = to;
                // Beside another dialect's variables those of the boot counter say nothing: others use them, too.
                if from != Dialect::Bootcount {
                    let (tidy, states) = run(&both, "what was kept", to, false, [&[from, to], &[to]]);
                    judged += states;
                    assert!(is(&tidy, to), "{}", place("tidied"));
                }
                conversions += 4;
            }
        }
    }
    println!("{conversions} conversions, {judged} states after power cuts");
    assert!(judged > 5_000, "only {judged} states");
}
