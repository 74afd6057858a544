//! Pure: how far an installation is, for whoever listens, and who can cancel it.

use std::ops::ControlFlow;

use super::image::{Done, Image};

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It is looked for what the slots hold of an image.
    Looking,
    /// An image is written.
    Writing,
    /// An image is read back.
    ReadingBack,
    /// An image is compared with its hashes, and goes nowhere.
    Verifying,
}

/// How far it is.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// What is being done.
    pub phase: Phase,
    /// With which part of the slot.
    pub part: &'a str,
    /// Bytes of this image that are done in this phase, and what of them.
    pub done: Done,
    /// Bytes of this image.
    pub size: u64,
}

/// Hears the progress, and can cancel.
pub type Listener<'a> = &'a mut dyn FnMut(Progress<'_>) -> ControlFlow<()>;

pub(super) fn progress<'a>(phase: Phase, image: &Image<'a>, done: Done) -> Progress<'a> {
    Progress { phase, part: &image.payload.part, done, size: image.payload.size }
}
