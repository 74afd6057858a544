//! What a decision rests on, as values: the caller writes them down.

use super::decision::Decision;
use super::results::Verdict;
use crate::settings::health::OnFailure;

/// One check at the time of the decision.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Evidence {
    /// Its name.
    pub name: String,
    /// What comes of its failure, by the settings.
    pub on_failure: OnFailure,
    /// Whether its failure is one of the update.
    pub blame: bool,
    /// Whether it failed in the old system, too.
    pub failed_before: bool,
    /// How its last run ended; `None`: no run has ended.
    pub verdict: Option<Verdict>,
    /// How many runs have ended.
    pub runs: u32,
    /// When its last run ended, in milliseconds from the start.
    pub at: u64,
    /// What its last run said, the end of it.
    pub says: String,
    /// What its last run that did not pass said, if there was one.
    pub failure: Option<String>,
}

impl Evidence {
    /// Whether its last run passed.
    pub fn passed(&self) -> bool {
        self.verdict == Some(Verdict::Passed)
    }

    /// How its last run ended, in a word or two.
    pub fn result(&self) -> &'static str {
        self.verdict.map_or("not finished", Verdict::as_str)
    }
}

/// A decision and what it rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// What was decided; of checks that were only run once, [`Decision::Healthy`] or [`Decision::Degraded`].
    pub decision: Decision,
    /// How long it took, in milliseconds for which the device was awake.
    pub took: u64,
    /// All checks, in their order.
    pub evidence: Vec<Evidence>,
}

impl Report {
    /// The checks that led to the decision.
    pub fn because_of(&self) -> impl Iterator<Item = &Evidence> {
        self.decision.because_of().iter().filter_map(|number| self.evidence.get(*number))
    }

    /// Whether the update is to blame for a bad end. If not, the same update may be tried again.
    pub fn blames_update(&self) -> bool {
        !self.decision.is_good() && self.because_of().any(|evidence| evidence.blame)
    }
}
