//! Models of the other readers of a redundant environment, each in the decision order of the source
//! it stands for and in no other. They know nothing of the crate's own rules.
//!
//! `None` means that the reader takes no copy: it gives up or falls back to its compiled-in defaults.
#![allow(dead_code)]

/// One copy as a reader finds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// The read itself failed.
    pub read_fail: bool,
    /// The CRC over the data is right.
    pub crc_ok: bool,
    /// The flags byte.
    pub flags: u8,
}

impl Found {
    /// A copy that was read and whose CRC is right.
    pub fn valid(flags: u8) -> Self {
        Found { read_fail: false, crc_ok: true, flags }
    }
}

/// U-Boot on every medium but parallel NOR: `env/common.c`, `env_check_redund`.
pub fn uboot_check_redund(one: Found, two: Found) -> Option<usize> {
    let mut crc1_ok = false;
    let mut crc2_ok = false;
    if one.read_fail && two.read_fail {
        return None;
    }
    if !one.read_fail {
        crc1_ok = one.crc_ok;
    }
    if !two.read_fail {
        crc2_ok = two.crc_ok;
    }
    if !crc1_ok && !crc2_ok {
        None
    } else if crc1_ok && !crc2_ok {
        Some(0)
    } else if !crc1_ok && crc2_ok {
        Some(1)
    } else if one.flags == 255 && two.flags == 0 {
        Some(1)
    } else if two.flags == 255 && one.flags == 0 {
        Some(0)
    } else if one.flags > two.flags {
        Some(0)
    } else if two.flags > one.flags {
        Some(1)
    } else {
        Some(0)
    }
}

/// U-Boot on parallel NOR: `env/flash.c`, `env_flash_init`. Memory mapped: a read can't fail; here a
/// copy whose read failed counts as one with a bad CRC.
pub fn uboot_flash(one: Found, two: Found) -> Option<usize> {
    let crc1_ok = one.crc_ok && !one.read_fail;
    let crc2_ok = two.crc_ok && !two.read_fail;
    if crc1_ok && !crc2_ok {
        Some(0)
    } else if !crc1_ok && crc2_ok {
        Some(1)
    } else if !crc1_ok && !crc2_ok {
        None
    } else if one.flags == 1 && two.flags == 0 {
        Some(0)
    } else if one.flags == 0 && two.flags == 1 {
        Some(1)
    } else if one.flags == two.flags {
        Some(0)
    } else if one.flags == 0xff {
        Some(0)
    } else if two.flags == 0xff {
        Some(1)
    } else {
        Some(0)
    }
}

/// U-Boot's fw_printenv: `tools/env/fw_env.c`, `fw_env_open`, `FLAG_INCREMENTAL`.
pub fn fw_env_incremental(one: Found, two: Found) -> Option<usize> {
    if one.read_fail || two.read_fail {
        return None;
    }
    if one.crc_ok && !two.crc_ok {
        Some(0)
    } else if !one.crc_ok && two.crc_ok {
        Some(1)
    } else if !one.crc_ok && !two.crc_ok {
        None
    } else if one.flags == 255 && two.flags == 0 {
        Some(1)
    } else if (two.flags == 255 && one.flags == 0) || one.flags >= two.flags {
        Some(0)
    } else {
        Some(1)
    }
}

/// U-Boot's fw_printenv: `tools/env/fw_env.c`, `fw_env_open`, `FLAG_BOOLEAN`.
pub fn fw_env_boolean(one: Found, two: Found) -> Option<usize> {
    if one.read_fail || two.read_fail {
        return None;
    }
    if one.crc_ok && !two.crc_ok {
        Some(0)
    } else if !one.crc_ok && two.crc_ok {
        Some(1)
    } else if !one.crc_ok && !two.crc_ok {
        None
    } else if one.flags == 1 && two.flags == 0 {
        Some(0)
    } else if one.flags == 0 && two.flags == 1 {
        Some(1)
    } else if one.flags == two.flags {
        Some(0)
    } else if one.flags == 0xff {
        Some(0)
    } else if two.flags == 0xff {
        Some(1)
    } else {
        Some(0)
    }
}

/// libubootenv: `src/uboot_env.c`, `libuboot_load`, `FLAGS_INCREMENTAL`.
pub fn libubootenv_incremental(one: Found, two: Found) -> Option<usize> {
    if one.read_fail || two.read_fail {
        return None;
    }
    if one.crc_ok && !two.crc_ok {
        return Some(0);
    } else if !one.crc_ok && two.crc_ok {
        return Some(1);
    } else if !one.crc_ok && !two.crc_ok {
        return None;
    }
    let mut current = if two.flags > one.flags { 1 } else { 0 };
    if one.flags == 0xff && two.flags == 0 {
        current = 1;
    } else if two.flags == 0xff && one.flags == 0 {
        current = 0;
    }
    Some(current)
}

/// libubootenv: `src/uboot_env.c`, `libuboot_load`, `FLAGS_BOOLEAN` (MTD NOR).
pub fn libubootenv_boolean(one: Found, two: Found) -> Option<usize> {
    if one.read_fail || two.read_fail {
        return None;
    }
    if one.crc_ok && !two.crc_ok {
        return Some(0);
    } else if !one.crc_ok && two.crc_ok {
        return Some(1);
    } else if !one.crc_ok && !two.crc_ok {
        return None;
    }
    let mut current = if two.flags > one.flags { 1 } else { 0 };
    if two.flags == 0xff {
        current = 1;
    } else if one.flags == 0xff {
        current = 0;
    }
    Some(current)
}

/// Nerves' uboot_env (Elixir), `UBootEnv.IO`: the distance modulo 256. A bad copy is left out.
pub fn uboot_env_ex(one: Found, two: Found) -> Option<usize> {
    let one_ok = one.crc_ok && !one.read_fail;
    let two_ok = two.crc_ok && !two.read_fail;
    match (one_ok, two_ok) {
        (true, false) => Some(0),
        (false, true) => Some(1),
        (false, false) => None,
        (true, true) => Some(if one.flags.wrapping_sub(two.flags) < 128 { 0 } else { 1 }),
    }
}

/// fwup, `src/uboot_env.c`: the distance modulo 256 the other way round.
pub fn fwup(one: Found, two: Found) -> Option<usize> {
    if one.read_fail || two.read_fail {
        return None;
    }
    match (one.crc_ok, two.crc_ok) {
        (true, false) => Some(0),
        (false, true) => Some(1),
        (false, false) => None,
        (true, true) => {
            let delta = two.flags.wrapping_sub(one.flags);
            Some(if delta == 0 || delta >= 128 { 0 } else { 1 })
        }
    }
}
