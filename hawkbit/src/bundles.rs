//! Which artifact of an action is the bundle for this device. Others may lie beside it: release notes, bundles for other
//! hardware.

use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use bootslot::settings::Settings;
use bootslot::update::bundle::signature::Keyring;
use bootslot::update::source::Source;
use bootslot::update::{Bundle, Result, UpdateError};

use crate::ddi::Artifact;
use crate::world::World;

/// Why there is no bundle to install.
#[derive(Debug)]
pub enum NoBundle {
    /// It may be had another time.
    Later(String),
    /// The action has none, or more than one.
    Never(String),
}

/// Looks at all artifacts, and gives the one bundle for this device. Of what is no bundle only the first bytes are read.
///
/// # Errors
///
/// [`NoBundle`].
pub fn find(
    world: &mut dyn World,
    artifacts: &[Artifact],
    settings: &Settings,
) -> std::result::Result<Bundle, NoBundle> {
    let keys = world.keys().map_err(|error| NoBundle::Never(format!("the keys: {error}")))?;
    let (mut found, mut others) = (Vec::new(), Vec::new());
    for artifact in artifacts {
        let name = &artifact.name;
        match open(world, artifact, &keys) {
            Ok(bundle) if is_for(&bundle, settings) => found.push(bundle),
            Ok(bundle) => others.push(format!("{name} is for {:?}", bundle.manifest.compatible)),
            Err(Unopened { error, wrong_size: true }) => {
                return Err(NoBundle::Never(format!("{name}: {error}")));
            }
            Err(Unopened { error, .. }) => match error.code() {
                // It can't be read: by the network, or because the server has another one now.
                10 | 24 => return Err(NoBundle::Later(format!("{name}: {error}"))),
                _ => others.push(format!("{name}: {error}")),
            },
        }
    }
    match (found.len(), others.is_empty()) {
        (1, _) => found.pop().ok_or_else(|| NoBundle::Never(String::new())),
        (0, true) => Err(NoBundle::Never("the action has no artifact".into())),
        (0, false) => {
            Err(NoBundle::Never(format!("no artifact is a bundle for this device: {}", others.join("; "))))
        }
        (some, _) => {
            Err(NoBundle::Never(format!("{some} artifacts are bundles for this device: one is wanted")))
        }
    }
}

struct Unopened {
    error: UpdateError,
    wrong_size: bool,
}

fn open(world: &mut dyn World, artifact: &Artifact, keys: &Keyring) -> std::result::Result<Bundle, Unopened> {
    let wrong_size = Arc::new(AtomicBool::new(false));
    let unopened = |error| Unopened { error, wrong_size: wrong_size.load(Ordering::Relaxed) };
    let inner = world.source(&artifact.url).map_err(unopened)?;
    let source = Sized { inner, wanted: artifact.size, wrong: Arc::clone(&wrong_size) };
    Bundle::open(Box::new(source), keys).map_err(unopened)
}

fn is_for(bundle: &Bundle, settings: &Settings) -> bool {
    settings.update.compatible.as_ref().is_none_or(|compatible| bundle.manifest.compatible == *compatible)
}

/// A file that has to be as long as the server has said of it elsewhere.
struct Sized {
    inner: Box<dyn Source>,
    wanted: Option<u64>,
    wrong: Arc<AtomicBool>,
}

impl Sized {
    fn check(&self, offset: u64) -> Result<()> {
        match (self.wanted, self.inner.len()) {
            (Some(wanted), Some(len)) if wanted != len => {
                self.wrong.store(true, Ordering::Relaxed);
                let reason = format!("the server says that it has {wanted} bytes, and it has {len}");
                Err(UpdateError::Read { offset, error: io::Error::other(reason) })
            }
            _ => Ok(()),
        }
    }
}

impl Source for Sized {
    fn read(&mut self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.fetch(offset, buf).map_err(|error| match error {
            UpdateError::Read { error, .. } => error,
            error => io::Error::other(error),
        })
    }

    fn len(&self) -> Option<u64> {
        self.inner.len()
    }

    fn is_dear(&self) -> bool {
        self.inner.is_dear()
    }

    fn announce(&mut self, ranges: &[Range<u64>]) {
        self.inner.announce(ranges);
    }

    fn fetch(&mut self, offset: u64, buf: &mut [u8]) -> Result<()> {
        let fetched = self.inner.fetch(offset, buf);
        // Also where it has ended too early: that is the better reason.
        self.check(offset)?;
        fetched
    }
}
