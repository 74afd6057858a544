//! Pure, but for reading the folder of keys: who signed a manifest.
//!
//! ```text
//! /etc/bootslot/keys/
//!   release.pub          a public key of minisign that is trusted
//!   next.pub             another one: while keys change, both are
//!   ca.pem               certificates of CAs that are trusted (feature `cms`)
//!   ca.crl               what these CAs have revoked; as soon as there is one list, each CA of a chain needs one
//!   revoked/old.pub      a key that was trusted, and no longer is
//!   revoked/old.pem      the same for a certificate, a signer's or a CA's
//! ```
//!
//! One signature that counts is enough. Signatures by others are passed over: a bundle may be signed for fleets
//! that trust different keys. A revoked key is not trusted, whoever else has put it in the folder; the error says that
//! it was revoked, since that is another finding than a key that nobody knows.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use minisign_verify::{PublicKey, Signature as Minisig};

#[cfg(feature = "cms")]
use super::cms::Authorities;
use super::container::{Signature, SignatureKind};
use crate::error::{Error, Place, Result};
use crate::settings::Certificates;
use crate::update::error::Untrusted;

/// The folder in it of keys that were revoked.
const REVOKED: &str = "revoked";

/// A key has two lines, and a chain of certificates some KiB; who points to something else is told so before it is
/// read. A list of revoked certificates is as long as it has to be.
const LARGEST_KEY: u64 = 64 << 10;
/// See [`LARGEST_KEY`].
#[cfg(feature = "cms")]
const LARGEST_LIST: u64 = 16 << 20;

/// The keys of which a signature counts.
#[derive(Debug, Clone, Default)]
pub struct Keyring {
    trusted: Vec<Key>,
    revoked: Vec<Key>,
    #[cfg(feature = "cms")]
    authorities: Authorities,
    #[cfg_attr(not(feature = "cms"), allow(dead_code))]
    certificates: Certificates,
}

#[derive(Debug, Clone)]
struct Key {
    name: String,
    key: PublicKey,
}

/// Who signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    /// The name of the key's file, without its end, or the subject of the certificate.
    pub key: String,
    /// What the signer says of it, which is signed, too; of a certificate, who issued it.
    pub comment: String,
}

impl Keyring {
    /// Reads all keys of a folder: its files `*.pub`, `*.pem` and `*.crl`, and those in its folder `revoked`, which
    /// need not exist. A program without the feature `cms` passes over what belongs to certificates.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] where the folder or a key can't be read, [`Error::Device`] where a file is no key.
    pub fn load(folder: impl AsRef<Path>) -> Result<Keyring> {
        let folder = folder.as_ref();
        let mut keyring = Keyring::default();
        for path in files(folder)? {
            match end(&path) {
                "pub" => keyring.trusted.push(key(&path)?),
                #[cfg(feature = "cms")]
                "pem" => keyring.trust(path)?,
                #[cfg(feature = "cms")]
                "crl" if keyring.authorities.revoke_list(&read(&path, LARGEST_LIST)?) => {}
                #[cfg(feature = "cms")]
                "crl" => return Err(wrong(&path, "this is no list of revoked certificates")),
                _ => {}
            }
        }
        let revoked = match files(&folder.join(REVOKED)) {
            Err(Error::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            revoked => revoked?,
        };
        for path in revoked {
            match end(&path) {
                "pub" => keyring.revoked.push(key(&path)?),
                #[cfg(feature = "cms")]
                "pem" if keyring.authorities.revoke(&read(&path, LARGEST_KEY)?) => {}
                #[cfg(feature = "cms")]
                "pem" => return Err(wrong(&path, "this is no certificate in PEM")),
                _ => {}
            }
        }
        Ok(keyring)
    }

    /// Trusts the key or the certificates in this file, too. Certificates have the end `.pem`.
    ///
    /// # Errors
    ///
    /// Those of [`load`](Keyring::load).
    pub fn trust(&mut self, file: impl AsRef<Path>) -> Result<()> {
        let file = file.as_ref();
        match end(file) {
            #[cfg(feature = "cms")]
            "pem" if self.authorities.trust(&read(file, LARGEST_KEY)?) => {}
            #[cfg(feature = "cms")]
            "pem" => return Err(wrong(file, "this is no certificate in PEM")),
            _ => self.trusted.push(key(file)?),
        }
        Ok(())
    }

    /// Asks this of certificates.
    #[must_use]
    pub fn with_certificates(self, certificates: Certificates) -> Keyring {
        Keyring { certificates, ..self }
    }

    /// Whether no key is trusted.
    pub fn is_empty(&self) -> bool {
        #[cfg(feature = "cms")]
        if !self.authorities.is_empty() {
            return false;
        }
        self.trusted.is_empty()
    }

    /// Finds a signature of the manifest by a trusted key.
    ///
    /// # Errors
    ///
    /// Why none counts: the worst that was found.
    pub fn verify(&self, manifest: &[u8], signatures: &[Signature]) -> Result<Signer, Untrusted> {
        let mut worst = Untrusted::Unsigned;
        for signature in signatures {
            match self.verify_one(manifest, signature) {
                Ok(signer) => return Ok(signer),
                Err(reason) if rank(&reason) > rank(&worst) => worst = reason,
                Err(_) => {}
            }
        }
        Err(worst)
    }

    fn verify_one(&self, manifest: &[u8], signature: &Signature) -> Result<Signer, Untrusted> {
        let unknown = |what: String| {
            Err(Untrusted::Stranger(format!("it is {what}, which this program does not know")))
        };
        match signature.kind {
            SignatureKind::Minisign => self.verify_minisign(manifest, &signature.bytes),
            #[cfg(feature = "cms")]
            SignatureKind::Cms => {
                let signed = self.authorities.verify(manifest, &signature.bytes, self.certificates);
                signed.map(|(key, comment)| Signer { key, comment })
            }
            #[cfg(not(feature = "cms"))]
            SignatureKind::Cms => unknown("a CMS signature".into()),
            SignatureKind::Other(kind) => unknown(format!("a signature of the kind {kind}")),
        }
    }

    fn verify_minisign(&self, manifest: &[u8], signature: &[u8]) -> Result<Signer, Untrusted> {
        let text = std::str::from_utf8(signature).map_err(|_| unreadable())?;
        let signature = Minisig::decode(text).map_err(|_| unreadable())?;
        let by = |key: &&Key| match key.key.verify(manifest, &signature, true) {
            Ok(()) => Some(true),
            Err(minisign_verify::Error::UnexpectedKeyId) => None,
            Err(_) => Some(false),
        };
        if let Some(key) = self.revoked.iter().find(|key| by(key).is_some()) {
            return Err(Untrusted::Revoked(key.name.clone()));
        }
        let mut wrong = None;
        for key in &self.trusted {
            match by(&key) {
                Some(true) => {
                    let comment = signature.trusted_comment().to_owned();
                    return Ok(Signer { key: key.name.clone(), comment });
                }
                Some(false) => wrong = Some(key.name.clone()),
                None => {}
            }
        }
        Err(match wrong {
            Some(name) => Untrusted::Wrong(name),
            None => Untrusted::Stranger(format!("it says {:?}", signature.untrusted_comment())),
        })
    }
}

fn unreadable() -> Untrusted {
    Untrusted::Stranger("it is no signature of minisign".into())
}

fn rank(reason: &Untrusted) -> u8 {
    match reason {
        Untrusted::Unsigned => 0,
        Untrusted::Stranger(_) => 1,
        Untrusted::Certificate(_) => 2,
        Untrusted::Revoked(_) | Untrusted::RevokedCertificate(_) => 3,
        Untrusted::Wrong(_) => 4,
    }
}

/// A signature from its file: the text of minisign, or CMS in DER or PEM, which is told by its content. A CMS
/// signature has to be one of this manifest.
///
/// # Errors
///
/// Why it is none, as a phrase.
pub fn signature_of(manifest: &[u8], bytes: Vec<u8>) -> Result<Signature, String> {
    // A SEQUENCE in DER.
    if bytes.first() == Some(&0x30) || bytes.starts_with(b"-----BEGIN CMS-----") {
        #[cfg(feature = "cms")]
        let bytes = super::cms::accept(manifest, &bytes)?;
        #[cfg(not(feature = "cms"))]
        let _ = manifest;
        return Ok(Signature { kind: SignatureKind::Cms, bytes });
    }
    let text = std::str::from_utf8(&bytes).ok();
    match text.and_then(|text| Minisig::decode(text).ok()) {
        Some(_) => Ok(Signature { kind: SignatureKind::Minisign, bytes }),
        None => Err(
            "this is no signature of minisign, nor a CMS structure in DER (openssl needs -outform DER for \
                     it)"
            .into(),
        ),
    }
}

/// The files of a folder, in the order of their names.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |error| Place::new(folder, "reading the keys").io(error);
    let entries: Vec<fs::DirEntry> = fs::read_dir(folder).and_then(Iterator::collect).map_err(failed)?;
    let mut paths: Vec<_> = entries.iter().map(fs::DirEntry::path).collect();
    paths.sort();
    Ok(paths)
}

/// What the name of a file ends in, after its last dot.
fn end(path: &Path) -> &str {
    path.extension().and_then(OsStr::to_str).unwrap_or_default()
}

fn wrong(path: &Path, message: &str) -> Error {
    Error::Device { path: path.into(), message: message.into() }
}

fn read(path: &Path, largest: u64) -> Result<Vec<u8>> {
    let failed = |error| Place::new(path, "reading the key").io(error);
    let meta = fs::metadata(path).map_err(failed)?;
    if !meta.is_file() || meta.len() > largest {
        return Err(wrong(path, "this is no file, or larger than any key"));
    }
    fs::read(path).map_err(failed)
}

fn key(path: &Path) -> Result<Key> {
    let text = String::from_utf8_lossy(&read(path, LARGEST_KEY)?).into_owned();
    // With or without the line of the comment.
    let decoded = PublicKey::decode(text.trim_end()).or_else(|_| PublicKey::from_base64(text.trim()));
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Key { name, key: decoded.map_err(|_| wrong(path, "this is no public key of minisign"))? })
}
