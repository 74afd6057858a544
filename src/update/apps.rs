//! Applications of a bundle: alone, and tried at once; or with a system, and then kept or given up with it.
//!
//! | step | what is stored | what a cut leaves |
//! |---|---|---|
//! | look: signature, device, application, versions, room, tables | nothing | everything as it was |
//! | unpack beside the others, synced, read back | a folder that nobody knows | the same; the next run removes it |
//! | `begin` alone | the version is on trial; then the link is switched | the same, or a version on trial that is whole |
//! | `begin` with a system | the version waits for the system's trial, which is stored next | the same, or one that goes with its system |

use std::cmp::Ordering;

use super::bundle::application::{Application, Need};
use super::bundle::manifest::Manifest;
use super::bundle::Bundle;
use super::error::{Result, UpdateError};
use super::fit::fits;
use super::image::{images, Done, Image};
use super::plan::Plan;
use super::progress::{progress, Listener, Phase};
use super::source::Source;
use super::stream::ImageReader;
use crate::app::{facts, is_on_trial, Arrival, Event, Facts, Handle, Version, With};
use crate::device::Device;
use crate::error::Error;
use crate::settings::{App, Settings};
use crate::slot::Name;
use crate::version::compare;

/// What can be chosen.
#[derive(Debug, Clone, Default)]
pub struct AppOptions {
    /// Installs a version that has failed here before.
    pub again: bool,
    /// Looks at everything and changes nothing.
    pub dry_run: bool,
}

/// What an installation of an application did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstalledApp {
    /// The application.
    pub app: String,
    /// The version.
    pub version: Version,
    /// It was there already; nothing was done.
    pub already: bool,
    /// It is in place, on trial, and is to be judged: [`Handle::decide`] has the result. `false` also where it was given up
    /// at once, since its service could not be stopped or started.
    pub on_trial: bool,
    /// Bytes of the archive. After a dry run: what there is to do.
    pub done: Done,
}

/// Installs the application of a bundle whose signature was verified, and that has no system in it. It is on trial then.
/// `tell` hears what happens to it.
///
/// # Errors
///
/// See [`UpdateError`]. What runs was not touched, but for a version that is on trial.
pub fn install_app(
    device: &mut Device,
    bundle: &mut Bundle,
    options: &AppOptions,
    listener: Listener<'_>,
    tell: &mut dyn FnMut(&Event),
) -> Result<InstalledApp> {
    if bundle.signer.is_none() {
        return Err(UpdateError::Format("its signature was not verified".into()));
    }
    let [payload] = &bundle.manifest.payloads[..] else { return Err(no_app()) };
    let Some(about) = payload.app.clone() else { return Err(no_app()) };
    let (name, bytes) = (payload.part.clone(), payload.size);
    let settings = device.settings().clone();
    fits(&bundle.manifest, &settings)?;
    let state = device.state()?;
    if is_on_trial(&state, device.running()) {
        let reason = "the system is on trial: an application is installed when that is confirmed";
        return Err(Error::Refused(reason.into()).into());
    }
    let app = find(&settings, &name)?;
    let facts = facts(device);
    let handle = Handle::new(app, &facts);
    let version = arrives(&about, bundle.id());
    let arrival = Arrival { version: version.clone(), floor: about.floor, with: None };
    let mut installed =
        InstalledApp { app: name, version, already: false, on_trial: false, done: Done::default() };
    let mut goes_on = None;
    if !options.dry_run {
        // What was cut is ended first.
        goes_on = handle.run(crate::app::Moment::Later, tell).map_err(UpdateError::App)?;
    }
    installed.already =
        handle.check(&arrival, bytes, options.again, bundle.manifest.recovery).map_err(UpdateError::App)?;
    if installed.already || options.dry_run {
        installed.on_trial = goes_on.as_ref() == Some(&installed.version);
        installed.done.all = bytes;
        return Ok(installed);
    }
    let tables = bundle.tables()?;
    let (images, source) = images(bundle, &tables);
    for image in &images {
        installed.done += unpack(image, source, &handle, &installed.version, listener, tell)?;
    }
    installed.on_trial = handle.begin(arrival, tell).map_err(UpdateError::App)?.is_some();
    Ok(installed)
}

fn no_app() -> UpdateError {
    UpdateError::Format("it has no application alone: bootslot install installs systems".into())
}

fn find<'s>(settings: &'s Settings, name: &str) -> Result<&'s App> {
    settings.apps.iter().find(|app| app.name == name).ok_or_else(|| {
        UpdateError::DoesNotFit(format!(
            "the bundle has the application {name:?}, and the settings name no such one"
        ))
    })
}

fn arrives(about: &Application, id: String) -> Version {
    Version { id, version: about.version.clone(), system: about.system.clone() }
}

/// The applications of a bundle that has a system as well.
pub(super) struct Companions {
    facts: Facts,
    arrivals: Vec<(App, Arrival)>,
}

impl Companions {
    /// Looks whether they can be installed, and whether the system has all that it needs. Nothing is written.
    pub fn look(device: &mut Device, bundle: &Bundle, slot: &Name, again: bool) -> Result<Companions> {
        let settings = device.settings().clone();
        let facts = facts(device);
        let manifest = &bundle.manifest;
        let id = bundle.id();
        let mut arrivals = Vec::new();
        for payload in &manifest.payloads {
            let Some(about) = &payload.app else { continue };
            let app = find(&settings, &payload.part)?;
            if let Some(needed) = &about.system {
                if compare(&manifest.version, needed) == Ordering::Less {
                    let (part, version) = (&payload.part, &manifest.version);
                    let reason =
                        format!("{part} needs a system of version {needed}, and {version} is in the bundle");
                    return Err(UpdateError::Format(reason));
                }
            }
            let with = With { slot: slot.clone(), update: id.clone() };
            let version = arrives(about, id.clone());
            let arrival = Arrival { version, floor: about.floor.clone(), with: Some(with) };
            let handle = Handle::new(app, &facts);
            handle.check(&arrival, payload.size, again, manifest.recovery).map_err(UpdateError::App)?;
            arrivals.push((app.clone(), arrival));
        }
        for need in &manifest.needs {
            has(&settings, manifest, need, &facts)?;
        }
        Ok(Companions { facts, arrivals })
    }

    /// Unpacks them beside what runs.
    pub fn unpack(
        &self,
        images: &[Image<'_>],
        source: &mut dyn Source,
        listener: Listener<'_>,
    ) -> Result<()> {
        for (app, arrival) in &self.arrivals {
            let handle = Handle::new(app, &self.facts);
            for image in images.iter().filter(|image| image.payload.part == app.name) {
                unpack(image, source, &handle, &arrival.version, listener, &mut |_| {})?;
            }
        }
        Ok(())
    }

    /// From now on they wait for their system, whose trial is stored next. If it is not, the next run drops them.
    pub fn begin(self) -> Result<()> {
        for (app, arrival) in self.arrivals {
            Handle::new(&app, &self.facts).begin(arrival, &mut |_| {}).map_err(UpdateError::App)?;
        }
        Ok(())
    }
}

/// Whether an application that a system needs is in the bundle, or on the device.
fn has(settings: &Settings, manifest: &Manifest, need: &Need, facts: &Facts) -> Result<()> {
    let Need { app: name, version: needed } = need;
    let in_bundle = manifest.payloads.iter().filter(|payload| payload.part == *name);
    let in_bundle =
        in_bundle.filter_map(|payload| payload.app.as_ref()).map(|about| about.version.clone()).next();
    let there = match in_bundle {
        Some(version) => Some(version),
        None => {
            let status = Handle::new(find(settings, name)?, facts).status().map_err(UpdateError::App)?;
            status.state.and_then(|state| state.current().map(|version| version.version.clone()))
        }
    };
    match there {
        Some(there) if compare(&there, needed) != Ordering::Less => Ok(()),
        there => Err(UpdateError::NeedsApp { app: name.clone(), needed: needed.clone(), there }),
    }
}

fn unpack(
    image: &Image<'_>,
    source: &mut dyn Source,
    handle: &Handle<'_>,
    version: &Version,
    listener: Listener<'_>,
    tell: &mut dyn FnMut(&Event),
) -> Result<Done> {
    let plan = Plan::all_from_bundle(image);
    let mut last = Done::default();
    let report = &mut |done: Done| {
        last = done;
        listener(progress(Phase::Writing, image, done))
    };
    let mut reader = ImageReader::new(image, &plan, source, report);
    let unpacked = handle.unpack(version, &mut reader, tell);
    match (reader.error(), unpacked) {
        // The bundle's fault says more than that of the archive that it has ended.
        (Some(error), Err(_)) => Err(error),
        (_, Err(error)) => Err(UpdateError::App(error)),
        (_, Ok(())) => Ok(Done { written: last.all, ..last }),
    }
}
