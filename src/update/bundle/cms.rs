//! Pure: CMS signatures by X.509 certificates (RFC 5652, RFC 5280), all of it by OpenSSL.
//!
//! | question | who answers it |
//! |---|---|
//! | Has the owner of this certificate signed these bytes? | `CMS_verify` |
//! | Is there a chain from it to a CA of the keyring, each link valid in time and not revoked? | `X509_verify_cert` |
//! | Was it issued for this? | `X509_verify_cert`, or the bits that OpenSSL has read |
//!
//! What a signature brings along helps to find the chain, and for nothing else. In particular its own lists of revoked
//! certificates are not looked at: one from before a revocation would undo it.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use openssl::asn1::Asn1Time;
use openssl::cms::{CMSOptions, CmsContentInfo};
use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Private};
use openssl::stack::Stack;
use openssl::x509::store::{X509Store, X509StoreBuilder};
use openssl::x509::verify::{X509VerifyFlags, X509VerifyParam};
use openssl::x509::{
    X509Crl, X509ExtendedKeyUsage, X509KeyUsage, X509NameRef, X509PurposeId, X509Ref, X509StoreContext,
    X509StoreContextRef, X509,
};
use openssl_sys as ffi;

use crate::settings::{CertificateTime, Certificates, Purpose};
use crate::sys::openssl as sys;
use crate::update::error::Untrusted;

/// How a certificate, a list of revoked ones, and a CMS structure begin as text (RFC 7468).
const BEGIN: &str = "-----BEGIN ";
const BEGIN_CMS: &str = "-----BEGIN CMS-----";

/// OpenSSL's security level: 112 bits, which RSA keys have from 2048 bits on, and SHA-1 has not.
const LEVEL: i32 = 2;

/// The certificates that are trusted, and those that no longer are.
#[derive(Clone, Default)]
pub(super) struct Authorities {
    trusted: Vec<X509>,
    revoked: Vec<X509>,
    lists: Vec<Arc<X509Crl>>,
}

impl std::fmt::Debug for Authorities {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Authorities { trusted, revoked, lists } = self;
        write!(out, "{trusted:?}, revoked: {revoked:?}, lists: {}", lists.len())
    }
}

impl Authorities {
    /// Trusts the certificates in this file. False where there is none.
    pub(super) fn trust(&mut self, pem: &[u8]) -> bool {
        add(&mut self.trusted, pem)
    }

    /// Trusts the certificates in this file no longer. False where there is none.
    pub(super) fn revoke(&mut self, pem: &[u8]) -> bool {
        add(&mut self.revoked, pem)
    }

    /// Takes the lists of revoked certificates in this file, one in DER or several in PEM. False where it is none.
    pub(super) fn revoke_list(&mut self, bytes: &[u8]) -> bool {
        let lists: Result<Vec<X509Crl>, ErrorStack> = match std::str::from_utf8(bytes) {
            Ok(text) => text.split_inclusive(BEGIN).skip(1).map(pem_of).collect(),
            Err(_) => X509Crl::from_der(bytes).map(|list| vec![list]),
        };
        let found = matches!(&lists, Ok(lists) if !lists.is_empty());
        self.lists.extend(lists.into_iter().flatten().map(Arc::new));
        found
    }

    /// Whether no certificate is trusted.
    pub(super) fn is_empty(&self) -> bool {
        self.trusted.is_empty()
    }

    /// Who has signed the manifest, and who says so, if all that is asked of the signer is so.
    pub(super) fn verify(
        &self,
        manifest: &[u8],
        der: &[u8],
        rules: Certificates,
    ) -> Result<(String, String), Untrusted> {
        let mut cms = CmsContentInfo::from_der(der)
            .map_err(|_| Untrusted::Stranger("it is no CMS signature in DER".into()))?;
        let failed = |error: ErrorStack| Untrusted::Certificate(format!("OpenSSL can't verify it: {error}"));
        // A signature may come without its certificate, where that is among the keys.
        let known = stack(&self.trusted).map_err(failed)?;
        let right = cms.verify(Some(&known), None, Some(manifest), None, of_bytes());
        let signers = sys::signers(&cms);
        let Some(signer) = signers.first() else {
            let none = "there is no certificate of its signer in it, or no signer at all";
            return Err(Untrusted::Stranger(none.into()));
        };
        let others = sys::certificates(&cms).map_err(failed)?;
        let store = self.store(rules).map_err(failed)?;
        // All of them, as `openssl cms -verify` asks.
        for signer in &signers {
            let mut context = X509StoreContext::new().map_err(failed)?;
            let judged = context.init(&store, signer, &others, |context| {
                let trusted = context.verify_cert()?;
                Ok(if trusted { self.judge(context, rules) } else { Err(why(context, rules)) })
            });
            judged.map_err(failed)??;
        }
        match right {
            Ok(()) => Ok((name(signer.subject_name()), format!("issued by {}", name(signer.issuer_name())))),
            Err(_) => Err(Untrusted::Wrong(name(signer.subject_name()))),
        }
    }

    fn store(&self, rules: Certificates) -> Result<X509Store, ErrorStack> {
        let mut store = X509StoreBuilder::new()?;
        self.trusted.iter().try_for_each(|certificate| store.add_cert(certificate.clone()))?;
        self.lists.iter().try_for_each(|list| sys::add_crl(&mut store, list))?;
        let mut param = X509VerifyParam::new()?;
        param.set_auth_level(LEVEL);
        param.set_purpose(match rules.purpose {
            Purpose::Email => X509PurposeId::SMIME_SIGN,
            // OpenSSL knows the purpose of signing code from 3.2 on. See `is_for_code`.
            Purpose::CodeSigning | Purpose::Any => X509PurposeId::ANY,
        })?;
        match rules.time {
            CertificateTime::Clock => {}
            CertificateTime::At(time) => param.set_time(time_t(time)),
            CertificateTime::Ignored => param.set_flags(X509VerifyFlags::NO_CHECK_TIME)?,
        }
        if !self.lists.is_empty() {
            param.set_flags(X509VerifyFlags::CRL_CHECK | X509VerifyFlags::CRL_CHECK_ALL)?;
        }
        store.set_param(&param)?;
        Ok(store.build())
    }

    /// What OpenSSL was not asked of a chain that it has found good.
    fn judge(&self, context: &X509StoreContextRef, rules: Certificates) -> Result<(), Untrusted> {
        let chain: Vec<&X509Ref> = context.chain().into_iter().flatten().collect();
        if let Some(revoked) = chain.iter().find(|link| self.revoked.iter().any(|gone| **link == gone)) {
            return Err(Untrusted::RevokedCertificate(name(revoked.subject_name())));
        }
        let leaf = chain.first().copied();
        let unfit = chain.iter().find(|link| !is_for_code(link, leaf.is_some_and(|leaf| leaf == **link)));
        match unfit.filter(|_| rules.purpose == Purpose::CodeSigning) {
            Some(unfit) => Err(Untrusted::Certificate(format!(
                "{} was not issued for signing code (extended key usage codeSigning)",
                name(unfit.subject_name())
            ))),
            None => Ok(()),
        }
    }
}

/// Whether a certificate is for signing code. A CA may leave open what its certificates are for; a signer's says it.
fn is_for_code(certificate: &X509Ref, is_signer: bool) -> bool {
    let usage = certificate.extended_key_usage();
    let named = usage.map_or(!is_signer, |usage| usage.contains(X509ExtendedKeyUsage::CODE_SIGN));
    let key = certificate.key_usage().filter(|_| is_signer);
    named && key.is_none_or(|key| key.contains(X509KeyUsage::DIGITAL_SIGNATURE))
}

/// Why OpenSSL has refused a chain, in words that say what to do.
fn why(context: &X509StoreContextRef, rules: Certificates) -> Untrusted {
    let result = context.error();
    let Some(link) = context.current_cert() else {
        return Untrusted::Certificate(result.error_string().into());
    };
    let (subject, issuer) = (name(link.subject_name()), name(link.issuer_name()));
    let now = now(rules);
    Untrusted::Certificate(match result.as_raw() {
        ffi::X509_V_ERR_CERT_REVOKED => return Untrusted::RevokedCertificate(subject),
        ffi::X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT
        | ffi::X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY
        | ffi::X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE => {
            return Untrusted::Stranger(format!(
                "{subject} is issued by {issuer}, which is not among the keys; an intermediate certificate may be \
                 missing in the signature"
            ))
        }
        ffi::X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT | ffi::X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN => {
            return Untrusted::Stranger(format!("the CA {subject} is not among the keys"))
        }
        ffi::X509_V_ERR_CERT_HAS_EXPIRED => {
            format!("{subject} has expired: it was valid until {}, and {now}", link.not_after())
        }
        ffi::X509_V_ERR_CERT_NOT_YET_VALID => {
            format!("{subject} is not yet valid: it will be from {} on, and {now}", link.not_before())
        }
        ffi::X509_V_ERR_UNABLE_TO_GET_CRL => {
            format!("there are lists of revoked certificates (*.crl) among the keys, but none by {issuer}")
        }
        ffi::X509_V_ERR_CRL_HAS_EXPIRED => {
            format!("the list of revoked certificates by {issuer} has expired, and {now}")
        }
        ffi::X509_V_ERR_CRL_NOT_YET_VALID => {
            format!("the list of revoked certificates by {issuer} is not yet valid, and {now}")
        }
        ffi::X509_V_ERR_INVALID_PURPOSE => {
            format!("{subject} was not issued for this purpose (extended key usage emailProtection)")
        }
        _ => format!("{subject}: {}", result.error_string()),
    })
}

/// The time that counts.
fn now(rules: Certificates) -> String {
    let (what, seconds) = match rules.time {
        CertificateTime::At(time) => ("the time to check for is", time),
        _ => {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            ("by the clock here it is", since.as_secs() as i64)
        }
    };
    let time = Asn1Time::from_unix(time_t(seconds)).map(|time| time.to_string());
    format!("{what} {}", time.unwrap_or_else(|_| seconds.to_string()))
}

/// As OpenSSL takes it. What does not fit where that has 32 bits is as late as can be.
#[allow(clippy::useless_conversion)]
fn time_t(seconds: i64) -> libc::time_t {
    seconds.try_into().unwrap_or(libc::time_t::MAX)
}

/// A name in one line, as `openssl x509 -subject` prints it. It may be a stranger's, and may go to a terminal.
fn name(name: &X509NameRef) -> String {
    let mut text = String::new();
    for entry in name.entries() {
        let separator = if text.is_empty() { "" } else { ", " };
        let kind = entry.object().nid().short_name().unwrap_or("?");
        let value = entry.data().to_string().unwrap_or_default();
        let value: String = value.chars().take(64).flat_map(char::escape_debug).collect();
        text.push_str(&format!("{separator}{kind} = {value}"));
    }
    text
}

fn add(certificates: &mut Vec<X509>, pem: &[u8]) -> bool {
    let found = X509::stack_from_pem(pem).unwrap_or_default();
    certificates.extend(found.iter().cloned());
    !found.is_empty()
}

/// What comes after a [`BEGIN`], as a list.
fn pem_of(rest: &str) -> Result<X509Crl, ErrorStack> {
    X509Crl::from_pem(format!("{BEGIN}{rest}").as_bytes())
}

fn stack(certificates: &[X509]) -> Result<Stack<X509>, ErrorStack> {
    let mut stack = Stack::new()?;
    certificates.iter().try_for_each(|certificate| stack.push(certificate.clone()))?;
    Ok(stack)
}

/// The signature is of bytes, not of a text whose line ends do not matter. Who signed is not asked.
fn of_bytes() -> CMSOptions {
    CMSOptions::BINARY | CMSOptions::NO_SIGNER_CERT_VERIFY
}

/// Signs a manifest: what `openssl cms -sign -binary -outform DER` does. All but the manifest is PEM.
///
/// # Errors
///
/// What is wrong, as a phrase.
pub fn sign(
    manifest: &[u8],
    certificate: &[u8],
    key: &[u8],
    password: Option<&str>,
    intermediates: &[Vec<u8>],
) -> Result<Vec<u8>, String> {
    let certificates = X509::stack_from_pem(certificate).unwrap_or_default();
    let (signer, rest) = certificates.split_first().ok_or("this is no certificate in PEM")?;
    let mut others = rest.to_vec();
    if !intermediates.iter().all(|pem| add(&mut others, pem)) {
        return Err("an intermediate is no certificate in PEM".into());
    }
    let key = private_key(key, password)?;
    let say = |error: ErrorStack| format!("OpenSSL can't sign: {error}");
    let others = stack(&others).map_err(say)?;
    let options = CMSOptions::DETACHED | CMSOptions::BINARY | CMSOptions::NOSMIMECAP;
    let signed = CmsContentInfo::sign(Some(signer), Some(&key), Some(&others), Some(manifest), options);
    signed.and_then(|signed| signed.to_der()).map_err(say)
}

fn private_key(pem: &[u8], password: Option<&str>) -> Result<PKey<Private>, String> {
    let mut asked = false;
    // Without an answer of ours OpenSSL would ask on the terminal.
    let key = PKey::private_key_from_pem_callback(pem, |out| {
        asked = true;
        let password = password.unwrap_or_default().as_bytes();
        let room = out.get_mut(..password.len()).ok_or_else(ErrorStack::get)?;
        room.copy_from_slice(password);
        Ok(password.len())
    });
    key.map_err(|_| match (asked, password) {
        (true, None) => "this key has a password; --password-file gives it".into(),
        (true, Some(_)) => "the password is not the one of this key".into(),
        (false, _) => "this is no private key in PEM".into(),
    })
}

/// A CMS signature in DER, from one in DER or PEM, if it signs these bytes by a certificate that is in it or nowhere
/// to be found. Whether that is trusted is not asked.
///
/// # Errors
///
/// What is wrong, as a phrase.
pub fn accept(manifest: &[u8], signature: &[u8]) -> Result<Vec<u8>, String> {
    let cms = match signature.starts_with(BEGIN_CMS.as_bytes()) {
        true => CmsContentInfo::from_pem(signature),
        false => CmsContentInfo::from_der(signature),
    };
    let mut cms = cms.map_err(|_| "this is no CMS signature")?;
    let right = cms.verify(None, None, Some(manifest), None, of_bytes());
    if right.is_err() && !sys::signers(&cms).is_empty() {
        return Err("this signature is not of the bundle's manifest (openssl needs -binary for it)".into());
    }
    cms.to_der().map_err(|error: ErrorStack| error.to_string())
}
