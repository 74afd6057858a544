//! A UBI volume: read whole, replaced whole or LEB by LEB.

use std::io;

use super::power::Extent;

/// A volume. From the start of an update until its end the volume carries UBI's update marker and
/// can't be read (EBADF), whatever was written of it: the old content is gone. A LEB of a dynamic volume changes at
/// once or not at all; that does not take a marker away.
#[derive(Debug, Clone)]
pub(super) struct Ubi {
    data: Vec<u8>,
    /// 0 in a static volume.
    leb_size: usize,
    marked: bool,
}

impl Ubi {
    pub(super) fn new(capacity: usize, leb_size: usize) -> Self {
        Ubi { data: vec![0xff; capacity], leb_size, marked: false }
    }

    pub(super) fn capacity(&self) -> usize {
        self.data.len()
    }

    pub(super) fn leb_size(&self) -> usize {
        self.leb_size
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

    /// drivers/mtd/ubi/cdev.c, UBI_IOCEBCH: the LEB gets the bytes and 0xff behind them.
    pub(super) fn change(&mut self, data: &[u8], extent: Extent) -> io::Result<()> {
        let error = |errno| Err(io::Error::from_raw_os_error(errno));
        if self.leb_size == 0 {
            return error(libc::EROFS);
        }
        if data.len() > self.leb_size {
            return error(libc::EINVAL);
        }
        match extent {
            Extent::Whole => {
                let leb = &mut self.data[..self.leb_size];
                leb.fill(0xff);
                leb[..data.len()].copy_from_slice(data);
            }
            Extent::Part(_) | Extent::Nothing | Extent::Lie => {}
            Extent::Wear => return error(libc::EIO),
        }
        Ok(())
    }
}
