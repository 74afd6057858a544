//! An installation that can be called off, and says how far it is: between two pieces of the image the server is asked
//! whether it still wants it.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

use bootslot::update::source::http::Method;
use bootslot::update::{Bundle, Phase, Progress};

use crate::ddi::{Base, Cancel};
use crate::feedback::{status, Execution};
use crate::world::World;

/// The server is asked as often as it wants, and at least so often: somebody may wait for it.
const OFTEN: Duration = Duration::from_secs(60);
/// Two messages about progress are so far apart, at least.
const APART: Duration = Duration::from_secs(30);

/// Who looks after an installation.
pub struct Attendant<'a> {
    world: &'a mut dyn World,
    id: String,
    /// Bytes of all images, and how many of each are done.
    total: u64,
    done: BTreeMap<String, u64>,
    every: Duration,
    looked: Duration,
    told: Duration,
    /// The last quarter that the server knows of.
    quarter: u64,
}

impl<'a> Attendant<'a> {
    /// For this action and its bundle. `sleep` is how often the server wants to be asked.
    pub fn new(world: &'a mut dyn World, id: &str, bundle: &Bundle, sleep: Duration) -> Attendant<'a> {
        let total = bundle.manifest.payloads.iter().map(|payload| payload.size).sum();
        let now = world.clock();
        let every = sleep.min(OFTEN);
        Attendant {
            world,
            id: id.into(),
            total,
            done: BTreeMap::new(),
            every,
            looked: now,
            told: now,
            quarter: 0,
        }
    }

    /// Hears how far it is. `Break`: the server does not want it any more.
    pub fn hear(&mut self, progress: &Progress<'_>) -> ControlFlow<()> {
        let now = self.world.clock();
        if progress.phase == Phase::Writing {
            self.done.insert(progress.part.to_owned(), progress.done.all);
            let quarter = self.done.values().sum::<u64>().saturating_mul(4) / self.total.max(1);
            // The end is told otherwise.
            if quarter > self.quarter && quarter < 4 && now.saturating_sub(self.told) >= APART {
                (self.quarter, self.told) = (quarter, now);
                let percent = u8::try_from(quarter * 25).unwrap_or(100);
                let message = status(&self.id, Execution::Proceeding, None, Some(percent), &[]);
                // One that is lost is no loss.
                let _ =
                    self.world.send(Method::Post, &format!("/deploymentBase/{}/feedback", self.id), &message);
            }
        }
        if now.saturating_sub(self.looked) >= self.every {
            self.looked = now;
            if self.is_unwanted() {
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }

    /// Whether the server says so. One that does not answer says nothing.
    fn is_unwanted(&mut self) -> bool {
        let Some(base) = self.get("").and_then(|bytes| Base::parse(&bytes).ok()) else { return false };
        if let Some(link) = base.cancel {
            let order = self.get(&format!("/cancelAction/{}{}", link.id, link.query));
            let order = order.and_then(|bytes| Cancel::parse(&bytes).ok());
            return order.is_some_and(|order| order.stop == self.id);
        }
        base.deployment.is_none_or(|link| link.id != self.id)
    }

    fn get(&mut self, path: &str) -> Option<Vec<u8>> {
        let reply = self.world.send(Method::Get, path, &[]).ok()?;
        (reply.status == 200).then_some(reply.body)
    }
}
