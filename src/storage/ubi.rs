//! UBI volumes: found by device node or by name, read whole, replaced by a LEB change or by a volume update.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::Volume;
use crate::sys::{self, ubi};

/// How long an update waits for others that have the volume open. Readers have it open for the moment
/// of one read; udev looks at a volume after each update.
pub(super) const BUSY_LIMIT: Duration = Duration::from_secs(5);

/// How long it may take from attaching an MTD device until the node of a volume is there.
const NODE_LIMIT: Duration = Duration::from_secs(5);

/// How a configuration names a volume, other than by the path of its node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VolumeName<'a> {
    /// `ubiN:name` or `/dev/ubiN:name`: a volume of UBI device N.
    OnUbi(u32, &'a OsStr),
    /// `mtdN:name` or `/dev/mtdN:name`: a volume of the UBI device on MTD device N, which is attached
    /// if it is not yet.
    OnMtd(u32, &'a OsStr),
}

impl<'a> VolumeName<'a> {
    /// The name in `path`; `None` if it is the path of something else.
    pub fn parse(path: &'a Path) -> Option<Self> {
        let (device, name) = split(path)?;
        Self::of(device.strip_prefix(b"/dev/").unwrap_or(device), name)
    }

    /// The volume `name` of the device `ubiN` or `mtdN`.
    fn of(device: &[u8], name: &'a OsStr) -> Option<Self> {
        let number = |digits: &[u8]| {
            let digits = std::str::from_utf8(digits).ok()?;
            // parse alone would accept a sign.
            digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
        };
        if let Some(digits) = device.strip_prefix(b"ubi") {
            Some(VolumeName::OnUbi(number(digits)?, name))
        } else {
            Some(VolumeName::OnMtd(number(device.strip_prefix(b"mtd")?)?, name))
        }
    }
}

/// What stands before and behind the first colon.
fn split(path: &Path) -> Option<(&[u8], &OsStr)> {
    let path = path.as_os_str().as_bytes();
    let colon = path.iter().position(|&byte| byte == b':')?;
    Some((path.get(..colon)?, OsStr::from_bytes(path.get(colon + 1..)?)))
}

/// Where the kernel shows its UBI devices.
#[derive(Debug, Clone)]
pub struct Ubi {
    sysfs: PathBuf,
    dev: PathBuf,
}

impl Default for Ubi {
    fn default() -> Self {
        Self::at("/sys", "/dev")
    }
}

impl Ubi {
    /// With sysfs and the device nodes elsewhere than at `/sys` and `/dev`.
    pub fn at(sysfs: impl Into<PathBuf>, dev: impl Into<PathBuf>) -> Self {
        Ubi { sysfs: sysfs.into(), dev: dev.into() }
    }

    /// The name of a volume in `path`, before whose colon may also stand a symbolic link to the device, as a udev
    /// rule makes one. `None` if it is the path of something else, also of a file with a colon in its name.
    pub fn name_in<'a>(&self, path: &'a Path) -> Option<VolumeName<'a>> {
        VolumeName::parse(path).or_else(|| {
            let (link, name) = split(path)?;
            let link = Path::new(OsStr::from_bytes(link));
            if !link.is_absolute() || path.exists() {
                return None;
            }
            let device = fs::canonicalize(link).ok()?;
            VolumeName::of(device.strip_prefix(&self.dev).ok()?.as_os_str().as_bytes(), name)
        })
    }

    /// The volume with this name; attaches an MTD device for it if need be.
    pub fn by_name(&self, name: VolumeName<'_>) -> io::Result<UbiVolume> {
        match name {
            VolumeName::OnUbi(device, name) => self.on_device(device, name),
            VolumeName::OnMtd(mtd, name) => {
                let device = match self.device_on_mtd(mtd)? {
                    Some(device) => device,
                    None => self.attach(mtd)?,
                };
                self.on_device(device, name)
            }
        }
    }

    /// The volume whose device node is `path`. `None` if that is not a volume's.
    pub fn by_node(&self, path: &Path) -> io::Result<Option<UbiVolume>> {
        let meta = fs::metadata(path)?;
        if !meta.file_type().is_char_device() {
            return Ok(None);
        }
        // UBI takes its major numbers as they come.
        let number = format!("{}:{}", libc::major(meta.rdev()), libc::minor(meta.rdev()));
        let attributes = self.sysfs.join("dev/char").join(number);
        if !attributes.join("reserved_ebs").exists() {
            return Ok(None);
        }
        Ok(Some(UbiVolume::new(path.to_path_buf(), &attributes)?))
    }

    fn class(&self) -> PathBuf {
        self.sysfs.join("class/ubi")
    }

    fn on_device(&self, device: u32, name: &OsStr) -> io::Result<UbiVolume> {
        let mut others = Vec::new();
        for (entry, volume) in self.entries(|entry| {
            let (ubi, volume) = entry.strip_prefix("ubi")?.split_once('_')?;
            (ubi.parse() == Ok(device)).then(|| volume.parse::<u32>().ok())?
        })? {
            let attributes = self.class().join(&entry);
            let mut found = fs::read(attributes.join("name"))?;
            if found.last() == Some(&b'\n') {
                found.pop();
            }
            if found == name.as_bytes() {
                let node = self.dev.join(format!("ubi{device}_{volume}"));
                wait_for(&node)?;
                return UbiVolume::new(node, &attributes);
            }
            others.push(String::from_utf8_lossy(&found).into_owned());
        }
        let message = if others.is_empty() {
            format!("there is no UBI device {device}, or it has no volumes")
        } else {
            format!("UBI device {device} has no volume {name:?}, only {}", others.join(", "))
        };
        Err(io::Error::new(io::ErrorKind::NotFound, message))
    }

    /// The UBI device that is attached to MTD device `mtd`.
    fn device_on_mtd(&self, mtd: u32) -> io::Result<Option<u32>> {
        let devices = self.entries(|entry| entry.strip_prefix("ubi")?.parse::<u32>().ok())?;
        for (entry, device) in devices {
            if number(&self.class().join(entry).join("mtd_num"))? == u64::from(mtd) {
                return Ok(Some(device));
            }
        }
        Ok(None)
    }

    fn attach(&self, mtd: u32) -> io::Result<u32> {
        let failed = |e: io::Error| io::Error::new(e.kind(), format!("attaching mtd{mtd} to UBI: {e}"));
        let control = File::open(self.dev.join("ubi_ctrl")).map_err(failed)?;
        match ubi::attach(&control, mtd) {
            // Another process was faster.
            Err(error) if error.raw_os_error() == Some(libc::EEXIST) => {
                self.device_on_mtd(mtd)?.ok_or_else(|| failed(error))
            }
            result => result.map_err(failed),
        }
    }

    /// The entries of /sys/class/ubi that `select` knows, with what it says of them. Without UBI in the
    /// kernel there are none.
    fn entries<T>(&self, select: impl Fn(&str) -> Option<T>) -> io::Result<Vec<(String, T)>> {
        let directory = match fs::read_dir(self.class()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            result => result?,
        };
        let mut selected = Vec::new();
        for entry in directory {
            let Ok(name) = entry?.file_name().into_string() else { continue };
            if let Some(value) = select(&name) {
                selected.push((name, value));
            }
        }
        Ok(selected)
    }
}

fn number(attribute: &Path) -> io::Result<u64> {
    let text = fs::read_to_string(attribute)?;
    text.trim().parse().map_err(|_| {
        let message = format!("{}: {:?} is not a number", attribute.display(), text.trim());
        io::Error::new(io::ErrorKind::InvalidData, message)
    })
}

/// Waits for the device node of a volume that the kernel shows already: right after attaching, udev may
/// not have made it yet.
fn wait_for(node: &Path) -> io::Result<()> {
    let start = Instant::now();
    while let Err(error) = fs::metadata(node) {
        if error.kind() != io::ErrorKind::NotFound || start.elapsed() > NODE_LIMIT {
            return Err(io::Error::new(error.kind(), format!("{}: {error}", node.display())));
        }
        thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// A UBI volume. It is open only during a call: whoever has a volume open keeps others from updating it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UbiVolume {
    node: PathBuf,
    capacity: u64,
    /// Bytes of a LEB; 0 in a static volume, where none can be changed.
    atomic_size: u64,
}

impl UbiVolume {
    /// The volume with this node and these sysfs attributes.
    fn new(node: PathBuf, attributes: &Path) -> io::Result<Self> {
        let leb_size = number(&attributes.join("usable_eb_size"))?;
        let capacity = number(&attributes.join("reserved_ebs"))?.saturating_mul(leb_size);
        let is_dynamic = fs::read(attributes.join("type"))?.starts_with(b"dynamic");
        Ok(UbiVolume { node, capacity, atomic_size: if is_dynamic { leb_size } else { 0 } })
    }

    /// The device node, e.g. `/dev/ubi0_1`.
    pub fn node(&self) -> &Path {
        &self.node
    }

    pub(super) fn open(&self, write: bool) -> io::Result<File> {
        let file = OpenOptions::new()
            .read(true)
            .write(write)
            .custom_flags(libc::O_NOCTTY | libc::O_NONBLOCK)
            .open(&self.node)?;
        Ok(file)
    }

    /// Writes `data` after `start` has said what is to become of it.
    fn write(&self, data: &[u8], start: impl Fn(&File) -> io::Result<()>) -> io::Result<()> {
        let mut file = while_busy(BUSY_LIMIT, || self.open(true))?;
        while_busy(BUSY_LIMIT, || start(&file))?;
        file.write_all(data)?;
        file.sync_all()?;
        sys::close(file)
    }
}

impl Volume for UbiVolume {
    fn capacity(&self) -> u64 {
        self.capacity
    }

    fn read(&mut self, buf: &mut [u8]) -> io::Result<()> {
        // While the volume is updated: EBUSY. After an update that was cut: EBADF. A static volume ends
        // where its last update ended.
        self.open(false)?.read_exact_at(buf, 0)
    }

    fn update(&mut self, data: &[u8]) -> io::Result<()> {
        // The kernel would take an empty update, and empty the volume.
        if data.is_empty() || data.len() as u64 > self.capacity {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{} bytes for a volume of {}", data.len(), self.capacity),
            ));
        }
        // From the start the old content is gone. The last write returns when the update is complete.
        self.write(data, |file| ubi::start_update(file, data.len() as u64))
    }

    fn atomic_size(&self) -> u64 {
        self.atomic_size
    }

    fn change(&mut self, data: &[u8]) -> io::Result<()> {
        // The kernel would take no bytes, and give the LEB none.
        let Some(len) = i32::try_from(data.len())
            .ok()
            .filter(|_| !data.is_empty() && data.len() as u64 <= self.atomic_size)
        else {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{} bytes for a LEB of {}", data.len(), self.atomic_size),
            ));
        };
        // The kernel gathers the bytes. The last write returns when the LEB is changed.
        self.write(data, |file| ubi::start_leb_change(file, 0, len))
    }
}

/// Bytes from the start of an open volume that can be read. To ask for bytes behind them is dangerous: Linux (6.12 and
/// before) reckons with a negative length then, and writes far more into memory than the buffer holds. A static volume
/// ends where its last update ended. (drivers/mtd/ubi/cdev.c, vol_cdev_read.)
pub(super) fn readable(mut file: &File) -> io::Result<u64> {
    file.seek(SeekFrom::End(0))
}

/// Tries again for as long as the volume is in use by others, at most for `limit`.
pub(super) fn while_busy<T>(limit: Duration, mut attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let start = Instant::now();
    let mut pause = Duration::from_millis(1);
    loop {
        match attempt() {
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) && start.elapsed() < limit => {
                thread::sleep(pause);
                // The kernel logs each refusal, so ever fewer of them.
                pause = (pause * 2).min(Duration::from_millis(250));
            }
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// UBI device 0 on mtd4 with the volumes 0 "env", 1 "env r" and 12 "data", and device 3 on mtd7.
    struct Fake {
        root: tempfile::TempDir,
        ubi: Ubi,
    }

    fn fake() -> Fake {
        let root = tempfile::tempdir().unwrap();
        let ubi = Ubi::at(root.path().join("sys"), root.path().join("dev"));
        fs::create_dir_all(ubi.class()).unwrap();
        fs::create_dir(&ubi.dev).unwrap();
        // As in the kernel, where the class also has an attribute.
        fs::write(ubi.class().join("version"), "1\n").unwrap();
        let fake = Fake { root, ubi };
        fake.device(0, 4);
        fake.device(3, 7);
        fake.volume(0, 0, "env");
        fake.volume(0, 1, "env r");
        fake.volume(0, 12, "data");
        fake.volume(3, 0, "env");
        fake
    }

    impl Fake {
        fn write(&self, entry: &str, attribute: &str, value: &str) {
            let directory = self.ubi.class().join(entry);
            fs::create_dir_all(&directory).unwrap();
            fs::write(directory.join(attribute), format!("{value}\n")).unwrap();
        }

        fn device(&self, device: u32, mtd: u32) {
            self.write(&format!("ubi{device}"), "mtd_num", &mtd.to_string());
        }

        fn volume(&self, device: u32, volume: u32, name: &str) {
            let entry = format!("ubi{device}_{volume}");
            self.write(&entry, "name", name);
            self.write(&entry, "reserved_ebs", "4");
            self.write(&entry, "usable_eb_size", "1000");
            self.write(&entry, "type", if volume == 12 { "static" } else { "dynamic" });
            fs::write(self.ubi.dev.join(entry), [device as u8, volume as u8, 7, 7]).unwrap();
        }

        fn find(&self, path: &str) -> io::Result<String> {
            let volume = self.ubi.by_name(VolumeName::parse(Path::new(path)).unwrap())?;
            assert_eq!(volume.capacity(), 4000);
            Ok(volume.node().strip_prefix(&self.ubi.dev).unwrap().to_str().unwrap().to_owned())
        }
    }

    #[test]
    fn names_are_told_from_paths() {
        let parse = |path: &'static str| VolumeName::parse(Path::new(path));
        assert_eq!(parse("ubi0:env"), Some(VolumeName::OnUbi(0, OsStr::new("env"))));
        assert_eq!(parse("/dev/ubi12:u-boot env"), Some(VolumeName::OnUbi(12, OsStr::new("u-boot env"))));
        assert_eq!(parse("/dev/mtd3:a:b/c"), Some(VolumeName::OnMtd(3, OsStr::new("a:b/c"))));
        assert_eq!(parse("mtd3:env"), Some(VolumeName::OnMtd(3, OsStr::new("env"))));
        for path in [
            "/dev/ubi0_0",
            "/dev/mtd3",
            "ubi:env",
            "ubi+1:env",
            "ubi-1:env",
            "ubi1x:env",
            "ubi 1:env",
            "ubi4294967296:env",
            "/tmp/ubi0:env",
            "/dev/mtdblock3:env",
            "sda:env",
            ":env",
            "",
            "/dev/",
        ] {
            assert_eq!(VolumeName::parse(Path::new(path)), None, "{path}");
        }
    }

    #[test]
    fn a_volume_is_found_by_its_whole_name() {
        let fake = fake();
        assert_eq!(fake.find("ubi0:env").unwrap(), "ubi0_0");
        assert_eq!(fake.find("ubi0:env r").unwrap(), "ubi0_1");
        assert_eq!(fake.find("/dev/ubi0:data").unwrap(), "ubi0_12");
        assert_eq!(fake.find("ubi3:env").unwrap(), "ubi3_0");
        let error = fake.find("ubi0:en").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        let message = error.to_string();
        let names = message.split_once("\"en\", only ").unwrap().1.split(", ");
        assert_eq!(names.collect::<std::collections::BTreeSet<_>>(), ["data", "env", "env r"].into());
        assert_eq!(fake.find("ubi1:env").unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(fake.find("ubi0:").unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_volume_is_found_by_its_mtd_device() {
        let fake = fake();
        assert_eq!(fake.find("mtd4:data").unwrap(), "ubi0_12");
        assert_eq!(fake.find("/dev/mtd7:env").unwrap(), "ubi3_0");
        assert_eq!(fake.find("mtd7:data").unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn an_mtd_device_that_is_not_attached_is_handed_to_the_control_device() {
        let fake = fake();
        let error = fake.find("mtd5:env").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(error.to_string().contains("attaching mtd5"), "{error}");
        // Not a control device, so the kernel knows no such call.
        fs::write(fake.ubi.dev.join("ubi_ctrl"), "").unwrap();
        let error = fake.find("mtd5:env").unwrap_err();
        assert!(error.to_string().contains("attaching mtd5 to UBI: Inappropriate ioctl"), "{error}");
    }

    #[test]
    fn without_ubi_nothing_is_found() {
        let root = tempfile::tempdir().unwrap();
        let ubi = Ubi::at(root.path().join("sys"), root.path().join("dev"));
        let name = VolumeName::OnUbi(0, OsStr::new("env"));
        assert_eq!(ubi.by_name(name).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn garbage_in_an_attribute_is_an_error_that_names_it() {
        let fake = fake();
        fake.write("ubi0_0", "reserved_ebs", "-1");
        let error = fake.find("ubi0:env").unwrap_err();
        assert!(error.to_string().contains("ubi0_0/reserved_ebs: \"-1\""), "{error}");
    }

    #[test]
    fn a_node_is_known_by_its_number() {
        let fake = fake();
        let null = Path::new("/dev/null");
        assert_eq!(fake.ubi.by_node(null).unwrap(), None);
        let numbers = fake.root.path().join("sys/dev/char");
        fs::create_dir_all(&numbers).unwrap();
        // /dev/null in the place of a node: 1:3.
        symlink(fake.ubi.class().join("ubi0_1"), numbers.join("1:3")).unwrap();
        let volume = fake.ubi.by_node(null).unwrap().unwrap();
        assert_eq!((volume.node(), volume.capacity()), (null, 4000));
        assert_eq!(fake.ubi.by_node(&fake.ubi.dev.join("ubi0_0")).unwrap(), None);
        let missing = fake.ubi.by_node(Path::new("/dev/none")).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_volume_that_ends_early_is_an_error() {
        let fake = fake();
        let mut volume = fake.ubi.by_name(VolumeName::OnUbi(0, OsStr::new("env r"))).unwrap();
        let mut buf = [0; 4];
        volume.read(&mut buf).unwrap();
        assert_eq!(buf, [0, 1, 7, 7]);
        assert_eq!(volume.read(&mut [0; 5]).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn nothing_is_written_before_the_kernel_has_started_the_update() {
        let fake = fake();
        let node = fake.ubi.dev.join("ubi0_0");
        let mut volume = fake.ubi.by_name(VolumeName::OnUbi(0, OsStr::new("env"))).unwrap();
        assert_eq!(volume.update(&[]).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert_eq!(volume.update(&[1; 4001]).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert_eq!(volume.update(&[1; 4000]).unwrap_err().raw_os_error(), Some(libc::ENOTTY));
        assert_eq!(volume.change(&[]).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert_eq!(volume.change(&[1; 1001]).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert_eq!(volume.change(&[1; 1000]).unwrap_err().raw_os_error(), Some(libc::ENOTTY));
        assert_eq!(fs::read(node).unwrap(), [0, 0, 7, 7]);
    }

    #[test]
    fn one_leb_of_a_dynamic_volume_changes_at_once() {
        let fake = fake();
        let find = |name: &str| fake.ubi.by_name(VolumeName::OnUbi(0, OsStr::new(name))).unwrap();
        assert_eq!(find("env").atomic_size(), 1000);
        let mut data = find("data");
        assert_eq!(data.atomic_size(), 0);
        assert_eq!(data.change(&[1; 4]).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn a_link_to_the_device_may_stand_for_it() {
        let fake = fake();
        let at = |name: &str| fake.root.path().join(name).to_str().unwrap().to_owned();
        for device in ["ubi0", "mtd7", "null"] {
            fs::write(fake.ubi.dev.join(device), "").unwrap();
        }
        symlink("dev/ubi0", at("first")).unwrap();
        symlink("first", at("second")).unwrap();
        symlink("dev/mtd7", at("flash")).unwrap();
        symlink("dev/null", at("other")).unwrap();
        symlink("dev/ubi9", at("dangling")).unwrap();
        let name = |text: String| fake.ubi.name_in(Path::new(&text)).map(|n| format!("{n:?}"));
        let expected = |n: VolumeName<'_>| Some(format!("{n:?}"));
        assert_eq!(name(at("first:env")), expected(VolumeName::OnUbi(0, OsStr::new("env"))));
        assert_eq!(name(at("second:a:b")), expected(VolumeName::OnUbi(0, OsStr::new("a:b"))));
        assert_eq!(name(at("flash:env")), expected(VolumeName::OnMtd(7, OsStr::new("env"))));
        assert_eq!(name(at("dev/ubi0:env")), expected(VolumeName::OnUbi(0, OsStr::new("env"))));
        assert_eq!(name("/dev/ubi3:env".into()), expected(VolumeName::OnUbi(3, OsStr::new("env"))));
        for path in ["other:env", "dangling:env", "none:env", "first"] {
            assert_eq!(name(at(path)), None, "{path}");
        }
        assert_eq!(name("first:env".into()), None);
        // A file of this name is one.
        fs::write(at("first:env"), "").unwrap();
        assert_eq!(name(at("first:env")), None);
    }

    #[test]
    fn a_busy_volume_is_waited_for_but_not_for_ever() {
        let busy = || io::Error::from_raw_os_error(libc::EBUSY);
        let mut attempts = 0;
        let result = while_busy(Duration::from_secs(60), || {
            attempts += 1;
            if attempts < 3 {
                Err(busy())
            } else {
                Ok(attempts)
            }
        });
        assert_eq!(result.unwrap(), 3);
        let result: io::Result<()> = while_busy(Duration::from_millis(10), || Err(busy()));
        assert_eq!(result.unwrap_err().raw_os_error(), Some(libc::EBUSY));
        let mut attempts = 0;
        let result: io::Result<()> = while_busy(Duration::from_secs(60), || {
            attempts += 1;
            Err(io::Error::from_raw_os_error(libc::EPERM))
        });
        assert_eq!((result.unwrap_err().raw_os_error(), attempts), (Some(libc::EPERM), 1));
    }
}
