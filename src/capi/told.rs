//! What was told of a trial, for the calls that ask for one piece of it.

use std::path::PathBuf;

use crate::health::Evidence;
use crate::journal::Record;
use crate::report::Answer;
use crate::trial::Waits;

/// What a handle of the slots keeps of it.
#[derive(Default)]
pub(super) struct Told {
    /// The file of settings that the slots were opened with.
    pub settings: Option<PathBuf>,
    /// The evidence of the last report.
    pub report: Vec<Record>,
    /// That of the last message.
    pub message: Vec<Record>,
    /// The last diagnosis.
    pub answers: Vec<Answer>,
    /// What waits for a person.
    pub waits: Vec<Waits>,
    /// The checks of the last decision; whether each one has led to it.
    pub checks: Vec<(Evidence, bool)>,
}
