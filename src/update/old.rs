//! Old images, outside of a device: the one that a patch was made against, and the one that it will be made against.

use std::fs::{self, File};
use std::path::Path;

use super::bundle::Bundle;
use super::error::{Result, UpdateError};
use super::image::images;
use super::plan::Plan;
use super::progress::{Listener, Phase, Progress};
use super::target::Part;
use super::write::Places;
use crate::error::Place;
use crate::storage::file::FileOpener;

/// An image in a file, or on a device, as the part of a slot.
pub fn image_file(part: &str, path: &Path) -> Part {
    let opener = Box::new(FileOpener::new(path));
    Part { name: part.to_owned(), path: path.to_path_buf(), opener, claim: None }
}

/// Takes the image for a part out of a bundle that is no patch, into a file that is made for it. Each chunk is compared
/// with its hash. After an error the file is not there, unless it was there before.
///
/// # Errors
///
/// [`UpdateError::DoesNotFit`] where the bundle has no such image, [`UpdateError::OldImage`] of a patch,
/// [`UpdateError::Read`], [`UpdateError::Format`], [`UpdateError::Damaged`], [`UpdateError::Cancelled`]; for the file
/// [`UpdateError::Device`] and [`UpdateError::Medium`].
pub fn extract(bundle: &mut Bundle, part: &str, to: &Path, listener: Listener<'_>) -> Result<()> {
    let tables = bundle.tables()?;
    let (images, source) = images(bundle, &tables);
    let image = images.iter().find(|image| image.payload.part == part);
    let image =
        image.ok_or_else(|| UpdateError::DoesNotFit(format!("the bundle has no image for {part:?}")))?;
    let target = image_file(part, to);
    let mut report =
        |done| listener(Progress { phase: Phase::Writing, part, done, size: image.payload.size });
    let plan = Plan::all_from_bundle(image);
    if let Some(against) = &image.payload.against {
        plan.check_old(image, against, None, &mut report)?;
    }
    let file = File::options().write(true).create_new(true).open(to);
    let file = file.map_err(|error| Place::new(to, "making it").io(error))?;
    let sized =
        file.set_len(image.payload.size).map_err(|error| Place::new(to, "making it").io(error).into());
    let places = Places { target: &target, running: None };
    let result = sized.and_then(|()| image.write(&plan, places, source, &mut report));
    if result.is_err() {
        // Half an image helps nobody. If this fails as well, the error above says why.
        let _ = fs::remove_file(to);
    }
    result.map(drop)
}
