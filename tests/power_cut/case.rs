//! The name of one case: the device, the workload, the step, and what goes wrong in it. A failure prints
//! it; `BOOTSLOT_REPLAY=<name> cargo test --features sim --test power_cut replay` runs exactly that one.
//!
//! ```text
//! nor:2:5:s3:p17.3g1:c4          device nor 2, workload 5, in step 3 a cut inside operation 17 at byte 3
//!                                with tail 1; found with choice 4 of what was not synced
//! nor:2:5:s3:p1b:c0:p4a:c0       the same with a second cut in the store that follows the first
//! nand:1:9:s0:fprogram.2.wear    in step 0 a fault instead: the third program wears its block out
//! nand:1:9:s0:fread.2+.eio       this reading fails, and so do the next eight
//! nand:1:9:s0:ok:c0              no fault, but a cut at the end of step 0
//! file:1:9:s0:k2a:again:p0b:c1   in step 0 the program is killed after operation 2; the step is made again,
//!                                and cut (`other`: another change is made)
//! ```

use std::fmt;
use std::str::FromStr;

use bootslot::storage::sim::{Cut, Effect, Fault, Op, Torn};

use crate::rig::{Kind, KINDS};
use crate::workload::Workload;

/// Which device, which workload, which step of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    pub kind: Kind,
    pub rig: u32,
    pub workload: Workload,
    pub step: usize,
}

/// What goes wrong in the step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// Cuts, each with the choice of what is lost: the first in the step, the others in the stores after.
    Cuts(Vec<(Cut, u64)>),
    /// One fault.
    Fault(Fault),
    /// Nothing, until the step has succeeded; then a cut.
    CutAtEnd(u64),
    /// The program is killed in the step; then comes trouble in the store that follows.
    Killed(Kill, Box<Trouble>),
}

/// When the program is killed, and whether the store that follows is the same once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kill {
    pub at: Cut,
    pub again: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    pub start: Start,
    pub trouble: Trouble,
}

const OPS: [(Op, &str); 17] = [
    (Op::Open, "open"),
    (Op::Read, "read"),
    (Op::Program, "program"),
    (Op::Erase, "erase"),
    (Op::IsBad, "isbad"),
    (Op::MarkBad, "markbad"),
    (Op::Unlock, "unlock"),
    (Op::Lock, "lock"),
    (Op::Sync, "sync"),
    (Op::DropCache, "dropcache"),
    (Op::Update, "update"),
    (Op::ChangeLeb, "changeleb"),
    (Op::WriteTemp, "writetemp"),
    (Op::SyncTemp, "synctemp"),
    (Op::Rename, "rename"),
    (Op::SyncDir, "syncdir"),
    (Op::DiscardTemp, "discardtemp"),
];

/// As often as an error comes again that stays for the time of a store.
pub const LASTING: u32 = 9;

/// All kinds of operations.
pub fn ops() -> impl Iterator<Item = Op> {
    OPS.iter().map(|(op, _)| *op)
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}:s{}", self.kind.name(), self.rig, self.workload.0, self.step)
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.start, self.trouble)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Killed(Kill { at, again }, then) => {
                let at = at.to_string().replacen('p', "k", 1);
                write!(f, ":{at}:{}{then}", if *again { "again" } else { "other" })
            }
            Trouble::Cuts(cuts) => cuts.iter().try_for_each(|(cut, choice)| write!(f, ":{cut}:c{choice}")),
            Trouble::CutAtEnd(choice) => write!(f, ":ok:c{choice}"),
            Trouble::Fault(fault) => {
                let op = OPS.iter().find(|(op, _)| *op == fault.op).map_or("?", |(_, name)| name);
                write!(f, ":f{op}.{}{}.", fault.skip, if fault.times == LASTING { "+" } else { "" })?;
                let torn = |torn: Torn| format!("{}g{}", torn.byte, torn.tail);
                match fault.effect {
                    Effect::Fail(_, None) => write!(f, "eio"),
                    Effect::Fail(_, Some(part)) => write!(f, "eio{}", torn(part)),
                    Effect::Lie(None) => write!(f, "lie"),
                    Effect::Lie(Some(part)) => write!(f, "lie{}", torn(part)),
                    Effect::WearOut => write!(f, "wear"),
                }
            }
        }
    }
}

impl FromStr for Case {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse(text).ok_or_else(|| format!("{text:?} is not the name of a case"))
    }
}

fn parse(text: &str) -> Option<Case> {
    let parts: Vec<&str> = text.split(':').collect();
    let [kind, rig, workload, step, trouble @ ..] = parts.as_slice() else { return None };
    let start = Start {
        kind: *KINDS.iter().find(|k| k.name() == *kind)?,
        rig: rig.parse().ok()?,
        workload: Workload(workload.parse().ok()?),
        step: step.strip_prefix('s')?.parse().ok()?,
    };
    Some(Case { start, trouble: parse_trouble(trouble)? })
}

fn parse_trouble(parts: &[&str]) -> Option<Trouble> {
    let choice = |text: &str| text.strip_prefix('c')?.parse().ok();
    Some(match parts {
        [kill, next @ ("again" | "other"), then @ ..] => {
            let at = format!("p{}", kill.strip_prefix('k')?).parse().ok()?;
            Trouble::Killed(Kill { at, again: *next == "again" }, Box::new(parse_trouble(then)?))
        }
        [fault] => Trouble::Fault(parse_fault(fault.strip_prefix('f')?)?),
        ["ok", text] => Trouble::CutAtEnd(choice(text)?),
        cuts if cuts.len() % 2 == 0 => Trouble::Cuts(
            cuts.chunks(2)
                .map(|pair| Some((pair[0].parse().ok()?, choice(pair[1])?)))
                .collect::<Option<Vec<_>>>()?,
        ),
        _ => return None,
    })
}

fn parse_fault(text: &str) -> Option<Fault> {
    let mut parts = text.splitn(3, '.');
    let name = parts.next()?;
    let op = OPS.iter().find(|(_, n)| *n == name)?.0;
    let skip = parts.next()?;
    let (skip, times) = skip.strip_suffix('+').map_or((skip, 1), |skip| (skip, LASTING));
    let effect = parts.next()?;
    let torn = |text: &str| {
        let (byte, tail) = text.split_once('g')?;
        Some(Torn { byte: byte.parse().ok()?, tail: tail.parse().ok()? })
    };
    let part = |text: &str| if text.is_empty() { Some(None) } else { torn(text).map(Some) };
    let effect = if effect == "wear" {
        Effect::WearOut
    } else if let Some(rest) = effect.strip_prefix("eio") {
        Effect::Fail(libc::EIO, part(rest)?)
    } else {
        Effect::Lie(part(effect.strip_prefix("lie")?)?)
    };
    Some(Fault { medium: None, op, skip: skip.parse().ok()?, times, effect })
}

#[test]
fn a_name_is_written_and_read_back() {
    for name in [
        "nor:2:5:s3:p17.3g1:c4",
        "block:0:12345678901:s0:p0b:c0:p4a:c17",
        "nand:1:9:s0:fprogram.2.wear",
        "file:1:9:s0:fsynctemp.0.eio10g3",
        "ubi:1:9:s0:fupdate.0.lie",
        "ubi:1:9:s0:fread.0+.eio",
        "ram:1:9:s6:ok:c0",
        "file:1:9:s0:k2a:again:p0b:c1",
        "block:1:9:s0:k2.512g0:other:ok:c1",
    ] {
        assert_eq!(name.parse::<Case>().unwrap().to_string(), name);
    }
    for name in
        ["", "nor", "tape:0:0:s0:ok:c0", "nor:0:0:0:ok:c0", "nor:0:0:s0:p0b", "nor:0:0:s0:fburn.0.eio"]
    {
        assert!(name.parse::<Case>().is_err(), "{name}");
    }
}
