//! Bundles, and the key that signs them. Made once for each test program: keys take a while.

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use bootslot::update::bundle::container::{Signature, SignatureKind};
use bootslot::update::bundle::create::{create_against, sign, Compression};
use bootslot::update::bundle::manifest::Manifest;
use bootslot::update::source::FileSource;
use bootslot::update::Bundle;
use tempfile::TempDir;

/// What the devices of the tests are.
pub const COMPATIBLE: &str = "test-board";

pub struct Workshop {
    pub folder: TempDir,
    secret: minisign::SecretKey,
}

/// A bundle and its update id.
#[derive(Clone)]
pub struct Made {
    pub bytes: Vec<u8>,
    pub id: String,
    pub version: String,
}

pub fn workshop() -> &'static Workshop {
    static WORKSHOP: OnceLock<Workshop> = OnceLock::new();
    WORKSHOP.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let pair = minisign::KeyPair::generate_unencrypted_keypair().unwrap();
        fs::create_dir(folder.path().join("keys")).unwrap();
        fs::write(folder.path().join("keys/release.pub"), pair.pk.to_box().unwrap().into_string()).unwrap();
        Workshop { folder, secret: pair.sk }
    })
}

impl Workshop {
    pub fn keys(&self) -> PathBuf {
        self.folder.path().join("keys")
    }

    /// A bundle with this image for the root part.
    pub fn bundle(&self, version: &str, compatible: &str, image: &[u8]) -> Made {
        let folder = tempfile::tempdir().unwrap();
        let [raw, path] = ["root.img", "out.bundle"].map(|name| folder.path().join(name));
        fs::write(&raw, image).unwrap();
        let manifest = Manifest {
            compatible: compatible.into(),
            revisions: vec![],
            version: version.into(),
            floor: None,
            recovery: false,
            build: None,
            free: vec![],
            needs: Vec::new(),
            payloads: vec![],
        };
        let compression = Compression { level: 3, average: Some(4096), ..Compression::default() };
        create_against(&path, manifest, &[("root".into(), raw)], &[], compression, &mut |_| {}).unwrap();
        let open = || Bundle::inspect(Box::new(FileSource::open(&path).unwrap())).unwrap();
        let manifest = open().manifest_bytes;
        let signed = minisign::sign(None, &self.secret, &manifest[..], None, None).unwrap();
        let signature = Signature { kind: SignatureKind::Minisign, bytes: signed.into_string().into_bytes() };
        sign(&path, &manifest, &[signature]).unwrap();
        Made { bytes: fs::read(&path).unwrap(), id: open().id(), version: version.into() }
    }
}

/// Bytes that can't be compressed much.
pub fn random(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..len).map(|_| next()).collect()
}
