//! A server that answers as the test says, however wrong that is, and writes down what it was asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What was asked.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Of all requests, from 0.
    pub number: usize,
    pub target: String,
    pub headers: Vec<(String, String)>,
}

impl Asked {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// The bytes that were asked for, of a whole of `len`.
    pub fn range(&self, len: usize) -> Range<usize> {
        let range = self.header("range").expect("each request has a range");
        let (first, last) = range.strip_prefix("bytes=").unwrap().split_once('-').unwrap();
        let end = if last.is_empty() { len } else { last.parse::<usize>().unwrap() + 1 };
        first.parse().unwrap()..end.min(len)
    }
}

/// What is done after the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    Next,
    Close,
    /// Nothing is sent any more, and nothing closed.
    Silence,
}

#[derive(Clone)]
pub struct Answer {
    status: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    then: Then,
}

impl Answer {
    pub fn new(status: &str) -> Answer {
        Answer { status: status.into(), headers: vec![], body: vec![], then: Then::Next }
            .with("Content-Length", "0")
    }

    /// Sets a header; an empty value takes it away.
    pub fn with(mut self, name: &str, value: &str) -> Answer {
        self.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        if !value.is_empty() {
            self.headers.push((name.into(), value.into()));
        }
        self
    }

    pub fn body(self, body: &[u8]) -> Answer {
        let answer = self.with("Content-Length", &body.len().to_string());
        Answer { body: body.to_vec(), ..answer }
    }

    /// Only so much of the body is sent, whatever the headers say.
    pub fn cut(mut self, len: usize, then: Then) -> Answer {
        self.body.truncate(len);
        self.then = then;
        self
    }

    pub fn then(self, then: Then) -> Answer {
        Answer { then, ..self }
    }

    pub fn chunked(self) -> Answer {
        let mut body = Vec::new();
        for piece in self.body.chunks(1000) {
            body.extend(format!("{:x}\r\n", piece.len()).bytes());
            body.extend(piece);
            body.extend(b"\r\n");
        }
        body.extend(b"0\r\n\r\n");
        let answer = self.with("Content-Length", "").with("Transfer-Encoding", "chunked");
        Answer { body, ..answer }
    }
}

/// What a good server answers.
pub fn good(asked: &Asked, data: &[u8]) -> Answer {
    let range = asked.range(data.len());
    if range.start >= data.len() {
        return Answer::new("416 Range Not Satisfiable")
            .with("Content-Range", &format!("bytes */{}", data.len()));
    }
    let content = format!("bytes {}-{}/{}", range.start, range.end - 1, data.len());
    Answer::new("206 Partial Content")
        .with("Content-Range", &content)
        .with("ETag", "\"one\"")
        .with("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT")
        .body(&data[range])
}

/// What a server answers that knows no ranges.
pub fn whole(data: &[u8]) -> Answer {
    Answer::new("200 OK").with("ETag", "\"one\"").body(data)
}

type Handler = dyn Fn(&Asked) -> Answer + Send + Sync;

struct Shared {
    handler: Box<Handler>,
    asked: Mutex<Vec<Asked>>,
    connections: Mutex<usize>,
    tls: Option<Arc<ServerConfig>>,
    ended: AtomicBool,
    link: Link,
    line_is_free: Mutex<Instant>,
}

/// A long or narrow link.
#[derive(Debug, Clone, Copy, Default)]
pub struct Link {
    /// Before each answer.
    pub round_trip: Duration,
    /// 0: as fast as it goes.
    pub bytes_per_second: usize,
}

pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
}

trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

impl Server {
    pub fn new(handler: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Server {
        Server::start(Box::new(handler), None, Link::default())
    }

    pub fn with_tls(tls: ServerConfig, handler: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Server {
        Server::start(Box::new(handler), Some(Arc::new(tls)), Link::default())
    }

    pub fn behind(link: Link, handler: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Server {
        Server::start(Box::new(handler), None, link)
    }

    fn start(handler: Box<Handler>, tls: Option<Arc<ServerConfig>>, link: Link) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            handler,
            asked: Mutex::default(),
            connections: Mutex::default(),
            tls,
            ended: AtomicBool::new(false),
            link,
            line_is_free: Mutex::new(Instant::now()),
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

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    pub fn url(&self, path: &str) -> String {
        let scheme = if self.shared.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://localhost:{}{path}", self.port())
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().unwrap().clone()
    }

    pub fn connections(&self) -> usize {
        *self.shared.connections.lock().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn serve(&self, stream: TcpStream) {
        stream.set_nodelay(true).unwrap();
        *self.connections.lock().unwrap() += 1;
        let mut stream: BufReader<Box<dyn Stream>> = BufReader::new(match &self.tls {
            None => Box::new(stream),
            Some(tls) => {
                let tls = ServerConnection::new(Arc::clone(tls)).unwrap();
                Box::new(StreamOwned::new(tls, stream))
            }
        });
        while let Some(asked) = self.read(&mut stream) {
            let answer = (self.handler)(&asked);
            thread::sleep(self.link.round_trip);
            let mut bytes = format!("HTTP/1.1 {}\r\n", answer.status);
            for (name, value) in &answer.headers {
                bytes += &format!("{name}: {value}\r\n");
            }
            let bytes = [bytes.as_bytes(), b"\r\n", &answer.body].concat();
            // The client may have had enough.
            if self.send(stream.get_mut(), &bytes).is_err() {
                return;
            }
            match answer.then {
                Then::Next => {}
                Then::Close => return,
                Then::Silence => {
                    let _ = stream.read(&mut [0]);
                    return;
                }
            }
        }
    }

    fn send(&self, stream: &mut impl Write, bytes: &[u8]) -> std::io::Result<()> {
        for piece in bytes.chunks(8192) {
            if let Some(micros) = (piece.len() * 1_000_000).checked_div(self.link.bytes_per_second) {
                // All connections share the line.
                let free = {
                    let mut free = self.line_is_free.lock().unwrap();
                    *free = (*free).max(Instant::now()) + Duration::from_micros(micros as u64);
                    *free
                };
                thread::sleep(free.saturating_duration_since(Instant::now()));
            }
            stream.write_all(piece)?;
        }
        stream.flush()
    }

    fn read(&self, stream: &mut impl BufRead) -> Option<Asked> {
        let mut line = || {
            let mut line = String::new();
            let got = stream.read_line(&mut line).ok()?;
            (got > 0).then(|| line.trim_end().to_owned())
        };
        let target = line()?.split(' ').nth(1)?.to_owned();
        let mut headers = Vec::new();
        loop {
            let line = line()?;
            let Some((name, value)) = line.split_once(": ") else { break };
            headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let length = length.map_or(0, |(_, length)| length.parse().unwrap());
        stream.read_exact(&mut vec![0; length]).ok()?;
        let mut all = self.asked.lock().unwrap();
        let asked = Asked { number: all.len(), target, headers };
        all.push(asked.clone());
        Some(asked)
    }
}
