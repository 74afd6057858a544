//! Certificates, keys and signatures as the programs `openssl` and `minisign` make them.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A certificate with its key, and what it needs if it is a CA's.
pub struct Certificate {
    folder: PathBuf,
}

/// What a certificate is for: a section of the configuration below.
pub const CODE: &str = "code";
pub const EMAIL: &str = "email";
pub const NOTHING: &str = "nothing";
pub const SERVER: &str = "server";
pub const CA: &str = "ca_of_all";
pub const CA_OF_EMAIL: &str = "ca_of_email";

/// The validity of most certificates.
pub const LONG: (&str, &str) = ("20200101000000Z", "20991231000000Z");

const CONFIGURATION: &str = "
[ca]
default_ca = this
[this]
dir = .
database = $dir/index.txt
serial = $dir/serial
crlnumber = $dir/crlnumber
new_certs_dir = $dir
certificate = $dir/cert.pem
private_key = $dir/key.pem
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
[req]
distinguished_name = empty
[empty]
[ca_of_all]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[ca_of_email]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
extendedKeyUsage = emailProtection
[code]
basicConstraints = CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = codeSigning
subjectKeyIdentifier = hash
[email]
basicConstraints = CA:FALSE
extendedKeyUsage = emailProtection
[server]
basicConstraints = CA:FALSE
extendedKeyUsage = serverAuth
[nothing]
basicConstraints = CA:FALSE
subjectKeyIdentifier = hash
";

/// Runs a program, which has to succeed.
#[track_caller]
pub fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{errors}", output.status);
    output
}

/// The same with something on its standard input.
#[track_caller]
pub fn run_with(command: &mut Command, input: &str) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

pub fn openssl(folder: &Path, words: &str) -> Output {
    run(Command::new("openssl").args(words.split_whitespace()).current_dir(folder))
}

impl Certificate {
    fn new(at: &Path, name: &str, key: &str) -> Certificate {
        let folder = at.join(name);
        fs::create_dir(&folder).unwrap();
        for (file, text) in
            [("openssl.cnf", CONFIGURATION), ("index.txt", ""), ("serial", "1000\n"), ("crlnumber", "01\n")]
        {
            fs::write(folder.join(file), text).unwrap();
        }
        openssl(&folder, &format!("genpkey -out key.pem {key}"));
        Certificate { folder }
    }

    const KEY: &str = "-algorithm EC -pkeyopt ec_paramgen_curve:P-256";

    /// A CA that trusts itself.
    pub fn root(at: &TempDir, folder: &str, name: &str) -> Certificate {
        let root = Certificate::new(at.path(), folder, Self::KEY);
        let (from, to) = LONG;
        openssl(
            &root.folder,
            &format!("req -config openssl.cnf -new -key key.pem -subj /CN={name} -out request.pem"),
        );
        openssl(
            &root.folder,
            &format!(
                "ca -config openssl.cnf -batch -notext -selfsign -extensions {CA} -startdate {from} -enddate {to} \
                 -in request.pem -out cert.pem"
            ),
        );
        root
    }

    /// Issues a certificate.
    pub fn issue(&self, name: &str, purpose: &str, time: (&str, &str)) -> Certificate {
        self.issue_with(name, purpose, time, Self::KEY)
    }

    pub fn issue_with(&self, name: &str, purpose: &str, (from, to): (&str, &str), key: &str) -> Certificate {
        let made = Certificate::new(&self.folder, name, key);
        openssl(
            &made.folder,
            &format!("req -config openssl.cnf -new -key key.pem -subj /CN={name} -out request.pem"),
        );
        let out = made.file("cert.pem");
        let out = out.display();
        openssl(
            &self.folder,
            &format!(
                "ca -config openssl.cnf -batch -notext -extensions {purpose} -startdate {from} -enddate {to} \
                 -in {name}/request.pem -out {out}"
            ),
        );
        made
    }

    pub fn revoke(&self, other: &Certificate) {
        openssl(&self.folder, &format!("ca -config openssl.cnf -revoke {}", other.pem().display()));
    }

    /// The list of what it has revoked, in PEM.
    pub fn list(&self, (from, to): (&str, &str)) -> PathBuf {
        openssl(
            &self.folder,
            &format!(
                "ca -config openssl.cnf -gencrl -crl_lastupdate {from} -crl_nextupdate {to} -out list.crl"
            ),
        );
        self.file("list.crl")
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub fn pem(&self) -> PathBuf {
        self.file("cert.pem")
    }

    pub fn key(&self) -> PathBuf {
        self.file("key.pem")
    }

    /// What `openssl cms` makes of a file.
    pub fn sign(&self, content: &Path, more: &[&str]) -> Vec<u8> {
        let mut command = Command::new("openssl");
        command.args(["cms", "-sign", "-binary", "-in"]).arg(content);
        command.arg("-signer").arg(self.pem()).arg("-inkey").arg(self.key());
        if !more.contains(&"-outform") {
            command.args(["-outform", "DER"]);
        }
        run(command.args(more)).stdout
    }
}

/// A pair of keys of the program `minisign`.
pub struct Minisign {
    folder: PathBuf,
}

impl Minisign {
    pub fn new(at: &TempDir, name: &str) -> Minisign {
        let folder = at.path().join(name);
        fs::create_dir(&folder).unwrap();
        run(Command::new("minisign")
            .args(["-G", "-W", "-p", "key.pub", "-s", "key.sec"])
            .current_dir(&folder));
        Minisign { folder }
    }

    /// With a password.
    pub fn locked(at: &TempDir, name: &str, password: &str) -> Minisign {
        let folder = at.path().join(name);
        fs::create_dir(&folder).unwrap();
        let mut command = Command::new("minisign");
        command.args(["-G", "-p", "key.pub", "-s", "key.sec"]).current_dir(&folder);
        let output = run_with(&mut command, &format!("{password}\n{password}\n"));
        assert!(output.status.success(), "{output:?}");
        Minisign { folder }
    }

    pub fn public(&self) -> PathBuf {
        self.folder.join("key.pub")
    }

    pub fn secret(&self) -> PathBuf {
        self.folder.join("key.sec")
    }

    pub fn sign(&self, content: &Path) -> Vec<u8> {
        let out = self.folder.join("made.minisig");
        let mut command = Command::new("minisign");
        command.args(["-S", "-s"]).arg(self.secret()).arg("-x").arg(&out).arg("-m").arg(content);
        run(&mut command);
        fs::read(out).unwrap()
    }
}
