//! Where a bundle's bytes come from, as C says it: a path, a descriptor, a callback, an address.

use std::ffi::{c_char, c_int, c_void};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::BorrowedFd;
use std::path::Path;

#[cfg(feature = "http")]
use super::boundary::{optional_text, unused};
use super::boundary::{Failure, Outcome, Sized1};
use super::code::bootslot_code::*;
use crate::error::Place;
use crate::update::source::{from_file, Source, StreamSource};

/// Brings the next bytes of a bundle, as read(2) does: puts at most `room` of them at `bytes`, and returns how many.
/// 0 is the end, and a negative number the errno of why there are none. It may be called from another thread than the
/// one that is in the function of this library, but not from two at once. It must return: it may not throw, or jump
/// out.
pub type bootslot_reader =
    Option<unsafe extern "C" fn(context: *mut c_void, bytes: *mut u8, room: usize) -> isize>;

/// Hears that a download waits before its next attempt, at the start of the wait and then each second. What it returns
/// cancels, unless it is 0. Otherwise as bootslot_reader.
pub type bootslot_waiter =
    Option<unsafe extern "C" fn(context: *mut c_void, wait: *const bootslot_wait) -> c_int>;

/// A wait of a download. It is valid until the callback returns.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct bootslot_wait {
    /// sizeof(bootslot_wait) of the library
    pub struct_size: usize,
    /// What went wrong.
    pub reason: *const c_char,
    /// Milliseconds until the next attempt.
    pub left: u32,
    /// How many attempts in a row have failed.
    pub failed: u32,
    /// This wait was not told of yet.
    pub first: bool,
    /// For later versions: zero.
    pub reserved: [u8; 7],
}

/// How a bundle is fetched. What is zero has its default.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct bootslot_download_options {
    /// sizeof(bootslot_download_options)
    pub struct_size: usize,
    /// Headers of each request, lines "Name: value". Only the server of the address gets them. NULL: none.
    pub headers: *const c_char,
    /// The file with the certificates of those who may vouch for the server (PEM). NULL: the system's.
    pub ca: *const c_char,
    /// The file with the certificate of this device (PEM). NULL: none.
    pub client_certificate: *const c_char,
    /// The file with the key of it (PEM). NULL: none.
    pub client_key: *const c_char,
    /// The proxy for http, such as "http://user:password@proxy:3128". NULL: none.
    pub http_proxy: *const c_char,
    /// The proxy for https. NULL: none.
    pub https_proxy: *const c_char,
    /// Hosts without proxy, with commas between them, or "*". NULL: none.
    pub no_proxy: *const c_char,
    /// Hears of each wait, and can cancel. NULL: nobody does.
    pub wait: bootslot_waiter,
    /// Its first argument. It is used until the handle is freed.
    pub context: *mut c_void,
    /// Seconds without a new byte after which the download fails. 0: 3600.
    pub retry_for: u32,
    /// For later versions: has to be zero.
    pub reserved: [u8; 4],
}

// SAFETY: NULL pointers and 0 are values, and the defaults.
unsafe impl Sized1 for bootslot_download_options {
    const FIRST: usize = end_of!(Self, reserved: [u8; 4]);
}

/// A bundle in a file, or in what has a path and is read from the front.
pub(super) fn named(path: &Path) -> Outcome<Box<dyn Source>> {
    let place = || Place::new(path, "opening the bundle");
    Ok(File::open(path).and_then(from_file).map_err(|error| place().io(error))?)
}

/// A bundle in what is open.
pub(super) fn duplicated(fd: c_int) -> Outcome<Box<dyn Source>> {
    if fd < 0 {
        return Err(Failure::new(BOOTSLOT_ERROR_ARGUMENT, format!("{fd} is no file descriptor")));
    }
    // SAFETY: it is not -1, and is borrowed for the call that duplicates it; where it is not open, that one fails.
    let copy = unsafe { BorrowedFd::borrow_raw(fd) }.try_clone_to_owned();
    let place = Place::new(Path::new("the file descriptor"), "taking it");
    Ok(copy.map(File::from).and_then(from_file).map_err(|error| place.io(error))?)
}

/// A bundle that a callback brings.
pub(super) fn read_by(read: bootslot_reader, context: *mut c_void) -> Outcome<Box<dyn Source>> {
    let read = read.ok_or_else(|| Failure::null("read"))?;
    Ok(Box::new(StreamSource::new(Reader { read, context })))
}

struct Reader {
    read: unsafe extern "C" fn(*mut c_void, *mut u8, usize) -> isize,
    context: *mut c_void,
}

// SAFETY: the header says that it is called from other threads.
unsafe impl Send for Reader {}

impl Read for Reader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        // SAFETY: there is as much room as is said; the rest is told to the caller in the header.
        let got = unsafe { (self.read)(self.context, buf.as_mut_ptr(), buf.len()) };
        match usize::try_from(got) {
            Ok(got) if got <= buf.len() => Ok(got),
            Ok(got) => {
                let text = format!("the callback returned {got}, and there was room for {}", buf.len());
                Err(io::Error::other(text))
            }
            Err(_) => {
                let errno = got.checked_neg().and_then(|errno| i32::try_from(errno).ok());
                Err(io::Error::from_raw_os_error(errno.unwrap_or(libc::EIO)))
            }
        }
    }
}

#[cfg(not(feature = "http"))]
pub(super) unsafe fn fetched(
    _address: &[u8],
    _download: Option<bootslot_download_options>,
) -> Outcome<Box<dyn Source>> {
    let text = "this build fetches nothing from a server (feature `http`)";
    Err(Failure::new(BOOTSLOT_ERROR_UNSUPPORTED, text))
}

/// A bundle on a server.
#[cfg(feature = "http")]
pub(super) unsafe fn fetched(
    address: &[u8],
    download: Option<bootslot_download_options>,
) -> Outcome<Box<dyn Source>> {
    use crate::update::source::http::{HttpSource, Options};
    let options = match download {
        Some(download) => http::options(&download)?,
        None => Options::default(),
    };
    Ok(Box::new(HttpSource::new(http::utf8(address, "address")?, options)?))
}

/// What is asked of a download.
#[cfg(feature = "http")]
mod http {
    use std::ops::ControlFlow;
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::capi::boundary::path;
    use crate::capi::given::c_string;
    use crate::update::source::http::{ClientFiles, OnWait, Options, Proxies, Retry, Waiting};

    /// Nothing of it is repeated in the error: it may be a secret.
    pub fn utf8<'a>(bytes: &'a [u8], argument: &str) -> Outcome<&'a str> {
        let wrong = |_| Failure::new(BOOTSLOT_ERROR_ARGUMENT, format!("{argument} is not UTF-8"));
        std::str::from_utf8(bytes).map_err(wrong)
    }

    pub unsafe fn options(download: &bootslot_download_options) -> Outcome<Options> {
        unused(&download.reserved)?;
        let given = |string, argument| {
            let text = optional_text(string).filter(|text| !text.is_empty());
            text.map(|text| utf8(text, argument).map(str::to_owned)).transpose()
        };
        let file = |string| optional_text(string).map(|file| path(file).to_owned());
        let client = match (file(download.client_certificate), file(download.client_key)) {
            (None, None) => None,
            (Some(certificate), Some(key)) => Some(ClientFiles { certificate, key }),
            _ => {
                let text = "client_certificate and client_key: one is given, and the other is NULL";
                return Err(Failure::new(BOOTSLOT_ERROR_ARGUMENT, text));
            }
        };
        let mut retry = Retry::default();
        if download.retry_for > 0 {
            retry.limit = Duration::from_secs(download.retry_for.into());
        }
        Ok(Options {
            headers: headers(&given(download.headers, "headers")?.unwrap_or_default())?,
            ca: file(download.ca),
            client,
            proxies: Proxies {
                http: given(download.http_proxy, "http_proxy")?,
                https: given(download.https_proxy, "https_proxy")?,
                except: given(download.no_proxy, "no_proxy")?.unwrap_or_default(),
            },
            retry,
            on_wait: download.wait.map(|hear| on_wait(hear, download.context)),
            ..Options::default()
        })
    }

    fn headers(text: &str) -> Outcome<Vec<(String, String)>> {
        let mut headers = Vec::new();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let (name, value) = line.split_once(':').ok_or_else(|| {
                let text = format!("line {} of headers is not 'Name: value'", number + 1);
                Failure::new(BOOTSLOT_ERROR_ARGUMENT, text)
            })?;
            headers.push((name.trim().to_owned(), value.trim().to_owned()));
        }
        Ok(headers)
    }

    /// Who hears of waits.
    struct Waiter {
        hear: unsafe extern "C" fn(*mut c_void, *const bootslot_wait) -> c_int,
        context: *mut c_void,
    }

    // SAFETY: the header says that it is called from other threads.
    unsafe impl Send for Waiter {}
    // SAFETY: the source has it alone, and waits in one thread at a time.
    unsafe impl Sync for Waiter {}

    impl Waiter {
        fn tell(&self, now: &Waiting<'_>) -> ControlFlow<()> {
            let reason = c_string(now.reason.as_bytes().to_vec());
            let wait = bootslot_wait {
                struct_size: std::mem::size_of::<bootslot_wait>(),
                reason: reason.as_ptr(),
                left: u32::try_from(now.left.as_millis()).unwrap_or(u32::MAX),
                failed: now.failed,
                first: now.is_first,
                reserved: [0; 7],
            };
            // SAFETY: the structure lives for the call; the rest is told to the caller in the header.
            match unsafe { (self.hear)(self.context, &wait) } {
                0 => ControlFlow::Continue(()),
                _ => ControlFlow::Break(()),
            }
        }
    }

    fn on_wait(
        hear: unsafe extern "C" fn(*mut c_void, *const bootslot_wait) -> c_int,
        context: *mut c_void,
    ) -> OnWait {
        let waiter = Waiter { hear, context };
        Arc::new(move |now| waiter.tell(&now))
    }
}
