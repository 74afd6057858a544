//! Feeding a watchdog while a decision is open, and never longer.
//!
//! Whoever decides may hang as any other program. So a watchdog is fed from the loop that decides, and from nowhere else:
//! if the loop hangs, or never ends, the watchdog resets the device, and that was one try.
//!
//! | decision | systemd's watchdog | a device |
//! |---|---|---|
//! | healthy, degraded, wait | the program ends well | it is switched off, where the kernel lets us (magic close) |
//! | roll back, reboot | the program ends, or is restarted | it goes on counting: a shutdown that hangs is cut short |

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;

use super::decision::Decision;
use crate::settings::health::Watchdog;
use crate::sys::watchdog;

/// How often systemd is told, and a device at most, in milliseconds.
const EVERY: u64 = 1000;

/// Who feeds.
pub struct Feeder {
    to: To,
    every: u64,
    last: Option<u64>,
}

enum To {
    Nobody,
    Systemd(UnixDatagram, SocketAddr),
    Device(File),
}

impl Feeder {
    /// For nobody.
    pub fn nobody() -> Feeder {
        Feeder { to: To::Nobody, every: EVERY, last: None }
    }

    /// For the watchdog of the settings. `notify` is what systemd has put into `NOTIFY_SOCKET`. To open a device is to start
    /// it.
    ///
    /// # Errors
    ///
    /// Those of the system, such as for a device that somebody else feeds; `NotFound` where systemd did not start us.
    pub fn open(watchdog: &Watchdog, notify: Option<&OsStr>) -> io::Result<Feeder> {
        let mut feeder = Feeder::nobody();
        feeder.to = match watchdog {
            Watchdog::None => To::Nobody,
            Watchdog::Systemd => {
                let name = notify.ok_or_else(|| {
                    io::Error::new(io::ErrorKind::NotFound, "there is no NOTIFY_SOCKET: set WatchdogSec=")
                })?;
                To::Systemd(UnixDatagram::unbound()?, address(name)?)
            }
            Watchdog::Device(path) => {
                let device = OpenOptions::new().write(true).open(path)?;
                // A driver that does not tell has a minute, as most have.
                let timeout = watchdog::timeout(&device).map_or(60_000, |timeout| timeout.as_millis());
                feeder.every = u64::try_from(timeout / 4).unwrap_or(EVERY).clamp(1, EVERY);
                To::Device(device)
            }
        };
        Ok(feeder)
    }

    /// Feeds, if it is time.
    ///
    /// # Errors
    ///
    /// Those of the system. It is to be tried again all the same.
    pub fn feed(&mut self, now: u64) -> io::Result<()> {
        if self.last.is_some_and(|last| now < last.saturating_add(self.every)) {
            return Ok(());
        }
        self.last = Some(now);
        match &mut self.to {
            To::Nobody => Ok(()),
            To::Systemd(socket, to) => socket.send_to_addr(b"WATCHDOG=1", to).map(drop),
            // Some drivers know writing alone; any byte but V.
            To::Device(device) => watchdog::keep_alive(device).or_else(|_| device.write_all(b"k")),
        }
    }

    /// When it is to be fed next, in milliseconds; `None`: never.
    pub fn next(&self) -> Option<u64> {
        match self.to {
            To::Nobody => None,
            To::Systemd(..) | To::Device(_) => {
                Some(self.last.map_or(0, |last| last.saturating_add(self.every)))
            }
        }
    }

    /// The end: a device is switched off only if nothing is left to be watched.
    ///
    /// # Errors
    ///
    /// Those of the system: then the device goes on counting.
    pub fn end(self, decision: &Decision) -> io::Result<()> {
        match (self.to, decision) {
            (To::Device(mut device), Decision::Healthy | Decision::Degraded(_) | Decision::Wait(_)) => {
                // Watchdogs with the magic close stop only if this byte was the last one before the file is closed.
                device.write_all(b"V")
            }
            _ => Ok(()),
        }
    }
}

/// A path, or a name that begins with `@` and lies in no folder.
fn address(name: &OsStr) -> io::Result<SocketAddr> {
    match name.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(Path::new(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    #[test]
    fn systemd_is_told_once_a_second() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_nonblocking(true).unwrap();
        let mut feeder = Feeder::open(&Watchdog::Systemd, Some(path.as_os_str())).unwrap();
        let heard = || {
            let mut buffer = [0; 100];
            let mut count = 0;
            while let Ok(length) = socket.recv(&mut buffer) {
                assert_eq!(&buffer[..length], b"WATCHDOG=1");
                count += 1;
            }
            count
        };
        for now in [0, 10, 500, 999] {
            feeder.feed(now).unwrap();
        }
        assert_eq!((heard(), feeder.next()), (1, Some(1000)));
        feeder.feed(1000).unwrap();
        assert_eq!(heard(), 1);
        feeder.end(&Decision::Healthy).unwrap();
        assert_eq!(heard(), 0);
        assert_eq!(Feeder::open(&Watchdog::Systemd, None).err().unwrap().kind(), io::ErrorKind::NotFound);
        // An abstract name.
        let name = format!("@bootslot-test-{}", std::process::id());
        let listens = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name[1..]).unwrap()).unwrap();
        Feeder::open(&Watchdog::Systemd, Some(name.as_ref())).unwrap().feed(0).unwrap();
        assert_eq!(listens.recv(&mut [0; 100]).unwrap(), 10);
    }

    #[test]
    fn a_device_is_switched_off_only_by_a_decision_that_allows_it() {
        let folder = tempfile::tempdir().unwrap();
        for (decision, written) in [
            (Decision::Healthy, "kV"),
            (Decision::Degraded(vec![0]), "kV"),
            (Decision::Wait(vec![0]), "kV"),
            (Decision::RollBack(vec![0]), "k"),
            (Decision::Reboot(vec![0]), "k"),
            (Decision::Continue, "k"),
        ] {
            // A regular file knows no ioctl, so that what is written shows.
            let path: PathBuf = folder.path().join("watchdog");
            std::fs::write(&path, "").unwrap();
            let mut feeder = Feeder::open(&Watchdog::Device(path.clone()), None).unwrap();
            feeder.feed(0).unwrap();
            feeder.feed(1).unwrap();
            feeder.end(&decision).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), written, "{decision:?}");
        }
        assert!(Feeder::open(&Watchdog::Device(folder.path().join("none")), None).is_err());
    }
}
