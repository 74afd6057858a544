//! Bundles over HTTP and HTTPS, by ranges, from servers as they really are (feature `http`).
//!
//! | file | job |
//! |---|---|
//! | `options.rs` | what can be chosen |
//! | `ranges.rs` | which requests bring a list of ranges |
//! | `client.rs` | one request, wherever the server redirects it to |
//! | `header.rs` | what a server's headers say |
//! | `url.rs` | addresses, and what of them may be shown |
//! | `trouble.rs` | why a request has not brought bytes |
//! | `post.rs` | a short message to a server |
//! | `exchange.rs` | a conversation with a server: short messages and their answers |
//! | `patience.rs` | when a failing request is tried again |
//!
//! One body at a time is read as it arrives and is never in memory as a whole. What fails on the way is asked for again
//! from the byte on that is missing. No trust is needed: each byte is compared with a signed hash before it is written.

mod client;
mod exchange;
pub mod header;
pub mod options;
mod patience;
mod post;
pub mod ranges;
mod trouble;
pub mod url;

use std::collections::VecDeque;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

use ureq::http::header as name;
use ureq::BodyReader;

use super::Source;
use crate::error::Error;
use crate::update::error::{Result, UpdateError};
pub use client::Canceller;
use client::{Answer, Client};
pub use exchange::{Exchange, Method, NoAnswer, Reply};
use header::{content_length, ContentRange, Version};
pub use options::{ClientFiles, OnWait, Options, Proxies, Retry, Waiting};
use patience::Patience;
pub use post::post;
use trouble::Trouble;
use url::Url;

/// As long as nobody has said what will be read, the first request asks for so many bytes, and each one that goes on
/// where the last one ended for twice as many.
const FIRST: u64 = 64 << 10;

/// As long as no more bytes than these are on their way, the next planned request is sent, on another connection: so
/// the way there and back costs no time. Not earlier: a server does not wait for ever until its bytes are taken.
const AHEAD: u64 = 256 << 10;

/// So many requests are sent ahead at most. With the one that is read there are as many connections as a browser has.
const MOST_AHEAD: usize = 5;

/// Of the requests that are left, one in so many is for what nobody could foresee.
const RESERVE: usize = 5;

/// Bytes that nobody wants are read in such pieces.
const PIECE: usize = 16 << 10;

/// A body that is being read.
struct Stream {
    body: BodyReader<'static>,
    /// The byte of the bundle that comes next.
    at: u64,
    /// Where it ends. The last one of the whole may be unknown.
    end: u64,
    /// The server said the same length in another way: after the last byte the connection can be used again.
    ends_there: bool,
}

/// A request that was sent ahead.
struct Ahead {
    range: Range<u64>,
    thread: JoinHandle<Option<Answer>>,
}

/// A bundle on a server.
pub struct HttpSource {
    client: Client,
    options: Options,
    /// What the server said of the bundle at first.
    version: Option<Version>,
    /// The requests that are to be made, in ascending order.
    plan: Vec<Range<u64>>,
    stream: Option<Stream>,
    /// The planned requests that were sent already, in ascending order.
    ahead: VecDeque<Ahead>,
    /// How many of them the server seems to bear.
    most_ahead: usize,
    /// Requests that were made, of which none was to be repeated.
    requests: usize,
    /// All requests.
    attempts: u64,
    /// The server sends everything, whatever it is asked for.
    sends_all: bool,
    /// The next request without a plan goes on where the last one ended, and asks for so many bytes.
    window: (u64, u64),
}

impl HttpSource {
    /// A bundle at an address of `http` or `https`. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`UpdateError::Device`]: the address, a header or a file that the options name can't be used.
    pub fn new(address: &str, options: Options) -> Result<HttpSource> {
        let url = Url::parse(address).map_err(|reason| Error::Refused(reason.into()))?;
        Ok(HttpSource {
            client: Client::new(url, &options)?,
            options,
            version: None,
            plan: Vec::new(),
            stream: None,
            ahead: VecDeque::new(),
            most_ahead: MOST_AHEAD,
            requests: 0,
            attempts: 0,
            sends_all: false,
            window: (0, FIRST),
        })
    }

    /// Ends the download from another thread; whoever reads gets [`UpdateError::Cancelled`].
    pub fn canceller(&self) -> Canceller {
        self.client.canceller()
    }

    /// Requests that were sent so far, redirects not counted.
    pub fn attempts(&self) -> u64 {
        self.attempts
    }

    fn total(&self) -> Option<u64> {
        self.version.as_ref()?.len
    }

    fn get(&mut self, offset: u64, buf: &mut [u8]) -> std::result::Result<(), Trouble> {
        let mut patience = Patience::new();
        let mut at = offset;
        let mut rest = buf;
        // A repeated request does not count: the servers' limits are for those that work.
        let mut again = false;
        while !rest.is_empty() {
            if self.client.canceller().cancelled.load(Ordering::Relaxed) {
                return Err(Trouble::Cancelled);
            }
            match self.some(at, rest, again) {
                Ok(got) => {
                    patience.progress();
                    again = false;
                    at += got as u64;
                    rest = rest.get_mut(got..).unwrap_or_default();
                }
                Err(Trouble::Later { reason, after }) => {
                    self.stream = None;
                    again = true;
                    let Options { retry, on_wait, .. } = &self.options;
                    let cancelled = self.client.canceller().cancelled;
                    patience.wait(&reason, after, retry, on_wait.as_ref(), &cancelled)?;
                }
                Err(trouble) => {
                    self.stream = None;
                    return Err(trouble);
                }
            }
        }
        Ok(())
    }

    /// Reads some bytes, at least one.
    fn some(&mut self, at: u64, buf: &mut [u8], again: bool) -> std::result::Result<usize, Trouble> {
        if self.total().is_some_and(|total| at >= total) {
            return Err(Trouble::End);
        }
        let mut stream = match self.stream.take() {
            Some(stream) if self.leads_to(&stream, at) => stream,
            _ => self.open(at, buf.len() as u64, again)?,
        };
        self.ask_ahead(&stream);
        let mut trash = [0; PIECE];
        while stream.at < at {
            let len = (at - stream.at).min(PIECE as u64) as usize;
            self.take(&mut stream, trash.get_mut(..len).unwrap_or_default())?;
        }
        let len = (stream.end - stream.at).min(buf.len() as u64) as usize;
        let got = self.take(&mut stream, buf.get_mut(..len).unwrap_or_default())?;
        if stream.at < stream.end {
            self.stream = Some(stream);
        } else if stream.ends_there {
            // The end has to be seen, so that the connection is kept.
            let _ = stream.body.read(&mut [0]);
        }
        Ok(got)
    }

    /// The next bytes of a body, at least one.
    fn take(&mut self, stream: &mut Stream, buf: &mut [u8]) -> std::result::Result<usize, Trouble> {
        let url = self.client.home();
        match stream.body.read(buf) {
            Ok(0) if stream.end == u64::MAX && stream.ends_there => {
                // Chunked, and with its end: now the length is known.
                if let Some(version) = &mut self.version {
                    version.complete(Some(stream.at));
                }
                Err(Trouble::End)
            }
            Ok(0) => Err(Trouble::Later {
                reason: format!("{url}: the server ended before byte {} of {}", stream.at, stream.end),
                after: None,
            }),
            Ok(got) => {
                stream.at += got as u64;
                Ok(got)
            }
            Err(_) if self.client.canceller().cancelled.load(Ordering::Relaxed) => Err(Trouble::Cancelled),
            Err(error) => Err(client::judge(url, error.into())),
        }
    }

    /// Whether the open body is the way to this byte.
    fn leads_to(&self, stream: &Stream, at: u64) -> bool {
        let Some(gap) = at.checked_sub(stream.at) else { return false };
        let one_request = || self.planned(at).is_some_and(|request| request.contains(&stream.at));
        at < stream.end && (gap <= self.options.gap || self.sends_all || self.is_at_limit() || one_request())
    }

    fn planned(&self, at: u64) -> Option<&Range<u64>> {
        let next = self.plan.partition_point(|request| request.end <= at);
        self.plan.get(next).filter(|request| request.start <= at)
    }

    fn is_at_limit(&self) -> bool {
        self.requests >= self.options.requests
    }

    /// Sends the next planned requests as soon as the end of what is on its way is near.
    fn ask_ahead(&mut self, stream: &Stream) {
        if self.sends_all || self.planned(stream.at).is_none() {
            return;
        }
        let mut coming = stream.end - stream.at;
        coming += self.ahead.iter().map(|ahead| ahead.range.end - ahead.range.start).sum::<u64>();
        while coming <= AHEAD && self.ahead.len() < self.most_ahead {
            let end = self.ahead.back().map_or(stream.end, |last| last.range.end);
            let next = self.plan.partition_point(|request| request.start < end);
            let next = self.plan.get(next).filter(|next| self.total().is_some_and(|total| next.end <= total));
            let Some(range) = next.cloned() else { return };
            let Some(thread) = self.client.ahead(range.start, range.end - 1) else { return };
            self.requests += 1;
            self.attempts += 1;
            coming += range.end - range.start;
            self.ahead.push_back(Ahead { range, thread });
        }
    }

    /// What became of the request that was sent ahead for this byte, if there is one.
    fn came_ahead(&mut self, at: u64) -> Option<Option<Answer>> {
        while self.ahead.front().is_some_and(|first| first.range.start < at) {
            self.ahead.pop_front();
        }
        self.ahead.front().filter(|first| first.range.start == at)?;
        let answer = self.ahead.pop_front()?.thread.join().ok().flatten();
        if answer.is_none() {
            // A server may allow for a few connections only.
            self.most_ahead = (self.most_ahead / 2).max(1);
        }
        Some(answer)
    }

    /// Asks for the bytes from `at` on, of which so many are wanted at once.
    fn open(&mut self, at: u64, wanted: u64, again: bool) -> std::result::Result<Stream, Trouble> {
        let total = self.total().unwrap_or(u64::MAX);
        let end = if let Some(request) = self.planned(at) {
            request.end
        } else if self.is_at_limit() && !again {
            total
        } else if self.plan.is_empty() {
            // Nobody has said what will be read.
            let len = if self.window.0 == at { self.window.1 } else { FIRST };
            let end = at.saturating_add(len.max(wanted));
            if !again {
                self.window = (end, len.saturating_mul(2));
            }
            end
        } else {
            at.saturating_add(wanted)
        };
        let end = end.min(total);
        let last = (end != u64::MAX).then(|| end - 1);
        let ahead = self.came_ahead(at);
        let again = again || ahead.is_some();
        if let Some(answer) = ahead.flatten() {
            return self.check(answer, at, end);
        }
        self.requests += usize::from(!again);
        self.attempts += 1;
        let answer = self.client.get(at, last)?;
        self.check(answer, at, end)
    }

    /// Looks at what came back before a byte of it is taken.
    fn check(&mut self, answer: Answer, at: u64, end: u64) -> std::result::Result<Stream, Trouble> {
        let url = self.client.home();
        let never = |reason: String| Err(Trouble::Never(format!("{url}: {reason}")));
        let length = answer.header(name::CONTENT_LENGTH).and_then(content_length);
        let range = answer.header(name::CONTENT_RANGE).and_then(ContentRange::parse);
        let (bytes, total) = match (answer.status, range) {
            // An empty file.
            (200, _) if length == Some(0) && self.version.is_none() => return Err(Trouble::End),
            (200, _) => (0..length.unwrap_or(u64::MAX), length),
            (206, Some(ContentRange { bytes: Some(bytes), total })) => (bytes, total),
            (206, _) => return never("the server does not say which bytes it sends".into()),
            (416, Some(ContentRange { bytes: None, total: Some(total) })) if self.version.is_none() => {
                let reason = format!("the server has {total} bytes there");
                return if total <= at { Err(Trouble::End) } else { never(reason) };
            }
            (416, range) => {
                let now = Version { len: range.and_then(|range| range.total), ..Version::default() };
                let reason = self.version.as_ref().and_then(|version| version.same(&now).err());
                let refused = "the server refuses the range that was asked for".into();
                return reason.map_or_else(|| never(refused), |reason| Err(self.changed(&reason)));
            }
            (status, _) => return Err(self.client.refusal("bundle", &answer, status)),
        };
        let coding = answer.header(name::CONTENT_ENCODING).unwrap_or("identity").trim();
        if !coding.eq_ignore_ascii_case("identity") && !coding.is_empty() {
            let coding: String = coding.chars().take(32).collect();
            return never(format!("the server sends the bundle compressed ({coding:?}), unasked"));
        }
        let (etag, modified) = (answer.header(name::ETAG), answer.header(name::LAST_MODIFIED));
        let now = Version::new(etag, modified, total);
        match &mut self.version {
            Some(version) => {
                if let Err(reason) = version.same(&now) {
                    return Err(self.changed(&reason));
                }
                version.complete(total);
            }
            None => self.version = Some(now),
        }
        if bytes.start > at || bytes.end <= at {
            let (first, last) = (bytes.start, bytes.end.saturating_sub(1));
            return never(format!("asked for the bytes from {at} on, the server sends {first} to {last}"));
        }
        self.sends_all |= bytes.start < at || answer.status == 200;
        let sent = bytes.end - bytes.start;
        // A range may be longer than what was asked for. If it can't be ended early, it is not read to its end.
        let end = if self.sends_all { bytes.end } else { bytes.end.min(end) };
        let chunked = answer.headers.contains_key(name::TRANSFER_ENCODING);
        let ends_there = end == bytes.end && length.map_or(chunked, |length| length == sent);
        Ok(Stream { body: answer.body, at: bytes.start, end, ends_there })
    }

    fn changed(&self, reason: &str) -> Trouble {
        Trouble::Changed(format!("{}: {reason}", self.client.home()))
    }
}

impl Source for HttpSource {
    fn read(&mut self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.fetch(offset, buf).map_err(|error| match error {
            UpdateError::Read { error, .. } => error,
            error => io::Error::other(error),
        })
    }

    fn len(&self) -> Option<u64> {
        self.total()
    }

    fn is_dear(&self) -> bool {
        true
    }

    fn announce(&mut self, ranges: &[Range<u64>]) {
        let left = self.options.requests.saturating_sub(self.requests);
        self.ahead.clear();
        self.plan = ranges::merge(ranges, self.options.gap, left - left / RESERVE);
    }

    fn fetch(&mut self, offset: u64, buf: &mut [u8]) -> Result<()> {
        self.get(offset, buf).map_err(|trouble| trouble.into_error(offset))
    }
}
