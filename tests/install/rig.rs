//! A simulated device with two slots of two parts, and bundles for it.

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::OnceLock;

use bootslot::device::Device;
use bootslot::env::image::{encode, Layout};
use bootslot::env::Environment;
use bootslot::settings::Settings;
use bootslot::slot::{Name, Script, State};
use bootslot::storage::region::{RegionCopy, RegionSpec};
use bootslot::storage::sim::{Board, SimMedium};
use bootslot::storage::EnvCopy;
use bootslot::store::{LockPath, Store, StoreOptions};
use bootslot::update::bundle::container::{Signature, SignatureKind};
use bootslot::update::bundle::create::{create_against, sign, Compression};
use bootslot::update::bundle::manifest::Manifest;
use bootslot::update::bundle::signature::Keyring;
use bootslot::update::source::{FileSource, Source};
use bootslot::update::target::{Part, Parts};
use bootslot::update::{install, Bundle, Installed, Options, Result, UpdateError};
use tempfile::TempDir;

const ENV_SIZE: usize = 1024;
pub const SLOT_SIZE: usize = 96 << 10;

pub fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

/// Bytes that look like those of a system: words of which some come again, and no run of zeros.
pub fn content(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut bytes = Vec::new();
    while bytes.len() < len {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        bytes.extend(format!("word{} ", (state >> 33) % 5000).bytes());
    }
    bytes.truncate(len);
    bytes
}

/// A folder with a key that is trusted, and bundles.
pub struct Workshop {
    pub folder: TempDir,
    secret: minisign::SecretKey,
}

/// The keys of the tests, made once: they take a while.
pub fn workshop() -> &'static Workshop {
    static WORKSHOP: OnceLock<Workshop> = OnceLock::new();
    WORKSHOP.get_or_init(Workshop::new)
}

impl Workshop {
    pub fn new() -> Workshop {
        let folder = tempfile::tempdir().unwrap();
        let pair = minisign::KeyPair::generate_unencrypted_keypair().unwrap();
        fs::create_dir(folder.path().join("keys")).unwrap();
        fs::write(folder.path().join("keys/release.pub"), pair.pk.to_box().unwrap().into_string()).unwrap();
        Workshop { folder, secret: pair.sk }
    }

    pub fn keys(&self) -> Keyring {
        Keyring::load(self.folder.path().join("keys")).unwrap()
    }

    /// Makes a bundle of these images, not signed.
    pub fn unsigned(&self, file: &str, manifest: Manifest, images: &[(&str, &[u8])]) -> PathBuf {
        self.unsigned_against(file, manifest, images, &[])
    }

    fn unsigned_against(
        &self,
        file: &str,
        manifest: Manifest,
        images: &[(&str, &[u8])],
        old: &[(&str, &[u8])],
    ) -> PathBuf {
        let folder = self.folder.path();
        let files = |end: &str, images: &[(&str, &[u8])]| -> Vec<(String, PathBuf)> {
            let paths = images.iter().map(|(part, bytes)| {
                let path = folder.join(format!("{file}.{part}.{end}"));
                fs::write(&path, bytes).unwrap();
                (part.to_string(), path)
            });
            paths.collect()
        };
        let out = folder.join(file);
        let compression = Compression { level: 3, average: Some(4096), ..Compression::default() };
        let (images, old) = (files("img", images), files("old", old));
        create_against(&out, manifest, &images, &old, compression, &mut |_| {}).unwrap();
        out
    }

    pub fn signature(&self, manifest: &[u8]) -> Signature {
        let signed = minisign::sign(None, &self.secret, manifest, Some("of the tests"), None).unwrap();
        Signature { kind: SignatureKind::Minisign, bytes: signed.into_string().into_bytes() }
    }

    /// Makes a bundle of these images and signs it.
    pub fn bundle(&self, file: &str, images: &[(&str, &[u8])]) -> PathBuf {
        self.patch(file, images, &[])
    }

    /// The same, of the parts that have an old image as a patch.
    pub fn patch(&self, file: &str, images: &[(&str, &[u8])], old: &[(&str, &[u8])]) -> PathBuf {
        let path = self.unsigned_against(file, manifest("1.0"), images, old);
        let bundle = Bundle::inspect(source(&path)).unwrap();
        sign(&path, &bundle.manifest_bytes, &[self.signature(&bundle.manifest_bytes)]).unwrap();
        path
    }
}

pub fn manifest(version: &str) -> Manifest {
    Manifest {
        compatible: "test-board".into(),
        revisions: vec![],
        version: version.into(),
        floor: None,
        recovery: false,
        build: None,
        free: vec![],
        needs: Vec::new(),
        payloads: vec![],
    }
}

pub fn source(path: &std::path::Path) -> Box<dyn Source> {
    Box::new(FileSource::open(path).unwrap())
}

/// A device on which A runs, confirmed, and B is empty.
#[derive(Clone)]
pub struct Rig {
    pub board: Board,
    env: SimMedium,
    pub media: BTreeMap<(Name, &'static str), SimMedium>,
    pub settings: Settings,
}

impl Rig {
    /// Each part is a block device.
    pub fn new() -> Rig {
        Rig::with_slots_of(SLOT_SIZE)
    }

    pub fn with_slots_of(size: usize) -> Rig {
        Rig::on(|board| board.block(size))
    }

    /// Each part is such a medium.
    pub fn on(medium: impl Fn(&Board) -> SimMedium) -> Rig {
        let board = Board::new();
        let env = board.block(8192);
        let records = ["bootcmd=run bootslot", "active_slot=A", "boot_success=1", "slot_A=good"];
        let variables = Environment::from_records(records.map(str::as_bytes));
        env.preload(512, &encode(&variables, Layout::Redundant, ENV_SIZE, 1, 0).unwrap());
        let mut media = BTreeMap::new();
        for slot in ["A", "B"] {
            for part in ["boot", "root"] {
                media.insert((name(slot), part), medium(&board));
            }
        }
        let update =
            bootslot::settings::Update { compatible: Some("test-board".into()), ..Default::default() };
        let settings =
            Settings { running: Some(name("A")), script: Some(Script::V2), update, ..Settings::default() };
        Rig { board, env, media, settings }
    }

    pub fn fork(&self) -> Rig {
        let board = self.board.fork();
        let media = self.media.iter().map(|(key, medium)| (key.clone(), medium.on(&board))).collect();
        Rig { env: self.env.on(&board), media, settings: self.settings.clone(), board }
    }

    pub fn part(&self, slot: &str, part: &'static str) -> &SimMedium {
        &self.media[&(name(slot), part)]
    }

    pub fn device(&self) -> Device {
        let copies: Vec<Box<dyn EnvCopy>> = [512, 4096]
            .map(|offset| {
                let spec = RegionSpec {
                    offset,
                    size: ENV_SIZE as u64,
                    sector_size: 0,
                    sectors: 0,
                    limit: u64::MAX,
                    disable_lock: false,
                };
                let medium = Box::new(self.env.clone());
                Box::new(RegionCopy::new(medium, "/dev/env", self.env.geometry(), spec).unwrap())
                    as Box<dyn EnvCopy>
            })
            .into();
        let options = StoreOptions { lock: Some(LockPath::None), ..StoreOptions::default() };
        Device::with_store(&self.settings, Store::from_copies(copies, options).unwrap())
    }

    pub fn state(&self) -> State {
        self.device().state().unwrap()
    }

    pub fn install(&self, bundle: Box<dyn Source>) -> Result<Installed> {
        self.install_with(bundle, &Options::default())
    }

    pub fn install_with(&self, bundle: Box<dyn Source>, options: &Options) -> Result<Installed> {
        let bundle = Bundle::open(bundle, &workshop().keys())?;
        install(&mut self.device(), bundle, self, options, &mut |_| ControlFlow::Continue(()))
    }
}

impl Parts for Rig {
    fn open(&self, slot: &Name, part: &str) -> Result<Part> {
        let found = self.media.iter().find(|((s, p), _)| s == slot && *p == part);
        let (_, medium) = found.ok_or_else(|| UpdateError::DoesNotFit(format!("no part {part}")))?;
        Ok(Part {
            name: part.into(),
            path: format!("/dev/{slot}-{part}").into(),
            opener: Box::new(medium.clone()),
            claim: None,
        })
    }

    fn look_at(&self, slot: &Name, part: &str) -> Option<Part> {
        self.open(slot, part).ok()
    }
}
