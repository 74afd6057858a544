//! Guarded updates of the boot loader (feature `bootloader`).
//!
//! A board has two copies. The one that booted is never touched. The other one is written, read back, and switched to, in this
//! order. It is kept once it has booted and was confirmed; only then may a later update write the first copy.
//!
//! | step | what is stored | which copy boots after a cut |
//! |---|---|---|
//! | look: scheme, which copy booted, room | nothing | as before |
//! | the state `writing` | the state | the old one |
//! | the ROM is told the copy that booted, in case that it was told the other one | the ROM's choice | the old one |
//! | the header of the other copy is spoiled; the state is `writing`, if it was not | the copy | the old one |
//! | all but the header is written, synced, read back | the copy | the old one |
//! | the state `switching` | the state | the old one |
//! | the header is written, synced, read back | the copy | the old one; where the ROM takes the newest, either, both whole |
//! | the ROM is told the new copy | the ROM's choice | either, both whole |
//! | the state `trial` | the state | the new one, if it can |
//!
//! ```text
//!            written, switched            boots            confirmed
//!  settled -------------------> waits -----------> booted -----------> settled, with the new one
//!     ^                           |
//!     +------- cancelled ---------+
//!     +------- the ROM goes back: it is refused from then on
//! ```
//!
//! The words of the second picture are [`Standing`]: the state, seen from the copy that booted.
//!
//! | file | job |
//! |---|---|
//! | `mod.rs` | the orders |
//! | `state.rs` | \[pure\] what is known, and the file that says so |
//! | `copy.rs` | one copy on its medium |
//! | `hardware.rs` | which copy booted, and who chooses |
//! | `error.rs` | why it ended |

mod copy;
mod error;
mod hardware;
mod state;

#[cfg(test)]
pub(crate) use copy::MARK;
pub use error::{LoaderError, Result};
#[cfg(test)]
pub(crate) use hardware::SELECTING;
pub use hardware::{Hardware, RealHardware, PARAMETER};
pub use state::{Release, Stage, Standing, State};

use std::cmp::Ordering;
use std::path::{Path, PathBuf};

use crate::error::{Error, Place as Where};
use crate::files::{self, Files};
use crate::settings::{BootLoader, LoaderCopy};
use crate::storage::Access;
use crate::version::compare;
use copy::{failed, Place};

/// The file with the state, in the folder of the settings' `state`.
pub const STATE: &str = "bootloader";

/// What has happened to the boot loader.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Before anything is written: this one comes.
    Begins(Release),
    /// It boots next.
    Waits(Release),
    /// It has booted, and is kept.
    Confirmed(Release),
    /// It was to boot, and the ROM went back to the other copy.
    WentBack(Release),
    /// It was taken back before it booted.
    Cancelled(Release),
}

impl Event {
    /// A name for programs and for the journal.
    pub fn name(&self) -> &'static str {
        match self {
            Event::Begins(_) => "begins",
            Event::Waits(_) => "waits",
            Event::Confirmed(_) => "confirmed",
            Event::WentBack(_) => "went-back",
            Event::Cancelled(_) => "cancelled",
        }
    }

    /// What it is about.
    pub fn release(&self) -> &Release {
        match self {
            Event::Begins(new)
            | Event::Waits(new)
            | Event::Confirmed(new)
            | Event::WentBack(new)
            | Event::Cancelled(new) => new,
        }
    }
}

/// A boot loader that is to be installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// The id of its bundle, its update id.
    pub id: String,
    /// Its version.
    pub version: String,
    /// Its bytes.
    pub size: u64,
}

/// What can be chosen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Choices {
    /// Also one that has failed here, or that is there.
    pub again: bool,
    /// Also one that is older than the one that was confirmed last.
    pub recovery: bool,
}

/// What an installation comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Checked {
    /// It can be written to this copy.
    Writes(LoaderCopy),
    /// It is there, and boots next, or has booted.
    Already(Release),
    /// It is there, and was confirmed.
    Confirmed(Release),
}

/// What is known of the boot loader.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// What the file says.
    pub state: State,
    /// The copy that booted, or why that is not known.
    pub booted: Result<String, String>,
    /// What it means; `None`: it depends on the copy that booted.
    pub standing: Option<Standing>,
}

impl Status {
    /// Whether a device that does not come back may owe that to a new boot loader, as far as is known.
    pub fn is_unproven(&self) -> bool {
        match self.standing {
            Some(standing) => standing.is_unproven(),
            None => true,
        }
    }
}

/// What a confirmation has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Confirmation {
    /// There was nothing to confirm.
    Nothing,
    /// The new one is kept.
    Done(Release),
    /// The ROM went back to the other copy: the new one is refused from now on.
    WentBack(Release),
}

/// The boot loader of a board, and what is known of it.
pub struct Loader<'a> {
    /// What the settings say of it.
    pub about: &'a BootLoader,
    /// The board.
    pub hardware: &'a mut dyn Hardware,
    /// Where the state is kept.
    pub files: &'a mut dyn Files,
    /// The folder of the state.
    pub folder: &'a Path,
    /// The id of this boot, as the kernel made it; empty where it is not known.
    pub boot: &'a str,
    /// Hears what happens.
    pub tell: &'a mut (dyn FnMut(&Event) + Send + Sync),
}

impl Loader<'_> {
    /// Where it stands. Nothing is written.
    ///
    /// # Errors
    ///
    /// [`LoaderError::Device`]: the file with the state can't be read, or is damaged.
    pub fn status(&mut self) -> Result<Status> {
        let (state, booted) = (self.load()?, self.hardware.booted());
        // The register of an eMMC names the new copy from the switch on, and not from the boot on.
        let booted = match (&state.stage, &booted) {
            (Stage::Switching(new, boot) | Stage::Trial(new, boot), Ok(name))
                if boot == self.boot && *name == new.copy =>
            {
                Ok(self.other(name)?.name.clone())
            }
            _ => booted,
        };
        let standing = match (&booted, &state.stage) {
            (Ok(name), _) => Some(state.standing(name, self.boot)),
            (Err(_), Stage::Settled) => Some(Standing::Settled),
            (Err(_), Stage::Writing(_)) => Some(Standing::Writing),
            (Err(_), _) => None,
        };
        Ok(Status { state, booted, standing })
    }

    /// Whether a boot loader can be installed now. Nothing is written.
    ///
    /// # Errors
    ///
    /// All that refuse.
    pub fn check(&mut self, new: &Arrival, choices: Choices) -> Result<Checked> {
        let Status { state, booted, standing } = self.status()?;
        let booted = known(booted)?;
        if self.boot.is_empty() {
            return Err(LoaderError::Refused("the kernel tells no id of this boot".into()));
        }
        let is_it = |release: &&Release| release.id == new.id;
        match (standing, state.stage.release()) {
            (Some(Standing::Booted), Some(there)) if is_it(&there) => {
                return Ok(Checked::Already(there.clone()))
            }
            (Some(Standing::Booted), Some(there)) => {
                return Err(LoaderError::Refused(format!(
                    "{there} has booted and is not confirmed: the copy before it is kept until then (bootslot bootloader confirm)"
                )));
            }
            (Some(Standing::Waits), Some(there))
                if is_it(&there) && !choices.again && matches!(state.stage, Stage::Trial(..)) =>
            {
                return Ok(Checked::Already(there.clone()));
            }
            _ => {}
        }
        let state = if standing == Some(Standing::WentBack) { state.give_up() } else { state };
        if let Some(failed) = state.refused.iter().find(is_it).filter(|_| !choices.again) {
            return Err(LoaderError::FailedBefore(failed.clone()));
        }
        if let Some(confirmed) = &state.confirmed {
            if is_it(&confirmed) && confirmed.copy == booted && !choices.again {
                return Ok(Checked::Confirmed(confirmed.clone()));
            }
            if compare(&new.version, &confirmed.version) == Ordering::Less && !choices.recovery {
                let (version, confirmed) = (new.version.clone(), confirmed.version.clone());
                return Err(LoaderError::Older { version, confirmed });
            }
        }
        let target = self.other(&booted)?.clone();
        let header = self.about.header;
        if !(header + 1..=target.size).contains(&new.size) {
            let (name, size, room) = (&target.name, new.size, target.size);
            return Err(LoaderError::DoesNotFit(format!(
                "copy {name}: the image has {size} bytes, and there is room for {room}, behind a header of {header}"
            )));
        }
        Place::new(self.open(&target, Access::Read)?, &target, header)?;
        Ok(Checked::Writes(target))
    }

    /// Writes a boot loader whose bytes were verified to the copy that did not boot, and switches to it.
    ///
    /// # Errors
    ///
    /// All of [`LoaderError`]. The copy that booted boots again, or the new one, which is whole. The next call goes on.
    pub fn install(&mut self, new: &Arrival, image: &[u8], choices: Choices) -> Result<Checked> {
        self.settle()?;
        let target = match self.check(new, choices)? {
            Checked::Writes(target) => target,
            there => return Ok(there),
        };
        if image.len() as u64 != new.size {
            return Err(LoaderError::DoesNotFit(format!("the image has {} bytes", image.len())));
        }
        let Status { state, booted, standing } = self.status()?;
        let running = self.named(&known(booted)?)?.clone();
        let release = Release { id: new.id.clone(), version: new.version.clone(), copy: target.name.clone() };
        (self.tell)(&Event::Begins(release.clone()));
        // What may boot next is never said to be something that does not.
        let waits = standing == Some(Standing::Waits);
        match (&state.stage, waits) {
            (Stage::Trial(old, boot), true) => {
                self.store(&state.at(Stage::Switching(old.clone(), boot.clone())))?;
            }
            (_, true) => {}
            (_, false) => self.store(&state.at(Stage::Writing(release.clone())))?,
        }
        self.select(&running)?;
        self.on(&target, |place| place.spoil())?;
        if waits {
            self.store(&state.at(Stage::Writing(release.clone())))?;
        }
        self.on(&target, |place| place.write_body(image))?;
        self.store(&state.at(Stage::Switching(release.clone(), self.boot.to_owned())))?;
        self.on(&target, |place| place.write_header(image))?;
        self.select(&target)?;
        self.store(&state.at(Stage::Trial(release.clone(), self.boot.to_owned())))?;
        (self.tell)(&Event::Waits(release));
        Ok(Checked::Writes(target))
    }

    /// The boot loader that has booted is kept: a later update may write the other copy. Where the ROM went back, that is
    /// recorded.
    ///
    /// # Errors
    ///
    /// [`LoaderError::Refused`] where the new one has not booted yet, or it is not known which copy has; and those of the
    /// system.
    pub fn confirm(&mut self) -> Result<Confirmation> {
        if let Some(left) = self.settle()? {
            return Ok(Confirmation::WentBack(left));
        }
        let Status { state, booted, standing } = self.status()?;
        match (standing, state.stage.release()) {
            (Some(Standing::Settled | Standing::Writing), _) => Ok(Confirmation::Nothing),
            (Some(Standing::Booted), Some(new)) => {
                self.store(&state.confirm())?;
                (self.tell)(&Event::Confirmed(new.clone()));
                Ok(Confirmation::Done(new.clone()))
            }
            (Some(Standing::Waits), Some(new)) => {
                Err(LoaderError::Refused(format!("{new} has not booted yet")))
            }
            _ => known(booted).map(|_| Confirmation::Nothing),
        }
    }

    /// Takes back what has not booted: no ROM takes it any more. `None`: there was nothing.
    ///
    /// # Errors
    ///
    /// [`LoaderError::Refused`] where the new one has booted, or it is not known which copy has; and those of the system.
    pub fn cancel(&mut self) -> Result<Option<Release>> {
        self.settle()?;
        let Status { state, booted, standing } = self.status()?;
        let Some(new) = state.stage.release() else { return Ok(None) };
        let booted = known(booted)?;
        if standing == Some(Standing::Booted) {
            return Err(LoaderError::Refused(format!(
                "{new} has booted: confirm it, and install another one"
            )));
        }
        let (target, running) = (self.named(&new.copy)?.clone(), self.named(&booted)?.clone());
        if target.name == running.name {
            return Err(LoaderError::Refused(format!("copy {} booted, which is half-written", running.name)));
        }
        if let Stage::Trial(new, boot) = &state.stage {
            self.store(&state.at(Stage::Switching(new.clone(), boot.clone())))?;
        }
        self.select(&running)?;
        self.on(&target, |place| place.spoil())?;
        self.store(&state.at(Stage::Settled))?;
        (self.tell)(&Event::Cancelled(new.clone()));
        Ok(Some(new.clone()))
    }

    /// Records that the ROM went back, if it did, and lets it stay there.
    fn settle(&mut self) -> Result<Option<Release>> {
        let Status { state, booted, standing } = self.status()?;
        let Some(new) = state.stage.release().filter(|_| standing == Some(Standing::WentBack)) else {
            return Ok(None);
        };
        let running = self.named(&known(booted)?)?.clone();
        self.select(&running)?;
        self.store(&state.give_up())?;
        (self.tell)(&Event::WentBack(new.clone()));
        Ok(Some(new.clone()))
    }

    fn path(&self) -> PathBuf {
        self.folder.join(STATE)
    }

    fn load(&mut self) -> Result<State> {
        let path = self.path();
        let failed = |error| Where::new(&path, "reading what is known of the boot loader").io(error);
        let Some(bytes) = files::read_if_there(self.files, &path).map_err(failed)? else {
            return Ok(State::default());
        };
        let wrong = |message: String| {
            let message = format!("this is not what is known of the boot loader: {message}");
            LoaderError::Device(Error::Device { path: path.clone(), message })
        };
        let state = State::parse(&bytes).map_err(wrong)?;
        match state.stage.release().is_some_and(|new| self.named(&new.copy).is_err()) {
            true => Err(wrong("it names a copy that the settings do not name".into())),
            false => Ok(state),
        }
    }

    fn store(&mut self, state: &State) -> Result<()> {
        let path = self.path();
        let failed = |error| Where::new(&path, "writing what is known of the boot loader").io(error);
        Ok(files::replace(self.files, &path, &state.to_bytes()).map_err(failed)?)
    }

    fn named(&self, name: &str) -> Result<&LoaderCopy> {
        let found = self.about.copies.iter().find(|copy| copy.name == name);
        found.ok_or_else(|| LoaderError::Refused(format!("the settings name no copy {name:?}")))
    }

    fn other(&self, name: &str) -> Result<&LoaderCopy> {
        let found = self.about.copies.iter().find(|copy| copy.name != name);
        found.ok_or_else(|| LoaderError::Refused(format!("the settings name no copy beside {name:?}")))
    }

    fn open(&mut self, copy: &LoaderCopy, access: Access) -> Result<Box<dyn crate::storage::Medium>> {
        self.hardware.open(copy, access).map_err(failed(&copy.device, "opening it", copy.offset))
    }

    /// Does something with a copy that is open for it alone.
    fn on(&mut self, copy: &LoaderCopy, work: impl FnOnce(&mut Place<'_>) -> Result<()>) -> Result<()> {
        let medium = self.open(copy, Access::Write)?;
        Place::new(medium, copy, self.about.header)?.and_close(work)
    }

    fn select(&mut self, copy: &LoaderCopy) -> Result<()> {
        let failed = failed(&copy.device, "switching the ROM to the copy", copy.offset);
        self.hardware.select(copy).map_err(failed)
    }
}

fn known(booted: Result<String, String>) -> Result<String> {
    booted.map_err(|why| LoaderError::Refused(format!("which copy booted is not known: {why}")))
}
