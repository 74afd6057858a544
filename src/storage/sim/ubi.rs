//! A UBI volume: read whole, replaced whole or LEB by LEB.

use std::io;
use std::ops::Range;

use super::power::Extent;
use super::{range_of, violation};

/// A volume. From the start of an update until its end the volume carries UBI's update marker and
/// can't be read (EBADF), whatever was written of it: the old content is gone. A LEB of a dynamic volume changes at
/// once or not at all; that does not take a marker away. The emptying of a LEB that is cut has happened or has not.
/// A static volume ends where its last update ended.
#[derive(Debug, Clone)]
pub(super) struct Ubi {
    data: Vec<u8>,
    /// Bytes from the start that can be read.
    used: usize,
    /// 0 in a static volume.
    leb_size: usize,
    marked: bool,
    /// An update in pieces: what is still to come.
    updating: Option<Range<usize>>,
}

impl Ubi {
    pub(super) fn new(capacity: usize, leb_size: usize) -> Self {
        Ubi { data: vec![0xff; capacity], used: capacity, leb_size, marked: false, updating: None }
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

    /// Bytes from the start that can be read.
    #[cfg(any(test, feature = "update"))]
    pub(super) fn used(&self) -> usize {
        self.used
    }

    /// Whoever was updating it is gone.
    pub(super) fn forget_program(&mut self) {
        self.updating = None;
    }

    pub(super) fn factory_write(&mut self, content: Option<&[u8]>) {
        self.marked = content.is_none();
        self.fill(content.unwrap_or_default());
    }

    fn fill(&mut self, content: &[u8]) {
        if self.leb_size == 0 {
            self.used = content.len();
        }
        self.data.fill(0xff);
        self.data[..content.len()].copy_from_slice(content);
    }

    pub(super) fn read(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        // drivers/mtd/ubi/cdev.c, vol_cdev_read.
        let error = |errno| Err(io::Error::from_raw_os_error(errno));
        if self.updating.is_some() {
            return error(libc::EBUSY);
        }
        let Some(data) = self.content() else { return error(libc::EBADF) };
        let range = range_of(offset, buf.len(), self.used).ok_or(io::ErrorKind::UnexpectedEof)?;
        buf.copy_from_slice(&data[range]);
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

    /// The start of an update in pieces, to `len` bytes (UBI_IOCVOLUP). An update to nothing is complete at once.
    #[cfg(any(test, feature = "update"))]
    pub(super) fn start_update(&mut self, len: usize, extent: Extent) -> io::Result<()> {
        if len > self.data.len() {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        match extent {
            Extent::Whole => {
                self.fill(&[]);
                self.marked = len > 0;
                self.updating = (len > 0).then_some(0..len);
            }
            Extent::Part(_) => {
                self.fill(&[]);
                self.marked = true;
            }
            Extent::Nothing | Extent::Lie => {}
            Extent::Wear => return Err(io::Error::from_raw_os_error(libc::EIO)),
        }
        Ok(())
    }

    /// What follows in an update in pieces.
    pub(super) fn go_on(&mut self, offset: u64, data: &[u8], extent: Extent) -> io::Result<()> {
        let Some(left) = self.updating.clone() else {
            violation(format_args!("UBI: writing to a static volume that is not being updated"));
        };
        if offset != left.start as u64 || data.len() > left.len() {
            violation(format_args!(
                "UBI: {} bytes at {offset:#x} of an update, and {left:#x?} are left",
                data.len()
            ));
        }
        match extent {
            Extent::Whole => self.data[left.start..][..data.len()].copy_from_slice(data),
            Extent::Part(_) | Extent::Lie => {}
            Extent::Nothing => return Ok(()),
            Extent::Wear => return Err(io::Error::from_raw_os_error(libc::EIO)),
        }
        let left = left.start + data.len()..left.end;
        if left.is_empty() && !matches!(extent, Extent::Part(_)) {
            (self.marked, self.used, self.updating) = (false, left.end, None);
        } else {
            self.updating = Some(left);
        }
        Ok(())
    }

    fn leb(&self, offset: u64) -> io::Result<Range<usize>> {
        if self.leb_size == 0 {
            return Err(io::Error::from_raw_os_error(libc::EROFS));
        }
        match range_of(offset, self.leb_size, self.data.len()) {
            Some(leb) if leb.start % self.leb_size == 0 => Ok(leb),
            _ => violation(format_args!("UBI: {offset:#x} is not the start of a LEB")),
        }
    }

    /// drivers/mtd/ubi/cdev.c, UBI_IOCEBER.
    pub(super) fn erase(&mut self, offset: u64, extent: Extent) -> io::Result<()> {
        let leb = self.leb(offset)?;
        match extent {
            Extent::Whole => self.data[leb].fill(0xff),
            Extent::Part(torn) if torn.tail % 2 == 1 => self.data[leb].fill(0xff),
            Extent::Part(_) | Extent::Nothing | Extent::Lie => {}
            Extent::Wear => return Err(io::Error::from_raw_os_error(libc::EIO)),
        }
        Ok(())
    }

    /// drivers/mtd/ubi/cdev.c, UBI_IOCEBCH: the LEB gets the bytes and 0xff behind them.
    pub(super) fn change(&mut self, offset: u64, data: &[u8], extent: Extent) -> io::Result<()> {
        let error = |errno| Err(io::Error::from_raw_os_error(errno));
        let leb = self.leb(offset)?;
        if data.len() > leb.len() {
            return error(libc::EINVAL);
        }
        match extent {
            Extent::Whole => {
                let leb = &mut self.data[leb];
                leb.fill(0xff);
                leb[..data.len()].copy_from_slice(data);
            }
            Extent::Part(_) | Extent::Nothing | Extent::Lie => {}
            Extent::Wear => return error(libc::EIO),
        }
        Ok(())
    }
}
