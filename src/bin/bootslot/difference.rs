//! `bootslot bundle diff`: what differs between two bundles, and what a device fetches that runs the old one.

use std::cmp::Ordering;
use std::fmt::Write;
use std::path::Path;

use bootslot::update::bundle::manifest::{hex, Payload};
use bootslot::update::bundle::version::compare;
use bootslot::update::source::FileSource;
use bootslot::update::{Bundle, Common};
use serde_json::{json, Value};

use crate::outcome::{print, Outcome};
use crate::report::to_json;

/// An image of the new bundle, and of the old one if it is there for the same part.
struct Image<'a> {
    old: Option<&'a Payload>,
    new: &'a Payload,
    /// Where both are there.
    common: Option<Common>,
}

impl Image<'_> {
    fn is_same(&self) -> bool {
        self.old.is_some_and(|old| old.sha256 == self.new.sha256)
    }

    fn fetched(&self) -> u64 {
        self.common.map_or(self.new.data, |common| common.fetched)
    }

    /// Chunks of different average sizes are nearly all different.
    fn is_cut_otherwise(&self) -> bool {
        let full = self.new.against.is_none();
        full && self.old.is_some_and(|old| old.average != self.new.average || old.against.is_some())
    }
}

/// Runs the command.
pub fn run(old: &Path, new: &Path, as_json: bool) -> Outcome {
    let open = |path: &Path| Outcome::Ok(Bundle::inspect(Box::new(FileSource::open(path)?))?);
    let (mut old, mut new) = (open(old)?, open(new)?);
    let (old_tables, new_tables) = (old.tables()?, new.tables()?);
    let images: Vec<Image<'_>> = (new.manifest.payloads.iter().zip(&new_tables))
        .map(|(payload, table)| {
            let pairs = old.manifest.payloads.iter().zip(&old_tables);
            let same = pairs.into_iter().find(|(old, _)| old.part == payload.part);
            Image {
                old: same.map(|(old, _)| old),
                new: payload,
                common: same.map(|(_, old)| Common::of(old, table)),
            }
        })
        .collect();
    let data: u64 = new.manifest.payloads.iter().map(|payload| payload.data).sum();
    // The head, the signatures, the manifest and the tables are fetched each time.
    let fetched = new.size() - data + images.iter().map(Image::fetched).sum::<u64>();
    print(&match as_json {
        true => to_json(&in_json(&old, &new, &images, fetched)),
        false => in_words(&old, &new, &images, fetched).into_bytes(),
    })
}

fn in_words(old: &Bundle, new: &Bundle, images: &[Image<'_>], fetched: u64) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "{name:14}{value}");
    };
    let (before, after) = (&old.manifest, &new.manifest);
    let order = match compare(&before.version, &after.version) {
        Ordering::Less => "newer",
        Ordering::Equal => "the same",
        Ordering::Greater => "OLDER",
    };
    line("version:", &format!("{} -> {}, {order}", before.version, after.version));
    let none = || "none".to_owned();
    let list = |items: &[String]| if items.is_empty() { none() } else { items.join(", ") };
    let pairs = [
        ("compatible:", before.compatible.clone(), after.compatible.clone()),
        ("revisions:", list(&before.revisions), list(&after.revisions)),
        ("floor:", before.floor.clone().unwrap_or_else(none), after.floor.clone().unwrap_or_else(none)),
    ];
    for (name, before, after) in pairs.iter().filter(|(_, before, after)| before != after) {
        line(name, &format!("{before} -> {after}"));
    }
    for image in images {
        let Image { new, common, .. } = image;
        let part = &new.part;
        match common {
            _ if image.is_same() => line("image:", &format!("{part}, the same {} bytes", new.size)),
            None => line("image:", &format!("{part}, new, {} bytes", new.size)),
            Some(Common { zeros, shared, new: others, .. }) => {
                line("image:", &format!("{part}, {} bytes", new.size));
                line("  in both:", &format!("{shared} bytes, and {zeros} of zeros"));
                line("  new:", &format!("{others} bytes, {} to fetch", image.fetched()));
            }
        }
        if image.is_cut_otherwise() && !image.is_same() {
            line("", "the two were cut into chunks of different sizes, or the old one is a patch");
        }
    }
    let gone =
        old.manifest.payloads.iter().filter(|old| !images.iter().any(|image| image.new.part == old.part));
    for payload in gone {
        line("image:", &format!("{}, not there any more", payload.part));
    }
    line("to fetch:", &format!("{fetched} bytes of {}", new.size()));
    text
}

fn in_json(old: &Bundle, new: &Bundle, images: &[Image<'_>], fetched: u64) -> Value {
    let describe = |bundle: &Bundle| {
        let manifest = &bundle.manifest;
        json!({
            "version": manifest.version,
            "compatible": manifest.compatible,
            "revisions": manifest.revisions,
            "floor": manifest.floor,
            "update": bundle.id(),
            "bytes": bundle.size(),
            "parts": manifest.payloads.iter().map(|payload| &payload.part).collect::<Vec<_>>(),
        })
    };
    let images: Vec<Value> = images
        .iter()
        .map(|image| {
            let common = image.common.unwrap_or_default();
            json!({
                "part": image.new.part,
                "bytes": image.new.size,
                "same": image.is_same(),
                "old_sha256": image.old.map(|old| hex(&old.sha256)),
                "sha256": hex(&image.new.sha256),
                "zeros": image.common.map(|_| common.zeros),
                "in_both": common.shared,
                "fetched": image.fetched(),
            })
        })
        .collect();
    json!({ "old": describe(old), "new": describe(new), "images": images, "fetched": fetched })
}
