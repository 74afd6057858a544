//! Models of the other readers of a redundant environment, each in the decision order of the source
//! it stands for and in no other. They know nothing of the crate's own rules.
//!
//! `None` means that the reader takes no copy: it gives up or falls back to its compiled-in defaults.
// Each test uses some of them. The branches are those of the sources, equal or not.
#![allow(dead_code, clippy::if_same_then_else, clippy::indexing_slicing)]

/// One copy as a reader finds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// The read itself failed.
    pub read_fail: bool,
    /// The CRC over the data is right.
    pub crc_ok: bool,
    /// The flags byte.
    pub flags: u8,
    /// The CRC of a single copy, which has no flags byte, is right.
    pub single_ok: bool,
}

impl Found {
    /// A copy that was read and whose CRC is right.
    pub fn valid(flags: u8) -> Self {
        Found { read_fail: false, crc_ok: true, flags, single_ok: false }
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

/// U-Boot from v2026.04 with `CONFIG_ENV_REDUNDANT_UPGRADE`: `env/common.c`, `env_check_redund`. The copy that it
/// takes is a single one if its redundant CRC is not right.
pub fn uboot_check_redund_upgrade(one: Found, two: Found) -> Option<usize> {
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
        if !one.read_fail && one.single_ok {
            return Some(0);
        }
        return None;
    }
    uboot_check_redund(one, two)
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

/// U-Boot before v2026.07 on parallel NOR: `env_flash_init` has no last branch. It leaves the address of
/// the environment unset, and `env_flash_load` swaps the copies because this is not that of the first.
pub fn uboot_flash_before_2026_07(one: Found, two: Found) -> Option<usize> {
    let crc1_ok = one.crc_ok && !one.read_fail;
    let crc2_ok = two.crc_ok && !two.read_fail;
    let mut addr_is_first = false;
    if crc1_ok && !crc2_ok {
        addr_is_first = true;
    } else if !crc1_ok && crc2_ok {
        addr_is_first = false;
    } else if !crc1_ok && !crc2_ok {
        return None;
    } else if one.flags == 1 && two.flags == 0 {
        addr_is_first = true;
    } else if one.flags == 0 && two.flags == 1 {
        addr_is_first = false;
    } else if one.flags == two.flags {
        addr_is_first = true;
    } else if one.flags == 0xff {
        addr_is_first = true;
    } else if two.flags == 0xff {
        addr_is_first = false;
    }
    if addr_is_first {
        Some(0)
    } else {
        Some(1)
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

/// Variables as a reader sees them.
pub type View = std::collections::BTreeMap<Vec<u8>, Vec<u8>>;

/// What U-Boot loads from the data of a copy: `lib/hashtable.c`, `himport_r` with a NUL as separator,
/// step by step. `None`: the import fails and U-Boot uses its compiled-in environment.
///
/// Left out are the removal of backslashes, the refusals of `.flags`, and the size of its hash table.
pub fn uboot_import(env: &[u8]) -> Option<View> {
    let size = env.len();
    let mut data = env.to_vec();
    data.push(0);
    let mut htab = View::new();
    let mut dp = 0;
    if size == 0 {
        return Some(htab);
    }
    loop {
        'record: {
            while data[dp] == b' ' || data[dp] == b'\t' {
                dp += 1;
            }
            if data[dp] == b'#' {
                while data[dp] != 0 {
                    dp += 1;
                }
                dp += 1;
                break 'record;
            }
            let name = dp;
            while data[dp] != b'=' && data[dp] != 0 {
                dp += 1;
            }
            let name = data[name..dp].to_vec();
            if data[dp] == 0 || data[dp + 1] == 0 {
                if data[dp] == b'=' {
                    dp += 1;
                }
                dp += 1;
                htab.remove(&name);
                break 'record;
            }
            dp += 1;
            let value = dp;
            while data[dp] != 0 {
                dp += 1;
            }
            let value = data[value..dp].to_vec();
            dp += 1;
            if name.is_empty() {
                return None;
            }
            htab.insert(name, value);
        }
        if !(dp < size && data[dp] != 0) {
            return Some(htab);
        }
    }
}

/// `fw_getenv` of U-Boot's `tools/env/fw_env.c`: the first record `name=...`, whatever it is to U-Boot.
/// `None`: not found, or the list has no end.
pub fn fw_getenv(data: &[u8], name: &[u8]) -> Option<Vec<u8>> {
    let mut env = 0;
    while *data.get(env)? != 0 {
        let mut nxt = env;
        while *data.get(nxt)? != 0 {
            nxt += 1;
        }
        let record = &data[env..nxt];
        if record.len() > name.len() && record.starts_with(name) && record[name.len()] == b'=' {
            return Some(record[name.len() + 1..].to_vec());
        }
        env = nxt + 1;
    }
    None
}

/// `libuboot_load` of libubootenv: the last `name=...`; records without `=` or without a name are left
/// out. `None`: the list has no end.
pub fn libubootenv_load(data: &[u8]) -> Option<View> {
    let mut vars = View::new();
    let mut line = 0;
    while *data.get(line)? != 0 {
        let mut next = line;
        while *data.get(next)? != 0 {
            next += 1;
        }
        let record = &data[line..next];
        if let Some(equals) = record.iter().position(|&byte| byte == b'=') {
            if equals > 0 {
                vars.insert(record[..equals].to_vec(), record[equals + 1..].to_vec());
            }
        }
        line = next + 1;
    }
    Some(vars)
}
