//! Updates: a signed bundle, and its installation into the slot that does not run (feature `update`).
//!
//! | file | job |
//! |---|---|
//! | `bundle/` | the format, its signatures, and how a bundle is made |
//! | `source/` | where a bundle's bytes come from |
//! | `target.rs` | where its images go |
//! | `install.rs` | the order of an installation |
//! | `apps.rs` | applications, alone or with a system (feature `app`) |
//! | `loader.rs` | the boot loader (feature `bootloader`) |
//! | `stream.rs` | an image as a stream of verified bytes |
//! | `fit.rs` | whether a bundle is for this device |
//! | `progress.rs` | how far it is |
//! | `image.rs` | one image, and how much of it is done |
//! | `plan.rs` | where each chunk comes from: its place, the running slot, the bundle |
//! | `write.rs` | one image to its place, and back for the proof |
//! | `view.rs` | what a part holds, without bad blocks |
//! | `out/` | how an image gets onto a medium: bytes, blocks of flash, LEBs |
//! | `claim.rs` | nobody else uses the target |
//! | `common.rs` | what two images have in common |
//! | `old.rs` | the old image of a patch, outside of a device |
//! | `pipe.rs` | several threads, one order |
//! | `error.rs` | why it ended |
//!
//! What is never done: a byte is written that was not signed; a slot boots that is not whole; the running slot is
//! touched.

#[cfg(feature = "app")]
mod apps;
pub mod bundle;
mod claim;
mod common;
mod error;
mod fit;
mod image;
pub mod install;
#[cfg(feature = "bootloader")]
mod loader;
mod old;
mod out;
mod pipe;
mod plan;
mod progress;
pub mod source;
#[cfg(any(feature = "app", feature = "bootloader"))]
mod stream;
pub mod target;
mod view;
mod write;

#[cfg(feature = "app")]
pub use apps::{install_app, AppOptions, InstalledApp};
pub use bundle::Bundle;
pub use common::Common;
pub use error::{Result, Untrusted, UpdateError};
pub use image::Done;
pub use install::{install, verify, Installed, Options};
#[cfg(feature = "bootloader")]
pub use loader::{install_loader, InstalledLoader, LoaderOptions};
pub use old::{extract, image_file};
pub use progress::{Listener, Phase, Progress};

use crate::error::Place;

/// Bytes that are free on the file system of `path`, for who is not root.
fn free_bytes(path: &str) -> Result<u64> {
    crate::sys::free_bytes(path.as_ref())
        .map_err(|error| Place::new(path, "asking for the free room").io(error).into())
}
