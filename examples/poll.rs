//! A client for a server that is no fleet server: in a folder on it, `latest` names the newest bundle. It installs what is
//! new, and says once how each update has ended. A client for any other server begins like this: docs/fleet.md.
//!
//! `poll https://updates.example/gateway [SETTINGS [SLOT]]`, by a timer. SLOT runs, where the kernel's command line does
//! not say it.

use std::error::Error;
use std::ops::ControlFlow;
use std::path::Path;

use bootslot::device::Device;
use bootslot::report::{outgoing, sent, stage, About};
use bootslot::settings::Settings;
use bootslot::slot::Name;
use bootslot::store::StoreOptions;
use bootslot::update::bundle::signature::Keyring;
use bootslot::update::source::http::{Exchange, HttpSource, Method, Options};
use bootslot::update::{install, Bundle, UpdateError};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let folder = arguments.first().ok_or("usage: poll https://... [SETTINGS [SLOT]]")?;
    let mut settings = Settings::find(arguments.get(1).map(Path::new))?;
    settings.running = arguments.get(2).and_then(|slot| Name::new(slot)).or(settings.running);
    let mut device = Device::open(&settings, &StoreOptions::default())?;

    // What has ended is told first, and again until this has worked. A success is in here once it is confirmed.
    for message in outgoing(&mut device)? {
        if let About::Update(attempt) = &message.about {
            println!("update {}: {} {}", attempt.update, stage(attempt), attempt.reason);
        }
        sent(&mut device, &message, "poll")?;
    }

    let options = Options::default();
    let address = format!("{folder}/latest");
    let latest = Exchange::new(folder, &options)?.send(Method::Get, &address, "text/plain", &[], 200)?;
    let name = String::from_utf8(latest.body).ok().filter(|_| latest.status == 200);
    let name = name.ok_or(format!("{address}: {}", latest.status))?;
    let source = HttpSource::new(&format!("{folder}/{}", name.trim()), options)?;
    let bundle = Bundle::open(Box::new(source), &Keyring::load(&settings.update.keys)?)?;
    let version = bundle.manifest.version.clone();
    let go_on = &mut |_: bootslot::update::Progress<'_>| ControlFlow::Continue(());
    match install(&mut device, bundle, &settings, &bootslot::update::Options::default(), go_on) {
        Ok(done) if done.confirmed => println!("version {version} runs"),
        Ok(done) => println!("version {version} is in slot {}, on trial from the next boot on", done.slot),
        Err(UpdateError::FailedBefore(refused)) => println!("version {version} is not installed: {refused}"),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}
