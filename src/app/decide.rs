//! [pure] What comes next: from what is known of an application, where its link leads, and which system runs.

use std::cmp::Ordering;

use super::state::{Stage, State, Version, With};
use crate::slot::{self, Name};
use crate::version::compare;

/// Which system runs, as the boot state and the system itself tell.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Facts {
    /// The version of the system; `None`: it says none.
    pub system: Option<String>,
    /// What the boot state says; `None`: that is unknown.
    pub boot: Option<Boot>,
}

/// What the boot state says.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Boot {
    /// The slot that runs.
    pub slot: Name,
    /// Whether it is confirmed.
    pub confirmed: bool,
    /// The update that is on trial, or waits for the reboot, and its slot.
    pub trial: Option<With>,
}

impl Facts {
    /// What the boot state says of the slot that runs, and what the system says of itself.
    pub fn new(state: &slot::State, running: Option<&Name>, system: &str) -> Facts {
        let trial = match (state.standing(), state.update.as_deref()) {
            (slot::Standing::Trial { slot, .. }, Some(update)) => {
                Some(With { slot: slot.clone(), update: String::from_utf8_lossy(update).into_owned() })
            }
            _ => None,
        };
        let boot =
            running.map(|slot| Boot { slot: slot.clone(), confirmed: state.is_confirmed(slot), trial });
        Facts { system: Facts::said(system), boot }
    }

    /// A version that a system says of itself.
    pub fn said(system: &str) -> Option<String> {
        Some(system.to_owned()).filter(|system| !system.is_empty())
    }

    /// Whether the running system is new enough for this.
    pub fn is_enough(&self, needed: Option<&str>) -> bool {
        needed.is_none_or(|needed| {
            self.system.as_deref().is_some_and(|system| compare(system, needed) != Ordering::Less)
        })
    }

    /// Whether nothing speaks against this version. A system that does not say its version is no reason to leave one that
    /// was installed.
    fn fits(&self, version: &Version) -> bool {
        self.system.is_none() || self.is_enough(version.system.as_deref())
    }
}

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[allow(clippy::large_enum_variant, reason = "there is one of it at a time")]
pub enum Next {
    /// Nothing: the link leads where it has to.
    Ready,
    /// The link is to lead to this version; `None`: nowhere.
    Switch(Option<Version>),
    /// This is stored.
    Store(State, Outcome),
    /// Folders that nobody needs are removed.
    Tidy,
    /// Everything of the application is removed.
    Remove,
    /// The trial goes on: its service is to be judged.
    Judge(Version),
}

/// What a stored state means.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The new version is confirmed.
    Confirmed(Version),
    /// The new version is being left, for this reason.
    Leaves(Version, String),
    /// The new version was given up, for this reason, and the one before runs.
    GivenUp(Version, String),
}

/// Why a version is given up that was not judged.
pub mod why {
    /// The boots of the device were used up.
    pub const TRIES: &str = "tries";
    /// The system that it belongs to did not stay.
    pub const SYSTEM: &str = "system";
    /// Its checks have failed through no fault of its own.
    pub const ELSEWHERE: &str = "elsewhere";
    /// Somebody ordered it.
    pub const USER: &str = "user";
    /// The service of the version before could not be stopped.
    pub const STOP: &str = "stop";
    /// Its service could not be started.
    pub const START: &str = "start";
    /// Its files are gone.
    pub const FILES: &str = "files";
}

/// What lies on the medium beside the state.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Seen {
    /// The name of the folder that the link leads to; `None`: there is no link, or a wrong one.
    pub link: Option<String>,
    /// There are folders that the state does not know.
    pub leftovers: bool,
}

/// The version that is to run where nothing is under way: the last confirmed one, or where the system is too old for it,
/// the newest confirmation before it that this system runs.
pub fn chosen<'s>(state: &'s State, facts: &Facts) -> Option<&'s Version> {
    let mut confirmed = state.confirmed.iter().rev().filter_map(|id| state.version(id));
    confirmed.clone().find(|version| facts.fits(version)).or_else(|| confirmed.next())
}

/// What comes next; `tries` is how many boots a trial may take.
pub fn next(state: &State, seen: &Seen, facts: &Facts, tries: u8) -> Next {
    let target = match (&state.stage, state.new_version()) {
        (Stage::Removing, _) => return Next::Remove,
        (Stage::Trial { boots, .. }, Some(new)) => {
            let left = |why: &str| leaves(state, new, why);
            match () {
                _ if *boots > tries => return left(why::TRIES),
                _ if !facts.fits(new) => return left(why::SYSTEM),
                _ => Some(new),
            }
        }
        (Stage::With { with, .. }, Some(new)) => match goes_with(with, facts) {
            Goes::Confirmed => return Next::Store(state.clone().confirm(), Outcome::Confirmed(new.clone())),
            Goes::Now => Some(new),
            Goes::Waits => chosen(state, facts),
            // What can't be known is not decided: the link stays.
            Goes::Unknown if seen.link.is_some() => return ready(state, seen),
            Goes::Unknown => chosen(state, facts),
            // It is no fault of this version.
            Goes::Lost => {
                let given_up = state.clone().give_up(why::SYSTEM, false);
                return match seen.link.as_deref() == chosen(state, facts).map(Version::folder).as_deref() {
                    true => Next::Store(given_up, Outcome::GivenUp(new.clone(), why::SYSTEM.into())),
                    false => Next::Switch(chosen(state, facts).cloned()),
                };
            }
        },
        (Stage::Back { why, .. }, Some(new)) => {
            let old = chosen(state, facts);
            if seen.link.as_deref() == old.map(Version::folder).as_deref() {
                let blamed = ![why::SYSTEM, why::STOP, why::ELSEWHERE].contains(&why.as_str());
                let given_up = state.clone().give_up(why, blamed);
                return Next::Store(given_up, Outcome::GivenUp(new.clone(), why.clone()));
            }
            old
        }
        (Stage::Settled, _) | (_, None) => chosen(state, facts),
    };
    if seen.link.as_deref() != target.map(Version::folder).as_deref() {
        return Next::Switch(target.cloned());
    }
    ready(state, seen)
}

/// The link leads where it has to.
fn ready(state: &State, seen: &Seen) -> Next {
    match (&state.stage, state.new_version()) {
        (Stage::Trial { .. }, Some(new)) => Next::Judge(new.clone()),
        _ if seen.leftovers => Next::Tidy,
        _ => Next::Ready,
    }
}

/// The state in which the new version is being left.
pub(super) fn leaves(state: &State, new: &Version, why: &str) -> Next {
    let back = Stage::Back { new: new.id.clone(), why: why.to_owned() };
    let outcome = Outcome::Leaves(new.clone(), why.to_owned());
    Next::Store(State { stage: back, ..state.clone() }, outcome)
}

/// Where a version stands that belongs to a system.
enum Goes {
    /// Its system is confirmed.
    Confirmed,
    /// Its system runs, on trial.
    Now,
    /// Its system waits for the reboot, or was passed over this time.
    Waits,
    /// Its system was given up, or its slot holds another one.
    Lost,
    /// Nobody knows.
    Unknown,
}

fn goes_with(with: &With, facts: &Facts) -> Goes {
    let Some(boot) = &facts.boot else { return Goes::Unknown };
    let pending = boot.trial.as_ref() == Some(with);
    match (boot.slot == with.slot, pending) {
        (true, _) if boot.confirmed => Goes::Confirmed,
        (true, true) => Goes::Now,
        (false, true) => Goes::Waits,
        (_, false) => Goes::Lost,
    }
}
