//! Pure: the manifest, the part of a bundle that is signed. It is TOML.
//!
//! ```toml
//! bundle = 1
//! compatible = "acme-gateway"
//! revisions = ["1.0", "1.1"]
//! version = "2.3.1"
//! floor = "2.2.0"
//! recovery = true
//! build = "acme-image 2026-11-20"
//!
//! [[free]]
//! path = "/data"
//! bytes = 10000000
//!
//! [[payload]]
//! part = "root"
//! size = 536870912
//! sha256 = "..."
//! average = 8192
//! window = 65536
//! largest = 32768
//! chunks = 65536
//! data = 161234567
//! table = 2411724
//! table-sha256 = "..."
//! against = { size = 536870912, sha256 = "..." }
//! ```
//!
//! `against` makes a patch of an image: much of it is in the image that the running slot has, which is this one.
//!
//! A key that is not known is an error: who wrote it meant something by it.

use std::cmp::Ordering;
use std::fmt::Write;

use serde::Deserialize;

use super::application::{self, Application, Need};
use super::kind::{BootLoader, Keys, Kind};
use super::table::{Digest, Expected, LARGEST_CHUNK, LARGEST_TABLE, LARGEST_WINDOW};
use crate::floor::{is_floor, LONGEST};
use crate::version::compare;

/// The version of the format, which a manifest names first.
pub const FORMAT: u32 = 1;

/// What a bundle is, for whom, and what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The devices that it fits: equal to their settings' `compatible`.
    pub compatible: String,
    /// The hardware revisions that it fits; none: any.
    pub revisions: Vec<String>,
    /// Its version; [`compare`] has the order.
    pub version: String,
    /// The lowest version that a device installs from then on, once it has confirmed this one; not above `version`.
    pub floor: Option<String>,
    /// It is installed below the device's floor, and once confirmed, `floor` replaces that.
    pub recovery: bool,
    /// What built it, when, from what: for people.
    pub build: Option<String>,
    /// Room that has to be free elsewhere: a path, and bytes on its file system.
    pub free: Vec<(String, u64)>,
    /// The applications that the system in it needs: on the device, or in the bundle.
    pub needs: Vec<Need>,
    /// The images, each for one part of a slot; behind them the applications.
    pub payloads: Vec<Payload>,
}

/// One image of a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    /// The part of the slot that it is for; of an application its name.
    pub part: String,
    /// It is an application, and its image is an archive.
    pub app: Option<Application>,
    /// It is a boot loader.
    pub bootloader: Option<BootLoader>,
    /// Bytes of the image.
    pub size: u64,
    /// SHA-256 of the image. It is not needed to install it: each chunk has its own.
    pub sha256: Digest,
    /// The average size of its chunks, with which it was cut: a slot that is cut in the same way has the same chunks.
    pub average: u32,
    /// How many bytes of the image before a chunk may be needed to decompress it.
    pub window: u64,
    /// Bytes of the largest chunk.
    pub largest: u64,
    /// How many chunks there are.
    pub chunks: u64,
    /// Bytes of its data in the bundle.
    pub data: u64,
    /// Bytes of its table in the bundle.
    pub table: u64,
    /// SHA-256 of its table.
    pub table_sha256: Digest,
    /// Of a patch: the image that the running slot has to hold.
    pub against: Option<Against>,
}

/// The image against which a patch was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Against {
    /// Its bytes.
    pub size: u64,
    /// Its SHA-256, for people: of a device's image only the ranges that are needed are compared, each with its own.
    pub sha256: Digest,
}

impl Payload {
    /// What its table has to agree with.
    pub fn expected(&self) -> Expected {
        Expected {
            size: self.size,
            data: self.data,
            chunks: self.chunks,
            largest: self.largest,
            against: self.against.map(|old| old.size),
        }
    }
}

/// What a manifest of any format says first.
#[derive(Deserialize)]
struct Format {
    bundle: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "bundle")]
    _bundle: u32,
    compatible: String,
    #[serde(default)]
    revisions: Vec<String>,
    version: String,
    floor: Option<String>,
    #[serde(default)]
    recovery: bool,
    build: Option<String>,
    #[serde(default)]
    free: Vec<Free>,
    #[serde(default)]
    needs: Vec<Need>,
    payload: Vec<PayloadFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Free {
    path: String,
    bytes: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct PayloadFile {
    part: String,
    size: u64,
    sha256: String,
    average: u32,
    window: u64,
    largest: u64,
    chunks: u64,
    data: u64,
    table: u64,
    table_sha256: String,
    against: Option<AgainstFile>,
    #[serde(default)]
    kind: Kind,
    version: Option<String>,
    system: Option<String>,
    floor: Option<String>,
    script: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AgainstFile {
    size: u64,
    sha256: String,
}

impl Manifest {
    /// Reads a manifest.
    ///
    /// Errors: what is wrong with it, as a phrase.
    pub fn parse(text: &[u8]) -> Result<Manifest, String> {
        let text = std::str::from_utf8(text).map_err(|_| "it is no UTF-8")?;
        let say = |error: toml::de::Error| error.message().to_owned();
        let format: Format = toml::from_str(text).map_err(say)?;
        if ![FORMAT, application::FORMAT_APPS].contains(&format.bundle) {
            let newest = application::FORMAT_APPS;
            return Err(format!(
                "its format is {}, and this program knows {FORMAT} to {newest}",
                format.bundle
            ));
        }
        let file: File = toml::from_str(text).map_err(say)?;
        let manifest = Manifest {
            compatible: file.compatible,
            revisions: file.revisions,
            version: file.version,
            floor: file.floor,
            recovery: file.recovery,
            build: file.build,
            free: file.free.into_iter().map(|free| (free.path, free.bytes)).collect(),
            needs: file.needs,
            payloads: file.payload.into_iter().map(payload).collect::<Result<_, _>>()?,
        };
        manifest.check()?;
        match format.bundle == manifest.format() {
            true => Ok(manifest),
            false => Err(format!("its format is {}, which is not that of what is in it", format.bundle)),
        }
    }

    /// The manifest as text. Equal manifests give equal bytes.
    ///
    /// Errors: what can't be in a manifest, as a phrase.
    pub fn to_text(&self) -> Result<String, String> {
        self.check()?;
        let mut text = format!("bundle = {}\n", self.format());
        put(&mut text, format_args!("compatible = {}", quoted(&self.compatible)));
        if !self.revisions.is_empty() {
            let revisions: Vec<String> = self.revisions.iter().map(|name| quoted(name)).collect();
            put(&mut text, format_args!("revisions = [{}]", revisions.join(", ")));
        }
        put(&mut text, format_args!("version = {}", quoted(&self.version)));
        if let Some(floor) = &self.floor {
            put(&mut text, format_args!("floor = {}", quoted(floor)));
        }
        if self.recovery {
            put(&mut text, format_args!("recovery = true"));
        }
        if let Some(build) = &self.build {
            put(&mut text, format_args!("build = {}", quoted(build)));
        }
        for (path, bytes) in &self.free {
            put(&mut text, format_args!("\n[[free]]\npath = {}\nbytes = {bytes}", quoted(path)));
        }
        for Need { app, version } in &self.needs {
            let (app, version) = (quoted(app), quoted(version));
            put(&mut text, format_args!("\n[[needs]]\napp = {app}\nversion = {version}"));
        }
        for payload in &self.payloads {
            let kind = match (&payload.app, &payload.bootloader) {
                (Some(_), _) => "kind = \"app\"\n",
                (None, Some(_)) => "kind = \"bootloader\"\n",
                (None, None) => "",
            };
            put(&mut text, format_args!("\n[[payload]]\n{kind}part = {}", quoted(&payload.part)));
            if let Some(Application { version, system, floor }) = &payload.app {
                for (key, value) in
                    [("version", Some(version)), ("system", system.as_ref()), ("floor", floor.as_ref())]
                {
                    value.iter().for_each(|value| put(&mut text, format_args!("{key} = {}", quoted(value))));
                }
            }
            if let Some(script) = payload.bootloader.as_ref().and_then(|loader| loader.script) {
                put(&mut text, format_args!("script = {script}"));
            }
            put(&mut text, format_args!("size = {}\nsha256 = \"{}\"", payload.size, hex(&payload.sha256)));
            put(&mut text, format_args!("average = {}", payload.average));
            put(&mut text, format_args!("window = {}\nlargest = {}", payload.window, payload.largest));
            put(&mut text, format_args!("chunks = {}\ndata = {}", payload.chunks, payload.data));
            put(&mut text, format_args!("table = {}", payload.table));
            put(&mut text, format_args!("table-sha256 = \"{}\"", hex(&payload.table_sha256)));
            if let Some(Against { size, sha256 }) = &payload.against {
                let sha256 = hex(sha256);
                put(&mut text, format_args!("against = {{ size = {size}, sha256 = \"{sha256}\" }}"));
            }
        }
        Ok(text)
    }

    /// Older programs know no applications, and no boot loaders.
    fn format(&self) -> u32 {
        let more = |payload: &Payload| payload.app.is_some() || payload.bootloader.is_some();
        if self.payloads.iter().any(more) || !self.needs.is_empty() {
            application::FORMAT_APPS
        } else {
            FORMAT
        }
    }

    /// Whether it has a boot loader, and so nothing else.
    pub fn is_of_bootloader(&self) -> bool {
        self.payloads.iter().any(|payload| payload.bootloader.is_some())
    }

    /// If a device does not come back, it has to be known what of the two it was.
    fn check_bootloader(&self) -> Result<(), String> {
        let Some(payload) = self.payloads.iter().find(|payload| payload.bootloader.is_some()) else {
            return Ok(());
        };
        if self.payloads.len() > 1 {
            return Err("a boot loader has a bundle of its own: nothing else is in it".into());
        }
        if self.floor.is_some() || !self.needs.is_empty() {
            return Err("a floor or a need is that of a system, and there is a boot loader in it".into());
        }
        match payload.against.is_some() {
            true => Err("there are no patches of boot loaders".into()),
            false => Ok(()),
        }
    }

    fn check_apps(&self) -> Result<(), String> {
        let mut apps = 0;
        for Payload { part, app, against, .. } in &self.payloads {
            let Some(app) = app else {
                match apps {
                    0 => continue,
                    _ => return Err(format!("the image of {part} is behind an application")),
                }
            };
            apps += 1;
            app.check(part)?;
            if against.is_some() {
                return Err(format!("{part} is an application, and there are no patches of these"));
            }
        }
        self.needs.iter().try_for_each(|need| need.check(is_part))?;
        if apps < self.payloads.len() {
            return Ok(());
        }
        // They would have no outcome in common.
        if apps > 1 {
            return Err("several applications without a system: make a bundle of each".into());
        }
        match self.floor.is_some() || !self.needs.is_empty() {
            true => Err("a floor or a need is that of a system, and there is none in it".into()),
            false => Ok(()),
        }
    }

    fn check(&self) -> Result<(), String> {
        let texts = [("compatible", &self.compatible), ("version", &self.version)];
        let revisions = self.revisions.iter().map(|revision| ("revisions", revision));
        let paths = self.free.iter().map(|(path, _)| ("path", path));
        for (key, value) in texts.into_iter().chain(revisions).chain(paths) {
            if value.is_empty() {
                return Err(format!("{key} is empty"));
            }
        }
        let build = self.build.iter().map(|build| ("build", build));
        let texts =
            texts.into_iter().chain(self.revisions.iter().map(|text| ("revisions", text))).chain(build);
        let texts = texts.chain(self.free.iter().map(|(path, _)| ("path", path)));
        for (key, value) in texts {
            if value.len() > 255 || value.chars().any(char::is_control) {
                return Err(format!("{key} is longer than 255 bytes, or not in one line"));
            }
        }
        // What a device would put into its boot state or compare has to be sayable there.
        if !self.version.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._~^+-".contains(&byte)) {
            return Err(format!("the version {:?} is not made of [A-Za-z0-9._~^+-]", self.version));
        }
        if let Some(floor) = &self.floor {
            if !is_floor(floor) {
                return Err(format!("the floor {floor:?} is not 1 to {LONGEST} of [A-Za-z0-9._~^+-]"));
            }
            if compare(floor, &self.version) == Ordering::Greater {
                let version = &self.version;
                return Err(format!(
                    "the floor {floor} is above the version {version}: it could not be installed again"
                ));
            }
        }
        if self.free.iter().any(|(path, _)| !path.starts_with('/')) {
            return Err("a path that needs room does not start with /".into());
        }
        if self.payloads.is_empty() || self.payloads.len() > MOST_PAYLOADS {
            return Err(format!(
                "it has {} payloads, and may have 1 to {MOST_PAYLOADS}",
                self.payloads.len()
            ));
        }
        for (i, payload) in self.payloads.iter().enumerate() {
            payload.check()?;
            if self.payloads.iter().take(i).any(|other| other.part == payload.part) {
                return Err(format!("two payloads are for the part {:?}", payload.part));
            }
        }
        self.check_bootloader()?;
        self.check_apps()
    }
}

/// The most images of one bundle.
const MOST_PAYLOADS: usize = 32;

/// Whether a part of a slot may be called so.
pub fn is_part(name: &str) -> bool {
    (1..=32).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

impl Payload {
    fn check(&self) -> Result<(), String> {
        let Payload { part, .. } = self;
        if !is_part(part) {
            return Err(format!("{part:?} is no part of a slot: 1 to 32 characters of [A-Za-z0-9_-]"));
        }
        let limits = [
            ("window", self.window, LARGEST_WINDOW),
            ("largest", self.largest, LARGEST_CHUNK),
            ("table", self.table, LARGEST_TABLE),
            // Of what no medium holds, nothing has to be added up.
            ("size", self.size, 1 << 56),
            ("data", self.data, self.size),
        ];
        for (key, value, limit) in limits {
            if value > limit {
                return Err(format!("the {key} of {part} is {value}, and may be {limit} at most"));
            }
        }
        if !(1024..=256 << 10).contains(&self.average) {
            return Err(format!("the average of {part} is {}, and may be 1 KiB to 256 KiB", self.average));
        }
        if self.against.is_some_and(|old| !(1..=1 << 56).contains(&old.size)) {
            return Err(format!("no image is as large as the one that {part} is a patch against"));
        }
        match self.size {
            0 => Err(format!("the image of {part} is empty")),
            _ => Ok(()),
        }
    }
}

fn payload(file: PayloadFile) -> Result<Payload, String> {
    let digest = |text: &str| from_hex(text).ok_or_else(|| format!("{text:?} is no SHA-256"));
    let against = file.against.map(|old| Ok(Against { size: old.size, sha256: digest(&old.sha256)? }));
    let PayloadFile { kind, version, system, floor, script, .. } = file;
    let (app, bootloader) = Keys { kind, version, system, floor, script }.about(&file.part)?;
    Ok(Payload {
        app,
        bootloader,
        against: against.transpose().map_err(|error: String| error)?,
        sha256: digest(&file.sha256)?,
        table_sha256: digest(&file.table_sha256)?,
        part: file.part,
        size: file.size,
        average: file.average,
        window: file.window,
        largest: file.largest,
        chunks: file.chunks,
        data: file.data,
        table: file.table,
    })
}

fn put(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a String does not fail.
    let _ = writeln!(text, "{line}");
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            c if c.is_control() => put_escaped(&mut out, c),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn put_escaped(out: &mut String, c: char) {
    let _ = write!(out, "\\U{:08x}", u32::from(c));
}

/// Bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Option<Digest> {
    let digit = |c: &u8| match c {
        b'0'..=b'9' => Some(c - b'0'),
        b'a'..=b'f' => Some(c - b'a' + 10),
        _ => None,
    };
    let digits: Vec<u8> = text.bytes().map(|byte| digit(&byte)).collect::<Option<_>>()?;
    let bytes: Vec<u8> =
        digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect();
    bytes.try_into().ok().filter(|_| text.len() == 64)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
mod tests {
    use super::*;

    fn sample() -> Manifest {
        let payload = Payload {
            part: "root".into(),
            app: None,
            bootloader: None,
            size: 1 << 30,
            sha256: [0xab; 32],
            average: 8192,
            window: 65536,
            largest: 32768,
            chunks: 7,
            data: 12345,
            table: 300,
            table_sha256: std::array::from_fn(|i| i as u8),
            against: Some(Against { size: 1 << 29, sha256: [0xcd; 32] }),
        };
        Manifest {
            compatible: "acme \"gateway\" \\ ä".into(),
            revisions: vec!["1.0".into(), "1.1".into()],
            version: "2.3.1~rc1".into(),
            floor: Some("2.3".into()),
            recovery: true,
            build: Some("of today".into()),
            free: vec![("/data".into(), 1000)],
            needs: vec![],
            payloads: vec![payload.clone(), Payload { part: "boot".into(), against: None, ..payload }],
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let full = sample();
        let least = Manifest {
            revisions: vec![],
            floor: None,
            recovery: false,
            build: None,
            free: vec![],
            ..sample()
        };
        for manifest in [full, least] {
            let text = manifest.to_text().unwrap();
            assert_eq!(Manifest::parse(text.as_bytes()).unwrap(), manifest, "{text}");
        }
    }

    fn with_an_app() -> Manifest {
        let mut manifest = sample();
        let [root, boot] = &mut manifest.payloads[..] else { panic!("two") };
        root.against = None;
        boot.part = "gateway".into();
        boot.app = Some(Application {
            version: "1.5.0".into(),
            system: Some("2.3".into()),
            floor: Some("1.4".into()),
        });
        manifest.needs = vec![Need { app: "modem".into(), version: "3.0".into() }];
        manifest
    }

    #[test]
    fn an_application_has_a_format_of_its_own() {
        let manifest = with_an_app();
        let text = manifest.to_text().unwrap();
        assert!(text.starts_with("bundle = 2\n"), "{text}");
        assert_eq!(Manifest::parse(text.as_bytes()).unwrap(), manifest);
        let cases = [
            ("bundle = 2", "bundle = 1", "not that of what is in it"),
            ("version = \"1.5.0\"", "version = \"../1.5\"", "is not 1 to"),
            ("version = \"1.5.0\"", "version = \".1.5\"", "begins with a dot"),
            ("system = \"2.3\"", "system = \"\"", "is not 1 to"),
            ("floor = \"1.4\"", "floor = \"1.6\"", "above its version"),
            ("part = \"gateway\"", "part = \"a/b\"", "no part of a slot"),
            ("app = \"modem\"", "app = \"\"", "is no application"),
            ("version = \"3.0\"", "version = \"3 0\"", "is not 1 to"),
        ];
        for (from, to, says) in cases {
            let bad = text.replacen(from, to, 1);
            assert_ne!(bad, text, "{from}");
            let error = Manifest::parse(bad.as_bytes()).unwrap_err();
            assert!(error.contains(says), "{to}: {error}");
        }
        let refuses = |edit: &dyn Fn(&mut Manifest)| {
            let mut manifest = with_an_app();
            edit(&mut manifest);
            manifest.to_text().unwrap_err()
        };
        assert!(refuses(&|manifest| manifest.payloads.reverse()).contains("behind an application"));
        assert!(refuses(&|manifest| drop(manifest.payloads.remove(0))).contains("of a system"));
        let patch = Some(Against { size: 1, sha256: [0; 32] });
        assert!(refuses(&|manifest| manifest.payloads[1].against = patch).contains("no patches"));
        let two = refuses(&|manifest| {
            manifest.payloads[0].app = manifest.payloads[1].app.clone();
            manifest.payloads[0].against = None;
        });
        assert!(two.contains("a bundle of each"), "{two}");
    }

    #[test]
    fn a_boot_loader_is_alone_in_its_bundle() {
        let mut manifest = Manifest { floor: None, ..sample() };
        manifest.payloads.pop();
        let loader = &mut manifest.payloads[0];
        (loader.part, loader.against) = ("bootloader".into(), None);
        loader.bootloader = Some(BootLoader { script: Some(2) });
        let text = manifest.to_text().unwrap();
        assert!(text.starts_with("bundle = 2\n") && text.contains("kind = \"bootloader\"\n"), "{text}");
        assert_eq!(Manifest::parse(text.as_bytes()).unwrap(), manifest);
        assert!(manifest.is_of_bootloader() && !sample().is_of_bootloader());
        let none = text.replacen("script = 2\n", "", 1);
        let read = Manifest::parse(none.as_bytes()).unwrap();
        assert_eq!(read.payloads[0].bootloader, Some(BootLoader { script: None }));
        let root = sample().to_text().unwrap();
        let root = root.split("\n[[payload]]").nth(2).unwrap();
        for (bad, says) in [
            (text.replacen("bundle = 2", "bundle = 1", 1), "not that of what is in it"),
            (text.replacen("script = 2", "script = -1", 1), ""),
            (text.replacen("script = 2", "version = \"1\"", 1), "no application"),
            (text.replacen("script = 2", "system = \"1\"", 1), "no application"),
            (text.replacen("kind = \"bootloader\"\n", "", 1), "no boot loader"),
            (text.replacen("recovery", "floor = \"1\"\nrecovery", 1), "is that of a system"),
            (format!("{text}against = {{ size = 1, sha256 = \"{}\" }}\n", "ab".repeat(32)), "no patches"),
            // A system beside it.
            (format!("{text}\n[[payload]]{root}"), "nothing else is in it"),
        ] {
            assert_ne!(bad, text, "{says}");
            let error = Manifest::parse(bad.as_bytes()).unwrap_err();
            assert!(error.contains(says), "{says}: {error}");
        }
    }

    #[test]
    fn what_is_no_manifest_is_refused() {
        let good = sample().to_text().unwrap();
        let cases = [
            ("bundle = 1", "bundle = 2", "not that of what is in it"),
            ("bundle = 1", "bundle = 3", "format is 3"),
            ("part = \"boot\"", "part = \"boot\"\nsystem = \"1\"", "no application"),
            ("part = \"boot\"", "part = \"boot\"\nkind = \"app\"", "has no version"),
            ("part = \"boot\"", "part = \"boot\"\nkind = \"other\"", "unknown variant"),
            ("bundle = 1\n", "", "bundle"),
            ("version = ", "verson = ", "verson"),
            ("\"2.3.1~rc1\"", "\"2.3 1\"", "not made of"),
            ("\"2.3.1~rc1\"", "\"\"", "version is empty"),
            ("of today", "of\\ntoday", "not in one line"),
            ("\"/", "\"/\\u001b", "not in one line"),
            ("floor = \"2.3\"", "floor = \"\"", "the floor"),
            ("floor = \"2.3\"", "floor = \"2 3\"", "the floor"),
            ("floor = \"2.3\"", "floor = \"2.3.1\"", "above the version"),
            (
                "floor = \"2.3\"",
                "floor = \"11111111111111111111111111111111111111111111111111111111111111111\"",
                "1 to 64",
            ),
            ("recovery = true", "recovery = 1", ""),
            ("\"/data\"", "\"data\"", "does not start with /"),
            ("part = \"boot\"", "part = \"root\"", "two payloads"),
            ("part = \"boot\"", "part = \"../boot\"", "no part of a slot"),
            ("size = 1073741824", "size = 0", ""),
            ("size = 1073741824", "size = 10000000000000000000", ""),
            ("size = 1073741824", "size = -1", ""),
            ("average = 8192", "average = 1023", "average"),
            ("average = 8192", "average = 262145", "average"),
            ("window = 65536", "window = 1048577", "window"),
            ("largest = 32768", "largest = 1048577", "largest"),
            ("table = 300", "table = 12582913", "table"),
            ("data = 12345", "data = 1073741825", "data"),
            ("sha256 = \"abab", "sha256 = \"ab", "no SHA-256"),
            ("sha256 = \"abab", "sha256 = \"ABab", "no SHA-256"),
            ("{ size = 536870912", "{ size = 0", "a patch against"),
            ("{ size = 536870912", "{ size = 72057594037927937", "a patch against"),
            ("{ size = 536870912", "{ sise = 536870912", "sise"),
            ("{ size = 536870912, ", "{ ", "size"),
            ("sha256 = \"cdcd", "sha256 = \"cd", "no SHA-256"),
        ];
        for (from, to, says) in cases {
            let bad = good.replacen(from, to, 1);
            assert_ne!(bad, good, "{from}");
            let error = Manifest::parse(bad.as_bytes()).unwrap_err();
            assert!(error.contains(says), "{to}: {error}");
        }
        assert!(Manifest::parse(b"\xff").is_err());
        let no_payload = Manifest { payloads: vec![], ..sample() };
        assert!(no_payload.to_text().unwrap_err().contains("payloads"));
    }
}
