//! The boot loader of a bundle, to the copy that did not boot. `loader/mod.rs` has the order of what is stored.
//!
//! A bundle with a boot loader is signed twice: as every bundle, and by a key that is trusted with the boot loader. One key may be
//! both.

use std::io::Read;

use super::bundle::signature::Keyring;
use super::bundle::Bundle;
use super::error::{Result, UpdateError};
use super::fit::fits;
use super::image::{images, Done};
use super::plan::Plan;
use super::progress::{progress, Listener, Phase};
use super::stream::ImageReader;
use crate::device::Device;
use crate::loader::{Arrival, Checked, Choices, LoaderError};

/// What can be chosen.
#[derive(Debug, Clone, Default)]
pub struct LoaderOptions {
    /// Installs a boot loader that has failed here, or that is there already.
    pub again: bool,
    /// Looks at everything and changes nothing.
    pub dry_run: bool,
}

/// What an installation of a boot loader did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstalledLoader {
    /// The copy that it is in.
    pub copy: String,
    /// The update id.
    pub id: String,
    /// It was there already; nothing was done.
    pub already: bool,
    /// It was confirmed before.
    pub confirmed: bool,
    /// Bytes of the image. After a dry run: what there is to do.
    pub done: Done,
}

/// Installs the boot loader of a bundle whose signature was verified. The next boot tries it.
///
/// # Errors
///
/// See [`UpdateError`]. The copy that booted is untouched, and boots as long as the new one is not whole.
pub fn install_loader(
    device: &mut Device,
    bundle: &mut Bundle,
    options: &LoaderOptions,
    listener: Listener<'_>,
) -> Result<InstalledLoader> {
    let installed = install(device, bundle, options, listener);
    if let Some(error) = installed.as_ref().err().filter(|_| !options.dry_run) {
        device.not_installed(None, &bundle.id(), error.code(), &error.to_string());
    }
    installed
}

fn install(
    device: &mut Device,
    bundle: &mut Bundle,
    options: &LoaderOptions,
    listener: Listener<'_>,
) -> Result<InstalledLoader> {
    if bundle.signer.is_none() {
        return Err(UpdateError::Format("its signature was not verified".into()));
    }
    let none = || UpdateError::Format("it has no boot loader".into());
    let [payload] = &bundle.manifest.payloads[..] else { return Err(none()) };
    let about = payload.bootloader.ok_or_else(none)?;
    let new = Arrival { id: bundle.id(), version: bundle.manifest.version.clone(), size: payload.size };
    fits(&bundle.manifest, device.settings())?;
    trusted(device, bundle)?;
    device.check_loader(about.script)?;
    let choices = Choices { again: options.again, recovery: bundle.manifest.recovery };
    let checked = device.with_loader(|loader| loader.check(&new, choices)).map_err(UpdateError::Loader)?;
    let done = Done { all: new.size, ..Done::default() };
    let outcome = |checked: Checked, done: Done| {
        let (copy, already, confirmed) = match checked {
            Checked::Writes(copy) => (copy.name, false, false),
            Checked::Already(release) => (release.copy, true, false),
            Checked::Confirmed(release) => (release.copy, true, true),
        };
        InstalledLoader { copy, id: new.id.clone(), already, confirmed, done }
    };
    if options.dry_run || !matches!(checked, Checked::Writes(_)) {
        return Ok(outcome(checked, Done { written: new.size, fetched: payload.data, ..done }));
    }
    let image = read(bundle, new.size, listener)?;
    let written = Done { written: new.size, ..done };
    let checked =
        device.with_loader(|loader| loader.install(&new, &image, choices)).map_err(UpdateError::Loader)?;
    Ok(outcome(checked, written))
}

/// Whether somebody has signed it who is trusted with the boot loader.
fn trusted(device: &Device, bundle: &Bundle) -> Result<()> {
    let settings = device.settings();
    let loader = settings.loader.as_ref().ok_or_else(|| UpdateError::Loader(LoaderError::no_scheme()))?;
    let keys = Keyring::load(&loader.keys)?.with_certificates(settings.update.certificates);
    match keys.verify(&bundle.manifest_bytes, &bundle.signatures) {
        Ok(_) => Ok(()),
        Err(reason) => Err(UpdateError::UntrustedLoader(reason)),
    }
}

/// The whole image, each chunk of it compared with its hash. It is not large: a copy of the settings has a limit.
fn read(bundle: &mut Bundle, size: u64, listener: Listener<'_>) -> Result<Vec<u8>> {
    let tables = bundle.tables()?;
    let (images, source) = images(bundle, &tables);
    let Some(image) = images.first() else { return Err(UpdateError::Format("it has no image".into())) };
    let plan = Plan::all_from_bundle(image);
    let mut bytes = Vec::new();
    let report = &mut |done| listener(progress(Phase::Writing, image, done));
    let mut reader = ImageReader::new(image, &plan, source, report);
    let read = (&mut reader).take(size).read_to_end(&mut bytes);
    match (reader.error(), read) {
        (Some(error), _) => Err(error),
        (None, Err(error)) => Err(UpdateError::Read { offset: 0, error }),
        (None, Ok(_)) => Ok(bytes),
    }
}
