//! Bundles: one file with the images of an update, and with what proves that they are the right ones.
//!
//! | file | job |
//! |---|---|
//! | `container.rs` | the file from its first byte to its last |
//! | `manifest.rs` | what is signed: for whom, which version, which images |
//! | `application.rs` | the same of applications |
//! | `kind.rs` | the kinds of payloads; what is said of a boot loader |
//! | `signature.rs` | who signed it |
//! | `cms.rs` | who signed it with a certificate (feature `cms`) |
//! | `table.rs` | the chunks of an image and their hashes |
//! | `frame.rs` | one chunk, compressed |
//! | `create.rs` | images -> bundle (feature `bundle`) |
//! | `press.rs` | a stretch of an image -> the frames of its chunks |
//! | `sequences.rs` | which copies a zstd frame consists of |
//! | `patch.rs` | an image and an older one -> a patch |
//! | `compare.rs` | what the two have in common |
//! | `chunker.rs` | where an image is cut into chunks |
//!
//! The chain of trust: a key signs the manifest, the manifest has the hash of each table, a table has the hash of each
//! chunk, and a chunk is compared with its hash before it is written.

pub mod application;
pub(super) mod chunker;
#[cfg(feature = "cms")]
pub mod cms;
#[cfg(feature = "bundle")]
mod compare;
pub mod container;
#[cfg(feature = "bundle")]
pub mod create;
pub(super) mod frame;
pub mod kind;
pub mod manifest;
#[cfg(feature = "bundle")]
mod patch;
#[cfg(feature = "bundle")]
mod press;
#[cfg(feature = "bundle")]
mod sequences;
pub mod signature;
pub mod table;

use sha2::{Digest as _, Sha256};

pub use crate::version;

use super::error::{Result, UpdateError};
use super::source::Source;
use container::{Head, Position, Signature};
use manifest::{hex, Manifest, Payload};
use signature::{Keyring, Signer};
use table::{Digest, Table};

/// The SHA-256 of some bytes.
pub fn sha256(bytes: &[u8]) -> Digest {
    Sha256::digest(bytes).into()
}

/// The SHA-256 of a whole image, of which the zeros need not be at hand.
#[derive(Default)]
pub(super) struct WholeHash(Sha256);

impl WholeHash {
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(super) fn zeros(&mut self, mut count: u64) {
        const ZEROS: [u8; 4096] = [0; 4096];
        while count > 0 {
            let piece = ZEROS.get(..count.min(ZEROS.len() as u64) as usize).unwrap_or_default();
            self.0.update(piece);
            count -= piece.len() as u64;
        }
    }

    pub(super) fn finish(self) -> Digest {
        self.0.finalize().into()
    }
}

/// A bundle of which the manifest has been read.
pub struct Bundle {
    /// Where it comes from.
    pub source: Box<dyn Source>,
    /// What it says of itself.
    pub manifest: Manifest,
    /// The manifest's bytes, as they were signed.
    pub manifest_bytes: Vec<u8>,
    /// Its signatures.
    pub signatures: Vec<Signature>,
    /// Who signed it; `None` only after [`Bundle::inspect`].
    pub signer: Option<Signer>,
    positions: Vec<Position>,
    end: u64,
}

impl Bundle {
    /// Reads the manifest and believes it only if a trusted key has signed it.
    ///
    /// # Errors
    ///
    /// [`UpdateError::Read`], [`UpdateError::Format`], [`UpdateError::Untrusted`].
    pub fn open(source: Box<dyn Source>, keys: &Keyring) -> Result<Bundle> {
        Bundle::read(source, |manifest, signatures| Ok(Some(keys.verify(manifest, signatures)?)))
    }

    /// Reads the manifest of a bundle that may be anybody's: to show it, not to install it.
    ///
    /// # Errors
    ///
    /// [`UpdateError::Read`], [`UpdateError::Format`].
    pub fn inspect(source: Box<dyn Source>) -> Result<Bundle> {
        Bundle::read(source, |_, _| Ok(None))
    }

    fn read(
        mut source: Box<dyn Source>,
        verify: impl FnOnce(&[u8], &[Signature]) -> Result<Option<Signer>>,
    ) -> Result<Bundle> {
        let format = |reason: &str| UpdateError::Format(reason.to_owned());
        let mut bytes = [0; container::HEAD];
        source.fetch(0, &mut bytes)?;
        let head = Head::parse(&bytes).map_err(format)?;
        let mut manifest_bytes = vec![0; head.manifest as usize];
        source.fetch(container::HEAD as u64, &mut manifest_bytes)?;
        let mut signatures = vec![0; head.signatures as usize];
        source.fetch(container::HEAD as u64 + u64::from(head.manifest), &mut signatures)?;
        let signatures = container::signatures(&signatures).map_err(format)?;
        let signer = verify(&manifest_bytes, &signatures)?;
        let manifest =
            Manifest::parse(&manifest_bytes).map_err(|reason| format(&format!("its manifest: {reason}")))?;
        let (positions, end) = container::positions(head, &manifest);
        if let Some(len) = source.len().filter(|len| *len != end) {
            return Err(UpdateError::Format(format!("it has {len} bytes, and should have {end}")));
        }
        Ok(Bundle { source, manifest, manifest_bytes, signatures, signer, positions, end })
    }

    /// The update id: the first 16 hexadecimal digits of the manifest's SHA-256.
    pub fn id(&self) -> String {
        let digest = sha256(&self.manifest_bytes);
        hex(digest.get(..8).unwrap_or_default())
    }

    /// Bytes of the whole bundle.
    pub fn size(&self) -> u64 {
        self.end
    }

    /// The payloads with their places.
    pub fn payloads(&self) -> impl Iterator<Item = (&Payload, Position)> {
        self.manifest.payloads.iter().zip(self.positions.iter().copied())
    }

    /// Reads and verifies all tables, in the order of the payloads.
    ///
    /// # Errors
    ///
    /// [`UpdateError::Read`], and [`UpdateError::Format`] for a table that is not the one that was signed.
    pub fn tables(&mut self) -> Result<Vec<Table>> {
        let mut tables = Vec::new();
        for (payload, position) in self.manifest.payloads.iter().zip(&self.positions) {
            // The manifest has limited it.
            let mut bytes = vec![0; payload.table as usize];
            self.source.fetch(position.table, &mut bytes)?;
            let wrong =
                |reason: &str| UpdateError::Format(format!("the table of {}: {reason}", payload.part));
            if sha256(&bytes) != payload.table_sha256 {
                return Err(wrong("it is not the one that was signed"));
            }
            tables.push(Table::parse(bytes, &payload.expected()).map_err(|reason| wrong(&reason))?);
        }
        Ok(tables)
    }
}
