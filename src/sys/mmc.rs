//! The register EXT_CSD of an eMMC, by the kernel's MMC_IOC_CMD (include/uapi/linux/mmc/ioctl.h).

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

use super::check;

/// Bytes of the register (JESD84-B51, 7.4).
pub const EXT_CSD: usize = 512;

/// `struct mmc_ioc_cmd`; the same on 32 and on 64 bits.
#[repr(C)]
#[derive(Default)]
#[allow(non_camel_case_types)]
struct mmc_ioc_cmd {
    write_flag: libc::c_int,
    is_acmd: libc::c_int,
    opcode: u32,
    arg: u32,
    response: [u32; 4],
    flags: libc::c_uint,
    blksz: libc::c_uint,
    blocks: libc::c_uint,
    postsleep_min_us: libc::c_uint,
    postsleep_max_us: libc::c_uint,
    data_timeout_ns: libc::c_uint,
    cmd_timeout_ms: libc::c_uint,
    pad: u32,
    data_ptr: u64,
}

/// The major number of MMC block devices is the letter of the call (MMC_BLOCK_MAJOR, linux/major.h).
const MMC_IOC_CMD: libc::Ioctl = libc::_IOWR::<mmc_ioc_cmd>(179, 0);

/// SEND_EXT_CSD and SWITCH (JESD84-B51, 6.10.4).
const SEND_EXT_CSD: u32 = 8;
const SWITCH: u32 = 6;
/// SWITCH writes one byte of EXT_CSD (JESD84-B51, 6.6.1).
const WRITE_BYTE: u32 = 3;

/// What the host expects in answer, as the kernel numbers it (include/linux/mmc/core.h): present, with a CRC, with the opcode;
/// with the bits for a card on SPI.
const R1: u32 = 1 << 0 | 1 << 2 | 1 << 4 | 1 << 7;
/// The same, and busy until it is done.
const R1B: u32 = R1 | 1 << 3 | 1 << 10;
/// The command brings data.
const WITH_DATA: u32 = 1 << 5;

/// The whole register. `device` is the eMMC itself, no partition of it; this needs CAP_SYS_RAWIO.
pub fn ext_csd(device: &File) -> io::Result<[u8; EXT_CSD]> {
    let mut register = [0; EXT_CSD];
    let mut command = mmc_ioc_cmd {
        opcode: SEND_EXT_CSD,
        flags: R1 | WITH_DATA,
        blksz: EXT_CSD as libc::c_uint,
        blocks: 1,
        data_ptr: register.as_mut_ptr() as usize as u64,
        ..mmc_ioc_cmd::default()
    };
    // SAFETY: the kernel reads the command, and writes blksz * blocks bytes to data_ptr, which are those of `register`.
    check(unsafe { libc::ioctl(device.as_raw_fd(), MMC_IOC_CMD, &mut command as *mut mmc_ioc_cmd) })?;
    Ok(register)
}

/// Sets one byte of the register, and returns when the eMMC is no longer busy with it.
pub fn set_ext_csd(device: &File, index: u8, value: u8) -> io::Result<()> {
    let mut command = mmc_ioc_cmd {
        write_flag: 1,
        opcode: SWITCH,
        // The lowest byte is the command set: 1 is the standard one.
        arg: WRITE_BYTE << 24 | u32::from(index) << 16 | u32::from(value) << 8 | 1,
        flags: R1B,
        ..mmc_ioc_cmd::default()
    };
    // SAFETY: the kernel reads the command, and writes its response into it; there are no data.
    check(unsafe { libc::ioctl(device.as_raw_fd(), MMC_IOC_CMD, &mut command as *mut mmc_ioc_cmd) })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_call_is_the_kernels() {
        assert_eq!(size_of::<mmc_ioc_cmd>(), 72);
        // As a C compiler prints it for x86 and ARM.
        #[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "arm"))]
        assert_eq!(MMC_IOC_CMD as u32, 0xc048_b300);
        let file = File::open("/dev/null").unwrap();
        assert_eq!(ext_csd(&file).unwrap_err().raw_os_error(), Some(libc::ENOTTY));
        assert_eq!(set_ext_csd(&file, 179, 8).unwrap_err().raw_os_error(), Some(libc::ENOTTY));
    }
}
