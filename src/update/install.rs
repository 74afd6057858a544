//! The installation, from the bundle to the slot on trial. To be read in one sitting.
//!
//! | step | what is stored | what a cut leaves |
//! |---|---|---|
//! | look: signature, device, slots, parts, tables, a patch's old image | nothing | everything as it was |
//! | `begin_update` | the target is being written | a target that never boots |
//! | write the images | chunks, each after its hash was compared | the same; the same command goes on |
//! | read the images back, past the cache | nothing | the same |
//! | unpack applications that belong to it, beside what runs | folders | the same |
//! | unless it is to `hold`: `finish_update` | the target is on trial | the same, or a slot on trial that is whole |

use std::borrow::BorrowMut;
use std::cmp::Ordering;
use std::time::{SystemTime, UNIX_EPOCH};

#[cfg(feature = "app")]
use super::apps::Companions;
use super::bundle::manifest::Manifest;
use super::bundle::Bundle;
use super::error::{Result, UpdateError};
use super::fit::fits;
use super::image::{images, Done, Image};
use super::plan::Plan;
use super::progress::{progress, Listener, Phase};
use super::source::Source;
use super::target::{Part, Parts};
use super::write::Places;
use crate::device::Device;
use crate::error::Error;
use crate::floor::Change;
use crate::slot::{Mark, Name, Role, Standing, State};
use crate::storage::Access;
use crate::version::compare;

/// Whether an update has failed before was asked already, of more than the boot state.
const AGAIN: bool = true;

/// What can be chosen.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The slot; `None`: one that does not run, and that nobody misses.
    pub target: Option<Name>,
    /// How often it may boot without being confirmed; `None`: as the settings say.
    pub tries: Option<u8>,
    /// Installs an update that has failed here before, or that is on trial already: all of it is looked at again.
    pub again: bool,
    /// Looks at everything and changes nothing.
    pub dry_run: bool,
    /// Writes the target and reads it back, but does not put it on trial: it stays marked as being written, and does not
    /// boot. A later call without this finds the work done, and puts it on trial.
    pub hold: bool,
}

/// What an installation did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// The slot.
    pub slot: Name,
    /// The update id.
    pub id: String,
    /// It was there already, on trial or confirmed; nothing was done.
    pub already: bool,
    /// It runs, and was confirmed before.
    pub confirmed: bool,
    /// Bytes of all images, and what became of them. After a dry run: what there is to do.
    pub done: Done,
}

/// Installs a bundle whose signature was verified. One that is lent as `&mut Bundle` can be used again afterwards: after a
/// dry run, or after an error. What comes from a stream can't be read twice.
///
/// # Errors
///
/// See [`UpdateError`]: each says what became of the target.
pub fn install(
    device: &mut Device,
    mut bundle: impl BorrowMut<Bundle>,
    parts: &dyn Parts,
    options: &Options,
    listener: Listener<'_>,
) -> Result<Installed> {
    let bundle = bundle.borrow_mut();
    let installed = install_lent(device, bundle, parts, options, listener);
    // What only looks leaves nothing behind.
    if let Some(error) = installed.as_ref().err().filter(|_| !options.dry_run) {
        device.not_installed(options.target.as_ref(), &bundle.id(), error.code(), &error.to_string());
    }
    installed
}

fn install_lent(
    device: &mut Device,
    bundle: &mut Bundle,
    parts: &dyn Parts,
    options: &Options,
    listener: Listener<'_>,
) -> Result<Installed> {
    if bundle.signer.is_none() {
        return Err(UpdateError::Format("its signature was not verified".into()));
    }
    if bundle.manifest.is_of_bootloader() {
        let reason = "it has a boot loader, and no image for a slot: bootslot install installs it, if it was built for that (feature bootloader)";
        return Err(UpdateError::Format(reason.into()));
    }
    if bundle.manifest.payloads.iter().all(|payload| payload.app.is_some()) {
        return Err(UpdateError::Format(
            "it has no image for a slot: bootslot app install installs it".into(),
        ));
    }
    #[cfg(not(feature = "app"))]
    if bundle.manifest.payloads.iter().any(|payload| payload.app.is_some())
        || !bundle.manifest.needs.is_empty()
    {
        let reason =
            "it has applications, or needs some, and this program was built without them (feature app)";
        return Err(UpdateError::Format(reason.into()));
    }
    fits(&bundle.manifest, device.settings())?;
    let floor = above_floor(&bundle.manifest, device)?;
    let state = device.state()?;
    let id = bundle.id();
    let there = on_trial(&state, &id);
    if let Some(running) = device.running().cloned().filter(|_| options.target.is_none() && !options.again) {
        // A server that offers it again is told so, and the way back is not written over.
        if device.runs_update(&id) {
            return Ok(Installed {
                slot: running,
                id,
                already: true,
                confirmed: true,
                done: Done::default(),
            });
        }
    }
    let target = match (&options.target, &there) {
        (Some(target), _) | (None, Some(target)) => target.clone(),
        (None, None) => choose(&state, device.running())?,
    };
    let refused = device.refuses(&id, &bundle.manifest.version, now())?;
    if let Some(refused) = refused.filter(|_| !options.again) {
        return Err(UpdateError::FailedBefore(refused));
    }
    // What is there is believed, unless it is to be installed again.
    let already = there.as_ref() == Some(&target) && !options.again;
    let mut installed = Installed { slot: target, id, already, confirmed: false, done: Done::default() };
    if already {
        return Ok(installed);
    }
    device.check_install(&installed.slot, options.tries, installed.id.as_bytes(), AGAIN, floor.as_ref())?;
    #[cfg(feature = "app")]
    let companions = Companions::look(device, bundle, &installed.slot, options.again)?;
    let parts = open(bundle, parts, &installed.slot, device.running())?;
    let bundle_version = bundle.manifest.version.clone();
    let tables = bundle.tables()?;
    let (images, source) = images(bundle, &tables);
    let (apps, images): (Vec<Image<'_>>, Vec<Image<'_>>) =
        images.into_iter().partition(|image| image.payload.app.is_some());
    let work: Vec<(Image<'_>, Places<'_>)> =
        images.into_iter().zip(parts.iter().map(Opened::places)).collect();
    let mut plans = Vec::new();
    for (image, places) in &work {
        let report = &mut |done| listener(progress(Phase::Looking, image, done));
        plans.push(Plan::make(image, places.target, places.running, report)?);
    }
    if options.dry_run {
        for (plan, (image, places)) in plans.iter().zip(&work) {
            installed.done += plan.sum(image, &mut places.target.view(Access::Read)?);
        }
        return Ok(installed);
    }
    if source.is_dear() {
        let ranges = plans.iter().zip(&work).flat_map(|(plan, (image, _))| plan.ranges(image));
        let apps = apps.iter().map(|image| image.data..image.data + image.payload.data);
        source.announce(&ranges.chain(apps).collect::<Vec<_>>());
    }
    device.begin_update(&installed.slot, installed.id.as_bytes(), &bundle_version)?;
    installed.done = write(&work, &plans, source, listener)?;
    #[cfg(feature = "app")]
    companions.unpack(&apps, source, listener)?;
    if options.hold {
        return Ok(installed);
    }
    // Before the store that they belong to: without it they are dropped, and it never stands without them.
    #[cfg(feature = "app")]
    companions.begin()?;
    let id = installed.id.as_bytes();
    device.finish_update(&installed.slot, options.tries, id, AGAIN, floor.as_ref())?;
    Ok(installed)
}

/// Writes all images, and reads them back.
fn write(
    work: &[(Image<'_>, Places<'_>)],
    plans: &[Plan],
    source: &mut dyn Source,
    listener: Listener<'_>,
) -> Result<Done> {
    let mut sum = Done::default();
    for ((image, places), plan) in work.iter().zip(plans) {
        let report = &mut |done| listener(progress(Phase::Writing, image, done));
        sum += image.write(plan, *places, source, report)?;
    }
    for (image, places) in work {
        image.read_back(places.target, &mut |done| listener(progress(Phase::ReadingBack, image, done)))?;
    }
    Ok(sum)
}

/// Takes all images out of a bundle and compares them with their hashes; they go nowhere.
///
/// # Errors
///
/// [`UpdateError::Read`], [`UpdateError::Format`], [`UpdateError::Damaged`], [`UpdateError::Cancelled`], and
/// [`UpdateError::OldImage`] for a patch of which the old image is not among `old`.
pub fn verify(bundle: &mut Bundle, old: &[Part], listener: Listener<'_>) -> Result<()> {
    let tables = bundle.tables()?;
    let (images, source) = images(bundle, &tables);
    for image in &images {
        let old = old.iter().find(|old| old.name == image.payload.part);
        image.verify(source, old, &mut |done| listener(progress(Phase::Verifying, image, done)))?;
    }
    Ok(())
}

/// What the bundle makes of the floor, if it may be installed: not below the floor, unless it is a recovery.
fn above_floor(manifest: &Manifest, device: &mut Device) -> Result<Option<Change>> {
    if manifest.recovery {
        return Ok(Some(Change::Set(manifest.floor.clone())));
    }
    match device.floor()? {
        Some(floor) if compare(&manifest.version, &floor) == Ordering::Less => {
            Err(UpdateError::BelowFloor { version: manifest.version.clone(), floor })
        }
        _ => Ok(manifest.floor.clone().map(Change::Raise)),
    }
}

/// Seconds since 1970; 0 where the clock is before that.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// The slot in which this update is on trial already.
fn on_trial(state: &State, id: &str) -> Option<Name> {
    match state.standing() {
        Standing::Trial { slot, .. } if state.update.as_deref() == Some(id.as_bytes()) => Some(slot.clone()),
        _ => None,
    }
}

/// The slot to install to where nobody has named one: it does not run, and of those it is the one that is missed
/// least. One that is being written is what an earlier installation has left.
fn choose(state: &State, running: Option<&Name>) -> Result<Name> {
    let missed = |mark: Option<Mark>| match mark {
        Some(Mark::Writing) => 0,
        Some(Mark::Failed) => 1,
        None => 2,
        Some(Mark::Good) => 3,
    };
    let others = state.slots.iter().filter(|slot| slot.role == Role::Ordinary && Some(&slot.name) != running);
    let target = others
        .min_by_key(|slot| (missed(state.mark(&slot.name)), Some(&slot.name) == state.rollback.known()));
    target.map(|slot| slot.name.clone()).ok_or_else(|| {
        Error::Refused("there is no slot beside the running one: nothing can be installed".into()).into()
    })
}

/// A part of the target, and the running slot's of the same name.
struct Opened {
    target: Part,
    running: Option<Part>,
}

impl Opened {
    fn places(&self) -> Places<'_> {
        Places { target: &self.target, running: self.running.as_ref() }
    }
}

/// Opens all parts that the bundle has images for, before anything is written to one of them.
fn open(bundle: &Bundle, parts: &dyn Parts, slot: &Name, running: Option<&Name>) -> Result<Vec<Opened>> {
    let mut opened = Vec::new();
    for (payload, _) in bundle.payloads().filter(|(payload, _)| payload.app.is_none()) {
        let part = parts.open(slot, &payload.part)?;
        let room = part.size()?;
        if payload.size > room {
            let (path, name, size) = (part.path.display(), &payload.part, payload.size);
            return Err(UpdateError::DoesNotFit(format!(
                "{path}: the image of {name} has {size} bytes, and there is room for {room}"
            )));
        }
        // What is looked at there costs time. It pays where the bundle is dear, and a patch is nothing without it.
        let looks = payload.against.is_some() || bundle.source.is_dear();
        let running = running.filter(|_| looks).and_then(|slot| parts.look_at(slot, &payload.part));
        opened.push(Opened { target: part, running });
    }
    Ok(opened)
}
