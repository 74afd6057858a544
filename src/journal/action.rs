//! Pure: what a fleet server has ordered, as far as the device has told the journal.
//!
//! ```text
//!  accepted -> words of the one who talks to the server ... -> closed
//!      |
//!      '- from here on an attempt at its update is its own
//! ```

/// How many actions are remembered.
const ACTIONS: usize = 16;

/// How many records of them a journal that begins anew carries over.
pub(super) const STEPS: usize = 64;

/// What a fleet server has ordered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Action {
    /// The server: a word that tells it from others.
    pub server: String,
    /// Its number there.
    pub id: String,
    /// The update that it is about; empty where it came to none.
    pub update: String,
    /// When it was accepted: seconds since 1970, as the clock had it.
    pub time: u64,
    /// The last attempt at its update since it was accepted, or the one that went on then, by its name.
    pub attempt: Option<String>,
    /// What has happened, in order: words, and more about each.
    pub steps: Vec<(String, String)>,
}

impl Action {
    /// The word of the first step: it is going to be carried out.
    pub const ACCEPTED: &'static str = "accepted";
    /// The word of the last step: the server has its result.
    pub const CLOSED: &'static str = "closed";

    /// More about the last step with this word; `None`: there was none.
    pub fn step(&self, word: &str) -> Option<&str> {
        self.steps.iter().rev().find(|(step, _)| step == word).map(|(_, detail)| detail.as_str())
    }

    /// Whether the server has its result.
    pub fn is_closed(&self) -> bool {
        self.step(Action::CLOSED).is_some()
    }
}

/// One more step. A number that is accepted again, for another update, is another action: a server may begin to count
/// anew.
pub(super) fn add(
    actions: &mut Vec<Action>,
    [server, id, update]: [String; 3],
    step: (String, String),
    time: u64,
    attempt: Option<String>,
) {
    let at = actions.iter().position(|action| action.server == server && action.id == id);
    let anew = |action: &Action| step.0 == Action::ACCEPTED && action.update != update;
    match at.and_then(|at| actions.get_mut(at)).filter(|action| !anew(action)) {
        Some(action) => action.steps.push(step),
        None => {
            if let Some(at) = at {
                actions.remove(at);
            }
            actions.push(Action { server, id, update, time, attempt, steps: vec![step] });
            let surplus = actions.len().saturating_sub(ACTIONS);
            actions.drain(..surplus);
        }
    }
}

/// An attempt has begun: it is one of the actions that want this update and have no result yet.
pub(super) fn attempted(actions: &mut [Action], update: &str, attempt: &str) {
    for action in actions.iter_mut().filter(|action| action.update == update && !action.is_closed()) {
        action.attempt = Some(attempt.to_owned());
    }
}

#[cfg(all(test, feature = "sim"))]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::files::sim::SimFiles;
    use crate::journal::{Event, Journal};

    fn journal(files: &SimFiles) -> Journal {
        Journal::over(Box::new(files.clone()), Path::new("state"), "9f27c04e").with_clock(|| 1000, 4000)
    }

    fn step(id: &str, update: &str, step: &str) -> Event {
        let [server, id, update, step] = ["fleet", id, update, step].map(str::to_owned);
        Event::Action { server, id, update, step, detail: String::new() }
    }

    fn begin(update: &str) -> Event {
        Event::Begin { slot: "B".into(), update: update.into(), version: "1.2".into() }
    }

    #[test]
    fn an_action_has_the_attempts_that_began_with_it_or_after_it() {
        let files = SimFiles::new();
        let mut journal = journal(&files);
        journal.append(&[begin("other"), begin("one"), step("7", "one", Action::ACCEPTED)]).unwrap();
        journal.append(&[step("8", "two", Action::ACCEPTED)]).unwrap();
        let story = journal.story().unwrap();
        let attempt = |id: &str| story.actions.iter().find(|action| action.id == id).unwrap().attempt.clone();
        assert_eq!((attempt("7").as_deref(), attempt("8")), (Some("one.2"), None));
        journal.append(&[begin("two"), step("8", "two", "told"), step("7", "one", Action::CLOSED)]).unwrap();
        journal.append(&[begin("one")]).unwrap();
        let story = journal.story().unwrap();
        let actions = &story.actions;
        assert_eq!(actions[1].attempt.as_deref(), Some("two.5"));
        assert_eq!((actions[0].attempt.as_deref(), actions[0].is_closed()), (Some("one.2"), true));
        assert_eq!((actions[1].step("told"), actions[1].is_closed()), (Some(""), false));
    }

    #[test]
    fn a_server_that_counts_anew_orders_something_new() {
        let files = SimFiles::new();
        let mut journal = journal(&files);
        journal.append(&[step("1", "one", Action::ACCEPTED), step("1", "one", Action::CLOSED)]).unwrap();
        journal.append(&[step("1", "one", Action::ACCEPTED)]).unwrap();
        assert!(journal.story().unwrap().actions[0].is_closed(), "the same once more");
        journal.append(&[step("1", "two", Action::ACCEPTED)]).unwrap();
        let actions = journal.story().unwrap().actions;
        assert_eq!((actions.len(), actions[0].is_closed()), (1, false));
    }

    #[test]
    fn actions_and_their_steps_survive_each_time_the_journal_begins_anew() {
        let files = SimFiles::new();
        let mut journal = journal(&files);
        journal
            .append(&[step("7", "one", Action::ACCEPTED), begin("one"), step("7", "one", "told")])
            .unwrap();
        let before = journal.story().unwrap().actions;
        for n in 0..200 {
            journal.append(&[Event::Shutdown { reason: format!("number {n}") }]).unwrap();
        }
        assert!(journal.read().unwrap().records.len() < 190);
        assert_eq!(journal.story().unwrap().actions, before);
    }
}
