//! Our choice of the current copy against every other reader, on every pair of flags and every
//! finding for each copy; and the states that our order of writing can leave behind.
#![allow(clippy::expect_used, clippy::indexing_slicing)]

mod models;

use bootslot::env::redundancy::{
    choose, next_flags, older_flags, readers_agree, CopyState, FlagScheme, Why, OBSOLETE,
};
use models::*;

const ALL: std::ops::RangeInclusive<u8> = 0..=255;

/// The four findings for a copy with these flags.
fn findings(flags: u8) -> [(CopyState, Found); 4] {
    let bad = Found { read_fail: false, crc_ok: false, flags, single_ok: false };
    [
        (CopyState::Valid { flags }, Found::valid(flags)),
        (CopyState::BadCrc, bad),
        (CopyState::Blank, bad),
        // What a failed read left in the buffer must not matter, a right CRC included.
        (CopyState::Unreadable, Found { read_fail: true, crc_ok: true, flags, single_ok: true }),
    ]
}

#[test]
fn every_pair_of_flags_and_every_finding_as_uboot_chooses() {
    let mut judged = 0;
    for first in ALL {
        for second in ALL {
            for (state0, found0) in findings(first) {
                for (state1, found1) in findings(second) {
                    let copies = [state0, state1];
                    assert_eq!(
                        choose(FlagScheme::Serial, copies).current,
                        uboot_check_redund(found0, found1),
                        "serial {copies:?}"
                    );
                    assert_eq!(
                        choose(FlagScheme::Boolean, copies).current,
                        uboot_flash(found0, found1),
                        "boolean {copies:?}"
                    );
                    judged += 1;
                }
            }
        }
    }
    assert_eq!(judged, 65_536 * 16);
}

/// A single copy in the first place, and whatever is in the second: U-Boot with the option takes what we take, the
/// others have nothing, and `readers_agree` says so.
#[test]
fn a_single_copy_in_the_first_place_as_uboot_chooses() {
    let mut upgraded = 0;
    for flags in ALL {
        let single = Found { read_fail: false, crc_ok: false, flags: b'b', single_ok: true };
        for (second, found) in findings(flags) {
            let copies = [CopyState::Single, second];
            for scheme in [FlagScheme::Serial, FlagScheme::Boolean] {
                let choice = choose(scheme, copies);
                assert_eq!(choice.current, uboot_check_redund_upgrade(single, found), "{copies:?}");
                assert_eq!(choice.why == Why::SingleCopy, !second.is_valid());
                let others = [
                    uboot_check_redund(single, found),
                    uboot_flash(single, found),
                    fw_env_incremental(single, found),
                    fw_env_boolean(single, found),
                    libubootenv_incremental(single, found),
                    libubootenv_boolean(single, found),
                    uboot_env_ex(single, found),
                    fwup(single, found),
                ];
                let have = others.iter().flatten().all(|copy| Some(*copy) == choice.current);
                assert!(have, "{copies:?}: {others:?}");
                assert_eq!(readers_agree(scheme, copies), others.contains(&Some(1)));
            }
            upgraded += usize::from(!second.is_valid());
        }
        // The option changes nothing else: in all other states both U-Boots take the same.
        for (_, one) in findings(flags) {
            for (_, two) in findings(flags.wrapping_add(1)) {
                assert_eq!(uboot_check_redund(one, two), uboot_check_redund_upgrade(one, two));
            }
        }
    }
    assert_eq!(upgraded, 256 * 3);
}

/// Readers that give up pick nothing; the others must all pick one and the same.
fn same_pick(picks: &[Option<usize>]) -> bool {
    let mut taken = picks.iter().flatten();
    match taken.next() {
        None => true,
        Some(first) => taken.all(|other| other == first),
    }
}

#[test]
fn readers_agree_says_what_the_models_do() {
    let mut disagreements = 0;
    for first in ALL {
        for second in ALL {
            for (state0, one) in findings(first) {
                for (state1, two) in findings(second) {
                    let copies = [state0, state1];
                    let serial = [
                        uboot_check_redund(one, two),
                        fw_env_incremental(one, two),
                        libubootenv_incremental(one, two),
                    ];
                    assert_eq!(readers_agree(FlagScheme::Serial, copies), same_pick(&serial), "{copies:?}");
                    let boolean = [
                        uboot_flash(one, two),
                        uboot_flash_before_2026_07(one, two),
                        uboot_check_redund(one, two),
                        fw_env_boolean(one, two),
                        libubootenv_boolean(one, two),
                    ];
                    let agree = same_pick(&boolean);
                    assert_eq!(readers_agree(FlagScheme::Boolean, copies), agree, "{copies:?}");
                    disagreements += usize::from(!agree);
                }
            }
        }
    }
    // All unequal pairs of flags below 255 except (1, 0) and (0, 1); and (255, 0), (0, 255), (255, 255).
    assert_eq!(disagreements, 255 * 254 - 2 + 3);
}

/// Every reader's choice for 19 pairs, first copy = 1. Columns: U-Boot env_check_redund, U-Boot
/// flash.c, fw_env on a file, libubootenv on a file, libubootenv on NOR, uboot_env (Elixir), fwup.
const TABLE: [(u8, u8, [usize; 7]); 19] = [
    (1, 0, [1, 1, 1, 1, 1, 1, 1]),
    (0, 1, [2, 2, 2, 2, 2, 2, 2]),
    (0, 0, [1, 1, 1, 1, 1, 1, 1]),
    (1, 1, [1, 1, 1, 1, 1, 1, 1]),
    (255, 255, [1, 1, 1, 1, 2, 1, 1]),
    (255, 0, [2, 1, 2, 2, 1, 2, 2]),
    (0, 255, [1, 2, 1, 1, 2, 1, 1]),
    (255, 1, [1, 1, 1, 1, 1, 2, 2]),
    (1, 255, [2, 2, 2, 2, 2, 1, 1]),
    (254, 255, [2, 2, 2, 2, 2, 2, 2]),
    (255, 254, [1, 1, 1, 1, 1, 1, 1]),
    (254, 0, [1, 1, 1, 1, 1, 2, 2]),
    (0, 254, [2, 1, 2, 2, 2, 1, 1]),
    (2, 1, [1, 1, 1, 1, 1, 1, 1]),
    (1, 2, [2, 1, 2, 2, 2, 2, 2]),
    (200, 10, [1, 1, 1, 1, 1, 2, 2]),
    (10, 200, [2, 1, 2, 2, 2, 1, 1]),
    (128, 0, [1, 1, 1, 1, 1, 2, 1]),
    (0, 128, [2, 1, 2, 2, 2, 2, 1]),
];

#[test]
fn the_table_of_pairs() {
    for (first, second, expected) in TABLE {
        let (one, two) = (Found::valid(first), Found::valid(second));
        let modelled = [
            uboot_check_redund(one, two),
            uboot_flash(one, two),
            fw_env_incremental(one, two),
            libubootenv_incremental(one, two),
            libubootenv_boolean(one, two),
            uboot_env_ex(one, two),
            fwup(one, two),
        ];
        assert_eq!(modelled, expected.map(|copy| Some(copy - 1)), "models at ({first}, {second})");

        let copies = [CopyState::Valid { flags: first }, CopyState::Valid { flags: second }];
        assert_eq!(choose(FlagScheme::Serial, copies).current, Some(expected[0] - 1), "{copies:?}");
        assert_eq!(choose(FlagScheme::Boolean, copies).current, Some(expected[1] - 1), "{copies:?}");
        // fw_env on NOR decides as flash.c does.
        assert_eq!(fw_env_boolean(one, two), Some(expected[1] - 1));
    }
}

fn as_found(copy: CopyState) -> Found {
    match copy {
        CopyState::Valid { flags } => Found::valid(flags),
        CopyState::BadCrc | CopyState::Blank => {
            Found { read_fail: false, crc_ok: false, flags: 0xff, single_ok: false }
        }
        CopyState::Single => Found { read_fail: false, crc_ok: false, flags: b'b', single_ok: true },
        CopyState::Unreadable => Found { read_fail: true, crc_ok: false, flags: 0, single_ok: false },
    }
}

/// Every state from which a store can start.
fn every_start() -> impl Iterator<Item = [CopyState; 2]> {
    ALL.flat_map(|first| {
        ALL.flat_map(move |second| {
            findings(first)
                .into_iter()
                .flat_map(move |(a, _)| findings(second).into_iter().map(move |(b, _)| [a, b]))
        })
    })
}

/// What a copy can be while it is erased or half written.
const IN_BETWEEN: [CopyState; 3] = [CopyState::BadCrc, CopyState::Blank, CopyState::Unreadable];

fn with(mut copies: [CopyState; 2], which: usize, state: CopyState) -> [CopyState; 2] {
    copies[which] = state;
    copies
}

/// The copy that a store writes: the one that is not current; copy 0 where none is.
fn standby(scheme: FlagScheme, copies: [CopyState; 2]) -> usize {
    choose(scheme, copies).current.map_or(0, |current| 1 - current)
}

/// A cut may leave a state only if every reader that takes a copy at all takes this one.
fn assert_all_take(scheme: FlagScheme, copies: [CopyState; 2], copy: Option<usize>, start: [CopyState; 2]) {
    assert!(readers_agree(scheme, copies), "{start:?} -> {copies:?}");
    assert_eq!(choose(scheme, copies).current, copy, "{start:?} -> {copies:?}");
    let (one, two) = (as_found(copies[0]), as_found(copies[1]));
    let picks = match scheme {
        // The last two read gaps in their own ways, but a store never leaves one.
        FlagScheme::Serial => [
            uboot_check_redund(one, two),
            fw_env_incremental(one, two),
            libubootenv_incremental(one, two),
            uboot_env_ex(one, two),
            fwup(one, two),
        ],
        FlagScheme::Boolean => [
            uboot_check_redund(one, two),
            uboot_flash(one, two),
            fw_env_boolean(one, two),
            libubootenv_boolean(one, two),
            uboot_flash_before_2026_07(one, two),
        ],
    };
    for pick in picks.into_iter().flatten() {
        assert_eq!(Some(pick), copy, "{start:?} -> {copies:?}");
    }
}

#[test]
fn a_serial_store_from_any_start_is_old_or_new_for_every_reader() {
    let scheme = FlagScheme::Serial;
    for start in every_start() {
        let current = choose(scheme, start).current;
        let target = standby(scheme, start);
        for torn in IN_BETWEEN {
            assert_all_take(scheme, with(start, target, torn), current, start);
        }
        let flags = next_flags(scheme, current.and_then(|copy| start[copy].flags()));
        let done = with(start, target, CopyState::Valid { flags });
        assert_all_take(scheme, done, Some(target), start);
    }
}

/// The step of a boolean store that changes the old copy. A program operation that is cut may have
/// cleared any of the bits that it was to clear; as the standby copy is erased then, none of them matters.
#[test]
fn a_cut_while_the_old_flags_are_cleared_changes_no_choice() {
    for flags in ALL {
        for erased in IN_BETWEEN {
            let valid = CopyState::Valid { flags };
            assert_all_take(FlagScheme::Boolean, [valid, erased], Some(0), [valid, erased]);
            assert_all_take(FlagScheme::Boolean, [erased, valid], Some(1), [erased, valid]);
        }
    }
}

#[test]
fn a_boolean_store_from_any_start_is_old_or_new_for_every_reader() {
    let scheme = FlagScheme::Boolean;
    for start in every_start() {
        let current = choose(scheme, start).current;
        let target = standby(scheme, start);
        for erased in IN_BETWEEN {
            assert_all_take(scheme, with(start, target, erased), current, start);
        }
        let mut done = start;
        if let Some(old) = current {
            done = with(done, old, CopyState::Valid { flags: OBSOLETE });
            for torn in IN_BETWEEN {
                assert_all_take(scheme, with(done, target, torn), current, start);
            }
        }
        done = with(done, target, CopyState::Valid { flags: next_flags(scheme, None) });
        assert_all_take(scheme, done, Some(target), start);
    }
}

/// The states of a store that makes two copies of one. The readers that know no single copy in this place have
/// nothing until the second copy is complete; from then on all take it.
#[test]
fn a_store_from_a_single_copy_is_old_or_new_for_every_reader() {
    for scheme in [FlagScheme::Serial, FlagScheme::Boolean] {
        for second in IN_BETWEEN {
            let start = [CopyState::Single, second];
            assert_eq!(standby(scheme, start), 1);
            for torn in IN_BETWEEN {
                let copies = with(start, 1, torn);
                assert_eq!(choose(scheme, copies).current, Some(0));
                let found = copies.map(as_found);
                assert_eq!(uboot_check_redund_upgrade(found[0], found[1]), Some(0));
                assert_eq!(uboot_check_redund(found[0], found[1]), None);
            }
            let flags = next_flags(scheme, None);
            let stored = with(start, 1, CopyState::Valid { flags });
            assert_all_take(scheme, stored, Some(1), start);
            for torn in IN_BETWEEN {
                assert_all_take(scheme, with(stored, 0, torn), Some(1), start);
            }
            let older = CopyState::Valid { flags: older_flags(scheme, flags) };
            assert_all_take(scheme, with(stored, 0, older), Some(1), start);
        }
    }
}

#[test]
fn stores_in_a_row_alternate_and_never_lose_a_reader() {
    for scheme in [FlagScheme::Serial, FlagScheme::Boolean] {
        let mut copies = [CopyState::Blank, CopyState::Blank];
        for step in 0..600 {
            let current = choose(scheme, copies).current;
            let target = standby(scheme, copies);
            assert_eq!(target, step % 2);
            let flags = next_flags(scheme, current.and_then(|copy| copies[copy].flags()));
            if let (FlagScheme::Boolean, Some(old)) = (scheme, current) {
                copies[old] = CopyState::Valid { flags: OBSOLETE };
            }
            copies[target] = CopyState::Valid { flags };
            assert_all_take(scheme, copies, Some(target), copies);
        }
    }
}
