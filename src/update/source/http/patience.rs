//! When a failing request is tried again, and when no more.

use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::options::{OnWait, Retry, Waiting};
use super::trouble::Trouble;

/// A wait is looked after so often.
const TICK: Duration = Duration::from_secs(1);
/// So soon a wait ends when it is cancelled.
const SLICE: Duration = Duration::from_millis(100);

/// The attempts since the last new byte.
pub(super) struct Patience {
    since: Instant,
    failed: u32,
    /// Bytes came on this connection: the next attempt need not wait.
    moved: bool,
}

impl Patience {
    pub fn new() -> Patience {
        Patience { since: Instant::now(), failed: 0, moved: false }
    }

    /// New bytes came.
    pub fn progress(&mut self) {
        *self = Patience { moved: true, ..Patience::new() };
    }

    /// Waits before the next attempt; `after` is what the server asked for.
    ///
    /// Errors: [`Trouble::Never`] when the limit is reached, [`Trouble::Cancelled`].
    pub fn wait(
        &mut self,
        reason: &str,
        after: Option<Duration>,
        retry: &Retry,
        on_wait: Option<&OnWait>,
        cancelled: &AtomicBool,
    ) -> Result<(), Trouble> {
        self.failed = self.failed.saturating_add(1);
        let wait = match after {
            Some(after) => after,
            // A connection that was cut in the middle is no sign that the server has enough of us.
            None if std::mem::take(&mut self.moved) => Duration::ZERO,
            None => backoff(retry, self.failed),
        };
        let spent = self.since.elapsed();
        if retry.limit.saturating_sub(spent) <= wait {
            let tried = match self.failed {
                1 => "one attempt".to_owned(),
                failed => format!("{failed} attempts in {} s", spent.as_secs()),
            };
            let asked = match after {
                Some(after) => format!(", and the server asks to wait for {} s", after.as_secs()),
                None => String::new(),
            };
            return Err(Trouble::Never(format!("{reason} (given up after {tried}{asked})")));
        }
        let end = Instant::now() + wait;
        let mut told: Option<Instant> = None;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if told.is_none_or(|told| told.elapsed() >= TICK) {
                let now = Waiting { reason, left, failed: self.failed, is_first: told.is_none() };
                told = Some(Instant::now());
                if on_wait.is_some_and(|hear| hear(now).is_break()) {
                    return Err(Trouble::Cancelled);
                }
            }
            if cancelled.load(Ordering::Relaxed) {
                return Err(Trouble::Cancelled);
            }
            if left.is_zero() {
                return Ok(());
            }
            thread::sleep(left.min(SLICE));
        }
    }
}

/// The wait after so many failures, with jitter: many devices that lost the same server must not come back together.
fn backoff(retry: &Retry, failed: u32) -> Duration {
    let doubled = 2u32.saturating_pow(failed.saturating_sub(1).min(20));
    let wait = retry.first.saturating_mul(doubled).min(retry.longest);
    // The standard library's only source of random numbers.
    let random = std::collections::hash_map::RandomState::new().build_hasher().finish();
    wait / 2 + wait.mul_f64((random >> 32) as f64 / f64::from(u32::MAX)) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_are_shortened_by_half_at_most() {
        let retry = Retry::default();
        for (failed, seconds) in [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (40, 60), (u32::MAX, 60)] {
            for _ in 0..50 {
                let wait = backoff(&retry, failed);
                let full = Duration::from_secs(seconds);
                assert!(full / 2 <= wait && wait <= full, "{failed}: {wait:?}");
            }
        }
        let spread = (0..50).map(|_| backoff(&retry, 7)).collect::<std::collections::BTreeSet<_>>();
        assert!(spread.len() > 40);
    }
}
