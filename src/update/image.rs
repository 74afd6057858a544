//! Pure: one image of a bundle, and how much of it was done.

use std::ops::ControlFlow;

use super::bundle::manifest::Payload;
use super::bundle::table::Table;
use super::bundle::Bundle;
use super::source::Source;

/// How much was done, in bytes of the image.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Done {
    /// Of the image, zeros included.
    pub all: u64,
    /// Written.
    pub written: u64,
    /// There already.
    pub kept: u64,
    /// Written, and taken from the running slot.
    pub copied: u64,
    /// Taken from the bundle, as long as they are there.
    pub fetched: u64,
}

impl std::ops::AddAssign for Done {
    fn add_assign(&mut self, other: Self) {
        self.all += other.all;
        self.written += other.written;
        self.kept += other.kept;
        self.copied += other.copied;
        self.fetched += other.fetched;
    }
}

/// Hears how far it is, and can cancel.
pub type Report<'a> = &'a mut dyn FnMut(Done) -> ControlFlow<()>;

/// An image in a bundle.
#[derive(Clone, Copy)]
pub struct Image<'a> {
    /// What the manifest says of it.
    pub payload: &'a Payload,
    /// Its chunks.
    pub table: &'a Table,
    /// Where its data start in the bundle.
    pub data: u64,
}

/// The images of a bundle with their [tables](Bundle::tables), and where the bundle's bytes come from.
pub fn images<'a>(bundle: &'a mut Bundle, tables: &'a [Table]) -> (Vec<Image<'a>>, &'a mut dyn Source) {
    let places: Vec<u64> = bundle.payloads().map(|(_, position)| position.data).collect();
    let images = bundle.manifest.payloads.iter().zip(tables).zip(places);
    let images = images.map(|((payload, table), data)| Image { payload, table, data }).collect();
    (images, bundle.source.as_mut())
}
