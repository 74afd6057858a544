//! The small hawkBit over HTTP and HTTPS, which misbehaves where a test says so, and writes down what it was asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::hawkbit::Hawkbit;

/// What was asked.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Of all requests, from 0.
    pub number: usize,
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Asked {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    pub fn is_file(&self) -> bool {
        self.target.starts_with("/files/")
    }

    pub fn is_feedback(&self) -> bool {
        self.target.ends_with("/feedback")
    }
}

/// What goes wrong with an answer.
#[derive(Debug, Clone)]
pub enum Trouble {
    /// This status, with these headers, and nothing else.
    Status(u16, Vec<(&'static str, String)>),
    /// The right headers, and half of the body.
    Half,
    /// Nothing: the connection is closed. The server has done what it was told.
    Lost,
    /// Something else than was asked for.
    Html,
    /// The right bytes, but for one.
    Damaged,
}

type Decide = dyn Fn(&Asked) -> Option<Trouble> + Send + Sync;

struct Shared {
    hawkbit: Mutex<Hawkbit>,
    trouble: Mutex<Arc<Decide>>,
    asked: Mutex<Vec<Asked>>,
    tls: Option<Arc<ServerConfig>>,
    host: Mutex<String>,
    ended: AtomicBool,
}

pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
}

trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

impl Server {
    pub fn new(hawkbit: Hawkbit) -> Server {
        Server::start(hawkbit, None)
    }

    pub fn with_tls(hawkbit: Hawkbit, tls: ServerConfig) -> Server {
        Server::start(hawkbit, Some(Arc::new(tls)))
    }

    fn start(hawkbit: Hawkbit, tls: Option<Arc<ServerConfig>>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let shared = Arc::new(Shared {
            hawkbit: Mutex::new(hawkbit),
            trouble: Mutex::new(Arc::new(|_: &Asked| None)),
            asked: Mutex::default(),
            tls,
            host: Mutex::new(format!("{scheme}://localhost:{}", address.port())),
            ended: AtomicBool::new(false),
        });
        let all = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if all.ended.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&all);
                thread::spawn(move || shared.serve(stream.unwrap()));
            }
        });
        Server { address, shared }
    }

    pub fn url(&self) -> String {
        self.shared.host.lock().unwrap().clone()
    }

    /// Looks at the hawkBit, or changes it.
    pub fn hawkbit<T>(&self, act: impl FnOnce(&mut Hawkbit) -> T) -> T {
        act(&mut self.shared.hawkbit.lock().unwrap())
    }

    /// What goes wrong from now on.
    pub fn trouble(&self, trouble: impl Fn(&Asked) -> Option<Trouble> + Send + Sync + 'static) {
        *self.shared.trouble.lock().unwrap() = Arc::new(trouble);
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().unwrap().clone()
    }

    /// Bytes of files that were asked for from this request on.
    pub fn fetched_since(&self, number: usize) -> usize {
        let files = self.hawkbit(|hawkbit| hawkbit.files.clone());
        let asked = self.asked();
        let asked = asked.iter().skip(number).filter(|asked| asked.is_file());
        asked
            .map(|asked| {
                let len = files.get(asked.target.trim_start_matches("/files/")).map_or(0, Vec::len);
                range(asked, len).len()
            })
            .sum()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

fn range(asked: &Asked, len: usize) -> Range<usize> {
    let Some(range) = asked.header("range") else { return 0..len };
    let (first, last) = range.strip_prefix("bytes=").unwrap().split_once('-').unwrap();
    let end = if last.is_empty() { len } else { last.parse::<usize>().unwrap() + 1 };
    let start = first.parse().unwrap();
    start..end.min(len).max(start)
}

struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Shared {
    fn serve(&self, stream: TcpStream) {
        stream.set_nodelay(true).unwrap();
        let mut stream: BufReader<Box<dyn Stream>> = BufReader::new(match &self.tls {
            None => Box::new(stream),
            Some(tls) => {
                let tls = ServerConnection::new(Arc::clone(tls)).unwrap();
                Box::new(StreamOwned::new(tls, stream))
            }
        });
        while let Some(asked) = self.read(&mut stream) {
            let trouble = Arc::clone(&*self.trouble.lock().unwrap());
            let trouble = trouble(&asked);
            let mut answer = match &trouble {
                Some(Trouble::Status(status, headers)) => {
                    let headers = headers.iter().map(|(name, value)| (name.to_string(), value.clone()));
                    Answer { status: *status, headers: headers.collect(), body: vec![] }
                }
                _ => self.answer(&asked),
            };
            let body = if asked.method == "HEAD" { 0 } else { answer.body.len() };
            let (mut sent, mut close) = (body, false);
            match trouble {
                Some(Trouble::Half) => (sent, close) = (sent / 2, true),
                Some(Trouble::Lost) => return,
                Some(Trouble::Html) => {
                    answer.body = b"<html>please log in</html>".to_vec();
                    sent = answer.body.len();
                }
                Some(Trouble::Damaged) => {
                    let middle = answer.body.len() / 2;
                    if let Some(byte) = answer.body.get_mut(middle) {
                        *byte ^= 1;
                    }
                }
                _ => {}
            }
            let mut bytes =
                format!("HTTP/1.1 {} x\r\nContent-Length: {}\r\n", answer.status, answer.body.len());
            for (name, value) in &answer.headers {
                bytes += &format!("{name}: {value}\r\n");
            }
            let bytes = [bytes.as_bytes(), b"\r\n", &answer.body[..sent]].concat();
            // The client may have had enough.
            if stream.get_mut().write_all(&bytes).is_err() || stream.get_mut().flush().is_err() || close {
                return;
            }
        }
    }

    fn answer(&self, asked: &Asked) -> Answer {
        let mut hawkbit = self.hawkbit.lock().unwrap();
        if let Some(name) = asked.target.strip_prefix("/files/") {
            let Some(bytes) = hawkbit.files.get(name) else {
                return Answer { status: 404, headers: vec![], body: vec![] };
            };
            let range = range(asked, bytes.len());
            let content = format!("bytes {}-{}/{}", range.start, range.end.max(1) - 1, bytes.len());
            let mut headers = vec![("ETag".to_owned(), format!("\"{name}\""))];
            let status = if asked.header("range").is_some() { 206 } else { 200 };
            if status == 206 {
                headers.push(("Content-Range".into(), content));
            }
            return Answer { status, headers, body: bytes[range].to_vec() };
        }
        let host = self.host.lock().unwrap().clone();
        let token = asked.header("authorization");
        let (status, body) = hawkbit.handle(&asked.method, &asked.target, token, &asked.body, &host);
        let kind = ("Content-Type".to_owned(), "application/hal+json;charset=UTF-8".to_owned());
        Answer { status, headers: vec![kind], body }
    }

    fn read(&self, stream: &mut BufReader<Box<dyn Stream>>) -> Option<Asked> {
        let mut line = || {
            let mut line = String::new();
            let got = stream.read_line(&mut line).ok()?;
            (got > 0).then(|| line.trim_end().to_owned())
        };
        let first = line()?;
        let mut words = first.split(' ');
        let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
        let mut headers = Vec::new();
        loop {
            let line = line()?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut asked = Asked { number: 0, method, target, headers, body: vec![] };
        if asked.header("expect").is_some() {
            stream.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n").ok()?;
        }
        let len = asked.header("content-length").map_or(0, |len| len.parse().unwrap());
        asked.body = vec![0; len];
        stream.read_exact(&mut asked.body).ok()?;
        let mut all = self.asked.lock().unwrap();
        asked.number = all.len();
        all.push(asked.clone());
        Some(asked)
    }
}
