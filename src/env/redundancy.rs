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
//! All of this is only asked when both copies are valid; a single valid copy is always the current one.
//!
//! U-Boot itself is of two minds about NOR flash: for SPI NOR (`env/sf.c`) it *writes* boolean flags
//! but *selects* by the serial rule, for parallel NOR (`env/flash.c`) it does both by the boolean one,
//! as do U-Boot's and libubootenv's tools on every NOR. Where the two differ we side with the tools
//! and `flash.c`; nothing that follows the order of writing below ever makes such a state, and
//! [`readers_agree`] tells whether somebody else did.
//!
//! # The order of writing
//!
//! - Serial: write the standby copy with the serial of the selected copy plus one. Nothing else.
//! - Boolean, NOR: erase the standby copy, clear the flags of the old copy to [`OBSOLETE`], write the new
//!   copy with [`ACTIVE`]. While the old copy's flags are cleared it is the only valid copy, so that no
//!   value of its flags matters; after that the pair is (1, 0) or (0, 1), which no reader mistakes.
//! - Boolean, DataFlash: write the standby copy with [`ACTIVE`], then clear the flags of the old copy, which
//!   rewrites a page of it. In between the pair is (1, 1), and every reader takes copy 0.
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
    /// The medium returned an error, or ends before the copy does.
    Unreadable,
}

impl CopyState {
    /// The flags of a valid copy.
    pub fn flags(self) -> Option<u8> {
        match self {
            CopyState::Valid { flags } => Some(flags),
            CopyState::BadCrc | CopyState::Blank | CopyState::Unreadable => None,
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
        [None, None] => return Choice { current: None, why: Why::NoneValid },
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
        Why::SameSerial { .. } | Why::SameFlags { .. } | Why::UnknownFlags { .. } => Some(0),
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
/// nobody. fwup and uboot_env (Elixir) read gaps between serials in their own ways and are not asked.
pub fn readers_agree(scheme: FlagScheme, copies: [CopyState; 2]) -> bool {
    let [Some(first), Some(second)] = copies.map(CopyState::flags) else {
        return true;
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
}
