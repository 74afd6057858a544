//! The kernel's watchdog devices (linux/watchdog.h).

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::time::Duration;

use super::check;

/// WDIOC_KEEPALIVE and WDIOC_GETTIMEOUT of linux/watchdog.h. The header says _IOR for the first one as well, which takes
/// nothing.
const KEEP_ALIVE: libc::Ioctl = libc::_IOR::<libc::c_int>(b'W' as u32, 5);
const GET_TIMEOUT: libc::Ioctl = libc::_IOR::<libc::c_int>(b'W' as u32, 7);

/// Tells the watchdog that all is well.
pub fn keep_alive(device: &File) -> io::Result<()> {
    let mut unused: libc::c_int = 0;
    // SAFETY: the kernel takes no more than the int that the number of the call speaks of, which `unused` is.
    check(unsafe { libc::ioctl(device.as_raw_fd(), KEEP_ALIVE, &mut unused as *mut libc::c_int) }).map(drop)
}

/// After so long without [`keep_alive`] the machine is reset.
pub fn timeout(device: &File) -> io::Result<Duration> {
    let mut seconds: libc::c_int = 0;
    // SAFETY: the kernel writes an int, which is what `seconds` is.
    check(unsafe { libc::ioctl(device.as_raw_fd(), GET_TIMEOUT, &mut seconds as *mut libc::c_int) })?;
    Ok(Duration::from_secs(seconds.try_into().unwrap_or(0)))
}
