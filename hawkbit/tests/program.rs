//! The real program, a device of files, and a server that misbehaves in each of the ways that servers do.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use bootslot::journal::Event;
use bootslot::slot::{Mark, Name, Reason};
use common::hawkbit::{Hawkbit, Status};
use common::http::{Asked, Server, Trouble};
use common::place::Place;
use common::workshop::{random, workshop, Made, COMPATIBLE};

const IMAGE: usize = 600_000;

/// A device, and a server that has an action for it.
fn place() -> (Place, Server, Made) {
    place_for(IMAGE)
}

/// The same, with an image of this length.
fn place_for(len: usize) -> (Place, Server, Made) {
    let made = workshop().bundle("2.0", COMPATIBLE, &random(len, 5));
    let place = Place::new(len as u64 + (400 << 10));
    let mut hawkbit = Hawkbit::new();
    hawkbit.upload("os.bundle", &made.bytes);
    hawkbit.assign(&["os.bundle"]);
    let server = Server::new(hawkbit);
    place.server(&server.url(), "");
    (place, server, made)
}

fn status(server: &Server, id: &str) -> Status {
    server.hawkbit(|hawkbit| hawkbit.status(id))
}

#[track_caller]
fn visit(place: &Place) {
    let ran = place.visit();
    assert_eq!(ran.code, Some(0), "{}", ran.says);
}

#[test]
fn an_update_from_the_offer_to_the_confirmation() {
    let (mut place, server, made) = place();
    visit(&place);
    assert!(place.is_rebooting());
    assert!(fs::read(place.path("b.img")).unwrap().starts_with(&random(IMAGE, 5)));
    // No copy of the bundle lies around.
    let files: u64 = walk(place.folder.path()).iter().map(|path| fs::metadata(path).unwrap().len()).sum();
    assert!(files < (2 << 20) + 100_000, "{files}");
    assert_eq!(status(&server, "7"), Status::Running);
    place.boot();
    place.write("os-release", b"IMAGE_VERSION=2.0\nBUILD_ID=two\n");
    visit(&place);
    // Nothing new: nothing is told.
    let messages = server.hawkbit(|hawkbit| hawkbit.messages);
    visit(&place);
    assert_eq!(server.hawkbit(|hawkbit| hawkbit.messages), messages);
    assert_eq!(status(&server, "7"), Status::Running, "success is told after the confirmation");
    place.device().confirm(None).unwrap();
    visit(&place);
    assert_eq!(status(&server, "7"), Status::Finished);
    visit(&place);
    server.hawkbit(|hawkbit| {
        let told: Vec<_> = hawkbit.about("7").iter().map(|kept| kept.details.join("")).collect();
        assert_eq!(told[3], "version 2.0 runs, and is confirmed", "{told:?}");
        assert!(hawkbit.messages <= 12, "{}", hawkbit.messages);
        let is = |name: &str| hawkbit.attributes[name].clone();
        assert_eq!(
            [is("version"), is("build"), is("slot"), is("slot.B"), is("slot.A")],
            ["2.0", "two", "B", "good", "good"]
        );
        assert_eq!(is("compatible"), COMPATIBLE);
    });
    // The same action again, and the same update in another one: nothing is fetched but the head of the bundle.
    let before = server.asked().len();
    server.hawkbit(|hawkbit| {
        hawkbit.action("7").status = Status::Running;
        hawkbit.assign(&["os.bundle"])
    });
    visit(&place);
    assert_eq!((status(&server, "7"), status(&server, "8")), (Status::Finished, Status::Finished));
    assert!(server.fetched_since(before) < made.bytes.len() / 2);
    assert!(!place.is_rebooting());
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

#[test]
fn a_rollback_is_told_with_its_evidence_and_the_same_is_not_installed_again() {
    let (mut place, server, _) = place();
    visit(&place);
    place.boot();
    let mut device = place.device();
    let check = Event::Check {
        name: "gateway".into(),
        result: "failed".into(),
        output: "no answer\nfrom 10.0.0.1".into(),
        blame: true,
        baseline: false,
    };
    device.journal().unwrap().append(&[check]).unwrap();
    device.roll_back(Reason::Health).unwrap();
    place.is_rebooting();
    visit(&place);
    assert_eq!(status(&server, "7"), Status::Running, "the failed system still runs");
    place.boot();
    visit(&place);
    assert_eq!(status(&server, "7"), Status::Error);
    let told = server.hawkbit(|hawkbit| hawkbit.about("7").last().unwrap().details.clone());
    assert_eq!(told, ["rolled back: health", "check gateway: failed: no answer\nfrom 10.0.0.1"]);
    assert!(place.device().state().unwrap().last_failure().is_none(), "it is acknowledged");
    let before = server.asked().len();
    server.hawkbit(|hawkbit| hawkbit.assign(&["os.bundle"]));
    visit(&place);
    assert_eq!(status(&server, "8"), Status::Error);
    assert!(server.fetched_since(before) < 70_000, "{}", server.fetched_since(before));
    assert!(!place.is_rebooting());
}

/// The trouble with the first answer of this kind; the next ones are right.
fn once(
    of: fn(&Asked) -> bool,
    trouble: &Trouble,
) -> impl Fn(&Asked) -> Option<Trouble> + Send + Sync + 'static {
    let (left, trouble) = (AtomicUsize::new(1), trouble.clone());
    move |asked| {
        let now = of(asked)
            && left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        now.then(|| trouble.clone())
    }
}

/// Visits until the device wants to reboot.
#[track_caller]
fn visits_to_the_reboot(place: &Place, most: usize) -> Vec<String> {
    let mut said = Vec::new();
    for _ in 0..most {
        let ran = place.visit();
        assert!(matches!(ran.code, Some(0 | 1)), "{ran:?}");
        said.push(ran.says);
        if place.is_rebooting() {
            return said;
        }
    }
    panic!("it does not get there: {said:?}");
}

#[test]
fn whatever_the_server_answers_once_costs_one_visit_at_most() {
    let kinds: [fn(&Asked) -> bool; 4] = [
        |asked| asked.target == common::hawkbit::BASE,
        |asked| asked.method == "PUT",
        |asked| asked.method == "GET" && asked.target.contains("/deploymentBase/"),
        Asked::is_feedback,
    ];
    let status = |status| Trouble::Status(status, vec![]);
    let later = Trouble::Status(429, vec![("Retry-After", "7".into())]);
    let moved = Trouble::Status(302, vec![("Location", "http://127.0.0.1:1/elsewhere".into())]);
    let troubles = [
        (status(401), "(401)"),
        (status(403), "(403)"),
        (status(404), "(404)"),
        (status(409), "(409)"),
        (status(410), "(410)"),
        (later, "(429)"),
        (status(500), "(500)"),
        (status(503), "(503)"),
        (moved, "(302)"),
        (Trouble::Half, "localhost"),
        (Trouble::Lost, "localhost"),
        (Trouble::Html, "can't be read"),
    ];
    for (trouble, says) in &troubles {
        for (number, kind) in kinds.into_iter().enumerate() {
            let (place, server, _) = place();
            server.trouble(once(kind, trouble));
            let said = visits_to_the_reboot(&place, 3);
            if number == 0 {
                assert!(said[0].contains(says), "{trouble:?}: {said:?}");
            }
            assert_eq!(self::status(&server, "7"), Status::Running, "{trouble:?} {number}: {said:?}");
        }
    }
}

#[test]
fn a_result_is_told_until_the_server_has_it_and_once() {
    let refusals = [401, 403, 409, 429, 500, 503].map(|status| Trouble::Status(status, vec![]));
    let gone = [404, 410].map(|status| Trouble::Status(status, vec![]));
    let strange = [400, 413, 422].map(|status| Trouble::Status(status, vec![]));
    for trouble in refusals.iter().chain(&gone).chain(&strange).chain(&[Trouble::Half, Trouble::Lost]) {
        let (mut place, server, _) = place();
        visit(&place);
        place.boot();
        visit(&place);
        place.device().confirm(None).unwrap();
        server.trouble(once(Asked::is_feedback, trouble));
        let first = place.visit();
        let second = place.visit();
        let ends = server
            .hawkbit(|hawkbit| hawkbit.about("7").iter().filter(|kept| kept.execution == "closed").count());
        assert_eq!((ends, second.code), (1, Some(0)), "{trouble:?}: {first:?} {second:?}");
        assert_eq!(status(&server, "7"), Status::Finished, "{trouble:?}");
    }
}

#[test]
fn a_server_that_asks_to_wait_is_not_visited_before() {
    let (place, server, _) = place();
    server.trouble(|_| Some(Trouble::Status(429, vec![("Retry-After", "3000".into())])));
    let mut child = place.command().stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let seconds: u64 =
        line.split("next visit in ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!((3000..=3300).contains(&seconds), "{line}");
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn a_download_goes_on_where_it_was() {
    let (place, server, made) = place();
    // The connection breaks in each third answer, in one visit.
    server.trouble(|asked| (asked.is_file() && asked.number % 3 == 0).then_some(Trouble::Half));
    visits_to_the_reboot(&place, 1);
    assert!(server.fetched_since(0) < made.bytes.len() * 3);

    // And the program is killed in it.
    let (place, server, made) = place_for(5_000_000);
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    // The image comes in one answer: half of it, and then nothing.
    server.trouble(move |asked| match asked.is_file().then(|| count.fetch_add(1, Ordering::SeqCst)) {
        None | Some(0) => None,
        Some(1) => Some(Trouble::Half),
        Some(_) => Some(Trouble::Status(503, vec![("Retry-After", "100".into())])),
    });
    let mut child = place.command().arg("--once").stderr(Stdio::null()).spawn().unwrap();
    while asked.load(Ordering::SeqCst) < 3 {
        assert!(child.try_wait().unwrap().is_none(), "it has ended");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let b = Name::new("B").unwrap();
    assert_eq!(place.device().state().unwrap().mark(&b), Some(Mark::Writing), "it does not boot");
    server.trouble(|_| None);
    let before = server.asked().len();
    visits_to_the_reboot(&place, 1);
    let fetched = server.fetched_since(before);
    // What was on its way when it was killed is fetched again.
    assert!(fetched + 500_000 < made.bytes.len(), "{fetched} of {}", made.bytes.len());
}

#[test]
fn what_can_not_be_downloaded_is_given_up_after_some_attempts_and_told() {
    for (trouble, says) in [
        (Trouble::Status(404, vec![]), "(404)"),
        (Trouble::Status(410, vec![]), "(410)"),
        (Trouble::Html, ""),
    ] {
        let (place, server, _) = place();
        place.server(&server.url(), "attempts = 3");
        let trouble = Arc::new(trouble);
        server.trouble(move |asked| asked.is_file().then(|| (*trouble).clone()));
        let codes: Vec<_> = (0..3).map(|_| place.visit().code).collect();
        let told = server.hawkbit(|hawkbit| (*hawkbit.about("7").last().unwrap()).clone());
        assert_eq!((&*told.finished, status(&server, "7")), ("failure", Status::Error), "{codes:?} {told:?}");
        assert!(told.details[0].contains(says), "{told:?}");
        // A visit whose download has failed is followed by a longer wait.
        assert!(says.is_empty() || codes == [Some(1), Some(1), Some(0)], "{codes:?}");
        assert!(!place.is_rebooting());
    }
}

#[test]
fn damaged_bytes_are_never_installed() {
    let (place, server, _) = place();
    let count = AtomicUsize::new(0);
    server.trouble(move |asked| {
        // The head and the tables are right; the image is not.
        (asked.is_file() && count.fetch_add(1, Ordering::SeqCst) > 0).then_some(Trouble::Damaged)
    });
    let ran = place.visit();
    assert_eq!(status(&server, "7"), Status::Error, "{ran:?}");
    let told = server.hawkbit(|hawkbit| hawkbit.about("7").last().unwrap().details.clone());
    assert!(told[0].contains("other bytes"), "{told:?}");
    assert!(!place.is_rebooting());
    let state = place.device().state().unwrap();
    assert_eq!(state.mark(&Name::new("B").unwrap()), Some(Mark::Writing));
}

#[test]
fn a_download_host_gets_the_request_and_not_the_token() {
    // By a redirect of the server's, and by the address in the action.
    for redirect in [true, false] {
        let (place, server, made) = place();
        let mut files = Hawkbit::new();
        files.upload("os.bundle", &made.bytes);
        let host = Server::new(files);
        let there = format!("{}/files/os.bundle", host.url().replace("localhost", "127.0.0.1"));
        match redirect {
            true => {
                let headers = vec![("Location", there)];
                server.trouble(move |asked| asked.is_file().then(|| Trouble::Status(302, headers.clone())));
            }
            false => server.hawkbit(|hawkbit| hawkbit.action("7").files[0].elsewhere = Some(there)),
        }
        visits_to_the_reboot(&place, 1);
        let asked = host.asked();
        assert!(asked.len() > 1 && asked.iter().all(|asked| asked.header("authorization").is_none()));
        let ours: Vec<_> =
            server.asked().iter().map(|asked| asked.header("authorization").map(str::to_owned)).collect();
        assert!(ours.iter().all(|token| token.as_deref() == Some("TargetToken s3cret")), "{ours:?}");
    }
}

#[test]
fn a_gateway_token_does_as_well() {
    let (place, server, _) = place();
    server.hawkbit(|hawkbit| hawkbit.token = "GatewayToken s3cret".into());
    assert!(place.visit().says.contains("(401)"));
    let text = fs::read_to_string(place.path("hawkbit.toml")).unwrap();
    place.write("hawkbit.toml", text.replace("target-token-file", "gateway-token-file").as_bytes());
    visits_to_the_reboot(&place, 1);
}

/// A CA, a server and a client of it.
fn certificates() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let script = r#"
        set -eu
        key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1.key"; }
        leaf() { key "$1"; openssl req -new -key "$1.key" -subj "/CN=$1" -out "$1.csr"
            printf 'subjectAltName=DNS:localhost\nextendedKeyUsage=%s\n' "$2" >"$1.ext"
            openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -extfile "$1.ext" -out "$1.pem" -days 3650; }
        key ca; openssl req -x509 -new -key ca.key -subj /CN=ca -days 3650 -out ca.pem \
            -addext basicConstraints=critical,CA:TRUE
        leaf server serverAuth; leaf client clientAuth
    "#;
    let output =
        std::process::Command::new("sh").args(["-c", script]).current_dir(folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    folder
}

#[test]
fn a_certificate_of_the_device_does_as_well() {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let folder = certificates();
    let file = |name: &str| folder.path().join(name);
    let pem = |name: &str| CertificateDer::from_pem_file(file(name)).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    roots.add(pem("ca.pem")).unwrap();
    let verifier =
        rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let config =
        rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_client_cert_verifier(verifier.build().unwrap());
    let key = PrivateKeyDer::from_pem_file(file("server.key")).unwrap();
    let (place, _, made) = place();
    let mut hawkbit = Hawkbit::new();
    hawkbit.upload("os.bundle", &made.bytes);
    hawkbit.assign(&["os.bundle"]);
    let server = Server::with_tls(hawkbit, config.with_single_cert(vec![pem("server.pem")], key).unwrap());
    // A proxy in front of a hawkBit takes the certificate for the token.
    let token = "TargetToken s3cret".to_owned();
    server.hawkbit(|hawkbit| hawkbit.token = token);
    let tls = format!(
        "ca = {:?}\ncertificate = {:?}\nkey = {:?}",
        file("ca.pem"),
        file("client.pem"),
        file("client.key")
    );
    place.server(&server.url(), &tls);
    visits_to_the_reboot(&place, 1);
    place.server(&server.url(), &format!("ca = {:?}", file("ca.pem")));
    assert_eq!(place.visit().code, Some(1), "who has no certificate does not get in");
    place.server(&server.url(), "");
    assert_eq!(place.visit().code, Some(1), "a server that the system does not know is not told anything");
}

/// The example of docs/fleet.md: a folder on a server, and no hawkBit.
#[test]
fn a_client_for_a_plain_folder_has_fifty_lines() {
    let code = include_str!("../../examples/poll.rs")
        .lines()
        .filter(|line| !line.starts_with("//!") && !line.is_empty());
    assert!(code.count() <= 50);
    let (mut place, server, made) = place();
    server.hawkbit(|hawkbit| hawkbit.upload("latest", b"os.bundle\n"));
    // Its lock file is the configuration's: it has no option for another one.
    let at = |name: &str| place.path(name).display().to_string();
    let yaml = format!(
        "uboot:\n  size: 0x4000\n  lockfile: {}\n  devices:\n    - path: {1}\n      offset: 0x0\n    - path: {1}\n      offset: 0x4000\n",
        at("lock"),
        at("env.img")
    );
    place.write("fw_env.yaml", yaml.as_bytes());
    let board = fs::read_to_string(place.path("bootslot.toml")).unwrap();
    place.write("bootslot.toml", board.replace("fw_env.config", "fw_env.yaml").as_bytes());
    let program = std::env::current_exe().unwrap().parent().unwrap().parent().unwrap().join("examples/poll");
    assert!(program.exists(), "cargo builds it where all tests are built: cargo test -p bootslot-hawkbit");
    let folder = format!("{}/files", server.url());
    let settings = at("bootslot.toml");
    let poll = |place: &Place| {
        let mut command = std::process::Command::new(&program);
        let output =
            command.args([&folder, &settings, &place.running]).env("no_proxy", "*").output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(poll(&place), "version 2.0 is in slot B, on trial from the next boot on\n");
    place.boot();
    place.device().confirm(None).unwrap();
    assert_eq!(poll(&place), format!("update {}: confirmed confirm\nversion 2.0 runs\n", made.id));
    assert_eq!(poll(&place), "version 2.0 runs\n");
}

#[test]
fn settings_that_make_no_sense_end_it_with_the_file_and_the_key() {
    let (place, server, _) = place();
    let says = |code: i32| {
        let ran = place.visit();
        assert_eq!(ran.code, Some(code), "{ran:?}");
        ran.says
    };
    place.server(&server.url(), "poll = 5");
    assert!(says(4).contains("hawkbit.toml:5:1: unknown field `poll`"));
    place.server(&server.url(), "");
    let token = place.path("token");
    fs::remove_file(&token).unwrap();
    assert!(says(4).contains("token: No such file"));
    place.write("token", b"s3cret");
    let board = fs::read_to_string(place.path("bootslot.toml")).unwrap();
    fs::set_permissions(&token, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let without: String =
        board.lines().filter(|line| !line.starts_with("state")).map(|line| format!("{line}\n")).collect();
    place.write("bootslot.toml", without.as_bytes());
    assert!(says(4).contains("no folder for the journal"));
    assert_eq!(server.asked().len(), 0);
}
