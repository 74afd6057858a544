//! Where a bundle comes from, as the command line says it: a file, standard input, or a server.

use std::io;
use std::path::PathBuf;

use bootslot::update::bundle::manifest::is_part;
use bootslot::update::source::{FileSource, Source, StreamSource};
use clap::Args;

use crate::interrupt::Interrupt;
use crate::outcome::Outcome;

/// The bundle and how it is fetched.
#[derive(Args)]
pub struct Origin {
    /// The bundle: a file, - for standard input, or an address of http or https
    bundle: PathBuf,

    #[cfg(feature = "http")]
    #[command(flatten)]
    http: crate::http::Download,
}

impl Origin {
    /// Opens the bundle; `json` says how waits are told.
    pub fn open(&self, json: bool) -> Outcome<Box<dyn Source>> {
        self.open_until(&Interrupt::default(), json)
    }

    /// The same; what waits for a server then ends as soon as this is set.
    pub fn open_until(&self, interrupt: &Interrupt, json: bool) -> Outcome<Box<dyn Source>> {
        match self.bundle.to_str() {
            Some("-") => Ok(Box::new(StreamSource::new(io::stdin()))),
            Some(address) if address.contains("://") => self.fetch(address, interrupt, json),
            _ => Ok(Box::new(FileSource::open(&self.bundle)?)),
        }
    }

    #[cfg(feature = "http")]
    fn fetch(&self, address: &str, interrupt: &Interrupt, json: bool) -> Outcome<Box<dyn Source>> {
        let source = self.http.source(address, json)?;
        let canceller = source.canceller();
        interrupt.then(move || canceller.cancel());
        Ok(Box::new(source))
    }

    #[cfg(not(feature = "http"))]
    fn fetch(&self, _address: &str, _interrupt: &Interrupt, _json: bool) -> Outcome<Box<dyn Source>> {
        Err(crate::outcome::Failure::Usage(
            "this program was built without the feature `http`, and can't fetch a bundle from a server: \
             download it, and give it as a file or on standard input"
                .into(),
        ))
    }
}

/// `PART=FILE`: an image in a file, and the part of a slot that it is for.
pub fn image(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((part, file)) if is_part(part) && !file.is_empty() => Ok((part.to_owned(), file.into())),
        _ => Err("an image is given as PART=FILE, such as root=rootfs.ext4".into()),
    }
}
