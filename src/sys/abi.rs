//! The kernel's MTD and UBI structures and constants, made by tools/regenerate-abi.sh.
//! Kernel headers: Linux 6.1.

pub const MTD_RAM: u32 = 1;
pub const MTD_NORFLASH: u32 = 3;
pub const MTD_NANDFLASH: u32 = 4;
pub const MTD_DATAFLASH: u32 = 6;
pub const MTD_UBIVOLUME: u32 = 7;
pub const MTD_MLCNANDFLASH: u32 = 8;
pub const MTD_BIT_WRITEABLE: u32 = 2048;
pub const MTD_NO_ERASE: u32 = 4096;
pub const UBI_DEV_NUM_AUTO: i32 = -1;
pub type __s8 = core::ffi::c_schar;
pub type __u8 = core::ffi::c_uchar;
pub type __s16 = core::ffi::c_short;
pub type __s32 = core::ffi::c_int;
pub type __u32 = core::ffi::c_uint;
pub type __u64 = core::ffi::c_ulonglong;
#[repr(C)]
#[derive(Default, Copy, Clone)]
pub struct erase_info_user {
    pub start: __u32,
    pub length: __u32,
}
#[repr(C)]
#[derive(Default, Copy, Clone)]
pub struct erase_info_user64 {
    pub start: __u64,
    pub length: __u64,
}
#[repr(C)]
#[derive(Default, Copy, Clone)]
pub struct mtd_info_user {
    pub type_: __u8,
    pub flags: __u32,
    pub size: __u32,
    pub erasesize: __u32,
    pub writesize: __u32,
    pub oobsize: __u32,
    pub padding: __u64,
}
#[repr(C)]
#[derive(Default, Copy, Clone)]
pub struct mtd_ecc_stats {
    pub corrected: __u32,
    pub failed: __u32,
    pub badblocks: __u32,
    pub bbtblocks: __u32,
}
#[repr(C)]
#[derive(Default, Copy, Clone)]
pub struct ubi_attach_req {
    pub ubi_num: __s32,
    pub mtd_num: __s32,
    pub vid_hdr_offset: __s32,
    pub max_beb_per1024: __s16,
    pub disable_fm: __s8,
    pub padding: [__s8; 9usize],
}
#[repr(C, packed)]
#[derive(Default, Copy, Clone)]
pub struct ubi_leb_change_req {
    pub lnum: __s32,
    pub bytes: __s32,
    pub dtype: __s8,
    pub padding: [__s8; 7usize],
}
pub const GENERIC_MEMGETINFO: core::ffi::c_uint = 2149600513;
pub const GENERIC_MEMERASE: core::ffi::c_uint = 1074285826;
pub const GENERIC_MEMLOCK: core::ffi::c_uint = 1074285829;
pub const GENERIC_MEMUNLOCK: core::ffi::c_uint = 1074285830;
pub const GENERIC_MEMGETBADBLOCK: core::ffi::c_uint = 1074285835;
pub const GENERIC_MEMSETBADBLOCK: core::ffi::c_uint = 1074285836;
pub const GENERIC_ECCGETSTATS: core::ffi::c_uint = 2148551954;
pub const GENERIC_MEMERASE64: core::ffi::c_uint = 1074810132;
pub const GENERIC_MEMISLOCKED: core::ffi::c_uint = 2148027671;
pub const GENERIC_UBI_IOCATT: core::ffi::c_uint = 1075343168;
pub const GENERIC_UBI_IOCVOLUP: core::ffi::c_uint = 1074286336;
pub const GENERIC_UBI_IOCEBER: core::ffi::c_uint = 1074024193;
pub const GENERIC_UBI_IOCEBCH: core::ffi::c_uint = 1074024194;
