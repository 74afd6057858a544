//! A conversation with a server: short messages, and what it answers. For those who bring updates from a fleet server.

use std::io::Read;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ureq::http::{header, Request};

use super::client::{judge, Client};
use super::header::retry_after;
use super::options::Options;
use super::trouble::Trouble;
use super::url::Url;
use crate::error::{Error, Result};

/// What is wanted of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Something is asked for.
    Get,
    /// Something is told that takes the place of what was told before.
    Put,
    /// Something is told.
    Post,
}

impl Method {
    /// The word in a request.
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Put => "PUT",
            Method::Post => "POST",
        }
    }
}

/// What a server has answered, whatever that is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Reply {
    /// The status, such as 200.
    pub status: u16,
    /// How long the server asks to wait (Retry-After).
    pub retry_after: Option<Duration>,
    /// The body.
    pub body: Vec<u8>,
}

impl Reply {
    /// A reply with this status and body.
    pub fn new(status: u16, body: Vec<u8>) -> Reply {
        Reply { status, retry_after: None, body }
    }
}

/// Why there is no answer, in words that hold no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoAnswer {
    /// It may go better later.
    #[error("{0}")]
    Later(String),
    /// It will not, until somebody changes something.
    #[error("{0}")]
    Never(String),
}

/// A server that is asked and told. Nothing is tried a second time.
///
/// The headers and the certificate of the options go to the server of the address alone: a message for another one is
/// not sent, and a redirect is an answer like any other.
pub struct Exchange {
    client: Client,
    home: Url,
}

impl Exchange {
    /// A server at an address of `http` or `https`. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`], [`Error::Device`] and [`Error::Io`]: the address, a header or a file that the options name
    /// can't be used.
    pub fn new(address: &str, options: &Options) -> Result<Exchange> {
        let home = Url::parse(address).map_err(|reason| Error::Refused(format!("the address: {reason}")))?;
        Ok(Exchange { client: Client::new(home.clone(), options)?, home })
    }

    /// The server's address. It is shown without what is secret in it.
    pub fn home(&self) -> &Url {
        &self.home
    }

    /// Sends a message to an address of this server. `kind` is what the body is, and what is wanted back, such as
    /// `application/json`. A body of more than `longest` bytes is no answer.
    ///
    /// # Errors
    ///
    /// Nobody knows whether the server has heard it.
    pub fn send(
        &mut self,
        method: Method,
        address: &str,
        kind: &str,
        body: &[u8],
        longest: usize,
    ) -> std::result::Result<Reply, NoAnswer> {
        let url = Url::parse(address).map_err(|reason| NoAnswer::Never(format!("an address: {reason}")))?;
        if !url.has_origin_of(&self.home) {
            return Err(NoAnswer::Never(format!("{url}: this is another server than {}", self.home)));
        }
        let mut request =
            Request::builder().method(method.as_str()).uri(url.uri()).header(header::ACCEPT, kind);
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, kind);
        }
        let answer = self.client.talk(&url, request, body).map_err(no_answer)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
        let date = answer.header(header::DATE);
        let retry_after = answer.header(header::RETRY_AFTER).and_then(|text| retry_after(text, date, now));
        let mut body = Vec::new();
        let room = (longest as u64).saturating_add(1);
        let read = answer.body.take(room).read_to_end(&mut body);
        read.map_err(|error| no_answer(judge(&url, error.into())))?;
        match body.len() > longest {
            true => Err(NoAnswer::Later(format!("{url}: an answer of more than {longest} bytes"))),
            false => Ok(Reply { status: answer.status, retry_after, body }),
        }
    }
}

fn no_answer(trouble: Trouble) -> NoAnswer {
    match trouble {
        Trouble::Later { reason, .. } => NoAnswer::Later(reason),
        Trouble::Never(reason) | Trouble::Changed(reason) => NoAnswer::Never(reason),
        Trouble::End | Trouble::Cancelled => NoAnswer::Later("it was cancelled".into()),
    }
}
