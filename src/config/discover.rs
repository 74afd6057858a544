//! Which environment is meant: the configuration that was named or the default one, the namespace that
//! the boot loader chose, and the environment that the kernel knows as an NVMEM device.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::{Config, Device, EnvConfig};
use crate::error::{Error, Result};

/// Where U-Boot's tool and libubootenv look.
pub const DEFAULT_CONFIG: &str = "/etc/fw_env.config";
/// Set by boards that know at boot time where their environment is (U-Boot's `board/kontron`);
/// libubootenv takes it for the namespace.
const DEVICE_TREE_PROPERTY: &str = "/proc/device-tree/chosen/u-boot,env-config";
/// A property of this kind is one short string.
const LARGEST_PROPERTY: u64 = 4096;

/// The environment that a user means who names this configuration file and this namespace, or neither.
///
/// The file is [`DEFAULT_CONFIG`] otherwise, and where that does not exist the environment is the one that
/// the kernel offers ([`nvmem_environment`]), as in U-Boot's tool. The namespace is otherwise the one that
/// the boot loader names ([`namespace_from_device_tree`]), or the first.
///
/// # Errors
///
/// Those of [`Config::load`] and [`Config::select`].
pub fn find_environment(config: Option<&Path>, namespace: Option<&str>) -> Result<EnvConfig> {
    let loaded = match (config, Config::load(config.unwrap_or(DEFAULT_CONFIG.as_ref()))) {
        (None, Err(Error::Io { place, source })) if source.kind() == ErrorKind::NotFound => {
            return nvmem_environment(Path::new("/sys")).ok_or(Error::Io { place, source })
        }
        (_, loaded) => loaded?,
    };
    let from_device_tree = || loaded.has_namespaces().then(namespace_from_device_tree).flatten();
    let namespace = namespace.map(str::to_owned).or_else(from_device_tree);
    Ok(loaded.select(namespace.as_deref())?.clone())
}

/// The namespace that the boot loader names in the device tree (`/chosen/u-boot,env-config`), if it does.
pub fn namespace_from_device_tree() -> Option<String> {
    namespace_from(Path::new(DEVICE_TREE_PROPERTY))
}

fn namespace_from(property: &Path) -> Option<String> {
    let name = first_string(property).ok()?;
    // A name that is no text is kept, as far as it is readable, so that it is not found and shown.
    (!name.is_empty()).then(|| String::from_utf8_lossy(&name).into_owned())
}

/// The environment that the kernel offers as an NVMEM device with the compatible `u-boot,env`: a single
/// copy at offset 0. U-Boot's `tools/env/fw_env.c` (`find_nvmem_device`) uses it where there is no
/// configuration file. `sysfs` is `/sys`.
///
/// Of several devices the first by name is taken; one that is too small for an environment is passed over.
pub fn nvmem_environment(sysfs: &Path) -> Option<EnvConfig> {
    let environment = |directory: PathBuf| {
        // The first string is the most specific one, and the one that U-Boot's tool compares.
        if first_string(&directory.join("of_node/compatible")).ok()? != b"u-boot,env" {
            return None;
        }
        let path = directory.join("nvmem");
        let size = fs::metadata(&path).ok()?.len();
        let device = Device { path, offset: 0, size, sector_size: 0, sectors: 0, disable_lock: false };
        let environment =
            EnvConfig { namespace: None, devices: vec![device], lockfile: None, writelist: None };
        environment.validate().is_ok().then_some((directory, environment))
    };
    let devices = fs::read_dir(sysfs.join("bus/nvmem/devices")).ok()?;
    let found = devices.filter_map(|entry| environment(entry.ok()?.path()));
    found.min_by(|(a, _), (b, _)| a.cmp(b)).map(|(_, environment)| environment)
}

/// The first string of a device tree property: the bytes before the first NUL.
fn first_string(property: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(property)?.take(LARGEST_PROPERTY).read_to_end(&mut bytes)?;
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    bytes.truncate(end);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_namespace_is_the_string_of_the_property() {
        let dir = tempfile::tempdir().unwrap();
        let property = dir.path().join("u-boot,env-config");
        assert_eq!(namespace_from(&property), None);
        for (content, expected) in [
            (&b"mmc-boot\0"[..], Some("mmc-boot")),
            (b"mmc-boot", Some("mmc-boot")),
            (b"a\0b\0", Some("a")),
            (b"\0", None),
            (b"", None),
            (b"\xffx\0", Some("\u{fffd}x")),
        ] {
            fs::write(&property, content).unwrap();
            assert_eq!(namespace_from(&property).as_deref(), expected);
        }
        assert_eq!(namespace_from(dir.path()), None, "a directory");
    }

    fn nvmem(sysfs: &Path, name: &str, compatible: &[u8], size: usize) {
        let device = sysfs.join("bus/nvmem/devices").join(name);
        fs::create_dir_all(device.join("of_node")).unwrap();
        fs::write(device.join("of_node/compatible"), compatible).unwrap();
        fs::write(device.join("nvmem"), vec![0xff; size]).unwrap();
    }

    #[test]
    fn nvmem_devices_are_found_by_their_compatible() {
        let dir = tempfile::tempdir().unwrap();
        let sysfs = dir.path();
        assert_eq!(nvmem_environment(sysfs), None, "no nvmem bus");

        nvmem(sysfs, "rtc0", b"dallas,ds1307\0", 56);
        nvmem(sysfs, "mtd1", b"u-boot,env-redundant-bool\0", 0x4000);
        nvmem(sysfs, "mtd2", b"acme,env\0u-boot,env\0", 0x4000);
        nvmem(sysfs, "mtd3", b"u-boot,env\0", 8);
        fs::create_dir_all(sysfs.join("bus/nvmem/devices/bare")).unwrap();
        assert_eq!(nvmem_environment(sysfs), None, "none of them is a u-boot,env that can hold one");

        nvmem(sysfs, "mtd5", b"u-boot,env\0", 0x2000);
        nvmem(sysfs, "mtd4", b"u-boot,env\0", 0x4000);
        let found = nvmem_environment(sysfs).unwrap();
        assert_eq!(found.devices.len(), 1);
        assert_eq!(found.devices[0].path, sysfs.join("bus/nvmem/devices/mtd4/nvmem"));
        assert_eq!((found.devices[0].offset, found.devices[0].size), (0, 0x4000));
    }
}
