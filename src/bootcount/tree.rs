//! Finds the boot counter by the device tree that U-Boot left to Linux.
//!
//! U-Boot takes the node that `/chosen/u-boot,bootcount-device` names, else the first one that its drivers
//! know (`bootcount-uclass.c`). A tree that the kernel's own sources built may lack these nodes: then the
//! settings say where the counter is.

use std::fs;
use std::path::{Path, PathBuf};

use super::layout::MAGIC;
use super::{Layout, Source};
use crate::error::{Error, Result};

/// Where the kernel shows things; tests have them elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roots {
    /// The device tree.
    pub device_tree: PathBuf,
    /// `/sys`.
    pub sysfs: PathBuf,
    /// `/dev`.
    pub dev: PathBuf,
}

impl Default for Roots {
    fn default() -> Self {
        let [device_tree, sysfs, dev] = ["/proc/device-tree", "/sys", "/dev"].map(PathBuf::from);
        Roots { device_tree, sysfs, dev }
    }
}

/// A node is a directory; deeper than this it is a loop.
const DEEPEST: usize = 16;

/// The boot counter that the device tree describes; `None` where it describes none.
///
/// # Errors
///
/// [`Error::Unsupported`] where there is one that Linux can't reach, or that is not described completely,
/// and where there are several of which none is chosen.
pub fn find(roots: &Roots) -> Result<Option<Source>> {
    let tree = Tree { root: &roots.device_tree };
    let chosen = tree.chosen();
    let node = match chosen.filter(|node| compatible(node).is_some()) {
        Some(node) => node,
        None => {
            let mut nodes = tree.nodes(&|node| compatible(node).is_some() && is_available(node));
            match (nodes.pop(), nodes.pop()) {
                (None, _) => return Ok(None),
                (Some(node), None) => node,
                (Some(one), Some(other)) => {
                    let message = "two boot counters, and /chosen/u-boot,bootcount-device names none of them";
                    return Err(wrong(&one, &format!("{message} (the other is {})", other.display())));
                }
            }
        }
    };
    let compatible = compatible(&node).unwrap_or_default();
    let source = match compatible {
        "u-boot,bootcount" => memory(&tree, &node, roots),
        "u-boot,bootcount-syscon" => syscon(&tree, &node, roots),
        "u-boot,bootcount-rtc" => nvmem(&node, "rtc", short(), roots),
        "u-boot,bootcount-i2c-eeprom" => nvmem(&node, "i2c-eeprom", short(), roots),
        "u-boot,bootcount-i2c" => {
            let layout = match number(&node, "size") {
                Some(4) => Layout::SingleWord { magic: MAGIC },
                _ => Layout::Pair,
            };
            nvmem(&node, "i2cbcdev", layout, roots)
        }
        "u-boot,bootcount-spi-flash" => flash(&node, roots),
        other => Err(wrong(&node, &format!("Linux has no way to a boot counter of the kind {other}"))),
    };
    source.map(Some)
}

/// What U-Boot's drivers know (`of_match` in `drivers/bootcount/`).
const COMPATIBLE: [&str; 7] = [
    "u-boot,bootcount",
    "u-boot,bootcount-syscon",
    "u-boot,bootcount-rtc",
    "u-boot,bootcount-i2c-eeprom",
    "u-boot,bootcount-i2c",
    "u-boot,bootcount-spi-flash",
    "u-boot,bootcount-pmic",
];

fn short() -> Layout {
    Layout::Short { magic: 0xbc }
}

fn compatible(node: &Path) -> Option<&'static str> {
    let names = fs::read(node.join("compatible")).ok()?;
    let mut names = names.split(|&byte| byte == 0);
    names.find_map(|name| COMPATIBLE.into_iter().find(|known| known.as_bytes() == name))
}

fn is_available(node: &Path) -> bool {
    match fs::read(node.join("status")) {
        Ok(status) => matches!(status.as_slice(), b"okay\0" | b"ok\0"),
        Err(_) => true,
    }
}

/// `u-boot,bootcount` (`bootcount.c`): words at an address.
fn memory(tree: &Tree<'_>, node: &Path, roots: &Roots) -> Result<Source> {
    let Some((address, _)) = tree.register(node) else {
        return Err(wrong(node, "no address in reg, or one that can't be translated to the CPU's"));
    };
    let single = node.join("single-word").exists();
    let layout =
        if single { Layout::SingleWord { magic: MAGIC } } else { Layout::DoubleWord { magic: MAGIC } };
    let path = roots.dev.join("mem");
    Ok(Source::Memory { path, address, layout, order: None, unlock: Vec::new() })
}

/// `u-boot,bootcount-syscon`: 2 or 4 bytes of a register in a block of registers.
fn syscon(tree: &Tree<'_>, node: &Path, roots: &Roots) -> Result<Source> {
    let block = number(node, "syscon").and_then(|phandle| tree.by_phandle(phandle));
    let Some((base, _)) = block.and_then(|block| tree.register(&block)) else {
        return Err(wrong(node, "no syscon with an address"));
    };
    // U-Boot reads both by their names: <register 4>, <offset in it, 2 or 4>.
    let named = |name: &str| {
        let names = fs::read(node.join("reg-names")).ok()?;
        let place = names.split(|&byte| byte == 0).position(|known| known == name.as_bytes())?;
        tree.own_register(node, place)
    };
    let (Some((register, _)), Some((offset, size))) = (named("syscon_reg"), named("offset")) else {
        return Err(wrong(node, "no syscon_reg and offset in reg-names"));
    };
    let (layout, offset) = match (size, offset) {
        (4, 0) => (Layout::SingleWord { magic: MAGIC }, 0),
        // The half is one of the register's value, not of its bytes.
        (2, 0 | 2) => {
            (Layout::Short { magic: 0xb0 }, if cfg!(target_endian = "big") { 2 - offset } else { offset })
        }
        _ => return Err(wrong(node, "a boot counter in a syscon has 4 bytes, or 2 of the 4")),
    };
    let address = base.checked_add(register).and_then(|register| register.checked_add(offset));
    let Some(address) = address else { return Err(wrong(node, "the address is too big")) };
    let path = roots.dev.join("mem");
    Ok(Source::Memory { path, address, layout, order: None, unlock: Vec::new() })
}

/// A chip that the kernel offers as NVMEM. For an RTC, `offset` counts the chip's registers in U-Boot and
/// the bytes for users in Linux; where these are not the same, no counter is found there.
fn nvmem(node: &Path, property: &str, layout: Layout, roots: &Roots) -> Result<Source> {
    let devices = roots.sysfs.join("bus/nvmem/devices");
    let Some(device) = number(node, property).and_then(|chip| by_of_node(&devices, "of_node", chip)) else {
        let message = format!(
            "Linux offers no NVMEM device for the chip that {property} names; if it is in \
                               reach in another way, the settings can say so"
        );
        return Err(wrong(node, &message));
    };
    let offset = number(node, "offset").unwrap_or(0).into();
    Ok(Source::Bytes { path: device.join("nvmem"), offset, layout, order: None })
}

/// `u-boot,bootcount-spi-flash`: the MTD device of the whole chip.
fn flash(node: &Path, roots: &Roots) -> Result<Source> {
    let devices = roots.sysfs.join("class/mtd");
    let found = number(node, "spi-flash").and_then(|chip| by_of_node(&devices, "device/of_node", chip));
    let Some(name) = found.as_deref().and_then(Path::file_name) else {
        return Err(wrong(node, "Linux offers no MTD device for the chip that spi-flash names"));
    };
    let offset = number(node, "offset").unwrap_or(0).into();
    Ok(Source::Flash { path: roots.dev.join(name), offset })
}

/// The first device by name whose device tree node has this phandle.
fn by_of_node(devices: &Path, link: &str, phandle: u32) -> Option<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(devices)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|device| number(&device.join(link), "phandle") == Some(phandle))
        // `mtd0ro` is the same as `mtd0`.
        .filter(|device| !device.to_string_lossy().ends_with("ro"))
        .collect();
    found.sort();
    found.into_iter().next()
}

fn wrong(node: &Path, message: &str) -> Error {
    Error::Unsupported(format!("{}: {message}", node.display()))
}

/// The cells of a property: 32-bit numbers, the most significant byte first.
fn cells(node: &Path, property: &str) -> Option<Vec<u32>> {
    let bytes = fs::read(node.join(property)).ok()?;
    let cells = bytes.chunks_exact(4).filter_map(|cell| Some(u32::from_be_bytes(cell.try_into().ok()?)));
    Some(cells.collect())
}

fn number(node: &Path, property: &str) -> Option<u32> {
    cells(node, property)?.first().copied()
}

struct Tree<'a> {
    root: &'a Path,
}

impl Tree<'_> {
    /// The node that `/chosen/u-boot,bootcount-device` names: a path, or an alias.
    fn chosen(&self) -> Option<PathBuf> {
        let text = |path: PathBuf| {
            let bytes = fs::read(path).ok()?;
            String::from_utf8(bytes.split(|&byte| byte == 0).next()?.to_vec()).ok()
        };
        let name = text(self.root.join("chosen/u-boot,bootcount-device"))?;
        let path = if name.starts_with('/') { name } else { text(self.root.join("aliases").join(name))? };
        Some(self.root.join(path.trim_start_matches('/')))
    }

    /// All nodes that are wanted, in the order of their paths.
    fn nodes(&self, wanted: &dyn Fn(&Path) -> bool) -> Vec<PathBuf> {
        let (mut found, mut folders) = (Vec::new(), vec![(self.root.to_path_buf(), 0)]);
        while let Some((folder, depth)) = folders.pop() {
            if wanted(&folder) {
                found.push(folder.clone());
            }
            let entries = fs::read_dir(&folder).into_iter().flatten().filter_map(|entry| entry.ok());
            let inner =
                entries.filter(|entry| depth < DEEPEST && entry.file_type().is_ok_and(|kind| kind.is_dir()));
            folders.extend(inner.map(|entry| (entry.path(), depth + 1)));
        }
        found.sort();
        found
    }

    fn by_phandle(&self, phandle: u32) -> Option<PathBuf> {
        self.nodes(&|node| number(node, "phandle") == Some(phandle)).into_iter().next()
    }

    /// Address and size of the node's first registers, as the CPU sees them.
    fn register(&self, node: &Path) -> Option<(u64, u64)> {
        let (mut address, size) = self.own_register(node, 0)?;
        let mut bus = node.parent()?;
        while bus != self.root {
            address = self.translate(bus, address)?;
            bus = bus.parent()?;
        }
        Some((address, size))
    }

    /// Address and size of the node's registers number `place`, as its bus sees them.
    fn own_register(&self, node: &Path, place: usize) -> Option<(u64, u64)> {
        let (address_cells, size_cells) = sizes(node.parent()?);
        let cells = cells(node, "reg")?;
        let entry = cells.chunks_exact((address_cells + size_cells).max(1)).nth(place)?;
        let (address, size) = entry.split_at_checked(address_cells)?;
        Some((joined(address)?, joined(size)?))
    }

    /// An address on this bus, on the bus above: by `ranges`, of which an empty one changes nothing, and
    /// without which there is no way.
    fn translate(&self, bus: &Path, address: u64) -> Option<u64> {
        let ranges = cells(bus, "ranges")?;
        if ranges.is_empty() {
            return Some(address);
        }
        let (child_cells, size_cells) = sizes(bus);
        let (parent_cells, _) = sizes(bus.parent()?);
        ranges.chunks_exact((child_cells + parent_cells + size_cells).max(1)).find_map(|entry| {
            let (child, rest) = entry.split_at_checked(child_cells)?;
            let (parent, size) = rest.split_at_checked(parent_cells)?;
            let inside = address
                .checked_sub(joined(child)?)
                .filter(|inside| joined(size).is_some_and(|size| *inside < size))?;
            joined(parent)?.checked_add(inside)
        })
    }
}

/// Cells of an address and of a size on a bus; the defaults are the specification's.
fn sizes(bus: &Path) -> (usize, usize) {
    let cells =
        |property: &str, default| number(bus, property).map_or(default, |cells| cells.min(4) as usize);
    (cells("#address-cells", 2), cells("#size-cells", 1))
}

/// Some cells as one number, if it has no more than 64 bits.
fn joined(cells: &[u32]) -> Option<u64> {
    cells.iter().try_fold(0u64, |number, &cell| (number >> 32 == 0).then_some(number << 32 | u64::from(cell)))
}
