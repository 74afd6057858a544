//! Bundles for C: opened, which verifies the signature, and what they say of themselves.

use std::ffi::{c_char, c_int, c_void};
use std::path::Path;
use std::ptr;

use super::boundary::{
    given_size, optional_text, output, path, read_sized, text, unused, write_sized, Failure, Handle, Outcome,
    Sized1,
};
use super::code::bootslot_code::{self, *};
use super::given::Given;
use super::slots_options::read_settings;
use super::source::{self, bootslot_download_options, bootslot_reader};
use crate::update::bundle::manifest::hex;
use crate::update::bundle::signature::Keyring;
use crate::update::source::Source;
use crate::update::Bundle;

/// A bundle. Made by bootslot_bundle_new, freed by bootslot_bundle_free. Its strings are valid until then.
pub struct bootslot_bundle(#[allow(dead_code, reason = "the name in C of what is a Handle")] Handle<Opened>);

/// What a handle holds: nothing before it is opened.
pub(super) type Opened = Option<Bundle>;

/// Whose bundles are trusted. What is zero has its default.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct bootslot_bundle_options {
    /// sizeof(bootslot_bundle_options)
    pub struct_size: usize,
    /// The file of settings: its `[update]` says where the keys are, and what certificates have to be. NULL:
    /// /etc/bootslot/bootslot.toml, if it exists.
    pub settings: *const c_char,
    /// The folder of the keys that are trusted. NULL: that of the settings.
    pub keys: *const c_char,
    /// The file of a key or of certificates (*.pem). NULL: those in `keys`. If not, only this one is trusted.
    pub key: *const c_char,
    /// To see what a bundle says, whoever made it. No signature is verified, and it can't be installed.
    pub inspect: bool,
    /// For later versions: has to be zero.
    pub reserved: [u8; 7],
}

// SAFETY: NULL pointers, 0 and false are values, and the defaults.
unsafe impl Sized1 for bootslot_bundle_options {
    const FIRST: usize = end_of!(Self, reserved: [u8; 7]);
}

/// What a bundle says of itself. Its strings are borrowed.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct bootslot_manifest {
    /// sizeof(bootslot_manifest), set by the caller
    pub struct_size: usize,
    /// The devices that it is for.
    pub compatible: *const c_char,
    /// Its version.
    pub version: *const c_char,
    /// The lowest version that a device installs once it has confirmed this one; NULL if it does not raise that.
    pub floor: *const c_char,
    /// What built it; NULL if it does not say.
    pub build: *const c_char,
    /// The update id.
    pub update: *const c_char,
    /// The key that has signed it: the name of its file without .pub, or the subject of the certificate. NULL if no
    /// signature was verified.
    pub key: *const c_char,
    /// What the signer says of the signature; of a certificate, who issued it. NULL if no signature was verified.
    pub comment: *const c_char,
    /// The manifest as it was signed: TOML.
    pub text: *const c_char,
    /// Bytes of the whole bundle.
    pub size: u64,
    /// How many images there are; see bootslot_bundle_image.
    pub images: usize,
    /// How many revisions of the device it is for; see bootslot_bundle_revision. 0: all.
    pub revisions: usize,
    /// How many paths need free room; see bootslot_bundle_needs.
    pub needs: usize,
    /// How many signatures it has, whosever they are.
    pub signatures: usize,
    /// It is installed below the device's floor, and replaces that.
    pub recovery: bool,
    /// For later versions: zero.
    pub reserved: [u8; 7],
}

// SAFETY: zero bytes are numbers, false and NULL pointers.
unsafe impl Sized1 for bootslot_manifest {
    const FIRST: usize = end_of!(Self, reserved: [u8; 7]);
}

/// One image of a bundle. Its strings are borrowed.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct bootslot_image {
    /// sizeof(bootslot_image), set by the caller
    pub struct_size: usize,
    /// The part of the slot that it is for.
    pub part: *const c_char,
    /// Its SHA-256, in hexadecimal digits.
    pub sha256: *const c_char,
    /// Its bytes.
    pub size: u64,
    /// Its bytes in the bundle.
    pub stored: u64,
    /// Its chunks.
    pub chunks: u64,
}

// SAFETY: zero bytes are numbers and NULL pointers.
unsafe impl Sized1 for bootslot_image {
    const FIRST: usize = end_of!(Self, chunks: u64);
}

/// A call with a handle.
///
/// # Safety
///
/// The rules of the header.
pub(super) unsafe fn call(
    bundle: *const bootslot_bundle,
    f: impl FnOnce(&mut Opened, &mut Given) -> Outcome<bootslot_code>,
) -> bootslot_code {
    Handle::call(bundle.cast::<Handle<Opened>>(), f)
}

/// The bundle, if there is one.
pub(super) fn opened(opened: &mut Opened) -> Outcome<&mut Bundle> {
    opened.as_mut().ok_or_else(|| Failure::new(BOOTSLOT_ERROR_STATE, "the bundle is not open"))
}

/// Opens a bundle, whose source is only asked for if all else is right.
unsafe fn open(
    bundle: *mut bootslot_bundle,
    options: *const bootslot_bundle_options,
    source: impl FnOnce() -> Outcome<Box<dyn Source>>,
) -> bootslot_code {
    call(bundle, |opened, _| {
        if opened.is_some() {
            return Err(Failure::new(BOOTSLOT_ERROR_STATE, "the bundle is open already"));
        }
        *opened = Some(match keys(options)? {
            Some(keys) => Bundle::open(source()?, &keys)?,
            None => Bundle::inspect(source()?)?,
        });
        Ok(BOOTSLOT_OK)
    })
}

/// The keys of the options; `None` where none are asked.
unsafe fn keys(options: *const bootslot_bundle_options) -> Outcome<Option<Keyring>> {
    let options = if options.is_null() { None } else { Some(read_sized(options)?) };
    let given = |string: *const c_char| optional_text(string).map(path);
    let (mut settings, mut keys, mut key) = (None, None::<&Path>, None);
    if let Some(options) = options {
        unused(&options.reserved)?;
        (settings, keys, key) = (given(options.settings), given(options.keys), given(options.key));
        if options.inspect {
            return match (keys, key) {
                (None, None) => Ok(None),
                _ => Err(Failure::new(BOOTSLOT_ERROR_ARGUMENT, "inspect asks no keys, and there are some")),
            };
        }
    }
    let update = read_settings(settings)?.update;
    let mut keyring = match key {
        Some(_) => Keyring::default(),
        None => Keyring::load(keys.unwrap_or(&update.keys))?,
    };
    if let Some(file) = key {
        keyring.trust(file)?;
    }
    Ok(Some(keyring.with_certificates(update.certificates)))
}

fn lend_optional(given: &mut Given, text: Option<&String>) -> *const c_char {
    text.map_or(ptr::null(), |text| given.lend(text.as_bytes()))
}

exports! { EXPORTS:
    /// Makes a new handle, which is not open yet. It is never NULL, except by a mistake in this library.
    fn bootslot_bundle_new() -> *mut bootslot_bundle {
        Handle::<Opened>::new(None).cast::<bootslot_bundle>()
    }

    /// Frees the handle. Freeing NULL does nothing.
    fn bootslot_bundle_free(bundle: *mut bootslot_bundle) {
        Handle::free(bundle.cast::<Handle<Opened>>());
    }

    /// As bootslot_env_last_error.
    fn bootslot_bundle_last_error(bundle: *const bootslot_bundle) -> *const c_char {
        Handle::last_error(bundle.cast::<Handle<Opened>>())
    }

    /// Opens a bundle: reads its manifest, and verifies the signature unless the options say otherwise. `file` is the
    /// path of a file, a FIFO or a device such as /dev/stdin. With NULL for `options`, all of them have their default.
    fn bootslot_bundle_open(
        bundle: *mut bootslot_bundle,
        file: *const c_char,
        options: *const bootslot_bundle_options,
    ) -> bootslot_code {
        open(bundle, options, || source::named(path(text(file, "file")?)))
    }

    /// The same with a file or a pipe that is open. A file is read from its first byte on, whatever was read of it
    /// before. A pipe is read from where it stands, as it comes, so of bootslot_bundle_verify,
    /// bootslot_bundle_install and a dry run of that only one can follow. Reading from it has to wait for bytes: without
    /// O_NONBLOCK. `fd` stays yours: close it when you like.
    fn bootslot_bundle_open_fd(
        bundle: *mut bootslot_bundle,
        fd: c_int,
        options: *const bootslot_bundle_options,
    ) -> bootslot_code {
        open(bundle, options, || source::duplicated(fd))
    }

    /// The same with bytes that a callback brings, as they come through a pipe. It is called with `context` until the
    /// handle is freed.
    fn bootslot_bundle_open_reader(
        bundle: *mut bootslot_bundle,
        read: bootslot_reader,
        context: *mut c_void,
        options: *const bootslot_bundle_options,
    ) -> bootslot_code {
        open(bundle, options, || source::read_by(read, context))
    }

    /// The same with a bundle on a server. `address` is one of http or https. With NULL for `download`, all of it has
    /// its default. Of the bundle, only what the slots do not hold already is fetched. The result is
    /// BOOTSLOT_ERROR_UNSUPPORTED if the library was built without the feature `http`.
    fn bootslot_bundle_open_url(
        bundle: *mut bootslot_bundle,
        address: *const c_char,
        download: *const bootslot_download_options,
        options: *const bootslot_bundle_options,
    ) -> bootslot_code {
        open(bundle, options, || {
            let address = text(address, "address")?;
            let download = if download.is_null() { None } else { Some(read_sized(download)?) };
            source::fetched(address, download)
        })
    }

    /// Gets what the bundle says of itself.
    fn bootslot_bundle_manifest(bundle: *mut bootslot_bundle, manifest: *mut bootslot_manifest) -> bootslot_code {
        call(bundle, |session, given| {
            given_size(manifest)?;
            let bundle = opened(session)?;
            let said = &bundle.manifest;
            let signer = bundle.signer.as_ref();
            let ours = bootslot_manifest {
                struct_size: 0,
                compatible: given.lend(said.compatible.as_bytes()),
                version: given.lend(said.version.as_bytes()),
                floor: lend_optional(given, said.floor.as_ref()),
                build: lend_optional(given, said.build.as_ref()),
                update: given.lend(bundle.id().as_bytes()),
                key: lend_optional(given, signer.map(|signer| &signer.key)),
                comment: lend_optional(given, signer.map(|signer| &signer.comment)),
                text: given.lend(&bundle.manifest_bytes),
                size: bundle.size(),
                images: said.payloads.len(),
                revisions: said.revisions.len(),
                needs: said.free.len(),
                signatures: bundle.signatures.len(),
                recovery: said.recovery,
                reserved: [0; 7],
            };
            write_sized(manifest, &ours)?;
            Ok(BOOTSLOT_OK)
        })
    }

    /// Gets one image of the bundle. The number counts from 0 on. The result is BOOTSLOT_END behind the last one.
    fn bootslot_bundle_image(
        bundle: *mut bootslot_bundle,
        number: usize,
        image: *mut bootslot_image,
    ) -> bootslot_code {
        call(bundle, |session, given| {
            given_size(image)?;
            let Some(said) = opened(session)?.manifest.payloads.get(number) else { return Ok(BOOTSLOT_END) };
            let ours = bootslot_image {
                struct_size: 0,
                part: given.lend(said.part.as_bytes()),
                sha256: given.lend(hex(&said.sha256).as_bytes()),
                size: said.size,
                stored: said.data,
                chunks: said.chunks,
            };
            write_sized(image, &ours)?;
            Ok(BOOTSLOT_OK)
        })
    }

    /// Gets one revision of the device that the bundle is for. The number counts from 0 on. The result is BOOTSLOT_END
    /// behind the last one.
    fn bootslot_bundle_revision(
        bundle: *mut bootslot_bundle,
        number: usize,
        revision: *mut *const c_char,
    ) -> bootslot_code {
        call(bundle, |session, given| {
            let revision = output(revision, "revision")?;
            let Some(said) = opened(session)?.manifest.revisions.get(number) else { return Ok(BOOTSLOT_END) };
            *revision = given.lend(said.as_bytes());
            Ok(BOOTSLOT_OK)
        })
    }

    /// Gets one path whose file system must have this many bytes free. The number counts from 0 on. The result is
    /// BOOTSLOT_END behind the last one.
    fn bootslot_bundle_needs(
        bundle: *mut bootslot_bundle,
        number: usize,
        path: *mut *const c_char,
        bytes: *mut u64,
    ) -> bootslot_code {
        call(bundle, |session, given| {
            let (path, bytes) = (output(path, "path")?, output(bytes, "bytes")?);
            let Some((name, free)) = opened(session)?.manifest.free.get(number) else { return Ok(BOOTSLOT_END) };
            (*path, *bytes) = (given.lend(name.as_bytes()), *free);
            Ok(BOOTSLOT_OK)
        })
    }
}
