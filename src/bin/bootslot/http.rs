//! The options of a download, and what the process's environment says of proxies.

use std::env;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bootslot::update::source::http::{self, ClientFiles, HttpSource, Proxies, Retry, Waiting};
use clap::Args;
use serde_json::json;

use crate::outcome::{complain, print_event, read_input, Failure, Outcome};

/// The options of a download.
#[derive(Args)]
#[command(next_help_heading = "Download")]
pub struct Download {
    /// Send a header, or those in a file; can be given several times
    #[arg(long, value_name = "NAME: VALUE|@FILE")]
    header: Vec<String>,

    /// Trust servers that this CA vouches for, and no other (PEM) [default: the system's]
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,

    /// The certificate of this device (PEM)
    #[arg(long, value_name = "FILE", requires = "client_key")]
    client_cert: Option<PathBuf>,

    /// Its key (PEM)
    #[arg(long, value_name = "FILE", requires = "client_cert")]
    client_key: Option<PathBuf>,

    /// Give up after so long without a new byte
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    retry_for: u64,
}

impl Download {
    /// The bundle at this address.
    pub fn source(&self, address: &str, json: bool) -> Outcome<HttpSource> {
        let mut headers = Vec::new();
        for given in &self.header {
            match given.strip_prefix('@') {
                Some(file) => headers.extend(headers_in(Path::new(file))?),
                None => headers.push(header(given)?),
            }
        }
        let client = match (self.client_cert.clone(), self.client_key.clone()) {
            (Some(certificate), Some(key)) => Some(ClientFiles { certificate, key }),
            _ => None,
        };
        let options = http::Options {
            headers,
            ca: self.ca.clone(),
            client,
            proxies: proxies(),
            retry: Retry { limit: Duration::from_secs(self.retry_for), ..Retry::default() },
            on_wait: Some(Arc::new(move |now| {
                tell(&now, json);
                ControlFlow::Continue(())
            })),
            ..http::Options::default()
        };
        Ok(HttpSource::new(address, options)?)
    }
}

/// The headers in a file, one in a line.
pub fn headers_in(file: &Path) -> Outcome<Vec<(String, String)>> {
    let bytes = read_input(file)?;
    let text = String::from_utf8_lossy(&bytes);
    text.lines().filter(|line| !line.trim().is_empty()).map(header).collect()
}

/// `Name: value`. What is wrong is not repeated: it may be a secret.
fn header(text: &str) -> Outcome<(String, String)> {
    let (name, value) = text.split_once(':').ok_or_else(|| {
        Failure::Usage("a header is given as 'Name: value', or as @FILE with such lines".into())
    })?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

/// Those of this process.
pub fn proxies() -> Proxies {
    Proxies::named(&|name| env::var(name).ok())
}

/// Tells of a wait: each second as JSON, once for people.
fn tell(now: &Waiting<'_>, json: bool) {
    let seconds = now.left.as_secs_f64();
    if json {
        let event = json!({
            "event": "waiting",
            "reason": now.reason,
            "seconds": (seconds * 10.0).round() / 10.0,
            "failed": now.failed,
        });
        let _ = print_event(&event);
    } else if now.is_first {
        complain("bootslot", format_args!("{}; next attempt in {seconds:.0} s", now.reason));
    }
}
