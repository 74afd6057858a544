//! Pure: when the server is asked again.

use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

/// The shortest time between two visits: a server that says less does not mean it.
pub const SHORTEST: Duration = Duration::from_secs(5);
/// The longest one.
pub const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
/// The longest wait after visits that have failed, where the server does not say another one.
const PATIENCE: Duration = Duration::from_secs(60 * 60);
/// Until the server has said how often it wants to be asked.
pub const UNTOLD: Duration = Duration::from_secs(5 * 60);

/// The visits so far, as far as they matter for the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    sleep: Duration,
    failed: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Pace { sleep: UNTOLD, failed: 0 }
    }
}

impl Pace {
    /// What the server has said last.
    pub fn sleep(&self) -> Duration {
        self.sleep
    }

    /// The server says how often it wants to be asked.
    pub fn told(&mut self, sleep: Duration) {
        self.sleep = sleep.clamp(SHORTEST, LONGEST);
    }

    /// The wait after a visit that went well, with `random` of 0 to 1: within a tenth of what the server said, so that
    /// devices that were switched on together do not stay together.
    pub fn after_success(&mut self, random: f64) -> Duration {
        self.failed = 0;
        self.sleep.mul_f64(0.9 + 0.2 * random)
    }

    /// The wait after one that failed. It grows, up to an hour or to what the server said. What it asks for now
    /// (Retry-After) counts instead, up to a day.
    pub fn after_failure(&mut self, asked: Option<Duration>, random: f64) -> Duration {
        self.failed = self.failed.saturating_add(1);
        if let Some(asked) = asked {
            // Never earlier; and a little later, each device for itself.
            return asked.clamp(Duration::from_secs(1), LONGEST).mul_f64(1.0 + 0.1 * random);
        }
        let first = self.sleep.min(Duration::from_secs(30));
        let doubled = first.saturating_mul(2u32.saturating_pow((self.failed - 1).min(16)));
        doubled.min(PATIENCE.max(self.sleep)).mul_f64(0.5 + 0.5 * random)
    }
}

/// A number from 0 to 1: the standard library's only source of random numbers.
pub fn random() -> f64 {
    let random = std::collections::hash_map::RandomState::new().build_hasher().finish();
    (random >> 32) as f64 / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_says_how_often_within_reason() {
        let mut pace = Pace::default();
        for (told, kept) in [(0, 5), (300, 300), (u64::MAX, 86400)] {
            pace.told(Duration::from_secs(told));
            assert_eq!(pace.sleep(), Duration::from_secs(kept));
            let [least, most] = [0.0, 1.0].map(|random| pace.after_success(random).as_secs_f64());
            assert!((least - 0.9 * kept as f64).abs() < 0.01 && (most - 1.1 * kept as f64).abs() < 0.01);
        }
    }

    #[test]
    fn failures_make_it_wait_longer_up_to_an_hour_and_success_ends_that() {
        let mut pace = Pace::default();
        let waits: Vec<u64> = (0..12).map(|_| pace.after_failure(None, 1.0).as_secs()).collect();
        assert_eq!(waits[..8], [30, 60, 120, 240, 480, 960, 1920, 3600]);
        assert_eq!(pace.after_failure(None, 0.0).as_secs(), 1800);
        pace.after_success(0.5);
        assert_eq!(pace.after_failure(None, 1.0).as_secs(), 30);
        // A server that wants to be asked once a day is not asked more often because it fails.
        pace.told(LONGEST);
        let last = (0..20).map(|_| pace.after_failure(None, 1.0)).last();
        assert_eq!(last, Some(LONGEST));
    }

    #[test]
    fn what_the_server_asks_for_is_obeyed() {
        let mut pace = Pace::default();
        assert_eq!(pace.after_failure(Some(Duration::from_secs(7)), 0.0).as_secs(), 7);
        assert_eq!(pace.after_failure(Some(Duration::from_secs(7000)), 1.0).as_secs(), 7700);
        assert!(pace.after_failure(Some(Duration::ZERO), 0.0) >= Duration::from_secs(1));
        assert!(pace.after_failure(Some(Duration::MAX), 0.0) <= LONGEST);
    }

    #[test]
    fn random_numbers_differ() {
        let some: std::collections::BTreeSet<u64> = (0..50).map(|_| random().to_bits()).collect();
        assert!(some.len() > 40);
        assert!((0..50).all(|_| (0.0..=1.0).contains(&random())));
    }
}
