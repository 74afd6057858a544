//! The oracle: what every reader may see of a device after trouble.

use std::ops::Range;

use bootslot::storage::sim::{Entry, Op, SimMedium};
use bootslot::Error;

use crate::readers::{self, View};
use crate::rig::{Place, Rig};
use crate::workload::Vars;

/// What may be found. `None` stands for a device on which no copy is valid.
#[derive(Debug, Clone, Default)]
pub struct Truth {
    /// The environments that our reader may see: the old one, the new one.
    pub allowed: Vec<Option<Vars>>,
    /// What another reader saw of the initial state, where it did not agree with ours: it may still see
    /// that as long as ours sees the old environment.
    pub others: Vec<View>,
    /// What an earlier step, whose program was killed, may have left: its old environment first.
    pub undecided: Vec<Option<Vars>>,
    /// Copies of other programs on NOR with ECC that can't be replaced without a moment of danger: readers may see
    /// them, and not all of them the same.
    pub exposed: Vec<Vars>,
}

impl Truth {
    /// Whether this is the environment before the step, of which other readers may have another view.
    pub fn is_before(&self, vars: &Option<Vars>) -> bool {
        self.allowed.first() == Some(vars) || self.undecided.first() == Some(vars)
    }
}

/// What was found.
pub struct Seen {
    pub vars: Option<Vars>,
    /// How many of the other tools give up, as libubootenv does when one copy can't be read.
    pub refusals: u64,
}

/// What our reader sees.
pub fn ours(rig: &Rig) -> Result<Option<Vars>, String> {
    match rig.store().load() {
        Ok(snapshot) => {
            let mut data = Vec::new();
            for record in snapshot.environment().records() {
                data.extend_from_slice(record);
                data.push(0);
            }
            data.push(0);
            Vars::parse(&data).map(Some).ok_or_else(|| "our reader returns a damaged record".into())
        }
        Err(Error::NoValidCopy { .. }) => Ok(None),
        Err(e) => Err(format!("our reader fails: {e}")),
    }
}

/// Judges a device: old or new, never neither, and every reader sees the same.
pub fn judge(rig: &Rig, truth: &Truth) -> Result<Seen, String> {
    let vars = ours(rig)?;
    let is_exposed = |vars: &Vars| truth.exposed.contains(vars);
    if !truth.allowed.contains(&vars) && !vars.as_ref().is_some_and(is_exposed) {
        return Err(format!(
            "LOST: our reader sees {}, allowed is {}",
            show(&vars),
            show_all(&truth.allowed)
        ));
    }
    let mut refusals = 0;
    for (name, view) in readers::views(rig) {
        let as_before = truth.is_before(&vars);
        // One that had nothing, and now can't read the other copy either.
        let has_none = as_before && truth.others.contains(&View::Nothing) && name != readers::UPGRADING;
        let agrees = match (&view, &vars) {
            (View::Vars(_, theirs), Some(ours)) => theirs == ours,
            (View::Nothing, None) => true,
            (View::Refuses, _) => {
                refusals += 1;
                // Only where a copy can't be read, and never the bootloader as long as one can.
                !name.starts_with("U-Boot") || vars.is_none() || has_none
            }
            _ => false,
        };
        let excused = as_before && truth.others.contains(&view) && (view != View::Nothing || has_none);
        let exposed = match &view {
            View::Vars(_, theirs) if !truth.exposed.is_empty() => {
                is_exposed(theirs) || truth.allowed.iter().flatten().any(|vars| vars == theirs)
            }
            _ => false,
        };
        if !agrees && !excused && !exposed {
            return Err(format!("DISAGREE: {name} sees {view:?}, our reader {}", show(&vars)));
        }
    }
    Ok(Seen { vars, refusals })
}

fn show(vars: &Option<Vars>) -> String {
    match vars {
        Some(vars) => {
            let records: Vec<String> = vars.records().iter().map(|r| r.escape_ascii().to_string()).collect();
            format!("[{}]", records.join(" "))
        }
        None => "no valid copy".into(),
    }
}

fn show_all(all: &[Option<Vars>]) -> String {
    all.iter().map(show).collect::<Vec<_>>().join(" or ")
}

/// The bytes that belong to somebody else, range by range; `None`: undefined since a cut.
pub type Foreign = Vec<Option<Vec<u8>>>;

/// The bytes that belong to somebody else, as they are.
pub fn foreign_bytes(rig: &Rig) -> Foreign {
    rig.foreign.iter().map(|(medium, range)| Some(medium.image()[range.clone()].to_vec())).collect()
}

/// Checks that foreign bytes are as they were, and returns what is known of them now. After a cut those may
/// be lost that share an erase sector with a copy, if the cut came after the sector's erase and before they
/// were programmed again: flash can't do better. `log` is empty where no cut can excuse a loss.
pub fn check_foreign(rig: &Rig, before: &Foreign, log: &[Entry]) -> Result<Foreign, String> {
    let mut now = Vec::new();
    for ((medium, range), old) in rig.foreign.iter().zip(before) {
        let Some(old) = old else {
            now.push(None);
            continue;
        };
        let same = medium.image()[range.clone()] == old[..];
        if shares_sector(rig, medium, range) && in_danger(log, medium, range) {
            now.push(None);
        } else if same {
            now.push(Some(old.clone()));
        } else {
            return Err(format!("FOREIGN: bytes {range:?} of medium {} changed", medium.index()));
        }
    }
    Ok(now)
}

/// Whether a range begins in an erase sector that also holds the end of a copy.
fn shares_sector(rig: &Rig, medium: &SimMedium, range: &Range<usize>) -> bool {
    let sector = medium.geometry().erase_size;
    sector > 0
        && rig.places.iter().any(|place| match place {
            Place::Region { medium: m, spec } | Place::Replaced { medium: m, spec } => {
                let end = (spec.offset + spec.size).next_multiple_of(sector);
                m.index() == medium.index() && spec.offset <= range.start as u64 && (range.start as u64) < end
            }
            Place::Volume(_) => false,
        })
}

/// Whether, at the end of `log`, a range was erased and not yet programmed again for certain.
fn in_danger(log: &[Entry], medium: &SimMedium, range: &Range<usize>) -> bool {
    let overlaps = |e: &Entry| e.offset < range.end as u64 && e.offset + e.len > range.start as u64;
    let mut danger = false;
    for (i, entry) in log.iter().enumerate().filter(|(_, e)| e.medium == medium.index() && overlaps(e)) {
        match entry.op {
            Op::Erase => danger = true,
            // The last operation is the one that was cut.
            Op::Program => danger = i + 1 == log.len(),
            _ => {}
        }
    }
    danger
}
