//! What [`Store::check`](super::Store::check) finds: the state of each copy and of the whole.

use std::path::PathBuf;

use super::{Loaded, Store};
use crate::env::image::{Image, Layout};
use crate::env::redundancy::{readers_agree, CopyState, Why};
use crate::env::{Anomaly, Environment};
use crate::storage::MediumKind;

/// The health of one copy.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CopyHealth {
    /// The file or device.
    pub path: PathBuf,
    /// Bytes from its start.
    pub offset: u64,
    /// What it is on.
    pub kind: MediumKind,
    /// What was found.
    pub state: CopyState,
    /// Why it could not be read.
    pub error: Option<String>,
    /// The flags byte of a readable copy of a redundant environment.
    pub flags: Option<u8>,
    /// Whether it holds the same variables as the current copy; `None` if it holds none.
    pub same_data: Option<bool>,
}

/// The health of an environment.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Health {
    /// One or two copies.
    pub copies: Vec<CopyHealth>,
    /// The copy that is used.
    pub current: Option<usize>,
    /// Why this one.
    pub why: Why,
    /// Whether U-Boot and every tool take this one too.
    pub readers_agree: bool,
    /// Whether a power cut during a store can't lose the environment: two copies, or one in a file that
    /// is replaced by renaming.
    pub power_cut_safe: bool,
    /// Bytes of a copy, header included.
    pub size: usize,
    /// Bytes that the current copy's variables use, final NUL included.
    pub used: usize,
    /// Bytes that are left for variables.
    pub free: usize,
    /// How many variables there are.
    pub variables: usize,
    /// What is odd about the current copy although its checksum is right.
    pub anomalies: Vec<Anomaly>,
}

impl Health {
    /// Every copy is valid and every reader takes the same one.
    pub fn is_healthy(&self) -> bool {
        self.readers_agree && self.copies.iter().all(|c| matches!(c.state, CopyState::Valid { .. }))
    }

    pub(super) fn new(store: &Store, loaded: &Loaded) -> Health {
        let image = loaded.current_image(store.layout);
        let env = image.as_ref().map(Environment::from_image).unwrap_or_default();
        let copies = store.copies.iter().zip(&loaded.copies).map(|(copy, loaded)| {
            let own = loaded.bytes.as_deref().and_then(|bytes| Image::new(store.layout, bytes));
            let valid = matches!(loaded.state, CopyState::Valid { .. });
            CopyHealth {
                path: copy.path().to_path_buf(),
                offset: copy.offset(),
                kind: copy.kind(),
                state: loaded.state,
                error: loaded.error.as_ref().map(ToString::to_string),
                flags: own.as_ref().and_then(Image::flags),
                same_data: own
                    .filter(|_| valid)
                    .zip(image.as_ref())
                    .map(|(own, current)| own.records().eq(current.records())),
            }
        });
        let capacity = store.size().saturating_sub(store.layout.header());
        let used = image.as_ref().map_or(0, Image::used);
        Health {
            copies: copies.collect(),
            current: loaded.choice.current,
            why: loaded.choice.why,
            readers_agree: store.layout == Layout::Single || readers_agree(store.scheme, loaded.states()),
            power_cut_safe: store.is_power_cut_safe(),
            size: store.size(),
            used,
            free: capacity.saturating_sub(used),
            variables: env.len(),
            anomalies: env.anomalies().to_vec(),
        }
    }
}
