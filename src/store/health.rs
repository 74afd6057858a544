//! What [`Store::check`](super::Store::check) finds: the state of each copy and of the whole.

use std::path::PathBuf;

use super::{Loaded, Store};
use crate::env::image::{left_by, Image, Layout};
use crate::env::redundancy::{readers_agree, CopyState, Why};
use crate::env::{Anomaly, Environment};
use crate::storage::{MediumKind, Method};

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
    /// How a store replaces it.
    pub method: Method,
    /// What was found.
    pub state: CopyState,
    /// Whether it is to lie in a regular file that is missing or empty: a repair makes it.
    pub unmade: bool,
    /// Why it could not be read.
    pub error: Option<String>,
    /// The flags byte of a readable copy of a redundant environment; a single copy has none.
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
    /// Whether a power cut during a store can't lose the environment: two copies, or one that is replaced by renaming
    /// its file or by the change of a UBI LEB.
    pub power_cut_safe: bool,
    /// Bytes of a copy, header included.
    pub size: usize,
    /// Bytes that the current copy's variables use, final NUL included.
    pub used: usize,
    /// Bytes that are left for variables.
    pub free: usize,
    /// How many variables there are.
    pub variables: usize,
    /// Why the configuration can be used for reading only, if so: see [`Store::storable`].
    pub read_only: Option<String>,
    /// What is odd in the configuration although it does no harm: see [`Store::remarks`].
    pub remarks: Vec<String>,
    /// What is odd about the current copy although its checksum is right.
    pub anomalies: Vec<Anomaly>,
    /// The copy whose replacement by the next store has a moment of danger: on NOR with ECC, a copy of another program
    /// that can't be made invalid before it is erased, while it holds other variables than the current one.
    pub exposed: Option<usize>,
}

impl Health {
    /// Every copy is valid, every reader takes the same one, and the next store is possible.
    pub fn is_healthy(&self) -> bool {
        self.readers_agree
            && self.read_only.is_none()
            && self.copies.iter().all(|c| matches!(c.state, CopyState::Valid { .. }))
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
                method: copy.method(),
                state: loaded.state,
                unmade: loaded.unmade,
                error: loaded.error.as_ref().map(ToString::to_string),
                flags: own.as_ref().and_then(Image::flags).filter(|_| loaded.state != CopyState::Single),
                same_data: own
                    .filter(|_| valid)
                    .zip(image.as_ref())
                    .map(|(own, current)| own.records().eq(current.records())),
            }
        });
        let left = store.once_unit().map_or(0, |unit| left_by(store.size(), unit));
        let capacity = store.size().saturating_sub(store.layout.header()).saturating_sub(left);
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
            read_only: store.storable().err().map(|error| error.to_string()),
            remarks: store.remarks().map(|(path, remark)| format!("{}: {remark}", path.display())).collect(),
            anomalies: env.anomalies().to_vec(),
            exposed: store.exposed(loaded),
        }
    }
}
