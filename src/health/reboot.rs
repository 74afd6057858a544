//! The reboot that a decision asks for, and its end if the shutdown hangs.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use super::{how, TAIL};
use crate::process::{run, Limits};
use crate::settings::health::Health;
use crate::sys::process::{ignore_termination, restart};

/// The command that asks may take so long.
const ASKING: Duration = Duration::from_secs(30);
/// What the kernel does for us on its own before it restarts: it writes what it has, and mounts all read-only.
const BEFORE: Duration = Duration::from_secs(3);

/// Who is asked to reboot: what the settings say, systemd where that runs, else `reboot`.
pub fn command(settings: &Health) -> Vec<String> {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    match &settings.reboot {
        Some(command) => command.clone(),
        None if Path::new("/run/systemd/system").is_dir() => words(&["systemctl", "reboot"]),
        None => words(&["reboot"]),
    }
}

/// Asks for the reboot. It has begun, at the best, when this returns.
///
/// # Errors
///
/// If the command can't be started, fails, or does not end.
pub fn ask(command: &[String]) -> io::Result<()> {
    let (program, arguments) = command.split_first().ok_or(ErrorKind::InvalidInput)?;
    let mut asked = Command::new(program);
    asked.args(arguments);
    let ran = run(asked, &Limits { time: ASKING, grace: Duration::from_secs(1), output: TAIL })?;
    if ran.succeeded() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&ran.output).trim().to_owned();
    Err(io::Error::other(format!("{}: {}: {said}", command.join(" "), how(ran.end))))
}

/// From now on this process does not end when it is asked to, which is the first thing that a shutdown does. It outlives the
/// shutdown's own patience only where nobody kills it for that: a unit of systemd needs `SendSIGKILL=no`.
pub fn stay() {
    ignore_termination();
}

/// Restarts the machine at once, without an orderly shutdown. It returns only if even that fails.
pub fn force() -> io::Error {
    force_by(Path::new("/proc/sysrq-trigger"), BEFORE, restart)
}

fn force_by(trigger: &Path, before: Duration, restart: impl FnOnce() -> io::Error) -> io::Error {
    // Neither waits for a disk that does not answer: the kernel does it on its own.
    for key in ["s", "u"] {
        let _ = fs::write(trigger, key);
        thread::sleep(before);
    }
    // Where there is no such file, the system call comes next.
    let _ = fs::write(trigger, "b");
    restart()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_who_is_asked_has_to_agree() {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        ask(&words(&["true"])).unwrap();
        let error = ask(&words(&["sh", "-c", "echo not now; exit 1"])).unwrap_err().to_string();
        assert!(error.contains("not now") && error.contains("exit code 1"), "{error}");
        assert!(ask(&words(&["/does/not/exist"])).is_err());
        assert!(ask(&[]).is_err());
        let said = Health { reboot: Some(words(&["mine"])), ..Health::default() };
        assert_eq!(command(&said), ["mine"]);
        assert_eq!(command(&Health::default()).last().unwrap(), "reboot");
    }

    #[test]
    fn force_goes_from_the_kernel_s_own_way_to_the_system_call() {
        let folder = tempfile::tempdir().unwrap();
        let trigger = folder.path().join("trigger");
        let mut called = false;
        let error = force_by(&trigger, Duration::ZERO, || {
            called = true;
            ErrorKind::PermissionDenied.into()
        });
        assert!(called && error.kind() == ErrorKind::PermissionDenied);
        assert_eq!(fs::read_to_string(&trigger).unwrap(), "b");
    }
}
