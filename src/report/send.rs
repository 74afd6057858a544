//! What was not reported yet, and what to do once it was.
//!
//! The journal is the spool: what has ended and has no record `reported` goes out, again and again, until somebody takes
//! it. It has the same id each time, so that a server that got it twice knows.

use crate::device::Device;
use crate::error::Result;
use crate::journal::{Attempt, Event, Journal, Record, Story, Verdict};

/// Something that has to be reported.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message {
    /// The same each time it is sent.
    pub id: String,
    /// What it is about.
    pub about: About,
}

/// What a message is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// An update that has ended.
    Update(Box<Attempt>),
    /// A finding that says that something went wrong with the boot state itself: the record of the boot.
    Finding(Record),
    /// A new version of an application that was kept or given up: its record.
    App(Record),
}

/// Everything that has ended and was not reported, oldest first. This boot is observed before.
///
/// # Errors
///
/// Those of [`Device::observe`].
pub fn outgoing(device: &mut Device) -> Result<Vec<Message>> {
    // What has ended is recorded first, so that it has the same id each time.
    device.observe()?;
    let story = device.journal().map(Journal::story).transpose()?.unwrap_or_default();
    Ok(messages(&story))
}

fn messages(story: &Story) -> Vec<Message> {
    let unreported = story.unreported();
    let of = |id: &String| {
        let attempt = story.attempt(id).cloned().map(|attempt| About::Update(Box::new(attempt)));
        let finding = || story.findings.iter().find(|record| record.number.to_string() == *id).cloned();
        let app = || story.apps.iter().find(|record| record.number.to_string() == *id).cloned();
        attempt.or_else(|| finding().map(About::Finding)).or_else(|| app().map(About::App))
    };
    unreported.iter().filter_map(|id| Some(Message { id: id.clone(), about: of(id)? })).collect()
}

/// The other side has this message. A failure that `boot_failed` records is acknowledged then: the environment has done
/// its part.
///
/// # Errors
///
/// [`Error::Io`](crate::Error::Io) of the journal, and those of [`Device::acknowledge`]: it will be sent again.
pub fn sent(device: &mut Device, message: &Message, to: &str) -> Result<()> {
    // In this order: what a power cut leaves undone is sent again, under the same id, and then done.
    if let About::Update(attempt) = &message.about {
        let failed = device.state()?.last_failure();
        let of_it = failed.is_some_and(|failure| failure.update == attempt.update.as_bytes());
        if attempt.verdict == Some(Verdict::RolledBack) && of_it {
            device.acknowledge()?;
        }
    }
    match device.journal() {
        Some(journal) => journal.append(&[Event::Reported { what: message.id.clone(), to: to.to_owned() }]),
        None => Ok(()),
    }
}
