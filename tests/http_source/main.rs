//! Downloads from a server that misbehaves in each of the ways that servers do: the right bytes, or the right error.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::single_range_in_vec_init, reason = "a list of one range")]

#[cfg(all(feature = "cli", feature = "bundle"))]
#[path = "../cli_support/mod.rs"]
mod cli_support;
mod exchange;
#[cfg(all(feature = "cli", feature = "bundle"))]
mod program;
mod server;
mod tls;

use std::ops::{ControlFlow, Range};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{mpsc, Arc, Mutex};
use std::thread;
use std::time::Duration;

use bootslot::update::source::http::{HttpSource, Options, Proxies, Retry};
use bootslot::update::source::Source;
use bootslot::update::UpdateError;
use server::{good, whole, Answer, Asked, Link, Server, Then};

/// Bytes that differ everywhere.
pub fn data(len: usize) -> Vec<u8> {
    (0..len as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

/// Waits that a test does not notice, and an end of silence that it does not wait long for.
pub fn options() -> Options {
    let (first, longest) = (Duration::from_millis(1), Duration::from_millis(4));
    Options {
        retry: Retry { limit: Duration::from_secs(60), first, longest },
        stall: Duration::from_millis(150),
        ..Options::default()
    }
}

/// The same without a second attempt.
pub fn once() -> Options {
    let options = options();
    Options { retry: Retry { limit: Duration::ZERO, ..options.retry }, ..options }
}

fn read(source: &mut HttpSource, range: Range<usize>) -> Result<Vec<u8>, UpdateError> {
    let mut bytes = vec![0; range.len()];
    source.fetch(range.start as u64, &mut bytes).map(|()| bytes)
}

/// Reads everything in pieces, and compares it.
#[track_caller]
fn reads_all(source: &mut HttpSource, data: &[u8]) {
    for start in (0..data.len()).step_by(7001) {
        let range = start..data.len().min(start + 7001);
        assert!(read(source, range.clone()).unwrap() == data[range.clone()], "{range:?}");
    }
}

/// The error of reading the first bytes, once.
#[track_caller]
fn error_of(answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> String {
    let server = Server::new(answer);
    let mut source = HttpSource::new(&server.url("/b"), once()).unwrap();
    let error = read(&mut source, 0..10).unwrap_err();
    assert_eq!(error.code(), 10, "{error}");
    assert_eq!(server.asked().len(), 1, "{error}");
    error.to_string()
}

#[test]
fn a_good_server_is_asked_few_times_over_one_connection() {
    let bytes = data(1_000_000);
    let copy = bytes.clone();
    let server = Server::new(move |asked| good(asked, &copy));
    let mut source = HttpSource::new(&server.url("/b"), options()).unwrap();
    assert_eq!((source.len(), source.is_dear()), (None, true));
    reads_all(&mut source, &bytes);
    assert_eq!(source.len(), Some(1_000_000));
    // 64 KiB, and each time twice as much.
    assert_eq!((server.asked().len(), server.connections()), (5, 1));
    for asked in server.asked() {
        assert_eq!(asked.header("accept-encoding"), Some("identity"));
        assert!(asked.header("user-agent").unwrap().starts_with("bootslot/"), "{asked:?}");
    }
    let end = read(&mut source, 999_995..1_000_005).unwrap_err();
    assert!(
        matches!(&end, UpdateError::Read { error, .. } if error.kind() == std::io::ErrorKind::UnexpectedEof)
    );
}

#[test]
fn expected_ranges_are_asked_for_and_small_gaps_thrown_away() {
    let bytes = data(400_000);
    let copy = bytes.clone();
    let server = Server::new(move |asked| good(asked, &copy));
    let mut source = HttpSource::new(&server.url("/b"), Options { gap: 1000, ..options() }).unwrap();
    assert!(read(&mut source, 0..16).unwrap() == bytes[..16]);
    let ranges =
        [100..300, 70_000..70_100, 71_000..71_500, 150_000..160_000, 160_000..170_000, 399_000..400_000];
    source.announce(&ranges.clone().map(|range| range.start as u64..range.end as u64));
    for range in ranges {
        assert!(read(&mut source, range.clone()).unwrap() == bytes[range.clone()], "{range:?}");
    }
    let mut asked: Vec<Range<usize>> = server.asked().iter().map(|asked| asked.range(400_000)).collect();
    // Those that are sent ahead come in any order.
    asked.sort_by_key(|range| range.start);
    // The first range was on its way already.
    assert_eq!(asked, [0..65_536, 70_000..71_500, 150_000..170_000, 399_000..400_000]);
    // What nobody expected costs a request, and nothing else.
    assert!(read(&mut source, 200_000..200_010).unwrap() == bytes[200_000..200_010]);
    assert_eq!(server.asked().last().unwrap().range(400_000), 200_000..200_010);
}

#[test]
fn there_are_no_more_requests_than_the_limit() {
    let bytes = data(1_000_000);
    let copy = bytes.clone();
    let server = Server::new(move |asked| good(asked, &copy));
    let limited = Options { gap: 10, requests: 20, ..options() };
    let mut source = HttpSource::new(&server.url("/b"), limited.clone()).unwrap();
    assert!(read(&mut source, 0..16).unwrap() == bytes[..16]);
    let ranges: Vec<Range<u64>> = (1..300).map(|n| n * n * 10..n * n * 10 + 10).collect();
    source.announce(&ranges);
    for range in &ranges {
        let range = range.start as usize..range.end as usize;
        assert!(read(&mut source, range.clone()).unwrap() == bytes[range]);
    }
    // A fifth is left for what nobody expected, which then costs what it needs.
    assert_eq!(server.asked().len(), 17);
    for at in (900_000..960_000).step_by(20_000) {
        assert!(read(&mut source, at..at + 10).unwrap() == bytes[at..at + 10]);
        assert_eq!(server.asked().last().unwrap().range(bytes.len()), at..at + 10);
    }
    assert_eq!(server.asked().len(), 20);
    // And without a plan.
    let mut source = HttpSource::new(&server.url("/b"), limited).unwrap();
    for range in &ranges {
        let range = range.start as usize..range.end as usize;
        assert!(read(&mut source, range.clone()).unwrap() == bytes[range]);
    }
    assert!(server.asked().len() <= 41, "{}", server.asked().len());
}

/// A server of which each answer takes a while. It counts how many are asked for at a time, and refuses more than it
/// bears.
fn slow(bytes: &[u8], bears: usize) -> (Server, Arc<AtomicUsize>, Arc<AtomicUsize>) {
    let (now, most, refused) = <(Arc<AtomicUsize>, Arc<AtomicUsize>, Arc<AtomicUsize>)>::default();
    let (bytes, all, refusals) = (bytes.to_vec(), Arc::clone(&most), Arc::clone(&refused));
    let server = Server::new(move |asked| {
        let at_a_time = now.fetch_add(1, Ordering::SeqCst) + 1;
        most.fetch_max(at_a_time, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(30));
        now.fetch_sub(1, Ordering::SeqCst);
        if at_a_time > bears {
            refused.fetch_add(1, Ordering::SeqCst);
            return Answer::new("503 Service Unavailable");
        }
        good(asked, &bytes)
    });
    (server, all, refusals)
}

#[test]
fn small_ranges_are_asked_for_a_few_at_a_time() {
    let bytes = data(2_000_000);
    let ranges: Vec<Range<usize>> = (0..60).map(|n| 100_000 + n * 30_000..102_000 + n * 30_000).collect();
    let planned: Vec<Range<u64>> = ranges.iter().map(|range| range.start as u64..range.end as u64).collect();
    for bears in [usize::MAX, 2] {
        let (server, most, refused) = slow(&bytes, bears);
        let mut source = HttpSource::new(&server.url("/b"), options()).unwrap();
        assert!(read(&mut source, 0..16).unwrap() == bytes[..16]);
        source.announce(&planned);
        for range in &ranges {
            assert!(read(&mut source, range.clone()).unwrap() == bytes[range.clone()], "{range:?}");
        }
        let refused = refused.load(Ordering::SeqCst);
        assert_eq!(server.asked().len(), 61 + refused);
        if bears == 2 {
            assert!((1..20).contains(&refused), "{refused}");
        } else {
            let most = most.load(Ordering::SeqCst);
            assert!((3..=6).contains(&most), "{most}");
            // The first request was not read to its end, so that its connection could not be used again.
            assert!(server.connections() <= 7, "{}", server.connections());
        }
    }
}

#[test]
fn large_ranges_are_not_asked_for_before_their_time() {
    let bytes = data(4_000_000);
    let (server, most, _) = slow(&bytes, usize::MAX);
    let mut source = HttpSource::new(&server.url("/b"), options()).unwrap();
    assert!(read(&mut source, 0..16).unwrap() == bytes[..16]);
    let ranges: Vec<Range<usize>> = (0..6).map(|n| 100_000 + n * 600_000..600_000 + n * 600_000).collect();
    source.announce(&ranges.iter().map(|range| range.start as u64..range.end as u64).collect::<Vec<_>>());
    for range in &ranges {
        assert!(read(&mut source, range.clone()).unwrap() == bytes[range.clone()], "{range:?}");
    }
    assert_eq!((server.asked().len(), most.load(Ordering::SeqCst)), (7, 1));
}

#[test]
fn a_server_without_ranges_is_read_once_from_the_front() {
    for chunked in [false, true] {
        let bytes = data(500_000);
        let copy = bytes.clone();
        let server = Server::new(move |_| if chunked { whole(&copy).chunked() } else { whole(&copy) });
        let mut source = HttpSource::new(&server.url("/b"), options()).unwrap();
        assert!(read(&mut source, 0..16).unwrap() == bytes[..16]);
        source.announce(&[1000..2000, 300_000..300_100]);
        assert!(read(&mut source, 1000..2000).unwrap() == bytes[1000..2000]);
        assert!(read(&mut source, 300_000..300_100).unwrap() == bytes[300_000..300_100]);
        assert!(read(&mut source, 499_990..500_000).unwrap() == bytes[499_990..]);
        assert_eq!(server.asked().len(), 1);
        assert!(read(&mut source, 500_000..500_001).is_err());
        assert_eq!(source.len(), Some(500_000), "chunked: {chunked}");
        // Backwards it has to start again.
        assert!(read(&mut source, 5..9).unwrap() == bytes[5..9]);
        assert_eq!(server.asked().len(), 2);
    }
}

#[test]
fn a_server_without_ranges_that_is_cut_is_read_again() {
    let bytes = data(300_000);
    let copy = bytes.clone();
    let server = Server::new(move |asked| match asked.number {
        0 => whole(&copy).cut(100_000, Then::Close),
        1 => whole(&copy).cut(50_000, Then::Close),
        _ => whole(&copy),
    });
    let mut source = HttpSource::new(&server.url("/b"), options()).unwrap();
    reads_all(&mut source, &bytes);
    assert_eq!(server.asked().len(), 3);
}

#[test]
fn a_server_that_sends_more_than_it_was_asked_for_is_skipped_through() {
    let bytes = data(200_000);
    let copy = bytes.clone();
    // From the start, always; and as much as it likes.
    let server = Server::new(move |asked| {
        let end = asked.range(200_000).end.max(150_000);
        let range = format!("bytes 0-{}/200000", end - 1);
        good(asked, &copy).with("Content-Range", &range).body(&copy[..end])
    });
    let mut source = HttpSource::new(&server.url("/b"), options()).unwrap();
    source.announce(&[1000..2000, 100_000..100_100, 180_000..180_010]);
    for range in [1000..2000, 100_000..100_100, 180_000..180_010] {
        assert!(read(&mut source, range.clone()).unwrap() == bytes[range]);
    }
    // The second range was in the first answer.
    assert_eq!(server.asked().len(), 2);
}

#[test]
fn a_server_that_sends_less_is_asked_again() {
    let bytes = data(100_000);
    let copy = bytes.clone();
    let server = Server::new(move |asked| {
        let range = asked.range(100_000);
        let range = range.start..range.end.min(range.start + 30_000);
        good(asked, &copy)
            .with("Content-Range", &format!("bytes {}-{}/100000", range.start, range.end - 1))
            .body(&copy[range])
    });
    let mut source = HttpSource::new(&server.url("/b"), options()).unwrap();
    reads_all(&mut source, &bytes);
    assert_eq!(server.connections(), 1);
}

#[test]
fn other_bytes_than_asked_for_are_refused() {
    let bytes = data(1000);
    let other = |range: &'static str| {
        let copy = bytes.clone();
        error_of(move |asked| good(asked, &copy).with("Content-Range", range))
    };
    assert!(other("bytes 5-999/1000").contains("the server sends 5 to 999"));
    for range in ["", "bytes */1000", "lines 0-9/1000", "bytes 0-999/5", "bytes 9-0/1000"] {
        assert!(other(range).contains("does not say which bytes"), "{range}");
    }
}

#[test]
fn lengths_that_lie_cost_a_request_and_no_wrong_byte() {
    let bytes = data(100_000);
    for lie in [10, 60_000, 65_535, 65_537, 1_000_000] {
        let copy = bytes.clone();
        let server = Server::new(move |asked| match asked.number {
            0 => good(asked, &copy).with("Content-Length", &lie.to_string()).then(Then::Close),
            _ => good(asked, &copy),
        });
        let mut source = HttpSource::new(&server.url("/b"), options()).unwrap();
        reads_all(&mut source, &bytes);
    }
    // More bytes than the length says are the start of nothing.
    let copy = bytes.clone();
    let server = Server::new(move |asked| match asked.number {
        0 => good(asked, &copy).body(&copy).with("Content-Length", "65536"),
        _ => good(asked, &copy),
    });
    let mut source = HttpSource::new(&server.url("/b"), options()).unwrap();
    reads_all(&mut source, &bytes);
}

#[test]
fn a_server_that_closes_half_way_is_asked_for_the_rest() {
    let bytes = data(200_000);
    let copy = bytes.clone();
    let server = Server::new(move |asked| {
        let half = asked.range(200_000).len().div_ceil(2);
        good(asked, &copy).cut(half, if asked.number % 2 == 0 { Then::Close } else { Then::Silence })
    });
    let mut source = HttpSource::new(&server.url("/b"), options()).unwrap();
    source.announce(&[0..200_000]);
    reads_all(&mut source, &bytes);
    // No byte was asked for twice.
    let asked: Vec<Range<usize>> = server.asked().iter().map(|asked| asked.range(200_000)).collect();
    assert!(asked.len() > 10);
    for pair in asked.windows(2) {
        assert_eq!(pair[1].start, pair[0].start + pair[0].len().div_ceil(2));
    }
}

#[test]
fn what_is_compressed_unasked_is_refused() {
    let says = error_of(|asked| good(asked, &data(1000)).with("Content-Encoding", "gzip"));
    assert!(says.contains("compressed (\"gzip\")"), "{says}");
    let server = Server::new(|asked| good(asked, &data(1000)).with("Content-Encoding", "identity"));
    let mut source = HttpSource::new(&server.url("/b"), options()).unwrap();
    assert!(read(&mut source, 0..10).is_ok());
}

#[test]
fn each_status_says_what_it_means() {
    for (status, says) in [
        ("401 Unauthorized", "who asks"),
        ("403 Forbidden", "forbidden (403)"),
        ("404 Not Found", "no such bundle (404)"),
        ("410 Gone", "gone (410)"),
        ("418 Teapot", "status 418"),
        ("501 Not Implemented", "status 501"),
        ("204 No Content", "status 204"),
        ("304 Not Modified", "status 304"),
    ] {
        let server = Server::new(move |_| Answer::new(status));
        // These do not pass, however long one waits.
        let mut source = HttpSource::new(&server.url("/b"), options()).unwrap();
        let error = read(&mut source, 0..10).unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
        assert_eq!((error.code(), server.asked().len()), (10, 1), "{error}");
    }
    // An empty file has no range at all.
    let server = Server::new(|asked| good(asked, &[]));
    let mut source = HttpSource::new(&server.url("/b"), options()).unwrap();
    assert!(read(&mut source, 0..10).unwrap_err().to_string().contains("end of file"));
    // Nor where the server knows no ranges.
    let server = Server::new(|_| Answer::new("200 OK"));
    let mut source = HttpSource::new(&server.url("/b"), options()).unwrap();
    assert!(read(&mut source, 0..10).unwrap_err().to_string().contains("end of file"));
}

#[test]
fn what_passes_is_tried_again_and_the_reason_told() {
    for status in ["408 Timeout", "429 Too Many", "500 Oops", "502 Bad", "503 Busy", "504 Late"] {
        let bytes = data(1000);
        let copy = bytes.clone();
        let server = Server::new(move |asked| match asked.number {
            0..3 => Answer::new(status),
            _ => good(asked, &copy),
        });
        let told: Arc<Mutex<Vec<(u32, String)>>> = Arc::default();
        let hear = Arc::clone(&told);
        let options = Options {
            on_wait: Some(Arc::new(move |now| {
                hear.lock().unwrap().push((now.failed, now.reason.to_owned()));
                ControlFlow::Continue(())
            })),
            ..options()
        };
        let mut source = HttpSource::new(&server.url("/b"), options).unwrap();
        assert!(read(&mut source, 0..1000).unwrap() == bytes);
        let told = told.lock().unwrap();
        assert_eq!(told.iter().map(|(failed, _)| *failed).collect::<Vec<_>>(), [1, 2, 3]);
        assert!(told.iter().all(|(_, reason)| reason.contains(&status[..3])), "{told:?}");
    }
}

#[test]
fn the_server_says_how_long_to_wait() {
    // At once, in the two forms; the date counts from the server's clock.
    let bytes = data(1000);
    let copy = bytes.clone();
    let date = "Sun, 06 Nov 1994 08:49:37 GMT";
    let server = Server::new(move |asked| match asked.number {
        0 => Answer::new("503 Busy").with("Retry-After", "0"),
        1 => Answer::new("429 Too Many").with("Retry-After", date).with("Date", date),
        _ => good(asked, &copy),
    });
    let left: Arc<Mutex<Vec<Duration>>> = Arc::default();
    let hear = Arc::clone(&left);
    let slow = Options {
        // So long that the test would never end.
        retry: Retry {
            first: Duration::from_secs(900),
            longest: Duration::from_secs(900),
            ..Retry::default()
        },
        on_wait: Some(Arc::new(move |now| {
            hear.lock().unwrap().push(now.left);
            ControlFlow::Continue(())
        })),
        ..options()
    };
    let mut source = HttpSource::new(&server.url("/b"), slow).unwrap();
    assert!(read(&mut source, 0..1000).unwrap() == bytes);
    assert_eq!(*left.lock().unwrap(), [Duration::ZERO; 2]);

    // Longer than the limit: it ends at once.
    for wait in ["7200", "Sun, 06 Nov 1994 10:49:37 GMT"] {
        let server =
            Server::new(move |_| Answer::new("503 Busy").with("Retry-After", wait).with("Date", date));
        let mut source = HttpSource::new(&server.url("/b"), options()).unwrap();
        let error = read(&mut source, 0..10).unwrap_err().to_string();
        assert!(error.contains("(503)") && error.contains("wait for 7200 s"), "{error}");
        assert_eq!(server.asked().len(), 1);
    }
}

#[test]
fn at_the_limit_it_ends_and_says_why() {
    assert!(error_of(|_| Answer::new("500 Oops")).contains("500 (given up after one attempt)"));
    assert!(error_of(|asked| good(asked, &data(1000)).cut(0, Then::Close)).contains("given up"));
    let silent = error_of(|asked| good(asked, &data(1000)).cut(0, Then::Silence));
    assert!(silent.contains("nothing came for too long"), "{silent}");
    // Nobody listens there.
    let gone = Server::new(|_| Answer::new("200 OK")).url("/b");
    let retry = Retry { limit: Duration::from_millis(30), ..options().retry };
    let mut source = HttpSource::new(&gone, Options { retry, ..options() }).unwrap();
    thread::sleep(Duration::from_millis(5));
    let error = read(&mut source, 0..10).unwrap_err().to_string();
    assert!(error.contains("attempts in"), "{error}");
    // What is no HTTP at all.
    let error = error_of(|asked| Answer::new("\r\n\x00\x01garbage").body(&data(asked.number + 100)));
    assert!(error.contains("given up"), "{error}");
}

#[test]
fn the_bundle_must_stay_the_same() {
    let (old, new) = (data(200_000), vec![7; 200_000]);
    let longer = vec![7; 200_001];
    type Second = Box<dyn Fn(&Asked) -> Answer + Send + Sync>;
    let cases: Vec<(&str, Second)> = vec![
        ("ETag was \"one\", and is \"two\"", {
            let new = new.clone();
            Box::new(move |asked| good(asked, &new).with("ETag", "\"two\""))
        }),
        ("it has none now", {
            let new = new.clone();
            Box::new(move |asked| good(asked, &new).with("ETag", ""))
        }),
        ("it has none now", {
            let new = new.clone();
            Box::new(move |asked| good(asked, &new).with("ETag", "W/\"one\""))
        }),
        ("had 200000 bytes, and has 200001 now", Box::new(move |asked| good(asked, &longer))),
        ("had 200000 bytes, and has 1000 now", Box::new(|asked| good(asked, &[7; 1000]))),
        ("ETag was", {
            let new = new.clone();
            Box::new(move |_| whole(&new).with("ETag", "\"two\""))
        }),
        ("had 200000 bytes, and has 35 now", {
            // The page of a hotel's network.
            Box::new(|_| Answer::new("200 OK").body(b"<html>please tell us your name</html>"[..35].as_ref()))
        }),
    ];
    for (says, second) in cases {
        let copy = old.clone();
        let server = Server::new(move |asked| match asked.number {
            0 => good(asked, &copy),
            _ => second(asked),
        });
        let mut source = HttpSource::new(&server.url("/b"), options()).unwrap();
        assert!(read(&mut source, 0..65_536).unwrap() == old[..65_536]);
        let mut buf = vec![0; 1000];
        let error = source.fetch(65_536, &mut buf).unwrap_err();
        assert!(matches!(&error, UpdateError::Changed(_)), "{error}");
        assert_eq!(error.code(), 24);
        assert!(error.to_string().contains(says), "{error}");
        // Not a byte of the other one was handed out.
        assert_eq!(buf, vec![0; 1000], "{says}");
        assert_eq!(server.asked().len(), 2);
    }
    // Without a strong tag the time counts; with one it does not.
    for (tag, changed) in [("", true), ("W/\"one\"", true), ("\"one\"", false)] {
        let copy = old.clone();
        let server = Server::new(move |asked| {
            let modified = format!("Sun, 06 Nov 1994 08:49:3{} GMT", asked.number);
            good(asked, &copy).with("ETag", tag).with("Last-Modified", &modified)
        });
        let mut source = HttpSource::new(&server.url("/b"), options()).unwrap();
        assert!(read(&mut source, 0..65_536).is_ok());
        let second = read(&mut source, 65_536..65_546);
        assert_eq!(matches!(second, Err(UpdateError::Changed(_))), changed, "{tag}");
    }
}

#[test]
fn redirects_are_followed_and_secrets_stay_at_home() {
    let bytes = data(200_000);
    let copy = bytes.clone();
    let other = Server::new(move |asked| good(asked, &copy));
    let away = other.url("/signed?ticket=1");
    let home = Server::new(move |asked| match asked.target.as_str() {
        "/b" => Answer::new("302 Found").with("Location", "sub/../c"),
        "/c" => Answer::new("307 Temporary").with("Location", &away),
        other => panic!("{other}"),
    });
    let secret = Options {
        headers: vec![
            ("Authorization".into(), "Bearer secret".into()),
            ("X-Token".into(), "secret too".into()),
        ],
        ..options()
    };
    let mut source = HttpSource::new(&home.url("/b"), secret).unwrap();
    reads_all(&mut source, &bytes);
    for asked in home.asked() {
        assert_eq!(asked.header("authorization"), Some("Bearer secret"));
        assert_eq!(asked.header("x-token"), Some("secret too"));
    }
    for asked in other.asked() {
        assert_eq!((asked.header("authorization"), asked.header("x-token")), (None, None));
        assert_eq!(asked.target, "/signed?ticket=1");
    }
    // The way is gone once; the bundle is asked for where it is, over one connection.
    assert_eq!((home.asked().len(), other.asked().len()), (2, 3));
    assert_eq!((home.connections(), other.connections()), (1, 1));
}

#[test]
fn an_address_that_is_good_for_a_while_is_asked_for_again() {
    let bytes = data(300_000);
    let copy = bytes.clone();
    let other = Server::new(move |asked| match asked.target.as_str() {
        "/0" if asked.number < 2 => good(asked, &copy),
        "/1" => good(asked, &copy),
        _ => Answer::new("403 Expired"),
    });
    let (count, away) = (AtomicUsize::new(0), other.url(""));
    let home = Server::new(move |_| {
        let number = count.fetch_add(1, Ordering::SeqCst);
        Answer::new("302 Found").with("Location", &format!("{away}/{number}"))
    });
    let mut source = HttpSource::new(&home.url("/b"), options()).unwrap();
    reads_all(&mut source, &bytes);
    assert_eq!(home.asked().len(), 2);
}

#[test]
fn redirects_to_nowhere_end() {
    let around = |location: &'static str| {
        let server = Server::new(move |_| Answer::new("302 Found").with("Location", location));
        let mut source = HttpSource::new(&server.url("/b"), options()).unwrap();
        let error = read(&mut source, 0..10).unwrap_err().to_string();
        (error, server.asked().len())
    };
    let (error, asked) = around("/b");
    assert!(error.contains("more than 10 redirects") && asked == 11, "{error}");
    for (location, says) in [("", "to itself"), ("ftp://x/", "no address"), ("http://", "no address")] {
        let (error, asked) = around(location);
        assert!(error.contains(says) && asked == 1, "{error}");
    }
}

#[test]
fn no_secret_is_in_an_error() {
    let secrets = ["hunter2", "ticket", "bearer-secret"];
    type Handler = fn(&Asked) -> Answer;
    let handlers: [Handler; 8] = [
        |_| Answer::new("404 Not Found"),
        |_| Answer::new("500 Oops"),
        |_| Answer::new("302 Found").with("Location", "ftp://hunter2@x/?ticket"),
        |_| Answer::new("302 Found").with("Location", "http://x:hunter2@localhost:1/?ticket=ticket"),
        |asked| good(asked, &data(9)).cut(3, Then::Close),
        |asked| good(asked, &data(9)).with("Content-Encoding", "br"),
        |asked| good(asked, &data(9)).with("Content-Range", ""),
        |asked| if asked.number == 0 { good(asked, &data(9)) } else { good(asked, &data(8)) },
    ];
    for handler in handlers {
        let server = Server::new(handler);
        let url = format!("http://me:hunter2@localhost:{}/b?ticket=1", server.port());
        let headers = vec![("X-Key".to_owned(), "bearer-secret".to_owned())];
        let mut source = HttpSource::new(&url, Options { headers, ..once() }).unwrap();
        let mut errors = Vec::new();
        for _ in 0..3 {
            errors.extend(read(&mut source, 0..9).err());
            errors.extend(read(&mut source, 8..20).err());
        }
        assert!(!errors.is_empty());
        for error in errors {
            for text in [error.to_string(), format!("{error:?}")] {
                assert!(secrets.iter().all(|secret| !text.contains(secret)), "{text}");
            }
        }
        // It was sent, though.
        let asked = &server.asked()[0];
        assert_eq!(asked.header("authorization"), Some("Basic bWU6aHVudGVyMg=="));
        assert_eq!(asked.target, "/b?ticket=1");
    }
    let proxy = Some("http://user:hunter2@ho st/ticket".to_owned());
    let proxies = Proxies { http: proxy, ..Proxies::default() };
    let mut source = HttpSource::new("http://localhost:1/", Options { proxies, ..once() }).unwrap();
    let error = read(&mut source, 0..1).unwrap_err().to_string();
    assert!(error.contains("proxy") && secrets.iter().all(|secret| !error.contains(secret)), "{error}");
}

#[test]
fn what_cannot_be_asked_for_is_refused_before_anything_is_sent() {
    let refused = |url: &str, name: &str, value: &str| {
        let headers = vec![(name.to_owned(), value.to_owned())];
        let error = HttpSource::new(url, Options { headers, ..options() }).err();
        error.map(|error| error.to_string()).unwrap_or_default()
    };
    assert!(refused("ftp://host/b", "X-A", "b").contains("no address"));
    for name in ["Range", "accept-encoding", "If-Range", "Host", "Connection", "bad name", ""] {
        assert!(refused("http://host/b", name, "x").contains("can't be sent as a header"), "{name}");
    }
    let secret = refused("http://host/b", "X-A", "secret\r\nX-B: c");
    assert!(secret.contains("bytes that can't be sent") && !secret.contains("secret"), "{secret}");
}

#[test]
fn a_wait_and_a_silence_can_be_cancelled() {
    // By whoever hears of the wait.
    let server = Server::new(|_| Answer::new("503 Busy").with("Retry-After", "3000"));
    let on_wait =
        Some(Arc::new(|_: bootslot::update::source::http::Waiting<'_>| ControlFlow::Break(())) as _);
    let retry = Retry::default();
    let mut source = HttpSource::new(&server.url("/b"), Options { on_wait, retry, ..options() }).unwrap();
    assert!(matches!(read(&mut source, 0..10), Err(UpdateError::Cancelled)));

    // From another thread: in a wait, and while the server is silent.
    for silent in [false, true] {
        let (asked, was_asked) = mpsc::channel();
        let asked = Mutex::new(asked);
        let server = Server::new(move |request| {
            let _ = asked.lock().unwrap().send(());
            match silent {
                true => good(request, &data(1000)).cut(5, Then::Silence),
                false => Answer::new("503 Busy").with("Retry-After", "3000"),
            }
        });
        let stall = Duration::from_secs(3000);
        let mut source = HttpSource::new(&server.url("/b"), Options { stall, retry, ..options() }).unwrap();
        let canceller = source.canceller();
        let reader = thread::spawn(move || {
            let first = read(&mut source, 0..10);
            (first, read(&mut source, 0..10))
        });
        was_asked.recv().unwrap();
        canceller.cancel();
        let (first, second) = reader.join().unwrap();
        assert!(matches!(first, Err(UpdateError::Cancelled)), "{first:?}");
        assert!(matches!(second, Err(UpdateError::Cancelled)), "{second:?}");
    }
}

#[test]
fn a_proxy_is_asked_unless_the_host_is_excepted() {
    let bytes = data(1000);
    let copy = bytes.clone();
    let server = Server::new(move |asked| {
        // It plays both: the proxy that is asked to connect, and what is behind it.
        if asked.header("proxy-connection").is_some() {
            Answer::new("200 Connected").with("Content-Length", "")
        } else {
            good(asked, &copy)
        }
    });
    let proxy = Some(format!("http://me:pass@localhost:{}", server.port()));
    let proxies = Proxies { http: proxy, ..Proxies::default() };
    let mut source =
        HttpSource::new("http://bundles.example/b", Options { proxies: proxies.clone(), ..options() })
            .unwrap();
    assert!(read(&mut source, 0..1000).unwrap() == bytes);
    let asked = server.asked();
    assert_eq!(asked[0].target, "bundles.example:80");
    assert_eq!(asked[0].header("proxy-authorization"), Some("Basic bWU6cGFzcw=="));
    assert_eq!((asked[1].target.as_str(), asked[1].header("proxy-authorization")), ("/b", None));

    let proxies = Proxies { except: "localhost".into(), ..proxies };
    let mut source = HttpSource::new(&server.url("/b"), Options { proxies, ..options() }).unwrap();
    assert!(read(&mut source, 0..1000).unwrap() == bytes);
    assert_eq!(server.asked()[2].target, "/b");
}

#[test]
fn whatever_a_server_does_no_wrong_byte_comes() {
    let bytes = data(300_000);
    for seed in 0..60 {
        let dice = move |number: usize, sides: u64| {
            let mut value = seed * 1000 + number as u64 + 1;
            // The finalizer of SplitMix64.
            for factor in [0xbf58_476d_1ce4_e5b9, 0x94d0_49bb_1331_11eb_u64] {
                value = (value ^ (value >> 30)).wrapping_mul(factor);
            }
            (value ^ (value >> 31)) % sides
        };
        let copy = bytes.clone();
        // From the 150th request on it is good: the download ends.
        let server = Server::new(move |asked| {
            let answer = good(asked, &copy);
            let len = asked.range(copy.len()).len();
            let some = dice(asked.number + 500, len as u64 + 1) as usize;
            match dice(asked.number, if asked.number < 150 { 12 } else { 1 }) {
                1 => answer.cut(some, Then::Close),
                2 => answer.with("Content-Length", &some.to_string()).then(Then::Close),
                3 => answer.with("Content-Length", &(len + some).to_string()).then(Then::Close),
                4 => Answer::new("503 Busy"),
                5 => Answer::new("429 Busy").with("Retry-After", "0").then(Then::Close),
                6 => whole(&copy).cut(some, Then::Close),
                7 => answer.chunked(),
                8 => answer.then(Then::Close),
                9 => answer.chunked().cut(some, Then::Close),
                10 => Answer::new("302 Found").with("Location", "?again"),
                _ => answer,
            }
        });
        let mut source = HttpSource::new(&server.url("/b"), Options { gap: 500, ..options() }).unwrap();
        let (mut at, mut ranges) = (0, Vec::new());
        for step in 0..40 {
            at += dice(step + 1000, 8000);
            let end = at + dice(step + 2000, 8000);
            ranges.push(at..end.min(300_000));
            at = end;
        }
        ranges.retain(|range| !range.is_empty());
        if seed % 4 > 0 {
            source.announce(&ranges);
        }
        for range in &ranges {
            let range = range.start as usize..range.end as usize;
            let got = read(&mut source, range.clone());
            assert!(
                got.unwrap_or_else(|error| panic!("seed {seed}: {error}")) == bytes[range],
                "seed {seed}"
            );
        }
    }
}

/// What a gap is worth: the time of a delta of 300 chunks over links of several lengths, by the gap that is read
/// along. `cargo test --release --all-features --test http_source -- --ignored --nocapture gap`
#[test]
#[ignore = "a measurement"]
fn what_a_gap_is_worth() {
    let bytes = data(24 << 20);
    let mut at = 70_000;
    let mut ranges = Vec::new();
    while ranges.len() < 300 {
        ranges.push(at..at + 8192);
        // Gaps of 1 to 128 KiB, most of them small.
        at += 8192 + (1024 << (ranges.len() as u64 * 2_654_435_761 % 8));
    }
    let wanted: u64 = ranges.iter().map(|range| range.end - range.start).sum();
    for (round_trip, megabits) in [(10, 100), (20, 50), (50, 10), (100, 2)] {
        let link =
            Link { round_trip: Duration::from_millis(round_trip), bytes_per_second: megabits * 125_000 };
        let least = wanted as f64 / link.bytes_per_second as f64;
        for gap in [0, 1, 4, 16, 32, 64u64] {
            let copy = bytes.clone();
            let server = Server::behind(link, move |asked| good(asked, &copy));
            let options = Options { gap: gap << 10, stall: Duration::from_secs(9), ..options() };
            let mut source = HttpSource::new(&server.url("/b"), options).unwrap();
            source.announce(&ranges);
            let start = std::time::Instant::now();
            for range in &ranges {
                let range = range.start as usize..range.end as usize;
                assert!(read(&mut source, range.clone()).unwrap() == bytes[range]);
            }
            let (seconds, requests) = (start.elapsed().as_secs_f64(), server.asked().len());
            let ratio = seconds / least;
            println!(
                "{round_trip} ms, {megabits} Mbit/s, gap {gap} KiB: {requests} requests, {seconds:.1} s, {ratio:.2}x"
            );
        }
    }
}
