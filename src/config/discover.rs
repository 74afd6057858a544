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
        (None, Err(Error::Io { place, error })) if error.kind() == ErrorKind::NotFound => {
            return nvmem_environment(Path::new("/sys")).ok_or(Error::Io { place, error })
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

/// The environment that the kernel offers as an NVMEM device. U-Boot's `tools/env/fw_env.c` (`find_nvmem_device`) uses
/// one with the compatible `u-boot,env` where there is no configuration file. `sysfs` is `/sys`.
///
/// The device tree describes it as for the kernel's `drivers/nvmem/layouts/u-boot-env.c`, in the node of the partition
/// or in its `nvmem-layout`:
///
/// - `u-boot,env`: a single copy, from the start of the partition;
/// - `u-boot,env-redundant-bool` and `-count`: one of two copies. The other one is the next partition of this kind. If
///   there is none, the environment has a second copy that can't be read: printing works, a store is refused;
/// - `env-size`: bytes of the copy, where it does not fill the partition.
///
/// Where the partition is one of an MTD device that Linux offers, that is the device: NVMEM can't be written there. Of
/// several devices the first is taken, by the number in its name; one that is too small for an environment is passed
/// over.
pub fn nvmem_environment(sysfs: &Path) -> Option<EnvConfig> {
    nvmem_environment_at(sysfs, Path::new("/dev"))
}

fn nvmem_environment_at(sysfs: &Path, dev: &Path) -> Option<EnvConfig> {
    let devices = fs::read_dir(sysfs.join("bus/nvmem/devices")).ok()?;
    let mut found: Vec<Nvmem> = Vec::new();
    for nvmem in devices.flatten().filter_map(|entry| Nvmem::look(sysfs, dev, &entry.path())) {
        // Put in its place: the standard library's sorting is 4 KiB of code, for one or two devices.
        let place = found.partition_point(|other| other.order < nvmem.order);
        found.insert(place, nvmem);
    }
    let environments = (0..found.len()).map(|i| {
        let first = found.get(i)?;
        let mut devices = vec![first.device.clone()];
        if first.redundant {
            let others = found.iter().skip(i + 1).find(|other| {
                other.redundant
                    && other.device.size == first.device.size
                    && other.device.path != first.device.path
            });
            devices.push(others.map_or_else(|| first.unknown_twin(sysfs), |other| other.device.clone()));
        }
        let environment = EnvConfig { namespace: None, devices, lockfile: None, writelist: None };
        environment.validate().is_ok().then_some(environment)
    });
    environments.flatten().next()
}

/// An NVMEM device that holds a copy of an environment.
struct Nvmem {
    /// Its name without the number at its end, the number, and all of the name.
    order: (String, u64, PathBuf),
    redundant: bool,
    device: Device,
}

impl Nvmem {
    fn look(sysfs: &Path, dev: &Path, directory: &Path) -> Option<Nvmem> {
        let partition = directory.join("of_node");
        let mut nodes = [partition.join("nvmem-layout"), partition.clone()].into_iter();
        // The first string is the most specific one, and the one that U-Boot's tool compares.
        let (node, redundant) =
            nodes.find_map(|node| match first_string(&node.join("compatible")).ok()?.as_slice() {
                b"u-boot,env" => Some((node, false)),
                b"u-boot,env-redundant-bool" | b"u-boot,env-redundant-count" => Some((node, true)),
                _ => None,
            })?;
        let nvmem = directory.join("nvmem");
        let whole = fs::metadata(&nvmem).ok()?.len();
        // A cell of the device tree: 32 bits, the highest first.
        let cell = fs::read(node.join("env-size")).ok().and_then(|bytes| bytes.try_into().ok());
        let size = cell.map(|cell| u64::from(u32::from_be_bytes(cell)));
        let size = size.filter(|&size| size > 0 && size <= whole).unwrap_or(whole);
        let path = mtd_of(sysfs, dev, &partition).unwrap_or(nvmem);
        let device = Device { path, offset: 0, size, sector_size: 0, sectors: 0, disable_lock: false };
        let name = directory.file_name()?.to_string_lossy().into_owned();
        let kind = name.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned();
        let number = name.strip_prefix(&kind).and_then(|number| number.parse().ok()).unwrap_or(0);
        Some(Nvmem { order: (kind, number, directory.to_path_buf()), redundant, device })
    }

    /// The copy beside this one, of which the device tree says nothing. No device is at this path.
    fn unknown_twin(&self, sysfs: &Path) -> Device {
        let path = sysfs.join("bus/nvmem/devices/the-second-copy-is-not-in-the-device-tree/nvmem");
        Device { path, ..self.device.clone() }
    }
}

/// The MTD device of the partition that this node of the device tree describes.
fn mtd_of(sysfs: &Path, dev: &Path, partition: &Path) -> Option<PathBuf> {
    let wanted = fs::canonicalize(partition).ok()?;
    fs::read_dir(sysfs.join("class/mtd")).ok()?.flatten().find_map(|entry| {
        let same = fs::canonicalize(entry.path().join("of_node")).is_ok_and(|node| node == wanted);
        let node = dev.join(entry.file_name());
        // `mtd0ro` has the same node of the tree.
        let writable = !entry.file_name().to_string_lossy().ends_with("ro");
        (same && writable && node.exists()).then_some(node)
    })
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

    /// An NVMEM device, whose node in the device tree is of its own, or `nvmem-layout` below it.
    fn nvmem(sysfs: &Path, name: &str, below: &str, compatible: &[u8], size: usize) -> PathBuf {
        let (device, node) = (sysfs.join("bus/nvmem/devices").join(name), sysfs.join("firmware").join(name));
        fs::create_dir_all(&device).unwrap();
        fs::create_dir_all(node.join(below)).unwrap();
        std::os::unix::fs::symlink(&node, device.join("of_node")).unwrap();
        fs::write(node.join(below).join("compatible"), compatible).unwrap();
        fs::write(device.join("nvmem"), vec![0xff; size]).unwrap();
        node
    }

    fn paths(environment: &EnvConfig) -> Vec<String> {
        let name = |device: &Device| device.path.to_string_lossy().into_owned();
        environment.devices.iter().map(name).collect()
    }

    #[test]
    fn nvmem_devices_are_found_by_their_compatible() {
        let dir = tempfile::tempdir().unwrap();
        let sysfs = dir.path();
        assert_eq!(nvmem_environment(sysfs), None, "no nvmem bus");

        nvmem(sysfs, "rtc0", "", b"dallas,ds1307\0", 56);
        nvmem(sysfs, "mtd2", "", b"acme,env\0u-boot,env\0", 0x4000);
        nvmem(sysfs, "mtd3", "", b"u-boot,env\0", 8);
        fs::create_dir_all(sysfs.join("bus/nvmem/devices/bare")).unwrap();
        assert_eq!(nvmem_environment(sysfs), None, "none of them is a u-boot,env that can hold one");

        nvmem(sysfs, "mtd10", "", b"u-boot,env\0", 0x2000);
        nvmem(sysfs, "mtd4", "", b"u-boot,env\0", 0x4000);
        let found = nvmem_environment(sysfs).unwrap();
        assert_eq!(found.devices.len(), 1);
        assert_eq!(found.devices[0].path, sysfs.join("bus/nvmem/devices/mtd4/nvmem"), "4 is before 10");
        assert_eq!((found.devices[0].offset, found.devices[0].size), (0, 0x4000));
    }

    #[test]
    fn a_layout_below_the_partition_has_a_size_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let sysfs = dir.path();
        let node = nvmem(sysfs, "mtd1", "nvmem-layout", b"u-boot,env\0", 0x8000);
        fs::write(node.join("compatible"), b"nvmem-cells\0").unwrap();
        let size = || nvmem_environment(sysfs).unwrap().devices[0].size;
        assert_eq!(size(), 0x8000);
        let property = node.join("nvmem-layout/env-size");
        fs::write(&property, 0x2000_u32.to_be_bytes()).unwrap();
        assert_eq!(size(), 0x2000);
        // More than there is, or no 32 bits: the whole partition.
        for bad in [&0x8001_u32.to_be_bytes()[..], &[0; 4], &[0, 0, 0x20], &[]] {
            fs::write(&property, bad).unwrap();
            assert_eq!(size(), 0x8000, "{bad:?}");
        }
    }

    #[test]
    fn two_redundant_partitions_are_one_environment() {
        let dir = tempfile::tempdir().unwrap();
        let sysfs = dir.path();
        let at = |name: &str| sysfs.join("bus/nvmem/devices").join(name).join("nvmem").display().to_string();
        nvmem(sysfs, "mtd10", "nvmem-layout", b"u-boot,env-redundant-count\0", 0x4000);
        nvmem(sysfs, "mtd9", "nvmem-layout", b"u-boot,env-redundant-count\0", 0x4000);
        assert_eq!(paths(&nvmem_environment(sysfs).unwrap()), [at("mtd9"), at("mtd10")]);

        // One alone: there is a second copy somewhere.
        let dir = tempfile::tempdir().unwrap();
        let sysfs = dir.path();
        nvmem(sysfs, "mtd1", "", b"u-boot,env-redundant-bool\0", 0x4000);
        let found = nvmem_environment(sysfs).unwrap();
        assert_eq!(found.devices.len(), 2);
        assert!(!found.devices[1].path.exists());
    }

    #[test]
    fn the_mtd_device_of_the_partition_is_used_where_there_is_one() {
        let dir = tempfile::tempdir().unwrap();
        let (sysfs, dev) = (dir.path(), dir.path().join("dev"));
        let node = nvmem(sysfs, "u-boot-env0", "", b"u-boot,env\0", 0x4000);
        for name in ["mtd7", "mtd7ro", "mtd8"] {
            fs::create_dir_all(sysfs.join("class/mtd").join(name)).unwrap();
        }
        for name in ["mtd7", "mtd7ro"] {
            std::os::unix::fs::symlink(&node, sysfs.join("class/mtd").join(name).join("of_node")).unwrap();
        }
        let found = |dev: &Path| paths(&nvmem_environment_at(sysfs, dev).unwrap());
        assert!(found(&dev)[0].ends_with("u-boot-env0/nvmem"), "no device node");
        fs::create_dir(&dev).unwrap();
        fs::write(dev.join("mtd7"), "").unwrap();
        fs::write(dev.join("mtd7ro"), "").unwrap();
        assert_eq!(found(&dev), [dev.join("mtd7").display().to_string()]);
    }
}
