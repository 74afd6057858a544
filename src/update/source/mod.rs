//! Where a bundle's bytes come from: a file, a stream that is read once from the front, or a server.

#[cfg(feature = "http")]
pub mod http;

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::error::{Result, UpdateError};
use crate::error::Place;
#[cfg(feature = "http")]
pub use http::HttpSource;

/// A bundle, byte by byte.
#[allow(clippy::len_without_is_empty, reason = "no bundle is empty")]
pub trait Source: Send {
    /// Fills `buf` from `offset` of the bundle. The installation asks in ascending order.
    ///
    /// Errors: [`io::ErrorKind::UnexpectedEof`] where the bundle ends before.
    fn read(&mut self, offset: u64, buf: &mut [u8]) -> io::Result<()>;

    /// How long it is, where that is known.
    fn len(&self) -> Option<u64> {
        None
    }

    /// Whether its bytes cost something, as over a network: what is to be had elsewhere is not asked for then.
    fn is_dear(&self) -> bool {
        false
    }

    /// These ranges, in ascending order and without overlaps, are all that will be read from now on, unless something
    /// unforeseen needs a few bytes more. Only a [dear](Source::is_dear) source is told.
    fn announce(&mut self, _ranges: &[Range<u64>]) {}

    /// The same with an error that says what could not be read.
    ///
    /// # Errors
    ///
    /// [`UpdateError::Read`].
    fn fetch(&mut self, offset: u64, buf: &mut [u8]) -> Result<()> {
        self.read(offset, buf).map_err(|error| UpdateError::Read { offset, error })
    }
}

/// A bundle in a file.
#[derive(Debug)]
pub struct FileSource {
    file: File,
    len: u64,
}

impl FileSource {
    /// Opens a bundle. What can only be read from the front, such as a FIFO, is a [`StreamSource`].
    ///
    /// # Errors
    ///
    /// [`Error::Io`](crate::Error::Io).
    pub fn open(path: &Path) -> crate::Result<FileSource> {
        let open = || {
            let file = File::open(path)?;
            let len = file.metadata()?.len();
            Ok(FileSource { file, len })
        };
        open().map_err(|error| Place::new(path, "opening the bundle").io(error))
    }
}

/// A bundle in an open file: from its first byte on, or as a stream from where it stands if the file can only be read
/// from the front.
///
/// # Errors
///
/// The system does not say what it is.
pub fn from_file(file: File) -> io::Result<Box<dyn Source>> {
    let metadata = file.metadata()?;
    Ok(match metadata.is_file() {
        true => Box::new(FileSource { file, len: metadata.len() }),
        false => Box::new(StreamSource::new(file)),
    })
}

impl Source for FileSource {
    fn read(&mut self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.file.read_exact_at(buf, offset)
    }

    fn len(&self) -> Option<u64> {
        Some(self.len)
    }
}

/// A bundle that comes from a pipe.
pub struct StreamSource<R> {
    stream: R,
    position: u64,
}

impl<R: Read> StreamSource<R> {
    /// A bundle of which nothing was read yet.
    pub fn new(stream: R) -> Self {
        StreamSource { stream, position: 0 }
    }
}

impl<R: Read + Send> Source for StreamSource<R> {
    fn read(&mut self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        let Some(skip) = offset.checked_sub(self.position) else {
            return Err(io::Error::other("a stream can't be read a second time"));
        };
        let skipped = io::copy(&mut self.stream.by_ref().take(skip), &mut io::sink())?;
        self.position += skipped;
        if skipped < skip {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.stream.read_exact(buf)?;
        self.position += buf.len() as u64;
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_read_forwards() {
        let mut source = StreamSource::new(&b"0123456789"[..]);
        let mut two = [0; 2];
        source.read(1, &mut two).unwrap();
        assert_eq!(&two, b"12");
        source.read(5, &mut two).unwrap();
        assert_eq!(&two, b"56");
        assert!(source.read(5, &mut two).is_err());
        assert_eq!(source.read(9, &mut two).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        let mut source = StreamSource::new(&b"01"[..]);
        assert_eq!(source.read(3, &mut two).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
