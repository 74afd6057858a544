//! Does an address answer? A status from 400 on is no good answer; where a redirect leads is not asked.

use super::Finding;

#[cfg(not(feature = "http"))]
pub(super) fn answers(url: &str) -> Result<Finding, String> {
    Err(format!("{url}: this program was built without the feature `http`"))
}

#[cfg(feature = "http")]
pub(super) fn answers(url: &str) -> Result<Finding, String> {
    use std::fs;
    use std::sync::Arc;
    use std::time::Duration;

    use rustls::crypto::ring;
    use ureq::tls::{parse_pem, PemItem, RootCerts, TlsConfig};
    use ureq::Agent;

    use crate::settings::SYSTEM_CA;

    /// Beside the time limit of the check, so that the reason is told.
    const PATIENCE: Duration = Duration::from_secs(8);

    let mut trusted = Vec::new();
    if url.starts_with("https:") {
        let pem = SYSTEM_CA.iter().find_map(|path| fs::read(path).ok());
        let pem = pem.ok_or("this system has no file of trusted certificates")?;
        trusted.extend(parse_pem(&pem).filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        }));
    }
    let tls = TlsConfig::builder()
        .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
        .root_certs(RootCerts::new_with_certs(&trusted))
        .build();
    let agent: Agent = Agent::config_builder()
        .tls_config(tls)
        .proxy(None)
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(concat!("bootslot/", env!("CARGO_PKG_VERSION")))
        .timeout_global(Some(PATIENCE))
        .build()
        .into();
    let answer = agent.get(url).call().map_err(|error| format!("{url}: {error}"))?;
    let status = answer.status();
    match status.as_u16() < 400 {
        true => Ok(format!("{url} answers {status}").into()),
        false => Err(format!("{url} answers {status}")),
    }
}

#[cfg(all(test, feature = "http"))]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    /// A server that answers one request with this status.
    fn server(status: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\nlocation: /x\r\n\r\n");
        });
        format!("http://{address}/ping")
    }

    #[test]
    fn the_status_counts() {
        for status in ["200 OK", "204 No Content", "302 Found"] {
            let url = server(status);
            assert_eq!(answers(&url).unwrap().says, format!("{url} answers {status}"));
        }
        for status in ["404 Not Found", "500 Internal Server Error"] {
            assert!(answers(&server(status)).unwrap_err().ends_with(status));
        }
        assert!(answers("http://127.0.0.1:1/").is_err());
    }
}
