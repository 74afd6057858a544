//! An installation that can be called off, and says how far it is: between two pieces of the image the server is asked
//! whether it still wants it.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

use bootslot::update::source::http::Method;
use bootslot::update::{Phase, Progress};

use crate::ddi::{Base, Cancel};
use crate::feedback::{status, Execution};
use crate::world::World;

/// The server is asked as often as it wants, and at least so often: somebody may wait for it.
pub(crate) const OFTEN: Duration = Duration::from_secs(60);
/// Two messages about progress are so far apart, at least.
pub(crate) const APART: Duration = Duration::from_secs(30);

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
    /// For this action, with so many bytes of all images. `sleep` is how often the server wants to be asked.
    pub fn new(world: &'a mut dyn World, id: &str, total: u64, sleep: Duration) -> Attendant<'a> {
        let now = world.clock();
        let (id, done, every) = (id.to_owned(), BTreeMap::new(), sleep.min(OFTEN));
        Attendant { world, id, total, done, every, looked: now, told: now, quarter: 0 }
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

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use std::rc::Rc;

    use bootslot::device::Device;
    use bootslot::update::bundle::signature::Keyring;
    use bootslot::update::source::http::{NoAnswer, Reply};
    use bootslot::update::source::Source;
    use bootslot::update::target::Parts;
    use bootslot::update::Done;

    use super::*;
    use crate::world::Question;

    /// A server with one offer, and a clock that goes on by `tick` each time it is asked.
    struct Fake {
        now: Duration,
        tick: Duration,
        base: Option<&'static str>,
        asked: usize,
        told: Vec<String>,
    }

    impl Fake {
        fn new(tick: u64, base: Option<&'static str>) -> Fake {
            Fake { now: Duration::ZERO, tick: Duration::from_secs(tick), base, asked: 0, told: vec![] }
        }
    }

    impl World for Fake {
        fn device(&mut self) -> bootslot::Result<Device> {
            panic!("the device is not asked")
        }
        fn parts(&mut self) -> Rc<dyn Parts> {
            panic!("the slots are not asked")
        }
        fn keys(&mut self) -> bootslot::update::Result<Keyring> {
            panic!("the keys are not asked")
        }
        fn source(&mut self, _: &str) -> bootslot::update::Result<Box<dyn Source>> {
            panic!("no file is asked")
        }
        fn send(&mut self, method: Method, path: &str, body: &[u8]) -> Result<Reply, NoAnswer> {
            if method == Method::Post {
                self.told.push(String::from_utf8_lossy(body).into_owned());
                return Ok(Reply::new(200, vec![]));
            }
            self.asked += 1;
            let order = r#"{"id":"8","cancelAction":{"stopId":"8"}}"#;
            match self.base {
                Some(_) if path.starts_with("/cancelAction") => Ok(Reply::new(200, order.into())),
                Some(base) => Ok(Reply::new(200, base.into())),
                None => Err(NoAnswer::Later(String::new())),
            }
        }
        fn clock(&mut self) -> Duration {
            self.now += self.tick;
            self.now
        }
        fn ask(&mut self, _: Question, _: &str) -> Option<bool> {
            None
        }
        fn reboot(&mut self) -> Result<(), String> {
            Ok(())
        }
        fn say(&mut self, _: &str) {}
    }

    const OURS: &str = r#"{"_links":{"deploymentBase":{"href":"/deploymentBase/8"}}}"#;

    /// An installation of two parts of 500 bytes each, byte by byte, until it is called off.
    fn install(fake: &mut Fake, sleep: u64) -> bool {
        let mut attendant = Attendant::new(fake, "8", 1000, Duration::from_secs(sleep));
        for phase in [Phase::Looking, Phase::Writing, Phase::ReadingBack] {
            for part in ["boot", "root"] {
                for all in 0..=500 {
                    let done = Done { all, ..Done::default() };
                    if attendant.hear(&Progress { phase, part, done, size: 500 }).is_break() {
                        return false;
                    }
                }
            }
        }
        true
    }

    #[test]
    fn each_quarter_is_told_once_however_long_it_takes() {
        for tick in [1, 100, 10_000] {
            let mut fake = Fake::new(tick, Some(OURS));
            assert!(install(&mut fake, 60));
            let told: Vec<bool> = fake
                .told
                .iter()
                .zip([25, 50, 75])
                .map(|(told, cnt)| told.contains(&format!("\"cnt\":{cnt},")))
                .collect();
            assert_eq!((told, fake.told.len()), (vec![true; 3], 3), "{tick}: {:?}", fake.told);
        }
        // One that is done at once says nothing on the way.
        let mut fake = Fake::new(0, Some(OURS));
        assert!(install(&mut fake, 60));
        assert_eq!((fake.told.len(), fake.asked), (0, 0));
    }

    #[test]
    fn the_server_is_asked_as_often_as_it_wants_and_at_least_once_a_minute() {
        // 3006 reports and the start, a second each.
        for (sleep, every) in [(10, 10), (60, 60), (86_400, 60)] {
            let mut fake = Fake::new(1, Some(OURS));
            assert!(install(&mut fake, sleep));
            assert_eq!(fake.asked, 3006 / every, "{sleep}");
        }
    }

    #[test]
    fn it_ends_when_the_server_does_not_want_it_any_more() {
        for (base, goes_on) in [
            (Some(OURS), true),
            // It says nothing, or makes no sense.
            (None, true),
            (Some("<html>"), true),
            (Some("{}"), false),
            (Some(r#"{"_links":{"cancelAction":{"href":"/cancelAction/8"}}}"#), false),
            (Some(r#"{"_links":{"deploymentBase":{"href":"/deploymentBase/9"}}}"#), false),
        ] {
            assert_eq!(install(&mut Fake::new(1, base), 60), goes_on, "{base:?}");
        }
    }
}
