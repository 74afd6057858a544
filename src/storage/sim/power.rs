//! When the power fails, and which operations fail without it: what all media of a board share.

use std::fmt;
use std::io;
use std::str::FromStr;

/// What a medium is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Op {
    /// Opening a medium.
    Open,
    /// Reading from a medium, a volume, a file or a temporary file.
    Read,
    /// Programming flash, or writing to a file or block device.
    Program,
    /// Erasing a sector, or emptying a LEB of a UBI volume.
    Erase,
    /// Asking whether a block is bad.
    IsBad,
    /// Marking a block as bad.
    MarkBad,
    /// Unlocking a sector.
    Unlock,
    /// Locking a sector.
    Lock,
    /// Syncing a medium.
    Sync,
    /// Dropping a range from the cache.
    DropCache,
    /// Starting to update a UBI volume piece by piece.
    StartUpdate,
    /// Updating a UBI volume, or writing a piece of its update.
    Update,
    /// Changing a LEB of a UBI volume.
    ChangeLeb,
    /// Writing the temporary file that is to replace a file.
    WriteTemp,
    /// Syncing the temporary file.
    SyncTemp,
    /// Renaming the temporary file over the file.
    Rename,
    /// Syncing the directory.
    SyncDir,
    /// Removing the temporary file.
    DiscardTemp,
}

impl Op {
    /// Whether the operation can change what lies on a medium. Only these are numbered: a cut before
    /// one that changes nothing leaves the same state as a cut before the next one.
    pub fn changes(self) -> bool {
        !matches!(self, Op::Open | Op::Read | Op::IsBad | Op::DropCache)
    }
}

/// One operation that happened, see [`Board::log`](super::Board::log).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Which medium of the board, in the order in which they were added.
    pub medium: usize,
    /// What it was asked for.
    pub op: Op,
    /// Bytes from the start of the medium.
    pub offset: u64,
    /// Bytes of the operation; the sector size for an erase.
    pub len: u64,
}

/// How far an operation came, and what the unit that it was working on looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Torn {
    /// Bytes from the start of the operation.
    pub byte: u64,
    /// Which of the states that the hardware can leave; every number is one, and each medium says which.
    pub tail: u32,
}

/// When, with respect to one operation, the power fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Moment {
    /// Nothing of the operation happened.
    Before,
    /// A part of it happened.
    Inside(Torn),
    /// All of it happened, but the caller does not learn it.
    After,
}

/// A power cut: at which operation, counted from 0 since the power came on, and when.
///
/// As text `p17b` is before operation 17, `p17.300g2` inside it at byte 300 with tail 2, and `p17a` after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cut {
    /// The operation's number; only those that [change](Op::changes) something count.
    pub op: usize,
    /// Before, inside or after it.
    pub moment: Moment,
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.moment {
            Moment::Before => write!(f, "p{}b", self.op),
            Moment::Inside(torn) => write!(f, "p{}.{}g{}", self.op, torn.byte, torn.tail),
            Moment::After => write!(f, "p{}a", self.op),
        }
    }
}

/// The text is not that of a [`Cut`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a power cut: expected p<op>b, p<op>.<byte>g<tail> or p<op>a")]
pub struct ParseCutError;

impl FromStr for Cut {
    type Err = ParseCutError;

    fn from_str(text: &str) -> Result<Self, ParseCutError> {
        let cut = || {
            let rest = text.strip_prefix('p')?;
            if let Some((op, torn)) = rest.split_once('.') {
                let (byte, tail) = torn.split_once('g')?;
                let torn = Torn { byte: byte.parse().ok()?, tail: tail.parse().ok()? };
                return Some(Cut { op: op.parse().ok()?, moment: Moment::Inside(torn) });
            }
            let moment = match rest.chars().last()? {
                'b' => Moment::Before,
                'a' => Moment::After,
                _ => return None,
            };
            Some(Cut { op: rest.trim_end_matches(['a', 'b']).parse().ok()?, moment })
        };
        cut().ok_or(ParseCutError)
    }
}

/// What goes wrong without a power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// The call returns this error. `None`: nothing happened; otherwise so much of it did. A failed
    /// sync drops what it could not write, as Linux does: a second sync then succeeds in vain.
    Fail(i32, Option<Torn>),
    /// The call reports success, but nothing of it, or only so much, reached the medium.
    Lie(Option<Torn>),
    /// The block is worn out: this and every later erase or program of it fails with EIO.
    WearOut,
}

/// A fault to be injected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// The medium, by its number on the board; `None`: any.
    pub medium: Option<usize>,
    /// The kind of operation.
    pub op: Op,
    /// How many such operations succeed first.
    pub skip: u32,
    /// How many are hit; [`u32::MAX`] for all that follow.
    pub times: u32,
    /// What happens to them.
    pub effect: Effect,
}

/// The error of every call while the power is off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("power is off")]
pub struct PowerOff;

impl PowerOff {
    /// Whether `error` is this one.
    pub fn is(error: &io::Error) -> bool {
        error.get_ref().is_some_and(|e| e.is::<PowerOff>())
    }
}

/// How much of an operation a medium has to carry out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    Whole,
    Part(Torn),
    /// Nothing, and the caller learns it.
    Nothing,
    /// Nothing, but the caller is told that it happened.
    Lie,
    /// Fail for good, as a worn-out block.
    Wear,
}

/// The power supply: on or off, the plan, and the log since it came on.
#[derive(Debug, Clone)]
pub(super) struct Power {
    pub(super) on: bool,
    pub(super) cut: Option<Cut>,
    pub(super) faults: Vec<Fault>,
    pub(super) log: Vec<Entry>,
}

impl Power {
    pub(super) fn new() -> Self {
        Power { on: true, cut: None, faults: Vec::new(), log: Vec::new() }
    }

    /// Lets `act` carry out the operation as far as the plan and the faults say.
    pub(super) fn run<R>(
        &mut self,
        entry: Entry,
        act: impl FnOnce(Extent) -> io::Result<R>,
    ) -> io::Result<R> {
        if !self.on {
            return Err(io::Error::other(PowerOff));
        }
        if entry.op.changes() {
            self.log.push(entry);
            if let Some(cut) = self.cut.filter(|cut| cut.op + 1 == self.log.len()) {
                self.on = false;
                // What the medium would return does not matter: nobody is there to receive it.
                let _ = match cut.moment {
                    Moment::Before => return Err(io::Error::other(PowerOff)),
                    Moment::Inside(torn) => act(Extent::Part(torn)),
                    Moment::After => act(Extent::Whole),
                };
                return Err(io::Error::other(PowerOff));
            }
        }
        match self.fault_for(entry) {
            None => act(Extent::Whole),
            Some(Effect::Fail(errno, torn)) => {
                let _ = act(torn.map_or(Extent::Nothing, Extent::Part));
                Err(io::Error::from_raw_os_error(errno))
            }
            Some(Effect::Lie(torn)) => act(torn.map_or(Extent::Lie, Extent::Part)),
            Some(Effect::WearOut) => act(Extent::Wear),
        }
    }

    fn fault_for(&mut self, entry: Entry) -> Option<Effect> {
        let mut hit = None;
        for fault in &mut self.faults {
            if fault.op != entry.op || fault.medium.is_some_and(|m| m != entry.medium) {
                continue;
            }
            if fault.skip > 0 {
                fault.skip -= 1;
            } else if fault.times > 0 && hit.is_none() {
                fault.times = if fault.times == u32::MAX { u32::MAX } else { fault.times - 1 };
                hit = Some(fault.effect);
            }
        }
        hit
    }
}

/// A well-mixed number for each seed (splitmix64), so that every random choice can be replayed.
pub fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_is_written_and_read_back() {
        for cut in [
            Cut { op: 0, moment: Moment::Before },
            Cut { op: 17, moment: Moment::Inside(Torn { byte: 300, tail: 2 }) },
            Cut { op: 9, moment: Moment::After },
        ] {
            assert_eq!(cut.to_string().parse(), Ok(cut));
        }
        for text in ["", "p", "17b", "p17", "p17c", "p17.3", "pb", "p-1b", "p1.xg1"] {
            assert_eq!(text.parse::<Cut>(), Err(ParseCutError), "{text}");
        }
    }

    #[test]
    fn a_fault_skips_then_hits_so_often() {
        let mut power = Power::new();
        power.faults.push(Fault {
            medium: None,
            op: Op::Read,
            skip: 1,
            times: 2,
            effect: Effect::Fail(libc::EIO, None),
        });
        let entry = Entry { medium: 0, op: Op::Read, offset: 0, len: 1 };
        let results: Vec<bool> = (0..5).map(|_| power.run(entry, |_| Ok(())).is_ok()).collect();
        assert_eq!(results, [true, false, false, true, true]);
        assert!(power.log.is_empty(), "reading changes nothing");
    }
}
