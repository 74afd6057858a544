//! The other readers on the bytes of a device: U-Boot, its fw_printenv, libubootenv, fwup and Nerves'
//! uboot_env. What they read and how they check it is modelled here, which copy they take in `models`.

use bootslot::storage::{MediumKind, OpenMedium};

use crate::models::{self, Found};
use crate::rig::{Kind, Place, Rig};
use crate::workload::Vars;

/// What a reader makes of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum View {
    /// The variables of the copy that it takes.
    Vars(usize, Vars),
    /// No copy is valid: it uses its defaults.
    Nothing,
    /// It gives up because a copy could not be read.
    Refuses,
}

/// How a reader comes to the bytes of a copy.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    /// U-Boot's drivers: an uncorrectable page fails the read.
    Bootloader,
    /// The kernel's /dev/mtd: mtdchar_read hands out the bytes of an uncorrectable page as they are.
    UserSpace,
}

/// The U-Boot that reads a single copy in the first of two places.
pub const UPGRADING: &str = "U-Boot with ENV_REDUNDANT_UPGRADE";

type Choose = fn(Found, Found) -> Option<usize>;

/// The models that read a kind of medium.
fn readers(kind: Kind) -> &'static [(&'static str, Access, Choose)] {
    use Access::{Bootloader, UserSpace};
    match kind {
        Kind::Nor | Kind::EccNor => &[
            ("U-Boot env/flash.c", Bootloader, models::uboot_flash),
            ("U-Boot env/sf.c", Bootloader, models::uboot_check_redund),
            (UPGRADING, Bootloader, models::uboot_check_redund_upgrade),
            ("fw_printenv", UserSpace, models::fw_env_boolean),
            ("libubootenv", UserSpace, models::libubootenv_boolean),
        ],
        Kind::DataFlash => &[
            ("U-Boot env/sf.c", Bootloader, models::uboot_check_redund),
            (UPGRADING, Bootloader, models::uboot_check_redund_upgrade),
            ("fw_printenv", UserSpace, models::fw_env_boolean),
        ],
        Kind::Nand | Kind::Ubi => &[
            ("U-Boot", Bootloader, models::uboot_check_redund),
            (UPGRADING, Bootloader, models::uboot_check_redund_upgrade),
            ("fw_printenv", UserSpace, models::fw_env_incremental),
            ("libubootenv", UserSpace, models::libubootenv_incremental),
        ],
        // No other tool takes an MTD RAM device; this is what it would be as a file.
        Kind::Ram => &[
            ("U-Boot", Bootloader, models::uboot_check_redund),
            (UPGRADING, Bootloader, models::uboot_check_redund_upgrade),
        ],
        Kind::Block | Kind::File => &[
            ("U-Boot", Bootloader, models::uboot_check_redund),
            (UPGRADING, Bootloader, models::uboot_check_redund_upgrade),
            ("fw_printenv", UserSpace, models::fw_env_incremental),
            ("libubootenv", UserSpace, models::libubootenv_incremental),
            ("fwup", UserSpace, models::fwup),
            ("uboot_env.ex", UserSpace, models::uboot_env_ex),
        ],
    }
}

/// What each other reader sees.
pub fn views(rig: &Rig) -> Vec<(&'static str, View)> {
    let images: Vec<Option<Vec<u8>>> = rig.places.iter().map(|p| user_space_bytes(p, rig.size)).collect();
    let boot_fails: Vec<bool> = rig.places.iter().map(bootloader_fails).collect();
    readers(rig.kind)
        .iter()
        .map(|&(name, access, choose)| {
            let copies = images.iter().zip(&boot_fails).map(|(image, &boot_fails)| match access {
                Access::Bootloader => image.as_deref().filter(|_| !boot_fails),
                Access::UserSpace => image.as_deref(),
            });
            let copies: Vec<Option<&[u8]>> = copies.collect();
            // fw_env.c ubi_read: EBADF leaves the zeroed buffer, whose checksum is wrong.
            let lenient = rig.kind == Kind::Ubi && name == "fw_printenv";
            (name, view(&copies, choose, lenient))
        })
        .collect()
}

fn view(copies: &[Option<&[u8]>], choose: Choose, lenient: bool) -> View {
    let [one, two] = copies else {
        // A single copy: checksum, then data.
        return match copies[0] {
            Some(bytes) if crc(&bytes[4..]) == stored_crc(bytes) => variables(0, &bytes[4..]),
            Some(_) => View::Nothing,
            None => View::Refuses,
        };
    };
    let found = |copy: &Option<&[u8]>| match copy {
        Some(bytes) => {
            let single_ok = crc(&bytes[4..]) == stored_crc(bytes);
            Found {
                read_fail: false,
                crc_ok: crc(&bytes[5..]) == stored_crc(bytes),
                flags: bytes[4],
                single_ok,
            }
        }
        None => Found { read_fail: !lenient, crc_ok: false, flags: 0, single_ok: false },
    };
    let (one, two) = (found(one), found(two));
    match choose(one, two) {
        // U-Boot moves the data of a single copy one byte back, and the last byte drops out.
        Some(0) if !one.crc_ok && one.single_ok => {
            let bytes = copies[0].unwrap_or_default();
            variables(0, &bytes[4..bytes.len() - 1])
        }
        Some(copy) => variables(copy, &copies[copy].unwrap_or_default()[5..]),
        None if one.read_fail || two.read_fail => View::Refuses,
        None => View::Nothing,
    }
}

fn variables(copy: usize, data: &[u8]) -> View {
    Vars::parse(data).map_or(View::Nothing, |vars| View::Vars(copy, vars))
}

fn crc(data: &[u8]) -> u32 {
    crc32fast::hash(data)
}

fn stored_crc(bytes: &[u8]) -> u32 {
    u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

/// The bytes of a copy as user space reads them; `None`: the read fails.
fn user_space_bytes(place: &Place, size: usize) -> Option<Vec<u8>> {
    match place {
        Place::Volume(volume) => volume.image().and_then(|image| Some(image.get(..size)?.to_vec())),
        Place::Region { medium, .. } | Place::Replaced { medium, .. } => {
            let image = medium.image();
            let mut bytes = Vec::with_capacity(size);
            for (at, len) in parts(place) {
                bytes.extend_from_slice(image.get(at..at + len)?);
            }
            (bytes.len() == size).then_some(bytes)
        }
    }
}

/// Whether U-Boot's driver fails to read a copy.
fn bootloader_fails(place: &Place) -> bool {
    match place {
        Place::Region { medium, .. } if medium.geometry().kind == MediumKind::Nand => {
            let Ok(mut open) = medium.open(bootslot::storage::Access::Read) else { return true };
            parts(place).into_iter().any(|(at, len)| open.read(at as u64, &mut vec![0; len]).is_err())
        }
        _ => false,
    }
}

/// Where the parts of a copy lie: NAND blocks that are marked bad are skipped (U-Boot env/nand.c readenv,
/// tools/env/fw_env.c flash_read_buf, libubootenv's libubootenv_mtdread all do it like this).
fn parts(place: &Place) -> Vec<(usize, usize)> {
    let (Place::Region { medium, spec } | Place::Replaced { medium, spec }) = place else {
        return Vec::new();
    };
    let geometry = medium.geometry();
    let (offset, size) = (spec.offset as usize, spec.size as usize);
    if geometry.kind != MediumKind::Nand {
        return vec![(offset, size)];
    }
    let block = geometry.erase_size as usize;
    let mut parts = Vec::new();
    let (mut at, mut left) = (offset, size);
    while left > 0 && at < offset + spec.sectors as usize * block {
        if !medium.is_marked_bad(at as u64) {
            parts.push((at, left.min(block)));
            left -= left.min(block);
        }
        at += block;
    }
    parts
}

/// What U-Boot does to the flags at boot on parallel NOR (`env/flash.c`, `env_flash_load`): marks the
/// loser obsolete if its checksum is right, and the winner active if the bits allow.
pub fn boot_flash_c(rig: &Rig) {
    let copies: Vec<Vec<u8>> = rig.places.iter().filter_map(|p| user_space_bytes(p, rig.size)).collect();
    let [one, two] = copies.as_slice() else { return };
    let found = |bytes: &[u8]| Found {
        read_fail: false,
        crc_ok: crc(&bytes[5..]) == stored_crc(bytes),
        flags: bytes[4],
        single_ok: false,
    };
    let Some(winner) = models::uboot_flash(found(one), found(two)) else { return };
    // U-Boot knows nothing of what a cut did to the sector: not by the rules that our store has to keep.
    let program = |copy: usize, flag: u8| {
        if let Place::Region { medium, spec } = &rig.places[copy] {
            medium.preload(spec.offset as usize + 4, &[copies[copy][4] & flag]);
        }
    };
    let loser = found(&copies[1 - winner]);
    if loser.flags != 0 && loser.crc_ok {
        program(1 - winner, 0);
    }
    let flags = copies[winner][4];
    if flags != 1 && flags & 1 == 1 {
        program(winner, 1);
    }
}

/// The variables of the copies on NOR with ECC whose flags a torn erase may change before anything else: the erase
/// is the first that happens to them, since they lie in one sector and have no unit left with which to spoil them.
pub fn exposed(rig: &Rig) -> Vec<Vars> {
    let is_exposed = |copy: &usize| {
        let Place::Region { medium, .. } = &rig.places[*copy] else { return false };
        let geometry = medium.geometry();
        let bytes = user_space_bytes(&rig.places[*copy], rig.size).unwrap_or_default();
        let mut units = bytes.chunks_exact(geometry.write_size as usize).skip(1);
        rig.size as u64 <= geometry.erase_size && !units.any(|unit| unit.iter().all(|&byte| byte == 0xff))
    };
    let copies = (0..rig.places.len()).filter(|_| rig.kind == Kind::EccNor && rig.places.len() == 2);
    copies.filter(is_exposed).filter_map(|copy| only(rig, copy)).collect()
}

/// The variables of one copy, if it is valid by itself.
pub fn only(rig: &Rig, copy: usize) -> Option<Vars> {
    let bytes = user_space_bytes(&rig.places[copy], rig.size)?;
    let data = &bytes[rig.layout().header()..];
    if copy == 0 && crc(&bytes[4..]) == stored_crc(&bytes) {
        return Vars::parse(&bytes[4..]);
    }
    (crc(data) == stored_crc(&bytes)).then(|| Vars::parse(data)).flatten()
}
