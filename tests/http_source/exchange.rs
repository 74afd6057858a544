//! A conversation with a server: every answer comes back as it is, and what is secret goes nowhere else.

use std::time::Duration;

use bootslot::update::source::http::{Exchange, Method, NoAnswer, Options};

use crate::options;
use crate::server::{Answer, Asked, Server, Then};

const KIND: &str = "application/json";

fn told(asked: &Asked) -> Answer {
    let status = asked.target.trim_start_matches("/s/").to_owned();
    // A connection that closes without a word is taken for one that can be used again.
    let answer = Answer::new(&status).with("Retry-After", "7").with("Connection", "close");
    answer.body(b"{\"a\":1}").then(Then::Close)
}

fn exchange(server: &Server) -> Exchange {
    let headers = vec![("Authorization".to_owned(), "TargetToken s3cret".to_owned())];
    Exchange::new(&server.url("/"), &Options { headers, ..options() }).unwrap()
}

#[test]
fn whatever_the_server_answers_comes_back() {
    let server = Server::new(told);
    let mut exchange = exchange(&server);
    for status in [200, 204, 301, 401, 404, 409, 410, 429, 500, 503] {
        for (method, body) in
            [(Method::Get, ""), (Method::Post, "{}"), (Method::Put, "{}"), (Method::Post, "")]
        {
            let url = server.url(&format!("/s/{status}"));
            let reply = exchange.send(method, &url, KIND, body.as_bytes(), 100).unwrap();
            assert_eq!(
                (reply.status, reply.retry_after),
                (status, Some(Duration::from_secs(7))),
                "{method:?}"
            );
            assert!(reply.body == b"{\"a\":1}" || status == 204, "{reply:?}");
        }
    }
    let asked = server.asked();
    assert!(asked.iter().all(|asked| asked.header("authorization") == Some("TargetToken s3cret")));
    assert!(asked.iter().all(|asked| asked.header("accept") == Some(KIND)));
    let kinds: Vec<_> = asked.iter().take(4).map(|asked| asked.header("content-type")).collect();
    assert_eq!(kinds, [None, Some(KIND), Some(KIND), None]);
    // Nothing was tried twice, and no redirect was followed.
    assert_eq!(asked.len(), 40);
}

#[test]
fn another_server_hears_nothing() {
    let [home, other] = [Server::new(told), Server::new(told)];
    let error = exchange(&home).send(Method::Get, &other.url("/s/200"), KIND, &[], 100).unwrap_err();
    assert!(matches!(&error, NoAnswer::Never(reason) if reason.contains("another server")), "{error}");
    assert_eq!(other.asked().len(), 0);
}

#[test]
fn half_an_answer_is_none_and_a_long_one_is_not_read() {
    for (answer, says) in [
        (Answer::new("200 OK").body(b"0123456789").cut(5, Then::Close), "localhost"),
        (Answer::new("200 OK").body(b"0123456789").cut(5, Then::Silence), "nothing came"),
        (Answer::new("200 OK").body(&[b'x'; 101]), "more than 100 bytes"),
        (Answer::new("not HTTP\u{0}"), ""),
    ] {
        let server = Server::new(move |_| answer.clone());
        let mut exchange = exchange(&server);
        let error = exchange.send(Method::Get, &server.url("/?secret"), KIND, &[], 100).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(says) && !text.contains("secret") && !text.contains("s3cret"), "{text}");
    }
}
