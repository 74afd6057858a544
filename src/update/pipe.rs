//! Pure: work that comes in order, is done by several threads, and goes on in order.
//!
//! ```text
//!  produce (one thread) --> work (several) --> consume (the caller's thread), in the order of `produce`
//!       ^                                          |
//!       +------------- the same buffers -----------+
//! ```
//!
//! The number of buffers bounds the memory. The first error ends everything.

use std::collections::BTreeMap;
use std::sync::mpsc::{channel, Receiver, Sender};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// How many threads are worth it for `work`: all processors, since the other two stages mostly wait.
pub fn workers() -> usize {
    thread::available_parallelism().map_or(1, usize::from).min(8)
}

/// Runs the three stages over `buffers` until `produce` has nothing more, which it says by `Ok(false)`.
///
/// # Errors
///
/// The first error of a stage, in the order of what was produced.
pub fn run<T: Send, E: Send>(
    buffers: Vec<T>,
    mut produce: impl FnMut(&mut T) -> Result<bool, E> + Send,
    work: impl Fn(&mut T) -> Result<(), E> + Sync,
    mut consume: impl FnMut(&mut T) -> Result<(), E>,
) -> Result<(), E> {
    let (free, take_free) = channel::<T>();
    for buffer in buffers {
        // Its other end is right here.
        let _ = free.send(buffer);
    }
    let (give, jobs) = channel::<(u64, T)>();
    let (report, results) = channel::<(u64, Result<T, E>)>();
    let jobs = Mutex::new(jobs);
    thread::scope(|scope| {
        // Everything that is sent into the scope ends with its thread, so that the others see the end.
        let failed = report.clone();
        scope.spawn(move || {
            for number in 0.. {
                let Ok(mut buffer) = take_free.recv() else { return };
                match produce(&mut buffer) {
                    Ok(true) => {}
                    Ok(false) => return,
                    Err(error) => {
                        let _ = failed.send((number, Err(error)));
                        return;
                    }
                }
                if give.send((number, buffer)).is_err() {
                    return;
                }
            }
        });
        for _ in 0..workers() {
            let (jobs, work, report) = (&jobs, &work, report.clone());
            scope.spawn(move || work_on(jobs, work, &report));
        }
        drop(report);
        // They end with this block: whoever still runs then finds nobody to send to.
        let (results, free) = (results, free);
        deliver(&results, &mut consume, &free)
    })
}

fn work_on<T, E>(
    jobs: &Mutex<Receiver<(u64, T)>>,
    work: &impl Fn(&mut T) -> Result<(), E>,
    report: &Sender<(u64, Result<T, E>)>,
) {
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((number, mut buffer)) = job else { return };
        let result = work(&mut buffer).map(|()| buffer);
        if report.send((number, result)).is_err() {
            return;
        }
    }
}

fn deliver<T, E>(
    results: &Receiver<(u64, Result<T, E>)>,
    consume: &mut impl FnMut(&mut T) -> Result<(), E>,
    free: &Sender<T>,
) -> Result<(), E> {
    let mut waiting = BTreeMap::new();
    let mut next = 0;
    while let Ok((number, result)) = results.recv() {
        waiting.insert(number, result);
        while let Some(result) = waiting.remove(&next) {
            let mut buffer = result?;
            consume(&mut buffer)?;
            next += 1;
            // Nobody takes it any more where everything was produced.
            let _ = free.send(buffer);
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn squares(fail_at: [Option<u64>; 3]) -> (Result<(), u64>, Vec<u64>) {
        let [produce_fails, work_fails, consume_fails] = fail_at;
        let mut n = 0;
        let mut seen = Vec::new();
        let check = |n: u64, limit: Option<u64>| if Some(n) == limit { Err(n) } else { Ok(()) };
        let result = run(
            vec![0u64; 5],
            |slot| {
                *slot = n;
                check(n, produce_fails)?;
                n += 1;
                Ok(n <= 1000)
            },
            |slot| {
                if *slot % 7 == 0 {
                    thread::yield_now();
                }
                check(*slot, work_fails)?;
                *slot *= *slot;
                Ok(())
            },
            |slot| {
                check(*slot, consume_fails)?;
                seen.push(*slot);
                Ok(())
            },
        );
        (result, seen)
    }

    #[test]
    fn the_order_is_kept() {
        let (result, seen) = squares([None; 3]);
        assert_eq!(result, Ok(()));
        assert_eq!(seen, (0..1000).map(|n| n * n).collect::<Vec<u64>>());
    }

    #[test]
    fn the_first_error_ends_it_after_what_was_before() {
        for fail_at in [[Some(300), None, None], [None, Some(300), None], [None, None, Some(90000)]] {
            let (result, seen) = squares(fail_at);
            assert!(result.is_err());
            assert_eq!(seen, (0..300).map(|n| n * n).collect::<Vec<u64>>(), "{fail_at:?}");
        }
        let (result, seen) = squares([Some(0), None, None]);
        assert_eq!((result, seen), (Err(0), vec![]));
    }
}
