//! Runs a command that may hang, without hanging itself: a time limit, the end of its output, the whole group killed.
//!
//! A process that waits for a device in the kernel (state D) can't be killed. Such a one is left behind, and the caller
//! goes on. Even the start of a program can hang, when it lies on such a device. So a thread of its own does both.
//!
//! ```text
//!  start -> runs -> ends by itself --------------------------> what is left of its group is killed -> collected
//!             |                                                                      ^
//!             +-- limit over -> SIGTERM to the group -> grace over -> SIGKILL -> ends |
//!                                                                          +-> still there: left behind
//! ```
//!
//! Time is counted by a clock that stands still while the machine sleeps.

mod tail;

use std::io::{self, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::sys::process as sys;
use tail::Tail;

/// How long a process that was killed may take to end before it is left behind.
const KILLED: Duration = Duration::from_secs(2);

/// How long the output may stay open after the end: a process that has left the group may hold it.
const LAST_OUTPUT: Duration = Duration::from_millis(500);

/// How often a running command looks whether it is to be stopped.
const LOOK: Duration = Duration::from_millis(100);

/// Stops a command that another thread runs, as if its time were over.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Stops it. What has ended already is not changed.
    pub fn stop(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What a command may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// How long it may run.
    pub time: Duration,
    /// How long it may take to end after SIGTERM; then SIGKILL comes.
    pub grace: Duration,
    /// Bytes of its output that are kept: the last ones.
    pub output: usize,
}

/// How a command has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// By itself, with this exit code.
    Exited(i32),
    /// By this signal, which somebody else sent.
    Killed(i32),
    /// The time limit was over: it was killed.
    TimedOut,
    /// The time limit was over, and it can't be killed: it is still there.
    LeftBehind,
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// How it has ended.
    pub end: End,
    /// The end of what it wrote to its standard output and its standard error, in one.
    pub output: Vec<u8>,
    /// Bytes of the output before that, which were not kept.
    pub dropped: u64,
    /// How long it took.
    pub took: Duration,
}

impl Ran {
    /// Whether it has ended by itself, with the exit code 0.
    pub fn succeeded(&self) -> bool {
        self.end == End::Exited(0)
    }
}

/// What the thread tells that starts the command and waits for it.
enum News {
    Started(u32),
    Failed(io::Error),
    Ended,
}

/// Runs a command to its end, or to the end of its time. Its standard input is empty; its processes are a group of their
/// own, and none of the group is left after its end.
///
/// # Errors
///
/// Those of starting it. Where the start itself takes too long, it is [`End::LeftBehind`].
pub fn run(command: Command, limits: &Limits) -> io::Result<Ran> {
    run_until(command, limits, &Stop::default())
}

/// As [`run`], but another thread can end it before its time is over.
///
/// # Errors
///
/// Those of [`run`].
pub fn run_until(mut command: Command, limits: &Limits, stop: &Stop) -> io::Result<Ran> {
    let began = Instant::now();
    let (read, write) = sys::pipe()?;
    command.stdin(Stdio::null()).stdout(write.try_clone()?).stderr(write).process_group(0);
    let (tell, news) = mpsc::channel();
    let (give, child) = mpsc::channel();
    thread::Builder::new().name("command".into()).spawn(move || start(command, &tell, &give))?;
    let (kept, closed) = collect(read, limits.output)?;
    let end = wait(&news, &child, limits, stop)?;
    if end != End::LeftBehind {
        let _ = closed.recv_timeout(LAST_OUTPUT);
    }
    let (output, dropped) = kept.lock().unwrap_or_else(PoisonError::into_inner).get();
    Ok(Ran { end, output, dropped, took: began.elapsed() })
}

/// Starts the command and waits for its end. The child is the receiver's; where that is gone, it has come too late.
fn start(mut command: Command, tell: &Sender<News>, give: &Sender<Child>) {
    let child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return drop(tell.send(News::Failed(error))),
    };
    // The writing end of its output, so that only the child's is left.
    drop(command);
    let id = child.id();
    let _ = give.send(child);
    if tell.send(News::Started(id)).is_err() {
        let _ = sys::signal_group(id, libc::SIGKILL);
    }
    let _ = sys::wait_for_end(id);
    let _ = tell.send(News::Ended);
}

/// Reads the output in a thread of its own, and says when it is closed.
fn collect(
    mut read: impl Read + Send + 'static,
    longest: usize,
) -> io::Result<(Arc<Mutex<Tail>>, Receiver<()>)> {
    let kept = Arc::new(Mutex::new(Tail::new(longest)));
    let (closes, closed) = mpsc::channel();
    let tail = kept.clone();
    thread::Builder::new().name("output".into()).spawn(move || {
        let mut piece = [0; 4096];
        loop {
            match read.read(&mut piece) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => break,
                Ok(length) => {
                    let bytes = piece.get(..length).unwrap_or_default();
                    tail.lock().unwrap_or_else(PoisonError::into_inner).push(bytes);
                }
            }
        }
        drop(closes);
    })?;
    Ok((kept, closed))
}

fn wait(news: &Receiver<News>, child: &Receiver<Child>, limits: &Limits, stop: &Stop) -> io::Result<End> {
    let began = Instant::now();
    let id = match news.recv_timeout(limits.time) {
        Ok(News::Started(id)) => id,
        Ok(News::Failed(error)) => return Err(error),
        Ok(News::Ended) | Err(RecvTimeoutError::Disconnected) => return Err(io::ErrorKind::BrokenPipe.into()),
        Err(RecvTimeoutError::Timeout) => return Ok(End::LeftBehind),
    };
    let in_time = ends_unless_stopped(news, limits.time.saturating_sub(began.elapsed()), stop);
    if !in_time {
        let _ = sys::signal_group(id, libc::SIGTERM);
        if !ends_within(news, limits.grace) {
            let _ = sys::signal_group(id, libc::SIGKILL);
            if !ends_within(news, KILLED) {
                return Ok(End::LeftBehind);
            }
        }
    }
    // Not collected yet, so that the group is still this one's. What the command has left running ends with it.
    let _ = sys::signal_group(id, libc::SIGKILL);
    let status = child.recv().map_err(|_| io::ErrorKind::BrokenPipe)?.wait()?;
    Ok(if in_time { ended(status) } else { End::TimedOut })
}

fn ends_unless_stopped(news: &Receiver<News>, limit: Duration, stop: &Stop) -> bool {
    let began = Instant::now();
    loop {
        let left = limit.saturating_sub(began.elapsed());
        if ends_within(news, left.min(LOOK)) {
            return true;
        }
        if left.is_zero() || stop.is_set() {
            return false;
        }
    }
}

fn ends_within(news: &Receiver<News>, limit: Duration) -> bool {
    !matches!(news.recv_timeout(limit), Err(RecvTimeoutError::Timeout))
}

fn ended(status: ExitStatus) -> End {
    match (status.code(), status.signal()) {
        (Some(code), _) => End::Exited(code),
        (None, signal) => End::Killed(signal.unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, time: u64) -> Ran {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        let limits =
            Limits { time: Duration::from_millis(time), grace: Duration::from_millis(100), output: 100 };
        run(command, &limits).unwrap()
    }

    #[test]
    fn output_and_exit_code_arrive() {
        let ran = shell("echo out; echo err >&2; cat; exit 3", 10_000);
        assert_eq!((ran.end, &ran.output[..], ran.dropped), (End::Exited(3), &b"out\nerr\n"[..], 0));
        assert!(!ran.succeeded() && shell("", 10_000).succeeded());
        let long = shell("seq 1 1000", 10_000);
        assert_eq!((long.output.len(), long.dropped), (100, 3893 - 100));
        assert!(long.output.ends_with(b"999\n1000\n"));
        assert_eq!(shell("kill -9 $$", 10_000).end, End::Killed(9));
        let missing = run(Command::new("/none"), &Limits { time: KILLED, grace: KILLED, output: 1 });
        assert_eq!(missing.unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn who_takes_too_long_is_killed_with_all_children() {
        let ran = shell("echo begun; trap '' TERM; sleep 77 & sleep 77", 300);
        assert_eq!((ran.end, &ran.output[..]), (End::TimedOut, &b"begun\n"[..]));
        assert!(ran.took < Duration::from_secs(10), "{:?}", ran.took);
        let polite = shell("trap 'echo ends; exit 0' TERM; while :; do sleep 0.01; done", 300);
        assert_eq!(polite.end, End::TimedOut);
        assert!(polite.output.ends_with(b"ends\n"), "{polite:?}");
    }

    #[test]
    fn another_thread_can_stop_it() {
        let stop = Stop::default();
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "echo begun; sleep 77"]);
        let limits = Limits { time: Duration::from_secs(60), grace: KILLED, output: 100 };
        let ran = thread::scope(|scope| {
            let running = scope.spawn(|| run_until(command, &limits, &stop));
            thread::sleep(Duration::from_millis(300));
            stop.stop();
            running.join().unwrap().unwrap()
        });
        assert_eq!(ran.end, End::TimedOut);
        assert!(ran.took < Duration::from_secs(10), "{:?}", ran.took);
    }

    #[test]
    fn a_child_that_stays_behind_is_killed_and_one_that_left_the_group_is_not_waited_for() {
        let left = shell("sleep 77 & echo $!", 10_000);
        assert_eq!(left.end, End::Exited(0));
        let id: u32 = String::from_utf8(left.output).unwrap().trim().parse().unwrap();
        let gone = || {
            let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
            stat.is_empty() || stat.contains(") Z ")
        };
        assert!((0..100).any(|_| gone() || {
            thread::sleep(Duration::from_millis(20));
            false
        }));
        let ran = shell("setsid sleep 3 & echo done", 10_000);
        assert!(ran.succeeded() && ran.took < Duration::from_millis(2500), "{:?}", ran.took);
        assert_eq!(ran.output, b"done\n");
    }
}
