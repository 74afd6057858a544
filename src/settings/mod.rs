//! What the tools have to know about a board: its slots, and where its boot state lies.
//!
//! The defaults fit an A/B device with `/etc/fw_env.config`, and need no file; with the feature `settings`
//! a file is read.

#[cfg(feature = "app")]
mod app;
#[cfg(feature = "settings")]
mod counter;
#[cfg(feature = "settings")]
mod dialect;
#[cfg(feature = "settings")]
mod duration;
#[cfg(feature = "settings")]
mod file;
#[cfg(feature = "health")]
pub mod health;
#[cfg(feature = "health")]
mod health_file;
#[cfg(feature = "bootloader")]
mod loader;
#[cfg(feature = "health")]
mod migrate;
#[cfg(feature = "health")]
mod report;
#[cfg(feature = "settings")]
mod update;
#[cfg(feature = "settings")]
mod wrong;

#[cfg(feature = "app")]
pub use app::{App, DEFAULT_KEEP, DEFAULT_ROOT, DEFAULT_SERVICE_LIMIT, DEFAULT_TRIES};
#[cfg(feature = "bootloader")]
pub use loader::{BootLoader, LoaderCopy, LoaderScheme, DEFAULT_HEADER, DEFAULT_LOADER_KEYS};
#[cfg(feature = "health")]
pub use migrate::{wrong_path, Migrate, DEFAULT_LOCK, DEFAULT_STEPS, DEFAULT_STEP_LIMIT, DEFAULT_SYSTEM};
#[cfg(feature = "health")]
pub use report::{Report, DEFAULT_HOOKS};
#[cfg(feature = "health")]
pub(crate) use wrong::read_toml;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::bootcount::Source;
use crate::slot::dialect::Dialect;
use crate::slot::{Board, Name, Reader, Script};

/// Where the file of settings is.
pub const DEFAULT_SETTINGS: &str = "/etc/bootslot/bootslot.toml";

/// Where systems keep the certificates that they trust: Debian, Yocto and Buildroot; Fedora; Alpine and OpenWrt.
pub const SYSTEM_CA: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// Where the keys of those who sign bundles are.
pub const DEFAULT_KEYS: &str = "/etc/bootslot/keys";

/// Everything that the tools have to know about a board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// What U-Boot has compiled in.
    pub board: Board,
    /// How the boot state is written as variables.
    pub dialect: Dialect,
    /// The boot code that reads them, where it is named: then it is taken to be there. `None`: the first one of
    /// [`Dialect::readers`].
    pub reader: Option<Reader>,
    /// The device or file that each slot's system is on, of the slots for which it is known.
    pub devices: BTreeMap<Name, PathBuf>,
    /// The device or file of each further part of a slot, by slot and name of the part.
    pub parts: BTreeMap<(Name, String), PathBuf>,
    /// What updates have to know.
    pub update: Update,
    /// What a system on trial has to pass.
    #[cfg(feature = "health")]
    pub health: health::Health,
    /// Who hears what became of an update.
    #[cfg(feature = "health")]
    pub report: Report,
    /// The folders whose data have a version.
    #[cfg(feature = "health")]
    pub migrate: Migrate,
    /// The applications beside the system.
    #[cfg(feature = "app")]
    pub apps: Vec<App>,
    /// The copies of the boot loader; `None`: the board has no scheme for it, and gets no boot loader.
    #[cfg(feature = "bootloader")]
    pub loader: Option<BootLoader>,
    /// The configuration of the environment; `None`: see
    /// [`find_environment`](crate::config::find_environment).
    pub env_config: Option<PathBuf>,
    /// Which environment of it; `None`: see [`find_environment`](crate::config::find_environment).
    pub env_namespace: Option<String>,
    /// Whether the slots were named: what `boot_slots` says otherwise is then a contradiction.
    pub slots_named: bool,
    /// The version of the boot script; `None`: by the kernel's command line and the stored environment.
    pub script: Option<Script>,
    /// Where U-Boot's boot counter is; `None`: see [`bootcount::find`](crate::bootcount::find).
    pub bootcount: Option<Source>,
    /// The slot that runs, where the caller knows it; `None`: by `bootslot.slot=` in `cmdline` and
    /// the device of `/`.
    pub running: Option<Name>,
    /// The folder of what is kept beside the environment, such as the journal; `None`: nothing is kept.
    pub state: Option<PathBuf>,
    /// The kernel's command line.
    pub cmdline: PathBuf,
    /// The id of this boot, as the kernel made it.
    pub boot_id: PathBuf,
    /// What the running system says of itself (os-release(5)).
    pub os_release: PathBuf,
    /// The table of mounts, which tells the device of `/`.
    pub mountinfo: PathBuf,
    /// Where sysfs is, which tells what lies below a device.
    pub sysfs: PathBuf,
}

/// What updates have to know of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// What the device is; a bundle that fits says the same.
    pub compatible: Option<String>,
    /// The revision of its hardware.
    pub revision: Option<String>,
    /// The folder of the keys that are trusted.
    pub keys: PathBuf,
    /// What the certificates of signers have to be.
    pub certificates: Certificates,
    /// The file that holds the lowest version that is installed, beside the environment; `None`: there is none.
    pub floor: Option<PathBuf>,
    /// Whether no other slot boots any more once one is confirmed, until something is installed to it.
    pub prevent_late_fallback: bool,
    /// What is refused once an update has failed here.
    pub refuse: Refuse,
    /// How often an update may be installed again that failed through no fault of its own.
    pub retries: u32,
    /// How long after the failure, in seconds, each time.
    pub retry_after: u64,
}

/// What is refused once an update has failed on a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Refuse {
    /// The very same bundle, by the hash of its manifest.
    #[default]
    Update,
    /// Every bundle of its version, too.
    Version,
}

/// What a certificate has to be, beside issued by a CA that is trusted and not revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Certificates {
    /// What it was issued for.
    pub purpose: Purpose,
    /// When it has to be valid.
    pub time: CertificateTime,
}

/// What a certificate was issued for, by its extended key usage (RFC 5280, 4.2.1.12).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Purpose {
    /// It names `codeSigning`.
    #[default]
    CodeSigning,
    /// It names `emailProtection`, or nothing: what OpenSSL asks of the signer of a CMS message.
    Email,
    /// Whatever it names.
    Any,
}

/// When a certificate and the lists of those that were revoked have to be valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CertificateTime {
    /// Now, by the clock of the device.
    #[default]
    Clock,
    /// At this time, in seconds since 1970.
    At(i64),
    /// That is not asked, for devices that do not know the time.
    Ignored,
}

impl Default for Update {
    fn default() -> Self {
        Update {
            compatible: None,
            revision: None,
            keys: Path::new(DEFAULT_KEYS).into(),
            certificates: Certificates::default(),
            floor: None,
            prevent_late_fallback: false,
            refuse: Refuse::default(),
            retries: 0,
            retry_after: 60 * 60,
        }
    }
}

/// The part of a slot that [`Settings::devices`] names.
pub const ROOT_PART: &str = "root";

impl Settings {
    /// The device or file of a part of a slot.
    pub fn part(&self, slot: &Name, part: &str) -> Option<&Path> {
        let device = self.devices.get(slot).filter(|_| part == ROOT_PART);
        device.or_else(|| self.parts.get(&(slot.clone(), part.to_owned()))).map(PathBuf::as_path)
    }

    /// The board, if U-Boot has this version of the boot script, with the boot code that reads its variables.
    pub fn board(&self, script: Script) -> Board {
        let reader = self.reader.or(self.dialect.readers().first().copied()).unwrap_or_default();
        Board { script, reader, ..self.board.clone() }
    }

    /// Means the environment that is given instead of the settings' own. A namespace belongs to the
    /// configuration that it is in: another configuration does not keep it.
    pub fn choose_environment(&mut self, config: Option<PathBuf>, namespace: Option<String>) {
        if config.is_some() {
            self.env_config = config;
            self.env_namespace = None;
        }
        if namespace.is_some() {
            self.env_namespace = namespace;
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            board: Board::default(),
            dialect: Dialect::default(),
            reader: None,
            devices: BTreeMap::new(),
            parts: BTreeMap::new(),
            update: Update::default(),
            #[cfg(feature = "health")]
            health: health::Health::default(),
            #[cfg(feature = "health")]
            report: Report::default(),
            #[cfg(feature = "health")]
            migrate: Migrate::default(),
            #[cfg(feature = "app")]
            apps: Vec::new(),
            #[cfg(feature = "bootloader")]
            loader: None,
            env_config: None,
            env_namespace: None,
            bootcount: None,
            slots_named: false,
            script: None,
            running: None,
            state: None,
            cmdline: Path::new("/proc/cmdline").into(),
            boot_id: Path::new("/proc/sys/kernel/random/boot_id").into(),
            os_release: Path::new("/etc/os-release").into(),
            mountinfo: Path::new("/proc/self/mountinfo").into(),
            sysfs: Path::new("/sys").into(),
        }
    }
}
