//! Pure: what one check has come to so far, from one run to the next.

/// How one run of a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// What it looks at is as it should be.
    Passed,
    /// It is not, or the check could not look.
    Failed,
    /// It ran into its time limit.
    Hung,
}

impl Verdict {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Passed => "passed",
            Verdict::Failed => "failed",
            Verdict::Hung => "hung",
        }
    }
}

/// One run. Times are milliseconds for which the device was awake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// When it was started.
    pub begin: u64,
    /// When it ended.
    pub end: u64,
    /// How.
    pub verdict: Verdict,
    /// What must not change while it holds, such as how often a unit was restarted.
    pub mark: Option<String>,
}

/// What is known of a check.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Standing {
    /// How its last run ended; `None`: none has ended yet.
    pub last: Option<Verdict>,
    /// If it passed: the end of the first run from which on all have passed with the same mark.
    pub since: u64,
    /// The start of the last run that passed.
    pub seen: u64,
    /// How many runs in a row did not pass.
    pub failures: u32,
    /// How many runs have ended.
    pub runs: u32,
    mark: Option<String>,
}

impl Standing {
    /// Takes notice of a run.
    pub fn observe(&mut self, seen: &Observation) {
        self.runs = self.runs.saturating_add(1);
        if seen.verdict == Verdict::Passed {
            if self.last != Some(Verdict::Passed) || self.mark != seen.mark {
                self.since = seen.end;
            }
            self.seen = seen.begin;
            self.failures = 0;
        } else {
            self.failures = self.failures.saturating_add(1);
        }
        self.last = Some(seen.verdict);
        self.mark.clone_from(&seen.mark);
    }
}
