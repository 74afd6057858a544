//! Processes: a pipe that a child writes to, an end that is seen before it is collected, a whole group killed;
//! and the end of the machine.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd};

use super::check;

/// The two ends of a new pipe: what is read from, what is written to. Children that exec inherit neither by themselves.
pub fn pipe() -> io::Result<(File, File)> {
    let mut ends = [0; 2];
    // SAFETY: the kernel writes two descriptors, which is what `ends` has room for.
    check(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) })?;
    let [read, write] = ends;
    // SAFETY: both descriptors are new, and nobody else owns them.
    Ok(unsafe { (File::from_raw_fd(read), File::from_raw_fd(write)) })
}

/// Waits until the child of this id has ended. It is not collected: its id stays its own, so that a signal to its group
/// reaches nobody else.
pub fn wait_for_end(child: u32) -> io::Result<()> {
    loop {
        // SAFETY: all-zero bytes are a valid siginfo_t, a structure of integers.
        let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
        // SAFETY: the kernel fills the structure that `info` is.
        let ended = unsafe { libc::waitid(libc::P_PID, child, &mut info, libc::WEXITED | libc::WNOWAIT) };
        match check(ended) {
            Err(error) if error.raw_os_error() == Some(libc::EINTR) => {}
            ended => return ended.map(drop),
        }
    }
}

/// Sends a signal to every process of the group that this child leads.
pub fn signal_group(leader: u32, signal: libc::c_int) -> io::Result<()> {
    // 0 and 1 would mean our own group and every process.
    let group = libc::pid_t::try_from(leader).ok().filter(|group| *group > 1);
    let group = group.ok_or(io::ErrorKind::InvalidInput)?;
    // SAFETY: kill takes no memory of ours.
    check(unsafe { libc::kill(-group, signal) }).map(drop)
}

/// Lets children that exec keep `file` open, with all locks on it, or not.
pub fn inherit(file: &File, inherited: bool) -> io::Result<()> {
    let flags = if inherited { 0 } else { libc::FD_CLOEXEC };
    // SAFETY: fcntl takes no memory of ours here, and the descriptor is open as long as `file` lives.
    check(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETFD, flags) }).map(drop)
}

/// From now on a request to end (SIGTERM) has no effect on this process.
pub fn ignore_termination() {
    // SAFETY: SIG_IGN is no function of ours, and SIGTERM can be ignored: nothing can fail.
    unsafe { libc::signal(libc::SIGTERM, libc::SIG_IGN) };
}

/// Restarts the machine at once (reboot, RESTART): nothing is ended, unmounted or synced. It returns only if that fails.
pub fn restart() -> io::Error {
    // SAFETY: reboot takes no memory of ours.
    unsafe { libc::reboot(libc::RB_AUTOBOOT) };
    io::Error::last_os_error()
}
