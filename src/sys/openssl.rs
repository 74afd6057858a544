//! What the crate `openssl` does not offer of OpenSSL's CMS: who signed, with which certificates; and lists of
//! revoked certificates for a store.

use std::ffi::c_int;

use foreign_types::{ForeignType, ForeignTypeRef};
use openssl::cms::CmsContentInfoRef;
use openssl::error::ErrorStack;
use openssl::stack::{Stack, StackRef};
use openssl::x509::store::X509StoreBuilderRef;
use openssl::x509::{X509Crl, X509};
use openssl_sys::{stack_st_X509, CMS_ContentInfo, OPENSSL_sk_free, X509_CRL, X509_STORE};

extern "C" {
    fn CMS_get0_signers(cms: *mut CMS_ContentInfo) -> *mut stack_st_X509;
    fn CMS_get1_certs(cms: *mut CMS_ContentInfo) -> *mut stack_st_X509;
    fn X509_STORE_add_crl(store: *mut X509_STORE, crl: *mut X509_CRL) -> c_int;
}

/// The certificates of the signers, as far as they were found by a verification, which may have failed
/// (CMS_get0_signers).
pub fn signers(cms: &CmsContentInfoRef) -> Vec<X509> {
    // SAFETY: the structure lives as long as the reference. It gets a new list of its own certificates, or null.
    let list = unsafe { CMS_get0_signers(cms.as_ptr()) };
    if list.is_null() {
        return Vec::new();
    }
    // SAFETY: it is a list of certificates, alive until it is freed below; each that is kept is counted by `to_owned`.
    let signers = unsafe { StackRef::<X509>::from_ptr(list) }.iter().map(ToOwned::to_owned).collect();
    // SAFETY: the list is ours and is not used any more. Its certificates are the structure's.
    unsafe { OPENSSL_sk_free(list.cast()) };
    signers
}

/// All certificates in the structure (CMS_get1_certs).
///
/// # Errors
///
/// OpenSSL's, when it has no memory.
pub fn certificates(cms: &CmsContentInfoRef) -> Result<Stack<X509>, ErrorStack> {
    // SAFETY: the structure lives as long as the reference. It returns a list of counted certificates, or null.
    let list = unsafe { CMS_get1_certs(cms.as_ptr()) };
    if list.is_null() {
        return Stack::new();
    }
    // SAFETY: the list and a count of each certificate in it are ours, which is what a `Stack` frees.
    Ok(unsafe { Stack::from_ptr(list) })
}

/// Adds a list of revoked certificates to a store (X509_STORE_add_crl).
///
/// # Errors
///
/// OpenSSL's, when it has no memory.
pub fn add_crl(store: &mut X509StoreBuilderRef, crl: &X509Crl) -> Result<(), ErrorStack> {
    // SAFETY: both live as long as the references; the store counts the list for itself.
    match unsafe { X509_STORE_add_crl(store.as_ptr(), crl.as_ptr()) } {
        1 => Ok(()),
        _ => Err(ErrorStack::get()),
    }
}
