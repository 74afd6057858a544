//! What one reading of all copies gave: the finding for each, which is current, and the environment.

use std::io;

use crate::env::image::{Image, Layout};
use crate::env::redundancy::{Choice, CopyState};
use crate::env::Environment;
use crate::error::{Error, Result};

/// What one reading of all copies gave.
pub(super) struct Loaded {
    pub(super) copies: Vec<LoadedCopy>,
    pub(super) choice: Choice,
    /// Where copy 0 is current although it is a single one: what it would be in a redundant environment.
    pub(super) upgraded: Option<Vec<u8>>,
}

pub(super) struct LoadedCopy {
    pub(super) bytes: Option<Vec<u8>>,
    pub(super) state: CopyState,
    pub(super) error: Option<Error>,
    /// It is to lie in a regular file that is missing or empty.
    pub(super) unmade: bool,
}

impl Loaded {
    pub(super) fn states(&self) -> [CopyState; 2] {
        let state = |i: usize| self.copies.get(i).map_or(CopyState::Unreadable, |c| c.state);
        [state(0), state(1)]
    }

    pub(super) fn both_valid(&self) -> bool {
        self.copies.iter().all(|c| matches!(c.state, CopyState::Valid { .. }))
    }

    /// Whether a copy that can't be read may be a valid one. Not if its file is missing, if it ends behind its medium,
    /// or if the kernel says that its bytes are gone.
    pub(super) fn may_hide_a_valid_copy(&self) -> bool {
        self.copies.iter().any(|copy| match &copy.error {
            Some(Error::Io { error, .. }) if !copy.unmade => {
                // EBADMSG: more bit errors than NAND's ECC can correct. EBADF: a UBI volume whose update was cut.
                let gone = matches!(error.raw_os_error(), Some(libc::EBADMSG | libc::EBADF));
                !gone && error.kind() != io::ErrorKind::UnexpectedEof
            }
            Some(_) | None => false,
        })
    }

    pub(super) fn current_flags(&self) -> Option<u8> {
        match self.copies.get(self.choice.current?)?.state {
            CopyState::Valid { flags } => Some(flags),
            _ => None,
        }
    }

    pub(super) fn current_bytes(&self) -> Option<&[u8]> {
        if self.upgraded.is_some() {
            return self.upgraded.as_deref();
        }
        self.copies.get(self.choice.current?)?.bytes.as_deref()
    }

    pub(super) fn current_image(&self, layout: Layout) -> Option<Image<'_>> {
        Image::new(layout, self.current_bytes()?)
    }

    pub(super) fn no_valid_copy(&self) -> Error {
        let report: Vec<String> = self
            .copies
            .iter()
            .enumerate()
            .map(|(i, copy)| match &copy.error {
                Some(error) => format!("copy {i}: {error}"),
                None => format!("copy {i}: {}", copy.state),
            })
            .collect();
        let read = self.copies.iter().all(|copy| copy.error.is_none());
        let hint = if self.may_hide_a_valid_copy() { "; what can't be read may be valid" } else { "" };
        Error::NoValidCopy { report: report.join("; ") + hint, read }
    }

    pub(super) fn into_snapshot(mut self, layout: Layout) -> Result<Snapshot> {
        let states = self.states();
        let current = self.choice.current.and_then(|i| self.copies.get_mut(i));
        let bytes = self.upgraded.take().or_else(|| current.and_then(|copy| copy.bytes.take()));
        match bytes {
            Some(bytes) => Ok(Snapshot { layout, bytes, states, choice: self.choice }),
            None => Err(self.no_valid_copy()),
        }
    }
}

/// The environment as it was at one instant, read-only.
pub struct Snapshot {
    layout: Layout,
    bytes: Vec<u8>,
    states: [CopyState; 2],
    choice: Choice,
}

impl Snapshot {
    /// The current copy as an image.
    ///
    /// `None` never happens for a snapshot that a store made.
    pub fn image(&self) -> Option<Image<'_>> {
        Image::new(self.layout, &self.bytes)
    }

    /// The value of a variable as U-Boot sees it, without building anything.
    pub fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.image()?.get(name)
    }

    /// All variables.
    pub fn environment(&self) -> Environment {
        self.image().map(|image| Environment::from_image(&image)).unwrap_or_default()
    }

    /// Which copy it was read from, and why.
    pub fn choice(&self) -> &Choice {
        &self.choice
    }

    /// The copy that could not be read, where this is the other one: it may be the newer one.
    pub fn unreadable(&self) -> Option<usize> {
        unreadable(self.layout, self.states)
    }

    /// What was found in both copies; a single copy's twin counts as unreadable.
    pub fn states(&self) -> [CopyState; 2] {
        self.states
    }
}

/// The one copy of two that could not be read, where the other one is used instead.
pub(super) fn unreadable(layout: Layout, states: [CopyState; 2]) -> Option<usize> {
    match states {
        [CopyState::Unreadable, CopyState::Valid { .. }] => Some(0),
        [CopyState::Valid { .. } | CopyState::Single, CopyState::Unreadable]
            if layout == Layout::Redundant =>
        {
            Some(1)
        }
        _ => None,
    }
}
