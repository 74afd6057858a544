//! Signatures of bundles, made and verified by the programs `minisign` and `openssl` beside ours: whose counts, which
//! does not and what is said then, and that the bundle stays as it is.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod pki;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use bootslot::update::bundle::container::{Signature, SignatureKind, HEAD};
use bootslot::update::bundle::create;
use bootslot::update::source::FileSource;
use bootslot::update::Bundle;
use pki::*;
use tempfile::TempDir;

/// A folder with one bundle and one folder of keys.
struct Place {
    home: TempDir,
}

impl Place {
    fn new() -> Place {
        let place = Place { home: tempfile::tempdir().unwrap() };
        fs::create_dir_all(place.path("keys/revoked")).unwrap();
        place.create("the.bundle", "1.0");
        place.inspect("the.bundle", "manifest");
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn create(&self, name: &str, version: &str) {
        fs::write(self.path("image"), [b"some system ".repeat(3000), vec![0; 5000]].concat()).unwrap();
        let words = format!("create root=image -o {name} --compatible board --version {version}");
        succeeds(&self.bundle(&words));
    }

    /// Writes the manifest of a bundle to a file.
    fn inspect(&self, bundle: &str, out: &str) {
        let output = self.bundle(&format!("inspect --manifest {bundle}"));
        fs::write(self.path(out), &output.stdout).unwrap();
        succeeds(&output);
    }

    fn command(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bootslot"));
        command.arg("bundle").args(words.split_whitespace()).current_dir(self.home.path());
        command
    }

    fn bundle(&self, words: &str) -> Output {
        self.command(words).output().unwrap()
    }

    /// Puts files into the folder of keys.
    fn keys<const N: usize>(&self, keys: [(PathBuf, &str); N]) {
        for (file, name) in keys {
            fs::copy(file, self.path("keys").join(name)).unwrap();
        }
    }

    /// Adds a signature by the command, which looks at it.
    fn add(&self, signature: &[u8]) {
        fs::write(self.path("signature"), signature).unwrap();
        succeeds(&self.bundle("sign the.bundle --signature signature"));
    }

    /// Puts these in the place of the bundle's signatures, whatever they are.
    fn put(&self, signatures: &[(SignatureKind, &[u8])]) {
        let path = self.path("the.bundle");
        let bundle = Bundle::inspect(Box::new(FileSource::open(&path).unwrap())).unwrap();
        let signatures: Vec<Signature> =
            signatures.iter().map(|(kind, bytes)| Signature { kind: *kind, bytes: bytes.to_vec() }).collect();
        create::sign(&path, &bundle.manifest_bytes, &signatures).unwrap();
    }

    /// The bundle is trusted: what is said of the signer.
    #[track_caller]
    fn accepts(&self, options: &str) -> String {
        let before = fs::read(self.path("the.bundle")).unwrap();
        let output = self.bundle(&format!("verify the.bundle --keys keys {options}"));
        succeeds(&output);
        assert_eq!(fs::read(self.path("the.bundle")).unwrap(), before);
        String::from_utf8(output.stdout).unwrap()
    }

    /// The bundle is not trusted: exit code 12, and each of these words is in the message. The bundle stays as it is.
    #[track_caller]
    fn refuses(&self, options: &str, said: &[&str]) {
        let before = fs::read(self.path("the.bundle")).unwrap();
        let output = self.bundle(&format!("verify the.bundle --keys keys {options}"));
        fails(&output, 12, said);
        assert_eq!(fs::read(self.path("the.bundle")).unwrap(), before);
    }
}

#[track_caller]
fn succeeds(output: &Output) {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {errors}", output.status);
}

#[track_caller]
fn fails(output: &Output, code: i32, said: &[&str]) {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{errors}");
    assert_eq!(output.stdout, b"", "{errors}");
    for words in said {
        assert!(errors.contains(words), "{words:?} is not in {errors}");
    }
}

/// A CA that is trusted and who signs by it.
fn with_signer(place: &Place) -> (Certificate, Certificate) {
    let root = Certificate::root(&place.home, "root", "Acme");
    let signer = root.issue("Release", CODE, LONG);
    place.keys([(root.pem(), "ca.pem")]);
    (root, signer)
}

#[test]
fn minisign_and_we_read_each_others_signatures() {
    let place = Place::new();
    let key = Minisign::new(&place.home, "key");
    place.keys([(key.public(), "release.pub")]);
    place.refuses("", &["the bundle is not trusted: it is not signed"]);
    place.add(&key.sign(&place.path("manifest")));
    assert!(place.accepts("").contains("signed by release"));

    // Ours, by the program.
    let secret = key.secret();
    succeeds(&place.bundle(&format!("sign the.bundle --replace --key {} --comment ours", secret.display())));
    assert!(place.accepts("").contains("signed by release (ours)"));
    let bundle = Bundle::inspect(Box::new(FileSource::open(&place.path("the.bundle")).unwrap())).unwrap();
    fs::write(place.path("ours.minisig"), &bundle.signatures[0].bytes).unwrap();
    let mut command = Command::new("minisign");
    command.args(["-V", "-x", "ours.minisig", "-m", "manifest", "-p"]).arg(key.public());
    run(command.current_dir(place.home.path()));
}

#[test]
fn a_key_with_a_password_signs_without_being_asked() {
    let place = Place::new();
    let key = Minisign::locked(&place.home, "key", "correct horse");
    place.keys([(key.public(), "release.pub")]);
    let sign = format!("sign the.bundle --key {} --password-file", key.secret().display());
    let before = fs::read(place.path("the.bundle")).unwrap();
    fs::write(place.path("password"), "wrong horse\n").unwrap();
    fails(&place.bundle(&format!("{sign} password")), 4, &["key.sec", "assword"]);
    fs::write(place.path("password"), "\n").unwrap();
    fails(&place.bundle(&format!("{sign} password")), 4, &["password: there is no password in it"]);
    fails(&place.bundle(&format!("{sign} nowhere")), 4, &["nowhere"]);
    assert_eq!(fs::read(place.path("the.bundle")).unwrap(), before);
    fs::write(place.path("password"), "correct horse\nnot this\n").unwrap();
    succeeds(&place.bundle(&format!("{sign} password")));
    place.accepts("");
    // From standard input, with no line end.
    succeeds(&run_with(&mut place.command(&format!("{sign} - --replace")), "correct horse"));
    place.accepts("");
}

#[test]
fn openssl_and_we_read_each_others_signatures() {
    let place = Place::new();
    let (root, signer) = with_signer(&place);
    let said = "signed by CN = Release (issued by CN = Acme)";
    let manifest = place.path("manifest");
    // By the identity of the key, with older and newer ways to hash, without what is signed beside the content.
    for more in [&[][..], &["-keyid"], &["-md", "sha512"], &["-noattr"], &["-outform", "PEM"], &["-nodetach"]]
    {
        place.put(&[]);
        place.add(&signer.sign(&manifest, more));
        assert!(place.accepts("").contains(said), "{more:?}");
    }

    // Ours, by the program; the key has a password or none.
    openssl(place.home.path(), "pkcs8 -topk8 -in root/Release/key.pem -out locked.pem -passout pass:horse");
    fs::write(place.path("password"), "horse\n").unwrap();
    let certificate = "--cms-cert root/Release/cert.pem";
    for key in ["--cms-key root/Release/key.pem", "--cms-key locked.pem --password-file password"] {
        succeeds(&place.bundle(&format!("sign the.bundle --replace {certificate} {key}")));
        assert!(place.accepts("").contains(said));
        let bundle = Bundle::inspect(Box::new(FileSource::open(&place.path("the.bundle")).unwrap())).unwrap();
        fs::write(place.path("ours.der"), &bundle.signatures[0].bytes).unwrap();
        let ca = root.pem();
        let ca = ca.display();
        let verify = format!("cms -verify -binary -inform DER -in ours.der -content manifest -CAfile {ca} -purpose any -out out");
        openssl(place.home.path(), &verify);
        assert_eq!(fs::read(place.path("out")).unwrap(), fs::read(&manifest).unwrap());
    }

    // What can't sign.
    let before = fs::read(place.path("the.bundle")).unwrap();
    let other = root.issue("Other", CODE, LONG);
    let wrong = [
        (format!("{certificate} --cms-key {}", other.key().display()), "can't sign"),
        (format!("{certificate} --cms-key locked.pem"), "locked.pem: this key has a password"),
        (format!("{certificate} --cms-key manifest"), "manifest: this is no private key in PEM"),
        ("--cms-cert manifest --cms-key locked.pem".into(), "this is no certificate in PEM"),
        (format!("{certificate} --cms-key locked.pem --intermediate manifest"), "an intermediate is no"),
    ];
    for (options, said) in wrong {
        fails(&place.bundle(&format!("sign the.bundle {options}")), 4, &[said]);
    }
    fs::write(place.path("password"), "cow\n").unwrap();
    let options = format!("{certificate} --cms-key locked.pem --password-file password");
    fails(
        &place.bundle(&format!("sign the.bundle {options}")),
        4,
        &["the password is not the one of this key"],
    );
    fails(&place.bundle("sign the.bundle --cms-key locked.pem"), 2, &["--cms-cert"]);
    fails(&place.bundle("sign the.bundle"), 2, &["--key"]);
    assert_eq!(fs::read(place.path("the.bundle")).unwrap(), before);
}

#[test]
fn what_is_no_signature_of_the_bundle_is_not_added() {
    let place = Place::new();
    let (_, signer) = with_signer(&place);
    let before = fs::read(place.path("the.bundle")).unwrap();
    place.create("other.bundle", "2.0");
    place.inspect("other.bundle", "other");
    let manifest = place.path("manifest");
    // Signed as mail: openssl makes CRLF of each line end.
    let mut as_mail = Command::new("openssl");
    as_mail.args(["cms", "-sign", "-outform", "DER", "-in"]).arg(&manifest);
    as_mail.arg("-signer").arg(signer.pem()).arg("-inkey").arg(signer.key());
    let cases: [(Vec<u8>, &str); 6] = [
        (signer.sign(&place.path("other"), &[]), "this signature is not of the bundle's manifest"),
        (run(&mut as_mail).stdout, "openssl needs -binary"),
        (signer.sign(&manifest, &["-outform", "SMIME"]), "openssl needs -outform DER"),
        (fs::read(signer.pem()).unwrap(), "this is no signature of minisign, nor"),
        (vec![0x30, 3, 1, 1, 0], "this is no CMS signature"),
        (vec![], "this is no signature"),
    ];
    for (bytes, said) in cases {
        fs::write(place.path("signature"), bytes).unwrap();
        fails(&place.bundle("sign the.bundle --signature signature"), 4, &["signature: ", said]);
    }
    assert_eq!(fs::read(place.path("the.bundle")).unwrap(), before);
}

#[test]
fn strangers_and_wrong_signatures() {
    let place = Place::new();
    let key = Minisign::new(&place.home, "key");
    let stranger = Minisign::new(&place.home, "stranger");
    let (_, signer) = with_signer(&place);
    place.keys([(key.public(), "release.pub")]);
    let other_root = Certificate::root(&place.home, "mallory", "Mallory");
    let by_stranger = other_root.issue("Mallory2", CODE, LONG);
    // The same name as the CA that is trusted.
    let namesake = Certificate::root(&place.home, "namesake", "Acme");
    let by_namesake = namesake.issue("Release", CODE, LONG);
    place.create("other.bundle", "2.0");
    place.inspect("other.bundle", "other");
    let (manifest, other) = (place.path("manifest"), place.path("other"));
    let root_too = |root: &Certificate| root.pem().to_str().unwrap().to_owned();
    let (mallory, acme) = (root_too(&other_root), root_too(&namesake));

    use SignatureKind::{Cms, Minisign as Mini, Other};
    let cases: Vec<(SignatureKind, Vec<u8>, &str)> = vec![
        (Mini, stranger.sign(&manifest), "no signature is by a trusted key: it says"),
        (Mini, key.sign(&other), "the signature by release is wrong: the manifest was changed"),
        (Mini, b"no text of minisign".to_vec(), "it is no signature of minisign"),
        (Mini, vec![0xff; 100], "it is no signature of minisign"),
        (Mini, signer.sign(&manifest, &[]), "it is no signature of minisign"),
        (
            Cms,
            by_stranger.sign(&manifest, &[]),
            "CN = Mallory2 is issued by CN = Mallory, which is not among the keys",
        ),
        (
            Cms,
            by_stranger.sign(&manifest, &["-certfile", &mallory]),
            "the CA CN = Mallory is not among the keys",
        ),
        (Cms, other_root.sign(&manifest, &[]), "the CA CN = Mallory is not among the keys"),
        (Cms, by_namesake.sign(&manifest, &[]), "CN = Release"),
        (Cms, by_namesake.sign(&manifest, &["-certfile", &acme]), "CN = Acme"),
        (Cms, signer.sign(&other, &[]), "the signature by CN = Release is wrong: the manifest was changed"),
        (Cms, signer.sign(&manifest, &["-nocerts"]), "there is no certificate of its signer in it"),
        (Cms, key.sign(&manifest), "it is no CMS signature in DER"),
        (Cms, vec![], "it is no CMS signature in DER"),
        (
            Other(77),
            b"whatever".to_vec(),
            "it is a signature of the kind 77, which this program does not know",
        ),
    ];
    for (kind, bytes, said) in &cases {
        place.put(&[(*kind, bytes)]);
        place.refuses("", &["the bundle is not trusted: ", said]);
    }

    // Whatever else is there: one that counts is enough, wherever it stands.
    let good = [(Mini, key.sign(&manifest)), (Cms, signer.sign(&manifest, &[]))];
    for (kind, bytes) in &good {
        let mut all: Vec<(SignatureKind, &[u8])> =
            cases.iter().map(|(kind, bytes, _)| (*kind, &bytes[..])).collect();
        all.push((*kind, bytes));
        place.put(&all);
        place.accepts("");
        all.rotate_right(1);
        place.put(&all);
        place.accepts("");
    }
    // A further signature keeps those that we do not know.
    place.put(&[(Other(77), b"whatever")]);
    place.add(&key.sign(&manifest));
    let bundle = Bundle::inspect(Box::new(FileSource::open(&place.path("the.bundle")).unwrap())).unwrap();
    let kinds: Vec<SignatureKind> = bundle.signatures.iter().map(|signature| signature.kind).collect();
    assert_eq!(kinds, [Other(77), Mini]);
}

#[test]
fn each_byte_of_the_manifest_counts() {
    let place = Place::new();
    let key = Minisign::new(&place.home, "key");
    let (_, signer) = with_signer(&place);
    place.keys([(key.public(), "release.pub")]);
    let manifest = fs::read(place.path("manifest")).unwrap();
    let signatures = [
        (SignatureKind::Minisign, key.sign(&place.path("manifest")), "the signature by release is wrong"),
        (
            SignatureKind::Cms,
            signer.sign(&place.path("manifest"), &[]),
            "the signature by CN = Release is wrong",
        ),
    ];
    for (kind, bytes, said) in signatures {
        place.put(&[(kind, &bytes)]);
        place.accepts("");
        let good = fs::read(place.path("the.bundle")).unwrap();
        for at in [0, 1, manifest.len() / 2, manifest.len() - 1] {
            let mut bad = good.clone();
            bad[HEAD + at] ^= 1;
            fs::write(place.path("the.bundle"), bad).unwrap();
            place.refuses("", &[said]);
        }
        fs::write(place.path("the.bundle"), good).unwrap();
        // And each of the signature: in what is signed, in the certificate, at the end.
        for at in (0..bytes.len()).step_by(29) {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            place.put(&[(kind, &bad)]);
            let output = place.bundle("verify the.bundle --keys keys");
            // Some bytes mean nothing: the comment that is not signed.
            let means_nothing =
                kind == SignatureKind::Minisign && at < bytes.iter().position(|&b| b == b'\n').unwrap();
            assert!(means_nothing || output.status.code() == Some(12), "{kind:?} {at}: {output:?}");
        }
    }
}

#[test]
fn keys_change_and_go() {
    let place = Place::new();
    let (old, new) = (Minisign::new(&place.home, "old"), Minisign::new(&place.home, "new"));
    let manifest = place.path("manifest");
    // While they change, both count.
    place.keys([(old.public(), "old.pub"), (new.public(), "new.pub")]);
    for (key, name) in [(&old, "old"), (&new, "new")] {
        place.put(&[(SignatureKind::Minisign, &key.sign(&manifest))]);
        assert!(place.accepts("").contains(&format!("signed by {name}")));
    }
    // Then the old one is revoked, even where it is still among the others.
    fs::copy(old.public(), place.path("keys/revoked/gone.pub")).unwrap();
    place.accepts("");
    place.put(&[(SignatureKind::Minisign, &old.sign(&manifest))]);
    place.refuses("", &["it is signed by the key gone, which was revoked"]);
    place.put(&[
        (SignatureKind::Minisign, &old.sign(&manifest)),
        (SignatureKind::Minisign, &new.sign(&manifest)),
    ]);
    place.accepts("");

    // The same with certificates: a signer's, and a CA's.
    let (root, signer) = with_signer(&place);
    let next = Certificate::root(&place.home, "next", "Next");
    place.keys([(next.pem(), "next.pem")]);
    let by_next = next.issue("ByNext", CODE, LONG);
    for signer in [&signer, &by_next] {
        place.put(&[(SignatureKind::Cms, &signer.sign(&manifest, &[]))]);
        place.accepts("");
    }
    let another = root.issue("Another", CODE, LONG);
    fs::copy(signer.pem(), place.path("keys/revoked/signer.pem")).unwrap();
    place.put(&[(SignatureKind::Cms, &another.sign(&manifest, &[]))]);
    place.accepts("");
    place.put(&[(SignatureKind::Cms, &signer.sign(&manifest, &[]))]);
    place
        .refuses("", &["the certificate of its signer, or of a CA of the signer, was revoked: CN = Release"]);
    fs::copy(root.pem(), place.path("keys/revoked/ca.pem")).unwrap();
    place.put(&[(SignatureKind::Cms, &another.sign(&manifest, &[]))]);
    place.refuses("", &["was revoked: CN = Acme"]);
    place.put(&[(SignatureKind::Cms, &by_next.sign(&manifest, &[]))]);
    place.accepts("");
}

#[test]
fn certificates_have_their_time() {
    let place = Place::new();
    let (root, _) = with_signer(&place);
    let manifest = place.path("manifest");
    let old = root.issue("Old", CODE, ("20200101000000Z", "20210101000000Z"));
    place.put(&[(SignatureKind::Cms, &old.sign(&manifest, &[]))]);
    place.refuses("", &["does not count: CN = Old has expired: it was valid until Jan  1 00:00:00 2021 GMT"]);
    place.refuses("", &["by the clock here it is "]);
    // A day in 2020.
    place.accepts("--certificate-time 1600000000");
    place.accepts("--certificate-time ignored");
    let next = root.issue("Next", CODE, ("20900101000000Z", "20991231000000Z"));
    place.put(&[(SignatureKind::Cms, &next.sign(&manifest, &[]))]);
    place.refuses("", &["CN = Next is not yet valid: it will be from Jan  1 00:00:00 2090 GMT on"]);
    place.refuses("--certificate-time 1600000000", &["the time to check for is Sep 13 12:26:40 2020 GMT"]);
    place.accepts("--certificate-time 3790000000");
    place.accepts("--certificate-time ignored");
    fails(&place.bundle("verify the.bundle --certificate-time tomorrow"), 2, &["seconds since 1970"]);
    // A CA in between has its time, too.
    let between = root.issue("Between", CA, ("20200101000000Z", "20210101000000Z"));
    let signer = between.issue("Young", CODE, LONG);
    let chain = between.pem();
    place.put(&[(SignatureKind::Cms, &signer.sign(&manifest, &["-certfile", chain.to_str().unwrap()]))]);
    place.refuses("", &["CN = Between has expired"]);
}

#[test]
fn certificates_have_their_purpose() {
    let place = Place::new();
    let (root, _) = with_signer(&place);
    let manifest = place.path("manifest");
    let no_code = "was not issued for signing code (extended key usage codeSigning)";
    let no_email = "was not issued for this purpose (extended key usage emailProtection)";
    // For signing code, for email, for anything.
    let cases = [(CODE, true, false), (EMAIL, false, true), (NOTHING, false, true), (SERVER, false, false)];
    for (purpose, code, email) in cases {
        let signer = root.issue(purpose, purpose, LONG);
        place.put(&[(SignatureKind::Cms, &signer.sign(&manifest, &[]))]);
        match code {
            true => drop(place.accepts("")),
            false => place.refuses("", &["CN = ", purpose, no_code]),
        }
        match email {
            true => drop(place.accepts("--certificate-purpose email")),
            false => place.refuses("--certificate-purpose email", &["CN = ", purpose, no_email]),
        }
        place.accepts("--certificate-purpose any");
    }
    fails(&place.bundle("verify the.bundle --certificate-purpose tls"), 2, &["code-signing"]);
    // A CA for email signs no code by others.
    let between = root.issue("Between", CA_OF_EMAIL, LONG);
    let signer = between.issue("Sneaky", CODE, LONG);
    let chain = between.pem();
    place.put(&[(SignatureKind::Cms, &signer.sign(&manifest, &["-certfile", chain.to_str().unwrap()]))]);
    place.refuses("", &["CN = Between", no_code]);
    // What is no CA issues nothing.
    let signer = root.issue("Leaf", CODE, LONG);
    let below = signer.issue("Below", CODE, LONG);
    let chain = signer.pem();
    place.put(&[(SignatureKind::Cms, &below.sign(&manifest, &["-certfile", chain.to_str().unwrap()]))]);
    for purpose in ["code-signing", "any"] {
        place.refuses(&format!("--certificate-purpose {purpose}"), &["CN = Leaf"]);
    }
    // Keys that are too short.
    let weak = root.issue_with("Weak", CODE, LONG, "-algorithm RSA -pkeyopt rsa_keygen_bits:1024");
    place.put(&[(SignatureKind::Cms, &weak.sign(&manifest, &[]))]);
    place.refuses("", &["CN = Weak: ", "key too weak"]);
}

#[test]
fn a_chain_is_whole_or_nothing() {
    let place = Place::new();
    let (root, _) = with_signer(&place);
    let manifest = place.path("manifest");
    let between = root.issue("Between", CA, LONG);
    let signer = between.issue("Deep", CODE, LONG);
    let chain = between.pem();
    place.put(&[(SignatureKind::Cms, &signer.sign(&manifest, &[]))]);
    place.refuses("", &["CN = Deep is issued by CN = Between, which is not among the keys", "intermediate"]);
    place.put(&[(SignatureKind::Cms, &signer.sign(&manifest, &["-certfile", chain.to_str().unwrap()]))]);
    assert!(place.accepts("").contains("signed by CN = Deep (issued by CN = Between)"));
    // Ours.
    let (chain, certificate, key) = (chain.display(), signer.pem(), signer.key());
    let ours =
        format!("sign the.bundle --replace --cms-cert {} --cms-key {}", certificate.display(), key.display());
    succeeds(&place.bundle(&ours));
    place.refuses("", &["CN = Between, which is not among the keys"]);
    succeeds(&place.bundle(&format!("{ours} --intermediate {chain}")));
    place.accepts("");
    // Where it is among the keys it need not come along; alone there it is trusted by nobody.
    succeeds(&place.bundle(&ours));
    place.keys([(between.pem(), "between.pem")]);
    place.accepts("");
    fs::remove_file(place.path("keys/ca.pem")).unwrap();
    place.refuses("", &["CN = Between is issued by CN = Acme, which is not among the keys"]);
    // One key for this once.
    let ca = root.pem();
    succeeds(&place.bundle(&format!("{ours} --intermediate {chain}")));
    succeeds(&place.bundle(&format!("verify the.bundle --key {}", ca.display())));
    // The signer's certificate may be among the keys instead of in the signature.
    place.keys([(root.pem(), "ca.pem"), (signer.pem(), "signer.pem")]);
    place.put(&[(SignatureKind::Cms, &signer.sign(&manifest, &["-nocerts"]))]);
    place.accepts("");
}

#[test]
fn all_signers_of_one_structure_have_to_be_trusted() {
    let place = Place::new();
    let (_, signer) = with_signer(&place);
    let mallory = Certificate::root(&place.home, "mallory", "Mallory");
    let by_mallory = mallory.issue("Other", CODE, LONG);
    let manifest = place.path("manifest");
    let (other, key) = (by_mallory.pem(), by_mallory.key());
    let both = ["-signer", other.to_str().unwrap(), "-inkey", key.to_str().unwrap()];
    place.put(&[(SignatureKind::Cms, &signer.sign(&manifest, &both))]);
    place.refuses("", &["CN = Other is issued by CN = Mallory"]);
    place.keys([(mallory.pem(), "mallory.pem")]);
    place.accepts("");
}

#[test]
fn lists_of_revoked_certificates() {
    let place = Place::new();
    let (root, signer) = with_signer(&place);
    let manifest = place.path("manifest");
    let between = root.issue("Between", CA, LONG);
    let deep = between.issue("Deep", CODE, LONG);
    let chain = between.pem();
    let deep_signed = deep.sign(&manifest, &["-certfile", chain.to_str().unwrap()]);
    let by = |signature: &[u8]| place.put(&[(SignatureKind::Cms, signature)]);
    let before_all = root.list(LONG);
    place.keys([(before_all.clone(), "acme.crl")]);
    let older = fs::read(&before_all).unwrap();

    by(&signer.sign(&manifest, &[]));
    place.accepts("");
    // As soon as there is a list, each CA needs one.
    by(&deep_signed);
    place.refuses(
        "",
        &["there are lists of revoked certificates (*.crl) among the keys, but none by CN = Between"],
    );
    place.keys([(between.list(LONG), "between.crl")]);
    place.accepts("");
    // The signer, by the CA in between; in DER as well.
    between.revoke(&deep);
    let list = between.list(LONG);
    place.keys([(list.clone(), "between.crl")]);
    place.refuses("", &["was revoked: CN = Deep"]);
    place.refuses("--certificate-time ignored", &["was revoked: CN = Deep"]);
    place.refuses("--certificate-purpose any", &["was revoked: CN = Deep"]);
    openssl(place.home.path(), &format!("crl -in {} -outform DER -out keys/between.crl", list.display()));
    place.refuses("", &["was revoked: CN = Deep"]);
    // The CA in between, by the root, and both lists in one file.
    let deeper = between.issue("Deeper", CODE, LONG);
    by(&deeper.sign(&manifest, &["-certfile", chain.to_str().unwrap()]));
    place.accepts("");
    root.revoke(&between);
    fs::remove_file(place.path("keys/between.crl")).unwrap();
    let both = [fs::read(&list).unwrap(), fs::read(root.list(LONG)).unwrap()].concat();
    fs::write(place.path("keys/acme.crl"), both).unwrap();
    place.refuses("", &["was revoked: CN = Between"]);
    by(&signer.sign(&manifest, &[]));
    place.accepts("");

    // A revoked signer brings the list from before along: that does not help.
    root.revoke(&signer);
    place.keys([(root.list(LONG), "acme.crl")]);
    by(&with_list(&signer.sign(&manifest, &[]), &der(&older)));
    place.refuses("", &["was revoked: CN = Release"]);
    // The structure itself is good: openssl, which looks at its list first, is deceived by it.
    fs::write(place.path("signature"), with_list(&signer.sign(&manifest, &[]), &der(&older))).unwrap();
    let trusted = [fs::read(root.pem()).unwrap(), fs::read(root.list(LONG)).unwrap()].concat();
    fs::write(place.path("trusted"), trusted).unwrap();
    openssl(
        place.home.path(),
        "cms -verify -binary -inform DER -in signature -content manifest -CAfile trusted -crl_check -purpose any -out out",
    );

    // Lists out of time.
    let fresh = root.issue("Fresh", CODE, LONG);
    by(&fresh.sign(&manifest, &[]));
    place.accepts("");
    place.keys([(root.list(("20200101000000Z", "20210101000000Z")), "acme.crl")]);
    place.refuses("", &["the list of revoked certificates by CN = Acme has expired"]);
    place.accepts("--certificate-time 1600000000");
    place.accepts("--certificate-time ignored");
    place.keys([(root.list(("20900101000000Z", "20990101000000Z")), "acme.crl")]);
    place.refuses("", &["the list of revoked certificates by CN = Acme is not yet valid"]);
    // A list by somebody else with the name of the CA.
    let namesake = Certificate::root(&place.home, "namesake", "Acme");
    place.keys([(namesake.list(LONG), "acme.crl")]);
    place.refuses("", &["CN = "]);
}

#[test]
fn a_folder_with_something_else_is_told() {
    let place = Place::new();
    let (root, _) = with_signer(&place);
    for name in ["bad.pem", "bad.crl", "bad.pub", "revoked/bad.pem", "revoked/bad.pub"] {
        for content in [&b""[..], b"no key", &fs::read(root.key()).unwrap(), &vec![b'x'; 17 << 20]] {
            fs::write(place.path("keys").join(name), content).unwrap();
            fails(&place.bundle("verify the.bundle --keys keys"), 4, &[name]);
        }
        fs::remove_file(place.path("keys").join(name)).unwrap();
    }
    // What is no key by its name is no matter.
    fs::write(place.path("keys/README"), "who has which key").unwrap();
    place.refuses("", &["it is not signed"]);
}

/// The bytes of a PEM text.
fn der(pem: &[u8]) -> Vec<u8> {
    let mut child = Command::new("openssl");
    child.args(["crl", "-outform", "DER"]);
    let output = run_with(&mut child, std::str::from_utf8(pem).unwrap());
    succeeds(&output);
    output.stdout
}

/// One value in DER: its whole length and that of its head.
fn value(bytes: &[u8]) -> (usize, usize) {
    match bytes[1] {
        short @ 0..=0x7f => (2 + short as usize, 2),
        long => {
            let count = (long & 0x7f) as usize;
            let len = bytes[2..2 + count].iter().fold(0, |len, &byte| len << 8 | byte as usize);
            (2 + count + len, 2 + count)
        }
    }
}

fn enclose(tag: u8, content: &[u8]) -> Vec<u8> {
    let len = (content.len() as u32).to_be_bytes();
    [&[tag, 0x84][..], &len, content].concat()
}

/// The CMS structure with this list of revoked certificates in it (RFC 5652, 5.1: after the certificates).
fn with_list(cms: &[u8], list: &[u8]) -> Vec<u8> {
    let (_, head) = value(cms);
    let (kind, _) = value(&cms[head..]);
    let explicit = &cms[head + kind..];
    let (_, head_of_explicit) = value(explicit);
    let signed = &explicit[head_of_explicit..];
    let (end, head_of_signed) = value(signed);
    let mut at = head_of_signed;
    // Version, hashes, content, certificates.
    for tag in [0x02, 0x31, 0x30, 0xa0] {
        assert_eq!(signed[at], tag);
        at += value(&signed[at..]).0;
    }
    let inner = [&signed[head_of_signed..at], &enclose(0xa1, list), &signed[at..end]].concat();
    let inner = enclose(0xa0, &enclose(0x30, &inner));
    enclose(0x30, &[&cms[head..head + kind], &inner].concat())
}
