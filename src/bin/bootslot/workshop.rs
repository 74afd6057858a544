//! `bootslot bundle create` and `sign`: what is done where images are built, not on the device.

use std::fs;
use std::io::Write;
use std::ops::ControlFlow;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

#[cfg(feature = "cms")]
use bootslot::update::bundle;
use bootslot::update::bundle::application::{Application, Need};
use bootslot::update::bundle::container::{Signature, SignatureKind, MAGIC};
use bootslot::update::bundle::create::{self, AppFile, Compression};

use bootslot::update::bundle::kind::BootLoader;
use bootslot::update::bundle::manifest::Manifest;
use bootslot::update::bundle::signature::signature_of;
use bootslot::update::source::FileSource;
use bootslot::update::{self, Bundle, UpdateError};
use bootslot::{Error, Place};
use clap::Args;
use ct_codecs::{Base64, Decoder};
use indicatif::{ProgressBar, ProgressStyle};

use crate::origin::image;
use crate::outcome::{print, read_input, Failure, Outcome};
use crate::progress::is_watched;

/// The options of `create`.
#[derive(Args)]
pub struct Create {
    /// The images: the part of a slot that each is for, and its file; the part of a slot with one device is `root`
    #[arg(required_unless_present_any = ["apps", "bootloader"], value_name = "PART=FILE", value_parser = image)]
    images: Vec<(String, PathBuf)>,

    /// The bundle to make
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    /// The devices that it is for: as in their settings
    #[arg(long, value_name = "TEXT")]
    compatible: String,

    /// The hardware revisions that it is for [default: any]; can be given several times
    #[arg(long, value_name = "TEXT")]
    revision: Vec<String>,

    /// Its version
    #[arg(long, value_name = "VERSION")]
    version: String,

    /// Once it is confirmed, the device installs nothing below this version
    #[arg(long, value_name = "VERSION")]
    floor: Option<String>,

    /// Install it even below the floor of a device; once it is confirmed, --floor is the device's floor, or there is
    /// none
    #[arg(long)]
    recovery: bool,

    /// What built it, when, from what: for people
    #[arg(long, value_name = "TEXT")]
    build: Option<String>,

    /// Room that has to be free elsewhere, in bytes on the file system of a path; can be given several times
    #[arg(long, value_name = "PATH=BYTES", value_parser = free)]
    free: Vec<(String, u64)>,

    /// Make a patch against the image that the devices run now, given as itself or as the full bundle that it is in;
    /// can be given once for each image
    #[arg(long, value_name = "PART=FILE", value_parser = image)]
    against: Vec<(String, PathBuf)>,

    #[command(flatten)]
    apps: Apps,

    /// A boot loader and nothing else; sign the bundle also with a key that is trusted with it
    #[arg(long, value_name = "FILE", conflicts_with_all = ["images", "apps", "against", "needs", "floor"])]
    bootloader: Option<PathBuf>,

    /// The version of bootslot's boot script that the boot loader brings
    #[arg(long, value_name = "N", requires = "bootloader")]
    script: Option<u32>,

    /// How hard to compress, 1 to 19 [default: 19]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..=19))]
    level: Option<i32>,

    /// The average size of chunks in bytes [default: by the size of the image, 8192 at least]
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(1024..=262144))]
    chunk_size: Option<u32>,
}

/// The applications of a bundle.
#[derive(Args)]
struct Apps {
    /// An application and its archive (tar); several only together with a system
    #[arg(long = "app", value_name = "NAME=FILE", value_parser = image)]
    apps: Vec<(String, PathBuf)>,

    /// The version of an application [default: that of the bundle]
    #[arg(long, value_name = "NAME=VERSION", value_parser = about)]
    app_version: Vec<(String, String)>,

    /// The lowest version of the system that an application runs on [default: any]
    #[arg(long, value_name = "NAME=VERSION", value_parser = about)]
    app_system: Vec<(String, String)>,

    /// Once an application is confirmed, nothing below this version of it is installed
    #[arg(long, value_name = "NAME=VERSION", value_parser = about)]
    app_floor: Vec<(String, String)>,

    /// An application that the system needs, and its lowest version
    #[arg(long, value_name = "NAME=VERSION", value_parser = about)]
    needs: Vec<(String, String)>,
}

impl Apps {
    fn files(&self, version: &str) -> Outcome<Vec<AppFile>> {
        let known = |name: &String| self.apps.iter().any(|(app, _)| app == name);
        let about = [&self.app_version, &self.app_system, &self.app_floor];
        if let Some((name, _)) = about.into_iter().flatten().find(|(name, _)| !known(name)) {
            return Err(Failure::Usage(format!("there is no --app {name}")));
        }
        let of = |all: &[(String, String)], app: &str| {
            all.iter().find(|(name, _)| name == app).map(|(_, value)| value.clone())
        };
        let file = |(name, archive): &(String, PathBuf)| AppFile {
            name: name.clone(),
            archive: archive.clone(),
            about: Application {
                version: of(&self.app_version, name).unwrap_or_else(|| version.to_owned()),
                system: of(&self.app_system, name),
                floor: of(&self.app_floor, name),
            },
        };
        Ok(self.apps.iter().map(file).collect())
    }

    fn needs(&self) -> Vec<Need> {
        let need = |(app, version): &(String, String)| Need { app: app.clone(), version: version.clone() };
        self.needs.iter().map(need).collect()
    }
}

fn about(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((app, version)) if !app.is_empty() && !version.is_empty() => Ok((app.into(), version.into())),
        _ => Err("this is given as NAME=VERSION, such as gateway=1.5.0".into()),
    }
}

/// The options of `sign`.
#[derive(Args)]
pub struct Sign {
    /// The bundle
    bundle: PathBuf,

    #[command(flatten)]
    how: How,

    /// The file with the password of the key in its first line, or - for standard input
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,

    /// What the signature says of itself
    #[arg(long, value_name = "TEXT", requires = "key")]
    comment: Option<String>,

    /// The certificate of the key, in PEM, with or without intermediates
    #[cfg(feature = "cms")]
    #[arg(long, value_name = "FILE", requires = "cms_key")]
    cms_cert: Option<PathBuf>,

    /// Certificates between this one and the CA's, in PEM; can be given several times
    #[cfg(feature = "cms")]
    #[arg(long, value_name = "FILE", requires = "cms_key")]
    intermediate: Vec<PathBuf>,

    /// Remove the signatures that it has
    #[arg(long)]
    replace: bool,
}

/// Where the signature comes from.
#[derive(Args)]
#[group(required = true, multiple = false)]
struct How {
    /// Sign with this secret key of minisign; its password is asked for where it has one
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,

    /// Sign with this private key of a certificate (CMS), in PEM
    #[cfg(feature = "cms")]
    #[arg(long, value_name = "FILE", requires = "cms_cert")]
    cms_key: Option<PathBuf>,

    /// Add this signature of what `bootslot bundle inspect --manifest` prints: of minisign, or CMS in DER
    #[arg(long, value_name = "FILE")]
    signature: Option<PathBuf>,
}

/// The options of `generate-key`.
#[derive(Args)]
pub struct GenerateKey {
    /// The public key to make, for the devices' folder of keys
    #[arg(long, value_name = "FILE")]
    public: PathBuf,

    /// The secret key to make; it does not leave the workshop
    #[arg(long, value_name = "FILE")]
    secret: PathBuf,
}

fn free(text: &str) -> Result<(String, u64), String> {
    let split = text.rsplit_once('=').and_then(|(path, bytes)| Some((path.to_owned(), bytes.parse().ok()?)));
    split.filter(|(path, _)| path.starts_with('/')).ok_or_else(|| "free room is given as /PATH=BYTES".into())
}

/// Runs `create`.
pub fn create(options: &Create) -> Outcome {
    let manifest = Manifest {
        compatible: options.compatible.clone(),
        revisions: options.revision.clone(),
        version: options.version.clone(),
        floor: options.floor.clone(),
        recovery: options.recovery,
        build: options.build.clone(),
        free: options.free.clone(),
        needs: options.apps.needs(),
        payloads: Vec::new(),
    };
    let usual = Compression::default();
    let level = options.level.unwrap_or(usual.level);
    let compression = Compression { level, average: options.chunk_size, ..usual };
    let apps = options.apps.files(&options.version)?;
    let known = |(part, _): &&(String, PathBuf)| options.images.iter().any(|(other, _)| other == part);
    if let Some((part, _)) = options.against.iter().find(|old| !known(old)) {
        return Err(Failure::Usage(format!("--against {part}: there is no new image for this part")));
    }
    let old = options.against.iter().map(|(part, file)| old_image(part, file, &options.output));
    let old: Vec<OldImage> = old.collect::<Outcome<_>>()?;
    let old: Vec<(String, PathBuf)> =
        options.against.iter().zip(&old).map(|((part, _), old)| (part.clone(), old.path.clone())).collect();
    let total =
        options.images.iter().filter_map(|(_, file)| file.metadata().ok()).map(|meta| meta.len()).sum();
    let bar = if is_watched() { ProgressBar::new(total) } else { ProgressBar::hidden() };
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {bytes:>11} of {total_bytes}, {eta} left") {
        bar.set_style(style);
    }
    let mut report = |done| bar.set_position(done);
    let made = match &options.bootloader {
        Some(image) => {
            let about = BootLoader { script: options.script };
            create::create_of_bootloader(&options.output, manifest, image, about, compression, &mut report)
        }
        None => create::create_with_apps(
            &options.output,
            manifest,
            &options.images,
            &old,
            &apps,
            compression,
            &mut report,
        ),
    };
    bar.finish_and_clear();
    made?;
    let bundle = Bundle::inspect(Box::new(FileSource::open(&options.output)?))?;
    let (file, id, size) = (options.output.display(), bundle.id(), bundle.size());
    print(format!("{file}: update {id}, {size} bytes, not signed\n").as_bytes())
}

/// The file of an old image, which goes at the end if it was made for this.
struct OldImage {
    path: PathBuf,
    made: bool,
}

impl Drop for OldImage {
    fn drop(&mut self) {
        if self.made {
            // There is nobody to tell, and what is left says by its name what it is.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The old image of a part: the file itself, or what a bundle has of it, in a file beside the output.
fn old_image(part: &str, file: &Path, output: &Path) -> Outcome<OldImage> {
    let mut start = [0; MAGIC.len()];
    let opened = fs::File::open(file).map_err(|error| Place::new(file, "opening the old image").io(error))?;
    if opened.read_exact_at(&mut start, 0).is_err() || start != MAGIC {
        return Ok(OldImage { path: file.to_owned(), made: false });
    }
    let mut name = output.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.{part}.old", std::process::id()));
    let mut bundle = Bundle::inspect(Box::new(FileSource::open(file)?))?;
    let old = OldImage { path: output.with_file_name(name), made: true };
    update::extract(&mut bundle, part, &old.path, &mut |_| ControlFlow::Continue(()))?;
    Ok(old)
}

/// Runs `generate-key`.
pub fn generate_key(options: &GenerateKey) -> Outcome {
    let failed = |error: minisign::PError| wrong(&options.secret, error.to_string());
    let pair = minisign::KeyPair::generate_unencrypted_keypair().map_err(failed)?;
    let secret = pair.sk.to_box(None).map_err(failed)?.into_string();
    let public = pair.pk.to_box().map_err(failed)?.into_string();
    for (path, text, mode) in [(&options.secret, secret, 0o600), (&options.public, public, 0o644)] {
        // A key that exists is worth more than a new one.
        let write = || {
            fs::File::options().write(true).create_new(true).mode(mode).open(path)?.write_all(text.as_bytes())
        };
        write().map_err(|error| Place::new(path, "making the key").io(error))?;
    }
    Ok(())
}

/// Runs `sign`.
pub fn sign(options: &Sign) -> Outcome {
    let bundle = Bundle::inspect(Box::new(FileSource::open(&options.bundle)?))?;
    let signature = match &options.how {
        How { key: Some(key), .. } => minisign(key, &bundle, options)?,
        How { signature: Some(signature), .. } => {
            let bytes = read(signature, "reading the signature")?;
            signature_of(&bundle.manifest_bytes, bytes).map_err(|message| wrong(signature, message))?
        }
        #[cfg(feature = "cms")]
        How { cms_key: Some(key), .. } => cms(key, &bundle, options)?,
        How { .. } => return Err(Failure::Usage("a key or a signature is needed".into())),
    };
    let mut signatures = if options.replace { Vec::new() } else { bundle.signatures.clone() };
    signatures.push(signature);
    create::sign(&options.bundle, &bundle.manifest_bytes, &signatures)?;
    let (file, count) = (options.bundle.display(), signatures.len());
    print(format!("{file}: update {}, signatures: {count}\n", bundle.id()).as_bytes())
}

fn wrong(path: &Path, message: String) -> UpdateError {
    Error::Device { path: path.into(), message }.into()
}

/// The first line of the file with the password.
fn password(options: &Sign) -> Outcome<Option<String>> {
    let Some(path) = &options.password_file else { return Ok(None) };
    let text = String::from_utf8(read_input(path)?);
    let text = text.map_err(|_| wrong(path, "this password is no UTF-8".into()))?;
    match text.lines().next().filter(|line| !line.is_empty()) {
        Some(line) => Ok(Some(line.to_owned())),
        None => Err(wrong(path, "there is no password in it".into()).into()),
    }
}

fn minisign(path: &Path, bundle: &Bundle, options: &Sign) -> Outcome<Signature> {
    let failed = |error: minisign::PError| wrong(path, error.to_string());
    let text = String::from_utf8_lossy(&read(path, "reading the key")?).into_owned();
    let key = match without_password(&text) {
        Some(key) => key,
        // With `None` it asks for the password.
        None => minisign::SecretKeyBox::from_string(&text)
            .map_err(failed)?
            .into_secret_key(password(options)?)
            .map_err(failed)?,
    };
    let manifest = &bundle.manifest;
    let comment = options.comment.clone();
    let comment =
        comment.unwrap_or_else(|| format!("{} {} {}", manifest.compatible, manifest.version, bundle.id()));
    let signed =
        minisign::sign(None, &key, &bundle.manifest_bytes[..], Some(&comment), None).map_err(failed)?;
    Ok(Signature { kind: SignatureKind::Minisign, bytes: signed.into_string().into_bytes() })
}

#[cfg(feature = "cms")]
fn cms(path: &Path, bundle: &Bundle, options: &Sign) -> Outcome<Signature> {
    let certificate = options.cms_cert.as_deref().unwrap_or(path);
    let certificate = read(certificate, "reading the certificate")?;
    let others = options.intermediate.iter().map(|file| read(file, "reading the certificate"));
    let others: Vec<Vec<u8>> = others.collect::<Outcome<_>>()?;
    let key = read(path, "reading the key")?;
    let password = password(options)?;
    let signed = bundle::cms::sign(&bundle.manifest_bytes, &certificate, &key, password.as_deref(), &others);
    Ok(Signature { kind: SignatureKind::Cms, bytes: signed.map_err(|message| wrong(path, message))? })
}

/// A key that no password protects (`minisign -G -W`). minisign leaves its checksum empty, which the crate takes for
/// damage.
fn without_password(text: &str) -> Option<minisign::SecretKey> {
    let bytes = Base64::decode_to_vec(text.lines().nth(1)?, None).ok()?;
    // Signature algorithm (2 bytes), then the one that protects the key: none.
    let [_, _, 0, 0, ..] = bytes[..] else { return None };
    minisign::SecretKey::from_bytes(&bytes).ok()
}

/// The bytes of a small file.
fn read(path: &Path, step: &'static str) -> Outcome<Vec<u8>> {
    Ok(fs::read(path).map_err(|error| Place::new(path, step).io(error))?)
}
