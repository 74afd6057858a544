//! A UBI volume: read whole, replaced whole.

use std::io;

use super::power::Extent;

/// A dynamic volume. From the start of an update until its end the volume carries UBI's update marker and
/// can't be read (EBADF), whatever was written of it: the old content is gone.
#[derive(Debug, Clone)]
pub(super) struct Ubi {
    data: Vec<u8>,
    marked: bool,
}

impl Ubi {
    pub(super) fn new(capacity: usize) -> Self {
        Ubi { data: vec![0xff; capacity], marked: false }
    }

    pub(super) fn capacity(&self) -> usize {
        self.data.len()
    }

    /// The content; `None` while the update marker is set.
    pub(super) fn content(&self) -> Option<&[u8]> {
        (!self.marked).then_some(&self.data)
    }

    pub(super) fn factory_write(&mut self, content: Option<&[u8]>) {
        self.marked = content.is_none();
        self.fill(content.unwrap_or_default());
    }

    fn fill(&mut self, content: &[u8]) {
        self.data.fill(0xff);
        self.data[..content.len()].copy_from_slice(content);
    }

    pub(super) fn read(&self, buf: &mut [u8]) -> io::Result<()> {
        // drivers/mtd/ubi/cdev.c, vol_cdev_read.
        let data = self.content().ok_or_else(|| io::Error::from_raw_os_error(libc::EBADF))?;
        let part = data.get(..buf.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        buf.copy_from_slice(part);
        Ok(())
    }

    pub(super) fn update(&mut self, data: &[u8], extent: Extent) -> io::Result<()> {
        if data.len() > self.data.len() {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        match extent {
            Extent::Whole => {
                self.fill(data);
                self.marked = false;
            }
            Extent::Part(_) => self.marked = true,
            Extent::Nothing | Extent::Lie => {}
            Extent::Wear => return Err(io::Error::from_raw_os_error(libc::EIO)),
        }
        Ok(())
    }
}
