//! One request, wherever the server redirects it to.
//!
//! The client is ureq: HTTP/1.1 without an asynchronous runtime, and TLS by rustls, so that the program stays one file
//! that needs no library of the system. Redirects are followed here: ureq would take our headers along to other hosts.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::crypto::{ring, CryptoProvider};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::RootCertStore;
use ureq::http::request::Builder;
use ureq::http::{header, HeaderMap, HeaderName, HeaderValue, Request, Response};
use ureq::tls::{parse_pem, Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig};
use ureq::{Agent, Body, BodyReader, Proxy};

use super::header::retry_after;
use super::options::{ClientFiles, Options, SYSTEM_CA};
use super::trouble::Trouble;
use super::url::Url;
use crate::error::{Error, Place};

/// So many connections are kept, which is as many as there are requests at a time.
const CONNECTIONS: usize = 6;

/// So many redirects are followed for one request.
const REDIRECTS: usize = 10;

/// Headers that are ours: with another value the download would be another one.
const OURS: [HeaderName; 7] = [
    header::RANGE,
    header::IF_RANGE,
    header::ACCEPT_ENCODING,
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::HOST,
];

/// What came back.
pub(super) struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The bytes, as they arrive.
    pub body: BodyReader<'static>,
}

impl Answer {
    /// A header, if it is text.
    pub fn header(&self, name: HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl From<Response<Body>> for Answer {
    fn from(response: Response<Body>) -> Answer {
        let (parts, body) = response.into_parts();
        Answer { status: parts.status.as_u16(), headers: parts.headers, body: body.into_reader() }
    }
}

/// Ends downloads from another thread.
#[derive(Clone, Default)]
pub struct Canceller {
    pub(super) cancelled: Arc<AtomicBool>,
    agents: Arc<Mutex<Vec<(Way, Agent)>>>,
}

impl Canceller {
    /// Ends the download now: also a read that waits for the server.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
        for (_, agent) in self.agents.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            agent.shutdown();
        }
    }
}

/// What tells connections apart.
#[derive(Clone, PartialEq, Eq)]
struct Way {
    /// The server may know who we are.
    known: bool,
    https: bool,
    proxy: Option<String>,
}

/// Makes requests.
pub(super) struct Client {
    options: Options,
    headers: Vec<(HeaderName, HeaderValue)>,
    provider: Arc<CryptoProvider>,
    /// Loaded when they are needed first.
    roots: Option<Vec<Certificate<'static>>>,
    identity: Option<ClientCert>,
    /// The address that was given.
    home: Url,
    /// Where the server sent us from there.
    place: Option<Url>,
    canceller: Canceller,
}

impl Client {
    /// Reads the files that are named. Nothing is sent.
    pub fn new(home: Url, options: &Options) -> crate::Result<Client> {
        let refuse = |reason: String| Error::Refused(reason);
        let mut headers = Vec::new();
        for (name, value) in &options.headers {
            let name = HeaderName::from_bytes(name.as_bytes())
                .ok()
                .filter(|name| !OURS.contains(name))
                .ok_or_else(|| refuse(format!("{name:?} can't be sent as a header")))?;
            let value = HeaderValue::from_str(value).map_err(|_| {
                refuse(format!("the value of the header {name} has bytes that can't be sent"))
            })?;
            headers.push((name, value));
        }
        if let Some(authorization) = home.authorization() {
            let value = HeaderValue::from_str(authorization).map_err(|error| refuse(error.to_string()))?;
            headers.push((header::AUTHORIZATION, value));
        }
        HeaderValue::from_str(&options.user_agent)
            .map_err(|_| refuse("the user agent has bytes that can't be sent".into()))?;
        let provider = Arc::new(ring::default_provider());
        let roots = options.ca.as_deref().map(certificates).transpose()?;
        let identity = options.client.as_ref().map(|files| identity(files, &provider)).transpose()?;
        let canceller = Canceller::default();
        Ok(Client {
            options: options.clone(),
            headers,
            provider,
            roots,
            identity,
            home,
            place: None,
            canceller,
        })
    }

    pub fn canceller(&self) -> Canceller {
        self.canceller.clone()
    }

    /// The address, for messages.
    pub fn home(&self) -> &Url {
        &self.home
    }

    /// Where the next request goes first.
    fn place(&self) -> &Url {
        self.place.as_ref().unwrap_or(&self.home)
    }

    /// Asks for bytes of the bundle: from `first` up to `last`, or up to the end.
    ///
    /// Where the server has redirected, the next request goes there at once; when it does not find there what it is
    /// looking for (such addresses are often good for some minutes only), it starts at the front again.
    pub fn get(&mut self, first: u64, last: Option<u64>) -> Result<Answer, Trouble> {
        let range = last.map_or_else(|| format!("bytes={first}-"), |last| format!("bytes={first}-{last}"));
        let away = self.place.is_some();
        let answer = self.follow(&range)?;
        if away && (400..500).contains(&answer.status) && !matches!(answer.status, 416 | 429) {
            self.place = None;
            return self.follow(&range);
        }
        Ok(answer)
    }

    fn follow(&mut self, range: &str) -> Result<Answer, Trouble> {
        for _ in 0..=REDIRECTS {
            let here = self.place().clone();
            let answer = self.ask(&here, range)?;
            if !matches!(answer.status, 301 | 302 | 303 | 307 | 308) {
                return Ok(answer);
            }
            let location = answer.header(header::LOCATION).unwrap_or_default();
            let there = here.redirect(location).map_err(|reason| self.never(&here, reason))?;
            self.place = Some(there);
        }
        self.place = None;
        Err(self.never(&self.home, &format!("more than {REDIRECTS} redirects")))
    }

    /// Sends a message to the server of the address. A redirect is not followed: the message would go to somebody else.
    pub fn post(&mut self, content_type: &str, body: &[u8]) -> Result<(), Trouble> {
        let url = self.home.clone();
        let agent = self.agent(&url, true)?;
        let mut request = Request::post(url.uri()).header(header::CONTENT_TYPE, content_type);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = request.body(body).map_err(|_| self.never(&url, "it can't be asked for"))?;
        let answer: Answer = match agent.run(request) {
            Ok(response) => response.into(),
            Err(_) if self.canceller.cancelled.load(Ordering::Relaxed) => return Err(Trouble::Cancelled),
            Err(error) => return Err(judge(&url, error)),
        };
        match answer.status {
            200..=299 => Ok(()),
            status => Err(self.refusal("address", &answer, status)),
        }
    }

    /// Sends a message to the server of the address, and gives back whatever it answers. Redirects are not followed.
    pub fn talk(&mut self, url: &Url, request: Builder, body: &[u8]) -> Result<Answer, Trouble> {
        let agent = self.agent(url, true)?;
        let request = self.headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        let wrong = |_| self.never(url, "it can't be asked for");
        let answered = match body.is_empty() {
            true => agent.run(request.body(()).map_err(wrong)?),
            false => agent.run(request.body(body).map_err(wrong)?),
        };
        match answered {
            Ok(response) => Ok(response.into()),
            Err(_) if self.canceller.cancelled.load(Ordering::Relaxed) => Err(Trouble::Cancelled),
            Err(error) => Err(judge(url, error)),
        }
    }

    /// What a status means that brings no bytes.
    pub fn refusal(&self, what: &str, answer: &Answer, status: u16) -> Trouble {
        let says = match status {
            401 => "it wants to know who asks (401): is the Authorization header right?",
            403 => "it is forbidden (403)",
            404 => &format!("there is no such {what} (404)"),
            407 => "the proxy wants to know who asks (407)",
            410 => &format!("the {what} is gone (410)"),
            429 => "there were too many requests (429)",
            503 => "it can't just now (503)",
            _ => "",
        };
        let url = self.home();
        let reason = match says {
            "" => format!("{url}: the server answers with the status {status}"),
            says => format!("{url}: the server says that {says}"),
        };
        // 501 and 505 are about what the server can do at all.
        let passes = matches!(status, 408 | 425 | 429 | 500..=599) && !matches!(status, 501 | 505);
        if !passes {
            return Trouble::Never(reason);
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
        let date = answer.header(header::DATE);
        let after = answer.header(header::RETRY_AFTER).and_then(|text| retry_after(text, date, now));
        Trouble::Later { reason, after }
    }

    fn never(&self, url: &Url, reason: &str) -> Trouble {
        Trouble::Never(format!("{url}: {reason}"))
    }

    /// Sends a request already, on a connection of its own. What comes of it is told by the thread: an answer, or
    /// nothing that can be used.
    pub fn ahead(&mut self, first: u64, last: u64) -> Option<JoinHandle<Option<Answer>>> {
        let url = self.place().clone();
        let (agent, request) = self.prepare(&url, &format!("bytes={first}-{last}")).ok()?;
        let run = move || agent.run(request).ok().map(Answer::from).filter(|answer| answer.status < 300);
        thread::Builder::new().spawn(run).ok()
    }

    fn ask(&mut self, url: &Url, range: &str) -> Result<Answer, Trouble> {
        let (agent, request) = self.prepare(url, range)?;
        match agent.run(request) {
            Ok(response) => Ok(response.into()),
            Err(_) if self.canceller.cancelled.load(Ordering::Relaxed) => Err(Trouble::Cancelled),
            Err(error) => Err(judge(url, error)),
        }
    }

    fn prepare(&mut self, url: &Url, range: &str) -> Result<(Agent, Request<()>), Trouble> {
        let known = url.has_origin_of(&self.home);
        let agent = self.agent(url, known)?;
        let mut request =
            Request::get(url.uri()).header(header::RANGE, range).header(header::ACCEPT_ENCODING, "identity");
        if known {
            for (name, value) in &self.headers {
                request = request.header(name, value);
            }
        }
        // Neither holds what was not checked before.
        let request = request.body(()).map_err(|_| self.never(url, "it can't be asked for"))?;
        Ok((agent, request))
    }

    /// The connections of this way. They are kept: a handshake for each request would cost more than the request.
    fn agent(&mut self, url: &Url, known: bool) -> Result<Agent, Trouble> {
        let proxies = &self.options.proxies;
        let proxy = if url.is_https() { &proxies.https } else { &proxies.http };
        let proxy = proxy.clone().filter(|proxy| !proxy.is_empty() && !url.is_listed(&proxies.except));
        let way = Way { known, https: url.is_https(), proxy };
        let agents = Arc::clone(&self.canceller.agents);
        let mut agents = agents.lock().unwrap_or_else(PoisonError::into_inner);
        // Under the lock: whoever cancels sees the new agent, or is seen.
        if self.canceller.cancelled.load(Ordering::Relaxed) {
            return Err(Trouble::Cancelled);
        }
        if let Some((_, agent)) = agents.iter().find(|(other, _)| *other == way) {
            return Ok(agent.clone());
        }
        let proxy = match &way.proxy {
            Some(proxy) => {
                Some(Proxy::new(proxy).map_err(|_| self.never(url, "the proxy's address can't be used"))?)
            }
            None => None,
        };
        let tls = TlsConfig::builder()
            .unversioned_rustls_crypto_provider(Arc::clone(&self.provider))
            .client_cert(self.identity.clone().filter(|_| known))
            .root_certs(RootCerts::new_with_certs(if way.https { self.roots(url)? } else { &[] }))
            .build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .proxy(proxy)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(&self.options.user_agent)
            .timeout_resolve(Some(self.options.connect))
            .timeout_connect(Some(self.options.connect))
            .timeout_send_request(Some(self.options.stall))
            .timeout_recv_response(Some(self.options.stall))
            .timeout_per_read(Some(self.options.stall))
            .input_buffer_size(32 << 10)
            .output_buffer_size(16 << 10)
            .max_idle_connections(CONNECTIONS)
            .max_idle_connections_per_host(CONNECTIONS)
            .build();
        let agent = config.new_agent();
        agents.push((way, agent.clone()));
        Ok(agent)
    }

    fn roots(&mut self, url: &Url) -> Result<&[Certificate<'static>], Trouble> {
        if self.roots.is_none() {
            let path = SYSTEM_CA.iter().map(Path::new).find(|path| path.exists()).ok_or_else(|| {
                self.never(url, "this system has no file of trusted certificates, and none was named")
            })?;
            let roots = certificates(path).map_err(|error| Trouble::Never(error.to_string()))?;
            self.roots = Some(roots);
        }
        Ok(self.roots.as_deref().unwrap_or_default())
    }
}

/// The certificates of a PEM file; at least one of them can be used.
fn certificates(path: &Path) -> crate::Result<Vec<Certificate<'static>>> {
    let pem = read(path)?;
    let certificates: Vec<_> = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    let parsed = certificates.iter().map(|certificate| CertificateDer::from(certificate.der()));
    let (usable, _) = RootCertStore::empty().add_parsable_certificates(parsed);
    match usable {
        0 => Err(bad(path, "there is no certificate in it (PEM) that can be used")),
        _ => Ok(certificates),
    }
}

/// Who the device is. The key belongs to the certificate: with another one ureq would panic.
fn identity(files: &ClientFiles, provider: &CryptoProvider) -> crate::Result<ClientCert> {
    let pem = read(&files.certificate)?;
    let chain: Vec<Certificate<'static>> = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if chain.is_empty() {
        return Err(bad(&files.certificate, "there is no certificate in it (PEM)"));
    }
    let no_key = || bad(&files.key, "there is no key in it (PEM, without a password) that can be used");
    let key = PrivateKey::from_pem(&read(&files.key)?).map_err(|_| no_key())?;
    let der = PrivateKeyDer::try_from(key.der().to_vec()).map_err(|_| no_key())?;
    let certificates = chain.iter().map(|certificate| CertificateDer::from(certificate.der().to_vec()));
    CertifiedKey::from_der(certificates.collect(), der, provider).map_err(|error| {
        bad(&files.key, &format!("this key does not go with {}: {error}", files.certificate.display()))
    })?;
    Ok(ClientCert::new_with_certs(&chain, key))
}

fn read(path: &Path) -> crate::Result<Vec<u8>> {
    fs::read(path).map_err(|error| Place::new(path, "reading it").io(error))
}

fn bad(path: &Path, message: &str) -> Error {
    Error::Device { path: path.into(), message: message.into() }
}

/// Whether it is worth trying again.
pub(super) fn judge(url: &Url, error: ureq::Error) -> Trouble {
    use ureq::Error as E;
    let never = |reason: String| Trouble::Never(format!("{url}: {reason}"));
    let later = |reason: String| Trouble::Later { reason: format!("{url}: {reason}"), after: None };
    match error {
        E::Io(error) => match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(inner) => judge_tls(url, inner),
            None => later(error.to_string()),
        },
        E::Rustls(error) => judge_tls(url, &error),
        E::Timeout(step) => later(format!("nothing came for too long ({step})")),
        E::HostNotFound => later("there is no such host, or no name server".into()),
        E::ConnectProxyFailed(reason) if reason.contains("responded 4") => {
            never(format!("the proxy refuses: {reason}"))
        }
        E::ConnectProxyFailed(reason) => later(reason),
        E::ConnectionFailed => later("no connection".into()),
        E::Protocol(error) => later(format!("this is no answer of HTTP: {error}")),
        E::LargeResponseHeader(..) => never("the server's headers are too long".into()),
        // It would repeat the address.
        E::BadUri(_) => never("the address can't be used".into()),
        E::InvalidProxyUrl | E::Tls(_) | E::TlsRequired | E::Http(_) => never(error.to_string()),
        // Of a body that makes no sense, too.
        error => later(error.to_string()),
    }
}

fn judge_tls(url: &Url, error: &rustls::Error) -> Trouble {
    use rustls::CertificateError as C;
    let clock = matches!(
        error,
        rustls::Error::InvalidCertificate(
            C::NotValidYet | C::NotValidYetContext { .. } | C::Expired | C::ExpiredContext { .. }
        )
    );
    let hint = if clock { " (is the clock right?)" } else { "" };
    let reason = format!("{url}: {error}{hint}");
    match error {
        // What came was disturbed on its way; everything else is a refusal of one of the two sides.
        rustls::Error::DecryptError | rustls::Error::InvalidMessage(_) => {
            Trouble::Later { reason, after: None }
        }
        _ => Trouble::Never(reason),
    }
}
