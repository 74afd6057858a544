//! A copy that is not there: its device or file is missing, or too small. It can't be read or written, and the other one
//! is used. Where it is to lie in a regular file, that can be made ([`Unmade`]); then the copy is like any other.

use std::io;
use std::path::Path;

use super::unmade::Unmade;
use super::{EnvCopy, MediumKind, Method, WriteStats};
use crate::config::Device;
use crate::error::{Error, Place, Result};

/// The copy: not there, or made since.
pub(super) struct AbsentCopy {
    device: Device,
    kind: MediumKind,
    /// Why it is not there.
    error: Error,
    /// The file that can be made for it.
    unmade: Option<Unmade>,
    made: Option<Box<dyn EnvCopy>>,
}

impl AbsentCopy {
    pub(super) fn new(device: &Device, kind: MediumKind, error: Error) -> Self {
        AbsentCopy { device: device.clone(), kind, error, unmade: None, made: None }
    }

    /// The copy in a file that is missing or empty.
    pub(super) fn unmade(device: &Device, unmade: Unmade) -> Self {
        let message = "the file is missing or empty; it is made by a repair, and with a new environment";
        let error = io::Error::new(io::ErrorKind::NotFound, message);
        let error = Place::new(&device.path, "opening").io(error);
        AbsentCopy { unmade: Some(unmade), ..Self::new(device, MediumKind::File, error) }
    }

    /// What was made meanwhile, or the error once more: one that holds an io::Error can't be cloned.
    fn there(&mut self) -> Result<&mut dyn EnvCopy> {
        if let Some(made) = &mut self.made {
            return Ok(&mut **made);
        }
        Err(match &self.error {
            Error::Io { place, error } => place.clone().io(match error.raw_os_error() {
                Some(code) => io::Error::from_raw_os_error(code),
                None => io::Error::new(error.kind(), error.to_string()),
            }),
            Error::Device { path, message } => Error::Device { path: path.clone(), message: message.clone() },
            other => Place::new(&self.device.path, "opening").io(io::Error::other(other.to_string())),
        })
    }
}

impl EnvCopy for AbsentCopy {
    fn kind(&self) -> MediumKind {
        self.kind
    }

    fn path(&self) -> &Path {
        &self.device.path
    }

    fn offset(&self) -> u64 {
        u64::try_from(self.device.offset).unwrap_or_default()
    }

    fn size(&self) -> usize {
        usize::try_from(self.device.size).unwrap_or(usize::MAX)
    }

    fn read(&mut self, buf: &mut [u8]) -> Result<()> {
        self.there()?.read(buf)
    }

    fn settle(&mut self) -> Result<WriteStats> {
        self.made.as_mut().map_or(Ok(WriteStats::default()), |copy| copy.settle())
    }

    fn write(&mut self, before: Option<&[u8]>, settled: bool, new: &[u8]) -> Result<WriteStats> {
        self.there()?.write(before, settled, new)
    }

    fn erase(&mut self) -> Result<WriteStats> {
        self.there()?.erase()
    }

    fn set_byte(&mut self, at: usize, byte: u8) -> Result<WriteStats> {
        self.there()?.set_byte(at, byte)
    }

    fn is_unmade(&self) -> bool {
        self.unmade.is_some() && self.made.is_none()
    }

    fn make(&mut self) -> Result<()> {
        if let (Some(unmade), None) = (&self.unmade, &self.made) {
            self.made = Some(unmade.make(&self.device)?);
        }
        Ok(())
    }

    fn can_tear(&self, len: usize) -> bool {
        self.made.as_ref().is_some_and(|copy| copy.can_tear(len))
    }

    fn method(&self) -> Method {
        self.made.as_ref().map_or(Method::InPlace, |copy| copy.method())
    }
}
