//! Pure: what the journal remembers of an action, and what follows from that for a message or a record.

use bootslot::journal::{Action, Attempt, Event, Story, Verdict};

use crate::decide::Ending;
use crate::facts::word;
use crate::feedback;

/// The exit code of an installation that was cancelled.
const CANCELLED: u8 = 23;

/// The action of this number of this server.
pub fn find<'a>(story: &'a Story, server: &str, id: &str) -> Option<&'a Action> {
    story.actions.iter().find(|action| action.server == server && action.id == id)
}

/// Its update; empty where it came to none, or is not known.
pub fn update_of(story: &Story, server: &str, id: &str) -> String {
    let known = find(story, server, id);
    known.map(|action| action.update.clone()).unwrap_or_default()
}

/// What the server is told of an ending, beside the ending itself.
pub fn lines(story: &Story, server: &str, id: &str, ending: &Ending) -> Vec<String> {
    let known = find(story, server, id);
    let attempt =
        known.and_then(|action| match action.attempt.as_deref() {
            Some(name) => story.attempt(name),
            // It was refused for what happened in an action before.
            None => story.attempts.iter().rev().find(|attempt| {
                attempt.update == action.update && attempt.verdict == Some(Verdict::RolledBack)
            }),
        });
    let version = attempt.map(|attempt| attempt.version.as_str()).unwrap_or_default();
    match ending {
        Ending::Success => vec![format!("version {version} runs, and is confirmed")],
        Ending::Canceled => vec!["it was called off".into()],
        Ending::Failure(reason) => {
            let evidence = attempt.map(feedback::evidence).unwrap_or_default();
            std::iter::once(reason.clone()).chain(evidence).collect()
        }
    }
}

/// The record of an attempt that was called off: nobody has found it bad.
pub fn called_off(attempt: &Attempt) -> Event {
    match attempt.tried {
        true => Event::Result {
            attempt: attempt.name.clone(),
            update: attempt.update.clone(),
            version: attempt.version.clone(),
            slot: attempt.slot.clone(),
            verdict: Verdict::Abandoned,
            reason: word::CALLED_OFF.into(),
            blame: false,
        },
        false => Event::NotInstalled {
            slot: attempt.slot.clone(),
            update: attempt.update.clone(),
            code: CANCELLED,
            error: "called off by the server".into(),
        },
    }
}
