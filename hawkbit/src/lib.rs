//! Brings updates from a [hawkBit](https://eclipse.dev/hawkbit/) server to a device with bootslot, and tells the server what
//! became of them.
//!
//! ```text
//!  server's answer --> ddi --+
//!                            +--> decide (pure) --> one step --> agent --> server, slots, journal
//!  journal, slots --> facts -+                                     |
//!        ^                                                         |
//!        '------------------ again, until it is: wait <------------'
//! ```
//!
//! The journal is the truth. Each step is recorded before or after it is taken, so that a power cut at any instant leaves
//! a place to go on from: what was not recorded is done again, and the server knows what it has heard twice.
//!
//! | file | job |
//! |---|---|
//! | `ddi.rs` | pure: what the server says |
//! | `feedback.rs` | pure: what the server is told |
//! | `decide.rs` | pure: the server's offer and the device's facts -> the next step |
//! | `facts.rs` | the facts, from the journal and the boot state |
//! | `recall.rs` | pure: what the journal remembers of an action |
//! | `attributes.rs` | what the server shows of the device |
//! | `pace.rs` | pure: when to ask again |
//! | `world.rs` | what the client needs of the world: a device, a server, a clock |
//! | `agent.rs` | one visit to the server, step by step |
//! | `trouble.rs` | why a visit has ended early |
//! | `bundles.rs` | which artifact of an action is the bundle for this device |
//! | `installing.rs` | an installation that can be called off, and says how far it is |
//! | `settings.rs` | the file of settings |
//! | `real.rs` | the world as it is |
#![cfg_attr(
    not(test),
    warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod agent;
pub mod attributes;
pub mod bundles;
pub mod ddi;
pub mod decide;
pub mod facts;
pub mod feedback;
pub mod installing;
pub mod pace;
pub mod real;
pub mod recall;
pub mod settings;
pub mod trouble;
pub mod world;

#[cfg(test)]
mod tests {
    use crate::{installing, pace, real};

    #[test]
    fn the_guide_has_the_figures_of_the_client() {
        let text = include_str!("../../docs/fleet.md").split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!((installing::OFTEN.as_secs(), pace::LONGEST.as_secs()), (60, 24 * 60 * 60));
        for phrase in [
            "it ends within a minute, or within what the server says".to_owned(),
            format!("at least once a day and at most every {} seconds", pace::SHORTEST.as_secs()),
            format!("at least {} seconds lie between two of them", installing::APART.as_secs()),
            format!("in this visit for {} minutes", real::RETRY.as_secs() / 60),
        ] {
            assert!(text.contains(&phrase), "{phrase}");
        }
    }
}
