//! The section `[bootloader]` of the settings: where the copies of the boot loader are, and who chooses between them.
//!
//! A board has exactly two copies. One that has no such section has no scheme, and gets no boot loader.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use super::wrong::{path, wrong, Wrong};

/// Where the keys are that are trusted with the boot loader, unless the settings say otherwise.
pub const DEFAULT_LOADER_KEYS: &str = "/etc/bootslot/bootloader-keys";

/// How many bytes of a copy are written last, unless the settings say otherwise: one sector of a disk.
pub const DEFAULT_HEADER: u64 = 512;

/// What is written at once has to be a multiple of this, so that a header is whole sectors.
const SECTOR: u64 = 512;

/// The largest copy: it is held in memory while it is written.
const LARGEST_COPY: u64 = 64 << 20;

/// The copies of the boot loader, and who chooses between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootLoader {
    /// Who chooses.
    pub scheme: LoaderScheme,
    /// The folder of the keys that are trusted with the boot loader.
    pub keys: PathBuf,
    /// The first bytes of a copy, without which the ROM does not take it: they are written last.
    pub header: u64,
    /// The file that holds the name of the copy that booted. `None`: the kernel's command line has it.
    pub booted_file: Option<PathBuf>,
    /// The two copies.
    pub copies: Vec<LoaderCopy>,
}

/// Who chooses the copy that boots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoaderScheme {
    /// The ROM, or a first stage that never changes: it takes the newest copy that is whole.
    Newest,
    /// The register `PARTITION_CONFIG` of this eMMC: its first boot partition is the first copy, its second one the second.
    Emmc(PathBuf),
    /// A program of the board, which gets the name of the copy that is to boot from now on as its last argument.
    Select(Vec<String>),
}

/// One place for a boot loader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoaderCopy {
    /// What it is called: 1 to 16 of `[A-Za-z0-9_-]`.
    pub name: String,
    /// The file or device.
    pub device: PathBuf,
    /// Where it starts there, in bytes.
    pub offset: u64,
    /// How many bytes it may have.
    pub size: u64,
}

impl LoaderCopy {
    /// Whether they have bytes in common, as far as the paths tell.
    fn overlaps(&self, other: &LoaderCopy) -> bool {
        self.device == other.device
            && self.offset < other.offset.saturating_add(other.size)
            && other.offset < self.offset.saturating_add(self.size)
    }
}

/// The section as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Section {
    scheme: Spanned<Word>,
    emmc: Option<Spanned<PathBuf>>,
    select: Option<Spanned<Vec<String>>>,
    keys: Option<Spanned<PathBuf>>,
    header: Option<Spanned<u64>>,
    booted_file: Option<Spanned<PathBuf>>,
    copy: Spanned<Vec<CopySection>>,
}

#[derive(Deserialize, Clone, Copy, PartialEq)]
#[serde(rename_all = "kebab-case")]
enum Word {
    Newest,
    Emmc,
    Select,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CopySection {
    name: Spanned<String>,
    device: Spanned<PathBuf>,
    #[serde(default)]
    offset: u64,
    size: Spanned<u64>,
}

impl Section {
    /// What it says. `taken` are the devices of the slots.
    pub fn loader<'t>(self, taken: impl Iterator<Item = &'t PathBuf>) -> Result<BootLoader, Wrong> {
        let scheme = self.scheme()?;
        let header = self.header.as_ref().map_or(DEFAULT_HEADER, |header| *header.get_ref());
        if let Some(place) = self.header.as_ref().filter(|_| header == 0 || header % SECTOR != 0) {
            return Err(wrong(place, format!("a header is a multiple of {SECTOR} bytes")));
        }
        let taken: BTreeSet<&Path> = taken.map(PathBuf::as_path).collect();
        let at = self.copy.span().start;
        let mut copies: Vec<LoaderCopy> = Vec::new();
        for section in self.copy.into_inner() {
            let place = section.device.clone();
            let copy = section.copy(header)?;
            if copies.iter().any(|other| other.name == copy.name) {
                return Err(wrong(&place, format!("copy {:?} is given twice", copy.name)));
            }
            if let Some(other) = copies.iter().find(|other| other.overlaps(&copy)) {
                return Err(wrong(&place, format!("copy {:?} lies over copy {:?}", copy.name, other.name)));
            }
            if taken.contains(copy.device.as_path()) {
                return Err(wrong(&place, format!("{} is the device of a slot", copy.device.display())));
            }
            copies.push(copy);
        }
        if copies.len() != 2 {
            return Err((
                at,
                "there are two copies of a boot loader: one boots, the other one is written".into(),
            ));
        }
        Ok(BootLoader {
            scheme,
            keys: self.keys.map(path).transpose()?.unwrap_or_else(|| DEFAULT_LOADER_KEYS.into()),
            header,
            booted_file: self.booted_file.map(path).transpose()?,
            copies,
        })
    }

    fn scheme(&self) -> Result<LoaderScheme, Wrong> {
        let of_another = |key: &str| format!("`{key}` belongs to the scheme {key:?}");
        match (self.scheme.get_ref(), &self.emmc, &self.select) {
            (Word::Newest, None, None) => Ok(LoaderScheme::Newest),
            (Word::Emmc, Some(emmc), None) => Ok(LoaderScheme::Emmc(path(emmc.clone())?)),
            (Word::Select, None, Some(select)) => match select.get_ref().first() {
                Some(program) if !program.is_empty() => Ok(LoaderScheme::Select(select.get_ref().clone())),
                _ => Err(wrong(select, "the command is empty".into())),
            },
            (Word::Emmc, None, _) => {
                Err(wrong(&self.scheme, "the scheme \"emmc\" needs `emmc`, the eMMC".into()))
            }
            (Word::Select, _, None) => {
                Err(wrong(&self.scheme, "the scheme \"select\" needs `select`, a command".into()))
            }
            (_, Some(emmc), _) if *self.scheme.get_ref() != Word::Emmc => {
                Err(wrong(emmc, of_another("emmc")))
            }
            (_, _, Some(select)) => Err(wrong(select, of_another("select"))),
            (_, Some(emmc), _) => Err(wrong(emmc, of_another("emmc"))),
        }
    }
}

impl CopySection {
    fn copy(self, header: u64) -> Result<LoaderCopy, Wrong> {
        let name = self.name.get_ref().clone();
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
        if !(1..=16).contains(&name.len()) || !name.bytes().all(legal) {
            let rule = "1 to 16 characters of [A-Za-z0-9_-]";
            return Err(wrong(&self.name, format!("{name:?} can't be the name of a copy: {rule}")));
        }
        let size = *self.size.get_ref();
        if size <= header || size > LARGEST_COPY {
            return Err(wrong(
                &self.size,
                format!("a copy is larger than its header, and {LARGEST_COPY} at most"),
            ));
        }
        if self.offset % SECTOR != 0 || size % SECTOR != 0 {
            return Err(wrong(&self.size, format!("offset and size are multiples of {SECTOR} bytes")));
        }
        if self.offset.checked_add(size).is_none() {
            return Err(wrong(&self.size, "no device is as large".into()));
        }
        Ok(LoaderCopy { name, device: path(self.device)?, offset: self.offset, size })
    }
}
