//! Pure: what a record can say.

use super::record::Record;

/// What a look at the slots has found, compared with what the journal knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// The journal knows of nothing before.
    First,
    /// The boot state is the one that was recorded, or one that the boot script makes of it.
    AsRecorded,
    /// The trial that was recorded is over: another slot runs, as the boot script has it.
    RolledBack,
    /// The active slot is another one than the slot that runs: it did not load this time.
    PassedOver,
    /// Nothing is recorded in the environment any more, or no copy of it is valid.
    EnvironmentLost,
    /// Neither an order nor the boot script leads from what was recorded to what is there: somebody changed it.
    ChangedByHand,
}

impl Finding {
    const ALL: [Finding; 6] = [
        Finding::First,
        Finding::AsRecorded,
        Finding::RolledBack,
        Finding::PassedOver,
        Finding::EnvironmentLost,
        Finding::ChangedByHand,
    ];

    /// The word in a record.
    pub fn as_str(self) -> &'static str {
        match self {
            Finding::First => "first",
            Finding::AsRecorded => "as-recorded",
            Finding::RolledBack => "rolled-back",
            Finding::PassedOver => "passed-over",
            Finding::EnvironmentLost => "environment-lost",
            Finding::ChangedByHand => "changed-by-hand",
        }
    }

    /// The finding of this word.
    pub fn named(word: &str) -> Option<Finding> {
        Finding::ALL.into_iter().find(|finding| finding.as_str() == word)
    }
}

/// How an update ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Its slot was confirmed.
    Confirmed,
    /// Its slot was given up.
    RolledBack,
    /// It was not installed.
    NotInstalled,
    /// It was never decided: another installation began, or the environment was lost. It is not to blame for that.
    Abandoned,
}

impl Verdict {
    const ALL: [Verdict; 4] =
        [Verdict::Confirmed, Verdict::RolledBack, Verdict::NotInstalled, Verdict::Abandoned];

    /// The word in a record and in a report.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Confirmed => "confirmed",
            Verdict::RolledBack => "rolled-back",
            Verdict::NotInstalled => "not-installed",
            Verdict::Abandoned => "abandoned",
        }
    }

    fn named(word: &str) -> Option<Verdict> {
        Verdict::ALL.into_iter().find(|verdict| verdict.as_str() == word)
    }
}

/// What a record says. Boot states are text: `name=value` in a row, as the dialect stores them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A boot was noticed.
    Boot {
        /// The slot that runs; empty where that is unknown.
        slot: String,
        /// The id of the update, where this slot is on trial with one.
        update: String,
        /// The boot state that was found.
        state: String,
        /// What it means.
        finding: Finding,
        /// The version of the system that runs, as it says itself.
        version: String,
        /// Its build.
        build: String,
        /// Why the machine was reset, where it says so: `watchdog`.
        reset: String,
        /// Whether a shutdown was recorded before.
        announced: bool,
    },
    /// The machine is about to be shut down or to reboot.
    Shutdown {
        /// Who wants it, and why.
        reason: String,
    },
    /// An order to the slots is about to be stored.
    Order {
        /// Its name, as the program has it: `confirm`.
        name: String,
        /// The slot that it names; empty where it names none.
        slot: String,
        /// The id of the update that it is about.
        update: String,
        /// The boot state that it leads to.
        state: String,
    },
    /// An installation is about to write the slot.
    Begin {
        /// The slot.
        slot: String,
        /// The update id.
        update: String,
        /// The version that the bundle has.
        version: String,
    },
    /// An installation has ended without success, after it had begun.
    NotInstalled {
        /// The slot.
        slot: String,
        /// The update id.
        update: String,
        /// The exit code of `bootslot install`.
        code: u8,
        /// Why.
        error: String,
    },
    /// A check has failed, on a trial boot that was decided or before one.
    Check {
        /// Its name.
        name: String,
        /// How: `failed`, `hung`.
        result: String,
        /// The end of what it printed.
        output: String,
        /// Whether the update is to blame for it.
        blame: bool,
        /// Whether the old system ran it, before the reboot.
        baseline: bool,
    },
    /// The checks of a trial boot have come to a decision.
    Decision {
        /// `healthy`, `degraded`, `roll-back`, `reboot`, `wait`.
        decision: String,
        /// The slot on trial.
        slot: String,
        /// The update on trial.
        update: String,
        /// Whether the update is to blame for it.
        blame: bool,
        /// The names of the checks that led to it.
        checks: String,
    },
    /// A step of the migration is about to be taken, or has failed.
    Migration {
        /// Which, as the migration calls it.
        step: String,
        /// More about it.
        detail: String,
    },
    /// What was found of a boot that failed.
    Evidence {
        /// Where it was found: `kernel-log`, a file of pstore.
        source: String,
        /// The slot that it is from, if known.
        slot: String,
        /// The end of its text.
        text: String,
    },
    /// How an update ended.
    Result {
        /// Which attempt at it.
        attempt: String,
        /// The update id.
        update: String,
        /// Its version.
        version: String,
        /// The slot.
        slot: String,
        /// How.
        verdict: Verdict,
        /// Why: a word.
        reason: String,
        /// Whether the update is to blame for it.
        blame: bool,
    },
    /// An update that has failed may be installed again.
    Allowed {
        /// The update id.
        update: String,
    },
    /// What a fleet server has ordered, and how far the device and the server are with it.
    Action {
        /// The server: a word that tells it from others.
        server: String,
        /// Its number there.
        id: String,
        /// The update that it is about; empty where it came to none.
        update: String,
        /// What has happened: [`Action::ACCEPTED`](super::Action::ACCEPTED), a word of the one who talks to the server,
        /// or [`Action::CLOSED`](super::Action::CLOSED).
        step: String,
        /// More about it.
        detail: String,
    },
    /// Something has happened to an application.
    App {
        /// Its name.
        app: String,
        /// What: a word, such as [`Event::APP_CONFIRMED`].
        step: String,
        /// The version that it is about; empty where it is about none.
        version: String,
        /// The id of the bundle that this version came with.
        update: String,
        /// Why, and what was found.
        detail: String,
    },
    /// Something has happened to the boot loader.
    Loader {
        /// What: a word, such as `waits`.
        step: String,
        /// The version that it is about.
        version: String,
        /// The id of the bundle that this version came with.
        update: String,
        /// The copy that it is in.
        copy: String,
    },
    /// Something was reported, and the other side has it.
    Reported {
        /// The attempt, or the number of the record.
        what: String,
        /// To whom.
        to: String,
    },
}

impl Event {
    /// The word for an application whose new version is kept.
    pub const APP_CONFIRMED: &'static str = "confirmed";
    /// The word for one whose new version was given up.
    pub const APP_GIVEN_UP: &'static str = "given-up";

    /// The event as a record.
    pub fn record(&self, number: u64, time: u64, boot: String) -> Record {
        let (kind, fields) = self.fields();
        let fields = fields
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let code = match self {
            Event::NotInstalled { code, .. } => Some(("code".to_owned(), code.to_string())),
            _ => None,
        };
        let fields = code.into_iter().chain(fields).collect();
        Record { number, time, boot, kind: kind.to_owned(), fields }
    }

    fn fields(&self) -> (&'static str, Vec<(&'static str, &str)>) {
        let yes = |value: bool| if value { "yes" } else { "no" };
        match self {
            Event::Boot { slot, update, state, finding, version, build, reset, announced } => (
                "boot",
                vec![
                    ("slot", slot),
                    ("update", update),
                    ("finding", finding.as_str()),
                    ("version", version),
                    ("build", build),
                    ("reset", reset),
                    ("announced", yes(*announced)),
                    ("state", state),
                ],
            ),
            Event::Shutdown { reason } => ("shutdown", vec![("reason", reason)]),
            Event::Order { name, slot, update, state } => {
                ("order", vec![("name", name), ("slot", slot), ("update", update), ("state", state)])
            }
            Event::Begin { slot, update, version } => {
                ("begin", vec![("slot", slot), ("update", update), ("version", version)])
            }
            Event::NotInstalled { slot, update, code: _, error } => {
                ("not-installed", vec![("slot", slot), ("update", update), ("error", error)])
            }
            Event::Check { name, result, output, blame, baseline } => (
                "check",
                vec![
                    ("name", name),
                    ("result", result),
                    ("blame", yes(*blame)),
                    ("baseline", yes(*baseline)),
                    ("output", output),
                ],
            ),
            Event::Decision { decision, slot, update, blame, checks } => (
                "decision",
                vec![
                    ("decision", decision),
                    ("slot", slot),
                    ("update", update),
                    ("blame", yes(*blame)),
                    ("checks", checks),
                ],
            ),
            Event::Migration { step, detail } => ("migration", vec![("step", step), ("detail", detail)]),
            Event::Evidence { source, slot, text } => {
                ("evidence", vec![("source", source), ("slot", slot), ("text", text)])
            }
            Event::Result { attempt, update, version, slot, verdict, reason, blame } => (
                "result",
                vec![
                    ("attempt", attempt),
                    ("update", update),
                    ("version", version),
                    ("slot", slot),
                    ("verdict", verdict.as_str()),
                    ("reason", reason),
                    ("blame", yes(*blame)),
                ],
            ),
            Event::Allowed { update } => ("allowed", vec![("update", update)]),
            Event::Action { server, id, update, step, detail } => (
                "action",
                vec![("server", server), ("id", id), ("update", update), ("step", step), ("detail", detail)],
            ),
            Event::App { app, step, version, update, detail } => (
                "app",
                vec![
                    ("app", app),
                    ("step", step),
                    ("version", version),
                    ("update", update),
                    ("detail", detail),
                ],
            ),
            Event::Loader { step, version, update, copy } => {
                ("loader", vec![("step", step), ("version", version), ("update", update), ("copy", copy)])
            }
            Event::Reported { what, to } => ("reported", vec![("what", what), ("to", to)]),
        }
    }

    /// The event that a record holds; `None` for a kind that this build does not know.
    pub fn of(record: &Record) -> Option<Event> {
        let text = |name: &str| record.get(name).to_owned();
        let yes = |name: &str| record.get(name) == "yes";
        Some(match record.kind.as_str() {
            "boot" => Event::Boot {
                slot: text("slot"),
                update: text("update"),
                state: text("state"),
                finding: Finding::named(record.get("finding"))?,
                version: text("version"),
                build: text("build"),
                reset: text("reset"),
                announced: yes("announced"),
            },
            "shutdown" => Event::Shutdown { reason: text("reason") },
            "order" => Event::Order {
                name: text("name"),
                slot: text("slot"),
                update: text("update"),
                state: text("state"),
            },
            "begin" => Event::Begin { slot: text("slot"), update: text("update"), version: text("version") },
            "not-installed" => Event::NotInstalled {
                slot: text("slot"),
                update: text("update"),
                code: record.get("code").parse().ok()?,
                error: text("error"),
            },
            "check" => Event::Check {
                name: text("name"),
                result: text("result"),
                output: text("output"),
                blame: yes("blame"),
                baseline: yes("baseline"),
            },
            "decision" => Event::Decision {
                decision: text("decision"),
                slot: text("slot"),
                update: text("update"),
                blame: yes("blame"),
                checks: text("checks"),
            },
            "migration" => Event::Migration { step: text("step"), detail: text("detail") },
            "evidence" => Event::Evidence { source: text("source"), slot: text("slot"), text: text("text") },
            "result" => Event::Result {
                attempt: text("attempt"),
                update: text("update"),
                version: text("version"),
                slot: text("slot"),
                verdict: Verdict::named(record.get("verdict"))?,
                reason: text("reason"),
                blame: yes("blame"),
            },
            "allowed" => Event::Allowed { update: text("update") },
            "action" => Event::Action {
                server: text("server"),
                id: text("id"),
                update: text("update"),
                step: text("step"),
                detail: text("detail"),
            },
            "app" => Event::App {
                app: text("app"),
                step: text("step"),
                version: text("version"),
                update: text("update"),
                detail: text("detail"),
            },
            "loader" => Event::Loader {
                step: text("step"),
                version: text("version"),
                update: text("update"),
                copy: text("copy"),
            },
            "reported" => Event::Reported { what: text("what"), to: text("to") },
            _ => return None,
        })
    }
}
