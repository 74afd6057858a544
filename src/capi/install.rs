//! The installation of bundles for C.

use std::ffi::{c_char, c_int, c_void};
use std::mem;
use std::ops::ControlFlow;

use super::boundary::{given_size, optional_text, read_sized, unused, write_sized, Failure, Outcome, Sized1};
use super::bundle::{bootslot_bundle, call, opened, Opened};
use super::code;
use super::code::bootslot_code::{self, *};
use super::given::c_string;
use super::slots::{self, bootslot_slots};
use super::slots_options::{name, tries};
use crate::update::{self, Bundle, Options, Phase, Progress};

/// What is being done.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum bootslot_phase {
    /// It is looked for what the slots hold of an image.
    BOOTSLOT_LOOKING = 0,
    /// An image is written.
    BOOTSLOT_WRITING = 1,
    /// An image is read back.
    BOOTSLOT_READING_BACK = 2,
    /// An image is compared with its hashes, and goes nowhere.
    BOOTSLOT_VERIFYING = 3,
}

/// How far it is. It is valid until the callback returns.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct bootslot_progress {
    /// sizeof(bootslot_progress) of the library
    pub struct_size: usize,
    /// With which part of the slot.
    pub part: *const c_char,
    /// Bytes of this image.
    pub size: u64,
    /// Bytes of it that are done in this phase, zeros included.
    pub done: u64,
    /// What of them was written.
    pub written: u64,
    /// What of them was there already.
    pub kept: u64,
    /// What was taken from the running slot.
    pub copied: u64,
    /// What was taken from the bundle: bytes as long as they are there.
    pub fetched: u64,
    /// What is being done.
    pub phase: bootslot_phase,
    /// For later versions: zero.
    pub reserved: [u8; 4],
}

/// Hears the progress. What it returns cancels, unless it is 0: then the function returns BOOTSLOT_ERROR_CANCELLED, and
/// the next installation goes on where this one ended. It is called from the thread that is in the function, each
/// MiB or so. Both handles are busy meanwhile. It must return: it may not throw, or jump out.
pub type bootslot_listener =
    Option<unsafe extern "C" fn(context: *mut c_void, progress: *const bootslot_progress) -> c_int>;

/// What can be chosen of an installation. What is zero has its default.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct bootslot_install_options {
    /// sizeof(bootslot_install_options)
    pub struct_size: usize,
    /// The slot to install to. NULL: one that does not run.
    pub target: *const c_char,
    /// Hears the progress, and can cancel. NULL: nobody does.
    pub progress: bootslot_listener,
    /// Its first argument.
    pub context: *mut c_void,
    /// Tries of the trial, 1 to 9. 0: the board's.
    pub tries: u32,
    /// Install it although it has failed here before.
    pub again: bool,
    /// Look at everything, change nothing.
    pub dry_run: bool,
    /// For later versions: has to be zero.
    pub reserved: [u8; 2],
}

// SAFETY: NULL pointers, 0 and false are values, and the defaults.
unsafe impl Sized1 for bootslot_install_options {
    const FIRST: usize = end_of!(Self, reserved: [u8; 2]);
}

/// What an installation did; after a dry run, what there is to do. Its strings are borrowed from the bundle.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct bootslot_installed {
    /// sizeof(bootslot_installed), set by the caller
    pub struct_size: usize,
    /// The slot.
    pub slot: *const c_char,
    /// The update id.
    pub update: *const c_char,
    /// Bytes of all images, zeros included.
    pub size: u64,
    /// What of them was written.
    pub written: u64,
    /// What of them was there already.
    pub kept: u64,
    /// What was written, and taken from the running slot.
    pub copied: u64,
    /// What was taken from the bundle: bytes as long as they are there.
    pub fetched: u64,
    /// It was there already, on trial or confirmed. Nothing was done.
    pub already: bool,
    /// It runs and was confirmed before: no reboot is needed.
    pub confirmed: bool,
    /// For later versions: zero.
    pub reserved: [u8; 6],
}

// SAFETY: zero bytes are numbers, false and NULL pointers.
unsafe impl Sized1 for bootslot_installed {
    const FIRST: usize = end_of!(Self, reserved: [u8; 6]);
}

/// A bundle that was opened, and not for a look only.
fn verified(session: &mut Opened) -> Outcome<&mut Bundle> {
    let bundle = opened(session)?;
    match bundle.signer {
        Some(_) => Ok(bundle),
        None => Err(Failure::new(
            BOOTSLOT_ERROR_STATE,
            "the bundle was opened to inspect it: nothing is verified",
        )),
    }
}

/// Tells C of the progress.
unsafe fn tell(listener: bootslot_listener, context: *mut c_void, now: &Progress<'_>) -> ControlFlow<()> {
    let Some(hear) = listener else { return ControlFlow::Continue(()) };
    let part = c_string(now.part.as_bytes().to_vec());
    let progress = bootslot_progress {
        struct_size: mem::size_of::<bootslot_progress>(),
        part: part.as_ptr(),
        size: now.size,
        done: now.done.all,
        written: now.done.written,
        kept: now.done.kept,
        copied: now.done.copied,
        fetched: now.done.fetched,
        phase: match now.phase {
            Phase::Looking => bootslot_phase::BOOTSLOT_LOOKING,
            Phase::Writing => bootslot_phase::BOOTSLOT_WRITING,
            Phase::ReadingBack => bootslot_phase::BOOTSLOT_READING_BACK,
            Phase::Verifying => bootslot_phase::BOOTSLOT_VERIFYING,
        },
        reserved: [0; 4],
    };
    match hear(context, &progress) {
        0 => ControlFlow::Continue(()),
        _ => ControlFlow::Break(()),
    }
}

exports! { EXPORTS:
    /// Takes all images out of the bundle and compares them with what was signed. They go nowhere. `progress` may be
    /// NULL; `context` is its first argument. A patch can't be verified alone: BOOTSLOT_ERROR_OLD_IMAGE.
    fn bootslot_bundle_verify(
        bundle: *mut bootslot_bundle,
        progress: bootslot_listener,
        context: *mut c_void,
    ) -> bootslot_code {
        call(bundle, |session, _| {
            update::verify(verified(session)?, &[], &mut |now| tell(progress, context, &now))?;
            Ok(BOOTSLOT_OK)
        })
    }

    /// Installs the bundle into a slot that does not run, reads it back, and puts it on trial. The text of an error is
    /// that of bootslot_bundle_last_error. Whatever ends it, also a power cut: the slot either boots whole or never
    /// boots, and the same call goes on there. With NULL for `options`, all of them have their default. `installed` may be NULL.
    fn bootslot_bundle_install(
        bundle: *mut bootslot_bundle,
        slots: *mut bootslot_slots,
        options: *const bootslot_install_options,
        installed: *mut bootslot_installed,
    ) -> bootslot_code {
        call(bundle, |session, given| {
            if slots.is_null() {
                return Err(Failure::null("slots"));
            }
            if !installed.is_null() {
                given_size(installed)?;
            }
            let (mut chosen, mut listener, mut context) = (Options::default(), None, std::ptr::null_mut());
            if !options.is_null() {
                let options = read_sized(options)?;
                unused(&options.reserved)?;
                chosen = Options {
                    target: optional_text(options.target).map(name).transpose()?,
                    tries: tries(options.tries)?,
                    again: options.again,
                    dry_run: options.dry_run,
                    ..Options::default()
                };
                (listener, context) = (options.progress, options.context);
            }
            let bundle = verified(session)?;
            let mut outcome = None;
            let code = slots::call(slots, |session| {
                let result = session.change(|device| {
                    let parts = device.settings().clone();
                    let hear = &mut |now: Progress<'_>| tell(listener, context, &now);
                    Ok(update::install(device, bundle, &parts, &chosen, hear)?)
                });
                let told = result.as_ref().map(|_| BOOTSLOT_OK).map_err(Failure::clone);
                outcome = Some(result);
                told
            });
            let done = outcome.unwrap_or_else(|| {
                let text = format!("slots: {}", code::text(code as i32).to_string_lossy());
                Err(Failure::new(code, text))
            })?;
            if !installed.is_null() {
                let ours = bootslot_installed {
                    struct_size: 0,
                    slot: given.lend(done.slot.as_str().as_bytes()),
                    update: given.lend(done.id.as_bytes()),
                    size: done.done.all,
                    written: done.done.written,
                    kept: done.done.kept,
                    copied: done.done.copied,
                    fetched: done.done.fetched,
                    already: done.already,
                    confirmed: done.confirmed,
                    reserved: [0; 6],
                };
                write_sized(installed, &ours)?;
            }
            Ok(BOOTSLOT_OK)
        })
    }
}
