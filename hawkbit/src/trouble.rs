//! Why a visit has ended early.

use std::time::Duration;

use bootslot::update::source::http::{NoAnswer, Reply};
use bootslot::Error;

/// Why a visit has ended early.
#[derive(Debug)]
pub struct Trouble {
    /// Why, in words without secrets.
    pub reason: String,
    /// The server asks to wait so long.
    pub after: Option<Duration>,
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Trouble { reason: error.to_string(), after: None }
    }
}

impl From<NoAnswer> for Trouble {
    fn from(error: NoAnswer) -> Self {
        Trouble { reason: error.to_string(), after: None }
    }
}

/// What a visit comes to.
pub type Result<T = ()> = std::result::Result<T, Trouble>;

/// A reply that says yes.
///
/// # Errors
///
/// Any other one, as [`Trouble`].
pub fn good(what: &str, reply: Reply) -> Result<Reply> {
    match reply.status {
        200..=299 => Ok(reply),
        _ => Err(refusal(what, &reply)),
    }
}

/// What a status means that is no success.
pub fn refusal(what: &str, reply: &Reply) -> Trouble {
    let status = reply.status;
    let says = match status {
        301..=308 => "it is elsewhere: the address of the server in the settings is not right",
        401 => "it does not know this device by its token",
        403 => "this device may not, or there is too much of it",
        404 => "there is none: are tenant and controller right?",
        409 => "it contradicts what it knows",
        410 => "it is gone",
        429 => "there were too many requests",
        503 => "it can't just now",
        _ => "no",
    };
    Trouble {
        reason: format!("asked about {what}, the server says: {says} ({status})"),
        after: reply.retry_after,
    }
}

/// An answer that makes no sense.
pub fn unreadable(what: &str, reason: &str) -> Trouble {
    Trouble { reason: format!("{what} can't be read: {reason}"), after: None }
}
