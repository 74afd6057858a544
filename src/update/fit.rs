//! Whether a bundle is for this device.

use super::bundle::manifest::Manifest;
use super::error::{Result, UpdateError};
use crate::error::Error;
use crate::settings::Settings;

/// Whether the bundle is for this device.
pub(super) fn fits(manifest: &Manifest, settings: &Settings) -> Result<()> {
    let update = &settings.update;
    let Some(compatible) = &update.compatible else {
        let reason = "the settings do not say what this device is: [update] compatible";
        return Err(Error::Refused(reason.into()).into());
    };
    if manifest.compatible != *compatible {
        let (bundle, device) = (manifest.compatible.clone(), compatible.clone());
        return Err(UpdateError::Incompatible { bundle, device });
    }
    let device = update.revision.clone().unwrap_or_else(|| "none in its settings".into());
    if !manifest.revisions.is_empty() && !manifest.revisions.contains(&device) {
        return Err(UpdateError::Revision { bundle: manifest.revisions.join(", "), device });
    }
    for (path, needed) in &manifest.free {
        let free = super::free_bytes(path)?;
        if free < *needed {
            return Err(UpdateError::NoRoom { path: path.clone(), free, needed: *needed });
        }
    }
    Ok(())
}
