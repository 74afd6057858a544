//! `bootslot bundle`: create, sign, inspect and verify bundles.

use std::fmt::Write;
use std::ops::ControlFlow;
use std::path::PathBuf;

use bootslot::settings::Update;
use bootslot::update::bundle::container::SignatureKind;
use bootslot::update::bundle::manifest::hex;
use bootslot::update::target::Part;
use bootslot::update::{self, Bundle};
use clap::{Args, Subcommand};
use serde_json::{json, Value};

use crate::difference;
use crate::origin::{image, Origin};
use crate::outcome::{print, print_event, with_last_event, Outcome};
use crate::progress::Progress;
use crate::report::to_json;
use crate::trust;
#[cfg(feature = "bundle")]
use crate::workshop;

/// The options of the group.
#[derive(Args)]
pub struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
// There is one, for as long as the program runs.
#[allow(clippy::large_enum_variant)]
enum Command {
    /// Make a bundle of images
    #[cfg(feature = "bundle")]
    Create(workshop::Create),
    /// Sign a bundle, or add a signature that was made elsewhere
    #[cfg(feature = "bundle")]
    Sign(workshop::Sign),
    /// Make a pair of keys, of which no password protects the secret one
    #[cfg(feature = "bundle")]
    GenerateKey(workshop::GenerateKey),
    /// Show what a bundle says of itself; nothing of it is proven
    Inspect {
        #[command(flatten)]
        origin: Origin,
        /// Print it as JSON
        #[arg(long)]
        json: bool,
        /// Print the manifest as it is: what is signed
        #[arg(long, conflicts_with = "json")]
        manifest: bool,
    },
    /// Show what differs between two bundles, and what a device fetches that runs the old one; nothing is proven
    Diff {
        /// The bundle of what the device runs: a file
        old: PathBuf,
        /// The other one: a file
        new: PathBuf,
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
    /// Verify a signature, and that every image is the one that was signed
    Verify {
        #[command(flatten)]
        origin: Origin,
        #[command(flatten)]
        trust: trust::Trust,
        /// Trust this key or CA certificate (*.pem) only; can be given several times
        #[arg(long, value_name = "FILE")]
        key: Vec<PathBuf>,
        /// The image that a patch was made against, without which its own can't be verified; can be given once for
        /// each image
        #[arg(long, value_name = "PART=FILE", value_parser = image)]
        against: Vec<(String, PathBuf)>,
        /// Print progress and result as JSON
        #[arg(long)]
        json: bool,
    },
}

/// Runs one of the commands.
pub fn run(options: &Options) -> Outcome {
    match &options.command {
        #[cfg(feature = "bundle")]
        Command::Create(options) => workshop::create(options),
        #[cfg(feature = "bundle")]
        Command::Sign(options) => workshop::sign(options),
        #[cfg(feature = "bundle")]
        Command::GenerateKey(options) => workshop::generate_key(options),
        Command::Inspect { origin, json, manifest } => {
            let bundle = Bundle::inspect(origin.open(*json)?)?;
            print(&match (manifest, json) {
                (true, _) => bundle.manifest_bytes,
                (false, true) => to_json(&describe_json(&bundle)),
                (false, false) => describe(&bundle).into_bytes(),
            })
        }
        Command::Diff { old, new, json } => difference::run(old, new, *json),
        Command::Verify { origin, trust, key, against, json } => {
            with_last_event(verify(origin, trust, key, against, *json), *json)
        }
    }
}

fn verify(
    origin: &Origin,
    trust: &trust::Trust,
    key: &[PathBuf],
    against: &[(String, PathBuf)],
    as_json: bool,
) -> Outcome {
    let keys = trust.keyring(&Update::default(), key)?;
    let mut bundle = Bundle::open(origin.open(as_json)?, &keys)?;
    let mut progress = Progress::new(as_json);
    let old: Vec<Part> = against.iter().map(|(part, file)| update::image_file(part, file)).collect();
    let result = update::verify(&mut bundle, &old, &mut |now| {
        progress.show(&now);
        ControlFlow::Continue(())
    });
    progress.end();
    result?;
    let signer = bundle.signer.as_ref().map(|signer| (signer.key.as_str(), signer.comment.as_str()));
    let (key, comment) = signer.unwrap_or_default();
    let (version, id) = (&bundle.manifest.version, bundle.id());
    match as_json {
        true => print_event(
            &json!({ "event": "done", "code": 0, "update": id, "version": version, "key": key, "comment": comment }),
        ),
        false => print(
            format!("Version {version} ({id}): signed by {key} ({comment}), all images are whole\n")
                .as_bytes(),
        ),
    }
}

/// For people.
fn describe(bundle: &Bundle) -> String {
    let manifest = &bundle.manifest;
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "{name:14}{value}");
    };
    line("compatible:", &manifest.compatible);
    if !manifest.revisions.is_empty() {
        line("revisions:", &manifest.revisions.join(", "));
    }
    line("version:", &manifest.version);
    if let Some(floor) = &manifest.floor {
        line("floor:", floor);
    }
    if manifest.recovery {
        line("recovery:", "yes, it is installed below the floor of a device and replaces that");
    }
    if let Some(build) = &manifest.build {
        line("build:", build);
    }
    line("update id:", &bundle.id());
    line("size:", &format!("{} bytes", bundle.size()));
    for (path, bytes) in &manifest.free {
        line("needs free:", &format!("{bytes} bytes on {path}"));
    }
    for payload in &manifest.payloads {
        line(
            "image:",
            &format!(
                "{}, {} bytes in {} chunks, {} bytes here",
                payload.part, payload.size, payload.chunks, payload.data
            ),
        );
        line("  sha256:", &hex(&payload.sha256));
        if let Some(app) = &payload.app {
            line("  app:", &format!("version {}", app.version));
            app.system
                .iter()
                .for_each(|system| line("  needs:", &format!("a system of version {system} or newer")));
            app.floor.iter().for_each(|floor| line("  floor:", floor));
        }
        if let Some(loader) = &payload.bootloader {
            let script = loader.script.map_or("none".to_owned(), |script| format!("version {script}"));
            line("  boot script:", &format!("{script}; this is a boot loader"));
        }
        if let Some(old) = &payload.against {
            line("  patch of:", &format!("{}, {} bytes", hex(&old.sha256), old.size));
        }
    }
    for need in &manifest.needs {
        line("needs:", &format!("{} of version {} or newer", need.app, need.version));
    }
    let signatures = match bundle.signatures.len() {
        0 => "none".to_owned(),
        count => format!("{count}, NOT VERIFIED (bootslot bundle verify does that)"),
    };
    line("signatures:", &signatures);
    text
}

fn describe_json(bundle: &Bundle) -> Value {
    let manifest = &bundle.manifest;
    let payloads: Vec<Value> = manifest
        .payloads
        .iter()
        .map(|payload| {
            json!({
                "part": payload.part,
                "bytes": payload.size,
                "sha256": hex(&payload.sha256),
                "chunks": payload.chunks,
                "stored": payload.data,
                "app": payload.app.as_ref().map(|app| {
                    json!({ "version": app.version, "system": app.system, "floor": app.floor })
                }),
                "bootloader": payload.bootloader.map(|loader| json!({ "script": loader.script })),
                "against": payload.against.map(|old| json!({ "bytes": old.size, "sha256": hex(&old.sha256) })),
            })
        })
        .collect();
    let kinds: Vec<&str> = bundle
        .signatures
        .iter()
        .map(|signature| match signature.kind {
            SignatureKind::Minisign => "minisign",
            SignatureKind::Cms => "cms",
            _ => "unknown",
        })
        .collect();
    let free: Vec<Value> =
        manifest.free.iter().map(|(path, bytes)| json!({ "path": path, "bytes": bytes })).collect();
    json!({
        "compatible": manifest.compatible,
        "revisions": manifest.revisions,
        "version": manifest.version,
        "floor": manifest.floor,
        "recovery": manifest.recovery,
        "build": manifest.build,
        "update": bundle.id(),
        "bytes": bundle.size(),
        "free": free,
        "needs": manifest.needs.iter().map(|need| json!({ "app": need.app, "version": need.version })).collect::<Vec<_>>(),
        "payloads": payloads,
        "signatures": kinds,
        "verified": false,
    })
}
