//! A short message to a server, tried until it is taken or refused.

use super::client::Client;
use super::options::Options;
use super::patience::Patience;
use super::trouble::Trouble;
use super::url::Url;
use crate::error::{Error, Result};

/// Brings these bytes to the server at this address, by POST. An answer of 2xx means that it has them. Other answers
/// and no answer are tried again, as for a download (`options.retry`), but for those that will not change: 4xx other
/// than 408 and 429, and redirects, which are not followed with a body.
///
/// # Errors
///
/// [`Error::Refused`] with the reason: nobody has taken it for certain.
pub fn post(address: &str, options: &Options, content_type: &str, body: &[u8]) -> Result<()> {
    let url = Url::parse(address).map_err(|reason| Error::Refused(format!("the address: {reason}")))?;
    let mut client = Client::new(url, options)?;
    let cancelled = client.canceller().cancelled;
    let mut patience = Patience::new();
    let refused = |trouble: Trouble| match trouble {
        Trouble::Later { reason, .. } | Trouble::Never(reason) | Trouble::Changed(reason) => {
            Error::Refused(reason)
        }
        Trouble::End | Trouble::Cancelled => Error::Refused("it was cancelled".into()),
    };
    loop {
        match client.post(content_type, body) {
            Ok(()) => return Ok(()),
            Err(Trouble::Later { reason, after }) => patience
                .wait(&reason, after, &options.retry, options.on_wait.as_ref(), &cancelled)
                .map_err(refused)?,
            Err(trouble) => return Err(refused(trouble)),
        }
    }
}
