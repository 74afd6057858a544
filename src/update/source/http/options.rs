//! What can be chosen of a download.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use crate::settings::SYSTEM_CA;

/// What can be chosen.
#[derive(Clone)]
pub struct Options {
    /// Headers that go with each request to the server of the address, such as Authorization. They are taken for
    /// secrets: another server, to which a redirect leads, does not get them, and they are never shown.
    pub headers: Vec<(String, String)>,
    /// What the program calls itself.
    pub user_agent: String,
    /// A PEM file with the certificates of those who may vouch for the server. `None`: the system's file, one of
    /// [`SYSTEM_CA`].
    pub ca: Option<PathBuf>,
    /// Who the device is. It is told to the server of the address only.
    pub client: Option<ClientFiles>,
    /// The way out.
    pub proxies: Proxies,
    /// A gap of so many bytes between two wanted ranges is read along; a longer one is worth a request of its own, as
    /// long as there are not too many of them.
    pub gap: u64,
    /// So many requests are made at most, as long as none has to be repeated: more gaps are read along then, the
    /// smallest ones first. A fifth of them is kept for what nobody can foresee. Some servers stop answering after a number of requests (hawkBit: 1000 for each action).
    pub requests: usize,
    /// How long a connection may take to be made.
    pub connect: Duration,
    /// How long a server may be silent.
    pub stall: Duration,
    /// How often and how long a failing request is tried.
    pub retry: Retry,
    /// Hears of each wait.
    pub on_wait: Option<OnWait>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            headers: Vec::new(),
            user_agent: concat!("bootslot/", env!("CARGO_PKG_VERSION")).into(),
            ca: None,
            client: None,
            proxies: Proxies::default(),
            // On a line of 10 Mbit/s it is read in less time than a request takes, of which a few are made at a time in
            // 50 ms: tests/http_source, what_a_gap_is_worth.
            gap: 4 << 10,
            requests: 500,
            connect: Duration::from_secs(30),
            stall: Duration::from_secs(60),
            retry: Retry::default(),
            on_wait: None,
        }
    }
}

/// The two PEM files of a client.
#[derive(Debug, Clone)]
pub struct ClientFiles {
    /// Its certificate, and those between it and the CA.
    pub certificate: PathBuf,
    /// The key.
    pub key: PathBuf,
}

/// Proxies, such as `http://user:password@proxy:3128`. They are asked to CONNECT, for `http` as well.
#[derive(Clone, Default)]
pub struct Proxies {
    /// For `http`.
    pub http: Option<String>,
    /// For `https`.
    pub https: Option<String>,
    /// Hosts for which none is used: `localhost,.example.com`; `*` for all.
    pub except: String,
}

impl Proxies {
    /// Those that the process's environment names, read as curl does, except that `HTTP_PROXY` counts as well: this is no
    /// CGI script, to which it could be forged. `variable` looks one up.
    pub fn named(variable: &dyn Fn(&str) -> Option<String>) -> Proxies {
        let value = |names: [&str; 2]| {
            let values = names.into_iter().filter_map(variable);
            values.into_iter().find(|value| !value.is_empty())
        };
        let all = value(["all_proxy", "ALL_PROXY"]);
        Proxies {
            http: value(["http_proxy", "HTTP_PROXY"]).or_else(|| all.clone()),
            https: value(["https_proxy", "HTTPS_PROXY"]).or(all),
            except: value(["no_proxy", "NO_PROXY"]).unwrap_or_default(),
        }
    }
}

/// How often and how long a failing request is tried.
#[derive(Debug, Clone, Copy)]
pub struct Retry {
    /// After so long without a new byte it ends.
    pub limit: Duration,
    /// The first wait; each further one is twice as long, and each is shortened at random by up to a half.
    pub first: Duration,
    /// The longest wait.
    pub longest: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Retry {
            limit: Duration::from_secs(3600),
            first: Duration::from_secs(1),
            longest: Duration::from_secs(60),
        }
    }
}

/// A wait before the next attempt.
#[derive(Debug, Clone, Copy)]
pub struct Waiting<'a> {
    /// What went wrong.
    pub reason: &'a str,
    /// How long it will still last.
    pub left: Duration,
    /// How many attempts in a row have failed.
    pub failed: u32,
    /// This wait was not told of yet.
    pub is_first: bool,
}

/// Hears at the start of each wait and each second of it how long it will last, and can cancel.
pub type OnWait = Arc<dyn Fn(Waiting<'_>) -> ControlFlow<()> + Send + Sync>;
