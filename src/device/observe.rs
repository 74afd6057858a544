//! A boot: what is found of the boot state, compared with what the journal knows.
//!
//! ```text
//!  what was recorded -> the boot script, in any number of boots -> what is there     as recorded, rolled back
//!                                                              '-> anything else     lost, or changed by hand
//! ```

use super::facts::now;
use super::records;
use super::system::{pstore, System};
use super::Device;
use crate::env::Environment;
use crate::error::Result;
use crate::journal::{Event, Finding, Story, Verdict};
use crate::slot::{leads, Board, Name, Standing, State};
use crate::store::Snapshot;

/// What was found of this boot.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Observed {
    /// What it means.
    pub finding: Finding,
    /// The slot that runs; empty where that is unknown.
    pub slot: String,
    /// What was added to the journal: nothing, where nothing has happened.
    pub recorded: Vec<Event>,
}

impl Device {
    /// Looks at this boot, and adds to the journal what it does not know of it: the boot itself, how an update ended, what
    /// the kernel has kept of a boot that ended badly. A boot of a confirmed slot in which all is as recorded adds
    /// nothing. Without a journal in the settings, nothing is found.
    ///
    /// # Errors
    ///
    /// [`Error::BootState`](crate::Error::BootState), and [`Error::Io`](crate::Error::Io) of the journal.
    pub fn observe(&mut self) -> Result<Option<Observed>> {
        let Some(story) = self.desk.journal.as_mut().map(|journal| journal.story()).transpose()? else {
            return Ok(None);
        };
        let (health, snapshot) = self.store.check_and_load();
        let variables = snapshot.as_ref().map(Snapshot::environment).unwrap_or_default();
        let board = self.board(&self.script(&variables), &variables);
        let dialect = self.desk.settings.dialect;
        let lost = health.current.is_none();
        let state = match lost {
            false => self.desk.decode(&variables, &board)?,
            true => dialect.compiled_in(&board)?,
        };
        let slot = self.running().map(ToString::to_string).unwrap_or_default();
        let boot = self.desk.journal.as_ref().map_or("", |journal| journal.boot()).to_owned();
        let mut events = Vec::new();
        let known = story.boot.as_ref().filter(|(id, _)| *id == boot && !boot.is_empty());
        let finding = match known {
            Some((_, Event::Boot { finding, .. })) => *finding,
            _ => {
                let finding = self.finding(&story, &state, lost, &variables, &board);
                self.new_boot(&story, &state, finding, &slot, &mut events);
                finding
            }
        };
        events.extend(story.result(&now(&state)));
        if let Some(journal) = &mut self.desk.journal {
            journal.append(&events)?;
        }
        Ok(Some(Observed { finding, slot, recorded: events }))
    }

    /// What the journal tells, and what the boot state says of an update that has ended since. Nothing is written.
    /// Without a journal in the settings it is `None`.
    ///
    /// # Errors
    ///
    /// [`Error::BootState`](crate::Error::BootState), and [`Error::Io`](crate::Error::Io) of the journal.
    pub fn story(&mut self) -> Result<Option<Story>> {
        let Some(mut story) = self.desk.journal.as_mut().map(|journal| journal.story()).transpose()? else {
            return Ok(None);
        };
        let state = self.status()?.state;
        if let Some(result) = story.result(&now(&state)) {
            story.learn(result);
        }
        Ok(Some(story))
    }

    /// Whether the running slot is confirmed and holds this update, by what the journal knows. Where the
    /// journal is lost, that is not known, and it is `false`.
    pub fn runs_update(&mut self, update: &str) -> bool {
        let (Ok(Some(story)), Ok(state)) = (self.story(), self.state()) else { return false };
        let Some(running) = self.running().filter(|running| state.is_confirmed(running)) else {
            return false;
        };
        let last = story.attempts.iter().rev().find(|attempt| attempt.slot == running.as_str());
        last.is_some_and(|last| last.update == update && last.verdict == Some(Verdict::Confirmed))
    }

    /// What a boot state means that was found.
    fn finding(
        &self,
        story: &Story,
        state: &State,
        lost: bool,
        variables: &Environment,
        board: &Board,
    ) -> Finding {
        if story.states.is_empty() {
            return Finding::First;
        }
        let dialect = self.desk.settings.dialect;
        let recorded = story.states.iter().rev();
        // Since the last boot that is known, it was in this slot that orders were given.
        let ran = story.boot.as_ref().and_then(|(_, boot)| match boot {
            Event::Boot { slot, .. } => Name::new(slot),
            _ => None,
        });
        let read = |text: &String| records::state(text, dialect, state, variables, board, ran.as_ref());
        let recorded: Vec<State> = recorded.filter_map(read).collect();
        let led = |before: &State| leads(before, state) != Some(false);
        let Some(before) = recorded.iter().find(|before| led(before)).filter(|_| !lost) else {
            let nothing = lost || state.is_as_compiled_in() || !state.is_recorded();
            return if nothing { Finding::EnvironmentLost } else { Finding::ChangedByHand };
        };
        let fails = before.failed != state.failed || before.active != state.active;
        match (state.active.known(), self.running()) {
            _ if fails => Finding::RolledBack,
            (Some(active), Some(running)) if active != running => Finding::PassedOver,
            _ => Finding::AsRecorded,
        }
    }

    /// The record of a boot, and what is left of the one before; none where all is as it was.
    fn new_boot(&self, story: &Story, state: &State, finding: Finding, slot: &str, events: &mut Vec<Event>) {
        let System { version, build, watchdog_reset } = System::ask(&self.desk.settings);
        let reset = if watchdog_reset { "watchdog" } else { "" };
        // Many chips call each reset one of the watchdog: what is so at each boot is told once.
        let as_before = story.boot.as_ref().is_some_and(|(_, boot)| {
            let Event::Boot {
                slot: old_slot, version: old_version, build: old_build, reset: old_reset, ..
            } = boot
            else {
                return false;
            };
            [old_slot.as_str(), old_version, old_build] == [slot, &version, &build]
                && (old_reset == reset || reset.is_empty())
        });
        let on_trial = !matches!(state.standing(), Standing::Confirmed(_));
        let quiet = finding == Finding::AsRecorded && as_before && !on_trial && story.pending().is_none();
        if quiet {
            return;
        }
        if on_trial || story.pending().is_some() || finding != Finding::AsRecorded || watchdog_reset {
            // What the kernel has kept is of the boot before. After a failed trial that was the trial's slot.
            let before = story.boot.as_ref().map_or("", |(_, boot)| match boot {
                Event::Boot { slot, .. } => slot,
                _ => "",
            });
            let of = story.pending().filter(|attempt| attempt.tried).map_or(before, |attempt| &attempt.slot);
            events.extend(pstore(&self.desk.settings).into_iter().map(|(source, text)| Event::Evidence {
                source,
                slot: of.to_owned(),
                text,
            }));
        }
        let variables = self.desk.settings.dialect.variables(state);
        let tried = self.running().is_some_and(|running| state.is_on_trial(running));
        events.push(Event::Boot {
            slot: slot.to_owned(),
            update: if tried { now(state).on_trial } else { String::new() },
            state: records::text(&variables),
            finding,
            version,
            build,
            reset: reset.into(),
            announced: story.shutdown,
        });
    }
}
