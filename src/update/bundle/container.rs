//! Pure: the bundle as a file, from its first byte to its last.
//!
//! ```text
//!  head                  magic (8) | manifest's length (4) | signatures' length (4)     little-endian
//!  manifest              what is signed
//!  signatures            each: kind (1) | 0 0 0 | length (4) | bytes
//!  table of payload 1    its hash is in the manifest
//!  table of payload 2 ...
//!  data of payload 1     each chunk's hash is in the table
//!  data of payload 2 ...
//! ```
//!
//! Whoever reads it from the front needs nothing twice, and whoever reads ranges knows all places once the manifest is
//! verified. What is not verified is not looked at further than its length.

use super::manifest::{Manifest, Payload};

/// The first bytes of each bundle. A transfer that changes line ends or cuts the high bit damages them.
pub const MAGIC: [u8; 8] = *b"\x89bslot\r\n";

/// Bytes of the head.
pub const HEAD: usize = 16;

/// The longest manifest and the longest signatures that are read.
pub const LONGEST_MANIFEST: u32 = 256 << 10;
/// See [`LONGEST_MANIFEST`].
pub const LONGEST_SIGNATURES: u32 = 256 << 10;

/// What a signature is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignatureKind {
    /// A file of minisign.
    Minisign,
    /// A CMS structure without the content, in DER.
    Cms,
    /// Something that a newer program knows: it is passed over, and kept.
    Other(u8),
}

/// A signature of the manifest, not verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// What it is.
    pub kind: SignatureKind,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// The lengths in the head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Bytes of the manifest.
    pub manifest: u32,
    /// Bytes of the signatures.
    pub signatures: u32,
}

impl Head {
    /// Reads the head.
    ///
    /// Errors: why this is no bundle, as a phrase.
    pub fn parse(bytes: &[u8; HEAD]) -> Result<Head, &'static str> {
        let [magic @ .., a, b, c, d, e, f, g, h] = bytes;
        if magic != &MAGIC {
            return Err("it does not start as a bundle does");
        }
        let manifest = u32::from_le_bytes([*a, *b, *c, *d]);
        let signatures = u32::from_le_bytes([*e, *f, *g, *h]);
        if manifest == 0 || manifest > LONGEST_MANIFEST {
            return Err("its manifest has no possible length");
        }
        if signatures > LONGEST_SIGNATURES {
            return Err("its signatures have no possible length");
        }
        Ok(Head { manifest, signatures })
    }

    /// The head's bytes.
    pub fn to_bytes(self) -> [u8; HEAD] {
        let mut bytes = [0; HEAD];
        let parts = MAGIC.into_iter().chain(self.manifest.to_le_bytes()).chain(self.signatures.to_le_bytes());
        bytes.iter_mut().zip(parts).for_each(|(byte, part)| *byte = part);
        bytes
    }

    /// Where the first table starts.
    pub fn end(self) -> u64 {
        HEAD as u64 + u64::from(self.manifest) + u64::from(self.signatures)
    }
}

/// Takes the signatures apart.
///
/// Errors: why these are no signatures, as a phrase.
pub fn signatures(mut bytes: &[u8]) -> Result<Vec<Signature>, &'static str> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let cut = "the signatures end in one";
        let (head, rest) = bytes.split_first_chunk::<8>().ok_or(cut)?;
        let [kind, 0, 0, 0, length @ ..] = head else { return Err("a signature has an unknown head") };
        let len = u32::from_le_bytes(*length) as usize;
        let (signature, rest) = rest.split_at_checked(len).ok_or(cut)?;
        bytes = rest;
        let kind = match kind {
            1 => SignatureKind::Minisign,
            2 => SignatureKind::Cms,
            other => SignatureKind::Other(*other),
        };
        all.push(Signature { kind, bytes: signature.to_vec() });
    }
    Ok(all)
}

/// The signatures' bytes.
pub fn signatures_to_bytes(signatures: &[Signature]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for signature in signatures {
        let kind = match signature.kind {
            SignatureKind::Minisign => 1,
            SignatureKind::Cms => 2,
            SignatureKind::Other(kind) => kind,
        };
        bytes.extend([kind, 0, 0, 0]);
        bytes.extend((signature.bytes.len() as u32).to_le_bytes());
        bytes.extend(&signature.bytes);
    }
    bytes
}

/// Where a payload's two parts start in the bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Its table.
    pub table: u64,
    /// Its data.
    pub data: u64,
}

/// Where each payload's table and data start, and where the bundle ends.
pub fn positions(head: Head, manifest: &Manifest) -> (Vec<Position>, u64) {
    // The manifest's limits let no sum overflow.
    let place = |at: &mut u64, len: u64| {
        let start = *at;
        *at = at.saturating_add(len);
        start
    };
    let mut at = head.end();
    let tables: Vec<u64> =
        manifest.payloads.iter().map(|payload: &Payload| place(&mut at, payload.table)).collect();
    let positions = manifest.payloads.iter().zip(tables);
    let positions =
        positions.map(|(payload, table)| Position { table, data: place(&mut at, payload.data) }).collect();
    (positions, at)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    #[test]
    fn the_head_has_limits() {
        let head = Head { manifest: 1, signatures: LONGEST_SIGNATURES };
        assert_eq!(Head::parse(&head.to_bytes()).unwrap(), head);
        assert_eq!(head.end(), 17 + (256 << 10));
        let bad = [
            Head { manifest: 0, ..head },
            Head { manifest: LONGEST_MANIFEST + 1, ..head },
            Head { signatures: LONGEST_SIGNATURES + 1, ..head },
            Head { signatures: u32::MAX, ..head },
        ];
        for head in bad {
            assert!(Head::parse(&head.to_bytes()).is_err(), "{head:?}");
        }
        for at in 0..8 {
            let mut bytes = head.to_bytes();
            bytes[at] ^= 1;
            assert!(Head::parse(&bytes).is_err());
        }
    }

    #[test]
    fn signatures_are_told_apart() {
        let given = vec![
            Signature { kind: SignatureKind::Minisign, bytes: b"text".to_vec() },
            Signature { kind: SignatureKind::Cms, bytes: vec![] },
            Signature { kind: SignatureKind::Other(9), bytes: vec![7, 7] },
        ];
        let bytes = signatures_to_bytes(&given);
        assert_eq!(signatures(&bytes).unwrap(), given);
        assert_eq!(signatures(&[]).unwrap(), []);
        for cut in 1..bytes.len() {
            let ends = cut == 12 || cut == 20;
            assert_eq!(signatures(&bytes[..cut]).is_ok(), ends, "cut at {cut}");
        }
        assert!(signatures(&[1, 0, 1, 0, 0, 0, 0, 0]).is_err());
        assert!(signatures(&[1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]).is_err());
    }
}
