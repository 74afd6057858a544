//! HTTPS, with certificates that openssl makes once.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};

use bootslot::update::source::http::{ClientFiles, HttpSource, Options};
use bootslot::update::source::Source;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tempfile::TempDir;

use crate::server::{good, Answer, Server};
use crate::{data, once, options};

/// A CA, a server and a client of it, a stranger, and a server whose time is over.
fn certificates() -> &'static Path {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let script = r#"
            set -eu
            key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1.key"; }
            ca() { key "$1"; openssl req -x509 -new -key "$1.key" -subj "/CN=$1" -days 3650 -out "$1.pem" \
                -addext basicConstraints=critical,CA:TRUE; }
            leaf() { key "$1"; openssl req -new -key "$1.key" -subj "/CN=$1" -out "$1.csr"
                printf 'subjectAltName=DNS:localhost\nextendedKeyUsage=%s\n' "$3" >"$1.ext"
                openssl x509 -req -in "$1.csr" -CA "$2.pem" -CAkey "$2.key" -extfile "$1.ext" -out "$1.pem" $4; }
            ca ca; ca stranger
            leaf server ca serverAuth "-days 3650"
            leaf old ca serverAuth "-days -1"
            leaf client ca clientAuth "-days 3650"
            leaf nobody stranger clientAuth "-days 3650"
        "#;
        let output = Command::new("sh").args(["-c", script]).current_dir(folder.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        folder
    });
    folder.path()
}

fn file(name: &str) -> PathBuf {
    certificates().join(name)
}

fn pem(name: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(file(name)).unwrap()
}

/// A server with this certificate, which may want to know its clients.
fn config(name: &str, knows_clients: bool) -> ServerConfig {
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = if knows_clients {
        let mut roots = RootCertStore::empty();
        roots.add(pem("ca.pem")).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        builder.with_client_cert_verifier(verifier.build().unwrap())
    } else {
        builder.with_no_client_auth()
    };
    let key = PrivateKeyDer::from_pem_file(file(&format!("{name}.key"))).unwrap();
    builder.with_single_cert(vec![pem(&format!("{name}.pem"))], key).unwrap()
}

fn trusting(ca: &str, client: Option<&str>) -> Options {
    let client = client.map(|name| ClientFiles {
        certificate: file(&format!("{name}.pem")),
        key: file(&format!("{name}.key")),
    });
    Options { ca: Some(file(ca)), client, ..options() }
}

fn read(server: &Server, options: Options) -> Result<(), String> {
    let mut source = HttpSource::new(&server.url("/b"), options).unwrap();
    let mut bytes = vec![0; 100_000];
    source.fetch(0, &mut bytes).map_err(|error| error.to_string())?;
    assert!(bytes == data(100_000));
    Ok(())
}

fn server(name: &str, knows_clients: bool) -> Server {
    Server::with_tls(config(name, knows_clients), |asked| good(asked, &data(100_000)))
}

#[test]
fn a_server_is_trusted_by_the_ca_that_is_named() {
    let server = server("server", false);
    read(&server, trusting("ca.pem", None)).unwrap();
    assert_eq!(server.connections(), 1);
    // These are no matter of patience.
    for (options, says) in [
        (trusting("stranger.pem", None), "UnknownIssuer"),
        // The system's; this CA is not among them.
        (Options { ca: None, ..options() }, "certificate"),
    ] {
        let error = read(&server, options).unwrap_err();
        assert!(error.contains(says), "{error}");
    }
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn a_certificate_whose_time_is_over_makes_one_look_at_the_clock() {
    let error = read(&server("old", false), trusting("ca.pem", None)).unwrap_err();
    assert!(error.contains("Expired") && error.contains("is the clock right?"), "{error}");
}

#[test]
fn a_client_shows_its_certificate() {
    let server = server("server", true);
    read(&server, trusting("ca.pem", Some("client"))).unwrap();
    for client in [None, Some("nobody")] {
        let error = read(&server, Options { retry: once().retry, ..trusting("ca.pem", client) }).unwrap_err();
        assert!(!error.is_empty());
    }
    assert_eq!(server.asked().len(), 1);
}

#[test]
fn a_client_shows_its_certificate_to_nobody_else() {
    let other = server("server", true);
    let away = other.url("/b");
    let home =
        Server::with_tls(config("server", true), move |_| Answer::new("302 Found").with("Location", &away));
    let options = Options { retry: once().retry, ..trusting("ca.pem", Some("client")) };
    assert!(read(&home, options).is_err());
    assert_eq!((home.asked().len(), other.asked().len()), (1, 0));
}

#[test]
fn https_is_never_left_for_http() {
    let plain = Server::new(|asked| good(asked, &data(100_000)));
    let away = plain.url("/b");
    let home =
        Server::with_tls(config("server", false), move |_| Answer::new("301 Moved").with("Location", &away));
    let error = read(&home, trusting("ca.pem", None)).unwrap_err();
    assert!(error.contains("from https to http"), "{error}");
    assert_eq!(plain.asked().len(), 0);
}

#[test]
fn files_that_are_no_certificates_are_named() {
    let error = |options: Options| HttpSource::new("https://localhost/", options).err().unwrap().to_string();
    let client = |certificate: &str, key: &str| Options {
        client: Some(ClientFiles { certificate: file(certificate), key: file(key) }),
        ..options()
    };
    let missing = error(trusting("missing.pem", None));
    assert!(missing.contains("missing.pem"), "{missing}");
    let empty = error(trusting("server.ext", None));
    assert!(empty.contains("server.ext") && empty.contains("no certificate"), "{empty}");
    assert!(error(client("client.key", "client.key")).contains("no certificate"));
    assert!(error(client("client.pem", "client.pem")).contains("no key"));
    let other = error(client("client.pem", "nobody.key"));
    assert!(other.contains("does not go with"), "{other}");
}
