//! The boot loader of a device: orders to it, the journal, and what keeps it and the slots apart.
//!
//! If a device does not come back, it has to be known whether that is owed to a new boot loader or to a new system. So neither is
//! begun while the other one is unproven.

use super::Device;
use crate::error::{Error, Place, Result};
use crate::files::{Files, RealFiles};
use crate::journal;
use crate::loader::{
    Confirmation, Event, Loader, LoaderError, RealHardware, Release, Result as LoaderResult, Status, STATE,
};
use crate::settings::{BootLoader, Settings};
use crate::slot::dialect::Dialect;
use crate::slot::{Script, Standing};

/// The orders after which another system may boot than before.
const BEGINS_A_TRIAL: [&str; 4] = ["begin-install", "finish-install", "try", "set-active"];

impl Device {
    /// Where the boot loader stands; `None`: the board has no scheme for it. Nothing is written, and nothing is locked.
    ///
    /// # Errors
    ///
    /// [`LoaderError::Device`]: what is known of it can't be read.
    pub fn loader_status(&mut self) -> LoaderResult<Option<Status>> {
        status(&self.desk.settings)
    }

    /// The boot loader that has booted is kept.
    ///
    /// # Errors
    ///
    /// Those of [`Loader::confirm`].
    pub fn confirm_loader(&mut self) -> LoaderResult<Confirmation> {
        self.with_loader(|loader| loader.confirm())
    }

    /// Takes back a boot loader that has not booted. `None`: there was nothing.
    ///
    /// # Errors
    ///
    /// Those of [`Loader::cancel`].
    pub fn cancel_loader(&mut self) -> LoaderResult<Option<Release>> {
        self.with_loader(|loader| loader.cancel())
    }

    /// Whether the slots allow that a boot loader is installed, which brings this version of the boot script. Read without a
    /// lock.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`], [`Error::RunningUnknown`], [`Error::ScriptUnknown`], and those of [`Device::state`].
    pub fn check_loader(&mut self, script: Option<u32>) -> Result<()> {
        let running = self.desk.running.slot.clone().map_err(Error::RunningUnknown)?;
        let (variables, state) = self.loaded()?;
        let needed = self.script(&variables)?;
        if state.standing() != Standing::Confirmed(&running) {
            let reason = format!(
                "slot {running} is not confirmed, or another one boots next: no boot loader is installed then"
            );
            return Err(Error::Refused(reason));
        }
        if self.desk.settings.dialect != Dialect::Native {
            return Ok(());
        }
        let reason = match script.map(|number| (number, Script::numbered(number))) {
            Some((_, Some(brought))) if brought >= needed => return Ok(()),
            Some((number, None)) if number > Script::default().number() => format!(
                "the boot loader brings version {number} of the boot script, and this program knows versions up to {}",
                Script::default().number()
            ),
            Some((number, _)) => format!(
                "the boot loader brings version {number} of the boot script, and what is stored needs version {}",
                needed.number()
            ),
            None => format!(
                "the bundle does not say which version of the boot script the boot loader brings, and what is stored needs version {}",
                needed.number()
            ),
        };
        Err(Error::Refused(reason))
    }

    /// Does something with the boot loader, while nobody else does, and tells the journal.
    ///
    /// # Errors
    ///
    /// [`LoaderError::Refused`] where the settings have no scheme, or no folder for what is known of it.
    pub(crate) fn with_loader<T>(
        &mut self,
        work: impl FnOnce(&mut Loader<'_>) -> LoaderResult<T>,
    ) -> LoaderResult<T> {
        let settings = self.desk.settings.clone();
        let about = settings.loader.as_ref().ok_or_else(LoaderError::no_scheme)?;
        let mut files = RealFiles::default();
        let _lock = match &settings.state {
            Some(folder) => {
                let lock = folder.join(format!("{STATE}.lock"));
                let failed = |error| Place::new(&lock, "locking out other orders").io(error);
                crate::files::make_folders(&mut files, folder).map_err(failed)?;
                Some(files.lock(&lock).map_err(failed)?)
            }
            None => None,
        };
        let journal = &mut self.desk.journal;
        let mut tell = |event: &Event| {
            let Release { id, version, copy } = event.release().clone();
            let record = journal::Event::Loader { step: event.name().into(), version, update: id, copy };
            // A journal that is full keeps nobody from his work.
            let _ = journal.as_mut().map(|journal| journal.append(&[record]));
        };
        with(&settings, about, &mut files, &mut tell, work)
    }
}

/// The loader of these settings.
fn with<T>(
    settings: &Settings,
    about: &BootLoader,
    files: &mut RealFiles,
    tell: &mut (dyn FnMut(&Event) + Send + Sync),
    work: impl FnOnce(&mut Loader<'_>) -> LoaderResult<T>,
) -> LoaderResult<T> {
    let Some(folder) = &settings.state else {
        let reason = "the settings name no folder for what is known of it: state";
        return Err(LoaderError::Refused(reason.into()));
    };
    let boot = std::fs::read_to_string(&settings.boot_id).unwrap_or_default();
    let mut hardware = RealHardware::new(settings, about);
    work(&mut Loader { about, hardware: &mut hardware, files, folder, boot: boot.trim(), tell })
}

fn status(settings: &Settings) -> LoaderResult<Option<Status>> {
    let Some(about) = &settings.loader else { return Ok(None) };
    let mut files = RealFiles::default();
    with(settings, about, &mut files, &mut |_| {}, |loader| loader.status()).map(Some)
}

/// Whether an order to the slots would put a system on trial beside a boot loader that is unproven.
///
/// # Errors
///
/// [`Error::Refused`]; also where it is not known how the boot loader stands.
pub(super) fn gate(settings: &Settings, order: &str) -> Result<()> {
    // Without a folder for what is known of it, none is ever installed.
    if !BEGINS_A_TRIAL.contains(&order) || settings.state.is_none() {
        return Ok(());
    }
    let status = match status(settings) {
        Ok(Some(status)) => status,
        Ok(None) => return Ok(()),
        Err(LoaderError::Device(error)) => return Err(error),
        Err(error) => return Err(Error::Refused(error.to_string())),
    };
    match (status.is_unproven(), status.state.stage.release()) {
        (true, Some(new)) => Err(Error::Refused(format!(
            "the boot loader of {new} is not proven: reboot, and confirm it first (bootslot bootloader confirm)"
        ))),
        _ => Ok(()),
    }
}
