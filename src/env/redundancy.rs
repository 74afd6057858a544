//! Pure: Which copy of a redundant environment is current, why, and the flags byte of the next one.
//!
//! The flags byte of a copy is read in one of two ways (see [`FlagScheme`]). Both rules are
//! U-Boot's, so that user space and the bootloader never take different copies:
//!
//! | flags of copy 0, copy 1 | serial (`env/common.c`, `env_check_redund`) | boolean (`env/flash.c`, `env_flash_init`) |
//! |---|---|---|
//! | equal | 0 | 0 |
//! | (1, 0), (0, 1) | 0, 1 | 0, 1 |
//! | (255, 0) | **1** (wrapped) | **0** |
//! | (0, 255) | **0** (wrapped) | **1** |
//! | (255, n) | 0 | 0 |
//! | (n, 255) | 1 | 1 |
//! | any other | the greater | 0 (before v2026.07: 1) |
//!
//! This matters only when both copies are valid. If one alone is valid, it is the current one.
//!
//! Where neither is valid, copy 0 may still be a whole environment of the time before there were two copies: its
//! checksum is right if four bytes of header are counted, and not five. U-Boot takes it if it was built with
//! `CONFIG_ENV_REDUNDANT_UPGRADE` (`env_check_redund`, since v2026.04; `env/flash.c` has no such rule), and so do we.
//! No other tool does.
//!
//! U-Boot has two rules for NOR flash. For SPI NOR (`env/sf.c`) it *writes* boolean flags but *selects* by the serial
//! rule. For parallel NOR (`env/flash.c`) it does both by the boolean rule. So do U-Boot's and libubootenv's tools on
//! every NOR. Where the two rules differ, we side with the tools and `flash.c`. A writer that follows the order of writing
//! below never makes such a state. [`readers_agree`] tells whether somebody else did.
//!
//! # The order of writing
//!
//! - Serial: write the standby copy with the serial of the selected copy plus one. Nothing else.
//! - Boolean, NOR: erase the standby copy, clear the flags of the old copy to [`OBSOLETE`], write the new
//!   copy with [`ACTIVE`]. While the old copy's flags are cleared it is the only valid copy, so that no
//!   value of its flags matters; after that the pair is (1, 0) or (0, 1), which no reader mistakes.
//! - Boolean, NOR with ECC: write the standby copy with [`ACTIVE`], then make the old copy invalid, erase it and write the
//!   new variables there, too, with [`OBSOLETE`]. Before the last step both may be active, and every reader takes copy 0.
//! - Boolean, DataFlash: write the standby copy with [`ACTIVE`], then clear the flags of the old copy, which
//!   rewrites a page of it. In between the pair is (1, 1), and every reader takes copy 0.
//! - From a single copy: write copy 1, and touch copy 0 only when that is complete.
//!
//! U-Boot's I2C EEPROM environment (`env/eeprom.c`) has a third rule, boolean with a wrap. It is not
//! covered.

use std::fmt;

/// The flags of a copy that is, or becomes, the current one (boolean scheme; U-Boot `ENV_REDUND_ACTIVE`).
pub const ACTIVE: u8 = 1;

/// The flags of a copy that another one replaced (boolean scheme; U-Boot `ENV_REDUND_OBSOLETE`).
/// Clearing bits is what flash can do without an erase, hence the value.
pub const OBSOLETE: u8 = 0;

/// What the byte reads as where nothing was ever written to erased flash.
const NEVER_MARKED: u8 = 0xff;

/// How the flags byte says which copy is current.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FlagScheme {
    /// [`ACTIVE`] or [`OBSOLETE`]: MTD NOR and DataFlash.
    Boolean,
    /// One more than the copy that was current when this one was written, modulo 256: everything else.
    Serial,
}

/// What one copy turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CopyState {
    /// The CRC is right. `flags` is 0 for a copy that has no flags byte.
    Valid {
        /// The flags byte, which no CRC protects.
        flags: u8,
    },
    /// The CRC is wrong.
    BadCrc,
    /// The CRC is wrong because nothing was ever stored: all bytes are 0xff, or all are 0.
    Blank,
    /// The CRC is wrong, but right for a single copy in this place, which has no flags byte. Only copy 0 is looked
    /// at like this, as U-Boot does.
    Single,
    /// The medium returned an error, or ends before the copy does.
    Unreadable,
}

impl CopyState {
    /// The flags of a valid copy.
    pub fn flags(self) -> Option<u8> {
        match self {
            CopyState::Valid { flags } => Some(flags),
            CopyState::BadCrc | CopyState::Blank | CopyState::Single | CopyState::Unreadable => None,
        }
    }

    /// Whether its CRC is right.
    pub fn is_valid(self) -> bool {
        self.flags().is_some()
    }
}

impl fmt::Display for CopyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CopyState::Valid { .. } => "valid",
            CopyState::BadCrc => "bad CRC",
            CopyState::Blank => "blank",
            CopyState::Single => "single",
            CopyState::Unreadable => "unreadable",
        })
    }
}

/// The current copy and the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    /// 0 or 1; `None` where no copy is valid.
    pub current: Option<usize>,
    /// The rule that decided. Its `Display` is a sentence for a report.
    pub why: Why,
}

/// The rule that decided which copy is current.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Why {
    /// Neither copy is valid.
    NoneValid,
    /// Neither is, but copy 0 is an environment of the time before there were two copies.
    SingleCopy,
    /// The other copy is not valid.
    OnlyValid {
        /// The copy that is.
        copy: usize,
    },
    /// Serial scheme: the greater serial, or 0 after 255.
    Newer {
        /// The current copy.
        copy: usize,
        /// Its serial.
        serial: u8,
        /// The serial of the other copy.
        other: u8,
    },
    /// Serial scheme: both serials are equal; U-Boot takes copy 0.
    SameSerial {
        /// The serial of both.
        serial: u8,
    },
    /// Boolean scheme: one copy is marked active, the other obsolete.
    Active {
        /// The active one.
        copy: usize,
    },
    /// Boolean scheme: both copies carry the same flags; U-Boot takes copy 0.
    SameFlags {
        /// The flags of both.
        flags: u8,
    },
    /// Boolean scheme: the flags of one copy were never marked (0xff); U-Boot takes it.
    NeverMarked {
        /// The copy that was never marked.
        copy: usize,
        /// The flags of the other copy.
        other: u8,
    },
    /// Boolean scheme: a pair of flags that no writer makes; U-Boot takes copy 0 (before v2026.07: copy 1).
    UnknownFlags {
        /// The flags of copies 0 and 1.
        flags: [u8; 2],
    },
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Why::NoneValid => write!(f, "no copy is valid"),
            Why::SingleCopy => write!(
                f,
                "copy 0 is current: it is a single copy, from before there were two, and the other one is not valid"
            ),
            Why::OnlyValid { copy } => write!(f, "only copy {copy} is valid"),
            Why::Newer { copy, serial, other } => {
                write!(f, "copy {copy} is current: its serial {serial} is newer than {other}")
            }
            Why::SameSerial { serial } => {
                write!(f, "copy 0 is current: both copies have serial {serial}")
            }
            Why::Active { copy } => {
                write!(f, "copy {copy} is current: it is marked active, the other one obsolete")
            }
            Why::SameFlags { flags } => {
                write!(f, "copy 0 is current: both copies have flags {flags:#04x}")
            }
            Why::NeverMarked { copy, other } => {
                write!(f, "copy {copy} is current: its flags were never marked, the other one has {other:#04x}")
            }
            Why::UnknownFlags { flags: [first, second] } => write!(
                f,
                "copy 0 is current: the flags {first:#04x} and {second:#04x} say nothing, so the first is taken"
            ),
        }
    }
}

/// Chooses the current copy as U-Boot does.
pub fn choose(scheme: FlagScheme, copies: [CopyState; 2]) -> Choice {
    let why = match copies.map(CopyState::flags) {
        [None, None] if matches!(copies, [CopyState::Single, _]) => Why::SingleCopy,
        [None, None] => Why::NoneValid,
        [Some(_), None] => Why::OnlyValid { copy: 0 },
        [None, Some(_)] => Why::OnlyValid { copy: 1 },
        [Some(first), Some(second)] => match scheme {
            FlagScheme::Serial => by_serial(first, second),
            FlagScheme::Boolean => by_mark(first, second),
        },
    };
    let current = match why {
        Why::OnlyValid { copy }
        | Why::Newer { copy, .. }
        | Why::Active { copy }
        | Why::NeverMarked { copy, .. } => Some(copy),
        Why::SingleCopy | Why::SameSerial { .. } | Why::SameFlags { .. } | Why::UnknownFlags { .. } => {
            Some(0)
        }
        Why::NoneValid => None,
    };
    Choice { current, why }
}

/// The serial rule. Only 255 and 0 side by side count as a wrap: (254, 0) is not one.
fn by_serial(first: u8, second: u8) -> Why {
    if first == second {
        return Why::SameSerial { serial: first };
    }
    let wrapped = matches!((first, second), (255, 0) | (0, 255));
    if (first > second) != wrapped {
        Why::Newer { copy: 0, serial: first, other: second }
    } else {
        Why::Newer { copy: 1, serial: second, other: first }
    }
}

/// The boolean rule.
fn by_mark(first: u8, second: u8) -> Why {
    match (first, second) {
        (ACTIVE, OBSOLETE) => Why::Active { copy: 0 },
        (OBSOLETE, ACTIVE) => Why::Active { copy: 1 },
        _ if first == second => Why::SameFlags { flags: first },
        (NEVER_MARKED, other) => Why::NeverMarked { copy: 0, other },
        (other, NEVER_MARKED) => Why::NeverMarked { copy: 1, other },
        _ => Why::UnknownFlags { flags: [first, second] },
    }
}

/// The flags byte that makes a copy with the same variables the older one of two, from that of the newer one.
pub fn older_flags(scheme: FlagScheme, newer: u8) -> u8 {
    match scheme {
        FlagScheme::Boolean => OBSOLETE,
        FlagScheme::Serial => newer.wrapping_sub(1),
    }
}

/// The flags byte of the next copy to be written, from that of the selected one (`None`: no copy is valid).
///
/// A serial steps by exactly one: U-Boot, fwup and Nerves' uboot_env read gaps differently.
pub fn next_flags(scheme: FlagScheme, current: Option<u8>) -> u8 {
    match (scheme, current) {
        (FlagScheme::Boolean, _) => ACTIVE,
        (FlagScheme::Serial, Some(serial)) => serial.wrapping_add(1),
        (FlagScheme::Serial, None) => 1,
    }
}

/// Whether no two readers pick different copies: U-Boot (all of its rules, where the scheme is
/// boolean), U-Boot's tools and libubootenv.
///
/// A reader that gives up, as both tools do when a copy is unreadable, picks none and so differs from
/// nobody. A single copy in the first place is what only some read ([`Why::SingleCopy`]): the others use
/// their defaults, and that is a disagreement. fwup and uboot_env (Elixir) read gaps between serials in their own ways and are not asked.
pub fn readers_agree(scheme: FlagScheme, copies: [CopyState; 2]) -> bool {
    let [Some(first), Some(second)] = copies.map(CopyState::flags) else {
        return choose(scheme, copies).why != Why::SingleCopy;
    };
    match scheme {
        // All three have the same rule on files, block devices, NAND and UBI.
        FlagScheme::Serial => true,
        FlagScheme::Boolean => {
            let Choice { current, why } = choose(FlagScheme::Boolean, copies);
            current == choose(FlagScheme::Serial, copies).current
                && current == Some(libubootenv_nor(first, second))
                // Two U-Boots do not agree on these.
                && !matches!(why, Why::UnknownFlags { .. })
        }
    }
}

/// libubootenv's choice on MTD NOR (`libuboot_load`, `FLAGS_BOOLEAN`): an unmarked copy 1, else an
/// unmarked copy 0, else the greater flags.
fn libubootenv_nor(first: u8, second: u8) -> usize {
    match (first, second) {
        (_, NEVER_MARKED) => 1,
        (NEVER_MARKED, _) => 0,
        _ => usize::from(second > first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(first: u8, second: u8) -> [CopyState; 2] {
        [CopyState::Valid { flags: first }, CopyState::Valid { flags: second }]
    }

    #[test]
    fn reasons_in_plain_words() {
        let say = |scheme, copies| choose(scheme, copies).why.to_string();
        use FlagScheme::{Boolean, Serial};
        assert_eq!(say(Serial, both(5, 6)), "copy 1 is current: its serial 6 is newer than 5");
        assert_eq!(say(Serial, both(255, 0)), "copy 1 is current: its serial 0 is newer than 255");
        assert_eq!(say(Serial, both(7, 7)), "copy 0 is current: both copies have serial 7");
        assert_eq!(say(Serial, [CopyState::Valid { flags: 3 }, CopyState::Blank]), "only copy 0 is valid");
        assert_eq!(say(Serial, [CopyState::BadCrc, CopyState::Unreadable]), "no copy is valid");
        assert_eq!(
            say(Serial, [CopyState::Single, CopyState::Blank]),
            "copy 0 is current: it is a single copy, from before there were two, and the other one is not valid"
        );
        assert_eq!(say(Boolean, [CopyState::Single, both(0, 0)[1]]), "only copy 1 is valid");
        assert_eq!(
            say(Boolean, both(0, 1)),
            "copy 1 is current: it is marked active, the other one obsolete"
        );
        assert_eq!(say(Boolean, both(1, 1)), "copy 0 is current: both copies have flags 0x01");
        assert_eq!(
            say(Boolean, both(0, 255)),
            "copy 1 is current: its flags were never marked, the other one has 0x00"
        );
        assert_eq!(
            say(Boolean, both(1, 2)),
            "copy 0 is current: the flags 0x01 and 0x02 say nothing, so the first is taken"
        );
    }

    #[test]
    fn next_flags_step_by_one_and_wrap() {
        assert_eq!(next_flags(FlagScheme::Serial, None), 1);
        assert_eq!(next_flags(FlagScheme::Serial, Some(0)), 1);
        assert_eq!(next_flags(FlagScheme::Serial, Some(254)), 255);
        assert_eq!(next_flags(FlagScheme::Serial, Some(255)), 0);
        for flags in 0..=255 {
            assert_eq!(next_flags(FlagScheme::Boolean, Some(flags)), ACTIVE);
        }
        assert_eq!(next_flags(FlagScheme::Boolean, None), ACTIVE);
    }

    #[test]
    fn the_older_of_two_is_the_older_one_for_every_serial() {
        for newer in 0..=255 {
            let older = older_flags(FlagScheme::Serial, newer);
            assert_eq!(choose(FlagScheme::Serial, both(older, newer)).current, Some(1));
            assert_eq!(choose(FlagScheme::Serial, both(newer, older)).current, Some(0));
        }
        let older = older_flags(FlagScheme::Boolean, ACTIVE);
        assert_eq!(choose(FlagScheme::Boolean, both(older, ACTIVE)).current, Some(1));
    }
}
