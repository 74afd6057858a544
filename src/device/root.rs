//! Which slots the running system's `/` is on, by `/proc/self/mountinfo` and sysfs.
//!
//! The device of `/` is followed down to what lies below it: an overlay to its lower layers, device mapper
//! (dm-verity, dm-crypt, LVM) and RAID to their members, a loop device to its file and the file system that
//! holds it. NFS, tmpfs and whatever else has no device give no answer.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::settings::Settings;
use crate::slot::Name;

/// Major number of `/dev/mtdblock*` (`MTD_BLOCK_MAJOR`); JFFS2 mounts have it, too.
const MTD_BLOCK: u32 = 31;
/// Layers that are followed: a loop of them is a mistake of sysfs.
const DEPTH: usize = 16;

/// What a system can lie on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Medium {
    Block(u32, u32),
    Mtd(u32),
    /// Number of the UBI device, number of the volume.
    Ubi(u32, u32),
    File(PathBuf),
}

/// The slots of the settings whose device `/` is on.
pub(super) fn slots(settings: &Settings) -> Vec<Name> {
    if settings.devices.is_empty() {
        return Vec::new();
    }
    let Ok(table) = fs::read(&settings.mountinfo) else { return Vec::new() };
    let mounts = parse(&String::from_utf8_lossy(&table));
    let mut walk = Walk { mounts: &mounts, sysfs: &settings.sysfs, found: BTreeSet::new() };
    // The last one lies on top of the others.
    if let Some(root) = mounts.iter().rposition(|mount| mount.point == Path::new("/")) {
        walk.mount(root, DEPTH);
    }
    let on_root = |path: &Path| named(path, &settings.sysfs).iter().any(|medium| walk.found.contains(medium));
    settings.devices.iter().filter(|(_, path)| on_root(path)).map(|(name, _)| name.clone()).collect()
}

/// A line of `/proc/self/mountinfo`.
#[derive(Debug, PartialEq, Eq)]
struct Mount {
    device: (u32, u32),
    point: PathBuf,
    kind: String,
    source: String,
    options: String,
}

/// The lines that can be read. (proc_pid_mountinfo(5): ID, parent, major:minor, root, mount point, options,
/// any number of fields, "-", type, source, options of the file system.)
fn parse(table: &str) -> Vec<Mount> {
    let line = |line: &str| {
        let (front, back) = line.split_once(" - ")?;
        let mut front = front.split(' ').skip(2);
        let device = numbers(front.next()?)?;
        let point = unescape(front.nth(1)?).into();
        let mut back = back.split(' ');
        let (kind, source) = (back.next()?.to_owned(), unescape(back.next()?));
        Some(Mount { device, point, kind, source, options: back.next().unwrap_or_default().to_owned() })
    };
    table.lines().filter_map(line).collect()
}

/// `8:1`
fn numbers(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.trim().split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// The kernel writes blanks and backslashes as three octal digits.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        let octal =
            behind.get(..3).filter(|_| byte == b'\\').and_then(|digits| std::str::from_utf8(digits).ok());
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(decoded) => {
                bytes.push(decoded);
                rest = behind.get(3..).unwrap_or_default();
            }
            None => {
                bytes.push(byte);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The folders of `lowerdir=`, with colons between them; one in a name has a backslash in front.
fn lower_layers(options: &str) -> Vec<PathBuf> {
    let mut layers = Vec::new();
    for option in options.split(',') {
        let value = option.strip_prefix("lowerdir=").or_else(|| option.strip_prefix("lowerdir+="));
        let Some(value) = value.map(unescape) else { continue };
        let whole = value.replace("\\:", "\0");
        layers.extend(
            whole.split(':').filter(|layer| !layer.is_empty()).map(|layer| layer.replace('\0', ":").into()),
        );
    }
    layers
}

/// `ubi0_1` or `ubiblock0_1`.
fn volume(name: &str) -> Option<Medium> {
    let name = name.strip_prefix("ubiblock").or_else(|| name.strip_prefix("ubi"))?;
    let (device, volume) = name.split_once('_')?;
    Some(Medium::Ubi(device.parse().ok()?, volume.parse().ok()?))
}

/// `mtd3`, `mtd3ro` or `mtdblock3`.
fn mtd(name: &str) -> Option<Medium> {
    let number = name.strip_prefix("mtdblock").or_else(|| name.strip_prefix("mtd"))?;
    number.strip_suffix("ro").unwrap_or(number).parse().ok().map(Medium::Mtd)
}

struct Walk<'a> {
    mounts: &'a [Mount],
    sysfs: &'a Path,
    found: BTreeSet<Medium>,
}

impl Walk<'_> {
    fn mount(&mut self, number: usize, depth: usize) {
        let Some(mount) = self.mounts.get(number).filter(|_| depth > 0) else { return };
        match mount.kind.as_str() {
            "overlay" => {
                for layer in lower_layers(&mount.options) {
                    self.holder_of(&layer, number, depth);
                }
            }
            "ubifs" => self.found.extend(named(Path::new(&mount.source), self.sysfs)),
            _ if mount.device.0 != 0 => self.block(mount.device, depth),
            // btrfs and its like have a number of their own, and say what they were mounted from.
            _ if mount.source.starts_with('/') => {
                for medium in named(Path::new(&mount.source), self.sysfs) {
                    match medium {
                        Medium::Block(major, minor) => self.block((major, minor), depth),
                        Medium::File(_) => {}
                        other => self.found.extend([other]),
                    }
                }
            }
            _ => {}
        }
    }

    /// The mount that holds this path. `above` lies on it, and can't be it.
    fn holder_of(&mut self, path: &Path, above: usize, depth: usize) {
        let holds = |(number, mount): &(usize, &Mount)| *number != above && path.starts_with(&mount.point);
        // Of two on the same folder the last one is on top.
        let holder = self.mounts.iter().enumerate().filter(holds);
        let holder = holder.max_by_key(|(number, mount)| (mount.point.components().count(), *number));
        // The root that is covered by `above` can't be reached by a path.
        let hidden = |mount: &Mount| self.mounts.get(above).is_some_and(|above| above.point == mount.point);
        if let Some((number, mount)) = holder {
            if !hidden(mount) {
                self.mount(number, depth - 1);
            }
        }
    }

    fn block(&mut self, (major, minor): (u32, u32), depth: usize) {
        if depth == 0 || !self.found.insert(Medium::Block(major, minor)) {
            return;
        }
        if major == MTD_BLOCK {
            self.found.insert(Medium::Mtd(minor));
        }
        let folder = self.sysfs.join(format!("dev/block/{major}:{minor}"));
        let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default();
        for line in read("uevent").lines() {
            let name = line.strip_prefix("DEVNAME=").unwrap_or_default();
            self.found.extend(volume(name));
        }
        for member in fs::read_dir(folder.join("slaves")).into_iter().flatten().flatten() {
            if let Some(member) =
                fs::read_to_string(member.path().join("dev")).ok().and_then(|dev| numbers(&dev))
            {
                self.block(member, depth - 1);
            }
        }
        let file = read("loop/backing_file");
        if !file.is_empty() {
            let file = PathBuf::from(file.trim_end_matches('\n'));
            let on_top = self.mounts.iter().rposition(|mount| mount.device == (major, minor));
            if let Some(above) = on_top {
                self.holder_of(&file, above, depth);
            }
            self.found.insert(Medium::File(file));
        }
    }
}

/// What a path of the settings, or the source of a mount, names.
fn named(path: &Path, sysfs: &Path) -> BTreeSet<Medium> {
    let mut found = BTreeSet::new();
    let text = path.to_string_lossy();
    // ubi0:rootfs
    let by_name = text.strip_prefix("ubi").and_then(|text| text.split_once(':'));
    if let Some((device, name)) =
        by_name.or_else(|| text.strip_prefix("ubi").and_then(|text| text.split_once('!')))
    {
        found.extend(volume_of_name(sysfs, device, name));
        return found;
    }
    let real = fs::canonicalize(path).unwrap_or_else(|_| path.into());
    let name = real.file_name().unwrap_or_default().to_string_lossy().into_owned();
    match fs::metadata(&real) {
        Ok(meta) if meta.is_file() => found.extend([Medium::File(real)]),
        Ok(meta) if meta.is_dir() => {}
        Ok(meta) if meta.file_type().is_block_device() => {
            found.insert(Medium::Block(libc::major(meta.rdev()), libc::minor(meta.rdev())));
            found.extend(volume(&name).or_else(|| mtd(&name)));
        }
        _ => {
            // Where the node is not there, the kernel's name of it still tells.
            let dev = fs::read_to_string(sysfs.join("class/block").join(&name).join("dev")).ok();
            let block = dev.and_then(|dev| numbers(&dev)).map(|(major, minor)| Medium::Block(major, minor));
            found.extend(block.into_iter().chain(volume(&name).or_else(|| mtd(&name))));
        }
    }
    found
}

fn volume_of_name(sysfs: &Path, device: &str, name: &str) -> Option<Medium> {
    let device: u32 = device.parse().ok()?;
    let entries = fs::read_dir(sysfs.join("class/ubi")).ok()?;
    let its = |entry: fs::DirEntry| {
        let found = volume(&entry.file_name().to_string_lossy())?;
        let called = fs::read_to_string(entry.path().join("name")).ok()?;
        (matches!(found, Medium::Ubi(of, _) if of == device) && called.trim_end() == name).then_some(found)
    };
    entries.flatten().find_map(its)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A system with this table of mounts and these files in sysfs, and slots on these devices: those of `/`.
    fn on_root(mounts: &[&str], sysfs: &[(&str, &str)], devices: [&str; 2]) -> String {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("mountinfo"), mounts.join("\n")).unwrap();
        for (path, text) in sysfs {
            let path = folder.path().join("sys").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let names = ["A", "B"].map(|name| Name::new(name).unwrap());
        let settings = Settings {
            devices: names.into_iter().zip(devices.map(PathBuf::from)).collect(),
            mountinfo: folder.path().join("mountinfo"),
            sysfs: folder.path().join("sys"),
            ..Settings::default()
        };
        slots(&settings).iter().map(Name::as_str).collect::<Vec<_>>().join(" ")
    }

    /// Partitions 2 and 3 of a card that the machine under test does not have.
    const CARD: [&str; 2] = ["/dev/mmcblk77p2", "/dev/mmcblk77p3"];
    const NODES: [(&str, &str); 2] =
        [("class/block/mmcblk77p2/dev", "179:2\n"), ("class/block/mmcblk77p3/dev", "179:3\n")];

    fn card(mounts: &[&str], more: &[(&str, &str)]) -> String {
        on_root(mounts, &[&NODES[..], more].concat(), CARD)
    }

    #[test]
    fn a_partition_is_known_by_its_number() {
        let proc = "22 26 0:20 / /proc rw,nosuid - proc proc rw";
        assert_eq!(card(&["26 1 179:3 / / rw,relatime shared:1 - ext4 /dev/root rw", proc], &[]), "B");
        assert_eq!(card(&["26 1 179:2 / / ro - squashfs /dev/mmcblk77p2 ro", proc], &[]), "A");
        assert_eq!(card(&["26 1 179:4 / / ro - ext4 /dev/x ro", proc], &[]), "");
        // What the initramfs had as / lies below.
        let below = "1 1 179:2 / / rw - ext4 /dev/x rw";
        assert_eq!(card(&[below, "26 1 179:3 / / rw - ext4 /dev/x rw"], &[]), "B");
        // btrfs has a number of its own.
        assert_eq!(card(&["26 1 0:31 /@ / rw - btrfs /dev/mmcblk77p3 rw,subvol=/@"], &[]), "B");
    }

    #[test]
    fn what_has_no_device_is_no_answer() {
        for line in [
            "26 1 0:25 / / rw - nfs4 10.0.0.1:/export/B rw",
            "26 1 0:25 / / rw - tmpfs tmpfs rw",
            "1 1 0:2 / / rw - rootfs rootfs rw",
            "26 1 0:25 / / rw - overlay overlay rw,lowerdir=/gone,upperdir=/u,workdir=/w",
            "26 1 0:25 / / rw - 9p /tmp rw",
            "26 1 179 / / rw - ext4",
            "",
        ] {
            let run = "27 26 179:3 / /run rw - ext4 /dev/mmcblk77p3 rw";
            assert_eq!(card(&[line, run], &[]), "", "{line}");
        }
    }

    #[test]
    fn layers_are_followed() {
        // An overlay over a partition that is mounted elsewhere, with blanks and colons in names.
        let overlay =
            "30 1 0:25 / / rw - overlay overlay rw,lowerdir=/a\\134:b:/media/root\\040ro/x,upperdir=/u";
        let lower = "31 30 179:3 / /media/root\\040ro ro - ext4 /dev/x ro";
        let other = "32 30 179:2 / /media rw - ext4 /dev/x rw";
        assert_eq!(card(&[overlay, lower, other], &[]), "B");
        // dm-verity on LVM.
        let dm = [
            ("dev/block/253:1/slaves/dm-0/dev", "253:0\n"),
            ("dev/block/253:0/slaves/mmcblk77p3/dev", "179:3\n"),
        ];
        assert_eq!(card(&["26 1 253:1 / / ro - erofs /dev/mapper/root ro"], &dm), "B");
        // A circle ends.
        let circle = [("dev/block/253:1/slaves/x/dev", "253:1\n")];
        assert_eq!(card(&["26 1 253:1 / / ro - erofs /dev/mapper/root ro"], &circle), "");
        // An image in a loop device, in a partition.
        let image = [("dev/block/7:0/loop/backing_file", "/run/p/root.img\n")];
        let loops = ["26 1 7:0 / / ro - squashfs /dev/loop0 ro", "27 26 179:3 / /run/p rw - ext4 /dev/x rw"];
        assert_eq!(card(&loops, &image), "B");
        let file = ["/nowhere/A.img", "/run/p/root.img"];
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap().join("B.img");
        fs::write(&path, "").unwrap();
        let path = path.to_str().unwrap();
        let image = [("dev/block/7:0/loop/backing_file", path)];
        assert_eq!(on_root(&loops[..1], &image, [file[0], path]), "B");
    }

    #[test]
    fn flash_has_several_names() {
        let jffs2 = ["26 1 31:4 / / rw - jffs2 /dev/root rw"];
        for device in ["/dev/mtd4", "/dev/mtdblock4", "/dev/mtd4ro"] {
            assert_eq!(on_root(&jffs2, &[], ["/dev/mtd3", device]), "B");
        }
        let volumes = [("class/ubi/ubi0_0/name", "root_a\n"), ("class/ubi/ubi0_1/name", "root_b\n")];
        for source in ["ubi0:root_b", "/dev/ubi0_1", "ubi0_1", "ubi0!root_b"] {
            let line = format!("26 1 0:15 / / rw - ubifs {source} rw,assert=read-only");
            for devices in [
                ["ubi0:root_a", "ubi0:root_b"],
                ["/dev/ubi0_0", "/dev/ubi0_1"],
                ["/dev/ubiblock0_0", "/dev/ubiblock0_1"],
            ] {
                assert_eq!(on_root(&[&line], &volumes, devices), "B", "{source} {devices:?}");
            }
        }
        let squashfs = ["26 1 252:1 / / ro - squashfs /dev/root ro"];
        let block = [("dev/block/252:1/uevent", "MAJOR=252\nMINOR=1\nDEVNAME=ubiblock0_1\n")];
        assert_eq!(on_root(&squashfs, &block, ["/dev/ubi0_0", "/dev/ubi0_1"]), "B");
    }
}
